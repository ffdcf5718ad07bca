//! Languages: names and codes of ISO 639 and tags of BCP 47 to the shortest tag.
//!
//! `ger`, `deu`, `German` and `Deutsch` are `de`; `pt_BR` and `Portuguese (Brazil)` are `pt-BR`. Script, region and
//! variant are kept, since a message may have to be written in one of several. Unknown words are issues.

mod table;

use std::collections::HashMap;
use std::sync::LazyLock;

use isolang::Language;

use super::country;
use super::fold::fold;
use super::text::trim;
use crate::issue::Problem;
use table::{NAMES, OLD_CODES};

/// Reads a language as its BCP 47 tag: the ISO 639 code with two letters, where there is one, else with three.
pub fn parse(text: &str) -> Result<String, Problem> {
    let text = trim(text);
    // The longest name has about sixty letters; prose needs no folding.
    if text.len() > 200 {
        return Err(Problem::LanguageUnknown);
    }
    read_tag(text)
        .or_else(|| find_name(text).map(str::to_owned))
        .or_else(|| read_name_with_region(text))
        .ok_or(Problem::LanguageUnknown)
}

/// Reads a tag such as `de`, `deu`, `de-AT`, `zh_Hant_TW` or a system's `de_DE.UTF-8`.
fn read_tag(text: &str) -> Option<String> {
    let text = text.split(['.', '@']).next()?;
    let mut subtags = text.split(['-', '_']);
    let mut tag = find_code(subtags.next()?)?.to_owned();
    // The parts come in this order, each at most once; variants last.
    let mut before = Subtag::Language;
    for subtag in subtags {
        let (kind, canonical) = read_subtag(subtag)?;
        if kind <= before && kind != Subtag::Variant {
            return None;
        }
        before = kind;
        tag.push('-');
        tag.push_str(&canonical);
    }
    Some(tag)
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Subtag {
    Language,
    Script,
    Region,
    Variant,
}

fn read_subtag(subtag: &str) -> Option<(Subtag, String)> {
    let bytes = subtag.as_bytes();
    if !bytes.iter().all(u8::is_ascii_alphanumeric) {
        return None;
    }
    let letters = bytes.iter().all(u8::is_ascii_alphabetic);
    match bytes.len() {
        2 => country::find_code(subtag).map(|code| (Subtag::Region, code.to_owned())),
        // Of the regions with a number, those that languages are named by.
        3 => matches!(subtag, "001" | "150" | "419").then(|| (Subtag::Region, subtag.to_owned())),
        4 if letters => {
            let (first, rest) = subtag.split_at(1);
            Some((
                Subtag::Script,
                first.to_ascii_uppercase() + &rest.to_ascii_lowercase(),
            ))
        }
        4 if bytes[0].is_ascii_digit() => Some((Subtag::Variant, subtag.to_ascii_lowercase())),
        5..=8 => Some((Subtag::Variant, subtag.to_ascii_lowercase())),
        _ => None,
    }
}

/// The language with this code of two or three letters.
fn find_code(code: &str) -> Option<&'static str> {
    let bytes = code.as_bytes();
    if !(2..=3).contains(&bytes.len()) || !bytes.iter().all(u8::is_ascii_alphabetic) {
        return None;
    }
    let mut lower = [0; 3];
    let lower = &mut lower[..bytes.len()];
    lower.copy_from_slice(bytes);
    lower.make_ascii_lowercase();
    let code = std::str::from_utf8(lower).ok()?;
    if let Ok(position) = OLD_CODES.binary_search_by(|(old, _)| (*old).cmp(code)) {
        return Some(OLD_CODES[position].1);
    }
    let language = match code.len() {
        2 => Language::from_639_1(code)?,
        _ => Language::from_639_3(code)?,
    };
    is_known(language).then(|| shortest(language))
}

/// Whether the code names a language, not the lack of one.
fn is_known(language: Language) -> bool {
    !matches!(
        language,
        Language::Und | Language::Mul | Language::Mis | Language::Zxx
    )
}

fn shortest(language: Language) -> &'static str {
    language.to_639_1().unwrap_or(language.to_639_3())
}

/// The language with this name, in English, its own language or one of those we know names in.
fn find_name(name: &str) -> Option<&'static str> {
    static BY_NAME: LazyLock<HashMap<String, &'static str>> = LazyLock::new(|| {
        let mut by_name = HashMap::new();
        let ours = NAMES
            .iter()
            .flat_map(|&(tag, names)| names.split('|').map(move |name| (fold(name), tag)));
        for (name, tag) in ours {
            by_name.entry(name).or_insert(tag);
        }
        // A name that several languages share is that of the one with the shorter code, which is the greater.
        let mut languages: Vec<Language> = isolang::languages()
            .filter(|&language| is_known(language))
            .collect();
        languages.sort_by_key(|language| language.to_639_1().is_none());
        for language in &languages {
            by_name
                .entry(fold(language.to_name()))
                .or_insert(shortest(*language));
        }
        for language in &languages {
            for name in language
                .to_autonym()
                .into_iter()
                .flat_map(|names| names.split(','))
            {
                let name = name.split('(').next().unwrap_or(name);
                by_name.entry(fold(name)).or_insert(shortest(*language));
            }
        }
        by_name.remove("");
        by_name
    });
    BY_NAME.get(&fold(name)).copied()
}

