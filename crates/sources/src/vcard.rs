//! vCards 2.1, 3.0 and 4.0: the files that phones, mail programs and address books write.
//!
//! A card is a record; its own text is the payload. Its properties come under columns with fixed names ([`NAMES`]), so
//! that they map by themselves; properties that only one program knows keep their name.
//!
//! Our own reader, because what counts here is the text as it was written: a parser into typed values shows dates and
//! numbers anew, and keeps neither the card's text nor its place in the file.

use std::borrow::Cow;
use std::io::{Read, Seek};

use encoding_rs::{UTF_8, WINDOWS_1252};
use rollbook_engine::issue::Problem;
use rollbook_engine::record::{Header, Record};

use crate::csv::encoding::{Text, settle};
use crate::csv::{CUT_MARK, CsvRecord, Encoding, cut};
use crate::file::FileError;

/// The columns of a card's known properties, in the order in which they stand.
pub const NAMES: [&str; 24] = [
    "External ID",
    "Name",
    "Title",
    "First name",
    "Middle name",
    "Last name",
    "Suffix",
    "Nickname",
    "Phone",
    "Email",
    "Birthday",
    "Company",
    "Department",
    "Job title",
    "Role",
    "Street",
    "City",
    "Region",
    "Postal code",
    "Country",
    "Language",
    "Website",
    "Notes",
    "Tags",
];

/// How much of a file is looked at for the columns that it has.
const LOOKED_AT: usize = 64 << 20;

/// Columns beside the known ones, at most.
const MORE_COLUMNS: usize = 200;

/// How long a line is looked for its end before what there is counts as one.
const LINE: usize = 1 << 20;

/// Properties whose value is a picture, a sound or a key.
const BINARY: [&str; 4] = ["PHOTO", "LOGO", "SOUND", "KEY"];

/// Properties that say something about the card or the program that wrote it, not about the person.
const ABOUT_THE_CARD: [&str; 18] = [
    "BEGIN",
    "END",
    "VERSION",
    "PRODID",
    "REV",
    "SOURCE",
    "CLASS",
    "MAILER",
    "SORT-STRING",
    "AGENT",
    "LABEL",
    "CLIENTPIDMAP",
    "XML",
    "PROFILE",
    "X-ABLABEL",
    "X-ABADR",
    "X-ABUID",
    "KIND",
];

/// A property of a card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Property {
    /// Its name, in capitals.
    pub name: String,
    /// Its parameters in capitals, with their values as they were written.
    pub parameters: Vec<(String, String)>,
    /// Its value, decoded, its escapes untouched.
    pub value: String,
}

impl Property {
    /// The value as text.
    pub fn text(&self) -> String {
        unescaped(&self.value)
    }

    /// The parts between semicolons.
    pub fn parts(&self) -> Vec<String> {
        split(&self.value, ';')
    }

    /// The items between commas.
    pub fn items(&self) -> Vec<String> {
        split(&self.value, ',')
    }

    fn has_type(&self, wanted: &str) -> bool {
        let types = self.parameters.iter().filter(|(name, _)| name == "TYPE");
        types
            .flat_map(|(_, types)| types.split(','))
            .any(|own| own.trim().eq_ignore_ascii_case(wanted))
    }

    /// Where it stands among its like: what is preferred first, faxes and pagers last.
    fn rank(&self) -> u32 {
        let preferred = self
            .parameters
            .iter()
            .find(|(name, _)| name == "PREF")
            .map(|(_, place)| place.parse().unwrap_or(1));
        match preferred {
            Some(place) => place,
            None if self.has_type("PREF") => 1,
            None if self.has_type("FAX") || self.has_type("PAGER") => 300,
            None => 200,
        }
    }
}

