//! Signed webhooks: who may send, what becomes of what they send, and who hears of what.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::support::{Answer, Caller, Server, answer, eventually};

const UPDATED: &str = r#"{"type":"contact.updated","timestamp":"2026-11-22T10:15:00.000Z","data":{"external_id":"CRM-1","first_name":"Amara","last_name":"Okafor","phones":["+447400123456"],"emails":["amara.okafor@example.com"],"language":"en-GB"}}"#;

/// A system that signs by Standard Webhooks.
struct Sender {
    caller: Caller,
    source: String,
    secret: String,
}

/// One of its deliveries, which may be changed before it is sent.
#[derive(Clone)]
struct Delivery {
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap().as_secs().try_into().unwrap()
}

fn hmac(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().to_vec()
}

/// Adds a source and lets it take signed webhooks.
fn set_up(server: &Server, source: &str, setup: &Value) -> Sender {
    server.source(source);
    let set_up = put(server, source, setup);
    assert_eq!(set_up.status, 200, "{set_up:?}");
    let made = set_up.json()["secret"].as_str().map(str::to_owned);
    Sender {
        caller: server.nobody(),
        source: source.to_owned(),
        secret: made.unwrap_or_else(|| setup["secret"].as_str().unwrap().to_owned()),
    }
}

fn put(server: &Server, source: &str, setup: &Value) -> Answer {
    let path = format!("/api/v1/sources/{source}/webhook");
    answer(server.admin().request("PUT", &path).json(setup))
}

fn standard(server: &Server, source: &str) -> Sender {
    set_up(server, source, &json!({"scheme": "standard-webhooks"}))
}

impl Sender {
    fn signed_at(&self, id: &str, at: i64, body: impl Into<Vec<u8>>) -> Delivery {
        let (body, at) = (body.into(), at.to_string());
        let key = STANDARD.decode(self.secret.strip_prefix("whsec_").unwrap());
        let parts = [id.as_bytes(), b".", at.as_bytes(), b".", &body];
        let signature = STANDARD.encode(hmac(&key.unwrap(), &parts));
        let headers = [
            ("webhook-id", id.to_owned()),
            ("webhook-timestamp", at.clone()),
            ("webhook-signature", format!("v1,{signature}")),
            ("content-type", "application/json".to_owned()),
        ];
        Delivery {
            headers: headers.map(|(name, value)| (name.to_owned(), value)).into(),
            body,
        }
    }

    fn signed(&self, id: &str, body: impl Into<Vec<u8>>) -> Delivery {
        self.signed_at(id, now(), body)
    }

    /// Sends to an address: a source, and what stands behind a question mark.
    fn send_to(&self, address: &str, delivery: &Delivery) -> Answer {
        let (source, query) = match address.split_once('?') {
            Some((source, query)) => (source, format!("?{query}")),
            None => (address, String::new()),
        };
        let path = format!("/api/v1/sources/{source}/events{query}");
        let mut request = self.caller.request("POST", &path);
        for (name, value) in &delivery.headers {
            request = request.header(name, value);
        }
        answer(request.body(delivery.body.clone()))
    }

    fn send(&self, delivery: &Delivery) -> Answer {
        self.send_to(&self.source, delivery)
    }

    fn deliver(&self, id: &str, body: impl Into<Vec<u8>>) -> Answer {
        self.send(&self.signed(id, body))
    }
}

impl Delivery {
    /// The same with another value of a header, or without it.
    fn with(&self, name: &str, value: Option<&str>) -> Delivery {
        let mut changed = self.clone();
        changed.headers.retain(|(header, _)| header != name);
        let value = value.map(|value| (name.to_owned(), value.to_owned()));
        changed.headers.extend(value);
        changed
    }

    fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(header, _)| header == name);
        &found.unwrap().1
    }
}

/// The attempts of the log, newest first.
fn log(server: &Server) -> Vec<Value> {
    let logs = server.admin().get("/api/v1/logs").json();
    logs["attempts"].as_array().unwrap().clone()
}

fn codes(attempt: &Value) -> Vec<&str> {
    let issues = attempt["issues"].as_array().unwrap();
    issues
        .iter()
        .map(|issue| issue["code"].as_str().unwrap())
        .collect()
}

