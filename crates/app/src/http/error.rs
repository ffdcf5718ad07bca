//! What went wrong, as programs are told it: problem details (RFC 9457).
//!
//! [`Kind`] is the one table of problems with their types, statuses and titles. A [`Problem`] adds the sentence that
//! says what was wrong this time and what to do, and members that a program can use.

use std::collections::BTreeMap;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use rollbook_store::StoreError;
use serde_json::{Map, Value, json};
use utoipa::openapi::{ContentBuilder, Ref, RefOr, ResponseBuilder};
use utoipa::{IntoResponses, ToSchema};

use crate::blobs::BlobError;
use crate::door::Wait;
use crate::imports::intake::IntakeError;
use crate::imports::receive::ReceiveError;
use crate::imports::replay::ReplayError;
use crate::imports::review::ReviewError;

/// The media type of problem details.
pub(crate) const PROBLEM_JSON: &str = "application/problem+json";

/// The member that says after how many seconds to go on.
const RETRY_AFTER: &str = "retry_after";

/// A kind of problem. Its type never changes; clients decide by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A parameter is not known, is repeated, or has a value that it cannot have.
    Parameter,
    /// The body is not what the endpoint takes.
    Body,
    /// The body holds no record that can be read.
    Record,
    /// No key came with the request.
    KeyMissing,
    /// The key is unknown or revoked.
    KeyRefused,
    /// The signature of a webhook's delivery is not valid.
    SignatureRefused,
    /// The key belongs to a source and this is none of its business.
    Forbidden,
    /// There is no such thing.
    NotFound,
    /// The address does not take this method.
    Method,
    /// The body did not arrive in time.
    Slow,
    /// An idempotency key was used before with another body.
    IdempotencyKeyReused,
    /// The name is used already.
    Exists,
    /// The import is past the step at which this could be done.
    ImportState,
    /// The mail is past the step at which this could be done.
    MailState,
    /// The body is over the limit.
    TooLarge,
    /// The attempt, or none of the attempts, can be replayed.
    Replay,
    /// The media type is not one that the endpoint takes.
    MediaType,
    /// The mapping does not fit.
    Mapping,
    /// The file is not one that Rollbook reads.
    File,
    /// A value in the body is not one it can have.
    Value,
    /// The source is paused.
    SourcePaused,
    /// Too many calls.
    TooMany,
    /// Rollbook failed.
    Internal,
    /// The store cannot be reached.
    Unavailable,
}

impl Kind {
    /// All of them, in the order of their statuses.
    pub(crate) const ALL: [Kind; 24] = [
        Kind::Parameter,
        Kind::Body,
        Kind::Record,
        Kind::KeyMissing,
        Kind::KeyRefused,
        Kind::SignatureRefused,
        Kind::Forbidden,
        Kind::NotFound,
        Kind::Method,
        Kind::Slow,
        Kind::IdempotencyKeyReused,
        Kind::Exists,
        Kind::ImportState,
        Kind::Replay,
        Kind::MailState,
        Kind::TooLarge,
        Kind::MediaType,
        Kind::Mapping,
        Kind::File,
        Kind::Value,
        Kind::SourcePaused,
        Kind::TooMany,
        Kind::Internal,
        Kind::Unavailable,
    ];

