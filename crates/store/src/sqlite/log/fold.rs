//! Folding the tail into blocks beside the writer.
//!
//! Making a block of a thousand attempts takes milliseconds, for which every delivery would wait. So a thread with a
//! connection of its own reads what waits and makes the block; the writer only looks whether what was read still
//! stands there, and puts the block in its place.

use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::super::codec::Packer;
use super::block::Encoded;
use super::{BLOCK, insert, make, tail};
use crate::{StoreError, WorkspaceId};

/// The thread, and what it made. Dropping it joins the thread.
pub(in crate::sqlite) struct Folder {
    ask: Option<Sender<WorkspaceId>>,
    folded: Receiver<Option<Folded>>,
    /// Whether it was asked and has not answered.
    busy: bool,
    thread: Option<JoinHandle<()>>,
}

/// Blocks of the oldest attempts that waited in a tail.
pub(in crate::sqlite) struct Folded {
    pub(in crate::sqlite) workspace: WorkspaceId,
    blocks: Vec<Encoded>,
    /// The last of the attempts.
    up_to: u64,
    /// What the tail held up to there.
    digest: u64,
}

impl Folder {
    /// Starts the thread on a connection of its own.
    pub(in crate::sqlite) fn start(path: &Path) -> Result<Folder, StoreError> {
        let mut connection = super::super::connect_reader(path)?;
        let (ask, asked) = channel();
        let (done, folded) = channel();
        let thread = std::thread::Builder::new()
            .name("rollbook-folder".to_owned())
            .spawn(move || {
                while let Ok(workspace) = asked.recv() {
                    // What cannot be folded here, the writer folds; a lasting trouble meets it there.
                    let folded = fold(&mut connection, workspace).unwrap_or_default();
                    if done.send(folded).is_err() {
                        return;
                    }
                }
            })
            .map_err(|error| StoreError::Open {
                path: "the thread that folds the log".into(),
                reason: error.to_string(),
            })?;
        Ok(Folder {
            ask: Some(ask),
            folded,
            busy: false,
            thread: Some(thread),
        })
    }

    /// Asks for a block of the oldest attempts of a workspace, unless the thread is at one: before that is put, they
    /// are the same.
    pub(in crate::sqlite) fn ask(&mut self, workspace: WorkspaceId) {
        if let Some(ask) = self.ask.as_ref().filter(|_| !self.busy) {
            self.busy = ask.send(workspace).is_ok();
        }
    }

    /// What was made since the last time.
    pub(in crate::sqlite) fn folded(&mut self) -> Option<Folded> {
        let folded = self.folded.try_recv().ok()?;
        self.busy = false;
        folded
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(self.ask.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join(); // It writes nothing.
        }
    }
}

/// Makes blocks of the oldest attempts of a tail; none if they do not fill one.
pub(super) fn fold(
    connection: &mut Connection,
    workspace: WorkspaceId,
) -> Result<Option<Folded>, StoreError> {
    // One state of the database for all that is read.
    let tx = connection.transaction_with_behavior(TransactionBehavior::Deferred)?;
    let oldest = tail::oldest(&tx, workspace, BLOCK)?;
    let Some((last, _)) = oldest.last().filter(|_| oldest.len() == BLOCK) else {
        return Ok(None);
    };
    let up_to = last.number;
    let digest = tail::digest(&tx, workspace, up_to)?;
    drop(tx);
    Ok(Some(Folded {
        workspace,
        blocks: make(&oldest, &[], &mut Packer::new()?)?,
        up_to,
        digest,
    }))
}

/// Puts blocks in the place of the attempts that they were made of; not if one of those was corrected meanwhile, or
/// folded by somebody else. Returns how many attempts wait then.
pub(in crate::sqlite) fn put(tx: &Transaction<'_>, folded: Folded) -> Result<u64, StoreError> {
    let Folded {
        workspace,
        blocks,
        up_to,
        digest,
    } = folded;
    if tail::digest(tx, workspace, up_to)? == digest {
        tail::remove(tx, workspace, up_to)?;
        insert(tx, workspace, blocks)?;
    }
    tail::len(tx, workspace)
}
