//! The review: a dry run of the whole file by the engine that will run it, kept so that people can look at every row,
//! and made anew when they change one.
//!
//! A review holds a few bytes a row in memory and the rest in files without a name ([`details`]), so that a page of any
//! filter costs as many short reads as it has rows. Reviews are made in the background, one for each import, and can
//! always be made again: nothing of them needs to survive.

pub(crate) mod change;
pub(crate) mod details;
pub(crate) mod groups;
pub(crate) mod rows;
pub(in crate::imports) mod verdicts;

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rollbook_engine::attempt::Totals;
use rollbook_engine::mapping::Binding;
use rollbook_store::imports::{Import, ImportId, ImportKind, ImportState, ReviewedRows};
use rollbook_store::sources::Source;
use rollbook_store::{StoreError, Timestamp};
use tokio::sync::watch;

use crate::app::{App, locale};
use crate::clock;
use crate::imports::edits::Edits;
use crate::imports::intake::{self, IntakeError, file_of};
use crate::imports::options::ImportOptions;
use crate::imports::preview::{RowVerdict, preview};
use crate::imports::review::details::{Details, Writer};
use crate::imports::review::groups::{Group, Groups};
use crate::imports::run::source_of;
use crate::imports::said::Said;
use crate::imports::stream;

/// Reviews that are kept. The one that was not looked at for longest goes first.
const KEPT: usize = 16;

/// A review that nobody looked at for so long goes.
const FORGOTTEN: Duration = Duration::from_hours(1);

/// A review that failed is tried again after this time.
const RETRY: Duration = Duration::from_secs(3);

/// How long an answer waits for a review: most are made within that, and then it is exact.
pub(crate) const PATIENCE: Duration = Duration::from_secs(3);

