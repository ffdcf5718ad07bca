//! Imports of files: `/imports`.

pub(super) mod details;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::multipart::{Field, Multipart, MultipartError, MultipartRejection};
use axum::extract::{Path, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::{Stream, StreamExt, stream};
use rollbook_engine::mapping::{ColumnMapping, Mapping};
use rollbook_sources::file::Reading;
use rollbook_store::StoreError;
use rollbook_store::imports::{Import, ImportId, ImportState};
use rollbook_store::sources::Source;
use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;
use tokio::io::AsyncWriteExt;
use utoipa::ToSchema;

use crate::access::checked_region;
use crate::audit::Act;
use crate::clock;
use crate::export::Format;
use crate::http::api::Api;
use crate::http::api::body::settings_or_default;
use crate::http::auth::{Caller, SourceList};
use crate::http::error::{
    Guarded, GuardedBody, InState, Kind, Mapped, Named, Paused, Problem, shortened,
};
use crate::http::server::TooSlow;
use crate::imports::failed_rows::FailedRows;
use crate::imports::intake::{self, Inspection, IntakeError, take_in};
use crate::imports::options::ImportOptions;
use crate::imports::profiles;
use crate::imports::said::Said;
use crate::wire::{ImportJson, ImportStateSchema, MappingSchema, TotalsJson};

/// The source of uploads where nobody names one.
const MANUAL: &str = "manual";

/// The largest part of an upload that is not the file.
const MAX_PART: usize = 1 << 20;

/// How much of a file is written at once.
const BUFFER: usize = 1 << 20;

/// How often progress is told.
const BEAT: Duration = Duration::from_millis(500);

/// The parts of an upload.
#[derive(Debug, ToSchema)]
#[schema(as = Upload)]
#[expect(dead_code, reason = "it only describes the parts that `upload` reads")]
pub(crate) struct UploadSchema {
    /// The file: CSV or TSV in any common encoding, XLSX, XLS, ODS, vCard, a JSON array or NDJSON; also in a ZIP or gzip
    /// archive.
    #[schema(value_type = String, format = Binary)]
    file: Vec<u8>,
    /// The name of the source whose rules apply; `manual` if left out, or the source that the key belongs to.
    #[schema(example = "manual")]
    source: Option<String>,
    /// JSON: a mapping, or an object of column names and field keys such as `{"Telefon":"phone"}`. Without one the
    /// guessed mapping is used.
    #[schema(value_type = Option<MappingSchema>)]
    mapping: Option<String>,
    /// Of a spreadsheet, the name or number of the sheet; the first visible one if left out.
    sheet: Option<String>,
    /// The row that is the header: of a spreadsheet as it numbers them, of text counting rows that are not blank; 0 for
    /// none. Found out if left out.
    header_row: Option<u64>,
    /// The encoding of a text file, for example `windows-1252`. Found out if left out.
    encoding: Option<String>,
    /// What separates the cells of a text file: a character, or `tab`, `comma`, `semicolon`, `pipe`, `space`.
    delimiter: Option<String>,
    /// What its cells are quoted with: a character, or `none`.
    quote: Option<String>,
    /// The region of its phone numbers without a country code, as ISO 3166 alpha-2; the source's if left out.
    #[schema(example = "DE")]
    region: Option<String>,
    /// Tags that are added to every contact of the file, with commas between them.
    #[schema(example = "Autumn fair, VIP")]
    tags: Option<String>,
    /// The name of a mapping profile to read and map the file by; what else is said wins.
    profile: Option<String>,
    /// `false` stores the file and answers what its columns hold; `true`, the default, runs the import.
    run: Option<bool>,
}

/// An import, and what a look into its file showed.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ImportWithInspection)]
pub(crate) struct ImportWithInspectionJson {
    #[serde(flatten)]
    import: ImportJson,
    /// Earlier imports of the very same content, the first one first.
    #[schema(value_type = Vec<Uuid>)]
    same_file: Vec<String>,
    /// Only with `run=false`.
    #[serde(skip_serializing_if = "Option::is_none")]
    inspection: Option<InspectionJson>,
}

/// What a look into a file showed.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Inspection)]
pub(crate) struct InspectionJson {
    /// The format that was found out: `CSV`, `XLSX`, `XLS`, `ODS`, `vCard`, `JSON` or `NDJSON`.
    #[schema(example = "CSV")]
    format: &'static str,
    /// The encoding of a text file that was found out.
    #[schema(example = "UTF-8")]
    encoding: Option<String>,
    /// The delimiter of a CSV file that was found out.
    #[schema(example = ";")]
    delimiter: Option<String>,
    /// The sheet of a spreadsheet.
    sheet: Option<String>,
    /// The sheets that it could be.
    sheets: Vec<String>,
    /// The row that is the header; 0 if there is none.
    header_row: Option<u64>,
    /// Records that were looked at, at most.
    sampled: usize,
    /// One entry a column.
    columns: Vec<ColumnJson>,
    /// The cells of the first records.
    rows: Vec<Vec<String>>,
    /// The guessed mapping, to be corrected and sent with `POST /imports/{id}/start`.
    #[schema(value_type = MappingSchema)]
    mapping: Mapping,
}

/// A column of a file.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Column)]
pub(crate) struct ColumnJson {
    /// Its name in the header.
    #[schema(example = "Telefon")]
    name: String,
    /// Some of its values.
    samples: Vec<String>,
    /// The key of the field that was guessed; null if none was.
    #[schema(example = "phone")]
    field: Option<String>,
    /// Why.
    reason: Option<String>,
}

/// How an import is to be run.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Start)]
pub(crate) struct StartJson {
    /// Which column goes to which field: a mapping, or an object of column names and field keys. Without one the
    /// guessed mapping is used.
    #[serde(default)]
    #[schema(value_type = Option<MappingSchema>)]
    mapping: Option<serde_json::Value>,
    /// Of a spreadsheet, the name or number of the sheet; the first visible one if left out.
    #[serde(default)]
    sheet: Option<String>,
    /// The row that is the header; found out if left out.
    #[serde(default)]
    header_row: Option<u64>,
    /// The encoding of a text file; found out if left out.
    #[serde(default)]
    encoding: Option<String>,
    /// What separates the cells of a text file; found out if left out.
    #[serde(default)]
    delimiter: Option<String>,
    /// What its cells are quoted with, or `none`; found out if left out.
    #[serde(default)]
    quote: Option<String>,
    /// The region of its phone numbers without a country code; the source's if left out.
    #[serde(default)]
    #[schema(example = "DE")]
    region: Option<String>,
    /// Tags that are added to every contact of the file.
    #[serde(default)]
    tags: Option<Vec<String>>,
    /// The name of a mapping profile to read and map the file by; what else is said wins.
    #[serde(default)]
    profile: Option<String>,
}

/// What is said about an import; the rest is found out, or stands as it was stored.
#[derive(Debug, Default)]
struct Choices {
    said: Said,
    mapping: Option<Mapping>,
    region: Option<String>,
    tags: Option<Vec<String>>,
    profile: Option<String>,
}

impl Choices {
    /// Takes one by its name; false if no choice has that name.
    fn take(&mut self, name: &str, text: &str) -> Result<bool, Problem> {
        match name {
            "region" => {
                self.region = checked_region(text)
                    .map_err(|error| wrong_part(&format!("`region`: {error}")))?;
            }
            "tags" => {
                let tags = self.tags.get_or_insert_default();
                tags.extend(
                    [text.to_owned()]
                        .into_iter()
                        .filter(|tags| !tags.trim().is_empty()),
                );
            }
            "profile" => {
                self.profile = Some(text.trim().to_owned()).filter(|name| !name.is_empty());
            }
            "mapping" if text.trim().is_empty() => {}
            "mapping" => {
                let json = serde_json::from_str(text).map_err(|error| {
                    Problem::new(
                        Kind::Mapping,
                        format!("the part `mapping` is not JSON: {error}"),
                    )
                })?;
                self.mapping = Some(mapping_of(json)?);
            }
            name => {
                return self
                    .said
                    .take(name, text)
                    .map_err(|error| wrong_part(&format!("`{name}`: {error}")));
            }
        }
        Ok(true)
    }

    fn of(start: StartJson) -> Result<Choices, Problem> {
        let mut choices = Choices {
            mapping: match start.mapping {
                None | Some(serde_json::Value::Null) => None,
                Some(mapping) => Some(mapping_of(mapping)?),
            },
            tags: start.tags,
            profile: start.profile,
            ..Choices::default()
        };
        choices.said.header_row = start.header_row;
        for (name, text) in [
            ("sheet", start.sheet),
            ("encoding", start.encoding),
            ("delimiter", start.delimiter),
            ("quote", start.quote),
            ("region", start.region),
        ] {
            choices.take(name, &text.unwrap_or_default())?;
        }
        Ok(choices)
    }

    /// Lets what was said win.
    fn apply(self, options: &mut ImportOptions) {
        if let Some(mapping) = self.mapping {
            options.mapping = mapping;
        }
        if let Some(tags) = self.tags {
            options.tags = tags;
        }
        options.region = self.region.or(options.region.take());
    }
}

/// How far an import is.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Progress)]
pub(crate) struct ProgressJson {
    /// Where it is on its way.
    #[schema(value_type = ImportStateSchema)]
    state: &'static str,
    /// Counts so far.
    totals: TotalsJson,
    /// Records in the file, once counted.
    expected_records: Option<u64>,
    /// Records a second, of late.
    rate: u64,
    /// Seconds until the end at this rate, if that can be said.
    seconds_left: Option<u64>,
    /// What stopped it, if it failed.
    error: Option<String>,
}

/// One event of an import that is followed, as the description knows it.
#[derive(ToSchema)]
#[expect(dead_code, reason = "events are written by axum; this is their shape")]
pub(crate) struct ProgressEvent {
    /// `progress`, or `end` for the last one.
    event: String,
    /// A Progress as JSON.
    #[schema(
        content_media_type = "application/json",
        extensions(("x-content-schema" = json!({"$ref": "#/components/schemas/Progress"})))
    )]
    data: String,
}

