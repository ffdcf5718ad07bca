use rollbook_store::sources::SourceId;
use rollbook_store::webhooks::{Knock, StoredSecret, Webhook};
use rollbook_store::{Timestamp, WorkspaceId};

use crate::harness::{is_missing, on_every_store, settings, source};

const SCHEME: &str = r#"{"scheme":"standard-webhooks"}"#;
const MINUTE: i64 = 60_000;

fn secret(text: &str) -> StoredSecret {
    StoredSecret(text.as_bytes().to_vec())
}

/// The secrets that are valid.
fn valid(webhook: &Webhook, now: i64) -> Vec<StoredSecret> {
    webhook.valid_secrets(Timestamp(now)).cloned().collect()
}

#[tokio::test]
async fn a_webhook_belongs_to_one_source_and_is_replaced_as_a_whole() {
    on_every_store(async |database| {
        let desk = database.desk().await;
        let (store, workspace) = (&desk.store, desk.workspace);
        let set = async |workspace, source, text, now| {
            store
                .set_webhook(workspace, source, SCHEME, secret(text), Timestamp(now))
                .await
        };
        assert_eq!(store.webhook(workspace, desk.api).await.unwrap(), None);
        assert!(is_missing(set(workspace, SourceId(99), "a", 5).await));
        assert!(is_missing(set(WorkspaceId(99), desk.api, "a", 5).await));

        let made = set(workspace, desk.api, "one", 5).await.unwrap();
        assert_eq!(made.scheme, SCHEME);
        assert_eq!(
            (made.secret_at, made.created_at),
            (Timestamp(5), Timestamp(5))
        );
        assert_eq!(
            (&made.previous, made.accepted_at, &made.refused),
            (&None, None, &None)
        );
        assert_eq!(valid(&made, 6), [secret("one")]);
        assert_eq!(
            store.webhook(workspace, desk.api).await.unwrap(),
            Some(made)
        );
        assert_eq!(store.webhook(workspace, desk.manual).await.unwrap(), None);

        // The same number in another workspace is another source.
        let other = store
            .add_workspace(settings("Clinic"), Timestamp(1))
            .await
            .unwrap();
        let there = store
            .add_source(other.id, source("api"), Timestamp(1))
            .await
            .unwrap();
        assert_eq!(there.id, desk.api);
        assert_eq!(store.webhook(other.id, there.id).await.unwrap(), None);

        store
            .rotate_webhook(
                workspace,
                desk.api,
                secret("two"),
                Timestamp(7),
                Timestamp(99),
            )
            .await
            .unwrap();
        let anew = set(workspace, desk.api, "three", 8).await.unwrap();
        assert_eq!(valid(&anew, 9), [secret("three")]);
        assert_eq!(store.webhooks().await.unwrap(), [anew]);

        store.remove_webhook(workspace, desk.api).await.unwrap();
        assert_eq!(store.webhook(workspace, desk.api).await.unwrap(), None);
        assert!(is_missing(store.remove_webhook(workspace, desk.api).await));
    })
    .await;
}

#[tokio::test]
async fn a_secret_that_was_replaced_is_valid_for_a_while() {
    on_every_store(async |database| {
        let desk = database.desk().await;
        let (store, workspace) = (&desk.store, desk.workspace);
        let rotate = async |text, now, until| {
            store
                .rotate_webhook(
                    workspace,
                    desk.api,
                    secret(text),
                    Timestamp(now),
                    Timestamp(until),
                )
                .await
        };
        assert!(is_missing(rotate("one", 5, 9).await));
        assert!(is_missing(
            store.end_webhook_overlap(workspace, desk.api).await
        ));
        store
            .set_webhook(workspace, desk.api, SCHEME, secret("one"), Timestamp(5))
            .await
            .unwrap();

        let two = rotate("two", 10, 100).await.unwrap();
        assert_eq!(
            (two.created_at, two.secret_at),
            (Timestamp(5), Timestamp(10))
        );
        assert_eq!(valid(&two, 99), [secret("two"), secret("one")]);
        assert_eq!(valid(&two, 100), [secret("two")]);

        // Never more than two, and none where there is no overlap.
        let three = rotate("three", 20, 100).await.unwrap();
        assert_eq!(valid(&three, 30), [secret("three"), secret("two")]);
        let four = rotate("four", 30, 30).await.unwrap();
        assert_eq!(four.previous, None);
        assert_eq!(valid(&four, 30), [secret("four")]);

        rotate("five", 40, 100).await.unwrap();
        let ended = store
            .end_webhook_overlap(workspace, desk.api)
            .await
            .unwrap();
        assert_eq!(valid(&ended, 41), [secret("five")]);
    })
    .await;
}

