//! One import: its mapping while it waits for it, its progress while it runs, its result when it is over.

pub(crate) mod about;
pub(super) mod downloads;
pub(crate) mod drift;

use std::convert::Infallible;
use std::time::{Duration, Instant};

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Redirect, Response};
use futures_util::stream::{self, Stream, StreamExt};
use rollbook_store::Timestamp;
use rollbook_store::imports::{Import, ImportId, ImportKind, ImportState};
use rollbook_store::sources::Source;
use rollbook_store::undo::refusal;
use serde::Serialize;

use crate::app::App;
use crate::clock;
use crate::http::pages::error::PageError;
use crate::http::pages::frame::{Frame, Section, page};
use crate::http::pages::import::about::About;
use crate::http::pages::import::drift::Drifted;
use crate::http::pages::imports::StateTag;
use crate::http::pages::mapping;
use crate::http::pages::show::{When, bytes, count, counted, duration, encode, sentence};
use crate::http::session::Person;
use crate::imports::summary;
use crate::wire::rfc3339;

/// How often a page that watches an import is told how far it is.
const PACE: Duration = Duration::from_millis(500);

/// The page.
#[derive(Template)]
#[template(path = "pages/import.html")]
pub(crate) struct ImportPage {
    pub(crate) frame: Frame,
    pub(crate) import: ImportView,
    pub(crate) about: About,
    pub(crate) drift: Option<Drifted>,
}

/// The progress alone.
#[derive(Template)]
#[template(path = "partials/import_progress.html")]
pub(crate) struct ImportProgress {
    pub(crate) import: ImportView,
}

/// An import ready to print.
#[derive(Debug, Clone)]
pub(crate) struct ImportView {
    pub(crate) id: String,
    pub(crate) file: String,
    /// Whether it takes another one back.
    pub(crate) is_undo: bool,
    /// Where it can be undone, if that can be done now.
    pub(crate) undo: Option<String>,
    pub(crate) size: String,
    pub(crate) by: String,
    pub(crate) created: When,
    pub(crate) state: StateTag,
    pub(crate) over: bool,
    /// What stopped it.
    pub(crate) error: Option<String>,
    /// What was written before a person stopped it.
    pub(crate) stopped: Option<String>,
    /// Whether it can be cancelled.
    pub(crate) can_cancel: bool,
    pub(crate) progress: Progress,
    pub(crate) counts: Counts,
    /// Records without any identifier, in words; blank if there are none.
    pub(crate) without_identifier: String,
    /// How long it took.
    pub(crate) took: Option<String>,
    /// The log of this import.
    pub(crate) log: String,
    pub(crate) log_failures: String,
}

/// Counts that add up, grouped: created + updated + removed + failed = records.
#[derive(Debug, Clone, Default)]
pub(crate) struct Counts {
    pub(crate) records: String,
    pub(crate) created: String,
    pub(crate) updated: String,
    pub(crate) unchanged: String,
    pub(crate) removed: String,
    pub(crate) warnings: String,
    pub(crate) failed: String,
}

/// How far an import is.
#[derive(Debug, Clone, Default)]
pub(crate) struct Progress {
    /// Whole per cent; none while the number of records is not known.
    pub(crate) percent: Option<u64>,
    /// `12,000 of 100,000 records`.
    pub(crate) text: String,
    /// `41,000 records a second`; blank while unknown.
    pub(crate) rate: String,
    /// `about 8 seconds left`; blank while unknown.
    pub(crate) left: String,
}

/// What a watching page is told.
#[derive(Debug, Serialize)]
struct Update {
    /// The HTML of the progress.
    html: String,
    over: bool,
    percent: Option<u64>,
}

/// `GET /imports/{id}`
pub(super) async fn get(
    State(app): State<App>,
    person: Person,
    Path(id): Path<String>,
    Query(query): Query<Vec<(String, String)>>,
) -> Result<Response, PageError> {
    let import = find_import(&app, &person, &id).await?;
    if import.state == ImportState::Uploaded {
        return mapping::show(&app, &person, import, query).await;
    }
    if query.iter().any(|(name, _)| name == "fragment") {
        let rate = average_rate(&import);
        return page(&ImportProgress {
            import: ImportView::of(&import, rate, &person),
        });
    }
    let rate = average_rate(&import);
    page(&ImportPage {
        frame: Frame::new(&person, Section::Imports),
        about: About::of(&app, &person, &import).await?,
        drift: Drifted::of(&app, &person, &import).await?,
        import: ImportView::of(&import, rate, &person),
    })
}

