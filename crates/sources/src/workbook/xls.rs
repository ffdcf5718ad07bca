//! XLS: the records of Excel 5.0 to 2003 in their compound file.
//!
//! The stream of the workbook is held whole, which is limited, and the texts that cells share; a sheet is read record
//! by record. Nothing is believed about sizes: a record that says more than there is ends the sheet.

use std::collections::BTreeMap;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::ControlFlow;

use encoding_rs::{Encoding, UTF_16LE, WINDOWS_1252};

use super::number::NumberFormat;
use super::{EachRow, Sheet, SheetRow};
use crate::csv;
use crate::file::{FileError, FileLimits};
use crate::input::Input;

/// The most bytes of a workbook's stream. Excel's own files of this kind end long before.
const STREAM: u64 = 512 << 20;

/// The most memory that the cells of a sheet may take: they are put in order before they are handed on.
const CELLS: usize = 1 << 30;

/// What a cell takes beside its text.
const CELL: usize = 64;

mod record {
    pub(super) const BOF: u16 = 0x0809;
    pub(super) const EOF: u16 = 0x000A;
    pub(super) const CONTINUE: u16 = 0x003C;
    pub(super) const FILE_PASS: u16 = 0x002F;
    pub(super) const CODE_PAGE: u16 = 0x0042;
    pub(super) const DATE_MODE: u16 = 0x0022;
    pub(super) const FORMAT: u16 = 0x041E;
    pub(super) const XF: u16 = 0x00E0;
    pub(super) const BOUND_SHEET: u16 = 0x0085;
    pub(super) const SST: u16 = 0x00FC;
    pub(super) const NUMBER: u16 = 0x0203;
    pub(super) const LABEL: u16 = 0x0204;
    pub(super) const RICH_LABEL: u16 = 0x00D6;
    pub(super) const BOOL_ERR: u16 = 0x0205;
    pub(super) const STRING: u16 = 0x0207;
    pub(super) const RK: u16 = 0x027E;
    pub(super) const MUL_RK: u16 = 0x00BD;
    pub(super) const LABEL_SST: u16 = 0x00FD;
    pub(super) const FORMULA: u16 = 0x0006;
}

/// A workbook's stream and what its sheets share.
pub(super) struct Xls {
    stream: Vec<u8>,
    /// Where each sheet begins.
    places: Vec<usize>,
    shared: Shared,
}

/// What the sheets share.
struct Shared {
    /// Whether texts have their length and kind in the form of Excel 97.
    wide: bool,
    encoding: &'static Encoding,
    since_1904: bool,
    texts: Texts,
    /// The number format of each cell format.
    formats: Vec<NumberFormat>,
}

/// Many texts in one.
#[derive(Default)]
struct Texts {
    all: String,
    ends: Vec<usize>,
}

impl Texts {
    fn get(&self, index: usize) -> Option<&str> {
        let end = *self.ends.get(index)?;
        let start = match index {
            0 => 0,
            _ => *self.ends.get(index - 1)?,
        };
        self.all.get(start..end)
    }
}

impl Xls {
    pub(super) fn open(
        mut input: Input,
        limits: &FileLimits,
    ) -> Result<(Xls, Vec<Sheet>), FileError> {
        input.seek(SeekFrom::Start(0))?;
        let mut file = cfb::CompoundFile::open(input).map_err(|error| damaged(&error))?;
        if file.exists("/EncryptedPackage") {
            return Err(FileError::Encrypted);
        }
        let root: Vec<String> = file
            .read_root_storage()
            .filter(cfb::Entry::is_stream)
            .map(|entry| entry.name().to_owned())
            .collect();
        let stream = ["workbook", "book"]
            .iter()
            .find_map(|wanted| root.iter().find(|name| name.eq_ignore_ascii_case(wanted)));
        let Some(stream) = stream else {
            return Err(FileError::Foreign {
                what: "an old Office file without a table",
                todo: "save the contacts as CSV or XLSX",
            });
        };
        let most = STREAM.min(limits.unpacked);
        let mut bytes = Vec::new();
        file.open_stream(format!("/{stream}"))
            .map_err(|error| damaged(&error))?
            .take(most + 1)
            .read_to_end(&mut bytes)
            .map_err(|error| damaged(&error))?;
        if bytes.len() as u64 > most {
            return Err(FileError::TooMuch(format!(
                "has a workbook of more than {most} bytes; save it as XLSX or CSV"
            )));
        }
        Xls::of(bytes)
    }

