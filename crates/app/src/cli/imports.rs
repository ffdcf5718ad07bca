//! `rollbook imports`: the history of imports.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Subcommand, ValueEnum};
use rollbook_store::WorkspaceId;
use rollbook_store::imports::{Import, ImportFilter, ImportId, ImportKind, ImportState};
use tempfile::NamedTempFile;

use super::contacts::ListFormat;
use super::source::find_source;
use super::terminal::{plain, print_json, print_table, say, show_time, table, zone};
use super::{Done, usage};
use crate::app::App;
use crate::audit::{Act, Actor};
use crate::clock;
use crate::config::Config;
use crate::imports::options::ImportOptions;
use crate::imports::summary;
use crate::wire::{ImportJson, SourceNames};

/// Imports that are read at a time.
const PAGE: u16 = 500;

/// List, show, download and cancel imports
#[derive(Debug, Subcommand)]
pub(super) enum Imports {
    /// List imports, newest first
    #[command(after_help = "\
Examples:
  rollbook imports list
  rollbook imports list --state failed
  rollbook imports list --search guests --by ada@example.com --format json")]
    List {
        /// Only in this state
        #[arg(long, value_enum, ignore_case = true)]
        state: Option<StateFlag>,
        /// Only of this source
        #[arg(long, value_name = "NAME")]
        source: Option<String>,
        /// Only by this person, key or program
        #[arg(long, value_name = "WHO")]
        by: Option<String>,
        /// Only with this in the name of the file
        #[arg(long, value_name = "Q")]
        search: Option<String>,
        /// At most so many; 0 for all
        #[arg(long, value_name = "N", default_value_t = 50)]
        limit: usize,
        /// In which form
        #[arg(long, value_enum, default_value = "table")]
        format: ListFormat,
    },

    /// Show one import: counts, how it was mapped, what it continues and what followed
    #[command(after_help = "\
Examples:
  rollbook imports show 019aad5e-5b60-7001-8000-000000000001
  rollbook imports show 019aad5e-5b60-7001-8000-000000000001 --json")]
    Show {
        /// Its id
        id: String,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },

    /// Download the file of an import as it was uploaded, while it is kept
    #[command(after_help = "\
Examples:
  rollbook imports download 019aad5e-5b60-7001-8000-000000000001
  rollbook imports download 019aad5e-5b60-7001-8000-000000000001 --out guests.csv
  rollbook imports download 019aad5e-5b60-7001-8000-000000000001 --out - | head")]
    Download {
        /// Its id
        id: String,
        /// Where to write it; `-` writes to standard output [default: under its own name, here]
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },

    /// Stop an import at the end of its batch; what was written stays
    #[command(after_help = "\
Examples:
  rollbook imports cancel 019aad5e-5b60-7001-8000-000000000001")]
    Cancel {
        /// Its id
        id: String,
    },
}

/// States as flags.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum StateFlag {
    /// Waits for its mapping
    Uploaded,
    /// Waits to run
    Queued,
    /// Runs
    Running,
    /// Read to its end
    Done,
    /// Stopped by an error
    Failed,
    /// Stopped by a person
    Cancelled,
}

impl StateFlag {
    fn state(self) -> ImportState {
        match self {
            StateFlag::Uploaded => ImportState::Uploaded,
            StateFlag::Queued => ImportState::Queued,
            StateFlag::Running => ImportState::Running,
            StateFlag::Done => ImportState::Done,
            StateFlag::Failed => ImportState::Failed,
            StateFlag::Cancelled => ImportState::Cancelled,
        }
    }
}

