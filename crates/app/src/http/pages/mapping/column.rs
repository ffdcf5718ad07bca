//! One column of the file: what it holds, where it goes, and what that would mean.

use rollbook_engine::field::date::DateOrder;
use rollbook_engine::mapping::{BlankRule, ColumnMapping, WriteMode};
use rollbook_engine::policy::Mode;
use rollbook_engine::schema::{FieldDef, FieldId, FieldKind, Schema};

use crate::http::pages::mapping::form::{MappingForm, NEW_FIELD};
use crate::http::pages::show::{count, sentence};
use crate::imports::check::{Checked, CheckedColumn};
use crate::imports::intake::Column;

/// A column.
#[derive(Debug, Clone, Default)]
pub(crate) struct ColumnView {
    pub(crate) index: usize,
    /// As it stands in the file.
    pub(crate) raw_name: String,
    /// As it is shown.
    pub(crate) name: String,
    pub(crate) samples: Vec<String>,
    /// The key of its field; blank leaves it out.
    pub(crate) field: String,
    pub(crate) is_date: bool,
    pub(crate) is_list: bool,
    pub(crate) reason: Option<String>,
    pub(crate) problem: Option<String>,
    /// `replace`, `add` or `only_if_empty`.
    pub(crate) write: &'static str,
    /// `ignore` or `clear`.
    pub(crate) blank: &'static str,
    /// `dmy`, `mdy`, `ymd` or blank.
    pub(crate) date_order: &'static str,
    /// What was found about its dates, in words.
    pub(crate) dates_found: String,
    pub(crate) question: Option<Question>,
    pub(crate) count: Option<Count>,
    /// What is chosen about writing, in words.
    pub(crate) rules: String,
    /// Whether that is not the usual.
    pub(crate) rules_differ: bool,
    pub(crate) new_field: Option<NewFieldForm>,
}

/// How many of its values cannot be used.
#[derive(Debug, Clone)]
pub(crate) struct Count {
    pub(crate) is_bad: bool,
    pub(crate) text: String,
    pub(crate) examples: Vec<String>,
}

/// What only a person can say about dates.
#[derive(Debug, Clone)]
pub(crate) struct Question {
    pub(crate) value: String,
    pub(crate) answers: Vec<Answer>,
}

/// What a date could be.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) order: &'static str,
    /// `3 April 2026`.
    pub(crate) date: String,
}

/// A field that is yet to be made.
#[derive(Debug, Clone)]
pub(crate) struct NewFieldForm {
    pub(crate) may: bool,
    pub(crate) label: String,
    pub(crate) options: String,
    pub(crate) types: Vec<TypeOption>,
}

/// What the values of a new field are.
#[derive(Debug, Clone)]
pub(crate) struct TypeOption {
    pub(crate) key: &'static str,
    pub(crate) label: &'static str,
    pub(crate) selected: bool,
}

/// Fields under a heading of the menu.
#[derive(Debug, Clone)]
pub(crate) struct FieldGroup {
    pub(crate) label: &'static str,
    pub(crate) fields: Vec<FieldOption>,
}

/// A field to choose.
#[derive(Debug, Clone)]
pub(crate) struct FieldOption {
    pub(crate) key: String,
    pub(crate) label: String,
}

/// The types that new fields can have, with what people call them.
const TYPES: [(&str, &str); 11] = [
    ("text", "Text"),
    ("long_text", "Long text"),
    ("number", "Number"),
    ("boolean", "Yes or no"),
    ("date", "Date"),
    ("partial_date", "Date that may lack its year"),
    ("time", "Time"),
    ("date_time", "Date and time"),
    ("choice", "One of several choices"),
    ("choices", "Several of several choices"),
    ("url", "Web address"),
];

/// What is known where columns are shown.
pub(crate) struct Around<'a> {
    pub(crate) schema: &'a Schema,
    pub(crate) form: &'a MappingForm,
    pub(crate) checked: Option<&'a Checked>,
    pub(crate) mode: Mode,
    pub(crate) may_add_fields: bool,
}

impl ColumnView {
    pub(crate) fn of(
        index: usize,
        column: &Column,
        chosen: &ColumnMapping,
        around: &Around<'_>,
    ) -> ColumnView {
        let is_new = around.form.of_column("field", index) == Some(NEW_FIELD);
        let key = chosen.field.as_deref().unwrap_or_default();
        let field = around.schema.by_key(key).filter(|_| !is_new);
        let checked = around
            .checked
            .and_then(|checked| Some((checked, checked.column(index)?)))
            .filter(|_| field.is_some());
        let question = checked.and_then(|(_, column)| question(column));
        let is_open = question.is_some() && chosen.date_order.is_none();
        let is_guess = column.field == chosen.field && !is_new;
        let is_list = field.is_some_and(|field| field.kind.is_list());
        ColumnView {
            index,
            raw_name: column.name.clone(),
            name: shown_name(index, &column.name),
            samples: column.samples.clone(),
            field: if is_new { NEW_FIELD } else { key }.to_owned(),
            is_date: field.is_some_and(is_date),
            is_list,
            reason: column
                .reason
                .as_deref()
                .filter(|_| is_guess)
                .map(|reason| sentence(&labelled(reason, around.schema))),
            problem: None,
            write: chosen.write.key(),
            blank: chosen.blank.key(),
            date_order: chosen.date_order.map(order_key).unwrap_or_default(),
            dates_found: checked
                .and_then(|(_, column)| column.date_order)
                .map(|order| order_label(order).to_lowercase())
                .unwrap_or_default(),
            question,
            count: checked
                .filter(|_| !is_open)
                .map(|(checked, column)| count_of(checked, column, around.mode)),
            rules: rules(chosen, is_list),
            rules_differ: chosen.write != WriteMode::default()
                || chosen.blank != BlankRule::default(),
            new_field: is_new.then(|| new_field(index, &column.name, around)),
        }
    }
}

