//! Signing in and out.

use askama::Template;
use axum::Form;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use crate::app::App;
use crate::http::pages::error::PageError;
use crate::http::pages::frame::{page, page_with};
use crate::http::session::{self, Person, safe_next};

/// The page.
#[derive(Template)]
#[template(path = "pages/sign_in.html")]
pub(crate) struct SignInPage {
    pub(crate) email: String,
    pub(crate) next: String,
    pub(crate) problem: Option<&'static str>,
    /// Nobody can sign in yet: say how to add somebody.
    pub(crate) no_users: bool,
}

/// Where to go afterwards.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct SignInQuery {
    next: String,
}

/// The form.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct SignInForm {
    email: String,
    password: String,
    next: String,
}

/// `GET /sign-in`
pub(super) async fn get(
    State(app): State<App>,
    person: Option<Person>,
    Query(query): Query<SignInQuery>,
) -> Result<Response, PageError> {
    if person.is_some() {
        return Ok(Redirect::to(safe_next(&query.next)).into_response());
    }
    page(&SignInPage {
        email: String::new(),
        next: query.next,
        problem: None,
        no_users: has_no_users(&app).await?,
    })
}

/// `POST /sign-in`
pub(super) async fn post(
    State(app): State<App>,
    headers: HeaderMap,
    Form(form): Form<SignInForm>,
) -> Result<Response, PageError> {
    let user = session::check_password(&app, &form.email, &form.password).await?;
    let Some(user) = user else {
        let page = SignInPage {
            no_users: has_no_users(&app).await?,
            email: form.email,
            next: form.next,
            problem: Some("No account has this email and password. Check both and try again."),
        };
        return page_with(StatusCode::UNPROCESSABLE_ENTITY, &page);
    };
    // A session that this browser had ends, so that nobody else's can be left in it.
    session::end(&app, &headers).await?;
    let cookie = session::begin(&app, &user).await?;
    Ok((cookie, Redirect::to(safe_next(&form.next))).into_response())
}

/// `POST /sign-out`
pub(super) async fn sign_out(
    State(app): State<App>,
    headers: HeaderMap,
) -> Result<Response, PageError> {
    let cookie = session::end(&app, &headers).await?;
    Ok((cookie, Redirect::to("/sign-in")).into_response())
}

async fn has_no_users(app: &App) -> Result<bool, PageError> {
    for workspace in app.store.workspaces().await? {
        if !app.store.users(workspace.id).await?.is_empty() {
            return Ok(false);
        }
    }
    Ok(true)
}
