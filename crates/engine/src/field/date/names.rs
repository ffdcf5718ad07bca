//! The words of dates: months, days of the week, and words that carry no meaning of their own.
//!
//! All words are written folded ([`fold`]): lower case, without accents. A word means a month if it is one of the
//! names, or at least three letters that begin the names of one month only. Names that are two months in two languages
//! (`listopad`) are left out on purpose.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// What a word says about a date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    Month(u8),
    Weekday,
    /// `mar` is Tuesday in Spanish and March in many languages.
    MonthOrWeekday(u8),
    /// Joins the parts: `of`, `de`, `Uhr`.
    Filler,
    /// Twelve o'clock, by day or by night.
    Noon,
    Midnight,
}

/// The months as they are shown.
pub(super) const ENGLISH: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// English, German, French, Spanish, Portuguese, Italian, Dutch; Swedish, Danish, Norwegian, Romanian, Hungarian,
/// Turkish, Polish, Czech, Croatian; Russian, Ukrainian, Belarusian, Bulgarian.
#[rustfmt::skip] // A table: one paragraph a month.
const MONTHS: [&[&str]; 12] = [
    &[
        "january", "januar", "janner", "janvier", "enero", "janeiro", "gennaio", "januari", "ianuarie", "ocak",
        "stycznia", "styczen", "ledna", "leden", "sijecnja", "sijecanj", "января", "январь", "січня", "січень",
        "студзеня", "студзень", "януари",
    ],
    &[
        "february", "februar", "feber", "fevrier", "febrero", "fevereiro", "febbraio", "februari", "februarie",
        "subat", "lutego", "luty", "unora", "unor", "veljace", "veljaca", "февраля", "февраль", "лютого",
        "лютии", "лютага", "люты", "февруари",
    ],
    &[
        "march", "marz", "maerz", "mars", "marzo", "marco", "maart", "mrt", "martie", "marcius", "mart",
        "marca", "marzec", "brezna", "brezen", "ozujka", "ozujak", "марта", "март", "березня", "березень",
        "сакавіка", "сакавік",
    ],
    &[
        "april", "avril", "abril", "aprile", "aprilie", "aprilis", "nisan", "kwietnia", "kwiecien", "dubna",
        "duben", "travnja", "travanj", "апреля", "апрель", "квітня", "квітень", "красавіка", "красавік",
        "април",
    ],
    &[
        "may", "mai", "mayo", "maio", "maggio", "mei", "maj", "majus", "mayıs", "mayis", "maja", "kvetna",
        "kveten", "svibnja", "svibanj", "мая", "маи", "травня", "травень", "трауня",
    ],
    &[
        "june", "juni", "juno", "juin", "junio", "junho", "giugno", "iunie", "junius", "haziran", "czerwca",
        "czerwiec", "lipnja", "lipanj", "июня", "июнь", "червня", "червень", "чэрвеня", "чэрвень", "юни",
    ],
    &[
        "july", "juli", "julei", "juillet", "julio", "julho", "luglio", "iulie", "julius", "temmuz", "lipca",
        "lipiec", "srpnja", "srpanj", "июля", "июль", "липня", "липень", "ліпеня", "ліпень", "юли",
    ],
    &[
        "august", "aout", "agosto", "augustus", "augusti", "augusztus", "agustos", "sierpnia", "sierpien",
        "srpna", "srpen", "kolovoza", "kolovoz", "августа", "август", "серпня", "серпень", "жніуня", "жнівень",
    ],
    &[
        "september", "septembre", "septiembre", "setiembre", "setembro", "settembre", "septembrie",
        "szeptember", "eylul", "wrzesnia", "wrzesien", "zari", "rujna", "rujan", "сентября", "сентябрь",
        "вересня", "вересень", "верасня", "верасень", "септември",
    ],
    &[
        "october", "oktober", "octobre", "octubre", "outubro", "ottobre", "octombrie", "ekim", "pazdziernika",
        "pazdziernik", "rijna", "rijen", "октября", "октябрь", "жовтня", "жовтень", "кастрычніка", "кастрычнік",
        "октомври",
    ],
    &[
        "november", "novembre", "noviembre", "novembro", "noiembrie", "kasım", "kasim", "studenoga", "studenom",
        "studeni", "ноября", "ноябрь", "листопада", "листопад", "лістапада", "лістапад", "ноември",
    ],
    &[
        "december", "dezember", "decembre", "diciembre", "dezembro", "dicembre", "decembrie", "desember",
        "aralık", "aralik", "grudnia", "grudzien", "prosince", "prosinec", "prosinca", "prosinac", "декабря",
        "декабрь", "грудня", "грудень", "снежня", "снежань", "декември",
    ],
];

