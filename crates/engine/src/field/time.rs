//! Times of day, and days with a time.
//!
//! A time of day is stored as `HH:MM`, or `HH:MM:SS` if seconds were written; a date-time as `YYYY-MM-DDTHH:MM:SS`
//! with the offset it was written with, and without one if it was local. Nothing is shifted to another zone, and
//! fractions of a second are dropped.

use std::fmt::Write;

use super::date::scan::{self, Clock, Zone};
use super::date::{DateOptions, DateOrder, Unreadable, invalid};
use crate::issue::Problem;

/// Reads a time of day: `14:30`, `2:30 pm`, `14h30`, `14.30`, `14 Uhr`.
///
/// ```
/// assert_eq!(rollbook_engine::field::time::parse("2:30 pm").unwrap(), "14:30");
/// ```
pub fn parse(text: &str) -> Result<String, Problem> {
    let clock = scan::time_of_day(scan::trim(text)).ok_or(Problem::TimeInvalid)?;
    if !is_on_the_clock(clock) {
        return Err(Problem::TimeInvalid);
    }
    Ok(match clock.second {
        Some(second) => format!("{:02}:{:02}:{second:02}", clock.hour, clock.minute),
        None => format!("{:02}:{:02}", clock.hour, clock.minute),
    })
}

/// Reads a day with a time of day, in any form that dates have.
///
/// A date without a time is no date-time: midnight would be an invention. The same holds for an abbreviated zone that
/// does not stand for one offset. Both are `time.invalid`.
pub fn parse_date_time(
    text: &str,
    order: Option<DateOrder>,
    options: DateOptions,
) -> Result<String, Problem> {
    let text = scan::trim(text);
    let scanned = scan::read(text, options).ok_or_else(|| invalid(order))?;
    let date = match scanned.written.under(order) {
        Ok(date) if date.to_date().is_some() => date,
        Ok(_) | Err(Unreadable::Invalid) => return Err(invalid(order)),
        Err(Unreadable::Ambiguous) => return Err(Problem::DateAmbiguous),
    };
    let clock = scanned
        .clock
        .filter(|&clock| is_on_the_clock(clock))
        .ok_or(Problem::TimeInvalid)?;
    let offset = offset(scanned.zone).ok_or(Problem::TimeInvalid)?;
    let second = clock.second.unwrap_or(0);
    Ok(format!(
        "{date}T{:02}:{:02}:{second:02}{offset}",
        clock.hour, clock.minute
    ))
}

/// For people: a canonical date-time with a space instead of the `T`.
pub fn to_display(canonical: &str) -> String {
    canonical.replacen('T', " ", 1)
}

/// The end of a day (24:00) and leap seconds are fine beside a date, but they are no time that can be stored.
fn is_on_the_clock(clock: Clock) -> bool {
    clock.hour < 24 && clock.second.is_none_or(|second| second < 60)
}

