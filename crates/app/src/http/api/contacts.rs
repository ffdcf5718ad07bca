//! Contacts: `/contacts`.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::Uri;
use axum::response::Response;
use rollbook_engine::contact::ContactId;
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use crate::audit::Act;
use crate::contact_export;
use crate::http::api::logs::{FormatParams, PageParams};
use crate::http::api::params::Params;
use crate::http::api::{Api, download};
use crate::http::auth::Administrator;
use crate::http::error::{Guarded, Named, Problem};
use crate::search::contact_filter;
use crate::wire::ContactJson;

/// Which contacts.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ContactParams {
    /// Containing this text in a name, an email, an External ID or any other value; a phone number in any format.
    #[param(example = "weber")]
    q: Option<String>,
}

/// A page of contacts.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ContactPage)]
pub(crate) struct ContactPageJson {
    /// The contacts, newest first.
    contacts: Vec<ContactJson>,
    /// Pass as `cursor` for the next page; null at the end.
    next_cursor: Option<String>,
}

impl ContactParams {
    fn take(params: &mut Params) -> Result<ContactParams, Problem> {
        Ok(ContactParams {
            q: params.text("q")?,
        })
    }
}

/// List contacts
///
/// Newest first. Needs a key without a source.
#[utoipa::path(
    get,
    path = "/contacts",
    operation_id = "listContacts",
    tag = "Contacts",
    params(ContactParams, PageParams),
    responses((status = 200, description = "A page of contacts", body = ContactPageJson), Guarded),
)]
pub(crate) async fn list(
    State(api): State<Api>,
    administrator: Administrator,
    uri: Uri,
) -> Result<Json<ContactPageJson>, Problem> {
    let mut params = Params::of(&uri)?;
    let ContactParams { q } = ContactParams::take(&mut params)?;
    let page = PageParams::take(&mut params)?;
    params.finish()?;
    let before = page.cursor::<u64>()?.map(ContactId);
    let workspace = administrator.workspace();
    let schema = api.app.schema(workspace).await?;
    let filter = contact_filter(q.as_deref().unwrap_or_default());
    let found = api
        .app
        .store
        .contacts(workspace, filter, before, page.limit)
        .await?;
    let contacts = found.contacts.iter();
    Ok(Json(ContactPageJson {
        contacts: contacts
            .map(|contact| ContactJson::of(contact, &schema))
            .collect(),
        next_cursor: found.next.map(|id| id.to_string()),
    }))
}

/// Show a contact
///
/// Needs a key without a source.
#[utoipa::path(
    get,
    path = "/contacts/{id}",
    operation_id = "getContact",
    tag = "Contacts",
    params(("id" = String, Path, description = "The contact's id", example = "1")),
    responses((status = 200, description = "The contact", body = ContactJson), Guarded, Named),
)]
pub(crate) async fn show(
    State(api): State<Api>,
    administrator: Administrator,
    Path(id): Path<String>,
) -> Result<Json<ContactJson>, Problem> {
    let unknown = || Problem::not_found("contact", &id);
    let contact_id = id.parse().map(ContactId).map_err(|_| unknown())?;
    let workspace = administrator.workspace();
    let found = api.app.store.contact(workspace, contact_id).await?;
    let contact = found.ok_or_else(unknown)?;
    let schema = api.app.schema(workspace).await?;
    Ok(Json(ContactJson::of(&contact, &schema)))
}

/// Export contacts
///
/// Everything that the search lets through, newest first, streamed without a cap. The CSV has one column a field under
/// the field's key, so that it can be imported as it is. Needs a key without a source.
#[utoipa::path(
    get,
    path = "/contacts/export",
    operation_id = "exportContacts",
    tag = "Contacts",
    params(ContactParams, FormatParams),
    responses(
        (status = 200, description = "The contacts", content(
            (String = "text/csv"),
            (ContactJson = "application/x-ndjson"),
        )),
        Guarded,
    ),
)]
pub(crate) async fn export(
    State(api): State<Api>,
    administrator: Administrator,
    uri: Uri,
) -> Result<Response, Problem> {
    let mut params = Params::of(&uri)?;
    let ContactParams { q } = ContactParams::take(&mut params)?;
    let FormatParams { format } = FormatParams::take(&mut params)?;
    params.finish()?;
    let workspace = administrator.workspace();
    let schema = api.app.schema(workspace).await?;
    let filter = contact_filter(q.as_deref().unwrap_or_default());
    let actor = administrator.actor();
    api.app
        .audit(workspace, &actor, Act::ExportedContacts, format.key())
        .await?;
    let contacts = contact_export::contacts(api.app, workspace, schema, filter, format);
    Ok(download("contacts", format, contacts))
}
