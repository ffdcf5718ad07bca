//! `rollbook import`: a file into the workspace, with progress and a summary.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, BufWriter, IntoInnerError, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use rollbook_engine::attempt::{ImportResult, Totals};
use rollbook_engine::field::date::DateOrder;
use rollbook_engine::issue::Issue;
use rollbook_engine::mapping::{BlankRule, ColumnMapping, MappingError, WriteMode};
use rollbook_engine::plan::Verdict;
use rollbook_engine::schema::{FieldKind, Schema};
use rollbook_store::imports::{Import as StoredImport, ImportState};
use rollbook_store::log::{LogFilter, Paging};
use rollbook_store::sources::Source;
use serde::Serialize;
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

use super::read::ReadingFlags;
use super::source::find_source;
use super::terminal::{plain, say};
use super::{Done, usage};
use crate::access;
use crate::app::App;
use crate::audit::{Act, Actor};
use crate::clock;
use crate::config::Config;
use crate::imports::failed_rows::{self, FailedRows};
use crate::imports::intake::{self, Inspection, IntakeError, inspect, start, take_in};
use crate::imports::options::ImportOptions;
use crate::imports::preview::{Judged, preview};
use crate::imports::profiles;
use crate::imports::review::groups::{Group, Groups};
use crate::imports::run::{LEASE_MILLIS, RunError, run};
use crate::imports::stream;
use crate::imports::summary;
use crate::wire::review::GroupJson;

/// How often progress is looked at.
const TICK: Duration = Duration::from_millis(100);

/// Failed rows that a summary shows.
const SHOWN_FAILURES: usize = 5;

/// Import a file, or see with --dry-run what it would do
///
/// CSV and other delimited text, XLSX, XLS, ODS, vCard, JSON arrays and NDJSON are read, also out of a ZIP or gzip
/// archive. Format, encoding, delimiter, quote and header are found out, and columns are mapped to fields by their names and values;
/// what you say with flags is not guessed. The import works whether `rollbook serve` runs on the database or not. It
/// is committed in batches: a killed import goes on where it stopped when the same command is run again (or `serve`
/// runs), no record twice, none lost. Ctrl-C stops at the end of a batch.
///
/// With --json one object is printed:
/// `{"import_id","records","created","updated","unchanged","warnings","failed","seconds"}`. `unchanged` counts within
/// `updated`, and created + updated + failed = records. A dry run adds `"dry_run":true` and
/// `"groups"`, the issues by kind and field as the API's review has them, and has no import.
///
/// Exit code 3 says that some rows failed; --failed-rows writes them to a CSV file with the columns `_row` and
/// `_reason`, ready to be corrected and imported again as it is.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  rollbook import guests.csv
  rollbook import guests.csv --dry-run
  rollbook import guests.csv --map \"Mobile=phone\" --map \"Ref=external_id\" --map \"Comment=\"
  rollbook import export.csv --source front-desk --region DE --date-order dmy --failed-rows failed.csv
  rollbook import guests.xlsx --sheet Arrivals --header-row 3
  rollbook import fair.csv --tag \"Autumn fair\" --map \"Phone=phone:only_if_empty\" --map \"Notes=notes:clear\"
  rollbook import contacts.vcf --dry-run
  rollbook import - --json < guests.csv")]
pub(super) struct Import {
    /// The file; `-` reads standard input
    file: PathBuf,

    /// Map a column to a field (repeat it); `Header=` leaves the column out. Other columns are guessed.
    /// `Header=field:add` adds to a list, `:only_if_empty` keeps what the contact has, `:clear` lets blank cells clear
    #[arg(long, value_name = "HEADER=FIELD", value_parser = parse_map)]
    map: Vec<MapFlag>,

    /// The source that the records belong to; its mode decides the rules
    #[arg(long, value_name = "NAME", default_value = "manual")]
    source: String,

    /// Write nothing; tell what would happen to each row
    #[arg(long)]
    dry_run: bool,

    /// Write the failed rows to this CSV file
    #[arg(long, value_name = "OUT.csv")]
    failed_rows: Option<PathBuf>,

    /// Print the summary as one JSON object
    #[arg(long)]
    json: bool,

    /// The region of phone numbers without a country code [default: the source's, else the workspace's]
    #[arg(long, value_name = "CODE")]
    region: Option<String>,

    /// Read and map the file by this mapping profile; what you say with flags wins
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,

