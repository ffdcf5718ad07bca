//! `rollbook read`: how would Rollbook read this file?

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use rollbook_engine::issue::Problem;
use rollbook_sources::csv::{CsvLimits, CsvOptions, CsvRow, CsvRows, Encoding};
use serde::Serialize;

use super::terminal::{self, plain};
use super::{Done, usage};
use crate::config::Config;

/// Show how Rollbook reads a file: encoding, delimiter, quote, header and every record
///
/// Nothing is imported and no database is needed. What is not given is found out from the file. Records print as they
/// stand in the file, the header and any lines before it included; blank lines are passed over.
///
/// With --json the first line is `{"encoding","delimiter","quote","header_row"}` (`header_row` counts records from 1; 0
/// if the file has no header; `quote` is null for a file without), then one JSON array of strings a record. A record
/// that cannot be read prints `{"error","line"}` instead, and the rest goes on.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  rollbook read guests.csv
  rollbook read guests.csv --json | head -1
  rollbook read export.txt --delimiter tab --encoding windows-1252
  rollbook read odd.csv --delimiter pipe --quote none")]
pub(super) struct Read {
    /// The file
    file: PathBuf,

    #[command(flatten)]
    dialect: DialectFlags,

    /// Print JSON, one value a line
    #[arg(long)]
    json: bool,
}

/// What a person knows about how a file is written.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct DialectFlags {
    /// What separates cells: a character, or tab, comma, semicolon, pipe, space
    #[arg(long, value_name = "D", value_parser = parse_delimiter)]
    delimiter: Option<u8>,

    /// What cells are quoted with: a character, or none
    #[arg(long, value_name = "Q", value_parser = parse_quote)]
    quote: Option<Quote>,

    /// The encoding, for example utf-8, windows-1252, utf-16le, `shift_jis`
    #[arg(long, value_name = "E", value_parser = parse_encoding)]
    encoding: Option<Encoding>,
}

/// The quote of a file, if it has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Quote(Option<u8>);

impl DialectFlags {
    /// The options for reading a file; what was not said is found out.
    pub(super) fn options(&self, limits: CsvLimits) -> anyhow::Result<CsvOptions> {
        if let (Some(delimiter), Some(Quote(Some(quote)))) = (self.delimiter, self.quote)
            && delimiter == quote
        {
            return Err(usage(
                "delimiter and quote must be two different characters",
            ));
        }
        Ok(CsvOptions {
            delimiter: self.delimiter,
            quote: self.quote.map(|Quote(quote)| quote),
            encoding: self.encoding,
            header_row: None,
            limits,
        })
    }
}

#[derive(Serialize)]
struct DialectJson<'a> {
    encoding: &'a str,
    delimiter: char,
    quote: Option<char>,
    header_row: u64,
}

#[derive(Serialize)]
struct UnreadableJson<'a> {
    error: &'a str,
    line: u64,
}

impl Read {
    /// Prints the file's dialect and records.
    pub(super) fn run(&self, config: &Config) -> anyhow::Result<Done> {
        let options = self.dialect.options(config.csv_limits())?;
        let name = self.file.display();
        let file = File::open(&self.file).with_context(|| format!("`{name}` cannot be opened"))?;
        let mut rows =
            CsvRows::open(file, &options).with_context(|| format!("`{name}` cannot be read"))?;
        let mut out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
        if self.json {
            print_json(&mut rows, &mut out)?;
        } else {
            print_text(&mut rows, &mut out)?;
        }
        out.flush()?;
        if rows.damaged() {
            terminal::say(&format!(
                "some bytes are not {}; they show as \u{fffd}. Name the right encoding with --encoding",
                rows.dialect().encoding
            ));
        }
        Ok(Done::Fully)
    }
}

fn print_json(rows: &mut CsvRows<File>, out: &mut impl Write) -> anyhow::Result<()> {
    let dialect = rows.dialect();
    let first = DialectJson {
        encoding: &dialect.encoding,
        delimiter: dialect.delimiter,
        quote: dialect.quote,
        header_row: dialect.header_row,
    };
    terminal::print_json(out, &first)?;
    let mut row = CsvRow::default();
    while rows.next(&mut row)? {
        match &row.problem {
            None => terminal::print_json(out, &row.cells)?,
            Some(problem) => terminal::print_json(
                out,
                &UnreadableJson {
                    error: &explain(problem),
                    line: row.line,
                },
            )?,
        }
    }
    Ok(())
}

fn print_text(rows: &mut CsvRows<File>, out: &mut impl Write) -> anyhow::Result<()> {
    let dialect = rows.dialect().clone();
    let character = |character: char| match character {
        '\t' => "tab".to_owned(),
        other => format!("`{other}`"),
    };
    writeln!(out, "encoding    {}", dialect.encoding)?;
    writeln!(out, "delimiter   {}", character(dialect.delimiter))?;
    writeln!(
        out,
        "quote       {}",
        dialect.quote.map_or("none".to_owned(), character)
    )?;
    match dialect.header_row {
        0 => writeln!(out, "header row  none")?,
        row => writeln!(out, "header row  {row}")?,
    }
    writeln!(out)?;
    let mut row = CsvRow::default();
    while rows.next(&mut row)? {
        write!(out, "{:>6}  ", row.number)?;
        if let Some(problem) = &row.problem {
            writeln!(
                out,
                "cannot be read (line {}): {}",
                row.line,
                explain(problem)
            )?;
            continue;
        }
        let cells: Vec<String> = row.cells.iter().map(|cell| plain(cell)).collect();
        writeln!(out, "{}", cells.join(" | "))?;
    }
    Ok(())
}

fn explain(problem: &Problem) -> String {
    match problem {
        Problem::RecordUnreadable { reason } => reason.clone(),
        other => other.message(""),
    }
}

fn parse_delimiter(text: &str) -> Result<u8, String> {
    match text.to_ascii_lowercase().as_str() {
        "tab" | "\\t" => Ok(b'\t'),
        "comma" => Ok(b','),
        "semicolon" => Ok(b';'),
        "pipe" => Ok(b'|'),
        "space" => Ok(b' '),
        "colon" => Ok(b':'),
        _ => one_character(text),
    }
}

fn parse_quote(text: &str) -> Result<Quote, String> {
    match text.to_ascii_lowercase().as_str() {
        "none" | "" => Ok(Quote(None)),
        _ => one_character(text).map(|quote| Quote(Some(quote))),
    }
}

fn one_character(text: &str) -> Result<u8, String> {
    match text.as_bytes() {
        [byte] if byte.is_ascii() && !matches!(byte, b'\n' | b'\r' | 0) => Ok(*byte),
        _ => Err("it must be one ASCII character, or a name such as tab or semicolon".to_owned()),
    }
}

fn parse_encoding(text: &str) -> Result<Encoding, String> {
    Encoding::for_label(text).ok_or_else(|| {
        "this encoding is not known; use one such as utf-8, windows-1252, iso-8859-15, utf-16le, shift_jis"
            .to_owned()
    })
}
