//! Single records over HTTP: posted over 64 connections, answered when they are on disk.

use std::net::SocketAddr;
use std::ops::Range;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use rollbook_bench::generate::{DateStyle, Recipe, Row, Variant};
use serde_json::Value;

use crate::files::{SEED, Workspace, generate};
use crate::http::{Client, Load, load};
use crate::process::{Rollbook, Server};
use crate::table::{Figure, Floor, Table, grouped};
use crate::{say, wrk};

/// How many callers wait for answers at any time.
const CONNECTIONS: usize = 64;

/// What answers are measured against.
const ECHO: &str = "a bare axum echo under the same load";

/// The source that the records belong to.
const SOURCE: &str = "desk";

/// The first of the rows that are posted; the people in files have lower numbers.
const FIRST_ROW: u64 = 12_000_000;

/// More records than are posted in a second, so that none has to come twice.
const MOST_A_SECOND: u64 = 30_000;

/// Loads the API with new people, then with changes about them, then while a file is imported.
pub(crate) fn measure(
    rollbook: &Rollbook,
    folder: &Path,
    seconds: u64,
    meanwhile: u64,
    table: &mut Table,
) -> anyhow::Result<()> {
    let by_wrk = wrk::is_there();
    let generator = if by_wrk { "wrk" } else { "our own client" };
    table.section(&format!(
        "Single records over HTTP, {CONNECTIONS} connections of {generator}"
    ));
    let people = seconds * MOST_A_SECOND;
    say("posting to a bare echo");
    let floor = echo(None, by_wrk, people, seconds)?;
    say("posting to an echo that writes");
    let written = echo(Some(&folder.join("echo.db")), by_wrk, people, seconds)?;
    table.row_with_floor(
        "an echo that writes what it is sent, and does nothing else",
        Figure::Rate(written.rate(), "requests/s"),
        Floor {
            figure: Figure::Rate(floor.rate(), "requests/s"),
            what: ECHO,
        },
        "",
    );
    let workspace = Workspace::make(folder, "api")?;
    rollbook.run(&workspace, &["source", "add", SOURCE])?;
    let key = rollbook.run(&workspace, &["key", "create", "--source", SOURCE])?;
    let admin_key = rollbook.run(&workspace, &["key", "create", "--all"])?;
    let server = rollbook.serve(&workspace)?;
    let caller = Caller {
        address: server.address,
        key: key.trim(),
        by_wrk,
    };

    // Not counted: the first second also pays for what is made once.
    let first = FIRST_ROW + 5_000_000;
    caller.post(Variant::New, first..first + MOST_A_SECOND, 1)?;
    say("posting new people");
    let posted = FIRST_ROW..FIRST_ROW + people;
    let new = caller.post(Variant::New, posted, seconds)?;
    report("all new", &new, &floor, table);
    say("posting changes about them");
    let known = FIRST_ROW..FIRST_ROW + new.requests.min(people);
    let updates = caller.post(Variant::Updates, known, seconds)?;
    report("all updates", &updates, &floor, table);

    say(&format!(
        "posting new people while {} records are imported",
        grouped(meanwhile as f64)
    ));
    let file = generate(folder, meanwhile, Variant::New)?;
    let import = Upload::start(&server, admin_key.trim(), &file)?;
    let first = FIRST_ROW + people;
    let beside = caller.post(Variant::New, first..first + people, seconds)?;
    let imported = import.records_so_far(&server, admin_key.trim())?;
    ensure!(
        imported > 0,
        "the import did not run while records were posted"
    );
    report("all new, during an import", &beside, &floor, table);
    table.row(
        "that import meanwhile",
        Figure::Rate(imported as f64 / beside.seconds, "records/s"),
        "",
    );
    table.row(
        "peak memory of the server",
        Figure::Bytes(server.peak_bytes() as f64),
        "",
    );
    Ok(())
}

