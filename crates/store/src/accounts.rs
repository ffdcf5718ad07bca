//! People and their sessions.

use async_trait::async_trait;

use crate::{StoreError, Timestamp, WorkspaceId};

/// What a person may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Sees the log with phones, emails and payloads masked.
    Viewer,
    /// Also imports files and sees everything.
    Importer,
    /// Also changes settings.
    Admin,
}

impl Role {
    /// The word of API, command line and files.
    pub fn key(self) -> &'static str {
        match self {
            Role::Viewer => "viewer",
            Role::Importer => "importer",
            Role::Admin => "admin",
        }
    }

    /// The role for such a word.
    pub fn from_key(key: &str) -> Option<Role> {
        [Role::Viewer, Role::Importer, Role::Admin]
            .into_iter()
            .find(|role| role.key() == key)
    }
}

/// A person who can sign in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Its number.
    pub id: u32,
    /// The workspace.
    pub workspace: WorkspaceId,
    /// The email address, lower case; unique in the installation.
    pub email: String,
    /// The name shown.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// The argon2id hash, in PHC form.
    pub password_hash: String,
    /// When they were added.
    pub created_at: Timestamp,
}

/// People and sessions.
#[async_trait]
pub trait Accounts {
    /// Adds a person; [`StoreError::Exists`] if the email is used.
    async fn add_user(
        &self,
        workspace: WorkspaceId,
        email: &str,
        name: &str,
        role: Role,
        password_hash: &str,
        now: Timestamp,
    ) -> Result<User, StoreError>;

    /// All people of a workspace, by email.
    async fn users(&self, workspace: WorkspaceId) -> Result<Vec<User>, StoreError>;

    /// The person with an email address.
    async fn user_by_email(&self, email: &str) -> Result<Option<User>, StoreError>;

    /// Changes a role.
    async fn set_role(
        &self,
        workspace: WorkspaceId,
        email: &str,
        role: Role,
    ) -> Result<(), StoreError>;

    /// Replaces a password hash and ends the person's sessions.
    async fn set_password(
        &self,
        workspace: WorkspaceId,
        email: &str,
        password_hash: &str,
    ) -> Result<(), StoreError>;

    /// Removes a person and their sessions.
    async fn remove_user(&self, workspace: WorkspaceId, email: &str) -> Result<(), StoreError>;

    /// Stores a session by the SHA-256 of its token.
    async fn add_session(
        &self,
        token_hash: [u8; 32],
        user: u32,
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<(), StoreError>;

    /// The person of a session that has not expired.
    async fn session_user(
        &self,
        token_hash: [u8; 32],
        now: Timestamp,
    ) -> Result<Option<User>, StoreError>;

    /// Ends a session.
    async fn end_session(&self, token_hash: [u8; 32]) -> Result<(), StoreError>;
}
