//! The records of a sheet on disk: a line a record, with the number of its row, what is wrong with it, and its cells
//! as a JSON object, which is the record's payload.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::Path;

use rollbook_engine::issue::Problem;
use rollbook_engine::record::{Header, Record};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

use super::{SheetRow, column_name};
use crate::csv::{CsvRecord, cut};
use crate::file::{FileError, FileLimits};
use crate::input::SharedFile;

/// The converted records of a sheet. It can be read any number of times.
#[derive(Debug, Clone)]
pub struct Spool {
    file: SharedFile,
    keys: Vec<String>,
    limit: usize,
}

impl Spool {
    /// Reads the records from the first.
    pub fn records(&self) -> SheetRecords {
        SheetRecords {
            lines: BufReader::with_capacity(1 << 16, self.file.clone()),
            line: Vec::new(),
            keys: self.keys.clone(),
            limit: self.limit,
            row: 0,
        }
    }
}

/// The keys of a record's JSON: the columns' names, made different where they are blank or come twice.
pub(crate) fn keys(names: &[String]) -> Vec<String> {
    let mut taken: HashSet<String> = HashSet::with_capacity(names.len());
    let mut keys = Vec::with_capacity(names.len());
    for (position, name) in names.iter().enumerate() {
        let name = match name.trim() {
            "" => column_name(position + 1),
            name => name.to_owned(),
        };
        let mut key = name.clone();
        let mut times = 2_u32;
        while taken.contains(&key) {
            key = format!("{name} ({times})");
            times += 1;
        }
        taken.insert(key.clone());
        keys.push(key);
    }
    keys
}

/// Writes a spool.
pub(super) struct SpoolWriter {
    out: BufWriter<File>,
    keys: Vec<String>,
    /// The keys as JSON, with the colon.
    json_keys: Vec<String>,
    line: Vec<u8>,
    written: u64,
    most: u64,
    limit: usize,
}

impl SpoolWriter {
    pub(super) fn new(
        header: &Header,
        folder: &Path,
        limits: &FileLimits,
    ) -> Result<SpoolWriter, FileError> {
        let keys = keys(&header.names);
        let json_keys = keys
            .iter()
            .map(|key| serde_json::to_string(key).map(|key| key + ":"))
            .collect::<Result<_, _>>()
            .map_err(io::Error::from)?;
        Ok(SpoolWriter {
            out: BufWriter::with_capacity(1 << 18, tempfile::tempfile_in(folder)?),
            keys,
            json_keys,
            line: Vec::new(),
            written: 0,
            most: limits.unpacked,
            limit: limits.csv.record,
        })
    }

    pub(super) fn write(&mut self, row: &SheetRow) -> Result<(), FileError> {
        let columns = self.keys.len();
        let surplus = row.cells.last().filter(|(column, _)| *column >= columns);
        self.line.clear();
        self.line.push(b'{');
        for (column, text) in &row.cells {
            if self.line.len() > 1 {
                self.line.push(b',');
            }
            match self.json_keys.get(*column) {
                Some(key) => self.line.extend_from_slice(key.as_bytes()),
                None => write!(self.line, "\"{}\":", column_name(column + 1))?,
            }
            serde_json::to_writer(&mut self.line, text).map_err(io::Error::from)?;
        }
        self.line.push(b'}');
        let problem = if self.line.len() > self.limit {
            let kept = cut(&String::from_utf8_lossy(&self.line));
            self.line = kept.into_bytes();
            "large".to_owned()
        } else {
            surplus.map_or_else(String::new, |(column, _)| (column + 1).to_string())
        };
        write!(self.out, "{}\t{problem}\t", row.number)?;
        self.out.write_all(&self.line)?;
        self.out.write_all(b"\n")?;
        self.written += self.line.len() as u64 + 12;
        if self.written > self.most {
            return Err(FileError::TooMuch(format!(
                "has more than {} bytes of cells; split it, or raise `max_file_bytes` in the settings",
                self.most
            )));
        }
        Ok(())
    }

