//! How fast is the store? `cargo run --release -p rollbook-store --example store_speed [RECORDS [BATCH [FILE]]]`
//!
//! Commits as many new records with External ID, phone, email and name, then the same again unchanged and with another
//! city, in batches of imports; then single deliveries from 64 tasks, alone and beside an import; then looks for a
//! contact by a text that nobody has. Making the records is not counted.
#![expect(clippy::print_stdout, reason = "its output is what it is for")]
#![expect(clippy::cast_precision_loss, reason = "rates are rounded to be read")]

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rollbook_engine::candidate::{Candidate, Given};
use rollbook_engine::contact::Value;
use rollbook_engine::policy::{Mode, Policy};
use rollbook_engine::schema::{FieldId, Schema};
use rollbook_store::commit::{Batch, Delivery, ImportStep, Payload};
use rollbook_store::contacts::ContactFilter;
use rollbook_store::imports::{ImportId, ImportKind, ImportState, NewImport};
use rollbook_store::sources::{NewSource, SourceId};
use rollbook_store::workspaces::WorkspaceSettings;
use rollbook_store::{AnyStore, StoreError, Timestamp, WorkspaceId};
use uuid::Uuid;

const TASKS: u64 = 64;
const SINGLES: u64 = 40_000;

#[tokio::main]
async fn main() -> Result<(), StoreError> {
    let mut arguments = std::env::args().skip(1);
    let mut number = |or| {
        arguments
            .next()
            .and_then(|text| text.parse().ok())
            .unwrap_or(or)
    };
    let records: u64 = number(1_000_000);
    let batch: u64 = number(10_000);
    let path = arguments.next().map_or_else(
        || std::env::temp_dir().join(format!("store_speed_{}.db", std::process::id())),
        PathBuf::from,
    );
    let desk = Desk::open(&path).await?;

    desk.import("new", 0..records, batch, guest).await?;
    desk.import("unchanged", 0..records, batch, guest).await?;
    desk.import("changed", 0..records, batch, |number| {
        with(guest(number), FieldId::CITY, "Bonn")
    })
    .await?;
    println!("file: {} MB", size(&path) / 1_000_000);

    desk.singles("64 tasks, new", records * 2).await?;
    desk.singles("64 tasks, unchanged", records * 2).await?;
    let beside = desk.import("new, beside", records..records * 3 / 2, batch, guest);
    let (imported, delivered) =
        tokio::join!(beside, desk.singles("64 tasks, beside it", records * 3));
    imported?;
    delivered?;

    for text in ["nobody has this", "müllerin"] {
        let start = Instant::now();
        let filter = ContactFilter {
            text: Some(text.to_owned()),
            phone_digits: Some("0000000000000".to_owned()),
            ..ContactFilter::default()
        };
        let page = desk
            .store
            .contacts(desk.workspace, filter, None, 50)
            .await?;
        let count = desk.store.count_contacts(desk.workspace).await?;
        println!(
            "`{text}` among {count} contacts: {} found, {:.0} ms",
            page.contacts.len(),
            start.elapsed().as_secs_f64() * 1e3
        );
    }
    drop(desk);
    for end in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{end}", path.display()));
    }
    Ok(())
}

struct Desk {
    store: AnyStore,
    workspace: WorkspaceId,
    source: SourceId,
    schema: Arc<Schema>,
}

impl Desk {
    async fn open(path: &std::path::Path) -> Result<Desk, StoreError> {
        let store = rollbook_store::open(&format!("sqlite:{}", path.display())).await?;
        let settings = WorkspaceSettings {
            name: "Speed".to_owned(),
            time_zone: "UTC".to_owned(),
            region: None,
            date_order: None,
            blank_words: None,
        };
        let workspace = store.add_workspace(settings, Timestamp(1)).await?.id;
        let source = NewSource {
            name: "api".to_owned(),
            label: "API".to_owned(),
            mode: Mode::Automatic,
            namespace: "default".to_owned(),
            region: None,
            mapping: None,
        };
        let source = store.add_source(workspace, source, Timestamp(1)).await?.id;
        Ok(Desk {
            store,
            workspace,
            source,
            schema: Arc::new(Schema::built_in()),
        })
    }

