//! Normalising: one record against a binding becomes a candidate.

mod memo;

use compact_str::ToCompactString;
use smallvec::smallvec;

use crate::candidate::{Candidate, Given};
use crate::contact::{Text, Texts, Value};
use crate::field::blank::Blank;
use crate::field::date::{self, DateDecision, DateOptions};
use crate::field::phone::PhoneReader;
use crate::field::{
    boolean, choice, country, email, external_id, language, number, tags, text, time, url,
};
use crate::issue::{Issue, Note, Problem};
use crate::mapping::{Binding, BlankRule, BoundColumn, WriteMode};
use crate::record::{Cell, Record};
use crate::schema::{FieldId, FieldKind};
use memo::Memo;

/// The text that clears a field in a file (SPEC 3).
pub const CLEAR: &str = "__CLEAR__";

/// Reads records, and remembers what countries and languages it read: one for each thread.
#[derive(Debug, Default)]
pub struct Normaliser {
    phones: PhoneReader,
    countries: Memo<&'static str>,
    languages: Memo<Text>,
}

/// What a cell's text says.
enum Said {
    Value(Value),
    Nothing,
}

impl Normaliser {
    /// A reader with the metadata of all regions.
    pub fn new() -> Normaliser {
        Normaliser::default()
    }

    /// The reader of phone numbers, for those who show or search them.
    pub fn phones(&self) -> &PhoneReader {
        &self.phones
    }

    /// Reads one record. A value that cannot be used becomes an issue and is left out; nothing else is lost.
    pub fn normalise(&self, record: &Record, binding: &Binding) -> Candidate {
        self.read(record, binding, self.region_of(record, binding))
    }

    /// As [`Normaliser::normalise`], for a record whose phone numbers are read for this region, whatever its country.
    pub fn normalise_for_region(
        &self,
        record: &Record,
        binding: &Binding,
        region: &str,
    ) -> Candidate {
        self.read(record, binding, Some(region))
    }

    fn read(&self, record: &Record, binding: &Binding, region: Option<&str>) -> Candidate {
        let mut reading = Reading {
            normaliser: self,
            binding,
            region,
            candidate: Candidate {
                given: Vec::with_capacity(binding.columns.len()),
                ..Candidate::default()
            },
        };
        for column in &binding.columns {
            reading.cell(column, &record.cell(column.column));
        }
        reading.tags();
        let mut candidate = reading.candidate;
        candidate.given.sort_by_key(|(field, _)| *field);
        candidate
    }

    /// Reads the mapped cells of one record, or only that of one column, each by itself and tells what came of them.
    pub fn check(
        &self,
        record: &Record,
        binding: &Binding,
        only: Option<usize>,
        each: &mut dyn FnMut(CheckedCell<'_>),
    ) {
        let mut reading = Reading {
            normaliser: self,
            binding,
            region: self.region_of(record, binding),
            candidate: Candidate::default(),
        };
        let wanted = |column: &&BoundColumn| only.is_none_or(|only| only == column.column);
        for column in binding.columns.iter().filter(wanted) {
            let cell = record.cell(column.column);
            reading.candidate.given.clear();
            reading.candidate.issues.clear();
            reading.candidate.notes.clear();
            reading.cell(column, &cell);
            each(CheckedCell {
                column: column.column,
                is_blank: reading.is_blank(column, &cell),
                issues: &reading.candidate.issues,
            });
        }
    }

    /// The region of the record's own country, else the locale's.
    fn region_of<'a>(&self, record: &Record, binding: &'a Binding) -> Option<&'a str> {
        let countries = binding
            .columns
            .iter()
            .filter(|column| column.field.id == FieldId::COUNTRY);
        let mut own = countries.filter_map(|column| match record.cell(column.column) {
            Cell::Text(raw) => self.country(&text::tidy(raw)).ok(),
            Cell::Absent | Cell::Null | Cell::List(_) => None,
        });
        own.next_back().or(binding.locale.region.as_deref())
    }

    fn country(&self, tidy: &str) -> Result<&'static str, Problem> {
        self.countries.read(tidy, country::parse)
    }

    fn language(&self, tidy: &str) -> Result<Text, Problem> {
        self.languages
            .read(tidy, |tidy| language::parse(tidy).map(Text::from))
    }
}

/// What came of one cell.
#[derive(Debug, Clone, Copy)]
pub struct CheckedCell<'a> {
    /// The column, counted from 0.
    pub column: usize,
    /// Whether it says nothing.
    pub is_blank: bool,
    /// Why its values cannot be used.
    pub issues: &'a [Issue],
}

/// One record being read.
struct Reading<'a> {
    normaliser: &'a Normaliser,
    binding: &'a Binding,
    region: Option<&'a str>,
    candidate: Candidate,
}

