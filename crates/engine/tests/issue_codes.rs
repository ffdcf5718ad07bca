//! The table of issue codes in `docs/issues.md` says what the engine says. Run with `UPDATE_DOCS=1` to write it anew.

use std::fmt::Write;

use rollbook_engine::issue::{Kept, Problem};

/// Every problem with a value that has it. A new variant makes `rank` below fail to compile.
fn problems() -> Vec<(Problem, &'static str)> {
    vec![
        (
            Problem::PhoneInvalid {
                region: Some("US".into()),
            },
            "555-01",
        ),
        (Problem::PhoneNoRegion, "030 1234567"),
        (
            Problem::EmailInvalid {
                reason: "it has no @".into(),
            },
            "anna.hotel.example",
        ),
        (
            Problem::DateInvalid {
                order: Some("DMY".into()),
            },
            "31.02.1990",
        ),
        (Problem::DateAmbiguous, "01/02/1990"),
        (
            Problem::DateContradicted {
                witnesses: vec!["13/04/1990".into(), "04/25/1990".into()],
            },
            "01/02/1990",
        ),
        (Problem::TimeInvalid, "25:00"),
        (Problem::NumberInvalid { ambiguous: false }, "four"),
        (Problem::BooleanInvalid, "maybe"),
        (
            Problem::ChoiceUnknown {
                options: vec!["Gold".into(), "Silver".into()],
            },
            "Bronze",
        ),
        (Problem::LanguageUnknown, "Klingonisch"),
        (Problem::CountryUnknown, "Atlantis"),
        (Problem::UrlInvalid, "ftp://x"),
        (
            Problem::TextTooLong {
                limit: 255,
                length: 300,
            },
            "Lorem ipsum …",
        ),
        (Problem::TextControlCharacter { character: '\u{7}' }, "Kiel"),
        (Problem::PrecisionLost, "4.41E+11"),
        (
            Problem::IdentifierTaken {
                owner: 17,
                owner_name: "Ben Berg".into(),
            },
            "+493012345602",
        ),
        (Problem::RecordEmpty, ""),
        (Problem::RecordNoIdentifier, ""),
        (
            Problem::RecordUnreadable {
                reason: "a quote that opens on line 7 never closes".into(),
            },
            "",
        ),
        (
            Problem::RecordTooManyCells {
                expected: 10,
                found: 11,
            },
            "",
        ),
        (Problem::SourcePaused, ""),
        (Problem::RecordTooLarge { limit: 1_048_576 }, ""),
        (
            Problem::RecordDropped {
                by: "anna@hotel.example".into(),
            },
            "",
        ),
        (Problem::ContactErased, ""),
        (
            Problem::EventUnsupported {
                kind: "contact.merged".into(),
            },
            "",
        ),
        (Problem::EventWithoutContact, ""),
        (Problem::UndoKept(Kept::FieldChanged), "Hamburg"),
        (Problem::UndoKept(Kept::ContactChanged), ""),
        (Problem::UndoKept(Kept::ContactGone), ""),
        (Problem::UndoKept(Kept::FieldGone), "Gold"),
        (Problem::UndoKept(Kept::Erased), ""),
    ]
}

/// The place of a problem in the list above.
fn rank(problem: &Problem) -> usize {
    match problem {
        Problem::PhoneInvalid { .. } => 0,
        Problem::PhoneNoRegion => 1,
        Problem::EmailInvalid { .. } => 2,
        Problem::DateInvalid { .. } => 3,
        Problem::DateAmbiguous => 4,
        Problem::DateContradicted { .. } => 5,
        Problem::TimeInvalid => 6,
        Problem::NumberInvalid { .. } => 7,
        Problem::BooleanInvalid => 8,
        Problem::ChoiceUnknown { .. } => 9,
        Problem::LanguageUnknown => 10,
        Problem::CountryUnknown => 11,
        Problem::UrlInvalid => 12,
        Problem::TextTooLong { .. } => 13,
        Problem::TextControlCharacter { .. } => 14,
        Problem::PrecisionLost => 15,
        Problem::IdentifierTaken { .. } => 16,
        Problem::RecordEmpty => 17,
        Problem::RecordNoIdentifier => 18,
        Problem::RecordUnreadable { .. } => 19,
        Problem::RecordTooManyCells { .. } => 20,
        Problem::SourcePaused => 21,
        Problem::RecordTooLarge { .. } => 22,
        Problem::RecordDropped { .. } => 23,
        Problem::ContactErased => 24,
        Problem::EventUnsupported { .. } => 25,
        Problem::EventWithoutContact => 26,
        Problem::UndoKept(Kept::FieldChanged) => 27,
        Problem::UndoKept(Kept::ContactChanged) => 28,
        Problem::UndoKept(Kept::ContactGone) => 29,
        Problem::UndoKept(Kept::FieldGone) => 30,
        Problem::UndoKept(Kept::Erased) => 31,
    }
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "the test reads the page that it keeps true"
)]
fn the_documented_codes_are_the_engines() {
    let mut page = String::from(
        "# Issue codes\n\nAn issue says why a value or record could not be used as it stood.\n\
         The codes are stable; the messages are examples and may get better.\n\n| code | example |\n|---|---|\n",
    );
    for (position, (problem, value)) in problems().iter().enumerate() {
        assert_eq!(rank(problem), position);
        writeln!(
            page,
            "| `{}` | {} |",
            problem.code(),
            problem.message(value)
        )
        .expect("text takes text");
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/issues.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, &page).expect("the docs folder is there");
    }
    let documented = std::fs::read_to_string(path).expect("docs/issues.md is there");
    assert_eq!(documented, page, "run this test with UPDATE_DOCS=1");
}
