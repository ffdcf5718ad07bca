//! Imports as they stand: the history, one import with everything that is known of it, and its file.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::Uri;
use axum::response::Response;
use rollbook_engine::mapping::Mapping;
use rollbook_sources::file::Reading;
use rollbook_store::StoreError;
use rollbook_store::imports::{Import, ImportFilter, ImportId, ImportKind, ImportState};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::get;
use crate::blobs::BlobError;
use crate::http::api::Api;
use crate::http::api::logs::PageParams;
use crate::http::api::params::Params;
use crate::http::auth::Caller;
use crate::http::error::{Guarded, Named, Problem};
use crate::http::files::original;
use crate::imports::intake;
use crate::imports::options::ImportOptions;
use crate::imports::summary;
use crate::wire::{ImportJson, ImportKindSchema, ImportStateSchema, MappingSchema};

/// Which imports: every condition given must hold.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it only describes what `filter` takes")]
pub(crate) struct ImportParams {
    /// In this state.
    #[param(value_type = Option<ImportStateSchema>)]
    state: Option<ImportState>,
    /// Of the source with this name. A key that belongs to a source sees that source alone.
    #[param(example = "manual")]
    source: Option<String>,
    /// Uploaded by exactly this person, key or program.
    #[param(example = "ada@example.com")]
    created_by: Option<String>,
    /// With this text in the name of the file; case does not matter.
    #[param(example = "guests")]
    q: Option<String>,
}

/// A page of imports.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ImportPage)]
pub(crate) struct ImportPageJson {
    /// The imports, newest first.
    imports: Vec<ImportJson>,
    /// Pass as `cursor` for the next page; null at the end.
    next_cursor: Option<String>,
}

/// An import and everything that is known of it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ImportDetails)]
pub(crate) struct ImportDetailsJson {
    #[serde(flatten)]
    import: ImportJson,
    /// How its file is read; null until that was agreed to.
    reading: Option<ReadingJson>,
    /// Which column goes where; null until that was agreed to.
    #[schema(value_type = Option<MappingSchema>)]
    mapping: Option<Mapping>,
    /// Imports that continue, replay or undo this one, the oldest first.
    children: Vec<ChildJson>,
    /// Earlier imports of the very same content, the first one first.
    #[schema(value_type = Vec<Uuid>)]
    same_file: Vec<String>,
    /// Whether the file can still be downloaded.
    file_kept: bool,
}

/// How a file is read.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Reading)]
pub(crate) struct ReadingJson {
    /// `CSV`, `XLSX`, `XLS`, `ODS`, `vCard`, `JSON` or `NDJSON`.
    #[schema(example = "CSV")]
    format: &'static str,
    /// The encoding of a text file.
    #[schema(example = "UTF-8")]
    encoding: Option<String>,
    /// The delimiter of a CSV file.
    #[schema(example = ";")]
    delimiter: Option<String>,
    /// The sheet of a spreadsheet.
    sheet: Option<String>,
    /// The row that is the header; 0 if there is none.
    header_row: Option<u64>,
    /// The phone region of this file, if it is not the source's.
    #[schema(example = "DE")]
    region: Option<String>,
}

/// An import that goes back to another.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ChildImport)]
pub(crate) struct ChildJson {
    /// Its id.
    #[schema(format = "uuid")]
    id: String,
    /// `file` continues the other with corrected rows, `replay` replays its records, `undo` takes it back.
    #[schema(value_type = ImportKindSchema)]
    kind: &'static str,
    /// Where it is on its way.
    #[schema(value_type = ImportStateSchema)]
    state: &'static str,
    /// The name of its file.
    file_name: String,
    /// What came of it so far, in words.
    summary: String,
}

impl ReadingJson {
    fn of(options: &ImportOptions) -> ReadingJson {
        let mut reading = ReadingJson {
            format: options.reading.label(),
            encoding: None,
            delimiter: None,
            sheet: None,
            header_row: None,
            region: options.region.clone(),
        };
        match &options.reading {
            Reading::Csv(dialect) => {
                reading.encoding = Some(dialect.encoding.clone());
                reading.delimiter = Some(dialect.delimiter.to_string());
                reading.header_row = Some(dialect.header_row);
            }
            Reading::Workbook(table) => {
                reading.sheet = Some(table.sheet.clone());
                reading.header_row = Some(table.header_row);
            }
            Reading::Vcard { encoding } => reading.encoding = Some(encoding.clone()),
            Reading::Json { .. } => {}
        }
        reading
    }
}

