//! Bringing a file to the schema that this program knows. Forward only: a migration is never edited once released.

use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode, Transaction, TransactionBehavior};

use crate::StoreError;

/// In order; the version of a file is how many of them it has seen.
const MIGRATIONS: &[&str] = &[
    include_str!("../../migrations/sqlite/0001_init.sql"),
    include_str!("../../migrations/sqlite/0002_log.sql"),
    include_str!("../../migrations/sqlite/0003_identifier_segments.sql"),
    include_str!("../../migrations/sqlite/0004_import_kinds.sql"),
    include_str!("../../migrations/sqlite/0005_replays.sql"),
    include_str!("../../migrations/sqlite/0006_import_edits.sql"),
    include_str!("../../migrations/sqlite/0007_undo.sql"),
    include_str!("../../migrations/sqlite/0008_outbox.sql"),
    include_str!("../../migrations/sqlite/0009_import_drift.sql"),
    include_str!("../../migrations/sqlite/0010_mapping_profiles.sql"),
    include_str!("../../migrations/sqlite/0011_memberships.sql"),
    include_str!("../../migrations/sqlite/0012_audit.sql"),
    include_str!("../../migrations/sqlite/0013_people.sql"),
    include_str!("../../migrations/sqlite/0014_known_devices.sql"),
    include_str!("../../migrations/sqlite/0015_key_rotation.sql"),
    include_str!("../../migrations/sqlite/0016_identities.sql"),
    include_str!("../../migrations/sqlite/0017_privacy.sql"),
    include_str!("../../migrations/sqlite/0018_webhooks.sql"),
];

/// Marks a file as Rollbook's: "RLBK".
const APPLICATION_ID: u32 = 0x524c_424b;

/// Takes the file, new or old, to the latest schema. Any number of processes may do so at once.
pub(super) fn migrate(connection: &mut Connection) -> Result<(), StoreError> {
    // Look before anything is changed: the file may not be ours.
    let tx = connection.transaction_with_behavior(TransactionBehavior::Deferred)?;
    let found = check(&tx)?;
    tx.finish()?;
    // The size of pages can only be chosen before the first one is written.
    connection.pragma_update(None, "page_size", 8192)?;
    use_wal(connection)?;
    if found == known() {
        return Ok(());
    }
    let tx = connection.transaction_with_behavior(TransactionBehavior::Exclusive)?;
    // Again, now that no other process can change it.
    let found = check(&tx)?;
    for migration in MIGRATIONS.iter().skip(found as usize) {
        tx.execute_batch(migration)?;
    }
    tx.pragma_update(None, "application_id", APPLICATION_ID)?;
    tx.pragma_update(None, "user_version", known())?;
    tx.commit()?;
    Ok(())
}

/// Makes a file as an older version made it.
#[cfg(test)]
pub(super) fn migrate_to(connection: &mut Connection, version: u32) -> Result<(), StoreError> {
    let tx = connection.transaction()?;
    for migration in MIGRATIONS.iter().take(version as usize) {
        tx.execute_batch(migration)?;
    }
    tx.pragma_update(None, "application_id", APPLICATION_ID)?;
    tx.pragma_update(None, "user_version", version)?;
    Ok(tx.commit()?)
}

/// How many migrations the file has seen; an error if it is not ours or made by a newer program.
fn check(tx: &Transaction<'_>) -> Result<u32, StoreError> {
    let pragma = |name| tx.pragma_query_value(None, name, |row| row.get::<_, u32>(0));
    let tables: u32 = tx.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if tables > 0 && pragma("application_id")? != APPLICATION_ID {
        return Err(StoreError::Damaged(
            "it is a database of another program; choose another file".to_owned(),
        ));
    }
    let found = pragma("user_version")?;
    let known = known();
    if found > known {
        return Err(StoreError::Newer { found, known });
    }
    Ok(found)
}

/// How many migrations the file has seen, without changing it; an error if it is not ours.
pub(super) fn version(connection: &Connection) -> Result<u32, StoreError> {
    let tx = connection.unchecked_transaction()?;
    let found = match check(&tx) {
        Err(StoreError::Newer { found, .. }) => found,
        found => found?,
    };
    tx.finish()?;
    Ok(found)
}

/// The version of a file that has seen every migration.
pub(super) fn known() -> u32 {
    u32::try_from(MIGRATIONS.len()).unwrap_or(u32::MAX)
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
