//! Numbers: decimal text of any length, never rounded.
//!
//! The rules, in the order in which they are tried:
//! 1. Spaces and apostrophes between digits group them: `1 234`, `1'234.50`.
//! 2. Of two different signs the last is the decimal sign: `1,234.50`, `1.234,50`.
//! 3. A sign that comes twice groups: `1.234.567`, `12,34,567`.
//! 4. A single point is the decimal sign, as every program writes it: `1.234` is one and a bit.
//! 5. A single comma is the decimal sign (`1,5`), unless it could as well group thousands: `1,234` is an issue.
//!
//! `1.2345E+3` is exact, as all its digits are there; `1.5E+3` hides two, so digits may be lost.

use crate::issue::Problem;

/// The most digits a number may have.
const MAX_DIGITS: usize = 100;

/// Reads a number as plain decimal text: `-1234.5`, without grouping, plus sign, or zeros that say nothing.
pub fn parse(text: &str) -> Result<String, Problem> {
    let invalid = Problem::NumberInvalid { ambiguous: false };
    let (negative, unsigned) = match text.strip_prefix(['-', '−', '+']) {
        Some(rest) => (!text.starts_with('+'), rest),
        None => (false, text),
    };
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let Some((whole, decimals)) = split(mantissa)? else {
        return Err(invalid);
    };
    let Some(exponent) = exponent else {
        return Ok(plain(negative, &whole, decimals));
    };
    let digits_of_exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    if digits_of_exponent.is_empty()
        || digits_of_exponent.len() > 3
        || !digits_of_exponent.bytes().all(|byte| byte.is_ascii_digit())
    {
        return Err(invalid);
    }
    let places: usize = digits_of_exponent.parse().map_err(|_| invalid.clone())?;
    if exponent.starts_with('-') {
        if places + whole.len() + decimals.len() > MAX_DIGITS {
            return Err(invalid);
        }
        let digits = format!("{}{whole}", "0".repeat(places));
        let (whole, moved) = digits.split_at(digits.len() - places);
        return Ok(plain(negative, whole, &format!("{moved}{decimals}")));
    }
    if places > decimals.len() {
        return Err(Problem::PrecisionLost);
    }
    let (moved, rest) = decimals.split_at(places);
    Ok(plain(negative, &format!("{whole}{moved}"), rest))
}

/// The digits before and after the decimal sign; nothing if this is not a number.
fn split(text: &str) -> Result<Option<(String, &str)>, Problem> {
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    if digits == 0 || digits > MAX_DIGITS {
        return Ok(None);
    }
    let decimal_sign = match decimal_sign(text) {
        Sign::None => None,
        Sign::At(position) => Some(position),
        Sign::Ambiguous => return Err(Problem::NumberInvalid { ambiguous: true }),
    };
    let (whole, decimals) = match decimal_sign {
        Some(position) => (&text[..position], &text[position + 1..]),
        None => (text, ""),
    };
    let decimals_fit = decimals.bytes().all(|byte| byte.is_ascii_digit())
        && (decimal_sign.is_none() || !decimals.is_empty());
    Ok(match ungroup(whole, decimal_sign.is_some()) {
        Some(whole) if decimals_fit => Some((whole, decimals)),
        _ => None,
    })
}

enum Sign {
    None,
    At(usize),
    Ambiguous,
}

fn decimal_sign(text: &str) -> Sign {
    let (Some(first), Some(last)) = (text.find(['.', ',']), text.rfind(['.', ','])) else {
        return Sign::None;
    };
    let bytes = text.as_bytes();
    if first != last {
        return if bytes[first] == bytes[last] {
            Sign::None
        } else {
            Sign::At(last)
        };
    }
    let grouped_otherwise = !text[..first].bytes().all(|byte| byte.is_ascii_digit());
    let could_group = bytes.len() - last == 4 && (1..=3).contains(&first) && bytes[0] != b'0';
    if bytes[last] == b',' && could_group && !grouped_otherwise {
        return Sign::Ambiguous;
    }
    Sign::At(last)
}

