use rollbook_store::imports::ImportId;
use rollbook_store::profiles::{Profile, Remembered};
use rollbook_store::sources::SourceId;
use rollbook_store::{Timestamp, WorkspaceId};
use uuid::Uuid;

use crate::harness::{exists_already, is_missing, on_every_store, settings};

fn profile(name: &str, options: &str) -> Profile {
    Profile {
        name: name.to_owned(),
        header: [7; 32],
        options: options.to_owned(),
        saved_by: "anna@example.com".to_owned(),
        saved_at: Timestamp(5),
    }
}

#[tokio::test]
async fn profiles_are_saved_renamed_and_forgotten_by_name() {
    on_every_store(async |database| {
        let desk = database.desk().await;
        let (store, workspace) = (&desk.store, desk.workspace);
        let other = store
            .add_workspace(settings("Clinic"), Timestamp(1))
            .await
            .unwrap();
        for name in ["Weekly list", "Fair"] {
            let saved = store.save_profile(workspace, profile(name, "{}")).await;
            saved.unwrap();
        }
        store
            .save_profile(workspace, profile("Fair", "{\"a\":1}"))
            .await
            .unwrap();
        let found = store.profiles(workspace).await.unwrap();
        assert_eq!(
            found,
            [profile("Fair", "{\"a\":1}"), profile("Weekly list", "{}")]
        );
        assert_eq!(store.profiles(other.id).await.unwrap(), []);
        assert_eq!(store.profile(other.id, "Fair").await.unwrap(), None);

        let renamed = store.rename_profile(workspace, "Fair", "Weekly list").await;
        assert!(exists_already(renamed));
        let renamed = store.rename_profile(workspace, "Fair", "Autumn fair").await;
        renamed.unwrap();
        assert_eq!(store.profile(workspace, "Fair").await.unwrap(), None);
        let found = store.profile(workspace, "Autumn fair").await.unwrap();
        assert_eq!(found, Some(profile("Autumn fair", "{\"a\":1}")));
        assert!(is_missing(
            store.rename_profile(workspace, "Fair", "x").await
        ));
        assert!(is_missing(
            store.delete_profile(other.id, "Autumn fair").await
        ));
        store
            .delete_profile(workspace, "Autumn fair")
            .await
            .unwrap();
        assert!(is_missing(
            store.delete_profile(workspace, "Autumn fair").await
        ));
        let nowhere = store
            .save_profile(WorkspaceId(99), profile("x", "{}"))
            .await;
        assert!(is_missing(nowhere));
    })
    .await;
}

#[tokio::test]
async fn the_last_mapping_is_remembered_for_each_source_and_set_of_columns() {
    on_every_store(async |database| {
        let desk = database.desk().await;
        let (store, workspace) = (&desk.store, desk.workspace);
        let used = |options: &str, at: i64| Remembered {
            import: ImportId(Uuid::from_u128(9)),
            options: options.to_owned(),
            file_name: "guests.csv".to_owned(),
            used_by: "anna@example.com".to_owned(),
            used_at: Timestamp(at),
        };
        let (manual, api) = (SourceId(1), SourceId(2));
        for (source, header, used) in [
            (manual, [1; 32], used("a", 1)),
            (manual, [2; 32], used("b", 2)),
            (api, [1; 32], used("c", 3)),
            (manual, [1; 32], used("d", 4)),
        ] {
            store
                .remember_mapping(workspace, source, header, used)
                .await
                .unwrap();
        }
        let remembered = async |source, header| {
            store
                .remembered_mapping(workspace, source, header)
                .await
                .unwrap()
        };
        assert_eq!(remembered(manual, [1; 32]).await, Some(used("d", 4)));
        assert_eq!(remembered(manual, [2; 32]).await, Some(used("b", 2)));
        assert_eq!(remembered(api, [1; 32]).await, Some(used("c", 3)));
        assert_eq!(remembered(api, [2; 32]).await, None);
    })
    .await;
}
