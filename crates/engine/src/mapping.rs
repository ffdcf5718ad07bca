//! Mappings: which column of a file, or path of a JSON record, goes to which field; and what becomes of one when it
//! meets a header.

mod overlay;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::contact::{Text, Texts};
use crate::field::blank::BlankWords;
use crate::field::date::{DateDecision, DateEvidence, DateOrder, DateQuestion};
use crate::field::{tags, text};
use crate::guess::{Guess, guess_table};
use crate::record::{Cell, Header, Record};
use crate::schema::{FieldDef, FieldId, FieldKind, Schema};

/// Which column goes to which field.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Mapping {
    /// One entry a column, in the order of the header; columns that are not mentioned are not mapped.
    pub columns: Vec<ColumnMapping>,
}

/// Where one column goes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ColumnMapping {
    /// The column's name in the header, or the path of a JSON value.
    pub column: String,
    /// The key of the field; none leaves the column out.
    pub field: Option<String>,
    /// What happens to what the field holds already.
    #[serde(default)]
    pub write: WriteMode,
    /// What a blank cell says.
    #[serde(default, skip_serializing_if = "BlankRule::is_default")]
    pub blank: BlankRule,
    /// The order of day, month and year, where a person has said it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub date_order: Option<DateOrder>,
}

/// What happens to what a field holds already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WriteMode {
    /// The record's values replace them.
    #[default]
    Replace,
    /// The record's values join them; a field of one value takes the new one.
    Add,
    /// They stay; the record's value is written where there is none, and helps to find the contact.
    OnlyIfEmpty,
}

impl WriteMode {
    /// The word of API and files.
    pub fn key(self) -> &'static str {
        match self {
            WriteMode::Replace => "replace",
            WriteMode::Add => "add",
            WriteMode::OnlyIfEmpty => "only_if_empty",
        }
    }

    /// The mode for such a word.
    pub fn from_key(key: &str) -> Option<WriteMode> {
        [WriteMode::Replace, WriteMode::Add, WriteMode::OnlyIfEmpty]
            .into_iter()
            .find(|mode| mode.key() == key)
    }
}

/// What a blank cell says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BlankRule {
    /// Nothing.
    #[default]
    Ignore,
    /// The field is cleared.
    Clear,
}

impl BlankRule {
    /// The word of API and files.
    pub fn key(self) -> &'static str {
        match self {
            BlankRule::Ignore => "ignore",
            BlankRule::Clear => "clear",
        }
    }

    /// The rule for such a word.
    pub fn from_key(key: &str) -> Option<BlankRule> {
        [BlankRule::Ignore, BlankRule::Clear]
            .into_iter()
            .find(|rule| rule.key() == key)
    }

    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "serde asks for a reference"
    )]
    fn is_default(&self) -> bool {
        *self == BlankRule::default()
    }
}

/// What is wrong with a mapping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MappingError {
    /// It names a field that does not exist.
    UnknownField {
        /// The column.
        column: String,
        /// The key that is no field's.
        field: String,
        /// The keys that there are.
        known: Vec<String>,
    },
    /// It names a column that the header does not have.
    UnknownColumn {
        /// The name.
        column: String,
        /// The names that there are.
        header: Vec<String>,
    },
    /// Columns of one list field are written in ways that exclude each other.
    MixedWrites {
        /// The key of the field.
        field: String,
        /// The columns, or the tags of the whole file.
        columns: Vec<String>,
    },
    /// The tags of the whole file are no tags.
    Tags {
        /// What is wrong with them.
        message: String,
    },
    /// No column goes to any field.
    NothingMapped {
        /// The names that there are.
        header: Vec<String>,
    },
}

impl std::fmt::Display for MappingError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            MappingError::UnknownField {
                column,
                field,
                known,
            } => write!(
                f,
                "column `{column}` is mapped to `{field}`, which is not a field; use one of {}",
                known.join(", ")
            ),
            MappingError::UnknownColumn { column, header } => {
                write!(
                    f,
                    "the file has no column `{column}`; its columns are {}",
                    listed(header)
                )
            }
            MappingError::MixedWrites { field, columns } => write!(
                f,
                "{} go to `{field}`, some of them only if it is empty; choose `only_if_empty` for all of them or for none",
                columns.join(" and ")
            ),
            MappingError::Tags { message } => f.write_str(message),
            MappingError::NothingMapped { header }
                if header.iter().all(|name| name.trim().is_empty()) =>
            {
                f.write_str("the file has no columns, so there is nothing to import; is it empty?")
            }
            MappingError::NothingMapped { header } => write!(
                f,
                "no column is mapped to a field, so there is nothing to import; map at least one of {}",
                listed(header)
            ),
        }
    }
}

impl std::error::Error for MappingError {}

