//! One record: where it ends and where its cells stand in the text.
//!
//! Nothing is copied here, and nothing is given up on: a record is found whole, or more text is needed, or a quote is
//! known never to close, and then the reader goes on with the line after the one where it opened.

use memchr::{memchr, memchr2, memchr3};

/// What the scanner must know of a dialect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Syntax {
    pub(crate) delimiter: u8,
    pub(crate) quote: Option<u8>,
    /// A character that takes the meaning from a quote inside quotes; a doubled quote does so always.
    pub(crate) escape: Option<u8>,
    /// Whether a carriage return alone ends a record, as in files of old Macs.
    pub(crate) bare_cr: bool,
    /// Whether blanks stand between a delimiter and an opening quote.
    pub(crate) padded: bool,
    /// How many columns the file has, or 0 if that is not known.
    pub(crate) columns: usize,
    /// How many line breaks a quoted cell may have.
    pub(crate) max_breaks: usize,
}

/// Where a cell stands in the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) coat: Coat,
}

/// What is to be taken off a cell's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Coat {
    /// Nothing: it stands without quotes.
    Plain,
    /// Nothing: the span is what is between the quotes.
    Quoted,
    /// The span is what is between the quotes and has escaped quotes.
    Escaped,
    /// Text follows the closing quote, which stands here: `"a"b`.
    Tail(usize),
}

/// What was found at the start of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scan {
    /// A whole record.
    Record {
        /// Where its text ends.
        end: usize,
        /// Where the next record starts.
        next: usize,
        /// Line breaks inside its cells.
        breaks: usize,
        /// Cells whose quotes were read with leniency.
        loose: usize,
    },
    /// The text ends before the record does; the quote that is open there, if one is.
    More { open: Option<usize> },
    /// The quote that stands here never closes.
    Unclosed { open: usize },
}

/// Finds the record that starts at `from`; its cells are put into `spans`.
///
/// `last` says that the file ends where `text` does. There must be text at `from`.
pub(crate) fn scan(
    text: &str,
    from: usize,
    last: bool,
    syntax: &Syntax,
    spans: &mut Vec<Span>,
) -> Scan {
    let bytes = text.as_bytes();
    spans.clear();
    let (mut at, mut breaks, mut loose) = (from, 0, 0);
    loop {
        let (span, stop) = match opening(bytes, at, syntax) {
            Some(open) => match quoted(bytes, open, last, syntax) {
                Quoted::Closed {
                    span,
                    stop,
                    breaks: inside,
                    bare,
                } => {
                    breaks += inside;
                    loose += usize::from(bare);
                    (span, stop)
                }
                Quoted::More => return Scan::More { open: Some(open) },
                Quoted::Unclosed => return Scan::Unclosed { open },
            },
            None => match stop(bytes, at, syntax) {
                Some(stop) => (plain(at, stop), stop),
                None if last => (plain(at, bytes.len()), bytes.len()),
                None => return Scan::More { open: None },
            },
        };
        if bytes.get(stop) == Some(&syntax.delimiter) {
            spans.push(span);
            at = stop + 1;
            continue;
        }
        let next = match bytes.get(stop) {
            None => stop,
            Some(b'\r') => match bytes.get(stop + 1) {
                Some(b'\n') => stop + 2,
                None if !last => return Scan::More { open: None },
                _ => stop + 1,
            },
            Some(_) => stop + 1,
        };
        let mut span = span;
        let floor = match span.coat {
            Coat::Plain | Coat::Tail(_) => span.start,
            Coat::Quoted | Coat::Escaped => span.end + 1,
        };
        let mut end = stop;
        while end > floor && bytes[end - 1] == b'\r' {
            end -= 1;
        }
        span.end = span.end.min(end);
        spans.push(span);
        return Scan::Record {
            end,
            next,
            breaks,
            loose,
        };
    }
}

