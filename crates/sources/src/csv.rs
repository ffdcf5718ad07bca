//! Delimited text: any encoding, delimiter and quoting that people's files have, read record by record.
//!
//! [`CsvFile`] reads what an import reads: a header, then records against it. [`CsvRows`] reads what is in the file:
//! every record, the header and the lines before it included. Both hold one record and some text around it at a time,
//! whatever the size of the file, and go on after a record that cannot be read.
//!
//! Nothing is swallowed: each line that is not blank is in the raw text of some record.

mod dialect;
pub(crate) mod encoding;
pub(crate) mod header;
mod look;
mod scan;

use std::io::{Read, Seek};

use rollbook_engine::issue::Problem;
use rollbook_engine::record::{Cell, Header, Record};

pub use self::dialect::Dialect;
pub use self::encoding::Encoding;

use self::dialect::{announced, is_blank, sniff};
use self::encoding::{Text, settle};
use self::scan::{Coat, Scan, Span, Syntax, line_break, line_end, scan, unwrap_into};

/// How much text the dialect is found out from.
const SAMPLE: usize = 256 * 1024;

/// How much text is enough to see a first line that announces the delimiter.
const ANNOUNCED: usize = 1024;

/// How much of a record that cannot be read is kept.
pub(crate) const KEPT: usize = 64 * 1024;

/// What ends the raw text of a record of which not all is kept.
pub const CUT_MARK: &str = "… [cut]";

/// How a file is to be read: what the user says, and what is to be found out.
#[derive(Debug, Clone, Default)]
pub struct CsvOptions {
    /// The delimiter; found out if none.
    pub delimiter: Option<u8>,
    /// The quote, `Some(None)` for a file without; found out if none.
    pub quote: Option<Option<u8>>,
    /// The encoding; found out if none. A byte order mark decides against it.
    pub encoding: Option<Encoding>,
    /// Which record is the header, counted from 1, 0 for none; found out if none.
    pub header_row: Option<u64>,
    /// What is too much.
    pub limits: CsvLimits,
}

/// What is too much for a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CsvLimits {
    /// The length of a record's text in bytes of UTF-8.
    pub record: usize,
    /// The line breaks in one quoted cell; with more, its quote counts as never closed.
    pub cell_breaks: usize,
}

impl Default for CsvLimits {
    fn default() -> CsvLimits {
        CsvLimits {
            record: 1024 * 1024,
            cell_breaks: 1_000,
        }
    }
}

/// Why a file cannot be read at all.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Its bytes cannot be had.
    #[error("the file cannot be read; upload it again")]
    Io(#[from] std::io::Error),
    /// The dialect names an encoding that is not known.
    #[error("the encoding `{0}` is not known; use one such as UTF-8 or windows-1252")]
    Encoding(String),
    /// The dialect's characters are of no use.
    #[error(
        "delimiter and quote must be two different ASCII characters and no line breaks; choose others"
    )]
    Dialect,
    /// The header is a record that cannot be read.
    #[error(
        "the header on line {line} cannot be read: {reason}; correct it, or name the record that is the header"
    )]
    Header {
        /// The line it starts on.
        line: u64,
        /// What is wrong with it.
        reason: String,
    },
}

/// Every record of a file as it stands there, the header and what comes before it included.
pub struct CsvRows<R> {
    text: Text<R>,
    dialect: Dialect,
    syntax: Syntax,
    limits: CsvLimits,
    /// Where the next record starts in the text's window.
    at: usize,
    /// The line it starts on.
    line: u64,
    /// How many records were read.
    number: u64,
    spans: Vec<Span>,
}

/// One record of a file, as its cells stand there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CsvRow {
    /// Its number among the file's records, from 1.
    pub number: u64,
    /// The line it starts on, from 1.
    pub line: u64,
    /// Its text, without the line break at its end.
    pub raw: String,
    /// Its cells; none if it cannot be read.
    pub cells: Vec<String>,
    /// Why it cannot be read.
    pub problem: Option<Problem>,
}

