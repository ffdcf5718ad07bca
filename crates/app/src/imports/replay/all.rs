//! Replaying all attempts that a filter finds: counted first, then run as imports of the kind replay, one a source.
//!
//! What is replayed is settled when the import is made: attempts up to a number, so that it never meets its own. Where it
//! stands is in the log: its newest attempt says which one it repeated, in the transaction that moved its cursor.

use std::collections::{BTreeMap, HashMap, HashSet};

use rollbook_engine::attempt::{Action, ImportResult};
use rollbook_engine::contact::{ContactId, IdentifierKind};
use rollbook_engine::mapping::Mapping;
use rollbook_store::commit::{Batch, Delivery, ImportStep, Payload};
use rollbook_store::imports::{
    Import, ImportFilter, ImportId, ImportKind, ImportState, Lease, NewImport,
};
use rollbook_store::log::{Attempt, LogFilter, Paging, Search};
use rollbook_store::sources::{Source, SourceId};
use rollbook_store::{StoreError, Timestamp, WorkspaceId};
use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::clock;
use crate::imports::options::ImportOptions;
use crate::imports::replay::origin::{Obstacle, Readers};
use crate::imports::replay::{ReplayError, policy};
use crate::imports::run::{Ended, Heartbeat, batch_size, source_of};

/// Attempts that are counted at a time.
const COUNTED: u32 = 2_000;

/// Attempts that are read with their payloads at a time.
const READ: u32 = if cfg!(test) { 2 } else { 500 };

/// Bytes of payloads that are committed together at most.
const BATCH_BYTES: usize = 16 << 20;

/// Which attempts are to be replayed, and what is to be different.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wish {
    /// The attempts.
    pub(crate) filter: LogFilter,
    /// Where some columns go instead.
    pub(crate) mapping: Option<Mapping>,
    /// Those that were replayed before as well.
    pub(crate) again: bool,
}

/// What a wish comes to.
#[derive(Debug, Clone, Default)]
pub(crate) struct Found {
    /// Source by source, in order of their numbers.
    pub(crate) sources: Vec<FoundOfSource>,
    /// The highest number that was looked at.
    up_to: u64,
}

/// What a wish comes to in one source.
#[derive(Debug, Clone)]
pub(crate) struct FoundOfSource {
    /// Its number.
    pub(crate) id: SourceId,
    /// The source; none if it is gone.
    pub(crate) source: Option<Source>,
    /// How many records can be replayed.
    pub(crate) records: u64,
    /// How many cannot, and why.
    pub(crate) left_out: BTreeMap<Obstacle, u64>,
}

impl Found {
    /// How many records can be replayed in all.
    pub(crate) fn records(&self) -> u64 {
        self.sources.iter().map(|found| found.records).sum()
    }

    /// How many cannot in all, and why.
    pub(crate) fn left_out(&self) -> BTreeMap<Obstacle, u64> {
        let mut all = BTreeMap::new();
        for (obstacle, count) in self.sources.iter().flat_map(|found| &found.left_out) {
            *all.entry(*obstacle).or_default() += count;
        }
        all
    }
}

/// Counts what can be replayed, and what cannot. A mapping that does not fit is an error.
pub(crate) async fn count(
    app: &App,
    workspace: WorkspaceId,
    wish: &Wish,
) -> Result<Found, ReplayError> {
    let sources = app.store.sources(workspace).await?;
    let latest = app.store.latest(workspace).await?;
    let up_to = latest.map_or(0, |(number, _)| number);
    let mut readers: HashMap<SourceId, Readers<'_>> = HashMap::new();
    for source in &sources {
        readers.insert(source.id, Readers::new(app, source, wish.mapping.as_ref()));
    }
    let mut found: BTreeMap<u32, FoundOfSource> = BTreeMap::new();
    let mut after = 0;
    loop {
        let filter = wish.filter.clone();
        let page = app
            .store
            .page(workspace, filter, Paging::After(after), COUNTED)
            .await?;
        let attempts = until(page.attempts, up_to, |attempt| attempt);
        let replayed = replayed(
            app,
            workspace,
            wish.again,
            attempts.first(),
            attempts.last(),
        );
        let replayed = replayed.await?;
        for attempt in &attempts {
            let source = sources.iter().find(|source| source.id == attempt.source);
            let of_source = found
                .entry(attempt.source.0)
                .or_insert_with(|| FoundOfSource {
                    id: attempt.source,
                    source: source.cloned(),
                    records: 0,
                    left_out: BTreeMap::new(),
                });
            let obstacle = match (source, readers.get_mut(&attempt.source)) {
                (Some(source), _) if source.paused => Some(Obstacle::Paused),
                (Some(_), Some(readers)) => obstacle(readers, attempt, &replayed).await?,
                (None, _) | (_, None) => Some(Obstacle::SourceGone),
            };
            match obstacle {
                None => of_source.records += 1,
                Some(obstacle) => *of_source.left_out.entry(obstacle).or_default() += 1,
            }
        }
        match attempts.last() {
            Some(last) if page.more && last.id.number() < up_to => after = last.id.number(),
            _ => break,
        }
    }
    Ok(Found {
        sources: found.into_values().collect(),
        up_to,
    })
}

