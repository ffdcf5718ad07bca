//! Dates against the tables of other projects' test suites.

mod shared_data;

use std::collections::BTreeMap;

use rollbook_engine::field::date::{DateFormat, DateOptions, parse, parse_declared};

/// The rows that are read differently, by id, and why. A row that starts to agree must leave this list.
const EXCEPTIONS: &[(&str, &str)] = &[
    (
        "D0034",
        "year, day, month name: ambiguous unless the order is declared",
    ),
    (
        "D0148",
        "seven digits may also be a day, month and year that lost their zero",
    ),
    ("D0150", "seven digits, as above"),
    ("D0154", "seven digits, as above"),
    ("D0156", "seven digits, as above"),
    (
        "D0304",
        "`lis` is November in Czech and October in Croatian",
    ),
    ("D0306", "Thai is not among the languages"),
    ("D0307", "Thai is not among the languages"),
    ("D0311", "Vietnamese is not among the languages"),
    ("D0313", "a spoken time in Belarusian"),
    ("D0322", "Tagalog is not among the languages"),
    ("D0328", "two letters do not name a month"),
    ("D0343", "Bengali is not among the languages"),
    ("D0344", "Bengali is not among the languages"),
    ("D0346", "Bengali is not among the languages"),
    ("D0347", "Bengali is not among the languages"),
    ("D0348", "Hindi is not among the languages"),
    ("D0352", "Georgian is not among the languages"),
    ("D0367", "a Unix time cannot be told from another number"),
    ("D0370", "a Unix time, as above"),
];

/// At least this much of the tier `core` must agree, in percent.
const CORE: usize = 97;

#[test]
#[expect(clippy::print_stdout, reason = "the scores are what one runs this for")]
fn other_projects_tables_are_read_as_they_expect() {
    let Some(table) = shared_data::read("dates/date_cases.csv") else {
        return;
    };
    let mut scores: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    let mut surprises = Vec::new();
    for row in csv::Reader::from_reader(table.as_bytes()).deserialize() {
        let row: BTreeMap<String, String> = row.unwrap();
        let text = match row["input_json"].as_str() {
            "" => row["input"].clone(),
            json => serde_json::from_str(json).unwrap(),
        };
        let found = read(&text, &row["order_hint"]);
        let agrees = found == row["expected"];
        let (right, all) = scores.entry(row["tier"].clone()).or_default();
        *all += 1;
        *right += usize::from(agrees);

        let listed = EXCEPTIONS.iter().any(|(id, _)| *id == row["id"]);
        let wrongly_read = row["expected"] == "invalid" && !agrees;
        if listed == agrees || wrongly_read {
            surprises.push(format!(
                "{} {}: {text:?} is {}, read as {found}; listed: {listed}",
                row["id"], row["tier"], row["expected"]
            ));
        }
    }
    for (tier, (right, all)) in &scores {
        println!("{tier}: {right} of {all}");
    }
    assert!(surprises.is_empty(), "{}", surprises.join("\n"));
    let (right, all) = scores["core"];
    assert!(right * 100 >= all * CORE, "core: {right} of {all}");
}

/// Reads a text as its row declares it.
fn read(text: &str, hint: &str) -> String {
    let options = DateOptions::default();
    let date = match hint {
        "" => parse(text, None, options),
        "ISO" => parse_declared(text, DateFormat::StrictIso, options),
        "vCard" => parse_declared(text, DateFormat::VCard, options),
        "HL7" => parse_declared(text, DateFormat::Hl7, options),
        order => parse(
            text,
            Some(order.parse().expect("the hint is a date order")),
            options,
        ),
    };
    date.map_or_else(|_| "invalid".to_owned(), |date| date.to_string())
}
