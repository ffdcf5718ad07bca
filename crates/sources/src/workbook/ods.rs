//! ODS: the content of an `OpenDocument` spreadsheet, read as it streams by.
//!
//! Cells and rows may be said to repeat a million times; only those with text are made, and those are counted.

use std::cell::{Cell, RefCell};
use std::io::{self, BufRead, BufReader, Read};
use std::rc::Rc;

use quick_xml::Reader;
use quick_xml::XmlVersion;
use quick_xml::events::{BytesRef, BytesStart, Event};
use zip::ZipArchive;

use super::number::plain;
use super::{EachRow, Sheet, SheetRow, add_cell};
use crate::container::{Meter, open_zip, zip_error};
use crate::file::{FileError, FileLimits};
use crate::input::Input;

/// The most bytes that one piece of XML may take: a text or a tag.
const PIECE: u64 = 8 << 20;

/// Rows and columns that a sheet can have.
const ROWS: u64 = 1 << 20;
const COLUMNS: usize = 1 << 14;

/// The most sheets that are listed.
const SHEETS: usize = 1_000;

/// A spreadsheet whose sheets are known by name.
pub(super) struct Ods {
    archive: ZipArchive<Input>,
    limits: FileLimits,
}

impl Ods {
    pub(super) fn open(input: Input, limits: &FileLimits) -> Result<(Ods, Vec<Sheet>), FileError> {
        let mut ods = Ods {
            archive: open_zip(input, limits)?,
            limits: *limits,
        };
        ods.refuse_encrypted()?;
        let mut sheets = Vec::new();
        let mut hidden = Vec::new();
        let mut xml = ods.content()?;
        loop {
            match xml.next()? {
                Event::Eof => break,
                Event::Start(tag) if tag.name().as_ref() == "style:style" => {
                    let name = attribute(&tag, "style:name")?.unwrap_or_default();
                    xml.style = (attribute(&tag, "style:family")?.as_deref() == Some("table"))
                        .then_some(name);
                }
                Event::Start(tag) if tag.name().as_ref() == "style:table-properties" => {
                    let is_hidden = attribute(&tag, "table:display")?.as_deref() == Some("false");
                    if let Some(style) = xml.style.take().filter(|_| is_hidden)
                        && hidden.len() < SHEETS
                    {
                        hidden.push(style);
                    }
                }
                Event::Start(tag) if tag.name().as_ref() == "table:table" => {
                    let style = attribute(&tag, "table:style-name")?.unwrap_or_default();
                    let name = attribute(&tag, "table:name")?.unwrap_or_default();
                    if sheets.len() == SHEETS {
                        return Err(FileError::TooMuch(format!(
                            "has more than {SHEETS} sheets; save the one with contacts as CSV"
                        )));
                    }
                    sheets.push(Sheet {
                        name,
                        visible: !hidden.contains(&style),
                    });
                }
                _ => {}
            }
        }
        drop(xml);
        Ok((ods, sheets))
    }

    pub(super) fn rows(&mut self, sheet: usize, each: &mut EachRow<'_>) -> Result<(), FileError> {
        let mut xml = self.content()?;
        let mut tables = 0;
        loop {
            match xml.next()? {
                Event::Eof => return Ok(()),
                Event::Start(tag) if tag.name().as_ref() == "table:table" => {
                    tables += 1;
                    if tables == sheet + 1 {
                        break;
                    }
                }
                _ => {}
            }
        }
        let mut row = SheetRow {
            number: 1,
            cells: Vec::new(),
        };
        // A cell may hold a table of its own, which is no part of the sheet.
        let mut inner = 0_u32;
        loop {
            let event = xml.next()?;
            match event {
                Event::Eof => return Ok(()),
                Event::Start(tag) if tag.name().as_ref() == "table:table" => inner += 1,
                Event::End(tag) if tag.name().as_ref() == "table:table" => {
                    if inner == 0 {
                        return Ok(());
                    }
                    inner -= 1;
                }
                Event::Start(tag) if tag.name().as_ref() == "table:table-row" && inner == 0 => {
                    let repeated = number_of(&tag, "table:number-rows-repeated")?;
                    xml.row(&mut row.cells)?;
                    if row.cells.is_empty() {
                        row.number = row.number.saturating_add(repeated);
                        continue;
                    }
                    for _ in 0..repeated.min(ROWS) {
                        if row.number > ROWS || each(&row)?.is_break() {
                            return Ok(());
                        }
                        row.number += 1;
                    }
                    row.cells.clear();
                }
                _ => {}
            }
        }
    }

