//! People, and the workspaces they belong to.

use async_trait::async_trait;

use crate::{StoreError, Timestamp, WorkspaceId};

/// What a person may do in a workspace.
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
    /// The email address, lower case; unique in the installation.
    pub email: String,
    /// The name shown.
    pub name: String,
    /// The argon2id hash, in PHC form; empty for somebody who has no password.
    pub password_hash: String,
    /// Whether signing in takes a code as well.
    pub has_second_factor: bool,
    /// When they were added.
    pub created_at: Timestamp,
}

/// A person in a workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The account.
    pub user: User,
    /// The workspace.
    pub workspace: WorkspaceId,
    /// What they may do in it.
    pub role: Role,
    /// Since when.
    pub joined_at: Timestamp,
}

/// A workspace that a person belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Membership {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// What they may do in it.
    pub role: Role,
}

/// People and where they belong.
#[async_trait]
pub trait Accounts {
    /// Adds a person to the installation and to a workspace; [`StoreError::Exists`] if the email is used.
    async fn add_user(
        &self,
        workspace: WorkspaceId,
        email: &str,
        name: &str,
        role: Role,
        password_hash: &str,
        now: Timestamp,
    ) -> Result<Member, StoreError>;

    /// Adds somebody who has an account to another workspace; [`StoreError::Exists`] if they belong to it.
    async fn add_member(
        &self,
        workspace: WorkspaceId,
        email: &str,
        role: Role,
        now: Timestamp,
    ) -> Result<Member, StoreError>;

    /// Whether anybody can sign in at all.
    async fn has_users(&self) -> Result<bool, StoreError>;

    /// All people of a workspace, by email.
    async fn users(&self, workspace: WorkspaceId) -> Result<Vec<Member>, StoreError>;

    /// The person with an email address.
    async fn user_by_email(&self, email: &str) -> Result<Option<User>, StoreError>;

    /// Where a person belongs, by number of the workspace.
    async fn memberships(&self, user: u32) -> Result<Vec<Membership>, StoreError>;

    /// Changes a role; [`StoreError::Conflict`] if the workspace were without an admin then.
    async fn set_role(
        &self,
        workspace: WorkspaceId,
        email: &str,
        role: Role,
    ) -> Result<(), StoreError>;

    /// Changes the name shown.
    async fn set_user_name(&self, user: u32, name: &str) -> Result<(), StoreError>;

    /// Replaces a password hash and ends the person's sessions, but for one.
    async fn set_password(
        &self,
        user: u32,
        password_hash: &str,
        keep: Option<[u8; 32]>,
    ) -> Result<(), StoreError>;

    /// Takes a person out of a workspace and ends their sessions; with their last workspace the account goes.
    /// [`StoreError::Conflict`] if the workspace were without an admin then.
    async fn remove_user(&self, workspace: WorkspaceId, email: &str) -> Result<(), StoreError>;
}
