use rollbook_engine::schema::FieldId;
use rollbook_store::Timestamp;
use rollbook_store::commit::Delivered;
use rollbook_store::log::Attempt;

use crate::harness::{attempt_of, candidate, delivery, guest, on_every_store, source, with_key};

fn repeated(delivered: &Delivered) -> Option<&Attempt> {
    match delivered {
        Delivered::Repeated(attempt) => Some(attempt),
        _ => None,
    }
}

#[tokio::test]
async fn a_redelivery_answers_the_first_attempt_and_adds_none() {
    on_every_store(async |database| {
        let desk = database.desk().await;
        let first = desk.deliver(10, vec![with_key(guest(1), "k1", 1)]).await;
        let first = attempt_of(first.into_iter().next().unwrap());
        assert_eq!(first.idempotency_key.as_deref(), Some("k1"));
        // The contact moved on in between; the answer does not.
        desk.deliver_one(
            20,
            candidate(&[(FieldId::EXTERNAL_ID, "G1"), (FieldId::NAME, "Other")]),
        )
        .await;
        let again = desk.deliver(30, vec![with_key(guest(1), "k1", 1)]).await;
        assert_eq!(repeated(&again[0]), Some(&first));
        assert_eq!(desk.log().await.len(), 2);
        let api = desk.store.source(desk.workspace, "api").await.unwrap();
        assert_eq!(api.unwrap().counts.all(), 2);
    })
    .await;
}

#[tokio::test]
async fn a_failed_record_is_repeated_too() {
    on_every_store(async |database| {
        let desk = database.desk().await;
        let bad = || with_key(candidate(&[(FieldId::CITY, "Bonn")]), "k1", 1);
        let first = attempt_of(desk.deliver(10, vec![bad()]).await.remove(0));
        assert_eq!(first.action, None);
        let again = desk.deliver(10, vec![bad()]).await;
        assert_eq!(repeated(&again[0]), Some(&first));
    })
    .await;
}

#[tokio::test]
async fn a_key_with_another_body_is_refused_and_writes_nothing() {
    on_every_store(async |database| {
        let desk = database.desk().await;
        desk.deliver(10, vec![with_key(guest(1), "k1", 1)]).await;
        let delivered = desk
            .deliver(
                20,
                vec![
                    delivery(guest(3)),
                    with_key(guest(2), "k1", 2),
                    with_key(guest(1), "k1", 1),
                    delivery(guest(4)),
                ],
            )
            .await;
        assert!(matches!(delivered[0], Delivered::Committed(_)));
        assert!(matches!(delivered[1], Delivered::KeyReused));
        assert!(matches!(delivered[2], Delivered::Repeated(_)));
        let last = attempt_of(delivered.into_iter().next_back().unwrap());
        assert_eq!(last.shown.external_id.as_deref(), Some("G4"));
        assert_eq!(last.id.number(), 3);
        assert_eq!(desk.store.count_contacts(desk.workspace).await.unwrap(), 3);
        assert_eq!(desk.log().await.len(), 3);
    })
    .await;
}

#[tokio::test]
async fn a_key_counts_within_one_batch_too() {
    on_every_store(async |database| {
        let desk = database.desk().await;
        let delivered = desk
            .deliver(
                10,
                vec![
                    delivery(guest(9)),
                    with_key(guest(1), "k1", 1),
                    with_key(guest(1), "k1", 1),
                    with_key(guest(2), "k1", 2),
                    with_key(guest(1), "k1", 1),
                    with_key(guest(2), "k2", 2),
                ],
            )
            .await;
        let attempts = desk.log().await;
        assert_eq!(attempts.len(), 3);
        assert_eq!(repeated(&delivered[2]), Some(&attempts[1]));
        assert!(matches!(delivered[3], Delivered::KeyReused));
        assert_eq!(repeated(&delivered[4]), Some(&attempts[1]));
        assert!(matches!(&delivered[5], Delivered::Committed(attempt) if *attempt == attempts[2]));
    })
    .await;
}

#[tokio::test]
async fn keys_belong_to_their_source() {
    on_every_store(async |database| {
        let desk = database.desk().await;
        desk.deliver(10, vec![with_key(guest(1), "k1", 1)]).await;
        let other = desk
            .store
            .add_source(desk.workspace, source("other"), Timestamp(1))
            .await
            .unwrap();
        let mut batch = desk.batch(20, vec![with_key(guest(2), "k1", 2)]);
        batch.source = other.id;
        let delivered = desk.store.deliver(batch).await.unwrap();
        assert!(matches!(delivered[0], Delivered::Committed(_)));
    })
    .await;
}

#[tokio::test]
async fn racing_redeliveries_have_one_attempt() {
    on_every_store(async |database| {
        let desk = database.desk().await;
        let handles = [desk.clone(), desk.through(database.open().await)];
        let mut tasks = Vec::new();
        for number in 0..40 {
            let desk = handles[number % 2].clone();
            tasks.push(tokio::spawn(async move {
                desk.deliver(10, vec![with_key(guest(1), "k1", 1)])
                    .await
                    .remove(0)
            }));
        }
        let mut committed = Vec::new();
        let mut answers = Vec::new();
        for task in tasks {
            match task.await.unwrap() {
                Delivered::Committed(attempt) => committed.push(attempt),
                Delivered::Repeated(attempt) => answers.push(attempt),
                Delivered::KeyReused => panic!("same body"),
            }
        }
        assert_eq!(committed.len(), 1);
        assert_eq!(answers.len(), 39);
        assert!(answers.iter().all(|answer| *answer == committed[0]));
        assert_eq!(desk.log().await, committed);
    })
    .await;
}
