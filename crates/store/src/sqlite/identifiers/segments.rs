//! The index on disk: a chain of segments.
//!
//! A segment has the numbers of the transactions that wrote it, and for each step the way from the row before (zigzag
//! varint) and the hash in eight bytes, little end first, whose free bit says whether the entry was won; before them
//! format version and checksum. Steps are in the order in which they happened: the last one about an entry is the one
//! that counts, so it does no harm to read one again.

use rusqlite::{Connection, Transaction};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::{Entry, FREE_BIT, Step};
use crate::StoreError;
use crate::sqlite::codec::{Damage, Decoded, Reader, Writer, seal, unseal};
use crate::sqlite::contacts::RowId;

/// Entries with which a segment is large enough to stay as it is.
const LARGE: usize = if cfg!(test) { 64 } else { 4096 };

/// Small segments in a row that are merged into one. Few are read quickly; merging more rarely writes less.
const SMALL_ONES: usize = if cfg!(test) { 4 } else { 32 };

/// Bytes of a digest.
const DIGEST: usize = 8;

/// Where the segments end: the number of the last transaction, and a digest of the chain up to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct End {
    pub(super) seq: i64,
    digest: i64,
}

/// Why segments could not be read.
pub(super) enum Unread {
    /// They were never written: the file is from before there were any.
    Missing,
    /// They are not as they were written.
    Damaged(String),
    Store(StoreError),
}

impl From<StoreError> for Unread {
    fn from(error: StoreError) -> Unread {
        match error {
            // The file itself can be read, or nobody would have come here; a part of it cannot.
            StoreError::Damaged(reason) => Unread::Damaged(reason),
            error => Unread::Store(error),
        }
    }
}

impl From<rusqlite::Error> for Unread {
    fn from(error: rusqlite::Error) -> Unread {
        StoreError::from(error).into()
    }
}

/// Where the segments end in the connection's state of the database.
pub(super) fn end(connection: &Connection) -> Result<End, StoreError> {
    Ok(connection
        .prepare_cached("SELECT identifier_seq, identifier_digest FROM installation")?
        .query_row([], |row| {
            Ok(End {
                seq: row.get(0)?,
                digest: row.get(1)?,
            })
        })?)
}

/// Whether one end has grown out of another: the chain has the known digest where it had that end.
pub(super) fn continues(connection: &Connection, known: End, end: End) -> Result<bool, StoreError> {
    if known.seq >= end.seq {
        return Ok(known == end);
    }
    let mut statement = connection.prepare_cached(
        "SELECT last_seq, digests
         FROM identifier_segment
         WHERE last_seq >= ?1
         ORDER BY last_seq
         LIMIT 1",
    )?;
    let mut rows = statement.query([known.seq])?;
    let Some(row) = rows.next()? else {
        return Ok(false);
    };
    let last: i64 = row.get(0)?;
    let digests = row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?;
    let behind = usize::try_from(last - known.seq).unwrap_or(usize::MAX);
    let digest = digests.rchunks_exact(DIGEST).nth(behind);
    Ok(digest == Some(&known.digest.to_le_bytes()))
}

/// How many entries all segments have, as far as contacts and bytes make that likely.
pub(super) fn entries(connection: &Connection) -> Result<usize, StoreError> {
    let entries: i64 = connection
        .prepare_cached(
            "SELECT min(
                 (SELECT coalesce(sum(length(data)), 0) / 9 FROM identifier_segment),
                 (SELECT coalesce(sum(contacts), 0) * 3 FROM workspace)
             )",
        )?
        .query_row([], |row| row.get(0))?;
    Ok(usize::try_from(entries).unwrap_or(0))
}

