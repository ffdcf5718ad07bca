//! Moving what was committed from the write-ahead log into the database, beside the writer.
//!
//! A commit appends to the write-ahead log; somebody has to move the pages on, or it grows without end. Whoever does
//! that waits for the disk, and while it is the writer, deliveries wait as well. So a thread of its own moves them as
//! soon as there are some. It never catches up with a writer that goes on, and the log starts over only when nothing
//! is left in it: when it has grown large, the writer moves the few last pages between two transactions.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

use rusqlite::Connection;

use crate::StoreError;

/// Pages of the log that are worth moving.
const SOON: u32 = 2_000;

/// Pages at which the writer helps, and again after so many more.
const LATE: u32 = 12_000;

/// The thread, and how far the log has grown. Dropping it joins the thread.
pub(super) struct Checkpoints {
    pages: Arc<AtomicU32>,
    /// Pages when the writer last helped.
    helped_at: u32,
    ask: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Checkpoints {
    /// Takes checkpoints over from the writer's connection to a file.
    pub(super) fn start(path: &Path, writer: &mut Connection) -> Result<Checkpoints, StoreError> {
        writer.pragma_update(None, "wal_autocheckpoint", 0)?;
        let pages = Arc::new(AtomicU32::new(0));
        let grown = Arc::clone(&pages);
        writer.wal_hook(Some(move |_: &mut rusqlite::hooks::Wal, pages: i32| {
            grown.store(pages.unsigned_abs(), Ordering::Relaxed);
            Ok(())
        }))?;
        let connection = super::connect(path)?;
        let (ask, asked) = sync_channel(1);
        let thread = std::thread::Builder::new()
            .name("rollbook-checkpoint".to_owned())
            .spawn(move || {
                while asked.recv().is_ok() {
                    // What cannot be moved now stays in the log, where nothing is lost, and is moved later.
                    let _ = checkpoint(&connection);
                }
            })
            .map_err(|error| StoreError::Open {
                path: "the thread of checkpoints".into(),
                reason: error.to_string(),
            })?;
        Ok(Checkpoints {
            pages,
            helped_at: 0,
            ask: Some(ask),
            thread: Some(thread),
        })
    }

    /// To be called between two transactions of the writer.
    pub(super) fn keep_up(&mut self, writer: &Connection) {
        let pages = self.pages.load(Ordering::Relaxed);
        if pages < self.helped_at {
            self.helped_at = 0; // The log has started over.
        }
        if pages >= self.helped_at + LATE {
            // While the thread is at it, this does nothing, and is tried again after the next transaction.
            if let Ok(true) = checkpoint(writer) {
                self.helped_at = pages;
            }
        } else if pages >= SOON
            && let Some(ask) = &self.ask
        {
            let _ = ask.try_send(()); // It is busy already.
        }
    }
}

impl Drop for Checkpoints {
    fn drop(&mut self) {
        drop(self.ask.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join(); // It writes nothing that is not written already.
        }
    }
}

/// Moves what can be moved without waiting for anybody. Says whether anything could: not while somebody else does it.
fn checkpoint(connection: &Connection) -> rusqlite::Result<bool> {
    connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| {
        let busy: i64 = row.get(0)?;
        Ok(busy == 0)
    })
}
