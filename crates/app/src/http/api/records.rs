//! One record from another system: `POST /sources/{source}/contacts`.

use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use rollbook_engine::attempt::{Action, ImportResult};
use rollbook_engine::issue::Problem as RecordProblem;
use rollbook_sources::csv::CUT_MARK;
use rollbook_store::commit::{Delivered, Idempotency};
use rollbook_store::log::Attempt;
use rollbook_store::sources::Source;
use sha2::{Digest, Sha256};
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, OneOfBuilder, SchemaType, Type};
use utoipa::openapi::{RefOr, schema::Schema as OpenApiSchema};
use utoipa::{PartialSchema, ToSchema};

use crate::http::api::Api;
use crate::http::api::body::{self, Read};
use crate::http::auth::Caller;
use crate::http::error::{
    GuardedRecord, KeyedByIdempotency, Kind, Named, Paused, Problem, shortened,
};
use crate::imports::receive::{Incoming, receive};
use crate::wire::AttemptJson;

/// Tells an answer that was given before.
pub(crate) const IDEMPOTENCY_REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// The longest idempotency key.
const MAX_KEY: usize = 255;

/// How much of a record that is too large is kept.
const KEPT: usize = 64 << 10;

/// Deliver one record
///
/// The answer is the final outcome, on disk: 201 when a contact was created, 200 when one was found and updated
/// (possibly without changes), 422 when nothing was written. In each case the body is the attempt, as it stands in the
/// log. A body that is no JSON object is answered with 400, one that is too large with 413; both leave a failure in the
/// log, whose id is in `attempt_id`.
///
/// With `Idempotency-Key` the same request can be sent again until it is answered: the first outcome is answered again
/// with `Idempotency-Replayed: true`, and no second attempt is made. The same key with another body is answered with
/// 409.
///
/// A paused source is answered with 423 and the record stands in the log as a failure; pausing and resuming take effect
/// within a second.
#[utoipa::path(
    post,
    path = "/sources/{source}/contacts",
    operation_id = "deliverRecord",
    tag = "Records",
    params(
        ("source" = String, Path, description = "The name of the source", example = "front-desk"),
        ("Idempotency-Key" = Option<String>, Header, description = "Marks repeated deliveries of one record: 1 to 255 visible ASCII characters, unique within the source", example = "guest-1001-v7"),
    ),
    request_body(
        content = RecordSchema,
        description = "The record: an object with the fields' keys, or with the paths that the source's mapping names",
        content_type = "application/json",
    ),
    responses(
        (status = 201, description = "A contact was created", body = AttemptJson, headers(
            ("Location" = String, description = "The contact"),
            ("Idempotency-Replayed" = String, description = "`true` if this outcome was answered before"),
        )),
        (status = 200, description = "A contact was found and updated", body = AttemptJson, headers(
            ("Idempotency-Replayed" = String, description = "`true` if this outcome was answered before"),
        )),
        (status = 422, description = "Nothing was written; the issues say why", body = AttemptJson, headers(
            ("Idempotency-Replayed" = String, description = "`true` if this outcome was answered before"),
        )),
        GuardedRecord, Named, Paused, KeyedByIdempotency,
    ),
)]
pub(crate) async fn deliver(
    State(api): State<Api>,
    caller: Caller,
    Path(name): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    let source = api.source(&caller, &name).await?;
    let (parts, body) = request.into_parts();
    match body::media_type(&parts.headers)?.as_deref() {
        Some(media_type) if body::is_json(media_type) => {}
        Some(other) if super::batch::is_lines(other) => {
            return Err(Problem::new(
                Kind::MediaType,
                format!(
                    "`{other}` holds several records; send it to /api/v1/sources/{name}/contacts/batch"
                ),
            ));
        }
        other => {
            return Err(body::wrong_media_type(
                other,
                "`Content-Type: application/json`",
            ));
        }
    }
    let key = idempotency_key(&parts.headers)?;
    let limit = api.app.config.max_record_bytes;
    // Of a record that is too large the beginning is delivered, so that the log has it.
    let (Read::Whole(body) | Read::TooLarge(body)) = body::read(body, limit).await?;
    let record = incoming(body, key, limit);
    let mut delivered = receive(&api.app, &source, vec![record]).await?;
    match delivered.pop() {
        Some(delivered) => answer(&api, &source, delivered),
        None => Err(Problem::internal(&"a delivery came to nothing")),
    }
}

