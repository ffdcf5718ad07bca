//! Imports: every file that was uploaded, every replay and undo; by whom, when, and what came of it.

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;
use rollbook_store::StoreError;
use rollbook_store::imports::{Import, ImportFilter, ImportId, ImportKind, ImportState};
use rollbook_store::sources::Source;
use serde::Deserialize;

use crate::app::App;
use crate::http::pages::error::PageError;
use crate::http::pages::frame::{Frame, Section, page};
use crate::http::pages::import::about::{Lineage, lineage};
use crate::http::pages::log::Choice;
use crate::http::pages::show::{When, count, duration, encode};
use crate::http::session::Person;
use crate::imports::summary;

/// How many imports a page shows.
const PAGE: u16 = 25;

/// The page.
#[derive(Template)]
#[template(path = "pages/imports.html")]
pub(crate) struct ImportsPage {
    pub(crate) frame: Frame,
    pub(crate) search: String,
    pub(crate) states: Vec<Choice>,
    pub(crate) sources: Vec<Choice>,
    pub(crate) people: Vec<Choice>,
    /// Whether there is any filter.
    pub(crate) filtered: bool,
    pub(crate) rows: Vec<ImportRow>,
    pub(crate) older: Option<String>,
    /// The newest imports with the same filters, if this is not the first page.
    pub(crate) newest: Option<String>,
    pub(crate) may_import: bool,
}

/// One import.
#[derive(Debug, Clone)]
pub(crate) struct ImportRow {
    pub(crate) id: String,
    pub(crate) file: String,
    /// `Replay` or `Undo`; blank for a file.
    pub(crate) kind: String,
    /// What people call the source.
    pub(crate) source: String,
    pub(crate) lineage: Vec<Lineage>,
    /// Where the file can be downloaded.
    pub(crate) download: Option<String>,
    pub(crate) by: String,
    pub(crate) created: When,
    pub(crate) took: String,
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
            ImportState::Done if import.kind == ImportKind::Undo => {
                match import.totals.failed + import.totals.warnings {
                    0 => ("ok", "Done"),
                    _ => ("warn", "Done, some were kept"),
                }
            }
            ImportState::Done if import.totals.failed > 0 => ("warn", "Done, some rows failed"),
            ImportState::Done => ("ok", "Done"),
            ImportState::Failed => ("bad", "Stopped by an error"),
            ImportState::Cancelled => ("quiet", "Cancelled"),
        };
        StateTag { class, label }
    }
}

/// The states to choose from: a word for the address, one for people, and what it stands for.
const STATES: [(&str, &str, &[ImportState]); 5] = [
    (
        "uploaded",
        "Waiting for their columns",
        &[ImportState::Uploaded],
    ),
    (
        "running",
        "Running",
        &[ImportState::Queued, ImportState::Running],
    ),
    ("done", "Done", &[ImportState::Done]),
    ("failed", "Stopped by an error", &[ImportState::Failed]),
    ("cancelled", "Cancelled", &[ImportState::Cancelled]),
];

/// The query. What is blank or unknown does not narrow the list.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ImportsQuery {
    q: String,
    state: String,
    source: String,
    by: String,
    before: String,
}

impl ImportsQuery {
    fn filter(&self, sources: &[Source]) -> ImportFilter {
        let text = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        let states = STATES.iter().find(|(key, _, _)| *key == self.state);
        ImportFilter {
            states: states.map_or_else(Vec::new, |(_, _, states)| states.to_vec()),
            source: sources
                .iter()
                .find(|source| source.settings.name == self.source)
                .map(|source| source.id),
            created_by: text(&self.by),
            file_name: text(&self.q),
        }
    }

    /// The address of the page with the same filters, before an import.
    fn url(&self, before: Option<ImportId>) -> String {
        let before = before.map(|id| id.to_string()).unwrap_or_default();
        let given = [
            ("q", self.q.trim()),
            ("state", &self.state),
            ("source", &self.source),
            ("by", self.by.trim()),
            ("before", &before),
        ];
        let given = given.iter().filter(|(_, value)| !value.is_empty());
        let parts: Vec<String> = given
            .map(|(name, value)| format!("{name}={}", encode(value)))
            .collect();
        if parts.is_empty() {
            return "/imports".to_owned();
        }
        format!("/imports?{}", parts.join("&"))
    }
}

