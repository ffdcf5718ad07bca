//! The review of a file before it is imported.

use reqwest::blocking::multipart::{Form, Part};
use serde_json::{Value, json};

use crate::support::{Answer, Caller, Server, answer, eventually};

/// Rows with every kind of defect that a file of guests may have.
const FILE: &str = "Guest ID,Name,Phone,Email,Birthday,Country\n\
    1,Anna Weber,+4930123456,anna@example.com,1990-05-17,DE\n\
    2,Ben Weiss,020 7946 0018,ben@example.com,,\n\
    3,Cora Klein,020 7946 0019,cora(at)example.com,,\n\
    4,Dora Gross,,dora@example.com,1990-02-31,Atlantis\n\
    1,Anna Weber,+4930123456,anna@example.com,1990-05-17,DE\n\
    1,Anna Weber-Berg,,,,\n\
    ,,,,,\n\
    5,Emil,+4930123456,emil@example.com,,\n\
    6,Fred\u{1}Fuchs,,fred@example.com,,\n\
    7,Old,+4930999999,old@example.com,,\n";

fn upload(caller: &Caller, content: &str) -> String {
    let part = Part::text(content.to_owned()).file_name("guests.csv");
    let form = Form::new().part("file", part).text("run", "false");
    let uploaded = answer(caller.request("POST", "/api/v1/imports").multipart(form));
    assert_eq!(uploaded.status, 202, "{uploaded:?}");
    let id = uploaded.json()["id"].as_str().unwrap().to_owned();
    format!("/api/v1/imports/{id}")
}

/// The review, when it is made.
fn review(caller: &Caller, import: &str) -> Value {
    eventually("the review", || {
        let review = caller.get(&format!("{import}/review"));
        assert_eq!(review.status, 200, "{review:?}");
        let review = review.json();
        assert_ne!(review["state"], "failed", "{review}");
        (review["state"] == "done").then_some(review)
    })
}

/// All rows of a filter, over as many pages as it takes.
fn rows(caller: &Caller, import: &str, filter: &str) -> Vec<Value> {
    let mut all = Vec::new();
    let mut cursor = String::new();
    loop {
        let path = format!("{import}/review/rows?limit=3{filter}{cursor}");
        let page = caller.get(&path);
        assert_eq!(page.status, 200, "{page:?}");
        let page = page.json();
        all.extend(page["rows"].as_array().unwrap().iter().cloned());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return all,
        }
    }
}

fn numbers(rows: &[Value]) -> Vec<u64> {
    rows.iter()
        .map(|row| row["row"].as_u64().unwrap())
        .collect()
}

/// Runs the import to its end; its attempts in the order of rows.
fn run(caller: &Caller, import: &str) -> (Value, Vec<Value>) {
    let started = caller.post(&format!("{import}/start"), &json!({}));
    assert_eq!(started.status, 202, "{started:?}");
    let done = eventually("the end of the import", || {
        let now = caller.get(import).json();
        (now["state"] == "done").then_some(now)
    });
    let id = done["id"].as_str().unwrap();
    let log = caller.get(&format!("/api/v1/logs?limit=500&import={id}"));
    let mut attempts = log.json()["attempts"].as_array().unwrap().clone();
    attempts.sort_by_key(|attempt| attempt["row"].as_u64());
    (done, attempts)
}

/// What an attempt says became of its row.
fn verdict(attempt: &Value) -> &str {
    let has = |list: &str, code: &str| {
        attempt[list]
            .as_array()
            .unwrap()
            .iter()
            .any(|one| one["code"] == code)
    };
    match attempt["action"].as_str() {
        Some("updated") if has("notes", "record.no_changes") => "unchanged",
        Some(action) => action,
        None if has("issues", "record.dropped") => "dropped",
        None => "failed",
    }
}

/// Whether the run did what the review said.
#[track_caller]
fn assert_same(rows: &[Value], attempts: &[Value]) {
    assert_eq!(rows.len(), attempts.len());
    for (row, attempt) in rows.iter().zip(attempts) {
        assert_eq!(row["row"], attempt["row"]);
        assert_eq!(row["verdict"], verdict(attempt), "{row} {attempt}");
        for same in [
            "matched_on",
            "name",
            "phone",
            "email",
            "external_id",
            "notes",
            "changes",
        ] {
            assert_eq!(row[same], attempt[same], "{same}: {row} {attempt}");
        }
        let codes = |of: &Value| -> Vec<Value> {
            let issues = of["issues"].as_array().unwrap();
            issues.iter().map(|issue| issue["code"].clone()).collect()
        };
        assert_eq!(codes(row), codes(attempt));
    }
}

