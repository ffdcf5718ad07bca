//! Digests, alerts and sending, stepped by hand with a clock that is given.

use std::sync::Arc;

use clap::Parser;
use rollbook_engine::candidate::{Candidate, Given};
use rollbook_engine::contact::{Text, Value};
use rollbook_engine::issue::{Issue, Problem};
use rollbook_engine::policy::{Mode, Policy};
use rollbook_engine::schema::{FieldId, Schema};
use rollbook_store::WorkspaceId;
use rollbook_store::commit::{Batch, Delivery, ImportStep, Payload};
use rollbook_store::imports::{ImportId, ImportKind, ImportState, NewImport};
use rollbook_store::notifications::{QuietHours, Silence, SourceNotifications, TimeOfDay};
use rollbook_store::outbox::{MailKind, MailState, OutboxMail};
use rollbook_store::sources::NewSource;
use tempfile::TempDir;
use uuid::Uuid;

use super::*;
use crate::config::Flags;
use crate::jobs::send_mail;
use crate::jobs::worker::Worked;
use crate::mail::compose;

const MINUTE: i64 = 60_000;

/// Wednesday, 1 July 2026, 10:00 UTC, which is the workspace's zone.
const START: i64 = 1_782_900_000_000;

#[derive(Parser)]
struct Settings {
    #[command(flatten)]
    flags: Flags,
}

/// A workspace with a source that delivers, and somebody who is told.
struct Desk {
    folder: TempDir,
    app: App,
    workspace: WorkspaceId,
    source: Source,
}

impl Desk {
    async fn new() -> Desk {
        let folder = tempfile::tempdir().unwrap();
        let mail = format!("folder:{}", folder.path().join("mail").display());
        Desk::with_mail(folder, &mail).await
    }

    async fn with_mail(folder: TempDir, mail: &str) -> Desk {
        let app = open(&folder, mail).await;
        let workspace = app.workspace().await.unwrap().id;
        let source = NewSource {
            name: "desk".to_owned(),
            label: "Booking desk".to_owned(),
            mode: Mode::Automatic,
            namespace: "default".to_owned(),
            region: None,
            mapping: None,
        };
        let added = app
            .store
            .add_source(workspace, source, Timestamp(START))
            .await;
        let desk = Desk {
            folder,
            source: added.unwrap(),
            app,
            workspace,
        };
        desk.set(|_| {}).await;
        desk
    }

    /// Sets what is told, to two recipients.
    async fn set(&self, change: impl FnOnce(&mut NotificationSettings)) {
        let mut settings = NotificationSettings {
            recipients: vec!["a@x.example".to_owned(), "b@x.example".to_owned()],
            ..NotificationSettings::default()
        };
        change(&mut settings);
        self.app
            .store
            .set_notification_settings(self.workspace, settings)
            .await
            .unwrap();
    }

    async fn every(&self, digest: Frequency) {
        self.set(|settings| settings.digest = digest).await;
    }

    /// Delivers so many good, warned and failed records.
    async fn deliver(&self, now: i64, good: u64, warned: u64, failed: u64) {
        let batch = self.batch(now, good, warned, failed);
        self.app.store.deliver(batch).await.unwrap();
    }

    fn batch(&self, now: i64, good: u64, warned: u64, failed: u64) -> Batch {
        let records = (0..good).map(|number| person(number, false));
        let records = records.chain((0..warned).map(|number| person(number, true)));
        let records = records.chain((0..failed).map(|_| Candidate::default()));
        let deliveries = records.map(|candidate| Delivery {
            candidate,
            payload: Payload {
                content_type: "application/json".to_owned(),
                bytes: b"{}".to_vec(),
            },
            row: None,
            idempotency: None,
            replay_of: None,
        });
        Batch {
            workspace: self.workspace,
            source: self.source.id,
            policy: Policy::standard(Mode::Automatic, "default"),
            schema: Arc::new(Schema::built_in()),
            received_at: Timestamp(now),
            deliveries: deliveries.collect(),
        }
    }

    async fn look_after(&self, now: i64) {
        work_once(&self.app, Timestamp(now)).await.unwrap();
    }

    /// All mails, oldest first.
    async fn mails(&self) -> Vec<OutboxMail> {
        let mut mails = self
            .app
            .store
            .mails(self.workspace, None, None, 500)
            .await
            .unwrap();
        mails.reverse();
        mails
    }

