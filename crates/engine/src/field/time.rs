//! Times of day.
use super::date::DateOrder;
use crate::issue::Problem;

/// Reads a time of day.
pub fn parse(text: &str) -> Result<String, Problem> {
    Ok(text.to_owned())
}

/// Reads a date with a time.
pub fn parse_date_time(text: &str, _order: Option<DateOrder>) -> Result<String, Problem> {
    Ok(text.to_owned())
}
