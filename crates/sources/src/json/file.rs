//! JSON files of any size: an array of records, or a record a line, read record by record.

use std::io::{Read, Seek};

use rollbook_engine::record::{Header, Record};
use serde::{Deserialize, Serialize};

use super::{JsonForm, cut, form_of, is_white, object_to_record, paths_of, within};
use crate::csv::encoding::{Text, settle};
use crate::csv::{CsvRecord, Encoding};
use crate::file::FileError;

/// How much of a file is looked at for the paths that its records have.
const LOOKED_AT: usize = 64 << 20;

/// Paths that become columns, at most.
const COLUMNS: usize = 2_048;

/// How much of a file is looked at to see how its records lie in it.
const START: usize = 256 * 1024;

/// The names that programs give to the list in an object around it.
const LISTS: [&str; 16] = [
    "contacts",
    "data",
    "records",
    "items",
    "results",
    "people",
    "persons",
    "guests",
    "patients",
    "customers",
    "users",
    "members",
    "entries",
    "rows",
    "value",
    "list",
];

/// How the records lie in a file. An import stores it, so that its file is read the same way again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JsonLayout {
    /// In an array.
    Array,
    /// One a line.
    Lines,
    /// One value, or several with nothing between them.
    Values,
    /// In the first array of an object, as programming interfaces answer.
    Wrapped,
}

/// The records of a file, one after the other.
pub struct JsonFile<R> {
    text: Text<R>,
    layout: JsonLayout,
    paths: Vec<String>,
    limit: usize,
    /// Where the next record is looked for in the text's window.
    at: usize,
    /// Up to where in the window lines were counted, and the line there.
    counted: usize,
    line: u64,
    row: u64,
    /// Whether the array has begun, and whether a record was read since.
    in_array: bool,
    after_record: bool,
    ended: bool,
}

impl<R: Read + Seek> JsonFile<R> {
    /// Opens a file whose layout and paths are known.
    pub fn reopen(
        mut input: R,
        layout: JsonLayout,
        paths: Vec<String>,
        limit: usize,
    ) -> Result<JsonFile<R>, FileError> {
        let encoding = settle(&mut input, None)?;
        Ok(JsonFile::at_start(
            Text::new(input, encoding),
            layout,
            paths,
            limit,
        ))
    }

    /// Finds out how a file is laid out, and which paths its records have, from its first part.
    pub fn columns(
        mut input: R,
        limit: usize,
    ) -> Result<(Header, JsonLayout, Encoding), FileError> {
        let encoding = settle(&mut input, None)?;
        let mut text = Text::new(input, encoding);
        text.advance(0, START)?;
        let layout = layout_of(text.window(), text.ended());
        let mut file = JsonFile::at_start(text, layout, Vec::new(), limit);
        let mut names: Vec<String> = Vec::new();
        let mut known = std::collections::HashSet::new();
        let mut record = CsvRecord::default();
        let mut bytes = 0;
        while bytes < LOOKED_AT && file.next(&mut record)? {
            bytes += record.raw.len();
            if record.problem.is_some() {
                continue;
            }
            for (path, _) in paths_of(&record.raw).unwrap_or_default() {
                if names.len() < COLUMNS && known.insert(path.clone()) {
                    names.push(path);
                }
            }
        }
        Ok((Header { names }, layout, encoding))
    }
}

impl<R: Read> JsonFile<R> {
    fn at_start(
        text: Text<R>,
        layout: JsonLayout,
        paths: Vec<String>,
        limit: usize,
    ) -> JsonFile<R> {
        JsonFile {
            text,
            layout,
            paths,
            limit,
            at: 0,
            counted: 0,
            line: 1,
            row: 0,
            in_array: false,
            after_record: false,
            ended: false,
        }
    }

    /// Reads the next record; false at the end of the file.
    pub fn next(&mut self, into: &mut CsvRecord) -> Result<bool, FileError> {
        let Some((start, end)) = self.find()? else {
            return Ok(false);
        };
        let raw = self.text.window()[start..end].trim_ascii_end();
        into.row = self.row;
        let read = within(raw, self.limit).and_then(|()| object_to_record(raw, &self.paths));
        into.raw.clear();
        match read {
            Ok(record) => {
                into.raw.push_str(raw);
                into.record = record;
                into.problem = None;
            }
            Err(problem) => {
                into.raw.push_str(&cut(raw));
                into.record = Record::new();
                into.problem = Some(problem);
            }
        }
        into.line = self.line_at(start);
        self.pass(end)?;
        Ok(true)
    }