    pub(super) fn finish(self) -> Result<Spool, FileError> {
        let file = self
            .out
            .into_inner()
            .map_err(io::IntoInnerError::into_error)?;
        Ok(Spool {
            file: SharedFile::new(file)?,
            keys: self.keys,
            limit: self.limit,
        })
    }
}

/// The records of a sheet, read from its spool.
pub struct SheetRecords {
    lines: BufReader<SharedFile>,
    line: Vec<u8>,
    keys: Vec<String>,
    limit: usize,
    row: u64,
}

impl SheetRecords {
    /// Reads the next record; false at the end.
    pub fn next(&mut self, into: &mut CsvRecord) -> Result<bool, FileError> {
        if !self.step()? {
            return Ok(false);
        }
        let line = self.line.strip_suffix(b"\n").unwrap_or(&self.line);
        let line = std::str::from_utf8(line).map_err(|_| spoiled())?;
        let mut parts = line.splitn(3, '\t');
        let (Some(number), Some(problem), Some(json)) = (parts.next(), parts.next(), parts.next())
        else {
            return Err(spoiled());
        };
        into.row = self.row;
        into.line = number.parse().map_err(|_| spoiled())?;
        into.raw.clear();
        into.raw.push_str(json);
        into.record.clear();
        into.problem = match problem {
            "" => None,
            "large" => Some(Problem::RecordTooLarge { limit: self.limit }),
            found => Some(Problem::RecordTooManyCells {
                expected: self.keys.len(),
                found: found.parse().map_err(|_| spoiled())?,
            }),
        };
        if into.problem.is_none() {
            fill(&mut into.record, json, &self.keys)?;
        }
        Ok(true)
    }

    /// Passes over a record; false at the end.
    pub fn step(&mut self) -> Result<bool, FileError> {
        self.line.clear();
        if self.lines.read_until(b'\n', &mut self.line)? == 0 {
            return Ok(false);
        }
        self.row += 1;
        Ok(true)
    }
}

/// Our own file is not as we wrote it.
fn spoiled() -> FileError {
    FileError::Io(io::ErrorKind::InvalidData.into())
}

/// The cells of a payload, one a column.
fn fill(record: &mut Record, json: &str, keys: &[String]) -> Result<(), FileError> {
    let cells: Cells<'_> = serde_json::from_str(json).map_err(|_| spoiled())?;
    let mut cells = cells.0.into_iter().peekable();
    for key in keys {
        match cells.next_if(|(own, _)| own == key) {
            Some((_, text)) => record.push_text(&text),
            None => record.push_absent(),
        }
    }
    Ok(())
}

/// The cells of a row's payload under their columns, to show a stored record again; surplus cells at the end. None if
/// it is no such payload.
pub(crate) fn payload_cells(payload: &str, names: &[String]) -> Option<Vec<String>> {
    let cells: Cells<'_> = serde_json::from_str(payload).ok()?;
    let mut cells = cells.0.into_iter().peekable();
    let mut texts: Vec<String> = keys(names)
        .iter()
        .map(|key| {
            cells
                .next_if(|(own, _)| own == key)
                .map(|(_, text)| text.into_owned())
                .unwrap_or_default()
        })
        .collect();
    texts.extend(cells.map(|(_, text)| text.into_owned()));
    Some(texts)
}

/// The payload of a row as the record that it was read as.
pub(crate) fn to_record(payload: &str, names: &[String]) -> Result<Record, Problem> {
    let cells: Cells<'_> =
        serde_json::from_str(payload).map_err(|error| Problem::RecordUnreadable {
            reason: format!("it is not an object of texts: {error}"),
        })?;
    let keys = keys(names);
    // Where it was written by hand, the columns may stand in any order.
    let place = |own: &str| keys.iter().position(|key| key == own);
    let mut texts: Vec<Option<&str>> = vec![None; keys.len()];
    let mut surplus = 0;
    for (own, text) in &cells.0 {
        match place(own) {
            Some(column) => texts[column] = Some(text),
            None => surplus += 1,
        }
    }
    if surplus > 0 {
        return Err(Problem::RecordTooManyCells {
            expected: keys.len(),
            found: keys.len() + surplus,
        });
    }
    let mut record = Record::new();
    for text in texts {
        match text {
            Some(text) => record.push_text(text),
            None => record.push_absent(),
        }
    }
    Ok(record)
}