    fn of(stream: Vec<u8>) -> Result<(Xls, Vec<Sheet>), FileError> {
        let mut shared = Shared {
            wide: true,
            encoding: WINDOWS_1252,
            since_1904: false,
            texts: Texts::default(),
            formats: Vec::new(),
        };
        let (mut sheets, mut places) = (Vec::new(), Vec::new());
        let mut codes: BTreeMap<u16, NumberFormat> = BTreeMap::new();
        let mut cell_formats: Vec<u16> = Vec::new();
        let mut records = Records::new(&stream, 0);
        let mut first = true;
        while let Some((kind, data)) = records.next() {
            if first && kind != record::BOF {
                return Err(FileError::Foreign {
                    what: "a workbook of Excel 4.0 or older",
                    todo: "open it and save it as XLSX",
                });
            }
            first = false;
            match kind {
                record::BOF => shared.wide = number(data, 0) >= 0x0600,
                record::EOF => break,
                record::FILE_PASS => return Err(FileError::Encrypted),
                record::CODE_PAGE => shared.encoding = code_page(number(data, 0)),
                record::DATE_MODE => shared.since_1904 = number(data, 0) == 1,
                record::FORMAT => {
                    if let Some(code) = shared.format_code(data) {
                        codes.insert(number(data, 0), NumberFormat::of(&code));
                    }
                }
                record::XF => cell_formats.push(number(data, 2)),
                // Sheets with cells only: charts and macros have none.
                record::BOUND_SHEET if data.get(5) == Some(&0) => {
                    let name = data.get(6..).and_then(|name| shared.short_text(name));
                    places.push(usize::try_from(long(data, 0)).unwrap_or(usize::MAX));
                    sheets.push(Sheet {
                        name: name.unwrap_or_default().replace('\0', ""),
                        visible: data.get(4).is_some_and(|state| state % 4 == 0),
                    });
                }
                record::SST => {
                    let mut pieces = vec![data];
                    pieces.extend(records.continued());
                    shared.texts = shared_texts(&pieces);
                }
                _ => {}
            }
        }
        shared.formats = cell_formats
            .iter()
            .map(|format| {
                codes
                    .get(format)
                    .cloned()
                    .unwrap_or_else(|| NumberFormat::builtin(*format))
            })
            .collect();
        let workbook = Xls {
            stream,
            places,
            shared,
        };
        Ok((workbook, sheets))
    }

    pub(super) fn rows(&mut self, sheet: usize, each: &mut EachRow<'_>) -> Result<(), FileError> {
        let place = *self.places.get(sheet).ok_or(FileError::NoSheet)?;
        let mut rows: BTreeMap<u16, Vec<(usize, String)>> = BTreeMap::new();
        let mut taken = 0_usize;
        let mut formula = None;
        // Charts on the sheet are streams within its stream.
        let mut depth = 0_u32;
        let mut records = Records::new(&self.stream, place);
        while let Some((kind, data)) = records.next() {
            match kind {
                record::BOF => depth += 1,
                record::EOF if depth <= 1 => break,
                record::EOF => depth -= 1,
                _ if depth != 1 => {}
                _ => {
                    let mut put = |row: u16, column: u16, text: String| {
                        if !text.is_empty() {
                            taken += CELL + text.len();
                            let cells = rows.entry(row).or_default();
                            cells.push((usize::from(column), text));
                        }
                    };
                    self.shared.cells(kind, data, &mut formula, &mut put);
                }
            }
            // Texts that many cells share are made for each of them.
            if taken > CELLS {
                return Err(FileError::TooMuch(format!(
                    "has more than {CELLS} bytes of cells; save its sheet as CSV"
                )));
            }
        }
        for (row, mut cells) in rows {
            cells.sort_by_key(|(column, _)| *column);
            cells.reverse();
            cells.dedup_by_key(|(column, _)| *column);
            cells.reverse();
            let row = SheetRow {
                number: u64::from(row) + 1,
                cells,
            };
            if each(&row)? == ControlFlow::Break(()) {
                return Ok(());
            }
        }
        Ok(())
    }
}

