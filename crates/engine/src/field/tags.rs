//! Tags: a set of short words that keeps the order in which they were written.

use std::collections::HashSet;

use super::fold::{lower, same};
use super::text::{check, trim};
use crate::issue::Problem;

/// The longest tag in characters.
pub const MAX_CHARS: usize = 100;

/// Reads tags between `,`, `;`, `|` or Google's `:::`, without blanks and repetitions in another case.
///
/// Google marks its own groups with `* ` (`* myContacts`); the mark is dropped.
pub fn parse(text: &str) -> Result<Vec<String>, Problem> {
    parse_items([text])
}

/// Reads tags from several texts, as a JSON array brings them; each may hold several tags.
pub fn parse_items<'a>(items: impl IntoIterator<Item = &'a str>) -> Result<Vec<String>, Problem> {
    let mut tags: Vec<String> = Vec::new();
    let mut seen = HashSet::new();
    for tag in items.into_iter().flat_map(pieces) {
        check(tag, MAX_CHARS, false)?;
        let known = if tags.len() < 16 {
            tags.iter().any(|known| same(known, tag))
        } else {
            // Comparing each with all is quickest for a few tags and ruinous for thousands.
            if seen.is_empty() {
                seen.extend(tags.iter().map(|tag| lower(tag).into_owned()));
            }
            !seen.insert(lower(tag).into_owned())
        };
        if !known {
            tags.push(tag.to_owned());
        }
    }
    Ok(tags)
}

/// The text that holds these tags: `parse` reads them back.
pub fn join(tags: &[String]) -> String {
    tags.join(", ")
}

fn pieces(text: &str) -> impl Iterator<Item = &str> {
    text.split([',', ';', '|'])
        .flat_map(|piece| piece.split(":::"))
        .map(|piece| {
            let mut piece = trim(piece);
            while let Some(rest) = piece.strip_prefix("* ") {
                piece = trim(rest);
            }
            piece
        })
        .filter(|piece| !piece.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_read() {
        for (text, expected) in [
            ("", vec![]),
            ("vip", vec!["vip"]),
            (
                "vip, Stammgast;Allergie | vegan",
                vec!["vip", "Stammgast", "Allergie", "vegan"],
            ),
            ("VIP, vip, ,Vip", vec!["VIP"]),
            ("* myContacts ::: Friends", vec!["myContacts", "Friends"]),
            ("Ärzte; ÄRZTE", vec!["Ärzte"]),
            ("*", vec!["*"]),
            ("two words", vec!["two words"]),
            (" ::: ", vec![]),
        ] {
            assert_eq!(parse(text).unwrap(), expected, "{text:?}");
        }
    }

    #[test]
    fn many_tags_keep_their_order() {
        let text: Vec<String> = (0..5000)
            .map(|number| format!("t{}, T{}", number % 2500, number))
            .collect();
        let tags = parse(&text.join(";")).unwrap();
        assert_eq!(tags.len(), 5000);
        assert_eq!(tags[..3], ["t0", "t1", "t2"]);
    }

    #[test]
    fn items_of_a_list_are_read() {
        assert_eq!(
            parse_items(["vip", "a, b", "VIP"]).unwrap(),
            ["vip", "a", "b"]
        );
    }
}
