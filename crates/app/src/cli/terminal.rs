//! The terminal: what commands print, how wide, and in which colours.

use std::io::{self, IsTerminal, Write};

use anyhow::Context;
use clap::ValueEnum;
use comfy_table::{ContentArrangement, Table, presets};
use jiff::tz::TimeZone;
use rollbook_store::Timestamp;
use rollbook_store::workspaces::WorkspaceSettings;
use serde::Serialize;

/// The forms of lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// Columns for people.
    Table,
    /// One JSON object a line.
    Json,
    /// CSV with a header, safe to open in a spreadsheet.
    Csv,
}

/// Says something to the person, on standard error.
pub(super) fn say(text: &str) {
    // Nobody is left to be told if standard error is closed.
    let _ = writeln!(io::stderr(), "{text}");
}

/// Whether a stream takes colours: a terminal whose owner did not say no (<https://no-color.org>).
pub(super) fn colours(stream: &impl IsTerminal) -> bool {
    let unset = |name: &str| std::env::var_os(name).is_none_or(|value| value.is_empty());
    let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    stream.is_terminal() && unset("NO_COLOR") && !dumb
}

/// Prints one JSON object on a line of its own.
pub(super) fn print_json(out: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, value)?;
    out.write_all(b"\n")
}

/// An empty table: as wide as the terminal, or as its content where there is none.
pub(super) fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    if let Some(width) = width() {
        table
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_width(width);
    } else {
        table.set_content_arrangement(ContentArrangement::Disabled);
    }
    table.set_header(header.iter().copied());
    table
}

/// The width of the terminal that standard output is, if it is one.
pub(super) fn width() -> Option<u16> {
    let stdout = io::stdout();
    let (width, _) = terminal_size::terminal_size_of(&stdout)?;
    Some(width.0)
}

/// Prints a table, its lines without blanks at their ends.
pub(super) fn print_table(table: &Table) -> io::Result<()> {
    let mut out = io::stdout().lock();
    for line in table.lines() {
        writeln!(out, "{}", line.trim_end())?;
    }
    out.flush()
}

/// A text in one line and without control characters, so that data cannot move the cursor or colour the screen.
pub(super) fn plain(text: &str) -> String {
    let tame = |character: char| {
        if character.is_control() {
            ' '
        } else {
            character
        }
    };
    text.chars().map(tame).collect()
}

/// The zone of a workspace.
pub(super) fn zone(workspace: &WorkspaceSettings) -> TimeZone {
    TimeZone::get(&workspace.time_zone).unwrap_or(TimeZone::UTC)
}

/// A time for people: `2026-11-22 19:03:29 CET`.
pub(super) fn show_time(time: Timestamp, zone: &TimeZone) -> String {
    jiff::Timestamp::from_millisecond(time.0).map_or_else(
        |_| time.0.to_string(),
        |time| {
            time.to_zoned(zone.clone())
                .strftime("%Y-%m-%d %H:%M:%S %Z")
                .to_string()
        },
    )
}

/// One line of standard input, without its line end: a password.
pub(super) fn read_secret_line() -> anyhow::Result<String> {
    let mut line = String::new();
    io::stdin()
        .read_line(&mut line)
        .context("the password cannot be read from standard input")?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_show_their_zone() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        assert_eq!(
            show_time(Timestamp(1_790_000_000_000), &zone),
            "2026-09-21 16:13:20 CEST"
        );
    }

    #[test]
    fn data_cannot_write_escape_sequences() {
        assert_eq!(plain("a\u{1b}[31mb\nc"), "a [31mb c");
    }
}
