//! Committing: find the contacts that a batch speaks of, let the engine plan, write what the plan says.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use rollbook_engine::attempt::Totals;
use rollbook_engine::candidate::Candidate;
use rollbook_engine::contact::IdentifierRef;
use rollbook_engine::issue::Issue;
use rollbook_engine::known::Known;
use rollbook_engine::plan::{Expected, Plan, Verdict, plan};
use rusqlite::OptionalExtension;
use uuid::Uuid;

use super::contacts;
use super::imports::drift::{self, NewDrift};
use super::log::{self, NewAttempt};
use super::makers::Planned;
use super::receiving::Receiving;
use super::writer::Writing;
use super::{Sqlite, imports, replays};
use crate::commit::{Batch, Commit, Delivered, Delivery, Idempotency, ImportStep, Payload};
use crate::log::{Attempt, AttemptId};
use crate::sources::SourceId;
use crate::{StoreError, Timestamp, WorkspaceId};

#[async_trait]
impl Commit for Sqlite {
    async fn deliver(&self, batch: Batch) -> Result<Vec<Delivered>, StoreError> {
        self.receiving.note();
        let delivered = self
            .writer
            .write(move |writing| deliver(writing, &batch))
            .await;
        // One that waited for long counts from its end as well.
        self.receiving.note();
        delivered
    }

    async fn commit_import_batch(
        &self,
        mut batch: Batch,
        step: ImportStep,
    ) -> Result<Totals, StoreError> {
        let receiving = Arc::clone(&self.receiving);
        self.writer
            .write_alone(move |writing| commit_import_batch(writing, &mut batch, &step, &receiving))
            .await
    }

    fn is_receiving(&self) -> bool {
        self.receiving.is_so()
    }
}

/// What was written for some records.
pub(super) struct Committed {
    pub(super) plan: Plan,
    /// The number of the first attempt; the others follow.
    first: u64,
    received_at: Timestamp,
    /// Contacts created by records without any identifier.
    pub(super) without_identifier: u64,
    /// Of which something else became than a review said.
    drifted: Vec<NewDrift>,
}

/// How a delivery stands to those before it.
enum Seen {
    /// It is new.
    New,
    /// It repeats another one of its batch, the one in this place.
    Again(usize),
    /// It repeats an attempt of the log.
    Stored(Box<Attempt>),
    /// Its idempotency key came with another body before.
    KeyReused,
}

fn deliver(writing: &mut Writing<'_>, batch: &Batch) -> Result<Vec<Delivered>, StoreError> {
    let mut new = Vec::with_capacity(batch.deliveries.len());
    let mut seen = Vec::with_capacity(batch.deliveries.len());
    let mut places = HashMap::new();
    for (place, delivery) in batch.deliveries.iter().enumerate() {
        let found = match &delivery.idempotency {
            Some(idempotency) => compare(writing, batch, idempotency, place, &mut places)?,
            None => Seen::New,
        };
        if matches!(found, Seen::New) {
            new.push(delivery);
        }
        seen.push(found);
    }

    let candidates = new
        .iter()
        .map(|delivery| delivery.candidate.clone())
        .collect();
    let committed = commit(writing, batch, candidates, &new, None, &[])?;
    let head = writing.heads.workspace(&writing.tx, batch.workspace)?;
    head.waiting += new.len() as u64;
    let attempts = attempts(batch, &new, committed);
    for (attempt, delivery) in attempts.iter().zip(&new) {
        // Once the person may come back, the same delivery is good.
        let withheld = attempt
            .issues
            .iter()
            .any(|issue| issue.code == Issue::CONTACT_ERASED);
        if let Some(idempotency) = delivery.idempotency.as_ref().filter(|_| !withheld) {
            remember(writing, batch, idempotency, attempt.id)?;
        }
    }

    let mut attempts = attempts.into_iter();
    let mut delivered = Vec::with_capacity(seen.len());
    for seen in seen {
        let one = match seen {
            Seen::New => attempts.next().map(Delivered::Committed),
            Seen::Again(place) => repeated(&delivered[place]),
            Seen::Stored(attempt) => Some(Delivered::Repeated(*attempt)),
            Seen::KeyReused => Some(Delivered::KeyReused),
        };
        delivered.extend(one);
    }
    Ok(delivered)
}

