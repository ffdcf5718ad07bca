//! XLSX: the package is looked through before it is opened, because what opens it takes its texts and styles whole.

use std::collections::HashMap;
use std::io::{Read, Seek, SeekFrom};
use std::ops::ControlFlow;

use calamine::{DataRef, Reader, SheetType, SheetVisible, XlsxError};

use super::number::{NumberFormat, plain};
use super::{EachRow, Sheet, SheetRow, add_cell};
use crate::container::{Meter, open_zip, zip_error};
use crate::file::{FileError, FileLimits};
use crate::input::Input;

/// The most texts that a workbook may share between its cells.
const SHARED_TEXTS: u64 = 8_000_000;

/// The most bytes that they may take.
const SHARED_BYTES: u64 = 512 << 20;

/// The most bytes of a part that is held whole: the list of sheets, styles, relations.
const WHOLE_PART: u64 = 32 << 20;

/// The most bytes that a cell, a text, a tag or a remark may take.
const PIECE: u64 = 8 << 20;

/// A workbook that was looked through.
pub(super) struct Xlsx {
    workbook: calamine::Xlsx<Input>,
    /// The names of the sheets, in the order in which they are chosen.
    names: Vec<String>,
}

impl Xlsx {
    pub(super) fn open(
        mut input: Input,
        limits: &FileLimits,
    ) -> Result<(Xlsx, Vec<Sheet>), FileError> {
        look_through(&mut input, limits)?;
        input.seek(SeekFrom::Start(0))?;
        let workbook = calamine::Xlsx::new(input).map_err(broken)?;
        let metadata = workbook.sheets_metadata();
        let sheets: Vec<Sheet> = metadata
            .iter()
            .filter(|sheet| sheet.typ == SheetType::WorkSheet)
            .map(|sheet| Sheet {
                name: sheet.name.clone(),
                visible: sheet.visible == SheetVisible::Visible,
            })
            .collect();
        let names = sheets.iter().map(|sheet| sheet.name.clone()).collect();
        Ok((Xlsx { workbook, names }, sheets))
    }

    pub(super) fn rows(&mut self, sheet: usize, each: &mut EachRow<'_>) -> Result<(), FileError> {
        let name = self.names.get(sheet).ok_or(FileError::NoSheet)?;
        let since_1904 = self.workbook.has_1904_epoch();
        let mut cells = match self.workbook.worksheet_cells_reader(name) {
            Ok(cells) => cells,
            // A sheet without the part that has cells.
            Err(XlsxError::XmlEof("worksheet")) => return Ok(()),
            Err(error) => return Err(broken(error)),
        };
        let mut formats: HashMap<usize, NumberFormat> = HashMap::new();
        let mut row = SheetRow::default();
        let mut bytes = 0;
        loop {
            let next = cells.next_cell_with_style_id().map_err(broken)?;
            let Some((cell, style)) = next else { break };
            let (number, column) = cell.get_position();
            let number = u64::from(number) + 1;
            if number != row.number {
                if hand_on(&mut row, each)?.is_break() {
                    return Ok(());
                }
                row.number = number;
                bytes = 0;
            }
            let text = match cell.get_value() {
                DataRef::Empty => continue,
                DataRef::Int(value) => value.to_string(),
                DataRef::Float(value) => {
                    format_of(&mut formats, cells.styles(), style).show(*value, since_1904)
                }
                DataRef::DateTime(value) => {
                    match format_of(&mut formats, cells.styles(), style) {
                        // A date by a rule of the reader that is not ours.
                        NumberFormat::Plain => plain(value.as_f64()),
                        format => format.show(value.as_f64(), since_1904),
                    }
                }
                DataRef::String(text) | DataRef::DurationIso(text) => text.clone(),
                DataRef::SharedString(text) => (*text).to_owned(),
                DataRef::Bool(value) => if *value { "TRUE" } else { "FALSE" }.to_owned(),
                DataRef::DateTimeIso(text) => iso(text),
                DataRef::Error(error) => error.to_string(),
            };
            if !text.is_empty() {
                let column = usize::try_from(column).unwrap_or(usize::MAX);
                add_cell(&mut row.cells, &mut bytes, column, text)?;
            }
        }
        hand_on(&mut row, each).map(|_| ())
    }
}

