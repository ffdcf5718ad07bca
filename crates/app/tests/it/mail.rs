//! Mail: who is told of an import, the outbox, and the settings.

use std::fs;
use std::path::Path;

use reqwest::blocking::multipart::{Form, Part};
use serde_json::{Value, json};

use crate::support::{Answer, Caller, Server, answer, eventually};

const GUESTS: &str = "Name,Phone,Email\n\
    Ada,+49 30 1234567,ada@example.com\n\
    Bob,555-01,bob@example.com\n\
    Cleo,+49 30 1234569,cleo.example.com\n";

fn put(caller: &Caller, path: &str, json: &Value) -> Answer {
    answer(caller.request("PUT", path).json(json))
}

/// A server that writes mails into a folder, and tells the desk of everything.
fn server(folder: &Path) -> Server {
    let mail = format!("folder:{}", folder.display());
    let server = Server::start_with(&["--mail", &mail, "--public-url", "https://rollbook.example"]);
    let set = put(
        &server.admin(),
        "/api/v1/notifications",
        &json!({"recipients": ["desk@hotel.example", "boss@hotel.example"]}),
    );
    assert_eq!(set.status, 200, "{set:?}");
    server
}

fn import(caller: &Caller, name: &str, content: &str) {
    let file = Part::text(content.to_owned()).file_name(name.to_owned());
    let form = Form::new().part("file", file);
    let uploaded = answer(caller.request("POST", "/api/v1/imports").multipart(form));
    assert_eq!(uploaded.status, 202, "{uploaded:?}");
}

/// The mails of the outbox once so many were sent, newest first.
fn sent(admin: &Caller, count: usize) -> Vec<Value> {
    eventually("the mails", || {
        let mails = admin.get("/api/v1/outbox").json()["mails"].clone();
        let mails = mails.as_array().unwrap().clone();
        let all = mails.len() == count && mails.iter().all(|mail| mail["state"] == "sent");
        all.then_some(mails)
    })
}

fn files(folder: &Path) -> Vec<String> {
    let mut files: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap())
        .collect();
    files.sort();
    files
}

#[test]
fn an_import_is_told_to_every_recipient_and_the_subject_says_the_outcome() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(folder.path());
    let admin = server.admin();
    import(&admin, "guests.csv", GUESTS);
    let mails = sent(&admin, 2);
    for (mail, to) in mails
        .iter()
        .zip(["boss@hotel.example", "desk@hotel.example"])
    {
        assert_eq!(mail["to"], to);
        assert_eq!(mail["kind"], "import_report");
        assert_eq!(mail["subject"], "2 of 3 rows failed: guests.csv");
        assert_eq!(mail["attempts"], 1);
        assert_eq!(mail["last_error"], json!(null));
    }
    let files = files(folder.path());
    assert_eq!(files.len(), 2);
    for file in &files {
        for part in [
            "Subject: 2 of 3 rows failed: guests.csv\r\n",
            "multipart/mixed",
            "multipart/alternative",
            "text/csv",
            "guests-failed-rows.csv",
        ] {
            assert!(file.contains(part), "{part}: {file}");
        }
    }
}

#[test]
fn failed_rows_over_the_limit_are_linked() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(folder.path());
    let admin = server.admin();
    let settings = json!({"recipients": ["desk@hotel.example"], "attachment_bytes": 50});
    put(&admin, "/api/v1/notifications", &settings);
    import(&admin, "guests.csv", GUESTS);
    sent(&admin, 1);
    let file = files(folder.path()).remove(0);
    // Long lines of an encoded part end in `=`.
    let text = file.replace("=\r\n", "");
    assert!(!text.contains("text/csv"), "{text}");
    assert!(
        text.contains("too large to attach (the limit is 50 bytes)"),
        "{text}"
    );
    assert!(text.contains("https://rollbook.example/imports/"), "{text}");
    assert!(text.contains("/failed-rows.csv"), "{text}");
}

#[test]
fn a_file_without_problems_is_told_as_imported() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(folder.path());
    let admin = server.admin();
    import(&admin, "guests.csv", "Name,Email\nAda,ada@example.com\n");
    let mails = sent(&admin, 2);
    assert_eq!(mails[0]["subject"], "guests.csv: 1 row imported");
    assert!(!files(folder.path())[0].contains("failed-rows.csv"));
}

