//! Imports: runs with a beginning and an end, their cursors, counters and leases.

use async_trait::async_trait;
use rollbook_engine::attempt::Totals;
use rollbook_engine::plan::Expected;
use uuid::Uuid;

use crate::log::AttemptId;
use crate::outbox::NewMail;
use crate::sources::SourceId;
use crate::{StoreError, Timestamp, WorkspaceId};

/// The public name of an import: a UUIDv7.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ImportId(pub Uuid);

impl std::fmt::Display for ImportId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// Where an import is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImportState {
    /// The file is here; a person maps its columns.
    Uploaded,
    /// Agreed to; waits for a worker.
    Queued,
    /// A worker runs it; if its lease expires, another goes on at the cursor.
    Running,
    /// Every record was read and committed.
    Done,
    /// It stopped at an error, which `error` tells; what was committed stays.
    Failed,
    /// A person stopped it; what was committed stays.
    Cancelled,
}

impl ImportState {
    /// The word of API and files.
    pub fn key(self) -> &'static str {
        match self {
            ImportState::Uploaded => "uploaded",
            ImportState::Queued => "queued",
            ImportState::Running => "running",
            ImportState::Done => "done",
            ImportState::Failed => "failed",
            ImportState::Cancelled => "cancelled",
        }
    }

    /// The state for such a word.
    pub fn from_key(key: &str) -> Option<ImportState> {
        use ImportState::{Cancelled, Done, Failed, Queued, Running, Uploaded};
        [Uploaded, Queued, Running, Done, Failed, Cancelled]
            .into_iter()
            .find(|state| state.key() == key)
    }

    /// Whether nothing more will happen.
    pub fn is_over(self) -> bool {
        matches!(
            self,
            ImportState::Done | ImportState::Failed | ImportState::Cancelled
        )
    }
}

/// What an import reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImportKind {
    /// An uploaded file.
    File,
    /// Attempts of the log, once more.
    Replay,
    /// The attempts of another import, to take them back.
    Undo,
}

impl ImportKind {
    /// The word of API and files.
    pub fn key(self) -> &'static str {
        match self {
            ImportKind::File => "file",
            ImportKind::Replay => "replay",
            ImportKind::Undo => "undo",
        }
    }

    /// The kind for such a word.
    pub fn from_key(key: &str) -> Option<ImportKind> {
        [ImportKind::File, ImportKind::Replay, ImportKind::Undo]
            .into_iter()
            .find(|kind| kind.key() == key)
    }
}

/// What is known of an import when its file arrives.
#[derive(Debug, Clone)]
pub struct NewImport {
    /// Its name; a fresh UUIDv7.
    pub id: ImportId,
    /// The workspace.
    pub workspace: WorkspaceId,
    /// What it reads.
    pub kind: ImportKind,
    /// The import that it continues, replays or undoes.
    pub parent: Option<ImportId>,
    /// The source it belongs to.
    pub source: SourceId,
    /// The file's name as uploaded.
    pub file_name: String,
    /// Its size in bytes.
    pub file_size: u64,
    /// SHA-256 of its content.
    pub file_hash: [u8; 32],
    /// Who uploaded it: a user's email, a key's name, or `command line`.
    pub created_by: String,
    /// When.
    pub created_at: Timestamp,
    /// How the file is to be read and mapped: JSON that only the app understands. `None` until it is mapped.
    pub options: Option<String>,
    /// [`ImportState::Uploaded`] or [`ImportState::Queued`].
    pub state: ImportState,
}

/// An import as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    /// Its name.
    pub id: ImportId,
    /// The workspace.
    pub workspace: WorkspaceId,
    /// What it reads.
    pub kind: ImportKind,
    /// The import that it continues, replays or undoes.
    pub parent: Option<ImportId>,
    /// The source it belongs to.
    pub source: SourceId,
    /// The file's name as uploaded.
    pub file_name: String,
    /// Its size in bytes.
    pub file_size: u64,
    /// SHA-256 of its content.
    pub file_hash: [u8; 32],
    /// Who uploaded it.
    pub created_by: String,
    /// When.
    pub created_at: Timestamp,
    /// When the first worker began.
    pub started_at: Option<Timestamp>,
    /// When it was over.
    pub finished_at: Option<Timestamp>,
    /// Where it is on its way.
    pub state: ImportState,
    /// What stopped it.
    pub error: Option<String>,
    /// How the file is read and mapped.
    pub options: Option<String>,
    /// Records in the file, once counted.
    pub expected_records: Option<u64>,
    /// Records committed; `totals.records` is the same number.
    pub cursor: u64,
    /// Counts so far.
    pub totals: Totals,
    /// Records without any identifier that created a contact: a re-upload would create them again.
    pub without_identifier: u64,
    /// Records of which something else became than their review said.
    pub drifted: u64,
    /// Whether a person asked it to stop.
    pub cancel_requested: bool,
    /// Counts up whenever rows of its file are edited before it runs.
    pub edits: u64,
    /// The undo that takes it back, or did; not one that failed or was cancelled.
    pub undone_by: Option<ImportId>,
}

