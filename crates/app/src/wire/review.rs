//! A review as JSON.

use rollbook_engine::change::Change;
use rollbook_engine::contact::IdentifierKind;
use rollbook_engine::issue::{Issue, Note};
use rollbook_engine::plan::ExpectedVerdict;
use serde::Serialize;
use utoipa::ToSchema;

use super::{ChangeSchema, IdentifierKindSchema, IssueSchema, NoteSchema, TotalsJson, rfc3339};
use crate::imports::preview::RowVerdict;
use crate::imports::review::groups::Group;
use crate::imports::review::rows::Row;
use crate::imports::review::{Open, Review};

/// Where a review is.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ReviewState)]
pub(crate) enum ReviewStateJson {
    /// It is being made; ask again.
    Running,
    /// It is made.
    Done,
    /// It cannot be made.
    Failed,
}

/// A dry run of the whole file.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Review)]
pub(crate) struct ReviewJson {
    /// Whether it is made. While it is made again after a change, the rest is of the one before.
    pub(crate) state: ReviewStateJson,
    /// Rows judged so far.
    pub(crate) judged_rows: u64,
    /// Rows in the file, once counted.
    pub(crate) expected_rows: Option<u64>,
    /// Why it cannot be made.
    pub(crate) error: Option<String>,
    /// When it was made: RFC 3339, UTC.
    #[schema(format = "date-time")]
    pub(crate) made_at: Option<String>,
    /// The counts that the import would have; rows that were left out count within `failed`.
    pub(crate) totals: Option<TotalsJson>,
    /// Rows by verdict; these add up to all rows.
    pub(crate) verdicts: Option<VerdictsJson>,
    /// Rows that were edited or left out.
    pub(crate) edited_rows: u64,
    /// The issues by kind and field, the most frequent first.
    pub(crate) groups: Vec<GroupJson>,
}

/// How many rows have each verdict.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[schema(as = Verdicts)]
pub(crate) struct VerdictsJson {
    /// Rows that create a contact.
    created: u64,
    /// Rows that change a contact.
    updated: u64,
    /// Rows that find a contact that stands so already.
    unchanged: u64,
    /// Rows that fail.
    failed: u64,
    /// Rows that a person left out.
    dropped: u64,
}

/// Issues of one kind in one field.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = IssueGroup)]
pub(crate) struct GroupJson {
    /// What it is called in `group` of other calls.
    #[schema(example = "phone.no_region:phone")]
    group: String,
    /// The stable code of the issue.
    #[schema(example = "phone.no_region")]
    code: String,
    /// The key of the field; null when the issue is about whole records.
    #[schema(example = "phone")]
    field: Option<String>,
    /// How many rows have it.
    rows: usize,
    /// Some of them.
    examples: Vec<ExampleJson>,
    /// What `POST /imports/{id}/fixes` can do about it.
    #[schema(example = json!(["set_region", "replace", "clear", "drop"]))]
    fixes: Vec<&'static str>,
}

/// One issue of a group.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = IssueExample)]
pub(crate) struct ExampleJson {
    /// The row, from 1.
    row: u64,
    /// The value.
    value: Option<String>,
    /// What is wrong with it, and what to do.
    message: String,
}

/// A row as it would be imported.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ReviewedRow)]
pub(crate) struct RowJson {
    /// Its number, from 1.
    row: u64,
    /// What would become of it.
    verdict: RowVerdictJson,
    /// For updates what finds the contact.
    #[schema(value_type = Option<IdentifierKindSchema>)]
    matched_on: Option<&'static str>,
    /// The stored contact that it is about.
    #[schema(example = "1")]
    contact_id: Option<String>,
    /// The first row of the same file that is about the same person, or has an identifier that this one wants.
    same_as_row: Option<u64>,
    /// The name, if available.
    name: Option<String>,
    /// The primary phone number.
    phone: Option<String>,
    /// The primary email address.
    email: Option<String>,
    /// The External ID.
    external_id: Option<String>,
    /// Why something cannot be used.
    #[schema(value_type = Vec<IssueSchema>)]
    issues: Vec<Issue>,
    /// What else is worth knowing.
    #[schema(value_type = Vec<NoteSchema>)]
    notes: Vec<Note>,
    /// What it would change.
    #[schema(value_type = Vec<ChangeSchema>)]
    changes: Vec<Change>,
    /// Its cells, one a column.
    cells: Vec<CellJson>,
    /// The region that a person chose for its phone numbers.
    region: Option<String>,
}

