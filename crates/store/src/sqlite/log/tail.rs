//! The tail: single attempts as rows, until there are enough for a block.

use rollbook_engine::attempt::Shown;
use rollbook_engine::contact::ContactId;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use xxhash_rust::xxh3::Xxh3;

use super::super::codec::{Damage, Decoded, Reader, Writer, seal, unseal};
use super::NewAttempt;
use super::block::{Stored, outcome_code, outcome_of_code, read_detail, small, write_detail};
use super::blocks::integer;
use crate::commit::Payload;
use crate::sources::SourceId;
use crate::{StoreError, Timestamp, WorkspaceId};

/// Adds attempts behind all others.
pub(super) fn insert(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    attempts: &[NewAttempt<'_>],
) -> Result<(), StoreError> {
    let mut statement = tx.prepare_cached(
        "INSERT INTO log_tail (workspace, number, received_at, outcome, data)
         VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    let mut data = Writer::default();
    let mut detail = Writer::default();
    for attempt in attempts {
        data.0.clear();
        detail.0.clear();
        write(attempt, &mut detail, &mut data);
        statement.execute(params![
            workspace.0,
            integer(attempt.number)?,
            attempt.received_at.0,
            integer(outcome_code(attempt.outcome))?,
            seal(&data.0),
        ])?;
    }
    Ok(())
}

/// Writes an attempt that is there already anew.
pub(super) fn replace(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    attempt: &NewAttempt<'_>,
) -> Result<(), StoreError> {
    tx.prepare_cached("DELETE FROM log_tail WHERE workspace = ?1 AND number = ?2")?
        .execute(params![workspace.0, integer(attempt.number)?])?;
    insert(tx, workspace, std::slice::from_ref(attempt))
}

/// Takes the oldest attempts out.
pub(super) fn take(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    most: usize,
) -> Result<Vec<(Stored, Payload)>, StoreError> {
    let taken = oldest(tx, workspace, most)?;
    if let Some((newest, _)) = taken.last() {
        remove(tx, workspace, newest.number)?;
    }
    Ok(taken)
}

/// The oldest attempts.
pub(super) fn oldest(
    conn: &Connection,
    workspace: WorkspaceId,
    most: usize,
) -> Result<Vec<(Stored, Payload)>, StoreError> {
    let mut oldest = Vec::new();
    each(
        conn,
        workspace,
        (0, u64::MAX),
        Order::OldestFirst,
        |attempt, payload| {
            oldest.push((attempt, payload));
            oldest.len() < most
        },
    )?;
    Ok(oldest)
}

/// What tells whether the attempts up to a number are the same as before: their numbers, and the checksums that their
/// bytes begin with.
pub(super) fn digest(
    conn: &Connection,
    workspace: WorkspaceId,
    up_to: u64,
) -> Result<u64, StoreError> {
    let mut statement = conn.prepare_cached(
        "SELECT number, substr(data, 1, 9)
         FROM log_tail
         WHERE workspace = ?1
           AND number <= ?2
         ORDER BY number",
    )?;
    let mut rows = statement.query(params![workspace.0, integer(up_to)?])?;
    let mut digest = Xxh3::new();
    while let Some(row) = rows.next()? {
        digest.update(&row.get::<_, i64>(0)?.to_le_bytes());
        digest.update(row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?);
    }
    Ok(digest.digest())
}

/// How many attempts wait.
pub(super) fn len(conn: &Connection, workspace: WorkspaceId) -> Result<u64, StoreError> {
    let len: i64 = conn
        .prepare_cached(
            "SELECT COUNT(*)
             FROM log_tail
             WHERE workspace = ?1",
        )?
        .query_row([workspace.0], |row| row.get(0))?;
    Ok(len.cast_unsigned())
}

/// Number and time of the newest.
pub(super) fn last(
    conn: &Connection,
    workspace: WorkspaceId,
) -> Result<Option<(u64, Timestamp)>, StoreError> {
    conn.prepare_cached(
        "SELECT number, received_at
         FROM log_tail
         WHERE workspace = ?1
         ORDER BY number DESC
         LIMIT 1",
    )?
    .query_row([workspace.0], |row| {
        Ok((
            row.get::<_, i64>(0)?.cast_unsigned(),
            Timestamp(row.get(1)?),
        ))
    })
    .optional()
    .map_err(StoreError::from)
}

/// Calls a function with times and outcome codes of the attempts with times in a range (its end is outside).
pub(super) fn outcomes(
    conn: &Connection,
    workspace: WorkspaceId,
    from: Timestamp,
    to: Option<Timestamp>,
    mut each: impl FnMut(Timestamp, u64),
) -> Result<(), StoreError> {
    let mut statement = conn.prepare_cached(
        "SELECT received_at, outcome
         FROM log_tail
         WHERE workspace = ?1
           AND received_at >= ?2
           AND (?3 IS NULL OR received_at < ?3)",
    )?;
    let mut rows = statement.query(params![workspace.0, from.0, to.map(|to| to.0)])?;
    while let Some(row) = rows.next()? {
        each(
            Timestamp(row.get(0)?),
            row.get::<_, i64>(1)?.cast_unsigned(),
        );
    }
    Ok(())
}

/// Which way to read the tail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    NewestFirst,
    OldestFirst,
}

/// Calls a function with the attempts whose numbers lie in a range (both ends belong to it) until it says stop.
pub(super) fn each(
    conn: &Connection,
    workspace: WorkspaceId,
    numbers: (u64, u64),
    order: Order,
    mut each: impl FnMut(Stored, Payload) -> bool,
) -> Result<(), StoreError> {
    let mut statement = conn.prepare_cached(match order {
        Order::NewestFirst => {
            "SELECT number, received_at, outcome, data
             FROM log_tail
             WHERE workspace = ?1
               AND number BETWEEN ?2 AND ?3
             ORDER BY number DESC"
        }
        Order::OldestFirst => {
            "SELECT number, received_at, outcome, data
             FROM log_tail
             WHERE workspace = ?1
               AND number BETWEEN ?2 AND ?3
             ORDER BY number"
        }
    })?;
    let (low, high) = numbers;
    let Ok(low) = i64::try_from(low) else {
        return Ok(());
    };
    let high = i64::try_from(high).unwrap_or(i64::MAX);
    let mut rows = statement.query(params![workspace.0, low, high])?;
    while let Some(row) = rows.next()? {
        let (stored, payload) = stored(row)?;
        if !each(stored, payload) {
            break;
        }
    }
    Ok(())
}

/// Removes the attempts up to a number.
pub(super) fn remove(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    up_to: u64,
) -> Result<(), StoreError> {
    tx.prepare_cached(
        "DELETE FROM log_tail
         WHERE workspace = ?1
           AND number <= ?2",
    )?
    .execute(params![workspace.0, integer(up_to)?])?;
    Ok(())
}

fn stored(row: &Row<'_>) -> Result<(Stored, Payload), StoreError> {
    let number = row.get::<_, i64>(0)?.cast_unsigned();
    let received_at = Timestamp(row.get(1)?);
    let outcome = row.get::<_, i64>(2)?.cast_unsigned();
    let data = row.get_ref(3)?.as_blob().map_err(rusqlite::Error::from)?;
    read(number, received_at, outcome, data)
        .map_err(|damage| StoreError::Damaged(format!("attempt {number} of the log: {}", damage.0)))
}

fn write(attempt: &NewAttempt<'_>, detail: &mut Writer, data: &mut Writer) {
    write_detail(attempt, detail);
    data.number(u64::from(attempt.source.0));
    data.optional(attempt.import.map(u64::from));
    data.optional(attempt.row);
    data.optional(attempt.contact.map(|contact| contact.0));
    data.optional_text(attempt.shown.name.as_deref());
    data.optional_text(attempt.shown.phone.as_deref());
    data.optional_text(attempt.shown.email.as_deref());
    data.optional_text(attempt.shown.external_id.as_deref());
    data.bytes(&detail.0);
    data.text(&attempt.payload.content_type);
    data.bytes(&attempt.payload.bytes);
}

fn read(
    number: u64,
    received_at: Timestamp,
    outcome: u64,
    data: &[u8],
) -> Decoded<(Stored, Payload)> {
    let mut reader = Reader(unseal(data)?);
    let stored = Stored {
        number,
        received_at,
        outcome: outcome_of_code(outcome)?,
        source: SourceId(small(reader.number()?)?),
        import: reader.optional()?.map(small).transpose()?,
        row: reader.optional()?,
        contact: reader.optional()?.map(ContactId),
        shown: Shown {
            name: reader.optional_text()?,
            phone: reader.optional_text()?,
            email: reader.optional_text()?,
            external_id: reader.optional_text()?,
        },
        detail: read_detail(reader.bytes()?)?,
    };
    let payload = Payload {
        content_type: reader.text()?,
        bytes: reader.bytes()?.to_vec(),
    };
    match reader.0 {
        [] => Ok((stored, payload)),
        _ => Err(Damage("it is longer than it should be")),
    }
}
