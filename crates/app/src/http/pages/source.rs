//! One source: what it was told, its keys, its signed webhooks, and how to send it a contact.

pub(crate) mod webhook;

use askama::Template;
use axum::Form;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use rollbook_store::sources::{ApiKey, Source};
use serde::Deserialize;

use crate::access;
use crate::app::App;
use crate::audit::Act;
use crate::clock;
use crate::http::pages::error::PageError;
use crate::http::pages::frame::{Frame, Section, page};
use crate::http::pages::show::{When, ago};
use crate::http::pages::source::webhook::{WebhookForm, WebhookView};
use crate::http::pages::sources::SourceView;
use crate::http::pages::teach::curl;
use crate::http::session::Person;

/// The page.
#[derive(Template)]
#[template(path = "pages/source.html")]
pub(crate) struct SourcePage {
    pub(crate) frame: Frame,
    pub(crate) source: SourceView,
    pub(crate) keys: Vec<KeyView>,
    pub(crate) may_administer: bool,
    /// The key that was just made; shown this once.
    pub(crate) new_key: Option<NewKey>,
    pub(crate) curl: String,
    /// None for those who may not administer, and for uploads.
    pub(crate) webhook: Option<WebhookView>,
    /// The secret of the webhook that was just made; shown this once.
    pub(crate) new_secret: Option<String>,
}

/// What the page shows this once.
enum Shown {
    Nothing,
    Key(NewKey),
    WebhookSecret(String),
    WebhookProblem(WebhookForm, String),
}

/// A key as listed.
#[derive(Debug, Clone)]
pub(crate) struct KeyView {
    pub(crate) id: u32,
    pub(crate) name: String,
    pub(crate) prefix: String,
    pub(crate) created: When,
    /// `never`, or how long ago.
    pub(crate) last_used: String,
    pub(crate) revoked: Option<When>,
    /// Until when it is valid, once a new one has replaced it.
    pub(crate) until: Option<When>,
    /// Whether it opens anything.
    pub(crate) is_valid: bool,
}

/// A key with its secret.
#[derive(Debug, Clone)]
pub(crate) struct NewKey {
    pub(crate) name: String,
    pub(crate) secret: String,
}

/// The form for a new key.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct KeyForm {
    name: String,
}

/// The form that replaces a key.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct RotationForm {
    overlap_hours: u32,
}

/// `GET /settings/sources/{name}`
pub(super) async fn get(
    State(app): State<App>,
    person: Person,
    Path(name): Path<String>,
) -> Result<Response, PageError> {
    let source = find_source(&app, &person, &name).await?;
    answer(&app, &person, &source, Shown::Nothing).await
}

/// `POST /settings/sources/{name}/keys`: answers with the page itself, because the secret is stored nowhere.
pub(super) async fn create_key(
    State(app): State<App>,
    person: Person,
    Path(name): Path<String>,
    Form(form): Form<KeyForm>,
) -> Result<Response, PageError> {
    person.must_administer()?;
    let source = find_source(&app, &person, &name).await?;
    let key_name = match form.name.trim() {
        "" => source.settings.label.clone(),
        name => name.to_owned(),
    };
    let (key, secret) =
        access::create_key(&app, person.workspace.id, Some(&source), &key_name).await?;
    audit(&app, &person, Act::AddedKey, &about_key(&key)).await?;
    let new_key = NewKey {
        name: key.name,
        secret,
    };
    answer(&app, &person, &source, Shown::Key(new_key)).await
}

/// `POST /settings/sources/{name}/keys/{id}/revoke`
pub(super) async fn revoke_key(
    State(app): State<App>,
    person: Person,
    Path((name, id)): Path<(String, u32)>,
) -> Result<Response, PageError> {
    person.must_administer()?;
    let source = find_source(&app, &person, &name).await?;
    let keys = app.store.keys(person.workspace.id).await?;
    let key = keys
        .iter()
        .find(|key| key.id == id && key.source == Some(source.id))
        .ok_or(PageError::NotFound("this key"))?;
    if key.revoked_at.is_none() {
        app.store
            .revoke_key(person.workspace.id, id, clock::now())
            .await?;
        audit(&app, &person, Act::RevokedKey, &about_key(key)).await?;
    }
    Ok(back(&name))
}

