//! A file as a stream of normalised records: read on one thread, normalised on all cores, handed on in file order.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc;

use rollbook_engine::candidate::Candidate;
use rollbook_engine::issue::Issue;
use rollbook_engine::mapping::Binding;
use rollbook_engine::normalise::Normaliser;
use rollbook_sources::csv::CsvRecord;
use rollbook_sources::file::{FileError, RecordFile, RecordSource};
use rollbook_store::commit::{Delivery, Payload};
use rollbook_store::sources::Source;
use tokio::sync::{mpsc as tokio_mpsc, oneshot};

use crate::app::App;
use crate::imports::edits::Edits;
use crate::imports::intake::{IntakeError, blocking};
use crate::imports::options::ImportOptions;

/// Records that a thread normalises in one go.
const CHUNK: usize = 500;

/// Text of records that are normalised in one go, at most, give or take one record.
const CHUNK_BYTES: usize = 1 << 20;

/// Chunks that may wait, so that memory stays flat whatever the size of the file: few, for the next batch is put
/// together while the store commits one.
const WAITING: usize = 4;

/// The file of an import, ready to be read.
#[derive(Debug, Clone)]
pub(crate) struct Prepared {
    source: RecordSource,
    /// What its records are read by.
    pub(crate) binding: Arc<Binding>,
    /// What people changed about its rows.
    edits: Arc<Edits>,
    header: Arc<[String]>,
    /// How many records it has.
    pub(crate) records: u64,
}

/// Looks at the whole file once: counts its records and decides the order of its dates, once per column (SPEC 3).
pub(crate) async fn prepare(
    app: &App,
    source: &Source,
    path: &Path,
    options: &ImportOptions,
    edits: Arc<Edits>,
) -> Result<Prepared, IntakeError> {
    let mut binding = bind(app, source, options).await?;
    let (path, options) = (path.to_owned(), options.clone());
    let (folder, limits) = (app.config.files.clone(), app.config.file_limits());
    blocking(move || {
        let source =
            RecordSource::open(&path, &folder, &options.reading, &options.header, &limits)?;
        let mut file = source.records()?;
        let records = if binding.has_dates() {
            let mut evidence = binding.evidence();
            let columns = binding.date_columns();
            let mut record = CsvRecord::default();
            let mut records = 0;
            while file.next_columns(&mut record, &columns)? {
                records += 1;
                if record.problem.is_some() {
                    continue;
                }
                match edits.row(record.row) {
                    None => evidence.observe(&record.record),
                    Some(edit) if edit.dropped.is_some() => {}
                    Some(edit) => evidence.observe(&edit.applied(&record.record)),
                }
            }
            binding.decide_dates(&evidence);
            records
        } else {
            file.skip(u64::MAX)?
        };
        Ok(Prepared {
            source,
            binding: Arc::new(binding),
            edits,
            header: options.header.into(),
            records,
        })
    })
    .await
}

/// What the records of a file are read by, before its dates were looked at.
pub(crate) async fn bind(
    app: &App,
    source: &Source,
    options: &ImportOptions,
) -> Result<Binding, IntakeError> {
    let schema = app.schema(source.workspace).await?;
    let settings = app.settings(source.workspace).await?;
    options.bind(&schema, &settings, source)
}

/// Chunks of normalised records, in file order.
pub(crate) struct Records {
    chunks: tokio_mpsc::Receiver<Chunk>,
}

/// A chunk on its way: the records when they are normalised, or why the file cannot be read on.
type Chunk = Result<oneshot::Receiver<Vec<Delivery>>, FileError>;

impl Records {
    /// The next chunk; none at the end of the file.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<Delivery>>, IntakeError> {
        match self.chunks.recv().await {
            None => Ok(None),
            Some(Err(error)) => Err(error.into()),
            Some(Ok(chunk)) => match chunk.await {
                Ok(deliveries) => Ok(Some(deliveries)),
                Err(_) => Err(IntakeError::Unreadable(
                    "a reader of the file broke off".to_owned(),
                )),
            },
        }
    }
}

