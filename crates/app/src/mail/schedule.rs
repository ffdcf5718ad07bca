//! When mail is sent: quiet hours, full hours, days and weeks in the workspace's zone, and how long to wait before
//! another try. Pure: the time and the jitter are given.

use jiff::ToSpan;
use jiff::civil::{Date, Time, Weekday};
use jiff::tz::{Disambiguation, TimeZone};
use rollbook_store::Timestamp;
use rollbook_store::notifications::{Day, Frequency, QuietHours, TimeOfDay};

/// The first pause between two tries; each further one is twice as long.
const FIRST_PAUSE: i64 = 60_000;

/// The longest pause between two tries: six hours.
const LONGEST_PAUSE: i64 = 6 * 3_600_000;

/// For how long a mail is tried: three days.
pub(crate) const PATIENCE: i64 = 3 * 86_400_000;

/// The end of the quiet hours, if it is quiet now.
pub(crate) fn quiet_until(quiet: QuietHours, now: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
    let QuietHours { from, to } = quiet;
    let local = zoned(now, zone);
    let minute = TimeOfDay(
        u16::from(local.hour().unsigned_abs()) * 60 + u16::from(local.minute().unsigned_abs()),
    );
    let over_midnight = from > to;
    let is_quiet = if over_midnight {
        minute >= from || minute < to
    } else {
        from <= minute && minute < to
    };
    if !is_quiet {
        return None;
    }
    let day = if over_midnight && minute >= from {
        local.date().tomorrow().ok()?
    } else {
        local.date()
    };
    // In an hour that comes twice, the end may be in the second one.
    [Disambiguation::Compatible, Disambiguation::Later]
        .into_iter()
        .filter_map(|which| at(day, to, zone, which))
        .find(|end| *end > now)
}

/// The latest time, now or before, at which a digest is due; none if it never is or always.
pub(crate) fn last_due(frequency: Frequency, now: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
    let local = zoned(now, zone);
    match frequency {
        Frequency::Off | Frequency::Immediately => None,
        Frequency::Hourly => {
            let begun = i64::from(local.minute()) * 60_000
                + i64::from(local.second()) * 1_000
                + i64::from(local.millisecond());
            Some(Timestamp(now.0 - begun))
        }
        Frequency::Daily { at: time } => back(local.date(), now, |day| {
            at(day, time, zone, Disambiguation::Compatible)
        }),
        Frequency::Weekly { on, at: time } => back(local.date(), now, |day| {
            (day.weekday() == weekday(on))
                .then(|| at(day, time, zone, Disambiguation::Compatible))
                .flatten()
        }),
    }
}

/// How long to wait after so many tries. The jitter spreads what failed together: a quarter less to a quarter more.
pub(crate) fn pause(tries: u32, jitter: u8) -> i64 {
    let pause = FIRST_PAUSE
        .saturating_mul(1_i64 << tries.saturating_sub(1).min(20))
        .min(LONGEST_PAUSE);
    pause / 4 * 3 + pause / 2 * i64::from(jitter) / 255
}

/// The latest of the times of the last days that is not after now.
fn back(
    today: Date,
    now: Timestamp,
    time: impl Fn(Date) -> Option<Timestamp>,
) -> Option<Timestamp> {
    (0..=8)
        .filter_map(|days| today.checked_sub(days.days()).ok())
        .filter_map(time)
        .find(|due| *due <= now)
}

/// A time of day on a day; of a time that is skipped, the one as long after the last.
fn at(day: Date, time: TimeOfDay, zone: &TimeZone, which: Disambiguation) -> Option<Timestamp> {
    let number = |part: u16| i8::try_from(part).unwrap_or_default();
    let time = Time::new(number(time.0 / 60), number(time.0 % 60), 0, 0).ok()?;
    let zoned = zone
        .to_ambiguous_zoned(day.to_datetime(time))
        .disambiguate(which)
        .ok()?;
    Some(Timestamp(zoned.timestamp().as_millisecond()))
}

fn zoned(time: Timestamp, zone: &TimeZone) -> jiff::Zoned {
    jiff::Timestamp::from_millisecond(time.0)
        .unwrap_or_default()
        .to_zoned(zone.clone())
}

