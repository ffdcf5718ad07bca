//! `rollbook key`: what other systems sign their calls with.

use std::io::{self, Write};

use clap::Subcommand;
use rollbook_store::StoreError;
use rollbook_store::sources::ApiKey;
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

/// Create, list and revoke API keys
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
            Keys::List { json } => {
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
                            },
                        )?;
                    }
                } else {
                    let zone = zone(&workspace.settings);
                    let mut table =
                        table(&["ID", "Name", "Source", "Begins with", "State", "Last used"]);
                    for key in &keys {
                        table.add_row([
                            key.id.to_string(),
                            plain(&key.name),
                            source(key).unwrap_or_else(|| "all".to_owned()),
                            format!("{}…", key.prefix),
                            match key.revoked_at {
                                Some(time) => format!("revoked {}", show_time(time, &zone)),
                                None => "active".to_owned(),
                            },
                            key.last_used_at
                                .map_or_else(|| "never".to_owned(), |time| show_time(time, &zone)),
                        ]);
                    }
                    print_table(&table)?;
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
                    Err(StoreError::Missing(_)) => {
                        return Err(usage(format!(
                            "there is no key {id}; see them with: rollbook key list"
                        )));
                    }
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(Done::Fully)
    }
}
