//! Where the record of an attempt first came from, which tells how it is read; and what stands in the way.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use rollbook_engine::candidate::Candidate;
use rollbook_engine::issue::{Issue, Note, Problem};
use rollbook_engine::mapping::{Binding, Mapping};
use rollbook_engine::schema::Schema;
use rollbook_sources::file::Reading;
use rollbook_sources::json;
use rollbook_store::commit::{Delivery, Payload};
use rollbook_store::imports::{Import, ImportId, ImportKind};
use rollbook_store::log::Attempt;
use rollbook_store::sources::Source;
use rollbook_store::{StoreError, WorkspaceId};

use crate::app::App;
use crate::blobs::BlobError;
use crate::imports::edits::{Edits, RowEdit};
use crate::imports::intake::{IntakeError, file_of};
use crate::imports::options::ImportOptions;
use crate::imports::receive::{self, with_normaliser};
use crate::imports::replay::ReplayError;
use crate::imports::stream;

/// Why an attempt cannot be replayed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Obstacle {
    /// What it said of a person was erased.
    Erased,
    /// Its payload is not kept any more.
    NoPayload,
    /// Its record was too large, so that only its beginning was kept.
    Cut,
    /// It took something back.
    Undo,
    /// Its source does not exist any more.
    SourceGone,
    /// Its source takes nothing for now.
    Paused,
    /// How its record was read is not known any more.
    OriginGone,
    /// A person left it out when the file was reviewed.
    Dropped,
    /// It was replayed before; that attempt stands for it now.
    Replayed,
    /// It was an event that Rollbook does not act on, and no contact.
    Event,
}

impl Obstacle {
    /// The word of the API.
    pub(crate) fn key(self) -> &'static str {
        match self {
            Obstacle::Erased => "erased",
            Obstacle::NoPayload => "payload_dropped",
            Obstacle::Cut => "cut",
            Obstacle::Undo => "undo",
            Obstacle::SourceGone => "source_gone",
            Obstacle::Paused => "source_paused",
            Obstacle::OriginGone => "origin_gone",
            Obstacle::Dropped => "dropped",
            Obstacle::Replayed => "replayed",
            Obstacle::Event => "event",
        }
    }

    /// What stands in the way of an attempt, as far as it tells itself.
    pub(crate) fn of(attempt: &Attempt) -> Option<Obstacle> {
        if attempt.notes.iter().any(|note| note.code == Note::ERASED) {
            return Some(Obstacle::Erased);
        }
        let is_dropped = |note: &Note| note.code == Note::PAYLOAD_DROPPED;
        if attempt.notes.iter().any(is_dropped) {
            return Some(Obstacle::NoPayload);
        }
        attempt
            .issues
            .iter()
            .find_map(|issue| match issue.code.as_ref() {
                "record.too_large" => Some(Obstacle::Cut),
                Issue::DROPPED => Some(Obstacle::Dropped),
                Issue::EVENT_UNSUPPORTED | Issue::EVENT_WITHOUT_CONTACT => Some(Obstacle::Event),
                _ => None,
            })
    }
}

impl std::fmt::Display for Obstacle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Obstacle::Erased => "its record was erased; deliver the record again",
            Obstacle::NoPayload => "its payload is not kept any more; deliver the record again",
            Obstacle::Cut => {
                "its record was too large, so only its beginning was kept; deliver a shorter one"
            }
            Obstacle::Undo => "it took an import back; import the file again",
            Obstacle::SourceGone => "its source does not exist any more; deliver to another one",
            Obstacle::Paused => "its source is paused; resume it first",
            Obstacle::OriginGone => {
                "how its record was read is not known any more; import the file again"
            }
            Obstacle::Dropped => {
                "a person left it out in the review; replay it by itself to import it after all"
            }
            Obstacle::Replayed => {
                "it was replayed before, and that attempt stands for it now; replay that one"
            }
            Obstacle::Event => {
                "it was an event that Rollbook does not act on; let the system send the contact itself"
            }
        })
    }
}

