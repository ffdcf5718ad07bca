//! Taking a file in: storing it, finding out how it is to be read, guessing its mapping, queueing the import.

use std::path::Path;

use rollbook_engine::mapping::Mapping;
use rollbook_store::imports::Import;
use rollbook_store::sources::Source;

use crate::app::App;
use crate::imports::options::ImportOptions;

/// Why a file cannot be imported.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IntakeError {
    /// The file is larger than the setting allows.
    #[error(
        "the file is larger than {limit} bytes; split it, or raise `max_file_bytes` in the settings"
    )]
    TooLarge {
        /// The limit in bytes.
        limit: u64,
    },
    /// It is not a file we read.
    #[error("{0}")]
    Unreadable(String),
    /// The mapping does not fit the file.
    #[error("{}", .0.join("; "))]
    Mapping(Vec<String>),
    /// The source is paused.
    #[error(
        "source `{0}` is paused; resume it with `rollbook source resume {0}` or on Admin Settings > Sources"
    )]
    Paused(String),
    /// The import is past the state in which this could be done.
    #[error("the import is {0} already, so its mapping cannot be changed")]
    Begun(&'static str),
    /// The file could not be stored.
    #[error("the file cannot be stored: {0}")]
    Io(#[from] std::io::Error),
    /// The store said no.
    #[error(transparent)]
    Store(#[from] rollbook_store::StoreError),
}

/// What a look into a file showed.
#[derive(Debug, Clone)]
pub(crate) struct Inspection {
    /// How it is read, with the guessed mapping.
    pub(crate) options: ImportOptions,
    /// One entry a column.
    pub(crate) columns: Vec<Column>,
    /// Rows that were looked at, at most.
    pub(crate) sampled: usize,
}

/// A column of a file.
#[derive(Debug, Clone)]
pub(crate) struct Column {
    /// Its name in the header.
    pub(crate) name: String,
    /// Up to five values, blank ones left out.
    pub(crate) samples: Vec<String>,
    /// The key of the field that it is mapped to.
    pub(crate) field: Option<String>,
    /// Why that field was guessed.
    pub(crate) reason: Option<String>,
}

/// Stores a file under its content's hash and writes down an import of it that waits for its mapping.
/// `file` is a temporary file of ours; it is moved.
pub(crate) async fn take_in(
    app: &App,
    source: &Source,
    file: tempfile::NamedTempFile,
    file_name: &str,
    created_by: &str,
) -> Result<Import, IntakeError> {
    let _ = (app, source, file, file_name, created_by);
    Err(IntakeError::Unreadable("not built yet".to_owned()))
}

/// Looks into a file: how is it to be read, and where do its columns go?
pub(crate) async fn inspect(
    app: &App,
    source: &Source,
    path: &Path,
    file_name: &str,
) -> Result<Inspection, IntakeError> {
    let _ = (app, source, path, file_name);
    Err(IntakeError::Unreadable("not built yet".to_owned()))
}

/// Agrees to an import: stores how it is read and mapped, and queues it. With no mapping the guessed one is used.
pub(crate) async fn start(
    app: &App,
    source: &Source,
    import: &Import,
    mapping: Option<Mapping>,
) -> Result<Import, IntakeError> {
    let _ = (app, source, import, mapping);
    Err(IntakeError::Unreadable("not built yet".to_owned()))
}