/// The digits of the whole part without what groups them; nothing if the groups are not groups.
fn ungroup(whole: &str, has_decimals: bool) -> Option<String> {
    if whole.bytes().all(|byte| byte.is_ascii_digit()) {
        // `.5` is half.
        return (!whole.is_empty() || has_decimals).then(|| whole.to_owned());
    }
    let sign = whole
        .chars()
        .find(|character| !character.is_ascii_digit())?;
    if !matches!(
        sign,
        ',' | '.' | ' ' | '\'' | '’' | '\u{a0}' | '\u{2009}' | '\u{202f}'
    ) {
        return None;
    }
    let groups: Vec<&str> = whole.split(sign).collect();
    let (first, rest) = groups.split_first()?;
    let (last, middle) = rest.split_last()?;
    let of = |length: usize| middle.iter().all(|group| group.len() == length);
    // India groups by two above the thousands.
    let fits = last.len() == 3
        && ((1..=3).contains(&first.len()) && of(3)
            || (1..=2).contains(&first.len()) && sign == ',' && of(2));
    let digits = groups.concat();
    (fits && digits.bytes().all(|byte| byte.is_ascii_digit())).then_some(digits)
}

/// The canonical text: no leading zeros, no zeros after the last decimal, no minus before zero.
fn plain(negative: bool, whole: &str, decimals: &str) -> String {
    let whole = whole.trim_start_matches('0');
    let decimals = decimals.trim_end_matches('0');
    let mut number = String::with_capacity(whole.len() + decimals.len() + 3);
    if negative && !(whole.is_empty() && decimals.is_empty()) {
        number.push('-');
    }
    number.push_str(if whole.is_empty() { "0" } else { whole });
    if !decimals.is_empty() {
        number.push('.');
        number.push_str(decimals);
    }
    number
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read() {
        for (text, expected) in [
            ("0", "0"),
            ("-0", "0"),
            ("-0.00", "0"),
            ("007", "7"),
            ("1234.5", "1234.5"),
            ("1234.50", "1234.5"),
            ("+12", "12"),
            ("-12", "-12"),
            ("−12", "-12"),
            (".5", "0.5"),
            ("1,234.50", "1234.5"),
            ("1.234,50", "1234.5"),
            ("1 234,5", "1234.5"),
            ("1\u{202f}234,5", "1234.5"),
            ("1\u{a0}234", "1234"),
            ("1'234.50", "1234.5"),
            ("1’234’567", "1234567"),
            ("1.234.567", "1234567"),
            ("1,234,567", "1234567"),
            ("12,34,567", "1234567"),
            ("1 234,567", "1234.567"),
            ("1,5", "1.5"),
            ("0,234", "0.234"),
            ("1234,567", "1234.567"),
            ("1.234", "1.234"),
            (
                "12345678901234567890.12345678901234567891",
                "12345678901234567890.12345678901234567891",
            ),
            ("1.2345E+3", "1234.5"),
            ("1.234E3", "1234"),
            ("1E0", "1"),
            ("1.5E-3", "0.0015"),
            ("125e-2", "1.25"),
            ("1,25E+1", "12.5"),
        ] {
            assert_eq!(parse(text).as_deref(), Ok(expected), "{text:?}");
        }
    }

    #[test]
    fn other_text_is_an_issue() {
        let invalid = Problem::NumberInvalid { ambiguous: false };
        let ambiguous = Problem::NumberInvalid { ambiguous: true };
        for (text, expected) in [
            ("", &invalid),
            ("-", &invalid),
            ("abc", &invalid),
            ("12a", &invalid),
            ("1,,5", &invalid),
            ("1.2.3", &invalid),
            ("1,23,4", &invalid),
            ("1 23", &invalid),
            ("12 ", &invalid),
            ("1.234.5", &invalid),
            ("5.", &invalid),
            ("1,2.3,4", &invalid),
            ("--1", &invalid),
            ("€5", &invalid),
            ("NaN", &invalid),
            ("1E", &invalid),
            ("1E+", &invalid),
            ("1E9999", &invalid),
            ("1,234", &ambiguous),
            ("12,345", &ambiguous),
            ("-123,456", &ambiguous),
            ("1.5E+3", &Problem::PrecisionLost),
            ("4.41E+11", &Problem::PrecisionLost),
            ("4,41E+11", &Problem::PrecisionLost),
        ] {
            assert_eq!(parse(text).as_ref(), Err(expected), "{text:?}");
        }
    }
}
