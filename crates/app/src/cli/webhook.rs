//! `rollbook webhook`: how what other systems send by themselves is signed.

use std::io::{self, Write};

use clap::{Subcommand, ValueEnum};
use rollbook_sources::signature::Refusal;
use rollbook_store::workspaces::Workspace;

use super::source::find_source;
use super::terminal::{
    plain, print_json, print_table, read_secret_line, say, show_time, table, zone,
};
use super::{Done, usage};
use crate::access::MAX_OVERLAP_HOURS;
use crate::app::App;
use crate::audit::Actor;
use crate::config::Config;
use crate::http::api::webhooks::WebhookJson;
use crate::webhook::{self, Setup, WebhookError};

/// Set signed webhooks up, list them, and replace or revoke their secrets
///
/// A system that signs what it sends needs no API key: it is given an address and a secret, and every delivery is
/// checked before anything reads it.
#[derive(Debug, Subcommand)]
pub(super) enum Webhooks {
    /// Let a source take signed webhooks; the secret is printed once, alone on standard output
    ///
    /// What was set up before is replaced, and its secrets are refused at once.
    #[command(after_help = "\
Examples:
  rollbook webhook set-up crm
  rollbook webhook set-up shop --scheme hmac-sha256-body --header X-Hub-Signature-256
  echo \"$CLIENT_SECRET\" | rollbook webhook set-up hubspot --scheme hubspot-v3 --secret-stdin")]
    SetUp {
        /// The name of the source
        source: String,
        /// How the sender signs
        #[arg(long, value_enum, default_value_t = SchemeArg::StandardWebhooks)]
        scheme: SchemeArg,
        /// With hmac-sha256-body: the header of the signature [default: X-Signature]
        #[arg(long, value_name = "NAME")]
        header: Option<String>,
        /// With hmac-sha256-body: what may stand before the signature [default: sha256=]
        #[arg(long, value_name = "TEXT")]
        prefix: Option<String>,
        /// Read the sender's own secret from standard input instead of making one
        #[arg(long)]
        secret_stdin: bool,
    },

    /// List the signed webhooks, without their secrets
    #[command(after_help = "\
Examples:
  rollbook webhook list
  rollbook webhook list --json")]
    List {
        /// Print one JSON object a line
        #[arg(long)]
        json: bool,
    },

    /// Replace the secret of a webhook; the new one is printed once, alone on standard output
    ///
    /// The one before stays valid for a while, so that the sender can be changed over without a gap.
    #[command(after_help = "\
Examples:
  rollbook webhook rotate crm
  rollbook webhook rotate crm --overlap-hours 0          the one before is refused at once
  echo \"$NEW_SECRET\" | rollbook webhook rotate hubspot --secret-stdin")]
    Rotate {
        /// The name of the source
        source: String,
        /// For how many hours the one before stays valid: 0 to 720
        #[arg(long, value_name = "HOURS", default_value_t = 24,
              value_parser = clap::value_parser!(u32).range(0..=i64::from(MAX_OVERLAP_HOURS)))]
        overlap_hours: u32,
        /// Read the sender's own secret from standard input instead of making one
        #[arg(long)]
        secret_stdin: bool,
    },

    /// Revoke the secret before the one in force, or take no signed webhooks any more
    #[command(after_help = "\
Examples:
  rollbook webhook revoke crm --previous
  rollbook webhook revoke crm                            the source takes no signed webhooks any more")]
    Revoke {
        /// The name of the source
        source: String,
        /// Revoke only the secret before, after a rotation
        #[arg(long)]
        previous: bool,
    },
}

/// How a sender signs.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum SchemeArg {
    /// Standard Webhooks, also with `svix-…` headers
    StandardWebhooks,
    /// HMAC-SHA256 of the body, in hex or base64
    HmacSha256Body,
    #[value(help = "HubSpot's version 3")]
    HubspotV3,
}

impl SchemeArg {
    fn key(self) -> &'static str {
        match self {
            SchemeArg::StandardWebhooks => "standard-webhooks",
            SchemeArg::HmacSha256Body => "hmac-sha256-body",
            SchemeArg::HubspotV3 => "hubspot-v3",
        }
    }
}

