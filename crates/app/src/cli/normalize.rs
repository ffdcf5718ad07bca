//! `rollbook normalize`: how would Rollbook read these values?

use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::sync::Arc;

use clap::{Args, ValueEnum};
use rollbook_engine::candidate::Given;
use rollbook_engine::contact::{Text, Texts, Value};
use rollbook_engine::field::blank::BlankWords;
use rollbook_engine::field::choice::ChoiceOption;
use rollbook_engine::field::date::{self, DateFormat, DateOptions, DateOrder};
use rollbook_engine::field::email::EmailAddress;
use rollbook_engine::field::phone::PhoneReader;
use rollbook_engine::field::text;
use rollbook_engine::issue::Problem;
use rollbook_engine::mapping::{Binding, ColumnMapping, Locale, Mapping};
use rollbook_engine::normalise::Normaliser;
use rollbook_engine::record::{Header, Record};
use rollbook_engine::schema::{FieldDef, FieldId, FieldKind, Schema};
use serde::Serialize;

use super::{Done, usage};

/// Show how Rollbook reads values, one a line, without touching any data
///
/// Reads values from standard input, one a line, and prints a line for each: `ok`, a tab and the value as it would be
/// stored, or `error`, a tab and the code of the issue. With --json-lines each line is a JSON string, which may hold
/// line breaks, and the answer is `{"ok":value}` or `{"error":code}`.
///
/// A value here is one value: a cell of several phones or emails is several. Phones print as E.164 alone; with
/// --json-lines an extension is added as "extension". Dates may be partial (1990, 1990-05, --05-17). Words that a
/// workspace takes for blank (n/a, none) are not blank here, and an empty value is an error where a value has a form
/// (`phone.invalid`, `email.invalid`, `date.invalid`) and an empty `ok` for texts, names, External IDs and tags. Bytes
/// that are not UTF-8 and lines that are no JSON string answer `record.unreadable`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  echo '0171 3920012' | rollbook normalize phone --region DE      ok  +491713920012
  rollbook normalize email < addresses.txt
  cut -d';' -f4 guests.csv | rollbook normalize date --date-order dmy
  echo '\"+1 650 253 0000 ext. 12\"' | rollbook normalize phone --json-lines
  echo 'gold' | rollbook normalize choice --option gold=Gold --option silver=Silver")]
pub(super) struct Normalize {
    /// What the values are
    #[arg(value_enum)]
    kind: Kind,

    /// The region of phone numbers without a country code, for example US
    #[arg(long, value_parser = parse_region)]
    region: Option<String>,

    /// The order of day, month and year (dmy, mdy, ymd), or a declared format (iso, vcard, hl7)
    #[arg(long, value_name = "ORDER", value_parser = parse_date_reading)]
    date_order: Option<DateReading>,

    /// An option of a choice, as CODE=Label or one word for both; repeat it for each
    #[arg(long = "option", value_name = "CODE=LABEL")]
    options: Vec<String>,

    /// Read a JSON string a line and answer in JSON
    #[arg(long)]
    json_lines: bool,
}

/// The kinds of value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
enum Kind {
    /// A phone number, as E.164
    Phone,
    /// An email address
    Email,
    /// A date, possibly partial
    Date,
    /// A time of day
    Time,
    /// A date with a time
    #[value(alias = "date-time", alias = "datetime")]
    DateTime,
    /// A decimal number
    Number,
    /// Yes or no, as true or false
    Boolean,
    /// A language, as ISO 639
    Language,
    /// A country, as ISO 3166 alpha-2
    Country,
    /// A web address
    Url,
    /// An External ID
    #[value(alias = "external-id")]
    ExternalId,
    /// A name
    Name,
    /// One line of text
    Text,
    /// Text of several lines
    #[value(alias = "long-text")]
    LongText,
    /// Tags
    Tags,
    /// One of the options
    Choice,
    /// Some of the options
    Choices,
}

/// How dates are to be read.
#[derive(Debug, Clone, Copy)]
enum DateReading {
    Order(DateOrder),
    Declared(DateFormat),
}

/// What came of a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase", untagged)]
enum Answer {
    Ok {
        ok: Value,
        #[serde(skip_serializing_if = "Option::is_none")]
        extension: Option<String>,
    },
    Error {
        error: String,
    },
}

impl Answer {
    fn one(text: impl Into<Text>) -> Answer {
        Answer::Ok {
            ok: Value::One(text.into()),
            extension: None,
        }
    }

    fn problem(problem: &Problem) -> Answer {
        Answer::Error {
            error: problem.code().to_owned(),
        }
    }

