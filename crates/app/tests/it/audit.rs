//! Who did what is written down, and told to administrators alone.

use serde_json::{Value, json};

use crate::support::{Caller, Server};

/// What was done and what it was done to, the latest first, beside making the tests' own keys.
fn entries(admin: &Caller) -> Vec<(String, String, String)> {
    let page = admin.get("/api/v1/audit?limit=500").json();
    let text = |entry: &Value, name: &str| entry[name].as_str().unwrap().to_owned();
    let all = page["entries"].as_array().unwrap().iter();
    all.map(|entry| {
        (
            text(entry, "who"),
            text(entry, "what"),
            text(entry, "about"),
        )
    })
    .collect()
}

#[test]
fn looking_exporting_and_changing_are_audited() {
    let server = Server::start();
    let desk = server.source("desk");
    let admin = server.admin();
    server.rollbook(&["workspace", "set", "--name", "Hotel"]);
    let importer = server.person("Hotel", "importer@hotel.example", "importer");
    let viewer = server.person("Hotel", "viewer@hotel.example", "viewer");
    let attempt = desk
        .deliver("desk", &json!({"email": "zita@hotel.example"}))
        .json();
    let attempt = attempt["id"].as_str().unwrap();
    let before = entries(&admin).len();

    let page = format!("/settings/logs/{attempt}");
    assert_eq!(viewer.get(&page).status, 200);
    assert_eq!(entries(&admin).len(), before, "a viewer sees no payload");
    assert_eq!(importer.get(&page).status, 200);
    assert_eq!(importer.get("/settings/logs/export?format=csv").status, 200);
    admin.get(&format!("/api/v1/logs/{attempt}"));
    admin.get("/api/v1/contacts/export?format=csv");
    admin.patch("/api/v1/sources/desk", &json!({"paused": true}));
    server.rollbook(&["user", "set-role", "viewer@hotel.example", "importer"]);

    let key = format!("key tests ({}…)", &server.admin_key()[..8]);
    let person = "importer@hotel.example";
    let seen = format!("attempt {attempt}");
    let expected: Vec<(&str, &str, &str)> = vec![
        (
            "command line",
            "role.changed",
            "viewer@hotel.example, importer",
        ),
        (&key, "source.changed", "desk"),
        (&key, "contacts.exported", "csv"),
        (&key, "payload.seen", &seen),
        (person, "log.exported", "csv"),
        (person, "payload.seen", &seen),
    ];
    let all = entries(&admin);
    let latest = &all[..all.len() - before];
    let latest: Vec<(&str, &str, &str)> = latest
        .iter()
        .map(|(who, what, about)| (who.as_str(), what.as_str(), about.as_str()))
        .collect();
    assert_eq!(latest, expected);
    let text = admin.get("/api/v1/audit").text;
    assert!(
        !text.contains("zita@hotel.example"),
        "nothing of contacts: {text}"
    );

    let by_kind = admin.get("/api/v1/audit?what=payload.seen&limit=1").json();
    assert_eq!(by_kind["entries"][0]["address"], "127.0.0.1");
    let cursor = by_kind["next_cursor"].as_str().unwrap();
    let rest = admin
        .get(&format!("/api/v1/audit?what=payload.seen&cursor={cursor}"))
        .json();
    assert_eq!(rest["entries"][0]["who"], person);
    assert_eq!(rest["next_cursor"], Value::Null);
}

#[test]
fn administrators_alone_read_the_audit() {
    let server = Server::start();
    server.rollbook(&["workspace", "set", "--name", "Hotel"]);
    let desk = server.source("desk");
    desk.get("/api/v1/audit").is_problem(403, "forbidden");
    let importer = server.person("Hotel", "importer@hotel.example", "importer");
    assert_eq!(importer.get("/settings/audit").status, 403);
    assert!(!importer.get("/contacts").text.contains("/settings/audit"));
    let admin = server.person("Hotel", "admin@hotel.example", "admin");
    let page = admin.get("/settings/audit").text;
    assert!(
        page.contains("Signed in") && page.contains("importer@hotel.example"),
        "{page}"
    );
    let filtered = admin
        .get("/settings/audit?who=admin@hotel.example&what=signed_in")
        .text;
    let rows = filtered.split("<tbody").nth(1).unwrap();
    assert!(!rows.contains("importer@hotel.example"), "{rows}");
}
