//! What a replay would come to, with nothing written.

use rollbook_engine::attempt::Totals;
use rollbook_engine::contact::ContactId;
use rollbook_engine::known::Known;
use rollbook_engine::plan::{Plan, plan};
use rollbook_engine::policy::Policy;
use rollbook_store::StoreError;
use rollbook_store::commit::Delivery;
use rollbook_store::sources::Source;

use crate::app::App;
use crate::imports::preview::{know, last_contact};
use crate::imports::replay::all::{Found, Records, Wish};
use crate::imports::replay::{Ready, ReplayError, policy};

/// Judges batches of a source's records, each after what the ones before would have done.
struct Judge<'a> {
    app: &'a App,
    source: &'a Source,
    policy: Policy,
    known: Known,
    /// The number of the contact that was made last.
    last: u64,
}

impl<'a> Judge<'a> {
    async fn new(app: &'a App, source: &'a Source) -> Result<Judge<'a>, StoreError> {
        Ok(Judge {
            app,
            source,
            policy: policy(source),
            known: Known::new(),
            last: last_contact(app, source).await?,
        })
    }

    async fn plan(&mut self, deliveries: Vec<Delivery>) -> Result<Plan, StoreError> {
        let deliveries = deliveries.into_iter();
        let candidates: Vec<_> = deliveries.map(|delivery| delivery.candidate).collect();
        let identifiers = candidates.iter().flat_map(|candidate| {
            let identifiers = candidate.identifiers(&self.policy);
            identifiers.map(|(identifier, _)| identifier)
        });
        let workspace = self.source.workspace;
        know(self.app, workspace, identifiers.collect(), &mut self.known).await?;
        let schema = self.app.schema(workspace).await?;
        let last = &mut self.last;
        let mut next = || {
            *last += 1;
            ContactId(*last)
        };
        let plan = plan(
            candidates,
            &mut self.known,
            &self.policy,
            &schema,
            &mut next,
        );
        self.known.write_nothing();
        Ok(plan)
    }
}

/// What the replay of one attempt would come to.
pub(crate) async fn one(app: &App, ready: Ready) -> Result<Plan, ReplayError> {
    let mut judge = Judge::new(app, &ready.source).await?;
    Ok(judge.plan(vec![ready.delivery]).await?)
}

/// What the replay of all that was found would come to. Sources are judged apart, each by its own rules.
pub(crate) async fn all(app: &App, wish: &Wish, found: &Found) -> Result<Totals, ReplayError> {
    let mut totals = Totals::default();
    for of_source in &found.sources {
        let Some(source) = of_source.source.as_ref().filter(|_| of_source.records > 0) else {
            continue;
        };
        let mut judge = Judge::new(app, source).await?;
        let mut records = Records::of(app, wish, found, source);
        loop {
            let batch = records.next_batch().await?;
            if batch.is_empty() {
                break;
            }
            totals.add(&judge.plan(batch).await?.totals());
        }
    }
    Ok(totals)
}
