//! The worker: claims imports that wait, or whose worker died, and runs them.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt;

use crate::app::App;
use crate::clock;
use crate::imports::run::{LEASE_MILLIS, run};

/// Whether there was anything to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Worked {
    /// An import was run.
    Ran,
    /// Nothing waits.
    Idle,
}

/// Works until it is aborted.
pub(crate) async fn work(app: App) {
    loop {
        // A panic must not end the worker: the import's lease runs out and it is tried again.
        match AssertUnwindSafe(work_once(&app)).catch_unwind().await {
            Ok(Ok(Worked::Ran)) => {}
            Ok(Ok(Worked::Idle)) => tokio::time::sleep(Duration::from_millis(300)).await,
            Ok(Err(error)) => {
                tracing::warn!("an import stopped and will be resumed: {error:#}");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            Err(_) => {
                tracing::error!("a worker panicked; its import will be resumed");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
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
    run(app, import, lease).await?;
    Ok(Worked::Ran)
}
