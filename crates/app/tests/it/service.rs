//! What every answer has, and the addresses outside the API.

use std::fmt::Write as _;
use std::io::{Read, Write as _};
use std::net::TcpStream;

use serde_json::json;

use crate::support::{LIMIT, Server, answer};

#[test]
fn the_process_says_that_it_is_up_and_ready() {
    let server = Server::start();
    let nobody = server.nobody();
    assert_eq!(nobody.get("/healthz").text, "ok\n");
    assert_eq!(nobody.get("/readyz").text, "ready\n");
}

#[test]
fn every_answer_is_guarded_and_can_be_told_apart() {
    let server = Server::start();
    let nobody = server.nobody();
    for path in ["/healthz", "/api/v1/logs", "/api/v1/nothing"] {
        let answer = nobody.get(path);
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"));
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert!(answer.header("referrer-policy").is_some());
        assert!(answer.header("x-request-id").is_some());
    }
    assert_eq!(
        nobody.get("/api/v1/logs").header("cache-control"),
        Some("no-store")
    );
    let named = answer(
        nobody
            .request("GET", "/healthz")
            .header("x-request-id", "night-7"),
    );
    assert_eq!(named.header("x-request-id"), Some("night-7"));
    let strange = answer(
        nobody
            .request("GET", "/healthz")
            .header("x-request-id", "a b"),
    );
    assert_ne!(strange.header("x-request-id"), Some("a b"));
}

#[test]
fn unknown_addresses_and_methods_are_problems() {
    let server = Server::start();
    let admin = server.admin();
    for path in [
        "/api",
        "/api/v2/logs",
        "/api/v1",
        "/api/v1/",
        "/api/v1/nothing",
        "/api/v1/logs/1/2",
    ] {
        admin.get(path).is_problem(404, "not-found");
    }
    let answer = admin.delete("/api/v1/logs");
    answer.is_problem(405, "method");
    assert!(answer.header("allow").unwrap().contains("GET"));
}

#[test]
fn the_description_is_served_and_printed_alike() {
    let server = Server::start();
    let answered = server.nobody().get("/api/v1/openapi.json");
    assert_eq!(answered.header("content-type"), Some("application/json"));
    let document = answered.json();
    assert_eq!(document["openapi"], "3.1.0");
    assert_eq!(document["servers"], json!([{"url": "/api/v1"}]));
    let printed: serde_json::Value = serde_json::from_str(&server.rollbook(&["openapi"])).unwrap();
    assert_eq!(printed, document);
}

#[test]
fn long_texts_are_compressed_for_those_who_take_it() {
    let server = Server::start();
    let request = server
        .nobody()
        .request("GET", "/api/v1/openapi.json")
        .header("accept-encoding", "gzip");
    let response = request.send().unwrap();
    assert_eq!(response.headers()["content-encoding"], "gzip");
    assert!(response.bytes().unwrap().starts_with(&[0x1f, 0x8b]));
    let short = answer(
        server
            .nobody()
            .request("GET", "/healthz")
            .header("accept-encoding", "gzip"),
    );
    assert_eq!(short.header("content-encoding"), None);
}

#[test]
fn many_records_go_over_one_connection() {
    let server = Server::start();
    server.source("desk");
    let key = server.rollbook(&["key", "create", "--source", "desk"]);
    let mut connection = TcpStream::connect(server.address()).unwrap();
    connection.set_read_timeout(Some(LIMIT)).unwrap();
    let mut requests = String::new();
    for number in 0..20 {
        let body = json!({"external_id": number.to_string()}).to_string();
        let close = if number == 19 {
            "Connection: close\r\n"
        } else {
            ""
        };
        write!(
            requests,
            "POST /api/v1/sources/desk/contacts HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n\
             Content-Type: application/json\r\n{close}Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
    }
    connection.write_all(requests.as_bytes()).unwrap();
    let mut answered = String::new();
    connection.read_to_string(&mut answered).unwrap();
    assert_eq!(answered.matches("HTTP/1.1 201 Created").count(), 20);
}