impl Imports {
    /// Runs the command.
    pub(super) async fn run(self, config: Config) -> anyhow::Result<Done> {
        let app = App::open(config).await?;
        let workspace = app.workspace().await?;
        match self {
            Imports::List {
                state,
                source,
                by,
                search,
                limit,
                format,
            } => {
                let source = match source {
                    Some(name) => Some(find_source(&app, workspace.id, &name).await?.id),
                    None => None,
                };
                let filter = ImportFilter {
                    states: state.map(StateFlag::state).into_iter().collect(),
                    source,
                    created_by: by,
                    file_name: search,
                };
                let imports = find(&app, workspace.id, filter, limit).await?;
                let names = SourceNames::of(&app.store.sources(workspace.id).await?);
                match format {
                    ListFormat::Table => print(&imports, &zone(&workspace.settings))?,
                    ListFormat::Json => {
                        let mut out = BufWriter::new(io::stdout());
                        for import in &imports {
                            print_json(&mut out, &ImportJson::of(import, &names))?;
                        }
                        out.flush()?;
                    }
                }
            }
            Imports::Show { id, json } => {
                let import = find_import(&app, workspace.id, &id).await?;
                let names = SourceNames::of(&app.store.sources(workspace.id).await?);
                if json {
                    let mut out = io::stdout().lock();
                    print_json(&mut out, &ImportJson::of(&import, &names))?;
                    out.flush()?;
                } else {
                    show(&app, &import, &names, &zone(&workspace.settings)).await?;
                }
            }
            Imports::Download { id, out } => {
                let import = find_import(&app, workspace.id, &id).await?;
                let about = format!("import {}, {}", import.id, import.file_name);
                let actor = Actor::command_line();
                app.audit(workspace.id, &actor, Act::DownloadedFile, &about)
                    .await?;
                download(&app, &import, out).await?;
            }
            Imports::Cancel { id } => {
                let import = find_import(&app, workspace.id, &id).await?;
                if import.state.is_over() {
                    say(&format!(
                        "it is over already: {}",
                        summary::summary(&import)
                    ));
                    return Ok(Done::Fully);
                }
                let mut import = app
                    .store
                    .cancel_import(workspace.id, import.id, clock::now())
                    .await?;
                if import.state == ImportState::Running {
                    say("stopping at the end of this batch …");
                    import = wait(&app, import).await?;
                }
                say(&summary::summary(&import));
            }
        }
        Ok(Done::Fully)
    }
}

/// Waits until an import that was asked to stop has stopped. Without a worker nobody ends it; that is told, not waited
/// for.
async fn wait(app: &App, import: Import) -> anyhow::Result<Import> {
    const PATIENCE: std::time::Duration = std::time::Duration::from_secs(10);
    const TICK: std::time::Duration = std::time::Duration::from_millis(100);
    let begun = std::time::Instant::now();
    let mut import = import;
    while !import.state.is_over() && begun.elapsed() < PATIENCE {
        tokio::time::sleep(TICK).await;
        let now = app.store.import(import.workspace, import.id).await?;
        import = now.with_context(|| format!("import {} is gone", import.id))?;
    }
    Ok(import)
}

async fn find(
    app: &App,
    workspace: WorkspaceId,
    filter: ImportFilter,
    limit: usize,
) -> anyhow::Result<Vec<Import>> {
    let limit = if limit == 0 { usize::MAX } else { limit };
    let mut imports: Vec<Import> = Vec::new();
    loop {
        let left = limit - imports.len();
        let wanted = u16::try_from(left).unwrap_or(PAGE).min(PAGE);
        let before = imports.last().map(|import| import.id);
        let page = app
            .store
            .imports_like(workspace, filter.clone(), before, wanted)
            .await?;
        let last = page.len() < usize::from(wanted);
        imports.extend(page);
        if last || imports.len() >= limit {
            return Ok(imports);
        }
    }
}

async fn find_import(app: &App, workspace: WorkspaceId, id: &str) -> anyhow::Result<Import> {
    let unknown = || {
        usage(format!(
            "there is no import `{}`; find it with: rollbook imports list",
            plain(id)
        ))
    };
    let import_id = id.trim().parse().map(ImportId).map_err(|_| unknown())?;
    let found = app.store.import(workspace, import_id).await?;
    found.ok_or_else(unknown)
}

fn print(imports: &[Import], zone: &jiff::tz::TimeZone) -> io::Result<()> {
    if imports.is_empty() {
        say("no imports match");
        return Ok(());
    }
    let mut table = table(&[
        "ID", "File", "State", "When", "Who", "Records", "Created", "Updated", "Failed", "Seconds",
    ]);
    for import in imports {
        let totals = &import.totals;
        table.add_row([
            import.id.to_string(),
            plain(&import.file_name),
            import.state.key().to_owned(),
            show_time(import.created_at, zone),
            plain(&import.created_by),
            totals.records.to_string(),
            totals.created.to_string(),
            totals.updated.to_string(),
            totals.failed.to_string(),
            summary::seconds(import).map_or_else(String::new, |seconds| seconds.to_string()),
        ]);
    }
    print_table(&table)
}

