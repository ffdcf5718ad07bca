//! Many records from another system: `POST /sources/{source}/contacts/batch`.
//!
//! The body is cut into records while it arrives; what has arrived is committed together, and its attempts are sent
//! while the rest arrives. Answers that the sender does not read yet go to a temporary file: a sender that writes all
//! before it reads is neither blocked nor able to fill the memory.

mod split;

use std::io::{Read as _, Seek as _, Write as _};
use std::sync::Arc;

use axum::body::{Body, BodyDataStream, Bytes};
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::{FutureExt, Stream, StreamExt, stream};
use rollbook_store::commit::Delivered;
use rollbook_store::sources::Source;
use split::{Form, Splitter};
use tokio::sync::{mpsc, oneshot};

use crate::http::api::Api;
use crate::http::api::body;
use crate::http::api::records::{RecordSchema, idempotency_key, incoming, key_reused};
use crate::http::auth::Caller;
use crate::http::error::{GuardedRecord, Kind, Named, Paused, Problem};
use crate::http::router::Uncompressed;
use crate::imports::receive::{Incoming, receive};
use crate::wire::AttemptJson;

/// The media type of lines of JSON.
pub(crate) const NDJSON: &str = "application/x-ndjson";

/// Records that are committed together, at most.
const GROUP: usize = 500;

/// Bytes of records that are held, about, before they are committed.
const GROUP_BYTES: usize = 4 << 20;

/// Groups of answers that wait in memory for the sender to read them.
const WAITING: usize = 4;

/// How much of the answers is read from the file at once.
const CHUNK: usize = 256 << 10;

/// Deliver many records
///
/// The body is a JSON array (`application/json`) or one JSON object a line (`application/x-ndjson`). The answer is one
/// attempt a record, in order, one a line, sent while the rest of the body arrives; each is on disk when it is sent. A
/// line or element that is no JSON object is a failure like any other, and the rest goes on.
///
/// If the batch cannot go on (the array is broken, the body is over `max_batch_bytes`, the source was paused, Rollbook
/// fails), the last line is a problem with `type`, `title`, `status` and `detail` instead of an attempt; what was
/// answered before stays. If nothing was committed yet, the problem is the answer, with its status.
///
/// With `Idempotency-Key: k` the records have the keys `k#0`, `k#1` … so that a batch that broke off can be sent again
/// as a whole: what was committed answers its first outcome, the rest is committed. A record whose key came with
/// another body before is answered with a problem (409) in its place.
#[utoipa::path(
    post,
    path = "/sources/{source}/contacts/batch",
    operation_id = "deliverBatch",
    tag = "Records",
    params(
        ("source" = String, Path, description = "The name of the source", example = "front-desk"),
        ("Idempotency-Key" = Option<String>, Header, description = "Marks repeated deliveries of this batch: 1 to 255 visible ASCII characters", example = "night-audit-2026-03-01"),
    ),
    request_body(
        description = "The records",
        content(
            (Vec<RecordSchema> = "application/json"),
            (String = "application/x-ndjson", example = "{\"external_id\":\"G-1001\",\"name\":\"Anna Weber\"}\n{\"phone\":\"+4930123456\"}\n"),
        ),
    ),
    responses(
        (status = 200, description = "One attempt a line, in the order of the records", body = AttemptJson, content_type = "application/x-ndjson"),
        GuardedRecord, Named, Paused,
    ),
)]
pub(crate) async fn deliver(
    State(api): State<Api>,
    caller: Caller,
    Path(name): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    let source = api.deliver_to(&caller, &name).await?;
    let (parts, body) = request.into_parts();
    let form = form(&parts.headers)?;
    let key = idempotency_key(&parts.headers)?;
    let limit = api.app.config.max_batch_bytes;
    let mut body = body.into_data_stream();
    if declared_length(&parts.headers).is_some_and(|length| length > limit as u64) {
        body::drain(&mut body).await;
        return Err(over_limit(limit));
    }
    let mut batch = Batch {
        splitter: Some(Splitter::new(form, api.app.config.max_record_bytes)),
        limit,
        api,
        caller,
        source,
        key,
        body,
        arrived: 0,
        index: 0,
        problem: None,
    };
    let Some(first) = batch.next().await else {
        return Ok(lines(Body::empty()));
    };
    let first = match first {
        Ok(first) => first,
        Err(problem) => {
            body::drain(&mut batch.body).await;
            return Err(problem);
        }
    };
    let (answers, body) = answers();
    tokio::spawn(batch.answer(first, answers));
    Ok(lines(body))
}

/// Whether a media type means one JSON text a line.
pub(crate) fn is_lines(media_type: &str) -> bool {
    matches!(
        media_type,
        NDJSON | "application/ndjson" | "application/jsonl" | "application/x-jsonlines"
    )
}

