//! Replaying what the log shows: what it would be, counted, and the button that does it.

use askama::Template;
use axum::Form;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use rollbook_store::imports::Import;
use rollbook_store::log::LogFilter;
use rollbook_store::{StoreError, Timestamp};
use serde::Deserialize;

use crate::app::App;
use crate::audit::Act;
use crate::clock;
use crate::http::pages::error::PageError;
use crate::http::pages::frame::{Frame, Section, page_with};
use crate::http::pages::log::query::{self, LogQuery};
use crate::http::pages::log::rows::ResultTag;
use crate::http::pages::log::{Chip, RangeMenu, chips, range_menu, within};
use crate::http::pages::remap::{Remap, Sent};
use crate::http::pages::show::{count, counted, sentence};
use crate::http::session::Person;
use crate::imports::replay::ReplayError;
use crate::imports::replay::all::{self, Found, FoundOfSource, Wish};
use crate::imports::replay::columns::columns_of;
use crate::imports::replay::origin::Obstacle;

/// What menus of the first record's columns mean for the others.
const HOLDS_FOR_ALL: &str = "The values are those of the first record. What you choose holds for all of these \
                             records, so every file that they come from must have the column.";

/// The page.
#[derive(Template)]
#[template(path = "pages/replay.html")]
pub(crate) struct ReplayPage {
    pub(crate) frame: Frame,
    pub(crate) problem: Option<String>,
    /// The log as it was.
    pub(crate) back: String,
    pub(crate) range: RangeMenu,
    /// What else narrows it.
    pub(crate) chips: Vec<Chip>,
    pub(crate) sources: Vec<SourceRow>,
    /// `212 records`; none if nothing can be replayed.
    pub(crate) records: Option<String>,
    /// How many attempts were looked at, if that were not all: `10,000`.
    pub(crate) looked_at: Option<String>,
    /// Where the columns of the first record go; none if the records are of several sources.
    pub(crate) remap: Option<Remap>,
    /// Those that were replayed before, and where they are included.
    pub(crate) replayed: Option<(String, String)>,
    /// What the form sends beside the button.
    pub(crate) hidden: Vec<(&'static str, String)>,
}

/// What can be replayed of a source.
#[derive(Debug, Clone)]
pub(crate) struct SourceRow {
    pub(crate) name: String,
    pub(crate) records: String,
    /// How many are left out, and why.
    pub(crate) left_out: Vec<(String, String)>,
}

/// What the address says beside the log's own.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::http::pages) struct Again {
    again: String,
}

/// `GET /settings/logs/replay`
pub(in crate::http::pages) async fn get(
    State(app): State<App>,
    person: Person,
    Query(query): Query<LogQuery>,
    Query(again): Query<Again>,
) -> Result<Response, PageError> {
    person.must_import()?;
    let asked = Asked::of(&app, &person, query, !again.again.is_empty()).await?;
    let found = all::count(&app, person.workspace.id, &asked.wish).await;
    let found = found.map_err(broken)?;
    asked
        .show(&app, &person, &found, &Sent::default(), None)
        .await
}

/// `POST /settings/logs/replay`. The form says the time and the count as they were shown, so that nothing else is
/// replayed.
pub(in crate::http::pages) async fn post(
    State(app): State<App>,
    person: Person,
    Query(query): Query<LogQuery>,
    Form(sent): Form<Vec<(String, String)>>,
) -> Result<Response, PageError> {
    person.must_import()?;
    let sent = Sent::of(sent);
    let again = sent.get("again").is_some_and(|again| !again.is_empty());
    let mut asked = Asked::of(&app, &person, query, again).await?;
    let time = |name: &str| sent.get(name)?.parse().ok().map(Timestamp);
    asked.wish.filter.from = Some(time("from").unwrap_or_default());
    asked.wish.filter.to = Some(time("to").unwrap_or_default());
    let shown: u64 = sent
        .get("count")
        .and_then(|count| count.parse().ok())
        .unwrap_or_default();
    let workspace = person.workspace.id;
    let found = all::count(&app, workspace, &asked.wish).await;
    let found = found.map_err(broken)?;
    if found.records() != shown {
        let problem = format!(
            "There were {} when you looked, and there are {} now. Nothing was replayed; look again.",
            counted(shown, "record", "records"),
            count(found.records())
        );
        return asked
            .show(&app, &person, &found, &sent, Some(problem))
            .await;
    }
    match asked.start(&app, &person, &found, &sent).await {
        Ok(imports) => {
            let about = counted(found.records(), "attempt", "attempts");
            app.audit(workspace, &person.actor(), Act::Replayed, &about)
                .await?;
            let to = match imports.as_slice() {
                [import] => format!("/imports/{}", import.id),
                _ => "/imports".to_owned(),
            };
            Ok(Redirect::to(&to).into_response())
        }
        Err(ReplayError::Store(error)) => Err(error.into()),
        Err(error) => {
            let problem = sentence(&error.to_string());
            asked
                .show(&app, &person, &found, &sent, Some(problem))
                .await
        }
    }
}

fn broken(error: ReplayError) -> PageError {
    match error {
        ReplayError::Store(error) => error.into(),
        other => PageError::Invalid(sentence(&other.to_string())),
    }
}

