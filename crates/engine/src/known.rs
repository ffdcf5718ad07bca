//! The contacts at hand while planning, found by identifier.
//!
//! [`Known`] must hold every contact that owns an identifier of the records being planned; an identifier without an
//! owner in here is free. It moves along: a contact is taken in when it is created, and forgets the identifiers that a
//! record replaces, so that each record sees what the records before it did.

use std::collections::HashMap;

use crate::change::{Edit, apply};
use crate::contact::{Contact, ContactId, Identifier};
use crate::policy::Policy;

/// Contacts found by identifier.
#[derive(Debug, Clone, Default)]
pub struct Known {
    contacts: HashMap<ContactId, Contact>,
    owners: HashMap<Identifier, ContactId>,
    written: HashMap<ContactId, Written>,
    moved: HashMap<Identifier, Option<ContactId>>,
}

/// How a contact came to differ from what is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// It is new.
    Created,
    /// It was stored before.
    Updated,
}

/// What planning did to contacts and identifiers since the last [`Known::take_writes`].
#[derive(Debug, Default)]
pub struct Writes {
    /// New contacts in order of their numbers, as they are after the last record.
    pub created: Vec<Contact>,
    /// Changed contacts in order of their numbers, as they are after the last record.
    pub updated: Vec<Contact>,
    /// The new owner of each identifier that changed hands; none if it finds nobody any more.
    pub identifiers: Vec<(Identifier, Option<ContactId>)>,
}

impl Known {
    /// Nobody is known.
    pub fn new() -> Known {
        Known::default()
    }

    /// Takes in a stored contact; one that is known already keeps its newer state.
    pub fn add(&mut self, contact: Contact) {
        if self.contacts.contains_key(&contact.id) {
            return;
        }
        for identifier in contact.identifiers() {
            self.owners.insert(identifier, contact.id);
        }
        self.contacts.insert(contact.id, contact);
    }

    /// The contact with a number.
    pub fn contact(&self, id: ContactId) -> Option<&Contact> {
        self.contacts.get(&id)
    }

    /// The contact that owns an identifier.
    pub fn find(&self, identifier: &Identifier) -> Option<&Contact> {
        self.owners
            .get(identifier)
            .and_then(|id| self.contacts.get(id))
    }

    /// Takes in a contact that a record created.
    pub(crate) fn create(&mut self, contact: Contact) {
        for identifier in contact.identifiers() {
            self.own(identifier, contact.id);
        }
        self.written.insert(contact.id, Written::Created);
        self.contacts.insert(contact.id, contact);
    }

    /// Writes edits down in a known contact.
    pub(crate) fn update(&mut self, id: ContactId, edits: &[Edit], policy: &Policy) {
        let Some(contact) = self.contacts.get_mut(&id) else {
            return;
        };
        self.written.entry(id).or_insert(Written::Updated);
        if !edits.iter().any(Edit::is_of_identifier) {
            return apply(edits, contact, policy);
        }
        let old: Vec<Identifier> = contact.identifiers().collect();
        apply(edits, contact, policy);
        let new: Vec<Identifier> = contact.identifiers().collect();
        for identifier in old.iter().filter(|identifier| !new.contains(identifier)) {
            self.owners.remove(identifier);
            self.moved.insert(identifier.clone(), None);
        }
        for identifier in new
            .into_iter()
            .filter(|identifier| !old.contains(identifier))
        {
            self.own(identifier, id);
        }
    }

    /// What is to be written, leaving nothing to write.
    pub fn take_writes(&mut self) -> Writes {
        let mut writes = Writes {
            identifiers: self.moved.drain().collect(),
            ..Writes::default()
        };
        for (id, written) in self.written.drain() {
            let Some(contact) = self.contacts.get(&id) else {
                continue;
            };
            match written {
                Written::Created => writes.created.push(contact.clone()),
                Written::Updated => writes.updated.push(contact.clone()),
            }
        }
        writes.created.sort_unstable_by_key(|contact| contact.id);
        writes.updated.sort_unstable_by_key(|contact| contact.id);
        writes.identifiers.sort_unstable();
        writes
    }

    fn own(&mut self, identifier: Identifier, owner: ContactId) {
        self.owners.insert(identifier.clone(), owner);
        self.moved.insert(identifier, Some(owner));
    }
}