/// `GET /imports`
pub(super) async fn get(
    State(app): State<App>,
    person: Person,
    Query(query): Query<ImportsQuery>,
) -> Result<Response, PageError> {
    let workspace = person.workspace.id;
    let sources = app.store.sources(workspace).await?;
    let filter = query.filter(&sources);
    let before = query.before.parse().ok().map(ImportId);
    let imports = app
        .store
        .imports_like(workspace, filter.clone(), before, PAGE)
        .await?;
    let mut rows = Vec::with_capacity(imports.len());
    for import in &imports {
        rows.push(row(&app, import, &sources, &person).await?);
    }
    let older = imports
        .last()
        .filter(|_| imports.len() == usize::from(PAGE))
        .map(|last| query.url(Some(last.id)));
    let people = app.store.import_creators(workspace).await?;
    page(&ImportsPage {
        frame: Frame::new(&person, Section::Imports),
        filtered: filter != ImportFilter::default(),
        states: choices(
            "Any state",
            &query.state,
            STATES.iter().map(|(key, label, _)| (*key, *label)),
        ),
        sources: choices(
            "Any source",
            &query.source,
            sources
                .iter()
                .map(|source| (&*source.settings.name, &*source.settings.label)),
        ),
        people: choices(
            "Anybody",
            &query.by,
            people.iter().map(|name| (&**name, &**name)),
        ),
        search: query.q.trim().to_owned(),
        rows,
        older,
        newest: before.map(|_| query.url(None)),
        may_import: person.may_import(),
    })
}

fn choices<'a>(
    any: &'a str,
    chosen: &str,
    values: impl Iterator<Item = (&'a str, &'a str)>,
) -> Vec<Choice> {
    std::iter::once(("", any))
        .chain(values)
        .map(|(value, label)| Choice {
            value: value.to_owned(),
            label: label.to_owned(),
            current: value == chosen,
        })
        .collect()
}

async fn row(
    app: &App,
    import: &Import,
    sources: &[Source],
    person: &Person,
) -> Result<ImportRow, StoreError> {
    let totals = &import.totals;
    let source = sources.iter().find(|source| source.id == import.source);
    let is_file = import.kind == ImportKind::File;
    let kept = is_file && person.may_import() && app.blobs.may_be_kept(&import.file_hash);
    Ok(ImportRow {
        id: import.id.to_string(),
        file: import.file_name.clone(),
        kind: match import.kind {
            ImportKind::File => String::new(),
            ImportKind::Replay => summary::kind(import).to_owned(),
            ImportKind::Undo => format!("Undo, {} removed", count(totals.removed)),
        },
        source: source.map_or_else(String::new, |source| source.settings.label.clone()),
        lineage: lineage(app, import).await?,
        download: kept.then(|| format!("/imports/{}/file", import.id)),
        by: import.created_by.clone(),
        created: person.zone.when(import.created_at),
        took: summary::seconds(import).map_or_else(String::new, duration),
        state: StateTag::of(import),
        records: count(totals.records),
        created_contacts: count(totals.created),
        updated: count(totals.updated),
        warnings: count(totals.warnings),
        failed: count(totals.failed),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_keeps_the_filters() {
        let query = ImportsQuery {
            q: " März & April ".to_owned(),
            state: "done".to_owned(),
            by: "ada@example.com".to_owned(),
            ..ImportsQuery::default()
        };
        assert_eq!(
            query.url(None),
            "/imports?q=M%C3%A4rz%20%26%20April&state=done&by=ada%40example.com"
        );
        assert_eq!(ImportsQuery::default().url(None), "/imports");
        let filter = query.filter(&[]);
        assert_eq!(filter.states, [ImportState::Done]);
        assert_eq!(filter.file_name.as_deref(), Some("März & April"));
    }
}
