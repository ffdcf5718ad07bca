//! Phone numbers: E.164 by libphonenumber's rules, with the extension kept apart.
//!
//! Stricter than the library in one thing: letters are never digits. `555-CALL` is an issue, not a number.

mod automaton;
mod lane;

use std::ops::Range;

use rlibphonenumber::{PHONE_NUMBER_UTIL, PhoneNumberFormat, PhoneNumberUtil, Region};

use super::text::{is_space, trim};
use crate::issue::Problem;
use lane::Lane;
#[doc(hidden)]
pub use lane::Reading;

/// A valid number in its canonical text: `+16502530000` or `+16502530000;ext=123`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PhoneNumber {
    text: String,
    /// Where the E.164 part ends.
    end: usize,
}

impl PhoneNumber {
    /// Takes a canonical text that [`PhoneReader::parse`] once made; none if it does not have that form.
    pub fn from_canonical(text: &str) -> Option<PhoneNumber> {
        let (e164, extension) = match text.split_once(EXTENSION) {
            Some((e164, extension)) => (e164, Some(extension)),
            None => (text, None),
        };
        let digits = |text: &str, most| {
            (1..=most).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())
        };
        let fits = digits(e164.strip_prefix('+')?, 20)
            && extension.is_none_or(|extension| digits(extension, 20));
        fits.then(|| PhoneNumber {
            text: text.to_owned(),
            end: e164.len(),
        })
    }

    /// The number without its extension: `+16502530000`.
    pub fn e164(&self) -> &str {
        &self.text[..self.end]
    }

    /// The digits of the extension.
    pub fn extension(&self) -> Option<&str> {
        self.text[self.end..].strip_prefix(EXTENSION)
    }

    /// The canonical text, as it is stored, compared and sent.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The canonical text, taken out.
    pub fn into_string(self) -> String {
        self.text
    }
}

/// The longest text that is tried: libphonenumber's own limit.
const MAX_BYTES: usize = 250;

const EXTENSION: &str = ";ext=";

/// A number, and what had to be done to read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParsedPhone {
    /// The number.
    pub number: PhoneNumber,
    /// Whether a leading zero that a spreadsheet dropped was put back; worth a note.
    pub zero_restored: bool,
}

/// Reads numbers. The first one in a process takes milliseconds to make, others nothing: all of them share the library's
/// metadata, which takes more than 10 MiB with the patterns that are compiled as they are needed. Threads that use a
/// pattern at once are slower, but the lane reads nearly every number without one.
pub struct PhoneReader {
    util: &'static PhoneNumberUtil,
    lane: &'static Lane,
}

impl std::fmt::Debug for PhoneReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PhoneReader")
    }
}

impl Default for PhoneReader {
    fn default() -> PhoneReader {
        PhoneReader::new()
    }
}

impl PhoneReader {
    /// A reader with the metadata of all regions.
    pub fn new() -> PhoneReader {
        PhoneReader {
            util: &PHONE_NUMBER_UTIL,
            lane: Lane::shared(&PHONE_NUMBER_UTIL),
        }
    }

    /// Reads one number; `region` is the ISO 3166 alpha-2 code whose national rules apply.
    pub fn parse(&self, text: &str, region: Option<&str>) -> Result<ParsedPhone, Problem> {
        let known_region = region.and_then(|region| self.region(region));
        if let Some(number) = self.read(text, known_region) {
            return Ok(ParsedPhone {
                number,
                zero_restored: false,
            });
        }
        if is_rounded(text) {
            return Err(Problem::PrecisionLost);
        }
        if let Some(number) = self.restore_zero(text, known_region) {
            return Ok(ParsedPhone {
                number,
                zero_restored: true,
            });
        }
        Err(match known_region {
            None if is_national(text) => Problem::PhoneNoRegion,
            Some(region) if is_national(text) => Problem::PhoneInvalid {
                region: Some(region.as_region_str().to_string()),
            },
            _ => Problem::PhoneInvalid { region: None },
        })
    }