/// Which imports. Every condition given must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImportFilter {
    /// In one of these states; in any if there is none.
    pub states: Vec<ImportState>,
    /// Of this source.
    pub source: Option<SourceId>,
    /// Uploaded by exactly this person, key or program.
    pub created_by: Option<String>,
    /// With this text in the file's name; case does not matter.
    pub file_name: Option<String>,
}

/// What came of [`Imports::create_replays`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Replaying {
    /// The imports, as written down.
    Created(Vec<Import>),
    /// Nothing was written: this replay of one of the sources is not over.
    Busy(ImportId),
}

/// How many rows of one file may be edited.
pub const MAX_EDITED_ROWS: u64 = 200_000;

/// The right to run an import for a while. A newer lease makes an older one worthless.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease(pub u64);

/// How many rows of an import are written down, of which something else became than its review said.
pub const MAX_DRIFT: u64 = 1_000;

/// What a review said of rows that follow each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReviewedRows {
    /// The first of them.
    pub first: u64,
    /// A byte or a few for each of them, which only the app understands.
    pub verdicts: Vec<u8>,
}

/// A row of which something else became than its review said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drift {
    /// The row.
    pub row: u64,
    /// What its review said.
    pub expected: Expected,
    /// The attempt that tells what became of it.
    pub attempt: AttemptId,
}

/// Imports.
#[async_trait]
pub trait Imports {
    /// Writes down a new import.
    async fn create_import(&self, import: NewImport) -> Result<Import, StoreError>;

    /// Writes down imports that replay records of the log, all of them together, unless a replay of one of their
    /// sources waits or runs: two that are asked for in the same instant would repeat the same records.
    async fn create_replays(&self, replays: Vec<NewImport>) -> Result<Replaying, StoreError>;

    /// One import.
    async fn import(
        &self,
        workspace: WorkspaceId,
        id: ImportId,
    ) -> Result<Option<Import>, StoreError>;

    /// Imports, newest first, created before the given one.
    async fn imports(
        &self,
        workspace: WorkspaceId,
        before: Option<ImportId>,
        limit: u16,
    ) -> Result<Vec<Import>, StoreError>;

    /// Imports that fit a filter, newest first, created before the given one.
    async fn imports_like(
        &self,
        workspace: WorkspaceId,
        filter: ImportFilter,
        before: Option<ImportId>,
        limit: u16,
    ) -> Result<Vec<Import>, StoreError>;

    /// Everybody who ever created an import, in the order of their names.
    async fn import_creators(&self, workspace: WorkspaceId) -> Result<Vec<String>, StoreError>;

    /// Imports of a file with this content, newest first.
    async fn imports_of_file(
        &self,
        workspace: WorkspaceId,
        hash: [u8; 32],
    ) -> Result<Vec<Import>, StoreError>;

    /// Imports that continue, replay or undo this one, newest first.
    async fn imports_of_parent(
        &self,
        workspace: WorkspaceId,
        parent: ImportId,
    ) -> Result<Vec<Import>, StoreError>;

    /// Stores how the file is to be read and mapped, and queues the import if `queue`. Only while it is uploaded.
    async fn set_import_options(
        &self,
        workspace: WorkspaceId,
        id: ImportId,
        options: String,
        queue: bool,
    ) -> Result<Import, StoreError>;

    /// Writes down which import this one continues. Only while it is uploaded.
    async fn set_import_parent(
        &self,
        workspace: WorkspaceId,
        id: ImportId,
        parent: ImportId,
    ) -> Result<Import, StoreError>;

