//! `rollbook imports`, and failed rows that come back corrected.

use serde_json::Value;

use crate::formats::workbook;
use crate::support::Workspace;

/// An import as `imports show --json` tells it.
fn shown(workspace: &Workspace, id: &str) -> Value {
    workspace
        .run(&["imports", "show", id, "--json"])
        .code(0)
        .json()
}

fn id(summary: &Value) -> &str {
    summary["import_id"].as_str().expect("it has an id")
}

#[test]
fn failed_rows_of_every_format_come_back_as_a_continuation() {
    let cards = "BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Anna Weber\r\nTEL:12\r\nEMAIL:anna@example.com\r\nEND:VCARD\r\n\
                 BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Ben\r\nTEL:+49 171 3920012\r\nEND:VCARD\r\n";
    let records = r#"[{"guest":{"full_name":"Anna Weber","tel":"12"},"mail":"anna@example.com"},
                      {"guest":{"full_name":"Ben","tel":"+49 171 3920012"}}]"#;
    let sheet = workbook(&[
        ["Name", "PLZ", "+Phone", "Birthday"],
        ["Anna Weber", "#1067", "12", "#29302"],
        ["Ben", "#1069", "+49 171 3920012", ""],
    ]);
    for (name, content, arguments) in [
        (
            "guests.csv",
            b"Name;Phone;=Mail\r\nAnna Weber;12;anna@example.com\r\nBen;+49 171 3920012;\r\n"
                .to_vec(),
            &["--map", "=Mail=email"][..],
        ),
        (
            "guests.xlsx",
            sheet,
            &["--sheet", "Guests", "--map", "+Phone=phone"][..],
        ),
        ("guests.vcf", cards.as_bytes().to_vec(), &[][..]),
        (
            "guests.json",
            records.as_bytes().to_vec(),
            &[
                "--map",
                "guest.full_name=name",
                "--map",
                "guest.tel=phone",
                "--map",
                "mail=email",
            ][..],
        ),
    ] {
        let workspace = Workspace::german();
        workspace.write(name, content);
        let mut all = vec![name, "--failed-rows", "failed.csv"];
        all.extend(arguments);
        let first = workspace.import(&all);
        assert_eq!(
            (&first["created"], &first["failed"]),
            (&1.into(), &1.into()),
            "{name}: {first}"
        );

        let failed = workspace.read("failed.csv");
        let corrected = failed.replace(",12,", ",'+49 171 3920011,");
        assert_ne!(failed, corrected, "{name}: {failed}");
        workspace.write("corrected.csv", corrected);
        let ran = workspace
            .run(&["import", "corrected.csv", "--json"])
            .code(0);
        let parent = format!("continues `{name}` (import {})", id(&first));
        let second = ran.json();
        let ran = ran.says(&[&parent, "1 rows failed"]);
        assert_eq!(second["created"], 1, "{name}: {ran:?}");
        let child = shown(&workspace, id(&second));
        assert_eq!(child["parent"], first["import_id"], "{name}");
        assert_eq!(child["kind"], "file");
        let told = workspace.run(&["imports", "show", id(&first)]).code(0).out;
        assert!(
            told.contains(&format!("file {} (corrected.csv)", id(&second))),
            "{told}"
        );
        let contact = workspace
            .run(&["contacts", "list", "--search", "Anna", "--format", "json"])
            .code(0)
            .json();
        assert_eq!(contact["fields"]["phone"][0], "+491713920011", "{name}");
    }
}

