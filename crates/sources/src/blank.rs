//! Blanking records of a file where they stand, so that nothing of them is left and every other record keeps its row.
//!
//! The text of a record is found in the file's own bytes and overwritten with an empty record of the same length. The
//! result is then read beside the file as it was, record by record: unless exactly the wanted records became empty, it
//! is thrown away. Files in containers, and sheets, are not rewritten.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

use rollbook_engine::record::{Cell, Record};

use crate::csv::{CsvRecord, Encoding, parse_raw};
use crate::file::{FileError, FileLimits, Reading, RecordSource};

/// Larger files are not rewritten: they are held in memory for that.
const MOST: u64 = 512 << 20;

/// Writes the file at `path` to `out` with these rows (from 1) blanked. False if that cannot be done; then what is in
/// `out` is of no use.
pub fn blank(
    path: &Path,
    reading: &Reading,
    header: &[String],
    limits: &FileLimits,
    rows: &BTreeSet<u64>,
    out: &Path,
) -> Result<bool, FileError> {
    let mut file = File::open(path)?;
    if file.metadata()?.len() > MOST {
        return Ok(false);
    }
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let folder = out.parent().unwrap_or(Path::new("."));
    let open = |path: &Path| RecordSource::open(path, folder, reading, header, limits);
    let mut records = open(path)?.records()?;
    let mut record = CsvRecord::default();
    let mut at = 0;
    while records.next(&mut record)? {
        if !rows.contains(&record.row) {
            continue;
        }
        let Some((start, end)) = place(&bytes, at, &record, reading) else {
            return Ok(false);
        };
        let Some(empty) = empty(reading, &record.raw, end - start) else {
            return Ok(false);
        };
        bytes[start..end].copy_from_slice(&empty);
        at = end;
    }
    let mut written = File::create(out)?;
    written.write_all(&bytes)?;
    written.sync_all()?;
    is_as_wanted(&open(path)?, &open(out)?, rows)
}

/// Where the text of a record lies in the bytes, from some place on.
fn place(
    bytes: &[u8],
    from: usize,
    record: &CsvRecord,
    reading: &Reading,
) -> Option<(usize, usize)> {
    if record.raw.is_empty() || record.is_damaged() {
        return None;
    }
    let wanted = encoded(reading, &record.raw)?;
    let mut from = from;
    while let Some(found) = memchr::memmem::find(bytes.get(from..)?, &wanted) {
        let start = from + found;
        let end = start + wanted.len();
        // The row of a table begins where a line does, and ends with it.
        let alone = !matches!(reading, Reading::Csv(_)) || is_line(bytes, start, end);
        if alone {
            return Some((start, end));
        }
        from = start + 1;
    }
    None
}

fn is_line(bytes: &[u8], start: usize, end: usize) -> bool {
    // Of encodings with two bytes a character, one is zero.
    let breaks = |byte: Option<&u8>| byte.is_none_or(|byte| matches!(byte, b'\n' | b'\r' | 0));
    let mark = start <= 4 && !bytes[..start].is_ascii();
    (start == 0 || mark || breaks(bytes.get(start - 1))) && breaks(bytes.get(end))
}

/// A text in the bytes of the file.
fn encoded(reading: &Reading, text: &str) -> Option<Vec<u8>> {
    let label = match reading {
        Reading::Csv(dialect) => &dialect.encoding,
        Reading::Vcard { encoding } => encoding,
        Reading::Json { .. } => "UTF-8",
        Reading::Workbook(_) => return None,
    };
    Encoding::for_label(label)?.encode(text)
}

/// An empty record of so many bytes.
fn empty(reading: &Reading, raw: &str, length: usize) -> Option<Vec<u8>> {
    let text = match reading {
        Reading::Csv(dialect) => {
            let cells = parse_raw(raw, dialect).len();
            match (cells, dialect.quote) {
                (..=1, Some(quote)) => format!("{quote}{quote}"),
                (..=1, None) => return None,
                (cells, _) => dialect.delimiter.to_string().repeat(cells - 1),
            }
        }
        Reading::Json { .. } => "{}".to_owned(),
        Reading::Vcard { .. } => "BEGIN:VCARD\nEND:VCARD".to_owned(),
        Reading::Workbook(_) => return None,
    };
    let mut bytes = encoded(reading, &text)?;
    // Blanks behind the end of a card or an object, and in a row's first cell.
    let gap = encoded(reading, " ")?;
    let room = length.checked_sub(bytes.len())?;
    if gap.is_empty() || room % gap.len() != 0 {
        return None;
    }
    let padding = gap.repeat(room / gap.len());
    match reading {
        Reading::Csv(dialect)
            if dialect.quote.is_none()
                || !bytes.starts_with(&encoded(reading, &dialect.quote?.to_string())?) =>
        {
            let mut padded = padding;
            padded.append(&mut bytes);
            Some(padded)
        }
        _ => {
            bytes.extend_from_slice(&padding);
            Some(bytes)
        }
    }
}

