//! How the file of an import is read and mapped, as stored with the import.

use std::sync::Arc;

use rollbook_engine::mapping::{Binding, Mapping};
use rollbook_engine::record::Header;
use rollbook_engine::schema::Schema;
use rollbook_sources::file::Reading;
use rollbook_store::imports::{Import, ImportKind};
use rollbook_store::sources::Source;
use rollbook_store::workspaces::WorkspaceSettings;
use serde::{Deserialize, Serialize};

use crate::app::locale;
use crate::imports::intake::IntakeError;
use crate::imports::replay::all::ReplayOptions;
use crate::imports::said::Said;

/// Everything that is needed to read a file again exactly as it was reviewed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ImportOptions {
    /// Of text its encoding, delimiter, quote and header row; of a spreadsheet its sheet and header row.
    #[serde(flatten)]
    pub(crate) reading: Reading,
    /// The header's names.
    pub(crate) header: Vec<String>,
    /// Which column goes where.
    pub(crate) mapping: Mapping,
    /// The phone region of this file, if it is not the source's.
    pub(crate) region: Option<String>,
    /// Tags that every record of this file brings.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) tags: Vec<String>,
    /// What a person said about how the file is read; the rest of the reading was found out.
    #[serde(default, skip_serializing_if = "Said::is_nothing")]
    pub(crate) said: Said,
}

impl ImportOptions {
    /// Whether the file has the same rows and columns when it is read in this other way.
    pub(crate) fn same_rows(&self, other: &ImportOptions) -> bool {
        self.reading == other.reading && self.header == other.header
    }

    /// What the file's records are read by: the mapping, with the region and the tags of the whole file.
    pub(crate) fn bind(
        &self,
        schema: &Arc<Schema>,
        settings: &WorkspaceSettings,
        source: &Source,
    ) -> Result<Binding, IntakeError> {
        let mut locale = locale(settings, source);
        if self.region.is_some() {
            locale.region.clone_from(&self.region);
        }
        let header = Header {
            names: self.header.clone(),
        };
        self.mapping
            .bind(&header, schema, &locale)
            .and_then(|binding| {
                let tags = self.tags.iter().map(String::as_str);
                binding
                    .of_file()
                    .with_tags(tags)
                    .map_err(|error| vec![error])
            })
            .map_err(|errors| {
                IntakeError::Mapping(errors.iter().map(ToString::to_string).collect())
            })
    }

    /// How the rows of an import were read: its own file's, or of a replay those of the one import that it repeats. None
    /// if that was never stored, or if its records were no rows of one file.
    pub(crate) fn of(import: &Import) -> Option<ImportOptions> {
        let json = import.options.as_deref()?;
        match import.kind {
            ImportKind::File => serde_json::from_str(json).ok(),
            ImportKind::Replay => serde_json::from_str::<ReplayOptions>(json).ok()?.file,
            ImportKind::Undo => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_stored_before_there_were_other_formats_are_read() {
        let stored = r#"{"dialect":{"encoding":"windows-1252","delimiter":";","quote":"\"","escape":null,"bare_cr":false,
            "padded":false,"columns":2,"header_row":1},"header":["Name","Telefon"],
            "mapping":{"columns":[{"column":"Telefon","field":"phone"}]},"region":null}"#;
        let options: ImportOptions = serde_json::from_str(stored).unwrap();
        let Reading::Csv(dialect) = &options.reading else {
            panic!("{:?}", options.reading);
        };
        assert_eq!((dialect.delimiter, dialect.header_row), (';', 1));
        assert_eq!(options.mapping.columns.len(), 1);
    }

    #[test]
    fn what_was_said_of_a_whole_file_is_kept() {
        let stored = r#"{"json":{"layout":"lines"},"header":["a"],"mapping":{"columns":[]},"region":null,"tags":["VIP"],"said":{"header_row":2}}"#;
        let options: ImportOptions = serde_json::from_str(stored).unwrap();
        assert_eq!(options.tags, ["VIP"]);
        assert_eq!(options.said.header_row, Some(2));
        assert_eq!(serde_json::to_string(&options).unwrap(), stored);
    }

    #[test]
    fn options_of_every_format_are_read_as_they_were_stored() {
        for reading in [
            r#""table":{"kind":"xlsx","sheet":"Guests","header_row":3,"columns":4}"#,
            r#""vcard":{"encoding":"UTF-8"}"#,
            r#""json":{"layout":"lines"}"#,
        ] {
            let stored =
                format!(r#"{{{reading},"header":["a"],"mapping":{{"columns":[]}},"region":"DE"}}"#);
            let options: ImportOptions = serde_json::from_str(&stored).unwrap();
            assert_eq!(serde_json::to_string(&options).unwrap(), stored);
        }
    }
}
