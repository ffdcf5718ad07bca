//! What went wrong, grouped: each kind of problem of each field with its count, some values and some rows. What is
//! kept does not grow with the number of records.

use std::collections::BTreeMap;

use rollbook_engine::schema::Schema;
use rollbook_store::log::Attempt;

use crate::http::pages::show::{count, counted, field_label};

/// Kinds of problems that are told apart; what comes beyond is counted together.
const KINDS: usize = 200;

/// Kinds that a mail names.
const NAMED: usize = 12;

/// Examples and rows that are kept of a kind.
const EXAMPLES: usize = 3;
const ROWS: usize = 6;

/// The longest example, in characters.
const EXAMPLE_LENGTH: usize = 60;

/// Problems, being gathered.
#[derive(Debug, Default)]
pub(crate) struct Problems {
    kinds: BTreeMap<(String, String), Kind>,
    others: u64,
}

#[derive(Debug, Default)]
struct Kind {
    count: u64,
    message: String,
    examples: Vec<String>,
    rows: Vec<u64>,
}

/// One kind of problem, ready to print.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Group {
    /// What people call the field; empty if it is the record as a whole.
    pub(crate) field: String,
    /// The stable code.
    pub(crate) code: String,
    /// How many records have it: `1,204`.
    pub(crate) count: String,
    /// What was wrong, as the first record tells it.
    pub(crate) message: String,
    /// Further values that have it.
    pub(crate) examples: Vec<String>,
    /// `Row 7`, `Rows 3, 7, 9, …`; empty for records that are no rows.
    pub(crate) rows: String,
}

/// Groups ready to print.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Groups {
    /// The most frequent kinds, most frequent first.
    pub(crate) named: Vec<Group>,
    /// `4 further kinds of problems, 17 times`; empty if there are none.
    pub(crate) rest: String,
}

impl Problems {
    /// Adds what is wrong with a record.
    pub(crate) fn add(&mut self, attempt: &Attempt) {
        for issue in &attempt.issues {
            let field = issue.field.as_deref().unwrap_or_default();
            let key = (issue.code.to_string(), field.to_owned());
            if !self.kinds.contains_key(&key) && self.kinds.len() >= KINDS {
                self.others += 1;
                continue;
            }
            let kind = self.kinds.entry(key).or_default();
            kind.count += 1;
            if kind.count == 1 {
                kind.message.clone_from(&issue.message);
            } else if let Some(value) = &issue.value {
                let value = shortened(value);
                if kind.examples.len() < EXAMPLES
                    && !value.is_empty()
                    && !kind.message.contains(&value)
                    && !kind.examples.contains(&value)
                {
                    kind.examples.push(value);
                }
            }
            if let Some(row) = attempt.row
                && kind.rows.len() < ROWS
                && kind.rows.last() != Some(&row)
            {
                kind.rows.push(row);
            }
        }
    }

    /// What was gathered, ready to print.
    pub(crate) fn groups(self, schema: &Schema) -> Groups {
        let mut kinds: Vec<_> = self.kinds.into_iter().collect();
        kinds.sort_by(|((code, field), a), ((other_code, other_field), b)| {
            b.count
                .cmp(&a.count)
                .then_with(|| (code, field).cmp(&(other_code, other_field)))
        });
        let rest = kinds.split_off(kinds.len().min(NAMED));
        let times = rest.iter().map(|(_, kind)| kind.count).sum::<u64>() + self.others;
        let named = kinds.into_iter().map(|((code, field), kind)| Group {
            field: if field.is_empty() {
                String::new()
            } else {
                field_label(schema, &field)
            },
            code,
            count: count(kind.count),
            message: kind.message,
            rows: rows(&kind.rows, kind.count),
            examples: kind.examples,
        });
        Groups {
            named: named.collect(),
            rest: if times == 0 {
                String::new()
            } else {
                format!(
                    "Further kinds of problems: {}.",
                    counted(times, "time", "times")
                )
            },
        }
    }
}

fn rows(rows: &[u64], count_of_all: u64) -> String {
    let numbers: Vec<String> = rows.iter().map(|row| count(*row)).collect();
    match numbers.as_slice() {
        [] => String::new(),
        [one] if count_of_all == 1 => format!("Row {one}"),
        many => {
            let more = if count_of_all > rows.len() as u64 {
                ", …"
            } else {
                ""
            };
            format!("Rows {}{more}", many.join(", "))
        }
    }
}

/// A value that may be long and of several lines, as an example.
fn shortened(value: &str) -> String {
    let line: String = value
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(EXAMPLE_LENGTH + 1)
        .collect();
    let line = line.trim();
    if line.chars().count() > EXAMPLE_LENGTH {
        let cut: String = line.chars().take(EXAMPLE_LENGTH - 1).collect();
        format!("{cut}…")
    } else {
        line.to_owned()
    }
}
