//! A record about a person who was erased is rejected, whatever else it says, and nothing of it is kept.

use rollbook_engine::attempt::{ImportResult, Shown};
use rollbook_engine::candidate::{Candidate, Given};
use rollbook_engine::contact::{Contact, ContactId, Identifier, Text, Value};
use rollbook_engine::issue::Note;
use rollbook_engine::known::Known;
use rollbook_engine::plan::{Plan, plan};
use rollbook_engine::policy::{Mode, Policy};
use rollbook_engine::schema::{FieldId, Schema};

fn candidate(external_id: &str, phone: &str, email: &str) -> Candidate {
    let mut given = Vec::new();
    if !external_id.is_empty() {
        let id = Value::One(external_id.into());
        given.push((FieldId::EXTERNAL_ID, Given::Set(id)));
    }
    for (field, text) in [(FieldId::PHONE, phone), (FieldId::EMAIL, email)] {
        if !text.is_empty() {
            let texts: [Text; 1] = [text.into()];
            let value = Value::Many(texts.into_iter().collect());
            given.push((field, Given::Set(value)));
        }
    }
    given.sort_by_key(|(field, _)| *field);
    Candidate {
        given,
        notes: vec![Note::edited("Name", "Anna", "Anna Weber")],
        ..Candidate::default()
    }
}

fn planned(mode: Mode, namespace: &str, candidate: Candidate) -> (Plan, usize) {
    let mut known = Known::new();
    let mut owner = Contact::new(ContactId(3));
    let phone: [Text; 1] = ["+4930555".into()];
    let phone = Value::Many(phone.into_iter().collect());
    owner.set(FieldId::PHONE, Some(phone));
    known.add(owner);
    for erased in [
        Identifier::external_id("default", "7"),
        Identifier::phone("+4930123"),
        Identifier::email("Anna@Hotel.example"),
    ] {
        known.add_erased(erased);
    }
    let policy = Policy::standard(mode, namespace);
    let schema = Schema::with_custom(Vec::new());
    let plan = plan(vec![candidate], &mut known, &policy, &schema, &mut || {
        ContactId(4)
    });
    let writes = known.into_writes();
    (plan, writes.created.len() + writes.updated.len())
}

#[test]
fn any_erased_identifier_rejects_the_record_in_both_modes() {
    for mode in [Mode::Manual, Mode::Automatic] {
        for (id, phone, email) in [
            ("7", "", ""),
            ("", "+4930123", ""),
            ("", "", "ANNA@hotel.example"),
            ("8", "+4930999", "anna@hotel.example"),
            // Also where another identifier finds somebody.
            ("", "+4930555", "anna@hotel.example"),
        ] {
            let (plan, written) = planned(mode, "default", candidate(id, phone, email));
            let step = &plan.steps[0];
            assert_eq!(written, 0);
            assert_eq!(step.outcome().result, ImportResult::Failure);
            assert!(step.is_withheld());
            assert_eq!(step.issues[0].code, "contact.erased");
            assert_eq!(step.notes, [Note::withheld()]);
            assert_eq!((&step.shown, step.contact()), (&Shown::default(), None));
            assert_eq!(plan.totals().failed, 1);
        }
    }
}

#[test]
fn others_come_in_as_ever() {
    for (namespace, id, phone) in [
        ("default", "8", "+4930999"),
        ("default", "07", ""),
        // The same External ID of another system is somebody else's.
        ("other", "7", ""),
    ] {
        let (plan, written) = planned(Mode::Automatic, namespace, candidate(id, phone, ""));
        assert!(!plan.steps[0].is_withheld());
        assert_eq!(written, 1);
    }
}