/// Reads `German (Austria)`, `English - United Kingdom` and `Spanish, Mexico`.
fn read_name_with_region(text: &str) -> Option<String> {
    let (name, region) = text
        .strip_suffix(')')
        .and_then(|text| text.split_once('('))
        .or_else(|| text.split_once(" - "))
        .or_else(|| text.split_once(" – "))
        .or_else(|| text.split_once(','))?;
    let (name, region) = (trim(name), trim(region));
    let language = find_name(name)?;
    if language.contains('-') {
        return None;
    }
    let region = match country::find_code(region).or_else(|| country::find_name(region)) {
        Some(code) => code,
        None => match fold(region).as_str() {
            "simplified" => "Hans",
            "traditional" => "Hant",
            "cyrillic" => "Cyrl",
            "latin" => "Latn",
            "latin america" => "419",
            _ => return None,
        },
    };
    Some(format!("{language}-{region}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn languages_are_read() {
        for (text, expected) in [
            ("de", "de"),
            ("DE", "de"),
            ("deu", "de"),
            ("ger", "de"),
            ("GER", "de"),
            ("German", "de"),
            ("german", "de"),
            ("Deutsch", "de"),
            ("allemand", "de"),
            ("Alemán", "de"),
            ("Alemão", "de"),
            ("de-DE", "de-DE"),
            ("de_at", "de-AT"),
            ("deu-CH", "de-CH"),
            ("de_DE.UTF-8", "de-DE"),
            ("pt_BR", "pt-BR"),
            ("en-UK", "en-GB"),
            ("en-gb", "en-GB"),
            ("es-419", "es-419"),
            ("zh-hant-tw", "zh-Hant-TW"),
            ("zh_CN", "zh-CN"),
            ("sr-Latn", "sr-Latn"),
            ("ca-valencia", "ca-valencia"),
            ("de-1996", "de-1996"),
            ("iw", "he"),
            ("in", "id"),
            ("fre", "fr"),
            ("dut", "nl"),
            ("chi", "zh"),
            ("gsw", "gsw"),
            ("yue", "yue"),
            ("fil", "fil"),
            ("English", "en"),
            ("Englisch", "en"),
            ("anglais", "en"),
            ("inglés", "en"),
            ("INGLES", "en"),
            ("français", "fr"),
            ("Französisch", "fr"),
            ("Francés", "fr"),
            ("español", "es"),
            ("Castellano", "es"),
            ("Português", "pt"),
            ("Italiano", "it"),
            ("Nederlands", "nl"),
            ("Greek", "el"),
            ("Ελληνικά", "el"),
            ("русский", "ru"),
            ("Русский язык", "ru"),
            ("日本語", "ja"),
            ("中文", "zh"),
            ("한국어", "ko"),
            ("العربية", "ar"),
            ("Türkçe", "tr"),
            ("Farsi", "fa"),
            ("Mandarin", "zh"),
            ("Cantonese", "yue"),
            ("Flemish", "nl-BE"),
            ("Brazilian Portuguese", "pt-BR"),
            ("Swiss German", "gsw"),
            ("English (US)", "en-US"),
            ("English (United Kingdom)", "en-GB"),
            ("German - Austria", "de-AT"),
            ("Spanish, Mexico", "es-MX"),
            ("Spanish (Latin America)", "es-419"),
            ("Chinese (Simplified)", "zh-Hans"),
            ("Traditional Chinese", "zh-Hant"),
            ("Norwegian Bokmål", "nb"),
            ("Hawaiian", "haw"),
        ] {
            assert_eq!(parse(text).as_deref(), Ok(expected), "{text:?}");
        }
    }

    #[test]
    fn other_words_are_issues() {
        for text in [
            "",
            "-",
            "xx",
            "qqq",
            "und",
            "mul",
            "zxx",
            "Klingonisch",
            "de-",
            "de--DE",
            "de-ZZ",
            "de-DE-DE",
            "de-DE-Latn",
            "de-x-private",
            "de DE",
            "German (Atlantis)",
            "German/English",
            "(",
            "()",
        ] {
            assert_eq!(parse(text), Err(Problem::LanguageUnknown), "{text:?}");
        }
    }

    #[test]
    fn the_table_is_in_order_and_no_name_is_two_languages() {
        assert!(OLD_CODES.is_sorted());
        let mut owners = HashMap::new();
        for &(tag, names) in NAMES {
            assert_eq!(parse(tag).as_deref(), Ok(tag));
            for name in names.split('|') {
                let owner = owners.insert(fold(name), tag);
                assert!(owner.is_none_or(|owner| owner == tag), "{name}");
            }
        }
    }

    #[test]
    fn every_code_is_read_as_itself() {
        for language in isolang::languages().filter(|&language| is_known(language)) {
            let tag = parse(language.to_639_3()).unwrap();
            assert_eq!(parse(&tag), Ok(tag));
        }
    }
}
