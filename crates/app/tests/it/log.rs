//! Reading the log.

use serde_json::{Value, json};

use crate::support::{Caller, Server};

/// A log with a success, a warning and two failures of `desk`, and a success of `other`.
struct Log {
    server: Server,
    desk: Caller,
}

impl Log {
    fn new() -> Log {
        let server = Server::start();
        let desk = server.source_with(&json!({"name": "desk", "region": "DE"}));
        let other = server.source("other");
        for record in [
            json!({"external_id": "1", "name": "Anna Weber", "phone": "0171 2345678"}),
            json!({"external_id": "1", "email": "nonsense"}),
            json!({"city": "Köln"}),
            json!({"name": "Ohne Nummer"}),
        ] {
            desk.deliver("desk", &record);
        }
        assert_eq!(
            other
                .deliver("other", &json!({"email": "b@example.com"}))
                .status,
            201
        );
        Log { server, desk }
    }

    /// How many attempts a query finds, for an administrator.
    fn count(&self, query: &str) -> usize {
        attempts(&self.server.admin(), query).len()
    }
}

fn attempts(caller: &Caller, query: &str) -> Vec<Value> {
    let answer = caller.get(&format!("/api/v1/logs?{query}"));
    assert_eq!(answer.status, 200, "{query}: {answer:?}");
    answer.json()["attempts"].as_array().unwrap().clone()
}

#[test]
fn every_filter_narrows_the_log() {
    let log = Log::new();
    let created = &attempts(&log.desk, "action=created")[0];
    let contact = created["contact_id"].as_str().unwrap();
    let received_at = created["received_at"].as_str().unwrap();
    for (query, expected) in [
        ("", 5),
        ("result=success", 2),
        ("result=warning", 1),
        ("result=failure", 2),
        ("source=desk", 4),
        ("source=other&result=success", 1),
        ("action=created", 2),
        ("action=updated", 1),
        ("matched_on=external_id", 1),
        ("matched_on=phone", 0),
        (&format!("contact={contact}"), 2),
        ("from=15m", 5),
        ("to=15m", 0),
        ("from=1h&to=2020-01-01T00:00:00Z", 0),
        (&format!("from={received_at}"), 5),
        (&format!("to={received_at}"), 0),
        ("import=019aad5e-5b60-7001-8000-000000000001", 0),
        ("q=weber", 2),
        ("q=%2B49%20171%20234-5678", 2),
        ("q=(0171)%20234%20567%208", 2),
        ("q=K%C3%B6ln", 1),
        ("q=nonsense", 1),
        ("q=zzz", 0),
        ("limit=2", 2),
    ] {
        assert_eq!(log.count(query), expected, "{query}");
    }
}

#[test]
fn a_parameter_that_cannot_be_understood_is_named() {
    let log = Log::new();
    for (query, parameter, says) in [
        ("limit=abc", "limit", "1 to 500"),
        ("limit=0", "limit", "1 to 500"),
        ("result=foo", "result", "`success`, `warning`, `failure`"),
        ("action=deleted", "action", "`created`, `updated`"),
        (
            "matched_on=name",
            "matched_on",
            "`external_id`, `phone`, `email`",
        ),
        ("from=yesterday", "from", "15m"),
        ("source=desc", "source", "`desk`, `manual`, `other`"),
        ("import=1", "import", "UUID"),
        ("contact=x", "contact", "number"),
        ("cursor=x", "cursor", "next_cursor"),
        ("sorce=desk", "sorce", "`source`"),
        ("q=a&q=b", "q", "once"),
    ] {
        let problem = log
            .server
            .admin()
            .get(&format!("/api/v1/logs?{query}"))
            .is_problem(400, "parameter");
        assert_eq!(problem["parameter"], parameter);
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains(says), "{query}: {detail}");
    }
}

#[test]
fn pages_follow_each_other_without_gaps() {
    let server = Server::start();
    let desk = server.source("desk");
    let body: String = (0..25)
        .map(|number| format!("{{\"external_id\":\"{number}\"}}\n"))
        .collect();
    desk.batch("desk", "application/x-ndjson", body);
    let mut ids = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = desk
            .get(&format!("/api/v1/logs?limit=10&cursor={cursor}"))
            .json();
        for attempt in page["attempts"].as_array().unwrap() {
            ids.push(attempt["external_id"].as_str().unwrap().to_owned());
        }
        match page["next_cursor"].as_str() {
            Some(next) => cursor = next.to_owned(),
            None => break,
        }
        // What arrives meanwhile does not move the pages.
        desk.deliver("desk", &json!({"external_id": "late"}));
    }
    let expected: Vec<String> = (0..25).rev().map(|number| number.to_string()).collect();
    assert_eq!(ids, expected);
}