/// The properties of one card's text, in order; of a card in a card, none.
pub fn properties(card: &str) -> Vec<Property> {
    let mut properties = Vec::new();
    let mut depth = 0_u32;
    // Some programs end lines with two carriage returns, so a blank line is no line.
    let lines = card.split(['\r', '\n']).filter(|line| !line.is_empty());
    let mut lines = lines.peekable();
    while let Some(line) = lines.next() {
        let mut line = Cow::Borrowed(line);
        let quoted = is_quoted_printable(&line);
        loop {
            if quoted && line.ends_with('=') {
                let Some(next) = lines.next() else { break };
                let whole = line.to_mut();
                whole.pop();
                whole.push_str(next);
            } else if let Some(next) = lines.next_if(|next| next.starts_with([' ', '\t'])) {
                line.to_mut().push_str(&next[1..]);
            } else {
                break;
            }
        }
        let Some(property) = property(&line) else {
            continue;
        };
        match property.name.as_str() {
            "BEGIN" => depth += 1,
            "END" => depth = depth.saturating_sub(1),
            _ if depth > 1 => continue,
            _ => {}
        }
        properties.push(property);
    }
    properties
}

/// Whether a line's value is in the encoding that breaks lines with `=`.
fn is_quoted_printable(line: &str) -> bool {
    let head = line.split(':').next().unwrap_or_default();
    let parameters = head.split(';').skip(1);
    parameters
        .map(|parameter| parameter.rsplit('=').next().unwrap_or_default())
        .any(|value| value.trim().eq_ignore_ascii_case("QUOTED-PRINTABLE"))
}

/// A property of one line; none if it is not one.
fn property(line: &str) -> Option<Property> {
    let mut in_quotes = false;
    let colon = line.find(|sign: char| {
        in_quotes ^= sign == '"';
        sign == ':' && !in_quotes
    });
    // A quote that never closes hides no value.
    let colon = colon.or_else(|| line.find(':'))?;
    let (head, value) = (&line[..colon], &line[colon + 1..]);
    let mut in_quotes = false;
    let mut parts = head.split(|sign: char| {
        in_quotes ^= sign == '"';
        sign == ';' && !in_quotes
    });
    let name = parts.next()?.trim();
    // The name of a group stands before a dot.
    let name = name.rsplit('.').next()?.to_ascii_uppercase();
    let is_name = |sign: char| sign.is_ascii_alphanumeric() || matches!(sign, '-' | '_');
    if name.is_empty() || !name.chars().all(is_name) {
        return None;
    }
    let parameters: Vec<(String, String)> = parts
        .map(|parameter| {
            if let Some((name, value)) = parameter.split_once('=') {
                let value = value.trim().trim_matches('"');
                return (name.trim().to_ascii_uppercase(), value.to_owned());
            }
            // 2.1 writes values alone.
            let value = parameter.trim();
            let is_encoding = ["QUOTED-PRINTABLE", "BASE64", "B", "8BIT", "7BIT"]
                .iter()
                .any(|known| value.eq_ignore_ascii_case(known));
            let name = if is_encoding { "ENCODING" } else { "TYPE" };
            (name.to_owned(), value.to_owned())
        })
        .collect();
    let of = |wanted: &str| {
        let mut found = parameters.iter().filter(|(name, _)| name == wanted);
        found.next().map(|(_, value)| value.as_str())
    };
    let value = if of("ENCODING").is_some_and(|own| own.eq_ignore_ascii_case("QUOTED-PRINTABLE")) {
        from_quoted_printable(value, of("CHARSET"))
    } else {
        value.to_owned()
    };
    Some(Property {
        name,
        parameters,
        value,
    })
}

fn from_quoted_printable(value: &str, charset: Option<&str>) -> String {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        let digit = |at: usize| {
            after
                .get(at)
                .and_then(|sign| char::from(*sign).to_digit(16))
        };
        if let (b'=', Some(high), Some(low)) = (byte, digit(0), digit(1)) {
            bytes.push(u8::try_from(high * 16 + low).unwrap_or(b'?'));
            rest = &after[2..];
        } else {
            bytes.push(*byte);
            rest = after;
        }
    }
    let named = charset
        .and_then(Encoding::for_label)
        .and_then(|encoding| encoding_rs::Encoding::for_label(encoding.name().as_bytes()));
    let encoding = match named {
        Some(encoding) => encoding,
        None if std::str::from_utf8(&bytes).is_ok() => UTF_8,
        None => WINDOWS_1252,
    };
    encoding.decode_without_bom_handling(&bytes).0.into_owned()
}