/// Makes and queues the imports that replay what was found, one a source.
pub(crate) async fn create(
    app: &App,
    workspace: WorkspaceId,
    wish: &Wish,
    found: &Found,
    created_by: &str,
) -> Result<Vec<Import>, ReplayError> {
    let sources = found.sources.iter();
    let sources: Vec<(&Source, u64)> = sources
        .filter(|found| found.records > 0)
        .filter_map(|found| Some((found.source.as_ref()?, found.records)))
        .collect();
    if sources.is_empty() {
        return Err(ReplayError::Nothing);
    }
    for (source, _) in &sources {
        let waiting = ImportFilter {
            states: vec![ImportState::Queued, ImportState::Running],
            source: Some(source.id),
            ..ImportFilter::default()
        };
        let waiting = app.store.imports_like(workspace, waiting, None, u16::MAX);
        let mut waiting = waiting.await?.into_iter();
        if let Some(import) = waiting.find(|import| import.kind == ImportKind::Replay) {
            return Err(ReplayError::Busy(import.id));
        }
    }
    let parent = match wish.filter.import {
        Some(id) => app.store.import(workspace, id).await?,
        None => None,
    };
    let mut file = parent.as_ref().and_then(ImportOptions::of);
    if let (Some(file), Some(said)) = (&mut file, &wish.mapping) {
        let schema = app.schema(workspace).await?;
        file.mapping = file.mapping.with(said, &schema);
    }
    let mut imports = Vec::with_capacity(sources.len());
    for (source, records) in sources {
        let options = ReplayOptions {
            filter: StoredFilter::of(&wish.filter),
            up_to: found.up_to,
            again: wish.again,
            records,
            mapping: wish.mapping.clone(),
            file: file.clone(),
        };
        let options = serde_json::to_string(&options)
            .map_err(|error| StoreError::Damaged(error.to_string()))?;
        let parent = parent.as_ref().filter(|parent| parent.source == source.id);
        let import = NewImport {
            id: ImportId(uuid::Uuid::now_v7()),
            workspace,
            kind: ImportKind::Replay,
            parent: parent.map(|parent| parent.id),
            source: source.id,
            file_name: title(records),
            file_size: 0,
            file_hash: [0; 32],
            created_by: created_by.to_owned(),
            created_at: clock::now(),
            options: Some(options),
            state: ImportState::Queued,
        };
        imports.push(app.store.create_import(import).await?);
    }
    Ok(imports)
}

/// What stands where imports of files have the name of their file.
fn title(records: u64) -> String {
    match records {
        1 => "Replay of 1 record".to_owned(),
        _ => format!("Replay of {records} records"),
    }
}

