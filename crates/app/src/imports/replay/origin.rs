//! Where the record of an attempt first came from, which tells how it is read; and what stands in the way.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use rollbook_engine::candidate::Candidate;
use rollbook_engine::issue::{Issue, Problem};
use rollbook_engine::mapping::{Binding, Mapping};
use rollbook_engine::schema::Schema;
use rollbook_sources::file::Reading;
use rollbook_sources::json;
use rollbook_store::StoreError;
use rollbook_store::commit::{Delivery, Payload};
use rollbook_store::imports::{Import, ImportId, ImportKind};
use rollbook_store::log::Attempt;
use rollbook_store::sources::Source;

use crate::app::App;
use crate::imports::edits::Edits;
use crate::imports::intake::file_of;
use crate::imports::options::ImportOptions;
use crate::imports::receive::{self, with_normaliser};
use crate::imports::replay::ReplayError;
use crate::imports::stream;

/// Why an attempt cannot be replayed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Obstacle {
    /// What it said of a person was erased.
    Erased,
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
    /// It was replayed before; that attempt stands for it now.
    Replayed,
}

impl Obstacle {
    /// The word of the API.
    pub(crate) fn key(self) -> &'static str {
        match self {
            Obstacle::Erased => "erased",
            Obstacle::Cut => "cut",
            Obstacle::Undo => "undo",
            Obstacle::SourceGone => "source_gone",
            Obstacle::Paused => "source_paused",
            Obstacle::OriginGone => "origin_gone",
            Obstacle::Replayed => "replayed",
        }
    }

    /// What stands in the way of an attempt, as far as it tells itself.
    pub(crate) fn of(attempt: &Attempt, other_payload: bool) -> Option<Obstacle> {
        if attempt
            .notes
            .iter()
            .any(|note| note.code == "record.erased")
        {
            return Some(Obstacle::Erased);
        }
        let too_large = |issue: &Issue| issue.code == "record.too_large";
        (!other_payload && attempt.issues.iter().any(too_large)).then_some(Obstacle::Cut)
    }
}

impl std::fmt::Display for Obstacle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Obstacle::Erased => "its record was erased; deliver the record again",
            Obstacle::Cut => {
                "its record was too large, so only its beginning was kept; deliver a shorter one"
            }
            Obstacle::Undo => "it took an import back; import the file again",
            Obstacle::SourceGone => "its source does not exist any more; deliver to another one",
            Obstacle::Paused => "its source is paused; resume it first",
            Obstacle::OriginGone => {
                "how its record was read is not known any more; import the file again"
            }
            Obstacle::Replayed => {
                "it was replayed before, and that attempt stands for it now; replay that one"
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
}

impl Reader {
    /// The workspace's fields.
    pub(crate) fn schema(&self) -> &Arc<Schema> {
        self.binding.schema()
    }

    /// The record, normalised; or why it is none.
    pub(crate) fn candidate(&self, payload: &Payload) -> Result<Candidate, Problem> {
        let text =
            std::str::from_utf8(&payload.bytes).map_err(|error| Problem::RecordUnreadable {
                reason: format!("it is not UTF-8: {error}"),
            })?;
        let record = match &self.reading {
            None => json::object_to_record(text, &self.header)?,
            Some(reading) => reading.record(text, &self.header)?,
        };
        Ok(with_normaliser(|normaliser| {
            normaliser.normalise(&record, &self.binding)
        }))
    }

    /// The record of an attempt on its way into the store once more.
    pub(crate) fn delivery(&self, attempt: &Attempt, payload: Payload) -> Delivery {
        let candidate = self
            .candidate(&payload)
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

/// The readers of a source's attempts, each made once.
pub(crate) struct Readers<'a> {
    app: &'a App,
    source: &'a Source,
    /// Where some columns go instead.
    said: Option<&'a Mapping>,
    imports: HashMap<ImportId, Option<Import>>,
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
            imports: HashMap::new(),
            made: HashMap::new(),
            checked: HashSet::new(),
        }
    }

    /// The reader of an attempt's record.
    pub(crate) async fn of(&mut self, attempt: &Attempt) -> Result<Arc<Reader>, ReplayError> {
        let origin = self.origin(attempt).await?;
        if let Some(reader) = self.made.get(&origin) {
            return Ok(Arc::clone(reader));
        }
        let reader = Arc::new(self.reader(origin, true).await?);
        self.made.insert(origin, Arc::clone(&reader));
        Ok(reader)
    }

    /// Whether there is a reader for an attempt's record, without a look at any file.
    pub(crate) async fn check(&mut self, attempt: &Attempt) -> Result<(), ReplayError> {
        let origin = self.origin(attempt).await?;
        if !self.checked.contains(&origin) {
            self.reader(origin, false).await?;
            self.checked.insert(origin);
        }
        Ok(())
    }

    /// The import that the record was a row of; none if it was delivered by itself. A replay leads to what it repeats.
    async fn origin(&mut self, attempt: &Attempt) -> Result<Option<ImportId>, ReplayError> {
        let gone = || ReplayError::Obstacle(Obstacle::OriginGone);
        let (mut import, mut earlier) = (attempt.import, attempt.replay_of);
        loop {
            if let Some(id) = import {
                let found = self.import(id).await?.ok_or_else(gone)?;
                match found.kind {
                    ImportKind::File => return Ok(Some(id)),
                    ImportKind::Undo => return Err(ReplayError::Obstacle(Obstacle::Undo)),
                    ImportKind::Replay => {}
                }
            } else if earlier.is_none() {
                return Ok(None);
            }
            let id = earlier.ok_or_else(gone)?;
            let workspace = self.source.workspace;
            let found = self.app.store.attempt(workspace, id).await?;
            let (found, _) = found.ok_or_else(gone)?;
            (import, earlier) = (found.import, found.replay_of);
        }
    }

    async fn import(&mut self, id: ImportId) -> Result<Option<&Import>, StoreError> {
        if !self.imports.contains_key(&id) {
            let found = self.app.store.import(self.source.workspace, id).await?;
            self.imports.insert(id, found);
        }
        Ok(self.imports.get(&id).and_then(Option::as_ref))
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
            });
        };
        let import = self.import(id).await?;
        let options = import
            .and_then(|import| import.options.as_deref())
            .and_then(|json| serde_json::from_str::<ImportOptions>(json).ok());
        let (Some(import), Some(mut options)) = (import, options) else {
            return Err(ReplayError::Obstacle(Obstacle::OriginGone));
        };
        if let Some(said) = said {
            let schema = app.schema(source.workspace).await?;
            options.mapping = options.mapping.with(said, &schema);
        }
        let mut binding = stream::bind(app, source, &options).await?;
        let file = file_of(app, import);
        if dates && binding.has_dates() && file.exists() {
            // The order of its dates was decided from the whole file, and is again.
            let edits = Edits::of(app, import).await?;
            let prepared = stream::prepare(app, source, &file, &options, edits).await?;
            binding = prepared.binding.as_ref().clone();
        }
        Ok(Reader {
            reading: Some(options.reading),
            header: options.header,
            binding,
        })
    }
}
