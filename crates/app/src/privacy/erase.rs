//! Erasing a person: out of contacts, log, files, edits and mails; what stays is a counted tombstone.
//!
//! [`begin`] does what must not wait: the contact goes, and no record brings the person back. [`finish`] finds the
//! rest piece by piece and can be begun again at any place, so that a process that dies in the middle is succeeded by
//! the next one that works ([`crate::jobs::erase`]).

use std::time::Duration;

use rollbook_engine::contact::{ContactId, Identifier, IdentifierKind, Value};
use rollbook_engine::traces::Traces;
use rollbook_store::contacts::StoredContact;
use rollbook_store::erasures::Erasure;
use rollbook_store::log::{Attempt, LogFilter, Paging};
use rollbook_store::{StoreError, Timestamp, WorkspaceId};

use crate::app::App;
use crate::audit::{Act, Actor};
use crate::blobs::BlobError;
use crate::clock;
use crate::imports::intake::IntakeError;
use crate::privacy::files;

/// How long whoever works at an erasure may be silent.
pub(crate) const LEASE_MILLIS: i64 = 15_000;

/// Databases up to this size are packed anew, so that nothing of the person is left in pages that nobody uses.
const PACKED: u64 = 256 << 20;

/// Attempts of a contact that are read at a time.
const PAGE: u32 = 500;