/// Reads the segments behind one end up to another.
pub(super) fn read(
    connection: &Connection,
    known: End,
    end: End,
    mut each: impl FnMut(Step),
) -> Result<(), Unread> {
    if end.seq < 0 {
        return Err(Unread::Missing);
    }
    let mut statement = connection.prepare_cached(
        "SELECT first_seq, last_seq, data
         FROM identifier_segment
         WHERE last_seq > ?1 AND last_seq <= ?2
         ORDER BY last_seq",
    )?;
    let mut rows = statement.query([known.seq, end.seq])?;
    let mut reached = known.seq;
    while let Some(row) = rows.next()? {
        let (first, last): (i64, i64) = (row.get(0)?, row.get(1)?);
        if first > reached + 1 {
            return Err(Unread::Damaged(format!(
                "segment {} is missing",
                reached + 1
            )));
        }
        let data = row.get_ref(2)?.as_blob().map_err(rusqlite::Error::from)?;
        decode(data, &mut each)
            .map_err(|Damage(what)| Unread::Damaged(format!("segment {last}: {what}")))?;
        reached = last;
    }
    if reached == end.seq {
        Ok(())
    } else {
        Err(Unread::Damaged(format!(
            "segment {} is missing",
            reached + 1
        )))
    }
}

/// Writes a segment behind all others. Returns the new end.
pub(super) fn append(tx: &Transaction<'_>, steps: &[Step]) -> Result<End, StoreError> {
    let end = add(tx, end(tx)?, steps)?;
    set_end(tx, end)?;
    if steps.len() < LARGE && end.seq % i64::try_from(SMALL_ONES).unwrap_or(1) == 0 {
        merge(tx)?;
    }
    Ok(end)
}

fn add(tx: &Transaction<'_>, end: End, steps: &[Step]) -> Result<End, StoreError> {
    let data = encode(steps);
    let seq = end.seq + 1;
    let digest = xxh3_64_with_seed(&data, end.digest.cast_unsigned()).cast_signed();
    let digests = digest.to_le_bytes();
    insert(tx, (seq, seq), steps.len(), &digests, &data)?;
    Ok(End { seq, digest })
}

fn insert(
    tx: &Transaction<'_>,
    (first, last): (i64, i64),
    entries: usize,
    digests: &[u8],
    data: &[u8],
) -> Result<(), StoreError> {
    tx.prepare_cached(
        "INSERT INTO identifier_segment (last_seq, first_seq, entries, digests, data)
         VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute((
        last,
        first,
        i64::try_from(entries).unwrap_or(i64::MAX),
        digests,
        data,
    ))?;
    Ok(())
}

fn set_end(tx: &Transaction<'_>, end: End) -> Result<(), StoreError> {
    tx.prepare_cached("UPDATE installation SET identifier_seq = ?1, identifier_digest = ?2")?
        .execute((end.seq, end.digest))?;
    Ok(())
}

/// Makes one segment of the small ones at the end.
fn merge(tx: &Transaction<'_>) -> Result<(), StoreError> {
    let mut statement = tx.prepare_cached(
        "SELECT first_seq, last_seq, entries, digests
         FROM identifier_segment
         ORDER BY last_seq DESC",
    )?;
    let mut rows = statement.query([])?;
    let mut segments = 0;
    let mut entries = 0;
    // The numbers of the merged segment, and the digests of those in it, the last segment first.
    let mut merged: Option<(i64, i64)> = None;
    let mut digests: Vec<Vec<u8>> = Vec::new();
    while let Some(row) = rows.next()? {
        let more = usize::try_from(row.get::<_, i64>(2)?).unwrap_or(LARGE);
        if more >= LARGE {
            break;
        }
        let first = row.get(0)?;
        merged = match merged {
            None => Some((first, row.get(1)?)),
            Some((_, last)) => Some((first, last)),
        };
        digests.push(row.get(3)?);
        entries += more;
        segments += 1;
        if entries >= LARGE {
            break;
        }
    }
    drop(rows);
    let Some((first, last)) = merged.filter(|_| segments > 1) else {
        return Ok(());
    };
    let digests: Vec<u8> = digests.into_iter().rev().flatten().collect();
    let mut steps = Vec::with_capacity(entries);
    let at = |seq| End { seq, digest: 0 };
    match read(tx, at(first - 1), at(last), |step| steps.push(step)) {
        Ok(()) => {}
        // Whoever reads the chain next will find it and mend it.
        Err(Unread::Damaged(_) | Unread::Missing) => return Ok(()),
        Err(Unread::Store(error)) => return Err(error),
    }
    tx.prepare_cached("DELETE FROM identifier_segment WHERE last_seq BETWEEN ?1 AND ?2")?
        .execute((first, last))?;
    insert(tx, (first, last), steps.len(), &digests, &encode(&steps))
}

/// A chain being written anew.
pub(super) struct Rebuilding<'a> {
    tx: &'a Transaction<'a>,
    /// Where the old chain ended: other processes must see that something came after it.
    old_end: i64,
    end: Option<End>,
    steps: Vec<Step>,
}

