//! Single records over HTTP: posted over 64 connections, answered when they are on disk.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use rollbook_bench::generate::{DateStyle, Recipe, Row, Variant};
use serde_json::Value;

use crate::files::{SEED, Workspace, generate};
use crate::http::{Client, Load, Until, load};
use crate::process::{Rollbook, Server};
use crate::say;
use crate::table::{Figure, Floor, Table, grouped};

/// How many callers wait for answers at any time.
const CONNECTIONS: usize = 64;

/// The source that the records belong to.
const SOURCE: &str = "desk";

/// The first of the rows that are posted; the people in files have lower numbers.
const FIRST_ROW: u64 = 12_000_000;

/// Loads the API with new people, then with changes about them, then while a file is imported.
pub(crate) fn measure(
    rollbook: &Rollbook,
    folder: &Path,
    seconds: u64,
    meanwhile: u64,
    table: &mut Table,
) -> anyhow::Result<()> {
    table.section(&format!(
        "Single records over HTTP, {CONNECTIONS} connections"
    ));
    let time = Until::Passed(Duration::from_secs(seconds));
    let floor = echo(time)?;
    let workspace = Workspace::make(folder, "api")?;
    rollbook.run(&workspace, &["source", "add", SOURCE])?;
    let key = rollbook.run(&workspace, &["key", "create", "--source", SOURCE])?;
    let admin_key = rollbook.run(&workspace, &["key", "create", "--all"])?;
    let server = rollbook.serve(&workspace)?;
    let post = |variant, first, until| post(server.address, key.trim(), variant, first, until);

    // Not counted: the first second also pays for what is made once.
    post(
        Variant::New,
        FIRST_ROW + 5_000_000,
        Until::Passed(Duration::from_secs(1)),
    )?;
    say("posting new people");
    let new = post(Variant::New, FIRST_ROW, time)?;
    report("all new", &new, &floor, table);
    say("posting changes about them");
    let updates = post(Variant::Updates, FIRST_ROW, Until::Sent(new.requests()))?;
    report("all updates", &updates, &floor, table);

    say(&format!(
        "posting new people while {} records are imported",
        grouped(meanwhile as f64)
    ));
    let file = generate(folder, meanwhile, Variant::New)?;
    let import = Upload::start(&server, admin_key.trim(), &file)?;
    let beside = post(Variant::New, FIRST_ROW + new.requests(), time)?;
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
    let echo = "a bare axum echo under the same load";
    table.row_with_floor(
        what,
        Figure::Rate(load.rate(), "requests/s"),
        Floor {
            figure: Figure::Rate(floor.rate(), "requests/s"),
            what: echo,
        },
        "≥ 40 %",
    );
    for (name, share, aim) in [("p50", 0.5, ""), ("p99", 0.99, "< 15 ms")] {
        table.row_with_floor(
            &format!("{what}: {name}"),
            Figure::Took(load.quantile(share)),
            Floor {
                figure: Figure::Took(floor.quantile(share)),
                what: echo,
            },
            aim,
        );
    }
}

/// The floor.
fn echo(time: Until) -> anyhow::Result<Load> {
    say("posting to a bare echo");
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("echo");
    let server = Server::start(command)?;
    post(server.address, "none", Variant::New, FIRST_ROW, time)
}

/// Posts one record after the other, beginning with a row.
fn post(
    address: SocketAddr,
    key: &str,
    variant: Variant,
    first: u64,
    until: Until,
) -> anyhow::Result<Load> {
    let recipe = Recipe {
        rows: u64::MAX,
        seed: SEED,
        variant,
        dates: DateStyle::Iso,
    };
    let mut row = Row::default();
    let mut body = Vec::new();
    let mut request = |number: u64, out: &mut Vec<u8>| {
        recipe.fill(first + number, &mut row);
        body.clear();
        row.write_json(&mut body);
        let head = format!(
            "POST /api/v1/sources/{SOURCE}/contacts HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {key}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        out.extend_from_slice(head.as_bytes());
        out.extend_from_slice(&body);
    };
    let load = load(address, CONNECTIONS, until, &mut request)?;
    let good: u64 = [200, 201]
        .iter()
        .filter_map(|status| load.statuses.get(status))
        .sum();
    ensure!(
        good * 100 >= load.requests() * 98,
        "the answers were {:?}",
        load.statuses
    );
    Ok(load)
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
