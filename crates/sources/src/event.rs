//! What a webhook delivers: events around contacts, or contacts as they are.
//!
//! A body is one JSON object or an array of them, and each object says by its members what it is:
//!
//! | object | contact in | type in |
//! |---|---|---|
//! | [`CloudEvents` 1.0](https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md), with `specversion` | `data` or `data_base64` | `type` |
//! | [Standard Webhooks](https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md), with `type` and `data` | `data` | `type` |
//! | flat, with a `type` that has a dot, or beside a `timestamp` | itself | `type` |
//! | `HubSpot`'s subscriptions, with `subscriptionType` and `objectId` | nowhere | `subscriptionType` |
//! | any other | itself | nowhere |
//!
//! In `CloudEvents`' [binary mode](https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md)
//! the type stands in a header, and the body is the contact. `data` may be an array, too.

use std::borrow::Cow;
use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rollbook_engine::issue::Problem;
use serde_json::value::RawValue;

use crate::json::{self, JsonError, JsonForm, JsonRecord};

/// The last words of types that tell how a contact is now.
const UPSERTS: [&str; 4] = ["created", "updated", "upserted", "changed"];

/// The last words of types that name what the event is about, and not what happened.
const THINGS: [&str; 14] = [
    "contact",
    "contacts",
    "person",
    "people",
    "guest",
    "guests",
    "customer",
    "customers",
    "patient",
    "patients",
    "profile",
    "profiles",
    "member",
    "members",
];

/// One thing that a delivery tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event<'a> {
    /// The event's type.
    pub kind: Option<String>,
    /// What tells it from all others of its source, where the signed body says so: `CloudEvents`' `source` and `id`.
    pub id: Option<String>,
    /// Its own text, as it was sent.
    pub raw: Cow<'a, str>,
    /// The contact's own text, if there is one.
    pub contact: Option<Cow<'a, str>>,
    /// Why the contact is not to be written.
    pub problem: Option<Problem>,
}

/// What a delivery tells, in its order. `kind` is the type that its headers say, where they do. An error if the body as
/// a whole cannot be read.
pub fn events<'a>(
    body: &'a [u8],
    kind: Option<&str>,
    max_record: usize,
) -> Result<Vec<Event<'a>>, JsonError> {
    let mut events = Vec::new();
    for record in json::records(body, JsonForm::Document, max_record) {
        let record = record?;
        match kind {
            Some(kind) if record.problem.is_none() => {
                let raw = record.raw;
                events.push(judged(Some(kind.to_owned()), None, raw.clone(), Some(raw)));
            }
            _ => read(record, &mut events),
        }
    }
    Ok(events)
}

/// Whether a type says how a contact is now: its last word is `created`, `updated`, `upserted` or `changed`, or names
/// the contact and no event at all.
fn is_upsert(kind: &str) -> bool {
    let last = kind
        .rsplit(['.', '_', '-', '/', ':'])
        .next()
        .unwrap_or(kind);
    let last = last.trim().to_ascii_lowercase();
    UPSERTS.contains(&&*last) || THINGS.contains(&&*last)
}

/// Adds what one object tells.
fn read<'a>(record: JsonRecord<'a>, events: &mut Vec<Event<'a>>) {
    let JsonRecord { raw, problem, .. } = record;
    let event = |contact, problem| Event {
        kind: None,
        id: None,
        raw: raw.clone(),
        contact,
        problem,
    };
    if problem.is_some() {
        return events.push(event(None, problem));
    }
    // What was looked through as a record is borrowed from the body.
    let Cow::Borrowed(text) = raw else {
        return events.push(event(Some(raw.clone()), None));
    };
    let members: HashMap<Cow<'_, str>, &RawValue> = serde_json::from_str(text).unwrap_or_default();
    let member = |name: &str| {
        let text = members.get(name)?.get();
        serde_json::from_str::<String>(text).ok()
    };
    let (kind, id) = if member("specversion").is_some() {
        let id = member("source").zip(member("id"));
        (
            member("type"),
            id.map(|(source, id)| format!("{source} {id}")),
        )
    } else if members.contains_key("objectId") && members.contains_key("subscriptionType") {
        let kind = member("subscriptionType");
        return events.push(Event {
            kind,
            ..event(None, Some(Problem::EventWithoutContact))
        });
    } else {
        let has = |name| members.contains_key(name);
        match member("type") {
            Some(kind) if has("data") => (Some(kind), None),
            // A flat event. A contact may have a type of its own, such as `guest` or `walk-in`.
            Some(kind) if has("timestamp") || kind.contains('.') => {
                return events.push(judged(Some(kind), None, raw.clone(), Some(raw)));
            }
            _ => return events.push(judged(None, None, raw.clone(), Some(raw))),
        }
    };
    let contacts = contacts(&members);
    let several = contacts.len() > 1;
    for (place, contact) in contacts.into_iter().enumerate() {
        let id = id.as_ref().map(|id| {
            if several {
                format!("{id}#{place}")
            } else {
                id.clone()
            }
        });
        events.push(judged(kind.clone(), id, raw.clone(), contact));
    }
}

