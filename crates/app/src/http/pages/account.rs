//! A person's own account: name, password, second factor, and where they are signed in.

use std::collections::HashSet;

use askama::Template;
use axum::Form;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use rollbook_store::StoreError;
use rollbook_store::sessions::Session;
use serde::Deserialize;

use crate::app::App;
use crate::audit::Act;
use crate::blobs::hex;
use crate::clock;
use crate::http::client::Knock;
use crate::http::pages::error::PageError;
use crate::http::pages::frame::{Frame, Section, page, page_with};
use crate::http::pages::show::{When, ago, counted, sentence};
use crate::http::pages::sign_in;
use crate::http::session::{self, Person};
use crate::{passwords, secrets, totp};

/// The longest name.
const MAX_NAME: usize = 120;

/// The page.
#[derive(Template)]
#[template(path = "pages/account.html")]
pub(crate) struct AccountPage {
    pub(crate) frame: Frame,
    pub(crate) email: String,
    pub(crate) name: String,
    pub(crate) sessions: Vec<SessionRow>,
    /// `10 recovery codes`; none without a second factor.
    pub(crate) recovery_codes: Option<String>,
    /// What the sign-in provider is called, if there is one.
    pub(crate) provider: Option<String>,
    /// The accounts there.
    pub(crate) linked: Vec<LinkedRow>,
    pub(crate) done: Option<&'static str>,
    pub(crate) password_problem: Option<String>,
    pub(crate) factor_problem: Option<&'static str>,
}

/// The page that sets up the second factor, and shows the recovery codes.
#[derive(Template)]
#[template(path = "pages/set_up_factor.html")]
pub(crate) struct SetUpFactorPage {
    pub(crate) frame: Frame,
    pub(crate) secret: String,
    pub(crate) picture: Option<(usize, String)>,
    pub(crate) problem: Option<&'static str>,
    pub(crate) recovery_codes: Vec<String>,
    /// The codes, one a line.
    pub(crate) all_codes: String,
}

/// A session as listed.
#[derive(Debug, Clone)]
pub(crate) struct SessionRow {
    pub(crate) id: String,
    pub(crate) device: String,
    pub(crate) address: String,
    pub(crate) seen: String,
    pub(crate) since: When,
    pub(crate) is_this: bool,
}

/// An account at the sign-in provider.
#[derive(Debug, Clone)]
pub(crate) struct LinkedRow {
    pub(crate) subject: String,
    pub(crate) email: String,
    pub(crate) since: When,
}

/// What a page says beside what stands.
#[derive(Debug, Default)]
struct Said {
    done: Option<&'static str>,
    password_problem: Option<String>,
    factor_problem: Option<&'static str>,
}

/// The form for a name.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct NameForm {
    name: String,
}

/// The form for a password.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct PasswordForm {
    current: String,
    new: String,
}

/// The forms of the second factor.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct FactorForm {
    secret: String,
    code: String,
    password: String,
}

/// The form that ends a session.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct SessionForm {
    session: String,
}

/// `GET /account`
pub(super) async fn get(State(app): State<App>, person: Person) -> Result<Response, PageError> {
    answer(&app, &person, Said::default()).await
}

/// `POST /account/name`
pub(super) async fn set_name(
    State(app): State<App>,
    person: Person,
    Form(form): Form<NameForm>,
) -> Result<Response, PageError> {
    let name: String = form.name.trim().chars().take(MAX_NAME).collect();
    app.store.set_user_name(person.user.id, &name).await?;
    Ok(Redirect::to("/account").into_response())
}

/// `POST /account/password`
pub(super) async fn set_password(
    State(app): State<App>,
    person: Person,
    _: Knock,
    Form(form): Form<PasswordForm>,
) -> Result<Response, PageError> {
    let user = &person.user;
    let problem = if !session::is_password_of(Some(user), &form.current).await? {
        Some("The current password is not right. Check it and try again.".to_owned())
    } else if let Err(problem) = passwords::check(&form.new, &user.email, &user.name) {
        Some(sentence(&problem.to_string()))
    } else {
        None
    };
    if problem.is_some() {
        let said = Said {
            password_problem: problem,
            ..Said::default()
        };
        return answer(&app, &person, said).await;
    }
    let hash = session::hash_password(&form.new).await?;
    let keep = Some(person.session.token_hash);
    app.store.set_password(user.id, &hash, keep).await?;
    audit(&app, &person, Act::ChangedPassword, "own").await?;
    let said = Said {
        done: Some("Your password is changed. You are signed out everywhere else."),
        ..Said::default()
    };
    answer(&app, &person, said).await
}

