//! A new password for somebody who forgot theirs.

use askama::Template;
use axum::Form;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use rollbook_store::StoreError;
use rollbook_store::accounts::User;
use rollbook_store::invitations::TicketKind;
use serde::Deserialize;

use crate::access::hash_secret;
use crate::app::App;
use crate::audit::{Act, Actor};
use crate::clock;
use crate::http::client::{self, Knock};
use crate::http::pages::error::PageError;
use crate::http::pages::frame::{page, page_with};
use crate::http::pages::show::sentence;
use crate::http::pages::sign_in::{self, SignInPage};
use crate::http::session;
use crate::{passwords, people};

/// What a link that does not work is called.
const LINK: &str = "this link; it works once, for an hour, and you can ask for a new one at “Forgot your password?”";

/// The page that asks whose password it is.
#[derive(Template)]
#[template(path = "pages/reset.html")]
pub(crate) struct ResetPage {
    pub(crate) can_mail: bool,
    pub(crate) sent: bool,
}

/// The page that takes the new one.
#[derive(Template)]
#[template(path = "pages/new_password.html")]
pub(crate) struct NewPasswordPage {
    pub(crate) token: String,
    pub(crate) email: String,
    pub(crate) problem: Option<String>,
}

/// Whose password.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ResetForm {
    email: String,
}

/// The new password.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct NewPasswordForm {
    password: String,
}

/// `GET /reset`
pub(super) async fn get(State(app): State<App>) -> Result<Response, PageError> {
    page(&ResetPage {
        can_mail: people::can_mail(&app),
        sent: false,
    })
}

/// `POST /reset`: the same answer, as quickly, whether the address has an account or not.
pub(super) async fn post(
    State(app): State<App>,
    _: Knock,
    Form(form): Form<ResetForm>,
) -> Result<Response, PageError> {
    let can_mail = people::can_mail(&app);
    let email = form.email.trim().to_lowercase();
    if can_mail && app.door.reset(&email).is_ok() {
        tokio::spawn(async move {
            if let Err(error) = people::send_reset(&app, &email).await {
                tracing::error!("a link for a new password was not sent: {error}");
            }
        });
    }
    page(&ResetPage {
        can_mail,
        sent: true,
    })
}

/// `GET /reset/{token}`
pub(super) async fn get_new(
    State(app): State<App>,
    Path(token): Path<String>,
) -> Result<Response, PageError> {
    let user = find(&app, &token).await?;
    page(&NewPasswordPage {
        token,
        email: user.email,
        problem: None,
    })
}

/// `POST /reset/{token}`: then the person signs in, with the second factor if they have one.
pub(super) async fn post_new(
    State(app): State<App>,
    Knock(ip): Knock,
    Path(token): Path<String>,
    Form(form): Form<NewPasswordForm>,
) -> Result<Response, PageError> {
    let user = find(&app, &token).await?;
    if let Err(problem) = passwords::check(&form.password, &user.email, &user.name) {
        let page = NewPasswordPage {
            token,
            email: user.email,
            problem: Some(sentence(&problem.to_string())),
        };
        return page_with(StatusCode::UNPROCESSABLE_ENTITY, &page);
    }
    let hash = session::hash_password(&form.password).await?;
    let set = app
        .store
        .reset_password(hash_secret(&token), &hash, clock::now());
    let user = match set.await {
        Ok(user) => user,
        Err(StoreError::Missing(_)) => return Err(PageError::NotFound(LINK)),
        Err(error) => return Err(error.into()),
    };
    let actor = Actor {
        name: user.email.clone(),
        address: client::text(ip),
    };
    for membership in app.store.memberships(user.id).await? {
        app.audit(
            membership.workspace,
            &actor,
            Act::ChangedPassword,
            "by a mailed link",
        )
        .await?;
    }
    page(&SignInPage {
        email: user.email,
        next: String::new(),
        problem: None,
        provider: sign_in::provider(&app),
        done: Some("Your new password is saved. Sign in with it."),
        no_users: false,
    })
}

async fn find(app: &App, token: &str) -> Result<User, PageError> {
    let found = app
        .store
        .ticket(TicketKind::PasswordReset, hash_secret(token), clock::now());
    found.await?.ok_or(PageError::NotFound(LINK))
}
