//! What "contains this text" means, for one attempt and for a block of them.
//!
//! Case is folded letter by letter: an ASCII letter to its ASCII small letter, any other to its small letter where
//! that is one letter that is not ASCII and as long in UTF-8. (So ß stays ß, İ stays İ, and the Kelvin sign does not find
//! k.) Bytes that are not UTF-8 stay as they are. Texts are compared as folded bytes.

use std::ops::Range;

use memchr::memmem::Finder;
use rollbook_engine::attempt::Shown;

use super::block::{Keys, Payloads};
use super::filter::GramQuery;
use crate::log::{Reach, Search};

/// Folds case in place.
pub(super) fn fold(bytes: &mut [u8]) {
    bytes.make_ascii_lowercase();
    let mut position = 0;
    while let Some(ascii) = beyond_ascii(&bytes[position..]) {
        position += ascii;
        let Some(letter) = letter_at(bytes, position) else {
            position += 1;
            continue;
        };
        let end = position + letter.len_utf8();
        if let Some(small) = other_small_letter(letter) {
            small.encode_utf8(&mut bytes[position..end]);
        }
        position = end;
    }
}

/// Where the first byte is that is not ASCII.
fn beyond_ascii(bytes: &[u8]) -> Option<usize> {
    let (eights, rest) = bytes.as_chunks::<8>();
    for (position, eight) in eights.iter().enumerate() {
        let beyond = u64::from_le_bytes(*eight) & 0x8080_8080_8080_8080;
        if beyond != 0 {
            return Some(8 * position + beyond.trailing_zeros() as usize / 8);
        }
    }
    let position = rest.iter().position(|byte| !byte.is_ascii())?;
    Some(8 * eights.len() + position)
}

/// The letter of several bytes that begins here; none if these bytes are not UTF-8.
fn letter_at(bytes: &[u8], position: usize) -> Option<char> {
    let length = match bytes[position] {
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => return None,
    };
    let letter = bytes.get(position..position + length)?;
    std::str::from_utf8(letter).ok()?.chars().next()
}

fn other_small_letter(letter: char) -> Option<char> {
    // Most of those beyond ASCII are small letters of western languages.
    if letter.is_ascii() || ('ß'..='ÿ').contains(&letter) {
        return None;
    }
    let mut small = letter.to_lowercase();
    match (small.next(), small.next()) {
        (Some(one), None) if !one.is_ascii() && one.len_utf8() == letter.len_utf8() => Some(one),
        _ => None,
    }
}

/// The ASCII digits of a text.
pub(super) fn digits(text: &str) -> Vec<u8> {
    text.bytes().filter(u8::is_ascii_digit).collect()
}

/// A search, ready to be run. Empty parts look for nothing; two of them are no search.
#[derive(Debug, Clone)]
pub(super) struct Needle {
    text: Option<Part>,
    digits: Option<Part>,
    /// Without other letters than ASCII in it, folding the haystack's ASCII letters is enough.
    ascii: bool,
    reach: Reach,
}

#[derive(Debug, Clone)]
struct Part {
    finder: Finder<'static>,
    grams: GramQuery,
}

impl Part {
    fn new(folded: &[u8]) -> Option<Part> {
        (!folded.is_empty()).then(|| Part {
            finder: Finder::new(folded).into_owned(),
            grams: GramQuery::new(folded),
        })
    }
}

impl Needle {
    pub(super) fn new(search: &Search) -> Option<Needle> {
        let mut text = search.text.clone().into_bytes();
        fold(&mut text);
        let digits = search.phone_digits.as_deref().unwrap_or_default();
        let needle = Needle {
            ascii: text.is_ascii(),
            text: Part::new(&text),
            digits: Part::new(digits.as_bytes()),
            reach: search.reach,
        };
        let searches = needle.text.is_some() || needle.digits.is_some();
        let needle = match search.reach {
            Reach::Everything => needle,
            // Without a text nothing is found, which is not the same as not searching.
            Reach::NamesAndIds => Needle {
                digits: None,
                ..needle
            },
        };
        searches.then_some(needle)
    }

    /// What is worth looking for in the block of a filter.
    pub(super) fn narrowed(&self, grams: &[u8]) -> Option<Needle> {
        let keep = |part: &Option<Part>| {
            let part = part.as_ref()?;
            part.grams.may_be_in(grams).then(|| part.clone())
        };
        let (text, digits) = (keep(&self.text), keep(&self.digits));
        (text.is_some() || digits.is_some()).then_some(Needle {
            text,
            digits,
            ascii: self.ascii,
            reach: self.reach,
        })
    }

