//! The log, read over HTTP: what an administrator waits for.

use anyhow::{Context, ensure};
use rollbook_bench::generate::{Column, Row, Variant};
use serde_json::Value;

use crate::files::{Workspace, recipe};
use crate::http::{Client, middle_and_worst};
use crate::process::Rollbook;
use crate::table::{Figure, Table, grouped};

/// How often each question is asked.
const TIMES: usize = 100;

/// Attempts in the history of one contact.
const HISTORY: usize = 100;

/// Asks the log of a workspace that has some imports behind it.
pub(crate) fn measure(
    rollbook: &Rollbook,
    workspace: &Workspace,
    table: &mut Table,
) -> anyhow::Result<()> {
    let key = rollbook.run(workspace, &["key", "create", "--all"])?;
    let server = rollbook.serve(workspace)?;
    let mut client = Client::connect(server.address, key.trim())?;
    let contact = give_a_history(&mut client)?;
    let all = json(&mut client, "/api/v1/logs/summary?from=30d&buckets=60")?["counts"]["all"]
        .as_u64()
        .context("a summary has counts")?;
    table.section(&format!(
        "The log at {} attempts, over HTTP",
        grouped(all as f64)
    ));

    let page = json(&mut client, "/api/v1/logs?limit=50")?;
    let newest = page["attempts"][0]["id"]
        .as_str()
        .context("the log has attempts")?
        .to_owned();
    let (phone, email) = somebody();
    for (what, path, aim) in [
        (
            "first page of 50",
            "/api/v1/logs?limit=50".to_owned(),
            "< 5 ms",
        ),
        (
            "first page of the past hour",
            "/api/v1/logs?limit=50&from=1h".to_owned(),
            "< 5 ms",
        ),
        (
            "tab counts of the past hour",
            "/api/v1/logs/summary?from=1h&buckets=0".to_owned(),
            "< 5 ms",
        ),
        (
            "tab counts and histogram of 30 days",
            "/api/v1/logs/summary?from=30d&buckets=60".to_owned(),
            "< 20 ms",
        ),
        (
            "first page of failures",
            "/api/v1/logs?limit=50&result=failure".to_owned(),
            "< 5 ms",
        ),
        (
            "a phone in another spelling, over everything",
            format!("/api/v1/logs?limit=50&q={}", escaped(&phone)),
            "< 300 ms",
        ),
        (
            "a part of an email, over everything",
            format!("/api/v1/logs?limit=50&q={}", escaped(&email)),
            "< 300 ms",
        ),
        (
            "counts of that part of an email",
            format!(
                "/api/v1/logs/summary?from=30d&buckets=60&q={}",
                escaped(&email)
            ),
            "< 300 ms",
        ),
        (
            "what nobody is called, over everything",
            "/api/v1/logs?limit=50&q=xyzzyplugh".to_owned(),
            "< 300 ms",
        ),
        (
            "one attempt by its id",
            format!("/api/v1/logs/{newest}"),
            "< 2 ms",
        ),
        (
            "a contact's history of 100 attempts",
            format!("/api/v1/logs?limit=100&contact={contact}"),
            "< 20 ms",
        ),
    ] {
        ask(&mut client, what, &path, aim, table)?;
    }

    let (lines, seconds) = client.count_lines("/api/v1/logs/export?format=ndjson")?;
    ensure!(
        lines >= all,
        "the export has {lines} lines, the log {all} attempts"
    );
    table.row(
        "export of everything as NDJSON",
        Figure::Rate(lines as f64 / seconds, "attempts/s"),
        "≥ 300,000/s",
    );
    Ok(())
}

/// Asks the same again and again, but stops when it takes long.
fn ask(
    client: &mut Client,
    what: &str,
    path: &str,
    aim: &str,
    table: &mut Table,
) -> anyhow::Result<()> {
    let mut seconds = Vec::with_capacity(TIMES);
    while seconds.len() < TIMES && (seconds.len() < 3 || seconds.iter().sum::<f64>() < 5.0) {
        seconds.push(client.get(path)?.seconds);
    }
    let (middle, worst) = middle_and_worst(seconds);
    table.row(what, Figure::Took(middle), aim);
    crate::say(&format!("  99 of 100 within {}", Figure::Took(worst)));
    Ok(())
}

/// Imports one contact again and again; returns its number.
fn give_a_history(client: &mut Client) -> anyhow::Result<String> {
    let mut contact = Value::Null;
    for number in 0..HISTORY {
        let record = format!(
            r#"{{"external_id":"history","email":"history@example.com","city":"Town {number}"}}"#
        );
        let path = "/api/v1/sources/manual/contacts";
        let answer = client.post(path, "application/json", record.as_bytes())?;
        let attempt: Value = serde_json::from_slice(&answer.body)?;
        contact = attempt["contact_id"].clone();
    }
    let contact = contact.as_str().context("an attempt names its contact")?;
    Ok(contact.to_owned())
}

/// The phone of somebody in the file, spelled as a person would type it, and a part of their email.
fn somebody() -> (String, String) {
    let mut row = Row::default();
    for number in 5_000.. {
        recipe(u64::MAX, Variant::New).fill(number, &mut row);
        let (phone, email) = (row.truth(Column::Phone), row.truth(Column::Email));
        if let (Some(digits), Some((local, _))) = (phone.strip_prefix('+'), email.split_once('@'))
            && row.bad.is_none()
        {
            let (start, end) = digits.split_at(digits.len() / 2);
            return (format!("00{start} - {end}"), local.to_lowercase());
        }
    }
    unreachable!("most rows have both")
}

fn json(client: &mut Client, path: &str) -> anyhow::Result<Value> {
    Ok(serde_json::from_slice(&client.get(path)?.body)?)
}

/// A text as it stands in an address.
fn escaped(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            byte if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
            byte => format!("%{byte:02X}"),
        })
        .collect()
}
