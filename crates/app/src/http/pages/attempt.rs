//! One attempt: what happened, why, what changed, what was sent. A page, and the modal of the log.

pub(crate) mod payload;
pub(super) mod replay;

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use rollbook_engine::attempt::ImportResult;
use rollbook_engine::change::Change;
use rollbook_engine::contact::{Text, Value};
use rollbook_engine::issue::Note;
use rollbook_store::commit::Payload;
use rollbook_store::log::{Attempt, AttemptId};
use serde::Deserialize;

use crate::app::App;
use crate::audit::Act;
use crate::http::pages::attempt::payload::{Formatted, PayloadView};
use crate::http::pages::attempt::replay::ReplayForm;
use crate::http::pages::error::PageError;
use crate::http::pages::frame::{Frame, Section, page};
use crate::http::pages::log::rows::{Names, ResultTag};
use crate::http::pages::remap::Sent;
use crate::http::pages::show::{When, count, field_label, values};
use crate::http::session::Person;
use crate::imports::replay::origin::options_of;

/// The page.
#[derive(Template)]
#[template(path = "pages/attempt.html")]
pub(crate) struct AttemptPage {
    pub(crate) frame: Frame,
    pub(crate) attempt: AttemptView,
}

/// What the modal of the log shows.
#[derive(Template)]
#[template(path = "partials/attempt.html")]
pub(crate) struct AttemptFragment {
    pub(crate) attempt: AttemptView,
}

/// An attempt ready to print.
#[derive(Debug, Clone)]
pub(crate) struct AttemptView {
    pub(crate) id: String,
    pub(crate) result: ResultTag,
    pub(crate) name: String,
    /// Whether it takes another one back.
    pub(crate) is_undo: bool,
    /// `created`, `updated`, `removed`, `restored`, `kept` or `not imported`.
    pub(crate) outcome: &'static str,
    pub(crate) received: When,
    pub(crate) source: String,
    pub(crate) source_name: String,
    pub(crate) matched_on: &'static str,
    pub(crate) contact: Option<u64>,
    pub(crate) import: Option<ImportLink>,
    pub(crate) replay_of: Option<String>,
    /// The attempts that repeat this one, the oldest first.
    pub(crate) replays: Vec<String>,
    /// None if this person may not replay.
    pub(crate) replay: Option<ReplayForm>,
    pub(crate) idempotency_key: Option<String>,
    pub(crate) issues: Vec<IssueView>,
    pub(crate) notes: Vec<NoteView>,
    pub(crate) changes: Vec<ChangeView>,
    /// None if this person may not see it.
    pub(crate) payload: Option<PayloadView>,
}

/// The import that an attempt belongs to.
#[derive(Debug, Clone)]
pub(crate) struct ImportLink {
    pub(crate) id: String,
    pub(crate) file: String,
    /// The row, grouped; blank if it has none.
    pub(crate) row: String,
}

/// An issue.
#[derive(Debug, Clone)]
pub(crate) struct IssueView {
    pub(crate) label: Option<String>,
    pub(crate) message: String,
    pub(crate) code: String,
}

/// A note.
#[derive(Debug, Clone)]
pub(crate) struct NoteView {
    pub(crate) label: Option<String>,
    pub(crate) message: String,
}

/// A field before and after; no values where it had none.
#[derive(Debug, Clone)]
pub(crate) struct ChangeView {
    pub(crate) label: String,
    pub(crate) before: Vec<String>,
    pub(crate) after: Vec<String>,
}

/// The query: with `fragment` only what a modal needs.
#[derive(Debug, Default, Deserialize)]
pub(super) struct AttemptQuery {
    fragment: Option<String>,
}

/// `GET /settings/logs/{attempt}`
pub(super) async fn get(
    State(app): State<App>,
    person: Person,
    Path(id): Path<String>,
    Query(query): Query<AttemptQuery>,
) -> Result<Response, PageError> {
    let (attempt, payload) = find(&app, &person, &id).await?;
    let attempt = view(&app, &person, attempt, payload, &Sent::default()).await?;
    if query.fragment.is_some() {
        return page(&AttemptFragment { attempt });
    }
    page(&AttemptPage {
        frame: Frame::new(&person, Section::Logs),
        attempt,
    })
}