/// Where the line that contains `from` ends, or where the text does.
pub(crate) fn line_end(text: &str, from: usize, syntax: &Syntax) -> Option<usize> {
    let bytes = &text.as_bytes()[from..];
    let found = if syntax.bare_cr {
        memchr2(b'\n', b'\r', bytes)
    } else {
        memchr(b'\n', bytes)
    };
    found.map(|position| from + position)
}

/// The length of the line break at `at`: 2 for CR LF, 1 for others, 0 if there is none.
pub(crate) fn line_break(text: &str, at: usize, syntax: &Syntax) -> usize {
    match text.as_bytes().get(at..) {
        Some([b'\r', b'\n', ..]) => 2,
        Some([b'\n', ..]) => 1,
        Some([b'\r', ..]) if syntax.bare_cr => 1,
        _ => 0,
    }
}

/// How many line breaks a text has.
pub(crate) fn count_breaks(bytes: &[u8], syntax: &Syntax) -> usize {
    let feeds = memchr::memchr_iter(b'\n', bytes).count();
    if !syntax.bare_cr {
        return feeds;
    }
    let lone = memchr::memchr_iter(b'\r', bytes)
        .filter(|at| bytes.get(at + 1) != Some(&b'\n'))
        .count();
    feeds + lone
}

/// Adds what a cell says to `cell`.
pub(crate) fn unwrap_into(text: &str, span: Span, syntax: &Syntax, cell: &mut String) {
    match span.coat {
        Coat::Plain | Coat::Quoted => cell.push_str(&text[span.start..span.end]),
        Coat::Escaped => unescape(&text[span.start..span.end], syntax, cell),
        Coat::Tail(close) => {
            unescape(&text[span.start..close], syntax, cell);
            cell.push_str(&text[close + 1..span.end.max(close + 1)]);
        }
    }
}

/// Takes doubled and escaped quotes out of what stands between quotes.
fn unescape(text: &str, syntax: &Syntax, cell: &mut String) {
    let Some(quote) = syntax.quote else {
        cell.push_str(text);
        return;
    };
    let bytes = text.as_bytes();
    let (mut copied, mut at) = (0, 0);
    while let Some(found) = next_mark(&bytes[at..], quote, syntax.escape) {
        let mark = at + found;
        let escapes = match bytes.get(mark + 1) {
            Some(next) if bytes[mark] == quote => *next == quote,
            Some(next) => *next == quote || Some(*next) == syntax.escape,
            None => false,
        };
        if escapes {
            cell.push_str(&text[copied..mark]);
            copied = mark + 1;
            at = mark + 2;
        } else {
            at = mark + 1;
        }
    }
    cell.push_str(&text[copied..]);
}

fn plain(start: usize, end: usize) -> Span {
    Span {
        start,
        end,
        coat: Coat::Plain,
    }
}

/// The quote that opens the cell at `at`, if one does.
fn opening(bytes: &[u8], at: usize, syntax: &Syntax) -> Option<usize> {
    let quote = syntax.quote?;
    let start = if syntax.padded {
        after_blanks(bytes, at, syntax)
    } else {
        at
    };
    (bytes.get(start) == Some(&quote)).then_some(start)
}

/// The next delimiter or end of a line.
fn stop(bytes: &[u8], from: usize, syntax: &Syntax) -> Option<usize> {
    let rest = &bytes[from..];
    let found = if syntax.bare_cr {
        memchr3(syntax.delimiter, b'\n', b'\r', rest)
    } else {
        memchr2(syntax.delimiter, b'\n', rest)
    };
    found.map(|position| from + position)
}

/// The first byte at or after `at` that is not a blank.
fn after_blanks(bytes: &[u8], at: usize, syntax: &Syntax) -> usize {
    let blank = |byte: &&u8| matches!(**byte, b' ' | b'\t') && **byte != syntax.delimiter;
    at + bytes[at..].iter().take_while(blank).count()
}