impl Shared {
    /// The cells of one record.
    fn cells(
        &self,
        kind: u16,
        data: &[u8],
        formula: &mut Option<(u16, u16)>,
        put: &mut impl FnMut(u16, u16, String),
    ) {
        let (row, column, format) = (number(data, 0), number(data, 2), number(data, 4));
        match kind {
            record::NUMBER if data.len() >= 14 => {
                put(row, column, self.shown(double(data, 6), format));
            }
            record::RK if data.len() >= 10 => {
                put(row, column, self.shown(packed(long(data, 6)), format));
            }
            record::MUL_RK if data.len() >= 6 => {
                let inner = &data[4..data.len() - 2];
                for (column, cell) in (column..).zip(inner.chunks_exact(6)) {
                    let value = packed(long(cell, 2));
                    put(row, column, self.shown(value, number(cell, 0)));
                }
            }
            record::LABEL_SST if data.len() >= 10 => {
                let index = usize::try_from(long(data, 6)).unwrap_or(usize::MAX);
                put(
                    row,
                    column,
                    self.texts.get(index).unwrap_or_default().to_owned(),
                );
            }
            record::LABEL | record::RICH_LABEL => {
                let text = data.get(6..).and_then(|text| self.long_text(text));
                put(row, column, text.unwrap_or_default());
            }
            record::BOOL_ERR if data.len() >= 8 => {
                let text = if data[7] == 0 {
                    if data[6] == 0 { "FALSE" } else { "TRUE" }
                } else {
                    error_name(data[6])
                };
                put(row, column, text.to_owned());
            }
            record::FORMULA if data.len() >= 14 => {
                *formula = None;
                if data[12..14] != [0xFF, 0xFF] {
                    put(row, column, self.shown(double(data, 6), format));
                    return;
                }
                match data[6] {
                    // The text comes in a record of its own.
                    0 => *formula = Some((row, column)),
                    1 => put(
                        row,
                        column,
                        if data[8] == 0 { "FALSE" } else { "TRUE" }.to_owned(),
                    ),
                    2 => put(row, column, error_name(data[8]).to_owned()),
                    _ => {}
                }
            }
            record::STRING => {
                if let Some((row, column)) = formula.take() {
                    put(row, column, self.long_text(data).unwrap_or_default());
                }
            }
            _ => {}
        }
    }

    fn shown(&self, value: f64, format: u16) -> String {
        let format = self.formats.get(usize::from(format));
        format
            .unwrap_or(&NumberFormat::Plain)
            .show(value, self.since_1904)
    }

    /// A text whose length is in one byte.
    fn short_text(&self, data: &[u8]) -> Option<String> {
        let length = usize::from(*data.first()?);
        self.text(data.get(1..)?, length)
    }

    /// A text whose length is in two bytes.
    fn long_text(&self, data: &[u8]) -> Option<String> {
        let length = usize::from(number(data, 0));
        self.text(data.get(2..)?, length)
    }

    fn text(&self, data: &[u8], length: usize) -> Option<String> {
        if !self.wide {
            let bytes = data.get(..length.min(data.len()))?;
            return Some(
                self.encoding
                    .decode_without_bom_handling(bytes)
                    .0
                    .into_owned(),
            );
        }
        let (flags, data) = data.split_first()?;
        Some(unicode(
            data.get(..bytes_of(*flags, length).min(data.len()))?,
            *flags,
        ))
    }

    fn format_code(&self, data: &[u8]) -> Option<String> {
        if self.wide {
            self.long_text(data.get(2..)?)
        } else {
            self.short_text(data.get(2..)?)
        }
    }
}

/// How many bytes so many characters take.
fn bytes_of(flags: u8, characters: usize) -> usize {
    if flags & 1 == 0 {
        characters
    } else {
        characters * 2
    }
}

/// Text of Excel 97: two bytes a character, or only the lower of them.
fn unicode(bytes: &[u8], flags: u8) -> String {
    if flags & 1 == 0 {
        return bytes.iter().map(|byte| char::from(*byte)).collect();
    }
    UTF_16LE.decode_without_bom_handling(bytes).0.into_owned()
}

/// The texts that cells share. A text may begin in one record and end in the next, which tells anew how wide its
/// characters are.
fn shared_texts(pieces: &[&[u8]]) -> Texts {
    let mut texts = Texts::default();
    let mut reader = Pieces {
        all: pieces,
        piece: 0,
        at: 8,
    };
    while reader.text(&mut texts.all).is_some() {
        texts.ends.push(texts.all.len());
    }
    texts
}

struct Pieces<'a> {
    all: &'a [&'a [u8]],
    piece: usize,
    at: usize,
}