/// The sender's mark of repeated deliveries.
pub(crate) fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    const NAME: &str = "Idempotency-Key";
    let mut values = headers.get_all("idempotency-key").iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        let twice = "the header `Idempotency-Key` comes twice; send it once";
        return Err(Problem::parameter(NAME, twice));
    }
    let key = value.to_str().map(str::trim).unwrap_or_default();
    if key.is_empty()
        || key.len() > MAX_KEY
        || !key
            .bytes()
            .all(|byte| byte.is_ascii_graphic() || byte == b' ')
    {
        return Err(Problem::parameter(
            NAME,
            format!(
                "the header `Idempotency-Key` is `{}`; use 1 to {MAX_KEY} visible ASCII characters, for example a UUID",
                shortened(&String::from_utf8_lossy(value.as_bytes()))
            ),
        ));
    }
    Ok(Some(key.to_owned()))
}

/// A record as it came, with its key. Of one that is longer than `limit` the beginning is kept.
pub(crate) fn incoming(mut body: Vec<u8>, key: Option<String>, limit: usize) -> Incoming {
    let idempotency = key.map(|key| Idempotency {
        key,
        body_hash: Sha256::digest(&body).into(),
    });
    let problem = if body.len() > limit {
        cut(&mut body);
        Some(RecordProblem::RecordTooLarge { limit })
    } else if body
        .trim_ascii_start()
        .first()
        .is_none_or(|byte| *byte != b'{')
    {
        // What is no JSON at all is told by the reader; this is what is JSON, but no contact.
        let reason = "it is not a JSON object".to_owned();
        Some(RecordProblem::RecordUnreadable { reason })
    } else {
        None
    };
    Incoming {
        body,
        content_type: "application/json".to_owned(),
        idempotency,
        problem,
        event: None,
    }
}

/// Keeps the beginning of a body, and says so.
fn cut(body: &mut Vec<u8>) {
    let mut end = body.len().min(KEPT);
    while end > 0
        && body
            .get(end)
            .is_some_and(|byte| byte & 0b1100_0000 == 0b1000_0000)
    {
        end -= 1; // Not in the middle of a character.
    }
    body.truncate(end);
    body.extend_from_slice(CUT_MARK.as_bytes());
}

/// The answer to one record.
fn answer(api: &Api, source: &Source, delivered: Delivered) -> Result<Response, Problem> {
    let (attempt, replayed) = match delivered {
        Delivered::Committed(attempt) => (attempt, false),
        Delivered::Repeated(attempt) => (attempt, true),
        Delivered::KeyReused => return Err(key_reused()),
    };
    let location = match (attempt.action, attempt.contact) {
        (Some(Action::Created), Some(id)) => Some(format!("/api/v1/contacts/{id}")),
        _ => None,
    };
    let mut response = if let Some(problem) = refused_body(api, source, &attempt) {
        problem.into_response()
    } else {
        let status = status(&attempt);
        let json = AttemptJson::from_source(attempt, source.settings.name.clone());
        (status, axum::Json(json)).into_response()
    };
    let headers = response.headers_mut();
    if let Some(location) = location.and_then(|path| HeaderValue::try_from(path).ok()) {
        headers.insert(header::LOCATION, location);
    }
    if replayed {
        headers.insert(IDEMPOTENCY_REPLAYED, HeaderValue::from_static("true"));
    }
    Ok(response)
}

/// The status that tells an outcome.
pub(crate) fn status(attempt: &Attempt) -> StatusCode {
    match (attempt.result, attempt.action) {
        (ImportResult::Failure, _) | (_, None) => StatusCode::UNPROCESSABLE_ENTITY,
        (ImportResult::Success | ImportResult::Warning, Some(Action::Created)) => {
            StatusCode::CREATED
        }
        (
            ImportResult::Success | ImportResult::Warning,
            Some(Action::Updated | Action::Removed),
        ) => StatusCode::OK,
    }
}