fn report(what: &str, load: &Load, floor: &Load, table: &mut Table) {
    table.row_with_floor(
        what,
        Figure::Rate(load.rate(), "requests/s"),
        Floor {
            figure: Figure::Rate(floor.rate(), "requests/s"),
            what: ECHO,
        },
        "≥ 40 %",
    );
    for (name, took, of_floor, aim) in [
        ("p50", load.p50, floor.p50, ""),
        ("p99", load.p99, floor.p99, "< 15 ms"),
    ] {
        table.row_with_floor(
            &format!("{what}: {name}"),
            Figure::Took(took),
            Floor {
                figure: Figure::Took(of_floor),
                what: ECHO,
            },
            aim,
        );
    }
}

/// A floor: an echo, of records that were written to a file if one is named.
fn echo(
    written_to: Option<&Path>,
    by_wrk: bool,
    people: u64,
    seconds: u64,
) -> anyhow::Result<Load> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("echo").args(written_to);
    let server = Server::start(command)?;
    let caller = Caller {
        address: server.address,
        key: "none",
        by_wrk,
    };
    caller.post(Variant::New, FIRST_ROW..FIRST_ROW + people, seconds)
}

/// Somebody who posts.
struct Caller<'a> {
    address: SocketAddr,
    key: &'a str,
    /// With `wrk`, or with our own client.
    by_wrk: bool,
}

impl Caller<'_> {
    /// Posts records of these rows for so many seconds; if there is time, again from the first.
    fn post(&self, variant: Variant, rows: Range<u64>, seconds: u64) -> anyhow::Result<Load> {
        let recipe = Recipe {
            rows: u64::MAX,
            seed: SEED,
            variant,
            dates: DateStyle::Iso,
        };
        let path = format!("/api/v1/sources/{SOURCE}/contacts");
        let load = if self.by_wrk {
            let to = (self.address, path.as_str());
            wrk::load(to, self.key, (&recipe, rows), CONNECTIONS, seconds)?
        } else {
            let mut row = Row::default();
            let mut body = Vec::new();
            let mut request = |number: u64, out: &mut Vec<u8>| {
                let number = number % (rows.end - rows.start).max(1);
                recipe.fill(rows.start + number, &mut row);
                body.clear();
                row.write_json(&mut body);
                let head = format!(
                    "POST {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\n\
                     Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
                    self.address,
                    self.key,
                    body.len()
                );
                out.extend_from_slice(head.as_bytes());
                out.extend_from_slice(&body);
            };
            let time = Duration::from_secs(seconds);
            load(self.address, CONNECTIONS, time, &mut request)?
        };
        ensure!(
            load.failed * 100 <= load.requests * 2,
            "{} of {} requests failed",
            load.failed,
            load.requests
        );
        Ok(load)
    }
}

/// A file on its way through the API.
struct Upload {
    path: String,
}

impl Upload {
    /// Uploads a file and returns when its first records are committed.
    fn start(server: &Server, key: &str, file: &Path) -> anyhow::Result<Upload> {
        const BOUNDARY: &str = "a-line-that-no-file-has";
        let mut body = format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"guests.csv\"\r\n\
             Content-Type: text/csv\r\n\r\n"
        )
        .into_bytes();
        body.extend_from_slice(&std::fs::read(file)?);
        body.extend_from_slice(format!("\r\n--{BOUNDARY}--\r\n").as_bytes());
        let mut client = Client::connect(server.address, key)?;
        let media_type = format!("multipart/form-data; boundary={BOUNDARY}");
        let answer = client.post("/api/v1/imports", &media_type, &body)?;
        let import: Value = serde_json::from_slice(&answer.body)?;
        let id = import["id"].as_str().context("an import has an id")?;
        let upload = Upload {
            path: format!("/api/v1/imports/{id}"),
        };
        for _ in 0..6000 {
            if upload.records_so_far(server, key)? > 0 {
                return Ok(upload);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        bail!("the import did not begin within a minute");
    }

    fn records_so_far(&self, server: &Server, key: &str) -> anyhow::Result<u64> {
        let answer = Client::connect(server.address, key)?.get(&self.path)?;
        let import: Value = serde_json::from_slice(&answer.body)?;
        ensure!(
            import["state"] != "failed",
            "the import failed: {}",
            import["error"]
        );
        let records = &import["totals"]["records"];
        records
            .as_u64()
            .with_context(|| format!("an import has totals: {import}"))
    }
}