fn fix(caller: &Caller, import: &str, fix: &Value) -> Answer {
    caller.post(&format!("{import}/fixes"), fix)
}

fn keys(review: &Value) -> Vec<(&str, u64)> {
    let groups = review["groups"].as_array().unwrap().iter();
    groups
        .map(|group| {
            (
                group["group"].as_str().unwrap(),
                group["rows"].as_u64().unwrap(),
            )
        })
        .collect()
}

#[test]
fn a_review_says_what_the_run_will_do() {
    let server = Server::start();
    let admin = server.admin();
    server.source("desk");
    admin.deliver("desk", &json!({"phone": "+4930999999", "name": "Otto"}));
    let import = upload(&admin, FILE);
    let seen = review(&admin, &import);
    assert_eq!(
        seen["verdicts"],
        json!({"created": 1, "updated": 3, "unchanged": 1, "failed": 5, "dropped": 0})
    );
    assert_eq!(seen["totals"]["records"], 10);
    let groups = keys(&seen);
    for group in [
        ("phone.no_region:phone", 2),
        ("email.invalid:email", 1),
        ("date.invalid:birthday", 1),
        ("country.unknown:country", 1),
        ("record.empty", 1),
        ("identifier.taken:phone", 0),
        ("text.control_character:name", 1),
    ] {
        assert_eq!(
            groups.contains(&group),
            group.1 > 0,
            "{group:?} in {groups:?}"
        );
    }
    assert_eq!(
        numbers(&rows(&admin, &import, "&verdict=failed")),
        [2, 3, 4, 7, 9]
    );
    let all = rows(&admin, &import, "");
    assert_eq!(numbers(&all), (1..=10).collect::<Vec<u64>>());
    assert_eq!(all[4]["same_as_row"], 1);
    assert_eq!(all[9]["contact_id"], "1");
    let (_, attempts) = run(&admin, &import);
    assert_same(&all, &attempts);
    admin
        .get(&format!("{import}/review"))
        .is_problem(409, "import-state");
}

