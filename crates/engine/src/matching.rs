//! Which contact does a record speak of?

use crate::candidate::{Candidate, Given};
use crate::contact::{Contact, ContactId, IdentifierKind, Text};
use crate::known::Known;
use crate::policy::{Matching, Policy};

/// What matching found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Match {
    /// The contact, and the identifier that found it.
    pub found: Option<(ContactId, IdentifierKind)>,
    /// Identifiers of the record that belong to another contact than the one found.
    pub taken: Vec<Taken>,
}

/// An identifier that cannot be applied, because another contact has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// Its kind.
    pub kind: IdentifierKind,
    /// The value in canonical text.
    pub value: Text,
    /// The contact that has it.
    pub owner: ContactId,
}

/// Finds the contact of a record. Pure: the same candidate, contacts and policy always give the same match.
pub fn find_match(candidate: &Candidate, known: &Known, policy: &Policy) -> Match {
    match policy.matching {
        Matching::Standard => standard(candidate, known, policy),
    }
}

/// SPEC 4: the first identifier that finds a contact decides; every other one that belongs to somebody else is taken,
/// unless it would not be written anyway.
fn standard(candidate: &Candidate, known: &Known, policy: &Policy) -> Match {
    let mut found = None;
    let mut taken = Vec::new();
    for (identifier, value) in candidate.identifiers_in_place(policy) {
        let Some(owner) = known.find_in_place(&identifier) else {
            continue;
        };
        let (matched, _) = *found.get_or_insert((owner.id, identifier.kind()));
        let stands = || is_kept(identifier.kind(), candidate, known.contact(matched), policy);
        if owner.id != matched && !stands() {
            taken.push(Taken {
                kind: identifier.kind(),
                value: value.into(),
                owner: owner.id,
            });
        }
    }
    Match { found, taken }
}

/// Whether the contact keeps what it has for a kind of identifier, because the record only fills what is empty.
fn is_kept(
    kind: IdentifierKind,
    candidate: &Candidate,
    contact: Option<&Contact>,
    policy: &Policy,
) -> bool {
    let fills = matches!(candidate.field(kind.field()), Some(Given::Fill(_)));
    fills
        && contact.is_some_and(|contact| match kind {
            IdentifierKind::ExternalId => contact.external_id(&policy.namespace).is_some(),
            IdentifierKind::Phone | IdentifierKind::Email => contact.value(kind.field()).is_some(),
        })
}
