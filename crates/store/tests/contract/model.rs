//! The store against the engine alone: whatever is delivered in whatever batches, contacts and outcomes are those of
//! the same records planned one after the other over contacts that are all at hand.

use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use rollbook_engine::candidate::{Candidate, Given};
use rollbook_engine::contact::{Contact, ContactId, Text, Value};
use rollbook_engine::issue::{Issue, Problem};
use rollbook_engine::known::Known;
use rollbook_engine::plan::{Step, plan};
use rollbook_engine::policy::{Mode, Policy};
use rollbook_engine::schema::{FieldId, Schema};
use rollbook_store::Timestamp;
use rollbook_store::commit::{Batch, Delivered};
use rollbook_store::contacts::ContactFilter;
use rollbook_store::imports::ImportState;
use rollbook_store::log::Attempt;

use crate::harness::{Database, Desk, on_every_store, rows, settings, step};

/// Records in the order of their arrival, cut into batches.
#[derive(Debug, Clone)]
struct Stream {
    mode: Mode,
    batches: Vec<Cut>,
}

#[derive(Debug, Clone)]
struct Cut {
    way: Way,
    namespace: &'static str,
    candidates: Vec<Candidate>,
}

#[derive(Debug, Clone, Copy)]
enum Way {
    Deliver,
    Import,
    /// Single deliveries, one after the other, through the second handle.
    Singly,
}

fn one_of(texts: &'static [&'static str]) -> impl Strategy<Value = Text> {
    prop::sample::select(texts).prop_map(Text::from)
}

fn list(texts: &'static [&'static str]) -> impl Strategy<Value = Given> {
    prop_oneof![
        8 => vec(one_of(texts), 1..3).prop_map(|texts| Given::Set(Value::Many(texts.into()))),
        2 => vec(one_of(texts), 1..3).prop_map(|texts| Given::Add(texts.into())),
        1 => vec(one_of(texts), 1..3).prop_map(|texts| Given::Fill(Value::Many(texts.into()))),
        1 => Just(Given::Clear),
    ]
}

fn single(texts: &'static [&'static str]) -> impl Strategy<Value = Given> {
    prop_oneof![
        8 => one_of(texts).prop_map(|text| Given::Set(Value::One(text))),
        1 => Just(Given::Clear),
    ]
}

fn candidate() -> impl Strategy<Value = Candidate> {
    let given = (
        prop::option::weighted(0.5, single(&["1", "2", "3", "001"])),
        prop::option::weighted(0.5, single(&["Ada", "Zoë", "N"])),
        prop::option::weighted(0.5, list(&["+491", "+492", "+493", "+494"])),
        prop::option::weighted(0.5, list(&["a@x.de", "A@x.de", "b@x.de", "C@X.de"])),
        prop::option::weighted(0.2, single(&["Bonn", "Köln"])),
    );
    let flaw = prop::bool::weighted(0.1);
    let unreadable = prop::bool::weighted(0.03);
    (given, flaw, unreadable).prop_map(
        |((external_id, name, phone, email, city), flaw, unreadable)| {
            if unreadable {
                return Candidate::unreadable(Issue::of_record(&Problem::RecordUnreadable {
                    reason: "it ends inside a quote".to_owned(),
                }));
            }
            let fields = [
                (FieldId::EXTERNAL_ID, external_id),
                (FieldId::NAME, name),
                (FieldId::PHONE, phone),
                (FieldId::EMAIL, email),
                (FieldId::CITY, city),
            ];
            Candidate {
                given: fields
                    .into_iter()
                    .filter_map(|(field, given)| Some((field, given?)))
                    .collect(),
                issues: flaw
                    .then(|| Issue::of_value("birthday", &Problem::DateAmbiguous, "1/2/3"))
                    .into_iter()
                    .collect(),
                notes: Vec::new(),
            }
        },
    )
}

fn stream() -> impl Strategy<Value = Stream> {
    let way = prop::sample::select(&[Way::Deliver, Way::Import, Way::Singly][..]);
    let namespace = prop::sample::select(&["default", "default", "pms"][..]);
    let cut =
        (way, namespace, vec(candidate(), 1..12)).prop_map(|(way, namespace, candidates)| Cut {
            way,
            namespace,
            candidates,
        });
    let mode = prop::sample::select(&[Mode::Manual, Mode::Automatic][..]);
    (mode, vec(cut, 1..8)).prop_map(|(mode, batches)| Stream { mode, batches })
}

/// The engine alone.
#[derive(Default)]
struct Model {
    known: Known,
    last: u64,
    steps: Vec<Step>,
}

impl Model {
    fn of(stream: &Stream) -> Model {
        let mut model = Model::default();
        for cut in &stream.batches {
            let policy = Policy::standard(stream.mode, cut.namespace);
            for candidate in &cut.candidates {
                let mut next = || {
                    model.last += 1;
                    ContactId(model.last)
                };
                let plan = plan(
                    vec![candidate.clone()],
                    &mut model.known,
                    &policy,
                    &Schema::built_in(),
                    &mut next,
                );
                model.steps.extend(plan.steps);
            }
        }
        model
    }

