//! The plan: what is to be done with each record. A fold over the records, in order, with the contacts moving along.

use crate::attempt::{Action, Outcome, Shown, Totals};
use crate::candidate::{Candidate, Given};
use crate::change::{Change, edits, fill};
use crate::contact::{Contact, ContactId, IdentifierKind, Value};
use crate::issue::{Issue, Note, Problem};
use crate::known::Known;
use crate::matching::{Match, Taken, find_match};
use crate::policy::{Mode, Policy};
use crate::schema::Schema;

/// What is done with one record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// A contact is created.
    Create {
        /// Its number.
        contact: ContactId,
    },
    /// A contact is changed.
    Update {
        /// Its number.
        contact: ContactId,
        /// What found it.
        matched_on: IdentifierKind,
    },
    /// A contact was found and stands so already: nothing is written.
    Keep {
        /// Its number.
        contact: ContactId,
        /// What found it.
        matched_on: IdentifierKind,
    },
    /// Nothing is done.
    Reject,
    /// An undo gives a contact back what an import had changed.
    Restore {
        /// Its number.
        contact: ContactId,
    },
    /// An undo removes a contact that an import had created.
    Remove {
        /// Its number.
        contact: ContactId,
    },
    /// An undo leaves a contact as it is.
    Leave {
        /// Its number.
        contact: ContactId,
    },
}

/// One record's verdict, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What is done.
    pub verdict: Verdict,
    /// Why values, or the record, could not be used.
    pub issues: Vec<Issue>,
    /// What else is worth knowing.
    pub notes: Vec<Note>,
    /// What an update changes.
    pub changes: Vec<Change>,
    /// Who the log says it was about.
    pub shown: Shown,
}

impl Step {
    /// Result, action and matched on, as the log shows them.
    pub fn outcome(&self) -> Outcome {
        let (action, matched_on) = match self.verdict {
            Verdict::Create { .. } => (Some(Action::Created), None),
            Verdict::Update { matched_on, .. } | Verdict::Keep { matched_on, .. } => {
                (Some(Action::Updated), Some(matched_on))
            }
            Verdict::Restore { .. } => (Some(Action::Updated), None),
            Verdict::Remove { .. } => (Some(Action::Removed), None),
            Verdict::Reject | Verdict::Leave { .. } => (None, None),
        };
        Outcome::new(action, matched_on, !self.issues.is_empty())
    }

    /// Whether nothing of what the record says may be kept, its payload included: its person was erased.
    pub fn is_withheld(&self) -> bool {
        self.issues
            .iter()
            .any(|issue| issue.code == Issue::CONTACT_ERASED)
    }

    /// The contact that was created, updated or kept, or that an undo had to do with.
    pub fn contact(&self) -> Option<ContactId> {
        match self.verdict {
            Verdict::Create { contact }
            | Verdict::Update { contact, .. }
            | Verdict::Keep { contact, .. }
            | Verdict::Restore { contact }
            | Verdict::Remove { contact }
            | Verdict::Leave { contact } => Some(contact),
            Verdict::Reject => None,
        }
    }
}

/// What a review said would become of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expected {
    /// What would be done.
    pub verdict: ExpectedVerdict,
    /// The contact that it found; none if it found none, or one that the same import makes.
    pub contact: Option<ContactId>,
}

/// What a review said would be done with a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExpectedVerdict {
    /// A contact is created.
    Created,
    /// A contact is changed.
    Updated,
    /// A contact stands so already.
    Unchanged,
    /// Nothing is done.
    Failed,
}

impl ExpectedVerdict {
    /// All of them.
    pub const ALL: [ExpectedVerdict; 4] = [
        ExpectedVerdict::Created,
        ExpectedVerdict::Updated,
        ExpectedVerdict::Unchanged,
        ExpectedVerdict::Failed,
    ];

    /// The word of API and store.
    pub fn key(self) -> &'static str {
        match self {
            ExpectedVerdict::Created => "created",
            ExpectedVerdict::Updated => "updated",
            ExpectedVerdict::Unchanged => "unchanged",
            ExpectedVerdict::Failed => "failed",
        }
    }
}

