//! Generated files, and a workspace's own folder.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use rollbook_bench::generate::{DateStyle, Recipe, Variant};

/// The seed of everything: two runs measure the same records.
pub(crate) const SEED: u64 = 2026;

/// The recipe of a file.
pub(crate) fn recipe(rows: u64, variant: Variant) -> Recipe {
    Recipe {
        rows,
        seed: SEED,
        variant,
        dates: DateStyle::DayFirst,
    }
}

/// Writes a file of generated contacts and lets it reach the disk, so that nobody else pays for that.
pub(crate) fn generate(folder: &Path, rows: u64, variant: Variant) -> anyhow::Result<PathBuf> {
    let path = folder.join(format!("{rows}-{variant:?}.csv").to_lowercase());
    let file = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
    let mut out = BufWriter::with_capacity(1 << 20, file);
    recipe(rows, variant).write_csv(&mut out)?;
    out.flush()?;
    out.get_ref().sync_all()?;
    Ok(path)
}

/// Where one database and its files are.
#[derive(Debug, Clone)]
pub(crate) struct Workspace {
    /// A folder of its own.
    pub(crate) folder: PathBuf,
}

impl Workspace {
    /// A fresh one.
    pub(crate) fn make(parent: &Path, name: &str) -> anyhow::Result<Workspace> {
        let folder = parent.join(name);
        std::fs::create_dir_all(&folder)?;
        Ok(Workspace { folder })
    }

    /// The database file.
    pub(crate) fn database(&self) -> PathBuf {
        self.folder.join("rollbook.db")
    }

    /// Where uploads are kept.
    pub(crate) fn files(&self) -> PathBuf {
        self.folder.join("files")
    }

    /// Bytes of the database with what has not been moved into it yet.
    pub(crate) fn database_bytes(&self) -> u64 {
        ["rollbook.db", "rollbook.db-wal"]
            .iter()
            .filter_map(|name| std::fs::metadata(self.folder.join(name)).ok())
            .map(|file| file.len())
            .sum()
    }

    /// Bytes of the tables whose names begin with a word.
    pub(crate) fn table_bytes(&self, begin: &str) -> anyhow::Result<u64> {
        let connection = rusqlite::Connection::open(self.database())?;
        let bytes: i64 = connection.query_row(
            "SELECT coalesce(sum(pgsize), 0)
             FROM dbstat
             WHERE aggregate = TRUE AND name LIKE ?1 || '%'",
            [begin],
            |row| row.get(0),
        )?;
        Ok(u64::try_from(bytes)?)
    }
}
