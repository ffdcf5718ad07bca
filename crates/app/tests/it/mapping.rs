//! How the columns of a file are mapped and read.

use reqwest::blocking::multipart::{Form, Part};
use serde_json::{Value, json};

use crate::support::{Answer, Caller, Server, answer, eventually};

fn form(name: &str, content: impl Into<Vec<u8>>) -> Form {
    Form::new().part(
        "file",
        Part::bytes(content.into()).file_name(name.to_owned()),
    )
}

fn upload(caller: &Caller, form: Form) -> Answer {
    answer(caller.request("POST", "/api/v1/imports").multipart(form))
}

/// Uploads and runs a file to its end.
#[track_caller]
fn import(caller: &Caller, form: Form) -> Value {
    let uploaded = upload(caller, form);
    assert_eq!(uploaded.status, 202, "{uploaded:?}");
    let uploaded = uploaded.json();
    let path = format!("/api/v1/imports/{}", uploaded["id"].as_str().unwrap());
    eventually("the end of the import", || {
        let import = caller.get(&path).json();
        let state = import["state"].as_str();
        matches!(state, Some("done" | "failed" | "cancelled")).then_some(import)
    })
}

/// The only contact that a search finds.
#[track_caller]
fn contact(caller: &Caller, search: &str) -> Value {
    let found = caller.get(&format!("/api/v1/contacts?q={search}")).json();
    let contacts = found["contacts"].as_array().unwrap();
    assert_eq!(contacts.len(), 1, "{search}: {found}");
    contacts[0].clone()
}

#[test]
fn a_column_may_fill_what_is_empty_and_blank_cells_may_clear() {
    let server = Server::start();
    let admin = server.admin();
    let first = "external_id,name,phone,city\n1,Anna,+4930123456,Kiel\n2,Ben,,Bonn\n";
    assert_eq!(import(&admin, form("a.csv", first))["totals"]["created"], 2);
    let second = "external_id,phone,city\n1,+4930999999,\n2,+4930888888,Trier\n";
    let mapping = json!({"columns": [
        {"column": "external_id", "field": "external_id"},
        {"column": "phone", "field": "phone", "write": "only_if_empty"},
        {"column": "city", "field": "city", "blank": "clear"},
    ]});
    let done = import(
        &admin,
        form("b.csv", second)
            .text("mapping", mapping.to_string())
            .text("tags", "Autumn fair, VIP"),
    );
    assert_eq!(done["totals"]["updated"], 2, "{done}");
    let anna = contact(&admin, "Anna");
    assert_eq!(anna["fields"]["phone"], json!(["+4930123456"]), "{anna}");
    assert!(anna["fields"]["city"].is_null(), "{anna}");
    assert_eq!(anna["fields"]["tags"], json!(["Autumn fair", "VIP"]));
    let ben = contact(&admin, "Ben");
    assert_eq!(ben["fields"]["phone"], json!(["+4930888888"]), "{ben}");
    assert_eq!(ben["fields"]["city"], "Trier");
}

#[test]
fn how_a_file_is_read_can_be_said() {
    let server = Server::start();
    let admin = server.admin();
    let file = b"Guests of today\nName|Telefon|Stadt\nJos\xe9|030 123456|K\xf6ln\n".to_vec();
    let said = form("a.txt", file)
        .text("delimiter", "pipe")
        .text("encoding", "latin1")
        .text("header_row", "2")
        .text("quote", "none")
        .text("region", "Germany");
    let done = import(&admin, said);
    assert_eq!(done["totals"]["created"], 1, "{done}");
    let found = contact(&admin, "Jos%C3%A9");
    assert_eq!(found["fields"]["city"], "Köln");
    assert_eq!(found["fields"]["phone"], json!(["+4930123456"]));
    for (part, text, status, kind) in [
        ("delimiter", "ab", 400, "body"),
        ("encoding", "klingon", 400, "body"),
        ("region", "Atlantis", 400, "body"),
        ("tags", &"x".repeat(101), 422, "mapping"),
    ] {
        let wrong = form("a.csv", "name\nA\n").text(part.to_owned(), text.to_owned());
        upload(&admin, wrong).is_problem(status, kind);
    }
    // The same, said when it is started.
    let kept = form("b.csv", "Guests\nName;Ort\nZoe;Ulm\n").text("run", "false");
    let kept = upload(&admin, kept).json();
    let start = format!("/api/v1/imports/{}/start", kept["id"].as_str().unwrap());
    let told = json!({"delimiter": "semicolon", "header_row": 2, "tags": ["VIP"]});
    assert_eq!(admin.post(&start, &told).status, 202);
    let zoe = eventually("the contact", || {
        let found = admin.get("/api/v1/contacts?q=Zoe").json();
        found["contacts"].get(0).cloned()
    });
    assert_eq!(zoe["fields"]["tags"], json!(["VIP"]), "{zoe}");
}

