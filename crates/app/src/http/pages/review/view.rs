//! What a review's page prints: tabs, groups of issues, rows with their cells.

use std::collections::BTreeMap;

use rollbook_engine::change::Change;
use rollbook_engine::contact::{IdentifierKind, Text};
use rollbook_engine::schema::Schema;

use crate::http::pages::show::{count, counted, encode, field_label, phone, values};
use crate::imports::preview::RowVerdict;
use crate::imports::review::groups::{FixKind, Group};
use crate::imports::review::rows::Row;

/// A tab.
#[derive(Debug, Clone)]
pub(crate) struct Tab {
    pub(crate) key: &'static str,
    pub(crate) label: &'static str,
    pub(crate) count: String,
    pub(crate) url: String,
    pub(crate) current: bool,
}

/// A group of issues.
#[derive(Debug, Clone)]
pub(crate) struct GroupView {
    pub(crate) key: String,
    /// `Phone Number: no country code`.
    pub(crate) title: String,
    /// `212 rows`.
    pub(crate) rows: String,
    pub(crate) single: bool,
    pub(crate) example: String,
    pub(crate) url: String,
    pub(crate) current: bool,
    pub(crate) fixes: &'static [FixKind],
}

impl GroupView {
    pub(super) fn of(group: &Group, current: bool, schema: &Schema) -> GroupView {
        let key = group.key();
        let what = what(&group.code);
        GroupView {
            title: if let Some(field) = &group.field {
                format!("{}: {what}", field_label(schema, field))
            } else {
                let mut letters = what.chars();
                let first = letters
                    .next()
                    .map(|letter| letter.to_uppercase().to_string());
                first.unwrap_or_default() + letters.as_str()
            },
            single: group.rows.len() == 1,
            rows: counted(group.rows.len() as u64, "row", "rows"),
            example: group
                .examples
                .first()
                .map(|example| example.message.clone())
                .unwrap_or_default(),
            url: format!("?group={}", encode(&key)),
            key,
            current,
            fixes: group.fixes(),
        }
    }

    /// Whether something can be done about it.
    pub(crate) fn can(&self, fix: &str) -> bool {
        self.fixes.iter().any(|one| one.key() == fix)
    }
}

/// What the issues of a code have in common.
fn what(code: &str) -> &str {
    match code {
        "phone.invalid" => "not a valid number",
        "phone.no_region" => "no country code",
        "email.invalid" => "not an email address",
        "date.invalid" => "not a date",
        "date.ambiguous" => "could be two days",
        "time.invalid" => "not a time of day",
        "number.invalid" => "not a number",
        "boolean.invalid" => "neither yes nor no",
        "choice.unknown" => "not one of the choices",
        "language.unknown" => "not a language we know",
        "country.unknown" => "not a country we know",
        "url.invalid" => "not a web address",
        "text.too_long" => "too long",
        "text.control_character" => "a control character",
        "value.precision_lost" => "digits lost in a spreadsheet",
        "identifier.taken" => "belongs to somebody else",
        "record.empty" => "nothing in the row",
        "record.no_identifier" => "nothing to find the person by",
        "record.unreadable" => "rows that cannot be read",
        "record.too_many_cells" => "more cells than columns",
        "record.too_large" => "rows that are too large",
        other => other,
    }
}

/// A row.
#[derive(Debug, Clone)]
pub(crate) struct RowView {
    pub(crate) number: u64,
    pub(crate) shown_number: String,
    pub(crate) class: &'static str,
    pub(crate) verdict: &'static str,
    pub(crate) dropped: bool,
    /// `by phone number`; blank for others than updates.
    pub(crate) matched_on: &'static str,
    pub(crate) contact: Option<u64>,
    pub(crate) same_row: Option<u64>,
    pub(crate) name: String,
    pub(crate) phone: String,
    pub(crate) email: String,
    pub(crate) external_id: String,
    /// What is wrong with the row as a whole.
    pub(crate) problems: Vec<String>,
    /// Cells with something wrong.
    pub(crate) wrong: Vec<CellView>,
    /// The other cells that are imported.
    pub(crate) others: Vec<CellView>,
    pub(crate) changes: Vec<ChangeView>,
    pub(crate) notes: Vec<String>,
    pub(crate) region: String,
}

