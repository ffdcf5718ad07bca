//! The Contact Import Log in SQLite: its file format on one page.
//!
//! An attempt is a row once and a part of a block for the rest of its life.
//!
//! **Tail.** Single deliveries become rows of `log_tail` in their own transaction, so they are on disk and visible at
//! once. When a thousand wait, they are folded into a block, mostly beside the writer ([`fold`]); a batch of an import that fills a block together
//! with whatever waits becomes blocks at once. So the tail is always newer than every block, blocks never overlap, and order by
//! number is: blocks in order, then the tail.
//!
//! **Block.** About a thousand attempts (fewer if their payloads are large), by columns:
//!
//! | where | part | contents |
//! |---|---|---|
//! | `log_block` | header | numbers, times, counts per result, the same counts of all blocks before, outcomes that occur, lowest and highest source, import and contact |
//! | `log_contacts` | filter | which contacts may occur (10 bits each); missing where lowest to highest says it |
//! | `log_data.meta` | META | number, time, outcome, source, import, row, contact: each column as steps from attempt to attempt |
//! | `log_data.grams` | filter | which pieces of five bytes occur in folded keys and payloads |
//! | `log_data.keys` | KEYS | names, phones, emails, External IDs as shown, each text closed by 0xFF, 0xFE for none |
//! | `log_data.detail` | DETAIL | issues, notes, changes, idempotency key and replayed attempt, of those attempts that have any |
//! | `log_data.payload` | PAYLOAD | content types, lengths, then the bytes as they were sent |
//!
//! Numbers are of variable length (seven bits a byte), steps are zigzag, texts have their length before them. META, KEYS,
//! DETAIL and PAYLOAD are: format version (a byte), length, zstd frame with checksum; PAYLOAD's has the unpacked KEYS as
//! its prefix (version 2; version 1 has none). Filters and tail rows are: format
//! version, XXH3 of the bytes, the bytes. Damage of any of them is an error that names the block.
//!
//! **Questions.**
//! - Counts and histograms of a range: the difference of the counts *before* the blocks at its edges; only blocks that
//!   an edge cuts are opened (`summary`).
//! - Filters: the header says none, all or perhaps; perhaps opens META (`scan`, `condition`).
//! - A contact's history: header, then the filter of contacts, then META.
//! - A text: a block without all of its five-byte pieces cannot contain it, in keys or payload. The others are unpacked
//!   and searched, on all cores. Texts shorter than five bytes, or ones that are everywhere, search everything.
//! - One attempt: its id carries its number, which leads to its block.
//! - A page ends as soon as it is full, and says whether another attempt follows.
//!
//! **Corrections** (`correct`). A block can be written again with one attempt's values erased: header counts, and so the
//! counts before others, stay. Dropping the oldest blocks leaves every difference as it was.

mod block;
mod blocks;
mod condition;
pub(super) mod correct;
mod filter;
pub(super) mod fold;
mod scan;
mod search;
pub(super) mod since;
pub(crate) mod speed;
mod summary;
mod tail;
#[cfg(test)]
mod tests;
pub(super) mod traces;

use std::collections::HashMap;

use rollbook_engine::attempt::{Outcome, Shown};
use rollbook_engine::change::Change;
use rollbook_engine::contact::ContactId;
use rollbook_engine::issue::{Issue, Note};
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use uuid::Uuid;

use self::block::{Column, Header, Meta};
pub(super) use self::block::{Encoded, Stored};
use self::blocks::{Parts, damaged};
use self::condition::Condition;
use self::scan::{Rows, Walk, in_parallel, walk};
use self::tail::Order;
use super::codec::{Damage, Decoded, Packer, Unpacker};
use crate::commit::Payload;
use crate::imports::ImportId;
use crate::log::{Attempt, AttemptId, LogFilter, LogPage, LogSummary, Paging};
use crate::sources::SourceId;
use crate::{StoreError, Timestamp, WorkspaceId};

/// Attempts of a full block. More compress hardly better and take longer to open for one attempt. Few in tests, so
/// that small logs have many blocks.
pub(super) const BLOCK: usize = if cfg!(test) { 8 } else { 1000 };