/// An object whose values are all texts, in order.
struct Cells<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'de> Deserialize<'de> for Cells<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Cells<'de>, D::Error> {
        struct CellsVisitor;
        impl<'de> Visitor<'de> for CellsVisitor {
            type Value = Cells<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of texts")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Cells<'de>, M::Error> {
                let mut cells = Vec::new();
                while let Some((key, text)) =
                    map.next_entry::<crate::json::Text<'de>, crate::json::Text<'de>>()?
                {
                    cells.push((key.0, text.0));
                }
                Ok(Cells(cells))
            }
        }
        deserializer.deserialize_map(CellsVisitor)
    }
}

#[cfg(test)]
mod tests {
    use rollbook_engine::record::Cell;

    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn row(number: u64, cells: &[(usize, &str)]) -> SheetRow {
        SheetRow {
            number,
            cells: cells
                .iter()
                .map(|(column, text)| (*column, (*text).to_owned()))
                .collect(),
        }
    }

    #[test]
    fn a_stored_row_is_read_under_its_columns_in_any_order() {
        let names = names(&["Name", "Phone", "City"]);
        let record = to_record(r#"{"Phone":"01","Name":"Anna"}"#, &names).unwrap();
        let cells: Vec<_> = (0..3).map(|column| record.cell(column)).collect();
        assert_eq!(cells, [Cell::Text("Anna"), Cell::Text("01"), Cell::Absent]);
        let surplus = to_record(r#"{"Name":"Anna","Column 4":"x"}"#, &names);
        assert_eq!(
            surplus.unwrap_err(),
            Problem::RecordTooManyCells {
                expected: 3,
                found: 4
            }
        );
        assert!(to_record("Anna;01", &names).is_err());
    }

    #[test]
    fn keys_are_different() {
        assert_eq!(
            keys(&names(&["Phone", "", " Phone ", "Phone (2)", "Phone"])),
            [
                "Phone",
                "Column 2",
                "Phone (2)",
                "Phone (2) (2)",
                "Phone (3)"
            ]
        );
    }

    #[test]
    fn what_is_written_is_read_again() {
        let header = Header {
            names: names(&["Name", "", "Phone"]),
        };
        let mut limits = FileLimits::default();
        limits.csv.record = 100;
        let mut writer = SpoolWriter::new(&header, &std::env::temp_dir(), &limits).unwrap();
        writer
            .write(&row(2, &[(0, "An\"na\n\tWeber"), (2, "030")]))
            .unwrap();
        writer.write(&row(4, &[(1, "x"), (5, "y")])).unwrap();
        writer.write(&row(5, &[(0, &"long".repeat(50))])).unwrap();
        let spool = writer.finish().unwrap();
        for _ in 0..2 {
            let mut records = spool.records();
            let mut record = CsvRecord::default();
            assert!(records.next(&mut record).unwrap());
            assert_eq!((record.row, record.line), (1, 2));
            assert_eq!(record.raw, r#"{"Name":"An\"na\n\tWeber","Phone":"030"}"#);
            assert_eq!(
                crate::csv::texts(&record.record),
                ["An\"na\n\tWeber", "", "030"]
            );
            assert!(records.next(&mut record).unwrap());
            assert_eq!(record.raw, r#"{"Column 2":"x","Column 6":"y"}"#);
            let expected = Problem::RecordTooManyCells {
                expected: 3,
                found: 6,
            };
            assert_eq!(record.problem, Some(expected));
            assert_eq!(
                payload_cells(&record.raw, &header.names).unwrap(),
                ["", "x", "", "y"]
            );
            assert!(records.next(&mut record).unwrap());
            assert_eq!(record.problem, Some(Problem::RecordTooLarge { limit: 100 }));
            assert!(!records.next(&mut record).unwrap());
        }
    }
}
