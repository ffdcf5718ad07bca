//! Taking a file in: storing it, finding out how it is to be read, guessing its mapping, queueing the import.

use std::fs::File;
use std::io::{Read, Seek};
use std::path::Path;

use rollbook_engine::mapping::{ColumnMapping, Mapping};
use rollbook_engine::record::{Cell, Record};
use rollbook_engine::schema::Schema;
use rollbook_sources::file::{self, FileError, FileLimits, Reading, texts};
use rollbook_store::StoreError;
use rollbook_store::imports::{Import, ImportId, ImportKind, ImportState, NewImport};
use rollbook_store::sources::Source;
use sha2::{Digest, Sha256};

use crate::app::App;
use crate::blobs::{BlobError, BlobFile};
use crate::clock;
use crate::imports::continuation::{self, Origin};
use crate::imports::options::ImportOptions;
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
        let columns = header
            .names
            .iter()
            .enumerate()
            .map(|(column, name)| Column {
                name: name.clone(),
                samples: samples(&records, column),
                field: mapping.columns[column].field.clone(),
                reason: guesses[column].as_ref().map(|guess| guess.reason.clone()),
            });
        let numbers = continuation::numbers(&header.names, &records);
        let inspection = Inspection {
            columns: columns.collect(),
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
        inspection.map_as(&origin);
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
    fn map_as(&mut self, origin: &Origin) {
        let earlier = &origin.options;
        let names = continuation::named_as_before(&self.options.header, &earlier.header);
        let known = earlier.mapping.entries_for(&names);
        let columns = self.options.mapping.columns.iter_mut();
        for ((column, shown), known) in columns.zip(&mut self.columns).zip(known) {
            let name = std::mem::take(&mut column.column);
            *column = ColumnMapping {
                column: name,
                ..known.cloned().unwrap_or_default()
            };
            shown.field.clone_from(&column.field);
            shown.reason = known.map(|_| "as in the import that these rows failed in".to_owned());
        }
        self.options.region.clone_from(&earlier.region);
        self.continues.clone_from(&origin.parent);
        self.options.tags.clone_from(&earlier.tags);
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
    let before = import.options.as_deref().map(serde_json::from_str);
    if let Some(Ok(before)) = before
        && import.edits > 0
        && !options.same_rows(&before)
    {
        // Rows and columns are others now, and edits are by their numbers.
        app.store.undo_edits(source.workspace, import.id).await?;
    }
    let json = serde_json::to_string(options)
        .map_err(|error| IntakeError::Unreadable(error.to_string()))?;
    if queue && let Some(said) = app.reviews.said(import, &json) {
        let (options, edits) = (json.clone(), import.edits);
        let queued = app
            .store
            .queue_reviewed(source.workspace, import.id, options, edits, said)
            .await?;
        // If somebody edited a row just now, nothing was said of the rows as they are.
        if let Some(import) = queued {
            return Ok(import);
        }
    }
    Ok(app
        .store
        .set_import_options(source.workspace, import.id, json, queue)
        .await?)
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
    file::check(file.path(), name, folder, limits)
        .map_err(|error| IntakeError::of_file(&format!("`{name}`"), error))?;
    file.rewind()?;
    let hash = hash_of(file.as_file_mut())?;
    Ok((file, hash, size))
}

/// The SHA-256 of what is left of a file.
fn hash_of(file: &mut File) -> Result<[u8; 32], std::io::Error> {
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
