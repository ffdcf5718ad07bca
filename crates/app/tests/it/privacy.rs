//! Erasing a person, telling everything about one, and for how long things are kept: over HTTP, pages and commands.

use reqwest::blocking::multipart::{Form, Part};
use serde_json::{Value, json};

use crate::support::{Answer, Caller, Server, answer, eventually};

const FILE: &str = "id,name,phone,email\n\
    7,Zita Weber,030 12345678,zita@hotel.example\n\
    8,Ben Berg,030 87654321,ben@hotel.example\n";

fn upload(admin: &Caller, name: &str, content: &str) -> String {
    let file = Part::text(content.to_owned()).file_name(name.to_owned());
    let request = admin.request("POST", "/api/v1/imports");
    let import = answer(request.multipart(Form::new().part("file", file)));
    assert_eq!(import.status, 202, "{import:?}");
    let id = import.json()["id"].as_str().unwrap().to_owned();
    eventually("the import", || {
        let import = admin.get(&format!("/api/v1/imports/{id}")).json();
        (import["state"] == "done").then_some(())
    });
    id
}

fn contact_of(admin: &Caller, text: &str) -> String {
    let found = admin.get(&format!("/api/v1/contacts?q={text}")).json();
    let id = &found["contacts"][0]["id"];
    id.to_string().trim_matches('"').to_owned()
}

fn erase(admin: &Caller, contact: &str) -> Value {
    let begun = admin.post(&format!("/api/v1/contacts/{contact}/erase"), &json!({}));
    assert_eq!(begun.status, 202, "{begun:?}");
    let address = begun.header("location").unwrap().to_owned();
    eventually("the erasure", || {
        let erasure = admin.get(&address).json();
        (erasure["state"] == "done").then_some(erasure)
    })
}

fn acts(admin: &Caller) -> Vec<String> {
    let page = admin.get("/api/v1/audit?limit=500").json();
    let entries = page["entries"].as_array().unwrap().iter();
    entries
        .map(|entry| format!("{}: {}", entry["what"].as_str().unwrap(), entry["about"]))
        .collect()
}

/// A server where Zita is in a file, in deliveries and in the record of somebody else.
fn hotel() -> (Server, Caller) {
    let server = Server::start();
    server.rollbook(&["workspace", "set", "--name", "Hotel", "--region", "DE"]);
    let admin = server.admin();
    upload(&admin, "guests.csv", FILE);
    let desk = server.source("desk");
    for record in [
        json!({"email": "zita@hotel.example", "name": "Zita Weber", "city": "Kiel"}),
        json!({"email": "ben@hotel.example", "x": "with zita@hotel.example"}),
    ] {
        let delivered = desk.deliver("desk", &record);
        assert_eq!(delivered.status, 200, "{delivered:?}");
    }
    (server, desk)
}

