//! `rollbook mail`: try the mail server, look at the outbox, send again.

use std::io;

use anyhow::bail;
use clap::Subcommand;
use rollbook_store::outbox::{MailId, MailKind, MailState};
use uuid::Uuid;

use super::terminal::{plain, print_json, print_table, say, show_time, table, zone};
use super::{Done, usage};
use crate::app::App;
use crate::audit::{Act, Actor};
use crate::clock;
use crate::config::Config;
use crate::jobs::send_mail;
use crate::mail::{self, recipients, test_mail};
use crate::wire::rfc3339;

/// Try the mail server, list mails, send one again
///
/// Who gets which mails is set on Admin Settings > Notifications. `rollbook serve` sends what waits.
#[derive(Debug, Subcommand)]
pub(super) enum Mails {
    /// Send a test mail and say what came of it
    #[command(after_help = "\
Examples:
  rollbook mail test ada@example.com
  rollbook mail test ada@example.com --mail folder:mail")]
    Test {
        /// Where to
        address: String,
    },

    /// List mails, newest first
    #[command(after_help = "\
Examples:
  rollbook mail list
  rollbook mail list --failed --json")]
    List {
        /// Only mails that were given up
        #[arg(long)]
        failed: bool,
        /// How many, at most
        #[arg(long, default_value_t = 50)]
        limit: u16,
        /// Print one JSON object a line
        #[arg(long)]
        json: bool,
    },

    /// Have a mail sent again that was given up or waits for its next try
    #[command(after_help = "\
Examples:
  rollbook mail retry 4f6c1a52-1d5b-4e0c-9d1b-6f2b1f0f5a11")]
    Retry {
        /// The mail's id, as `rollbook mail list --json` shows it
        id: Uuid,
    },
}

impl Mails {
    /// Runs the command.
    pub(super) async fn run(self, config: Config) -> anyhow::Result<Done> {
        let app = App::open(config).await?;
        let workspace = app.workspace().await?;
        match self {
            Mails::Test { address } => {
                let Some(settings) = &app.config.mail else {
                    return Err(usage(
                        "no mail server is set; use --mail and --mail-from, or set `mail` and `mail_from` in \
                         rollbook.toml",
                    ));
                };
                let to = recipients::checked_one(&address).map_err(usage)?;
                let test = test_mail::compose(&app, &workspace, "the command line")?;
                let now = clock::now();
                let id = mail::enqueue(&app, workspace.id, MailKind::Test, &to, &test, now).await?;
                let mail = send_mail::send_now(&app, workspace.id, id).await?;
                match (mail.state, mail.last_error) {
                    (MailState::Sent, _) => say(&format!("sent to {to} by {}", settings.way)),
                    (_, Some(error)) => bail!("not sent: {error}"),
                    (_, None) => say("another process of this Rollbook is sending it"),
                }
            }
            Mails::List {
                failed,
                limit,
                json,
            } => {
                let state = failed.then_some(MailState::Failed);
                let mails = app.store.mails(workspace.id, state, None, limit).await?;
                if json {
                    let mut out = io::stdout().lock();
                    for mail in &mails {
                        let line = serde_json::json!({
                            "id": mail.id.to_string(),
                            "kind": mail.kind.key(),
                            "to": mail.recipient,
                            "subject": mail.subject,
                            "state": mail.state.key(),
                            "attempts": mail.attempts,
                            "last_error": mail.last_error,
                            "created_at": rfc3339(mail.created_at),
                            "sent_at": mail.sent_at.map(rfc3339),
                        });
                        print_json(&mut out, &line)?;
                    }
                    return Ok(Done::Fully);
                }
                let zone = zone(&workspace.settings);
                let mut table =
                    table(&["Created", "To", "Subject", "State", "Tries", "Last error"]);
                for mail in &mails {
                    table.add_row([
                        show_time(mail.created_at, &zone),
                        plain(&mail.recipient),
                        plain(&mail.subject),
                        mail.state.key().to_owned(),
                        mail.attempts.to_string(),
                        plain(mail.last_error.as_deref().unwrap_or_default()),
                    ]);
                }
                print_table(&table)?;
            }
            Mails::Retry { id } => {
                let mail = app
                    .store
                    .retry_mail(workspace.id, MailId(id), clock::now())
                    .await?;
                let (actor, about) = (Actor::command_line(), format!("mail {id}"));
                app.audit(workspace.id, &actor, Act::RetriedMail, &about)
                    .await?;
                say(&format!(
                    "the mail to {} waits to be sent by `rollbook serve`",
                    mail.recipient
                ));
            }
        }
        Ok(Done::Fully)
    }
}
