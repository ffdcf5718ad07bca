//! `rollbook undo`: take back what an import did.

use std::io::{self, Write};
use std::time::Instant;

use anyhow::Context;
use clap::Args;
use rollbook_store::StoreError;
use rollbook_store::imports::{Import, ImportId, ImportState};
use rollbook_store::log::{LogFilter, Paging};
use serde::Serialize;
use uuid::Uuid;

use super::import::{Progress, finish};
use super::terminal::{plain, print_json, say};
use super::{Done, usage};
use crate::app::App;
use crate::audit::{Act, Actor};
use crate::config::Config;
use crate::http::api::undo::UndoPreviewJson;
use crate::imports::undo;

/// Kept values that a report shows.
const SHOWN: usize = 10;

/// Take back what an import did, or see with --dry-run what that would do
///
/// Contacts that the import created are removed and fields that it changed are restored, except where something changed
/// since: that is kept and listed with the reason. The undo is an import of its own, with an attempt in the log for each
/// record that it takes back. It is committed in batches: a killed undo goes on where it stopped when the same command
/// is run again (or `serve` runs). Ctrl-C stops at the end of a batch.
///
/// With --json one object is printed: `{"import_id","undoes","records","updated","removed","warnings","failed",
/// "seconds"}`. `updated` counts restored records, `warnings` counts within it those of which something was kept,
/// `failed` those of which everything was kept; updated + removed + failed = records. A dry run prints what
/// `GET /api/v1/imports/{id}/undo` answers.
///
/// Exit code 3 says that something was kept.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  rollbook undo 019aad5e-5b60-7001-8000-000000000001 --dry-run
  rollbook undo 019aad5e-5b60-7001-8000-000000000001")]
pub(super) struct Undo {
    /// The import's id, as `rollbook import` printed it or its page's address has it
    #[arg(value_name = "IMPORT")]
    import: String,

    /// Write nothing; tell what would happen
    #[arg(long)]
    dry_run: bool,

    /// Print the summary as one JSON object
    #[arg(long)]
    json: bool,
}

/// What `--json` prints.
#[derive(Serialize)]
struct SummaryJson {
    import_id: String,
    undoes: String,
    records: u64,
    updated: u64,
    removed: u64,
    warnings: u64,
    failed: u64,
    seconds: f64,
}

impl Undo {
    /// Undoes the import, or previews that.
    pub(super) async fn run(self, config: Config) -> anyhow::Result<Done> {
        let begun = Instant::now();
        let id: Uuid = self.import.trim().parse().map_err(|_| {
            usage(format!(
                "`{}` is not an import's id; `rollbook log --format json` shows them as `import_id`",
                plain(&self.import)
            ))
        })?;
        let app = App::open(config).await?;
        let workspace = app.workspace().await?.id;
        let import = app.store.import(workspace, ImportId(id)).await?;
        let import = import.with_context(|| format!("there is no import {id}"))?;
        if self.dry_run {
            return self.dry_run(&app, &import).await;
        }
        let undo = if let Some(undo) = unfinished(&app, &import).await? {
            say(&format!(
                "resuming undo {} after {} records",
                undo.id, undo.cursor
            ));
            undo
        } else {
            let about = format!("import {}, {}", import.id, import.file_name);
            app.audit(import.workspace, &Actor::command_line(), Act::Undid, &about)
                .await?;
            undo::start(&app, &import, "command line").await?
        };
        let progress = Progress::start();
        let undo = finish(&app, undo, &progress).await?;
        progress.end();
        let totals = undo.totals;
        if undo.state == ImportState::Failed {
            anyhow::bail!(
                "undo {} stopped after {} records: {}",
                undo.id,
                totals.records,
                undo.error.as_deref().unwrap_or("the reason is not known")
            );
        }
        let seconds = begun.elapsed().as_secs_f64();
        if self.json {
            let mut out = io::stdout().lock();
            let summary = SummaryJson {
                import_id: undo.id.to_string(),
                undoes: import.id.to_string(),
                records: totals.records,
                updated: totals.updated,
                removed: totals.removed,
                warnings: totals.warnings,
                failed: totals.failed,
                seconds: (seconds * 1000.0).round() / 1000.0,
            };
            print_json(&mut out, &summary)?;
            out.flush()?;
        } else {
            report(&app, &undo, seconds).await?;
        }
        if undo.state == ImportState::Cancelled {
            say(&format!(
                "the undo was cancelled after {} records; what was taken back stays so, and the same command goes on",
                totals.records
            ));
            return Ok(Done::Stopped);
        }
        Ok(done(totals.warnings + totals.failed))
    }

