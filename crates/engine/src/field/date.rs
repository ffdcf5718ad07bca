//! Dates: calendar days and partial dates, as people and programs write them.
//!
//! Text is understood in two steps. `field/date/scan.rs` first says what is *written*: one date, or, for numeric forms such
//! as `10/09/03`, what each [`DateOrder`] would make of it. Then the order is applied. Without an order a numeric date
//! is taken only if every order that can read it gives the same day; otherwise it is ambiguous. A guess is never made
//! from one value: the order of a column comes from all of its values, see [`DateEvidence`].
//!
//! Rules worth knowing:
//! - The date is taken as written. A time and a zone beside it must be well formed, but they never shift the day.
//! - A year has four digits. Two-digit years fall into the hundred years that end with
//!   [`DateOptions::last_two_digit_year`]; there is no clock here, so the default is fixed.
//! - A four-digit year in front means year, month, day, whatever the order; `YMD` says nothing about dates that end
//!   with a four-digit year, so those are read as if no order were given.
//! - Spreadsheet serial numbers, Unix times and seven-digit numbers are not dates: they cannot be told from others.

mod column;
mod declared;
mod names;
pub(crate) mod scan;

use std::fmt;
use std::str::FromStr;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

pub use self::column::{DateDecision, DateEvidence, DateQuestion, DateWitness, parse_in_column};
pub use self::declared::{DateFormat, parse_declared};
use crate::issue::Problem;

/// In which order a numeric date names day, month and year.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DateOrder {
    /// Day, month, year: `25.09.2003`.
    Dmy,
    /// Month, day, year: `09/25/2003`.
    Mdy,
    /// Year, month, day: `03-09-25`.
    Ymd,
}

impl DateOrder {
    /// All orders.
    pub const ALL: [DateOrder; 3] = [DateOrder::Dmy, DateOrder::Mdy, DateOrder::Ymd];

    /// The order as messages show it: `DMY`.
    pub fn code(self) -> &'static str {
        match self {
            DateOrder::Dmy => "DMY",
            DateOrder::Mdy => "MDY",
            DateOrder::Ymd => "YMD",
        }
    }
}

impl FromStr for DateOrder {
    type Err = UnknownDateOrder;

    fn from_str(text: &str) -> Result<DateOrder, UnknownDateOrder> {
        DateOrder::ALL
            .into_iter()
            .find(|order| order.code().eq_ignore_ascii_case(text))
            .ok_or(UnknownDateOrder)
    }
}

/// The text names no date order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownDateOrder;

impl fmt::Display for UnknownDateOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("unknown date order; use `dmy`, `mdy` or `ymd`")
    }
}

impl std::error::Error for UnknownDateOrder {}

/// What a date may be, and how two-digit years are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DateOptions {
    /// Whether a date may lack its year, its month or its day.
    pub allow_partial: bool,
    /// Two-digit years fall into the hundred years that end with this one.
    pub last_two_digit_year: u16,
}

impl DateOptions {
    /// `29` is 2029 and `30` is 1930: the rule of the common spreadsheets, so that a date means what its author saw.
    pub const LAST_TWO_DIGIT_YEAR: u16 = 2029;

    /// Only full dates, and the default for two-digit years.
    pub const FULL: DateOptions = DateOptions {
        allow_partial: false,
        last_two_digit_year: DateOptions::LAST_TWO_DIGIT_YEAR,
    };

    fn year_of_two_digits(self, digits: u16) -> u16 {
        let last = self.last_two_digit_year;
        let year = last - last % 100 + digits;
        if year > last {
            year.saturating_sub(100)
        } else {
            year
        }
    }
}

impl Default for DateOptions {
    fn default() -> DateOptions {
        DateOptions {
            allow_partial: true,
            ..DateOptions::FULL
        }
    }
}