/// Bytes of payload at which a block is full with fewer attempts.
const BLOCK_BYTES: usize = if cfg!(test) { 400 } else { 1 << 20 };

/// Fewer attempts than these always wait in the tail, without a look at how many wait there already.
const FEW: usize = if cfg!(test) { 5 } else { 256 };

/// An attempt on its way into the log.
#[derive(Debug, Clone, Copy)]
pub(super) struct NewAttempt<'a> {
    pub(super) number: u64,
    pub(super) received_at: Timestamp,
    pub(super) outcome: Outcome,
    pub(super) source: SourceId,
    /// The `import.no`.
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

/// Adds attempts, in order of number. Numbers go up and times never go down, here and from call to call.
pub(super) fn append(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    attempts: &[NewAttempt<'_>],
) -> Result<(), StoreError> {
    let bytes = attempts.iter().map(|one| one.payload.bytes.len()).sum();
    if will_wait(tx, workspace, attempts.len(), bytes)? {
        return tail::insert(tx, workspace, attempts);
    }
    let waiting = take_waiting(tx, workspace)?;
    insert(
        tx,
        workspace,
        make(&waiting, attempts, &mut Packer::new()?)?,
    )
}

/// Whether so many new attempts, with so many bytes of payload, wait in the tail: if they do not fill a block together
/// with those that wait there.
pub(super) fn will_wait(
    conn: &Connection,
    workspace: WorkspaceId,
    attempts: usize,
    bytes: usize,
) -> Result<bool, StoreError> {
    if attempts < FEW {
        return Ok(true);
    }
    let fit = attempts < BLOCK && bytes < BLOCK_BYTES;
    Ok(fit && tail::len(conn, workspace)? + (attempts as u64) < BLOCK as u64)
}

/// When the latest attempt came, if it waits in the tail and is of no import.
pub(super) fn latest_single(
    conn: &Connection,
    workspace: WorkspaceId,
) -> Result<Option<Timestamp>, StoreError> {
    let mut latest = None;
    let numbers = (0, u64::MAX);
    tail::each(
        conn,
        workspace,
        numbers,
        Order::NewestFirst,
        |attempt, _| {
            latest = attempt.import.is_none().then_some(attempt.received_at);
            false
        },
    )?;
    Ok(latest)
}

/// Folds the attempts that wait in the tail into blocks, as far as they fill them.
pub(super) fn maintain(tx: &Transaction<'_>, workspace: WorkspaceId) -> Result<(), StoreError> {
    let waiting = usize::try_from(tail::len(tx, workspace)?).unwrap_or(usize::MAX);
    for _ in 0..waiting / BLOCK {
        let oldest = tail::take(tx, workspace, BLOCK)?;
        insert(tx, workspace, make(&oldest, &[], &mut Packer::new()?)?)?;
    }
    Ok(())
}

/// Takes what waits out of the tail, less than a block: for a block that begins with it.
pub(super) fn take_waiting(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
) -> Result<Waiting, StoreError> {
    maintain(tx, workspace)?;
    tail::take(tx, workspace, usize::MAX)
}

/// Attempts that waited in the tail, the oldest first.
pub(super) type Waiting = Vec<(Stored, Payload)>;

/// Makes blocks of attempts that waited, and then others.
pub(super) fn make(
    waiting: &Waiting,
    others: &[NewAttempt<'_>],
    packer: &mut Packer,
) -> Result<Vec<Encoded>, StoreError> {
    let waiting = waiting
        .iter()
        .map(|(attempt, payload)| attempt.as_new(payload));
    let attempts: Vec<NewAttempt<'_>> = waiting.chain(others.iter().copied()).collect();
    cut(&attempts)
        .into_iter()
        .map(|block| block::encode(block, packer))
        .collect()
}

/// Writes blocks behind all others.
pub(super) fn insert(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    made: Vec<Encoded>,
) -> Result<(), StoreError> {
    let mut last = blocks::last(tx, workspace)?;
    for mut encoded in made {
        blocks::insert(tx, workspace, &mut encoded, last.as_ref())?;
        last = Some(encoded.header);
    }
    Ok(())
}

/// Cuts attempts into blocks of equal size, none too large.
fn cut<'a, 'b>(attempts: &'a [NewAttempt<'b>]) -> Vec<&'a [NewAttempt<'b>]> {
    let blocks = (attempts.len() / BLOCK).max(1);
    let share = attempts.len().div_ceil(blocks).max(1);
    let mut cut = Vec::with_capacity(blocks);
    for share in attempts.chunks(share) {
        let (mut start, mut bytes) = (0, 0);
        for (position, attempt) in share.iter().enumerate() {
            let more = attempt.payload.bytes.len();
            if bytes + more > BLOCK_BYTES && start < position {
                cut.push(&share[start..position]);
                (start, bytes) = (position, 0);
            }
            bytes += more;
        }
        cut.push(&share[start..]);
    }
    cut
}

