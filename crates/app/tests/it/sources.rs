//! Sources.

use serde_json::json;

use crate::support::{Server, answer, refused_within_a_second};

#[test]
fn a_source_is_added_listed_and_changed() {
    let server = Server::start();
    let admin = server.admin();
    let added = admin.post(
        "/api/v1/sources",
        &json!({"name": "desk", "region": "Germany"}),
    );
    assert_eq!(added.status, 201);
    assert_eq!(added.header("location"), Some("/api/v1/sources/desk"));
    let source = added.json();
    assert_eq!(source["label"], "desk");
    assert_eq!(source["mode"], "automatic");
    assert_eq!(source["namespace"], "default");
    assert_eq!(source["region"], "DE");
    assert_eq!(source["paused"], false);
    let names: Vec<String> = admin.get("/api/v1/sources").json()["sources"]
        .as_array()
        .unwrap()
        .iter()
        .map(|source| source["name"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(names, ["desk", "manual"]);

    let change = json!({
        "label": "Front desk",
        "region": null,
        "namespace": "pms",
        "mapping": {"columns": [{"column": "mail", "field": "email"}]},
    });
    let changed = admin.patch("/api/v1/sources/desk", &change).json();
    assert_eq!(changed["label"], "Front desk");
    assert_eq!(changed["region"], json!(null));
    assert_eq!(changed["mapping"]["columns"][0]["column"], "mail");
    assert_eq!(admin.get("/api/v1/sources/desk").json(), changed);
    let attempt = admin.deliver("desk", &json!({"mail": "a@example.com"}));
    assert_eq!(attempt.status, 201);
    let unmapped = admin
        .patch("/api/v1/sources/desk", &json!({"mapping": null}))
        .json();
    assert_eq!(unmapped["mapping"], json!(null));
    assert_eq!(
        admin
            .deliver("desk", &json!({"email": "b@example.com"}))
            .status,
        201
    );
    let counted = admin.get("/api/v1/sources/desk").json();
    assert_eq!(counted["counts"]["success"], 2);
    assert!(counted["last_received_at"].is_string());
}

#[test]
fn what_a_source_cannot_be_is_refused() {
    let server = Server::start();
    let admin = server.admin();
    let add = |source: &serde_json::Value| admin.post("/api/v1/sources", source);
    add(&json!({"name": "Front desk"})).is_problem(422, "value");
    add(&json!({"name": "desk", "region": "Atlantis"})).is_problem(422, "value");
    let unknown = json!({"name": "desk", "mapping": {"columns": [{"column": "a", "field": "b"}]}});
    add(&unknown).is_problem(422, "mapping");
    add(&json!({"name": "desk", "mode": "magic"})).is_problem(400, "body");
    add(&json!({})).is_problem(400, "body");
    add(&json!({"name": "manual"})).is_problem(409, "exists");
    admin
        .get("/api/v1/sources/desk")
        .is_problem(404, "not-found");
    admin
        .patch("/api/v1/sources/desk", &json!({}))
        .is_problem(404, "not-found");
    admin
        .patch("/api/v1/sources/manual", &json!({"label": " "}))
        .is_problem(422, "value");
    admin
        .patch("/api/v1/sources/manual", &json!({"name": "x"}))
        .is_problem(400, "body");
    let broken = admin
        .request("POST", "/api/v1/sources")
        .header("content-type", "application/json")
        .body("{");
    answer(broken).is_problem(400, "body");
    let form = admin.request("POST", "/api/v1/sources").body("name=desk");
    answer(form).is_problem(415, "media-type");
}

#[test]
fn a_paused_source_refuses_and_a_resumed_one_takes() {
    let server = Server::start();
    let desk = server.source("desk");
    let admin = server.admin();
    let record = json!({"email": "a@example.com"});
    assert_eq!(desk.deliver("desk", &record).status, 201);
    assert_eq!(
        admin
            .patch("/api/v1/sources/desk", &json!({"paused": true}))
            .json()["paused"],
        true
    );
    let problem = desk
        .deliver("desk", &record)
        .is_problem(423, "source-paused");
    assert!(
        problem["detail"]
            .as_str()
            .unwrap()
            .contains("rollbook source resume desk")
    );
    desk.batch("desk", "application/x-ndjson", "{}")
        .is_problem(423, "source-paused");
    // The refused record stands in the log; what came before can still be read.
    let counts = desk.get("/api/v1/logs/summary").json()["counts"].clone();
    assert_eq!((&counts["all"], &counts["failure"]), (&json!(2), &json!(1)));
    let id = problem["attempt_id"].as_str().unwrap();
    let attempt = desk.get(&format!("/api/v1/logs/{id}")).json();
    assert_eq!(attempt["issues"][0]["code"], "source.paused");
    assert_eq!(attempt["email"], "a@example.com");
    admin.patch("/api/v1/sources/desk", &json!({"paused": false}));
    assert_eq!(desk.deliver("desk", &record).status, 200);
}

#[test]
fn a_source_paused_by_another_process_refuses_within_a_second() {
    let server = Server::start();
    let desk = server.source("desk");
    let record = json!({"email": "a@example.com"});
    assert_eq!(desk.deliver("desk", &record).status, 201);
    server.rollbook(&["source", "pause", "desk"]);
    refused_within_a_second(|| desk.deliver("desk", &record).status == 423);
}

#[test]
fn a_source_that_another_process_added_just_now_takes_records() {
    let server = Server::start();
    let first = server.source("first");
    let record = json!({"email": "anna@example.com"});
    // The sources are remembered for a moment from here on.
    assert_eq!(first.deliver("first", &record).status, 201);
    server.rollbook(&["source", "add", "second"]);
    let key = server.rollbook(&["key", "create", "--source", "second"]);
    let second = server.caller(Some(&key));
    let delivered = second.deliver("second", &record);
    assert_eq!(delivered.status, 200, "{delivered:?}");
}
