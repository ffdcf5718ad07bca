//! How fast is a table of ten columns read, beside the `csv` crate?

use std::fmt::Write;
use std::io::Cursor;
use std::time::Instant;

use rollbook_sources::csv::{CsvFile, CsvLimits, CsvOptions, CsvRecord};

const ROWS: u32 = 1_000_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut text =
        "id,first_name,last_name,email,phone,street,city,postal_code,country,birthday\n".to_owned();
    for row in 0..ROWS {
        writeln!(
            text,
            "{row},Anna{},Weber,anna.weber{row}@example.com,+49 30 {:07},\"Hauptstraße {}, Hof\",Berlin,{:05},DE,19{:02}-03-{:02}",
            row % 97,
            row % 9_999_999,
            row % 200,
            row % 99_999,
            row % 100,
            row % 28 + 1,
        )?;
    }
    let bytes = text.as_bytes();
    println!("{} MB, {ROWS} rows", bytes.len() / 1_000_000);
    for _ in 0..3 {
        let start = Instant::now();
        let mut reader = csv::Reader::from_reader(Cursor::new(bytes));
        let mut record = csv::ByteRecord::new();
        let mut cells = 0;
        while reader.read_byte_record(&mut record)? {
            cells += record.len();
        }
        report("csv::ByteRecord", start, cells);

        let start = Instant::now();
        let mut file = CsvFile::open(Cursor::new(bytes), &CsvOptions::default())?;
        let opened = start.elapsed();
        let mut record = CsvRecord::default();
        let (mut cells, mut raw) = (0, 0);
        while file.next(&mut record)? {
            cells += record.record.len();
            raw += record.raw.len();
        }
        report("CsvFile", start, cells);
        println!("  opened in {opened:?}, {raw} bytes of raw text");

        let start = Instant::now();
        let mut again = CsvFile::reopen(Cursor::new(bytes), file.dialect(), CsvLimits::default())?;
        again.skip(u64::from(ROWS))?;
        report("CsvFile::skip", start, 0);
    }
    Ok(())
}

fn report(name: &str, start: Instant, cells: usize) {
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "{name}: {:.2} M rows/s, {cells} cells",
        f64::from(ROWS) / seconds / 1e6
    );
}
