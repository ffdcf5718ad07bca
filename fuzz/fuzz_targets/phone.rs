//! Phone numbers of any text: nothing panics, the fast lane says what the library says, and a number reads as itself.

#![no_main]

use std::cell::OnceCell;

use libfuzzer_sys::fuzz_target;
use rollbook_engine::field::phone::{PhoneNumber, PhoneReader, Reading};

thread_local! {
    static READER: OnceCell<PhoneReader> = const { OnceCell::new() };
}

fuzz_target!(|text: &str| {
    READER.with(|reader| check(reader.get_or_init(PhoneReader::new), text));
});

fn check(reader: &PhoneReader, text: &str) {
    for region in [
        None,
        Some("DE"),
        Some("GB"),
        Some("US"),
        Some("IT"),
        Some("no region"),
    ] {
        for part in reader.split_cell(text, region) {
            drop(reader.parse(part, region));
        }
        let by_library = reader.parse_by_library(text, region);
        match reader.parse_by_lane(text, region) {
            Reading::Number(number) => {
                let by_library = by_library.as_ref().map(PhoneNumber::as_str);
                assert_eq!(Some(number.as_str()), by_library, "{text:?} in {region:?}");
            }
            Reading::Invalid => assert_eq!(None, by_library, "{text:?} in {region:?}"),
            Reading::Elsewhere => {}
        }
        if let Ok(phone) = reader.parse(text, region) {
            let stored = phone.number.as_str();
            assert_eq!(
                PhoneNumber::from_canonical(stored).as_ref(),
                Some(&phone.number)
            );
            let again = reader
                .parse(stored, None)
                .expect("a number reads as itself");
            assert_eq!(again.number, phone.number, "{text:?} in {region:?}");
            assert!(!reader.display(&phone.number).is_empty());
        }
    }
}