impl Reading<'_> {
    fn cell(&mut self, column: &BoundColumn, cell: &Cell<'_>) {
        match cell {
            Cell::Absent if self.binding.absent_is_blank => self.blank(column),
            Cell::Absent => {}
            Cell::Null => self.clear(column),
            Cell::Text(raw) => self.text(column, raw),
            Cell::List(items) if items.is_empty() => self.blank(column),
            Cell::List(items) if column.field.kind.is_list() => {
                for item in items {
                    self.text(column, item);
                }
            }
            Cell::List(items) => self.text(column, &items.join(", ")),
        }
    }

    fn text(&mut self, column: &BoundColumn, raw: &str) {
        let tidy = text::tidy(raw);
        if tidy == CLEAR {
            return self.clear(column);
        }
        let field = &column.field;
        match self
            .binding
            .locale
            .blank_words
            .is_blank(&tidy, field.kind == FieldKind::Name)
        {
            Blank::Empty => return self.blank(column),
            Blank::Word => {
                let note = Note::treated_as_blank(&field.key, &tidy);
                self.candidate.notes.push(note);
                return self.blank(column);
            }
            Blank::No => {}
        }
        match &field.kind {
            FieldKind::Phone => self.phone_cell(column, &tidy),
            FieldKind::Email => self.email_cell(column, &tidy),
            _ => match read_one(self.normaliser, column, &tidy) {
                Ok(Said::Value(value)) => self.give(column, value),
                Ok(Said::Nothing) => {}
                Err(problem) => self.issue(column, &problem, &tidy),
            },
        }
    }

    fn phone_cell(&mut self, column: &BoundColumn, cell: &str) {
        let phones = &self.normaliser.phones;
        for part in phones.split_cell(cell, self.region) {
            let part = text::tidy(part);
            if part.is_empty() {
                continue;
            }
            match phones.parse(&part, self.region) {
                Ok(parsed) => {
                    if parsed.zero_restored {
                        self.candidate
                            .notes
                            .push(Note::zero_restored(&column.field.key, &part));
                    }
                    self.give(
                        column,
                        Value::Many(smallvec![parsed.number.into_string().into()]),
                    );
                }
                Err(problem) => self.issue(column, &problem, &part),
            }
        }
    }

    /// A cell is one address, or several separated by `,` `;` `|` or line ends; an address may contain these only in
    /// quotation marks.
    fn email_cell(&mut self, column: &BoundColumn, cell: &str) {
        let whole = email::EmailAddress::parse(cell);
        if whole.is_ok() || cell.contains('"') {
            return self.email(column, cell, whole);
        }
        for part in cell
            .split([',', ';', '|', '\n'])
            .map(text::trim)
            .filter(|part| !part.is_empty())
        {
            self.email(column, part, email::EmailAddress::parse(part));
        }
    }

    fn email(
        &mut self,
        column: &BoundColumn,
        text: &str,
        read: Result<email::EmailAddress, Problem>,
    ) {
        match read {
            Ok(address) => self.give(column, Value::Many(smallvec![address.into_string().into()])),
            Err(problem) => self.issue(column, &problem, text),
        }
    }

    /// Whether a cell says nothing.
    fn is_blank(&self, column: &BoundColumn, cell: &Cell<'_>) -> bool {
        let words = &self.binding.locale.blank_words;
        let in_name = column.field.kind == FieldKind::Name;
        let blank = |text: &str| words.is_blank(&text::tidy(text), in_name) != Blank::No;
        match cell {
            Cell::Absent | Cell::Null => true,
            Cell::Text(text) => blank(text),
            Cell::List(items) => items.iter().all(|item| blank(item)),
        }
    }

    /// A cell that says nothing clears the field where the mapping says so.
    fn blank(&mut self, column: &BoundColumn) {
        match column.blank {
            BlankRule::Ignore => {}
            BlankRule::Clear => self.clear(column),
        }
    }

    /// Adds the tags of the whole file to a record that brings something of its own.
    fn tags(&mut self) {
        if let Some((column, tags)) = &self.binding.tags
            && self.candidate.has_value()
        {
            self.give(column, Value::Many(tags.clone()));
        }
    }

    /// Takes a value in: list fields collect, of single ones the last filled column counts.
    fn give(&mut self, column: &BoundColumn, value: Value) {
        let given = &mut self.candidate.given;
        let position = given
            .iter()
            .position(|(field, _)| *field == column.field.id);
        // One text of a list cannot repeat another.
        if position.is_none() && column.write == WriteMode::Replace && value.texts().len() == 1 {
            return given.push((column.field.id, Given::Set(value)));
        }
        let fills = column.write == WriteMode::OnlyIfEmpty;
        let Value::Many(new) = value else {
            let filled = if fills { Given::Fill } else { Given::Set };
            match position.map(|at| &mut given[at].1) {
                // What another column says is not empty.
                Some(Given::Set(_) | Given::Add(_)) if fills => {}
                // What another column clears is empty.
                Some(known @ Given::Clear) => *known = Given::Set(value),
                Some(known) => *known = filled(value),
                None => given.push((column.field.id, filled(value))),
            }
            return;
        };
        let mut texts = position.map_or_else(Texts::new, |at| given[at].1.texts().into());
        for text in new {
            if !texts
                .iter()
                .any(|known| crate::change::same_text(column.field.id, known, &text))
            {
                texts.push(text);
            }
        }
        // What another column replaces or clears stays replaced, whatever this one says.
        let adds = column.write == WriteMode::Add
            && position.is_none_or(|at| matches!(given[at].1, Given::Add(_)));
        let slot = if adds {
            Given::Add(texts)
        } else if fills {
            // All columns of a list fill it, or none does.
            Given::Fill(Value::Many(texts))
        } else {
            Given::Set(Value::Many(texts))
        };
        match position {
            Some(at) => given[at].1 = slot,
            None => given.push((column.field.id, slot)),
        }
    }

    fn clear(&mut self, column: &BoundColumn) {
        // A column that only fills what is empty takes nothing away.
        if column.write == WriteMode::OnlyIfEmpty {
            return;
        }
        let given = &mut self.candidate.given;
        let slot = given
            .iter_mut()
            .find(|(field, _)| *field == column.field.id);
        match slot {
            None => given.push((column.field.id, Given::Clear)),
            Some((_, slot @ Given::Add(_))) => {
                *slot = Given::Set(Value::Many(slot.texts().into()));
            }
            // Cleared, it is empty.
            Some((_, slot @ Given::Fill(_))) => {
                if let Given::Fill(value) = std::mem::replace(slot, Given::Clear) {
                    *slot = Given::Set(value);
                }
            }
            Some((_, Given::Set(_) | Given::Clear)) => {}
        }
    }

    fn issue(&mut self, column: &BoundColumn, problem: &Problem, value: &str) {
        self.candidate
            .issues
            .push(Issue::of_value(&column.field.key, problem, value));
    }
}

