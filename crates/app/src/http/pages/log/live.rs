//! Live updates of the log: about once a second, what is new.

use std::convert::Infallible;
use std::time::{Duration, Instant};

use askama::Template;
use axum::extract::{Query, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::stream::{self, Stream, StreamExt};
use rollbook_engine::attempt::ImportResult;
use rollbook_store::log::{Paging, ResultCounts};
use rollbook_store::sources::Source;
use serde::Serialize;

use crate::app::App;
use crate::clock;
use crate::http::pages::error::PageError;
use crate::http::pages::log::histogram::{self, Histogram};
use crate::http::pages::log::query::{LogQuery, LogView};
use crate::http::pages::log::range::Span;
use crate::http::pages::log::rows::{Names, Row, Rows};
use crate::http::pages::log::{PAGE, Tab, shown, tabs, within};
use crate::http::pages::show::counted;
use crate::http::session::Person;

/// How often the log is asked whether anything is new.
const PACE: Duration = Duration::from_secs(1);

/// How much of the time may go into asking: a log that is slow to count is asked less often.
const REST: u32 = 5;

/// After how many rounds the session is looked at again, so that signing out ends the stream.
const SESSION_ROUNDS: u32 = 15;

/// The tabs alone.
#[derive(Template)]
#[template(path = "partials/log_tabs.html")]
struct Tabs {
    tabs: Vec<Tab>,
}

/// The histogram alone.
#[derive(Template)]
#[template(path = "partials/log_chart.html")]
struct Chart {
    histogram: Histogram,
}

/// What is sent: HTML that the page puts in its places.
#[derive(Debug, Serialize)]
struct Update {
    /// New rows, newest first.
    rows: String,
    /// Whether they replace all rows, because more came than a page holds.
    replace: bool,
    tabs: String,
    chart: String,
    shown: String,
    /// What is read aloud; blank when nothing is new.
    announce: String,
}

struct Watch {
    app: App,
    person: Person,
    query: LogQuery,
    view: LogView,
    sources: Vec<Source>,
    /// The number of the latest attempt that was sent.
    seen: u64,
    /// The number of the latest attempt when it was last looked.
    latest: u64,
    span: Option<Span>,
    rounds: u32,
    pause: Duration,
}

/// `GET /settings/logs/live`
pub(in crate::http::pages) async fn get(
    State(app): State<App>,
    person: Person,
    Query(query): Query<LogQuery>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, PageError> {
    let sources = app.store.sources(person.workspace.id).await?;
    let view = query.read(&sources, &person.zone, person.sight());
    let seen = view.after.unwrap_or(0);
    let stopped = app.stopping.clone().begun();
    let watch = Watch {
        app,
        person,
        query,
        view,
        sources,
        seen,
        latest: seen,
        span: None,
        rounds: 0,
        pause: PACE,
    };
    let updates = stream::unfold(watch, |mut watch| async move {
        let update = watch.next().await?;
        Some((Ok(update), watch))
    });
    Ok(Sse::new(updates.fuse().take_until(stopped)).keep_alive(KeepAlive::default()))
}

impl Watch {
    /// Waits for something new; none when the stream is over.
    async fn next(&mut self) -> Option<Event> {
        loop {
            tokio::time::sleep(self.pause).await;
            self.rounds += 1;
            if self.rounds.is_multiple_of(SESSION_ROUNDS)
                && !self.person.is_still_here(&self.app).await
            {
                return None;
            }
            let begin = Instant::now();
            let update = self.look().await;
            self.pause = PACE.max(begin.elapsed() * REST);
            match update {
                Ok(Some(update)) => return Event::default().json_data(update).ok(),
                Ok(None) => {}
                Err(error) => {
                    tracing::warn!("a live log stopped: {error:?}");
                    return None;
                }
            }
        }
    }

    async fn look(&mut self) -> Result<Option<Update>, PageError> {
        let workspace = self.person.workspace.id;
        let latest = self.app.store.latest(workspace).await?;
        let latest = latest.map_or(0, |(number, _)| number);
        let span = self.view.range.span(clock::now());
        if latest == self.latest && self.span == Some(span) {
            return Ok(None);
        }
        let moved_on = latest != self.latest;
        let first = self.span.is_none();
        self.latest = latest;
        self.span = Some(span);
        if first && !moved_on {
            return Ok(None);
        }
        let filter = within(&self.view, span);
        let summary = self
            .app
            .store
            .summary(workspace, filter.clone(), span.parts)
            .await?;
        let mut fresh = Vec::new();
        let mut replace = false;
        if moved_on {
            let page = self
                .app
                .store
                .page(workspace, filter, Paging::Newest, PAGE)
                .await?;
            let seen = self.seen;
            fresh = page.attempts;
            fresh.retain(|attempt| attempt.id.number() > seen);
            replace = fresh.len() == PAGE as usize && seen > 0;
            self.seen = latest;
        }
        let announce = if replace {
            format!("More than {PAGE} new attempts.")
        } else {
            in_words(fresh.iter().map(|attempt| attempt.result))
        };
        let fresh: Vec<_> = fresh
            .into_iter()
            .map(|attempt| self.person.sight().attempt(attempt))
            .collect();
        let names = Names::load(&self.app, &self.person, &self.sources, &fresh).await?;
        let rows: Vec<Row> = fresh
            .iter()
            .map(|attempt| Row::of(attempt, &names, &self.person))
            .collect();
        let drawing = histogram::draw(&summary.histogram, span, &self.person.zone, true);
        Ok(Some(Update {
            rows: Rows { rows: &rows }.render()?,
            replace,
            tabs: Tabs {
                tabs: tabs(&self.query, &summary),
            }
            .render()?,
            chart: Chart { histogram: drawing }.render()?,
            shown: shown(PAGE as usize, &self.query, &summary),
            announce,
        }))
    }
}

/// `3 new attempts: 2 successes, 1 failure.`
fn in_words(results: impl Iterator<Item = ImportResult>) -> String {
    let mut counts = ResultCounts::default();
    for result in results {
        match result {
            ImportResult::Success => counts.success += 1,
            ImportResult::Warning => counts.warning += 1,
            ImportResult::Failure => counts.failure += 1,
        }
    }
    if counts.all() == 0 {
        return String::new();
    }
    let parts = [
        (counts.success, "success", "successes"),
        (counts.warning, "warning", "warnings"),
        (counts.failure, "failure", "failures"),
    ];
    let parts: Vec<String> = parts
        .into_iter()
        .filter(|(number, _, _)| *number > 0)
        .map(|(number, one, many)| counted(number, one, many))
        .collect();
    format!(
        "{}: {}.",
        counted(counts.all(), "new attempt", "new attempts"),
        parts.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_new_is_said() {
        use ImportResult::{Failure, Success};
        assert_eq!(
            in_words([Success, Success, Failure].into_iter()),
            "3 new attempts: 2 successes, 1 failure."
        );
        assert_eq!(in_words([].into_iter()), "");
    }
}
