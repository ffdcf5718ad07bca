//! Replaying one attempt: the form in its story, and what it does.

use axum::Form;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use rollbook_store::StoreError;
use rollbook_store::commit::Payload;
use rollbook_store::imports::ImportKind;
use rollbook_store::log::Attempt;

use super::{AttemptPage, find, view};
use crate::app::App;
use crate::audit::Act;
use crate::http::pages::error::PageError;
use crate::http::pages::frame::{Frame, Section, page_with};
use crate::http::pages::remap::{Remap, Sent};
use crate::http::pages::show::sentence;
use crate::http::session::Person;
use crate::imports::replay::columns::columns_of;
use crate::imports::replay::origin::Obstacle;
use crate::imports::replay::{self, Edit, ReplayError};

/// What a person who may replay an attempt sees.
#[derive(Debug, Clone, Default)]
pub(crate) struct ReplayForm {
    /// The record, to be corrected; none if it is no text.
    pub(crate) text: Option<String>,
    /// Where its columns go; none if it has none.
    pub(crate) remap: Option<Remap>,
    /// Why the attempt cannot be replayed.
    pub(crate) obstacle: Option<String>,
    /// What was wrong with what the person sent.
    pub(crate) problem: Option<String>,
}

impl ReplayForm {
    pub(super) async fn of(
        app: &App,
        person: &Person,
        attempt: &Attempt,
        payload: &Payload,
        sent: &Sent,
    ) -> Result<Option<ReplayForm>, StoreError> {
        if !person.may_import() {
            return Ok(None);
        }
        let import = match attempt.import {
            Some(id) => app.store.import(person.workspace.id, id).await?,
            None => None,
        };
        let undo = import.is_some_and(|import| import.kind == ImportKind::Undo);
        let obstacle = if undo {
            Some(Obstacle::Undo)
        } else {
            let for_good = |obstacle: &Obstacle| {
                matches!(
                    obstacle,
                    Obstacle::Erased | Obstacle::NoPayload | Obstacle::Event
                )
            };
            Obstacle::of(attempt).filter(for_good)
        };
        let remap = if obstacle.is_none() {
            let workspace = person.workspace.id;
            let columns = columns_of(app, workspace, attempt, payload).await?;
            Remap::of(columns, app.schema(workspace).await?.as_ref(), sent)
        } else {
            None
        };
        Ok(Some(ReplayForm {
            remap,
            text: String::from_utf8(payload.bytes.clone()).ok(),
            obstacle: obstacle.map(|obstacle| sentence(&obstacle.to_string())),
            problem: None,
        }))
    }
}

/// `POST /settings/logs/{attempt}/replay`
pub(in crate::http::pages) async fn post(
    State(app): State<App>,
    person: Person,
    Path(id): Path<String>,
    Form(sent): Form<Vec<(String, String)>>,
) -> Result<Response, PageError> {
    person.must_import()?;
    let (attempt, payload) = find(&app, &person, &id).await?;
    let sent = Sent::of(sent);
    // The record as the person left it; none if it could not be shown.
    let text = sent.get("payload");
    let text = text.and_then(|text| edited(text, &payload.bytes));
    let edit = Edit {
        payload: text.clone(),
        mapping: sent.mapping(),
    };
    let workspace = person.workspace.id;
    let replayed = match replay::read(&app, workspace, &attempt, payload.clone(), edit).await {
        Ok(ready) => replay::commit(&app, ready).await,
        Err(error) => Err(error),
    };
    let problem = match replayed {
        Ok(new) => {
            let about = format!("attempt {}", attempt.id);
            app.audit(workspace, &person.actor(), Act::Replayed, &about)
                .await?;
            return Ok(Redirect::to(&format!("/settings/logs/{}", new.id)).into_response());
        }
        Err(ReplayError::Store(error)) => return Err(error.into()),
        Err(error) => sentence(&error.to_string()),
    };
    let mut attempt = view(&app, &person, attempt, payload, &sent).await?;
    if let Some(form) = &mut attempt.replay {
        form.problem = Some(problem);
        if text.is_some() {
            form.text = text;
        }
    }
    page_with(
        StatusCode::UNPROCESSABLE_ENTITY,
        &AttemptPage {
            frame: Frame::new(&person, Section::Logs),
            attempt,
        },
    )
}

/// The record as the person means it; none if it is what was sent. Browsers send every line break of a text as CR LF;
/// the record keeps the ones that it had.
fn edited(text: &str, before: &[u8]) -> Option<String> {
    let lines = |text: &str| text.replace("\r\n", "\n").replace('\r', "\n");
    let before = String::from_utf8_lossy(before);
    let text = lines(text);
    if text == lines(&before) {
        return None;
    }
    Some(if before.contains("\r\n") {
        text.replace('\n', "\r\n")
    } else {
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_breaks_of_the_browser_are_no_edit() {
        let check = |text: &str, before: &str| edited(text, before.as_bytes());
        assert_eq!(check("a;\"b\r\nc\"", "a;\"b\nc\""), None);
        assert_eq!(check("a\r\nb", "a\r\nb"), None);
        assert_eq!(check("a\r\nc", "a\nb").as_deref(), Some("a\nc"));
        assert_eq!(check("a\r\nc", "a\r\nb").as_deref(), Some("a\r\nc"));
    }
}
