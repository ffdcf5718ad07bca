//! Each source: when it delivered last, how much of it fails, whether it can deliver at all.

use rollbook_engine::policy::Mode;
use rollbook_store::log::LogFilter;
use rollbook_store::notifications::Silence;
use rollbook_store::sources::{ApiKey, Source};
use rollbook_store::{StoreError, Timestamp};

use super::Findings;
use crate::app::App;
use crate::clock;
use crate::imports::receive;
use crate::jobs::digest;
use crate::wire::rfc3339;

/// What counts as lately: seven days.
const LATELY_MILLIS: i64 = 7 * 24 * 3600 * 1000;

/// A share of failures that is worth a look, in percent.
const MANY: u64 = 20;

pub(super) async fn look(findings: &mut Findings, app: &App) -> Result<(), StoreError> {
    let workspaces = app.store.workspaces().await?;
    for workspace in &workspaces {
        let keys = app.store.keys(workspace.id).await?;
        let told = app.store.notification_settings(workspace.id).await?;
        for source in app.store.sources(workspace.id).await? {
            // The sources of a name that several workspaces have must be told apart.
            let name = if workspaces.len() > 1 {
                format!(
                    "source {} of {}",
                    source.settings.name, workspace.settings.name
                )
            } else {
                format!("source {}", source.settings.name)
            };
            let silence = told.source(source.id).silence;
            look_at(findings, app, &source, silence, &keys, &name).await?;
        }
    }
    Ok(())
}

async fn look_at(
    findings: &mut Findings,
    app: &App,
    source: &Source,
    silence: Silence,
    keys: &[ApiKey],
    name: &str,
) -> Result<(), StoreError> {
    let now = clock::now();
    if let Err(error) = receive::bind(app, source, None).await {
        findings.fail(
            name,
            format!("its mapping does not fit: {error}; change it on Admin Settings > Sources"),
        );
        return Ok(());
    }
    if source.paused {
        let text = "it is paused, so everything it delivers fails; resume it with `rollbook source resume`";
        findings.warn(name, text);
        return Ok(());
    }
    let delivers = source.settings.mode == Mode::Automatic;
    let has_key = keys
        .iter()
        .any(|key| key.revoked_at.is_none() && key.source.is_none_or(|owner| owner == source.id));
    if delivers && !has_key {
        findings.warn(
            name,
            format!(
                "no key belongs to it, so nobody can deliver; make one with `rollbook key create --source {}`",
                source.settings.name
            ),
        );
        return Ok(());
    }
    let Some(last) = source.last_received_at else {
        findings.well(name, "nothing was received yet");
        return Ok(());
    };
    let filter = LogFilter {
        from: Some(Timestamp(now.0 - LATELY_MILLIS)),
        source: Some(source.id),
        ..LogFilter::default()
    };
    let counts = app.store.summary(source.workspace, filter, 0).await?.counts;
    let all = counts.all();
    let text = format!(
        "received last at {}; of {all} records in seven days {} failed and {} had warnings",
        rfc3339(last),
        counts.failure,
        counts.warning
    );
    if delivers && digest::is_silent(app, source, silence, last, now).await? {
        findings.warn(
            name,
            format!("{text}; it has been silent for longer than it usually is, so look whether it still sends"),
        );
    } else if all > 0 && counts.failure * 100 >= all * MANY {
        findings.warn(
            name,
            format!(
                "{text}; look at them with `rollbook log --since 7d --result failure --source {}`",
                source.settings.name
            ),
        );
    } else {
        findings.well(name, text);
    }
    Ok(())
}
