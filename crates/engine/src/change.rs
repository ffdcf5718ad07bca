//! What a record changes about a contact.

use serde::{Deserialize, Serialize};

use crate::candidate::{Candidate, Given};
use crate::contact::{Contact, Identifier, IdentifierKind, Text, Texts, Value};
use crate::policy::Policy;
use crate::schema::{FieldId, Schema};

/// A field before and after; none where it has no value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The key of the field.
    pub field: Text,
    /// The value before.
    pub before: Option<Value>,
    /// The value after.
    pub after: Option<Value>,
}

/// One field of a contact and its value after a record.
#[derive(Debug)]
pub(crate) struct Edit {
    field: FieldId,
    before: Option<Value>,
    after: Option<Value>,
}

impl Edit {
    /// A field is to go from one value to another.
    pub(crate) fn new(field: FieldId, before: Option<Value>, after: Option<Value>) -> Edit {
        Edit {
            field,
            before,
            after,
        }
    }

    /// Whether the field can find a contact.
    pub(crate) fn is_of_identifier(&self) -> bool {
        IdentifierKind::ALL
            .iter()
            .any(|kind| kind.field() == self.field)
    }

    /// The edit as the log shows it.
    pub(crate) fn change(self, schema: &Schema) -> Change {
        Change {
            field: schema.key_of(self.field),
            before: self.before,
            after: self.after,
        }
    }
}

/// What a record changes about a contact; nothing, if the contact stands so already.
pub(crate) fn edits(candidate: &Candidate, contact: &Contact, policy: &Policy) -> Vec<Edit> {
    // Both are in order of field number, so one walk over both finds each value.
    let mut values = contact.values.iter().peekable();
    let edits = candidate.given.iter().filter_map(|(field, given)| {
        let (before, after) = if *field == FieldId::EXTERNAL_ID {
            edit_external_id(contact.external_id(&policy.namespace), given)?
        } else {
            while values.next_if(|(id, _)| id < field).is_some() {}
            let value = values.next_if(|(id, _)| id == field);
            edit_value(*field, value.map(|(_, value)| value), given)?
        };
        Some(Edit {
            field: *field,
            before,
            after,
        })
    });
    edits.collect()
}

/// Writes edits down in a contact.
pub(crate) fn apply(edits: &[Edit], contact: &mut Contact, policy: &Policy) {
    for edit in edits {
        if edit.field == FieldId::EXTERNAL_ID {
            let id = edit.after.as_ref().map(|value| Text::from(value.primary()));
            contact.set_external_id(&policy.namespace, id);
        } else {
            contact.set(edit.field, edit.after.clone());
        }
    }
}

/// Fills a new contact with what a record gives.
pub(crate) fn fill(given: Vec<(FieldId, Given)>, contact: &mut Contact, policy: &Policy) {
    for (field, given) in given {
        let value = match given {
            Given::Set(value) | Given::Fill(value) => Some(value),
            Given::Add(_) => merged(field, None, &given),
            Given::Clear => None,
        };
        match value {
            None => {}
            Some(value) if field == FieldId::EXTERNAL_ID => {
                contact.set_external_id(&policy.namespace, Some(Text::from(value.primary())));
            }
            Some(value) => contact.set(field, Some(value)),
        }
    }
}

/// A field before and after.
type BeforeAndAfter = (Option<Value>, Option<Value>);

fn edit_external_id(before: Option<&str>, given: &Given) -> Option<BeforeAndAfter> {
    if before.is_some() && matches!(given, Given::Fill(_)) {
        return None;
    }
    let after = given.texts().first();
    let one = |id: &str| Value::One(id.into());
    (before != after.map(Text::as_str)).then(|| (before.map(one), after.map(Text::as_str).map(one)))
}

/// Most values of most records are the stored ones, so nothing is copied before they are seen to differ.
fn edit_value(field: FieldId, before: Option<&Value>, given: &Given) -> Option<BeforeAndAfter> {
    let after = match given {
        Given::Set(after) if same(field, before, Some(after)) => return None,
        Given::Fill(_) if before.is_some() => return None,
        given => merged(field, before, given),
    };
    (!same(field, before, after.as_ref())).then(|| (before.cloned(), after))
}

/// The value of a field after a record.
fn merged(field: FieldId, before: Option<&Value>, given: &Given) -> Option<Value> {
    match given {
        Given::Clear => None,
        Given::Set(value) => Some(value.clone()),
        Given::Fill(value) => Some(before.unwrap_or(value).clone()),
        Given::Add(texts) => {
            let mut all = before.map_or_else(Texts::new, |value| value.texts().into());
            for text in texts {
                if !all.iter().any(|known| same_text(field, known, text)) {
                    all.push(text.clone());
                }
            }
            (!all.is_empty()).then_some(Value::Many(all))
        }
    }
}

/// Whether two values of a field are the same to its users.
pub(crate) fn same(field: FieldId, before: Option<&Value>, after: Option<&Value>) -> bool {
    match (before, after) {
        (None, None) => true,
        (Some(before), Some(after)) => {
            let (before, after) = (before.texts(), after.texts());
            before.len() == after.len()
                && before
                    .iter()
                    .zip(after)
                    .all(|(a, b)| same_text(field, a, b))
        }
        _ => false,
    }
}

/// Emails compare in lower case as a whole (SPEC 3), everything else exactly.
pub(crate) fn same_text(field: FieldId, one: &str, other: &str) -> bool {
    one == other || (field == FieldId::EMAIL && Identifier::email(one) == Identifier::email(other))
}