    /// The table: status, last part of the type, title.
    fn row(self) -> (StatusCode, &'static str, &'static str) {
        use StatusCode as S;
        match self {
            Kind::Parameter => (
                S::BAD_REQUEST,
                "parameter",
                "A parameter cannot be understood",
            ),
            Kind::Body => (S::BAD_REQUEST, "body", "The body cannot be understood"),
            Kind::Record => (
                S::BAD_REQUEST,
                "record-unreadable",
                "The record cannot be read",
            ),
            Kind::KeyMissing => (S::UNAUTHORIZED, "key-missing", "An API key is needed"),
            Kind::KeyRefused => (S::UNAUTHORIZED, "key-refused", "The API key is not valid"),
            Kind::SignatureRefused => (
                S::UNAUTHORIZED,
                "signature-refused",
                "The signature is not valid",
            ),
            Kind::Forbidden => (S::FORBIDDEN, "forbidden", "The API key may not do this"),
            Kind::NotFound => (S::NOT_FOUND, "not-found", "There is no such thing"),
            Kind::Method => (
                S::METHOD_NOT_ALLOWED,
                "method",
                "The address does not take this method",
            ),
            Kind::Slow => (
                S::REQUEST_TIMEOUT,
                "too-slow",
                "The body did not arrive in time",
            ),
            Kind::IdempotencyKeyReused => (
                S::CONFLICT,
                "idempotency-key-reused",
                "The idempotency key belongs to another body",
            ),
            Kind::Exists => (S::CONFLICT, "exists", "The name is used already"),
            Kind::ImportState => (
                S::CONFLICT,
                "import-state",
                "The import is not at this step",
            ),
            Kind::Replay => (S::CONFLICT, "replay", "This cannot be replayed"),
            Kind::MailState => (S::CONFLICT, "mail-state", "The mail is past this step"),
            Kind::TooLarge => (S::PAYLOAD_TOO_LARGE, "too-large", "The body is too large"),
            Kind::MediaType => (
                S::UNSUPPORTED_MEDIA_TYPE,
                "media-type",
                "The media type is not supported",
            ),
            Kind::Mapping => (
                S::UNPROCESSABLE_ENTITY,
                "mapping",
                "The mapping does not fit",
            ),
            Kind::File => (
                S::UNPROCESSABLE_ENTITY,
                "file-unreadable",
                "The file cannot be read",
            ),
            Kind::Value => (S::UNPROCESSABLE_ENTITY, "value", "A value cannot be used"),
            Kind::SourcePaused => (S::LOCKED, "source-paused", "The source is paused"),
            Kind::TooMany => (
                S::TOO_MANY_REQUESTS,
                "too-many",
                "Too many calls in a short time",
            ),
            Kind::Internal => (S::INTERNAL_SERVER_ERROR, "internal", "Rollbook failed"),
            Kind::Unavailable => (
                S::SERVICE_UNAVAILABLE,
                "unavailable",
                "The store cannot be reached",
            ),
        }
    }

    /// The HTTP status.
    pub(crate) fn status(self) -> StatusCode {
        self.row().0
    }

    /// The stable type.
    pub(crate) fn type_uri(self) -> String {
        format!("urn:rollbook:problem:{}", self.row().1)
    }

    /// What kind of thing went wrong.
    pub(crate) fn title(self) -> &'static str {
        self.row().2
    }
}

/// A problem as it is sent.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Problem {
    kind: Kind,
    detail: String,
    members: Map<String, Value>,
}

/// What went wrong, and what to do (RFC 9457).
#[derive(Debug, ToSchema)]
#[schema(as = Problem)]
#[expect(dead_code, reason = "it only describes what `Problem` writes")]
pub(crate) struct ProblemSchema {
    /// The kind of problem; clients decide by it.
    #[schema(example = "urn:rollbook:problem:parameter")]
    r#type: String,
    /// The kind of problem in words.
    #[schema(example = "A parameter cannot be understood")]
    title: String,
    /// The HTTP status.
    #[schema(example = 400)]
    status: u16,
    /// What was wrong this time, and what to do.
    #[schema(example = "`limit` is `abc`; use a number from 1 to 500")]
    detail: String,
    /// The path of the request.
    #[schema(example = "/api/v1/logs")]
    instance: Option<String>,
    /// The request's id, as in the header `X-Request-Id`; give it to the administrator of Rollbook.
    #[schema(example = "6921f0c2-1f")]
    request_id: Option<String>,
    /// The parameter, where the problem is about one.
    #[schema(example = "limit")]
    parameter: Option<String>,
    /// The limit in bytes, where the problem is about one.
    #[schema(example = 1_048_576)]
    limit: Option<u64>,
    /// After how many seconds to go on, where there were too many calls.
    #[schema(example = 3)]
    retry_after: Option<u64>,
    /// Why the attempt cannot be replayed: `erased`, `payload_dropped`, `cut`, `undo`, `source_gone`, `source_paused`,
    /// `origin_gone`, `dropped`, `replayed` or `event`.
    #[schema(example = "erased")]
    reason: Option<String>,
    /// The attempt in the log, where the problem left one.
    #[schema(example = "019aad5e-5b60-7001-8000-000000000001")]
    attempt_id: Option<String>,
    /// The import, where the problem is about one that was stored.
    #[schema(example = "019aad5e-5b60-7001-8000-000000000001")]
    import_id: Option<String>,
}

impl Problem {
    /// A problem with the sentence that says what was wrong and what to do.
    pub(crate) fn new(kind: Kind, detail: impl Into<String>) -> Problem {
        Problem {
            kind,
            detail: detail.into(),
            members: Map::new(),
        }
    }

