//! Two handles on one database, as `serve` and a command-line `import` have.

use std::time::{Duration, Instant};

use rollbook_engine::attempt::Action;
use rollbook_store::Timestamp;

use crate::harness::{LEASE, guest, hand_in, on_every_store, rows, step};

#[tokio::test]
async fn each_handle_sees_what_the_other_committed() {
    on_every_store(async |database| {
        let one = database.desk().await;
        let two = one.through(database.open().await);
        for number in 1..=10 {
            let (first, second) = if number % 2 == 0 {
                (&one, &two)
            } else {
                (&two, &one)
            };
            let created = first.deliver_one(10, guest(number)).await;
            assert_eq!(created.action, Some(Action::Created));
            assert_eq!(created.contact.unwrap().0, number);
            assert_eq!(created.id.number(), number * 2 - 1);
            let found = second.deliver_one(10, guest(number)).await;
            assert_eq!(found.contact.unwrap().0, number);
            assert_eq!(found.action, Some(Action::Updated));
        }
        assert_eq!(one.log().await, two.log().await);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn racing_deliveries_of_one_person_create_one_contact() {
    on_every_store(async |database| {
        let desk = database.desk().await;
        let handles = [desk.clone(), desk.through(database.open().await)];
        let mut tasks = Vec::new();
        for number in 0..200_u64 {
            let desk = handles[usize::from(number % 2 == 0)].clone();
            tasks.push(tokio::spawn(async move {
                desk.deliver_one(10, guest(number / 8)).await
            }));
        }
        let mut created = 0;
        for task in tasks {
            created += usize::from(task.await.unwrap().action == Some(Action::Created));
        }
        assert_eq!(created, 25);
        let count = desk.store.count_contacts(desk.workspace).await.unwrap();
        assert_eq!(count, 25);
        let numbers: Vec<u64> = desk.log().await.iter().map(|a| a.id.number()).collect();
        assert_eq!(numbers, (1..=200).collect::<Vec<_>>());
    })
    .await;
}

/// An import through one handle must not keep single deliveries through the other one waiting.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deliveries_pass_between_the_batches_of_another_process() {
    on_every_store(async |database| {
        let desk = database.desk().await;
        let importer = desk.through(database.open().await);
        let (import, lease) = importer.running_import(10).await;
        let (done, mut is_done) = tokio::sync::oneshot::channel();
        let importing = tokio::spawn(async move {
            // All handed in ahead, so that the importer's writer never waits for work.
            let mut calls = Vec::new();
            for batch in 0..30 {
                let cursor = batch * 500;
                let records = (cursor..cursor + 500).map(guest);
                let batch = importer.manual_batch(20, rows(cursor, records));
                let step = step(&import, lease, cursor);
                calls.push(hand_in(importer.store.commit_import_batch(batch, step)).await);
            }
            for call in calls {
                call.await.unwrap();
            }
            done.send(()).unwrap();
            importer.import(import.id).await
        });
        let mut longest = Duration::ZERO;
        let mut delivered = 0;
        while is_done.try_recv().is_err() {
            let start = Instant::now();
            desk.deliver_one(20, guest(1_000_000 + delivered)).await;
            longest = longest.max(start.elapsed());
            delivered += 1;
        }
        let import = importing.await.unwrap();
        assert_eq!(import.totals.created, 15_000);
        assert!(
            delivered >= 12,
            "{delivered} deliveries during the import, the longest took {longest:?}"
        );
        assert_eq!(
            desk.store.count_contacts(desk.workspace).await.unwrap(),
            15_000 + delivered
        );
    })
    .await;
}

#[tokio::test]
async fn an_import_learns_of_deliveries_of_its_own_process_and_of_others() {
    on_every_store(async |database| {
        let desk = database.desk().await;
        let importer = desk.through(database.open().await);
        let (import, lease) = importer.running_import(10).await;
        let commit = async |cursor, now| {
            let batch = importer.manual_batch(now, rows(cursor, [guest(cursor)]));
            let step = step(&import, lease, cursor);
            importer
                .store
                .commit_import_batch(batch, step)
                .await
                .unwrap();
            importer.store.is_receiving()
        };
        assert!(!commit(0, 20).await);
        desk.deliver_one(30, guest(100)).await;
        assert!(desk.store.is_receiving());
        assert!(!importer.store.is_receiving());
        assert!(!commit(1, 1_900).await, "that was long ago");
        desk.deliver_one(2_000, guest(101)).await;
        assert!(commit(2, 2_100).await);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_imports_at_once_add_up() {
    on_every_store(async |database| {
        let desk = database.desk().await;
        let mut tasks = Vec::new();
        for half in 0..2 {
            let desk = desk.through(database.open().await);
            tasks.push(tokio::spawn(async move {
                let (import, lease) = desk.running_import(10).await;
                for batch in 0..10 {
                    let cursor = batch * 100;
                    // Every other guest comes in both files.
                    let records = (cursor..cursor + 100).map(|number| {
                        guest(if number % 2 == 0 {
                            number
                        } else {
                            number * 2 + half
                        })
                    });
                    let batch = desk.manual_batch(20, rows(cursor, records));
                    desk.store
                        .commit_import_batch(batch, step(&import, lease, cursor))
                        .await
                        .unwrap();
                }
                desk.import(import.id).await.totals
            }));
        }
        let mut created = 0;
        for task in tasks {
            let totals = task.await.unwrap();
            assert_eq!(totals.records, 1_000);
            assert_eq!(totals.created + totals.updated, 1_000);
            created += totals.created;
        }
        let count = desk.store.count_contacts(desk.workspace).await.unwrap();
        assert_eq!(count, created);
        assert_eq!(desk.log().await.len(), 2_000);
    })
    .await;
}

#[tokio::test]
async fn two_workers_never_claim_the_same_import() {
    on_every_store(async |database| {
        let one = database.desk().await;
        let two = one.through(database.open().await);
        for _ in 0..10 {
            let new = one.new_import(1, rollbook_store::imports::ImportState::Queued);
            one.store.create_import(new).await.unwrap();
        }
        let mut claimed = Vec::new();
        loop {
            let (first, second) = tokio::join!(
                one.store.claim_import(None, Timestamp(5), LEASE),
                two.store.claim_import(None, Timestamp(5), LEASE)
            );
            let both = [first.unwrap(), second.unwrap()];
            if both.iter().all(Option::is_none) {
                break;
            }
            claimed.extend(both.into_iter().flatten().map(|(import, _)| import.id));
        }
        claimed.sort_unstable();
        claimed.dedup();
        assert_eq!(claimed.len(), 10);
    })
    .await;
}
