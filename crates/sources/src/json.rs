//! JSON records: a body is split into records that keep their exact text; a record's paths become cells.
//!
//! Numbers keep their digits, because an External ID of twenty digits must not be rounded. Of a key that comes twice
//! in an object the last value counts. Nesting deeper than [`MAX_DEPTH`] is refused.

mod file;

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

use rollbook_engine::issue::Problem;
use rollbook_engine::record::Record;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

pub use self::file::{JsonFile, JsonLayout};

/// How deep objects and arrays may be nested.
pub const MAX_DEPTH: usize = 128;

/// How much of a record that cannot be read is kept.
const KEPT: usize = 64 * 1024;

/// Why a body, or the rest of it, cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// Its bytes are no text.
    #[error("the body is not UTF-8 at byte {at}; send JSON in UTF-8")]
    Encoding {
        /// The first byte that is not.
        at: usize,
    },
    /// It is no JSON.
    #[error("the body is not JSON at line {line}, column {column}: {reason}")]
    Syntax {
        /// The line, from 1.
        line: u64,
        /// The column in characters, from 1.
        column: u64,
        /// What is wrong there.
        reason: String,
    },
    /// It is JSON, but neither an object nor an array.
    #[error("the body is {0}; send an object, or an array of objects")]
    Kind(&'static str),
    /// There is nothing in it.
    #[error("the body is empty; send an object, or an array of objects")]
    Empty,
}

/// What holds the records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JsonForm {
    /// One object or one array.
    Document,
    /// One record a line.
    Lines,
}

/// One record of a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonRecord<'a> {
    /// Its number, from 1.
    pub row: u64,
    /// The line it starts on, from 1.
    pub line: u64,
    /// Its text as it was sent.
    pub raw: Cow<'a, str>,
    /// Why it cannot be read.
    pub problem: Option<Problem>,
}

/// A body as text, without a byte order mark.
fn text_of(body: &[u8]) -> Result<&str, JsonError> {
    let body = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body);
    std::str::from_utf8(body).map_err(|error| JsonError::Encoding {
        at: error.valid_up_to(),
    })
}

/// Whether a body is one document or one record a line, where nobody says so.
///
/// A body that is a document counts as one, and so does any that does not look like several lines of objects.
pub fn form_of(body: &[u8]) -> JsonForm {
    let Some(rest) = body.trim_ascii_start().strip_prefix(b"{") else {
        return JsonForm::Document;
    };
    // The usual case needs no look at the rest: a whole object on the first line, and another line that starts one.
    let mut lines = rest.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    let ends = lines.next().is_some_and(|line| line.ends_with(b"}"));
    let another = lines.find(|line| !line.is_empty());
    match another {
        Some(line) if ends && line.starts_with(b"{") => JsonForm::Lines,
        Some(line) if line.starts_with(b"{") && check(body).is_err() => JsonForm::Lines,
        Some(_) if ends && check(body).is_err() => JsonForm::Lines,
        _ => JsonForm::Document,
    }
}

/// Whether a whole body is a JSON object or array, nested no deeper than allowed.
///
/// For endpoints that refuse a broken document before they take any of its records.
pub fn check(body: &[u8]) -> Result<(), JsonError> {
    let text = text_of(body)?;
    if text.trim_ascii().is_empty() {
        return Err(JsonError::Empty);
    }
    let raw = parse_raw(text).map_err(|fault| fault.in_body(text))?;
    match raw.as_bytes().first() {
        Some(b'{' | b'[') => Ok(()),
        Some(b'"') => Err(JsonError::Kind("a string")),
        Some(b't' | b'f') => Err(JsonError::Kind("true or false")),
        Some(b'n') => Err(JsonError::Kind("null")),
        _ => Err(JsonError::Kind("a number")),
    }
}

/// The records of a body, one after the other.
///
/// A record that cannot be read is an item with a problem. An error ends the body: what comes before it was read.
pub fn records(body: &[u8], form: JsonForm, max_record: usize) -> JsonRecords<'_> {
    let (text, state) = match text_of(body) {
        Ok(text) if form == JsonForm::Lines => (text, State::Lines),
        Ok(text) => (text, State::Start),
        // Lines stand for themselves: those that are no text are bad records.
        Err(_) if form == JsonForm::Lines => ("", State::Bytes(body)),
        Err(error) => ("", State::Failed(error)),
    };
    JsonRecords {
        text,
        at: 0,
        counted: 0,
        line: 1,
        row: 0,
        state,
        max_record,
    }
}