#[test]
fn an_erased_person_is_in_no_answer_and_in_no_file() {
    let (server, desk) = hotel();
    let admin = server.admin();
    let counts = || admin.get("/api/v1/logs/summary").json()["counts"].clone();
    let before = counts();
    let zita = contact_of(&admin, "zita");
    let preview = admin
        .get(&format!("/api/v1/contacts/{zita}/erasure"))
        .json();
    assert_eq!(
        (&preview["attempts"], &preview["files"]),
        (&json!(2), &json!(1)),
        "{preview}"
    );
    let erasure = erase(&admin, &zita);
    assert_eq!(erasure["attempts"], 3, "{erasure}");
    assert_eq!(erasure["files_rewritten"], 1, "{erasure}");
    assert_eq!(erasure["identifiers"], 3, "{erasure}");

    for path in [
        "/api/v1/contacts",
        "/api/v1/logs/export?format=ndjson",
        "/api/v1/logs/export?format=csv",
        "/api/v1/contacts/export?format=csv",
    ] {
        let text = admin.get(path).text.to_lowercase();
        assert!(
            !text.contains("zita") && !text.contains("12345678"),
            "{path}: {text}"
        );
    }
    assert_eq!(counts(), before);
    let kept = server.files();
    for text in ["zita", "12345678"] {
        for (name, bytes) in &kept {
            let found = bytes
                .windows(text.len())
                .any(|window| window.eq_ignore_ascii_case(text.as_bytes()));
            assert!(!found, "{text} is in {name}");
        }
    }
    let imports = admin.get("/api/v1/imports").json();
    let import = imports["imports"][0]["id"].as_str().unwrap();
    let file = admin.get(&format!("/api/v1/imports/{import}/file")).text;
    assert_eq!(file.len(), FILE.len());
    assert!(
        file.contains("8,Ben Berg,030 87654321,ben@hotel.example"),
        "{file}"
    );

    // The nightly feed and the file once more.
    let again = desk.deliver(
        "desk",
        &json!({"email": "ZITA@hotel.example", "city": "Kiel"}),
    );
    assert_eq!(again.status, 422, "{again:?}");
    let attempt = again.json();
    assert_eq!(attempt["issues"][0]["code"], "contact.erased");
    let shown = admin.get(&format!("/api/v1/logs/{}", attempt["id"].as_str().unwrap()));
    assert_eq!(shown.json()["payload"], "");
    let second = upload(&admin, "guests.csv", FILE);
    let second = admin.get(&format!("/api/v1/imports/{second}")).json();
    assert_eq!(second["totals"]["failed"], 1, "{second}");

    let lifted = admin.post(
        &format!("/api/v1/erasures/{}/lift", erasure["number"]),
        &json!({}),
    );
    assert!(lifted.json()["lifted_at"].is_string(), "{lifted:?}");
    let back = desk.deliver("desk", &json!({"email": "zita@hotel.example"}));
    assert_eq!(back.status, 201, "{back:?}");
    let acts = acts(&admin);
    let number = &erasure["number"];
    for expected in [
        format!("contact.erased: \"contact {zita}, erasure {number}\""),
        format!("erasure.lifted: \"contact {zita}, erasure {number}\""),
    ] {
        assert!(acts.contains(&expected), "{expected}: {acts:?}");
    }
}

#[test]
fn everything_about_a_person_is_told() {
    let (server, _desk) = hotel();
    let admin = server.admin();
    let zita = contact_of(&admin, "zita");
    let check = |person: &Value| {
        assert_eq!(
            person["contact"]["fields"]["name"], "Zita Weber",
            "{person}"
        );
        let attempts = person["attempts"].as_array().unwrap();
        assert_eq!(attempts.len(), 2, "{person}");
        assert!(attempts[0]["payload"].as_str().unwrap().contains("Zita"));
        let rows = person["files"][0]["rows"].as_array().unwrap();
        assert_eq!(rows.len(), 1);
        assert!(
            !person.to_string().contains("ben@hotel.example"),
            "{person}"
        );
    };
    check(&admin.get(&format!("/api/v1/contacts/{zita}/person")).json());
    let by_command = server.rollbook(&["contacts", "person", &zita]);
    check(&serde_json::from_str(&by_command).unwrap());
    let person = server.person("Hotel", "admin@hotel.example", "admin");
    let page = person.get(&format!("/contacts/{zita}/person.json"));
    check(&page.json());
    assert!(
        page.header("content-disposition")
            .unwrap()
            .contains("attachment")
    );
    let told = acts(&admin);
    let exported = told.iter().filter(|act| act.starts_with("person.exported"));
    assert_eq!(exported.count(), 3, "{told:?}");
}

