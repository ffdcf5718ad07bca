//! Sends what is due in the outbox: one mail at a time under a lease, with longer and longer pauses between tries.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rollbook_store::imports::Lease;
use rollbook_store::outbox::{MailId, MailKind, OutboxMail, Settled};
use rollbook_store::{StoreError, Timestamp, WorkspaceId};
use tokio::task::JoinHandle;
use tracing::Instrument;

use crate::app::App;
use crate::clock;
use crate::http::pages::show::Zone;
use crate::jobs::worker::Worked;
use crate::mail::deliver::{self, LEASE_MILLIS, NotTaken};
use crate::mail::server::MailSettings;
use crate::mail::{self, ComposeError, message, recipients, schedule};

/// Workers, so that one mail that takes long does not hold up all others.
const WORKERS: usize = 2;

/// How long a worker waits before it looks again.
const IDLE: Duration = Duration::from_millis(500);

/// The workers of a process.
pub(crate) struct Senders {
    stop: Arc<AtomicBool>,
    tasks: Vec<JoinHandle<()>>,
}

impl Senders {
    /// Starts them; none if mail is not configured.
    pub(crate) fn start(app: &App) -> Senders {
        let stop = Arc::new(AtomicBool::new(false));
        let workers = if app.config.mail.is_some() {
            WORKERS
        } else {
            0
        };
        let tasks = (0..workers)
            .map(|_| tokio::spawn(work(app.clone(), Arc::clone(&stop))))
            .collect();
        Senders { stop, tasks }
    }

    /// Tells them to begin nothing more.
    pub(crate) fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Lets them finish what they are sending, so that it is not sent again, but not for longer than this.
    pub(crate) async fn finish(self, patience: Duration) {
        self.stop();
        let all = async {
            for task in self.tasks {
                let _ = task.await;
            }
        };
        let _ = tokio::time::timeout(patience, all).await;
    }
}

async fn work(app: App, stop: Arc<AtomicBool>) {
    while !stop.load(Ordering::Relaxed) {
        match work_once(&app, clock::now(), jitter()).await {
            Ok(Worked::Ran) => {}
            Ok(Worked::Idle) => tokio::time::sleep(IDLE).await,
            Err(error) => {
                tracing::warn!("mail could not be looked after: {error}");
                tokio::time::sleep(Duration::from_secs(2)).await;
            }
        }
    }
}

/// Sends one mail, if one is due.
pub(crate) async fn work_once(app: &App, now: Timestamp, jitter: u8) -> Result<Worked, StoreError> {
    let Some(settings) = &app.config.mail else {
        return Ok(Worked::Idle);
    };
    let Some((mail, lease)) = app.store.claim_mail(None, now, LEASE_MILLIS).await? else {
        return Ok(Worked::Idle);
    };
    let settled = if let Some(next_at) = quiet_until(app, &mail, now).await? {
        Settled::Later { next_at }
    } else {
        let span = tracing::error_span!("mail", mail = %mail.id, kind = mail.kind.key());
        try_to_send(app, settings, &mail, now, jitter)
            .instrument(span)
            .await
    };
    settle(app, &mail, lease, settled).await?;
    Ok(Worked::Ran)
}

/// Sends this mail at once, whatever the hour, and returns it as it stands then; it may be that another worker has it.
pub(crate) async fn send_now(
    app: &App,
    workspace: WorkspaceId,
    id: MailId,
) -> Result<OutboxMail, StoreError> {
    let now = clock::now();
    if let Some(settings) = &app.config.mail
        && let Some((mail, lease)) = app
            .store
            .claim_mail(Some((workspace, id)), now, LEASE_MILLIS)
            .await?
    {
        let settled = try_to_send(app, settings, &mail, now, jitter()).await;
        settle(app, &mail, lease, settled).await?;
    }
    app.store
        .mail(workspace, id)
        .await?
        .ok_or_else(|| StoreError::Missing(format!("mail {id}")))
}

async fn settle(
    app: &App,
    mail: &OutboxMail,
    lease: Lease,
    settled: Settled,
) -> Result<(), StoreError> {
    app.metrics.mailed(mail.kind, &settled);
    // Addresses and subjects belong to people; the outbox shows them to who may see them.
    match &settled {
        Settled::Sent { .. } => tracing::info!(mail = %mail.id, kind = mail.kind.key(), "sent"),
        Settled::Retry { error, .. } => {
            tracing::warn!(mail = %mail.id, kind = mail.kind.key(), "not sent yet: {error}");
        }
        Settled::Failed { error } => {
            tracing::warn!(mail = %mail.id, kind = mail.kind.key(), "given up: {error}");
        }
        Settled::Later { .. } => {}
    }
    match app
        .store
        .settle_mail(mail.workspace, mail.id, lease, settled)
        .await
    {
        // It took so long that somebody else has it now.
        Err(StoreError::LeaseLost) => Ok(()),
        outcome => outcome,
    }
}

async fn try_to_send(
    app: &App,
    settings: &MailSettings,
    mail: &OutboxMail,
    now: Timestamp,
    jitter: u8,
) -> Settled {
    let refused = match hand_in(app, settings, mail, now).await {
        Ok(subject) => return Settled::Sent { subject, at: now },
        Err(refused) => refused,
    };
    if refused.for_good {
        return Settled::Failed { error: refused.why };
    }
    let next_at = Timestamp(now.0 + schedule::pause(mail.attempts + 1, jitter));
    if next_at.0 - mail.since.0 > schedule::PATIENCE {
        return Settled::Failed {
            error: format!("given up after three days: {}", refused.why),
        };
    }
    Settled::Retry {
        error: refused.why,
        next_at,
    }
}

async fn hand_in(
    app: &App,
    settings: &MailSettings,
    mail: &OutboxMail,
    now: Timestamp,
) -> Result<String, NotTaken> {
    let for_good = |why: String| NotTaken {
        for_good: true,
        why,
    };
    let content = mail::compose(app, mail).await.map_err(|error| NotTaken {
        for_good: !matches!(error, ComposeError::Store(_)),
        why: error.to_string(),
    })?;
    let to = recipients::mailbox(&mail.recipient).map_err(for_good)?;
    let bytes = message::bytes(&content, mail.id, &settings.from, &to, now)
        .map_err(|error| for_good(error.to_string()))?;
    let name = mail.id.to_string();
    deliver::hand_in(&settings.way, &settings.from, &to, &name, &bytes).await?;
    Ok(content.subject)
}

/// Until when a mail must wait because of quiet hours. What somebody asked for just now never waits.
async fn quiet_until(
    app: &App,
    mail: &OutboxMail,
    now: Timestamp,
) -> Result<Option<Timestamp>, StoreError> {
    match mail.kind {
        MailKind::ImportReport | MailKind::SourceDigest | MailKind::Alert => {}
        MailKind::Test | MailKind::Invite | MailKind::PasswordReset => return Ok(None),
    }
    let settings = app.store.notification_settings(mail.workspace).await?;
    let source = mail::about(mail).ok().and_then(|about| about.source());
    let quiet = source.map_or(settings.quiet, |source| settings.quiet_of(source));
    let Some(quiet) = quiet else { return Ok(None) };
    let zone = Zone::of(&app.settings(mail.workspace).await?);
    Ok(schedule::quiet_until(quiet, now, zone.time_zone()))
}

fn jitter() -> u8 {
    let mut byte = [0];
    // Without randomness tries are only less spread.
    let _ = getrandom::fill(&mut byte);
    byte[0]
}