/// The iterator of [`records`].
pub struct JsonRecords<'a> {
    text: &'a str,
    at: usize,
    /// Up to where line breaks were counted, and the line there.
    counted: usize,
    line: u64,
    row: u64,
    state: State<'a>,
    max_record: usize,
}

enum State<'a> {
    /// Before a document.
    Start,
    /// In an array, before an element.
    Element { first: bool },
    /// At a line.
    Lines,
    /// At a line of bytes that are not text throughout.
    Bytes(&'a [u8]),
    /// Behind everything.
    Done,
    /// The error is still to be told.
    Failed(JsonError),
}

impl<'a> Iterator for JsonRecords<'a> {
    type Item = Result<JsonRecord<'a>, JsonError>;

    fn next(&mut self) -> Option<Self::Item> {
        match std::mem::replace(&mut self.state, State::Done) {
            State::Start => self.start(),
            State::Element { first } => self.element(first),
            State::Lines => self.next_line().map(Ok),
            State::Bytes(rest) => self.next_line_of_bytes(rest).map(Ok),
            State::Done => None,
            State::Failed(error) => Some(Err(error)),
        }
    }
}

impl<'a> JsonRecords<'a> {
    fn start(&mut self) -> Option<Result<JsonRecord<'a>, JsonError>> {
        self.skip_white();
        match self.text.as_bytes().get(self.at) {
            None => Some(Err(JsonError::Empty)),
            Some(b'[') => {
                self.at += 1;
                self.element(true)
            }
            Some(_) => {
                if let Err(error) = check(self.text.as_bytes()) {
                    return Some(Err(error));
                }
                let raw = self.text[self.at..].trim_ascii_end();
                Some(Ok(self.record(self.at, raw)))
            }
        }
    }

    fn element(&mut self, first: bool) -> Option<Result<JsonRecord<'a>, JsonError>> {
        self.skip_white();
        let next = self.text.as_bytes().get(self.at);
        if next == Some(&b']') {
            if first {
                return self.end_of_array().map(Err);
            }
            return Some(Err(self.error("an element is missing after the comma")));
        }
        let start = self.at;
        let Some(end) = element_end(self.text, start) else {
            return Some(Err(self.error_in(start)));
        };
        let raw = self.text[start..end].trim_ascii_end();
        if raw.is_empty() {
            return Some(Err(self.error("an element is missing")));
        }
        let record = self.record(start, raw);
        self.at = end;
        self.state = if self.text.as_bytes()[end] == b',' {
            self.at += 1;
            State::Element { first: false }
        } else {
            match self.end_of_array() {
                Some(error) => State::Failed(error),
                None => State::Done,
            }
        };
        Some(Ok(record))
    }

    /// Passes the bracket that ends the array; an error if more follows.
    fn end_of_array(&mut self) -> Option<JsonError> {
        self.at += 1;
        self.skip_white();
        (self.at < self.text.len()).then(|| self.error("text follows the end of the array"))
    }

    fn next_line(&mut self) -> Option<JsonRecord<'a>> {
        while self.at < self.text.len() {
            let start = self.at;
            let end = self.text[start..]
                .find('\n')
                .map_or(self.text.len(), |length| start + length);
            self.at = (end + 1).min(self.text.len());
            let raw = self.text[start..end].trim_ascii();
            if !raw.is_empty() {
                self.state = State::Lines;
                return Some(self.record(start, raw));
            }
        }
        None
    }

    fn next_line_of_bytes(&mut self, mut rest: &'a [u8]) -> Option<JsonRecord<'a>> {
        while !rest.is_empty() {
            let end = memchr::memchr(b'\n', rest);
            let line = rest[..end.unwrap_or(rest.len())].trim_ascii();
            rest = end.map_or(&[], |end| &rest[end + 1..]);
            let number = self.line;
            self.line += 1;
            let line = if number == 1 {
                line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line)
            } else {
                line
            };
            if line.is_empty() {
                continue;
            }
            self.state = State::Bytes(rest);
            self.row += 1;
            return Some(match std::str::from_utf8(line) {
                Ok(raw) => self.judged(number, raw),
                Err(error) => JsonRecord {
                    row: self.row,
                    line: number,
                    raw: cut(&String::from_utf8_lossy(line)).into_owned().into(),
                    problem: Some(unreadable(format!(
                        "it is not UTF-8 at its byte {}",
                        error.valid_up_to()
                    ))),
                },
            });
        }
        None
    }

    /// The next record, which starts at `start`.
    fn record(&mut self, start: usize, raw: &'a str) -> JsonRecord<'a> {
        self.row += 1;
        let line = self.line_at(start);
        self.judged(line, raw)
    }

    fn judged(&self, line: u64, raw: &'a str) -> JsonRecord<'a> {
        let problem = fault(raw, self.max_record);
        JsonRecord {
            row: self.row,
            line,
            raw: if problem.is_some() {
                cut(raw)
            } else {
                Cow::Borrowed(raw)
            },
            problem,
        }
    }

    fn line_at(&mut self, at: usize) -> u64 {
        let passed = &self.text.as_bytes()[self.counted.min(at)..at];
        self.line += memchr::memchr_iter(b'\n', passed).count() as u64;
        self.counted = at;
        self.line
    }

    fn skip_white(&mut self) {
        let rest = &self.text.as_bytes()[self.at..];
        self.at += rest.iter().take_while(|byte| is_white(**byte)).count();
    }

    fn error(&self, reason: &str) -> JsonError {
        Fault {
            at: self.at,
            reason: reason.to_owned(),
        }
        .in_body(self.text)
    }

    /// The error of the element at `start`, which does not end.
    fn error_in(&self, start: usize) -> JsonError {
        let fault = match parse_raw(&self.text[start..]) {
            Err(fault) if !fault.reason.starts_with("trailing") => Fault {
                at: start + fault.at,
                reason: fault.reason,
            },
            _ => Fault {
                at: self.text.len(),
                reason: "the array does not end".to_owned(),
            },
        };
        fault.in_body(self.text)
    }
}

fn is_white(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// Where the array element at `start` ends: at the comma or the bracket behind it.
fn element_end(text: &str, start: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let (mut depth, mut at) = (0_usize, start);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => at = string_end(bytes, at)?,
            b'{' | b'[' => depth += 1,
            b']' | b',' if depth == 0 => return Some(at),
            b'}' | b']' => depth = depth.checked_sub(1)?,
            _ => {}
        }
        at += 1;
    }
    None
}