    /// A parameter of the query, the path or a header.
    pub(crate) fn parameter(name: &str, detail: impl Into<String>) -> Problem {
        Problem::new(Kind::Parameter, detail).with("parameter", name)
    }

    /// Something that does not exist.
    pub(crate) fn not_found(what: &str, name: &str) -> Problem {
        Problem::new(
            Kind::NotFound,
            format!("there is no {what} `{}`", shortened(name)),
        )
    }

    /// A body over the limit.
    pub(crate) fn too_large(limit: usize, setting: &str, advice: &str) -> Problem {
        Problem::new(
            Kind::TooLarge,
            format!("the body is larger than {limit} bytes; {advice}, or raise `{setting}` in the settings"),
        )
        .with("limit", limit)
    }

    /// Rollbook failed; the cause goes to its own log and not to the caller.
    pub(crate) fn internal(cause: &dyn std::fmt::Display) -> Problem {
        tracing::error!("a request failed: {cause}");
        Problem::new(
            Kind::Internal,
            "Rollbook failed, nothing is wrong with the request; try again, and if it stays so, give `request_id` to \
             its administrator",
        )
    }

    /// Adds a member that programs can use.
    pub(crate) fn with(mut self, name: &str, value: impl Into<Value>) -> Problem {
        self.members.insert(name.to_owned(), value.into());
        self
    }

    /// The kind of problem.
    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    /// The members in JSON; with where it happened, where that is known.
    pub(crate) fn json(&self, place: Option<(&str, &str)>) -> Value {
        let mut json = json!({
            "type": self.kind.type_uri(),
            "title": self.kind.title(),
            "status": self.kind.status().as_u16(),
            "detail": self.detail,
        });
        if let (Value::Object(json), Some((instance, request_id))) = (&mut json, place) {
            json.insert("instance".to_owned(), instance.into());
            json.insert("request_id".to_owned(), request_id.into());
        }
        if let Value::Object(json) = &mut json {
            json.extend(self.members.clone());
        }
        json
    }
}

/// The answer of a problem. It carries the problem along, so that the outermost layer can add where it happened.
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = (
            self.kind.status(),
            [(header::CONTENT_TYPE, PROBLEM_JSON)],
            self.json(None).to_string(),
        )
            .into_response();
        let headers = response.headers_mut();
        match self.kind {
            Kind::KeyMissing => {
                let challenge = HeaderValue::from_static("Bearer realm=\"rollbook\"");
                headers.insert(header::WWW_AUTHENTICATE, challenge);
            }
            Kind::KeyRefused => {
                let challenge =
                    HeaderValue::from_static("Bearer realm=\"rollbook\", error=\"invalid_token\"");
                headers.insert(header::WWW_AUTHENTICATE, challenge);
            }
            Kind::SignatureRefused => {
                let challenge = HeaderValue::from_static("Webhook-Signature realm=\"rollbook\"");
                headers.insert(header::WWW_AUTHENTICATE, challenge);
            }
            Kind::Unavailable => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
            }
            Kind::TooMany => {
                let seconds = self.members.get(RETRY_AFTER).and_then(Value::as_u64);
                headers.insert(header::RETRY_AFTER, seconds.unwrap_or(1).into());
            }
            _ => {}
        }
        response.extensions_mut().insert(self);
        response
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Problem {
        match error {
            StoreError::Missing(_) => Problem::new(Kind::NotFound, error.to_string()),
            StoreError::Exists(_) => Problem::new(Kind::Exists, error.to_string()),
            StoreError::Conflict(_) => Problem::new(Kind::ImportState, error.to_string()),
            StoreError::Closed => Problem::new(
                Kind::Unavailable,
                "Rollbook is about to stop or has lost its database; try again in a few seconds",
            ),
            other => Problem::internal(&other),
        }
    }
}

impl From<ReceiveError> for Problem {
    fn from(error: ReceiveError) -> Problem {
        match error {
            ReceiveError::Mapping(_) => Problem::new(
                Kind::Mapping,
                format!(
                    "the mapping of this source does not fit: {error}; change it on Admin Settings > Sources"
                ),
            ),
            ReceiveError::Store(error) => error.into(),
        }
    }
}

