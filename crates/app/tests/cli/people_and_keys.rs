//! `rollbook source`, `key` and `user`.

use serde_json::Value;

use crate::support::Workspace;

fn of<'a>(list: &'a [Value], key: &str, value: &str) -> &'a Value {
    list.iter()
        .find(|entry| entry[key] == value)
        .unwrap_or_else(|| panic!("{value} in {list:?}"))
}

#[test]
fn sources_are_added_paused_and_resumed() {
    let workspace = Workspace::new();
    workspace.write(
        "map.json",
        r#"{"columns":[{"column":"guest.mail","field":"email"}]}"#,
    );
    let add = [
        "source",
        "add",
        "mews",
        "--label",
        "Mews – Harbour",
        "--namespace",
        "mews",
        "--region",
        "DE",
        "--mapping",
        "map.json",
    ];
    assert_eq!(workspace.run(&add).code(0).out, "mews\n");
    let list = || {
        workspace
            .run(&["source", "list", "--json"])
            .code(0)
            .json_lines()
    };
    let mews = of(&list(), "name", "mews").clone();
    assert_eq!(mews["mode"], "automatic");
    assert_eq!(mews["region"], "DE");
    assert_eq!(mews["paused"], false);
    workspace.run(&["source", "pause", "mews"]).code(0);
    assert_eq!(of(&list(), "name", "mews")["paused"], true);
    assert!(workspace.run(&["source", "list"]).out.contains("paused"));
    workspace.run(&["source", "resume", "mews"]).code(0);
    assert_eq!(of(&list(), "name", "mews")["paused"], false);

    workspace.write(
        "wrong.json",
        r#"{"columns":[{"column":"mail","field":"mail"}]}"#,
    );
    workspace
        .run(&["source", "add", "x", "--mapping", "wrong.json"])
        .code(2)
        .says(&["`mail`", "email"]);
    for arguments in [
        &["source", "add", "mews"][..],
        &["source", "add", "Big Name"],
        &["source", "add", "x", "--region", "Atlantis"],
        &["source", "add", "x", "--mode", "sometimes"],
        &["source", "pause", "nobody"],
    ] {
        workspace.run(arguments).code(2);
    }
}

#[test]
fn a_key_is_shown_once_and_can_be_revoked() {
    let workspace = Workspace::new();
    workspace.run(&["source", "add", "desk"]).code(0);
    let made = workspace
        .run(&[
            "key",
            "create",
            "--source",
            "desk",
            "--name",
            "desk computer",
        ])
        .code(0);
    let secret = made.out.trim_end();
    assert!(secret.starts_with("rb_") && secret.len() > 40, "{made:?}");
    assert_eq!(made.out.lines().count(), 1);
    assert!(!made.err.contains(secret));

    let listed = workspace.run(&["key", "list", "--json"]).code(0);
    assert!(!listed.out.contains(secret));
    let keys = listed.json_lines();
    let key = of(&keys, "name", "desk computer");
    assert_eq!(key["source"], "desk");
    assert_eq!(key["revoked_at"], Value::Null);
    let id = key["id"].to_string();
    let rotated = workspace.run(&["key", "rotate", &id]).code(0);
    assert!(rotated.out.starts_with("rb_") && rotated.err.contains("24 more hours"));
    workspace
        .run(&["key", "rotate", &id])
        .code(2)
        .says(&["replaced already"]);
    workspace.run(&["key", "rotate", "99"]).code(2);
    workspace
        .run(&["key", "rotate", &id, "--overlap-hours", "721"])
        .code(2);
    let states = workspace.run(&["key", "list"]).code(0).out;
    assert!(states.contains("replaced, valid until"), "{states}");
    workspace.run(&["key", "revoke", &id]).code(0);
    assert!(
        workspace
            .run(&["key", "list"])
            .code(0)
            .out
            .contains("revoked")
    );
    workspace.run(&["key", "create", "--all"]).code(0);
    let keys = workspace.run(&["key", "list", "--json"]).json_lines();
    assert_eq!(of(&keys, "name", "all")["source"], Value::Null);
    workspace.run(&["key", "create"]).code(2);
    workspace
        .run(&["key", "create", "--all", "--source", "desk"])
        .code(2);
    workspace.run(&["key", "revoke", "99"]).code(2);
    workspace
        .run(&["key", "create", "--source", "nobody"])
        .code(2);
}

#[test]
fn people_are_added_changed_and_removed() {
    let workspace = Workspace::new();
    let add = [
        "user",
        "add",
        "Boss@Example.com",
        "--role",
        "admin",
        "--password-stdin",
    ];
    let added = workspace.run_with(&add, b"correct horse\n").code(0);
    assert_eq!(added.out, "");
    let made = workspace
        .run(&["user", "add", "anna@example.com", "--name", "Anna"])
        .code(0);
    assert!(made.out.trim_end().len() >= 16, "{made:?}");

    let people = || {
        workspace
            .run(&["user", "list", "--json"])
            .code(0)
            .json_lines()
    };
    assert_eq!(of(&people(), "email", "boss@example.com")["role"], "admin");
    assert_eq!(of(&people(), "email", "anna@example.com")["role"], "viewer");
    workspace
        .run(&["user", "set-role", "anna@example.com", "importer"])
        .code(0);
    assert_eq!(
        of(&people(), "email", "anna@example.com")["role"],
        "importer"
    );
    workspace
        .run(&["user", "set-password", "anna@example.com"])
        .code(0);

    workspace
        .run(&["user", "remove", "boss@example.com"])
        .code(2)
        .says(&["only admin"]);
    workspace
        .run(&["user", "set-role", "boss@example.com", "viewer"])
        .code(2);
    workspace
        .run(&["user", "remove", "anna@example.com"])
        .code(0);
    assert_eq!(people().len(), 1);

    for arguments in [
        &["user", "add", "boss@example.com"][..],
        &["user", "add", "nobody"],
        &["user", "set-role", "nobody@example.com", "admin"],
        &["user", "set-role", "boss@example.com", "king"],
        &["user", "remove", "nobody@example.com"],
    ] {
        workspace.run(arguments).code(2);
    }
    let short = ["user", "add", "ben@example.com", "--password-stdin"];
    workspace
        .run_with(&short, b"short\n")
        .code(2)
        .says(&["12 characters"]);
}

