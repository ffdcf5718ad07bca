//! Changing rows in a review: one of them, or all of a group.

use std::sync::Arc;

use rollbook_engine::field::country;
use rollbook_store::imports::{Import, MAX_EDITED_ROWS};

use crate::app::App;
use crate::imports::edits::{self, Edits, RowChange, RowEdit};
use crate::imports::intake::blocking;
use crate::imports::review::groups::{FixKind, Group};
use crate::imports::review::rows::Row;
use crate::imports::review::{Open, PATIENCE, Review, ReviewError, open};

/// The longest text of an edited cell, in characters: more than any field takes.
const MAX_CELL: usize = 20_000;

/// What is done about all rows of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fix {
    /// Their phone numbers are read for a region.
    SetRegion(String),
    /// A text in the cells at fault is replaced.
    Replace {
        /// The text.
        find: String,
        /// What takes its place.
        with: String,
    },
    /// Control characters are taken out of the cells at fault.
    Clean,
    /// The cells at fault are blanked.
    Clear,
    /// The rows are left out.
    Drop,
}

impl Fix {
    fn kind(&self) -> FixKind {
        match self {
            Fix::SetRegion(_) => FixKind::SetRegion,
            Fix::Replace { .. } => FixKind::Replace,
            Fix::Clean => FixKind::Clean,
            Fix::Clear => FixKind::Clear,
            Fix::Drop => FixKind::Drop,
        }
    }
}

/// What a fix changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fixed {
    /// Rows.
    pub(crate) rows: u64,
    /// Cells in them.
    pub(crate) cells: u64,
}

/// A row after a change.
#[derive(Debug)]
pub(crate) struct Changed {
    /// The row.
    pub(crate) row: Row,
    /// Whether it was judged with all other rows; if not, the review that will is being made.
    pub(crate) exact: bool,
}

/// A row as it was reviewed, with its cells as they are by now.
pub(crate) async fn row_now(app: &App, import: &Import, number: u64) -> Result<Row, ReviewError> {
    let review = made(&open(app, import, false).await?).await?;
    let row = review.row(number).await?;
    let edit = Edits::of_row(app, import, number).await?;
    Ok(review.with_edit(row.detail, &edit))
}

/// Changes one row, and judges it again.
pub(crate) async fn change_row(
    app: &App,
    import: &Import,
    by: &str,
    number: u64,
    mut change: RowChange,
) -> Result<Changed, ReviewError> {
    let review = made(&open(app, import, false).await?).await?;
    let row = review.row(number).await?;
    for (column, text) in &mut change.cells {
        let Some(cell) = row.cells.get(*column) else {
            return Err(ReviewError::Missing(format!("there is no column {column}")));
        };
        if let Some(text) = text
            && text.chars().count() > MAX_CELL
        {
            return Err(ReviewError::Value(format!(
                "the text for `{}` is longer than {MAX_CELL} characters; shorten it",
                cell.name
            )));
        }
        // What is in the file again is no edit.
        if text.as_ref() == Some(cell.uploaded.as_ref().unwrap_or(&cell.text)) {
            *text = None;
        }
    }
    if let Some(region) = &mut change.region {
        *region = match region.trim() {
            "" => String::new(),
            region => checked_region(region)?,
        };
    }
    let import = edits::change(app, import, by, &[(number, change)]).await?;
    let now = open(app, &import, false).await?;
    if let Some(Ok(review)) = now.wait(PATIENCE).await {
        let row = review.row(number).await?;
        return Ok(Changed { row, exact: true });
    }
    let edits = Edits::of_row(app, &import, number).await?;
    let row = review.judge(app, number, edits).await?;
    Ok(Changed { row, exact: false })
}

