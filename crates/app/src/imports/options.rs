//! How the file of an import is read and mapped, as stored with the import.

use rollbook_engine::mapping::Mapping;
use serde::{Deserialize, Serialize};

/// Everything that is needed to read a file again exactly as it was reviewed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ImportOptions {
    /// Encoding, delimiter, quote, header row.
    pub(crate) dialect: rollbook_sources::csv::Dialect,
    /// The header's names.
    pub(crate) header: Vec<String>,
    /// Which column goes where.
    pub(crate) mapping: Mapping,
    /// The phone region of this file, if it is not the source's.
    pub(crate) region: Option<String>,
}