fn listed(names: &[String]) -> String {
    const SHOWN: usize = 30;
    let mut text = names
        .iter()
        .take(SHOWN)
        .map(|name| format!("`{name}`"))
        .collect::<Vec<_>>()
        .join(", ");
    if names.len() > SHOWN {
        text.push_str(" …");
    }
    text
}

/// How a workspace, or a source in it, reads what records leave open.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Locale {
    /// The region of phone numbers without a country code, as ISO 3166 alpha-2.
    pub region: Option<String>,
    /// The order of day, month and year.
    pub date_order: Option<DateOrder>,
    /// The words that mean blank.
    pub blank_words: BlankWords,
}

/// A mapping that met a header: everything that reading a record needs.
#[derive(Debug, Clone)]
pub struct Binding {
    pub(crate) columns: Vec<BoundColumn>,
    pub(crate) locale: Locale,
    /// Whether a cell that is not there is a blank one.
    pub(crate) absent_is_blank: bool,
    /// The tags that every record brings, and how they are written.
    pub(crate) tags: Option<(BoundColumn, Texts)>,
    schema: Arc<Schema>,
}

/// A column that goes to a field.
#[derive(Debug, Clone)]
pub(crate) struct BoundColumn {
    pub(crate) column: usize,
    pub(crate) field: FieldDef,
    pub(crate) write: WriteMode,
    pub(crate) blank: BlankRule,
    /// The order of its dates that a person has said.
    pub(crate) said_order: Option<DateOrder>,
    /// In which order its dates are read.
    pub(crate) dates: DateDecision,
}

impl Mapping {
    /// The mapping that header and sample records suggest, with the reason for each column.
    pub fn guess(
        header: &Header,
        samples: &[Record],
        schema: &Schema,
    ) -> (Mapping, Vec<Option<Guess>>) {
        let texts: Vec<Vec<&str>> = (0..header.names.len())
            .map(|column| {
                samples
                    .iter()
                    .filter_map(|record| text_of(record, column))
                    .collect()
            })
            .collect();
        let names: Vec<&str> = header.names.iter().map(String::as_str).collect();
        let guesses = guess_table(&names, &texts);
        let columns = header.names.iter().zip(&guesses).map(|(name, guess)| {
            let own = schema
                .by_key(name.trim())
                .or_else(|| by_label(schema, name));
            let field = own.map(|field| field.key.clone());
            let field = field.or_else(|| guess.as_ref().map(|guess| guess.field.to_owned()));
            ColumnMapping {
                column: name.clone(),
                field,
                ..ColumnMapping::default()
            }
        });
        (
            Mapping {
                columns: columns.collect(),
            },
            guesses,
        )
    }

    /// The mapping of JSON records that come without one: the fields' keys and the names that other systems commonly
    /// use for them, single values before lists. Of several paths to one field, the last filled one counts.
    pub fn json_default(schema: &Schema) -> Mapping {
        let custom = schema
            .fields()
            .iter()
            .filter(|field| field.id >= FieldId::FIRST_CUSTOM)
            .flat_map(|field| {
                [
                    (format!("custom_fields.{}", field.key), field.key.clone()),
                    (field.key.clone(), field.key.clone()),
                ]
            });
        let built_in = JSON_NAMES.iter().flat_map(|(field, paths)| {
            paths
                .iter()
                .map(|path| ((*path).to_owned(), (*field).to_owned()))
        });
        let column = |(column, field)| ColumnMapping {
            column,
            field: Some(field),
            ..ColumnMapping::default()
        };
        Mapping {
            columns: built_in.chain(custom).map(column).collect(),
        }
    }

    /// The header of JSON records under this mapping: one column a path.
    pub fn paths(&self) -> Header {
        Header {
            names: self
                .columns
                .iter()
                .map(|column| column.column.clone())
                .collect(),
        }
    }

    /// The entry of each of these columns. The n-th entry of a name goes with the n-th column of that name; an entry
    /// that stands alone goes with all of them.
    pub fn entries_for(&self, names: &[String]) -> Vec<Option<&ColumnMapping>> {
        let mut entries: HashMap<String, Vec<&ColumnMapping>> = HashMap::new();
        for entry in &self.columns {
            entries
                .entry(folded(&entry.column))
                .or_default()
                .push(entry);
        }
        let mut seen: HashMap<String, usize> = HashMap::new();
        let entry = |name: &String| {
            let name = folded(name);
            let entries = entries.get(&name)?;
            let nth = seen.entry(name).or_insert(0);
            *nth += 1;
            let position = if entries.len() == 1 { 0 } else { *nth - 1 };
            entries.get(position).copied()
        };
        names.iter().map(entry).collect()
    }

