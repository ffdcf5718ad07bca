//! One record at a time.

use serde_json::json;

use crate::support::{Server, answer};

#[test]
fn a_record_is_created_then_updated_then_refused() {
    let server = Server::start();
    let desk = server.source("desk");
    let created = desk.deliver(
        "desk",
        &json!({"external_id": "1", "name": "Anna Weber", "phone": "+49 30 123456"}),
    );
    assert_eq!(created.status, 201);
    let attempt = created.json();
    assert_eq!(attempt["result"], "success");
    assert_eq!(attempt["action"], "created");
    assert_eq!(attempt["matched_on"], json!(null));
    assert_eq!(attempt["phone"], "+4930123456");
    assert_eq!(attempt["source"], "desk");
    let location = created.header("location").unwrap();
    assert_eq!(
        location,
        format!(
            "/api/v1/contacts/{}",
            attempt["contact_id"].as_str().unwrap()
        )
    );
    assert_eq!(server.admin().get(location).json()["name"], "Anna Weber");

    let updated = desk.deliver("desk", &json!({"external_id": "1", "city": "Berlin"}));
    assert_eq!(updated.status, 200);
    let attempt = updated.json();
    assert_eq!(attempt["matched_on"], "external_id");
    assert_eq!(
        attempt["changes"],
        json!([{"field": "city", "before": null, "after": "Berlin"}])
    );

    let refused = desk.deliver("desk", &json!({"city": "Berlin"}));
    assert_eq!(refused.status, 422);
    let attempt = refused.json();
    assert_eq!(attempt["result"], "failure");
    assert_eq!(attempt["action"], json!(null));
    assert_eq!(attempt["issues"][0]["code"], "record.no_identifier");
    assert_eq!(refused.header("content-type"), Some("application/json"));
}

#[test]
fn a_body_that_is_no_record_is_refused_and_stands_in_the_log() {
    let server = Server::start();
    let desk = server.source("desk");
    for body in [
        "{\"name\":",
        "[]",
        "\"text\"",
        "17",
        "",
        "  ",
        "{\"a\":1}{}",
        "\u{feff}x",
    ] {
        let problem = desk
            .deliver_raw("desk", body)
            .is_problem(400, "record-unreadable");
        let id = problem["attempt_id"]
            .as_str()
            .unwrap_or_else(|| panic!("{body:?}"));
        let attempt = desk.get(&format!("/api/v1/logs/{id}")).json();
        assert_eq!(attempt["result"], "failure");
        assert_eq!(attempt["issues"][0]["code"], "record.unreadable");
        assert_eq!(attempt["payload"], body);
    }
}

#[test]
fn a_body_that_is_no_text_stands_in_the_log_as_it_was_sent() {
    let server = Server::start();
    let desk = server.source("desk");
    let problem = desk
        .deliver_raw("desk", b"{\"name\":\"\xff\"}".as_slice())
        .is_problem(400, "record-unreadable");
    let id = problem["attempt_id"].as_str().unwrap();
    let attempt = desk.get(&format!("/api/v1/logs/{id}")).json();
    assert_eq!(attempt["payload"], "eyJuYW1lIjoi/yJ9");
    assert_eq!(attempt["payload_encoding"], "base64");
}

#[test]
fn a_record_over_the_limit_is_refused_and_its_beginning_stands_in_the_log() {
    let server = Server::start_with(&["--max-record-bytes", "1000"]);
    let desk = server.source("desk");
    let fits = json!({"email": "a@example.com", "notes": "x".repeat(900)});
    assert_eq!(desk.deliver("desk", &fits).status, 201);
    let large = json!({"email": "b@example.com", "notes": "x".repeat(200_000)});
    let problem = desk.deliver("desk", &large).is_problem(413, "too-large");
    assert_eq!(problem["limit"], 1000);
    assert!(
        problem["detail"]
            .as_str()
            .unwrap()
            .contains("max_record_bytes")
    );
    let id = problem["attempt_id"].as_str().unwrap();
    let attempt = desk.get(&format!("/api/v1/logs/{id}")).json();
    assert_eq!(attempt["issues"][0]["code"], "record.too_large");
    let payload = attempt["payload"].as_str().unwrap();
    assert!(
        payload.starts_with("{\"email\":\"b@example.com\""),
        "{payload}"
    );
    assert!(payload.len() < 2000);
}

#[test]
fn only_json_in_utf_8_is_taken() {
    let server = Server::start();
    let desk = server.source("desk");
    let send = |name: &'static str, value: &'static str| {
        answer(
            desk.request("POST", "/api/v1/sources/desk/contacts")
                .header(name, value)
                .body("{\"email\":\"a@example.com\"}"),
        )
    };
    for media_type in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/x-ndjson",
        "application/json; charset=iso-8859-1",
    ] {
        send("content-type", media_type).is_problem(415, "media-type");
    }
    send("accept", "*/*").is_problem(415, "media-type");
    send("content-encoding", "gzip").is_problem(415, "media-type");
    assert_eq!(
        send("content-type", "application/vnd.desk+json; charset=UTF-8").status,
        201
    );
}

#[test]
fn an_unknown_source_is_not_found() {
    let server = Server::start();
    let answer = server
        .admin()
        .deliver("desk", &json!({"email": "a@example.com"}));
    let problem = answer.is_problem(404, "not-found");
    assert!(problem["detail"].as_str().unwrap().contains("`desk`"));
}

#[test]
fn numbers_keep_their_digits() {
    let server = Server::start();
    let desk = server.source("desk");
    let body = r#"{"external_id": 12345678901234567890123, "email": "a@example.com"}"#;
    let attempt = desk.deliver_raw("desk", body).json();
    assert_eq!(attempt["external_id"], "12345678901234567890123");
    let id = attempt["id"].as_str().unwrap();
    assert_eq!(
        desk.get(&format!("/api/v1/logs/{id}")).json()["payload"],
        body
    );
}

#[test]
fn the_mapping_of_a_source_says_where_values_are() {
    let server = Server::start();
    let desk = server.source_with(json!({
        "name": "desk",
        "region": "DE",
        "namespace": "pms",
        "mapping": {"columns": [
            {"column": "guest.no", "field": "external_id"},
            {"column": "guest.tel", "field": "phone"},
        ]},
    }));
    let attempt = desk
        .deliver("desk", &json!({"guest": {"no": "7", "tel": "030 123456"}}))
        .json();
    assert_eq!(attempt["phone"], "+4930123456");
    let contact = attempt["contact_id"].as_str().unwrap();
    let contact = server
        .admin()
        .get(&format!("/api/v1/contacts/{contact}"))
        .json();
    assert_eq!(contact["external_ids"], json!({"pms": "7"}));
}
