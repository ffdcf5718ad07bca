//! What is past its retention is dropped a little at a time, and what was counted stays counted.

use std::time::{Duration, Instant};

use rollbook_engine::attempt::ImportResult;
use rollbook_engine::issue::Note;
use rollbook_store::Timestamp;
use rollbook_store::commit::{Delivered, Payload};
use rollbook_store::imports::ImportState;
use rollbook_store::log::{Corrected, LogFilter, Paging};
use rollbook_store::retention::Retention;

use crate::harness::{Desk, attempt_of, delivery, guest, on_every_store, rows, step, with_key};

async fn keep(desk: &Desk) {
    let days = Retention {
        payload_days: Some(30),
        attempt_days: Some(90),
        file_days: None,
    };
    desk.store
        .set_retention(desk.workspace, days)
        .await
        .unwrap();
}

async fn all<F>(mut step: impl FnMut() -> F) -> u64
where
    F: Future<Output = Result<Corrected, rollbook_store::StoreError>>,
{
    let mut sum = 0;
    loop {
        let done = step().await.unwrap();
        sum += done.attempts;
        if done.next.is_none() {
            return sum;
        }
    }
}

/// 2,500 rows at 10, then five deliveries at 20 to 24.
async fn filled(desk: &Desk) {
    let (import, lease) = desk.running_import(10).await;
    for cursor in [0, 1_000] {
        let some = rows(cursor, (cursor..cursor + 1_250).map(guest));
        let count = some.len() as u64;
        let at = if cursor == 0 { 0 } else { 1_250 };
        let some = some.into_iter().zip(at + 1..).map(|(mut one, row)| {
            one.row = Some(row);
            one
        });
        let batch = desk.manual_batch(10, some.collect());
        desk.store
            .commit_import_batch(batch, step(&import, lease, at))
            .await
            .unwrap();
        assert_eq!(count, 1_250);
    }
    for time in 20..25 {
        desk.deliver(time, vec![delivery(guest(time.unsigned_abs()))])
            .await;
    }
}

async fn log(desk: &Desk) -> Vec<(rollbook_store::log::Attempt, Payload)> {
    desk.store
        .page_with_payloads(
            desk.workspace,
            LogFilter::default(),
            Paging::After(0),
            10_000,
        )
        .await
        .unwrap()
}

#[tokio::test]
async fn old_payloads_go_and_the_rest_of_the_attempts_stays() {
    on_every_store(async |database| {
        let desk = database.desk().await;
        filled(&desk).await;
        keep(&desk).await;
        let before = desk
            .store
            .summary(desk.workspace, LogFilter::default(), 0)
            .await
            .unwrap();
        let expire = |time| desk.store.expire_payloads(desk.workspace, Timestamp(time));
        assert_eq!(all(|| expire(22)).await, 2_502);
        assert_eq!(all(|| expire(22)).await, 0);
        for (attempt, payload) in log(&desk).await {
            let old = attempt.received_at < Timestamp(22);
            assert_eq!(payload.bytes.is_empty(), old);
            let noted = attempt
                .notes
                .iter()
                .any(|note| note.code == Note::PAYLOAD_DROPPED);
            assert_eq!(noted, old);
            assert!(attempt.shown.email.is_some());
        }
        let after = desk
            .store
            .summary(desk.workspace, LogFilter::default(), 0)
            .await
            .unwrap();
        assert_eq!(before, after);
        assert_eq!(all(|| expire(99)).await, 3);
        let retained = desk.store.retention(desk.workspace).await.unwrap();
        assert_eq!(retained.payloads_dropped, 2_505);
        assert_eq!(retained.payloads_before, Some(Timestamp(99)));
    })
    .await;
}

