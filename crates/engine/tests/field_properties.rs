//! What holds for every text, whatever a file may contain: reading never panics, and reads its own canonical texts.

use proptest::prelude::*;
use rollbook_engine::field::blank::{Blank, BlankWords};
use rollbook_engine::field::choice::{self, ChoiceOption};
use rollbook_engine::field::email::EmailAddress;
use rollbook_engine::field::external_id::ExternalId;
use rollbook_engine::field::phone::{PhoneNumber, PhoneReader, search_digits};
use rollbook_engine::field::{boolean, country, language, number, tags, text, url};

thread_local! {
    static PHONES: PhoneReader = PhoneReader::new();
}

/// Text of any kind: any characters at all, and such as the kinds are made of.
fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "\\PC{0,40}",
        "[0-9+() ./,;|:xe#~*-]{0,30}",
        "[+]?[0-9]{1,18}( ?(x|ext\\.?|;ext=) ?[0-9]{1,7})?",
        "[a-zA-Z0-9.\"'+ _-]{0,20}@[a-zA-Z0-9.\\-äß．。]{0,20}",
        "\"[ -~äß]{0,10}\"@[a-z]{1,5}\\.[a-z]{1,5}",
        "(xn--)?[a-z0-9äßü]{1,10}@(xn--)?[a-z0-9äßüא]{1,8}\\.(xn--)?[a-z]{1,6}",
        "[+-]?[0-9]{0,4}[., '][0-9]{0,4}[., ']?[0-9]{0,4}([eE][+-]?[0-9]{0,3})?",
        "[a-zA-Z]{2,3}([-_][a-zA-Z0-9]{2,8}){0,3}",
        "(https?://)?[a-zA-Z0-9.:\\[\\]@-]{0,20}[/?#]?[ -~]{0,10}",
        "[A-Za-zäöüß]{0,12}( ?[(,-] ?[A-Za-z ]{0,12}\\)?)?",
    ]
}

fn regions() -> impl Strategy<Value = Option<&'static str>> {
    proptest::sample::select(vec![
        None,
        Some("DE"),
        Some("US"),
        Some("IT"),
        Some("AR"),
        Some("BR"),
        Some("CI"),
        Some("??"),
    ])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn tidied_text_stays_as_it_is(raw in any_text()) {
        let tidy = text::tidy(&raw);
        prop_assert_eq!(&text::tidy(&tidy), &tidy);
        let _ = text::check(&raw, 10, true);
        let blank = BlankWords::default().is_blank(&raw, false);
        prop_assert_eq!(blank == Blank::Empty, text::trim(&raw).is_empty());
    }

    #[test]
    fn canonical_phone_numbers_are_read_as_themselves(raw in any_text(), region in regions()) {
        PHONES.with(|reader| {
            if let Ok(parsed) = reader.parse(&raw, region) {
                let again = reader.parse(parsed.number.as_str(), region).map(|parsed| parsed.number);
                prop_assert_eq!(again.as_ref(), Ok(&parsed.number));
                prop_assert_eq!(PhoneNumber::from_canonical(parsed.number.as_str()), Some(parsed.number.clone()));
                let shown = reader.parse(&reader.display(&parsed.number), None).map(|parsed| parsed.number);
                prop_assert_eq!(shown, Ok(parsed.number));
            }
            Ok(())
        })?;
        let _ = search_digits(&raw);
    }

    #[test]
    fn the_numbers_of_a_cell_are_its_text_in_order(cells in prop::collection::vec((any_text(), "[,;|/\n]| ::: "), 1..5), region in regions()) {
        let cell: String = cells.into_iter().flat_map(|(text, sign)| [text, sign]).collect();
        let parts: Vec<&str> = PHONES.with(|reader| reader.split_cell(&cell, region).collect());
        let mut rest = cell.as_str();
        for part in parts {
            let start = rest.find(part);
            prop_assert!(start.is_some());
            rest = &rest[start.unwrap() + part.len()..];
        }
    }

    #[test]
    fn canonical_addresses_are_read_as_themselves(raw in any_text()) {
        if let Ok(address) = EmailAddress::parse(&raw) {
            prop_assert_eq!(EmailAddress::parse(address.as_str()), Ok(address));
        }
    }

    #[test]
    fn canonical_texts_of_the_other_kinds_are_read_as_themselves(raw in any_text()) {
        if let Ok(Some(id)) = ExternalId::parse(&raw) {
            prop_assert_eq!(ExternalId::parse(id.as_str()), Ok(Some(id)));
        }
        if let Ok(number) = number::parse(&raw) {
            prop_assert_eq!(number::parse(&number), Ok(number));
        }
        if let Ok(boolean) = boolean::parse(&raw) {
            prop_assert_eq!(boolean::parse(boolean), Ok(boolean));
        }
        if let Ok(country) = country::parse(&raw) {
            prop_assert_eq!(country::parse(country), Ok(country));
        }
        if let Ok(language) = language::parse(&raw) {
            prop_assert_eq!(language::parse(&language), Ok(language));
        }
        if let Ok(url) = url::parse(&raw) {
            prop_assert_eq!(url::parse(&url), Ok(url.clone()));
        }
        if let Ok(found) = tags::parse(&raw) {
            prop_assert_eq!(tags::parse(&tags::join(&found)), Ok(found));
        }
    }

    #[test]
    fn codes_of_choices_are_read_as_themselves(codes in prop::collection::vec(any_text(), 0..5), raw in any_text()) {
        let options: Vec<ChoiceOption> = codes
            .iter()
            .map(|code| ChoiceOption { code: text::tidy(code).into_owned(), label: raw.clone() })
            .collect();
        for option in &options {
            prop_assert_eq!(choice::parse(&option.code, &options), Ok(option.code.as_str()));
        }
        if let Ok(codes) = choice::parse_many(&raw, &options) {
            for code in codes {
                prop_assert_eq!(choice::parse(code, &options), Ok(code));
            }
        }
    }
}
