//! Looking after the file: what waits, whether it is whole, copies of it.

use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use rollbook_engine::contact::ContactId;
use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, ErrorCode};

use super::identifiers;
use super::readers::{AT_ONCE, LONG_AT_ONCE};
use super::{Sqlite, connect, connect_reader, contacts, counted, migrations, named};
use crate::upkeep::{Counts, Inspection, Load, Queues, Upkeep};
use crate::{StoreError, Timestamp, WorkspaceId};

/// Contacts that cannot be read are listed up to this many.
const LISTED: usize = 100;

/// How long to wait before a copy looks again whether it may read.
const PAUSE: Duration = Duration::from_millis(20);

#[async_trait]
impl Upkeep for Sqlite {
    fn load(&self) -> Load {
        let reading = self.readers.reading();
        let writing = self.writer.load();
        Load {
            reads: reading.now,
            reads_at_most: AT_ONCE,
            long_reads: reading.long_now,
            long_reads_at_most: LONG_AT_ONCE,
            reads_done: reading.done,
            read_wait_micros: reading.waited_micros,
            writes_waiting: writing.waiting.load(Ordering::Relaxed),
            transactions: writing.transactions.load(Ordering::Relaxed),
            transaction_micros: writing.micros.load(Ordering::Relaxed),
        }
    }

    async fn queues(&self, now: Timestamp) -> Result<Queues, StoreError> {
        self.readers
            .read(move |connection| queues(connection, now))
            .await
    }

    async fn check(&self) -> Result<(), StoreError> {
        self.readers
            .read(|connection| {
                let found =
                    connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
                let known = migrations::known();
                if found > known {
                    return Err(StoreError::Newer { found, known });
                }
                Ok(connection.query_row("SELECT count(*) FROM installation", [], |_| Ok(()))?)
            })
            .await
    }
}

fn queues(connection: &Connection, now: Timestamp) -> Result<Queues, StoreError> {
    let mut queues = Queues::default();
    connection
        .prepare_cached(
            "SELECT coalesce(sum(state = 'queued'), 0),
                    min(created_at) FILTER (WHERE state = 'queued'),
                    coalesce(sum(state = 'running' AND lease_until > ?1), 0),
                    coalesce(sum(state = 'running' AND lease_until <= ?1), 0)
             FROM import
             WHERE state IN ('queued', 'running')",
        )?
        .query_row([now.0], |row| {
            queues.imports_waiting = counted(row.get(0)?);
            queues.oldest_import = row.get::<_, Option<i64>>(1)?.map(Timestamp);
            queues.imports_running = counted(row.get(2)?);
            queues.imports_abandoned = counted(row.get(3)?);
            Ok(())
        })?;
    // Each state has an index of its own, or few rows.
    connection
        .prepare_cached(
            "SELECT (SELECT count(*) FROM outbox WHERE state = 'queued')
                        + (SELECT count(*) FROM outbox WHERE state = 'sending'),
                    (SELECT min(since) FROM outbox WHERE state = 'queued'),
                    (SELECT count(*) FROM outbox WHERE state = 'failed')",
        )?
        .query_row([], |row| {
            queues.mails_waiting = counted(row.get(0)?);
            queues.oldest_mail = row.get::<_, Option<i64>>(1)?.map(Timestamp);
            queues.mails_failed = counted(row.get(2)?);
            Ok(())
        })?;
    Ok(queues)
}

/// See [`crate::copy`]. It copies all pages in one read transaction, so that writers are not held up and the copy never has to begin again.
pub(crate) fn copy(from: &Path, to: &Path) -> Result<(), StoreError> {
    let source = connect_reader(from)?;
    let mut target = Connection::open(to).map_err(|error| named(to, error.into()))?;
    let copying = Backup::new(&source, &mut target)?;
    loop {
        match copying.step(-1)? {
            StepResult::Done => break,
            StepResult::Busy | StepResult::Locked => std::thread::sleep(PAUSE),
            _ => {}
        }
    }
    drop(copying);
    // A copy stands alone: nothing of it is in a second file.
    target.pragma_update(None, "journal_mode", "delete")?;
    Ok(())
}

