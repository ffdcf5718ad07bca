//! Load by `wrk`, which others know and which costs less than a client of our own.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};
use rollbook_bench::generate::{Recipe, Row};
use serde_json::Value;

use crate::http::Load;

/// What it is told to do.
const SCRIPT: &str = include_str!("wrk.lua");

/// Threads that it works with; they have to leave something to the server.
const THREADS: usize = 2;

/// Whether it is installed.
pub(crate) fn is_there() -> bool {
    let started = Command::new("wrk")
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    started.is_ok()
}

/// Posts rows of a recipe as JSON for so many seconds, from the first of `rows` to the last and then again.
pub(crate) fn load(
    (address, path): (SocketAddr, &str),
    key: &str,
    (recipe, rows): (&Recipe, std::ops::Range<u64>),
    connections: usize,
    seconds: u64,
) -> anyhow::Result<Load> {
    let folder = tempfile::tempdir()?;
    let script = folder.path().join("wrk.lua");
    let bodies = folder.path().join("bodies");
    std::fs::write(&script, SCRIPT)?;
    write_bodies(&bodies, recipe, rows)?;
    let output = Command::new("wrk")
        .args(["--threads", &THREADS.to_string()])
        .args(["--connections", &connections.to_string()])
        .args(["--duration", &format!("{seconds}s")])
        .args(["--timeout", "30s", "--script"])
        .arg(&script)
        .arg(format!("http://{address}{path}"))
        .arg("--")
        .arg(&bodies)
        .args([key, &THREADS.to_string()])
        .output()
        .context("`wrk` did not start; install the Debian package wrk")?;
    ensure!(
        output.status.success(),
        "wrk ended with {}: {}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout)?;
    let line = text.lines().rfind(|line| line.starts_with('{'));
    let told: Value = serde_json::from_str(line.with_context(|| format!("wrk said: {text}"))?)?;
    let count = |key: &str| {
        let count = told[key].as_u64();
        count.with_context(|| format!("wrk did not say `{key}`: {text}"))
    };
    let seconds = |key| Ok::<f64, anyhow::Error>(count(key)? as f64 / 1e6);
    Ok(Load {
        requests: count("requests")?,
        failed: count("failed")?,
        seconds: seconds("microseconds")?,
        p50: seconds("p50")?,
        p99: seconds("p99")?,
    })
}

fn write_bodies(path: &Path, recipe: &Recipe, rows: std::ops::Range<u64>) -> anyhow::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    let mut row = Row::default();
    let mut body = Vec::new();
    for number in rows {
        recipe.fill(number, &mut row);
        body.clear();
        row.write_json(&mut body);
        body.push(b'\n');
        file.write_all(&body)?;
    }
    file.flush()?;
    Ok(())
}