/// Where the quote is that closes the string at `open`.
fn string_end(bytes: &[u8], open: usize) -> Option<usize> {
    let mut at = open + 1;
    loop {
        at += memchr::memchr2(b'"', b'\\', bytes.get(at..)?)?;
        if bytes[at] == b'"' {
            return Some(at);
        }
        at += 2;
    }
}

/// What is wrong with a text, and where in it.
struct Fault {
    at: usize,
    reason: String,
}

impl Fault {
    /// The same as an error of a whole body.
    fn in_body(self, text: &str) -> JsonError {
        let (line, column) = place(text, self.at);
        JsonError::Syntax {
            line,
            column,
            reason: self.reason,
        }
    }
}

/// Line and column of a position, both from 1.
fn place(text: &str, at: usize) -> (u64, u64) {
    let before = &text[..text.floor_char_boundary(at)];
    let line = memchr::memchr_iter(b'\n', before.as_bytes()).count() as u64 + 1;
    let start = before.rfind('\n').map_or(0, |at| at + 1);
    (line, before[start..].chars().count() as u64 + 1)
}

/// Checks that a text is one JSON value, nested no deeper than allowed.
///
/// The depth is looked at first, because the parser's own guard does not see values that it passes over.
fn parse_raw(text: &str) -> Result<&str, Fault> {
    let too_deep = depth_fault(text);
    match serde_json::from_str::<&RawValue>(text) {
        _ if too_deep.is_some() => Err(Fault {
            at: too_deep.unwrap_or_default(),
            reason: format!("nested deeper than {MAX_DEPTH}"),
        }),
        Ok(raw) => Ok(raw.get()),
        Err(error) => Err(Fault {
            at: byte_of(text, error.line(), error.column()),
            reason: reason_of(&error),
        }),
    }
}

