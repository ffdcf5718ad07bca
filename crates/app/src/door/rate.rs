//! So many calls in a period: the generic cell rate algorithm, one number for each caller.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hash};
use std::str::FromStr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::Deserialize;

use crate::door::Wait;

/// Callers are spread over so many locks.
const SHARDS: usize = 16;

/// How many callers a shard remembers: a few megabytes in all, whoever knocks.
const REMEMBERED: usize = 4096;

/// So many calls in a period, all at once or spread over it. No calls stands for no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Rate {
    calls: u32,
    period: Duration,
}

/// What callers have left.
#[derive(Debug)]
pub(crate) struct Buckets<K> {
    since: Instant,
    hasher: RandomState,
    /// When each caller has all its calls again, in nanoseconds since the beginning.
    shards: [Mutex<HashMap<K, u64>>; SHARDS],
}

impl Rate {
    /// No limit.
    #[cfg(test)]
    pub(crate) const UNLIMITED: Rate = Rate::per_minute(0);

    /// So many in a minute.
    pub(crate) const fn per_minute(calls: u32) -> Rate {
        Rate {
            calls,
            period: Duration::from_mins(1),
        }
    }
}

impl Rate {
    /// So many in an hour.
    pub(crate) const fn per_hour(calls: u32) -> Rate {
        Rate {
            calls,
            period: Duration::from_hours(1),
        }
    }
}

impl Rate {
    /// How many in a minute, rounded down; none if there is no limit.
    pub(crate) fn in_a_minute(self) -> Option<u64> {
        let seconds = self.period.as_secs().max(1);
        (self.calls > 0).then(|| u64::from(self.calls) * 60 / seconds)
    }
}

impl FromStr for Rate {
    type Err = String;

    /// Reads `600/m`, `20/s`, `1000/h` or `unlimited`.
    fn from_str(text: &str) -> Result<Rate, String> {
        let text = text.trim();
        if text == "unlimited" {
            return Ok(Rate::per_minute(0));
        }
        let wrong = || {
            format!(
                "`{text}` is no rate; write calls per second, minute or hour, for example 600/m, or unlimited"
            )
        };
        let (calls, period) = text.split_once('/').ok_or_else(wrong)?;
        let seconds = match period.trim() {
            "s" => 1,
            "m" => 60,
            "h" => 3600,
            _ => return Err(wrong()),
        };
        let calls = calls.trim().parse().ok().filter(|calls| *calls > 0);
        Ok(Rate {
            calls: calls.ok_or_else(wrong)?,
            period: Duration::from_secs(seconds),
        })
    }
}

impl TryFrom<String> for Rate {
    type Error = String;

    fn try_from(text: String) -> Result<Rate, String> {
        text.parse()
    }
}

impl<K> Default for Buckets<K> {
    fn default() -> Buckets<K> {
        Buckets {
            since: Instant::now(),
            hasher: RandomState::new(),
            shards: std::array::from_fn(|_| Mutex::default()),
        }
    }
}

impl<K: Hash + Eq + Clone> Buckets<K> {
    /// Takes one call from what a caller has left.
    pub(crate) fn take(&self, key: K, rate: Rate, now: Instant) -> Result<(), Wait> {
        let Some(step) = step(rate) else {
            return Ok(());
        };
        let now = self.nanos(now);
        let mut shard = self.shard(&key);
        let full_at = shard.get(&key).map_or(now, |full_at| now.max(*full_at)) + step;
        let over = (full_at - now).saturating_sub(nanos(rate.period));
        if over > 0 {
            return Err(Wait(Duration::from_nanos(over)));
        }
        if shard.len() >= REMEMBERED && !shard.contains_key(&key) {
            make_room(&mut shard, now);
        }
        shard.insert(key, full_at);
        Ok(())
    }

    fn nanos(&self, now: Instant) -> u64 {
        nanos(now.saturating_duration_since(self.since))
    }

    fn shard(&self, key: &K) -> MutexGuard<'_, HashMap<K, u64>> {
        let hash = self.hasher.hash_one(key);
        // The lowest bits: less than SHARDS.
        let position = usize::try_from(hash % SHARDS as u64).unwrap_or(0);
        self.shards[position]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a call costs, in nanoseconds; none without a limit.
fn step(rate: Rate) -> Option<u64> {
    (rate.calls > 0).then(|| (nanos(rate.period) / u64::from(rate.calls)).max(1))
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX / 4)
}

/// Forgets those who have all their calls again; else the one who used least.
fn make_room<K: Hash + Eq + Clone>(shard: &mut HashMap<K, u64>, now: u64) {
    shard.retain(|_, full_at| *full_at > now);
    if shard.len() < REMEMBERED {
        return;
    }
    let least = shard.iter().min_by_key(|(_, full_at)| **full_at);
    if let Some(key) = least.map(|(key, _)| key.clone()) {
        shard.remove(&key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read() {
        assert_eq!("600/m".parse(), Ok(Rate::per_minute(600)));
        assert_eq!("unlimited".parse(), Ok(Rate::UNLIMITED));
        let second: Rate = "20 / s".parse().unwrap();
        assert_eq!((second.calls, second.period), (20, Duration::from_secs(1)));
        for wrong in ["", "600", "0/m", "-1/m", "6/d", "many/m", "none"] {
            assert!(wrong.parse::<Rate>().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn calls_come_back_one_by_one() {
        let buckets = Buckets::default();
        let (rate, begun) = (Rate::per_minute(3), Instant::now());
        for _ in 0..3 {
            assert_eq!(buckets.take("a", rate, begun), Ok(()));
        }
        assert_eq!(
            buckets.take("a", rate, begun),
            Err(Wait(Duration::from_secs(20)))
        );
        assert_eq!(buckets.take("b", rate, begun), Ok(()), "another caller");
        let later = begun + Duration::from_secs(20);
        assert_eq!(buckets.take("a", rate, later), Ok(()));
        assert!(buckets.take("a", rate, later).is_err());
        assert_eq!(buckets.take("a", Rate::UNLIMITED, later), Ok(()));
    }

    #[test]
    fn memory_is_bounded_and_the_busiest_are_remembered() {
        let buckets = Buckets::default();
        let (rate, begun) = (Rate::per_minute(2), Instant::now());
        for _ in 0..2 {
            buckets.take(u32::MAX, rate, begun).unwrap();
        }
        let all = u32::try_from(SHARDS * REMEMBERED).unwrap();
        for caller in 0..all + 500 {
            buckets.take(caller, rate, begun).unwrap();
        }
        let remembered = || -> usize {
            let shards = buckets.shards.iter();
            shards.map(|shard| shard.lock().unwrap().len()).sum()
        };
        assert!(remembered() <= SHARDS * REMEMBERED);
        assert!(buckets.take(u32::MAX, rate, begun).is_err());
        // Later everybody has all calls again, and newcomers find room.
        let later = begun + Duration::from_mins(2);
        for caller in 0..all {
            buckets.take(all + caller, rate, later).unwrap();
        }
        assert!(remembered() <= SHARDS * REMEMBERED);
        assert!(buckets.take(u32::MAX, rate, later).is_ok());
    }
}
