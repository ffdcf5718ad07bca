//! `rollbook-generate`: writes a file of generated contacts to standard output.

use std::io::{self, BufWriter, ErrorKind};
use std::process::ExitCode;

use rollbook_bench::generate::{DateStyle, Recipe, Variant};

const USAGE: &str = "\
usage: rollbook-generate ROWS [--seed N] [--variant new|updates|same] [--dates iso|day|month] > file.csv

Writes ROWS contacts in ten columns: 2 % have a value that cannot be used, 1 % repeat an earlier person.
Import `new`, then `updates` (something has changed about everybody), then `same` (what updates said).";

fn main() -> ExitCode {
    let recipe = match recipe(std::env::args().skip(1)) {
        Ok(recipe) => recipe,
        Err(message) => {
            eprintln!("{message}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match recipe.write_csv(&mut BufWriter::new(io::stdout().lock())) {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever reads has seen enough.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("the file cannot be written: {error}");
            ExitCode::from(1)
        }
    }
}

fn recipe(mut arguments: impl Iterator<Item = String>) -> Result<Recipe, String> {
    let mut recipe = Recipe {
        rows: 0,
        seed: 1,
        variant: Variant::New,
        dates: DateStyle::DayFirst,
    };
    let mut rows = None;
    while let Some(argument) = arguments.next() {
        let mut value = || {
            arguments
                .next()
                .ok_or_else(|| format!("{argument} needs a value"))
        };
        match argument.as_str() {
            "--seed" => recipe.seed = number(&value()?)?,
            "--variant" => {
                let key = value()?;
                recipe.variant =
                    Variant::from_key(&key).ok_or_else(|| format!("`{key}` is no variant"))?;
            }
            "--dates" => {
                recipe.dates = match value()?.as_str() {
                    "iso" => DateStyle::Iso,
                    "day" => DateStyle::DayFirst,
                    "month" => DateStyle::MonthFirst,
                    other => return Err(format!("`{other}` is no way to write dates")),
                }
            }
            _ if rows.is_none() => rows = Some(number(&argument)?),
            _ => return Err(format!("`{argument}` is one argument too many")),
        }
    }
    recipe.rows = rows.ok_or("how many rows?")?;
    Ok(recipe)
}

/// A number, perhaps with `_` between its digits.
fn number(text: &str) -> Result<u64, String> {
    text.replace('_', "")
        .parse()
        .map_err(|_| format!("`{text}` is no number"))
}
