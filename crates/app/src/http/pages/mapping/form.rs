//! What the form of the mapping page says, whether it came by `GET` or `POST`.

use std::collections::HashMap;

use rollbook_engine::mapping::{BlankRule, ColumnMapping, Mapping, WriteMode};

use crate::imports::said::Said;

/// Chosen in place of a field: one that is yet to be made.
pub(crate) const NEW_FIELD: &str = "__new__";

/// The form's values by their names. Those of a column end with its number: `field.3`.
#[derive(Debug, Clone, Default)]
pub(crate) struct MappingForm(HashMap<String, String>);

impl MappingForm {
    pub(crate) fn of(pairs: Vec<(String, String)>) -> MappingForm {
        MappingForm(pairs.into_iter().collect())
    }

    /// One value; none if the form does not have it.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// One value of a column.
    pub(crate) fn of_column(&self, name: &str, column: usize) -> Option<&str> {
        self.get(&format!("{name}.{column}"))
    }

    /// Whether it was filled in at all; an address alone was not.
    pub(crate) fn is_filled(&self) -> bool {
        self.get("form").is_some()
    }

    /// How the file is to be read.
    pub(crate) fn said(&self) -> Result<Said, String> {
        let mut said = Said::default();
        for name in ["encoding", "delimiter", "quote", "sheet", "header_row"] {
            said.take(name, self.get(name).unwrap_or_default())?;
        }
        Ok(said)
    }

    /// Where the columns that the form knew go.
    pub(crate) fn mapping(&self) -> Mapping {
        let names = (0..).map_while(|column| {
            let name = self.of_column("name", column)?;
            let field = self.of_column("field", column).unwrap_or_default();
            let part = |part: &str| self.of_column(part, column).unwrap_or_default();
            Some(ColumnMapping {
                column: name.to_owned(),
                field: Some(field.to_owned())
                    .filter(|field| !field.is_empty() && field != NEW_FIELD),
                write: WriteMode::from_key(part("write")).unwrap_or_default(),
                blank: BlankRule::from_key(part("blank")).unwrap_or_default(),
                date_order: part("date_order").parse().ok(),
            })
        });
        Mapping {
            columns: names.collect(),
        }
    }

    /// The columns for which a field is yet to be made.
    pub(crate) fn new_fields(&self) -> Vec<usize> {
        let known = (0..).take_while(|column| self.of_column("name", *column).is_some());
        known
            .filter(|column| self.of_column("field", *column) == Some(NEW_FIELD))
            .collect()
    }

    /// The tags of the whole file.
    pub(crate) fn tags(&self) -> Vec<String> {
        let tags = self.get("tags").unwrap_or_default().trim();
        Some(tags.to_owned())
            .filter(|tags| !tags.is_empty())
            .into_iter()
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_says_where_its_columns_go() {
        let pairs = [
            ("form", "1"),
            ("name.0", "Telefon"),
            ("field.0", "phone"),
            ("write.0", "only_if_empty"),
            ("name.1", "Stand"),
            ("field.1", NEW_FIELD),
            ("blank.1", "clear"),
            ("delimiter", "tab"),
            ("tags", " VIP, new "),
        ];
        let pairs = pairs.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let form = MappingForm::of(pairs.to_vec());
        let mapping = form.mapping();
        assert_eq!(mapping.columns.len(), 2);
        assert_eq!(mapping.columns[0].field.as_deref(), Some("phone"));
        assert_eq!(mapping.columns[0].write, WriteMode::OnlyIfEmpty);
        assert_eq!(mapping.columns[1].field, None);
        assert_eq!(mapping.columns[1].blank, BlankRule::Clear);
        assert_eq!(form.new_fields(), [1]);
        assert_eq!(form.said().unwrap().delimiter, Some('\t'));
        assert_eq!(form.tags(), ["VIP, new"]);
        assert!(form.is_filled());
    }
}
