//! The dialect of a file: how its text is cut into records and cells, told by the user or found out.

use serde::{Deserialize, Serialize};

use super::CsvOptions;
use super::encoding::Encoding;
use super::header;
use super::look::{Look, look};
use super::scan::{Coat, Scan, Span, Syntax, line_break, line_end, scan, unwrap_into};

/// How a file is read. An import stores it, so that its file is read the same way again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dialect {
    /// The name of the encoding.
    pub encoding: String,
    /// What separates cells.
    pub delimiter: char,
    /// What cells may be put in, if anything.
    pub quote: Option<char>,
    /// What takes the meaning from a quote inside quotes, besides doubling it.
    pub escape: Option<char>,
    /// Whether a carriage return alone ends a record.
    #[serde(default)]
    pub bare_cr: bool,
    /// Whether blanks between a delimiter and an opening quote do not count.
    #[serde(default)]
    pub padded: bool,
    /// How many columns most records have.
    #[serde(default)]
    pub columns: usize,
    /// Which record is the header, counted from 1; 0 if the file has none.
    pub header_row: u64,
}

impl Dialect {
    /// What the scanner needs of it; none if a character is not one byte of ASCII or serves two ends.
    pub(crate) fn syntax(&self, max_breaks: usize) -> Option<Syntax> {
        let byte = |c: char| {
            u8::try_from(c)
                .ok()
                .filter(|b| b.is_ascii() && !is_break(*b))
        };
        let delimiter = byte(self.delimiter)?;
        let quote = match self.quote {
            Some(quote) => Some(byte(quote)?),
            None => None,
        };
        let escape = match self.escape {
            Some(escape) => Some(byte(escape)?),
            None => None,
        };
        let distinct = quote != Some(delimiter) && escape != Some(delimiter);
        distinct.then_some(Syntax {
            delimiter,
            quote,
            // An escape that is the quote itself is doubling.
            escape: escape.filter(|escape| Some(*escape) != quote && quote.is_some()),
            bare_cr: self.bare_cr,
            padded: self.padded,
            columns: self.columns,
            max_breaks,
        })
    }
}

fn is_break(byte: u8) -> bool {
    matches!(byte, b'\n' | b'\r')
}

/// The delimiter that a first line such as `sep=;` announces, and where the text after that line starts.
pub(crate) fn announced(text: &str) -> Option<(u8, usize)> {
    let end = text.find(['\n', '\r']).unwrap_or(text.len());
    // Spreadsheets put the line in quotes, or fill it up with delimiters.
    let line = text[..end].trim_start_matches('"').as_bytes();
    let (word, rest) = line.split_at_checked(4)?;
    let delimiter = *rest.first()?;
    let filled = rest[1..]
        .iter()
        .all(|byte| [delimiter, b'"', b' '].contains(byte));
    if !word.eq_ignore_ascii_case(b"sep=") || !delimiter.is_ascii() || delimiter == b'"' || !filled
    {
        return None;
    }
    let rest = &text.as_bytes()[end..];
    let skipped = match rest {
        [b'\r', b'\n', ..] => 2,
        [_, ..] => 1,
        [] => 0,
    };
    Some((delimiter, end + skipped))
}

/// Delimiters in the order of how usual they are, with the weight of that.
const DELIMITERS: [(u8, f64); 10] = [
    (b',', 1.0),
    (b';', 1.0),
    (b'\t', 1.0),
    (b'|', 0.98),
    (0x1F, 0.95),
    (0x01, 0.95),
    (b'~', 0.8),
    (b'^', 0.8),
    (b':', 0.55),
    (b' ', 0.12),
];

/// Delimiters that are believed only where they stand between quoted cells.
const ODD_DELIMITERS: &[u8] = b"+#*=&/!%$@_-.";

/// How many records are looked at.
const ROWS: usize = 500;

