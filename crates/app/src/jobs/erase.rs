//! Finishes erasures: those that were just asked for, and those whose worker died.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt;

use crate::app::App;
use crate::clock;
use crate::jobs::worker::Worked;
use crate::privacy::erase::{EraseError, LEASE_MILLIS, finish};

/// How long the worker waits before it looks again.
const IDLE: Duration = Duration::from_millis(500);

/// How long it waits after something went wrong; the lease runs out meanwhile.
const AFTER_TROUBLE: Duration = Duration::from_secs(5);

/// Works until it is aborted.
pub(crate) async fn work(app: App) {
    loop {
        match AssertUnwindSafe(work_once(&app)).catch_unwind().await {
            Ok(Ok(Worked::Ran)) => {}
            Ok(Ok(Worked::Idle)) => tokio::time::sleep(IDLE).await,
            Ok(Err(error)) => {
                tracing::warn!("an erasure stopped and will be resumed: {error}");
                tokio::time::sleep(AFTER_TROUBLE).await;
            }
            Err(_) => {
                tracing::error!("an erasure broke off and will be resumed");
                tokio::time::sleep(AFTER_TROUBLE).await;
            }
        }
    }
}

/// Finishes one erasure, if one waits.
pub(crate) async fn work_once(app: &App) -> Result<Worked, EraseError> {
    let claimed = app
        .store
        .claim_erasure(None, clock::now(), LEASE_MILLIS)
        .await?;
    let Some((erasure, traces)) = claimed else {
        return Ok(Worked::Idle);
    };
    finish(app, &erasure, &traces).await?;
    Ok(Worked::Ran)
}