fn metric(server: &Server, outcome: &str) -> String {
    let metrics = server.nobody().get("/metrics").text;
    let name = format!("rollbook_webhook_deliveries_total{{outcome=\"{outcome}\"}} ");
    let line = metrics.lines().find_map(|line| line.strip_prefix(&*name));
    line.unwrap_or("0").to_owned()
}

#[test]
fn a_signed_event_becomes_a_contact_and_works_once() {
    let server = Server::start();
    let crm = standard(&server, "crm");
    let first = crm.deliver("msg_1", UPDATED);
    assert_eq!(first.status, 200, "{first:?}");
    assert_eq!(first.header("idempotency-replayed"), None);
    let told = first.json();
    assert_eq!(
        (
            &told["records"],
            &told["created"],
            &told["updated"],
            &told["failed"]
        ),
        (&json!(1), &json!(1), &json!(0), &json!(0))
    );
    assert_eq!(told["attempts"][0]["action"], "created");
    assert!(
        !first.text.contains("Amara"),
        "nothing is told back: {first:?}"
    );

    let attempt = &log(&server)[0];
    assert_eq!(attempt["id"], told["attempts"][0]["id"]);
    assert_eq!(attempt["name"], "Amara Okafor");
    assert_eq!(attempt["phone"], "+447400123456");
    assert_eq!(attempt["external_id"], "CRM-1");
    assert_eq!(attempt["source"], "crm");
    assert_eq!(attempt["notes"][0]["code"], "record.event");
    let path = format!("/api/v1/logs/{}", attempt["id"].as_str().unwrap());
    let shown = server.admin().get(&path).json();
    assert!(shown["payload"].to_string().contains("CRM-1"), "{shown}");
    assert!(
        !shown["payload"].to_string().contains("contact.updated"),
        "{shown}"
    );

    // Sent again, with another time and so another signature: the first outcome.
    let again = crm.send(&crm.signed_at("msg_1", now() - 20, UPDATED));
    assert_eq!(again.status, 200, "{again:?}");
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!(again.json(), told);
    assert_eq!(log(&server).len(), 1);
    let other = UPDATED.replace("Amara", "Amira");
    crm.deliver("msg_1", other.clone())
        .is_problem(409, "idempotency-key-reused");
    let next = crm.deliver("msg_2", other);
    assert_eq!((next.status, &next.json()["updated"]), (200, &json!(1)));

    // The same header names as others use.
    let svix = crm.signed("msg_3", UPDATED);
    let svix = Delivery {
        headers: svix
            .headers
            .into_iter()
            .map(|(name, value)| (name.replace("webhook-", "svix-"), value))
            .collect(),
        ..svix
    };
    assert_eq!(crm.send(&svix).status, 200);
    assert_eq!(metric(&server, "accepted"), "5");
}