    /// Save how this file is read and mapped as a mapping profile
    #[arg(long, value_name = "NAME")]
    save_profile: Option<String>,

    /// Add this tag to every contact of the file (repeat it)
    #[arg(long, value_name = "TAG")]
    tag: Vec<String>,

    /// The order of day, month and year in all date columns: dmy, mdy or ymd [default: found out per column]
    #[arg(long, value_name = "ORDER", value_parser = parse_date_order)]
    date_order: Option<DateOrder>,

    #[command(flatten)]
    reading: ReadingFlags,
}

/// A column and the field it goes to; none leaves it out.
#[derive(Debug, Clone)]
pub(super) struct MapFlag {
    column: String,
    field: Option<String>,
    write: Option<WriteMode>,
    blank: Option<BlankRule>,
}

impl MapFlag {
    /// The column as it says.
    pub(super) fn column(&self) -> ColumnMapping {
        let mut column = ColumnMapping {
            column: self.column.clone(),
            ..ColumnMapping::default()
        };
        self.apply(&mut column);
        column
    }

    /// Says it of a column.
    fn apply(&self, column: &mut ColumnMapping) {
        column.field.clone_from(&self.field);
        column.write = self.write.unwrap_or(column.write);
        column.blank = self.blank.unwrap_or(column.blank);
    }
}

/// What `--json` prints.
#[derive(Serialize)]
struct SummaryJson {
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    dry_run: bool,
    import_id: Option<String>,
    records: u64,
    created: u64,
    updated: u64,
    unchanged: u64,
    warnings: u64,
    failed: u64,
    seconds: f64,
}

impl SummaryJson {
    fn new(import_id: Option<String>, totals: &Totals, seconds: f64) -> SummaryJson {
        SummaryJson {
            dry_run: import_id.is_none(),
            import_id,
            records: totals.records,
            created: totals.created,
            updated: totals.updated,
            unchanged: totals.unchanged,
            warnings: totals.warnings,
            failed: totals.failed,
            seconds: (seconds * 1000.0).round() / 1000.0,
        }
    }
}

/// What `--dry-run --json` prints.
#[derive(Serialize)]
struct DryRunJson {
    #[serde(flatten)]
    summary: SummaryJson,
    groups: Vec<GroupJson>,
}

/// Whether two paths lead to one file.
fn same_file(one: &Path, other: &Path) -> bool {
    match (one.canonicalize(), other.canonicalize()) {
        (Ok(one), Ok(other)) => one == other,
        _ => false,
    }
}

/// The file where we may read it, and its content's hash.
struct Upload {
    file: NamedTempFile,
    name: String,
    hash: [u8; 32],
}

impl Import {
    /// Imports the file, or previews it.
    pub(super) async fn run(self, config: Config) -> anyhow::Result<Done> {
        let begun = Instant::now();
        self.reading.options(config.file_limits())?;
        let region = self.region.as_deref().unwrap_or_default();
        let region = access::checked_region(region).map_err(|error| usage(error.to_string()))?;
        // Before a database is made: a mistyped name should leave nothing behind.
        let input = open(&self.file)?;
        if let Some(out) = &self.failed_rows
            && same_file(out, &self.file)
        {
            return Err(usage(format!(
                "--failed-rows names the file that is imported, `{}`; choose another name, or the good rows would be lost",
                out.display()
            )));
        }
        let failed = self
            .failed_rows
            .as_deref()
            .map(OutFile::create)
            .transpose()?;

        let app = App::open(config).await?;
        let workspace = app.workspace().await?;
        let source = find_source(&app, workspace.id, &self.source).await?;
        let name = file_name(&self.file);
        let upload = copy_in(&app, input, name).await?;

        let earlier = if self.dry_run {
            None
        } else {
            unfinished(&app, &source, upload.hash).await?
        };
        if let Some(import) = earlier {
            say(&format!(
                "resuming import {} of this file after {} records, as it was begun: its columns and settings stay",
                import.id, import.cursor
            ));
            return self.see_through(&app, &source, import, failed, begun).await;
        }

        let path = upload.file.path();
        let inspection = self.look(&app, &source, path, &upload.name).await?;
        if let Some(parent) = &inspection.continues {
            say(&format!(
                "continues `{}` (import {}), in which {} rows failed",
                plain(&parent.file_name),
                parent.id,
                parent.totals.failed
            ));
        }
        let mut options = inspection.options.clone();
        options.region = region.or(options.region);
        if !self.tag.is_empty() {
            options.tags.clone_from(&self.tag);
        }
        let schema = app.schema(workspace.id).await?;
        apply_map(&mut options, &self.map, &schema)?;
        set_date_order(&mut options, self.date_order, &schema);
        intake::check_mapping(&app, &source, &options).await?;
        say(&describe_mapping(&options));
        if let Some(name) = &self.save_profile {
            let name = profiles::checked_name(name).map_err(usage)?;
            let actor = Actor::command_line();
            profiles::save(&app, workspace.id, &name, &options, "command line", &actor).await?;
            say(&format!("saved as mapping profile `{name}`"));
        }

        if self.dry_run {
            return self
                .dry_run(&app, &source, path, &options, failed, begun)
                .await;
        }
        let mut import = take_in(&app, &source, upload.file, &upload.name, "command line").await?;
        say_if_seen_before(&app, &import).await?;
        intake::remember_parent(&app, &mut import, &inspection).await?;
        let import = start(&app, &source, &import, &options).await?;
        self.see_through(&app, &source, import, failed, begun).await
    }