async fn show(
    app: &App,
    import: &Import,
    names: &SourceNames,
    zone: &jiff::tz::TimeZone,
) -> anyhow::Result<()> {
    let mut facts = vec![
        ("Import", import.id.to_string()),
        ("Kind", summary::kind(import).to_owned()),
        ("File", plain(&import.file_name)),
        ("Bytes", import.file_size.to_string()),
        ("Source", plain(&names.name(import.source))),
        ("Who", plain(&import.created_by)),
        ("When", show_time(import.created_at, zone)),
        ("State", import.state.key().to_owned()),
        ("Summary", summary::summary(import)),
    ];
    if let Some(error) = &import.error {
        facts.push(("Error", plain(error)));
    }
    if let Some(seconds) = summary::seconds(import) {
        facts.push(("Seconds", seconds.to_string()));
    }
    let told = |import: &Import| format!("{} ({})", import.id, plain(&import.file_name));
    if let Some(parent) = import.parent
        && let Some(parent) = app.store.import(import.workspace, parent).await?
    {
        facts.push(("Goes back to", told(&parent)));
    }
    let children = app
        .store
        .imports_of_parent(import.workspace, import.id)
        .await?;
    for child in children.iter().rev() {
        let word = summary::kind(child).to_lowercase();
        facts.push(("Followed by", format!("{word} {}", told(child))));
    }
    let mut out = io::stdout().lock();
    for (name, value) in facts {
        writeln!(out, "{name:<14} {value}")?;
    }
    if let Some(options) = ImportOptions::of(import) {
        writeln!(out, "{:<14} {}", "Format", options.reading.label())?;
        let entries = options.mapping.entries_for(&options.header);
        for (name, entry) in options.header.iter().zip(entries) {
            let field = entry.and_then(|entry| entry.field.as_deref());
            writeln!(
                out,
                "{:<14} {} -> {}",
                "Column",
                plain(name),
                field.unwrap_or("(left out)")
            )?;
        }
    }
    out.flush()?;
    Ok(())
}

async fn download(app: &App, import: &Import, out: Option<PathBuf>) -> anyhow::Result<()> {
    if import.kind != ImportKind::File {
        return Err(usage(format!("import {} has no file", import.id)));
    }
    let kept = app
        .blobs
        .fetch(&import.file_hash)
        .await
        .with_context(|| format!("the file of import {} cannot be had", import.id))?;
    let mut file = std::fs::File::open(kept.path())?;
    if out.as_deref() == Some(Path::new("-")) {
        io::copy(&mut file, &mut io::stdout().lock())?;
        return Ok(());
    }
    let named = out.is_some();
    let out = out.unwrap_or_else(|| own_name(&import.file_name).into());
    if !named && out.exists() {
        return Err(usage(format!(
            "`{}` is here already; choose a place with --out",
            out.display()
        )));
    }
    let folder = match out.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let cannot = || format!("`{}` cannot be written", out.display());
    let mut copy = NamedTempFile::new_in(folder).with_context(cannot)?;
    io::copy(&mut file, copy.as_file_mut()).with_context(cannot)?;
    copy.persist(&out)
        .map_err(|error| error.error)
        .with_context(cannot)?;
    say(&format!("written to `{}`", out.display()));
    Ok(())
}

/// The name of an upload without anything that could lead out of this folder.
fn own_name(name: &str) -> String {
    let name = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let name: String = name
        .chars()
        .filter(|character| !character.is_control())
        .collect();
    match name.trim_start_matches('.').trim() {
        "" => "upload".to_owned(),
        name => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_download_stays_in_this_folder() {
        for (name, expected) in [
            ("guests.csv", "guests.csv"),
            ("../../etc/passwd", "passwd"),
            ("C:\\x\\a.csv", "a.csv"),
            (".bashrc", "bashrc"),
            ("..", "upload"),
        ] {
            assert_eq!(own_name(name), expected);
        }
    }
}
