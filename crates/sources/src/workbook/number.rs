//! What a person sees of a number in a cell: a date by its number format, a code with its leading zeros, digits
//! without an exponent.
//!
//! How wide a column is, currencies, thousands and rounding do not matter here: of those the number itself is taken.

use calamine::{ExcelDateTime, ExcelDateTimeType};

/// A number format, understood as far as it matters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NumberFormat {
    /// The number as it is.
    Plain,
    /// A point in time. All of it is taken, also where the format shows only the day, so that nothing is lost.
    Moment,
    /// A length of time.
    Elapsed,
    /// Digits in a mask such as `00000` or `(000) 000-0000`, one mask for each section.
    Masks(Vec<Mask>),
}

/// A section of a format that is a mask of digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mask {
    condition: Option<(Comparison, u64)>,
    /// Placeholders `0` and `#`, everything else as it is shown.
    signs: Vec<Sign>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Less,
    AtMost,
    Equal,
    AtLeast,
    More,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sign {
    /// A digit, 0 if the number has none there.
    Zero,
    /// A digit, nothing if the number has none there.
    Maybe,
    Shown(char),
}

/// A piece of a format's code.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    /// A character with a meaning.
    Code(char),
    /// Text to be shown.
    Shown(char),
    /// What stands in brackets.
    Bracket(String),
}

impl NumberFormat {
    /// Understands a format's code.
    pub(super) fn of(code: &str) -> NumberFormat {
        let code = code.trim();
        if code.is_empty() || code.eq_ignore_ascii_case("general") || code == "@" {
            return NumberFormat::Plain;
        }
        let sections = sections(code);
        let Some(first) = sections.first() else {
            return NumberFormat::Plain;
        };
        if let Some(moment) = moment(first) {
            return moment;
        }
        let masks: Option<Vec<Mask>> = sections
            .iter()
            .take(3)
            .map(|section| mask(section))
            .collect();
        match masks {
            Some(masks) if masks.iter().any(Mask::adds) => NumberFormat::Masks(masks),
            _ => NumberFormat::Plain,
        }
    }

    /// The format that Excel knows by a number. Those of dates in East Asian editions are dates here as well.
    pub(super) fn builtin(id: u16) -> NumberFormat {
        match id {
            14..=22 | 27..=36 | 45 | 47 | 50..=58 => NumberFormat::Moment,
            46 => NumberFormat::Elapsed,
            _ => NumberFormat::Plain,
        }
    }

    /// The text of a number in this format.
    pub(super) fn show(&self, value: f64, since_1904: bool) -> String {
        match self {
            NumberFormat::Plain => plain(value),
            NumberFormat::Moment => shown_moment(value, since_1904).unwrap_or_else(|| plain(value)),
            NumberFormat::Elapsed => elapsed(value).unwrap_or_else(|| plain(value)),
            NumberFormat::Masks(masks) => masked(value, masks).unwrap_or_else(|| plain(value)),
        }
    }
}

/// Cuts a code into the sections for positive, negative, zero and text, and those into tokens.
fn sections(code: &str) -> Vec<Vec<Token>> {
    let mut sections = vec![Vec::new()];
    let mut signs = code.chars();
    while let Some(sign) = signs.next() {
        let token = match sign {
            ';' => {
                sections.push(Vec::new());
                continue;
            }
            '\\' => match signs.next() {
                Some(shown) => Token::Shown(shown),
                None => continue,
            },
            // Room as wide as the next sign, or the next sign repeated.
            '_' => {
                signs.next();
                Token::Shown(' ')
            }
            '*' => {
                signs.next();
                continue;
            }
            '"' => {
                for shown in signs.by_ref().take_while(|sign| *sign != '"') {
                    push(&mut sections, Token::Shown(shown));
                }
                continue;
            }
            '[' => Token::Bracket(signs.by_ref().take_while(|sign| *sign != ']').collect()),
            code => Token::Code(code),
        };
        push(&mut sections, token);
    }
    sections
}

