//! Looks after the sources: writes the digests that are due and the alerts, each once, and keeps the outbox tidy.
//!
//! What was told of a source moves on in the transaction that writes the mails, so that a crash, or another process that
//! does the same, tells nothing twice and leaves nothing out.

use std::time::Duration;

use rollbook_store::log::{LogFilter, ResultCounts};
use rollbook_store::notifications::{Frequency, Jump, NotificationSettings, Silence};
use rollbook_store::outbox::NewMail;
use rollbook_store::sources::Source;
use rollbook_store::workspaces::Workspace;
use rollbook_store::{StoreError, Timestamp};
use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::clock;
use crate::http::pages::show::Zone;
use crate::mail::source_digest::{self, Stretch};
use crate::mail::watch::{self, DAY, HOUR};
use crate::mail::{alert, schedule};

/// How often the sources are looked after.
const BEAT: Duration = Duration::from_secs(3);

/// How far apart two digests are that come immediately, in milliseconds: one mail says more than twenty.
const APART: i64 = 5 * 60_000;

/// How far apart two looks for alerts are, in milliseconds.
const LOOKS: i64 = 5 * 60_000;

/// How far apart two sweeps of the outbox are, in milliseconds.
const SWEEPS: i64 = HOUR;

/// After this time a mail is forgotten.
const KEPT: i64 = 90 * DAY;

/// What was told of a source.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Told {
    /// The number of the last attempt that was told, or not worth telling.
    mark: u64,
    /// When that was.
    digest_at: i64,
    /// When a digest was last written.
    written_at: i64,
    /// Its warnings and failures then: as long as there are no more, nothing has to be read.
    problems: u64,
    /// When it was last looked at for alerts.
    looked_at: i64,
    /// The last delivery before the silence that was told.
    silent_since: Option<i64>,
    /// When it was last seen to fail more than usual.
    failing_at: Option<i64>,
}

/// Works until it is aborted.
pub(crate) async fn work(app: App) {
    let mut swept = Timestamp(0);
    loop {
        let now = clock::now();
        if let Err(error) = work_once(&app, now).await {
            tracing::warn!("digests and alerts could not be looked after: {error}");
        }
        if now.0 - swept.0 >= SWEEPS {
            swept = now;
            if let Err(error) = sweep(&app, now).await {
                tracing::warn!("the outbox could not be swept: {error}");
            }
        }
        tokio::time::sleep(BEAT).await;
    }
}

/// Looks after every source once.
pub(crate) async fn work_once(app: &App, now: Timestamp) -> Result<(), StoreError> {
    for workspace in app.store.workspaces().await? {
        let settings = app.store.notification_settings(workspace.id).await?;
        for source in app.store.sources(workspace.id).await? {
            look_after(app, &workspace, &settings, &source, now).await?;
        }
    }
    Ok(())
}

/// Gives up what waited too long, for example because mail is not configured, and forgets what is old.
pub(crate) async fn sweep(app: &App, now: Timestamp) -> Result<(), StoreError> {
    let reason = if app.config.mail.is_some() {
        "it could not be sent for three days"
    } else {
        "mail is not configured"
    };
    // A day more than the senders' own patience: they say better what is wrong.
    let stale = Timestamp(now.0 - schedule::PATIENCE - DAY);
    app.store
        .sweep_outbox(stale, reason, Timestamp(now.0 - KEPT))
        .await?;
    Ok(())
}

async fn look_after(
    app: &App,
    workspace: &Workspace,
    settings: &NotificationSettings,
    source: &Source,
    now: Timestamp,
) -> Result<(), StoreError> {
    let known = app.store.watch(workspace.id, source.id).await?;
    let told = match &known {
        Some(json) => serde_json::from_str(json).map_err(|error| {
            StoreError::Damaged(format!("what was told of source {}: {error}", source.id.0))
        })?,
        None => first(app, source, now).await?,
    };
    let mut next = told.clone();
    let mut mails = digest(app, workspace, settings, source, &mut next, now).await?;
    mails.extend(alerts(app, settings, source, &mut next, now).await?);
    if known.is_some() && next == told {
        return Ok(());
    }
    let json =
        serde_json::to_string(&next).map_err(|error| StoreError::Damaged(error.to_string()))?;
    // If another process was faster, it told.
    app.store
        .move_watch(workspace.id, source.id, known, json, mails)
        .await?;
    Ok(())
}

/// What counts as told of a source that is seen for the first time: nothing if it is new, else all there is, so that
/// nobody gets a mail about last year.
async fn first(app: &App, source: &Source, now: Timestamp) -> Result<Told, StoreError> {
    if now.0 - source.created_at.0 < DAY {
        return Ok(Told {
            digest_at: source.created_at.0,
            ..Told::default()
        });
    }
    Ok(Told {
        mark: latest(app, source).await?,
        digest_at: now.0,
        problems: problems(source),
        ..Told::default()
    })
}

