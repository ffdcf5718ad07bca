//! Privacy: `/contacts/{id}/erasure`, `/contacts/{id}/erase`, `/contacts/{id}/person`, `/erasures`, `/retention`.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use rollbook_engine::contact::ContactId;
use rollbook_store::StoreError;
use rollbook_store::erasures::Erasure;
use serde::Serialize;
use utoipa::ToSchema;

use crate::audit::Act;
use crate::clock;
use crate::http::api::Api;
use crate::http::api::body::Settings;
use crate::http::api::logs::PageParams;
use crate::http::api::notifications::wrong;
use crate::http::api::params::Params;
use crate::http::auth::Administrator;
use crate::http::error::{Guarded, GuardedBody, Named, OutOfRange, Problem};
use crate::privacy::erase::{self, EraseError};
use crate::privacy::person::{self, PersonJson};
use crate::wire::privacy::{
    ErasureJson, ErasurePreviewJson, MAX_DAYS, RetentionJson, RetentionSettingsJson,
};

/// A page of erasures.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ErasurePage)]
pub(crate) struct ErasurePageJson {
    /// The erasures, newest first.
    erasures: Vec<ErasureJson>,
    /// Pass as `cursor` for the next page; null at the end.
    next_cursor: Option<String>,
}

/// See what erasing a person would touch
///
/// Nothing is written. Needs a key without a source.
#[utoipa::path(
    get,
    path = "/contacts/{id}/erasure",
    operation_id = "previewErasure",
    tag = "Privacy",
    params(("id" = String, Path, description = "The contact's id", example = "1")),
    responses((status = 200, description = "What would be erased", body = ErasurePreviewJson), Guarded, Named),
)]
pub(crate) async fn preview(
    State(api): State<Api>,
    administrator: Administrator,
    Path(id): Path<String>,
) -> Result<Json<ErasurePreviewJson>, Problem> {
    let contact = contact(&id)?;
    let found = erase::preview(&api.app, administrator.workspace(), contact).await?;
    let preview = found.ok_or_else(|| Problem::not_found("contact", &id))?;
    Ok(Json(ErasurePreviewJson::of(&preview)))
}

/// Erase a person
///
/// The contact is removed at once, and its identifiers become keyed hashes, so that records with them fail with
/// `contact.erased` from then on. What else tells the person, in the log, uploaded files, edits and mails, is found and
/// erased in the background: look at the erasure until it is `done`. This cannot be taken back. Needs a key without a
/// source.
#[utoipa::path(
    post,
    path = "/contacts/{id}/erase",
    operation_id = "eraseContact",
    tag = "Privacy",
    params(("id" = String, Path, description = "The contact's id", example = "1")),
    responses(
        (status = 202, description = "The erasure", body = ErasureJson, headers(("Location" = String, description = "Its address"))),
        Guarded, Named,
    ),
)]
pub(crate) async fn start(
    State(api): State<Api>,
    administrator: Administrator,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let contact = contact(&id)?;
    let begun = erase::begin(
        &api.app,
        administrator.workspace(),
        contact,
        &administrator.actor(),
    )
    .await;
    let erasure = match begun {
        Err(StoreError::Missing(_)) => return Err(Problem::not_found("contact", &id)),
        begun => begun?,
    };
    let location = format!("/api/v1/erasures/{}", erasure.number);
    Ok((
        StatusCode::ACCEPTED,
        [(header::LOCATION, location)],
        Json(ErasureJson::of(&erasure)),
    )
        .into_response())
}

/// Export everything about a person
///
/// The contact, every attempt about it with its payload, its rows in kept files, and mails that name it, as one
/// document. Needs a key without a source.
#[utoipa::path(
    get,
    path = "/contacts/{id}/person",
    operation_id = "exportPerson",
    tag = "Privacy",
    params(("id" = String, Path, description = "The contact's id", example = "1")),
    responses((status = 200, description = "Everything that is kept", body = PersonJson), Guarded, Named),
)]
pub(crate) async fn export(
    State(api): State<Api>,
    administrator: Administrator,
    Path(id): Path<String>,
) -> Result<Json<PersonJson>, Problem> {
    let (workspace, actor) = (administrator.workspace(), administrator.actor());
    let exported = person::export(&api.app, workspace, contact(&id)?, &actor, clock::now());
    let person = exported.await.map_err(|error| match error {
        EraseError::Store(error) => error.into(),
        other => Problem::internal(&other.to_string()),
    })?;
    person
        .map(Json)
        .ok_or_else(|| Problem::not_found("contact", &id))
}

