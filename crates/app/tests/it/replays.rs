//! Records of the log, replayed.

use reqwest::blocking::multipart::{Form, Part};
use serde_json::{Value, json};

use crate::support::{Answer, Caller, Server, answer, eventually};

/// Numbers in German, before anybody said that they are.
const GUESTS: &str = "Name;Telefon;Geboren\n\
                      Anna;030 123456;13.04.1990\n\
                      Ben;+49301;\n\
                      Cleo;030 654321;02.03.1991\n";

fn import(caller: &Caller, content: &str) -> String {
    let file = Part::bytes(content.as_bytes().to_vec()).file_name("guests.csv");
    let form = Form::new().part("file", file);
    let uploaded = answer(caller.request("POST", "/api/v1/imports").multipart(form));
    assert_eq!(uploaded.status, 202, "{uploaded:?}");
    let id = uploaded.json()["id"].as_str().unwrap().to_owned();
    over(caller, &id);
    id
}

fn over(caller: &Caller, id: &str) -> Value {
    eventually("the end of the import", || {
        let import = caller.get(&format!("/api/v1/imports/{id}")).json();
        (import["state"] == "done").then_some(import)
    })
}

fn id_of(answer: &Answer) -> String {
    answer.json()["id"].as_str().unwrap().to_owned()
}

fn replay(caller: &Caller, id: &str, edit: &Value) -> Answer {
    caller.post(&format!("/api/v1/logs/{id}/replay"), edit)
}

fn all(caller: &Caller) -> u64 {
    let counts = caller.get("/api/v1/logs/summary").json();
    counts["counts"]["all"].as_u64().unwrap()
}

