//! Failed rows that come again: a file of ours, perhaps corrected, is read as the file that its rows failed in.

use rollbook_store::StoreError;
use rollbook_store::sources::Source;

use crate::app::App;
use crate::imports::options::ImportOptions;

/// The columns that we add to the file of failed rows.
const OURS: [&str; 2] = ["_row", "_reason"];

/// Whether a column is one that we add.
pub(crate) fn is_ours(name: &str) -> bool {
    OURS.contains(&name)
}

/// How the rows of a file like ours were first read, if it is one: their few values are no ground to guess from anew.
pub(crate) async fn origin(
    app: &App,
    source: &Source,
    header: &[String],
) -> Result<Option<ImportOptions>, StoreError> {
    /// Imports that are looked through.
    const LATEST: u16 = 200;

    if !OURS.iter().all(|name| header.iter().any(|own| own == name)) {
        return Ok(None);
    }
    let names = |header: &[String]| -> Vec<String> {
        let names = header.iter().filter(|name| !is_ours(name));
        names.cloned().collect()
    };
    let wanted = names(header);
    let latest = app.store.imports(source.workspace, None, LATEST).await?;
    Ok(latest
        .iter()
        .filter(|import| import.source == source.id)
        .filter_map(|import| serde_json::from_str(import.options.as_deref()?).ok())
        .find(|options: &ImportOptions| names(&options.header) == wanted))
}
