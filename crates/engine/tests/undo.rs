//! Undo against a naive model: what was written is read off the log of changes, with no knowledge of the rule's order.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use proptest::prelude::*;
use rollbook_engine::attempt::{Action, ImportResult, Shown, Totals};
use rollbook_engine::candidate::{Candidate, Given};
use rollbook_engine::change::Change;
use rollbook_engine::contact::{Contact, ContactId, Identifier, Text, Value};
use rollbook_engine::known::Known;
use rollbook_engine::plan::{Step, plan};
use rollbook_engine::policy::{Mode, Policy};
use rollbook_engine::schema::{FieldId, Schema};
use rollbook_engine::undo::{Original, Since, undo};

/// Whose attempt it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    Import,
    Others,
}

/// One attempt of the log.
#[derive(Debug, Clone)]
struct Entry {
    by: By,
    contact: ContactId,
    created: bool,
    changes: Vec<Change>,
    /// For an attempt of an undo, the number of what it takes back.
    takes_back: Option<u64>,
}

/// Contacts and the log of who wrote them; an attempt's number is its place.
struct World {
    known: Known,
    last: u64,
    log: Vec<Option<Entry>>,
    schema: Schema,
}

impl World {
    fn new() -> World {
        World {
            known: Known::new(),
            last: 0,
            log: Vec::new(),
            schema: Schema::built_in(),
        }
    }

    fn deliver(&mut self, by: By, candidate: Candidate) {
        let mode = match by {
            By::Import => Mode::Manual,
            By::Others => Mode::Automatic,
        };
        let policy = Policy::standard(mode, "default");
        let last = &mut self.last;
        let mut next = || {
            *last += 1;
            ContactId(*last)
        };
        let plan = plan(
            vec![candidate],
            &mut self.known,
            &policy,
            &self.schema,
            &mut next,
        );
        for step in plan.steps {
            self.log.push(step.contact().map(|contact| Entry {
                by,
                contact,
                created: step.outcome().action == Some(Action::Created),
                changes: step.changes,
                takes_back: None,
            }));
        }
    }

    fn entries(&self, by: By) -> impl Iterator<Item = (u64, &Entry)> {
        let entries = (0..).zip(&self.log);
        entries.filter_map(move |(number, entry)| {
            let entry = entry.as_ref().filter(|entry| entry.by == by)?;
            Some((number, entry))
        })
    }

    /// What others did since the import wrote its first contact.
    fn since(&self) -> Since {
        let written = self.entries(By::Import);
        let mut since = Since::new(
            written
                .map(|(_, entry)| (entry.contact, entry.created))
                .collect(),
        );
        let first = self.entries(By::Import).next();
        let first = first.map_or(0, |(number, _)| number);
        for (number, entry) in self
            .entries(By::Others)
            .filter(|(number, _)| *number > first)
        {
            since.note(
                number,
                entry.contact,
                &entry.changes,
                entry.takes_back,
                true,
            );
        }
        since
    }

    /// Takes the import back; the steps of its undo.
    fn undo(&mut self) -> Vec<(u64, Step)> {
        let since = self.since();
        let entries: Vec<(u64, Entry)> = self
            .entries(By::Import)
            .filter(|(_, entry)| entry.created || !entry.changes.is_empty())
            .map(|(number, entry)| (number, entry.clone()))
            .collect();
        let mut steps = Vec::new();
        for (number, entry) in entries.iter().rev() {
            let original = Original {
                number: *number,
                row: None,
                contact: entry.contact,
                created: entry.created,
                changes: &entry.changes,
                erased: false,
                shown: &Shown::default(),
            };
            let policy = Policy::standard(Mode::Manual, "default");
            let step = undo(&original, &mut self.known, &since, &policy, &self.schema);
            steps.extend(step.map(|step| (*number, step)));
        }
        steps
    }

