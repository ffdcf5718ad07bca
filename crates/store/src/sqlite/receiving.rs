//! Whether single deliveries are coming in just now, so that imports make way for them.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long after a delivery more of them are expected.
const LATELY: Duration = Duration::from_secs(1);

/// When the latest single delivery came, of this process or of another one.
#[derive(Debug, Default)]
pub(super) struct Receiving(Mutex<Option<Instant>>);

impl Receiving {
    /// A delivery came.
    pub(super) fn note(&self) {
        self.note_at(Instant::now());
    }

    /// Whether one came lately.
    pub(super) fn is_so(&self) -> bool {
        self.is_so_at(Instant::now())
    }

    fn note_at(&self, now: Instant) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
    }

    fn is_so_at(&self, now: Instant) -> bool {
        let latest = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        latest.is_some_and(|latest| now.saturating_duration_since(latest) < LATELY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deliveries_are_expected_for_a_second_after_the_last_one() {
        let receiving = Receiving::default();
        let start = Instant::now();
        assert!(!receiving.is_so_at(start));
        receiving.note_at(start);
        assert!(receiving.is_so_at(start));
        assert!(receiving.is_so_at(start + Duration::from_millis(999)));
        assert!(!receiving.is_so_at(start + LATELY));
        receiving.note_at(start + LATELY);
        assert!(receiving.is_so_at(start + LATELY));
    }
}
