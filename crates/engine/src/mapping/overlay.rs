//! A mapping with some of its columns said anew.

use super::{ColumnMapping, Mapping, folded};
use crate::schema::Schema;

impl Mapping {
    /// This mapping where `said` says nothing: the columns that it names go where it says, all others where they went.
    /// A field with one value takes it from the column that was named, and from no other any more.
    #[must_use]
    pub fn with(&self, said: &Mapping, schema: &Schema) -> Mapping {
        let mut columns = self.columns.clone();
        let named = |column: &str| {
            let mut entries = said.columns.iter();
            entries.any(|entry| folded(&entry.column) == folded(column))
        };
        for entry in &said.columns {
            let field = entry.field.as_deref().and_then(|key| schema.by_key(key));
            if let Some(field) = field.filter(|field| !field.kind.is_list()) {
                for column in &mut columns {
                    if column.field.as_ref() == Some(&field.key) && !named(&column.column) {
                        column.field = None;
                    }
                }
            }
            let mut found = false;
            for column in &mut columns {
                if folded(&column.column) == folded(&entry.column) {
                    // The name stays as the header has it.
                    let name = std::mem::take(&mut column.column);
                    *column = ColumnMapping {
                        column: name,
                        ..entry.clone()
                    };
                    found = true;
                }
            }
            if !found {
                columns.push(entry.clone());
            }
        }
        Mapping { columns }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapping(entries: &[(&str, Option<&str>)]) -> Mapping {
        let columns = entries.iter().map(|(column, field)| ColumnMapping {
            column: (*column).to_owned(),
            field: field.map(str::to_owned),
            ..ColumnMapping::default()
        });
        Mapping {
            columns: columns.collect(),
        }
    }

    #[test]
    fn what_is_not_said_stays() {
        let before = mapping(&[
            ("Name", Some("name")),
            ("Tel", Some("phone")),
            ("Ort", None),
            ("Full name", None),
        ]);
        let said = mapping(&[
            ("full name", Some("name")),
            ("Mobil", Some("phone")),
            ("ORT", Some("city")),
        ]);
        let expected = mapping(&[
            ("Name", None),
            ("Tel", Some("phone")),
            ("Ort", Some("city")),
            ("Full name", Some("name")),
            ("Mobil", Some("phone")),
        ]);
        assert_eq!(before.with(&said, &Schema::built_in()), expected);
        assert_eq!(
            before.with(&Mapping::default(), &Schema::built_in()),
            before
        );
    }
}
