//! Spreadsheets: the rows of one sheet of an XLSX, XLS or ODS file, each cell as the text that a person sees.
//!
//! A sheet is converted once, to a [`Spool`] on disk with a line of JSON a row, because a spreadsheet cannot be read
//! from the middle: what resumes or reads twice reads the spool. The conversion holds a row at a time and what the
//! format keeps apart from its rows (shared texts, styles), which is limited; nothing in a file says how much memory
//! is taken for it before that much was read.

mod number;
mod ods;
mod spool;
mod xls;
mod xlsx;

use std::ops::ControlFlow;
use std::path::Path;
use std::time::{Duration, Instant};

use rollbook_engine::record::Header;
use serde::{Deserialize, Serialize};

pub use self::spool::{SheetRecords, Spool};
pub(crate) use self::spool::{payload_cells, to_record};

use self::spool::SpoolWriter;
use crate::container::listed;
use crate::csv::header;
use crate::file::{FileError, FileLimits};
use crate::input::Input;

/// Rows that are looked at to find the header.
const SAMPLE: usize = 500;

/// Columns that a header may have; cells past them are surplus.
const COLUMNS: usize = 2_048;

/// How long a sheet may take to be converted. Its size is limited as well, so only a file made for it comes here.
const PATIENCE: Duration = Duration::from_mins(15);

/// Which kind of file a sheet is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WorkbookKind {
    /// Office Open XML.
    Xlsx,
    /// Excel 5.0 to 2003.
    Xls,
    /// `OpenDocument`.
    Ods,
}

impl WorkbookKind {
    /// `XLSX`, as people call it.
    pub fn label(self) -> &'static str {
        match self {
            WorkbookKind::Xlsx => "XLSX",
            WorkbookKind::Xls => "XLS",
            WorkbookKind::Ods => "ODS",
        }
    }
}

/// The table of a sheet. An import stores it, so that its file is read the same way again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    /// The kind of file.
    pub kind: WorkbookKind,
    /// The name of the sheet.
    pub sheet: String,
    /// Which row of the sheet is the header, as spreadsheets number them, from 1; 0 if there is none.
    pub header_row: u64,
    /// How many columns the table has.
    pub columns: usize,
}

/// A sheet of a workbook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sheet {
    /// Its name.
    pub name: String,
    /// Whether the program that made it shows it.
    pub visible: bool,
}

/// A row of a sheet that has cells.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SheetRow {
    /// Its number, from 1.
    pub number: u64,
    /// Its cells that are not empty: column, from 0, and text; in order.
    pub cells: Vec<(usize, String)>,
}

/// Cells that a row may have, and bytes in them: a row is held whole.
const ROW_CELLS: usize = 1 << 15;
const ROW_BYTES: usize = 64 << 20;

/// Adds a cell to a row. Texts that many cells share are made for each of them, so they are counted.
fn add_cell(
    cells: &mut Vec<(usize, String)>,
    bytes: &mut usize,
    column: usize,
    text: String,
) -> Result<(), FileError> {
    *bytes += text.len();
    if cells.len() == ROW_CELLS || *bytes > ROW_BYTES {
        return Err(FileError::TooMuch(format!(
            "has a row of more than {ROW_CELLS} cells or {ROW_BYTES} bytes; remove what is not part of the list"
        )));
    }
    cells.push((column, text));
    Ok(())
}

impl SheetRow {
    /// Whether there is nothing but white space in it.
    pub fn is_blank(&self) -> bool {
        self.cells.iter().all(|(_, text)| text.trim().is_empty())
    }

    /// How many columns the row reaches over.
    pub fn width(&self) -> usize {
        self.cells.last().map_or(0, |(column, _)| column + 1)
    }

    /// The texts of its first `columns` cells, blank ones included.
    pub fn texts(&self, columns: usize) -> Vec<String> {
        let mut texts = vec![String::new(); columns.min(self.width())];
        for (column, text) in &self.cells {
            if let Some(place) = texts.get_mut(*column) {
                place.clone_from(text);
            }
        }
        texts
    }
}

