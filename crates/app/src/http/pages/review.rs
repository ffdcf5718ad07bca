//! The review of an import: what becomes of every row, what is wrong with some, and mending it before it runs.

mod act;
pub(crate) mod view;

pub(super) use act::{change_row, fix, review_again, start, undo_edits};

use std::time::Duration;

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use rollbook_store::imports::{Import, ImportState};
use serde::Deserialize;

use crate::app::App;
use crate::http::pages::error::PageError;
use crate::http::pages::frame::{Frame, Section, page};
use crate::http::pages::import::find_import;
use crate::http::pages::show::{bytes, count, counted, encode, sentence};
use crate::http::session::Person;
use crate::imports::preview::RowVerdict;
use crate::imports::review::rows::RowFilter;
use crate::imports::review::{self, Open, Review, ReviewError};
use view::{GroupView, RowView, Tab};

/// Rows of a page.
const ROWS: usize = 50;

/// How long a page waits for a review that is being made, so that most never show progress.
const PATIENCE: Duration = Duration::from_millis(1_200);

/// The page.
#[derive(Template)]
#[template(path = "pages/review.html")]
pub(crate) struct ReviewPage {
    pub(crate) frame: Frame,
    pub(crate) id: String,
    pub(crate) file: String,
    pub(crate) size: String,
    /// What a form did, or what is wrong with it.
    pub(crate) notice: Option<Notice>,
    pub(crate) head: Head,
    pub(crate) rows: Vec<RowView>,
    /// What is listed, for people who cannot see which tab is chosen.
    pub(crate) listed: String,
    pub(crate) next: Option<String>,
    /// Where forms lead back to: this page's query.
    pub(crate) back: String,
}

/// Everything above the rows, which a script refreshes after a change.
#[derive(Template)]
#[template(path = "partials/review_head.html")]
pub(crate) struct HeadFragment {
    pub(crate) id: String,
    pub(crate) head: Head,
    pub(crate) back: String,
}

/// One row, for a script that changed it.
#[derive(Template)]
#[template(path = "partials/review_row.html")]
pub(crate) struct RowFragment {
    pub(crate) id: String,
    pub(crate) row: RowView,
    pub(crate) back: String,
}

/// What a form did, or what is wrong with it.
#[derive(Debug, Clone)]
pub(crate) struct Notice {
    pub(crate) bad: bool,
    pub(crate) text: String,
}

/// What stands above the rows.
#[derive(Debug, Clone, Default)]
pub(crate) struct Head {
    /// While the review is being made, how far it is: whole per cent, and in words.
    pub(crate) running: Option<(u64, String)>,
    /// Why it cannot be made.
    pub(crate) error: Option<String>,
    /// The numbers; none before the first review.
    pub(crate) sum: Option<Sum>,
    pub(crate) tabs: Vec<Tab>,
    pub(crate) groups: Vec<GroupView>,
}

/// The numbers, which add up.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sum {
    pub(crate) records: String,
    pub(crate) created: String,
    pub(crate) updated: String,
    pub(crate) unchanged: String,
    /// Failed and left out.
    pub(crate) failed: String,
    /// `2 of them left out`; blank if none is.
    pub(crate) dropped: String,
    /// `11 rows fail and will be left out.`; blank if none does.
    pub(crate) warning: String,
    /// `5 rows were changed here.`; blank if none was.
    pub(crate) edited: String,
    /// `1,188 rows`; blank if there is nothing to import.
    pub(crate) importable: String,
}

/// The query.
#[derive(Debug, Default, Deserialize)]
pub(super) struct ReviewQuery {
    #[serde(default)]
    verdict: String,
    #[serde(default)]
    group: String,
    /// The row before the first one shown.
    after: Option<u64>,
    /// The first row shown, as a person wrote it.
    #[serde(default)]
    from: String,
    /// With `head` only what stands above the rows.
    #[serde(default)]
    part: String,
    /// How many rows the last fix changed, or would.
    fixed: Option<u64>,
    would: Option<u64>,
}

impl ReviewQuery {
    fn verdict(&self) -> Option<RowVerdict> {
        RowVerdict::ALL
            .into_iter()
            .find(|verdict| verdict.key() == self.verdict)
    }

    /// The row before the first one shown.
    fn after(&self) -> u64 {
        let from = self.from.trim().parse::<u64>().ok();
        let before = from.map(|from| from.saturating_sub(1));
        before.or(self.after).unwrap_or_default()
    }

    /// The query without what only counts once.
    fn back(&self) -> String {
        let mut back = link(&self.verdict, &self.group);
        match self.after() {
            0 => {}
            after if back.is_empty() => back = format!("?after={after}"),
            after => back = format!("{back}&after={after}"),
        }
        back
    }

    fn notice(&self) -> Option<Notice> {
        let text = match (self.fixed, self.would) {
            (Some(rows), _) => format!("{} changed.", counted(rows, "row", "rows")),
            (None, Some(rows)) => format!(
                "That would change {}. Nothing was changed yet.",
                counted(rows, "row", "rows")
            ),
            (None, None) => return None,
        };
        Some(Notice { bad: false, text })
    }
}

/// The query of a tab or a group.
fn link(verdict: &str, group: &str) -> String {
    let mut parts = Vec::new();
    if !verdict.is_empty() {
        parts.push(format!("verdict={}", encode(verdict)));
    }
    if !group.is_empty() {
        parts.push(format!("group={}", encode(group)));
    }
    if parts.is_empty() {
        return String::new();
    }
    format!("?{}", parts.join("&"))
}

