//! Blank: which texts say that there is nothing to say.
//!
//! A blank value never matches, never clears and never fails.

use super::fold::same;
use super::text::trim;

/// The one letter beyond ASCII whose small letter is ASCII by itself.
const KELVIN: char = '\u{212a}';

/// The words of a workspace that mean "no value".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlankWords {
    words: Vec<String>,
    /// The words that are blank in names too; Null and Na are surnames.
    name_words: Vec<String>,
    /// The lengths that an ASCII text has if it is one of the words, as bits.
    ascii_lengths: u64,
    /// Whether all words are ASCII.
    all_ascii: bool,
    /// The bytes that an ASCII text begins with, in lower case, if it is one of the words, as bits.
    ascii_firsts: u128,
    /// The longest word in bytes: longer text needs no comparison.
    longest: usize,
}

/// Whether a text is blank, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blank {
    /// There is nothing, or white space only.
    Empty,
    /// It is one of the workspace's blank words; worth a note.
    Word,
    /// It is a value.
    No,
}

impl BlankWords {
    /// Blank words, and those of them that are blank in names too.
    pub fn new<'a>(
        words: impl IntoIterator<Item = &'a str>,
        name_words: impl IntoIterator<Item = &'a str>,
    ) -> BlankWords {
        let own = |word: &str| trim(word).to_owned();
        let words: Vec<String> = words.into_iter().map(own).collect();
        let name_words: Vec<String> = name_words.into_iter().map(own).collect();
        // Letters of either case may differ in length: `K` (Kelvin) has three bytes, `k` one.
        let longest = 3 * words
            .iter()
            .chain(&name_words)
            .map(String::len)
            .max()
            .unwrap_or(0);
        let lengths = words.iter().chain(&name_words).map(|word| {
            // `K` (Kelvin) is the same as an ASCII letter, so other words may be as long as they like.
            if word.is_ascii() && word.len() < 64 {
                1 << word.len()
            } else {
                u64::MAX
            }
        });
        let ascii_lengths = lengths.fold(0, |all, length| all | length);
        let firsts = words
            .iter()
            .chain(&name_words)
            .map(|word| match word.as_bytes() {
                [first, ..] if word.is_ascii() => 1 << first.to_ascii_lowercase(),
                _ => u128::MAX,
            });
        let all_ascii = words.iter().chain(&name_words).all(|word| word.is_ascii());
        let ascii_firsts = firsts.fold(0, |all, first| all | first);
        BlankWords {
            words,
            name_words,
            ascii_lengths,
            all_ascii,
            ascii_firsts,
            longest,
        }
    }

    /// Whether the text is blank; `in_name` where it is a person's name or a part of one.
    pub fn is_blank(&self, text: &str, in_name: bool) -> Blank {
        let text = trim(text);
        if text.is_empty() {
            return Blank::Empty;
        }
        if text.len() > self.longest {
            return Blank::No;
        }
        let is_ascii = text.is_ascii();
        if !is_ascii && self.all_ascii && !text.contains(KELVIN) {
            return Blank::No;
        }
        let other_length = text.len() < 64 && self.ascii_lengths >> text.len() & 1 == 0;
        let first = text.as_bytes()[0].to_ascii_lowercase();
        let other_first = first < 128 && self.ascii_firsts >> first & 1 == 0;
        if (other_length || other_first) && is_ascii {
            return Blank::No;
        }
        let words = if in_name {
            &self.name_words
        } else {
            &self.words
        };
        if words.iter().any(|word| same(word, text)) {
            Blank::Word
        } else {
            Blank::No
        }
    }
}

impl Default for BlankWords {
    fn default() -> BlankWords {
        BlankWords::new(
            ["n/a", "na", "none", "null", "-", "--", "unknown"],
            ["n/a", "-", "--"],
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blank_words_are_blank() {
        let words = BlankWords::default();
        for (text, in_name, expected) in [
            ("", false, Blank::Empty),
            (" \u{a0}\u{200b}", false, Blank::Empty),
            ("N/A", false, Blank::Word),
            (" none ", false, Blank::Word),
            ("NULL", false, Blank::Word),
            ("--", false, Blank::Word),
            ("---", false, Blank::No),
            ("Unknown", false, Blank::Word),
            ("unknown caller from the hotel lobby", false, Blank::No),
            ("Null", true, Blank::No),
            ("Na", true, Blank::No),
            ("none", true, Blank::No),
            ("n/a", true, Blank::Word),
            ("-", true, Blank::Word),
            ("0", false, Blank::No),
        ] {
            assert_eq!(words.is_blank(text, in_name), expected, "{text:?}");
        }
    }

    #[test]
    fn a_workspace_has_its_own_words() {
        let words = BlankWords::new(["Keine Angabe", "ÄÖ"], []);
        assert_eq!(words.is_blank("keine angabe", false), Blank::Word);
        assert_eq!(words.is_blank("äö", false), Blank::Word);
        assert_eq!(words.is_blank("n/a", false), Blank::No);
        assert_eq!(words.is_blank("keine angabe", true), Blank::No);
    }
}
