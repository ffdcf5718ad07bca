//! Bodies: read up to a limit and within a time, and said what is wrong with them.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, header};
use futures_util::StreamExt;
use serde::de::DeserializeOwned;

use crate::http::api::Api;
use crate::http::error::{Kind, Problem, shortened};
use crate::http::server::TooSlow;

/// The largest body of an endpoint that changes settings.
const MAX_SETTINGS: usize = 1 << 20;

/// How much of a body that is too large is read and thrown away, so that the sender gets to read the answer.
const DRAINED: usize = 8 << 20;

/// A body, read to its end or over its limit.
#[derive(Debug)]
pub(crate) enum Read {
    /// All of it.
    Whole(Vec<u8>),
    /// Its first bytes, one more than the limit.
    TooLarge(Vec<u8>),
}

/// Reads a body of at most `limit` bytes.
pub(crate) async fn read(body: Body, limit: usize) -> Result<Read, Problem> {
    let mut chunks = body.into_data_stream();
    let mut whole: Vec<u8> = Vec::new();
    while let Some(chunk) = next(&mut chunks).await? {
        if whole.len().saturating_add(chunk.len()) > limit {
            let room = limit.saturating_add(1).saturating_sub(whole.len());
            whole.extend_from_slice(&chunk[..room.min(chunk.len())]);
            drain(&mut chunks).await;
            return Ok(Read::TooLarge(whole));
        }
        if whole.is_empty() {
            // Nearly every record comes in one chunk, which is often ours alone.
            whole = chunk.into();
        } else {
            whole.extend_from_slice(&chunk);
        }
    }
    Ok(Read::Whole(whole))
}

/// The next chunk of a body.
pub(crate) async fn next(
    chunks: &mut axum::body::BodyDataStream,
) -> Result<Option<Bytes>, Problem> {
    chunks
        .next()
        .await
        .transpose()
        .map_err(|error| broken(&error))
}

/// A body that ended before its end, or came too slowly.
pub(crate) fn broken(error: &(dyn std::error::Error + 'static)) -> Problem {
    if let Some(slow) = TooSlow::of(error) {
        return Problem::new(Kind::Slow, slow.to_string());
    }
    Problem::new(
        Kind::Body,
        format!("the body ended too early ({error}); send it again"),
    )
}

/// Reads on and throws away, for a while.
pub(crate) async fn drain(chunks: &mut axum::body::BodyDataStream) {
    let all = async {
        let mut drained = 0;
        while let Some(Ok(chunk)) = chunks.next().await {
            drained += chunk.len();
            if drained > DRAINED {
                return;
            }
        }
    };
    // However it ends: this is only a courtesy.
    let _ = tokio::time::timeout(Duration::from_secs(5), all).await;
}

/// The media type of a body in lower case, without its parameters; a problem if the body is not plain UTF-8.
pub(crate) fn media_type(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    if let Some(encoding) = headers.get(header::CONTENT_ENCODING)
        && !encoding.as_bytes().eq_ignore_ascii_case(b"identity")
    {
        return Err(Problem::new(
            Kind::MediaType,
            "the body is compressed; send it without `Content-Encoding`",
        ));
    }
    let Some(value) = headers.get(header::CONTENT_TYPE) else {
        return Ok(None);
    };
    let value = value.to_str().unwrap_or_default().to_ascii_lowercase();
    let (media_type, parameters) = value.split_once(';').unwrap_or((&value, ""));
    let charset = parameters
        .split(';')
        .filter_map(|parameter| parameter.trim().strip_prefix("charset="))
        .map(|charset| charset.trim_matches('"'))
        .next();
    if let Some(charset) = charset
        && !matches!(charset, "utf-8" | "utf8" | "us-ascii")
    {
        return Err(Problem::new(
            Kind::MediaType,
            format!(
                "the body is said to be in `{}`; send JSON in UTF-8",
                shortened(charset)
            ),
        ));
    }
    Ok(Some(media_type.trim().to_owned()))
}

/// Whether a media type means one JSON text.
pub(crate) fn is_json(media_type: &str) -> bool {
    media_type == "application/json"
        || media_type == "text/json"
        || (media_type.starts_with("application/") && media_type.ends_with("+json"))
}

/// The problem of a body with another media type than those that an endpoint takes.
pub(crate) fn wrong_media_type(found: Option<&str>, takes: &str) -> Problem {
    let found = match found {
        Some(found) => format!("the body is said to be `{}`", shortened(found)),
        None => "the request does not say what its body is".to_owned(),
    };
    Problem::new(Kind::MediaType, format!("{found}; send {takes}"))
}

/// Settings as JSON. A member that is not known is a problem, so that no typing error passes for a change.
#[derive(Debug)]
pub(crate) struct Settings<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<Api> for Settings<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &Api) -> Result<Settings<T>, Problem> {
        settings(request).await.map(Settings)
    }
}

