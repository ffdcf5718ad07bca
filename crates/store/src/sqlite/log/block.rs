//! A block: about a thousand attempts by columns, and its header. No SQL here.

use std::ops::Range;

use rollbook_engine::attempt::{Action, ImportResult, Outcome, Shown};
use rollbook_engine::change::Change;
use rollbook_engine::contact::{ContactId, IdentifierKind, Text};
use rollbook_engine::issue::{Issue, Note};
use uuid::Uuid;

use super::super::codec::{Damage, Decoded, Packer, Reader, Unpacker, Writer, text};
use super::NewAttempt;
use super::filter::{END, Grams, contacts};
use super::search::fold;
use crate::commit::Payload;
use crate::log::{AttemptId, ResultCounts};
use crate::sources::SourceId;
use crate::{StoreError, Timestamp};

/// An attempt as the log keeps it, without its payload: the import by number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::sqlite) struct Stored {
    pub(super) number: u64,
    pub(super) received_at: Timestamp,
    pub(super) outcome: Outcome,
    pub(super) source: SourceId,
    pub(super) import: Option<u32>,
    pub(super) row: Option<u64>,
    pub(super) contact: Option<ContactId>,
    pub(super) shown: Shown,
    pub(super) detail: Detail,
}

/// What most attempts do not have.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Detail {
    pub(super) issues: Vec<Issue>,
    pub(super) notes: Vec<Note>,
    pub(super) changes: Vec<Change>,
    pub(super) idempotency_key: Option<String>,
    pub(super) replay_of: Option<AttemptId>,
}

impl Stored {
    /// The attempt as it was when it was new.
    pub(super) fn as_new<'a>(&'a self, payload: &'a Payload) -> NewAttempt<'a> {
        NewAttempt {
            number: self.number,
            received_at: self.received_at,
            outcome: self.outcome,
            source: self.source,
            import: self.import,
            row: self.row,
            contact: self.contact,
            shown: &self.shown,
            issues: &self.detail.issues,
            notes: &self.detail.notes,
            changes: &self.detail.changes,
            payload,
            idempotency_key: self.detail.idempotency_key.as_deref(),
            replay_of: self.detail.replay_of,
        }
    }
}

/// What is known of a block without reading it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) first_no: u64,
    pub(super) last_no: u64,
    pub(super) n: u64,
    pub(super) min_at: Timestamp,
    pub(super) max_at: Timestamp,
    pub(super) counts: ResultCounts,
    /// The counts of all blocks before.
    pub(super) before: ResultCounts,
    /// A bit for each outcome code that occurs.
    pub(super) outcomes: u64,
    /// Lowest and highest, as the columns of META have them.
    pub(super) sources: (u64, u64),
    pub(super) imports: (u64, u64),
    /// Of the attempts that have a contact.
    pub(super) contacts: (u64, u64),
    /// The number of its contents.
    pub(super) data: i64,
}

/// A block ready to be stored; `before` and `data` of its header are not known yet.
pub(in crate::sqlite) struct Encoded {
    pub(super) header: Header,
    pub(super) meta: Vec<u8>,
    pub(super) grams: Vec<u8>,
    pub(super) keys: Vec<u8>,
    pub(super) detail: Vec<u8>,
    pub(super) payload: Vec<u8>,
    pub(super) contacts: Option<Vec<u8>>,
}

/// How many outcome codes there are.
pub(super) const OUTCOMES: u64 = REMOVED + 3;

/// The first code of a contact's removal. Removals came later than the other actions, whose digit is full; they have
/// no identifier that they are matched on.
const REMOVED: u64 = 36;

/// An outcome as a number: result, action and matched on as digits of mixed base; removals follow.
pub(super) fn outcome_code(outcome: Outcome) -> u64 {
    let result = match outcome.result {
        ImportResult::Success => 0,
        ImportResult::Warning => 1,
        ImportResult::Failure => 2,
    };
    let action = match outcome.action {
        None => 0,
        Some(Action::Created) => 1,
        Some(Action::Updated) => 2,
        Some(Action::Removed) => return REMOVED + result,
    };
    let matched_on = match outcome.matched_on {
        None => 0,
        Some(IdentifierKind::ExternalId) => 1,
        Some(IdentifierKind::Phone) => 2,
        Some(IdentifierKind::Email) => 3,
    };
    result + 3 * action + 9 * matched_on
}