/// Runs an import of the kind replay from where it stands.
pub(in crate::imports) async fn run(
    app: &App,
    import: &Import,
    lease: Lease,
    alive: &Heartbeat,
) -> Result<Ended, ReplayError> {
    let Some(source) = source_of(app, import).await? else {
        return Ok(Ended::Failed("its source is gone".to_owned()));
    };
    let options = import.options.as_deref();
    let Some(options) = options.and_then(|json| serde_json::from_str::<ReplayOptions>(json).ok())
    else {
        return Ok(Ended::Failed(
            "what it replays was never stored; replay from the log again".to_owned(),
        ));
    };
    app.store
        .set_expected_records(import.workspace, import.id, lease, options.records)
        .await?;
    let mut records = Records {
        app,
        workspace: import.workspace,
        filter: LogFilter {
            source: Some(source.id),
            ..options.filter.read()
        },
        again: options.again,
        up_to: options.up_to,
        after: position(app, import).await?,
        ended: false,
        readers: Readers::new(app, &source, options.mapping.as_ref()),
    };
    let mut cursor = import.cursor;
    loop {
        let deliveries = records.next_batch().await?;
        if deliveries.is_empty() {
            return Ok(Ended::AtTheEnd);
        }
        if alive.asked_to_stop() {
            return Ok(Ended::Cancelled);
        }
        let batch = Batch {
            workspace: import.workspace,
            source: source.id,
            policy: policy(&source),
            schema: app.schema(import.workspace).await?,
            received_at: clock::now(),
            deliveries,
        };
        let step = ImportStep {
            import: import.id,
            lease,
            cursor,
            expected: Vec::new(),
        };
        cursor += app.store.commit_import_batch(batch, step).await?.records;
    }
}

/// The number of the attempt that an import repeated last; 0 if none.
async fn position(app: &App, import: &Import) -> Result<u64, StoreError> {
    let own = LogFilter {
        import: Some(import.id),
        ..LogFilter::default()
    };
    let page = app
        .store
        .page(import.workspace, own, Paging::Newest, 1)
        .await?;
    let last = page.attempts.first().and_then(|attempt| attempt.replay_of);
    Ok(last.map_or(0, rollbook_store::log::AttemptId::number))
}

/// The records of one source that a wish comes to, in order of the log.
pub(crate) struct Records<'a> {
    app: &'a App,
    workspace: WorkspaceId,
    filter: LogFilter,
    again: bool,
    up_to: u64,
    /// The number of the attempt that was read last.
    after: u64,
    ended: bool,
    readers: Readers<'a>,
}

impl<'a> Records<'a> {
    /// From the first record.
    pub(crate) fn of(
        app: &'a App,
        wish: &'a Wish,
        found: &Found,
        source: &'a Source,
    ) -> Records<'a> {
        Records {
            app,
            workspace: source.workspace,
            filter: LogFilter {
                source: Some(source.id),
                ..wish.filter.clone()
            },
            again: wish.again,
            up_to: found.up_to,
            after: 0,
            ended: false,
            readers: Readers::new(app, source, wish.mapping.as_ref()),
        }
    }

    /// Enough records for a batch; none at the end.
    pub(crate) async fn next_batch(&mut self) -> Result<Vec<Delivery>, ReplayError> {
        let mut batch = Vec::new();
        let mut bytes = 0;
        let most = if cfg!(test) { 4 } else { batch_size(self.app) };
        while !self.ended && batch.len() < most && bytes < BATCH_BYTES {
            let page = self
                .app
                .store
                .page_with_payloads(
                    self.workspace,
                    self.filter.clone(),
                    Paging::After(self.after),
                    READ,
                )
                .await?;
            let page = until(page, self.up_to, |(attempt, _): &(Attempt, Payload)| {
                attempt
            });
            self.ended = page.len() < READ as usize;
            let ends = [page.first(), page.last()].map(|end| end.map(|(attempt, _)| attempt));
            let replayed = replayed(self.app, self.workspace, self.again, ends[0], ends[1]).await?;
            for (attempt, payload) in page {
                self.after = attempt.id.number();
                if obstacle(&mut self.readers, &attempt, &replayed)
                    .await?
                    .is_some()
                {
                    continue;
                }
                let (reader, edit) = self.readers.of(&attempt, &payload).await?;
                bytes += payload.bytes.len();
                batch.push(reader.delivery(&attempt, payload, edit.as_ref()));
            }
        }
        Ok(batch)
    }
}

