//! `rollbook source`: where records come from.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Subcommand, ValueEnum};
use rollbook_engine::mapping::Mapping;
use rollbook_engine::policy::Mode;
use rollbook_engine::schema::Schema;
use rollbook_store::sources::Source;
use rollbook_store::{StoreError, WorkspaceId};
use serde::Serialize;

use super::terminal::{plain, print_json, print_table, say, show_time, table, zone};
use super::{Done, usage};
use crate::access;
use crate::app::App;
use crate::audit::{Act, Actor};
use crate::config::Config;
use crate::wire::rfc3339;

/// List, add, pause and resume sources
///
/// A source is where records come from: `manual` for uploads, or another system that posts to its own address,
/// /api/v1/sources/NAME/contacts. It fixes the rules: in mode manual a failed value fails its row, in mode automatic
/// it is left out with a warning.
#[derive(Debug, Subcommand)]
pub(super) enum Sources {
    /// List the sources with what they delivered
    #[command(after_help = "\
Examples:
  rollbook source list
  rollbook source list --json")]
    List {
        /// Print one JSON object a line
        #[arg(long)]
        json: bool,
    },

    /// Add a source
    ///
    /// Prints its name. Make a key for it next: rollbook key create --source NAME
    #[command(after_help = "\
Examples:
  rollbook source add booking-desk
  rollbook source add mews --label \"Mews – Harbour Hotel\" --namespace mews --region DE
  rollbook source add clinic --mapping clinic-mapping.json

A mapping file is JSON: {\"columns\":[{\"column\":\"guest.mail\",\"field\":\"email\"},{\"column\":\"guest.tel\",\"field\":\"phone\"}]}
Without one the fields' keys and their usual names (firstName, mobile, dob …) are read.")]
    Add {
        /// Its name in addresses and on the command line: lower-case letters, digits, - and _
        name: String,
        /// What people read [default: the name]
        #[arg(long)]
        label: Option<String>,
        /// By which rules its records are judged
        #[arg(long, value_enum, default_value = "automatic")]
        mode: ModeFlag,
        /// The namespace of its External IDs
        #[arg(long, default_value = "default")]
        namespace: String,
        /// The region of phone numbers without a country code, for example DE [default: the workspace's]
        #[arg(long)]
        region: Option<String>,
        /// A JSON file that says which path of a record goes to which field
        #[arg(long, value_name = "FILE")]
        mapping: Option<PathBuf>,
    },

    /// Let a source refuse deliveries for now
    #[command(after_help = "\
Examples:
  rollbook source pause booking-desk")]
    Pause {
        /// The source
        name: String,
    },

    /// Let a paused source take deliveries again
    #[command(after_help = "\
Examples:
  rollbook source resume booking-desk")]
    Resume {
        /// The source
        name: String,
    },
}

/// The modes as flags.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum ModeFlag {
    /// A failed value fails its row
    Manual,
    /// A failed value is left out, with a warning
    Automatic,
}

impl From<ModeFlag> for Mode {
    fn from(mode: ModeFlag) -> Mode {
        match mode {
            ModeFlag::Manual => Mode::Manual,
            ModeFlag::Automatic => Mode::Automatic,
        }
    }
}

#[derive(Serialize)]
struct SourceJson<'a> {
    name: &'a str,
    label: &'a str,
    mode: Mode,
    namespace: &'a str,
    region: Option<&'a str>,
    paused: bool,
    created_at: String,
    last_received_at: Option<String>,
    success: u64,
    warning: u64,
    failure: u64,
}

