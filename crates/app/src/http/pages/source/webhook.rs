//! The part about signed webhooks: where the sender sends to, how it signs, and with what.

use axum::Form;
use axum::extract::{Path, State};
use axum::response::Response;
use rollbook_sources::signature::{Refusal, Scheme};
use rollbook_store::StoreError;
use rollbook_store::sources::Source;
use rollbook_store::webhooks::Webhook;
use serde::Deserialize;

use crate::app::App;
use crate::clock;
use crate::http::pages::error::PageError;
use crate::http::pages::show::{When, ago, sentence};
use crate::http::pages::source::{Shown, answer, back, find_source};
use crate::http::session::Person;
use crate::webhook::{self, CheckError, Setup, USUAL_HEADER, USUAL_PREFIX, WebhookError};

/// The part, ready to print.
#[derive(Debug, Clone)]
pub(crate) struct WebhookView {
    /// Where the sender sends to.
    pub(crate) address: String,
    /// How it signs; none if nothing is set up.
    pub(crate) state: Option<WebhookState>,
    /// The form that sets it up.
    pub(crate) form: WebhookForm,
    /// What is wrong with the form.
    pub(crate) problem: Option<String>,
}

/// A webhook that is set up.
#[derive(Debug, Clone)]
pub(crate) struct WebhookState {
    /// The scheme, as people call it.
    pub(crate) scheme: &'static str,
    /// What the sender signs, and where the signature is.
    pub(crate) text: String,
    /// Whether the scheme signs a time.
    pub(crate) is_timed: bool,
    /// Since when the secret is in force.
    pub(crate) since: When,
    /// Until when the one before is valid.
    pub(crate) previous_until: Option<When>,
    /// How long ago a delivery was accepted.
    pub(crate) accepted: Option<String>,
    /// How long ago one was refused, and why.
    pub(crate) refused: Option<(String, &'static str)>,
}

/// The form that sets a webhook up. Its secret is never sent back.
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub(crate) struct WebhookForm {
    pub(crate) scheme: String,
    pub(crate) header: String,
    pub(crate) prefix: String,
    secret: String,
}

impl Default for WebhookForm {
    fn default() -> WebhookForm {
        WebhookForm {
            scheme: "standard-webhooks".to_owned(),
            header: USUAL_HEADER.to_owned(),
            prefix: USUAL_PREFIX.to_owned(),
            secret: String::new(),
        }
    }
}

#[cfg(test)]
impl WebhookForm {
    /// The same text everywhere.
    pub(crate) fn sample(text: &str) -> WebhookForm {
        WebhookForm {
            scheme: text.to_owned(),
            header: text.to_owned(),
            prefix: text.to_owned(),
            secret: text.to_owned(),
        }
    }
}

/// The form that replaces the secret.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::http::pages) struct SecretForm {
    overlap_hours: u32,
    secret: String,
}

impl WebhookView {
    /// What an administrator sees.
    pub(super) async fn of(
        app: &App,
        person: &Person,
        source: &Source,
    ) -> Result<WebhookView, PageError> {
        let found = app.store.webhook(source.workspace, source.id).await?;
        let state = found.map(|webhook| state(&webhook, person)).transpose();
        Ok(WebhookView {
            address: webhook::address(app, source),
            state: state.map_err(|error| PageError::Broken(error.to_string()))?,
            form: WebhookForm::default(),
            problem: None,
        })
    }
}

