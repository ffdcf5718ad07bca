//! Correcting what was written: erasing what attempts say of a person, and dropping old ones.
//!
//! Both work in slices of a few blocks, each a transaction, so that nobody who delivers waits long, and both touch only
//! blocks that hold what is meant. What happened stays: an erased attempt has its time, result, action, source and
//! contact number, so every count adds up as before.

use rollbook_engine::attempt::Shown;
use rollbook_engine::issue::Note;
use rusqlite::{Transaction, params};

use super::block::{Header, Stored};
use super::blocks::{self, Parts};
use super::condition::Condition;
use super::scan::{Rows, Walk, walk};
use super::tail::{self, Order};
use super::{Picked, block, open};
use crate::commit::Payload;
use crate::log::{Corrected, LogFilter};
use crate::sqlite::codec::{Damage, Packer, Unpacker};
use crate::sqlite::replays;
use crate::{StoreError, Timestamp, WorkspaceId};

/// Blocks that one transaction makes anew: some milliseconds each.
const ERASED_AT_ONCE: usize = if cfg!(test) { 2 } else { 8 };

/// Blocks that one transaction drops.
const DROPPED_AT_ONCE: usize = if cfg!(test) { 2 } else { 64 };

/// See [`crate::log::Log::erase_attempts`].
pub(in crate::sqlite) fn erase(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    filter: &LogFilter,
    after: u64,
) -> Result<Corrected, StoreError> {
    let mut corrected = Corrected::default();
    let numbers = after.checked_add(1).map(|first| (first, u64::MAX));
    let condition = Condition::new(tx, workspace, filter)?;
    let (Some(numbers), Some(condition)) = (numbers, condition) else {
        return Ok(corrected);
    };
    let found = Walk {
        workspace,
        condition: &condition,
        numbers,
        order: Order::OldestFirst,
    };
    let mut blocks: Vec<(Header, Vec<usize>)> = Vec::new();
    walk(
        tx,
        &found,
        |_| true,
        |_, found| {
            if let Rows::Some(rows, _) = found.rows {
                blocks.push((found.header, rows));
            }
            Ok(blocks.len() < ERASED_AT_ONCE)
        },
    )?;
    let full = blocks.len() == ERASED_AT_ONCE;
    for (header, rows) in blocks {
        corrected.attempts += rows.len() as u64;
        corrected.next = Some(header.last_no);
        erase_in_block(tx, &header, &rows)?;
    }
    if full {
        return Ok(corrected);
    }
    corrected.next = None;
    let mut erased = Vec::new();
    tail::each(
        tx,
        workspace,
        numbers,
        Order::OldestFirst,
        |mut attempt, payload| {
            if condition.holds(&attempt, &payload.bytes) {
                let nothing = erase_values(&mut attempt);
                erased.push((attempt, nothing));
            }
            true
        },
    )?;
    corrected.attempts += erased.len() as u64;
    for (attempt, payload) in &erased {
        tail::replace(tx, workspace, &attempt.as_new(payload))?;
    }
    Ok(corrected)
}

/// Makes a block anew without the values of some of its attempts. Its header stays as it is.
fn erase_in_block(tx: &Transaction<'_>, header: &Header, rows: &[usize]) -> Result<(), StoreError> {
    let mut parts = Parts::of(tx)?;
    let blob = parts.meta(header)?;
    let damaged = |damage| blocks::damaged(header, damage);
    let meta = Unpacker::new()
        .and_then(|mut unpacker| block::Meta::decode(&blob, header.n, &mut unpacker))
        .map_err(damaged)?;
    let n = usize::try_from(header.n).map_err(|_| damaged(Damage("it is impossibly large")))?;
    let all = Picked {
        header: header.clone(),
        meta,
        rows: (0..n).collect(),
    };
    let mut attempts = open(&mut parts, vec![all], true)?;
    for row in rows {
        if let Some((attempt, payload)) = attempts.get_mut(*row) {
            *payload = erase_values(attempt);
        }
    }
    let new: Vec<_> = attempts
        .iter()
        .map(|(attempt, payload)| attempt.as_new(payload))
        .collect();
    let encoded = block::encode(&new, &mut Packer::new()?)?;
    blocks::replace_contents(tx, header, &encoded)
}

/// Leaves of an attempt what is about nobody. Returns the payload that it has now.
fn erase_values(attempt: &mut Stored) -> Payload {
    attempt.shown = Shown::default();
    let detail = &mut attempt.detail;
    for issue in &mut detail.issues {
        // The code and the field still say what was wrong; the sentence quotes the value.
        issue.value = None;
        issue.message = String::new();
    }
    detail.changes.clear();
    detail.notes = vec![Note::erased()];
    detail.idempotency_key = None;
    Payload {
        content_type: String::new(),
        bytes: Vec::new(),
    }
}

/// See [`crate::log::Log::drop_attempts`].
pub(in crate::sqlite) fn drop_old(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    before: Timestamp,
) -> Result<Corrected, StoreError> {
    let mut corrected = Corrected::default();
    // The newest attempts stay whatever their age: numbers count on from them.
    let Some(last) = blocks::last(tx, workspace)? else {
        return Ok(corrected);
    };
    for header in blocks::oldest(tx, workspace, DROPPED_AT_ONCE)? {
        if header.max_at >= before || header.last_no == last.last_no {
            return Ok(Corrected {
                next: None,
                ..corrected
            });
        }
        corrected.attempts += header.n;
        corrected.next = Some(header.last_no);
        blocks::remove(tx, workspace, &header)?;
        replays::drop_until(tx, workspace, header.last_no)?;
    }
    Ok(corrected)
}

/// Lets what is erased from now on in this connection be overwritten in the file, not only forgotten.
pub(in crate::sqlite) fn overwrite(tx: &Transaction<'_>, on: bool) -> Result<(), StoreError> {
    let pragma = if on {
        "PRAGMA secure_delete = ON"
    } else {
        "PRAGMA secure_delete = OFF"
    };
    tx.query_row(pragma, params![], |_| Ok(()))?;
    Ok(())
}