    /// Queues an import, as [`Imports::set_import_options`] does, with what a review said of its rows. If they were
    /// edited since (`edits` is another), nothing is done and none is returned.
    async fn queue_reviewed(
        &self,
        workspace: WorkspaceId,
        id: ImportId,
        options: String,
        edits: u64,
        reviewed: Vec<ReviewedRows>,
    ) -> Result<Option<Import>, StoreError>;

    /// What a review said of a row, with those that are kept together with it; none if nobody reviewed it, or once the
    /// import is over.
    async fn reviewed_rows(
        &self,
        workspace: WorkspaceId,
        id: ImportId,
        row: u64,
    ) -> Result<Option<ReviewedRows>, StoreError>;

    /// The first [`MAX_DRIFT`] rows of which something else became than their review said.
    async fn drifted_rows(
        &self,
        workspace: WorkspaceId,
        id: ImportId,
    ) -> Result<Vec<Drift>, StoreError>;

    /// Edits rows of a file before it is imported; an edit is JSON that only the app understands, none takes the row's
    /// edit away. Only while the import is uploaded, and only if its `edits` are still `known`: if somebody else edited
    /// meanwhile, nothing is done and none is returned. Of more than [`MAX_EDITED_ROWS`] none is stored.
    async fn edit_rows(
        &self,
        workspace: WorkspaceId,
        id: ImportId,
        known: u64,
        rows: Vec<(u64, Option<String>)>,
    ) -> Result<Option<Import>, StoreError>;

    /// Takes all edits of a file's rows away; says how many rows had one. Only while the import is uploaded.
    async fn undo_edits(&self, workspace: WorkspaceId, id: ImportId) -> Result<u64, StoreError>;

    /// The edits of a file's rows from `first` to `last`, in order of rows.
    async fn edited_rows(
        &self,
        workspace: WorkspaceId,
        id: ImportId,
        first: u64,
        last: u64,
    ) -> Result<Vec<(u64, String)>, StoreError>;

    /// Moves an import to another source. Only while it is uploaded.
    async fn set_import_source(
        &self,
        workspace: WorkspaceId,
        id: ImportId,
        source: SourceId,
    ) -> Result<Import, StoreError>;

    /// Claims one import that is queued, or running under an expired lease; `only` narrows it to one. The lease is good
    /// until `now + lease_millis` and is renewed by every batch and by [`Imports::renew_lease`].
    async fn claim_import(
        &self,
        only: Option<(WorkspaceId, ImportId)>,
        now: Timestamp,
        lease_millis: i64,
    ) -> Result<Option<(Import, Lease)>, StoreError>;

    /// Keeps a lease alive; tells whether the import should go on (`false`: a person asked it to stop).
    async fn renew_lease(
        &self,
        workspace: WorkspaceId,
        id: ImportId,
        lease: Lease,
        now: Timestamp,
        lease_millis: i64,
    ) -> Result<bool, StoreError>;

    /// Writes down how many records the file has.
    async fn set_expected_records(
        &self,
        workspace: WorkspaceId,
        id: ImportId,
        lease: Lease,
        records: u64,
    ) -> Result<(), StoreError>;

    /// Ends an import: done, failed with an error, or cancelled.
    async fn finish_import(
        &self,
        workspace: WorkspaceId,
        id: ImportId,
        lease: Lease,
        state: ImportState,
        error: Option<String>,
        now: Timestamp,
    ) -> Result<Import, StoreError> {
        self.finish_import_and_tell(workspace, id, lease, state, error, now, Vec::new())
            .await
    }

    /// As [`Imports::finish_import`], and writes down the mails that tell of it in the same transaction.
    #[expect(
        clippy::too_many_arguments,
        reason = "they are one fact: how an import ended and who is told"
    )]
    async fn finish_import_and_tell(
        &self,
        workspace: WorkspaceId,
        id: ImportId,
        lease: Lease,
        state: ImportState,
        error: Option<String>,
        now: Timestamp,
        mails: Vec<NewMail>,
    ) -> Result<Import, StoreError>;

    /// Asks a running import to stop at the next batch edge; one that waits is cancelled at once.
    async fn cancel_import(
        &self,
        workspace: WorkspaceId,
        id: ImportId,
        now: Timestamp,
    ) -> Result<Import, StoreError>;
}
