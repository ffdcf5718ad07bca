//! How the writer shares its time between batches of imports and whatever else is to be written.
//!
//! A batch takes as long as many deliveries do. As long as few of them come between two batches, each only waits for
//! the batch before it, and nobody is better off when imports pause. When many come, every one of them waits behind
//! every batch: then batches take a quarter of the time.

use std::time::{Duration, Instant};

/// So many other jobs between two batches are many.
const MANY: usize = 8;

/// Then a batch is followed by a pause of so many times its own length.
const PAUSE: u32 = 3;

/// But not longer than this: a worker that is silent for seconds loses its import.
const LONGEST: Duration = Duration::from_millis(100);

/// When the next batch may be written.
#[derive(Debug, Default)]
pub(super) struct Turns {
    /// Other jobs between the last two batches.
    before: usize,
    /// Other jobs since the last batch.
    since: usize,
    /// The end of the pause after the last batch.
    not_before: Option<Instant>,
}

impl Turns {
    /// So many other jobs are written.
    pub(super) fn others(&mut self, jobs: usize) {
        self.since = self.since.saturating_add(jobs);
    }

    /// A batch was written.
    pub(super) fn batch(&mut self, begun: Instant, ended: Instant) {
        let took = ended.saturating_duration_since(begun);
        self.not_before = ended.checked_add(took.saturating_mul(PAUSE).min(LONGEST));
        self.before = std::mem::take(&mut self.since);
    }

    /// The next batch may be written at once.
    pub(super) fn end_pause(&mut self) {
        self.not_before = None;
    }

    /// How long the next batch has to wait, if others go on writing; zero if it may be written now.
    pub(super) fn pause(&self, now: Instant) -> Duration {
        self.not_before
            .filter(|_| self.before.max(self.since) >= MANY)
            .map_or(Duration::ZERO, |end| end.saturating_duration_since(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOOK: Duration = Duration::from_millis(5);

    /// A batch that began at a time.
    fn batch(turns: &mut Turns, begun: Instant) -> Instant {
        turns.batch(begun, begun + TOOK);
        begun + TOOK
    }

    #[test]
    fn batches_follow_each_other_where_few_others_come() {
        let mut turns = Turns::default();
        let mut now = Instant::now();
        assert_eq!(turns.pause(now), Duration::ZERO);
        for _ in 0..3 {
            turns.others(MANY - 1);
            assert_eq!(turns.pause(now), Duration::ZERO);
            now = batch(&mut turns, now);
        }
    }

    #[test]
    fn batches_take_a_quarter_of_the_time_where_many_others_come() {
        let mut turns = Turns::default();
        let start = Instant::now();
        let mut now = batch(&mut turns, start);
        for _ in 0..3 {
            turns.others(MANY / 2);
            turns.others(MANY / 2);
            assert_eq!(turns.pause(now), TOOK * PAUSE);
            assert_eq!(turns.pause(now + TOOK), TOOK * (PAUSE - 1));
            now += TOOK * PAUSE;
            assert_eq!(turns.pause(now), Duration::ZERO);
            now = batch(&mut turns, now);
        }
    }

    #[test]
    fn a_pause_is_kept_until_others_have_come_again() {
        let mut turns = Turns::default();
        let mut now = Instant::now();
        turns.others(MANY);
        now = batch(&mut turns, now);
        // Those who were answered have not asked again yet.
        assert_eq!(turns.pause(now), TOOK * PAUSE);
        now = batch(&mut turns, now + TOOK * PAUSE);
        assert_eq!(turns.pause(now), Duration::ZERO, "nobody came meanwhile");
    }

    #[test]
    fn a_pause_is_short_after_a_long_batch() {
        let mut turns = Turns::default();
        turns.others(MANY);
        let begun = Instant::now();
        let ended = begun + Duration::from_secs(5);
        turns.batch(begun, ended);
        assert_eq!(turns.pause(ended), LONGEST);
    }

    #[test]
    fn a_pause_ends_when_nobody_else_writes() {
        let mut turns = Turns::default();
        turns.others(MANY);
        let now = batch(&mut turns, Instant::now());
        turns.end_pause();
        assert_eq!(turns.pause(now), Duration::ZERO);
    }
}
