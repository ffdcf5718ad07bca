//! Contacts: the list and its search.

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;
use rollbook_engine::contact::{ContactId, Value};
use rollbook_engine::schema::FieldId;
use rollbook_store::contacts::{ContactFilter, StoredContact};
use serde::Deserialize;

use crate::app::App;
use crate::http::pages::error::PageError;
use crate::http::pages::frame::{Frame, Section, page};
use crate::http::pages::show::{When, counted, encode, phone};
use crate::http::pages::teach::Teach;
use crate::http::session::Person;
use crate::search::contact_filter;

/// How many contacts a page shows.
const PAGE: u16 = 50;

/// The page.
#[derive(Template)]
#[template(path = "pages/contacts.html")]
pub(crate) struct ContactsPage {
    pub(crate) frame: Frame,
    pub(crate) total: String,
    pub(crate) search: String,
    /// What can be searched for.
    pub(crate) search_in: &'static str,
    pub(crate) rows: Vec<ContactRow>,
    pub(crate) more: Option<String>,
    /// Whether this is not the first page.
    pub(crate) later: bool,
    /// What to do when there is no contact at all.
    pub(crate) teach: Option<Teach>,
    pub(crate) may_import: bool,
}

/// One contact.
#[derive(Debug, Clone)]
pub(crate) struct ContactRow {
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) phone: String,
    pub(crate) more_phones: usize,
    pub(crate) email: String,
    pub(crate) more_emails: usize,
    pub(crate) external_id: String,
    pub(crate) updated: When,
}

/// The query.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ContactsQuery {
    q: String,
    before: String,
}

/// `GET /contacts`
pub(super) async fn get(
    State(app): State<App>,
    person: Person,
    Query(query): Query<ContactsQuery>,
) -> Result<Response, PageError> {
    let workspace = person.workspace.id;
    let search = query.q.trim().to_owned();
    let filter = ContactFilter {
        reach: person.sight().reach(),
        ..contact_filter(&search)
    };
    let before = query.before.parse().ok().map(ContactId);
    let found = app.store.contacts(workspace, filter, before, PAGE).await?;
    let total = app.store.count_contacts(workspace).await?;
    let more = found.next.map(|next| {
        let mut url = format!("/contacts?before={next}");
        if !search.is_empty() {
            url.push_str("&q=");
            url.push_str(&encode(&search));
        }
        url
    });
    page(&ContactsPage {
        frame: Frame::new(&person, Section::Contacts),
        total: counted(total, "contact", "contacts"),
        rows: found
            .contacts
            .into_iter()
            .map(|contact| row(contact, &person))
            .collect(),
        search,
        search_in: person
            .sight()
            .search_in("Name, phone in any format, email, ID"),
        more,
        later: before.is_some(),
        teach: (total == 0).then(|| Teach::new(&app, &person)),
        may_import: person.may_import(),
    })
}

fn row(stored: StoredContact, person: &Person) -> ContactRow {
    let contact = person.sight().contact(stored.contact);
    let primary = |field| contact.value(field).map_or("", Value::primary).to_owned();
    let more = |field| {
        contact
            .value(field)
            .map_or(0, |value| value.texts().len().saturating_sub(1))
    };
    let ids: Vec<&str> = contact
        .external_ids
        .iter()
        .map(|(_, id)| id.as_str())
        .collect();
    ContactRow {
        id: contact.id.0,
        name: contact.name().unwrap_or_default().into_string(),
        phone: phone(&primary(FieldId::PHONE)),
        more_phones: more(FieldId::PHONE),
        email: primary(FieldId::EMAIL),
        more_emails: more(FieldId::EMAIL),
        external_id: ids.join(", "),
        updated: person.zone.when(stored.updated_at),
    }
}