/// Finds out the dialect of a text from its first part; `whole` says that there is no more.
pub(crate) fn sniff(text: &str, whole: bool, encoding: Encoding, options: &CsvOptions) -> Dialect {
    let (given, start) = match announced(text) {
        Some((delimiter, start)) => (options.delimiter.or(Some(delimiter)), start),
        None => (options.delimiter, 0),
    };
    let text = &text[start..];
    let sample = Sample {
        text,
        whole,
        bare_cr: has_bare_cr(text),
    };
    // One column is a reading too, and the one to fall back to.
    let single = sample.survey_best(given.unwrap_or(b','), options.quote.unwrap_or(Some(b'"')));
    let mut best = (sample.single_column_score(), single);
    for quote in quotes(text, options) {
        for (delimiter, weight) in delimiters(text, given, quote) {
            if quote == Some(delimiter) {
                continue;
            }
            let survey = sample.survey_best(delimiter, quote);
            let score = survey.score(text, weight);
            if score > best.0 {
                best = (score, survey);
            }
        }
    }
    let survey = best.1;
    let Syntax {
        delimiter,
        quote,
        escape,
        bare_cr,
        padded,
        ..
    } = survey.syntax;
    let rows: Vec<Vec<String>> = survey.cells(text);
    let columns = header::usual_width(&rows);
    let header_row = match options.header_row {
        Some(row) => row,
        None => header::find(&rows, columns),
    };
    Dialect {
        encoding: encoding.name().to_owned(),
        delimiter: char::from(delimiter),
        quote: quote.map(char::from),
        escape: escape.map(char::from),
        bare_cr,
        padded,
        columns,
        header_row,
    }
}

/// Whether carriage returns alone end the records: there are more of them than of other line breaks, outside quotes
/// as far as those can be told.
fn has_bare_cr(text: &str) -> bool {
    let bytes = text.as_bytes();
    let (mut outside, mut all) = ((0_usize, 0_usize), (0_usize, 0_usize));
    let mut inside = false;
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b'"' => inside = !inside,
            b'\n' => {
                all.0 += 1;
                outside.0 += usize::from(!inside);
            }
            b'\r' if at + 1 < bytes.len() && !is_break(bytes[at + 1]) => {
                all.1 += 1;
                outside.1 += usize::from(!inside);
            }
            _ => {}
        }
    }
    // With an odd number of quotes, inside and outside say nothing.
    let (feeds, returns) = if inside { all } else { outside };
    returns > feeds
}

/// The quotes worth trying.
fn quotes(text: &str, options: &CsvOptions) -> Vec<Option<u8>> {
    match options.quote {
        Some(quote) => vec![quote],
        None if text.contains('\'') => vec![Some(b'"'), Some(b'\'')],
        None => vec![Some(b'"')],
    }
}

/// The delimiters worth trying.
fn delimiters(text: &str, given: Option<u8>, quote: Option<u8>) -> Vec<(u8, f64)> {
    if let Some(given) = given {
        return vec![(given, 1.0)];
    }
    let bytes = text.as_bytes();
    let mut found: Vec<(u8, f64)> = DELIMITERS
        .into_iter()
        .filter(|(delimiter, _)| memchr::memchr(*delimiter, bytes).is_some())
        .collect();
    if let Some(quote) = quote {
        for odd in ODD_DELIMITERS {
            let between = bytes
                .windows(2)
                .filter(|pair| **pair == [quote, *odd])
                .count();
            let lines = memchr::memchr_iter(b'\n', bytes).count().max(1);
            if between * 2 >= lines {
                found.push((*odd, 0.7));
            }
        }
    }
    found
}

/// The part of a file that is looked at.
struct Sample<'a> {
    text: &'a str,
    whole: bool,
    bare_cr: bool,
}

/// What a sample is when it is read one way.
struct Survey {
    syntax: Syntax,
    rows: Vec<Vec<Span>>,
    /// Records and cells whose quotes are not as they should be.
    faults: usize,
    /// Cells in quotes that are as they should be.
    sound: usize,
    /// Sound cells that need their quotes, because a delimiter or a line break is in them.
    needed: usize,
}

