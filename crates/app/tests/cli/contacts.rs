//! `rollbook contacts`, `field` and `workspace`.

use serde_json::json;

use crate::support::Workspace;

#[test]
fn contacts_are_listed_shown_and_searched() {
    let workspace = Workspace::german();
    workspace.write(
        "a.csv",
        "Guest ID,Name,Phone,Tags\n1,Anna Weber,0171 3920012,\"vip, spa\"\n2,Ben Kurz,,\n",
    );
    workspace.import(&["a.csv"]);
    let list = workspace.run(&["contacts", "list"]).code(0).out;
    let lines: Vec<&str> = list.lines().collect();
    assert!(lines[0].contains("Phone Number"), "{list}");
    assert!(
        lines[1].contains("Ben Kurz") && lines[2].contains("+491713920012"),
        "{list}"
    );
    let found = workspace.run(&[
        "contacts", "list", "--search", "0171 392", "--format", "json",
    ]);
    assert_eq!(found.json_lines().len(), 1);
    let anna = workspace
        .run(&["contacts", "show", "1", "--json"])
        .code(0)
        .json();
    assert_eq!(anna["fields"]["tags"], json!(["vip", "spa"]));
    let text = workspace.run(&["contacts", "show", "1"]).code(0).out;
    assert!(text.contains("vip; spa"), "{text}");
    workspace
        .run(&["contacts", "show", "3"])
        .code(2)
        .says(&["no contact 3"]);
}

#[test]
fn an_export_can_be_imported_as_it_is() {
    let workspace = Workspace::german();
    workspace.write(
        "a.csv",
        "Guest ID,Name,Phone,Email,Birthday,City,Tags\n1,=Anna,\"0171 3920012, 030 23125001\",a@example.com,1990-05,Kiel,\"vip, spa\"\n",
    );
    workspace.import(&["a.csv"]);
    let csv = workspace.run(&["contacts", "export"]).code(0).out;
    assert!(csv.contains("'=Anna"), "{csv}");
    workspace.write("export.csv", &csv);
    let summary = workspace.import(&["export.csv"]);
    assert_eq!(
        (&summary["records"], &summary["unchanged"]),
        (&json!(1), &json!(1)),
        "{csv}"
    );
    let lines = workspace
        .run(&["contacts", "export", "--format", "json"])
        .code(0)
        .json_lines();
    assert_eq!(lines.len(), 1);
}

#[test]
fn custom_fields_are_added_and_filled() {
    let workspace = Workspace::new();
    workspace
        .run(&["field", "add", "vip", "--label", "VIP", "--type", "boolean"])
        .code(0);
    let level = [
        "field",
        "add",
        "level",
        "--type",
        "choice",
        "--option",
        "gold=Gold",
        "--option",
        "silver",
    ];
    workspace.run(&level).code(0);
    workspace.write(
        "a.csv",
        "Name,vip,Loyalty\nAnna,yes,Gold\nBen,perhaps,bronze\n",
    );
    let summary = workspace.import(&["a.csv", "--map", "Loyalty=level"]);
    assert_eq!(
        (&summary["created"], &summary["failed"]),
        (&json!(1), &json!(1))
    );
    let anna = workspace.run(&["contacts", "show", "1", "--json"]).json();
    assert_eq!(anna["fields"]["vip"], "true");
    assert_eq!(anna["fields"]["level"], "gold");
    let codes: Vec<String> = workspace.attempts(&["--result", "failure"])[0]["issues"]
        .as_array()
        .unwrap()
        .iter()
        .map(|issue| issue["code"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(codes, ["boolean.invalid", "choice.unknown"]);
    assert!(
        workspace
            .run(&["field", "list"])
            .code(0)
            .out
            .contains("VIP")
    );
    for arguments in [
        &["field", "add", "vip"][..],
        &["field", "add", "email"],
        &["field", "add", "Big One"],
        &["field", "add", "x", "--type", "choice"],
        &["field", "add", "x", "--option", "a"],
    ] {
        workspace.run(arguments).code(2);
    }
}

#[test]
fn workspace_settings_are_checked() {
    let workspace = Workspace::new();
    let set = [
        "workspace",
        "set",
        "--name",
        "Harbour",
        "--time-zone",
        "europe/berlin",
        "--date-order",
        "DMY",
    ];
    workspace.run(&set).code(0);
    workspace
        .run(&["workspace", "set", "--region", "Germany"])
        .code(0);
    let shown = workspace
        .run(&["workspace", "show", "--json"])
        .code(0)
        .json();
    assert_eq!(shown["name"], "Harbour");
    assert_eq!(shown["time_zone"], "Europe/Berlin");
    assert_eq!(shown["region"], "DE");
    assert_eq!(shown["date_order"], "dmy");
    workspace.run(&["workspace", "set", "--region", ""]).code(0);
    assert_eq!(
        workspace.run(&["workspace", "show", "--json"]).json()["region"],
        json!(null)
    );
    for arguments in [
        &["workspace", "set"][..],
        &["workspace", "set", "--name", " "],
        &["workspace", "set", "--time-zone", "Mars/Base"],
        &["workspace", "set", "--region", "Atlantis"],
        &["workspace", "set", "--date-order", "dym"],
    ] {
        workspace.run(arguments).code(2);
    }
}
