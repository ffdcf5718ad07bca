//! The least that a program would have to do here.

use std::fs::{File, OpenOptions};
use std::io::{BufReader, Write};
use std::path::Path;
use std::time::Instant;

use anyhow::Context;
use rollbook_bench::generate::{COLUMNS, Variant};
use rusqlite::{Connection, TransactionBehavior, params_from_iter};

use crate::files::Workspace;
use crate::process::processor_seconds;
use crate::table::{Figure, Table};

/// Rows of a transaction.
const BATCH: usize = 6_000;

/// Rows that are written at most. A row costs the same however many follow, and ten million of them three times would
/// take as much of the disk as everything else together.
const MOST_ROWS: u32 = 1_000_000;

/// How many flushes a second the disk does: what a commit can cost at least.
pub(crate) fn disk(folder: &Path, table: &mut Table) -> anyhow::Result<()> {
    let path = folder.join("flushes");
    let mut file = OpenOptions::new()
        .create_new(true)
        .append(true)
        .open(&path)?;
    let start = Instant::now();
    let mut flushes = 0;
    while start.elapsed().as_secs_f64() < 1.0 {
        file.write_all(&[0; 4096])?;
        file.sync_data()?;
        flushes += 1;
    }
    let rate = f64::from(flushes) / start.elapsed().as_secs_f64();
    drop(file);
    std::fs::remove_file(path)?;
    table.row(
        "disk flushes of 4 KiB, one after the other",
        Figure::Rate(rate, "/s"),
        "",
    );
    Ok(())
}

/// Reads a file with the `csv` crate and does nothing with it. Records a second.
pub(crate) fn read_csv(file: &Path) -> anyhow::Result<f64> {
    let start = Instant::now();
    let mut reader = csv::Reader::from_reader(BufReader::with_capacity(1 << 16, File::open(file)?));
    let mut record = csv::StringRecord::new();
    let mut records = 0_u32;
    while reader.read_record(&mut record)? {
        records += 1;
    }
    Ok(f64::from(records) / start.elapsed().as_secs_f64())
}

/// A file with a table of contacts and one of attempts, without an index.
pub(crate) fn open(path: &Path) -> anyhow::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.execute_batch(
        "PRAGMA journal_mode = WAL;
         PRAGMA synchronous = FULL;
         PRAGMA cache_size = -131072;
         PRAGMA wal_autocheckpoint = 4000;
         CREATE TABLE IF NOT EXISTS contact (
             id INTEGER PRIMARY KEY,
             external_id TEXT, first_name TEXT, last_name TEXT, phone TEXT, email TEXT,
             birthday TEXT, language TEXT, street TEXT, city TEXT, country TEXT
         ) STRICT;
         CREATE TABLE IF NOT EXISTS attempt (
             id INTEGER PRIMARY KEY,
             received_at INTEGER NOT NULL,
             result INTEGER NOT NULL,
             action INTEGER,
             contact INTEGER,
             payload BLOB NOT NULL
         ) STRICT;",
    )?;
    Ok(connection)
}

/// Writes a new contact.
pub(crate) const INSERT_CONTACT: &str =
    "INSERT INTO contact VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";

/// Writes an attempt: when, whose, and what was sent.
pub(crate) const INSERT_ATTEMPT: &str =
    "INSERT INTO attempt (received_at, result, action, contact, payload) VALUES (?1, 1, 2, ?2, ?3)";

/// What plain inserts came to.
pub(crate) struct WrittenRows {
    /// Rows a second.
    pub(crate) a_second: f64,
    /// The processor's time a row.
    pub(crate) processor_seconds: f64,
}

/// Writes a file's rows with `rusqlite` and no engine: who is meant is known beforehand, nothing is looked up, and no
/// value is read. New people and their attempts are inserted, changed ones updated by number, and of unchanged ones
/// the attempt is written alone. Of a long file the first rows are enough.
pub(crate) fn write_rows(
    workspace: &Workspace,
    file: &Path,
    variant: Variant,
) -> anyhow::Result<WrittenRows> {
    let start = Instant::now();
    let busy = || processor_seconds("self").context("Linux tells how busy we are");
    let busy_before = busy()?;
    let mut connection = open(&workspace.folder.join("floor.db"))?;
    let mut reader = csv::Reader::from_reader(BufReader::with_capacity(1 << 16, File::open(file)?));
    let mut batch: Vec<csv::StringRecord> = Vec::with_capacity(BATCH);
    let mut payload = String::new();
    let mut written: u32 = 0;
    loop {
        batch.clear();
        for record in reader.records().take(BATCH) {
            batch.push(record?);
        }
        if batch.is_empty() || written >= MOST_ROWS {
            break;
        }
        let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        {
            let mut contact = tx.prepare_cached(match variant {
                Variant::New => INSERT_CONTACT,
                Variant::Updates | Variant::Same => {
                    "UPDATE contact
                     SET external_id = ?2, first_name = ?3, last_name = ?4, phone = ?5, email = ?6, birthday = ?7,
                         language = ?8, street = ?9, city = ?10, country = ?11
                     WHERE id = ?1"
                }
            })?;
            let mut attempt = tx.prepare_cached(INSERT_ATTEMPT)?;
            for record in &batch {
                written += 1;
                if variant != Variant::Same {
                    let number = written.to_string();
                    let values =
                        std::iter::once(number.as_str()).chain(record.iter().take(COLUMNS));
                    contact.execute(params_from_iter(values))?;
                }
                payload.clear();
                for (position, cell) in record.iter().enumerate() {
                    if position > 0 {
                        payload.push(',');
                    }
                    payload.push_str(cell);
                }
                attempt.execute((1_770_000_000_000_i64, written, payload.as_bytes()))?;
            }
        }
        tx.commit()?;
    }
    Ok(WrittenRows {
        a_second: f64::from(written) / start.elapsed().as_secs_f64(),
        processor_seconds: (busy()? - busy_before) / f64::from(written),
    })
}
