//! All routes, and what every answer gets: a request id, security headers, a line in the program's own log, and a
//! problem instead of a panic.

use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use futures_util::FutureExt;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{DefaultPredicate, Predicate, SizeAbove};
use tracing::Instrument;
use tracing::field::Empty;

use crate::app::App;
use crate::http::error::Problem;
use crate::http::{api, health, pages, security};
use crate::metrics::Metrics;
use crate::traces;

/// Tells a request in logs and problems.
const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// A request that takes longer than this to be answered is worth a line.
const LONG: Duration = Duration::from_secs(2);

/// Answers below this size are not compressed: it costs more than it saves.
const WORTH_COMPRESSING: u64 = 1024;

/// What every request needs.
#[derive(Debug, Clone, Default)]
struct Kept {
    /// Whether people reach Rollbook over TLS.
    over_tls: bool,
    metrics: Arc<Metrics>,
}

/// Marks an answer that must not wait for a compressor.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Uncompressed;

/// The whole site.
pub(crate) fn router(app: App) -> Router {
    let worth = DefaultPredicate::new()
        .and(SizeAbove::new(WORTH_COMPRESSING))
        .and(Compressible);
    let kept = Kept {
        over_tls: security::over_tls(&app.config),
        metrics: Arc::clone(&app.metrics),
    };
    Router::new()
        .merge(health::router())
        .merge(pages::router())
        .with_state(app.clone())
        .nest("/api/v1", api::router(app))
        // Programs that miss the API get its answer, not a page.
        .route("/api", any(api::unknown_address))
        .route("/api/{*rest}", any(api::unknown_address))
        .layer(from_fn_with_state(kept, frame))
        .layer(CompressionLayer::new().compress_when(worth))
}

/// Whether an answer may be compressed.
#[derive(Debug, Clone, Copy)]
struct Compressible;

impl Predicate for Compressible {
    fn should_compress<B: axum::body::HttpBody>(&self, response: &axum::http::Response<B>) -> bool {
        response.extensions().get::<Uncompressed>().is_none()
    }
}

/// What every request and answer gets. It is one layer, because each costs every record some time.
async fn frame(State(kept): State<Kept>, request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let id = request_id(&request);
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    // The pattern, not the path: a path may hold what belongs to a person.
    let route = request.extensions().get::<MatchedPath>().cloned();
    let json = path.starts_with("/api/");
    let id_text = id.to_str().unwrap_or_default();
    let route = route.as_ref().map_or("-", MatchedPath::as_str);
    // Every line that the program says about this request has its id. An error's level, so that no filter drops it.
    let span = tracing::error_span!(
        "request",
        request_id = id_text,
        %method,
        route,
        status = Empty,
        "otel.kind" = "server",
    );
    traces::join(&span, request.headers());
    let running = AssertUnwindSafe(next.run(request)).catch_unwind();
    let answered = running.instrument(span.clone()).await;
    let _inside = span.enter();
    let mut response = answered.unwrap_or_else(|panic| {
        let problem = Problem::internal(&format!("panic: {}", panic_text(&*panic)));
        if json {
            problem.into_response()
        } else {
            (
                StatusCode::INTERNAL_SERVER_ERROR,
                "Rollbook failed. Try again, and tell its administrator if it stays so.\n",
            )
                .into_response()
        }
    });
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        let body = problem.json(Some((&path, id_text))).to_string();
        response.headers_mut().remove(header::CONTENT_LENGTH);
        *response.body_mut() = body.into();
    }
    let headers = response.headers_mut();
    security::guard(headers, kept.over_tls);
    // Events are of a moment, and of people: axum's `no-cache` would let them be stored.
    let events = headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"));
    if events || json && !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    headers.insert(X_REQUEST_ID, id.clone());
    let (status, took) = (response.status(), begun.elapsed());
    kept.metrics.answered(route, &method, status, took);
    span.record("status", status.as_u16());
    if status.is_server_error() {
        tracing::error!(?took, "answered");
    } else if took >= LONG {
        tracing::warn!(?took, "answered slowly");
    } else {
        tracing::debug!(?took, "answered");
    }
    response
}

/// The id that came with the request, if it is a plain one, else a new one.
fn request_id(request: &Request) -> HeaderValue {
    static RUN: LazyLock<String> = LazyLock::new(|| {
        let mut bytes = [0; 4];
        // Without randomness ids repeat from run to run, which only blurs logs.
        let _ = getrandom::fill(&mut bytes);
        format!("{:08x}", u32::from_le_bytes(bytes))
    });
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let plain = |value: &&HeaderValue| {
        let bytes = value.as_bytes();
        (1..=64).contains(&bytes.len())
            && bytes
                .iter()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte))
    };
    if let Some(value) = request.headers().get(&X_REQUEST_ID).filter(plain) {
        return value.clone();
    }
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    HeaderValue::try_from(format!("{}-{number:x}", *RUN))
        .unwrap_or_else(|_| HeaderValue::from_static("-"))
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use axum::routing::get;
    use tower::ServiceExt;

    use super::*;

    async fn panicking() -> &'static str {
        panic!("a secret")
    }

    #[tokio::test]
    async fn a_panic_is_a_problem_that_tells_nothing() {
        let router = Router::new()
            .route("/api/v1/x", get(panicking))
            .route("/x", get(panicking))
            .layer(from_fn_with_state(Kept::default(), frame));
        for (path, media_type) in [
            ("/api/v1/x", "application/problem+json"),
            ("/x", "text/plain; charset=utf-8"),
        ] {
            let request = Request::get(path).body(Body::empty()).unwrap();
            let response = router.clone().oneshot(request).await.unwrap();
            assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
            assert_eq!(response.headers()[header::CONTENT_TYPE], media_type);
            assert!(response.headers().contains_key(&X_REQUEST_ID));
            let body = to_bytes(response.into_body(), 10_000).await.unwrap();
            assert!(!String::from_utf8_lossy(&body).contains("secret"));
        }
    }
}
