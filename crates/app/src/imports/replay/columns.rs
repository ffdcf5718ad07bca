//! The columns of a record as it was read, for people who want to map them otherwise.

use rollbook_engine::mapping::Mapping;
use rollbook_sources::json;
use rollbook_store::commit::Payload;
use rollbook_store::log::Attempt;
use rollbook_store::{StoreError, WorkspaceId};

use crate::app::App;
use crate::imports::replay::origin::options_of;

/// A column, or a path of JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReadColumn {
    /// Its name.
    pub(crate) name: String,
    /// What the record has there.
    pub(crate) value: String,
    /// The key of the field that it goes to; none if it is left out.
    pub(crate) field: Option<String>,
}

/// The columns of an attempt's record, and where they go now; of columns with one name the first. None if the record
/// cannot be read.
pub(crate) async fn columns_of(
    app: &App,
    workspace: WorkspaceId,
    attempt: &Attempt,
    payload: &Payload,
) -> Result<Vec<ReadColumn>, StoreError> {
    let Ok(text) = std::str::from_utf8(&payload.bytes) else {
        return Ok(Vec::new());
    };
    if let Some(options) = options_of(app, workspace, attempt).await? {
        let cells = options.reading.cells(text, &options.header);
        let values = cells.into_iter().chain(std::iter::repeat(String::new()));
        let columns = options.header.iter().cloned().zip(values).collect();
        return Ok(mapped(columns, &options.mapping));
    }
    let sources = app.store.sources(workspace).await?;
    let source = sources
        .iter()
        .find(|source| source.id == attempt.source)
        .and_then(|source| source.settings.mapping.as_deref());
    let mapping = match source.and_then(|json| serde_json::from_str(json).ok()) {
        Some(mapping) => mapping,
        None => Mapping::json_default(app.schema(workspace).await?.as_ref()),
    };
    Ok(mapped(json::paths_of(text).unwrap_or_default(), &mapping))
}

fn mapped(columns: Vec<(String, String)>, mapping: &Mapping) -> Vec<ReadColumn> {
    let names: Vec<String> = columns.iter().map(|(name, _)| name.clone()).collect();
    let fields = mapping.entries_for(&names);
    let fields: Vec<Option<String>> = fields
        .into_iter()
        .map(|entry| entry.and_then(|entry| entry.field.clone()))
        .collect();
    let mut seen = std::collections::HashSet::new();
    columns
        .into_iter()
        .zip(fields)
        .filter(|((name, _), _)| seen.insert(name.trim().to_lowercase()))
        .map(|((name, value), field)| ReadColumn { name, value, field })
        .collect()
}

#[cfg(test)]
mod tests {
    use rollbook_engine::mapping::ColumnMapping;

    use super::*;

    #[test]
    fn columns_say_where_they_go_and_each_name_stands_once() {
        let text = |text: &str| text.to_owned();
        let mapping = Mapping {
            columns: vec![ColumnMapping {
                column: text("telefon"),
                field: Some(text("phone")),
                ..ColumnMapping::default()
            }],
        };
        let columns = [("Telefon", "12"), ("Ort", ""), ("ort ", "Kiel")];
        let columns = columns.map(|(name, value)| (text(name), text(value)));
        let column = |name: &str, value: &str, field: Option<&str>| ReadColumn {
            name: text(name),
            value: text(value),
            field: field.map(text),
        };
        assert_eq!(
            mapped(columns.to_vec(), &mapping),
            [
                column("Telefon", "12", Some("phone")),
                column("Ort", "", None)
            ]
        );
    }
}
