//! What operators need to know of a store, and copies of it.

use async_trait::async_trait;
use rollbook_engine::contact::ContactId;

use crate::{StoreError, Timestamp, WorkspaceId};

/// What a process does with its store just now, and did since it opened it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Load {
    /// Reads that run, and how many may.
    pub reads: usize,
    /// How many may run.
    pub reads_at_most: usize,
    /// Reads that run and look through much of the log.
    pub long_reads: usize,
    /// How many of these may run.
    pub long_reads_at_most: usize,
    /// Reads that ended.
    pub reads_done: u64,
    /// Microseconds that reads waited for their turn.
    pub read_wait_micros: u64,
    /// Writes that wait for the writer or are being written.
    pub writes_waiting: u64,
    /// Transactions of the writer that ended.
    pub transactions: u64,
    /// Microseconds that these took.
    pub transaction_micros: u64,
}

/// What waits to be done, of all workspaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Queues {
    /// Imports that wait for a worker.
    pub imports_waiting: u64,
    /// When the oldest of them was made.
    pub oldest_import: Option<Timestamp>,
    /// Imports that run.
    pub imports_running: u64,
    /// Imports whose worker died and that no other one has taken over.
    pub imports_abandoned: u64,
    /// Mails that wait to be sent, or are being sent.
    pub mails_waiting: u64,
    /// Since when the oldest of them waits.
    pub oldest_mail: Option<Timestamp>,
    /// Mails that were given up and are not forgotten yet.
    pub mails_failed: u64,
}

/// How much a database holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Workspaces.
    pub workspaces: u64,
    /// Contacts.
    pub contacts: u64,
    /// Attempts in the log.
    pub attempts: u64,
    /// Imports.
    pub imports: u64,
    /// People who can sign in.
    pub people: u64,
}

/// What a look through a database found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspection {
    /// The version of its schema.
    pub version: u32,
    /// The version that this program makes.
    pub known: u32,
    /// What SQLite says of its integrity; nothing if it is whole.
    pub damage: Vec<String>,
    /// How much it holds.
    pub counts: Counts,
    /// What is wrong with the index of identifiers, if anything is. It is mended by whoever writes next.
    pub index: Option<String>,
    /// Contacts that cannot be read: how many, and the first of them. Only a thorough look knows.
    pub unreadable: u64,
    /// The first of them.
    pub unreadable_contacts: Vec<(WorkspaceId, ContactId)>,
    /// When the latest record was received.
    pub latest: Option<Timestamp>,
}

/// Looking after the store.
#[async_trait]
pub trait Upkeep {
    /// What this process does with it.
    fn load(&self) -> Load;

    /// What waits to be done.
    async fn queues(&self, now: Timestamp) -> Result<Queues, StoreError>;

    /// Makes sure that reading works and that the schema is still the one that this program knows: a newer program may
    /// have migrated it meanwhile.
    async fn check(&self) -> Result<(), StoreError>;
}
