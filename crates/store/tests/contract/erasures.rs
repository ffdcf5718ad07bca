//! Erasing people: nothing of them is found afterwards, everything counts as before, and no record brings them back.

use proptest::prelude::*;
use rollbook_engine::attempt::ImportResult;
use rollbook_engine::contact::{ContactId, Identifier};
use rollbook_engine::issue::Issue;
use rollbook_engine::schema::FieldId;
use rollbook_store::Timestamp;
use rollbook_store::commit::{Delivery, Payload};
use rollbook_store::contacts::ContactFilter;
use rollbook_store::erasures::{Erasure, FileErased};
use rollbook_store::imports::{ImportId, ImportState};
use rollbook_store::log::{LogFilter, LogSummary, Paging, Search};
use rollbook_store::outbox::{MailKind, NewMail};

use crate::harness::{
    Database, Desk, LEASE, candidate, delivery, guest, is_missing, on_every_store, rows, step,
    with_key,
};

/// Does everything that the log and the tables around it need; returns the rows of files that were found.
async fn finish(desk: &Desk, now: i64) -> (Erasure, Vec<(ImportId, u64)>) {
    let claimed = desk.store.claim_erasure(None, Timestamp(now), LEASE).await;
    let (erasure, traces) = claimed.unwrap().expect("an erasure waits");
    let (workspace, number) = (desk.workspace, erasure.number);
    let mut found_rows = Vec::new();
    let mut next = Some(0);
    while let Some(after) = next {
        let found = desk
            .store
            .find_traces(workspace, traces.clone(), after)
            .await
            .unwrap();
        desk.store
            .erase_traces(workspace, number, traces.clone(), found.numbers)
            .await
            .unwrap();
        found_rows.extend(found.rows);
        next = found.next;
    }
    desk.store
        .erase_elsewhere(workspace, number, traces, found_rows.clone())
        .await
        .unwrap();
    desk.store.forget_traces(workspace, number).await.unwrap();
    desk.store.wipe(u64::MAX).await.unwrap();
    let done = desk.store.finish_erasure(workspace, number, Timestamp(now));
    (done.await.unwrap(), found_rows)
}

async fn begin(desk: &Desk, contact: u64, now: i64) -> Erasure {
    let begun = desk.store.begin_erasure(
        desk.workspace,
        ContactId(contact),
        Vec::new(),
        "ada@example.com".to_owned(),
        Timestamp(now),
    );
    begun.await.unwrap()
}

async fn summary(desk: &Desk, filter: LogFilter) -> LogSummary {
    let summary = desk.store.summary(desk.workspace, filter, 0).await;
    summary.unwrap()
}

async fn found(desk: &Desk, text: &str) -> u64 {
    let filter = LogFilter {
        search: Some(Search {
            text: text.to_owned(),
            ..Search::default()
        }),
        ..LogFilter::default()
    };
    let contacts = ContactFilter {
        text: Some(text.to_owned()),
        ..ContactFilter::default()
    };
    let contacts = desk
        .store
        .contacts(desk.workspace, contacts, None, 10)
        .await;
    summary(desk, filter).await.counts.all() + contacts.unwrap().contacts.len() as u64
}

fn payload(text: &str) -> Payload {
    Payload {
        content_type: "application/json".to_owned(),
        bytes: text.as_bytes().to_vec(),
    }
}

/// All bytes of the database's files.
fn raw(database: &Database) -> Vec<u8> {
    let Database::Sqlite(folder) = database;
    let files = std::fs::read_dir(folder.path()).unwrap();
    files
        .flat_map(|entry| std::fs::read(entry.unwrap().path()).unwrap())
        .collect()
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes
        .windows(text.len())
        .any(|window| window.eq_ignore_ascii_case(text.as_bytes()))
}

