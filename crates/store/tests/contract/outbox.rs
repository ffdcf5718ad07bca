//! The outbox: mails are written with what causes them, claimed by one worker at a time, and settled once.

use rollbook_store::imports::{ImportState, Lease};
use rollbook_store::notifications::{NotificationSettings, QuietHours, TimeOfDay};
use rollbook_store::outbox::{MailId, MailKind, MailState, NewMail, OutboxMail, Settled};
use rollbook_store::{StoreError, Timestamp};

use crate::harness::{Desk, LEASE, is_missing, lease_is_lost, on_every_store};

fn new_mail(desk: &Desk, recipient: &str, now: i64) -> NewMail {
    NewMail {
        workspace: desk.workspace,
        kind: MailKind::ImportReport,
        recipient: recipient.to_owned(),
        subject: "Report of guests.csv".to_owned(),
        about: "{}".to_owned(),
        content: Some("secret link".to_owned()),
        created_at: Timestamp(now),
        due_at: Timestamp(now),
    }
}

async fn enqueue(desk: &Desk, recipient: &str, now: i64) -> MailId {
    let mails = vec![new_mail(desk, recipient, now)];
    desk.store.enqueue_mails(mails).await.unwrap()[0]
}

async fn claim(desk: &Desk, now: i64) -> Option<(OutboxMail, Lease)> {
    desk.store
        .claim_mail(None, Timestamp(now), LEASE)
        .await
        .unwrap()
}

async fn settle(
    desk: &Desk,
    claimed: &(OutboxMail, Lease),
    settled: Settled,
) -> Result<(), StoreError> {
    desk.store
        .settle_mail(desk.workspace, claimed.0.id, claimed.1, settled)
        .await
}

async fn mail(desk: &Desk, id: MailId) -> OutboxMail {
    desk.store.mail(desk.workspace, id).await.unwrap().unwrap()
}

fn retry(next_at: i64) -> Settled {
    Settled::Retry {
        error: "the server is down".to_owned(),
        next_at: Timestamp(next_at),
    }
}

fn sent(at: i64) -> Settled {
    Settled::Sent {
        subject: "3 rows failed".to_owned(),
        at: Timestamp(at),
    }
}

#[tokio::test]
async fn a_mail_that_is_due_later_is_left_to_who_asks_for_it_by_name() {
    on_every_store(async |database| {
        let desk = database.desk().await;
        let later = NewMail {
            due_at: Timestamp(60),
            ..new_mail(&desk, "ada@example.com", 10)
        };
        let id = desk.store.enqueue_mails(vec![later]).await.unwrap()[0];
        assert!(claim(&desk, 59).await.is_none());
        let only = Some((desk.workspace, id));
        let asked = desk.store.claim_mail(only, Timestamp(11), LEASE).await;
        assert_eq!(asked.unwrap().unwrap().0.id, id);
        // Who asked for it died.
        assert!(claim(&desk, 10 + LEASE).await.is_none());
        assert_eq!(claim(&desk, 11 + LEASE).await.unwrap().0.id, id);
    })
    .await;
}

#[tokio::test]
async fn the_report_of_an_import_is_written_with_its_end_or_not_at_all() {
    on_every_store(async |database| {
        let desk = database.desk().await;
        let (import, lease) = desk.running_import(10).await;
        let finish = |lease: Lease, mails: Vec<NewMail>| {
            desk.store.finish_import_and_tell(
                desk.workspace,
                import.id,
                lease,
                ImportState::Done,
                None,
                Timestamp(20),
                mails,
            )
        };
        let mails = || {
            vec![
                new_mail(&desk, "a@x.example", 20),
                new_mail(&desk, "b@x.example", 20),
            ]
        };
        assert!(lease_is_lost(finish(Lease(lease.0 + 1), mails()).await));
        assert!(claim(&desk, 20).await.is_none(), "nothing was written");
        finish(lease, mails()).await.unwrap();
        assert!(lease_is_lost(finish(lease, mails()).await), "it ends once");
        let all = desk
            .store
            .mails(desk.workspace, None, None, 10)
            .await
            .unwrap();
        let recipients: Vec<&str> = all.iter().map(|mail| mail.recipient.as_str()).collect();
        assert_eq!(recipients, ["b@x.example", "a@x.example"]);
        assert_eq!(desk.import(import.id).await.state, ImportState::Done);
    })
    .await;
}

