//! What went wrong, grouped: each kind of problem of each field with its count, some values and some rows. What is
//! kept does not grow with the number of records.

use std::collections::BTreeMap;

use rollbook_engine::issue::Issue;
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
        self.gather(attempt.row, &attempt.issues);
    }

    fn gather(&mut self, row: Option<u64>, issues: &[Issue]) {
        for issue in issues {
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
            if let Some(row) = row
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

#[cfg(test)]
mod tests {
    use rollbook_engine::issue::Problem;

    use super::*;

    fn phone(value: &str) -> Issue {
        Issue::of_value("phone", &Problem::PhoneInvalid { region: None }, value)
    }

    fn groups(problems: Problems) -> Groups {
        problems.groups(&Schema::built_in())
    }

    #[test]
    fn each_kind_of_each_field_is_told_once_with_its_count_values_and_rows() {
        let mut problems = Problems::default();
        for row in 1..=1_000 {
            problems.gather(Some(row), &[phone(&format!("555-{row}"))]);
        }
        let both = [
            phone("555-1"),
            Issue::of_record(&Problem::RecordNoIdentifier),
        ];
        problems.gather(None, &both);
        let groups = groups(problems);
        let [phones, records] = groups.named.as_slice() else {
            panic!("{groups:?}");
        };
        assert_eq!(phones.field, "Phone Number");
        assert_eq!(phones.count, "1,001");
        assert!(phones.message.contains("“555-1”"), "{}", phones.message);
        assert_eq!(phones.examples, ["555-2", "555-3", "555-4"]);
        assert_eq!(phones.rows, "Rows 1, 2, 3, 4, 5, 6, …");
        assert_eq!((records.field.as_str(), records.rows.as_str()), ("", ""));
        assert_eq!(groups.rest, "");
    }

    #[test]
    fn one_row_is_told_as_one() {
        let mut problems = Problems::default();
        problems.gather(Some(1_234), &[phone("1")]);
        assert_eq!(groups(problems).named[0].rows, "Row 1,234");
    }

    #[test]
    fn what_is_kept_and_told_has_an_end() {
        let mut problems = Problems::default();
        let long = "x".repeat(10_000);
        for field in 0..1_000 {
            let mut issue = phone("1");
            issue.field = Some(format!("field_{field}").as_str().into());
            problems.gather(Some(1), &[issue.clone()]);
            issue.value = Some(long.clone());
            problems.gather(Some(2), &[issue]);
        }
        assert_eq!(problems.kinds.len(), KINDS);
        let groups = groups(problems);
        assert_eq!(groups.named.len(), NAMED);
        assert_eq!(groups.named[0].examples[0].chars().count(), EXAMPLE_LENGTH);
        let rest = 2 * (1_000 - NAMED);
        assert_eq!(
            groups.rest,
            format!("Further kinds of problems: {} times.", count(rest as u64))
        );
    }
}
