//! `rollbook-bench`: how fast is the built Rollbook on this machine, and how fast could it be?
//!
//! Prints one table. Beside each figure stands its floor, measured in the same run: the least that a program would have
//! to do here for the same result. Figures of two runs differ with the machine's mood; their ratios to the floor less.

#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "figures are printed with three digits"
)]

mod api;
mod echo;
mod files;
mod floors;
mod http;
mod imports;
mod log;
mod process;
mod table;
mod wrk;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};

use process::Rollbook;
use table::Table;

const USAGE: &str = "\
usage: rollbook-bench [--quick | --large] [--binary PATH] [--folder PATH] [--only imports,curve,api,log] [--keep]

Measures the release binary of rollbook beside it (or --binary), in a folder of its own beside it (or in --folder,
which should be on a real disk).

  --quick   100,000 records at most, in less than two minutes
  --large   10,000,000 records, too: less than an hour and 15 GB";

/// What to measure.
struct Plan {
    /// The sizes of files that are imported three times each: new, updates, same. In ascending order.
    sizes: Vec<u64>,
    /// Further sizes for the curve.
    curve: Vec<u64>,
    /// How long the API is loaded, in seconds.
    seconds: u64,
    /// Records of the file that is imported while the API is loaded.
    meanwhile: u64,
    parts: Vec<Part>,
    binary: PathBuf,
    folder: Option<PathBuf>,
    keep: bool,
}

/// What can be measured alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Imports,
    Curve,
    Api,
    Log,
}

impl Part {
    const ALL: [Part; 4] = [Part::Imports, Part::Curve, Part::Api, Part::Log];

    fn from_key(key: &str) -> Option<Part> {
        match key {
            "imports" => Some(Part::Imports),
            "curve" => Some(Part::Curve),
            "api" => Some(Part::Api),
            "log" => Some(Part::Log),
            _ => None,
        }
    }
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1).peekable();
    // The floor of HTTP has a process of its own, as the product has.
    if arguments.peek().is_some_and(|first| first == "echo") {
        let written_to = arguments.nth(1).map(PathBuf::from);
        return match echo::serve(written_to.as_deref()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(&error),
        };
    }
    let plan = match plan(arguments) {
        Ok(plan) => plan,
        Err(error) => {
            eprintln!("{error:#}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match measure(&plan) {
        Ok(table) => {
            println!("{table}");
            ExitCode::SUCCESS
        }
        Err(error) => fail(&error),
    }
}

fn fail(error: &anyhow::Error) -> ExitCode {
    eprintln!("rollbook-bench: {error:#}");
    ExitCode::from(1)
}

fn plan(mut arguments: impl Iterator<Item = String>) -> anyhow::Result<Plan> {
    let beside = std::env::current_exe()?;
    let mut plan = Plan {
        sizes: vec![100_000, 1_000_000],
        curve: vec![10_000, 30_000, 300_000],
        seconds: 10,
        meanwhile: 1_000_000,
        parts: Part::ALL.to_vec(),
        binary: beside.with_file_name("rollbook"),
        folder: None,
        keep: false,
    };
    while let Some(argument) = arguments.next() {
        let mut value = || {
            arguments
                .next()
                .with_context(|| format!("{argument} needs a value"))
        };
        match argument.as_str() {
            "--quick" => {
                plan.sizes = vec![100_000];
                plan.curve = vec![10_000, 30_000];
                plan.seconds = 4;
                plan.meanwhile = 100_000;
            }
            "--large" => {
                plan.sizes.push(10_000_000);
                plan.curve.push(3_000_000);
            }
            "--binary" => plan.binary = value()?.into(),
            "--folder" => plan.folder = Some(value()?.into()),
            "--keep" => plan.keep = true,
            "--only" => {
                let keys = value()?;
                let part = |key| Part::from_key(key).with_context(|| format!("`{key}` is no part"));
                plan.parts = keys.split(',').map(part).collect::<anyhow::Result<_>>()?;
            }
            other => bail!("`{other}` is no argument"),
        }
    }
    Ok(plan)
}

fn measure(plan: &Plan) -> anyhow::Result<Table> {
    let beside = plan.binary.parent().unwrap_or(std::path::Path::new("."));
    let place = plan.folder.as_deref().unwrap_or(beside);
    let folder = tempfile::Builder::new()
        .prefix("rollbook-bench-")
        .disable_cleanup(plan.keep)
        .tempdir_in(place)
        .with_context(|| format!("no folder can be made in `{}`", place.display()))?;
    let rollbook = Rollbook::at(&plan.binary)?;
    let has = |part| plan.parts.contains(&part);
    let mut table = Table::default();

    table.section("The machine");
    floors::disk(folder.path(), &mut table)?;

    let mut curve = Vec::new();
    let mut kept = None;
    if has(Part::Imports) || has(Part::Log) {
        for &size in &plan.sizes {
            let imported = imports::three_variants(&rollbook, folder.path(), size, &mut table)?;
            curve.push((size, imported.seconds_all_new));
            // The log is looked at where it is longest.
            kept = Some(imported.workspace);
        }
    }
    if has(Part::Curve) {
        imports::curve(&rollbook, folder.path(), &plan.curve, curve, &mut table)?;
    }
    if let Some(workspace) = kept
        && has(Part::Log)
    {
        log::measure(&rollbook, &workspace, &mut table)?;
    }
    if has(Part::Api) {
        api::measure(
            &rollbook,
            folder.path(),
            plan.seconds,
            plan.meanwhile,
            &mut table,
        )?;
    }
    Ok(table)
}

/// Says on standard error what is being done: standard output is for the table.
fn say(text: &str) {
    eprintln!("· {text}");
}
