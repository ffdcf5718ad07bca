//! Undoing an import: what it would do, starting it, and running it backwards through the log.

use std::collections::{BTreeMap, HashMap};
use std::time::Instant;

use rollbook_engine::contact::ContactId;
use rollbook_engine::issue::Issue;
use rollbook_engine::known::Known;
use rollbook_engine::plan::{Step, Verdict};
use rollbook_engine::policy::Policy;
use rollbook_engine::undo::{identifiers, undo};
use rollbook_store::StoreError;
use rollbook_store::commit::ImportStep;
use rollbook_store::imports::{Import, ImportId, ImportKind, ImportState, Lease, NewImport};
use rollbook_store::log::{Attempt, AttemptId, LogFilter, Paging};
use rollbook_store::sources::Source;
use rollbook_store::undo::{UndoBatch, original, refusal};

use crate::app::App;
use crate::clock;
use crate::imports::run::{Ended, Heartbeat, Stopped, source_of};

/// Attempts of the import that are taken back together: as many as records of a file are committed together.
const BATCH: u32 = 2_000;

/// What is kept that a preview shows one by one.
const SHOWN: usize = 100;

/// What an undo would do, if nobody changed anything meanwhile.
#[derive(Debug, Default)]
pub(crate) struct Preview {
    /// Attempts that it has to do with: the records of the undo.
    pub(crate) records: u64,
    /// Contacts that it removes.
    pub(crate) removed: u64,
    /// Contacts that stay and get values back.
    pub(crate) restored: u64,
    /// The values that they get back.
    pub(crate) fields: u64,
    /// Records of which nothing is taken back.
    pub(crate) failed: u64,
    /// Records of which something is kept and the rest is taken back.
    pub(crate) warnings: u64,
    /// How often something is kept, by the codes of the reasons.
    pub(crate) reasons: BTreeMap<String, u64>,
    /// The first of what is kept, from the end of the import.
    pub(crate) kept: Vec<Kept>,
}

/// A record that an undo cannot take back wholly.
#[derive(Debug)]
pub(crate) struct Kept {
    /// The attempt of the import.
    pub(crate) attempt: AttemptId,
    /// Its row.
    pub(crate) row: Option<u64>,
    /// The contact that it wrote.
    pub(crate) contact: ContactId,
    /// The contact's name, or what else is known of it.
    pub(crate) name: Option<String>,
    /// What is kept, and why.
    pub(crate) issues: Vec<Issue>,
}

/// Tells what an undo would do, and writes nothing. A [`StoreError::Conflict`] says why there can be none.
pub(crate) async fn preview(app: &App, import: &Import) -> Result<Preview, StoreError> {
    if let Some(refusal) = refusal(import) {
        return Err(StoreError::Conflict(refusal));
    }
    let source = source_of(app, import).await?;
    let source =
        source.ok_or_else(|| StoreError::Missing("the source of the import".to_owned()))?;
    let mut batch = batch(app, &source, import).await?;
    let survey = app.store.survey_undo(batch.clone()).await?;
    batch.before = survey.before;
    let mut known = Known::new();
    let mut counting = Counting::default();
    loop {
        let filter = LogFilter {
            import: Some(import.id),
            ..LogFilter::default()
        };
        let paging = Paging::Before(batch.before);
        let page = app
            .store
            .page(import.workspace, filter, paging, BATCH)
            .await?;
        let originals: Vec<_> = page
            .attempts
            .iter()
            .filter_map(|attempt| Some((attempt, original(attempt)?)))
            .collect();
        let contacts = originals.iter().map(|(_, original)| original.contact);
        let contacts = contacts.filter(|contact| known.contact(*contact).is_none());
        let contacts = app
            .store
            .contacts_by_number(import.workspace, contacts.collect())
            .await?;
        for contact in contacts {
            known.add(contact);
        }
        let asked: Vec<_> = originals
            .iter()
            .flat_map(|(_, original)| identifiers(original, &batch.policy))
            .collect();
        for owner in app.store.owners(import.workspace, asked).await? {
            known.add(owner);
        }
        for (attempt, original) in &originals {
            let step = undo(
                original,
                &mut known,
                &survey.since,
                &batch.policy,
                &batch.schema,
            );
            if let Some(step) = step {
                counting.count(attempt, step);
            }
        }
        known.write_nothing();
        match page.attempts.last() {
            Some(last) if page.more => batch.before = last.id.number(),
            _ => return Ok(counting.finish()),
        }
    }
}