/// The problem of a body that was no record; it stands in the log, too.
fn refused_body(api: &Api, source: &Source, attempt: &Attempt) -> Option<Problem> {
    let issue = attempt.issues.iter().find(|issue| issue.field.is_none())?;
    let problem = match issue.code.as_ref() {
        "record.unreadable" => Problem::new(
            Kind::Record,
            format!(
                "{} Send one JSON object in UTF-8; several records go to …/contacts/batch",
                issue.message
            ),
        ),
        "source.paused" => Problem::source_paused(&source.settings.name),
        "record.too_large" => Problem::too_large(
            api.app.config.max_record_bytes,
            "max_record_bytes",
            "send less of the contact",
        ),
        _ => return None,
    };
    Some(problem.with("attempt_id", attempt.id.to_string()))
}

/// The problem of an idempotency key that came with another body before.
pub(crate) fn key_reused() -> Problem {
    Problem::new(
        Kind::IdempotencyKeyReused,
        "this idempotency key came with another body before, so nothing was written; use a new key for a new body",
    )
}

/// A record as other systems send it.
pub(crate) struct RecordSchema;

impl ToSchema for RecordSchema {
    fn name() -> std::borrow::Cow<'static, str> {
        "Record".into()
    }
}

impl PartialSchema for RecordSchema {
    fn schema() -> RefOr<OpenApiSchema> {
        let text = |kinds: &[Type]| {
            ObjectBuilder::new().schema_type(kinds.iter().cloned().collect::<SchemaType>())
        };
        let mut record = ObjectBuilder::new()
            .description(Some(
                "A contact. Without a mapping of the source's own, these keys are understood, custom fields by their \
                 keys, and the names that other systems commonly use (`firstName`, `mobile`, `address.city` …). \
                 `null` clears a field; what is missing stays as it is.",
            ))
            .examples([serde_json::json!({
                "external_id": "G-1001",
                "first_name": "Anna",
                "last_name": "Weber",
                "phone": "030 123456",
                "email": "anna.weber@example.com",
                "city": "Berlin",
            })]);
        for field in rollbook_engine::schema::Schema::built_in().fields() {
            let one = text(&[Type::String, Type::Number, Type::Boolean, Type::Null]);
            let schema: RefOr<OpenApiSchema> = if field.kind.is_list() {
                let list = ArrayBuilder::new().items(text(&[Type::String, Type::Number]));
                OneOfBuilder::new()
                    .description(Some(field.label.clone()))
                    .item(one)
                    .item(list)
                    .into()
            } else {
                one.description(Some(field.label.clone())).into()
            };
            record = record.property(field.key.clone(), schema);
        }
        record.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_object_or_too_large_is_known_before_it_is_read() {
        let problem = |body: &str| {
            let record = incoming(body.as_bytes().to_vec(), None, 70_000);
            record.problem.map(|problem| problem.code())
        };
        assert_eq!(problem(" {\"a\":1}"), None);
        assert_eq!(problem("{"), None);
        assert_eq!(problem("[{}]"), Some("record.unreadable"));
        assert_eq!(problem(""), Some("record.unreadable"));
        let long = format!("{{\"a\":\"{}\"}}", "ä".repeat(40_000));
        assert_eq!(problem(&long), Some("record.too_large"));
        let kept = String::from_utf8(incoming(long.into_bytes(), None, 70_000).body).unwrap();
        assert!(kept.ends_with(CUT_MARK) && kept.len() <= KEPT + CUT_MARK.len());
    }

    #[test]
    fn idempotency_keys_are_visible_ascii() {
        let key = |value: &[u8]| {
            let mut headers = HeaderMap::new();
            headers.insert("idempotency-key", HeaderValue::from_bytes(value).unwrap());
            idempotency_key(&headers)
        };
        assert_eq!(key(b"a-1").unwrap().as_deref(), Some("a-1"));
        assert_eq!(key(b" a 1 ").unwrap().as_deref(), Some("a 1"));
        assert!(key(b"").is_err());
        assert!(key("ä".as_bytes()).is_err());
        assert!(key(&[b'x'; 256]).is_err());
        assert_eq!(idempotency_key(&HeaderMap::new()).unwrap(), None);
    }
}
