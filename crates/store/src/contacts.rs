//! Reading contacts.

use async_trait::async_trait;
use rollbook_engine::contact::{Contact, ContactId, Identifier};

use crate::log::Reach;
use crate::{StoreError, Timestamp, WorkspaceId};

/// A contact with its times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredContact {
    /// The contact.
    pub contact: Contact,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// Which contacts to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ContactFilter {
    /// A part of a name, email, External ID or any other value; case does not matter.
    pub text: Option<String>,
    /// Digits to be found in a phone number, beside `text`: either may match.
    pub phone_digits: Option<String>,
    /// Where to look.
    pub reach: Reach,
}

/// Some contacts, and where to go on.
#[derive(Debug, Clone, Default)]
pub struct ContactPage {
    /// The contacts, newest first.
    pub contacts: Vec<StoredContact>,
    /// Pass as `before` for the next page; none at the end.
    pub next: Option<ContactId>,
}

/// Reading contacts.
#[async_trait]
pub trait Contacts {
    /// The contacts that own any of these identifiers, each once. For dry runs; a commit looks up by itself.
    async fn owners(
        &self,
        workspace: WorkspaceId,
        identifiers: Vec<Identifier>,
    ) -> Result<Vec<Contact>, StoreError>;

    /// One contact.
    async fn contact(
        &self,
        workspace: WorkspaceId,
        id: ContactId,
    ) -> Result<Option<StoredContact>, StoreError>;

    /// The contacts with these numbers, each once, in order; those that are gone are left out.
    async fn contacts_by_number(
        &self,
        workspace: WorkspaceId,
        ids: Vec<ContactId>,
    ) -> Result<Vec<Contact>, StoreError>;

    /// The highest number that a contact ever had; 0 before the first.
    async fn last_contact(&self, workspace: WorkspaceId) -> Result<ContactId, StoreError>;

    /// A page of contacts, newest (highest number) first, with numbers below `before`.
    async fn contacts(
        &self,
        workspace: WorkspaceId,
        filter: ContactFilter,
        before: Option<ContactId>,
        limit: u16,
    ) -> Result<ContactPage, StoreError>;

    /// How many contacts there are.
    async fn count_contacts(&self, workspace: WorkspaceId) -> Result<u64, StoreError>;
}