/// See [`crate::inspect`].
pub(crate) fn inspect(path: &Path, thorough: bool) -> Result<Inspection, StoreError> {
    if !path.is_file() {
        return Err(StoreError::Open {
            path: path.to_owned(),
            reason: "there is no such file".to_owned(),
        });
    }
    let connection = connect_reader(path)?;
    let version = migrations::version(&connection).map_err(|error| named(path, error))?;
    let mut inspection = Inspection {
        version,
        known: migrations::known(),
        damage: damage(&connection, thorough)?,
        counts: Counts::default(),
        index: None,
        unreadable: 0,
        unreadable_contacts: Vec::new(),
        latest: None,
    };
    if !inspection.damage.is_empty() {
        // What stands in a damaged file means nothing.
        return Ok(inspection);
    }
    let tx = connection.unchecked_transaction()?;
    inspection.counts = counts(&tx)?;
    if has(&tx, "log_block")? {
        let latest: Option<i64> = tx.query_row(
            "SELECT max(
                 coalesce((SELECT max(max_at) FROM log_block), 0),
                 coalesce((SELECT max(received_at) FROM log_tail), 0)
             )",
            [],
            |row| row.get(0),
        )?;
        inspection.latest = latest.filter(|at| *at > 0).map(Timestamp);
    }
    if has(&tx, "identifier_segment")? {
        inspection.index = identifiers::what_is_wrong(&tx)?;
    }
    if thorough && inspection.counts.contacts > 0 {
        contacts::each(&tx, |row, contact| {
            match contact {
                Ok(_) => {}
                Err(StoreError::Damaged(_)) => {
                    inspection.unreadable += 1;
                    if inspection.unreadable_contacts.len() < LISTED {
                        let contact: ContactId = row.contact();
                        let place: (WorkspaceId, ContactId) = (row.workspace(), contact);
                        inspection.unreadable_contacts.push(place);
                    }
                }
                Err(error) => return Err(error),
            }
            Ok(())
        })?;
    }
    tx.finish()?;
    Ok(inspection)
}

/// What SQLite finds wrong.
fn damage(connection: &Connection, thorough: bool) -> Result<Vec<String>, StoreError> {
    let pragma = if thorough {
        "PRAGMA integrity_check(20)"
    } else {
        "PRAGMA quick_check(20)"
    };
    let said: Vec<String> = {
        let mut statement = connection.prepare(pragma)?;
        let rows = statement.query_map([], |row| row.get(0))?;
        match rows.collect::<Result<_, _>>() {
            Ok(said) => said,
            Err(error) => match StoreError::from(error) {
                StoreError::Damaged(reason) => vec![reason],
                error => return Err(error),
            },
        }
    };
    Ok(said.into_iter().filter(|line| line != "ok").collect())
}

fn has(connection: &Connection, table: &str) -> Result<bool, StoreError> {
    Ok(connection
        .prepare_cached("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?1")?
        .exists([table])?)
}

fn counts(connection: &Connection) -> Result<Counts, StoreError> {
    let count = |table: &str, sql: &str| -> Result<u64, StoreError> {
        if !has(connection, table)? {
            return Ok(0);
        }
        Ok(counted(connection.query_row(sql, [], |row| row.get(0))?))
    };
    Ok(Counts {
        workspaces: count("workspace", "SELECT count(*) FROM workspace")?,
        contacts: count("contact", "SELECT count(*) FROM contact")?,
        attempts: count(
            "log_block",
            "SELECT coalesce((SELECT sum(n) FROM log_block), 0) + (SELECT count(*) FROM log_tail)",
        )?,
        imports: count("import", "SELECT count(*) FROM import")?,
        people: count("user", "SELECT count(*) FROM user")?,
    })
}

