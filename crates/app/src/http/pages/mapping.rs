//! Mapping the columns of an uploaded file: what each column holds, as guessed, to be confirmed or changed.

use std::collections::HashMap;

use askama::Template;
use axum::Form;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use rollbook_engine::field::date::DateOrder;
use rollbook_engine::mapping::{ColumnMapping, Mapping, WriteMode};
use rollbook_engine::schema::{FieldDef, FieldId, FieldKind, Schema};
use rollbook_sources::file::Reading;
use rollbook_store::imports::Import;

use crate::app::App;
use crate::http::pages::error::PageError;
use crate::http::pages::frame::{Frame, Section, page_with};
use crate::http::pages::import::about::{Lineage, back};
use crate::http::pages::import::{find_import, source_of};
use crate::http::pages::imports::StateTag;
use crate::http::pages::show::{When, bytes, count, counted, sentence};
use crate::http::session::Person;
use crate::imports::intake::{self, Column, Inspection, IntakeError};
use crate::imports::options::ImportOptions;
use crate::imports::said::Said;
use crate::imports::summary;

/// How many columns can be mapped on the page; a file with more keeps what was guessed for the rest.
const COLUMNS_SHOWN: usize = 200;

/// The page.
#[derive(Template)]
#[template(path = "pages/mapping.html")]
pub(crate) struct MappingPage {
    pub(crate) frame: Frame,
    pub(crate) id: String,
    pub(crate) file: String,
    pub(crate) size: String,
    pub(crate) read_as: String,
    pub(crate) problems: Vec<String>,
    pub(crate) columns: Vec<ColumnView>,
    /// Columns past the shown ones, in words; blank if there are none.
    pub(crate) hidden_columns: String,
    pub(crate) left_out: usize,
    pub(crate) groups: Vec<FieldGroup>,
    /// The import whose failed rows these are.
    pub(crate) continues: Option<Lineage>,
    pub(crate) earlier: Vec<Earlier>,
}

/// A column.
#[derive(Debug, Clone)]
pub(crate) struct ColumnView {
    pub(crate) index: usize,
    pub(crate) name: String,
    pub(crate) samples: Vec<String>,
    /// The key of its field; blank leaves it out.
    pub(crate) field: String,
    pub(crate) reason: Option<String>,
    pub(crate) add: bool,
    /// `dmy`, `mdy`, `ymd` or blank.
    pub(crate) date_order: String,
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
    pub(crate) is_date: bool,
    pub(crate) is_list: bool,
}

/// An earlier import of the same file.
#[derive(Debug, Clone)]
pub(crate) struct Earlier {
    pub(crate) id: String,
    pub(crate) file: String,
    pub(crate) by: String,
    pub(crate) when: When,
    /// `31 created, 2 updated, 11 failed`, or what it waits for.
    pub(crate) outcome: String,
}

/// The page of an import that waits for its mapping.
pub(super) async fn show(
    app: &App,
    person: &Person,
    mut import: Import,
) -> Result<Response, PageError> {
    person.must_import()?;
    let source = source_of(app, person, &import).await?;
    let inspection = match intake::look(app, &source, &mut import, &Said::default()).await {
        Ok(inspection) => inspection,
        Err(IntakeError::Store(error)) => return Err(error.into()),
        Err(IntakeError::Blob(error)) if error.passes() => return Err(error.into()),
        Err(error) => return unreadable(app, person, &import, &error).await,
    };
    let mut chosen = Chosen::guessed(&inspection);
    // Whoever comes back from the review finds what they chose.
    let stored = import.options.as_deref().map(serde_json::from_str);
    if let Some(Ok(stored)) = stored
        && inspection.options.same_rows(&stored)
    {
        chosen = Chosen::of(&stored.mapping);
    }
    answer(app, person, &import, inspection, &chosen, Vec::new()).await
}

