//! Where the shared test tables are. They belong to others, so they are read at run time and never kept here.

use std::path::{Path, PathBuf};

/// The path of a shared table, if it is there: in the folder that `ROLLBOOK_TEST_DATA` names, else beside the
/// workspace. Without it a test says that it was left out; where `CI` is `true` that is a failure.
#[expect(clippy::print_stderr, reason = "a left out test says so")]
pub(crate) fn path(name: &str) -> Option<PathBuf> {
    let root = std::env::var_os("ROLLBOOK_TEST_DATA").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"),
        PathBuf::from,
    );
    let path = root.join(name);
    if path.exists() {
        return Some(path);
    }
    assert!(
        std::env::var("CI").as_deref() != Ok("true"),
        "{} is missing; set ROLLBOOK_TEST_DATA",
        path.display()
    );
    eprintln!(
        "left out: {} is missing; set ROLLBOOK_TEST_DATA",
        path.display()
    );
    None
}
