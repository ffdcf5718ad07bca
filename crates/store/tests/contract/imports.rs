use rollbook_engine::attempt::Totals;
use rollbook_engine::contact::ContactId;
use rollbook_engine::schema::FieldId;
use rollbook_store::imports::{ImportFilter, ImportId, ImportKind, ImportState, Lease, NewImport};
use rollbook_store::sources::SourceId;
use rollbook_store::{StoreError, Timestamp};
use uuid::Uuid;

use crate::harness::{
    LEASE, candidate, exists_already, guest, is_missing, lease_is_lost, on_every_store, rows, step,
};

#[tokio::test]
async fn an_import_comes_back_as_it_was_created() {
    on_every_store(async |database| {
        let desk = database.desk().await;
        let new = desk.new_import(5, ImportState::Uploaded);
        let import = desk.store.create_import(new.clone()).await.unwrap();
        assert_eq!(import.id, new.id);
        assert_eq!(import.file_name, "guests.csv");
        assert_eq!((import.file_size, import.file_hash), (1_234, [7; 32]));
        assert_eq!(import.created_by, "ada@example.com");
        assert_eq!((import.kind, import.parent), (ImportKind::File, None));
        assert_eq!(import.created_at, Timestamp(5));
        assert_eq!((import.started_at, import.finished_at), (None, None));
        assert_eq!(import.state, ImportState::Uploaded);
        assert_eq!((import.cursor, import.totals), (0, Totals::default()));
        assert!(!import.cancel_requested);
        assert_eq!(desk.import(new.id).await, import);
        assert!(exists_already(desk.store.create_import(new.clone()).await));
        let nowhere = NewImport {
            id: ImportId(Uuid::now_v7()),
            source: SourceId(77),
            ..new
        };
        assert!(is_missing(desk.store.create_import(nowhere).await));
        let unknown = ImportId(Uuid::now_v7());
        let found = desk.store.import(desk.workspace, unknown).await.unwrap();
        assert_eq!(found, None);
    })
    .await;
}

#[tokio::test]
async fn what_goes_back_to_an_import_is_found() {
    on_every_store(async |database| {
        let desk = database.desk().await;
        let first = desk.new_import(1, ImportState::Uploaded);
        let parent = first.id;
        desk.store.create_import(first).await.unwrap();
        let mut undo = desk.new_import(2, ImportState::Queued);
        undo.kind = ImportKind::Undo;
        undo.parent = Some(parent);
        let child = desk.store.create_import(undo.clone()).await.unwrap();
        assert_eq!((child.kind, child.parent), (ImportKind::Undo, Some(parent)));
        let found = desk.store.imports_of_parent(desk.workspace, parent).await;
        assert_eq!(found.unwrap(), std::slice::from_ref(&child));
        let none = desk.store.imports_of_parent(desk.workspace, child.id).await;
        assert_eq!(none.unwrap(), []);
        undo.id = ImportId(Uuid::now_v7());
        undo.parent = Some(ImportId(Uuid::now_v7()));
        assert!(is_missing(desk.store.create_import(undo).await));
    })
    .await;
}

#[tokio::test]
async fn imports_are_listed_newest_first_and_by_file() {
    on_every_store(async |database| {
        let desk = database.desk().await;
        let mut ids = Vec::new();
        for number in 0..5 {
            let mut new = desk.new_import(number, ImportState::Uploaded);
            new.file_hash = [u8::try_from(number % 2).unwrap(); 32];
            ids.insert(0, new.id);
            desk.store.create_import(new).await.unwrap();
        }
        let page = async |before, limit| {
            let imports = desk.store.imports(desk.workspace, before, limit).await;
            imports
                .unwrap()
                .iter()
                .map(|import| import.id)
                .collect::<Vec<_>>()
        };
        assert_eq!(page(None, 10).await, ids);
        assert_eq!(page(None, 2).await, ids[..2]);
        assert_eq!(page(Some(ids[1]), 2).await, ids[2..4]);
        assert_eq!(page(Some(ids[4]), 2).await, []);
        let odd = desk.store.imports_of_file(desk.workspace, [1; 32]).await;
        let odd: Vec<_> = odd.unwrap().iter().map(|import| import.id).collect();
        assert_eq!(odd, [ids[1], ids[3]]);
        let none = desk.store.imports_of_file(desk.workspace, [9; 32]).await;
        assert_eq!(none.unwrap(), []);
        let unknown = Some(ImportId(Uuid::now_v7()));
        assert!(is_missing(
            desk.store.imports(desk.workspace, unknown, 2).await
        ));
    })
    .await;
}

