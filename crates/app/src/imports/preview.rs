//! The dry run: the verdicts that an import would give, with nothing written.

use std::path::Path;

use rollbook_engine::attempt::Totals;
use rollbook_engine::contact::ContactId;
use rollbook_engine::known::Known;
use rollbook_engine::plan::{Step, plan};
use rollbook_engine::policy::Policy;
use rollbook_store::commit::Delivery;
use rollbook_store::sources::Source;

use crate::app::App;
use crate::imports::intake::IntakeError;
use crate::imports::options::ImportOptions;
use crate::imports::stream;

/// Folds the whole file through the engine and hands every record's verdict to `each`, in file order.
pub(crate) async fn preview(
    app: &App,
    source: &Source,
    path: &Path,
    options: &ImportOptions,
    each: &mut (dyn FnMut(&Delivery, &Step) + Send),
) -> Result<Totals, IntakeError> {
    let prepared = stream::prepare(app, source, path, options).await?;
    let policy = Policy::standard(source.settings.mode, &source.settings.namespace);
    let mut records = stream::records(&prepared, 0);
    let mut known = Known::new();
    // The numbers that the run would give, if nobody else creates contacts meanwhile.
    let mut last = app.store.count_contacts(source.workspace).await?;
    let mut totals = Totals::default();
    while let Some(mut deliveries) = records.next().await? {
        let candidates: Vec<_> = deliveries
            .iter_mut()
            .map(|delivery| std::mem::take(&mut delivery.candidate))
            .collect();
        let asked: Vec<_> = candidates
            .iter()
            .flat_map(|candidate| {
                candidate
                    .identifiers(&policy)
                    .map(|(identifier, _)| identifier)
            })
            .collect();
        for contact in app.store.owners(source.workspace, asked).await? {
            known.add(contact);
        }
        let mut next = || {
            last += 1;
            ContactId(last)
        };
        let plan = plan(
            candidates,
            &mut known,
            &policy,
            prepared.binding.schema(),
            &mut next,
        );
        known.write_nothing();
        totals.add(&plan.totals());
        for (delivery, step) in deliveries.iter().zip(&plan.steps) {
            each(delivery, step);
        }
    }
    Ok(totals)
}