/// `GET /imports/{id}/review`
pub(super) async fn get(
    State(app): State<App>,
    person: Person,
    Path(id): Path<String>,
    Query(query): Query<ReviewQuery>,
) -> Result<Response, PageError> {
    person.must_import()?;
    let import = find_import(&app, &person, &id).await?;
    if import.state != ImportState::Uploaded {
        return Ok(Redirect::to(&format!("/imports/{id}")).into_response());
    }
    let notice = query.notice();
    answer(&app, &person, &import, &query, notice).await
}

/// The page, or its head alone.
async fn answer(
    app: &App,
    person: &Person,
    import: &Import,
    query: &ReviewQuery,
    notice: Option<Notice>,
) -> Result<Response, PageError> {
    let schema = app.schema(person.workspace.id).await?;
    let (head, review) = match review::open(app, import, false).await {
        Ok(open) => {
            open.wait(PATIENCE).await;
            let review = open.latest();
            (Head::of(&open, review.as_deref(), query, &schema), review)
        }
        Err(ReviewError::Store(error)) => return Err(error.into()),
        Err(error) => (
            Head {
                error: Some(sentence(&error.to_string())),
                ..Head::default()
            },
            None,
        ),
    };
    let (id, back) = (import.id.to_string(), query.back());
    if query.part == "head" {
        return page(&HeadFragment { id, head, back });
    }
    let mut rows = Vec::new();
    let mut next = None;
    if let Some(review) = &review {
        // A group that was fixed is gone: nothing is in it.
        let group = review.group(&query.group);
        if query.group.is_empty() || group.is_some() {
            let filter = RowFilter {
                verdict: query.verdict(),
                group,
            };
            let (numbers, more) = review.numbers(filter, query.after(), ROWS);
            if let Some(last) = numbers.last().filter(|_| more) {
                let link = link(&query.verdict, &query.group);
                let join = if link.is_empty() { "?" } else { "&" };
                next = Some(format!("/imports/{id}/review{link}{join}after={last}"));
            }
            let found = review.rows(numbers).await.map_err(broken)?;
            rows = found
                .into_iter()
                .map(|row| RowView::of(row, &schema))
                .collect();
        }
    }
    let listed = head.tabs.iter().find(|tab| tab.current).map_or_else(
        || "Rows with this issue".to_owned(),
        |tab| tab.label.to_owned(),
    );
    page(&ReviewPage {
        frame: Frame::new(person, Section::Imports),
        file: import.file_name.clone(),
        size: bytes(import.file_size),
        notice,
        head,
        rows,
        listed,
        next,
        back,
        id,
    })
}

fn broken(error: ReviewError) -> PageError {
    match error {
        ReviewError::Store(error) => error.into(),
        ReviewError::Missing(_) => PageError::NotFound("this row"),
        other => PageError::Invalid(sentence(&other.to_string())),
    }
}

impl Head {
    fn of(
        open: &Open,
        review: Option<&Review>,
        query: &ReviewQuery,
        schema: &rollbook_engine::schema::Schema,
    ) -> Head {
        let (running, error) = match open.outcome() {
            Some(Ok(_)) => (None, None),
            Some(Err(error)) => (None, Some(sentence(&error))),
            None => (Some(progress(open.progress())), None),
        };
        let Some(review) = review else {
            return Head {
                running,
                error,
                ..Head::default()
            };
        };
        let groups = review.groups.iter();
        Head {
            running,
            error,
            sum: Some(Sum::of(review)),
            tabs: tabs(review, query),
            groups: groups
                .map(|group| GroupView::of(group, group.key() == query.group, schema))
                .collect(),
        }
    }
}

fn progress((judged, expected): (u64, Option<u64>)) -> (u64, String) {
    match expected {
        Some(expected) => (
            (judged.saturating_mul(100) / expected.max(1)).min(100),
            format!("{} of {}", count(judged), counted(expected, "row", "rows")),
        ),
        None => (0, "counting the rows".to_owned()),
    }
}

impl Sum {
    fn of(review: &Review) -> Sum {
        let failed = review.count(RowVerdict::Failed);
        let dropped = review.count(RowVerdict::Dropped);
        let good = review.records().saturating_sub(review.totals.failed);
        let phrase = |number: u64, text: &str| match number {
            0 => String::new(),
            number => format!("{} {text}", counted(number, "row", "rows")),
        };
        Sum {
            records: count(review.records()),
            created: count(review.totals.created),
            updated: count(review.count(RowVerdict::Updated)),
            unchanged: count(review.totals.unchanged),
            failed: count(review.totals.failed),
            dropped: match dropped {
                0 => String::new(),
                dropped => format!("{} left out by you", count(dropped)),
            },
            warning: phrase(
                failed,
                if failed == 1 {
                    "fails and will not be imported."
                } else {
                    "fail and will not be imported."
                },
            ),
            edited: phrase(
                review.edited,
                if review.edited == 1 {
                    "was changed in this review."
                } else {
                    "were changed in this review."
                },
            ),
            importable: phrase(good, "").trim_end().to_owned(),
        }
    }
}

fn tabs(review: &Review, query: &ReviewQuery) -> Vec<Tab> {
    let chosen = query.verdict();
    let all = Tab {
        key: "all",
        label: "All",
        count: count(review.records()),
        url: String::new(),
        current: chosen.is_none() && query.group.is_empty(),
    };
    let verdicts = RowVerdict::ALL.into_iter().map(|verdict| Tab {
        key: verdict.key(),
        label: match verdict {
            RowVerdict::Created => "To create",
            RowVerdict::Updated => "To update",
            RowVerdict::Unchanged => "Unchanged",
            RowVerdict::Failed => "Failed",
            RowVerdict::Dropped => "Left out",
        },
        count: count(review.count(verdict)),
        url: link(verdict.key(), ""),
        current: chosen == Some(verdict),
    });
    std::iter::once(all).chain(verdicts).collect()
}
