//! `rollbook log`.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use serde_json::Value;

use crate::support::Workspace;

/// A workspace with two creations, an update and a failure.
fn workspace() -> Workspace {
    let workspace = Workspace::german();
    workspace.write(
        "guests.csv",
        "Guest ID,Name,Phone,Email\n1,Anna Weber,0171 3920012,anna@example.com\n2,Ben Kurz,,ben@example.com\n\
         3,Cleo,12,\n,Anna W.,+49 171 3920012,\n",
    );
    workspace.import(&["guests.csv"]);
    workspace
}

fn names(attempts: &[Value]) -> Vec<&str> {
    attempts
        .iter()
        .map(|attempt| attempt["name"].as_str().unwrap_or(""))
        .collect()
}

#[test]
fn attempts_are_shown_newest_first_and_filtered() {
    let workspace = workspace();
    let all = ["Anna W.", "Cleo", "Ben Kurz", "Anna Weber"];
    for (arguments, expected) in [
        (&[][..], &all[..]),
        (&["--limit", "2"], &all[..2]),
        (&["--result", "failure"], &["Cleo"]),
        (&["--result", "warning"], &[]),
        (&["--action", "created"], &["Ben Kurz", "Anna Weber"]),
        (&["--matched-on", "phone"], &["Anna W."]),
        (&["--source", "manual"], &all),
        (&["--contact", "1"], &["Anna W.", "Anna Weber"]),
        (&["--search", "kurz"], &["Ben Kurz"]),
        (&["--search", "0171/392 00 12"], &["Anna W.", "Anna Weber"]),
        (&["--search", "+49171392"], &["Anna W.", "Anna Weber"]),
        (&["--search", "ben@example.com"], &["Ben Kurz"]),
    ] {
        assert_eq!(
            names(&workspace.attempts(arguments)),
            expected,
            "{arguments:?}"
        );
    }
    let import = workspace.attempts(&["--limit", "1"])[0]["import_id"].clone();
    let of_import = [
        "log",
        "--import",
        import.as_str().unwrap(),
        "--format",
        "json",
    ];
    assert_eq!(workspace.run(&of_import).code(0).json_lines().len(), 4);
}

#[test]
fn ranges_are_spans_or_from_to() {
    let workspace = workspace();
    let count = |arguments: &[&str]| {
        let all: Vec<&str> = ["log", "--format", "json"]
            .iter()
            .chain(arguments)
            .copied()
            .collect();
        workspace.run(&all).code(0).json_lines().len()
    };
    assert_eq!(count(&[]), 4);
    assert_eq!(count(&["--since", "all"]), 4);
    assert_eq!(count(&["--from", "2020-01-01", "--to", "2020-01-02"]), 0);
    assert_eq!(count(&["--from", "2020-01-01T10:00:00Z"]), 4);
    assert_eq!(count(&["--from", "1h", "--to", "30m"]), 0);
    for arguments in [
        &["log", "--since", "yesterday"][..],
        &["log", "--from", "yesterday"],
        &["log", "--since", "1h", "--from", "2020-01-01"],
        &["log", "--result", "good"],
        &["log", "--source", "mews"],
        &["log", "--import", "17"],
    ] {
        workspace.run(arguments).code(2);
    }
}

#[test]
fn an_attempt_in_json_has_the_keys_of_the_api() {
    let workspace = workspace();
    let attempts = workspace.attempts(&["--result", "failure"]);
    let keys: Vec<&String> = attempts[0].as_object().unwrap().keys().collect();
    assert_eq!(
        keys,
        [
            "id",
            "received_at",
            "result",
            "action",
            "matched_on",
            "name",
            "phone",
            "email",
            "external_id",
            "source",
            "import_id",
            "row",
            "contact_id",
            "issues",
            "notes",
            "changes"
        ]
    );
    let issue = &attempts[0]["issues"][0];
    assert_eq!(issue["code"], "phone.invalid");
    assert_eq!(issue["value"], "12");
    assert_eq!(attempts[0]["row"], 3);
}

#[test]
fn the_table_has_the_columns_of_the_page_and_no_colours_in_a_file() {
    let workspace = workspace();
    let out = workspace.run(&["log"]).code(0).out;
    let header = out.lines().next().unwrap();
    let mut rest = header;
    for column in [
        "Result",
        "Info",
        "Action",
        "Name",
        "Phone Number",
        "Email",
        "Source",
        "Received at",
        "Matched On",
    ] {
        let at = rest
            .find(column)
            .unwrap_or_else(|| panic!("{column} in {header}"));
        rest = &rest[at + column.len()..];
    }
    assert!(!out.contains('\u{1b}'), "{out}");
    assert!(
        out.lines()
            .any(|line| line.contains("Failure") && line.contains("“12” is not")),
        "{out}"
    );
    assert!(
        out.lines()
            .any(|line| line.contains("updated") && line.contains("Phone Number")),
        "{out}"
    );
}

#[test]
fn an_empty_range_says_when_there_was_something() {
    let workspace = Workspace::new();
    workspace.run(&["migrate"]).code(0);
    workspace.run(&["log"]).code(0).says(&["no attempts yet"]);
    let workspace = self::workspace();
    let ran = workspace.run(&["log", "--search", "nobody"]).code(0);
    assert_eq!(ran.out, "");
    ran.says(&["the latest of all was at 20"]);
}

#[test]
fn csv_is_safe_in_a_spreadsheet() {
    let workspace = workspace();
    let out = workspace.run(&["log", "--format", "csv"]).code(0).out;
    let mut reader = csv::Reader::from_reader(out.as_bytes());
    let header = reader.headers().unwrap().clone();
    assert_eq!(
        header.iter().take(3).collect::<Vec<_>>(),
        ["Result", "Info", "Action"]
    );
    let column = |name: &str| header.iter().position(|column| column == name).unwrap();
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 4);
    assert_eq!(&rows[0][column("Phone Number")], "'+491713920012");
    // What page and API export as well.
    assert_eq!(&rows[1][column("Info")][..7], "phone: ");
    assert_eq!(&rows[1][column("Payload")], "3,Cleo,12,");
    assert!(rows[1][column("Received at")].ends_with('Z'));
}

#[test]
fn a_followed_log_shows_attempts_as_they_come() {
    let workspace = workspace();
    let arguments = ["log", "--follow", "--format", "json", "--limit", "5"];
    let mut child = workspace.start(&arguments, Stdio::null());
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next = || -> Value { serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap() };
    let first: Vec<Value> = (0..4).map(|_| next()).collect();
    assert_eq!(names(&first), ["Anna Weber", "Ben Kurz", "Cleo", "Anna W."]);
    workspace.write("more.csv", "Name\nDora\n");
    workspace.import(&["more.csv"]);
    assert_eq!(next()["name"], "Dora");
    assert!(child.wait().unwrap().success());
}
