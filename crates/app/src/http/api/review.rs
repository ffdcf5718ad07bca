//! The review of an import: `/imports/{id}/review`, and what can be changed in it.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::Uri;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::http::api::Api;
use crate::http::api::body::settings_or_default;
use crate::http::api::imports::get;
use crate::http::api::logs::PageParams;
use crate::http::api::params::Params;
use crate::http::auth::Caller;
use crate::http::error::{
    Guarded, GuardedBody, InState, Kind, Mapped, MappedOrWrong, Named, Problem, shortened,
};
use crate::imports::edits::RowChange;
use crate::imports::preview::RowVerdict;
use crate::imports::review::change::{self, Fix};
use crate::imports::review::rows::{RowCell, RowFilter};
use crate::imports::review::{PATIENCE, ReviewError, open};
use crate::wire::review::{ReviewJson, RowJson, RowVerdictJson};

/// A page of rows.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ReviewedRowPage)]
pub(crate) struct RowPageJson {
    /// The rows, in the order of the file.
    rows: Vec<RowJson>,
    /// Pass as `cursor` for the next page; null at the end.
    next_cursor: Option<String>,
}

/// What is changed about a row; what is left out stays.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RowChange)]
pub(crate) struct RowChangeJson {
    /// New texts of cells, by the names of their columns, or `#3` for the third one; null takes the edit of a cell away.
    #[serde(default)]
    #[schema(value_type = Option<BTreeMap<String, Option<String>>>, example = json!({"Telefon": "+49 30 123456"}))]
    cells: BTreeMap<String, Option<String>>,
    /// The region that the row's phone numbers are read for; blank for none of its own.
    #[serde(default)]
    #[schema(example = "GB")]
    region: Option<String>,
    /// `true` leaves the row out, `false` takes it back in.
    #[serde(default)]
    dropped: Option<bool>,
}

/// A row after a change.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ChangedRow)]
pub(crate) struct ChangedRowJson {
    /// The row, judged again.
    row: RowJson,
    /// Whether it was judged together with all other rows. If not, the review that will is being made.
    exact: bool,
}

/// What is done about all rows of a group.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Fix)]
pub(crate) struct FixJson {
    /// The group, as the review calls it.
    #[serde(default)]
    #[schema(example = "phone.no_region:phone", required = true)]
    group: String,
    /// `set_region` reads phone numbers for `region`; `replace` puts `replace` in the place of `find` in the cells at
    /// fault; `clean` takes control characters out of them; `clear` blanks them; `drop` leaves the rows out.
    #[serde(default)]
    #[schema(example = "set_region", required = true)]
    fix: String,
    /// For `set_region`: the code or the name of a country.
    #[serde(default)]
    #[schema(example = "GB")]
    region: Option<String>,
    /// For `replace`: the text to find, exactly.
    #[serde(default)]
    find: Option<String>,
    /// For `replace`: what takes its place; nothing if left out.
    #[serde(default)]
    replace: Option<String>,
    /// `true` changes nothing and only tells how many rows and cells would be changed.
    #[serde(default)]
    only_count: bool,
}

/// What a fix changed.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Fixed)]
pub(crate) struct FixedJson {
    /// Rows.
    rows: u64,
    /// Cells in them.
    cells: u64,
}

/// A row of which something else became than the review said.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DriftedRow)]
pub(crate) struct DriftedRowJson {
    /// The row, from 1.
    row: u64,
    /// What the review said.
    expected: RowVerdictJson,
    /// The contact that the review found, if that was stored already.
    #[schema(example = "1")]
    expected_contact_id: Option<String>,
    /// The attempt that says what became of it.
    #[schema(format = "uuid")]
    attempt_id: String,
}

/// Rows of which something else became than the review said.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Drift)]
pub(crate) struct DriftJson {
    /// How many there are.
    drifted: u64,
    /// The first 1,000 of them, in the order of the file.
    rows: Vec<DriftedRowJson>,
}

/// How many edits were taken away.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = UndoneEdits)]
pub(crate) struct UndoneJson {
    /// Rows that are as they were uploaded again.
    rows: u64,
}