#[test]
fn a_list_is_filled_by_all_its_columns_or_by_none() {
    let server = Server::start();
    let mapping = json!({"columns": [
        {"column": "a", "field": "phone", "write": "only_if_empty"},
        {"column": "b", "field": "phone"},
    ]});
    let wrong = form("a.csv", "a,b\n1,2\n").text("mapping", mapping.to_string());
    let problem = upload(&server.admin(), wrong).is_problem(422, "mapping");
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("`a` and `b` go to `phone`"), "{detail}");
}

#[test]
fn a_column_tells_how_many_of_its_values_cannot_be_used() {
    let server = Server::start();
    let admin = server.admin();
    let rows = "Name,Number,Country,Born\n\
                Anna,030 123456,DE,03/04/1990\n\
                Ben,12,DE,01/02/1991\n\
                Zoe,,GB,n/a\n\
                Tom,abc,GB,05/06/1992\n";
    let kept = upload(&admin, form("a.csv", rows).text("run", "false")).json();
    let inspection = &kept["inspection"];
    assert_eq!(
        inspection["rows"][1],
        json!(["Ben", "12", "DE", "01/02/1991"])
    );
    let path = format!("/api/v1/imports/{}/columns", kept["id"].as_str().unwrap());
    let check = |column: usize, query: &str| {
        let answer = admin.get(&format!("{path}/{column}/check?{query}"));
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    };
    let phones = check(1, "field=phone");
    assert_eq!(
        (&phones["records"], &phones["values"], &phones["failing"]),
        (&json!(4), &json!(3), &json!(2)),
        "{phones}"
    );
    assert_eq!(phones["whole"], true);
    assert_eq!(phones["examples"][0]["value"], "12");
    assert_eq!(check(1, "field=notes")["failing"], 0);
    let dates = check(3, "field=birthday");
    assert_eq!(dates["failing"], 3, "{dates}");
    assert_eq!(
        dates["question"],
        json!({"value": "03/04/1990", "answers": [
            {"date_order": "dmy", "date": "1990-04-03"},
            {"date_order": "mdy", "date": "1990-03-04"},
        ]})
    );
    let dates = check(3, "field=birthday&date_order=mdy");
    assert_eq!(
        (&dates["failing"], &dates["date_order"]),
        (&json!(0), &json!("mdy"))
    );
    // Read in another way, the columns are others.
    let whole = check(0, "field=notes&delimiter=semicolon&header_row=0");
    assert_eq!(whole["values"], 5, "{whole}");
    for (address, status, kind) in [
        ("9/check?field=phone", 404, "not-found"),
        ("1/check?field=fax", 422, "mapping"),
        ("1/check?write=never", 400, "parameter"),
        ("1/check?colour=red", 400, "parameter"),
    ] {
        admin
            .get(&format!("{path}/{address}"))
            .is_problem(status, kind);
    }
}

/// Uploads without running; the inspection that is answered.
#[track_caller]
fn inspected(caller: &Caller, form: Form) -> Value {
    let uploaded = upload(caller, form.text("run", "false"));
    assert_eq!(uploaded.status, 202, "{uploaded:?}");
    uploaded.json()["inspection"].clone()
}

/// The fields that columns go to.
fn fields(inspection: &Value) -> Vec<&str> {
    let columns = inspection["mapping"]["columns"].as_array().unwrap().iter();
    columns
        .map(|column| column["field"].as_str().unwrap_or("-"))
        .collect()
}

#[test]
fn the_next_file_with_the_same_columns_is_mapped_as_the_last() {
    let server = Server::start();
    let admin = server.admin();
    let desk = server.source("desk");
    let first = form("guests.csv", "Kennung,Rufname,City\n1,Anna,Kiel\n")
        .text(
            "mapping",
            r#"{"Kennung":"external_id","Rufname":"name","City":null}"#,
        )
        .text("tags", "VIP");
    import(&admin, first);
    let other_order = || form("more.csv", "CITY,Rufname,Kennung\nBonn,Ben,2\n");
    let inspection = inspected(&admin, other_order());
    assert_eq!(fields(&inspection), ["-", "name", "external_id"]);
    assert_eq!(
        inspection["columns"][1]["reason"],
        "as in the import of `guests.csv`"
    );
    assert_eq!(import(&admin, other_order())["totals"]["created"], 1);
    assert_eq!(contact(&admin, "Ben")["fields"]["tags"], json!(["VIP"]));
    // Another source, or other columns: nothing is remembered.
    assert_ne!(
        fields(&inspected(&desk, other_order())),
        ["-", "name", "external_id"]
    );
    let more = form("c.csv", "Kennung,Rufname,City,Mehr\n1,Anna,Kiel,x\n");
    assert_eq!(fields(&inspected(&admin, more))[2], "city");
}

