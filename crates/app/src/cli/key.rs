//! `rollbook key`: what other systems sign their calls with.

use std::io::{self, Write};

use clap::Subcommand;
use rollbook_store::StoreError;
use rollbook_store::sources::ApiKey;
use rollbook_store::workspaces::Workspace;
use serde::Serialize;

use super::source::find_source;
use super::terminal::{plain, print_json, print_table, say, show_time, table, zone};
use super::{Done, usage};
use crate::access;
use crate::app::App;
use crate::audit::{Act, Actor};
use crate::clock;
use crate::config::Config;
use crate::wire::{SourceNames, rfc3339};

/// Create, list, rotate and revoke API keys
///
/// A key belongs to one source and may deliver to that alone, or, made with --all, may do everything. It is shown once,
/// when it is made: Rollbook keeps only its hash.
#[derive(Debug, Subcommand)]
pub(super) enum Keys {
    /// Make a key; it is printed once, alone on standard output
    #[command(after_help = "\
Examples:
  rollbook key create --source booking-desk
  KEY=$(rollbook key create --source booking-desk --name \"desk computer\")
  curl -H \"Authorization: Bearer $KEY\" --json '{\"name\":\"Anna Weber\",\"email\":\"anna@example.com\"}' \\
    http://127.0.0.1:8080/api/v1/sources/booking-desk/contacts
  rollbook key create --all --name \"nightly report\"")]
    Create {
        /// The source that it may deliver to, and whose log and imports it may read
        #[arg(long, value_name = "NAME", required_unless_present = "all")]
        source: Option<String>,
        /// Make a key that may do everything an administrator can: for programs that manage Rollbook itself
        #[arg(long, conflicts_with = "source")]
        all: bool,
        /// What people call it [default: the source's name, or `all`]
        #[arg(long)]
        name: Option<String>,
    },

    /// List the keys, without their secrets
    #[command(after_help = "\
Examples:
  rollbook key list
  rollbook key list --json")]
    List {
        /// Print one JSON object a line
        #[arg(long)]
        json: bool,
    },

    /// Replace a key by a new one, which is printed once, alone on standard output
    ///
    /// The new key has the same name and opens the same. The old one stays valid for a while, so that the system that
    /// uses it can be changed over without a gap.
    #[command(after_help = "\
Examples:
  rollbook key rotate 3
  rollbook key rotate 3 --overlap-hours 0        the old one is refused at once")]
    Rotate {
        /// Its number, as `rollbook key list` shows it
        id: u32,
        /// For how many hours the old one stays valid: 0 to 720
        #[arg(long, value_name = "HOURS", default_value_t = 24,
              value_parser = clap::value_parser!(u32).range(0..=i64::from(access::MAX_OVERLAP_HOURS)))]
        overlap_hours: u32,
    },

    /// Revoke a key: from now on it opens nothing
    #[command(after_help = "\
Examples:
  rollbook key revoke 3")]
    Revoke {
        /// Its number, as `rollbook key list` shows it
        id: u32,
    },
}

#[derive(Serialize)]
struct KeyJson {
    id: u32,
    name: String,
    source: Option<String>,
    prefix: String,
    created_at: String,
    last_used_at: Option<String>,
    revoked_at: Option<String>,
    expires_at: Option<String>,
}

