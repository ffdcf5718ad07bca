use rollbook_engine::attempt::{Action, ImportResult};
use rollbook_engine::candidate::Candidate;
use rollbook_engine::contact::{ContactId, IdentifierKind, Value};
use rollbook_engine::issue::{Issue, Problem};
use rollbook_engine::schema::FieldId;
use rollbook_store::commit::{Delivery, Payload};
use rollbook_store::sources::SourceId;
use rollbook_store::{Timestamp, WorkspaceId};

use crate::harness::{
    attempt_of, candidate, delivery, guest, hand_in, is_missing, on_every_store, settings, source,
};

#[tokio::test]
async fn a_delivery_creates_then_finds_its_contact() {
    on_every_store(async |database| {
        let desk = database.desk().await;
        let created = desk.deliver_one(10, guest(1)).await;
        assert_eq!(created.result, ImportResult::Success);
        assert_eq!(created.action, Some(Action::Created));
        assert_eq!(created.contact, Some(ContactId(1)));
        let by_phone = candidate(&[
            (FieldId::PHONE, "+49300000001"),
            (FieldId::NAME, "Grace Hopper"),
        ]);
        let updated = desk.deliver_one(20, by_phone).await;
        assert_eq!(updated.action, Some(Action::Updated));
        assert_eq!(updated.matched_on, Some(IdentifierKind::Phone));
        assert_eq!(updated.contact, Some(ContactId(1)));
        assert_eq!(updated.changes.len(), 1);
        let stored = desk.store.contact(desk.workspace, ContactId(1)).await;
        let stored = stored.unwrap().unwrap().contact;
        assert_eq!(stored.name().as_deref(), Some("Grace Hopper"));
        assert_eq!(stored.external_id("default"), Some("G1"));
        assert_eq!(
            stored.value(FieldId::EMAIL),
            Some(&Value::Many(["guest1@example.com".into()].into()))
        );
    })
    .await;
}

#[tokio::test]
async fn the_log_holds_what_the_caller_was_told_with_the_payload() {
    on_every_store(async |database| {
        let desk = database.desk().await;
        let first = desk.deliver_one(10, guest(1)).await;
        let payload = Payload {
            content_type: "text/csv".to_owned(),
            bytes: b"G1;\xff\0".to_vec(),
        };
        let mut candidate = guest(1);
        candidate.issues.push(Issue::of_value(
            "birthday",
            &Problem::DateAmbiguous,
            "1/2/3",
        ));
        let second = Delivery {
            payload: payload.clone(),
            replay_of: Some(first.id),
            ..delivery(candidate)
        };
        let second = attempt_of(desk.deliver(20, vec![second]).await.remove(0));
        assert_eq!(second.result, ImportResult::Warning);
        assert_eq!(second.replay_of, Some(first.id));
        assert_eq!(desk.log().await, [first, second.clone()]);
        let found = desk.store.attempt(desk.workspace, second.id).await.unwrap();
        assert_eq!(found, Some((second.clone(), payload)));
        assert_eq!(
            desk.store.latest(desk.workspace).await.unwrap(),
            Some((2, Timestamp(20)))
        );
    })
    .await;
}

#[tokio::test]
async fn records_of_one_batch_see_those_before_them() {
    on_every_store(async |database| {
        let desk = database.desk().await;
        let records = vec![
            delivery(guest(1)),
            delivery(candidate(&[
                (FieldId::EXTERNAL_ID, "G1"),
                (FieldId::PHONE, "+49309"),
            ])),
            // The number that guest 1 gave up is free again.
            delivery(candidate(&[(FieldId::PHONE, "+49300000001")])),
            delivery(candidate(&[(FieldId::PHONE, "+49309")])),
        ];
        let contacts: Vec<_> = desk
            .deliver(10, records)
            .await
            .into_iter()
            .map(|delivered| attempt_of(delivered).contact.unwrap().0)
            .collect();
        assert_eq!(contacts, [1, 1, 2, 1]);
        // And so it is for the next batch.
        let next = desk
            .deliver_one(20, candidate(&[(FieldId::PHONE, "+49300000001")]))
            .await;
        assert_eq!(next.contact, Some(ContactId(2)));
    })
    .await;
}

