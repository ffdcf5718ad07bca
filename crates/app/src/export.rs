//! Exports: the log as CSV or NDJSON, and the failed rows of an import as a file that can be corrected and uploaded.
//!
//! Everything is streamed page by page, so an export has no cap. A cell that a spreadsheet would run as a formula gets
//! a leading `'`, which an import takes off again.

use std::borrow::Cow;

use axum::body::Bytes;
use futures_util::stream::{self, Stream};
use rollbook_engine::attempt::ImportResult;
use rollbook_engine::issue::Issue;
use rollbook_sources::csv::parse_raw;
use rollbook_store::commit::Payload;
use rollbook_store::imports::Import;
use rollbook_store::log::{Attempt, LogFilter, Paging};
use rollbook_store::sources::Source;
use rollbook_store::{StoreError, WorkspaceId};
use serde::Serialize;

use crate::app::App;
use crate::imports::options::ImportOptions;
use crate::masking::Sight;
use crate::wire::{AttemptJson, SourceNames, rfc3339};

/// How many attempts are read and sent at a time.
const PAGE: u32 = 500;

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
    let names = SourceNames::of(sources);
    let start = Some(Paging::Newest);
    stream::unfold((start, true), move |(paging, first)| {
        let (app, filter, names) = (app.clone(), filter.clone(), names.clone());
        async move {
            let paging = paging?;
            let page = match app
                .store
                .page_with_payloads(workspace, filter, paging, PAGE)
                .await
            {
                Ok(page) => page,
                Err(error) => return Some((Err(error), (None, false))),
            };
            let next = match page.last() {
                Some((last, _)) if page.len() == PAGE as usize => {
                    Some(Paging::Before(last.id.number()))
                }
                _ => None,
            };
            let mut bytes = Vec::new();
            if first && format == Format::Csv {
                write_record(&mut bytes, &COLUMNS);
            }
            for (attempt, payload) in page {
                let attempt = sight.attempt(attempt);
                let payload = sight.payload(payload);
                match format {
                    Format::Csv => write_attempt(&mut bytes, attempt, payload, &names),
                    Format::Ndjson => write_line(&mut bytes, attempt, payload, &names),
                }
            }
            Some((Ok(Bytes::from(bytes)), (next, false)))
        }
    })
}

/// The failed rows of an import in the order of the file, with their numbers and reasons in front, ready to be
/// corrected and uploaded again as they are.
pub(crate) fn failed_rows(
    app: App,
    import: &Import,
    options: ImportOptions,
) -> impl Stream<Item = Result<Bytes, StoreError>> + Send + 'static {
    let workspace = import.workspace;
    let filter = LogFilter {
        import: Some(import.id),
        result: Some(ImportResult::Failure),
        ..LogFilter::default()
    };
    let file = FailedRows::of(options);
    stream::unfold((Some(Paging::After(0)), true), move |(paging, first)| {
        let (app, filter, file) = (app.clone(), filter.clone(), file.clone());
        async move {
            let paging = paging?;
            let page = match app
                .store
                .page_with_payloads(workspace, filter, paging, PAGE)
                .await
            {
                Ok(page) => page,
                Err(error) => return Some((Err(error), (None, false))),
            };
            let next = match page.last() {
                Some((last, _)) if page.len() == PAGE as usize => {
                    Some(Paging::After(last.id.number()))
                }
                _ => None,
            };
            let mut bytes = Vec::new();
            if first {
                file.write_header(&mut bytes);
            }
            for (attempt, payload) in page {
                file.write_row(&mut bytes, &attempt, &payload);
            }
            Some((Ok(Bytes::from(bytes)), (next, false)))
        }
    })
}

/// How the rows of a file are written again.
#[derive(Debug, Clone)]
struct FailedRows {
    options: ImportOptions,
    /// The columns that are kept: not those that an earlier file of failed rows brought along.
    kept: Vec<usize>,
}

impl FailedRows {
    fn of(options: ImportOptions) -> FailedRows {
        let kept = options
            .header
            .iter()
            .enumerate()
            .filter(|(_, name)| !matches!(name.as_str(), "_row" | "_reason"))
            .map(|(column, _)| column)
            .collect();
        FailedRows { options, kept }
    }

    fn write_header(&self, bytes: &mut Vec<u8>) {
        let names = self
            .kept
            .iter()
            .map(|column| self.options.header[*column].as_str());
        let record: Vec<&str> = ["_row", "_reason"].into_iter().chain(names).collect();
        write_record(bytes, &record);
    }

    fn write_row(&self, bytes: &mut Vec<u8>, attempt: &Attempt, payload: &Payload) {
        let raw = String::from_utf8_lossy(&payload.bytes);
        let cells = parse_raw(&raw, &self.options.dialect);
        let row = attempt.row.map(|row| row.to_string()).unwrap_or_default();
        let mut record = vec![row, reasons(&attempt.issues)];
        record.extend(
            self.kept
                .iter()
                .map(|column| cells.get(*column).cloned().unwrap_or_default()),
        );
        // Cells past the header hang over the end, so that nothing of the row is lost.
        record.extend(cells.into_iter().skip(self.options.header.len()));
        write_record(bytes, &record);
    }
}

fn write_attempt(
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
    let mut writer = csv::WriterBuilder::new()
        .terminator(csv::Terminator::CRLF)
        .flexible(true)
        .from_writer(bytes);
    let cells = cells.iter().map(|cell| neutral(cell.as_ref()).into_owned());
    writer
        .write_record(cells)
        .and_then(|()| Ok(writer.flush()?))
        .expect("memory takes what is written");
}

/// A cell that no spreadsheet runs: what begins like a formula gets a text mark.
fn neutral(cell: &str) -> Cow<'_, str> {
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']) {
        Cow::Owned(format!("'{cell}"))
    } else {
        Cow::Borrowed(cell)
    }
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

    fn written<T: AsRef<str>>(cells: &[T]) -> String {
        let mut bytes = Vec::new();
        write_record(&mut bytes, cells);
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn formulas_are_text() {
        assert_eq!(
            written(&["=1+1", "+49 30", "-", "@x", "a=b", "'=1"]),
            "'=1+1,'+49 30,'-,'@x,a=b,'=1\r\n"
        );
        assert_eq!(
            written(&["\t=1", "a\nb", "say \"hi\""]),
            "'\t=1,\"a\nb\",\"say \"\"hi\"\"\"\r\n"
        );
    }

    #[test]
    fn a_file_is_named_by_its_time() {
        let name = file_name("log", Timestamp(1_763_806_602_108), "csv");
        assert_eq!(name, "log-2025-11-22T101642Z.csv");
    }
}
