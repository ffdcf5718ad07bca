//! Taking a file in: storing it, finding out how it is to be read, guessing its mapping, queueing the import.

use std::fs::File;
use std::io::{Read, Seek};
use std::path::Path;

use rollbook_engine::mapping::Mapping;
use rollbook_engine::record::{Cell, Record};
use rollbook_engine::schema::Schema;
use rollbook_sources::file::{self, FileError, FileLimits, Reading, texts};
use rollbook_store::StoreError;
use rollbook_store::imports::{Import, ImportId, ImportKind, ImportState, NewImport};
use rollbook_store::profiles::Remembered;
use rollbook_store::sources::Source;
use sha2::{Digest, Sha256};

use crate::app::App;
use crate::blobs::{BlobError, BlobFile};
use crate::clock;
use crate::imports::continuation::{self, Origin};
use crate::imports::options::ImportOptions;
use crate::imports::profiles;
use crate::imports::said::Said;

/// Records that are looked at to guess a mapping.
const SAMPLED: usize = 200;

/// Values of a column, and first records, that are shown.
const SHOWN: usize = 5;

/// Why a file cannot be imported.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IntakeError {
    /// The file is larger than the setting allows.
    #[error(
        "the file is larger than {limit} bytes; split it, or raise `max_file_bytes` in the settings"
    )]
    TooLarge {
        /// The limit in bytes.
        limit: u64,
    },
    /// It is not a file we read.
    #[error("{0}")]
    Unreadable(String),
    /// The mapping does not fit the file.
    #[error("{}", .0.join("; "))]
    Mapping(Vec<String>),
    /// The source is paused.
    #[error(
        "source `{0}` is paused; resume it with `rollbook source resume {0}` or on Admin Settings > Sources"
    )]
    Paused(String),
    /// The import is past the state in which this could be done.
    #[error("the import is {0} already, so its mapping cannot be changed")]
    Begun(&'static str),
    /// The file could not be stored or read back.
    #[error("the file cannot be stored or read: {0}")]
    Io(#[from] std::io::Error),
    /// The file is not where uploaded files are kept, or that place cannot be reached.
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// The store said no.
    #[error(transparent)]
    Store(#[from] rollbook_store::StoreError),
}

impl IntakeError {
    /// What is wrong with a file of this name.
    pub(crate) fn of_file(name: &str, error: FileError) -> IntakeError {
        match error {
            FileError::Io(error) => IntakeError::Io(error),
            FileError::Csv(error) => IntakeError::Unreadable(error.to_string()),
            other => IntakeError::Unreadable(format!("{name} {other}")),
        }
    }
}

impl From<FileError> for IntakeError {
    fn from(error: FileError) -> IntakeError {
        IntakeError::of_file("the file", error)
    }
}

/// What a look into a file showed.
#[derive(Debug, Clone)]
pub(crate) struct Inspection {
    /// How it is read, with the guessed mapping.
    pub(crate) options: ImportOptions,
    /// One entry a column.
    pub(crate) columns: Vec<Column>,
    /// How many records were looked at.
    pub(crate) sampled: usize,
    /// The import whose failed rows these are.
    pub(crate) continues: Option<Import>,
    /// The cells of the first records.
    pub(crate) rows: Vec<Vec<String>>,
    /// The sheets of a spreadsheet that can be read.
    pub(crate) sheets: Vec<String>,
    /// The import whose mapping was taken over, because its file had the same columns.
    pub(crate) remembered: Option<Remembered>,
    /// The mapping that header and values suggest.
    guessed: Mapping,
    /// The fields that could not be taken for granted: the reasons for the guesses.
    reasons: Vec<Option<String>>,
}

/// A column of a file.
#[derive(Debug, Clone)]
pub(crate) struct Column {
    /// Its name in the header.
    pub(crate) name: String,
    /// Up to five values, blank ones left out.
    pub(crate) samples: Vec<String>,
    /// The key of the field that it is mapped to.
    pub(crate) field: Option<String>,
    /// Why that field was guessed.
    pub(crate) reason: Option<String>,
}

/// Stores a file under its content's hash and writes down an import of it that waits for its mapping.
/// `file` is a temporary file of ours; it is moved.
pub(crate) async fn take_in(
    app: &App,
    source: &Source,
    file: tempfile::NamedTempFile,
    file_name: &str,
    created_by: &str,
) -> Result<Import, IntakeError> {
    if source.paused {
        return Err(IntakeError::Paused(source.settings.name.clone()));
    }
    let folder = app.config.files.clone();
    let limits = app.config.file_limits();
    let name = file_name.to_owned();
    let (file, hash, size) = blocking(move || examine(file, &folder, &limits, &name)).await?;
    app.blobs.keep(file, &hash).await?;
    let import = NewImport {
        id: ImportId(uuid::Uuid::now_v7()),
        workspace: source.workspace,
        kind: ImportKind::File,
        parent: None,
        source: source.id,
        file_name: file_name.to_owned(),
        file_size: size,
        file_hash: hash,
        created_by: created_by.to_owned(),
        created_at: clock::now(),
        options: None,
        state: ImportState::Uploaded,
    };
    Ok(app.store.create_import(import).await?)
}

/// Looks into the file of an import, and remembers which import it continues.
pub(crate) async fn look(
    app: &App,
    source: &Source,
    import: &mut Import,
    said: &Said,
) -> Result<Inspection, IntakeError> {
    let file = file_of(app, import).await?;
    let inspection = inspect(app, source, file.path(), &import.file_name, said).await?;
    remember_parent(app, import, &inspection).await?;
    Ok(inspection)
}

/// Writes down which import this one continues, if it does.
pub(crate) async fn remember_parent(
    app: &App,
    import: &mut Import,
    inspection: &Inspection,
) -> Result<(), IntakeError> {
    let Some(parent) = &inspection.continues else {
        return Ok(());
    };
    if import.parent.is_some() || import.state != ImportState::Uploaded || parent.id == import.id {
        return Ok(());
    }
    let set = app
        .store
        .set_import_parent(import.workspace, import.id, parent.id);
    match set.await {
        Ok(changed) => *import = changed,
        // Somebody has begun it meanwhile.
        Err(StoreError::Conflict(_)) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

/// Looks into a file: how is it to be read, and where do its columns go? What `said` says is not guessed.
pub(crate) async fn inspect(
    app: &App,
    source: &Source,
    path: &Path,
    file_name: &str,
    said: &Said,
) -> Result<Inspection, IntakeError> {
    let schema = app.schema(source.workspace).await?;
    let (path, name, said) = (path.to_owned(), file_name.to_owned(), said.clone());
    let told = said
        .options(app.config.file_limits())
        .map_err(IntakeError::Unreadable)?;
    let folder = app.config.files.clone();
    let (mut inspection, numbers) = blocking(move || {
        let seen = file::inspect(&path, &name, &folder, &told, SAMPLED)
            .map_err(|error| IntakeError::of_file(&format!("`{name}`"), error))?;
        let header = seen.header;
        let records: Vec<Record> = seen.records.into_iter().map(|seen| seen.record).collect();
        let (mut mapping, guesses) = Mapping::guess(&header, &records, &schema);
        if matches!(seen.reading, Reading::Json { .. }) {
            map_paths(&mut mapping, &schema);
        }
        let reasons: Vec<Option<String>> = mapping
            .columns
            .iter()
            .zip(guesses)
            .map(|(column, guess)| {
                let field = column.field.as_ref()?;
                let guess = guess.filter(|guess| guess.field == field);
                let own = || "the header is the name of the field".to_owned();
                Some(guess.map_or_else(own, |guess| guess.reason))
            })
            .collect();
        let columns = header
            .names
            .iter()
            .enumerate()
            .map(|(column, name)| Column {
                name: name.clone(),
                samples: samples(&records, column),
                field: mapping.columns[column].field.clone(),
                reason: reasons[column].clone(),
            });
        let numbers = continuation::numbers(&header.names, &records);
        let inspection = Inspection {
            columns: columns.collect(),
            remembered: None,
            guessed: mapping.clone(),
            reasons,
            sampled: records.len(),
            continues: None,
            rows: records.iter().take(SHOWN).map(texts).collect(),
            sheets: seen.sheets,
            options: ImportOptions {
                reading: seen.reading,
                header: header.names,
                mapping,
                region: None,
                tags: Vec::new(),
                said,
            },
        };
        Ok((inspection, numbers))
    })
    .await?;
    let header = &inspection.options.header;
    if let Some(origin) = continuation::origin(app, source, header, &numbers).await? {
        inspection.continue_as(&origin);
    } else if let Some((used, earlier)) = profiles::remembered(app, source, header).await? {
        let reason = format!("as in the import of `{}`", used.file_name);
        inspection.map_as(&earlier, &reason, true);
        inspection.remembered = Some(used);
    }
    Ok(inspection)
}

/// Maps paths of JSON by the names that other systems use, where their words and values told nothing.
fn map_paths(mapping: &mut Mapping, schema: &Schema) {
    let known = Mapping::json_default(schema);
    for column in &mut mapping.columns {
        let entry = known.columns.iter().find(|own| own.column == column.column);
        if let Some(entry) = entry.filter(|_| column.field.is_none()) {
            column.field.clone_from(&entry.field);
        }
    }
}

impl Inspection {
    /// Maps the columns as the import did that these rows failed in.
    fn continue_as(&mut self, origin: &Origin) {
        let names = continuation::named_as_before(&self.options.header, &origin.options.header);
        let reason = "as in the import that these rows failed in";
        self.map_named(&origin.options, &names, reason, true);
        self.continues.clone_from(&origin.parent);
    }

    /// Maps the columns as other options do. Those that they do not know are left out if the options are `complete`,
    /// else they stay as guessed, save where that would give a field twice.
    pub(crate) fn map_as(&mut self, other: &ImportOptions, reason: &str, complete: bool) {
        let names = self.options.header.clone();
        self.map_named(other, &names, reason, complete);
    }

    fn map_named(&mut self, other: &ImportOptions, names: &[String], reason: &str, complete: bool) {
        let known = other.mapping.entries_for(names);
        let taken: Vec<&String> = known
            .iter()
            .filter_map(|entry| entry.and_then(|entry| entry.field.as_ref()))
            .collect();
        let columns = self.options.mapping.columns.iter_mut();
        for ((column, shown), known) in columns.zip(&mut self.columns).zip(&known) {
            let is_taken = |own: &String| taken.contains(&own);
            match known {
                Some(known) => {
                    let name = std::mem::take(&mut column.column);
                    column.clone_from(known);
                    column.column = name;
                    shown.reason = Some(reason.to_owned());
                }
                None if complete || column.field.as_ref().is_some_and(is_taken) => {
                    column.field = None;
                    shown.reason = None;
                }
                None => {}
            }
            shown.field.clone_from(&column.field);
        }
        self.options.region.clone_from(&other.region);
        self.options.tags.clone_from(&other.tags);
    }

    /// Lets a person's mapping win; columns that it does not know stay as they are.
    pub(crate) fn choose(&mut self, mapping: &Mapping) {
        let names = self.options.header.clone();
        let columns = self.options.mapping.columns.iter_mut();
        for (column, known) in columns.zip(mapping.entries_for(&names)) {
            if let Some(known) = known {
                let name = std::mem::take(&mut column.column);
                column.clone_from(known);
                column.column = name;
            }
        }
    }

    /// Forgets what was taken over from earlier imports: the columns are as header and values suggest.
    pub(crate) fn forget(&mut self) {
        self.remembered = None;
        self.options.mapping = self.guessed.clone();
        self.options.region = None;
        self.options.tags = Vec::new();
        let guessed = self.guessed.columns.iter().zip(&self.reasons);
        for (shown, (column, reason)) in self.columns.iter_mut().zip(guessed) {
            shown.field.clone_from(&column.field);
            shown.reason.clone_from(reason);
        }
    }
}

/// Agrees to an import: stores how it is read and mapped, and queues it.
pub(crate) async fn start(
    app: &App,
    source: &Source,
    import: &Import,
    options: &ImportOptions,
) -> Result<Import, IntakeError> {
    let import = store_options(app, source, import, options, true).await?;
    app.reviews.forget(import.id);
    Ok(import)
}

/// Stores how an import is read and mapped, for its review.
pub(crate) async fn save(
    app: &App,
    source: &Source,
    import: &Import,
    options: &ImportOptions,
) -> Result<Import, IntakeError> {
    store_options(app, source, import, options, false).await
}

async fn store_options(
    app: &App,
    source: &Source,
    import: &Import,
    options: &ImportOptions,
    queue: bool,
) -> Result<Import, IntakeError> {
    if import.state != ImportState::Uploaded {
        return Err(IntakeError::Begun(import.state.key()));
    }
    check_mapping(app, source, options).await?;
    write_options(app, import, options, queue).await
}

/// Stores what was chosen so far, whether it can be run or not.
pub(crate) async fn write_draft(
    app: &App,
    import: &Import,
    options: &ImportOptions,
) -> Result<Import, IntakeError> {
    write_options(app, import, options, false).await
}

async fn write_options(
    app: &App,
    import: &Import,
    options: &ImportOptions,
    queue: bool,
) -> Result<Import, IntakeError> {
    let before = import.options.as_deref().map(serde_json::from_str);
    if let Some(Ok(before)) = before
        && import.edits > 0
        && !options.same_rows(&before)
    {
        // Rows and columns are others now, and edits are by their numbers.
        app.store.undo_edits(import.workspace, import.id).await?;
    }
    let json = serde_json::to_string(options)
        .map_err(|error| IntakeError::Unreadable(error.to_string()))?;
    if queue && let Some(said) = app.reviews.said(import, &json) {
        let (options_json, edits) = (json.clone(), import.edits);
        let queued = app
            .store
            .queue_reviewed(import.workspace, import.id, options_json, edits, said)
            .await?;
        // If somebody edited a row just now, nothing was said of the rows as they are.
        if let Some(import) = queued {
            profiles::remember(app, &import, options, json).await?;
            return Ok(import);
        }
    }
    let stored = app
        .store
        .set_import_options(import.workspace, import.id, json.clone(), queue)
        .await?;
    if queue {
        profiles::remember(app, &stored, options, json).await?;
    }
    Ok(stored)
}

/// Whether the mapping fits the file's header and the workspace's fields.
pub(crate) async fn check_mapping(
    app: &App,
    source: &Source,
    options: &ImportOptions,
) -> Result<(), IntakeError> {
    let schema = app.schema(source.workspace).await?;
    let settings = app.settings(source.workspace).await?;
    options.bind(&schema, &settings, source).map(|_| ())
}

/// An import's file on this machine, for as long as what is returned is held.
pub(crate) async fn file_of(app: &App, import: &Import) -> Result<BlobFile, IntakeError> {
    Ok(app.blobs.fetch(&import.file_hash).await?)
}

/// Earlier imports of the very same content into any source, the first one first. What was never run does not count.
pub(crate) async fn same_file(app: &App, import: &Import) -> Result<Vec<Import>, StoreError> {
    if import.kind != ImportKind::File {
        return Ok(Vec::new());
    }
    let mut imports = app
        .store
        .imports_of_file(import.workspace, import.file_hash)
        .await?;
    imports.reverse();
    Ok(imports
        .into_iter()
        .take_while(|other| other.id != import.id)
        .filter(|other| other.kind == ImportKind::File)
        .filter(|other| other.totals.records > 0 || !other.state.is_over())
        .collect())
}

/// Runs file work where it may block.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, IntakeError> + Send + 'static,
) -> Result<T, IntakeError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(IntakeError::Unreadable(format!(
            "reading the file broke off: {error}"
        ))),
    }
}

/// Looks whether an upload is a file that we take, and what its content's hash and its size are.
fn examine(
    mut file: tempfile::NamedTempFile,
    folder: &Path,
    limits: &FileLimits,
    name: &str,
) -> Result<(tempfile::NamedTempFile, [u8; 32], u64), IntakeError> {
    let size = file.as_file().metadata()?.len();
    let limit = limits.unpacked;
    if size > limit {
        return Err(IntakeError::TooLarge { limit });
    }
    let written = file.as_file().try_clone()?;
    let hash = std::thread::scope(|scope| {
        // It has to be on the disk before it is kept, and can be read until then.
        let on_disk = scope.spawn(move || written.sync_data());
        file::check(file.path(), name, folder, limits)
            .map_err(|error| IntakeError::of_file(&format!("`{name}`"), error))?;
        file.rewind()?;
        let hash = hash_of(file.as_file_mut())?;
        match on_disk.join() {
            Ok(result) => result?,
            Err(panic) => std::panic::resume_unwind(panic),
        }
        Ok::<_, IntakeError>(hash)
    })?;
    Ok((file, hash, size))
}

/// The SHA-256 of what is left of a file.
pub(crate) fn hash_of(file: &mut File) -> Result<[u8; 32], std::io::Error> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok(hasher.finalize().into());
        }
        hasher.update(&buffer[..read]);
    }
}

fn samples(records: &[Record], column: usize) -> Vec<String> {
    let texts = records
        .iter()
        .filter_map(|record| match record.cell(column) {
            Cell::Text(text) if !text.trim().is_empty() => Some(text.trim().to_owned()),
            Cell::List(items) if !items.is_empty() => Some(items.join(", ")),
            _ => None,
        });
    let mut samples: Vec<String> = Vec::new();
    for text in texts {
        if samples.len() == SHOWN {
            break;
        }
        if !samples.contains(&text) {
            samples.push(text);
        }
    }
    samples
}
