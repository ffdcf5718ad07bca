//! Dates.
use crate::issue::Problem;

/// The order of day, month and year.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DateOrder {
    /// Day first.
    Dmy,
    /// Month first.
    Mdy,
    /// Year first.
    Ymd,
}

impl std::str::FromStr for DateOrder {
    type Err = String;
    fn from_str(text: &str) -> Result<DateOrder, String> {
        match text {
            "dmy" => Ok(DateOrder::Dmy),
            "mdy" => Ok(DateOrder::Mdy),
            "ymd" => Ok(DateOrder::Ymd),
            _ => Err(text.to_owned()),
        }
    }
}

/// What a date may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DateOptions {
    /// Whether a date may lack its year, its month or its day.
    pub allow_partial: bool,
    /// Two-digit years fall into the hundred years that end with this one.
    pub last_two_digit_year: u16,
}

impl DateOptions {
    /// Only full dates.
    pub const FULL: DateOptions = DateOptions {
        allow_partial: false,
        last_two_digit_year: 2029,
    };
}

/// Reads a date.
pub fn parse(
    text: &str,
    _order: Option<DateOrder>,
    _options: DateOptions,
) -> Result<String, Problem> {
    Ok(text.to_owned())
}

/// What values say.
#[derive(Debug, Clone, Default)]
pub struct DateEvidence;

impl DateEvidence {
    /// Nothing seen.
    pub fn new() -> DateEvidence {
        DateEvidence
    }
    /// Takes in.
    pub fn observe(&mut self, _text: &str) {}
    /// Decides.
    pub fn decide(&self, _fallback: Option<DateOrder>) -> DateDecision {
        DateDecision::NoNumericDates
    }
}

/// A decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DateDecision {
    /// None.
    NoNumericDates,
    /// Decided.
    Decided(DateOrder),
    /// Open.
    Ambiguous,
    /// Contradictory.
    Contradictory {
        /// Day-first witness.
        dmy: String,
        /// Month-first witness.
        mdy: String,
    },
}
