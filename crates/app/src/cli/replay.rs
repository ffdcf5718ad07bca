//! `rollbook replay`: records of the log once more.

use std::io::{self, IsTerminal, Read, Write};
use std::path::PathBuf;
use std::time::Instant;

use anyhow::Context;
use clap::Args;
use rollbook_engine::attempt::{Action, ImportResult, Totals};
use rollbook_engine::mapping::Mapping;
use rollbook_store::WorkspaceId;
use rollbook_store::imports::{Import, ImportState};
use rollbook_store::log::{Attempt, AttemptId};
use serde::Serialize;

use super::import::{MapFlag, Progress, done, finish, open, parse_map, print_totals};
use super::log::FilterFlags;
use super::terminal::{plain, print_json, say, zone};
use super::{Done, usage};
use crate::app::App;
use crate::audit::{Act, Actor};
use crate::config::Config;
use crate::imports::replay::all::{self, Found, Wish};
use crate::imports::replay::{self, Edit, ReplayError, judge};
use crate::wire::{AttemptJson, SourceNames};

/// Replay records of the log: one attempt, or all that a filter finds
///
/// A record is read again under the rules that its source has now, and what comes of it is a new attempt that links to
/// the old one; the old one stays as it is. One attempt can be replayed with another payload. With --map, columns (or
/// paths of JSON) go to other fields; those that are not named go where they went.
///
/// With a filter, which is that of `rollbook log`, the records are counted first; on a terminal you are asked, elsewhere
/// --yes is needed. Attempts that were replayed before are left out, because the replay stands for them, unless --again.
/// They run as imports, one a source: see each record with `rollbook log --import ID`.
///
/// With --json, one attempt prints the new attempt; a filter prints
/// `{"imports","records","created","updated","unchanged","warnings","failed","left_out","seconds"}`. A dry run writes
/// nothing, prints the same counts and adds `"dry_run":true`. Exit code 3 says that some records failed again.
#[derive(Debug, Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command line"
)]
#[command(after_help = "\
Examples:
  rollbook replay 019aad5e-5b60-7001-8000-000000000001
  rollbook replay 019aad5e-5b60-7001-8000-000000000001 --payload corrected.json
  rollbook replay --import 019aad5e-5b60-7001-8000-000000000001 --result failure --dry-run
  rollbook replay --source front-desk --result failure --since 24h --yes
  rollbook replay --import 019aad5e-5b60-7001-8000-000000000001 --map \"Mobile=phone\" --yes --json")]
pub(super) struct Replay {
    /// The attempt; its ID is what the log shows
    #[arg(conflicts_with = "FilterFlags")]
    attempt: Option<String>,

    /// Read this file instead of what was sent; `-` reads standard input
    #[arg(long, value_name = "FILE", requires = "attempt")]
    payload: Option<PathBuf>,

    /// Map a column or path to a field this time (repeat it); `Header=` leaves the column out
    #[arg(long, value_name = "HEADER=FIELD", value_parser = parse_map)]
    map: Vec<MapFlag>,

    #[command(flatten)]
    filter: FilterFlags,

    /// Replay also what was replayed before
    #[arg(long, conflicts_with = "attempt")]
    again: bool,

    /// Write nothing; tell what would happen
    #[arg(long)]
    dry_run: bool,

    /// Do not ask
    #[arg(long)]
    yes: bool,

    /// Print the outcome as one JSON object
    #[arg(long)]
    json: bool,
}

/// What `--json` prints of a filter, or of a dry run.
#[derive(Serialize)]
struct SummaryJson {
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    dry_run: bool,
    imports: Vec<String>,
    records: u64,
    created: u64,
    updated: u64,
    unchanged: u64,
    warnings: u64,
    failed: u64,
    left_out: u64,
    seconds: f64,
}

impl Replay {
    /// Replays, or tells what would happen.
    pub(super) async fn run(self, config: Config) -> anyhow::Result<Done> {
        if self.attempt.is_none() && !self.filter.is_given() {
            return Err(usage(
                "say what to replay: the ID of an attempt, or a filter such as --import ID --result failure",
            ));
        }
        let begun = Instant::now();
        let app = App::open(config).await?;
        let workspace = app.workspace().await?;
        if let Some(id) = &self.attempt {
            return self.one(&app, workspace.id, id, begun).await;
        }
        let zone = zone(&workspace.settings);
        let wish = Wish {
            filter: self.filter.filter(&app, workspace.id, &zone).await?,
            mapping: self.mapping(),
            again: self.again,
        };
        self.all(&app, workspace.id, &wish, begun).await
    }

