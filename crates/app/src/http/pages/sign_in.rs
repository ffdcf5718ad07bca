//! Signing in, with a second factor where there is one, and out.

use askama::Template;
use axum::Form;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use rollbook_store::Timestamp;
use rollbook_store::accounts::User;
use rollbook_store::invitations::TicketKind;
use serde::Deserialize;

use crate::access::{hash_secret, new_token};
use crate::app::App;
use crate::clock;
use crate::http::client::{self, Knock};
use crate::http::pages::error::PageError;
use crate::http::pages::frame::{page, page_with};
use crate::http::session::{self, Person, safe_next};
use crate::{secrets, totp};

/// How long a person may look for their code, in milliseconds.
const CODE_MILLIS: i64 = 5 * 60 * 1000;

/// How many codes may be tried before the password is asked for again.
const CODE_TRIES: u32 = 5;

/// The page.
#[derive(Template)]
#[template(path = "pages/sign_in.html")]
pub(crate) struct SignInPage {
    pub(crate) email: String,
    pub(crate) next: String,
    pub(crate) problem: Option<String>,
    /// What the sign-in provider is called, if there is one.
    pub(crate) provider: Option<String>,
    /// What was done just before.
    pub(crate) done: Option<&'static str>,
    /// Nobody can sign in yet: say how to add somebody.
    pub(crate) no_users: bool,
}

/// The page that asks for the code.
#[derive(Template)]
#[template(path = "pages/second_factor.html")]
pub(crate) struct SecondFactorPage {
    pub(crate) ticket: String,
    pub(crate) next: String,
    pub(crate) problem: Option<&'static str>,
}

/// Where to go afterwards.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct SignInQuery {
    pub(super) next: String,
}

/// The form.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct SignInForm {
    email: String,
    password: String,
    next: String,
}

/// The form with the code.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct CodeForm {
    ticket: String,
    code: String,
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
        provider: provider(&app),
        done: None,
        no_users: !app.store.has_users().await?,
    })
}

/// `POST /sign-in`
pub(super) async fn post(
    State(app): State<App>,
    headers: HeaderMap,
    Knock(ip): Knock,
    Form(form): Form<SignInForm>,
) -> Result<Response, PageError> {
    let email = form.email.trim().to_lowercase();
    let user = app.store.user_by_email(&email).await?;
    let place = session::place(&app, user.as_ref(), &headers, ip).await?;
    let guess = app.door.failures.guess(&email, place)?;
    // As slow for nobody as for somebody.
    let right = session::is_password_of(user.as_ref(), &form.password).await?;
    let Some(user) = user.filter(|_| right) else {
        let problem = "No account has this email and password. Check both and try again.";
        return again(&app, form.email, form.next, problem).await;
    };
    if user.has_second_factor {
        guess.was_right();
    } else {
        guess.opened();
    }
    proceed(&app, &user, &headers, client::text(ip), &form.next).await
}

/// Goes on with somebody who is known: asks for the second factor if there is one, else lets them in.
pub(super) async fn proceed(
    app: &App,
    user: &User,
    headers: &HeaderMap,
    address: String,
    next: &str,
) -> Result<Response, PageError> {
    if user.has_second_factor {
        let (ticket, now) = (new_token(), clock::now());
        let expires_at = Timestamp(now.0 + CODE_MILLIS);
        app.store
            .add_ticket(
                TicketKind::SecondFactor,
                user.id,
                hash_secret(&ticket),
                now,
                expires_at,
            )
            .await?;
        return page(&SecondFactorPage {
            ticket,
            next: next.to_owned(),
            problem: None,
        });
    }
    begin(app, user, headers, address, next).await
}

/// `POST /sign-in/code`
pub(super) async fn code(
    State(app): State<App>,
    headers: HeaderMap,
    Knock(ip): Knock,
    Form(form): Form<CodeForm>,
) -> Result<Response, PageError> {
    let ticket = hash_secret(&form.ticket);
    let user = app
        .store
        .try_ticket(TicketKind::SecondFactor, ticket, clock::now(), CODE_TRIES)
        .await?;
    let Some(user) = user else {
        let problem = "That took too long, or too many codes were wrong. Sign in again.";
        return again(&app, String::new(), form.next, problem).await;
    };
    let place = session::place(&app, Some(&user), &headers, ip).await?;
    let guess = app.door.failures.guess(&user.email, place)?;
    if !opens(&app, &user, &form.code).await? {
        let page = SecondFactorPage {
            ticket: form.ticket,
            next: form.next,
            problem: Some(
                "This code is not right, or it was used already. Wait for the next one and try again.",
            ),
        };
        return page_with(StatusCode::UNPROCESSABLE_ENTITY, &page);
    }
    guess.opened();
    app.store.end_ticket(ticket).await?;
    begin(&app, &user, &headers, client::text(ip), &form.next).await
}

/// `POST /sign-out`
pub(super) async fn sign_out(
    State(app): State<App>,
    headers: HeaderMap,
) -> Result<Response, PageError> {
    let cookie = session::end(&app, &headers).await?;
    Ok((cookie, Redirect::to("/sign-in")).into_response())
}

/// Whether a code of the app, or a recovery code, opens this account; it is used up then.
async fn opens(app: &App, user: &User, code: &str) -> Result<bool, PageError> {
    let Some(factor) = app.store.second_factor(user.id).await? else {
        return Ok(false);
    };
    let place = secrets::second_factor_of(user.id);
    let secret = app.vault.open(&place, &factor.secret);
    let secret = secret.map_err(|error| PageError::Broken(error.to_string()))?;
    let seconds = u64::try_from(clock::now().0 / 1000).unwrap_or(0);
    if let Some(step) = totp::step_of(&secret, code, seconds) {
        return Ok(app.store.use_step(user.id, step).await?);
    }
    let hash = totp::hash_recovery_code(code);
    Ok(app.store.use_recovery_code(user.id, hash).await?)
}

/// Lets somebody in.
pub(super) async fn begin(
    app: &App,
    user: &User,
    headers: &HeaderMap,
    address: String,
    next: &str,
) -> Result<Response, PageError> {
    // A session that this browser had ends, so that nobody else's can be left in it.
    session::end(app, headers).await?;
    let cookie = session::begin(app, user, headers, address).await?;
    Ok((cookie, Redirect::to(safe_next(next))).into_response())
}

/// The page with a problem that is not about what was typed.
pub(super) async fn problem_page(app: &App, problem: String) -> Result<Response, PageError> {
    let page = SignInPage {
        no_users: !app.store.has_users().await?,
        email: String::new(),
        next: String::new(),
        problem: Some(problem),
        provider: provider(app),
        done: None,
    };
    page_with(StatusCode::UNPROCESSABLE_ENTITY, &page)
}

/// What the sign-in provider is called, if there is one.
pub(super) fn provider(app: &App) -> Option<String> {
    app.config
        .oidc
        .as_ref()
        .map(|provider| provider.name.clone())
}

async fn again(
    app: &App,
    email: String,
    next: String,
    problem: &'static str,
) -> Result<Response, PageError> {
    let page = SignInPage {
        no_users: !app.store.has_users().await?,
        email,
        next,
        problem: Some(problem.to_owned()),
        provider: provider(app),
        done: None,
    };
    page_with(StatusCode::UNPROCESSABLE_ENTITY, &page)
}
