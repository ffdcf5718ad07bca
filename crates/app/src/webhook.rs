//! Signed webhooks: setting one up for a source, changing its secret, and telling whether a delivery is genuine.
//!
//! Secrets have to be read again to check signatures with, so they are sealed like all that are stored
//! ([`crate::secrets`]). They are shown once, to whoever made them, and stand in no log, audit or error. Whatever changes
//! a webhook writes into the audit who did it.

use axum::http::{HeaderMap, HeaderName, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rollbook_sources::signature::{Refusal, SECRET_PREFIX, Scheme, Signed};
use rollbook_store::sources::Source;
use rollbook_store::webhooks::{Knock, StoredSecret, Webhook};
use rollbook_store::{StoreError, Timestamp, WorkspaceId};

use crate::access::MAX_OVERLAP_HOURS;
use crate::app::App;
use crate::audit::{Act, Actor};
use crate::clock;
use crate::secrets::{SealError, webhook_of};

/// The workspace that an address means which names none: the first one.
pub(crate) const FIRST: WorkspaceId = WorkspaceId(1);

/// The header of a signature of the body alone, where nobody names another.
pub(crate) const USUAL_HEADER: &str = "X-Signature";

/// What usually stands before it.
pub(crate) const USUAL_PREFIX: &str = "sha256=";

/// The longest text before a signature.
const MAX_PREFIX: usize = 32;

/// What came of a delivery is written down at most this often, in milliseconds.
const TOUCH_MILLIS: i64 = 60_000;

/// How a webhook is to be set up.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Setup<'a> {
    /// The word of the scheme.
    pub(crate) scheme: &'a str,
    /// Of a signature of the body alone, its header; blank for the usual one.
    pub(crate) header: &'a str,
    /// What may stand before it; none for what usually does.
    pub(crate) prefix: Option<&'a str>,
}

/// Why a webhook is not what somebody wants it to be.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WebhookError {
    /// A value is not one it can have.
    #[error("{text}")]
    Value {
        /// Its name in the API.
        member: &'static str,
        /// What is wrong, and what to do.
        text: String,
    },
    /// The source takes no signed webhooks.
    #[error("source `{0}` takes no signed webhooks; set them up first")]
    Missing(String),
    /// The store said no.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a delivery's signature was not found right.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CheckError {
    /// It is not.
    #[error("{}", .0.text())]
    Refused(Refusal),
    /// A secret cannot be opened.
    #[error(transparent)]
    Sealed(#[from] SealError),
    /// What is stored is not what was stored.
    #[error("the stored scheme of a webhook is damaged: {0}")]
    Damaged(String),
}

/// A new secret: `whsec_` and 32 random bytes in base64.
fn new_secret() -> String {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).expect("the operating system gives random numbers");
    format!("{SECRET_PREFIX}{}", STANDARD.encode(bytes))
}

/// Where the deliveries of a source's webhook are sent.
pub(crate) fn address(app: &App, source: &Source) -> String {
    let workspace = match source.workspace {
        FIRST => String::new(),
        WorkspaceId(number) => format!("?workspace={number}"),
    };
    format!(
        "{}/api/v1/sources/{}/events{workspace}",
        app.config.address(),
        source.settings.name
    )
}

/// The scheme of a webhook.
pub(crate) fn scheme(webhook: &Webhook) -> Result<Scheme, CheckError> {
    serde_json::from_str(&webhook.scheme).map_err(|error| CheckError::Damaged(error.to_string()))
}

/// Sets a webhook up, in place of one that was there. `secret` is the sender's, where it makes its own; with a blank one
/// a secret is made, and returned: nobody can see it again.
pub(crate) async fn set_up(
    app: &App,
    actor: &Actor,
    source: &Source,
    setup: Setup<'_>,
    secret: &str,
) -> Result<(Webhook, Option<String>), WebhookError> {
    let scheme = scheme_of(setup)?;
    let (stored, made) = stored(app, source, &scheme, secret)?;
    let scheme = serde_json::to_string(&scheme).expect("a scheme is JSON");
    let webhook = app
        .store
        .set_webhook(source.workspace, source.id, &scheme, stored, clock::now())
        .await?;
    audit(app, actor, source, "set up").await?;
    Ok((webhook, made))
}

