//! `rollbook privacy`: for how long things are kept, and who was erased.

use std::io::{self, Write};
use std::time::Duration;

use clap::Subcommand;
use rollbook_engine::contact::ContactId;
use rollbook_store::{StoreError, WorkspaceId};

use super::terminal::{print_json, print_table, say, show_time, table, zone};
use super::{Done, usage};
use crate::app::App;
use crate::audit::{Act, Actor};
use crate::clock;
use crate::config::Config;
use crate::jobs::sweep;
use crate::privacy::{erase, person};
use crate::wire::privacy::{ErasureJson, ErasurePreviewJson, MAX_DAYS, RetentionJson};

/// Set for how long things are kept; list and lift erasures
#[derive(Debug, Subcommand)]
pub(super) enum Privacy {
    /// Show for how long payloads, attempts and files are kept
    #[command(after_help = "\
Examples:
  rollbook privacy show
  rollbook privacy show --json")]
    Show {
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },

    /// Set for how long payloads, attempts and files are kept
    ///
    /// What is not named stays as it is. `rollbook serve` drops what is older, and `rollbook privacy sweep` does at once.
    #[command(after_help = "\
Examples:
  rollbook privacy set --payloads 90 --uploads 30
  rollbook privacy set --attempts forever")]
    Set {
        /// Days for what was sent, or `forever`
        #[arg(long, value_name = "DAYS", value_parser = days)]
        payloads: Option<Days>,
        /// Days for the rows of the log, or `forever`
        #[arg(long, value_name = "DAYS", value_parser = days)]
        attempts: Option<Days>,
        /// Days for uploaded files, or `forever`
        #[arg(long, value_name = "DAYS", value_parser = days)]
        uploads: Option<Days>,
    },

    /// Drop what is past its retention now, in all workspaces
    #[command(after_help = "\
Examples:
  rollbook privacy sweep")]
    Sweep,

    /// List erasures, newest first
    #[command(after_help = "\
Examples:
  rollbook privacy erasures
  rollbook privacy erasures --json")]
    Erasures {
        /// Print one JSON object a line
        #[arg(long)]
        json: bool,
    },

    /// Let records bring a person back who was erased
    #[command(after_help = "\
Examples:
  rollbook privacy lift 3")]
    Lift {
        /// The erasure's number, as `rollbook privacy erasures` shows it
        number: u64,
    },

    /// Pack the database anew, so that nothing of what was erased is left in pages that nobody uses
    ///
    /// An erasure does so by itself for databases of up to 256 MB. Nobody can write meanwhile.
    #[command(after_help = "\
Examples:
  rollbook privacy pack")]
    Pack,
}

/// Days, or for ever.
#[derive(Debug, Clone, Copy)]
pub(super) struct Days(Option<u32>);

fn days(text: &str) -> Result<Days, String> {
    if text == "forever" {
        return Ok(Days(None));
    }
    match text.parse() {
        Ok(days) if (1..=MAX_DAYS).contains(&days) => Ok(Days(Some(days))),
        _ => Err(format!(
            "use a number of days from 1 to {MAX_DAYS}, or `forever`"
        )),
    }
}

impl Privacy {
    /// Runs the command.
    pub(super) async fn run(self, config: Config) -> anyhow::Result<Done> {
        let app = App::open(config).await?;
        match self {
            Privacy::Show { json } => {
                let workspace = app.workspace().await?;
                let retained = app.store.retention(workspace.id).await?;
                let mut out = io::stdout().lock();
                if json {
                    print_json(&mut out, &RetentionJson::of(&retained))?;
                } else {
                    let settings = retained.settings;
                    for (what, days) in [
                        ("payloads", settings.payload_days),
                        ("attempts", settings.attempt_days),
                        ("files", settings.file_days),
                    ] {
                        match days {
                            Some(days) => writeln!(out, "{what:<9} {days} days")?,
                            None => writeln!(out, "{what:<9} for ever")?,
                        }
                    }
                }
            }
            Privacy::Set {
                payloads,
                attempts,
                uploads,
            } => {
                let workspace = app.workspace().await?.id;
                let mut settings = app.store.retention(workspace).await?.settings;
                for (said, setting) in [
                    (payloads, &mut settings.payload_days),
                    (attempts, &mut settings.attempt_days),
                    (uploads, &mut settings.file_days),
                ] {
                    if let Some(Days(days)) = said {
                        *setting = days;
                    }
                }
                app.store.set_retention(workspace, settings).await?;
                let actor = Actor::command_line();
                app.audit(workspace, &actor, Act::ChangedSetting, "retention")
                    .await?;
                say("saved");
            }
            Privacy::Sweep => {
                let swept = sweep::sweep(&app, clock::now()).await?;
                say(&format!(
                    "dropped {} payloads, {} attempts, {} files, {} expired keys, sessions and links",
                    swept.payloads, swept.attempts, swept.files, swept.others
                ));
            }
            Privacy::Erasures { json } => {
                let workspace = app.workspace().await?;
                list(&app, workspace.id, json, &zone(&workspace.settings)).await?;
            }
            Privacy::Lift { number } => {
                let workspace = app.workspace().await?.id;
                let lifted = erase::lift(&app, workspace, number, &Actor::command_line()).await;
                match lifted {
                    Err(StoreError::Missing(_)) => {
                        return Err(usage(format!(
                            "there is no erasure {number}; list them with: rollbook privacy erasures"
                        )));
                    }
                    lifted => drop(lifted?),
                }
                say("lifted; records may bring this person back");
            }
            Privacy::Pack => {
                app.store.wipe(u64::MAX).await?;
                say("packed");
            }
        }
        Ok(Done::Fully)
    }
}

