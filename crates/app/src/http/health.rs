//! For those who watch over the service: `/healthz`, `/readyz` and `/metrics`.

use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use subtle::ConstantTimeEq;

use crate::app::App;
use crate::http::error::{Kind, Problem};

/// How long database and files may take to show that they are there, each.
const PATIENCE: Duration = Duration::from_secs(2);

/// For how long it is believed that files can be kept: asking a bucket costs something.
const BELIEVED: Duration = Duration::from_secs(10);

/// The media type of metrics.
const METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Headers by which a proxy says that somebody else is asking.
const FORWARDED: [&str; 5] = [
    "forwarded",
    "via",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-real-ip",
];

/// When the place of uploaded files was well last: it is not asked anew each time.
#[derive(Debug, Default)]
pub(crate) struct Readiness(Mutex<Option<Instant>>);

/// The addresses that are on the site itself.
pub(super) fn router() -> Router<App> {
    Router::new()
        .route("/healthz", get(healthy))
        .route("/readyz", get(ready))
        .route("/metrics", get(guarded_metrics))
}

/// The site of the listener for metrics: whoever reaches it may see them.
pub(crate) fn metrics_site(app: App) -> Router {
    Router::new()
        .route("/healthz", get(healthy))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(app)
}

/// The site while the program starts: it is alive, and everything else has to wait.
pub(crate) fn starting_site() -> Router {
    Router::new()
        .route("/healthz", get(healthy))
        .fallback(starting)
}

/// The process is up.
async fn healthy() -> &'static str {
    "ok\n"
}

async fn starting(request: Request) -> Response {
    if request.uri().path().starts_with("/api/") {
        let why = "Rollbook is starting; try again in a few seconds";
        return Problem::new(Kind::Unavailable, why).into_response();
    }
    let wait = [(header::RETRY_AFTER, HeaderValue::from_static("2"))];
    (
        StatusCode::SERVICE_UNAVAILABLE,
        wait,
        "Rollbook is starting. Try again in a few seconds.\n",
    )
        .into_response()
}

/// Requests can be answered: database and files are there, the schema is the one this program knows, and nobody said
/// stop.
async fn ready(State(app): State<App>) -> (StatusCode, String) {
    if app.stopping.has_begun() {
        return (StatusCode::SERVICE_UNAVAILABLE, "stopping\n".to_owned());
    }
    let (database, files) = tokio::join!(database_trouble(&app), files_trouble(&app));
    match database.or(files) {
        None => (StatusCode::OK, "ready\n".to_owned()),
        Some(trouble) => (StatusCode::SERVICE_UNAVAILABLE, format!("{trouble}\n")),
    }
}

async fn database_trouble(app: &App) -> Option<&'static str> {
    match tokio::time::timeout(PATIENCE, app.store.check()).await {
        Ok(Ok(())) => None,
        Ok(Err(rollbook_store::StoreError::Newer { .. })) => {
            Some("the database was migrated by a newer program; install that one")
        }
        Ok(Err(error)) => {
            tracing::error!("the database does not answer: {error}");
            Some("the database does not answer")
        }
        Err(_) => Some("the database takes too long"),
    }
}

async fn files_trouble(app: &App) -> Option<&'static str> {
    const TROUBLE: &str = "the place of uploaded files cannot be used";
    let known = *lock(&app.readiness.0);
    if known.is_some_and(|at| at.elapsed() < BELIEVED) {
        return None;
    }
    let well = match tokio::time::timeout(PATIENCE, app.blobs.answers()).await {
        Ok(Ok(())) => true,
        Ok(Err(error)) => {
            tracing::error!("{}", error.with_cause());
            false
        }
        Err(_) => {
            tracing::error!("the place of uploaded files takes too long to answer");
            false
        }
    };
    *lock(&app.readiness.0) = well.then(Instant::now);
    (!well).then_some(TROUBLE)
}

fn lock(readiness: &Mutex<Option<Instant>>) -> std::sync::MutexGuard<'_, Option<Instant>> {
    readiness.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn metrics(State(app): State<App>) -> Response {
    match app.metrics.text(&app).await {
        Ok(text) => ([(header::CONTENT_TYPE, METRICS)], text).into_response(),
        Err(error) => {
            tracing::error!("metrics cannot be shown: {error}");
            (
                StatusCode::SERVICE_UNAVAILABLE,
                "the database does not answer\n",
            )
                .into_response()
        }
    }
}

/// The same for those who have the token or, if there is none, are on this machine.
async fn guarded_metrics(State(app): State<App>, request: Request) -> Response {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    let headers = request.headers();
    let may = if let Some(token) = &app.config.metrics_token {
        has_token(headers, token.reveal())
    } else {
        let here = peer.is_some_and(|peer| peer.0.ip().to_canonical().is_loopback());
        let direct = !FORWARDED.iter().any(|name| headers.contains_key(*name));
        here && direct && app.config.public_url.is_none()
    };
    if may {
        return metrics(State(app)).await;
    }
    (
        StatusCode::FORBIDDEN,
        "metrics are not shown here; send the bearer token of the setting `metrics_token`, or use the address of \
         `metrics_listen`\n",
    )
        .into_response()
}

fn has_token(headers: &HeaderMap, token: &str) -> bool {
    let sent = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
    sent.is_some_and(|sent| bool::from(sent.ct_eq(token.as_bytes())))
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use tower::ServiceExt;

    use super::*;

    #[tokio::test]
    async fn while_it_starts_it_is_alive_and_asks_to_come_again() {
        for (path, status, text) in [
            ("/healthz", StatusCode::OK, "ok"),
            ("/readyz", StatusCode::SERVICE_UNAVAILABLE, "starting"),
            ("/sign-in", StatusCode::SERVICE_UNAVAILABLE, "starting"),
            (
                "/api/v1/logs",
                StatusCode::SERVICE_UNAVAILABLE,
                "urn:rollbook:problem:unavailable",
            ),
        ] {
            let request = Request::get(path).body(Body::empty()).unwrap();
            let response = starting_site().oneshot(request).await.unwrap();
            assert_eq!(response.status(), status, "{path}");
            let waits = response.headers().contains_key(header::RETRY_AFTER);
            assert_eq!(waits, status != StatusCode::OK, "{path}");
            let body = to_bytes(response.into_body(), 10_000).await.unwrap();
            assert!(String::from_utf8_lossy(&body).contains(text), "{path}");
        }
    }

    #[test]
    fn only_the_whole_token_counts() {
        let headers = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::AUTHORIZATION, HeaderValue::from_static(value));
            headers
        };
        assert!(has_token(&headers("Bearer secret"), "secret"));
        for wrong in [
            "Bearer secre",
            "Bearer secrets",
            "secret",
            "Basic secret",
            "Bearer ",
        ] {
            assert!(!has_token(&headers(wrong), "secret"), "{wrong}");
        }
        assert!(!has_token(&HeaderMap::new(), "secret"));
    }
}