impl From<IntakeError> for Problem {
    fn from(error: IntakeError) -> Problem {
        match error {
            IntakeError::TooLarge { limit } => {
                Problem::new(Kind::TooLarge, error.to_string()).with("limit", limit)
            }
            IntakeError::Unreadable(_) => Problem::new(Kind::File, error.to_string()),
            IntakeError::Mapping(_) => Problem::new(Kind::Mapping, error.to_string()),
            IntakeError::Paused(name) => Problem::source_paused(&name),
            IntakeError::Begun(_) => Problem::new(Kind::ImportState, error.to_string()),
            IntakeError::Io(error) => Problem::internal(&error),
            IntakeError::Blob(error) => error.into(),
            IntakeError::Store(error) => error.into(),
        }
    }
}

impl From<ReplayError> for Problem {
    fn from(error: ReplayError) -> Problem {
        match error {
            ReplayError::Obstacle(obstacle) => {
                Problem::new(Kind::Replay, error.to_string()).with("reason", obstacle.key())
            }
            ReplayError::Payload(_) => Problem::new(Kind::Record, error.to_string()),
            ReplayError::TooLarge(limit) => {
                Problem::new(Kind::TooLarge, error.to_string()).with("limit", limit)
            }
            ReplayError::Nothing | ReplayError::Busy(_) => {
                Problem::new(Kind::Replay, error.to_string())
            }
            ReplayError::Paused(name) => Problem::source_paused(&name),
            ReplayError::Mapping(_) => Problem::new(
                Kind::Mapping,
                format!("the mapping does not fit: {error}; name other columns or fields"),
            ),
            ReplayError::File(error) => error.into(),
            ReplayError::Store(error) => error.into(),
        }
    }
}

impl From<ReviewError> for Problem {
    fn from(error: ReviewError) -> Problem {
        match error {
            ReviewError::Begun(_) | ReviewError::NotReady => {
                Problem::new(Kind::ImportState, error.to_string())
            }
            ReviewError::Failed(_) => Problem::new(Kind::File, error.to_string()),
            ReviewError::Missing(_) => Problem::new(Kind::NotFound, error.to_string()),
            ReviewError::Value(_) => Problem::new(Kind::Value, error.to_string()),
            ReviewError::Intake(error) => error.into(),
            ReviewError::Store(error) => error.into(),
            ReviewError::Io(error) => Problem::internal(&error),
        }
    }
}

impl From<BlobError> for Problem {
    fn from(error: BlobError) -> Problem {
        if !error.passes() {
            return Problem::new(Kind::File, error.to_string());
        }
        tracing::error!("uploaded files: {}", error.with_cause());
        Problem::new(
            Kind::Unavailable,
            "the place of uploaded files cannot be used just now; try again in a while",
        )
    }
}

impl From<Wait> for Problem {
    fn from(wait: Wait) -> Problem {
        let seconds = wait.seconds();
        Problem::new(
            Kind::TooMany,
            format!(
                "these are too many calls in a short time; go on after {seconds} seconds, as the header `Retry-After` \
                 says, or send many records with one call to …/contacts/batch"
            ),
        )
        .with(RETRY_AFTER, seconds)
    }
}

impl Problem {
    /// The source refuses deliveries for now.
    pub(crate) fn source_paused(name: &str) -> Problem {
        Problem::new(
            Kind::SourcePaused,
            format!(
                "source `{name}` is paused and takes nothing; an administrator can resume it on Admin Settings > \
                 Sources, with `rollbook source resume {name}`, or with PATCH /api/v1/sources/{name} and \
                 {{\"paused\":false}}; then send again"
            ),
        )
    }
}

/// A name that a caller gave, short enough to be repeated.
pub(crate) fn shortened(name: &str) -> String {
    const SHOWN: usize = 100;
    match name.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &name[..end]),
        None => name.to_owned(),
    }
}