/// The fields under their headings.
pub(crate) fn groups(schema: &Schema) -> Vec<FieldGroup> {
    let of = |custom: bool| {
        schema
            .fields()
            .iter()
            .filter(|field| (field.id >= FieldId::FIRST_CUSTOM) == custom)
            .map(|field| FieldOption {
                key: field.key.clone(),
                label: field.label.clone(),
            })
            .collect::<Vec<_>>()
    };
    [("Fields", of(false)), ("Your own fields", of(true))]
        .into_iter()
        .filter(|(_, fields)| !fields.is_empty())
        .map(|(label, fields)| FieldGroup { label, fields })
        .collect()
}

fn is_date(field: &FieldDef) -> bool {
    matches!(field.kind, FieldKind::Date { .. } | FieldKind::DateTime)
}

/// A column's name as it is shown.
pub(crate) fn shown_name(index: usize, name: &str) -> String {
    if !name.trim().is_empty() {
        return name.to_owned();
    }
    let number = u64::try_from(index + 1).unwrap_or(0);
    format!("Column {} (no name)", count(number))
}

/// Reasons name fields by their keys, which nobody sees on a page.
fn labelled(reason: &str, schema: &Schema) -> String {
    schema
        .fields()
        .iter()
        .fold(reason.to_owned(), |reason, field| {
            reason.replace(&format!("`{}`", field.key), &format!("`{}`", field.label))
        })
}

fn question(column: &CheckedColumn) -> Option<Question> {
    let question = column.question.as_ref()?;
    let answers = question.answers.iter().map(|(order, date)| Answer {
        order: order_key(*order),
        date: date.to_display(),
    });
    Some(Question {
        value: question.value.clone(),
        answers: answers.collect(),
    })
}

fn count_of(checked: &Checked, column: &CheckedColumn, mode: Mode) -> Count {
    let among = if checked.whole {
        String::new()
    } else {
        format!(" of the first {} rows", count(checked.records))
    };
    let values = count(column.values);
    let text = match (column.values, column.failing) {
        (0, _) if checked.whole => "There are only blank cells.".to_owned(),
        (0, _) => format!(
            "There are only blank cells in the first {} rows.",
            count(checked.records)
        ),
        (1, 0) => format!("The only value{among} can be used."),
        (_, 0) => format!("All {values} values{among} can be used."),
        (_, failing) => {
            let fate = match mode {
                Mode::Manual => "Their rows would fail.",
                Mode::Automatic => "They would be left out.",
            };
            let one = match mode {
                Mode::Manual => "Its row would fail.",
                Mode::Automatic => "It would be left out.",
            };
            let fate = if failing == 1 { one } else { fate };
            format!(
                "{} of {values} values{among} cannot be used. {fate}",
                count(failing)
            )
        }
    };
    Count {
        is_bad: column.failing > 0,
        text,
        examples: column
            .examples
            .iter()
            .map(|issue| issue.message.clone())
            .collect(),
    }
}

fn rules(chosen: &ColumnMapping, is_list: bool) -> String {
    let write = match (chosen.write, is_list) {
        (WriteMode::Add, true) => "Adds to what a contact has",
        (WriteMode::OnlyIfEmpty, _) => "Only where a contact has none",
        (WriteMode::Replace | WriteMode::Add, _) => "Replaces what a contact has",
    };
    let blank = match chosen.blank {
        BlankRule::Clear if chosen.write != WriteMode::OnlyIfEmpty => "blank cells clear it",
        BlankRule::Clear | BlankRule::Ignore => "blank cells say nothing",
    };
    format!("{write}; {blank}")
}

fn new_field(index: usize, name: &str, around: &Around<'_>) -> NewFieldForm {
    let part = |part: &str| around.form.of_column(part, index);
    let chosen = part("new_type").unwrap_or("text");
    NewFieldForm {
        may: around.may_add_fields,
        label: part("new_label").unwrap_or(name.trim()).to_owned(),
        options: part("new_options").unwrap_or_default().to_owned(),
        types: TYPES
            .iter()
            .map(|(key, label)| TypeOption {
                key,
                label,
                selected: *key == chosen,
            })
            .collect(),
    }
}

fn order_key(order: DateOrder) -> &'static str {
    match order {
        DateOrder::Dmy => "dmy",
        DateOrder::Mdy => "mdy",
        DateOrder::Ymd => "ymd",
    }
}

fn order_label(order: DateOrder) -> &'static str {
    match order {
        DateOrder::Dmy => "Day, month, year",
        DateOrder::Mdy => "Month, day, year",
        DateOrder::Ymd => "Year, month, day",
    }
}
