//! Admin Settings > Notifications: who is told by mail, of what and when, and what became of the mails.

pub(crate) mod forms;
pub(crate) mod outbox;
pub(crate) mod source;

use askama::Template;
use axum::Form;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use rollbook_store::notifications::{Jump, NotificationSettings, Silence};
use rollbook_store::outbox::{MailId, MailKind, MailState};
use rollbook_store::sources::Source;
use serde::Deserialize;
use uuid::Uuid;

use crate::app::App;
use crate::audit::Act;
use crate::clock;
use crate::http::api::notifications::MAX_ATTACHMENT;
use crate::http::pages::error::PageError;
use crate::http::pages::frame::{Frame, Section, page, page_with};
use crate::http::pages::notifications::forms::{RhythmForm, quiet_text};
use crate::http::pages::notifications::outbox::MailRow;
use crate::http::pages::show::{counted, sentence};
use crate::http::session::Person;
use crate::jobs::send_mail;
use crate::mail::{self, recipients, test_mail};

/// The address of the page.
const PATH: &str = "/settings/notifications";

/// Mails on one page.
const MAILS: u16 = 25;

/// The page.
#[derive(Template)]
#[template(path = "pages/notifications.html")]
pub(crate) struct NotificationsPage {
    pub(crate) frame: Frame,
    /// Where mail is handed in and in whose name; none if no mail is sent.
    pub(crate) way: Option<(String, String)>,
    /// Whether mails have links.
    pub(crate) links: bool,
    pub(crate) saved: bool,
    pub(crate) form: WorkspaceForm,
    pub(crate) problems: WorkspaceProblems,
    pub(crate) zone: String,
    pub(crate) sources: Vec<SourceRow>,
    /// Where a test would go.
    pub(crate) test_to: String,
    /// What came of a test: whether it was sent, and in words.
    pub(crate) tested: Option<(bool, String)>,
    pub(crate) mails: Vec<MailRow>,
    /// Older mails.
    pub(crate) older: Option<String>,
    /// Whether these are not the newest.
    pub(crate) newest: bool,
}

/// The form of the workspace.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct WorkspaceForm {
    pub(crate) recipients: String,
    pub(crate) to_uploader: Option<String>,
    #[serde(flatten)]
    pub(crate) rhythm: RhythmForm,
    pub(crate) quiet_from: String,
    pub(crate) quiet_to: String,
    /// In MB.
    pub(crate) attachment: String,
}

/// What is wrong with the form, field by field.
#[derive(Debug, Clone, Default)]
pub(crate) struct WorkspaceProblems {
    pub(crate) recipients: Option<String>,
    pub(crate) rhythm: Option<String>,
    pub(crate) quiet: Option<String>,
    pub(crate) attachment: Option<String>,
}

/// A source, and what its recipients are told.
#[derive(Debug, Clone)]
pub(crate) struct SourceRow {
    pub(crate) name: String,
    pub(crate) label: String,
    pub(crate) recipients: String,
    pub(crate) digest: String,
    pub(crate) quiet: String,
    pub(crate) alerts: String,
}

/// The query.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct NotificationsQuery {
    saved: Option<String>,
    before: String,
}

/// Where a test goes.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct TestForm {
    to: String,
}

/// `GET /settings/notifications`
pub(super) async fn get(
    State(app): State<App>,
    person: Person,
    Query(query): Query<NotificationsQuery>,
) -> Result<Response, PageError> {
    person.must_administer()?;
    let mut shown = shown(&app, &person, &query.before).await?;
    shown.saved = query.saved.is_some();
    page(&shown)
}

/// `POST /settings/notifications`
pub(super) async fn post(
    State(app): State<App>,
    person: Person,
    Form(form): Form<WorkspaceForm>,
) -> Result<Response, PageError> {
    person.must_administer()?;
    let workspace = person.workspace.id;
    let known = app.store.notification_settings(workspace).await?;
    match form.read(known) {
        Ok(settings) => {
            app.store
                .set_notification_settings(workspace, settings)
                .await?;
            app.audit(
                workspace,
                &person.actor(),
                Act::ChangedSetting,
                "notifications",
            )
            .await?;
            Ok(Redirect::to("/settings/notifications?saved=1").into_response())
        }
        Err(problems) => {
            let shown = NotificationsPage {
                form,
                problems,
                ..shown(&app, &person, "").await?
            };
            page_with(StatusCode::UNPROCESSABLE_ENTITY, &shown)
        }
    }
}

/// `POST /settings/notifications/test`
pub(super) async fn test(
    State(app): State<App>,
    person: Person,
    Form(form): Form<TestForm>,
) -> Result<Response, PageError> {
    person.must_administer()?;
    let workspace = &person.workspace;
    let tested = match recipients::checked_one(&form.to) {
        Err(problem) => (false, sentence(&problem)),
        Ok(_) if app.config.mail.is_none() => (
            false,
            "No mail server is set, so nothing was sent. It is said above how to set one."
                .to_owned(),
        ),
        Ok(to) => {
            let test = test_mail::compose(&app, workspace, &person.user.email)?;
            let id = mail::enqueue(&app, workspace.id, MailKind::Test, &to, &test, clock::now());
            let sent = send_mail::send_now(&app, workspace.id, id.await?).await?;
            match (sent.state, sent.last_error) {
                (MailState::Sent, _) => (
                    true,
                    format!("The mail server took the test for {to}. Look whether it arrives."),
                ),
                (_, Some(error)) => (false, sentence(&error)),
                (_, None) => (true, format!("The test for {to} is on its way.")),
            }
        }
    };
    let shown = NotificationsPage {
        tested: Some(tested),
        test_to: form.to,
        ..shown(&app, &person, "").await?
    };
    page(&shown)
}

