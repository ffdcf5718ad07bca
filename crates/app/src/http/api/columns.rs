//! Checking a column of an uploaded file: `/imports/{id}/columns/{column}/check`.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{Uri, header};
use axum::response::IntoResponse;
use rollbook_engine::field::date::DateOrder;
use rollbook_engine::issue::Issue;
use rollbook_engine::mapping::{BlankRule, ColumnMapping, WriteMode};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use crate::access::checked_region;
use crate::http::api::Api;
use crate::http::api::imports::{get, options_of};
use crate::http::api::params::Params;
use crate::http::auth::Caller;
use crate::http::error::{Guarded, Mapped, Named, Problem};
use crate::imports::check::{CheckedColumn, check};
use crate::imports::intake::file_of;
use crate::imports::said::Said;
use crate::imports::template;
use crate::wire::{BlankRuleSchema, IssueSchema, WriteModeSchema};

/// Under what a column is checked.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(
    dead_code,
    reason = "it only describes the parameters that `check` takes"
)]
pub(crate) struct CheckParams {
    /// The key of the field; the guessed one if left out.
    #[param(example = "phone")]
    field: Option<String>,
    /// What happens to what the field holds already.
    #[param(value_type = Option<WriteModeSchema>)]
    write: Option<WriteMode>,
    /// What a blank cell says.
    #[param(value_type = Option<BlankRuleSchema>)]
    blank: Option<BlankRule>,
    /// The order of day, month and year: `dmy`, `mdy` or `ymd`; found out from the column if left out.
    date_order: Option<String>,
    /// The region of phone numbers without a country code.
    #[param(example = "DE")]
    region: Option<String>,
    /// The encoding of a text file; found out if left out.
    encoding: Option<String>,
    /// What separates the cells of a text file; found out if left out.
    delimiter: Option<String>,
    /// What its cells are quoted with, or `none`; found out if left out.
    quote: Option<String>,
    /// The sheet of a spreadsheet, by name or number.
    sheet: Option<String>,
    /// The row that is the header; found out if left out.
    header_row: Option<u64>,
}

/// What a column holds under a field.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ColumnCheck)]
pub(crate) struct ColumnCheckJson {
    /// Records that were looked at: the first 100,000, or as many as a second allows.
    records: u64,
    /// Whether these are all.
    whole: bool,
    /// Cells that are not blank.
    values: u64,
    /// Those that cannot be used.
    failing: u64,
    /// Up to three of them, with the reasons.
    #[schema(value_type = Vec<IssueSchema>)]
    examples: Vec<Issue>,
    /// The order of its dates, as said or found out.
    #[schema(value_type = Option<String>, example = "dmy")]
    date_order: Option<DateOrder>,
    /// What only a person can say: dates that could be read in several orders.
    question: Option<DateQuestionJson>,
}

/// A value that could be read in several orders.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DateQuestion)]
pub(crate) struct DateQuestionJson {
    /// The value.
    #[schema(example = "03/04/2026")]
    value: String,
    /// What it could mean.
    answers: Vec<DateAnswerJson>,
}

/// What a date means in an order.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DateAnswer)]
pub(crate) struct DateAnswerJson {
    /// `dmy`, `mdy` or `ymd`.
    #[schema(value_type = String, example = "dmy")]
    date_order: DateOrder,
    /// The date.
    #[schema(example = "2026-04-03")]
    date: String,
}

impl ColumnCheckJson {
    fn of(column: CheckedColumn, records: u64, whole: bool) -> ColumnCheckJson {
        ColumnCheckJson {
            records,
            whole,
            values: column.values,
            failing: column.failing,
            examples: column.examples,
            date_order: column.date_order,
            question: column.question.map(|question| DateQuestionJson {
                value: question.value,
                answers: question
                    .answers
                    .into_iter()
                    .map(|(date_order, date)| DateAnswerJson {
                        date_order,
                        date: date.to_string(),
                    })
                    .collect(),
            }),
        }
    }
}

