//! Threads that make blocks of the log while the writer plans the next records.
//!
//! They stay for as long as the writer does: a thread a batch would find neither its compressor nor its memory warm.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use rollbook_engine::attempt::{ImportResult, Totals};

use super::codec::Packer;
use super::commit::{Committed, new_attempts};
use super::log;
use crate::StoreError;
use crate::commit::Delivery;
use crate::sources::SourceId;

/// Threads at most: one makes blocks faster than a writer plans them.
const MOST: usize = 4;

/// Records that were planned together, of which a block of the log is to be made.
pub(super) struct Planned {
    pub(super) source: SourceId,
    pub(super) import: u32,
    pub(super) deliveries: Vec<Delivery>,
    pub(super) committed: Committed,
    /// What waited in the tail, to come first.
    pub(super) tail: log::Waiting,
}

/// What was made of [`Planned`] records.
pub(super) struct Made {
    pub(super) blocks: Vec<log::Encoded>,
    pub(super) results: Vec<ImportResult>,
    pub(super) totals: Totals,
    pub(super) without_identifier: u64,
}

/// A block to be made, and where it is waited for.
struct Job {
    planned: Planned,
    made: Sender<Result<Made, StoreError>>,
}

/// The threads; none before the first block is asked for. Dropping it joins them.
#[derive(Default)]
pub(super) struct Makers {
    jobs: Option<Sender<Job>>,
    threads: Vec<JoinHandle<()>>,
}

impl Makers {
    /// Has a block made, which comes out of what is returned; nothing does if its maker broke off.
    pub(super) fn make(
        &mut self,
        planned: Planned,
    ) -> Result<Receiver<Result<Made, StoreError>>, StoreError> {
        if self.jobs.is_none() {
            self.jobs = Some(self.start()?);
        }
        let (made, result) = channel();
        if let Some(jobs) = &self.jobs {
            // The threads listen for as long as this exists.
            let _ = jobs.send(Job { planned, made });
        }
        Ok(result)
    }

    fn start(&mut self) -> Result<Sender<Job>, StoreError> {
        let (jobs, given) = channel();
        let given = Arc::new(Mutex::new(given));
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        for _ in 0..threads.min(MOST) {
            let given = Arc::clone(&given);
            let thread = std::thread::Builder::new()
                .name("rollbook-blocks".to_owned())
                .spawn(move || make_blocks(&given));
            match thread {
                Ok(thread) => self.threads.push(thread),
                // A machine that has no thread left for us will have one later.
                Err(_) if self.threads.is_empty() => return Err(StoreError::Busy),
                Err(_) => break,
            }
        }
        Ok(jobs)
    }
}

impl Drop for Makers {
    fn drop(&mut self) {
        drop(self.jobs.take());
        for thread in self.threads.drain(..) {
            let _ = thread.join(); // It writes nothing.
        }
    }
}

/// Makes blocks as long as more is planned, and frees what they were made of.
fn make_blocks(jobs: &Mutex<Receiver<Job>>) {
    let mut packer = None;
    loop {
        let next = match jobs.lock() {
            Ok(jobs) => jobs.recv(),
            Err(_) => return,
        };
        let Ok(Job { planned, made }) = next else {
            return;
        };
        // One block that cannot be made must not keep others from it.
        let result = catch_unwind(AssertUnwindSafe(|| make(&planned, &mut packer)));
        match result {
            // Nobody waits for it if the batch failed meanwhile.
            Ok(result) => drop(made.send(result)),
            Err(_) => packer = None, // What the panic said is in the program's log.
        }
    }
}

/// Makes a block, with this thread's compressor.
fn make(planned: &Planned, packer: &mut Option<Packer>) -> Result<Made, StoreError> {
    let packer = match packer {
        Some(packer) => packer,
        None => packer.insert(Packer::new()?),
    };
    let Planned {
        source,
        import,
        deliveries,
        committed,
        tail,
    } = planned;
    let deliveries: Vec<&Delivery> = deliveries.iter().collect();
    let attempts = new_attempts(*source, committed, &deliveries, Some(*import));
    Ok(Made {
        blocks: log::make(tail, &attempts, packer)?,
        results: attempts
            .iter()
            .map(|attempt| attempt.outcome.result)
            .collect(),
        totals: committed.plan.totals(),
        without_identifier: committed.without_identifier,
    })
}