/// How records of one origin are read.
#[derive(Debug)]
pub(crate) struct Reader {
    /// Of an import, how its file was read; none for what was delivered as JSON.
    reading: Option<Reading>,
    /// Columns or paths.
    header: Vec<String>,
    binding: Binding,
    /// Of an import, what people changed about its rows.
    edits: Arc<Edits>,
}

/// Where a record first came from.
struct Origin {
    /// The import that it was a row of; none if it was delivered by itself.
    import: Option<ImportId>,
    /// Its row there.
    row: Option<u64>,
    /// What was sent then, if the attempt at hand is a replay of it.
    payload: Option<Payload>,
}

impl Reader {
    /// The workspace's fields.
    pub(crate) fn schema(&self) -> &Arc<Schema> {
        self.binding.schema()
    }

    /// The record, with what a person changed about it, normalised; or why it is none.
    pub(crate) fn candidate(
        &self,
        payload: &Payload,
        edit: Option<&RowEdit>,
    ) -> Result<Candidate, Problem> {
        let text =
            std::str::from_utf8(&payload.bytes).map_err(|error| Problem::RecordUnreadable {
                reason: format!("it is not UTF-8: {error}"),
            })?;
        let record = match &self.reading {
            None => json::object_to_record(text, &self.header)?,
            Some(reading) => reading.record(text, &self.header)?,
        };
        Ok(with_normaliser(|normaliser| match edit {
            None => normaliser.normalise(&record, &self.binding),
            Some(edit) => edit.normalise(&record, &self.header, normaliser, &self.binding),
        }))
    }

    /// The record of an attempt on its way into the store once more.
    pub(crate) fn delivery(
        &self,
        attempt: &Attempt,
        payload: Payload,
        edit: Option<&RowEdit>,
    ) -> Delivery {
        let candidate = self
            .candidate(&payload, edit)
            .unwrap_or_else(|problem| Candidate::unreadable(Issue::of_record(&problem)));
        Delivery {
            candidate,
            payload,
            row: attempt.row,
            idempotency: None,
            replay_of: Some(attempt.id),
        }
    }
}

/// How the row of an attempt was read first; none if it was no row, or if that is not known any more.
pub(crate) async fn options_of(
    app: &App,
    workspace: WorkspaceId,
    attempt: &Attempt,
) -> Result<Option<ImportOptions>, StoreError> {
    let mut origins = Origins {
        app,
        workspace,
        imports: HashMap::new(),
    };
    match origins.of(attempt).await {
        Ok(Origin {
            import: Some(id), ..
        }) => Ok(origins.import(id).await?.and_then(ImportOptions::of)),
        Err(ReplayError::Store(error)) => Err(error),
        Ok(_) | Err(_) => Ok(None),
    }
}

/// Where attempts first came from. Imports are read once.
struct Origins<'a> {
    app: &'a App,
    workspace: WorkspaceId,
    imports: HashMap<ImportId, Option<Import>>,
}

impl Origins<'_> {
    /// Where the record of an attempt came from. A replay leads to what it repeats.
    async fn of(&mut self, attempt: &Attempt) -> Result<Origin, ReplayError> {
        let gone = || ReplayError::Obstacle(Obstacle::OriginGone);
        let (mut import, mut row, mut earlier) = (attempt.import, attempt.row, attempt.replay_of);
        let mut payload = None;
        loop {
            let file = match import {
                None => false,
                Some(id) => match self.import(id).await?.ok_or_else(gone)?.kind {
                    ImportKind::File => true,
                    ImportKind::Undo => return Err(ReplayError::Obstacle(Obstacle::Undo)),
                    ImportKind::Replay => false,
                },
            };
            if file || (import.is_none() && earlier.is_none()) {
                return Ok(Origin {
                    import,
                    row,
                    payload,
                });
            }
            let id = earlier.ok_or_else(gone)?;
            let found = self.app.store.attempt(self.workspace, id).await?;
            let (found, sent) = found.ok_or_else(gone)?;
            (import, row, earlier) = (found.import, found.row, found.replay_of);
            payload = Some(sent);
        }
    }

    async fn import(&mut self, id: ImportId) -> Result<Option<&Import>, StoreError> {
        if !self.imports.contains_key(&id) {
            let found = self.app.store.import(self.workspace, id).await?;
            self.imports.insert(id, found);
        }
        Ok(self.imports.get(&id).and_then(Option::as_ref))
    }
}

