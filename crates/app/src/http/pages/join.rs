//! Accepting an invitation.

use askama::Template;
use axum::Form;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use rollbook_store::StoreError;
use rollbook_store::accounts::Member;
use rollbook_store::invitations::Invitation;
use serde::Deserialize;

use crate::access::hash_secret;
use crate::app::App;
use crate::audit::{Act, Actor};
use crate::clock;
use crate::http::client::{self, Knock};
use crate::http::pages::error::PageError;
use crate::http::pages::frame::{page, page_with};
use crate::http::pages::show::sentence;
use crate::http::pages::sign_in;
use crate::http::session::{self, Person};
use crate::passwords;

/// What a link that does not work is called.
const LINK: &str =
    "this invitation; it works once, for seven days, and an administrator can send a new one";

/// The page.
#[derive(Template)]
#[template(path = "pages/join.html")]
pub(crate) struct JoinPage {
    pub(crate) token: String,
    pub(crate) workspace: String,
    pub(crate) invited_by: String,
    pub(crate) email: String,
    pub(crate) role: &'static str,
    pub(crate) name: String,
    pub(crate) who: Joiner,
    pub(crate) problem: Option<String>,
}

/// Who opened the link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Joiner {
    /// Somebody without an account.
    New,
    /// The one who is invited.
    SignedIn,
    /// Nobody yet; the one who is invited has an account.
    HasAccount,
    /// Somebody else.
    Other,
}

/// The form.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct JoinForm {
    name: String,
    password: String,
}

/// `GET /join/{token}`
pub(super) async fn get(
    State(app): State<App>,
    person: Option<Person>,
    Path(token): Path<String>,
) -> Result<Response, PageError> {
    let invitation = find(&app, &token).await?;
    page(&join_page(&app, person.as_ref(), token, invitation).await?)
}

/// `POST /join/{token}`
pub(super) async fn post(
    State(app): State<App>,
    person: Option<Person>,
    headers: HeaderMap,
    Knock(ip): Knock,
    Path(token): Path<String>,
    Form(form): Form<JoinForm>,
) -> Result<Response, PageError> {
    let address = client::text(ip);
    let invitation = find(&app, &token).await?;
    let email = invitation.email.clone();
    let mut page = join_page(&app, person.as_ref(), token.clone(), invitation).await?;
    match (page.who, person) {
        (Joiner::New, _) => {
            let name = form.name.trim();
            if let Err(problem) = passwords::check(&form.password, &email, name) {
                page.problem = Some(sentence(&problem.to_string()));
            } else if name.is_empty() {
                page.problem = Some("Say what your name is.".to_owned());
            }
            if page.problem.is_some() {
                page.name = form.name;
                return page_with(StatusCode::UNPROCESSABLE_ENTITY, &page);
            }
            let hash = session::hash_password(&form.password).await?;
            let member = accept(&app, &token, name, &hash, &address).await?;
            sign_in::begin(&app, &member.user, &headers, address, "/").await
        }
        (Joiner::SignedIn, Some(person)) => {
            let member = accept(&app, &token, "", "", &address).await?;
            app.store
                .switch_session(person.session.token_hash, member.workspace)
                .await?;
            Ok(Redirect::to("/").into_response())
        }
        _ => page_with(StatusCode::UNPROCESSABLE_ENTITY, &page),
    }
}

async fn find(app: &App, token: &str) -> Result<Invitation, PageError> {
    let found = app.store.invitation(hash_secret(token), clock::now());
    found.await?.ok_or(PageError::NotFound(LINK))
}

async fn accept(
    app: &App,
    token: &str,
    name: &str,
    hash: &str,
    address: &str,
) -> Result<Member, PageError> {
    let accepted = app
        .store
        .accept_invitation(hash_secret(token), name, hash, clock::now())
        .await;
    let member = match accepted {
        Ok(member) => member,
        Err(StoreError::Missing(_)) => return Err(PageError::NotFound(LINK)),
        Err(error) => return Err(error.into()),
    };
    let actor = Actor {
        name: member.user.email.clone(),
        address: address.to_owned(),
    };
    let about = format!("{}, {}", member.user.email, member.role.key());
    app.audit(member.workspace, &actor, Act::Joined, &about)
        .await?;
    Ok(member)
}

async fn join_page(
    app: &App,
    person: Option<&Person>,
    token: String,
    invitation: Invitation,
) -> Result<JoinPage, PageError> {
    let account = app.store.user_by_email(&invitation.email).await?;
    let who = match (account, person) {
        (None, _) => Joiner::New,
        (Some(account), Some(person)) if account.id == person.user.id => Joiner::SignedIn,
        (Some(_), Some(_)) => Joiner::Other,
        (Some(_), None) => Joiner::HasAccount,
    };
    Ok(JoinPage {
        token,
        workspace: app.settings(invitation.workspace).await?.name,
        invited_by: invitation.invited_by,
        email: invitation.email,
        role: invitation.role.key(),
        name: String::new(),
        who,
        problem: None,
    })
}