fn commit_import_batch(
    writing: &mut Writing<'_>,
    batch: &mut Batch,
    step: &ImportStep,
    receiving: &Receiving,
) -> Result<Totals, StoreError> {
    let running = imports::check_step(&writing.tx, batch.workspace, step)?;
    let mut deliveries = std::mem::take(&mut batch.deliveries);
    let payloads = deliveries.iter();
    let bytes = payloads.map(|one| one.payload.bytes.len()).sum();
    // Perhaps another process received it.
    let latest = log::latest_single(&writing.tx, batch.workspace)?;
    if latest.is_some_and(|latest| latest.0 > batch.received_at.0.saturating_sub(1_000)) {
        receiving.note();
    }
    let expected = &step.expected;
    let (totals, without_identifier, drifted) =
        if log::will_wait(&writing.tx, batch.workspace, deliveries.len(), bytes)? {
            let candidates = candidates(&mut deliveries);
            let deliveries: Vec<&Delivery> = deliveries.iter().collect();
            let import = Some(running.no);
            let committed = commit(writing, batch, candidates, &deliveries, import, expected)?;
            let head = writing.heads.workspace(&writing.tx, batch.workspace)?;
            head.waiting += deliveries.len() as u64;
            (
                committed.plan.totals(),
                committed.without_identifier,
                committed.drifted,
            )
        } else {
            commit_in_blocks(writing, batch, deliveries, running.no, expected)?
        };
    running.move_on(&writing.tx, &totals, without_identifier, batch.received_at)?;
    drift::note(&writing.tx, batch.workspace, running.no, &drifted)?;
    Ok(totals)
}

/// Takes the normalised records out of deliveries.
fn candidates(deliveries: &mut [Delivery]) -> Vec<Candidate> {
    deliveries
        .iter_mut()
        .map(|delivery| std::mem::take(&mut delivery.candidate))
        .collect()
}

/// As [`commit`], for many records of an import: a block of them is planned while another thread makes the block of
/// the log before, and frees what it was made of. Returns the totals, how many contacts without any identifier were
/// created, and what drifted. The batch's own deliveries are not looked at.
fn commit_in_blocks(
    writing: &mut Writing<'_>,
    batch: &Batch,
    deliveries: Vec<Delivery>,
    import: u32,
    mut expected: &[Expected],
) -> Result<(Totals, u64, Vec<NewDrift>), StoreError> {
    let workspace = batch.workspace;
    writing
        .heads
        .check_source(&writing.tx, workspace, batch.source)?;
    let head = writing.heads.workspace(&writing.tx, workspace)?;
    let (mut first, received_at) = head.next_attempts(deliveries.len(), batch.received_at);
    let repeats = deliveries.iter();
    replays::note(&writing.tx, workspace, first, received_at, repeats)?;
    let mut tail = log::take_waiting(&writing.tx, workspace)?;
    // One for all blocks: it moves along, so that each sees what the ones before did.
    let mut known = Known::new();
    let mut being_made = Vec::with_capacity(deliveries.len().div_ceil(log::BLOCK));
    let mut drifted = Vec::new();
    let mut deliveries = deliveries.into_iter();
    while !deliveries.as_slice().is_empty() {
        let mut deliveries: Vec<Delivery> = deliveries.by_ref().take(log::BLOCK).collect();
        let candidates = candidates(&mut deliveries);
        let (mut plan, without_identifier) = plan_all(writing, batch, candidates, &mut known)?;
        // Where nothing changes, what is at hand stays as small as one block.
        known.forget_unwritten();
        let (own, rest) = expected.split_at(deliveries.len().min(expected.len()));
        expected = rest;
        drifted.extend(drift::of(
            &mut plan,
            own,
            deliveries.iter(),
            first,
            received_at,
        ));
        let next = first + deliveries.len() as u64;
        being_made.push(writing.makers.make(Planned {
            source: batch.source,
            import,
            deliveries,
            committed: Committed {
                without_identifier,
                plan,
                first,
                received_at,
                drifted: Vec::new(),
            },
            tail: std::mem::take(&mut tail),
        })?);
        first = next;
    }
    write_contacts(writing, workspace, known, received_at, false)?;
    let mut totals = Totals::default();
    let mut without_identifier = 0;
    for made in being_made {
        let made = made.recv().map_err(|_| StoreError::Closed)??;
        log::insert(&writing.tx, workspace, made.blocks)?;
        writing.heads.count(
            workspace,
            batch.source,
            received_at,
            made.results.into_iter(),
        );
        totals.add(&made.totals);
        without_identifier += made.without_identifier;
    }
    Ok((totals, without_identifier, drifted))
}

