//! Replaying: records of the log, read again under the rules that hold now, become new attempts that link to the old
//! ones. The old ones stay as they are.

pub(crate) mod all;
pub(crate) mod columns;
pub(crate) mod judge;
pub(crate) mod origin;

use std::sync::Arc;
use std::time::Instant;

use rollbook_engine::issue::Issue;
use rollbook_engine::mapping::Mapping;
use rollbook_engine::policy::Policy;
use rollbook_engine::schema::Schema;
use rollbook_store::commit::{Batch, Delivered, Delivery, Payload};
use rollbook_store::imports::ImportId;
use rollbook_store::log::Attempt;
use rollbook_store::sources::Source;
use rollbook_store::{StoreError, WorkspaceId};

use crate::app::App;
use crate::clock;
use crate::imports::intake::IntakeError;
use crate::imports::receive::ReceiveError;
use crate::imports::replay::origin::{Obstacle, Readers};

/// What is to be different this time.
#[derive(Debug, Clone, Default)]
pub(crate) struct Edit {
    /// The record, instead of what was sent.
    pub(crate) payload: Option<String>,
    /// Where some columns go instead.
    pub(crate) mapping: Option<Mapping>,
}

/// Why something cannot be replayed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReplayError {
    /// What the attempt is stands in the way.
    #[error("this attempt cannot be replayed: {0}")]
    Obstacle(Obstacle),
    /// The edited record is none.
    #[error("the edited record cannot be used: {0}")]
    Payload(String),
    /// The edited record is too large.
    #[error("the edited record is larger than {0} bytes; make it shorter")]
    TooLarge(usize),
    /// The source takes nothing.
    #[error("source `{0}` is paused; resume it, then replay again")]
    Paused(String),
    /// Nothing that was found can be replayed.
    #[error("none of these attempts can be replayed; choose others")]
    Nothing,
    /// Another replay of the source still runs.
    #[error("import {0} still replays attempts of this source; wait for its end, or cancel it")]
    Busy(ImportId),
    /// The mapping does not fit.
    #[error("{}", .0.join("; "))]
    Mapping(Vec<String>),
    /// The file that the record came from is there, but cannot be read.
    #[error(transparent)]
    File(IntakeError),
    /// The store said no.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<IntakeError> for ReplayError {
    fn from(error: IntakeError) -> ReplayError {
        match error {
            IntakeError::Mapping(errors) => ReplayError::Mapping(errors),
            IntakeError::Store(error) => ReplayError::Store(error),
            other => ReplayError::File(other),
        }
    }
}

impl From<ReceiveError> for ReplayError {
    fn from(error: ReceiveError) -> ReplayError {
        match error {
            ReceiveError::Mapping(errors) => ReplayError::Mapping(errors),
            ReceiveError::Store(error) => ReplayError::Store(error),
        }
    }
}

/// One attempt, read again.
#[derive(Debug)]
pub(crate) struct Ready {
    source: Source,
    schema: Arc<Schema>,
    delivery: Delivery,
}

/// Reads the record of an attempt again.
pub(crate) async fn read(
    app: &App,
    workspace: WorkspaceId,
    attempt: &Attempt,
    payload: Payload,
    edit: Edit,
) -> Result<Ready, ReplayError> {
    let sources = app.store.sources(workspace).await?;
    let source = sources
        .into_iter()
        .find(|source| source.id == attempt.source)
        .ok_or(ReplayError::Obstacle(Obstacle::SourceGone))?;
    if source.paused {
        return Err(ReplayError::Paused(source.settings.name));
    }
    match Obstacle::of(attempt) {
        Some(Obstacle::Cut | Obstacle::NoPayload) if edit.payload.is_some() => {}
        // Who asks for this one wants it after all.
        None | Some(Obstacle::Dropped) => {}
        Some(obstacle) => return Err(ReplayError::Obstacle(obstacle)),
    }
    let mut readers = Readers::new(app, &source, edit.mapping.as_ref());
    let (reader, changed) = readers.of(attempt, &payload).await?;
    let schema = Arc::clone(reader.schema());
    let delivery = match edit.payload {
        None => reader.delivery(attempt, payload, changed.as_ref()),
        Some(text) => {
            let limit = app.config.max_record_bytes;
            if text.len() > limit {
                return Err(ReplayError::TooLarge(limit));
            }
            let payload = Payload {
                bytes: text.into_bytes(),
                ..payload
            };
            // A slip of the editor's pen is no attempt.
            if let Err(problem) = reader.candidate(&payload, None) {
                let issue = Issue::of_record(&problem);
                return Err(ReplayError::Payload(issue.message));
            }
            reader.delivery(attempt, payload, None)
        }
    };
    Ok(Ready {
        source,
        schema,
        delivery: Delivery {
            // It is no row of an import this time.
            row: None,
            ..delivery
        },
    })
}

/// Commits an attempt that was read again; answers when the new one is on disk.
pub(crate) async fn commit(app: &App, ready: Ready) -> Result<Attempt, ReplayError> {
    let Ready {
        source,
        schema,
        delivery,
    } = ready;
    let batch = Batch {
        workspace: source.workspace,
        source: source.id,
        policy: policy(&source),
        schema,
        received_at: clock::now(),
        deliveries: vec![delivery],
    };
    let begun = Instant::now();
    let mut delivered = app.store.deliver(batch).await?;
    app.metrics.delivered("replay", &delivered, begun.elapsed());
    match delivered.pop() {
        Some(Delivered::Committed(attempt) | Delivered::Repeated(attempt)) => Ok(attempt),
        // It has no idempotency key, so it was not compared with anything.
        Some(Delivered::KeyReused) | None => Err(ReplayError::Store(StoreError::Closed)),
    }
}

/// How the records of a source are judged now.
fn policy(source: &Source) -> Policy {
    Policy::standard(source.settings.mode, &source.settings.namespace)
}