    /// How the file is read and mapped: as the profile says, or as it is found out.
    async fn look(
        &self,
        app: &App,
        source: &Source,
        path: &Path,
        file_name: &str,
    ) -> anyhow::Result<Inspection> {
        let said = self.reading.said();
        let Some(name) = &self.profile else {
            return Ok(inspect(app, source, path, file_name, &said).await?);
        };
        let Some(profile) = profiles::find(app, source.workspace, name).await? else {
            let known = app.store.profiles(source.workspace).await?;
            let known: Vec<String> = known.into_iter().map(|profile| profile.name).collect();
            return Err(usage(match known.as_slice() {
                [] => format!("there is no mapping profile `{name}`; make one with --save-profile"),
                known => format!(
                    "there is no mapping profile `{name}`; there are `{}`",
                    known.join("`, `")
                ),
            }));
        };
        let said = said.or(&profile.said);
        let mut inspection = inspect(app, source, path, file_name, &said).await?;
        inspection.map_as(&profile, "as the mapping profile says", false);
        Ok(inspection)
    }

    async fn dry_run(
        &self,
        app: &App,
        source: &Source,
        path: &Path,
        options: &ImportOptions,
        failed: Option<OutFile>,
        begun: Instant,
    ) -> anyhow::Result<Done> {
        let progress = Progress::start();
        let mut failed = failed;
        let mut rejects = Rejects::default();
        let mut groups = Groups::default();
        if let Some(out) = &mut failed {
            out.write(&failed_rows::header(options))?;
        }
        let mut each = |judged: Judged<'_>| {
            progress.advance();
            let (row, step) = (judged.delivery.row, judged.step);
            groups.add(row.unwrap_or_default(), &step.issues);
            if step.verdict != Verdict::Reject {
                return Ok(());
            }
            rejects.add(row, &step.issues);
            if let Some(out) = &mut failed {
                let payload = &judged.delivery.payload.bytes;
                out.write(&failed_rows::row(options, row, payload, None, &step.issues))?;
            }
            Ok(())
        };
        let prepared = stream::prepare(app, source, path, options, Arc::default()).await?;
        let never = AtomicBool::new(false);
        let totals = preview(app, source, &prepared, &never, &mut each).await?;
        let totals = totals.unwrap_or_default();
        progress.end();
        if let Some(out) = failed {
            out.keep()?;
        }
        let seconds = begun.elapsed().as_secs_f64();
        let groups = groups.sorted();
        if self.json {
            print_summary(&DryRunJson {
                summary: SummaryJson::new(None, &totals, seconds),
                groups: groups.iter().map(GroupJson::of).collect(),
            })?;
        } else {
            let mut out = io::stdout().lock();
            writeln!(out, "Nothing was written: this is what would happen.\n")?;
            print_totals(&mut out, &totals)?;
            print_groups(&mut out, &groups)?;
            rejects.print(&mut out)?;
        }
        Ok(done(&totals))
    }

    /// Runs an import that waits, or follows it where a worker was faster, to its end.
    async fn see_through(
        &self,
        app: &App,
        source: &Source,
        import: StoredImport,
        failed: Option<OutFile>,
        begun: Instant,
    ) -> anyhow::Result<Done> {
        let progress = Progress::start();
        let import = finish(app, import, &progress).await?;
        progress.end();
        if let Some(mut out) = failed {
            if let Some(mut rows) = FailedRows::of(import.clone()) {
                let about = format!("import {}, {}", import.id, import.file_name);
                let actor = Actor::command_line();
                app.audit(import.workspace, &actor, Act::ExportedFailedRows, &about)
                    .await?;
                while let Some(text) = rows.next(app).await? {
                    out.write(&text)?;
                }
            }
            out.keep()?;
        }
        let totals = import.totals;
        if import.state == ImportState::Failed {
            anyhow::bail!(
                "import {} stopped after {} records: {}",
                import.id,
                totals.records,
                import.error.as_deref().unwrap_or("the reason is not known")
            );
        }
        let seconds = begun.elapsed().as_secs_f64();
        if self.json {
            let id = import.id.to_string();
            print_summary(&SummaryJson::new(Some(id), &totals, seconds))?;
        } else {
            self.print_report(app, source, &import, seconds).await?;
        }
        if import.without_identifier > 0 {
            say(&format!(
                "{} records without External ID, phone or email each made a contact; importing the file again would \
                 make them again",
                import.without_identifier
            ));
        }
        if import.state == ImportState::Cancelled {
            say(&summary::summary(&import));
            return Ok(Done::Stopped);
        }
        Ok(done(&totals))
    }

    async fn print_report(
        &self,
        app: &App,
        source: &Source,
        import: &StoredImport,
        seconds: f64,
    ) -> anyhow::Result<()> {
        let mut rejects = Rejects::default();
        if import.totals.failed > 0 {
            let filter = LogFilter {
                import: Some(import.id),
                result: Some(ImportResult::Failure),
                ..LogFilter::default()
            };
            let limit = u32::try_from(SHOWN_FAILURES).unwrap_or(u32::MAX);
            let page = app
                .store
                .page(import.workspace, filter, Paging::After(0), limit)
                .await?;
            for attempt in page.attempts {
                rejects.add(attempt.row, &attempt.issues);
            }
            rejects.all = import.totals.failed;
        }
        let mut out = io::stdout().lock();
        writeln!(
            out,
            "`{}` into `{}` in {seconds:.1} s\n",
            plain(&import.file_name),
            source.settings.name
        )?;
        print_totals(&mut out, &import.totals)?;
        rejects.print(&mut out)?;
        writeln!(
            out,
            "\nSee each record: rollbook log --import {}",
            import.id
        )?;
        match (&self.failed_rows, import.totals.failed) {
            (_, 0) => {}
            (Some(path), _) => writeln!(
                out,
                "The failed rows, to correct and import again: {}",
                path.display()
            )?,
            (None, _) => writeln!(
                out,
                "Next time add --failed-rows failed.csv to get the failed rows for correction."
            )?,
        }
        Ok(())
    }
}

