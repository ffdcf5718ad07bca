//! The audit: `/audit`.

use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use rollbook_store::audit::{AuditEntry, AuditFilter};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use crate::http::api::Api;
use crate::http::api::logs::PageParams;
use crate::http::api::params::Params;
use crate::http::auth::Administrator;
use crate::http::error::{Guarded, Problem};
use crate::wire::rfc3339;

/// Which entries.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct AuditParams {
    /// By this person or key.
    #[param(example = "anna@example.com")]
    who: Option<String>,
    /// Of this kind.
    #[param(example = "payload.seen")]
    what: Option<String>,
}

/// One entry.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuditEntry)]
pub(crate) struct AuditEntryJson {
    /// Its number: counts up in the workspace, without a gap.
    number: u64,
    /// When: RFC 3339, UTC.
    #[schema(format = "date-time")]
    at: String,
    /// Who: an email address, a key, or `command line`.
    #[schema(example = "anna@example.com")]
    who: String,
    /// What they did.
    #[schema(example = "payload.seen")]
    what: String,
    /// What they did it to.
    #[schema(example = "attempt 019aab5c-0000-7000-8000-000000000001")]
    about: String,
    /// The IP address it came from; null if not over the network.
    #[schema(example = "192.0.2.7")]
    address: Option<String>,
}

/// A page of entries.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuditPage)]
pub(crate) struct AuditPageJson {
    /// The entries, newest first.
    entries: Vec<AuditEntryJson>,
    /// Pass as `cursor` for the next page; null at the end.
    next_cursor: Option<String>,
}

impl AuditEntryJson {
    fn of(stored: AuditEntry) -> AuditEntryJson {
        let entry = stored.entry;
        AuditEntryJson {
            number: stored.number,
            at: rfc3339(entry.at),
            who: entry.who,
            what: entry.what,
            about: entry.about,
            address: Some(entry.address).filter(|address| !address.is_empty()),
        }
    }
}

/// Read the audit
///
/// Who saw a payload, exported, undid, replayed, or changed a setting, a key or a role; newest first. Entries are never
/// changed or removed. Needs a key without a source.
#[utoipa::path(
    get,
    path = "/audit",
    operation_id = "listAudit",
    tag = "Audit",
    params(AuditParams, PageParams),
    responses((status = 200, description = "A page of entries", body = AuditPageJson), Guarded),
)]
pub(crate) async fn list(
    State(api): State<Api>,
    administrator: Administrator,
    uri: Uri,
) -> Result<Json<AuditPageJson>, Problem> {
    let mut params = Params::of(&uri)?;
    let AuditParams { who, what } = AuditParams {
        who: params.text("who")?,
        what: params.text("what")?,
    };
    let page = PageParams::take(&mut params)?;
    params.finish()?;
    let before = page.cursor::<u64>()?;
    let found = api
        .app
        .store
        .audit(
            administrator.workspace(),
            AuditFilter { who, what },
            before,
            page.limit,
        )
        .await?;
    Ok(Json(AuditPageJson {
        entries: found.entries.into_iter().map(AuditEntryJson::of).collect(),
        next_cursor: found.next.map(|next| next.to_string()),
    }))
}