/// What stands in the way of an attempt of a source that takes records.
async fn obstacle(
    readers: &mut Readers<'_>,
    attempt: &Attempt,
    replayed: &HashSet<u64>,
) -> Result<Option<Obstacle>, ReplayError> {
    if let Some(obstacle) = Obstacle::of(attempt) {
        return Ok(Some(obstacle));
    }
    if replayed.contains(&attempt.id.number()) {
        return Ok(Some(Obstacle::Replayed));
    }
    match readers.check(attempt).await {
        Ok(()) => Ok(None),
        Err(ReplayError::Obstacle(obstacle)) => Ok(Some(obstacle)),
        Err(error) => Err(error),
    }
}

/// Which attempts from the first to the last were replayed before; none if that does not matter.
async fn replayed(
    app: &App,
    workspace: WorkspaceId,
    again: bool,
    first: Option<&Attempt>,
    last: Option<&Attempt>,
) -> Result<HashSet<u64>, StoreError> {
    let (Some(first), Some(last), false) = (first, last, again) else {
        return Ok(HashSet::new());
    };
    let numbers = app
        .store
        .replayed(workspace, first.id.number(), last.id.number())
        .await?;
    Ok(numbers.into_iter().collect())
}

/// Those up to a number.
fn until<T>(mut page: Vec<T>, up_to: u64, attempt: impl Fn(&T) -> &Attempt) -> Vec<T> {
    let kept = page.partition_point(|one| attempt(one).id.number() <= up_to);
    page.truncate(kept);
    page
}

/// What an import of the kind replay stores. Never mistaken for how a file is read: it names no reading.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReplayOptions {
    filter: StoredFilter,
    up_to: u64,
    #[serde(default)]
    again: bool,
    records: u64,
    #[serde(default)]
    mapping: Option<Mapping>,
    /// How the records are read, if all of them are rows of one file.
    #[serde(default)]
    pub(crate) file: Option<ImportOptions>,
}

/// A filter as stored.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct StoredFilter {
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    result: Option<ImportResult>,
    action: Option<Action>,
    matched_on: Option<String>,
    import: Option<String>,
    contact: Option<u64>,
    text: Option<String>,
    phone_digits: Option<String>,
}

impl StoredFilter {
    /// The source is the import's.
    fn of(filter: &LogFilter) -> StoredFilter {
        StoredFilter {
            from: filter.from,
            to: filter.to,
            result: filter.result,
            action: filter.action,
            matched_on: filter.matched_on.map(|kind| kind.key().to_owned()),
            import: filter.import.map(|id| id.to_string()),
            contact: filter.contact.map(|id| id.0),
            text: filter.search.as_ref().map(|search| search.text.clone()),
            phone_digits: filter
                .search
                .as_ref()
                .and_then(|search| search.phone_digits.clone()),
        }
    }

