//! Many records at a time.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use serde_json::{Value, json};

use crate::support::{LIMIT, Server, answer};

const NDJSON: &str = "application/x-ndjson";
const JSON: &str = "application/json";

fn emails(attempts: &[Value]) -> Vec<&str> {
    attempts
        .iter()
        .map(|attempt| attempt["email"].as_str().unwrap_or("-"))
        .collect()
}

#[test]
fn lines_are_answered_in_order_the_bad_ones_too() {
    let server = Server::start();
    let desk = server.source("desk");
    let body = "{\"email\":\"a@example.com\"}\nnot json\n\n{\"email\":\"b@example.com\"}\r\n[]\n{\"city\":\"Bonn\"}\n{\"email\":\"c@example.com\"}";
    let answer = desk.batch("desk", NDJSON, body);
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some(NDJSON));
    let attempts = answer.lines();
    assert_eq!(
        emails(&attempts),
        [
            "a@example.com",
            "-",
            "b@example.com",
            "-",
            "-",
            "c@example.com"
        ]
    );
    let codes: Vec<&str> = attempts
        .iter()
        .map(|attempt| attempt["issues"][0]["code"].as_str().unwrap_or("-"))
        .collect();
    assert_eq!(
        codes,
        [
            "-",
            "record.unreadable",
            "-",
            "record.unreadable",
            "record.no_identifier",
            "-"
        ]
    );
    let id = attempts[1]["id"].as_str().unwrap();
    assert_eq!(
        desk.get(&format!("/api/v1/logs/{id}")).json()["payload"],
        "not json"
    );
}

#[test]
fn elements_are_answered_in_order_the_bad_ones_too() {
    let server = Server::start();
    let desk = server.source("desk");
    let body =
        r#"[ {"email":"a@example.com"}, 17, {"email":}, {"name":"],[","email":"b@example.com"} ]"#;
    let attempts = desk.batch("desk", JSON, body).lines();
    assert_eq!(
        emails(&attempts),
        ["a@example.com", "-", "-", "b@example.com"]
    );
    assert_eq!(attempts[3]["name"], "],[");
}

#[test]
fn nothing_is_answered_with_nothing() {
    let server = Server::start();
    let desk = server.source("desk");
    for (media_type, body) in [(JSON, "[]"), (NDJSON, ""), (NDJSON, "\n\n")] {
        let answer = desk.batch("desk", media_type, body);
        assert_eq!((answer.status, answer.text.as_str()), (200, ""), "{body:?}");
    }
}

#[test]
fn what_is_no_batch_is_refused() {
    let server = Server::start();
    let desk = server.source("desk");
    for body in ["", "{}", "nonsense", "{\"email\":\"a@example.com\"}"] {
        desk.batch("desk", JSON, body)
            .is_problem(400, "record-unreadable");
    }
    desk.batch("desk", "text/csv", "a,b")
        .is_problem(415, "media-type");
    let summary = desk.get("/api/v1/logs/summary").json();
    assert_eq!(summary["counts"]["all"], 0);
}

#[test]
fn a_broken_array_keeps_what_came_before_and_says_so_last() {
    let server = Server::start();
    let desk = server.source("desk");
    let lines = desk
        .batch(
            "desk",
            JSON,
            r#"[{"email":"a@example.com"},{"email":"b@example.com"}] x"#,
        )
        .lines();
    assert_eq!(lines.len(), 3);
    assert_eq!(emails(&lines[..2]), ["a@example.com", "b@example.com"]);
    assert_eq!(lines[2]["type"], "urn:rollbook:problem:record-unreadable");
    assert_eq!(lines[2]["status"], 400);
    let cut = desk
        .batch(
            "desk",
            JSON,
            r#"[{"email":"a@example.com"},{"email":"c@exa"#,
        )
        .lines();
    assert_eq!(cut[0]["email"], "a@example.com");
    assert_eq!(cut[1]["issues"][0]["code"], "record.unreadable");
    assert_eq!(cut[2]["status"], 400);
}

#[test]
fn a_record_over_the_limit_costs_that_record() {
    let server = Server::start_with(&["--max-record-bytes", "1000"]);
    let desk = server.source("desk");
    let long = "x".repeat(100_000);
    let body = format!(
        "{{\"email\":\"a@example.com\"}}\n{{\"notes\":\"{long}\"}}\n{{\"email\":\"b@example.com\"}}\n"
    );
    let attempts = desk.batch("desk", NDJSON, body).lines();
    assert_eq!(emails(&attempts), ["a@example.com", "-", "b@example.com"]);
    assert_eq!(attempts[1]["issues"][0]["code"], "record.too_large");
}

#[test]
fn a_batch_over_the_limit_is_refused() {
    let server = Server::start_with(&["--max-batch-bytes", "100000"]);
    let desk = server.source("desk");
    let body = "{\"email\":\"a@example.com\"}\n".repeat(10_000);
    let problem = desk
        .batch("desk", NDJSON, body.clone())
        .is_problem(413, "too-large");
    assert_eq!(problem["limit"], 100_000);
    assert_eq!(desk.get("/api/v1/logs/summary").json()["counts"]["all"], 0);
    // Of a body whose length nobody told, what came before the limit was committed.
    let streamed = reqwest::blocking::Body::new(std::io::Cursor::new(body));
    let lines = answer(
        desk.request("POST", "/api/v1/sources/desk/contacts/batch")
            .header("content-type", NDJSON)
            .body(streamed),
    )
    .lines();
    assert_eq!(lines.last().unwrap()["status"], 413);
    let all = desk.get("/api/v1/logs/summary").json()["counts"]["all"].clone();
    assert_eq!(all, lines.len() - 1);
}

