//! What is written in a date text: tokens, the time of day among them, and the parts of the date.
//!
//! Everything in the text must be understood; one unknown word or sign and nothing is read. That is what keeps
//! `someday` and `12 Elm Street` from becoming dates.

use jiff::civil::{Date, ISOWeekDate, Weekday};

use super::names::{self, Meaning};
use super::{DateOptions, Numeric, PartialDate, Unreadable, Written};

/// Years that may be meant where nothing but their digits says that they are years.
const USUAL_YEARS: std::ops::RangeInclusive<u16> = 1800..=2199;

/// More than any written date needs.
const MOST_TOKENS: usize = 48;

/// A date text, understood.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scanned {
    pub(crate) written: Written,
    pub(crate) clock: Option<Clock>,
    pub(crate) zone: Zone,
}

/// A time of day as written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Clock {
    /// Up to 24, which is the end of the day.
    pub(crate) hour: u8,
    pub(crate) minute: u8,
    /// Up to 60, a leap second. Fractions are dropped.
    pub(crate) second: Option<u8>,
}

/// What was said about the zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Zone {
    Unsaid,
    /// In minutes, and whether it was written as `Z`.
    Offset {
        minutes: i16,
        zulu: bool,
    },
    /// An abbreviation that does not stand for one offset.
    Unknown,
}

/// Removes white space of every kind, and the invisible characters that behave like it.
pub(crate) fn trim(text: &str) -> &str {
    text.trim_matches(|character: char| {
        character.is_whitespace()
            || matches!(character, '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}')
    })
}

/// Reads the common numeric forms straight from their bytes; none if the text has another form.
///
/// This is the way of nearly all dates of a file, so it neither allocates nor looks at anything twice.
pub(crate) fn numeric(text: &str, options: DateOptions) -> Option<Written> {
    let bytes = text.as_bytes();
    let (first, rest) = digits(bytes)?;
    let (&separator, rest) = rest.split_first()?;
    if !matches!(separator, b'.' | b'/' | b'-' | b' ') {
        return None;
    }
    let (second, rest) = digits(rest)?;
    let rest = rest.strip_prefix(&[separator])?;
    let (third, rest) = digits(rest)?;
    (rest.is_empty() || is_plain_time(rest)).then(|| triple([first, second, third], options))
}

/// Reads any form; `text` is trimmed.
pub(crate) fn read(text: &str, options: DateOptions) -> Option<Scanned> {
    if let Some(reading) = iso_only(text) {
        return Some(Scanned {
            written: Written::Plain(reading),
            clock: None,
            zone: Zone::Unsaid,
        });
    }
    let tokens = tokens(text)?;
    let mut scan = Scan::new(&tokens);
    scan.run()?;
    let written = scan.date(options)?;
    if scan.clock.is_some() && !scan.complete() {
        return None;
    }
    Some(Scanned {
        written,
        clock: scan.clock,
        zone: scan.zone,
    })
}

/// Reads a text that is a time of day and nothing else; `text` is trimmed.
pub(crate) fn time_of_day(text: &str) -> Option<Clock> {
    let tokens = tokens(text)?;
    let mut scan = Scan::new(&tokens);
    scan.dotted_times = true;
    scan.run()?;
    (scan.parts.is_empty()
        && scan.month.is_none()
        && scan.maybe_month.is_none()
        && scan.zone == Zone::Unsaid)
        .then_some(scan.clock)
        .flatten()
}

/// One to four digits.
fn digits(bytes: &[u8]) -> Option<(Part, &[u8])> {
    let mut value = 0;
    let mut length = 0;
    while let Some(digit) = bytes.get(length).filter(|byte| byte.is_ascii_digit()) {
        if length == 4 {
            return None;
        }
        value = value * 10 + u64::from(digit - b'0');
        length += 1;
    }
    (length > 0).then(|| (Part::new(value, length), &bytes[length..]))
}

/// `T10:35`, ` 10:35:27`, `T10:35:27.5Z`: what most times beside a date look like. Others are for [`read`] to judge.
fn is_plain_time(bytes: &[u8]) -> bool {
    let up_to = |tens: u8, ones: u8, limit: u8| {
        tens.is_ascii_digit() && ones.is_ascii_digit() && (tens - b'0') * 10 + (ones - b'0') < limit
    };
    let [b'T' | b' ', h1, h2, b':', m1, m2, rest @ ..] = bytes else {
        return false;
    };
    let rest = match rest {
        [b':', s1, s2, rest @ ..] if up_to(*s1, *s2, 60) => rest,
        rest => rest,
    };
    let rest = match rest {
        [b'.', fraction @ ..] => {
            let digits = fraction
                .iter()
                .take_while(|byte| byte.is_ascii_digit())
                .count();
            if digits == 0 {
                rest
            } else {
                &fraction[digits..]
            }
        }
        rest => rest,
    };
    up_to(*h1, *h2, 24) && up_to(*m1, *m2, 60) && matches!(rest, b"" | b"Z")
}