    /// Lets the mapping meet a header. The n-th entry of a name goes with the n-th column of that name; an entry that
    /// stands alone goes with all of them.
    pub fn bind(
        &self,
        header: &Header,
        schema: &Arc<Schema>,
        locale: &Locale,
    ) -> Result<Binding, Vec<MappingError>> {
        let mut errors = self.unknown(header, schema);
        let mut columns = Vec::new();
        for (column, entry) in self.entries_for(&header.names).into_iter().enumerate() {
            let field = entry
                .and_then(|entry| entry.field.as_deref())
                .and_then(|key| schema.by_key(key));
            if let (Some(entry), Some(field)) = (entry, field) {
                columns.push(BoundColumn {
                    column,
                    field: field.clone(),
                    write: entry.write,
                    blank: entry.blank,
                    said_order: entry.date_order,
                    dates: said(entry.date_order.or(locale.date_order)),
                });
            }
        }
        errors.extend(mixed(&columns, header));
        if columns.is_empty() && errors.is_empty() {
            errors.push(MappingError::NothingMapped {
                header: header.names.clone(),
            });
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        Ok(Binding {
            columns,
            locale: locale.clone(),
            absent_is_blank: false,
            tags: None,
            schema: Arc::clone(schema),
        })
    }

    fn unknown(&self, header: &Header, schema: &Schema) -> Vec<MappingError> {
        let mut errors = Vec::new();
        let names: HashSet<String> = header.names.iter().map(|name| folded(name)).collect();
        for entry in &self.columns {
            let Some(field) = &entry.field else { continue };
            if schema.by_key(field).is_none() {
                errors.push(MappingError::UnknownField {
                    column: entry.column.clone(),
                    field: field.clone(),
                    known: schema
                        .fields()
                        .iter()
                        .map(|field| field.key.clone())
                        .collect(),
                });
            }
            if !names.contains(&folded(&entry.column)) {
                errors.push(MappingError::UnknownColumn {
                    column: entry.column.clone(),
                    header: header.names.clone(),
                });
            }
        }
        errors
    }
}

impl Binding {
    /// The fields that its values go to.
    pub fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    /// For files: a cell that is not there is blank. In what other systems send, it says nothing.
    #[must_use]
    pub fn of_file(mut self) -> Binding {
        self.absent_is_blank = true;
        self
    }

    /// Adds these tags to every record that brings something of its own.
    pub fn with_tags<'a>(
        mut self,
        tags: impl IntoIterator<Item = &'a str>,
    ) -> Result<Binding, MappingError> {
        let tags = tags::parse_items(tags).map_err(|problem| MappingError::Tags {
            message: problem.message("the tags of the whole file"),
        })?;
        let Some(field) = self
            .schema
            .by_id(FieldId::TAGS)
            .filter(|_| !tags.is_empty())
        else {
            return Ok(self);
        };
        let fills = |column: &BoundColumn| {
            column.field.id == FieldId::TAGS && column.write == WriteMode::OnlyIfEmpty
        };
        if self.columns.iter().any(fills) {
            return Err(MappingError::MixedWrites {
                field: field.key.clone(),
                columns: vec![
                    "the tags of the whole file".to_owned(),
                    "a column".to_owned(),
                ],
            });
        }
        let column = BoundColumn {
            column: usize::MAX,
            field: field.clone(),
            write: WriteMode::Add,
            blank: BlankRule::Ignore,
            said_order: None,
            dates: said(None),
        };
        self.tags = Some((column, tags.into_iter().map(Text::from).collect()));
        Ok(self)
    }

    /// What only a person can say, or has said, about columns whose dates could be read in several orders.
    pub fn questions(&self, evidence: &Evidence) -> Vec<(usize, DateQuestion)> {
        let open = evidence.columns.iter().filter_map(|(_, column, seen)| {
            let is_open = seen.decide(self.locale.date_order) == DateDecision::Ambiguous;
            let question = is_open.then(|| seen.question())??;
            Some((*column, question))
        });
        open.collect()
    }

    /// The order of the dates of a column, as said or found.
    pub fn date_order(&self, column: usize) -> Option<DateOrder> {
        let bound = self.columns.iter().find(|bound| bound.column == column)?;
        match bound.dates {
            DateDecision::Decided(order) => Some(order),
            DateDecision::NoNumericDates
            | DateDecision::Ambiguous
            | DateDecision::Contradictory { .. } => None,
        }
    }

    /// The columns that go to a field.
    pub fn mapped(&self) -> Vec<usize> {
        self.columns.iter().map(|column| column.column).collect()
    }

    /// Whether a column of dates is mapped, so that the whole file must be looked at before its first record is read.
    pub fn has_dates(&self) -> bool {
        self.columns
            .iter()
            .any(|column| is_date(&column.field.kind))
    }

    /// The columns of dates.
    pub fn date_columns(&self) -> Vec<usize> {
        let dates = self
            .columns
            .iter()
            .filter(|column| is_date(&column.field.kind));
        dates.map(|column| column.column).collect()
    }

