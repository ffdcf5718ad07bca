//! Fields.

use serde_json::json;

use crate::support::{Server, eventually};

#[test]
fn a_custom_field_takes_values() {
    let server = Server::start();
    let desk = server.source("desk");
    let admin = server.admin();
    let field = json!({
        "key": "room",
        "label": "Room preference",
        "type": "choice",
        "options": [{"code": "sea", "label": "Sea view"}, {"code": "garden"}],
    });
    let added = admin.post("/api/v1/fields", &field);
    assert_eq!(added.status, 201);
    assert_eq!(added.json()["custom"], true);
    let fields = desk.get("/api/v1/fields").json();
    let fields = fields["fields"].as_array().unwrap();
    assert_eq!(fields[0]["key"], "external_id");
    let room = fields.last().unwrap();
    assert_eq!(
        room["options"][1],
        json!({"code": "garden", "label": "garden"})
    );
    let attempt = eventually("the field", || {
        let attempt = desk
            .deliver(
                "desk",
                &json!({"email": "a@example.com", "room": "Sea view"}),
            )
            .json();
        let contact = attempt["contact_id"].as_str()?;
        let contact = admin.get(&format!("/api/v1/contacts/{contact}")).json();
        (contact["fields"]["room"] == "sea").then_some(attempt)
    });
    assert_eq!(attempt["result"], "success");
    let wrong = desk
        .deliver("desk", &json!({"email": "b@example.com", "room": "cellar"}))
        .json();
    assert_eq!(wrong["issues"][0]["code"], "choice.unknown");
    assert_eq!(wrong["issues"][0]["field"], "room");
}

#[test]
fn what_a_field_cannot_be_is_refused() {
    let server = Server::start();
    let admin = server.admin();
    let add = |field: &serde_json::Value| admin.post("/api/v1/fields", field);
    add(&json!({"key": "Room", "label": "Room", "type": "text"})).is_problem(422, "value");
    add(&json!({"key": "room", "label": "Room", "type": "choice"})).is_problem(422, "value");
    add(&json!({"key": "room", "label": "Room", "type": "phone"})).is_problem(422, "value");
    add(&json!({"key": "room", "label": "Room", "type": "colour"})).is_problem(400, "body");
    add(&json!({"key": "email", "label": "Mail", "type": "text"})).is_problem(409, "exists");
    assert_eq!(
        add(&json!({"key": "room", "label": "Room", "type": "text"})).status,
        201
    );
    add(&json!({"key": "room", "label": "Room", "type": "text"})).is_problem(409, "exists");
}