#[test]
fn an_edited_record_mends_a_failure_and_links_to_it() {
    let server = Server::start();
    let desk = server.source("desk");
    let failed = desk.deliver("desk", &json!({"name": "Anna", "phone": "12"}));
    assert_eq!(failed.status, 422);
    let id = id_of(&failed);
    let before = desk.get(&format!("/api/v1/logs/{id}")).json();
    assert_eq!(before["replays"], json!([]));

    let path = format!("/api/v1/logs/{id}/replay");
    let again = answer(desk.request("POST", &path));
    assert_eq!(again.status, 422, "{again:?}");
    assert_eq!(again.json()["replay_of"], id.as_str());

    let edit = json!({"payload": {"name": "Anna", "phone": "+49 30 123456"}});
    let mended = replay(&desk, &id, &edit);
    assert_eq!(mended.status, 201, "{mended:?}");
    assert_eq!(mended.header("location"), Some("/api/v1/contacts/1"));
    assert_eq!(mended.json()["replay_of"], id.as_str());
    let mut after = desk.get(&format!("/api/v1/logs/{id}")).json();
    assert_eq!(after["replays"], json!([id_of(&again), id_of(&mended)]));
    after["replays"] = json!([]);
    assert_eq!(after, before, "the old attempt stays as it is");
    let new = desk.get(&format!("/api/v1/logs/{}", id_of(&mended))).json();
    assert_eq!(new["payload"], r#"{"name":"Anna","phone":"+49 30 123456"}"#);
    // A replay can be replayed; nothing changes any more.
    let third = replay(&desk, &id_of(&mended), &json!({}));
    assert_eq!((third.status, &third.json()["changes"]), (200, &json!([])));
}

#[test]
fn an_edited_record_that_is_none_leaves_no_attempt() {
    let server = Server::start();
    let desk = server.source("desk");
    let id = id_of(&desk.deliver("desk", &json!({"phone": "12"})));
    for text in ["{\"phone\":", "[1]", ""] {
        let edit = json!({"payload_text": text});
        replay(&desk, &id, &edit).is_problem(400, "record-unreadable");
    }
    replay(&desk, &id, &json!({"payload": {}, "payload_text": "{}"})).is_problem(400, "body");
    replay(&desk, &id, &json!({"paylod": {}})).is_problem(400, "body");
    let unknown = json!({"mapping": {"phone": "telephone"}});
    replay(&desk, &id, &unknown).is_problem(422, "mapping");
    assert_eq!(all(&desk), 1);
}

#[test]
fn a_mapping_can_be_said_for_a_replay() {
    let server = Server::start();
    let desk = server.source("desk");
    let record = json!({"Kennung": "G-7", "name": "Anna"});
    let id = id_of(&desk.deliver("desk", &record));
    let replayed = replay(&desk, &id, &json!({"mapping": {"Kennung": "external_id"}}));
    assert_eq!(replayed.status, 201, "{replayed:?}");
    assert_eq!(replayed.json()["external_id"], "G-7");
    assert_eq!(replayed.json()["name"], "Anna");
}

#[test]
fn only_those_who_see_an_attempt_replay_it_and_only_while_its_source_takes_records() {
    let server = Server::start();
    let desk = server.source("desk");
    let other = server.source("other");
    let id = id_of(&desk.deliver("desk", &json!({"email": "a@example.com"})));
    replay(&other, &id, &json!({})).is_problem(404, "not-found");
    let path = "/api/v1/logs/replay?source=desk";
    other.get(path).is_problem(403, "forbidden");
    other.post(path, &json!({})).is_problem(403, "forbidden");
    // Without a source it is the key's own, in which there is nothing.
    assert_eq!(other.get("/api/v1/logs/replay").json()["records"], 0);
    other
        .post("/api/v1/logs/replay", &json!({}))
        .is_problem(409, "replay");

    let admin = server.admin();
    let paused = admin.patch("/api/v1/sources/desk", &json!({"paused": true}));
    assert_eq!(paused.status, 200);
    replay(&admin, &id, &json!({})).is_problem(423, "source-paused");
    let count = admin.get(path).json();
    assert_eq!(count["records"], 0);
    assert_eq!(count["left_out"][0]["reason"], "source_paused");
    assert_eq!(all(&admin), 1);
}

#[test]
fn the_failures_of_an_import_are_replayed_once_what_was_wrong_is_set_right() {
    let server = Server::start();
    let admin = server.admin();
    let import = import(&admin, GUESTS);
    let path = format!("/api/v1/logs/replay?import={import}&result=failure");
    let count = admin.get(&path).json();
    assert_eq!(count["records"], 3);
    assert_eq!(count["sources"][0]["source"], "manual");
    admin
        .post(&format!("{path}&confirm_count=2"), &json!({}))
        .is_problem(409, "replay");
    let region = admin.patch("/api/v1/sources/manual", &json!({"region": "DE"}));
    assert_eq!(region.status, 200, "{region:?}");
    let asked = admin.post(&format!("{path}&confirm_count=3"), &json!({}));
    assert_eq!(asked.status, 202, "{asked:?}");
    let replays = asked.json()["imports"].clone();
    let id = replays[0]["id"].as_str().unwrap();
    let replay = over(&admin, id);
    assert_eq!(replay["kind"], "replay");
    assert_eq!(replay["parent"], import.as_str());
    assert_eq!(replay["file_name"], "Replay of 3 records");
    assert_eq!(
        replay["totals"],
        json!({"records": 3, "created": 2, "updated": 0, "unchanged": 0, "removed": 0, "warnings": 0, "failed": 1})
    );
    let log = admin.get(&format!("/api/v1/logs?import={id}")).json();
    let attempts = log["attempts"].as_array().unwrap();
    let rows: Vec<&Value> = attempts.iter().map(|attempt| &attempt["row"]).collect();
    assert_eq!(rows, [3, 2, 1]);
    for attempt in attempts {
        let old = attempt["replay_of"].as_str().unwrap();
        let old = admin.get(&format!("/api/v1/logs/{old}")).json();
        assert_eq!(old["import_id"], import.as_str());
        assert_eq!(old["replays"], json!([attempt["id"]]));
    }
    // The order of the dates is the one that the whole file decided.
    let contact = admin.get("/api/v1/contacts/2").json();
    assert_eq!(contact["fields"]["birthday"], "1991-03-02");

    // Once more: the replays stand for their rows, so there is nothing to do, unless one wants it.
    let count = admin.get(&path).json();
    assert_eq!(
        (&count["records"], &count["left_out"][0]["count"]),
        (&json!(0), &json!(3))
    );
    assert_eq!(count["left_out"][0]["reason"], "replayed");
    admin.post(&path, &json!({})).is_problem(409, "replay");
    let again = admin.post(&format!("{path}&again=true"), &json!({}));
    let again = over(&admin, again.json()["imports"][0]["id"].as_str().unwrap());
    assert_eq!(
        (&again["totals"]["unchanged"], &again["totals"]["failed"]),
        (&json!(2), &json!(1))
    );
    // A row of a replay is read as its file was.
    let last = attempts[1]["id"].as_str().unwrap();
    let edit = json!({"payload_text": "Ben;030 77777;01.02.1990"});
    let mended = self::replay(&admin, last, &edit);
    assert_eq!(mended.status, 201, "{mended:?}");
    let contact = mended.header("location").unwrap();
    let birthday = admin.get(contact).json()["fields"]["birthday"].clone();
    assert_eq!(birthday, "1990-02-01");
    self::replay(&admin, last, &json!({"payload": {"Name": "Ben"}})).is_problem(400, "body");
    // What is shown of it and its failed rows is no file's.
    assert_eq!(admin.get(&format!("/api/v1/imports/{id}")).status, 200);
}

#[test]
fn records_of_several_sources_become_an_import_each() {
    let server = Server::start();
    let admin = server.admin();
    for name in ["one", "two"] {
        let source = server.source(name);
        source.deliver(name, &json!({"Ref": format!("{name}-1")}));
        source.deliver(name, &json!({"Ref": format!("{name}-2")}));
    }
    let mapping = json!({"mapping": {"Ref": "external_id"}});
    let asked = admin.post("/api/v1/logs/replay?result=failure", &mapping);
    assert_eq!(asked.status, 202, "{asked:?}");
    let imports = asked.json()["imports"].as_array().unwrap().clone();
    assert_eq!(imports.len(), 2);
    for import in &imports {
        let done = over(&admin, import["id"].as_str().unwrap());
        assert_eq!(done["totals"]["created"], 2, "{done}");
        assert_eq!(done["parent"], Value::Null);
    }
}

#[test]
fn what_was_changed_in_the_review_holds_in_a_replay_and_what_was_left_out_stays_out() {
    let server = Server::start();
    let admin = server.admin();
    let file = Part::bytes(GUESTS.as_bytes().to_vec()).file_name("guests.csv");
    let form = Form::new().part("file", file).text("run", "false");
    let uploaded = answer(admin.request("POST", "/api/v1/imports").multipart(form));
    let import = uploaded.json()["id"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/imports/{import}");
    eventually("the review", || {
        let review = admin.get(&format!("{path}/review")).json();
        (review["state"] == "done").then_some(())
    });
    for (row, change) in [
        (1, json!({"cells": {"Name": "Anna Weber"}})),
        (3, json!({"dropped": true})),
    ] {
        let changed = admin.patch(&format!("{path}/rows/{row}"), &change);
        assert_eq!(changed.status, 200, "{changed:?}");
    }
    assert_eq!(admin.post(&format!("{path}/start"), &json!({})).status, 202);
    over(&admin, &import);
    admin.patch("/api/v1/sources/manual", &json!({"region": "DE"}));
    let filter = format!("/api/v1/logs/replay?import={import}&result=failure");
    let count = admin.get(&filter).json();
    assert_eq!(count["records"], 2, "{count}");
    assert_eq!(count["left_out"][0]["reason"], "dropped");
    let asked = admin.post(&filter, &json!({})).json();
    over(&admin, asked["imports"][0]["id"].as_str().unwrap());
    assert_eq!(admin.get("/api/v1/contacts/1").json()["name"], "Anna Weber");

    // Who asks for the row that was left out gets it; the replay of a replay still knows the change.
    let log = admin.get(&format!("/api/v1/logs?import={import}")).json();
    let id = |row: usize| log["attempts"][3 - row]["id"].as_str().unwrap().to_owned();
    assert_eq!(replay(&admin, &id(3), &json!({})).status, 201);
    let first = replay(&admin, &id(1), &json!({}));
    let second = replay(&admin, &id_of(&first), &json!({}));
    assert_eq!(
        (second.status, &second.json()["changes"]),
        (200, &json!([]))
    );
    assert_eq!(second.json()["name"], "Anna Weber");
    let edit = json!({"payload_text": "Anne;030 123456;"});
    let third = replay(&admin, &id_of(&second), &edit);
    assert_eq!(third.json()["name"], "Anne");
    let fourth = replay(&admin, &id_of(&third), &json!({}));
    assert_eq!(fourth.json()["name"], "Anne", "{fourth:?}");
}
