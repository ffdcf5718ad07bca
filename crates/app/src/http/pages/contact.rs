//! One contact: its fields, what finds it, and every attempt that touched it.

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use rollbook_engine::contact::{Contact, ContactId};
use rollbook_store::contacts::StoredContact;
use rollbook_store::log::{LogFilter, Paging};
use serde::Deserialize;

use crate::app::App;
use crate::http::pages::error::PageError;
use crate::http::pages::frame::{Frame, Section, page};
use crate::http::pages::log::rows::{Names, Row};
use crate::http::pages::show::{When, values};
use crate::http::session::Person;

/// How many attempts of the history a page shows.
const PAGE: u32 = 25;

/// The page.
#[derive(Template)]
#[template(path = "pages/contact.html")]
pub(crate) struct ContactPage {
    pub(crate) frame: Frame,
    pub(crate) id: u64,
    pub(crate) name: String,
    /// Whether there is no such contact any more, only its history.
    pub(crate) removed: bool,
    /// Whether the person was erased.
    pub(crate) erased: bool,
    pub(crate) fields: Vec<FieldView>,
    pub(crate) identifiers: Vec<IdentifierView>,
    pub(crate) created: When,
    pub(crate) updated: When,
    pub(crate) history: Vec<Row>,
    pub(crate) older: Option<String>,
    pub(crate) zone: String,
}

/// A field with its values.
#[derive(Debug, Clone)]
pub(crate) struct FieldView {
    pub(crate) label: String,
    pub(crate) values: Vec<String>,
}

/// An External ID, and where it comes from.
#[derive(Debug, Clone)]
pub(crate) struct IdentifierView {
    pub(crate) namespace: String,
    pub(crate) value: String,
}

/// The query.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ContactQuery {
    before: String,
}

/// `GET /contacts/{id}`
pub(super) async fn get(
    State(app): State<App>,
    person: Person,
    Path(id): Path<String>,
    Query(query): Query<ContactQuery>,
) -> Result<Response, PageError> {
    let missing = || PageError::NotFound("this contact");
    let workspace = person.workspace.id;
    let id = ContactId(id.parse().map_err(|_| missing())?);
    let stored = app.store.contact(workspace, id).await?;
    let removed = stored.is_none();
    let erased = removed && app.store.erasure_of(workspace, id).await?.is_some();
    let stored = match stored {
        Some(stored) => stored,
        None => last_seen(&app, &person, id).await?.ok_or_else(missing)?,
    };
    let contact = person.sight().contact(stored.contact);
    let schema = app.schema(workspace).await?;
    let fields = contact.values.iter().map(|(field, value)| {
        let definition = schema.by_id(*field);
        FieldView {
            label: definition.map_or_else(
                || schema.key_of(*field).into_string(),
                |definition| definition.label.clone(),
            ),
            values: values(definition.map(|definition| &definition.kind), value),
        }
    });
    let filter = LogFilter {
        contact: Some(id),
        ..LogFilter::default()
    };
    let paging = query.before.parse().map_or(Paging::Newest, Paging::Before);
    let history = app.store.page(workspace, filter, paging, PAGE).await?;
    let attempts: Vec<_> = history
        .attempts
        .into_iter()
        .map(|attempt| person.sight().attempt(attempt))
        .collect();
    let sources = app.store.sources(workspace).await?;
    let names = Names::load(&app, &person, &sources, &attempts).await?;
    page(&ContactPage {
        frame: Frame::new(&person, Section::Contacts),
        id: id.0,
        removed,
        erased,
        name: contact.name().map_or_else(
            || {
                let name = if removed {
                    if erased {
                        "Erased person"
                    } else {
                        "Removed contact"
                    }
                } else {
                    "Contact without a name"
                };
                name.to_owned()
            },
            String::from,
        ),
        fields: fields.collect(),
        identifiers: contact
            .external_ids
            .iter()
            .map(|(namespace, value)| IdentifierView {
                namespace: namespace.to_string(),
                value: value.to_string(),
            })
            .collect(),
        created: person.zone.when(stored.created_at),
        updated: person.zone.when(stored.updated_at),
        older: attempts
            .last()
            .filter(|_| history.more)
            .map(|last| format!("/contacts/{id}?before={}", last.id.number())),
        history: attempts
            .iter()
            .map(|attempt| Row::of(attempt, &names, &person))
            .collect(),
        zone: person.zone.name(stored.updated_at),
    })
}

/// A contact that is no more, as far as the log knows when that was; none if the log does not know it.
async fn last_seen(
    app: &App,
    person: &Person,
    id: ContactId,
) -> Result<Option<StoredContact>, PageError> {
    let filter = LogFilter {
        contact: Some(id),
        ..LogFilter::default()
    };
    let latest = app
        .store
        .page(person.workspace.id, filter, Paging::Newest, 1)
        .await?;
    Ok(latest.attempts.first().map(|latest| StoredContact {
        contact: Contact::new(id),
        created_at: latest.received_at,
        updated_at: latest.received_at,
    }))
}
