use rollbook_engine::contact::{ContactId, Identifier};
use rollbook_engine::schema::FieldId;
use rollbook_store::contacts::{ContactFilter, ContactPage};
use rollbook_store::log::Reach;
use rollbook_store::{Timestamp, WorkspaceId};

use crate::harness::{Desk, candidate, delivery, guest, on_every_store, settings};

async fn list(desk: &Desk, filter: ContactFilter) -> Vec<u64> {
    let page = desk
        .store
        .contacts(desk.workspace, filter, None, 1_000)
        .await
        .unwrap();
    assert_eq!(page.next, None);
    numbers(&page)
}

fn numbers(page: &ContactPage) -> Vec<u64> {
    page.contacts
        .iter()
        .map(|stored| stored.contact.id.0)
        .collect()
}

fn text(text: &str) -> ContactFilter {
    ContactFilter {
        text: Some(text.to_owned()),
        ..ContactFilter::default()
    }
}

fn digits(digits: &str) -> ContactFilter {
    ContactFilter {
        phone_digits: Some(digits.to_owned()),
        ..ContactFilter::default()
    }
}

#[tokio::test]
async fn contacts_are_paged_newest_first_by_number() {
    on_every_store(async |database| {
        let desk = database.desk().await;
        let store = &desk.store;
        for number in 1..=5 {
            desk.deliver_one(10, guest(number)).await;
        }
        let page = async |before| {
            store
                .contacts(desk.workspace, ContactFilter::default(), before, 2)
                .await
                .unwrap()
        };
        let first = page(None).await;
        assert_eq!(
            (numbers(&first), first.next),
            (vec![5, 4], Some(ContactId(4)))
        );
        let second = page(first.next).await;
        assert_eq!(
            (numbers(&second), second.next),
            (vec![3, 2], Some(ContactId(2)))
        );
        let third = page(second.next).await;
        assert_eq!((numbers(&third), third.next), (vec![1], None));
        assert_eq!(store.count_contacts(desk.workspace).await.unwrap(), 5);
        assert_eq!(store.count_contacts(WorkspaceId(99)).await.unwrap(), 0);
    })
    .await;
}

#[tokio::test]
async fn a_page_that_ends_with_the_last_contact_has_no_next() {
    on_every_store(async |database| {
        let desk = database.desk().await;
        desk.deliver_one(10, guest(1)).await;
        desk.deliver_one(10, guest(2)).await;
        let page = desk
            .store
            .contacts(desk.workspace, ContactFilter::default(), None, 2)
            .await
            .unwrap();
        assert_eq!((numbers(&page), page.next), (vec![2, 1], None));
    })
    .await;
}

#[tokio::test]
async fn a_contact_has_its_times() {
    on_every_store(async |database| {
        let desk = database.desk().await;
        desk.deliver_one(10, guest(1)).await;
        desk.deliver_one(
            20,
            candidate(&[(FieldId::EXTERNAL_ID, "G1"), (FieldId::CITY, "Bonn")]),
        )
        .await;
        let stored = desk
            .store
            .contact(desk.workspace, ContactId(1))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(
            (stored.created_at, stored.updated_at),
            (Timestamp(10), Timestamp(20))
        );
        // Nothing changes, so nothing is written.
        desk.deliver_one(30, guest(1)).await;
        let again = desk.store.contact(desk.workspace, ContactId(1)).await;
        assert_eq!(again.unwrap().unwrap(), stored);
    })
    .await;
}

#[tokio::test]
async fn a_text_is_found_in_any_value_and_any_case() {
    on_every_store(async |database| {
        let desk = database.desk().await;
        let people = [
            candidate(&[
                (FieldId::EXTERNAL_ID, "AB-12"),
                (FieldId::NAME, "Jürgen MÜLLER"),
                (FieldId::CITY, "Köln"),
            ]),
            candidate(&[
                (FieldId::PHONE, "+4930123456"),
                (FieldId::EMAIL, "Mixed.Case@Example.com"),
            ]),
            candidate(&[
                (FieldId::EMAIL, "plain@example.org"),
                (FieldId::NOTES, &"long ".repeat(100)),
                (FieldId::TAGS, "VIP"),
            ]),
        ];
        for person in people {
            desk.deliver_one(10, person).await;
        }
        let mut other = desk.batch(
            10,
            vec![delivery(candidate(&[(FieldId::EXTERNAL_ID, "x")]))],
        );
        other.policy.namespace = "booking".to_owned();
        desk.store.deliver(other).await.unwrap();
        for (wanted, found) in [
            ("ab-12", vec![1]),
            ("müller", vec![1]),
            ("MÜLLER", vec![1]),
            ("jürgen m", vec![1]),
            ("KÖLN", vec![1]),
            ("mixed.case", vec![2]),
            ("EXAMPLE", vec![3, 2]),
            ("X", vec![4, 3, 2]),
            ("vip", vec![3]),
            ("LONG LONG", vec![3]),
            ("+4930", vec![2]),
            ("mülx", vec![]),
            // Neither across two values nor in what lies between them.
            ("12jürgen", vec![]),
            ("default", vec![]),
            ("booking", vec![]),
            ("", vec![4, 3, 2, 1]),
        ] {
            assert_eq!(list(&desk, text(wanted)).await, found, "{wanted}");
        }
    })
    .await;
}

