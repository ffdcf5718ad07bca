//! What a person says about how a file is read: words of forms, parts of uploads, flags. What is not said is found out.

use rollbook_sources::csv::{CsvOptions, Encoding};
use rollbook_sources::file::{FileLimits, FileOptions};
use serde::{Deserialize, Serialize};

/// What was said; none is found out.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Said {
    /// The name of the encoding.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) encoding: Option<String>,
    /// What separates cells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) delimiter: Option<char>,
    /// What cells are quoted with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) quote: Option<Quote>,
    /// The name or number of the sheet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) sheet: Option<String>,
    /// The row that is the header; 0 for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) header_row: Option<u64>,
}

/// The quote of a file, if it has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub(crate) struct Quote(pub(crate) Option<char>);

impl From<Quote> for String {
    fn from(Quote(quote): Quote) -> String {
        quote.map_or("none".to_owned(), String::from)
    }
}

impl TryFrom<String> for Quote {
    type Error = String;

    fn try_from(text: String) -> Result<Quote, String> {
        quote(&text)
    }
}

impl Said {
    /// Whether nothing was said.
    pub(crate) fn is_nothing(&self) -> bool {
        *self == Said::default()
    }

    /// What was said, and what another says of the rest.
    pub(crate) fn or(self, other: &Said) -> Said {
        Said {
            encoding: self.encoding.or_else(|| other.encoding.clone()),
            delimiter: self.delimiter.or(other.delimiter),
            quote: self.quote.or(other.quote),
            sheet: self.sheet.or_else(|| other.sheet.clone()),
            header_row: self.header_row.or(other.header_row),
        }
    }

    /// Takes one choice by its name in forms and uploads; blank finds it out. False if no choice has that name.
    pub(crate) fn take(&mut self, name: &str, text: &str) -> Result<bool, String> {
        let text = if text == " " || text == "\t" {
            text
        } else {
            text.trim()
        };
        let given = (!text.is_empty()).then_some(text);
        match name {
            "encoding" => {
                self.encoding = given
                    .map(encoding)
                    .transpose()?
                    .map(|encoding| encoding.name().to_owned());
            }
            "delimiter" => self.delimiter = given.map(delimiter).transpose()?.map(char::from),
            "quote" => self.quote = given.map(quote).transpose()?,
            "sheet" => self.sheet = given.map(str::to_owned),
            "header_row" => {
                let number = given.map(|text| {
                    text.parse().map_err(|_| {
                        "`header_row` is not a whole number; count rows from 1, or use 0 for none"
                            .to_owned()
                    })
                });
                self.header_row = number.transpose()?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// What the reader is told.
    pub(crate) fn options(&self, limits: FileLimits) -> Result<FileOptions, String> {
        let byte = |character: char| {
            u8::try_from(character)
                .ok()
                .filter(u8::is_ascii)
                .ok_or_else(one_character_only)
        };
        let delimiter = self.delimiter.map(byte).transpose()?;
        let quote = match self.quote {
            Some(Quote(quote)) => Some(quote.map(byte).transpose()?),
            None => None,
        };
        if delimiter.is_some() && quote.flatten() == delimiter {
            return Err("delimiter and quote must be two different characters".to_owned());
        }
        Ok(FileOptions {
            csv: CsvOptions {
                delimiter,
                quote,
                encoding: self.encoding.as_deref().map(encoding).transpose()?,
                header_row: self.header_row,
                limits: limits.csv,
            },
            sheet: self.sheet.clone(),
            limits,
        })
    }
}

/// A delimiter by itself or by its name.
pub(crate) fn delimiter(text: &str) -> Result<u8, String> {
    match text.to_ascii_lowercase().as_str() {
        "tab" | "\\t" => Ok(b'\t'),
        "comma" => Ok(b','),
        "semicolon" => Ok(b';'),
        "pipe" => Ok(b'|'),
        "space" => Ok(b' '),
        "colon" => Ok(b':'),
        _ => one_character(text),
    }
}

/// A quote by itself, or `none`.
pub(crate) fn quote(text: &str) -> Result<Quote, String> {
    match text.to_ascii_lowercase().as_str() {
        "none" | "" => Ok(Quote(None)),
        _ => one_character(text).map(|quote| Quote(Some(char::from(quote)))),
    }
}

/// An encoding by its name.
pub(crate) fn encoding(text: &str) -> Result<Encoding, String> {
    Encoding::for_label(text).ok_or_else(|| {
        "this encoding is not known; use one such as utf-8, windows-1252, iso-8859-15, utf-16le, shift_jis"
            .to_owned()
    })
}

fn one_character(text: &str) -> Result<u8, String> {
    match text.as_bytes() {
        [byte] if byte.is_ascii() && !matches!(byte, b'\n' | b'\r' | 0) => Ok(*byte),
        _ => Err(one_character_only()),
    }
}

fn one_character_only() -> String {
    "it must be one ASCII character, or a name such as tab or semicolon".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_come_as_words_and_as_characters() {
        let mut said = Said::default();
        for (name, text) in [
            ("delimiter", "\t"),
            ("quote", "none"),
            ("encoding", "latin1"),
            ("header_row", " 3 "),
            ("sheet", ""),
        ] {
            assert_eq!(said.take(name, text), Ok(true), "{name}");
        }
        assert_eq!(said.take("field.0", "phone"), Ok(false));
        let options = said.options(FileLimits::default()).unwrap();
        assert_eq!(options.csv.delimiter, Some(b'\t'));
        assert_eq!(options.csv.quote, Some(None));
        assert_eq!(options.csv.header_row, Some(3));
        assert_eq!(said.encoding.as_deref(), Some("windows-1252"));
        let json = serde_json::to_string(&said).unwrap();
        assert_eq!(serde_json::from_str::<Said>(&json).unwrap(), said);
        for (name, text) in [
            ("delimiter", "ab"),
            ("encoding", "klingon"),
            ("header_row", "first"),
        ] {
            assert!(said.take(name, text).is_err(), "{name}");
        }
        assert!(said.take("quote", "tab").is_err());
        said.take("delimiter", ";").unwrap();
        said.take("quote", ";").unwrap();
        assert!(said.options(FileLimits::default()).is_err());
    }
}
