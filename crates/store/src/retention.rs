//! Retention: for how long payloads, attempts and files are kept, and dropping what is older, a little at a time.

use async_trait::async_trait;

use crate::imports::ImportId;
use crate::log::Corrected;
use crate::{StoreError, Timestamp, WorkspaceId};

/// For how many days things are kept; none: for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Retention {
    /// What was sent, as it was sent.
    pub payload_days: Option<u32>,
    /// Attempts of the log with everything they say.
    pub attempt_days: Option<u32>,
    /// Uploaded files.
    pub file_days: Option<u32>,
}

/// The retention of a workspace, and what came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Retained {
    /// The settings.
    pub settings: Retention,
    /// Payloads of attempts from before this time are not kept any more.
    pub payloads_before: Option<Timestamp>,
    /// Attempts from before this time are not kept any more.
    pub attempts_before: Option<Timestamp>,
    /// Payloads that were dropped.
    pub payloads_dropped: u64,
    /// Attempts that were dropped.
    pub attempts_dropped: u64,
    /// Files that were dropped.
    pub files_dropped: u64,
}

/// Retention. Each of the dropping methods does a part, some milliseconds of work, so that nobody who delivers waits.
#[async_trait]
pub trait Retentions {
    /// The retention of a workspace.
    async fn retention(&self, workspace: WorkspaceId) -> Result<Retained, StoreError>;

    /// Sets for how long things are kept.
    async fn set_retention(
        &self,
        workspace: WorkspaceId,
        settings: Retention,
    ) -> Result<(), StoreError>;

    /// Drops payloads of attempts received before a time. [`Corrected::next`] says whether to call again.
    async fn expire_payloads(
        &self,
        workspace: WorkspaceId,
        before: Timestamp,
    ) -> Result<Corrected, StoreError>;

    /// Drops attempts received before a time. Attempts that lie in one block with younger ones stay as empty rows until
    /// all of the block is old enough. [`Corrected::next`] says whether to call again.
    async fn expire_attempts(
        &self,
        workspace: WorkspaceId,
        before: Timestamp,
    ) -> Result<Corrected, StoreError>;

    /// Some imports from before a time that are over, or wait for nobody knows what, and whose file is still kept.
    async fn imports_with_old_files(
        &self,
        workspace: WorkspaceId,
        before: Timestamp,
    ) -> Result<Vec<(ImportId, [u8; 32])>, StoreError>;

    /// Whether imports of any workspace need the file with this content, beside this one.
    async fn file_is_needed(
        &self,
        beside: Option<(WorkspaceId, ImportId)>,
        hash: [u8; 32],
    ) -> Result<bool, StoreError>;

    /// Writes down that the file of an import is past its retention. One that was never started is cancelled.
    async fn note_file_dropped(
        &self,
        workspace: WorkspaceId,
        import: ImportId,
        now: Timestamp,
    ) -> Result<(), StoreError>;

    /// Drops some idempotency keys of attempts received before a time; says how many.
    async fn expire_keys(
        &self,
        workspace: WorkspaceId,
        before: Timestamp,
    ) -> Result<usize, StoreError>;

    /// Drops some sessions and links that have expired; says how many.
    async fn expire_sessions(&self, now: Timestamp) -> Result<usize, StoreError>;
}
