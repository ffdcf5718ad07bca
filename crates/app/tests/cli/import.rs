//! `rollbook import`.

use std::fmt::Write;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::support::{Workspace, finish, wait_until};

/// Good, bad and repeated rows.
const GUESTS: &str = "\
Guest ID,Name,Phone,Email,City
1,Anna Weber,0171 3920012,anna@example.com,Hamburg
2,Ben Kurz,030 23125 001,ben@example.com,Berlin
3,Bad Phone,12,bad@example.com,Kiel
1,Anna Weber,0171 3920012,anna@example.com,Bremen
4,Otto,+49 30 23125 002,otto@@example,K\u{f6}ln
";

/// The counts of a summary.
fn counts(summary: &Value) -> [u64; 6] {
    [
        "records",
        "created",
        "updated",
        "unchanged",
        "warnings",
        "failed",
    ]
    .map(|key| {
        summary[key]
            .as_u64()
            .unwrap_or_else(|| panic!("{key} in {summary}"))
    })
}

#[test]
fn an_import_tells_what_it_did() {
    let workspace = Workspace::german();
    workspace.write("guests.csv", GUESTS);
    let ran = workspace.run(&["import", "guests.csv", "--json"]).code(3);
    let summary = ran.json();
    assert_eq!(ran.out.lines().count(), 1);
    let keys: Vec<&String> = summary.as_object().unwrap().keys().collect();
    assert_eq!(
        keys,
        [
            "import_id",
            "records",
            "created",
            "updated",
            "unchanged",
            "warnings",
            "failed",
            "seconds"
        ]
    );
    assert_eq!(counts(&summary), [5, 2, 1, 0, 0, 2]);
    assert!(summary["seconds"].is_f64());

    let again = workspace.import(&["guests.csv"]);
    assert_eq!(counts(&again), [5, 0, 3, 1, 0, 2]);
    assert_ne!(again["import_id"], summary["import_id"]);

    let text = workspace.run(&["import", "guests.csv"]).code(3).out;
    assert!(
        text.contains("row 3: “12” is not a valid phone number for DE"),
        "{text}"
    );
}

#[test]
fn an_import_without_failures_ends_with_zero() {
    let workspace = Workspace::german();
    workspace.write("guests.csv", "Name,Email\nAnna,anna@example.com\n");
    workspace.run(&["import", "guests.csv", "--json"]).code(0);
    let input = b"Name,Email\nBen,ben@example.com\n";
    let summary = workspace
        .run_with(&["import", "-", "--json"], input)
        .code(0)
        .json();
    assert_eq!(counts(&summary), [1, 1, 0, 0, 0, 0]);
}

#[test]
fn a_dry_run_gives_the_verdicts_of_the_run_and_writes_nothing() {
    let workspace = Workspace::german();
    workspace.write("guests.csv", GUESTS);
    let dry = workspace
        .run(&[
            "import",
            "guests.csv",
            "--dry-run",
            "--json",
            "--failed-rows",
            "dry.csv",
        ])
        .code(3)
        .json();
    assert_eq!(
        (&dry["dry_run"], &dry["import_id"]),
        (&json!(true), &json!(null))
    );
    assert!(workspace.attempts(&[]).is_empty());
    assert_eq!(
        workspace.run(&["contacts", "list", "--format", "json"]).out,
        ""
    );

    let summary = workspace.import(&["guests.csv", "--failed-rows", "real.csv"]);
    assert_eq!(counts(&dry), counts(&summary));
    assert_eq!(workspace.read("dry.csv"), workspace.read("real.csv"));
}

#[test]
fn columns_are_mapped_as_one_says() {
    let workspace = Workspace::german();
    workspace.write(
        "odd.csv",
        "A,B,Name,Mail=Post,Email\nx1,0171 3920012,Anna,anna@example.com,other@example.com\n",
    );
    let summary = workspace.import(&[
        "odd.csv",
        "--map",
        "a=external_id",
        "--map",
        "B=phone",
        "--map",
        "Mail=Post=email",
        "--map",
        "Email=",
    ]);
    assert_eq!(counts(&summary), [1, 1, 0, 0, 0, 0]);
    let contact = workspace
        .run(&["contacts", "show", "1", "--json"])
        .code(0)
        .json();
    assert_eq!(contact["external_ids"], json!({"default": "x1"}));
    assert_eq!(contact["fields"]["phone"], json!(["+491713920012"]));
    assert_eq!(contact["fields"]["email"], json!(["anna@example.com"]));
    assert_eq!(contact["fields"]["name"], "Anna");
}