impl InspectionJson {
    fn of(inspection: Inspection) -> InspectionJson {
        let columns = inspection.columns.into_iter().map(|column| ColumnJson {
            name: column.name,
            samples: column.samples,
            field: column.field,
            reason: column.reason,
        });
        let format = inspection.options.reading.label();
        let (encoding, delimiter, sheet, header_row) = match inspection.options.reading {
            Reading::Csv(dialect) => (
                Some(dialect.encoding),
                Some(dialect.delimiter.to_string()),
                None,
                Some(dialect.header_row),
            ),
            Reading::Workbook(table) => (None, None, Some(table.sheet), Some(table.header_row)),
            Reading::Vcard { encoding } => (Some(encoding), None, None, None),
            Reading::Json { .. } => (None, None, None, None),
        };
        InspectionJson {
            format,
            encoding,
            delimiter,
            sheet,
            sheets: inspection.sheets,
            header_row,
            sampled: inspection.sampled,
            columns: columns.collect(),
            rows: inspection.rows,
            mapping: inspection.options.mapping,
        }
    }
}

/// Upload a file
///
/// The parts may come in any order. Without `run=false` the import is queued and runs at once; follow it at
/// `/imports/{id}/events`. A file whose columns cannot be mapped is kept: the problem has its `import_id`, and
/// `POST /imports/{id}/start` with a mapping runs it.
///
/// A key that belongs to a source uploads to that source.
#[utoipa::path(
    post,
    path = "/imports",
    operation_id = "uploadFile",
    tag = "Imports",
    request_body(content = UploadSchema, description = "The file and how to import it", content_type = "multipart/form-data"),
    responses(
        (status = 202, description = "The import", body = ImportWithInspectionJson, headers(("Location" = String, description = "Its address"))),
        GuardedBody, Named, Mapped, Paused,
    ),
)]
pub(crate) async fn upload(
    State(api): State<Api>,
    caller: Caller,
    multipart: Result<Multipart, MultipartRejection>,
) -> Result<Response, Problem> {
    let multipart = multipart.map_err(|error| {
        Problem::new(
            Kind::MediaType,
            format!(
                "the body is no form ({}); send `multipart/form-data` with the part `file`",
                error.body_text()
            ),
        )
    })?;
    let parts = Parts::read(&api, multipart).await?;
    let sources = api.sources(&caller).await?;
    let source = source_of_upload(&api, &caller, &sources, parts.source.as_deref()).await?;
    let import = take_in(
        &api.app,
        &source,
        parts.file,
        &parts.file_name,
        caller.name(),
    )
    .await?;
    let (import_id, id) = (import.id, import.id.to_string());
    let outcome = if parts.run {
        begin(&api, &source, import, parts.choices)
            .await
            .map(|import| (import, None))
    } else {
        look(&api, &source, import, &parts.choices.said).await
    };
    let (import, inspection) = match outcome {
        Ok(outcome) => outcome,
        Err(problem) => {
            if problem.kind() == Kind::File {
                // Nobody can ever map it, so it does not wait for that.
                let store = &api.app.store;
                store
                    .cancel_import(caller.workspace(), import_id, clock::now())
                    .await?;
            }
            return Err(problem.with("import_id", id));
        }
    };
    let json = ImportWithInspectionJson {
        import: ImportJson::of(&import, &sources.names),
        same_file: details::same_file(&api, &caller, &import).await?,
        inspection: inspection.map(InspectionJson::of),
    };
    let location = format!("/api/v1/imports/{id}");
    Ok((
        StatusCode::ACCEPTED,
        [(header::LOCATION, location)],
        Json(json),
    )
        .into_response())
}

