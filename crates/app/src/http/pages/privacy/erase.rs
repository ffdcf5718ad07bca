//! Before a person is erased: what would go, and a word to type; and everything that is kept about them as a file.

use askama::Template;
use axum::Form;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Redirect, Response};
use rollbook_engine::contact::ContactId;
use rollbook_store::StoreError;
use serde::Deserialize;

use crate::app::App;
use crate::clock;
use crate::http::pages::error::PageError;
use crate::http::pages::frame::{Frame, Section, page, page_with};
use crate::http::pages::show::{count, counted};
use crate::http::session::Person;
use crate::privacy::erase::{self, EraseError};
use crate::privacy::person as personal;

/// What has to be typed.
const WORD: &str = "erase";

/// The page.
#[derive(Template)]
#[template(path = "pages/erase.html")]
pub(crate) struct ErasePage {
    pub(crate) frame: Frame,
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) identifiers: String,
    pub(crate) attempts: String,
    /// `2 files`; blank if there are none.
    pub(crate) files: String,
    pub(crate) word: &'static str,
    pub(crate) typed: String,
    pub(crate) problem: Option<&'static str>,
}

/// The form.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::http::pages) struct EraseForm {
    word: String,
}

/// `GET /contacts/{id}/erase`
pub(in crate::http::pages) async fn get(
    State(app): State<App>,
    person: Person,
    Path(id): Path<String>,
) -> Result<Response, PageError> {
    person.must_administer()?;
    page(&shown(&app, &person, &id).await?)
}

/// `POST /contacts/{id}/erase`
pub(in crate::http::pages) async fn post(
    State(app): State<App>,
    person: Person,
    Path(id): Path<String>,
    Form(form): Form<EraseForm>,
) -> Result<Response, PageError> {
    person.must_administer()?;
    let contact = contact(&id)?;
    if !form.word.trim().eq_ignore_ascii_case(WORD) {
        let shown = ErasePage {
            typed: form.word,
            problem: Some("Type the word to erase this person. Nothing was changed."),
            ..shown(&app, &person, &id).await?
        };
        return page_with(StatusCode::UNPROCESSABLE_ENTITY, &shown);
    }
    match erase::begin(&app, person.workspace.id, contact, &person.actor()).await {
        Ok(_) => Ok(Redirect::to("/settings/privacy#erased").into_response()),
        Err(StoreError::Missing(_)) => Err(PageError::NotFound("this contact")),
        Err(error) => Err(error.into()),
    }
}

/// `GET /contacts/{id}/person.json`
pub(in crate::http::pages) async fn person(
    State(app): State<App>,
    person: Person,
    Path(id): Path<String>,
) -> Result<Response, PageError> {
    person.must_administer()?;
    let contact = contact(&id)?;
    let (workspace, actor) = (person.workspace.id, person.actor());
    let exported = personal::export(&app, workspace, contact, &actor, clock::now());
    let exported = exported.await.map_err(|error| match error {
        EraseError::Store(error) => error.into(),
        other => PageError::Broken(other.to_string()),
    })?;
    let exported = exported.ok_or(PageError::NotFound("this contact"))?;
    let json = serde_json::to_string_pretty(&exported)
        .map_err(|error| PageError::Broken(error.to_string()))?;
    let disposition = format!("attachment; filename=\"contact-{contact}.json\"");
    Ok((
        [
            (CONTENT_TYPE, "application/json".to_owned()),
            (CONTENT_DISPOSITION, disposition),
            (CACHE_CONTROL, "no-store".to_owned()),
        ],
        json,
    )
        .into_response())
}

fn contact(id: &str) -> Result<ContactId, PageError> {
    id.parse()
        .map(ContactId)
        .map_err(|_| PageError::NotFound("this contact"))
}

async fn shown(app: &App, person: &Person, id: &str) -> Result<ErasePage, PageError> {
    let contact = contact(id)?;
    let preview = erase::preview(app, person.workspace.id, contact).await?;
    let preview = preview.ok_or(PageError::NotFound("this contact"))?;
    let name = preview.contact.contact.name();
    Ok(ErasePage {
        frame: Frame::new(person, Section::Contacts),
        id: contact.0,
        name: name.map_or_else(|| "Contact without a name".to_owned(), String::from),
        identifiers: count(preview.identifiers),
        attempts: counted(preview.attempts, "attempt", "attempts"),
        files: match preview.files {
            0 => String::new(),
            files => counted(files, "file", "files"),
        },
        word: WORD,
        typed: String::new(),
        problem: None,
    })
}