#[test]
fn a_large_batch_is_answered_whole_and_in_order() {
    let server = Server::start();
    let desk = server.source("desk");
    const RECORDS: usize = 12_000;
    let body: String = (0..RECORDS)
        .map(|number| {
            format!(
                "{{\"external_id\":\"{number}\",\"notes\":\"{}\"}}\n",
                "n".repeat(100)
            )
        })
        .collect();
    let attempts = desk.batch("desk", NDJSON, body).lines();
    assert_eq!(attempts.len(), RECORDS);
    for (number, attempt) in attempts.iter().enumerate() {
        assert_eq!(attempt["external_id"], number.to_string());
        assert_eq!(attempt["action"], "created");
    }
}

#[test]
fn a_batch_can_be_sent_again() {
    let server = Server::start();
    let desk = server.source("desk");
    let send = |body: &str| {
        answer(
            desk.request("POST", "/api/v1/sources/desk/contacts/batch")
                .header("content-type", NDJSON)
                .header("idempotency-key", "night")
                .body(body.to_owned()),
        )
        .lines()
    };
    let part = "{\"email\":\"a@example.com\"}\n{\"email\":\"b@example.com\"}\n";
    let first = send(part);
    let again = send(&format!("{part}{{\"email\":\"c@example.com\"}}\n"));
    assert_eq!(again[..2], first[..]);
    assert_eq!(again[2]["action"], "created");
    let other = send("{\"email\":\"a@example.com\"}\n{\"email\":\"x@example.com\"}\n");
    assert_eq!(other[0], first[0]);
    assert_eq!(
        other[1]["type"],
        "urn:rollbook:problem:idempotency-key-reused"
    );
    assert_eq!(desk.get("/api/v1/logs/summary").json()["counts"]["all"], 3);
}

#[test]
fn answers_come_while_the_rest_is_sent() {
    let server = Server::start();
    server.source("desk");
    let key = server.rollbook(&["key", "create", "--source", "desk"]);
    let mut connection = TcpStream::connect(server.address()).unwrap();
    connection.set_read_timeout(Some(LIMIT)).unwrap();
    write!(
        connection,
        "POST /api/v1/sources/desk/contacts/batch HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {key}\r\n\
         Content-Type: {NDJSON}\r\nTransfer-Encoding: chunked\r\nAccept-Encoding: gzip\r\n\r\n",
        server.address()
    )
    .unwrap();
    let mut reader = BufReader::new(connection.try_clone().unwrap());
    for number in 0..3 {
        let line = json!({"external_id": number.to_string()}).to_string() + "\n";
        write!(connection, "{:x}\r\n{line}\r\n", line.len()).unwrap();
        let mut answered = String::new();
        while !answered.starts_with('{') {
            answered.clear();
            assert_ne!(reader.read_line(&mut answered).unwrap(), 0);
        }
        let attempt: Value = serde_json::from_str(&answered).unwrap();
        assert_eq!(attempt["external_id"], number.to_string());
    }
    write!(connection, "0\r\n\r\n").unwrap();
    let mut rest = [0; 32];
    assert!(reader.read(&mut rest).unwrap() > 0);
}

#[test]
fn a_sender_that_reads_nothing_before_it_has_sent_all_is_not_blocked() {
    let server = Server::start();
    server.source("desk");
    let key = server.rollbook(&["key", "create", "--source", "desk"]);
    const RECORDS: usize = 30_000;
    let body: String = (0..RECORDS)
        .map(|number| format!("{{\"bad\":\"{number}\"}}\n"))
        .collect();
    let mut connection = TcpStream::connect(server.address()).unwrap();
    connection.set_read_timeout(Some(LIMIT)).unwrap();
    connection.set_write_timeout(Some(LIMIT)).unwrap();
    write!(
        connection,
        "POST /api/v1/sources/desk/contacts/batch HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {key}\r\n\
         Content-Type: {NDJSON}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        server.address(),
        body.len()
    )
    .unwrap();
    let mut answered = String::new();
    connection.read_to_string(&mut answered).unwrap();
    assert!(answered.starts_with("HTTP/1.1 200 "));
    assert_eq!(answered.matches("record.no_identifier").count(), RECORDS);
}

#[test]
fn a_source_that_is_paused_meanwhile_ends_the_batch() {
    let server = Server::start();
    server.source("desk");
    let key = server.rollbook(&["key", "create", "--source", "desk"]);
    let mut connection = TcpStream::connect(server.address()).unwrap();
    connection.set_read_timeout(Some(LIMIT)).unwrap();
    write!(
        connection,
        "POST /api/v1/sources/desk/contacts/batch HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {key}\r\n\
         Content-Type: {NDJSON}\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n",
        server.address()
    )
    .unwrap();
    let mut send = |line: &str| write!(connection, "{:x}\r\n{line}\r\n", line.len()).unwrap();
    send("{\"email\":\"a@example.com\"}\n");
    let desk = server.caller(Some(&key));
    crate::support::eventually("the first record", || {
        (desk.get("/api/v1/logs/summary").json()["counts"]["all"] == 1).then_some(())
    });
    server
        .admin()
        .patch("/api/v1/sources/desk", &json!({"paused": true}));
    send("{\"email\":\"b@example.com\"}\n");
    send("");
    let mut answered = String::new();
    connection.read_to_string(&mut answered).unwrap();
    assert!(answered.contains("a@example.com"));
    assert!(
        answered.contains("urn:rollbook:problem:source-paused"),
        "{answered}"
    );
    assert_eq!(desk.get("/api/v1/logs/summary").json()["counts"]["all"], 1);
}