/// Hands on a row with its cells in order, and empties it.
fn hand_on(row: &mut SheetRow, each: &mut EachRow<'_>) -> Result<ControlFlow<()>, FileError> {
    if row.cells.is_empty() {
        return Ok(ControlFlow::Continue(()));
    }
    row.cells.sort_by_key(|(column, _)| *column);
    // Of a cell that comes twice, the last counts, as in spreadsheets.
    row.cells.reverse();
    row.cells.dedup_by_key(|(column, _)| *column);
    row.cells.reverse();
    let flow = each(row);
    row.cells.clear();
    flow
}

fn format_of<'a>(
    formats: &'a mut HashMap<usize, NumberFormat>,
    styles: &[calamine::Style],
    id: usize,
) -> &'a NumberFormat {
    formats.entry(id).or_insert_with(|| {
        let format = styles
            .get(id)
            .and_then(|style| style.number_format.as_ref());
        match format {
            Some(format) => match format.format_id.and_then(|id| u16::try_from(id).ok()) {
                // What is no date by its number may still be a mask by its code.
                Some(id) if NumberFormat::builtin(id) != NumberFormat::Plain => {
                    NumberFormat::builtin(id)
                }
                _ => NumberFormat::of(&format.format_code),
            },
            None => NumberFormat::Plain,
        }
    })
}

/// A date of the strict form without a time of zero.
fn iso(text: &str) -> String {
    let text = text.trim_end_matches('Z');
    // Seconds are what people see.
    let text = match text.rfind('.') {
        Some(point) if text[..point].contains(':') => &text[..point],
        _ => text,
    };
    text.strip_suffix("T00:00:00").unwrap_or(text).to_owned()
}

/// What is wrong with a workbook.
fn broken(error: XlsxError) -> FileError {
    match error {
        XlsxError::Password => FileError::Encrypted,
        XlsxError::Zip(error) => zip_error(error),
        XlsxError::Io(error) => FileError::Damaged {
            what: "XLSX workbook",
            reason: error.to_string(),
        },
        other => FileError::Damaged {
            what: "XLSX workbook",
            reason: other.to_string(),
        },
    }
}

/// Unpacks all parts that are read later, counts, and throws away.
fn look_through(input: &mut Input, limits: &FileLimits) -> Result<(), FileError> {
    let mut archive = open_zip(input, limits)?;
    let mut buffer = vec![0; 1 << 16];
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).map_err(zip_error)?;
        let name = String::from_utf8_lossy(entry.name_raw())
            .replace('\\', "/")
            .to_ascii_lowercase();
        let is_xml = [".xml", ".rels"].iter().any(|end| name.ends_with(end));
        if !is_xml || entry.is_dir() {
            continue;
        }
        let mut meter = Meter::new(entry.compressed_size(), limits);
        meter.expect(entry.size())?;
        let mut guard = Guard::default();
        let is_sheet = name.contains("sheet") && !name.contains("_rels/");
        let most = if name.ends_with("sharedstrings.xml") {
            SHARED_BYTES
        } else if is_sheet {
            limits.unpacked
        } else {
            WHOLE_PART
        };
        loop {
            let count = entry
                .read(&mut buffer)
                .map_err(|error| FileError::Damaged {
                    what: "XLSX workbook",
                    reason: error.to_string(),
                })?;
            if count == 0 {
                break;
            }
            meter.add(count)?;
            guard.feed(&buffer[..count])?;
            if guard.bytes > most {
                return Err(FileError::TooMuch(format!(
                    "has a part `{name}` of more than {most} bytes; save its sheet as CSV"
                )));
            }
        }
    }
    Ok(())
}

/// Follows XML byte by byte and refuses what would take memory without end or is there to do harm.
#[derive(Debug, Default)]
struct Guard {
    state: State,
    bytes: u64,
    /// Where the piece began that is read now: a text, a tag, a remark.
    piece: u64,
    /// Where the cell or shared text began that is read now.
    cell: Option<u64>,
    texts: u64,
    /// The tag that is read now, up to [`TAG`] bytes.
    tag: Vec<u8>,
}

/// How much of a tag is looked at.
const TAG: usize = 1024;

/// After so many bytes a tag is known to be one, and no remark.
const DECIDED: usize = 8;

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    Text,
    Tag,
    Quoted(u8),
    /// A remark, and how many hyphens stand right before.
    Remark(u8),
    /// Characters as they are, and how many brackets stand right before.
    Literal(u8),
}

