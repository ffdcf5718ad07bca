//! Imports: every file that was uploaded, by whom, when, and what came of it.

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;
use rollbook_store::imports::{Import, ImportId, ImportState};
use serde::Deserialize;

use crate::app::App;
use crate::http::pages::error::PageError;
use crate::http::pages::frame::{Frame, Section, page};
use crate::http::pages::show::{When, count};
use crate::http::session::Person;

/// How many imports a page shows.
const PAGE: u16 = 25;

/// The page.
#[derive(Template)]
#[template(path = "pages/imports.html")]
pub(crate) struct ImportsPage {
    pub(crate) frame: Frame,
    pub(crate) rows: Vec<ImportRow>,
    pub(crate) older: Option<String>,
    pub(crate) later: bool,
    pub(crate) may_import: bool,
}

/// One import.
#[derive(Debug, Clone)]
pub(crate) struct ImportRow {
    pub(crate) id: String,
    pub(crate) file: String,
    pub(crate) by: String,
    pub(crate) created: When,
    pub(crate) state: StateTag,
    pub(crate) records: String,
    pub(crate) created_contacts: String,
    pub(crate) updated: String,
    pub(crate) warnings: String,
    pub(crate) failed: String,
}

/// The state of an import in words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StateTag {
    /// `ok`, `bad`, `busy` or `quiet`.
    pub(crate) class: &'static str,
    pub(crate) label: &'static str,
}

impl StateTag {
    /// The words for a state.
    pub(crate) fn of(import: &Import) -> StateTag {
        let (class, label) = match import.state {
            ImportState::Uploaded => ("quiet", "Waiting for its columns"),
            ImportState::Queued => ("busy", "Waiting to run"),
            ImportState::Running if import.cancel_requested => ("busy", "Stopping"),
            ImportState::Running => ("busy", "Running"),
            ImportState::Done if import.totals.failed > 0 => ("warn", "Done, some rows failed"),
            ImportState::Done => ("ok", "Done"),
            ImportState::Failed => ("bad", "Stopped by an error"),
            ImportState::Cancelled => ("quiet", "Cancelled"),
        };
        StateTag { class, label }
    }
}

/// The query.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ImportsQuery {
    before: String,
}

/// `GET /imports`
pub(super) async fn get(
    State(app): State<App>,
    person: Person,
    Query(query): Query<ImportsQuery>,
) -> Result<Response, PageError> {
    let before = query.before.parse().ok().map(ImportId);
    let imports = app.store.imports(person.workspace.id, before, PAGE).await?;
    let older = imports
        .last()
        .filter(|_| imports.len() == usize::from(PAGE))
        .map(|last| format!("/imports?before={}", last.id));
    page(&ImportsPage {
        frame: Frame::new(&person, Section::Imports),
        rows: imports.iter().map(|import| row(import, &person)).collect(),
        older,
        later: before.is_some(),
        may_import: person.may_import(),
    })
}

fn row(import: &Import, person: &Person) -> ImportRow {
    let totals = &import.totals;
    ImportRow {
        id: import.id.to_string(),
        file: import.file_name.clone(),
        by: import.created_by.clone(),
        created: person.zone.when(import.created_at),
        state: StateTag::of(import),
        records: count(totals.records),
        created_contacts: count(totals.created),
        updated: count(totals.updated),
        warnings: count(totals.warnings),
        failed: count(totals.failed),
    }
}