    /// Passes over a record; false at the end of the file.
    pub fn step(&mut self) -> Result<bool, FileError> {
        let Some((_, end)) = self.find()? else {
            return Ok(false);
        };
        self.pass(end)?;
        Ok(true)
    }

    /// Finds the next record: its place in the window. One that is too large is there as far as it is looked at.
    fn find(&mut self) -> Result<Option<(usize, usize)>, FileError> {
        if self.ended || !self.go_to_record()? {
            self.ended = true;
            return Ok(None);
        }
        self.row += 1;
        let mut scan = Scan::new(self.layout);
        let mut looked = 0;
        // Twice the limit is enough to know that a record is too large.
        let most = self.limit.saturating_mul(2).max(1);
        loop {
            let rest = &self.text.window().as_bytes()[self.at..];
            if let Some(length) = scan.feed(&rest[looked..]) {
                return Ok(Some((self.at, self.at + looked + length)));
            }
            looked = rest.len();
            if self.text.ended() || looked > most {
                let kept = self.text.window()[self.at..].floor_char_boundary(looked);
                if self.text.ended() && !scan.may_end() {
                    return Err(self.broken("the file ends in the middle of a record"));
                }
                return Ok(Some((self.at, self.at + kept)));
            }
            self.drop_read();
            self.text.advance(0, looked.max(START))?;
        }
    }

    /// Passes a record that ends at `end`, or goes on past the rest of one that is too large.
    fn pass(&mut self, end: usize) -> Result<(), FileError> {
        let mut scan = Scan::new(self.layout);
        let mut from = self.at;
        self.after_record = true;
        if scan
            .feed(&self.text.window().as_bytes()[from..end])
            .is_none()
            && end - from > self.limit
        {
            from = end;
            loop {
                let rest = &self.text.window().as_bytes()[from..];
                if let Some(length) = scan.feed(rest) {
                    self.at = from + length;
                    return Ok(());
                }
                if self.text.ended() {
                    self.at = self.text.window().len();
                    return Ok(());
                }
                self.at = self.text.window().len();
                self.drop_read();
                self.text.advance(0, START)?;
                from = 0;
            }
        }
        self.at = end;
        Ok(())
    }

    /// Goes to where the next record begins; false at the end of the file.
    fn go_to_record(&mut self) -> Result<bool, FileError> {
        if !self.in_array && self.row == 0 {
            match self.layout {
                JsonLayout::Array => {
                    if self.white()? != Some(b'[') {
                        return Err(self.broken("it does not begin with `[`"));
                    }
                    self.at += 1;
                    self.in_array = true;
                }
                JsonLayout::Wrapped => {
                    self.text.advance(0, START)?;
                    let Some(start) = wrapped_list(self.text.window()) else {
                        return Err(self.broken("there is no list in it"));
                    };
                    self.at = start;
                    self.in_array = true;
                }
                JsonLayout::Lines | JsonLayout::Values => {}
            }
        }
        let next = self.white()?;
        match (self.layout, next) {
            (JsonLayout::Lines | JsonLayout::Values, next) => Ok(next.is_some()),
            (_, None) => Err(self.broken("the list is not closed with `]`")),
            (layout, Some(b']')) => {
                self.at += 1;
                if layout == JsonLayout::Array && self.white()?.is_some() {
                    return Err(self.broken("text follows the end of the list"));
                }
                Ok(false)
            }
            (_, Some(b',')) if self.after_record => {
                self.at += 1;
                self.after_record = false;
                match self.white()? {
                    Some(b',' | b']') => Err(self.broken("a record is missing after the comma")),
                    Some(_) => Ok(true),
                    None => Err(self.broken("the list is not closed with `]`")),
                }
            }
            (_, Some(b',')) => Err(self.broken("a record is missing before the comma")),
            (_, Some(_)) => Ok(true),
        }
    }

