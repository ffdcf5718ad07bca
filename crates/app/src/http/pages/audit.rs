//! Admin Settings > Audit: who did what, and when.

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;
use rollbook_store::audit::{AuditEntry, AuditFilter};
use serde::Deserialize;

use crate::app::App;
use crate::audit::Act;
use crate::http::pages::error::PageError;
use crate::http::pages::frame::{Frame, Section, page};
use crate::http::pages::log::Choice;
use crate::http::pages::show::{When, encode};
use crate::http::session::Person;

/// How many entries a page shows.
const PAGE: u16 = 50;

/// The page.
#[derive(Template)]
#[template(path = "pages/audit.html")]
pub(crate) struct AuditPage {
    pub(crate) frame: Frame,
    pub(crate) rows: Vec<AuditRow>,
    pub(crate) who: String,
    pub(crate) acts: Vec<Choice>,
    /// Whether a filter is in force.
    pub(crate) filtered: bool,
    pub(crate) older: Option<String>,
    pub(crate) later: bool,
}

/// One entry.
#[derive(Debug, Clone)]
pub(crate) struct AuditRow {
    pub(crate) at: When,
    pub(crate) who: String,
    pub(crate) what: String,
    pub(crate) about: String,
    pub(crate) address: String,
}

/// The query.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct AuditQuery {
    who: String,
    what: String,
    before: String,
}

/// `GET /settings/audit`
pub(super) async fn get(
    State(app): State<App>,
    person: Person,
    Query(query): Query<AuditQuery>,
) -> Result<Response, PageError> {
    person.must_administer()?;
    let given = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
    let filter = AuditFilter {
        who: given(&query.who),
        what: given(&query.what),
    };
    let filtered = filter != AuditFilter::default();
    let before = query.before.parse().ok();
    let found = app
        .store
        .audit(person.workspace.id, filter, before, PAGE)
        .await?;
    let older = found.next.map(|next| {
        format!(
            "/settings/audit?who={}&what={}&before={next}",
            encode(query.who.trim()),
            encode(&query.what)
        )
    });
    let any = ("", "Anything");
    let acts = Act::ALL.iter().map(|act| (act.key(), act.text()));
    page(&AuditPage {
        frame: Frame::new(&person, Section::Audit),
        rows: found
            .entries
            .into_iter()
            .map(|entry| row(entry, &person))
            .collect(),
        acts: std::iter::once(any)
            .chain(acts)
            .map(|(value, label)| Choice {
                value: value.to_owned(),
                label: label.to_owned(),
                current: value == query.what,
            })
            .collect(),
        who: query.who,
        filtered,
        older,
        later: before.is_some(),
    })
}

fn row(stored: AuditEntry, person: &Person) -> AuditRow {
    let entry = stored.entry;
    AuditRow {
        at: person.zone.when(entry.at),
        who: entry.who,
        what: Act::text_of(&entry.what).to_owned(),
        about: entry.about,
        address: entry.address,
    }
}