/// Number and time of the latest attempt.
pub(super) fn last(
    conn: &Connection,
    workspace: WorkspaceId,
) -> Result<Option<(u64, Timestamp)>, StoreError> {
    if let Some(last) = tail::last(conn, workspace)? {
        return Ok(Some(last));
    }
    let last = blocks::last(conn, workspace)?;
    Ok(last.map(|header| (header.last_no, header.max_at)))
}

/// See [`crate::log::Log::latest`].
pub(super) fn latest(
    conn: &Connection,
    workspace: WorkspaceId,
) -> Result<Option<(u64, Timestamp)>, StoreError> {
    last(conn, workspace)
}

/// See [`crate::log::Log::summary`].
pub(super) fn summary(
    conn: &Connection,
    workspace: WorkspaceId,
    filter: &LogFilter,
    buckets: u16,
) -> Result<LogSummary, StoreError> {
    summary::summary(conn, workspace, filter, buckets)
}

/// See [`crate::log::Log::page`].
pub(super) fn page(
    conn: &Connection,
    workspace: WorkspaceId,
    filter: &LogFilter,
    paging: Paging,
    limit: u32,
) -> Result<LogPage, StoreError> {
    let page = Page::read(conn, workspace, filter, paging, limit, false)?;
    let mut imports = Imports::of(conn, workspace);
    let mut attempts = Vec::with_capacity(page.attempts.len());
    for (attempt, _) in page.attempts {
        attempts.push(imports.name(attempt)?);
    }
    Ok(LogPage {
        attempts,
        more: page.more,
    })
}

/// See [`crate::log::Log::page_with_payloads`].
pub(super) fn page_with_payloads(
    conn: &Connection,
    workspace: WorkspaceId,
    filter: &LogFilter,
    paging: Paging,
    limit: u32,
) -> Result<Vec<(Attempt, Payload)>, StoreError> {
    let page = Page::read(conn, workspace, filter, paging, limit, true)?;
    let mut imports = Imports::of(conn, workspace);
    let attempts = page.attempts.into_iter();
    attempts
        .map(|(attempt, payload)| Ok((imports.name(attempt)?, payload)))
        .collect()
}

/// See [`crate::log::Log::attempt`].
pub(super) fn attempt(
    conn: &Connection,
    workspace: WorkspaceId,
    id: AttemptId,
) -> Result<Option<(Attempt, Payload)>, StoreError> {
    let number = id.number();
    let mut found = None;
    match blocks::reaching(conn, workspace, number)? {
        Some(header) if header.first_no <= number => {
            let mut parts = Parts::of(conn)?;
            let blob = parts.meta(&header)?;
            let decode = || {
                let meta = Meta::decode(&blob, header.n, &mut Unpacker::new()?)?;
                let row = meta.column(Column::Number)?.binary_search(&number);
                Ok((row, meta))
            };
            let (row, meta) = decode().map_err(|damage| damaged(&header, damage))?;
            if let Ok(row) = row {
                let picked = Picked {
                    header,
                    meta,
                    rows: vec![row],
                };
                found = open(&mut parts, vec![picked], true)?.pop();
            }
        }
        Some(_) => {}
        None => {
            let order = Order::OldestFirst;
            tail::each(
                conn,
                workspace,
                (number, number),
                order,
                |attempt, payload| {
                    found = Some((attempt, payload));
                    false
                },
            )?;
        }
    }
    let Some((stored, payload)) = found else {
        return Ok(None);
    };
    let attempt = Imports::of(conn, workspace).name(stored)?;
    Ok((attempt.id == id).then_some((attempt, payload)))
}