#[tokio::test]
async fn an_identifier_that_changed_hands_finds_its_new_owner() {
    on_every_store(async |database| {
        let desk = database.desk().await;
        desk.deliver_one(10, guest(1)).await;
        desk.deliver_one(10, guest(2)).await;
        let phone_1 = "+49300000001";
        // 1 gives its number up, 2 takes it, in one batch.
        let records = vec![
            delivery(candidate(&[
                (FieldId::EXTERNAL_ID, "G1"),
                (FieldId::PHONE, "+49309"),
            ])),
            delivery(candidate(&[
                (FieldId::EXTERNAL_ID, "G2"),
                (FieldId::PHONE, phone_1),
            ])),
        ];
        desk.deliver(20, records).await;
        let found = desk
            .deliver_one(30, candidate(&[(FieldId::PHONE, phone_1)]))
            .await;
        assert_eq!(found.contact, Some(ContactId(2)));
        let found = desk
            .deliver_one(30, candidate(&[(FieldId::PHONE, "+49300000002")]))
            .await;
        assert_eq!(found.contact, Some(ContactId(3)));
    })
    .await;
}

#[tokio::test]
async fn a_taken_identifier_names_its_owner() {
    on_every_store(async |database| {
        let desk = database.desk().await;
        desk.deliver_one(10, guest(1)).await;
        desk.deliver_one(10, guest(2)).await;
        let record = candidate(&[
            (FieldId::EXTERNAL_ID, "G1"),
            (FieldId::PHONE, "+49300000002"),
        ]);
        let attempt = desk.deliver_one(20, record).await;
        assert_eq!(attempt.result, ImportResult::Warning);
        assert_eq!(attempt.issues[0].code, "identifier.taken");
        assert!(attempt.issues[0].message.contains("Guest 2"));
    })
    .await;
}

#[tokio::test]
async fn the_time_of_the_log_never_goes_backwards() {
    on_every_store(async |database| {
        let desk = database.desk().await;
        desk.deliver_one(100, guest(1)).await;
        let late = desk.deliver_one(50, guest(2)).await;
        assert_eq!(late.received_at, Timestamp(100));
        assert_eq!(late.id.number(), 2);
        let (import, lease) = desk.running_import(60).await;
        let batch = desk.manual_batch(60, crate::harness::rows(0, [guest(3)]));
        let step = crate::harness::step(&import, lease, 0);
        desk.store.commit_import_batch(batch, step).await.unwrap();
        let times: Vec<i64> = desk
            .log()
            .await
            .iter()
            .map(|attempt| attempt.received_at.0)
            .collect();
        assert_eq!(times, [100, 100, 100]);
        let created = desk.store.contact(desk.workspace, ContactId(2)).await;
        assert_eq!(created.unwrap().unwrap().created_at, Timestamp(100));
    })
    .await;
}

#[tokio::test]
async fn namespaces_keep_external_ids_apart() {
    on_every_store(async |database| {
        let desk = database.desk().await;
        desk.deliver_one(10, candidate(&[(FieldId::EXTERNAL_ID, "1")]))
            .await;
        let mut batch = desk.batch(
            20,
            vec![delivery(candidate(&[(FieldId::EXTERNAL_ID, "1")]))],
        );
        batch.policy.namespace = "pms".to_owned();
        let delivered = desk.store.deliver(batch.clone()).await.unwrap();
        let attempt = attempt_of(delivered.into_iter().next().unwrap());
        assert_eq!(attempt.contact, Some(ContactId(2)));
        let delivered = desk.store.deliver(batch).await.unwrap();
        let attempt = attempt_of(delivered.into_iter().next().unwrap());
        assert_eq!(attempt.contact, Some(ContactId(2)));
    })
    .await;
}

#[tokio::test]
async fn an_empty_batch_writes_nothing() {
    on_every_store(async |database| {
        let desk = database.desk().await;
        assert!(desk.deliver(10, Vec::new()).await.is_empty());
        assert_eq!(desk.store.latest(desk.workspace).await.unwrap(), None);
        let attempt = desk.deliver_one(5, guest(1)).await;
        assert_eq!(attempt.received_at, Timestamp(5));
    })
    .await;
}

#[tokio::test]
async fn what_does_not_exist_is_named() {
    on_every_store(async |database| {
        let desk = database.desk().await;
        let mut batch = desk.batch(10, vec![delivery(guest(1))]);
        batch.source = SourceId(77);
        let refused = desk.store.deliver(batch.clone()).await;
        assert_eq!(refused.unwrap_err().to_string(), "source 77 does not exist");
        batch.workspace = WorkspaceId(99);
        assert!(is_missing(desk.store.deliver(batch).await));
        assert_eq!(desk.log().await, []);
    })
    .await;
}