    async fn one(
        &self,
        app: &App,
        workspace: WorkspaceId,
        id: &str,
        begun: Instant,
    ) -> anyhow::Result<Done> {
        let unknown = || {
            usage(format!(
                "there is no attempt `{id}`; take its ID from: rollbook log --format json"
            ))
        };
        let attempt = AttemptId(id.parse().map_err(|_| unknown())?);
        let found = app.store.attempt(workspace, attempt).await?;
        let (attempt, payload) = found.ok_or_else(unknown)?;
        let edit = Edit {
            payload: self.payload()?,
            mapping: self.mapping(),
        };
        let ready = replay::read(app, workspace, &attempt, payload, edit)
            .await
            .map_err(told)?;
        if self.dry_run {
            let plan = judge::one(app, ready).await?;
            let totals = plan.totals();
            self.print_dry_run(&totals, 0, begun)?;
            if !self.json {
                for issue in plan.steps.iter().flat_map(|step| &step.issues) {
                    say(&format!("  {}", plain(&issue.message)));
                }
            }
            return Ok(done(&totals));
        }
        let about = format!("attempt {}", attempt.id);
        app.audit(workspace, &Actor::command_line(), Act::Replayed, &about)
            .await?;
        let attempt = replay::commit(app, ready).await?;
        let failed = attempt.result == ImportResult::Failure;
        let mut out = io::stdout().lock();
        if self.json {
            let sources = SourceNames::of(&app.store.sources(workspace).await?);
            print_json(&mut out, &AttemptJson::of(attempt, &sources))?;
        } else {
            print_attempt(&mut out, &attempt)?;
        }
        out.flush()?;
        Ok(if failed {
            Done::WithFailedRows
        } else {
            Done::Fully
        })
    }

    async fn all(
        &self,
        app: &App,
        workspace: WorkspaceId,
        wish: &Wish,
        begun: Instant,
    ) -> anyhow::Result<Done> {
        let found = all::count(app, workspace, wish).await.map_err(told)?;
        say_found(&found);
        let left_out: u64 = found.left_out().values().sum();
        if self.dry_run {
            let totals = judge::all(app, wish, &found).await.map_err(told)?;
            self.print_dry_run(&totals, left_out, begun)?;
            return Ok(done(&totals));
        }
        if found.records() > 0 && !self.yes && !agreed()? {
            say("nothing was replayed");
            return Ok(Done::Stopped);
        }
        let imports = all::create(app, workspace, wish, &found, "command line")
            .await
            .map_err(told)?;
        let about = format!("{} attempts", found.records());
        app.audit(workspace, &Actor::command_line(), Act::Replayed, &about)
            .await?;
        let mut ended = Vec::with_capacity(imports.len());
        for import in imports {
            let progress = Progress::start();
            ended.push(finish(app, import, &progress).await?);
            progress.end();
        }
        self.report(&ended, left_out, begun)
    }

    fn report(&self, imports: &[Import], left_out: u64, begun: Instant) -> anyhow::Result<Done> {
        let mut totals = Totals::default();
        for import in imports {
            totals.add(&import.totals);
        }
        let mut out = io::stdout().lock();
        if self.json {
            let ids = imports.iter().map(|import| import.id.to_string());
            let summary = summary(ids.collect(), &totals, left_out, begun);
            print_json(&mut out, &summary)?;
        } else {
            print_totals(&mut out, &totals)?;
            writeln!(out)?;
            for import in imports {
                writeln!(out, "See each record: rollbook log --import {}", import.id)?;
            }
        }
        out.flush()?;
        let failed = imports
            .iter()
            .find(|import| import.state == ImportState::Failed);
        if let Some(import) = failed {
            anyhow::bail!(
                "import {} stopped after {} records: {}",
                import.id,
                import.totals.records,
                import.error.as_deref().unwrap_or("the reason is not known")
            );
        }
        let cancelled = |import: &Import| import.state == ImportState::Cancelled;
        if imports.iter().any(cancelled) {
            say("the replay was cancelled; what was written stays");
            return Ok(Done::Stopped);
        }
        Ok(done(&totals))
    }