/// `POST /imports/{id}/mapping`: stores which column is what, and goes on to the review.
pub(super) async fn save(
    State(app): State<App>,
    person: Person,
    Path(id): Path<String>,
    Form(form): Form<Vec<(String, String)>>,
) -> Result<Response, PageError> {
    person.must_import()?;
    let mut import = find_import(&app, &person, &id).await?;
    let there = Redirect::to(&format!("/imports/{}/review", import.id)).into_response();
    let source = source_of(&app, &person, &import).await?;
    let inspection = match intake::look(&app, &source, &mut import, &Said::default()).await {
        Ok(inspection) => inspection,
        Err(IntakeError::Store(error)) => return Err(error.into()),
        Err(IntakeError::Blob(error)) if error.passes() => return Err(error.into()),
        Err(error) => return unreadable(&app, &person, &import, &error).await,
    };
    let chosen = Chosen::of_form(&inspection, &form);
    let options = ImportOptions {
        mapping: chosen.mapping(&inspection.options.mapping),
        ..inspection.options.clone()
    };
    let problems = match intake::save(&app, &source, &import, &options).await {
        // Begun already: a second click, or another tab.
        Ok(_) | Err(IntakeError::Begun(_)) => return Ok(there),
        Err(IntakeError::Store(error)) => return Err(error.into()),
        Err(IntakeError::Mapping(problems)) => {
            problems.iter().map(|problem| sentence(problem)).collect()
        }
        Err(error) => vec![sentence(&error.to_string())],
    };
    answer(&app, &person, &import, inspection, &chosen, problems).await
}

async fn unreadable(
    app: &App,
    person: &Person,
    import: &Import,
    error: &IntakeError,
) -> Result<Response, PageError> {
    let page = MappingPage {
        frame: Frame::new(person, Section::Imports),
        id: import.id.to_string(),
        file: import.file_name.clone(),
        size: bytes(import.file_size),
        read_as: String::new(),
        problems: vec![sentence(&error.to_string())],
        columns: Vec::new(),
        hidden_columns: String::new(),
        left_out: 0,
        groups: Vec::new(),
        continues: None,
        earlier: earlier(app, person, import).await?,
    };
    page_with(StatusCode::UNPROCESSABLE_ENTITY, &page)
}

async fn answer(
    app: &App,
    person: &Person,
    import: &Import,
    inspection: Inspection,
    chosen: &Chosen,
    problems: Vec<String>,
) -> Result<Response, PageError> {
    let schema = app.schema(person.workspace.id).await?;
    let status = if problems.is_empty() {
        StatusCode::OK
    } else {
        StatusCode::UNPROCESSABLE_ENTITY
    };
    let hidden = inspection.columns.len().saturating_sub(COLUMNS_SHOWN);
    let read_as = read_as(&inspection);
    let columns: Vec<ColumnView> = inspection
        .columns
        .iter()
        .take(COLUMNS_SHOWN)
        .cloned()
        .zip(&chosen.columns)
        .enumerate()
        .map(|(index, (column, chosen))| column_view(index, column, chosen, &schema))
        .collect();
    let page = MappingPage {
        frame: Frame::new(person, Section::Imports),
        id: import.id.to_string(),
        file: import.file_name.clone(),
        size: bytes(import.file_size),
        read_as,
        problems,
        left_out: columns
            .iter()
            .filter(|column| column.field.is_empty())
            .count(),
        columns,
        hidden_columns: match hidden {
            0 => String::new(),
            hidden => counted(u64::try_from(hidden).unwrap_or(0), "column", "columns"),
        },
        groups: groups(&schema),
        continues: inspection
            .continues
            .as_ref()
            .map(|parent| back(import, parent)),
        earlier: earlier(app, person, import).await?,
    };
    page_with(status, &page)
}

fn column_view(index: usize, column: Column, chosen: &ChosenColumn, schema: &Schema) -> ColumnView {
    let is_guess = column.field == chosen.field;
    // Reasons name fields by their keys, which nobody sees on a page.
    let labelled = |reason: &str| {
        schema
            .fields()
            .iter()
            .fold(reason.to_owned(), |reason, field| {
                reason.replace(&format!("`{}`", field.key), &format!("`{}`", field.label))
            })
    };
    ColumnView {
        index,
        name: if column.name.trim().is_empty() {
            let number = u64::try_from(index + 1).unwrap_or(0);
            format!("Column {} (no name)", count(number))
        } else {
            column.name
        },
        samples: column.samples,
        field: chosen.field.clone().unwrap_or_default(),
        reason: column
            .reason
            .as_deref()
            .filter(|_| is_guess)
            .map(|reason| sentence(&labelled(reason))),
        add: chosen.write == WriteMode::Add,
        date_order: chosen
            .date_order
            .map(order_key)
            .unwrap_or_default()
            .to_owned(),
    }
}