/// A file with a header, read as an import reads it.
pub struct CsvFile<R> {
    rows: CsvRows<R>,
    header: Header,
    row: u64,
    cell: String,
}

/// One record below the header.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CsvRecord {
    /// Its cells, one a column; none if it cannot be read.
    pub record: Record,
    /// Its number among the records below the header, from 1.
    pub row: u64,
    /// The line it starts on, from 1.
    pub line: u64,
    /// Its text as it stands in the file, decoded, without the line break at its end.
    pub raw: String,
    /// Why it cannot be read.
    pub problem: Option<Problem>,
}

impl CsvRecord {
    /// Whether bytes of the record did not decode; they are U+FFFD now.
    pub fn is_damaged(&self) -> bool {
        self.raw.contains(char::REPLACEMENT_CHARACTER)
    }
}

/// A record as it was found in the window.
enum Found {
    Good { start: usize, end: usize },
    Bad { raw: String, problem: Problem },
}

impl<R: Read + Seek> CsvRows<R> {
    /// Opens a file and finds out how to read it.
    pub fn open(input: R, options: &CsvOptions) -> Result<CsvRows<R>, ReadError> {
        let (text, encoding) = settled(input, options.encoding)?;
        let mut text = text;
        text.advance(0, SAMPLE)?;
        let dialect = sniff(text.window(), text.ended(), encoding, options);
        CsvRows::at_start(text, dialect, options.limits)
    }

    /// Opens a file whose dialect is known.
    pub fn reopen(input: R, dialect: &Dialect, limits: CsvLimits) -> Result<CsvRows<R>, ReadError> {
        let encoding = Encoding::for_label(&dialect.encoding)
            .ok_or_else(|| ReadError::Encoding(dialect.encoding.clone()))?;
        let (mut text, _) = settled(input, Some(encoding))?;
        text.advance(0, ANNOUNCED)?;
        CsvRows::at_start(text, dialect.clone(), limits)
    }
}

fn settled<R: Read + Seek>(
    mut input: R,
    given: Option<Encoding>,
) -> Result<(Text<R>, Encoding), ReadError> {
    let encoding = settle(&mut input, given)?;
    Ok((Text::new(input, encoding), encoding))
}

impl<R: Read> CsvRows<R> {
    fn at_start(
        text: Text<R>,
        dialect: Dialect,
        limits: CsvLimits,
    ) -> Result<CsvRows<R>, ReadError> {
        let syntax = dialect
            .syntax(limits.cell_breaks)
            .ok_or(ReadError::Dialect)?;
        let (at, line) = match announced(text.window()) {
            Some((_, start)) => (start, 2),
            None => (0, 1),
        };
        Ok(CsvRows {
            text,
            dialect,
            syntax,
            limits,
            at,
            line,
            number: 0,
            spans: Vec::new(),
        })
    }

    /// How the file is read.
    pub fn dialect(&self) -> &Dialect {
        &self.dialect
    }

    /// Whether bytes were met so far that do not decode.
    pub fn damaged(&self) -> bool {
        self.text.damaged()
    }

    /// Reads the next record into `row`; false at the end of the file.
    pub fn next(&mut self, row: &mut CsvRow) -> Result<bool, ReadError> {
        let Some((found, line)) = self.find()? else {
            return Ok(false);
        };
        row.number = self.number;
        row.line = line;
        row.cells.clear();
        row.raw.clear();
        match found {
            Found::Good { start, end } => {
                row.raw.push_str(&self.text.window()[start..end]);
                row.problem = None;
                for span in &self.spans {
                    let mut cell = String::new();
                    unwrap_into(self.text.window(), *span, &self.syntax, &mut cell);
                    row.cells.push(cell);
                }
            }
            Found::Bad { raw, problem } => {
                row.raw = raw;
                row.problem = Some(problem);
            }
        }
        Ok(true)
    }

