//! Running an import: batches of the file through the engine into the store, from the cursor to the end.

use rollbook_store::imports::{Import, Lease};

use crate::app::App;

/// How long a worker may be silent before another takes its import over, in milliseconds.
pub(crate) const LEASE_MILLIS: i64 = 3_000;

/// Why a run stopped before its end. Progress is read from the import itself.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RunError {
    /// Another worker has the import now; nothing is wrong.
    #[error("another worker runs this import now")]
    LeaseLost,
    /// It cannot be finished; the import is marked as failed with this text.
    #[error("{0}")]
    Fail(String),
    /// The store said no; the import stays as it is and is resumed later.
    #[error(transparent)]
    Store(#[from] rollbook_store::StoreError),
}

/// Runs a claimed import to its end, or until a person cancels it. Returns the import as it stands then.
pub(crate) async fn run(app: &App, import: Import, lease: Lease) -> Result<Import, RunError> {
    let _ = (app, import, lease);
    Err(RunError::Fail("not built yet".to_owned()))
}
