//! The acceptance cases of SPEC 4, one test each.

use std::sync::Arc;

use rollbook_engine::attempt::{Action, ImportResult};
use rollbook_engine::contact::{Contact, ContactId, IdentifierKind, Value};
use rollbook_engine::known::Known;
use rollbook_engine::mapping::{Locale, Mapping};
use rollbook_engine::normalise::Normaliser;
use rollbook_engine::plan::{Step, plan};
use rollbook_engine::policy::{Mode, Policy};
use rollbook_engine::record::{Header, Record};
use rollbook_engine::schema::{FieldId, Schema};

const P: &str = "+493012345601";
const Q: &str = "+493012345602";
const E: &str = "anna@hotel.example";
const F: &str = "ben@hotel.example";

/// A workspace with `A{ext=1,phone=P,email=E}` and `B{ext=2b,phone=Q,email=F}`.
struct World {
    known: Known,
    last: u64,
}

impl World {
    fn new() -> World {
        let mut world = World {
            known: Known::new(),
            last: 0,
        };
        world.import(
            Mode::Automatic,
            &[("external_id", "1"), ("phone", P), ("email", E)],
        );
        world.import(
            Mode::Automatic,
            &[
                ("external_id", "2b"),
                ("phone", Q),
                ("email", F),
                ("name", "Ben"),
            ],
        );
        world
    }

    fn import(&mut self, mode: Mode, cells: &[(&str, &str)]) -> Step {
        let schema = Arc::new(Schema::built_in());
        let header = Header {
            names: cells.iter().map(|(name, _)| (*name).to_owned()).collect(),
        };
        let record: Record = cells.iter().map(|(_, text)| *text).collect();
        let mapping = Mapping::guess(&header, &[], &schema).0;
        let locale = Locale {
            region: Some("DE".to_owned()),
            ..Locale::default()
        };
        let binding = mapping
            .bind(&header, &schema, &locale)
            .expect("the keys are fields");
        let candidate = Normaliser::new().normalise(&record, &binding);
        let mut next = || {
            self.last += 1;
            ContactId(self.last)
        };
        let policy = Policy::standard(mode, "default");
        plan(
            vec![candidate],
            &mut self.known,
            &policy,
            &schema,
            &mut next,
        )
        .steps
        .remove(0)
    }

    fn contact(&self, id: u64) -> &Contact {
        self.known.contact(ContactId(id)).expect("it exists")
    }

    fn contacts(&self) -> u64 {
        self.last
    }
}

fn text(contact: &Contact, field: FieldId) -> Option<&str> {
    contact.value(field).map(Value::primary)
}

fn codes(step: &Step) -> Vec<&str> {
    step.issues.iter().map(|issue| &*issue.code).collect()
}

#[track_caller]
fn assert_updated(step: &Step, contact: u64, matched_on: IdentifierKind) {
    let outcome = step.outcome();
    assert_eq!(outcome.action, Some(Action::Updated), "{step:?}");
    assert_eq!(outcome.matched_on, Some(matched_on));
    assert_eq!(step.contact(), Some(ContactId(contact)));
}

#[track_caller]
fn assert_failed(step: &Step, expected: &[&str]) {
    let outcome = step.outcome();
    assert_eq!(
        (outcome.result, outcome.action, outcome.matched_on),
        (ImportResult::Failure, None, None)
    );
    assert_eq!(codes(step), expected);
    assert_eq!(step.contact(), None);
}

#[test]
fn an_external_id_finds_the_contact_and_phone_and_email_are_kept() {
    let mut world = World::new();
    let step = world.import(Mode::Automatic, &[("external_id", "1"), ("name", "N")]);
    assert_updated(&step, 1, IdentifierKind::ExternalId);
    assert_eq!(step.outcome().result, ImportResult::Success);
    let a = world.contact(1);
    assert_eq!(text(a, FieldId::NAME), Some("N"));
    assert_eq!(
        (text(a, FieldId::PHONE), text(a, FieldId::EMAIL)),
        (Some(P), Some(E))
    );
}