impl From<&Verdict> for ExpectedVerdict {
    fn from(verdict: &Verdict) -> ExpectedVerdict {
        match verdict {
            Verdict::Create { .. } => ExpectedVerdict::Created,
            Verdict::Update { .. } | Verdict::Restore { .. } | Verdict::Remove { .. } => {
                ExpectedVerdict::Updated
            }
            Verdict::Keep { .. } => ExpectedVerdict::Unchanged,
            Verdict::Reject | Verdict::Leave { .. } => ExpectedVerdict::Failed,
        }
    }
}

impl Step {
    /// Compares the step with what a review said; if they differ, a note says so. Returns whether they do.
    pub fn drifts_from(&mut self, expected: Expected) -> bool {
        let same_contact = expected
            .contact
            .is_none_or(|contact| self.contact() == Some(contact));
        if expected.verdict == ExpectedVerdict::from(&self.verdict) && same_contact {
            return false;
        }
        self.notes.push(Note::drifted(expected));
        true
    }
}

/// The steps of a batch, one a record, in order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// One step a record.
    pub steps: Vec<Step>,
}

impl Plan {
    /// The counts that add up to the number of records.
    pub fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        for step in &self.steps {
            totals.count(step);
        }
        totals
    }
}

/// Plans a batch. `known` must hold the owner of every identifier of the candidates and moves along; `next_id` gives
/// the numbers of new contacts.
pub fn plan(
    candidates: Vec<Candidate>,
    known: &mut Known,
    policy: &Policy,
    schema: &Schema,
    next_id: &mut dyn FnMut() -> ContactId,
) -> Plan {
    let steps = candidates
        .into_iter()
        .map(|candidate| decide(candidate, known, policy, schema, next_id))
        .collect();
    Plan { steps }
}

/// Decides on one record and lets `known` move along.
fn decide(
    mut candidate: Candidate,
    known: &mut Known,
    policy: &Policy,
    schema: &Schema,
    next_id: &mut dyn FnMut() -> ContactId,
) -> Step {
    if is_erased(&candidate, known, policy) {
        return withhold();
    }
    if candidate.issues.iter().any(|issue| issue.field.is_none()) {
        return reject(candidate); // It could not be read.
    }
    let Match { found, taken } = find_match(&candidate, known, policy);
    for taken in &taken {
        candidate.issues.push(taken_issue(taken, known, schema));
    }
    if let Some(problem) = refusal(&candidate, found.is_some(), policy) {
        candidate.issues.insert(0, Issue::of_record(&problem));
        return reject(candidate);
    }
    if policy.mode == Mode::Manual && !candidate.issues.is_empty() {
        return reject(candidate);
    }
    for taken in &taken {
        leave_out(&mut candidate, taken);
    }
    match found {
        Some((id, matched_on)) => update(candidate, id, matched_on, known, policy, schema),
        None => create(candidate, next_id(), known, policy),
    }
}

/// Whether any identifier of the record is of a person who was erased, whatever else it says: one is enough to bring
/// them back.
fn is_erased(candidate: &Candidate, known: &Known, policy: &Policy) -> bool {
    // Mostly nobody was, and this is asked for every record.
    known.has_erased()
        && candidate
            .identifiers_in_place(policy)
            .any(|(identifier, _)| known.is_erased(&identifier))
}

/// Why the record as a whole cannot be used, if it cannot (SPEC 4, first table).
fn refusal(candidate: &Candidate, found: bool, policy: &Policy) -> Option<Problem> {
    match policy.mode {
        Mode::Manual => {
            (candidate.issues.is_empty() && !candidate.has_value()).then_some(Problem::RecordEmpty)
        }
        Mode::Automatic => (!found && candidate.identifiers_in_place(policy).next().is_none())
            .then_some(Problem::RecordNoIdentifier),
    }
}

fn create(mut candidate: Candidate, id: ContactId, known: &mut Known, policy: &Policy) -> Step {
    let shown = Shown::of(&candidate, None, policy);
    let mut contact = Contact::new(id);
    fill(std::mem::take(&mut candidate.given), &mut contact, policy);
    known.create(contact);
    step(
        Verdict::Create { contact: id },
        candidate,
        Vec::new(),
        shown,
    )
}

