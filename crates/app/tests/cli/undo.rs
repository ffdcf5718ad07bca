//! `rollbook undo`.

use serde_json::{Value, json};

use crate::support::Workspace;

const BEFORE: &str = "Guest ID,Name,Phone,Email,City,Tags\n\
                      1,Anna Weber,0171 3920012,anna@example.com,Kiel,vip\n\
                      2,Ben Kurz,030 23125001,ben@example.com,,\n";

const FILE: &str = "Guest ID,Name,Phone,Email,City,Tags\n\
                    1,Anna Weber-Lang,0171 3920099,__CLEAR__,Hamburg,\n\
                    3,Clara Neu,030 23125003,clara@example.com,Bonn,\n\
                    ,,not a phone,,,\n\
                    3,,,,Berlin,new\n\
                    ,,,,Ulm,\n";

/// Every contact, without the time of its last change.
fn export(workspace: &Workspace) -> Vec<Value> {
    let ran = workspace.run(&["contacts", "export", "--format", "json"]);
    let mut contacts = ran.code(0).json_lines();
    for contact in &mut contacts {
        contact.as_object_mut().unwrap().remove("updated_at");
    }
    contacts
}

fn id(summary: &Value) -> &str {
    summary["import_id"].as_str().unwrap()
}

#[test]
fn an_undo_restores_the_export_from_before() {
    let workspace = Workspace::german();
    workspace.write("before.csv", BEFORE);
    workspace.write("guests.csv", FILE);
    workspace.import(&["before.csv"]);
    let before = export(&workspace);
    let import = workspace.import(&["guests.csv"]);
    assert_eq!(
        (&import["created"], &import["failed"]),
        (&json!(2), &json!(1))
    );
    let imported = export(&workspace);
    assert_ne!(imported, before);

    let preview = workspace.run(&["undo", id(&import), "--dry-run", "--json"]);
    let preview = preview.code(0).json();
    assert_eq!(preview["contacts_removed"], 2);
    assert_eq!(preview["contacts_restored"], 1);
    assert_eq!(preview["fields_restored"], 4);
    assert_eq!(
        (&preview["records"], &preview["kept"]),
        (&json!(4), &json!([]))
    );
    let text = workspace
        .run(&["undo", id(&import), "--dry-run"])
        .code(0)
        .out;
    assert!(text.contains("contacts removed           2"), "{text}");
    assert_eq!(export(&workspace), imported);

    let undo = workspace
        .run(&["undo", id(&import), "--json"])
        .code(0)
        .json();
    assert_eq!(undo["undoes"], import["import_id"]);
    assert_eq!(undo["records"], preview["records"]);
    assert_eq!((&undo["removed"], &undo["updated"]), (&json!(2), &json!(2)));
    assert_eq!((&undo["failed"], &undo["warnings"]), (&json!(0), &json!(0)));
    assert_eq!(export(&workspace), before);
    let attempts = workspace.attempts(&["--import", id(&undo)]);
    let actions: Vec<_> = attempts.iter().map(|attempt| &attempt["action"]).collect();
    assert_eq!(actions, ["updated", "removed", "updated", "removed"]);

    workspace
        .run(&["undo", id(&import)])
        .code(1)
        .says(&["undone already", id(&undo)]);
    workspace
        .run(&["undo", id(&undo)])
        .code(1)
        .says(&["an undo cannot be undone"]);
    // The same file once more makes the same contacts under new numbers.
    let again = workspace.import(&["guests.csv"]);
    assert_eq!(
        (&again["created"], &again["updated"]),
        (&json!(2), &json!(2))
    );
    assert_eq!(export(&workspace)[0]["id"], "6");
}

#[test]
fn what_changed_since_is_kept_and_listed() {
    let workspace = Workspace::german();
    workspace.write("before.csv", BEFORE);
    workspace.write("guests.csv", FILE);
    workspace.write("since.csv", "Guest ID,City\n1,Lübeck\n3,Köln\n");
    workspace.import(&["before.csv"]);
    let before = export(&workspace);
    let import = workspace.import(&["guests.csv"]);
    workspace.import(&["since.csv"]);
    let clara = export(&workspace).into_iter().find(|own| own["id"] == "3");

    let dry = workspace
        .run(&["undo", id(&import), "--dry-run"])
        .code(3)
        .out;
    assert!(
        dry.contains("row 1 (Anna Weber): “Lübeck” was written after"),
        "{dry}"
    );
    let ran = workspace.run(&["undo", id(&import)]).code(3).out;
    assert!(ran.contains("removed           1"), "{ran}");
    assert!(
        ran.contains("row 2 (Clara Neu): The contact was changed"),
        "{ran}"
    );

    let mut expected = before;
    expected[1]["fields"]["city"] = json!("Lübeck");
    expected.insert(0, clara.unwrap());
    assert_eq!(export(&workspace), expected);
}

#[test]
fn what_cannot_be_undone_is_explained() {
    let workspace = Workspace::new();
    workspace.run(&["migrate"]).code(0);
    workspace
        .run(&["undo", "1"])
        .code(2)
        .says(&["`1` is not an import's id"]);
    workspace
        .run(&["undo", "019aad5e-5b60-7001-8000-000000000001"])
        .code(1)
        .says(&["there is no import"]);
    workspace.write("bad.csv", "Phone\nnothing\n");
    let import = workspace.import(&["bad.csv", "--map", "Phone=phone"]);
    for arguments in [
        &["undo", id(&import)][..],
        &["undo", id(&import), "--dry-run"],
    ] {
        workspace
            .run(arguments)
            .code(1)
            .says(&["there is nothing to undo"]);
    }
}