/// Why a review, or a change in it, is not possible.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReviewError {
    /// The import is past its review.
    #[error("the import is {0} already, so there is nothing to review; look at its result")]
    Begun(&'static str),
    /// It is still being made.
    #[error("the file is still being reviewed; try again when that is done")]
    NotReady,
    /// It cannot be made.
    #[error("the file cannot be reviewed: {0}")]
    Failed(String),
    /// There is no such row, column or group.
    #[error("{0}")]
    Missing(String),
    /// A value is not one that it can have.
    #[error("{0}")]
    Value(String),
    /// The file or its mapping.
    #[error(transparent)]
    Intake(#[from] IntakeError),
    /// The store said no.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What was kept cannot be read back.
    #[error("the review cannot be read back: {0}; try again")]
    Io(#[from] std::io::Error),
}

/// A file's review.
#[derive(Debug)]
pub(crate) struct Review {
    /// When it was made.
    pub(crate) made_at: Timestamp,
    /// Counts; rows that were left out count within `failed`.
    pub(crate) totals: Totals,
    /// Rows that were left out.
    pub(crate) dropped: u64,
    /// Rows that were edited.
    pub(crate) edited: u64,
    /// The issues by kind, the most frequent first.
    pub(crate) groups: Vec<Group>,
    /// How the file is read and mapped.
    pub(crate) options: ImportOptions,
    verdicts: Vec<RowVerdict>,
    said: Vec<ReviewedRows>,
    details: Details,
    source: Source,
    binding: Arc<Binding>,
    edits: Arc<Edits>,
}

/// The reviews of a process.
#[derive(Debug, Default)]
pub(crate) struct Reviews(Mutex<Vec<Slot>>);

#[derive(Debug)]
struct Slot {
    import: ImportId,
    looked_at: Instant,
    now: Arc<Making>,
    last: Option<Arc<Review>>,
}

/// What a review depends on beside the contacts: another key makes another review.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Key {
    options: String,
    edits: u64,
    settings: u64,
}

type Outcome = Result<Arc<Review>, String>;

/// A review that is being made, or was.
#[derive(Debug)]
struct Making {
    key: Key,
    begun: Instant,
    judged: AtomicU64,
    expected: AtomicU64,
    stop: AtomicBool,
    outcome: watch::Sender<Option<Outcome>>,
}

/// The review of an import as it stands.
#[derive(Debug, Clone)]
pub(crate) struct Open {
    making: Arc<Making>,
    last: Option<Arc<Review>>,
}

impl Open {
    /// The review, if it is made; or why it cannot be.
    pub(crate) fn outcome(&self) -> Option<Outcome> {
        self.making.outcome.borrow().clone()
    }

    /// Waits for the review, for a while.
    pub(crate) async fn wait(&self, patience: Duration) -> Option<Outcome> {
        let mut outcome = self.making.outcome.subscribe();
        let made = tokio::time::timeout(patience, outcome.wait_for(Option::is_some)).await;
        made.ok()?.ok()?.clone()
    }

    /// The review, or while it is being made again the one before.
    pub(crate) fn latest(&self) -> Option<Arc<Review>> {
        match self.outcome() {
            Some(Ok(review)) => Some(review),
            Some(Err(_)) => None,
            None => self.last.clone(),
        }
    }

    /// Rows judged, and rows of the file as far as they are counted.
    pub(crate) fn progress(&self) -> (u64, Option<u64>) {
        let expected = self.making.expected.load(Ordering::Relaxed);
        (
            self.making.judged.load(Ordering::Relaxed),
            (expected > 0).then_some(expected),
        )
    }
}

/// The review of an import that waits for it; begins to make it where there is none, or something changed since.
/// `again` makes it anew in any case, because the contacts may have changed.
pub(crate) async fn open(app: &App, import: &Import, again: bool) -> Result<Open, ReviewError> {
    if import.state != ImportState::Uploaded || import.kind != ImportKind::File {
        return Err(ReviewError::Begun(import.state.key()));
    }
    let source = source_of(app, import).await?;
    let source = source.ok_or_else(|| ReviewError::Missing("its source is gone".to_owned()))?;
    let (json, options) = options_of(app, &source, import).await?;
    let key = Key {
        options: json,
        edits: import.edits,
        settings: settings(app, &source).await?,
    };
    let (open, new) = app.reviews.place(import.id, key, again);
    if new {
        let (app, import, making) = (app.clone(), import.clone(), Arc::clone(&open.making));
        tokio::spawn(async move {
            let work = {
                let making = Arc::clone(&making);
                tokio::spawn(async move { make(&app, source, &import, options, &making).await })
            };
            let outcome = match work.await {
                Ok(Ok(Some(review))) => Ok(Arc::new(review)),
                Ok(Ok(None)) => Err("something was changed meanwhile".to_owned()),
                Ok(Err(error)) => Err(error.to_string()),
                Err(error) => {
                    tracing::error!("a review broke off: {error}");
                    Err("Rollbook failed; try again".to_owned())
                }
            };
            making.outcome.send_replace(Some(outcome));
        });
    }
    Ok(open)
}

/// How the file is read and mapped. What was guessed is stored, so that the run reads it as the review did.
async fn options_of(
    app: &App,
    source: &Source,
    import: &Import,
) -> Result<(String, ImportOptions), ReviewError> {
    let read = |json: &str| {
        serde_json::from_str(json).map_err(|error| {
            ReviewError::Failed(format!("its stored options are damaged: {error}"))
        })
    };
    if let Some(json) = &import.options {
        return Ok((json.clone(), read(json)?));
    }
    let file = file_of(app, import).await?;
    let nothing = Said::default();
    let seen = intake::inspect(app, source, file.path(), &import.file_name, &nothing).await?;
    let import = intake::save(app, source, import, &seen.options).await?;
    let json = import.options.unwrap_or_default();
    let options = read(&json)?;
    Ok((json, options))
}

/// What else decides how values are read.
async fn settings(app: &App, source: &Source) -> Result<u64, StoreError> {
    let schema = app.schema(source.workspace).await?;
    let workspace = app.settings(source.workspace).await?;
    let mut hasher = DefaultHasher::new();
    let settings = (schema, locale(&workspace, source), &source.settings);
    format!("{settings:?}").hash(&mut hasher);
    Ok(hasher.finish())
}

impl Reviews {
    /// The review with this key, or a place for it; then it is new and has to be made.
    fn place(&self, import: ImportId, key: Key, again: bool) -> (Open, bool) {
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        slots.retain(|slot| slot.import == import || slot.looked_at.elapsed() < FORGOTTEN);
        let old = slots.iter().position(|slot| slot.import == import);
        let old = old.map(|place| slots.remove(place));
        let usable = old.as_ref().is_some_and(|old| {
            let failed = matches!(*old.now.outcome.borrow(), Some(Err(_)));
            let retry = failed && old.now.begun.elapsed() > RETRY;
            old.now.key == key && !retry && !(again && old.now.outcome.borrow().is_some())
        });
        let slot = match old {
            Some(old) if usable => Slot {
                looked_at: Instant::now(),
                ..old
            },
            old => {
                let last = old.and_then(|old| {
                    old.now.stop.store(true, Ordering::Relaxed);
                    match &*old.now.outcome.borrow() {
                        Some(Ok(review)) => Some(Arc::clone(review)),
                        _ => old.last.clone(),
                    }
                });
                Slot {
                    import,
                    looked_at: Instant::now(),
                    now: Arc::new(Making {
                        key,
                        begun: Instant::now(),
                        judged: AtomicU64::new(0),
                        expected: AtomicU64::new(0),
                        stop: AtomicBool::new(false),
                        outcome: watch::Sender::new(None),
                    }),
                    last,
                }
            }
        };
        let open = Open {
            making: Arc::clone(&slot.now),
            last: slot.last.clone(),
        };
        // The newest is last; the first was not looked at for longest.
        slots.push(slot);
        if slots.len() > KEPT {
            slots.remove(0).now.stop.store(true, Ordering::Relaxed);
        }
        (open, !usable)
    }

    /// What the review of an import said of its rows, if there is one that is made, with these options and edits.
    pub(crate) fn said(&self, import: &Import, options: &str) -> Option<Vec<ReviewedRows>> {
        let slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = slots.iter().find(|slot| slot.import == import.id)?;
        let key = &slot.now.key;
        if key.options != options || key.edits != import.edits {
            return None;
        }
        match &*slot.now.outcome.borrow() {
            Some(Ok(review)) => Some(review.said.clone()),
            _ => None,
        }
    }

    /// Lets a review go.
    pub(crate) fn forget(&self, import: ImportId) {
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        slots.retain(|slot| {
            if slot.import == import {
                slot.now.stop.store(true, Ordering::Relaxed);
            }
            slot.import != import
        });
    }
}

/// Makes a review; none if it was stopped.
async fn make(
    app: &App,
    source: Source,
    import: &Import,
    options: ImportOptions,
    making: &Making,
) -> Result<Option<Review>, IntakeError> {
    let edits = Edits::of(app, import).await?;
    let file = file_of(app, import).await?;
    let prepared = stream::prepare(app, &source, file.path(), &options, Arc::clone(&edits)).await?;
    making.expected.store(prepared.records, Ordering::Relaxed);
    let made_at = clock::now();
    let mut details = Writer::new(&app.config.files)?;
    let mut groups = Groups::default();
    let mut said = Vec::new();
    let mut verdicts = Vec::with_capacity(usize::try_from(prepared.records).unwrap_or_default());
    let totals = preview(app, &source, &prepared, &making.stop, &mut |judged| {
        let verdict = RowVerdict::of(judged.step);
        let row = judged.delivery.row.unwrap_or_default();
        groups.add(row, &judged.step.issues);
        verdicts::add(&mut said, row, judged.step, judged.contact);
        details.add(&judged, verdict)?;
        verdicts.push(verdict);
        making.judged.fetch_add(1, Ordering::Relaxed);
        Ok(())
    })
    .await?;
    let Some(totals) = totals else {
        return Ok(None);
    };
    let dropped = verdicts
        .iter()
        .filter(|verdict| **verdict == RowVerdict::Dropped);
    Ok(Some(Review {
        made_at,
        totals,
        dropped: dropped.count() as u64,
        edited: edits.len() as u64,
        groups: groups.sorted(),
        options,
        verdicts,
        said,
        details: details.finish()?,
        source,
        binding: prepared.binding,
        edits,
    }))
}
