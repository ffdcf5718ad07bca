//! How fast the log is: many realistic attempts, and the time of each question people ask.
//!
//! Part of the library only so that an example can run it: what it measures is not public.

use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use rollbook_engine::attempt::{Action, ImportResult, Outcome, Shown};
use rollbook_engine::change::Change;
use rollbook_engine::contact::{ContactId, IdentifierKind, Value};
use rollbook_engine::issue::{Issue, Problem};
use rusqlite::Connection;

use super::{
    NewAttempt, append, attempt, last, latest, maintain, page, page_with_payloads, summary,
};
use crate::commit::Payload;
use crate::log::{LogFilter, Paging, Search};
use crate::sources::SourceId;
use crate::{StoreError, Timestamp, WorkspaceId};

const WORKSPACE: WorkspaceId = WorkspaceId(1);
const MONTH: i64 = 30 * 24 * 3_600_000;
/// The first attempt's time: 2026-01-01.
const START: i64 = 1_767_225_600_000;
const IMPORT_BATCH: usize = 5_000;

/// Fills a new database at this path with this many attempts over thirty days and says what everything took.
pub fn log_speed(path: &Path, attempts: u64) -> Result<String, StoreError> {
    let mut conn = Connection::open(path)?;
    conn.execute_batch(
        "PRAGMA page_size = 8192;
         PRAGMA journal_mode = WAL;
         PRAGMA synchronous = FULL;
         PRAGMA cache_size = -65536;
         PRAGMA mmap_size = 2000000000;
         PRAGMA wal_autocheckpoint = 4000;
         CREATE TABLE IF NOT EXISTS import (no INTEGER PRIMARY KEY, workspace INTEGER NOT NULL, id BLOB NOT NULL);",
    )?;
    let mut report = String::new();
    let known = last(&conn, WORKSPACE)
        .ok()
        .flatten()
        .map_or(0, |(number, _)| number);
    if known == 0 {
        conn.execute_batch(include_str!("../../../migrations/sqlite/0002_log.sql"))?;
        conn.execute(
            "INSERT INTO import (no, workspace, id) VALUES (1, 1, randomblob(16))",
            [],
        )?;
        build(&mut conn, attempts, &mut report)?;
    }
    conn.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)")?;
    let bytes = std::fs::metadata(path).map_or(0, |file| file.len());
    let total = known.max(attempts);
    say(
        &mut report,
        "bytes an attempt",
        &format!("{:.1}", ratio(bytes, total)),
    );
    sizes(&conn, total, &mut report)?;
    ask(&conn, total, &mut report)?;
    Ok(report)
}

