//! When something about a source is worth an alert: it went silent, or it fails more than usual. Pure: what was
//! received and the time are given.

use rollbook_store::Timestamp;
use rollbook_store::log::ResultCounts;
use rollbook_store::notifications::Silence;

/// An hour and a day in milliseconds.
pub(crate) const HOUR: i64 = 3_600_000;
pub(crate) const DAY: i64 = 24 * HOUR;

/// What is normal is learned from this long before.
pub(crate) const LEARNED_FROM: i64 = 7 * DAY;

/// Hours in that time.
pub(crate) const HOURS: u16 = 7 * 24;

/// Of the last seven days, a source that normally delivers delivered on so many.
const DAYS_OF_DELIVERY: usize = 5;

/// No gap of such a source is longer than three days, so three times that is the longest patience.
const LONGEST_PATIENCE: i64 = 10 * DAY;

/// Fewer records than this in an hour say nothing.
const RECORDS_THAT_TELL: u64 = 20;

/// How long a source must have been well before failures are news again.
pub(crate) const EPISODE: i64 = 6 * HOUR;

/// After how long a source's silence is worth an alert, if it ever is. `hours` are the records of each hour of the week
/// that ended with its last delivery, oldest first.
pub(crate) fn patience(silence: Silence, hours: &[u64]) -> Option<i64> {
    match silence {
        Silence::Off => None,
        Silence::Hours(hours) => Some(i64::from(hours) * HOUR),
        Silence::Learned => {
            let days = hours
                .chunks(24)
                .filter(|day| day.iter().any(|records| *records > 0))
                .count();
            let patience = DAY.max(3 * longest_gap(hours));
            (days >= DAYS_OF_DELIVERY).then_some(patience)
        }
    }
}

/// Whether it is worth looking at what a source normally does: it is silent for longer than any usual night, and not so
/// long that it will not be told any more.
pub(crate) fn may_be_silent(silence: Silence, last: Timestamp, now: Timestamp) -> bool {
    let silent = now.0 - last.0;
    match silence {
        Silence::Off => false,
        Silence::Hours(hours) => silent > i64::from(hours) * HOUR,
        Silence::Learned => silent > DAY && silent < LONGEST_PATIENCE,
    }
}

/// Whether the last hour failed much more than usual: more than 20 points and more than three times as much.
pub(crate) fn fails_more(hour: ResultCounts, before: ResultCounts) -> bool {
    let (now, usual) = (failed_share(hour), failed_share(before));
    hour.all() >= RECORDS_THAT_TELL && now > usual + 200 && now > 3 * usual
}

/// Failures of a thousand records.
pub(crate) fn failed_share(counts: ResultCounts) -> u64 {
    (counts.failure * 1_000)
        .checked_div(counts.all())
        .unwrap_or(0)
}

/// The longest time between two hours with records, in milliseconds.
fn longest_gap(hours: &[u64]) -> i64 {
    let busy = hours
        .iter()
        .enumerate()
        .filter(|(_, records)| **records > 0)
        .map(|(hour, _)| hour);
    let (_, longest) = busy.fold(
        (None, 0),
        |(last, longest): (Option<usize>, usize), hour| {
            let gap = last.map_or(0, |last| hour - last);
            (Some(hour), longest.max(gap))
        },
    );
    i64::try_from(longest).unwrap_or(0) * HOUR
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A week of hours in which these ones have records.
    fn week(busy: impl IntoIterator<Item = usize>) -> Vec<u64> {
        let mut hours = vec![0; usize::from(HOURS)];
        for hour in busy {
            hours[hour] = 1;
        }
        hours
    }

    #[test]
    fn what_a_source_normally_does_says_how_long_it_may_be_silent() {
        // Every morning at eight: 24 hours between two.
        let daily = week((0..7).map(|day| day * 24 + 8));
        assert_eq!(patience(Silence::Learned, &daily), Some(3 * DAY));
        // Every hour: a day is the least.
        assert_eq!(patience(Silence::Learned, &week(0..168)), Some(DAY));
        // Monday to Friday: the weekend is no silence.
        let workdays = week([0, 1, 2, 5, 6].map(|day| day * 24 + 12));
        assert_eq!(patience(Silence::Learned, &workdays), Some(9 * DAY));
        // On four days: it does not normally deliver.
        let now_and_then = week([0, 1, 2, 3].map(|day| day * 24));
        assert_eq!(patience(Silence::Learned, &now_and_then), None);
        assert_eq!(patience(Silence::Hours(2), &now_and_then), Some(2 * HOUR));
        assert_eq!(patience(Silence::Off, &daily), None);
    }

    #[test]
    fn only_a_silence_that_may_be_one_is_looked_at() {
        let at = |silence, silent| may_be_silent(silence, Timestamp(0), Timestamp(silent));
        assert!(!at(Silence::Learned, DAY));
        assert!(at(Silence::Learned, DAY + 1));
        assert!(!at(Silence::Learned, 10 * DAY));
        assert!(at(Silence::Hours(2), 2 * HOUR + 1));
        assert!(!at(Silence::Hours(2), 2 * HOUR));
        assert!(!at(Silence::Off, 5 * DAY));
    }

    #[test]
    fn failures_are_news_when_they_are_many_and_more_than_usual() {
        let counts = |success, failure| ResultCounts {
            success,
            warning: 0,
            failure,
        };
        for (hour, before, expected) in [
            // Nothing ever failed.
            (counts(15, 5), counts(1_000, 0), true),
            (counts(16, 4), counts(1_000, 0), false),
            // Too few to tell.
            (counts(0, 19), counts(1_000, 0), false),
            // A tenth always fails: three times that is needed.
            (counts(69, 31), counts(900, 100), true),
            (counts(70, 30), counts(900, 100), false),
            // It always was bad.
            (counts(10, 90), counts(100, 400), false),
            // A new source.
            (counts(0, 20), counts(0, 0), true),
        ] {
            assert_eq!(fails_more(hour, before), expected, "{hour:?} {before:?}");
        }
    }
}