fn form(headers: &HeaderMap) -> Result<Form, Problem> {
    match body::media_type(headers)?.as_deref() {
        Some(media_type) if body::is_json(media_type) => Ok(Form::Array),
        Some(media_type) if is_lines(media_type) => Ok(Form::Lines),
        other => Err(body::wrong_media_type(
            other,
            "`Content-Type: application/json` for an array, or `application/x-ndjson` for one object a line",
        )),
    }
}

fn declared_length(headers: &HeaderMap) -> Option<u64> {
    headers
        .get(header::CONTENT_LENGTH)?
        .to_str()
        .ok()?
        .parse()
        .ok()
}

fn over_limit(limit: usize) -> Problem {
    Problem::too_large(
        limit,
        "max_batch_bytes",
        "send fewer records at a time, or upload them as a file",
    )
}

fn lines(body: Body) -> Response {
    let mut response = (StatusCode::OK, [(header::CONTENT_TYPE, NDJSON)], body).into_response();
    response.extensions_mut().insert(Uncompressed);
    response
}

/// A batch on its way.
struct Batch {
    api: Api,
    caller: Caller,
    source: Arc<Source>,
    key: Option<String>,
    body: BodyDataStream,
    /// None when the body is over.
    splitter: Option<Splitter>,
    limit: usize,
    /// Bytes of the body so far.
    arrived: usize,
    /// Records so far.
    index: u64,
    /// What ended the batch before its end; told after the records before it.
    problem: Option<Problem>,
}

impl Batch {
    /// Reads on, commits what has arrived, and says what came of it as lines; none at the end. After a problem there is
    /// nothing more.
    async fn next(&mut self) -> Option<Result<Vec<u8>, Problem>> {
        loop {
            let records = self.arrived().await;
            if !records.is_empty() {
                let committed = self.commit(records).await;
                if committed.is_err() {
                    self.splitter = None;
                    self.problem = None;
                }
                return Some(committed);
            }
            if let Some(problem) = self.problem.take() {
                return Some(Err(problem));
            }
            self.splitter.as_ref()?;
        }
    }

    /// The records that have arrived: waits for the first, but not for more.
    async fn arrived(&mut self) -> Vec<Vec<u8>> {
        let mut records = Vec::new();
        let mut bytes = 0;
        while let Some(splitter) = &mut self.splitter {
            let chunk = if records.is_empty() {
                body::next(&mut self.body).await
            } else {
                match self.body.next().now_or_never() {
                    None => break,
                    Some(None) => Ok(None),
                    Some(Some(Ok(chunk))) => Ok(Some(chunk)),
                    Some(Some(Err(error))) => Err(body::broken(&error)),
                }
            };
            let split = match chunk {
                Ok(Some(chunk)) => {
                    self.arrived = self.arrived.saturating_add(chunk.len());
                    if self.arrived > self.limit {
                        Err(over_limit(self.limit))
                    } else {
                        bytes += chunk.len();
                        splitter
                            .push(&chunk, &mut records)
                            .map_err(|error| not_a_batch(&error))
                    }
                }
                Ok(None) => match self.splitter.take() {
                    Some(splitter) => splitter
                        .finish(&mut records)
                        .map_err(|error| not_a_batch(&error)),
                    None => Ok(()),
                },
                Err(problem) => Err(problem),
            };
            if let Err(problem) = split {
                self.problem = Some(problem);
                self.splitter = None;
            }
            if records.len() >= GROUP || bytes >= GROUP_BYTES {
                break;
            }
        }
        records
    }

    /// Commits records, in groups if they are many, and says what came of them.
    async fn commit(&mut self, records: Vec<Vec<u8>>) -> Result<Vec<u8>, Problem> {
        let limit = self.api.app.config.max_record_bytes;
        let mut lines = Vec::with_capacity(records.len() * 512);
        let mut records = records.into_iter().peekable();
        while records.peek().is_some() {
            let group: Vec<Incoming> = records
                .by_ref()
                .take(GROUP)
                .map(|record| {
                    let index = self.index;
                    self.index += 1;
                    let key = self.key.as_ref().map(|key| format!("{key}#{index}"));
                    incoming(record, key, limit)
                })
                .collect();
            let committed = self.commit_group(group).await;
            match committed {
                Ok(delivered) => {
                    for delivered in delivered {
                        self.write_line(delivered, &mut lines);
                    }
                }
                Err(problem) if lines.is_empty() => return Err(problem),
                Err(problem) => {
                    // What was committed is said first.
                    self.problem = Some(problem);
                    self.splitter = None;
                    break;
                }
            }
        }
        Ok(lines)
    }

    async fn commit_group(&mut self, group: Vec<Incoming>) -> Result<Vec<Delivered>, Problem> {
        // The source may have been paused or changed since the batch began.
        self.source = self
            .api
            .deliver_to(&self.caller, &self.source.settings.name)
            .await?;
        Ok(receive(&self.api.app, &self.source, group).await?)
    }

