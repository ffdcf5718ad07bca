//! What ought to have happened: a list of people, one record after the other, no cleverness.

use std::collections::HashMap;

use rollbook_bench::generate::{COLUMNS, Column, Row};
use serde_json::Value;

/// The values of a contact or record by column; empty where there is none.
pub(crate) type Values = [String; COLUMNS];

/// The columns that find a contact, in the order in which they are tried.
const IDENTIFIERS: [Column; 3] = [Column::ExternalId, Column::Phone, Column::Email];

/// Which of the two sets of rules applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Manual,
    Automatic,
}

/// What a record should have come to, in the words of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) result: &'static str,
    pub(crate) action: Option<&'static str>,
    pub(crate) matched_on: Option<&'static str>,
}

/// The contacts that there should be.
pub(crate) struct Model {
    mode: Mode,
    contacts: Vec<Values>,
    owners: HashMap<(&'static str, String), usize>,
}

/// What a row means; a value that cannot be used is none.
pub(crate) fn meaning(row: &Row) -> Values {
    Column::ALL.map(|column| row.truth(column).to_owned())
}

impl Model {
    pub(crate) fn new(mode: Mode) -> Model {
        Model {
            mode,
            contacts: Vec::new(),
            owners: HashMap::new(),
        }
    }

    /// Takes the next record; `is_bad` if one of its values cannot be used.
    pub(crate) fn take(&mut self, mut given: Values, is_bad: bool) -> Outcome {
        let failure = Outcome {
            result: "failure",
            action: None,
            matched_on: None,
        };
        if is_bad && self.mode == Mode::Manual {
            return failure;
        }
        let has_identifier = IDENTIFIERS
            .iter()
            .any(|column| !given[*column as usize].is_empty());
        if !has_identifier && self.mode == Mode::Automatic {
            return failure;
        }
        let mut found = None;
        let mut warns = is_bad;
        for column in IDENTIFIERS {
            let owner = self.owner(column, &given[column as usize]);
            match (found, owner) {
                (None, Some(owner)) => found = Some((owner, column.key())),
                (Some((contact, _)), Some(owner)) if owner != contact => {
                    // Somebody else has it.
                    if self.mode == Mode::Manual {
                        return failure;
                    }
                    given[column as usize].clear();
                    warns = true;
                }
                _ => {}
            }
        }
        let contact = found.map_or(self.contacts.len(), |(contact, _)| contact);
        if found.is_none() {
            self.contacts.push(Values::default());
        }
        self.write(contact, given);
        Outcome {
            result: if warns { "warning" } else { "success" },
            action: Some(if found.is_some() {
                "updated"
            } else {
                "created"
            }),
            matched_on: found.map(|(_, key)| key),
        }
    }

    /// The contacts in the order of their creation.
    pub(crate) fn contacts(&self) -> &[Values] {
        &self.contacts
    }

    fn owner(&self, column: Column, value: &str) -> Option<usize> {
        self.owners.get(&identifier(column, value)).copied()
    }

    fn write(&mut self, contact: usize, given: Values) {
        for (column, value) in Column::ALL.into_iter().zip(given) {
            let stored = &mut self.contacts[contact][column as usize];
            let is_same = match column {
                Column::Email => stored.to_lowercase() == value.to_lowercase(),
                _ => *stored == value,
            };
            if value.is_empty() || is_same {
                continue;
            }
            if IDENTIFIERS.contains(&column) {
                self.owners.remove(&identifier(column, stored));
                self.owners.insert(identifier(column, &value), contact);
            }
            *stored = value;
        }
    }
}

fn identifier(column: Column, value: &str) -> (&'static str, String) {
    (column.key(), value.to_lowercase())
}

/// The values of a contact as Rollbook exports it.
pub(crate) fn exported(contact: &Value) -> Values {
    Column::ALL.map(|column| {
        let value = match column {
            Column::ExternalId => &contact["external_ids"]["default"],
            _ => &contact["fields"][column.key()],
        };
        match value {
            Value::Array(values) => {
                assert_eq!(
                    values.len(),
                    1,
                    "no row has two values in a cell: {contact}"
                );
                text(&values[0])
            }
            value => text(value),
        }
    })
}

/// What the log says came of a record.
pub(crate) fn logged(attempt: &Value) -> Outcome {
    let word = |key: &str| {
        let words = [
            "success",
            "warning",
            "failure",
            "created",
            "updated",
            "external_id",
            "phone",
            "email",
        ];
        let said = attempt[key].as_str()?;
        let known = words.into_iter().find(|word| *word == said);
        Some(known.unwrap_or_else(|| panic!("`{said}` is no word of the log: {attempt}")))
    };
    Outcome {
        result: word("result").expect("every attempt has a result"),
        action: word("action"),
        matched_on: word("matched_on"),
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => panic!("a value is a text, not {other}"),
    }
}
