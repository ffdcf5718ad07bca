use std::io::{Cursor, Seek, SeekFrom};

use proptest::prelude::*;

use super::*;

/// What one reading of a file gives: the rows, as text to compare.
fn rows<R: Read>(mut rows: CsvRows<R>) -> Vec<CsvRow> {
    let mut all = Vec::new();
    let mut row = CsvRow::default();
    while rows.next(&mut row).unwrap() {
        all.push(row.clone());
    }
    all
}

fn open(text: &str) -> CsvFile<Cursor<&[u8]>> {
    CsvFile::open(Cursor::new(text.as_bytes()), &CsvOptions::default()).unwrap()
}

/// The records as `row@line cells`, or what is wrong with them.
fn read(text: &str, limits: CsvLimits) -> Vec<String> {
    let options = CsvOptions {
        limits,
        ..CsvOptions::default()
    };
    let mut file = CsvFile::open(Cursor::new(text.as_bytes()), &options).unwrap();
    file.take(1_000)
        .unwrap()
        .into_iter()
        .map(|record| {
            let what = match record.problem {
                Some(problem) => problem.message(""),
                None => (0..record.record.len())
                    .map(|column| match record.record.cell(column) {
                        Cell::Text(text) => text.to_owned(),
                        other => format!("<{other:?}>"),
                    })
                    .collect::<Vec<_>>()
                    .join("|"),
            };
            format!("{}@{} {what}", record.row, record.line)
        })
        .collect()
}

#[test]
fn records_are_read_against_the_header() {
    let text = "Report of contacts\n\nname,email,city\r\nAnna,a@b.example,Ulm\n\nBert,\"b@b.example\"\n\"Ca\nrl\",c@b.example,Köln,,\nDora,d@b.example,X,,y\nEve,e@b.example,\n";
    assert_eq!(open(text).header().names, ["name", "email", "city"]);
    assert_eq!(open(text).dialect().header_row, 2);
    assert_eq!(
        read(text, CsvLimits::default()),
        [
            "1@4 Anna|a@b.example|Ulm",
            "2@6 Bert|b@b.example|<Absent>",
            "3@7 Ca\nrl|c@b.example|Köln",
            "4@9 The record has 5 cells, but the header has 3 columns. Look for a delimiter that is not inside quotes.",
            "5@10 Eve|e@b.example|",
        ]
    );
}

#[test]
fn raw_text_is_exact() {
    let text = "name,note\n\" A\"\"n\" ,x \r\nB,\"1\r\n2\"\n";
    let mut file = open(text);
    let raws: Vec<String> = file.take(9).unwrap().into_iter().map(|r| r.raw).collect();
    assert_eq!(raws, ["\" A\"\"n\" ,x ", "B,\"1\r\n2\""]);
    let dialect = file.dialect().clone();
    assert_eq!(parse_raw(&raws[0], &dialect), [" A\"n", "x "]);
    assert_eq!(parse_raw("\"a,b", &dialect), ["\"a", "b"]);
    assert_eq!(parse_raw("", &dialect), [""]);
}

#[test]
fn a_quote_that_never_closes_costs_one_line() {
    let text =
        "id,name,city\n1,Anna,Ulm\n2,\"Bert,Bonn\n3,Carl,Celle\n4,\"Dora\",Dessau\n5,\"Eve,Essen\n";
    assert_eq!(
        read(text, CsvLimits::default()),
        [
            "1@2 1|Anna|Ulm",
            "2@3 The record cannot be read: the quote that opens on line 3 never closes.",
            "3@4 3|Carl|Celle",
            "4@5 4|Dora|Dessau",
            "5@6 The record cannot be read: the quote that opens on line 6 never closes.",
        ]
    );
}

#[test]
fn a_quote_that_never_closes_in_the_second_line_of_a_record() {
    let text = "id,a,b\n1,\"x\ny\",\"z\n2,p,q\n";
    assert_eq!(
        read(text, CsvLimits::default()),
        [
            "1@2 The record cannot be read: the quote that opens on line 3 never closes.",
            "2@4 2|p|q",
        ]
    );
}