/// The page as it stands.
async fn shown(app: &App, person: &Person, before: &str) -> Result<NotificationsPage, PageError> {
    let workspace = person.workspace.id;
    let settings = app.store.notification_settings(workspace).await?;
    let sources = app.store.sources(workspace).await?;
    let before = before.parse::<Uuid>().ok().map(MailId);
    let mails = app.store.mails(workspace, None, before, MAILS).await?;
    let now = clock::now();
    let full = mails.len() == usize::from(MAILS);
    Ok(NotificationsPage {
        frame: Frame::new(person, Section::Notifications),
        way: app
            .config
            .mail
            .as_ref()
            .map(|mail| (mail.way.to_string(), mail.from.to_string())),
        links: app.config.public_url.is_some(),
        saved: false,
        form: WorkspaceForm::of(&settings),
        problems: WorkspaceProblems::default(),
        zone: person.zone.name(now),
        sources: sources
            .iter()
            .map(|source| SourceRow::of(source, &settings))
            .collect(),
        test_to: person.user.email.clone(),
        tested: None,
        older: mails
            .last()
            .filter(|_| full)
            .map(|mail| mail.id.to_string()),
        newest: before.is_some(),
        mails: mails
            .iter()
            .map(|mail| MailRow::of(mail, &person.zone, now))
            .collect(),
    })
}

impl WorkspaceForm {
    fn of(settings: &NotificationSettings) -> WorkspaceForm {
        let quiet = settings.quiet;
        WorkspaceForm {
            recipients: settings.recipients.join("\n"),
            to_uploader: settings.to_uploader.then(|| "on".to_owned()),
            rhythm: RhythmForm::of(Some(settings.digest)),
            quiet_from: quiet
                .map(|quiet| quiet.from.to_string())
                .unwrap_or_default(),
            quiet_to: quiet.map(|quiet| quiet.to.to_string()).unwrap_or_default(),
            attachment: forms::megabytes(settings.attachment_bytes),
        }
    }

    fn read(&self, known: NotificationSettings) -> Result<NotificationSettings, WorkspaceProblems> {
        let recipients = recipients::parse(&self.recipients).map_err(|text| sentence(&text));
        let rhythm = self.rhythm.read();
        let quiet = forms::quiet(&self.quiet_from, &self.quiet_to);
        let attachment = forms::bytes(&self.attachment, MAX_ATTACHMENT);
        match (recipients, rhythm, quiet, attachment) {
            (Ok(recipients), Ok(digest), Ok(quiet), Ok(attachment_bytes)) => {
                Ok(NotificationSettings {
                    recipients,
                    to_uploader: self.to_uploader.is_some(),
                    digest: digest.unwrap_or(known.digest),
                    quiet,
                    attachment_bytes,
                    sources: known.sources,
                })
            }
            (recipients, rhythm, quiet, attachment) => Err(WorkspaceProblems {
                recipients: recipients.err(),
                rhythm: rhythm.err(),
                quiet: quiet.err(),
                attachment: attachment.err(),
            }),
        }
    }
}

impl SourceRow {
    fn of(source: &Source, settings: &NotificationSettings) -> SourceRow {
        let own = settings.source(source.id);
        let recipients = settings.recipients_of(source.id);
        let is_manual = source.settings.name == "manual";
        let silence = match own.silence {
            _ if is_manual => None,
            Silence::Off => None,
            Silence::Learned => Some("when it goes silent".to_owned()),
            Silence::Hours(hours) => {
                let hours = counted(u64::from(hours), "hour", "hours");
                Some(format!("after {hours} of silence"))
            }
        };
        let jump = match own.failure_jump {
            Jump::Learned if !is_manual => Some("when failures jump".to_owned()),
            Jump::Learned | Jump::Off => None,
        };
        let alerts: Vec<String> = silence.into_iter().chain(jump).collect();
        SourceRow {
            name: source.settings.name.clone(),
            label: source.settings.label.clone(),
            recipients: match (recipients.as_slice(), own.recipients.is_some()) {
                ([], _) => "nobody".to_owned(),
                (_, false) => "the workspace’s".to_owned(),
                ([one], true) => one.clone(),
                ([first, more @ ..], true) => format!("{first} and {} more", more.len()),
            },
            digest: if is_manual {
                "after each import".to_owned()
            } else {
                forms::frequency_text(settings.digest_of(source.id))
            },
            quiet: quiet_text(settings.quiet_of(source.id)),
            alerts: if alerts.is_empty() {
                "none".to_owned()
            } else {
                alerts.join(", ")
            },
        }
    }
}
