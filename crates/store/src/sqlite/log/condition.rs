//! A filter made ready: what headers, columns and single attempts are asked.

use rollbook_engine::attempt::{Action, ImportResult};
use rusqlite::{Connection, OptionalExtension, params};

use super::super::codec::{Decoded, Unpacker};
use super::block::{
    Column, Header, Keys, Meta, OUTCOMES, Payloads, Stored, or_zero, outcome_code, outcome_of_code,
};
use super::search::Needle;
use crate::log::LogFilter;
use crate::{StoreError, Timestamp, WorkspaceId};

/// What an attempt must be like. Numbers are in the form of META.
#[derive(Debug, Clone)]
pub(super) struct Condition {
    pub(super) from: Timestamp,
    pub(super) to: Option<Timestamp>,
    /// A bit for each outcome code that will do.
    pub(super) outcomes: u64,
    pub(super) source: Option<u64>,
    pub(super) import: Option<u64>,
    pub(super) contact: Option<u64>,
    pub(super) needle: Option<Needle>,
}

/// Every outcome code there is.
const ALL_OUTCOMES: u64 = (1 << OUTCOMES) - 1;

impl Condition {
    /// The condition of a filter; none if nothing can meet it.
    pub(super) fn new(
        conn: &Connection,
        workspace: WorkspaceId,
        filter: &LogFilter,
    ) -> Result<Option<Condition>, StoreError> {
        let from = filter.from.unwrap_or(Timestamp(i64::MIN));
        let mut import = None;
        if let Some(id) = filter.import {
            let no: Option<i64> = conn
                .prepare_cached(
                    "SELECT no
                     FROM import
                     WHERE workspace = ?1
                       AND id = ?2",
                )?
                .query_row(params![workspace.0, id.0.as_bytes()], |row| row.get(0))
                .optional()?;
            let Some(no) = no.and_then(|no| u64::try_from(no).ok()) else {
                return Ok(None);
            };
            import = Some(or_zero(Some(no)));
        }
        let empty = filter.to.is_some_and(|to| to <= from);
        Ok((!empty).then(|| Condition {
            from,
            to: filter.to,
            outcomes: outcomes(filter),
            source: filter.source.map(|source| u64::from(source.0)),
            import,
            contact: filter.contact.map(|contact| or_zero(Some(contact.0))),
            needle: filter.search.as_ref().and_then(Needle::new),
        }))
    }

    /// Whether only the time is asked for.
    pub(super) fn asks_only_for_time(&self) -> bool {
        self.outcomes == ALL_OUTCOMES
            && self.source.is_none()
            && self.import.is_none()
            && self.contact.is_none()
            && self.needle.is_none()
    }

    /// Whether every attempt of a block meets it, as far as the header tells.
    pub(super) fn holds_for_all(&self, header: &Header) -> bool {
        let only = |span: (u64, u64), wanted: Option<u64>| {
            wanted.is_none_or(|wanted| span == (wanted, wanted))
        };
        self.from <= header.min_at
            && self.to.is_none_or(|to| header.max_at < to)
            && header.outcomes & !self.outcomes == 0
            && only(header.sources, self.source)
            && only(header.imports, self.import)
            && self.contact.is_none()
            && self.needle.is_none()
    }

    /// Whether one attempt meets it.
    pub(super) fn holds(&self, attempt: &Stored, payload: &[u8]) -> bool {
        let is = |value: u64, wanted: Option<u64>| wanted.is_none_or(|wanted| wanted == value);
        self.from <= attempt.received_at
            && self.to.is_none_or(|to| attempt.received_at < to)
            && allows(self.outcomes, outcome_code(attempt.outcome))
            && is(u64::from(attempt.source.0), self.source)
            && is(or_zero(attempt.import.map(u64::from)), self.import)
            && is(
                or_zero(attempt.contact.map(|contact| contact.0)),
                self.contact,
            )
            && self
                .needle
                .as_ref()
                .is_none_or(|needle| needle.is_in(&attempt.shown, payload))
    }

    /// The positions of the attempts of a block that meet it and have numbers in a range, texts aside.
    pub(super) fn rows(
        &self,
        header: &Header,
        meta: &Meta,
        numbers: (u64, u64),
    ) -> Decoded<Vec<usize>> {
        let mut rows = 0..usize::try_from(header.n).unwrap_or(usize::MAX);
        if header.min_at < self.from || self.to.is_some_and(|to| to <= header.max_at) {
            let times = meta.times()?;
            rows.start = times.partition_point(|time| *time < self.from);
            rows.end = match self.to {
                Some(to) => times.partition_point(|time| *time < to),
                None => times.len(),
            };
        }
        if header.first_no < numbers.0 || numbers.1 < header.last_no {
            let all = meta.column(Column::Number)?;
            rows.start = rows
                .start
                .max(all.partition_point(|number| *number < numbers.0));
            rows.end = rows
                .end
                .min(all.partition_point(|number| *number <= numbers.1));
        }
        let mut rows: Vec<usize> = rows.collect();
        if header.outcomes & !self.outcomes != 0 {
            let codes = meta.column(Column::Outcome)?;
            rows.retain(|row| allows(self.outcomes, codes[*row]));
        }
        for (column, wanted) in [
            (Column::Source, self.source),
            (Column::Import, self.import),
            (Column::Contact, self.contact),
        ] {
            if let Some(wanted) = wanted {
                let values = meta.column(column)?;
                rows.retain(|row| values[*row] == wanted);
            }
        }
        Ok(rows)
    }
}

/// Keeps the positions of the attempts of a block that contain a text.
pub(super) fn keep_containing(
    needle: &Needle,
    header: &Header,
    (keys, payload): (&[u8], &[u8]),
    rows: &mut Vec<usize>,
    unpacker: &mut Unpacker,
) -> Decoded<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let mut found = vec![false; usize::try_from(header.n).unwrap_or(usize::MAX)];
    needle.mark_keys(Keys::decode(keys, unpacker)?, &mut found);
    if needle.looks_into_payloads() && rows.iter().any(|row| !found[*row]) {
        let payloads = Payloads::decode(keys, payload, header.n, unpacker)?;
        needle.mark_payloads(payloads, &mut found);
    }
    rows.retain(|row| found[*row]);
    Ok(())
}

fn allows(outcomes: u64, code: u64) -> bool {
    code < 64 && outcomes >> code & 1 == 1
}

fn outcomes(filter: &LogFilter) -> u64 {
    let wanted = |code: &u64| {
        outcome_of_code(*code).is_ok_and(|outcome| {
            let result: Option<ImportResult> = filter.result;
            let action: Option<Action> = filter.action;
            result.is_none_or(|result| result == outcome.result)
                && action.is_none_or(|action| Some(action) == outcome.action)
                && filter
                    .matched_on
                    .is_none_or(|kind| Some(kind) == outcome.matched_on)
        })
    };
    (0..OUTCOMES)
        .filter(wanted)
        .fold(0, |bits, code| bits | 1 << code)
}
