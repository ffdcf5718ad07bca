//! Files of other programs' test suites, read as their own tests expect.
//!
//! The files are not part of this repository: they are looked for in the folder that `ROLLBOOK_TEST_DATA` names.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests may panic as tests may"
)]

mod support;

use std::collections::BTreeMap;
use std::io::Cursor;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rollbook_sources::csv::{CsvFile, CsvOptions, CsvRecord, CsvRow, CsvRows, Encoding};
use serde_json::Value;
use sha2::{Digest, Sha256};
use support::data;

/// Files that are read differently on purpose or not yet as expected, each with the reason.
const EXCEPTIONS: &[(&str, &str)] = &[(
    "duckdb/segfault.csv",
    "a file that ends inside quotes was cut: its last record is reported, not read as if it were whole",
)];

/// The grid of a file as its records are compared, and whether a record could not be read.
struct Read {
    grid: Vec<Vec<String>>,
    bad: bool,
    delimiter: char,
    quote: Option<char>,
    header_row: u64,
    encoding: String,
}

fn read(bytes: &[u8], options: &CsvOptions) -> Read {
    let mut rows = CsvRows::open(Cursor::new(bytes), options).unwrap();
    let (mut grid, mut bad, mut row) = (Vec::new(), false, CsvRow::default());
    while rows.next(&mut row).unwrap() {
        bad |= row.problem.is_some();
        grid.push(row.cells.clone());
    }
    let dialect = rows.dialect().clone();
    Read {
        grid: compared(grid),
        bad,
        delimiter: dialect.delimiter,
        quote: dialect.quote,
        header_row: dialect.header_row,
        encoding: dialect.encoding,
    }
}

/// Rows without text and empty cells at the end of a row do not count, nor does the kind of line break.
fn compared(grid: Vec<Vec<String>>) -> Vec<Vec<String>> {
    grid.into_iter()
        .filter_map(|row| {
            let mut row: Vec<String> = row
                .into_iter()
                .map(|cell| cell.replace("\r\n", "\n").replace('\r', "\n"))
                .collect();
            while row.last().is_some_and(String::is_empty) {
                row.pop();
            }
            row.iter().any(|cell| !cell.is_empty()).then_some(row)
        })
        .collect()
}

fn grid_of(records: &Value) -> Vec<Vec<String>> {
    serde_json::from_value(records.clone()).unwrap()
}

/// What is wrong with how a file was read, if anything.
fn fault(expected: &Value, read: &Read) -> Option<String> {
    let kind = expected["kind"].as_str().unwrap();
    let delimiter = expected["delimiter"]
        .as_str()
        .and_then(|d| d.chars().next());
    if kind == "sniff" {
        let quote = expected["quote"].as_str().and_then(|q| q.chars().next());
        let quoted = quote.is_none() || quote == read.quote;
        if delimiter != Some(read.delimiter) || !quoted {
            return Some(format!(
                "delimiter {:?} quote {:?}, not {delimiter:?} {quote:?}",
                read.delimiter, read.quote
            ));
        }
        return match expected["header"].as_bool() {
            Some(header) if header != (read.header_row > 0) => {
                Some(format!("header_row {}", read.header_row))
            }
            _ => None,
        };
    }
    if kind == "malformed" && read.bad {
        return None;
    }
    if !expected["records"].is_null() {
        let wanted = compared(grid_of(&expected["records"]));
        return (wanted != read.grid).then(|| {
            let at = wanted
                .iter()
                .zip(&read.grid)
                .position(|(a, b)| a != b)
                .unwrap_or(wanted.len().min(read.grid.len()));
            format!(
                "{} rows, not {}; row {at} is {:?}, not {:?} ({:?} {:?} {})",
                read.grid.len(),
                wanted.len(),
                read.grid
                    .get(at)
                    .map(|r| r.iter().take(6).collect::<Vec<_>>()),
                wanted.get(at).map(|r| r.iter().take(6).collect::<Vec<_>>()),
                read.delimiter,
                read.quote,
                read.encoding,
            )
        });
    }
    if let Some(digest) = expected["records_sha256"].as_str() {
        let json = serde_json::to_string(&read.grid).unwrap();
        let own = Sha256::digest(json.as_bytes());
        let own = own
            .iter()
            .fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
        return (own != digest).then(|| {
            format!(
                "{} rows, not {}; digest differs ({:?} {:?} {})",
                read.grid.len(),
                expected["rows"],
                read.delimiter,
                read.quote,
                read.encoding
            )
        });
    }
    None
}

/// The options that the origin's test gave to its reader.
fn given(expected: &Value) -> CsvOptions {
    let byte = |key: &str| expected[key].as_str().and_then(|text| text.bytes().next());
    let mut options = CsvOptions::default();
    if expected["dialect_must_be_given"] == true {
        options.delimiter = byte("delimiter");
        options.quote = byte("quote").map(Some);
    }
    if expected["encoding_must_be_given"] == true {
        options.encoding = expected["encoding"].as_str().and_then(Encoding::for_label);
        assert!(options.encoding.is_some(), "{}", expected["encoding"]);
    }
    options
}