/// `GET /account/second-factor`
pub(super) async fn get_factor(person: Person) -> Result<Response, PageError> {
    page(&factor_page(&person, &totp::new_secret(), None))
}

/// `POST /account/second-factor`: answers with the recovery codes, which are stored nowhere.
pub(super) async fn set_factor(
    State(app): State<App>,
    person: Person,
    _: Knock,
    Form(form): Form<FactorForm>,
) -> Result<Response, PageError> {
    let secret = totp::from_base32(&form.secret).filter(|secret| secret.len() >= 20);
    let Some(secret) = secret else {
        return page(&factor_page(&person, &totp::new_secret(), None));
    };
    let now = clock::now();
    let seconds = u64::try_from(now.0 / 1000).unwrap_or(0);
    let step = totp::step_of(&secret, &form.code, seconds);
    let problem = if step.is_none() {
        Some(
            "This is not the code that the app shows for Rollbook. Wait for the next one and try again.",
        )
    } else if !session::is_password_of(Some(&person.user), &form.password).await? {
        Some("The password is not right. Check it and try again.")
    } else {
        None
    };
    if problem.is_some() {
        let page = factor_page(&person, &secret, problem);
        return page_with(StatusCode::UNPROCESSABLE_ENTITY, &page);
    }
    let codes = totp::new_recovery_codes();
    let place = secrets::second_factor_of(person.user.id);
    let hashes: HashSet<[u8; 32]> = codes
        .iter()
        .map(|code| totp::hash_recovery_code(code))
        .collect();
    app.store
        .set_second_factor(
            person.user.id,
            Some(app.vault.seal(&place, &secret)),
            hashes.into_iter().collect(),
            now,
        )
        .await?;
    if let Some(step) = step {
        // The code that was just typed shall not open anything.
        app.store.use_step(person.user.id, step).await?;
    }
    audit(&app, &person, Act::ChangedSecondFactor, "on").await?;
    page(&SetUpFactorPage {
        all_codes: codes.join("\n"),
        recovery_codes: codes,
        ..factor_page(&person, &[], None)
    })
}

/// `POST /account/second-factor/off`
pub(super) async fn remove_factor(
    State(app): State<App>,
    person: Person,
    _: Knock,
    Form(form): Form<FactorForm>,
) -> Result<Response, PageError> {
    if !session::is_password_of(Some(&person.user), &form.password).await? {
        let said = Said {
            factor_problem: Some("The password is not right. Check it and try again."),
            ..Said::default()
        };
        return answer(&app, &person, said).await;
    }
    app.store
        .set_second_factor(person.user.id, None, Vec::new(), clock::now())
        .await?;
    audit(&app, &person, Act::ChangedSecondFactor, "off").await?;
    let said = Said {
        done: Some("The second factor is off. Your password alone signs you in."),
        ..Said::default()
    };
    answer(&app, &person, said).await
}

