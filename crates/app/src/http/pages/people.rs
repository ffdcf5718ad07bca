//! Admin Settings > People: who works in the workspace, what they may do, and who is invited.

use askama::Template;
use axum::Form;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use rollbook_engine::field::email::EmailAddress;
use rollbook_store::StoreError;
use rollbook_store::accounts::{Member, Role};
use rollbook_store::invitations::Invitation;
use serde::Deserialize;

use crate::app::App;
use crate::audit::Act;
use crate::clock;
use crate::http::pages::error::PageError;
use crate::http::pages::frame::{Frame, Section, page_with};
use crate::http::pages::show::{When, sentence};
use crate::http::session::Person;
use crate::people::{self, Handed};

/// The page.
#[derive(Template)]
#[template(path = "pages/people.html")]
pub(crate) struct PeoplePage {
    pub(crate) frame: Frame,
    pub(crate) people: Vec<PersonRow>,
    pub(crate) invitations: Vec<InvitationRow>,
    pub(crate) roles: [&'static str; 3],
    pub(crate) can_mail: bool,
    /// A link to hand over; shown this once.
    pub(crate) link: Option<NewLink>,
    pub(crate) done: Option<String>,
    pub(crate) problem: Option<String>,
    pub(crate) form_email: String,
}

/// Somebody in the workspace.
#[derive(Debug, Clone)]
pub(crate) struct PersonRow {
    pub(crate) email: String,
    pub(crate) name: String,
    pub(crate) role: &'static str,
    pub(crate) is_self: bool,
    pub(crate) sign_in: &'static str,
    pub(crate) since: When,
}

/// Somebody who is invited.
#[derive(Debug, Clone)]
pub(crate) struct InvitationRow {
    pub(crate) email: String,
    pub(crate) role: &'static str,
    pub(crate) by: String,
    pub(crate) until: When,
}

/// A link to hand over.
#[derive(Debug, Clone)]
pub(crate) struct NewLink {
    pub(crate) email: String,
    pub(crate) url: String,
}

/// What a page says beside the lists.
#[derive(Debug, Default)]
struct Said {
    link: Option<NewLink>,
    done: Option<String>,
    problem: Option<String>,
    form_email: String,
}

/// Who, and for invitations and changes, as what.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct PersonForm {
    email: String,
    role: String,
}

/// `GET /settings/people`
pub(super) async fn get(State(app): State<App>, person: Person) -> Result<Response, PageError> {
    person.must_administer()?;
    answer(&app, &person, Said::default()).await
}

/// `POST /settings/people/invite`: answers with the page itself, because the link is stored nowhere.
pub(super) async fn invite(
    State(app): State<App>,
    person: Person,
    Form(form): Form<PersonForm>,
) -> Result<Response, PageError> {
    person.must_administer()?;
    let wrong = |problem: String| Said {
        problem: Some(problem),
        form_email: form.email.clone(),
        ..Said::default()
    };
    let email = match EmailAddress::parse(form.email.trim()) {
        Ok(email) => email.key().into_owned(),
        Err(problem) => {
            let said = wrong(sentence(&problem.message(form.email.trim())));
            return answer(&app, &person, said).await;
        }
    };
    let role = role_of(&form)?;
    let invited = people::invite(&app, &person.workspace, &person.actor(), &email, role).await;
    let said = match invited {
        Ok(Handed::Mailed) => Said {
            done: Some(format!("A link is on its way to {email}.")),
            ..Said::default()
        },
        Ok(Handed::Link(url)) => Said {
            link: Some(NewLink { email, url }),
            ..Said::default()
        },
        Err(StoreError::Exists(_)) => wrong(format!("{email} works here already.")),
        Err(error) => return Err(error.into()),
    };
    answer(&app, &person, said).await
}

/// `POST /settings/people/uninvite`
pub(super) async fn uninvite(
    State(app): State<App>,
    person: Person,
    Form(form): Form<PersonForm>,
) -> Result<Response, PageError> {
    person.must_administer()?;
    let workspace = person.workspace.id;
    if let Err(error) = app.store.cancel_invitation(workspace, &form.email).await {
        return refused(&app, &person, error).await;
    }
    app.audit(workspace, &person.actor(), Act::Uninvited, &form.email)
        .await?;
    Ok(back(&person, ""))
}

