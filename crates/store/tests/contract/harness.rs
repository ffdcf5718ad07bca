//! A fresh database for each test, and short words for what tests do with it.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use rollbook_engine::candidate::{Candidate, Given};
use rollbook_engine::contact::{Text, Value};
use rollbook_engine::policy::{Mode, Policy};
use rollbook_engine::schema::{FieldId, Schema};
use rollbook_store::commit::{Batch, Delivered, Delivery, Idempotency, ImportStep, Payload};
use rollbook_store::imports::{Import, ImportId, ImportKind, ImportState, Lease, NewImport};
use rollbook_store::log::{Attempt, LogFilter, Paging};
use rollbook_store::sources::{NewSource, SourceId};
use rollbook_store::workspaces::WorkspaceSettings;
use rollbook_store::{AnyStore, StoreError, Timestamp, WorkspaceId};
use tempfile::TempDir;
use uuid::Uuid;

/// Lease length in tests.
pub(crate) const LEASE: i64 = 1_000;

/// An empty database. Opening it twice is like two processes: each handle has its own writer.
pub(crate) enum Database {
    Sqlite(TempDir),
}

impl Database {
    pub(crate) fn address(&self) -> String {
        match self {
            Database::Sqlite(folder) => {
                format!("sqlite:{}", folder.path().join("rollbook.db").display())
            }
        }
    }

    pub(crate) async fn open(&self) -> AnyStore {
        rollbook_store::open(&self.address()).await.unwrap()
    }

    /// A store with one workspace.
    pub(crate) async fn desk(&self) -> Desk {
        let store = self.open().await;
        let workspace = store
            .add_workspace(settings("Hotel Astoria"), Timestamp(1))
            .await
            .unwrap();
        Desk::of(store, workspace.id).await
    }
}

/// Runs a test on an empty database of every kind.
pub(crate) async fn on_every_store(test: impl AsyncFn(Database)) {
    test(Database::Sqlite(tempfile::tempdir().unwrap())).await;
}

/// A store, a workspace in it and its sources: `manual` and `api`.
#[derive(Clone)]
pub(crate) struct Desk {
    pub(crate) store: AnyStore,
    pub(crate) workspace: WorkspaceId,
    pub(crate) manual: SourceId,
    pub(crate) api: SourceId,
}

impl Desk {
    pub(crate) async fn of(store: AnyStore, workspace: WorkspaceId) -> Desk {
        let manual = store.source(workspace, "manual").await.unwrap().unwrap();
        let api = store
            .add_source(workspace, source("api"), Timestamp(1))
            .await
            .unwrap();
        Desk {
            store,
            workspace,
            manual: manual.id,
            api: api.id,
        }
    }

    /// The same workspace by another handle.
    pub(crate) fn through(&self, store: AnyStore) -> Desk {
        Desk {
            store,
            ..self.clone()
        }
    }

    pub(crate) fn batch(&self, now: i64, deliveries: Vec<Delivery>) -> Batch {
        Batch {
            workspace: self.workspace,
            source: self.api,
            policy: Policy::standard(Mode::Automatic, "default"),
            schema: Arc::new(Schema::built_in()),
            received_at: Timestamp(now),
            deliveries,
        }
    }

    pub(crate) fn manual_batch(&self, now: i64, deliveries: Vec<Delivery>) -> Batch {
        Batch {
            source: self.manual,
            policy: Policy::standard(Mode::Manual, "default"),
            ..self.batch(now, deliveries)
        }
    }

    pub(crate) async fn deliver(&self, now: i64, deliveries: Vec<Delivery>) -> Vec<Delivered> {
        let batch = self.batch(now, deliveries);
        self.store.deliver(batch).await.unwrap()
    }

    /// Delivers one record and gives its attempt.
    pub(crate) async fn deliver_one(&self, now: i64, candidate: Candidate) -> Attempt {
        let mut delivered = self.deliver(now, vec![delivery(candidate)]).await;
        assert_eq!(delivered.len(), 1);
        attempt_of(delivered.remove(0))
    }

    /// The whole log, oldest first.
    pub(crate) async fn log(&self) -> Vec<Attempt> {
        let page = self
            .store
            .page(
                self.workspace,
                LogFilter::default(),
                Paging::After(0),
                1_000_000,
            )
            .await
            .unwrap();
        assert!(!page.more);
        page.attempts
    }

    pub(crate) fn new_import(&self, now: i64, state: ImportState) -> NewImport {
        NewImport {
            id: ImportId(Uuid::now_v7()),
            workspace: self.workspace,
            kind: ImportKind::File,
            parent: None,
            source: self.manual,
            file_name: "guests.csv".to_owned(),
            file_size: 1_234,
            file_hash: [7; 32],
            created_by: "ada@example.com".to_owned(),
            created_at: Timestamp(now),
            options: None,
            state,
        }
    }