#[test]
fn a_person_is_erased_from_the_page_after_a_word_was_typed() {
    let (server, _desk) = hotel();
    let zita = contact_of(&server.admin(), "zita");
    let address = format!("/contacts/{zita}/erase");
    let importer = server.person("Hotel", "importer@hotel.example", "importer");
    assert_eq!(importer.get(&address).status, 403);
    assert_eq!(importer.post(&address, &[("word", "erase")]).status, 403);
    let admin = server.person("Hotel", "admin@hotel.example", "admin");
    let page = admin.get(&address);
    assert!(
        page.text.contains("Zita Weber") && page.text.contains("2 attempts"),
        "{page:?}"
    );
    let refused = admin.post(&address, &[("word", "yes")]);
    assert_eq!(refused.status, 422);
    assert!(refused.text.contains("Nothing was changed"), "{refused:?}");
    assert_eq!(admin.get(&format!("/contacts/{zita}")).status, 200);
    let erased = admin.post(&address, &[("word", "erase")]);
    assert_eq!(erased.header("location"), Some("/settings/privacy#erased"));
    let names_her = |answer: &Answer| answer.text.contains(&format!("Contact {zita}"));
    eventually("the erasure", || {
        let page = admin.get("/settings/privacy");
        assert!(names_her(&page), "{page:?}");
        (!page.text.contains("still looking")).then_some(())
    });
    let contact = admin.get(&format!("/contacts/{zita}")).text;
    assert!(
        contact.contains("This person was erased") && !contact.contains("Zita"),
        "{contact}"
    );
    let lifted = admin.post("/settings/privacy/erasures/1/lift", &[]);
    assert_eq!(lifted.status, 303, "{lifted:?}");
    assert_eq!(
        admin.post("/settings/privacy/erasures/9/lift", &[]).status,
        404
    );
}

#[test]
fn retention_is_set_and_swept_from_page_api_and_command_line() {
    let (server, desk) = hotel();
    let admin = server.admin();
    let put = |settings: &Value| answer(admin.request("PUT", "/api/v1/retention").json(settings));
    let refused = put(&json!({"payload_days": 0}));
    refused.is_problem(422, "value");
    let set = put(&json!({"payload_days": 1, "file_days": 2}));
    assert_eq!(set.json()["file_days"], 2, "{set:?}");
    let person = server.person("Hotel", "admin@hotel.example", "admin");
    let wrong = person.post("/settings/privacy", &[("payloads", "many"), ("files", "2")]);
    assert_eq!(wrong.status, 422);
    assert!(wrong.text.contains("value=\"many\""), "{wrong:?}");
    let saved = person.post("/settings/privacy", &[("payloads", "3"), ("attempts", "")]);
    assert_eq!(saved.status, 303);
    server.rollbook(&["privacy", "set", "--attempts", "400"]);
    let shown = server.rollbook(&["privacy", "show"]);
    assert_eq!(
        shown,
        "payloads  3 days\nattempts  400 days\nfiles     for ever"
    );
    // Everything here is younger than that.
    server.rollbook(&["privacy", "sweep"]);
    assert_eq!(
        desk.get("/api/v1/logs").json()["attempts"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    let retention = admin.get("/api/v1/retention").json();
    assert_eq!(retention["attempts_dropped"], 0);
    let changed = acts(&admin);
    let changed = changed
        .iter()
        .filter(|act| *act == "setting.changed: \"retention\"");
    assert_eq!(changed.count(), 3);
}

#[test]
fn the_command_line_sets_each_of_the_times() {
    let (server, _desk) = hotel();
    server.rollbook(&[
        "privacy",
        "set",
        "--payloads",
        "90",
        "--attempts",
        "400",
        "--uploads",
        "30",
    ]);
    assert_eq!(
        server.rollbook(&["privacy", "show"]),
        "payloads  90 days\nattempts  400 days\nfiles     30 days"
    );
}

#[test]
fn a_person_is_erased_on_the_command_line() {
    let (server, _desk) = hotel();
    let admin = server.admin();
    let zita = contact_of(&admin, "zita");
    server.rollbook(&["contacts", "erase", &zita, "--dry-run"]);
    assert_eq!(contact_of(&admin, "zita"), zita);
    let erased = server.rollbook(&["contacts", "erase", &zita, "--yes", "--json"]);
    let erased: Value = serde_json::from_str(&erased).unwrap();
    assert_eq!(erased["state"], "done");
    assert_eq!(contact_of(&admin, "zita"), "null");
    server.rollbook(&["privacy", "lift", "1"]);
    let listed = server.rollbook(&["privacy", "erasures", "--json"]);
    let listed: Value = serde_json::from_str(&listed).unwrap();
    assert!(listed["lifted_at"].is_string(), "{listed}");
}
