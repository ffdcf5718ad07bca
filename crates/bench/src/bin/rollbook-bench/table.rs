//! The table: what was measured, what it came to, its floor, and what is aimed for.

use std::fmt;

/// What is printed in the end, as a table of Markdown.
#[derive(Default)]
pub(crate) struct Table {
    rows: Vec<[String; 6]>,
}

/// A figure and its unit.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Figure {
    /// So many things a second; more is better.
    Rate(f64, &'static str),
    /// Seconds that something took; less is better.
    Took(f64),
    /// Bytes, for each of something or in all.
    Bytes(f64),
}

/// What a figure is compared with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Floor {
    pub(crate) figure: Figure,
    /// What was done for it.
    pub(crate) what: &'static str,
}

impl Table {
    /// Begins a section.
    pub(crate) fn section(&mut self, title: &str) {
        self.rows.push([
            format!("**{title}**"),
            String::new(),
            String::new(),
            String::new(),
            String::new(),
            String::new(),
        ]);
    }

    /// Adds a figure that stands alone.
    pub(crate) fn row(&mut self, what: &str, figure: Figure, aim: &str) {
        self.push(what, figure, None, aim);
    }

    /// Adds a figure beside its floor.
    pub(crate) fn row_with_floor(&mut self, what: &str, figure: Figure, floor: Floor, aim: &str) {
        self.push(what, figure, Some(floor), aim);
    }

    /// Adds what was measured of the floor alone.
    pub(crate) fn floor(&mut self, what: &str, floor: Floor) {
        crate::say(&format!("{what}: {}", floor.figure));
        self.rows.push([
            what.to_owned(),
            String::new(),
            floor.figure.to_string(),
            String::new(),
            floor.what.to_owned(),
            String::new(),
        ]);
    }

    fn push(&mut self, what: &str, figure: Figure, floor: Option<Floor>, aim: &str) {
        crate::say(&format!("{what}: {figure}"));
        let ratio = floor.and_then(|floor| figure.of(floor.figure));
        self.rows.push([
            what.to_owned(),
            figure.to_string(),
            floor.map_or_else(String::new, |floor| floor.figure.to_string()),
            ratio.map_or_else(String::new, |ratio| format!("{:.0} %", ratio * 100.0)),
            floor.map_or_else(String::new, |floor| floor.what.to_owned()),
            aim.to_owned(),
        ]);
    }
}

impl Figure {
    /// How much of the floor's speed this is.
    fn of(self, floor: Figure) -> Option<f64> {
        match (self, floor) {
            (Figure::Rate(own, _), Figure::Rate(floor, _)) => Some(own / floor),
            (Figure::Took(own), Figure::Took(floor)) => Some(floor / own),
            _ => None,
        }
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Figure::Rate(rate, unit) => write!(f, "{} {unit}", grouped(rate)),
            Figure::Took(seconds) if seconds < 0.000_1 => write!(f, "{:.1} µs", seconds * 1e6),
            Figure::Took(seconds) if seconds < 0.001 => write!(f, "{:.2} ms", seconds * 1e3),
            Figure::Took(seconds) if seconds < 1.0 => write!(f, "{:.1} ms", seconds * 1e3),
            Figure::Took(seconds) => write!(f, "{seconds:.1} s"),
            Figure::Bytes(bytes) if bytes >= 1e6 => {
                write!(f, "{:.0} MiB", bytes / f64::from(1 << 20))
            }
            Figure::Bytes(bytes) => write!(f, "{bytes:.0} bytes"),
        }
    }
}

/// A number with commas between thousands.
pub(crate) fn grouped(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let header = [
            "What",
            "Rollbook",
            "Floor",
            "Of floor",
            "The floor is",
            "Aim",
        ]
        .map(str::to_owned);
        let rows = || std::iter::once(&header).chain(&self.rows);
        let widths: [usize; 6] = std::array::from_fn(|column| {
            rows()
                .map(|row| row[column].chars().count())
                .max()
                .unwrap_or(0)
        });
        for (position, row) in rows().enumerate() {
            f.write_str("|")?;
            for (cell, width) in row.iter().zip(widths) {
                write!(f, " {cell:width$} |")?;
            }
            writeln!(f)?;
            if position == 0 {
                f.write_str("|")?;
                for (column, width) in widths.into_iter().enumerate() {
                    // Figures to the right.
                    let mark = if (1..4).contains(&column) { ":" } else { "-" };
                    write!(f, " {}{mark} |", "-".repeat(width - 1))?;
                }
                writeln!(f)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_thousands() {
        for (number, expected) in [
            (0.0, "0"),
            (999.4, "999"),
            (1000.0, "1,000"),
            (1_234_567.0, "1,234,567"),
        ] {
            assert_eq!(grouped(number), expected);
        }
    }

    #[test]
    fn a_figure_stands_beside_its_floor() {
        let mut table = Table::default();
        let floor = Floor {
            figure: Figure::Rate(200.0, "rows/s"),
            what: "plain inserts",
        };
        table.row_with_floor("import", Figure::Rate(50.0, "records/s"), floor, "≥ 40");
        let expected = "\
| What   | Rollbook     | Floor      | Of floor | The floor is  | Aim  |
| ------ | -----------: | ---------: | -------: | ------------- | ---- |
| import | 50 records/s | 200 rows/s | 25 %     | plain inserts | ≥ 40 |
";
        assert_eq!(table.to_string(), expected);
    }
}
