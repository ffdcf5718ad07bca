use rollbook_store::accounts::{Member, Role};
use rollbook_store::identities::Identity;
use rollbook_store::sessions::NewSession;
use rollbook_store::{AnyStore, StoreError, Timestamp, WorkspaceId};

use crate::harness::{exists_already, is_missing, on_every_store, settings};

async fn add(store: &AnyStore, workspace: WorkspaceId, email: &str, role: Role) -> Member {
    store
        .add_user(workspace, email, "A", role, "x", Timestamp(1))
        .await
        .unwrap()
}

/// A session from time 10 to 20.
fn session(user: u32, token: u8) -> NewSession {
    NewSession {
        token_hash: [token; 32],
        user,
        address: "192.0.2.7".to_owned(),
        device: "Firefox".to_owned(),
        now: Timestamp(10),
        expires_at: Timestamp(20),
    }
}

/// Email, workspace and role of who a session belongs to.
async fn who(store: &AnyStore, token: u8, now: i64) -> Option<(String, u32, Role)> {
    let found = store.session([token; 32], Timestamp(now)).await.unwrap()?;
    let member = found.member;
    Some((member.user.email, member.workspace.0, member.role))
}

fn is_conflict<T>(outcome: Result<T, StoreError>) -> bool {
    matches!(outcome.err(), Some(StoreError::Conflict(_)))
}

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
        assert_eq!(added.user.email, "ada@example.com");
        assert_eq!(
            (added.role, added.joined_at, added.workspace),
            (Role::Admin, Timestamp(5), desk.workspace)
        );
        let found = store.user_by_email("ADA@example.com").await.unwrap();
        assert_eq!(found, Some(added.user));
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
            .map(|member| member.user.email)
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
        let user = add(store, workspace, "a@example.com", Role::Viewer)
            .await
            .user;
        let other = add(store, workspace, "b@example.com", Role::Viewer)
            .await
            .user;
        for token in 1..=4 {
            store.add_session(session(user.id, token)).await.unwrap();
        }
        let viewer = Some(("a@example.com".to_owned(), workspace.0, Role::Viewer));
        assert_eq!(who(store, 1, 19).await, viewer);
        assert_eq!(who(store, 1, 20).await, None);
        assert_eq!(who(store, 9, 10).await, None);
        store.end_session([1; 32]).await.unwrap();
        assert_eq!(who(store, 1, 11).await, None);

        assert!(is_missing(store.end_session_of(other.id, [2; 32]).await));
        assert_eq!(who(store, 2, 11).await, viewer);
        store.end_session_of(user.id, [2; 32]).await.unwrap();
        assert_eq!(who(store, 2, 11).await, None);

        store
            .set_password(user.id, "y", Some([3; 32]))
            .await
            .unwrap();
        assert_eq!(who(store, 3, 11).await, viewer, "the one that is kept");
        assert_eq!(who(store, 4, 11).await, None);
        store.set_password(user.id, "z", None).await.unwrap();
        assert_eq!(who(store, 3, 11).await, None);
        let found = store.user_by_email("a@example.com").await.unwrap().unwrap();
        assert_eq!(found.password_hash, "z");
        assert!(is_missing(store.add_session(session(999, 5)).await));
        assert!(is_missing(store.set_password(999, "z", None).await));
    })
    .await;
}

#[tokio::test]
async fn sessions_are_listed_with_where_they_come_from() {
    on_every_store(async |database| {
        let desk = database.desk().await;
        let store = &desk.store;
        let user = add(store, desk.workspace, "a@example.com", Role::Admin)
            .await
            .user;
        for token in 1..=2 {
            store.add_session(session(user.id, token)).await.unwrap();
        }
        store
            .touch_session([1; 32], "192.0.2.9", Timestamp(60_017))
            .await
            .unwrap();
        let listed = store.sessions(user.id, Timestamp(19)).await.unwrap();
        let told: Vec<_> = listed
            .iter()
            .map(|session| {
                (
                    session.token_hash[0],
                    session.address.as_str(),
                    session.seen_at.0,
                )
            })
            .collect();
        assert_eq!(told, [(1, "192.0.2.9", 60_000), (2, "192.0.2.7", 10)]);
        assert_eq!(listed[0].device, "Firefox");
        assert_eq!(listed[0].created_at, Timestamp(10));
        assert_eq!(store.sessions(user.id, Timestamp(20)).await.unwrap(), []);
    })
    .await;
}