#[test]
fn every_check_that_fails_is_answered_alike_and_only_our_log_says_which() {
    let server = Server::start();
    let crm = standard(&server, "crm");
    let other = standard(&server, "shop");
    let good = crm.signed("msg_1", UPDATED);
    let signature = good.header("webhook-signature").to_owned();
    let mut flipped = STANDARD.decode(&signature[3..]).unwrap();
    flipped[10] ^= 1;
    let flipped = format!("v1,{}", STANDARD.encode(flipped));
    let later = (now() + 5).to_string();
    let tampered = Delivery {
        body: UPDATED.replace("Amara", "Amira").into_bytes(),
        ..good.clone()
    };
    let spaced = Delivery {
        body: UPDATED.replace("\":", "\": ").into_bytes(),
        ..good.clone()
    };
    let twice = Delivery {
        headers: [good.headers.clone(), good.headers.clone()].concat(),
        ..good.clone()
    };
    let mut answers = Vec::new();
    for (delivery, reason) in [
        (tampered, "signature_wrong"),
        (spaced, "signature_wrong"),
        (good.with("webhook-id", Some("msg_2")), "signature_wrong"),
        (
            good.with("webhook-timestamp", Some(&later)),
            "signature_wrong",
        ),
        (
            good.with("webhook-signature", Some(&flipped)),
            "signature_wrong",
        ),
        (other.signed("msg_1", UPDATED), "signature_wrong"),
        (
            good.with("webhook-signature", Some(&signature[3..])),
            "signature_unreadable",
        ),
        (
            good.with("webhook-signature", Some("v1a,AAAA")),
            "signature_unreadable",
        ),
        (good.with("webhook-signature", None), "header_missing"),
        (good.with("webhook-timestamp", None), "header_missing"),
        (good.with("webhook-id", None), "header_missing"),
        (twice, "header_missing"),
        (crm.signed_at("msg_1", now() - 310, UPDATED), "too_old"),
        (crm.signed_at("msg_1", now() + 310, UPDATED), "too_new"),
    ] {
        let before = metric(&server, reason);
        let refused = crm.send(&delivery);
        let mut problem = refused.is_problem(401, "signature-refused");
        problem["request_id"] = Value::Null;
        assert_eq!(problem["instance"], "/api/v1/sources/crm/events");
        assert!(refused.header("www-authenticate").is_some());
        assert_ne!(metric(&server, reason), before, "{reason}");
        eventually(reason, || server.said().contains(reason).then_some(()));
        answers.push(problem);
    }
    assert!(
        answers.windows(2).all(|pair| pair[0] == pair[1]),
        "{answers:?}"
    );
    assert_eq!(log(&server), Vec::<Value>::new(), "nothing of it is kept");
    // A key opens nothing here.
    let path = "/api/v1/sources/crm/events";
    let keyed = answer(server.admin().request("POST", path).body(UPDATED));
    keyed.is_problem(401, "signature-refused");
    assert_eq!(crm.send(&good).status, 200, "the delivery itself was good");
    for secret in [&crm.secret, &other.secret, &signature] {
        assert!(!server.said().contains(&secret[6..]), "{}", server.said());
    }

    let shown = eventually("the last refused delivery", || {
        let shown = server.admin().get("/api/v1/sources/crm/webhook");
        (!shown.json()["last_refused_at"].is_null() && !shown.json()["last_accepted_at"].is_null())
            .then_some(shown)
    });
    assert_eq!(shown.json()["last_refused_for"], "signature_wrong");
    assert!(!shown.text.contains(&crm.secret[6..]), "{shown:?}");
}

#[test]
fn how_far_clocks_may_be_apart_is_a_setting() {
    let server = Server::start_with(&["--webhook-window-seconds", "60"]);
    let crm = standard(&server, "crm");
    let at = |offset: i64, id: &str| crm.send(&crm.signed_at(id, now() + offset, UPDATED)).status;
    assert_eq!(
        (at(-50, "a"), at(50, "b"), at(-70, "c"), at(70, "d")),
        (200, 200, 401, 401)
    );
}

#[test]
fn a_secret_is_replaced_without_a_gap_and_can_be_revoked() {
    let server = Server::start();
    let old = standard(&server, "crm");
    let rotate = |how: &Value| {
        let rotated = server
            .admin()
            .post("/api/v1/sources/crm/webhook/rotate", how);
        assert_eq!(rotated.status, 200, "{rotated:?}");
        let json = rotated.json();
        let secret = json["secret"].as_str().unwrap().to_owned();
        let sender = Sender {
            caller: server.nobody(),
            source: "crm".to_owned(),
            secret,
        };
        (sender, json)
    };
    let (new, json) = rotate(&json!({"overlap_hours": 1}));
    assert_ne!(new.secret, old.secret);
    assert!(json["previous_secret_until"].is_string(), "{json}");
    assert_eq!(old.deliver("msg_1", UPDATED).status, 200);
    assert_eq!(new.deliver("msg_2", UPDATED).status, 200);
    // One message, signed with both: while senders change over.
    let (one, two) = (old.signed("msg_3", UPDATED), new.signed("msg_3", UPDATED));
    let both = format!(
        "v1,AAAA {} {}",
        one.header("webhook-signature"),
        two.header("webhook-signature")
    );
    assert_eq!(
        new.send(&two.with("webhook-signature", Some(&both))).status,
        200
    );

    let revoked = server
        .admin()
        .delete("/api/v1/sources/crm/webhook/previous");
    assert_eq!(
        (revoked.status, &revoked.json()["previous_secret_until"]),
        (200, &Value::Null)
    );
    assert_eq!(old.deliver("msg_4", UPDATED).status, 401);
    assert_eq!(new.deliver("msg_4", UPDATED).status, 200);

    let (newest, json) = rotate(&json!({"overlap_hours": 0}));
    assert!(json["previous_secret_until"].is_null(), "{json}");
    assert_eq!(new.deliver("msg_5", UPDATED).status, 401);
    assert_eq!(newest.deliver("msg_5", UPDATED).status, 200);

    assert_eq!(
        server.admin().delete("/api/v1/sources/crm/webhook").status,
        204
    );
    newest
        .deliver("msg_6", UPDATED)
        .is_problem(404, "not-found");
    server
        .admin()
        .get("/api/v1/sources/crm/webhook")
        .is_problem(404, "not-found");
    for (how, member) in [
        (json!({"overlap_hours": 721}), "overlap_hours"),
        (json!({"secret": "short"}), "secret"),
    ] {
        standard_again(&server);
        let path = "/api/v1/sources/crm/webhook/rotate";
        let problem = server.admin().post(path, &how).is_problem(422, "value");
        assert_eq!(problem["member"], member);
    }

    let audit = server.admin().get("/api/v1/audit").text;
    for done in [
        "webhook.changed",
        "secret before revoked",
        "1 more hours",
        "removed",
    ] {
        assert!(audit.contains(done), "{done}: {audit}");
    }
    for secret in [&old.secret, &new.secret, &newest.secret] {
        assert!(!audit.contains(&secret[6..]) && !server.said().contains(&secret[6..]));
    }
}