    fn unreadable() -> Answer {
        Answer::Error {
            error: "record.unreadable".to_owned(),
        }
    }
}

impl Normalize {
    /// Answers every line of standard input.
    pub(super) fn run(&self) -> anyhow::Result<Done> {
        let reader = self.reader()?;
        let mut input = BufReader::with_capacity(1 << 16, io::stdin().lock());
        let mut out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
        let mut line = Vec::new();
        loop {
            // Whoever asks one line at a time gets an answer at a time.
            if input.buffer().is_empty() {
                out.flush()?;
            }
            line.clear();
            if input.read_until(b'\n', &mut line)? == 0 {
                break;
            }
            if line.last() == Some(&b'\n') {
                line.pop();
            }
            if line.last() == Some(&b'\r') {
                line.pop();
            }
            let answer = if self.json_lines {
                serde_json::from_slice::<String>(&line)
                    .map_or_else(|_| Answer::unreadable(), |value| reader.answer(&value))
            } else {
                std::str::from_utf8(&line)
                    .map_or_else(|_| Answer::unreadable(), |value| reader.answer(value))
            };
            if self.json_lines {
                super::terminal::print_json(&mut out, &answer)?;
            } else {
                print_plain(&mut out, &answer)?;
            }
        }
        out.flush()?;
        Ok(Done::Fully)
    }

    fn reader(&self) -> anyhow::Result<Reader> {
        let options = || {
            let option = |text: &String| {
                let (code, label) = text.split_once('=').unwrap_or((text, text));
                ChoiceOption {
                    code: code.to_owned(),
                    label: label.to_owned(),
                }
            };
            if self.options.is_empty() {
                return Err(usage(
                    "a choice needs its options; give each with --option CODE=LABEL",
                ));
            }
            Ok(self.options.iter().map(option).collect())
        };
        let order = match self.date_order {
            Some(DateReading::Order(order)) => Some(order),
            Some(DateReading::Declared(format)) if self.kind == Kind::Date => {
                return Ok(Reader::Declared(format));
            }
            Some(DateReading::Declared(_)) => {
                return Err(usage(
                    "iso, vcard and hl7 are formats of dates alone; use dmy, mdy or ymd",
                ));
            }
            None => None,
        };
        let kind = match self.kind {
            Kind::Phone => {
                return Ok(Reader::Phone(PhoneReader::new(), self.region.clone()));
            }
            Kind::Email => return Ok(Reader::Email),
            Kind::Date => return Ok(Reader::Date(order)),
            Kind::Time => FieldKind::Time,
            Kind::DateTime => FieldKind::DateTime,
            Kind::Number => FieldKind::Number,
            Kind::Boolean => FieldKind::Boolean,
            Kind::Language => FieldKind::Language,
            Kind::Country => FieldKind::Country,
            Kind::Url => FieldKind::Url,
            Kind::ExternalId => FieldKind::ExternalId,
            Kind::Name => FieldKind::Name,
            Kind::Text => FieldKind::Text,
            Kind::LongText => FieldKind::LongText,
            Kind::Tags => FieldKind::Tags,
            Kind::Choice => FieldKind::Choice(options()?),
            Kind::Choices => FieldKind::Choices(options()?),
        };
        Ok(Reader::field(kind, order))
    }
}

fn print_plain(out: &mut impl Write, answer: &Answer) -> io::Result<()> {
    match answer {
        Answer::Ok { ok, .. } => {
            out.write_all(b"ok\t")?;
            for (position, text) in ok.texts().iter().enumerate() {
                if position > 0 {
                    out.write_all(b", ")?;
                }
                out.write_all(text.as_bytes())?;
            }
        }
        Answer::Error { error } => {
            out.write_all(b"error\t")?;
            out.write_all(error.as_bytes())?;
        }
    }
    out.write_all(b"\n")
}

/// A reader of one kind of value. Phones, emails and dates are read one by one; all else as a cell of a record.
enum Reader {
    Phone(PhoneReader, Option<String>),
    Email,
    Date(Option<DateOrder>),
    Declared(DateFormat),
    Field(Box<FieldReader>),
}

struct FieldReader {
    normaliser: Normaliser,
    binding: Binding,
    field: FieldId,
    kind: FieldKind,
}