/// Runs an import in this process unless a worker has it; then waits for that. Ctrl-C cancels it.
pub(super) async fn finish(
    app: &App,
    import: StoredImport,
    progress: &Progress,
) -> anyhow::Result<StoredImport> {
    let (workspace, id) = (import.workspace, import.id);
    let stop = tokio::spawn(cancel_on_interrupt(app.clone(), import));
    let finished = loop {
        let claimed = app
            .store
            .claim_import(Some((workspace, id)), clock::now(), LEASE_MILLIS)
            .await?;
        if let Some((claimed, lease)) = claimed {
            let work = run(app, claimed, lease);
            tokio::pin!(work);
            let ended = loop {
                tokio::select! {
                    ended = &mut work => break ended,
                    () = tokio::time::sleep(TICK) => {
                        if let Some(now) = app.store.import(workspace, id).await? {
                            progress.show(&now);
                        }
                    }
                }
            };
            match ended {
                Ok(import) => break import,
                Err(RunError::LeaseLost) => {}
                Err(error) => {
                    return Err(error).context("the import stopped; run it again to go on");
                }
            }
        }
        let now = app.store.import(workspace, id).await?;
        let now = now.with_context(|| format!("import {id} is gone"))?;
        progress.show(&now);
        if now.state.is_over() {
            break now;
        }
        tokio::time::sleep(TICK).await;
    };
    stop.abort();
    Ok(finished)
}

