//! What another system's webhook delivers: `POST /sources/{source}/events`.
//!
//! No key comes with it: the signature says who sends. It is checked on the bytes as they came, before anything reads
//! them; nothing of a delivery that is refused is kept. A sender is not told which check failed, our own log is.

use std::borrow::Cow;

use axum::Json;
use axum::extract::{OriginalUri, Path, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use rollbook_engine::attempt::{Action, ImportResult};
use rollbook_engine::issue::Problem as RecordProblem;
use rollbook_sources::event::{Event, events};
use rollbook_store::WorkspaceId;
use rollbook_store::commit::{Delivered, Idempotency};
use rollbook_store::log::Attempt;
use rollbook_store::sources::Source;
use rollbook_store::webhooks::{Knock, Webhook};
use serde::Serialize;
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use crate::http::api::Api;
use crate::http::api::body::{self, Read};
use crate::http::api::params::Params;
use crate::http::api::records::{IDEMPOTENCY_REPLAYED, RecordSchema, incoming, key_reused};
use crate::http::client;
use crate::http::error::{KeyedByIdempotency, Kind, Paused, Problem, Signed, shortened};
use crate::imports::receive::{Incoming, Told, receive};
use crate::webhook::{self, CheckError};
use crate::wire::{ActionSchema, ResultSchema};

/// How many contacts one delivery may hold.
const MAX_EVENTS: usize = 1_000;

/// How many of them are committed together.
const GROUP: usize = 500;

/// The longest id of a message that is kept as it is.
const MAX_ID: usize = 200;

/// What came of a delivery.
#[derive(Debug, Default, Serialize, ToSchema)]
#[schema(as = Received)]
pub(crate) struct ReceivedJson {
    /// How many contacts and events it held.
    #[schema(example = 1)]
    records: usize,
    /// Contacts that were created.
    #[schema(example = 1)]
    created: usize,
    /// Contacts that were found and updated, possibly without changes.
    #[schema(example = 0)]
    updated: usize,
    /// Records of which nothing was written; the log says why.
    #[schema(example = 0)]
    failed: usize,
    /// One attempt a record, in order.
    attempts: Vec<ReceivedAttemptJson>,
}

/// What came of one of its records.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ReceivedAttempt)]
pub(crate) struct ReceivedAttemptJson {
    /// The attempt's id.
    #[schema(example = "019aad5e-5b60-7001-8000-000000000001")]
    id: String,
    /// What came of it.
    #[schema(value_type = ResultSchema)]
    result: ImportResult,
    /// What was done; null if nothing was.
    #[schema(value_type = Option<ActionSchema>)]
    action: Option<Action>,
    /// The codes of its issues.
    #[schema(example = json!([]))]
    issues: Vec<String>,
}

/// Deliver a signed webhook
///
/// For senders that sign what they send: set the signature up on the source's page, with `rollbook webhook set-up` or
/// with `PUT /sources/{source}/webhook`. The body is a contact, an array of contacts, an event of Standard Webhooks
/// (`{"type","timestamp","data"}`), or `CloudEvents` (structured, batch or binary). Events whose type ends in `created`,
/// `updated`, `upserted` or `changed` are imported like records that are posted; others are written down in the log
/// with `event.unsupported`, those without contact data with `event.no_contact_data`.
///
/// Once everything is on disk the answer is 200, whatever came of the contacts: sending again would change nothing. A
/// message that is repeated (the same `webhook-id`; of `CloudEvents` the same `source` and `id`) is answered with the
/// first outcome and `Idempotency-Replayed: true`.
///
/// Every signature that is wrong, missing, too old or from the future is answered alike with 401. A source without
/// signed webhooks is answered with 404, like one that does not exist.
#[utoipa::path(
    post,
    path = "/sources/{source}/events",
    operation_id = "receiveWebhook",
    tag = "Records",
    security(()),
    params(
        ("source" = String, Path, description = "The name of the source", example = "crm"),
        ("workspace" = Option<u32>, Query, description = "The number of the workspace, as the source's page shows it in the address; the first one if left out", example = 1),
        ("webhook-id" = Option<String>, Header, description = "Standard Webhooks: the message's id; `svix-id` is the same", example = "msg_2KWPBgLlAfxdpx2AI54pPJ85f4W"),
        ("webhook-timestamp" = Option<String>, Header, description = "Standard Webhooks: when it was signed, in seconds since 1970", example = "1795342500"),
        ("webhook-signature" = Option<String>, Header, description = "Standard Webhooks: signatures with blanks between them", example = "v1,YcrmGelBcKEVJtvrwScwaFw5JDLSEklcDtRHTTHZI6s="),
    ),
    request_body(
        content = RecordSchema,
        description = "Contacts, or events with contacts in their `data`",
        content_type = "application/json",
    ),
    responses(
        (status = 200, description = "Everything is in the log", body = ReceivedJson, headers(
            ("Idempotency-Replayed" = String, description = "`true` if this outcome was answered before"),
        )),
        Signed, Paused, KeyedByIdempotency,
    ),
)]
pub(crate) async fn deliver(
    State(api): State<Api>,
    Path(name): Path<String>,
    OriginalUri(uri): OriginalUri,
    request: Request,
) -> Result<Response, Problem> {
    let ip = client::ip(request.extensions());
    api.app.door.call(ip)?;
    let (source, webhook) = find(&api, &name, &uri).await?;
    let (parts, body) = request.into_parts();
    let limit = api.app.config.max_record_bytes;
    // Of a body that is cut nobody knows who sent it, so nothing of it is kept.
    let Read::Whole(body) = body::read(body, limit).await? else {
        return Err(Problem::too_large(
            limit,
            "max_record_bytes",
            "send fewer contacts at a time",
        ));
    };
    let path = uri.path_and_query().map_or("", |path| path.as_str());
    let checked = webhook::check(&api.app, &webhook, "POST", path, &parts.headers, &body);
    let id = match checked {
        Ok(id) => id,
        Err(CheckError::Refused(refusal)) => {
            let forged = api.app.door.forgery(ip);
            let outcome = if forged.is_ok() {
                refusal.key()
            } else {
                "limited"
            };
            api.app.metrics.webhook(outcome);
            forged?;
            tracing::warn!(
                source = name,
                workspace = webhook.workspace.0,
                reason = refusal.key(),
                "a webhook's delivery was refused"
            );
            webhook::touch(&api.app, &webhook, Knock::Refused(refusal.key()));
            return Err(refused());
        }
        Err(error) => return Err(Problem::internal(&error)),
    };
    if let Err(wait) = api.app.door.webhook(webhook.workspace, webhook.source) {
        api.app.metrics.webhook("limited");
        return Err(wait.into());
    }
    api.app.metrics.webhook("accepted");
    webhook::touch(&api.app, &webhook, Knock::Accepted);
    body::media_type(&parts.headers)?;
    let records = records(
        body,
        id.as_deref(),
        cloud_event(&parts.headers).as_deref(),
        limit,
    )?;
    take_in(&api, &source, records).await
}

