//! Rows of a review: which there are, and what each says.

use std::sync::Arc;

use rollbook_engine::candidate::Candidate;
use rollbook_engine::contact::ContactId;
use rollbook_engine::field::text::tidy;
use rollbook_engine::issue::Issue;
use rollbook_engine::known::Known;
use rollbook_engine::normalise::Normaliser;
use rollbook_engine::plan::plan;
use rollbook_engine::policy::Policy;
use rollbook_engine::record::Record;

use crate::app::App;
use crate::imports::edits::RowEdit;
use crate::imports::intake::blocking;
use crate::imports::preview::{RowVerdict, know, last_contact};
use crate::imports::review::details::Detail;
use crate::imports::review::groups::Group;
use crate::imports::review::{Review, ReviewError};

/// Which rows.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct RowFilter<'a> {
    /// With this verdict.
    pub(crate) verdict: Option<RowVerdict>,
    /// Of this group.
    pub(crate) group: Option<&'a Group>,
}

/// One row with its cells.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    /// What it says and what would become of it.
    pub(crate) detail: Detail,
    /// Its cells as they are read now: one a column, surplus ones at the end.
    pub(crate) cells: Vec<RowCell>,
    /// The region that its phone numbers are read for, if a person chose one.
    pub(crate) region: Option<String>,
}

/// A cell of a row.
#[derive(Debug, Clone)]
pub(crate) struct RowCell {
    /// The name of its column; blank past the header.
    pub(crate) name: String,
    /// The key of the field that the column goes to.
    pub(crate) field: Option<String>,
    /// The text, edited if somebody did.
    pub(crate) text: String,
    /// The text in the file, if it was edited.
    pub(crate) uploaded: Option<String>,
}

impl Row {
    /// The columns at fault for an issue: those of its field that hold its value; all of its field if none does.
    pub(crate) fn blamed(&self, issue: &Issue) -> Vec<usize> {
        let Some(field) = issue.field.as_deref() else {
            return Vec::new();
        };
        let of_field = self.cells.iter().enumerate();
        let of_field = of_field.filter(|(_, cell)| cell.field.as_deref() == Some(field));
        let all: Vec<usize> = of_field.map(|(column, _)| column).collect();
        let value = issue.value.as_deref().unwrap_or_default();
        let holds = |column: &usize| {
            let text = &self.cells[*column].text;
            text.contains(value) || tidy(text).contains(value)
        };
        let guilty: Vec<usize> = all.iter().copied().filter(holds).collect();
        if guilty.is_empty() { all } else { guilty }
    }
}

impl Review {
    /// How many rows the file has.
    pub(crate) fn records(&self) -> u64 {
        self.verdicts.len() as u64
    }

    /// How many rows have a verdict.
    pub(crate) fn count(&self, verdict: RowVerdict) -> u64 {
        let Some(failed) = self.totals.failed.checked_sub(self.dropped) else {
            return 0;
        };
        match verdict {
            RowVerdict::Created => self.totals.created,
            RowVerdict::Updated => self.totals.updated - self.totals.unchanged,
            RowVerdict::Unchanged => self.totals.unchanged,
            RowVerdict::Failed => failed,
            RowVerdict::Dropped => self.dropped,
        }
    }

    /// The group of a key.
    pub(crate) fn group(&self, key: &str) -> Option<&Group> {
        self.groups.iter().find(|group| group.key() == key)
    }

    /// The numbers of the first `limit` rows after one, and whether there are more.
    pub(crate) fn numbers(
        &self,
        filter: RowFilter<'_>,
        after: u64,
        limit: usize,
    ) -> (Vec<u64>, bool) {
        let is_wanted = |row: u64| match filter.verdict {
            Some(verdict) => self.verdict(row) == Some(verdict),
            None => true,
        };
        let mut found: Vec<u64> = match filter.group {
            Some(group) => {
                let begin = group.rows.partition_point(|row| *row <= after);
                let rows = group.rows[begin..].iter().copied();
                rows.filter(|row| is_wanted(*row)).take(limit + 1).collect()
            }
            None => (after.saturating_add(1)..=self.records())
                .filter(|row| is_wanted(*row))
                .take(limit + 1)
                .collect(),
        };
        let more = found.len() > limit;
        found.truncate(limit);
        (found, more)
    }

    /// Some rows, by their numbers.
    pub(crate) async fn rows(self: &Arc<Self>, numbers: Vec<u64>) -> Result<Vec<Row>, ReviewError> {
        let review = Arc::clone(self);
        let rows = blocking(move || {
            let row = |number: u64| Ok(review.row_of(review.details.row(number)?));
            numbers.into_iter().map(row).collect()
        });
        Ok(rows.await?)
    }