    /// Every contact with its values by the keys of their fields.
    fn state(&self) -> BTreeMap<u64, BTreeMap<Text, Value>> {
        let contacts = (1..=self.last).filter_map(|id| self.known.contact(ContactId(id)));
        contacts
            .map(|contact| (contact.id.0, self.values(contact)))
            .collect()
    }

    fn values(&self, contact: &Contact) -> BTreeMap<Text, Value> {
        let values = contact.values.iter();
        let mut values: BTreeMap<Text, Value> = values
            .map(|(field, value)| (self.schema.key_of(*field), value.clone()))
            .collect();
        let id = contact.external_id("default");
        values.extend(id.map(|id| ("external_id".into(), Value::One(id.into()))));
        values
    }

    /// Each identifier finds its contact, nobody shares one, and the moves lead to exactly these.
    fn check_identifiers(&self) {
        let mut owned = BTreeSet::new();
        for id in 1..=self.last {
            let Some(contact) = self.known.contact(ContactId(id)) else {
                continue;
            };
            for identifier in contact.identifiers() {
                let found = self.known.find(&identifier).map(|found| found.id.0);
                assert_eq!(found, Some(id), "{identifier:?}");
                owned.insert((identifier, id));
            }
        }
        let mut moved: BTreeSet<(Identifier, u64)> = BTreeSet::new();
        let writes = self.known.clone().into_writes();
        for one in writes.moves {
            let entry = (one.identifier, one.contact.0);
            if one.won {
                moved.insert(entry);
            } else {
                assert!(moved.remove(&entry), "{entry:?} was lost and never won");
            }
        }
        assert_eq!(moved, owned);
        for id in writes.removed {
            assert_eq!(self.known.contact(id), None);
        }
    }
}

fn texts(pool: &'static str, most: usize) -> impl Strategy<Value = Value> {
    proptest::collection::vec(0..4_u8, 1..=most).prop_map(move |mut values| {
        let mut seen = HashSet::new();
        values.retain(|value| seen.insert(*value));
        let texts = values.into_iter();
        Value::Many(
            texts
                .map(|value| pool.replace('#', &value.to_string()).into())
                .collect(),
        )
    })
}

fn one(pool: &'static str) -> impl Strategy<Value = Value> {
    (0..4_u8).prop_map(move |value| Value::One(pool.replace('#', &value.to_string()).into()))
}

fn given(value: impl Strategy<Value = Value>) -> impl Strategy<Value = Option<Given>> {
    (0..10_u8, value).prop_map(|(what, value)| match (what, value) {
        (0..4, _) => None,
        (4, _) => Some(Given::Clear),
        (5..7, Value::Many(texts)) => Some(Given::Add(texts)),
        (_, value) => Some(Given::Set(value)),
    })
}

fn candidates() -> impl Strategy<Value = Candidate> {
    (
        given(one("G#")),
        given(texts("+4930123450#", 2)),
        given(texts("guest#@example.com", 2)),
        given(one("City #")),
        given(texts("tag #", 2)),
    )
        .prop_map(|(id, phone, email, city, tags)| {
            let given = [
                (FieldId::EXTERNAL_ID, id),
                (FieldId::PHONE, phone),
                (FieldId::EMAIL, email),
                (FieldId::CITY, city),
                (FieldId::TAGS, tags),
            ];
            let given = given.into_iter();
            Candidate {
                given: given
                    .filter_map(|(field, given)| Some((field, given?)))
                    .collect(),
                ..Candidate::default()
            }
        })
}

fn many() -> impl Strategy<Value = Vec<Candidate>> {
    proptest::collection::vec(candidates(), 0..12)
}

/// What a contact's field must be after the undo: the writes of the import are taken back from the end, up to the
/// first that others made.
fn expected(world: &World, contact: u64, field: &str, end: Option<&Value>) -> Option<Value> {
    let mut value = end.cloned();
    for entry in world.log.iter().rev().flatten() {
        if entry.contact.0 != contact || entry.created {
            continue;
        }
        let change = entry.changes.iter().find(|change| change.field == field);
        match (entry.by, change) {
            (_, None) => {}
            (By::Import, Some(change)) => value.clone_from(&change.before),
            (By::Others, Some(_)) => return value,
        }
    }
    value
}