#[test]
fn large_records_are_passed_over() {
    let limits = CsvLimits {
        record: 100,
        ..CsvLimits::default()
    };
    let over = |length: usize| format!("id,name\n1,Anna\n2,{}\n3,Carl\n", "x".repeat(length));
    let quoted =
        |length: usize| format!("id,name\n1,Anna\n2,\"{}\"\n3,Carl\n", "x\n".repeat(length));
    for (text, line) in [(over(150), 4), (over(300_000), 4), (quoted(80), 84)] {
        assert_eq!(
            read(&text, limits),
            [
                "1@2 1|Anna".to_owned(),
                "2@3 The record is larger than 100 bytes. Split it, or raise the limit in the settings.".to_owned(),
                format!("3@{line} 3|Carl"),
            ]
        );
    }
    // Too far from its end, a quote counts as never closed.
    assert!(read(&quoted(400), limits)[1].contains("the quote that opens on line 3 never closes"));
}

#[test]
fn announced_delimiters_are_obeyed_and_dropped() {
    for text in [
        "sep=;\r\na,x;b\n1;2\n",
        "\"sep=;\"\na,x;b\n1;2\n",
        "SEP=;;\na,x;b\n1;2\n",
    ] {
        let mut file = open(text);
        assert_eq!(file.header().names, ["a,x", "b"], "{text:?}");
        assert_eq!(file.take(9).unwrap()[0].line, 3);
        let dialect = file.dialect().clone();
        let again = CsvFile::reopen(Cursor::new(text.as_bytes()), &dialect, CsvLimits::default());
        assert_eq!(again.unwrap().header().names, ["a,x", "b"]);
    }
}

#[test]
fn delimiters_are_found_out() {
    for (text, delimiter) in [
        ("name;amount\nx;1,5\ny;2,5\n", ';'),
        (
            "Name, Vorname;Telefon\nWeber, Anna;0123 45\nKlein, Bert;0124 56\n",
            ';',
        ),
        ("name\tnote\nAnna\ta, b\nBert\tc, d\n", '\t'),
        ("name|time\nAnna|10:00:00\n", '|'),
        ("id~name\n1~Anna\n2~Bert\n", '~'),
        ("id^name\n1^Anna\n2^Bert\n", '^'),
        ("full name\nAnna Weber\nBert Klein\n", ','),
        ("phone\n030 1234567\n030 7654321\n", ','),
        ("time\n10:00:00\n11:00:00\n", ','),
        ("email\na@b.example\nc@d.example\n", ','),
        ("a,b\n", ','),
        ("", ','),
        ("id\u{1}name\n1\u{1}Anna\n", '\u{1}'),
    ] {
        assert_eq!(open(text).dialect().delimiter, delimiter, "{text:?}");
    }
}

#[test]
fn quotes_and_escapes_are_found_out() {
    for (text, quote, escape, padded) in [
        ("a,b\n1,\"x\"\n", '"', None, false),
        ("a,b\n'1,5','x'\n'2,5','y'\n", '\'', None, false),
        (
            "name,city\n't Hooft,Delft\n's Gravesande,Leiden\n",
            '"',
            None,
            false,
        ),
        (
            "a,b\n1,\"x \\\"y\\\" z\"\n2,\"\\\"\"\n",
            '"',
            Some('\\'),
            false,
        ),
        ("a,b\n1,\"C:\\dir\\\"\n2,\"x\"\n", '"', None, false),
        (
            "a,b,c\n1, \"x, y\", \"z\"\n2, \"p\", \"q\"\n",
            '"',
            None,
            true,
        ),
    ] {
        let dialect = open(text).dialect().clone();
        assert_eq!(
            (dialect.quote, dialect.escape, dialect.padded),
            (Some(quote), escape, padded),
            "{text:?}"
        );
    }
}

#[test]
fn columns_of_a_file_without_header_have_numbers() {
    let mut file = open("Anna,a@b.example\nBert,b@b.example\n");
    assert_eq!(file.header().names, ["Column 1", "Column 2"]);
    assert_eq!(file.take(9).unwrap().len(), 2);
}

#[test]
fn many_columns_are_no_trouble() {
    let header: Vec<String> = (0..20_000).map(|column| format!("c{column}")).collect();
    let text = format!("{}\n{}\n", header.join(","), vec!["1"; 20_000].join(","));
    let mut file = open(&text);
    assert_eq!(file.header().names.len(), 20_000);
    assert_eq!(file.take(9).unwrap()[0].record.len(), 20_000);
}