/// What is done with each row; a break ends the reading.
type EachRow<'a> = dyn FnMut(&SheetRow) -> Result<ControlFlow<()>, FileError> + 'a;

/// A workbook, open at one of its sheets.
pub struct Workbook {
    kind: WorkbookKind,
    reader: Reader,
    sheets: Vec<Sheet>,
    chosen: usize,
}

enum Reader {
    Xlsx(Box<xlsx::Xlsx>),
    Xls(Box<xls::Xls>),
    Ods(Box<ods::Ods>),
}

impl Workbook {
    /// Opens a workbook at the sheet that is named or numbered, else at the first that people see.
    pub fn open(
        kind: WorkbookKind,
        input: Input,
        sheet: Option<&str>,
        limits: &FileLimits,
    ) -> Result<Workbook, FileError> {
        guarded(kind, || {
            let (reader, sheets) = match kind {
                WorkbookKind::Xlsx => {
                    let (reader, sheets) = xlsx::Xlsx::open(input, limits)?;
                    (Reader::Xlsx(Box::new(reader)), sheets)
                }
                WorkbookKind::Xls => {
                    let (reader, sheets) = xls::Xls::open(input, limits)?;
                    (Reader::Xls(Box::new(reader)), sheets)
                }
                WorkbookKind::Ods => {
                    let (reader, sheets) = ods::Ods::open(input, limits)?;
                    (Reader::Ods(Box::new(reader)), sheets)
                }
            };
            let chosen = choose(&sheets, sheet)?;
            Ok(Workbook {
                kind,
                reader,
                sheets,
                chosen,
            })
        })
    }

    /// Which kind of file it is.
    pub fn kind(&self) -> WorkbookKind {
        self.kind
    }

    /// All sheets that can have cells.
    pub fn sheets(&self) -> &[Sheet] {
        &self.sheets
    }

    /// The sheet that is read.
    pub fn sheet(&self) -> &Sheet {
        &self.sheets[self.chosen]
    }

    /// Hands on the rows that have cells, from the first.
    pub fn rows(&mut self, each: &mut EachRow<'_>) -> Result<(), FileError> {
        let begun = Instant::now();
        let mut each = |row: &SheetRow| {
            if row.number.is_multiple_of(1024) && begun.elapsed() > PATIENCE {
                return Err(FileError::TooMuch(format!(
                    "takes more than {} minutes to read; save its sheet as CSV",
                    PATIENCE.as_secs() / 60
                )));
            }
            each(row)
        };
        let (reader, chosen) = (&mut self.reader, self.chosen);
        guarded(self.kind, || match reader {
            Reader::Xlsx(reader) => reader.rows(chosen, &mut each),
            Reader::Xls(reader) => reader.rows(chosen, &mut each),
            Reader::Ods(reader) => reader.rows(chosen, &mut each),
        })
    }

    /// Finds the table on the sheet: its header, and the first records below it.
    pub fn table(&mut self, header_row: Option<u64>) -> Result<(Table, Header), FileError> {
        let mut sample: Vec<SheetRow> = Vec::new();
        self.rows(&mut |row| {
            if row.is_blank() {
                return Ok(ControlFlow::Continue(()));
            }
            sample.push(row.clone());
            let enough =
                sample.len() >= SAMPLE && header_row.is_none_or(|wanted| row.number >= wanted);
            if sample.len() > SAMPLE && !enough {
                sample.remove(0);
            }
            Ok(if enough {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            })
        })?;
        if sample.is_empty() {
            return Err(FileError::NoCells {
                sheet: self.sheet().name.clone(),
                others: self.others(),
            });
        }
        let header_row = match header_row {
            Some(wanted) => wanted,
            None => found_header(&sample),
        };
        let below = sample.iter().filter(|row| row.number >= header_row);
        let columns = below.map(SheetRow::width).max().unwrap_or(0).min(COLUMNS);
        let header = sample.iter().find(|row| row.number == header_row);
        let header = match header {
            Some(row) => {
                let mut names = row.texts(columns);
                names.resize(columns, String::new());
                names
            }
            None if header_row == 0 => (1..=columns).map(column_name).collect(),
            None => return Err(FileError::NoHeader { row: header_row }),
        };
        let table = Table {
            kind: self.kind,
            sheet: self.sheet().name.clone(),
            header_row,
            columns,
        };
        Ok((table, Header { names: header }))
    }

