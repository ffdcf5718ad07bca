//! Running an import: batches of the file through the engine into the store, from the cursor to the end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rollbook_engine::policy::Policy;
use rollbook_store::StoreError;
use rollbook_store::commit::{Batch, Delivery, ImportStep};
use rollbook_store::imports::{Import, ImportKind, ImportState, Lease};
use rollbook_store::sources::Source;
use tracing::Instrument;

use crate::app::App;
use crate::blobs::BlobError;
use crate::clock;
use crate::imports::edits::Edits;
use crate::imports::intake::{IntakeError, file_of};
use crate::imports::options::ImportOptions;
use crate::imports::replay::{self, ReplayError};
use crate::imports::review::verdicts::Reviewed;
use crate::imports::{stream, undo};
use crate::mail::import_report;
use crate::stopping::Stopping;

/// How long a worker may be silent before another takes its import over, in milliseconds.
pub(crate) const LEASE_MILLIS: i64 = 3_000;

/// Records that are committed together. The last block of a batch is packed while the writer waits, so more of them are
/// faster, and take more memory.
const BATCH: usize = 6_000;

/// The same while single deliveries come in: each of them waits for the batch before it.
const BATCH_BESIDE_DELIVERIES: usize = 500;

/// Payload bytes that are committed together at most, so that large records make smaller batches.
pub(in crate::imports) const BATCH_BYTES: usize = 16 << 20;

/// Why a run stopped before its end. Progress is read from the import itself.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RunError {
    /// Another worker has the import now; nothing is wrong.
    #[error("another worker runs this import now")]
    LeaseLost,
    /// The store said no; the import stays as it is and is resumed later.
    #[error(transparent)]
    Store(StoreError),
    /// The place of uploaded files cannot be reached; the import stays as it is and is resumed later.
    #[error(transparent)]
    Files(BlobError),
    /// The program is about to stop; the import was given back, to be resumed.
    #[error("Rollbook is about to stop; the import goes on when it starts again")]
    Stopping,
}

impl From<StoreError> for RunError {
    fn from(error: StoreError) -> RunError {
        match error {
            StoreError::LeaseLost => RunError::LeaseLost,
            other => RunError::Store(other),
        }
    }
}

/// How a run ended.
pub(in crate::imports) enum Ended {
    AtTheEnd,
    Cancelled,
    Failed(String),
    /// The program is about to stop; what is left is for whoever comes next.
    Interrupted,
}

/// Runs a claimed import to its end, or until a person cancels it. Returns the import as it stands then. What cannot
/// be read ends the import as failed, with the reason; what was committed stays.
pub(crate) async fn run(app: &App, import: Import, lease: Lease) -> Result<Import, RunError> {
    let (workspace, id) = (import.workspace, import.id);
    let alive = Heartbeat::start(app.clone(), &import, lease);
    let ended = match import.kind {
        ImportKind::File => commit_all(app, &import, lease, &alive).await,
        ImportKind::Replay => match replay::all::run(app, &import, lease, &alive).await {
            Ok(ended) => Ok(ended),
            Err(ReplayError::Store(error)) => Err(error.into()),
            Err(ReplayError::File(error)) => Err(error.into()),
            Err(error) => Ok(Ended::Failed(error.to_string())),
        },
        ImportKind::Undo => undo::take_back(app, &import, lease, &alive).await,
    };
    let ended = match ended {
        Ok(ended) => ended,
        Err(Stopped::Run(error)) => return Err(error),
        Err(Stopped::Intake(IntakeError::Store(error))) => return Err(error.into()),
        Err(Stopped::Intake(IntakeError::Blob(error))) if error.passes() => {
            return Err(RunError::Files(error));
        }
        Err(Stopped::Intake(error)) => Ended::Failed(error.to_string()),
    };
    let index = app.store.index_size();
    tracing::info!(
        identifiers = index.identifiers,
        bytes = index.bytes,
        "the index of identifiers in memory"
    );
    let (state, error) = match ended {
        Ended::AtTheEnd => (ImportState::Done, None),
        Ended::Cancelled => (ImportState::Cancelled, None),
        Ended::Failed(error) => (ImportState::Failed, Some(error)),
        Ended::Interrupted => {
            drop(alive);
            // A lease that ends now: nobody has to wait for it to run out.
            app.store
                .renew_lease(workspace, id, lease, clock::now(), 0)
                .await?;
            return Err(RunError::Stopping);
        }
    };
    let now = clock::now();
    // Its counts as they are now; nobody else changes them under this lease.
    let counted = app.store.import(import.workspace, import.id).await?;
    let mails = import_report::mails(app, &counted.unwrap_or(import), state, now).await?;
    Ok(app
        .store
        .finish_import_and_tell(workspace, id, lease, state, error, now, mails)
        .await?)
}

/// What stopped a run: the file, or the store.
pub(in crate::imports) enum Stopped {
    Intake(IntakeError),
    Run(RunError),
}

impl From<IntakeError> for Stopped {
    fn from(error: IntakeError) -> Stopped {
        Stopped::Intake(error)
    }
}

impl From<StoreError> for Stopped {
    fn from(error: StoreError) -> Stopped {
        Stopped::Run(error.into())
    }
}

