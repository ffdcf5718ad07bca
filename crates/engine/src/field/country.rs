//! Countries: names and codes of ISO 3166-1 to its alpha-2 code.
//!
//! A name is looked up without regard to case, accents and punctuation. A name that two countries share (`Korea`,
//! `Virgin Islands`) is an issue, never a guess.

mod table;

use std::collections::HashMap;
use std::sync::LazyLock;

use super::fold::fold;
use super::text::trim;
use crate::issue::Problem;
use table::COUNTRIES;

/// Reads a country as its ISO 3166 alpha-2 code in capitals.
///
/// Besides the codes of ISO 3166 (alpha-2, alpha-3, and numeric with its three digits) `UK`, `EL` and `XK` are known.
pub fn parse(text: &str) -> Result<&'static str, Problem> {
    let text = trim(text);
    find_code(text)
        .or_else(|| find_name(text))
        .ok_or(Problem::CountryUnknown)
}

/// All countries: alpha-2 code and English name.
pub fn all() -> impl Iterator<Item = (&'static str, &'static str)> {
    COUNTRIES.iter().map(|country| {
        let name = country.names.split('|').next();
        (country.alpha2, name.unwrap_or(country.alpha2))
    })
}

/// The country with this code of two letters.
pub(crate) fn find_code(code: &str) -> Option<&'static str> {
    let &[first, second] = code.as_bytes() else {
        return None;
    };
    let code = [first.to_ascii_uppercase(), second.to_ascii_uppercase()];
    let code = match &code {
        b"UK" => b"GB",
        b"EL" => b"GR",
        other => other,
    };
    let position = *POSITIONS.get(slot(*code)?)?;
    COUNTRIES
        .get(usize::from(position))
        .map(|country| country.alpha2)
}

/// Where a country of each pair of letters stands in the table; past its end, if there is none.
static POSITIONS: LazyLock<[u8; 26 * 26]> = LazyLock::new(|| {
    let mut positions = [u8::MAX; 26 * 26];
    for (position, country) in (0..u8::MAX).zip(COUNTRIES) {
        if let &[first, second] = country.alpha2.as_bytes()
            && let Some(slot) = slot([first, second])
        {
            positions[slot] = position;
        }
    }
    positions
});

fn slot(code: [u8; 2]) -> Option<usize> {
    let [first, second] = code;
    (first.is_ascii_uppercase() && second.is_ascii_uppercase())
        .then(|| usize::from(first - b'A') * 26 + usize::from(second - b'A'))
}

/// The country with this name, in one of the languages we know it in, or with this code of three letters or digits.
pub(crate) fn find_name(name: &str) -> Option<&'static str> {
    static NAMES: LazyLock<HashMap<String, &'static str>> = LazyLock::new(|| {
        let names = COUNTRIES.iter().flat_map(|country| {
            let names = country
                .names
                .split('|')
                .chain([country.alpha3, country.numeric]);
            names.map(|name| (key(name), country.alpha2))
        });
        names.collect()
    });
    // The longest name has about fifty letters; prose needs no folding.
    if name.len() > 200 {
        return None;
    }
    NAMES.get(&key(name)).copied()
}

/// What two spellings of a country's name share.
fn key(name: &str) -> String {
    let mut folded = fold(name);
    if folded.starts_with("the ") {
        folded.drain(.."the ".len());
    }
    if folded.starts_with("st ") {
        folded.replace_range(.."st".len(), "saint");
    }
    folded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn countries_are_read() {
        for (text, expected) in [
            ("DE", "DE"),
            ("de", "DE"),
            (" De ", "DE"),
            ("DEU", "DE"),
            ("276", "DE"),
            ("004", "AF"),
            ("UK", "GB"),
            ("EL", "GR"),
            ("XK", "XK"),
            ("Germany", "DE"),
            ("DEUTSCHLAND", "DE"),
            ("Allemagne", "DE"),
            ("Alemania", "DE"),
            ("Alemanha", "DE"),
            ("USA", "US"),
            ("U.S.A.", "US"),
            ("U.S.", "US"),
            ("The United States of America", "US"),
            ("Vereinigte Staaten", "US"),
            ("États-Unis", "US"),
            ("Estados Unidos", "US"),
            ("U.K.", "GB"),
            ("Great Britain", "GB"),
            ("England", "GB"),
            ("Großbritannien", "GB"),
            ("Grossbritannien", "GB"),
            ("South Korea", "KR"),
            ("Korea, Republic of", "KR"),
            ("Korea (Republic of)", "KR"),
            ("North Korea", "KP"),
            ("Czech Republic", "CZ"),
            ("Czechia", "CZ"),
            ("Tschechien", "CZ"),
            ("Holland", "NL"),
            ("Niederlande", "NL"),
            ("the Netherlands", "NL"),
            ("Österreich", "AT"),
            ("Oesterreich", "AT"),
            ("osterreich", "AT"),
            ("Schweiz", "CH"),
            ("Türkiye", "TR"),
            ("Turkey", "TR"),
            ("Côte d’Ivoire", "CI"),
            ("COTE DIVOIRE", "CI"),
            ("Ivory Coast", "CI"),
            ("St. Lucia", "LC"),
            ("Trinidad & Tobago", "TT"),
            ("Viet Nam", "VN"),
            ("Vietnam", "VN"),
            ("日本", "JP"),
            ("Россия", "RU"),
            ("Ελλάδα", "GR"),
            ("Bolivia, Plurinational State of", "BO"),
            ("Guinea", "GN"),
            ("Niger", "NE"),
            ("Nigeria", "NG"),
            ("Samoa", "WS"),
            ("American Samoa", "AS"),
        ] {
            assert_eq!(parse(text), Ok(expected), "{text:?}");
        }
    }

    #[test]
    fn other_words_are_issues() {
        for text in [
            "",
            "Atlantis",
            "Korea",
            "Virgin Islands",
            "ZZ",
            "ZZZ",
            "999",
            "4",
            "49",
            "Bavaria",
            "É",
        ] {
            assert_eq!(parse(text), Err(Problem::CountryUnknown), "{text:?}");
        }
    }

    #[test]
    fn the_table_is_in_order_and_no_name_is_two_countries() {
        assert_eq!(COUNTRIES.len(), 250);
        assert!(COUNTRIES.is_sorted_by(|left, right| left.alpha2 < right.alpha2));
        let mut owners = HashMap::new();
        for country in COUNTRIES {
            for code in [country.alpha2, country.alpha3, country.numeric] {
                assert_eq!(parse(code), Ok(country.alpha2), "{code}");
            }
            for name in country.names.split('|').chain([country.alpha3]) {
                let owner = owners.insert(key(name), country.alpha2);
                assert!(owner.is_none_or(|owner| owner == country.alpha2), "{name}");
                assert_eq!(parse(name), Ok(country.alpha2), "{name}");
            }
        }
    }
}