/// Settings as JSON, or none at all.
pub(crate) async fn settings_or_default<T: DeserializeOwned + Default>(
    request: Request,
) -> Result<T, Problem> {
    json_or_default(request, MAX_SETTINGS).await
}

/// JSON of at most `limit` bytes, or none at all.
pub(crate) async fn json_or_default<T: DeserializeOwned + Default>(
    request: Request,
    limit: usize,
) -> Result<T, Problem> {
    use axum::body::HttpBody;
    if request.body().is_end_stream() {
        return Ok(T::default());
    }
    json(request, limit).await
}

/// Settings as JSON, for whoever has to look at something else first.
pub(crate) async fn settings<T: DeserializeOwned>(request: Request) -> Result<T, Problem> {
    json(request, MAX_SETTINGS).await
}

async fn json<T: DeserializeOwned>(request: Request, limit: usize) -> Result<T, Problem> {
    let (parts, body) = request.into_parts();
    match media_type(&parts.headers)?.as_deref() {
        Some(media_type) if is_json(media_type) => {}
        other => return Err(wrong_media_type(other, "`Content-Type: application/json`")),
    }
    let body = match read(body, limit).await? {
        Read::Whole(body) => body,
        Read::TooLarge(_) => {
            return Err(Problem::new(
                Kind::TooLarge,
                format!("the body is larger than {limit} bytes; send less"),
            )
            .with("limit", limit));
        }
    };
    serde_json::from_slice(&body).map_err(|error| {
            Problem::new(
                Kind::Body,
                format!("the body cannot be understood: {error}; the description of the API is at /api/v1/openapi.json"),
            )
        })
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn headers(content_type: &'static str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        headers
    }

    #[test]
    fn media_types_are_told_without_parameters() {
        for (content_type, expected) in [
            ("application/json", "application/json"),
            ("Application/JSON; charset=UTF-8", "application/json"),
            (
                "application/x-ndjson;charset=\"utf-8\"",
                "application/x-ndjson",
            ),
            ("text/plain", "text/plain"),
        ] {
            let found = media_type(&headers(content_type)).unwrap();
            assert_eq!(found.as_deref(), Some(expected));
        }
        assert!(media_type(&headers("application/json; charset=latin1")).is_err());
        assert_eq!(media_type(&HeaderMap::new()).unwrap(), None);
        let mut compressed = headers("application/json");
        compressed.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        assert!(media_type(&compressed).is_err());
    }

    #[test]
    fn json_has_several_media_types() {
        assert!(is_json("application/json") && is_json("application/vnd.api+json"));
        assert!(!is_json("application/x-ndjson") && !is_json("text/plain") && !is_json(""));
    }

    #[tokio::test]
    async fn a_body_is_read_up_to_its_limit() {
        let chunks = || {
            let chunks = [Bytes::from("abc"), Bytes::from("def")];
            Body::from_stream(futures_util::stream::iter(
                chunks.map(Ok::<_, std::io::Error>),
            ))
        };
        let Read::Whole(whole) = read(chunks(), 6).await.unwrap() else {
            panic!("six bytes are not too many");
        };
        assert_eq!(whole, b"abcdef");
        let Read::TooLarge(cut) = read(chunks(), 4).await.unwrap() else {
            panic!("six bytes are too many");
        };
        assert_eq!(cut, b"abcde");
    }
}