/// Text without its escapes.
fn unescaped(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    let mut signs = value.chars();
    while let Some(sign) = signs.next() {
        if sign != '\\' {
            text.push(sign);
            continue;
        }
        match signs.next() {
            Some('n' | 'N') => text.push('\n'),
            Some(sign @ (',' | ';' | ':' | '\\')) => text.push(sign),
            Some(sign) => {
                text.push('\\');
                text.push(sign);
            }
            None => text.push('\\'),
        }
    }
    text
}

/// The pieces of a value between separators that are not escaped, without escapes.
fn split(value: &str, separator: char) -> Vec<String> {
    let mut escaped = false;
    value
        .split(|sign: char| {
            let is_separator = sign == separator && !escaped;
            escaped = sign == '\\' && !escaped;
            is_separator
        })
        .map(unescaped)
        .collect()
}

/// What a card says, under the columns.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Said {
    Text(String),
    List(Vec<String>),
}

/// The columns that a card fills, with what it says there.
fn said(properties: &[Property]) -> Vec<(Cow<'static, str>, Said)> {
    let mut said: Vec<(Cow<'static, str>, Said)> = Vec::new();
    let of = |name: &str| {
        let mut found: Vec<&Property> = properties.iter().filter(|own| own.name == name).collect();
        found.sort_by_key(|property| property.rank());
        found
    };
    let mut text = |column: &'static str, text: String| {
        if !text.trim().is_empty() {
            said.push((column.into(), Said::Text(text)));
        }
    };
    let first = |name: &str| of(name).first().map(|own| own.text()).unwrap_or_default();
    let part = |parts: &[String], at: usize| parts.get(at).cloned().unwrap_or_default();

    text("External ID", first("UID"));
    text("Name", first("FN"));
    let name = of("N").first().map(|own| own.parts()).unwrap_or_default();
    text("Title", part(&name, 3));
    text("First name", part(&name, 1));
    text("Middle name", part(&name, 2));
    text("Last name", part(&name, 0));
    text("Suffix", part(&name, 4));
    text("Nickname", first("NICKNAME"));
    text(
        "Birthday",
        of("BDAY").first().map(|own| day(own)).unwrap_or_default(),
    );
    let company = of("ORG").first().map(|own| own.parts()).unwrap_or_default();
    text("Company", part(&company, 0));
    let departments = company
        .iter()
        .skip(1)
        .filter(|part| !part.trim().is_empty());
    text(
        "Department",
        departments.cloned().collect::<Vec<_>>().join(", "),
    );
    text("Job title", first("TITLE"));
    text("Role", first("ROLE"));
    let filled = |own: &&&Property| own.parts().iter().any(|part| !part.trim().is_empty());
    let address = of("ADR").iter().find(filled).map(|own| own.parts());
    let address = address.unwrap_or_default();
    // The street, what stands beside it, and a box.
    let street: Vec<String> = [2, 1, 0]
        .iter()
        .flat_map(|at| lines(&part(&address, *at)))
        .collect();
    text("Street", street.join(", "));
    text("City", part(&address, 3));
    text("Region", part(&address, 4));
    text("Postal code", part(&address, 5));
    text("Country", part(&address, 6));
    text("Language", first("LANG"));
    let notes: Vec<String> = of("NOTE").iter().map(|own| own.text()).collect();
    text("Notes", notes.join("\n"));

    let mut list = |column: Cow<'static, str>, items: Vec<String>| {
        let items: Vec<String> = items
            .into_iter()
            .filter(|item| !item.trim().is_empty())
            .collect();
        if !items.is_empty() {
            said.push((column, Said::List(items)));
        }
    };
    let texts = |name: &str| of(name).iter().map(|own| own.text()).collect::<Vec<_>>();
    list("Phone".into(), texts("TEL"));
    let addresses = texts("EMAIL").into_iter().map(|address| {
        let scheme = address
            .get(..7)
            .is_some_and(|own| own.eq_ignore_ascii_case("mailto:"));
        address[if scheme { 7 } else { 0 }..].to_owned()
    });
    list("Email".into(), addresses.collect());
    list("Website".into(), texts("URL"));
    let tags = of("CATEGORIES");
    list(
        "Tags".into(),
        tags.iter().flat_map(|own| own.items()).collect(),
    );

    let mut others: Vec<&str> = Vec::new();
    for property in properties {
        let name = property.name.as_str();
        if !is_known(name) && !others.contains(&name) {
            others.push(name);
        }
    }
    for name in others {
        list(name.to_owned().into(), texts(name));
    }
    said
}

