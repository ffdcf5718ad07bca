//! Settings: flags, environment, file; and what is refused.

use crate::support::Workspace;

#[test]
fn a_setting_comes_from_flag_environment_or_file() {
    let workspace = Workspace::new();
    workspace.write("rollbook.toml", "database = \"sqlite:from-file.db\"\n");
    workspace.run(&["migrate"]).code(0).says(&["from-file.db"]);
    let by_variable = workspace
        .command(&["migrate"])
        .env("ROLLBOOK_DATABASE", "sqlite:from-variable.db")
        .output()
        .unwrap();
    assert!(by_variable.status.success());
    workspace
        .run(&["migrate", "--database", "from-flag.db"])
        .code(0);
    for name in ["from-file.db", "from-variable.db", "from-flag.db"] {
        assert!(workspace.path(name).is_file(), "{name}");
        assert!(workspace.path(&format!("{name}-files")).is_dir(), "{name}");
    }
    workspace.write("other.toml", "database = \"sqlite:other.db\"\n");
    workspace
        .run(&["--config", "other.toml", "migrate"])
        .code(0);
    assert!(workspace.path("other.db").is_file());
}

#[test]
fn settings_that_are_none_are_named() {
    let workspace = Workspace::new();
    workspace
        .run(&["migrate", "--config", "missing.toml"])
        .code(2)
        .says(&["missing.toml"]);
    workspace.write("a.toml", "databse = \"x\"\n");
    workspace
        .run(&["migrate", "--config", "a.toml"])
        .code(2)
        .says(&["a.toml", "databse"]);
    workspace.write("b.toml", "max_file_bytes = \"much\"\n");
    workspace
        .run(&["migrate", "--config", "b.toml"])
        .code(2)
        .says(&["much"]);
    workspace
        .run(&["migrate", "--max-file-bytes", "much"])
        .code(2);
    workspace.run(&["serve", "--listen", "everywhere"]).code(2);
    workspace
        .run(&["migrate", "--database", "mysql://x"])
        .code(1);
    workspace.run(&[]).code(2);
    workspace.run(&["fly"]).code(2);
}

#[test]
fn help_and_version_are_data() {
    let workspace = Workspace::new();
    let help = workspace.run(&["import", "--help"]).code(0);
    assert!(
        help.out.contains("--failed-rows") && help.out.contains("Examples:"),
        "{help:?}"
    );
    assert_eq!(help.err, "");
    assert!(
        workspace
            .run(&["--version"])
            .code(0)
            .out
            .starts_with("rollbook ")
    );
    let openapi = workspace.run(&["openapi"]).code(0).json();
    assert_eq!(
        openapi["openapi"].as_str().map(|version| &version[..3]),
        Some("3.1")
    );
}

#[test]
fn a_mistyped_database_is_said_and_none_is_made() {
    let workspace = Workspace::new();
    for command in [
        &["log"][..],
        &["contacts", "list"],
        &["contacts", "export"],
        &["imports", "list"],
        &["source", "list"],
        &["user", "list"],
        &["replay", "--result", "failure", "--yes"],
        &["undo", "019aad5e-5b60-7001-8000-000000000001"],
    ] {
        let arguments: Vec<&str> = command
            .iter()
            .chain(&["--database", "rolbook.db"])
            .copied()
            .collect();
        workspace
            .run(&arguments)
            .code(1)
            .says(&["there is no database `rolbook.db`", "--database"]);
    }
    assert!(!workspace.path("rolbook.db").exists());
    assert!(!workspace.path("rolbook.db-files").exists());
    // What begins with a database says that it made one, once.
    workspace.write("guests.csv", "Name\nAnna\n");
    let import = ["import", "guests.csv"];
    workspace
        .run(&import)
        .code(0)
        .says(&["made a new database: `sqlite:rollbook.db`"]);
    let again = workspace.run(&import).code(0);
    assert!(!again.err.contains("made a new database"), "{again:?}");
}