#[test]
fn a_phone_in_another_format_finds_the_contact() {
    let mut world = World::new();
    let step = world.import(
        Mode::Automatic,
        &[("external_id", ""), ("phone", "030 / 123 456-01")],
    );
    assert_updated(&step, 1, IdentifierKind::Phone);
    assert_eq!(step.outcome().result, ImportResult::Success);
}

#[test]
fn an_email_in_capitals_finds_the_contact_and_is_no_change() {
    let mut world = World::new();
    let step = world.import(Mode::Automatic, &[("email", "ANNA@HOTEL.EXAMPLE")]);
    assert_updated(&step, 1, IdentifierKind::Email);
    assert_eq!(step.changes, []);
}

#[test]
fn a_new_external_id_replaces_the_old_one_of_a_contact_found_by_phone() {
    let mut world = World::new();
    let step = world.import(Mode::Automatic, &[("external_id", "2"), ("phone", P)]);
    assert_updated(&step, 1, IdentifierKind::Phone);
    assert_eq!(step.changes.len(), 1);
    assert_eq!(step.changes[0].field, "external_id");
    assert_eq!(step.changes[0].before, Some(Value::One("1".into())));
    assert_eq!(step.changes[0].after, Some(Value::One("2".into())));
    let old = world.import(Mode::Automatic, &[("external_id", "1")]);
    assert_eq!(
        old.outcome().action,
        Some(Action::Created),
        "a replaced identifier no longer finds the contact"
    );
}

#[test]
fn a_phone_of_somebody_else_is_left_out_with_a_warning_in_automatic_mode() {
    let mut world = World::new();
    let step = world.import(
        Mode::Automatic,
        &[("external_id", "1"), ("phone", Q), ("city", "Kiel")],
    );
    assert_updated(&step, 1, IdentifierKind::ExternalId);
    assert_eq!(step.outcome().result, ImportResult::Warning);
    assert_eq!(codes(&step), ["identifier.taken"]);
    assert!(
        step.issues[0].message.contains("Ben"),
        "the other contact is named: {}",
        step.issues[0].message
    );
    assert_eq!(text(world.contact(1), FieldId::PHONE), Some(P));
    assert_eq!(text(world.contact(1), FieldId::CITY), Some("Kiel"));
    assert_eq!(text(world.contact(2), FieldId::PHONE), Some(Q));
}

#[test]
fn a_phone_of_somebody_else_fails_the_row_in_manual_mode() {
    let mut world = World::new();
    let step = world.import(
        Mode::Manual,
        &[("external_id", "1"), ("phone", Q), ("city", "Kiel")],
    );
    assert_failed(&step, &["identifier.taken"]);
    assert_eq!(text(world.contact(1), FieldId::CITY), None);
}

#[test]
fn a_new_external_id_with_one_contacts_phone_and_anothers_email_updates_the_first() {
    let mut world = World::new();
    let step = world.import(
        Mode::Automatic,
        &[("external_id", "9"), ("phone", P), ("email", F)],
    );
    assert_updated(&step, 1, IdentifierKind::Phone);
    assert_eq!(step.outcome().result, ImportResult::Warning);
    assert_eq!(codes(&step), ["identifier.taken"]);
    assert_eq!(step.issues[0].field.as_deref(), Some("email"));
    assert_eq!(world.contact(1).external_id("default"), Some("9"));
    assert_eq!(text(world.contact(1), FieldId::EMAIL), Some(E));
}

#[test]
fn a_bad_phone_beside_a_new_email_creates_with_a_warning_or_fails_the_row() {
    let record = [("phone", "555-01"), ("email", "new@hotel.example")];
    let step = World::new().import(Mode::Automatic, &record);
    assert_eq!(step.outcome().action, Some(Action::Created));
    assert_eq!(step.outcome().result, ImportResult::Warning);
    assert_eq!(codes(&step), ["phone.invalid"]);
    assert_failed(
        &World::new().import(Mode::Manual, &record),
        &["phone.invalid"],
    );
}