#[tokio::test]
async fn imports_are_found_by_state_source_person_and_name() {
    on_every_store(async |database| {
        let desk = database.desk().await;
        let mut ids = Vec::new();
        for (number, (name, by, state, source)) in [
            ("Gäste März.csv", "ada", ImportState::Uploaded, desk.manual),
            ("guests.xlsx", "ben", ImportState::Queued, desk.manual),
            ("GÄSTE april.csv", "ada", ImportState::Queued, desk.api),
            ("cards.vcf", "ben", ImportState::Uploaded, desk.api),
        ]
        .into_iter()
        .enumerate()
        {
            let mut new = desk.new_import(i64::try_from(number).unwrap(), state);
            new.source = source;
            new.created_by = by.to_owned();
            new.file_name = name.to_owned();
            ids.push(new.id);
            desk.store.create_import(new).await.unwrap();
        }
        let find = async |filter: ImportFilter, before: Option<usize>, limit| -> Vec<usize> {
            let before = before.map(|position| ids[position]);
            let found = desk
                .store
                .imports_like(desk.workspace, filter, before, limit)
                .await
                .unwrap();
            let position = |id| ids.iter().position(|own| *own == id).unwrap();
            found.iter().map(|import| position(import.id)).collect()
        };
        let all = ImportFilter::default;
        assert_eq!(find(all(), None, 10).await, [3, 2, 1, 0]);
        let queued = || ImportFilter {
            states: vec![ImportState::Queued, ImportState::Done],
            ..all()
        };
        assert_eq!(find(queued(), None, 10).await, [2, 1]);
        assert_eq!(find(queued(), Some(2), 10).await, [1]);
        assert_eq!(find(queued(), None, 1).await, [2]);
        let source = Some(desk.api);
        assert_eq!(
            find(ImportFilter { source, ..all() }, None, 10).await,
            [3, 2]
        );
        let created_by = Some("ada".to_owned());
        let by_ada = ImportFilter {
            created_by,
            ..all()
        };
        assert_eq!(find(by_ada.clone(), None, 10).await, [2, 0]);
        let file_name = Some("gäste".to_owned());
        let named = ImportFilter {
            file_name,
            ..by_ada
        };
        assert_eq!(find(named.clone(), None, 10).await, [2, 0]);
        // A page is full of what fits, however much in between does not.
        assert_eq!(find(named.clone(), Some(2), 1).await, [0]);
        let nothing = ImportFilter {
            source: Some(desk.manual),
            ..named
        };
        assert_eq!(find(nothing, Some(0), 10).await, [0_usize; 0]);
        let creators = desk.store.import_creators(desk.workspace).await.unwrap();
        assert_eq!(creators, ["ada", "ben"]);
        let other = desk
            .store
            .import_creators(rollbook_store::WorkspaceId(99))
            .await;
        assert_eq!(other.unwrap(), [""; 0]);
    })
    .await;
}

#[tokio::test]
async fn what_an_import_continues_is_set_while_it_is_uploaded() {
    on_every_store(async |database| {
        let desk = database.desk().await;
        let create = async |state| {
            let new = desk.new_import(1, state);
            desk.store.create_import(new).await.unwrap().id
        };
        let parent = create(ImportState::Queued).await;
        let child = create(ImportState::Uploaded).await;
        let set = async |id, parent| {
            desk.store
                .set_import_parent(desk.workspace, id, parent)
                .await
        };
        assert_eq!(set(child, parent).await.unwrap().parent, Some(parent));
        assert_eq!(desk.import(child).await.parent, Some(parent));
        let conflict = |result| matches!(result, Err(StoreError::Conflict(_)));
        assert!(conflict(set(parent, child).await));
        assert!(conflict(set(child, child).await));
        assert!(is_missing(set(child, ImportId(Uuid::now_v7())).await));
        assert_eq!(desk.import(child).await.parent, Some(parent));
    })
    .await;
}