/// The source that an upload goes to.
async fn source_of_upload(
    api: &Api,
    caller: &Caller,
    sources: &SourceList,
    named: Option<&str>,
) -> Result<std::sync::Arc<Source>, Problem> {
    let own = caller.source().and_then(|own| sources.by_id(own));
    let name = match (named, own) {
        (Some(name), _) => name,
        (None, Some(own)) => &own.settings.name,
        (None, None) => MANUAL,
    };
    api.deliver_to(caller, name).await
}

/// Runs an import with the mapping given, or the guessed one.
async fn begin(
    api: &Api,
    source: &Source,
    mut import: Import,
    choices: Choices,
) -> Result<Import, Problem> {
    let mut options = match &choices.profile {
        None => options_of(api, source, &mut import, &choices.said).await?,
        Some(name) => {
            let profile = profiles::find(&api.app, source.workspace, name).await?;
            let profile = profile.ok_or_else(|| Problem::not_found("mapping profile", name))?;
            let said = choices.said.clone().or(&profile.said);
            let mut inspection = intake::look(&api.app, source, &mut import, &said).await?;
            inspection.map_as(&profile, "as the mapping profile says", false);
            inspection.options
        }
    };
    choices.apply(&mut options);
    Ok(intake::start(&api.app, source, &import, &options).await?)
}

