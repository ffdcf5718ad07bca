use rollbook_engine::policy::Mode;
use rollbook_engine::schema::FieldId;
use rollbook_store::log::ResultCounts;
use rollbook_store::sources::{NewSource, SourceId};
use rollbook_store::{StoreError, Timestamp, WorkspaceId};

use crate::harness::{
    candidate, delivery, exists_already, guest, is_missing, on_every_store, settings, source,
};

#[tokio::test]
async fn a_source_is_made_once_by_name_and_listed_by_name() {
    on_every_store(async |database| {
        let desk = database.desk().await;
        let (store, workspace) = (&desk.store, desk.workspace);
        let new = NewSource {
            name: "aaa-pms".to_owned(),
            label: "The PMS".to_owned(),
            mode: Mode::Automatic,
            namespace: "pms".to_owned(),
            region: Some("CH".to_owned()),
            mapping: Some("{}".to_owned()),
        };
        let made = store
            .add_source(workspace, new.clone(), Timestamp(9))
            .await
            .unwrap();
        assert_eq!(made.settings, new);
        assert_eq!(
            (made.paused, made.created_at, made.last_received_at),
            (false, Timestamp(9), None)
        );
        assert!(exists_already(
            store.add_source(workspace, new.clone(), Timestamp(9)).await
        ));
        assert!(is_missing(
            store.add_source(WorkspaceId(99), new, Timestamp(9)).await
        ));
        let found = store.source(workspace, "aaa-pms").await.unwrap();
        assert_eq!(found, Some(made));
        assert_eq!(store.source(workspace, "zzz").await.unwrap(), None);
        let names: Vec<String> = store
            .sources(workspace)
            .await
            .unwrap()
            .into_iter()
            .map(|source| source.settings.name)
            .collect();
        assert_eq!(names, ["aaa-pms", "api", "manual"]);
        let other = store
            .add_workspace(settings("Clinic"), Timestamp(1))
            .await
            .unwrap();
        assert_eq!(store.source(other.id, "aaa-pms").await.unwrap(), None);
        store
            .add_source(other.id, source("aaa-pms"), Timestamp(1))
            .await
            .unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_source_is_paused_resumed_and_told_anew_but_keeps_its_name() {
    on_every_store(async |database| {
        let desk = database.desk().await;
        let (store, workspace) = (&desk.store, desk.workspace);
        store
            .set_source_paused(workspace, desk.api, true)
            .await
            .unwrap();
        let api = store.source(workspace, "api").await.unwrap().unwrap();
        assert!(api.paused);
        let told = NewSource {
            name: "other".to_owned(),
            label: "New label".to_owned(),
            mode: Mode::Manual,
            namespace: "pms".to_owned(),
            region: Some("FR".to_owned()),
            mapping: Some("{\"a\":1}".to_owned()),
        };
        let updated = store
            .update_source(workspace, desk.api, told.clone())
            .await
            .unwrap();
        assert_eq!(
            updated.settings,
            NewSource {
                name: "api".to_owned(),
                ..told.clone()
            }
        );
        assert!(updated.paused);
        store
            .set_source_paused(workspace, desk.api, false)
            .await
            .unwrap();
        let api = store.source(workspace, "api").await.unwrap().unwrap();
        assert!(!api.paused);
        assert!(is_missing(
            store.set_source_paused(workspace, SourceId(99), true).await
        ));
        assert!(is_missing(
            store.update_source(workspace, SourceId(99), told).await
        ));
    })
    .await;
}

#[tokio::test]
async fn a_source_counts_what_came_of_its_deliveries() {
    on_every_store(async |database| {
        let desk = database.desk().await;
        let nobody = candidate(&[(FieldId::CITY, "Bonn")]);
        desk.deliver(
            100,
            vec![delivery(guest(1)), delivery(guest(1)), delivery(nobody)],
        )
        .await;
        // Phone of 1, email of 2: a warning.
        desk.deliver_one(200, guest(2)).await;
        let mixed = candidate(&[
            (FieldId::PHONE, "+49300000001"),
            (FieldId::EMAIL, "guest2@example.com"),
        ]);
        desk.deliver_one(150, mixed).await;
        let api = desk.store.source(desk.workspace, "api").await.unwrap();
        let api = api.unwrap();
        assert_eq!(
            api.counts,
            ResultCounts {
                success: 3,
                warning: 1,
                failure: 1
            }
        );
        assert_eq!(api.counts.all(), 5);
        assert_eq!(api.last_received_at, Some(Timestamp(200)));
        let manual = desk.store.source(desk.workspace, "manual").await.unwrap();
        assert_eq!(manual.unwrap().counts, ResultCounts::default());
    })
    .await;
}

#[tokio::test]
async fn a_key_is_found_by_its_hash_touched_by_the_minute_and_revoked_once() {
    on_every_store(async |database| {
        let desk = database.desk().await;
        let (store, workspace) = (&desk.store, desk.workspace);
        let key = store
            .add_key(
                workspace,
                Some(desk.api),
                "PMS",
                "rb_ab",
                [1; 32],
                Timestamp(5),
            )
            .await
            .unwrap();
        assert_eq!(
            (key.name.as_str(), key.prefix.as_str(), key.source),
            ("PMS", "rb_ab", Some(desk.api))
        );
        assert_eq!((key.last_used_at, key.revoked_at), (None, None));
        assert_eq!(store.key_by_hash([1; 32]).await.unwrap(), Some(key.clone()));
        assert_eq!(store.key_by_hash([2; 32]).await.unwrap(), None);

        let last_used = async || {
            let key = store.key_by_hash([1; 32]).await.unwrap().unwrap();
            key.last_used_at
        };
        store
            .touch_key(workspace, key.id, Timestamp(150_000))
            .await
            .unwrap();
        assert_eq!(last_used().await, Some(Timestamp(120_000)));
        store
            .touch_key(workspace, key.id, Timestamp(90_000))
            .await
            .unwrap();
        assert_eq!(last_used().await, Some(Timestamp(120_000)));

        let second = store
            .add_key(workspace, None, "Admin", "rb_cd", [2; 32], Timestamp(6))
            .await
            .unwrap();
        let ids: Vec<u32> = store
            .keys(workspace)
            .await
            .unwrap()
            .iter()
            .map(|key| key.id)
            .collect();
        assert_eq!(ids, [second.id, key.id]);

        let revoked = store
            .revoke_key(workspace, key.id, Timestamp(7))
            .await
            .unwrap();
        assert_eq!(revoked.revoked_at, Some(Timestamp(7)));
        let again = store
            .revoke_key(workspace, key.id, Timestamp(8))
            .await
            .unwrap();
        assert_eq!(again.revoked_at, Some(Timestamp(7)));
        let found = store.key_by_hash([1; 32]).await.unwrap().unwrap();
        assert_eq!(found.revoked_at, Some(Timestamp(7)));
    })
    .await;
}

#[tokio::test]
async fn a_key_is_replaced_once_and_the_old_one_ends_later() {
    on_every_store(async |database| {
        let desk = database.desk().await;
        let (store, workspace) = (&desk.store, desk.workspace);
        let old = store
            .add_key(
                workspace,
                Some(desk.api),
                "PMS",
                "rb_ab",
                [1; 32],
                Timestamp(5),
            )
            .await
            .unwrap();
        assert!(old.is_valid(Timestamp(1_000_000)));
        let rotate = async |id: u32, byte: u8| {
            let (now, until) = (Timestamp(10), Timestamp(20));
            let rotated = store.rotate_key(workspace, id, "rb_cd", [byte; 32], now, until);
            rotated.await
        };
        assert!(is_missing(rotate(99, 2).await));
        let new = rotate(old.id, 2).await.unwrap();
        assert_eq!(
            (new.name.as_str(), new.prefix.as_str(), new.source),
            ("PMS", "rb_cd", Some(desk.api))
        );
        assert_eq!((new.created_at, new.expires_at), (Timestamp(10), None));
        let old = store.key_by_hash([1; 32]).await.unwrap().unwrap();
        assert_eq!(old.expires_at, Some(Timestamp(20)));
        assert!(old.is_valid(Timestamp(19)) && !old.is_valid(Timestamp(20)));
        let again = rotate(old.id, 3).await.err();
        assert!(matches!(again, Some(StoreError::Conflict(_))), "{again:?}");
        assert_eq!(store.key_by_hash([3; 32]).await.unwrap(), None);
        store
            .revoke_key(workspace, new.id, Timestamp(11))
            .await
            .unwrap();
        let revoked = rotate(new.id, 3).await.err();
        assert!(
            matches!(revoked, Some(StoreError::Conflict(_))),
            "{revoked:?}"
        );
    })
    .await;
}

#[tokio::test]
async fn keys_need_their_source_and_their_own_hash() {
    on_every_store(async |database| {
        let desk = database.desk().await;
        let (store, workspace) = (&desk.store, desk.workspace);
        let add = async |source, hash| {
            store
                .add_key(workspace, source, "A", "rb_", [hash; 32], Timestamp(1))
                .await
        };
        assert!(is_missing(add(Some(SourceId(99)), 1).await));
        add(None, 1).await.unwrap();
        assert!(exists_already(add(None, 1).await));
        assert!(is_missing(
            store.touch_key(workspace, 99, Timestamp(1)).await
        ));
        assert!(is_missing(
            store.revoke_key(workspace, 99, Timestamp(1)).await
        ));
    })
    .await;
}