    fn print_dry_run(&self, totals: &Totals, left_out: u64, begun: Instant) -> io::Result<()> {
        let mut out = io::stdout().lock();
        if self.json {
            let summary = SummaryJson {
                dry_run: true,
                ..summary(Vec::new(), totals, left_out, begun)
            };
            print_json(&mut out, &summary)?;
        } else {
            writeln!(out, "Nothing was written: this is what would happen.\n")?;
            print_totals(&mut out, totals)?;
        }
        out.flush()
    }

    fn payload(&self) -> anyhow::Result<Option<String>> {
        let Some(path) = &self.payload else {
            return Ok(None);
        };
        let mut text = String::new();
        open(path)?
            .read_to_string(&mut text)
            .with_context(|| format!("`{}` cannot be read as UTF-8 text", path.display()))?;
        // The line end of a file's last line belongs to the file.
        let record = text.strip_suffix('\n').unwrap_or(&text);
        let record = record.strip_suffix('\r').unwrap_or(record);
        Ok(Some(record.to_owned()))
    }

    fn mapping(&self) -> Option<Mapping> {
        let columns = self.map.iter().map(MapFlag::column);
        (!self.map.is_empty()).then(|| Mapping {
            columns: columns.collect(),
        })
    }
}

/// What the person said wrong ends with exit code 2, the rest with 1.
fn told(error: ReplayError) -> anyhow::Error {
    match error {
        ReplayError::Mapping(_) | ReplayError::Payload(_) | ReplayError::TooLarge(_) => {
            usage(error.to_string())
        }
        other => other.into(),
    }
}

fn say_found(found: &Found) {
    for of_source in &found.sources {
        let name = match &of_source.source {
            Some(source) => format!("`{}`", source.settings.name),
            None => "a source that is gone".to_owned(),
        };
        let at_most = if found.looked_at.is_some() {
            "up to "
        } else {
            ""
        };
        say(&format!("{at_most}{} records of {name}", of_source.records));
    }
    if let Some(looked_at) = found.looked_at {
        say(&format!(
            "the first {looked_at} were looked at; others that cannot be replayed are left out when their turn comes"
        ));
    }
    for (obstacle, count) in found.left_out() {
        say(&format!("not replayed: {count}: {obstacle}"));
    }
    if found.sources.is_empty() {
        say("no attempts match");
    }
}

/// Asks on a terminal; elsewhere it takes --yes.
fn agreed() -> anyhow::Result<bool> {
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Err(usage(
            "nobody can be asked here; add --yes to replay them, or --dry-run to see what would happen",
        ));
    }
    write!(io::stderr(), "Replay them? [y/N] ")?;
    io::stderr().flush()?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    let answer = answer.trim();
    Ok(answer.eq_ignore_ascii_case("y") || answer.eq_ignore_ascii_case("yes"))
}

fn summary(imports: Vec<String>, totals: &Totals, left_out: u64, begun: Instant) -> SummaryJson {
    SummaryJson {
        dry_run: false,
        imports,
        records: totals.records,
        created: totals.created,
        updated: totals.updated,
        unchanged: totals.unchanged,
        warnings: totals.warnings,
        failed: totals.failed,
        left_out,
        seconds: (begun.elapsed().as_secs_f64() * 1000.0).round() / 1000.0,
    }
}

fn print_attempt(out: &mut impl Write, attempt: &Attempt) -> io::Result<()> {
    let what = match (attempt.action, attempt.contact) {
        (Some(Action::Created), Some(contact)) => format!("created contact {contact}"),
        (Some(Action::Updated), Some(contact)) => format!("updated contact {contact}"),
        _ => "failed again".to_owned(),
    };
    writeln!(out, "{what}: attempt {}", attempt.id)?;
    for issue in &attempt.issues {
        writeln!(out, "  {}", plain(&issue.message))?;
    }
    Ok(())
}