/// How the file was read when a person looked at it, or is guessed to be read.
pub(super) async fn options_of(
    api: &Api,
    source: &Source,
    import: &mut Import,
    said: &Said,
) -> Result<ImportOptions, Problem> {
    if let Some(options) = &import.options
        && said.is_nothing()
    {
        return serde_json::from_str(options).map_err(|error| Problem::internal(&error));
    }
    let inspection = intake::look(&api.app, source, import, said).await?;
    Ok(inspection.options)
}

async fn look(
    api: &Api,
    source: &Source,
    mut import: Import,
    said: &Said,
) -> Result<(Import, Option<Inspection>), Problem> {
    let inspection = intake::look(&api.app, source, &mut import, said).await?;
    Ok((import, Some(inspection)))
}

/// Run an uploaded file
///
/// Only while it is `uploaded`. Without a mapping the guessed one is used.
#[utoipa::path(
    post,
    path = "/imports/{id}/start",
    operation_id = "startImport",
    tag = "Imports",
    params(("id" = Uuid, Path, description = "The import's id")),
    request_body(content = Option<StartJson>, description = "How it is to be run", example = json!({"mapping": {"columns": [{"column": "Telefon", "field": "phone"}]}})),
    responses((status = 202, description = "The import, queued", body = ImportJson), GuardedBody, Named, InState, Mapped, Paused),
)]
pub(crate) async fn start(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<String>,
    request: Request,
) -> Result<impl IntoResponse, Problem> {
    let choices = Choices::of(settings_or_default(request).await?)?;
    let import = get(&api, &caller, &id).await?;
    let sources = api.sources(&caller).await?;
    let source = sources
        .by_id(import.source)
        .ok_or_else(|| Problem::not_found("source of import", &id))?;
    if source.paused {
        return Err(Problem::source_paused(&source.settings.name));
    }
    let import = begin(&api, source, import, choices).await?;
    Ok((StatusCode::ACCEPTED, json(&api, &caller, &import).await?))
}

