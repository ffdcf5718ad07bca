//! Correcting what was written: erasing what attempts say of a person, and dropping old ones.
//!
//! Both work in slices of a few blocks, each a transaction, so that nobody who delivers waits long, and both touch only
//! blocks that hold what is meant. What happened stays: an erased attempt has its time, result, action, source and
//! contact number, so every count adds up as before.

use std::time::{Duration, Instant};

use rollbook_engine::attempt::Shown;
use rollbook_engine::issue::Note;
use rusqlite::Transaction;

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
const DROPPED_AT_ONCE: usize = if cfg!(test) { 2 } else { 16 };

/// How long one transaction makes blocks anew before it says that there is more.
const REWRITING: Duration = Duration::from_millis(10);

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
    let mut attempts = read_block(tx, header)?;
    for row in rows {
        if let Some((attempt, payload)) = attempts.get_mut(*row) {
            *payload = erase_values(attempt);
        }
    }
    write_block(tx, header, &attempts)
}

/// All attempts of a block.
fn read_block(tx: &Transaction<'_>, header: &Header) -> Result<Vec<(Stored, Payload)>, StoreError> {
    let mut parts = Parts::of(tx)?;
    let all = whole(&mut parts, header)?;
    open(&mut parts, vec![all], true)
}

/// All attempts of a block, to be opened.
pub(super) fn whole(parts: &mut Parts<'_>, header: &Header) -> Result<Picked, StoreError> {
    let blob = parts.meta(header)?;
    let damaged = |damage| blocks::damaged(header, damage);
    let meta = Unpacker::new()
        .and_then(|mut unpacker| block::Meta::decode(&blob, header.n, &mut unpacker))
        .map_err(damaged)?;
    let n = usize::try_from(header.n).map_err(|_| damaged(Damage("it is impossibly large")))?;
    Ok(Picked {
        header: header.clone(),
        meta,
        rows: (0..n).collect(),
    })
}

/// Writes a block anew; its header stays as it is.
fn write_block(
    tx: &Transaction<'_>,
    header: &Header,
    attempts: &[(Stored, Payload)],
) -> Result<(), StoreError> {
    let new: Vec<_> = attempts
        .iter()
        .map(|(attempt, payload)| attempt.as_new(payload))
        .collect();
    let encoded = block::encode(&new, &mut Packer::new()?)?;
    blocks::replace_contents(tx, header, &encoded)
}

/// How far a rewriting came.
pub(in crate::sqlite) struct Rewritten {
    /// Attempts that were changed.
    pub(in crate::sqlite) changed: u64,
    /// The last attempt that was looked at.
    pub(in crate::sqlite) until: u64,
    /// Whether there is more to do.
    pub(in crate::sqlite) more: bool,
}

/// Changes attempts with numbers above `after` that were received before a time; for some milliseconds, then it says
/// that there is more.
pub(in crate::sqlite) fn rewrite_old(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    after: u64,
    before: Timestamp,
    change: impl Fn(&mut Stored, &mut Payload) -> bool,
) -> Result<Rewritten, StoreError> {
    let begun = Instant::now();
    let mut rewritten = Rewritten {
        changed: 0,
        until: after,
        more: false,
    };
    while let Some(header) = blocks::reaching(tx, workspace, rewritten.until + 1)? {
        if header.min_at >= before {
            return Ok(rewritten);
        }
        if begun.elapsed() > REWRITING {
            rewritten.more = true;
            return Ok(rewritten);
        }
        let mut attempts = read_block(tx, &header)?;
        let mut changed = 0;
        for (attempt, payload) in &mut attempts {
            if attempt.number > rewritten.until && attempt.received_at < before {
                changed += u64::from(change(attempt, payload));
                rewritten.until = attempt.number;
            }
        }
        if changed > 0 {
            write_block(tx, &header, &attempts)?;
            rewritten.changed += changed;
        }
        if rewritten.until < header.last_no {
            return Ok(rewritten);
        }
    }
    let mut old = Vec::new();
    let numbers = (rewritten.until + 1, u64::MAX);
    tail::each(
        tx,
        workspace,
        numbers,
        Order::OldestFirst,
        |attempt, payload| {
            let is_old = attempt.received_at < before;
            if is_old {
                old.push((attempt, payload));
            }
            is_old
        },
    )?;
    for (attempt, payload) in &mut old {
        rewritten.until = attempt.number;
        if change(attempt, payload) {
            rewritten.changed += 1;
            tail::replace(tx, workspace, &attempt.as_new(payload))?;
        }
    }
    Ok(rewritten)
}

