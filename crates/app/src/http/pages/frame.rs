//! What surrounds every page: navigation, workspace, who is signed in; and what every page needs to answer.

use std::sync::{Arc, OnceLock};

use askama::Template;
use axum::extract::Request;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Response};
use rollbook_store::accounts::Role;

use crate::http::pages::error::{ErrorPage, PageError, Trouble};
use crate::http::session::Person;

/// The parts of the navigation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Section {
    /// Contacts.
    Contacts,
    /// Imports.
    Imports,
    /// Admin Settings > Logs.
    Logs,
    /// Admin Settings > Sources.
    Sources,
    /// Admin Settings > Notifications.
    Notifications,
    /// Admin Settings > People.
    People,
    /// Admin Settings > Privacy.
    Privacy,
    /// Admin Settings > Audit.
    Audit,
    /// The person's own account.
    Account,
    /// None of them.
    Elsewhere,
}

/// What the layout prints around a page.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    /// Where the page belongs.
    pub(crate) section: Section,
    /// The workspace's name; empty if nobody is signed in.
    pub(crate) workspace: String,
    /// The workspaces to switch to; empty if there is no other.
    pub(crate) others: Vec<OtherWorkspace>,
    /// The person's name; empty if nobody is signed in.
    pub(crate) person: String,
    /// Their role.
    pub(crate) role: &'static str,
}

/// A workspace to switch to.
#[derive(Debug, Clone)]
pub(crate) struct OtherWorkspace {
    pub(crate) id: u32,
    pub(crate) name: String,
}

fn others(person: &Person) -> Vec<OtherWorkspace> {
    let others = person.workspaces.iter();
    others
        .filter(|(id, _)| *id != person.workspace.id)
        .map(|(id, name)| OtherWorkspace {
            id: id.0,
            name: name.clone(),
        })
        .collect()
}

impl Frame {
    /// The frame of a page for a person.
    pub(crate) fn new(person: &Person, section: Section) -> Frame {
        let user = &person.user;
        Frame {
            section,
            workspace: person.workspace.settings.name.clone(),
            person: if user.name.is_empty() {
                user.email.clone()
            } else {
                user.name.clone()
            },
            role: person.role.key(),
            others: others(person),
        }
    }

    /// The frame of a page for nobody in particular.
    pub(crate) fn bare() -> Frame {
        Frame {
            section: Section::Elsewhere,
            workspace: String::new(),
            others: Vec::new(),
            person: String::new(),
            role: "",
        }
    }

    /// Whether somebody is signed in.
    pub(crate) fn is_signed_in(&self) -> bool {
        !self.person.is_empty()
    }

    /// Whether the person may change settings.
    pub(crate) fn may_administer(&self) -> bool {
        self.role == Role::Admin.key()
    }

    /// The attribute that marks the current part of the navigation.
    pub(crate) fn is(&self, section: &str) -> bool {
        let here = match self.section {
            Section::Contacts => "contacts",
            Section::Imports => "imports",
            Section::Logs => "logs",
            Section::Sources => "sources",
            Section::Notifications => "notifications",
            Section::People => "people",
            Section::Privacy => "privacy",
            Section::Audit => "audit",
            Section::Account => "account",
            Section::Elsewhere => "",
        };
        here == section
    }
}

/// Answers with a page. Pages show people's data, so nothing on the way may keep them.
pub(crate) fn page(template: &impl Template) -> Result<Response, PageError> {
    page_with(StatusCode::OK, template)
}

/// Answers with a page and a status.
pub(crate) fn page_with(
    status: StatusCode,
    template: &impl Template,
) -> Result<Response, PageError> {
    let html = template.render()?;
    Ok((status, [(CACHE_CONTROL, "no-store")], Html(html)).into_response())
}

/// Who turned out to be signed in, for the pages that [`error_pages`] makes.
#[derive(Debug, Clone, Default)]
pub(crate) struct SeenPerson(Arc<OnceLock<Frame>>);

impl SeenPerson {
    /// Keeps the person for the error page, if one is needed.
    pub(crate) fn remember(&self, person: &Person) {
        self.0
            .get_or_init(|| Frame::new(person, Section::Elsewhere));
    }
}

/// Turns every failure that has no page of its own into one, with the navigation of whoever is signed in.
pub(super) async fn error_pages(mut request: Request, next: Next) -> Response {
    let seen = SeenPerson::default();
    request.extensions_mut().insert(seen.clone());
    let by_script = request
        .headers()
        .get("sec-fetch-dest")
        .is_some_and(|destination| destination == "empty");
    let head = request.method() == Method::HEAD;
    let mut response = next.run(request).await;
    let status = response.status();
    if !status.is_client_error() && !status.is_server_error() || has_page(&response) || head {
        return response;
    }
    let trouble = response
        .extensions_mut()
        .remove::<Trouble>()
        .unwrap_or_else(|| Trouble::of_status(status));
    let retry_after = response.headers_mut().remove(RETRY_AFTER);
    let mut response = if by_script {
        (status, trouble.text()).into_response()
    } else {
        let frame = seen.0.get().cloned().unwrap_or_else(Frame::bare);
        let page = ErrorPage { frame, trouble };
        page_with(status, &page).unwrap_or_else(|_| status.into_response())
    };
    if let Some(retry_after) = retry_after {
        response.headers_mut().insert(RETRY_AFTER, retry_after);
    }
    response
}

fn has_page(response: &Response) -> bool {
    let media_type = response.headers().get(CONTENT_TYPE);
    media_type.is_some_and(|value| {
        let value = value.as_bytes();
        value.starts_with(b"text/html") || value.starts_with(b"application/")
    })
}