/// Review an import
///
/// A dry run of the whole file, by the same rules as the run; nothing is written. It begins with the first call and
/// after every change; an answer comes within seconds, and says `running` if the review takes longer: ask again.
///
/// Only while the import is `uploaded` (`POST /imports` with `run=false`). A guessed mapping is stored with it.
#[utoipa::path(
    get,
    path = "/imports/{id}/review",
    operation_id = "getReview",
    tag = "Imports",
    params(("id" = Uuid, Path, description = "The import's id")),
    responses((status = 200, description = "The review", body = ReviewJson), Guarded, Named, InState, Mapped),
)]
pub(crate) async fn show(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<ReviewJson>, Problem> {
    let import = get(&api, &caller, &id).await?;
    let open = open(&api.app, &import, false).await?;
    open.wait(PATIENCE).await;
    Ok(Json(ReviewJson::of(&open)))
}

/// List reviewed rows
///
/// In the order of the file. While a review is being made, the one before is answered; if there is none, the problem
/// is `import-state`: try again.
#[utoipa::path(
    get,
    path = "/imports/{id}/review/rows",
    operation_id = "listReviewedRows",
    tag = "Imports",
    params(
        ("id" = Uuid, Path, description = "The import's id"),
        ("verdict" = Option<String>, Query, description = "Only rows with this verdict: `created`, `updated` (with changes), `unchanged`, `failed` or `dropped`"),
        ("group" = Option<String>, Query, description = "Only rows of this group of issues"),
        PageParams,
    ),
    responses((status = 200, description = "A page of rows", body = RowPageJson), Guarded, Named, InState, Mapped),
)]
pub(crate) async fn rows(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<String>,
    uri: Uri,
) -> Result<Json<RowPageJson>, Problem> {
    let mut params = Params::of(&uri)?;
    let page = PageParams::take(&mut params)?;
    let words = RowVerdict::ALL.map(|verdict| (verdict.key(), verdict));
    let verdict = params.one_of("verdict", &words)?;
    let group = params.text("group")?;
    params.finish()?;
    let import = get(&api, &caller, &id).await?;
    let open = open(&api.app, &import, false).await?;
    let review = match open.wait(PATIENCE).await {
        Some(outcome) => outcome.map_err(ReviewError::Failed)?,
        None => open.latest().ok_or(ReviewError::NotReady)?,
    };
    let group = match &group {
        None => None,
        // A group that was fixed is empty, not unknown.
        Some(key) => match review.group(key) {
            Some(group) => Some(group),
            None => {
                return Ok(Json(RowPageJson {
                    rows: Vec::new(),
                    next_cursor: None,
                }));
            }
        },
    };
    let filter = RowFilter { verdict, group };
    let after = page.cursor::<u64>()?.unwrap_or_default();
    let (numbers, more) = review.numbers(filter, after, usize::from(page.limit));
    let last = numbers.last().map(ToString::to_string);
    let rows = review.rows(numbers).await?;
    Ok(Json(RowPageJson {
        rows: rows.into_iter().map(RowJson::of).collect(),
        next_cursor: last.filter(|_| more),
    }))
}

/// Change a row before it is imported
///
/// Only while the import is `uploaded`. The file stays as it was uploaded, and so does the payload in the log; a note of
/// the attempt says what was changed.
#[utoipa::path(
    patch,
    path = "/imports/{id}/rows/{row}",
    operation_id = "changeRow",
    tag = "Imports",
    params(
        ("id" = Uuid, Path, description = "The import's id"),
        ("row" = u64, Path, description = "The row's number, from 1"),
    ),
    request_body(content = RowChangeJson, description = "What to change"),
    responses((status = 200, description = "The row, judged again", body = ChangedRowJson), GuardedBody, Named, InState, MappedOrWrong),
)]
pub(crate) async fn change_row(
    State(api): State<Api>,
    caller: Caller,
    Path((id, number)): Path<(String, String)>,
    request: Request,
) -> Result<Json<ChangedRowJson>, Problem> {
    let json: RowChangeJson = settings_or_default(request).await?;
    let import = get(&api, &caller, &id).await?;
    let number: u64 = number
        .parse()
        .map_err(|_| Problem::not_found("row", &number))?;
    let mut cells = Vec::new();
    if !json.cells.is_empty() {
        let open = open(&api.app, &import, false).await?;
        let review = match open.wait(PATIENCE).await {
            Some(outcome) => outcome.map_err(ReviewError::Failed)?,
            None => open.latest().ok_or(ReviewError::NotReady)?,
        };
        let row = review.row(number).await?;
        for (name, text) in json.cells {
            cells.push((column(&row.cells, &name)?, text));
        }
    }
    let change = RowChange {
        cells,
        region: json.region,
        dropped: json.dropped,
    };
    let changed = change::change_row(&api.app, &import, caller.name(), number, change).await?;
    Ok(Json(ChangedRowJson {
        row: RowJson::of(changed.row),
        exact: changed.exact,
    }))
}

