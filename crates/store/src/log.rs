//! The Contact Import Log: attempts, found by time, filter and search.
//!
//! Attempts are numbered in the order in which they were committed, and their times never go backwards, so order by
//! number is order by time. Paging is by number, never by offset.

use async_trait::async_trait;
use rollbook_engine::attempt::{Action, ImportResult, Shown};
use rollbook_engine::change::Change;
use rollbook_engine::contact::{ContactId, IdentifierKind};
use rollbook_engine::issue::{Issue, Note};
use uuid::Uuid;

use crate::commit::Payload;
use crate::imports::ImportId;
use crate::sources::SourceId;
use crate::{StoreError, Timestamp, WorkspaceId};

/// The public name of an attempt: a UUIDv7 of its time and its number, so that the number needs no index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AttemptId(pub Uuid);

impl AttemptId {
    /// The name of the attempt with this number, received at this time (RFC 9562, section 5.7: a counter in `rand_b`,
    /// the workspace's low bits in `rand_a`).
    pub fn new(workspace: WorkspaceId, received_at: Timestamp, number: u64) -> AttemptId {
        let millis = u128::from(u64::try_from(received_at.0).unwrap_or(0) & 0xffff_ffff_ffff);
        let rand_a = u128::from(workspace.0 & 0xfff);
        let rand_b = u128::from(number & 0x3fff_ffff_ffff_ffff);
        AttemptId(Uuid::from_u128(
            millis << 80 | 0x7 << 76 | rand_a << 64 | 0b10 << 62 | rand_b,
        ))
    }

    /// The attempt's number.
    pub fn number(self) -> u64 {
        u64::try_from(self.0.as_u128() & 0x3fff_ffff_ffff_ffff).unwrap_or(0)
    }
}

impl std::fmt::Display for AttemptId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// One row of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Its public name.
    pub id: AttemptId,
    /// When it was attempted.
    pub received_at: Timestamp,
    /// Success, warning or failure.
    pub result: ImportResult,
    /// Created, updated, removed, or none.
    pub action: Option<Action>,
    /// For updates, what found the contact.
    pub matched_on: Option<IdentifierKind>,
    /// Who it was about.
    pub shown: Shown,
    /// Where it came from.
    pub source: SourceId,
    /// The import it belongs to.
    pub import: Option<ImportId>,
    /// Its row in the import.
    pub row: Option<u64>,
    /// The contact it created, updated or removed, or that an undo left as it is.
    pub contact: Option<ContactId>,
    /// Why something could not be used.
    pub issues: Vec<Issue>,
    /// What else is worth knowing.
    pub notes: Vec<Note>,
    /// What it changed.
    pub changes: Vec<Change>,
    /// The sender's idempotency key.
    pub idempotency_key: Option<String>,
    /// The attempt that it repeats or takes back.
    pub replay_of: Option<AttemptId>,
}

/// Which attempts. Every condition given must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogFilter {
    /// Received at or after.
    pub from: Option<Timestamp>,
    /// Received before.
    pub to: Option<Timestamp>,
    /// With this result.
    pub result: Option<ImportResult>,
    /// From this source.
    pub source: Option<SourceId>,
    /// With this action.
    pub action: Option<Action>,
    /// Matched on this kind of identifier.
    pub matched_on: Option<IdentifierKind>,
    /// Of this import.
    pub import: Option<ImportId>,
    /// About this contact.
    pub contact: Option<ContactId>,
    /// Containing this text.
    pub search: Option<Search>,
}

impl LogFilter {
    /// Whether finding what it wants may mean looking through much of the log, and not only at what stands in its
    /// headers.
    pub fn looks_through(&self) -> bool {
        self.search.is_some()
            || self.source.is_some()
            || self.action.is_some()
            || self.matched_on.is_some()
    }
}

/// What to look for: an attempt is found if either part is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Search {
    /// A part of the name, phone, email, External ID as shown, or of the payload; case does not matter.
    pub text: String,
    /// Digits to be found in the digits of the phone as shown.
    pub phone_digits: Option<String>,
    /// Where to look.
    pub reach: Reach,
}