fn say(report: &mut String, what: &str, value: &str) {
    let _ = writeln!(report, "{what:<58} {value:>10}");
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn ratio(one: u64, other: u64) -> f64 {
    one as f64 / other.max(1) as f64
}

fn build(conn: &mut Connection, attempts: u64, report: &mut String) -> Result<(), StoreError> {
    let mut taken = Duration::ZERO;
    let mut made = 0;
    let mut people = People(0x9e37_79b9_7f4a_7c15);
    while made < attempts {
        let batch: Vec<Made> = (0..IMPORT_BATCH as u64)
            .map(|position| people.attempt(made + position + 1, attempts))
            .collect();
        let new: Vec<NewAttempt<'_>> = batch.iter().map(Made::as_new).collect();
        let start = Instant::now();
        let tx = conn.transaction()?;
        append(&tx, WORKSPACE, &new)?;
        tx.commit()?;
        taken += start.elapsed();
        made += IMPORT_BATCH as u64;
    }
    let rate = ratio(
        made * 1_000_000,
        u64::try_from(taken.as_micros()).unwrap_or(1),
    );
    say(
        report,
        "appended in batches of 5,000, attempts/s",
        &format!("{rate:.0}"),
    );
    // Single deliveries, thirty-two a commit.
    let singles = 2_500_u64;
    let batch: Vec<Made> = (1..=singles)
        .map(|position| people.attempt(made + position, attempts))
        .collect();
    let new: Vec<NewAttempt<'_>> = batch.iter().map(Made::as_new).collect();
    let start = Instant::now();
    for group in new.chunks(32) {
        let tx = conn.transaction()?;
        append(&tx, WORKSPACE, group)?;
        maintain(&tx, WORKSPACE)?;
        tx.commit()?;
    }
    let rate = ratio(
        singles * 1_000_000,
        u64::try_from(start.elapsed().as_micros()).unwrap_or(1),
    );
    say(
        report,
        "appended 32 a commit, attempts/s",
        &format!("{rate:.0}"),
    );
    Ok(())
}

fn sizes(conn: &Connection, total: u64, report: &mut String) -> Result<(), StoreError> {
    for part in ["meta", "grams", "keys", "detail", "payload"] {
        let sql = format!("SELECT SUM(LENGTH({part})) FROM log_data");
        let bytes: i64 = conn.query_row(&sql, [], |row| row.get(0))?;
        let each = ratio(bytes.cast_unsigned(), total);
        say(report, &format!("  of which {part}"), &format!("{each:.1}"));
    }
    Ok(())
}

/// Every question with its target.
fn ask(conn: &Connection, total: u64, report: &mut String) -> Result<(), StoreError> {
    let Some((last_no, last_at)) = last(conn, WORKSPACE)? else {
        return Ok(());
    };
    let end = last_at.0 + 1;
    let since = |millis: i64| LogFilter {
        from: Some(Timestamp(end - millis)),
        to: Some(Timestamp(end)),
        ..LogFilter::default()
    };
    let month = since(MONTH);
    for (name, millis) in [
        ("15 min", 900_000),
        ("1 day", 86_400_000),
        ("30 days", MONTH),
    ] {
        for result in [None, Some(ImportResult::Failure)] {
            let filter = LogFilter {
                result,
                ..since(millis)
            };
            let tab = if result.is_some() { "failures" } else { "all" };
            measure(
                report,
                &format!("{name}, {tab}: page of 50 and tab counts (5 ms)"),
                || {
                    let page = page(conn, WORKSPACE, &filter, Paging::Newest, 50)?;
                    let summary = summary(conn, WORKSPACE, &filter, 0)?;
                    Ok(page.attempts.len() as u64 + summary.counts.all())
                },
            )?;
        }
    }
    measure(report, "histogram of 30 days, 60 parts (20 ms)", || {
        Ok(summary(conn, WORKSPACE, &month, 60)?.counts.all())
    })?;
    let middle = Paging::Before(last_no / 2);
    measure(report, "a page in the middle (5 ms)", || {
        Ok(page(conn, WORKSPACE, &month, middle, 50)?.attempts.len() as u64)
    })?;
    let some = page_with_payloads(conn, WORKSPACE, &month, middle, 1)?;
    let Some((one, _)) = some.first() else {
        return Ok(());
    };
    measure(report, "one attempt by its id (2 ms)", || {
        Ok(u64::from(attempt(conn, WORKSPACE, one.id)?.is_some()))
    })?;
    let regular = LogFilter {
        contact: Some(ContactId(REGULAR)),
        ..LogFilter::default()
    };
    measure(
        report,
        "history of a contact with 100 attempts (20 ms)",
        || {
            Ok(page(conn, WORKSPACE, &regular, Paging::Newest, 100)?
                .attempts
                .len() as u64)
        },
    )?;
    measure(report, "  with counts", || {
        Ok(summary(conn, WORKSPACE, &regular, 0)?.counts.all())
    })?;
    measure(report, "the latest attempt", || {
        Ok(latest(conn, WORKSPACE)?.map_or(0, |(number, _)| number))
    })?;
    let source = LogFilter {
        source: Some(SourceId(2)),
        ..month.clone()
    };
    measure(report, "counts of one source, 30 days", || {
        Ok(summary(conn, WORKSPACE, &source, 60)?.counts.all())
    })?;
    let matched = LogFilter {
        matched_on: Some(IdentifierKind::Email),
        ..month.clone()
    };
    measure(report, "counts of one matched on, 30 days", || {
        Ok(summary(conn, WORKSPACE, &matched, 60)?.counts.all())
    })?;
    search(conn, &month, one.shown.clone(), report)?;
    export(conn, total.min(500_000), report)
}

/// Looks for one attempt by what it shows, and for texts that are everywhere or nowhere.
fn search(
    conn: &Connection,
    month: &LogFilter,
    shown: Shown,
    report: &mut String,
) -> Result<(), StoreError> {
    let email = shown.email.unwrap_or_default();
    let phone = shown.phone.unwrap_or_default();
    let searches = [
        ("a phone", &phone[1..], Some(&phone[3..])),
        ("a national phone", "0170 / 999", Some(&phone[4..])),
        ("part of an email", &email[..email.len() * 2 / 3], None),
        ("text that occurs nowhere", "no such text", None),
        ("a first and last name", "anna weber", None),
        ("a domain, everywhere", "example.org", None),
        ("four letters, nowhere", "qxzq", None),
        ("three digits, everywhere", "012", None),
    ];
    for (name, text, digits) in searches {
        let search = Some(Search {
            text: text.to_owned(),
            phone_digits: digits.map(str::to_owned),
            ..Search::default()
        });
        let filter = LogFilter {
            search,
            ..month.clone()
        };
        measure(report, &format!("search {name}: page (300 ms)"), || {
            Ok(page(conn, WORKSPACE, &filter, Paging::Newest, 50)?
                .attempts
                .len() as u64)
        })?;
        measure(report, &format!("search {name}: counts (300 ms)"), || {
            Ok(summary(conn, WORKSPACE, &filter, 60)?.counts.all())
        })?;
    }
    Ok(())
}

fn export(conn: &Connection, most: u64, report: &mut String) -> Result<(), StoreError> {
    let start = Instant::now();
    let (mut after, mut exported) = (0, 0);
    while exported < most {
        let everything = LogFilter::default();
        let page = page_with_payloads(conn, WORKSPACE, &everything, Paging::After(after), 4_000)?;
        let Some((last, _)) = page.last() else {
            break;
        };
        after = last.id.number();
        exported += page.len() as u64;
    }
    let rate = ratio(
        exported * 1_000_000,
        u64::try_from(start.elapsed().as_micros()).unwrap_or(1),
    );
    say(
        report,
        "export, attempts/s (300,000)",
        &format!("{rate:.0}"),
    );
    Ok(())
}

/// The median of five, and what was found.
fn measure(
    report: &mut String,
    what: &str,
    ask: impl Fn() -> Result<u64, StoreError>,
) -> Result<(), StoreError> {
    let mut times = Vec::new();
    let mut found = 0;
    for _ in 0..5 {
        let start = Instant::now();
        found = ask()?;
        times.push(start.elapsed());
    }
    times.sort();
    let millis = |time: Duration| time.as_secs_f64() * 1_000.0;
    let text = format!(
        "{:.2} ms, fastest {:.2}",
        millis(times[2]),
        millis(times[0])
    );
    say(report, what, &text);
    say(report, "  found", &found.to_string());
    Ok(())
}

/// A contact that a hundred attempts are about.
const REGULAR: u64 = 77;

const FIRST: &str = "Anna Peter Maria Thomas Sabine Michael Claudia Andreas Julia Stefan Laura Jan Lena Paul Sophie \
    Max Emma Lukas Mia Felix Hannah Jonas Lea Tim Nina Ben Sarah Tom Lisa Leon Carlos Lucía Pierre Camille James \
    Olivia Noah Emily Liam Ava João Beatriz Mehmet Ayşe Giulia Marco Karol Zofia Sven Ingrid";
const LAST: &str = "Müller Schmidt Weber Fischer Wagner Becker Hoffmann Koch Bauer Richter Klein Wolf Neumann \
    Schwarz Zimmermann Braun Krüger Hartmann Lange Werner Krause Lehmann Köhler Maier García Martínez López Dubois \
    Moreau Laurent Smith Jones Taylor Brown Williams Wilson Silva Santos Costa Yılmaz Kaya Rossi Bianchi Kowalski \
    Nowak Johansson Nilsson Berg Hansen Larsen";
const DOMAINS: &str = "gmail.com gmx.de web.de outlook.com yahoo.fr hotmail.com t-online.de icloud.com example.org \
    mail.pt";
const STREETS: &str = "Hauptstraße Bahnhofstraße Gartenweg Schulstraße Lindenallee Dorfstraße Bergstraße Kirchgasse \
    Ringstraße Parkweg Waldstraße Rosenweg Main-Street High-Street Park-Avenue Oak-Street";
const CITIES: &str = "Berlin Hamburg München Köln Frankfurt Stuttgart Dresden Leipzig Wien Zürich Paris Lyon Madrid \
    Barcelona Lisboa Porto London Leeds Boston Austin";

struct People(u64);

struct Made {
    number: u64,
    received_at: Timestamp,
    outcome: Outcome,
    contact: Option<ContactId>,
    shown: Shown,
    issues: Vec<Issue>,
    changes: Vec<Change>,
    payload: Payload,
}

impl Made {
    fn as_new(&self) -> NewAttempt<'_> {
        NewAttempt {
            number: self.number,
            received_at: self.received_at,
            outcome: self.outcome,
            source: SourceId(if self.number % 20 < 19 { 1 } else { 2 }),
            import: Some(1),
            row: Some(self.number),
            contact: self.contact,
            shown: &self.shown,
            issues: &self.issues,
            notes: &[],
            changes: &self.changes,
            payload: &self.payload,
            idempotency_key: None,
            replay_of: None,
        }
    }
}