/// Cancel an import
///
/// One that runs stops at the next batch; what was committed stays. One that is over stays as it is.
#[utoipa::path(
    post,
    path = "/imports/{id}/cancel",
    operation_id = "cancelImport",
    tag = "Imports",
    params(("id" = Uuid, Path, description = "The import's id")),
    responses((status = 200, description = "The import", body = ImportJson), Guarded, Named),
)]
pub(crate) async fn cancel(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<ImportJson>, Problem> {
    let import = get(&api, &caller, &id).await?;
    if import.state.is_over() {
        return json(&api, &caller, &import).await;
    }
    let import = api
        .app
        .store
        .cancel_import(caller.workspace(), import.id, clock::now())
        .await?;
    json(&api, &caller, &import).await
}

/// Follow an import
///
/// Server-sent events, twice a second: `progress` with a Progress, and at last `end` with a Progress, after which the
/// stream ends.
#[utoipa::path(
    get,
    path = "/imports/{id}/events",
    operation_id = "followImport",
    tag = "Imports",
    params(("id" = Uuid, Path, description = "The import's id")),
    responses((status = 200, description = "The events; the data of each is a Progress", body = ProgressEvent, content_type = "text/event-stream"), Guarded, Named),
)]
pub(crate) async fn events(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let import = get(&api, &caller, &id).await?;
    let stopped = api.app.stopping.clone().begun();
    let events =
        Sse::new(progress(api, import).take_until(stopped)).keep_alive(KeepAlive::default());
    Ok(events.into_response())
}

/// Download the failed rows
///
/// As CSV, in the order of the file, with their numbers in `_row` and the reasons in `_reason`: correct them and upload
/// the file again as it is.
#[utoipa::path(
    get,
    path = "/imports/{id}/failed-rows.csv",
    operation_id = "getFailedRows",
    tag = "Imports",
    params(("id" = Uuid, Path, description = "The import's id")),
    responses((status = 200, description = "The rows", body = String, content_type = "text/csv"), Guarded, Named, InState),
)]
pub(crate) async fn failed_rows(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let import = get(&api, &caller, &id).await?;
    let rows = FailedRows::of(import).ok_or_else(|| {
        Problem::new(
            Kind::ImportState,
            "the import has not begun, or its records were no rows of one file; look at its failures in the log",
        )
    })?;
    let about = format!("import {id}");
    api.app
        .audit(
            caller.workspace(),
            &caller.actor(),
            Act::ExportedFailedRows,
            &about,
        )
        .await?;
    let rows = stream::try_unfold((api.app, rows), |(app, mut rows)| async move {
        let some = rows.next(&app).await?;
        Ok::<_, StoreError>(some.map(|some| (Bytes::from(some), (app, rows))))
    });
    let mut response = Body::from_stream(rows).into_response();
    let headers = response.headers_mut();
    let media_type = HeaderValue::from_static(Format::Csv.media_type());
    headers.insert(header::CONTENT_TYPE, media_type);
    let disposition = HeaderValue::from_static("attachment; filename=\"failed-rows.csv\"");
    headers.insert(header::CONTENT_DISPOSITION, disposition);
    Ok(response)
}

/// The import with an id, if the caller may see it.
pub(super) async fn get(api: &Api, caller: &Caller, id: &str) -> Result<Import, Problem> {
    let unknown = || Problem::not_found("import", id);
    let import_id = id.parse().map(ImportId).map_err(|_| unknown())?;
    let found = api.app.store.import(caller.workspace(), import_id).await?;
    found
        .filter(|import| caller.source().is_none_or(|own| own == import.source))
        .ok_or_else(unknown)
}

