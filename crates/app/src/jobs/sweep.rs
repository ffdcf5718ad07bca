//! Drops what is past its retention, and sessions and keys that have expired.
//!
//! The store does it in transactions of some milliseconds; between two of them the sweeper waits for longer than the
//! last one took, and longer still while deliveries come in, so that nobody who writes waits for it for long.

use std::time::{Duration, Instant};

use rollbook_store::log::Corrected;
use rollbook_store::retention::Retention;
use rollbook_store::{StoreError, Timestamp, WorkspaceId};

use crate::app::App;
use crate::blobs::BlobError;
use crate::clock;

/// How often everything is looked at.
const EVERY: Duration = Duration::from_mins(10);

/// How long after the start for the first time.
const FIRST: Duration = Duration::from_secs(30);

/// The shortest pause between two transactions; ...
const PAUSE: Duration = Duration::from_millis(5);

/// ... and while deliveries come in.
const PAUSE_BESIDE_DELIVERIES: Duration = Duration::from_millis(50);

/// A day.
const DAY_MILLIS: i64 = 24 * 60 * 60 * 1000;

/// Why a sweep stopped; the next one goes on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SweepError {
    /// The store said no.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The place of uploaded files cannot be reached.
    #[error(transparent)]
    Files(#[from] BlobError),
}

/// What was dropped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Swept {
    /// Payloads of attempts.
    pub(crate) payloads: u64,
    /// Attempts.
    pub(crate) attempts: u64,
    /// Files of imports.
    pub(crate) files: u64,
    /// Idempotency keys, sessions and links.
    pub(crate) others: u64,
}

/// Works until it is aborted.
pub(crate) async fn work(app: App) {
    tokio::time::sleep(FIRST).await;
    loop {
        match sweep(&app, clock::now()).await {
            Ok(swept) if swept == Swept::default() => {}
            Ok(swept) => tracing::info!(
                payloads = swept.payloads,
                attempts = swept.attempts,
                files = swept.files,
                others = swept.others,
                "dropped what was past its retention"
            ),
            Err(error) => tracing::warn!("a sweep stopped and is tried again: {error}"),
        }
        tokio::time::sleep(EVERY).await;
    }
}

/// Sweeps every workspace once.
pub(crate) async fn sweep(app: &App, now: Timestamp) -> Result<Swept, SweepError> {
    let mut swept = Swept::default();
    loop {
        let begun = Instant::now();
        let dropped = app.store.expire_sessions(now).await?;
        swept.others += dropped as u64;
        if dropped == 0 {
            break;
        }
        pause(app, begun).await;
    }
    for workspace in app.store.workspaces().await? {
        sweep_workspace(app, workspace.id, now, &mut swept).await?;
    }
    Ok(swept)
}

/// When something received now would be too old.
pub(crate) fn before(days: u32, now: Timestamp) -> Timestamp {
    Timestamp(now.0.saturating_sub(i64::from(days) * DAY_MILLIS))
}

async fn sweep_workspace(
    app: &App,
    workspace: WorkspaceId,
    now: Timestamp,
    swept: &mut Swept,
) -> Result<(), SweepError> {
    let Retention {
        payload_days,
        attempt_days,
        file_days,
    } = app.store.retention(workspace).await?.settings;
    if let Some(days) = attempt_days {
        let before = before(days, now);
        let expire = || app.store.expire_attempts(workspace, before);
        swept.attempts += in_turns(app, expire).await?;
        loop {
            let begun = Instant::now();
            let dropped = app.store.expire_keys(workspace, before).await?;
            swept.others += dropped as u64;
            if dropped == 0 {
                break;
            }
            pause(app, begun).await;
        }
    }
    if let Some(days) = payload_days {
        let before = before(days, now);
        let expire = || app.store.expire_payloads(workspace, before);
        swept.payloads += in_turns(app, expire).await?;
    }
    if let Some(days) = file_days {
        swept.files += drop_files(app, workspace, before(days, now), now).await?;
    }
    Ok(())
}

/// Calls the store until nothing is left to do, with pauses.
async fn in_turns<F>(app: &App, mut step: impl FnMut() -> F) -> Result<u64, StoreError>
where
    F: Future<Output = Result<Corrected, StoreError>>,
{
    let mut corrected = 0;
    loop {
        let begun = Instant::now();
        let done = step().await?;
        corrected += done.attempts;
        if done.next.is_none() {
            return Ok(corrected);
        }
        pause(app, begun).await;
    }
}

/// Lets others write for longer than the last transaction took.
async fn pause(app: &App, begun: Instant) {
    let least = if app.store.is_receiving() {
        PAUSE_BESIDE_DELIVERIES
    } else {
        PAUSE
    };
    tokio::time::sleep(least.max(begun.elapsed() * 2)).await;
}

/// Deletes files that only imports from before a time have, and writes that down.
async fn drop_files(
    app: &App,
    workspace: WorkspaceId,
    before: Timestamp,
    now: Timestamp,
) -> Result<u64, SweepError> {
    let mut dropped = 0;
    loop {
        let begun = Instant::now();
        let old = app.store.imports_with_old_files(workspace, before).await?;
        if old.is_empty() {
            return Ok(dropped);
        }
        for (import, hash) in old {
            let is_needed = app
                .store
                .file_is_needed(Some((workspace, import)), hash)
                .await?;
            if !is_needed {
                app.blobs.delete(&hash).await?;
            }
            app.store.note_file_dropped(workspace, import, now).await?;
            app.reviews.forget(import);
            dropped += 1;
        }
        pause(app, begun).await;
    }
}