/// Where a search looks. Who sees values masked must not find anybody by them either, or the mask could be guessed off
/// digit by digit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Reach {
    /// Everywhere.
    #[default]
    Everything,
    /// In names and External IDs alone.
    NamesAndIds,
}

/// Which way to page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paging {
    /// The newest attempts, newest first.
    Newest,
    /// Attempts with lower numbers than this, newest first.
    Before(u64),
    /// Attempts with higher numbers than this, oldest first: for following the log.
    After(u64),
}

/// Some attempts.
#[derive(Debug, Clone, Default)]
pub struct LogPage {
    /// The attempts, in the order asked for.
    pub attempts: Vec<Attempt>,
    /// Whether there are more in the same direction.
    pub more: bool,
}

/// Counts per result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ResultCounts {
    /// Successes.
    pub success: u64,
    /// Warnings.
    pub warning: u64,
    /// Failures.
    pub failure: u64,
}

impl ResultCounts {
    /// All of them.
    pub fn all(&self) -> u64 {
        self.success + self.warning + self.failure
    }
}

/// Counts over a range.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LogSummary {
    /// Counts for range and filter, whatever result the filter asks for: these are the tabs.
    pub counts: ResultCounts,
    /// Equal parts of the range, oldest first, likewise of every result.
    pub histogram: Vec<ResultCounts>,
}

/// How far a correction of the log came in one transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Corrected {
    /// Attempts that were corrected.
    pub attempts: u64,
    /// Where to go on; none if nothing is left to do.
    pub next: Option<u64>,
}

/// Reading the log, and correcting it.
#[async_trait]
pub trait Log {
    /// A page of attempts.
    async fn page(
        &self,
        workspace: WorkspaceId,
        filter: LogFilter,
        paging: Paging,
        limit: u32,
    ) -> Result<LogPage, StoreError>;

    /// A page of attempts with their payloads, for exports.
    async fn page_with_payloads(
        &self,
        workspace: WorkspaceId,
        filter: LogFilter,
        paging: Paging,
        limit: u32,
    ) -> Result<Vec<(Attempt, Payload)>, StoreError>;

    /// Counts for a filter, and a histogram of `buckets` equal parts of `filter.from .. filter.to` (empty if either is
    /// missing or `buckets` is 0).
    async fn summary(
        &self,
        workspace: WorkspaceId,
        filter: LogFilter,
        buckets: u16,
    ) -> Result<LogSummary, StoreError>;

    /// One attempt with its payload.
    async fn attempt(
        &self,
        workspace: WorkspaceId,
        id: AttemptId,
    ) -> Result<Option<(Attempt, Payload)>, StoreError>;

    /// The attempts that repeat this one, the oldest first.
    async fn replays(
        &self,
        workspace: WorkspaceId,
        id: AttemptId,
    ) -> Result<Vec<AttemptId>, StoreError>;

    /// The numbers of attempts from `first` to `last` that were repeated, ascending.
    async fn replayed(
        &self,
        workspace: WorkspaceId,
        first: u64,
        last: u64,
    ) -> Result<Vec<u64>, StoreError>;

    /// Erases what the attempts that a filter finds say of people: names, identifiers, values, changes, payload. Time,
    /// result, action, source, issue codes and contact number stay, so that every count adds up. Does a part of it, of
    /// attempts with higher numbers than `after`, and says where to go on.
    async fn erase_attempts(
        &self,
        workspace: WorkspaceId,
        filter: LogFilter,
        after: u64,
    ) -> Result<Corrected, StoreError>;

    /// Drops attempts received before a time, the oldest first, some at a time; [`Corrected::next`] says whether to call
    /// again. Attempts are dropped by the thousand: one that shares its block with younger ones stays as long as they.
    async fn drop_attempts(
        &self,
        workspace: WorkspaceId,
        before: Timestamp,
    ) -> Result<Corrected, StoreError>;

    /// Number and time of the latest attempt. Cheap: live pages poll it.
    async fn latest(&self, workspace: WorkspaceId) -> Result<Option<(u64, Timestamp)>, StoreError>;
}
