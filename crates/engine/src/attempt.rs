//! What the log says of one record: result, action, matched on, and who it was about.

use serde::{Deserialize, Serialize};

use crate::candidate::{Candidate, Given};
use crate::contact::{Contact, IdentifierKind, Text};
use crate::plan::{Step, Verdict};
use crate::policy::Policy;
use crate::schema::FieldId;

/// The article's three results.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ImportResult {
    /// Everything was used.
    Success,
    /// Something was left out, the rest was written.
    Warning,
    /// Nothing was written.
    Failure,
}

/// What was done to a contact; a failure performs nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// A contact was created.
    Created,
    /// A contact was found and updated, possibly with no changes.
    Updated,
    /// A contact was removed, because the import that created it was undone.
    Removed,
}

/// Result, action and matched on: the columns of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// Success, warning or failure.
    pub result: ImportResult,
    /// Created or updated; none for a failure.
    pub action: Option<Action>,
    /// For updates, the identifier that found the contact.
    pub matched_on: Option<IdentifierKind>,
}

impl Outcome {
    pub(crate) fn new(
        action: Option<Action>,
        matched_on: Option<IdentifierKind>,
        issues: bool,
    ) -> Outcome {
        let result = match (action, issues) {
            (None, _) => ImportResult::Failure,
            (Some(_), true) => ImportResult::Warning,
            (Some(_), false) => ImportResult::Success,
        };
        Outcome {
            result,
            action,
            matched_on,
        }
    }
}

/// Who the log says a record was about. What the record gives comes first; what it does not give is taken from the
/// contact that it was written to; a rejected record shows what it brought, valid or not.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Shown {
    /// The name.
    pub name: Option<Text>,
    /// The primary phone number, in canonical text unless it could not be read.
    pub phone: Option<Text>,
    /// The primary email address.
    pub email: Option<Text>,
    /// The External ID.
    pub external_id: Option<Text>,
}

impl Shown {
    /// What to show for a record written to a contact.
    pub(crate) fn of(candidate: &Candidate, contact: Option<&Contact>, policy: &Policy) -> Shown {
        let stored = |field| {
            contact
                .and_then(|contact| contact.value(field))
                .map(|value| value.primary().into())
        };
        let stored_id = || {
            contact
                .and_then(|contact| contact.external_id(&policy.namespace))
                .map(Text::from)
        };
        Shown {
            name: candidate.name().or_else(|| contact.and_then(Contact::name)),
            phone: first(candidate, FieldId::PHONE).or_else(|| stored(FieldId::PHONE)),
            email: first(candidate, FieldId::EMAIL).or_else(|| stored(FieldId::EMAIL)),
            external_id: first(candidate, FieldId::EXTERNAL_ID).or_else(stored_id),
        }
    }

    /// What to show for an undone attempt: the contact that it wrote.
    pub(crate) fn of_contact(contact: &Contact, policy: &Policy) -> Shown {
        Shown::of(&Candidate::default(), Some(contact), policy)
    }

    /// What to show for a record that was rejected.
    pub(crate) fn of_rejected(candidate: &Candidate) -> Shown {
        let raw = |key: &str| {
            let issue = candidate
                .issues
                .iter()
                .find(|issue| issue.field.as_deref() == Some(key));
            issue.and_then(|issue| issue.value.as_deref().map(Text::from))
        };
        Shown {
            name: candidate.name().or_else(|| raw("name")),
            phone: first(candidate, FieldId::PHONE).or_else(|| raw("phone")),
            email: first(candidate, FieldId::EMAIL).or_else(|| raw("email")),
            external_id: first(candidate, FieldId::EXTERNAL_ID).or_else(|| raw("external_id")),
        }
    }
}

fn first(candidate: &Candidate, field: FieldId) -> Option<Text> {
    candidate
        .field(field)
        .and_then(|given: &Given| given.texts().first())
        .cloned()
}

/// Counts of an import. `created + updated + removed + failed == records`; `unchanged` counts within `updated`,
/// `warnings` within `created` and `updated`. An undo creates nothing; only an undo removes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Totals {
    /// Records read.
    pub records: u64,
    /// Contacts created.
    pub created: u64,
    /// Contacts found, whether anything changed or not.
    pub updated: u64,
    /// Contacts found that stood so already.
    pub unchanged: u64,
    /// Contacts removed.
    pub removed: u64,
    /// Records of which something was left out.
    pub warnings: u64,
    /// Records of which nothing was written.
    pub failed: u64,
}

impl Totals {
    /// Counts one record in.
    pub fn count(&mut self, step: &Step) {
        self.records += 1;
        match step.verdict {
            Verdict::Create { .. } => self.created += 1,
            Verdict::Update { .. } | Verdict::Restore { .. } => self.updated += 1,
            Verdict::Keep { .. } => {
                self.updated += 1;
                self.unchanged += 1;
            }
            Verdict::Remove { .. } => self.removed += 1,
            Verdict::Reject | Verdict::Leave { .. } => self.failed += 1,
        }
        if step.outcome().result == ImportResult::Warning {
            self.warnings += 1;
        }
    }

    /// Adds the counts of another batch.
    pub fn add(&mut self, other: &Totals) {
        self.records += other.records;
        self.created += other.created;
        self.updated += other.updated;
        self.unchanged += other.unchanged;
        self.removed += other.removed;
        self.warnings += other.warnings;
        self.failed += other.failed;
    }
}