fn expectations(folder: &std::path::Path) -> Vec<Value> {
    let text = std::fs::read_to_string(folder.join("expected.json")).unwrap();
    match serde_json::from_str(&text) {
        Ok(Value::Array(all)) => all,
        _ => text
            .lines()
            .filter(|line| !line.trim().is_empty())
            .map(|line| serde_json::from_str(line).unwrap())
            .collect(),
    }
}

#[test]
fn files_are_read_as_their_own_tests_expect() {
    let Some(folder) = data("csv") else { return };
    let mut scores: BTreeMap<&str, [usize; 2]> = BTreeMap::new();
    let (mut wrong, mut surprising) = (Vec::new(), Vec::new());
    for expected in expectations(&folder) {
        let file = expected["file"].as_str().unwrap();
        let bytes = std::fs::read(folder.join("files").join(file)).unwrap();
        let with = read(&bytes, &given(&expected));
        let without = read(&bytes, &CsvOptions::default());
        if expected["kind"] == "no_crash" {
            continue;
        }
        let problem = fault(&expected, &with);
        let alone = fault(&expected, &without);
        for (name, passed) in [("given", problem.is_none()), ("found out", alone.is_none())] {
            let score = scores.entry(name).or_default();
            score[0] += usize::from(passed);
            score[1] += 1;
        }
        if problem.is_none()
            && let Some(alone) = alone
        {
            println!("alone  {file}: {alone}");
        }
        let listed = EXCEPTIONS.iter().find(|(name, _)| *name == file);
        match (problem, listed) {
            (Some(problem), Some((_, reason))) => {
                wrong.push(format!("{file}: {problem} ({reason})"));
            }
            (Some(problem), None) => surprising.push(format!("{file}: {problem}")),
            (None, Some(_)) => surprising.push(format!(
                "{file}: is read as expected now; take it off the list"
            )),
            (None, None) => {}
        }
    }
    println!("{scores:?}");
    for line in &wrong {
        println!("wrong  {line}");
    }
    let [passed, all] = scores["given"];
    assert!(surprising.is_empty(), "{}", surprising.join("\n"));
    assert!(passed * 100 >= all * 97, "{passed} of {all}");
}

#[test]
fn broken_files_end_quickly_and_lose_no_line() {
    let Some(folder) = data("csv") else { return };
    let fuzz = std::fs::read_dir(folder.join("fuzz")).unwrap();
    let mut files: Vec<PathBuf> = fuzz.map(|entry| entry.unwrap().path()).collect();
    for expected in expectations(&folder) {
        files.push(
            folder
                .join("files")
                .join(expected["file"].as_str().unwrap()),
        );
    }
    for path in files {
        let bytes = std::fs::read(&path).unwrap();
        let start = Instant::now();
        read(&bytes, &CsvOptions::default());
        let mut file = match CsvFile::open(Cursor::new(&bytes), &CsvOptions::default()) {
            Ok(file) => file,
            Err(error) => {
                println!("{}: {error}", path.display());
                continue;
            }
        };
        let mut record = CsvRecord::default();
        while file.next(&mut record).unwrap() {}
        assert!(
            start.elapsed() < Duration::from_secs(5),
            "{}",
            path.display()
        );
    }
}

#[test]
fn east_asian_text_is_decoded_like_its_twin() {
    let Some(folder) = data("encodings") else {
        return;
    };
    let mut found = 0;
    let mut names: Vec<String> = std::fs::read_dir(&folder)
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().into_string().ok())
        .filter_map(|name| name.strip_suffix("-utf8.txt").map(str::to_owned))
        .collect();
    names.sort();
    for name in &names {
        let bytes = std::fs::read(folder.join(format!("{name}.txt"))).unwrap();
        let twin = std::fs::read_to_string(folder.join(format!("{name}-utf8.txt"))).unwrap();
        let text = |options: &CsvOptions| {
            let options = CsvOptions {
                delimiter: Some(1),
                quote: Some(None),
                ..options.clone()
            };
            let read = read(&bytes, &options);
            (read.grid.concat().join("\n"), read.encoding)
        };
        let lines: Vec<&str> = twin
            .lines()
            .filter(|line| !line.trim().is_empty())
            .collect();
        let twin = lines.join("\n");
        let (alone, guess) = text(&CsvOptions::default());
        found += usize::from(alone == twin);
        println!(
            "{name}: guessed {guess}, {}",
            if alone == twin { "right" } else { "wrong" }
        );
        // The standard has neither; one is EUC-JP with more characters.
        if ["johab", "euc_jisx0213"].contains(&name.as_str()) {
            continue;
        }
        let encoding = Encoding::for_label(name);
        assert!(encoding.is_some(), "{name}");
        let (given, _) = text(&CsvOptions {
            encoding,
            ..CsvOptions::default()
        });
        if given != twin {
            println!("  {name} as {encoding:?}: differs");
        }
    }
    println!("{found} of {} found out", names.len());
    assert!(found >= 5, "{found} of {} found out", names.len());
}