fn push(sections: &mut [Vec<Token>], token: Token) {
    if let Some(section) = sections.last_mut() {
        section.push(token);
    }
}

/// Whether a section shows a point in time or a length of it.
fn moment(section: &[Token]) -> Option<NumberFormat> {
    let (mut day, mut time) = (false, false);
    for token in section {
        match token {
            Token::Bracket(inside) => {
                let inside = inside.to_ascii_lowercase();
                let repeats = |unit: char| !inside.is_empty() && inside.chars().all(|c| c == unit);
                if repeats('h') || repeats('m') || repeats('s') {
                    return Some(NumberFormat::Elapsed);
                }
            }
            Token::Code(code) => match code.to_ascii_lowercase() {
                // Digits to be shown: it is a number, whatever letters stand around it.
                '0' if !time => return None,
                '#' | '?' => return None,
                // A capital E is an exponent.
                'e' => day |= *code == 'e',
                'd' | 'y' | 'm' | 'g' => day = true,
                'h' | 's' => time = true,
                _ => {}
            },
            Token::Shown(_) => {}
        }
    }
    (day || time).then_some(NumberFormat::Moment)
}

/// A section that is a mask of digits and the signs that codes and phone numbers have between them.
fn mask(section: &[Token]) -> Option<Mask> {
    let mut condition = None;
    let mut signs = Vec::with_capacity(section.len());
    for token in section {
        match token {
            Token::Bracket(inside) => match comparison(inside) {
                Some(found) => condition = Some(found),
                // Colours and languages say nothing about digits, currencies do.
                None if inside.starts_with("$-") || inside.chars().all(char::is_alphanumeric) => {}
                None => return None,
            },
            Token::Code('0') => signs.push(Sign::Zero),
            Token::Code('#' | '?') => signs.push(Sign::Maybe),
            Token::Code(shown @ ('-' | '(' | ')' | ' ' | '+' | '/'))
            | Token::Shown(shown @ ('-' | '(' | ')' | ' ' | '+' | '/' | '.' | '\u{a0}')) => {
                signs.push(Sign::Shown(*shown));
            }
            Token::Shown(digit) if digit.is_ascii_digit() => signs.push(Sign::Shown(*digit)),
            Token::Code(_) | Token::Shown(_) => return None,
        }
    }
    Some(Mask { condition, signs })
}

fn comparison(inside: &str) -> Option<(Comparison, u64)> {
    let (comparison, number) = [
        ("<=", Comparison::AtMost),
        (">=", Comparison::AtLeast),
        ("<", Comparison::Less),
        (">", Comparison::More),
        ("=", Comparison::Equal),
    ]
    .iter()
    .find_map(|(sign, comparison)| Some((*comparison, inside.strip_prefix(sign)?)))?;
    Some((comparison, number.trim().parse().ok()?))
}

impl Mask {
    /// Whether the mask shows anything that the plain number does not.
    fn adds(&self) -> bool {
        let zeros = self
            .signs
            .iter()
            .filter(|sign| **sign == Sign::Zero)
            .count();
        let has_digits = self
            .signs
            .iter()
            .any(|sign| !matches!(sign, Sign::Shown(_)));
        let between = |sign: &Sign| matches!(sign, Sign::Shown(shown) if !shown.is_whitespace());
        has_digits && (zeros > 1 || self.signs.iter().any(between))
    }

    fn takes(&self, number: u64) -> bool {
        self.condition
            .is_none_or(|(comparison, limit)| match comparison {
                Comparison::Less => number < limit,
                Comparison::AtMost => number <= limit,
                Comparison::Equal => number == limit,
                Comparison::AtLeast => number >= limit,
                Comparison::More => number > limit,
            })
    }