/// The digest, if it is due and there is something to tell.
async fn digest(
    app: &App,
    workspace: &Workspace,
    settings: &NotificationSettings,
    source: &Source,
    told: &mut Told,
    now: Timestamp,
) -> Result<Vec<NewMail>, StoreError> {
    let frequency = settings.digest_of(source.id);
    let zone = Zone::of(&workspace.settings);
    let due = match frequency {
        // What happens while digests are off is not told later.
        Frequency::Off => problems(source) != told.problems,
        Frequency::Immediately => {
            problems(source) != told.problems && now.0 - told.written_at >= APART
        }
        Frequency::Hourly | Frequency::Daily { .. } | Frequency::Weekly { .. } => {
            schedule::last_due(frequency, now, zone.time_zone())
                .is_some_and(|due| due.0 > told.digest_at)
        }
    };
    if !due {
        return Ok(Vec::new());
    }
    let stretch = Stretch {
        workspace: workspace.id,
        source: source.id,
        after: told.mark,
        upto: latest(app, source).await?,
    };
    let nothing_new = problems(source) == told.problems;
    told.mark = stretch.upto;
    told.digest_at = now.0;
    told.problems = problems(source);
    if frequency == Frequency::Off || nothing_new {
        return Ok(Vec::new());
    }
    let mails = source_digest::mails(app, settings, source, stretch, now).await?;
    if !mails.is_empty() {
        told.written_at = now.0;
    }
    Ok(mails)
}

/// The alerts, if there is reason for any.
async fn alerts(
    app: &App,
    settings: &NotificationSettings,
    source: &Source,
    told: &mut Told,
    now: Timestamp,
) -> Result<Vec<NewMail>, StoreError> {
    let Some(last) = source.last_received_at else {
        return Ok(Vec::new());
    };
    let own = settings.source(source.id);
    let silent = told.silent_since != Some(last.0)
        && !source.paused
        // People upload when they have something.
        && source.settings.name != "manual"
        && watch::may_be_silent(own.silence, last, now);
    let failing = own.failure_jump == Jump::Learned
        && !source.paused
        && source.settings.name != "manual"
        && now.0 - last.0 < HOUR;
    if !silent && !failing || now.0 - told.looked_at < LOOKS {
        return Ok(Vec::new());
    }
    told.looked_at = now.0;
    let mut mails = Vec::new();
    if silent && is_silent(app, source, own.silence, last, now).await? {
        told.silent_since = Some(last.0);
        mails.extend(alert::of_silence(
            settings,
            source.workspace,
            source,
            last,
            now,
        )?);
    }
    if failing {
        let begun = now.0 - HOUR;
        let counts = async |from, to| {
            let counted = app
                .store
                .summary(source.workspace, filter(source, from, to), 0);
            counted.await.map(|summary| summary.counts)
        };
        let hour = counts(begun, now.0).await?;
        let usual = counts(begun - watch::LEARNED_FROM, begun).await?;
        if watch::fails_more(hour, usual) {
            let news = told
                .failing_at
                .is_none_or(|seen| now.0 - seen > watch::EPISODE);
            told.failing_at = Some(now.0);
            if news {
                mails.extend(alert::of_failures(
                    settings,
                    source.workspace,
                    source,
                    hour,
                    watch::failed_share(usual),
                    now,
                )?);
            }
        }
    }
    Ok(mails)
}

/// Whether a source has been silent for longer than it usually is.
pub(crate) async fn is_silent(
    app: &App,
    source: &Source,
    silence: Silence,
    last: Timestamp,
    now: Timestamp,
) -> Result<bool, StoreError> {
    if !watch::may_be_silent(silence, last, now) {
        return Ok(false);
    }
    // The last delivery is in the last hour of the week.
    let week = filter(source, last.0 + 1 - watch::LEARNED_FROM, last.0 + 1);
    let summary = app
        .store
        .summary(source.workspace, week, watch::HOURS)
        .await?;
    let hours: Vec<u64> = summary.histogram.iter().map(ResultCounts::all).collect();
    let patience = watch::patience(silence, &hours);
    Ok(patience.is_some_and(|patience| now.0 - last.0 > patience))
}

fn filter(source: &Source, from: i64, to: i64) -> LogFilter {
    LogFilter {
        from: Some(Timestamp(from)),
        to: Some(Timestamp(to)),
        source: Some(source.id),
        ..LogFilter::default()
    }
}

/// Warnings and failures of a source since it was made.
fn problems(source: &Source) -> u64 {
    source.counts.warning + source.counts.failure
}

/// The number of the latest attempt of the workspace.
async fn latest(app: &App, source: &Source) -> Result<u64, StoreError> {
    let latest = app.store.latest(source.workspace).await?;
    Ok(latest.map_or(0, |(number, _)| number))
}

#[cfg(test)]
mod tests;
