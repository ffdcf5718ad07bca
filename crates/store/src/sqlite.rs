//! The embedded store: one SQLite file in WAL mode, one writer thread per process, readers beside it.
//!
//! Several processes may open the file. Everything that a transaction relies on is read in that transaction. The one
//! thing that is remembered, the index of identifiers, is compared with the file before it is used, and catches up.

mod accounts;
mod audit;
mod checkpoint;
mod codec;
mod commit;
mod contacts;
mod erasures;
mod heads;
mod identifiers;
mod identities;
mod imports;
mod invitations;
mod log;
mod makers;
mod migrations;
mod notifications;
mod outbox;
mod pack;
mod profiles;
mod readers;
mod receiving;
mod replays;
mod retention;
mod sessions;
mod sources;
mod turns;
mod undo;
mod upkeep;
mod webhooks;
mod workspaces;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, Transaction};

use crate::commit::Payload;
use crate::log::{Attempt, AttemptId, Corrected, Log, LogFilter, LogPage, LogSummary, Paging};
use crate::{IndexSize, Store, StoreError, Timestamp, WorkspaceId};
#[doc(hidden)]
pub use log::speed::log_speed;

use identifiers::Identifiers;
use readers::Readers;
use receiving::Receiving;
pub(crate) use upkeep::{copy, inspect, replace};
use writer::Writer;

/// How long to sleep before looking again whether the file is free, and how often to look: about a minute in all.
const BUSY_PAUSE: Duration = Duration::from_micros(500);
const BUSY_LOOKS: i32 = 100_000;

/// The embedded store.
pub(crate) struct Sqlite {
    // Before the readers, so that it is dropped first: what waits is still written.
    writer: Writer,
    readers: Readers,
    identifiers: Arc<Identifiers>,
    receiving: Arc<Receiving>,
    path: PathBuf,
}

impl Sqlite {
    /// Opens the file, making it if it is not there, and takes it to the latest schema.
    pub(crate) fn open(path: &Path) -> Result<Sqlite, StoreError> {
        check_place(path)?;
        let mut connection = connect(path)?;
        migrations::migrate(&mut connection).map_err(|error| named(path, error))?;
        connection.execute_batch(
            "PRAGMA synchronous = FULL;
             -- Most of what it writes is appended, and what it looks up lies in the system's cache as well.
             PRAGMA cache_size = -8192;
             PRAGMA temp_store = MEMORY;
             -- What is deleted belongs to people: it must not stay in pages that nobody uses.
             PRAGMA secure_delete = ON;",
        )?;
        let identifiers = Arc::new(Identifiers::open(&connection)?);
        Ok(Sqlite {
            writer: Writer::start(path, connection, Arc::clone(&identifiers))?,
            readers: Readers::new(path),
            identifiers,
            receiving: Arc::default(),
            path: path.to_owned(),
        })
    }
}

#[async_trait]
impl Store for Sqlite {
    async fn prepare(&self) -> Result<(), StoreError> {
        self.writer
            .write_alone(|writing| {
                writing
                    .identifiers
                    .refresh(&writing.tx, &mut writing.pending)
            })
            .await
    }

    fn index_size(&self) -> IndexSize {
        let (identifiers, bytes) = self.identifiers.size();
        IndexSize { identifiers, bytes }
    }
}

#[async_trait]
impl Log for Sqlite {
    async fn page(
        &self,
        workspace: WorkspaceId,
        filter: LogFilter,
        paging: Paging,
        limit: u32,
    ) -> Result<LogPage, StoreError> {
        let long = filter.looks_through();
        let work =
            move |connection: &Connection| log::page(connection, workspace, &filter, paging, limit);
        if long {
            self.readers.read_long(work).await
        } else {
            self.readers.read(work).await
        }
    }

    async fn page_with_payloads(
        &self,
        workspace: WorkspaceId,
        filter: LogFilter,
        paging: Paging,
        limit: u32,
    ) -> Result<Vec<(Attempt, Payload)>, StoreError> {
        let long = filter.looks_through();
        let work = move |connection: &Connection| {
            log::page_with_payloads(connection, workspace, &filter, paging, limit)
        };
        if long {
            self.readers.read_long(work).await
        } else {
            self.readers.read(work).await
        }
    }

    async fn summary(
        &self,
        workspace: WorkspaceId,
        filter: LogFilter,
        buckets: u16,
    ) -> Result<LogSummary, StoreError> {
        let long = filter.looks_through();
        let work =
            move |connection: &Connection| log::summary(connection, workspace, &filter, buckets);
        if long {
            self.readers.read_long(work).await
        } else {
            self.readers.read(work).await
        }
    }