impl Keys {
    /// Runs the command.
    pub(super) async fn run(self, config: Config) -> anyhow::Result<Done> {
        let app = App::open(config).await?;
        let workspace = app.workspace().await?;
        match self {
            Keys::Create {
                source,
                all: _,
                name,
            } => {
                let source = match source {
                    Some(name) => Some(find_source(&app, workspace.id, &name).await?),
                    None => None,
                };
                let label = source
                    .as_ref()
                    .map_or("all", |source| source.settings.name.as_str());
                let name = name.as_deref().unwrap_or(label);
                let (key, secret) =
                    access::create_key(&app, workspace.id, source.as_ref(), name).await?;
                let about = format!("key {} ({}…)", key.name, key.prefix);
                app.audit(workspace.id, &Actor::command_line(), Act::AddedKey, &about)
                    .await?;
                writeln!(io::stdout(), "{secret}")?;
                let opens = match &source {
                    Some(source) => format!("for source `{}`", source.settings.name),
                    None => "that may do everything".to_owned(),
                };
                say(&format!(
                    "key {} {opens}: keep it now, it cannot be shown again",
                    key.id
                ));
            }
            Keys::List { json } => list(&app, &workspace, json).await?,
            Keys::Rotate { id, overlap_hours } => {
                match access::rotate_key(&app, workspace.id, id, overlap_hours).await {
                    Ok((key, secret)) => {
                        let about = access::about_rotation(&key, id, overlap_hours);
                        app.audit(
                            workspace.id,
                            &Actor::command_line(),
                            Act::RotatedKey,
                            &about,
                        )
                        .await?;
                        writeln!(io::stdout(), "{secret}")?;
                        say(&format!(
                            "key {} replaces key {id}, which is valid for {overlap_hours} more hours: keep it now, it \
                             cannot be shown again",
                            key.id
                        ));
                    }
                    Err(StoreError::Missing(_)) => return Err(no_key(id)),
                    Err(StoreError::Conflict(why)) => return Err(usage(why)),
                    Err(error) => return Err(error.into()),
                }
            }
            Keys::Revoke { id } => {
                match app.store.revoke_key(workspace.id, id, clock::now()).await {
                    Ok(key) => {
                        let about = format!("key {} ({}…)", key.name, key.prefix);
                        app.audit(
                            workspace.id,
                            &Actor::command_line(),
                            Act::RevokedKey,
                            &about,
                        )
                        .await?;
                        say(&format!(
                            "key {id} ({}…) is revoked: calls with it are refused",
                            key.prefix
                        ));
                    }
                    Err(StoreError::Missing(_)) => return Err(no_key(id)),
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(Done::Fully)
    }
}

/// Lists the keys of a workspace.
async fn list(app: &App, workspace: &Workspace, json: bool) -> anyhow::Result<()> {
    let keys = app.store.keys(workspace.id).await?;
    let names = SourceNames::of(&app.store.sources(workspace.id).await?);
    let source = |key: &ApiKey| key.source.map(|id| names.name(id));
    if json {
        let mut out = io::stdout().lock();
        for key in &keys {
            print_json(
                &mut out,
                &KeyJson {
                    id: key.id,
                    name: key.name.clone(),
                    source: source(key),
                    prefix: key.prefix.clone(),
                    created_at: rfc3339(key.created_at),
                    last_used_at: key.last_used_at.map(rfc3339),
                    revoked_at: key.revoked_at.map(rfc3339),
                    expires_at: key.expires_at.map(rfc3339),
                },
            )?;
        }
    } else {
        let zone = zone(&workspace.settings);
        let mut table = table(&["ID", "Name", "Source", "Begins with", "State", "Last used"]);
        for key in &keys {
            table.add_row([
                key.id.to_string(),
                plain(&key.name),
                source(key).unwrap_or_else(|| "all".to_owned()),
                format!("{}…", key.prefix),
                match (key.revoked_at, key.expires_at) {
                    (Some(time), _) => format!("revoked {}", show_time(time, &zone)),
                    (None, Some(time)) if key.is_valid(clock::now()) => {
                        format!("replaced, valid until {}", show_time(time, &zone))
                    }
                    (None, Some(_)) => "replaced".to_owned(),
                    (None, None) => "active".to_owned(),
                },
                key.last_used_at
                    .map_or_else(|| "never".to_owned(), |time| show_time(time, &zone)),
            ]);
        }
        print_table(&table)?;
    }
    Ok(())
}

fn no_key(id: u32) -> anyhow::Error {
    usage(format!(
        "there is no key {id}; see them with: rollbook key list"
    ))
}