async fn commit_all(
    app: &App,
    import: &Import,
    lease: Lease,
    alive: &Heartbeat,
) -> Result<Ended, Stopped> {
    let Some(source) = source_of(app, import).await? else {
        return Ok(Ended::Failed("its source is gone".to_owned()));
    };
    let Some(options) = import
        .options
        .as_deref()
        .and_then(|json| serde_json::from_str::<ImportOptions>(json).ok())
    else {
        return Ok(Ended::Failed(
            "how its file is read was never stored; upload the file again".to_owned(),
        ));
    };
    let edits = Edits::of(app, import).await?;
    let file = file_of(app, import).await?;
    // Two long looks at once: at the file, and at who is known by which identifier.
    let (prepared, ready) = tokio::join!(
        stream::prepare(app, &source, file.path(), &options, edits),
        app.store.prepare()
    );
    let prepared = prepared?;
    ready?;
    app.store
        .set_expected_records(import.workspace, import.id, lease, prepared.records)
        .await?;
    let policy = Policy::standard(source.settings.mode, &source.settings.namespace);
    let mut records = stream::records(&prepared, import.cursor);
    let mut cursor = import.cursor;
    let mut reviewed = Reviewed::of(app, import);
    let mut deliveries = next_batch(&mut records, batch_size(app)).await?;
    loop {
        if deliveries.is_empty() && cursor < prepared.records {
            // The readers are gone before the end of the file: whoever comes next goes on here.
            return Err(Stopped::Run(RunError::Store(StoreError::Closed)));
        }
        if deliveries.is_empty() {
            return Ok(Ended::AtTheEnd);
        }
        if let Some(ended) = alive.told_to_end() {
            return Ok(ended);
        }
        let batch = Batch {
            workspace: import.workspace,
            source: source.id,
            policy: policy.clone(),
            schema: Arc::clone(prepared.binding.schema()),
            received_at: clock::now(),
            deliveries,
        };
        let step = ImportStep {
            import: import.id,
            lease,
            cursor,
            expected: reviewed.take(cursor + 1, batch.deliveries.len()).await?,
        };
        // The next records are put together meanwhile, so that the store never waits for them.
        let (committed, next) = tokio::join!(
            commit(app, import.kind, batch, step),
            next_batch(&mut records, batch_size(app))
        );
        cursor += committed?;
        deliveries = next?;
    }
}

/// Commits a batch, and counts it. Returns its records.
pub(in crate::imports) async fn commit(
    app: &App,
    kind: ImportKind,
    batch: Batch,
    step: ImportStep,
) -> Result<u64, StoreError> {
    let begun = Instant::now();
    let span = tracing::debug_span!("batch", records = batch.deliveries.len());
    let committing = app.store.commit_import_batch(batch, step);
    let totals = committing.instrument(span).await?;
    app.metrics.batch(kind, &totals, begun.elapsed());
    Ok(totals.records)
}

/// How many records are committed together just now.
pub(crate) fn batch_size(app: &App) -> usize {
    if app.store.is_receiving() {
        BATCH_BESIDE_DELIVERIES
    } else {
        BATCH
    }
}

/// Chunks of the file until there are `most` records, or hardly more; nothing at the end.
async fn next_batch(
    records: &mut stream::Records,
    most: usize,
) -> Result<Vec<Delivery>, IntakeError> {
    let mut batch: Vec<Delivery> = Vec::with_capacity(most);
    let mut bytes = 0;
    while batch.len() < most && bytes < BATCH_BYTES {
        let Some(chunk) = records.next().await? else {
            break;
        };
        bytes += chunk
            .iter()
            .map(|delivery| delivery.payload.bytes.len())
            .sum::<usize>();
        batch.extend(chunk);
    }
    Ok(batch)
}

/// The source that an import belongs to.
pub(crate) async fn source_of(app: &App, import: &Import) -> Result<Option<Source>, StoreError> {
    let sources = app.store.sources(import.workspace).await?;
    Ok(sources
        .into_iter()
        .find(|source| source.id == import.source))
}

/// Keeps the lease alive, also while the file is only looked at, and learns when a person asks to stop.
pub(in crate::imports) struct Heartbeat {
    stop: Arc<AtomicBool>,
    stopping: Stopping,
    task: tokio::task::JoinHandle<()>,
}

impl Heartbeat {
    fn start(app: App, import: &Import, lease: Lease) -> Heartbeat {
        let stop = Arc::new(AtomicBool::new(import.cancel_requested));
        let (workspace, id) = (import.workspace, import.id);
        let stopping = app.stopping.clone();
        let told = Arc::clone(&stop);
        let task = tokio::spawn(async move {
            let mut beat =
                tokio::time::interval(Duration::from_millis(LEASE_MILLIS.unsigned_abs() / 6));
            loop {
                beat.tick().await;
                match app
                    .store
                    .renew_lease(workspace, id, lease, clock::now(), LEASE_MILLIS)
                    .await
                {
                    Ok(false) => told.store(true, Ordering::Relaxed),
                    Err(StoreError::LeaseLost) => return,
                    // Trouble passes, or the next commit reports it.
                    Ok(true) | Err(_) => {}
                }
            }
        });
        Heartbeat {
            stop,
            stopping,
            task,
        }
    }

    /// How a run has to end before its end, if it has to: between two batches.
    pub(in crate::imports) fn told_to_end(&self) -> Option<Ended> {
        if self.stop.load(Ordering::Relaxed) {
            Some(Ended::Cancelled)
        } else if self.stopping.has_begun() {
            Some(Ended::Interrupted)
        } else {
            None
        }
    }
}

impl Drop for Heartbeat {
    fn drop(&mut self) {
        self.task.abort();
    }
}