    async fn attempt(
        &self,
        workspace: WorkspaceId,
        id: AttemptId,
    ) -> Result<Option<(Attempt, Payload)>, StoreError> {
        self.readers
            .read(move |connection| log::attempt(connection, workspace, id))
            .await
    }

    async fn replays(
        &self,
        workspace: WorkspaceId,
        id: AttemptId,
    ) -> Result<Vec<AttemptId>, StoreError> {
        self.readers
            .read(move |connection| replays::of(connection, workspace, id))
            .await
    }

    async fn replayed(
        &self,
        workspace: WorkspaceId,
        first: u64,
        last: u64,
    ) -> Result<Vec<u64>, StoreError> {
        self.readers
            .read(move |connection| replays::between(connection, workspace, first, last))
            .await
    }

    async fn erase_attempts(
        &self,
        workspace: WorkspaceId,
        filter: LogFilter,
        after: u64,
    ) -> Result<Corrected, StoreError> {
        self.writer
            .write_alone(move |writing| log::correct::erase(&writing.tx, workspace, &filter, after))
            .await
    }

    async fn drop_attempts(
        &self,
        workspace: WorkspaceId,
        before: Timestamp,
    ) -> Result<Corrected, StoreError> {
        self.writer
            .write_alone(move |writing| {
                let dropped = log::correct::drop_old(&writing.tx, workspace, before)?;
                Ok(Corrected {
                    attempts: dropped.attempts,
                    next: dropped.last.filter(|_| dropped.more),
                })
            })
            .await
    }

    async fn latest(&self, workspace: WorkspaceId) -> Result<Option<(u64, Timestamp)>, StoreError> {
        self.readers
            .read(move |connection| log::latest(connection, workspace))
            .await
    }
}

/// Says what is wrong with the place before SQLite says only that it is unable.
fn check_place(path: &Path) -> Result<(), StoreError> {
    let open = |reason: String| StoreError::Open {
        path: path.to_owned(),
        reason,
    };
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    if !folder.is_dir() {
        return Err(open(format!(
            "the folder `{}` does not exist; create it first",
            folder.display()
        )));
    }
    if path.is_dir() {
        return Err(open("it is a folder; name a file in it".to_owned()));
    }
    Ok(())
}

/// A connection that waits while another process writes.
fn connect(path: &Path) -> Result<Connection, StoreError> {
    let mut connection = Connection::open(path).map_err(|error| named(path, error.into()))?;
    connection.busy_handler(Some(|looks: i32| {
        std::thread::sleep(BUSY_PAUSE);
        looks < BUSY_LOOKS
    }))?;
    connection.set_prepared_statement_cache_capacity(128);
    // Without it some statements are prepared anew for each value that is bound to them, and to no use: nothing is known
    // here of how values are spread.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    rusqlite::vtab::array::load_module(&connection)?;
    Ok(connection)
}

/// A connection that cannot write.
fn connect_reader(path: &Path) -> Result<Connection, StoreError> {
    let connection = connect(path)?;
    connection.execute_batch(
        "PRAGMA query_only = ON;
         PRAGMA cache_size = -16384;
         PRAGMA temp_store = MEMORY;",
    )?;
    Ok(connection)
}

/// Adds the file's name where SQLite leaves it out.
fn named(path: &Path, error: StoreError) -> StoreError {
    match error {
        StoreError::Sqlite(error) => StoreError::Open {
            path: path.to_owned(),
            reason: error.to_string(),
        },
        StoreError::Damaged(reason) => StoreError::Open {
            path: path.to_owned(),
            reason,
        },
        error => error,
    }
}

/// Makes sure that a workspace exists.
fn check_workspace(tx: &Transaction<'_>, workspace: WorkspaceId) -> Result<(), StoreError> {
    let there = tx
        .prepare_cached("SELECT 1 FROM workspace WHERE id = ?1")?
        .exists([workspace.0])?;
    touched(usize::from(there), || format!("workspace {}", workspace.0))
}

/// A number as SQLite keeps it. Comes back from [`counted`] unchanged, whatever it is.
fn stored(number: u64) -> i64 {
    number.cast_signed()
}

/// A number from where SQLite keeps it.
fn counted(number: i64) -> u64 {
    number.cast_unsigned()
}

/// Whether a statement touched the row it was meant for.
fn touched(rows: usize, what: impl FnOnce() -> String) -> Result<(), StoreError> {
    if rows == 0 {
        Err(StoreError::Missing(what()))
    } else {
        Ok(())
    }
}