#[test]
fn a_resumed_reading_goes_on_where_the_first_stopped() {
    let mut text = "id;name\n".to_owned();
    for id in 0..5_000 {
        let name = match id % 50 {
            0 => "\"never closed\n",
            1 => "a;b;c\n",
            2 => "\"two\nlines\"\n\n",
            _ => "Anna\n",
        };
        text.push_str(&id.to_string());
        text.push(';');
        text.push_str(name);
    }
    let mut file = open(&text);
    let dialect: Dialect =
        serde_json::from_str(&serde_json::to_string(file.dialect()).unwrap()).unwrap();
    let all = file.take(usize::MAX).unwrap();
    assert_eq!(all.len(), 5_000);
    for start in [0, 1, 52, 4_999, 5_000] {
        let mut again =
            CsvFile::reopen(Cursor::new(text.as_bytes()), &dialect, CsvLimits::default()).unwrap();
        assert_eq!(again.skip(start as u64).unwrap(), start as u64);
        assert_eq!(again.take(usize::MAX).unwrap(), all[start..]);
        assert_eq!(again.skip(1).unwrap(), 0);
    }
}

#[test]
fn hostile_texts_end_quickly() {
    for piece in [
        "\"\n",
        "\"a\n",
        "\"\"\"abc\n",
        "\"\"abc\n",
        "a,\"b\n",
        "\"",
        "\"a\"b",
        "'\"\\\n",
        "\"a,\"",
        ", \"",
        "\r",
        "\r\"",
        "\"a\" ",
        "x\"y\n",
        "\\\"",
        "\n\n",
        ",",
        " ",
        "\0",
        "a\0",
    ] {
        let start = std::time::Instant::now();
        let text = format!("\"open,{}", piece.repeat(2_000_000 / piece.len()));
        let rows = CsvRows::open(Cursor::new(text.as_bytes()), &CsvOptions::default());
        let count = rows.map(|rows| self::rows(rows).len()).unwrap();
        let taken = start.elapsed();
        println!("{piece:?}: {count} records in {taken:?}");
        // About a second; hours if anything were looked at again for each piece. A busy machine gets its time.
        assert!(taken < std::time::Duration::from_mins(2), "{piece:?}");
    }
}

#[test]
fn dialects_of_no_use_are_refused() {
    let dialect = open("a,b\n1,2\n").dialect().clone();
    for wrong in [
        Dialect {
            delimiter: 'ß',
            ..dialect.clone()
        },
        Dialect {
            delimiter: '\n',
            ..dialect.clone()
        },
        Dialect {
            delimiter: '"',
            ..dialect.clone()
        },
    ] {
        let file = CsvFile::reopen(Cursor::new(b"a"), &wrong, CsvLimits::default());
        assert!(matches!(file, Err(ReadError::Dialect)));
        assert_eq!(parse_raw("a,b", &wrong), ["a,b"]);
    }
    let unknown = Dialect {
        encoding: "klingon".to_owned(),
        ..dialect
    };
    let file = CsvFile::reopen(Cursor::new(b"a"), &unknown, CsvLimits::default());
    assert!(matches!(file, Err(ReadError::Encoding(_))));
}

/// Hands out a few bytes at a time.
struct Dribble<'a> {
    bytes: Cursor<&'a [u8]>,
    step: usize,
}

impl Read for Dribble<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let length = buffer.len().min(self.step);
        self.bytes.read(&mut buffer[..length])
    }
}

impl Seek for Dribble<'_> {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        self.bytes.seek(to)
    }
}

/// A way to write a table.
#[derive(Debug, Clone)]
struct Style {
    dialect: Dialect,
    newline: &'static str,
    always: bool,
}

fn style() -> impl Strategy<Value = Style> {
    (
        prop::sample::select(vec![',', ';', '\t', '|', ':', ' ', '~']),
        prop::sample::select(vec!['"', '\'']),
        any::<bool>(),
        prop::sample::select(vec!["\n", "\r\n", "\r"]),
        any::<bool>(),
        prop::sample::select(vec!["UTF-8", "UTF-16LE", "UTF-16BE", "UTF-32BE"]),
    )
        .prop_map(
            |(delimiter, quote, escapes, newline, always, encoding)| Style {
                dialect: Dialect {
                    encoding: encoding.to_owned(),
                    delimiter,
                    quote: Some(quote),
                    escape: escapes.then_some('\\'),
                    bare_cr: newline == "\r",
                    padded: false,
                    columns: 0,
                    header_row: 0,
                },
                newline,
                always,
            },
        )
}

