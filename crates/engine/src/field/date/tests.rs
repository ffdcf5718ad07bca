use proptest::prelude::*;

use super::{
    DateDecision, DateEvidence, DateOptions, DateOrder, PartialDate, parse, parse_in_column,
};

fn read(text: &str, order: Option<DateOrder>) -> String {
    match parse(text, order, DateOptions::default()) {
        Ok(date) => date.to_string(),
        Err(problem) => problem.code().to_owned(),
    }
}

const DMY: Option<DateOrder> = Some(DateOrder::Dmy);
const MDY: Option<DateOrder> = Some(DateOrder::Mdy);
const YMD: Option<DateOrder> = Some(DateOrder::Ymd);

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn dates_are_read_as_written() {
    for (text, order, expected) in [
        // ISO 8601, under any order.
        ("1990-05-17", DMY, "1990-05-17"),
        (" 1990-05-17\u{a0}", MDY, "1990-05-17"),
        ("19900517", DMY, "1990-05-17"),
        ("19900517T2359", None, "1990-05-17"),
        ("1990-05-17T23:59:59.999-11:00", None, "1990-05-17"),
        ("1990-05-17 24:00", None, "1990-05-17"),
        ("1990-05-17T24:01", None, "date.invalid"),
        ("1990-05-17T23:60", None, "date.invalid"),
        ("1990-05-17T23:59:61", None, "date.invalid"),
        ("1990-05-17T23:59.", None, "1990-05-17"),
        ("1990-05-17T23:59:59.Z", None, "date.invalid"),
        ("17/05/1990 23:59:59", None, "1990-05-17"),
        ("zo 5 okt 2014", None, "2014-10-05"),
        ("1990-05-17Z", None, "1990-05-17"),
        ("1990-05-17+08:00", None, "1990-05-17"),
        ("1990-05-17-08:00", None, "1990-05-17"),
        ("1990-05-17 UTC", None, "1990-05-17"),
        ("1990-05-17X", None, "date.invalid"),
        ("1990-05-17 NOTE", None, "date.invalid"),
        ("1990-05-17-08", None, "date.invalid"),
        ("1990-W20-4", None, "1990-05-17"),
        ("1990-137", None, "1990-05-17"),
        ("1990-05", None, "1990-05"),
        ("1990", None, "1990"),
        ("--05-17", None, "--05-17"),
        ("--0517", None, "--05-17"),
        ("--02-29", None, "--02-29"),
        ("--02-30", None, "date.invalid"),
        ("--13", None, "date.invalid"),
        ("---31", None, "---31"),
        ("---32", None, "date.invalid"),
        ("2001-02-29", None, "date.invalid"),
        ("0000-05-17", None, "date.invalid"),
        // Numeric, by the order.
        ("10/09/03", DMY, "2003-09-10"),
        ("10/09/03", MDY, "2003-10-09"),
        ("10/09/03", YMD, "2010-09-03"),
        ("10/09/03", None, "date.ambiguous"),
        ("10/09/2003", None, "date.ambiguous"),
        ("10/09/2003", YMD, "date.ambiguous"),
        ("25/09/2003", YMD, "2003-09-25"),
        ("2003/09/10", MDY, "2003-09-10"),
        ("2003/25/09", None, "date.invalid"),
        ("8/8/1965", None, "1965-08-08"),
        ("25/09/2003", None, "2003-09-25"),
        ("25/09/2003", MDY, "date.invalid"),
        ("09/25/2003", DMY, "date.invalid"),
        ("27/10/22", None, "date.ambiguous"),
        ("26/10/85", None, "1985-10-26"),
        ("5.7.1990", DMY, "1990-07-05"),
        ("5. 7. 1990", DMY, "1990-07-05"),
        ("5.7.1990.", DMY, "1990-07-05"),
        ("5/7-1990", DMY, "date.invalid"),
        ("5.7", DMY, "date.invalid"),
        ("17.5.", None, "--05-17"),
        ("5/17", MDY, "--05-17"),
        ("5/17", DMY, "date.invalid"),
        ("05/1990", None, "1990-05"),
        ("250903", DMY, "2003-09-25"),
        ("250903", None, "date.ambiguous"),
        ("25092003", None, "2003-09-25"),
        ("201105", YMD, "date.ambiguous"),
        ("7.4.29", DMY, "2029-04-07"),
        ("7.4.30", DMY, "1930-04-07"),
        // Month names.
        ("17. Mai 1990", None, "1990-05-17"),
        ("17. März 1990", None, "1990-03-17"),
        ("1er février 1990", None, "1990-02-01"),
        ("17 de mayo de 1990", None, "1990-05-17"),
        ("1º de março de 1990", None, "1990-03-01"),
        ("1o de março de 1990", None, "1990-03-01"),
        ("giovedì 17 maggio 1990", None, "1990-05-17"),
        ("17 mei 1990", None, "1990-05-17"),
        ("mar 17 mayo 1990", None, "1990-05-17"),
        ("mar. 17/05/1990", None, "1990-05-17"),
        ("17 mar 1990", None, "1990-03-17"),
        ("Donnerstag, den 17.05.1990", None, "1990-05-17"),
        ("Thursday the 17th of May, 1990", None, "1990-05-17"),
        ("am 17. Mai 1990 um 14 Uhr", None, "1990-05-17"),
        ("17MAY1990", None, "1990-05-17"),
        ("17-May-90", None, "1990-05-17"),
        ("May '90", None, "1990-05"),
        ("May 17", None, "--05-17"),
        ("Sep-03", None, "date.ambiguous"),
        ("03-Sep", None, "--09-03"),
        ("May 1990", None, "1990-05"),
        ("30 February 1990", None, "date.invalid"),
        (
            "Thu May 17 1990 08:05:09 GMT+0200 (Central European Summer Time)",
            None,
            "1990-05-17",
        ),
        // Not dates.
        ("", None, "date.invalid"),
        ("May", None, "date.invalid"),
        ("Mayor", None, "date.invalid"),
        ("36526", None, "date.invalid"),
        ("1700000000", None, "date.invalid"),
        ("1700000000000", None, "date.invalid"),
        ("12 Elm Street 1990", None, "date.invalid"),
        ("1990-05-17 25:00", None, "date.invalid"),
        ("1990-05-17 13:00 pm", None, "date.invalid"),
        ("17 May 1990 May", None, "date.invalid"),
        ("1990--05-17", None, "date.invalid"),
        ("1990-05-17-", None, "date.invalid"),
        ("-1990-05-17", None, "date.invalid"),
        ("17 May 12:30", None, "date.invalid"),
        ("1990 12:30", None, "date.invalid"),
        ("1990-05-17\u{0}", None, "date.invalid"),
    ] {
        assert_eq!(read(text, order), expected, "{text:?} {order:?}");
    }
}