/// `POST /settings/people/role`
pub(super) async fn set_role(
    State(app): State<App>,
    person: Person,
    Form(form): Form<PersonForm>,
) -> Result<Response, PageError> {
    person.must_administer()?;
    let role = role_of(&form)?;
    let workspace = person.workspace.id;
    if let Err(error) = app.store.set_role(workspace, &form.email, role).await {
        return refused(&app, &person, error).await;
    }
    let about = format!("{}, {}", form.email, role.key());
    app.audit(workspace, &person.actor(), Act::ChangedRole, &about)
        .await?;
    Ok(back(&person, &form.email))
}

/// `POST /settings/people/remove`
pub(super) async fn remove(
    State(app): State<App>,
    person: Person,
    Form(form): Form<PersonForm>,
) -> Result<Response, PageError> {
    person.must_administer()?;
    let workspace = person.workspace.id;
    if let Err(error) = app.store.remove_user(workspace, &form.email).await {
        return refused(&app, &person, error).await;
    }
    app.audit(workspace, &person.actor(), Act::Removed, &form.email)
        .await?;
    Ok(back(&person, &form.email))
}

/// On to the list; for a person who changed themselves, to where they still may be.
fn back(person: &Person, changed: &str) -> Response {
    let own = changed.eq_ignore_ascii_case(&person.user.email);
    Redirect::to(if own { "/" } else { "/settings/people" }).into_response()
}

/// Says what cannot be done.
async fn refused(app: &App, person: &Person, error: StoreError) -> Result<Response, PageError> {
    let problem = match error {
        StoreError::Conflict(why) => sentence(&why),
        StoreError::Missing(what) => format!(
            "{} Somebody may have removed it.",
            sentence(&format!("{what} is not here"))
        ),
        error => return Err(error.into()),
    };
    let said = Said {
        problem: Some(problem),
        ..Said::default()
    };
    answer(app, person, said).await
}

fn role_of(form: &PersonForm) -> Result<Role, PageError> {
    Role::from_key(&form.role).ok_or_else(|| {
        PageError::Invalid(format!(
            "There is no role “{}”. Choose viewer, importer or admin.",
            form.role
        ))
    })
}

async fn answer(app: &App, person: &Person, said: Said) -> Result<Response, PageError> {
    let workspace = person.workspace.id;
    let people = app.store.users(workspace).await?;
    let invitations = app.store.invitations(workspace, clock::now()).await?;
    let status = match said.problem {
        Some(_) => StatusCode::UNPROCESSABLE_ENTITY,
        None => StatusCode::OK,
    };
    let page = PeoplePage {
        frame: Frame::new(person, Section::People),
        people: people
            .into_iter()
            .map(|member| person_row(member, person))
            .collect(),
        invitations: invitations
            .into_iter()
            .map(|invitation| invitation_row(invitation, person))
            .collect(),
        roles: [Role::Viewer, Role::Importer, Role::Admin].map(Role::key),
        can_mail: people::can_mail(app),
        link: said.link,
        done: said.done,
        problem: said.problem,
        form_email: said.form_email,
    };
    page_with(status, &page)
}

fn person_row(member: Member, person: &Person) -> PersonRow {
    let user = member.user;
    PersonRow {
        is_self: user.id == person.user.id,
        name: if user.name.is_empty() {
            user.email.clone()
        } else {
            user.name
        },
        email: user.email,
        role: member.role.key(),
        sign_in: match (user.password_hash.is_empty(), user.has_second_factor) {
            (_, true) => "second factor",
            (false, false) => "password",
            (true, false) => "single sign-on",
        },
        since: person.zone.when(member.joined_at),
    }
}

fn invitation_row(invitation: Invitation, person: &Person) -> InvitationRow {
    InvitationRow {
        email: invitation.email,
        role: invitation.role.key(),
        by: invitation.invited_by,
        until: person.zone.when(invitation.expires_at),
    }
}
