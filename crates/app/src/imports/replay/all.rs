//! Replaying all attempts that a filter finds: counted first, then run as imports of the kind replay, one a source.
//!
//! What is replayed is settled when the import is made: attempts up to a number, so that it never meets its own. Where it
//! stands is in the log: its newest attempt says which one it repeated, in the transaction that moved its cursor.

mod count;
mod create;
mod options;
mod run;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashSet};

use rollbook_engine::mapping::Mapping;
use rollbook_store::log::{Attempt, AttemptId, LogFilter};
use rollbook_store::sources::{Source, SourceId};
use rollbook_store::{StoreError, WorkspaceId};

use crate::app::App;
use crate::imports::replay::ReplayError;
use crate::imports::replay::origin::{Obstacle, Readers};

pub(crate) use count::count;
pub(crate) use create::create;
pub(crate) use options::ReplayOptions;
pub(crate) use run::Records;
pub(in crate::imports) use run::run;

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
    /// How many attempts were looked at one by one, if that were not all: then the records of a source are those that
    /// the filter finds, less those that are known to be left out; the others that cannot be replayed are met in their
    /// turn.
    pub(crate) looked_at: Option<u64>,
    /// The highest number that is replayed.
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
    /// The first of them, as an example.
    pub(crate) first: Option<AttemptId>,
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
