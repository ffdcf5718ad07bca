//! Receiving records from another system: one, or a batch.

use rollbook_store::commit::{Delivered, Idempotency};
use rollbook_store::sources::Source;

use crate::app::App;

/// One record as it came in.
#[derive(Debug, Clone)]
pub(crate) struct Incoming {
    /// Its own bytes.
    pub(crate) body: Vec<u8>,
    /// The media type, for example `application/json`.
    pub(crate) content_type: String,
    /// The sender's key.
    pub(crate) idempotency: Option<Idempotency>,
}

/// Why a delivery was refused as a whole.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReceiveError {
    /// The source is paused.
    #[error("source `{0}` is paused; its administrator can resume it on Admin Settings > Sources")]
    Paused(String),
    /// The source's mapping does not fit.
    #[error("{}", .0.join("; "))]
    Mapping(Vec<String>),
    /// The store said no.
    #[error(transparent)]
    Store(#[from] rollbook_store::StoreError),
}

/// Reads, normalises and commits records in order; answers when they are on disk. A body that is no record becomes a
/// failure in the log.
pub(crate) async fn receive(
    app: &App,
    source: &Source,
    records: Vec<Incoming>,
) -> Result<Vec<Delivered>, ReceiveError> {
    let _ = (app, source, records);
    Err(ReceiveError::Paused("not built yet".to_owned()))
}