    /// The subjects of the mails to one recipient, after checking that the other got the same.
    async fn subjects(&self) -> Vec<String> {
        let mails = self.mails().await;
        let to = |recipient: &str| -> Vec<String> {
            let mails = mails.iter().filter(|mail| mail.recipient == recipient);
            mails.map(|mail| mail.subject.clone()).collect()
        };
        assert_eq!(to("a@x.example"), to("b@x.example"));
        to("a@x.example")
    }

    /// Sends what is due, and says how many mails were looked at.
    async fn send(&self, now: i64) -> usize {
        let mut ran = 0;
        while send_mail::work_once(&self.app, Timestamp(now), 0)
            .await
            .unwrap()
            == Worked::Ran
        {
            ran += 1;
        }
        ran
    }

    fn files(&self) -> usize {
        std::fs::read_dir(self.folder.path().join("mail")).map_or(0, Iterator::count)
    }
}

async fn open(folder: &TempDir, mail: &str) -> App {
    let database = format!("sqlite:{}", folder.path().join("rollbook.db").display());
    let settings = Settings::parse_from([
        "rollbook",
        "--database",
        &database,
        "--mail",
        mail,
        "--mail-from",
        "rollbook@hotel.example",
        "--public-url",
        "https://rollbook.example",
    ]);
    App::open(settings.flags.resolve().unwrap().0)
        .await
        .unwrap()
}

fn person(number: u64, warned: bool) -> Candidate {
    let email = Text::from(format!("p{number}@x.example").as_str());
    let mut candidate = Candidate {
        given: vec![(FieldId::EMAIL, Given::Set(Value::Many([email].into())))],
        ..Candidate::default()
    };
    if warned {
        let problem = Problem::PhoneInvalid { region: None };
        let value = format!("555-{number}");
        candidate.issues = vec![Issue::of_value("phone", &problem, &value)];
    }
    candidate
}

fn daily() -> Frequency {
    Frequency::Daily {
        at: TimeOfDay(8 * 60),
    }
}

#[tokio::test]
async fn a_daily_digest_tells_what_went_wrong_once() {
    let desk = Desk::new().await;
    desk.every(daily()).await;
    desk.deliver(START + HOUR, 5, 2, 1).await;
    desk.look_after(START + 2 * HOUR).await;
    assert!(desk.subjects().await.is_empty(), "it is not due");
    let morning = START + 22 * HOUR;
    desk.look_after(morning).await;
    let told = ["Booking desk: 1 failure and 2 warnings"];
    assert_eq!(desk.subjects().await, told);
    desk.look_after(morning + 3_000).await;
    desk.deliver(morning + HOUR, 5, 0, 0).await;
    desk.look_after(morning + DAY).await;
    assert_eq!(desk.subjects().await, told, "nothing went wrong since");
    desk.deliver(morning + DAY + HOUR, 0, 0, 3).await;
    desk.look_after(morning + 2 * DAY).await;
    assert_eq!(desk.subjects().await[1..], ["Booking desk: 3 failures"]);
}

#[tokio::test]
async fn what_comes_immediately_is_told_at_once_and_then_minutes_apart() {
    let desk = Desk::new().await;
    desk.every(Frequency::Immediately).await;
    desk.look_after(START).await;
    desk.deliver(START + 1, 0, 1, 0).await;
    desk.look_after(START + 2).await;
    assert_eq!(desk.subjects().await, ["Booking desk: 1 warning"]);
    for minute in 1..5 {
        desk.deliver(START + minute * MINUTE, 0, 0, 1).await;
        desk.look_after(START + minute * MINUTE + 1).await;
    }
    assert_eq!(desk.subjects().await.len(), 1);
    desk.look_after(START + 5 * MINUTE + 2).await;
    assert_eq!(desk.subjects().await[1..], ["Booking desk: 4 failures"]);
}

#[tokio::test]
async fn what_happens_while_digests_are_off_is_never_told() {
    let desk = Desk::new().await;
    desk.every(Frequency::Off).await;
    desk.deliver(START, 0, 0, 4).await;
    desk.look_after(START + 1).await;
    desk.every(Frequency::Immediately).await;
    desk.look_after(START + HOUR).await;
    assert!(desk.subjects().await.is_empty());
    desk.deliver(START + 2 * HOUR, 0, 1, 0).await;
    desk.look_after(START + 2 * HOUR).await;
    assert_eq!(desk.subjects().await, ["Booking desk: 1 warning"]);
}

#[tokio::test]
async fn two_processes_tell_once() {
    let desk = Desk::new().await;
    desk.every(daily()).await;
    desk.deliver(START, 0, 0, 1).await;
    let other = open(&desk.folder, "folder:elsewhere").await;
    let now = Timestamp(START + 22 * HOUR);
    let (one, two) = tokio::join!(work_once(&desk.app, now), work_once(&other, now));
    one.unwrap();
    two.unwrap();
    assert_eq!(desk.subjects().await, ["Booking desk: 1 failure"]);
}