#[test]
fn a_named_column_takes_the_place_of_a_guessed_one() {
    let workspace = Workspace::german();
    workspace.write(
        "a.csv",
        "Name,Nickname,Email\nAnna Weber,Anni,anna@example.com\n",
    );
    workspace.import(&["a.csv", "--map", "Nickname=name"]);
    let contact = workspace.run(&["contacts", "show", "1", "--json"]).json();
    assert_eq!(contact["name"], "Anni");
}

#[test]
fn region_and_date_order_can_be_said() {
    let workspace = Workspace::new();
    workspace.write(
        "a.csv",
        "Name,Phone,Birthday\nAnna,0171 3920012,03/04/1990\n",
    );
    workspace.import(&["a.csv", "--region", "DE", "--date-order", "mdy"]);
    let contact = workspace.run(&["contacts", "show", "1", "--json"]).json();
    assert_eq!(contact["fields"]["phone"], json!(["+491713920012"]));
    assert_eq!(contact["fields"]["birthday"], "1990-03-04");
}

#[test]
fn an_unknown_column_field_or_source_lists_what_there_is() {
    let workspace = Workspace::german();
    workspace.write("guests.csv", GUESTS);
    workspace
        .run(&["import", "guests.csv", "--map", "Telefon=phone"])
        .code(2)
        .says(&["`Telefon`", "`Guest ID`", "`Phone`"]);
    workspace
        .run(&["import", "guests.csv", "--map", "Phone=telephone"])
        .code(2)
        .says(&["`telephone`", "phone", "external_id"]);
    workspace
        .run(&["import", "guests.csv", "--source", "mews"])
        .code(2)
        .says(&["`mews`", "`manual`"]);
    for arguments in [
        &["import"][..],
        &["import", "guests.csv", "--map", "Phone"],
        &["import", "guests.csv", "--date-order", "xyz"],
        &["import", "guests.csv", "--region", "Atlantis"],
        &["import", "guests.csv", "--colour"],
    ] {
        workspace.run(arguments).code(2);
    }
    assert!(workspace.attempts(&[]).is_empty());
}

