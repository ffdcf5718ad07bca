//! What a record changes about a contact.

use serde::{Deserialize, Serialize};

use crate::candidate::{Candidate, Given};
use crate::contact::{Contact, Identifier, Value};
use crate::policy::Policy;
use crate::schema::{FieldId, Schema};

/// A field before and after; none where it has no value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The key of the field.
    pub field: String,
    /// The value before.
    pub before: Option<Value>,
    /// The value after.
    pub after: Option<Value>,
}

/// Applies what a record gives to a contact and says what that changed; nothing, if the contact stood so already.
pub(crate) fn apply(
    candidate: &Candidate,
    contact: &mut Contact,
    policy: &Policy,
    schema: &Schema,
) -> Vec<Change> {
    let mut changes = Vec::new();
    for (field, given) in &candidate.given {
        let (before, after) = if *field == FieldId::EXTERNAL_ID {
            let before = contact
                .external_id(&policy.namespace)
                .map(|id| Value::One(id.to_owned()));
            let after = given.texts().first().cloned();
            if before.as_ref().map(Value::primary) == after.as_deref() {
                continue;
            }
            contact.set_external_id(&policy.namespace, after.clone());
            (before, after.map(Value::One))
        } else {
            let before = contact.value(*field).cloned();
            let after = merged(*field, before.as_ref(), given);
            if same(*field, before.as_ref(), after.as_ref()) {
                continue;
            }
            contact.set(*field, after.clone());
            (before, after)
        };
        changes.push(Change {
            field: schema.key_of(*field),
            before,
            after,
        });
    }
    changes
}

/// The value of a field after a record.
fn merged(field: FieldId, before: Option<&Value>, given: &Given) -> Option<Value> {
    match given {
        Given::Clear => None,
        Given::Set(value) => Some(value.clone()),
        Given::Add(texts) => {
            let mut all = before.map_or_else(Vec::new, |value| value.texts().to_vec());
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
fn same(field: FieldId, before: Option<&Value>, after: Option<&Value>) -> bool {
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
