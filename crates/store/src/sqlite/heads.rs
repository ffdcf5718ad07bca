//! The numbers a transaction counts up: read when a workspace or source is first met, written once at the end.
//!
//! They live as long as the transaction, because another process may count on before the next one.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use rollbook_engine::attempt::ImportResult;
use rollbook_engine::contact::ContactId;
use rusqlite::{OptionalExtension, Transaction};

use super::{counted, log, stored, touched};
use crate::log::ResultCounts;
use crate::sources::SourceId;
use crate::{StoreError, Timestamp, WorkspaceId};

/// What one transaction knows and changes.
#[derive(Default)]
pub(super) struct Heads {
    workspaces: HashMap<WorkspaceId, Head>,
    sources: HashMap<(WorkspaceId, SourceId), Received>,
}

/// Where the numbers of a workspace stand.
#[derive(Default)]
pub(super) struct Head {
    last_contact: u64,
    contacts: u64,
    last_attempt: u64,
    last_received_at: Option<Timestamp>,
    /// Both as they are stored.
    before: (u64, u64),
    /// Attempts that this transaction lets wait in the log's tail.
    pub(super) waiting: u64,
}

/// What a source delivered in this transaction.
#[derive(Default)]
struct Received {
    counts: ResultCounts,
    last: Option<Timestamp>,
}

impl Head {
    /// The number of a new contact.
    pub(super) fn next_contact(&mut self) -> ContactId {
        self.last_contact += 1;
        self.contacts += 1;
        ContactId(self.last_contact)
    }

    /// So many contacts are no more; their numbers are not given again.
    pub(super) fn remove_contacts(&mut self, contacts: usize) {
        self.contacts = self.contacts.saturating_sub(contacts as u64);
    }

    /// The first of so many new attempts, and their time: the log's times never go backwards.
    pub(super) fn next_attempts(
        &mut self,
        count: usize,
        received_at: Timestamp,
    ) -> (u64, Timestamp) {
        let first = self.last_attempt + 1;
        self.last_attempt += count as u64;
        let received_at = self
            .last_received_at
            .map_or(received_at, |last| last.max(received_at));
        if count > 0 {
            self.last_received_at = Some(received_at);
        }
        (first, received_at)
    }
}

impl Heads {
    /// The numbers of a workspace.
    pub(super) fn workspace(
        &mut self,
        tx: &Transaction<'_>,
        workspace: WorkspaceId,
    ) -> Result<&mut Head, StoreError> {
        match self.workspaces.entry(workspace) {
            Entry::Occupied(entry) => Ok(entry.into_mut()),
            Entry::Vacant(entry) => Ok(entry.insert(read(tx, workspace)?)),
        }
    }

    /// Makes sure that a source exists.
    pub(super) fn check_source(
        &mut self,
        tx: &Transaction<'_>,
        workspace: WorkspaceId,
        source: SourceId,
    ) -> Result<(), StoreError> {
        if let Entry::Vacant(entry) = self.sources.entry((workspace, source)) {
            let there = tx
                .prepare_cached("SELECT 1 FROM source WHERE workspace = ?1 AND id = ?2")?
                .exists((workspace.0, source.0))?;
            touched(usize::from(there), || format!("source {}", source.0))?;
            entry.insert(Received::default());
        }
        Ok(())
    }

    /// Counts attempts of a source.
    pub(super) fn count(
        &mut self,
        workspace: WorkspaceId,
        source: SourceId,
        received_at: Timestamp,
        results: impl Iterator<Item = ImportResult>,
    ) {
        let received = self.sources.entry((workspace, source)).or_default();
        for result in results {
            received.last = Some(received_at);
            match result {
                ImportResult::Success => received.counts.success += 1,
                ImportResult::Warning => received.counts.warning += 1,
                ImportResult::Failure => received.counts.failure += 1,
            }
        }
    }

    /// Writes everything down, and tells how many attempts of each workspace wait in the log's tail since.
    pub(super) fn write(self, tx: &Transaction<'_>) -> Result<Vec<(WorkspaceId, u64)>, StoreError> {
        for ((workspace, source), received) in &self.sources {
            let Some(last) = received.last else {
                continue;
            };
            let rows = tx
                .prepare_cached(
                    "UPDATE source
                     SET success = success + ?3,
                         warning = warning + ?4,
                         failure = failure + ?5,
                         last_received_at = ?6
                     WHERE workspace = ?1 AND id = ?2",
                )?
                .execute((
                    workspace.0,
                    source.0,
                    stored(received.counts.success),
                    stored(received.counts.warning),
                    stored(received.counts.failure),
                    last.0,
                ))?;
            touched(rows, || format!("source {}", source.0))?;
        }
        let mut waiting = Vec::new();
        for (workspace, head) in &self.workspaces {
            if (head.last_contact, head.contacts) != head.before {
                let rows = tx
                    .prepare_cached(
                        "UPDATE workspace
                         SET last_contact = ?2, contacts = ?3
                         WHERE id = ?1",
                    )?
                    .execute((
                        workspace.0,
                        stored(head.last_contact),
                        stored(head.contacts),
                    ))?;
                touched(rows, || format!("workspace {}", workspace.0))?;
            }
            if head.waiting > 0 {
                waiting.push((*workspace, head.waiting));
            }
        }
        Ok(waiting)
    }
}

fn read(tx: &Transaction<'_>, workspace: WorkspaceId) -> Result<Head, StoreError> {
    let (last_contact, contacts) = tx
        .prepare_cached("SELECT last_contact, contacts FROM workspace WHERE id = ?1")?
        .query_row([workspace.0], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?
        .ok_or_else(|| StoreError::Missing(format!("workspace {}", workspace.0)))?;
    let last = log::last(tx, workspace)?;
    Ok(Head {
        last_contact: counted(last_contact),
        contacts: counted(contacts),
        before: (counted(last_contact), counted(contacts)),
        last_attempt: last.map_or(0, |(number, _)| number),
        last_received_at: last.map(|(_, received_at)| received_at),
        waiting: 0,
    })
}