/// Changes all rows of a group; only tells how many it would change if `only_count`.
pub(crate) async fn fix(
    app: &App,
    import: &Import,
    by: &str,
    group: &str,
    fix: Fix,
    only_count: bool,
) -> Result<Fixed, ReviewError> {
    let open_now = open(app, import, false).await?;
    // The group must be as it is, not as it was.
    let review = match open_now.wait(PATIENCE).await {
        Some(outcome) => outcome.map_err(ReviewError::Failed)?,
        None => return Err(ReviewError::NotReady),
    };
    let Some(group) = review.group(group).cloned() else {
        return Err(ReviewError::Missing(format!(
            "there is no group `{group}` in the review any more; look at its groups again"
        )));
    };
    if !group.fixes().contains(&fix.kind()) {
        return Err(ReviewError::Value(format!(
            "`{}` does not help with `{}`; use one of {}",
            fix.kind().key(),
            group.key(),
            names(group.fixes())
        )));
    }
    if group.rows.len() as u64 > MAX_EDITED_ROWS {
        return Err(ReviewError::Value(format!(
            "the group has more than {MAX_EDITED_ROWS} rows; correct the file itself and upload it again"
        )));
    }
    let fix = match fix {
        Fix::SetRegion(region) => Fix::SetRegion(checked_region(&region)?),
        Fix::Replace { find, .. } if find.is_empty() => {
            return Err(ReviewError::Value(
                "there is nothing to find; say what is to be replaced".to_owned(),
            ));
        }
        fix => fix,
    };
    let changes = changes(review, group, fix).await?;
    let cells = changes.iter().map(|(_, change)| change.cells.len() as u64);
    let fixed = Fixed {
        rows: changes.len() as u64,
        cells: cells.sum(),
    };
    if !only_count && !changes.is_empty() {
        let import = edits::change(app, import, by, &changes).await?;
        // The next review begins now, and not when somebody asks.
        open(app, &import, false).await?;
    }
    Ok(fixed)
}

/// Takes all edits away; says how many rows had one.
pub(crate) async fn undo(app: &App, import: &Import) -> Result<u64, ReviewError> {
    open(app, import, false).await?;
    Ok(app.store.undo_edits(import.workspace, import.id).await?)
}

/// The review, or the one before while it is being made again.
async fn made(open: &Open) -> Result<Arc<Review>, ReviewError> {
    if let Some(review) = open.latest() {
        return Ok(review);
    }
    match open.wait(PATIENCE).await {
        Some(outcome) => outcome.map_err(ReviewError::Failed),
        None => Err(ReviewError::NotReady),
    }
}

/// What a fix does to each row of a group; rows that it does not change are left out.
async fn changes(
    review: Arc<Review>,
    group: Group,
    fix: Fix,
) -> Result<Vec<(u64, RowChange)>, ReviewError> {
    let all = |change: RowChange| {
        let rows = group.rows.iter();
        Ok(rows.map(|row| (*row, change.clone())).collect())
    };
    let new = match fix {
        Fix::SetRegion(region) => {
            return all(RowChange {
                region: Some(region),
                ..RowChange::default()
            });
        }
        Fix::Drop => {
            return all(RowChange {
                dropped: Some(true),
                ..RowChange::default()
            });
        }
        Fix::Replace { find, with } => Box::new(move |text: &str| text.replace(&find, &with))
            as Box<dyn Fn(&str) -> String + Send>,
        Fix::Clean => Box::new(|text: &str| text.chars().filter(|c| !c.is_control()).collect()),
        Fix::Clear => Box::new(|_: &str| String::new()),
    };
    let changes = blocking(move || {
        let mut changes = Vec::new();
        for number in &group.rows {
            let row = review.row_of(review.details.row(*number)?);
            let cells = changed_cells(&row, &group, &new);
            if !cells.is_empty() {
                let change = RowChange {
                    cells,
                    ..RowChange::default()
                };
                changes.push((*number, change));
            }
        }
        Ok(changes)
    });
    Ok(changes.await?)
}

/// New texts for the cells that are at fault for a group's issues in a row.
fn changed_cells(
    row: &Row,
    group: &Group,
    new: &dyn Fn(&str) -> String,
) -> Vec<(usize, Option<String>)> {
    let issues = row.detail.issues.iter();
    let issues = issues.filter(|issue| issue.code == group.code && issue.field == group.field);
    let mut columns: Vec<usize> = issues.flat_map(|issue| row.blamed(issue)).collect();
    columns.sort_unstable();
    columns.dedup();
    let changed = columns.into_iter().filter_map(|column| {
        let text = &row.cells[column].text;
        let new = new(text);
        (new != *text && new.chars().count() <= MAX_CELL).then_some((column, Some(new)))
    });
    changed.collect()
}

fn checked_region(region: &str) -> Result<String, ReviewError> {
    country::parse(region.trim())
        .map(str::to_owned)
        .map_err(|_| {
            ReviewError::Value(format!(
                "`{}` is not a region; use the code or the name of a country, as GB",
                region.trim()
            ))
        })
}

fn names(kinds: &[FixKind]) -> String {
    let names: Vec<String> = kinds
        .iter()
        .map(|kind| format!("`{}`", kind.key()))
        .collect();
    names.join(", ")
}

impl Edits {
    /// The edit of one row.
    async fn of_row(app: &App, import: &Import, row: u64) -> Result<RowEdit, ReviewError> {
        let edits = Edits::of_rows(app, import, row, row).await?;
        Ok(edits.row(row).cloned().unwrap_or_default())
    }
}
