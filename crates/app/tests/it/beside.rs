//! Live deliveries while a file is imported.

use std::fmt::Write as _;

use reqwest::blocking::multipart::{Form, Part};
use serde_json::{Value, json};

use crate::support::{Server, answer, sizes_of_batches};

/// Batches of an import beside deliveries have so many records at most.
const BATCH: usize = 500;

#[test]
fn deliveries_pass_between_small_batches_of_an_import() {
    let server = Server::start();
    let admin = server.admin();
    let desk = server.source("desk");
    let mut file = "id,name\n".to_owned();
    for row in 0..4_000 {
        writeln!(file, "F{row},Guest {row}").unwrap();
    }
    let deliver = |number: u32| {
        let answer = desk.deliver("desk", &json!({"id": format!("D{number}")}));
        assert_eq!(answer.status, 201, "{answer:?}");
    };
    deliver(0);
    let part = Part::bytes(file.into_bytes()).file_name("guests.csv");
    let form = Form::new().part("file", part);
    let import = answer(admin.request("POST", "/api/v1/imports").multipart(form)).json();
    let path = format!("/api/v1/imports/{}", import["id"].as_str().unwrap());
    let mut delivered = 1;
    while !matches!(admin.get(&path).json()["state"].as_str(), Some("done")) {
        deliver(delivered);
        delivered += 1;
    }

    let log = admin.get("/api/v1/logs/export?format=ndjson").lines();
    let batches = sizes_of_batches(log.iter().filter(|attempt| is_row(attempt)));
    assert_eq!(batches.iter().sum::<usize>(), 4_000);
    assert!(batches.iter().all(|size| *size <= BATCH), "{batches:?}");
    let rows = log.iter().position(is_row).unwrap()..log.iter().rposition(is_row).unwrap();
    let between = log[rows].iter().filter(|attempt| !is_row(attempt)).count();
    assert!(between > 0, "no delivery passed of {delivered}");
}

fn is_row(attempt: &Value) -> bool {
    attempt["row"].is_u64()
}
