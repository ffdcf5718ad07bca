//! Yes or no: the words people use in English, German, French, Spanish, Portuguese, Italian and Dutch.
//!
//! A word that is not in the table is an issue, never a guess.

use super::fold::lower;
use crate::issue::Problem;

/// The canonical text of yes.
pub const YES: &str = "true";
/// The canonical text of no.
pub const NO: &str = "false";

/// Reads yes or no as [`YES`] or [`NO`].
///
/// A lone `s` is sí and sim, `o` is oui, `v` is vrai, vero and verdadero; `f` is false in all seven languages.
pub fn parse(text: &str) -> Result<&'static str, Problem> {
    // The longest word has ten characters; prose needs no lower case.
    if text.len() > 24 {
        return Err(Problem::BooleanInvalid);
    }
    match &*lower(text) {
        "true" | "yes" | "1" | "y" | "x" | "ja" | "oui" | "si" | "sí" | "sì" | "sim" | "t"
        | "j" | "o" | "s" | "v" | "on" | "wahr" | "vrai" | "verdadero" | "verdadeiro" | "vero"
        | "waar" | "an" | "ein" | "aan" | "checked" | "enabled" | "active" | "aktiv" | "✓"
        | "✔" | "✔\u{fe0f}" | "☑" | "☑\u{fe0f}" | "✅" => Ok(YES),
        "false" | "no" | "0" | "n" | "nein" | "non" | "não" | "nao" | "nee" | "f" | "off"
        | "falsch" | "faux" | "falso" | "onwaar" | "aus" | "uit" | "unchecked" | "disabled"
        | "inactive" | "inaktiv" | "☐" | "✗" | "✘" | "❌" => Ok(NO),
        _ => Err(Problem::BooleanInvalid),
    }
}

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
}
