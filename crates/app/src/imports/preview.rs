//! The dry run: the verdicts that an import would give, with nothing written.

use rollbook_engine::attempt::Totals;
use rollbook_engine::plan::Step;
use rollbook_store::sources::Source;

use crate::app::App;
use crate::imports::intake::IntakeError;
use crate::imports::options::ImportOptions;

/// Folds the whole file through the engine and hands every row's verdict to `each`, in file order.
pub(crate) async fn preview(
    app: &App,
    source: &Source,
    path: &std::path::Path,
    options: &ImportOptions,
    each: &mut (dyn FnMut(u64, &Step) + Send),
) -> Result<Totals, IntakeError> {
    let _ = (app, source, path, options, each);
    Err(IntakeError::Unreadable("not built yet".to_owned()))
}
