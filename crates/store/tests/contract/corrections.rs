//! Erasing what the log says of a person, dropping what is old, and mending the index.

use rollbook_engine::contact::{ContactId, Identifier};
use rollbook_store::log::{LogFilter, Search};
use rollbook_store::{StoreError, Timestamp};

use crate::harness::{Database, Desk, delivery, guest, on_every_store, rows, step};

/// A log of 3,000 rows and two single deliveries; guest 7 is in both.
async fn filled(database: &Database) -> Desk {
    let desk = database.desk().await;
    let (import, lease) = desk.running_import(10).await;
    let batch = desk.manual_batch(10, rows(0, (0..3_000).map(guest)));
    let step = step(&import, lease, 0);
    desk.store.commit_import_batch(batch, step).await.unwrap();
    desk.deliver(20, vec![delivery(guest(7)), delivery(guest(8))])
        .await;
    desk
}

async fn erase(desk: &Desk, filter: &LogFilter) -> u64 {
    let mut erased = 0;
    let mut after = Some(0);
    while let Some(number) = after {
        let corrected = desk
            .store
            .erase_attempts(desk.workspace, filter.clone(), number)
            .await
            .unwrap();
        erased += corrected.attempts;
        after = corrected.next;
    }
    erased
}

#[tokio::test]
async fn an_erased_person_is_in_no_attempt_and_every_count_stays() {
    on_every_store(async |database| {
        let desk = filled(&database).await;
        let about = |text: &str| LogFilter {
            search: Some(Search {
                text: text.to_owned(),
                ..Search::default()
            }),
            ..LogFilter::default()
        };
        let count = async |filter: LogFilter| {
            let summary = desk.store.summary(desk.workspace, filter, 0).await;
            summary.unwrap().counts
        };
        let everything = count(LogFilter::default()).await;
        let person = LogFilter {
            contact: Some(ContactId(8)),
            ..LogFilter::default()
        };
        assert_eq!(count(about("guest7@example.com")).await.all(), 2);
        assert_eq!(erase(&desk, &person).await, 2);
        assert_eq!(count(about("guest7@example.com")).await.all(), 0);
        assert_eq!(count(about("guest8@example.com")).await.all(), 2);
        assert_eq!(count(LogFilter::default()).await, everything);
        assert_eq!(count(person.clone()).await.all(), 2);
        let erased = desk
            .store
            .page_with_payloads(
                desk.workspace,
                person,
                rollbook_store::log::Paging::Newest,
                10,
            )
            .await
            .unwrap();
        for (attempt, payload) in erased {
            assert_eq!(attempt.notes[0].code, "record.erased");
            assert_eq!(attempt.shown.email, None);
            assert!(payload.bytes.is_empty());
        }
    })
    .await;
}

#[tokio::test]
async fn old_attempts_are_dropped_and_numbers_count_on() {
    on_every_store(async |database| {
        let desk = filled(&database).await;
        let mut dropped = 0;
        loop {
            let corrected = desk
                .store
                .drop_attempts(desk.workspace, Timestamp(15))
                .await
                .unwrap();
            dropped += corrected.attempts;
            if corrected.next.is_none() {
                break;
            }
        }
        // The newest block stays.
        assert_eq!(dropped, 2_000);
        let log = desk.log().await;
        assert_eq!(log.len(), 1_002);
        assert_eq!(log[0].id.number(), 2_001);
        let next = desk.deliver_one(30, guest(1)).await;
        assert_eq!(next.id.number(), 3_003);
    })
    .await;
}

#[tokio::test]
async fn a_damaged_index_is_mended_by_who_meets_it_first() {
    on_every_store(async |database| {
        let desk = filled(&database).await;
        let Database::Sqlite(folder) = &database;
        let file = rusqlite::Connection::open(folder.path().join("rollbook.db")).unwrap();
        for reader in [true, false] {
            file.execute("UPDATE identifier_segment SET data = x'0102'", [])
                .unwrap();
            let other = desk.through(database.open().await);
            let phone = Identifier::phone("+49300000007");
            if reader {
                let owners = other.store.owners(desk.workspace, vec![phone]).await;
                assert_eq!(owners.unwrap()[0].id, ContactId(8));
            } else {
                let attempt = other.deliver_one(40, guest(7)).await;
                assert_eq!(attempt.contact, Some(ContactId(8)));
            }
            assert_eq!(other.store.index_size().identifiers, 9_000);
            // The one who was there before goes on.
            let attempt = desk.deliver_one(50, guest(9)).await;
            assert_eq!(attempt.contact, Some(ContactId(10)));
        }
        let missing = desk.store.owners(desk.workspace, vec![]).await;
        assert!(!matches!(missing, Err(StoreError::IndexDamaged)));
    })
    .await;
}