    /// Passes over white space; the byte behind it.
    fn white(&mut self) -> Result<Option<u8>, FileError> {
        loop {
            let rest = &self.text.window().as_bytes()[self.at..];
            let white = rest.iter().take_while(|byte| is_white(**byte)).count();
            self.at += white;
            if let Some(byte) = self.text.window().as_bytes().get(self.at) {
                return Ok(Some(*byte));
            }
            if self.text.ended() {
                return Ok(None);
            }
            self.drop_read();
            self.text.advance(0, 1)?;
        }
    }

    /// Drops what was read from the window.
    fn drop_read(&mut self) {
        self.line_at(self.at);
        self.text.drop_front(self.at);
        self.counted = 0;
        self.at = 0;
    }

    fn line_at(&mut self, at: usize) -> u64 {
        let passed = &self.text.window().as_bytes()[self.counted.min(at)..at];
        self.line += memchr::memchr_iter(b'\n', passed).count() as u64;
        self.counted = at;
        self.line
    }

    fn broken(&mut self, reason: &str) -> FileError {
        FileError::Json {
            line: self.line_at(self.at.min(self.text.window().len())),
            reason: reason.to_owned(),
        }
    }
}

/// Follows JSON byte by byte to the end of a value.
struct Scan {
    layout: JsonLayout,
    depth: u64,
    in_text: bool,
    escaped: bool,
    begun: bool,
}

impl Scan {
    fn new(layout: JsonLayout) -> Scan {
        Scan {
            layout,
            depth: 0,
            in_text: false,
            escaped: false,
            begun: false,
        }
    }

    /// Whether the value may end where the file does.
    fn may_end(&self) -> bool {
        self.layout == JsonLayout::Lines || self.depth == 0 && !self.in_text
    }

    /// The length of the value in these bytes, if it ends in them.
    fn feed(&mut self, bytes: &[u8]) -> Option<usize> {
        if self.layout == JsonLayout::Lines {
            return memchr::memchr(b'\n', bytes);
        }
        // A value that stands alone ends with its last bracket.
        let alone = self.layout == JsonLayout::Values;
        for (at, byte) in bytes.iter().enumerate() {
            if self.in_text {
                match byte {
                    _ if self.escaped => self.escaped = false,
                    b'\\' => self.escaped = true,
                    b'"' => self.in_text = false,
                    _ => {}
                }
                continue;
            }
            match byte {
                b'"' => self.in_text = true,
                b'{' | b'[' => {
                    if alone && self.begun && self.depth == 0 {
                        return Some(at);
                    }
                    self.depth += 1;
                }
                b']' | b',' if self.depth == 0 && !alone => return Some(at),
                b'}' | b']' => {
                    self.depth = self.depth.saturating_sub(1);
                    if self.depth == 0 && alone {
                        return Some(at + 1);
                    }
                }
                _ => {}
            }
            self.begun |= !is_white(*byte);
        }
        None
    }
}

/// How the records lie in a text that begins like this.
fn layout_of(text: &str, whole: bool) -> JsonLayout {
    let start = text.trim_start();
    if start.starts_with('[') {
        // One array a line is possible, but no list of people.
        return JsonLayout::Array;
    }
    let whole_lines = match (whole, text.rfind('\n')) {
        (false, Some(end)) => &text[..end],
        _ => text,
    };
    if form_of(whole_lines.as_bytes()) == JsonForm::Lines {
        return JsonLayout::Lines;
    }
    if wrapped_list(text).is_some() {
        return JsonLayout::Wrapped;
    }
    JsonLayout::Values
}

/// Where the list in an object begins, behind its bracket: the first member that is named like one and holds objects.
fn wrapped_list(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let (mut depth, mut at) = (0_usize, 0);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => {
                let end = super::string_end(bytes, at)?;
                let name = &text[at + 1..end];
                at = end;
                let rest = text[end + 1..].trim_start();
                let value = rest.strip_prefix(':').map(str::trim_start);
                let list = value.and_then(|value| value.strip_prefix('['));
                if depth == 1
                    && LISTS.iter().any(|known| name.eq_ignore_ascii_case(known))
                    && let Some(list) = list
                    && list.trim_start().starts_with(['{', ']'])
                {
                    return Some(text.len() - list.len());
                }
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        at += 1;
    }
    None
}

#[cfg(test)]
mod tests;