pub(super) async fn json(
    api: &Api,
    caller: &Caller,
    import: &Import,
) -> Result<Json<ImportJson>, Problem> {
    let sources = api.sources(caller).await?;
    Ok(Json(ImportJson::of(import, &sources.names)))
}

/// Tells how far an import is, until it is over.
fn progress(api: Api, import: Import) -> impl Stream<Item = Result<Event, axum::Error>> {
    struct Seen {
        at: Instant,
        records: u64,
        rate: u64,
    }
    let begun = Seen {
        at: Instant::now(),
        records: import.totals.records,
        rate: 0,
    };
    let state = Some((api, import, begun));
    stream::unfold(state, |state| async move {
        let (api, import, mut seen) = state?;
        let elapsed = seen.at.elapsed();
        if elapsed >= BEAT {
            let millis = u64::try_from(elapsed.as_millis())
                .unwrap_or(u64::MAX)
                .max(1);
            let records = import.totals.records;
            seen.rate = records.saturating_sub(seen.records).saturating_mul(1000) / millis;
            seen.at = Instant::now();
            seen.records = records;
        }
        let over = import.state.is_over() || import.state == ImportState::Uploaded;
        let name = if over { "end" } else { "progress" };
        let event = Event::default()
            .event(name)
            .json_data(progress_of(&import, seen.rate));
        if over {
            return Some((event, None));
        }
        tokio::time::sleep(BEAT).await;
        let next = api.app.store.import(import.workspace, import.id).await;
        let state = match next {
            Ok(Some(import)) => Some((api, import, seen)),
            Ok(None) => None,
            Err(error) => {
                tracing::warn!("the progress of an import cannot be read: {error}");
                None
            }
        };
        Some((event, state))
    })
    .fuse()
}

fn progress_of(import: &Import, rate: u64) -> ProgressJson {
    let left = import
        .expected_records
        .map(|expected| expected.saturating_sub(import.totals.records));
    ProgressJson {
        state: import.state.key(),
        totals: import.totals.into(),
        expected_records: import.expected_records,
        rate,
        seconds_left: left.and_then(|left| left.checked_div(rate)),
        error: import.error.clone(),
    }
}

/// A mapping as JSON: the whole form, or column names with field keys.
pub(crate) fn mapping_of(json: serde_json::Value) -> Result<Mapping, Problem> {
    const HOW: &str = "use {\"columns\":[{\"column\":\"Telefon\",\"field\":\"phone\"}]} or {\"Telefon\":\"phone\"}";
    let wrong = |error: serde_json::Error| {
        Problem::new(
            Kind::Mapping,
            format!("the mapping cannot be understood: {error}; {HOW}"),
        )
    };
    if json.get("columns").is_some_and(serde_json::Value::is_array) {
        return serde_json::from_value(json).map_err(wrong);
    }
    let pairs: BTreeMap<String, Option<String>> = serde_json::from_value(json).map_err(wrong)?;
    let columns = pairs.into_iter().map(|(column, field)| ColumnMapping {
        column,
        field,
        ..ColumnMapping::default()
    });
    Ok(Mapping {
        columns: columns.collect(),
    })
}

/// The parts of an upload, read.
struct Parts {
    file: NamedTempFile,
    file_name: String,
    source: Option<String>,
    choices: Choices,
    run: bool,
}

impl Parts {
    async fn read(api: &Api, mut multipart: Multipart) -> Result<Parts, Problem> {
        let mut file = None;
        let mut source = None;
        let mut choices = Choices::default();
        let mut run = true;
        while let Some(part) = patient(multipart.next_field()).await? {
            match part.name().unwrap_or_default() {
                "file" if file.is_some() => {
                    return Err(wrong_part("`file` comes twice; upload one file at a time"));
                }
                "file" => {
                    let name = file_name(part.file_name().unwrap_or_default());
                    file = Some((store(api, part).await?, name));
                }
                "source" => {
                    source = Some(text(part).await?).filter(|text| !text.trim().is_empty());
                }
                "run" => {
                    run = match text(part).await?.trim() {
                        "true" | "1" | "" => true,
                        "false" | "0" => false,
                        _ => return Err(wrong_part("`run` is neither `true` nor `false`")),
                    };
                }
                other => {
                    let name = other.to_owned();
                    if !choices.take(&name, &text(part).await?)? {
                        return Err(wrong_part(&format!(
                            "`{}` is not a part of an upload; use `file`, `source`, `mapping`, `sheet`, `header_row`, \
                             `encoding`, `delimiter`, `quote`, `region`, `tags`, `profile`, `run`",
                            shortened(&name)
                        )));
                    }
                }
            }
        }
        let (file, file_name) = file.ok_or_else(|| {
            wrong_part("the part `file` is missing; send the file as `file`, for example with curl -F file=@guests.csv")
        })?;
        Ok(Parts {
            file,
            file_name,
            source,
            choices,
            run,
        })
    }
}

