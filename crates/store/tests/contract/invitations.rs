use rollbook_store::accounts::Role;
use rollbook_store::invitations::{Invitation, TicketKind};
use rollbook_store::sessions::NewSession;
use rollbook_store::{Timestamp, WorkspaceId};

use crate::harness::{exists_already, is_missing, on_every_store, settings};

fn invitation(workspace: WorkspaceId, email: &str) -> Invitation {
    Invitation {
        workspace,
        email: email.to_owned(),
        role: Role::Importer,
        invited_by: "ada@example.com".to_owned(),
        created_at: Timestamp(10),
        expires_at: Timestamp(20),
    }
}

#[tokio::test]
async fn an_invitation_is_accepted_once_and_in_time() {
    on_every_store(async |database| {
        let desk = database.desk().await;
        let (store, workspace) = (&desk.store, desk.workspace);
        let new = invitation(workspace, "bob@example.com");
        store.invite(new.clone(), [1; 32]).await.unwrap();
        assert_eq!(
            store.invitations(workspace, Timestamp(19)).await.unwrap(),
            std::slice::from_ref(&new)
        );
        assert_eq!(
            store.invitations(workspace, Timestamp(20)).await.unwrap(),
            []
        );
        let open = async |token, now| {
            let found = store.invitation([token; 32], Timestamp(now)).await.unwrap();
            found.is_some()
        };
        assert!(open(1, 19).await && !open(1, 20).await && !open(9, 11).await);

        // Another invitation takes the place of the first one.
        store.invite(new.clone(), [2; 32]).await.unwrap();
        assert!(!open(1, 11).await && open(2, 11).await);
        let accept = async |token, now| {
            store
                .accept_invitation([token; 32], "Bob", "hash", Timestamp(now))
                .await
        };
        assert!(is_missing(accept(1, 11).await));
        assert!(is_missing(accept(2, 20).await));
        let member = accept(2, 11).await.unwrap();
        assert_eq!((member.workspace, member.role), (workspace, Role::Importer));
        assert_eq!(member.user.name, "Bob");
        assert_eq!(member.user.password_hash, "hash");
        assert!(is_missing(accept(2, 12).await), "it is used up");
        assert!(exists_already(store.invite(new, [3; 32]).await));
    })
    .await;
}

#[tokio::test]
async fn somebody_with_an_account_keeps_it_when_they_join() {
    on_every_store(async |database| {
        let desk = database.desk().await;
        let (store, hotel) = (&desk.store, desk.workspace);
        let clinic = store
            .add_workspace(settings("Clinic"), Timestamp(1))
            .await
            .unwrap()
            .id;
        let user = store
            .add_user(
                hotel,
                "bob@example.com",
                "Bob",
                Role::Viewer,
                "old",
                Timestamp(1),
            )
            .await
            .unwrap()
            .user;
        store
            .invite(invitation(clinic, "BOB@example.com"), [1; 32])
            .await
            .unwrap();
        let member = store
            .accept_invitation([1; 32], "Eve", "new", Timestamp(11))
            .await
            .unwrap();
        assert_eq!(member.user, user);
        assert_eq!(store.memberships(user.id).await.unwrap().len(), 2);
    })
    .await;
}

#[tokio::test]
async fn an_invitation_is_taken_back_in_its_own_workspace() {
    on_every_store(async |database| {
        let desk = database.desk().await;
        let store = &desk.store;
        let clinic = store
            .add_workspace(settings("Clinic"), Timestamp(1))
            .await
            .unwrap()
            .id;
        let new = invitation(desk.workspace, "bob@example.com");
        store.invite(new, [1; 32]).await.unwrap();
        assert!(is_missing(
            store.cancel_invitation(clinic, "bob@example.com").await
        ));
        let there = store.invitation([1; 32], Timestamp(11)).await.unwrap();
        assert!(there.is_some());
        store
            .cancel_invitation(desk.workspace, "Bob@example.com")
            .await
            .unwrap();
        assert_eq!(
            store.invitation([1; 32], Timestamp(11)).await.unwrap(),
            None
        );
        assert!(is_missing(
            store
                .invite(invitation(WorkspaceId(99), "a@b.c"), [1; 32])
                .await
        ));
    })
    .await;
}

