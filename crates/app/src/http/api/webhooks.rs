//! How a source's webhook is signed: `/sources/{source}/webhook`.

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use rollbook_sources::signature::Scheme;
use rollbook_store::sources::Source;
use rollbook_store::webhooks::Webhook;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::App;
use crate::http::api::Api;
use crate::http::api::body::{settings, settings_or_default};
use crate::http::auth::Administrator;
use crate::http::error::{Guarded, GuardedBody, Kind, Named, OutOfRange, Problem};
use crate::webhook::{self, CheckError, Setup, WebhookError};
use crate::wire::rfc3339;

/// How a sender signs.
#[derive(Debug, ToSchema)]
#[schema(as = WebhookScheme, rename_all = "kebab-case")]
#[expect(dead_code, reason = "it only describes the words of schemes")]
pub(crate) enum SchemeSchema {
    /// Standard Webhooks 1.0, also with `svix-…` headers.
    StandardWebhooks,
    /// HMAC-SHA256 of the body, in hex or base64. It signs no time: a delivery that somebody caught can be sent again.
    HmacSha256Body,
    /// `HubSpot`'s version 3.
    HubspotV3,
}

/// The signed webhook of a source.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Webhook)]
pub(crate) struct WebhookJson {
    /// The name of the source.
    #[schema(example = "crm")]
    source: String,
    /// The address that the sender is given.
    #[schema(example = "https://import.example.com/api/v1/sources/crm/events")]
    address: String,
    /// How it signs.
    #[schema(value_type = SchemeSchema)]
    scheme: &'static str,
    /// The header of a signature of the body; null for other schemes.
    #[schema(example = "X-Signature")]
    header: Option<String>,
    /// What may stand before that signature; null for other schemes.
    #[schema(example = "sha256=")]
    prefix: Option<String>,
    /// When it was set up: RFC 3339, UTC.
    #[schema(format = "date-time")]
    created_at: String,
    /// Since when the secret in force is.
    #[schema(format = "date-time")]
    secret_created_at: String,
    /// Until when the secret before is valid; null if there is none.
    #[schema(format = "date-time")]
    previous_secret_until: Option<String>,
    /// When a delivery was last accepted, to the minute.
    #[schema(format = "date-time")]
    last_accepted_at: Option<String>,
    /// When one was last refused, to the minute.
    #[schema(format = "date-time")]
    last_refused_at: Option<String>,
    /// Why: `header_missing`, `timestamp_unreadable`, `signature_unreadable`, `signature_wrong`, `too_old` or `too_new`.
    #[schema(example = "signature_wrong")]
    last_refused_for: Option<String>,
}

/// A webhook whose secret is new.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WebhookWithSecret)]
pub(crate) struct WebhookWithSecretJson {
    #[serde(flatten)]
    webhook: WebhookJson,
    /// The secret that was made. It is told this once; null if the sender's own was given.
    #[schema(example = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=")]
    secret: Option<String>,
}

/// How a webhook is set up.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = WebhookSetup)]
pub(crate) struct SetupJson {
    /// How the sender signs.
    #[schema(value_type = SchemeSchema)]
    scheme: String,
    /// The header of a signature of the body; `X-Signature` if left out.
    #[serde(default)]
    #[schema(example = "X-Hub-Signature-256")]
    header: Option<String>,
    /// What may stand before that signature; `sha256=` if left out.
    #[serde(default)]
    #[schema(example = "sha256=")]
    prefix: Option<String>,
    /// The secret, where the sender makes its own; one is made if it is left out.
    #[serde(default)]
    #[schema(example = json!(null))]
    secret: Option<String>,
}

/// How a secret is replaced.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = WebhookRotation)]
pub(crate) struct SecretRotationJson {
    /// For how many hours the secret before stays valid; 24 if it is left out, at most 720.
    #[schema(example = 24, minimum = 0, maximum = 720)]
    overlap_hours: u32,
    /// The new secret, where the sender makes its own; one is made if it is left out.
    #[schema(example = json!(null))]
    secret: Option<String>,
}

impl Default for SecretRotationJson {
    fn default() -> SecretRotationJson {
        SecretRotationJson {
            overlap_hours: 24,
            secret: None,
        }
    }
}

impl WebhookJson {
    /// The webhook of a source.
    pub(crate) fn of(
        app: &App,
        source: &Source,
        webhook: Webhook,
    ) -> Result<WebhookJson, CheckError> {
        let scheme = webhook::scheme(&webhook)?;
        let key = scheme.key();
        let (header, prefix) = match scheme {
            Scheme::HmacSha256Body { header, prefix } => (Some(header), Some(prefix)),
            Scheme::StandardWebhooks | Scheme::HubspotV3 => (None, None),
        };
        let (refused_at, refused_for) = webhook.refused.unzip();
        Ok(WebhookJson {
            source: source.settings.name.clone(),
            address: webhook::address(app, source),
            scheme: key,
            header,
            prefix,
            created_at: rfc3339(webhook.created_at),
            secret_created_at: rfc3339(webhook.secret_at),
            previous_secret_until: webhook.previous.map(|(_, until)| rfc3339(until)),
            last_accepted_at: webhook.accepted_at.map(rfc3339),
            last_refused_at: refused_at.map(rfc3339),
            last_refused_for: refused_for,
        })
    }
}

impl From<CheckError> for Problem {
    fn from(error: CheckError) -> Problem {
        Problem::internal(&error)
    }
}

impl From<WebhookError> for Problem {
    fn from(error: WebhookError) -> Problem {
        match error {
            WebhookError::Value { member, text } => {
                Problem::new(Kind::Value, text).with("member", member)
            }
            WebhookError::Missing(_) => Problem::new(Kind::NotFound, error.to_string()),
            WebhookError::Store(error) => error.into(),
        }
    }
}