/// Earlier imports of the same content that the caller may see, the first one first.
pub(super) async fn same_file(
    api: &Api,
    caller: &Caller,
    import: &Import,
) -> Result<Vec<String>, StoreError> {
    let earlier = intake::same_file(&api.app, import).await?;
    let own = |import: &&Import| caller.source().is_none_or(|own| own == import.source);
    let ids = earlier.iter().filter(own).map(|import| import.id);
    Ok(ids.map(|id| id.to_string()).collect())
}

/// List imports
///
/// Newest first: files, replays and undos. A key that belongs to a source sees that source's.
#[utoipa::path(
    get,
    path = "/imports",
    operation_id = "listImports",
    tag = "Imports",
    params(ImportParams, PageParams),
    responses((status = 200, description = "A page of imports", body = ImportPageJson), Guarded, Named),
)]
pub(crate) async fn list(
    State(api): State<Api>,
    caller: Caller,
    uri: Uri,
) -> Result<Json<ImportPageJson>, Problem> {
    let mut params = Params::of(&uri)?;
    let filter = filter(&api, &caller, &mut params).await?;
    let page = PageParams::take(&mut params)?;
    params.finish()?;
    let before = page.cursor::<Uuid>()?.map(ImportId);
    // One more than asked for tells whether there is another page.
    let mut found = api
        .app
        .store
        .imports_like(caller.workspace(), filter, before, page.limit + 1)
        .await?;
    let more = found.len() > usize::from(page.limit);
    found.truncate(usize::from(page.limit));
    let last = found.last().map(|import| import.id.to_string());
    let sources = api.sources(&caller).await?;
    Ok(Json(ImportPageJson {
        imports: found
            .iter()
            .map(|import| ImportJson::of(import, &sources.names))
            .collect(),
        next_cursor: last.filter(|_| more),
    }))
}

async fn filter(api: &Api, caller: &Caller, params: &mut Params) -> Result<ImportFilter, Problem> {
    use ImportState::{Cancelled, Done, Failed, Queued, Running, Uploaded};
    let states = [Uploaded, Queued, Running, Done, Failed, Cancelled];
    let state = params.one_of("state", &states.map(|state| (state.key(), state)))?;
    let source = match params.text("source")? {
        Some(name) => Some(api.source(caller, &name).await?.id),
        None => caller.source(),
    };
    Ok(ImportFilter {
        states: state.into_iter().collect(),
        source,
        created_by: params.text("created_by")?,
        file_name: params.text("q")?,
    })
}

/// Show an import
///
/// With how its file was read and mapped, what goes back to it, and earlier imports of the same file. An import of
/// another source is not found by a key that belongs to a source.
#[utoipa::path(
    get,
    path = "/imports/{id}",
    operation_id = "getImport",
    tag = "Imports",
    params(("id" = Uuid, Path, description = "The import's id")),
    responses((status = 200, description = "The import", body = ImportDetailsJson), Guarded, Named),
)]
pub(crate) async fn show(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<ImportDetailsJson>, Problem> {
    let import = get(&api, &caller, &id).await?;
    let options = ImportOptions::of(&import);
    let children = api
        .app
        .store
        .imports_of_parent(caller.workspace(), import.id)
        .await?;
    let sources = api.sources(&caller).await?;
    let file_kept =
        import.kind == ImportKind::File && api.app.blobs.is_kept(&import.file_hash).await?;
    Ok(Json(ImportDetailsJson {
        import: ImportJson::of(&import, &sources.names),
        reading: options.as_ref().map(ReadingJson::of),
        mapping: options.map(|options| options.mapping),
        children: children
            .iter()
            .rev()
            .map(|child| ChildJson {
                id: child.id.to_string(),
                kind: child.kind.key(),
                state: child.state.key(),
                file_name: child.file_name.clone(),
                summary: summary::summary(child),
            })
            .collect(),
        same_file: same_file(&api, &caller, &import).await?,
        file_kept,
    }))
}

/// Download the file of an import
///
/// Byte for byte as it was uploaded, while it is kept.
#[utoipa::path(
    get,
    path = "/imports/{id}/file",
    operation_id = "getImportFile",
    tag = "Imports",
    params(("id" = Uuid, Path, description = "The import's id")),
    responses((status = 200, description = "The file", body = Vec<u8>, content_type = "application/octet-stream"), Guarded, Named),
)]
pub(crate) async fn file(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let import = get(&api, &caller, &id).await?;
    match original(&api.app, &import, &caller.actor()).await {
        Err(BlobError::Missing) => Err(Problem::not_found("file of import", &id)),
        file => Ok(file?),
    }
}
