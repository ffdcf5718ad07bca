//! Undo: taking back what an import did, attempt by attempt, the last one first.
//!
//! An undo is an import of the kind [`ImportKind::Undo`] with the import that it takes back as its parent. It has the
//! lease, cursor and counters of any import, and an attempt in the log for each attempt that it takes back.

use std::sync::Arc;

use async_trait::async_trait;
use rollbook_engine::attempt::{Action, Totals};
use rollbook_engine::issue::Note;
use rollbook_engine::policy::Policy;
use rollbook_engine::schema::Schema;
use rollbook_engine::undo::{Original, Since};

use crate::commit::ImportStep;
use crate::imports::{Import, ImportId, ImportKind, NewImport};
use crate::log::Attempt;
use crate::sources::SourceId;
use crate::{StoreError, Timestamp, WorkspaceId};

/// Some attempts to take back.
#[derive(Debug, Clone)]
pub struct UndoBatch {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// The source of the import.
    pub source: SourceId,
    /// The import that is undone.
    pub parent: ImportId,
    /// Its file's name, for the log.
    pub file_name: String,
    /// How the source's records are judged; only the namespace matters.
    pub policy: Policy,
    /// The workspace's fields.
    pub schema: Arc<Schema>,
    /// When this is done.
    pub received_at: Timestamp,
    /// Attempts with lower numbers than this are looked at.
    pub before: u64,
    /// How many attempts of the import to look at.
    pub limit: u32,
}

/// What is known of the log since an import; each batch brings it up to date.
#[derive(Debug, Clone, Default)]
pub struct Survey {
    /// What others did to the contacts of the import.
    pub since: Since,
    /// The number of the last attempt that was looked at.
    pub seen: u64,
    /// The first [`UndoBatch::before`]: attempts with lower numbers are not taken back yet, be it by this undo or by an
    /// earlier one that was cancelled or failed.
    pub before: u64,
}

/// What a batch of an undo did.
#[derive(Debug)]
pub struct Undone {
    /// The counts of this batch.
    pub totals: Totals,
    /// The next [`UndoBatch::before`]; none if nothing is left.
    pub next: Option<u64>,
    /// For the next batch.
    pub survey: Survey,
}

/// What an attempt did that could be taken back; none if it wrote nothing.
pub fn original(attempt: &Attempt) -> Option<Original<'_>> {
    let contact = attempt.contact?;
    let erased =
        attempt.changes.is_empty() && attempt.notes.iter().any(|note| note.code == Note::ERASED);
    let created = match attempt.action? {
        Action::Created => true,
        Action::Updated if erased || !attempt.changes.is_empty() => false,
        Action::Updated | Action::Removed => return None,
    };
    Some(Original {
        number: attempt.id.number(),
        row: attempt.row,
        contact,
        created,
        changes: &attempt.changes,
        erased,
        shown: &attempt.shown,
    })
}

/// Why an import cannot be undone now, as a clause; none if it can.
pub fn refusal(import: &Import) -> Option<String> {
    let totals = &import.totals;
    if import.kind == ImportKind::Undo {
        return Some("an undo cannot be undone; import the file again".to_owned());
    }
    if let Some(undo) = import.undone_by {
        return Some(format!("the import is undone already; see import {undo}"));
    }
    if !import.state.is_over() {
        return Some(format!(
            "the import is still {}; cancel it first, or wait for its end",
            import.state.key()
        ));
    }
    (totals.created + totals.updated == totals.unchanged)
        .then(|| "the import changed no contact; there is nothing to undo".to_owned())
}

/// Undoing imports.
#[async_trait]
pub trait Undo {
    /// Writes down a new undo of its parent, unless [`refusal`] says why not ([`StoreError::Conflict`]).
    async fn create_undo(&self, undo: NewImport) -> Result<Import, StoreError>;

    /// Looks through the log since an import: what did others do to its contacts, and what is left to take back? The
    /// batch's `before` and `limit` do not matter.
    async fn survey_undo(&self, batch: UndoBatch) -> Result<Survey, StoreError>;

    /// Takes back a batch of attempts, highest numbers first, together with the undo's cursor and counters. The cursor
    /// moves by the number of attempts that this adds to the log.
    async fn commit_undo_batch(
        &self,
        batch: UndoBatch,
        step: ImportStep,
        survey: Survey,
    ) -> Result<Undone, StoreError>;
}
