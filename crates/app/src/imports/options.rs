//! How the file of an import is read and mapped, as stored with the import.

use rollbook_engine::mapping::Mapping;
use rollbook_sources::file::Reading;
use serde::{Deserialize, Serialize};

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
}

impl ImportOptions {
    /// Whether the file has the same rows and columns when it is read in this other way.
    pub(crate) fn same_rows(&self, other: &ImportOptions) -> bool {
        self.reading == other.reading && self.header == other.header
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
