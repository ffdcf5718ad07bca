//! Where the columns of a record go, to be said otherwise for a replay.

use std::collections::HashMap;

use rollbook_engine::mapping::{ColumnMapping, Mapping};
use rollbook_engine::schema::Schema;

use crate::http::pages::mapping::column::{FieldGroup, groups, shown_name};
use crate::imports::replay::columns::ReadColumn;

/// Characters of a value that are shown: it is an example, and the record stands beside it.
const SHOWN: usize = 120;

/// The columns with a menu each.
#[derive(Debug, Clone, Default)]
pub(crate) struct Remap {
    pub(crate) columns: Vec<RemapColumn>,
    pub(crate) groups: Vec<FieldGroup>,
    /// Whether something was chosen already.
    pub(crate) is_open: bool,
    /// What else there is to know.
    pub(crate) hint: Option<&'static str>,
}

/// A column.
#[derive(Debug, Clone, Default)]
pub(crate) struct RemapColumn {
    pub(crate) index: usize,
    /// As it stands in the record.
    pub(crate) raw_name: String,
    /// As it is shown.
    pub(crate) name: String,
    pub(crate) value: String,
    /// The key of the field that it goes to now; blank leaves it out.
    pub(crate) before: String,
    /// The key of the field that was chosen.
    pub(crate) field: String,
}

/// What a form with these menus sends.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sent(HashMap<String, String>);

impl Sent {
    pub(crate) fn of(pairs: Vec<(String, String)>) -> Sent {
        Sent(pairs.into_iter().collect())
    }

    /// One value; none if the form does not have it.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    fn of_column(&self, part: &str, index: usize) -> Option<&str> {
        self.get(&format!("{part}.{index}"))
    }

    /// The columns that are to go elsewhere; none if all go where they went.
    pub(crate) fn mapping(&self) -> Option<Mapping> {
        let named = (0..).map_while(|index| Some((index, self.of_column("name", index)?)));
        let columns = named.filter_map(|(index, name)| {
            let field = self.of_column("field", index)?;
            let changed = self.of_column("before", index) != Some(field);
            changed.then(|| ColumnMapping {
                column: name.to_owned(),
                field: Some(field.to_owned()).filter(|field| !field.is_empty()),
                ..ColumnMapping::default()
            })
        });
        let columns: Vec<_> = columns.collect();
        (!columns.is_empty()).then_some(Mapping { columns })
    }
}

impl Remap {
    /// The menus of these columns, as a form left them; none if there are no columns.
    pub(crate) fn of(columns: Vec<ReadColumn>, schema: &Schema, sent: &Sent) -> Option<Remap> {
        let columns: Vec<RemapColumn> = columns
            .into_iter()
            .enumerate()
            .map(|(index, column)| {
                let before = column.field.unwrap_or_default();
                let chosen = sent
                    .of_column("field", index)
                    .filter(|_| sent.of_column("name", index) == Some(column.name.as_str()));
                RemapColumn {
                    index,
                    name: shown_name(index, &column.name),
                    raw_name: column.name,
                    value: shortened(&column.value),
                    field: chosen.unwrap_or(&before).to_owned(),
                    before,
                }
            })
            .collect();
        (!columns.is_empty()).then(|| Remap {
            is_open: columns.iter().any(|column| column.field != column.before),
            columns,
            groups: groups(schema),
            hint: None,
        })
    }
}

fn shortened(value: &str) -> String {
    if value.chars().count() <= SHOWN {
        return value.to_owned();
    }
    value.chars().take(SHOWN).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(pairs: &[(&str, &str)]) -> Sent {
        let pairs = pairs.iter();
        Sent::of(
            pairs
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
        )
    }

    #[test]
    fn only_what_goes_elsewhere_is_said() {
        let form = sent(&[
            ("name.0", "Name"),
            ("before.0", "name"),
            ("field.0", "name"),
            ("name.1", "Mobil"),
            ("before.1", ""),
            ("field.1", "phone"),
            ("name.2", "Ort"),
            ("before.2", "city"),
            ("field.2", ""),
        ]);
        let mapping = form.mapping().unwrap();
        let said: Vec<_> = mapping
            .columns
            .iter()
            .map(|column| (column.column.as_str(), column.field.as_deref()))
            .collect();
        assert_eq!(said, [("Mobil", Some("phone")), ("Ort", None)]);
        assert!(sent(&[("payload", "x")]).mapping().is_none());
    }

    #[test]
    fn a_form_comes_back_as_it_was_left() {
        let columns = || {
            vec![ReadColumn {
                name: "Mobil".to_owned(),
                value: "x".repeat(200),
                field: None,
            }]
        };
        let schema = Schema::built_in();
        let form = sent(&[("name.0", "Mobil"), ("before.0", ""), ("field.0", "phone")]);
        let remap = Remap::of(columns(), &schema, &form).unwrap();
        assert!(remap.is_open);
        assert_eq!(remap.columns[0].field, "phone");
        assert_eq!(remap.columns[0].value.chars().count(), SHOWN + 1);
        // A form of another record says nothing about this one.
        let other = sent(&[("name.0", "Tel"), ("before.0", ""), ("field.0", "phone")]);
        assert!(!Remap::of(columns(), &schema, &other).unwrap().is_open);
        assert!(Remap::of(Vec::new(), &schema, &form).is_none());
    }
}