#[test]
fn a_continuation_belongs_to_the_import_in_which_its_rows_failed() {
    let workspace = Workspace::german();
    let file = |bad: &[usize]| {
        let email = |row: usize| {
            if bad.contains(&row) {
                "bad".to_owned()
            } else {
                format!("n{row}@example.com")
            }
        };
        let rows = (1..=6).map(|row| format!("N{row},{}\n", email(row)));
        format!("Name,Email\n{}", rows.collect::<String>())
    };
    workspace.write("a.csv", file(&[2, 5]));
    workspace.write("b.csv", file(&[3]));
    let a = workspace.import(&["a.csv", "--failed-rows", "a-failed.csv"]);
    let b = workspace.import(&["b.csv", "--failed-rows", "b-failed.csv"]);
    let parent = |file: &str| {
        let summary = workspace.import(&[file]);
        shown(&workspace, id(&summary))["parent"].clone()
    };
    // Row 3 failed in the newer import, rows 2 and 5 in the older one alone.
    workspace.write("one.csv", "Name,Email,_row,_reason\nN3,n3@example.com,3,\n");
    assert_eq!(parent("one.csv"), b["import_id"]);
    workspace.write("two.csv", "Name,Email,_row,_reason\nN5,n5@example.com,5,\nN2,n2@example.com,2,\nNew,new@example.com,,\n");
    assert_eq!(parent("two.csv"), a["import_id"]);
    // Nowhere did these rows fail, or there is no such column.
    workspace.write(
        "none.csv",
        "Name,Email,_row,_reason\nN1,n1@example.com,1,\n",
    );
    assert_eq!(parent("none.csv"), Value::Null);
    workspace.write(
        "other.csv",
        "Name,Mail,_row,_reason\nN3,n3@example.com,3,\n",
    );
    assert_eq!(parent("other.csv"), Value::Null);
    workspace.write("plain.csv", "Name,Email\nN3,n3@example.com\n");
    assert_eq!(parent("plain.csv"), Value::Null);
}

#[test]
fn imports_are_listed_shown_downloaded_and_stopped() {
    let workspace = Workspace::new();
    let content = "Name,Email\r\nAnna,anna@example.com\r\n";
    workspace.write("Gäste.csv", content);
    workspace.write("b.csv", "Name,Email\nBen,nope\n");
    let first = workspace.import(&["Gäste.csv"]);
    let second = workspace.import(&["b.csv"]);
    let list = |arguments: &[&str]| -> Vec<Value> {
        let mut all = vec!["imports", "list", "--format", "json"];
        all.extend(arguments);
        let imports = workspace.run(&all).code(0).json_lines();
        imports.iter().map(|import| import["id"].clone()).collect()
    };
    let (a, b) = (&first["import_id"], &second["import_id"]);
    assert_eq!(list(&[]), [b.clone(), a.clone()]);
    assert_eq!(list(&["--limit", "1"]), std::slice::from_ref(b));
    assert_eq!(list(&["--search", "GÄSTE"]), std::slice::from_ref(a));
    assert_eq!(list(&["--state", "failed"]), [Value::Null; 0]);
    assert_eq!(
        list(&["--by", "command line", "--source", "manual"]).len(),
        2
    );
    let table = workspace.run(&["imports", "list"]).code(0).out;
    assert!(
        table.contains("Gäste.csv") && table.contains("done"),
        "{table}"
    );

    let told = workspace.run(&["imports", "show", id(&first)]).code(0).out;
    for part in [
        "1 record: 1 created, 0 updated, 0 failed.",
        "Name -> name",
        "command line",
    ] {
        assert!(told.contains(part), "{part} is not in {told}");
    }
    workspace
        .run(&["imports", "download", id(&first), "--out", "copy.csv"])
        .code(0);
    assert_eq!(workspace.read("copy.csv"), content);
    let printed = workspace.run(&["imports", "download", id(&first), "--out", "-"]);
    assert_eq!(printed.code(0).out, content);
    workspace
        .run(&["imports", "download", id(&first)])
        .code(2)
        .says(&["`Gäste.csv` is here already"]);
    workspace
        .run(&["imports", "cancel", id(&first)])
        .code(0)
        .says(&["over already: 1 record: 1 created"]);
    workspace
        .run(&["imports", "show", "nothing"])
        .code(2)
        .says(&["there is no import `nothing`"]);
    // The very same content again, under another name.
    workspace.write("again.csv", content);
    workspace
        .run(&["import", "again.csv"])
        .code(0)
        .says(&[&format!("imported before: import {}", id(&first))]);
}
