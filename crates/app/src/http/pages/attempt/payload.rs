//! A payload to look at: as it was sent, and laid out for the eye.

use rollbook_sources::file::Reading;
use rollbook_store::commit::Payload;
use serde::de::IgnoredAny;

use crate::http::pages::show::{bytes, count};
use crate::imports::options::ImportOptions;

/// A payload ready to print.
#[derive(Debug, Clone)]
pub(crate) struct PayloadView {
    /// `JSON`, `CSV row` or the media type.
    pub(crate) kind: String,
    /// `214 bytes`.
    pub(crate) size: String,
    /// As it was sent.
    pub(crate) raw: String,
    /// Whether bytes that are no UTF-8 were replaced to show it.
    pub(crate) damaged: bool,
    /// Laid out, if there is a layout for it.
    pub(crate) formatted: Formatted,
}

/// A payload laid out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Formatted {
    /// There is no better way to show it.
    Raw,
    /// JSON with line breaks.
    Json(String),
    /// The cells of a row under their columns.
    Cells(Vec<(String, String)>),
}

impl PayloadView {
    /// A payload; `options` tell how the file was read that it is a row of.
    pub(crate) fn of(payload: &Payload, options: Option<&ImportOptions>) -> PayloadView {
        let text = String::from_utf8_lossy(&payload.bytes);
        let media_type = payload.content_type.split(';').next().unwrap_or_default();
        let media_type = media_type.trim().to_ascii_lowercase();
        let is_json = media_type == "application/json" || media_type.ends_with("+json");
        // A row of a table is best seen under its columns; JSON that was sent as such keeps its shape.
        let table = options.filter(|options| {
            options.reading.media_type() == media_type
                && !matches!(options.reading, Reading::Json { .. })
        });
        let formatted = if let Some(options) = table {
            Formatted::Cells(cells(&text, options))
        } else if is_json {
            indented(&text).map_or(Formatted::Raw, Formatted::Json)
        } else {
            Formatted::Raw
        };
        PayloadView {
            kind: if is_json {
                "JSON".to_owned()
            } else if media_type == "text/csv" {
                "CSV row".to_owned()
            } else if media_type == "text/vcard" {
                "vCard".to_owned()
            } else {
                media_type
            },
            size: bytes(u64::try_from(payload.bytes.len()).unwrap_or(u64::MAX)),
            damaged: matches!(text, std::borrow::Cow::Owned(_)),
            raw: text.into_owned(),
            formatted,
        }
    }
}

fn cells(row: &str, options: &ImportOptions) -> Vec<(String, String)> {
    let cells = options.reading.cells(row, &options.header);
    let columns = cells.len().max(options.header.len());
    let mut cells = cells.into_iter();
    (0..columns)
        .map(|column| {
            let number = u64::try_from(column + 1).unwrap_or(0);
            let name = options
                .header
                .get(column)
                .filter(|name| !name.is_empty())
                .cloned()
                .unwrap_or_else(|| format!("Column {}", count(number)));
            (name, cells.next().unwrap_or_default())
        })
        .collect()
}

/// JSON with line breaks and indentation; none if it is not JSON.
///
/// Only white space between tokens changes: numbers keep their digits and strings their escapes, because this is what
/// was sent. Parsing and printing again would round `12345678901234567890`.
fn indented(json: &str) -> Option<String> {
    serde_json::from_str::<IgnoredAny>(json).ok()?;
    let mut text = String::with_capacity(json.len() * 2);
    let mut depth = 0_usize;
    let mut in_string = false;
    let mut escaped = false;
    let mut characters = json.chars().peekable();
    let new_line = |text: &mut String, depth: usize| {
        text.push('\n');
        text.extend(std::iter::repeat_n("  ", depth));
    };
    while let Some(character) = characters.next() {
        if in_string {
            text.push(character);
            in_string = escaped || character != '"';
            escaped = !escaped && character == '\\';
            continue;
        }
        match character {
            '"' => {
                in_string = true;
                text.push('"');
            }
            '{' | '[' => {
                text.push(character);
                while characters.next_if(char::is_ascii_whitespace).is_some() {}
                if let Some(close) = characters.next_if(|next| matches!(next, '}' | ']')) {
                    text.push(close);
                } else {
                    depth += 1;
                    new_line(&mut text, depth);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                new_line(&mut text, depth);
                text.push(character);
            }
            ',' => {
                text.push(',');
                new_line(&mut text, depth);
            }
            ':' => text.push_str(": "),
            space if space.is_ascii_whitespace() => {}
            other => text.push(other),
        }
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_indented_and_otherwise_untouched() {
        let json = r#"{"a":12345678901234567890.50,"b":["x\"y,{", {} ,[ ]],"c":{"d":null}}"#;
        let expected = "{
  \"a\": 12345678901234567890.50,
  \"b\": [
    \"x\\\"y,{\",
    {},
    []
  ],
  \"c\": {
    \"d\": null
  }
}";
        assert_eq!(indented(json).unwrap(), expected);
        assert_eq!(indented("7").unwrap(), "7");
        assert_eq!(indented(r#""\\""#).unwrap(), r#""\\""#);
        assert_eq!(indented("{not json"), None);
    }

    #[test]
    fn what_is_no_json_is_shown_raw() {
        let view = PayloadView::of(
            &Payload {
                content_type: "application/json".to_owned(),
                bytes: b"{\xff".to_vec(),
            },
            None,
        );
        assert_eq!(view.formatted, Formatted::Raw);
        assert!(view.damaged);
        assert_eq!(view.size, "2 bytes");
    }
}
