//! The one thread that writes.
//!
//! Callers hand in jobs and wait. Whatever waits is committed as one group, one transaction and one flush to the disk
//! for all of it, and every caller is answered after that. A job that fails spoils nobody else's: the group is rolled
//! back and each job gets a transaction of its own. A batch of an import always has a transaction of its own, and
//! between two of them whatever else waits goes first; while many others wait, batches take [`turns`](super::turns).

use std::collections::{HashMap, VecDeque};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::sync::oneshot;

use super::checkpoint::Checkpoints;
use super::heads::Heads;
use super::identifiers::{Identifiers, Pending};
use super::log;
use super::log::fold::{self, Folder};
use super::makers::Makers;
use super::turns::Turns;
use crate::{StoreError, WorkspaceId};

/// Jobs in one group at most, so that nobody waits long behind others.
const GROUP_SIZE: usize = 256;

/// Attempts that wait in the tail of a workspace's log after which it is maintained.
const WAITING_BEFORE_MAINTENANCE: u64 = 1000;

/// So many wait only if those who fold them beside the writer do not keep up: it helps.
const TOO_MANY_WAITING: u64 = 4000;

/// How long the writer has nothing to do before it maintains the log.
const IDLE: Duration = Duration::from_secs(1);

/// After so much writing without a pause the writer lets go of the file ...
const WORK_BEFORE_PAUSE: Duration = Duration::from_millis(50);

/// ... for so long. SQLite has no queue: other processes look twice a millisecond whether the file is free, and would
/// hardly ever find it so.
const PAUSE: Duration = Duration::from_millis(1);

/// The thread, and the way to it. Dropping it finishes what waits and joins the thread.
pub(super) struct Writer {
    jobs: Option<Sender<Message>>,
    thread: Option<JoinHandle<()>>,
    load: Arc<WriterLoad>,
}

/// What the writer did so far, and what waits for it.
#[derive(Debug, Default)]
pub(super) struct WriterLoad {
    /// Jobs that were handed in and are not answered.
    pub(super) waiting: AtomicU64,
    /// Transactions that ended, and the microseconds that they took.
    pub(super) transactions: AtomicU64,
    pub(super) micros: AtomicU64,
}

/// A write transaction with what is known of the workspaces it has met.
pub(super) struct Writing<'a> {
    pub(super) tx: Transaction<'a>,
    pub(super) identifiers: &'a Identifiers,
    /// What this transaction did to the index of identifiers.
    pub(super) pending: Pending,
    pub(super) heads: Heads,
    /// Who makes blocks of the log meanwhile.
    pub(super) makers: &'a mut Makers,
}

/// A transaction's worth of work that may have to be done again.
trait Job: Send {
    /// Does the work. If another job of its group fails, this runs again in another transaction.
    fn run(&mut self, writing: &mut Writing<'_>) -> Result<(), StoreError>;

    /// Tells the caller what came of it.
    fn answer(self: Box<Self>, committed: Result<(), StoreError>);
}

enum Message {
    /// Joins the group.
    Group(Box<dyn Job>),
    /// Has a transaction of its own.
    Alone(Box<dyn Job>),
}

impl Writer {
    /// Starts the thread on a connection of its own.
    pub(super) fn start(
        path: &Path,
        mut connection: Connection,
        identifiers: Arc<Identifiers>,
    ) -> Result<Writer, StoreError> {
        let checkpoints = Checkpoints::start(path, &mut connection)?;
        let folder = Folder::start(path)?;
        let (jobs, waiting) = channel();
        let load = Arc::new(WriterLoad::default());
        let told = Arc::clone(&load);
        let thread = std::thread::Builder::new()
            .name("rollbook-writer".to_owned())
            .spawn(move || {
                WriterThread {
                    connection,
                    checkpoints,
                    folder,
                    makers: Makers::default(),
                    identifiers,
                    waiting: HashMap::new(),
                    turns: Turns::default(),
                    working: Duration::ZERO,
                    released: Instant::now(),
                    load: told,
                }
                .run(&waiting);
            })
            .map_err(|error| StoreError::Open {
                path: "the writer's thread".into(),
                reason: error.to_string(),
            })?;
        Ok(Writer {
            jobs: Some(jobs),
            thread: Some(thread),
            load,
        })
    }

    /// What it did, and what waits for it.
    pub(super) fn load(&self) -> &WriterLoad {
        &self.load
    }

