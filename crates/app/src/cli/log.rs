//! `rollbook log`: the Contact Import Log.

use std::io::{self, Write};
use std::time::Duration;

use clap::{Args, ValueEnum};
use comfy_table::{ColumnConstraint, Table, Width};
use jiff::civil;
use jiff::tz::TimeZone;
use rollbook_engine::attempt::{Action, ImportResult};
use rollbook_engine::contact::{ContactId, IdentifierKind, Text};
use rollbook_store::commit::Payload;
use rollbook_store::imports::ImportId;
use rollbook_store::log::{Attempt, LogFilter, Paging};
use rollbook_store::{StoreError, Timestamp, WorkspaceId};

use super::source::find_source;
use super::terminal::{self, Format, colours, plain, print_json, say, show_time, zone};
use super::{Done, usage};
use crate::app::App;
use crate::audit::{Act, Actor};
use crate::clock;
use crate::config::Config;
use crate::export;
use crate::search::{point_in_time, search};
use crate::wire::{AttemptJson, SourceNames};

/// The columns of the log with the names that they have everywhere.
const COLUMNS: [&str; 9] = [
    "Result",
    "Info",
    "Action",
    "Name",
    "Phone Number",
    "Email",
    "Source",
    "Received at",
    "Matched On",
];

/// Attempts that are read at a time.
const PAGE: u32 = 1_000;

/// Attempts that a table shows unless --limit says otherwise.
const TABLE_LIMIT: usize = 200;

/// How often a followed log is looked at.
const POLL: Duration = Duration::from_millis(250);

/// Show the Contact Import Log: what happened to each record, newest first
///
/// Opens on the past 15 minutes; with --import or --contact on all of their attempts. Times without an offset are in
/// the workspace's time zone, and a day alone means its begin for --from and its end for --to. The search finds a phone
/// in any format, an email, a name, an External ID or a part of the payload.
///
/// --format table is for people and shows the newest 200; json prints one attempt a line; csv has the columns of the
/// page's and the API's export, payload included, and is safe to open in a spreadsheet. Both have no limit unless you
/// set one.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  rollbook log
  rollbook log --since 24h --result failure
  rollbook log --search \"0171 392 0012\" --since 30d
  rollbook log --from 2026-03-01 --to 2026-03-07 --source booking-desk --format csv > week.csv
  rollbook log --import 019aad5e-5b60-7001-8000-000000000001 --result warning
  rollbook log --follow --format json | jq -r .issues[].message")]
pub(super) struct Log {
    #[command(flatten)]
    filter: FilterFlags,

    /// At most so many attempts; 0 for no limit
    #[arg(long, value_name = "N")]
    limit: Option<usize>,

    /// Go on showing attempts as they come, oldest first; Ctrl-C ends
    #[arg(long, conflicts_with = "to")]
    follow: bool,

    /// In which form
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

/// Which attempts.
#[derive(Debug, Args)]
pub(super) struct FilterFlags {
    /// How far back: 90s, 15m, 24h, 7d, 2w, or all [default: 15m]
    #[arg(long, value_name = "SPAN", conflicts_with_all = ["from", "to"])]
    since: Option<String>,

    /// From this time on: 2026-03-01, 2026-03-01T08:00, or with an offset
    #[arg(long, value_name = "T")]
    from: Option<String>,

    /// Before this time
    #[arg(long, value_name = "T")]
    to: Option<String>,

    /// Only this result
    #[arg(long, value_name = "R", value_enum, ignore_case = true)]
    result: Option<ResultFlag>,

    /// Only this source
    #[arg(long, value_name = "S")]
    source: Option<String>,

    /// Only what contains this: a phone in any format, an email, a name, an External ID, a part of the payload
    #[arg(long, value_name = "Q")]
    search: Option<String>,

    /// Only this import
    #[arg(long, value_name = "ID")]
    import: Option<String>,

    /// Only what created or updated this contact
    #[arg(long, value_name = "ID")]
    contact: Option<u64>,

    /// Only this action
    #[arg(long, value_enum, ignore_case = true)]
    action: Option<ActionFlag>,

    /// Only updates that were matched on this
    #[arg(long, value_enum, ignore_case = true)]
    matched_on: Option<MatchedOnFlag>,
}

/// Results as flags.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum ResultFlag {
    /// Everything was used
    Success,
    /// Something was left out, the rest was written
    Warning,
    /// Nothing was written
    Failure,
}

/// Actions as flags.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum ActionFlag {
    /// A contact was created
    Created,
    /// A contact was found and updated
    Updated,
    /// A contact was removed by an undo
    Removed,
}

/// Kinds of identifier as flags.
#[derive(Debug, Clone, Copy, ValueEnum)]
#[value(rename_all = "snake_case")]
enum MatchedOnFlag {
    /// External ID
    #[value(alias = "external-id")]
    ExternalId,
    /// Phone Number
    Phone,
    /// Email
    Email,
}