/// Attempts of a block that are wanted, by position, ascending.
struct Picked {
    header: Header,
    meta: Meta,
    rows: Vec<usize>,
}

/// Keys, details and, if they are wanted, payloads of a block.
type Contents = (Vec<u8>, Vec<u8>, Option<Vec<u8>>);

/// Reads and decodes attempts, block by block; their payloads are empty unless they are wanted too.
fn open(
    parts: &mut Parts<'_>,
    picked: Vec<Picked>,
    with_payloads: bool,
) -> Result<Vec<(Stored, Payload)>, StoreError> {
    let mut unread = Vec::with_capacity(picked.len());
    for picked in picked {
        let (keys, detail) = parts.keys_and_detail(&picked.header)?;
        let mut payload = None;
        if with_payloads {
            payload = Some(parts.payload(&picked.header)?);
        }
        unread.push((picked, (keys, detail, payload)));
    }
    let opened = in_parallel(unread, |unread| {
        let mut unpacker = Unpacker::new();
        let mut opened = Vec::with_capacity(unread.len());
        for (picked, contents) in unread {
            let attempts = match &mut unpacker {
                Ok(unpacker) => decode(&picked, &contents, unpacker),
                Err(damage) => Err(*damage),
            };
            opened.push(attempts.map_err(|damage| damaged(&picked.header, damage)));
        }
        opened
    });
    let mut attempts = Vec::new();
    for block in opened {
        attempts.append(&mut block?);
    }
    Ok(attempts)
}

fn decode(
    picked: &Picked,
    (keys, detail, payload): &Contents,
    unpacker: &mut Unpacker,
) -> Decoded<Vec<(Stored, Payload)>> {
    let Picked { header, meta, rows } = picked;
    let attempts = block::attempts(meta, keys, detail, rows, unpacker)?;
    let payloads = match payload {
        Some(payload) => block::payloads(keys, payload, header.n, rows, unpacker)?,
        None => vec![
            Payload {
                content_type: String::new(),
                bytes: Vec::new()
            };
            rows.len()
        ],
    };
    Ok(attempts.into_iter().zip(payloads).collect())
}

/// Blocks that are opened together for a page.
const OPENED: usize = 64;

/// A page in the making.
struct Page {
    limit: usize,
    with_payloads: bool,
    /// With payloads, if they are wanted.
    attempts: Vec<(Stored, Payload)>,
    more: bool,
}

impl Page {
    fn read(
        conn: &Connection,
        workspace: WorkspaceId,
        filter: &LogFilter,
        paging: Paging,
        limit: u32,
        with_payloads: bool,
    ) -> Result<Page, StoreError> {
        let mut page = Page {
            limit: usize::try_from(limit).unwrap_or(usize::MAX),
            with_payloads,
            attempts: Vec::new(),
            more: false,
        };
        let (numbers, order) = match paging {
            Paging::Newest => (Some((0, u64::MAX)), Order::NewestFirst),
            Paging::Before(number) => (
                number.checked_sub(1).map(|last| (0, last)),
                Order::NewestFirst,
            ),
            Paging::After(number) => (
                number.checked_add(1).map(|first| (first, u64::MAX)),
                Order::OldestFirst,
            ),
        };
        let condition = Condition::new(conn, workspace, filter)?;
        let (Some(numbers), Some(condition)) = (numbers, condition) else {
            return Ok(page);
        };
        let blocks = Walk {
            workspace,
            condition: &condition,
            numbers,
            order,
        };
        match order {
            Order::NewestFirst => {
                page.take_from_tail(conn, &blocks)?;
                page.take_from_blocks(conn, &blocks)?;
            }
            Order::OldestFirst => {
                page.take_from_blocks(conn, &blocks)?;
                page.take_from_tail(conn, &blocks)?;
            }
        }
        Ok(page)
    }