fn next_mark(bytes: &[u8], quote: u8, escape: Option<u8>) -> Option<usize> {
    match escape {
        Some(escape) => memchr2(quote, escape, bytes),
        None => memchr(quote, bytes),
    }
}

enum Quoted {
    Closed {
        span: Span,
        stop: usize,
        breaks: usize,
        bare: bool,
    },
    More,
    Unclosed,
}

/// What follows a quote inside quotes.
enum After {
    /// It closes the cell; the delimiter or line end stands here.
    Stop(usize),
    /// It is doubled.
    Twin,
    /// It stands in the middle of text.
    Bare,
    /// Not known before there is more text.
    Unknown,
}

/// Reads the cell that the quote at `open` begins.
///
/// The rules where the quotes are not as they should be:
/// - `"a "b" c",d`: a quote inside text that closes nothing is text, if the cell closes on the same line;
/// - `"a"b,c`: if it does not, text goes on after the quotes, as long as no delimiter was inside them;
/// - a quote that looks like the opening of another cell (it follows a delimiter or a line break) after a line break
///   means that this cell was never closed, and so does a cell whose inner lines look like records.
fn quoted(bytes: &[u8], open: usize, last: bool, syntax: &Syntax) -> Quoted {
    let Some(quote) = syntax.quote else {
        return Quoted::Unclosed;
    };
    let start = open + 1;
    let (mut at, mut checked, mut breaks) = (start, start, 0);
    let mut escaped = false;
    let mut first_bare = None;
    loop {
        let mark = next_mark(&bytes[at..], quote, syntax.escape).map(|found| at + found);
        // Line breaks on the way to it.
        let way = &bytes[checked..mark.unwrap_or(bytes.len())];
        let passed = count_breaks(way, syntax);
        if passed > 0
            && breaks == 0
            && let Some(bare) = first_bare
        {
            return tail(bytes, start, bare, last, syntax);
        }
        let Some(mark) = mark else {
            return match first_bare {
                Some(bare) if last && breaks == 0 => tail(bytes, start, bare, last, syntax),
                _ if last || breaks + passed > syntax.max_breaks => Quoted::Unclosed,
                _ => Quoted::More,
            };
        };
        checked = mark;
        breaks += passed;
        if breaks > syntax.max_breaks {
            return Quoted::Unclosed;
        }
        if bytes[mark] != quote {
            let takes_next = bytes
                .get(mark + 1)
                .is_some_and(|next| *next == quote || Some(*next) == syntax.escape);
            escaped |= takes_next;
            at = mark + 1 + usize::from(takes_next);
            continue;
        }
        match after(bytes, mark, quote, last, syntax) {
            After::Twin => {
                escaped = true;
                at = mark + 2;
            }
            After::Stop(stop) => {
                if looks_like_records(&bytes[start..mark], breaks, syntax) {
                    return Quoted::Unclosed;
                }
                return Quoted::Closed {
                    span: Span {
                        start,
                        end: mark,
                        coat: if escaped { Coat::Escaped } else { Coat::Quoted },
                    },
                    stop,
                    breaks,
                    bare: first_bare.is_some(),
                };
            }
            After::Bare => {
                if breaks > 0 && looks_like_opening(bytes, start, mark, quote, syntax) {
                    return Quoted::Unclosed;
                }
                first_bare.get_or_insert(mark);
                at = mark + 1;
            }
            After::Unknown => return Quoted::More,
        }
    }
}

fn after(bytes: &[u8], mark: usize, quote: u8, last: bool, syntax: &Syntax) -> After {
    let unknown = if last {
        After::Stop(bytes.len())
    } else {
        After::Unknown
    };
    if bytes.get(mark + 1) == Some(&quote) {
        return After::Twin;
    }
    let next = after_blanks(bytes, mark + 1, syntax);
    match bytes.get(next) {
        None => unknown,
        Some(byte) if *byte == syntax.delimiter || *byte == b'\n' => After::Stop(next),
        Some(b'\r') if syntax.bare_cr => After::Stop(next),
        Some(b'\r') => {
            let returns = bytes[next..].iter().take_while(|byte| **byte == b'\r');
            let behind = next + returns.count();
            match bytes.get(behind) {
                None => unknown,
                Some(b'\n') => After::Stop(behind),
                Some(_) => After::Bare,
            }
        }
        Some(_) => After::Bare,
    }
}