/// Where the nesting becomes too deep, if it does.
fn depth_fault(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let (mut depth, mut at) = (0_usize, 0);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => at = string_end(bytes, at)?,
            b'{' | b'[' => {
                depth += 1;
                if depth > MAX_DEPTH {
                    return Some(at);
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        at += 1;
    }
    None
}

/// The byte that a line and a column of the parser mean; its columns count bytes.
fn byte_of(text: &str, line: usize, column: usize) -> usize {
    let start: usize = text
        .split_inclusive('\n')
        .take(line.saturating_sub(1))
        .map(str::len)
        .sum();
    (start + column.saturating_sub(1)).min(text.len())
}

/// What the parser says, without the place.
fn reason_of(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rfind(" at line ") {
        Some(end) => text[..end].to_owned(),
        None => text,
    }
}

/// Why a record cannot be read, if it cannot.
fn fault(raw: &str, max_record: usize) -> Option<Problem> {
    within(raw, max_record)
        .and_then(|()| object_to_record(raw, &[]))
        .err()
}

/// Refuses a record that is too large.
fn within(raw: &str, limit: usize) -> Result<(), Problem> {
    if raw.len() > limit {
        return Err(Problem::RecordTooLarge { limit });
    }
    Ok(())
}

fn unreadable(reason: String) -> Problem {
    Problem::RecordUnreadable { reason }
}

/// What is kept of the text of a record that cannot be read.
fn cut(text: &str) -> Cow<'_, str> {
    if text.len() <= KEPT {
        return Cow::Borrowed(text);
    }
    Cow::Owned(format!(
        "{}{}",
        &text[..text.floor_char_boundary(KEPT)],
        crate::csv::CUT_MARK
    ))
}