/// The attempt of an address.
async fn find(app: &App, person: &Person, id: &str) -> Result<(Attempt, Payload), PageError> {
    let missing = || PageError::NotFound("this attempt");
    let id = AttemptId(id.parse().map_err(|_| missing())?);
    let found = app.store.attempt(person.workspace.id, id).await?;
    found.ok_or_else(missing)
}

/// An attempt as this person sees it, with the form to replay it as it was sent.
async fn view(
    app: &App,
    person: &Person,
    attempt: Attempt,
    payload: Payload,
    sent: &Sent,
) -> Result<AttemptView, PageError> {
    let workspace = person.workspace.id;
    let replays = app.store.replays(workspace, attempt.id).await?;
    let options = options_of(app, workspace, &attempt).await?;
    let attempt = person.sight().attempt(attempt);
    let sources = app.store.sources(workspace).await?;
    let names = Names::load(app, person, &sources, std::slice::from_ref(&attempt)).await?;
    let replay = ReplayForm::of(app, person, &attempt, &payload, sent).await?;
    let payload = person.sight().payload(payload);
    if payload.is_some() {
        let about = format!("attempt {}", attempt.id);
        app.audit(workspace, &person.actor(), Act::SawPayload, &about)
            .await?;
    }
    let payload = payload.map(|payload| PayloadView::of(&payload, options.as_ref()));
    let source = sources.iter().find(|source| source.id == attempt.source);
    let source_name = source.map(|source| source.settings.name.clone());
    Ok(AttemptView {
        replays: replays.iter().map(ToString::to_string).collect(),
        replay,
        ..AttemptView::of(
            attempt,
            payload,
            source_name.unwrap_or_default(),
            &names,
            person,
        )
    })
}

impl AttemptView {
    fn of(
        attempt: Attempt,
        payload: Option<PayloadView>,
        source_name: String,
        names: &Names,
        person: &Person,
    ) -> AttemptView {
        let is_undo = attempt.notes.iter().any(|note| note.code == Note::UNDO_OF);
        let label = |key: &Option<Text>| key.as_deref().map(|key| field_label(names.schema(), key));
        AttemptView {
            id: attempt.id.to_string(),
            result: ResultTag::of(attempt.result),
            name: attempt
                .shown
                .name
                .or(attempt.shown.email)
                .or(attempt.shown.external_id)
                .map_or_else(|| "Record without a name".to_owned(), String::from),
            is_undo,
            outcome: match (attempt.result, attempt.action) {
                (ImportResult::Failure, _) | (_, None) if is_undo => "kept",
                (_, Some(rollbook_engine::attempt::Action::Updated)) if is_undo => "restored",
                (ImportResult::Failure, _) | (_, None) => "not imported",
                (_, Some(rollbook_engine::attempt::Action::Created)) => "created",
                (_, Some(rollbook_engine::attempt::Action::Updated)) => "updated",
                (_, Some(rollbook_engine::attempt::Action::Removed)) => "removed",
            },
            received: person.zone.when(attempt.received_at),
            source: names.source(attempt.source),
            source_name,
            matched_on: attempt.matched_on.map_or("", |kind| kind.label()),
            contact: attempt.contact.map(|contact| contact.0),
            import: attempt.import.map(|import| ImportLink {
                id: import.to_string(),
                file: names.file(import).unwrap_or("an import").to_owned(),
                row: attempt.row.map(count).unwrap_or_default(),
            }),
            replay_of: attempt.replay_of.map(|id| id.to_string()),
            replays: Vec::new(),
            replay: None,
            idempotency_key: attempt.idempotency_key,
            issues: attempt
                .issues
                .into_iter()
                .map(|issue| IssueView {
                    label: label(&issue.field),
                    message: issue.message,
                    code: issue.code.into_owned(),
                })
                .collect(),
            notes: attempt
                .notes
                .into_iter()
                .map(|note| NoteView {
                    label: label(&note.field),
                    message: note.message.into_owned(),
                })
                .collect(),
            changes: attempt
                .changes
                .iter()
                .map(|change| change_view(change, names))
                .collect(),
            payload,
        }
    }
}

fn change_view(change: &Change, names: &Names) -> ChangeView {
    let schema = names.schema();
    let kind = schema.by_key(&change.field).map(|field| &field.kind);
    let show = |value: &Option<Value>| {
        value
            .as_ref()
            .map_or_else(Vec::new, |value| values(kind, value))
    };
    ChangeView {
        label: field_label(schema, &change.field),
        before: show(&change.before),
        after: show(&change.after),
    }
}
