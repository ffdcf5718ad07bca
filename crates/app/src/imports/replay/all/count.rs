//! Counting what a replay would read. A few thousand attempts are looked at one by one; of more, the log's own counts
//! say how many there are.

use std::collections::{BTreeMap, HashMap};

use rollbook_engine::attempt::ImportResult;
use rollbook_store::log::{Attempt, LogFilter, Paging, ResultCounts};
use rollbook_store::sources::{Source, SourceId};
use rollbook_store::{StoreError, WorkspaceId};

use super::{Found, FoundOfSource, Wish, obstacle, replayed, until};
use crate::app::App;
use crate::imports::replay::ReplayError;
use crate::imports::replay::origin::{Obstacle, Readers};

/// Attempts that are read at a time.
const PAGE: u32 = if cfg!(test) { 20 } else { 2_000 };

/// Attempts that are looked at one by one, which takes well under a second.
const MOST: u64 = if cfg!(test) { 40 } else { 10_000 };

/// Counts what can be replayed, and what cannot. A mapping that does not fit is an error; to know that it fits, every
/// attempt is looked at.
pub(crate) async fn count(
    app: &App,
    workspace: WorkspaceId,
    wish: &Wish,
) -> Result<Found, ReplayError> {
    let most = match wish.mapping {
        Some(_) => u64::MAX,
        None => MOST,
    };
    let sources = app.store.sources(workspace).await?;
    let latest = app.store.latest(workspace).await?;
    let up_to = latest.map_or(0, |(number, _)| number);
    let mut readers: HashMap<SourceId, Readers<'_>> = HashMap::new();
    for source in &sources {
        readers.insert(source.id, Readers::new(app, source, wish.mapping.as_ref()));
    }
    let mut found: BTreeMap<u32, FoundOfSource> = BTreeMap::new();
    let mut after = 0;
    let mut looked_at = 0;
    let is_whole = loop {
        let filter = wish.filter.clone();
        let page = app
            .store
            .page(workspace, filter, Paging::After(after), PAGE)
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
            let obstacle = match (source, readers.get_mut(&attempt.source)) {
                (Some(source), _) if source.paused => Some(Obstacle::Paused),
                (Some(_), Some(readers)) => obstacle(readers, attempt, &replayed).await?,
                (None, _) | (_, None) => Some(Obstacle::SourceGone),
            };
            of_source(&mut found, attempt.source, source).add(attempt, obstacle);
        }
        looked_at += attempts.len() as u64;
        match attempts.last() {
            Some(last) if page.more && last.id.number() < up_to => after = last.id.number(),
            _ => break true,
        }
        if looked_at >= most {
            break false;
        }
    };
    if !is_whole {
        count_the_rest(app, workspace, wish, &sources, &mut found).await?;
    }
    Ok(Found {
        sources: found.into_values().collect(),
        looked_at: (!is_whole).then_some(looked_at),
        up_to,
    })
}

fn of_source<'a>(
    found: &'a mut BTreeMap<u32, FoundOfSource>,
    id: SourceId,
    source: Option<&Source>,
) -> &'a mut FoundOfSource {
    found.entry(id.0).or_insert_with(|| FoundOfSource {
        id,
        source: source.cloned(),
        records: 0,
        first: None,
        left_out: BTreeMap::new(),
    })
}

impl FoundOfSource {
    fn add(&mut self, attempt: &Attempt, obstacle: Option<Obstacle>) {
        if let Some(obstacle) = obstacle {
            *self.left_out.entry(obstacle).or_default() += 1;
        } else {
            self.records += 1;
            self.first.get_or_insert(attempt.id);
        }
    }
}

/// Counts what was not looked at as well: all that the filter finds of a source, less what is known to be left out.
async fn count_the_rest(
    app: &App,
    workspace: WorkspaceId,
    wish: &Wish,
    sources: &[Source],
    found: &mut BTreeMap<u32, FoundOfSource>,
) -> Result<(), StoreError> {
    let mut rest = matching(app, workspace, &wish.filter).await?;
    let wanted = |source: &&Source| wish.filter.source.is_none_or(|wanted| wanted == source.id);
    for source in sources.iter().filter(wanted) {
        if rest == 0 {
            break;
        }
        let filter = LogFilter {
            source: Some(source.id),
            ..wish.filter.clone()
        };
        let all = matching(app, workspace, &filter).await?;
        rest = rest.saturating_sub(all);
        if all == 0 {
            continue;
        }
        let found = of_source(found, source.id, Some(source));
        if source.paused {
            found.left_out = [(Obstacle::Paused, all)].into();
        }
        let left_out: u64 = found.left_out.values().sum();
        found.records = all.saturating_sub(left_out);
    }
    Ok(())
}

/// How many attempts a filter finds, as the log counts them.
async fn matching(
    app: &App,
    workspace: WorkspaceId,
    filter: &LogFilter,
) -> Result<u64, StoreError> {
    let summary = app.store.summary(workspace, filter.clone(), 0).await?;
    let ResultCounts {
        success,
        warning,
        failure,
    } = summary.counts;
    Ok(match filter.result {
        None => summary.counts.all(),
        Some(ImportResult::Success) => success,
        Some(ImportResult::Warning) => warning,
        Some(ImportResult::Failure) => failure,
    })
}
