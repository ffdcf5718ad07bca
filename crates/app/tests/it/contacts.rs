//! Reading contacts.

use serde_json::json;

use crate::support::Server;

#[test]
fn contacts_are_listed_found_and_shown() {
    let server = Server::start();
    let desk = server.source_with(json!({"name": "desk", "region": "DE", "namespace": "pms"}));
    let admin = server.admin();
    for number in 0..7 {
        let record = json!({
            "external_id": format!("G-{number}"),
            "first_name": "Anna",
            "last_name": format!("Weber {number}"),
            "phone": format!("0171 234567{number}"),
        });
        assert_eq!(desk.deliver("desk", &record).status, 201);
    }
    let page = admin.get("/api/v1/contacts?limit=5").json();
    assert_eq!(page["contacts"].as_array().unwrap().len(), 5);
    assert_eq!(page["contacts"][0]["name"], "Anna Weber 6");
    let cursor = page["next_cursor"].as_str().unwrap();
    let rest = admin
        .get(&format!("/api/v1/contacts?limit=5&cursor={cursor}"))
        .json();
    assert_eq!(rest["contacts"].as_array().unwrap().len(), 2);
    assert_eq!(rest["next_cursor"], json!(null));

    let found = admin
        .get("/api/v1/contacts?q=%2B49%20171-234%205673")
        .json();
    assert_eq!(found["contacts"].as_array().unwrap().len(), 1);
    let contact = &found["contacts"][0];
    assert_eq!(contact["fields"]["last_name"], "Weber 3");
    assert_eq!(contact["external_ids"], json!({"pms": "G-3"}));
    assert_eq!(
        contact["identifiers"],
        json!([
            {"kind": "external_id", "namespace": "pms", "value": "G-3"},
            {"kind": "phone", "value": "+491712345673"},
        ])
    );
    let shown = admin.get(&format!(
        "/api/v1/contacts/{}",
        contact["id"].as_str().unwrap()
    ));
    assert_eq!(&shown.json(), contact);
    for id in ["0", "99", "x", "18446744073709551616"] {
        admin
            .get(&format!("/api/v1/contacts/{id}"))
            .is_problem(404, "not-found");
    }
    admin
        .get("/api/v1/contacts?cursor=x")
        .is_problem(400, "parameter");
}

#[test]
fn an_export_holds_every_contact() {
    let server = Server::start();
    let desk = server.source("desk");
    let admin = server.admin();
    let body: String = (0..1_234)
        .map(|number| format!("{{\"external_id\":\"{number}\",\"name\":\"N{number}\"}}\n"))
        .collect();
    desk.batch("desk", "application/x-ndjson", body);
    let lines = admin.get("/api/v1/contacts/export?format=ndjson").lines();
    assert_eq!(lines.len(), 1_234);
    assert_eq!(lines[1_233]["name"], "N0");
    let csv = admin.get("/api/v1/contacts/export");
    assert_eq!(csv.text.lines().count(), 1_235);
    assert_eq!(
        admin
            .get("/api/v1/contacts/export?q=N1233&format=ndjson")
            .lines()
            .len(),
        1
    );
}