#[test]
fn mapping_profiles_are_saved_used_renamed_and_deleted() {
    let server = Server::start();
    let admin = server.admin();
    let profile = json!({
        "name": "Weekly list",
        "mapping": {"Kennung": "external_id", "Rufname": "name"},
        "tags": ["Weekly"],
        "delimiter": "semicolon",
        "header_row": 2,
    });
    let saved = admin.post("/api/v1/mapping-profiles", &profile);
    assert_eq!(saved.status, 201, "{saved:?}");
    assert_eq!(saved.json()["saved_by"], "tests");
    assert_eq!(saved.json()["header_row"], 2);
    let file = "List of today\nKennung;Rufname;City\n7;Zoe, the guest;Ulm\n";
    let using = form("w.csv", file).text("profile", "Weekly list");
    assert_eq!(import(&admin, using)["totals"]["created"], 1);
    let zoe = contact(&admin, "Zoe");
    assert_eq!(zoe["name"], "Zoe, the guest");
    assert_eq!(zoe["fields"]["tags"], json!(["Weekly"]));
    assert_eq!(
        zoe["fields"]["city"], "Ulm",
        "what it does not name is guessed"
    );

    let mut other = profile.clone();
    other["name"] = json!("Other");
    assert_eq!(admin.post("/api/v1/mapping-profiles", &other).status, 201);
    let path = "/api/v1/mapping-profiles/Weekly%20list";
    admin
        .patch(path, &json!({"name": "Other"}))
        .is_problem(409, "exists");
    let renamed = admin.patch(path, &json!({"name": "Monthly list"}));
    assert_eq!(renamed.json()["name"], "Monthly list", "{renamed:?}");
    admin.delete(path).is_problem(404, "not-found");
    let gone = admin.delete("/api/v1/mapping-profiles/Other");
    assert_eq!(gone.status, 204, "{gone:?}");
    let listed = admin.get("/api/v1/mapping-profiles").json();
    assert_eq!(listed["profiles"].as_array().unwrap().len(), 1);
    assert_eq!(listed["profiles"][0]["name"], "Monthly list");

    upload(&admin, form("w.csv", file).text("profile", "Other")).is_problem(404, "not-found");
    for (member, value, status, kind) in [
        ("name", json!(" "), 400, "body"),
        ("delimiter", json!("ab"), 400, "body"),
        ("mapping", json!({"Kennung": "number"}), 422, "mapping"),
        ("colour", json!("red"), 400, "body"),
    ] {
        let mut wrong = profile.clone();
        wrong[member] = value;
        admin
            .post("/api/v1/mapping-profiles", &wrong)
            .is_problem(status, kind);
    }
    let desk = server.source("desk");
    assert_eq!(desk.get("/api/v1/mapping-profiles").status, 200);
    desk.post("/api/v1/mapping-profiles", &profile)
        .is_problem(403, "forbidden");
}

#[test]
fn the_template_maps_by_itself() {
    let server = Server::start();
    let admin = server.admin();
    let field = json!({"key": "room_wish", "label": "Wish for the room", "type": "text"});
    assert_eq!(admin.post("/api/v1/fields", &field).status, 201);
    let template = admin.get("/api/v1/imports/template.csv");
    assert_eq!(template.status, 200, "{template:?}");
    assert_eq!(template.text.lines().count(), 1, "nobody is in it");
    let all = admin.get("/api/v1/fields").json();
    let keys: Vec<&str> = all["fields"]
        .as_array()
        .unwrap()
        .iter()
        .map(|field| field["key"].as_str().unwrap())
        .collect();
    let cells = ",Anna".to_owned() + &",".repeat(keys.len() - 2);
    let filled = format!("{}{cells}\r\n", template.text);
    let inspection = inspected(&admin, form("filled.csv", filled));
    assert_eq!(fields(&inspection), keys);
}