#[test]
fn a_file_with_every_kind_of_defect_goes_in_clean() {
    let server = Server::start();
    let admin = server.admin();
    let import = upload(&admin, FILE);
    review(&admin, &import);
    let fix = |json: Value| {
        review(&admin, &import);
        let fixed = fix(&admin, &import, &json);
        assert_eq!(fixed.status, 200, "{fixed:?}");
        fixed.json()
    };
    let change = |row: u64, change: Value| {
        let changed = admin.patch(&format!("{import}/rows/{row}"), &change);
        assert_eq!(changed.status, 200, "{changed:?}");
        changed.json()
    };
    let group = "phone.no_region:phone";
    let counted = json!({"group": group, "fix": "set_region", "region": "gb", "only_count": true});
    assert_eq!(fix(counted), json!({"rows": 2, "cells": 0}));
    fix(json!({"group": group, "fix": "set_region", "region": "gb"}));
    let at =
        json!({"group": "email.invalid:email", "fix": "replace", "find": "(at)", "replace": "@"});
    assert_eq!(fix(at), json!({"rows": 1, "cells": 1}));
    assert_eq!(
        fix(json!({"group": "text.control_character:name", "fix": "clean"})),
        json!({"rows": 1, "cells": 1})
    );
    fix(json!({"group": "record.empty", "fix": "drop"}));
    // One of two defects of a row is mended, then the other.
    let row = change(4, json!({"cells": {"Birthday": "1990-02-28"}}));
    assert_eq!(row["row"]["verdict"], "failed");
    assert_eq!(row["row"]["issues"].as_array().unwrap().len(), 1);
    let row = change(4, json!({"cells": {"#6": "Austria"}}));
    assert_eq!(row["row"]["verdict"], "created", "{row}");
    let cell = |row: &Value, column: usize| row["row"]["cells"][column].clone();
    assert_eq!(
        cell(&row, 5),
        json!({"column": "Country", "field": "country", "value": "Austria", "uploaded": "Atlantis"})
    );
    // What is in the file again is no edit.
    change(1, json!({"cells": {"Name": "Anna W."}}));
    let row = change(1, json!({"cells": {"Name": "Anna Weber"}}));
    assert_eq!(cell(&row, 1)["uploaded"], Value::Null);

    let seen = review(&admin, &import);
    assert_eq!(seen["groups"], json!([]));
    assert_eq!(seen["verdicts"]["dropped"], 1);
    assert_eq!(seen["verdicts"]["failed"], 0);
    assert_eq!(seen["edited_rows"], 5);
    let all = rows(&admin, &import, "");
    let (done, attempts) = run(&admin, &import);
    assert_same(&all, &attempts);
    assert_eq!(done["totals"]["failed"], 1);
    let message = attempts[6]["issues"][0]["message"].as_str().unwrap();
    assert!(message.contains("left out by tests"), "{message}");
    assert_eq!(attempts[1]["phone"], "+442079460018");
    let notes = attempts[2]["notes"].as_array().unwrap();
    assert_eq!(
        notes[0]["message"],
        "In the review “Email” was changed from “cora(at)example.com” to “cora@example.com”."
    );
    // The log has what was sent.
    let path = format!("/api/v1/logs/{}", attempts[2]["id"].as_str().unwrap());
    let payload = admin.get(&path).json()["payload"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(payload.contains("cora(at)example.com"), "{payload}");
    let failed = admin.get(&format!("{import}/failed-rows.csv"));
    assert_eq!(failed.text.lines().count(), 1, "{failed:?}");
    admin
        .patch(&format!("{import}/rows/1"), &json!({"dropped": true}))
        .is_problem(409, "import-state");
}

#[test]
fn failed_rows_keep_what_was_corrected() {
    let server = Server::start();
    let admin = server.admin();
    let import = upload(&admin, "Name,Phone,Email\nAnna,12,anna\n");
    let changed = admin.patch(
        &format!("{import}/rows/1"),
        &json!({"cells": {"Email": "anna@example.com"}}),
    );
    assert_eq!(changed.status, 200, "{changed:?}");
    run(&admin, &import);
    let failed = admin.get(&format!("{import}/failed-rows.csv"));
    assert!(
        failed.text.contains("Anna,12,anna@example.com,1,"),
        "{failed:?}"
    );
}

#[test]
fn edits_are_undone() {
    let server = Server::start();
    let admin = server.admin();
    let import = upload(&admin, FILE);
    let before = review(&admin, &import);
    let drop = json!({"group": "record.empty", "fix": "drop"});
    assert_eq!(fix(&admin, &import, &drop).status, 200);
    assert_eq!(review(&admin, &import)["verdicts"]["dropped"], 1);
    let undone = admin.delete(&format!("{import}/edits"));
    assert_eq!(undone.json(), json!({"rows": 1}));
    let mut after = review(&admin, &import);
    after["made_at"] = before["made_at"].clone();
    assert_eq!(after, before);
}

#[test]
fn what_cannot_be_changed_is_refused() {
    let server = Server::start();
    let admin = server.admin();
    let import = upload(&admin, FILE);
    review(&admin, &import);
    for (row, json, status, kind) in [
        ("0", json!({"dropped": true}), 404, "not-found"),
        ("11", json!({"dropped": true}), 404, "not-found"),
        ("x", json!({"dropped": true}), 404, "not-found"),
        ("1", json!({"cells": {"Fax": "1"}}), 422, "value"),
        ("1", json!({"cells": {"#0": "1"}}), 422, "value"),
        ("1", json!({"cells": {"#7": "1"}}), 422, "value"),
        (
            "1",
            json!({"cells": {"Name": "x".repeat(20_001)}}),
            422,
            "value",
        ),
        ("1", json!({"region": "Atlantis"}), 422, "value"),
        ("1", json!({"regoin": "GB"}), 400, "body"),
    ] {
        let path = format!("{import}/rows/{row}");
        admin.patch(&path, &json).is_problem(status, kind);
    }
    for (json, status, kind) in [
        (json!({"group": "x", "fix": "drop"}), 404, "not-found"),
        (
            json!({"group": "record.empty", "fix": "clear"}),
            422,
            "value",
        ),
        (
            json!({"group": "record.empty", "fix": "mend"}),
            422,
            "value",
        ),
        (
            json!({"group": "email.invalid:email", "fix": "replace"}),
            422,
            "value",
        ),
        (
            json!({"group": "phone.no_region:phone", "fix": "set_region", "region": ""}),
            422,
            "value",
        ),
    ] {
        fix(&admin, &import, &json).is_problem(status, kind);
    }
    assert_eq!(review(&admin, &import)["edited_rows"], 0);
    admin
        .get(&format!("{import}/review/rows?verdict=good"))
        .is_problem(400, "parameter");
    let desk = server.source("desk");
    desk.get(&format!("{import}/review"))
        .is_problem(404, "not-found");
    desk.patch(&format!("{import}/rows/1"), &json!({"dropped": true}))
        .is_problem(404, "not-found");
}

#[test]
fn the_order_of_dates_is_decided_from_what_will_be_imported() {
    let server = Server::start();
    let admin = server.admin();
    let import = upload(
        &admin,
        "Name,Birthday\nAnna,17/05/1990\nBen,05/17/1990\nCora,01/02/1990\n",
    );
    let seen = review(&admin, &import);
    assert_eq!(keys(&seen)[0].0, "date.ambiguous:birthday", "{seen}");
    let changed = admin.patch(&format!("{import}/rows/2"), &json!({"dropped": true}));
    assert_eq!(changed.json()["exact"], true, "{changed:?}");
    let all = rows(&admin, &import, "&verdict=created");
    assert_eq!(numbers(&all), [1, 3]);
    let (_, attempts) = run(&admin, &import);
    assert_eq!(
        attempts.iter().map(verdict).collect::<Vec<_>>(),
        ["created", "dropped", "created"]
    );
}

#[test]
fn rows_that_come_out_otherwise_than_reviewed_are_listed() {
    let server = Server::start();
    let admin = server.admin();
    let desk = server.source("desk");
    desk.deliver("desk", &json!({"email": "e7@example.com", "name": "N7"}));
    // Enough rows for several batches, of one block and of more.
    let rows_of_file: String = (1..=4_500)
        .map(|number| format!("N{number},e{number}@example.com\n"))
        .collect();
    let import = upload(&admin, &format!("Name,Email\n{rows_of_file}"));
    let seen = review(&admin, &import);
    assert_eq!(seen["verdicts"]["unchanged"], 1);
    for number in [3, 2_600, 4_400] {
        let email = format!("e{number}@example.com");
        let name = format!("N{number}");
        desk.deliver("desk", &json!({"email": email, "name": name}));
    }
    desk.deliver("desk", &json!({"email": "e7@example.com", "name": "Nora"}));
    let started = admin.post(&format!("{import}/start"), &json!({}));
    assert_eq!(started.status, 202, "{started:?}");
    let done = eventually("the end of the import", || {
        let now = admin.get(&import).json();
        (now["state"] == "done").then_some(now)
    });
    assert_eq!(done["drifted"], 4);
    let drift = admin.get(&format!("{import}/drift")).json();
    assert_eq!(drift["drifted"], 4);
    let listed = drift["rows"].as_array().unwrap();
    assert_eq!(numbers(listed), [3, 7, 2_600, 4_400]);
    let expected: Vec<&Value> = listed.iter().map(|row| &row["expected"]).collect();
    assert_eq!(expected, ["created", "unchanged", "created", "created"]);
    assert_eq!(listed[1]["expected_contact_id"], "1");
    for row in listed {
        let attempt = admin.get(&format!(
            "/api/v1/logs/{}",
            row["attempt_id"].as_str().unwrap()
        ));
        let attempt = attempt.json();
        assert_eq!(attempt["row"], row["row"]);
        let notes = attempt["notes"].as_array().unwrap();
        assert!(
            notes.iter().any(|note| note["code"] == "verdict.drifted"),
            "{attempt}"
        );
    }
    // An import that runs as it was reviewed has none, and neither has one that nobody reviewed.
    for reviewed in [true, false] {
        let import = upload(&admin, "Name,Email\nOne,one@example.com\n");
        if reviewed {
            review(&admin, &import);
        } else {
            desk.deliver("desk", &json!({"email": "one@example.com", "name": "Uno"}));
        }
        let (done, _) = run(&admin, &import);
        assert_eq!(done["drifted"], 0);
    }
}
