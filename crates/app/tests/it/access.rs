//! Who may do what.

use serde_json::json;

use crate::support::{Server, answer, eventually, refused_within_a_second};

/// Every kind of address behind a key.
const ADDRESSES: [(&str, &str); 14] = [
    ("POST", "/api/v1/sources/desk/contacts"),
    ("POST", "/api/v1/sources/desk/contacts/batch"),
    ("POST", "/api/v1/imports"),
    ("GET", "/api/v1/imports"),
    ("GET", "/api/v1/logs"),
    ("GET", "/api/v1/logs/summary"),
    ("GET", "/api/v1/logs/export"),
    ("GET", "/api/v1/contacts"),
    ("GET", "/api/v1/contacts/export"),
    ("GET", "/api/v1/sources"),
    ("GET", "/api/v1/keys"),
    ("POST", "/api/v1/keys"),
    ("GET", "/api/v1/fields"),
    ("POST", "/api/v1/fields"),
];

#[test]
fn nobody_comes_in_without_a_valid_key() {
    let server = Server::start();
    let stranger = server.caller(Some("rb_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"));
    for (method, path) in ADDRESSES {
        let missing = answer(server.nobody().request(method, path));
        missing.is_problem(401, "key-missing");
        assert_eq!(
            missing.header("www-authenticate"),
            Some("Bearer realm=\"rollbook\"")
        );
        let refused = answer(stranger.request(method, path));
        refused.is_problem(401, "key-refused");
        assert!(
            refused
                .header("www-authenticate")
                .unwrap()
                .contains("invalid_token")
        );
    }
    let basic = server
        .nobody()
        .request("GET", "/api/v1/logs")
        .basic_auth("a", Some("b"));
    answer(basic).is_problem(401, "key-missing");
}

#[test]
fn a_key_of_a_source_is_good_for_that_source_alone() {
    let server = Server::start();
    let desk = server.source("desk");
    let other = server.source("other");
    let record = json!({"email": "a@example.com"});
    desk.deliver("other", &record).is_problem(403, "forbidden");
    // Whether a source exists is nothing to a foreign key.
    desk.deliver("nowhere", &record)
        .is_problem(403, "forbidden");
    desk.batch("other", "application/x-ndjson", "{}")
        .is_problem(403, "forbidden");
    let theirs = other.deliver("other", &record).json();
    let own = desk
        .deliver("desk", &json!({"email": "b@example.com"}))
        .json();
    desk.get(&format!("/api/v1/logs/{}", theirs["id"].as_str().unwrap()))
        .is_problem(404, "not-found");
    assert_eq!(
        desk.get(&format!("/api/v1/logs/{}", own["id"].as_str().unwrap()))
            .status,
        200
    );
    let log = desk.get("/api/v1/logs").json();
    assert_eq!(log["attempts"].as_array().unwrap().len(), 1);
    assert_eq!(desk.get("/api/v1/logs/summary").json()["counts"]["all"], 1);
    assert_eq!(
        desk.get("/api/v1/logs/export?format=ndjson").lines().len(),
        1
    );
    assert_eq!(desk.get("/api/v1/logs?source=desk").status, 200);
    for path in [
        "/api/v1/logs",
        "/api/v1/logs/summary",
        "/api/v1/logs/export",
    ] {
        desk.get(&format!("{path}?source=other"))
            .is_problem(403, "forbidden");
        desk.get(&format!("{path}?source=nowhere"))
            .is_problem(403, "forbidden");
    }
    assert_eq!(desk.get("/api/v1/fields").status, 200);
    for path in [
        "/contacts",
        "/contacts/1",
        "/contacts/export",
        "/sources",
        "/sources/desk",
        "/keys",
    ] {
        desk.get(&format!("/api/v1{path}"))
            .is_problem(403, "forbidden");
    }
    for path in ["/sources", "/keys", "/fields"] {
        desk.post(&format!("/api/v1{path}"), &json!({}))
            .is_problem(403, "forbidden");
    }
    desk.patch("/api/v1/sources/desk", &json!({}))
        .is_problem(403, "forbidden");
    desk.delete("/api/v1/keys/1").is_problem(403, "forbidden");
}

#[test]
fn a_revoked_key_is_refused_at_once() {
    let server = Server::start();
    let desk = server.source("desk");
    let admin = server.admin();
    assert_eq!(desk.get("/api/v1/logs").status, 200);
    let keys = admin.get("/api/v1/keys").json();
    let key = keys["keys"]
        .as_array()
        .unwrap()
        .iter()
        .find(|key| key["source"] == "desk")
        .unwrap();
    let revoked = admin.delete(&format!("/api/v1/keys/{}", key["id"].as_str().unwrap()));
    assert_eq!(revoked.status, 200);
    assert!(revoked.json()["revoked_at"].is_string());
    desk.get("/api/v1/logs").is_problem(401, "key-refused");
    desk.deliver("desk", &json!({"email": "a@example.com"}))
        .is_problem(401, "key-refused");
    let again = admin.delete(&format!("/api/v1/keys/{}", key["id"].as_str().unwrap()));
    assert_eq!(again.json()["revoked_at"], revoked.json()["revoked_at"]);
    admin
        .delete("/api/v1/keys/999")
        .is_problem(404, "not-found");
}