/// The first Ctrl-C asks the import to stop at the end of its batch, the second ends the program.
async fn cancel_on_interrupt(app: App, import: StoredImport) {
    if tokio::signal::ctrl_c().await.is_err() {
        return;
    }
    say("stopping at the end of this batch …");
    let asked = app
        .store
        .cancel_import(import.workspace, import.id, clock::now())
        .await;
    if let Err(error) = asked {
        say(&format!("the import cannot be stopped: {error}"));
    }
    if tokio::signal::ctrl_c().await.is_ok() {
        std::process::exit(130);
    }
}

/// Says which earlier imports had the very same content.
async fn say_if_seen_before(app: &App, import: &StoredImport) -> anyhow::Result<()> {
    let earlier = intake::same_file(app, import).await?;
    let [first, ..] = &earlier[..] else {
        return Ok(());
    };
    let mut text = format!("this very file was imported before: import {}", first.id);
    if let Some(latest) = earlier.last().filter(|latest| latest.id != first.id) {
        // Writing to a text cannot fail.
        let _ = write!(text, ", and last as import {}", latest.id);
    }
    say(&text);
    Ok(())
}

/// An unfinished import of the same file into the same source.
async fn unfinished(
    app: &App,
    source: &Source,
    hash: [u8; 32],
) -> anyhow::Result<Option<StoredImport>> {
    let earlier = app.store.imports_of_file(source.workspace, hash).await?;
    Ok(earlier.into_iter().find(|import| {
        import.source == source.id
            && matches!(import.state, ImportState::Queued | ImportState::Running)
    }))
}

pub(super) fn open(path: &Path) -> anyhow::Result<Box<dyn Read + Send>> {
    if path == Path::new("-") {
        return Ok(Box::new(io::stdin()));
    }
    let name = path.display();
    let file = File::open(path).with_context(|| format!("`{name}` cannot be opened"))?;
    if file.metadata()?.is_dir() {
        anyhow::bail!("`{name}` is a folder; name a file");
    }
    Ok(Box::new(file))
}

fn file_name(path: &Path) -> String {
    if path == Path::new("-") {
        return "standard input".to_owned();
    }
    path.file_name().map_or_else(
        || path.display().to_string(),
        |name| name.to_string_lossy().into_owned(),
    )
}

/// Copies the file to where Rollbook keeps uploads, so that the import can go on if the original is moved or changed.
async fn copy_in(
    app: &App,
    mut input: Box<dyn Read + Send>,
    name: String,
) -> anyhow::Result<Upload> {
    let (folder, limit) = (app.config.files.clone(), app.config.max_file_bytes);
    let upload = intake::blocking(move || {
        let mut file = NamedTempFile::new_in(folder)?;
        let mut hasher = Sha256::new();
        let mut buffer = vec![0; 1 << 18];
        let mut size = 0;
        loop {
            let read = match input.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error.into()),
            };
            size += read as u64;
            if size > limit {
                return Err(IntakeError::TooLarge { limit });
            }
            hasher.update(&buffer[..read]);
            file.write_all(&buffer[..read])?;
        }
        Ok(Upload {
            file,
            name,
            hash: hasher.finalize().into(),
        })
    });
    Ok(upload.await?)
}

/// Lets what the person said win over what was guessed.
fn apply_map(options: &mut ImportOptions, map: &[MapFlag], schema: &Schema) -> anyhow::Result<()> {
    let mut errors = Vec::new();
    for flag in map {
        if let Some(field) = &flag.field
            && schema.by_key(field).is_none()
        {
            errors.push(MappingError::UnknownField {
                column: flag.column.clone(),
                field: field.clone(),
                known: schema
                    .fields()
                    .iter()
                    .map(|field| field.key.clone())
                    .collect(),
            });
        }
        if !options
            .header
            .iter()
            .any(|name| same_name(name, &flag.column))
        {
            errors.push(MappingError::UnknownColumn {
                column: flag.column.clone(),
                header: options.header.clone(),
            });
        }
    }
    if !errors.is_empty() {
        let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
        return Err(usage(errors.join("\n")));
    }
    let columns = &mut options.mapping.columns;
    let said = |column: &str| map.iter().any(|flag| same_name(&flag.column, column));
    for flag in map {
        let field = flag.field.as_deref().and_then(|key| schema.by_key(key));
        // A field with one value takes it from the column that was named, not from one that was guessed.
        if let Some(field) = field.filter(|field| !field.kind.is_list()) {
            for column in columns.iter_mut() {
                if column.field.as_ref() == Some(&field.key) && !said(&column.column) {
                    column.field = None;
                }
            }
        }
        let mut found = false;
        for column in columns.iter_mut() {
            if same_name(&column.column, &flag.column) {
                flag.apply(column);
                found = true;
            }
        }
        if !found {
            columns.push(flag.column());
        }
    }
    Ok(())
}

