//! The undo of a file whose server is killed in the middle of it takes everything back once.

use reqwest::Method;
use rollbook_bench::generate::Variant;
use serde_json::{Value, json};

use crate::process::{Place, Server, recipe, wait_for};
use crate::upload::{Api, is_over};

/// Rows of the file that is taken back: several batches.
const ROWS: u64 = 20_000;

#[test]
fn a_killed_undo_goes_on_by_itself_and_takes_everything_back_once() {
    let place = Place::new();
    place.run(&["migrate"]);
    let api = Api::of(&place);
    let server = place.serve();
    let import = |server: &Server, variant, rows| -> String {
        let id = api.upload(server, &place.file(&recipe(rows, variant)));
        over(&api, server, &id);
        id
    };
    import(&server, Variant::New, ROWS / 2);
    let before = contacts(&place);
    // Half of these people are there already and change, the others are new.
    let parent = import(&server, Variant::Updates, ROWS);
    assert!(contacts(&place).len() > before.len());

    let undo = api.send(&server, Method::POST, &format!("{parent}/undo"), &json!({}));
    let undo = undo["id"].as_str().expect("an undo has an id");
    let records = |server: &Server| api.import(server, undo)["totals"]["records"].as_u64();
    wait_for("a batch to be committed", || {
        records(&server).filter(|records| *records > 0)
    });
    server.kill();
    let server = place.serve();
    let killed_after = records(&server).expect("an undo counts its records");
    let undone = over(&api, &server, undo);
    server.kill();
    println!("killed after {killed_after} records; {undone}");
    let totals = &undone["totals"];
    assert_eq!(
        (&undone["state"], &totals["failed"]),
        (&json!("done"), &json!(0))
    );
    let all = totals["records"]
        .as_u64()
        .expect("an undo counts its records");
    assert!(killed_after < all, "the undo was over before the kill");
    assert_eq!(contacts(&place), before);

    // One attempt for each that it takes back, and none twice.
    let log = place.run(&["log", "--import", undo, "--limit", "0", "--format", "json"]);
    let mut rows: Vec<u64> = log
        .lines()
        .map(|line| {
            let attempt: Value = serde_json::from_str(line).expect("a line is JSON");
            attempt["row"].as_u64().expect("it names the row")
        })
        .collect();
    assert_eq!(rows.len() as u64, all);
    rows.sort_unstable();
    rows.dedup();
    assert_eq!(rows.len() as u64, all);
}

/// The import when it is over.
fn over(api: &Api, server: &Server, id: &str) -> Value {
    wait_for("the end of the import", || {
        Some(api.import(server, id)).filter(is_over)
    })
}

/// Every contact, without the time of its last change.
fn contacts(place: &Place) -> Vec<Value> {
    let mut contacts = place.contacts();
    for contact in &mut contacts {
        if let Some(contact) = contact.as_object_mut() {
            contact.remove("updated_at");
        }
    }
    contacts
}