fn is_known(name: &str) -> bool {
    const KNOWN: [&str; 15] = [
        "UID",
        "FN",
        "N",
        "NICKNAME",
        "BDAY",
        "ORG",
        "TITLE",
        "ROLE",
        "ADR",
        "LANG",
        "NOTE",
        "TEL",
        "EMAIL",
        "URL",
        "CATEGORIES",
    ];
    KNOWN.contains(&name) || BINARY.contains(&name) || ABOUT_THE_CARD.contains(&name)
}

fn lines(text: &str) -> Vec<String> {
    let lines = text.lines().map(str::trim);
    lines
        .filter(|line| !line.is_empty())
        .map(str::to_owned)
        .collect()
}

/// The day of a birthday as it was written. Some phones write a year of theirs for one that is not known.
fn day(property: &Property) -> String {
    let text = property.text();
    let omitted = property
        .parameters
        .iter()
        .find(|(name, _)| name == "X-APPLE-OMIT-YEAR");
    match omitted.and_then(|(_, year)| text.strip_prefix(year.as_str())) {
        Some(rest) => format!("--{}", rest.trim_start_matches('-')),
        // A time of day says nothing about a birthday.
        None => match text.split_once('T') {
            Some((day, _)) if day.len() >= 4 => day.to_owned(),
            _ => text,
        },
    }
}

/// The cells of a card under the columns of a header.
pub fn to_record(card: &str, header: &[String]) -> Record {
    let mut record = Record::new();
    let said = said(&properties(card));
    for column in header {
        match said.iter().find(|(own, _)| own == column) {
            Some((_, Said::Text(text))) => record.push_text(text),
            Some((_, Said::List(items))) => record.push_list(items.iter().map(String::as_str)),
            None => record.push_absent(),
        }
    }
    record
}

/// The cells of a text that should be one whole card.
pub fn card_to_record(text: &str, header: &[String]) -> Result<Record, Problem> {
    let mut lines = text.lines().filter(|line| !line.trim().is_empty());
    let begins = lines.next().is_some_and(|line| marks(line, "BEGIN"));
    let ends = lines.next_back().is_some_and(|line| marks(line, "END"));
    if begins && ends {
        Ok(to_record(text, header))
    } else {
        Err(Problem::RecordUnreadable {
            reason: "it does not begin with BEGIN:VCARD and end with END:VCARD".to_owned(),
        })
    }
}

/// The cards of a file, one after the other.
pub struct VcardFile<R> {
    text: Text<R>,
    encoding: Encoding,
    header: Vec<String>,
    limit: usize,
    /// Where the next line starts in the text's window.
    at: usize,
    /// The number of that line.
    line: u64,
    row: u64,
}

/// A line in the window, its end included.
struct Line {
    start: usize,
    end: usize,
}

