use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use rollbook_engine::attempt::{Action, ImportResult, Totals};
use rollbook_engine::contact::{Contact, ContactId, Identifier, Value};
use rollbook_engine::policy::{Mode, Policy};
use rollbook_engine::schema::{FieldId, Schema};
use rollbook_store::contacts::ContactFilter;
use rollbook_store::imports::{Import, ImportId, ImportKind, ImportState, Lease};
use rollbook_store::log::{Attempt, LogFilter, Paging};
use rollbook_store::undo::{Survey, UndoBatch};
use rollbook_store::{StoreError, Timestamp};
use uuid::Uuid;

use crate::harness::{Desk, LEASE, candidate, guest, lease_is_lost, on_every_store, rows, step};

/// Attempts in a batch: few, so that an undo has many.
const LIMIT: u32 = 100;

fn batch(desk: &Desk, parent: &Import, before: u64) -> UndoBatch {
    UndoBatch {
        workspace: desk.workspace,
        source: desk.manual,
        parent: parent.id,
        file_name: parent.file_name.clone(),
        policy: Policy::standard(Mode::Manual, "default"),
        schema: Arc::new(Schema::built_in()),
        received_at: Timestamp(50),
        before,
        limit: LIMIT,
    }
}

/// Imports rows and ends the import.
async fn import(desk: &Desk, rows: Vec<rollbook_store::commit::Delivery>) -> Import {
    let (import, lease) = desk.running_import(10).await;
    let batch = desk.manual_batch(20, rows);
    desk.store
        .commit_import_batch(batch, step(&import, lease, 0))
        .await
        .unwrap();
    end(desk, &import, lease, ImportState::Done).await
}

async fn end(desk: &Desk, import: &Import, lease: Lease, state: ImportState) -> Import {
    desk.store
        .finish_import(desk.workspace, import.id, lease, state, None, Timestamp(60))
        .await
        .unwrap()
}

async fn begin(desk: &Desk, parent: &Import) -> Result<(Import, Lease), StoreError> {
    let mut undo = desk.new_import(40, ImportState::Queued);
    undo.kind = ImportKind::Undo;
    undo.parent = Some(parent.id);
    let undo = desk.store.create_undo(undo).await?;
    let only = Some((desk.workspace, undo.id));
    let claimed = desk.store.claim_import(only, Timestamp(40), LEASE).await?;
    Ok(claimed.unwrap())
}

/// Goes on with an undo, some batches of it; none for all. Returns where it stands.
async fn go_on(
    desk: &Desk,
    parent: &Import,
    (undo, lease): (&Import, Lease),
    before: u64,
    batches: Option<usize>,
) -> Result<Option<u64>, StoreError> {
    let mut survey = desk
        .store
        .survey_undo(batch(desk, parent, before))
        .await
        .unwrap();
    let mut before = before.min(survey.before);
    let mut done = 0;
    while batches.is_none_or(|batches| done < batches) {
        let cursor = desk.import(undo.id).await.cursor;
        let undone = desk
            .store
            .commit_undo_batch(
                batch(desk, parent, before),
                step(undo, lease, cursor),
                survey,
            )
            .await?;
        survey = undone.survey;
        match undone.next {
            Some(next) => before = next,
            None => return Ok(None),
        }
        done += 1;
    }
    Ok(Some(before))
}

/// Undoes an import from its end to its beginning.
async fn undo(desk: &Desk, parent: &Import) -> Import {
    let (undo, lease) = begin(desk, parent).await.unwrap();
    let rest = go_on(desk, parent, (&undo, lease), u64::MAX, None).await;
    assert_eq!(rest.unwrap(), None);
    end(desk, &undo, lease, ImportState::Done).await
}

async fn contacts(desk: &Desk) -> Vec<Contact> {
    let filter = ContactFilter::default();
    let page = desk
        .store
        .contacts(desk.workspace, filter, None, 5_000)
        .await;
    let page = page.unwrap();
    assert_eq!(page.next, None);
    let count = desk.store.count_contacts(desk.workspace).await.unwrap();
    assert_eq!(count, page.contacts.len() as u64);
    page.contacts
        .into_iter()
        .map(|stored| stored.contact)
        .collect()
}

