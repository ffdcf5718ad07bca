//! What can be downloaded of an import: its file as it was uploaded, and the rows that failed.

use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use futures_util::stream;

use super::find_import;
use crate::app::App;
use crate::audit::Act;
use crate::export;
use crate::http::files::{attachment, original};
use crate::http::pages::error::PageError;
use crate::http::pages::log::export::BYTE_ORDER_MARK;
use crate::http::session::Person;
use crate::imports::options::ImportOptions;

/// `GET /imports/{id}/file`
pub(in crate::http::pages) async fn file(
    State(app): State<App>,
    person: Person,
    Path(id): Path<String>,
) -> Result<Response, PageError> {
    person.must_import()?;
    let import = find_import(&app, &person, &id).await?;
    Ok(original(&app, &import, &person.actor()).await?)
}

/// `GET /imports/{id}/failed-rows.csv`
pub(in crate::http::pages) async fn failed_rows(
    State(app): State<App>,
    person: Person,
    Path(id): Path<String>,
) -> Result<Response, PageError> {
    person.must_import()?;
    let import = find_import(&app, &person, &id).await?;
    let options = ImportOptions::of(&import).ok_or(PageError::NotFound("rows of this import"))?;
    let name = &import.file_name;
    let stem = name
        .rsplit_once('.')
        .map_or(name.as_str(), |(stem, _)| stem);
    let disposition = attachment(&format!("{stem}-failed-rows.csv"));
    let about = format!("import {id}, {name}");
    app.audit(
        import.workspace,
        &person.actor(),
        Act::ExportedFailedRows,
        &about,
    )
    .await?;
    let mark = stream::once(async { Ok(Bytes::from_static(BYTE_ORDER_MARK)) });
    let rows = export::failed_rows(app, &import, options);
    Ok((
        [
            (CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()),
            (CONTENT_DISPOSITION, disposition),
            (CACHE_CONTROL, "no-store".to_owned()),
        ],
        Body::from_stream(mark.chain(rows)),
    )
        .into_response())
}
