//! `rollbook replay`.

use serde_json::json;

use crate::support::Workspace;

const GUESTS: &str = "Name,Phone\nAnna,030 123456\nBen,12\n";

#[test]
fn one_attempt_is_replayed_with_what_the_person_says() {
    let workspace = Workspace::german();
    workspace.write("guests.csv", GUESTS);
    workspace.import(&["guests.csv"]);
    let failed = workspace.attempts(&["--result", "failure"]);
    let id = failed[0]["id"].as_str().unwrap();
    workspace.run(&["replay", id]).code(3);

    workspace.write("row.csv", "Ben,030 77777\r\n");
    let dry = workspace
        .run(&["replay", id, "--payload", "row.csv", "--dry-run", "--json"])
        .code(0)
        .json();
    assert_eq!(
        (&dry["dry_run"], &dry["created"]),
        (&json!(true), &json!(1))
    );
    assert_eq!(workspace.attempts(&[]).len(), 3);
    let new = workspace
        .run(&["replay", id, "--payload", "row.csv", "--json"])
        .code(0)
        .json();
    assert_eq!(
        (&new["action"], &new["replay_of"]),
        (&json!("created"), &json!(id))
    );
    assert_eq!(new["phone"], "+493077777");
    // Without the number, which cannot be read.
    workspace.run(&["replay", id, "--map", "Phone="]).code(0);

    workspace
        .run_with(&["replay", id, "--payload", "-"], b"\"Ben,1")
        .code(2)
        .says(&["never closes"]);
    workspace
        .run(&["replay", id, "--map", "Fax=phone"])
        .code(2)
        .says(&["`Fax`", "`Phone`"]);
    let nobody = "019aad5e-5b60-7001-8000-000000000001";
    workspace.run(&["replay", nobody]).code(2).says(&[nobody]);
    workspace.run(&["replay"]).code(2).says(&["a filter"]);
    workspace.run(&["replay", id, "--since", "1h"]).code(2);
}

#[test]
fn all_of_a_filter_is_counted_first() {
    let workspace = Workspace::new();
    workspace.write("guests.csv", GUESTS);
    let import = workspace.import(&["guests.csv"]);
    let import = import["import_id"].as_str().unwrap();
    workspace.run(&["source", "list"]).code(0);
    let filter = ["replay", "--import", import, "--result", "failure"];
    let with = |more: &[&'static str]| {
        let all: Vec<&str> = filter.iter().chain(more).copied().collect();
        workspace.run(&all)
    };
    workspace
        .run(&["workspace", "set", "--region", "DE"])
        .code(0);
    with(&[]).code(2).says(&["2 records of `manual`", "--yes"]);
    let dry = with(&["--dry-run", "--json"]).code(3).json();
    assert_eq!((&dry["created"], &dry["failed"]), (&json!(1), &json!(1)));
    assert_eq!(workspace.attempts(&[]).len(), 2);
    let done = with(&["--yes", "--json"]).code(3).json();
    assert_eq!((&done["records"], &done["created"]), (&json!(2), &json!(1)));
    let of_replay = done["imports"][0].as_str().unwrap();
    assert_eq!(workspace.attempts(&["--import", of_replay]).len(), 2);
    with(&["--yes"])
        .code(1)
        .says(&["not replayed: 2", "none of these attempts"]);
    let again = with(&["--yes", "--again", "--json"]).code(3).json();
    assert_eq!(again["unchanged"], 1);
    workspace.run(&["log", "--import", of_replay]).code(0);
}