/// Reads the text of every kind of field but phones and emails.
fn read_one(normaliser: &Normaliser, column: &BoundColumn, tidy: &str) -> Result<Said, Problem> {
    let kind = &column.field.kind;
    let one = |text: &str| Ok(Said::Value(Value::One(text.into())));
    match kind {
        FieldKind::ExternalId => match external_id::ExternalId::parse(tidy)? {
            Some(id) => one(&id.into_string()),
            None => Ok(Said::Nothing),
        },
        FieldKind::Name | FieldKind::Text | FieldKind::LongText => {
            text::check(tidy, kind.max_chars(), *kind == FieldKind::LongText)?;
            one(tidy)
        }
        FieldKind::Date { partial } => {
            let options = DateOptions {
                allow_partial: *partial,
                ..DateOptions::FULL
            };
            let date = date::parse_in_column(tidy, &column.dates, options);
            let date = date.map_err(|problem| contradicted(column, problem))?;
            Ok(Said::Value(Value::One(date.to_compact_string())))
        }
        FieldKind::Time => one(&time::parse(tidy)?),
        FieldKind::DateTime => {
            date::parse_in_column(tidy, &column.dates, DateOptions::FULL)
                .map_err(|problem| contradicted(column, problem))?;
            let order = match column.dates {
                DateDecision::Decided(order) => Some(order),
                _ => None,
            };
            one(&time::parse_date_time(tidy, order, DateOptions::FULL)?)
        }
        FieldKind::Language => Ok(Said::Value(Value::One(normaliser.language(tidy)?))),
        FieldKind::Country => one(normaliser.country(tidy)?),
        FieldKind::Tags => {
            let tags = tags::parse(tidy)?;
            Ok(if tags.is_empty() {
                Said::Nothing
            } else {
                Said::Value(Value::Many(tags.into_iter().map(Text::from).collect()))
            })
        }
        FieldKind::Number => one(&number::parse(tidy)?),
        FieldKind::Boolean => one(boolean::parse(tidy)?),
        FieldKind::Choice(options) => one(choice::parse(tidy, options)?),
        FieldKind::Choices(options) => {
            let codes: Texts = choice::parse_many(tidy, options)?
                .into_iter()
                .map(Text::from)
                .collect();
            Ok(if codes.is_empty() {
                Said::Nothing
            } else {
                Said::Value(Value::Many(codes))
            })
        }
        FieldKind::Url => {
            let url = url::parse(tidy)?;
            text::check(&url, kind.max_chars(), false)?;
            one(&url)
        }
        FieldKind::Phone | FieldKind::Email => Ok(Said::Nothing), // Read by the cell, above.
    }
}

/// Names the values for which no numeric date of this column can be trusted.
fn contradicted(column: &BoundColumn, problem: Problem) -> Problem {
    match (&column.dates, problem) {
        (DateDecision::Contradictory { witnesses }, Problem::DateAmbiguous) => {
            let witnesses = witnesses
                .iter()
                .map(|witness| witness.value.clone())
                .collect();
            Problem::DateContradicted { witnesses }
        }
        (_, problem) => problem,
    }
}