/// Entries of a segment of a chain that is written anew.
const REBUILT: usize = 1 << 16;

impl<'a> Rebuilding<'a> {
    /// Drops the old chain.
    pub(super) fn begin(tx: &'a Transaction<'a>) -> Result<Rebuilding<'a>, StoreError> {
        let highest: i64 = tx.query_row(
            "SELECT max((SELECT max(identifier_seq, 0) FROM installation),
                        (SELECT coalesce(max(last_seq), 0) FROM identifier_segment))",
            [],
            |row| row.get(0),
        )?;
        tx.execute("DELETE FROM identifier_segment", [])?;
        Ok(Rebuilding {
            tx,
            old_end: highest,
            end: None,
            steps: Vec::new(),
        })
    }

    /// Adds an entry.
    pub(super) fn push(&mut self, entry: Entry) -> Result<(), StoreError> {
        self.steps.push(Step { entry, won: true });
        if self.steps.len() >= REBUILT {
            self.write()?;
        }
        Ok(())
    }

    /// Where the new chain ends.
    pub(super) fn finish(mut self) -> Result<End, StoreError> {
        self.write()?;
        let end = self.end.unwrap_or_default();
        set_end(self.tx, end)?;
        Ok(end)
    }

    fn write(&mut self) -> Result<(), StoreError> {
        let steps = std::mem::take(&mut self.steps);
        self.end = Some(if let Some(end) = self.end {
            add(self.tx, end, &steps)?
        } else {
            // The first one stands for every transaction before.
            let data = encode(&steps);
            let seq = self.old_end + 1;
            let digest = xxh3_64_with_seed(&data, 0).cast_signed();
            let digests = digest.to_le_bytes();
            insert(self.tx, (1, seq), steps.len(), &digests, &data)?;
            End { seq, digest }
        });
        Ok(())
    }
}

fn encode(steps: &[Step]) -> Vec<u8> {
    let mut writer = Writer(Vec::with_capacity(steps.len() * 10));
    let mut previous = 0;
    for Step { entry, won } in steps {
        let row = entry.row.bits();
        writer.step(previous, row);
        previous = row;
        let flag = if *won { FREE_BIT } else { 0 };
        writer
            .0
            .extend_from_slice(&(entry.hash | flag).to_le_bytes());
    }
    seal(&writer.0)
}

fn decode(data: &[u8], each: &mut impl FnMut(Step)) -> Decoded<()> {
    let mut reader = Reader(unseal(data)?);
    let mut row = 0;
    while !reader.0.is_empty() {
        row = reader.step(row)?;
        let bytes = reader.take(8)?.try_into();
        let hash = u64::from_le_bytes(bytes.map_err(|_| Damage("a hash is cut off"))?);
        each(Step {
            entry: Entry {
                hash: hash & !FREE_BIT,
                row: RowId::from_bits(row),
            },
            won: hash & FREE_BIT != 0,
        });
    }
    Ok(())
}