/// Who each identifier of these contacts finds: their numbers.
async fn owners(desk: &Desk, contacts: &[Contact]) -> BTreeMap<ContactId, usize> {
    let asked: Vec<Identifier> = contacts.iter().flat_map(Contact::identifiers).collect();
    let owners = desk.store.owners(desk.workspace, asked).await.unwrap();
    let owners = owners.into_iter();
    owners
        .map(|owner| (owner.id, owner.identifiers().count()))
        .collect()
}

async fn attempts_of(desk: &Desk, import: ImportId) -> Vec<Attempt> {
    let filter = LogFilter {
        import: Some(import),
        ..LogFilter::default()
    };
    let page = desk
        .store
        .page(desk.workspace, filter, Paging::After(0), 5_000);
    page.await.unwrap().attempts
}

/// 30 guests that are there, and a file that changes 20 of them, makes 580 and changes 10 of those again.
async fn arrivals(desk: &Desk) -> Import {
    let known = (1..=30).map(|number| crate::harness::delivery(guest(number)));
    desk.deliver(5, known.collect()).await;
    let file = (1..=600).map(|number| match number {
        1..=20 => candidate(&[
            (FieldId::EXTERNAL_ID, &format!("G{number}")),
            (FieldId::PHONE, &format!("+4940{number:07}")),
            (FieldId::CITY, "Hamburg"),
        ]),
        591.. => candidate(&[
            (FieldId::EXTERNAL_ID, &format!("G{}", number - 500)),
            (FieldId::EMAIL, &format!("other{number}@example.com")),
        ]),
        _ => guest(number + 10),
    });
    import(desk, rows(0, file)).await
}

#[tokio::test]
async fn an_undone_import_leaves_everything_as_it_was() {
    on_every_store(async |database| {
        let desk = database.desk().await;
        let parent = arrivals(&desk).await;
        assert_eq!((parent.totals.created, parent.totals.updated), (570, 30));
        let imported = contacts(&desk).await;
        let undo = undo(&desk, &parent).await;
        let expected = Totals {
            records: 600,
            updated: 30,
            removed: 570,
            ..Totals::default()
        };
        assert_eq!(undo.totals, expected);
        assert_eq!(desk.import(parent.id).await.undone_by, Some(undo.id));

        // Another process finds the same contacts by the same identifiers.
        for desk in [desk.clone(), desk.through(database.open().await)] {
            let now = contacts(&desk).await;
            let then: Vec<_> = (1..=30)
                .rev()
                .map(|number| (ContactId(number), guest(number).name()))
                .collect();
            let names: Vec<_> = now.iter().map(|own| (own.id, own.name())).collect();
            assert_eq!(names, then);
            assert!(now.iter().all(|own| own.value(FieldId::CITY).is_none()));
            let found = owners(&desk, &now).await;
            assert_eq!(found.len(), 30);
            assert!(found.values().all(|identifiers| *identifiers == 3));
            assert_eq!(owners(&desk, &imported).await, found);
        }

        let log = attempts_of(&desk, undo.id).await;
        let originals = attempts_of(&desk, parent.id).await;
        assert_eq!(log.len(), 600);
        for (attempt, original) in log.iter().zip(originals.iter().rev()) {
            assert_eq!(attempt.replay_of, Some(original.id));
            assert_eq!(
                (attempt.row, attempt.contact),
                (original.row, original.contact)
            );
            assert_eq!(attempt.result, ImportResult::Success);
            let action = match original.action {
                Some(Action::Created) => Action::Removed,
                _ => Action::Updated,
            };
            assert_eq!(attempt.action, Some(action));
            assert_eq!(attempt.notes[0].code, "undo.of");
        }
        let removed = LogFilter {
            action: Some(Action::Removed),
            ..LogFilter::default()
        };
        let counts = desk
            .store
            .summary(desk.workspace, removed, 0)
            .await
            .unwrap()
            .counts;
        assert_eq!(counts.success, 570);

        // The same guest once more is a new contact with a new number.
        let again = desk.deliver_one(70, guest(100)).await;
        assert_eq!(again.action, Some(Action::Created));
        assert_eq!(again.contact, Some(ContactId(601)));
    })
    .await;
}

