//! Mails on their way: `/outbox`.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::Uri;
use rollbook_store::StoreError;
use rollbook_store::outbox::{MailId, MailState, OutboxMail};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::audit::Act;
use crate::clock;
use crate::http::api::Api;
use crate::http::api::logs::PageParams;
use crate::http::api::params::Params;
use crate::http::auth::Administrator;
use crate::http::error::{Guarded, InMailState, Kind, Named, Problem};
use crate::wire::rfc3339;

/// A mail to one recipient.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Mail)]
pub(crate) struct MailJson {
    /// Its name, which its Message-ID begins with.
    #[schema(format = "uuid")]
    id: String,
    /// `import_report`, `source_digest`, `alert`, `test`, `invite` or `password_reset`.
    #[schema(example = "import_report")]
    kind: &'static str,
    /// The recipient.
    #[schema(example = "ada@hotel.example")]
    to: String,
    /// The subject.
    #[schema(example = "3 of 1,200 rows failed: guests.csv")]
    subject: String,
    /// `queued`, `sending`, `sent` or `failed`.
    #[schema(example = "sent")]
    state: &'static str,
    /// How often it was tried.
    attempts: u32,
    /// Why the last try failed.
    last_error: Option<String>,
    /// When it was caused: RFC 3339, UTC.
    #[schema(format = "date-time")]
    created_at: String,
    /// When it is tried next, if it is queued.
    #[schema(format = "date-time")]
    next_at: Option<String>,
    /// When the mail server took it.
    #[schema(format = "date-time")]
    sent_at: Option<String>,
}

/// A page of the outbox.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Outbox)]
pub(crate) struct OutboxJson {
    /// Newest first.
    mails: Vec<MailJson>,
    /// Pass as `cursor` for the next page; null at the end.
    next_cursor: Option<String>,
}

impl MailJson {
    /// A mail as programs see it.
    pub(crate) fn of(mail: &OutboxMail) -> MailJson {
        MailJson {
            id: mail.id.to_string(),
            kind: mail.kind.key(),
            to: mail.recipient.clone(),
            subject: mail.subject.clone(),
            state: mail.state.key(),
            attempts: mail.attempts,
            last_error: mail.last_error.clone(),
            created_at: rfc3339(mail.created_at),
            next_at: (mail.state == MailState::Queued).then(|| rfc3339(mail.next_at)),
            sent_at: mail.sent_at.map(rfc3339),
        }
    }
}

/// List mails
///
/// Newest first. Needs a key without a source.
#[utoipa::path(
    get,
    path = "/outbox",
    operation_id = "listMails",
    tag = "Mail",
    params(PageParams),
    responses((status = 200, description = "A page of mails", body = OutboxJson), Guarded),
)]
pub(crate) async fn list(
    State(api): State<Api>,
    administrator: Administrator,
    uri: Uri,
) -> Result<Json<OutboxJson>, Problem> {
    let mut params = Params::of(&uri)?;
    let page = PageParams::take(&mut params)?;
    params.finish()?;
    let before = page.cursor::<Uuid>()?.map(MailId);
    let mails = api
        .app
        .store
        .mails(administrator.workspace(), None, before, page.limit)
        .await?;
    let full = mails.len() == usize::from(page.limit);
    Ok(Json(OutboxJson {
        next_cursor: mails
            .last()
            .filter(|_| full)
            .map(|mail| mail.id.to_string()),
        mails: mails.iter().map(MailJson::of).collect(),
    }))
}

/// Send a mail again
///
/// Only one that was given up or waits for its next try. It is tried within a second, and as long as a new one. Needs a
/// key without a source.
#[utoipa::path(
    post,
    path = "/outbox/{id}/retry",
    operation_id = "retryMail",
    tag = "Mail",
    params(("id" = Uuid, Path, description = "The mail's id")),
    responses((status = 200, description = "The mail, queued", body = MailJson), Guarded, Named, InMailState),
)]
pub(crate) async fn retry(
    State(api): State<Api>,
    administrator: Administrator,
    Path(id): Path<String>,
) -> Result<Json<MailJson>, Problem> {
    let name: Uuid = id.parse().map_err(|_| Problem::not_found("mail", &id))?;
    let retried = api
        .app
        .store
        .retry_mail(administrator.workspace(), MailId(name), clock::now())
        .await;
    match retried {
        Ok(mail) => {
            let (workspace, actor) = (administrator.workspace(), administrator.actor());
            let about = format!("mail {name}");
            let act = Act::RetriedMail;
            api.app.audit(workspace, &actor, act, &about).await?;
            Ok(Json(MailJson::of(&mail)))
        }
        Err(StoreError::Conflict(why)) => Err(Problem::new(Kind::MailState, why)),
        Err(error) => Err(error.into()),
    }
}