#[test]
fn a_partial_date_is_refused_where_the_field_wants_a_day() {
    for text in ["1990", "1990-05", "--05-17", "May 1990"] {
        let problem = parse(text, None, DateOptions::FULL).unwrap_err();
        assert_eq!(problem.code(), "date.invalid", "{text}");
    }
}

#[test]
fn people_see_the_name_of_the_month() {
    for (text, expected) in [
        ("1990-05-07", "7 May 1990"),
        ("1990-05", "May 1990"),
        ("1990", "1990"),
        ("--05-17", "17 May"),
        ("--05", "May"),
        ("---17", "day 17"),
    ] {
        let date = parse(text, None, DateOptions::default()).unwrap();
        assert_eq!(date.to_display(), expected);
    }
}

#[test]
fn an_order_is_named_in_small_letters() {
    for (order, name) in DateOrder::ALL.into_iter().zip(["dmy", "mdy", "ymd"]) {
        assert_eq!(name.parse(), Ok(order));
        assert_eq!(
            serde_json::to_string(&order).unwrap(),
            format!("\"{name}\"")
        );
    }
    assert!("ydm".parse::<DateOrder>().is_err());
}

fn decide(values: &[&str], fallback: Option<DateOrder>) -> DateDecision {
    evidence(values).decide(fallback)
}

fn evidence(values: &[&str]) -> DateEvidence {
    let mut evidence = DateEvidence::new();
    for value in values {
        evidence.observe(value);
    }
    evidence
}

#[test]
fn a_column_is_decided_from_all_of_its_values() {
    for (values, fallback, expected) in [
        (
            &["1990-05-17", "", "x", "8/8/1965", "5 May 1990"][..],
            DMY,
            DateDecision::NoNumericDates,
        ),
        (
            &["05/10/1990", "25/10/1990 12:00"],
            MDY,
            DateDecision::Decided(DateOrder::Dmy),
        ),
        (
            &["05/10/1990", "10/25/1990"],
            DMY,
            DateDecision::Decided(DateOrder::Mdy),
        ),
        (
            &["05/10/21", "27/10/22", "05/10/85"],
            None,
            DateDecision::Decided(DateOrder::Dmy),
        ),
        (&["85-10-05"], None, DateDecision::Decided(DateOrder::Ymd)),
        (&["311285"], None, DateDecision::Decided(DateOrder::Dmy)),
        (&["05/10/1990"], None, DateDecision::Ambiguous),
        (&["05/10/1990"], MDY, DateDecision::Decided(DateOrder::Mdy)),
        (&["05/10/1990"], YMD, DateDecision::Ambiguous),
    ] {
        assert_eq!(decide(values, fallback), expected, "{values:?}");
    }
}