/// `GET /imports/{id}/live`
pub(super) async fn live(
    State(app): State<App>,
    person: Person,
    Path(id): Path<String>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, PageError> {
    let import = find_import(&app, &person, &id).await?;
    let watch = Watch {
        rate: average_rate(&import),
        mark: (Instant::now(), import.cursor),
        id: import.id,
        app,
        person,
        over: false,
        first: true,
    };
    let updates = stream::unfold(watch, |mut watch| async move {
        let event = watch.next().await?;
        Some((Ok(event), watch))
    });
    Ok(Sse::new(updates.fuse()).keep_alive(KeepAlive::default()))
}

/// `POST /imports/{id}/cancel`
pub(super) async fn cancel(
    State(app): State<App>,
    person: Person,
    Path(id): Path<String>,
) -> Result<Response, PageError> {
    person.must_import()?;
    let import = find_import(&app, &person, &id).await?;
    if !import.state.is_over() {
        app.store
            .cancel_import(person.workspace.id, import.id, clock::now())
            .await?;
    }
    Ok(Redirect::to(&format!("/imports/{id}")).into_response())
}

/// The import of an address.
pub(super) async fn find_import(app: &App, person: &Person, id: &str) -> Result<Import, PageError> {
    let missing = || PageError::NotFound("this import");
    let id = ImportId(id.parse().map_err(|_| missing())?);
    app.store
        .import(person.workspace.id, id)
        .await?
        .ok_or_else(missing)
}

/// The source of an import.
pub(super) async fn source_of(
    app: &App,
    person: &Person,
    import: &Import,
) -> Result<Source, PageError> {
    let sources = app.store.sources(person.workspace.id).await?;
    sources
        .into_iter()
        .find(|source| source.id == import.source)
        .ok_or(PageError::NotFound("the source of this import"))
}

impl ImportView {
    /// An import, with the records it takes in a second, if that is known.
    pub(crate) fn of(import: &Import, rate: Option<u64>, person: &Person) -> ImportView {
        let totals = &import.totals;
        let log = log_of(import);
        ImportView {
            id: import.id.to_string(),
            file: import.file_name.clone(),
            is_undo: import.kind == ImportKind::Undo,
            undo: (person.may_import() && refusal(import).is_none())
                .then(|| format!("/imports/{}/undo", import.id)),
            size: bytes(import.file_size),
            by: import.created_by.clone(),
            created: person.zone.when(import.created_at),
            state: StateTag::of(import),
            over: import.state.is_over(),
            error: import.error.as_deref().map(sentence),
            can_cancel: !import.state.is_over() && !import.cancel_requested && person.may_import(),
            progress: Progress::of(import, rate),
            counts: Counts {
                records: count(totals.records),
                created: count(totals.created),
                updated: count(totals.updated),
                unchanged: count(totals.unchanged),
                removed: count(totals.removed),
                warnings: count(totals.warnings),
                failed: count(totals.failed),
            },
            without_identifier: match import.without_identifier {
                0 => String::new(),
                number => counted(number, "record", "records"),
            },
            took: summary::seconds(import).map(duration),
            stopped: (import.state == ImportState::Cancelled).then(|| summary::summary(import)),
            log_failures: format!("{log}&result=failure"),
            log,
        }
    }
}

/// The log of an import: the minutes from its beginning to its end, so that the histogram shows nothing else.
fn log_of(import: &Import) -> String {
    const MINUTE: i64 = 60_000;
    let minute = |time: i64| rfc3339(Timestamp(time.div_euclid(MINUTE) * MINUTE));
    let begin = import.started_at.unwrap_or(import.created_at);
    let mut url = format!(
        "{}?from={}&import={}",
        crate::http::pages::log::query::PATH,
        encode(&minute(begin.0)),
        import.id
    );
    if let Some(end) = import.finished_at {
        url.push_str("&to=");
        url.push_str(&encode(&minute(end.0 + MINUTE)));
    }
    url
}

impl Progress {
    fn of(import: &Import, rate: Option<u64>) -> Progress {
        let read = import.cursor;
        let percent = import
            .expected_records
            .map(|expected| percent(read, expected));
        let text = match import.expected_records {
            Some(expected) => format!(
                "{} of {}",
                count(read),
                counted(expected, "record", "records")
            ),
            None => counted(read, "record", "records"),
        };
        let running = import.state == ImportState::Running;
        let rate = rate.filter(|rate| running && *rate > 0);
        let left = import
            .expected_records
            .zip(rate)
            .map(|(expected, rate)| expected.saturating_sub(read).div_ceil(rate));
        Progress {
            percent,
            text,
            rate: rate.map_or_else(String::new, |rate| {
                format!("{} a second", counted(rate, "record", "records"))
            }),
            left: left.map_or_else(String::new, |left| {
                format!("about {} left", duration(left.max(1)))
            }),
        }
    }
}

fn percent(part: u64, whole: u64) -> u64 {
    if whole == 0 {
        return 100;
    }
    (part.saturating_mul(100) / whole).min(100)
}

/// Records a second since the import began.
fn average_rate(import: &Import) -> Option<u64> {
    let begin = import.started_at?;
    let millis = u64::try_from(clock::now().0 - begin.0).ok()?;
    (millis > 0).then(|| import.cursor.saturating_mul(1000) / millis)
}

struct Watch {
    app: App,
    person: Person,
    id: ImportId,
    /// Records a second, smoothed.
    rate: Option<u64>,
    /// When the cursor was last looked at, and where it stood.
    mark: (Instant, u64),
    over: bool,
    first: bool,
}

impl Watch {
    async fn next(&mut self) -> Option<Event> {
        if self.over {
            return None;
        }
        if !self.first {
            tokio::time::sleep(PACE).await;
        }
        self.first = false;
        let workspace = self.person.workspace.id;
        let import = self.app.store.import(workspace, self.id).await.ok()??;
        self.measure(import.cursor);
        self.over = import.state.is_over();
        let view = ImportView::of(&import, self.rate, &self.person);
        let percent = view.progress.percent;
        let html = ImportProgress { import: view }.render().ok()?;
        let update = Update {
            html,
            over: self.over,
            percent,
        };
        Event::default().json_data(update).ok()
    }

    /// Lets the rate follow the last seconds, calmly.
    fn measure(&mut self, cursor: u64) {
        let (then, before) = self.mark;
        let millis = u64::try_from(then.elapsed().as_millis()).unwrap_or(0);
        if millis < 400 {
            return;
        }
        let now = cursor.saturating_sub(before).saturating_mul(1000) / millis;
        self.rate = Some(match self.rate {
            Some(rate) if rate > 0 => (rate * 3 + now) / 4,
            _ => now,
        });
        self.mark = (Instant::now(), cursor);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_never_longer_than_whole() {
        assert_eq!(percent(0, 10), 0);
        assert_eq!(percent(1, 3), 33);
        assert_eq!(percent(11, 10), 100);
        assert_eq!(percent(0, 0), 100);
    }
}