/// A preview in the making.
#[derive(Default)]
struct Counting {
    preview: Preview,
    /// Values that contacts get back; they may still be removed.
    restored: HashMap<ContactId, u64>,
}

impl Counting {
    fn count(&mut self, attempt: &Attempt, step: Step) {
        let preview = &mut self.preview;
        preview.records += 1;
        let contact = match step.verdict {
            Verdict::Remove { contact } => {
                self.restored.remove(&contact);
                preview.removed += 1;
                contact
            }
            Verdict::Restore { contact } => {
                *self.restored.entry(contact).or_default() += step.changes.len() as u64;
                preview.warnings += u64::from(!step.issues.is_empty());
                contact
            }
            _ => {
                preview.failed += 1;
                match step.contact() {
                    Some(contact) => contact,
                    None => return, // An undo always has to do with a contact.
                }
            }
        };
        for issue in &step.issues {
            let code = issue.code.clone().into_owned();
            *preview.reasons.entry(code).or_default() += 1;
        }
        if !step.issues.is_empty() && preview.kept.len() < SHOWN {
            let shown = step.shown;
            let name = shown.name.or(shown.email).or(shown.phone);
            preview.kept.push(Kept {
                attempt: attempt.id,
                row: attempt.row,
                contact,
                name: name.or(shown.external_id).map(String::from),
                issues: step.issues,
            });
        }
    }

    fn finish(self) -> Preview {
        Preview {
            restored: self.restored.len() as u64,
            fields: self.restored.values().sum(),
            ..self.preview
        }
    }
}

/// Queues an undo. A [`StoreError::Conflict`] says why there can be none.
pub(crate) async fn start(
    app: &App,
    import: &Import,
    created_by: &str,
) -> Result<Import, StoreError> {
    let undo = NewImport {
        id: ImportId(uuid::Uuid::now_v7()),
        workspace: import.workspace,
        kind: ImportKind::Undo,
        parent: Some(import.id),
        source: import.source,
        file_name: import.file_name.clone(),
        file_size: 0,
        file_hash: [0; 32],
        created_by: created_by.to_owned(),
        created_at: clock::now(),
        options: None,
        state: ImportState::Queued,
    };
    app.store.create_undo(undo).await
}

/// Runs an undo from where it stands to its end.
pub(super) async fn take_back(
    app: &App,
    import: &Import,
    lease: Lease,
    alive: &Heartbeat,
) -> Result<Ended, Stopped> {
    let parent = match import.parent {
        Some(parent) => app.store.import(import.workspace, parent).await?,
        None => None,
    };
    let Some(parent) = parent else {
        return Ok(Ended::Failed("the import to undo is gone".to_owned()));
    };
    let Some(source) = source_of(app, import).await? else {
        return Ok(Ended::Failed("its source is gone".to_owned()));
    };
    let mut batch = batch(app, &source, &parent).await?;
    let expected = |records| {
        app.store
            .set_expected_records(import.workspace, import.id, lease, records)
    };
    let totals = parent.totals;
    expected(totals.created + totals.updated.saturating_sub(totals.unchanged)).await?;
    let mut survey = app.store.survey_undo(batch.clone()).await?;
    batch.before = survey.before;
    let mut cursor = import.cursor;
    loop {
        if let Some(ended) = alive.told_to_end() {
            return Ok(ended);
        }
        batch.received_at = clock::now();
        let step = ImportStep {
            import: import.id,
            lease,
            cursor,
            expected: Vec::new(),
        };
        let begun = Instant::now();
        let undone = app
            .store
            .commit_undo_batch(batch.clone(), step, survey)
            .await?;
        app.metrics
            .batch(import.kind, &undone.totals, begun.elapsed());
        cursor += undone.totals.records;
        survey = undone.survey;
        match undone.next {
            Some(next) => batch.before = next,
            None => break,
        }
    }
    // What an earlier undo took back was not counted again.
    expected(cursor).await?;
    Ok(Ended::AtTheEnd)
}

/// The first batch of an undo of an import.
async fn batch(app: &App, source: &Source, import: &Import) -> Result<UndoBatch, StoreError> {
    Ok(UndoBatch {
        workspace: import.workspace,
        source: source.id,
        parent: import.id,
        file_name: import.file_name.clone(),
        policy: Policy::standard(source.settings.mode, &source.settings.namespace),
        schema: app.schema(import.workspace).await?,
        received_at: clock::now(),
        before: u64::MAX,
        limit: BATCH,
    })
}
