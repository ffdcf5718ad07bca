use rollbook_store::accounts::Role;
use rollbook_store::contacts::ContactFilter;
use rollbook_store::{StoreError, Timestamp};

use crate::harness::{on_every_store, settings};

async fn open(address: &str) -> Result<(), StoreError> {
    rollbook_store::open(address).await.map(drop)
}

#[tokio::test]
async fn an_address_of_an_unknown_kind_is_refused() {
    for address in [
        "",
        "sqlite:",
        "mysql://host/db",
        "sqlite::memory:",
        ":memory:",
    ] {
        assert!(
            matches!(open(address).await, Err(StoreError::Address(_))),
            "{address}"
        );
    }
}

#[tokio::test]
async fn a_path_alone_is_an_address() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a:b.db");
    open(path.to_str().unwrap()).await.unwrap();
    assert!(path.is_file());
}

#[tokio::test]
async fn a_place_that_cannot_be_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let nowhere = folder.path().join("missing/rollbook.db");
    let error = open(&format!("sqlite:{}", nowhere.display())).await;
    let error = error.unwrap_err().to_string();
    assert!(
        error.contains("missing` does not exist; create it first"),
        "{error}"
    );
    let error = open(folder.path().to_str().unwrap()).await.unwrap_err();
    assert!(error.to_string().contains("it is a folder"), "{error}");
}

#[tokio::test]
async fn a_file_of_something_else_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rollbook.db");
    let text = "a letter, long enough to be looked at as a database\n".repeat(100);
    std::fs::write(&path, &text).unwrap();
    let error = open(path.to_str().unwrap()).await.unwrap_err();
    assert!(error.to_string().contains("not a database"), "{error}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
}

#[tokio::test]
async fn a_database_of_another_program_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("other.db");
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("CREATE TABLE mail (id)").unwrap();
    drop(other);
    let before = std::fs::read(&path).unwrap();
    let error = open(path.to_str().unwrap()).await.unwrap_err();
    assert!(error.to_string().contains("another program"), "{error}");
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[tokio::test]
async fn a_file_of_a_newer_version_is_refused() {
    on_every_store(async |database| {
        drop(database.desk().await);
        // The version is at byte 60 of an SQLite file.
        let path = database.address().replace("sqlite:", "");
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[60..64].copy_from_slice(&999_u32.to_be_bytes());
        std::fs::write(&path, bytes).unwrap();
        let error = open(&database.address()).await.unwrap_err();
        assert!(
            matches!(error, StoreError::Newer { found: 999, .. }),
            "{error}"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_that_start_together_do_not_collide() {
    on_every_store(async |database| {
        let mut tasks = Vec::new();
        for number in 0..8 {
            let address = database.address();
            tasks.push(tokio::spawn(async move {
                let store = rollbook_store::open(&address).await.unwrap();
                let name = format!("Hotel {number}");
                let made = store.add_workspace(settings(&name), Timestamp(1)).await;
                made.unwrap().id
            }));
        }
        let mut ids = Vec::new();
        for task in tasks {
            ids.push(task.await.unwrap().0);
        }
        ids.sort_unstable();
        assert_eq!(ids, (1..=8).collect::<Vec<_>>());
    })
    .await;
}

#[tokio::test]
async fn a_damaged_file_is_an_error_and_no_panic() {
    on_every_store(async |database| {
        let desk = database.desk().await;
        for number in 0..50 {
            desk.deliver_one(10, crate::harness::guest(number)).await;
        }
        let workspace = desk.workspace;
        drop(desk);
        let path = database.address().replace("sqlite:", "");
        let mut bytes = std::fs::read(&path).unwrap();
        let middle = bytes.len() / 8;
        bytes[middle..].fill(0xa5);
        std::fs::write(&path, bytes).unwrap();
        let Ok(store) = rollbook_store::open(&database.address()).await else {
            return;
        };
        let listed = store
            .contacts(workspace, ContactFilter::default(), None, 100)
            .await;
        assert!(listed.is_err(), "{listed:?}");
        let error = store.add_workspace(settings("A"), Timestamp(1)).await;
        assert!(matches!(error, Err(StoreError::Damaged(_))), "{error:?}");
    })
    .await;
}

#[tokio::test]
async fn people_of_one_workspace_become_its_members_and_stay_signed_in() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("old.db");
    let old = rusqlite::Connection::open(&path).unwrap();
    for migration in [
        include_str!("../../migrations/sqlite/0001_init.sql"),
        include_str!("../../migrations/sqlite/0002_log.sql"),
        include_str!("../../migrations/sqlite/0003_identifier_segments.sql"),
        include_str!("../../migrations/sqlite/0004_import_kinds.sql"),
    ] {
        old.execute_batch(migration).unwrap();
    }
    old.execute_batch(
        r#"INSERT INTO workspace (settings, created_at)
           VALUES ('{"name":"Hotel","time_zone":"UTC","region":null,"date_order":null}', 1);
           INSERT INTO user (workspace, email, name, role, password_hash, created_at)
           VALUES (1, 'a@example.com', 'A', 'importer', 'x', 5);
           INSERT INTO session VALUES (zeroblob(32), 1, 20), (x'01', 7, 20);
           PRAGMA application_id = 0x524c424b;
           PRAGMA user_version = 4;"#,
    )
    .unwrap();
    drop(old);
    let store = rollbook_store::open(path.to_str().unwrap()).await.unwrap();
    let workspace = store.workspaces().await.unwrap()[0].id;
    let people = store.users(workspace).await.unwrap();
    assert_eq!(people.len(), 1);
    assert_eq!(
        (people[0].role, people[0].joined_at),
        (Role::Importer, Timestamp(5))
    );
    let found = store
        .session([0; 32], Timestamp(10))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(found.member, people[0]);
}
