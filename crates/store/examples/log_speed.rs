//! Prints how fast the Contact Import Log is: `log_speed [ATTEMPTS] [FILE]`, a million in a new temporary file unless
//! said. A file that has a log already is measured as it is.

use std::io::Write;
use std::path::PathBuf;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let attempts = match arguments.next() {
        Some(attempts) => attempts.parse()?,
        None => 1_000_000,
    };
    let folder = tempfile::tempdir()?;
    let file = match arguments.next() {
        Some(file) => PathBuf::from(file),
        None => folder.path().join("log.db"),
    };
    let report = rollbook_store::log_speed(&file, attempts)?;
    std::io::stdout().write_all(report.as_bytes())?;
    Ok(())
}