/// A JSON value whose numbers are the text they were sent as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value<'a> {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number's text.
    Number(Cow<'a, str>),
    /// A string.
    Text(Cow<'a, str>),
    /// An array.
    Array(Vec<Value<'a>>),
    /// An object, its keys in the order they were sent; a repeated key has its last value, at its first place.
    Object(Vec<(Cow<'a, str>, Value<'a>)>),
}

impl<'a> Value<'a> {
    /// Reads one value.
    pub fn parse(text: &'a str) -> Result<Value<'a>, Problem> {
        // Nearly every record is read well at once. What is not may have a fraction or an exponent, or is told of.
        if let Ok(value) = serde_json::from_str(text) {
            return Ok(value);
        }
        let raw = parse_raw(text).map_err(|fault| {
            let (line, column) = place(text, fault.at);
            unreadable(if line == 1 {
                format!("it is not JSON at its column {column}: {}", fault.reason)
            } else {
                format!(
                    "it is not JSON at its line {line}, column {column}: {}",
                    fault.reason
                )
            })
        })?;
        Value::of(raw).map_err(|error| unreadable(format!("it is not JSON: {}", reason_of(&error))))
    }

    /// The value of a text that is one JSON value. The recursion ends with the nesting, which is limited.
    fn of(raw: &'a str) -> Result<Value<'a>, serde_json::Error> {
        Ok(match raw.as_bytes().first() {
            Some(b'n') => Value::Null,
            Some(b't') => Value::Bool(true),
            Some(b'f') => Value::Bool(false),
            Some(b'"') => Value::Text(serde_json::from_str::<Text<'a>>(raw)?.0),
            Some(b'[') => {
                let items: Vec<&RawValue> = serde_json::from_str(raw)?;
                Value::Array(
                    items
                        .into_iter()
                        .map(|item| Value::of(item.get()))
                        .collect::<Result<_, _>>()?,
                )
            }
            Some(b'{') => serde_json::from_str::<Object<'a>>(raw)?.into_value()?,
            _ => Value::Number(raw.into()),
        })
    }

    /// The value at a path: `email`, `address.city`, `phones.0.value`, or a JSON pointer such as `/phones/0/value`.
    ///
    /// A key that has a dot in it is found as well: the longest key that exists is taken.
    pub fn at(&self, path: &str) -> Option<&Value<'a>> {
        if let Some(pointer) = path.strip_prefix('/') {
            return pointer.split('/').try_fold(self, |value, part| {
                value.child(&part.replace("~1", "/").replace("~0", "~"))
            });
        }
        if let Some(child) = self.child(path) {
            return Some(child);
        }
        path.rmatch_indices('.')
            .find_map(|(dot, _)| self.child(&path[..dot])?.at_dotted(&path[dot + 1..]))
    }

    /// The first bytes of paths that may lead to something; of a mapping's many most do not.
    fn begins(&self) -> [bool; 256] {
        let Value::Object(members) = self else {
            return [true; 256];
        };
        let mut begins = [false; 256];
        // A pointer, and a path that begins with a blank key.
        begins[usize::from(b'/')] = true;
        begins[usize::from(b'.')] = true;
        for (key, _) in members {
            if let Some(first) = key.bytes().next() {
                begins[usize::from(first)] = true;
            }
        }
        begins
    }

    /// Like [`Value::at`] behind a dot, where a slash begins nothing.
    fn at_dotted(&self, path: &str) -> Option<&Value<'a>> {
        if let Some(child) = self.child(path) {
            return Some(child);
        }
        path.rmatch_indices('.')
            .find_map(|(dot, _)| self.child(&path[..dot])?.at_dotted(&path[dot + 1..]))
    }

    fn child(&self, key: &str) -> Option<&Value<'a>> {
        match self {
            Value::Object(members) => members
                .iter()
                .find(|(name, _)| name == key)
                .map(|(_, value)| value),
            Value::Array(items) => {
                let digits = key.bytes().all(|byte| byte.is_ascii_digit());
                items.get(key.parse::<usize>().ok().filter(|_| digits)?)
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) => None,
        }
    }

    /// The text of a string, a number or a truth value.
    fn scalar(&self) -> Option<&str> {
        match self {
            Value::Bool(true) => Some("true"),
            Value::Bool(false) => Some("false"),
            Value::Number(text) | Value::Text(text) => Some(text),
            Value::Null | Value::Array(_) | Value::Object(_) => None,
        }
    }

    /// The items of an array of nothing but scalars; nulls in it are left out.
    fn scalars(&self) -> Option<Vec<&str>> {
        let Value::Array(items) = self else {
            return None;
        };
        items
            .iter()
            .filter(|item| **item != Value::Null)
            .map(Value::scalar)
            .collect()
    }

    fn push_to(&self, record: &mut Record) {
        if *self == Value::Null {
            record.push_null();
        } else if let Some(text) = self.scalar() {
            record.push_text(text);
        } else if let Some(items) = self.scalars() {
            record.push_list(items);
        } else {
            record.push_text(&self.to_string());
        }
    }

    fn list_paths(&self, path: &mut Vec<String>, into: &mut Vec<(String, String)>) {
        if let Some(text) = self.scalar() {
            into.push((path_text(path), text.to_owned()));
            return;
        }
        if let Some(items) = self.scalars() {
            into.push((path_text(path), items.join(", ")));
            return;
        }
        match self {
            Value::Array(items) => {
                for (position, item) in items.iter().enumerate() {
                    path.push(position.to_string());
                    item.list_paths(path, into);
                    path.pop();
                }
            }
            Value::Object(members) => {
                for (key, value) in members {
                    path.push(key.clone().into_owned());
                    value.list_paths(path, into);
                    path.pop();
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) => {
                into.push((path_text(path), String::new()));
            }
        }
    }
}

/// A path with dots where that is clear, else a pointer.
fn path_text(path: &[String]) -> String {
    if path
        .iter()
        .any(|part| part.is_empty() || part.contains('.'))
        || path.first().is_some_and(|part| part.starts_with('/'))
    {
        let mut pointer = String::new();
        for part in path {
            pointer.push('/');
            pointer.push_str(&part.replace('~', "~0").replace('/', "~1"));
        }
        pointer
    } else {
        path.join(".")
    }
}

/// Compact JSON.
impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Null => f.write_str("null"),
            Value::Bool(value) => write!(f, "{value}"),
            Value::Number(text) => f.write_str(text),
            Value::Text(text) => write!(f, "{}", serde_json::Value::from(text.as_ref())),
            Value::Array(items) => {
                f.write_str("[")?;
                for (position, item) in items.iter().enumerate() {
                    f.write_str(if position > 0 { "," } else { "" })?;
                    write!(f, "{item}")?;
                }
                f.write_str("]")
            }
            Value::Object(members) => {
                f.write_str("{")?;
                for (position, (key, value)) in members.iter().enumerate() {
                    f.write_str(if position > 0 { "," } else { "" })?;
                    write!(f, "{}:{value}", serde_json::Value::from(key.as_ref()))?;
                }
                f.write_str("}")
            }
        }
    }
}

/// The values of one JSON object under these paths; what is JSON but no object is no record.
pub fn object_to_record(raw: &str, paths: &[String]) -> Result<Record, Problem> {
    let record = to_record(raw, paths)?;
    if raw.trim_ascii_start().starts_with('{') {
        Ok(record)
    } else {
        Err(unreadable("it is not a JSON object".to_owned()))
    }
}

/// A record's cells, one a path.
///
/// What is not there is absent, `null` is null, scalars are their text, an array of scalars is a list, and anything
/// else is its JSON.
pub fn to_record(raw: &str, paths: &[String]) -> Result<Record, Problem> {
    let value = Value::parse(raw)?;
    let begins = value.begins();
    let mut record = Record::with_capacity(paths.len(), raw.len());
    for path in paths {
        let may_be = path
            .bytes()
            .next()
            .is_none_or(|first| begins[usize::from(first)]);
        match may_be.then(|| value.at(path)).flatten() {
            Some(value) => value.push_to(&mut record),
            None => record.push_absent(),
        }
    }
    Ok(record)
}