    /// Does some work in the next group and answers when it is on disk. The work may be done more than once, only the
    /// last time counts.
    pub(super) async fn write<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnMut(&mut Writing<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        self.hand_in(work, Message::Group).await
    }

    /// Does some work in a transaction of its own, once, and answers when it is on disk.
    pub(super) async fn write_alone<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnMut(&mut Writing<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        self.hand_in(work, Message::Alone).await
    }

    async fn hand_in<T, F>(
        &self,
        work: F,
        message: fn(Box<dyn Job>) -> Message,
    ) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnMut(&mut Writing<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let job = Call {
            work,
            value: None,
            reply,
            _waiting: Waiting::begin(&self.load),
        };
        self.jobs
            .as_ref()
            .and_then(|jobs| jobs.send(message(Box::new(job))).ok())
            .ok_or(StoreError::Closed)?;
        answer.await.unwrap_or(Err(StoreError::Closed))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.jobs.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join(); // If it panicked, its callers were told that the store is closed.
        }
    }
}

/// A caller's work, and the caller.
struct Call<T, F> {
    work: F,
    value: Option<T>,
    reply: oneshot::Sender<Result<T, StoreError>>,
    _waiting: Waiting,
}

/// Counts as waiting until it is dropped.
struct Waiting(Arc<WriterLoad>);

