use rollbook_store::accounts::Role;
use rollbook_store::{Timestamp, WorkspaceId};

use crate::harness::{exists_already, is_missing, on_every_store, settings};

#[tokio::test]
async fn a_person_is_found_by_email_in_any_case() {
    on_every_store(async |database| {
        let desk = database.desk().await;
        let store = &desk.store;
        let added = store
            .add_user(
                desk.workspace,
                "Ada@Example.com",
                "Ada",
                Role::Admin,
                "$argon2id$1",
                Timestamp(5),
            )
            .await
            .unwrap();
        assert_eq!(added.email, "ada@example.com");
        assert_eq!(
            (added.role, added.created_at, added.workspace),
            (Role::Admin, Timestamp(5), desk.workspace)
        );
        let found = store.user_by_email("ADA@example.com").await.unwrap();
        assert_eq!(found, Some(added));
        assert_eq!(store.user_by_email("bob@example.com").await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn an_email_is_used_once_in_the_installation() {
    on_every_store(async |database| {
        let desk = database.desk().await;
        let store = &desk.store;
        let other = store
            .add_workspace(settings("Clinic"), Timestamp(1))
            .await
            .unwrap();
        let add = async |workspace, email| {
            store
                .add_user(workspace, email, "A", Role::Viewer, "x", Timestamp(1))
                .await
        };
        add(desk.workspace, "a@example.com").await.unwrap();
        assert!(exists_already(add(other.id, "A@example.com").await));
        assert!(is_missing(add(WorkspaceId(99), "b@example.com").await));
        add(desk.workspace, "0@example.com").await.unwrap();
        let emails: Vec<String> = store
            .users(desk.workspace)
            .await
            .unwrap()
            .into_iter()
            .map(|user| user.email)
            .collect();
        assert_eq!(emails, ["0@example.com", "a@example.com"]);
        assert_eq!(store.users(other.id).await.unwrap(), []);
    })
    .await;
}

#[tokio::test]
async fn sessions_end_at_their_time_by_request_and_with_the_password() {
    on_every_store(async |database| {
        let desk = database.desk().await;
        let (store, workspace) = (&desk.store, desk.workspace);
        let user = store
            .add_user(
                workspace,
                "a@example.com",
                "A",
                Role::Viewer,
                "x",
                Timestamp(1),
            )
            .await
            .unwrap();
        for token in 1..=3 {
            store
                .add_session([token; 32], user.id, Timestamp(10), Timestamp(20))
                .await
                .unwrap();
        }
        let who = async |token, now| {
            let user = store
                .session_user([token; 32], Timestamp(now))
                .await
                .unwrap();
            user.map(|user| user.email)
        };
        assert_eq!(who(1, 19).await.as_deref(), Some("a@example.com"));
        assert_eq!(who(1, 20).await, None);
        assert_eq!(who(9, 10).await, None);
        store.end_session([1; 32]).await.unwrap();
        assert_eq!(who(1, 11).await, None);
        assert!(who(2, 11).await.is_some());
        store
            .set_password(workspace, "a@example.com", "y")
            .await
            .unwrap();
        assert_eq!(who(2, 11).await, None);
        let hash = store.user_by_email("a@example.com").await.unwrap().unwrap();
        assert_eq!(hash.password_hash, "y");
        assert!(is_missing(
            store
                .add_session([4; 32], 999, Timestamp(1), Timestamp(2))
                .await
        ));
    })
    .await;
}

#[tokio::test]
async fn a_person_changes_role_and_leaves_with_their_sessions() {
    on_every_store(async |database| {
        let desk = database.desk().await;
        let (store, workspace) = (&desk.store, desk.workspace);
        let other = store
            .add_workspace(settings("Clinic"), Timestamp(1))
            .await
            .unwrap();
        let user = store
            .add_user(
                workspace,
                "a@example.com",
                "A",
                Role::Viewer,
                "x",
                Timestamp(1),
            )
            .await
            .unwrap();
        store
            .set_role(workspace, "A@example.com", Role::Importer)
            .await
            .unwrap();
        let role = store.user_by_email("a@example.com").await.unwrap().unwrap();
        assert_eq!(role.role, Role::Importer);
        store
            .add_session([1; 32], user.id, Timestamp(1), Timestamp(20))
            .await
            .unwrap();

        assert!(is_missing(
            store.remove_user(other.id, "a@example.com").await
        ));
        assert!(is_missing(
            store.set_role(other.id, "a@example.com", Role::Admin).await
        ));
        assert!(is_missing(
            store.set_password(other.id, "a@example.com", "z").await
        ));
        let there = store.session_user([1; 32], Timestamp(2)).await.unwrap();
        assert!(there.is_some());

        store.remove_user(workspace, "a@example.com").await.unwrap();
        assert_eq!(store.user_by_email("a@example.com").await.unwrap(), None);
        let there = store.session_user([1; 32], Timestamp(2)).await.unwrap();
        assert_eq!(there, None);
        let again = store
            .add_user(
                workspace,
                "b@example.com",
                "B",
                Role::Viewer,
                "x",
                Timestamp(1),
            )
            .await
            .unwrap();
        assert_ne!(again.id, user.id, "a number is never given twice");
    })
    .await;
}
