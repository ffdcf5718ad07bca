//! Mail: one file a mail, each with its subject, its text and its HTML; and how it travels.
//!
//! A mail is a row of the outbox, one a recipient. What reports, digests and alerts say is made from the log when they
//! are sent, so that nothing about a person is kept twice. Other mails (invitations, password resets) are kept as they
//! are until they were sent: [`enqueue`], or [`new_mail`] for a transaction of the store that writes more.

pub(crate) mod alert;
pub(crate) mod deliver;
pub(crate) mod import_report;
pub(crate) mod invitation;
pub(crate) mod message;
pub(crate) mod password_reset;
pub(crate) mod problems;
pub(crate) mod recipients;
#[cfg(test)]
mod samples;
pub(crate) mod schedule;
pub(crate) mod server;
pub(crate) mod source_digest;
pub(crate) mod test_mail;
pub(crate) mod watch;

use rollbook_store::imports::ImportId;
use rollbook_store::outbox::{MailId, MailKind, NewMail, OutboxMail};
use rollbook_store::sources::SourceId;
use rollbook_store::{StoreError, Timestamp, WorkspaceId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::app::App;
use crate::mail::deliver::LEASE_MILLIS;
pub(crate) use message::Mail;
use source_digest::Stretch;

/// What a mail tells of, as the outbox keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "about", rename_all = "snake_case")]
pub(crate) enum About {
    /// An import that is over.
    Import {
        /// Which.
        import: Uuid,
        /// Its source.
        source: u32,
    },
    /// What went wrong at a source.
    Digest {
        /// Which.
        source: u32,
        /// Attempts with higher numbers than this.
        after: u64,
        /// The last attempt.
        upto: u64,
    },
    /// A source that normally delivers sent nothing for long.
    Silence {
        /// Which.
        source: u32,
        /// When it last delivered.
        last: i64,
        /// When that was noticed.
        noticed: i64,
    },
    /// A source fails more than usual.
    Failures {
        /// Which.
        source: u32,
        /// When that was noticed.
        noticed: i64,
        /// Failures of the hour before.
        failed: u64,
        /// Records of that hour.
        records: u64,
        /// Failures of a thousand records in the week before.
        usual: u64,
    },
    /// Nothing that can be looked up: the mail is kept as it is, or always the same.
    Itself,
}

impl About {
    /// As the outbox keeps it.
    pub(crate) fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The source it concerns.
    pub(crate) fn source(&self) -> Option<SourceId> {
        match self {
            About::Import { source, .. }
            | About::Digest { source, .. }
            | About::Silence { source, .. }
            | About::Failures { source, .. } => Some(SourceId(*source)),
            About::Itself => None,
        }
    }
}

/// Why a mail cannot be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ComposeError {
    /// What it tells of is gone.
    #[error("{0} does not exist any more")]
    Gone(&'static str),
    /// The outbox holds something that no mail can be made of.
    #[error("the mail is damaged: {0}")]
    Damaged(String),
    /// A template failed.
    #[error("the mail cannot be written: {0}")]
    Template(#[from] askama::Error),
    /// The store said no.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Puts a finished mail into the outbox, for one recipient. It is kept as it is and forgotten when it was sent.
pub(crate) async fn enqueue(
    app: &App,
    workspace: WorkspaceId,
    kind: MailKind,
    recipient: &str,
    mail: &Mail,
    now: Timestamp,
) -> Result<MailId, StoreError> {
    let mut mail = new_mail(workspace, kind, recipient, mail, now);
    if kind == MailKind::Test {
        // Whoever asks sends it, by the mail server that is to be tried; workers only if they do not.
        mail.due_at = Timestamp(now.0.saturating_add(LEASE_MILLIS));
    }
    // It may hold a link that signs somebody in.
    let place = content_of(workspace, recipient);
    mail.content = mail
        .content
        .map(|content| app.vault.seal_text(&place, content));
    let ids = app.store.enqueue_mails(vec![mail]).await?;
    ids.into_iter().next().ok_or(StoreError::Closed)
}

/// Where the content of a mail is stored.
fn content_of(workspace: WorkspaceId, recipient: &str) -> String {
    format!("mail/{}/{recipient}", workspace.0)
}

/// A finished mail as the store takes it.
pub(crate) fn new_mail(
    workspace: WorkspaceId,
    kind: MailKind,
    recipient: &str,
    mail: &Mail,
    now: Timestamp,
) -> NewMail {
    NewMail {
        workspace,
        kind,
        recipient: recipient.to_owned(),
        subject: mail.subject.clone(),
        about: About::Itself.to_json(),
        content: serde_json::to_string(mail).ok(),
        created_at: now,
        due_at: now,
    }
}

/// What a mail tells of.
pub(crate) fn about(mail: &OutboxMail) -> Result<About, ComposeError> {
    serde_json::from_str(&mail.about).map_err(|error| ComposeError::Damaged(error.to_string()))
}

/// Makes a mail as it will be sent.
pub(crate) async fn compose(app: &App, mail: &OutboxMail) -> Result<Mail, ComposeError> {
    if let Some(content) = &mail.content {
        let place = content_of(mail.workspace, &mail.recipient);
        let content = app.vault.open_text(&place, content);
        let content = content.map_err(|error| ComposeError::Damaged(error.to_string()))?;
        return serde_json::from_str(&content)
            .map_err(|error| ComposeError::Damaged(error.to_string()));
    }
    let about = about(mail)?;
    match about {
        About::Digest {
            source,
            after,
            upto,
        } => {
            let stretch = Stretch {
                workspace: mail.workspace,
                source: SourceId(source),
                after,
                upto,
            };
            source_digest::compose(app, stretch).await
        }
        About::Silence { .. } | About::Failures { .. } => {
            alert::compose(app, mail.workspace, &about).await
        }
        About::Import { import, .. } => {
            import_report::compose(app, mail.workspace, ImportId(import)).await
        }
        About::Itself => Err(ComposeError::Gone("what it says")),
    }
}

/// The three templates of a mail: `parts!(Data, "subject.txt", "body.txt", "body.html")` gives `Data` a method `mail`.
macro_rules! parts {
    ($data:ident, $subject:tt, $text:tt, $html:tt) => {
        const _: () = {
            #[derive(askama::Template)]
            #[template(path = $subject, escape = "none")]
            struct Subject<'a> {
                mail: &'a $data,
            }

            #[derive(askama::Template)]
            #[template(path = $text, escape = "none")]
            struct Text<'a> {
                mail: &'a $data,
            }

            #[derive(askama::Template)]
            #[template(path = $html)]
            struct Html<'a> {
                mail: &'a $data,
            }

            impl $data {
                /// The subject alone.
                pub(crate) fn subject(&self) -> Result<String, askama::Error> {
                    let subject = askama::Template::render(&Subject { mail: self })?;
                    Ok(subject.trim().to_owned())
                }

                /// The mail without attachments.
                pub(crate) fn mail(&self) -> Result<$crate::mail::Mail, askama::Error> {
                    Ok($crate::mail::Mail {
                        subject: self.subject()?,
                        text: $crate::mail::tidy(&askama::Template::render(&Text { mail: self })?),
                        html: askama::Template::render(&Html { mail: self })?,
                        attachment: None,
                    })
                }
            }
        };
    };
}
pub(crate) use parts;

/// A text without gaps of more than one blank line, which parts that are left out leave behind.
pub(crate) fn tidy(text: &str) -> String {
    let mut tidy = String::with_capacity(text.len());
    let mut blank = true;
    for line in text.lines().map(str::trim_end) {
        if line.is_empty() && blank {
            continue;
        }
        blank = line.is_empty();
        tidy.push_str(line);
        tidy.push('\n');
    }
    tidy.truncate(tidy.trim_end().len());
    tidy.push('\n');
    tidy
}

/// What stands around every mail.
#[derive(Debug, Clone, Default)]
pub(crate) struct Letter {
    /// The workspace's name.
    pub(crate) workspace: String,
    /// Why the reader gets it.
    pub(crate) why: String,
    /// Where that is changed; none if nobody said where Rollbook is reached.
    pub(crate) settings: Option<String>,
}

/// An address of the product for a mail; none if nobody said where Rollbook is reached.
pub(crate) fn link(app: &App, path: &str) -> Option<String> {
    let public = app.config.public_url.as_deref()?;
    Some(format!("{public}{path}"))
}
