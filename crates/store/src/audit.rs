//! Who did what, and when: append-only.

use async_trait::async_trait;

use crate::{StoreError, Timestamp, WorkspaceId};

/// An entry to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAuditEntry {
    /// When.
    pub at: Timestamp,
    /// Who: an email address, a key, or the command line.
    pub who: String,
    /// What they did: one of a fixed set of words.
    pub what: String,
    /// About which import, key, person …; never a secret and never a contact's values.
    pub about: String,
    /// The IP address it came from, if it came over the network.
    pub address: String,
}

/// An entry as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// Counts up in the workspace, without a gap.
    pub number: u64,
    /// What happened.
    pub entry: NewAuditEntry,
}

/// Which entries. Every condition given must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// By this person or key.
    pub who: Option<String>,
    /// Of this kind.
    pub what: Option<String>,
}

/// Some entries.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditPage {
    /// The entries, newest first.
    pub entries: Vec<AuditEntry>,
    /// Pass as `before` for the next page; none at the end.
    pub next: Option<u64>,
}

/// The audit.
#[async_trait]
pub trait Audit {
    /// Writes an entry.
    async fn add_audit(
        &self,
        workspace: WorkspaceId,
        entry: NewAuditEntry,
    ) -> Result<(), StoreError>;

    /// A page of entries, newest first, with numbers below `before`.
    async fn audit(
        &self,
        workspace: WorkspaceId,
        filter: AuditFilter,
        before: Option<u64>,
        limit: u16,
    ) -> Result<AuditPage, StoreError>;
}
