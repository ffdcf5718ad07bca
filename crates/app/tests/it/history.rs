//! The history of imports: what continues what, several at once, files that come back.

use reqwest::blocking::multipart::{Form, Part};
use serde_json::{Value, json};

use crate::support::{Caller, Server, answer, eventually, sizes_of_batches};

fn upload(caller: &Caller, name: &str, content: impl Into<Vec<u8>>) -> Value {
    upload_with(caller, name, content, Form::new())
}

fn upload_with(caller: &Caller, name: &str, content: impl Into<Vec<u8>>, form: Form) -> Value {
    let part = Part::bytes(content.into()).file_name(name.to_owned());
    let request = caller.request("POST", "/api/v1/imports");
    let uploaded = answer(request.multipart(form.part("file", part)));
    assert_eq!(uploaded.status, 202, "{uploaded:?}");
    uploaded.json()
}

fn get(caller: &Caller, import: &Value) -> Value {
    caller.get(&path(import, "")).json()
}

fn path(import: &Value, rest: &str) -> String {
    format!("/api/v1/imports/{}{rest}", import["id"].as_str().unwrap())
}

fn over(caller: &Caller, import: &Value) -> Value {
    eventually("the end of the import", || {
        let import = get(caller, import);
        let state = import["state"].as_str();
        matches!(state, Some("done" | "failed" | "cancelled")).then_some(import)
    })
}

#[test]
fn corrected_rows_continue_the_import_they_failed_in() {
    let server = Server::start();
    let admin = server.admin();
    let file =
        "Who,Mail,Tel\nAnna,anna@example.com,12\nBen,ben@example.com,+4930123456\nCleo,nope,13\n";
    let mapping = r#"{"Who":"name","Mail":"email","Tel":"phone"}"#;
    let form = Form::new().text("mapping", mapping);
    let first = over(&admin, &upload_with(&admin, "guests.csv", file, form));
    assert_eq!(first["totals"]["failed"], 2, "{first}");
    assert_eq!(
        (&first["parent"], &first["children"]),
        (&Value::Null, &json!([]))
    );

    let failed = admin.get(&path(&first, "/failed-rows.csv")).text;
    let corrected = failed.replace(",12,", ",'+4930123457,");
    let looked = upload_with(
        &admin,
        "fixed.csv",
        corrected.clone(),
        Form::new().text("run", "false"),
    );
    assert_eq!(looked["parent"], first["id"], "{looked}");
    answer(admin.request("POST", &path(&looked, "/start")));
    let second = over(&admin, &looked);
    assert_eq!(second["parent"], first["id"]);
    assert_eq!(second["kind"], "file");
    let totals = &second["totals"];
    assert_eq!(
        (&totals["created"], &totals["failed"]),
        (&json!(1), &json!(1)),
        "{second}"
    );
    // Mapped as the parent was, not as it would have been guessed.
    let columns = second["mapping"]["columns"].as_array().unwrap().iter();
    let fields: Vec<&Value> = columns.map(|column| &column["field"]).collect();
    let expected = json!(["name", "email", "phone", null, null]);
    assert_eq!(
        fields,
        expected.as_array().unwrap().iter().collect::<Vec<_>>()
    );

    let first = get(&admin, &first);
    assert_eq!(first["children"][0]["id"], second["id"]);
    assert_eq!(first["children"][0]["kind"], "file");
    assert_eq!(
        first["children"][0]["summary"],
        "2 records: 1 created, 0 updated, 1 failed."
    );
    assert_eq!(first["reading"]["delimiter"], ",");
    assert!(first["duration_seconds"].as_u64().unwrap() >= 1);

    // What failed again continues the continuation; the very same file is noticed.
    let again = admin.get(&path(&second, "/failed-rows.csv")).text;
    let third = over(
        &admin,
        &upload(
            &admin,
            "again.csv",
            again
                .replace("nope", "cleo@example.com")
                .replace(",13,", ",,"),
        ),
    );
    assert_eq!(
        (&third["parent"], &third["totals"]["created"]),
        (&second["id"], &json!(1)),
        "{third}"
    );
    let twin = upload(&admin, "twin.csv", corrected);
    assert_eq!(twin["same_file"], json!([second["id"]]));
    let twin = over(&admin, &twin);
    let last = over(&admin, &upload(&admin, "guests.csv", file));
    assert_eq!(last["same_file"], json!([first["id"]]));
    assert_eq!(get(&admin, &twin)["same_file"], json!([second["id"]]));
}

