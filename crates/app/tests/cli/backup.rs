//! `rollbook backup` and `rollbook restore`.

use std::fmt::Write;
use std::io::{Cursor, Read};
use std::path::Path;
use std::process::Stdio;

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::serve::Server;
use crate::support::{Workspace, finish, wait_until};

const GUESTS: &str = "Name,Email\nAnna,anna@example.com\nBen,ben@example.com\n";

fn contacts(workspace: &Workspace, database: &str) -> Vec<Value> {
    workspace
        .run(&[
            "contacts",
            "export",
            "--format",
            "json",
            "--database",
            database,
        ])
        .code(0)
        .json_lines()
}

#[test]
fn a_backup_brings_back_what_was_there() {
    let workspace = Workspace::new();
    workspace.write("guests.csv", GUESTS);
    let import = workspace.import(&["guests.csv"]);
    let made = workspace.run(&["backup", "a.tar", "--json"]).code(0);
    let made = made
        .says(&["2 contacts, 2 attempts and 1 uploaded file"])
        .json();
    assert_eq!(made["counts"]["imports"], 1);
    let before = contacts(&workspace, "rollbook.db");
    workspace.write("more.csv", "Name,Email\nCarla,carla@example.com\n");
    workspace.import(&["more.csv"]);

    workspace
        .run(&["restore", "a.tar", "--check"])
        .code(0)
        .says(&["is whole: 2 contacts"]);
    let other = ["--database", "other.db"];
    workspace
        .run(&["restore", "a.tar", other[0], other[1]])
        .code(0);
    assert_eq!(contacts(&workspace, "other.db"), before);
    assert_eq!(contacts(&workspace, "rollbook.db").len(), 3);
    let id = import["import_id"].as_str().unwrap();
    workspace
        .run(&[
            "imports",
            "download",
            id,
            "--out",
            "again.csv",
            other[0],
            other[1],
        ])
        .code(0);
    assert_eq!(workspace.read("again.csv"), GUESTS);
    // The restored one goes on: people are found by their identifiers.
    let again = workspace.import(&["guests.csv", other[0], other[1]]);
    assert_eq!(
        (&again["created"], &again["unchanged"]),
        (&0.into(), &2.into())
    );

    // Nothing is replaced unless that is wanted.
    workspace
        .run(&["backup", "a.tar"])
        .code(1)
        .says(&["a.tar", "--force"]);
    workspace
        .run(&["restore", "a.tar"])
        .code(1)
        .says(&["rollbook.db", "--force"]);
    let server = Server::start(workspace.command(&["serve", "--listen", "127.0.0.1:0"]));
    workspace
        .run(&["restore", "a.tar", "--force"])
        .code(1)
        .says(&["open; stop Rollbook"]);
    assert_eq!(contacts(&workspace, "rollbook.db").len(), 3);
    server.stop("-TERM");
    workspace.run(&["restore", "a.tar", "--force"]).code(0);
    assert_eq!(contacts(&workspace, "rollbook.db"), before);
    // Nothing is left behind.
    let left: Vec<String> = std::fs::read_dir(workspace.path("."))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .filter(|name| name.starts_with('.'))
        .collect();
    assert_eq!(left, [""; 0]);
}

#[test]
fn a_backup_is_made_while_imports_go_on() {
    let workspace = Workspace::new();
    let mut file = String::from("External ID,Name\n");
    for number in 0..40_000 {
        writeln!(file, "G-{number},Guest {number}").unwrap();
    }
    workspace.write("guests.csv", file);
    workspace.run(&["migrate"]).code(0);
    let importing = workspace.start(&["import", "guests.csv", "--json"], Stdio::null());
    wait_until("some rows are in", || {
        !workspace.attempts(&["--limit", "1"]).is_empty()
    });
    workspace.run(&["backup", "a.tar"]).code(0);
    let summary = finish(importing, b"").code(0).json();
    assert_eq!(summary["records"], 40_000);
    // What was copied is one moment: as many attempts and contacts as the import says.
    let other = ["--database", "other.db"];
    workspace
        .run(&["restore", "a.tar", other[0], other[1]])
        .code(0);
    let import = workspace
        .run(&["imports", "list", "--format", "json", other[0], other[1]])
        .code(0)
        .json_lines()
        .remove(0);
    let records = import["totals"]["records"]
        .as_u64()
        .or(import["records"].as_u64())
        .unwrap();
    println!("the backup was made after {records} rows");
    assert!(records > 0);
    assert_eq!(contacts(&workspace, "other.db").len() as u64, records);
    assert_eq!(workspace.attempts(&other).len() as u64, records);
    // And the import goes on from there.
    let summary = workspace.import(&["guests.csv", other[0], other[1]]);
    assert_eq!(summary["records"], 40_000);
    assert_eq!(contacts(&workspace, "other.db").len(), 40_000);
}