fn written(grid: &[Vec<String>], style: &Style) -> String {
    let quote = style.dialect.quote.unwrap_or('"');
    let mut text = String::new();
    for row in grid {
        for (position, cell) in row.iter().enumerate() {
            if position > 0 {
                text.push(style.dialect.delimiter);
            }
            let risky = cell.contains([style.dialect.delimiter, quote, '\n', '\r']);
            if !(style.always || risky || row.len() == 1) {
                text.push_str(cell);
                continue;
            }
            text.push(quote);
            for c in cell.chars() {
                match style.dialect.escape {
                    Some(escape) if c == quote || c == escape => text.push(escape),
                    None if c == quote => text.push(quote),
                    _ => {}
                }
                text.push(c);
            }
            text.push(quote);
        }
        text.push_str(style.newline);
    }
    text
}

fn encoded(text: &str, encoding: &str) -> Vec<u8> {
    match encoding {
        "UTF-16LE" => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        "UTF-16BE" => text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
        "UTF-32BE" => text
            .chars()
            .flat_map(|c| u32::from(c).to_be_bytes())
            .collect(),
        _ => text.as_bytes().to_vec(),
    }
}

/// Text that is likely to confuse a reader.
fn soup() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "a", "b", "\"", "\"", "'", ",", ",", ";", "\n", "\n", "\r\n", "\r", " ", "\t", "\\", "1",
        "é", "😀", "\0", "|",
    ]);
    prop::collection::vec(piece, 0..120).prop_map(|pieces| pieces.concat())
}

/// Checks that the records of a text stand in it one after the other, with nothing but white space between them.
fn check_that_nothing_is_lost(text: &str, rows: &[CsvRow], bare_cr: bool) {
    let mut at = announced(text).map_or(0, |(_, start)| start);
    for row in rows {
        let raw = row.raw.trim_start();
        at += text[at..].len() - text[at..].trim_start().len();
        assert!(text[at..].starts_with(raw), "lost: {:?}", &text[at..]);
        at += raw.len();
        if matches!(row.problem, Some(Problem::RecordTooLarge { .. })) {
            let ends = |c: char| c == '\n' || (bare_cr && c == '\r');
            at += text[at..].find(ends).unwrap_or(text.len() - at);
        }
    }
    assert!(text[at..].trim().is_empty(), "lost: {:?}", &text[at..]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn what_is_written_is_read(
        grid in prop::collection::vec(prop::collection::vec("[ab\"',;|\\\\\n\r 1é😀]{0,8}", 1..6), 0..12),
        style in style(),
        step in 1..9_usize,
    ) {
        let text = written(&grid, &style);
        let bytes = encoded(&text, &style.dialect.encoding);
        let input = Dribble { bytes: Cursor::new(&bytes), step };
        let read = rows(CsvRows::reopen(input, &style.dialect, CsvLimits::default()).unwrap());
        for row in &read {
            prop_assert_eq!(&row.problem, &None);
            prop_assert_eq!(&parse_raw(&row.raw, &style.dialect), &row.cells);
        }
        let cells: Vec<Vec<String>> = read.into_iter().map(|row| row.cells).collect();
        prop_assert_eq!(cells, grid);
    }

    #[test]
    fn nothing_is_lost_of_any_text(text in soup()) {
        // Zero bytes between others may well mean UTF-16.
        let options = CsvOptions { encoding: Some(Encoding::UTF_8), ..CsvOptions::default() };
        let rows = rows(CsvRows::open(Cursor::new(text.as_bytes()), &options).unwrap());
        check_that_nothing_is_lost(&text, &rows, false);
    }

    #[test]
    fn the_size_of_pieces_does_not_matter(
        text in soup(),
        style in style(),
        step in 1..9_usize,
        record in 1..40_usize,
        cell_breaks in 0..6_usize,
    ) {
        let limits = CsvLimits { record, cell_breaks };
        let dialect = Dialect { encoding: "UTF-8".to_owned(), ..style.dialect };
        let whole = rows(CsvRows::reopen(Cursor::new(text.as_bytes()), &dialect, limits).unwrap());
        prop_assume!(whole.iter().all(|row| !row.raw.trim().is_empty() || row.problem.is_none()));
        check_that_nothing_is_lost(&text, &whole, dialect.bare_cr);
        let input = Dribble { bytes: Cursor::new(text.as_bytes()), step };
        prop_assert_eq!(rows(CsvRows::reopen(input, &dialect, limits).unwrap()), whole);
    }

    #[test]
    fn any_bytes_are_read_to_their_end(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let rows = rows(CsvRows::open(Cursor::new(&bytes), &CsvOptions::default()).unwrap());
        prop_assert!(rows.len() <= bytes.len());
        if let Ok(mut file) = CsvFile::open(Cursor::new(&bytes), &CsvOptions::default()) {
            file.take(1_000).unwrap();
        }
    }
}