/// Describes the answers of some kinds of problem.
fn described(kinds: &[Kind]) -> BTreeMap<String, RefOr<utoipa::openapi::response::Response>> {
    let mut by_status: BTreeMap<String, Vec<Kind>> = BTreeMap::new();
    for kind in kinds {
        let status = kind.status().as_str().to_owned();
        by_status.entry(status).or_default().push(*kind);
    }
    let response = |kinds: &[Kind]| {
        let titles: Vec<&str> = kinds.iter().map(|kind| kind.title()).collect();
        let example = kinds.first().map(|kind| {
            json!({
                "type": kind.type_uri(),
                "title": kind.title(),
                "status": kind.status().as_u16(),
                "detail": "what was wrong, and what to do",
                "instance": "/api/v1/…",
                "request_id": "6921f0c2-1f",
            })
        });
        let content = ContentBuilder::new()
            .schema(Some(Ref::from_schema_name("Problem")))
            .example(example)
            .build();
        let mut response = ResponseBuilder::new()
            .description(titles.join("; or: "))
            .content(PROBLEM_JSON, content);
        if kinds.contains(&Kind::KeyMissing) || kinds.contains(&Kind::SignatureRefused) {
            let challenge = utoipa::openapi::header::HeaderBuilder::new()
                .description(Some("How to come in: `Bearer`, or `Webhook-Signature`"))
                .build();
            response = response.header("WWW-Authenticate", challenge);
        }
        if kinds.contains(&Kind::TooMany) {
            let seconds = utoipa::openapi::header::HeaderBuilder::new()
                .description(Some("After how many seconds to go on"))
                .build();
            response = response.header("Retry-After", seconds);
        }
        RefOr::T(response.build())
    };
    by_status
        .iter()
        .map(|(status, kinds)| (status.clone(), response(kinds)))
        .collect()
}

/// Says which problems a group of answers stands for in the description of the API.
macro_rules! answers {
    ($($(#[$doc:meta])* $name:ident: $($kind:ident),+;)+) => {$(
        $(#[$doc])*
        pub(crate) struct $name;

        impl IntoResponses for $name {
            fn responses() -> BTreeMap<String, RefOr<utoipa::openapi::response::Response>> {
                described(&[$(Kind::$kind),+])
            }
        }
    )+};
}

answers! {
    /// What every endpoint behind a key may answer.
    Guarded: Parameter, KeyMissing, KeyRefused, Forbidden, TooMany, Internal, Unavailable;
    /// What every endpoint behind a key that also takes a body may answer.
    GuardedBody: Parameter, Body, KeyMissing, KeyRefused, Forbidden, Slow, TooLarge, MediaType, TooMany, Internal, Unavailable;
    /// What an endpoint that takes records may answer.
    GuardedRecord: Parameter, Record, KeyMissing, KeyRefused, Forbidden, Slow, TooLarge, MediaType, TooMany, Internal, Unavailable;
    /// What an endpoint behind a signature may answer.
    Signed: Parameter, Record, SignatureRefused, NotFound, Slow, TooLarge, MediaType, Mapping, TooMany, Internal, Unavailable;
    /// What an endpoint about one thing may answer.
    Named: NotFound;
    /// What an endpoint that makes or changes a thing may answer.
    Checked: Exists, Value;
    /// What an endpoint that takes values within limits may answer.
    OutOfRange: Value;
    /// What an endpoint that delivers may answer.
    Paused: SourcePaused;
    /// What an endpoint with idempotency keys may answer.
    KeyedByIdempotency: IdempotencyKeyReused;
    /// What an endpoint that maps a file may answer.
    Mapped: Mapping, File;
    /// What an endpoint that replays may answer.
    Replayable: Replay;
    /// What an endpoint that changes rows of a mapped file may answer.
    MappedOrWrong: Mapping, File, Value;
    /// What an endpoint that names a thing may answer.
    Taken: Exists;
    /// What an endpoint that moves an import on may answer.
    InState: ImportState;
    /// What an endpoint that moves a mail on may answer.
    InMailState: MailState;
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn types_are_unique_and_statuses_are_errors() {
        let mut seen = HashSet::new();
        for kind in Kind::ALL {
            assert!(seen.insert(kind.type_uri()), "{kind:?}");
            assert!(
                kind.status().is_client_error() || kind.status().is_server_error(),
                "{kind:?}"
            );
        }
    }

    #[test]
    fn a_problem_has_the_members_of_rfc_9457() {
        let problem = Problem::parameter("limit", "`limit` is `abc`; use a number from 1 to 500");
        assert_eq!(
            problem.json(Some(("/api/v1/logs", "r-1"))),
            json!({
                "type": "urn:rollbook:problem:parameter",
                "title": "A parameter cannot be understood",
                "status": 400,
                "detail": "`limit` is `abc`; use a number from 1 to 500",
                "instance": "/api/v1/logs",
                "request_id": "r-1",
                "parameter": "limit",
            })
        );
    }

    #[test]
    fn a_refused_key_comes_with_a_challenge() {
        let response = Problem::new(Kind::KeyRefused, "no").into_response();
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
        assert!(response.headers().contains_key(header::WWW_AUTHENTICATE));
    }
}
