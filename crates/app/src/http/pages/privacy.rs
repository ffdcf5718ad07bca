//! Admin Settings > Privacy: for how long things are kept, and who was erased.

pub(crate) mod erase;

use askama::Template;
use axum::Form;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use rollbook_store::StoreError;
use rollbook_store::erasures::Erasure;
use rollbook_store::retention::{Retained, Retention};
use serde::Deserialize;

use crate::app::App;
use crate::audit::Act;
use crate::http::pages::error::PageError;
use crate::http::pages::frame::{Frame, Section, page, page_with};
use crate::http::pages::show::{When, count, counted};
use crate::http::session::Person;
use crate::privacy::erase::lift as lift_erasure;
use crate::wire::privacy::MAX_DAYS;

/// Erasures on one page.
const PAGE: u16 = 25;

/// The page.
#[derive(Template)]
#[template(path = "pages/privacy.html")]
pub(crate) struct PrivacyPage {
    pub(crate) frame: Frame,
    /// What was done just now, as a sentence.
    pub(crate) done: Option<&'static str>,
    pub(crate) kept: Vec<KeptView>,
    pub(crate) erasures: Vec<ErasureRow>,
    pub(crate) older: Option<String>,
    /// Whether these are not the newest.
    pub(crate) later: bool,
}

/// Something that is kept for a time.
#[derive(Debug, Clone)]
pub(crate) struct KeptView {
    pub(crate) key: &'static str,
    pub(crate) label: &'static str,
    pub(crate) hint: &'static str,
    /// The days; blank for ever.
    pub(crate) days: String,
    pub(crate) problem: Option<String>,
    /// What was dropped, in words; blank if nothing was.
    pub(crate) dropped: String,
}

/// A person who was erased.
#[derive(Debug, Clone)]
pub(crate) struct ErasureRow {
    pub(crate) number: u64,
    pub(crate) contact: u64,
    pub(crate) when: When,
    pub(crate) by: String,
    pub(crate) running: bool,
    pub(crate) attempts: String,
    /// `2 rewritten, 1 deleted`.
    pub(crate) files: String,
    /// Who lifted it, and when.
    pub(crate) lifted: Option<(String, When)>,
}

/// The form: days, or blank for ever.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct RetentionForm {
    payloads: String,
    attempts: String,
    files: String,
}

/// The query.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct PrivacyQuery {
    done: String,
    before: String,
}

/// `GET /settings/privacy`
pub(super) async fn get(
    State(app): State<App>,
    person: Person,
    Query(query): Query<PrivacyQuery>,
) -> Result<Response, PageError> {
    person.must_administer()?;
    let mut shown = shown(&app, &person, &query.before).await?;
    shown.done = match query.done.as_str() {
        "saved" => Some("Saved. What is older is dropped within some minutes."),
        "lifted" => Some("Lifted. Records may bring this person back."),
        _ => None,
    };
    page(&shown)
}

/// `POST /settings/privacy`
pub(super) async fn post(
    State(app): State<App>,
    person: Person,
    Form(form): Form<RetentionForm>,
) -> Result<Response, PageError> {
    person.must_administer()?;
    let workspace = person.workspace.id;
    let texts = [&form.payloads, &form.attempts, &form.files];
    let read = texts.map(|text| days(text));
    if let [Ok(payload_days), Ok(attempt_days), Ok(file_days)] = read {
        let settings = Retention {
            payload_days,
            attempt_days,
            file_days,
        };
        app.store.set_retention(workspace, settings).await?;
        app.audit(workspace, &person.actor(), Act::ChangedSetting, "retention")
            .await?;
        return Ok(Redirect::to("/settings/privacy?done=saved").into_response());
    }
    let mut shown = shown(&app, &person, "").await?;
    for ((view, text), read) in shown.kept.iter_mut().zip(texts).zip(read) {
        view.days.clone_from(text);
        view.problem = read.err();
    }
    page_with(StatusCode::UNPROCESSABLE_ENTITY, &shown)
}