impl<R: Read + Seek> VcardFile<R> {
    /// Opens a file whose columns are known.
    pub fn reopen(
        mut input: R,
        encoding: Option<Encoding>,
        header: Vec<String>,
        limit: usize,
    ) -> Result<VcardFile<R>, FileError> {
        let encoding = settle(&mut input, encoding)?;
        Ok(VcardFile {
            text: Text::new(input, encoding),
            encoding,
            header,
            limit,
            at: 0,
            line: 1,
            row: 0,
        })
    }

    /// Finds out which columns a file has, from its first part.
    pub fn columns(
        input: R,
        encoding: Option<Encoding>,
        limit: usize,
    ) -> Result<(Header, Encoding), FileError> {
        let mut file = VcardFile::reopen(input, encoding, Vec::new(), limit)?;
        let mut known = [false; NAMES.len()];
        let mut others: Vec<String> = Vec::new();
        let mut record = CsvRecord::default();
        let mut bytes = 0;
        while bytes < LOOKED_AT && file.next(&mut record)? {
            bytes += record.raw.len();
            for (column, _) in said(&properties(&record.raw)) {
                match NAMES.iter().position(|name| *name == column) {
                    Some(place) => known[place] = true,
                    None if others.len() < MORE_COLUMNS
                        && !others.contains(&column.to_string()) =>
                    {
                        others.push(column.into_owned());
                    }
                    None => {}
                }
            }
        }
        let filled = NAMES.iter().zip(known).filter(|(_, filled)| *filled);
        let mut names: Vec<String> = filled.map(|(name, _)| (*name).to_owned()).collect();
        names.append(&mut others);
        Ok((Header { names }, file.encoding))
    }
}

impl<R: Read> VcardFile<R> {
    /// Reads the next card; false at the end of the file.
    pub fn next(&mut self, into: &mut CsvRecord) -> Result<bool, FileError> {
        if !self.read(into)? {
            return Ok(false);
        }
        into.record = match &into.problem {
            None => to_record(&into.raw, &self.header),
            Some(_) => Record::new(),
        };
        Ok(true)
    }

    /// Passes over a card; false at the end of the file.
    pub fn step(&mut self) -> Result<bool, FileError> {
        self.read(&mut CsvRecord::default())
    }

    /// Reads the text of the next card, or of what stands where one should.
    fn read(&mut self, into: &mut CsvRecord) -> Result<bool, FileError> {
        let first = loop {
            let Some(line) = self.next_line()? else {
                return Ok(false);
            };
            if !self.text.window()[line.start..line.end].trim().is_empty() {
                break line;
            }
        };
        self.row += 1;
        into.row = self.row;
        into.line = self.line - 1;
        into.raw.clear();
        into.raw
            .push_str(&self.text.window()[first.start..first.end]);
        let ended = if marks(&into.raw, "BEGIN") {
            self.read_card(&mut into.raw)?
        } else {
            self.read_stray(&mut into.raw)?;
            Err("it stands outside of a card".to_owned())
        };
        let raw = into.raw.trim_end().len();
        into.raw.truncate(raw);
        into.problem = match ended {
            Ok(()) if into.raw.len() > self.limit => {
                Some(Problem::RecordTooLarge { limit: self.limit })
            }
            Ok(()) => None,
            Err(reason) => Some(Problem::RecordUnreadable { reason }),
        };
        if into.problem.is_some() {
            into.raw = cut(&into.raw);
        }
        Ok(true)
    }

