//! Where Rollbook keeps what it knows: the only crate that contains SQL.
//!
//! The traits below are what the rest of the product sees; each method is one transaction. Every key starts with the
//! workspace. `sqlite` is the embedded store; PostgreSQL joins it behind the same traits.

pub mod accounts;
pub mod audit;
pub mod commit;
pub mod contacts;
pub mod erasures;
pub mod identities;
pub mod imports;
pub mod invitations;
pub mod log;
pub mod notifications;
pub mod outbox;
pub mod profiles;
pub mod retention;
pub mod sessions;
pub mod sources;
mod sqlite;
pub mod time;
pub mod undo;
pub mod upkeep;
pub mod webhooks;
pub mod workspaces;

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use rusqlite::ErrorCode;

#[doc(hidden)]
pub use sqlite::log_speed;
pub use time::Timestamp;

/// The number of a workspace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WorkspaceId(pub u32);

/// The memory that finding contacts takes in this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IndexSize {
    /// Identifiers at hand.
    pub identifiers: usize,
    /// Bytes that they take.
    pub bytes: usize,
}

/// Everything a store can do.
#[async_trait]
pub trait Store:
    accounts::Accounts
    + audit::Audit
    + commit::Commit
    + contacts::Contacts
    + identities::Identities
    + erasures::Erasures
    + imports::Imports
    + invitations::Invitations
    + log::Log
    + notifications::Notifications
    + outbox::Outbox
    + profiles::Profiles
    + retention::Retentions
    + sessions::Sessions
    + sources::Sources
    + undo::Undo
    + upkeep::Upkeep
    + webhooks::Webhooks
    + workspaces::Workspaces
    + Send
    + Sync
{
    /// Reads into memory what matching needs, so that the first record need not wait for it; mends it if it is damaged.
    async fn prepare(&self) -> Result<(), StoreError>;

    /// What matching holds in memory.
    fn index_size(&self) -> IndexSize;
}

/// A store as the rest of the product holds it.
pub type AnyStore = Arc<dyn Store>;

/// Opens the store at an address, making it if it is not there and taking it to the latest schema: `sqlite:PATH`, or a
/// path alone. The folder must exist.
pub async fn open(address: &str) -> Result<AnyStore, StoreError> {
    let path = path_of(address)?;
    let opening = tokio::task::spawn_blocking(move || sqlite::Sqlite::open(&path));
    let store = opening.await.map_err(|_| StoreError::Closed)??;
    Ok(Arc::new(store))
}

/// Whether there is a store at an address already.
pub fn exists(address: &str) -> Result<bool, StoreError> {
    Ok(path_of(address)?.exists())
}

/// The file of an address.
pub fn path_of(address: &str) -> Result<PathBuf, StoreError> {
    let path = match address.split_once(':') {
        Some(("sqlite", path)) => path,
        // A scheme of another database; but `C:` is a drive.
        Some((scheme, rest)) if scheme.len() > 1 && rest.starts_with("//") => "",
        _ => address,
    };
    if path.is_empty() || path.starts_with(':') {
        return Err(StoreError::Address(address.to_owned()));
    }
    Ok(PathBuf::from(path))
}

/// Looks through a database as it is: it is neither made, nor migrated, nor mended. `thorough` reads all of it, which
/// takes as long as reading the file takes.
pub async fn inspect(path: PathBuf, thorough: bool) -> Result<upkeep::Inspection, StoreError> {
    let looking = tokio::task::spawn_blocking(move || sqlite::inspect(&path, thorough));
    looking.await.map_err(|_| StoreError::Closed)?
}

/// Copies a database, as it is at one moment, into a file that is not there yet; others read and write on meanwhile. It
/// is not migrated.
pub async fn copy(from: PathBuf, to: PathBuf) -> Result<(), StoreError> {
    let copying = tokio::task::spawn_blocking(move || sqlite::copy(&from, &to));
    copying.await.map_err(|_| StoreError::Closed)?
}

/// Puts one file of a database in the place of another. Refused with [`StoreError::Busy`] while any process has the
/// other one open; that one is gone afterwards.
pub async fn replace(new: PathBuf, old: PathBuf) -> Result<(), StoreError> {
    let replacing = tokio::task::spawn_blocking(move || sqlite::replace(&new, &old));
    replacing.await.map_err(|_| StoreError::Closed)?
}

/// What can go wrong in a store.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The address of the database is not one we know.
    #[error("`{0}` is not a database address; use sqlite:PATH")]
    Address(String),
    /// The database was made by a newer Rollbook.
    #[error(
        "the database has schema version {found}, this program knows {known}; install the newer rollbook"
    )]
    Newer {
        /// Version of the file.
        found: u32,
        /// Version of the program.
        known: u32,
    },
    /// Another worker runs the import, or it moved on: what this worker holds is stale.
    #[error("the import is run by another worker now")]
    LeaseLost,
    /// What the call refers to does not exist.
    #[error("{0} does not exist")]
    Missing(String),
    /// A unique name is used already.
    #[error("{0} exists already; choose another name")]
    Exists(String),
    /// The database cannot be opened.
    #[error("`{path}` cannot be opened: {reason}", path = .path.display())]
    Open {
        /// Its file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// What the call asks for is not possible in the present state.
    #[error("{0}")]
    Conflict(String),
    /// Nothing more can be written.
    #[error("the disk is full; make room and try again")]
    Full,
    /// Another process has been writing for longer than anyone waits.
    #[error("another process keeps the database busy; try again when it is done")]
    Busy,
    /// The store was closed or its writer died.
    #[error("the store is closed")]
    Closed,
    /// The index of identifiers is damaged; the next who writes makes it anew.
    #[error("the index of identifiers is damaged and is being made anew; try again")]
    IndexDamaged,
    /// A stored value cannot be read back.
    #[error("stored data is damaged: {0}")]
    Damaged(String),
    /// SQLite said no.
    #[error("the database refused: {0}")]
    Sqlite(#[source] rusqlite::Error),
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> StoreError {
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => StoreError::Full,
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreError::Busy,
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                StoreError::Damaged(error.to_string())
            }
            _ => StoreError::Sqlite(error),
        }
    }
}
