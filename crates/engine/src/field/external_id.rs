//! External ID: another system's name for a contact.
//!
//! Trimmed, otherwise exact: case and leading zeros count, and nothing inside is touched.

use super::text::{check, trim};
use crate::issue::Problem;

/// The longest External ID in characters.
pub const MAX_CHARS: usize = 255;

/// A usable External ID: not blank, no control characters, no digits lost on the way.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ExternalId(String);

impl ExternalId {
    /// Reads an External ID; none for a blank text, which identifies nobody.
    ///
    /// `1.23457E+11` is a number that a spreadsheet rounded. `12E34` may be somebody's room key and is taken as it is.
    pub fn parse(text: &str) -> Result<Option<ExternalId>, Problem> {
        let text = trim(text);
        if text.is_empty() {
            return Ok(None);
        }
        if is_rounded(text) {
            return Err(Problem::PrecisionLost);
        }
        check(text, MAX_CHARS, false)?;
        Ok(Some(ExternalId(text.to_owned())))
    }

    /// The External ID as it is stored, compared and sent.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The External ID, taken out.
    pub fn into_string(self) -> String {
        self.0
    }
}

/// Whether the text is a number as spreadsheets round it: a digit, perhaps decimals, and `E+` with a two-digit exponent.
fn is_rounded(text: &str) -> bool {
    let Some((mantissa, exponent)) = text.split_once(['E', 'e']) else {
        return false;
    };
    let Some(exponent) = exponent.strip_prefix('+') else {
        return false;
    };
    let (whole, decimals) = mantissa.split_once(['.', ',']).unwrap_or((mantissa, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    whole.len() == 1 && digits(whole) && digits(decimals) && exponent.len() >= 2 && digits(exponent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn external_ids_are_exact() {
        for (text, expected) in [
            ("1", Ok(Some("1"))),
            ("001", Ok(Some("001"))),
            ("  A-17 ", Ok(Some("A-17"))),
            ("Gast 7", Ok(Some("Gast 7"))),
            ("{3F2504E0-4F89}", Ok(Some("{3F2504E0-4F89}"))),
            ("12E34", Ok(Some("12E34"))),
            ("1E5", Ok(Some("1E5"))),
            ("1E+5", Ok(Some("1E+5"))),
            ("", Ok(None)),
            ("\u{a0}", Ok(None)),
            ("1.23457E+11", Err(Problem::PrecisionLost)),
            ("1,23457E+11", Err(Problem::PrecisionLost)),
            ("1e+15", Err(Problem::PrecisionLost)),
            (
                "a\tb",
                Err(Problem::TextControlCharacter { character: '\t' }),
            ),
        ] {
            let found = ExternalId::parse(text);
            let found = found.map(|id| id.map(|id| id.as_str().to_owned()));
            assert_eq!(found, expected.map(|id| id.map(str::to_owned)), "{text:?}");
        }
    }

    #[test]
    fn a_long_external_id_is_not_cut() {
        assert!(ExternalId::parse(&"é".repeat(255)).is_ok());
        assert_eq!(
            ExternalId::parse(&"é".repeat(256)),
            Err(Problem::TextTooLong {
                limit: 255,
                length: 256
            })
        );
    }
}
