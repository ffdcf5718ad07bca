//! The outbox: mails that wait to be sent, one row a recipient, and what became of them.
//!
//! Rows are written in the transaction that causes them. They are sent under a lease; a mail whose sender died is sent
//! again under the same name, which is its Message-ID.

use async_trait::async_trait;
use uuid::Uuid;

use crate::imports::Lease;
use crate::{StoreError, Timestamp, WorkspaceId};

/// The name of a mail: random.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MailId(pub Uuid);

impl std::fmt::Display for MailId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// What a mail is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailKind {
    /// What came of an imported file.
    ImportReport,
    /// What went wrong at a source for a while.
    SourceDigest,
    /// A source went silent, or fails more than usual.
    Alert,
    /// Somebody wanted to know whether mail arrives.
    Test,
    /// Somebody is invited.
    Invite,
    /// Somebody forgot their password.
    PasswordReset,
}

impl MailKind {
    const ALL: [MailKind; 6] = [
        MailKind::ImportReport,
        MailKind::SourceDigest,
        MailKind::Alert,
        MailKind::Test,
        MailKind::Invite,
        MailKind::PasswordReset,
    ];

    /// The word of API and database.
    pub fn key(self) -> &'static str {
        match self {
            MailKind::ImportReport => "import_report",
            MailKind::SourceDigest => "source_digest",
            MailKind::Alert => "alert",
            MailKind::Test => "test",
            MailKind::Invite => "invite",
            MailKind::PasswordReset => "password_reset",
        }
    }

    /// The kind for such a word.
    pub fn from_key(key: &str) -> Option<MailKind> {
        MailKind::ALL.into_iter().find(|kind| kind.key() == key)
    }
}

/// Where a mail is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailState {
    /// It waits for its time.
    Queued,
    /// A worker sends it; if its lease expires, another does.
    Sending,
    /// A mail server took it.
    Sent,
    /// It was given up; a person can have it sent again.
    Failed,
}

impl MailState {
    /// The word of API and database.
    pub fn key(self) -> &'static str {
        match self {
            MailState::Queued => "queued",
            MailState::Sending => "sending",
            MailState::Sent => "sent",
            MailState::Failed => "failed",
        }
    }

    /// The state for such a word.
    pub fn from_key(key: &str) -> Option<MailState> {
        use MailState::{Failed, Queued, Sending, Sent};
        [Queued, Sending, Sent, Failed]
            .into_iter()
            .find(|state| state.key() == key)
    }
}

/// A mail to be sent to one recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMail {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// What it is.
    pub kind: MailKind,
    /// One email address.
    pub recipient: String,
    /// Its subject, or what will stand in for it in lists until it is sent.
    pub subject: String,
    /// What it tells of: JSON that only the app understands.
    pub about: String,
    /// The mail itself if it cannot be made from what it tells of: JSON that only the app understands. Forgotten when it
    /// was sent.
    pub content: Option<String>,
    /// When it was caused.
    pub created_at: Timestamp,
    /// When workers may send it, if nobody asked for it by name before.
    pub due_at: Timestamp,
}

/// A mail as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxMail {
    /// Its name.
    pub id: MailId,
    /// The workspace.
    pub workspace: WorkspaceId,
    /// What it is.
    pub kind: MailKind,
    /// One email address.
    pub recipient: String,
    /// Its subject.
    pub subject: String,
    /// What it tells of.
    pub about: String,
    /// The mail itself, if it is kept.
    pub content: Option<String>,
    /// When it was caused.
    pub created_at: Timestamp,
    /// Since when it is tried: when it was caused, or when a person had it sent again.
    pub since: Timestamp,
    /// Where it is on its way.
    pub state: MailState,
    /// How often it was tried since then.
    pub attempts: u32,
    /// When it is tried next, if it is queued.
    pub next_at: Timestamp,
    /// Why the last try failed.
    pub last_error: Option<String>,
    /// When a mail server took it.
    pub sent_at: Option<Timestamp>,
}

/// What came of a claimed mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settled {
    /// A mail server took it.
    Sent {
        /// The subject that it had.
        subject: String,
        /// When.
        at: Timestamp,
    },
    /// It could not be sent and is tried again.
    Retry {
        /// Why.
        error: String,
        /// When it is tried next.
        next_at: Timestamp,
    },
    /// It was not tried, because it is not its time.
    Later {
        /// When its time comes.
        next_at: Timestamp,
    },
    /// It is given up.
    Failed {
        /// Why.
        error: String,
    },
}

/// Mails on their way.
#[async_trait]
pub trait Outbox {
    /// Writes down mails that nothing else is written with.
    async fn enqueue_mails(&self, mails: Vec<NewMail>) -> Result<Vec<MailId>, StoreError>;

    /// One mail.
    async fn mail(
        &self,
        workspace: WorkspaceId,
        id: MailId,
    ) -> Result<Option<OutboxMail>, StoreError>;

    /// Mails, newest first, written before the given one; with one state, if given.
    async fn mails(
        &self,
        workspace: WorkspaceId,
        state: Option<MailState>,
        before: Option<MailId>,
        limit: u16,
    ) -> Result<Vec<OutboxMail>, StoreError>;

    /// Claims one mail that is due, or whose sender's lease expired; `only` narrows it to one, due or not. The lease is
    /// good until `now + lease_millis`.
    async fn claim_mail(
        &self,
        only: Option<(WorkspaceId, MailId)>,
        now: Timestamp,
        lease_millis: i64,
    ) -> Result<Option<(OutboxMail, Lease)>, StoreError>;

    /// Writes down what came of a claimed mail.
    async fn settle_mail(
        &self,
        workspace: WorkspaceId,
        id: MailId,
        lease: Lease,
        settled: Settled,
    ) -> Result<(), StoreError>;

    /// Has a mail sent that was given up or waits for its next try: at once, and as if it were new.
    async fn retry_mail(
        &self,
        workspace: WorkspaceId,
        id: MailId,
        now: Timestamp,
    ) -> Result<OutboxMail, StoreError>;

    /// Gives up what has waited since before `stale`, with this reason, and forgets what was written before `old`.
    /// Returns how many mails it changed.
    async fn sweep_outbox(
        &self,
        stale: Timestamp,
        reason: &str,
        old: Timestamp,
    ) -> Result<usize, StoreError>;
}