#[tokio::test]
async fn a_mail_is_sent_by_one_worker_and_once() {
    on_every_store(async |database| {
        let desk = database.desk().await;
        let other = desk.through(database.open().await);
        let id = enqueue(&desk, "a@x.example", 100).await;
        assert!(claim(&desk, 99).await.is_none(), "it is not due yet");
        let claimed = claim(&desk, 100).await.unwrap();
        assert_eq!(claimed.0.id, id);
        assert_eq!(claimed.0.content.as_deref(), Some("secret link"));
        assert!(claim(&other, 100 + LEASE - 1).await.is_none());
        settle(&desk, &claimed, sent(150)).await.unwrap();
        let stored = mail(&other, id).await;
        assert_eq!((stored.state, stored.attempts), (MailState::Sent, 1));
        assert_eq!(stored.subject, "3 rows failed");
        assert_eq!(stored.sent_at, Some(Timestamp(150)));
        assert_eq!(stored.content, None, "what was sent is forgotten");
        assert!(claim(&other, i64::MAX / 2).await.is_none());
        assert!(lease_is_lost(settle(&desk, &claimed, sent(160)).await));
    })
    .await;
}

#[tokio::test]
async fn a_mail_whose_sender_died_is_sent_by_another_under_the_same_name() {
    on_every_store(async |database| {
        let desk = database.desk().await;
        let id = enqueue(&desk, "a@x.example", 100).await;
        let dead = claim(&desk, 100).await.unwrap();
        let successor = claim(&desk, 100 + LEASE).await.unwrap();
        assert_eq!(successor.0.id, id);
        assert!(lease_is_lost(settle(&desk, &dead, retry(500)).await));
        assert_eq!(mail(&desk, id).await.state, MailState::Sending);
        settle(&desk, &successor, sent(2000)).await.unwrap();
        assert_eq!(mail(&desk, id).await.state, MailState::Sent);
    })
    .await;
}

#[tokio::test]
async fn a_mail_that_was_refused_waits_and_one_recipient_holds_up_no_other() {
    on_every_store(async |database| {
        let desk = database.desk().await;
        let first = enqueue(&desk, "a@x.example", 100).await;
        let second = enqueue(&desk, "b@x.example", 100).await;
        let claimed = claim(&desk, 100).await.unwrap();
        assert_eq!(claimed.0.id, first, "the older goes first");
        settle(&desk, &claimed, retry(700)).await.unwrap();
        let waiting = mail(&desk, first).await;
        assert_eq!((waiting.state, waiting.attempts), (MailState::Queued, 1));
        assert_eq!(waiting.last_error.as_deref(), Some("the server is down"));
        assert_eq!(waiting.next_at, Timestamp(700));
        let claimed = claim(&desk, 101).await.unwrap();
        assert_eq!(claimed.0.id, second);
        let refused = Settled::Failed {
            error: "no such user".to_owned(),
        };
        settle(&desk, &claimed, refused).await.unwrap();
        assert!(claim(&desk, 699).await.is_none());
        let claimed = claim(&desk, 700).await.unwrap();
        // Quiet hours: it is put off, which is no try.
        let later = Settled::Later {
            next_at: Timestamp(900),
        };
        settle(&desk, &claimed, later).await.unwrap();
        assert_eq!(mail(&desk, first).await.attempts, 1);
        let failed = desk
            .store
            .mails(desk.workspace, Some(MailState::Failed), None, 10)
            .await
            .unwrap();
        assert_eq!(failed.len(), 1);
        assert_eq!(failed[0].id, second);
    })
    .await;
}

#[tokio::test]
async fn a_person_has_a_mail_sent_again() {
    on_every_store(async |database| {
        let desk = database.desk().await;
        let id = enqueue(&desk, "a@x.example", 100).await;
        let again = |now| desk.store.retry_mail(desk.workspace, id, Timestamp(now));
        let claimed = claim(&desk, 100).await.unwrap();
        let conflict = |outcome: Result<OutboxMail, StoreError>| {
            matches!(outcome, Err(StoreError::Conflict(_)))
        };
        assert!(conflict(again(110).await), "it is being sent");
        let given_up = Settled::Failed {
            error: "refused".to_owned(),
        };
        settle(&desk, &claimed, given_up).await.unwrap();
        let queued = again(5_000).await.unwrap();
        assert_eq!((queued.state, queued.attempts), (MailState::Queued, 0));
        assert_eq!(
            (queued.since, queued.created_at),
            (Timestamp(5_000), Timestamp(100))
        );
        assert!(queued.content.is_some(), "it can still be made");
        let claimed = claim(&desk, 5_000).await.unwrap();
        settle(&desk, &claimed, sent(5_001)).await.unwrap();
        assert!(conflict(again(5_002).await), "it was sent");
        let unknown = MailId(uuid::Uuid::from_u128(1));
        assert!(is_missing(
            desk.store
                .retry_mail(desk.workspace, unknown, Timestamp(1))
                .await
        ));
    })
    .await;
}

