//! Undoing imports: `/imports/{id}/undo`.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use rollbook_engine::issue::Issue;
use serde::Serialize;
use utoipa::ToSchema;

use crate::audit::Act;
use crate::http::api::Api;
use crate::http::api::imports::{get, json};
use crate::http::auth::Caller;
use crate::http::error::{Guarded, InState, Named, Problem};
use crate::imports::undo::{self, Preview};
use crate::wire::{ImportJson, IssueSchema};

/// What an undo would do, if nobody changed anything meanwhile.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = UndoPreview)]
pub(crate) struct UndoPreviewJson {
    /// The import.
    #[schema(format = "uuid")]
    pub(crate) import_id: String,
    /// Attempts of the import that are taken back or kept: each gets an attempt of its own.
    pub(crate) records: u64,
    /// Contacts that are removed.
    pub(crate) contacts_removed: u64,
    /// Contacts that get values back.
    pub(crate) contacts_restored: u64,
    /// The values that they get back.
    pub(crate) fields_restored: u64,
    /// Records of which everything is kept.
    pub(crate) failed: u64,
    /// Records of which something is kept and the rest is taken back.
    pub(crate) warnings: u64,
    /// Why something is kept, and how often.
    pub(crate) reasons: Vec<ReasonJson>,
    /// The first 100 records of which something is kept, from the end of the import.
    pub(crate) kept: Vec<KeptJson>,
}

/// Why something is kept, and how often.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = UndoReason)]
pub(crate) struct ReasonJson {
    /// The code of the issue.
    #[schema(example = "undo.field_changed")]
    code: String,
    /// How often.
    count: u64,
}

/// A record that cannot be taken back wholly.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = UndoKept)]
pub(crate) struct KeptJson {
    /// The attempt of the import.
    #[schema(format = "uuid")]
    attempt_id: String,
    /// Its row in the import, from 1.
    row: Option<u64>,
    /// The contact that it wrote.
    #[schema(example = "1")]
    contact_id: String,
    /// The contact's name, or what else is known of it.
    #[schema(example = "Anna Weber")]
    name: Option<String>,
    /// What is kept, and why.
    #[schema(value_type = Vec<IssueSchema>)]
    issues: Vec<Issue>,
}

impl UndoPreviewJson {
    /// The JSON of a preview.
    pub(crate) fn of(import_id: String, preview: Preview) -> UndoPreviewJson {
        let reasons = preview.reasons.into_iter();
        let kept = preview.kept.into_iter().map(|kept| KeptJson {
            attempt_id: kept.attempt.to_string(),
            row: kept.row,
            contact_id: kept.contact.to_string(),
            name: kept.name,
            issues: kept.issues,
        });
        UndoPreviewJson {
            import_id,
            records: preview.records,
            contacts_removed: preview.removed,
            contacts_restored: preview.restored,
            fields_restored: preview.fields,
            failed: preview.failed,
            warnings: preview.warnings,
            reasons: reasons
                .map(|(code, count)| ReasonJson { code, count })
                .collect(),
            kept: kept.collect(),
        }
    }
}

/// See what an undo would do
///
/// Nothing is written. 409 says why the import cannot be undone.
#[utoipa::path(
    get,
    path = "/imports/{id}/undo",
    operation_id = "previewUndo",
    tag = "Imports",
    params(("id" = Uuid, Path, description = "The import's id")),
    responses((status = 200, description = "What would happen", body = UndoPreviewJson), Guarded, Named, InState),
)]
pub(crate) async fn preview(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<UndoPreviewJson>, Problem> {
    let import = get(&api, &caller, &id).await?;
    let preview = undo::preview(&api.app, &import).await?;
    Ok(Json(UndoPreviewJson::of(import.id.to_string(), preview)))
}

/// Undo an import
///
/// Contacts that it created are removed and fields that it changed are restored, except where something changed since:
/// that is kept, and the undo's attempts say why. The answer is an import of the kind `undo`; follow and cancel it like
/// any other. An import is undone once; only an undo that failed or was cancelled may be followed by another.
#[utoipa::path(
    post,
    path = "/imports/{id}/undo",
    operation_id = "undoImport",
    tag = "Imports",
    params(("id" = Uuid, Path, description = "The import's id")),
    responses(
        (status = 202, description = "The undo, queued", body = ImportJson, headers(("Location" = String, description = "Its address"))),
        Guarded, Named, InState,
    ),
)]
pub(crate) async fn start(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let import = get(&api, &caller, &id).await?;
    let undo = undo::start(&api.app, &import, caller.name()).await?;
    let about = format!("import {}, {}", import.id, import.file_name);
    api.app
        .audit(caller.workspace(), &caller.actor(), Act::Undid, &about)
        .await?;
    let location = format!("/api/v1/imports/{}", undo.id);
    Ok((
        StatusCode::ACCEPTED,
        [(header::LOCATION, location)],
        json(&api, &caller, &undo).await?,
    )
        .into_response())
}
