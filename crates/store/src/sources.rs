//! Sources and their API keys.

use async_trait::async_trait;
use rollbook_engine::policy::Mode;

use crate::log::ResultCounts;
use crate::{StoreError, Timestamp, WorkspaceId};

/// The number of a source in its workspace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SourceId(pub u32);

/// What a source is told when it is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSource {
    /// Its name in addresses and on the command line: lower-case letters, digits, `-` and `_`.
    pub name: String,
    /// What people read.
    pub label: String,
    /// Manual or automatic rules.
    pub mode: Mode,
    /// The namespace of its External IDs.
    pub namespace: String,
    /// The phone region of its records, if it is not the workspace's.
    pub region: Option<String>,
    /// How its records map to fields: JSON of a `Mapping`; none for the built-in names.
    pub mapping: Option<String>,
}

/// A source as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Its number.
    pub id: SourceId,
    /// The workspace.
    pub workspace: WorkspaceId,
    /// What it was told.
    pub settings: NewSource,
    /// Whether it refuses deliveries for now.
    pub paused: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last delivered.
    pub last_received_at: Option<Timestamp>,
    /// What came of its deliveries, since it was made.
    pub counts: ResultCounts,
}

/// An API key as listed; the key itself is only known to its holder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// Its number.
    pub id: u32,
    /// The workspace.
    pub workspace: WorkspaceId,
    /// The source it may deliver to; none for a key that may do everything an administrator can.
    pub source: Option<SourceId>,
    /// What people call it.
    pub name: String,
    /// Its first characters, to tell it from others.
    pub prefix: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last used, to the minute.
    pub last_used_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// Until when it is valid, once a new one has replaced it.
    pub expires_at: Option<Timestamp>,
}

impl ApiKey {
    /// Whether it opens anything.
    pub fn is_valid(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|until| now.0 < until.0)
    }
}

/// Sources and keys.
#[async_trait]
pub trait Sources {
    /// Makes a source; [`StoreError::Exists`] if its name is used.
    async fn add_source(
        &self,
        workspace: WorkspaceId,
        source: NewSource,
        now: Timestamp,
    ) -> Result<Source, StoreError>;

    /// All sources by name.
    async fn sources(&self, workspace: WorkspaceId) -> Result<Vec<Source>, StoreError>;

    /// The source with a name.
    async fn source(
        &self,
        workspace: WorkspaceId,
        name: &str,
    ) -> Result<Option<Source>, StoreError>;

    /// Pauses or resumes a source.
    async fn set_source_paused(
        &self,
        workspace: WorkspaceId,
        id: SourceId,
        paused: bool,
    ) -> Result<(), StoreError>;

    /// Replaces what a source was told (its name stays).
    async fn update_source(
        &self,
        workspace: WorkspaceId,
        id: SourceId,
        source: NewSource,
    ) -> Result<Source, StoreError>;

    /// Stores a key by its SHA-256.
    async fn add_key(
        &self,
        workspace: WorkspaceId,
        source: Option<SourceId>,
        name: &str,
        prefix: &str,
        hash: [u8; 32],
        now: Timestamp,
    ) -> Result<ApiKey, StoreError>;

    /// Replaces a key by one with the same name and source, which is returned; the old one stays valid until then.
    /// [`StoreError::Conflict`] if it was revoked or replaced already.
    async fn rotate_key(
        &self,
        workspace: WorkspaceId,
        id: u32,
        prefix: &str,
        hash: [u8; 32],
        now: Timestamp,
        old_until: Timestamp,
    ) -> Result<ApiKey, StoreError>;

    /// All keys, newest first.
    async fn keys(&self, workspace: WorkspaceId) -> Result<Vec<ApiKey>, StoreError>;

    /// The key with a hash, revoked or not.
    async fn key_by_hash(&self, hash: [u8; 32]) -> Result<Option<ApiKey>, StoreError>;

    /// Writes down that a key was used.
    async fn touch_key(
        &self,
        workspace: WorkspaceId,
        id: u32,
        now: Timestamp,
    ) -> Result<(), StoreError>;

    /// Revokes a key.
    async fn revoke_key(
        &self,
        workspace: WorkspaceId,
        id: u32,
        now: Timestamp,
    ) -> Result<ApiKey, StoreError>;
}
