//! The shared test tables. They belong to others, so they are read at run time and never kept here.

use std::path::{Path, PathBuf};

/// A shared table, if it is there: in the folder that `ROLLBOOK_TEST_DATA` names, else beside the workspace.
///
/// Without it a test says that it was left out; where `CI` is `true` that is a failure.
#[expect(clippy::print_stderr, reason = "a left out test says so")]
#[expect(
    clippy::disallowed_methods,
    reason = "the engine does no I/O, its tests do"
)]
pub(crate) fn read(name: &str) -> Option<String> {
    let root = std::env::var_os("ROLLBOOK_TEST_DATA").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"),
        PathBuf::from,
    );
    let path = root.join(name);
    match std::fs::read_to_string(&path) {
        Ok(text) => Some(text),
        Err(error) => {
            let message = format!("{}: {error}; set ROLLBOOK_TEST_DATA", path.display());
            assert!(std::env::var("CI").as_deref() != Ok("true"), "{message}");
            eprintln!("left out: {message}");
            None
        }
    }
}