    /// Converts the records of a table to a file of ours in `folder`.
    pub fn spool(
        &mut self,
        table: &Table,
        header: &Header,
        folder: &Path,
        limits: &FileLimits,
    ) -> Result<Spool, FileError> {
        self.spool_first(table, header, folder, limits, usize::MAX)
    }

    /// Converts the first `count` records of a table.
    pub(crate) fn spool_first(
        &mut self,
        table: &Table,
        header: &Header,
        folder: &Path,
        limits: &FileLimits,
        count: usize,
    ) -> Result<Spool, FileError> {
        let mut writer = SpoolWriter::new(header, folder, limits)?;
        let mut written = 0;
        self.rows(&mut |row| {
            if row.number > table.header_row && !row.is_blank() {
                writer.write(row)?;
                written += 1;
            }
            Ok(if written < count {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            })
        })?;
        writer.finish()
    }

    fn others(&self) -> String {
        let others = self.sheets.iter().enumerate();
        listed(
            others
                .filter(|(position, _)| *position != self.chosen)
                .map(|(_, sheet)| sheet.name.as_str()),
        )
    }
}

/// The name of a column without one.
pub(crate) fn column_name(number: usize) -> String {
    format!("Column {number}")
}

/// The number of the row that is the header; 0 if there is none.
fn found_header(sample: &[SheetRow]) -> u64 {
    // Empty columns at the left are no part of the table.
    let left = sample
        .iter()
        .filter_map(|row| row.cells.first().map(|(column, _)| *column))
        .min()
        .unwrap_or(0);
    let rows: Vec<Vec<String>> = sample
        .iter()
        .map(|row| {
            row.texts(COLUMNS)
                .split_off(left.min(row.width().min(COLUMNS)))
        })
        .collect();
    match header::find(&rows, header::usual_width(&rows)) {
        0 => 0,
        found => usize::try_from(found - 1)
            .ok()
            .and_then(|position| sample.get(position))
            .map_or(0, |row| row.number),
    }
}

/// The sheet that is wanted: by name, by name in any case, by number.
fn choose(sheets: &[Sheet], wanted: Option<&str>) -> Result<usize, FileError> {
    let Some(wanted) = wanted else {
        let visible = sheets.iter().position(|sheet| sheet.visible);
        return visible
            .or_else(|| (!sheets.is_empty()).then_some(0))
            .ok_or(FileError::NoSheet);
    };
    let folded = wanted.trim().to_lowercase();
    let by_name = sheets
        .iter()
        .position(|sheet| sheet.name == wanted)
        .or_else(|| {
            sheets
                .iter()
                .position(|sheet| sheet.name.trim().to_lowercase() == folded)
        });
    let by_number = || {
        let number = wanted.trim().parse::<usize>().ok()?;
        number
            .checked_sub(1)
            .filter(|position| *position < sheets.len())
    };
    by_name
        .or_else(by_number)
        .ok_or_else(|| FileError::UnknownSheet {
            wanted: wanted.to_owned(),
            known: listed(sheets.iter().map(|sheet| sheet.name.as_str())),
        })
}

/// Runs a reader of somebody else's, for which a file may be so broken that it panics: that is a broken file, too.
fn guarded<T>(
    kind: WorkbookKind,
    read: impl FnOnce() -> Result<T, FileError>,
) -> Result<T, FileError> {
    // What the reader has half done is dropped with it, or only read again after an error was told.
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(read)).unwrap_or_else(|_| {
        Err(FileError::Damaged {
            what: match kind {
                WorkbookKind::Xlsx => "XLSX workbook",
                WorkbookKind::Xls => "XLS workbook",
                WorkbookKind::Ods => "ODS workbook",
            },
            reason: "it contradicts itself".to_owned(),
        })
    })
}