/// The outcome with a code.
pub(super) fn outcome_of_code(code: u64) -> Decoded<Outcome> {
    let removed = (REMOVED..OUTCOMES).contains(&code);
    let matched_on = match code / 9 {
        0 => None,
        _ if removed => None,
        1 => Some(IdentifierKind::ExternalId),
        2 => Some(IdentifierKind::Phone),
        3 => Some(IdentifierKind::Email),
        _ => return Err(Damage("an outcome is unknown")),
    };
    let action = match code / 3 % 3 {
        _ if removed => Some(Action::Removed),
        0 => None,
        1 => Some(Action::Created),
        _ => Some(Action::Updated),
    };
    let result = match code % 3 {
        0 => ImportResult::Success,
        1 => ImportResult::Warning,
        _ => ImportResult::Failure,
    };
    Ok(Outcome {
        result,
        action,
        matched_on,
    })
}

/// Counts one more attempt with an outcome code.
pub(super) fn count(counts: &mut ResultCounts, code: u64) {
    match code % 3 {
        0 => counts.success += 1,
        1 => counts.warning += 1,
        _ => counts.failure += 1,
    }
}

/// A number that may be missing, as META, headers and conditions have it.
pub(super) fn or_zero(number: Option<u64>) -> u64 {
    number.map_or(0, |number| number.saturating_add(1))
}

/// Encodes attempts, at least one, in order of number.
pub(super) fn encode(
    attempts: &[NewAttempt<'_>],
    packer: &mut Packer,
) -> Result<Encoded, StoreError> {
    let (Some(first), Some(last)) = (attempts.first(), attempts.last()) else {
        return Err(StoreError::Damaged(
            "a block of the log is empty".to_owned(),
        ));
    };
    let mut counts = ResultCounts::default();
    let mut outcomes = 0;
    for attempt in attempts {
        let code = outcome_code(attempt.outcome);
        count(&mut counts, code);
        outcomes |= 1 << code;
    }
    let mut known: Vec<u64> = attempts
        .iter()
        .filter_map(|attempt| attempt.contact.map(|contact| contact.0))
        .collect();
    known.sort_unstable();
    known.dedup();
    let span = |column: Column| {
        let values = attempts.iter().map(|attempt| column.of(attempt));
        values.fold((u64::MAX, 0), |(low, high), value| {
            (low.min(value), high.max(value))
        })
    };
    let keys = Keys::encode(attempts);
    Ok(Encoded {
        header: Header {
            first_no: first.number,
            last_no: last.number,
            n: attempts.len() as u64,
            min_at: first.received_at,
            max_at: last.received_at,
            counts,
            before: ResultCounts::default(),
            outcomes,
            sources: span(Column::Source),
            imports: span(Column::Import),
            contacts: (
                or_zero(known.first().copied()),
                or_zero(known.last().copied()),
            ),
            data: 0,
        },
        meta: packer.pack(&encode_meta(attempts))?,
        grams: encode_grams(attempts),
        keys: packer.pack(&keys)?,
        detail: packer.pack(&encode_details(attempts))?,
        // Most of the keys stand in the payloads as well.
        payload: Packer::pack_behind(&keys, &Payloads::encode(attempts))?,
        contacts: contacts(&known),
    })
}

/// The columns of META.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Column {
    Number,
    Time,
    Outcome,
    Source,
    Import,
    Row,
    Contact,
}

impl Column {
    const ALL: [Column; 7] = [
        Column::Number,
        Column::Time,
        Column::Outcome,
        Column::Source,
        Column::Import,
        Column::Row,
        Column::Contact,
    ];

    fn of(self, attempt: &NewAttempt<'_>) -> u64 {
        match self {
            Column::Number => attempt.number,
            Column::Time => attempt.received_at.0.cast_unsigned(),
            Column::Outcome => outcome_code(attempt.outcome),
            Column::Source => u64::from(attempt.source.0),
            Column::Import => or_zero(attempt.import.map(u64::from)),
            Column::Row => or_zero(attempt.row),
            Column::Contact => or_zero(attempt.contact.map(|contact| contact.0)),
        }
    }
}