#[tokio::test]
async fn digits_are_found_in_phones_only_beside_the_text() {
    on_every_store(async |database| {
        let desk = database.desk().await;
        let people = [
            candidate(&[(FieldId::PHONE, "+4930123456")]),
            candidate(&[(FieldId::EXTERNAL_ID, "30123456")]),
            candidate(&[(FieldId::PHONE, "+4930999999;ext=77")]),
        ];
        for person in people {
            desk.deliver_one(10, person).await;
        }
        assert_eq!(list(&desk, digits("30123")).await, [1]);
        assert_eq!(list(&desk, digits("99977")).await, [3]);
        assert_eq!(list(&desk, digits("5555")).await, [0; 0]);
        let either = ContactFilter {
            text: Some("30123456".to_owned()),
            phone_digits: Some("999".to_owned()),
            ..ContactFilter::default()
        };
        assert_eq!(list(&desk, either.clone()).await, [3, 2, 1]);
        let masked = |filter| ContactFilter {
            reach: Reach::NamesAndIds,
            ..filter
        };
        assert_eq!(list(&desk, masked(either)).await, [2], "its External ID");
        assert_eq!(list(&desk, masked(digits("30123"))).await, [0; 0]);
    })
    .await;
}

#[tokio::test]
async fn a_filtered_list_is_paged_as_well() {
    on_every_store(async |database| {
        let desk = database.desk().await;
        for number in 1..=6 {
            let mut guest = guest(number);
            if number % 2 == 0 {
                guest = candidate(&[
                    (FieldId::EXTERNAL_ID, &format!("E{number}")),
                    (FieldId::CITY, "Evenhausen"),
                ]);
            }
            desk.deliver_one(10, guest).await;
        }
        let page = async |before| {
            desk.store
                .contacts(desk.workspace, text("evenh"), before, 2)
                .await
                .unwrap()
        };
        let first = page(None).await;
        assert_eq!(
            (numbers(&first), first.next),
            (vec![6, 4], Some(ContactId(4)))
        );
        let second = page(first.next).await;
        assert_eq!((numbers(&second), second.next), (vec![2], None));
    })
    .await;
}

#[tokio::test]
async fn owners_are_those_who_have_the_identifier_now() {
    on_every_store(async |database| {
        let desk = database.desk().await;
        desk.deliver_one(10, guest(1)).await;
        desk.deliver_one(10, guest(2)).await;
        // Guest 1 gets another phone number.
        desk.deliver_one(
            20,
            candidate(&[(FieldId::EXTERNAL_ID, "G1"), (FieldId::PHONE, "+49309")]),
        )
        .await;
        let owners = async |identifiers: Vec<Identifier>| {
            let owners = desk.store.owners(desk.workspace, identifiers).await;
            let owners = owners.unwrap().into_iter();
            owners.map(|contact| contact.id.0).collect::<Vec<_>>()
        };
        assert_eq!(
            owners(vec![
                Identifier::external_id("default", "G1"),
                Identifier::phone("+49309"),
                Identifier::email("GUEST2@example.com"),
            ])
            .await,
            [1, 2]
        );
        assert_eq!(
            owners(vec![
                Identifier::phone("+49300000001"),
                Identifier::external_id("pms", "G1"),
                Identifier::email("+49309"),
            ])
            .await,
            [0; 0]
        );
        assert_eq!(owners(Vec::new()).await, [0; 0]);
    })
    .await;
}

#[tokio::test]
async fn workspaces_do_not_see_each_other() {
    on_every_store(async |database| {
        let desk = database.desk().await;
        let other = desk
            .store
            .add_workspace(settings("Clinic"), Timestamp(1))
            .await
            .unwrap();
        let other = Desk::of(desk.store.clone(), other.id).await;
        desk.deliver_one(10, guest(1)).await;
        desk.deliver_one(10, guest(2)).await;
        let attempt = other.deliver_one(10, guest(1)).await;
        assert_eq!(attempt.contact, Some(ContactId(1)));
        assert_eq!(attempt.id.number(), 1);
        assert_eq!(list(&other, ContactFilter::default()).await, [1]);
        assert_eq!(list(&desk, text("guest")).await, [2, 1]);
        assert_eq!(other.log().await, [attempt]);
        let there = async |number| {
            let contact = other.store.contact(other.workspace, ContactId(number));
            contact.await.unwrap().is_some()
        };
        assert!(there(1).await);
        assert!(!there(2).await);
        // Numbers so large that they would reach into another workspace.
        assert!(!there(1 << 40 | 1).await);
        assert!(!there(u64::MAX).await);
    })
    .await;
}

#[tokio::test]
async fn many_readers_read_while_contacts_are_written() {
    on_every_store(async |database| {
        let desk = database.desk().await;
        let mut tasks = Vec::new();
        for number in 0..40 {
            let desk = desk.clone();
            tasks.push(tokio::spawn(async move {
                desk.deliver(10, vec![delivery(guest(number))]).await;
                let page = desk
                    .store
                    .contacts(desk.workspace, text("guest"), None, 50)
                    .await
                    .unwrap();
                assert!(!page.contacts.is_empty());
            }));
        }
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(desk.store.count_contacts(desk.workspace).await.unwrap(), 40);
    })
    .await;
}
