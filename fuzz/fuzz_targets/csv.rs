//! CSV of any bytes: nothing panics, and a record that is read again from its own text has the same cells.

#![no_main]

use std::io::Cursor;

use libfuzzer_sys::fuzz_target;
use rollbook_sources::csv::{CsvOptions, CsvRow, CsvRows, parse_raw};

fuzz_target!(|data: &[u8]| {
    let options = CsvOptions::default();
    let Ok(mut rows) = CsvRows::open(Cursor::new(data), &options) else {
        return;
    };
    let dialect = rows.dialect().clone();
    let mut again = CsvRows::reopen(Cursor::new(data), &dialect, options.limits)
        .expect("the dialect that was found is known");
    let mut row = CsvRow::default();
    let mut same = CsvRow::default();
    let (mut number, mut line) = (0, 0);
    while rows.next(&mut row).expect("memory has no faults") {
        assert!(again.next(&mut same).expect("memory has no faults"));
        assert_eq!(row, same, "under {dialect:?}");
        number += 1;
        assert_eq!(row.number, number);
        assert!(row.line > line, "records start on lines of their own");
        line = row.line;
        if row.problem.is_none() {
            assert_eq!(
                parse_raw(&row.raw, &dialect),
                row.cells,
                "of {:?} under {dialect:?}",
                row.raw
            );
        }
    }
    assert!(!again.next(&mut same).expect("memory has no faults"));
});
