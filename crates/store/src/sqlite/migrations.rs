//! Bringing a file to the schema that this program knows. Forward only: a migration is never edited once released.

use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode, TransactionBehavior};

use crate::StoreError;

/// In order; the version of a file is how many of them it has seen.
const MIGRATIONS: &[&str] = &[
    include_str!("../../migrations/sqlite/0001_init.sql"),
    include_str!("../../migrations/sqlite/0002_log.sql"),
];

/// Marks a file as Rollbook's: "RLBK".
const APPLICATION_ID: u32 = 0x524c_424b;

/// Takes the file, new or old, to the latest schema. Any number of processes may do so at once.
pub(super) fn migrate(connection: &mut Connection) -> Result<(), StoreError> {
    let known = version_number(MIGRATIONS.len());
    if version(connection)? == known && application(connection)? == APPLICATION_ID {
        return use_wal(connection);
    }
    // The size of pages can only be chosen before the first one is written.
    connection.pragma_update(None, "page_size", 8192)?;
    use_wal(connection)?;
    let tx = connection.transaction_with_behavior(TransactionBehavior::Exclusive)?;
    let found = version(&tx)?; // Again, now that no other process can change it.
    if found > known {
        return Err(StoreError::Newer { found, known });
    }
    if application(&tx)? != APPLICATION_ID && !is_empty(&tx)? {
        return Err(StoreError::Damaged(
            "the file is a database of another program; choose another file".to_owned(),
        ));
    }
    for migration in MIGRATIONS.iter().skip(found as usize) {
        tx.execute_batch(migration)?;
    }
    tx.pragma_update(None, "application_id", APPLICATION_ID)?;
    tx.pragma_update(None, "user_version", known)?;
    tx.commit()?;
    Ok(())
}

/// Changing the journal mode does not wait for other connections by itself.
fn use_wal(connection: &Connection) -> Result<(), StoreError> {
    let start = Instant::now();
    loop {
        match connection.pragma_update(None, "journal_mode", "wal") {
            Err(error)
                if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
                    && start.elapsed() < Duration::from_secs(30) =>
            {
                std::thread::sleep(Duration::from_millis(5));
            }
            outcome => return Ok(outcome?),
        }
    }
}

fn version(connection: &Connection) -> Result<u32, StoreError> {
    Ok(connection.pragma_query_value(None, "user_version", |row| row.get(0))?)
}

fn application(connection: &Connection) -> Result<u32, StoreError> {
    Ok(connection.pragma_query_value(None, "application_id", |row| row.get(0))?)
}

fn is_empty(connection: &Connection) -> Result<bool, StoreError> {
    let tables: u32 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    Ok(tables == 0)
}

fn version_number(migrations: usize) -> u32 {
    u32::try_from(migrations).unwrap_or(u32::MAX)
}