#[test]
fn commands_work_in_the_workspace_that_is_named() {
    let folder = Workspace::new();
    folder.run(&["workspace", "set", "--name", "Hotel"]).code(0);
    folder
        .run(&[
            "workspace",
            "add",
            "Clinic",
            "--region",
            "DE",
            "--time-zone",
            "Europe/Berlin",
        ])
        .code(0)
        .says(&["rollbook user add", "--workspace \"Clinic\""]);
    folder
        .run(&["workspace", "add", "CLINIC"])
        .code(2)
        .says(&["exists already"]);
    let listed = folder
        .run(&["workspace", "list", "--json"])
        .code(0)
        .json_lines();
    assert_eq!(of(&listed, "name", "Clinic")["region"], "DE");
    assert_eq!(listed.len(), 2);

    folder
        .run(&["source", "list"])
        .code(2)
        .says(&["`Hotel`, `Clinic`", "--workspace"]);
    folder
        .run(&["source", "list", "--workspace", "Spa"])
        .code(2)
        .says(&["`Spa`", "`Hotel`, `Clinic`"]);
    folder
        .run(&["source", "add", "desk", "--workspace", "clinic"])
        .code(0);
    let sources = |workspace: &str| {
        folder
            .run(&["source", "list", "--json", "--workspace", workspace])
            .code(0)
            .json_lines()
            .len()
    };
    assert_eq!((sources("Hotel"), sources("Clinic")), (1, 2));

    let add = |workspace: &str, role: &str| {
        folder.run(&[
            "user",
            "add",
            "a@example.com",
            "--role",
            role,
            "--workspace",
            workspace,
        ])
    };
    assert!(!add("Hotel", "admin").code(0).out.is_empty());
    assert_eq!(
        add("Clinic", "viewer")
            .code(0)
            .says(&["has an account"])
            .out,
        ""
    );
    add("Clinic", "viewer").code(2);
    let people = folder
        .run(&["user", "list", "--json", "--workspace", "Clinic"])
        .json_lines();
    assert_eq!(of(&people, "email", "a@example.com")["role"], "viewer");
    folder
        .run(&["user", "remove", "a@example.com", "--workspace", "Clinic"])
        .code(0);
    let people = folder
        .run(&["user", "list", "--json", "--workspace", "Hotel"])
        .json_lines();
    assert_eq!(of(&people, "email", "a@example.com")["role"], "admin");
}

#[test]
fn signed_webhooks_are_set_up_listed_and_revoked() {
    let workspace = Workspace::new();
    workspace.run(&["source", "add", "crm"]).code(0);
    let set_up = workspace.run(&["webhook", "set-up", "crm"]).code(0);
    let secret = set_up.out.trim().to_owned();
    assert!(
        secret.starts_with("whsec_") && secret.lines().count() == 1,
        "{secret}"
    );
    set_up.says(&["/api/v1/sources/crm/events", "cannot be shown again"]);
    let listed = || {
        workspace
            .run(&["webhook", "list", "--json"])
            .code(0)
            .json_lines()
    };
    assert_eq!(listed()[0]["scheme"], "standard-webhooks");
    assert_eq!(listed()[0]["header"], Value::Null);
    let rotated = workspace.run(&["webhook", "rotate", "crm"]).code(0);
    assert_ne!(rotated.out.trim(), secret);
    assert!(listed()[0]["previous_secret_until"].is_string());
    workspace
        .run(&["webhook", "revoke", "crm", "--previous"])
        .code(0);
    assert!(listed()[0]["previous_secret_until"].is_null());

    // The sender's own secret is not said again.
    let own = [
        "webhook",
        "set-up",
        "crm",
        "--scheme",
        "hmac-sha256-body",
        "--header",
        "X-Hub-Signature-256",
        "--secret-stdin",
    ];
    let ran = workspace.run_with(&own, b"plain-shared-secret\n").code(0);
    assert_eq!(ran.out, "");
    assert_eq!(listed()[0]["header"], "X-Hub-Signature-256");
    let table = workspace.run(&["webhook", "list"]).code(0).out;
    assert!(
        table.contains("hmac-sha256-body") && !table.contains("plain-shared"),
        "{table}"
    );

    for (arguments, input, says) in [
        (&own[..], "short", "16 to 512"),
        (&own[..], "", "no secret"),
        (
            &["webhook", "rotate", "manual"][..],
            "",
            "rollbook webhook set-up manual",
        ),
        (
            &["webhook", "revoke", "nobody"][..],
            "",
            "there is no source `nobody`",
        ),
        (
            &["webhook", "set-up", "crm", "--scheme", "md5"][..],
            "",
            "possible values",
        ),
    ] {
        workspace
            .run_with(arguments, input.as_bytes())
            .code(2)
            .says(&[says]);
    }
    workspace.run(&["webhook", "revoke", "crm"]).code(0);
    assert!(listed().is_empty());
}