#[test]
fn a_damaged_backup_is_refused_and_changes_nothing() {
    let workspace = Workspace::new();
    workspace.write("guests.csv", GUESTS);
    workspace.import(&["guests.csv"]);
    workspace.run(&["backup", "a.tar"]).code(0);
    let whole = std::fs::read(workspace.path("a.tar")).unwrap();
    let mut flipped = whole.clone();
    flipped[100_000] ^= 1;
    let cut = &whole[..whole.len() / 2];
    let mut longer = whole.clone();
    longer.splice(
        0..0,
        archive(&[("notes.txt", b"x".to_vec())])
            .into_iter()
            .take(1024),
    );
    for (name, bytes, said) in [
        ("flipped.tar", &flipped[..], "is not what was written"),
        ("cut.tar", cut, "no whole backup"),
        (
            "longer.tar",
            &longer[..],
            "`notes.txt` does not belong into it",
        ),
        (
            "text.tar",
            b"not an archive at all".as_slice(),
            "no whole backup",
        ),
        ("empty.tar", b"".as_slice(), "its manifest is missing"),
    ] {
        workspace.write(name, bytes);
        let ran = workspace.run(&["restore", name, "--database", "other.db"]);
        ran.code(1).says(&[name, said]);
        assert!(!workspace.path("other.db").exists(), "{name}");
    }
    workspace
        .run(&["restore", "missing.tar"])
        .code(1)
        .says(&["rollbook.db"]);
}

#[test]
fn a_backup_of_a_newer_version_is_refused() {
    let workspace = Workspace::new();
    workspace.run(&["migrate"]).code(0);
    workspace.run(&["backup", "a.tar"]).code(0);
    let mut entries = unpacked(&workspace.path("a.tar"));
    let (_, database) = entries
        .iter_mut()
        .find(|(name, _)| name == "rollbook.db")
        .unwrap();
    // Where SQLite keeps the version of the schema.
    database[60..64].copy_from_slice(&9999_u32.to_be_bytes());
    let (size, hash) = (database.len(), Sha256::digest(&*database));
    let hash = hash.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    });
    let (_, manifest) = entries
        .iter_mut()
        .find(|(name, _)| name == "manifest.json")
        .unwrap();
    let mut json: Value = serde_json::from_slice(manifest).unwrap();
    json["entries"]["rollbook.db"] = serde_json::json!({"size": size, "sha256": hash});
    json["schema"] = 9999.into();
    *manifest = serde_json::to_vec(&json).unwrap();
    let entries: Vec<(&str, Vec<u8>)> = entries
        .iter()
        .map(|(name, content)| (name.as_str(), content.clone()))
        .collect();
    workspace.write("newer.tar", archive(&entries));
    workspace
        .run(&["restore", "newer.tar", "--database", "other.db"])
        .code(1)
        .says(&["9999", "install the newer rollbook"]);
    assert!(!workspace.path("other.db").exists());
}

fn unpacked(path: &Path) -> Vec<(String, Vec<u8>)> {
    let mut archive = tar::Archive::new(Cursor::new(std::fs::read(path).unwrap()));
    let entries = archive.entries().unwrap();
    entries
        .map(|entry| {
            let mut entry = entry.unwrap();
            let name = entry.path().unwrap().to_string_lossy().into_owned();
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            (name, content)
        })
        .collect()
}

fn archive(entries: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, content) in entries {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_entry_type(tar::EntryType::Regular);
        builder.append_data(&mut header, name, &**content).unwrap();
    }
    builder.into_inner().unwrap()
}
