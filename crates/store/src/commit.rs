//! Committing: planning a batch against what is stored and writing contacts, attempts and cursor, all or nothing.

use std::sync::Arc;

use async_trait::async_trait;
use rollbook_engine::attempt::Totals;
use rollbook_engine::candidate::Candidate;
use rollbook_engine::plan::Expected;
use rollbook_engine::policy::Policy;
use rollbook_engine::schema::Schema;

use crate::imports::{ImportId, Lease};
use crate::log::{Attempt, AttemptId};
use crate::sources::SourceId;
use crate::{StoreError, Timestamp, WorkspaceId};

/// The bytes of a record as it was delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payload {
    /// Its media type, for example `application/json` or `text/csv`.
    pub content_type: String,
    /// The bytes. For a CSV row its own text in UTF-8, without the line end.
    pub bytes: Vec<u8>,
}

/// A key by which a sender marks repeated deliveries of one record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idempotency {
    /// The sender's key, unique within its source.
    pub key: String,
    /// SHA-256 of the body that came with it.
    pub body_hash: [u8; 32],
}

/// One record on its way into the store.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// The normalised record.
    pub candidate: Candidate,
    /// What was sent.
    pub payload: Payload,
    /// For a record of an import, its row: 1 is the first after the header.
    pub row: Option<u64>,
    /// The sender's key, if it gave one.
    pub idempotency: Option<Idempotency>,
    /// The attempt that this one repeats or takes back.
    pub replay_of: Option<AttemptId>,
}

/// Records of one source that are judged by one policy.
#[derive(Debug, Clone)]
pub struct Batch {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// Where they come from.
    pub source: SourceId,
    /// How they are judged.
    pub policy: Policy,
    /// The workspace's fields.
    pub schema: Arc<Schema>,
    /// When they arrived. The store never goes backwards: an earlier time than the log's latest becomes that one.
    pub received_at: Timestamp,
    /// The records, in order of arrival.
    pub deliveries: Vec<Delivery>,
}

/// What came of one delivery.
#[derive(Debug, Clone)]
pub enum Delivered {
    /// It was committed.
    Committed(Attempt),
    /// It had been committed before under the same idempotency key: this is that attempt.
    Repeated(Attempt),
    /// Its idempotency key was used before with another body; nothing was written.
    KeyReused,
}

/// Where an import stands, for the batch that moves it on.
#[derive(Debug, Clone)]
pub struct ImportStep {
    /// The import.
    pub import: ImportId,
    /// The right to run it.
    pub lease: Lease,
    /// Records committed before this batch; the batch is refused with [`StoreError::LeaseLost`] if the cursor stands
    /// elsewhere, so that no record is ever committed twice.
    pub cursor: u64,
    /// What a review said of each delivery, in their order; empty if nobody reviewed them.
    pub expected: Vec<Expected>,
}

/// Writing records.
#[async_trait]
pub trait Commit {
    /// Commits single deliveries; answers when they are on disk. Concurrent calls share a group commit. One entry a
    /// delivery, in order.
    async fn deliver(&self, batch: Batch) -> Result<Vec<Delivered>, StoreError>;

    /// Commits a batch of an import together with the import's cursor and counters. The cursor moves by the number of
    /// deliveries. Returns the totals of this batch. Idempotency keys are written down but not compared: an import is
    /// repeated by its cursor.
    async fn commit_import_batch(
        &self,
        batch: Batch,
        step: ImportStep,
    ) -> Result<Totals, StoreError>;

    /// Whether single deliveries came in during the last second. They wait for the batch of an import that is being
    /// committed, so an import makes its batches small as long as this holds.
    fn is_receiving(&self) -> bool;
}