#[tokio::test]
async fn calls_that_wait_together_share_a_group_and_keep_their_own_outcomes() {
    on_every_store(async |database| {
        let desk = database.desk().await;
        let mut tasks = Vec::new();
        for number in 0..200 {
            let desk = desk.clone();
            tasks.push(tokio::spawn(async move {
                let mut batch = desk.batch(10, vec![delivery(guest(number % 50))]);
                if number % 10 == 3 {
                    batch.source = SourceId(77); // Fails, and must not take others with it.
                }
                let delivered = desk.store.deliver(batch).await;
                (number, delivered)
            }));
            if number % 20 == 7 {
                let store = database.open().await;
                drop(store); // Another handle comes and goes.
            }
        }
        let mut created = 0;
        let mut attempts = 0;
        for task in tasks {
            let (number, delivered) = task.await.unwrap();
            if number % 10 == 3 {
                assert!(is_missing(delivered));
                continue;
            }
            attempts += 1;
            let attempt = attempt_of(delivered.unwrap().remove(0));
            let external_id = format!("G{}", number % 50);
            assert_eq!(attempt.shown.external_id, Some(external_id.into()));
            created += u64::from(attempt.action == Some(Action::Created));
        }
        assert_eq!(created, 45, "one for each guest that was not refused");
        assert_eq!(
            desk.store.count_contacts(desk.workspace).await.unwrap(),
            created
        );
        let numbers: Vec<u64> = desk.log().await.iter().map(|a| a.id.number()).collect();
        assert_eq!(numbers, (1..=attempts).collect::<Vec<_>>());
    })
    .await;
}

#[tokio::test]
async fn other_writes_join_the_group_and_fail_alone() {
    on_every_store(async |database| {
        let desk = database.desk().await;
        let mut tasks = Vec::new();
        for number in 0..60_u64 {
            let desk = desk.clone();
            tasks.push(tokio::spawn(async move {
                let name = format!("source-{}", number % 30);
                let added = desk
                    .store
                    .add_source(desk.workspace, source(&name), Timestamp(1))
                    .await;
                desk.deliver_one(10, guest(number)).await;
                added.is_ok()
            }));
        }
        let mut added = 0;
        for task in tasks {
            added += usize::from(task.await.unwrap());
        }
        assert_eq!(added, 30);
        let sources = desk.store.sources(desk.workspace).await.unwrap();
        assert_eq!(sources.len(), 32);
        assert_eq!(desk.log().await.len(), 60);
    })
    .await;
}

#[tokio::test]
async fn what_was_answered_is_there_after_reopening() {
    on_every_store(async |database| {
        let desk = database.desk().await;
        let attempt = desk.deliver_one(10, guest(1)).await;
        let reopened = desk.through(database.open().await);
        drop(desk);
        assert_eq!(reopened.log().await, [attempt]);
        let next = reopened.deliver_one(20, guest(2)).await;
        assert_eq!((next.id.number(), next.contact), (2, Some(ContactId(2))));
    })
    .await;
}

#[tokio::test]
async fn a_store_that_is_dropped_finishes_what_was_handed_in() {
    on_every_store(async |database| {
        let desk = database.desk().await;
        for number in 0..20 {
            let desk = desk.clone();
            let call = hand_in(async move { desk.deliver_one(10, guest(number)).await });
            drop(call.await); // Nobody waits for the answer.
        }
        let workspace = desk.workspace;
        drop(desk);
        let store = database.open().await;
        assert_eq!(store.count_contacts(workspace).await.unwrap(), 20);
    })
    .await;
}

#[tokio::test]
async fn an_unreadable_record_is_an_attempt_without_a_contact() {
    on_every_store(async |database| {
        let desk = database.desk().await;
        let problem = Problem::RecordUnreadable {
            reason: "line 3 ends inside a quote".to_owned(),
        };
        let unreadable = Candidate::unreadable(Issue::of_record(&problem));
        let attempt = desk.deliver_one(10, unreadable).await;
        assert_eq!(attempt.result, ImportResult::Failure);
        assert_eq!((attempt.action, attempt.contact), (None, None));
        assert_eq!(desk.log().await, [attempt]);
        assert_eq!(desk.store.count_contacts(desk.workspace).await.unwrap(), 0);
    })
    .await;
}

#[tokio::test]
async fn groups_hold_deliveries_of_several_workspaces() {
    on_every_store(async |database| {
        let desk = database.desk().await;
        let other = desk
            .store
            .add_workspace(settings("Clinic"), Timestamp(1))
            .await
            .unwrap();
        let other = crate::harness::Desk::of(desk.store.clone(), other.id).await;
        let mut tasks = Vec::new();
        for number in 0..50 {
            for desk in [desk.clone(), other.clone()] {
                tasks.push(tokio::spawn(async move {
                    desk.deliver_one(10, guest(number)).await
                }));
            }
        }
        for task in tasks {
            assert_eq!(task.await.unwrap().action, Some(Action::Created));
        }
        for desk in [desk, other] {
            assert_eq!(desk.store.count_contacts(desk.workspace).await.unwrap(), 50);
            assert_eq!(desk.log().await.len(), 50);
        }
    })
    .await;
}
