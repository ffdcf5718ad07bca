//! Walking over the blocks that may hold what a condition asks for, several at once on all cores.

use rusqlite::{Connection, params};

use super::super::codec::{Decoded, Unpacker};
use super::block::{Header, Meta};
use super::blocks::{self, Parts, damaged, header, select_header};
use super::condition::{Condition, keep_containing};
use super::filter::{may_hold_contact, stored_grams};
use super::search::Needle;
use super::tail::Order;
use crate::{StoreError, WorkspaceId};

/// Blocks that are read before they are looked through together: few at first, for most pages are found in the first,
/// then more, to keep all cores busy; never more bytes than this.
const MOST_BLOCKS: usize = 64;
const MOST_BYTES: usize = 16 << 20;

/// With fewer blocks a thread costs more than it gives.
const WORTH_A_THREAD: usize = 4;

/// A block and its attempts that meet a condition.
pub(super) struct Found {
    pub(super) header: Header,
    pub(super) rows: Rows,
}

pub(super) enum Rows {
    /// Every attempt meets it; nobody needed to read more than the header.
    All,
    /// Those at these positions, in ascending order.
    Some(Vec<usize>, Meta),
}

/// What to look at.
pub(super) struct Walk<'a> {
    pub(super) workspace: WorkspaceId,
    pub(super) condition: &'a Condition,
    /// Both ends belong to it.
    pub(super) numbers: (u64, u64),
    pub(super) order: Order,
}