#[tokio::test]
async fn what_others_wrote_stays_also_while_the_undo_runs() {
    on_every_store(async |database| {
        let desk = database.desk().await;
        let parent = arrivals(&desk).await;
        let moved =
            |id: &str, city: &str| candidate(&[(FieldId::EXTERNAL_ID, id), (FieldId::CITY, city)]);
        // Guest 1 was updated by the import, guest 40 created; the old phone of guest 2 has gone to somebody else.
        desk.deliver_one(30, moved("G1", "Kiel")).await;
        desk.deliver_one(30, moved("G40", "Kiel")).await;
        let newcomer = candidate(&[
            (FieldId::EXTERNAL_ID, "new"),
            (FieldId::PHONE, "+49300000002"),
        ]);
        desk.deliver_one(30, newcomer).await;
        let (undo, lease) = begin(&desk, &parent).await.unwrap();
        let mut survey = desk
            .store
            .survey_undo(batch(&desk, &parent, u64::MAX))
            .await
            .unwrap();
        let mut before = Some(u64::MAX);
        let mut cursor = 0;
        while let Some(next) = before {
            let undone = desk
                .store
                .commit_undo_batch(
                    batch(&desk, &parent, next),
                    step(&undo, lease, cursor),
                    survey,
                )
                .await
                .unwrap();
            if cursor == 0 {
                desk.deliver_one(50, moved("G3", "Rostock")).await;
                desk.deliver_one(50, moved("G50", "Rostock")).await;
            }
            cursor += undone.totals.records;
            survey = undone.survey;
            before = undone.next;
        }
        let undo = end(&desk, &undo, lease, ImportState::Done).await;
        let totals = undo.totals;
        assert_eq!((totals.removed, totals.failed), (568, 2));
        assert_eq!((totals.updated, totals.warnings), (30, 3));
        let kept: BTreeMap<_, _> = attempts_of(&desk, undo.id)
            .await
            .into_iter()
            .filter(|attempt| !attempt.issues.is_empty())
            .map(|attempt| {
                let issue = &attempt.issues[0];
                let id = attempt.shown.external_id.unwrap().into_string();
                (id, (issue.code.to_string(), issue.field.clone()))
            })
            .collect();
        let because = |code: &str, field: Option<&str>| (code.to_owned(), field.map(Into::into));
        let expected = [
            ("G1", because("undo.field_changed", Some("city"))),
            ("G2", because("identifier.taken", Some("phone"))),
            ("G3", because("undo.field_changed", Some("city"))),
            ("G40", because("undo.contact_changed", None)),
            ("G50", because("undo.contact_changed", None)),
        ];
        let expected = expected.map(|(id, because)| (id.to_owned(), because));
        assert_eq!(kept, BTreeMap::from(expected));
        let now = contacts(&desk).await;
        assert_eq!(now.len(), 33);
        let of = |id: &str| {
            let mut own = now.iter();
            own.find(|own| own.external_id("default") == Some(id))
                .unwrap()
        };
        let text = |id: &str, field| of(id).value(field).map(|value| value.primary().to_owned());
        assert_eq!(text("G1", FieldId::CITY).as_deref(), Some("Kiel"));
        assert_eq!(text("G1", FieldId::PHONE).as_deref(), Some("+49300000001"));
        assert_eq!(text("G2", FieldId::PHONE).as_deref(), Some("+49400000002"));
        assert_eq!(text("G2", FieldId::CITY), None);
        assert_eq!(text("G50", FieldId::CITY).as_deref(), Some("Rostock"));
        let phone = Value::Many(["+49300000050".into()].into());
        assert_eq!(of("G50").value(FieldId::PHONE), Some(&phone));
    })
    .await;
}

#[tokio::test]
async fn a_killed_undo_goes_on_in_another_process_and_takes_nothing_back_twice() {
    on_every_store(async |database| {
        let desk = database.desk().await;
        let parent = arrivals(&desk).await;
        let (undo, lease) = begin(&desk, &parent).await.unwrap();
        let rest = go_on(&desk, &parent, (&undo, lease), u64::MAX, Some(2))
            .await
            .unwrap();
        let successor = desk.through(database.open().await);
        let (claimed, newer) = successor
            .store
            .claim_import(None, Timestamp(51 + LEASE), LEASE)
            .await
            .unwrap()
            .unwrap();
        assert_eq!((claimed.id, claimed.cursor), (undo.id, 200));
        // The first worker lives after all.
        assert!(lease_is_lost(
            go_on(&desk, &parent, (&undo, lease), rest.unwrap(), Some(1)).await
        ));
        // The log says where to go on.
        let before = survey_of(&successor, &parent).await.before;
        assert_eq!(Some(before), rest);
        let end_of_it = go_on(&successor, &parent, (&undo, newer), before, None).await;
        assert_eq!(end_of_it.unwrap(), None);
        let log = attempts_of(&successor, undo.id).await;
        let taken_back: HashSet<_> = log.iter().map(|attempt| attempt.replay_of).collect();
        assert_eq!((log.len(), taken_back.len()), (600, 600));
        assert_eq!(contacts(&successor).await.len(), 30);
    })
    .await;
}

