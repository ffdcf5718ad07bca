//! Who somebody is at a sign-in provider.

use async_trait::async_trait;

use crate::accounts::User;
use crate::{StoreError, Timestamp};

/// An account at a provider, linked to a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The provider's address.
    pub issuer: String,
    /// Who it is, in the provider's words.
    pub subject: String,
    /// The email address that it had there, to tell it from others.
    pub email: String,
    /// Since when.
    pub linked_at: Timestamp,
}

/// Links between people and their accounts at providers.
#[async_trait]
pub trait Identities {
    /// The person that an account at a provider is linked to.
    async fn identity(&self, issuer: &str, subject: &str) -> Result<Option<User>, StoreError>;

    /// The accounts that are linked to a person, by time.
    async fn identities(&self, user: u32) -> Result<Vec<Identity>, StoreError>;

    /// Links an account to a person; [`StoreError::Exists`] if it is linked to somebody else.
    async fn link_identity(&self, user: u32, identity: Identity) -> Result<(), StoreError>;

    /// Takes a link away.
    async fn unlink_identity(
        &self,
        user: u32,
        issuer: &str,
        subject: &str,
    ) -> Result<(), StoreError>;
}
