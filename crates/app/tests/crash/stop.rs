//! `rollbook serve`, asked to stop in the middle of its work.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rollbook_bench::generate::Variant;
use serde_json::json;

use crate::import::Checked;
use crate::process::{Place, client, recipe, wait_for};
use crate::upload::{Api, is_over};

/// Rows of a file: many batches.
const ROWS: u64 = 60_000;

#[test]
fn a_server_that_is_told_to_stop_finishes_its_batch_and_its_answers_and_loses_nothing() {
    let place = Place::new();
    place.run(&["source", "add", "desk"]);
    let key = place.run(&["key", "create", "--source", "desk"]);
    let api = Api::of(&place);
    let recipe = recipe(ROWS, Variant::New);
    let server = place.serve();
    let address = server.address;
    let id = api.upload(&server, &place.file(&recipe));
    let over = AtomicBool::new(false);
    let (acknowledged, stopped) = std::thread::scope(|scope| {
        let (over, key) = (&over, key.trim());
        // Somebody delivers all the while, until the door is closed.
        let sender = scope.spawn(move || {
            let client = client()
                .timeout(Duration::from_mins(1))
                .build()
                .expect("a client");
            let mut acknowledged = Vec::new();
            while !over.load(Ordering::Relaxed) {
                let mark = format!("call-{}", acknowledged.len());
                let answer = client
                    .post(format!("http://{address}/api/v1/sources/desk/contacts"))
                    .bearer_auth(key)
                    .json(&json!({"external_id": mark}))
                    .send();
                match answer {
                    Ok(answer) if answer.status() == 201 => acknowledged.push(mark),
                    Ok(answer) => panic!("a delivery was answered with {}", answer.status()),
                    // The door is closed, before the request was taken in.
                    Err(_) => break,
                }
            }
            acknowledged
        });
        wait_for("some batches", || {
            let records = api.import(&server, &id)["totals"]["records"].as_u64();
            records.filter(|records| *records > 0)
        });
        let begun = Instant::now();
        let status = server.stop();
        over.store(true, Ordering::Relaxed);
        (
            sender.join().expect("the sender found everything in order"),
            (status, begun.elapsed()),
        )
    });
    let (status, took) = stopped;
    assert_eq!(status.code(), Some(0));
    println!("stopped within {took:?} after {} calls", acknowledged.len());

    // Everything that was answered is there, and the import stands between two batches.
    let server = place.serve();
    let before = api.import(&server, &id);
    let import = wait_for("the import to go on by itself", || {
        Some(api.import(&server, &id)).filter(is_over)
    });
    assert_eq!(import["state"], "done", "{import}");
    println!(
        "it went on after {} of {ROWS} rows",
        before["totals"]["records"]
    );
    assert_eq!(server.stop().code(), Some(0));
    let log = place.log();
    let calls: Vec<&str> = log
        .iter()
        .filter(|attempt| attempt["import_id"].is_null())
        .filter_map(|attempt| attempt["external_id"].as_str())
        .collect();
    for mark in &acknowledged {
        let count = calls.iter().filter(|call| *call == mark).count();
        assert_eq!(count, 1, "{mark}");
    }
    let rows = log
        .iter()
        .filter(|attempt| attempt["import_id"] == id.as_str());
    assert_eq!(rows.count() as u64, ROWS, "no row twice and none lost");
    let mut checked = Checked::new();
    checked.expect(&id, &recipe, &import["totals"]);
}