#[tokio::test]
async fn a_person_works_in_each_of_their_workspaces_with_the_role_of_that_one() {
    on_every_store(async |database| {
        let desk = database.desk().await;
        let (store, hotel) = (&desk.store, desk.workspace);
        let mut made = Vec::new();
        for name in ["Clinic", "Spa"] {
            made.push(
                store
                    .add_workspace(settings(name), Timestamp(1))
                    .await
                    .unwrap()
                    .id,
            );
        }
        let (clinic, spa) = (made[0], made[1]);
        let user = add(store, hotel, "a@example.com", Role::Viewer).await.user;
        let joined = store
            .add_member(clinic, "A@example.com", Role::Admin, Timestamp(7))
            .await
            .unwrap();
        assert_eq!((joined.user.id, joined.role), (user.id, Role::Admin));
        let again = store.add_member(clinic, "a@example.com", Role::Viewer, Timestamp(8));
        assert!(exists_already(again.await));
        let nobody = store.add_member(clinic, "b@example.com", Role::Viewer, Timestamp(8));
        assert!(is_missing(nobody.await));

        store.add_session(session(user.id, 1)).await.unwrap();
        let role = async |token| who(store, token, 11).await.map(|(_, at, role)| (at, role));
        assert_eq!(role(1).await, Some((hotel.0, Role::Viewer)));
        store.switch_session([1; 32], clinic).await.unwrap();
        assert_eq!(role(1).await, Some((clinic.0, Role::Admin)));
        assert!(is_missing(store.switch_session([1; 32], spa).await));
        assert_eq!(role(1).await, Some((clinic.0, Role::Admin)));
        let all = store.memberships(user.id).await.unwrap();
        let all: Vec<_> = all.iter().map(|one| (one.workspace, one.role)).collect();
        assert_eq!(all, [(hotel, Role::Viewer), (clinic, Role::Admin)]);

        // The next session begins where the last one was.
        store.add_session(session(user.id, 2)).await.unwrap();
        assert_eq!(role(2).await, Some((clinic.0, Role::Admin)));

        add(store, clinic, "c@example.com", Role::Admin).await;
        store.remove_user(clinic, "a@example.com").await.unwrap();
        assert_eq!(role(2).await, None, "their sessions end");
        store.add_session(session(user.id, 3)).await.unwrap();
        assert_eq!(role(3).await, Some((hotel.0, Role::Viewer)));
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
        let user = add(store, workspace, "a@example.com", Role::Viewer)
            .await
            .user;
        store
            .set_role(workspace, "A@example.com", Role::Importer)
            .await
            .unwrap();
        store.add_session(session(user.id, 1)).await.unwrap();
        let role = who(store, 1, 11).await.map(|(_, _, role)| role);
        assert_eq!(role, Some(Role::Importer));

        assert!(is_missing(
            store.remove_user(other.id, "a@example.com").await
        ));
        assert!(is_missing(
            store.set_role(other.id, "a@example.com", Role::Admin).await
        ));
        assert!(who(store, 1, 12).await.is_some());

        store.remove_user(workspace, "a@example.com").await.unwrap();
        assert_eq!(store.user_by_email("a@example.com").await.unwrap(), None);
        assert_eq!(who(store, 1, 12).await, None);
        let again = add(store, workspace, "b@example.com", Role::Viewer)
            .await
            .user;
        assert_ne!(again.id, user.id, "a number is never given twice");
    })
    .await;
}

