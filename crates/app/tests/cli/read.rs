//! `rollbook read`.

use serde_json::json;

use crate::support::Workspace;

#[test]
fn a_file_is_shown_as_it_is_read() {
    let workspace = Workspace::new();
    workspace.write(
        "a.csv",
        "Name;Ort\r\n\"Weber; Anna\";K\u{f6}ln\r\n\r\nBen;\r\n",
    );
    let ran = workspace.run(&["read", "a.csv", "--json"]).code(0);
    assert_eq!(
        ran.json_lines(),
        [
            json!({"encoding": "UTF-8", "delimiter": ";", "quote": "\"", "header_row": 1}),
            json!(["Name", "Ort"]),
            json!(["Weber; Anna", "Köln"]),
            json!(["Ben", ""]),
        ]
    );
    assert!(
        ran.out
            .starts_with("{\"encoding\":\"UTF-8\",\"delimiter\":\";\"")
    );
    let text = workspace.run(&["read", "a.csv"]).code(0).out;
    assert!(
        text.contains("delimiter   `;`") && text.contains("Weber; Anna | Köln"),
        "{text}"
    );
}

#[test]
fn what_is_said_is_not_guessed() {
    let workspace = Workspace::new();
    workspace.write("a.txt", b"a\tb|c\n\"1\t2|M\xfcller\n");
    for (delimiter, first) in [
        ("\t", json!(["a", "b|c"])),
        ("\\t", json!(["a", "b|c"])),
        ("tab", json!(["a", "b|c"])),
        ("pipe", json!(["a\tb", "c"])),
        ("|", json!(["a\tb", "c"])),
        ("comma", json!(["a\tb|c"])),
        ("semicolon", json!(["a\tb|c"])),
    ] {
        let arguments = [
            "read",
            "a.txt",
            "--delimiter",
            delimiter,
            "--quote",
            "none",
            "--encoding",
            "latin1",
            "--json",
        ];
        let lines = workspace.run(&arguments).code(0).json_lines();
        assert_eq!(lines[0]["encoding"], "windows-1252");
        assert_eq!(lines[0]["quote"], json!(null));
        assert_eq!(lines[1], first, "{delimiter:?}");
        assert!(lines[2].to_string().contains("Müller"), "{lines:?}");
    }
}

#[test]
fn a_record_that_cannot_be_read_is_named_and_the_rest_goes_on() {
    let workspace = Workspace::new();
    workspace.write("a.csv", "name,city\nAnna,\"Kiel\nBen,Bonn\nCleo,Köln\n");
    let lines = workspace
        .run(&["read", "a.csv", "--json"])
        .code(0)
        .json_lines();
    let broken = lines
        .iter()
        .find(|line| line.is_object() && line["line"].is_u64());
    let broken = broken.unwrap_or_else(|| panic!("{lines:?}"));
    assert_eq!(broken["line"], 2);
    assert!(broken["error"].as_str().unwrap().contains("never closes"));
    assert!(lines.contains(&json!(["Cleo", "Köln"])), "{lines:?}");
}

#[test]
fn wrong_arguments_and_missing_files_are_refused() {
    let workspace = Workspace::new();
    workspace.write("a.csv", "a,b\n");
    for arguments in [
        &["read"][..],
        &["read", "a.csv", "--delimiter", "ab"],
        &["read", "a.csv", "--quote", "ä"],
        &["read", "a.csv", "--encoding", "klingon"],
        &["read", "a.csv", "--delimiter", "x", "--quote", "x"],
    ] {
        workspace.run(arguments).code(2);
    }
    workspace.run(&["read", "b.csv"]).code(1).says(&["`b.csv`"]);
}

#[test]
fn an_empty_file_has_no_records() {
    let workspace = Workspace::new();
    workspace.write("a.csv", "");
    let lines = workspace
        .run(&["read", "a.csv", "--json"])
        .code(0)
        .json_lines();
    assert_eq!(lines.len(), 1, "{lines:?}");
}