    /// Reads up to the end of the card; the reason if it has none. Pictures go where the card would be too large.
    fn read_card(&mut self, raw: &mut String) -> Result<Result<(), String>, FileError> {
        let begun = self.line - 1;
        let mut depth = 1_u32;
        let mut binary: Vec<(usize, usize)> = Vec::new();
        let mut in_binary = false;
        let mut agent = false;
        loop {
            let Some(line) = self.next_line()? else {
                return Ok(Err(format!(
                    "the card that begins on line {begun} does not end with END:VCARD"
                )));
            };
            let text = &self.text.window()[line.start..line.end];
            let folded = text.starts_with([' ', '\t']);
            let begins = !folded && marks(text, "BEGIN");
            if begins && !agent {
                // The card before it was cut off; this one is read on its own.
                self.at = line.start;
                self.line -= 1;
                return Ok(Err(format!(
                    "the card that begins on line {begun} does not end with END:VCARD"
                )));
            }
            let ends = !folded && marks(text, "END");
            let name = text.split([':', ';']).next().unwrap_or_default();
            let name = name.rsplit('.').next().unwrap_or_default().trim();
            if !folded {
                in_binary = BINARY.iter().any(|own| name.eq_ignore_ascii_case(own));
                if !text.trim().is_empty() {
                    agent = name.eq_ignore_ascii_case("AGENT");
                }
                if in_binary {
                    binary.push((raw.len(), raw.len()));
                }
            }
            if raw.len() <= self.limit.saturating_mul(2) {
                raw.push_str(text);
            }
            if let Some((_, end)) = binary.last_mut().filter(|_| in_binary) {
                *end = raw.len();
            }
            if raw.len() > self.limit {
                shorten(raw, &mut binary);
                if in_binary {
                    binary.push((raw.len(), raw.len()));
                }
            }
            depth += u32::from(begins);
            depth -= u32::from(ends);
            if depth == 0 {
                return Ok(Ok(()));
            }
        }
    }

    /// Reads on where no card is, up to the next.
    fn read_stray(&mut self, raw: &mut String) -> Result<(), FileError> {
        while let Some(line) = self.next_line()? {
            let text = &self.text.window()[line.start..line.end];
            if marks(text, "BEGIN") {
                self.at = line.start;
                self.line -= 1;
                return Ok(());
            }
            if raw.len() <= self.limit {
                raw.push_str(text);
            }
        }
        Ok(())
    }

    /// The next line. One without end comes in pieces.
    fn next_line(&mut self) -> Result<Option<Line>, FileError> {
        let mut looked = 0;
        loop {
            let rest = &self.text.window().as_bytes()[self.at..];
            let found = memchr::memchr2(b'\n', b'\r', &rest[looked..]).map(|at| at + looked);
            let length = match found {
                // The line feed after a carriage return may not be there yet.
                Some(at) if rest[at] == b'\r' && at + 1 == rest.len() && !self.text.ended() => None,
                Some(at) if rest[at..].starts_with(b"\r\n") => Some(at + 2),
                Some(at) => Some(at + 1),
                None if self.text.ended() || rest.len() >= LINE => {
                    Some(self.text.window()[self.at..].floor_char_boundary(LINE.min(rest.len())))
                }
                None => None,
            };
            match length {
                Some(0) => return Ok(None),
                Some(length) => {
                    let start = self.at;
                    self.at += length;
                    self.line += 1;
                    return Ok(Some(Line {
                        start,
                        end: self.at,
                    }));
                }
                None => {
                    looked = found.unwrap_or(rest.len());
                    let more = rest.len();
                    self.text.advance(self.at, more)?;
                    self.at = 0;
                }
            }
        }
    }
}

/// Whether a line is `BEGIN:VCARD` or `END:VCARD`.
fn marks(line: &str, word: &str) -> bool {
    line.split_once(':').is_some_and(|(name, value)| {
        let name = name.rsplit('.').next().unwrap_or(name);
        name.trim().eq_ignore_ascii_case(word) && value.trim().eq_ignore_ascii_case("VCARD")
    })
}

/// Leaves the beginning of pictures only.
fn shorten(raw: &mut String, binary: &mut Vec<(usize, usize)>) {
    const LEFT: usize = 120;
    for (start, end) in binary.drain(..).rev() {
        if end - start > LEFT {
            let from = raw.floor_char_boundary(start + LEFT);
            raw.replace_range(from..end, &format!("{CUT_MARK}\r\n"));
        }
    }
}

#[cfg(test)]
mod tests;