/// The readers of a source's attempts, each made once.
pub(crate) struct Readers<'a> {
    app: &'a App,
    source: &'a Source,
    /// Where some columns go instead.
    said: Option<&'a Mapping>,
    origins: Origins<'a>,
    made: HashMap<Option<ImportId>, Arc<Reader>>,
    /// Those that could be made.
    checked: HashSet<Option<ImportId>>,
}

impl<'a> Readers<'a> {
    /// No reader yet.
    pub(crate) fn new(app: &'a App, source: &'a Source, said: Option<&'a Mapping>) -> Readers<'a> {
        Readers {
            app,
            source,
            said,
            origins: Origins {
                app,
                workspace: source.workspace,
                imports: HashMap::new(),
            },
            made: HashMap::new(),
            checked: HashSet::new(),
        }
    }

    /// The reader of an attempt's record, and what a person changed about that when its file was reviewed.
    pub(crate) async fn of(
        &mut self,
        attempt: &Attempt,
        payload: &Payload,
    ) -> Result<(Arc<Reader>, Option<RowEdit>), ReplayError> {
        let origin = self.origins.of(attempt).await?;
        let reader = if let Some(reader) = self.made.get(&origin.import) {
            Arc::clone(reader)
        } else {
            let reader = Arc::new(self.reader(origin.import, true).await?);
            self.made.insert(origin.import, Arc::clone(&reader));
            reader
        };
        // A change was made to what the file says, and to nothing that was written since.
        let unchanged = origin.payload.is_none_or(|first| first == *payload);
        let row = origin.row.filter(|_| unchanged);
        let mut edit = row.and_then(|row| reader.edits.row(row)).cloned();
        if let Some(edit) = &mut edit {
            // It is wanted now.
            edit.dropped = None;
        }
        Ok((reader, edit))
    }

    /// Whether there is a reader for an attempt's record, without a look at any file.
    pub(crate) async fn check(&mut self, attempt: &Attempt) -> Result<(), ReplayError> {
        let origin = self.origins.of(attempt).await?.import;
        if !self.checked.contains(&origin) {
            self.reader(origin, false).await?;
            self.checked.insert(origin);
        }
        Ok(())
    }

    /// How the records of an origin are read; with `dates`, in the order that the import's file decided.
    async fn reader(
        &mut self,
        origin: Option<ImportId>,
        dates: bool,
    ) -> Result<Reader, ReplayError> {
        let (app, source, said) = (self.app, self.source, self.said);
        let Some(id) = origin else {
            let (header, binding) = receive::bind(app, source, said).await?;
            return Ok(Reader {
                reading: None,
                header,
                binding,
                edits: Arc::default(),
            });
        };
        let import = self.origins.import(id).await?;
        let options = import.and_then(ImportOptions::of);
        let (Some(import), Some(mut options)) = (import, options) else {
            return Err(ReplayError::Obstacle(Obstacle::OriginGone));
        };
        if let Some(said) = said {
            let schema = app.schema(source.workspace).await?;
            options.mapping = options.mapping.with(said, &schema);
        }
        let mut binding = stream::bind(app, source, &options).await?;
        let edits = Edits::of(app, import).await?;
        if dates && binding.has_dates() {
            match file_of(app, import).await {
                Ok(file) => {
                    // The order of its dates was decided from the whole file, and is again.
                    let (path, edits) = (file.path(), Arc::clone(&edits));
                    let prepared = stream::prepare(app, source, path, &options, edits).await?;
                    binding = prepared.binding.as_ref().clone();
                }
                Err(IntakeError::Blob(BlobError::Missing)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Reader {
            reading: Some(options.reading),
            header: options.header,
            binding,
            edits,
        })
    }
}