/// Replaces the secret. The one in force stays valid for some hours, so that the sender can be changed over without a
/// gap.
pub(crate) async fn rotate(
    app: &App,
    actor: &Actor,
    source: &Source,
    secret: &str,
    overlap_hours: u32,
) -> Result<(Webhook, Option<String>), WebhookError> {
    const HOUR: i64 = 60 * 60 * 1000;
    if overlap_hours > MAX_OVERLAP_HOURS {
        return Err(WebhookError::Value {
            member: "overlap_hours",
            text: format!("`overlap_hours` is {overlap_hours}; use 0 to {MAX_OVERLAP_HOURS}"),
        });
    }
    let webhook = get(app, source).await?;
    let scheme = scheme(&webhook).map_err(|error| StoreError::Damaged(error.to_string()))?;
    let (stored, made) = stored(app, source, &scheme, secret)?;
    let now = clock::now();
    let until = Timestamp(now.0 + i64::from(overlap_hours) * HOUR);
    let rotated = app
        .store
        .rotate_webhook(source.workspace, source.id, stored, now, until)
        .await?;
    let done = format!("secret replaced, the one before is valid for {overlap_hours} more hours");
    audit(app, actor, source, &done).await?;
    Ok((rotated, made))
}

/// Refuses the secret before the one in force from now on.
pub(crate) async fn end_overlap(
    app: &App,
    actor: &Actor,
    source: &Source,
) -> Result<Webhook, WebhookError> {
    get(app, source).await?;
    let webhook = app
        .store
        .end_webhook_overlap(source.workspace, source.id)
        .await?;
    audit(app, actor, source, "secret before revoked").await?;
    Ok(webhook)
}

/// Drops a webhook and its secrets: the source takes no signed webhooks any more.
pub(crate) async fn remove(app: &App, actor: &Actor, source: &Source) -> Result<(), WebhookError> {
    get(app, source).await?;
    app.store
        .remove_webhook(source.workspace, source.id)
        .await?;
    audit(app, actor, source, "removed").await?;
    Ok(())
}

/// The webhook of a source.
pub(crate) async fn get(app: &App, source: &Source) -> Result<Webhook, WebhookError> {
    let found = app.store.webhook(source.workspace, source.id).await?;
    found.ok_or_else(|| WebhookError::Missing(source.settings.name.clone()))
}

/// Writes down what was done to a webhook.
async fn audit(app: &App, actor: &Actor, source: &Source, done: &str) -> Result<(), StoreError> {
    let about = format!("webhook of {}: {done}", source.settings.name);
    app.audit(source.workspace, actor, Act::ChangedWebhook, &about)
        .await
}

fn scheme_of(setup: Setup<'_>) -> Result<Scheme, WebhookError> {
    match setup.scheme.trim() {
        "standard-webhooks" => Ok(Scheme::StandardWebhooks),
        "hubspot-v3" => Ok(Scheme::HubspotV3),
        "hmac-sha256-body" => Ok(Scheme::HmacSha256Body {
            header: header_of(setup.header)?,
            prefix: prefix_of(setup.prefix.unwrap_or(USUAL_PREFIX))?,
        }),
        other => Err(WebhookError::Value {
            member: "scheme",
            text: format!(
                "`{}` is no scheme; use standard-webhooks, hmac-sha256-body or hubspot-v3",
                crate::http::error::shortened(other)
            ),
        }),
    }
}

fn header_of(name: &str) -> Result<String, WebhookError> {
    let name = match name.trim() {
        "" => USUAL_HEADER,
        name => name,
    };
    let parsed = HeaderName::from_bytes(name.as_bytes()).ok();
    match parsed {
        // What these hold is nobody's signature, and must not be taken for one.
        Some(name) if [header::AUTHORIZATION, header::COOKIE].contains(&name) => None,
        Some(_) if name.len() <= 100 => Some(name.to_owned()),
        _ => None,
    }
    .ok_or_else(|| WebhookError::Value {
        member: "header",
        text: format!(
            "`{}` cannot be the header of a signature; use a name such as {USUAL_HEADER}",
            crate::http::error::shortened(name)
        ),
    })
}

fn prefix_of(prefix: &str) -> Result<String, WebhookError> {
    let prefix = prefix.trim();
    if prefix.len() <= MAX_PREFIX && prefix.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(prefix.to_owned());
    }
    Err(WebhookError::Value {
        member: "prefix",
        text: format!(
            "what stands before a signature has at most {MAX_PREFIX} visible ASCII characters, such as {USUAL_PREFIX}"
        ),
    })
}

