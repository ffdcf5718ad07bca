//! Who is signed in, from where, and in which workspace they are.

use async_trait::async_trait;

use crate::accounts::{Member, Membership};
use crate::{StoreError, Timestamp, WorkspaceId};

/// A session to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSession {
    /// The SHA-256 of its token.
    pub token_hash: [u8; 32],
    /// Whose it is.
    pub user: u32,
    /// The IP address it comes from.
    pub address: String,
    /// What the browser says of itself.
    pub device: String,
    /// Now.
    pub now: Timestamp,
    /// When it ends by itself.
    pub expires_at: Timestamp,
}

/// A session as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// The SHA-256 of its token: names it, and opens nothing.
    pub token_hash: [u8; 32],
    /// The IP address it came from last.
    pub address: String,
    /// What the browser says of itself.
    pub device: String,
    /// When the person signed in.
    pub created_at: Timestamp,
    /// When it was last used, to the minute.
    pub seen_at: Timestamp,
}

/// Somebody who is signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedIn {
    /// The person, in the workspace where they are.
    pub member: Member,
    /// The session.
    pub session: Session,
    /// Every workspace they belong to.
    pub memberships: Vec<Membership>,
}

/// Sessions.
#[async_trait]
pub trait Sessions {
    /// Begins a session in the workspace where the person worked last, or in their first one.
    /// [`StoreError::Missing`] if they belong to none.
    async fn add_session(&self, session: NewSession) -> Result<(), StoreError>;

    /// Who a session belongs to, unless it has expired.
    async fn session(
        &self,
        token_hash: [u8; 32],
        now: Timestamp,
    ) -> Result<Option<SignedIn>, StoreError>;

    /// Writes down that a session is used, and from where.
    async fn touch_session(
        &self,
        token_hash: [u8; 32],
        address: &str,
        now: Timestamp,
    ) -> Result<(), StoreError>;

    /// Goes to another workspace of the person's.
    async fn switch_session(
        &self,
        token_hash: [u8; 32],
        workspace: WorkspaceId,
    ) -> Result<(), StoreError>;

    /// A person's sessions that have not expired, the latest used first.
    async fn sessions(&self, user: u32, now: Timestamp) -> Result<Vec<Session>, StoreError>;

    /// Ends a session.
    async fn end_session(&self, token_hash: [u8; 32]) -> Result<(), StoreError>;

    /// Ends all sessions of a person, but for one.
    async fn end_sessions(&self, user: u32, keep: Option<[u8; 32]>) -> Result<(), StoreError>;

    /// Remembers a browser in which a person signed in, by the SHA-256 of its token; the twenty used last are kept.
    async fn remember_device(
        &self,
        user: u32,
        token_hash: [u8; 32],
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<(), StoreError>;

    /// Whether a person signed in in this browser.
    async fn knows_device(
        &self,
        user: u32,
        token_hash: [u8; 32],
        now: Timestamp,
    ) -> Result<bool, StoreError>;

    /// Ends a session if it is this person's.
    async fn end_session_of(&self, user: u32, token_hash: [u8; 32]) -> Result<(), StoreError>;
}