    async fn import(
        &self,
        what: &str,
        numbers: std::ops::Range<u64>,
        batch: u64,
        make: impl Fn(u64) -> Candidate,
    ) -> Result<(), StoreError> {
        let id = ImportId(Uuid::now_v7());
        let new = NewImport {
            id,
            workspace: self.workspace,
            kind: ImportKind::File,
            parent: None,
            source: self.source,
            file_name: "speed.csv".to_owned(),
            file_size: 0,
            file_hash: [0; 32],
            created_by: "store_speed".to_owned(),
            created_at: Timestamp(1),
            options: None,
            state: ImportState::Queued,
        };
        self.store.create_import(new).await?;
        let claimed = self
            .store
            .claim_import(Some((self.workspace, id)), Timestamp(1), 60_000)
            .await?;
        let Some((_, lease)) = claimed else {
            return Err(StoreError::LeaseLost);
        };
        let mut spent = Duration::ZERO;
        let mut worked = Duration::ZERO;
        let mut slowest = Duration::ZERO;
        let records = numbers.end - numbers.start;
        let mut cursor = 0;
        while cursor < records {
            let end = records.min(cursor + batch);
            let first = numbers.start;
            let deliveries = (cursor..end)
                .map(|row| delivery(first + row, make(first + row), Some(row + 1)))
                .collect();
            let step = ImportStep {
                import: id,
                lease,
                cursor,
                expected: Vec::new(),
            };
            let batch = self.batch(deliveries);
            let (start, before) = (Instant::now(), processor_time());
            self.store.commit_import_batch(batch, step).await?;
            spent += start.elapsed();
            worked += processor_time().saturating_sub(before);
            slowest = slowest.max(start.elapsed());
            cursor = end;
        }
        println!(
            "{what}: {records} in {:.1} s ({:.1} s of processors), {:.0}/s, slowest batch {:.0} ms",
            spent.as_secs_f64(),
            worked.as_secs_f64(),
            records as f64 / spent.as_secs_f64(),
            slowest.as_secs_f64() * 1e3
        );
        self.store
            .finish_import(
                self.workspace,
                id,
                lease,
                ImportState::Done,
                None,
                Timestamp(2),
            )
            .await?;
        Ok(())
    }

    async fn singles(&self, what: &str, first: u64) -> Result<(), StoreError> {
        let start = Instant::now();
        let mut tasks = Vec::new();
        for task in 0..TASKS {
            let store = Arc::clone(&self.store);
            let batches: Vec<Batch> = (0..SINGLES / TASKS)
                .map(|number| first + number * TASKS + task)
                .map(|number| self.batch(vec![delivery(number, guest(number), None)]))
                .collect();
            tasks.push(tokio::spawn(async move {
                let mut times = Vec::with_capacity(batches.len());
                for batch in batches {
                    let start = Instant::now();
                    store.deliver(batch).await?;
                    times.push(start.elapsed());
                }
                Ok::<_, StoreError>(times)
            }));
        }
        let mut times = Vec::new();
        for task in tasks {
            times.extend(task.await.map_err(|_| StoreError::Closed)??);
        }
        let rate = times.len() as f64 / start.elapsed().as_secs_f64();
        times.sort_unstable();
        let millis = |per_mille: usize| {
            let place = (times.len() * per_mille / 1000).min(times.len() - 1);
            times[place].as_secs_f64() * 1e3
        };
        println!(
            "{what}: {rate:.0}/s, p50 {:.1} ms, p99 {:.1} ms, p99.9 {:.1} ms, slowest {:.1} ms",
            millis(500),
            millis(990),
            millis(999),
            millis(1000)
        );
        Ok(())
    }

    fn batch(&self, deliveries: Vec<Delivery>) -> Batch {
        Batch {
            workspace: self.workspace,
            source: self.source,
            policy: Policy::standard(Mode::Automatic, "default"),
            schema: Arc::clone(&self.schema),
            received_at: Timestamp(1_700_000_000_000),
            deliveries,
        }
    }
}

/// A person made from a number: the same every time, in no order that an index could use.
fn guest(number: u64) -> Candidate {
    let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 24;
    let name = match number % 5 {
        0 => format!("Jürgen Müller {number}"),
        1 => format!("María López {number}"),
        _ => format!("Mary Smith {number}"),
    };
    let list = |text: String| Given::Set(Value::Many([text.into()].into()));
    Candidate {
        given: vec![
            (
                FieldId::EXTERNAL_ID,
                Given::Set(Value::One(format!("C{mixed:x}").into())),
            ),
            (FieldId::NAME, Given::Set(Value::One(name.into()))),
            (
                FieldId::PHONE,
                list(format!("+49{:011}", mixed % 100_000_000_000)),
            ),
            (FieldId::EMAIL, list(format!("guest.{mixed:x}@example.com"))),
        ],
        ..Candidate::default()
    }
}

fn with(mut candidate: Candidate, field: FieldId, text: &str) -> Candidate {
    let value = Given::Set(Value::One(text.into()));
    candidate.given.push((field, value));
    candidate
}

fn delivery(number: u64, candidate: Candidate, row: Option<u64>) -> Delivery {
    let bytes = format!(
        "C{number};Mary Smith {number};+49 30 {number:07};guest.{number}@example.com;Berlin;2001-02-03;de;Hotel"
    );
    Delivery {
        candidate,
        payload: Payload {
            content_type: "text/csv".to_owned(),
            bytes: bytes.into_bytes(),
        },
        row,
        idempotency: None,
        replay_of: None,
    }
}

/// What this process has had of the processors, where Linux tells; on a busy machine that is the better measure.
fn processor_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default().split(' ');
    let ticks: u64 = fields.skip(12).take(2).flat_map(str::parse::<u64>).sum();
    Duration::from_millis(ticks * 10)
}

fn size(path: &std::path::Path) -> u64 {
    std::fs::metadata(path).map_or(0, |data| data.len())
}