proptest! {
    #[test]
    fn an_import_and_its_undo_change_nothing(before in many(), import in many()) {
        let mut world = World::new();
        for candidate in before {
            world.deliver(By::Others, candidate);
        }
        let earlier = world.state();
        for candidate in import {
            world.deliver(By::Import, candidate);
        }
        let steps = world.undo();
        prop_assert_eq!(world.state(), earlier);
        let complete = |step: &Step| step.outcome().result == ImportResult::Success;
        prop_assert!(steps.iter().all(|(_, step)| complete(step)), "{steps:?}");
        world.check_identifiers();
    }

    #[test]
    fn what_others_wrote_since_stays_and_nothing_else(
        before in many(),
        rows in proptest::collection::vec((any::<bool>(), candidates()), 0..24),
    ) {
        let mut world = World::new();
        for candidate in before {
            world.deliver(By::Others, candidate);
        }
        let setup = world.log.len() as u64;
        for (import, candidate) in rows {
            world.deliver(if import { By::Import } else { By::Others }, candidate);
        }
        let end = world.state();
        let steps = world.undo();
        let after = world.state();
        world.check_identifiers();
        let mut totals = Totals::default();
        for (_, step) in &steps {
            totals.count(step);
        }
        prop_assert_eq!(totals.records, totals.updated + totals.removed + totals.failed);

        let created: HashSet<u64> = world
            .entries(By::Import)
            .filter(|(_, entry)| entry.created)
            .map(|(_, entry)| entry.contact.0)
            .collect();
        let others: HashSet<u64> = world
            .entries(By::Others)
            .filter(|(number, entry)| *number >= setup && !entry.changes.is_empty())
            .map(|(_, entry)| entry.contact.0)
            .collect();
        let taken: HashSet<(u64, Text)> = steps
            .iter()
            .flat_map(|(_, step)| step.issues.iter().map(move |issue| (step, issue)))
            .filter(|(_, issue)| issue.code == "identifier.taken")
            .filter_map(|(step, issue)| Some((step.contact()?.0, issue.field.clone()?)))
            .collect();
        for (contact, values) in &end {
            let now = after.get(contact);
            if created.contains(contact) {
                let stays = others.contains(contact).then_some(values);
                prop_assert_eq!(now, stays, "contact {}", contact);
                continue;
            }
            for field in ["external_id", "phone", "email", "city", "tags"] {
                let value = now.and_then(|values| values.get(field));
                let expected = expected(&world, *contact, field, values.get(field));
                if value != expected.as_ref() {
                    prop_assert!(
                        taken.contains(&(*contact, field.into())),
                        "{field} of contact {contact} is {value:?} and not {expected:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn two_imports_undone_in_turn_change_nothing(
        before in many(),
        first in many(),
        second in many(),
    ) {
        let mut world = World::new();
        for candidate in before {
            world.deliver(By::Others, candidate);
        }
        let earlier = world.state();
        let setup = world.log.len();
        for candidate in first {
            world.deliver(By::Others, candidate);
        }
        let begun = world.log.len();
        for candidate in second {
            world.deliver(By::Import, candidate);
        }
        let steps = world.undo();
        // Whoever undoes the first sees the second and its undo as others.
        for (place, entry) in world.log.iter_mut().enumerate() {
            let by = if (setup..begun).contains(&place) { By::Import } else { By::Others };
            if let Some(entry) = entry {
                entry.by = by;
            }
        }
        for (number, step) in steps {
            world.log.push(step.contact().map(|contact| Entry {
                by: By::Others,
                contact,
                created: false,
                changes: step.changes,
                takes_back: Some(number),
            }));
        }
        world.undo();
        prop_assert_eq!(world.state(), earlier);
        world.check_identifiers();
    }
}
