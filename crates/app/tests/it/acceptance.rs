//! The acceptance table of matching, over HTTP.

use serde_json::{Value, json};

use crate::support::{Caller, Server};

const P: &str = "+4930123456";
const Q: &str = "+4930654321";

/// A server with two sources, `auto` and `hand`, and contacts A and B.
struct Table {
    server: Server,
    auto: Caller,
    hand: Caller,
    a: String,
}

impl Table {
    fn new() -> Table {
        let server = Server::start();
        let auto = server.source_with(json!({"name": "auto", "region": "DE"}));
        let hand = server.source_with(json!({"name": "hand", "mode": "manual", "region": "DE"}));
        let a = json!({"external_id": "1", "phone": P, "email": "a@example.com"});
        let a = auto.deliver("auto", &a).json()["contact_id"]
            .as_str()
            .unwrap()
            .to_owned();
        let b = json!({"external_id": "B", "phone": Q, "email": "b@example.com"});
        assert_eq!(auto.deliver("auto", &b).status, 201);
        Table {
            server,
            auto,
            hand,
            a,
        }
    }

    fn auto(&self, record: &Value) -> Value {
        self.auto.deliver("auto", record).json()
    }

    fn hand(&self, record: &Value) -> Value {
        self.hand.deliver("hand", record).json()
    }

    fn contact_a(&self) -> Value {
        self.server
            .admin()
            .get(&format!("/api/v1/contacts/{}", self.a))
            .json()
    }

    fn contacts(&self) -> usize {
        let page = self.server.admin().get("/api/v1/contacts?limit=500").json();
        page["contacts"].as_array().unwrap().len()
    }
}

/// Result, action, matched on.
#[track_caller]
fn is(attempt: &Value, result: &str, action: Option<&str>, matched_on: Option<&str>) {
    assert_eq!(attempt["result"], result, "{attempt}");
    assert_eq!(attempt["action"].as_str(), action, "{attempt}");
    assert_eq!(attempt["matched_on"].as_str(), matched_on, "{attempt}");
}

fn codes(attempt: &Value) -> Vec<&str> {
    let issues = attempt["issues"].as_array().unwrap();
    issues
        .iter()
        .map(|issue| issue["code"].as_str().unwrap())
        .collect()
}

#[test]
fn an_external_id_finds_its_contact_and_keeps_the_rest() {
    let table = Table::new();
    let attempt = table.auto(&json!({"external_id": "1", "name": "N"}));
    is(&attempt, "success", Some("updated"), Some("external_id"));
    let a = table.contact_a();
    assert_eq!(a["fields"]["phone"], json!([P]));
    assert_eq!(a["fields"]["email"], json!(["a@example.com"]));
    assert_eq!(a["name"], "N");
}

#[test]
fn a_phone_in_another_format_finds_its_contact() {
    let table = Table::new();
    let attempt = table.auto(&json!({"phone": "030 / 12 34 56", "external_id": ""}));
    is(&attempt, "success", Some("updated"), Some("phone"));
    assert_eq!(attempt["contact_id"], table.a.as_str());
}

#[test]
fn an_email_in_capitals_finds_its_contact() {
    let table = Table::new();
    let attempt = table.auto(&json!({"email": "A@EXAMPLE.COM", "city": "Bonn"}));
    is(&attempt, "success", Some("updated"), Some("email"));
    assert_eq!(attempt["contact_id"], table.a.as_str());
}

#[test]
fn a_phone_finds_its_contact_and_the_new_external_id_replaces_the_old() {
    let table = Table::new();
    let attempt = table.auto(&json!({"external_id": "2", "phone": P}));
    is(&attempt, "success", Some("updated"), Some("phone"));
    assert_eq!(
        attempt["changes"],
        json!([{"field": "external_id", "before": "1", "after": "2"}])
    );
    is(
        &table.auto(&json!({"external_id": "2"})),
        "success",
        Some("updated"),
        Some("external_id"),
    );
    is(
        &table.auto(&json!({"external_id": "1"})),
        "success",
        Some("created"),
        None,
    );
}

#[test]
fn a_phone_of_somebody_else_is_left_out_or_fails_the_record() {
    let table = Table::new();
    let record = json!({"external_id": "1", "phone": Q, "city": "Bonn"});
    let attempt = table.hand(&record);
    is(&attempt, "failure", None, None);
    assert_eq!(codes(&attempt), ["identifier.taken"]);
    let attempt = table.auto(&record);
    is(&attempt, "warning", Some("updated"), Some("external_id"));
    assert_eq!(codes(&attempt), ["identifier.taken"]);
    let a = table.contact_a();
    assert_eq!(a["fields"]["phone"], json!([P]));
    assert_eq!(a["fields"]["city"], "Bonn");
}