#[tokio::test]
async fn old_attempts_go_and_what_imports_count_stays() {
    on_every_store(async |database| {
        let desk = database.desk().await;
        filled(&desk).await;
        keep(&desk).await;
        let keyed = desk.deliver(30, vec![with_key(guest(1), "old", 1)]).await;
        let first = attempt_of(keyed.into_iter().next().unwrap());
        let expire = |time| desk.store.expire_attempts(desk.workspace, Timestamp(time));
        let dropped = all(|| expire(22)).await;
        assert_eq!(dropped, 2_502);
        assert_eq!(all(|| expire(22)).await, 0, "nothing counts twice");
        for (attempt, payload) in log(&desk).await {
            let old = attempt.received_at < Timestamp(22);
            assert_eq!(attempt.shown.email.is_none(), old, "{attempt:?}");
            assert_eq!(payload.bytes.is_empty(), old);
        }
        let imports = desk.store.imports(desk.workspace, None, 10).await.unwrap();
        assert_eq!(imports[0].totals.records, 2_500);
        let source = desk.store.source(desk.workspace, "manual").await.unwrap();
        assert_eq!(source.unwrap().counts.all(), 2_500);
        assert_eq!(first.id.number(), 2_506, "numbers count on");

        let keys = |time| desk.store.expire_keys(desk.workspace, Timestamp(time));
        assert_eq!(keys(30).await.unwrap(), 0);
        let again = desk.deliver(40, vec![with_key(guest(1), "old", 1)]).await;
        assert!(matches!(again[0], Delivered::Repeated(_)));
        all(|| expire(31)).await;
        assert_eq!(keys(31).await.unwrap(), 1);
        let again = desk.deliver(50, vec![with_key(guest(1), "old", 2)]).await;
        assert!(matches!(again[0], Delivered::Committed(_)));
    })
    .await;
}

#[tokio::test]
async fn an_old_file_is_dropped_when_no_younger_import_needs_it() {
    on_every_store(async |database| {
        let desk = database.desk().await;
        keep(&desk).await;
        let old = desk.new_import(5, ImportState::Uploaded);
        let old = desk.store.create_import(old).await.unwrap();
        let young = desk.new_import(50, ImportState::Uploaded);
        let young = desk.store.create_import(young).await.unwrap();
        let waiting = || {
            desk.store
                .imports_with_old_files(desk.workspace, Timestamp(40))
        };
        assert_eq!(waiting().await.unwrap(), [(old.id, old.file_hash)]);
        let needed = |import| {
            let beside = Some((desk.workspace, import));
            desk.store.file_is_needed(beside, old.file_hash)
        };
        assert!(needed(old.id).await.unwrap());
        desk.store
            .note_file_dropped(desk.workspace, old.id, Timestamp(60))
            .await
            .unwrap();
        assert_eq!(desk.import(old.id).await.state, ImportState::Cancelled);
        assert!(waiting().await.unwrap().is_empty());
        assert!(!needed(young.id).await.unwrap());
        let retained = desk.store.retention(desk.workspace).await.unwrap();
        assert_eq!(retained.files_dropped, 1);
    })
    .await;
}

#[tokio::test]
async fn deliveries_pass_between_the_steps_of_a_sweep() {
    on_every_store(async |database| {
        let desk = database.desk().await;
        let (import, lease) = desk.running_import(10).await;
        for cursor in (0..20_000).step_by(2_000) {
            let some = rows(cursor, (cursor..cursor + 2_000).map(guest));
            let batch = desk.manual_batch(10, some);
            desk.store
                .commit_import_batch(batch, step(&import, lease, cursor))
                .await
                .unwrap();
        }
        keep(&desk).await;
        let sweeper = desk.clone();
        let sweep = tokio::spawn(async move {
            let mut steps = 0;
            let mut longest = Duration::ZERO;
            loop {
                let begun = Instant::now();
                let done = sweeper
                    .store
                    .expire_payloads(sweeper.workspace, Timestamp(20))
                    .await
                    .unwrap();
                longest = longest.max(begun.elapsed());
                steps += 1;
                if done.next.is_none() {
                    return (steps, longest);
                }
            }
        });
        let mut slowest = Duration::ZERO;
        let mut delivered = 0;
        while !sweep.is_finished() {
            let begun = Instant::now();
            let attempt = desk.deliver_one(30, guest(delivered % 7)).await;
            assert_eq!(attempt.result, ImportResult::Success);
            slowest = slowest.max(begun.elapsed());
            delivered += 1;
        }
        let (steps, longest) = sweep.await.unwrap();
        println!("{steps} steps, the longest {longest:?}; {delivered} deliveries, the slowest {slowest:?}");
        assert!(steps > 3 && delivered > 3, "{steps} {delivered}");
    })
    .await;
}