    fn fill(&self, digits: &str) -> String {
        let mut digits = digits.chars().rev();
        let first = self
            .signs
            .iter()
            .position(|sign| !matches!(sign, Sign::Shown(_)));
        let mut reversed = Vec::with_capacity(self.signs.len() + 4);
        for (position, sign) in self.signs.iter().enumerate().rev() {
            match sign {
                Sign::Zero => reversed.push(digits.next().unwrap_or('0')),
                Sign::Maybe => reversed.extend(digits.next()),
                Sign::Shown(shown) => reversed.push(*shown),
            }
            // More digits than places: the first place takes the rest.
            if Some(position) == first {
                reversed.extend(digits.by_ref());
            }
        }
        reversed.iter().rev().collect::<String>().trim().to_owned()
    }
}

fn masked(value: f64, masks: &[Mask]) -> Option<String> {
    let number = whole(value).filter(|number| *number >= 0)?.unsigned_abs();
    let has_conditions = masks.iter().any(|mask| mask.condition.is_some());
    let mask = if has_conditions {
        masks.iter().find(|mask| mask.takes(number))?
    } else if number == 0 {
        masks.get(2).or(masks.first())?
    } else {
        masks.first()?
    };
    let digits = match number {
        0 => String::new(),
        number => number.to_string(),
    };
    Some(mask.fill(&digits)).filter(|text| !text.is_empty())
}

/// The whole number that a value is, if it is one and exact.
fn whole(value: f64) -> Option<i64> {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "values below 10^15 are exact"
    )]
    (value.fract() == 0.0 && value.abs() < 1e15).then_some(value as i64)
}

/// A number without an exponent where that can be, with no more digits than spreadsheets show: fifteen, and ten behind
/// the point.
pub(super) fn plain(value: f64) -> String {
    if let Some(number) = whole(value) {
        return number.to_string();
    }
    if (1e-4..1e5).contains(&value.abs()) {
        let text = format!("{value:.10}");
        return text.trim_end_matches('0').trim_end_matches('.').to_owned();
    }
    if !value.is_finite() {
        return value.to_string();
    }
    let text = format!("{value:.14e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let (sign, mantissa) = match mantissa.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", mantissa),
    };
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    let digits = digits.trim_end_matches('0');
    let length = i32::try_from(digits.len()).unwrap_or(0);
    // More digits than a spreadsheet has: what it shows says so, and so does the engine.
    if !(-10..=14).contains(&exponent) {
        let (first, rest) = digits.split_at(digits.len().min(1));
        let point = if rest.is_empty() { "" } else { "." };
        return format!("{sign}{first}{point}{rest}E{exponent:+03}");
    }
    if exponent < 0 {
        let zeros = "0".repeat(usize::try_from(-exponent - 1).unwrap_or(0));
        return format!("{sign}0.{zeros}{digits}");
    }
    if length <= exponent + 1 {
        let zeros = "0".repeat(usize::try_from(exponent + 1 - length).unwrap_or(0));
        return format!("{sign}{digits}{zeros}");
    }
    let (before, after) = digits.split_at(usize::try_from(exponent + 1).unwrap_or(0));
    format!("{sign}{before}.{after}")
}

/// The last day that spreadsheets know, 9999-12-31, and a day more.
const END_OF_DAYS: f64 = 2_958_466.0;

/// A point in time as ISO 8601: a day, a time of day, or both.
fn shown_moment(value: f64, since_1904: bool) -> Option<String> {
    if !(0.0..END_OF_DAYS).contains(&value) {
        return None;
    }
    let moment = ExcelDateTime::new(value, ExcelDateTimeType::DateTime, since_1904);
    let (year, month, of_month, hour, minute, second, millis) = moment.to_ymd_hms_milli();
    let (hour, minute, second) = carried(hour, minute, second, millis);
    let clock = format!("{hour:02}:{minute:02}:{second:02}");
    if value < 1.0 {
        return Some(clock);
    }
    let date = format!("{year:04}-{month:02}-{of_month:02}");
    if (hour, minute, second) == (0, 0, 0) {
        return Some(date);
    }
    Some(format!("{date}T{clock}"))
}