/// Check a column
///
/// How many of its values could not be used under a field? The other columns are taken as stored, or as guessed: the
/// country of a record decides how its phone numbers are read.
#[utoipa::path(
    get,
    path = "/imports/{id}/columns/{column}/check",
    operation_id = "checkColumn",
    tag = "Imports",
    params(
        ("id" = Uuid, Path, description = "The import's id"),
        ("column" = u32, Path, description = "The column, counted from 0"),
        CheckParams,
    ),
    responses((status = 200, description = "What it holds", body = ColumnCheckJson), Guarded, Named, Mapped),
)]
pub(crate) async fn check_column(
    State(api): State<Api>,
    caller: Caller,
    Path((id, column)): Path<(String, String)>,
    uri: Uri,
) -> Result<Json<ColumnCheckJson>, Problem> {
    let mut params = Params::of(&uri)?;
    let field = params.text("field")?;
    let write = params.parsed("write", |text| {
        WriteMode::from_key(text).ok_or("use `replace`, `add` or `only_if_empty`".to_owned())
    })?;
    let blank = params.parsed("blank", |text| {
        BlankRule::from_key(text).ok_or("use `ignore` or `clear`".to_owned())
    })?;
    let date_order = params.parsed("date_order", |text| {
        text.parse::<DateOrder>()
            .map_err(|_| "use `dmy`, `mdy` or `ymd`".to_owned())
    })?;
    let region = params.parsed("region", |text| {
        checked_region(text).map_err(|error| error.to_string())
    })?;
    let mut said = Said::default();
    for name in ["encoding", "delimiter", "quote", "sheet", "header_row"] {
        params.parsed(name, |text| said.take(name, text))?;
    }
    params.finish()?;

    let mut import = get(&api, &caller, &id).await?;
    let sources = api.sources(&caller).await?;
    let source = sources
        .by_id(import.source)
        .ok_or_else(|| Problem::not_found("source of import", &id))?;
    let mut options = options_of(&api, source, &mut import, &said).await?;
    let unknown = || Problem::not_found("column", &column);
    let index: usize = column.parse().map_err(|_| unknown())?;
    let name = options.header.get(index).ok_or_else(unknown)?.clone();
    let entries = options.mapping.entries_for(&options.header);
    let mut columns: Vec<ColumnMapping> = entries
        .into_iter()
        .zip(&options.header)
        .map(|(entry, name)| {
            entry.cloned().unwrap_or_else(|| ColumnMapping {
                column: name.clone(),
                ..ColumnMapping::default()
            })
        })
        .collect();
    let entry = &mut columns[index];
    *entry = ColumnMapping {
        column: name,
        field: field.or(entry.field.take()),
        write: write.unwrap_or(entry.write),
        blank: blank.unwrap_or(entry.blank),
        date_order: date_order.or(entry.date_order),
    };
    options.mapping.columns = columns;
    options.region = region.flatten().or(options.region);
    let file = file_of(&api.app, &import).await?;
    let checked = check(&api.app, source, file.path(), &options, Some(index)).await?;
    let column = checked.column(index).cloned().unwrap_or_default();
    Ok(Json(ColumnCheckJson::of(
        column,
        checked.records,
        checked.whole,
    )))
}

/// Download a template
///
/// A CSV file of nothing but a header: the labels of all fields, custom ones included. Its columns map by themselves.
#[utoipa::path(
    get,
    path = "/imports/template.csv",
    operation_id = "getTemplate",
    tag = "Imports",
    responses((status = 200, description = "The file", body = String, content_type = "text/csv"), Guarded),
)]
pub(crate) async fn template(
    State(api): State<Api>,
    caller: Caller,
) -> Result<impl IntoResponse, Problem> {
    let schema = api.app.schema(caller.workspace()).await?;
    let disposition = format!("attachment; filename=\"{}\"", template::FILE_NAME);
    Ok((
        [
            (header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()),
            (header::CONTENT_DISPOSITION, disposition),
        ],
        template::template(&schema),
    ))
}
