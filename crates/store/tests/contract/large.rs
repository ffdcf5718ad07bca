//! Batches of thousands: planned in parts, and no different from one record after the other.

use rollbook_engine::candidate::Candidate;
use rollbook_engine::schema::FieldId;
use rollbook_store::commit::Delivery;
use rollbook_store::contacts::ContactFilter;
use rollbook_store::log::{LogFilter, Paging};

use crate::harness::{Desk, candidate, delivery, guest, on_every_store, rows, step};

/// Records in which people come back, change, and want what belongs to somebody else, near and far apart.
fn people(count: u64) -> Vec<Candidate> {
    let mut state = 7_u64;
    let mut below = |limit: u64| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) % limit
    };
    let mut people = Vec::new();
    for _ in 0..count {
        let number = below(1_200);
        people.push(match below(10) {
            0 => candidate(&[(FieldId::NAME, &format!("Nobody {number}"))]),
            1 => candidate(&[
                (FieldId::PHONE, &format!("+4930{number:07}")),
                (FieldId::EXTERNAL_ID, &format!("H{}", below(400))),
            ]),
            2 => candidate(&[
                (FieldId::EXTERNAL_ID, &format!("G{number}")),
                (
                    FieldId::EMAIL,
                    &format!("guest{}@example.com", below(1_200)),
                ),
            ]),
            3 => candidate(&[
                (FieldId::EXTERNAL_ID, &format!("G{number}")),
                (FieldId::PHONE, &format!("+4931{:07}", below(300))),
                (FieldId::CITY, "Berlin"),
            ]),
            4 => candidate(&[(FieldId::TAGS, "nobody")]),
            _ => guest(number),
        });
    }
    people
}

/// What is to be the same: attempts without what tells when they came, contacts, and what finds them.
async fn outcome(desk: &Desk) -> (Vec<String>, Vec<String>) {
    let everything = LogFilter::default();
    let log = desk
        .store
        .page_with_payloads(desk.workspace, everything, Paging::After(0), 100_000)
        .await
        .unwrap();
    let attempts = log.into_iter().map(|(attempt, payload)| {
        format!(
            "{} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?}",
            attempt.id.number(),
            attempt.result,
            attempt.action,
            attempt.matched_on,
            attempt.shown,
            attempt.contact,
            attempt.issues,
            attempt.notes,
            attempt.changes,
            payload
        )
    });
    let page = desk
        .store
        .contacts(desk.workspace, ContactFilter::default(), None, u16::MAX)
        .await
        .unwrap();
    let contacts = page
        .contacts
        .into_iter()
        .map(|stored| format!("{:?}", stored.contact));
    (attempts.collect(), contacts.collect())
}

#[tokio::test]
async fn a_large_batch_is_what_its_records_are_one_by_one() {
    on_every_store(async |database| {
        let mut people = people(4_299);
        // Everybody as they are, twice, so that nothing changes for more than a block; then changes again.
        let mixed = people[..600].to_vec();
        people.extend((0..1_200).chain(0..1_200).map(guest));
        people.extend(mixed);
        let large = database.desk().await;
        // Something waits in the tail of the log before each of the batches.
        let mut done = 0;
        let mut all: Vec<Candidate> = Vec::new();
        let (import, lease) = large.running_import(10).await;
        for size in [2_600, 300, 1_000, 399, 1_200, 1_800] {
            let number = 10_000 + all.len() as u64;
            large
                .store
                .deliver(large.manual_batch(10, vec![delivery(guest(number))]))
                .await
                .unwrap();
            all.push(guest(number));
            let start = usize::try_from(done).unwrap();
            let part = people[start..start + size].to_vec();
            all.extend(part.iter().cloned());
            let batch = large.manual_batch(10, rows(done, part));
            let totals = large
                .store
                .commit_import_batch(batch, step(&import, lease, done))
                .await
                .unwrap();
            assert_eq!(totals.records, size as u64);
            assert_eq!(totals.created + totals.updated + totals.failed, size as u64);
            done += size as u64;
        }

        let workspace = large
            .store
            .add_workspace(
                crate::harness::settings("Other"),
                rollbook_store::Timestamp(1),
            )
            .await
            .unwrap();
        let single = Desk::of(large.store.clone(), workspace.id).await;
        // Few at a time: below the size that is planned in parts.
        for some in all.chunks(100) {
            let deliveries: Vec<Delivery> = some.iter().cloned().map(delivery).collect();
            single
                .store
                .deliver(single.manual_batch(10, deliveries))
                .await
                .unwrap();
        }
        let (attempts, contacts) = outcome(&large).await;
        let (expected_attempts, expected_contacts) = outcome(&single).await;
        assert_eq!(attempts.len(), 7_305);
        for (attempt, expected) in attempts.iter().zip(&expected_attempts) {
            assert_eq!(attempt, expected);
        }
        assert_eq!(attempts.len(), expected_attempts.len());
        assert_eq!(contacts, expected_contacts);
        // And a process that reads the index from the file finds the same people.
        let other = large.through(database.open().await);
        for candidate in all.iter().rev().take(200) {
            let policy = other.manual_batch(20, Vec::new()).policy;
            let identifiers: Vec<_> = candidate
                .identifiers(&policy)
                .map(|(identifier, _)| identifier)
                .collect();
            let here = large
                .store
                .owners(large.workspace, identifiers.clone())
                .await;
            let there = other.store.owners(other.workspace, identifiers).await;
            assert_eq!(here.unwrap(), there.unwrap());
        }
    })
    .await;
}
