//! Tables that nobody on this project wrote: what libphonenumber and the email libraries say about thousands of values.
//!
//! The tables are not part of the repository. They are read from the folder in `ROLLBOOK_TEST_DATA`, else from
//! `../shared/data` beside the workspace. Where they are absent the tests say so and pass, except in CI.

use std::collections::HashMap;
use std::path::PathBuf;

use rollbook_engine::field::email::EmailAddress;
use rollbook_engine::field::phone::PhoneReader;

/// Phone rows that we read differently, each with the reason.
const PHONE_EXCEPTIONS: &[(&str, &str)] = &[];

/// Email rows that we read differently, each with the reason.
const EMAIL_EXCEPTIONS: &[(&str, &str)] = &[];

#[test]
fn phone_numbers_are_what_libphonenumber_says() {
    let Some(rows) = rows("phone/phone_cases.csv") else {
        return;
    };
    let reader = PhoneReader::new();
    let mut score = Score::new("phone", PHONE_EXCEPTIONS);
    for row in &rows {
        let region = Some(row["default_region"].as_str()).filter(|region| !region.is_empty());
        let input = row.text("input", "input_json");
        let parsed = reader.parse(&input, region);
        let found = match &parsed {
            Ok(parsed) => (
                parsed.number.e164(),
                parsed.number.extension().unwrap_or(""),
            ),
            Err(_) => ("invalid", ""),
        };
        let expected = (row["expected"].as_str(), row["extension"].as_str());
        if let Ok(parsed) = &parsed {
            let parts: Vec<&str> = reader.split_cell(&input, region).collect();
            assert_eq!(
                parts.len(),
                1,
                "{}: {input:?} is one number, not {parts:?}",
                row["id"]
            );
            let again = reader.parse(parsed.number.as_str(), None);
            assert_eq!(
                again.map(|again| again.number).as_ref(),
                Ok(&parsed.number),
                "{}",
                row["id"]
            );
        }
        let passes = found == expected
            || row["strictness"] == "lenient" && (found.0 == "invalid" || expected.0 == "invalid");
        let counts = row["strictness"] == "exact";
        score.add(&row["id"], counts, passes, || {
            format!("{input:?} {region:?}: {found:?}, expected {expected:?}")
        });
    }
    score.check(0.999);
}

#[test]
fn email_addresses_are_what_the_libraries_agree_on() {
    let Some(rows) = rows("email/email_cases.csv") else {
        return;
    };
    let mut score = Score::new("email", EMAIL_EXCEPTIONS);
    for row in &rows {
        let input = row.text("address", "address_json");
        let parsed = EmailAddress::parse(&input);
        let passes = match (row["expected"].as_str(), &parsed) {
            ("valid", Ok(address)) => {
                let normalized = row["normalized"].to_lowercase();
                normalized.is_empty() || address.key() == normalized
            }
            ("valid", Err(_)) | ("invalid", Ok(_)) => false,
            _ => true,
        };
        let counts = row["expected"] != "debatable";
        score.add(&row["id"], counts, passes, || {
            format!(
                "{input:?}: {parsed:?}, expected {} {:?}",
                row["expected"], row["normalized"]
            )
        });
    }
    score.check(0.99);
}

/// How many rows of a table we read as expected.
struct Score {
    name: &'static str,
    exceptions: &'static [(&'static str, &'static str)],
    scored: u32,
    right: u32,
    surprises: Vec<String>,
}

impl Score {
    fn new(name: &'static str, exceptions: &'static [(&'static str, &'static str)]) -> Score {
        Score {
            name,
            exceptions,
            scored: 0,
            right: 0,
            surprises: Vec::new(),
        }
    }

    fn add(&mut self, id: &str, counts: bool, passes: bool, report: impl FnOnce() -> String) {
        self.scored += u32::from(counts);
        self.right += u32::from(counts && passes);
        let listed = self
            .exceptions
            .iter()
            .any(|(exception, _)| *exception == id);
        if passes && listed {
            self.surprises
                .push(format!("{id} is listed as an exception and passes"));
        } else if !passes && !listed {
            self.surprises.push(format!("{id} {}", report()));
        }
    }

    #[expect(clippy::print_stdout, reason = "the score is what the test is run for")]
    fn check(self, least: f64) {
        println!("{}: {}/{} exact rows", self.name, self.right, self.scored);
        assert!(self.surprises.is_empty(), "{}", self.surprises.join("\n"));
        assert!(f64::from(self.right) >= least * f64::from(self.scored));
    }
}

/// A row of a table, by the names of its columns.
struct Row(HashMap<String, String>);

impl Row {
    /// The text of a column, or of its twin that holds it as a JSON string.
    fn text(&self, plain: &str, json: &str) -> String {
        if self[json].is_empty() {
            self[plain].clone()
        } else {
            serde_json::from_str(&self[json]).expect("the column holds JSON strings")
        }
    }
}

impl std::ops::Index<&str> for Row {
    type Output = String;

    fn index(&self, column: &str) -> &String {
        &self.0[column]
    }
}

/// The rows of a table; none, if the data is not here and need not be.
#[expect(
    clippy::print_stdout,
    reason = "a test that tested nothing must say so"
)]
fn rows(table: &str) -> Option<Vec<Row>> {
    let folder = std::env::var_os("ROLLBOOK_TEST_DATA").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"),
        PathBuf::from,
    );
    let path = folder.join(table);
    if !path.exists() {
        let ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
        assert!(
            !ci,
            "{} is missing, and CI must not go without it",
            path.display()
        );
        println!("{} is not here; its rows were left out", path.display());
        return None;
    }
    let mut reader = csv::Reader::from_path(path).expect("the table is readable");
    let rows = reader
        .deserialize()
        .map(|row| Row(row.expect("the table is CSV")));
    Some(rows.collect())
}