#[test]
fn an_attempt_is_shown_with_exactly_what_was_sent() {
    let server = Server::start();
    let desk = server.source("desk");
    let body = "{ \"email\" :\"a@example.com\",\t\"x\": [1.0, 1e2],  \"email\":\"b@example.com\" }";
    let delivered = desk.deliver_raw("desk", body).json();
    let shown = desk
        .get(&format!(
            "/api/v1/logs/{}",
            delivered["id"].as_str().unwrap()
        ))
        .json();
    assert_eq!(shown["payload"], body);
    assert_eq!(shown["payload_content_type"], "application/json");
    assert_eq!(shown["email"], "b@example.com");
    let (mut shown, delivered) = (shown.as_object().unwrap().clone(), delivered);
    shown.remove("payload");
    shown.remove("payload_content_type");
    assert_eq!(shown.remove("replays"), Some(json!([])));
    assert_eq!(Value::Object(shown), delivered);
    for id in ["019aad5e-5b60-7001-8000-000000000001", "x", "1"] {
        desk.get(&format!("/api/v1/logs/{id}"))
            .is_problem(404, "not-found");
    }
}

#[test]
fn the_summary_counts_what_the_filters_let_through() {
    let log = Log::new();
    let summary = |query: &str| {
        log.server
            .admin()
            .get(&format!("/api/v1/logs/summary?{query}"))
            .json()
    };
    assert_eq!(
        summary("")["counts"],
        json!({"all": 5, "success": 2, "warning": 1, "failure": 2})
    );
    assert_eq!(summary("")["histogram"], json!([]));
    // The tabs count every result, whichever is open.
    assert_eq!(summary("source=desk&result=warning")["counts"]["all"], 4);
    let hour = summary("from=1h&buckets=12");
    let histogram = hour["histogram"].as_array().unwrap();
    assert_eq!(histogram.len(), 12);
    let all: u64 = histogram
        .iter()
        .map(|part| part["all"].as_u64().unwrap())
        .sum();
    assert_eq!(all, 5);
    assert_eq!(histogram[11]["all"], 5);
    assert_eq!(histogram[0]["from"], hour["from"]);
    assert_eq!(histogram[11]["to"], hour["to"]);
    for pair in histogram.windows(2) {
        assert_eq!(pair[0]["to"], pair[1]["from"]);
    }
    log.server
        .admin()
        .get("/api/v1/logs/summary?buckets=501")
        .is_problem(400, "parameter");
}

#[test]
fn an_export_holds_everything() {
    const RECORDS: usize = 1_234;
    let server = Server::start();
    let desk = server.source("desk");
    let body: String = (0..RECORDS)
        .map(|number| format!("{{\"external_id\":\"{number}\",\"name\":\"=1+{number}\"}}\n"))
        .collect();
    desk.batch("desk", "application/x-ndjson", body);
    let ndjson = desk.get("/api/v1/logs/export?format=ndjson");
    assert_eq!(ndjson.header("content-type"), Some("application/x-ndjson"));
    let lines = ndjson.lines();
    assert_eq!(lines.len(), RECORDS);
    assert_eq!(lines[0]["external_id"], (RECORDS - 1).to_string());
    assert!(
        lines[0]["payload"]
            .as_str()
            .unwrap()
            .starts_with("{\"external_id\"")
    );

    let csv = desk.get("/api/v1/logs/export?format=csv&result=success");
    assert!(csv.header("content-type").unwrap().starts_with("text/csv"));
    assert!(
        csv.header("content-disposition")
            .unwrap()
            .contains(".csv\"")
    );
    let mut reader = csv::Reader::from_reader(csv.text.as_bytes());
    let headers = reader.headers().unwrap().clone();
    let name = headers.iter().position(|header| header == "Name").unwrap();
    let rows: Vec<csv::StringRecord> = reader.records().collect::<Result<_, _>>().unwrap();
    assert_eq!(rows.len(), RECORDS);
    assert_eq!(&rows[RECORDS - 1][name], "'=1+0");

    assert_eq!(
        desk.get("/api/v1/logs/export?format=ndjson&result=failure")
            .text,
        ""
    );
    desk.get("/api/v1/logs/export?format=xlsx")
        .is_problem(400, "parameter");
}
