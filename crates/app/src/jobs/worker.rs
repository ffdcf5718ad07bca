//! The worker: claims imports that wait, or whose worker died, and runs them.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt;
use tracing::Instrument;

use crate::app::App;
use crate::clock;
use crate::imports::run::{LEASE_MILLIS, RunError, run};

/// Whether there was anything to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Worked {
    /// An import was run.
    Ran,
    /// Nothing waits.
    Idle,
}

/// Works until the program is told to stop: an import then ends with the batch it is at, and is given back.
pub(crate) async fn work(app: App) {
    while !app.stopping.has_begun() {
        // A panic must not end the worker: the import's lease runs out and it is tried again.
        match AssertUnwindSafe(work_once(&app)).catch_unwind().await {
            Ok(Ok(Worked::Ran)) => {}
            Ok(Ok(Worked::Idle)) => pause(&app, Duration::from_millis(300)).await,
            Ok(Err(error)) => {
                tracing::warn!("an import stopped and will be resumed: {error:#}");
                pause(&app, Duration::from_secs(1)).await;
            }
            Err(_) => {
                tracing::error!("a worker panicked; its import will be resumed");
                pause(&app, Duration::from_secs(1)).await;
            }
        }
    }
}

/// Waits, but not when the program is told to stop.
async fn pause(app: &App, time: Duration) {
    tokio::select! {
        () = tokio::time::sleep(time) => {}
        () = app.stopping.clone().begun() => {}
    }
}

/// Claims and runs one import, if one waits.
pub(crate) async fn work_once(app: &App) -> anyhow::Result<Worked> {
    let Some((import, lease)) = app
        .store
        .claim_import(None, clock::now(), LEASE_MILLIS)
        .await?
    else {
        return Ok(Worked::Idle);
    };
    let span = tracing::error_span!("import", import = %import.id);
    match run(app, import, lease).instrument(span).await {
        Ok(_) | Err(RunError::Stopping) => Ok(Worked::Ran),
        Err(error) => Err(error.into()),
    }
}