#[tokio::test]
async fn an_import_is_undone_once_and_only_when_it_is_over() {
    on_every_store(async |database| {
        let desk = database.desk().await;
        let refused = async |parent: &Import, why: &str| match begin(&desk, parent).await {
            Err(StoreError::Conflict(reason)) => assert!(reason.contains(why), "{reason}"),
            other => panic!("{other:?}"),
        };
        let (running, lease) = desk.running_import(10).await;
        refused(&running, "still running").await;
        let empty = end(&desk, &running, lease, ImportState::Done).await;
        refused(&empty, "nothing to undo").await;

        let parent = import(&desk, rows(0, [guest(1), guest(2)])).await;
        let (first, lease) = begin(&desk, &parent).await.unwrap();
        refused(&parent, &first.id.to_string()).await;
        let one = UndoBatch {
            limit: 1,
            ..batch(&desk, &parent, u64::MAX)
        };
        desk.store
            .commit_undo_batch(one, step(&first, lease, 0), survey_of(&desk, &parent).await)
            .await
            .unwrap();
        end(&desk, &first, lease, ImportState::Cancelled).await;
        assert_eq!(desk.import(parent.id).await.undone_by, None);
        // What was taken back is not taken back again, and nobody is told that it changed.
        let second = undo(&desk, &parent).await;
        let expected = Totals {
            records: 1,
            removed: 1,
            ..Totals::default()
        };
        assert_eq!(second.totals, expected);
        refused(&parent, &second.id.to_string()).await;
        refused(&second, "an undo cannot be undone").await;
        let mut unknown = parent;
        unknown.id = ImportId(Uuid::now_v7());
        assert!(matches!(
            begin(&desk, &unknown).await,
            Err(StoreError::Missing(_))
        ));
    })
    .await;
}

async fn survey_of(desk: &Desk, parent: &Import) -> Survey {
    desk.store
        .survey_undo(batch(desk, parent, u64::MAX))
        .await
        .unwrap()
}

#[tokio::test]
async fn two_imports_are_undone_in_turn() {
    on_every_store(async |database| {
        let desk = database.desk().await;
        desk.deliver_one(5, guest(1)).await;
        let before = contacts(&desk).await;
        let named = |name: &str, number: u64| {
            candidate(&[
                (FieldId::EXTERNAL_ID, &format!("G{number}")),
                (FieldId::NAME, name),
            ])
        };
        let first = import(&desk, rows(0, [named("A", 1), named("A", 2)])).await;
        let second = import(
            &desk,
            rows(0, [named("B", 1), named("B", 2), named("C", 1)]),
        )
        .await;
        undo(&desk, &second).await;
        let last = undo(&desk, &first).await;
        assert_eq!((last.totals.updated, last.totals.removed), (1, 1));
        assert_eq!(last.totals.warnings, 0);
        assert_eq!(contacts(&desk).await, before);
    })
    .await;
}

#[tokio::test]
async fn what_the_log_has_lost_is_kept_and_explained() {
    on_every_store(async |database| {
        let desk = database.desk().await;
        desk.deliver_one(5, guest(1)).await;
        let named = |number: u64| {
            candidate(&[
                (FieldId::EXTERNAL_ID, &format!("G{number}")),
                (FieldId::NAME, "Other"),
            ])
        };
        let parent = import(&desk, rows(0, [named(1), named(2)])).await;
        let person = LogFilter {
            contact: Some(ContactId(1)),
            ..LogFilter::default()
        };
        desk.store
            .erase_attempts(desk.workspace, person, 0)
            .await
            .unwrap();
        let undo = undo(&desk, &parent).await;
        assert_eq!((undo.totals.removed, undo.totals.failed), (1, 1));
        let log = attempts_of(&desk, undo.id).await;
        assert_eq!(log[1].issues[0].code, "undo.erased");
    })
    .await;
}