    /// Finds the next record that is not a blank line, and the line it starts on.
    ///
    /// The window stays as it is until the next call, so that the spans hold.
    fn find(&mut self) -> Result<Option<(Found, u64)>, ReadError> {
        loop {
            if self.at >= self.text.window().len() {
                if self.text.ended() {
                    return Ok(None);
                }
                self.more(1)?;
                continue;
            }
            let (start, line) = (self.at, self.line);
            let window = self.text.window();
            // A record is looked for in so much text and no more, so that what is found does not depend on how much
            // happens to be at hand. Four times what a record may have: one that is only too large is known as such.
            let reach = start.saturating_add(self.limits.record.saturating_mul(4));
            let in_reach = reach >= window.len();
            let view = &window[..window.floor_char_boundary(reach)];
            let last = in_reach && self.text.ended();
            match scan(view, start, last, &self.syntax, &mut self.spans) {
                Scan::Record {
                    end, next, breaks, ..
                } => {
                    self.at = next;
                    self.line += 1 + breaks as u64;
                    if is_blank(window, &self.spans) {
                        continue;
                    }
                    self.number += 1;
                    if end - start > self.limits.record {
                        let raw = cut(&window[start..end]);
                        return Ok(Some((self.too_large(raw), line)));
                    }
                    return Ok(Some((Found::Good { start, end }, line)));
                }
                Scan::Unclosed { open } => {
                    return Ok(Some((self.unclosed(start, open), line)));
                }
                Scan::More { open } => {
                    if in_reach {
                        self.more(window.len() - start)?;
                        continue;
                    }
                    let end = view.len();
                    if let Some(open) = open
                        && line_end(view, open, &self.syntax).is_some()
                    {
                        return Ok(Some((self.unclosed(start, open), line)));
                    }
                    return Ok(Some((self.endless_line(start, end)?, line)));
                }
            }
        }
    }

    /// Drops what was read and gets at least `more` bytes of text.
    fn more(&mut self, more: usize) -> Result<(), ReadError> {
        self.text.advance(self.at, more)?;
        self.at = 0;
        Ok(())
    }

    /// The record that starts at `start`, whose quote at `open` never closes: it ends with the line of that quote.
    fn unclosed(&mut self, start: usize, open: usize) -> Found {
        let window = self.text.window();
        let end = line_end(window, open, &self.syntax).unwrap_or(window.len());
        let raw = cut(window[start..end].trim_end_matches('\r'));
        let before = scan::count_breaks(&window.as_bytes()[start..open], &self.syntax) as u64;
        let reason = format!(
            "the quote that opens on line {} never closes",
            self.line + before
        );
        self.at = end + line_break(window, end, &self.syntax);
        self.line += before + 1;
        self.number += 1;
        Found::Bad {
            raw,
            problem: Problem::RecordUnreadable { reason },
        }
    }

    /// The record that starts at `start` and does not end before `end`, in a line longer than a record may be: the
    /// line is passed over.
    fn endless_line(&mut self, start: usize, end: usize) -> Result<Found, ReadError> {
        // The cell that does not end is the last before `end`, so its line does not end before that either, unless
        // with the carriage return that is not known yet to be one of a line break.
        let window = &self.text.window()[..end];
        self.at = end - usize::from(self.syntax.bare_cr && window.ends_with('\r'));
        let raw = cut(&window[start..self.at]);
        self.line += scan::count_breaks(&window.as_bytes()[start..self.at], &self.syntax) as u64;
        self.number += 1;
        loop {
            let window = self.text.window();
            match line_end(window, self.at, &self.syntax) {
                Some(end) => {
                    let broken = line_break(window, end, &self.syntax);
                    if end + broken == window.len() && !self.text.ended() {
                        self.at = end;
                        self.more(1)?;
                        continue;
                    }
                    self.at = end + broken;
                    self.line += 1;
                    return Ok(self.too_large(raw));
                }
                None if self.text.ended() => {
                    self.at = window.len();
                    return Ok(self.too_large(raw));
                }
                None => {
                    self.at = window.len();
                    self.more(1)?;
                }
            }
        }
    }