/// `windows-1252, separated by semicolons`, or `XLSX, sheet “Guests”, header in row 3`.
fn read_as(inspection: &Inspection) -> String {
    let columns = u64::try_from(inspection.columns.len()).unwrap_or(0);
    let columns = counted(columns, "column", "columns");
    let dialect = match &inspection.options.reading {
        Reading::Csv(dialect) => dialect,
        Reading::Workbook(table) => {
            let header = match table.header_row {
                0 => "no header".to_owned(),
                row => format!("header in row {}", count(row)),
            };
            let kind = table.kind.label();
            return format!("{columns}, {kind}, sheet “{}”, {header}", table.sheet);
        }
        Reading::Vcard { .. } | Reading::Json { .. } => {
            return format!("{columns}, {}", inspection.options.reading.label());
        }
    };
    let separator = match dialect.delimiter {
        ',' => "commas".to_owned(),
        ';' => "semicolons".to_owned(),
        '\t' => "tabs".to_owned(),
        '|' => "bars".to_owned(),
        other => format!("“{other}”"),
    };
    format!("{columns}, {}, separated by {separator}", dialect.encoding)
}

fn groups(schema: &Schema) -> Vec<FieldGroup> {
    let option = |field: &FieldDef| FieldOption {
        key: field.key.clone(),
        label: field.label.clone(),
        is_date: matches!(field.kind, FieldKind::Date { .. } | FieldKind::DateTime),
        is_list: field.kind.is_list(),
    };
    let of = |custom: bool| {
        schema
            .fields()
            .iter()
            .filter(|field| (field.id >= FieldId::FIRST_CUSTOM) == custom)
            .map(option)
            .collect::<Vec<_>>()
    };
    [("Fields", of(false)), ("Your own fields", of(true))]
        .into_iter()
        .filter(|(_, fields)| !fields.is_empty())
        .map(|(label, fields)| FieldGroup { label, fields })
        .collect()
}

/// The first import of this very file and the latest, newest first.
async fn earlier(app: &App, person: &Person, import: &Import) -> Result<Vec<Earlier>, PageError> {
    let mut imports = intake::same_file(app, import).await?;
    let last = imports.len().saturating_sub(1);
    if last > 1 {
        imports.drain(1..last);
    }
    Ok(imports
        .into_iter()
        .rev()
        .map(|other| Earlier {
            id: other.id.to_string(),
            when: person.zone.when(other.created_at),
            outcome: outcome(&other),
            file: other.file_name,
            by: other.created_by,
        })
        .collect())
}

fn outcome(import: &Import) -> String {
    if import.totals.records == 0 {
        return StateTag::of(import).label.to_lowercase();
    }
    summary::counts(import)
}

/// What a person chose for each column.
struct Chosen {
    columns: Vec<ChosenColumn>,
}

struct ChosenColumn {
    field: Option<String>,
    write: WriteMode,
    date_order: Option<DateOrder>,
}

impl Chosen {
    fn guessed(inspection: &Inspection) -> Chosen {
        Chosen::of(&inspection.options.mapping)
    }

    fn of(mapping: &Mapping) -> Chosen {
        let columns = mapping.columns.iter();
        Chosen {
            columns: columns
                .map(|column| ChosenColumn {
                    field: column.field.clone(),
                    write: column.write,
                    date_order: column.date_order,
                })
                .collect(),
        }
    }

    /// The form's fields are `field.N`, `write.N` and `date_order.N`. A column that it does not mention keeps its guess.
    fn of_form(inspection: &Inspection, form: &[(String, String)]) -> Chosen {
        let form: HashMap<&str, &str> = form
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let mut chosen = Chosen::guessed(inspection);
        for (index, column) in chosen.columns.iter_mut().enumerate() {
            let part = |name: &str| form.get(format!("{name}.{index}").as_str()).copied();
            if let Some(field) = part("field") {
                column.field = (!field.is_empty()).then(|| field.to_owned());
            }
            if let Some(write) = part("write") {
                column.write = match write {
                    "add" => WriteMode::Add,
                    _ => WriteMode::Replace,
                };
            }
            if let Some(order) = part("date_order") {
                column.date_order = order.parse().ok();
            }
        }
        chosen
    }

    fn mapping(&self, guessed: &Mapping) -> Mapping {
        let columns = guessed.columns.iter().zip(&self.columns);
        Mapping {
            columns: columns
                .map(|(guessed, chosen)| ColumnMapping {
                    column: guessed.column.clone(),
                    field: chosen.field.clone(),
                    write: chosen.write,
                    date_order: chosen.date_order,
                    blank: guessed.blank,
                })
                .collect(),
        }
    }
}

fn order_key(order: DateOrder) -> &'static str {
    match order {
        DateOrder::Dmy => "dmy",
        DateOrder::Mdy => "mdy",
        DateOrder::Ymd => "ymd",
    }
}