/// Full names; at least three letters that begin one are enough.
#[rustfmt::skip] // A table.
const WEEKDAYS: &[&str] = &[
    "monday", "tuesday", "wednesday", "thursday", "thurs", "friday", "saturday", "sunday", "montag", "dienstag",
    "mittwoch", "donnerstag", "freitag", "samstag", "sonnabend", "sonntag", "lundi", "mardi", "mercredi",
    "jeudi", "vendredi", "samedi", "dimanche", "lunes", "martes", "miercoles", "jueves", "viernes", "sabado",
    "domingo", "segunda", "terca", "quarta", "quinta", "sexta", "feira", "lunedi", "martedi", "mercoledi",
    "giovedi", "venerdi", "domenica", "maandag", "dinsdag", "woensdag", "donderdag", "vrijdag", "zaterdag",
    "zondag", "понедельник", "вторник", "среда", "четверг", "пятница", "суббота", "воскресенье",
];

/// Too short, or too irregular, to be found by their beginning.
#[rustfmt::skip] // A table.
const SHORT_WEEKDAYS: &[&str] = &[
    "mo", "ma", "wo", "vr", "za", "zo", "lu", "me", "je", "ve", "gi", "di", "mi", "do", "fr", "sa", "so", "tu",
    "we", "th", "su", "seg", "ter", "qua", "qui", "sex", "пн", "вт", "ср", "чт", "пт", "сб", "вс", "срд", "чтв",
    "птн", "сбт", "вск", "нд", "чацвер", "ctv",
];

/// Words between, before and after the parts of a date.
#[rustfmt::skip] // A table.
const FILLERS: &[&str] = &[
    "of", "the", "on", "at", "in", "den", "der", "dem", "vom", "um", "uhr", "le", "la", "les", "du", "a", "el",
    "de", "del", "las", "los", "dia", "do", "da", "em", "as", "il", "lo", "alle", "ore", "della", "dell", "op",
    "om", "van", "uur", "kl", "d", "l", "h", "hs", "hrs", "ad", "u", "г", "года", "год", "в", "у", "р", "року",
];

/// Says what a word means, if anything.
pub(super) fn meaning(word: &str) -> Option<Meaning> {
    let folded = fold(word);
    let word = folded.as_str();
    let weekday = is_weekday(word);
    match (month(word), weekday) {
        (Some(month), true) => return Some(Meaning::MonthOrWeekday(month)),
        (Some(month), false) => return Some(Meaning::Month(month)),
        (None, true) => return Some(Meaning::Weekday),
        (None, false) => {}
    }
    match word {
        "noon" | "midday" | "mittags" | "midi" | "mezzogiorno" | "mediodia" | "podne" => {
            Some(Meaning::Noon)
        }
        "midnight" | "mitternacht" | "minuit" | "mezzanotte" | "medianoche" | "ponoc" => {
            Some(Meaning::Midnight)
        }
        _ if FILLERS.contains(&word) => Some(Meaning::Filler),
        _ => None,
    }
}

/// Lower case, without accents: how the tables are written.
pub(super) fn fold(word: &str) -> String {
    if word.is_ascii() {
        return word.to_ascii_lowercase();
    }
    word.nfd()
        .filter(|&character| !is_combining_mark(character))
        .flat_map(char::to_lowercase)
        .collect()
}

fn month(word: &str) -> Option<u8> {
    let numbered = || (1u8..).zip(MONTHS);
    if let Some((number, _)) = numbered().find(|(_, names)| names.contains(&word)) {
        return Some(number);
    }
    word.chars().nth(2)?;
    let mut begun = numbered().filter(|(_, names)| names.iter().any(|name| name.starts_with(word)));
    match (begun.next(), begun.next()) {
        (Some((number, _)), None) => Some(number),
        _ => None,
    }
}

fn is_weekday(word: &str) -> bool {
    SHORT_WEEKDAYS.contains(&word)
        || (word.chars().nth(2).is_some() && WEEKDAYS.iter().any(|name| name.starts_with(word)))
}

#[cfg(test)]
mod tests {
    use super::{ENGLISH, MONTHS, Meaning, fold, meaning};

    #[test]
    fn the_tables_are_folded_and_name_each_month_once() {
        for (position, names) in MONTHS.iter().enumerate() {
            for name in *names {
                assert_eq!(fold(name), *name);
                let others = MONTHS
                    .iter()
                    .enumerate()
                    .filter(|&(other, _)| other != position);
                for (_, other) in others {
                    assert!(!other.contains(name), "{name} is two months");
                }
            }
        }
    }

    #[test]
    fn abbreviations_of_the_seven_languages_are_known() {
        let table = [
            "jan jän janv ene gen",
            "feb fév fev febr",
            "mar mär mrt mars märz",
            "apr avr abr",
            "may mai mei mag",
            "jun juin giu",
            "jul juil lug",
            "aug ago aoû août",
            "sep sept set sett",
            "oct okt out ott",
            "nov",
            "dec dez déc dic",
        ];
        for (month, words) in (1u8..).zip(table) {
            for word in words.split(' ') {
                let found = meaning(word);
                assert!(
                    found == Some(Meaning::Month(month))
                        || found == Some(Meaning::MonthOrWeekday(month)),
                    "{word}: {found:?}"
                );
            }
        }
        for (month, name) in (1u8..).zip(ENGLISH) {
            assert_eq!(meaning(name), Some(Meaning::Month(month)));
        }
        assert_eq!(meaning("jui"), None, "juin or juillet");
        assert_eq!(meaning("Marketing"), None);
    }
}