/// A log of 1,500 rows, guest 7 among them, deliveries that are about guest 7 or name them, and mails. Returns the import.
async fn filled(desk: &Desk) -> ImportId {
    let (import, lease) = desk.running_import(10).await;
    let batch = desk.manual_batch(10, rows(0, (0..1_500).map(guest)));
    let step = step(&import, lease, 0);
    desk.store.commit_import_batch(batch, step).await.unwrap();
    let said = |candidate, text: &str| Delivery {
        payload: payload(text),
        ..delivery(candidate)
    };
    desk.deliver(
        20,
        vec![
            said(guest(7), "{\"email\":\"guest7@example.com\"}"),
            // Somebody else's record names them, in another spelling.
            said(
                guest(8),
                "{\"of\":\"Guest8\",\"with\":\"GUEST7@example.com\"}",
            ),
            said(guest(9), "{\"call\":\"030 000 00 07\"}"),
            // It came to nobody.
            said(
                candidate(&[(FieldId::NAME, "guest 7")]),
                "{\"name\":\"guest 7\"}",
            ),
            with_key(guest(7), "key-of-guest-7", 1),
        ],
    )
    .await;
    let mail = |subject: &str, content: Option<&str>| NewMail {
        workspace: desk.workspace,
        kind: MailKind::Test,
        recipient: "ada@example.com".to_owned(),
        subject: subject.to_owned(),
        about: "{}".to_owned(),
        content: content.map(str::to_owned),
        created_at: Timestamp(20),
        due_at: Timestamp(20),
    };
    let mails = vec![
        mail("About Guest 7", None),
        mail("About others", None),
        mail("Hello", Some("{\"text\":\"guest7@example.com wrote\"}")),
    ];
    desk.store.enqueue_mails(mails).await.unwrap();
    import.id
}

#[tokio::test]
async fn an_erased_person_is_nowhere_and_everything_counts_as_before() {
    on_every_store(async |database| {
        let desk = database.desk().await;
        let import = filled(&desk).await;
        let before = summary(&desk, LogFilter::default()).await;
        let contacts = desk.store.count_contacts(desk.workspace).await.unwrap();

        let erasure = begin(&desk, 8, 30).await;
        assert_eq!((erasure.number, erasure.identifiers), (1, 3));
        assert_eq!(begin(&desk, 8, 31).await, erasure);
        assert_eq!(
            desk.store.count_contacts(desk.workspace).await.unwrap(),
            contacts - 1
        );
        let (done, found_rows) = finish(&desk, 40).await;
        assert_eq!(done.attempts, 6, "{done:?}");
        assert_eq!(done.others, 2);
        assert_eq!(found_rows, [(import, 8)]);
        for text in [
            "guest7@example.com",
            "Guest 7\"",
            "+49300000007",
            "000 00 07",
        ] {
            assert_eq!(found(&desk, text).await, 0, "{text}");
        }
        let bytes = raw(&database);
        for text in [
            "guest7@example.com",
            "+49300000007",
            "000 00 07",
            "key-of-guest-7",
        ] {
            assert!(!contains(&bytes, text), "{text}");
        }
        assert_eq!(summary(&desk, LogFilter::default()).await, before);
        assert_eq!(found(&desk, "guest8@example.com").await, 3);
        let of_import = LogFilter {
            import: Some(import),
            ..LogFilter::default()
        };
        assert_eq!(summary(&desk, of_import).await.counts.all(), 1_500);
        let subjects = desk.store.mails(desk.workspace, None, None, 10).await;
        let subjects: Vec<String> = subjects.unwrap().into_iter().map(|m| m.subject).collect();
        assert_eq!(subjects, ["About others", "(erased)"]);
    })
    .await;
}