/// Whether exactly these rows are empty now, and everything else is as it was.
fn is_as_wanted(
    before: &RecordSource,
    after: &RecordSource,
    rows: &BTreeSet<u64>,
) -> Result<bool, FileError> {
    let (mut before, mut after) = (before.records()?, after.records()?);
    let (mut old, mut new) = (CsvRecord::default(), CsvRecord::default());
    loop {
        let (more, as_many) = (before.next(&mut old)?, after.next(&mut new)?);
        if more != as_many {
            return Ok(false);
        }
        if !more {
            return Ok(true);
        }
        let fine = if rows.contains(&old.row) {
            new.row == old.row && is_empty(&new.record)
        } else {
            new.row == old.row && new.raw == old.raw && new.record == old.record
        };
        if !fine {
            return Ok(false);
        }
    }
}

fn is_empty(record: &Record) -> bool {
    (0..record.len()).all(|column| match record.cell(column) {
        Cell::Text(text) => text.trim().is_empty(),
        Cell::List(items) => items.is_empty(),
        Cell::Absent | Cell::Null => true,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file::{FileOptions, inspect};

    /// The file with rows blanked; none if it cannot be.
    fn blanked(name: &str, content: &[u8], rows: &[u64]) -> Option<Vec<u8>> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        let told = FileOptions::default();
        let seen = inspect(&path, name, folder.path(), &told, 50).unwrap();
        let out = folder.path().join("out");
        let rows = rows.iter().copied().collect();
        let header = &seen.header.names;
        let limits = FileLimits::default();
        blank(&path, &seen.reading, header, &limits, &rows, &out)
            .unwrap()
            .then(|| std::fs::read(&out).unwrap())
    }

    #[test]
    fn rows_are_blanked_where_they_stand() {
        let utf16 = |text: &str| -> Vec<u8> {
            let units = std::iter::once(0xfeff).chain(text.encode_utf16());
            units.flat_map(u16::to_le_bytes).collect()
        };
        let rows = "name,email\r\nBen,b@x.de\r\nAnna,a@x.de\r\n\"Anna\nW\",\"a@x.de\"\r\n";
        let left = "name,email\r\nBen,b@x.de\r\n          ,\r\n                ,\r\n";
        for (name, before, after) in [
            ("a.csv", rows.as_bytes().to_vec(), left.as_bytes().to_vec()),
            ("b.csv", utf16(rows), utf16(left)),
            (
                "c.csv",
                b"N\xe4me;Ort\nBen;K\xf6ln\nAnn\xe4;K\xf6ln\nAnna Annabell;Kiel\n".to_vec(),
                b"N\xe4me;Ort\nBen;K\xf6ln\n        ;\n                 ;\n".to_vec(),
            ),
            (
                "d.ndjson",
                b"{\"n\":\"Ben\"}\n{\"n\":\"Anna\"}\n{\"n\":\"Anna W\"}\n".to_vec(),
                b"{\"n\":\"Ben\"}\n{}          \n{}            \n".to_vec(),
            ),
            (
                "e.json",
                b"[{\"n\":\"Ben\"},{\"n\":\"Anna\"}, {\"n\":\"Anna\"}]".to_vec(),
                b"[{\"n\":\"Ben\"},{}          , {}          ]".to_vec(),
            ),
        ] {
            let blanked = blanked(name, &before, &[2, 3]);
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            assert_eq!(blanked.as_deref().map(text), Some(text(&after)), "{name}");
        }
    }

    #[test]
    fn a_card_is_blanked_and_one_column_as_well() {
        let card = |name: &str| format!("BEGIN:VCARD\nVERSION:3.0\nFN:{name}\nEND:VCARD\n");
        let cards = format!("{}{}", card("Anna"), card("Ben"));
        let left = blanked("a.vcf", cards.as_bytes(), &[1]).unwrap();
        let left = String::from_utf8(left).unwrap();
        assert!(
            !left.contains("Anna") && left.ends_with(&card("Ben")),
            "{left}"
        );
        let rows = "email\nanna@x.de\nzanna@x.de\nb@x.de\n";
        let left = blanked("a.csv", rows.as_bytes(), &[1]).unwrap();
        assert_eq!(left, b"email\n\"\"       \nzanna@x.de\nb@x.de\n");
    }

    #[test]
    fn what_lies_in_a_container_is_not_rewritten() {
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed
            .write_all(b"name,email\nBen,b@x.de\nAnna,a@x.de\n")
            .unwrap();
        let packed = packed.finish().unwrap();
        assert_eq!(blanked("a.csv.gz", &packed, &[2]), None);
    }
}
