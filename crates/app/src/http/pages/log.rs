//! Admin Settings > Logs: the Contact Import Log, as the article and SPEC 5 describe it.

pub(crate) mod export;
pub(crate) mod histogram;
pub(crate) mod live;
pub(crate) mod query;
pub(crate) mod range;
pub(crate) mod replay;
pub(crate) mod rows;

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;
use rollbook_engine::contact::IdentifierKind;
use rollbook_store::log::{LogFilter, LogSummary, Paging};
use rollbook_store::sources::Source;
use rollbook_store::{StoreError, Timestamp};

use crate::app::App;
use crate::clock;
use crate::http::pages::error::PageError;
use crate::http::pages::frame::{Frame, Section, page};
use crate::http::pages::log::histogram::Histogram;
use crate::http::pages::log::query::{LogQuery, LogView};
use crate::http::pages::log::range::{Preset, Range, Span};
use crate::http::pages::log::rows::{Names, Row};
use crate::http::pages::show::{When, Zone, ago, count, counted};
use crate::http::pages::teach::Teach;
use crate::http::session::Person;

/// How many attempts a page shows.
pub(crate) const PAGE: u32 = 50;

/// The page.
#[derive(Template)]
#[template(path = "pages/log.html")]
pub(crate) struct LogPage {
    pub(crate) frame: Frame,
    pub(crate) problems: Vec<String>,
    /// Before when attempts are not kept any more, if the range reaches there.
    pub(crate) retention: Option<When>,
    pub(crate) range: RangeMenu,
    /// The address of live updates, if the range is open.
    pub(crate) live: Option<String>,
    pub(crate) export_csv: String,
    pub(crate) export_ndjson: String,
    /// Where what is shown can be replayed; none if there is nothing, or if this person may not.
    pub(crate) replay: Option<String>,
    pub(crate) tabs: Vec<Tab>,
    pub(crate) histogram: Histogram,
    pub(crate) search: String,
    /// What can be searched for.
    pub(crate) search_in: &'static str,
    pub(crate) hidden: Vec<(&'static str, String)>,
    pub(crate) sources: Vec<Choice>,
    pub(crate) actions: Vec<Choice>,
    pub(crate) matched_on: Vec<Choice>,
    pub(crate) chips: Vec<Chip>,
    pub(crate) clear: String,
    pub(crate) rows: Vec<Row>,
    pub(crate) shown: String,
    pub(crate) older: Option<String>,
    pub(crate) newest: Option<String>,
    pub(crate) empty: Option<Empty>,
}

/// The date selector.
#[derive(Debug, Clone, Default)]
pub(crate) struct RangeMenu {
    /// `Past 15 minutes`.
    pub(crate) label: String,
    /// `11:02 – 11:17 CET`.
    pub(crate) span: String,
    pub(crate) presets: Vec<Choice>,
    /// For the fields From and To.
    pub(crate) from: String,
    pub(crate) to: String,
    /// `Europe/Berlin, CET`.
    pub(crate) zone: String,
    pub(crate) hidden: Vec<(&'static str, String)>,
}

/// One of several things to choose from.
#[derive(Debug, Clone)]
pub(crate) struct Choice {
    /// The value, or the address.
    pub(crate) value: String,
    pub(crate) label: String,
    pub(crate) current: bool,
}

/// One of the article's tabs.
#[derive(Debug, Clone)]
pub(crate) struct Tab {
    pub(crate) key: &'static str,
    pub(crate) label: &'static str,
    pub(crate) count: String,
    pub(crate) url: String,
    pub(crate) current: bool,
}

/// A filter in force, which a click removes.
#[derive(Debug, Clone)]
pub(crate) struct Chip {
    pub(crate) label: &'static str,
    pub(crate) value: String,
    pub(crate) url: String,
}

/// Why there are no rows, and what to do.
#[derive(Debug, Clone)]
pub(crate) enum Empty {
    /// Nothing was ever imported.
    Nothing(Teach),
    /// There are attempts, but not in this range.
    NotInRange {
        latest: When,
        ago: String,
        wider: String,
        wider_label: String,
    },
    /// There are none of this result.
    NotOfResult { all: String },
    /// The filters leave nothing.
    NotFound { clear: String },
}

/// `GET /settings/logs`
pub(super) async fn get(
    State(app): State<App>,
    person: Person,
    Query(query): Query<LogQuery>,
) -> Result<Response, PageError> {
    let workspace = person.workspace.id;
    let now = clock::now();
    let sources = app.store.sources(workspace).await?;
    let view = query.read(&sources, &person.zone, person.sight());
    let span = view.range.span(now);
    let filter = within(&view, span);
    // Before the rows: what comes in between is then sent once more by the live stream instead of never.
    let latest = app.store.latest(workspace).await?;
    let summary = app
        .store
        .summary(workspace, filter.clone(), span.parts)
        .await?;
    let retained = app.store.retention(workspace).await?;
    let begins = filter.from.unwrap_or(Timestamp(0));
    let retention = retained.attempts_before.filter(|before| begins < *before);
    let paging = view.before.map_or(Paging::Newest, Paging::Before);
    let found = app
        .store
        .page(workspace, filter.clone(), paging, PAGE)
        .await?;
    let attempts: Vec<_> = found
        .attempts
        .into_iter()
        .map(|attempt| person.sight().attempt(attempt))
        .collect();
    let names = Names::load(&app, &person, &sources, &attempts).await?;
    let rows: Vec<Row> = attempts
        .iter()
        .map(|attempt| Row::of(attempt, &names, &person))
        .collect();
    let older = attempts
        .last()
        .filter(|_| found.more)
        .map(|last| query.url(&[("before", &last.id.number().to_string())]));
    let empty = if rows.is_empty() {
        Some(why_empty(&app, &person, &query, &view, &summary, latest, now).await?)
    } else {
        None
    };
    let live = (view.range.is_open() && view.before.is_none()).then(|| {
        let after = latest.map_or(0, |(number, _)| number).to_string();
        format!("{}/live{}", query::PATH, query.with(&[("after", &after)]))
    });
    let export = |format| {
        format!(
            "{}/export{}",
            query::PATH,
            query.with(&[("format", format)])
        )
    };
    page(&LogPage {
        problems: view.problems.clone(),
        retention: retention.map(|before| person.zone.when(before)),
        range: range_menu(&query, view.range, span, now, &person.zone),
        live,
        export_csv: export("csv"),
        export_ndjson: export("ndjson"),
        replay: (!rows.is_empty() && person.may_import())
            .then(|| format!("{}/replay{}", query::PATH, query.with(&[]))),
        tabs: tabs(&query, &summary),
        histogram: histogram::draw(&summary.histogram, span, &person.zone, view.range.is_open()),
        search: query.q.clone(),
        search_in: person.sight().search_in("Phone, email, name, ID, payload"),
        hidden: query.hidden(&["q", "source", "action", "matched_on"]),
        sources: source_choices(&query, &sources),
        actions: choices(
            &query.action,
            "Any action",
            &[
                ("created", "Created"),
                ("updated", "Updated"),
                ("removed", "Removed"),
            ],
        ),
        matched_on: choices(
            &query.matched_on,
            "Any match",
            &[
                IdentifierKind::ExternalId,
                IdentifierKind::Phone,
                IdentifierKind::Email,
            ]
            .map(|kind| (kind.key(), kind.label())),
        ),
        chips: chips(&app, &person, &query, &sources, &view).await?,
        clear: cleared(&query),
        shown: shown(rows.len(), &query, &summary),
        newest: view.before.map(|_| query.url(&[])),
        older,
        rows,
        empty,
        frame: Frame::new(&person, Section::Logs),
    })
}

/// The filter of a view within the range as it stands.
pub(crate) fn within(view: &LogView, span: Span) -> LogFilter {
    LogFilter {
        from: Some(span.from),
        to: Some(span.to),
        ..view.filter.clone()
    }
}

/// The tabs with their counts.
pub(crate) fn tabs(query: &LogQuery, summary: &LogSummary) -> Vec<Tab> {
    let counts = summary.counts;
    [
        ("", "ALL", counts.all()),
        ("success", "SUCCESS", counts.success),
        ("warning", "WARNING", counts.warning),
        ("failure", "FAILURE", counts.failure),
    ]
    .into_iter()
    .map(|(key, label, number)| Tab {
        key: if key.is_empty() { "all" } else { key },
        label,
        count: count(number),
        url: query.url(&[("result", key)]),
        current: query.result == key,
    })
    .collect()
}

/// `50 of 1,284 attempts`.
pub(crate) fn shown(rows: usize, query: &LogQuery, summary: &LogSummary) -> String {
    let counts = summary.counts;
    let all = match query.result.as_str() {
        "success" => counts.success,
        "warning" => counts.warning,
        "failure" => counts.failure,
        _ => counts.all(),
    };
    let rows = u64::try_from(rows).unwrap_or(0);
    if rows >= all {
        counted(all, "attempt", "attempts")
    } else {
        format!("{} of {}", count(rows), counted(all, "attempt", "attempts"))
    }
}

fn range_menu(
    query: &LogQuery,
    range: Range,
    span: Span,
    now: Timestamp,
    zone: &Zone,
) -> RangeMenu {
    let no_range = [("range", ""), ("from", ""), ("to", "")];
    let presets = Preset::ALL.into_iter().map(|preset| Choice {
        value: query.url(&[("range", preset.key()), no_range[1], no_range[2]]),
        label: format!("Past {}", preset.label()),
        current: range == Range::Preset(preset),
    });
    let end = if range.is_open() { now } else { span.to };
    let same_day = zone.format(span.from, "%F") == zone.format(end, "%F");
    let today = zone.format(end, "%F") == zone.format(now, "%F");
    let day = |time| zone.format(time, "%-d %b");
    let clock = |time| zone.format(time, "%H:%M");
    let mut times = match (same_day, today) {
        (true, true) => format!("{} – {}", clock(span.from), clock(end)),
        (true, false) => format!("{}, {} – {}", day(end), clock(span.from), clock(end)),
        (false, _) => format!(
            "{}, {} – {}, {}",
            day(span.from),
            clock(span.from),
            day(end),
            clock(end)
        ),
    };
    times.push(' ');
    times.push_str(&zone.abbreviation(end));
    let field = |time| zone.format(time, "%Y-%m-%dT%H:%M:%S");
    RangeMenu {
        label: match range {
            Range::Preset(preset) => format!("Past {}", preset.label()),
            Range::Custom { to: Some(_), .. } => "Custom range".to_owned(),
            Range::Custom { to: None, .. } => "Since".to_owned(),
        },
        span: times,
        presets: presets.collect(),
        from: field(span.from),
        to: match range {
            Range::Custom { to: None, .. } => String::new(),
            _ => field(end),
        },
        zone: zone.name(now),
        hidden: query.hidden(&["range", "from", "to"]),
    }
}

fn choices(current: &str, any: &str, all: &[(&str, &str)]) -> Vec<Choice> {
    std::iter::once(&("", any))
        .chain(all)
        .map(|(value, label)| Choice {
            value: (*value).to_owned(),
            label: (*label).to_owned(),
            current: *value == current,
        })
        .collect()
}

fn source_choices(query: &LogQuery, sources: &[Source]) -> Vec<Choice> {
    let all: Vec<(&str, &str)> = sources
        .iter()
        .map(|source| {
            (
                source.settings.name.as_str(),
                source.settings.label.as_str(),
            )
        })
        .collect();
    choices(&query.source, "All sources", &all)
}

async fn chips(
    app: &App,
    person: &Person,
    query: &LogQuery,
    sources: &[Source],
    view: &LogView,
) -> Result<Vec<Chip>, StoreError> {
    let mut chips = Vec::new();
    let mut add = |label, name: &str, value: String| {
        chips.push(Chip {
            label,
            value,
            url: query.url(&[(name, "")]),
        });
    };
    if !query.q.is_empty() {
        add("Search", "q", query.q.clone());
    }
    if let Some(id) = view.filter.source {
        let source = sources.iter().find(|source| source.id == id);
        let label = source.map(|source| source.settings.label.clone());
        add("Source", "source", label.unwrap_or_default());
    }
    if let Some(action) = view.filter.action {
        let label = rows::action_label(Some(action));
        add("Action", "action", label.to_owned());
    }
    if let Some(kind) = view.filter.matched_on {
        add("Matched on", "matched_on", kind.label().to_owned());
    }
    if let Some(id) = view.filter.import {
        let import = app.store.import(person.workspace.id, id).await?;
        let name = import.map_or_else(|| query.import.clone(), |import| import.file_name);
        add("Import", "import", name);
    }
    if let Some(id) = view.filter.contact {
        let contact = app.store.contact(person.workspace.id, id).await?;
        let name = contact.and_then(|contact| contact.contact.name());
        let name = name.map_or_else(|| format!("number {id}"), String::from);
        add("Contact", "contact", name);
    }
    Ok(chips)
}

/// The address without its filters; the range stays.
fn cleared(query: &LogQuery) -> String {
    query.url(&[
        ("source", ""),
        ("action", ""),
        ("matched_on", ""),
        ("import", ""),
        ("contact", ""),
        ("q", ""),
        ("result", ""),
    ])
}

async fn why_empty(
    app: &App,
    person: &Person,
    query: &LogQuery,
    view: &LogView,
    summary: &LogSummary,
    latest: Option<(u64, Timestamp)>,
    now: Timestamp,
) -> Result<Empty, StoreError> {
    if latest.is_none() {
        return Ok(Empty::Nothing(Teach::new(app, person)));
    }
    if summary.counts.all() > 0 {
        return Ok(Empty::NotOfResult {
            all: query.url(&[("result", "")]),
        });
    }
    let anywhere = app
        .store
        .page(person.workspace.id, view.filter.clone(), Paging::Newest, 1)
        .await?;
    let Some(found) = anywhere.attempts.first() else {
        return Ok(Empty::NotFound {
            clear: cleared(query),
        });
    };
    let (wider, wider_label) = wider(query, found.received_at, now);
    Ok(Empty::NotInRange {
        latest: person.zone.when(found.received_at),
        ago: ago(found.received_at, now),
        wider,
        wider_label,
    })
}

/// The shortest range that shows an attempt: a preset, else the hour before it and what came since.
fn wider(query: &LogQuery, at: Timestamp, now: Timestamp) -> (String, String) {
    let age = now.0 - at.0;
    let preset = Preset::ALL
        .into_iter()
        .find(|preset| preset.millis() > age + 60_000);
    match preset {
        Some(preset) => (
            query.url(&[("range", preset.key()), ("from", ""), ("to", "")]),
            format!("Show the past {}", preset.label()),
        ),
        None => (
            query.url(&[
                ("range", ""),
                ("from", &crate::wire::rfc3339(Timestamp(at.0 - 3_600_000))),
                ("to", &crate::wire::rfc3339(Timestamp(at.0 + 60_000))),
            ]),
            "Show the hour before it".to_owned(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_offered_range_shows_the_latest_attempt() {
        const MINUTE: i64 = 60_000;
        let now = Timestamp(1_763_809_200_000);
        let label = |minutes: i64| {
            wider(
                &LogQuery::default(),
                Timestamp(now.0 - minutes * MINUTE),
                now,
            )
            .1
        };
        assert_eq!(label(5), "Show the past 15 minutes");
        assert_eq!(label(37), "Show the past hour");
        assert_eq!(label(24 * 60), "Show the past 7 days");
        assert_eq!(label(100 * 24 * 60), "Show the hour before it");
    }
}