/// `POST /settings/sources/{name}/keys/{id}/rotate`: answers with the page itself, too.
pub(super) async fn rotate_key(
    State(app): State<App>,
    person: Person,
    Path((name, id)): Path<(String, u32)>,
    Form(form): Form<RotationForm>,
) -> Result<Response, PageError> {
    person.must_administer()?;
    let source = find_source(&app, &person, &name).await?;
    let keys = app.store.keys(person.workspace.id).await?;
    let is_here = |key: &ApiKey| key.id == id && key.source == Some(source.id);
    if !keys.iter().any(is_here) {
        return Err(PageError::NotFound("this key"));
    }
    let (workspace, hours) = (person.workspace.id, form.overlap_hours);
    let (key, secret) = access::rotate_key(&app, workspace, id, hours).await?;
    let about = access::about_rotation(&key, id, hours);
    audit(&app, &person, Act::RotatedKey, &about).await?;
    let new_key = NewKey {
        name: key.name,
        secret,
    };
    answer(&app, &person, &source, Shown::Key(new_key)).await
}

/// `POST /settings/sources/{name}/pause`
pub(super) async fn pause(
    State(app): State<App>,
    person: Person,
    Path(name): Path<String>,
) -> Result<Response, PageError> {
    set_paused(&app, &person, &name, true).await
}

/// `POST /settings/sources/{name}/resume`
pub(super) async fn resume(
    State(app): State<App>,
    person: Person,
    Path(name): Path<String>,
) -> Result<Response, PageError> {
    set_paused(&app, &person, &name, false).await
}

async fn set_paused(
    app: &App,
    person: &Person,
    name: &str,
    paused: bool,
) -> Result<Response, PageError> {
    person.must_administer()?;
    let source = find_source(app, person, name).await?;
    app.store
        .set_source_paused(person.workspace.id, source.id, paused)
        .await?;
    let about = format!("{name}, {}", if paused { "paused" } else { "resumed" });
    audit(app, person, Act::ChangedSource, &about).await?;
    Ok(back(name))
}

async fn audit(app: &App, person: &Person, act: Act, about: &str) -> Result<(), PageError> {
    Ok(app
        .audit(person.workspace.id, &person.actor(), act, about)
        .await?)
}

fn about_key(key: &ApiKey) -> String {
    format!("key {} ({}…)", key.name, key.prefix)
}

fn back(name: &str) -> Response {
    Redirect::to(&format!("/settings/sources/{name}")).into_response()
}

async fn find_source(app: &App, person: &Person, name: &str) -> Result<Source, PageError> {
    app.store
        .source(person.workspace.id, name)
        .await?
        .ok_or(PageError::NotFound("this source"))
}

async fn answer(
    app: &App,
    person: &Person,
    source: &Source,
    shown: Shown,
) -> Result<Response, PageError> {
    let now = clock::now();
    let view = SourceView::of(source, person, now);
    let mut webhook = None;
    if person.may_administer() && !view.is_manual {
        webhook = Some(WebhookView::of(app, person, source).await?);
    }
    let (mut new_key, mut new_secret) = (None, None);
    match (shown, &mut webhook) {
        (Shown::Key(key), _) => new_key = Some(key),
        (Shown::WebhookSecret(secret), _) => new_secret = Some(secret),
        (Shown::WebhookProblem(form, problem), Some(webhook)) => {
            webhook.form = form;
            webhook.problem = Some(problem);
        }
        (Shown::WebhookProblem(..), None) | (Shown::Nothing, _) => {}
    }
    // Keys concern those who can make them.
    let keys = if person.may_administer() {
        app.store.keys(person.workspace.id).await?
    } else {
        Vec::new()
    };
    let secret = new_key
        .as_ref()
        .map_or("YOUR_KEY", |key| key.secret.as_str());
    page(&SourcePage {
        frame: Frame::new(person, Section::Sources),
        source: view,
        curl: curl(app, &source.settings.name, secret),
        keys: keys
            .iter()
            .filter(|key| key.source == Some(source.id))
            .map(|key| key_view(key, person))
            .collect(),
        may_administer: person.may_administer(),
        new_key,
        webhook,
        new_secret,
    })
}

fn key_view(key: &ApiKey, person: &Person) -> KeyView {
    KeyView {
        id: key.id,
        name: key.name.clone(),
        prefix: key.prefix.clone(),
        created: person.zone.when(key.created_at),
        last_used: key
            .last_used_at
            .map_or_else(|| "never".to_owned(), |time| ago(time, clock::now())),
        revoked: key.revoked_at.map(|time| person.zone.when(time)),
        until: key.expires_at.map(|time| person.zone.when(time)),
        is_valid: key.is_valid(clock::now()),
    }
}