/// Three numbers.
fn triple(parts: [Part; 3], options: DateOptions) -> Written {
    let [first, second, third] = parts;
    if first.length == 4 {
        let date = (second.length <= 2 && third.length <= 2)
            .then(|| PartialDate::full(first.year(options)?, second.small()?, third.small()?))
            .flatten();
        return Written::Plain(date.ok_or(Unreadable::Invalid));
    }
    if first.length > 2 || second.length > 2 || third.length == 3 {
        return Written::Plain(Err(Unreadable::Invalid));
    }
    let year_last = |day: Part, month: Part| {
        PartialDate::full(third.year(options)?, month.small()?, day.small()?)
    };
    let year_first = || {
        // A single digit beside a two-digit year in front is never written.
        (second.length == 2 && third.length == 2)
            .then(|| PartialDate::full(first.year(options)?, second.small()?, third.small()?))
            .flatten()
    };
    Written::Numeric(Numeric::new(
        [
            year_last(first, second),
            year_last(second, first),
            year_first(),
        ],
        third.length == 4,
    ))
}

/// Digits without separators.
fn compact(part: Part, options: DateOptions) -> Option<Written> {
    let value = part.value;
    let (high, middle, low) = (value / 10_000, value / 100 % 100, value % 100);
    let pair = |value: u64| Part::new(value, 2);
    match part.length {
        4 => Some(plain(PartialDate::new(part.year(options), None, None))),
        6 => {
            let Written::Numeric(mut numeric) =
                triple([pair(high), pair(middle), pair(low)], options)
            else {
                return None;
            };
            // `201105` is 5 November 2020 or May 2011.
            let year = u16::try_from(value / 100).ok()?;
            if USUAL_YEARS.contains(&year) && (1..=12).contains(&low) {
                numeric.silent_ymd = true;
                numeric.without_order = Err(Unreadable::Ambiguous);
            }
            Some(Written::Numeric(numeric.needing_order()))
        }
        8 => {
            let iso = PartialDate::full(
                u16::try_from(high).ok()?,
                pair(middle).small()?,
                pair(low).small()?,
            );
            if iso.is_some() {
                return Some(plain(iso));
            }
            let year = u16::try_from(value % 10_000).ok()?;
            let parts = [
                pair(value / 1_000_000),
                pair(value / 10_000 % 100),
                Part::new(u64::from(year), 4),
            ];
            Some(if USUAL_YEARS.contains(&year) {
                triple(parts, options)
            } else {
                plain(None)
            })
        }
        _ => None,
    }
}

fn plain(date: Option<PartialDate>) -> Written {
    Written::Plain(date.ok_or(Unreadable::Invalid))
}

/// The forms of ISO 8601 that no one else writes: truncated, week and ordinal dates.
fn iso_only(text: &str) -> Option<Result<PartialDate, Unreadable>> {
    let bytes = text.as_bytes();
    let number = |bytes: &[u8]| {
        bytes.iter().try_fold(0u16, |value, byte| {
            byte.is_ascii_digit()
                .then(|| value * 10 + u16::from(byte - b'0'))
        })
    };
    let small = |bytes: &[u8]| number(bytes).and_then(|value| u8::try_from(value).ok());
    let date = match bytes {
        [b'-', b'-', b'-', day @ ..] if day.len() == 2 => {
            PartialDate::new(None, None, Some(small(day)?))
        }
        [b'-', b'-', month @ ..] if month.len() == 2 => {
            PartialDate::new(None, Some(small(month)?), None)
        }
        [b'-', b'-', a, b, b'-', day @ ..] | [b'-', b'-', a, b, day @ ..] if day.len() == 2 => {
            PartialDate::new(None, Some(small(&[*a, *b])?), Some(small(day)?))
        }
        [year @ .., b'-', a, b, c] if year.len() == 4 => {
            ordinal(number(year)?, number(&[*a, *b, *c])?)
        }
        [year @ .., b'-', b'W' | b'w', a, b, b'-', day] | [year @ .., b'W' | b'w', a, b, day]
            if year.len() == 4 =>
        {
            week(number(year)?, small(&[*a, *b])?, small(&[*day])?)
        }
        _ => return None,
    };
    Some(date.ok_or(Unreadable::Invalid))
}

