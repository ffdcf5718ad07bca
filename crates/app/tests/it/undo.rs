//! Undoing imports over the API.

use reqwest::blocking::multipart::{Form, Part};
use serde_json::{Value, json};

use crate::support::{Caller, Server, answer, eventually};

/// Uploads a file and waits until it is imported.
fn import(caller: &Caller, content: &str) -> Value {
    let part = Part::bytes(content.to_owned().into_bytes()).file_name("guests.csv");
    let form = Form::new().part("file", part);
    let uploaded = answer(caller.request("POST", "/api/v1/imports").multipart(form));
    assert_eq!(uploaded.status, 202, "{uploaded:?}");
    over(caller, id(&uploaded.json()))
}

fn over(caller: &Caller, id: &str) -> Value {
    eventually("the end of the import", || {
        let import = caller.get(&format!("/api/v1/imports/{id}")).json();
        (import["state"] == "done").then_some(import)
    })
}

fn id(import: &Value) -> &str {
    import["id"].as_str().unwrap()
}

/// Every contact, without the time of its last change.
fn export(caller: &Caller) -> Vec<Value> {
    let mut contacts = caller.get("/api/v1/contacts/export?format=ndjson").lines();
    for contact in &mut contacts {
        contact.as_object_mut().unwrap().remove("updated_at");
    }
    contacts
}

#[test]
fn an_undo_is_an_import_that_restores_what_was() {
    let server = Server::start();
    let admin = server.admin();
    import(
        &admin,
        "Kundennummer,Name,Telefon\n1,Anna Weber,+4930123456\n",
    );
    let before = export(&admin);
    let guests: String = (2..3_000)
        .map(|number| format!("{number},Guest {number},+4940{number:07}\n"))
        .collect();
    let parent = import(
        &admin,
        &format!("Kundennummer,Name,Telefon\n1,Anna Lang,+4930999999\n{guests}"),
    );
    assert_eq!(
        (&parent["kind"], &parent["undone_by"]),
        (&json!("file"), &Value::Null)
    );

    let address = format!("/api/v1/imports/{}/undo", id(&parent));
    let preview = admin.get(&address);
    assert_eq!(preview.status, 200, "{preview:?}");
    let preview = preview.json();
    assert_eq!(preview["contacts_removed"], 2_998);
    assert_eq!(
        (&preview["contacts_restored"], &preview["fields_restored"]),
        (&json!(1), &json!(2))
    );
    assert_eq!(preview["kept"], json!([]));

    let started = admin.post(&address, &json!({}));
    assert_eq!(started.status, 202, "{started:?}");
    let undo = started.json();
    let location = format!("/api/v1/imports/{}", id(&undo));
    assert_eq!(started.header("location"), Some(location.as_str()));
    assert_eq!(
        (&undo["kind"], &undo["parent"]),
        (&json!("undo"), &parent["id"])
    );
    assert_eq!(undo["created_by"], "tests");
    // While it waits, while it runs, and ever after.
    admin
        .post(&address, &json!({}))
        .is_problem(409, "import-state");
    let undo = over(&admin, id(&undo));
    assert_eq!(
        undo["totals"],
        json!({"records": 2_999, "created": 0, "updated": 1, "unchanged": 0, "removed": 2_998, "warnings": 0, "failed": 0})
    );
    assert_eq!(undo["expected_records"], 2_999);
    assert_eq!(export(&admin), before);
    let problem = admin.get(&address).is_problem(409, "import-state");
    assert!(problem["detail"].as_str().unwrap().contains(id(&undo)));
    let parent = admin
        .get(&format!("/api/v1/imports/{}", id(&parent)))
        .json();
    assert_eq!(parent["undone_by"], undo["id"]);

    let removed = format!("/api/v1/logs?import={}&action=removed&limit=1", id(&undo));
    let attempt = &admin.get(&removed).json()["attempts"][0];
    assert_eq!(
        (&attempt["result"], &attempt["action"]),
        (&json!("success"), &json!("removed"))
    );
    let original = admin.get(&format!(
        "/api/v1/logs/{}",
        attempt["replay_of"].as_str().unwrap()
    ));
    assert_eq!(original.json()["action"], "created");
    assert_eq!(original.json()["contact_id"], attempt["contact_id"]);
}

#[test]
fn a_delivery_after_the_import_is_kept() {
    let server = Server::start();
    let admin = server.admin();
    let desk = server.source("desk");
    let parent = import(&admin, "Kundennummer,Name,Stadt\n1,Anna,Kiel\n2,Ben,Kiel\n");
    desk.deliver("desk", &json!({"id": "1", "city": "Bonn"}));
    let address = format!("/api/v1/imports/{}/undo", id(&parent));
    let preview = admin.get(&address).json();
    assert_eq!(
        (&preview["contacts_removed"], &preview["failed"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(
        preview["reasons"],
        json!([{"code": "undo.contact_changed", "count": 1}])
    );
    assert_eq!(
        (&preview["kept"][0]["name"], &preview["kept"][0]["row"]),
        (&json!("Anna"), &json!(1))
    );
    // A key of a source sees the imports of that source only.
    desk.get(&address).is_problem(404, "not-found");
    desk.post(&address, &json!({})).is_problem(404, "not-found");
    let undo = admin.post(&address, &json!({})).json();
    let undo = over(&admin, id(&undo));
    assert_eq!(
        (&undo["totals"]["removed"], &undo["totals"]["failed"]),
        (&json!(1), &json!(1))
    );
    let names: Vec<_> = export(&admin)
        .iter()
        .map(|own| own["name"].clone())
        .collect();
    assert_eq!(names, ["Anna"]);
}
