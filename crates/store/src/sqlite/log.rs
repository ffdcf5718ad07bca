//! The log. A stand-in: one row an attempt, everything else by looking at all of them.

use rollbook_engine::attempt::{ImportResult, Outcome, Shown};
use rollbook_engine::change::Change;
use rollbook_engine::contact::{ContactId, IdentifierKind};
use rollbook_engine::issue::{Issue, Note};
use rusqlite::{Connection, OptionalExtension, Transaction};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{counted, stored};
use crate::commit::Payload;
use crate::imports::ImportId;
use crate::log::{
    Attempt, AttemptId, LogFilter, LogPage, LogSummary, Paging, ResultCounts, Search,
};
use crate::sources::SourceId;
use crate::{StoreError, Timestamp, WorkspaceId};

/// An attempt on its way into the log.
pub(super) struct NewAttempt<'a> {
    pub(super) number: u64,
    pub(super) received_at: Timestamp,
    pub(super) outcome: Outcome,
    pub(super) source: SourceId,
    pub(super) import: Option<u32>,
    pub(super) row: Option<u64>,
    pub(super) contact: Option<ContactId>,
    pub(super) shown: &'a Shown,
    pub(super) issues: &'a [Issue],
    pub(super) notes: &'a [Note],
    pub(super) changes: &'a [Change],
    pub(super) payload: &'a Payload,
    pub(super) idempotency_key: Option<&'a str>,
    pub(super) replay_of: Option<AttemptId>,
}

type Data<S, I, N, C, K> = (
    (
        ImportResult,
        Option<rollbook_engine::attempt::Action>,
        Option<IdentifierKind>,
    ),
    u32,
    Option<u64>,
    Option<u64>,
    S,
    I,
    N,
    C,
    K,
    Option<Uuid>,
);

/// Appends attempts in order of their numbers.
pub(super) fn append(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    attempts: &[NewAttempt<'_>],
) -> Result<(), StoreError> {
    let mut statement = tx.prepare_cached(
        "INSERT INTO attempt (workspace, number, received_at, import, data, content_type, payload)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    for attempt in attempts {
        let data: Data<&Shown, &[Issue], &[Note], &[Change], Option<&str>> = (
            (
                attempt.outcome.result,
                attempt.outcome.action,
                attempt.outcome.matched_on,
            ),
            attempt.source.0,
            attempt.row,
            attempt.contact.map(|contact| contact.0),
            attempt.shown,
            attempt.issues,
            attempt.notes,
            attempt.changes,
            attempt.idempotency_key,
            attempt.replay_of.map(|id| id.0),
        );
        statement.execute((
            workspace.0,
            stored(attempt.number),
            attempt.received_at.0,
            attempt.import,
            json(&data)?,
            &attempt.payload.content_type,
            &attempt.payload.bytes,
        ))?;
    }
    Ok(())
}

fn json(data: &impl Serialize) -> Result<String, StoreError> {
    serde_json::to_string(data).map_err(|error| StoreError::Damaged(error.to_string()))
}

fn parse<T: for<'de> Deserialize<'de>>(text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|error| StoreError::Damaged(error.to_string()))
}

fn all(
    connection: &Connection,
    workspace: WorkspaceId,
    filter: &LogFilter,
) -> Result<Vec<(Attempt, Payload)>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT number, received_at, import.id, data, content_type, payload
         FROM attempt
         LEFT JOIN import ON import.no = attempt.import
         WHERE attempt.workspace = ?1
         ORDER BY number",
    )?;
    let mut rows = statement.query([workspace.0])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let received_at = Timestamp(row.get(1)?);
        let import: Option<[u8; 16]> = row.get(2)?;
        let data: String = row.get(3)?;
        let (outcome, source, row_number, contact, shown, issues, notes, changes, key, replay_of): Data<
            Shown,
            Vec<Issue>,
            Vec<Note>,
            Vec<Change>,
            Option<String>,
        > = parse(&data)?;
        let attempt = Attempt {
            id: AttemptId::new(workspace, received_at, counted(row.get(0)?)),
            received_at,
            result: outcome.0,
            action: outcome.1,
            matched_on: outcome.2,
            shown,
            source: SourceId(source),
            import: import.map(|id| ImportId(Uuid::from_bytes(id))),
            row: row_number,
            contact: contact.map(ContactId),
            issues,
            notes,
            changes,
            idempotency_key: key,
            replay_of: replay_of.map(AttemptId),
        };
        let payload = Payload {
            content_type: row.get(4)?,
            bytes: row.get(5)?,
        };
        if wanted(filter, &attempt, &payload) {
            found.push((attempt, payload));
        }
    }
    Ok(found)
}