fn ordinal(year: u16, day: u16) -> Option<PartialDate> {
    let first = Date::new(i16::try_from(year).ok()?, 1, 1).ok()?;
    let date = first
        .with()
        .day_of_year(i16::try_from(day).ok()?)
        .build()
        .ok()?;
    from_civil(date)
}

fn week(year: u16, week: u8, day: u8) -> Option<PartialDate> {
    let weekday = Weekday::from_monday_one_offset(i8::try_from(day).ok()?).ok()?;
    let week =
        ISOWeekDate::new(i16::try_from(year).ok()?, i8::try_from(week).ok()?, weekday).ok()?;
    from_civil(week.date())
}

fn from_civil(date: Date) -> Option<PartialDate> {
    PartialDate::full(
        u16::try_from(date.year()).ok()?,
        u8::try_from(date.month()).ok()?,
        u8::try_from(date.day()).ok()?,
    )
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind<'a> {
    Number { value: u64, length: usize },
    Word(&'a str),
    Mark(char),
}

#[derive(Debug, Clone, Copy)]
struct Token<'a> {
    kind: Kind<'a>,
    /// White space stands before it.
    spaced: bool,
}

fn tokens(text: &str) -> Option<Vec<Token<'_>>> {
    let mut tokens = Vec::with_capacity(16);
    let mut rest = text;
    while !rest.is_empty() {
        let trimmed = rest.trim_start();
        let spaced = trimmed.len() < rest.len();
        rest = trimmed;
        let Some(first) = rest.chars().next() else {
            break;
        };
        if tokens.len() == MOST_TOKENS || first.is_control() {
            return None;
        }
        let (kind, length) = if first.is_ascii_digit() {
            let length = rest.bytes().take_while(u8::is_ascii_digit).count();
            // Saturated numbers are too large for any part of a date; as a fraction their value does not matter.
            let value = rest[..length].parse().unwrap_or(u64::MAX);
            (Kind::Number { value, length }, length)
        } else if is_word(first) {
            let length = rest
                .find(|character| !is_word(character))
                .unwrap_or(rest.len());
            (Kind::Word(&rest[..length]), length)
        } else {
            (Kind::Mark(plain_mark(first)), first.len_utf8())
        };
        tokens.push(Token { kind, spaced });
        rest = &rest[length..];
    }
    Some(tokens)
}

fn is_word(character: char) -> bool {
    (character.is_alphabetic() || unicode_normalization::char::is_combining_mark(character))
        && !matches!(
            character,
            'º' | 'ª' | '年' | '月' | '日' | '時' | '时' | '点' | '分' | '秒'
        )
}

/// Typographic variants as their plain marks.
fn plain_mark(mark: char) -> char {
    match mark {
        '\u{2010}'..='\u{2013}' | '\u{2212}' => '-',
        '’' | '‘' | '`' | '´' => '\'',
        '，' | '、' => ',',
        '／' => '/',
        '：' => ':',
        '（' => '(',
        '）' => ')',
        mark => mark,
    }
}

/// A number of the date.
#[derive(Debug, Clone, Copy)]
struct Part {
    value: u64,
    length: usize,
    /// What stands before it, since the part before.
    before: Gap,
    role: Option<Role>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Year,
    Month,
    Day,
}

/// What stands between two parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Gap {
    Nothing,
    Space,
    Mark(char),
    /// A filler, or several marks.
    Words,
}

impl Part {
    fn new(value: u64, length: usize) -> Part {
        Part {
            value,
            length,
            before: Gap::Nothing,
            role: None,
        }
    }

    /// As a day or a month.
    fn small(self) -> Option<u8> {
        (self.length <= 2)
            .then(|| u8::try_from(self.value).ok())
            .flatten()
    }

    /// As a year.
    fn year(self, options: DateOptions) -> Option<u16> {
        let value = u16::try_from(self.value).ok()?;
        match self.length {
            4 => Some(value),
            2 => Some(options.year_of_two_digits(value)),
            _ => None,
        }
    }

    fn must_be_year(self) -> bool {
        self.role == Some(Role::Year) || self.length == 4 || (self.length == 2 && self.value > 31)
    }

    fn must_be_day(self) -> bool {
        self.role == Some(Role::Day) || self.length == 1
    }
}