/// The column of a name, or of `#3`.
fn column(cells: &[RowCell], name: &str) -> Result<usize, Problem> {
    let mut named = cells
        .iter()
        .enumerate()
        .filter(|(_, cell)| cell.name == name);
    if let (Some((column, _)), None) = (named.next(), named.next()) {
        return Ok(column);
    }
    let number = name
        .strip_prefix('#')
        .and_then(|number| number.parse::<usize>().ok());
    number
        .filter(|number| (1..=cells.len()).contains(number))
        .map(|number| number - 1)
        .ok_or_else(|| {
            Problem::new(
                Kind::Value,
                format!(
                    "`{}` is not the name of one column; use a name that only one column has, or `#1` to `#{}`",
                    shortened(name),
                    cells.len()
                ),
            )
        })
}

/// Fix a group of issues
///
/// Changes all rows of a group of the review at once, as `PATCH /imports/{id}/rows/{row}` changes one; then the review is
/// made again. Only while the import is `uploaded`.
#[utoipa::path(
    post,
    path = "/imports/{id}/fixes",
    operation_id = "fixGroup",
    tag = "Imports",
    params(("id" = Uuid, Path, description = "The import's id")),
    request_body(content = FixJson, description = "What to do"),
    responses((status = 200, description = "How much was changed", body = FixedJson), GuardedBody, Named, InState, MappedOrWrong),
)]
pub(crate) async fn fix(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<String>,
    request: Request,
) -> Result<Json<FixedJson>, Problem> {
    let json: FixJson = settings_or_default(request).await?;
    let import = get(&api, &caller, &id).await?;
    let fix = match json.fix.as_str() {
        "set_region" => Fix::SetRegion(json.region.unwrap_or_default()),
        "replace" => Fix::Replace {
            find: json.find.unwrap_or_default(),
            with: json.replace.unwrap_or_default(),
        },
        "clean" => Fix::Clean,
        "clear" => Fix::Clear,
        "drop" => Fix::Drop,
        other => {
            return Err(Problem::new(
                Kind::Value,
                format!(
                    "`fix` is `{}`; use one of `set_region`, `replace`, `clean`, `clear`, `drop`",
                    shortened(other)
                ),
            ));
        }
    };
    let (by, group) = (caller.name(), &json.group);
    let fixed = change::fix(&api.app, &import, by, group, fix, json.only_count).await?;
    Ok(Json(FixedJson {
        rows: fixed.rows,
        cells: fixed.cells,
    }))
}

/// Undo all changes of rows
///
/// Only while the import is `uploaded`.
#[utoipa::path(
    delete,
    path = "/imports/{id}/edits",
    operation_id = "undoEdits",
    tag = "Imports",
    params(("id" = Uuid, Path, description = "The import's id")),
    responses((status = 200, description = "How many rows are as they were uploaded again", body = UndoneJson), Guarded, Named, InState, Mapped),
)]
pub(crate) async fn undo(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<UndoneJson>, Problem> {
    let import = get(&api, &caller, &id).await?;
    let rows = change::undo(&api.app, &import).await?;
    Ok(Json(UndoneJson { rows }))
}

/// List rows that drifted
///
/// Rows of which something else became than their review said, because contacts changed between the two. Their attempts
/// have the note `verdict.drifted`. None for an import that nobody reviewed.
#[utoipa::path(
    get,
    path = "/imports/{id}/drift",
    operation_id = "listDrift",
    tag = "Imports",
    params(("id" = Uuid, Path, description = "The import's id")),
    responses((status = 200, description = "The rows", body = DriftJson), Guarded, Named),
)]
pub(crate) async fn drift(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<DriftJson>, Problem> {
    let import = get(&api, &caller, &id).await?;
    let rows = api
        .app
        .store
        .drifted_rows(import.workspace, import.id)
        .await?;
    let rows = rows.into_iter().map(|drift| DriftedRowJson {
        row: drift.row,
        expected: drift.expected.verdict.into(),
        expected_contact_id: drift.expected.contact.map(|id| id.to_string()),
        attempt_id: drift.attempt.to_string(),
    });
    Ok(Json(DriftJson {
        drifted: import.drifted,
        rows: rows.collect(),
    }))
}
