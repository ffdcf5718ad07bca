//! Signing in with the provider of the settings, and linking an account to it.

use axum::Form;
use axum::extract::{Query, State};
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{AppendHeaders, IntoResponse, Redirect, Response};
use rollbook_store::StoreError;
use rollbook_store::accounts::User;
use rollbook_store::identities::Identity;
use serde::Deserialize;

use crate::app::App;
use crate::audit::{Act, Actor};
use crate::clock;
use crate::http::client::{self, Knock};
use crate::http::pages::error::PageError;
use crate::http::pages::sign_in::{self, SignInQuery};
use crate::http::session::{self, Person, cookie, set_cookie};
use crate::oidc::token::Claims;
use crate::oidc::{self, Begun, OidcError, ProviderSettings};

/// The cookie of a sign-in that the provider has to answer.
const COOKIE: &str = "rollbook_oidc";

/// How long the provider may take, in seconds.
const PATIENCE: i64 = 15 * 60;

/// What the provider says.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Answer {
    code: String,
    state: String,
    error: String,
}

/// The form that takes a link away.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct UnlinkForm {
    subject: String,
}

/// `GET /sign-in/oidc`: to the provider.
pub(super) async fn begin(
    State(app): State<App>,
    _: Knock,
    Query(query): Query<SignInQuery>,
) -> Result<Response, PageError> {
    leave(&app, session::safe_next(&query.next), false).await
}

/// `GET /account/oidc`: to the provider, to link the account that is signed in. It is no form, because forms lead to no
/// other site; so browsers are asked whether it was one of our pages that led here.
pub(super) async fn link(
    State(app): State<App>,
    _person: Person,
    _: Knock,
    headers: HeaderMap,
) -> Result<Response, PageError> {
    let from = headers.get("sec-fetch-site");
    if from.is_some_and(|from| from != "same-origin" && from != "none") {
        return Err(PageError::Forbidden(
            "This link came from another site. Open your account here and start again.",
        ));
    }
    leave(&app, "/account", true).await
}

