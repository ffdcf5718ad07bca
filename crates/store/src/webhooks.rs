//! Signed webhooks: how a source's sender signs, with which secrets, and what came last.

use async_trait::async_trait;

use crate::sources::SourceId;
use crate::{StoreError, Timestamp, WorkspaceId};

/// A secret as it is stored: sealed, if the program seals. It never shows.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredSecret(pub Vec<u8>);

impl std::fmt::Debug for StoredSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("…")
    }
}

/// The signed webhook of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// The source.
    pub source: SourceId,
    /// JSON: the scheme, and what it has to know.
    pub scheme: String,
    /// What deliveries are signed with.
    pub secret: StoredSecret,
    /// Since when.
    pub secret_at: Timestamp,
    /// The secret before, and until when it is valid.
    pub previous: Option<(StoredSecret, Timestamp)>,
    /// When it was set up.
    pub created_at: Timestamp,
    /// When a delivery was last accepted, to the minute.
    pub accepted_at: Option<Timestamp>,
    /// When one was last refused, to the minute, and the word for why.
    pub refused: Option<(Timestamp, String)>,
}

impl Webhook {
    /// The secrets that are valid, the newest first.
    pub fn valid_secrets(&self, now: Timestamp) -> impl Iterator<Item = &StoredSecret> {
        let previous = self
            .previous
            .iter()
            .filter(move |(_, until)| now.0 < until.0);
        std::iter::once(&self.secret).chain(previous.map(|(secret, _)| secret))
    }
}

/// What came of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Knock {
    /// Its signature was right.
    Accepted,
    /// It was refused, for what this word says.
    Refused(&'static str),
}

/// Signed webhooks.
#[async_trait]
pub trait Webhooks {
    /// The webhook of a source; none if it takes none.
    async fn webhook(
        &self,
        workspace: WorkspaceId,
        source: SourceId,
    ) -> Result<Option<Webhook>, StoreError>;

    /// Sets a webhook up, in place of one that was there, whose secrets are gone.
    async fn set_webhook(
        &self,
        workspace: WorkspaceId,
        source: SourceId,
        scheme: &str,
        secret: StoredSecret,
        now: Timestamp,
    ) -> Result<Webhook, StoreError>;

    /// Replaces the secret; the one in force stays valid until then, and the one before it is gone.
    async fn rotate_webhook(
        &self,
        workspace: WorkspaceId,
        source: SourceId,
        secret: StoredSecret,
        now: Timestamp,
        old_until: Timestamp,
    ) -> Result<Webhook, StoreError>;

    /// Drops the secret before the one in force, if there is one.
    async fn end_webhook_overlap(
        &self,
        workspace: WorkspaceId,
        source: SourceId,
    ) -> Result<Webhook, StoreError>;

    /// Drops a webhook with its secrets.
    async fn remove_webhook(
        &self,
        workspace: WorkspaceId,
        source: SourceId,
    ) -> Result<(), StoreError>;

    /// Writes down what came of a delivery, once a minute at most; a secret whose time is over goes with it.
    async fn touch_webhook(
        &self,
        workspace: WorkspaceId,
        source: SourceId,
        knock: Knock,
        now: Timestamp,
    ) -> Result<(), StoreError>;

    /// All webhooks of all workspaces.
    async fn webhooks(&self) -> Result<Vec<Webhook>, StoreError>;

    /// Stores a secret in another form, where it is stored like this now; whether it was.
    async fn replace_webhook_secret(
        &self,
        workspace: WorkspaceId,
        source: SourceId,
        stored: StoredSecret,
        anew: StoredSecret,
    ) -> Result<bool, StoreError>;
}