/// What the address asks for.
struct Asked {
    query: LogQuery,
    wish: Wish,
    range: RangeMenu,
    chips: Vec<Chip>,
}

impl Asked {
    async fn of(
        app: &App,
        person: &Person,
        query: LogQuery,
        again: bool,
    ) -> Result<Asked, PageError> {
        let now = clock::now();
        let sources = app.store.sources(person.workspace.id).await?;
        let view = query.read(&sources, &person.zone, person.sight());
        // A filter that was not understood must not become one that lets more through.
        if let Some(problem) = view.problems.first() {
            return Err(PageError::Invalid(problem.clone()));
        }
        let span = view.range.span(now);
        let mut chips = chips(app, person, &query, &sources, &view).await?;
        if let Some(result) = view.filter.result {
            let chip = Chip {
                label: "Result",
                value: ResultTag::of(result).label.to_owned(),
                url: query.url(&[("result", "")]),
            };
            chips.insert(0, chip);
        }
        let filter: LogFilter = within(&view, span);
        Ok(Asked {
            wish: Wish {
                filter,
                mapping: None,
                again,
            },
            range: range_menu(&query, view.range, span, now, &person.zone),
            chips,
            query,
        })
    }

    /// Queues the imports that replay what was found, mapped as the form says.
    async fn start(
        &self,
        app: &App,
        person: &Person,
        found: &Found,
        sent: &Sent,
    ) -> Result<Vec<Import>, ReplayError> {
        let (workspace, by) = (person.workspace.id, &person.user.email);
        let Some(mapping) = sent.mapping() else {
            return all::create(app, workspace, &self.wish, found, by).await;
        };
        let wish = Wish {
            mapping: Some(mapping),
            ..self.wish.clone()
        };
        // Whether it fits every file only a look at all of them says.
        let found = all::count(app, workspace, &wish).await?;
        all::create(app, workspace, &wish, &found, by).await
    }

    /// The menus of the first record's columns; none if the records are of several sources.
    async fn remap(
        &self,
        app: &App,
        person: &Person,
        found: &Found,
        sent: &Sent,
    ) -> Result<Option<Remap>, StoreError> {
        let workspace = person.workspace.id;
        let mut firsts = found.sources.iter().filter_map(|found| found.first);
        let (Some(first), None) = (firsts.next(), firsts.next()) else {
            return Ok(None);
        };
        let Some((attempt, payload)) = app.store.attempt(workspace, first).await? else {
            return Ok(None);
        };
        let columns = columns_of(app, workspace, &attempt, &payload).await?;
        let about = format!("attempt {first}");
        app.audit(workspace, &person.actor(), Act::SawPayload, &about)
            .await?;
        let schema = app.schema(workspace).await?;
        let remap = Remap::of(columns, &schema, sent);
        Ok(remap.map(|remap| Remap {
            hint: Some(HOLDS_FOR_ALL),
            ..remap
        }))
    }

    async fn show(
        &self,
        app: &App,
        person: &Person,
        found: &Found,
        sent: &Sent,
        problem: Option<String>,
    ) -> Result<Response, PageError> {
        let records = found.records();
        let filter = &self.wish.filter;
        let millis = |time: Option<Timestamp>| time.unwrap_or_default().0.to_string();
        let mut hidden = vec![
            ("from", millis(filter.from)),
            ("to", millis(filter.to)),
            ("count", records.to_string()),
        ];
        if self.wish.again {
            hidden.push(("again", "1".to_owned()));
        }
        let replayed = found.left_out().get(&Obstacle::Replayed).copied();
        let replayed = replayed.map(|number| {
            let url = format!(
                "{}/replay{}",
                query::PATH,
                self.query.with(&[("again", "1")])
            );
            (counted(number, "record", "records"), url)
        });
        let status = match problem {
            None => StatusCode::OK,
            Some(_) => StatusCode::CONFLICT,
        };
        let sources = app.store.sources(person.workspace.id).await?;
        let remap = self.remap(app, person, found, sent).await?;
        let label = |found: &FoundOfSource| {
            let source = sources.iter().find(|source| source.id == found.id);
            source.map_or_else(
                || "A source that is gone".to_owned(),
                |source| source.settings.label.clone(),
            )
        };
        page_with(
            status,
            &ReplayPage {
                frame: Frame::new(person, Section::Logs),
                problem,
                back: self.query.url(&[]),
                range: self.range.clone(),
                chips: self.chips.clone(),
                sources: found
                    .sources
                    .iter()
                    .map(|found| SourceRow {
                        name: label(found),
                        records: count(found.records),
                        left_out: found
                            .left_out
                            .iter()
                            .map(|(obstacle, number)| {
                                (count(*number), sentence(&obstacle.to_string()))
                            })
                            .collect(),
                    })
                    .collect(),
                records: (records > 0).then(|| {
                    let records = counted(records, "record", "records");
                    match found.looked_at {
                        None => records,
                        Some(_) => format!("up to {records}"),
                    }
                }),
                looked_at: found.looked_at.map(count),
                remap,
                replayed,
                hidden,
            },
        )
    }
}