fn update(
    mut candidate: Candidate,
    id: ContactId,
    matched_on: IdentifierKind,
    known: &mut Known,
    policy: &Policy,
    schema: &Schema,
) -> Step {
    let Some(stored) = known.contact(id) else {
        return reject(candidate); // Matching only finds known contacts.
    };
    let edits = edits(&candidate, stored, policy);
    if edits.is_empty() {
        let shown = Shown::of(&candidate, Some(stored), policy);
        candidate.notes.push(Note::no_changes());
        return step(
            Verdict::Keep {
                contact: id,
                matched_on,
            },
            candidate,
            Vec::new(),
            shown,
        );
    }
    known.update(id, &edits, policy);
    let shown = Shown::of(&candidate, known.contact(id), policy);
    let changes = edits.into_iter().map(|edit| edit.change(schema)).collect();
    step(
        Verdict::Update {
            contact: id,
            matched_on,
        },
        candidate,
        changes,
        shown,
    )
}

fn reject(candidate: Candidate) -> Step {
    let shown = Shown::of_rejected(&candidate);
    step(Verdict::Reject, candidate, Vec::new(), shown)
}

/// A record of a person who was erased: nothing of what it says is kept.
fn withhold() -> Step {
    Step {
        verdict: Verdict::Reject,
        issues: vec![Issue::of_record(&Problem::ContactErased)],
        notes: vec![Note::withheld()],
        changes: Vec::new(),
        shown: Shown::default(),
    }
}

fn step(verdict: Verdict, candidate: Candidate, changes: Vec<Change>, shown: Shown) -> Step {
    Step {
        verdict,
        issues: candidate.issues,
        notes: candidate.notes,
        changes,
        shown,
    }
}

fn taken_issue(taken: &Taken, known: &Known, schema: &Schema) -> Issue {
    let owner_name = known
        .contact(taken.owner)
        .and_then(Contact::name)
        .unwrap_or_default()
        .into_string();
    let problem = Problem::IdentifierTaken {
        owner: taken.owner.0,
        owner_name,
    };
    Issue::of_value(&schema.key_of(taken.kind.field()), &problem, &taken.value)
}

/// Takes a value out of what the record gives; the field's other values stay.
fn leave_out(candidate: &mut Candidate, taken: &Taken) {
    let field = taken.kind.field();
    candidate.given.retain_mut(|(id, given)| {
        if *id != field {
            return true;
        }
        match given {
            Given::Set(Value::Many(texts))
            | Given::Fill(Value::Many(texts))
            | Given::Add(texts) => {
                texts.retain(|text| *text != taken.value);
                !texts.is_empty()
            }
            Given::Set(Value::One(_)) | Given::Fill(Value::One(_)) => false,
            Given::Clear => true,
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_compared_with_what_a_review_said() {
        let step = |verdict| Step {
            verdict,
            issues: Vec::new(),
            notes: Vec::new(),
            changes: Vec::new(),
            shown: Shown::default(),
        };
        let (one, other) = (ContactId(1), ContactId(2));
        let create = Verdict::Create { contact: one };
        let update = Verdict::Update {
            contact: one,
            matched_on: IdentifierKind::Email,
        };
        let expected = |verdict, contact| Expected { verdict, contact };
        for (verdict, expected, drifts) in [
            (&create, expected(ExpectedVerdict::Created, None), false),
            (&create, expected(ExpectedVerdict::Updated, Some(one)), true),
            (
                &update,
                expected(ExpectedVerdict::Updated, Some(one)),
                false,
            ),
            (&update, expected(ExpectedVerdict::Updated, None), false),
            (
                &update,
                expected(ExpectedVerdict::Updated, Some(other)),
                true,
            ),
            (&update, expected(ExpectedVerdict::Created, None), true),
            (
                &update,
                expected(ExpectedVerdict::Unchanged, Some(one)),
                true,
            ),
            (
                &Verdict::Reject,
                expected(ExpectedVerdict::Failed, None),
                false,
            ),
            (
                &Verdict::Reject,
                expected(ExpectedVerdict::Created, None),
                true,
            ),
        ] {
            let mut step = step(verdict.clone());
            assert_eq!(
                step.drifts_from(expected),
                drifts,
                "{verdict:?} {expected:?}"
            );
            assert_eq!(step.notes.len(), usize::from(drifts));
        }
    }
}