fn same_name(one: &str, other: &str) -> bool {
    one.trim().eq_ignore_ascii_case(other.trim())
}

fn set_date_order(options: &mut ImportOptions, order: Option<DateOrder>, schema: &Schema) {
    let Some(order) = order else { return };
    for column in &mut options.mapping.columns {
        let field = column.field.as_deref().and_then(|key| schema.by_key(key));
        if field
            .is_some_and(|field| matches!(field.kind, FieldKind::Date { .. } | FieldKind::DateTime))
        {
            column.date_order = Some(order);
        }
    }
}

/// Which column goes where, in a line or two.
fn describe_mapping(options: &ImportOptions) -> String {
    let (mut mapped, mut left_out) = (Vec::new(), Vec::new());
    for column in &options.mapping.columns {
        let name = plain(&column.column);
        match &column.field {
            Some(field) => mapped.push(format!("`{name}` to {field}")),
            None => left_out.push(format!("`{name}`")),
        }
    }
    let mut text = format!("columns: {}", mapped.join(", "));
    if !left_out.is_empty() {
        const SHOWN: usize = 20;
        let more = left_out.len().saturating_sub(SHOWN);
        left_out.truncate(SHOWN);
        text.push_str("\nnot imported: ");
        text.push_str(&left_out.join(", "));
        if more > 0 {
            // Writing to a text cannot fail.
            let _ = write!(text, " and {more} more");
        }
        text.push_str(" (map one with --map \"Header=field\")");
    }
    text
}

/// The file of failed rows: written beside its place and moved there when it is whole.
struct OutFile {
    file: BufWriter<NamedTempFile>,
    path: PathBuf,
}

impl OutFile {
    fn create(path: &Path) -> anyhow::Result<OutFile> {
        let folder = match path.parent() {
            Some(folder) if folder != Path::new("") => folder,
            _ => Path::new("."),
        };
        let file = NamedTempFile::new_in(folder)
            .with_context(|| format!("`{}` cannot be written", path.display()))?;
        Ok(OutFile {
            file: BufWriter::new(file),
            path: path.to_owned(),
        })
    }

    fn write(&mut self, text: &str) -> io::Result<()> {
        self.file.write_all(text.as_bytes())
    }

    fn keep(self) -> anyhow::Result<()> {
        let path = self.path;
        let file = self.file.into_inner().map_err(IntoInnerError::into_error);
        file.and_then(|file| file.persist(&path).map_err(|error| error.error))
            .with_context(|| format!("`{}` cannot be written", path.display()))?;
        Ok(())
    }
}

/// The first rejected rows and how many there are.
#[derive(Debug, Default)]
struct Rejects {
    shown: Vec<(Option<u64>, String)>,
    all: u64,
}

impl Rejects {
    fn add(&mut self, row: Option<u64>, issues: &[Issue]) {
        self.all += 1;
        if self.shown.len() < SHOWN_FAILURES {
            let messages: Vec<&str> = issues.iter().map(|issue| issue.message.as_str()).collect();
            self.shown.push((row, plain(&messages.join(" "))));
        }
    }

    fn print(&self, out: &mut impl Write) -> io::Result<()> {
        if self.shown.is_empty() {
            return Ok(());
        }
        writeln!(out, "\nFailed rows:")?;
        for (row, message) in &self.shown {
            match row {
                Some(row) => writeln!(out, "  row {row}: {message}")?,
                None => writeln!(out, "  {message}")?,
            }
        }
        let more = self.all.saturating_sub(self.shown.len() as u64);
        if more > 0 {
            writeln!(out, "  … and {more} more")?;
        }
        Ok(())
    }
}

/// The progress bar, where somebody watches.
pub(super) struct Progress(Option<ProgressBar>);