/// The contacts of an event; one that is none where there are none.
fn contacts<'a>(members: &HashMap<Cow<'a, str>, &'a RawValue>) -> Vec<Option<Cow<'a, str>>> {
    let data = match (members.get("data"), members.get("data_base64")) {
        (Some(data), _) => data.get(),
        (None, Some(encoded)) => return vec![decoded(encoded.get())],
        (None, None) => return vec![None],
    };
    match data.as_bytes().first() {
        Some(b'{') => vec![Some(Cow::Borrowed(data))],
        Some(b'[') => {
            let items: Vec<&RawValue> = serde_json::from_str(data).unwrap_or_default();
            let contact = |item: &&'a RawValue| {
                item.get()
                    .starts_with('{')
                    .then(|| Cow::Borrowed(item.get()))
            };
            let contacts: Vec<_> = items.iter().map(contact).collect();
            if contacts.is_empty() {
                vec![None]
            } else {
                contacts
            }
        }
        _ => vec![None],
    }
}

/// The JSON object that stands in base64.
fn decoded<'a>(encoded: &str) -> Option<Cow<'a, str>> {
    let encoded: String = serde_json::from_str(encoded).ok()?;
    let text = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
    let is_object =
        text.trim_ascii_start().starts_with('{') && json::check(text.as_bytes()).is_ok();
    is_object.then_some(Cow::Owned(text))
}

/// An event, and what is wrong with it.
fn judged<'a>(
    kind: Option<String>,
    id: Option<String>,
    raw: Cow<'a, str>,
    contact: Option<Cow<'a, str>>,
) -> Event<'a> {
    let problem = match &kind {
        Some(kind) if !is_upsert(kind) => Some(Problem::EventUnsupported { kind: kind.clone() }),
        _ if contact.as_deref().is_none_or(is_thin) => Some(Problem::EventWithoutContact),
        _ => None,
    };
    Event {
        kind,
        id,
        raw,
        contact,
        problem,
    }
}