#[tokio::test]
async fn the_last_deliveries_are_known_to_the_minute() {
    on_every_store(async |database| {
        let desk = database.desk().await;
        let (store, workspace) = (&desk.store, desk.workspace);
        store
            .set_webhook(workspace, desk.api, SCHEME, secret("one"), Timestamp(5))
            .await
            .unwrap();
        store
            .rotate_webhook(
                workspace,
                desk.api,
                secret("two"),
                Timestamp(6),
                Timestamp(3 * MINUTE),
            )
            .await
            .unwrap();
        let touch = async |knock, now| {
            store
                .touch_webhook(workspace, desk.api, knock, Timestamp(now))
                .await
                .unwrap();
            store.webhook(workspace, desk.api).await.unwrap().unwrap()
        };
        let found = touch(Knock::Accepted, 2 * MINUTE + 5).await;
        assert_eq!(found.accepted_at, Some(Timestamp(2 * MINUTE)));
        assert!(found.previous.is_some() && found.refused.is_none());

        let found = touch(Knock::Refused("too_old"), 2 * MINUTE + 6).await;
        let first = (Timestamp(2 * MINUTE), "too_old".to_owned());
        assert_eq!(found.refused.as_ref(), Some(&first));
        // Within the minute the first one stays, so that nobody makes us write without end.
        let found = touch(Knock::Refused("signature_wrong"), 3 * MINUTE - 1).await;
        assert_eq!(found.refused, Some(first));
        let found = touch(Knock::Refused("signature_wrong"), 3 * MINUTE).await;
        let second = (Timestamp(3 * MINUTE), "signature_wrong".to_owned());
        assert_eq!(found.refused, Some(second));

        // A secret whose time is over is not kept.
        let found = touch(Knock::Accepted, 3 * MINUTE).await;
        assert_eq!(
            (found.accepted_at, found.previous),
            (Some(Timestamp(3 * MINUTE)), None)
        );
    })
    .await;
}

#[tokio::test]
async fn a_secret_is_stored_in_another_form_where_it_was_not_changed_meanwhile() {
    on_every_store(async |database| {
        let desk = database.desk().await;
        let (store, workspace) = (&desk.store, desk.workspace);
        store
            .set_webhook(workspace, desk.api, SCHEME, secret("one"), Timestamp(5))
            .await
            .unwrap();
        store
            .rotate_webhook(
                workspace,
                desk.api,
                secret("two"),
                Timestamp(6),
                Timestamp(99),
            )
            .await
            .unwrap();
        let replace = async |stored, anew| {
            store
                .replace_webhook_secret(workspace, desk.api, secret(stored), secret(anew))
                .await
                .unwrap()
        };
        assert!(replace("one", "sealed one").await);
        assert!(replace("two", "sealed two").await);
        assert!(!replace("two", "something else").await);
        let found = store.webhook(workspace, desk.api).await.unwrap().unwrap();
        assert_eq!(
            valid(&found, 7),
            [secret("sealed two"), secret("sealed one")]
        );
        assert!(
            !format!("{found:?}").contains("sealed"),
            "secrets never show"
        );
    })
    .await;
}
