//! What a cell looks like, seen alone: enough to tell data from names and a good split from a bad one.
//!
//! This is no parser: the engine decides what a value means.

/// What a cell looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look {
    Empty,
    Number,
    /// A date, a time or both.
    Moment,
    Email,
    Link,
    /// Digits with the marks of phone numbers and other codes between them.
    Digits,
    /// A word or a few, without the marks that split records.
    Words,
    /// Anything else.
    Other,
}

impl Look {
    /// Whether names of columns hardly ever look like this.
    pub(crate) fn is_data(self) -> bool {
        matches!(
            self,
            Look::Number | Look::Moment | Look::Email | Look::Link | Look::Digits
        )
    }
}

/// What a cell looks like.
pub(crate) fn look(cell: &str) -> Look {
    let cell = cell.trim();
    if cell.is_empty() {
        Look::Empty
    } else if is_number(cell) {
        Look::Number
    } else if is_moment(cell) {
        Look::Moment
    } else if is_email(cell) {
        Look::Email
    } else if cell.contains("://") && !cell.contains([' ', '"']) {
        Look::Link
    } else if is_digits(cell) {
        Look::Digits
    } else if cell.len() <= 60 && cell.chars().all(is_of_words) {
        Look::Words
    } else {
        Look::Other
    }
}

fn is_of_words(c: char) -> bool {
    c.is_alphanumeric()
        || matches!(
            c,
            ' ' | '_' | '-' | '.' | '\'' | '(' | ')' | '/' | '&' | '#'
        )
        || (c > '\u{7F}' && !c.is_control())
}

/// `12`, `-1.5`, `1,234.50`, `1.234,50`, `12,5`, `3.2E+05`, `45%`, `$ 3.10`, `10 €`.
fn is_number(cell: &str) -> bool {
    let cell = cell
        .trim_matches(|c: char| matches!(c, '$' | '€' | '£' | '%' | '(' | ')'))
        .trim();
    let cell = cell.strip_prefix(['-', '+']).unwrap_or(cell);
    let (digits, exponent) = match cell.split_once(['e', 'E']) {
        Some((digits, exponent)) => (digits, Some(exponent)),
        None => (cell, None),
    };
    if let Some(exponent) = exponent {
        let exponent = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
        if exponent.is_empty() || !exponent.bytes().all(|b| b.is_ascii_digit()) {
            return false;
        }
    }
    if !digits.bytes().any(|b| b.is_ascii_digit())
        || !digits
            .bytes()
            .all(|b| b.is_ascii_digit() || matches!(b, b'.' | b','))
    {
        return false;
    }
    // All marks but the last separate thousands, the last may be the decimal sign.
    let mut parts = digits.split(['.', ',']);
    parts.next();
    let parts: Vec<&str> = parts.collect();
    let Some((_, thousands)) = parts.split_last() else {
        return true;
    };
    thousands.iter().all(|part| part.len() == 3)
}

/// `2024-01-31`, `31.1.24`, `1/31/2024 10:30`, `10:30:00.5`, `2024-01-31T10:30:00Z`, `12:00 PM`.
fn is_moment(cell: &str) -> bool {
    if cell.len() > 35 {
        return false;
    }
    let mut parts = cell.split([' ', 'T', 't']).filter(|part| !part.is_empty());
    let mut any = false;
    parts.all(|part| {
        let fits = is_day(part) || is_time(part);
        any |= fits;
        fits || matches!(part, "AM" | "PM" | "am" | "pm" | "Z" | "UTC") || is_zone(part)
    }) && any
}

fn is_zone(part: &str) -> bool {
    part.strip_prefix(['+', '-']).is_some_and(|rest| {
        (2..=5).contains(&rest.len()) && rest.bytes().all(|b| b.is_ascii_digit() || b == b':')
    })
}

fn is_day(part: &str) -> bool {
    ['-', '/', '.'].into_iter().any(|mark| {
        let numbers: Vec<&str> = part.split(mark).collect();
        numbers.len() == 3
            && numbers
                .iter()
                .all(|n| (1..=4).contains(&n.len()) && n.bytes().all(|b| b.is_ascii_digit()))
    })
}

fn is_time(part: &str) -> bool {
    let part = part.trim_end_matches(['Z', 'z']);
    let clock = match part.find(['+', '-']) {
        Some(zone) if zone > 0 && is_zone(&part[zone..]) => &part[..zone],
        _ => part,
    };
    let numbers: Vec<&str> = clock.split(':').collect();
    (2..=3).contains(&numbers.len())
        && numbers.iter().enumerate().all(|(position, n)| {
            let whole = if position == 2 {
                n.split(['.', ',']).next().unwrap_or(n)
            } else {
                n
            };
            (1..=2).contains(&whole.len())
                && n.bytes()
                    .all(|b| b.is_ascii_digit() || matches!(b, b'.' | b','))
        })
}

fn is_email(cell: &str) -> bool {
    cell.split_once('@').is_some_and(|(local, domain)| {
        !local.is_empty()
            && domain.contains('.')
            && !domain.contains('@')
            && !cell.contains([' ', ',', ';', '|', '\t', '"', '\n', ':', '^', '~'])
    })
}

fn is_digits(cell: &str) -> bool {
    let digits = cell.bytes().filter(u8::is_ascii_digit).count();
    digits >= 3
        && cell.bytes().all(|b| {
            b.is_ascii_digit() || matches!(b, b' ' | b'-' | b'(' | b')' | b'+' | b'.' | b'/')
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_look_like_what_they_hold() {
        for (cell, expected) in [
            ("", Look::Empty),
            (" 12 ", Look::Number),
            ("-1,234.50", Look::Number),
            ("12,5", Look::Number),
            ("4.41E+11", Look::Number),
            ("10 €", Look::Number),
            ("1,2,3", Look::Other),
            ("2024-01-31", Look::Moment),
            ("31.1.24", Look::Moment),
            ("2024-01-31T10:30:00.5Z", Look::Moment),
            ("06:00:04+01:00", Look::Moment),
            ("1/31/2024 10:30 PM", Look::Moment),
            ("a@b.example", Look::Email),
            ("https://example.com/x?y=1,2", Look::Link),
            ("+49 (30) 1234-5", Look::Digits),
            ("E-mail", Look::Words),
            ("Jürgen d'Été", Look::Words),
            ("a;b", Look::Other),
            ("Weber, Anna", Look::Other),
            ("10:30,", Look::Other),
        ] {
            assert_eq!(look(cell), expected, "{cell:?}");
        }
    }
}