    fn write_line(&self, delivered: Delivered, lines: &mut Vec<u8>) {
        let written = match delivered {
            Delivered::Committed(attempt) | Delivered::Repeated(attempt) => {
                let json = AttemptJson::from_source(attempt, self.source.settings.name.clone());
                serde_json::to_writer(&mut *lines, &json)
            }
            Delivered::KeyReused => serde_json::to_writer(&mut *lines, &key_reused().json(None)),
        };
        written.expect("attempts are JSON");
        lines.push(b'\n');
    }

    /// Works to the end of the batch, whether anybody reads the answers or not.
    async fn answer(mut self, first: Vec<u8>, mut answers: Answers) {
        let mut lines = first;
        let mut refused = false;
        loop {
            if let Err(error) = answers.write(lines).await {
                tracing::error!("the answers of a batch cannot be kept: {error}");
                return;
            }
            lines = match self.next().await {
                None => break,
                Some(Ok(lines)) => lines,
                Some(Err(problem)) => {
                    refused = true;
                    let mut line = problem.json(None).to_string().into_bytes();
                    line.push(b'\n');
                    line
                }
            };
        }
        if refused {
            // Who still sends would lose the answer if the connection ended now.
            tokio::select! {
                () = body::drain(&mut self.body) => {}
                () = self.api.app.stopping.clone().begun() => {}
            }
        }
        answers.finish();
    }
}

fn not_a_batch(error: &split::SplitError) -> Problem {
    Problem::new(
        Kind::Record,
        format!(
            "{error}; send a JSON array of objects, or one object a line as `Content-Type: application/x-ndjson`"
        ),
    )
}

/// Where the answers of a batch go: to the reader while it keeps up, then to a file that it reads when all is written.
struct Answers {
    reader: Option<mpsc::Sender<Bytes>>,
    file: Option<std::fs::File>,
    done: Option<oneshot::Sender<std::io::Result<std::fs::File>>>,
}

/// A place for answers, and the body that sends them.
fn answers() -> (Answers, Body) {
    let (reader, received) = mpsc::channel(WAITING);
    let (done, rest) = oneshot::channel();
    let answers = Answers {
        reader: Some(reader),
        file: None,
        done: Some(done),
    };
    let live = tokio_stream::wrappers::ReceiverStream::new(received).map(Ok);
    let rest = stream::once(rest)
        .filter_map(|file| async { file.ok() })
        .flat_map(chunks);
    (answers, Body::from_stream(live.chain(rest)))
}

impl Answers {
    async fn write(&mut self, lines: Vec<u8>) -> std::io::Result<()> {
        if self.done.as_ref().is_none_or(oneshot::Sender::is_closed) {
            return Ok(()); // Nobody is left to read.
        }
        let lines = match &self.reader {
            None => lines,
            Some(reader) => match reader.try_send(lines.into()) {
                Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => return Ok(()),
                Err(mpsc::error::TrySendError::Full(lines)) => {
                    self.reader = None;
                    lines.into()
                }
            },
        };
        let file = self.file.take();
        let file = tokio::task::spawn_blocking(move || {
            let mut file = match file {
                Some(file) => file,
                None => tempfile::tempfile()?,
            };
            file.write_all(&lines)?;
            Ok::<_, std::io::Error>(file)
        });
        self.file = Some(file.await.map_err(std::io::Error::other)??);
        Ok(())
    }

    fn finish(self) {
        if let (Some(mut file), Some(done)) = (self.file, self.done) {
            let rewound = file.rewind().map(|()| file);
            let _ = done.send(rewound); // Nobody may be left to read.
        }
    }
}

/// What is left to read of a file.
fn chunks(
    file: std::io::Result<std::fs::File>,
) -> impl Stream<Item = std::io::Result<Bytes>> + Send {
    stream::try_unfold(file, |file| async move {
        let mut file = file?;
        let read = tokio::task::spawn_blocking(move || {
            let mut chunk = vec![0; CHUNK];
            let length = file.read(&mut chunk)?;
            chunk.truncate(length);
            Ok::<_, std::io::Error>((chunk, file))
        });
        let (chunk, file) = read.await.map_err(std::io::Error::other)??;
        Ok((!chunk.is_empty()).then(|| (chunk.into(), Ok(file))))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn answers_that_nobody_reads_go_to_a_file_and_come_in_order() {
        let (mut answers, body) = answers();
        let mut expected = Vec::new();
        for number in 0..50 {
            let lines = format!("{number}\n").repeat(1000).into_bytes();
            expected.extend_from_slice(&lines);
            answers.write(lines).await.unwrap();
        }
        answers.finish();
        let read = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        assert!(read == expected);
    }

    #[tokio::test]
    async fn answers_are_sent_while_they_are_read() {
        let (mut answers, body) = answers();
        let mut body = body.into_data_stream();
        for number in 0..50 {
            let lines = format!("{number}\n").into_bytes();
            answers.write(lines.clone()).await.unwrap();
            assert_eq!(body.next().await.unwrap().unwrap(), lines);
        }
        answers.finish();
        assert!(body.next().await.is_none());
    }
}