impl People {
    fn below(&mut self, limit: u64) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ mixed >> 31) % limit
    }

    fn word(&mut self, words: &'static str) -> &'static str {
        let words: Vec<&str> = words.split_ascii_whitespace().collect();
        let position = usize::try_from(self.below(words.len() as u64)).unwrap_or(0);
        words[position]
    }

    fn attempt(&mut self, number: u64, total: u64) -> Made {
        let (first, mut last) = (self.word(FIRST), self.word(LAST).to_owned());
        if self.below(4) == 0 {
            last = format!("{last}-{}", self.word(LAST));
        }
        let plain = |text: &str| {
            text.to_lowercase()
                .replace(|letter: char| !letter.is_ascii_alphabetic(), "")
        };
        let mailbox = format!("{}.{}{}", plain(first), plain(&last), self.below(10_000));
        let email = format!("{mailbox}@{}", self.word(DOMAINS));
        let digits = format!("1{:02}{:08}", 50 + self.below(30), self.below(100_000_000));
        let written = match self.below(4) {
            0 => format!("+49 {} {}", &digits[..3], &digits[3..]),
            1 => format!("0{}/{}", &digits[..3], &digits[3..]),
            2 => format!("0049{digits}"),
            _ => format!("0{} {} {}", &digits[..3], &digits[3..6], &digits[6..]),
        };
        let external_id = format!("G-{:08}", number.wrapping_mul(2_654_435_761) % 100_000_000);
        let row = format!(
            "{external_id},{first},{last},{written},{email},{}-{:02}-{:02},{} {},{:05},{},{}",
            1940 + self.below(65),
            1 + self.below(12),
            1 + self.below(28),
            self.word(STREETS),
            1 + self.below(200),
            self.below(100_000),
            self.word(CITIES),
            self.word("DE AT FR US GB PT"),
        );
        let failed = self.below(50) == 0;
        let updated = !failed && self.below(10) == 0;
        let regular = number.is_multiple_of((total / 100).max(1));
        let before = Value::One(format!("+49{}", self.below(10_000_000_000)).into());
        let phone = format!("+49{digits}");
        Made {
            number,
            received_at: Timestamp(
                START + i64::try_from(number * 2_592_000_000 / total.max(1)).unwrap_or(0),
            ),
            outcome: Outcome {
                result: if failed {
                    ImportResult::Failure
                } else {
                    ImportResult::Success
                },
                action: match (failed, updated) {
                    (true, _) => None,
                    (_, true) => Some(Action::Updated),
                    _ => Some(Action::Created),
                },
                matched_on: updated.then_some(IdentifierKind::Email),
            },
            contact: (!failed).then_some(ContactId(match (regular, updated) {
                (true, _) => REGULAR,
                (_, true) => 100 + self.below(number),
                _ => 100 + number,
            })),
            issues: if failed {
                vec![Issue::of_value(
                    "phone",
                    &Problem::PhoneInvalid { region: None },
                    &written,
                )]
            } else {
                Vec::new()
            },
            changes: if updated {
                let after = Some(Value::One(phone.as_str().into()));
                vec![Change {
                    field: "phone".into(),
                    before: Some(before),
                    after,
                }]
            } else {
                Vec::new()
            },
            shown: Shown {
                name: Some(format!("{first} {last}").into()),
                phone: Some(phone.into()),
                email: Some(email.into()),
                external_id: Some(external_id.into()),
            },
            payload: Payload {
                content_type: "text/csv".to_owned(),
                bytes: row.into_bytes(),
            },
        }
    }
}