/// The walk over the tokens.
struct Scan<'a> {
    tokens: &'a [Token<'a>],
    at: usize,
    parts: Vec<Part>,
    /// The month's number, and how many parts stood before it.
    month: Option<(u8, usize)>,
    /// The same, for a word that may be a day of the week.
    maybe_month: Option<(u8, usize)>,
    gap: Gap,
    clock: Option<Clock>,
    zone: Zone,
    /// A dot after the last part: `17.5.`
    dot_at_end: bool,
    /// Whether `14.30` is a time wherever it stands.
    dotted_times: bool,
}

impl<'a> Scan<'a> {
    fn new(tokens: &'a [Token<'a>]) -> Scan<'a> {
        Scan {
            tokens,
            at: 0,
            parts: Vec::with_capacity(3),
            month: None,
            maybe_month: None,
            gap: Gap::Nothing,
            clock: None,
            zone: Zone::Unsaid,
            dot_at_end: false,
            dotted_times: false,
        }
    }

    fn run(&mut self) -> Option<()> {
        while let Some(token) = self.tokens.get(self.at).copied() {
            if self.take_time(false) || self.take_zone_of_day() {
                continue;
            }
            match token.kind {
                Kind::Number { value, length } => self.take_number(token, value, length)?,
                Kind::Word(word) => self.take_word(token, word)?,
                Kind::Mark(mark) => self.take_mark(mark)?,
            }
        }
        let last = self.tokens.last()?.kind;
        self.dot_at_end = last == Kind::Mark('.');
        // A separator that separates nothing.
        let dangling = matches!(last, Kind::Mark('/' | '-'));
        (!dangling).then_some(())
    }

    /// Whether day, month and year have been seen.
    fn complete(&self) -> bool {
        self.parts.len() + usize::from(self.named_month().is_some()) >= 3 || self.is_compact()
    }

    /// The month that was named. Beside three numbers, and beside another month, `mar` is a Tuesday.
    fn named_month(&self) -> Option<(u8, usize)> {
        self.month
            .or(self.maybe_month.filter(|_| self.parts.len() < 3))
    }

    fn is_compact(&self) -> bool {
        matches!(self.parts.as_slice(), [part] if part.length >= 6)
    }

    fn take_number(&mut self, token: Token<'a>, value: u64, length: usize) -> Option<()> {
        if self.parts.len() == 3 || (length > 4 && !self.parts.is_empty()) {
            return None;
        }
        self.at += 1;
        let mut part = Part::new(value, length);
        part.before = match self.gap {
            Gap::Nothing if token.spaced => Gap::Space,
            gap => gap,
        };
        self.gap = Gap::Nothing;
        if length == 12 || length == 14 {
            return self.take_instant(value, length);
        }
        match self.kind(self.at) {
            Some(Kind::Mark('年')) => part.role = Some(Role::Year),
            Some(Kind::Mark('月')) => part.role = Some(Role::Month),
            Some(Kind::Mark('日' | 'º' | '°' | 'ª')) => part.role = Some(Role::Day),
            Some(Kind::Word(word)) if !self.tokens[self.at].spaced && is_ordinal(word) => {
                part.role = Some(Role::Day);
            }
            _ => {
                if self.at >= 2 && self.kind(self.at - 2) == Some(Kind::Mark('\'')) && length == 2 {
                    part.role = Some(Role::Year);
                }
                self.parts.push(part);
                return Some(());
            }
        }
        self.at += 1;
        self.parts.push(part);
        Some(())
    }

    /// `YYYYMMDDHHMM[SS[.F]][±HHMM]`, as messages between systems write it.
    fn take_instant(&mut self, value: u64, length: usize) -> Option<()> {
        let (date, time) = if length == 14 {
            (value / 1_000_000, value % 1_000_000)
        } else {
            (value / 10_000, value % 10_000 * 100)
        };
        let year = u16::try_from(date / 10_000).ok()?;
        if !self.parts.is_empty() || self.clock.is_some() || !USUAL_YEARS.contains(&year) {
            return None;
        }
        self.parts.push(Part::new(date, 8));
        self.clock = Some(clock(
            time / 10_000,
            time / 100 % 100,
            (length == 14).then_some(time % 100),
        )?);
        self.at = self.after_fraction(self.at);
        self.take_zone();
        Some(())
    }

    fn take_word(&mut self, token: Token<'a>, word: &'a str) -> Option<()> {
        if matches!(word, "T" | "t") && !token.spaced && self.complete() {
            self.at += 1;
            return self.take_time(true).then_some(());
        }
        let meaning = names::meaning(word);
        let before = self.parts.len();
        match meaning {
            Some(Meaning::Month(month)) if self.month.is_none() => {
                self.month = Some((month, before));
            }
            Some(Meaning::MonthOrWeekday(month))
                if self.month.is_none() && self.maybe_month.is_none() =>
            {
                self.maybe_month = Some((month, before));
            }
            Some(Meaning::Noon | Meaning::Midnight) if self.clock.is_none() => {
                let hour = if meaning == Some(Meaning::Noon) {
                    12
                } else {
                    0
                };
                self.clock = clock(hour, 0, None);
            }
            Some(Meaning::Weekday | Meaning::MonthOrWeekday(_) | Meaning::Filler) => {
                self.gap = Gap::Words;
            }
            // German: at the beginning, and so no time has been said that it could belong to.
            None if self.parts.is_empty()
                && self.clock.is_none()
                && word.eq_ignore_ascii_case("am") => {}
            None | Some(_) => return None,
        }
        if matches!(
            meaning,
            Some(Meaning::Month(_) | Meaning::MonthOrWeekday(_))
        ) {
            self.gap = Gap::Nothing;
        }
        self.at += 1;
        Some(())
    }

    fn take_mark(&mut self, mark: char) -> Option<()> {
        match mark {
            '(' => return self.take_parentheses(),
            '\'' if matches!(
                self.kind(self.at + 1),
                Some(Kind::Number { length: 2, .. } | Kind::Word(_))
            ) => {}
            '.' | ',' if self.at > 0 => self.add_to_gap(mark),
            // Not in front: `-1990-05-17` is another year.
            '/' | '-' if self.at > 0 => {
                // A doubled hyphen or slash is a slip of the pen, and who knows of what.
                if self.gap == Gap::Mark(mark) {
                    return None;
                }
                self.add_to_gap(mark);
            }
            _ => return None,
        }
        self.at += 1;
        Some(())
    }

    fn add_to_gap(&mut self, mark: char) {
        self.gap = match self.gap {
            Gap::Nothing | Gap::Space => Gap::Mark(mark),
            Gap::Mark(_) | Gap::Words => Gap::Words,
        };
    }

    /// `(Central European Time)` after a time says nothing new; `(日)` is a day of the week.
    fn take_parentheses(&mut self) -> Option<()> {
        let end =
            (self.at..self.tokens.len()).find(|&at| self.kind(at) == Some(Kind::Mark(')')))?;
        let weekday = end == self.at + 2
            && matches!(self.kind(self.at + 1), Some(Kind::Word(_) | Kind::Mark(_)));
        if !(weekday || self.clock.is_some()) {
            return None;
        }
        self.at = end + 1;
        self.gap = Gap::Words;
        Some(())
    }

    /// Takes a time and its zone, if one begins here.
    fn take_time(&mut self, required: bool) -> bool {
        if self.clock.is_some() {
            return false;
        }
        let Some((clock, next)) = self.time_at(self.at, required) else {
            return false;
        };
        self.clock = Some(clock);
        self.at = next;
        // What stood before a time belongs to it: `1990 - 06:15`.
        self.gap = Gap::Words;
        self.take_zone();
        true
    }

    fn time_at(&self, at: usize, required: bool) -> Option<(Clock, usize)> {
        let (hour, length) = self.number(at)?;
        let next = at + 1;
        let compact = required || self.is_compact();
        if length > 2 {
            return self
                .digits_time(hour, length, next)
                .filter(|_| compact && matches!(length, 4 | 6));
        }
        if self.kind(next) == Some(Kind::Mark(':')) {
            let (minute, next) = self.two_digits(next + 1)?;
            let (second, next) = match self.kind(next) {
                Some(Kind::Mark(':')) => {
                    let (second, next) = self.two_digits(next + 1)?;
                    (Some(second), self.after_fraction(next))
                }
                _ => (None, next),
            };
            return self.finish(hour, minute, second, next);
        }
        if let Some(next) = self.after_hour_word(next) {
            return self.spoken_time(hour, next);
        }
        if let Some((minute, next)) = self.dotted_minute(next) {
            return self.finish(hour, minute, None, next);
        }
        if self.meridiem(next).is_some() || (required && length == 2) {
            return self.finish(hour, 0, None, next);
        }
        None
    }

    /// `1035` and `103527`, after `T` or after a date of digits only.
    fn digits_time(&self, value: u64, length: usize, next: usize) -> Option<(Clock, usize)> {
        if length == 4 {
            return self.finish(value / 100, value % 100, None, next);
        }
        let next = self.after_fraction(next);
        self.finish(value / 10_000, value / 100 % 100, Some(value % 100), next)
    }

    /// `14h`, `14h30`, `14 h 30 min 15 s`, `18時25分`: what follows the word for hours.
    fn spoken_time(&self, hour: u64, at: usize) -> Option<(Clock, usize)> {
        let spaced = self.tokens[at - 1].spaced;
        let Some((minute, next)) = self.two_digits(at).filter(|&(_, next)| {
            (spaced || !self.tokens[at].spaced)
                && !matches!(self.kind(next), Some(Kind::Mark('.' | '/' | '-')))
        }) else {
            return self.finish(hour, 0, None, at);
        };
        let Some(next) = self.after_word(next, &["m", "min", "分"]) else {
            return self.finish(hour, minute, None, next);
        };
        match self.two_digits(next) {
            Some((second, next)) if self.after_word(next, &["s", "sec", "秒"]).is_some() => {
                self.finish(hour, minute, Some(second), next + 1)
            }
            _ => self.finish(hour, minute, None, next),
        }
    }

    /// `.30` where a date has no place for it: after a whole date, or before `pm` and `Uhr`. `.2h` is a fraction.
    fn dotted_minute(&self, at: usize) -> Option<(u64, usize)> {
        if self.kind(at) != Some(Kind::Mark('.')) || self.tokens[at].spaced {
            return None;
        }
        let (minute, length) = self.number(at + 1)?;
        let next = at + 2;
        if self.tokens[at + 1].spaced {
            return None;
        }
        let continues = self.kind(next) == Some(Kind::Mark('.')) && self.number(next + 1).is_some();
        let marked = self.meridiem(next).is_some() || self.after_hour_word(next).is_some();
        match length {
            1 if self.after_hour_word(next).is_some() => Some((minute * 6, next + 1)),
            2 if marked || (!continues && (self.dotted_times || self.complete())) => {
                Some((minute, next))
            }
            _ => None,
        }
    }

    /// Applies `am` or `pm` and checks the result.
    fn finish(
        &self,
        hour: u64,
        minute: u64,
        second: Option<u64>,
        next: usize,
    ) -> Option<(Clock, usize)> {
        match self.meridiem(next) {
            Some(_) if hour > 12 => None,
            Some((afternoon, next)) => {
                let hour = hour % 12 + if afternoon { 12 } else { 0 };
                Some((clock(hour, minute, second)?, next))
            }
            None => Some((clock(hour, minute, second)?, next)),
        }
    }

    /// `am`, `p.m.`, `a. m.`: whether it is the afternoon, and where it ends.
    fn meridiem(&self, at: usize) -> Option<(bool, usize)> {
        let Some(Kind::Word(word)) = self.kind(at) else {
            return None;
        };
        let is_dot = |at| self.kind(at) == Some(Kind::Mark('.'));
        let skip_dot = |at| if is_dot(at) { at + 1 } else { at };
        match names::fold(word).as_str() {
            "am" | "ap" => Some((false, skip_dot(at + 1))),
            "pm" | "ip" => Some((true, skip_dot(at + 1))),
            half @ ("a" | "p") => {
                let next = skip_dot(at + 1);
                matches!(self.kind(next), Some(Kind::Word("m" | "M")))
                    .then(|| (half == "p", skip_dot(next + 1)))
            }
            _ => None,
        }
    }

    /// Takes the zone of a whole day, as XML writes it: `1990-05-17+08:00`. Only after a year in front, where a
    /// further hyphen cannot be a separator.
    fn take_zone_of_day(&mut self) -> bool {
        let is_whole_day =
            matches!(self.parts.as_slice(), [year, ..] if year.length == 4) && self.complete();
        if !is_whole_day || self.clock.is_some() || self.zone != Zone::Unsaid {
            return false;
        }
        let at = self.at;
        self.take_zone();
        // `-08` may be anything.
        let is_bare_number = self.at == at + 2 && self.two_digits(at + 1).is_some();
        if self.zone == Zone::Unknown || is_bare_number {
            self.zone = Zone::Unsaid;
            self.at = at;
        }
        self.at > at
    }

    /// Takes what says the zone, after a time.
    fn take_zone(&mut self) {
        if let Some(Kind::Word(word)) = self.kind(self.at)
            && let Some(zone) = named_zone(word)
        {
            self.zone = zone;
            self.at += 1;
        }
        if let Some((minutes, next)) = self.offset(self.at) {
            self.zone = Zone::Offset {
                minutes,
                zulu: false,
            };
            self.at = next;
        }
    }

    /// `+02:00`, `-0300`, `-08`.
    fn offset(&self, at: usize) -> Option<(i16, usize)> {
        let sign = match self.kind(at)? {
            Kind::Mark('+') => 1,
            Kind::Mark('-') => -1,
            Kind::Mark(_) | Kind::Word(_) | Kind::Number { .. } => return None,
        };
        let (value, length) = self.number(at + 1)?;
        if self.tokens[at + 1].spaced {
            return None;
        }
        let (hours, minutes, next) = match length {
            4 => (value / 100, value % 100, at + 2),
            2 if self.kind(at + 2) == Some(Kind::Mark(':')) => {
                let (minutes, next) = self.two_digits(at + 3)?;
                (value, minutes, next)
            }
            2 => (value, 0, at + 2),
            _ => return None,
        };
        if hours > 23 || minutes > 59 {
            return None;
        }
        let minutes = i16::try_from(hours * 60 + minutes).ok()?;
        Some((sign * minutes, next))
    }

    fn kind(&self, at: usize) -> Option<Kind<'a>> {
        self.tokens.get(at).map(|token| token.kind)
    }

    fn number(&self, at: usize) -> Option<(u64, usize)> {
        match self.kind(at)? {
            Kind::Number { value, length } => Some((value, length)),
            Kind::Word(_) | Kind::Mark(_) => None,
        }
    }

    fn two_digits(&self, at: usize) -> Option<(u64, usize)> {
        self.number(at)
            .filter(|&(_, length)| length == 2)
            .map(|(value, _)| (value, at + 1))
    }

    /// Skips the fraction of a second.
    fn after_fraction(&self, at: usize) -> usize {
        let fraction = matches!(self.kind(at), Some(Kind::Mark('.' | ',')))
            && self.number(at + 1).is_some()
            && !self.tokens[at].spaced
            && !self.tokens[at + 1].spaced;
        if fraction { at + 2 } else { at }
    }

    fn after_hour_word(&self, at: usize) -> Option<usize> {
        self.after_word(at, &["h", "hs", "hrs", "uhr", "uur", "時", "时", "点"])
    }

    fn after_word(&self, at: usize, words: &[&str]) -> Option<usize> {
        let found = match self.kind(at)? {
            Kind::Word(word) => words.contains(&names::fold(word).as_str()),
            Kind::Mark(mark) => words.iter().any(|word| word.chars().eq([mark])),
            Kind::Number { .. } => false,
        };
        found.then_some(at + 1)
    }

    /// Puts the parts together.
    fn date(&self, options: DateOptions) -> Option<Written> {
        let parts = self.parts.as_slice();
        if parts.iter().any(|part| part.role == Some(Role::Month)) {
            return self.date_by_role(options);
        }
        if let Some((month, before)) = self.named_month() {
            return with_month(month, before, parts, self.gap_after_month(), options);
        }
        match *parts {
            [only] if only.role.is_none() => compact(only, options),
            [first, second] if first.role.is_none() && second.role.is_none() => {
                self.pair(first, second, options)
            }
            [first, second, third]
                if second.before == third.before
                    && matches!(
                        second.before,
                        Gap::Space | Gap::Words | Gap::Mark('.' | '/' | '-')
                    )
                    && first.length <= 4
                    && third.length <= 4 =>
            {
                Some(triple([first, second, third], options))
            }
            _ => None,
        }
    }

    /// `1990年5月17日`.
    fn date_by_role(&self, options: DateOptions) -> Option<Written> {
        let find = |role| self.parts.iter().find(|part| part.role == Some(role));
        if self.month.is_some() || self.parts.iter().any(|part| part.role.is_none()) {
            return None;
        }
        let year = match find(Role::Year) {
            Some(year) => Some(year.year(options)?),
            None => None,
        };
        let day = match find(Role::Day) {
            Some(day) => Some(day.small()?),
            None => None,
        };
        Some(plain(PartialDate::new(
            year,
            Some(find(Role::Month)?.small()?),
            day,
        )))
    }

    /// Two numbers: a month and its year, or a day and its month.
    fn pair(&self, first: Part, second: Part, options: DateOptions) -> Option<Written> {
        let Gap::Mark(separator @ ('.' | '/' | '-')) = second.before else {
            return None;
        };
        if first.length == 4 && second.length <= 2 {
            // `1990-5` is not how ISO writes it, but nothing else is.
            return Some(plain(PartialDate::new(
                first.year(options),
                second.small(),
                None,
            )));
        }
        if second.length == 4 && first.length <= 2 {
            return Some(plain(PartialDate::new(
                second.year(options),
                first.small(),
                None,
            )));
        }
        // `17.5` is a number and `5-17` a range, but `17.5.` and `5/17` are days.
        let is_day = (separator == '.' && self.dot_at_end) || separator == '/';
        if !is_day || first.length > 2 || second.length > 2 {
            return None;
        }
        let day_first = PartialDate::new(None, second.small(), first.small());
        let month_first = PartialDate::new(None, first.small(), second.small());
        Some(Written::Numeric(Numeric::new(
            [day_first, month_first, month_first],
            false,
        )))
    }

    fn gap_after_month(&self) -> Gap {
        match (self.named_month(), self.parts.as_slice()) {
            (Some((_, before)), parts) => {
                parts.get(before).map_or(Gap::Nothing, |part| part.before)
            }
            (None, _) => Gap::Nothing,
        }
    }
}

