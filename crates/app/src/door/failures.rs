//! Wrong passwords and codes: each slows down whoever guessed, and nobody else.
//!
//! What is counted is a pair: the account that was named, and where the guess came from. So somebody who guesses from
//! elsewhere can never keep the owner of an account out. A browser in which the owner signed in before is a place of
//! its own, so that even guesses from the same network do not. An account that does not exist is counted like any
//! other, so that the answers are the same.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::door::Wait;
use crate::door::network::Network;

/// How many may be wrong in a row before there is any delay.
const FREE: u32 = 5;

/// The first delay; each further one is twice as long.
const FIRST: Duration = Duration::from_secs(5);

/// The longest delay.
const LONGEST: Duration = Duration::from_mins(15);

/// A pair is forgotten when it was quiet for so long.
const FORGOTTEN: Duration = Duration::from_hours(24);

/// How many pairs are remembered.
const REMEMBERED: usize = 50_000;

/// Where a guess comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Place {
    /// A network.
    Network(Network),
    /// A browser in which the owner of the account signed in before: the hash of its token.
    Device([u8; 32]),
    /// Not over the network.
    Here,
}

/// Who is guessed at, and from where. Accounts are kept as hashes: what people type is not ours to keep.
type Pair = (u64, Place);

/// What is known of a pair.
#[derive(Debug, Clone, Copy)]
struct Failing {
    /// How many were wrong in a row.
    wrong: u32,
    /// When the last one came.
    last: Instant,
}

/// Those who guess.
#[derive(Debug, Default)]
pub(crate) struct Failures {
    hasher: RandomState,
    pairs: Mutex<HashMap<Pair, Failing>>,
}

/// A guess that is being looked at. It counts as wrong until somebody says otherwise, so that many at the same time
/// are no way round.
#[derive(Debug)]
#[must_use]
pub(crate) struct Guess<'f> {
    failures: &'f Failures,
    pair: Pair,
}

impl Failures {
    /// Begins a guess at an account; the pair may have to wait.
    pub(crate) fn guess(&self, account: &str, place: Place) -> Result<Guess<'_>, Wait> {
        self.guess_at(account, place, Instant::now())
    }

    fn guess_at(&self, account: &str, place: Place, now: Instant) -> Result<Guess<'_>, Wait> {
        let pair = (self.hasher.hash_one(account), place);
        let mut pairs = self.pairs.lock().unwrap_or_else(PoisonError::into_inner);
        let known = pairs
            .get(&pair)
            .copied()
            .filter(|failing| now.saturating_duration_since(failing.last) < FORGOTTEN);
        let wrong = known.map_or(0, |failing| failing.wrong);
        if let Some(failing) = known {
            let waited = now.saturating_duration_since(failing.last);
            let left = delay(wrong).saturating_sub(waited);
            if !left.is_zero() {
                return Err(Wait(left));
            }
        }
        if known.is_none() && pairs.len() >= REMEMBERED {
            make_room(&mut pairs, now);
        }
        let failing = Failing {
            wrong: wrong.saturating_add(1),
            last: now,
        };
        pairs.insert(pair, failing);
        Ok(Guess {
            failures: self,
            pair,
        })
    }
}

impl Guess<'_> {
    /// It was right, and opened the account: all is forgotten.
    pub(crate) fn opened(self) {
        self.pairs().remove(&self.pair);
    }

    /// It was right, but something else is still missing: it does not count.
    pub(crate) fn was_right(self) {
        if let Some(failing) = self.pairs().get_mut(&self.pair) {
            failing.wrong = failing.wrong.saturating_sub(1);
        }
    }

    fn pairs(&self) -> std::sync::MutexGuard<'_, HashMap<Pair, Failing>> {
        self.failures
            .pairs
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long to wait after so many wrong ones.
fn delay(wrong: u32) -> Duration {
    match wrong.checked_sub(FREE) {
        None => Duration::ZERO,
        Some(doublings) => FIRST
            .saturating_mul(2_u32.saturating_pow(doublings.min(20)))
            .min(LONGEST),
    }
}

