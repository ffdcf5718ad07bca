//! Erasing a person from uploaded files: their rows are blanked where they stand, so that every other row keeps its
//! place; a file that cannot be rewritten is deleted.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;

use rollbook_engine::contact::IdentifierKind;
use rollbook_engine::record::Cell;
use rollbook_engine::traces::Traces;
use rollbook_sources::blank::blank;
use rollbook_sources::csv::CsvRecord;
use rollbook_sources::file::{FileError, FileLimits, RecordSource};
use rollbook_store::erasures::{Erasure, FileErased};
use rollbook_store::imports::{Import, ImportFilter, ImportId, ImportKind};
use rollbook_store::sources::Source;
use rollbook_store::{StoreError, WorkspaceId};

use crate::app::App;
use crate::blobs::{BlobError, BlobFile, Hash};
use crate::clock;
use crate::imports::intake::{self, IntakeError, blocking, hash_of};
use crate::imports::options::ImportOptions;
use crate::imports::run::source_of;
use crate::imports::said::Said;
use crate::privacy::erase::{EraseError, keeping, renew};

/// Imports that are read at a time.
const PAGE: u16 = 500;

/// Erases a person from every kept file of the workspace. `rows` are those that the log knows to be about them.
pub(super) async fn erase(
    app: &App,
    erasure: &Erasure,
    traces: &Traces,
    rows: &[(ImportId, u64)],
) -> Result<(), EraseError> {
    let traces = Arc::new(traces.clone());
    for (hash, imports) in kept(app, erasure.workspace).await? {
        renew(app, erasure).await?;
        let file = match keeping(app, erasure, app.blobs.fetch(&hash)).await {
            Ok(file) => file,
            Err(BlobError::Missing | BlobError::Damaged) => continue,
            Err(error) => return Err(error.into()),
        };
        let own: BTreeSet<u64> = rows
            .iter()
            .filter(|(import, _)| imports.iter().any(|known| known.id == *import))
            .map(|(_, row)| *row)
            .collect();
        let erased = erase_in(app, &file, &imports, &traces, own);
        let Some(erased) = keeping(app, erasure, erased).await? else {
            continue;
        };
        let is_needed = app
            .store
            .erase_file(
                erasure.workspace,
                erasure.number,
                hash,
                erased,
                clock::now(),
            )
            .await?;
        drop(file);
        if !is_needed {
            app.blobs.delete(&hash).await?;
        }
        for import in &imports {
            app.reviews.forget(import.id);
        }
    }
    Ok(())
}

/// The kept files of a workspace, and the imports of each.
pub(super) async fn kept(
    app: &App,
    workspace: WorkspaceId,
) -> Result<Vec<(Hash, Vec<Import>)>, StoreError> {
    let mut files: Vec<(Hash, Vec<Import>)> = Vec::new();
    let mut places: HashMap<Hash, usize> = HashMap::new();
    let mut before = None;
    loop {
        let filter = ImportFilter::default();
        let page = app
            .store
            .imports_like(workspace, filter, before, PAGE)
            .await?;
        let Some(last) = page.last() else { break };
        before = Some(last.id);
        for import in page {
            if import.kind != ImportKind::File || !app.blobs.may_be_kept(&import.file_hash) {
                continue;
            }
            let place = *places.entry(import.file_hash).or_insert_with(|| {
                files.push((import.file_hash, Vec::new()));
                files.len() - 1
            });
            files[place].1.push(import);
        }
    }
    Ok(files)
}

/// How a file is read, as far as anybody knows.
pub(super) async fn reading(
    app: &App,
    file: &BlobFile,
    imports: &[Import],
) -> Result<Option<(Source, ImportOptions)>, EraseError> {
    for import in imports {
        let Some(source) = source_of(app, import).await? else {
            continue;
        };
        if let Some(options) = ImportOptions::of(import) {
            return Ok(Some((source, options)));
        }
        let said = Said::default();
        match intake::inspect(app, &source, file.path(), &import.file_name, &said).await {
            Ok(seen) => return Ok(Some((source, seen.options))),
            Err(IntakeError::Store(error)) => return Err(error.into()),
            // It is no file that can be read; nobody ever got further with it.
            Err(_) => {}
        }
    }
    Ok(None)
}

/// Blanks the rows of a file that are about the person; none if there are no such rows.
async fn erase_in(
    app: &App,
    file: &BlobFile,
    imports: &[Import],
    traces: &Arc<Traces>,
    rows: BTreeSet<u64>,
) -> Result<Option<FileErased>, EraseError> {
    let Some((source, options)) = reading(app, file, imports).await? else {
        let text = tokio::fs::read(file.path())
            .await
            .map_err(IntakeError::Io)?;
        let found = !rows.is_empty() || traces.are_in(&text);
        return Ok(found.then_some(FileErased::Deleted));
    };
    let (path, traces) = (file.path().to_owned(), Arc::clone(traces));
    let (folder, limits) = (app.config.files.clone(), app.config.file_limits());
    let written = blocking(move || {
        let namespace = &source.settings.namespace;
        let mut rows = rows;
        let seek = seek(&path, &folder, &options, &limits, &traces, namespace);
        // A file that cannot be read to its end may hold the person there.
        let Ok(found) = seek else { return Ok(None) };
        rows.extend(found);
        if rows.is_empty() {
            return Ok(Some(None));
        }
        let out = tempfile::NamedTempFile::new_in(&folder)?;
        let (reading, header) = (&options.reading, &options.header);
        match blank(&path, reading, header, &limits, &rows, out.path()) {
            Ok(true) => Ok(Some(Some(out))),
            Ok(false) | Err(_) => Ok(None),
        }
    })
    .await?;
    match written {
        None => Ok(Some(FileErased::Deleted)),
        Some(None) => Ok(None),
        Some(Some(out)) => {
            let (out, hash, size) = blocking(move || {
                let mut file = out.reopen()?;
                let size = file.metadata()?.len();
                let hash = hash_of(&mut file)?;
                Ok((out, hash, size))
            })
            .await?;
            app.blobs.keep(out, &hash).await?;
            Ok(Some(FileErased::Rewritten { hash, size }))
        }
    }
}

/// The rows of a file that tell the person.
pub(super) fn seek(
    path: &Path,
    folder: &Path,
    options: &ImportOptions,
    limits: &FileLimits,
    traces: &Traces,
    namespace: &str,
) -> Result<BTreeSet<u64>, FileError> {
    let columns: Vec<usize> = options
        .mapping
        .columns
        .iter()
        .enumerate()
        .filter(|(_, column)| column.field.as_deref() == Some(IdentifierKind::ExternalId.key()))
        .map(|(place, _)| place)
        .collect();
    let source = RecordSource::open(path, folder, &options.reading, &options.header, limits)?;
    let mut file = source.records()?;
    let mut record = CsvRecord::default();
    let mut rows = BTreeSet::new();
    while file.next(&mut record)? {
        let is_id = |column: &usize| match record.record.cell(*column) {
            Cell::Text(text) => traces.is_external_id(namespace, text.trim()),
            Cell::List(_) | Cell::Absent | Cell::Null => false,
        };
        if traces.are_in(record.raw.as_bytes()) || columns.iter().any(is_id) {
            rows.insert(record.row);
        }
    }
    Ok(rows)
}
