//! The floors of HTTP: axum, answering each request with its own body; and the same after its record was written.

use std::collections::HashMap;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};

use axum::Router;
use axum::body::Bytes;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::post;
use rollbook_bench::generate::Column;
use rusqlite::{Connection, TransactionBehavior, params_from_iter};
use tokio::sync::oneshot;

use crate::floors::{self, INSERT_ATTEMPT, INSERT_CONTACT};

/// Records of a transaction at most.
const GROUP: usize = 256;

/// A record that waits to be written, and who waits for that.
struct Waiting {
    body: Bytes,
    record: HashMap<String, String>,
    written: oneshot::Sender<()>,
}

/// Serves until it is killed; says where on standard error, as Rollbook does. With the path of a file, the values of each
/// record are written there before it is answered, in one transaction with whatever else waits. Nobody is looked for, no
/// value is read, and nothing is kept for the log but what was sent.
pub(crate) fn serve(written_to: Option<&Path>) -> anyhow::Result<()> {
    let router = match written_to {
        None => Router::new().route("/{*path}", post(answer)),
        Some(path) => {
            let connection = floors::open(path)?;
            let (records, waiting) = channel();
            std::thread::spawn(move || write(connection, &waiting));
            let writes = move |body| write_and_answer(records.clone(), body);
            Router::new().route("/{*path}", post(writes))
        }
    };
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        eprintln!("listening on http://{}", listener.local_addr()?);
        axum::serve(listener, router).await?;
        Ok(())
    })
}

async fn answer(body: Bytes) -> impl IntoResponse {
    let media_type = [(header::CONTENT_TYPE, "application/json")];
    (StatusCode::CREATED, media_type, body)
}

async fn write_and_answer(
    records: Sender<Waiting>,
    body: Bytes,
) -> Result<impl IntoResponse, StatusCode> {
    let record = serde_json::from_slice(&body).map_err(|_| StatusCode::BAD_REQUEST)?;
    let (written, on_disk) = oneshot::channel();
    let waiting = Waiting {
        body: body.clone(),
        record,
        written,
    };
    let failed = StatusCode::INTERNAL_SERVER_ERROR;
    records.send(waiting).map_err(|_| failed)?;
    on_disk.await.map_err(|_| failed)?;
    Ok(answer(body).await)
}

/// Writes what waits, until nobody can hand in any more or a group cannot be written: then its callers are told.
fn write(mut connection: Connection, waiting: &Receiver<Waiting>) {
    let mut number = 0;
    while let Ok(first) = waiting.recv() {
        let group: Vec<Waiting> = std::iter::once(first)
            .chain(waiting.try_iter().take(GROUP - 1))
            .collect();
        if let Err(error) = write_group(&mut connection, &group, &mut number) {
            eprintln!("records cannot be written: {error}");
            return;
        }
        for one in group {
            let _ = one.written.send(());
        }
    }
}

fn write_group(
    connection: &mut Connection,
    group: &[Waiting],
    number: &mut i64,
) -> rusqlite::Result<()> {
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    {
        let mut contact = tx.prepare_cached(INSERT_CONTACT)?;
        let mut attempt = tx.prepare_cached(INSERT_ATTEMPT)?;
        for one in group {
            *number += 1;
            let text = number.to_string();
            let cell = |column: Column| one.record.get(column.key()).map_or("", String::as_str);
            let values = std::iter::once(text.as_str()).chain(Column::ALL.into_iter().map(cell));
            contact.execute(params_from_iter(values))?;
            attempt.execute((1_770_000_000_000_i64, *number, &*one.body))?;
        }
    }
    tx.commit()
}