#[test]
fn a_nightly_file_of_a_system_is_only_told_when_something_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(folder.path());
    let admin = server.admin();
    let pms = server.source("pms");
    let upload = |name: &str, content: &str| {
        let file = Part::text(content.to_owned()).file_name(name.to_owned());
        let form = Form::new().text("source", "pms").part("file", file);
        let uploaded = answer(pms.request("POST", "/api/v1/imports").multipart(form));
        assert_eq!(uploaded.status, 202, "{uploaded:?}");
        let id = uploaded.json()["id"].as_str().unwrap().to_owned();
        eventually("the import", || {
            let import = pms.get(&format!("/api/v1/imports/{id}")).json();
            (import["state"] == "done").then_some(())
        });
    };
    upload("good.csv", "Name,Email\nAda,ada@example.com\n");
    upload("bad.csv", GUESTS);
    let mails = sent(&admin, 2);
    assert_eq!(mails[0]["subject"], "2 of 3 rows with warnings: bad.csv");
}

#[test]
fn a_test_mail_tells_at_once_what_came_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(folder.path());
    let admin = server.admin();
    let test = |to: &str| admin.post("/api/v1/notifications/test", &json!({ "to": to }));
    let told = test("Ada@Hotel.example").json();
    assert_eq!(
        (&told["state"], &told["to"]),
        (&json!("sent"), &json!("ada@hotel.example"))
    );
    test("nobody").is_problem(422, "value");
    let said = server.rollbook(&["mail", "list", "--json"]);
    assert!(said.contains("ada@hotel.example"), "{said}");
    let id = told["id"].as_str().unwrap();
    admin
        .post(&format!("/api/v1/outbox/{id}/retry"), &json!({}))
        .is_problem(409, "mail-state");

    let none = Server::start();
    let test = json!({"to": "ada@hotel.example"});
    none.admin()
        .post("/api/v1/notifications/test", &test)
        .is_problem(422, "value");
}

#[test]
fn settings_are_changed_and_what_they_cannot_be_is_refused() {
    let server = Server::start();
    let admin = server.admin();
    server.source("pms");
    let usual = admin.get("/api/v1/notifications").json();
    assert_eq!(
        usual["digest"],
        json!({"every": "daily", "at": "08:00", "on": null})
    );
    assert_eq!(usual["to_uploader"], true);
    let new = json!({
        "recipients": ["A@x.example", "a@X.example"],
        "digest": {"every": "weekly", "on": "monday", "at": "7:30"},
        "quiet": {"from": "22:00", "to": "07:00"},
        "attachment_bytes": 0,
        "sources": {"pms": {"recipients": [], "silence": "hours", "silence_hours": 12, "failure_jump": false}},
    });
    let set = put(&admin, "/api/v1/notifications", &new);
    assert_eq!(set.status, 200, "{set:?}");
    let now = set.json();
    assert_eq!(now["recipients"], json!(["a@x.example"]));
    assert_eq!(now["digest"]["at"], "07:30");
    assert_eq!(now["sources"]["pms"]["silence_hours"], 12);
    assert_eq!(admin.get("/api/v1/notifications").json(), now);
    for (wrong, member) in [
        (json!({"recipients": ["x"]}), "recipients"),
        (json!({"digest": {"every": "daily"}}), "digest"),
        (
            json!({"digest": {"every": "weekly", "at": "08:00"}}),
            "digest",
        ),
        (json!({"quiet": {"from": "25:00", "to": "07:00"}}), "quiet"),
        (json!({"attachment_bytes": 100_000_000}), "attachment_bytes"),
        (json!({"sources": {"nowhere": {}}}), "sources"),
        (
            json!({"sources": {"pms": {"silence": "hours"}}}),
            "silence_hours",
        ),
    ] {
        let problem = put(&admin, "/api/v1/notifications", &wrong).is_problem(422, "value");
        assert_eq!(problem["member"], member, "{wrong}");
    }
    put(&admin, "/api/v1/notifications", &json!({"recipient": "x"})).is_problem(400, "body");
    let source = server.caller(None);
    source
        .get("/api/v1/notifications")
        .is_problem(401, "key-missing");
}
