//! Adding an API source.

use askama::Template;
use axum::Form;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use rollbook_engine::policy::Mode;
use rollbook_store::StoreError;
use serde::Deserialize;

use crate::access::{self, SourceError};
use crate::app::App;
use crate::audit::Act;
use crate::http::pages::error::PageError;
use crate::http::pages::frame::{Frame, Section, page, page_with};
use crate::http::pages::show::sentence;
use crate::http::session::Person;

/// The page.
#[derive(Template)]
#[template(path = "pages/new_source.html")]
pub(crate) struct NewSourcePage {
    pub(crate) frame: Frame,
    pub(crate) form: NewSourceForm,
    pub(crate) label_problem: Option<String>,
    pub(crate) name_problem: Option<String>,
    pub(crate) region_problem: Option<String>,
    /// The workspace's phone region, in words.
    pub(crate) workspace_region: String,
}

/// The form.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct NewSourceForm {
    pub(crate) label: String,
    pub(crate) name: String,
    pub(crate) mode: String,
    pub(crate) namespace: String,
    pub(crate) region: String,
}

/// `GET /settings/sources/new`
pub(super) async fn get(person: Person) -> Result<Response, PageError> {
    person.must_administer()?;
    page(&new_source_page(&person, NewSourceForm::default()))
}

/// `POST /settings/sources/new`
pub(super) async fn post(
    State(app): State<App>,
    person: Person,
    Form(form): Form<NewSourceForm>,
) -> Result<Response, PageError> {
    person.must_administer()?;
    let mode = match form.mode.as_str() {
        "manual" => Mode::Manual,
        _ => Mode::Automatic,
    };
    // Nobody who sees a label field wants to think of a second name.
    let name = match form.name.trim() {
        "" => access::source_name_for(&form.label),
        name => name.to_owned(),
    };
    let added = access::add_source(
        &app,
        person.workspace.id,
        &name,
        &form.label,
        mode,
        &form.namespace,
        &form.region,
    );
    let mut page = new_source_page(&person, form.clone());
    match added.await {
        Ok(source) => {
            let about = &source.settings.name;
            app.audit(
                person.workspace.id,
                &person.actor(),
                Act::AddedSource,
                about,
            )
            .await?;
            let there = format!("/settings/sources/{}", source.settings.name);
            return Ok(Redirect::to(&there).into_response());
        }
        Err(SourceError::Name(_)) if form.name.is_empty() && form.label.trim().is_empty() => {
            page.label_problem =
                Some("Give the source a name that people recognise in the log.".to_owned());
        }
        Err(error @ SourceError::Name(_)) => {
            page.name_problem = Some(sentence(&error.to_string()));
        }
        Err(error @ SourceError::Region(_)) => {
            page.region_problem = Some(sentence(&error.to_string()));
        }
        Err(SourceError::Store(StoreError::Exists(_))) => {
            page.name_problem = Some(format!(
                "A source is already called “{name}” in addresses. Choose another short name."
            ));
        }
        Err(SourceError::Store(error)) => return Err(error.into()),
    }
    page_with(StatusCode::UNPROCESSABLE_ENTITY, &page)
}

fn new_source_page(person: &Person, form: NewSourceForm) -> NewSourcePage {
    NewSourcePage {
        frame: Frame::new(person, Section::Sources),
        form,
        label_problem: None,
        name_problem: None,
        region_problem: None,
        workspace_region: person.workspace.settings.region.clone().unwrap_or_default(),
    }
}
