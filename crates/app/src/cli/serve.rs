//! `rollbook serve`: pages, API and workers.

use tokio::net::TcpListener;

use crate::app::App;
use crate::config::Config;
use crate::{http, jobs};

/// Serves until the process is told to stop; then finishes what is being answered.
pub(crate) async fn serve(config: Config) -> anyhow::Result<()> {
    let listen = config.listen;
    let app = App::open(config).await?;
    let listener = TcpListener::bind(listen).await?;
    let worker = tokio::spawn(jobs::worker::work(app.clone()));
    axum::serve(listener, http::router::router(app)).await?;
    worker.abort();
    Ok(())
}