fn standard_again(server: &Server) {
    let set_up = put(server, "crm", &json!({"scheme": "standard-webhooks"}));
    assert_eq!(set_up.status, 200, "{set_up:?}");
}

#[test]
fn several_contacts_of_one_delivery_stand_in_the_log_each() {
    let server = Server::start();
    let crm = standard(&server, "crm");
    let body = r#"[{"id":"1","name":"Ann Roe","phone":"+15365550122"},{"id":"2","name":"Bo","email":"bo@example.com"},{"city":"Bonn"},7]"#;
    let first = crm.deliver("msg_1", body);
    assert_eq!(first.status, 200, "{first:?}");
    let told = first.json();
    assert_eq!(
        (&told["records"], &told["created"], &told["failed"]),
        (&json!(4), &json!(2), &json!(2))
    );
    assert_eq!(
        told["attempts"][2]["issues"],
        json!(["record.no_identifier"])
    );
    assert_eq!(told["attempts"][3]["issues"], json!(["record.unreadable"]));
    let again = crm.deliver("msg_1", body);
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!(again.json(), told);
    let ids: Vec<Value> = log(&server)
        .iter()
        .rev()
        .map(|attempt| attempt["id"].clone())
        .collect();
    let told: Vec<Value> = told["attempts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["id"].clone())
        .collect();
    assert_eq!(ids, told);

    let data = r#"{"type":"contacts.changed","data":[{"id":"1","name":"Ann Roe-Lee"},{"id":"3","name":"Cy"}]}"#;
    let next = crm.deliver("msg_2", data).json();
    assert_eq!((&next["updated"], &next["created"]), (&json!(1), &json!(1)));
    assert_eq!(crm.deliver("msg_3", "[]").json()["records"], 0);
    let many = format!("[{}]", vec![r#"{"a":1}"#; 1001].join(","));
    crm.deliver("msg_4", many).is_problem(413, "too-large");
    assert_eq!(log(&server).len(), 6);
}

#[test]
fn a_source_that_takes_no_webhooks_is_like_one_that_is_not_there() {
    let server = Server::start();
    let crm = standard(&server, "crm");
    server.source("desk");
    let delivery = crm.signed("msg_1", UPDATED);
    let detail = |address: &str| {
        let problem = crm.send_to(address, &delivery).is_problem(404, "not-found");
        let name = address.split('?').next().unwrap();
        problem["detail"].as_str().unwrap().replace(name, "…")
    };
    assert_eq!(detail("desk"), detail("nobody"));
    assert_eq!(detail("desk"), detail("crm?workspace=2"));
    crm.send_to("crm?workspace=x", &delivery)
        .is_problem(400, "parameter");
    assert_eq!(crm.send_to("crm?workspace=1", &delivery).status, 200);

    // The same name in another workspace is another source with an address of its own.
    server.rollbook(&["workspace", "set", "--name", "Hotel"]);
    server.rollbook(&["workspace", "add", "Clinic"]);
    let there = ["--workspace", "Clinic"];
    server.rollbook(&[&["source", "add", "crm"][..], &there].concat());
    let secret = server.rollbook(&[&["webhook", "set-up", "crm"][..], &there].concat());
    let list = server.rollbook(&[&["webhook", "list", "--json"][..], &there].concat());
    let address = serde_json::from_str::<Value>(&list).unwrap()["address"].clone();
    assert!(
        address
            .as_str()
            .unwrap()
            .ends_with("/sources/crm/events?workspace=2"),
        "{address}"
    );
    let clinic = Sender {
        secret,
        ..standard_sender(&server)
    };
    let delivery = clinic.signed("msg_1", UPDATED);
    assert_eq!(clinic.send_to("crm?workspace=2", &delivery).status, 200);
    assert_eq!(clinic.send_to("crm", &delivery).status, 401);
    assert_eq!(
        log(&server).len(),
        1,
        "the first workspace has its own alone"
    );
}

fn standard_sender(server: &Server) -> Sender {
    Sender {
        caller: server.nobody(),
        source: "crm".to_owned(),
        secret: String::new(),
    }
}

#[test]
fn events_that_are_not_acted_on_are_not_lost_silently() {
    let server = Server::start();
    let crm = standard(&server, "crm");
    crm.deliver("msg_0", UPDATED);
    let deleted = r#"{"type":"contact.deleted","timestamp":"2026-11-22T10:16:00Z","data":{"external_id":"CRM-1"}}"#;
    let told = crm.deliver("msg_1", deleted);
    assert_eq!((told.status, &told.json()["failed"]), (200, &json!(1)));
    let thin =
        r#"{"type":"contact.updated","timestamp":"2026-11-22T10:15:00Z","data":{"id":"CRM-9"}}"#;
    assert_eq!(crm.deliver("msg_2", thin).status, 200);
    let attempts = log(&server);
    assert_eq!(codes(&attempts[0]), ["event.no_contact_data"]);
    assert_eq!(codes(&attempts[1]), ["event.unsupported"]);
    assert_eq!(
        attempts[1]["external_id"], "CRM-1",
        "it is found under whom it is about"
    );
    let message = attempts[1]["issues"][0]["message"].as_str().unwrap();
    assert!(message.contains("contact.deleted"), "{message}");
    let id = attempts[1]["id"].as_str().unwrap();
    let shown = server.admin().get(&format!("/api/v1/logs/{id}"));
    assert!(
        shown.text.contains("contact.deleted"),
        "the whole event is kept: {shown:?}"
    );

    // Read as a contact, an event would be one.
    let replay = server
        .admin()
        .post(&format!("/api/v1/logs/{id}/replay"), &json!({}));
    assert_eq!(replay.is_problem(409, "replay")["reason"], "event");
    let again = crm.deliver("msg_1", deleted);
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!(log(&server).len(), 3);
    let contacts = server.admin().get("/api/v1/contacts").json();
    assert_eq!(
        contacts["contacts"].as_array().unwrap().len(),
        1,
        "{contacts}"
    );

    // Nothing about a person who was erased is kept, whatever the event says.
    let contact = contacts["contacts"][0]["id"].to_string();
    server.rollbook(&["contacts", "erase", contact.trim_matches('"'), "--yes"]);
    let merged = deleted.replace("deleted", "merged");
    assert_eq!(crm.deliver("msg_5", merged).status, 200);
    let newest = &log(&server)[0];
    assert_eq!(codes(newest), ["contact.erased"]);
    let path = format!("/api/v1/logs/{}", newest["id"].as_str().unwrap());
    assert!(!server.admin().get(&path).text.contains("CRM-1"));
}

#[test]
fn what_cannot_be_taken_in_is_answered_as_for_records() {
    let server = Server::start_with(&["--max-record-bytes", "2000"]);
    let crm = standard(&server, "crm");
    let broken = crm.deliver("msg_1", "{\"name\":");
    let problem = broken.is_problem(400, "record-unreadable");
    assert_eq!(log(&server)[0]["id"], problem["attempt_id"]);
    let again = crm.deliver("msg_1", "{\"name\":");
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!(log(&server).len(), 1);
    // Whoever sends more than is read cannot be known.
    let large = crm.deliver("msg_2", format!("{{\"name\":\"{}\"}}", "x".repeat(2000)));
    large.is_problem(413, "too-large");
    let compressed = crm
        .signed("msg_3", UPDATED)
        .with("content-encoding", Some("gzip"));
    crm.send(&compressed).is_problem(415, "media-type");
    assert_eq!(log(&server).len(), 1);
    // Senders do not agree on how they call JSON.
    let odd = crm
        .signed("msg_3", UPDATED)
        .with("content-type", Some("text/plain"));
    assert_eq!(crm.send(&odd).status, 200);

    server.rollbook(&["source", "pause", "crm"]);
    let paused = crm.deliver("msg_4", UPDATED);
    paused.is_problem(423, "source-paused");
    assert_eq!(codes(&log(&server)[0]), ["source.paused"]);
    server.rollbook(&["source", "resume", "crm"]);
    let resumed = crm.deliver("msg_4", UPDATED);
    assert_eq!(resumed.status, 200, "{resumed:?}");
    assert_eq!(resumed.header("idempotency-replayed"), None);
}

#[test]
fn signatures_of_the_body_alone_and_cloud_events() {
    let server = Server::start();
    let setup = json!({"scheme": "hmac-sha256-body", "header": "X-Hub-Signature-256", "secret": "plain-shared-secret"});
    let shop = set_up(&server, "shop", &setup);
    let hex = |bytes: Vec<u8>| {
        bytes
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>()
    };
    let send = |body: &str, headers: &[(&str, &str)]| {
        let signature = hex(hmac(b"plain-shared-secret", &[body.as_bytes()]));
        let mut headers: Vec<(String, String)> = headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        headers.push((
            "x-hub-signature-256".to_owned(),
            format!("sha256={signature}"),
        ));
        let body = body.as_bytes().to_vec();
        shop.send(&Delivery { headers, body })
    };
    let batch = r#"[{"specversion":"1.0","type":"com.example.contact.created","source":"/crm/eu1","id":"B1","data":{"external_id":"CRM-2","last_name":"Lee"}},{"specversion":"1.0","type":"com.example.contact.deleted","source":"/crm/eu1","id":"B2"}]"#;
    let kind = ("content-type", "application/cloudevents-batch+json");
    let told = send(batch, &[kind]);
    assert_eq!(
        (told.status, &told.json()["created"], &told.json()["failed"]),
        (200, &json!(1), &json!(1)),
        "{told:?}"
    );
    assert_eq!(codes(&log(&server)[0]), ["event.unsupported"]);

    // One of them again, alone: it is known by its source and id.
    let one = &batch[1..batch.find(",{").unwrap()];
    let again = send(one, &[("content-type", "application/cloudevents+json")]);
    assert_eq!(
        again.header("idempotency-replayed"),
        Some("true"),
        "{again:?}"
    );
    assert_eq!(again.json()["attempts"][0], told.json()["attempts"][0]);

    let contact = r#"{"external_id":"CRM-3","last_name":"Okafor"}"#;
    let binary = |kind| {
        send(
            contact,
            &[
                ("ce-specversion", "1.0"),
                ("ce-type", kind),
                ("ce-source", "/crm"),
                ("ce-id", "7"),
            ],
        )
    };
    assert_eq!(binary("com.example.contact.updated").json()["created"], 1);
    assert_eq!(binary("com.example.contact%2Edeleted").json()["failed"], 1);
    assert_eq!(codes(&log(&server)[0]), ["event.unsupported"]);
    let plain = send(contact, &[]);
    assert_eq!(plain.json()["updated"], 1);
    // Nothing that is signed tells it from another delivery.
    assert_eq!(send(contact, &[]).header("idempotency-replayed"), None);
}

#[test]
fn hubspot_signs_the_address_as_people_know_it() {
    let server = Server::start_with(&["--public-url", "https://import.example.com"]);
    let secret = "hubspot-client-secret";
    set_up(
        &server,
        "hubspot",
        &json!({"scheme": "hubspot-v3", "secret": secret}),
    );
    let post = |body: &str, millis: i64, query: &str, signed_query: &str| {
        let millis = millis.to_string();
        let uri = format!("https://import.example.com/api/v1/sources/hubspot/events{signed_query}");
        let parts = [
            &b"POST"[..],
            uri.as_bytes(),
            body.as_bytes(),
            millis.as_bytes(),
        ];
        let signature = STANDARD.encode(hmac(secret.as_bytes(), &parts));
        let path = format!("/api/v1/sources/hubspot/events{query}");
        let request = server.nobody().request("POST", &path);
        let request = request
            .header("x-hubspot-signature-v3", signature)
            .header("x-hubspot-request-timestamp", millis);
        answer(request.body(body.to_owned()))
    };
    let contact = r#"{"email":"ann@example.com","firstname":"Ann"}"#;
    let millis = now() * 1000;
    assert_eq!(post(contact, millis, "", "").status, 200);
    assert_eq!(
        post(contact, millis, "?portal=%40x", "?portal=@x").status,
        200
    );
    assert_eq!(post(contact, millis, "?portal=1", "?portal=2").status, 401);
    assert_eq!(post(contact, millis - 310_000, "", "").status, 401);
    assert_eq!(post(contact, now(), "", "").status, 401, "in milliseconds");
    let change = r#"[{"eventId":1,"subscriptionType":"contact.propertyChange","objectId":1001,"propertyName":"phone","propertyValue":"+447400123456"}]"#;
    assert_eq!(post(change, millis, "", "").json()["failed"], 1);
    assert_eq!(codes(&log(&server)[0]), ["event.no_contact_data"]);
}

#[test]
fn senders_ask_before_they_send() {
    let server = Server::start();
    let crm = standard(&server, "crm");
    server.source("desk");
    let ask = |source: &str, origin: Option<&str>| {
        let path = format!("/api/v1/sources/{source}/events");
        let request = crm.caller.request("OPTIONS", &path);
        answer(match origin {
            Some(origin) => request.header("webhook-request-origin", origin),
            None => request,
        })
    };
    let allowed = ask("crm", Some("crm.example.com"));
    assert_eq!(allowed.status, 200, "{allowed:?}");
    assert_eq!(
        allowed.header("webhook-allowed-origin"),
        Some("crm.example.com")
    );
    assert_eq!(allowed.header("webhook-allowed-rate"), Some("60000"));
    assert_eq!(allowed.header("allow"), Some("OPTIONS, POST"));
    let plain = ask("crm", None);
    assert_eq!(
        (plain.status, plain.header("webhook-allowed-origin")),
        (200, None)
    );
    ask("desk", Some("crm.example.com")).is_problem(404, "not-found");
}

#[test]
fn forgers_wait_and_senders_do_not() {
    let server = Server::start_with(&["--api-rate", "3/m"]);
    let crm = standard(&server, "crm");
    let forged = crm
        .signed("msg_1", UPDATED)
        .with("webhook-signature", Some("v1,AAAA"));
    let statuses: Vec<u16> = (0..35).map(|_| crm.send(&forged).status).collect();
    assert!(
        statuses[..30].iter().all(|status| *status == 401),
        "{statuses:?}"
    );
    assert!(statuses[30..].contains(&429), "{statuses:?}");
    assert_ne!(metric(&server, "limited"), "0");
    // Each source has the rate of a key, and what was forged took nothing of it.
    for number in 0..3 {
        assert_eq!(crm.deliver(&format!("msg_{number}"), UPDATED).status, 200);
    }
    let wait = crm.deliver("msg_9", UPDATED);
    wait.is_problem(429, "too-many");
    assert!(wait.header("retry-after").is_some());
}

#[test]
fn secrets_of_webhooks_are_sealed_and_change_their_key_with_the_others() {
    let server = Server::start();
    let crm = standard(&server, "crm");
    let holds = |server: &Server| {
        let bytes = server.database();
        bytes
            .windows(crm.secret.len())
            .any(|part| part == crm.secret.as_bytes())
    };
    assert!(holds(&server), "without a key it is stored as it is");
    let (one, two) = (
        server.rollbook(&["secrets", "new-key"]),
        server.rollbook(&["secrets", "new-key"]),
    );
    let server = server.restart_with(&["--secret-key", &one]);
    assert!(
        server.said().contains("1 stored secrets were sealed"),
        "{}",
        server.said()
    );
    let crm = Sender {
        caller: server.nobody(),
        ..crm
    };
    assert_eq!(crm.deliver("msg_1", UPDATED).status, 200);
    let made = server.rollbook(&["webhook", "rotate", "crm", "--secret-key", &one]);
    assert!(
        !server
            .database()
            .windows(made.len())
            .any(|part| part == made.as_bytes())
    );
    let status = server.rollbook(&["secrets", "status", "--secret-key", &one]);
    assert_eq!(status.split_whitespace().next(), Some("2"), "{status}");
    let (_, seen) = server.try_rollbook(&["doctor", "--secret-key", &two]);
    assert!(seen.contains("2 cannot be opened"), "{seen}");

    let server = server.restart_with(&["--secret-key", &two, "--old-secret-keys", &one]);
    assert!(
        server.said().contains("2 stored secrets were sealed"),
        "{}",
        server.said()
    );
    for (secret, id) in [(&crm.secret, "msg_2"), (&made, "msg_3")] {
        let sender = Sender {
            caller: server.nobody(),
            source: "crm".to_owned(),
            secret: secret.clone(),
        };
        assert_eq!(sender.deliver(id, UPDATED).status, 200, "{id}");
    }
    let (_, seen) = server.try_rollbook(&["doctor", "--secret-key", &two]);
    assert!(!seen.contains("cannot be opened"), "{seen}");
}

#[test]
fn an_administrator_sets_webhooks_up_on_the_page_and_nobody_else_sees_of_them() {
    let server = Server::start();
    server.source("crm");
    server.rollbook(&["workspace", "set", "--name", "Hotel"]);
    let admin = server.person("Hotel", "admin@hotel.example", "admin");
    let viewer = server.person("Hotel", "viewer@hotel.example", "viewer");
    let page = "/settings/sources/crm";
    let set_up = "/settings/sources/crm/webhook";
    assert!(admin.get(page).text.contains("Set up signed webhooks"));
    assert!(!viewer.get(page).text.contains("webhook"));

    let wrong = admin.post(
        set_up,
        &[("scheme", "standard-webhooks"), ("secret", "not-a-secret")],
    );
    assert_eq!(wrong.status, 200, "{wrong:?}");
    assert!(wrong.text.contains("whsec_") && wrong.text.contains("webhook-problem"));
    assert!(
        !wrong.text.contains("not-a-secret"),
        "a secret is never sent back"
    );

    let made = admin.post(set_up, &[("scheme", "standard-webhooks")]);
    let rest = made
        .text
        .split_once("<code id=\"webhook-secret\">")
        .unwrap()
        .1;
    let secret = rest.split_once('<').unwrap().0.to_owned();
    let later = admin.get(page).text;
    assert!(!later.contains(&secret), "it is shown once");
    assert!(later.contains("/api/v1/sources/crm/events") && later.contains("nothing yet"));
    let crm = Sender {
        secret,
        ..standard_sender(&server)
    };
    assert_eq!(crm.deliver("msg_1", UPDATED).status, 200);
    assert_eq!(
        crm.send(&crm.signed_at("msg_2", now() - 400, UPDATED))
            .status,
        401
    );
    eventually("the last deliveries", || {
        let text = admin.get(page).text;
        (text.contains("signed too long ago") && !text.contains("nothing yet")).then_some(())
    });
    assert_eq!(
        viewer
            .post(set_up, &[("scheme", "standard-webhooks")])
            .status,
        403
    );

    let rotated = admin.post(&format!("{set_up}/rotate"), &[("overlap_hours", "24")]);
    assert!(
        rotated.text.contains("id=\"webhook-secret\"")
            && rotated.text.contains("Revoke the one before")
    );
    assert_eq!(crm.deliver("msg_3", UPDATED).status, 200);
    assert_eq!(
        admin.post(&format!("{set_up}/end-overlap"), &[]).status,
        303
    );
    assert_eq!(crm.deliver("msg_4", UPDATED).status, 401);
    assert_eq!(admin.post(&format!("{set_up}/remove"), &[]).status, 303);
    assert_eq!(crm.deliver("msg_5", UPDATED).status, 404);
    assert_eq!(admin.post(&format!("{set_up}/remove"), &[]).status, 404);
    assert!(
        admin
            .get("/settings/audit")
            .text
            .contains("Changed a webhook")
    );
}
