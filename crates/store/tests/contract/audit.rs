use rollbook_store::audit::{AuditFilter, NewAuditEntry};
use rollbook_store::{Timestamp, WorkspaceId};

use crate::harness::{Database, is_missing, on_every_store, settings};

fn entry(at: i64, who: &str, what: &str) -> NewAuditEntry {
    NewAuditEntry {
        at: Timestamp(at),
        who: who.to_owned(),
        what: what.to_owned(),
        about: format!("import {at}"),
        address: "192.0.2.7".to_owned(),
    }
}

#[tokio::test]
async fn entries_come_back_newest_first_page_by_page_and_by_who_and_what() {
    on_every_store(async |database| {
        let desk = database.desk().await;
        let other = desk
            .store
            .add_workspace(settings("Clinic"), Timestamp(1))
            .await
            .unwrap();
        let add = async |workspace, entry| desk.store.add_audit(workspace, entry).await;
        for at in 1..=5 {
            let who = if at % 2 == 0 { "ada" } else { "bob" };
            let what = if at < 4 { "signed_in" } else { "log.exported" };
            add(desk.workspace, entry(at, who, what)).await.unwrap();
        }
        add(other.id, entry(9, "ada", "signed_in")).await.unwrap();
        assert!(is_missing(add(WorkspaceId(99), entry(1, "a", "b")).await));

        let numbers = async |filter: AuditFilter, before, limit| {
            let page = desk
                .store
                .audit(desk.workspace, filter, before, limit)
                .await;
            let page = page.unwrap();
            let numbers: Vec<u64> = page.entries.iter().map(|entry| entry.number).collect();
            (numbers, page.next)
        };
        let all = AuditFilter::default;
        assert_eq!(numbers(all(), None, 3).await, (vec![5, 4, 3], Some(3)));
        assert_eq!(numbers(all(), Some(3), 3).await, (vec![2, 1], None));
        assert_eq!(numbers(all(), None, 5).await, (vec![5, 4, 3, 2, 1], None));
        let by = |who: Option<&str>, what: Option<&str>| AuditFilter {
            who: who.map(str::to_owned),
            what: what.map(str::to_owned),
        };
        assert_eq!(numbers(by(Some("ada"), None), None, 9).await.0, [4, 2]);
        assert_eq!(
            numbers(by(Some("bob"), Some("signed_in")), None, 9).await.0,
            [3, 1]
        );
        let page = desk.store.audit(other.id, all(), None, 9).await.unwrap();
        assert_eq!(page.entries.len(), 1);
        assert_eq!(page.entries[0].entry, entry(9, "ada", "signed_in"));
    })
    .await;
}

#[tokio::test]
async fn the_database_itself_refuses_to_change_the_audit() {
    on_every_store(async |database| {
        let desk = database.desk().await;
        let added = desk
            .store
            .add_audit(desk.workspace, entry(1, "ada", "signed_in"));
        added.await.unwrap();
        let Database::Sqlite(folder) = &database;
        let other = rusqlite::Connection::open(folder.path().join("rollbook.db")).unwrap();
        for change in [
            "DELETE FROM audit",
            "UPDATE audit SET who = 'bob'",
            // Replacing a row deletes it without asking who keeps rows.
            "INSERT OR REPLACE INTO audit
             SELECT workspace, number, at, 'bob', what, about, address FROM audit",
        ] {
            let error = other.execute(change, []).unwrap_err().to_string();
            assert!(error.contains("append-only"), "{error}");
        }
    })
    .await;
}
