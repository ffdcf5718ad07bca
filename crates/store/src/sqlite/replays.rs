//! From an attempt to those that repeat it. A repeat is written with its attempt and goes with the one it repeats.

use rusqlite::{Connection, Transaction};

use super::{counted, stored};
use crate::commit::Delivery;
use crate::log::AttemptId;
use crate::{StoreError, Timestamp, WorkspaceId};

/// Writes down which of these deliveries repeat attempts. Their own numbers count on from `first`.
pub(super) fn note<'a>(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    first: u64,
    received_at: Timestamp,
    deliveries: impl Iterator<Item = &'a Delivery>,
) -> Result<(), StoreError> {
    let repeats = deliveries
        .zip(first..)
        .filter_map(|(delivery, number)| Some((delivery.replay_of?, number)));
    for (original, number) in repeats {
        tx.prepare_cached(
            "INSERT INTO replay (workspace, of_number, number, received_at)
             VALUES (?1, ?2, ?3, ?4)",
        )?
        .execute((
            workspace.0,
            stored(original.number()),
            stored(number),
            received_at.0,
        ))?;
    }
    Ok(())
}

/// See [`crate::log::Log::replays`].
pub(super) fn of(
    connection: &Connection,
    workspace: WorkspaceId,
    original: AttemptId,
) -> Result<Vec<AttemptId>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT number, received_at
         FROM replay
         WHERE workspace = ?1 AND of_number = ?2
         ORDER BY number",
    )?;
    let rows = statement.query_map((workspace.0, stored(original.number())), |row| {
        let received_at = Timestamp(row.get(1)?);
        Ok(AttemptId::new(workspace, received_at, counted(row.get(0)?)))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// See [`crate::log::Log::replayed`].
pub(super) fn between(
    connection: &Connection,
    workspace: WorkspaceId,
    first: u64,
    last: u64,
) -> Result<Vec<u64>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT DISTINCT of_number
         FROM replay
         WHERE workspace = ?1 AND of_number BETWEEN ?2 AND ?3
         ORDER BY of_number",
    )?;
    let numbers = (workspace.0, stored(first), stored(last));
    let rows = statement.query_map(numbers, |row| row.get(0).map(counted))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Forgets the repeats of the oldest attempts, which are dropped. A repeat is younger than what it repeats, so no
/// dropped one is left.
pub(super) fn drop_until(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    last: u64,
) -> Result<(), StoreError> {
    tx.prepare_cached("DELETE FROM replay WHERE workspace = ?1 AND of_number <= ?2")?
        .execute((workspace.0, stored(last)))?;
    Ok(())
}
