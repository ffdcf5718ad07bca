//! What people change about the rows of a file before it is imported: cells, the region of phone numbers, or that a row
//! is left out. The file stays as it was uploaded; edits are applied whenever a record of it is read.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use rollbook_engine::candidate::Candidate;
use rollbook_engine::issue::Note;
use rollbook_engine::mapping::Binding;
use rollbook_engine::normalise::Normaliser;
use rollbook_engine::record::{Cell, Record};
use rollbook_store::StoreError;
use rollbook_store::imports::Import;
use serde::{Deserialize, Serialize};

use crate::app::App;

/// How often a change is tried while others change rows as well.
const TRIES: usize = 20;

/// What a person changed about one row.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct RowEdit {
    /// The texts of cells, by their columns.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) cells: BTreeMap<usize, String>,
    /// The region of its phone numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) region: Option<String>,
    /// Who left it out, if somebody did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) dropped: Option<String>,
}

/// What is to be changed about one row; what is not mentioned stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct RowChange {
    /// New texts of cells; none takes the edit of that cell away.
    pub(crate) cells: Vec<(usize, Option<String>)>,
    /// The region; a blank one takes it away.
    pub(crate) region: Option<String>,
    /// Whether it is left out.
    pub(crate) dropped: Option<bool>,
}

/// The edits of a file, by row.
#[derive(Debug, Default)]
pub(crate) struct Edits(HashMap<u64, RowEdit>);

impl Edits {
    /// The edits of an import.
    pub(crate) async fn of(app: &App, import: &Import) -> Result<Arc<Edits>, StoreError> {
        if import.edits == 0 {
            return Ok(Arc::default());
        }
        Edits::of_rows(app, import, 0, u64::MAX).await.map(Arc::new)
    }

    /// The edits of some rows of an import.
    pub(super) async fn of_rows(
        app: &App,
        import: &Import,
        first: u64,
        last: u64,
    ) -> Result<Edits, StoreError> {
        let stored = app
            .store
            .edited_rows(import.workspace, import.id, first, last)
            .await?;
        let edits = stored.into_iter().map(|(row, json)| {
            let edit = serde_json::from_str(&json)
                .map_err(|error| StoreError::Damaged(format!("the edit of row {row}: {error}")))?;
            Ok((row, edit))
        });
        Ok(Edits(edits.collect::<Result<_, StoreError>>()?))
    }

    /// What was changed about a row.
    pub(crate) fn row(&self, row: u64) -> Option<&RowEdit> {
        // Most files have none, and this is asked for every record.
        if self.0.is_empty() {
            return None;
        }
        self.0.get(&row)
    }

    /// How many rows were edited.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

impl RowEdit {
    /// The record with its cells changed.
    pub(crate) fn applied(&self, record: &Record) -> Record {
        let last = self
            .cells
            .last_key_value()
            .map_or(0, |(column, _)| *column + 1);
        let mut edited = Record::with_capacity(record.len().max(last), 0);
        for column in 0..record.len().max(last) {
            match (self.cells.get(&column), record.cell(column)) {
                (Some(text), _) => edited.push_text(text),
                (None, Cell::Text(text)) => edited.push_text(text),
                (None, Cell::Absent) => edited.push_absent(),
                (None, Cell::Null) => edited.push_null(),
                (None, Cell::List(items)) => edited.push_list(items),
            }
        }
        edited
    }

    /// Reads the record as it was changed; a row that was left out is rejected, and says by whom.
    pub(crate) fn normalise(
        &self,
        record: &Record,
        header: &[String],
        normaliser: &Normaliser,
        binding: &Binding,
    ) -> Candidate {
        let edited = self.applied(record);
        let mut candidate = match &self.region {
            Some(region) => normaliser.normalise_for_region(&edited, binding, region),
            None => normaliser.normalise(&edited, binding),
        };
        if let Some(by) = &self.dropped {
            return candidate.dropped(by);
        }
        for (column, text) in &self.cells {
            let before = match record.cell(*column) {
                Cell::Text(text) => text.to_owned(),
                Cell::List(items) => items.join("; "),
                Cell::Absent | Cell::Null => String::new(),
            };
            let name = header.get(*column).map_or("", String::as_str);
            candidate.notes.push(Note::edited(name, &before, text));
        }
        candidate
            .notes
            .extend(self.region.as_deref().map(Note::region_set));
        candidate
    }

    /// Changes it further.
    fn change(&mut self, change: RowChange, by: &str) {
        for (column, text) in change.cells {
            match text {
                Some(text) => self.cells.insert(column, text),
                None => self.cells.remove(&column),
            };
        }
        if let Some(region) = change.region {
            self.region = Some(region).filter(|region| !region.is_empty());
        }
        if let Some(dropped) = change.dropped {
            self.dropped = dropped.then(|| by.to_owned());
        }
    }
}

/// Changes rows of an import that waits for its review, all or none.
pub(crate) async fn change(
    app: &App,
    import: &Import,
    by: &str,
    changes: &[(u64, RowChange)],
) -> Result<Import, StoreError> {
    let rows = changes.iter().map(|(row, _)| *row);
    let (first, last) = (rows.clone().min(), rows.max());
    let (Some(first), Some(last)) = (first, last) else {
        return Ok(import.clone());
    };
    for _ in 0..TRIES {
        let Some(now) = app.store.import(import.workspace, import.id).await? else {
            return Err(StoreError::Missing(format!("import {}", import.id)));
        };
        let mut edits = Edits::of_rows(app, &now, first, last).await?.0;
        let mut rows = Vec::with_capacity(changes.len());
        for (row, change) in changes {
            let mut edit = edits.remove(row).unwrap_or_default();
            edit.change(change.clone(), by);
            let json = if edit == RowEdit::default() {
                None
            } else {
                let json = serde_json::to_string(&edit);
                Some(json.map_err(|error| StoreError::Damaged(error.to_string()))?)
            };
            rows.push((*row, json));
        }
        let stored = app
            .store
            .edit_rows(now.workspace, now.id, now.edits, rows)
            .await?;
        if let Some(import) = stored {
            return Ok(import);
        }
    }
    Err(StoreError::Busy)
}