/// A month by name, and the numbers around it; `before` of them stand before it.
fn with_month(
    month: u8,
    before: usize,
    parts: &[Part],
    gap: Gap,
    options: DateOptions,
) -> Option<Written> {
    let date = |year: Part, day: Part| PartialDate::full(year.year(options)?, month, day.small()?);
    match *parts {
        [only] if only.role == Some(Role::Year) || only.must_be_year() => Some(plain(
            PartialDate::new(only.year(options), Some(month), None),
        )),
        // A spreadsheet's `Sep-03` is September 2003 in one column and 3 September in another.
        [only]
            if before == 0 && only.length == 2 && only.role.is_none() && gap == Gap::Mark('-') =>
        {
            Some(Written::Plain(Err(Unreadable::Ambiguous)))
        }
        [only] => Some(plain(PartialDate::new(None, Some(month), only.small()))),
        [first, second] => {
            let first_is_year = first.must_be_year() || second.must_be_day();
            let second_is_year = second.must_be_year() || first.must_be_day();
            Some(match (first_is_year, second_is_year) {
                (true, true) => plain(None),
                (true, false) => plain(date(first, second)),
                (false, true) => plain(date(second, first)),
                (false, false) => {
                    let day_first = date(second, first);
                    let year_first = date(first, second);
                    match before {
                        // `04 27 Oct` is in nobody's order but the declared one.
                        2 => Written::Numeric(
                            Numeric::new([day_first, None, year_first], false).needing_order(),
                        ),
                        // `Sep 25 03`
                        0 => plain(day_first),
                        // `25 Sep 03`: the day comes first unless years are said to.
                        _ => Written::Numeric(Numeric {
                            readings: [day_first, day_first, year_first],
                            without_order: day_first.ok_or(Unreadable::Invalid),
                            silent_ymd: false,
                        }),
                    }
                }
            })
        }
        _ => None,
    }
}

