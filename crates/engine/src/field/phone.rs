//! Phone numbers: E.164 by libphonenumber's rules, with the extension kept apart.
//!
//! Stricter than the library in one thing: letters are never digits. `555-CALL` is an issue, not a number.

use rlibphonenumber::{PhoneNumberFormat, PhoneNumberUtil, Region};

use super::text::trim;
use crate::issue::Problem;

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
}

const EXTENSION: &str = ";ext=";

/// A number, and what had to be done to read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParsedPhone {
    /// The number.
    pub number: PhoneNumber,
    /// Whether a leading zero that a spreadsheet dropped was put back; worth a note.
    pub zero_restored: bool,
}

/// Reads numbers. Making one takes milliseconds, and sharing one between threads makes them wait: one for each thread.
pub struct PhoneReader {
    util: PhoneNumberUtil,
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
            util: PhoneNumberUtil::new()
                .expect("the metadata that the library brings along decodes"),
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
        let is_separator =
            |byte: &u8| matches!(byte, b',' | b';' | b'|' | b'/' | b'\n') || *byte == b':';
        if !text.as_bytes().iter().any(|byte| is_separator(byte)) {
            return Numbers::one(text);
        }
        let pieces = pieces(text);
        if pieces.len() < 2 {
            return Numbers::one(pieces.first().map_or(text, |piece| &text[piece.clone()]));
        }
        let region = region.and_then(|region| self.region(region));
        let mut parts = Vec::new();
        let mut first = 0;
        while first < pieces.len() {
            let longest = (pieces.len() - first).min(MAX_PIECES);
            let taken = (2..=longest)
                .rev()
                .find(|&count| self.is_one_number(text, &pieces[first..first + count], region))
                .unwrap_or(1);
            parts.push(&text[pieces[first].start..pieces[first + taken - 1].end]);
            first += taken;
        }
        Numbers(Parts::Many(parts.into_iter()))
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

    /// The region by its code, if it has phone numbers.
    fn region(&self, code: &str) -> Option<Region> {
        let region = Region::from_code(code).ok()?;
        self.util
            .get_country_code_for_region(region)
            .map(|_| region)
    }

    fn read(&self, text: &str, region: Option<Region>) -> Option<PhoneNumber> {
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

    /// Whether the pieces together are one valid number, and not two.
    fn is_one_number(
        &self,
        text: &str,
        pieces: &[std::ops::Range<usize>],
        region: Option<Region>,
    ) -> bool {
        let reads = |pieces: &[std::ops::Range<usize>]| {
            let whole = &text[pieces[0].start..pieces[pieces.len() - 1].end];
            self.read(whole, region).is_some()
        };
        let is_two = |at: usize| {
            let (left, right) = pieces.split_at(at);
            // Behind a slash 234567 is an area code's number; as a number by itself it would begin with 0 or +.
            let slash = text[left[at - 1].end..right[0].start].contains('/');
            let begins_anew = text[right[0].clone()].starts_with(['0', '+', '(']);
            (!slash || begins_anew) && reads(left) && reads(right)
        };
        reads(pieces) && !(1..pieces.len()).any(is_two)
    }
}

/// The most pieces that are tried as one number: `tel:030/123;ext=4;phone-context=+49` has four.
const MAX_PIECES: usize = 4;

/// Where the pieces between separators stand in the text, trimmed, without empty ones.
fn pieces(text: &str) -> Vec<std::ops::Range<usize>> {
    let mut pieces = Vec::new();
    let mut push = |start: usize, end: usize| {
        let piece = trim(&text[start..end]);
        if !piece.is_empty() {
            let start = piece.as_ptr().addr() - text.as_ptr().addr();
            pieces.push(start..start + piece.len());
        }
    };
    let mut start = 0;
    let bytes = text.as_bytes();
    let mut position = 0;
    while position < bytes.len() {
        let length = match bytes[position] {
            b',' | b';' | b'|' | b'/' | b'\n' => 1,
            b':' if bytes[position..].starts_with(b":::") => 3,
            _ => {
                position += 1;
                continue;
            }
        };
        push(start, position);
        position += length;
        start = position;
    }
    push(start, bytes.len());
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