#[tokio::test]
async fn options_are_set_while_it_is_uploaded() {
    on_every_store(async |database| {
        let desk = database.desk().await;
        let new = desk.new_import(5, ImportState::Uploaded);
        let id = new.id;
        desk.store.create_import(new).await.unwrap();
        let set = async |options: &str, queue| {
            desk.store
                .set_import_options(desk.workspace, id, options.to_owned(), queue)
                .await
        };
        let import = set("{\"a\":1}", false).await.unwrap();
        assert_eq!(import.options.as_deref(), Some("{\"a\":1}"));
        assert_eq!(import.state, ImportState::Uploaded);
        let import = set("{\"b\":1}", true).await.unwrap();
        assert_eq!(import.options.as_deref(), Some("{\"b\":1}"));
        assert_eq!(import.state, ImportState::Queued);
        let late = set("{}", false).await;
        assert!(matches!(late, Err(StoreError::Conflict(_))));
        assert_eq!(desk.import(id).await, import);
        let unknown = ImportId(Uuid::now_v7());
        let missing = desk.store;
        assert!(is_missing(
            missing
                .set_import_options(desk.workspace, unknown, String::new(), true)
                .await
        ));
    })
    .await;
}

#[tokio::test]
async fn a_queued_import_is_claimed_once_until_its_lease_expires() {
    on_every_store(async |database| {
        let desk = database.desk().await;
        let waiting = desk.new_import(1, ImportState::Uploaded);
        desk.store.create_import(waiting).await.unwrap();
        let claim = async |now| {
            desk.store
                .claim_import(None, Timestamp(now), LEASE)
                .await
                .unwrap()
        };
        assert_eq!(claim(2).await, None);
        let first = desk.new_import(2, ImportState::Queued);
        let second = desk.new_import(2, ImportState::Queued);
        let ids = [first.id, second.id];
        desk.store.create_import(first).await.unwrap();
        desk.store.create_import(second).await.unwrap();
        let (import, lease) = claim(10).await.unwrap();
        assert_eq!((import.id, import.state), (ids[0], ImportState::Running));
        assert_eq!(import.started_at, Some(Timestamp(10)));
        let (import, _) = claim(11).await.unwrap();
        assert_eq!(import.id, ids[1]);
        assert_eq!(claim(10 + LEASE - 1).await, None);
        let (import, newer) = claim(10 + LEASE).await.unwrap();
        assert_eq!(import.id, ids[0]);
        assert_eq!(import.started_at, Some(Timestamp(10)), "the first worker's");
        assert_ne!(newer, lease);
        let (import, _) = claim(11 + LEASE).await.unwrap();
        assert_eq!(import.id, ids[1]);
    })
    .await;
}