/// See [`crate::replace`].
pub(crate) fn replace(new: &Path, old: &Path) -> Result<(), StoreError> {
    let failed = |error: std::io::Error| StoreError::Open {
        path: old.to_owned(),
        reason: error.to_string(),
    };
    if old.is_file() {
        lock_alone(old)?;
        std::fs::remove_file(old).map_err(failed)?;
    }
    // What belonged to the old file must not be read into the new one.
    for end in ["-wal", "-shm"] {
        let mut beside = old.as_os_str().to_owned();
        beside.push(end);
        match std::fs::remove_file(&beside) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(failed(error));
            }
            _ => {}
        }
    }
    std::fs::rename(new, old).map_err(failed)?;
    let folder = match old.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    std::fs::File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(failed)
}

/// Makes sure that no other process has the file open. One that is no database any more is nobody's.
fn lock_alone(path: &Path) -> Result<(), StoreError> {
    let connection = connect(path)?;
    connection.busy_timeout(Duration::from_millis(200))?;
    let locked = connection.execute_batch(
        "PRAGMA locking_mode = EXCLUSIVE;
         BEGIN EXCLUSIVE;
         COMMIT;",
    );
    match locked.map_err(|error| (error.sqlite_error_code(), error)) {
        Err((Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt), _)) | Ok(()) => Ok(()),
        Err((_, error)) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_open_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let (old, new) = (folder.path().join("old.db"), folder.path().join("new.db"));
        let open = Sqlite::open(&old).unwrap();
        copy(&old, &new).unwrap();
        assert!(matches!(replace(&new, &old), Err(StoreError::Busy)));
        drop(open);
        replace(&new, &old).unwrap();
        assert!(!new.exists());
        drop(Sqlite::open(&old).unwrap());
    }

    #[test]
    fn an_older_file_is_inspected_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("old.db");
        migrations::migrate_to(&mut connect(&path).unwrap(), 1).unwrap();
        let found = inspect(&path, true).unwrap();
        assert_eq!(
            (found.version, found.known),
            (1, migrations::known()),
            "{found:?}"
        );
        assert_eq!((found.damage, found.counts), (vec![], Counts::default()));
        assert_eq!(inspect(&path, false).unwrap().version, 1);
        // A copy of it is as old, and becomes one of this version when it is opened.
        let copied = folder.path().join("copy.db");
        copy(&path, &copied).unwrap();
        assert_eq!(inspect(&copied, true).unwrap().version, 1);
        drop(Sqlite::open(&copied).unwrap());
        assert_eq!(inspect(&copied, true).unwrap().version, migrations::known());
    }

    #[test]
    fn damage_is_found_and_contacts_that_cannot_be_read_are_listed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rollbook.db");
        drop(Sqlite::open(&path).unwrap());
        let connection = connect(&path).unwrap();
        connection
            .execute_batch(
                "INSERT INTO contact (id, created_at, updated_at, data)
                 VALUES ((1 << 40) | 7, 0, 0, x'ff');
                 UPDATE installation SET identifier_seq = 3;",
            )
            .unwrap();
        let quick = inspect(&path, false).unwrap();
        assert_eq!((quick.unreadable, quick.counts.contacts), (0, 1));
        assert!(quick.index.unwrap().contains("missing"));
        let found = inspect(&path, true).unwrap();
        assert_eq!(found.unreadable, 1);
        assert_eq!(found.unreadable_contacts, [(WorkspaceId(1), ContactId(7))]);
        assert_eq!(found.damage, [""; 0]);
        connection
            .pragma_update(None, "journal_mode", "delete")
            .unwrap();
        drop(connection);
        // A page of the middle is overwritten.
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[8192..2 * 8192].fill(0xab);
        std::fs::write(&path, bytes).unwrap();
        assert!(!matches!(inspect(&path, false), Ok(found) if found.damage.is_empty()));
    }
}
