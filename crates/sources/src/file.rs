//! Any file of records: one type in front of all formats.
//!
//! [`inspect`] says how a file is read ([`Reading`]) and shows its first records. [`RecordSource`] reads it that way,
//! as often as wanted, each time from the first record; [`RecordFile::skip`] goes to where an import stopped.

use std::fs::File;
use std::path::{Path, PathBuf};

use rollbook_engine::issue::Problem;
use rollbook_engine::record::{Cell, Header, Record};
use serde::{Deserialize, Serialize};

use crate::container::{Kind, Unpacked, unpack};
use crate::csv::{
    self, CsvFile, CsvLimits, CsvOptions, CsvRecord, CsvRows, Dialect, Encoding, ReadError,
};
use crate::input::{Input, SharedFile};
use crate::json::{self, JsonFile, JsonLayout};
use crate::vcard::{self, VcardFile};
use crate::workbook::{self, SheetRecords, Spool, Table, Workbook, WorkbookKind, payload_cells};

/// How a file is read. An import stores it, so that its file is read the same way again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reading {
    /// Delimited text.
    #[serde(rename = "dialect")]
    Csv(Dialect),
    /// A sheet of a spreadsheet.
    #[serde(rename = "table")]
    Workbook(Table),
    /// vCards.
    #[serde(rename = "vcard")]
    Vcard {
        /// The name of their encoding.
        encoding: String,
    },
    /// JSON.
    #[serde(rename = "json")]
    Json {
        /// How the records lie in the file.
        layout: JsonLayout,
    },
}

impl Reading {
    /// The media type of a record's payload.
    pub fn media_type(&self) -> &'static str {
        match self {
            Reading::Csv(_) => "text/csv",
            Reading::Workbook(_) | Reading::Json { .. } => "application/json",
            Reading::Vcard { .. } => "text/vcard",
        }
    }

    /// What people call the format: `CSV`, `XLSX`, `vCard`.
    pub fn label(&self) -> &'static str {
        match self {
            Reading::Csv(_) => "CSV",
            Reading::Workbook(table) => table.kind.label(),
            Reading::Vcard { .. } => "vCard",
            Reading::Json {
                layout: JsonLayout::Lines,
            } => "NDJSON",
            Reading::Json { .. } => "JSON",
        }
    }

    /// The cells of a stored payload as text, one a column of the header, surplus ones at the end. Several values of a
    /// cell stand with a semicolon between them.
    pub fn cells(&self, payload: &str, header: &[String]) -> Vec<String> {
        match self {
            Reading::Csv(dialect) => csv::parse_raw(payload, dialect),
            Reading::Workbook(_) => {
                payload_cells(payload, header).unwrap_or_else(|| vec![payload.to_owned()])
            }
            Reading::Vcard { .. } => texts(&vcard::to_record(payload, header)),
            Reading::Json { .. } => match json::to_record(payload, header) {
                Ok(record) => texts(&record),
                Err(_) => vec![payload.to_owned()],
            },
        }
    }
}

impl Reading {
    /// The record that a stored payload was read as, or why it cannot be read.
    pub fn record(&self, payload: &str, header: &[String]) -> Result<Record, Problem> {
        match self {
            Reading::Csv(dialect) => csv::to_record(payload, dialect, header.len()),
            Reading::Workbook(_) => workbook::to_record(payload, header),
            Reading::Vcard { .. } => vcard::card_to_record(payload, header),
            Reading::Json { .. } => json::object_to_record(payload, header),
        }
    }
}

/// The cells of a record as text; several values with a semicolon between them.
pub fn texts(record: &Record) -> Vec<String> {
    (0..record.len())
        .map(|column| match record.cell(column) {
            Cell::Text(text) => text.to_owned(),
            Cell::List(items) => items.join("; "),
            Cell::Absent | Cell::Null => String::new(),
        })
        .collect()
}