/// What showing an attempt needs to know.
struct View {
    names: SourceNames,
    zone: TimeZone,
    format: Format,
    colours: bool,
}

impl FilterFlags {
    /// Whether anything was said.
    pub(super) fn is_given(&self) -> bool {
        let texts = [
            &self.since,
            &self.from,
            &self.to,
            &self.source,
            &self.search,
            &self.import,
        ];
        texts.iter().any(|text| text.is_some())
            || self.result.is_some()
            || self.contact.is_some()
            || self.action.is_some()
            || self.matched_on.is_some()
    }

    /// The filter of the log.
    pub(super) async fn filter(
        &self,
        app: &App,
        workspace: WorkspaceId,
        zone: &TimeZone,
    ) -> anyhow::Result<LogFilter> {
        let now = clock::now();
        let whole = self.import.is_some() || self.contact.is_some();
        let from = match (&self.since, &self.from) {
            (Some(since), _) if since == "all" => None,
            (Some(since), _) => Some(point_in_time(since, now).map_err(|_| {
                usage(format!(
                    "`{since}` is not a span; use 90s, 15m, 24h, 7d, 2w or all"
                ))
            })?),
            (None, Some(from)) => Some(time(from, zone, now, Edge::Begin)?),
            (None, None) if whole || self.to.is_some() => None,
            (None, None) => Some(Timestamp(now.0 - 15 * 60_000)),
        };
        let to = match &self.to {
            Some(to) => Some(time(to, zone, now, Edge::End)?),
            None => None,
        };
        let import = match &self.import {
            Some(id) => Some(ImportId(id.parse().map_err(|_| {
                usage(format!(
                    "`{id}` is not the ID of an import; it is what `rollbook import` prints"
                ))
            })?)),
            None => None,
        };
        let source = match &self.source {
            Some(name) => Some(find_source(app, workspace, name).await?.id),
            None => None,
        };
        Ok(LogFilter {
            from,
            to,
            result: self.result.map(|result| match result {
                ResultFlag::Success => ImportResult::Success,
                ResultFlag::Warning => ImportResult::Warning,
                ResultFlag::Failure => ImportResult::Failure,
            }),
            source,
            action: self.action.map(|action| match action {
                ActionFlag::Created => Action::Created,
                ActionFlag::Updated => Action::Updated,
                ActionFlag::Removed => Action::Removed,
            }),
            matched_on: self.matched_on.map(|kind| match kind {
                MatchedOnFlag::ExternalId => IdentifierKind::ExternalId,
                MatchedOnFlag::Phone => IdentifierKind::Phone,
                MatchedOnFlag::Email => IdentifierKind::Email,
            }),
            import,
            contact: self.contact.map(ContactId),
            search: self.search.as_deref().and_then(search),
        })
    }
}

impl Log {
    /// Shows the log.
    pub(super) async fn run(self, config: Config) -> anyhow::Result<Done> {
        let app = App::open(config).await?;
        let workspace = app.workspace().await?;
        let zone = zone(&workspace.settings);
        let filter = self.filter.filter(&app, workspace.id, &zone).await?;
        let mut view = View {
            names: SourceNames::of(&app.store.sources(workspace.id).await?),
            zone,
            format: self.format,
            colours: colours(&io::stdout()),
        };
        // A table shows what the log shows; the other forms are exports.
        let exported = match self.format {
            Format::Table => None,
            Format::Json => Some("json"),
            Format::Csv => Some("csv"),
        };
        if let Some(format) = exported {
            let actor = Actor::command_line();
            app.audit(workspace.id, &actor, Act::ExportedLog, format)
                .await?;
        }
        if self.follow {
            self.follow(&app, workspace.id, filter, &mut view).await?;
        } else {
            self.show(&app, workspace.id, filter, &view).await?;
        }
        Ok(Done::Fully)
    }