/// A day of the calendar, or what is known of one.
///
/// Printed and stored as ISO 8601 writes it: `1990-05-17`, `1990-05`, `1990`, `--05-17`, `--05`, `---17`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PartialDate {
    year: Option<u16>,
    month: Option<u8>,
    day: Option<u8>,
}

impl PartialDate {
    /// A date from what is known of it; none if the calendar has no such day, if nothing is known, or if only the
    /// month is missing.
    pub fn new(year: Option<u16>, month: Option<u8>, day: Option<u8>) -> Option<PartialDate> {
        /// Has a 29 February.
        const LEAP_YEAR: u16 = 2000;

        let possible = match (year, month, day) {
            (None, None, None) | (Some(_), None, Some(_)) => false,
            (year, month, day) => {
                let (year, month, day) = (
                    year.unwrap_or(LEAP_YEAR),
                    month.unwrap_or(1),
                    day.unwrap_or(1),
                );
                // Only the end of a month needs the calendar, which is slow to say no: it makes an error with a text.
                matches!(year, 1..=9999)
                    && matches!(month, 1..=12)
                    && (matches!(day, 1..=28) || civil(year, month, day).is_some())
            }
        };
        possible.then_some(PartialDate { year, month, day })
    }

    /// A full date, if the calendar has it.
    pub fn full(year: u16, month: u8, day: u8) -> Option<PartialDate> {
        PartialDate::new(Some(year), Some(month), Some(day))
    }

    /// The year, if known.
    pub fn year(self) -> Option<u16> {
        self.year
    }

    /// The month, if known.
    pub fn month(self) -> Option<u8> {
        self.month
    }

    /// The day of the month, if known.
    pub fn day(self) -> Option<u8> {
        self.day
    }

    /// The day of the calendar, if nothing is missing.
    pub fn to_date(self) -> Option<Date> {
        civil(self.year?, self.month?, self.day?)
    }

    /// For people, with the month's name so that nobody has to know an order: `17 May 1990`, `May 1990`, `17 May`.
    pub fn to_display(self) -> String {
        let month = self
            .month
            .and_then(|month| names::ENGLISH.get(usize::from(month) - 1).copied());
        match (self.year, month, self.day) {
            (Some(year), Some(month), Some(day)) => format!("{day} {month} {year:04}"),
            (Some(year), Some(month), None) => format!("{month} {year:04}"),
            (Some(year), None, _) => format!("{year:04}"),
            (None, Some(month), Some(day)) => format!("{day} {month}"),
            (None, Some(month), None) => month.to_owned(),
            (None, None, Some(day)) => format!("day {day}"),
            (None, None, None) => String::new(),
        }
    }
}

impl fmt::Display for PartialDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.year, self.month, self.day) {
            (Some(year), Some(month), Some(day)) => {
                // Nearly all dates are full, and the general way of writing numbers takes longer than reading them did.
                let digit = |number: u16| b'0' + (number % 10).to_le_bytes()[0];
                let (month, day) = (u16::from(month), u16::from(day));
                let text = [
                    digit(year / 1000),
                    digit(year / 100),
                    digit(year / 10),
                    digit(year),
                    b'-',
                    digit(month / 10),
                    digit(month),
                    b'-',
                    digit(day / 10),
                    digit(day),
                ];
                f.write_str(std::str::from_utf8(&text).unwrap_or_default())
            }
            (Some(year), Some(month), None) => write!(f, "{year:04}-{month:02}"),
            (Some(year), None, _) => write!(f, "{year:04}"),
            (None, Some(month), Some(day)) => write!(f, "--{month:02}-{day:02}"),
            (None, Some(month), None) => write!(f, "--{month:02}"),
            (None, None, Some(day)) => write!(f, "---{day:02}"),
            (None, None, None) => Ok(()),
        }
    }
}