/// Whether an object says nothing but which contact is meant.
fn is_thin(contact: &str) -> bool {
    let members: Result<HashMap<Cow<'_, str>, &RawValue>, _> = serde_json::from_str(contact);
    let names_it = |name: &str| {
        ["type", "timestamp"].contains(&name)
            || name.eq_ignore_ascii_case("id")
            || ["_id", "Id", "ID"].iter().any(|end| name.ends_with(end))
    };
    // What cannot be read is told by whoever reads it.
    members.is_ok_and(|members| members.keys().all(|name| names_it(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a body tells, one line an event: its type, its id, its contact, and the problem's code.
    fn told(body: &str, kind: Option<&str>) -> Vec<String> {
        let events = events(body.as_bytes(), kind, 10_000).unwrap();
        let line = |event: Event<'_>| {
            [
                event.kind.unwrap_or_default(),
                event.id.unwrap_or_default(),
                event.contact.unwrap_or_default().into_owned(),
                event
                    .problem
                    .map(|problem| problem.code().to_owned())
                    .unwrap_or_default(),
            ]
            .join("|")
        };
        events.into_iter().map(line).collect()
    }

    #[track_caller]
    fn tells(body: &str, expected: &[&str]) {
        assert_eq!(told(body, None), expected, "{body}");
    }

    #[test]
    fn plain_contacts_are_taken_as_they_are() {
        tells(
            r#"{"id":"1","name":"Ann"}"#,
            &[r#"||{"id":"1","name":"Ann"}|"#],
        );
        tells(
            r#" [ {"id":"1","name":"Ann"} , {"email":"b@example.com"} ] "#,
            &[
                r#"||{"id":"1","name":"Ann"}|"#,
                r#"||{"email":"b@example.com"}|"#,
            ],
        );
        // Members that events have, too, make no event by themselves.
        tells(
            r#"{"type":"walk-in","name":"Ann"}"#,
            &[r#"||{"type":"walk-in","name":"Ann"}|"#],
        );
        tells(
            r#"{"type":"guest","name":"Ann"}"#,
            &[r#"||{"type":"guest","name":"Ann"}|"#],
        );
        tells(
            r#"{"data":"x","name":"Ann"}"#,
            &[r#"||{"data":"x","name":"Ann"}|"#],
        );
        tells("[]", &[]);
    }

    #[test]
    fn a_contact_lies_in_the_data_of_its_event() {
        let event = r#"{"type":"contact.updated","timestamp":"2026-11-22T10:15:00Z","data":{"name":"Ann"}}"#;
        tells(event, &[r#"contact.updated||{"name":"Ann"}|"#]);
        assert_eq!(
            events(event.as_bytes(), None, 10_000).unwrap()[0].raw,
            event
        );
        tells(
            r#"{"type":"contacts.changed","data":[{"name":"Ann"},{"name":"Bo"},7]}"#,
            &[
                r#"contacts.changed||{"name":"Ann"}|"#,
                r#"contacts.changed||{"name":"Bo"}|"#,
                "contacts.changed|||event.no_contact_data",
            ],
        );
        // Of a member that comes twice the last one counts, as in records.
        tells(
            r#"{"type":"contact.deleted","data":{"a":1},"type":"contact.updated","data":{"name":"Bo"}}"#,
            &[r#"contact.updated||{"name":"Bo"}|"#],
        );
    }

    #[test]
    fn an_event_may_be_flat() {
        let updated = r#"{"type":"contact.updated","name":"Ann"}"#;
        tells(updated, &[&format!("contact.updated||{updated}|")]);
        // Read as a contact, it would be made anew.
        for deleted in [
            r#"{"type":"contact.deleted","id":"CRM-1"}"#,
            r#"{"type":"contact.deleted","timestamp":"2026-11-22T10:15:00Z","id":"CRM-1"}"#,
        ] {
            tells(
                deleted,
                &[&format!("contact.deleted||{deleted}|event.unsupported")],
            );
        }
    }

    #[test]
    fn cloud_events_say_what_they_are() {
        tells(
            r#"{"specversion":"1.0","type":"com.example.contact.created","source":"/crm","id":"B1","data":{"name":"Lee"}}"#,
            &[r#"com.example.contact.created|/crm B1|{"name":"Lee"}|"#],
        );
        tells(
            r#"[{"specversion":"1.0","type":"x.created","source":"/crm","id":"1","data_base64":"eyJuYW1lIjoiTGVlIn0="},
                {"specversion":"1.0","type":"x.deleted","source":"/crm","id":"2"},
                {"specversion":"1.0","type":"x.created","source":"/crm","id":"3","data_base64":"!"}]"#,
            &[
                r#"x.created|/crm 1|{"name":"Lee"}|"#,
                "x.deleted|/crm 2||event.unsupported",
                "x.created|/crm 3||event.no_contact_data",
            ],
        );
        let body = r#"{"name":"Ann","type":"x"}"#;
        assert_eq!(
            told(body, Some("com.example.contact.updated")),
            [format!("com.example.contact.updated||{body}|")]
        );
        assert_eq!(
            told(body, Some("com.example.contact.deleted")),
            [format!(
                "com.example.contact.deleted||{body}|event.unsupported"
            )]
        );
    }

    #[test]
    fn only_events_that_tell_how_a_contact_is_are_acted_on() {
        for kind in [
            "contact.updated",
            "contact_created",
            "guest-upserted",
            "CONTACT.CHANGED",
            "updated",
            "contact",
            "com.example.guest",
            "customers/updated",
        ] {
            assert!(is_upsert(kind), "{kind}");
        }
        for kind in [
            "contact.deleted",
            "contact.removed",
            "contact.merged",
            "contact.anonymized",
            "invoice.paid",
            "contact.privacyDeletion",
            "contact.unupdated",
            "ping",
            "",
            ".",
        ] {
            assert!(!is_upsert(kind), "{kind}");
        }
    }

    #[test]
    fn an_id_alone_is_no_contact() {
        tells(
            r#"{"type":"contact.updated","data":{"id":"CRM-1"}}"#,
            &[r#"contact.updated||{"id":"CRM-1"}|event.no_contact_data"#],
        );
        for thin in [r#"{"external_id":"1","accountId":7}"#, "{}"] {
            tells(thin, &[&format!("||{thin}|event.no_contact_data")]);
        }
        let nothing = r#"{"type":"contact.updated","timestamp":"2026-11-22T10:15:00Z"}"#;
        tells(
            nothing,
            &[&format!("contact.updated||{nothing}|event.no_contact_data")],
        );
        tells(
            r#"[{"eventId":1,"subscriptionType":"contact.propertyChange","objectId":5,"propertyName":"phone","propertyValue":"1"}]"#,
            &["contact.propertyChange|||event.no_contact_data"],
        );
        // Clearing says something.
        tells(
            r#"{"id":"1","phone":null}"#,
            &[r#"||{"id":"1","phone":null}|"#],
        );
    }

    #[test]
    fn what_cannot_be_read_is_said_where_it_stands() {
        tells(
            r#"[{"name":"Ann"},7,{"name":"Bo"}]"#,
            &[
                r#"||{"name":"Ann"}|"#,
                "|||record.unreadable",
                r#"||{"name":"Bo"}|"#,
            ],
        );
        for broken in ["", "{", "7", "\"x\"", "[{}", "{} {}", "\u{0}"] {
            assert!(
                events(broken.as_bytes(), None, 10_000).is_err(),
                "{broken:?}"
            );
        }
        assert!(events(b"\xff{}", None, 10_000).is_err());
    }
}
