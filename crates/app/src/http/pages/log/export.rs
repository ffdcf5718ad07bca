//! The export of what the log shows, as a file.

use axum::body::{Body, Bytes};
use axum::extract::{Query, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt, stream};

use crate::app::App;
use crate::audit::Act;
use crate::clock;
use crate::export::{self, Format};
use crate::http::pages::error::PageError;
use crate::http::pages::log::query::LogQuery;
use crate::http::pages::log::within;
use crate::http::session::Person;

/// Tells spreadsheets that the file is in UTF-8.
pub(in crate::http::pages) const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// `GET /settings/logs/export`
pub(in crate::http::pages) async fn get(
    State(app): State<App>,
    person: Person,
    Query(query): Query<LogQuery>,
) -> Result<Response, PageError> {
    let format = Format::from_key(&query.format).ok_or_else(|| {
        PageError::Invalid(format!(
            "The log cannot be exported as “{}”. Choose CSV or NDJSON on the log page.",
            query.format
        ))
    })?;
    let workspace = person.workspace.id;
    let now = clock::now();
    let sources = app.store.sources(workspace).await?;
    let view = query.read(&sources, &person.zone, person.sight());
    let filter = within(&view, view.range.span(now));
    app.audit(workspace, &person.actor(), Act::ExportedLog, format.key())
        .await?;
    let attempts = export::attempts(
        app,
        workspace,
        &sources,
        filter,
        format,
        person.sight().clone(),
    );
    let body = match format {
        Format::Csv => {
            let mark = stream::once(async { Ok(Bytes::from_static(BYTE_ORDER_MARK)) });
            Body::from_stream(mark.chain(attempts))
        }
        Format::Ndjson => Body::from_stream(attempts),
    };
    let name = export::file_name("contact-import-log", now, format.key());
    Ok((
        [
            (CONTENT_TYPE, format.media_type().to_owned()),
            (
                CONTENT_DISPOSITION,
                format!("attachment; filename=\"{name}\""),
            ),
            (CACHE_CONTROL, "no-store".to_owned()),
        ],
        body,
    )
        .into_response())
}