#[tokio::test]
async fn an_old_source_that_is_seen_for_the_first_time_is_not_told_of_its_past() {
    let desk = Desk::new().await;
    desk.every(daily()).await;
    desk.deliver(START, 0, 0, 9).await;
    desk.look_after(START + 3 * DAY).await;
    desk.look_after(START + 5 * DAY).await;
    assert!(
        desk.mails()
            .await
            .iter()
            .all(|mail| mail.kind != MailKind::SourceDigest)
    );
}

#[tokio::test]
async fn rows_of_a_file_are_left_to_the_report_of_its_import() {
    let desk = Desk::new().await;
    desk.every(Frequency::Immediately).await;
    let store = &desk.app.store;
    let import = NewImport {
        id: ImportId(Uuid::now_v7()),
        workspace: desk.workspace,
        kind: ImportKind::File,
        parent: None,
        source: desk.source.id,
        file_name: "nightly.csv".to_owned(),
        file_size: 1,
        file_hash: [1; 32],
        created_by: "a key".to_owned(),
        created_at: Timestamp(START),
        options: None,
        state: ImportState::Queued,
    };
    store.create_import(import).await.unwrap();
    let claimed = store.claim_import(None, Timestamp(START), HOUR).await;
    let (import, lease) = claimed.unwrap().unwrap();
    let step = ImportStep {
        import: import.id,
        lease,
        cursor: 0,
        expected: Vec::new(),
    };
    let batch = desk.batch(START, 0, 0, 5);
    store.commit_import_batch(batch, step).await.unwrap();
    desk.look_after(START + 1).await;
    assert!(desk.subjects().await.is_empty());
    desk.deliver(START + HOUR, 0, 0, 2).await;
    desk.look_after(START + HOUR).await;
    assert_eq!(desk.subjects().await, ["Booking desk: 2 failures"]);
}

#[tokio::test]
async fn a_digest_groups_counts_and_links() {
    let desk = Desk::new().await;
    desk.every(daily()).await;
    desk.deliver(START, 1, 5, 7).await;
    desk.look_after(START + 22 * HOUR).await;
    let mail = &desk.mails().await[0];
    let mail = compose(&desk.app, mail).await.unwrap();
    for part in [
        "Booking desk: 7 failures and 5 warnings",
        "* 5 x Phone",
        "“555-0” is not a valid phone number",
        "Also: “555-1”, “555-2”, “555-3”",
        "https://rollbook.example/settings/logs?from=2026-07-01T10%3A00%3A00.000Z&to=2026-07-01T10%3A00%3A00.001Z\
         &source=desk&result=failure",
        "desk-problems.csv",
    ] {
        assert!(mail.text.contains(part), "{part}:\n{}", mail.text);
    }
    let csv = mail.attachment.unwrap().csv;
    assert_eq!(csv.lines().count(), 1 + 12);
    desk.set(|settings| settings.attachment_bytes = 100).await;
    let mail = compose(&desk.app, &desk.mails().await[0]).await.unwrap();
    assert_eq!(mail.attachment, None);
    assert!(mail.text.contains("too large to attach"), "{}", mail.text);
}

#[tokio::test]
async fn a_silence_is_told_once_until_the_source_delivered_again() {
    let desk = Desk::new().await;
    desk.every(Frequency::Off).await;
    for day in 0..6 {
        desk.deliver(START + day * DAY, 1, 0, 0).await;
    }
    let last = START + 5 * DAY;
    let silent = |hours: i64| last + hours * HOUR;
    desk.look_after(silent(71)).await;
    assert!(
        desk.subjects().await.is_empty(),
        "three times a day is usual"
    );
    desk.look_after(silent(74)).await;
    let told = ["Booking desk has sent nothing for 3 days"];
    assert_eq!(desk.subjects().await, told);
    desk.look_after(silent(80)).await;
    desk.look_after(silent(200)).await;
    assert_eq!(desk.subjects().await, told);
    // It comes back, for a while: its own hours count then.
    let own = SourceNotifications {
        silence: Silence::Hours(2),
        digest: Some(Frequency::Off),
        ..SourceNotifications::default()
    };
    let source = desk.source.id.0;
    desk.set(|settings| {
        settings.sources.insert(source, own);
    })
    .await;
    desk.deliver(silent(210), 1, 0, 0).await;
    desk.look_after(silent(212)).await;
    assert_eq!(desk.subjects().await.len(), 1);
    desk.look_after(silent(213)).await;
    assert_eq!(
        desk.subjects().await[1..],
        ["Booking desk has sent nothing for 3 hours"]
    );
    let mail = desk.mails().await.pop().unwrap();
    let mail = compose(&desk.app, &mail).await.unwrap();
    assert!(mail.text.contains("The last record came"), "{}", mail.text);
}