    async fn show(
        &self,
        app: &App,
        workspace: WorkspaceId,
        filter: LogFilter,
        view: &View,
    ) -> anyhow::Result<()> {
        let limit = match (self.limit, self.format) {
            (Some(0), _) | (None, Format::Json | Format::Csv) => usize::MAX,
            (Some(limit), _) => limit,
            (None, Format::Table) => TABLE_LIMIT,
        };
        let mut out = io::BufWriter::new(io::stdout().lock());
        let mut rows = terminal::table(&COLUMNS);
        let mut shown = 0;
        let mut paging = Paging::Newest;
        if view.format == Format::Csv {
            out.write_all(&export::csv_head())?;
        }
        let more = loop {
            let wanted = u32::try_from(limit - shown).unwrap_or(PAGE).min(PAGE);
            if wanted == 0 {
                break true;
            }
            let (page, more) = view.read(app, workspace, &filter, paging, wanted).await?;
            let Some((last, _)) = page.last() else {
                break false;
            };
            paging = Paging::Before(last.id.number());
            shown += page.len();
            for (attempt, payload) in page {
                view.write(attempt, payload, &mut rows, &mut out)?;
            }
            if !more {
                break false;
            }
        };
        if view.format == Format::Table && shown > 0 {
            view.print(&rows, true, &mut out)?;
        }
        out.flush()?;
        drop(out);
        if view.format != Format::Table {
            return Ok(());
        }
        if shown == 0 {
            self.explain_emptiness(app, workspace, view).await?;
        } else if more {
            say(&format!(
                "these are the newest {shown}; --limit 0 shows all"
            ));
        }
        Ok(())
    }

    /// Nothing in this range: says when there was something.
    async fn explain_emptiness(
        &self,
        app: &App,
        workspace: WorkspaceId,
        view: &View,
    ) -> anyhow::Result<()> {
        match app.store.latest(workspace).await? {
            Some((_, time)) => say(&format!(
                "no attempts match; the latest of all was at {}: widen the range with --since, for example --since 7d",
                show_time(time, &view.zone)
            )),
            None => say("no attempts yet; import a file with: rollbook import FILE"),
        }
        Ok(())
    }

    async fn follow(
        &self,
        app: &App,
        workspace: WorkspaceId,
        filter: LogFilter,
        view: &mut View,
    ) -> anyhow::Result<()> {
        let mut left = match self.limit {
            None | Some(0) => usize::MAX,
            Some(limit) => limit,
        };
        let mut after = 0;
        let mut first = true;
        if view.format == Format::Csv {
            io::stdout().write_all(&export::csv_head())?;
        }
        loop {
            let wanted = u32::try_from(left).unwrap_or(PAGE).min(PAGE);
            let paging = Paging::After(after);
            let (page, more) = view.read(app, workspace, &filter, paging, wanted).await?;
            if let Some((last, _)) = page.last() {
                after = last.id.number();
                left -= page.len();
                // A source may have been added meanwhile.
                view.names = SourceNames::of(&app.store.sources(workspace).await?);
                let mut out = io::BufWriter::new(io::stdout().lock());
                let mut rows = terminal::table(&COLUMNS);
                for (attempt, payload) in page {
                    view.write(attempt, payload, &mut rows, &mut out)?;
                }
                if view.format == Format::Table {
                    fix_widths(&mut rows);
                    view.print(&rows, first, &mut out)?;
                }
                out.flush()?;
                first = false;
            }
            if left == 0 {
                return Ok(());
            }
            if !more {
                tokio::time::sleep(POLL).await;
            }
        }
    }
}

impl View {
    /// A page of attempts, and whether there are more; payloads only where they are shown.
    async fn read(
        &self,
        app: &App,
        workspace: WorkspaceId,
        filter: &LogFilter,
        paging: Paging,
        limit: u32,
    ) -> Result<(Vec<(Attempt, Option<Payload>)>, bool), StoreError> {
        let (store, filter) = (&app.store, filter.clone());
        if self.format == Format::Csv {
            let page = store.page_with_payloads(workspace, filter, paging, limit);
            let page = page.await?;
            let more = page.len() == limit as usize;
            let page = page.into_iter();
            let page = page.map(|(attempt, payload)| (attempt, Some(payload)));
            return Ok((page.collect(), more));
        }
        let page = store.page(workspace, filter, paging, limit).await?;
        let attempts = page.attempts.into_iter().map(|attempt| (attempt, None));
        Ok((attempts.collect(), page.more))
    }

    /// Writes an attempt, or for tables keeps it.
    fn write(
        &self,
        attempt: Attempt,
        payload: Option<Payload>,
        rows: &mut Table,
        out: &mut impl Write,
    ) -> io::Result<()> {
        match self.format {
            Format::Table => {
                rows.add_row(self.cells(&attempt).map(|cell| plain(&cell)));
                Ok(())
            }
            Format::Json => print_json(out, &AttemptJson::of(attempt, &self.names)),
            Format::Csv => {
                let mut line = Vec::new();
                export::csv_line(&mut line, attempt, payload, &self.names);
                out.write_all(&line)
            }
        }
    }

    /// The columns of the log.
    fn cells(&self, attempt: &Attempt) -> [String; 9] {
        let or_blank = |text: &Option<Text>| text.clone().unwrap_or_default().into_string();
        [
            result_word(attempt.result).to_owned(),
            info(attempt),
            match attempt.action {
                Some(Action::Created) => "created".to_owned(),
                Some(Action::Updated) => "updated".to_owned(),
                Some(Action::Removed) => "removed".to_owned(),
                None => String::new(),
            },
            or_blank(&attempt.shown.name),
            or_blank(&attempt.shown.phone),
            or_blank(&attempt.shown.email),
            self.names.name(attempt.source),
            show_time(attempt.received_at, &self.zone),
            attempt
                .matched_on
                .map_or_else(String::new, |kind| kind.label().to_owned()),
        ]
    }