    async fn dry_run(&self, app: &App, import: &Import) -> anyhow::Result<Done> {
        let preview = undo::preview(app, import).await?;
        let kept = preview.failed + preview.warnings;
        let mut out = io::stdout().lock();
        if self.json {
            print_json(
                &mut out,
                &UndoPreviewJson::of(import.id.to_string(), preview),
            )?;
        } else {
            writeln!(out, "Nothing was written: this is what would happen.\n")?;
            writeln!(out, "  contacts removed   {:>9}", preview.removed)?;
            writeln!(
                out,
                "  contacts restored  {:>9}  ({} values)",
                preview.restored, preview.fields
            )?;
            writeln!(
                out,
                "  records kept       {:>9}  (and {} in part)",
                preview.failed, preview.warnings
            )?;
            let lines = preview.kept.iter().map(|kept| {
                let messages = kept.issues.iter().map(|issue| issue.message.as_str());
                line(kept.row, kept.name.as_deref(), messages)
            });
            print_kept(&mut out, lines, kept)?;
        }
        out.flush()?;
        Ok(done(kept))
    }
}

/// The undo of an import that waits or runs.
async fn unfinished(app: &App, import: &Import) -> Result<Option<Import>, StoreError> {
    let Some(undo) = import.undone_by else {
        return Ok(None);
    };
    let undo = app.store.import(import.workspace, undo).await?;
    Ok(undo.filter(|undo| !undo.state.is_over()))
}

async fn report(app: &App, undo: &Import, seconds: f64) -> anyhow::Result<()> {
    let totals = undo.totals;
    let kept = totals.failed + totals.warnings;
    let mut lines = Vec::new();
    if kept > 0 {
        let filter = LogFilter {
            import: Some(undo.id),
            ..LogFilter::default()
        };
        let mut paging = Paging::After(0);
        while lines.len() < SHOWN {
            let page = app
                .store
                .page(undo.workspace, filter.clone(), paging, 1_000)
                .await?;
            for attempt in page.attempts.iter().filter(|own| !own.issues.is_empty()) {
                let messages = attempt.issues.iter().map(|issue| issue.message.as_str());
                lines.push(line(attempt.row, attempt.shown.name.as_deref(), messages));
            }
            match page.attempts.last() {
                Some(last) if page.more => paging = Paging::After(last.id.number()),
                _ => break,
            }
        }
    }
    let mut out = io::stdout().lock();
    writeln!(
        out,
        "Undo of `{}` in {seconds:.1} s\n",
        plain(&undo.file_name)
    )?;
    writeln!(out, "  records   {:>9}", totals.records)?;
    writeln!(out, "  removed   {:>9}", totals.removed)?;
    writeln!(out, "  restored  {:>9}", totals.updated)?;
    writeln!(
        out,
        "  kept      {:>9}  (and {} in part)",
        totals.failed, totals.warnings
    )?;
    print_kept(&mut out, lines.into_iter(), kept)?;
    writeln!(out, "\nSee each record: rollbook log --import {}", undo.id)?;
    Ok(())
}

/// What is kept of one record, in a line.
fn line<'a>(
    row: Option<u64>,
    name: Option<&str>,
    messages: impl Iterator<Item = &'a str>,
) -> String {
    let row = row.map_or_else(String::new, |row| format!("row {row}"));
    let name = name.map_or_else(String::new, |name| format!(" ({name})"));
    let messages: Vec<&str> = messages.collect();
    plain(&format!("{row}{name}: {}", messages.join(" ")))
}

fn print_kept(
    out: &mut impl Write,
    lines: impl Iterator<Item = String>,
    all: u64,
) -> io::Result<()> {
    let lines: Vec<String> = lines.take(SHOWN).collect();
    if lines.is_empty() {
        return Ok(());
    }
    writeln!(out, "\nKept:")?;
    for line in &lines {
        writeln!(out, "  {line}")?;
    }
    match all.saturating_sub(lines.len() as u64) {
        0 => Ok(()),
        more => writeln!(out, "  … and {more} more"),
    }
}

fn done(kept: u64) -> Done {
    if kept == 0 {
        Done::Fully
    } else {
        Done::WithFailedRows
    }
}