/// Show how a source's webhook is signed
///
/// Its secrets are never shown. Needs a key without a source.
#[utoipa::path(
    get,
    path = "/sources/{source}/webhook",
    operation_id = "getWebhook",
    tag = "Sources",
    params(("source" = String, Path, description = "The name of the source", example = "crm")),
    responses((status = 200, description = "The webhook", body = WebhookJson), Guarded, Named),
)]
pub(crate) async fn show(
    State(api): State<Api>,
    administrator: Administrator,
    Path(name): Path<String>,
) -> Result<Json<WebhookJson>, Problem> {
    let source = source(&api, &administrator, &name).await?;
    let webhook = webhook::get(&api.app, &source).await?;
    Ok(Json(WebhookJson::of(&api.app, &source, webhook)?))
}

/// Set up signed webhooks
///
/// The answer holds the secret in `secret`, this once, unless the sender's own was given. What was set up before is
/// replaced, and its secrets are refused from now on: to change the secret without a gap, rotate it. Needs a key without
/// a source.
#[utoipa::path(
    put,
    path = "/sources/{source}/webhook",
    operation_id = "setUpWebhook",
    tag = "Sources",
    params(("source" = String, Path, description = "The name of the source", example = "crm")),
    request_body(content = SetupJson, description = "How the sender signs", example = json!({"scheme": "standard-webhooks"})),
    responses((status = 200, description = "The webhook with its secret", body = WebhookWithSecretJson), GuardedBody,
              Named, OutOfRange),
)]
pub(crate) async fn set_up(
    State(api): State<Api>,
    administrator: Administrator,
    Path(name): Path<String>,
    request: Request,
) -> Result<Json<WebhookWithSecretJson>, Problem> {
    let source = source(&api, &administrator, &name).await?;
    let new: SetupJson = settings(request).await?;
    let setup = Setup {
        scheme: &new.scheme,
        header: new.header.as_deref().unwrap_or_default(),
        prefix: new.prefix.as_deref(),
    };
    let (actor, secret) = (administrator.actor(), new.secret.unwrap_or_default());
    let (webhook, secret) = webhook::set_up(&api.app, &actor, &source, setup, &secret).await?;
    let webhook = WebhookJson::of(&api.app, &source, webhook)?;
    Ok(Json(WebhookWithSecretJson { webhook, secret }))
}

/// Replace the secret of a webhook
///
/// The answer holds the new secret in `secret`, this once, unless the sender's own was given. The one before stays valid
/// for `overlap_hours`, so that the sender can be changed over without a gap. Needs a key without a source.
#[utoipa::path(
    post,
    path = "/sources/{source}/webhook/rotate",
    operation_id = "rotateWebhook",
    tag = "Sources",
    params(("source" = String, Path, description = "The name of the source", example = "crm")),
    request_body(content = Option<SecretRotationJson>, description = "How"),
    responses((status = 200, description = "The webhook with its new secret", body = WebhookWithSecretJson), GuardedBody,
              Named, OutOfRange),
)]
pub(crate) async fn rotate(
    State(api): State<Api>,
    administrator: Administrator,
    Path(name): Path<String>,
    request: Request,
) -> Result<Json<WebhookWithSecretJson>, Problem> {
    let source = source(&api, &administrator, &name).await?;
    let rotation: SecretRotationJson = settings_or_default(request).await?;
    let (hours, secret) = (rotation.overlap_hours, rotation.secret.unwrap_or_default());
    let actor = administrator.actor();
    let (webhook, secret) = webhook::rotate(&api.app, &actor, &source, &secret, hours).await?;
    let webhook = WebhookJson::of(&api.app, &source, webhook)?;
    Ok(Json(WebhookWithSecretJson { webhook, secret }))
}

/// Revoke the secret before
///
/// After a rotation, once the sender signs with the new one: the one before is refused from now on. Needs a key without
/// a source.
#[utoipa::path(
    delete,
    path = "/sources/{source}/webhook/previous",
    operation_id = "revokePreviousWebhookSecret",
    tag = "Sources",
    params(("source" = String, Path, description = "The name of the source", example = "crm")),
    responses((status = 200, description = "The webhook", body = WebhookJson), Guarded, Named),
)]
pub(crate) async fn end_overlap(
    State(api): State<Api>,
    administrator: Administrator,
    Path(name): Path<String>,
) -> Result<Json<WebhookJson>, Problem> {
    let source = source(&api, &administrator, &name).await?;
    let webhook = webhook::end_overlap(&api.app, &administrator.actor(), &source).await?;
    Ok(Json(WebhookJson::of(&api.app, &source, webhook)?))
}

/// Take no signed webhooks any more
///
/// The secrets are dropped, and deliveries are answered with 404 from now on. Needs a key without a source.
#[utoipa::path(
    delete,
    path = "/sources/{source}/webhook",
    operation_id = "removeWebhook",
    tag = "Sources",
    params(("source" = String, Path, description = "The name of the source", example = "crm")),
    responses((status = 204, description = "The source takes no signed webhooks"), Guarded, Named),
)]
pub(crate) async fn remove(
    State(api): State<Api>,
    administrator: Administrator,
    Path(name): Path<String>,
) -> Result<impl IntoResponse, Problem> {
    let source = source(&api, &administrator, &name).await?;
    webhook::remove(&api.app, &administrator.actor(), &source).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn source(api: &Api, administrator: &Administrator, name: &str) -> Result<Source, Problem> {
    super::sources::get(api, administrator.workspace(), name).await
}
