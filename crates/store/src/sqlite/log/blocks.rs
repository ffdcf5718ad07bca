//! Blocks in their tables.

use rusqlite::{CachedStatement, Connection, OptionalExtension, Row, Transaction, params};

use super::super::codec::Damage;
use super::block::{Encoded, Header};
use crate::log::ResultCounts;
use crate::{StoreError, Timestamp, WorkspaceId};

/// What is read of a header, in the order of [`header`].
macro_rules! select_header {
    ($rest:literal) => {
        concat!(
            "SELECT first_no, last_no, n, min_at, max_at,
                    success, warning, failure, success_before, warning_before, failure_before,
                    outcomes, min_source, max_source, min_import, max_import, min_contact, max_contact, data
             FROM log_block ",
            $rest
        )
    };
}
pub(super) use select_header;

/// A number as SQLite keeps it.
pub(super) fn integer(number: u64) -> Result<i64, StoreError> {
    i64::try_from(number)
        .map_err(|_| StoreError::Damaged(format!("{number} is too large for the log")))
}

fn natural(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    let number: i64 = row.get(column)?;
    u64::try_from(number).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(column, number))
}

pub(super) fn header(row: &Row<'_>) -> rusqlite::Result<Header> {
    let counts = |first| -> rusqlite::Result<ResultCounts> {
        Ok(ResultCounts {
            success: natural(row, first)?,
            warning: natural(row, first + 1)?,
            failure: natural(row, first + 2)?,
        })
    };
    let span = |first| -> rusqlite::Result<(u64, u64)> {
        Ok((natural(row, first)?, natural(row, first + 1)?))
    };
    Ok(Header {
        first_no: natural(row, 0)?,
        last_no: natural(row, 1)?,
        n: natural(row, 2)?,
        min_at: Timestamp(row.get(3)?),
        max_at: Timestamp(row.get(4)?),
        counts: counts(5)?,
        before: counts(8)?,
        outcomes: natural(row, 11)?,
        sources: span(12)?,
        imports: span(14)?,
        contacts: span(16)?,
        data: row.get(18)?,
    })
}

/// The newest block.
pub(super) fn last(
    conn: &Connection,
    workspace: WorkspaceId,
) -> Result<Option<Header>, StoreError> {
    conn.prepare_cached(select_header!(
        "WHERE workspace = ?1
         ORDER BY last_no DESC
         LIMIT 1"
    ))?
    .query_row([workspace.0], header)
    .optional()
    .map_err(StoreError::from)
}

/// The first block that ends at this number or later.
pub(super) fn reaching(
    conn: &Connection,
    workspace: WorkspaceId,
    number: u64,
) -> Result<Option<Header>, StoreError> {
    let Ok(number) = i64::try_from(number) else {
        return Ok(None);
    };
    conn.prepare_cached(select_header!(
        "WHERE workspace = ?1
           AND last_no >= ?2
         ORDER BY last_no
         LIMIT 1"
    ))?
    .query_row(params![workspace.0, number], header)
    .optional()
    .map_err(StoreError::from)
}

/// The first block that ends at this time or later.
pub(super) fn lasting_until(
    conn: &Connection,
    workspace: WorkspaceId,
    time: Timestamp,
) -> Result<Option<Header>, StoreError> {
    conn.prepare_cached(select_header!(
        "WHERE workspace = ?1
           AND max_at >= ?2
         ORDER BY max_at, last_no
         LIMIT 1"
    ))?
    .query_row(params![workspace.0, time.0], header)
    .optional()
    .map_err(StoreError::from)
}

/// Stores a block behind all others and gives its header the counts before it.
pub(super) fn insert(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    encoded: &mut Encoded,
    last: Option<&Header>,
) -> Result<(), StoreError> {
    if let Some(last) = last {
        encoded.header.before = ResultCounts {
            success: last.before.success + last.counts.success,
            warning: last.before.warning + last.counts.warning,
            failure: last.before.failure + last.counts.failure,
        };
    }
    tx.prepare_cached(
        "INSERT INTO log_data (meta, grams, keys, detail, payload)
         VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute(params![
        encoded.meta,
        encoded.grams,
        encoded.keys,
        encoded.detail,
        encoded.payload
    ])?;
    encoded.header.data = tx.last_insert_rowid();
    if let Some(contacts) = &encoded.contacts {
        tx.prepare_cached(
            "INSERT INTO log_contacts (id, bits)
             VALUES (?1, ?2)",
        )?
        .execute(params![encoded.header.data, contacts])?;
    }
    let header = &encoded.header;
    tx.prepare_cached(
        "INSERT INTO log_block (
             workspace, first_no, last_no, n, min_at, max_at,
             success, warning, failure, success_before, warning_before, failure_before,
             outcomes, min_source, max_source, min_import, max_import, min_contact, max_contact, data
         )
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20)",
    )?
    .execute(params![
        workspace.0,
        integer(header.first_no)?,
        integer(header.last_no)?,
        integer(header.n)?,
        header.min_at.0,
        header.max_at.0,
        integer(header.counts.success)?,
        integer(header.counts.warning)?,
        integer(header.counts.failure)?,
        integer(header.before.success)?,
        integer(header.before.warning)?,
        integer(header.before.failure)?,
        integer(header.outcomes)?,
        integer(header.sources.0)?,
        integer(header.sources.1)?,
        integer(header.imports.0)?,
        integer(header.imports.1)?,
        integer(header.contacts.0)?,
        integer(header.contacts.1)?,
        header.data,
    ])?;
    Ok(())
}

