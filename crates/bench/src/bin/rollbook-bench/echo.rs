//! The floor of HTTP: axum, answering each request with its own body.

use axum::Router;
use axum::body::Bytes;
use axum::http::{StatusCode, header};
use axum::routing::post;

/// Serves until it is killed; says where on standard error, as Rollbook does.
pub(crate) fn serve() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        eprintln!("listening on http://{}", listener.local_addr()?);
        let echo = |body: Bytes| async move {
            let media_type = [(header::CONTENT_TYPE, "application/json")];
            (StatusCode::CREATED, media_type, body)
        };
        axum::serve(listener, Router::new().route("/{*path}", post(echo))).await?;
        Ok(())
    })
}