#[test]
fn a_contradictory_column_names_its_witnesses_and_is_ambiguous() {
    let values = ["05/10/1990", "25/10/1990", "10/25/1990", "10/26/1990"];
    let decision = decide(&values, DMY);
    let DateDecision::Contradictory { witnesses } = &decision else {
        panic!("{decision:?}");
    };
    let witnesses: Vec<_> = witnesses
        .iter()
        .map(|witness| (witness.order, witness.value.as_str()))
        .collect();
    assert_eq!(
        witnesses,
        [
            (DateOrder::Dmy, "25/10/1990"),
            (DateOrder::Mdy, "10/25/1990")
        ]
    );
    for (text, expected) in [
        ("05/10/1990", "date.ambiguous"),
        ("25/10/1990", "date.ambiguous"),
        ("08/08/1990", "1990-08-08"),
        ("1990-10-25", "1990-10-25"),
        ("25 Oct 1990", "1990-10-25"),
        ("32/10/1990", "date.invalid"),
        ("x", "date.invalid"),
    ] {
        let found = parse_in_column(text, &decision, DateOptions::default());
        let found = found.map_or_else(|problem| problem.code().to_owned(), |date| date.to_string());
        assert_eq!(found, expected, "{text}");
    }
}

#[test]
fn a_few_slips_do_not_spoil_a_long_column() {
    let column = |right: usize, wrong: usize| {
        let mut values = vec!["25/10/1990"; right];
        values.extend(vec!["10/25/1990"; wrong]);
        decide(&values, None)
    };
    assert_eq!(column(50, 1), DateDecision::Decided(DateOrder::Dmy));
    assert!(matches!(column(49, 1), DateDecision::Contradictory { .. }));
    assert!(matches!(column(98, 2), DateDecision::Contradictory { .. }));
    assert_eq!(column(99, 2), DateDecision::Decided(DateOrder::Dmy));
    let minority = parse_in_column("10/25/1990", &column(99, 2), DateOptions::default());
    assert_eq!(minority.unwrap_err().code(), "date.invalid");
}

fn any_date() -> impl Strategy<Value = PartialDate> {
    (1u16..=9999, 1u8..=12, 1u8..=31)
        .prop_filter_map("the calendar has the day", |(year, month, day)| {
            PartialDate::full(year, month, day)
        })
}

fn any_partial_date() -> impl Strategy<Value = PartialDate> {
    (
        proptest::option::of(1u16..=9999),
        proptest::option::of(1u8..=12),
        proptest::option::of(1u8..=31),
    )
        .prop_filter_map("a partial date", |(year, month, day)| {
            PartialDate::new(year, month, day)
        })
}

/// Text of the signs and words that dates are made of, so that the deep branches are reached.
fn datish() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "[0-9]{1,15}",
        "[-./:,' T()+º年月日]",
        proptest::sample::select(vec![
            "May", "mar", "am", "pm", "a.m.", "h", "Uhr", "Z", "GMT", "th", "de", "noon", "W",
            "--", "März",
        ])
        .prop_map(str::to_owned),
    ];
    proptest::collection::vec(piece, 0..14).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn nothing_panics(text in "\\PC{0,40}", datish in datish(), last in 0u16..) {
        let options = DateOptions { allow_partial: true, last_two_digit_year: last };
        for text in [&text, &datish] {
            for order in [None, DMY, MDY, YMD] {
                let _ = parse(text, order, options);
            }
            for format in [super::DateFormat::StrictIso, super::DateFormat::VCard, super::DateFormat::Hl7] {
                let _ = super::parse_declared(text, format, options);
            }
            DateEvidence::new().observe(text);
        }
    }

    #[test]
    fn what_is_read_is_printed_in_a_form_that_is_read_again(text in datish()) {
        if let Ok(date) = parse(&text, DMY, DateOptions::default()) {
            prop_assert_eq!(parse(&date.to_string(), None, DateOptions::default()), Ok(date));
        }
    }

    #[test]
    fn canonical_texts_are_read_as_themselves(date in any_partial_date()) {
        for order in [None, DMY, MDY, YMD] {
            prop_assert_eq!(parse(&date.to_string(), order, DateOptions::default()), Ok(date));
        }
    }

    #[test]
    fn every_day_printed_in_an_order_is_read_under_it(date in any_date(), separator in "[./ -]", padded: bool) {
        let (year, month, day) = (date.year().unwrap(), date.month().unwrap(), date.day().unwrap());
        let (m, d) = if padded {
            (format!("{month:02}"), format!("{day:02}"))
        } else {
            (month.to_string(), day.to_string())
        };
        let y = format!("{year:04}");
        let s = separator;
        for (text, order) in [
            (format!("{d}{s}{m}{s}{y}"), DMY),
            (format!("{m}{s}{d}{s}{y}"), MDY),
            (format!("{y}{s}{m}{s}{d}"), YMD),
        ] {
            prop_assert_eq!(parse(&text, order, DateOptions::default()), Ok(date), "{}", text);
        }
    }

    #[test]
    fn evidence_does_not_depend_on_the_chunks(values in proptest::collection::vec(datish(), 0..20), cut in 0usize..20) {
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        let cut = cut.min(values.len());
        let mut merged = evidence(&values[..cut]);
        merged.merge(evidence(&values[cut..]));
        prop_assert_eq!(merged, evidence(&values));
    }
}