/// Ask whether a webhook may be sent
///
/// `CloudEvents`' protection against abuse: a sender asks with `WebHook-Request-Origin` before it sends anything, and is
/// answered with `WebHook-Allowed-Origin` where signed webhooks are set up. See
/// <https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/http-webhook.md>.
#[utoipa::path(
    options,
    path = "/sources/{source}/events",
    operation_id = "askForWebhook",
    tag = "Records",
    security(()),
    params(
        ("source" = String, Path, description = "The name of the source", example = "crm"),
        ("workspace" = Option<u32>, Query, description = "The number of the workspace; the first one if left out", example = 1),
        ("WebHook-Request-Origin" = Option<String>, Header, description = "Who wants to send", example = "crm.example.com"),
    ),
    responses(
        (status = 200, description = "It may be sent", headers(
            ("Allow" = String, description = "The methods of the address"),
            ("WebHook-Allowed-Origin" = String, description = "Who may send: whoever asked"),
            ("WebHook-Allowed-Rate" = String, description = "How many deliveries a minute; `*` for any"),
        )),
        Signed,
    ),
)]
pub(crate) async fn ask(
    State(api): State<Api>,
    Path(name): Path<String>,
    OriginalUri(uri): OriginalUri,
    request: Request,
) -> Result<Response, Problem> {
    const ORIGIN: HeaderName = HeaderName::from_static("webhook-request-origin");
    const ALLOWED: HeaderName = HeaderName::from_static("webhook-allowed-origin");
    const RATE: HeaderName = HeaderName::from_static("webhook-allowed-rate");
    api.app.door.call(client::ip(request.extensions()))?;
    find(&api, &name, &uri).await?;
    let mut response = StatusCode::OK.into_response();
    let headers = response.headers_mut();
    headers.insert(header::ALLOW, HeaderValue::from_static("OPTIONS, POST"));
    if let Some(origin) = request.headers().get(ORIGIN) {
        headers.insert(ALLOWED, origin.clone());
        let rate = api.app.door.webhooks_per_minute();
        let rate = rate.map_or(HeaderValue::from_static("*"), HeaderValue::from);
        headers.insert(RATE, rate);
    }
    Ok(response)
}

