//! Undoing imports: the engine's rule on what the log and the contacts say inside one transaction.

use std::collections::{HashMap, HashSet};

use async_trait::async_trait;
use rollbook_engine::attempt::Totals;
use rollbook_engine::contact::Identifier;
use rollbook_engine::known::Known;
use rollbook_engine::plan::Step;
use rollbook_engine::undo::{self as engine, Original};
use rusqlite::Connection;
use serde_json::json;
use uuid::Uuid;

use super::commit::{load_owners, write_contacts};
use super::log::{self, NewAttempt};
use super::writer::Writing;
use super::{Sqlite, contacts, imports};
use crate::commit::{ImportStep, Payload};
use crate::imports::{Import, ImportId, NewImport};
use crate::log::{Attempt, LogFilter, Paging};
use crate::sources::SourceId;
use crate::undo::{Survey, Undo, UndoBatch, Undone, original, refusal};
use crate::{StoreError, WorkspaceId};

#[async_trait]
impl Undo for Sqlite {
    async fn create_undo(&self, undo: NewImport) -> Result<Import, StoreError> {
        self.writer
            .write(move |writing| create(writing, &undo))
            .await
    }

    async fn survey_undo(&self, batch: UndoBatch) -> Result<Survey, StoreError> {
        self.readers
            .read(move |connection| survey(connection, &batch))
            .await
    }

    async fn commit_undo_batch(
        &self,
        batch: UndoBatch,
        step: ImportStep,
        mut survey: Survey,
    ) -> Result<Undone, StoreError> {
        self.writer
            .write_alone(move |writing| {
                let (totals, next) = commit(writing, &batch, &step, &mut survey)?;
                let survey = std::mem::take(&mut survey);
                Ok(Undone {
                    totals,
                    next,
                    survey,
                })
            })
            .await
    }
}

fn create(writing: &Writing<'_>, undo: &NewImport) -> Result<Import, StoreError> {
    let Some(parent) = undo.parent else {
        return Err(StoreError::Missing("the import to undo".to_owned()));
    };
    let import = imports::get(&writing.tx, undo.workspace, parent)?;
    match refusal(&import) {
        Some(refusal) => Err(StoreError::Conflict(refusal)),
        None => imports::create(&writing.tx, undo),
    }
}

fn survey(connection: &Connection, batch: &UndoBatch) -> Result<Survey, StoreError> {
    let written = log::since::written(connection, batch.workspace, batch.parent)?;
    let mut survey = Survey {
        since: engine::Since::new(written.contacts),
        seen: written.first.unwrap_or(u64::MAX),
        before: left(connection, batch)?,
    };
    catch_up(connection, batch, &mut survey)?;
    Ok(survey)
}

/// The number before which nothing is taken back yet. Every undo of the import went backwards, and went on where the
/// one before had stopped. The log says where that was, and not how far a cursor is: attempts may have been erased.
fn left(connection: &Connection, batch: &UndoBatch) -> Result<u64, StoreError> {
    let mut left = u64::MAX;
    let mut statement = connection.prepare_cached(
        "SELECT id
         FROM import
         WHERE workspace = ?1 AND parent = ?2 AND kind = 'undo'",
    )?;
    let mut undos = statement.query((batch.workspace.0, batch.parent.0.as_bytes()))?;
    while let Some(row) = undos.next()? {
        let filter = LogFilter {
            import: Some(ImportId(Uuid::from_bytes(row.get(0)?))),
            ..LogFilter::default()
        };
        let latest = log::page(connection, batch.workspace, &filter, Paging::Newest, 1)?;
        let latest = latest.attempts.first().and_then(|latest| latest.replay_of);
        left = latest.map_or(left, |latest| left.min(latest.number()));
    }
    Ok(left)
}

/// Takes in what others did since the survey was last brought up to date.
fn catch_up(
    connection: &Connection,
    batch: &UndoBatch,
    survey: &mut Survey,
) -> Result<(), StoreError> {
    let Some((last, _)) = log::last(connection, batch.workspace)? else {
        return Ok(());
    };
    if last <= survey.seen {
        return Ok(());
    }
    let undos = undos(connection, batch)?;
    let relatives = same_namespace(connection, batch.workspace, &batch.policy.namespace)?;
    let Survey { since, seen, .. } = survey;
    let mut others = Vec::new();
    let concerns = |import: Option<u32>, contact| {
        let own = import.is_some_and(|import| undos.get(&import) == Some(&true));
        !own && since.concerns(contact)
    };
    log::since::changes_after(connection, batch.workspace, *seen, concerns, |changed| {
        let is_undo = changed
            .import
            .is_some_and(|import| undos.contains_key(&import));
        let takes_back = changed.replay_of.filter(|_| is_undo);
        others.push((
            changed.number,
            changed.contact,
            changed.changes.to_vec(),
            takes_back.map(crate::log::AttemptId::number),
            relatives.contains(&changed.source),
        ));
    })?;
    for (number, contact, changes, takes_back, namespace) in others {
        since.note(number, contact, &changes, takes_back, namespace);
    }
    *seen = last;
    Ok(())
}

