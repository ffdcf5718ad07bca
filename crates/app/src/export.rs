//! Exports: the log as CSV or NDJSON, and the failed rows of an import as a file that can be corrected and uploaded.
//!
//! Everything is streamed page by page, so an export has no cap. A cell that a spreadsheet would run as a formula gets
//! a leading `'`, which an import takes off again.

use std::sync::Arc;

use axum::body::Bytes;
use futures_util::stream::{self, Stream, StreamExt};
use rollbook_engine::attempt::ImportResult;
use rollbook_engine::issue::Issue;
use rollbook_store::commit::Payload;
use rollbook_store::imports::Import;
use rollbook_store::log::{Attempt, LogFilter, Paging};
use rollbook_store::sources::Source;
use rollbook_store::{StoreError, WorkspaceId};
use serde::Serialize;
use tokio::task::JoinHandle;

use crate::app::App;
use crate::imports::failed_rows::FailedRows;
use crate::imports::options::ImportOptions;
use crate::masking::Sight;
use crate::spreadsheet;
use crate::wire::{AttemptJson, SourceNames, rfc3339};

/// How many attempts are read and sent at first, and later at least and at most: as many blocks of the log as the
/// cores can unpack side by side, but not so many that large payloads fill the memory.
const FIRST_PAGE: usize = 500;
const PAGE: std::ops::RangeInclusive<usize> = 100..=4_000;

/// Bytes of payload that a page should have at most.
const PAGE_BYTES: usize = 4 << 20;

/// In which form the log is exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// For spreadsheets.
    Csv,
    /// For programs: one JSON object a line.
    Ndjson,
}

impl Format {
    /// The form for the word in addresses.
    pub(crate) fn from_key(key: &str) -> Option<Format> {
        match key {
            "csv" => Some(Format::Csv),
            "ndjson" => Some(Format::Ndjson),
            _ => None,
        }
    }

    /// The word in addresses, which is the ending of files as well.
    pub(crate) fn key(self) -> &'static str {
        match self {
            Format::Csv => "csv",
            Format::Ndjson => "ndjson",
        }
    }

    /// The media type.
    pub(crate) fn media_type(self) -> &'static str {
        match self {
            Format::Csv => "text/csv; charset=utf-8; header=present",
            Format::Ndjson => "application/x-ndjson",
        }
    }
}

/// The columns of the CSV: those of the log under their names, then what its details tell.
const COLUMNS: [&str; 15] = [
    "Result",
    "Info",
    "Action",
    "Name",
    "Phone Number",
    "Email",
    "Source",
    "Received at",
    "Matched On",
    "External ID",
    "Import",
    "Row",
    "Contact",
    "Attempt",
    "Payload",
];

/// One line of the NDJSON.
#[derive(Debug, Serialize)]
struct Line {
    #[serde(flatten)]
    attempt: AttemptJson,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<String>,
}

/// The attempts of a filter, newest first, as this person sees them.
pub(crate) fn attempts(
    app: App,
    workspace: WorkspaceId,
    sources: &[Source],
    filter: LogFilter,
    format: Format,
    sight: Sight,
) -> impl Stream<Item = Result<Bytes, StoreError>> + Send + 'static {
    let names = Arc::new(SourceNames::of(sources));
    let reader = Arc::new(Reader {
        app,
        workspace,
        filter,
    });
    let first = reader.read(Paging::Newest, FIRST_PAGE);
    stream::unfold((Some(first), true), move |(reading, first)| {
        let (reader, names) = (Arc::clone(&reader), Arc::clone(&names));
        let sight = sight.clone();
        async move {
            let Reading { page, most } = reading?;
            let page = match page.await {
                Ok(Ok(page)) => page,
                Ok(Err(error)) => return Some((Err(error), (None, false))),
                Err(_) => return Some((Err(StoreError::Closed), (None, false))),
            };
            // The next page is read while this one is written.
            let next = match page.last() {
                Some((last, _)) if page.len() == most => {
                    let bytes: usize = page.iter().map(|(_, payload)| payload.bytes.len()).sum();
                    let most = PAGE_BYTES / (bytes / page.len()).max(1);
                    let most = most.clamp(*PAGE.start(), *PAGE.end());
                    Some(reader.read(Paging::Before(last.id.number()), most))
                }
                _ => None,
            };
            let mut bytes = Vec::new();
            if first && format == Format::Csv {
                bytes = csv_head();
            }
            let written = tokio::task::spawn_blocking(move || {
                for (attempt, payload) in page {
                    let attempt = sight.attempt(attempt);
                    let payload = sight.payload(payload);
                    match format {
                        Format::Csv => csv_line(&mut bytes, attempt, payload, &names),
                        Format::Ndjson => write_line(&mut bytes, attempt, payload, &names),
                    }
                }
                Bytes::from(bytes)
            });
            let written = written.await.map_err(|_| StoreError::Closed);
            let next = next.filter(|_| written.is_ok());
            Some((written, (next, false)))
        }
    })
    // The layer that compresses asks once more after the end.
    .fuse()
}

