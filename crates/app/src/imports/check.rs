//! Checking columns before anything is decided: how many of their values cannot be used under the chosen fields, and
//! which dates could be read in several orders.

use std::path::Path;
use std::time::{Duration, Instant};

use rollbook_engine::field::date::{DateOrder, DateQuestion};
use rollbook_engine::issue::Issue;
use rollbook_engine::mapping::{Binding, Evidence};
use rollbook_engine::normalise::Normaliser;
use rollbook_sources::csv::CsvRecord;
use rollbook_sources::file::{FileError, RecordSource};
use rollbook_store::sources::Source;

use crate::app::App;
use crate::imports::intake::{IntakeError, blocking};
use crate::imports::options::ImportOptions;
use crate::imports::stream;

/// Records that are looked at, at most: an answer is worth more now than exact in a minute. The review reads them all.
const MOST: usize = 100_000;

/// How long they are looked at, each of two times.
const PATIENCE: Duration = Duration::from_secs(1);

/// Values of a column that are shown with what is wrong with them.
const EXAMPLES: usize = 3;

/// What the columns of a file hold under a mapping.
#[derive(Debug, Clone, Default)]
pub(crate) struct Checked {
    /// Records that were looked at.
    pub(crate) records: u64,
    /// Whether these are all.
    pub(crate) whole: bool,
    /// One entry a mapped column.
    pub(crate) columns: Vec<CheckedColumn>,
}

/// What a column holds under the field that was chosen for it.
#[derive(Debug, Clone, Default)]
pub(crate) struct CheckedColumn {
    /// The column, counted from 0.
    pub(crate) column: usize,
    /// Cells that are not blank.
    pub(crate) values: u64,
    /// Those that cannot be used.
    pub(crate) failing: u64,
    /// Some of them, with the reasons.
    pub(crate) examples: Vec<Issue>,
    /// The order of its dates, as said or found out.
    pub(crate) date_order: Option<DateOrder>,
    /// What only a person can say, or has said, about its dates.
    pub(crate) question: Option<DateQuestion>,
}

impl Checked {
    /// What a column holds; none if it was not checked.
    pub(crate) fn column(&self, column: usize) -> Option<&CheckedColumn> {
        self.columns.iter().find(|checked| checked.column == column)
    }
}

/// Checks the mapped columns of a file, or one of them, on its first records.
pub(crate) async fn check(
    app: &App,
    source: &Source,
    path: &Path,
    options: &ImportOptions,
    only: Option<usize>,
) -> Result<Checked, IntakeError> {
    let mut binding = stream::bind(app, source, options).await?;
    let (path, options) = (path.to_owned(), options.clone());
    let (folder, limits) = (app.config.files.clone(), app.config.file_limits());
    blocking(move || {
        let records = RecordSource::open_first(
            &path,
            &folder,
            &options.reading,
            &options.header,
            &limits,
            MOST + 1,
        )?;
        let evidence = decide_dates(&records, &mut binding, Some(PATIENCE))?;
        Ok(count(&records, &binding, &evidence, only)?)
    })
    .await
}

/// The columns whose dates could be read in several orders, by everything that is in the file.
pub(crate) async fn open_dates(
    app: &App,
    source: &Source,
    path: &Path,
    options: &ImportOptions,
) -> Result<Vec<(usize, DateQuestion)>, IntakeError> {
    let schema = app.schema(source.workspace).await?;
    let settings = app.settings(source.workspace).await?;
    let mut binding = options.bind(&schema, &settings, source)?;
    if !binding.has_dates() {
        return Ok(Vec::new());
    }
    let (path, options) = (path.to_owned(), options.clone());
    let (folder, limits) = (app.config.files.clone(), app.config.file_limits());
    blocking(move || {
        let records =
            RecordSource::open(&path, &folder, &options.reading, &options.header, &limits)?;
        let evidence = decide_dates(&records, &mut binding, None)?;
        let mut open = binding.questions(&evidence);
        open.retain(|(column, _)| binding.date_order(*column).is_none());
        Ok(open)
    })
    .await
}

/// Decides the order of each column of dates by its values; with `patience` by those of the first records.
fn decide_dates(
    records: &RecordSource,
    binding: &mut Binding,
    patience: Option<Duration>,
) -> Result<Evidence, FileError> {
    let mut evidence = binding.evidence();
    if !binding.has_dates() {
        return Ok(evidence);
    }
    let begun = Instant::now();
    let columns = binding.date_columns();
    let mut file = records.records()?;
    let mut record = CsvRecord::default();
    let mut seen = 0;
    while file.next_columns(&mut record, &columns)? {
        if record.problem.is_none() {
            evidence.observe(&record.record);
        }
        seen += 1;
        if patience.is_some_and(|patience| seen >= MOST || begun.elapsed() > patience) {
            break;
        }
    }
    binding.decide_dates(&evidence);
    Ok(evidence)
}

fn count(
    records: &RecordSource,
    binding: &Binding,
    evidence: &Evidence,
    only: Option<usize>,
) -> Result<Checked, FileError> {
    let begun = Instant::now();
    let normaliser = Normaliser::new();
    let mut questions = binding.questions(evidence);
    let mapped = binding.mapped().into_iter();
    let mut columns: Vec<CheckedColumn> = mapped
        .filter(|column| only.is_none_or(|only| only == *column))
        .map(|column| CheckedColumn {
            column,
            date_order: binding.date_order(column),
            question: questions
                .iter()
                .position(|(open, _)| *open == column)
                .map(|at| questions.swap_remove(at).1),
            ..CheckedColumn::default()
        })
        .collect();
    let mut file = records.records()?;
    let mut record = CsvRecord::default();
    let mut checked = Checked {
        whole: true,
        ..Checked::default()
    };
    while file.next(&mut record)? {
        // There is another record, and no time for it.
        if checked.records >= MOST as u64 || begun.elapsed() > PATIENCE {
            checked.whole = false;
            break;
        }
        checked.records += 1;
        if record.problem.is_some() {
            continue;
        }
        let mut at = 0;
        normaliser.check(&record.record, binding, only, &mut |cell| {
            let Some(column) = columns.get_mut(at) else {
                return;
            };
            at += 1;
            column.values += u64::from(!cell.is_blank);
            column.failing += u64::from(!cell.issues.is_empty());
            for issue in cell.issues {
                let known = column
                    .examples
                    .iter()
                    .any(|known| known.value == issue.value);
                if column.examples.len() < EXAMPLES && !known {
                    column.examples.push(issue.clone());
                }
            }
        });
    }
    checked.columns = columns;
    Ok(checked)
}