/// Calls a function with each block that holds attempts that meet the condition, until it says stop. Blocks that the
/// condition wholly allows are read only if `must_read` says so.
pub(super) fn walk(
    conn: &Connection,
    walk: &Walk<'_>,
    must_read: impl Fn(&Header) -> bool,
    mut each: impl FnMut(&mut Parts<'_>, Found) -> Result<bool, StoreError>,
) -> Result<(), StoreError> {
    let Some((low, high)) = bounds(conn, walk)? else {
        return Ok(());
    };
    let condition = walk.condition;
    let mut statement = conn.prepare_cached(match walk.order {
        Order::NewestFirst => select_header!(
            "WHERE workspace = ?1
               AND last_no BETWEEN ?2 AND ?3
               AND outcomes & ?4 <> 0
               AND (?5 IS NULL OR ?5 BETWEEN min_source AND max_source)
               AND (?6 IS NULL OR ?6 BETWEEN min_import AND max_import)
               AND (?7 IS NULL OR ?7 BETWEEN min_contact AND max_contact)
             ORDER BY last_no DESC"
        ),
        Order::OldestFirst => select_header!(
            "WHERE workspace = ?1
               AND last_no BETWEEN ?2 AND ?3
               AND outcomes & ?4 <> 0
               AND (?5 IS NULL OR ?5 BETWEEN min_source AND max_source)
               AND (?6 IS NULL OR ?6 BETWEEN min_import AND max_import)
               AND (?7 IS NULL OR ?7 BETWEEN min_contact AND max_contact)
             ORDER BY last_no"
        ),
    })?;
    let optional = |number: Option<u64>| number.map(u64::cast_signed);
    let mut headers = statement.query(params![
        walk.workspace.0,
        low,
        high,
        condition.outcomes.cast_signed(),
        optional(condition.source),
        optional(condition.import),
        optional(condition.contact),
    ])?;
    let mut parts = Parts::of(conn)?;
    let mut most = 1;
    let mut unread = Vec::new();
    let mut bytes = 0;
    loop {
        let next = headers.next()?.map(header).transpose()?;
        let ended = next.is_none();
        if let Some(header) = next
            && let Some(block) = read(&mut parts, condition, header, &must_read)?
        {
            bytes += block.len();
            unread.push(block);
        }
        if ended || unread.len() >= most || bytes >= MOST_BYTES {
            for found in look_through(std::mem::take(&mut unread), walk) {
                let found = found?;
                if matches!(&found.rows, Rows::Some(rows, _) if rows.is_empty()) {
                    continue;
                }
                if !each(&mut parts, found)? {
                    return Ok(());
                }
            }
            if ended {
                return Ok(());
            }
            bytes = 0;
            most = (most * 2).min(MOST_BLOCKS);
        }
    }
}

/// The first and last `last_no` of the blocks that reach into the condition's times and numbers.
fn bounds(conn: &Connection, walk: &Walk<'_>) -> Result<Option<(i64, i64)>, StoreError> {
    let (workspace, condition) = (walk.workspace, walk.condition);
    let (mut low, mut high) = walk.numbers;
    match blocks::lasting_until(conn, workspace, condition.from)? {
        Some(first) => low = low.max(first.last_no),
        None => return Ok(None),
    }
    if let Some(last) = blocks::reaching(conn, workspace, high)? {
        high = last.last_no;
    }
    if let Some(to) = condition.to
        && let Some(last) = blocks::lasting_until(conn, workspace, to)?
    {
        // The blocks after it begin at its end or later.
        high = high.min(last.last_no);
    }
    let high = i64::try_from(high).unwrap_or(i64::MAX);
    Ok(i64::try_from(low).ok().map(|low| (low, high)))
}

/// A block read from its tables, not yet unpacked.
struct Unread {
    header: Header,
    meta: Option<Vec<u8>>,
    /// What to look for in keys and payloads.
    texts: Option<(Needle, Vec<u8>, Vec<u8>)>,
}

impl Unread {
    fn len(&self) -> usize {
        let texts = self.texts.as_ref();
        self.meta.as_ref().map_or(0, Vec::len)
            + texts.map_or(0, |(_, keys, payload)| keys.len() + payload.len())
    }
}

/// Reads what is needed of a block; none if its filters say that it holds nothing.
fn read(
    parts: &mut Parts<'_>,
    condition: &Condition,
    header: Header,
    must_read: impl Fn(&Header) -> bool,
) -> Result<Option<Unread>, StoreError> {
    if condition.holds_for_all(&header) && !must_read(&header) {
        return Ok(Some(Unread {
            header,
            meta: None,
            texts: None,
        }));
    }
    if let Some(contact) = condition.contact {
        let may = parts.contacts(&header, |bits| may_hold_contact(bits, contact - 1))?;
        let may = may
            .unwrap_or(Ok(true))
            .map_err(|damage| damaged(&header, damage))?;
        if !may {
            return Ok(None);
        }
    }
    let mut texts = None;
    if let Some(needle) = &condition.needle {
        let needle = parts
            .grams(&header, |grams| Ok(needle.narrowed(stored_grams(grams)?)))?
            .map_err(|damage| damaged(&header, damage))?;
        let Some(needle) = needle else {
            return Ok(None);
        };
        let (keys, payload) = parts.keys_and_payload(&header)?;
        texts = Some((needle, keys, payload));
    }
    let meta = Some(parts.meta(&header)?);
    Ok(Some(Unread {
        header,
        meta,
        texts,
    }))
}

/// Looks through blocks on all cores; the results are in their order.
fn look_through(unread: Vec<Unread>, walk: &Walk<'_>) -> Vec<Result<Found, StoreError>> {
    in_parallel(unread, |blocks| {
        let mut unpacker = Unpacker::new();
        let look = |block: Unread| {
            let rows = match &mut unpacker {
                Ok(unpacker) => rows(&block, walk, unpacker),
                Err(damage) => Err(*damage),
            };
            match rows {
                Ok(rows) => Ok(Found {
                    header: block.header,
                    rows,
                }),
                Err(damage) => Err(damaged(&block.header, damage)),
            }
        };
        blocks.into_iter().map(look).collect()
    })
}

fn rows(block: &Unread, walk: &Walk<'_>, unpacker: &mut Unpacker) -> Decoded<Rows> {
    let header = &block.header;
    let Some(meta) = &block.meta else {
        return Ok(Rows::All);
    };
    let meta = Meta::decode(meta, header.n, unpacker)?;
    let mut rows = walk.condition.rows(header, &meta, walk.numbers)?;
    if let Some((needle, keys, payload)) = &block.texts {
        keep_containing(needle, header, (keys, payload), &mut rows, unpacker)?;
    }
    Ok(Rows::Some(rows, meta))
}

/// Does something with items on all cores, a part of them on each; the results are in the items' order.
pub(super) fn in_parallel<T: Send, R: Send>(
    mut items: Vec<T>,
    work: impl Fn(Vec<T>) -> Vec<R> + Sync,
) -> Vec<R> {
    let cores = std::thread::available_parallelism()
        .map_or(1, usize::from)
        .min(8);
    if cores == 1 || items.len() < WORTH_A_THREAD {
        return work(items);
    }
    let share = items.len().div_ceil(cores);
    std::thread::scope(|scope| {
        let mut shares = Vec::new();
        while !items.is_empty() {
            let rest = items.split_off(items.len().min(share));
            shares.push(std::mem::replace(&mut items, rest));
        }
        let mut shares = shares.into_iter();
        let own = shares.next();
        let work = &work;
        let threads: Vec<_> = shares
            .map(|share| scope.spawn(move || work(share)))
            .collect();
        let mut results = own.map_or_else(Vec::new, work);
        for thread in threads {
            match thread.join() {
                Ok(more) => results.extend(more),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        results
    })
}