/// Reads a date.
///
/// `order` is what the column, the source or the workspace has decided for numeric dates.
///
/// ```
/// use rollbook_engine::field::date::{DateOptions, DateOrder, parse};
/// use rollbook_engine::issue::Problem;
///
/// let options = DateOptions::default();
/// let date = parse("10/09/03", Some(DateOrder::Dmy), options).unwrap();
/// assert_eq!(date.to_string(), "2003-09-10");
/// assert_eq!(parse("10/09/03", None, options), Err(Problem::DateAmbiguous));
/// assert_eq!(parse("5th of May", None, options).unwrap().to_string(), "--05-05");
/// ```
pub fn parse(
    text: &str,
    order: Option<DateOrder>,
    options: DateOptions,
) -> Result<PartialDate, Problem> {
    let text = scan::trim(text);
    let written = match scan::numeric(text, options) {
        Some(written) => written,
        None => {
            scan::read(text, options)
                .ok_or_else(|| invalid(order))?
                .written
        }
    };
    settle(written.under(order), order, options)
}

/// The end of every way to a date: turns a reading into a value or a problem.
fn settle(
    reading: Result<PartialDate, Unreadable>,
    order: Option<DateOrder>,
    options: DateOptions,
) -> Result<PartialDate, Problem> {
    match reading {
        Ok(date) if options.allow_partial || date.to_date().is_some() => Ok(date),
        Ok(_) | Err(Unreadable::Invalid) => Err(invalid(order)),
        Err(Unreadable::Ambiguous) => Err(Problem::DateAmbiguous),
    }
}

/// The problem of a text that is no date under an order.
pub(crate) fn invalid(order: Option<DateOrder>) -> Problem {
    Problem::DateInvalid {
        order: order.map(|order| order.code().to_owned()),
    }
}

/// The calendar's word on a day.
fn civil(year: u16, month: u8, day: u8) -> Option<Date> {
    Date::new(
        i16::try_from(year).ok()?,
        i8::try_from(month).ok()?,
        i8::try_from(day).ok()?,
    )
    .ok()
}

/// Why a text gives no date under an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unreadable {
    Invalid,
    Ambiguous,
}

/// What is written, before an order is applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Written {
    /// The same under every order.
    Plain(Result<PartialDate, Unreadable>),
    /// What each order makes of it.
    Numeric(Numeric),
}

/// A numeric date whose meaning depends on the order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Numeric {
    /// By [`DateOrder`].
    pub(crate) readings: [Option<PartialDate>; 3],
    /// What can be said without an order.
    pub(crate) without_order: Result<PartialDate, Unreadable>,
    /// `YMD` says nothing about it: it ends with a four-digit year, say.
    pub(crate) silent_ymd: bool,
}

impl Numeric {
    /// Several readings; without an order they must agree.
    pub(crate) fn new(readings: [Option<PartialDate>; 3], silent_ymd: bool) -> Numeric {
        let mut possible = readings.into_iter().flatten();
        let without_order = match possible.next() {
            None => Err(Unreadable::Invalid),
            Some(first) if possible.all(|other| other == first) => Ok(first),
            Some(_) => Err(Unreadable::Ambiguous),
        };
        Numeric {
            readings,
            without_order,
            silent_ymd,
        }
    }

    /// The same, for forms that are too easily something else to be read without an order.
    pub(crate) fn needing_order(mut self) -> Numeric {
        if self.without_order.is_ok() {
            self.without_order = Err(Unreadable::Ambiguous);
        }
        self
    }
}

impl Written {
    /// Applies an order.
    pub(crate) fn under(self, order: Option<DateOrder>) -> Result<PartialDate, Unreadable> {
        match (self, order) {
            (Written::Plain(reading), _) => reading,
            (Written::Numeric(numeric), Some(order))
                if !(numeric.silent_ymd && order == DateOrder::Ymd) =>
            {
                numeric.readings[order as usize].ok_or(Unreadable::Invalid)
            }
            (Written::Numeric(numeric), _) => numeric.without_order,
        }
    }
}

#[cfg(test)]
mod tests;