/// A cell of a row.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ReviewedCell)]
pub(crate) struct CellJson {
    /// The name of its column; blank past the header.
    #[schema(example = "Telefon")]
    column: String,
    /// The key of the field that the column goes to.
    #[schema(example = "phone")]
    field: Option<String>,
    /// The text as it would be imported.
    value: String,
    /// The text in the file, if it was edited; else null.
    uploaded: Option<String>,
}

/// What would become of a row.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = RowVerdict)]
pub(crate) enum RowVerdictJson {
    /// It creates a contact.
    Created,
    /// It changes a contact.
    Updated,
    /// It finds a contact that stands so already.
    Unchanged,
    /// It fails.
    Failed,
    /// A person left it out.
    Dropped,
}

impl From<RowVerdict> for RowVerdictJson {
    fn from(verdict: RowVerdict) -> RowVerdictJson {
        match verdict {
            RowVerdict::Created => RowVerdictJson::Created,
            RowVerdict::Updated => RowVerdictJson::Updated,
            RowVerdict::Unchanged => RowVerdictJson::Unchanged,
            RowVerdict::Failed => RowVerdictJson::Failed,
            RowVerdict::Dropped => RowVerdictJson::Dropped,
        }
    }
}

impl From<ExpectedVerdict> for RowVerdictJson {
    fn from(verdict: ExpectedVerdict) -> RowVerdictJson {
        match verdict {
            ExpectedVerdict::Created => RowVerdictJson::Created,
            ExpectedVerdict::Updated => RowVerdictJson::Updated,
            ExpectedVerdict::Unchanged => RowVerdictJson::Unchanged,
            ExpectedVerdict::Failed => RowVerdictJson::Failed,
        }
    }
}

impl ReviewJson {
    /// The JSON of a review as it stands.
    pub(crate) fn of(open: &Open) -> ReviewJson {
        let (judged_rows, expected_rows) = open.progress();
        let outcome = open.outcome();
        let review = open.latest();
        let (state, error) = match outcome {
            None => (ReviewStateJson::Running, None),
            Some(Ok(_)) => (ReviewStateJson::Done, None),
            Some(Err(error)) => (ReviewStateJson::Failed, Some(error)),
        };
        let review = review.as_deref();
        ReviewJson {
            state,
            judged_rows,
            expected_rows,
            error,
            made_at: review.map(|review| rfc3339(review.made_at)),
            totals: review.map(|review| review.totals.into()),
            verdicts: review.map(VerdictsJson::of),
            edited_rows: review.map_or(0, |review| review.edited),
            groups: review.map_or_else(Vec::new, |review| {
                review.groups.iter().map(GroupJson::of).collect()
            }),
        }
    }
}

impl VerdictsJson {
    fn of(review: &Review) -> VerdictsJson {
        VerdictsJson {
            created: review.count(RowVerdict::Created),
            updated: review.count(RowVerdict::Updated),
            unchanged: review.count(RowVerdict::Unchanged),
            failed: review.count(RowVerdict::Failed),
            dropped: review.count(RowVerdict::Dropped),
        }
    }
}

impl GroupJson {
    /// The JSON of a group.
    pub(crate) fn of(group: &Group) -> GroupJson {
        let examples = group.examples.iter().map(|example| ExampleJson {
            row: example.row,
            value: example.value.clone(),
            message: example.message.clone(),
        });
        GroupJson {
            group: group.key(),
            code: group.code.to_string(),
            field: group.field.as_ref().map(ToString::to_string),
            rows: group.rows.len(),
            examples: examples.collect(),
            fixes: group.fixes().iter().map(|fix| fix.key()).collect(),
        }
    }
}

impl RowJson {
    /// The JSON of a row.
    pub(crate) fn of(row: Row) -> RowJson {
        let Row {
            detail,
            cells,
            region,
        } = row;
        let cells = cells.into_iter().map(|cell| CellJson {
            column: cell.name,
            field: cell.field,
            value: cell.text,
            uploaded: cell.uploaded,
        });
        RowJson {
            row: detail.row,
            verdict: detail.verdict.into(),
            matched_on: detail.matched_on.map(IdentifierKind::key),
            contact_id: detail.contact.map(|id| id.to_string()),
            same_as_row: detail.same_row,
            name: detail.shown.name.map(String::from),
            phone: detail.shown.phone.map(String::from),
            email: detail.shown.email.map(String::from),
            external_id: detail.shown.external_id.map(String::from),
            issues: detail.issues,
            notes: detail.notes,
            changes: detail.changes,
            cells: cells.collect(),
            region,
        }
    }
}