    /// The numbers of a cell, as they stand in it: what is one number stays one, the rest is split at `,` `;` `|` `/`,
    /// line ends and Google's `:::`.
    ///
    /// `+49 30/123456` and `(800) 901-3355 , ext 7246433` are one number. What reads as no number is a part by itself,
    /// so that its issue names it.
    pub fn split_cell<'t>(&self, text: &'t str, region: Option<&str>) -> Numbers<'t> {
        let may_be_several = |byte: &u8| matches!(byte, b',' | b';' | b'|' | b'/' | b'\n' | b':');
        if !text.as_bytes().iter().any(may_be_several) || is_rounded(text) {
            return Numbers::one(text);
        }
        let region = region.and_then(|region| self.region(region));
        let mut parts = Vec::new();
        for segment in text.split(['|', '\n']).flat_map(|part| part.split(":::")) {
            self.group(segment, COMMA, region, &mut |part, joined| {
                if joined || !(part.contains('/') && part.contains(char::is_numeric)) {
                    parts.push(part);
                } else {
                    self.group(part, SLASH, region, &mut |part, _| parts.push(part));
                }
            });
        }
        match *parts {
            [] => Numbers::one(trim(text)),
            [part] => Numbers::one(part),
            _ => Numbers(Parts::Many(parts.into_iter())),
        }
    }

    /// The number as people read it: `+1 650-253-0000 ext. 123`.
    pub fn display(&self, number: &PhoneNumber) -> String {
        match self.util.parse(number.as_str(), None) {
            Ok(parsed) => self
                .util
                .format(&parsed, PhoneNumberFormat::International)
                .into_owned(),
            // A number may leave the metadata between two versions; it is still somebody's.
            Err(_) => number.as_str().to_owned(),
        }
    }

    /// The ISO 3166 alpha-2 code of the number's region; none for numbers of the whole world.
    pub fn region_of(&self, number: &PhoneNumber) -> Option<String> {
        let parsed = self.util.parse(number.e164(), None).ok()?;
        let region = self.util.get_region_for_number(&parsed)?;
        (region != Region::World).then(|| region.as_region_str().to_string())
    }

    /// What the fast lane alone says, so that a test can compare it.
    #[doc(hidden)]
    pub fn parse_by_lane(&self, text: &str, region: Option<&str>) -> Reading {
        let region = region.and_then(|region| self.region(region));
        self.lane.read(self.util, text, region)
    }

    /// What the library alone says, so that a test can compare it.
    #[doc(hidden)]
    pub fn parse_by_library(&self, text: &str, region: Option<&str>) -> Option<PhoneNumber> {
        let region = region.and_then(|region| self.region(region));
        self.read_by_library(text, region)
    }

    /// Makes all tables of the fast lane, which otherwise come as they are needed, and says how many bytes they take.
    #[doc(hidden)]
    pub fn fill_lane(&self) -> usize {
        self.lane.fill(self.util)
    }

    /// The region by its code, if it has phone numbers.
    fn region(&self, code: &str) -> Option<Region> {
        let region = Region::from_code(code).ok()?;
        self.util
            .get_country_code_for_region(region)
            .map(|_| region)
    }

    fn read(&self, text: &str, region: Option<Region>) -> Option<PhoneNumber> {
        if text.len() > MAX_BYTES {
            return None;
        }
        match self.lane.read(self.util, text, region) {
            Reading::Number(text) => Some(PhoneNumber {
                end: text.len(),
                text,
            }),
            Reading::Invalid => None,
            Reading::Elsewhere => self.read_by_library(text, region),
        }
    }

    fn read_by_library(&self, text: &str, region: Option<Region>) -> Option<PhoneNumber> {
        let letters = letter_runs(text);
        if letters > 1 {
            return None;
        }
        let parsed = self.util.parse(text, region).ok()?;
        // The only word in a number is the one before its extension.
        if letters == 1 && parsed.extension.is_none() || !self.util.is_valid_number(&parsed) {
            return None;
        }
        let mut canonical = self
            .util
            .format(&parsed, PhoneNumberFormat::E164)
            .into_owned();
        let end = canonical.len();
        if let Some(extension) = &parsed.extension {
            let digits = self.util.normalize_digits_only(extension);
            if !digits.is_empty() {
                canonical.push_str(EXTENSION);
                canonical.push_str(&digits);
            }
        }
        Some(PhoneNumber {
            text: canonical,
            end,
        })
    }

    /// Reads the number with the zero that a spreadsheet drops from a cell of digits only.
    ///
    /// In most regions the zero is a trunk prefix, which the library does not need; where it belongs to the number, as
    /// in Italy, the number is another one without it.
    fn restore_zero(&self, text: &str, region: Option<Region>) -> Option<PhoneNumber> {
        let digits_only = text.len() <= 15 && text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits_only || text.starts_with('0') {
            return None;
        }
        let number = self.read(&format!("0{text}"), Some(region?))?;
        number.e164().ends_with(text).then_some(number)
    }

    /// Splits the text at the signs and puts together again what is one number, the longest first; says of each part
    /// whether it was put together.
    fn group<'t>(
        &self,
        text: &'t str,
        signs: &[char],
        region: Option<Region>,
        found: &mut dyn FnMut(&'t str, bool),
    ) {
        let pieces = pieces(text, signs);
        let whole = |pieces: &[Range<usize>]| &text[pieces[0].start..pieces[pieces.len() - 1].end];
        let mut rest = pieces.as_slice();
        while !rest.is_empty() {
            let longest = if pieces.len() > MAX_JOINED {
                1
            } else {
                rest.len().min(MAX_PIECES)
            };
            let is_one = |&count: &usize| {
                let pieces = &rest[..count];
                self.reads(whole(pieces), region)
                    && !(1..count).any(|at| {
                        let (left, right) = (whole(&pieces[..at]), whole(&pieces[at..]));
                        if signs == SLASH {
                            begins_number(right)
                                && self.reads(left, region)
                                && self.reads(right, region)
                        } else {
                            is_another(right)
                                || self.reads(left, region) && self.reads(right, region)
                        }
                    })
            };
            let ends_well = |&count: &usize| {
                rest.get(count)
                    .is_none_or(|next| signs != SLASH || begins_number(&text[next.clone()]))
            };
            // The last piece stands alone, whatever it is; reading costs.
            let joined = match rest {
                [_] => None,
                _ => (1..=longest)
                    .rev()
                    .find(|count| ends_well(count) && is_one(count))
                    .or_else(|| (2..=longest).rev().find(is_one)),
            };
            let (part, others) = rest.split_at(joined.unwrap_or(1));
            found(whole(part), part.len() > 1);
            rest = others;
        }
    }

    fn reads(&self, text: &str, region: Option<Region>) -> bool {
        self.read(text, region).is_some()
    }
}