/// Forgets what is old; else the pair that guessed least.
fn make_room(pairs: &mut HashMap<Pair, Failing>, now: Instant) {
    pairs.retain(|_, failing| now.saturating_duration_since(failing.last) < FORGOTTEN);
    if pairs.len() < REMEMBERED {
        return;
    }
    let least = pairs
        .iter()
        .min_by_key(|(_, failing)| (failing.wrong, failing.last));
    if let Some(pair) = least.map(|(pair, _)| *pair) {
        pairs.remove(&pair);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(address: &str) -> Place {
        Place::Network(Network::of(address.parse().unwrap()))
    }

    /// Guesses wrongly; how long that has to wait.
    fn wrong(failures: &Failures, account: &str, place: Place, now: Instant) -> Duration {
        match failures.guess_at(account, place, now) {
            Ok(_) => Duration::ZERO,
            Err(Wait(left)) => left,
        }
    }

    #[test]
    fn delays_grow_up_to_a_quarter_of_an_hour() {
        let failures = Failures::default();
        let (anna, here) = ("anna@hotel.example", place("192.0.2.7"));
        let mut now = Instant::now();
        for _ in 0..FREE {
            assert_eq!(wrong(&failures, anna, here, now), Duration::ZERO);
        }
        let mut delays = Vec::new();
        for _ in 0..10 {
            let left = wrong(&failures, anna, here, now);
            delays.push(left.as_secs());
            now += left;
            assert_eq!(wrong(&failures, anna, here, now), Duration::ZERO);
        }
        assert_eq!(delays, [5, 10, 20, 40, 80, 160, 320, 640, 900, 900]);
        now += FORGOTTEN;
        assert_eq!(wrong(&failures, anna, here, now), Duration::ZERO);
    }

    #[test]
    fn nobody_else_is_kept_out() {
        let failures = Failures::default();
        let (anna, now) = ("anna@hotel.example", Instant::now());
        for _ in 0..20 {
            let _ = wrong(&failures, anna, place("192.0.2.7"), now);
        }
        assert!(!wrong(&failures, anna, place("192.0.2.7"), now).is_zero());
        for elsewhere in [place("192.0.2.8"), Place::Device([1; 32])] {
            assert!(wrong(&failures, anna, elsewhere, now).is_zero());
        }
        assert!(wrong(&failures, "bob@hotel.example", place("192.0.2.7"), now).is_zero());
    }

    #[test]
    fn an_opened_account_forgets_and_a_half_opened_one_does_not() {
        let failures = Failures::default();
        let (anna, here, now) = ("anna@hotel.example", place("192.0.2.7"), Instant::now());
        for _ in 0..FREE - 1 {
            let _ = wrong(&failures, anna, here, now);
        }
        failures.guess_at(anna, here, now).unwrap().was_right();
        assert!(wrong(&failures, anna, here, now).is_zero());
        assert!(!wrong(&failures, anna, here, now).is_zero());
        let later = now + FIRST;
        failures.guess_at(anna, here, later).unwrap().opened();
        for _ in 0..FREE {
            assert!(wrong(&failures, anna, here, later).is_zero());
        }
    }

    #[test]
    fn many_names_do_not_push_out_the_one_who_guesses_most() {
        let failures = Failures::default();
        let (anna, here, now) = ("anna@hotel.example", place("192.0.2.7"), Instant::now());
        for _ in 0..=FREE {
            let _ = wrong(&failures, anna, here, now);
        }
        for name in 0..REMEMBERED + 50 {
            let _ = wrong(&failures, &name.to_string(), here, now);
        }
        assert_eq!(failures.pairs.lock().unwrap().len(), REMEMBERED);
        assert!(!wrong(&failures, anna, here, now).is_zero());
    }
}