fn wanted(filter: &LogFilter, attempt: &Attempt, payload: &Payload) -> bool {
    filter.from.is_none_or(|from| attempt.received_at >= from)
        && filter.to.is_none_or(|to| attempt.received_at < to)
        && filter.result.is_none_or(|result| attempt.result == result)
        && filter.source.is_none_or(|source| attempt.source == source)
        && filter
            .action
            .is_none_or(|action| attempt.action == Some(action))
        && filter
            .matched_on
            .is_none_or(|kind| attempt.matched_on == Some(kind))
        && filter
            .import
            .is_none_or(|import| attempt.import == Some(import))
        && filter
            .contact
            .is_none_or(|contact| attempt.contact == Some(contact))
        && filter
            .search
            .as_ref()
            .is_none_or(|search| found(search, attempt, payload))
}

fn found(search: &Search, attempt: &Attempt, payload: &Payload) -> bool {
    let wanted = search.text.to_lowercase();
    let Shown {
        name,
        phone,
        email,
        external_id,
    } = &attempt.shown;
    let digits =
        |phone: &String| -> String { phone.chars().filter(char::is_ascii_digit).collect() };
    [name, phone, email, external_id]
        .into_iter()
        .flatten()
        .any(|text| text.to_lowercase().contains(&wanted))
        || String::from_utf8_lossy(&payload.bytes)
            .to_lowercase()
            .contains(&wanted)
        || match (&search.phone_digits, phone) {
            (Some(wanted), Some(phone)) => digits(phone).contains(wanted),
            _ => false,
        }
}

/// A page of attempts.
pub(super) fn page(
    connection: &Connection,
    workspace: WorkspaceId,
    filter: &LogFilter,
    paging: Paging,
    limit: u32,
) -> Result<LogPage, StoreError> {
    let mut attempts = page_with_payloads(connection, workspace, filter, paging, limit + 1)?;
    let more = attempts.len() > limit as usize;
    attempts.truncate(limit as usize);
    Ok(LogPage {
        attempts: attempts.into_iter().map(|(attempt, _)| attempt).collect(),
        more,
    })
}

/// A page of attempts with their payloads.
pub(super) fn page_with_payloads(
    connection: &Connection,
    workspace: WorkspaceId,
    filter: &LogFilter,
    paging: Paging,
    limit: u32,
) -> Result<Vec<(Attempt, Payload)>, StoreError> {
    let mut found = all(connection, workspace, filter)?;
    match paging {
        Paging::Newest => found.reverse(),
        Paging::Before(number) => {
            found.retain(|(attempt, _)| attempt.id.number() < number);
            found.reverse();
        }
        Paging::After(number) => found.retain(|(attempt, _)| attempt.id.number() > number),
    }
    found.truncate(limit as usize);
    Ok(found)
}

/// Counts for a filter.
pub(super) fn summary(
    connection: &Connection,
    workspace: WorkspaceId,
    filter: &LogFilter,
    _buckets: u16,
) -> Result<LogSummary, StoreError> {
    let filter = LogFilter {
        result: None,
        ..filter.clone()
    };
    let mut counts = ResultCounts::default();
    for (attempt, _) in all(connection, workspace, &filter)? {
        match attempt.result {
            ImportResult::Success => counts.success += 1,
            ImportResult::Warning => counts.warning += 1,
            ImportResult::Failure => counts.failure += 1,
        }
    }
    Ok(LogSummary {
        counts,
        histogram: Vec::new(),
    })
}

/// One attempt.
pub(super) fn attempt(
    connection: &Connection,
    workspace: WorkspaceId,
    id: AttemptId,
) -> Result<Option<(Attempt, Payload)>, StoreError> {
    let all = all(connection, workspace, &LogFilter::default())?;
    Ok(all.into_iter().find(|(attempt, _)| attempt.id == id))
}

/// Number and time of the latest attempt.
pub(super) fn latest(
    connection: &Connection,
    workspace: WorkspaceId,
) -> Result<Option<(u64, Timestamp)>, StoreError> {
    last(connection, workspace)
}

/// Number and time of the latest attempt.
pub(super) fn last(
    connection: &Connection,
    workspace: WorkspaceId,
) -> Result<Option<(u64, Timestamp)>, StoreError> {
    let row = connection
        .prepare_cached(
            "SELECT number, received_at
             FROM attempt
             WHERE workspace = ?1
             ORDER BY number DESC
             LIMIT 1",
        )?
        .query_row([workspace.0], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    Ok(row.map(|(number, received_at)| (counted(number), Timestamp(received_at))))
}

/// Nothing to fold here.
#[expect(clippy::unnecessary_wraps, reason = "a stand-in has nothing to do")]
pub(super) fn maintain(_tx: &Transaction<'_>, _workspace: WorkspaceId) -> Result<(), StoreError> {
    Ok(())
}