/// Writes the contents of a block anew; its header stays.
pub(super) fn replace_contents(
    tx: &Transaction<'_>,
    header: &Header,
    encoded: &Encoded,
) -> Result<(), StoreError> {
    tx.prepare_cached(
        "UPDATE log_data
         SET meta = ?2, grams = ?3, keys = ?4, detail = ?5, payload = ?6
         WHERE id = ?1",
    )?
    .execute(params![
        header.data,
        encoded.meta,
        encoded.grams,
        encoded.keys,
        encoded.detail,
        encoded.payload
    ])?;
    Ok(())
}

/// The first blocks, oldest first.
pub(super) fn oldest(
    conn: &Connection,
    workspace: WorkspaceId,
    most: usize,
) -> Result<Vec<Header>, StoreError> {
    let mut statement = conn.prepare_cached(select_header!(
        "WHERE workspace = ?1
         ORDER BY last_no
         LIMIT ?2"
    ))?;
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let rows = statement.query_map(params![workspace.0, most], header)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Removes a block with its contents.
pub(super) fn remove(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    header: &Header,
) -> Result<(), StoreError> {
    tx.prepare_cached("DELETE FROM log_data WHERE id = ?1")?
        .execute([header.data])?;
    tx.prepare_cached("DELETE FROM log_contacts WHERE id = ?1")?
        .execute([header.data])?;
    tx.prepare_cached("DELETE FROM log_block WHERE workspace = ?1 AND last_no = ?2")?
        .execute(params![workspace.0, integer(header.last_no)?])?;
    Ok(())
}

/// The statements that read the parts of a block; each walks over no more of it than it must.
pub(super) struct Parts<'conn> {
    meta: CachedStatement<'conn>,
    grams: CachedStatement<'conn>,
    keys_and_payload: CachedStatement<'conn>,
    keys_and_detail: CachedStatement<'conn>,
    payload: CachedStatement<'conn>,
    contacts: CachedStatement<'conn>,
}

impl<'conn> Parts<'conn> {
    pub(super) fn of(conn: &'conn Connection) -> Result<Parts<'conn>, StoreError> {
        Ok(Parts {
            meta: conn.prepare_cached("SELECT meta FROM log_data WHERE id = ?1")?,
            grams: conn.prepare_cached("SELECT grams FROM log_data WHERE id = ?1")?,
            keys_and_payload: conn
                .prepare_cached("SELECT keys, payload FROM log_data WHERE id = ?1")?,
            keys_and_detail: conn
                .prepare_cached("SELECT keys, detail FROM log_data WHERE id = ?1")?,
            payload: conn.prepare_cached("SELECT payload FROM log_data WHERE id = ?1")?,
            contacts: conn.prepare_cached("SELECT bits FROM log_contacts WHERE id = ?1")?,
        })
    }

    pub(super) fn meta(&mut self, header: &Header) -> Result<Vec<u8>, StoreError> {
        one(&mut self.meta, header, |row| row.get(0))
    }

    /// Looks at the filter of texts in place.
    pub(super) fn grams<T>(
        &mut self,
        header: &Header,
        look: impl FnOnce(&[u8]) -> T,
    ) -> Result<T, StoreError> {
        one(&mut self.grams, header, |row| {
            Ok(look(row.get_ref(0)?.as_blob()?))
        })
    }

    pub(super) fn keys_and_payload(
        &mut self,
        header: &Header,
    ) -> Result<(Vec<u8>, Vec<u8>), StoreError> {
        one(&mut self.keys_and_payload, header, |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
    }

    pub(super) fn keys_and_detail(
        &mut self,
        header: &Header,
    ) -> Result<(Vec<u8>, Vec<u8>), StoreError> {
        one(&mut self.keys_and_detail, header, |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
    }

    pub(super) fn payload(&mut self, header: &Header) -> Result<Vec<u8>, StoreError> {
        one(&mut self.payload, header, |row| row.get(0))
    }

    /// Looks at the filter of contacts in place; none if the block has none.
    pub(super) fn contacts<T>(
        &mut self,
        header: &Header,
        look: impl FnOnce(&[u8]) -> T,
    ) -> Result<Option<T>, StoreError> {
        self.contacts
            .query_row([header.data], |row| Ok(look(row.get_ref(0)?.as_blob()?)))
            .optional()
            .map_err(StoreError::from)
    }
}

fn one<T>(
    statement: &mut CachedStatement<'_>,
    header: &Header,
    read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
) -> Result<T, StoreError> {
    match statement.query_row([header.data], read).optional()? {
        Some(parts) => Ok(parts),
        None => Err(damaged(header, Damage("its contents are missing"))),
    }
}

/// The error that names the block.
pub(super) fn damaged(header: &Header, damage: Damage) -> StoreError {
    StoreError::Damaged(format!(
        "block of the log with attempts {} to {}: {}",
        header.first_no, header.last_no, damage.0
    ))
}
