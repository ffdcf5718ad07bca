use rollbook_store::commit::{Batch, ImportStep};
use rollbook_store::imports::{Import, ImportState};
use rollbook_store::log::Paging;
use rollbook_store::{StoreError, Timestamp};

use super::*;
use crate::clock;
use crate::config::{Config, Flags};
use crate::imports::receive::{Incoming, receive};
use crate::imports::replay::{self, Edit, policy};
use crate::imports::run::{LEASE_MILLIS, run};

async fn app(folder: &std::path::Path) -> App {
    let (defaults, _) = Flags::default().resolve().unwrap();
    let config = Config {
        database: format!("sqlite:{}", folder.join("rollbook.db").display()),
        files: folder.join("files"),
        ..defaults
    };
    App::open(config).await.unwrap()
}

/// The whole log, oldest first.
async fn log(app: &App, workspace: WorkspaceId) -> Vec<Attempt> {
    let everything = LogFilter::default();
    let page = app
        .store
        .page(workspace, everything, Paging::After(0), 1_000);
    page.await.unwrap().attempts
}

/// An app with so many records of a source in its log.
async fn with_records(folder: &std::path::Path, count: u64) -> (App, Source) {
    let app = app(folder).await;
    let workspace = app.workspace().await.unwrap().id;
    let source = app.store.source(workspace, "manual").await;
    let source = source.unwrap().unwrap();
    let records = (1..=count).map(|number| Incoming {
        body: format!(r#"{{"external_id":"G{number}","name":"Guest"}}"#).into_bytes(),
        content_type: "application/json".to_owned(),
        idempotency: None,
        problem: None,
        event: None,
    });
    receive(&app, &source, records.collect()).await.unwrap();
    (app, source)
}

async fn run_to_its_end(app: &App, import: Import) -> Import {
    let only = Some((import.workspace, import.id));
    let claimed = app
        .store
        .claim_import(only, clock::now(), LEASE_MILLIS)
        .await;
    let (import, lease) = claimed.unwrap().unwrap();
    run(app, import, lease).await.unwrap()
}

#[tokio::test]
async fn of_many_attempts_the_first_are_looked_at_and_the_others_counted() {
    let folder = tempfile::tempdir().unwrap();
    let (app, source) = with_records(folder.path(), 60).await;
    let workspace = source.workspace;
    let old = log(&app, workspace).await;
    for position in [4, 49] {
        let attempt = app.store.attempt(workspace, old[position].id).await;
        let (attempt, payload) = attempt.unwrap().unwrap();
        let edit = Edit::default();
        let ready = replay::read(&app, workspace, &attempt, payload, edit).await;
        replay::commit(&app, ready.unwrap()).await.unwrap();
    }
    let wish = Wish::default();
    let found = count(&app, workspace, &wish).await.unwrap();
    assert_eq!((found.looked_at, found.records()), (Some(40), 61));
    assert_eq!(found.left_out(), [(Obstacle::Replayed, 1)].into());
    assert_eq!(found.sources[0].first, Some(old[0].id));
    // Only when its turn comes the other one turns out to be replayed already.
    let imports = create(&app, workspace, &wish, &found, "tests").await;
    let import = imports.unwrap().remove(0);
    assert_eq!(import.file_name, "Replay of up to 61 records");
    let ended = run_to_its_end(&app, import).await;
    assert_eq!(
        (ended.totals.records, ended.expected_records),
        (60, Some(60))
    );

    // A result is counted alone, and so is a source; one that is paused has nothing to replay.
    let of_result = Wish {
        filter: LogFilter {
            result: Some(rollbook_engine::attempt::ImportResult::Success),
            source: Some(source.id),
            ..LogFilter::default()
        },
        again: true,
        ..Wish::default()
    };
    let found = count(&app, workspace, &of_result).await.unwrap();
    assert_eq!((found.looked_at, found.records()), (Some(40), 122));
    let failures = Wish {
        filter: LogFilter {
            result: Some(rollbook_engine::attempt::ImportResult::Failure),
            ..LogFilter::default()
        },
        ..Wish::default()
    };
    let found = count(&app, workspace, &failures).await.unwrap();
    assert_eq!((found.looked_at, found.records()), (None, 0));
    let paused = app
        .store
        .set_source_paused(workspace, source.id, true)
        .await;
    paused.unwrap();
    let found = count(&app, workspace, &of_result).await.unwrap();
    assert_eq!(found.records(), 0);
    assert_eq!(found.left_out(), [(Obstacle::Paused, 122)].into());
}

#[tokio::test]
async fn who_takes_a_replay_over_goes_on_behind_the_last_one_repeated() {
    let folder = tempfile::tempdir().unwrap();
    let (app, source) = with_records(folder.path(), 30).await;
    let workspace = source.workspace;
    let wish = Wish::default();
    let found = count(&app, workspace, &wish).await.unwrap();
    assert_eq!(found.records(), 30);
    let import = create(&app, workspace, &wish, &found, "tests")
        .await
        .unwrap()
        .remove(0);
    assert!(matches!(
        create(&app, workspace, &wish, &found, "tests").await,
        Err(ReplayError::Busy(_))
    ));

    // The first worker commits two batches and falls silent.
    let only = Some((workspace, import.id));
    let now = clock::now();
    let (_, lease) = app.store.claim_import(only, now, 1).await.unwrap().unwrap();
    let mut first = Records::of(&app, &wish, &found, &source);
    let batch = |deliveries| Batch {
        workspace,
        source: source.id,
        policy: policy(&source),
        schema: std::sync::Arc::new(rollbook_engine::schema::Schema::built_in()),
        received_at: now,
        deliveries,
    };
    let step = |cursor| ImportStep {
        import: import.id,
        lease,
        cursor,
        expected: Vec::new(),
    };
    let mut cursor = 0;
    for _ in 0..2 {
        let deliveries = first.next_batch().await.unwrap();
        let committed = app
            .store
            .commit_import_batch(batch(deliveries), step(cursor));
        cursor += committed.await.unwrap().records;
    }
    assert_eq!(cursor, 8);
    // Meanwhile one that was repeated is erased, and one that was not: counting records would lose the place.
    let old = log(&app, workspace).await;
    for position in [2, 20] {
        let person = LogFilter {
            contact: old[position].contact,
            ..LogFilter::default()
        };
        app.store
            .erase_attempts(workspace, person, 0)
            .await
            .unwrap();
    }
    let late = Timestamp(now.0 + 10);
    let claimed = app
        .store
        .claim_import(only, late, LEASE_MILLIS)
        .await
        .unwrap();
    let (import, newer) = claimed.unwrap();
    let ended = run(&app, import, newer).await.unwrap();
    assert_eq!((ended.state, ended.totals.records), (ImportState::Done, 29));
    // The first one wakes up, too late.
    let deliveries = first.next_batch().await.unwrap();
    let refused = app
        .store
        .commit_import_batch(batch(deliveries), step(8))
        .await;
    assert!(matches!(refused, Err(StoreError::LeaseLost)));

    let log = log(&app, workspace).await;
    assert_eq!(log.len(), 59);
    let repeated: Vec<u64> = log[30..]
        .iter()
        .map(|attempt| attempt.replay_of.unwrap().number())
        .collect();
    let expected: Vec<u64> = (1..=30).filter(|number| *number != 21).collect();
    assert_eq!(repeated, expected);
}