#[tokio::test]
async fn a_new_password_uses_its_link_up_and_ends_sessions() {
    on_every_store(async |database| {
        let desk = database.desk().await;
        let store = &desk.store;
        let user = store
            .add_user(
                desk.workspace,
                "a@example.com",
                "A",
                Role::Viewer,
                "x",
                Timestamp(1),
            )
            .await
            .unwrap()
            .user
            .id;
        let session = NewSession {
            token_hash: [8; 32],
            user,
            address: String::new(),
            device: String::new(),
            now: Timestamp(1),
            expires_at: Timestamp(100),
        };
        store.add_session(session).await.unwrap();
        let reset = TicketKind::PasswordReset;
        let add = async |token, user| {
            store
                .add_ticket(reset, user, [token; 32], Timestamp(1), Timestamp(20))
                .await
        };
        add(1, user).await.unwrap();
        add(2, user).await.unwrap();
        assert!(is_missing(add(3, 999).await));
        let good = async |kind, token, now| {
            let found = store
                .ticket(kind, [token; 32], Timestamp(now))
                .await
                .unwrap();
            found.is_some()
        };
        assert!(
            !good(reset, 1, 2).await,
            "the second took the place of the first"
        );
        assert!(good(reset, 2, 19).await && !good(reset, 2, 20).await);
        assert!(!good(TicketKind::SecondFactor, 2, 2).await);
        let set = async |token, now| store.reset_password([token; 32], "y", Timestamp(now)).await;
        assert!(is_missing(set(2, 20).await));
        assert_eq!(set(2, 19).await.unwrap().id, user);
        assert!(is_missing(set(2, 19).await), "it is used up");
        let found = store.user_by_email("a@example.com").await.unwrap().unwrap();
        assert_eq!(found.password_hash, "y");
        assert_eq!(store.session([8; 32], Timestamp(2)).await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn a_ticket_is_good_for_a_number_of_tries() {
    on_every_store(async |database| {
        let desk = database.desk().await;
        let store = &desk.store;
        let user = store
            .add_user(
                desk.workspace,
                "a@example.com",
                "A",
                Role::Viewer,
                "x",
                Timestamp(1),
            )
            .await
            .unwrap()
            .user
            .id;
        let kind = TicketKind::SecondFactor;
        store
            .add_ticket(kind, user, [1; 32], Timestamp(1), Timestamp(20))
            .await
            .unwrap();
        let mut good = 0;
        for _ in 0..5 {
            let found = store
                .try_ticket(kind, [1; 32], Timestamp(2), 3)
                .await
                .unwrap();
            good += u32::from(found.is_some());
        }
        assert_eq!(good, 3);
        store.end_ticket([1; 32]).await.unwrap();
        assert_eq!(
            store.ticket(kind, [1; 32], Timestamp(2)).await.unwrap(),
            None
        );
    })
    .await;
}

#[tokio::test]
async fn codes_of_a_second_factor_open_once() {
    on_every_store(async |database| {
        let desk = database.desk().await;
        let store = &desk.store;
        let add = async |email| {
            let added = store.add_user(desk.workspace, email, "A", Role::Admin, "x", Timestamp(1));
            added.await.unwrap().user.id
        };
        let (user, other) = (add("a@example.com").await, add("b@example.com").await);
        assert_eq!(store.second_factor(user).await.unwrap(), None);
        let set = async |secret: Option<Vec<u8>>, codes| {
            store
                .set_second_factor(user, secret, codes, Timestamp(5))
                .await
                .unwrap();
        };
        set(Some(vec![7; 20]), vec![[1; 32], [2; 32]]).await;
        let found = store.second_factor(user).await.unwrap().unwrap();
        assert_eq!((found.secret, found.recovery_codes), (vec![7; 20], 2));
        let account = store.user_by_email("a@example.com").await.unwrap().unwrap();
        assert!(account.has_second_factor);

        let step = async |user, step| store.use_step(user, step).await.unwrap();
        assert!(step(user, 100).await);
        assert!(!step(user, 100).await && !step(user, 99).await);
        assert!(step(user, 101).await);
        assert!(!step(other, 1).await);
        let code = async |user, code| store.use_recovery_code(user, [code; 32]).await.unwrap();
        assert!(!code(other, 1).await);
        assert!(code(user, 1).await);
        assert!(!code(user, 1).await && !code(user, 9).await);

        set(None, vec![]).await;
        assert_eq!(store.second_factor(user).await.unwrap(), None);
        assert!(!code(user, 2).await);
    })
    .await;
}

#[tokio::test]
async fn a_stored_secret_takes_another_form_unless_it_is_another_one() {
    on_every_store(async |database| {
        let desk = database.desk().await;
        let store = &desk.store;
        let ada = store
            .add_user(
                desk.workspace,
                "ada@example.com",
                "Ada",
                Role::Admin,
                "x",
                Timestamp(1),
            )
            .await
            .unwrap();
        let set = async |secret: &[u8]| {
            let factor = Some(secret.to_vec());
            let set = store.set_second_factor(ada.user.id, factor, Vec::new(), Timestamp(2));
            set.await.unwrap();
        };
        let replace = async |stored: &[u8], anew: &[u8]| {
            let (stored, anew) = (stored.to_vec(), anew.to_vec());
            let replaced = store.replace_second_factor_secret(ada.user.id, stored, anew);
            replaced.await.unwrap()
        };
        assert!(store.second_factor_secrets().await.unwrap().is_empty());
        set(b"one").await;
        assert!(replace(b"one", b"sealed one").await);
        assert!(!replace(b"one", b"sealed two").await);
        assert_eq!(
            store.second_factor_secrets().await.unwrap(),
            [(ada.user.id, b"sealed one".to_vec())]
        );
    })
    .await;
}
