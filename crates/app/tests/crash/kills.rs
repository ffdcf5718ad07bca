//! When to kill.

use std::time::Duration;

use rollbook_bench::random::Random;

/// Kills of all tests together.
const KILLS: u64 = 28;

/// The longest delay at first, at least and at most.
const LONGEST: Duration = Duration::from_millis(1500);
const SHORT: Duration = Duration::from_millis(400);
const LONG: Duration = Duration::from_secs(5);

/// The seed of generated records and of delays.
pub(crate) fn seed() -> u64 {
    number("ROLLBOOK_CRASH_SEED").unwrap_or(1)
}

/// The kills of one test.
#[derive(Debug)]
pub(crate) struct Kills {
    random: Random,
    left: u64,
    longest: Duration,
    records: u64,
}

impl Kills {
    /// So many hundredths of all kills.
    pub(crate) fn share(hundredths: u64, purpose: u64) -> Kills {
        let kills = number("ROLLBOOK_KILLS").unwrap_or(KILLS);
        let left = (kills * hundredths).div_ceil(100);
        println!("seed {}, {left} kills", seed());
        Kills {
            random: Random::of(seed(), purpose, 0),
            left,
            longest: LONGEST,
            records: 0,
        }
    }

    /// How long to wait before the next kill; none if there are to be no more. A kill is only counted by
    /// [`Kills::count`], for the process may end before.
    pub(crate) fn delay(&mut self) -> Option<Duration> {
        if self.left == 0 {
            return None;
        }
        let micros = u64::try_from(self.longest.as_micros()).unwrap_or(u64::MAX);
        Some(Duration::from_micros(self.random.below(micros)))
    }

    /// Whether the next kill comes soon after a batch was committed. Every second one does, so that on a machine of any
    /// speed some imports are killed in their middle.
    pub(crate) fn is_after_a_batch(&self) -> bool {
        self.left.is_multiple_of(2)
    }

    /// How long to wait before a kill that comes soon after a batch.
    pub(crate) fn soon(&mut self) -> Duration {
        Duration::from_millis(self.random.below(150))
    }

    /// Counts a kill.
    pub(crate) fn count(&mut self) {
        self.left -= 1;
    }

    /// Makes later delays short, where a lot is committed in any.
    pub(crate) fn shorten(&mut self) {
        self.longest = SHORT;
    }

    /// Takes in how many records are committed after a kill. Where nothing was done since the last one, delays become
    /// longer, so that on any machine some kills come before a commit and some after.
    pub(crate) fn adapt(&mut self, records: u64) {
        let longest = if records == self.records {
            self.longest * 3 / 2
        } else {
            self.longest * 4 / 5
        };
        self.longest = longest.clamp(SHORT, LONG);
        self.records = records;
    }
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().expect("a variable of ours is a number"))
}
