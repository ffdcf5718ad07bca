//! Undo: taking back what one attempt of an import did, the last one first.
//!
//! Going backwards, each attempt meets the contact as it left it, unless somebody else wrote since. A field is given
//! back only if nobody else wrote it after the attempt ([`Since`] knows from the log) and it still has the value that
//! the attempt gave it. A contact that the import created is removed only if nobody else wrote it at all; otherwise
//! all of it stays. What somebody else wrote and had undone again counts as not written.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use crate::attempt::Shown;
use crate::change::{Change, Edit, same};
use crate::contact::{Contact, ContactId, Identifier, IdentifierKind, Text, Value};
use crate::issue::{Issue, Kept, Note, Problem};
use crate::known::Known;
use crate::plan::{Step, Verdict};
use crate::policy::Policy;
use crate::schema::{FieldDef, FieldId, Schema};

/// An attempt that is to be taken back. It wrote a contact, or did before its values were erased.
#[derive(Debug, Clone, Copy)]
pub struct Original<'a> {
    /// Its number in the log.
    pub number: u64,
    /// Its row in the import.
    pub row: Option<u64>,
    /// The contact that it wrote.
    pub contact: ContactId,
    /// Whether it created that contact.
    pub created: bool,
    /// What it changed.
    pub changes: &'a [Change],
    /// Whether the log has lost what it changed.
    pub erased: bool,
    /// Who it was about.
    pub shown: &'a Shown,
}

/// What others did to the contacts of an import since.
#[derive(Debug, Clone, Default)]
pub struct Since {
    /// Contacts that the import wrote, in order, and whether it created them.
    written: Vec<(ContactId, bool)>,
    /// What others wrote, in order of number.
    touches: HashMap<ContactId, Vec<Touch>, RandomState>,
}

/// An attempt of others that changed a field.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Touch {
    number: u64,
    /// None for an External ID of another namespace, which is no field that the import could write.
    field: Option<Text>,
}

impl Since {
    /// An import wrote, and perhaps created, these contacts; nobody else did anything since.
    pub fn new(mut written: Vec<(ContactId, bool)>) -> Since {
        // Where a contact was created and then changed, the creation counts.
        written.sort_unstable_by_key(|(contact, created)| (*contact, !created));
        written.dedup_by_key(|(contact, _)| *contact);
        Since {
            written,
            touches: HashMap::default(),
        }
    }

    /// Whether the import wrote a contact: changes of others are of no interest.
    pub fn concerns(&self, contact: ContactId) -> bool {
        self.find(contact).is_some()
    }

    /// Takes in an attempt that is neither of the import nor of its undo; in order of number. `takes_back` is the
    /// number of the attempt that it undoes, if it does; `namespace` says whether its External IDs are in the import's
    /// namespace.
    pub fn note(
        &mut self,
        number: u64,
        contact: ContactId,
        changes: &[Change],
        takes_back: Option<u64>,
        namespace: bool,
    ) {
        if changes.is_empty() || !self.concerns(contact) {
            return;
        }
        let touches = self.touches.entry(contact).or_default();
        for change in changes {
            let foreign = change.field == EXTERNAL_ID && !namespace;
            let field = (!foreign).then(|| change.field.clone());
            let undone = touches
                .iter()
                .position(|touch| Some(touch.number) == takes_back && touch.field == field);
            match undone {
                Some(position) => drop(touches.remove(position)),
                None => touches.push(Touch { number, field }),
            }
        }
        if touches.is_empty() {
            self.touches.remove(&contact);
        }
    }

    fn find(&self, contact: ContactId) -> Option<bool> {
        let position = self
            .written
            .binary_search_by_key(&contact, |(contact, _)| *contact)
            .ok()?;
        Some(self.written[position].1)
    }

    /// Whether the import created a contact.
    fn created(&self, contact: ContactId) -> bool {
        self.find(contact) == Some(true)
    }

    /// Whether others changed anything of a contact.
    fn changed(&self, contact: ContactId) -> bool {
        self.touches.contains_key(&contact)
    }

    /// Whether others changed a field after an attempt.
    fn changed_field(&self, contact: ContactId, field: &str, number: u64) -> bool {
        let touches = self.touches.get(&contact);
        touches.is_some_and(|touches| {
            let own = |touch: &Touch| touch.field.as_deref() == Some(field);
            touches
                .iter()
                .any(|touch| touch.number > number && own(touch))
        })
    }
}

/// The key under which changes of External IDs are written down.
const EXTERNAL_ID: &str = "external_id";

/// The identifiers that taking back an attempt may give back to its contact.
pub fn identifiers(original: &Original<'_>, policy: &Policy) -> Vec<Identifier> {
    let texts = |kind: IdentifierKind| {
        let changes = original.changes.iter();
        changes
            .filter(move |change| change.field == kind.key())
            .flat_map(|change| change.before.as_ref().map_or(&[][..], Value::texts))
            .map(move |text| identifier(kind, text, policy))
    };
    IdentifierKind::ALL.into_iter().flat_map(texts).collect()
}

fn identifier(kind: IdentifierKind, text: &str, policy: &Policy) -> Identifier {
    match kind {
        IdentifierKind::ExternalId => Identifier::external_id(&policy.namespace, text),
        IdentifierKind::Phone => Identifier::phone(text),
        IdentifierKind::Email => Identifier::email(text),
    }
}