fn state(webhook: &Webhook, person: &Person) -> Result<WebhookState, CheckError> {
    let now = clock::now();
    let scheme = webhook::scheme(webhook)?;
    let (name, text) = match &scheme {
        Scheme::StandardWebhooks => (
            "Standard Webhooks",
            "Signs id, time and body, in the headers webhook-id, webhook-timestamp and webhook-signature.".to_owned(),
        ),
        Scheme::HmacSha256Body { header, prefix } => (
            "HMAC-SHA256 of the body",
            match &**prefix {
                "" => format!("The signature is in the header {header}, in hex or base64."),
                prefix => format!("The signature is in the header {header}, in hex or base64, also behind {prefix}"),
            },
        ),
        Scheme::HubspotV3 => (
            "HubSpot, version 3",
            "Signs method, address, body and time.".to_owned(),
        ),
    };
    let is_valid = |until: rollbook_store::Timestamp| now.0 < until.0;
    let previous = webhook.previous.as_ref().map(|(_, until)| *until);
    Ok(WebhookState {
        scheme: name,
        text,
        is_timed: !matches!(scheme, Scheme::HmacSha256Body { .. }),
        since: person.zone.when(webhook.secret_at),
        previous_until: previous
            .filter(|until| is_valid(*until))
            .map(|until| person.zone.when(until)),
        accepted: webhook.accepted_at.map(|at| ago(at, now)),
        refused: webhook.refused.as_ref().map(|(at, why)| {
            let why = Refusal::from_key(why).map_or("its signature was not valid", Refusal::text);
            (ago(*at, now), why)
        }),
    })
}

/// `POST /settings/sources/{name}/webhook`: answers with the page itself, because a secret that was made is shown this
/// once.
pub(in crate::http::pages) async fn set_up(
    State(app): State<App>,
    person: Person,
    Path(name): Path<String>,
    Form(form): Form<WebhookForm>,
) -> Result<Response, PageError> {
    person.must_administer()?;
    let source = find_source(&app, &person, &name).await?;
    let setup = Setup {
        scheme: &form.scheme,
        header: &form.header,
        prefix: Some(&form.prefix),
    };
    let shown = match webhook::set_up(&app, &person.actor(), &source, setup, &form.secret).await {
        Ok((_, Some(secret))) => Shown::WebhookSecret(secret),
        Ok((_, None)) => return Ok(back(&name)),
        Err(WebhookError::Value { text, .. }) => Shown::WebhookProblem(form, sentence(&text)),
        Err(error) => return Err(broken(error)),
    };
    answer(&app, &person, &source, shown).await
}

/// `POST /settings/sources/{name}/webhook/rotate`: answers with the page itself, too.
pub(in crate::http::pages) async fn rotate(
    State(app): State<App>,
    person: Person,
    Path(name): Path<String>,
    Form(form): Form<SecretForm>,
) -> Result<Response, PageError> {
    person.must_administer()?;
    let source = find_source(&app, &person, &name).await?;
    let (hours, secret) = (form.overlap_hours, &form.secret);
    let (_, made) = webhook::rotate(&app, &person.actor(), &source, secret, hours)
        .await
        .map_err(broken)?;
    match made {
        Some(secret) => answer(&app, &person, &source, Shown::WebhookSecret(secret)).await,
        None => Ok(back(&name)),
    }
}

/// `POST /settings/sources/{name}/webhook/end-overlap`
pub(in crate::http::pages) async fn end_overlap(
    State(app): State<App>,
    person: Person,
    Path(name): Path<String>,
) -> Result<Response, PageError> {
    person.must_administer()?;
    let source = find_source(&app, &person, &name).await?;
    webhook::end_overlap(&app, &person.actor(), &source)
        .await
        .map_err(broken)?;
    Ok(back(&name))
}

/// `POST /settings/sources/{name}/webhook/remove`
pub(in crate::http::pages) async fn remove(
    State(app): State<App>,
    person: Person,
    Path(name): Path<String>,
) -> Result<Response, PageError> {
    person.must_administer()?;
    let source = find_source(&app, &person, &name).await?;
    webhook::remove(&app, &person.actor(), &source)
        .await
        .map_err(broken)?;
    Ok(back(&name))
}

fn broken(error: WebhookError) -> PageError {
    match error {
        WebhookError::Value { text, .. } => PageError::Invalid(sentence(&text)),
        WebhookError::Missing(_) | WebhookError::Store(StoreError::Missing(_)) => {
            PageError::NotFound("this webhook")
        }
        WebhookError::Store(error) => error.into(),
    }
}
