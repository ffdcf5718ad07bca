//! The file of failed rows.

use crate::support::Workspace;

#[test]
fn failed_rows_are_corrected_and_imported_again() {
    let workspace = Workspace::german();
    workspace.write(
        "guests.csv",
        "Name;Phone;Email\r\n\"Weber; Anna\";12;anna@example.com\r\nBen;+49 171 3920012;ben@example.com\r\n\
         =cmd();+49 171 3920013;cleo\r\n",
    );
    let ran = workspace
        .run(&["import", "guests.csv", "--failed-rows", "failed.csv"])
        .code(3);
    assert!(ran.out.contains("failed.csv"), "{ran:?}");
    let failed = workspace.read("failed.csv");
    let mut lines = failed.lines();
    assert_eq!(lines.next(), Some("Name,Phone,Email,_row,_reason"));
    let anna = lines.next().unwrap();
    assert!(
        anna.starts_with("\"Weber; Anna\",12,anna@example.com,1,"),
        "{anna}"
    );
    assert!(
        anna.contains("“12” is not a valid phone number for DE"),
        "{anna}"
    );
    let formula = lines.next().unwrap();
    assert!(
        formula.starts_with("'=cmd(),'+49 171 3920013,cleo,3,"),
        "{formula}"
    );
    assert_eq!(lines.next(), None);

    // As it is, the same rows fail for the same reasons and keep their columns.
    workspace
        .run(&["import", "failed.csv", "--failed-rows", "again.csv"])
        .code(3);
    let again = workspace.read("again.csv");
    assert_eq!(again.lines().count(), 3);
    assert_eq!(again.lines().next(), Some("Name,Phone,Email,_row,_reason"));

    workspace.write(
        "failed.csv",
        failed
            .replace(",12,", ",0171 3920011,")
            .replace(",cleo,", ",cleo@example.com,"),
    );
    let summary = workspace.import(&["failed.csv"]);
    assert_eq!(summary["created"], 2);
    assert_eq!(summary["failed"], 0);
    let names = workspace
        .run(&["contacts", "list", "--format", "json"])
        .json_lines();
    assert!(
        names.iter().any(|contact| contact["name"] == "=cmd()"),
        "{names:?}"
    );
}

#[test]
fn a_row_with_too_many_cells_keeps_them() {
    let workspace = Workspace::new();
    workspace.write(
        "a.csv",
        "Name,Email\nAnna,anna@example.com\nBen,ben@example.com,more\n",
    );
    workspace
        .run(&["import", "a.csv", "--failed-rows", "failed.csv"])
        .code(3);
    let failed = workspace.read("failed.csv");
    let row = failed.lines().nth(1).unwrap();
    assert!(
        row.starts_with("Ben,ben@example.com,2,") && row.ends_with(",more"),
        "{row}"
    );
}

#[test]
fn without_failures_the_file_has_a_header_alone() {
    let workspace = Workspace::new();
    workspace.write("a.csv", "Name,Email\nAnna,anna@example.com\n");
    workspace.write("failed.csv", "left over");
    workspace
        .run(&["import", "a.csv", "--failed-rows", "failed.csv"])
        .code(0);
    assert_eq!(workspace.read("failed.csv"), "Name,Email,_row,_reason\r\n");
}

#[test]
fn a_place_that_cannot_be_written_is_named_before_anything_is_imported() {
    let workspace = Workspace::new();
    workspace.write("a.csv", "Name\nAnna\n");
    workspace
        .run(&["import", "a.csv", "--failed-rows", "nowhere/failed.csv"])
        .code(1)
        .says(&["nowhere/failed.csv"]);
    assert!(!workspace.path("rollbook.db").exists());
}

#[test]
fn the_imported_file_is_not_overwritten_by_its_failed_rows() {
    let workspace = Workspace::new();
    let text = "Name,Email\nAnna,anna@example.com\nBen,nope\n";
    workspace.write("a.csv", text);
    let ran = workspace.run(&["import", "a.csv", "--failed-rows", "./a.csv", "--dry-run"]);
    assert!(ran.err.contains("choose another name"), "{ran:?}");
    ran.code(2);
    assert_eq!(workspace.read("a.csv"), text);
}
