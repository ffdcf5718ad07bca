//! Files.

use std::io::{BufRead, BufReader};

use reqwest::blocking::multipart::{Form, Part};
use serde_json::{Value, json};

use crate::support::{Answer, Caller, Server, answer, eventually};

const FILE: &str = "Kundennummer,Name,Telefon,E-Mail\n\
                    1,Anna Weber,+4930123456,anna@example.com\n\
                    2,Ben Weiß,12,ben@example.com\n\
                    1,Anna Weber,+4930123456,anna@example.com\n";

fn form(name: &str, content: impl Into<Vec<u8>>) -> Form {
    Form::new().part(
        "file",
        Part::bytes(content.into()).file_name(name.to_owned()),
    )
}

fn upload(caller: &Caller, form: Form) -> Answer {
    answer(caller.request("POST", "/api/v1/imports").multipart(form))
}

/// Waits until an import is over.
fn over(caller: &Caller, id: &str) -> Value {
    eventually("the end of the import", || {
        let import = caller.get(&format!("/api/v1/imports/{id}")).json();
        matches!(
            import["state"].as_str(),
            Some("done" | "failed" | "cancelled")
        )
        .then_some(import)
    })
}

fn id(import: &Value) -> &str {
    import["id"].as_str().unwrap()
}

#[test]
fn an_upload_runs_with_the_guessed_mapping() {
    let server = Server::start();
    let admin = server.admin();
    let uploaded = upload(&admin, form("guests.csv", FILE));
    assert_eq!(uploaded.status, 202, "{uploaded:?}");
    let import = uploaded.json();
    assert_eq!(
        uploaded.header("location"),
        Some(format!("/api/v1/imports/{}", id(&import)).as_str())
    );
    assert_eq!(import["file_name"], "guests.csv");
    assert_eq!(import["file_size"], FILE.len());
    assert_eq!(import["source"], "manual");
    assert_eq!(import["created_by"], "tests");
    let import = over(&admin, id(&import));
    assert_eq!(import["state"], "done");
    assert_eq!(
        import["totals"],
        json!({"records": 3, "created": 1, "updated": 1, "unchanged": 1, "removed": 0, "warnings": 0, "failed": 1})
    );
    assert_eq!(import["expected_records"], 3);
    let log = admin
        .get(&format!("/api/v1/logs?import={}", id(&import)))
        .json();
    let rows: Vec<&Value> = log["attempts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|attempt| &attempt["row"])
        .collect();
    assert_eq!(rows, [3, 2, 1]);

    let failed = admin.get(&format!("/api/v1/imports/{}/failed-rows.csv", id(&import)));
    assert!(
        failed
            .header("content-type")
            .unwrap()
            .starts_with("text/csv")
    );
    let mut reader = csv::Reader::from_reader(failed.text.as_bytes());
    let headers: Vec<String> = reader
        .headers()
        .unwrap()
        .iter()
        .map(str::to_owned)
        .collect();
    let rows: Vec<csv::StringRecord> = reader.records().collect::<Result<_, _>>().unwrap();
    assert_eq!(rows.len(), 1);
    let cell = |name: &str| {
        let column = headers.iter().position(|header| header == name).unwrap();
        rows[0][column].to_owned()
    };
    assert_eq!(
        (cell("_row").as_str(), cell("Name").as_str()),
        ("2", "Ben Weiß")
    );
    assert_eq!(cell("Telefon"), "12");
    assert!(cell("_reason").contains("“12”"));
}

#[test]
fn an_upload_can_be_looked_at_first_and_started_with_another_mapping() {
    let server = Server::start();
    let admin = server.admin();
    let uploaded = upload(&admin, form("guests.csv", FILE).text("run", "false"));
    assert_eq!(uploaded.status, 202, "{uploaded:?}");
    let import = uploaded.json();
    assert_eq!(import["state"], "uploaded");
    let columns = import["inspection"]["columns"].as_array().unwrap();
    assert_eq!(columns[2]["name"], "Telefon");
    assert_eq!(columns[2]["samples"], json!(["+4930123456", "12"]));
    assert_eq!(columns[2]["field"], "phone");
    assert_eq!(import["inspection"]["delimiter"], ",");

    let path = format!("/api/v1/imports/{}", id(&import));
    admin
        .post(
            &format!("{path}/start"),
            &json!({"mapping": {"Telefon": "telephone"}}),
        )
        .is_problem(422, "mapping");
    admin
        .post(
            &format!("{path}/start"),
            &json!({"mapping": {"Fax": "phone"}}),
        )
        .is_problem(422, "mapping");
    admin
        .post(&format!("{path}/start"), &json!({"maping": {}}))
        .is_problem(400, "body");
    admin
        .get(&format!("{path}/failed-rows.csv"))
        .is_problem(409, "import-state");
    assert_eq!(admin.get(&path).json()["state"], "uploaded");
    let mapping = json!({"mapping": {"columns": [
        {"column": "Kundennummer", "field": "external_id"},
        {"column": "Name", "field": "name"},
    ]}});
    let started = admin.post(&format!("{path}/start"), &mapping);
    assert_eq!(started.status, 202, "{started:?}");
    let done = over(&admin, id(&import));
    assert_eq!(done["totals"]["created"], 2);
    assert_eq!(done["totals"]["failed"], 0);
    admin
        .post(&format!("{path}/start"), &mapping)
        .is_problem(409, "import-state");
}

#[test]
fn the_parts_may_come_in_any_order() {
    let server = Server::start();
    let hand = server.source_with(&json!({"name": "auto", "region": "DE"}));
    let form = Form::new()
        .text("run", "true")
        .text("mapping", r#"{"Telefon":"phone","E-Mail":"email"}"#)
        .text("source", "auto")
        .part("file", Part::text(FILE).file_name("C:\\data\\guests.csv"));
    let import = upload(&hand, form);
    assert_eq!(import.status, 202, "{import:?}");
    assert_eq!(import.json()["file_name"], "guests.csv");
    let done = over(&hand, id(&import.json()));
    // The source's rules apply: a bad phone is a warning.
    assert_eq!(done["totals"]["warnings"], 1);
    assert_eq!(done["totals"]["created"], 2);
}

#[test]
fn the_progress_can_be_followed() {
    let server = Server::start();
    let admin = server.admin();
    let rows: String = (0..20_000)
        .map(|number| format!("{number},Name {number}\n"))
        .collect();
    let import = upload(
        &admin,
        form("many.csv", format!("external_id,name\n{rows}")),
    )
    .json();
    let path = format!("/api/v1/imports/{}/events", id(&import));
    let response = admin.request("GET", &path).send().unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut events = Vec::new();
    let mut name = String::new();
    for line in BufReader::new(response).lines() {
        let line = line.unwrap();
        if let Some(event) = line.strip_prefix("event: ") {
            name = event.to_owned();
        } else if let Some(data) = line.strip_prefix("data: ") {
            events.push((name.clone(), serde_json::from_str::<Value>(data).unwrap()));
        }
    }
    let (last, end) = events.last().unwrap();
    assert_eq!(last, "end");
    assert_eq!(end["state"], "done");
    assert_eq!(end["totals"]["records"], 20_000);
    assert_eq!(end["expected_records"], 20_000);
    assert!(
        events[..events.len() - 1]
            .iter()
            .all(|(name, _)| name == "progress")
    );
}

#[test]
fn an_import_can_be_cancelled() {
    let server = Server::start();
    let admin = server.admin();
    let import = upload(&admin, form("guests.csv", FILE).text("run", "false")).json();
    let path = format!("/api/v1/imports/{}", id(&import));
    let cancelled = answer(admin.request("POST", &format!("{path}/cancel")));
    assert_eq!(cancelled.json()["state"], "cancelled");
    let again = answer(admin.request("POST", &format!("{path}/cancel")));
    assert_eq!(
        (again.status, again.json()["state"].as_str()),
        (200, Some("cancelled"))
    );
    answer(admin.request("POST", &format!("{path}/start"))).is_problem(409, "import-state");
}

#[test]
fn imports_are_listed_newest_first() {
    let server = Server::start();
    let admin = server.admin();
    let desk = server.source("desk");
    let names = |caller: &Caller, query: &str| -> (Vec<String>, Option<String>) {
        let page = caller.get(&format!("/api/v1/imports?{query}")).json();
        let imports = page["imports"].as_array().unwrap().iter();
        let names = imports.map(|import| import["file_name"].as_str().unwrap().to_owned());
        (
            names.collect(),
            page["next_cursor"].as_str().map(str::to_owned),
        )
    };
    for number in 0..5 {
        let caller = if number % 2 == 0 { &admin } else { &desk };
        let form =
            form(&format!("{number}.csv"), format!("name\nN{number}\n")).text("run", "false");
        assert_eq!(upload(caller, form).status, 202);
    }
    let (first, cursor) = names(&admin, "limit=3");
    assert_eq!(first, ["4.csv", "3.csv", "2.csv"]);
    let (rest, end) = names(&admin, &format!("limit=3&cursor={}", cursor.unwrap()));
    assert_eq!(
        (rest, end),
        (vec!["1.csv".to_owned(), "0.csv".to_owned()], None)
    );
    let (own, cursor) = names(&desk, "limit=1");
    assert_eq!(own, ["3.csv"]);
    assert_eq!(
        names(&desk, &format!("limit=1&cursor={}", cursor.unwrap())).0,
        ["1.csv"]
    );
}

#[test]
fn a_key_of_a_source_sees_its_own_imports_alone() {
    let server = Server::start();
    let desk = server.source("desk");
    let theirs = upload(&server.admin(), form("a.csv", FILE).text("run", "false")).json();
    for path in ["", "/events", "/failed-rows.csv"] {
        desk.get(&format!("/api/v1/imports/{}{path}", id(&theirs)))
            .is_problem(404, "not-found");
    }
    upload(&desk, form("a.csv", FILE).text("source", "manual")).is_problem(403, "forbidden");
    let own = upload(&desk, form("a.csv", FILE).text("run", "false")).json();
    assert_eq!(own["source"], "desk");
    assert_eq!(
        desk.get(&format!("/api/v1/imports/{}", id(&own))).status,
        200
    );
}

#[test]
fn cards_are_taken_and_kept_as_they_were_sent() {
    let server = Server::start();
    let admin = server.admin();
    let card = "BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Anna Weber\r\nTEL:+49 30 123456\r\nEND:VCARD";
    let cards = format!("{card}\r\n");
    let uploaded = upload(&admin, form("a.vcf", cards.as_str()).text("run", "false")).json();
    let inspection = &uploaded["inspection"];
    assert_eq!(
        (&inspection["format"], &inspection["delimiter"]),
        (&json!("vCard"), &json!(null))
    );
    assert_eq!(
        inspection["columns"][1]["samples"],
        json!(["+49 30 123456"])
    );
    admin.post(
        &format!("/api/v1/imports/{}/start", id(&uploaded)),
        &json!({}),
    );
    let import = over(&admin, id(&uploaded));
    assert_eq!(import["totals"]["created"], 1, "{import}");
    let log = admin.get("/api/v1/logs").json();
    let attempt = log["attempts"][0]["id"].as_str().unwrap();
    let attempt = admin.get(&format!("/api/v1/logs/{attempt}")).json();
    assert_eq!(attempt["payload"], card, "{attempt}");
    // A sheet is told with the upload; text has none, so it does not matter there.
    let form = form("b.csv", FILE)
        .text("sheet", "1")
        .text("header_row", "x");
    upload(&admin, form).is_problem(400, "body");
}

#[test]
fn what_cannot_be_imported_is_refused() {
    let server = Server::start_with(&["--max-file-bytes", "1000"]);
    let admin = server.admin();
    upload(&admin, form("book.xlsx", b"PK\x03\x04....".as_slice()))
        .is_problem(422, "file-unreadable");
    upload(&admin, form("empty.csv", "")).is_problem(422, "file-unreadable");
    let problem = upload(&admin, form("large.csv", "x".repeat(5_000))).is_problem(413, "too-large");
    assert_eq!(problem["limit"], 1000);
    upload(&admin, Form::new().text("run", "true")).is_problem(400, "body");
    upload(&admin, form("a.csv", FILE).text("runn", "true")).is_problem(400, "body");
    upload(&admin, form("a.csv", FILE).text("run", "maybe")).is_problem(400, "body");
    upload(&admin, form("a.csv", FILE).text("mapping", "{")).is_problem(422, "mapping");
    upload(&admin, form("a.csv", FILE).text("source", "nobody")).is_problem(404, "not-found");
    admin
        .post("/api/v1/imports", &json!({}))
        .is_problem(415, "media-type");
    // No column can be guessed: the file is kept, and can be started with a mapping.
    let problem = upload(&admin, form("a.csv", "foo,bar\nx,y\n")).is_problem(422, "mapping");
    let kept = problem["import_id"].as_str().unwrap();
    assert_eq!(
        admin.get(&format!("/api/v1/imports/{kept}")).json()["state"],
        "uploaded"
    );
    let started = admin.post(
        &format!("/api/v1/imports/{kept}/start"),
        &json!({"mapping": {"foo": "name"}}),
    );
    assert_eq!(started.status, 202, "{started:?}");
    assert_eq!(over(&admin, kept)["totals"]["created"], 1);
}

#[test]
fn a_paused_source_takes_no_files() {
    let server = Server::start();
    let admin = server.admin();
    let waiting = upload(&admin, form("a.csv", FILE).text("run", "false")).json();
    admin.patch("/api/v1/sources/manual", &json!({"paused": true}));
    upload(&admin, form("a.csv", FILE)).is_problem(423, "source-paused");
    answer(admin.request("POST", &format!("/api/v1/imports/{}/start", id(&waiting))))
        .is_problem(423, "source-paused");
}