/// The paths of a record's values and the values as text, in order: what a mapping can use.
pub fn paths_of(raw: &str) -> Result<Vec<(String, String)>, Problem> {
    let mut paths = Vec::new();
    Value::parse(raw)?.list_paths(&mut Vec::new(), &mut paths);
    Ok(paths)
}

/// A string, borrowed where it has no escapes.
pub(crate) struct Text<'a>(pub(crate) Cow<'a, str>);

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Text<'de>, D::Error> {
        struct TextVisitor;
        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(TextVisitor)
    }
}

/// Members of an object up to this number are looked through for a key that comes twice.
const FEW: usize = 16;

/// An object's members as they come: of a key that comes twice the last value, at its first place.
struct Members<'a> {
    list: Vec<(Cow<'a, str>, Value<'a>)>,
    /// The places of the keys, once there are many.
    places: HashMap<Cow<'a, str>, usize>,
}

impl<'a> Members<'a> {
    fn new() -> Members<'a> {
        Members {
            list: Vec::with_capacity(FEW),
            places: HashMap::new(),
        }
    }

    fn push(&mut self, key: Cow<'a, str>, value: Value<'a>) {
        let count = self.list.len();
        if count == FEW && self.places.is_empty() {
            let places = self.list.iter().enumerate();
            self.places = places
                .map(|(place, (key, _))| (key.clone(), place))
                .collect();
        }
        let place = if count < FEW {
            self.list.iter().position(|(known, _)| *known == key)
        } else {
            self.places.get(&key).copied()
        };
        if let Some(place) = place {
            self.list[place].1 = value;
            return;
        }
        if count >= FEW {
            self.places.insert(key.clone(), count);
        }
        self.list.push((key, value));
    }
}

/// Reads a value in one pass. A number whose text would be lost is an error: it has a fraction, an exponent or many
/// digits.
impl<'de> Deserialize<'de> for Value<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Value<'de>, D::Error> {
        struct ValueVisitor;
        impl<'de> Visitor<'de> for ValueVisitor {
            type Value = Value<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value without fractions")
            }

            fn visit_unit<E>(self) -> Result<Value<'de>, E> {
                Ok(Value::Null)
            }

            fn visit_bool<E>(self, value: bool) -> Result<Value<'de>, E> {
                Ok(Value::Bool(value))
            }

            fn visit_u64<E>(self, number: u64) -> Result<Value<'de>, E> {
                Ok(Value::Number(number.to_string().into()))
            }

            fn visit_i64<E>(self, number: i64) -> Result<Value<'de>, E> {
                Ok(Value::Number(number.to_string().into()))
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Value<'de>, E> {
                Ok(Value::Text(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Value<'de>, E> {
                Ok(Value::Text(Cow::Owned(text.to_owned())))
            }

            fn visit_seq<S: SeqAccess<'de>>(self, mut items: S) -> Result<Value<'de>, S::Error> {
                let mut list = Vec::new();
                while let Some(item) = items.next_element()? {
                    list.push(item);
                }
                Ok(Value::Array(list))
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Value<'de>, M::Error> {
                let mut members = Members::new();
                while let Some((key, value)) = map.next_entry::<Text<'de>, Value<'de>>()? {
                    members.push(key.0, value);
                }
                Ok(Value::Object(members.list))
            }
        }
        deserializer.deserialize_any(ValueVisitor)
    }
}

/// An object's members in order, their values still text.
struct Object<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'a> Object<'a> {
    fn into_value(self) -> Result<Value<'a>, serde_json::Error> {
        let mut members = Members::new();
        for (key, raw) in self.0 {
            members.push(key, Value::of(raw.get())?);
        }
        Ok(Value::Object(members.list))
    }
}

impl<'de> Deserialize<'de> for Object<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Object<'de>, D::Error> {
        struct ObjectVisitor;
        impl<'de> Visitor<'de> for ObjectVisitor {
            type Value = Object<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Object<'de>, M::Error> {
                let mut members = Vec::new();
                while let Some((key, value)) = map.next_entry::<Text<'de>, &'de RawValue>()? {
                    members.push((key.0, value));
                }
                Ok(Object(members))
            }
        }
        deserializer.deserialize_map(ObjectVisitor)
    }
}

#[cfg(test)]
mod tests;