/// The most pieces that are tried as one number: `tel:030/123;ext=4;isub=5;phone-context=+49` has four.
const MAX_PIECES: usize = 4;

/// The most pieces of a cell in which numbers are put together; more are no list of a person's numbers, and trying costs.
const MAX_JOINED: usize = 32;

const COMMA: &[char] = &[',', ';'];
const SLASH: &[char] = &['/'];

/// Whether the text begins as a number does.
///
/// Behind a slash, 234567 is the rest of a number, even where it could be one by itself.
fn begins_number(text: &str) -> bool {
    text.starts_with(['0', '+', '('])
}

/// Whether what stands behind a comma is meant as another number, however bad, and not as an extension: libphonenumber
/// takes any digits there for one, and a second number with a slip of the pen would vanish in the first.
fn is_another(text: &str) -> bool {
    begins_number(text) || text.len() > 6 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Where the pieces between the signs stand in the text, trimmed, without empty ones.
fn pieces(text: &str, signs: &[char]) -> Vec<Range<usize>> {
    let mut start = 0;
    let mut pieces = Vec::new();
    for piece in text.split_inclusive(signs) {
        let end = start + piece.len();
        let bare = piece.strip_suffix(signs).unwrap_or(piece);
        let trimmed = trim(bare);
        if !trimmed.is_empty() {
            // Trimming leaves the text at its place: the distance of the two beginnings is what was trimmed.
            let lead = bare.len() - bare.trim_start_matches(is_space).len();
            pieces.push(start + lead..start + lead + trimmed.len());
        }
        start = end;
    }
    pieces
}

/// The numbers of a cell, in their order.
#[derive(Debug, Clone)]
pub struct Numbers<'t>(Parts<'t>);

