//! The same delivery again.

use serde_json::{Value, json};

use crate::support::{Answer, Caller, Server, answer};

fn deliver(caller: &Caller, key: &str, record: &Value) -> Answer {
    answer(
        caller
            .request("POST", "/api/v1/sources/desk/contacts")
            .header("idempotency-key", key)
            .json(record),
    )
}

fn attempts(caller: &Caller) -> u64 {
    caller.get("/api/v1/logs/summary").json()["counts"]["all"]
        .as_u64()
        .unwrap()
}

#[test]
fn the_first_outcome_is_answered_again() {
    let server = Server::start();
    let desk = server.source("desk");
    let record = json!({"email": "a@example.com"});
    let first = deliver(&desk, "k1", &record);
    assert_eq!(first.status, 201);
    assert_eq!(first.header("idempotency-replayed"), None);
    for _ in 0..3 {
        let again = deliver(&desk, "k1", &record);
        assert_eq!(again.status, 201);
        assert_eq!(again.header("idempotency-replayed"), Some("true"));
        assert_eq!(again.json(), first.json());
    }
    assert_eq!(attempts(&desk), 1);
    // Without the key it is another delivery.
    assert_eq!(desk.deliver("desk", &record).status, 200);
    assert_eq!(attempts(&desk), 2);
}

#[test]
fn failures_are_answered_again_too() {
    let server = Server::start();
    let desk = server.source("desk");
    let record = json!({"city": "Bonn"});
    let first = deliver(&desk, "k1", &record);
    assert_eq!(first.status, 422);
    let again = deliver(&desk, "k1", &record);
    assert_eq!(again.status, 422);
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!(again.json(), first.json());
    let unreadable = || {
        answer(
            desk.request("POST", "/api/v1/sources/desk/contacts")
                .header("idempotency-key", "k2")
                .header("content-type", "application/json")
                .body("{"),
        )
    };
    let first = unreadable().is_problem(400, "record-unreadable");
    let again = unreadable();
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!(
        again.is_problem(400, "record-unreadable")["attempt_id"],
        first["attempt_id"]
    );
    assert_eq!(attempts(&desk), 2);
}

#[test]
fn another_body_under_the_same_key_is_refused() {
    let server = Server::start();
    let desk = server.source("desk");
    assert_eq!(
        deliver(&desk, "k1", &json!({"email": "a@example.com"})).status,
        201
    );
    deliver(&desk, "k1", &json!({"email": "b@example.com"}))
        .is_problem(409, "idempotency-key-reused");
    assert_eq!(attempts(&desk), 1);
}

#[test]
fn keys_belong_to_their_source() {
    let server = Server::start();
    let desk = server.source("desk");
    server.source("other");
    assert_eq!(
        deliver(&desk, "k1", &json!({"email": "a@example.com"})).status,
        201
    );
    let other = answer(
        server
            .admin()
            .request("POST", "/api/v1/sources/other/contacts")
            .header("idempotency-key", "k1")
            .json(&json!({"email": "b@example.com"})),
    );
    assert_eq!(other.status, 201);
}

#[test]
fn a_key_that_is_none_is_refused() {
    let server = Server::start();
    let desk = server.source("desk");
    for key in ["", "   ", &"x".repeat(256)] {
        let problem =
            deliver(&desk, key, &json!({"email": "a@example.com"})).is_problem(400, "parameter");
        assert_eq!(problem["parameter"], "Idempotency-Key");
    }
}

#[test]
fn twenty_racing_deliveries_with_one_key_are_one() {
    let server = Server::start();
    let desk = server.source("desk");
    let record = json!({"email": "a@example.com", "name": "A"});
    let answers: Vec<Answer> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..20)
            .map(|_| scope.spawn(|| deliver(&desk, "race", &record)))
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    let fresh: Vec<&Answer> = answers
        .iter()
        .filter(|answer| answer.header("idempotency-replayed").is_none())
        .collect();
    assert_eq!(fresh.len(), 1);
    for answer in &answers {
        assert_eq!(answer.status, 201);
        assert_eq!(answer.json(), fresh[0].json());
    }
    assert_eq!(attempts(&desk), 1);
}

#[test]
fn twenty_racing_deliveries_of_one_person_make_one_contact() {
    let server = Server::start();
    let desk = server.source("desk");
    let record = json!({"phone": "+4930123456", "name": "A"});
    std::thread::scope(|scope| {
        for _ in 0..20 {
            scope.spawn(|| assert!(matches!(desk.deliver("desk", &record).status, 200 | 201)));
        }
    });
    let created = desk.get("/api/v1/logs?action=created&limit=500").json();
    assert_eq!(created["attempts"].as_array().unwrap().len(), 1);
    assert_eq!(attempts(&desk), 20);
}