#[tokio::test]
async fn an_erased_person_does_not_come_back_until_that_is_lifted() {
    on_every_store(async |database| {
        let desk = database.desk().await;
        filled(&desk).await;
        begin(&desk, 8, 30).await;
        finish(&desk, 40).await;
        // The nightly feed, as a delivery with a key, and as a row of a file.
        let again = desk.deliver(50, vec![with_key(guest(7), "key", 1)]).await;
        let again = crate::harness::attempt_of(again.into_iter().next().unwrap());
        assert_eq!(again.issues[0].code, Issue::CONTACT_ERASED);
        assert_eq!((again.result, again.contact), (ImportResult::Failure, None));
        assert_eq!(again.idempotency_key, None);
        let (second, lease) = desk.running_import(60).await;
        let batch = desk.manual_batch(60, rows(0, (0..1_500).map(guest)));
        let step = crate::harness::step(&second, lease, 0);
        let totals = desk.store.commit_import_batch(batch, step).await.unwrap();
        assert_eq!((totals.failed, totals.unchanged), (1, 1_499));
        assert_eq!(found(&desk, "guest7@example.com").await, 0);
        assert!(!contains(&raw(&database), "guest7@example.com"));
        let identifiers = vec![
            Identifier::email("guest7@example.com"),
            Identifier::email("guest8@example.com"),
        ];
        let erased = desk
            .store
            .erased_among(desk.workspace, identifiers.clone())
            .await;
        assert_eq!(erased.unwrap(), identifiers[..1]);

        // Another process knows at once that it was lifted.
        let other = desk.through(database.open().await);
        assert_eq!(
            other.deliver_one(70, guest(7)).await.result,
            ImportResult::Failure
        );
        let lifted = desk
            .store
            .lift_erasure(desk.workspace, 1, "ada".to_owned(), Timestamp(70))
            .await
            .unwrap();
        assert_eq!(lifted.lifted_by.as_deref(), Some("ada"));
        let back = other.deliver(80, vec![with_key(guest(7), "key", 1)]).await;
        let back = crate::harness::attempt_of(back.into_iter().next().unwrap());
        assert_eq!(back.result, ImportResult::Success);
        assert_eq!(back.contact, Some(ContactId(1_501)));
        let missing = desk
            .store
            .lift_erasure(desk.workspace, 9, String::new(), Timestamp(0));
        assert!(is_missing(missing.await));
    })
    .await;
}

#[tokio::test]
async fn one_who_dies_is_succeeded_and_nothing_counts_twice() {
    on_every_store(async |database| {
        let desk = database.desk().await;
        for time in 0..30 {
            desk.deliver(time, vec![delivery(guest(time.unsigned_abs() % 3))])
                .await;
        }
        begin(&desk, 1, 40).await;
        let claim = |now| desk.store.claim_erasure(None, Timestamp(now), LEASE);
        let (erasure, traces) = claim(50).await.unwrap().unwrap();
        assert!(claim(51).await.unwrap().is_none(), "somebody is at it");
        let found = desk.store.find_traces(desk.workspace, traces.clone(), 0);
        let mut found = found.await.unwrap();
        found.numbers.truncate(4);
        desk.store
            .erase_traces(desk.workspace, erasure.number, traces, found.numbers)
            .await
            .unwrap();
        // And here it died.
        let other = desk.through(database.open().await);
        let (done, _) = finish(&other, 51 + LEASE).await;
        assert_eq!(done.attempts, 10);
        assert!(claim(99_999).await.unwrap().is_none());
    })
    .await;
}

#[tokio::test]
async fn a_file_that_another_workspace_needs_stays_there() {
    on_every_store(async |database| {
        let desk = database.desk().await;
        let own = desk.new_import(1, ImportState::Uploaded);
        let own = desk.store.create_import(own).await.unwrap();
        let clinic = desk
            .store
            .add_workspace(crate::harness::settings("Clinic"), Timestamp(1))
            .await
            .unwrap();
        let clinic = Desk::of(desk.store.clone(), clinic.id).await;
        let theirs = clinic.new_import(1, ImportState::Uploaded);
        let theirs = clinic.store.create_import(theirs).await.unwrap();
        desk.deliver_one(2, guest(1)).await;
        begin(&desk, 1, 3).await;
        let erase = |hash, erased| {
            desk.store
                .erase_file(desk.workspace, 1, hash, erased, Timestamp(4))
        };
        let rewritten = FileErased::Rewritten {
            hash: [8; 32],
            size: 9,
        };
        assert!(
            erase([7; 32], rewritten).await.unwrap(),
            "the clinic needs it"
        );
        let now = desk.import(own.id).await;
        assert_eq!((now.file_hash, now.file_size), ([8; 32], 9));
        assert_eq!(now.edits, own.edits + 1, "reviews are made anew");
        assert_eq!(clinic.import(theirs.id).await.file_hash, [7; 32]);
        assert!(!erase([8; 32], FileErased::Deleted).await.unwrap());
        let erasure = desk
            .store
            .erasure(desk.workspace, 1)
            .await
            .unwrap()
            .unwrap();
        assert_eq!((erasure.files_rewritten, erasure.files_deleted), (1, 1));
    })
    .await;
}

