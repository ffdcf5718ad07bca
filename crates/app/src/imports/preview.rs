//! The dry run: the verdicts that an import would give, with nothing written.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};

use rollbook_engine::attempt::Totals;
use rollbook_engine::contact::{ContactId, Identifier};
use rollbook_engine::issue::Issue;
use rollbook_engine::known::Known;
use rollbook_engine::plan::{Step, Verdict, plan};
use rollbook_engine::policy::Policy;
use rollbook_store::commit::Delivery;
use rollbook_store::sources::Source;
use rollbook_store::{StoreError, WorkspaceId};
use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::imports::intake::IntakeError;
use crate::imports::stream::{self, Prepared};

/// What will become of a row. Every row is one of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RowVerdict {
    /// It creates a contact.
    Created,
    /// It changes a contact.
    Updated,
    /// It finds a contact that stands so already.
    Unchanged,
    /// It fails.
    Failed,
    /// A person left it out.
    Dropped,
}

impl RowVerdict {
    /// All of them, in the order in which they are shown.
    pub(crate) const ALL: [RowVerdict; 5] = [
        RowVerdict::Created,
        RowVerdict::Updated,
        RowVerdict::Unchanged,
        RowVerdict::Failed,
        RowVerdict::Dropped,
    ];

    /// The word of API and addresses.
    pub(crate) fn key(self) -> &'static str {
        match self {
            RowVerdict::Created => "created",
            RowVerdict::Updated => "updated",
            RowVerdict::Unchanged => "unchanged",
            RowVerdict::Failed => "failed",
            RowVerdict::Dropped => "dropped",
        }
    }

    /// What a step says of its row.
    pub(crate) fn of(step: &Step) -> RowVerdict {
        match step.verdict {
            Verdict::Create { .. } => RowVerdict::Created,
            // Of a file there is nothing to restore or remove: only an undo does.
            Verdict::Update { .. } | Verdict::Restore { .. } | Verdict::Remove { .. } => {
                RowVerdict::Updated
            }
            Verdict::Keep { .. } => RowVerdict::Unchanged,
            Verdict::Reject if step.issues.iter().any(|issue| issue.code == Issue::DROPPED) => {
                RowVerdict::Dropped
            }
            Verdict::Reject | Verdict::Leave { .. } => RowVerdict::Failed,
        }
    }
}

/// One row as it was judged.
#[derive(Debug)]
pub(crate) struct Judged<'a> {
    /// The record; its candidate went into the step.
    pub(crate) delivery: &'a Delivery,
    /// What would be done with it.
    pub(crate) step: &'a Step,
    /// Its contact, if that is stored already.
    pub(crate) contact: Option<ContactId>,
    /// The first row of the same file that is about the same person.
    pub(crate) same_row: Option<u64>,
}

/// Folds a whole file through the engine and hands every record's verdict to `each`, in file order. None if it was
/// stopped before the end.
pub(crate) async fn preview(
    app: &App,
    source: &Source,
    prepared: &Prepared,
    stop: &AtomicBool,
    each: &mut (dyn FnMut(Judged<'_>) -> Result<(), IntakeError> + Send),
) -> Result<Option<Totals>, IntakeError> {
    let policy = Policy::standard(source.settings.mode, &source.settings.namespace);
    let mut records = stream::records(prepared, 0);
    let mut known = Known::new();
    let mut people = People::new(last_contact(app, source).await?);
    let mut totals = Totals::default();
    while let Some(mut deliveries) = records.next().await? {
        if stop.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let candidates: Vec<_> = deliveries
            .iter_mut()
            .map(|delivery| std::mem::take(&mut delivery.candidate))
            .collect();
        let asked: Vec<_> = candidates
            .iter()
            .flat_map(|candidate| {
                candidate
                    .identifiers(&policy)
                    .map(|(identifier, _)| identifier)
            })
            .collect();
        know(app, source.workspace, asked, &mut known).await?;
        let schema = prepared.binding.schema();
        let mut last = people.last();
        let mut next = || {
            last += 1;
            ContactId(last)
        };
        let mut plan = plan(candidates, &mut known, &policy, schema, &mut next);
        known.write_nothing();
        totals.add(&plan.totals());
        for (delivery, step) in deliveries.iter().zip(&mut plan.steps) {
            let same_row = people.meet(delivery.row.unwrap_or_default(), step);
            each(Judged {
                delivery,
                step,
                contact: step.contact().filter(|id| people.is_stored(*id)),
                same_row,
            })?;
        }
    }
    Ok(Some(totals))
}

/// Lets the owners of identifiers be known, and which are of people who were erased.
pub(crate) async fn know(
    app: &App,
    workspace: WorkspaceId,
    identifiers: Vec<Identifier>,
    known: &mut Known,
) -> Result<(), StoreError> {
    for identifier in app
        .store
        .erased_among(workspace, identifiers.clone())
        .await?
    {
        known.add_erased(identifier);
    }
    for contact in app.store.owners(workspace, identifiers).await? {
        known.add(contact);
    }
    Ok(())
}

/// The highest number of a contact: new ones get higher ones, so that none is taken for a stored one.
pub(crate) async fn last_contact(app: &App, source: &Source) -> Result<u64, StoreError> {
    let ContactId(last) = app.store.last_contact(source.workspace).await?;
    Ok(last)
}

/// Who the rows of a file are about.
struct People {
    /// The highest number of a stored contact.
    stored: u64,
    /// The row that made each new contact, in order of their numbers.
    made: Vec<u64>,
    /// The first row that found each stored contact.
    found: HashMap<ContactId, u64>,
}

impl People {
    fn new(stored: u64) -> People {
        People {
            stored,
            made: Vec::new(),
            found: HashMap::new(),
        }
    }

    /// The highest number that was given.
    fn last(&self) -> u64 {
        self.stored + self.made.len() as u64
    }

    fn is_stored(&self, id: ContactId) -> bool {
        id.0 <= self.stored
    }

    /// The row that made a new contact.
    fn maker(&self, id: u64) -> Option<u64> {
        let place = id.checked_sub(self.stored + 1)?;
        self.made.get(usize::try_from(place).ok()?).copied()
    }

    /// Takes a row in; says which row before it is about the same person, or has what this one wants.
    fn meet(&mut self, row: u64, step: &mut Step) -> Option<u64> {
        let taken = step.issues.iter_mut().map(|issue| self.taken(issue));
        let taken = taken.fold(None, Option::or);
        match step.verdict {
            Verdict::Create { .. } => {
                self.made.push(row);
                None
            }
            Verdict::Update { contact, .. } | Verdict::Keep { contact, .. }
                if self.is_stored(contact) =>
            {
                let first = *self.found.entry(contact).or_insert(row);
                (first != row).then_some(first)
            }
            Verdict::Update { contact, .. } | Verdict::Keep { contact, .. } => {
                self.maker(contact.0)
            }
            Verdict::Reject
            | Verdict::Restore { .. }
            | Verdict::Remove { .. }
            | Verdict::Leave { .. } => taken,
        }
    }

    /// A new contact has no number yet that would tell anybody anything: its row does.
    fn taken(&self, issue: &mut Issue) -> Option<u64> {
        let id = issue.owner()?;
        let row = self.maker(id)?;
        issue.message = issue
            .message
            .replace(&format!("contact {id}"), &format!("row {row} of this file"));
        Some(row)
    }
}