/// Milliseconds that rounding left just below the next second are that second, within the day.
fn carried(hour: u8, minute: u8, second: u8, millis: u16) -> (u8, u8, u8) {
    let seconds = u32::from(hour) * 3600
        + u32::from(minute) * 60
        + u32::from(second)
        + u32::from(millis >= 500);
    let seconds = seconds.min(86_399);
    let part = |seconds: u32| u8::try_from(seconds % 60).unwrap_or(0);
    (
        u8::try_from(seconds / 3600).unwrap_or(0),
        part(seconds / 60),
        part(seconds),
    )
}

/// A length of time as hours, minutes and seconds.
fn elapsed(value: f64) -> Option<String> {
    let seconds = whole((value * 86_400.0).round())?;
    let sign = if seconds < 0 { "-" } else { "" };
    let seconds = seconds.unsigned_abs();
    Some(format!(
        "{sign}{:02}:{:02}:{:02}",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_show_as_their_format_says() {
        for (code, value, expected) in [
            ("General", 491_701_234_567.0, "491701234567"),
            ("0", 491_701_234_567_890.0, "491701234567890"),
            (
                "General",
                1.234_567_890_123_456_8e17,
                "1.23456789012346E+17",
            ),
            ("General", 0.1 + 0.2, "0.3"),
            ("General", -0.0, "0"),
            ("General", 1e-7, "0.0000001"),
            ("General", 1e-20, "1E-20"),
            ("General", 22.2222, "22.2222"),
            ("General", std::f64::consts::PI, "3.1415926536"),
            ("General", -99_999.999_999_999_999, "-100000"),
            ("General", 123_456.789, "123456.789"),
            ("#,##0.00", 1234.5, "1234.5"),
            ("0.00%", 0.5, "0.5"),
            ("00000", 1234.0, "01234"),
            ("00000", 0.0, "00000"),
            ("00000", 123_456.0, "123456"),
            ("00000", -5.0, "-5"),
            ("00000", 1.5, "1.5"),
            ("0000\\-000", 1_234_567.0, "1234-567"),
            ("\"0\"000\" \"0000000", 1_701_234_567.0, "0170 1234567"),
            (
                "[<=9999999]###-####;(###) ###-####",
                5_551_234.0,
                "555-1234",
            ),
            (
                "[<=9999999]###\\-####;\\(###\\)\\ ###\\-####",
                2_125_551_234.0,
                "(212) 555-1234",
            ),
            ("\"+\"0", 491_701_234_567.0, "+491701234567"),
            ("0\" kg\"", 7.0, "7"),
            ("[$€-407] 0", 7.0, "7"),
            ("#", 7.0, "7"),
            ("yyyy-mm-dd", 44197.0, "2021-01-01"),
            ("dd/mm/yyyy", 44197.75, "2021-01-01T18:00:00"),
            ("m/d/yy h:mm", 37_145.354_166_666_7, "2001-09-11T08:30:00"),
            ("m/d/yy h:mm", 37145.0, "2001-09-11"),
            ("h:mm AM/PM", 0.75, "18:00:00"),
            ("mm:ss.0", 0.5, "12:00:00"),
            ("[h]:mm:ss", 1.5, "36:00:00"),
            ("[$-F800]dddd, mmmm dd, yyyy", 44197.0, "2021-01-01"),
            ("[Red]0", 12.0, "12"),
            ("yyyy", -1.0, "-1"),
            ("d.m.yyyy", 1e9, "1000000000"),
        ] {
            assert_eq!(
                NumberFormat::of(code).show(value, false),
                expected,
                "{code} {value}"
            );
        }
        let day = NumberFormat::of("yyyy-mm-dd");
        assert_eq!(day.show(44210.0 - 1462.0, true), "2021-01-14");
    }

    #[test]
    fn built_in_formats_are_known_by_their_number() {
        for (id, value, expected) in [
            (0, 44197.0, "44197"),
            (14, 44197.0, "2021-01-01"),
            (20, 0.5, "12:00:00"),
            (22, 44197.5, "2021-01-01T12:00:00"),
            (46, 2.0, "48:00:00"),
        ] {
            assert_eq!(
                NumberFormat::builtin(id).show(value, false),
                expected,
                "{id}"
            );
        }
    }
}