    /// Prints a table; the word of the result is coloured where that can be seen.
    fn print(&self, rows: &Table, with_header: bool, out: &mut impl Write) -> io::Result<()> {
        for line in rows.lines().skip(usize::from(!with_header)) {
            let line = line.trim_end();
            match result_colour(line).filter(|_| self.colours) {
                Some((word, colour)) => {
                    let coloured = format!("\u{1b}[{colour}m{word}\u{1b}[0m");
                    writeln!(out, "{}", line.replacen(word, &coloured, 1))?;
                }
                None => writeln!(out, "{line}")?,
            }
        }
        Ok(())
    }
}

/// What a warning or failure says; blank on success.
fn info(attempt: &Attempt) -> String {
    let messages: Vec<&str> = attempt
        .issues
        .iter()
        .map(|issue| issue.message.as_str())
        .collect();
    messages.join(" ")
}

fn result_word(result: ImportResult) -> &'static str {
    match result {
        ImportResult::Success => "Success",
        ImportResult::Warning => "Warning",
        ImportResult::Failure => "Failure",
    }
}

/// The result that a line begins with, and its colour.
fn result_colour(line: &str) -> Option<(&'static str, u8)> {
    const GREEN: u8 = 32;
    const YELLOW: u8 = 33;
    const RED: u8 = 31;
    [("Success", GREEN), ("Warning", YELLOW), ("Failure", RED)]
        .into_iter()
        .find(|(word, _)| line.trim_start().starts_with(word))
}

/// Widths that stay, so that what comes later lines up with what came before.
fn fix_widths(rows: &mut Table) {
    const WIDTHS: [u16; 9] = [9, 40, 9, 20, 16, 28, 14, 25, 14];
    for (column, width) in WIDTHS.into_iter().enumerate() {
        if let Some(column) = rows.column_mut(column) {
            column.set_constraint(ColumnConstraint::Absolute(Width::Fixed(width)));
        }
    }
}

/// Which end of a day a day alone means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Edge {
    Begin,
    End,
}

/// A time as typed: with an offset, before now, or in the workspace's zone.
fn time(typed: &str, zone: &TimeZone, now: Timestamp, edge: Edge) -> anyhow::Result<Timestamp> {
    if let Ok(time) = point_in_time(typed, now) {
        return Ok(time);
    }
    let local = match typed.parse::<civil::Date>() {
        // A text with a time parses as a date, too.
        Ok(day) if typed.trim().len() <= "2026-03-01".len() => match edge {
            Edge::Begin => Ok(day.at(0, 0, 0, 0)),
            Edge::End => day.tomorrow().map(|day| day.at(0, 0, 0, 0)),
        },
        _ => typed.trim().replace(' ', "T").parse::<civil::DateTime>(),
    };
    local
        .and_then(|local| local.to_zoned(zone.clone()))
        .map(|time| Timestamp(time.timestamp().as_millisecond()))
        .map_err(|_| {
            usage(format!(
                "`{typed}` is not a time; use 2026-03-01, 2026-03-01T08:00, 2026-03-01T08:00:00Z, or a span before now such as 24h"
            ))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_the_workspaces_zone() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let now = Timestamp(1_700_000_000_000);
        let read = |typed: &str, edge| time(typed, &zone, now, edge).ok().map(crate::wire::rfc3339);
        for (typed, edge, expected) in [
            ("2026-03-01", Edge::Begin, Some("2026-02-28T23:00:00.000Z")),
            ("2026-03-01", Edge::End, Some("2026-03-01T23:00:00.000Z")),
            (
                "2026-03-01T08:00",
                Edge::End,
                Some("2026-03-01T07:00:00.000Z"),
            ),
            (
                "2026-03-01 08:00:30",
                Edge::Begin,
                Some("2026-03-01T07:00:30.000Z"),
            ),
            (
                "2026-03-01T08:00:00Z",
                Edge::Begin,
                Some("2026-03-01T08:00:00.000Z"),
            ),
            (
                "2026-03-01T08:00:00+05:00",
                Edge::Begin,
                Some("2026-03-01T03:00:00.000Z"),
            ),
            ("1h", Edge::Begin, Some("2023-11-14T21:13:20.000Z")),
            ("yesterday", Edge::Begin, None),
            ("2026-02-30", Edge::Begin, None),
        ] {
            assert_eq!(read(typed, edge).as_deref(), expected, "{typed}");
        }
    }
}