/// Changes attempts with these numbers, in ascending order.
pub(in crate::sqlite) fn rewrite_numbers(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    mut numbers: &[u64],
    mut change: impl FnMut(&mut Stored, &mut Payload) -> bool,
) -> Result<(), StoreError> {
    while let Some(first) = numbers.first() {
        let Some(header) = blocks::reaching(tx, workspace, *first)? else {
            break;
        };
        let here = numbers.partition_point(|number| *number <= header.last_no);
        let (own, rest) = numbers.split_at(here);
        numbers = rest;
        let mut attempts = read_block(tx, &header)?;
        let mut changed = false;
        for (attempt, payload) in &mut attempts {
            if own.binary_search(&attempt.number).is_ok() {
                changed |= change(attempt, payload);
            }
        }
        if changed {
            write_block(tx, &header, &attempts)?;
        }
    }
    for number in numbers {
        let mut found = None;
        let only = (*number, *number);
        tail::each(
            tx,
            workspace,
            only,
            Order::OldestFirst,
            |attempt, payload| {
                found = Some((attempt, payload));
                false
            },
        )?;
        if let Some((mut attempt, mut payload)) = found
            && change(&mut attempt, &mut payload)
        {
            tail::replace(tx, workspace, &attempt.as_new(&payload))?;
        }
    }
    Ok(())
}

/// Lets an attempt past its retention be an empty row; whether it was more than that.
pub(in crate::sqlite) fn empty(attempt: &mut Stored, payload: &mut Payload) -> bool {
    if is_erased(attempt, payload) {
        return false;
    }
    *payload = erase_values(attempt);
    attempt.detail.notes = vec![Note::past_retention()];
    true
}

/// Drops the payload of an attempt, if it has one.
pub(in crate::sqlite) fn drop_payload(attempt: &mut Stored, payload: &mut Payload) -> bool {
    if payload.bytes.is_empty() {
        return false;
    }
    payload.bytes = Vec::new();
    attempt.detail.notes.push(Note::payload_dropped());
    true
}

/// Whether what an attempt says was erased already.
pub(super) fn is_erased(attempt: &Stored, payload: &Payload) -> bool {
    let mut notes = attempt.detail.notes.iter();
    payload.bytes.is_empty()
        && attempt.shown == Shown::default()
        && notes.any(|note| note.code == Note::ERASED)
}

/// Leaves of an attempt what is about nobody. Returns the payload that it has now.
pub(super) fn erase_values(attempt: &mut Stored) -> Payload {
    attempt.shown = Shown::default();
    let detail = &mut attempt.detail;
    for issue in &mut detail.issues {
        issue.erase();
    }
    detail.changes.clear();
    detail.notes = vec![Note::erased()];
    detail.idempotency_key = None;
    Payload {
        content_type: String::new(),
        bytes: Vec::new(),
    }
}

/// What was dropped.
#[derive(Default)]
pub(in crate::sqlite) struct Dropped {
    /// Attempts.
    pub(in crate::sqlite) attempts: u64,
    /// The number of the first one.
    pub(in crate::sqlite) first: u64,
    /// The number of the last one; none if nothing was dropped.
    pub(in crate::sqlite) last: Option<u64>,
    /// Whether there may be more.
    pub(in crate::sqlite) more: bool,
}

/// See [`crate::log::Log::drop_attempts`].
pub(in crate::sqlite) fn drop_old(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    before: Timestamp,
) -> Result<Dropped, StoreError> {
    let mut dropped = Dropped::default();
    // The newest attempts stay whatever their age: numbers count on from them.
    let Some(last) = blocks::last(tx, workspace)? else {
        return Ok(dropped);
    };
    for header in blocks::oldest(tx, workspace, DROPPED_AT_ONCE)? {
        if header.max_at >= before || header.last_no == last.last_no {
            dropped.more = false;
            return Ok(dropped);
        }
        if dropped.last.is_none() {
            dropped.first = header.first_no;
        }
        dropped.attempts += header.n;
        dropped.last = Some(header.last_no);
        dropped.more = true;
        blocks::remove(tx, workspace, &header)?;
        replays::drop_until(tx, workspace, header.last_no)?;
    }
    Ok(dropped)
}