    /// A document with a password says so in its list of parts.
    fn refuse_encrypted(&mut self) -> Result<(), FileError> {
        let Ok(manifest) = self.archive.by_name("META-INF/manifest.xml") else {
            return Ok(());
        };
        let mut text = Vec::new();
        manifest
            .take(PIECE)
            .read_to_end(&mut text)
            .map_err(|error| damaged(&error))?;
        if memchr::memmem::find(&text, b"encryption-data").is_some() {
            return Err(FileError::Encrypted);
        }
        Ok(())
    }

    fn content(&mut self) -> Result<Content<impl BufRead>, FileError> {
        let entry = self.archive.by_name("content.xml").map_err(zip_error)?;
        let packed = entry.compressed_size();
        let meter = Meter::new(packed, &self.limits);
        meter.expect(entry.size())?;
        let watch = Rc::new(Watch::default());
        let capped = Capped {
            input: BufReader::with_capacity(1 << 16, entry),
            meter,
            watch: Rc::clone(&watch),
        };
        let mut reader = Reader::from_reader(capped);
        let config = reader.config_mut();
        config.expand_empty_elements = true;
        config.check_end_names = false;
        Ok(Content {
            reader,
            watch,
            buffer: Vec::new(),
            style: None,
        })
    }
}

/// What a reader and the bytes below it tell each other.
#[derive(Debug, Default)]
struct Watch {
    /// Bytes since the last event.
    since: Cell<u64>,
    /// Why there are no more bytes.
    refused: RefCell<Option<FileError>>,
}

/// The bytes of a part, which end with an error where they are too many.
struct Capped<'a, R> {
    input: R,
    meter: Meter<'a>,
    watch: Rc<Watch>,
}

impl<R: BufRead> Read for Capped<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(buffer)?;
        self.consume(count);
        Ok(count)
    }
}

impl<R: BufRead> BufRead for Capped<'_, R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.watch.since.get() > PIECE {
            let error = FileError::TooMuch(format!(
                "has a cell of more than {PIECE} bytes; save its sheet as CSV"
            ));
            self.watch.refused.replace(Some(error));
        }
        if self.watch.refused.borrow().is_some() {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.input.fill_buf()
    }

    fn consume(&mut self, count: usize) {
        self.watch.since.set(self.watch.since.get() + count as u64);
        if let Err(error) = self.meter.add(count) {
            self.watch.refused.replace(Some(error));
        }
        self.input.consume(count);
    }
}

/// XML of which no piece is endless.
struct Content<R> {
    reader: Reader<R>,
    watch: Rc<Watch>,
    buffer: Vec<u8>,
    /// The style of sheets that is read now.
    style: Option<String>,
}