    /// Newest first, as the store lists them.
    fn contacts(&self) -> Vec<Contact> {
        (1..=self.last)
            .rev()
            .map(|number| self.known.contact(ContactId(number)).unwrap().clone())
            .collect()
    }
}

/// An attempt as the step it came from.
fn told(attempt: &Attempt) -> impl PartialEq + std::fmt::Debug + '_ {
    (
        (attempt.result, attempt.action, attempt.matched_on),
        attempt.contact,
        &attempt.shown,
        &attempt.issues,
        &attempt.notes,
        &attempt.changes,
    )
}

fn planned(step: &Step) -> impl PartialEq + std::fmt::Debug + '_ {
    let outcome = step.outcome();
    (
        (outcome.result, outcome.action, outcome.matched_on),
        step.contact(),
        &step.shown,
        &step.issues,
        &step.notes,
        &step.changes,
    )
}

async fn commit(desks: &[Desk; 2], stream: &Stream) -> Vec<Delivered> {
    let [desk, other] = desks;
    let mut delivered = Vec::new();
    for cut in &stream.batches {
        let batch = |candidates: Vec<Candidate>| Batch {
            policy: Policy::standard(stream.mode, cut.namespace),
            schema: Arc::new(Schema::built_in()),
            ..desk.batch(10, rows(0, candidates))
        };
        match cut.way {
            Way::Deliver => {
                let batch = batch(cut.candidates.clone());
                delivered.extend(desk.store.deliver(batch).await.unwrap());
            }
            Way::Singly => {
                for candidate in &cut.candidates {
                    let batch = batch(vec![candidate.clone()]);
                    delivered.extend(other.store.deliver(batch).await.unwrap());
                }
            }
            Way::Import => {
                let (import, lease) = desk.running_import(10).await;
                let totals = desk
                    .store
                    .commit_import_batch(batch(cut.candidates.clone()), step(&import, lease, 0))
                    .await
                    .unwrap();
                let finished = desk
                    .store
                    .finish_import(
                        desk.workspace,
                        import.id,
                        lease,
                        ImportState::Done,
                        None,
                        Timestamp(20),
                    )
                    .await
                    .unwrap();
                assert_eq!(finished.totals, totals);
                assert_eq!(
                    totals.created + totals.updated + totals.failed,
                    totals.records
                );
            }
        }
    }
    delivered
}

async fn compare(desks: &[Desk; 2], stream: &Stream) -> Result<(), TestCaseError> {
    let model = Model::of(stream);
    let delivered = commit(desks, stream).await;
    let [desk, _] = desks;
    let log = desk.log().await;
    prop_assert_eq!(log.len(), model.steps.len());
    for (attempt, step) in log.iter().zip(&model.steps) {
        prop_assert_eq!(
            format!("{:?}", told(attempt)),
            format!("{:?}", planned(step))
        );
    }
    for delivered in delivered {
        let Delivered::Committed(attempt) = delivered else {
            return Err(TestCaseError::fail("no key was given"));
        };
        let number = usize::try_from(attempt.id.number()).unwrap();
        prop_assert_eq!(&attempt, &log[number - 1]);
    }
    let page = desk
        .store
        .contacts(desk.workspace, ContactFilter::default(), None, 1_000)
        .await
        .unwrap();
    let contacts: Vec<Contact> = page
        .contacts
        .into_iter()
        .map(|stored| stored.contact)
        .collect();
    prop_assert_eq!(&contacts, &model.contacts());
    let count = desk.store.count_contacts(desk.workspace).await.unwrap();
    prop_assert_eq!(count, model.last);
    // Every contact is found by each of its identifiers, and nobody else is.
    for contact in &contacts {
        for identifier in contact.identifiers() {
            let owners = desk.store.owners(desk.workspace, vec![identifier]).await;
            prop_assert_eq!(owners.unwrap(), vec![contact.clone()]);
        }
    }
    Ok(())
}

async fn fresh_desks(database: &Database) -> [Desk; 2] {
    let store = database.open().await;
    let name = format!("Hotel {}", store.workspaces().await.unwrap().len());
    let workspace = store
        .add_workspace(settings(&name), Timestamp(1))
        .await
        .unwrap();
    let desk = Desk::of(store, workspace.id).await;
    let other = desk.through(database.open().await);
    [desk, other]
}

#[test]
fn any_stream_in_any_batches_is_what_the_engine_says() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(on_every_store(async |database| {
        // Every case has a workspace of its own in one database, so they must not disturb each other either.
        let runtime = tokio::runtime::Handle::current();
        let mut runner = TestRunner::new(Config {
            cases: 64,
            failure_persistence: None,
            ..Config::default()
        });
        tokio::task::block_in_place(|| {
            runner
                .run(&stream(), |stream| {
                    runtime.block_on(async {
                        let desks = fresh_desks(&database).await;
                        compare(&desks, &stream).await
                    })
                })
                .unwrap();
        });
    }));
}
