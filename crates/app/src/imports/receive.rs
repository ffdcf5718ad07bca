//! Receiving records from another system: one, or a batch.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rollbook_engine::candidate::Candidate;
use rollbook_engine::issue::{Issue, Note, Problem};
use rollbook_engine::mapping::{Binding, Mapping};
use rollbook_engine::normalise::Normaliser;
use rollbook_engine::policy::Policy;
use rollbook_sources::json;
use rollbook_store::WorkspaceId;
use rollbook_store::commit::{Batch, Delivered, Delivery, Idempotency, Payload};
use rollbook_store::sources::{NewSource, Source, SourceId};

use crate::app::{App, locale};
use crate::clock;

/// One record as it came in.
#[derive(Debug, Clone)]
pub(crate) struct Incoming {
    /// Its own bytes.
    pub(crate) body: Vec<u8>,
    /// The media type, for example `application/json`.
    pub(crate) content_type: String,
    /// The sender's key.
    pub(crate) idempotency: Option<Idempotency>,
    /// Why it cannot be read, where that is known already.
    pub(crate) problem: Option<Problem>,
    /// The event that it came with.
    pub(crate) event: Option<Told>,
}

/// What an event tells of the record that it came with.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    /// The event's type.
    pub(crate) kind: Option<String>,
    /// Why the record is not written, where it is not. Then what was sent is the whole event, and this the part of it
    /// that is about the contact: it says whom the attempt is about.
    pub(crate) refused: Option<(Problem, Option<String>)>,
}

/// Why a delivery was refused as a whole.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReceiveError {
    /// The source's mapping does not fit.
    #[error("{}", .0.join("; "))]
    Mapping(Vec<String>),
    /// The store said no.
    #[error(transparent)]
    Store(#[from] rollbook_store::StoreError),
}

/// How long a source's binding is used before settings and fields are looked at again.
const FRESH: Duration = Duration::from_secs(1);

/// Bindings of the sources that deliver just now.
#[derive(Debug, Default)]
pub(crate) struct Bindings(Mutex<HashMap<(WorkspaceId, SourceId), Bound>>);

/// What a source's records are read by, and since when.
#[derive(Debug, Clone)]
struct Bound {
    settings: NewSource,
    paths: Arc<Vec<String>>,
    binding: Arc<Binding>,
    since: Instant,
}

thread_local! {
    /// Each thread that answers requests reads records by itself.
    static NORMALISER: Normaliser = Normaliser::new();
}

/// Lets a function use this thread's normaliser.
pub(crate) fn with_normaliser<T>(work: impl FnOnce(&Normaliser) -> T) -> T {
    NORMALISER.with(work)
}

/// Reads, normalises and commits records in order; answers when they are on disk. A body that is no record becomes a
/// failure in the log, and so does every record of a paused source; that one leaves its idempotency key unused, so that
/// it can be sent again.
pub(crate) async fn receive(
    app: &App,
    source: &Source,
    records: Vec<Incoming>,
) -> Result<Vec<Delivered>, ReceiveError> {
    let bound = bound(app, source).await?;
    let mut deliveries: Vec<Delivery> = NORMALISER.with(|normaliser| {
        records
            .into_iter()
            .map(|one| delivery(one, normaliser, &bound))
            .collect()
    });
    if source.paused {
        for delivery in &mut deliveries {
            let issue = Issue::of_record(&Problem::SourcePaused);
            delivery.candidate.issues.insert(0, issue);
            delivery.idempotency = None;
        }
    }
    let batch = Batch {
        workspace: source.workspace,
        source: source.id,
        policy: Policy::standard(source.settings.mode, &source.settings.namespace),
        schema: Arc::clone(bound.binding.schema()),
        received_at: clock::now(),
        deliveries,
    };
    let begun = Instant::now();
    let delivered = app.store.deliver(batch).await?;
    app.metrics
        .delivered("delivery", &delivered, begun.elapsed());
    Ok(delivered)
}

fn delivery(incoming: Incoming, normaliser: &Normaliser, bound: &Bound) -> Delivery {
    let read = |body: &[u8]| {
        read(body, normaliser, bound)
            .unwrap_or_else(|problem| Candidate::unreadable(Issue::of_record(&problem)))
    };
    let (kind, refused) = incoming
        .event
        .map_or((None, None), |event| (event.kind, event.refused));
    let mut candidate = match (incoming.problem, refused) {
        (Some(problem), _) => Candidate::unreadable(Issue::of_record(&problem)),
        (None, Some((problem, contact))) => {
            let mut candidate =
                contact.map_or_else(Candidate::default, |contact| read(contact.as_bytes()));
            candidate.issues.insert(0, Issue::of_record(&problem));
            candidate
        }
        (None, None) => read(&incoming.body),
    };
    candidate.notes.extend(kind.map(|kind| Note::event(&kind)));
    Delivery {
        candidate,
        payload: Payload {
            content_type: incoming.content_type,
            bytes: incoming.body,
        },
        row: None,
        idempotency: incoming.idempotency,
        replay_of: None,
    }
}

fn read(body: &[u8], normaliser: &Normaliser, bound: &Bound) -> Result<Candidate, Problem> {
    let text = std::str::from_utf8(body).map_err(|error| Problem::RecordUnreadable {
        reason: format!("it is not UTF-8: {error}"),
    })?;
    Ok(normaliser.normalise(&json::to_record(text, &bound.paths)?, &bound.binding))
}

/// What the records of a source are read by: its own mapping, or the names that are commonly used.
async fn bound(app: &App, source: &Source) -> Result<Bound, ReceiveError> {
    let key = (source.workspace, source.id);
    let kept = app
        .bindings
        .0
        .lock()
        .ok()
        .and_then(|bindings| bindings.get(&key).cloned());
    if let Some(bound) =
        kept.filter(|bound| bound.since.elapsed() < FRESH && bound.settings == source.settings)
    {
        return Ok(bound);
    }
    let (paths, binding) = bind(app, source, None).await?;
    let bound = Bound {
        settings: source.settings.clone(),
        paths: Arc::new(paths),
        binding: Arc::new(binding),
        since: Instant::now(),
    };
    if let Ok(mut bindings) = app.bindings.0.lock() {
        bindings.insert(key, bound.clone());
    }
    Ok(bound)
}

/// The paths and the binding of a source's records: by its own mapping, or the names that are commonly used; where
/// `said` says something else, by that.
pub(crate) async fn bind(
    app: &App,
    source: &Source,
    said: Option<&Mapping>,
) -> Result<(Vec<String>, Binding), ReceiveError> {
    let schema = app.schema(source.workspace).await?;
    let settings = app.settings(source.workspace).await?;
    let mut mapping = match &source.settings.mapping {
        Some(json) => serde_json::from_str(json)
            .map_err(|error| ReceiveError::Mapping(vec![format!("the mapping: {error}")]))?,
        None => Mapping::json_default(&schema),
    };
    if let Some(said) = said {
        mapping = mapping.with(said, &schema);
    }
    let header = mapping.paths();
    let binding = mapping
        .bind(&header, &schema, &locale(&settings, source))
        .map_err(|errors| {
            ReceiveError::Mapping(errors.iter().map(ToString::to_string).collect())
        })?;
    Ok((header.names, binding))
}
