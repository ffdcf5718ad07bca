//! Spreadsheets, vCards and hostile files of other programs' test suites, read as their own tests expect.
//!
//! The files are not part of this repository: they are looked for in the folder that `ROLLBOOK_TEST_DATA` names.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests may panic as tests may"
)]

mod support;

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rollbook_sources::csv::CsvRecord;
use rollbook_sources::file::{
    FileError, FileOptions, RecordSource, Rows, inspect, rows as open_rows,
};
use rollbook_sources::vcard::{Property, properties};
use serde_json::Value;
use sha2::{Digest, Sha256};
use support::data;

/// How long any file here may take, in a build without optimisation on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// First sheets that are read differently on purpose, each with the reason.
const EXCEPTIONS: &[(&str, &str)] = &[];

fn expectations(path: &Path) -> Vec<Value> {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// All rows of the sheet, blank ones in between included.
fn rows(path: &Path) -> Result<Vec<Vec<String>>, FileError> {
    let folder = std::env::temp_dir();
    let told = FileOptions::default();
    let Rows::Sheet(mut workbook) = open_rows(path, "", &folder, &told)? else {
        return Err(FileError::NoSheet);
    };
    let mut rows: Vec<Vec<String>> = Vec::new();
    workbook.rows(&mut |row| {
        let at = usize::try_from(row.number).unwrap();
        rows.resize(at.min(2_000_000), Vec::new());
        if let Some(last) = rows.last_mut() {
            *last = row.texts(usize::MAX);
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(rows)
}

/// Without empty cells at the edges, and with one kind of line break.
fn compared(mut rows: Vec<Vec<String>>) -> Vec<Vec<String>> {
    let blank = |row: &Vec<String>| row.iter().all(String::is_empty);
    let left = rows
        .iter()
        .filter_map(|row| row.iter().position(|cell| !cell.is_empty()))
        .min()
        .unwrap_or(0);
    let first = rows
        .iter()
        .position(|row| !blank(row))
        .unwrap_or(rows.len());
    rows.drain(..first);
    while rows.last().is_some_and(blank) {
        rows.pop();
    }
    for row in &mut rows {
        row.drain(..left.min(row.len()));
        while row.last().is_some_and(String::is_empty) {
            row.pop();
        }
        for cell in row {
            *cell = cell.replace("\r\n", "\n").replace('\r', "\n");
        }
    }
    rows
}

fn digest(rows: &[Vec<String>]) -> String {
    let json = serde_json::to_string(rows).unwrap();
    let digest = Sha256::digest(json.as_bytes());
    digest
        .iter()
        .fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}

/// What is wrong with how a sheet was read, if anything.
fn fault(expected: &Value, read: &Result<Vec<Vec<String>>, FileError>) -> Option<String> {
    let read = match (expected["kind"].as_str().unwrap(), read) {
        ("encrypted", Err(FileError::Encrypted)) => return None,
        ("encrypted", other) => return Some(format!("{other:?}")),
        ("empty", Ok(rows)) if rows.is_empty() => return None,
        (_, Err(error)) => return Some(error.to_string()),
        (_, Ok(rows)) => compared(rows.clone()),
    };
    if let Some(wanted) = expected["records_sha256"].as_str() {
        let first: Vec<Vec<String>> =
            serde_json::from_value(expected["first_records"].clone()).unwrap();
        let differs = first.iter().zip(&read).find(|(a, b)| a != b);
        let filled: Vec<Vec<String>> = read.iter().filter(|row| !row.is_empty()).cloned().collect();
        return (digest(&read) != wanted && digest(&filled) != wanted).then(|| {
            let (all, filled) = (read.len(), filled.len());
            format!(
                "{all} rows, {filled} filled, not {}: {differs:?}",
                expected["rows"]
            )
        });
    }
    let wanted: Vec<Vec<String>> = serde_json::from_value(expected["records"].clone()).unwrap();
    let wanted = compared(wanted);
    (wanted != read).then(|| {
        let same = wanted.iter().zip(&read).position(|(a, b)| a != b);
        let at = same.unwrap_or(wanted.len().min(read.len()));
        format!(
            "{} rows, not {}; row {at} is {:?}, not {:?}",
            read.len(),
            wanted.len(),
            read.get(at),
            wanted.get(at)
        )
    })
}

#[test]
fn first_sheets_are_read_as_other_readers_read_them() {
    let Some(folder) = data("xlsx") else { return };
    let mut scores: BTreeMap<String, [usize; 2]> = BTreeMap::new();
    let mut surprising = Vec::new();
    for expected in expectations(&folder.join("expected.json")) {
        let name = expected["file"].as_str().unwrap();
        let kind = expected["kind"].as_str().unwrap();
        let path = folder.join(name);
        if !path.exists() {
            continue;
        }
        let begun = Instant::now();
        let read = rows(&path);
        assert!(begun.elapsed() < PATIENCE, "{name}");
        if kind == "no_crash"
            || kind == "hostile"
            || expected["records"].is_null()
                && expected["records_sha256"].is_null()
                && kind != "encrypted"
                && kind != "empty"
        {
            match read {
                Ok(rows) => println!("{kind:13} {name}: {} rows", rows.len()),
                Err(error) => println!("{kind:13} {name} {error}"),
            }
            continue;
        }
        let problem = fault(&expected, &read);
        let score = scores.entry(kind.to_owned()).or_default();
        score[0] += usize::from(problem.is_none());
        score[1] += 1;
        let listed = EXCEPTIONS.iter().find(|(listed, _)| *listed == name);
        match (problem, listed) {
            (Some(problem), Some((_, reason))) => {
                println!("differs       {name}: {problem} ({reason})");
            }
            (Some(problem), None) => surprising.push(format!("{kind} {name}: {problem}")),
            (None, Some(_)) => surprising.push(format!(
                "{name} is read as expected now; take it off the list"
            )),
            (None, None) => {}
        }
    }
    println!("{scores:?}");
    assert!(surprising.is_empty(), "{}", surprising.join("\n"));
    let [passed, all] = scores["valid"];
    assert!(passed * 100 >= all * 97, "{passed} of {all}");
    assert_eq!(scores["encrypted"][0], scores["encrypted"][1]);
}

/// All records of a file, as an import reads them.
fn records(path: &Path) -> Result<Vec<CsvRecord>, FileError> {
    let folder = std::env::temp_dir();
    let name = path.file_name().unwrap().to_string_lossy().into_owned();
    let told = FileOptions::default();
    let seen = inspect(path, &name, &folder, &told, 5)?;
    let names = &seen.header.names;
    let source = RecordSource::open(path, &folder, &seen.reading, names, &told.limits)?;
    let mut file = source.records()?;
    let all = file.take(usize::MAX)?;
    // Resuming in the middle gives the rest, whatever the format.
    let middle = all.len() as u64 / 2;
    let mut again = source.records()?;
    assert_eq!(again.skip(middle)?, middle);
    let rest = again.take(usize::MAX)?;
    let skipped = usize::try_from(middle).unwrap();
    let texts = |records: &[CsvRecord]| -> Vec<String> {
        records.iter().map(|record| record.raw.clone()).collect()
    };
    assert_eq!(texts(&rest), texts(&all[skipped..]), "{name}");
    Ok(all)
}

#[test]
fn cards_are_read_as_the_programs_mean_them() {
    let Some(folder) = data("vcard") else { return };
    let (mut passed, mut all, mut wrong) = (0, 0, Vec::new());
    for expected in expectations(&folder.join("expected.json")) {
        let name = expected["file"].as_str().unwrap();
        let path = folder.join(name);
        if !path.exists() {
            continue;
        }
        let cards = records(&path).unwrap();
        let contacts = expected["contacts"].as_array().unwrap();
        all += 1;
        let before = wrong.len();
        if cards.len() != contacts.len() {
            wrong.push(format!(
                "{name}: {} cards, not {}",
                cards.len(),
                contacts.len()
            ));
        }
        for (card, contact) in cards.iter().zip(contacts) {
            if let Some(problem) = &card.problem {
                wrong.push(format!("{name}: {problem:?}"));
            }
            wrong.extend(
                differences(&properties(&card.raw), contact).map(|text| format!("{name}: {text}")),
            );
        }
        passed += usize::from(wrong.len() == before);
    }
    println!("{passed} of {all}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn differences<'a>(
    properties: &'a [Property],
    contact: &'a Value,
) -> impl Iterator<Item = String> + 'a {
    let of = |name: &'static str| properties.iter().filter(move |own| own.name == name);
    let texts = |name: &'static str| of(name).map(Property::text).collect::<Vec<_>>();
    let one = |name: &'static str| texts(name).into_iter().next();
    let parts = of("N").next().map(Property::parts);
    let checks = [
        ("fn", one("FN").map(Value::from)),
        ("bday", one("BDAY").map(Value::from)),
        ("version", one("VERSION").map(Value::from)),
        ("email", Some(Value::from(texts("EMAIL")))),
        ("tel", Some(Value::from(texts("TEL")))),
        ("n", parts.map(Value::from)),
    ];
    checks.into_iter().filter_map(|(key, read)| {
        let wanted = contact.get(key)?;
        let read = read.unwrap_or(Value::Null);
        (*wanted != read).then(|| format!("{key} is {read}, not {wanted}"))
    })
}

fn files_in(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files_in(&path, into);
        } else {
            into.push(path);
        }
    }
}

#[test]
fn hostile_files_end_quickly_in_an_error_or_a_bounded_read() {
    let mut files = Vec::new();
    for folder in ["security", "xlsx", "vcard", "encodings", "csv", "json"] {
        if let Some(folder) = data(folder) {
            files_in(&folder, &mut files);
        }
    }
    for path in files {
        let begun = Instant::now();
        let read = records(&path);
        let hostile = path.to_string_lossy().contains("security/");
        if hostile {
            match &read {
                Ok(records) => println!("{}: {} records", path.display(), records.len()),
                Err(error) => println!("{} {error}", path.display()),
            }
        }
        assert!(begun.elapsed() < PATIENCE, "{}", path.display());
    }
}

#[test]
fn entity_tricks_are_refused() {
    let Some(folder) = data("security") else {
        return;
    };
    let mut files = Vec::new();
    files_in(&folder.join("xml"), &mut files);
    files.push(folder.join("xlsx/poi/poc-xmlbomb.xlsx"));
    for path in files {
        assert!(records(&path).is_err(), "{}", path.display());
    }
}