#[derive(Debug, Clone)]
enum Parts<'t> {
    One(Option<&'t str>),
    Many(std::vec::IntoIter<&'t str>),
}

impl<'t> Numbers<'t> {
    fn one(text: &'t str) -> Numbers<'t> {
        Numbers(Parts::One(Some(text)))
    }
}

impl<'t> Iterator for Numbers<'t> {
    type Item = &'t str;

    fn next(&mut self) -> Option<&'t str> {
        match &mut self.0 {
            Parts::One(part) => part.take(),
            Parts::Many(parts) => parts.next(),
        }
    }
}

/// The digits of what a person typed to find a number, without zeros and signs that differ between its spellings.
///
/// They are part of the E.164 digits of the number: `0171/123` finds `+49171123…`. None if it is no phone number, or
/// too short to find anything by.
pub fn search_digits(text: &str) -> Option<String> {
    let text = trim(text).replace("(0)", "");
    let text = text.strip_prefix("tel:").unwrap_or(&text);
    let mut digits = String::with_capacity(text.len());
    for character in text.chars() {
        match character.to_digit(10) {
            Some(_) => digits.push(character),
            None if character.is_whitespace() || "+-–()/.\u{2011}".contains(character) => {}
            None => return None,
        }
    }
    let digits = digits.trim_start_matches('0');
    (digits.len() >= 3).then(|| digits.to_owned())
}

/// How many words the number has, the parameters of a `tel:` address aside.
fn letter_runs(text: &str) -> usize {
    let text = without_parameters(text);
    let (mut runs, mut inside) = (0, false);
    for character in text.chars() {
        // The long vowel mark `ー` is a letter to Unicode and a hyphen to who types a number in Japanese.
        let letter =
            character.is_alphabetic() && character != 'ー' || inside && character == '\u{301}';
        runs += usize::from(letter && !inside);
        inside = letter;
    }
    runs
}

fn without_parameters(text: &str) -> &str {
    let text = match text.get(..4) {
        Some(scheme) if scheme.eq_ignore_ascii_case("tel:") => &text[4..],
        _ => text,
    };
    let end = [";phone-context=", ";isub="]
        .iter()
        .filter_map(|name| text.find(name))
        .min();
    end.map_or(text, |end| &text[..end])
}

/// Whether the text looks like a number of some region, written without its country code.
fn is_national(text: &str) -> bool {
    let text = without_parameters(text);
    let digits = text
        .chars()
        .filter(|character| character.is_numeric())
        .count();
    let begins = text.starts_with(|character: char| character == '(' || character.is_numeric());
    let signs = text.chars().all(|character| {
        character.is_numeric() || character.is_whitespace() || "()-–./#~ー－".contains(character)
    });
    begins && digits >= 2 && signs && !text.starts_with("(+")
}

/// Whether a spreadsheet rounded the number: `4.41E+11`, `4,41E+11`.
fn is_rounded(text: &str) -> bool {
    let Some((mantissa, exponent)) = text.split_once(['E', 'e']) else {
        return false;
    };
    let (whole, decimals) = mantissa.split_once(['.', ',']).unwrap_or((mantissa, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let exponent = exponent.strip_prefix('+').unwrap_or(exponent);
    digits(whole) && digits(decimals) && digits(exponent) && exponent.len() <= 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read() {
        let reader = PhoneReader::new();
        for (text, region, expected) in [
            ("+1 650-253-0000", None, "+16502530000"),
            ("(650) 253-0000", Some("US"), "+16502530000"),
            ("(650) 253-0000", Some("us"), "+16502530000"),
            ("+1 650 253 0000 ext. 123", None, "+16502530000;ext=123"),
            ("+1 650 253 0000 x123", None, "+16502530000;ext=123"),
            ("030/123456", Some("DE"), "+4930123456"),
            ("+49 (0)30 123456", None, "+4930123456"),
            ("tel:+49-30-123456", None, "+4930123456"),
            ("0171 2345678", Some("DE"), "+491712345678"),
            ("171 2345678", Some("DE"), "+491712345678"),
            ("0049 30 123456", Some("DE"), "+4930123456"),
            ("918080808080", Some("IN"), "+918080808080"),
            ("06 698 12345", Some("IT"), "+390669812345"),
            ("＋１ ６５０ ２５３ ００００", None, "+16502530000"),
            ("٠٣٠ ١٢٣٤٥٦", Some("DE"), "+4930123456"),
            ("03ー1234ー5678", Some("JP"), "+81312345678"),
            ("+800 1234 5678", None, "+80012345678"),
        ] {
            let parsed = reader.parse(text, region).unwrap();
            assert_eq!(parsed.number.as_str(), expected, "{text:?}");
            assert!(!parsed.zero_restored, "{text:?}");
        }
    }

    #[test]
    fn other_text_is_refused() {
        let reader = PhoneReader::new();
        let invalid = |region: &str| Problem::PhoneInvalid {
            region: (!region.is_empty()).then(|| region.to_owned()),
        };
        for (text, region, expected) in [
            ("", Some("DE"), invalid("")),
            ("030 123456", None, Problem::PhoneNoRegion),
            ("(030) 123456", None, Problem::PhoneNoRegion),
            ("030 123456", Some("XX"), Problem::PhoneNoRegion),
            ("030 123456", Some("Germany"), Problem::PhoneNoRegion),
            ("12", Some("DE"), invalid("DE")),
            ("+49 1", Some("DE"), invalid("")),
            ("+999 123456789", None, invalid("")),
            ("555-CALL", Some("DE"), invalid("")),
            ("1-800-FLOWERS", Some("US"), invalid("")),
            ("+1 650 253 0000 (home)", None, invalid("")),
            ("home 650 253 0000", Some("US"), invalid("")),
            ("anna", Some("DE"), invalid("")),
            ("4.41E+11", Some("GB"), Problem::PrecisionLost),
            ("4,41E+11", None, Problem::PrecisionLost),
            ("4.41235e11", None, Problem::PrecisionLost),
        ] {
            assert_eq!(
                reader.parse(text, region),
                Err(expected),
                "{text:?} {region:?}"
            );
        }
    }

    #[test]
    fn a_lost_zero_is_restored_where_it_belongs_to_the_number() {
        let reader = PhoneReader::new();
        for (text, region, expected) in [
            ("669812345", "IT", Some("+390669812345")),
            ("66 9812345", "IT", None),
            ("+39669812345", "IT", None),
            ("6502530000", "US", Some("+16502530000")),
            ("12345", "DE", None),
        ] {
            let parsed = reader.parse(text, Some(region)).ok();
            let found = parsed.as_ref().map(|parsed| parsed.number.as_str());
            assert_eq!(found, expected, "{text:?}");
            let restored = parsed.is_some_and(|parsed| parsed.zero_restored);
            assert_eq!(restored, text == "669812345", "{text:?}");
        }
    }

    #[test]
    fn cells_are_split_between_numbers() {
        let reader = PhoneReader::new();
        for (cell, region, expected) in [
            ("", "DE", vec![""]),
            ("030 123456", "DE", vec!["030 123456"]),
            ("030/123456", "DE", vec!["030/123456"]),
            ("+49 30/123456", "US", vec!["+49 30/123456"]),
            (
                "030/123456, 0171/2345678",
                "DE",
                vec!["030/123456", "0171/2345678"],
            ),
            (
                "030/1234567 / 0171/2345678",
                "DE",
                vec!["030/1234567", "0171/2345678"],
            ),
            (
                "0171 2345678/0172 3456789",
                "DE",
                vec!["0171 2345678", "0172 3456789"],
            ),
            (
                "+16502530000;+14155552671",
                "DE",
                vec!["+16502530000", "+14155552671"],
            ),
            (
                "0301234567;0407654321",
                "DE",
                vec!["0301234567", "0407654321"],
            ),
            ("030 1234/040 5678", "DE", vec!["030 1234", "040 5678"]),
            ("030 1234,040 5678", "DE", vec!["030 1234", "040 5678"]),
            (
                "6502530000|4155552671",
                "US",
                vec!["6502530000", "4155552671"],
            ),
            (
                "+1 650-253-0000 ::: +1 415-555-2671",
                "US",
                vec!["+1 650-253-0000", "+1 415-555-2671"],
            ),
            (
                "+16502530000\n+14155552671",
                "US",
                vec!["+16502530000", "+14155552671"],
            ),
            (
                "(800) 901-3355 , ext 7246433",
                "US",
                vec!["(800) 901-3355 , ext 7246433"],
            ),
            (
                "(800) 901-3355 , ext 72; 650 253 0000 x5",
                "US",
                vec!["(800) 901-3355 , ext 72", "650 253 0000 x5"],
            ),
            (
                "tel:+16502530000;ext=3",
                "DE",
                vec!["tel:+16502530000;ext=3"],
            ),
            (
                "tel:030/123456;ext=3;phone-context=+49",
                "US",
                vec!["tel:030/123456;ext=3;phone-context=+49"],
            ),
            ("030 1234567, 01712", "DE", vec!["030 1234567", "01712"]),
            (
                "650 253 0000, 4155552",
                "US",
                vec!["650 253 0000", "4155552"],
            ),
            ("650 253 0000; 17", "US", vec!["650 253 0000; 17"]),
            ("650 253 0000, n/a", "US", vec!["650 253 0000", "n/a"]),
            ("bad; 650 253 0000", "US", vec!["bad", "650 253 0000"]),
            (" , 650 253 0000 ;", "US", vec!["650 253 0000"]),
            ("650/253/0000", "US", vec!["650/253/0000"]),
        ] {
            let parts: Vec<&str> = reader.split_cell(cell, Some(region)).collect();
            assert_eq!(parts, expected, "{cell:?}");
        }
    }

    #[test]
    fn canonical_texts_are_taken_back() {
        for (text, expected) in [
            ("+16502530000", Some(("+16502530000", None))),
            ("+16502530000;ext=012", Some(("+16502530000", Some("012")))),
            ("16502530000", None),
            ("+", None),
            ("+1650 253", None),
            ("+16502530000;ext=", None),
            ("+16502530000;ext=x", None),
            ("", None),
        ] {
            let number = PhoneNumber::from_canonical(text);
            let found = number
                .as_ref()
                .map(|number| (number.e164(), number.extension()));
            assert_eq!(found, expected, "{text:?}");
        }
    }

    #[test]
    fn numbers_are_shown_with_their_region() {
        let reader = PhoneReader::new();
        for (canonical, shown, region) in [
            ("+16502530000", "+1 650-253-0000", Some("US")),
            ("+16502530000;ext=12", "+1 650-253-0000 ext. 12", Some("US")),
            ("+4930123456", "+49 30 123456", Some("DE")),
            ("+80012345678", "+800 1234 5678", None),
            ("+9990", "+9990", None),
        ] {
            let number = PhoneNumber::from_canonical(canonical).unwrap();
            assert_eq!(reader.display(&number), shown);
            assert_eq!(reader.region_of(&number).as_deref(), region, "{canonical}");
        }
    }

    #[test]
    fn typed_digits_are_part_of_the_number() {
        for (typed, expected) in [
            ("+49 30 123456", Some("4930123456")),
            ("0049 30 123456", Some("4930123456")),
            ("+49 (0)30 123456", Some("4930123456")),
            ("030/12", Some("3012")),
            ("(650) 253-00", Some("65025300")),
            ("6502530000", Some("6502530000")),
            ("12", None),
            ("Weber 123", None),
            ("anna@example.com", None),
            ("", None),
        ] {
            assert_eq!(search_digits(typed).as_deref(), expected, "{typed:?}");
        }
    }
}
