//! `rollbook read`: how would Rollbook read this file?

use std::io::{self, BufWriter, Write};
use std::ops::ControlFlow;
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use rollbook_engine::issue::Problem;
use rollbook_engine::record::Header;
use rollbook_sources::csv::{CsvRecord, CsvRow, CsvRows, Encoding};
use rollbook_sources::file::{
    FileError, FileLimits, FileOptions, Reading, RecordFile, Rows, rows, texts,
};
use rollbook_sources::input::Input;
use rollbook_sources::workbook::Workbook;
use serde::Serialize;

use super::terminal::{self, plain};
use super::{Done, usage};
use crate::config::Config;
use crate::imports::intake::IntakeError;
use crate::imports::said::{self, Quote, Said};

/// Show how Rollbook reads a file: its format, header and every record
///
/// CSV and other delimited text, XLSX, XLS, ODS, vCard, JSON arrays and NDJSON are read, also out of a ZIP or gzip
/// archive.
///
/// Nothing is imported and no database is needed. What is not given is found out from the file. Records print as they
/// stand in the file, the header and any lines before it included; blank lines are passed over.
///
/// With --json the first line is `{"encoding","delimiter","quote","header_row"}` (`header_row` counts records from 1; 0
/// if the file has no header; `quote` is null for a file without), then one JSON array of strings a record. A record
/// that cannot be read prints `{"error","line"}` instead, and the rest goes on. For other formats than delimited text
/// the first line is `{"format","sheet","sheets","header_row"}`; `header_row` is the row as the spreadsheet numbers it,
/// empty columns at its left are left out, and several values of a cell stand with a semicolon between them.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  rollbook read guests.csv
  rollbook read guests.csv --json | head -1
  rollbook read guests.xlsx --sheet 2
  rollbook read contacts.vcf
  rollbook read export.txt --delimiter tab --encoding windows-1252
  rollbook read odd.csv --delimiter pipe --quote none")]
pub(super) struct Read {
    /// The file
    file: PathBuf,

    #[command(flatten)]
    reading: ReadingFlags,

    /// Print JSON, one value a line
    #[arg(long)]
    json: bool,
}

/// What a person knows about how a file is written.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct ReadingFlags {
    /// What separates cells: a character, or tab, comma, semicolon, pipe, space
    #[arg(long, value_name = "D", value_parser = said::delimiter)]
    delimiter: Option<u8>,

    /// What cells are quoted with: a character, or none
    #[arg(long, value_name = "Q", value_parser = said::quote)]
    quote: Option<Quote>,

    /// The encoding, for example utf-8, windows-1252, utf-16le, `shift_jis`
    #[arg(long, value_name = "E", value_parser = said::encoding)]
    encoding: Option<Encoding>,

    /// The sheet of a spreadsheet, by its name or number [default: the first that is not hidden]
    #[arg(long, value_name = "NAME|NUMBER")]
    sheet: Option<String>,

    /// The row that is the header: of a spreadsheet as it numbers them, of text counting rows that are not blank; 0 for
    /// none [default: found out]
    #[arg(long, value_name = "N")]
    header_row: Option<u64>,
}

impl ReadingFlags {
    /// What was said; the rest is found out.
    pub(super) fn said(&self) -> Said {
        Said {
            encoding: self.encoding.map(|encoding| encoding.name().to_owned()),
            delimiter: self.delimiter.map(char::from),
            quote: self.quote,
            sheet: self.sheet.clone(),
            header_row: self.header_row,
        }
    }

    /// The options for reading a file.
    pub(super) fn options(&self, limits: FileLimits) -> anyhow::Result<FileOptions> {
        self.said().options(limits).map_err(usage)
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

/// What is printed first for a file that is no delimited text.
#[derive(Serialize)]
struct FormatJson<'a> {
    format: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    sheet: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    sheets: Vec<&'a str>,
    header_row: u64,
}

impl Read {
    /// Prints how the file is read, and its records.
    pub(super) fn run(&self, config: &Config) -> anyhow::Result<Done> {
        let told = self.reading.options(config.file_limits())?;
        let path = self.file.display();
        let name = self.file.file_name().unwrap_or_default().to_string_lossy();
        if !self.file.is_file() {
            // Nothing else tells why: it is not there, or it is a folder.
            std::fs::File::open(&self.file)
                .with_context(|| format!("`{path}` cannot be opened"))?;
        }
        // No database is needed, so neither is its folder of files.
        let opened = rows(&self.file, &name, &std::env::temp_dir(), &told);
        let opened = opened.map_err(|error| IntakeError::of_file(&format!("`{path}`"), error))?;
        let mut out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
        match opened {
            Rows::Text(mut rows) => {
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
            }
            Rows::Sheet(mut workbook) => {
                self.print_sheet(&mut workbook, told.csv.header_row, &mut out)?;
            }
            Rows::Records {
                reading,
                header,
                mut records,
            } => self.print_records(&reading, &header, &mut records, &mut out)?,
        }
        out.flush()?;
        Ok(Done::Fully)
    }

