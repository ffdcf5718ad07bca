//! Importing files through the command line.

use std::path::Path;

use anyhow::{Context, ensure};
use rollbook_bench::generate::Variant;

use crate::files::{Workspace, generate};
use crate::process::{Imported, Rollbook};
use crate::table::{Figure, Floor, Table, grouped};
use crate::{floors, say};

/// What is left of importing a file three times.
pub(crate) struct ThreeVariants {
    /// Where the attempts are.
    pub(crate) workspace: Workspace,
    /// How long the first time took.
    pub(crate) seconds_all_new: f64,
}

/// Imports a file of new people, one with changes about each of them, and one that changes nothing.
pub(crate) fn three_variants(
    rollbook: &Rollbook,
    folder: &Path,
    rows: u64,
    table: &mut Table,
) -> anyhow::Result<ThreeVariants> {
    let size = grouped(rows as f64);
    table.section(&format!("Importing {size} records"));
    let workspace = Workspace::make(folder, &format!("imports-{rows}"))?;
    let mut seconds_all_new = 0.0;
    let mut log_before = 0.0;
    for (variant, name, aim) in [
        (Variant::New, "all new", "≥ 250,000, 60 %"),
        (Variant::Updates, "all updates", "≥ 250,000, 60 %"),
        (Variant::Same, "unchanged", "≥ 400,000, 60 %"),
    ] {
        say(&format!("generating {size} records, {name}"));
        let file = generate(folder, rows, variant)?;
        if variant == Variant::New {
            let floor = Floor {
                figure: Figure::Rate(floors::read_csv(&file)?, "rows/s"),
                what: "reading the file alone, with the csv crate",
            };
            table.floor("reading the CSV", floor);
        }
        let plain = floors::write_rows(&workspace, &file, variant)?;
        let floor = |figure| Floor {
            figure,
            what: match variant {
                Variant::New => "plain rusqlite: insert contact and attempt",
                Variant::Updates => "plain rusqlite: update contact, insert attempt",
                Variant::Same => "plain rusqlite: insert attempt",
            },
        };
        let imported = rollbook.import(&workspace, &file)?;
        check(&imported, rows, variant)?;
        let rate = Figure::Rate(rows as f64 / imported.seconds, "records/s");
        let plain_rate = Figure::Rate(plain.a_second, "rows/s");
        table.row_with_floor(name, rate, floor(plain_rate), aim);
        table.row_with_floor(
            &format!("{name}: processor time a record"),
            Figure::Took(imported.processor_seconds / rows as f64),
            floor(Figure::Took(plain.processor_seconds)),
            "",
        );
        table.row(
            &format!("{name}: wall time"),
            Figure::Took(imported.seconds),
            "",
        );
        table.row(
            &format!("{name}: peak memory beside the index"),
            Figure::Bytes(imported.peak_bytes.saturating_sub(imported.index_bytes) as f64),
            "< 256 MiB",
        );
        table.row(
            &format!("{name}: index, an identifier"),
            Figure::Bytes(imported.index_bytes as f64 / imported.identifiers.max(1) as f64),
            "≤ 40 bytes",
        );
        table.row(
            &format!("{name}: written to disk a record"),
            Figure::Bytes(imported.written_bytes as f64 / rows as f64),
            "",
        );
        let log = workspace.table_bytes("log_")? as f64;
        table.row(
            &format!("{name}: log a record"),
            Figure::Bytes((log - log_before) / rows as f64),
            "≤ 120 bytes",
        );
        log_before = log;
        if variant == Variant::New {
            seconds_all_new = imported.seconds;
            table.row(
                &format!("{name}: database a record, log and contacts"),
                Figure::Bytes(workspace.database_bytes() as f64 / rows as f64),
                "",
            );
        }
        std::fs::remove_file(file)?;
        // The product keeps what was uploaded.
        std::fs::remove_dir_all(workspace.files())?;
    }
    for name in ["floor.db", "floor.db-wal", "floor.db-shm"] {
        let _ = std::fs::remove_file(workspace.folder.join(name)); // Only the first is sure to be there.
    }
    Ok(ThreeVariants {
        workspace,
        seconds_all_new,
    })
}

/// What a record costs at other sizes of file, each on a fresh database.
pub(crate) fn curve(
    rollbook: &Rollbook,
    folder: &Path,
    sizes: &[u64],
    mut measured: Vec<(u64, f64)>,
    table: &mut Table,
) -> anyhow::Result<()> {
    for &rows in sizes {
        say(&format!("importing {} records", grouped(rows as f64)));
        let workspace = Workspace::make(folder, &format!("curve-{rows}"))?;
        let file = generate(folder, rows, Variant::New)?;
        let imported = rollbook.import(&workspace, &file)?;
        check(&imported, rows, Variant::New)?;
        measured.push((rows, imported.seconds));
        std::fs::remove_file(file)?;
        std::fs::remove_dir_all(workspace.folder)?;
    }
    measured.sort_by_key(|(rows, _)| *rows);
    table.section("Cost of a new record by size of file, from start to exit");
    for (rows, seconds) in measured {
        table.row(
            &format!("{} records", grouped(rows as f64)),
            Figure::Rate(seconds * 1e6 / rows as f64, "µs a record"),
            "flat",
        );
    }
    Ok(())
}

/// A bench of something that went wrong would measure nothing: the counts must be those that the generator meant.
fn check(imported: &Imported, rows: u64, variant: Variant) -> anyhow::Result<()> {
    let count = |key| {
        imported.summary[key]
            .as_u64()
            .with_context(|| format!("the summary has no `{key}`: {}", imported.summary))
    };
    let (created, updated, failed) = (count("created")?, count("updated")?, count("failed")?);
    ensure!(
        count("records")? == rows && created + updated + failed == rows,
        "the counts do not add up: {}",
        imported.summary
    );
    let usual = match variant {
        Variant::New => created,
        Variant::Updates => updated - count("unchanged")?,
        Variant::Same => count("unchanged")?,
    };
    ensure!(
        usual * 100 >= rows * 95,
        "only {usual} of {rows} records are {variant:?}: {}",
        imported.summary
    );
    Ok(())
}
