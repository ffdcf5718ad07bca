//! Erasing people: what was asked for, how far it is, and the tombstone that stays.
//!
//! The contact goes, and its identifiers become keyed hashes, in one transaction: from then on no record brings the
//! person back. Everything else that tells them is found and erased piece by piece, by whoever holds the erasure's
//! lease; each piece can be done again, so that one who dies is succeeded by one who begins anew.

use async_trait::async_trait;
use rollbook_engine::contact::{ContactId, Identifier};
use rollbook_engine::traces::Traces;

use crate::imports::ImportId;
use crate::{StoreError, Timestamp, WorkspaceId};

/// An erasure: nothing of it tells who the person was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Erasure {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// Its number, counting up in the workspace.
    pub number: u64,
    /// The contact that is no more.
    pub contact: ContactId,
    /// Who asked for it.
    pub asked_by: String,
    /// When.
    pub asked_at: Timestamp,
    /// How many identifiers may not come back, as long as it is not lifted.
    pub identifiers: u64,
    /// Attempts of which values were erased.
    pub attempts: u64,
    /// Files whose rows were blanked.
    pub files_rewritten: u64,
    /// Files that could not be rewritten and were deleted.
    pub files_deleted: u64,
    /// Mails, edited rows and file names that were erased.
    pub others: u64,
    /// When everything was found and erased; none while somebody is at it.
    pub finished_at: Option<Timestamp>,
    /// When somebody let the person come back.
    pub lifted_at: Option<Timestamp>,
    /// Who did.
    pub lifted_by: Option<String>,
}

/// Attempts that tell a person, found in a part of the log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FoundTraces {
    /// Their numbers; without those that were erased before.
    pub numbers: Vec<u64>,
    /// The rows of files that are about the person.
    pub rows: Vec<(ImportId, u64)>,
    /// Where to go on; none at the end.
    pub next: Option<u64>,
}

/// What became of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileErased {
    /// Rows of it were blanked.
    Rewritten {
        /// SHA-256 of its content now.
        hash: [u8; 32],
        /// Its size now.
        size: u64,
    },
    /// It is not kept any more.
    Deleted,
}

/// Erasing people.
#[async_trait]
pub trait Erasures {
    /// Removes a contact, keeps its identifiers, and those of `former` that nobody else has, as keyed hashes, and
    /// writes down what is still to be erased. Of a contact that was erased before, that erasure is returned.
    async fn begin_erasure(
        &self,
        workspace: WorkspaceId,
        contact: ContactId,
        former: Vec<Identifier>,
        asked_by: String,
        now: Timestamp,
    ) -> Result<Erasure, StoreError>;

    /// Erasures, newest first, with numbers below `before`.
    async fn erasures(
        &self,
        workspace: WorkspaceId,
        before: Option<u64>,
        limit: u16,
    ) -> Result<Vec<Erasure>, StoreError>;

    /// One erasure.
    async fn erasure(
        &self,
        workspace: WorkspaceId,
        number: u64,
    ) -> Result<Option<Erasure>, StoreError>;

    /// The erasure of a contact.
    async fn erasure_of(
        &self,
        workspace: WorkspaceId,
        contact: ContactId,
    ) -> Result<Option<Erasure>, StoreError>;

    /// Claims an erasure that is not finished and that nobody works at; `only` narrows it to one. The lease is good
    /// until `now + lease_millis`.
    async fn claim_erasure(
        &self,
        only: Option<(WorkspaceId, u64)>,
        now: Timestamp,
        lease_millis: i64,
    ) -> Result<Option<(Erasure, Traces)>, StoreError>;

    /// Keeps the lease alive.
    async fn renew_erasure(
        &self,
        workspace: WorkspaceId,
        number: u64,
        until: Timestamp,
    ) -> Result<(), StoreError>;

    /// Attempts with numbers above `after` that tell a person; looks at a part of the log.
    async fn find_traces(
        &self,
        workspace: WorkspaceId,
        traces: Traces,
        after: u64,
    ) -> Result<FoundTraces, StoreError>;

    /// Erases what attempts with these numbers tell of a person. Time, result, action, source, issue codes and contact
    /// number stay, so that every count adds up.
    async fn erase_traces(
        &self,
        workspace: WorkspaceId,
        number: u64,
        traces: Traces,
        numbers: Vec<u64>,
    ) -> Result<(), StoreError>;

    /// Erases a person from mails, from edits of rows of files, and from the names of files.
    async fn erase_elsewhere(
        &self,
        workspace: WorkspaceId,
        number: u64,
        traces: Traces,
        rows: Vec<(ImportId, u64)>,
    ) -> Result<(), StoreError>;

    /// Writes down what became of a file of the workspace. Says whether another import, of any workspace, still needs
    /// the file as it was.
    async fn erase_file(
        &self,
        workspace: WorkspaceId,
        number: u64,
        hash: [u8; 32],
        erased: FileErased,
        now: Timestamp,
    ) -> Result<bool, StoreError>;

    /// Everything was found: forgets what was looked for.
    async fn forget_traces(&self, workspace: WorkspaceId, number: u64) -> Result<(), StoreError>;

    /// Ends an erasure.
    async fn finish_erasure(
        &self,
        workspace: WorkspaceId,
        number: u64,
        now: Timestamp,
    ) -> Result<Erasure, StoreError>;

    /// Lets records bring the person of an erasure back.
    async fn lift_erasure(
        &self,
        workspace: WorkspaceId,
        number: u64,
        by: String,
        now: Timestamp,
    ) -> Result<Erasure, StoreError>;

    /// Those of these identifiers that belong to people who were erased.
    async fn erased_among(
        &self,
        workspace: WorkspaceId,
        identifiers: Vec<Identifier>,
    ) -> Result<Vec<Identifier>, StoreError>;

    /// Makes sure that nothing of what was erased is left in the database's own files: moves the write-ahead log and
    /// empties it, and packs the database anew if it has no more than `bytes`. Says whether it was packed.
    async fn wipe(&self, bytes: u64) -> Result<bool, StoreError>;
}