impl Sample<'_> {
    /// Reads with the escape and the padding that suit the text best.
    fn survey_best(&self, delimiter: u8, quote: Option<u8>) -> Survey {
        let plain = Syntax {
            delimiter,
            quote,
            escape: None,
            bare_cr: self.bare_cr,
            padded: false,
            columns: 0,
            max_breaks: 1_000,
        };
        let mut best = self.survey(&plain);
        let Some(quote) = quote else {
            return best;
        };
        let bytes = self.text.as_bytes();
        if bytes.windows(2).any(|pair| pair == [b'\\', quote]) {
            let escaped = self.survey(&Syntax {
                escape: Some(b'\\'),
                ..plain
            });
            if escaped.faults < best.faults {
                best = escaped;
            }
        }
        if delimiter != b' ' && self.is_padded(delimiter, quote) {
            let padded = self.survey(&Syntax {
                padded: true,
                ..best.syntax
            });
            if padded.faults <= best.faults && padded.sound > best.sound {
                best = padded;
            }
        }
        best
    }

    /// Whether opening quotes stand after a delimiter and blanks, in several records, and nowhere right after one.
    fn is_padded(&self, delimiter: u8, quote: u8) -> bool {
        let bytes = self.text.as_bytes();
        let (mut lines, mut last_line) = (0, usize::MAX);
        let (mut line, mut at) = (0, 0);
        while at < bytes.len() {
            if is_break(bytes[at]) {
                line += 1;
            } else if bytes[at] == delimiter {
                let blanks = bytes[at + 1..]
                    .iter()
                    .take_while(|byte| matches!(**byte, b' ' | b'\t') && **byte != delimiter)
                    .count();
                if bytes.get(at + 1 + blanks) == Some(&quote) {
                    if blanks == 0 {
                        return false;
                    }
                    if line != last_line {
                        lines += 1;
                        last_line = line;
                    }
                }
            }
            at += 1;
        }
        lines >= 2
    }

    /// How much the text looks like a list of one value a line.
    #[expect(
        clippy::cast_precision_loss,
        reason = "counts of a sample are far below 2^52"
    )]
    fn single_column_score(&self) -> f64 {
        let lines = self
            .text
            .split(['\n', '\r'])
            .filter(|line| !line.trim().is_empty());
        let worths: Vec<f64> = lines
            .take(ROWS)
            .map(|line| match look(line) {
                look if look.is_data() => 1.0,
                Look::Words => 0.5,
                _ if line.len() >= 2 && line.starts_with('"') && line.ends_with('"') => 0.6,
                _ => 0.2,
            })
            .collect();
        let worth = worths.iter().sum::<f64>() / worths.len().max(1) as f64;
        0.6 * worth * worth
    }

    fn survey(&self, syntax: &Syntax) -> Survey {
        let mut survey = Survey {
            syntax: *syntax,
            rows: Vec::new(),
            faults: 0,
            sound: 0,
            needed: 0,
        };
        let (mut at, mut last) = (0, self.whole);
        let mut spans = Vec::new();
        while at < self.text.len() && survey.rows.len() < ROWS {
            match scan(self.text, at, last, syntax, &mut spans) {
                Scan::Record { next, loose, .. } => {
                    at = next;
                    survey.faults += loose;
                    for span in spans.iter().filter(|span| is_coated(**span)) {
                        let cell = &self.text.as_bytes()[span.start..span.end];
                        survey.sound += 1;
                        survey.needed += usize::from(
                            memchr::memchr3(syntax.delimiter, b'\n', b'\r', cell).is_some(),
                        );
                    }
                    survey.sound -= loose.min(survey.sound);
                    if !is_blank(self.text, &spans) {
                        survey.rows.push(spans.clone());
                    }
                }
                Scan::Unclosed { open } => {
                    survey.faults += 1;
                    at = self.behind_line(open);
                }
                // The sample was cut here; only when nothing else is there is the piece worth a look.
                Scan::More { open } => {
                    let half = at * 2 < self.text.len();
                    if let Some(open) = open.filter(|_| half) {
                        survey.faults += 1;
                        at = self.behind_line(open);
                    } else if survey.rows.is_empty() && !last {
                        last = true;
                    } else {
                        break;
                    }
                }
            }
        }
        survey
    }

    fn behind_line(&self, at: usize) -> usize {
        let syntax = Syntax {
            delimiter: b',',
            quote: None,
            escape: None,
            bare_cr: self.bare_cr,
            padded: false,
            columns: 0,
            max_breaks: 0,
        };
        match line_end(self.text, at, &syntax) {
            Some(end) => end + line_break(self.text, end, &syntax),
            None => self.text.len(),
        }
    }
}

