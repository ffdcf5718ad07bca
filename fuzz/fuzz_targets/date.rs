//! Dates of any text: nothing panics, what is read is a day of the calendar, and its stored form reads as itself.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rollbook_engine::field::date::{DateOptions, DateOrder, PartialDate, parse};

fuzz_target!(|text: &str| {
    let options = DateOptions::default();
    for order in [
        None,
        Some(DateOrder::Dmy),
        Some(DateOrder::Mdy),
        Some(DateOrder::Ymd),
    ] {
        let Ok(date) = parse(text, order, options) else {
            continue;
        };
        assert_eq!(
            PartialDate::new(date.year(), date.month(), date.day()),
            Some(date),
            "a day of the calendar"
        );
        let stored = date.to_string();
        assert_eq!(
            parse(&stored, order, options),
            Ok(date),
            "{text:?} is stored as {stored}"
        );
        assert!(!date.to_display().is_empty());
        if date.to_date().is_some() {
            assert_eq!(
                parse(text, order, DateOptions::FULL),
                Ok(date),
                "a full date is one without partial ones, too"
            );
        }
    }
});
