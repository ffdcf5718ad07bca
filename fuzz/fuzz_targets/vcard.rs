//! vCards of any bytes: nothing panics, and a card that is read again from its own text gives the same record.

#![no_main]

use std::io::Cursor;

use libfuzzer_sys::fuzz_target;
use rollbook_sources::csv::CsvRecord;
use rollbook_sources::vcard::{VcardFile, properties, to_record};

const LIMIT: usize = 64 * 1024;

fuzz_target!(|data: &[u8]| {
    if let Ok(text) = std::str::from_utf8(data) {
        for property in properties(text) {
            property.text();
            property.parts();
            property.items();
        }
    }
    let Ok((header, encoding)) = VcardFile::columns(Cursor::new(data), None, LIMIT) else {
        return;
    };
    let columns = header.names;
    let Ok(mut file) = VcardFile::reopen(Cursor::new(data), Some(encoding), columns.clone(), LIMIT)
    else {
        return;
    };
    let mut card = CsvRecord::default();
    let mut row = 0;
    while file.next(&mut card).expect("memory has no faults") {
        row += 1;
        assert_eq!(card.row, row);
        if card.problem.is_none() {
            assert_eq!(
                to_record(&card.raw, &columns),
                card.record,
                "of {:?}",
                card.raw
            );
        }
    }
});