impl Webhooks {
    /// Runs the command.
    pub(super) async fn run(self, config: Config) -> anyhow::Result<Done> {
        let app = App::open(config).await?;
        let workspace = app.workspace().await?;
        let actor = Actor::command_line();
        match self {
            Webhooks::SetUp {
                source,
                scheme,
                header,
                prefix,
                secret_stdin,
            } => {
                let source = find_source(&app, workspace.id, &source).await?;
                let setup = Setup {
                    scheme: scheme.key(),
                    header: header.as_deref().unwrap_or_default(),
                    prefix: prefix.as_deref(),
                };
                let secret = secret(secret_stdin)?;
                let set_up = webhook::set_up(&app, &actor, &source, setup, &secret).await;
                let (_, made) = set_up.map_err(refused)?;
                show(made)?;
                let address = webhook::address(&app, &source);
                say(&format!("the sender's address is {address}"));
            }
            Webhooks::List { json } => list(&app, &workspace, json).await?,
            Webhooks::Rotate {
                source,
                overlap_hours,
                secret_stdin,
            } => {
                let source = find_source(&app, workspace.id, &source).await?;
                let secret = secret(secret_stdin)?;
                let rotated = webhook::rotate(&app, &actor, &source, &secret, overlap_hours).await;
                let (_, made) = rotated.map_err(refused)?;
                show(made)?;
                say(&format!(
                    "the secret before is valid for {overlap_hours} more hours"
                ));
            }
            Webhooks::Revoke { source, previous } => {
                let source = find_source(&app, workspace.id, &source).await?;
                let name = &source.settings.name;
                if previous {
                    let ended = webhook::end_overlap(&app, &actor, &source).await;
                    ended.map_err(refused)?;
                    say(&format!("only the newest secret of `{name}` is valid"));
                } else {
                    let removed = webhook::remove(&app, &actor, &source).await;
                    removed.map_err(refused)?;
                    say(&format!(
                        "source `{name}` takes no signed webhooks any more"
                    ));
                }
            }
        }
        Ok(Done::Fully)
    }
}

async fn list(app: &App, workspace: &Workspace, json: bool) -> anyhow::Result<()> {
    let sources = app.store.sources(workspace.id).await?;
    let zone = zone(&workspace.settings);
    let time = |time| show_time(time, &zone);
    let mut out = io::stdout().lock();
    let mut table = table(&["Source", "Scheme", "Secret", "Accepted", "Refused"]);
    for source in &sources {
        let Some(webhook) = app.store.webhook(workspace.id, source.id).await? else {
            continue;
        };
        if json {
            print_json(&mut out, &WebhookJson::of(app, source, webhook)?)?;
            continue;
        }
        let since = time(webhook.secret_at);
        let refused = webhook.refused.as_ref().map(|(at, why)| {
            let why = Refusal::from_key(why).map_or("", Refusal::text);
            format!("{}: {why}", time(*at))
        });
        let never = || "never".to_owned();
        table.add_row([
            plain(&source.settings.name),
            webhook::scheme(&webhook)?.key().to_owned(),
            match &webhook.previous {
                Some((_, until)) => {
                    format!("since {since}, the one before until {}", time(*until))
                }
                None => format!("since {since}"),
            },
            webhook.accepted_at.map_or_else(never, time),
            refused.unwrap_or_else(never),
        ]);
    }
    out.flush()?;
    drop(out);
    if !json {
        print_table(&table)?;
    }
    Ok(())
}

/// The sender's own secret; blank to have one made.
fn secret(from_stdin: bool) -> anyhow::Result<String> {
    if !from_stdin {
        return Ok(String::new());
    }
    let secret = read_secret_line()?;
    if secret.trim().is_empty() {
        return Err(usage("standard input holds no secret"));
    }
    Ok(secret)
}

fn show(made: Option<String>) -> io::Result<()> {
    if let Some(secret) = made {
        writeln!(io::stdout(), "{secret}")?;
        say("this is the secret for the sender: keep it now, it cannot be shown again");
    }
    Ok(())
}

/// What the person can mend is a matter of arguments.
fn refused(error: WebhookError) -> anyhow::Error {
    match error {
        WebhookError::Value { .. } => usage(error.to_string()),
        WebhookError::Missing(name) => usage(format!(
            "source `{name}` takes no signed webhooks; set them up with: rollbook webhook set-up {name}"
        )),
        WebhookError::Store(error) => error.into(),
    }
}