impl Reader {
    fn field(kind: FieldKind, order: Option<DateOrder>) -> Reader {
        const NAME: &str = "value";
        let field = if kind == FieldKind::ExternalId {
            FieldId::EXTERNAL_ID
        } else {
            FieldId::FIRST_CUSTOM
        };
        let schema = Arc::new(Schema::with_custom(vec![FieldDef {
            id: FieldId::FIRST_CUSTOM,
            key: NAME.to_owned(),
            label: NAME.to_owned(),
            kind: kind.clone(),
        }]));
        let mapping = Mapping {
            columns: vec![ColumnMapping {
                column: NAME.to_owned(),
                field: Some(schema.key_of(field).into_string()),
                ..ColumnMapping::default()
            }],
        };
        let header = Header {
            names: vec![NAME.to_owned()],
        };
        let locale = Locale {
            region: None,
            date_order: order,
            blank_words: BlankWords::new([], []),
        };
        let binding = mapping
            .bind(&header, &schema, &locale)
            .expect("the mapping was made for this header and schema");
        Reader::Field(Box::new(FieldReader {
            normaliser: Normaliser::new(),
            binding,
            field,
            kind,
        }))
    }

    fn answer(&self, raw: &str) -> Answer {
        match self {
            Reader::Phone(phones, region) => {
                match phones.parse(&text::tidy(raw), region.as_deref()) {
                    Ok(parsed) => Answer::Ok {
                        ok: Value::One(parsed.number.e164().into()),
                        extension: parsed.number.extension().map(str::to_owned),
                    },
                    Err(problem) => Answer::problem(&problem),
                }
            }
            Reader::Email => match EmailAddress::parse(&text::tidy(raw)) {
                Ok(address) => Answer::one(address.as_str()),
                Err(problem) => Answer::problem(&problem),
            },
            Reader::Date(order) => {
                match date::parse(&text::tidy(raw), *order, DateOptions::default()) {
                    Ok(date) => Answer::one(date.to_string()),
                    Err(problem) => Answer::problem(&problem),
                }
            }
            Reader::Declared(format) => {
                match date::parse_declared(raw, *format, DateOptions::default()) {
                    Ok(date) => Answer::one(date.to_string()),
                    Err(problem) => Answer::problem(&problem),
                }
            }
            Reader::Field(reader) => reader.answer(raw),
        }
    }
}

impl FieldReader {
    fn answer(&self, raw: &str) -> Answer {
        let record: Record = std::iter::once(raw).collect();
        let candidate = self.normaliser.normalise(&record, &self.binding);
        if let Some(issue) = candidate.issues.into_iter().next() {
            return Answer::Error {
                error: issue.code.into_owned(),
            };
        }
        match candidate
            .given
            .into_iter()
            .find(|(id, _)| *id == self.field)
        {
            Some((_, Given::Set(value) | Given::Fill(value))) => Answer::Ok {
                ok: value,
                extension: None,
            },
            Some((_, Given::Add(texts))) => Answer::Ok {
                ok: Value::Many(texts),
                extension: None,
            },
            Some((_, Given::Clear)) | None => self.blank(),
        }
    }

    /// What an empty value is: nothing for texts, and no value of the kinds that have a form.
    fn blank(&self) -> Answer {
        let code = match &self.kind {
            FieldKind::ExternalId
            | FieldKind::Name
            | FieldKind::Text
            | FieldKind::LongText
            | FieldKind::Phone
            | FieldKind::Email => return Answer::one(""),
            FieldKind::Tags | FieldKind::Choices(_) => {
                return Answer::Ok {
                    ok: Value::Many(Texts::new()),
                    extension: None,
                };
            }
            FieldKind::Date { .. } | FieldKind::DateTime => "date.invalid",
            FieldKind::Time => "time.invalid",
            FieldKind::Language => "language.unknown",
            FieldKind::Country => "country.unknown",
            FieldKind::Number => "number.invalid",
            FieldKind::Boolean => "boolean.invalid",
            FieldKind::Choice(_) => "choice.unknown",
            FieldKind::Url => "url.invalid",
        };
        Answer::Error {
            error: code.to_owned(),
        }
    }
}

/// A region's code. Any two letters: the phone metadata knows more regions than ISO 3166 has countries.
fn parse_region(text: &str) -> Result<String, String> {
    let code = text.trim().to_ascii_uppercase();
    if code.len() == 2 && code.bytes().all(|byte| byte.is_ascii_uppercase()) {
        Ok(code)
    } else {
        Err("a region is a code of two letters such as US or DE".to_owned())
    }
}

fn parse_date_reading(text: &str) -> Result<DateReading, String> {
    let text = text.to_ascii_lowercase();
    if let Ok(order) = text.parse::<DateOrder>() {
        return Ok(DateReading::Order(order));
    }
    text.parse::<DateFormat>()
        .map(DateReading::Declared)
        .map_err(|_| "use dmy, mdy or ymd, or a format: iso, vcard, hl7".to_owned())
}
