//! What the program counts and measures, in the text format of Prometheus (`OpenMetrics`).
//!
//! No label ever holds what people or other systems send: routes are patterns, everything else is one of a few words.
//! What the store knows itself is read when somebody asks.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::http::{Method, StatusCode};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;
use rollbook_engine::attempt::{Action, ImportResult, Totals};
use rollbook_store::commit::Delivered;
use rollbook_store::imports::ImportKind;
use rollbook_store::outbox::{MailKind, Settled};
use rollbook_store::{StoreError, Timestamp};

use crate::app::App;
use crate::{clock, disk};

type Seconds = Gauge<f64, AtomicU64>;
type Timed<L> = Family<L, Histogram, fn() -> Histogram>;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Request {
    route: String,
    method: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answer {
    route: String,
    method: &'static str,
    status: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfKind {
    kind: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Judged {
    kind: &'static str,
    result: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Written {
    kind: &'static str,
    action: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Mailed {
    kind: &'static str,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Came {
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct InState {
    state: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct At {
    place: &'static str,
}

/// Everything that is counted.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    answers: Family<Answer, Counter>,
    requests: Timed<Request>,
    records: Family<Judged, Counter>,
    writes: Family<Written, Counter>,
    deliveries: Histogram,
    batches: Timed<OfKind>,
    mails: Family<Mailed, Counter>,
    webhooks: Family<Came, Counter>,
    imports: Family<InState, Gauge>,
    oldest_import: Seconds,
    outbox: Family<InState, Gauge>,
    oldest_mail: Seconds,
    reads: Family<OfKind, Gauge>,
    reads_at_most: Family<OfKind, Gauge>,
    reads_done: Counter,
    read_wait: Counter<f64, AtomicU64>,
    writes_waiting: Gauge,
    transactions: Counter,
    transaction_time: Counter<f64, AtomicU64>,
    identifiers: Gauge,
    identifier_bytes: Gauge,
    database_bytes: Gauge,
    free: Family<At, Gauge>,
    memory: Gauge,
    files: Gauge,
    processor: Counter<f64, AtomicU64>,
}

/// Answers and deliveries: from a millisecond to ten seconds.
fn quick() -> Histogram {
    Histogram::new([
        0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0,
    ])
}

impl Default for Metrics {
    fn default() -> Metrics {
        let mut registry = Registry::default();
        let version = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("rollbook_build", "The program", version);
        let started = Seconds::default();
        started.set(seconds(clock::now().0));
        registry.register(
            "process_start_time_seconds",
            "When the process started, in seconds since 1970",
            started,
        );
        let mut made = Made(registry);
        Metrics {
            answers: made.add("rollbook_http_requests", "Requests that were answered"),
            requests: made.timed("rollbook_http_request_seconds", "Time to an answer"),
            records: made.add("rollbook_records", "Records by what came of them"),
            writes: made.add("rollbook_contact_writes", "What records did to contacts"),
            deliveries: made.register(
                "rollbook_delivery_seconds",
                "Time to commit what one request delivers",
                quick(),
            ),
            batches: made.timed(
                "rollbook_batch_seconds",
                "Time to commit a batch of an import",
            ),
            mails: made.add(
                "rollbook_mails",
                "Tries to send a mail by what came of them",
            ),
            webhooks: made.add(
                "rollbook_webhook_deliveries",
                "Deliveries of signed webhooks by what came of their signature",
            ),
            imports: made.add("rollbook_imports", "Imports that are not over"),
            oldest_import: made.add(
                "rollbook_imports_oldest_waiting_seconds",
                "Since the oldest import that waits for a worker was made; 0 if none waits",
            ),
            outbox: made.add("rollbook_outbox_mails", "Mails that are not sent"),
            oldest_mail: made.add(
                "rollbook_outbox_oldest_waiting_seconds",
                "Since when the oldest mail waits to be sent; 0 if none waits",
            ),
            reads: made.add("rollbook_store_reads", "Reads of the database that run"),
            reads_at_most: made.add("rollbook_store_reads_at_most", "How many of them may run"),
            reads_done: made.add("rollbook_store_reads_done", "Reads that ended"),
            read_wait: made.add(
                "rollbook_store_read_wait_seconds",
                "Time that reads waited for their turn",
            ),
            writes_waiting: made.add(
                "rollbook_store_writes_waiting",
                "Writes that wait for the writer or are being written",
            ),
            transactions: made.add("rollbook_store_transactions", "Transactions of the writer"),
            transaction_time: made.add(
                "rollbook_store_transaction_seconds",
                "Time that transactions of the writer took",
            ),
            identifiers: made.add("rollbook_index_identifiers", "Identifiers in memory"),
            identifier_bytes: made.add("rollbook_index_bytes", "Memory that they take"),
            database_bytes: made.add(
                "rollbook_database_bytes",
                "The database and what is beside it",
            ),
            free: made.add("rollbook_disk_free_bytes", "Room that is left on the disk"),
            memory: made.add("process_resident_memory_bytes", "Memory of the process"),
            files: made.add(
                "process_open_fds",
                "Open files and connections of the process",
            ),
            processor: made.add("process_cpu_seconds", "Time of the processors"),
            registry: made.0,
        }
    }
}

/// A registry that hands back what it takes in.
struct Made(Registry);

impl Made {
    fn register<M: prometheus_client::registry::Metric + Clone>(
        &mut self,
        name: &str,
        help: &str,
        metric: M,
    ) -> M {
        self.0.register(name, help, metric.clone());
        metric
    }

    fn add<M: prometheus_client::registry::Metric + Clone + Default>(
        &mut self,
        name: &str,
        help: &str,
    ) -> M {
        self.register(name, help, M::default())
    }

    fn timed<L>(&mut self, name: &str, help: &str) -> Timed<L>
    where
        L: EncodeLabelSet + std::fmt::Debug + Clone + Eq + std::hash::Hash + Send + Sync + 'static,
    {
        let quick: fn() -> Histogram = quick;
        self.register(name, help, Family::new_with_constructor(quick))
    }
}

impl Metrics {
    /// A request was answered. `route` is the pattern of its path.
    pub(crate) fn answered(
        &self,
        route: &str,
        method: &Method,
        status: StatusCode,
        took: Duration,
    ) {
        let method = method_name(method);
        let status = match status.as_u16() / 100 {
            1 => "1xx",
            2 => "2xx",
            3 => "3xx",
            4 => "4xx",
            _ => "5xx",
        };
        let answer = Answer {
            route: route.to_owned(),
            method,
            status,
        };
        self.answers.get_or_create(&answer).inc();
        let request = Request {
            route: answer.route,
            method,
        };
        self.requests
            .get_or_create(&request)
            .observe(took.as_secs_f64());
    }

    /// Records of one request are on disk.
    pub(crate) fn delivered(&self, kind: &'static str, all: &[Delivered], took: Duration) {
        self.deliveries.observe(took.as_secs_f64());
        for one in all {
            // What was answered before was counted before.
            let Delivered::Committed(attempt) = one else {
                continue;
            };
            let result = match attempt.result {
                ImportResult::Success => "success",
                ImportResult::Warning => "warning",
                ImportResult::Failure => "failure",
            };
            let judged = Judged { kind, result };
            self.records.get_or_create(&judged).inc();
            let action = match attempt.action {
                Some(Action::Created) => "created",
                Some(Action::Updated) if attempt.changes.is_empty() => "unchanged",
                Some(Action::Updated) => "updated",
                Some(Action::Removed) => "removed",
                None => continue,
            };
            let written = Written { kind, action };
            self.writes.get_or_create(&written).inc();
        }
    }

    /// A batch of an import is on disk.
    pub(crate) fn batch(&self, kind: ImportKind, totals: &Totals, took: Duration) {
        let kind = kind_name(kind);
        self.batches
            .get_or_create(&OfKind { kind })
            .observe(took.as_secs_f64());
        let success = totals.records - totals.warnings.min(totals.records);
        for (result, count) in [
            ("success", success.saturating_sub(totals.failed)),
            ("warning", totals.warnings),
            ("failure", totals.failed),
        ] {
            if count > 0 {
                let judged = Judged { kind, result };
                self.records.get_or_create(&judged).inc_by(count);
            }
        }
        for (action, count) in [
            ("created", totals.created),
            ("updated", totals.updated.saturating_sub(totals.unchanged)),
            ("unchanged", totals.unchanged),
            ("removed", totals.removed),
        ] {
            if count > 0 {
                let written = Written { kind, action };
                self.writes.get_or_create(&written).inc_by(count);
            }
        }
    }

    /// A mail was tried.
    pub(crate) fn mailed(&self, kind: MailKind, settled: &Settled) {
        let outcome = match settled {
            Settled::Sent { .. } => "sent",
            Settled::Retry { .. } => "delayed",
            Settled::Failed { .. } => "failed",
            Settled::Later { .. } => return,
        };
        let kind = kind.key();
        self.mails.get_or_create(&Mailed { kind, outcome }).inc();
    }

    /// A webhook's delivery came: `accepted`, `limited`, or the word for why it was refused.
    pub(crate) fn webhook(&self, outcome: &'static str) {
        self.webhooks.get_or_create(&Came { outcome }).inc();
    }

    /// All of it as text, with what the store knows at this moment.
    pub(crate) async fn text(&self, app: &App) -> Result<String, StoreError> {
        self.look(app).await?;
        let mut text = String::new();
        // Writing into a text cannot fail.
        let _ = encode(&mut text, &self.registry);
        Ok(text)
    }

    async fn look(&self, app: &App) -> Result<(), StoreError> {
        let now = clock::now();
        let age = |since: Option<Timestamp>| {
            since.map_or(0.0, |since| seconds(now.0.saturating_sub(since.0).max(0)))
        };
        let queues = app.store.queues(now).await?;
        for (state, count) in [
            ("waiting", queues.imports_waiting),
            ("running", queues.imports_running),
            ("abandoned", queues.imports_abandoned),
        ] {
            set(&self.imports.get_or_create(&InState { state }), count);
        }
        self.oldest_import.set(age(queues.oldest_import));
        for (state, count) in [
            ("waiting", queues.mails_waiting),
            ("failed", queues.mails_failed),
        ] {
            set(&self.outbox.get_or_create(&InState { state }), count);
        }
        self.oldest_mail.set(age(queues.oldest_mail));
        let load = app.store.load();
        for (kind, reads, at_most) in [
            ("all", load.reads, load.reads_at_most),
            ("long", load.long_reads, load.long_reads_at_most),
        ] {
            let kind = OfKind { kind };
            set(&self.reads.get_or_create(&kind), reads as u64);
            set(&self.reads_at_most.get_or_create(&kind), at_most as u64);
        }
        count_to(&self.reads_done, load.reads_done);
        time_to(
            &self.read_wait,
            Duration::from_micros(load.read_wait_micros),
        );
        set(&self.writes_waiting, load.writes_waiting);
        count_to(&self.transactions, load.transactions);
        let transactions = Duration::from_micros(load.transaction_micros);
        time_to(&self.transaction_time, transactions);
        let index = app.store.index_size();
        set(&self.identifiers, index.identifiers as u64);
        set(&self.identifier_bytes, index.bytes as u64);
        if let Ok(path) = rollbook_store::path_of(&app.config.database) {
            set(&self.database_bytes, disk::database_bytes(&path));
            self.room("database", disk::free(&disk::folder_of(&path)));
        }
        self.room("files", disk::free(&app.config.files));
        let process = disk::process();
        set(&self.memory, process.memory);
        set(&self.files, process.open_files);
        time_to(&self.processor, process.processor);
        Ok(())
    }

    fn room(&self, place: &'static str, free: Option<u64>) {
        if let Some(free) = free {
            set(&self.free.get_or_create(&At { place }), free);
        }
    }
}

fn kind_name(kind: ImportKind) -> &'static str {
    match kind {
        ImportKind::File => "file",
        ImportKind::Replay => "replay",
        ImportKind::Undo => "undo",
    }
}

/// Anybody can invent a method.
fn method_name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

fn set(gauge: &Gauge, value: u64) {
    gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
}

/// Counters of others are taken over: they only grow.
fn count_to(counter: &Counter, value: u64) {
    counter.inner().store(value, Ordering::Relaxed);
}

fn time_to(counter: &Counter<f64, AtomicU64>, value: Duration) {
    let bits = value.as_secs_f64().to_bits();
    counter.inner().store(bits, Ordering::Relaxed);
}

fn seconds(millis: i64) -> f64 {
    Duration::from_millis(millis.unsigned_abs()).as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(metrics: &Metrics) -> String {
        let mut text = String::new();
        encode(&mut text, &metrics.registry).unwrap();
        text
    }

    #[test]
    fn what_anybody_can_invent_makes_no_new_series() {
        let metrics = Metrics::default();
        let lines = || text(&metrics).lines().count();
        let answer = |method: &[u8], status: u16| {
            metrics.answered(
                "/contacts/{id}",
                &Method::from_bytes(method).unwrap(),
                StatusCode::from_u16(status).unwrap(),
                Duration::from_millis(3),
            );
        };
        answer(b"BREW", 404);
        let before = lines();
        answer(b"STEEP", 418);
        answer(b"POUR", 405);
        assert_eq!(lines(), before);
        let all = text(&metrics);
        let counted = "rollbook_http_requests_total{route=\"/contacts/{id}\",method=\"other\",status=\"4xx\"} 3";
        assert!(all.contains(counted), "{all}");
        assert!(all.contains("rollbook_build_info{version=\""), "{all}");
    }

    #[test]
    fn records_of_a_batch_add_up() {
        let metrics = Metrics::default();
        let totals = Totals {
            records: 10,
            created: 3,
            updated: 5,
            unchanged: 4,
            removed: 0,
            warnings: 1,
            failed: 2,
        };
        metrics.batch(ImportKind::File, &totals, Duration::from_millis(30));
        let all = text(&metrics);
        for line in [
            "rollbook_records_total{kind=\"file\",result=\"success\"} 7",
            "rollbook_records_total{kind=\"file\",result=\"warning\"} 1",
            "rollbook_records_total{kind=\"file\",result=\"failure\"} 2",
            "rollbook_contact_writes_total{kind=\"file\",action=\"updated\"} 1",
            "rollbook_batch_seconds_count{kind=\"file\"} 1",
        ] {
            assert!(all.contains(line), "{line} is not in {all}");
        }
    }
}