fn weekday(day: Day) -> Weekday {
    match day {
        Day::Monday => Weekday::Monday,
        Day::Tuesday => Weekday::Tuesday,
        Day::Wednesday => Weekday::Wednesday,
        Day::Thursday => Weekday::Thursday,
        Day::Friday => Weekday::Friday,
        Day::Saturday => Weekday::Saturday,
        Day::Sunday => Weekday::Sunday,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn berlin() -> TimeZone {
        TimeZone::get("Europe/Berlin").unwrap()
    }

    fn time(text: &str) -> Timestamp {
        Timestamp(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
    }

    fn shown(time: Option<Timestamp>) -> String {
        time.map_or_else(String::new, |time| {
            jiff::Timestamp::from_millisecond(time.0)
                .unwrap()
                .to_string()
        })
    }

    fn clock(text: &str) -> TimeOfDay {
        TimeOfDay::parse(text).unwrap()
    }

    #[test]
    fn quiet_hours_end_in_the_workspace_zone() {
        let cases = [
            // Over midnight, in summer (UTC+2).
            ("22:00", "07:00", "2026-07-01T19:59:00Z", ""),
            (
                "22:00",
                "07:00",
                "2026-07-01T20:00:00Z",
                "2026-07-02T05:00:00Z",
            ),
            (
                "22:00",
                "07:00",
                "2026-07-02T04:59:59Z",
                "2026-07-02T05:00:00Z",
            ),
            ("22:00", "07:00", "2026-07-02T05:00:00Z", ""),
            // Within a day, in winter (UTC+1).
            (
                "12:00",
                "13:30",
                "2026-01-10T11:30:00Z",
                "2026-01-10T12:30:00Z",
            ),
            ("12:00", "13:30", "2026-01-10T12:30:00Z", ""),
            // None at all.
            ("09:00", "09:00", "2026-01-10T08:00:00Z", ""),
            // The night in which 02:00 becomes 03:00: an end that is skipped comes as long after.
            (
                "22:00",
                "02:30",
                "2026-03-28T23:00:00Z",
                "2026-03-29T01:30:00Z",
            ),
            (
                "22:00",
                "07:00",
                "2026-03-28T23:00:00Z",
                "2026-03-29T05:00:00Z",
            ),
            // The night in which 03:00 becomes 02:00: the end is the first 02:30, and in the second hour the second.
            (
                "22:00",
                "02:30",
                "2026-10-24T23:00:00Z",
                "2026-10-25T00:30:00Z",
            ),
            (
                "22:00",
                "02:30",
                "2026-10-25T01:10:00Z",
                "2026-10-25T01:30:00Z",
            ),
        ];
        for (from, to, now, expected) in cases {
            let quiet = QuietHours {
                from: clock(from),
                to: clock(to),
            };
            let end = quiet_until(quiet, time(now), &berlin());
            assert_eq!(shown(end), expected, "{from}-{to} at {now}");
        }
    }

    #[test]
    fn digests_are_due_in_the_workspace_zone() {
        let daily = Frequency::Daily { at: clock("08:00") };
        let skipped = Frequency::Daily { at: clock("02:30") };
        let weekly = Frequency::Weekly {
            on: Day::Monday,
            at: clock("08:00"),
        };
        let cases = [
            (Frequency::Off, "2026-07-01T10:00:00Z", ""),
            (Frequency::Immediately, "2026-07-01T10:00:00Z", ""),
            (
                Frequency::Hourly,
                "2026-07-01T10:59:59.9Z",
                "2026-07-01T10:00:00Z",
            ),
            (daily, "2026-07-01T05:59:00Z", "2026-06-30T06:00:00Z"),
            (daily, "2026-07-01T06:00:00Z", "2026-07-01T06:00:00Z"),
            // Summer time began in between: the same hour of the clock.
            (daily, "2026-03-29T10:00:00Z", "2026-03-29T06:00:00Z"),
            (daily, "2026-03-28T10:00:00Z", "2026-03-28T07:00:00Z"),
            // 02:30 does not exist that night, and comes twice in autumn; it is due once each.
            (skipped, "2026-03-29T10:00:00Z", "2026-03-29T01:30:00Z"),
            (skipped, "2026-10-25T10:00:00Z", "2026-10-25T00:30:00Z"),
            // A Wednesday, and the Monday itself before and after the time.
            (weekly, "2026-07-01T10:00:00Z", "2026-06-29T06:00:00Z"),
            (weekly, "2026-06-29T05:00:00Z", "2026-06-22T06:00:00Z"),
            (weekly, "2026-06-29T06:00:00Z", "2026-06-29T06:00:00Z"),
        ];
        for (frequency, now, expected) in cases {
            let due = last_due(frequency, time(now), &berlin());
            assert_eq!(shown(due), expected, "{frequency:?} at {now}");
        }
        // Half an hour beside the others, a full hour is one of the zone's own.
        let kolkata = TimeZone::get("Asia/Kolkata").unwrap();
        let due = last_due(Frequency::Hourly, time("2026-07-01T10:45:00Z"), &kolkata);
        assert_eq!(shown(due), "2026-07-01T10:30:00Z");
    }

    #[test]
    fn pauses_grow_from_a_minute_to_six_hours_with_jitter() {
        assert_eq!(pause(1, 0), 45_000);
        assert_eq!(pause(1, 255), 75_000);
        assert_eq!(pause(2, 0), 90_000);
        for tries in 1..100 {
            let (least, most) = (pause(tries, 0), pause(tries, 255));
            assert!(least < most && most <= LONGEST_PAUSE / 4 * 5, "{tries}");
            assert!(pause(tries + 1, 0) >= least);
        }
        assert_eq!(pause(50, 0), LONGEST_PAUSE / 4 * 3);
    }
}