impl Progress {
    pub(super) fn start() -> Progress {
        if !io::stderr().is_terminal() {
            return Progress::silent();
        }
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(10));
        bar.set_style(
            ProgressStyle::with_template("{spinner} {human_pos} rows  {rate}")
                .unwrap_or_else(|_| ProgressStyle::default_spinner())
                .with_key("rate", write_rate),
        );
        Progress(Some(bar))
    }

    /// Progress that nobody watches.
    pub(super) fn silent() -> Progress {
        Progress(None)
    }

    fn show(&self, import: &StoredImport) {
        let Some(bar) = &self.0 else { return };
        if let (Some(records), None) = (import.expected_records, bar.length()) {
            bar.set_length(records);
            // What an earlier run did says nothing about the speed of this one.
            bar.set_position(import.cursor);
            bar.reset_eta();
            bar.set_style(
                ProgressStyle::with_template(
                    "{bar:32} {human_pos} of {human_len} rows  {rate}  {eta} left",
                )
                .unwrap_or_else(|_| ProgressStyle::default_bar())
                .with_key("rate", write_rate),
            );
        }
        bar.set_position(import.cursor);
    }

    fn advance(&self) {
        if let Some(bar) = &self.0 {
            bar.inc(1);
        }
    }

    pub(super) fn end(&self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}

fn write_rate(state: &ProgressState, out: &mut dyn std::fmt::Write) {
    // A bar that cannot be written is not worth an error.
    let _ = write!(out, "{:.0} rows/s", state.per_sec());
}

fn print_summary(summary: &impl Serialize) -> io::Result<()> {
    let mut out = io::stdout().lock();
    super::terminal::print_json(&mut out, summary)?;
    out.flush()
}

pub(super) fn print_totals(out: &mut impl Write, totals: &Totals) -> io::Result<()> {
    writeln!(out, "  records   {:>9}", totals.records)?;
    writeln!(out, "  created   {:>9}", totals.created)?;
    write!(out, "  updated   {:>9}", totals.updated)?;
    match totals.unchanged {
        0 => writeln!(out)?,
        unchanged => writeln!(out, "  ({unchanged} with no changes)")?,
    }
    writeln!(out, "  failed    {:>9}", totals.failed)?;
    if totals.warnings > 0 {
        writeln!(out, "  warnings  {:>9}", totals.warnings)?;
    }
    Ok(())
}

/// The issues by kind and field, the most frequent first, with an example of each.
fn print_groups(out: &mut impl Write, groups: &[Group]) -> io::Result<()> {
    if groups.is_empty() {
        return Ok(());
    }
    writeln!(out, "\nIssues:")?;
    for group in groups {
        let field = group.field.as_ref();
        let field = field.map_or_else(String::new, |field| format!(" in {field}"));
        let rows = group.rows.len();
        let rows = format!("{rows} {}", if rows == 1 { "row" } else { "rows" });
        writeln!(out, "  {}{field}: {rows}", group.code)?;
        if let Some(example) = group.examples.first() {
            let message = plain(&example.message);
            writeln!(out, "    for example row {}: {message}", example.row)?;
        }
    }
    Ok(())
}

pub(super) fn done(totals: &Totals) -> Done {
    if totals.failed == 0 {
        Done::Fully
    } else {
        Done::WithFailedRows
    }
}

pub(super) fn parse_map(text: &str) -> Result<MapFlag, String> {
    // Headers may contain `=`, keys of fields cannot.
    let (column, field) = text
        .rsplit_once('=')
        .ok_or("write it as \"Header=field\", or \"Header=\" to leave the column out")?;
    let mut words = field.split(':').map(str::trim);
    let field = words.next().unwrap_or_default();
    let (mut write, mut blank) = (None, None);
    for word in words {
        match (WriteMode::from_key(word), BlankRule::from_key(word)) {
            (Some(mode), _) => write = Some(mode),
            (None, Some(rule)) => blank = Some(rule),
            (None, None) => {
                return Err(format!(
                    "`{word}` is no rule; use replace, add or only_if_empty, and clear or ignore for blank cells"
                ));
            }
        }
    }
    Ok(MapFlag {
        column: column.to_owned(),
        field: (!field.is_empty()).then(|| field.to_owned()),
        write,
        blank,
    })
}

fn parse_date_order(text: &str) -> Result<DateOrder, String> {
    text.parse::<DateOrder>()
        .map_err(|_| "use dmy, mdy or ymd".to_owned())
}