/// List erasures
///
/// Who was erased is not known any more; what was done is. Newest first. Needs a key without a source.
#[utoipa::path(
    get,
    path = "/erasures",
    operation_id = "listErasures",
    tag = "Privacy",
    params(PageParams),
    responses((status = 200, description = "A page of erasures", body = ErasurePageJson), Guarded),
)]
pub(crate) async fn list(
    State(api): State<Api>,
    administrator: Administrator,
    uri: Uri,
) -> Result<Json<ErasurePageJson>, Problem> {
    let mut params = Params::of(&uri)?;
    let page = PageParams::take(&mut params)?;
    params.finish()?;
    let before = page.cursor::<u64>()?;
    let found = api
        .app
        .store
        .erasures(administrator.workspace(), before, page.limit)
        .await?;
    let full = found.len() == usize::from(page.limit);
    Ok(Json(ErasurePageJson {
        next_cursor: found
            .last()
            .filter(|_| full)
            .map(|erasure| erasure.number.to_string()),
        erasures: found.iter().map(ErasureJson::of).collect(),
    }))
}

/// Show an erasure
///
/// Needs a key without a source.
#[utoipa::path(
    get,
    path = "/erasures/{number}",
    operation_id = "getErasure",
    tag = "Privacy",
    params(("number" = String, Path, description = "The erasure's number", example = "1")),
    responses((status = 200, description = "The erasure", body = ErasureJson), Guarded, Named),
)]
pub(crate) async fn show(
    State(api): State<Api>,
    administrator: Administrator,
    Path(number): Path<String>,
) -> Result<Json<ErasureJson>, Problem> {
    let erasure = find(&api, &administrator, &number).await?;
    Ok(Json(ErasureJson::of(&erasure)))
}

/// Lift an erasure
///
/// Records may bring the person back from then on. What was erased stays erased. Needs a key without a source.
#[utoipa::path(
    post,
    path = "/erasures/{number}/lift",
    operation_id = "liftErasure",
    tag = "Privacy",
    params(("number" = String, Path, description = "The erasure's number", example = "1")),
    responses((status = 200, description = "The erasure", body = ErasureJson), Guarded, Named),
)]
pub(crate) async fn lift(
    State(api): State<Api>,
    administrator: Administrator,
    Path(number): Path<String>,
) -> Result<Json<ErasureJson>, Problem> {
    let erasure = find(&api, &administrator, &number).await?;
    let (workspace, actor) = (administrator.workspace(), administrator.actor());
    let lifted = erase::lift(&api.app, workspace, erasure.number, &actor).await?;
    Ok(Json(ErasureJson::of(&lifted)))
}

/// Show for how long things are kept
///
/// Needs a key without a source.
#[utoipa::path(
    get,
    path = "/retention",
    operation_id = "getRetention",
    tag = "Privacy",
    responses((status = 200, description = "The retention", body = RetentionJson), Guarded),
)]
pub(crate) async fn retention(
    State(api): State<Api>,
    administrator: Administrator,
) -> Result<Json<RetentionJson>, Problem> {
    let retained = api.app.store.retention(administrator.workspace()).await?;
    Ok(Json(RetentionJson::of(&retained)))
}

/// Set for how long things are kept
///
/// What is left out or null is kept for ever. What is older is dropped within some minutes, and does not come back when
/// a longer time is set later. Needs a key without a source.
#[utoipa::path(
    put,
    path = "/retention",
    operation_id = "setRetention",
    tag = "Privacy",
    request_body(content = RetentionSettingsJson, description = "The settings"),
    responses((status = 200, description = "The retention", body = RetentionJson), GuardedBody, OutOfRange),
)]
pub(crate) async fn set_retention(
    State(api): State<Api>,
    administrator: Administrator,
    Settings(settings): Settings<RetentionSettingsJson>,
) -> Result<Json<RetentionJson>, Problem> {
    let settings = settings.read().map_err(|name| {
        wrong(
            name,
            format!("`{name}` is no number of days from 1 to {MAX_DAYS}; use null for ever"),
        )
    })?;
    let workspace = administrator.workspace();
    api.app.store.set_retention(workspace, settings).await?;
    let actor = administrator.actor();
    api.app
        .audit(workspace, &actor, Act::ChangedSetting, "retention")
        .await?;
    let retained = api.app.store.retention(workspace).await?;
    Ok(Json(RetentionJson::of(&retained)))
}

fn contact(id: &str) -> Result<ContactId, Problem> {
    id.parse()
        .map(ContactId)
        .map_err(|_| Problem::not_found("contact", id))
}

async fn find(api: &Api, administrator: &Administrator, number: &str) -> Result<Erasure, Problem> {
    let unknown = || Problem::not_found("erasure", number);
    let id = number.parse().map_err(|_| unknown())?;
    let found = api.app.store.erasure(administrator.workspace(), id).await?;
    found.ok_or_else(unknown)
}