/// What is stored of a secret; the secret itself, if it was made here.
fn stored(
    app: &App,
    source: &Source,
    scheme: &Scheme,
    secret: &str,
) -> Result<(StoredSecret, Option<String>), WebhookError> {
    let made = secret.trim().is_empty().then(new_secret);
    let secret = made.as_deref().unwrap_or(secret.trim());
    // The text itself never shows in the error.
    scheme.key_of(secret).map_err(|error| WebhookError::Value {
        member: "secret",
        text: error.to_string(),
    })?;
    let place = webhook_of(source.workspace, source.id);
    let sealed = app.vault.seal(&place, secret.as_bytes());
    Ok((StoredSecret(sealed), made))
}

/// Checks a delivery as it came. Returns the message's id, if the scheme signs one.
pub(crate) fn check(
    app: &App,
    webhook: &Webhook,
    method: &str,
    path_and_query: &str,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Option<String>, CheckError> {
    let scheme = scheme(webhook)?;
    let now = clock::now();
    let place = webhook_of(webhook.workspace, webhook.source);
    let mut keys = Vec::new();
    for stored in webhook.valid_secrets(now) {
        let secret = String::from_utf8(app.vault.open(&place, &stored.0)?);
        let key = secret.ok().and_then(|secret| scheme.key_of(&secret).ok());
        keys.push(key.ok_or(SealError::Damaged)?);
    }
    let uri = format!("{}{path_and_query}", app.config.address());
    let header = |name: &str| {
        let mut values = headers.get_all(name).iter();
        let first = values.next()?;
        // Of two, the sender may have meant the other.
        values.next().is_none().then(|| first.to_str().ok())?
    };
    let signed = Signed {
        method,
        uri: &uri,
        header: &header,
        body,
    };
    let window = i64::try_from(app.config.webhook_window.as_secs()).unwrap_or(i64::MAX);
    scheme
        .verify(signed, &keys, now.0.div_euclid(1000), window)
        .map_err(CheckError::Refused)
}

/// Writes down what came of a delivery, beside the request, unless that was done a moment ago.
pub(crate) fn touch(app: &App, webhook: &Webhook, knock: Knock) {
    let now = clock::now();
    let last = match knock {
        Knock::Accepted => webhook.accepted_at,
        Knock::Refused(_) => webhook.refused.as_ref().map(|(at, _)| *at),
    };
    if last.is_some_and(|last| now.0.saturating_sub(last.0) < TOUCH_MILLIS) {
        return;
    }
    let (app, workspace, source) = (app.clone(), webhook.workspace, webhook.source);
    tokio::spawn(async move {
        if let Err(error) = app.store.touch_webhook(workspace, source, knock, now).await {
            tracing::warn!("a webhook's delivery was not written down: {error}");
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setup<'a>(scheme: &'a str, header: &'a str, prefix: Option<&'a str>) -> Setup<'a> {
        Setup {
            scheme,
            header,
            prefix,
        }
    }

    #[test]
    fn secrets_fit_every_scheme_and_are_never_the_same() {
        let (one, other) = (new_secret(), new_secret());
        assert_ne!(one, other);
        for scheme in ["standard-webhooks", "hmac-sha256-body", "hubspot-v3"] {
            let scheme = scheme_of(setup(scheme, "", None)).unwrap();
            assert!(scheme.key_of(&one).is_ok(), "{scheme:?}");
        }
    }

    #[test]
    fn a_signature_of_the_body_has_a_header_and_what_stands_before_it() {
        let of = |header: &str, prefix: Option<&str>| {
            scheme_of(setup("hmac-sha256-body", header, prefix))
        };
        let expect = |header: &str, prefix: &str| Scheme::HmacSha256Body {
            header: header.to_owned(),
            prefix: prefix.to_owned(),
        };
        assert_eq!(of("", None).unwrap(), expect("X-Signature", "sha256="));
        assert_eq!(
            of(" X-Hub-Signature-256 ", Some("")).unwrap(),
            expect("X-Hub-Signature-256", "")
        );
        for header in [
            "two words",
            "Ä",
            "Authorization",
            "cookie",
            &*"x".repeat(101),
        ] {
            assert!(of(header, None).is_err(), "{header}");
        }
        for prefix in ["a b", "ä", &"x".repeat(33)] {
            assert!(of("", Some(prefix)).is_err(), "{prefix}");
        }
        assert!(scheme_of(setup("hmac", "", None)).is_err());
    }
}