    /// A new import that this worker runs until `now + LEASE`.
    pub(crate) async fn running_import(&self, now: i64) -> (Import, Lease) {
        let new = self.new_import(now, ImportState::Queued);
        let import = self.store.create_import(new).await.unwrap();
        self.store
            .claim_import(Some((self.workspace, import.id)), Timestamp(now), LEASE)
            .await
            .unwrap()
            .unwrap()
    }

    pub(crate) async fn import(&self, id: ImportId) -> Import {
        self.store
            .import(self.workspace, id)
            .await
            .unwrap()
            .unwrap()
    }
}

pub(crate) fn step(import: &Import, lease: Lease, cursor: u64) -> ImportStep {
    ImportStep {
        import: import.id,
        lease,
        cursor,
        expected: Vec::new(),
    }
}

pub(crate) fn settings(name: &str) -> WorkspaceSettings {
    WorkspaceSettings {
        name: name.to_owned(),
        time_zone: "Europe/Berlin".to_owned(),
        region: Some("DE".to_owned()),
        date_order: None,
        blank_words: None,
    }
}

pub(crate) fn source(name: &str) -> NewSource {
    NewSource {
        name: name.to_owned(),
        label: name.to_uppercase(),
        mode: Mode::Automatic,
        namespace: "default".to_owned(),
        region: None,
        mapping: None,
    }
}

pub(crate) fn candidate(given: &[(FieldId, &str)]) -> Candidate {
    let mut given: Vec<(FieldId, Given)> = given
        .iter()
        .map(|(field, text)| {
            let text = Text::from(*text);
            let value = if matches!(*field, FieldId::PHONE | FieldId::EMAIL | FieldId::TAGS) {
                Value::Many([text].into())
            } else {
                Value::One(text)
            };
            (*field, Given::Set(value))
        })
        .collect();
    given.sort_by_key(|(field, _)| *field);
    Candidate {
        given,
        ..Candidate::default()
    }
}

/// A guest with External ID, name, phone and email made from a number.
pub(crate) fn guest(number: u64) -> Candidate {
    candidate(&[
        (FieldId::EXTERNAL_ID, &format!("G{number}")),
        (FieldId::NAME, &format!("Guest {number}")),
        (FieldId::PHONE, &format!("+4930{number:07}")),
        (FieldId::EMAIL, &format!("guest{number}@example.com")),
    ])
}

pub(crate) fn delivery(candidate: Candidate) -> Delivery {
    let payload = Payload {
        content_type: "application/json".to_owned(),
        bytes: format!("{:?}", candidate.name()).into_bytes(),
    };
    Delivery {
        candidate,
        payload,
        row: None,
        idempotency: None,
        replay_of: None,
    }
}

pub(crate) fn with_key(candidate: Candidate, key: &str, body: u8) -> Delivery {
    Delivery {
        idempotency: Some(Idempotency {
            key: key.to_owned(),
            body_hash: [body; 32],
        }),
        ..delivery(candidate)
    }
}

/// Rows of a file, counting from 1 at `cursor` 0.
pub(crate) fn rows(cursor: u64, candidates: impl IntoIterator<Item = Candidate>) -> Vec<Delivery> {
    (cursor + 1..)
        .zip(candidates)
        .map(|(row, candidate)| Delivery {
            row: Some(row),
            ..delivery(candidate)
        })
        .collect()
}

/// Starts a call, so that the store has its work, and gives the rest of it.
pub(crate) async fn hand_in<'a, T: Send + 'a>(
    call: impl Future<Output = T> + Send + 'a,
) -> Pin<Box<dyn Future<Output = T> + Send + 'a>> {
    let mut call = Box::pin(call);
    let early = poll_fn(|context| Poll::Ready(call.as_mut().poll(context))).await;
    Box::pin(async move {
        match early {
            Poll::Ready(value) => value,
            Poll::Pending => call.await,
        }
    })
}

pub(crate) fn attempt_of(delivered: Delivered) -> Attempt {
    match delivered {
        Delivered::Committed(attempt) => attempt,
        other => panic!("not committed: {other:?}"),
    }
}

pub(crate) fn is_missing<T>(outcome: Result<T, StoreError>) -> bool {
    matches!(outcome.err(), Some(StoreError::Missing(_)))
}

pub(crate) fn exists_already<T>(outcome: Result<T, StoreError>) -> bool {
    matches!(outcome.err(), Some(StoreError::Exists(_)))
}

pub(crate) fn lease_is_lost<T>(outcome: Result<T, StoreError>) -> bool {
    matches!(outcome.err(), Some(StoreError::LeaseLost))
}