#[test]
fn a_bad_phone_alone_fails() {
    let record = [("phone", "555-01")];
    assert_failed(
        &World::new().import(Mode::Automatic, &record),
        &["record.no_identifier", "phone.invalid"],
    );
    assert_failed(
        &World::new().import(Mode::Manual, &record),
        &["phone.invalid"],
    );
}

#[test]
fn a_city_alone_is_a_contact_in_a_file_and_nobody_from_an_integration() {
    let record = [("city", "Kiel")];
    assert_failed(
        &World::new().import(Mode::Automatic, &record),
        &["record.no_identifier"],
    );
    assert_eq!(
        World::new().import(Mode::Manual, &record).outcome().action,
        Some(Action::Created)
    );
}

#[test]
fn a_record_of_blanks_fails() {
    let record = [
        ("external_id", " "),
        ("name", "--"),
        ("phone", "n/a"),
        ("city", "\u{a0}"),
    ];
    assert_failed(
        &World::new().import(Mode::Automatic, &record),
        &["record.no_identifier"],
    );
    assert_failed(
        &World::new().import(Mode::Manual, &record),
        &["record.empty"],
    );
}

#[test]
fn a_record_that_brings_nothing_new_is_an_update_with_no_changes() {
    let mut world = World::new();
    let step = world.import(Mode::Automatic, &[("external_id", "1")]);
    assert_updated(&step, 1, IdentifierKind::ExternalId);
    assert_eq!(step.outcome().result, ImportResult::Success);
    assert_eq!(step.changes, []);
    assert_eq!(step.notes[0].code, "record.no_changes");
}

#[test]
fn leading_zeros_of_an_external_id_count() {
    let mut world = World::new();
    let step = world.import(Mode::Automatic, &[("external_id", "001")]);
    assert_eq!(step.outcome().action, Some(Action::Created));
}

#[test]
fn the_same_file_again_updates_every_keyed_row_and_adds_nobody() {
    let mut world = World::new();
    let rows = [
        vec![
            ("external_id", "7"),
            ("name", "Mia"),
            ("phone", "030 99887766"),
        ],
        vec![
            ("external_id", ""),
            ("name", "Noa"),
            ("email", "noa@hotel.example"),
        ],
    ];
    for row in &rows {
        world.import(Mode::Manual, row);
    }
    let before = world.contacts();
    for row in &rows {
        let step = world.import(Mode::Manual, row);
        assert_eq!(
            (step.outcome().action, step.changes.len()),
            (Some(Action::Updated), 0)
        );
    }
    assert_eq!(world.contacts(), before);
}

#[test]
fn null_in_a_name_is_a_surname_and_elsewhere_blank() {
    let mut world = World::new();
    world.import(
        Mode::Manual,
        &[
            ("external_id", "8"),
            ("last_name", "Null"),
            ("city", "null"),
        ],
    );
    let contact = world.contact(3);
    assert_eq!(text(contact, FieldId::LAST_NAME), Some("Null"));
    assert_eq!(text(contact, FieldId::CITY), None);
}

#[test]
fn clearing_is_explicit() {
    let mut world = World::new();
    world.import(Mode::Manual, &[("external_id", "1"), ("city", "Kiel")]);
    world.import(Mode::Manual, &[("external_id", "1"), ("city", "")]);
    assert_eq!(text(world.contact(1), FieldId::CITY), Some("Kiel"));
    let step = world.import(Mode::Manual, &[("external_id", "1"), ("city", "__CLEAR__")]);
    assert_eq!(text(world.contact(1), FieldId::CITY), None);
    assert_eq!(step.changes[0].after, None);
}

#[test]
fn all_issues_of_a_manual_row_are_listed() {
    let mut world = World::new();
    let step = world.import(
        Mode::Manual,
        &[
            ("external_id", "1"),
            ("phone", Q),
            ("email", "nope"),
            ("name", "a\u{7}b"),
        ],
    );
    let mut found = codes(&step);
    found.sort_unstable();
    assert_eq!(
        found,
        [
            "email.invalid",
            "identifier.taken",
            "text.control_character"
        ]
    );
}