#[tokio::test]
async fn mails_are_paged_and_stay_in_their_workspace() {
    on_every_store(async |database| {
        let desk = database.desk().await;
        let mut ids = Vec::new();
        for now in 0..5 {
            ids.push(enqueue(&desk, "a@x.example", now).await);
        }
        ids.reverse();
        let page = |before| desk.store.mails(desk.workspace, None, before, 2);
        let names = |mails: Vec<OutboxMail>| mails.iter().map(|mail| mail.id).collect::<Vec<_>>();
        assert_eq!(names(page(None).await.unwrap()), ids[..2]);
        assert_eq!(names(page(Some(ids[1])).await.unwrap()), ids[2..4]);
        assert_eq!(names(page(Some(ids[3])).await.unwrap()), ids[4..]);
        let other = desk
            .store
            .add_workspace(crate::harness::settings("Other"), Timestamp(1))
            .await
            .unwrap();
        assert_eq!(desk.store.mail(other.id, ids[0]).await.unwrap(), None);
        let again = desk.store.retry_mail(other.id, ids[0], Timestamp(1)).await;
        assert!(is_missing(again));
        let none = desk.store.mails(other.id, None, None, 10).await.unwrap();
        assert!(none.is_empty());
        let only = Some((other.id, ids[0]));
        let claimed = desk.store.claim_mail(only, Timestamp(9), LEASE).await;
        assert!(claimed.unwrap().is_none());
    })
    .await;
}

#[tokio::test]
async fn what_waits_too_long_is_given_up_and_what_is_old_forgotten() {
    on_every_store(async |database| {
        let desk = database.desk().await;
        let old = enqueue(&desk, "a@x.example", 100).await;
        let claimed = claim(&desk, 100).await.unwrap();
        settle(&desk, &claimed, sent(110)).await.unwrap();
        let stale = enqueue(&desk, "b@x.example", 200).await;
        let fresh = enqueue(&desk, "c@x.example", 900).await;
        let sweep = |stale, old| {
            desk.store
                .sweep_outbox(Timestamp(stale), "mail is not configured", Timestamp(old))
        };
        assert_eq!(sweep(500, 150).await.unwrap(), 2);
        assert_eq!(desk.store.mail(desk.workspace, old).await.unwrap(), None);
        let given_up = mail(&desk, stale).await;
        assert_eq!(given_up.state, MailState::Failed);
        assert_eq!(
            given_up.last_error.as_deref(),
            Some("mail is not configured")
        );
        assert_eq!(mail(&desk, fresh).await.state, MailState::Queued);
        assert_eq!(sweep(500, 150).await.unwrap(), 0);
    })
    .await;
}

#[tokio::test]
async fn what_is_told_of_a_source_moves_on_once_with_its_mails() {
    on_every_store(async |database| {
        let desk = database.desk().await;
        let watch = || desk.store.watch(desk.workspace, desk.api);
        let move_on = |known: Option<&str>, next: &str| {
            desk.store.move_watch(
                desk.workspace,
                desk.api,
                known.map(str::to_owned),
                next.to_owned(),
                vec![new_mail(&desk, "a@x.example", 1)],
            )
        };
        assert_eq!(watch().await.unwrap(), None);
        assert_eq!(move_on(None, "1").await.unwrap().unwrap().len(), 1);
        assert_eq!(move_on(None, "1").await.unwrap(), None, "it was done");
        assert!(move_on(Some("1"), "2").await.unwrap().is_some());
        assert_eq!(watch().await.unwrap().as_deref(), Some("2"));
        let mails = desk
            .store
            .mails(desk.workspace, None, None, 10)
            .await
            .unwrap();
        assert_eq!(mails.len(), 2);
    })
    .await;
}

#[tokio::test]
async fn settings_are_kept_per_workspace() {
    on_every_store(async |database| {
        let desk = database.desk().await;
        let read = || desk.store.notification_settings(desk.workspace);
        assert_eq!(read().await.unwrap(), NotificationSettings::default());
        let settings = NotificationSettings {
            recipients: vec!["a@x.example".to_owned()],
            quiet: Some(QuietHours {
                from: TimeOfDay(22 * 60),
                to: TimeOfDay(7 * 60),
            }),
            ..NotificationSettings::default()
        };
        for _ in 0..2 {
            desk.store
                .set_notification_settings(desk.workspace, settings.clone())
                .await
                .unwrap();
        }
        assert_eq!(read().await.unwrap(), settings);
        let nowhere = rollbook_store::WorkspaceId(99);
        assert!(is_missing(
            desk.store
                .set_notification_settings(nowhere, settings)
                .await
        ));
    })
    .await;
}