/// `POST /account/sessions/end`
pub(super) async fn end_session(
    State(app): State<App>,
    person: Person,
    Form(form): Form<SessionForm>,
) -> Result<Response, PageError> {
    let user = person.user.id;
    let sessions = app.store.sessions(user, clock::now()).await?;
    let session = sessions
        .iter()
        .find(|session| hex(&session.token_hash) == form.session);
    if let Some(session) = session {
        match app.store.end_session_of(user, session.token_hash).await {
            // It ended by itself meanwhile.
            Ok(()) | Err(StoreError::Missing(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(Redirect::to("/account").into_response())
}

/// `POST /account/sessions/end-others`
pub(super) async fn end_others(
    State(app): State<App>,
    person: Person,
) -> Result<Response, PageError> {
    app.store
        .end_sessions(person.user.id, Some(person.session.token_hash))
        .await?;
    Ok(Redirect::to("/account").into_response())
}

/// What a person does to their account concerns every workspace they belong to.
async fn audit(app: &App, person: &Person, act: Act, about: &str) -> Result<(), StoreError> {
    for (workspace, _) in &person.workspaces {
        app.audit(*workspace, &person.actor(), act, about).await?;
    }
    Ok(())
}

fn factor_page(person: &Person, secret: &[u8], problem: Option<&'static str>) -> SetUpFactorPage {
    SetUpFactorPage {
        frame: Frame::new(person, Section::Account),
        picture: totp::picture(&totp::address(secret, &person.user.email)),
        secret: totp::base32(secret),
        problem,
        recovery_codes: Vec::new(),
        all_codes: String::new(),
    }
}

async fn answer(app: &App, person: &Person, said: Said) -> Result<Response, PageError> {
    let user = &person.user;
    let sessions = app.store.sessions(user.id, clock::now()).await?;
    let factor = app.store.second_factor(user.id).await?;
    let status = if said.password_problem.is_some() || said.factor_problem.is_some() {
        StatusCode::UNPROCESSABLE_ENTITY
    } else {
        StatusCode::OK
    };
    let page = AccountPage {
        frame: Frame::new(person, Section::Account),
        email: user.email.clone(),
        name: user.name.clone(),
        sessions: sessions
            .iter()
            .map(|session| session_row(session, person))
            .collect(),
        recovery_codes: factor.map(|factor| {
            counted(
                u64::from(factor.recovery_codes),
                "recovery code is",
                "recovery codes are",
            )
        }),
        provider: sign_in::provider(app),
        linked: linked(app, person).await?,
        done: said.done,
        password_problem: said.password_problem,
        factor_problem: said.factor_problem,
    };
    page_with(status, &page)
}

/// The accounts at the provider of the settings.
async fn linked(app: &App, person: &Person) -> Result<Vec<LinkedRow>, StoreError> {
    let Some(provider) = &app.config.oidc else {
        return Ok(Vec::new());
    };
    let identities = app.store.identities(person.user.id).await?.into_iter();
    Ok(identities
        .filter(|identity| identity.issuer == provider.issuer)
        .map(|identity| LinkedRow {
            since: person.zone.when(identity.linked_at),
            subject: identity.subject,
            email: identity.email,
        })
        .collect())
}

fn session_row(session: &Session, person: &Person) -> SessionRow {
    SessionRow {
        id: hex(&session.token_hash),
        device: device(&session.device),
        address: session.address.clone(),
        seen: ago(session.seen_at, clock::now()),
        since: person.zone.when(session.created_at),
        is_this: session.token_hash == person.session.token_hash,
    }
}

/// A browser and a system that people know, from what a browser says of itself.
fn device(said: &str) -> String {
    // Those that say what others say come first.
    let browsers = [
        ("Edg", "Edge"),
        ("OPR/", "Opera"),
        ("Firefox", "Firefox"),
        ("Chrome", "Chrome"),
        ("Safari", "Safari"),
        ("curl", "curl"),
    ];
    let systems = [
        ("Android", "Android"),
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Windows", "Windows"),
        ("Mac OS", "macOS"),
        ("Linux", "Linux"),
    ];
    let known = |names: &[(&str, &'static str)]| {
        let found = names.iter().find(|(part, _)| said.contains(part));
        found.map(|(_, name)| *name)
    };
    match (known(&browsers), known(&systems)) {
        (Some(browser), Some(system)) => format!("{browser} on {system}"),
        (Some(one), None) | (None, Some(one)) => one.to_owned(),
        (None, None) => "Unknown device".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_told_by_what_browsers_say() {
        for (said, expected) in [
            (
                "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
                "Firefox on Linux",
            ),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 Edg/140.0",
                "Edge on Windows",
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Mobile/15E148 Safari/604.1",
                "Safari on iPhone",
            ),
            ("curl/8.5.0", "curl"),
            ("", "Unknown device"),
        ] {
            assert_eq!(device(said), expected, "{said}");
        }
    }
}
