//! How Rollbook is started: flags, then environment, then `rollbook.toml`, then defaults.

use std::net::SocketAddr;
use std::path::PathBuf;

/// The settings in force. Nothing later looks back at flags, environment or file.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    /// The store: `sqlite:PATH`.
    pub(crate) database: String,
    /// The folder of uploaded files.
    pub(crate) files: PathBuf,
    /// Where `serve` listens.
    pub(crate) listen: SocketAddr,
    /// The address people use, for links; `http://<listen>` if not set.
    pub(crate) public_url: Option<String>,
    /// The largest upload in bytes.
    pub(crate) max_file_bytes: u64,
    /// The largest body of an API call with one record, in bytes.
    pub(crate) max_record_bytes: usize,
    /// The largest body of a batch call, in bytes.
    pub(crate) max_batch_bytes: usize,
}

impl Config {
    /// What is too much for a record of a file.
    pub(crate) fn csv_limits(&self) -> rollbook_sources::csv::CsvLimits {
        rollbook_sources::csv::CsvLimits {
            record: self.max_record_bytes,
            ..Default::default()
        }
    }
}