fn offset(zone: Zone) -> Option<String> {
    let minutes = match zone {
        Zone::Unsaid => return Some(String::new()),
        Zone::Unknown => return None,
        Zone::Offset { zulu: true, .. } => return Some("Z".to_owned()),
        Zone::Offset { minutes, .. } => minutes,
    };
    let mut text = String::with_capacity(6);
    let sign = if minutes < 0 { '-' } else { '+' };
    let minutes = minutes.unsigned_abs();
    write!(text, "{sign}{:02}:{:02}", minutes / 60, minutes % 60).ok()?;
    Some(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{parse, parse_date_time, to_display};
    use crate::field::date::{DateOptions, DateOrder};

    fn code(found: Result<String, crate::issue::Problem>) -> String {
        found.unwrap_or_else(|problem| problem.code().to_owned())
    }

    #[test]
    fn times_are_read_as_people_write_them() {
        for (text, expected) in [
            ("14:30", "14:30"),
            ("9:05", "09:05"),
            ("14:30:15", "14:30:15"),
            ("14:30:15.250", "14:30:15"),
            ("2:30 pm", "14:30"),
            ("2:30PM", "14:30"),
            ("2:30 p.m.", "14:30"),
            ("12 am", "00:00"),
            ("12 pm", "12:00"),
            ("12:15 a.m.", "00:15"),
            ("14h30", "14:30"),
            ("14 h 30", "14:30"),
            ("14h", "14:00"),
            ("14.30", "14:30"),
            ("14.30 Uhr", "14:30"),
            ("14 Uhr", "14:00"),
            ("um 14 Uhr 30", "14:30"),
            ("18時25分", "18:25"),
            ("noon", "12:00"),
            ("T14:30", "time.invalid"),
            ("24:00", "time.invalid"),
            ("23:59:60", "time.invalid"),
            ("25:00", "time.invalid"),
            ("14:60", "time.invalid"),
            ("14:3", "time.invalid"),
            ("15:10 am", "time.invalid"),
            ("14", "time.invalid"),
            ("14.3", "time.invalid"),
            ("1430", "time.invalid"),
            ("14:30 Z", "time.invalid"),
            ("14:30 x", "time.invalid"),
            ("17 May 14:30", "time.invalid"),
            ("", "time.invalid"),
        ] {
            assert_eq!(code(parse(text)), expected, "{text}");
        }
    }

    #[test]
    fn date_times_keep_their_offset() {
        for (text, expected) in [
            ("1987-06-14T10:35:27", "1987-06-14T10:35:27"),
            ("1987-06-14 10:35", "1987-06-14T10:35:00"),
            ("1987-06-14T10:35:27.5Z", "1987-06-14T10:35:27Z"),
            ("1987-06-14T10:35:27-03:30", "1987-06-14T10:35:27-03:30"),
            ("19870614T103527+02", "1987-06-14T10:35:27+02:00"),
            ("19870614103527+0200", "1987-06-14T10:35:27+02:00"),
            ("Sun, 14 Jun 1987 10:35:27 GMT", "1987-06-14T10:35:27+00:00"),
            ("25.09.2003 14.30", "2003-09-25T14:30:00"),
            ("10/09/2003 2:30 pm", "2003-09-10T14:30:00"),
            ("1987-06-14 10:35 BRST", "time.invalid"),
            ("2003-09-25", "time.invalid"),
            ("2003-09-25T24:00", "time.invalid"),
            ("2003-09-31T10:00", "date.invalid"),
            ("10:00", "date.invalid"),
            ("2003-09", "date.invalid"),
        ] {
            let found = parse_date_time(text, Some(DateOrder::Dmy), DateOptions::default());
            assert_eq!(code(found), expected, "{text}");
        }
        let found = parse_date_time("10/09/2003 14:30", None, DateOptions::default());
        assert_eq!(code(found), "date.ambiguous");
        assert_eq!(to_display("1987-06-14T10:35:27Z"), "1987-06-14 10:35:27Z");
    }

    proptest! {
        #[test]
        fn canonical_times_are_read_as_themselves(hour in 0u8..24, minute in 0u8..60, second in proptest::option::of(0u8..60)) {
            let text = match second {
                Some(second) => format!("{hour:02}:{minute:02}:{second:02}"),
                None => format!("{hour:02}:{minute:02}"),
            };
            prop_assert_eq!(parse(&text), Ok(text.clone()));
        }

        #[test]
        fn canonical_date_times_are_read_as_themselves(
            hour in 0u8..24, minute in 0u8..60, zone in "|Z|[+-](0[0-9]|1[0-4]):(00|30|45)"
        ) {
            let text = format!("1990-05-17T{hour:02}:{minute:02}:07{zone}");
            let expected = text.replace("-00:00", "+00:00");
            prop_assert_eq!(parse_date_time(&text, None, DateOptions::default()), Ok(expected));
        }

        #[test]
        fn nothing_panics(text in "[0-9:.hpamT +Z-]{0,16}|\\PC{0,30}") {
            let _ = parse(&text);
            let _ = parse_date_time(&text, None, DateOptions::default());
        }
    }
}
