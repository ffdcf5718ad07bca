//! Rows that were changed before the import stay changed when its server is killed in the middle of it.

use reqwest::Method;
use serde_json::{Value, json};

use crate::process::{Place, wait_for};
use crate::upload::{Api, is_over};

/// Rows of the file: several batches.
const ROWS: u64 = 20_000;

/// Every so many rows one is left out, and the one behind it gets another name.
const STEP: u64 = 1_000;

#[test]
fn edits_hold_through_a_kill() {
    let place = Place::new();
    place.run(&["migrate"]);
    let lines: Vec<String> = (1..=ROWS)
        .map(|row| format!("N{row},e{row}@example.com"))
        .collect();
    let content = format!("Name,Email\n{}\n", lines.join("\n"));
    let file = place.write("guests.csv", content.as_bytes());
    let api = Api::of(&place);
    let server = place.serve();
    let id = api.take_in(&server, &file, "false");
    let change = |row: u64, change: &Value| {
        // A review of so many rows may not be ready at once, and a change needs the first one.
        let changed = api.send(&server, Method::PATCH, &format!("{id}/rows/{row}"), change);
        assert_eq!(changed["row"]["row"], row);
    };
    wait_for("the review", || {
        let review = api.send(&server, Method::GET, &format!("{id}/review"), &json!({}));
        (review["state"] == "done").then_some(())
    });
    for row in (STEP..ROWS).step_by(1_000) {
        change(row, &json!({"dropped": true}));
        change(row + 1, &json!({"cells": {"Name": "Edited"}}));
    }
    api.send(&server, Method::POST, &format!("{id}/start"), &json!({}));
    let records = wait_for("a batch to be committed", || {
        let import = api.import(&server, &id);
        let records = import["totals"]["records"].as_u64()?;
        (records > 0).then_some(records)
    });
    server.kill();
    let server = place.serve();
    let import = wait_for("the import to be done", || {
        Some(api.import(&server, &id)).filter(is_over)
    });
    server.kill();
    assert_eq!(import["state"], "done", "{import}");
    assert!(records < ROWS, "the import was over before the kill");
    assert_eq!(import["totals"]["records"], ROWS);
    assert_eq!(import["totals"]["failed"], (ROWS - 1) / STEP);
    let mut seen = 0;
    for attempt in place.log() {
        let row = attempt["row"]
            .as_u64()
            .expect("an attempt of an import has a row");
        seen += 1;
        match row % STEP {
            0 if row < ROWS => assert_eq!(attempt["issues"][0]["code"], "record.dropped"),
            1 if row > 1 => assert_eq!(attempt["name"], "Edited"),
            _ => assert_eq!(attempt["name"], format!("N{row}")),
        }
    }
    assert_eq!(seen, ROWS);
}
