//! Attempts that repeat others, and the way there and back.

use rollbook_store::Timestamp;
use rollbook_store::commit::Delivery;
use rollbook_store::imports::{ImportKind, ImportState, NewImport, Replaying};
use rollbook_store::log::AttemptId;

use crate::harness::{Desk, attempt_of, delivery, guest, on_every_store, rows, step};

fn repeat(of: AttemptId, number: u64) -> Delivery {
    Delivery {
        replay_of: Some(of),
        ..delivery(guest(number))
    }
}

async fn replays(desk: &Desk, id: AttemptId) -> Vec<AttemptId> {
    desk.store.replays(desk.workspace, id).await.unwrap()
}

#[tokio::test]
async fn attempts_lead_to_their_replays_and_back_after_reopening_too() {
    on_every_store(async |database| {
        let desk = database.desk().await;
        let first = desk.deliver_one(10, guest(1)).await;
        let second = desk.deliver_one(10, guest(2)).await;
        let mut delivered = desk
            .deliver(20, vec![repeat(first.id, 1), delivery(guest(3))])
            .await;
        let other = attempt_of(delivered.remove(1));
        let again = attempt_of(delivered.remove(0));
        let third = attempt_of(desk.deliver(30, vec![repeat(first.id, 1)]).await.remove(0));
        // The batch of an import that is large enough to be planned in blocks.
        let (import, lease) = desk.running_import(40).await;
        let large = (1..=600).map(|number| repeat(second.id, number)).collect();
        let batch = desk.manual_batch(40, large);
        let step = step(&import, lease, 0);
        desk.store.commit_import_batch(batch, step).await.unwrap();

        for desk in [desk.clone(), desk.through(database.open().await)] {
            assert_eq!(replays(&desk, first.id).await, [again.id, third.id]);
            assert_eq!(replays(&desk, other.id).await, []);
            let of_import = replays(&desk, second.id).await;
            assert_eq!(of_import.len(), 600);
            for id in [again.id, third.id, of_import[0], of_import[599]] {
                let (attempt, _) = desk
                    .store
                    .attempt(desk.workspace, id)
                    .await
                    .unwrap()
                    .unwrap();
                let original = if id.number() < 6 { first.id } else { second.id };
                assert_eq!(attempt.replay_of, Some(original));
            }
            let repeated = desk.store.replayed(desk.workspace, 1, 1_000).await;
            assert_eq!(repeated.unwrap(), [1, 2]);
            let repeated = desk.store.replayed(desk.workspace, 2, 2).await;
            assert_eq!(repeated.unwrap(), [2]);
        }
    })
    .await;
}

#[tokio::test]
async fn a_refused_batch_leaves_no_replay() {
    on_every_store(async |database| {
        let desk = database.desk().await;
        let first = desk.deliver_one(10, guest(1)).await;
        let (import, lease) = desk.running_import(20).await;
        let batch = desk.manual_batch(20, vec![repeat(first.id, 1)]);
        let refused = desk
            .store
            .commit_import_batch(batch, step(&import, lease, 7))
            .await;
        assert!(refused.is_err());
        assert_eq!(replays(&desk, first.id).await, []);
    })
    .await;
}

#[tokio::test]
async fn the_way_to_a_replay_goes_with_the_attempt_that_it_repeats() {
    on_every_store(async |database| {
        let desk = database.desk().await;
        let (import, lease) = desk.running_import(10).await;
        let batch = desk.manual_batch(10, rows(0, (0..3_000).map(guest)));
        let at = step(&import, lease, 0);
        desk.store.commit_import_batch(batch, at).await.unwrap();
        let log = desk.log().await;
        let (old, young) = (log[0].id, log[2_999].id);
        let repeats = vec![repeat(old, 0), repeat(young, 2_999)];
        desk.deliver(20, repeats).await;
        let mut next = Some(0);
        while next.is_some() {
            let dropped = desk
                .store
                .drop_attempts(desk.workspace, Timestamp(15))
                .await
                .unwrap();
            next = dropped.next;
        }
        assert_eq!(replays(&desk, old).await, []);
        assert_eq!(replays(&desk, young).await.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn of_replays_asked_for_in_one_instant_one_is_written_down() {
    on_every_store(async |database| {
        let desk = database.desk().await;
        let replay = || NewImport {
            kind: ImportKind::Replay,
            ..desk.new_import(10, ImportState::Queued)
        };
        let asked = (0..8).map(|_| {
            let (store, replays) = (desk.store.clone(), vec![replay()]);
            tokio::spawn(async move { store.create_replays(replays).await.unwrap() })
        });
        let mut created = Vec::new();
        let mut refused = Vec::new();
        for asked in asked.collect::<Vec<_>>() {
            match asked.await.unwrap() {
                Replaying::Created(imports) => created.extend(imports),
                Replaying::Busy(import) => refused.push(import),
            }
        }
        assert_eq!((created.len(), refused.len()), (1, 7));
        let running = created.remove(0);
        assert!(refused.iter().all(|busy| *busy == running.id));
        // Once it is over, there is room.
        let workspace = desk.workspace;
        let cancelled = desk
            .store
            .cancel_import(workspace, running.id, Timestamp(20));
        cancelled.await.unwrap();
        let third = replay();
        let again = desk
            .store
            .create_replays(vec![third.clone()])
            .await
            .unwrap();
        assert!(matches!(again, Replaying::Created(imports) if imports[0].id == third.id));
        let imports = desk.store.imports(workspace, None, 100).await.unwrap();
        assert_eq!(imports.len(), 2);
    })
    .await;
}
