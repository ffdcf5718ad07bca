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

/// Everything that is to be audited, done on a page, over HTTP and on the command line.
#[test]
fn every_act_is_audited_on_pages_api_and_command_line_alike() {
    let server = Server::start();
    server.rollbook(&["workspace", "set", "--name", "Hotel", "--region", "DE"]);
    let desk = server.source("desk");
    let admin = server.admin();
    let person = server.person("Hotel", "admin@hotel.example", "admin");
    let upload = |name: &str| {
        let rows = format!("name,email\n{name},{name}@hotel.example\nBad,no address\n");
        let file = reqwest::blocking::multipart::Part::text(rows).file_name(format!("{name}.csv"));
        let form = reqwest::blocking::multipart::Form::new().part("file", file);
        let request = admin.request("POST", "/api/v1/imports").multipart(form);
        let import = crate::support::answer(request).json();
        let id = import["id"].as_str().unwrap().to_owned();
        crate::support::eventually("the import", || {
            let import = admin.get(&format!("/api/v1/imports/{id}")).json();
            (import["state"] == "done").then_some(())
        });
        id
    };
    let [by_page, by_api, by_command] = ["anna", "ben", "cleo"].map(upload);
    let attempt = desk.deliver("desk", &json!({"email": "zita@hotel.example"}));
    let attempt = attempt.json()["id"].as_str().unwrap().to_owned();

    // Saw a payload, exported, took failed rows and files, replayed, undid.
    for path in [
        format!("/settings/logs/{attempt}"),
        "/settings/logs/export?format=csv&range=24h".to_owned(),
        format!("/imports/{by_page}/failed-rows.csv"),
        format!("/imports/{by_page}/file"),
    ] {
        assert_eq!(person.get(&path).status, 200, "{path}");
    }
    let replayed = person.post(&format!("/settings/logs/{attempt}/replay"), &[]);
    assert_eq!(replayed.status, 303, "{replayed:?}");
    assert_eq!(
        person.post(&format!("/imports/{by_page}/undo"), &[]).status,
        303
    );
    for path in [
        format!("/api/v1/logs/{attempt}"),
        "/api/v1/logs/export?format=ndjson".to_owned(),
        "/api/v1/contacts/export?format=csv".to_owned(),
        format!("/api/v1/imports/{by_api}/failed-rows.csv"),
        format!("/api/v1/imports/{by_api}/file"),
    ] {
        assert_eq!(admin.get(&path).status, 200, "{path}");
    }
    let replayed = admin.post(&format!("/api/v1/logs/{attempt}/replay"), &json!({}));
    assert!(replayed.status < 300, "{replayed:?}");
    let undone = admin.post(&format!("/api/v1/imports/{by_api}/undo"), &json!({}));
    assert_eq!(undone.status, 202, "{undone:?}");
    server.rollbook(&["log", "--since", "24h", "--format", "csv"]);
    server.rollbook(&["contacts", "export"]);
    server.rollbook(&["imports", "download", &by_command, "--out", "again.csv"]);
    server.rollbook(&["undo", &by_command]);
    server.rollbook(&["replay", &attempt]);
    for who in ["admin@hotel.example", "key tests", "command line"] {
        for what in [
            "log.exported",
            "file.downloaded",
            "log.replayed",
            "import.undone",
        ] {
            was_done(&admin, who, what);
        }
    }
    for (who, what) in [
        ("admin@hotel.example", "payload.seen"),
        ("key tests", "payload.seen"),
        ("admin@hotel.example", "failed_rows.exported"),
        ("key tests", "failed_rows.exported"),
        ("key tests", "contacts.exported"),
        ("command line", "contacts.exported"),
    ] {
        was_done(&admin, who, what);
    }
}

#[track_caller]
fn was_done(admin: &Caller, who: &str, what: &str) {
    let all = entries(admin);
    let mut found = all
        .iter()
        .filter(|(by, act, _)| by.starts_with(who) && act == what);
    assert!(found.next().is_some(), "{what} by {who}: {all:?}");
}

/// Settings, keys and roles.
#[test]
fn every_change_is_audited_on_pages_api_and_command_line_alike() {
    let server = Server::start();
    server.rollbook(&["workspace", "set", "--name", "Hotel"]);
    server.source("desk");
    let admin = server.admin();
    let person = server.person("Hotel", "admin@hotel.example", "admin");
    let told = [
        ("recipients", "told@hotel.example"),
        ("every", "daily"),
        ("at", "08:00"),
    ];
    let changed = person.post("/settings/notifications/sources/desk", &told);
    assert!(
        changed.status == 303 || changed.status == 422,
        "{changed:?}"
    );
    let settings = admin.request("PUT", "/api/v1/notifications");
    let settings = settings.json(&json!({"recipients": ["told@hotel.example"]}));
    assert_eq!(crate::support::answer(settings).status, 200);
    server.rollbook(&["workspace", "set", "--region", "AT"]);
    person.post("/settings/sources/desk/keys", &[("name", "third")]);
    admin.post("/api/v1/keys", &json!({"name": "fourth", "source": "desk"}));
    server.rollbook(&["key", "create", "--source", "desk"]);
    server.rollbook(&["user", "add", "some@hotel.example", "--role", "viewer"]);
    server.rollbook(&["user", "set-role", "some@hotel.example", "importer"]);
    let role = [("email", "some@hotel.example"), ("role", "viewer")];
    assert_eq!(person.post("/settings/people/role", &role).status, 303);

    let profile = json!({"name": "Weekly", "mapping": {"Mail": "email"}});
    let profiles = "/api/v1/mapping-profiles";
    assert_eq!(admin.post(profiles, &profile).status, 201);
    let renamed = admin.patch(&format!("{profiles}/Weekly"), &json!({"name": "Daily"}));
    assert_eq!(renamed.status, 200);
    let deleted = admin.delete(&format!("{profiles}/Daily"));
    assert_eq!(deleted.status, 204);
    let about: Vec<String> = entries(&admin)
        .into_iter()
        .filter(|(_, what, _)| what == "mapping_profile.changed")
        .map(|(_, _, about)| about)
        .collect();
    let expected = [
        "Daily: deleted",
        "Weekly: renamed to Daily",
        "Weekly: saved",
    ];
    assert_eq!(about, expected);

    server.rollbook(&["backup", "all.tar"]);

    for (who, what) in [
        ("command line", "backup.made"),
        ("admin@hotel.example", "setting.changed"),
        ("key tests", "setting.changed"),
        ("command line", "setting.changed"),
        ("admin@hotel.example", "key.added"),
        ("key tests", "key.added"),
        ("command line", "key.added"),
        ("command line", "role.changed"),
        ("admin@hotel.example", "role.changed"),
    ] {
        was_done(&admin, who, what);
    }
}