#[tokio::test]
async fn a_workspace_keeps_an_admin() {
    on_every_store(async |database| {
        let desk = database.desk().await;
        let (store, workspace) = (&desk.store, desk.workspace);
        assert!(!store.has_users().await.unwrap());
        add(store, workspace, "a@example.com", Role::Admin).await;
        add(store, workspace, "b@example.com", Role::Viewer).await;
        assert!(store.has_users().await.unwrap());
        let demote = async || {
            store
                .set_role(workspace, "a@example.com", Role::Viewer)
                .await
        };
        let remove = async || store.remove_user(workspace, "a@example.com").await;
        assert!(is_conflict(demote().await));
        assert!(is_conflict(remove().await));
        let people = store.users(workspace).await.unwrap();
        assert_eq!(people[0].role, Role::Admin);
        store
            .set_role(workspace, "b@example.com", Role::Admin)
            .await
            .unwrap();
        demote().await.unwrap();
        remove().await.unwrap();
        assert!(is_conflict(
            store.remove_user(workspace, "b@example.com").await
        ));
    })
    .await;
}

#[tokio::test]
async fn a_browser_is_known_to_the_person_who_signed_in_in_it() {
    on_every_store(async |database| {
        let desk = database.desk().await;
        let store = &desk.store;
        let ada = add(store, desk.workspace, "ada@example.com", Role::Admin).await;
        let bob = add(store, desk.workspace, "bob@example.com", Role::Admin).await;
        let knows = async |user: u32, token: u8, now: i64| {
            let known = store.knows_device(user, [token; 32], Timestamp(now));
            known.await.unwrap()
        };
        let remember = async |user: u32, token: u8, now: i64| {
            let (now, expires_at) = (Timestamp(now), Timestamp(now + 100));
            let remembered = store.remember_device(user, [token; 32], now, expires_at);
            remembered.await.unwrap();
        };
        remember(ada.user.id, 1, 10).await;
        assert!(knows(ada.user.id, 1, 109).await);
        assert!(!knows(ada.user.id, 1, 110).await, "it has expired");
        assert!(!knows(bob.user.id, 1, 20).await);
        assert!(!knows(ada.user.id, 2, 20).await);
        remember(ada.user.id, 1, 50).await;
        assert!(knows(ada.user.id, 1, 149).await, "it was used again");
        for token in 100..120 {
            remember(ada.user.id, token, 60).await;
        }
        assert!(!knows(ada.user.id, 1, 70).await, "twenty were used later");
        assert!(knows(ada.user.id, 119, 70).await);
        remember(bob.user.id, 1, 60).await;
        let removed = store.remove_user(desk.workspace, "bob@example.com");
        removed.await.unwrap();
        assert!(!knows(bob.user.id, 1, 70).await);
    })
    .await;
}

#[tokio::test]
async fn an_account_at_a_provider_is_linked_to_one_person() {
    on_every_store(async |database| {
        let desk = database.desk().await;
        let store = &desk.store;
        let ada = add(store, desk.workspace, "ada@example.com", Role::Admin)
            .await
            .user;
        let bob = add(store, desk.workspace, "bob@example.com", Role::Admin)
            .await
            .user;
        let identity = |issuer: &str, subject: &str| Identity {
            issuer: issuer.to_owned(),
            subject: subject.to_owned(),
            email: "ada@login.example".to_owned(),
            linked_at: Timestamp(7),
        };
        let (one, other) = (identity("https://one", "1"), identity("https://two", "1"));
        let who = async |issuer: &str| store.identity(issuer, "1").await.unwrap();
        assert_eq!(who("https://one").await, None);
        assert!(is_missing(store.link_identity(99, one.clone()).await));
        store.link_identity(ada.id, one.clone()).await.unwrap();
        store.link_identity(ada.id, one.clone()).await.unwrap();
        store.link_identity(bob.id, other.clone()).await.unwrap();
        assert!(exists_already(
            store.link_identity(bob.id, one.clone()).await
        ));
        assert_eq!(who("https://one").await.as_ref(), Some(&ada));
        assert_eq!(who("https://two").await.as_ref(), Some(&bob));
        assert_eq!(store.identities(ada.id).await.unwrap(), [one]);
        assert!(is_missing(
            store.unlink_identity(bob.id, "https://one", "1").await
        ));
        store
            .unlink_identity(ada.id, "https://one", "1")
            .await
            .unwrap();
        assert_eq!(who("https://one").await, None);
        store
            .remove_user(desk.workspace, "bob@example.com")
            .await
            .unwrap();
        assert_eq!(who("https://two").await, None, "it went with the account");
    })
    .await;
}