#[tokio::test]
async fn a_jump_of_failures_is_told_once_while_it_lasts() {
    let desk = Desk::new().await;
    desk.every(Frequency::Off).await;
    desk.deliver(START, 98, 0, 2).await;
    let bad = START + 3 * HOUR;
    desk.deliver(bad, 10, 0, 30).await;
    desk.look_after(bad + MINUTE).await;
    let told = ["Booking desk fails more than usual: 30 of 40 records in an hour"];
    assert_eq!(desk.subjects().await, told);
    for minute in [7, 20, 40] {
        desk.deliver(bad + minute * MINUTE, 0, 0, 10).await;
        desk.look_after(bad + minute * MINUTE + 1).await;
    }
    assert_eq!(desk.subjects().await, told);
    let mail = compose(&desk.app, &desk.mails().await[0]).await.unwrap();
    assert!(mail.text.contains("usually it is 2 %"), "{}", mail.text);
    assert!(mail.text.contains("WHY RECORDS FAILED"), "{}", mail.text);
    // It was well for half a day.
    desk.deliver(bad + 12 * HOUR, 400, 0, 0).await;
    desk.look_after(bad + 12 * HOUR).await;
    desk.deliver(bad + 14 * HOUR, 0, 0, 25).await;
    desk.look_after(bad + 14 * HOUR + 1).await;
    assert_eq!(desk.subjects().await.len(), 2);
}

#[tokio::test]
async fn mails_wait_for_the_end_of_quiet_hours() {
    let desk = Desk::new().await;
    desk.set(|settings| {
        settings.digest = Frequency::Immediately;
        settings.quiet = Some(QuietHours {
            from: TimeOfDay(9 * 60),
            to: TimeOfDay(12 * 60),
        });
    })
    .await;
    desk.deliver(START, 0, 0, 1).await;
    desk.look_after(START + 1).await;
    assert_eq!(desk.send(START + 2).await, 2);
    assert_eq!(desk.send(START + HOUR).await, 0);
    assert_eq!(desk.files(), 0);
    for mail in desk.mails().await {
        assert_eq!((mail.state, mail.attempts), (MailState::Queued, 0));
        assert_eq!(mail.next_at, Timestamp(START + 2 * HOUR));
    }
    assert_eq!(desk.send(START + 2 * HOUR).await, 2);
    assert_eq!(desk.files(), 2);
    assert!(
        desk.mails()
            .await
            .iter()
            .all(|mail| mail.state == MailState::Sent)
    );
}

#[tokio::test]
async fn a_server_that_is_down_is_tried_with_longer_pauses_for_three_days() {
    // A port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let mail = format!("smtp://127.0.0.1:{port}?tls=none");
    let desk = Desk::with_mail(tempfile::tempdir().unwrap(), &mail).await;
    desk.set(|settings| {
        settings.recipients.pop();
        settings.digest = Frequency::Immediately;
    })
    .await;
    desk.deliver(START, 0, 0, 1).await;
    desk.look_after(START).await;
    let mut now = START;
    let mut pauses = Vec::new();
    let given_up = loop {
        assert_eq!(desk.send(now).await, 1);
        let mail = desk.mails().await.remove(0);
        assert!(
            mail.last_error
                .as_deref()
                .unwrap()
                .contains("cannot be reached")
        );
        if mail.state == MailState::Failed {
            break mail;
        }
        assert_eq!(desk.send(mail.next_at.0 - 1).await, 0, "it waits");
        pauses.push(mail.next_at.0 - now);
        now = mail.next_at.0;
    };
    assert!(pauses.is_sorted());
    assert!((10..40).contains(&pauses.len()), "{pauses:?}");
    assert!(now - START <= 3 * DAY && now - START > 2 * DAY);
    assert!(
        given_up
            .last_error
            .unwrap()
            .starts_with("given up after three days")
    );
    // Somebody mends the server and has it sent again.
    let again = desk
        .app
        .store
        .retry_mail(desk.workspace, given_up.id, Timestamp(now + DAY))
        .await;
    assert_eq!(again.unwrap().attempts, 0);
    assert_eq!(desk.send(now + DAY).await, 1);
    assert_eq!(desk.mails().await[0].state, MailState::Queued);
}
