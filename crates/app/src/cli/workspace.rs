//! `rollbook workspace`: the workspaces of an installation, and the settings that all sources of one share.

use std::io::{self, Write};

use clap::Subcommand;
use jiff::tz::TimeZone;
use rollbook_engine::field::date::DateOrder;
use rollbook_store::StoreError;
use rollbook_store::workspaces::WorkspaceSettings;

use super::terminal::{plain, print_json, print_table, say, table};
use super::{Done, usage};
use crate::access;
use crate::app::{App, workspace_named};
use crate::audit::{Act, Actor};
use crate::clock;
use crate::config::Config;

/// Add and list workspaces, show and change their settings
///
/// Each workspace has its own contacts, sources, keys, people and log; nothing crosses.
#[derive(Debug, Subcommand)]
pub(super) enum Workspace {
    /// Add a workspace
    ///
    /// Nobody belongs to it yet: add its first administrator with `rollbook user add`.
    #[command(after_help = "\
Examples:
  rollbook workspace add \"Harbour Clinic\" --region DE --time-zone Europe/Berlin
  rollbook user add anna@example.com --role admin --workspace \"Harbour Clinic\"")]
    Add {
        /// What people call it
        #[arg(value_name = "NAME")]
        new_name: String,
        /// Its IANA time zone, for example Europe/Berlin [default: UTC]
        #[arg(long, value_name = "ZONE")]
        time_zone: Option<String>,
        /// The region of phone numbers without a country code, for example DE
        #[arg(long, value_name = "CODE")]
        region: Option<String>,
        /// The order of day, month and year where a column leaves it open: dmy, mdy, ymd
        #[arg(long, value_name = "ORDER")]
        date_order: Option<String>,
    },

    /// List the workspaces
    #[command(after_help = "\
Examples:
  rollbook workspace list
  rollbook workspace list --json")]
    List {
        /// Print one JSON object a line
        #[arg(long)]
        json: bool,
    },

    /// Show the settings
    #[command(after_help = "\
Examples:
  rollbook workspace show
  rollbook workspace show --json")]
    Show {
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },

    /// Change settings; what is not named stays
    #[command(after_help = "\
Examples:
  rollbook workspace set --name \"Harbour Hotels\" --time-zone Europe/Berlin
  rollbook workspace set --region DE --date-order dmy
  rollbook workspace set --region \"\"            no default region")]
    Set {
        /// What people call it
        #[arg(long)]
        name: Option<String>,
        /// Its IANA time zone, for example Europe/Berlin
        #[arg(long, value_name = "ZONE")]
        time_zone: Option<String>,
        /// The region of phone numbers without a country code, for example DE; empty for none
        #[arg(long, value_name = "CODE")]
        region: Option<String>,
        /// The order of day, month and year where a column leaves it open: dmy, mdy, ymd; empty for none
        #[arg(long, value_name = "ORDER")]
        date_order: Option<String>,
    },
}

impl Workspace {
    /// Runs the command.
    pub(super) async fn run(self, config: Config) -> anyhow::Result<Done> {
        let app = App::open(config).await?;
        match self {
            Workspace::Add {
                new_name,
                time_zone,
                region,
                date_order,
            } => {
                let mut settings = workspace_named(&checked_name(&new_name)?);
                change(&mut settings, time_zone, region, date_order)?;
                let made = app.store.add_workspace(settings, clock::now()).await;
                let made = made.map_err(refused)?;
                let name = &made.settings.name;
                say(&format!(
                    "`{0}` is there; add its first administrator: rollbook user add EMAIL --role admin --workspace \"{0}\"",
                    plain(name)
                ));
            }
            Workspace::List { json } => {
                let workspaces = app.store.workspaces().await?;
                if json {
                    let mut out = io::stdout().lock();
                    for workspace in &workspaces {
                        print_json(&mut out, &workspace.settings)?;
                    }
                } else {
                    let mut table = table(&["Name", "Time zone", "Region"]);
                    for workspace in &workspaces {
                        let settings = &workspace.settings;
                        table.add_row([
                            plain(&settings.name),
                            settings.time_zone.clone(),
                            settings.region.clone().unwrap_or_default(),
                        ]);
                    }
                    print_table(&table)?;
                }
            }
            Workspace::Show { json } => {
                let settings = app.workspace().await?.settings;
                let mut out = io::stdout().lock();
                if json {
                    print_json(&mut out, &settings)?;
                } else {
                    show(&mut out, &settings)?;
                }
                out.flush()?;
            }
            Workspace::Set {
                name,
                time_zone,
                region,
                date_order,
            } => {
                if name.is_none() && time_zone.is_none() && region.is_none() && date_order.is_none()
                {
                    return Err(usage(
                        "nothing to change; name a setting, for example --time-zone Europe/Berlin",
                    ));
                }
                let workspace = app.workspace().await?;
                let mut settings = workspace.settings;
                if let Some(name) = name {
                    settings.name = checked_name(&name)?;
                }
                change(&mut settings, time_zone, region, date_order)?;
                app.store
                    .set_workspace_settings(workspace.id, settings)
                    .await
                    .map_err(refused)?;
                app.audit(
                    workspace.id,
                    &Actor::command_line(),
                    Act::ChangedSetting,
                    "workspace",
                )
                .await?;
                say("the settings are changed; what was imported stays as it is");
            }
        }
        Ok(Done::Fully)
    }
}

/// Changes what is given.
fn change(
    settings: &mut WorkspaceSettings,
    time_zone: Option<String>,
    region: Option<String>,
    date_order: Option<String>,
) -> anyhow::Result<()> {
    if let Some(zone) = time_zone {
        settings.time_zone = checked_zone(&zone)?;
    }
    if let Some(region) = region {
        settings.region =
            access::checked_region(&region).map_err(|error| usage(error.to_string()))?;
    }
    if let Some(order) = date_order {
        settings.date_order = checked_order(&order)?;
    }
    Ok(())
}

fn refused(error: StoreError) -> anyhow::Error {
    match error {
        StoreError::Exists(_) => usage(format!(
            "{error}; see which there are with: rollbook workspace list"
        )),
        other => other.into(),
    }
}

fn show(out: &mut impl Write, settings: &WorkspaceSettings) -> io::Result<()> {
    let or_none = |text: &Option<String>| text.clone().unwrap_or_else(|| "none".to_owned());
    writeln!(out, "name        {}", plain(&settings.name))?;
    writeln!(out, "time zone   {}", settings.time_zone)?;
    writeln!(out, "region      {}", or_none(&settings.region))?;
    writeln!(out, "date order  {}", or_none(&settings.date_order))
}

fn checked_name(name: &str) -> anyhow::Result<String> {
    let name = name.trim();
    if name.is_empty() {
        return Err(usage("a workspace needs a name"));
    }
    Ok(name.to_owned())
}

fn checked_zone(zone: &str) -> anyhow::Result<String> {
    TimeZone::get(zone)
        .ok()
        .and_then(|zone| zone.iana_name().map(str::to_owned))
        .ok_or_else(|| {
            usage(format!(
                "`{zone}` is not a time zone; use an IANA name such as Europe/Berlin or America/New_York"
            ))
        })
}

fn checked_order(order: &str) -> anyhow::Result<Option<String>> {
    if order.is_empty() {
        return Ok(None);
    }
    let parsed: DateOrder = order.parse().map_err(|_| {
        usage(format!(
            "`{order}` is not a date order; use dmy, mdy or ymd"
        ))
    })?;
    Ok(Some(parsed.code().to_ascii_lowercase()))
}
