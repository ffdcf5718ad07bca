//! Before an import is undone: what that would do, what stays and why, and the button.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use rollbook_store::imports::Import;

use crate::app::App;
use crate::audit::Act;
use crate::http::pages::error::PageError;
use crate::http::pages::frame::{Frame, Section, page};
use crate::http::pages::import::find_import;
use crate::http::pages::show::{count, counted, field_label};
use crate::http::session::Person;
use crate::imports::undo::{self, Preview};

/// The page.
#[derive(Template)]
#[template(path = "pages/undo.html")]
pub(crate) struct UndoPage {
    pub(crate) frame: Frame,
    pub(crate) id: String,
    pub(crate) file: String,
    pub(crate) counts: UndoCounts,
    /// How often something stays, and why.
    pub(crate) reasons: Vec<(String, String)>,
    pub(crate) kept: Vec<KeptRow>,
    /// Records past the shown ones of which something stays, in words; blank if there are none.
    pub(crate) more: String,
}

/// Counts that add up, grouped: removed + restored + kept = records.
#[derive(Debug, Clone)]
pub(crate) struct UndoCounts {
    pub(crate) records: String,
    pub(crate) removed: String,
    pub(crate) restored: String,
    /// `40 values of 12 contacts`.
    pub(crate) values: String,
    pub(crate) kept: String,
    /// Restored records of which something stays; `0` if there are none.
    pub(crate) partly: String,
}

/// A record of which something stays.
#[derive(Debug, Clone)]
pub(crate) struct KeptRow {
    /// The row in the import; blank if it has none.
    pub(crate) row: String,
    pub(crate) contact: u64,
    pub(crate) name: String,
    pub(crate) attempt: String,
    /// The field's label, none for the whole contact, and why it stays.
    pub(crate) issues: Vec<(Option<String>, String)>,
}

/// `GET /imports/{id}/undo`
pub(super) async fn get(
    State(app): State<App>,
    person: Person,
    Path(id): Path<String>,
) -> Result<Response, PageError> {
    person.must_import()?;
    let import = find_import(&app, &person, &id).await?;
    if let Some(undo) = import.undone_by {
        return Ok(Redirect::to(&format!("/imports/{undo}")).into_response());
    }
    let preview = undo::preview(&app, &import).await?;
    page(&UndoPage::of(&app, &person, &import, preview).await?)
}

/// `POST /imports/{id}/undo`
pub(super) async fn post(
    State(app): State<App>,
    person: Person,
    Path(id): Path<String>,
) -> Result<Response, PageError> {
    person.must_import()?;
    let import = find_import(&app, &person, &id).await?;
    // None if the button was not pressed twice.
    let undo = if let Some(undo) = import.undone_by {
        undo
    } else {
        let about = format!("import {}, {}", import.id, import.file_name);
        app.audit(import.workspace, &person.actor(), Act::Undid, &about)
            .await?;
        undo::start(&app, &import, &person.user.email).await?.id
    };
    Ok(Redirect::to(&format!("/imports/{undo}")).into_response())
}

impl UndoPage {
    async fn of(
        app: &App,
        person: &Person,
        import: &Import,
        preview: Preview,
    ) -> Result<UndoPage, PageError> {
        let schema = app.schema(import.workspace).await?;
        let all = preview.failed + preview.warnings;
        let more = all.saturating_sub(preview.kept.len() as u64);
        let restored = preview.records - preview.removed - preview.failed;
        let reasons = preview.reasons.iter();
        let kept = preview.kept.into_iter().map(|kept| KeptRow {
            row: kept.row.map(count).unwrap_or_default(),
            contact: kept.contact.0,
            name: kept
                .name
                .unwrap_or_else(|| format!("Contact {}", kept.contact)),
            attempt: kept.attempt.to_string(),
            issues: kept
                .issues
                .into_iter()
                .map(|issue| {
                    let label = issue.field.as_deref().map(|key| field_label(&schema, key));
                    (label, issue.message)
                })
                .collect(),
        });
        Ok(UndoPage {
            frame: Frame::new(person, Section::Imports),
            id: import.id.to_string(),
            file: import.file_name.clone(),
            counts: UndoCounts {
                records: count(preview.records),
                removed: count(preview.removed),
                restored: count(restored),
                values: format!(
                    "{} of {}",
                    counted(preview.fields, "value", "values"),
                    counted(preview.restored, "contact", "contacts")
                ),
                kept: count(preview.failed),
                partly: count(preview.warnings),
            },
            reasons: reasons
                .map(|(code, number)| (count(*number), reason(code)))
                .collect(),
            kept: kept.collect(),
            more: match more {
                0 => String::new(),
                more => counted(more, "more record", "more records"),
            },
        })
    }
}

/// Why something stays, for many of the kind.
fn reason(code: &str) -> String {
    match code {
        "undo.field_changed" => "changed since by somebody else",
        "undo.contact_changed" => "created by this import and changed since by somebody else",
        "undo.contact_gone" => "about contacts that were removed since",
        "undo.field_gone" => "in fields that were removed since",
        "undo.erased" => "erased from the log",
        "identifier.taken" => "identifiers that belong to another contact now",
        other => other,
    }
    .to_owned()
}