impl<R: BufRead> Content<R> {
    fn next(&mut self) -> Result<Event<'_>, FileError> {
        self.buffer.clear();
        self.watch.since.set(0);
        match self.reader.read_event_into(&mut self.buffer) {
            Ok(Event::DocType(_)) => Err(FileError::Entities),
            Ok(event) => Ok(event),
            Err(error) => Err(self.watch.refused.take().unwrap_or_else(|| damaged(&error))),
        }
    }

    /// Reads the cells of a row up to its end.
    fn row(&mut self, cells: &mut Vec<(usize, String)>) -> Result<(), FileError> {
        cells.clear();
        let (mut column, mut bytes) = (0_usize, 0);
        loop {
            let found = match self.next()? {
                Event::Eof => return Err(damaged(&"it ends in a row")),
                Event::End(tag) if tag.name().as_ref() == "table:table-row" => return Ok(()),
                Event::Start(tag)
                    if matches!(
                        tag.name().as_ref(),
                        "table:table-cell" | "table:covered-table-cell"
                    ) =>
                {
                    let repeated = number_of(&tag, "table:number-columns-repeated")?;
                    (repeated, Said::of(&tag)?, tag.name().as_ref().to_owned())
                }
                _ => continue,
            };
            let (repeated, said, name) = found;
            let shown = self.paragraphs(&name)?;
            let text = said.text(shown);
            let repeated = usize::try_from(repeated).unwrap_or(usize::MAX);
            if !text.is_empty() {
                let times = repeated.min(COLUMNS.saturating_sub(column));
                for column in column..column + times {
                    add_cell(cells, &mut bytes, column, text.clone())?;
                }
            }
            column = column.saturating_add(repeated);
        }
    }

    /// The text of a cell up to its end, as it is shown.
    fn paragraphs(&mut self, cell: &str) -> Result<String, FileError> {
        let mut text = String::new();
        let mut paragraphs = 0_u32;
        // Remarks, drawings and tables in a cell are not its text.
        let mut aside = 0_u32;
        let mut inside = false;
        loop {
            if text.len() as u64 > PIECE {
                return Err(FileError::TooMuch(format!(
                    "has a cell of more than {PIECE} bytes; save its sheet as CSV"
                )));
            }
            match self.next()? {
                Event::Eof => return Err(damaged(&"it ends in a cell")),
                Event::End(tag) if aside == 0 && tag.name().as_ref() == cell => return Ok(text),
                Event::Start(tag) if is_aside(&tag) => aside += 1,
                Event::End(tag) if is_aside_name(tag.name().as_ref()) => {
                    aside = aside.saturating_sub(1);
                }
                _ if aside > 0 => {}
                Event::Start(tag) => match tag.name().as_ref() {
                    "text:p" | "text:h" => {
                        if paragraphs > 0 {
                            text.push('\n');
                        }
                        paragraphs += 1;
                        inside = true;
                    }
                    "text:s" => {
                        let count = number_of(&tag, "text:c")?.min(1_000);
                        text.extend(std::iter::repeat_n(
                            ' ',
                            usize::try_from(count).unwrap_or(0),
                        ));
                    }
                    "text:tab" => text.push('\t'),
                    "text:line-break" => text.push('\n'),
                    _ => {}
                },
                Event::End(tag) if matches!(tag.name().as_ref(), "text:p" | "text:h") => {
                    inside = false;
                }
                Event::Text(piece) if inside => text.push_str(&piece.xml10_content()),
                Event::CData(piece) if inside => text.push_str(&piece.xml10_content()),
                Event::GeneralRef(entity) if inside => text.push_str(&resolved(&entity)?),
                _ => {}
            }
        }
    }
}

fn is_aside(tag: &BytesStart<'_>) -> bool {
    is_aside_name(tag.name().as_ref())
}

fn is_aside_name(name: &str) -> bool {
    matches!(
        name,
        "office:annotation" | "draw:frame" | "draw:custom-shape" | "table:table" | "table:shapes"
    )
}

/// The five entities that XML has, and characters by number. No document brings its own.
fn resolved(entity: &BytesRef<'_>) -> Result<String, FileError> {
    let known = match entity.as_ref() {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        _ => {
            return match entity.resolve_char_ref() {
                Ok(Some(character)) => Ok(character.to_string()),
                Ok(None) => Err(FileError::Entities),
                Err(error) => Err(damaged(&error)),
            };
        }
    };
    Ok(known.to_string())
}