#[tokio::test]
async fn one_import_can_be_claimed_by_name() {
    on_every_store(async |database| {
        let desk = database.desk().await;
        let first = desk.new_import(2, ImportState::Queued);
        let second = desk.new_import(2, ImportState::Queued);
        let wanted = Some((desk.workspace, second.id));
        desk.store.create_import(first).await.unwrap();
        desk.store.create_import(second.clone()).await.unwrap();
        let claimed = desk.store.claim_import(wanted, Timestamp(3), LEASE).await;
        assert_eq!(claimed.unwrap().unwrap().0.id, second.id);
        let claimed = desk.store.claim_import(wanted, Timestamp(3), LEASE).await;
        assert_eq!(claimed.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn a_renewed_lease_is_not_claimed_by_another() {
    on_every_store(async |database| {
        let desk = database.desk().await;
        let (import, lease) = desk.running_import(10).await;
        let renew = async |lease, now| {
            desk.store
                .renew_lease(desk.workspace, import.id, lease, Timestamp(now), LEASE)
                .await
        };
        assert!(renew(lease, 900).await.unwrap());
        let claim = async |now| {
            let claimed = desk.store.claim_import(None, Timestamp(now), LEASE).await;
            claimed.unwrap().map(|(_, lease)| lease)
        };
        assert_eq!(claim(10 + LEASE).await, None);
        // Every batch renews it as well.
        let batch = desk.manual_batch(1_800, rows(0, [guest(1)]));
        let committed = desk
            .store
            .commit_import_batch(batch, step(&import, lease, 0))
            .await;
        committed.unwrap();
        assert_eq!(claim(900 + LEASE).await, None);
        let newer = claim(1_800 + LEASE).await.unwrap();
        assert!(lease_is_lost(renew(lease, 3_000).await));
        assert!(renew(newer, 3_000).await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn a_batch_moves_cursor_and_totals_with_its_attempts() {
    on_every_store(async |database| {
        let desk = database.desk().await;
        let (import, lease) = desk.running_import(10).await;
        let empty = candidate(&[]);
        let city = candidate(&[(FieldId::CITY, "Bonn")]);
        let records = [guest(1), guest(2), guest(1), empty, city.clone(), city];
        let batch = desk.manual_batch(20, rows(0, records));
        let totals = desk
            .store
            .commit_import_batch(batch, step(&import, lease, 0))
            .await
            .unwrap();
        let expected = Totals {
            records: 6,
            created: 4,
            updated: 1,
            unchanged: 1,
            removed: 0,
            warnings: 0,
            failed: 1,
        };
        assert_eq!(totals, expected);
        let stored = desk.import(import.id).await;
        assert_eq!((stored.cursor, stored.totals), (6, expected));
        assert_eq!(stored.without_identifier, 2);
        let batch = desk.manual_batch(30, rows(6, [guest(2), guest(3)]));
        desk.store
            .commit_import_batch(batch, step(&import, lease, 6))
            .await
            .unwrap();
        let stored = desk.import(import.id).await;
        assert_eq!((stored.cursor, stored.totals.records), (8, 8));
        assert_eq!((stored.totals.created, stored.totals.updated), (5, 2));

        let log = desk.log().await;
        assert_eq!(log.len(), 8);
        assert!(log.iter().all(|attempt| attempt.import == Some(import.id)));
        assert!(log.iter().all(|attempt| attempt.source == desk.manual));
        let rows: Vec<_> = log.iter().filter_map(|attempt| attempt.row).collect();
        assert_eq!(rows, [1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(log[6].contact, Some(ContactId(2)));
    })
    .await;
}

#[tokio::test]
async fn a_batch_with_a_stale_lease_or_cursor_writes_nothing() {
    on_every_store(async |database| {
        let desk = database.desk().await;
        let (import, lease) = desk.running_import(10).await;
        let commit = async |lease, cursor, number| {
            let batch = desk.manual_batch(20, rows(cursor, [guest(number)]));
            desk.store
                .commit_import_batch(batch, step(&import, lease, cursor))
                .await
        };
        commit(lease, 0, 1).await.unwrap();
        // The same batch once more, as a worker would that did not hear the answer.
        assert!(lease_is_lost(commit(lease, 0, 1).await));
        assert!(lease_is_lost(commit(lease, 2, 2).await));
        let (_, newer) = desk
            .store
            .claim_import(None, Timestamp(20 + LEASE), LEASE)
            .await
            .unwrap()
            .unwrap();
        assert!(lease_is_lost(commit(lease, 1, 2).await));
        assert_eq!(desk.log().await.len(), 1);
        assert_eq!(desk.import(import.id).await.cursor, 1);
        // The newer one goes on where the older one stopped.
        commit(newer, 1, 2).await.unwrap();
        assert_eq!(desk.import(import.id).await.cursor, 2);
        assert_eq!(desk.store.count_contacts(desk.workspace).await.unwrap(), 2);
        let mut unknown = step(&import, newer, 2);
        unknown.import = ImportId(Uuid::now_v7());
        let batch = desk.manual_batch(20, rows(2, [guest(3)]));
        assert!(is_missing(
            desk.store.commit_import_batch(batch, unknown).await
        ));
    })
    .await;
}

#[tokio::test]
async fn a_killed_import_goes_on_at_its_cursor_in_another_process() {
    on_every_store(async |database| {
        let desk = database.desk().await;
        let (import, lease) = desk.running_import(10).await;
        for cursor in [0, 2] {
            let batch = desk.manual_batch(20, rows(cursor, [guest(cursor), guest(cursor + 1)]));
            desk.store
                .commit_import_batch(batch, step(&import, lease, cursor))
                .await
                .unwrap();
        }
        let successor = desk.through(database.open().await);
        drop(desk);
        let (claimed, lease) = successor
            .store
            .claim_import(None, Timestamp(20 + LEASE), LEASE)
            .await
            .unwrap()
            .unwrap();
        assert_eq!((claimed.id, claimed.cursor), (import.id, 4));
        let batch = successor.manual_batch(40, rows(4, [guest(4)]));
        successor
            .store
            .commit_import_batch(batch, step(&import, lease, 4))
            .await
            .unwrap();
        let rows: Vec<_> = successor.log().await.iter().map(|a| a.row).collect();
        assert_eq!(rows, [Some(1), Some(2), Some(3), Some(4), Some(5)]);
        let count = successor.store.count_contacts(successor.workspace).await;
        assert_eq!(count.unwrap(), 5);
    })
    .await;
}

#[tokio::test]
async fn batches_handed_in_ahead_are_committed_in_order() {
    on_every_store(async |database| {
        let desk = database.desk().await;
        let (import, lease) = desk.running_import(10).await;
        let batch = |cursor| desk.manual_batch(20, rows(cursor, [guest(cursor)]));
        let commit = |cursor| {
            let step = step(&import, lease, cursor);
            desk.store.commit_import_batch(batch(cursor), step)
        };
        let (first, second, third) = tokio::join!(commit(0), commit(1), commit(2));
        first.unwrap();
        second.unwrap();
        third.unwrap();
        assert_eq!(desk.import(import.id).await.cursor, 3);
    })
    .await;
}

#[tokio::test]
async fn an_import_ends_once() {
    on_every_store(async |database| {
        let desk = database.desk().await;
        let (import, lease) = desk.running_import(10).await;
        desk.store
            .set_expected_records(desk.workspace, import.id, lease, 77)
            .await
            .unwrap();
        let finish = async |lease, state, error: Option<&str>| {
            desk.store
                .finish_import(
                    desk.workspace,
                    import.id,
                    lease,
                    state,
                    error.map(str::to_owned),
                    Timestamp(50),
                )
                .await
        };
        let odd = finish(lease, ImportState::Queued, None).await;
        assert!(matches!(odd, Err(StoreError::Conflict(_))));
        assert!(lease_is_lost(
            finish(Lease(lease.0 + 1), ImportState::Done, None).await
        ));
        let failed = finish(lease, ImportState::Failed, Some("line 3")).await;
        let failed = failed.unwrap();
        assert_eq!(failed.state, ImportState::Failed);
        assert_eq!(failed.error.as_deref(), Some("line 3"));
        assert_eq!(failed.finished_at, Some(Timestamp(50)));
        assert_eq!(failed.expected_records, Some(77));
        assert_eq!(desk.import(import.id).await, failed);

        assert!(lease_is_lost(finish(lease, ImportState::Done, None).await));
        let batch = desk.manual_batch(60, rows(0, [guest(1)]));
        assert!(lease_is_lost(
            desk.store
                .commit_import_batch(batch, step(&import, lease, 0))
                .await
        ));
        assert!(lease_is_lost(
            desk.store
                .set_expected_records(desk.workspace, import.id, lease, 1)
                .await
        ));
        let claimed = desk
            .store
            .claim_import(None, Timestamp(99_999), LEASE)
            .await;
        assert_eq!(claimed.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn a_waiting_import_is_cancelled_at_once_a_running_one_is_asked() {
    on_every_store(async |database| {
        let desk = database.desk().await;
        let cancel = async |id| {
            desk.store
                .cancel_import(desk.workspace, id, Timestamp(30))
                .await
        };
        for state in [ImportState::Uploaded, ImportState::Queued] {
            let new = desk.new_import(1, state);
            let id = new.id;
            desk.store.create_import(new).await.unwrap();
            let cancelled = cancel(id).await.unwrap();
            assert_eq!(cancelled.state, ImportState::Cancelled);
            assert_eq!(cancelled.finished_at, Some(Timestamp(30)));
            assert!(cancelled.cancel_requested);
            assert_eq!(desk.import(id).await, cancelled);
        }
        let (import, lease) = desk.running_import(10).await;
        let asked = cancel(import.id).await.unwrap();
        assert_eq!(asked.state, ImportState::Running);
        assert!(asked.cancel_requested);
        assert_eq!(desk.import(import.id).await, asked);
        let go_on = desk
            .store
            .renew_lease(desk.workspace, import.id, lease, Timestamp(40), LEASE)
            .await;
        assert!(!go_on.unwrap());
        let finished = desk
            .store
            .finish_import(
                desk.workspace,
                import.id,
                lease,
                ImportState::Done,
                None,
                Timestamp(50),
            )
            .await
            .unwrap();
        // Too late to cancel: it stays as it ended.
        assert_eq!(cancel(import.id).await.unwrap(), finished);
        assert!(is_missing(cancel(ImportId(Uuid::now_v7())).await));
    })
    .await;
}