    fn too_large(&self, raw: String) -> Found {
        Found::Bad {
            raw,
            problem: Problem::RecordTooLarge {
                limit: self.limits.record,
            },
        }
    }
}

/// What is kept of the text of a record that cannot be read.
pub(crate) fn cut(text: &str) -> String {
    if text.len() <= KEPT {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(KEPT);
    let mut kept = String::with_capacity(end + CUT_MARK.len());
    kept.push_str(&text[..end]);
    kept.push_str(CUT_MARK);
    kept
}

impl<R: Read + Seek> CsvFile<R> {
    /// Opens a file, finds out how to read it, and reads its header.
    pub fn open(input: R, options: &CsvOptions) -> Result<CsvFile<R>, ReadError> {
        CsvFile::below_header(CsvRows::open(input, options)?)
    }

    /// Opens a file whose dialect is known, as a resumed import does, and reads its header.
    pub fn reopen(input: R, dialect: &Dialect, limits: CsvLimits) -> Result<CsvFile<R>, ReadError> {
        CsvFile::below_header(CsvRows::reopen(input, dialect, limits)?)
    }
}

impl<R: Read> CsvFile<R> {
    /// Reads up to the header and the header itself. Columns of a file without one are named by their numbers.
    fn below_header(mut rows: CsvRows<R>) -> Result<CsvFile<R>, ReadError> {
        let header_row = rows.dialect.header_row;
        let mut row = CsvRow::default();
        let mut names: Vec<String> = (1..=rows.dialect.columns)
            .filter(|_| header_row == 0)
            .map(|number| format!("Column {number}"))
            .collect();
        while row.number < header_row && rows.next(&mut row)? {
            if row.number < header_row {
                continue;
            }
            if let Some(problem) = row.problem {
                return Err(ReadError::Header {
                    line: row.line,
                    reason: match problem {
                        Problem::RecordUnreadable { reason } => reason,
                        _ => format!("it is larger than {} bytes", rows.limits.record),
                    },
                });
            }
            names = std::mem::take(&mut row.cells);
        }
        Ok(CsvFile {
            rows,
            header: Header { names },
            row: 0,
            cell: String::new(),
        })
    }

    /// How the file is read.
    pub fn dialect(&self) -> &Dialect {
        self.rows.dialect()
    }

    /// The names of the columns.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Whether bytes were met so far that do not decode.
    pub fn damaged(&self) -> bool {
        self.rows.damaged()
    }

    /// Reads the next record into `record`; false at the end of the file.
    pub fn next(&mut self, record: &mut CsvRecord) -> Result<bool, ReadError> {
        self.fill(record, None)
    }

    /// Reads the next record's cells of some columns, without its raw text; all other cells are absent. For those who
    /// look at whole files for little of what is in them.
    pub fn next_columns(
        &mut self,
        record: &mut CsvRecord,
        columns: &[usize],
    ) -> Result<bool, ReadError> {
        self.fill(record, Some(columns))
    }

    fn fill(
        &mut self,
        record: &mut CsvRecord,
        wanted: Option<&[usize]>,
    ) -> Result<bool, ReadError> {
        let Some((found, line)) = self.rows.find()? else {
            return Ok(false);
        };
        self.row += 1;
        record.row = self.row;
        record.line = line;
        record.record.clear();
        record.raw.clear();
        let (start, end) = match found {
            Found::Good { start, end } => (start, end),
            Found::Bad { raw, problem } => {
                record.raw = raw;
                record.problem = Some(problem);
                return Ok(true);
            }
        };
        let window = self.rows.text.window();
        if wanted.is_none() {
            record.raw.push_str(&window[start..end]);
        }
        let columns = self.header.names.len();
        if record.record.capacity() == 0 {
            record.record = Record::with_capacity(columns, end - start);
        }
        let spans = &self.rows.spans;
        record.problem = surplus(window, spans, columns);
        if record.problem.is_some() {
            return Ok(true);
        }
        for (column, span) in spans.iter().take(columns).enumerate() {
            if wanted.is_some_and(|wanted| !wanted.contains(&column)) {
                record.record.push_absent();
            } else if matches!(span.coat, Coat::Plain | Coat::Quoted) {
                record.record.push_text(&window[span.start..span.end]);
            } else {
                self.cell.clear();
                unwrap_into(window, *span, &self.rows.syntax, &mut self.cell);
                record.record.push_text(&self.cell);
            }
        }
        for _ in spans.len()..columns {
            record.record.push_absent();
        }
        Ok(true)
    }

    /// Passes over the next `count` records; says how many there were.
    pub fn skip(&mut self, count: u64) -> Result<u64, ReadError> {
        for skipped in 0..count {
            if self.rows.find()?.is_none() {
                return Ok(skipped);
            }
            self.row += 1;
        }
        Ok(count)
    }

    /// The next `count` records at most: for previews and tests.
    pub fn take(&mut self, count: usize) -> Result<Vec<CsvRecord>, ReadError> {
        let mut records = Vec::new();
        let mut record = CsvRecord::default();
        while records.len() < count && self.next(&mut record)? {
            records.push(std::mem::take(&mut record));
        }
        Ok(records)
    }
}

/// Whether a record has text past the last column. Blank cells at its end are no trouble.
fn surplus(window: &str, spans: &[Span], columns: usize) -> Option<Problem> {
    let past = spans.get(columns..)?;
    let filled = past
        .iter()
        .rposition(|span| !window[span.start..span.end].trim().is_empty())?;
    Some(Problem::RecordTooManyCells {
        expected: columns,
        found: columns + filled + 1,
    })
}

/// The cells of one record's raw text, to show a stored record again.
///
/// Text that is no whole record, because a quote never closes in it, is cut at its delimiters.
pub fn parse_raw(raw: &str, dialect: &Dialect) -> Vec<String> {
    let Some(syntax) = dialect.syntax(usize::MAX) else {
        return vec![raw.to_owned()];
    };
    if raw.is_empty() {
        return vec![String::new()];
    }
    let mut spans = Vec::new();
    match scan(raw, 0, true, &syntax, &mut spans) {
        Scan::Record { .. } => spans
            .iter()
            .map(|span| {
                let mut cell = String::new();
                unwrap_into(raw, *span, &syntax, &mut cell);
                cell
            })
            .collect(),
        Scan::More { .. } | Scan::Unclosed { .. } => raw
            .split(char::from(syntax.delimiter))
            .map(str::to_owned)
            .collect(),
    }
}

/// One record's raw text as a file of `columns` columns would have given it.
pub fn to_record(raw: &str, dialect: &Dialect, columns: usize) -> Result<Record, Problem> {
    let unreadable = |reason: &str| Problem::RecordUnreadable {
        reason: reason.to_owned(),
    };
    let Some(syntax) = dialect.syntax(usize::MAX) else {
        return Err(unreadable("its delimiter is not known any more"));
    };
    let mut record = Record::new();
    if raw.is_empty() {
        return Ok(record);
    }
    let mut spans = Vec::new();
    match scan(raw, 0, true, &syntax, &mut spans) {
        Scan::Record { next, .. } if !raw[next..].trim().is_empty() => {
            return Err(unreadable("there is more than one row"));
        }
        Scan::Record { .. } => {}
        Scan::More { .. } | Scan::Unclosed { .. } => {
            return Err(unreadable("a quote in it never closes"));
        }
    }
    if let Some(problem) = surplus(raw, &spans, columns) {
        return Err(problem);
    }
    let mut cell = String::new();
    for span in spans.iter().take(columns) {
        cell.clear();
        unwrap_into(raw, *span, &syntax, &mut cell);
        record.push_text(&cell);
    }
    Ok(record)
}

/// The texts of a record's cells; blank where the record says nothing.
pub fn texts(record: &Record) -> Vec<&str> {
    (0..record.len())
        .map(|column| match record.cell(column) {
            Cell::Text(text) => text,
            Cell::Absent | Cell::Null | Cell::List(_) => "",
        })
        .collect()
}

#[cfg(test)]
mod tests;
