//! The outbox as the page shows it, and "Send again".

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use rollbook_store::outbox::{MailId, MailKind, MailState, OutboxMail};
use rollbook_store::{StoreError, Timestamp};
use uuid::Uuid;

use crate::app::App;
use crate::audit::Act;
use crate::clock;
use crate::http::pages::error::PageError;
use crate::http::pages::notifications::PATH;
use crate::http::pages::show::{When, Zone, counted, sentence};
use crate::http::session::Person;

/// A mail ready to print.
#[derive(Debug, Clone)]
pub(crate) struct MailRow {
    pub(crate) id: String,
    pub(crate) kind: &'static str,
    pub(crate) recipient: String,
    pub(crate) subject: String,
    pub(crate) created: When,
    /// `ok`, `bad`, `busy`, `warn` or `quiet`.
    pub(crate) class: &'static str,
    pub(crate) state: &'static str,
    /// When it was sent, or is tried next; blank for neither.
    pub(crate) when: String,
    /// Why the last try failed, as a sentence; blank if none did.
    pub(crate) error: String,
    /// Whether it can be sent again.
    pub(crate) again: bool,
}

impl MailRow {
    /// A mail, ready to print.
    pub(crate) fn of(mail: &OutboxMail, zone: &Zone, now: Timestamp) -> MailRow {
        let (class, state) = match mail.state {
            MailState::Queued if mail.attempts > 0 => ("warn", "Not sent yet"),
            MailState::Queued if mail.next_at > now => ("quiet", "Waits for its time"),
            MailState::Queued => ("busy", "Waits"),
            MailState::Sending => ("busy", "Is being sent"),
            MailState::Sent => ("ok", "Sent"),
            MailState::Failed => ("bad", "Given up"),
        };
        let time = |at: Timestamp| zone.when(at).short;
        let tries = counted(u64::from(mail.attempts), "try", "tries");
        let when = match mail.state {
            MailState::Sent => mail.sent_at.map(time).unwrap_or_default(),
            MailState::Queued if mail.attempts > 0 => {
                format!("after {tries}, the next {}", time(mail.next_at))
            }
            MailState::Queued if mail.next_at > now => time(mail.next_at),
            MailState::Failed if mail.attempts > 0 => format!("after {tries}"),
            MailState::Queued | MailState::Sending | MailState::Failed => String::new(),
        };
        MailRow {
            id: mail.id.to_string(),
            kind: match mail.kind {
                MailKind::ImportReport => "Import report",
                MailKind::SourceDigest => "Source digest",
                MailKind::Alert => "Alert",
                MailKind::Test => "Test",
                MailKind::Invite => "Invitation",
                MailKind::PasswordReset => "Password reset",
            },
            recipient: mail.recipient.clone(),
            subject: mail.subject.clone(),
            created: zone.when(mail.created_at),
            class,
            state,
            when,
            error: mail.last_error.as_deref().map(sentence).unwrap_or_default(),
            again: mail.state == MailState::Failed
                || mail.state == MailState::Queued && mail.attempts > 0,
        }
    }
}

/// `POST /settings/notifications/outbox/{id}/retry`
pub(crate) async fn retry(
    State(app): State<App>,
    person: Person,
    Path(id): Path<String>,
) -> Result<Response, PageError> {
    person.must_administer()?;
    let missing = || PageError::NotFound("this mail");
    let id = MailId(id.parse::<Uuid>().map_err(|_| missing())?);
    let retried = app
        .store
        .retry_mail(person.workspace.id, id, clock::now())
        .await;
    match retried {
        // It is on its way or was sent meanwhile; the page shows it.
        Ok(_) | Err(StoreError::Conflict(_)) => {
            if let Ok(mail) = retried {
                let about = format!("mail {}", mail.id);
                let act = Act::RetriedMail;
                app.audit(person.workspace.id, &person.actor(), act, &about)
                    .await?;
            }
            Ok(Redirect::to(&format!("{PATH}#outbox")).into_response())
        }
        Err(StoreError::Missing(_)) => Err(missing()),
        Err(error) => Err(error.into()),
    }
}
