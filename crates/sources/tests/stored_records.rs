//! What an import stored of a record is read again as the record that its file gave.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests may panic as tests may"
)]

use rollbook_engine::issue::Problem;
use rollbook_engine::record::{Cell, Record};
use rollbook_sources::file::{FileOptions, Reading, inspect};

/// Texts, lists and what is missing, as far as matching sees a difference: a short row lacks cells.
fn cells(record: &Record, columns: usize) -> Vec<Cell<'_>> {
    (0..columns).map(|column| record.cell(column)).collect()
}

/// Reads a file, and every record that can be read again from its own text.
fn read(name: &str, content: &str) -> (Reading, Vec<String>, usize) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, content).unwrap();
    let seen = inspect(&path, name, folder.path(), &FileOptions::default(), 100).unwrap();
    let names = seen.header.names;
    let mut again = 0;
    for record in &seen.records {
        let stored = seen.reading.record(&record.raw, &names);
        match &record.problem {
            None => {
                let stored = stored.unwrap_or_else(|problem| panic!("{problem:?}: {record:?}"));
                let columns = names.len();
                assert_eq!(cells(&stored, columns), cells(&record.record, columns));
                again += 1;
            }
            Some(problem) => {
                let stored = stored.unwrap_err();
                assert_eq!(stored.code(), problem.code(), "{record:?}");
            }
        }
    }
    (seen.reading, names, again)
}

#[test]
fn rows_of_text_are_read_again() {
    let (reading, names, again) = read(
        "guests.csv",
        "Name;Phone;City\n\
         \"Weber; Anna\";+49301;\"two\nlines\"\n\
         Ben;1\n\
         \"say \"\"hi\"\"\";;Bonn\n\
         too;many;cells;here\n\
         \"never closed;1;x\n\
         last;3;\n",
    );
    assert_eq!(again, 4);
    for wrong in ["a;b\nc;d", "\"a;b"] {
        let problem = reading.record(wrong, &names).unwrap_err();
        assert!(
            matches!(problem, Problem::RecordUnreadable { .. }),
            "{wrong}"
        );
    }
    assert!(reading.record("a;b;c\n", &names).is_ok());
}

#[test]
fn cards_and_objects_are_read_again() {
    let (reading, names, again) = read(
        "guests.vcf",
        "BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Anna Weber\r\nTEL:1\r\nTEL:2\r\nEND:VCARD\r\n\
         BEGIN:VCARD\r\nFN:Ben\r\nEMAIL:b@example.com\r\nEND:VCARD\r\n",
    );
    assert_eq!(again, 2);
    assert!(reading.record("BEGIN:VCARD\nFN:x", &names).is_err());
    let (reading, names, again) = read(
        "guests.ndjson",
        "{\"name\":\"Anna\",\"phones\":[\"1\",\"2\"],\"address\":{\"city\":null}}\n{\"name\":7}\n",
    );
    assert_eq!(again, 2);
    assert!(reading.record("[1]", &names).is_err());
}