#[test]
fn what_is_no_list_of_contacts_is_refused_with_advice() {
    let workspace = Workspace::new();
    workspace.write("a.png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR");
    workspace.write("a.pdf", b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n");
    workspace.write("a.xlsx", b"PK\x03\x04\x14\x00\x06\x00\x08\x00");
    workspace.write("empty.csv", b"");
    for (file, part) in [
        ("a.png", "picture"),
        ("a.pdf", "PDF"),
        ("a.xlsx", "damaged ZIP container"),
        ("empty.csv", "empty"),
        ("missing.csv", "cannot be opened"),
        (".", "folder"),
    ] {
        let ran = workspace.run(&["import", file, "--json"]).code(1);
        assert_eq!(ran.out, "");
        ran.says(&[part]);
    }
}

#[test]
fn a_file_over_the_limit_is_refused() {
    let workspace = Workspace::new();
    workspace.write("guests.csv", GUESTS);
    workspace
        .run(&["import", "guests.csv", "--max-file-bytes", "100"])
        .code(1)
        .says(&["100 bytes", "max_file_bytes"]);
    workspace
        .run(&[
            "import",
            "guests.csv",
            "--dry-run",
            "--max-file-bytes",
            "100",
        ])
        .code(1);
}

#[test]
fn a_file_without_a_usable_column_is_refused() {
    let workspace = Workspace::new();
    workspace.write("a.csv", "foo,bar\n1,2\n");
    workspace
        .run(&["import", "a.csv"])
        .code(1)
        .says(&["no column is mapped", "`foo`", "`bar`"]);
}

#[test]
fn a_paused_source_takes_no_file() {
    let workspace = Workspace::new();
    workspace.write("guests.csv", GUESTS);
    workspace.run(&["migrate"]).code(0);
    workspace.run(&["source", "pause", "manual"]).code(0);
    workspace
        .run(&["import", "guests.csv"])
        .code(1)
        .says(&["paused", "rollbook source resume manual"]);
    workspace.run(&["source", "resume", "manual"]).code(0);
    workspace.run(&["import", "guests.csv"]).code(3);
}

#[test]
fn the_source_decides_the_rules() {
    let workspace = Workspace::german();
    workspace
        .run(&["source", "add", "pms", "--namespace", "pms"])
        .code(0);
    workspace.write("guests.csv", GUESTS);
    let summary = workspace.import(&["guests.csv", "--source", "pms"]);
    assert_eq!(counts(&summary), [5, 4, 1, 0, 2, 0]);
    let contact = workspace.run(&["contacts", "show", "1", "--json"]).json();
    assert_eq!(contact["external_ids"], json!({"pms": "1"}));
}

#[test]
fn a_killed_import_goes_on_where_it_stopped() {
    const ROWS: usize = 40_000;
    let workspace = Workspace::new();
    let mut text = "Guest ID,Name,Email\n".to_owned();
    for row in 0..ROWS {
        writeln!(text, "{row},Guest {row},guest{row}@example.com").unwrap();
    }
    workspace.write("big.csv", text);
    // The log is asked for before the import has made its database.
    workspace.run(&["migrate"]).code(0);
    let mut first = workspace.start(&["import", "big.csv", "--json"], Stdio::null());
    wait_until("a first batch", || {
        workspace.attempts(&["--limit", "1"]).len() == 1
    });
    first.kill().unwrap();
    let killed = finish(first, b"");
    assert_eq!(
        killed.code, None,
        "it ended before it was killed: {killed:?}"
    );

    let ran = workspace
        .run(&["import", "big.csv", "--json"])
        .code(0)
        .says(&["resuming import"]);
    let rows = ROWS as u64;
    assert_eq!(counts(&ran.json()), [rows, rows, 0, 0, 0, 0]);
    let attempts = workspace.attempts(&[]);
    assert_eq!(attempts.len(), ROWS);
    let id = &ran.json()["import_id"];
    assert!(attempts.iter().all(|attempt| attempt["import_id"] == *id));

    // It is done now, so the same command begins a new import.
    let again = workspace.import(&["big.csv"]);
    assert_ne!(again["import_id"], *id);
    assert_eq!(again["unchanged"], rows);
}

#[test]
fn ctrl_c_stops_at_the_end_of_a_batch() {
    let workspace = Workspace::new();
    let mut text = "Guest ID,Name\n".to_owned();
    for row in 0..200_000 {
        writeln!(text, "{row},Guest {row}").unwrap();
    }
    workspace.write("big.csv", text);
    // The log is asked for before the import has made its database.
    workspace.run(&["migrate"]).code(0);
    let child = workspace.start(&["import", "big.csv", "--json"], Stdio::null());
    wait_until("a first batch", || {
        workspace.attempts(&["--limit", "1"]).len() == 1
    });
    let killed = std::process::Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(killed.success());
    let ran = finish(child, b"").code(1).says(&["Stopped after"]);
    let summary = ran.json();
    let [records, created, ..] = counts(&summary);
    assert!(records > 0 && records < 200_000, "{summary}");
    assert_eq!(created, records);
}

#[test]
fn a_mapping_is_saved_under_a_name_and_used_again() {
    let workspace = Workspace::german();
    workspace.write("a.csv", "Kennung|Rufname|Handy\n1|Anna|0171 3920012\n");
    workspace
        .run(&[
            "import",
            "a.csv",
            "--delimiter",
            "pipe",
            "--map",
            "Kennung=external_id",
            "--map",
            "Rufname=name",
            "--map",
            "Handy=phone:only_if_empty",
            "--tag",
            "VIP",
            "--save-profile",
            "Desk",
            "--json",
        ])
        .code(0);
    workspace.write(
        "b.csv",
        "Kennung|Rufname|Handy\n1|Anna|0171 3920099\n2|Ben|\n",
    );
    let ran = workspace
        .run(&["import", "b.csv", "--profile", "Desk", "--json"])
        .code(0);
    assert_eq!(counts(&ran.json()), [2, 1, 1, 1, 0, 0]);
    let unknown = workspace
        .run(&["import", "b.csv", "--profile", "Disk"])
        .code(2);
    assert!(unknown.err.contains("there are `Desk`"), "{}", unknown.err);
    let wrong = workspace
        .run(&["import", "b.csv", "--map", "Handy=phone:never"])
        .code(2);
    assert!(wrong.err.contains("only_if_empty"), "{}", wrong.err);
}
