//! What a review said of each row, for the run to be compared with; and the rows of which something else became.

use rollbook_engine::contact::ContactId;
use rollbook_engine::plan::{Expected, ExpectedVerdict, Plan};
use rusqlite::{Connection, OptionalExtension, Transaction};

use super::{find, get, number, set_options};
use crate::commit::Delivery;
use crate::imports::{Drift, Import, ImportId, MAX_DRIFT, ReviewedRows};
use crate::log::AttemptId;
use crate::sqlite::{counted, stored};
use crate::{StoreError, Timestamp, WorkspaceId};

/// A row of which something else became than a review said.
pub(in crate::sqlite) struct NewDrift {
    row: u64,
    expected: Expected,
    attempt: u64,
    received_at: Timestamp,
}

/// Compares what is planned with what a review said; the steps that differ get a note.
pub(in crate::sqlite) fn of<'a>(
    plan: &mut Plan,
    expected: &[Expected],
    deliveries: impl Iterator<Item = &'a Delivery>,
    first: u64,
    received_at: Timestamp,
) -> Vec<NewDrift> {
    let steps = plan.steps.iter_mut().zip(expected).zip(deliveries);
    let drifted = steps
        .zip(first..)
        .filter_map(|(((step, expected), delivery), attempt)| {
            step.drifts_from(*expected).then(|| NewDrift {
                row: delivery.row.unwrap_or_default(),
                expected: *expected,
                attempt,
                received_at,
            })
        });
    drifted.collect()
}

/// Counts rows that drifted, and writes the first of an import down.
pub(in crate::sqlite) fn note(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    no: u32,
    drifted: &[NewDrift],
) -> Result<(), StoreError> {
    if drifted.is_empty() {
        return Ok(());
    }
    let before: i64 = tx
        .prepare_cached(
            "UPDATE import SET drifted = drifted + ?2 WHERE no = ?1 RETURNING drifted - ?2",
        )?
        .query_row((no, stored(drifted.len() as u64)), |row| row.get(0))?;
    let room = MAX_DRIFT.saturating_sub(counted(before));
    let room = usize::try_from(room).unwrap_or(usize::MAX);
    let mut insert = tx.prepare_cached(
        "INSERT INTO import_drift (workspace, import, row, verdict, contact, attempt, received_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    for drift in drifted.iter().take(room) {
        insert.execute((
            workspace.0,
            no,
            stored(drift.row),
            drift.expected.verdict.key(),
            drift.expected.contact.map(|contact| stored(contact.0)),
            stored(drift.attempt),
            drift.received_at.0,
        ))?;
    }
    Ok(())
}

/// The rows that drifted, in order, as far as they were written down.
pub(super) fn list(
    connection: &Connection,
    workspace: WorkspaceId,
    id: ImportId,
) -> Result<Vec<Drift>, StoreError> {
    let no = number(connection, workspace, id)?;
    let mut statement = connection.prepare_cached(
        "SELECT row, verdict, contact, attempt, received_at
         FROM import_drift
         WHERE workspace = ?1 AND import = ?2
         ORDER BY row",
    )?;
    let rows = statement.query_map((workspace.0, no), |row| {
        let verdict: String = row.get(1)?;
        let contact: Option<i64> = row.get(2)?;
        let received_at = Timestamp(row.get(4)?);
        Ok((
            counted(row.get(0)?),
            verdict,
            contact.map(|contact| ContactId(counted(contact))),
            AttemptId::new(workspace, received_at, counted(row.get(3)?)),
        ))
    })?;
    rows.map(|row| {
        let (row, verdict, contact, attempt) = row?;
        let known = ExpectedVerdict::ALL.into_iter();
        let verdict = known.into_iter().find(|one| one.key() == verdict);
        let verdict = verdict
            .ok_or_else(|| StoreError::Damaged(format!("the review of row {row} is unknown")))?;
        Ok(Drift {
            row,
            expected: Expected { verdict, contact },
            attempt,
        })
    })
    .collect()
}

/// Queues an import with what a review said of its rows, unless its rows were edited since.
pub(super) fn queue(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    id: ImportId,
    options: &str,
    edits: u64,
    reviewed: &[ReviewedRows],
) -> Result<Option<Import>, StoreError> {
    if get(tx, workspace, id)?.edits != edits {
        return Ok(None);
    }
    set_options(tx, workspace, id, options, true)?;
    let no = number(tx, workspace, id)?;
    let mut insert = tx.prepare_cached(
        "INSERT INTO import_reviewed (workspace, import, first_row, verdicts)
         VALUES (?1, ?2, ?3, ?4)",
    )?;
    for rows in reviewed {
        insert.execute((workspace.0, no, stored(rows.first), &rows.verdicts))?;
    }
    find(tx, workspace, id)
}

/// What a review said of a row and those behind it.
pub(super) fn reviewed(
    connection: &Connection,
    workspace: WorkspaceId,
    id: ImportId,
    row: u64,
) -> Result<Option<ReviewedRows>, StoreError> {
    let no = number(connection, workspace, id)?;
    let found = connection
        .prepare_cached(
            "SELECT first_row, verdicts
             FROM import_reviewed
             WHERE workspace = ?1 AND import = ?2 AND first_row <= ?3
             ORDER BY first_row DESC
             LIMIT 1",
        )?
        .query_row((workspace.0, no, stored(row)), |row| {
            Ok(ReviewedRows {
                first: counted(row.get(0)?),
                verdicts: row.get(1)?,
            })
        })
        .optional()?;
    Ok(found)
}

/// What a review said is of no use once the import is over.
pub(super) fn forget(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    no: u32,
) -> Result<(), StoreError> {
    tx.prepare_cached("DELETE FROM import_reviewed WHERE workspace = ?1 AND import = ?2")?
        .execute((workspace.0, no))?;
    Ok(())
}
