//! `rollbook doctor`.

use std::net::TcpListener;

use serde_json::Value;

use crate::support::Workspace;

/// What a doctor found, by name and state.
fn found(workspace: &Workspace, arguments: &[&str], code: i32) -> Vec<(String, String, String)> {
    let all: Vec<&str> = ["doctor", "--json"]
        .iter()
        .chain(arguments)
        .copied()
        .collect();
    let json = workspace.run(&all).code(code).json();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let checks = json["checks"].as_array().unwrap().iter();
    checks
        .map(|one| (text(&one["name"]), text(&one["state"]), text(&one["text"])))
        .collect()
}

#[track_caller]
fn has(found: &[(String, String, String)], name: &str, state: &str, part: &str) {
    let fits =
        |one: &&(String, String, String)| one.0 == name && one.1 == state && one.2.contains(part);
    assert!(
        found.iter().any(|one| fits(&one)),
        "{name} {state} {part:?} is not in {found:?}"
    );
}

#[test]
fn what_is_well_is_said_and_nothing_is_changed() {
    let workspace = Workspace::new();
    let nothing = found(&workspace, &[], 0);
    has(
        &nothing,
        "database",
        "warning",
        "there is none at `rollbook.db`",
    );
    assert_eq!(std::fs::read_dir(workspace.path(".")).unwrap().count(), 0);

    workspace.write("guests.csv", "Name,Email\nAnna,anna@example.com\n");
    workspace.import(&["guests.csv"]);
    workspace.run(&["source", "add", "desk"]).code(0);
    let files = || {
        std::fs::read_dir(workspace.path("rollbook.db-files"))
            .unwrap()
            .count()
    };
    let before = files();
    let well = found(&workspace, &["--mail", "folder:mail"], 0);
    has(&well, "database", "ok", "1 contact, 1 attempt, 1 import");
    has(&well, "index", "ok", "whole");
    has(&well, "files", "ok", "written, read and deleted");
    has(&well, "mail", "ok", "folder mail takes mail");
    has(&well, "settings", "warning", "`public_url`");
    has(&well, "clock", "ok", "");
    has(&well, "secrets", "ok", "none is stored as it is");
    has(
        &well,
        "source manual",
        "ok",
        "of 1 records in seven days 0 failed",
    );
    has(
        &well,
        "source desk",
        "warning",
        "rollbook key create --source desk",
    );
    assert_eq!(files(), before);
    let read = workspace.run(&["doctor"]).code(0);
    assert!(read.out.contains("ok       index"), "{read:?}");
    workspace.run(&["source", "pause", "desk"]).code(0);
    has(
        &found(&workspace, &["--quick"], 0),
        "source desk",
        "warning",
        "it is paused",
    );
}

#[test]
fn what_is_broken_is_named_with_what_to_do() {
    let workspace = Workspace::new();
    workspace.run(&["migrate"]).code(0);
    let port = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port()
    };
    let mail = format!("smtp://127.0.0.1:{port}?tls=none");
    let settings = ["--mail", &mail, "--mail-from", "a@example.com"];
    let down = found(&workspace, &settings, 1);
    has(&down, "mail", "error", "cannot be reached");
    has(&down, "mail", "error", "check the setting `mail`");
    has(&down, "database", "ok", "");

    let bucket = [
        "--files",
        "s3://uploads",
        "--s3-endpoint",
        &format!("http://127.0.0.1:{port}"),
        "--s3-access-key",
        "a",
        "--s3-secret-key",
        "hidden",
    ];
    let away = found(&workspace, &bucket, 1);
    has(
        &away,
        "files",
        "error",
        "check the settings `files` and `s3_…`",
    );
    assert!(!format!("{away:?}").contains("hidden"));

    // A page of the middle is overwritten.
    let path = workspace.path("rollbook.db");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[8192..3 * 8192].fill(0xab);
    std::fs::write(&path, bytes).unwrap();
    let damaged = found(&workspace, &[], 1);
    has(&damaged, "database", "error", "rollbook restore");
    workspace.run(&["backup", "a.tar"]).code(1);
    assert!(!workspace.path("a.tar").exists());
}