fn is_coated(span: Span) -> bool {
    matches!(span.coat, Coat::Quoted | Coat::Escaped)
}

/// Whether a record is a line of nothing but white space.
pub(crate) fn is_blank(text: &str, spans: &[Span]) -> bool {
    match spans {
        [span] => span.coat == Coat::Plain && text[span.start..span.end].trim().is_empty(),
        _ => false,
    }
}

impl Survey {
    /// The cells of all rows.
    fn cells(&self, text: &str) -> Vec<Vec<String>> {
        let cell = |span: &Span| {
            let mut cell = String::new();
            unwrap_into(text, *span, &self.syntax, &mut cell);
            cell
        };
        self.rows
            .iter()
            .map(|row| row.iter().map(cell).collect())
            .collect()
    }

    /// How much the text looks like a table when it is read this way.
    #[expect(
        clippy::cast_precision_loss,
        reason = "counts of a sample are far below 2^52"
    )]
    fn score(&self, text: &str, weight: f64) -> f64 {
        let widths: Vec<usize> = self.rows.iter().map(Vec::len).collect();
        if widths.is_empty() {
            return 0.0;
        }
        let rows = widths.len() as f64;
        let usual = header::mode(widths.iter().copied().filter(|width| *width > 1));
        let Some((usual, count)) = usual else {
            return 0.0;
        };
        let several = widths.iter().filter(|width| **width > 1).count() as f64;
        let even = 0.85 * (count as f64 / rows) + 0.15 * (several / rows);
        // Blanks stand between words anywhere; they separate cells only where all records agree.
        let blank = self.syntax.delimiter == b' ';
        if blank && even < 0.95 {
            return 0.0;
        }
        let cells: Vec<f64> = self
            .rows
            .iter()
            .flatten()
            .map(|span| self.worth(text, *span))
            .collect();
        let worth = cells.iter().sum::<f64>() / cells.len() as f64;
        let weight = if blank {
            let data = self.rows.iter().flatten();
            let data = data.filter(|span| look(&text[span.start..span.end]).is_data());
            weight + 0.4 * (data.count() as f64 / cells.len() as f64)
        } else {
            weight
        };
        let faults = self.faults as f64 / (self.faults as f64 + rows);
        // More columns are more evidence, if ever so little.
        let columns = 1.0 + 0.02 * (usual.min(30) as f64);
        even * worth * worth * columns * weight * (1.0 - faults) * self.trust_in_quote(rows)
    }

    /// How much a cell looks like one value.
    fn worth(&self, text: &str, span: Span) -> f64 {
        let cell = &text[span.start..span.end];
        if is_coated(span) {
            return 1.0;
        }
        if cell.starts_with(['"', '\''])
            && cell.len() > 1
            && !cell[1..].starts_with(char::is_alphabetic)
        {
            return 0.5;
        }
        match look(cell) {
            Look::Number | Look::Moment | Look::Email | Look::Link => 1.0,
            Look::Empty | Look::Digits | Look::Words => 0.95,
            Look::Other => {
                let foreign = |mark: u8| {
                    mark != self.syntax.delimiter
                        && cell
                            .bytes()
                            .zip(cell.bytes().skip(1).chain([b'.']))
                            .any(|(byte, next)| byte == mark && (mark == b'\t' || next != b' '))
                };
                if [b'\t', b';', b'|', b','].into_iter().any(foreign) {
                    0.4
                } else if cell.contains('"') {
                    0.7
                } else {
                    0.85
                }
            }
        }
    }

    /// The single quote is an apostrophe until cells show that it is not.
    #[expect(
        clippy::cast_precision_loss,
        reason = "counts of a sample are far below 2^52"
    )]
    fn trust_in_quote(&self, rows: f64) -> f64 {
        if self.syntax.quote != Some(b'\'') {
            return 1.0;
        }
        let whole = |row: &Vec<Span>| row.len() >= 2 && row.iter().all(|span| is_coated(*span));
        let shown = self.needed > 0
            || (self.sound >= 2 && self.sound as f64 * 10.0 >= rows)
            || self.rows.iter().any(whole);
        if self.faults == 0 && shown { 1.05 } else { 0.5 }
    }
}