/// Plans records and writes contacts, attempts and counters. `candidates` and `deliveries` are of the same records;
/// those of the deliveries are not looked at.
fn commit(
    writing: &mut Writing<'_>,
    batch: &Batch,
    candidates: Vec<Candidate>,
    deliveries: &[&Delivery],
    import: Option<u32>,
    expected: &[Expected],
) -> Result<Committed, StoreError> {
    let workspace = batch.workspace;
    writing
        .heads
        .check_source(&writing.tx, workspace, batch.source)?;
    let mut known = Known::new();
    let (mut plan, without_identifier) = plan_all(writing, batch, candidates, &mut known)?;
    let head = writing.heads.workspace(&writing.tx, workspace)?;
    let (first, received_at) = head.next_attempts(deliveries.len(), batch.received_at);
    write_contacts(writing, workspace, known, received_at, true)?;
    let records = deliveries.iter().copied();
    let committed = Committed {
        drifted: drift::of(&mut plan, expected, records, first, received_at),
        without_identifier,
        plan,
        first,
        received_at,
    };
    let attempts = new_attempts(batch.source, &committed, deliveries, import);
    log::append(&writing.tx, workspace, &attempts)?;
    let repeats = deliveries.iter().copied();
    replays::note(&writing.tx, workspace, first, received_at, repeats)?;
    writing.heads.count(
        workspace,
        batch.source,
        received_at,
        attempts.iter().map(|attempt| attempt.outcome.result),
    );
    Ok(committed)
}

/// Plans records, once everybody whom they may be about is known. Returns the plan, and how many contacts without any
/// identifier it creates.
fn plan_all(
    writing: &mut Writing<'_>,
    batch: &Batch,
    candidates: Vec<Candidate>,
    known: &mut Known,
) -> Result<(Plan, u64), StoreError> {
    let nameless = gather(writing, batch, &candidates, known)?;
    let head = writing.heads.workspace(&writing.tx, batch.workspace)?;
    let plan = plan(candidates, known, &batch.policy, &batch.schema, &mut || {
        head.next_contact()
    });
    let creates = |place: &&usize| matches!(plan.steps[**place].verdict, Verdict::Create { .. });
    let without_identifier = nameless.iter().filter(creates).count() as u64;
    Ok((plan, without_identifier))
}

/// What is kept of a record of which nothing may be kept.
static NOTHING: Payload = Payload {
    content_type: String::new(),
    bytes: Vec::new(),
};

/// The attempts of records as the log takes them in.
pub(super) fn new_attempts<'a>(
    source: SourceId,
    committed: &'a Committed,
    deliveries: &[&'a Delivery],
    import: Option<u32>,
) -> Vec<NewAttempt<'a>> {
    let steps = committed.plan.steps.iter().zip(deliveries);
    steps
        .zip(committed.first..)
        .map(|((step, delivery), number)| NewAttempt {
            number,
            received_at: committed.received_at,
            outcome: step.outcome(),
            source,
            import,
            row: delivery.row,
            contact: step.contact(),
            shown: &step.shown,
            issues: &step.issues,
            notes: &step.notes,
            changes: &step.changes,
            payload: if step.is_withheld() {
                &NOTHING
            } else {
                &delivery.payload
            },
            idempotency_key: delivery
                .idempotency
                .as_ref()
                .filter(|_| !step.is_withheld())
                .map(|idempotency| idempotency.key.as_str()),
            replay_of: delivery.replay_of,
        })
        .collect()
}

/// Writes what planning did to contacts. `others_follow`: the transaction looks up more identifiers.
pub(super) fn write_contacts(
    writing: &mut Writing<'_>,
    workspace: WorkspaceId,
    known: Known,
    now: Timestamp,
    others_follow: bool,
) -> Result<(), StoreError> {
    let writes = known.into_writes();
    contacts::insert(&writing.tx, workspace, &writes.created, now)?;
    contacts::update(&writing.tx, workspace, &writes.updated, now)?;
    if !writes.removed.is_empty() {
        contacts::remove(&writing.tx, workspace, &writes.removed)?;
        let head = writing.heads.workspace(&writing.tx, workspace)?;
        head.remove_contacts(writes.removed.len());
    }
    writing.identifiers.note(
        &mut writing.pending,
        workspace,
        &writes.moves,
        others_follow,
    );
    Ok(())
}

/// Lets the owners of every identifier be known, and which are of people who were erased. Returns the places of the candidates that have none.
fn gather(
    writing: &mut Writing<'_>,
    batch: &Batch,
    candidates: &[Candidate],
    known: &mut Known,
) -> Result<Vec<usize>, StoreError> {
    let mut firsts = Vec::with_capacity(candidates.len());
    let mut others = Vec::with_capacity(candidates.len() * 2);
    let mut nameless = Vec::new();
    for (place, candidate) in candidates.iter().enumerate() {
        let mut identifiers = candidate
            .identifiers_in_place(&batch.policy)
            .map(|(identifier, _)| identifier);
        match identifiers.next() {
            Some(first) => firsts.push(first),
            None => nameless.push(place),
        }
        others.extend(identifiers);
    }
    writing
        .identifiers
        .refresh(&writing.tx, &mut writing.pending)?;
    load_owners(writing, batch.workspace, firsts.into_iter(), known)?;
    // A contact that was found by its first identifier mostly has the others as well: no need to look for them.
    others.retain(|identifier| known.find_in_place(identifier).is_none());
    load_owners(writing, batch.workspace, others.into_iter(), known)?;
    if let Some(erased) = writing.identifiers.erased(&writing.tx, batch.workspace)? {
        let all = candidates
            .iter()
            .flat_map(|candidate| candidate.identifiers_in_place(&batch.policy));
        for (identifier, _) in all.filter(|(identifier, _)| erased.has(identifier)) {
            known.add_erased(identifier.to_identifier());
        }
    }
    Ok(nameless)
}

