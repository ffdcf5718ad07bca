//! Comparing words as people do: without regard to case, accents or punctuation.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// A name reduced to what two spellings of it share: `"Côte d'Ivoire"` and `"COTE DIVOIRE"` fold to one text.
///
/// Only for looking names up in our tables; never for what is stored.
pub(crate) fn fold(name: &str) -> String {
    let mut folded = String::with_capacity(name.len());
    let mut gap = false;
    // Letters and digits, as codes and most names are, need none of the rules below.
    if name.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        folded.push_str(name);
        folded.make_ascii_lowercase();
        return folded;
    }
    if name.is_ascii() {
        for byte in name.bytes() {
            match byte {
                b'.' | b'\'' | b'`' => {}
                b'&' => {
                    if !folded.is_empty() {
                        folded.push(' ');
                    }
                    folded.push_str("and");
                    gap = true;
                }
                byte if byte.is_ascii_alphanumeric() => {
                    if gap && !folded.is_empty() {
                        folded.push(' ');
                    }
                    gap = false;
                    folded.push(char::from(byte.to_ascii_lowercase()));
                }
                _ => gap = true,
            }
        }
        return folded;
    }
    for character in name
        .nfkd()
        .filter(|&c| !is_combining_mark(c))
        .flat_map(char::to_lowercase)
    {
        let plain = match character {
            'ß' => "ss",
            'æ' => "ae",
            'œ' => "oe",
            'ø' => "o",
            'ł' => "l",
            'đ' | 'ð' => "d",
            'ı' => "i",
            '&' => "and",
            '.' | '\'' | '’' | '‘' | '`' | 'ʼ' => continue,
            _ => "",
        };
        if character != '&' && !character.is_alphanumeric() {
            // Lower-casing `İ` brings a combining dot back.
            gap |= !is_combining_mark(character);
            continue;
        }
        if (gap || character == '&') && !folded.is_empty() && !folded.ends_with(' ') {
            folded.push(' ');
        }
        gap = character == '&';
        if plain.is_empty() {
            folded.push(character);
        } else {
            folded.push_str(plain);
        }
    }
    folded
}

/// Whether two texts differ in case only.
pub(crate) fn same(left: &str, right: &str) -> bool {
    if left.is_ascii() && right.is_ascii() {
        return left.eq_ignore_ascii_case(right);
    }
    left.chars()
        .flat_map(char::to_lowercase)
        .eq(right.chars().flat_map(char::to_lowercase))
}

/// The text in lower case, borrowed where it already is.
pub(crate) fn lower(text: &str) -> std::borrow::Cow<'_, str> {
    let is_lower = if text.is_ascii() {
        !text.bytes().any(|byte| byte.is_ascii_uppercase())
    } else {
        text.chars()
            .all(|character| character.to_lowercase().eq([character]))
    };
    if is_lower {
        std::borrow::Cow::Borrowed(text)
    } else {
        std::borrow::Cow::Owned(text.to_lowercase())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_a_name_fold_to_one() {
        for (left, right) in [
            ("Côte d’Ivoire", "COTE D'IVOIRE"),
            ("Trinidad & Tobago", "trinidad and tobago"),
            ("U.S.A.", "usa"),
            ("Guinea-Bissau", "guinea bissau"),
            ("Korea, Republic of", "korea republic of"),
            (
                "Bolivia (Plurinational State of)",
                "Bolivia, Plurinational State of",
            ),
            ("İspanya", "ispanya"),
            ("Türkiye", "TURKIYE"),
            ("Großbritannien", "GROSSBRITANNIEN"),
            ("A&B", "a and b"),
        ] {
            assert_eq!(fold(left), fold(right));
        }
    }

    #[test]
    fn case_alone_is_the_same() {
        assert!(same("Straße", "sTRAßE"));
        assert!(same("ÉTÉ", "été"));
        assert!(!same("A+", "A-"));
    }
}