impl Guard {
    fn feed(&mut self, mut bytes: &[u8]) -> Result<(), FileError> {
        while let Some((byte, rest)) = bytes.split_first() {
            // What means nothing is passed over at once.
            let nothing = match self.state {
                State::Text => memchr::memchr(b'<', bytes),
                State::Quoted(quote) => memchr::memchr(quote, bytes),
                State::Tag if self.tag.len() > DECIDED => memchr::memchr3(b'>', b'"', b'\'', bytes),
                State::Tag | State::Remark(_) | State::Literal(_) => Some(0),
            };
            let nothing = nothing.unwrap_or(bytes.len());
            if nothing > 0 {
                if self.state != State::Text {
                    self.tag_goes_on(&bytes[..nothing]);
                }
                self.bytes += nothing as u64;
                bytes = &bytes[nothing..];
            } else {
                self.bytes += 1;
                bytes = rest;
                // UTF-16 has zeros between the signs of XML.
                if *byte != 0 {
                    self.step(*byte)?;
                }
            }
            let cell = self.cell.unwrap_or(self.bytes).min(self.piece);
            if self.bytes - cell > PIECE {
                return Err(FileError::TooMuch(format!(
                    "has a cell of more than {PIECE} bytes; save its sheet as CSV"
                )));
            }
        }
        Ok(())
    }

    fn step(&mut self, byte: u8) -> Result<(), FileError> {
        self.state = match (self.state, byte) {
            (State::Text, b'<') => {
                self.piece = self.bytes;
                self.tag.clear();
                State::Tag
            }
            (State::Tag, b'>') => {
                self.piece = self.bytes;
                self.tag_ends()?;
                State::Text
            }
            (State::Tag, quote @ (b'"' | b'\'')) => {
                self.tag_goes_on(&[quote]);
                State::Quoted(quote)
            }
            (State::Tag, byte) => {
                self.tag_goes_on(&[byte]);
                match self.tag.as_slice() {
                    b"!--" => State::Remark(0),
                    b"![CDATA[" => State::Literal(0),
                    b"!DOCTYPE" => return Err(FileError::Entities),
                    _ => State::Tag,
                }
            }
            (State::Quoted(quote), byte) => {
                self.tag_goes_on(&[byte]);
                if byte == quote {
                    State::Tag
                } else {
                    State::Quoted(quote)
                }
            }
            (State::Remark(2..) | State::Literal(2..), b'>') => {
                self.piece = self.bytes;
                State::Text
            }
            (State::Remark(hyphens), b'-') => State::Remark(hyphens.saturating_add(1)),
            (State::Remark(_), _) => State::Remark(0),
            (State::Literal(brackets), b']') => State::Literal(brackets.saturating_add(1)),
            (State::Literal(_), _) => State::Literal(0),
            (State::Text, _) => State::Text,
        };
        Ok(())
    }

    fn tag_goes_on(&mut self, bytes: &[u8]) {
        let room = TAG - self.tag.len();
        let kept = &bytes[..bytes.len().min(room)];
        self.tag.extend(kept.iter().filter(|byte| **byte != 0));
    }

    fn tag_ends(&mut self) -> Result<(), FileError> {
        let tag = self.tag.as_slice();
        let is_end = tag.first() == Some(&b'/');
        let name = tag.strip_prefix(b"/").unwrap_or(tag);
        let name = name
            .split(|byte| byte.is_ascii_whitespace() || *byte == b'/')
            .next()
            .unwrap_or_default();
        let name = name.rsplit(|byte| *byte == b':').next().unwrap_or(name);
        if name == b"c" || name == b"si" {
            self.cell = (!is_end).then_some(self.bytes);
            if name == b"si" && !is_end {
                self.texts += 1;
            }
        } else if name == b"row" || name == b"sst" || name == b"sheetData" {
            self.cell = None;
        }
        // The reader takes memory for as many texts as are announced.
        let announced = name == b"sst" && (tag.len() >= TAG || announced_texts(tag) > SHARED_TEXTS);
        if self.texts > SHARED_TEXTS || announced {
            return Err(FileError::TooMuch(format!(
                "has more than {SHARED_TEXTS} texts; save its sheet as CSV"
            )));
        }
        Ok(())
    }
}

/// How many texts the tag before them says that there are.
fn announced_texts(tag: &[u8]) -> u64 {
    let Some(at) = memchr::memmem::find(tag, b"uniqueCount") else {
        return 0;
    };
    tag[at..]
        .iter()
        .skip_while(|byte| !byte.is_ascii_digit())
        .take_while(|byte| byte.is_ascii_digit())
        .fold(0_u64, |number, digit| {
            number
                .saturating_mul(10)
                .saturating_add(u64::from(digit - b'0'))
        })
}