fn encode_meta(attempts: &[NewAttempt<'_>]) -> Vec<u8> {
    let mut meta = Writer::default();
    let mut steps = Writer::default();
    for column in Column::ALL {
        let mut previous = 0;
        for attempt in attempts {
            let value = column.of(attempt);
            steps.step(previous, value);
            previous = value;
        }
        meta.bytes(&steps.0);
        steps.0.clear();
    }
    meta.0
}

/// META, unpacked: a column is decoded when it is asked for.
#[derive(Debug)]
pub(super) struct Meta {
    bytes: Vec<u8>,
    columns: Vec<Range<usize>>,
    n: u64,
}

impl Meta {
    pub(super) fn decode(blob: &[u8], n: u64, unpacker: &mut Unpacker) -> Decoded<Meta> {
        let bytes = unpacker.unpack(blob)?;
        let columns = ranges(&bytes, Column::ALL.len())?;
        Ok(Meta { bytes, columns, n })
    }

    /// The values of a column, one an attempt.
    pub(super) fn column(&self, column: Column) -> Decoded<Vec<u64>> {
        let bytes = &self.bytes[self.columns[column as usize].clone()];
        let mut reader = Reader(bytes);
        let mut value = 0;
        // No more values than bytes, whatever the header says.
        let n = usize::try_from(self.n)
            .unwrap_or(usize::MAX)
            .min(bytes.len());
        let mut values = Vec::with_capacity(n);
        for _ in 0..self.n {
            value = reader.step(value)?;
            values.push(value);
        }
        Ok(values)
    }

    /// The times, one an attempt.
    pub(super) fn times(&self) -> Decoded<Vec<Timestamp>> {
        let times = self.column(Column::Time)?;
        Ok(times
            .into_iter()
            .map(|time| Timestamp(time.cast_signed()))
            .collect())
    }
}

/// Where the parts lie that a [`Writer`] wrote with their lengths.
fn ranges(bytes: &[u8], parts: usize) -> Decoded<Vec<Range<usize>>> {
    let mut reader = Reader(bytes);
    let mut part = || {
        let length = reader.bytes()?.len();
        let end = bytes.len() - reader.0.len();
        Ok(end - length..end)
    };
    (0..parts).map(|_| part()).collect()
}

/// KEYS, unpacked: who the attempts were about, column by column, each text closed by a byte that no text contains.
#[derive(Debug)]
pub(super) struct Keys {
    bytes: Vec<u8>,
    columns: Vec<Range<usize>>,
}

impl Keys {
    /// Name, phone, email, External ID.
    pub(super) const COLUMNS: usize = 4;

    /// Closes a text; never part of UTF-8.
    pub(super) const END: u8 = END;

    /// Stands for a text that is missing; never part of UTF-8.
    const MISSING: u8 = 0xfe;

    fn encode(attempts: &[NewAttempt<'_>]) -> Vec<u8> {
        let mut keys = Writer::default();
        let mut column = Vec::new();
        for number in 0..Keys::COLUMNS {
            for attempt in attempts {
                match key(attempt.shown, number) {
                    Some(text) => column.extend_from_slice(text.as_bytes()),
                    None => column.push(Keys::MISSING),
                }
                column.push(Keys::END);
            }
            keys.bytes(&column);
            column.clear();
        }
        keys.0
    }

    pub(super) fn decode(blob: &[u8], unpacker: &mut Unpacker) -> Decoded<Keys> {
        let bytes = unpacker.unpack(blob)?;
        let columns = ranges(&bytes, Keys::COLUMNS)?;
        Ok(Keys { bytes, columns })
    }

    pub(super) fn column_mut(&mut self, column: usize) -> &mut [u8] {
        &mut self.bytes[self.columns[column].clone()]
    }

    pub(super) fn phones(&self) -> &[u8] {
        &self.bytes[self.columns[1].clone()]
    }

    /// What attempts at these positions, in ascending order, were about.
    fn shown(&self, rows: &[usize]) -> Decoded<Vec<Shown>> {
        let mut shown = vec![Shown::default(); rows.len()];
        for (number, column) in self.columns.iter().enumerate() {
            let mut rest = &self.bytes[column.clone()];
            let mut next = 0;
            for (shown, row) in shown.iter_mut().zip(rows) {
                let mut text_of_row = &rest[..0];
                for _ in next..=*row {
                    let end = memchr::memchr(Keys::END, rest).ok_or(Damage("a key is missing"))?;
                    text_of_row = &rest[..end];
                    rest = &rest[end + 1..];
                }
                next = row + 1;
                if text_of_row != [Keys::MISSING] {
                    *key_mut(shown, number) = Some(text(text_of_row)?.into());
                }
            }
        }
        Ok(shown)
    }
}

fn key(shown: &Shown, column: usize) -> Option<&str> {
    match column {
        0 => shown.name.as_deref(),
        1 => shown.phone.as_deref(),
        2 => shown.email.as_deref(),
        _ => shown.external_id.as_deref(),
    }
}

fn key_mut(shown: &mut Shown, column: usize) -> &mut Option<Text> {
    match column {
        0 => &mut shown.name,
        1 => &mut shown.phone,
        2 => &mut shown.email,
        _ => &mut shown.external_id,
    }
}

/// PAYLOAD, unpacked: content types, then lengths, then the bytes.
#[derive(Debug)]
pub(super) struct Payloads {
    bytes: Vec<u8>,
    /// Where the bytes of the first payload begin.
    start: usize,
    /// Where each payload ends, counted from there.
    ends: Vec<usize>,
    types: Vec<String>,
    type_of: Vec<u64>,
}

impl Payloads {
    fn encode(attempts: &[NewAttempt<'_>]) -> Vec<u8> {
        let mut types: Vec<&str> = Vec::new();
        let mut type_of = Writer::default();
        let mut lengths = Writer::default();
        for attempt in attempts {
            let content_type = attempt.payload.content_type.as_str();
            let known = types.iter().position(|known| *known == content_type);
            let position = known.unwrap_or(types.len());
            if known.is_none() {
                types.push(content_type);
            }
            type_of.number(position as u64);
            lengths.number(attempt.payload.bytes.len() as u64);
        }
        let mut payload = Writer::default();
        payload.number(types.len() as u64);
        for content_type in types {
            payload.text(content_type);
        }
        let heads = type_of.0.len() + lengths.0.len();
        payload.0.reserve(heads + payload_bytes(attempts));
        payload.0.extend_from_slice(&type_of.0);
        payload.0.extend_from_slice(&lengths.0);
        for attempt in attempts {
            payload.0.extend_from_slice(&attempt.payload.bytes);
        }
        payload.0
    }

    pub(super) fn decode(
        keys: &[u8],
        blob: &[u8],
        n: u64,
        unpacker: &mut Unpacker,
    ) -> Decoded<Payloads> {
        let bytes = unpacker.unpack_behind(|unpacker| unpacker.unpack(keys), blob)?;
        let mut reader = Reader(&bytes);
        let types: Decoded<Vec<String>> = (0..reader.number()?).map(|_| reader.text()).collect();
        // No more payloads than bytes that tell their lengths, whatever the header says.
        let most = usize::try_from(n).unwrap_or(usize::MAX).min(reader.0.len());
        let mut type_of = Vec::with_capacity(most);
        for _ in 0..n {
            type_of.push(reader.number()?);
        }
        let mut end = 0_u64;
        let mut ends = Vec::with_capacity(most);
        for _ in 0..n {
            end = end.saturating_add(reader.number()?);
            ends.push(usize::try_from(end).unwrap_or(usize::MAX));
        }
        if reader.0.len() as u64 != end {
            return Err(Damage("its payloads have another length"));
        }
        Ok(Payloads {
            start: bytes.len() - reader.0.len(),
            ends,
            types: types?,
            type_of,
            bytes,
        })
    }

    pub(super) fn ends(&self) -> &[usize] {
        &self.ends
    }

    pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[self.start..]
    }

    fn payload(&self, row: usize) -> Decoded<Payload> {
        let start = if row == 0 {
            Some(&0)
        } else {
            self.ends.get(row - 1)
        };
        let content_type = self
            .type_of
            .get(row)
            .and_then(|position| self.types.get(usize::try_from(*position).ok()?));
        match (start, self.ends.get(row), content_type) {
            (Some(start), Some(end), Some(content_type)) => Ok(Payload {
                content_type: content_type.clone(),
                bytes: self.bytes[self.start + start..self.start + end].to_vec(),
            }),
            _ => Err(Damage("a payload is missing")),
        }
    }
}

/// DETAIL: position, length and contents for each attempt that has any. What is the same as for the attempt with any
/// before, as notes of unchanged records are, has length 0.
fn encode_details(attempts: &[NewAttempt<'_>]) -> Vec<u8> {
    let mut details = Writer::default();
    let mut detail = Writer::default();
    let mut previous = Writer::default();
    for (row, attempt) in attempts.iter().enumerate() {
        detail.0.clear();
        write_detail(attempt, &mut detail);
        if detail.0.is_empty() {
            continue;
        }
        details.number(row as u64);
        if detail.0 == previous.0 {
            details.bytes(&[]);
        } else {
            details.bytes(&detail.0);
            std::mem::swap(&mut detail, &mut previous);
        }
    }
    details.0
}

/// Writes nothing for an attempt that has none of it.
pub(super) fn write_detail(attempt: &NewAttempt<'_>, detail: &mut Writer) {
    if attempt.issues.is_empty()
        && attempt.notes.is_empty()
        && attempt.changes.is_empty()
        && attempt.idempotency_key.is_none()
        && attempt.replay_of.is_none()
    {
        return;
    }
    detail.issues(attempt.issues);
    detail.notes(attempt.notes);
    detail.changes(attempt.changes);
    detail.optional_text(attempt.idempotency_key);
    let replay_of = attempt.replay_of.map(|id| id.0.into_bytes());
    detail.bytes(replay_of.as_ref().map_or(&[], |bytes| bytes));
}

pub(super) fn read_detail(bytes: &[u8]) -> Decoded<Detail> {
    if bytes.is_empty() {
        return Ok(Detail::default());
    }
    let mut reader = Reader(bytes);
    Ok(Detail {
        issues: reader.issues()?,
        notes: reader.notes()?,
        changes: reader.changes()?,
        idempotency_key: reader.optional_text()?,
        replay_of: match reader.bytes()? {
            [] => None,
            bytes => match Uuid::from_slice(bytes) {
                Ok(uuid) => Some(AttemptId(uuid)),
                Err(_) => return Err(Damage("an id has another length")),
            },
        },
    })
}

/// The details of attempts at these positions, in ascending order.
fn details(blob: &[u8], rows: &[usize], unpacker: &mut Unpacker) -> Decoded<Vec<Detail>> {
    let bytes = unpacker.unpack(blob)?;
    let mut details = vec![Detail::default(); rows.len()];
    let mut wanted = rows.iter().zip(&mut details).peekable();
    let mut reader = Reader(&bytes);
    let mut previous = &[][..];
    while !reader.0.is_empty() {
        let row = reader.number()?;
        let mut bytes = reader.bytes()?;
        if bytes.is_empty() {
            bytes = previous;
        }
        previous = bytes;
        while wanted
            .next_if(|(wanted, _)| (**wanted as u64) < row)
            .is_some()
        {}
        if let Some((_, detail)) = wanted.next_if(|(wanted, _)| **wanted as u64 == row) {
            *detail = read_detail(bytes)?;
        }
    }
    Ok(details)
}

/// The attempts of a block at these positions, in ascending order.
pub(super) fn attempts(
    meta: &Meta,
    keys: &[u8],
    detail: &[u8],
    rows: &[usize],
    unpacker: &mut Unpacker,
) -> Decoded<Vec<Stored>> {
    let columns: Decoded<Vec<Vec<u64>>> = Column::ALL
        .into_iter()
        .map(|column| meta.column(column))
        .collect();
    let columns = columns?;
    let shown = Keys::decode(keys, unpacker)?.shown(rows)?;
    let details = details(detail, rows, unpacker)?;
    let mut attempts = Vec::with_capacity(rows.len());
    for ((row, shown), detail) in rows.iter().zip(shown).zip(details) {
        let value = |column: Column| {
            let value = columns[column as usize].get(*row);
            value.copied().ok_or(Damage("an attempt is missing"))
        };
        attempts.push(Stored {
            number: value(Column::Number)?,
            received_at: Timestamp(value(Column::Time)?.cast_signed()),
            outcome: outcome_of_code(value(Column::Outcome)?)?,
            source: SourceId(small(value(Column::Source)?)?),
            import: value(Column::Import)?
                .checked_sub(1)
                .map(small)
                .transpose()?,
            row: value(Column::Row)?.checked_sub(1),
            contact: value(Column::Contact)?.checked_sub(1).map(ContactId),
            shown,
            detail,
        });
    }
    Ok(attempts)
}

pub(super) fn small(number: u64) -> Decoded<u32> {
    u32::try_from(number).map_err(|_| Damage("a number is too large"))
}

/// The payloads of a block at these positions.
pub(super) fn payloads(
    keys: &[u8],
    blob: &[u8],
    n: u64,
    rows: &[usize],
    unpacker: &mut Unpacker,
) -> Decoded<Vec<Payload>> {
    let payloads = Payloads::decode(keys, blob, n, unpacker)?;
    rows.iter().map(|row| payloads.payload(*row)).collect()
}

fn payload_bytes(attempts: &[NewAttempt<'_>]) -> usize {
    let lengths = attempts.iter().map(|one| one.payload.bytes.len());
    lengths.sum()
}

/// The pieces of all texts, which are folded and cut together.
fn encode_grams(attempts: &[NewAttempt<'_>]) -> Vec<u8> {
    let mut texts = Vec::with_capacity(payload_bytes(attempts) + attempts.len() * 128);
    for attempt in attempts {
        for column in 0..Keys::COLUMNS {
            texts.extend_from_slice(key(attempt.shown, column).unwrap_or_default().as_bytes());
            texts.push(END);
        }
        let phone = attempt.shown.phone.as_deref().unwrap_or_default();
        texts.extend(phone.bytes().filter(u8::is_ascii_digit));
        texts.push(END);
        texts.extend_from_slice(&attempt.payload.bytes);
        texts.push(END);
    }
    fold(&mut texts);
    let mut grams = Grams::new();
    grams.add(&texts);
    grams.finish()
}