/// Takes back one attempt and lets `known` move along: it must hold the attempt's contact, if there is one, and the
/// owner of each of its [`identifiers`]. Attempts come in descending order of number, each once. None if nothing is
/// left to do.
pub fn undo(
    original: &Original<'_>,
    known: &mut Known,
    since: &Since,
    policy: &Policy,
    schema: &Schema,
) -> Option<Step> {
    let id = original.contact;
    let Some(contact) = known.contact(id) else {
        if original.created || since.created(id) {
            return None;
        }
        let issues = vec![Issue::of_record(&Problem::UndoKept(Kept::ContactGone))];
        return Some(leave(id, issues, original.shown.clone()));
    };
    let shown = Shown::of_contact(contact, policy);
    if (original.created || since.created(id)) && since.changed(id) {
        let issues = vec![Issue::of_record(&Problem::UndoKept(Kept::ContactChanged))];
        return Some(leave(id, issues, shown));
    }
    if original.created {
        known.remove(id);
        return Some(step(
            Verdict::Remove { contact: id },
            Vec::new(),
            Vec::new(),
            shown,
        ));
    }
    if original.erased {
        let issues = vec![Issue::of_record(&Problem::UndoKept(Kept::Erased))];
        return Some(leave(id, issues, shown));
    }
    let mut edits = Vec::new();
    let mut issues = Vec::new();
    for change in original.changes {
        match restored(change, contact, original, known, since, policy, schema) {
            Restored::Already => {}
            Restored::By(edit) => edits.push(edit),
            Restored::Not(issue) => issues.push(*issue),
        }
    }
    if edits.is_empty() {
        return (!issues.is_empty()).then(|| leave(id, issues, shown));
    }
    known.update(id, &edits, policy);
    let shown = known
        .contact(id)
        .map_or(shown, |contact| Shown::of_contact(contact, policy));
    let changes = edits.into_iter().map(|edit| edit.change(schema)).collect();
    Some(step(
        Verdict::Restore { contact: id },
        issues,
        changes,
        shown,
    ))
}

/// What becomes of one field.
enum Restored {
    /// It has the value from before the import.
    Already,
    /// It gets that value.
    By(Edit),
    /// It keeps the value that it has.
    Not(Box<Issue>),
}

fn restored(
    change: &Change,
    contact: &Contact,
    original: &Original<'_>,
    known: &Known,
    since: &Since,
    policy: &Policy,
    schema: &Schema,
) -> Restored {
    let key = change.field.as_str();
    let kept = |problem: Problem, value: &str| {
        Restored::Not(Box::new(Issue::of_value(key, &problem, value)))
    };
    let Some(&FieldDef { id: field, .. }) = schema.by_key(key) else {
        let before = text_of(change.before.as_ref());
        return kept(Problem::UndoKept(Kept::FieldGone), &before);
    };
    let now = value_of(contact, field, policy);
    if same(field, now.as_ref(), change.before.as_ref()) {
        return Restored::Already;
    }
    if since.changed_field(contact.id, key, original.number)
        || !same(field, now.as_ref(), change.after.as_ref())
    {
        return kept(
            Problem::UndoKept(Kept::FieldChanged),
            &text_of(now.as_ref()),
        );
    }
    if let Some(kind) = kind_of(field) {
        let before = change.before.as_ref().map_or(&[][..], Value::texts);
        for text in before {
            let owner = known.find(&identifier(kind, text, policy));
            if let Some(owner) = owner.filter(|owner| owner.id != contact.id) {
                let problem = Problem::IdentifierTaken {
                    owner: owner.id.0,
                    owner_name: owner.name().map(String::from).unwrap_or_default(),
                };
                return kept(problem, text);
            }
        }
    }
    Restored::By(Edit::new(field, now, change.before.clone()))
}

fn kind_of(field: FieldId) -> Option<IdentifierKind> {
    IdentifierKind::ALL
        .into_iter()
        .find(|kind| kind.field() == field)
}

/// The value that a contact has now; of External IDs that of the import's namespace.
fn value_of(contact: &Contact, field: FieldId, policy: &Policy) -> Option<Value> {
    if field == FieldId::EXTERNAL_ID {
        let id = contact.external_id(&policy.namespace);
        return id.map(|id| Value::One(id.into()));
    }
    contact.value(field).cloned()
}

/// A value as messages quote it.
fn text_of(value: Option<&Value>) -> String {
    value.map_or(&[][..], Value::texts).join("; ")
}

fn leave(contact: ContactId, issues: Vec<Issue>, shown: Shown) -> Step {
    step(Verdict::Leave { contact }, issues, Vec::new(), shown)
}

fn step(verdict: Verdict, issues: Vec<Issue>, changes: Vec<Change>, shown: Shown) -> Step {
    Step {
        verdict,
        issues,
        notes: Vec::new(),
        changes,
        shown,
    }
}

impl Step {
    /// Says what an undo takes back with this step.
    pub fn note_undo_of(&mut self, file_name: &str, row: Option<u64>) {
        self.notes.push(Note::undo_of(file_name, row));
    }
}
