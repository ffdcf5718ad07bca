//! Dates of a declared format: what a standard says, and nothing else.

use std::str::FromStr;

use super::scan::{self, Zone};
use super::{DateOptions, PartialDate, UnknownDateOrder, Unreadable, settle};
use crate::issue::Problem;

/// A format that a source declares, with rules of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DateFormat {
    /// The profile of ISO 8601 that RFC 3339 defines: `2003-09-25`, or with `T`, a time and an offset.
    StrictIso,
    /// vCard 3 and 4: basic and extended forms, `1980-04`, `--0420`, `---20`.
    VCard,
    /// HL7 version 2, `YYYY[MM[DD[HH[MM[SS[.S]]]]]][±ZZZZ]`.
    Hl7,
}

impl FromStr for DateFormat {
    type Err = UnknownDateOrder;

    fn from_str(text: &str) -> Result<DateFormat, UnknownDateOrder> {
        match text {
            "iso" => Ok(DateFormat::StrictIso),
            "vcard" => Ok(DateFormat::VCard),
            "hl7" => Ok(DateFormat::Hl7),
            _ => Err(UnknownDateOrder),
        }
    }
}

/// Reads a date by the rules of its format.
pub fn parse_declared(
    text: &str,
    format: DateFormat,
    options: DateOptions,
) -> Result<PartialDate, Problem> {
    let date = match format {
        DateFormat::StrictIso => strict_iso(text, options),
        DateFormat::VCard => vcard(scan::trim(text), options),
        DateFormat::Hl7 => hl7(scan::trim(text)),
    };
    settle(date.ok_or(Unreadable::Invalid), None, options)
}

/// Not trimmed: outer blanks are not in the format.
fn strict_iso(text: &str, options: DateOptions) -> Option<PartialDate> {
    let shape: Vec<u8> = text
        .bytes()
        .map(|byte| if byte.is_ascii_digit() { b'0' } else { byte })
        .collect();
    let (day, time) = shape.split_at_checked(10)?;
    if day != b"0000-00-00" {
        return None;
    }
    if time.is_empty() {
        return super::parse(text, None, options).ok();
    }
    let time = time.strip_prefix(b"T").or(time.strip_prefix(b"t"))?;
    let rest = time.strip_prefix(b"00:00:00")?;
    let fraction = rest.strip_prefix(b".").map(|digits| {
        let end = digits
            .iter()
            .position(|&byte| byte != b'0')
            .unwrap_or(digits.len());
        (end, &digits[end..])
    });
    let zone = match fraction {
        Some((0, _)) => return None,
        Some((_, zone)) => zone,
        None => rest,
    };
    if !matches!(zone, b"Z" | b"z" | b"+00:00" | b"-00:00") {
        return None;
    }
    let scanned = scan::read(text, options)?;
    let clock = scanned.clock?;
    let Zone::Offset { minutes, .. } = scanned.zone else {
        return None;
    };
    // A leap second is the last second of a day in UTC.
    let minute = i32::from(clock.hour) * 60 + i32::from(clock.minute) - i32::from(minutes);
    let leap_second = clock.second == Some(60) && minute.rem_euclid(24 * 60) != 24 * 60 - 1;
    if clock.hour == 24 || leap_second {
        return None;
    }
    scanned.written.under(None).ok()
}

fn vcard(text: &str, options: DateOptions) -> Option<PartialDate> {
    let begins_with_year =
        text.len() >= 4 && text.bytes().take(4).all(|byte| byte.is_ascii_digit());
    let known = text.bytes().all(|byte| {
        matches!(
            byte,
            b'0'..=b'9' | b'-' | b'+' | b':' | b'.' | b'T' | b't' | b'Z' | b'z'
        )
    });
    if !known || !(begins_with_year || text.starts_with("--")) {
        return None;
    }
    super::parse(text, None, options).ok()
}

fn hl7(text: &str) -> Option<PartialDate> {
    let zone = text.find(['+', '-']).unwrap_or(text.len());
    let (stamp, zone) = text.split_at(zone);
    let (digits, fraction) = stamp.split_once('.').unwrap_or((stamp, "0"));
    let number = |from: usize, to: usize| {
        digits
            .get(from..to)
            .map(str::parse::<u8>)
            .and_then(Result::ok)
    };
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let zone_fits = zone.is_empty()
        || (zone.len() == 5 && all_digits(&zone[1..]) && &zone[1..3] < "24" && &zone[3..] < "60");
    let fraction_fits = (1..=4).contains(&fraction.len())
        && all_digits(fraction)
        && (digits.len() == 14 || stamp == digits);
    if !all_digits(digits)
        || !matches!(digits.len(), 4 | 6 | 8 | 10 | 12 | 14)
        || !zone_fits
        || !fraction_fits
    {
        return None;
    }
    let in_range = |at: usize, limit: u8| number(at, at + 2).is_none_or(|value| value < limit);
    if !(in_range(8, 24) && in_range(10, 60) && in_range(12, 60)) {
        return None;
    }
    PartialDate::new(digits.get(..4)?.parse().ok(), number(4, 6), number(6, 8))
}

#[cfg(test)]
mod tests {
    use super::{DateFormat, parse_declared};
    use crate::field::date::DateOptions;

    fn check(format: DateFormat, text: &str, expected: &str) {
        let found = parse_declared(text, format, DateOptions::default());
        let found = found.map_or_else(|_| "invalid".to_owned(), |date| date.to_string());
        assert_eq!(found, expected, "{format:?} {text}");
    }

    #[test]
    fn strict_iso_is_what_rfc_3339_says() {
        for (text, expected) in [
            ("2003-09-25", "2003-09-25"),
            ("1987-06-14t10:35:27.5z", "1987-06-14"),
            ("1998-12-31T15:59:60-08:00", "1998-12-31"),
            ("1998-12-31T15:59:60Z", "invalid"),
            ("1987-06-14T10:35:27", "invalid"),
            ("1987-06-14T10:35Z", "invalid"),
            ("1987-06-14T10:35:27.Z", "invalid"),
            ("2003-09-25T24:00:00Z", "invalid"),
            ("20030925", "invalid"),
            ("2003-9-25", "invalid"),
            (" 2003-09-25", "invalid"),
            ("2003-09", "invalid"),
            ("2003-09-2５", "invalid"),
            ("", "invalid"),
        ] {
            check(DateFormat::StrictIso, text, expected);
        }
    }

    #[test]
    fn vcard_has_partial_dates() {
        for (text, expected) in [
            ("19960415", "1996-04-15"),
            ("--0415", "--04-15"),
            ("--04", "--04"),
            ("---15", "---15"),
            ("1985-04", "1985-04"),
            ("1985", "1985"),
            ("19531015T231000Z", "1953-10-15"),
            ("198504", "invalid"),
            ("10-09-2003", "invalid"),
            ("15 Apr 1996", "invalid"),
        ] {
            check(DateFormat::VCard, text, expected);
        }
    }

    #[test]
    fn hl7_keeps_the_precision_that_was_sent() {
        for (text, expected) in [
            ("1988", "1988"),
            ("198807", "1988-07"),
            ("19880705", "1988-07-05"),
            ("1988070516", "1988-07-05"),
            ("19880705161300.1234+0100", "1988-07-05"),
            ("19880705-0500", "1988-07-05"),
            ("198813", "invalid"),
            ("1988070525", "invalid"),
            ("19880705.1", "invalid"),
            ("1988-07-05", "invalid"),
            ("19880705+9900", "invalid"),
        ] {
            check(DateFormat::Hl7, text, expected);
        }
    }
}