/// The numbers of the import and of every undo in the workspace, and whether what they did is none of others.
fn undos(connection: &Connection, batch: &UndoBatch) -> Result<HashMap<u32, bool>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT no, kind <> 'undo' OR parent = ?2
         FROM import
         WHERE workspace = ?1 AND (kind = 'undo' OR id = ?2)",
    )?;
    let parent = batch.parent.0.as_bytes();
    let rows = statement.query_map((batch.workspace.0, parent), |row| {
        Ok((row.get(0)?, row.get::<_, Option<bool>>(1)? == Some(true)))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The sources whose External IDs are in a namespace.
fn same_namespace(
    connection: &Connection,
    workspace: WorkspaceId,
    namespace: &str,
) -> Result<HashSet<SourceId>, StoreError> {
    let mut statement = connection
        .prepare_cached("SELECT id FROM source WHERE workspace = ?1 AND namespace = ?2")?;
    let rows = statement.query_map((workspace.0, namespace), |row| row.get(0).map(SourceId))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn commit(
    writing: &mut Writing<'_>,
    batch: &UndoBatch,
    step: &ImportStep,
    survey: &mut Survey,
) -> Result<(Totals, Option<u64>), StoreError> {
    let workspace = batch.workspace;
    let running = imports::check_step(&writing.tx, workspace, step)?;
    writing
        .heads
        .check_source(&writing.tx, workspace, batch.source)?;
    catch_up(&writing.tx, batch, survey)?;
    let filter = LogFilter {
        import: Some(batch.parent),
        ..LogFilter::default()
    };
    let page = log::page(
        &writing.tx,
        workspace,
        &filter,
        Paging::Before(batch.before),
        batch.limit,
    )?;
    let last = page.attempts.last().map(|attempt| attempt.id.number());
    let next = last.filter(|_| page.more);
    let originals: Vec<(&Attempt, Original<'_>)> = page
        .attempts
        .iter()
        .filter_map(|attempt| Some((attempt, original(attempt)?)))
        .collect();

    let mut known = gather(writing, batch, &originals)?;
    let mut steps: Vec<(&Attempt, Step)> = Vec::with_capacity(originals.len());
    for (attempt, original) in &originals {
        let undone = engine::undo(
            original,
            &mut known,
            &survey.since,
            &batch.policy,
            &batch.schema,
        );
        if let Some(mut step) = undone {
            step.note_undo_of(&batch.file_name, original.row);
            steps.push((attempt, step));
        }
    }

    let head = writing.heads.workspace(&writing.tx, workspace)?;
    let (first, received_at) = head.next_attempts(steps.len(), batch.received_at);
    write_contacts(writing, workspace, known, received_at, false)?;
    let payloads: Vec<Payload> = steps
        .iter()
        .map(|(attempt, _)| payload(batch, attempt))
        .collect();
    let attempts: Vec<NewAttempt<'_>> = (first..)
        .zip(steps.iter().zip(&payloads))
        .map(|(number, ((attempt, step), payload))| NewAttempt {
            number,
            received_at,
            outcome: step.outcome(),
            source: batch.source,
            import: Some(running.no),
            row: attempt.row,
            contact: step.contact(),
            shown: &step.shown,
            issues: &step.issues,
            notes: &step.notes,
            changes: &step.changes,
            payload,
            idempotency_key: None,
            replay_of: Some(attempt.id),
        })
        .collect();
    log::append(&writing.tx, workspace, &attempts)?;
    let head = writing.heads.workspace(&writing.tx, workspace)?;
    head.waiting += attempts.len() as u64;
    let results = attempts.iter().map(|attempt| attempt.outcome.result);
    writing
        .heads
        .count(workspace, batch.source, received_at, results);
    let mut totals = Totals::default();
    for (_, step) in &steps {
        totals.count(step);
    }
    running.move_on(&writing.tx, &totals, 0, batch.received_at)?;
    Ok((totals, next))
}

/// The contacts of attempts, and the owners of what may be given back to them.
fn gather(
    writing: &mut Writing<'_>,
    batch: &UndoBatch,
    originals: &[(&Attempt, Original<'_>)],
) -> Result<Known, StoreError> {
    let mut known = Known::new();
    let ids = originals.iter().map(|(_, original)| original.contact);
    let rows = contacts::rows(batch.workspace, ids);
    known.reserve(rows.len());
    contacts::load(&writing.tx, rows, |contact| known.add(contact))?;
    let identifiers: Vec<_> = originals
        .iter()
        .flat_map(|(_, original)| engine::identifiers(original, &batch.policy))
        .collect();
    writing
        .identifiers
        .refresh(&writing.tx, &mut writing.pending)?;
    let wanted = identifiers.iter().map(Identifier::in_place);
    load_owners(writing, batch.workspace, wanted, &mut known)?;
    Ok(known)
}

/// What stands in the log as sent: which attempt is taken back.
fn payload(batch: &UndoBatch, attempt: &Attempt) -> Payload {
    let body = json!({
        "undo_of": attempt.id.to_string(),
        "import": batch.parent.to_string(),
        "row": attempt.row,
    });
    Payload {
        content_type: "application/json".to_owned(),
        bytes: body.to_string().into_bytes(),
    }
}
