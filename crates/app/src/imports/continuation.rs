//! Which import a file goes on with: failed rows come back corrected, and belong to the import that they failed in.

use std::collections::BTreeSet;

use rollbook_engine::attempt::ImportResult;
use rollbook_engine::record::{Cell, Record};
use rollbook_store::StoreError;
use rollbook_store::imports::{Import, ImportFilter, ImportKind, ImportState};
use rollbook_store::log::{LogFilter, Paging};
use rollbook_store::sources::Source;

use crate::app::App;
use crate::imports::failed_rows::{OURS, is_ours};
use crate::imports::options::ImportOptions;
use crate::spreadsheet::neutralise;

/// The states of imports in which rows can have failed.
const BEGUN: [ImportState; 5] = [
    ImportState::Queued,
    ImportState::Running,
    ImportState::Done,
    ImportState::Failed,
    ImportState::Cancelled,
];

/// Imports that are looked through for one with the same columns.
const LATEST: u16 = 200;

/// Imports with the same columns whose failed rows are looked at.
const ASKED: usize = 20;

/// Attempts that are read from the log at a time.
const PAGE: u32 = 1_000;

/// What a file of failed rows came from.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    /// How the rows were first read and mapped: their few values are no ground to guess from anew.
    pub(crate) options: ImportOptions,
    /// The import that they failed in; none if only its columns are known.
    pub(crate) parent: Option<Import>,
}

/// The numbers that a file of failed rows gives its rows; blank ones, of rows that somebody added, are left out.
pub(crate) fn numbers(header: &[String], records: &[Record]) -> BTreeSet<u64> {
    let Some(column) = header.iter().position(|name| name == OURS[0]) else {
        return BTreeSet::new();
    };
    let number = |record: &Record| match record.cell(column) {
        Cell::Text(text) => text.trim().parse().ok(),
        _ => None,
    };
    records.iter().filter_map(number).collect()
}

/// The newest import of this source with the same columns in which rows of these numbers failed; else the newest with
/// the same columns.
pub(crate) async fn origin(
    app: &App,
    source: &Source,
    header: &[String],
    numbers: &BTreeSet<u64>,
) -> Result<Option<Origin>, StoreError> {
    if !OURS.iter().all(|name| header.iter().any(|own| own == name)) {
        return Ok(None);
    }
    let filter = ImportFilter {
        states: BEGUN.to_vec(),
        source: Some(source.id),
        ..ImportFilter::default()
    };
    let latest = app
        .store
        .imports_like(source.workspace, filter, None, LATEST)
        .await?;
    let alike = latest
        .into_iter()
        .filter(|import| import.kind == ImportKind::File)
        .filter_map(|import| {
            let options: ImportOptions = serde_json::from_str(import.options.as_deref()?).ok()?;
            same_columns(&options.header, header).then_some((import, options))
        });
    let mut newest = None;
    for (import, options) in alike.take(ASKED) {
        if have_failed(app, &import, numbers).await? {
            return Ok(Some(Origin {
                options,
                parent: Some(import),
            }));
        }
        newest.get_or_insert(Origin {
            options,
            parent: None,
        });
    }
    Ok(newest)
}

/// The columns of a file of failed rows as the file that they come from has them, each at its place.
pub(crate) fn named_as_before(header: &[String], before: &[String]) -> Vec<String> {
    let mut before = before.iter().filter(|name| !is_ours(name));
    let name = |name: &String| {
        let own = if is_ours(name) { None } else { before.next() };
        own.unwrap_or(name).clone()
    };
    header.iter().map(name).collect()
}

/// Whether a file of failed rows has the columns of another file. Names that look like formulas were marked as text.
fn same_columns(before: &[String], header: &[String]) -> bool {
    let before = before.iter().filter(|name| !is_ours(name));
    let now = header.iter().filter(|name| !is_ours(name));
    before
        .map(|name| neutralise(name).trim().to_owned())
        .eq(now.map(|name| neutralise(name).trim().to_owned()))
}

/// Whether rows of all these numbers failed in an import. Rows are in the log in the order of the file, so nothing
/// past the last number is read.
async fn have_failed(
    app: &App,
    import: &Import,
    numbers: &BTreeSet<u64>,
) -> Result<bool, StoreError> {
    let mut missing = numbers.clone();
    let Some(last) = numbers.last() else {
        return Ok(false);
    };
    if import.totals.failed == 0 {
        return Ok(false);
    }
    let filter = LogFilter {
        import: Some(import.id),
        result: Some(ImportResult::Failure),
        ..LogFilter::default()
    };
    let mut after = 0;
    loop {
        let paging = Paging::After(after);
        let page = app
            .store
            .page(import.workspace, filter.clone(), paging, PAGE)
            .await?;
        for attempt in &page.attempts {
            after = attempt.id.number();
            let Some(row) = attempt.row else { continue };
            missing.remove(&row);
            if missing.is_empty() || row > *last {
                return Ok(missing.is_empty());
            }
        }
        if !page.more || page.attempts.is_empty() {
            return Ok(false);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn columns_are_the_same_whatever_was_marked_as_text() {
        let before = names(&["Name", "+Phone", "=x", " Ort "]);
        let header = names(&["Name", "'+Phone", "'=x", "Ort", "_row", "_reason"]);
        assert!(same_columns(&before, &header));
        let again = names(&["Name", "+Phone", "=x", "Ort", "_row", "_reason"]);
        assert!(same_columns(&again, &header));
        assert!(!same_columns(&before[..3], &header));
        assert!(!same_columns(&names(&["Name"]), &names(&["Names"])));
        assert_eq!(
            named_as_before(&header, &before),
            names(&["Name", "+Phone", "=x", " Ort ", "_row", "_reason"])
        );
    }
}
