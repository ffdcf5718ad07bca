//! Text: what is done to every value before anything else looks at it, and what no text may contain.
//!
//! Nothing is ever cut and no inner character is ever changed beyond Unicode's own composition (NFC).

use std::borrow::Cow;

use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

use crate::issue::Problem;

/// The text without white space of any kind at its ends, without a spreadsheet's text mark, composed (NFC).
///
/// ```
/// use rollbook_engine::field::text::tidy;
/// assert_eq!(tidy("\u{feff} Anna\u{a0}"), "Anna");
/// assert_eq!(tidy("'0171 123"), "0171 123");
/// assert_eq!(tidy("'t Hooft"), "'t Hooft");
/// ```
pub fn tidy(raw: &str) -> Cow<'_, str> {
    let text = without_text_mark(trim(raw));
    // Characters from U+0300 on, the first that combine, begin with CC or more. One look without an early end takes all
    // bytes of most texts at once.
    if text.bytes().fold(0, u8::max) < 0xcc {
        return Cow::Borrowed(text);
    }
    match is_nfc_quick(text.chars()) {
        IsNormalized::Yes => Cow::Borrowed(text),
        IsNormalized::No | IsNormalized::Maybe => Cow::Owned(text.nfc().collect()),
    }
}

/// The text without white space and invisible marks at its ends.
pub fn trim(text: &str) -> &str {
    // Most cells begin and end with a visible ASCII character: two bytes tell.
    if let ([first, ..], [.., last]) = (text.as_bytes(), text.as_bytes())
        && first.is_ascii_graphic()
        && last.is_ascii_graphic()
    {
        return text;
    }
    text.trim_matches(is_space)
}

/// Whether the character leaves no mark on paper: white space, zero-width characters, byte order and direction marks.
pub(crate) fn is_space(character: char) -> bool {
    character.is_whitespace()
        || matches!(
            character,
            '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}' | '\u{2066}'..='\u{2069}' | '\u{2800}' | '\u{3164}' | '\u{feff}'
        )
}

/// Looks for what a text may not be: longer than the limit, or with a control character.
///
/// Tabs and line ends are part of text with several lines (notes, streets) and control characters in all other.
pub fn check(text: &str, max_chars: usize, multiline: bool) -> Result<(), Problem> {
    if let Some(character) = find_control(text, multiline) {
        return Err(Problem::TextControlCharacter { character });
    }
    // A text has at most as many characters as bytes, so most need no counting.
    if text.len() > max_chars {
        let length = text.chars().count();
        if length > max_chars {
            return Err(Problem::TextTooLong {
                limit: max_chars,
                length,
            });
        }
    }
    Ok(())
}

/// The first control character that the text may not have.
fn find_control(text: &str, multiline: bool) -> Option<char> {
    // C1 characters are two bytes of which the first is C2, so a look at the bytes clears nearly all text.
    let suspicious = |byte| u8::from(byte < 0x20 || byte == 0x7f || byte == 0xc2);
    if text.bytes().fold(0, |any, byte| any | suspicious(byte)) == 0 {
        return None;
    }
    text.chars().find(|&character| {
        character.is_control() && !(multiline && matches!(character, '\t' | '\n' | '\r'))
    })
}

/// What spreadsheets take for the beginning of a formula (OWASP, "CSV Injection"); the full-width forms in some locales.
pub const FORMULA_STARTS: [char; 8] = ['=', '+', '-', '@', '＝', '＋', '－', '＠'];

/// The text without the `'` that spreadsheets put before a number or formula to keep it as text.
fn without_text_mark(text: &str) -> &str {
    match text.strip_prefix('\'') {
        Some(rest)
            if rest.starts_with(|c: char| c.is_ascii_digit())
                || rest.starts_with(FORMULA_STARTS) =>
        {
            rest
        }
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_tidied() {
        for (raw, expected) in [
            ("", ""),
            ("Anna", "Anna"),
            ("  Anna Maria  ", "Anna Maria"),
            ("\u{feff}Anna", "Anna"),
            ("\u{a0}Anna\u{2003}\u{3000}", "Anna"),
            ("\u{200b}Anna\u{200d}\u{2060}", "Anna"),
            ("Anna\u{2028}\u{2029}\u{85}\r\n", "Anna"),
            ("\u{202a}+49 30 123\u{202c}", "+49 30 123"),
            ("\u{a0}\u{200b}", ""),
            ("A\u{a0}B\u{200b}C", "A\u{a0}B\u{200b}C"),
            ("Mu\u{308}ller", "Müller"),
            ("Müller", "Müller"),
            ("Nguye\u{302}\u{303}n", "Nguyễn"),
            ("'0171", "0171"),
            ("'=SUM(A1)", "=SUM(A1)"),
            ("'+49", "+49"),
            ("'-1", "-1"),
            ("'@handle", "@handle"),
            ("'＝1+1", "＝1+1"),
            ("\u{feff}'1", "1"),
            ("'t Hooft", "'t Hooft"),
            ("''1", "''1"),
            ("'", "'"),
            ("\u{0}A\u{0}", "\u{0}A\u{0}"),
        ] {
            assert_eq!(tidy(raw), expected, "{raw:?}");
        }
    }

    #[test]
    fn tidy_text_is_not_copied() {
        for raw in [" plain ", "Jürgen Groß", "東京都", "'0171"] {
            assert!(matches!(tidy(raw), Cow::Borrowed(_)), "{raw:?}");
        }
    }

    #[test]
    fn control_characters_are_found() {
        let control = |character| Err(Problem::TextControlCharacter { character });
        for (text, multiline, expected) in [
            ("Anna", false, Ok(())),
            ("a\u{0}b", true, control('\0')),
            ("a\tb", false, control('\t')),
            ("a\tb\r\nc", true, Ok(())),
            ("a\u{b}b", true, control('\u{b}')),
            ("a\u{7f}", false, control('\u{7f}')),
            ("a\u{85}b", true, control('\u{85}')),
            ("a\u{9f}b", false, control('\u{9f}')),
            ("a\u{a0}b", false, Ok(())),
            ("caf\u{fffd}", false, Ok(())),
        ] {
            assert_eq!(check(text, 10, multiline), expected, "{text:?}");
        }
    }

    #[test]
    fn length_is_counted_in_characters() {
        assert_eq!(check("äöü", 3, false), Ok(()));
        assert_eq!(
            check("äöüß", 3, false),
            Err(Problem::TextTooLong {
                limit: 3,
                length: 4
            })
        );
    }
}