impl<'a> Pieces<'a> {
    /// Goes to the next record where this one is at its end.
    fn here(&mut self) -> Option<&'a [u8]> {
        loop {
            let piece = *self.all.get(self.piece)?;
            match piece.get(self.at..) {
                Some(rest) if !rest.is_empty() => return Some(rest),
                _ => {
                    self.piece += 1;
                    self.at = 0;
                }
            }
        }
    }

    fn byte(&mut self) -> Option<u8> {
        let byte = *self.here()?.first()?;
        self.at += 1;
        Some(byte)
    }

    fn number(&mut self, bytes: u32) -> Option<usize> {
        let mut number = 0;
        for shift in 0..bytes {
            number |= usize::from(self.byte()?) << (8 * shift);
        }
        Some(number)
    }

    fn pass(&mut self, mut bytes: usize) -> Option<()> {
        while bytes > 0 {
            let step = self.here()?.len().min(bytes);
            self.at += step;
            bytes -= step;
        }
        Some(())
    }

    fn text(&mut self, into: &mut String) -> Option<()> {
        let mut characters = self.number(2)?;
        let mut flags = self.byte()?;
        let runs = if flags & 8 != 0 { self.number(2)? } else { 0 };
        let phonetic = if flags & 4 != 0 { self.number(4)? } else { 0 };
        let mut begun = false;
        while characters > 0 {
            let piece = self.piece;
            let rest = self.here()?;
            if begun && self.piece != piece {
                flags = flags & !1 | self.byte()? & 1;
                begun = false;
                continue;
            }
            begun = true;
            let step = bytes_of(flags, characters).min(rest.len());
            // Half a character at the end of a record is damage; it must not stop us.
            let step = if flags & 1 == 1 {
                (step & !1).max(step.min(2))
            } else {
                step
            };
            into.push_str(&unicode(&rest[..step], flags));
            characters -= (step >> (flags & 1)).max(1);
            self.at += step;
        }
        self.pass(runs * 4)?;
        self.pass(phonetic)
    }
}

/// The records of a stream.
struct Records<'a> {
    stream: &'a [u8],
    at: usize,
}

impl<'a> Records<'a> {
    fn new(stream: &'a [u8], at: usize) -> Records<'a> {
        Records { stream, at }
    }

    fn next(&mut self) -> Option<(u16, &'a [u8])> {
        let head = self.stream.get(self.at..self.at.checked_add(4)?)?;
        let (kind, length) = (number(head, 0), usize::from(number(head, 2)));
        let start = self.at + 4;
        // What the file does not have any more is missing from the last record.
        let end = (start + length).min(self.stream.len());
        self.at = end;
        Some((kind, &self.stream[start..end]))
    }

    /// The records that go on with the one before.
    fn continued(&mut self) -> Vec<&'a [u8]> {
        let mut pieces = Vec::new();
        loop {
            let before = self.at;
            let Some((record::CONTINUE, data)) = self.next() else {
                self.at = before;
                return pieces;
            };
            pieces.push(data);
        }
    }
}

/// Two bytes as a number; 0 past the end.
fn number(data: &[u8], at: usize) -> u16 {
    data.get(at..at + 2)
        .map_or(0, |bytes| u16::from_le_bytes([bytes[0], bytes[1]]))
}

fn long(data: &[u8], at: usize) -> u32 {
    u32::from(number(data, at)) | u32::from(number(data, at + 2)) << 16
}

fn double(data: &[u8], at: usize) -> f64 {
    f64::from_bits(u64::from(long(data, at)) | u64::from(long(data, at + 4)) << 32)
}

/// A number in four bytes: a whole one of thirty bits or the upper half of another, either perhaps times 100.
fn packed(value: u32) -> f64 {
    let number = if value & 2 == 0 {
        f64::from_bits(u64::from(value & !3) << 32)
    } else {
        f64::from(value.cast_signed() >> 2)
    };
    if value & 1 == 0 {
        number
    } else {
        number / 100.0
    }
}

fn error_name(code: u8) -> &'static str {
    match code {
        0x00 => "#NULL!",
        0x07 => "#DIV/0!",
        0x0F => "#VALUE!",
        0x17 => "#REF!",
        0x1D => "#NAME?",
        0x24 => "#NUM!",
        _ => "#N/A",
    }
}

/// The encoding of texts before Excel 97.
fn code_page(number: u16) -> &'static Encoding {
    let label = match number {
        10_000 | 0x8000 => "macintosh".to_owned(),
        0x8001 | 1200 => "windows-1252".to_owned(),
        932 | 936 | 949 | 950 => format!("cp{number}"),
        number => format!("windows-{number}"),
    };
    csv::Encoding::for_label(&label)
        .and_then(|encoding| Encoding::for_label(encoding.name().as_bytes()))
        .unwrap_or(WINDOWS_1252)
}

fn damaged(error: &io::Error) -> FileError {
    FileError::Damaged {
        what: "XLS workbook",
        reason: error.to_string(),
    }
}
