//! What people do in a review: change a row, fix a group, undo that, review again, start.

use axum::Form;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::view::{RowView, as_sent};
use super::{Notice, ReviewQuery, RowFragment, answer, broken};
use crate::app::App;
use crate::http::pages::error::PageError;
use crate::http::pages::frame::page;
use crate::http::pages::import::{find_import, source_of};
use crate::http::pages::show::sentence;
use crate::http::session::Person;
use crate::imports::edits::RowChange;
use crate::imports::intake::{self, IntakeError};
use crate::imports::review::change::{self, Fix};
use crate::imports::review::{self, ReviewError};

/// With `fragment` a form's answer is the row alone, for a script.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct RowQuery {
    fragment: Option<String>,
}

type Fields = Vec<(String, String)>;

/// `POST /imports/{id}/rows/{row}`: `cell.N`, `region`, `dropped`.
pub(crate) async fn change_row(
    State(app): State<App>,
    person: Person,
    Path((id, number)): Path<(String, u64)>,
    Query(query): Query<RowQuery>,
    Form(form): Form<Fields>,
) -> Result<Response, PageError> {
    person.must_import()?;
    let import = find_import(&app, &person, &id).await?;
    let changed = async {
        let row = change::row_now(&app, &import, number).await?;
        let mut change = RowChange::default();
        for (name, text) in &form {
            let column = name
                .strip_prefix("cell.")
                .and_then(|column| column.parse().ok());
            if let Some(column) = column {
                let cell: Option<&review::rows::RowCell> = row.cells.get::<usize>(column);
                let text = as_sent(text);
                if cell.is_none_or(|cell| as_sent(&cell.text) != text) {
                    change.cells.push((column, Some(text)));
                }
            }
            match name.as_str() {
                "region" if row.region.as_deref().unwrap_or_default() != text.trim() => {
                    change.region = Some(text.clone());
                }
                "dropped" => change.dropped = Some(text == "yes"),
                _ => {}
            }
        }
        change::change_row(&app, &import, &person.user.email, number, change).await
    };
    let row = match changed.await {
        Ok(changed) => changed.row,
        Err(ReviewError::Value(error)) if query.fragment.is_none() => {
            return refused(&app, &person, &import.id.to_string(), &form, &error).await;
        }
        Err(error) => return Err(broken(error)),
    };
    if query.fragment.is_some() {
        let schema = app.schema(person.workspace.id).await?;
        return page(&RowFragment {
            id: import.id.to_string(),
            row: RowView::of(row, &schema),
            back: back(&form),
        });
    }
    let place = format!("/imports/{id}/review{}#row-{number}", back(&form));
    Ok(Redirect::to(&place).into_response())
}

/// `POST /imports/{id}/fixes`: `group`, `fix` and what that needs.
pub(crate) async fn fix(
    State(app): State<App>,
    person: Person,
    Path(id): Path<String>,
    Form(form): Form<Fields>,
) -> Result<Response, PageError> {
    person.must_import()?;
    let import = find_import(&app, &person, &id).await?;
    let text = |name: &str| field(&form, name).to_owned();
    let wanted = match field(&form, "fix") {
        "set_region" => Fix::SetRegion(text("region")),
        "replace" => Fix::Replace {
            find: text("find"),
            with: text("replace"),
        },
        "clean" => Fix::Clean,
        "clear" => Fix::Clear,
        "drop" => Fix::Drop,
        _ => {
            return Err(PageError::Invalid(
                "That is not a way to fix rows.".to_owned(),
            ));
        }
    };
    let only_count = field(&form, "only_count") == "yes";
    let (by, group) = (&person.user.email, field(&form, "group"));
    match change::fix(&app, &import, by, group, wanted, only_count).await {
        Ok(fixed) => {
            let back = back(&form);
            let join = if back.is_empty() { '?' } else { '&' };
            let word = if only_count { "would" } else { "fixed" };
            let place = format!("/imports/{id}/review{back}{join}{word}={}", fixed.rows);
            Ok(Redirect::to(&place).into_response())
        }
        Err(ReviewError::Value(error) | ReviewError::Missing(error)) => {
            refused(&app, &person, &id, &form, &error).await
        }
        Err(error @ ReviewError::NotReady) => {
            refused(&app, &person, &id, &form, &error.to_string()).await
        }
        Err(error) => Err(broken(error)),
    }
}

/// `POST /imports/{id}/edits/undo`
pub(crate) async fn undo_edits(
    State(app): State<App>,
    person: Person,
    Path(id): Path<String>,
) -> Result<Response, PageError> {
    person.must_import()?;
    let import = find_import(&app, &person, &id).await?;
    change::undo(&app, &import).await.map_err(broken)?;
    Ok(Redirect::to(&format!("/imports/{id}/review")).into_response())
}

/// `POST /imports/{id}/review`: contacts may have changed since it was made.
pub(crate) async fn review_again(
    State(app): State<App>,
    person: Person,
    Path(id): Path<String>,
) -> Result<Response, PageError> {
    person.must_import()?;
    let import = find_import(&app, &person, &id).await?;
    review::open(&app, &import, true).await.map_err(broken)?;
    Ok(Redirect::to(&format!("/imports/{id}/review")).into_response())
}

/// `POST /imports/{id}/start`: runs it as it was reviewed.
pub(crate) async fn start(
    State(app): State<App>,
    person: Person,
    Path(id): Path<String>,
) -> Result<Response, PageError> {
    person.must_import()?;
    let import = find_import(&app, &person, &id).await?;
    let there = Redirect::to(&format!("/imports/{}", import.id)).into_response();
    let stored = import.options.as_deref().map(serde_json::from_str);
    let Some(Ok(options)) = stored else {
        return Ok(there); // Its columns come first.
    };
    let source = source_of(&app, &person, &import).await?;
    match intake::start(&app, &source, &import, &options).await {
        // Begun already: a second click, or another tab.
        Ok(_) | Err(IntakeError::Begun(_)) => Ok(there),
        Err(IntakeError::Store(error)) => Err(error.into()),
        Err(error) => refused(&app, &person, &id, &[], &error.to_string()).await,
    }
}

/// The page again, with what is wrong.
async fn refused(
    app: &App,
    person: &Person,
    id: &str,
    form: &[(String, String)],
    error: &str,
) -> Result<Response, PageError> {
    let import = find_import(app, person, id).await?;
    let query = field(form, "back").trim_start_matches('?');
    let uri: axum::http::Uri = format!("/?{query}").parse().unwrap_or_default();
    let query = Query::<ReviewQuery>::try_from_uri(&uri);
    let query = query.map(|Query(query)| query).unwrap_or_default();
    let notice = Notice {
        bad: true,
        text: sentence(error),
    };
    answer(app, person, &import, &query, Some(notice)).await
}

fn field<'a>(form: &'a [(String, String)], name: &str) -> &'a str {
    form.iter()
        .find(|(key, _)| key == name)
        .map_or("", |(_, value)| value)
}

/// The query that a form came from; nothing else than one of ours.
fn back(form: &[(String, String)]) -> String {
    let back = field(form, "back");
    let plain =
        |character: char| character.is_ascii_alphanumeric() || "?&=%._-".contains(character);
    if back.starts_with('?') && back.chars().all(plain) {
        return back.to_owned();
    }
    String::new()
}