    /// Whether it looks into this column of [`Keys`]: name, phone, email, External ID.
    fn reads(&self, column: usize) -> bool {
        match self.reach {
            Reach::Everything => true,
            Reach::NamesAndIds => matches!(column, 0 | 3),
        }
    }

    /// Whether an attempt contains it.
    pub(super) fn is_in(&self, shown: &Shown, payload: &[u8]) -> bool {
        let contains = |part: &Part, bytes: &[u8]| {
            let mut folded = bytes.to_vec();
            fold(&mut folded);
            part.finder.find(&folded).is_some()
        };
        let Shown {
            name,
            phone,
            email,
            external_id,
        } = shown;
        let text = self.text.as_ref().is_some_and(|part| {
            let keys = [name, phone, email, external_id].into_iter().enumerate();
            let mut keys = keys.filter(|(column, _)| self.reads(*column));
            keys.any(|(_, key)| {
                key.as_ref()
                    .is_some_and(|key| contains(part, key.as_bytes()))
            }) || self.looks_into_payloads() && contains(part, payload)
        });
        text || self.digits.as_ref().is_some_and(|part| {
            let digits = digits(phone.as_deref().unwrap_or_default());
            part.finder.find(&digits).is_some()
        })
    }

    /// Marks the attempts of a block that contain it in their keys.
    pub(super) fn mark_keys(&self, mut keys: Keys, found: &mut [bool]) {
        if let Some(part) = &self.digits {
            // The separators stay, so that digits of two phones never meet.
            let mut digits: Vec<u8> = Vec::with_capacity(keys.phones().len());
            digits.extend(
                keys.phones()
                    .iter()
                    .filter(|byte| byte.is_ascii_digit() || **byte == Keys::END),
            );
            mark_between(part, &digits, found);
        }
        if let Some(part) = &self.text {
            for column in (0..Keys::COLUMNS).filter(|column| self.reads(*column)) {
                let texts = keys.column_mut(column);
                self.fold(texts);
                mark_between(part, texts, found);
            }
        }
    }

    /// Marks the attempts of a block that contain it in their payload.
    pub(super) fn mark_payloads(&self, mut payloads: Payloads, found: &mut [bool]) {
        let Some(part) = &self.text else {
            return;
        };
        let ends = payloads.ends().to_vec();
        if self.ascii {
            payloads.bytes_mut().make_ascii_lowercase();
        } else {
            // One by one: the end of a payload and the beginning of the next must not form a letter.
            let mut start = 0;
            for end in &ends {
                fold(&mut payloads.bytes_mut()[start..*end]);
                start = *end;
            }
        }
        let bytes = payloads.bytes_mut();
        let length = part.finder.needle().len();
        let mut position = 0;
        while let Some(hit) = part.finder.find(&bytes[position..]) {
            let hit = position + hit;
            let row = ends.partition_point(|end| *end <= hit);
            let Some(end) = ends.get(row) else {
                return;
            };
            if hit + length <= *end {
                found[row] = true;
                position = *end;
            } else {
                position = hit + 1;
            }
        }
    }

    /// Whether payloads can contain what keys do not.
    pub(super) fn looks_into_payloads(&self) -> bool {
        self.text.is_some() && self.reach == Reach::Everything
    }

    fn fold(&self, bytes: &mut [u8]) {
        if self.ascii {
            bytes.make_ascii_lowercase();
        } else {
            fold(bytes);
        }
    }
}

/// Marks the texts, each closed by [`Keys::END`], that contain a part. No part contains that byte.
fn mark_between(part: &Part, texts: &[u8], found: &mut [bool]) {
    let mut row = 0;
    let mut rest: Range<usize> = 0..texts.len();
    while let Some(hit) = part.finder.find(&texts[rest.clone()]) {
        let hit = rest.start + hit;
        row += memchr::memchr_iter(Keys::END, &texts[rest.start..hit]).count();
        if let Some(found) = found.get_mut(row) {
            *found = true;
        }
        let Some(end) = memchr::memchr(Keys::END, &texts[hit..]) else {
            return;
        };
        rest.start = hit + end + 1;
        row += 1;
    }
}
