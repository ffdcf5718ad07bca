//! Connections that read, a few at a time, beside the writer.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use rusqlite::Connection;
use tokio::sync::Semaphore;

use crate::StoreError;

/// How many reads may run at once. More would only wait for the same processors.
pub(super) const AT_ONCE: usize = 8;

/// How many of them may be long ones, that look through much of the log. What only looks something up always finds a
/// place beside them.
pub(super) const LONG_AT_ONCE: usize = 3;

/// Connections for reading, opened as they are needed.
pub(super) struct Readers {
    path: PathBuf,
    idle: Arc<Mutex<Vec<Connection>>>,
    permits: Arc<Semaphore>,
    long: Arc<Semaphore>,
    /// Reads that ended, and the microseconds that they waited for their turn.
    done: AtomicU64,
    waited: AtomicU64,
}

/// What readers do at a moment, and did so far.
pub(super) struct Reading {
    pub(super) now: usize,
    pub(super) long_now: usize,
    pub(super) done: u64,
    pub(super) waited_micros: u64,
}

impl Readers {
    /// Readers of a migrated file.
    pub(super) fn new(path: &Path) -> Readers {
        Readers {
            path: path.to_owned(),
            idle: Arc::default(),
            permits: Arc::new(Semaphore::new(AT_ONCE)),
            long: Arc::new(Semaphore::new(LONG_AT_ONCE)),
            done: AtomicU64::new(0),
            waited: AtomicU64::new(0),
        }
    }

    /// What they do.
    pub(super) fn reading(&self) -> Reading {
        Reading {
            now: AT_ONCE.saturating_sub(self.permits.available_permits()),
            long_now: LONG_AT_ONCE.saturating_sub(self.long.available_permits()),
            done: self.done.load(Ordering::Relaxed),
            waited_micros: self.waited.load(Ordering::Relaxed),
        }
    }

    /// Reads what may take long; few of these run at once.
    pub(super) async fn read_long<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    {
        let permit = Arc::clone(&self.long)
            .acquire_owned()
            .await
            .map_err(|_| StoreError::Closed)?;
        // The permit goes with the work: whoever does not wait for it any more has not ended it.
        self.read(move |connection| {
            let _permit = permit;
            work(connection)
        })
        .await
    }

    /// Reads on a thread that may block, from one state of the database.
    pub(super) async fn read<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    {
        let asked = Instant::now();
        let permit = Arc::clone(&self.permits)
            .acquire_owned()
            .await
            .map_err(|_| StoreError::Closed)?;
        let waited = u64::try_from(asked.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.waited.fetch_add(waited, Ordering::Relaxed);
        let span = tracing::Span::current();
        let idle = Arc::clone(&self.idle);
        let path = self.path.clone();
        let reading = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            let _inside = span.entered();
            let taken = lock(&idle).pop();
            let connection = match taken {
                Some(connection) => connection,
                None => super::connect_reader(&path)?,
            };
            let outcome = in_transaction(&connection, work);
            lock(&idle).push(connection);
            outcome
        });
        // Only a panic or the end of the runtime keeps it from an answer.
        let outcome = reading.await.unwrap_or(Err(StoreError::Closed));
        self.done.fetch_add(1, Ordering::Relaxed);
        outcome
    }
}

fn in_transaction<T>(
    connection: &Connection,
    work: impl FnOnce(&Connection) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let tx = connection.unchecked_transaction()?;
    let value = work(&tx)?;
    tx.finish()?;
    Ok(value)
}

fn lock(idle: &Mutex<Vec<Connection>>) -> std::sync::MutexGuard<'_, Vec<Connection>> {
    idle.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::time::Duration;

    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn long_reads_leave_places_for_others() {
        let folder = tempfile::tempdir().unwrap();
        let readers = Arc::new(Readers::new(&folder.path().join("rollbook.db")));
        let (tell, told) = channel();
        let mut ends = Vec::new();
        let mut long = Vec::new();
        for _ in 0..2 * AT_ONCE {
            let (end, ended) = channel::<()>();
            ends.push(end);
            let (readers, tell) = (Arc::clone(&readers), tell.clone());
            long.push(tokio::spawn(async move {
                let work = move |_: &Connection| {
                    tell.send(()).unwrap();
                    let _ = ended.recv();
                    Ok(())
                };
                readers.read_long(work).await
            }));
        }
        // As many as may run do so, and none of them ends.
        let told = tokio::task::spawn_blocking(move || {
            for _ in 0..LONG_AT_ONCE {
                told.recv().unwrap();
            }
            told
        });
        let told = told.await.unwrap();
        assert_eq!(readers.reading().long_now, LONG_AT_ONCE);
        let short = tokio::time::timeout(Duration::from_secs(20), readers.read(|_| Ok(7)));
        let short = short.await.expect("it finds a place beside them");
        assert_eq!(short.unwrap(), 7);
        assert!(told.try_recv().is_err(), "no other long one has begun");
        drop(ends);
        for one in long {
            one.await.unwrap().unwrap();
        }
        assert_eq!(readers.reading().now, 0);
    }
}
