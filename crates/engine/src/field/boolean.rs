//! Yes or no: the words people use in English, German, French, Spanish, Portuguese, Italian and Dutch.
//!
//! A word that is not in the table is an issue, never a guess.

use super::fold::same;
use crate::issue::Problem;

/// The canonical text of yes.
pub const YES: &str = "true";
/// The canonical text of no.
pub const NO: &str = "false";

/// Reads yes or no as [`YES`] or [`NO`].
pub fn parse(text: &str) -> Result<&'static str, Problem> {
    // The longest word has ten characters; a cell of prose needs no comparisons.
    if text.len() <= 24 {
        if YES_WORDS.iter().any(|word| same(word, text)) {
            return Ok(YES);
        }
        if NO_WORDS.iter().any(|word| same(word, text)) {
            return Ok(NO);
        }
    }
    Err(Problem::BooleanInvalid)
}

/// The commonest first. A lone `s` is sí and sim, `o` is oui, `v` is vrai, vero, verdadero; `f` is false in all.
const YES_WORDS: &[&str] = &[
    "true",
    "yes",
    "1",
    "y",
    "x",
    "ja",
    "oui",
    "si",
    "sí",
    "sì",
    "sim",
    "t",
    "j",
    "o",
    "s",
    "v",
    "on",
    "wahr",
    "vrai",
    "verdadero",
    "verdadeiro",
    "vero",
    "waar",
    "an",
    "ein",
    "aan",
    "checked",
    "enabled",
    "active",
    "aktiv",
    "✓",
    "✔",
    "✔️",
    "☑",
    "☑️",
    "☒",
    "✅",
];

const NO_WORDS: &[&str] = &[
    "false",
    "no",
    "0",
    "n",
    "nein",
    "non",
    "não",
    "nao",
    "nee",
    "f",
    "off",
    "falsch",
    "faux",
    "falso",
    "onwaar",
    "aus",
    "uit",
    "unchecked",
    "disabled",
    "inactive",
    "inaktiv",
    "☐",
    "✗",
    "✘",
    "❌",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read() {
        for (text, expected) in [
            ("yes", Ok(YES)),
            ("YES", Ok(YES)),
            ("Ja", Ok(YES)),
            ("Sí", Ok(YES)),
            ("SÌ", Ok(YES)),
            ("oui", Ok(YES)),
            ("1", Ok(YES)),
            ("x", Ok(YES)),
            ("X", Ok(YES)),
            ("WAHR", Ok(YES)),
            ("VRAI", Ok(YES)),
            ("TRUE", Ok(YES)),
            ("waar", Ok(YES)),
            ("no", Ok(NO)),
            ("Nein", Ok(NO)),
            ("NÃO", Ok(NO)),
            ("nee", Ok(NO)),
            ("0", Ok(NO)),
            ("FALSCH", Ok(NO)),
            ("faux", Ok(NO)),
            ("off", Ok(NO)),
            ("maybe", Err(Problem::BooleanInvalid)),
            ("2", Err(Problem::BooleanInvalid)),
            ("yes please", Err(Problem::BooleanInvalid)),
            ("", Err(Problem::BooleanInvalid)),
        ] {
            assert_eq!(parse(text), expected, "{text:?}");
        }
    }

    #[test]
    fn no_word_means_both() {
        for word in YES_WORDS {
            assert!(!NO_WORDS.contains(word), "{word}");
        }
    }
}
