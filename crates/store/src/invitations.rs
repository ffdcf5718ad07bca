//! How people come in: invitations, links that are used once, and second factors.

use async_trait::async_trait;

use crate::accounts::{Member, Role, User};
use crate::{StoreError, Timestamp, WorkspaceId};

/// An invitation to a workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// Who is invited; lower case.
    pub email: String,
    /// What they will be.
    pub role: Role,
    /// Who invited them.
    pub invited_by: String,
    /// When.
    pub created_at: Timestamp,
    /// Until when it can be accepted.
    pub expires_at: Timestamp,
}

/// What a ticket is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TicketKind {
    /// Choosing a new password.
    PasswordReset,
    /// Signing in: the password was right, the second factor is missing.
    SecondFactor,
}

impl TicketKind {
    /// The word of the database.
    pub fn key(self) -> &'static str {
        match self {
            TicketKind::PasswordReset => "password_reset",
            TicketKind::SecondFactor => "second_factor",
        }
    }
}

/// A person's second factor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecondFactor {
    /// What the codes are made of, as it was given to be stored.
    pub secret: Vec<u8>,
    /// How many recovery codes are left.
    pub recovery_codes: u32,
}

/// Invitations, tickets and second factors.
#[async_trait]
pub trait Invitations {
    /// Invites somebody, in place of an earlier invitation; [`StoreError::Exists`] if they belong to the workspace.
    async fn invite(&self, invitation: Invitation, token_hash: [u8; 32]) -> Result<(), StoreError>;

    /// The invitations of a workspace that can still be accepted, by email.
    async fn invitations(
        &self,
        workspace: WorkspaceId,
        now: Timestamp,
    ) -> Result<Vec<Invitation>, StoreError>;

    /// The invitation of a link, if it can still be accepted.
    async fn invitation(
        &self,
        token_hash: [u8; 32],
        now: Timestamp,
    ) -> Result<Option<Invitation>, StoreError>;

    /// Takes an invitation back.
    async fn cancel_invitation(
        &self,
        workspace: WorkspaceId,
        email: &str,
    ) -> Result<(), StoreError>;

    /// Accepts an invitation, which is used up then: somebody new gets an account with this name and password hash,
    /// somebody who has one keeps it. [`StoreError::Missing`] if it cannot be accepted any more.
    async fn accept_invitation(
        &self,
        token_hash: [u8; 32],
        name: &str,
        password_hash: &str,
        now: Timestamp,
    ) -> Result<Member, StoreError>;

    /// Gives a person a ticket, in place of an earlier one of its kind.
    async fn add_ticket(
        &self,
        kind: TicketKind,
        user: u32,
        token_hash: [u8; 32],
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<(), StoreError>;

    /// The person of a ticket, while it is good.
    async fn ticket(
        &self,
        kind: TicketKind,
        token_hash: [u8; 32],
        now: Timestamp,
    ) -> Result<Option<User>, StoreError>;

    /// The person of a ticket, while it is good and was tried less often than this; counts as a try.
    async fn try_ticket(
        &self,
        kind: TicketKind,
        token_hash: [u8; 32],
        now: Timestamp,
        tries: u32,
    ) -> Result<Option<User>, StoreError>;

    /// Uses a ticket up.
    async fn end_ticket(&self, token_hash: [u8; 32]) -> Result<(), StoreError>;

    /// Uses up a ticket for a new password: replaces the hash and ends the person's sessions. [`StoreError::Missing`]
    /// if the ticket is not good any more.
    async fn reset_password(
        &self,
        token_hash: [u8; 32],
        password_hash: &str,
        now: Timestamp,
    ) -> Result<User, StoreError>;

    /// A person's second factor, if they have one.
    async fn second_factor(&self, user: u32) -> Result<Option<SecondFactor>, StoreError>;

    /// What is stored as the secret of each second factor, with whose it is.
    async fn second_factor_secrets(&self) -> Result<Vec<(u32, Vec<u8>)>, StoreError>;

    /// Stores the same secret in another form; false if another one is stored meanwhile.
    async fn replace_second_factor_secret(
        &self,
        user: u32,
        stored: Vec<u8>,
        anew: Vec<u8>,
    ) -> Result<bool, StoreError>;

    /// Gives a person a second factor and recovery codes, in place of earlier ones; none takes it away.
    async fn set_second_factor(
        &self,
        user: u32,
        secret: Option<Vec<u8>>,
        recovery_codes: Vec<[u8; 32]>,
        now: Timestamp,
    ) -> Result<(), StoreError>;

    /// Uses the code of a time step; false if it, or one of a later step, was used already.
    async fn use_step(&self, user: u32, step: u64) -> Result<bool, StoreError>;

    /// Uses up a recovery code; false if there is none such.
    async fn use_recovery_code(&self, user: u32, hash: [u8; 32]) -> Result<bool, StoreError>;
}