/// What a cell's attributes say that it holds.
#[derive(Debug, Default)]
struct Said {
    kind: String,
    /// A number, a date, a time, a truth value.
    value: Option<String>,
    /// A text, where it is not the paragraphs.
    string: Option<String>,
}

impl Said {
    fn of(tag: &BytesStart<'_>) -> Result<Said, FileError> {
        let mut said = Said::default();
        for found in tag.attributes().with_checks(false) {
            let found = found.map_err(|error| damaged(&error))?;
            let value = || {
                found
                    .normalized_value(XmlVersion::Implicit1_0)
                    .map(std::borrow::Cow::into_owned)
                    .map_err(|error| damaged(&error))
            };
            match found.key.as_ref() {
                "office:value-type" | "table:value-type" => said.kind = value()?,
                "office:value"
                | "office:date-value"
                | "office:time-value"
                | "office:boolean-value"
                | "table:value"
                | "table:date-value" => said.value = Some(value()?),
                "office:string-value" => said.string = Some(value()?),
                _ => {}
            }
        }
        Ok(said)
    }

    /// The cell's text; `shown` is how the program that made the file showed it.
    fn text(self, shown: String) -> String {
        let Some(value) = self.value else {
            return match self.string {
                Some(string) if !string.is_empty() => string,
                _ => shown,
            };
        };
        match self.kind.as_str() {
            "float" | "" => match value.trim().parse::<f64>() {
                Ok(number) if shows_same(&shown, number) => shown.trim().to_owned(),
                Ok(number) => plain(number),
                Err(_) => value,
            },
            "percentage" | "currency" => value.trim().parse().map_or(value, plain),
            "date" => value.strip_suffix("T00:00:00").unwrap_or(&value).to_owned(),
            "time" => clock(&value).unwrap_or(value),
            "boolean" => value.to_uppercase(),
            _ => shown,
        }
    }
}

/// Whether what is shown is the same whole number with zeros before it or signs between its digits, as in codes and
/// phone numbers.
fn shows_same(shown: &str, number: f64) -> bool {
    let is_code = |c: char| c.is_ascii_digit() || matches!(c, ' ' | '-' | '(' | ')' | '+' | '/');
    let shown = shown.trim();
    if number < 0.0 || !shown.chars().all(is_code) {
        return false;
    }
    let digits: String = shown.chars().filter(char::is_ascii_digit).collect();
    let bare = digits.trim_start_matches('0');
    bare == plain(number).trim_start_matches('0') && !digits.is_empty()
}

/// `PT08H30M00S` as `08:30:00`.
fn clock(duration: &str) -> Option<String> {
    let rest = duration.strip_prefix("PT")?;
    let (hours, rest) = rest.split_once('H')?;
    let (minutes, rest) = rest.split_once('M')?;
    let seconds = rest.strip_suffix('S')?.split(['.', ',']).next()?;
    let part = |text: &str| text.parse::<u32>().ok();
    let (hours, minutes, seconds) = (part(hours)?, part(minutes)?, part(seconds)?);
    Some(format!("{hours:02}:{minutes:02}:{seconds:02}"))
}

fn attribute(tag: &BytesStart<'_>, name: &str) -> Result<Option<String>, FileError> {
    for found in tag.attributes().with_checks(false) {
        let found = found.map_err(|error| damaged(&error))?;
        if found.key.as_ref() == name {
            let value = found
                .normalized_value(XmlVersion::Implicit1_0)
                .map_err(|error| damaged(&error))?;
            return Ok(Some(value.into_owned()));
        }
    }
    Ok(None)
}

/// A count; 1 if it is not there or none.
fn number_of(tag: &BytesStart<'_>, name: &str) -> Result<u64, FileError> {
    let text = attribute(tag, name)?;
    Ok(text.and_then(|text| text.trim().parse().ok()).unwrap_or(1))
}

fn damaged(reason: &dyn std::fmt::Display) -> FileError {
    FileError::Damaged {
        what: "ODS workbook",
        reason: reason.to_string(),
    }
}