    fn print_sheet(
        &self,
        workbook: &mut Workbook,
        header_row: Option<u64>,
        out: &mut impl Write,
    ) -> anyhow::Result<()> {
        let header_row = match workbook.table(header_row) {
            Ok((table, _)) => table.header_row,
            Err(FileError::NoCells { .. }) => 0,
            Err(error) => return Err(IntakeError::from(error).into()),
        };
        let mut left = usize::MAX;
        workbook
            .rows(&mut |row| {
                left = left.min(row.cells.first().map_or(usize::MAX, |(column, _)| *column));
                Ok(ControlFlow::Continue(()))
            })
            .map_err(IntakeError::from)?;
        let sheets: Vec<&str> = workbook
            .sheets()
            .iter()
            .map(|sheet| sheet.name.as_str())
            .collect();
        let first = FormatJson {
            format: workbook.kind().label(),
            sheet: Some(&workbook.sheet().name),
            sheets,
            header_row,
        };
        if self.json {
            terminal::print_json(out, &first)?;
        } else {
            first.print(out)?;
        }
        let mut failed = None;
        let read = workbook.rows(&mut |row| {
            let mut cells = row.texts(usize::MAX);
            cells.drain(..left.min(cells.len()));
            let printed = if self.json {
                terminal::print_json(out, &cells)
            } else {
                print_cells(out, row.number, &cells)
            };
            Ok(match printed {
                Ok(()) => ControlFlow::Continue(()),
                Err(error) => {
                    failed = Some(error);
                    ControlFlow::Break(())
                }
            })
        });
        read.map_err(IntakeError::from)?;
        failed.map_or(Ok(()), |error| Err(error.into()))
    }

    fn print_records(
        &self,
        reading: &Reading,
        header: &Header,
        records: &mut RecordFile,
        out: &mut impl Write,
    ) -> anyhow::Result<()> {
        let first = FormatJson {
            format: reading.label(),
            sheet: None,
            sheets: Vec::new(),
            header_row: 1,
        };
        if self.json {
            terminal::print_json(out, &first)?;
            terminal::print_json(out, &header.names)?;
        } else {
            first.print(out)?;
            print_cells(out, 0, &header.names)?;
        }
        let mut record = CsvRecord::default();
        while records.next(&mut record).map_err(IntakeError::from)? {
            match &record.problem {
                None if self.json => terminal::print_json(out, &texts(&record.record))?,
                None => print_cells(out, record.row, &texts(&record.record))?,
                Some(problem) if self.json => terminal::print_json(
                    out,
                    &UnreadableJson {
                        error: &explain(problem),
                        line: record.line,
                    },
                )?,
                Some(problem) => print_unreadable(out, record.row, record.line, problem)?,
            }
        }
        Ok(())
    }
}

impl FormatJson<'_> {
    fn print(&self, out: &mut impl Write) -> io::Result<()> {
        writeln!(out, "format      {}", self.format)?;
        if let Some(sheet) = self.sheet {
            let others = self.sheets.iter().filter(|name| **name != sheet);
            let others: Vec<String> = others.map(|name| plain(name)).collect();
            write!(out, "sheet       {}", plain(sheet))?;
            if !others.is_empty() {
                write!(out, " (others: {})", others.join(", "))?;
            }
            writeln!(out)?;
            match self.header_row {
                0 => writeln!(out, "header row  none")?,
                row => writeln!(out, "header row  {row}")?,
            }
        }
        writeln!(out)
    }
}

fn print_cells(out: &mut impl Write, number: u64, cells: &[String]) -> io::Result<()> {
    let cells: Vec<String> = cells.iter().map(|cell| plain(cell)).collect();
    match number {
        0 => write!(out, "        ")?,
        number => write!(out, "{number:>6}  ")?,
    }
    writeln!(out, "{}", cells.join(" | "))
}

fn print_unreadable(
    out: &mut impl Write,
    number: u64,
    line: u64,
    problem: &Problem,
) -> io::Result<()> {
    let reason = explain(problem);
    writeln!(out, "{number:>6}  cannot be read (line {line}): {reason}")
}

fn print_json(rows: &mut CsvRows<Input>, out: &mut impl Write) -> anyhow::Result<()> {
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

fn print_text(rows: &mut CsvRows<Input>, out: &mut impl Write) -> anyhow::Result<()> {
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
        match &row.problem {
            Some(problem) => print_unreadable(out, row.number, row.line, problem)?,
            None => print_cells(out, row.number, &row.cells)?,
        }
    }
    Ok(())
}

fn explain(problem: &Problem) -> String {
    match problem {
        Problem::RecordUnreadable { reason } => reason.clone(),
        other => other.message(""),
    }
}