/// Reads the file from after its first `skip` records.
pub(crate) fn records(prepared: &Prepared, skip: u64) -> Records {
    let (to_committer, chunks) = tokio_mpsc::channel(WAITING);
    let prepared = prepared.clone();
    tokio::task::spawn_blocking(move || {
        let threads = std::thread::available_parallelism().map_or(2, usize::from);
        let (to_workers, work) = mpsc::sync_channel::<Work>(WAITING);
        let work = std::sync::Mutex::new(work);
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| normalise(&work, &prepared));
            }
            if let Err(error) = read(&prepared, skip, &to_workers, &to_committer) {
                // Nobody listens any more if the import was cancelled meanwhile.
                let _ = to_committer.blocking_send(Err(error));
            }
            drop(to_workers);
        });
    });
    Records { chunks }
}

/// Records to normalise, and where they are waited for.
type Work = (Vec<CsvRecord>, oneshot::Sender<Vec<Delivery>>);

/// Reads records, hands them to the workers, and hands on in order where their results will be.
fn read(
    prepared: &Prepared,
    skip: u64,
    workers: &mpsc::SyncSender<Work>,
    committer: &tokio_mpsc::Sender<Chunk>,
) -> Result<(), FileError> {
    let mut file = prepared.source.records()?;
    file.skip(skip)?;
    loop {
        let records = chunk(&mut file)?;
        if records.is_empty() {
            return Ok(());
        }
        let (done, result) = oneshot::channel();
        let both_listen =
            committer.blocking_send(Ok(result)).is_ok() && workers.send((records, done)).is_ok();
        if !both_listen {
            return Ok(());
        }
    }
}

/// The next records: [`CHUNK`] of them, or fewer if they are large.
fn chunk(file: &mut RecordFile) -> Result<Vec<CsvRecord>, FileError> {
    let mut records = Vec::with_capacity(CHUNK);
    let mut record = CsvRecord::default();
    let mut bytes = 0;
    while records.len() < CHUNK && bytes < CHUNK_BYTES && file.next(&mut record)? {
        bytes += record.raw.len();
        records.push(std::mem::take(&mut record));
    }
    Ok(records)
}

/// Lets the writer and deliveries go before this thread. The store waits for the disk and for its last block of each
/// batch, and only records that are not normalised yet can fill that time. Not the lowest priority: beside a busy
/// neighbour that would leave an import a sixtieth of a core.
fn stand_back() {
    // Nice values are of threads on Linux alone. Where it is refused, everything is right and a little slower.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::setpriority_process(Some(rustix::thread::gettid()), 5);
}

fn normalise(work: &std::sync::Mutex<mpsc::Receiver<Work>>, prepared: &Prepared) {
    stand_back();
    let normaliser = Normaliser::new();
    loop {
        let next = match work.lock() {
            Ok(work) => work.recv(),
            Err(_) => return,
        };
        let Ok((records, done)) = next else { return };
        let deliveries = records
            .into_iter()
            .map(|record| delivery(record, &normaliser, prepared))
            .collect();
        // The committer is gone if the import was cancelled; the next receive ends this thread.
        let _ = done.send(deliveries);
    }
}

fn delivery(record: CsvRecord, normaliser: &Normaliser, prepared: &Prepared) -> Delivery {
    let edit = prepared.edits.row(record.row);
    let candidate = match (&record.problem, edit) {
        (Some(problem), edit) => {
            let unreadable = Candidate::unreadable(Issue::of_record(problem));
            match edit.and_then(|edit| edit.dropped.as_deref()) {
                Some(by) => unreadable.dropped(by),
                None => unreadable,
            }
        }
        (None, Some(edit)) => edit.normalise(
            &record.record,
            &prepared.header,
            normaliser,
            &prepared.binding,
        ),
        (None, None) => normaliser.normalise(&record.record, &prepared.binding),
    };
    Delivery {
        candidate,
        payload: Payload {
            content_type: prepared.source.reading().media_type().to_owned(),
            bytes: record.raw.into_bytes(),
        },
        row: Some(record.row),
        idempotency: None,
        replay_of: None,
    }
}