/// `POST /settings/privacy/erasures/{number}/lift`
pub(super) async fn lift(
    State(app): State<App>,
    person: Person,
    Path(number): Path<String>,
) -> Result<Response, PageError> {
    person.must_administer()?;
    let missing = || PageError::NotFound("this erasure");
    let number = number.parse().map_err(|_| missing())?;
    match lift_erasure(&app, person.workspace.id, number, &person.actor()).await {
        Ok(_) => Ok(Redirect::to("/settings/privacy?done=lifted").into_response()),
        Err(StoreError::Missing(_)) => Err(missing()),
        Err(error) => Err(error.into()),
    }
}

/// A number of days; none if it is blank.
fn days(text: &str) -> Result<Option<u32>, String> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    match text.parse() {
        Ok(days) if (1..=MAX_DAYS).contains(&days) => Ok(Some(days)),
        _ => Err(format!(
            "Write a number of days from 1 to {}, or leave it blank to keep them for ever.",
            count(MAX_DAYS.into())
        )),
    }
}

async fn shown(app: &App, person: &Person, before: &str) -> Result<PrivacyPage, PageError> {
    let workspace = person.workspace.id;
    let retained = app.store.retention(workspace).await?;
    let before: Option<u64> = before.parse().ok();
    let found = app.store.erasures(workspace, before, PAGE).await?;
    let full = found.len() == usize::from(PAGE);
    let last = found.last().filter(|_| full);
    Ok(PrivacyPage {
        frame: Frame::new(person, Section::Privacy),
        done: None,
        kept: kept(&retained),
        older: last.map(|last| format!("/settings/privacy?before={}", last.number)),
        erasures: found.iter().map(|erasure| row(erasure, person)).collect(),
        later: before.is_some(),
    })
}

fn kept(retained: &Retained) -> Vec<KeptView> {
    let settings = retained.settings;
    let words = |number: u64, one: &str, many: &str| match number {
        0 => String::new(),
        number => format!("{} so far.", counted(number, one, many)),
    };
    let view = |key, label, hint, days: Option<u32>, dropped| KeptView {
        key,
        label,
        hint,
        days: days.map(|days| days.to_string()).unwrap_or_default(),
        problem: None,
        dropped,
    };
    vec![
        view(
            "payloads",
            "Payloads",
            "What was sent, as it was sent. The log keeps names, issues and changes; records cannot be replayed any more.",
            settings.payload_days,
            words(
                retained.payloads_dropped,
                "payload dropped",
                "payloads dropped",
            ),
        ),
        view(
            "attempts",
            "Attempts",
            "The rows of the log with everything they say. Counts of imports and sources stay.",
            settings.attempt_days,
            words(
                retained.attempts_dropped,
                "attempt dropped",
                "attempts dropped",
            ),
        ),
        view(
            "files",
            "Files",
            "Uploaded files. An upload that was never imported is cancelled.",
            settings.file_days,
            words(retained.files_dropped, "file dropped", "files dropped"),
        ),
    ]
}

fn row(erasure: &Erasure, person: &Person) -> ErasureRow {
    let files = [
        (erasure.files_rewritten, "rewritten"),
        (erasure.files_deleted, "deleted"),
    ];
    let files: Vec<String> = files
        .iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, what)| format!("{} {what}", count(*number)))
        .collect();
    ErasureRow {
        number: erasure.number,
        contact: erasure.contact.0,
        when: person.zone.when(erasure.asked_at),
        by: erasure.asked_by.clone(),
        running: erasure.finished_at.is_none(),
        attempts: count(erasure.attempts),
        files: if files.is_empty() {
            "none".to_owned()
        } else {
            files.join(", ")
        },
        lifted: erasure.lifted_at.map(|at| {
            let by = erasure.lifted_by.clone().unwrap_or_default();
            (by, person.zone.when(at))
        }),
    }
}