fn wrong_part(detail: &str) -> Problem {
    Problem::new(Kind::Body, detail)
}

fn broken(error: &MultipartError) -> Problem {
    if let Some(slow) = TooSlow::of(error) {
        return Problem::new(Kind::Slow, slow.to_string());
    }
    Problem::new(
        Kind::Body,
        format!(
            "the form cannot be read: {}; send it again",
            error.body_text()
        ),
    )
}

async fn patient<T>(read: impl Future<Output = Result<T, MultipartError>>) -> Result<T, Problem> {
    read.await.map_err(|error| broken(&error))
}

/// The text of a small part.
async fn text(mut part: Field<'_>) -> Result<String, Problem> {
    let mut bytes = Vec::new();
    while let Some(chunk) = patient(part.chunk()).await? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > MAX_PART {
            return Err(Problem::new(
                Kind::TooLarge,
                format!("a part beside the file is larger than {MAX_PART} bytes"),
            )
            .with("limit", MAX_PART));
        }
    }
    String::from_utf8(bytes).map_err(|_| wrong_part("a part beside the file is not UTF-8"))
}

/// Writes the file into the folder of uploads while it arrives.
async fn store(api: &Api, mut part: Field<'_>) -> Result<NamedTempFile, Problem> {
    let limit = api.app.config.max_file_bytes;
    let failed = |error: std::io::Error| Problem::from(IntakeError::Io(error));
    let file = NamedTempFile::new_in(&api.app.config.files).map_err(failed)?;
    let handle = file.reopen().map_err(failed)?;
    let mut writer = tokio::io::BufWriter::with_capacity(BUFFER, tokio::fs::File::from_std(handle));
    let mut size: u64 = 0;
    while let Some(chunk) = patient(part.chunk()).await? {
        size += chunk.len() as u64;
        if size > limit {
            return Err(IntakeError::TooLarge { limit }.into());
        }
        writer.write_all(&chunk).await.map_err(failed)?;
    }
    writer.flush().await.map_err(failed)?;
    Ok(file)
}

/// A file's name without folders and signs that do not belong into one.
fn file_name(given: &str) -> String {
    const MOST: usize = 200;
    let name = given.rsplit(['/', '\\']).next().unwrap_or_default();
    let name: String = name
        .chars()
        .filter(|character| !character.is_control())
        .take(MOST)
        .collect();
    match name.trim() {
        "" => "upload".to_owned(),
        name => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mapping_comes_in_two_forms() {
        let short = mapping_of(serde_json::json!({"Telefon": "phone", "Rest": null})).unwrap();
        let long = serde_json::json!({"columns": [
            {"column": "Rest", "field": null},
            {"column": "Telefon", "field": "phone"},
        ]});
        assert_eq!(short, mapping_of(long).unwrap());
        for wrong in ["[]", "1", r#"{"a":1}"#, r#"{"columns":[{"colum":"a"}]}"#] {
            assert!(
                mapping_of(serde_json::from_str(wrong).unwrap()).is_err(),
                "{wrong}"
            );
        }
    }

    #[test]
    fn the_name_of_a_file_has_no_folders() {
        for (given, expected) in [
            ("guests.csv", "guests.csv"),
            ("C:\\Users\\me\\guests.csv", "guests.csv"),
            ("../../etc/passwd", "passwd"),
            ("a\u{0}b\n.csv", "ab.csv"),
            ("", "upload"),
            ("/", "upload"),
        ] {
            assert_eq!(file_name(given), expected);
        }
    }
}