/// `POST /account/oidc/unlink`
pub(super) async fn unlink(
    State(app): State<App>,
    person: Person,
    Form(form): Form<UnlinkForm>,
) -> Result<Response, PageError> {
    let provider = provider(&app)?;
    let user = &person.user;
    if user.password_hash.is_empty() {
        return Err(PageError::Invalid(
            "You have no password, so you could not sign in any more. Choose one at “Forgot your password?” first."
                .to_owned(),
        ));
    }
    match app
        .store
        .unlink_identity(user.id, &provider.issuer, &form.subject)
        .await
    {
        Ok(()) => audit(&app, user, &person.actor(), Act::Unlinked, &provider.name).await?,
        // It was taken away meanwhile.
        Err(StoreError::Missing(_)) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(Redirect::to("/account").into_response())
}

/// `GET /sign-in/oidc/callback`: back from the provider.
pub(super) async fn callback(
    State(app): State<App>,
    person: Option<Person>,
    Knock(ip): Knock,
    headers: HeaderMap,
    Query(answer): Query<Answer>,
) -> Result<Response, PageError> {
    let provider = provider(&app)?;
    let again = |problem: &str| sign_in::problem_page(&app, problem.to_owned());
    let begun = cookie(&app, &headers, COOKIE).and_then(|value| Begun::of(value, &answer.state));
    let Some(begun) = begun else {
        return again("This sign-in was not begun here, or it took too long. Try again.").await;
    };
    if !answer.error.is_empty() || answer.code.is_empty() {
        return again("The sign-in was cancelled there. Try again, or sign in with your password.")
            .await;
    }
    let claims = match oidc::finish(&app, provider, &begun, &answer.code).await {
        Ok(claims) => claims,
        Err(error) => return failed(&app, &error).await,
    };
    let address = client::text(ip);
    let mut response = match (begun.link, person) {
        (true, Some(person)) => link_to(&app, provider, &claims, &person).await?,
        (true, None) => {
            return again("You were signed out meanwhile. Sign in and try again.").await;
        }
        (false, _) => {
            let Some(user) = find(&app, provider, &claims, &address).await? else {
                let who = claims.verified_email().unwrap_or_else(|| {
                    "this person (the provider has verified no email address)".to_owned()
                });
                return again(&format!(
                    "There is no account here for {who}. Ask an administrator to invite you."
                ))
                .await;
            };
            sign_in::proceed(&app, &user, &headers, address, &begun.next).await?
        }
    };
    let gone = set_cookie(&app, COOKIE, "", 0);
    response.headers_mut().append(SET_COOKIE, gone);
    Ok(response)
}

/// Links the account of whoever is signed in.
async fn link_to(
    app: &App,
    provider: &ProviderSettings,
    claims: &Claims,
    person: &Person,
) -> Result<Response, PageError> {
    match keep(app, provider, claims, &person.user).await {
        Ok(()) => {}
        Err(StoreError::Exists(_)) => {
            return Err(PageError::Invalid(format!(
                "This account of {} is linked to somebody else here already.",
                provider.name
            )));
        }
        Err(error) => return Err(error.into()),
    }
    let (user, actor) = (&person.user, person.actor());
    audit(app, user, &actor, Act::Linked, &provider.name).await?;
    Ok(Redirect::to("/account").into_response())
}

fn provider(app: &App) -> Result<&ProviderSettings, PageError> {
    app.config
        .oidc
        .as_ref()
        .ok_or(PageError::NotFound("this page"))
}

async fn leave(app: &App, next: &str, link: bool) -> Result<Response, PageError> {
    let provider = provider(app)?;
    match oidc::begin(app, provider, next, link).await {
        Ok((url, begun)) => {
            let kept = set_cookie(app, COOKIE, &begun.cookie(), PATIENCE);
            Ok((AppendHeaders([(SET_COOKIE, kept)]), Redirect::to(&url)).into_response())
        }
        Err(error) => failed(app, &error).await,
    }
}

/// The cause is for the operator; whoever signs in cannot mend it.
async fn failed(app: &App, error: &OidcError) -> Result<Response, PageError> {
    tracing::error!("sign-in with the provider: {error}");
    let problem = "The sign-in did not work just now. Try again, or sign in with your password; the server's log says \
                   what was wrong.";
    let mut response = sign_in::problem_page(app, problem.to_owned()).await?;
    *response.status_mut() = StatusCode::BAD_GATEWAY;
    Ok(response)
}

/// Whose account it is: the one that is linked, else the one with the email address that the provider has verified,
/// else a new one if the settings give a role to everybody.
async fn find(
    app: &App,
    provider: &ProviderSettings,
    claims: &Claims,
    address: &str,
) -> Result<Option<User>, PageError> {
    let linked = app.store.identity(&provider.issuer, &claims.sub).await?;
    if linked.is_some() {
        return Ok(linked);
    }
    let Some(email) = claims.verified_email() else {
        return Ok(None);
    };
    let actor = Actor {
        name: email.clone(),
        address: address.to_owned(),
    };
    let user = match (app.store.user_by_email(&email).await?, provider.role) {
        (Some(user), _) => user,
        (None, None) => return Ok(None),
        (None, Some(role)) => {
            let workspace = match app.workspace().await {
                Ok(workspace) => workspace,
                // Several, and none is named: the first one.
                Err(_) => app.first_workspace().await?,
            };
            let name = claims.name.as_deref().unwrap_or(&email);
            let name: String = name.chars().take(120).collect();
            let added = app
                .store
                .add_user(workspace.id, &email, &name, role, "", clock::now());
            let member = added.await?;
            let about = format!("{email}, {}, with {}", role.key(), provider.name);
            app.audit(workspace.id, &actor, Act::Joined, &about).await?;
            member.user
        }
    };
    keep(app, provider, claims, &user).await?;
    audit(app, &user, &actor, Act::Linked, &provider.name).await?;
    Ok(Some(user))
}

async fn keep(
    app: &App,
    provider: &ProviderSettings,
    claims: &Claims,
    user: &User,
) -> Result<(), StoreError> {
    let identity = Identity {
        issuer: provider.issuer.clone(),
        subject: claims.sub.clone(),
        email: claims.verified_email().unwrap_or_default(),
        linked_at: clock::now(),
    };
    app.store.link_identity(user.id, identity).await
}

/// What a person does to their account concerns every workspace they belong to.
async fn audit(
    app: &App,
    user: &User,
    actor: &Actor,
    act: Act,
    about: &str,
) -> Result<(), StoreError> {
    for membership in app.store.memberships(user.id).await? {
        app.audit(membership.workspace, actor, act, about).await?;
    }
    Ok(())
}