#[test]
fn a_new_external_id_is_written_and_an_email_of_somebody_else_is_not() {
    let table = Table::new();
    let attempt = table.auto(&json!({"external_id": "9", "phone": P, "email": "b@example.com"}));
    is(&attempt, "warning", Some("updated"), Some("phone"));
    assert_eq!(codes(&attempt), ["identifier.taken"]);
    assert_eq!(attempt["issues"][0]["field"], "email");
    let a = table.contact_a();
    assert_eq!(a["external_ids"], json!({"default": "9"}));
    assert_eq!(a["fields"]["email"], json!(["a@example.com"]));
}

#[test]
fn a_bad_phone_beside_a_good_email_is_a_warning_or_a_failure() {
    let table = Table::new();
    let record = json!({"phone": "12", "email": "new@example.com"});
    let attempt = table.hand(&record);
    is(&attempt, "failure", None, None);
    assert_eq!(codes(&attempt), ["phone.invalid"]);
    let attempt = table.auto(&record);
    is(&attempt, "warning", Some("created"), None);
    assert_eq!(codes(&attempt), ["phone.invalid"]);
}

#[test]
fn a_bad_phone_alone_fails_in_both_modes() {
    let table = Table::new();
    let attempt = table.auto(&json!({"phone": "12"}));
    is(&attempt, "failure", None, None);
    assert_eq!(codes(&attempt), ["record.no_identifier", "phone.invalid"]);
    let attempt = table.hand(&json!({"phone": "12"}));
    is(&attempt, "failure", None, None);
    assert_eq!(codes(&attempt), ["phone.invalid"]);
}

#[test]
fn a_city_alone_is_enough_by_hand_only() {
    let table = Table::new();
    let attempt = table.auto(&json!({"city": "Bonn"}));
    is(&attempt, "failure", None, None);
    assert_eq!(codes(&attempt), ["record.no_identifier"]);
    is(
        &table.hand(&json!({"city": "Bonn"})),
        "success",
        Some("created"),
        None,
    );
}

#[test]
fn nothing_but_blanks_fails() {
    let table = Table::new();
    let record = json!({"external_id": " ", "phone": "n/a", "email": "-", "name": ""});
    let attempt = table.auto(&record);
    is(&attempt, "failure", None, None);
    assert_eq!(codes(&attempt), ["record.no_identifier"]);
    let attempt = table.hand(&record);
    is(&attempt, "failure", None, None);
    assert_eq!(codes(&attempt), ["record.empty"]);
}

#[test]
fn nothing_new_changes_nothing() {
    let table = Table::new();
    let attempt = table.auto(&json!({"external_id": "1"}));
    is(&attempt, "success", Some("updated"), Some("external_id"));
    assert_eq!(attempt["changes"], json!([]));
    assert_eq!(attempt["notes"][0]["code"], "record.no_changes");
}

#[test]
fn zeros_of_an_external_id_count() {
    let table = Table::new();
    is(
        &table.auto(&json!({"external_id": "001"})),
        "success",
        Some("created"),
        None,
    );
}

#[test]
fn the_same_batch_twice_changes_nothing() {
    let table = Table::new();
    let lines: String = (0..50)
        .map(|number| format!("{{\"external_id\":\"x{number}\",\"name\":\"N{number}\"}}\n"))
        .collect();
    let first = table
        .auto
        .batch("auto", "application/x-ndjson", lines.clone())
        .lines();
    assert!(first.iter().all(|attempt| attempt["action"] == "created"));
    let contacts = table.contacts();
    for attempt in table
        .auto
        .batch("auto", "application/x-ndjson", lines)
        .lines()
    {
        is(&attempt, "success", Some("updated"), Some("external_id"));
        assert_eq!(attempt["changes"], json!([]));
    }
    assert_eq!(table.contacts(), contacts);
}

#[test]
fn null_clears_and_blank_does_not() {
    let table = Table::new();
    table.auto(&json!({"external_id": "1", "city": "Bonn", "company": "C"}));
    let attempt = table.auto(&json!({"external_id": "1", "city": null, "company": ""}));
    assert_eq!(
        attempt["changes"],
        json!([{"field": "city", "before": "Bonn", "after": null}])
    );
    assert_eq!(table.contact_a()["fields"]["company"], "C");
}