/// The source that an address means, and its webhook. Whether one of them or both are missing is not told.
async fn find(api: &Api, name: &str, uri: &axum::http::Uri) -> Result<(Source, Webhook), Problem> {
    let workspace = Params::of(uri)?.parsed("workspace", |text| {
        let number = text.trim().parse().map(WorkspaceId);
        number.map_err(|_| "use the number that the source's page shows".to_owned())
    })?;
    let workspace = workspace.unwrap_or(webhook::FIRST);
    let store = &api.app.store;
    if let Some(source) = store.source(workspace, name).await?
        && let Some(webhook) = store.webhook(workspace, source.id).await?
    {
        return Ok((source, webhook));
    }
    Err(Problem::new(
        Kind::NotFound,
        format!(
            "`{}` takes no signed webhooks here; an administrator sets them up on the source's page, which shows the \
             address to send to",
            shortened(name)
        ),
    ))
}

/// What a sender is told whose signature is not right, whatever is wrong with it.
fn refused() -> Problem {
    Problem::new(
        Kind::SignatureRefused,
        "the delivery is not signed as this source expects, so nothing of it was kept; its administrator finds the reason \
         in Rollbook's own log",
    )
}

/// The type of an event in `CloudEvents`' binary mode. Its headers are percent-encoded.
fn cloud_event(headers: &HeaderMap) -> Option<String> {
    headers.get("ce-specversion")?;
    let kind = headers.get("ce-type")?.to_str().ok()?;
    Some(percent_decoded(kind))
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(byte) = rest.as_bytes().first() {
        let digits = rest.get(1..3).filter(|_| *byte == b'%');
        if let Some(escaped) = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            bytes.push(escaped);
            rest = &rest[3..];
        } else {
            // Headers are ASCII, or we would not have their text.
            bytes.push(*byte);
            rest = &rest[1..];
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The records of a delivery on their way; an error if they are too many. A body that is no JSON is one record that
/// cannot be read, and marked as such.
fn records(
    body: Vec<u8>,
    id: Option<&str>,
    kind: Option<&str>,
    limit: usize,
) -> Result<Records, Problem> {
    let found = match events(&body, kind, limit) {
        Ok(found) => found,
        Err(error) => {
            let reason = error.to_string();
            let key = id.map(|id| key_of(id, None));
            let record = Incoming {
                problem: Some(RecordProblem::RecordUnreadable { reason }),
                ..incoming(body, key, limit)
            };
            return Ok(Records {
                all: vec![record],
                readable: false,
            });
        }
    };
    if found.len() > MAX_EVENTS {
        return Err(Problem::new(
            Kind::TooLarge,
            format!(
                "the delivery holds {} contacts; send at most {MAX_EVENTS} at a time",
                found.len()
            ),
        ));
    }
    let several = found.len() > 1;
    let record = |(place, event): (usize, Event<'_>)| {
        // Of several, each is known by its place in the message; CloudEvents without a message by their own ids.
        let key = match (id, &event.id) {
            (Some(id), _) => Some(key_of(id, several.then_some(place))),
            (None, Some(id)) => Some(key_of(id, None)),
            (None, None) => None,
        };
        record(event, key)
    };
    Ok(Records {
        all: found.into_iter().enumerate().map(record).collect(),
        readable: true,
    })
}

/// The records of a delivery.
struct Records {
    all: Vec<Incoming>,
    /// Whether the body is JSON.
    readable: bool,
}

/// What is sent of an event: the contact alone, so that it is mapped like one that is posted; of what is not written,
/// the whole event.
fn record(event: Event<'_>, key: Option<String>) -> Incoming {
    let idempotency = key.map(|key| Idempotency {
        key,
        body_hash: Sha256::digest(event.raw.as_bytes()).into(),
    });
    let (sent, problem, refused) = match (event.problem, event.contact) {
        (None, contact) => (contact.unwrap_or(event.raw), None, None),
        (
            Some(
                problem @ (RecordProblem::EventUnsupported { .. }
                | RecordProblem::EventWithoutContact),
            ),
            contact,
        ) => (
            event.raw,
            None,
            Some((problem, contact.map(Cow::into_owned))),
        ),
        (Some(problem), _) => (event.raw, Some(problem), None),
    };
    Incoming {
        body: sent.into_owned().into_bytes(),
        content_type: "application/json".to_owned(),
        idempotency,
        problem,
        event: Some(Told {
            kind: event.kind,
            refused,
        }),
    }
}

/// The key of a record: keys of webhooks are never those that a key's holder sends.
fn key_of(id: &str, place: Option<usize>) -> String {
    let plain = id.len() <= MAX_ID
        && id
            .bytes()
            .all(|byte| byte.is_ascii_graphic() || byte == b' ');
    let id = if plain {
        id.to_owned()
    } else {
        let digest = Sha256::digest(id.as_bytes());
        digest
            .iter()
            .fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
    };
    match place {
        Some(place) => format!("webhook:{id}#{place}"),
        None => format!("webhook:{id}"),
    }
}

/// Commits the records of a delivery, and says what came of them.
async fn take_in(api: &Api, source: &Source, records: Records) -> Result<Response, Problem> {
    let mut json = ReceivedJson::default();
    let (mut repeated, mut reused, mut problem) = (0, 0, None);
    let mut all = records.all.into_iter().peekable();
    while all.peek().is_some() {
        let group: Vec<Incoming> = all.by_ref().take(GROUP).collect();
        for delivered in receive(&api.app, source, group).await? {
            let attempt = match delivered {
                Delivered::Committed(attempt) => attempt,
                Delivered::Repeated(attempt) => {
                    repeated += 1;
                    attempt
                }
                Delivered::KeyReused => {
                    reused += 1;
                    continue;
                }
            };
            problem = problem.or_else(|| refusal(source, &attempt, records.readable));
            json.add(attempt);
        }
    }
    if reused > 0 {
        tracing::warn!(
            source = source.settings.name,
            records = reused,
            "a webhook's message came with another body before"
        );
        return Err(key_reused());
    }
    let replayed = repeated > 0 && repeated == json.records;
    let mut response = match problem {
        Some(problem) => problem.into_response(),
        None => Json(json).into_response(),
    };
    if replayed {
        let headers = response.headers_mut();
        headers.insert(IDEMPOTENCY_REPLAYED, HeaderValue::from_static("true"));
    }
    Ok(response)
}

impl ReceivedJson {
    fn add(&mut self, attempt: Attempt) {
        self.records += 1;
        match attempt.action {
            None => self.failed += 1,
            Some(Action::Created) => self.created += 1,
            Some(Action::Updated | Action::Removed) => self.updated += 1,
        }
        self.attempts.push(ReceivedAttemptJson {
            id: attempt.id.to_string(),
            result: attempt.result,
            action: attempt.action,
            issues: attempt
                .issues
                .into_iter()
                .map(|issue| issue.code.into_owned())
                .collect(),
        });
    }
}

/// The problem of a delivery that was refused as a whole; it stands in the log, too.
fn refusal(source: &Source, attempt: &Attempt, readable: bool) -> Option<Problem> {
    let issue = attempt.issues.iter().find(|issue| issue.field.is_none())?;
    let problem = match issue.code.as_ref() {
        "source.paused" => Problem::source_paused(&source.settings.name),
        "record.unreadable" if !readable => Problem::new(
            Kind::Record,
            format!(
                "{} Send one contact or event as a JSON object in UTF-8, or several in an array",
                issue.message
            ),
        ),
        _ => return None,
    };
    Some(problem.with("attempt_id", attempt.id.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(body: &str, id: Option<&str>) -> Vec<Option<String>> {
        let records = records(body.as_bytes().to_vec(), id, None, 100_000).unwrap();
        let all = records.all.into_iter();
        all.map(|record| record.idempotency.map(|idempotency| idempotency.key))
            .collect()
    }

    #[test]
    fn messages_are_known_by_their_signed_ids() {
        let one = r#"{"name":"Ann"}"#;
        let several = r#"[{"name":"Ann"},{"name":"Bo"}]"#;
        let cloud = r#"{"specversion":"1.0","type":"x.created","source":"/crm","id":"7","data":{"name":"Ann"}}"#;
        let key = |key: &str| Some(key.to_owned());
        assert_eq!(keys(one, None), [None]);
        assert_eq!(keys(one, Some("msg_1")), [key("webhook:msg_1")]);
        assert_eq!(
            keys(several, Some("msg_1")),
            [key("webhook:msg_1#0"), key("webhook:msg_1#1")]
        );
        assert_eq!(keys(cloud, None), [key("webhook:/crm 7")]);
        assert_eq!(keys(cloud, Some("msg_1")), [key("webhook:msg_1")]);
        assert_eq!(keys("no JSON", Some("msg_1")), [key("webhook:msg_1")]);
        let long = keys(one, Some(&"ä".repeat(150))).pop().flatten().unwrap();
        assert_eq!(long.len(), "webhook:".len() + 64);
    }

    #[test]
    fn a_delivery_holds_a_thousand_contacts_at_most() {
        let body = |count: usize| format!("[{}]", vec![r#"{"a":1}"#; count].join(","));
        assert_eq!(keys(&body(MAX_EVENTS), None).len(), MAX_EVENTS);
        let refused = records(body(MAX_EVENTS + 1).into_bytes(), None, None, 100_000);
        assert_eq!(refused.err().unwrap().kind(), Kind::TooLarge);
    }

    #[test]
    fn types_in_headers_are_percent_encoded() {
        let mut headers = HeaderMap::new();
        let value = HeaderValue::from_static("com.example%2Econtact%zz.updated%");
        headers.insert("ce-type", value);
        assert_eq!(cloud_event(&headers), None);
        headers.insert("ce-specversion", HeaderValue::from_static("1.0"));
        assert_eq!(
            cloud_event(&headers).as_deref(),
            Some("com.example.contact%zz.updated%")
        );
    }
}