    /// Starts collecting what the values of the date columns say about the order of day and month.
    pub fn evidence(&self) -> Evidence {
        let columns = self
            .columns
            .iter()
            .enumerate()
            .filter(|(_, column)| is_date(&column.field.kind));
        Evidence {
            columns: columns
                .map(|(bound, column)| (bound, column.column, DateEvidence::new()))
                .collect(),
        }
    }

    /// Decides the order of each date column, once, from all of its values (SPEC 3). An order that a person has said,
    /// in the mapping, stays.
    pub fn decide_dates(&mut self, evidence: &Evidence) {
        for (bound, _, evidence) in &evidence.columns {
            let column = &mut self.columns[*bound];
            if column.said_order.is_none() {
                column.dates = evidence.decide(self.locale.date_order);
            }
        }
    }
}

/// What the values of a file's date columns say about the order of day and month.
#[derive(Debug, Clone)]
pub struct Evidence {
    /// Index of the bound column, index in the record, what was seen.
    columns: Vec<(usize, usize, DateEvidence)>,
}

impl Evidence {
    /// Takes in a record of the file.
    pub fn observe(&mut self, record: &Record) {
        for (_, column, evidence) in &mut self.columns {
            if let Some(text) = text_of(record, *column) {
                evidence.observe(&text::tidy(text));
            }
        }
    }
}

/// The custom field of this label; what the labels of built-in ones mean depends on the other columns.
fn by_label<'a>(schema: &'a Schema, name: &str) -> Option<&'a FieldDef> {
    let name = name.trim().to_lowercase();
    let mut custom = schema
        .fields()
        .iter()
        .filter(|field| field.id >= FieldId::FIRST_CUSTOM);
    custom.find(|field| field.label.to_lowercase() == name)
}

/// The list fields of which only some columns fill what is empty: no record could say what is to be written.
fn mixed(columns: &[BoundColumn], header: &Header) -> Vec<MappingError> {
    let mut errors = Vec::new();
    let mut seen = HashSet::new();
    for column in columns {
        let field = &column.field;
        if !field.kind.is_list() || !seen.insert(field.id) {
            continue;
        }
        let same: Vec<&BoundColumn> = columns
            .iter()
            .filter(|other| other.field.id == field.id)
            .collect();
        let fills = |column: &BoundColumn| column.write == WriteMode::OnlyIfEmpty;
        if same.iter().any(|column| fills(column)) && !same.iter().all(|column| fills(column)) {
            let names = same
                .iter()
                .filter_map(|column| header.names.get(column.column));
            errors.push(MappingError::MixedWrites {
                field: field.key.clone(),
                columns: names.map(|name| format!("`{name}`")).collect(),
            });
        }
    }
    errors
}

/// The decision of a column whose order somebody has said, or nobody.
fn said(order: Option<DateOrder>) -> DateDecision {
    order.map_or(DateDecision::NoNumericDates, DateDecision::Decided)
}

fn is_date(kind: &FieldKind) -> bool {
    matches!(kind, FieldKind::Date { .. } | FieldKind::DateTime)
}

fn text_of(record: &Record, column: usize) -> Option<&str> {
    match record.cell(column) {
        Cell::Text(text) => Some(text),
        Cell::Absent | Cell::Null | Cell::List(_) => None,
    }
}

/// A column's name as names are compared.
fn folded(name: &str) -> String {
    name.trim().to_ascii_lowercase()
}

/// Names of JSON values in other systems, the least certain first.
const JSON_NAMES: [(&str, &[&str]); 17] = [
    ("external_id", &["id", "externalId", "external_id"]),
    ("name", &["full_name", "fullName", "name"]),
    (
        "first_name",
        &["given_name", "firstname", "firstName", "first_name"],
    ),
    (
        "last_name",
        &[
            "family_name",
            "surname",
            "lastname",
            "lastName",
            "last_name",
        ],
    ),
    ("title", &["title"]),
    (
        "phone",
        &[
            "phone",
            "phone_number",
            "phoneNumber",
            "mobile",
            "mobile_phone",
            "cell",
            "phones",
        ],
    ),
    (
        "email",
        &["email", "email_address", "emailAddress", "emails"],
    ),
    ("birthday", &["dob", "birth_date", "birthDate", "birthday"]),
    ("language", &["locale", "language"]),
    ("company", &["company"]),
    ("street", &["address.street", "street"]),
    ("city", &["address.city", "city"]),
    (
        "region",
        &["address.region", "address.state", "state", "region"],
    ),
    (
        "postal_code",
        &[
            "address.zip",
            "address.postal_code",
            "zip",
            "postalCode",
            "postal_code",
        ],
    ),
    ("country", &["address.country", "country"]),
    ("notes", &["notes"]),
    ("tags", &["tags"]),
];
