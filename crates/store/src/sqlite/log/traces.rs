//! Finding and erasing what tells a person, all over the log.
//!
//! A person can be named by the record of somebody else, in any spelling, so every block is opened; by readers, some
//! blocks at a time, while others write. Only what was found is written again.

use std::collections::HashMap;

use rollbook_engine::issue::Note;
use rollbook_engine::traces::{Told, Trace, Traces};
use rusqlite::{Connection, Transaction, params};

use super::block::Stored;
use super::blocks::{Parts, header, select_header};
use super::correct::{erase_values, is_erased, rewrite_numbers, whole};
use super::tail::{self, Order};
use super::{Imports, open};
use crate::commit::Payload;
use crate::erasures::FoundTraces;
use crate::sources::SourceId;
use crate::{StoreError, WorkspaceId};

/// Blocks that are looked through at a time.
const BLOCKS: usize = if cfg!(test) { 2 } else { 16 };

/// The namespaces of sources.
pub(in crate::sqlite) type Namespaces = HashMap<SourceId, String>;

/// See [`crate::erasures::Erasures::find_traces`].
pub(in crate::sqlite) fn find(
    conn: &Connection,
    workspace: WorkspaceId,
    traces: &Traces,
    after: u64,
) -> Result<FoundTraces, StoreError> {
    let namespaces = namespaces(conn, workspace)?;
    let mut found = FoundTraces::default();
    let mut imports = Imports::of(conn, workspace);
    let mut look = |attempt: &Stored, payload: &Payload| -> Result<(), StoreError> {
        let trace = trace_in(attempt, payload, traces, &namespaces);
        if trace == Trace::None {
            return Ok(());
        }
        if !is_erased(attempt, payload) {
            found.numbers.push(attempt.number);
        }
        if trace == Trace::Whole
            && let (Some(import), Some(row)) = (attempt.import, attempt.row)
        {
            found.rows.push((imports.find(import)?, row));
        }
        Ok(())
    };
    let low = i64::try_from(after.saturating_add(1)).unwrap_or(i64::MAX);
    let mut statement = conn.prepare_cached(select_header!(
        "WHERE workspace = ?1
           AND last_no >= ?2
         ORDER BY last_no
         LIMIT ?3"
    ))?;
    let most = i64::try_from(BLOCKS).unwrap_or(i64::MAX);
    let headers: Vec<_> = statement
        .query_map(params![workspace.0, low, most], header)?
        .collect::<Result<_, _>>()?;
    let mut parts = Parts::of(conn)?;
    let mut picked = Vec::with_capacity(headers.len());
    for header in &headers {
        picked.push(whole(&mut parts, header)?);
    }
    for (attempt, payload) in open(&mut parts, picked, true)? {
        if attempt.number > after {
            look(&attempt, &payload)?;
        }
    }
    if headers.len() == BLOCKS {
        found.next = headers.last().map(|header| header.last_no);
        return Ok(found);
    }
    let mut outcome = Ok(());
    let numbers = (after.saturating_add(1), u64::MAX);
    tail::each(
        conn,
        workspace,
        numbers,
        Order::OldestFirst,
        |attempt, payload| {
            outcome = look(&attempt, &payload);
            outcome.is_ok()
        },
    )?;
    outcome?;
    Ok(found)
}

/// Erases what attempts tell of a person. Returns how many it changed, and their idempotency keys.
pub(in crate::sqlite) fn erase(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    traces: &Traces,
    numbers: &[u64],
) -> Result<(u64, Vec<(SourceId, String)>), StoreError> {
    let namespaces = namespaces(tx, workspace)?;
    let mut changed = 0;
    let mut keys = Vec::new();
    rewrite_numbers(tx, workspace, numbers, |attempt, payload| {
        if is_erased(attempt, payload) {
            return false;
        }
        match trace_in(attempt, payload, traces, &namespaces) {
            Trace::None => return false,
            Trace::Whole => {
                let key = attempt.detail.idempotency_key.take();
                keys.extend(key.map(|key| (attempt.source, key)));
                *payload = erase_values(attempt);
            }
            Trace::Mention => {
                let namespace = namespaces.get(&attempt.source);
                erase_mention(attempt, payload, traces, namespace.map_or("", |name| name));
            }
        }
        changed += 1;
        true
    })?;
    Ok((changed, keys))
}

/// Takes a person out of an attempt that is about somebody else.
fn erase_mention(attempt: &mut Stored, payload: &mut Payload, traces: &Traces, namespace: &str) {
    traces.blank_shown(&mut attempt.shown, namespace);
    let detail = &mut attempt.detail;
    for issue in &mut detail.issues {
        if traces.in_issue(issue) {
            issue.erase();
        }
    }
    detail
        .notes
        .retain(|note| !traces.are_in(note.message.as_bytes()));
    detail
        .changes
        .retain(|change| !traces.in_change(change, namespace));
    if traces.are_in(&payload.bytes) {
        payload.bytes = Vec::new();
        detail.notes.push(Note::mention_erased());
    }
}

fn trace_in(
    attempt: &Stored,
    payload: &Payload,
    traces: &Traces,
    namespaces: &Namespaces,
) -> Trace {
    let namespace = namespaces.get(&attempt.source);
    traces.in_attempt(&Told {
        contact: attempt.contact,
        namespace: namespace.map_or("", |namespace| namespace),
        shown: &attempt.shown,
        issues: &attempt.detail.issues,
        notes: &attempt.detail.notes,
        changes: &attempt.detail.changes,
        payload: &payload.bytes,
    })
}

fn namespaces(conn: &Connection, workspace: WorkspaceId) -> Result<Namespaces, StoreError> {
    let mut statement =
        conn.prepare_cached("SELECT id, namespace FROM source WHERE workspace = ?1")?;
    let rows = statement.query_map([workspace.0], |row| {
        Ok((row.get(0).map(SourceId)?, row.get(1)?))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}