impl Waiting {
    fn begin(load: &Arc<WriterLoad>) -> Waiting {
        load.waiting.fetch_add(1, Ordering::Relaxed);
        Waiting(Arc::clone(load))
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

impl<T, F> Job for Call<T, F>
where
    T: Send,
    F: FnMut(&mut Writing<'_>) -> Result<T, StoreError> + Send,
{
    fn run(&mut self, writing: &mut Writing<'_>) -> Result<(), StoreError> {
        self.value = Some((self.work)(writing)?);
        Ok(())
    }

    fn answer(self: Box<Self>, committed: Result<(), StoreError>) {
        let Call { value, reply, .. } = *self;
        let value = committed.and_then(|()| value.ok_or(StoreError::Closed));
        let _ = reply.send(value); // A caller that went away needs no answer.
    }
}

struct WriterThread {
    // Dropped first: the connection that closes last moves what is left in the write-ahead log.
    checkpoints: Checkpoints,
    folder: Folder,
    makers: Makers,
    connection: Connection,
    identifiers: Arc<Identifiers>,
    /// Attempts that came into the tail since the log was maintained.
    waiting: HashMap<WorkspaceId, u64>,
    turns: Turns,
    /// How long it has been writing without a pause.
    working: Duration,
    /// When the last transaction ended.
    released: Instant,
    load: Arc<WriterLoad>,
}

impl WriterThread {
    fn run(mut self, jobs: &Receiver<Message>) {
        let mut group = Vec::new();
        let mut alone = VecDeque::new();
        loop {
            let first = if alone.is_empty() {
                match self.wait(jobs) {
                    Some(message) => Some(message),
                    None => return,
                }
            } else {
                jobs.recv_timeout(self.turns.pause(Instant::now())).ok()
            };
            match first {
                Some(Message::Group(job)) => group.push(job),
                Some(Message::Alone(job)) => alone.push_back(job),
                // Nobody else wants to write.
                None => self.turns.end_pause(),
            }
            while group.len() < GROUP_SIZE {
                match jobs.try_recv() {
                    Ok(Message::Group(job)) => group.push(job),
                    Ok(Message::Alone(job)) => alone.push_back(job),
                    Err(TryRecvError::Empty | TryRecvError::Disconnected) => break,
                }
            }
            if !group.is_empty() {
                self.turns.others(group.len());
                self.commit_group(std::mem::take(&mut group));
            }
            let begun = Instant::now();
            if self.turns.pause(begun).is_zero()
                && let Some(job) = alone.pop_front()
            {
                self.commit_alone(job);
                self.turns.batch(begun, Instant::now());
            }
            self.put_folded();
            self.maintain(TOO_MANY_WAITING);
            self.ask_for_folding();
            self.checkpoints.keep_up(&self.connection);
        }
    }

    /// The next job; none when nobody can hand in any more.
    fn wait(&mut self, jobs: &Receiver<Message>) -> Option<Message> {
        if !self.waiting.is_empty() {
            match jobs.recv_timeout(IDLE) {
                Ok(message) => return Some(message),
                Err(RecvTimeoutError::Timeout) => self.maintain(1),
                Err(RecvTimeoutError::Disconnected) => return None,
            }
        }
        jobs.recv().ok()
    }

    fn commit_group(&mut self, mut group: Vec<Box<dyn Job>>) {
        if group.len() == 1 {
            for job in group {
                self.commit_alone(job);
            }
            return;
        }
        let committed = self.transaction(|writing| {
            for job in &mut group {
                job.run(writing)?;
            }
            Ok(())
        });
        match committed {
            Ok(()) => {
                for job in group {
                    job.answer(Ok(()));
                }
            }
            // Another process held the file all the time: nobody is to blame, and each would wait as long again.
            Err(StoreError::Busy) => {
                for job in group {
                    job.answer(Err(StoreError::Busy));
                }
            }
            // One of them is to blame; alone each gets its own outcome.
            Err(_) => {
                for job in group {
                    self.commit_alone(job);
                }
            }
        }
    }

    fn commit_alone(&mut self, mut job: Box<dyn Job>) {
        let committed = self.transaction(|writing| job.run(writing));
        job.answer(committed);
    }

    /// Does some work and commits it; if that fails, nothing of it is written.
    fn transaction(
        &mut self,
        work: impl FnOnce(&mut Writing<'_>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        self.let_others_in();
        let start = Instant::now();
        let tx = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut writing = Writing {
            tx,
            identifiers: &self.identifiers,
            pending: Pending::default(),
            heads: Heads::default(),
            makers: &mut self.makers,
        };
        let outcome = work(&mut writing).and_then(|()| {
            let Writing {
                tx, heads, pending, ..
            } = writing;
            let more = heads.write(&tx)?;
            let written = self.identifiers.write_down(&tx, pending)?;
            tx.commit()?;
            self.identifiers.publish(written.as_ref());
            for (workspace, count) in more {
                *self.waiting.entry(workspace).or_default() += count;
            }
            Ok(())
        });
        if outcome.is_err() {
            self.identifiers.take_back();
        }
        self.released = Instant::now();
        let took = self.released - start;
        self.working += took;
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.load.transactions.fetch_add(1, Ordering::Relaxed);
        self.load.micros.fetch_add(micros, Ordering::Relaxed);
        outcome
    }

    /// Pauses, if there was no pause for long; other processes may write, too.
    fn let_others_in(&mut self) {
        if self.released.elapsed() >= PAUSE {
            self.working = Duration::ZERO;
        } else if self.working >= WORK_BEFORE_PAUSE {
            std::thread::sleep(PAUSE);
            self.working = Duration::ZERO;
        }
    }

    /// Asks that attempts be folded where enough wait.
    fn ask_for_folding(&mut self) {
        for (workspace, count) in &self.waiting {
            if *count >= WAITING_BEFORE_MAINTENANCE {
                self.folder.ask(*workspace);
            }
        }
    }

    /// Takes in what was folded meanwhile.
    fn put_folded(&mut self) {
        let Some(folded) = self.folder.folded() else {
            return;
        };
        let workspace = folded.workspace;
        let mut left = 0;
        let put = self.transaction(|writing| {
            left = fold::put(&writing.tx, folded)?;
            Ok(())
        });
        match (put, left) {
            // They still wait: whoever comes next folds them.
            (Err(_), _) => {}
            (Ok(()), 0) => drop(self.waiting.remove(&workspace)),
            (Ok(()), left) => drop(self.waiting.insert(workspace, left)),
        }
    }

    /// Maintains the log of workspaces with so many attempts that wait.
    fn maintain(&mut self, least: u64) {
        let due: Vec<WorkspaceId> = self
            .waiting
            .iter()
            .filter(|(_, count)| **count >= least)
            .map(|(workspace, _)| *workspace)
            .collect();
        for workspace in due {
            self.waiting.remove(&workspace);
            // Nothing is lost when this fails: the next time does it, and a lasting trouble meets a caller.
            let _ = self.transaction(|writing| log::maintain(&writing.tx, workspace));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::super::connect;
    use super::*;
    use crate::sqlite::migrations;

    /// A writer, and a connection that holds the file, so that jobs gather.
    fn writer_and_lock(folder: &tempfile::TempDir) -> (Writer, Connection) {
        let path = folder.path().join("rollbook.db");
        let mut connection = connect(&path).unwrap();
        migrations::migrate(&mut connection).unwrap();
        let identifiers = Arc::new(Identifiers::open(&connection).unwrap());
        let lock = connect(&path).unwrap();
        (Writer::start(&path, connection, identifiers).unwrap(), lock)
    }

    fn workspaces(connection: &Connection) -> u32 {
        connection
            .query_row("SELECT count(*) FROM workspace", [], |row| row.get(0))
            .unwrap()
    }

    fn add(writing: &Writing<'_>) -> Result<u32, StoreError> {
        writing.tx.execute(
            "INSERT INTO workspace (settings, created_at) VALUES ('{}', 0)",
            [],
        )?;
        Ok(workspaces(&writing.tx))
    }

    #[tokio::test]
    async fn jobs_that_wait_share_a_transaction() {
        let folder = tempfile::tempdir().unwrap();
        let (writer, lock) = writer_and_lock(&folder);
        let path = folder.path().join("rollbook.db");
        lock.execute_batch("BEGIN IMMEDIATE").unwrap();
        let add_and_look = || {
            let path = path.clone();
            // What it sees itself, and what is committed at that time.
            writer.write(move |writing| Ok((add(writing)?, workspaces(&connect(&path)?))))
        };
        let release = async { lock.execute_batch("COMMIT").unwrap() };
        // The first job alone may be on its way already; the others wait together.
        let (_, second, third, fourth, ()) = tokio::join!(
            add_and_look(),
            add_and_look(),
            add_and_look(),
            add_and_look(),
            release
        );
        let (seen, committed) = fourth.unwrap();
        assert_eq!(seen, 4);
        assert_eq!(second.unwrap().1, committed);
        assert_eq!(third.unwrap().1, committed);
        assert!(committed <= 1);
    }

    #[tokio::test]
    async fn a_job_that_fails_spoils_nobody_else() {
        let folder = tempfile::tempdir().unwrap();
        let (writer, lock) = writer_and_lock(&folder);
        lock.execute_batch("BEGIN IMMEDIATE").unwrap();
        let runs = Arc::new(Mutex::new(Vec::new()));
        let job = |name: &'static str| {
            let runs = Arc::clone(&runs);
            writer.write(move |writing| {
                runs.lock().unwrap().push(name);
                add(writing)?;
                if name == "bad" {
                    return Err(StoreError::Conflict("bad".to_owned()));
                }
                Ok(())
            })
        };
        let release = async { lock.execute_batch("COMMIT").unwrap() };
        let (first, good, bad, last, ()) =
            tokio::join!(job("first"), job("good"), job("bad"), job("last"), release);
        first.unwrap();
        good.unwrap();
        last.unwrap();
        assert_eq!(bad.unwrap_err().to_string(), "bad");
        assert_eq!(workspaces(&lock), 3, "what the bad one wrote is gone");
        let runs = runs.lock().unwrap();
        let count = |name| runs.iter().filter(|run| **run == name).count();
        assert_eq!((count("good"), count("bad"), count("last")), (2, 2, 1));
    }

    #[tokio::test]
    async fn a_full_disk_is_told_and_survived() {
        let folder = tempfile::tempdir().unwrap();
        let (writer, _lock) = writer_and_lock(&folder);
        let fill = |bytes: usize| {
            writer.write(move |writing| {
                writing.tx.execute(
                    "INSERT INTO workspace (settings, created_at) VALUES (?1, 0)",
                    ["x".repeat(bytes)],
                )?;
                Ok(())
            })
        };
        let limit = |pages: u32| {
            writer.write(move |writing| {
                let sql = format!("PRAGMA max_page_count = {pages}");
                Ok(writing.tx.query_row(&sql, [], |_| Ok(()))?)
            })
        };
        limit(60).await.unwrap();
        let refused = fill(2_000_000).await;
        assert!(matches!(refused, Err(StoreError::Full)), "{refused:?}");
        fill(10).await.unwrap();
        limit(1_000_000).await.unwrap();
        fill(2_000_000).await.unwrap();
    }

    #[tokio::test]
    async fn a_writer_that_panicked_is_closed() {
        let folder = tempfile::tempdir().unwrap();
        let (writer, _lock) = writer_and_lock(&folder);
        let panicked = writer
            .write(|_| -> Result<(), StoreError> { panic!("a bug") })
            .await;
        assert!(matches!(panicked, Err(StoreError::Closed)));
        let after = writer.write(|writing| add(writing)).await;
        assert!(matches!(after, Err(StoreError::Closed)));
    }
}