/// What is said about a file; the rest is found out.
#[derive(Debug, Clone, Default)]
pub struct FileOptions {
    /// Delimiter, quote, encoding and header row. Encoding and header row count for other formats as well.
    pub csv: CsvOptions,
    /// The name or the number of the sheet.
    pub sheet: Option<String>,
    /// What is too much. It counts, not the limits in `csv`.
    pub limits: FileLimits,
}

/// What is too much for a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileLimits {
    /// What is too much for a record.
    pub csv: CsvLimits,
    /// The bytes that a file may unpack or convert to.
    pub unpacked: u64,
    /// How many times larger a file may become, ...
    pub ratio: u64,
    /// ... once it has become so large.
    pub ratio_from: u64,
    /// The entries of a container.
    pub entries: u64,
}

impl Default for FileLimits {
    fn default() -> FileLimits {
        FileLimits {
            csv: CsvLimits::default(),
            unpacked: 2 << 30,
            ratio: 200,
            ratio_from: 64 << 20,
            entries: 10_000,
        }
    }
}

/// Why a file cannot be read. The texts go on where the file's name stands before them, save for those of [`FileError::Csv`].
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// Its bytes cannot be had.
    #[error("cannot be read; upload it again")]
    Io(#[from] std::io::Error),
    /// It is text, but not to be read as told.
    #[error(transparent)]
    Csv(ReadError),
    /// There is nothing in it.
    #[error("is empty; choose a file with a header row and records")]
    Empty,
    /// It is something else.
    #[error("is {what}; {todo}")]
    Foreign {
        /// What it is.
        what: &'static str,
        /// What to do.
        todo: &'static str,
    },
    /// It is broken.
    #[error("is a damaged {what}: {reason}; export it again, or open it and save it anew")]
    Damaged {
        /// What it is.
        what: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// It has a password.
    #[error("is protected by a password; save it without one")]
    Encrypted,
    /// It brings definitions of its own, which are never followed.
    #[error("declares entities or a document type, which is not read; open it and save it anew")]
    Entities,
    /// There is too much of something in it.
    #[error("{0}")]
    TooMuch(String),
    /// It is a container of several files.
    #[error("holds several files ({0}); upload the one with contacts by itself")]
    Several(String),
    /// It has no sheet with cells.
    #[error("has no sheet with cells; choose another file")]
    NoSheet,
    /// There is no such sheet.
    #[error("has no sheet `{wanted}`; it has {known}")]
    UnknownSheet {
        /// What was asked for.
        wanted: String,
        /// What there is.
        known: String,
    },
    /// The sheet is empty.
    #[error("has no cells on its sheet `{sheet}`{}", other_sheets(.others))]
    NoCells {
        /// The sheet.
        sheet: String,
        /// The other sheets, in words.
        others: String,
    },
    /// The header row is blank or past the end.
    #[error("has nothing in row {row}, which should be the header; name another row")]
    NoHeader {
        /// The row.
        row: u64,
    },
    /// It is no JSON.
    #[error("is not JSON on line {line}: {reason}; export it again")]
    Json {
        /// The line, from 1.
        line: u64,
        /// What is wrong.
        reason: String,
    },
    /// There are no records in it.
    #[error("has no records; choose another file")]
    NoRecords,
}

fn other_sheets(others: &str) -> String {
    if others.is_empty() {
        "; choose another file".to_owned()
    } else {
        format!("; choose another sheet: {others}")
    }
}

impl From<ReadError> for FileError {
    fn from(error: ReadError) -> FileError {
        match error {
            ReadError::Io(error) => FileError::Io(error),
            other => FileError::Csv(other),
        }
    }
}

/// What a look into a file showed.
#[derive(Debug, Clone)]
pub struct Inspected {
    /// How it is read.
    pub reading: Reading,
    /// Its columns.
    pub header: Header,
    /// The first records.
    pub records: Vec<CsvRecord>,
    /// The names of the sheets of a spreadsheet.
    pub sheets: Vec<String>,
}

/// Whether a file is of a kind that is read at all, out of its containers.
pub fn check(path: &Path, name: &str, folder: &Path, limits: &FileLimits) -> Result<(), FileError> {
    unpack(Input::File(File::open(path)?), name, folder, limits).map(|_| ())
}

/// Finds out how a file is read, and reads its first `count` records. `folder` is for what is unpacked.
pub fn inspect(
    path: &Path,
    name: &str,
    folder: &Path,
    told: &FileOptions,
    count: usize,
) -> Result<Inspected, FileError> {
    let unpacked = unpack(Input::File(File::open(path)?), name, folder, &told.limits)?;
    let limit = told.limits.csv.record;
    let (reading, header, records) = match unpacked.kind {
        Kind::Text => {
            let mut csv = told.csv.clone();
            csv.limits = told.limits.csv;
            let mut file = CsvFile::open(unpacked.input, &csv)?;
            let records = file.take(count)?;
            let header = file.header().clone();
            return Ok(Inspected {
                reading: Reading::Csv(file.dialect().clone()),
                header,
                records,
                sheets: Vec::new(),
            });
        }
        Kind::Xlsx | Kind::Xls | Kind::Ods => return inspect_sheet(unpacked, folder, told, count),
        Kind::Vcard => {
            let shared = shared(unpacked.input)?;
            let encoding = told.csv.encoding;
            let (header, encoding) = VcardFile::columns(shared.clone(), encoding, limit)?;
            let file = VcardFile::reopen(shared, Some(encoding), header.names.clone(), limit)?;
            let records = Reader::Vcard(file).take(count)?;
            let encoding = encoding.name().to_owned();
            (Reading::Vcard { encoding }, header, records)
        }
        Kind::Json => {
            let shared = shared(unpacked.input)?;
            let (header, layout, _) = JsonFile::columns(shared.clone(), limit)?;
            let file = JsonFile::reopen(shared, layout, header.names.clone(), limit)?;
            let records = Reader::Json(file).take(count)?;
            (Reading::Json { layout }, header, records)
        }
    };
    if records.is_empty() {
        return Err(FileError::NoRecords);
    }
    Ok(Inspected {
        reading,
        header,
        records,
        sheets: Vec::new(),
    })
}

fn inspect_sheet(
    unpacked: Unpacked,
    folder: &Path,
    told: &FileOptions,
    count: usize,
) -> Result<Inspected, FileError> {
    let mut workbook = open_workbook(unpacked, told.sheet.as_deref(), &told.limits)?;
    let (table, header) = workbook.table(told.csv.header_row)?;
    let spool = workbook.spool_first(&table, &header, folder, &told.limits, count)?;
    let sheets = workbook.sheets().iter().map(|sheet| sheet.name.clone());
    Ok(Inspected {
        sheets: sheets.collect(),
        reading: Reading::Workbook(table),
        header,
        records: Reader::Sheet(spool.records()).take(count)?,
    })
}

/// The rows of a file as they stand in it, the header and what comes before it included.
pub enum Rows {
    /// Of text.
    Text(Box<CsvRows<Input>>),
    /// Of a sheet.
    Sheet(Box<Workbook>),
    /// Of formats that have a record where others have a row.
    Records {
        /// How the file is read.
        reading: Reading,
        /// Its columns.
        header: Header,
        /// Its records.
        records: Box<RecordFile>,
    },
}

/// Opens a file to look at everything that is in it.
pub fn rows(path: &Path, name: &str, folder: &Path, told: &FileOptions) -> Result<Rows, FileError> {
    let mut csv = told.csv.clone();
    csv.limits = told.limits.csv;
    let text = |input| Ok(Rows::Text(Box::new(CsvRows::open(input, &csv)?)));
    let unpacked = match unpack(Input::File(File::open(path)?), name, folder, &told.limits) {
        // No rows are no error for those who only look.
        Err(FileError::Empty) => return text(Input::File(File::open(path)?)),
        unpacked => unpacked?,
    };
    match unpacked.kind {
        Kind::Text => text(unpacked.input),
        Kind::Xlsx | Kind::Xls | Kind::Ods => {
            let workbook = open_workbook(unpacked, told.sheet.as_deref(), &told.limits)?;
            Ok(Rows::Sheet(Box::new(workbook)))
        }
        Kind::Vcard | Kind::Json => {
            let seen = inspect(path, name, folder, told, 1)?;
            let names = &seen.header.names;
            let source = RecordSource::open(path, folder, &seen.reading, names, &told.limits)?;
            Ok(Rows::Records {
                records: Box::new(source.records()?),
                reading: seen.reading,
                header: seen.header,
            })
        }
    }
}

fn open_workbook(
    unpacked: Unpacked,
    sheet: Option<&str>,
    limits: &FileLimits,
) -> Result<Workbook, FileError> {
    let kind = match unpacked.kind {
        Kind::Xls => WorkbookKind::Xls,
        Kind::Ods => WorkbookKind::Ods,
        Kind::Xlsx | Kind::Text | Kind::Vcard | Kind::Json => WorkbookKind::Xlsx,
    };
    Workbook::open(kind, unpacked.input, sheet, limits)
}

fn shared(input: Input) -> Result<SharedFile, FileError> {
    Ok(match input {
        Input::File(file) => SharedFile::new(file)?,
        Input::Shared(shared) => shared,
    })
}

/// A file that is read as is known, any number of times. What had to be unpacked or converted for that is kept until
/// the last clone is gone.
#[derive(Debug, Clone)]
pub struct RecordSource {
    bytes: Bytes,
    reading: Reading,
    header: Vec<String>,
    limits: FileLimits,
}

#[derive(Debug, Clone)]
enum Bytes {
    /// The file as it is, opened anew by each reader.
    Path(PathBuf),
    /// Taken out of its container.
    Unpacked(SharedFile),
    /// The records of a sheet.
    Spool(Spool),
}

impl RecordSource {
    /// Makes a file ready: unpacks it, and converts the sheet of a spreadsheet.
    pub fn open(
        path: &Path,
        folder: &Path,
        reading: &Reading,
        header: &[String],
        limits: &FileLimits,
    ) -> Result<RecordSource, FileError> {
        RecordSource::open_first(path, folder, reading, header, limits, usize::MAX)
    }

    /// Makes a file ready of which only the first `count` records are to be read: of a sheet no more are converted.
    pub fn open_first(
        path: &Path,
        folder: &Path,
        reading: &Reading,
        header: &[String],
        limits: &FileLimits,
        count: usize,
    ) -> Result<RecordSource, FileError> {
        let unpacked = unpack_as(reading, path, folder, limits)?;
        let bytes = match (reading, unpacked) {
            (Reading::Workbook(table), unpacked) => {
                let mut workbook =
                    Workbook::open(table.kind, unpacked, Some(&table.sheet), limits)?;
                let header = Header {
                    names: header.to_vec(),
                };
                Bytes::Spool(workbook.spool_first(table, &header, folder, limits, count)?)
            }
            (_, Input::File(_)) => Bytes::Path(path.to_owned()),
            (_, Input::Shared(shared)) => Bytes::Unpacked(shared),
        };
        Ok(RecordSource {
            bytes,
            reading: reading.clone(),
            header: header.to_vec(),
            limits: *limits,
        })
    }

    /// How the file is read.
    pub fn reading(&self) -> &Reading {
        &self.reading
    }

    /// Reads the records from the first.
    pub fn records(&self) -> Result<RecordFile, FileError> {
        let input = match &self.bytes {
            Bytes::Path(path) => Input::File(File::open(path)?),
            Bytes::Unpacked(shared) => Input::Shared(shared.clone()),
            Bytes::Spool(spool) => {
                return Ok(RecordFile {
                    reader: Reader::Sheet(spool.records()),
                });
            }
        };
        let limit = self.limits.csv.record;
        let reader = match &self.reading {
            Reading::Csv(dialect) => {
                Reader::Csv(Box::new(CsvFile::reopen(input, dialect, self.limits.csv)?))
            }
            Reading::Vcard { encoding } => {
                let encoding = Encoding::for_label(encoding);
                let file = VcardFile::reopen(shared(input)?, encoding, self.header.clone(), limit)?;
                Reader::Vcard(file)
            }
            Reading::Json { layout } => {
                let file = JsonFile::reopen(shared(input)?, *layout, self.header.clone(), limit)?;
                Reader::Json(file)
            }
            // A spool, always.
            Reading::Workbook(_) => return Err(FileError::NoSheet),
        };
        Ok(RecordFile { reader })
    }
}

/// Takes a file out of its containers, if it may be in one.
fn unpack_as(
    reading: &Reading,
    path: &Path,
    folder: &Path,
    limits: &FileLimits,
) -> Result<Input, FileError> {
    // What text looks like does not matter any more: how it is read was settled.
    let name = match reading {
        Reading::Json { .. } => "a.json",
        Reading::Csv(_) | Reading::Workbook(_) | Reading::Vcard { .. } => "",
    };
    Ok(unpack(Input::File(File::open(path)?), name, folder, limits)?.input)
}

/// A file of records, read one after the other.
pub struct RecordFile {
    reader: Reader,
}

enum Reader {
    Csv(Box<CsvFile<Input>>),
    Sheet(SheetRecords),
    Vcard(VcardFile<SharedFile>),
    Json(JsonFile<SharedFile>),
}

impl RecordFile {
    /// Reads the next record into `record`; false at the end of the file.
    pub fn next(&mut self, record: &mut CsvRecord) -> Result<bool, FileError> {
        self.reader.next(record)
    }

    /// Reads the next record as far as some columns need it; what else is in `record` is not to be looked at.
    pub fn next_columns(
        &mut self,
        record: &mut CsvRecord,
        columns: &[usize],
    ) -> Result<bool, FileError> {
        match &mut self.reader {
            Reader::Csv(file) => Ok(file.next_columns(record, columns)?),
            other => other.next(record),
        }
    }

    /// Passes over the next `count` records; says how many there were.
    pub fn skip(&mut self, count: u64) -> Result<u64, FileError> {
        if let Reader::Csv(file) = &mut self.reader {
            return Ok(file.skip(count)?);
        }
        for skipped in 0..count {
            let more = match &mut self.reader {
                Reader::Csv(file) => file.skip(1)? == 1,
                Reader::Sheet(records) => records.step()?,
                Reader::Vcard(file) => file.step()?,
                Reader::Json(file) => file.step()?,
            };
            if !more {
                return Ok(skipped);
            }
        }
        Ok(count)
    }

    /// The next `count` records at most: for previews and tests.
    pub fn take(&mut self, count: usize) -> Result<Vec<CsvRecord>, FileError> {
        self.reader.take(count)
    }
}

impl Reader {
    fn next(&mut self, record: &mut CsvRecord) -> Result<bool, FileError> {
        match self {
            Reader::Csv(file) => Ok(file.next(record)?),
            Reader::Sheet(records) => records.next(record),
            Reader::Vcard(file) => file.next(record),
            Reader::Json(file) => file.next(record),
        }
    }

    fn take(&mut self, count: usize) -> Result<Vec<CsvRecord>, FileError> {
        let mut records = Vec::new();
        let mut record = CsvRecord::default();
        while records.len() < count && self.next(&mut record)? {
            records.push(std::mem::take(&mut record));
        }
        Ok(records)
    }
}