    fn take_from_tail(&mut self, conn: &Connection, walk: &Walk<'_>) -> Result<(), StoreError> {
        if self.more {
            return Ok(());
        }
        let take = |attempt: Stored, payload: Payload| {
            if walk.condition.holds(&attempt, &payload.bytes) {
                self.more = self.attempts.len() == self.limit;
                if !self.more {
                    self.attempts.push((attempt, payload));
                }
            }
            !self.more
        };
        tail::each(conn, walk.workspace, walk.numbers, walk.order, take)
    }

    fn take_from_blocks(&mut self, conn: &Connection, blocks: &Walk<'_>) -> Result<(), StoreError> {
        if self.more {
            return Ok(());
        }
        let mut room = self.limit - self.attempts.len();
        let mut waiting = Vec::new();
        walk(
            conn,
            blocks,
            |_| true,
            |parts, found| {
                let Rows::Some(mut rows, meta) = found.rows else {
                    return Err(damaged(&found.header, Damage("it was not read")));
                };
                if rows.len() > room {
                    self.more = true;
                    match blocks.order {
                        Order::NewestFirst => drop(rows.drain(..rows.len() - room)),
                        Order::OldestFirst => rows.truncate(room),
                    }
                }
                room -= rows.len();
                if !rows.is_empty() {
                    waiting.push(Picked {
                        header: found.header,
                        meta,
                        rows,
                    });
                }
                if waiting.len() == OPENED {
                    self.open(parts, std::mem::take(&mut waiting), blocks.order)?;
                }
                Ok(!self.more)
            },
        )?;
        self.open(&mut Parts::of(conn)?, waiting, blocks.order)
    }

    fn open(
        &mut self,
        parts: &mut Parts<'_>,
        mut picked: Vec<Picked>,
        order: Order,
    ) -> Result<(), StoreError> {
        // Ascending while they are decoded, whichever way the page goes.
        if order == Order::NewestFirst {
            picked.reverse();
        }
        let mut attempts = open(parts, picked, self.with_payloads)?;
        if order == Order::NewestFirst {
            attempts.reverse();
        }
        self.attempts.append(&mut attempts);
        Ok(())
    }
}

/// The public names of imports, each looked up once.
struct Imports<'conn> {
    conn: &'conn Connection,
    workspace: WorkspaceId,
    known: HashMap<u32, ImportId>,
}

impl Imports<'_> {
    fn of(conn: &Connection, workspace: WorkspaceId) -> Imports<'_> {
        Imports {
            conn,
            workspace,
            known: HashMap::new(),
        }
    }

    /// The attempt as the world sees it.
    fn name(&mut self, stored: Stored) -> Result<Attempt, StoreError> {
        let import = stored.import.map(|no| self.find(no)).transpose()?;
        Ok(Attempt {
            id: AttemptId::new(self.workspace, stored.received_at, stored.number),
            received_at: stored.received_at,
            result: stored.outcome.result,
            action: stored.outcome.action,
            matched_on: stored.outcome.matched_on,
            shown: stored.shown,
            source: stored.source,
            import,
            row: stored.row,
            contact: stored.contact,
            issues: stored.detail.issues,
            notes: stored.detail.notes,
            changes: stored.detail.changes,
            idempotency_key: stored.detail.idempotency_key,
            replay_of: stored.detail.replay_of,
        })
    }

    fn find(&mut self, no: u32) -> Result<ImportId, StoreError> {
        if let Some(id) = self.known.get(&no) {
            return Ok(*id);
        }
        let id: Option<[u8; 16]> = self
            .conn
            .prepare_cached(
                "SELECT id
                 FROM import
                 WHERE no = ?1
                   AND workspace = ?2",
            )?
            .query_row(params![no, self.workspace.0], |row| row.get(0))
            .optional()?;
        match id {
            Some(bytes) => {
                let id = ImportId(Uuid::from_bytes(bytes));
                self.known.insert(no, id);
                Ok(id)
            }
            None => Err(StoreError::Damaged(format!(
                "the log names import {no}, which does not exist"
            ))),
        }
    }
}