/// A cell.
#[derive(Debug, Clone)]
pub(crate) struct CellView {
    pub(crate) column: usize,
    pub(crate) name: String,
    pub(crate) value: String,
    pub(crate) lines: bool,
    /// The text in the file, if it was changed.
    pub(crate) uploaded: Option<String>,
    pub(crate) problems: Vec<String>,
}

/// A change of a contact.
#[derive(Debug, Clone)]
pub(crate) struct ChangeView {
    pub(crate) field: String,
    pub(crate) before: String,
    pub(crate) after: String,
}

impl RowView {
    /// A row ready to print.
    pub(crate) fn of(row: Row, schema: &Schema) -> RowView {
        let mut problems = Vec::new();
        let mut by_cell: BTreeMap<usize, Vec<String>> = BTreeMap::new();
        for issue in &row.detail.issues {
            let columns = row.blamed(issue);
            if columns.is_empty() {
                problems.push(issue.message.clone());
            }
            for column in columns {
                by_cell
                    .entry(column)
                    .or_default()
                    .push(issue.message.clone());
            }
        }
        let mut wrong = Vec::new();
        let mut others = Vec::new();
        for (column, cell) in row.cells.into_iter().enumerate() {
            let problems = by_cell.remove(&column).unwrap_or_default();
            let is_imported = cell.field.is_some();
            let list = if problems.is_empty() {
                &mut others
            } else {
                &mut wrong
            };
            if is_imported {
                list.push(CellView {
                    column,
                    name: if cell.name.trim().is_empty() {
                        format!("Column {}", count(column as u64 + 1))
                    } else {
                        cell.name
                    },
                    lines: cell.text.contains('\n'),
                    value: cell.text,
                    uploaded: cell.uploaded,
                    problems,
                });
            }
        }
        let detail = row.detail;
        let text = |text: Option<Text>| text.map(String::from).unwrap_or_default();
        let (class, verdict) = match detail.verdict {
            RowVerdict::Created => ("ok", "Create"),
            RowVerdict::Updated => ("ok", "Update"),
            RowVerdict::Unchanged => ("quiet", "No change"),
            RowVerdict::Failed => ("bad", "Fails"),
            RowVerdict::Dropped => ("quiet", "Left out"),
        };
        let warned = class == "ok" && !detail.issues.is_empty();
        let notes = detail.notes.iter();
        RowView {
            number: detail.row,
            shown_number: count(detail.row),
            class: if warned { "warn" } else { class },
            verdict,
            dropped: detail.verdict == RowVerdict::Dropped,
            matched_on: match detail.matched_on {
                Some(IdentifierKind::ExternalId) => "found by External ID",
                Some(IdentifierKind::Phone) => "found by phone number",
                Some(IdentifierKind::Email) => "found by email",
                None => "",
            },
            contact: detail.contact,
            same_row: detail.same_row,
            name: text(detail.shown.name),
            phone: detail
                .shown
                .phone
                .map(|text| phone(&text))
                .unwrap_or_default(),
            email: text(detail.shown.email),
            external_id: text(detail.shown.external_id),
            problems,
            wrong,
            others,
            changes: detail
                .changes
                .iter()
                .map(|change| ChangeView::of(change, schema))
                .collect(),
            // What was changed shows in the cells, and that nothing changes in the verdict.
            notes: notes
                .filter(|note| note.code != "record.no_changes" && note.code != "record.edited")
                .map(|note| note.message.to_string())
                .collect(),
            region: row.region.unwrap_or_default(),
        }
    }
}

impl ChangeView {
    fn of(change: &Change, schema: &Schema) -> ChangeView {
        let kind = schema.by_key(&change.field).map(|field| &field.kind);
        let shown = |value: &Option<rollbook_engine::contact::Value>| {
            let value = value.as_ref().map(|value| values(kind, value).join(", "));
            value.unwrap_or_default()
        };
        ChangeView {
            field: field_label(schema, &change.field),
            before: shown(&change.before),
            after: shown(&change.after),
        }
    }
}

/// A cell's text as a browser sends it back when nobody changed it.
pub(super) fn as_sent(text: &str) -> String {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    text.replace('\0', "\u{fffd}")
}
