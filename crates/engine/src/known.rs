//! The contacts at hand while planning, found by identifier.
//!
//! [`Known`] must hold every contact that owns an identifier of the records being planned; an identifier without an
//! owner in here is free. It moves along: a contact is taken in when it is created, and forgets the identifiers that a
//! record replaces, so that each record sees what the records before it did.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, Hasher};

use foldhash::fast::RandomState;
use smallvec::SmallVec;

use crate::change::{Edit, apply};
use crate::contact::{Contact, ContactId, Identifier, IdentifierKind, IdentifierRef};
use crate::policy::Policy;

/// Contacts found by identifier.
#[derive(Debug, Clone, Default)]
pub struct Known {
    contacts: HashMap<ContactId, Contact, RandomState>,
    /// By the hashes of their identifiers. Different ones may share a hash, so a contact is asked whether it has it.
    owners: HashMap<u64, SmallVec<[ContactId; 1]>, RandomState>,
    hashes: RandomState,
    written: HashMap<ContactId, Written, RandomState>,
    /// Contacts that were removed, which stay so whatever is stored.
    gone: HashSet<ContactId, RandomState>,
    /// Identifiers of people who were erased.
    erased: HashSet<Identifier, RandomState>,
    moves: Vec<Move>,
}

/// How a contact came to differ from what is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// It is new.
    Created,
    /// It was stored before.
    Updated,
    /// It was stored before, and is to be no more.
    Removed,
}

/// An identifier that a contact won or lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Move {
    /// The identifier.
    pub identifier: Identifier,
    /// The contact.
    pub contact: ContactId,
    /// Whether it finds the contact now; if not, it did before.
    pub won: bool,
}

/// What planning did to contacts and identifiers.
#[derive(Debug, Default)]
pub struct Writes {
    /// New contacts in order of their numbers, as they are after the last record.
    pub created: Vec<Contact>,
    /// Changed contacts in order of their numbers, as they are after the last record.
    pub updated: Vec<Contact>,
    /// Contacts that are no more, in order of their numbers.
    pub removed: Vec<ContactId>,
    /// What happened to identifiers, in order.
    pub moves: Vec<Move>,
}

impl Known {
    /// Nobody is known.
    pub fn new() -> Known {
        Known::default()
    }

    /// Makes room for so many contacts.
    pub fn reserve(&mut self, contacts: usize) {
        self.contacts.reserve(contacts);
        self.owners.reserve(contacts * IdentifierKind::ALL.len());
    }

    /// Takes in a stored contact; one that is known already keeps its newer state, and one that was removed stays so.
    pub fn add(&mut self, contact: Contact) {
        if self.contacts.contains_key(&contact.id) || self.gone.contains(&contact.id) {
            return;
        }
        for identifier in contact.identifiers_in_place() {
            let hash = hash(&self.hashes, &identifier);
            note_owner(&mut self.owners, hash, contact.id);
        }
        self.contacts.insert(contact.id, contact);
    }

    /// Forgets the contacts as long as none of them is to be written: whoever needs one finds it stored as it is. Then
    /// the processor's cache holds those that the next records speak of.
    pub fn forget_unwritten(&mut self) {
        if self.written.is_empty() {
            self.contacts.clear();
            self.owners.clear();
        }
    }

    /// The contact with a number.
    pub fn contact(&self, id: ContactId) -> Option<&Contact> {
        self.contacts.get(&id)
    }

    /// The contact that owns an identifier.
    pub fn find(&self, identifier: &Identifier) -> Option<&Contact> {
        self.find_in_place(&identifier.in_place())
    }

    /// The contact that owns an identifier, which lies where it lies.
    pub fn find_in_place(&self, identifier: &IdentifierRef<'_>) -> Option<&Contact> {
        let owners = self.owners.get(&hash(&self.hashes, identifier))?;
        owners
            .iter()
            .filter_map(|id| self.contacts.get(id))
            .find(|contact| contact.has(identifier))
    }

    /// Takes in that an identifier is of a person who was erased: no record with it may bring them back.
    pub fn add_erased(&mut self, identifier: Identifier) {
        self.erased.insert(identifier);
    }

    /// Whether an identifier is of a person who was erased.
    pub fn is_erased(&self, identifier: &IdentifierRef<'_>) -> bool {
        self.erased.contains(&identifier.to_identifier())
    }

    /// Whether any identifier is.
    pub fn has_erased(&self) -> bool {
        !self.erased.is_empty()
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
            self.disown(identifier, id);
            self.moves.push(Move {
                identifier: identifier.clone(),
                contact: id,
                won: false,
            });
        }
        for identifier in new
            .into_iter()
            .filter(|identifier| !old.contains(identifier))
        {
            self.own(identifier, id);
        }
    }

    /// Removes a known contact and frees its identifiers.
    pub fn remove(&mut self, id: ContactId) {
        let Some(contact) = self.contacts.remove(&id) else {
            return;
        };
        for identifier in contact.identifiers() {
            self.disown(&identifier, id);
            self.moves.push(Move {
                identifier,
                contact: id,
                won: false,
            });
        }
        self.gone.insert(id);
        self.written.insert(id, Written::Removed);
    }

    /// What is to be written.
    pub fn into_writes(mut self) -> Writes {
        let mut writes = Writes {
            moves: self.moves,
            ..Writes::default()
        };
        for (id, written) in self.written {
            match (written, self.contacts.remove(&id)) {
                (Written::Created, Some(contact)) => writes.created.push(contact),
                (Written::Updated, Some(contact)) => writes.updated.push(contact),
                (Written::Removed, _) => writes.removed.push(id),
                (Written::Created | Written::Updated, None) => {}
            }
        }
        writes.removed.sort_unstable();
        writes.created.sort_unstable_by_key(|contact| contact.id);
        writes.updated.sort_unstable_by_key(|contact| contact.id);
        writes
    }

    /// Forgets what was to be written, for a dry run: the contacts stay as planned.
    pub fn write_nothing(&mut self) {
        self.written.clear();
        self.moves.clear();
    }

    fn own(&mut self, identifier: Identifier, owner: ContactId) {
        let hash = hash(&self.hashes, &identifier.in_place());
        note_owner(&mut self.owners, hash, owner);
        self.moves.push(Move {
            identifier,
            contact: owner,
            won: true,
        });
    }

    fn disown(&mut self, identifier: &Identifier, owner: ContactId) {
        let hash = hash(&self.hashes, &identifier.in_place());
        if let Some(owners) = self.owners.get_mut(&hash) {
            owners.retain(|id| *id != owner);
        }
    }
}

fn hash(state: &RandomState, identifier: &IdentifierRef<'_>) -> u64 {
    let mut hasher = state.build_hasher();
    for part in identifier.key_parts() {
        hasher.write(part.as_bytes());
    }
    hasher.write_u8(identifier.kind() as u8);
    hasher.finish()
}

fn note_owner(
    owners: &mut HashMap<u64, SmallVec<[ContactId; 1]>, RandomState>,
    hash: u64,
    owner: ContactId,
) {
    let owners = owners.entry(hash).or_default();
    if !owners.contains(&owner) {
        owners.push(owner);
    }
}