/// Reads what is exported, a page ahead.
struct Reader {
    app: App,
    workspace: WorkspaceId,
    filter: LogFilter,
}

/// A page on its way, of so many attempts at most.
struct Reading {
    page: JoinHandle<Result<Vec<(Attempt, Payload)>, StoreError>>,
    most: usize,
}

impl Reader {
    fn read(self: &Arc<Reader>, paging: Paging, most: usize) -> Reading {
        let reader = Arc::clone(self);
        let page = tokio::spawn(async move {
            let limit = u32::try_from(most).unwrap_or(u32::MAX);
            let filter = reader.filter.clone();
            reader
                .app
                .store
                .page_with_payloads(reader.workspace, filter, paging, limit)
                .await
        });
        Reading { page, most }
    }
}

/// The failed rows of an import in the order of the file, ready to be corrected and uploaded again as they are.
pub(crate) fn failed_rows(
    app: App,
    import: &Import,
    options: ImportOptions,
) -> impl Stream<Item = Result<Bytes, StoreError>> + Send + 'static {
    let rows = FailedRows::read_with(import.clone(), options);
    stream::try_unfold((app, rows), |(app, mut rows)| async move {
        let piece = rows.next(&app).await?;
        Ok(piece.map(|piece| (Bytes::from(piece), (app, rows))))
    })
    .fuse()
}

/// The first line of the CSV.
pub(crate) fn csv_head() -> Vec<u8> {
    let mut bytes = Vec::new();
    write_record(&mut bytes, &COLUMNS);
    bytes
}

/// An attempt as a line of the CSV.
pub(crate) fn csv_line(
    bytes: &mut Vec<u8>,
    attempt: Attempt,
    payload: Option<Payload>,
    names: &SourceNames,
) {
    let info = reasons(&attempt.issues);
    let matched_on = attempt.matched_on.map_or("", |kind| kind.label());
    let json = AttemptJson::of(attempt, names);
    let text = |text: Option<String>| text.unwrap_or_default();
    let row = json.row.map(|row| row.to_string());
    let payload = payload.map(|payload| String::from_utf8_lossy(&payload.bytes).into_owned());
    let result = match json.result {
        ImportResult::Success => "Success",
        ImportResult::Warning => "Warning",
        ImportResult::Failure => "Failure",
    };
    let action = match json.action {
        Some(rollbook_engine::attempt::Action::Created) => "Created",
        Some(rollbook_engine::attempt::Action::Removed) => "Removed",
        Some(rollbook_engine::attempt::Action::Updated) => "Updated",
        None => "",
    };
    let record = [
        result.to_owned(),
        info,
        action.to_owned(),
        text(json.name),
        text(json.phone),
        text(json.email),
        json.source,
        json.received_at,
        matched_on.to_owned(),
        text(json.external_id),
        text(json.import_id),
        text(row),
        text(json.contact_id),
        json.id,
        text(payload),
    ];
    write_record(bytes, &record);
}

fn write_line(
    bytes: &mut Vec<u8>,
    attempt: Attempt,
    payload: Option<Payload>,
    names: &SourceNames,
) {
    let (payload_type, payload) = match payload {
        Some(payload) => (
            Some(payload.content_type),
            Some(String::from_utf8_lossy(&payload.bytes).into_owned()),
        ),
        None => (None, None),
    };
    let line = Line {
        attempt: AttemptJson::of(attempt, names),
        payload_type,
        payload,
    };
    serde_json::to_writer(&mut *bytes, &line).expect("an attempt is JSON and memory takes it");
    bytes.push(b'\n');
}

/// Why a record could not be used, in one cell.
fn reasons(issues: &[Issue]) -> String {
    let reasons = issues.iter().map(|issue| match &issue.field {
        Some(field) => format!("{field}: {}", issue.message),
        None => issue.message.clone(),
    });
    reasons.collect::<Vec<_>>().join(" | ")
}

fn write_record<T: AsRef<str>>(bytes: &mut Vec<u8>, cells: &[T]) {
    let line = spreadsheet::line(cells.iter().map(AsRef::as_ref));
    bytes.extend_from_slice(line.as_bytes());
}

/// RFC 3339 in a file's name: `contact-import-log-2025-11-22T101642Z.csv`.
pub(crate) fn file_name(what: &str, now: rollbook_store::Timestamp, ending: &str) -> String {
    let time: String = rfc3339(now)
        .chars()
        .take("2025-11-22T10:16:42".len())
        .filter(|character| *character != ':')
        .collect();
    format!("{what}-{time}Z.{ending}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use rollbook_store::Timestamp;

    #[test]
    fn a_file_is_named_by_its_time() {
        let name = file_name("log", Timestamp(1_763_806_602_108), "csv");
        assert_eq!(name, "log-2025-11-22T101642Z.csv");
    }
}