/// Why a person is not erased.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EraseError {
    /// The store said no.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Uploaded files cannot be reached; it is tried again.
    #[error(transparent)]
    Files(#[from] BlobError),
    /// An uploaded file cannot be read or written; it is tried again.
    #[error(transparent)]
    File(#[from] IntakeError),
}

/// What erasing a person would touch.
#[derive(Debug, Clone)]
pub(crate) struct Preview {
    /// The contact.
    pub(crate) contact: StoredContact,
    /// Its identifiers, those it had included, which could not come back.
    pub(crate) identifiers: u64,
    /// Attempts of the log that are about it.
    pub(crate) attempts: u64,
    /// Kept files with rows about it.
    pub(crate) files: u64,
}

/// What erasing a person would touch; none if there is no such contact.
pub(crate) async fn preview(
    app: &App,
    workspace: WorkspaceId,
    id: ContactId,
) -> Result<Option<Preview>, StoreError> {
    let Some(contact) = app.store.contact(workspace, id).await? else {
        return Ok(None);
    };
    let mut identifiers: Vec<Identifier> = contact.contact.identifiers().collect();
    let mut imports = Vec::new();
    let mut attempts = 0;
    let namespaces = namespaces(app, workspace).await?;
    each_attempt(app, workspace, id, &mut |attempt| {
        attempts += 1;
        for identifier in former(attempt, &namespaces) {
            if !identifiers.contains(&identifier) {
                identifiers.push(identifier);
            }
        }
        if let Some(import) = attempt.import
            && !imports.contains(&import)
        {
            imports.push(import);
        }
    })
    .await?;
    let mut hashes = Vec::new();
    for import in imports {
        if let Some(import) = app.store.import(workspace, import).await?
            && !hashes.contains(&import.file_hash)
            && app.blobs.may_be_kept(&import.file_hash)
        {
            hashes.push(import.file_hash);
        }
    }
    Ok(Some(Preview {
        contact,
        identifiers: identifiers.len() as u64,
        attempts,
        files: hashes.len() as u64,
    }))
}

/// Removes a contact for good and lets the rest be erased by whoever works next. Of a contact that was erased before,
/// that erasure is returned.
pub(crate) async fn begin(
    app: &App,
    workspace: WorkspaceId,
    id: ContactId,
    actor: &Actor,
) -> Result<Erasure, StoreError> {
    if let Some(before) = app.store.erasure_of(workspace, id).await? {
        return Ok(before);
    }
    let namespaces = namespaces(app, workspace).await?;
    let mut identifiers: Vec<Identifier> = Vec::new();
    each_attempt(app, workspace, id, &mut |attempt| {
        for identifier in former(attempt, &namespaces) {
            if !identifiers.contains(&identifier) {
                identifiers.push(identifier);
            }
        }
    })
    .await?;
    let now = clock::now();
    let erasure = app
        .store
        .begin_erasure(workspace, id, identifiers, actor.name.clone(), now)
        .await?;
    let about = format!("contact {id}, erasure {}", erasure.number);
    app.audit(workspace, actor, Act::Erased, &about).await?;
    Ok(erasure)
}

/// Lets records bring the person of an erasure back.
pub(crate) async fn lift(
    app: &App,
    workspace: WorkspaceId,
    number: u64,
    actor: &Actor,
) -> Result<Erasure, StoreError> {
    let lifted = app
        .store
        .lift_erasure(workspace, number, actor.name.clone(), clock::now())
        .await?;
    let about = format!("contact {}, erasure {number}", lifted.contact);
    app.audit(workspace, actor, Act::LiftedErasure, &about)
        .await?;
    Ok(lifted)
}

/// Finds and erases everything that tells the person of a claimed erasure.
pub(crate) async fn finish(
    app: &App,
    erasure: &Erasure,
    traces: &Traces,
) -> Result<Erasure, EraseError> {
    let (workspace, number) = (erasure.workspace, erasure.number);
    let mut rows = Vec::new();
    let mut next = Some(0);
    while let Some(after) = next {
        let found = app
            .store
            .find_traces(workspace, traces.clone(), after)
            .await?;
        if !found.numbers.is_empty() {
            app.store
                .erase_traces(workspace, number, traces.clone(), found.numbers)
                .await?;
        }
        rows.extend(found.rows);
        next = found.next;
        renew(app, erasure).await?;
    }
    app.store
        .erase_elsewhere(workspace, number, traces.clone(), rows.clone())
        .await?;
    files::erase(app, erasure, traces, &rows).await?;
    app.store.forget_traces(workspace, number).await?;
    keeping(app, erasure, app.store.wipe(PACKED)).await?;
    Ok(app
        .store
        .finish_erasure(workspace, number, clock::now())
        .await?)
}

/// Keeps the lease while something goes on that takes its time.
pub(super) async fn keeping<T>(app: &App, erasure: &Erasure, work: impl Future<Output = T>) -> T {
    let mut work = std::pin::pin!(work);
    let beat = Duration::from_millis(LEASE_MILLIS.unsigned_abs() / 5);
    loop {
        match tokio::time::timeout(beat, &mut work).await {
            Ok(done) => return done,
            Err(_) => {
                // Whoever takes it over meanwhile does the same once more.
                let _ = renew(app, erasure).await;
            }
        }
    }
}

/// Keeps the lease.
pub(super) async fn renew(app: &App, erasure: &Erasure) -> Result<(), StoreError> {
    let until = Timestamp(clock::now().0 + LEASE_MILLIS);
    app.store
        .renew_erasure(erasure.workspace, erasure.number, until)
        .await
}

/// Calls a function with every attempt about a contact, newest first.
pub(super) async fn each_attempt(
    app: &App,
    workspace: WorkspaceId,
    id: ContactId,
    each: &mut (dyn FnMut(&Attempt) + Send),
) -> Result<(), StoreError> {
    let mut paging = Paging::Newest;
    loop {
        let filter = LogFilter {
            contact: Some(id),
            ..LogFilter::default()
        };
        let page = app.store.page(workspace, filter, paging, PAGE).await?;
        for attempt in &page.attempts {
            each(attempt);
        }
        match page.attempts.last() {
            Some(last) if page.more => paging = Paging::Before(last.id.number()),
            _ => return Ok(()),
        }
    }
}

/// The sources with their namespaces.
pub(super) type Namespaces = Vec<(rollbook_store::sources::SourceId, String)>;

pub(super) async fn namespaces(
    app: &App,
    workspace: WorkspaceId,
) -> Result<Namespaces, StoreError> {
    let sources = app.store.sources(workspace).await?.into_iter();
    Ok(sources
        .map(|source| (source.id, source.settings.namespace))
        .collect())
}

/// The identifiers that a contact had, as a change tells.
pub(super) fn former(attempt: &Attempt, namespaces: &Namespaces) -> Vec<Identifier> {
    let namespace = namespaces
        .iter()
        .find(|(id, _)| *id == attempt.source)
        .map_or("", |(_, namespace)| namespace.as_str());
    let mut identifiers = Vec::new();
    for change in &attempt.changes {
        let kind = IdentifierKind::from_key(&change.field);
        let values = [&change.before, &change.after].into_iter().flatten();
        for text in values.flat_map(Value::texts) {
            identifiers.extend(kind.map(|kind| match kind {
                IdentifierKind::ExternalId => Identifier::external_id(namespace, text),
                IdentifierKind::Phone => Identifier::phone(text),
                IdentifierKind::Email => Identifier::email(text),
            }));
        }
    }
    identifiers
}