/// `"a"b`: the cell is what the quotes hold and what follows them, if no delimiter makes that doubtful.
fn tail(bytes: &[u8], start: usize, close: usize, last: bool, syntax: &Syntax) -> Quoted {
    if memchr(syntax.delimiter, &bytes[start..close]).is_some() {
        return Quoted::Unclosed;
    }
    let end = match stop(bytes, close + 1, syntax) {
        Some(end) => end,
        None if last => bytes.len(),
        None => return Quoted::More,
    };
    Quoted::Closed {
        span: Span {
            start,
            end,
            coat: Coat::Tail(close),
        },
        stop: end,
        breaks: 0,
        bare: true,
    }
}

/// Whether the run of quotes that ends at `mark` stands where a cell begins.
fn looks_like_opening(bytes: &[u8], start: usize, mark: usize, quote: u8, syntax: &Syntax) -> bool {
    let mut at = mark;
    while at > start && bytes[at - 1] == quote {
        at -= 1;
    }
    while syntax.padded && at > start && matches!(bytes[at - 1], b' ' | b'\t') {
        at -= 1;
    }
    at > start && (bytes[at - 1] == syntax.delimiter || matches!(bytes[at - 1], b'\n' | b'\r'))
}

/// Whether most lines inside a cell have exactly the delimiters of a record.
fn looks_like_records(cell: &[u8], breaks: usize, syntax: &Syntax) -> bool {
    const FEWEST_COLUMNS: usize = 4;
    const FEWEST_LINES: usize = 3;
    if breaks <= FEWEST_LINES || syntax.columns < FEWEST_COLUMNS {
        return false;
    }
    let mut lines = cell.split(|byte| *byte == b'\n' || (syntax.bare_cr && *byte == b'\r'));
    lines.next();
    lines.next_back();
    let (mut alike, mut all) = (0, 0);
    for line in lines.filter(|line| !line.is_empty()) {
        all += 1;
        alike +=
            usize::from(memchr::memchr_iter(syntax.delimiter, line).count() == syntax.columns - 1);
    }
    alike >= FEWEST_LINES && alike * 4 >= all * 3
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMA: Syntax = Syntax {
        delimiter: b',',
        quote: Some(b'"'),
        escape: None,
        bare_cr: false,
        padded: false,
        columns: 0,
        max_breaks: 1_000,
    };

    /// All records of a text, cells separated by `|` and records by `/`; `!` for a line whose quote never closes.
    fn read(text: &str, syntax: &Syntax) -> String {
        let (mut at, mut spans, mut out) = (0, Vec::new(), Vec::new());
        while at < text.len() {
            match scan(text, at, true, syntax, &mut spans) {
                Scan::Record { next, .. } => {
                    let cells: Vec<String> = spans
                        .iter()
                        .map(|span| {
                            let mut cell = String::new();
                            unwrap_into(text, *span, syntax, &mut cell);
                            cell
                        })
                        .collect();
                    out.push(cells.join("|"));
                    at = next;
                }
                Scan::Unclosed { open } => {
                    out.push("!".to_owned());
                    let end = line_end(text, open, syntax).unwrap_or(text.len());
                    at = end + line_break(text, end, syntax);
                }
                Scan::More { .. } => panic!("more text than all of it"),
            }
        }
        out.join("/")
    }

    #[test]
    fn quotes_and_newlines() {
        for (text, expected) in [
            ("a,b\nc,d", "a|b/c|d"),
            ("a,b\r\nc,d\r\n", "a|b/c|d"),
            ("a,b\r\r\nc,d\r\r\n", "a|b/c|d"),
            ("a,\n,b", "a|/|b"),
            (",", "|"),
            ("\"a,b\",c", "a,b|c"),
            ("\"a\nb\",c\nd", "a\nb|c/d"),
            ("\"a\"\"b\",c", "a\"b|c"),
            ("\"\"\"\"\"\"\"\"", "\"\"\""),
            ("\"\",x", "|x"),
            ("a\rb,c\n", "a\rb|c"),
            // Quotes where none should be.
            ("a \"word\",\"1\"2\",a\"", "a \"word\"|1\"2|a\""),
            ("a, \"B\" ,c", "a| \"B\" |c"),
            ("\"foo\"bar\"\r\n", "foo\"bar"),
            ("\"a\"b,c\nd,e", "ab|c/d|e"),
            ("\"a\"b,c\n\"d\",e\n", "ab|c/d|e"),
            ("\"a\"b", "ab"),
            ("\"a\" ,\"b\"  \r\nc,d", "a|b/c|d"),
            ("\"to \"you\" and\",x\n\"b\",y", "to \"you\" and|x/b|y"),
            // Quotes that never close.
            ("a,\"b\nc,d\ne,f", "!/c|d/e|f"),
            ("a,\"b,\"c\nd,e,f", "!/d|e|f"),
            ("1,\"M,x\n2,\"W\",y\n3,z,\"\"", "!/2|W|y/3|z|"),
            ("\"\"\"\"\"\"\"", "!"),
            ("\"", "!"),
        ] {
            assert_eq!(read(text, &COMMA), expected, "{text:?}");
        }
    }

    #[test]
    fn escapes() {
        let backslash = Syntax {
            escape: Some(b'\\'),
            ..COMMA
        };
        for (text, expected) in [
            (r#""a\"b",c"#, "a\"b|c"),
            (r#""a""b",c"#, "a\"b|c"),
            (r#""c\d",c"#, r"c\d|c"),
            (r#""c\\",c"#, r"c\|c"),
            (r#""\",c"#, "!"),
        ] {
            assert_eq!(read(text, &backslash), expected, "{text:?}");
        }
    }

    #[test]
    fn old_macs() {
        let mac = Syntax {
            bare_cr: true,
            ..COMMA
        };
        assert_eq!(read("a,b\r\"c\rd\",e\r\nf", &mac), "a|b/c\rd|e/f");
        assert_eq!(read("a,\"b\rc,d\r", &mac), "!/c|d");
    }

    #[test]
    fn blanks_before_quotes() {
        let padded = Syntax {
            padded: true,
            ..COMMA
        };
        assert_eq!(read("a, \"b, c\", d\n", &padded), "a|b, c| d");
    }

    #[test]
    fn records_inside_a_cell_mean_that_it_was_not_closed() {
        let four = Syntax {
            columns: 4,
            ..COMMA
        };
        let text = "1,\"a,b,c\n2,d,e,f\n3,d,e,f\n4,d,e,f\n5,d\",e,f";
        assert_eq!(read(text, &four), "!/2|d|e|f/3|d|e|f/4|d|e|f/5|d\"|e|f");
        let letter = "1,\"Dear you,\nthis, that\nand, so\non, and\non\",e,f";
        assert_eq!(read(letter, &four).matches('/').count(), 0);
    }

    #[test]
    fn more_text_is_asked_for_until_the_end_is_sure() {
        let text = "a,\"b\"\"\nc\" ,d\r\ne";
        let mut spans = Vec::new();
        let whole = scan(text, 0, true, &COMMA, &mut spans);
        let expected = spans.clone();
        for cut in 0..text.len() - 2 {
            assert!(matches!(
                scan(&text[..cut], 0, false, &COMMA, &mut spans),
                Scan::More { .. }
            ));
        }
        assert_eq!(scan(text, 0, false, &COMMA, &mut spans), whole);
        assert_eq!(spans, expected);
    }
}
