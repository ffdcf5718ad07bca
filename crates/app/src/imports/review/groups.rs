//! The issues of a file, grouped by kind and field, with what can be done about all of a group at once.

use std::borrow::Cow;
use std::collections::HashMap;

use rollbook_engine::contact::Text;
use rollbook_engine::issue::Issue;

/// Examples that are kept of a group.
const EXAMPLES: usize = 3;

/// Issues of one kind in one field.
#[derive(Debug, Clone)]
pub(crate) struct Group {
    /// The stable code.
    pub(crate) code: Cow<'static, str>,
    /// The key of the field; none when the issue is about whole records.
    pub(crate) field: Option<Text>,
    /// The rows, in order.
    pub(crate) rows: Vec<u64>,
    /// The first of them.
    pub(crate) examples: Vec<Example>,
}

/// One issue of a group.
#[derive(Debug, Clone)]
pub(crate) struct Example {
    /// Its row.
    pub(crate) row: u64,
    /// The value, if it is about one.
    pub(crate) value: Option<String>,
    /// The sentence for people.
    pub(crate) message: String,
}

/// What can be done about all rows of a group at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FixKind {
    /// Read phone numbers for a region.
    SetRegion,
    /// Replace a text in the cells.
    Replace,
    /// Take control characters out of the cells.
    Clean,
    /// Blank the cells.
    Clear,
    /// Leave the rows out.
    Drop,
}

impl FixKind {
    /// The word of API and forms.
    pub(crate) fn key(self) -> &'static str {
        match self {
            FixKind::SetRegion => "set_region",
            FixKind::Replace => "replace",
            FixKind::Clean => "clean",
            FixKind::Clear => "clear",
            FixKind::Drop => "drop",
        }
    }
}

impl Group {
    /// What addresses call it: `phone.invalid:phone`, `record.empty`.
    pub(crate) fn key(&self) -> String {
        match &self.field {
            Some(field) => format!("{}:{field}", self.code),
            None => self.code.to_string(),
        }
    }

    /// What can be done about it, the most fitting first.
    pub(crate) fn fixes(&self) -> &'static [FixKind] {
        use FixKind::{Clean, Clear, Drop, Replace, SetRegion};
        match (&*self.code, &self.field) {
            (_, None) => &[Drop],
            ("phone.invalid" | "phone.no_region", _) => &[SetRegion, Replace, Clear, Drop],
            ("text.control_character", _) => &[Clean, Replace, Clear, Drop],
            _ => &[Replace, Clear, Drop],
        }
    }
}

/// Groups while they are made.
#[derive(Debug, Default)]
pub(crate) struct Groups {
    groups: Vec<Group>,
    places: HashMap<(Cow<'static, str>, Option<Text>), usize>,
}

impl Groups {
    /// Takes the issues of a row in. That somebody left a row out is no issue to mend.
    pub(crate) fn add(&mut self, row: u64, issues: &[Issue]) {
        for issue in issues.iter().filter(|issue| issue.code != Issue::DROPPED) {
            let key = (issue.code.clone(), issue.field.clone());
            let place = *self.places.entry(key).or_insert_with(|| {
                self.groups.push(Group {
                    code: issue.code.clone(),
                    field: issue.field.clone(),
                    rows: Vec::new(),
                    examples: Vec::new(),
                });
                self.groups.len() - 1
            });
            let group = &mut self.groups[place];
            // A row may have several issues of a kind, as several bad numbers in one cell.
            if group.rows.last() == Some(&row) {
                continue;
            }
            group.rows.push(row);
            if group.examples.len() < EXAMPLES {
                group.examples.push(Example {
                    row,
                    value: issue.value.clone(),
                    message: issue.message.clone(),
                });
            }
        }
    }

    /// The groups, the largest first.
    pub(crate) fn sorted(mut self) -> Vec<Group> {
        self.groups
            .sort_by_key(|group| (std::cmp::Reverse(group.rows.len()), group.key()));
        self.groups
    }
}

#[cfg(test)]
mod tests {
    use rollbook_engine::issue::Problem;

    use super::*;

    #[test]
    fn a_row_counts_once_in_each_of_its_groups() {
        let mut groups = Groups::default();
        let bad = |value| Issue::of_value("phone", &Problem::PhoneNoRegion, value);
        let empty = Issue::of_record(&Problem::RecordEmpty);
        let dropped = Issue::of_record(&Problem::RecordDropped { by: "a".to_owned() });
        groups.add(1, &[empty]);
        groups.add(2, &[bad("1"), bad("2")]);
        groups.add(3, &[dropped]);
        groups.add(4, &[bad("3")]);
        let groups = groups.sorted();
        let seen: Vec<_> = groups
            .iter()
            .map(|group| (group.key(), group.rows.clone()))
            .collect();
        assert_eq!(
            seen,
            [
                ("phone.no_region:phone".to_owned(), vec![2, 4]),
                ("record.empty".to_owned(), vec![1])
            ]
        );
        assert_eq!(groups[0].examples[0].value.as_deref(), Some("1"));
        assert_eq!(groups[1].fixes(), [FixKind::Drop]);
    }
}