async fn list(
    app: &App,
    workspace: WorkspaceId,
    json: bool,
    zone: &jiff::tz::TimeZone,
) -> anyhow::Result<()> {
    let mut table = table(&[
        "No.", "Contact", "Erased", "By", "Attempts", "Files", "Lifted",
    ]);
    let mut before = None;
    loop {
        let page = app.store.erasures(workspace, before, 500).await?;
        let Some(last) = page.last() else { break };
        before = Some(last.number);
        for erasure in &page {
            if json {
                print_json(&mut io::stdout().lock(), &ErasureJson::of(erasure))?;
                continue;
            }
            table.add_row([
                erasure.number.to_string(),
                erasure.contact.to_string(),
                show_time(erasure.asked_at, zone),
                erasure.asked_by.clone(),
                erasure.attempts.to_string(),
                (erasure.files_rewritten + erasure.files_deleted).to_string(),
                erasure
                    .lifted_at
                    .map(|at| show_time(at, zone))
                    .unwrap_or_default(),
            ]);
        }
    }
    if json {
        return Ok(());
    }
    if before.is_none() {
        say("nobody was erased");
    } else {
        print_table(&table)?;
    }
    Ok(())
}

/// Erases a person and waits until everything was found.
pub(super) async fn erase_person(
    app: &App,
    workspace: WorkspaceId,
    id: u64,
    (yes, dry_run, json): (bool, bool, bool),
) -> anyhow::Result<()> {
    let contact = ContactId(id);
    let unknown = || {
        usage(format!(
            "there is no contact {id}; find it with: rollbook contacts list --search NAME"
        ))
    };
    let before = app.store.erasure_of(workspace, contact).await?;
    if before.is_none() {
        let preview = erase::preview(app, workspace, contact).await?;
        let preview = preview.ok_or_else(unknown)?;
        if dry_run && json {
            print_json(&mut io::stdout().lock(), &ErasurePreviewJson::of(&preview))?;
            return Ok(());
        }
        say(&format!(
            "contact {id}, {} attempts, rows of {} files; {} identifiers could not come back",
            preview.attempts, preview.files, preview.identifiers
        ));
        if dry_run {
            return Ok(());
        }
        if !yes {
            return Err(usage(format!(
                "this cannot be taken back; if you are sure: rollbook contacts erase {id} --yes"
            )));
        }
    }
    let begun = erase::begin(app, workspace, contact, &Actor::command_line()).await?;
    let number = begun.number;
    let erasure = loop {
        let only = Some((workspace, number));
        let now = clock::now();
        if let Some((erasure, traces)) = app
            .store
            .claim_erasure(only, now, erase::LEASE_MILLIS)
            .await?
        {
            break erase::finish(app, &erasure, &traces).await?;
        }
        // `serve` may be at it, or was.
        if let Some(erasure) = app.store.erasure(workspace, number).await?
            && erasure.finished_at.is_some()
        {
            break erasure;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    if json {
        print_json(&mut io::stdout().lock(), &ErasureJson::of(&erasure))?;
    } else {
        say(&format!(
            "erased: {} attempts, {} files rewritten, {} files deleted (erasure {number})",
            erasure.attempts, erasure.files_rewritten, erasure.files_deleted
        ));
    }
    Ok(())
}

/// Prints everything that is kept about a person.
pub(super) async fn export_person(
    app: &App,
    workspace: WorkspaceId,
    id: u64,
) -> anyhow::Result<()> {
    let actor = Actor::command_line();
    let person = person::export(app, workspace, ContactId(id), &actor, clock::now()).await?;
    let person = person.ok_or_else(|| {
        usage(format!(
            "there is no contact {id}; find it with: rollbook contacts list --search NAME"
        ))
    })?;
    let mut out = io::stdout().lock();
    serde_json::to_writer_pretty(&mut out, &person)?;
    writeln!(out)?;
    Ok(())
}
