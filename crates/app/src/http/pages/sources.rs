//! Admin Settings > Sources: where contacts come from.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use rollbook_engine::policy::Mode;
use rollbook_store::Timestamp;
use rollbook_store::sources::Source;

use crate::app::App;
use crate::clock;
use crate::http::pages::error::PageError;
use crate::http::pages::frame::{Frame, Section, page};
use crate::http::pages::show::{When, ago, count};
use crate::http::session::Person;

/// The page.
#[derive(Template)]
#[template(path = "pages/sources.html")]
pub(crate) struct SourcesPage {
    pub(crate) frame: Frame,
    pub(crate) sources: Vec<SourceView>,
    pub(crate) may_administer: bool,
}

/// A source ready to print.
#[derive(Debug, Clone)]
pub(crate) struct SourceView {
    pub(crate) name: String,
    pub(crate) label: String,
    pub(crate) mode: &'static str,
    /// What the mode means for somebody's data.
    pub(crate) mode_text: &'static str,
    /// Whether it is fed by uploads, not by keys.
    pub(crate) is_manual: bool,
    pub(crate) namespace: String,
    pub(crate) region: String,
    pub(crate) paused: bool,
    pub(crate) last: Option<When>,
    pub(crate) last_ago: String,
    pub(crate) success: String,
    pub(crate) warning: String,
    pub(crate) failure: String,
    pub(crate) created: When,
}

/// `GET /settings/sources`
pub(super) async fn get(State(app): State<App>, person: Person) -> Result<Response, PageError> {
    let now = clock::now();
    let sources = app.store.sources(person.workspace.id).await?;
    page(&SourcesPage {
        frame: Frame::new(&person, Section::Sources),
        sources: sources
            .iter()
            .map(|source| SourceView::of(source, &person, now))
            .collect(),
        may_administer: person.may_administer(),
    })
}

impl SourceView {
    /// A source, ready to print.
    pub(crate) fn of(source: &Source, person: &Person, now: Timestamp) -> SourceView {
        let settings = &source.settings;
        let (mode, mode_text) = match settings.mode {
            Mode::Manual => (
                "Manual",
                "If any mapped value of a row cannot be used, the whole row fails.",
            ),
            Mode::Automatic => (
                "Automatic",
                "A value that cannot be used is left out and the rest is saved, with a warning.",
            ),
        };
        SourceView {
            name: settings.name.clone(),
            label: settings.label.clone(),
            mode,
            mode_text,
            is_manual: settings.name == "manual",
            namespace: settings.namespace.clone(),
            region: settings.region.clone().unwrap_or_default(),
            paused: source.paused,
            last: source.last_received_at.map(|time| person.zone.when(time)),
            last_ago: source
                .last_received_at
                .map(|time| ago(time, now))
                .unwrap_or_default(),
            success: count(source.counts.success),
            warning: count(source.counts.warning),
            failure: count(source.counts.failure),
            created: person.zone.when(source.created_at),
        }
    }
}