    /// One row.
    pub(crate) async fn row(self: &Arc<Self>, number: u64) -> Result<Row, ReviewError> {
        self.check_row(number)?;
        let mut rows = self.rows(vec![number]).await?;
        rows.pop()
            .ok_or_else(|| ReviewError::Missing(format!("there is no row {number}")))
    }

    /// Refuses rows that the file does not have.
    pub(crate) fn check_row(&self, number: u64) -> Result<(), ReviewError> {
        if (1..=self.records()).contains(&number) {
            return Ok(());
        }
        Err(ReviewError::Missing(format!(
            "there is no row {number}; the file has rows 1 to {}",
            self.records()
        )))
    }

    pub(super) fn row_of(&self, detail: Detail) -> Row {
        let edit = self.edits.row(detail.row);
        Row {
            cells: self.cells(&detail.payload, edit),
            region: edit.and_then(|edit| edit.region.clone()),
            detail,
        }
    }

    /// Judges one row at once with an edit that the review does not know yet: against the contacts that are stored,
    /// not against the other rows.
    pub(super) async fn judge(
        self: &Arc<Self>,
        app: &App,
        number: u64,
        edit: RowEdit,
    ) -> Result<Row, ReviewError> {
        let mut detail = self.row(number).await?.detail;
        let review = Arc::clone(self);
        let uploaded = self
            .options
            .reading
            .cells(&detail.payload, &self.options.header);
        let unreadable = detail.issues.iter().any(|issue| {
            issue.field.is_none() && issue.code != "record.empty" && issue.code != Issue::DROPPED
        });
        let normalised = {
            let edit = edit.clone();
            blocking(move || {
                let record: Record = uploaded.iter().map(String::as_str).collect();
                let header = &review.options.header;
                Ok(edit.normalise(&record, header, &Normaliser::new(), &review.binding))
            })
        };
        let candidate = match &edit.dropped {
            Some(by) if unreadable => Candidate::default().dropped(by),
            None if unreadable => Candidate::unreadable(detail.issues.remove(0)),
            _ => normalised.await?,
        };
        let source = &self.source;
        let policy = Policy::standard(source.settings.mode, &source.settings.namespace);
        let asked = candidate.identifiers(&policy);
        let asked = asked.map(|(identifier, _)| identifier).collect();
        let mut known = Known::new();
        know(app, source.workspace, asked, &mut known).await?;
        let new = ContactId(last_contact(app, source).await? + 1);
        let schema = self.binding.schema();
        let plan = plan(vec![candidate], &mut known, &policy, schema, &mut || new);
        if let Some(step) = plan.steps.into_iter().next() {
            detail = Detail {
                verdict: RowVerdict::of(&step),
                matched_on: step.outcome().matched_on,
                contact: step.contact().filter(|id| *id != new).map(|id| id.0),
                shown: step.shown,
                issues: step.issues,
                notes: step.notes,
                changes: step.changes,
                ..detail
            };
        }
        Ok(self.with_edit(detail, &edit))
    }

    /// A row whose cells were edited like this, whatever the review knows.
    pub(super) fn with_edit(&self, detail: Detail, edit: &RowEdit) -> Row {
        Row {
            cells: self.cells(&detail.payload, Some(edit)),
            region: edit.region.clone(),
            detail,
        }
    }

    /// What would become of a row.
    pub(crate) fn verdict(&self, row: u64) -> Option<RowVerdict> {
        let place = usize::try_from(row.checked_sub(1)?).ok()?;
        self.verdicts.get(place).copied()
    }

    fn cells(&self, payload: &str, edit: Option<&RowEdit>) -> Vec<RowCell> {
        let options = &self.options;
        let uploaded = options.reading.cells(payload, &options.header);
        let fields = options.mapping.entries_for(&options.header);
        let count = options.header.len().max(uploaded.len());
        let cell = |column: usize| {
            let text = uploaded.get(column).cloned().unwrap_or_default();
            let edited = edit.and_then(|edit| edit.cells.get(&column));
            RowCell {
                name: options.header.get(column).cloned().unwrap_or_default(),
                field: fields
                    .get(column)
                    .and_then(|entry| entry.as_ref()?.field.clone()),
                uploaded: edited.map(|_| text.clone()),
                text: edited.cloned().unwrap_or(text),
            }
        };
        (0..count).map(cell).collect()
    }
}