    fn read(&self) -> LogFilter {
        let phone_digits = self.phone_digits.clone();
        LogFilter {
            from: self.from,
            to: self.to,
            result: self.result,
            source: None,
            action: self.action,
            matched_on: self
                .matched_on
                .as_deref()
                .and_then(IdentifierKind::from_key),
            import: self
                .import
                .as_deref()
                .and_then(|id| id.parse().ok())
                .map(ImportId),
            contact: self.contact.map(ContactId),
            search: self.text.clone().map(|text| Search {
                text,
                phone_digits,
                ..Search::default()
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::config::{Config, Flags};
    use crate::imports::receive::{Incoming, receive};
    use crate::imports::run::{LEASE_MILLIS, run};

    async fn app(folder: &std::path::Path) -> App {
        let (defaults, _) = Flags::default().resolve().unwrap();
        let config = Config {
            database: format!("sqlite:{}", folder.join("rollbook.db").display()),
            files: folder.join("files"),
            ..defaults
        };
        App::open(config).await.unwrap()
    }

    /// The whole log, oldest first.
    async fn log(app: &App, workspace: WorkspaceId) -> Vec<Attempt> {
        let everything = LogFilter::default();
        let page = app
            .store
            .page(workspace, everything, Paging::After(0), 1_000);
        page.await.unwrap().attempts
    }

    #[tokio::test]
    async fn who_takes_a_replay_over_goes_on_behind_the_last_one_repeated() {
        let folder = tempfile::tempdir().unwrap();
        let app = app(folder.path()).await;
        let workspace = app.workspace().await.unwrap().id;
        let source = app
            .store
            .source(workspace, "manual")
            .await
            .unwrap()
            .unwrap();
        let records = (1..=30).map(|number| Incoming {
            body: format!(r#"{{"external_id":"G{number}","name":"Guest"}}"#).into_bytes(),
            content_type: "application/json".to_owned(),
            idempotency: None,
            problem: None,
        });
        receive(&app, &source, records.collect()).await.unwrap();
        let wish = Wish::default();
        let found = count(&app, workspace, &wish).await.unwrap();
        assert_eq!(found.records(), 30);
        let import = create(&app, workspace, &wish, &found, "tests")
            .await
            .unwrap()
            .remove(0);
        assert!(matches!(
            create(&app, workspace, &wish, &found, "tests").await,
            Err(ReplayError::Busy(_))
        ));

        // The first worker commits two batches and falls silent.
        let only = Some((workspace, import.id));
        let now = clock::now();
        let (_, lease) = app.store.claim_import(only, now, 1).await.unwrap().unwrap();
        let mut first = Records::of(&app, &wish, &found, &source);
        let batch = |deliveries| Batch {
            workspace,
            source: source.id,
            policy: policy(&source),
            schema: std::sync::Arc::new(rollbook_engine::schema::Schema::built_in()),
            received_at: now,
            deliveries,
        };
        let step = |cursor| ImportStep {
            import: import.id,
            lease,
            cursor,
            expected: Vec::new(),
        };
        let mut cursor = 0;
        for _ in 0..2 {
            let deliveries = first.next_batch().await.unwrap();
            let committed = app
                .store
                .commit_import_batch(batch(deliveries), step(cursor));
            cursor += committed.await.unwrap().records;
        }
        assert_eq!(cursor, 8);
        // Meanwhile one that was repeated is erased, and one that was not: counting records would lose the place.
        let old = log(&app, workspace).await;
        for position in [2, 20] {
            let person = LogFilter {
                contact: old[position].contact,
                ..LogFilter::default()
            };
            app.store
                .erase_attempts(workspace, person, 0)
                .await
                .unwrap();
        }
        let late = Timestamp(now.0 + 10);
        let claimed = app
            .store
            .claim_import(only, late, LEASE_MILLIS)
            .await
            .unwrap();
        let (import, newer) = claimed.unwrap();
        let ended = run(&app, import, newer).await.unwrap();
        assert_eq!((ended.state, ended.totals.records), (ImportState::Done, 29));
        // The first one wakes up, too late.
        let deliveries = first.next_batch().await.unwrap();
        let refused = app
            .store
            .commit_import_batch(batch(deliveries), step(8))
            .await;
        assert!(matches!(refused, Err(StoreError::LeaseLost)));

        let log = log(&app, workspace).await;
        assert_eq!(log.len(), 59);
        let repeated: Vec<u64> = log[30..]
            .iter()
            .map(|attempt| attempt.replay_of.unwrap().number())
            .collect();
        let expected: Vec<u64> = (1..=30).filter(|number| *number != 21).collect();
        assert_eq!(repeated, expected);
    }

    #[test]
    fn a_filter_is_stored_whole_and_is_no_way_to_read_a_file() {
        let filter = LogFilter {
            from: Some(Timestamp(1)),
            to: Some(Timestamp(2)),
            result: Some(ImportResult::Failure),
            source: None,
            action: Some(Action::Updated),
            matched_on: Some(IdentifierKind::Phone),
            import: Some(ImportId(uuid::Uuid::from_u128(7))),
            contact: Some(ContactId(3)),
            search: Some(Search {
                text: "weber".to_owned(),
                phone_digits: Some("171".to_owned()),
                ..Search::default()
            }),
        };
        let options = ReplayOptions {
            filter: StoredFilter::of(&filter),
            up_to: 9,
            again: true,
            records: 4,
            mapping: Some(Mapping::default()),
            file: None,
        };
        let json = serde_json::to_string(&options).unwrap();
        let read: ReplayOptions = serde_json::from_str(&json).unwrap();
        assert_eq!(read.filter.read(), filter);
        assert!(serde_json::from_str::<ImportOptions>(&json).is_err());
    }
}