impl Sources {
    /// Runs the command.
    pub(super) async fn run(self, config: Config) -> anyhow::Result<Done> {
        let app = App::open(config).await?;
        let workspace = app.workspace().await?;
        match self {
            Sources::List { json } => {
                let sources = app.store.sources(workspace.id).await?;
                if json {
                    list_json(&sources)?;
                } else {
                    let zone = zone(&workspace.settings);
                    let mut table = table(&[
                        "Name",
                        "Label",
                        "Mode",
                        "State",
                        "Success",
                        "Warning",
                        "Failure",
                        "Last received",
                    ]);
                    for source in &sources {
                        table.add_row([
                            source.settings.name.clone(),
                            plain(&source.settings.label),
                            mode_word(source.settings.mode).to_owned(),
                            if source.paused { "paused" } else { "active" }.to_owned(),
                            source.counts.success.to_string(),
                            source.counts.warning.to_string(),
                            source.counts.failure.to_string(),
                            source
                                .last_received_at
                                .map_or_else(|| "never".to_owned(), |time| show_time(time, &zone)),
                        ]);
                    }
                    print_table(&table)?;
                }
            }
            Sources::Add {
                name,
                label,
                mode,
                namespace,
                region,
                mapping,
            } => {
                let schema = app.schema(workspace.id).await?;
                let mapping = mapping
                    .as_deref()
                    .map(|path| read_mapping(path, &schema))
                    .transpose()?;
                let source = access::add_source(
                    &app,
                    workspace.id,
                    &name,
                    label.as_deref().unwrap_or_default(),
                    mode.into(),
                    &namespace,
                    region.as_deref().unwrap_or_default(),
                )
                .await
                .map_err(refused)?;
                if mapping.is_some() {
                    let mut settings = source.settings.clone();
                    settings.mapping = mapping;
                    app.store
                        .update_source(workspace.id, source.id, settings)
                        .await?;
                }
                app.audit(
                    workspace.id,
                    &Actor::command_line(),
                    Act::AddedSource,
                    &name,
                )
                .await?;
                writeln!(io::stdout(), "{name}")?;
                say(&format!(
                    "source `{name}` added; make a key for it with: rollbook key create --source {name}"
                ));
            }
            Sources::Pause { name } => set_paused(&app, workspace.id, &name, true).await?,
            Sources::Resume { name } => set_paused(&app, workspace.id, &name, false).await?,
        }
        Ok(Done::Fully)
    }
}

async fn set_paused(
    app: &App,
    workspace: WorkspaceId,
    name: &str,
    paused: bool,
) -> anyhow::Result<()> {
    let source = find_source(app, workspace, name).await?;
    app.store
        .set_source_paused(workspace, source.id, paused)
        .await?;
    let about = format!("{name}, {}", if paused { "paused" } else { "resumed" });
    app.audit(
        workspace,
        &Actor::command_line(),
        Act::ChangedSource,
        &about,
    )
    .await?;
    let told = if paused {
        "is paused: its deliveries are refused until you resume it"
    } else {
        "takes deliveries"
    };
    say(&format!("source `{name}` {told}"));
    Ok(())
}

/// The source with a name; if there is none, an error that lists those there are.
pub(super) async fn find_source(
    app: &App,
    workspace: WorkspaceId,
    name: &str,
) -> anyhow::Result<Source> {
    if let Some(source) = app.store.source(workspace, name).await? {
        return Ok(source);
    }
    let sources = app.store.sources(workspace).await?;
    let names: Vec<String> = sources
        .iter()
        .map(|source| format!("`{}`", source.settings.name))
        .collect();
    Err(usage(format!(
        "there is no source `{name}`; use one of {}, or add it with: rollbook source add {name}",
        names.join(", ")
    )))
}

/// Reads a mapping and checks that its fields exist.
fn read_mapping(path: &Path, schema: &Schema) -> anyhow::Result<String> {
    let name = path.display();
    let text = std::fs::read_to_string(path).with_context(|| format!("`{name}` cannot be read"))?;
    let mapping: Mapping = serde_json::from_str(&text)
        .map_err(|error| usage(format!("`{name}` is not a mapping: {error}")))?;
    let unknown = mapping
        .columns
        .iter()
        .filter_map(|column| column.field.as_deref())
        .find(|field| schema.by_key(field).is_none());
    if let Some(field) = unknown {
        let known: Vec<&str> = schema
            .fields()
            .iter()
            .map(|field| field.key.as_str())
            .collect();
        return Err(usage(format!(
            "`{name}` maps to `{field}`, which is not a field; use one of {}",
            known.join(", ")
        )));
    }
    Ok(serde_json::to_string(&mapping)?)
}

/// What the person can mend is a matter of arguments.
pub(super) fn refused(error: access::SourceError) -> anyhow::Error {
    match error {
        access::SourceError::Store(StoreError::Exists(_))
        | access::SourceError::Name(_)
        | access::SourceError::Region(_) => usage(error.to_string()),
        access::SourceError::Store(error) => error.into(),
    }
}

fn mode_word(mode: Mode) -> &'static str {
    match mode {
        Mode::Manual => "manual",
        Mode::Automatic => "automatic",
    }
}

fn list_json(sources: &[Source]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    for source in sources {
        let settings = &source.settings;
        print_json(
            &mut out,
            &SourceJson {
                name: &settings.name,
                label: &settings.label,
                mode: settings.mode,
                namespace: &settings.namespace,
                region: settings.region.as_deref(),
                paused: source.paused,
                created_at: rfc3339(source.created_at),
                last_received_at: source.last_received_at.map(rfc3339),
                success: source.counts.success,
                warning: source.counts.warning,
                failure: source.counts.failure,
            },
        )?;
    }
    out.flush()
}