#[test]
fn the_history_is_filtered() {
    let server = Server::start();
    let admin = server.admin();
    let desk = server.source("desk");
    let rows = |name: &str| format!("Name,Email\n{name},{name}@example.com\n");
    let a = over(&admin, &upload(&admin, "Gäste März.csv", rows("a")));
    let waiting = Form::new().text("run", "false");
    let b = upload_with(&admin, "Gäste April.csv", rows("b"), waiting);
    let c = over(&desk, &upload(&desk, "guests.csv", rows("c")));
    let find = |caller: &Caller, query: &str| -> Vec<Value> {
        let page = caller.get(&format!("/api/v1/imports?{query}")).json();
        let imports = page["imports"]
            .as_array()
            .unwrap_or_else(|| panic!("{page}"));
        imports.iter().map(|import| import["id"].clone()).collect()
    };
    let ids = |imports: &[&Value]| -> Vec<Value> {
        imports.iter().map(|import| import["id"].clone()).collect()
    };
    assert_eq!(find(&admin, ""), ids(&[&c, &b, &a]));
    assert_eq!(find(&admin, "state=done"), ids(&[&c, &a]));
    assert_eq!(find(&admin, "q=g%C3%84ste"), ids(&[&b, &a]));
    assert_eq!(find(&admin, "source=desk"), ids(&[&c]));
    assert_eq!(
        find(
            &admin,
            "created_by=tests&q=m%C3%A4rz&state=done&source=manual"
        ),
        ids(&[&a])
    );
    assert_eq!(find(&desk, ""), ids(&[&c]));
    let page = admin.get("/api/v1/imports?q=g%C3%A4ste&limit=1").json();
    let next = page["next_cursor"].as_str().unwrap();
    assert_eq!(
        find(&admin, &format!("q=g%C3%A4ste&limit=1&cursor={next}")),
        ids(&[&a])
    );
    admin
        .get("/api/v1/imports?state=finished")
        .is_problem(400, "parameter");
    desk.get("/api/v1/imports?source=manual")
        .is_problem(403, "forbidden");
}

#[test]
fn the_file_comes_back_as_it_was_uploaded() {
    let server = Server::start();
    let admin = server.admin();
    let content = "\u{feff}Name;E-Mail\r\n\"Anna\r\nWeber\";anna@example.com\r\n";
    let import = over(&admin, &upload(&admin, "Gäste \"1\".csv", content));
    assert_eq!(import["file_kept"], true);
    let file = admin.get(&path(&import, "/file"));
    assert_eq!(file.status, 200);
    assert_eq!(file.text.as_bytes(), content.as_bytes());
    assert_eq!(
        file.header("content-type"),
        Some("application/octet-stream")
    );
    let disposition = file.header("content-disposition").unwrap();
    assert_eq!(
        disposition,
        "attachment; filename=\"G_ste _1_.csv\"; filename*=UTF-8''G%C3%A4ste%20%221%22.csv"
    );
    server
        .source("desk")
        .get(&path(&import, "/file"))
        .is_problem(404, "not-found");
    server
        .nobody()
        .get(&path(&import, "/file"))
        .is_problem(401, "key-missing");
}

#[test]
fn a_small_file_does_not_wait_for_a_huge_one_that_can_be_stopped() {
    let server = Server::start();
    let admin = server.admin();
    let rows: String = (0..200_000)
        .map(|number| format!("{number},Name {number},n{number}@example.com\n"))
        .collect();
    let huge = upload(
        &admin,
        "huge.csv",
        format!("external_id,name,email\n{rows}"),
    );
    eventually("the first batch of the huge one", || {
        (get(&admin, &huge)["totals"]["records"] != 0).then_some(())
    });
    let small = over(
        &admin,
        &upload(&admin, "small.csv", "external_id,name\nx,Anna\n"),
    );
    assert_eq!(small["totals"]["created"], 1);
    assert_eq!(get(&admin, &huge)["state"], "running");

    answer(admin.request("POST", &path(&huge, "/cancel")));
    let huge = over(&admin, &huge);
    assert_eq!(huge["state"], "cancelled");
    let records = huge["totals"]["records"].as_u64().unwrap();
    assert!(records > 0 && records < 200_000, "{huge}");
    let attempts = admin.get(&format!(
        "/api/v1/logs/export?format=ndjson&import={}",
        huge["id"].as_str().unwrap()
    ));
    let attempts = attempts.lines();
    let batches = sizes_of_batches(attempts.iter());
    // It ended with a whole batch.
    assert!(
        batches.iter().all(|size| *size == batches[0]),
        "{batches:?}"
    );
    assert_eq!(huge["totals"]["created"], records);
    let summary = huge["summary"].as_str().unwrap();
    assert!(
        summary.starts_with("Stopped after ") && summary.contains(" of 200,000 records: "),
        "{summary}"
    );
    assert!(summary.ends_with("What was written stays."), "{summary}");
    let log = admin.get(&format!(
        "/api/v1/logs/summary?import={}&buckets=0",
        huge["id"].as_str().unwrap()
    ));
    assert_eq!(log.json()["counts"]["all"], records, "{log:?}");
}