fn clock(hour: u64, minute: u64, second: Option<u64>) -> Option<Clock> {
    let over = hour == 24 && (minute, second.unwrap_or(0)) != (0, 0);
    if hour > 24 || minute > 59 || second.is_some_and(|second| second > 60) || over {
        return None;
    }
    Some(Clock {
        hour: u8::try_from(hour).ok()?,
        minute: u8::try_from(minute).ok()?,
        second: match second {
            Some(second) => Some(u8::try_from(second).ok()?),
            None => None,
        },
    })
}

/// `5th`, `1er`, `2de`, glued to the number.
fn is_ordinal(word: &str) -> bool {
    matches!(
        names::fold(word).as_str(),
        "st" | "nd"
            | "rd"
            | "th"
            | "er"
            | "re"
            | "ere"
            | "e"
            | "eme"
            | "o"
            | "ste"
            | "de"
            | "te"
            | "ten"
    )
}

/// Abbreviations of zones. Those of RFC 5322 and the European ones stand for one offset.
fn named_zone(word: &str) -> Option<Zone> {
    let hours = match word {
        "Z" | "z" => {
            return Some(Zone::Offset {
                minutes: 0,
                zulu: true,
            });
        }
        "UTC" | "GMT" | "UT" | "WET" => 0,
        "CET" | "MEZ" | "WEST" => 1,
        "CEST" | "MESZ" | "EET" => 2,
        "EEST" => 3,
        "EDT" => -4,
        "EST" | "CDT" => -5,
        "CST" | "MDT" => -6,
        "MST" | "PDT" => -7,
        "PST" => -8,
        other => {
            let is_zone = (3..=5).contains(&other.len())
                && other.bytes().all(|byte| byte.is_ascii_uppercase())
                && names::meaning(other).is_none();
            return is_zone.then_some(Zone::Unknown);
        }
    };
    Some(Zone::Offset {
        minutes: hours * 60,
        zulu: false,
    })
}