#[test]
fn a_rotated_key_works_until_its_time_is_over() {
    let server = Server::start();
    let admin = server.admin();
    let desk = server.source("desk");
    let id = |caller: &crate::support::Caller| {
        let keys = caller.get("/api/v1/keys").json();
        let keys = keys["keys"].as_array().unwrap().clone();
        let newest = keys.iter().find(|key| key["source"] == "desk").unwrap();
        newest["id"].as_str().unwrap().to_owned()
    };
    let first = id(&admin);
    let rotated = admin.post(&format!("/api/v1/keys/{first}/rotate"), &json!({}));
    assert_eq!(rotated.status, 201, "{rotated:?}");
    let key = rotated.json();
    assert_eq!(
        (&key["source"], &key["expires_at"]),
        (&json!("desk"), &json!(null))
    );
    let second = server.caller(key["secret"].as_str());
    for valid in [&desk, &second] {
        assert_eq!(valid.get("/api/v1/logs").status, 200);
    }
    let keys = admin.get("/api/v1/keys").json();
    let old = keys["keys"]
        .as_array()
        .unwrap()
        .iter()
        .find(|key| key["id"] == *first);
    assert!(old.unwrap()["expires_at"].is_string(), "{keys}");
    let again = admin.post(&format!("/api/v1/keys/{first}/rotate"), &json!({}));
    again.is_problem(422, "value");

    // On the page, without any time left for the old one.
    let person = server.sign_in("admin@rollbook.local", "a password for tests");
    let path = format!("/settings/sources/desk/keys/{}/rotate", id(&admin));
    let page = person.post(&path, &[("overlap_hours", "0")]);
    assert_eq!(page.status, 200, "{page:?}");
    let secret = page.text.split("id=\"secret\">").nth(1).unwrap();
    let third = server.caller(secret.split('<').next());
    assert_eq!(third.get("/api/v1/logs").status, 200);
    assert!(page.text.contains("valid until") && page.text.contains("Replaced"));
    eventually("the refusal", || {
        (second.get("/api/v1/logs").status == 401).then_some(())
    });
    second.get("/api/v1/logs").is_problem(401, "key-refused");
    assert_eq!(desk.get("/api/v1/logs").status, 200, "its day is not over");

    // On the command line.
    let secret = server.rollbook(&["key", "rotate", &id(&admin), "--overlap-hours", "1"]);
    assert_eq!(server.caller(Some(&secret)).get("/api/v1/logs").status, 200);
    for (path, body, status, kind) in [
        ("/api/v1/keys/999/rotate", json!({}), 404, "not-found"),
        ("/api/v1/keys/x/rotate", json!({}), 404, "not-found"),
        (
            "/api/v1/keys/1/rotate",
            json!({"overlap_hours": 721}),
            422,
            "value",
        ),
        ("/api/v1/keys/1/rotate", json!({"hours": 1}), 400, "body"),
    ] {
        admin.post(path, &body).is_problem(status, kind);
    }
    let audit = admin.get("/api/v1/audit").text;
    assert_eq!(audit.matches("key.rotated").count(), 3, "{audit}");
}

#[test]
fn a_key_revoked_by_another_process_is_refused_within_a_second() {
    let server = Server::start();
    server.source("desk");
    let secret = server.rollbook(&["key", "create", "--source", "desk", "--name", "short"]);
    let desk = server.caller(Some(&secret));
    assert_eq!(desk.get("/api/v1/logs").status, 200);
    let keys = server.admin().get("/api/v1/keys").json();
    let key = keys["keys"]
        .as_array()
        .unwrap()
        .iter()
        .find(|key| key["name"] == "short")
        .unwrap();
    server.rollbook(&["key", "revoke", key["id"].as_str().unwrap()]);
    refused_within_a_second(|| desk.get("/api/v1/logs").status == 401);
}

#[test]
fn a_key_is_shown_once_and_its_use_is_written_down() {
    let server = Server::start();
    let admin = server.admin();
    let made = admin
        .post("/api/v1/keys", &json!({"name": "Night audit"}))
        .json();
    let secret = made["secret"].as_str().unwrap();
    assert!(secret.starts_with(made["prefix"].as_str().unwrap()));
    assert_eq!(made["source"], json!(null));
    assert_eq!(server.caller(Some(secret)).get("/api/v1/keys").status, 200);
    let listed = admin.get("/api/v1/keys");
    assert!(!listed.text.contains(secret));
    eventually("the note of the use", || {
        let keys = admin.get("/api/v1/keys").json();
        let key = keys["keys"]
            .as_array()?
            .iter()
            .find(|key| key["id"] == made["id"])?
            .clone();
        key["last_used_at"].is_string().then_some(())
    });
    admin
        .post("/api/v1/keys", &json!({"name": " "}))
        .is_problem(422, "value");
    admin
        .post("/api/v1/keys", &json!({"name": "a", "source": "nowhere"}))
        .is_problem(422, "value");
    admin
        .post("/api/v1/keys", &json!({"nam": "a"}))
        .is_problem(400, "body");
}