pub(super) fn load_owners<'a>(
    writing: &Writing<'_>,
    workspace: WorkspaceId,
    identifiers: impl Iterator<Item = IdentifierRef<'a>>,
    known: &mut Known,
) -> Result<(), StoreError> {
    let mut rows = writing
        .identifiers
        .lookup(&writing.pending, workspace, identifiers);
    rows.retain(|row| known.contact(row.contact()).is_none());
    known.reserve(rows.len());
    contacts::load(&writing.tx, rows, |contact| known.add(contact))
}

/// The attempts of single deliveries, as their senders are told.
fn attempts(batch: &Batch, deliveries: &[&Delivery], committed: Committed) -> Vec<Attempt> {
    let Committed {
        plan,
        first,
        received_at,
        ..
    } = committed;
    plan.steps
        .into_iter()
        .zip(deliveries)
        .zip(first..)
        .map(|((step, delivery), number)| {
            let outcome = step.outcome();
            let contact = step.contact();
            let withheld = step.is_withheld();
            Attempt {
                id: AttemptId::new(batch.workspace, received_at, number),
                received_at,
                result: outcome.result,
                action: outcome.action,
                matched_on: outcome.matched_on,
                shown: step.shown,
                source: batch.source,
                import: None,
                row: delivery.row,
                contact,
                issues: step.issues,
                notes: step.notes,
                changes: step.changes,
                idempotency_key: delivery
                    .idempotency
                    .as_ref()
                    .filter(|_| !withheld)
                    .map(|idempotency| idempotency.key.clone()),
                replay_of: delivery.replay_of,
            }
        })
        .collect()
}

/// Compares a delivery with those that had the same key, here (`places`, by key) and in the log.
fn compare<'a>(
    writing: &Writing<'_>,
    batch: &Batch,
    idempotency: &'a Idempotency,
    place: usize,
    places: &mut HashMap<&'a str, (usize, [u8; 32])>,
) -> Result<Seen, StoreError> {
    if let Some((first, hash)) = places.get(idempotency.key.as_str()) {
        return Ok(if *hash == idempotency.body_hash {
            Seen::Again(*first)
        } else {
            Seen::KeyReused
        });
    }
    let row: Option<([u8; 32], [u8; 16])> = writing
        .tx
        .prepare_cached(
            "SELECT body_hash, attempt
             FROM idempotency
             WHERE workspace = ?1 AND source = ?2 AND key = ?3",
        )?
        .query_row(
            (batch.workspace.0, batch.source.0, &idempotency.key),
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .optional()?;
    if let Some((hash, attempt)) = row {
        let id = AttemptId(Uuid::from_bytes(attempt));
        // A key is as old as its attempt: if the log has dropped that, the key is free.
        if let Some((attempt, _)) = log::attempt(&writing.tx, batch.workspace, id)? {
            return Ok(if hash == idempotency.body_hash {
                Seen::Stored(Box::new(attempt))
            } else {
                Seen::KeyReused
            });
        }
    }
    places.insert(&idempotency.key, (place, idempotency.body_hash));
    Ok(Seen::New)
}

fn remember(
    writing: &Writing<'_>,
    batch: &Batch,
    idempotency: &Idempotency,
    attempt: AttemptId,
) -> Result<(), StoreError> {
    writing
        .tx
        .prepare_cached(
            "INSERT OR REPLACE INTO idempotency (workspace, source, key, body_hash, attempt)
             VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute((
            batch.workspace.0,
            batch.source.0,
            &idempotency.key,
            idempotency.body_hash,
            attempt.0.as_bytes(),
        ))?;
    Ok(())
}

/// A repeat of a delivery of the same batch; none if that one had no attempt, which a repeated one always has.
fn repeated(first: &Delivered) -> Option<Delivered> {
    match first {
        Delivered::Committed(attempt) | Delivered::Repeated(attempt) => {
            Some(Delivered::Repeated(attempt.clone()))
        }
        Delivered::KeyReused => None,
    }
}