#[tokio::test]
async fn an_identifier_that_somebody_else_has_now_stays_theirs() {
    on_every_store(async |database| {
        let desk = database.desk().await;
        let with = |id, phone| candidate(&[(FieldId::EXTERNAL_ID, id), (FieldId::PHONE, phone)]);
        desk.deliver_one(1, with("A", "+49301111111")).await;
        desk.deliver_one(2, with("A", "+49302222222")).await;
        desk.deliver_one(3, with("A", "+49303333333")).await;
        desk.deliver_one(4, with("B", "+49301111111")).await;
        let former = ["+49301111111", "+49302222222"].map(Identifier::phone);
        let begun = desk.store.begin_erasure(
            desk.workspace,
            ContactId(1),
            former.to_vec(),
            String::new(),
            Timestamp(5),
        );
        assert_eq!(begun.await.unwrap().identifiers, 3);
        finish(&desk, 6).await;
        for (id, phone, result) in [
            ("B", "+49301111111", ImportResult::Success),
            ("C", "+49302222222", ImportResult::Failure),
            ("D", "+49303333333", ImportResult::Failure),
        ] {
            let attempt = desk.deliver_one(7, with(id, phone)).await;
            assert_eq!(attempt.result, result, "{phone}");
        }
    })
    .await;
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// Deliveries of some guests, alone and in imports, some erased in between: counts are those of the records, contacts
    /// those of a list kept beside, and no value of an erased person is found.
    #[test]
    fn counts_and_contacts_are_those_of_a_model(
        steps in proptest::collection::vec((0..5_u64, 0..12_usize, 0..10_u8), 1..25),
    ) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let folder = tempfile::tempdir().unwrap();
            let database = Database::Sqlite(folder);
            let desk = database.desk().await;
            let mut people: Vec<Option<u64>> = vec![None; 5];
            let mut erased = [false; 5];
            let (mut last, mut records, mut failed) = (0, 0, 0);
            let mut now = 10;
            for (number, repeats, kind) in steps {
                now += 10;
                let place = usize::try_from(number).unwrap();
                match kind {
                    0 | 1 => {
                        if let Some(contact) = people[place].take() {
                            begin(&desk, contact, now).await;
                            finish(&desk, now).await;
                            erased[place] = true;
                        }
                    }
                    2 => {
                        let all = desk.store.erasures(desk.workspace, None, 100).await.unwrap();
                        if let Some(erasure) = all.iter().find(|one| one.lifted_at.is_none())
                            && all.len() < 2
                        {
                            let lift = desk.store.lift_erasure(
                                desk.workspace, erasure.number, String::new(), Timestamp(now),
                            );
                            lift.await.unwrap();
                            erased = [false; 5];
                        }
                    }
                    _ => {
                        let deliveries: Vec<Delivery> = (0..=repeats)
                            .map(|_| Delivery {
                                payload: payload(&format!("guest{number}@example.com")),
                                ..delivery(guest(number))
                            })
                            .collect();
                        records += deliveries.len() as u64;
                        if erased[place] {
                            failed += deliveries.len() as u64;
                        } else if people[place].is_none() {
                            last += 1;
                            people[place] = Some(last);
                        }
                        desk.deliver(now, deliveries).await;
                    }
                }
            }
            let counts = summary(&desk, LogFilter::default()).await.counts;
            prop_assert_eq!((counts.all(), counts.failure), (records, failed));
            let there = desk.store.count_contacts(desk.workspace).await.unwrap();
            prop_assert_eq!(there, people.iter().flatten().count() as u64);
            for (number, contact) in people.iter().enumerate() {
                if contact.is_none() {
                    prop_assert_eq!(found(&desk, &format!("guest{number}@example.com")).await, 0);
                    prop_assert_eq!(found(&desk, &format!("Guest {number}")).await, 0);
                }
            }
            let page = desk
                .store
                .page(desk.workspace, LogFilter::default(), Paging::After(0), 10_000)
                .await
                .unwrap();
            prop_assert_eq!(page.attempts.len() as u64, records);
            Ok(())
        })?;
    }
}
