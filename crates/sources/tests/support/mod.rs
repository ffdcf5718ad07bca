//! What the tests share: where the test data is.

use std::path::PathBuf;

/// The folder of test data that the environment names, else the one beside the checkout; none if it is not here and
/// need not be. The data is not part of this repository.
pub(crate) fn data(folder: &str) -> Option<PathBuf> {
    let root = std::env::var_os("ROLLBOOK_TEST_DATA").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data")),
        PathBuf::from,
    );
    let path = root.join(folder);
    if path.is_dir() {
        return Some(path);
    }
    assert!(
        std::env::var("CI").as_deref() != Ok("true"),
        "the test data `{folder}` is missing; name its folder in ROLLBOOK_TEST_DATA"
    );
    println!("left out: there is no test data `{folder}`");
    None
}
