//! Signatures and bodies of webhooks that others made.
//!
//! The vectors are not part of this repository: they are looked for beside the folder that `ROLLBOOK_TEST_DATA` names.
#![expect(
    clippy::unwrap_used,
    reason = "all of this is tests, and the lint sees only functions marked as such"
)]

mod support;

use std::collections::BTreeMap;
use std::path::Path;

use proptest::prelude::*;
use rollbook_sources::event::events;
use rollbook_sources::signature::{Scheme, Signed};
use serde::Deserialize;
use support::data;

/// How many vectors there are at least, and how many of them must be right.
const VECTORS: usize = 16;

#[derive(Deserialize)]
struct Vector {
    name: String,
    scheme: String,
    method: String,
    uri: String,
    secret: String,
    headers: BTreeMap<String, String>,
    body: String,
    now: i64,
    valid: bool,
}

fn scheme(vector: &Vector) -> Scheme {
    match &*vector.scheme {
        "standard-webhooks" => Scheme::StandardWebhooks,
        "hubspot-v3" => Scheme::HubspotV3,
        "hmac-sha256-body" => Scheme::HmacSha256Body {
            header: vector.headers.keys().next().unwrap().to_uppercase(),
            prefix: "sha256=".to_owned(),
        },
        other => panic!("no such scheme: {other}"),
    }
}

#[test]
fn signatures_are_judged_as_their_makers_judge_them() {
    let Some(folder) = data("../sources/webhook/samples") else {
        return;
    };
    let text = std::fs::read_to_string(folder.join("signature-vectors.json")).unwrap();
    let vectors: Vec<Vector> = serde_json::from_str(&text).unwrap();
    let mut right = 0;
    for vector in &vectors {
        let scheme = scheme(vector);
        let header = |name: &str| vector.headers.get(name).map(String::as_str);
        let signed = Signed {
            method: &vector.method,
            uri: &vector.uri,
            header: &header,
            body: vector.body.as_bytes(),
        };
        let key = scheme.key_of(&vector.secret).unwrap();
        let judged = scheme.verify(signed, &[key], vector.now, 300);
        if judged.is_ok() == vector.valid {
            right += 1;
        } else {
            println!("{}: {judged:?}", vector.name);
        }
    }
    println!("signature vectors: {right} of {} right", vectors.len());
    assert!(vectors.len() >= VECTORS, "vectors are missing");
    assert_eq!(right, vectors.len());
}

/// The codes and contacts of a sample.
fn told(folder: &Path, name: &str) -> Vec<(String, bool)> {
    let body = std::fs::read(folder.join(name)).unwrap();
    let events = events(&body, None, 1 << 20).unwrap();
    let judged = events.into_iter().map(|event| {
        let code = event.problem.map(|problem| problem.code().to_owned());
        (code.unwrap_or_default(), event.contact.is_some())
    });
    judged.collect()
}

#[test]
fn the_samples_are_read_for_what_they_are() {
    let Some(folder) = data("../sources/webhook/samples") else {
        return;
    };
    let event = |code: &str, contact| (code.to_owned(), contact);
    for (name, expected) in [
        (
            "cloudevents-batch.json",
            vec![event("", true), event("event.unsupported", false)],
        ),
        ("cloudevents-structured.json", vec![event("", true)]),
        (
            "plain-array-of-contacts.json",
            vec![event("", true), event("", true)],
        ),
        (
            "standard-contact-deleted.json",
            vec![event("event.unsupported", true)],
        ),
        (
            "standard-contact-merged.json",
            vec![event("event.unsupported", true)],
        ),
        (
            "standard-contact-updated-thin.json",
            vec![event("event.no_contact_data", true)],
        ),
        ("standard-contact-updated.json", vec![event("", true)]),
        (
            "standard-unknown-type.json",
            vec![event("event.unsupported", true)],
        ),
    ] {
        assert_eq!(told(&folder, name), expected, "{name}");
    }
}

proptest! {
    /// Whatever comes, each event has its own text in the body, and a contact is an object.
    #[test]
    fn any_body_is_read_or_refused(
        parts in prop::collection::vec(
            prop::sample::select(vec![
                "{", "}", "[", "]", ",", ":", "\"data\"", "\"type\"", "\"specversion\"", "\"x.updated\"", "\"id\"", "1", "null",
                "\"data_base64\"", "\"e30=\"", "\"timestamp\"", "\"objectId\"", "\"subscriptionType\"", " ", "\"", "\\", "ä",
            ]),
            0..24,
        ),
        kind in prop::option::of("[a-z.]{0,12}"),
    ) {
        let body = parts.concat();
        for event in events(body.as_bytes(), kind.as_deref(), 40).unwrap_or_default() {
            prop_assert!(event.problem.is_some() || event.contact.is_some());
            let contact = event.contact.unwrap_or_default();
            let is_object = contact.trim_ascii_start().as_bytes().first() == Some(&b'{');
            prop_assert!(contact.is_empty() || is_object, "{}", contact);
        }
    }
}
