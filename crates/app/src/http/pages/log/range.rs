//! The time range of the log: a preset that ends now, or from-to in the workspace's time zone.

use jiff::civil;
use rollbook_store::Timestamp;

use crate::http::pages::show::Zone;

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// A range that ends now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Preset {
    /// The article's default.
    QuarterHour,
    /// An hour.
    Hour,
    /// A day.
    Day,
    /// A week.
    Week,
    /// Thirty days.
    Month,
}

impl Preset {
    /// All of them, shortest first.
    pub(crate) const ALL: [Preset; 5] = [
        Preset::QuarterHour,
        Preset::Hour,
        Preset::Day,
        Preset::Week,
        Preset::Month,
    ];

    /// The word in addresses.
    pub(crate) fn key(self) -> &'static str {
        match self {
            Preset::QuarterHour => "15m",
            Preset::Hour => "1h",
            Preset::Day => "24h",
            Preset::Week => "7d",
            Preset::Month => "30d",
        }
    }

    /// What people read after "Past".
    pub(crate) fn label(self) -> &'static str {
        match self {
            Preset::QuarterHour => "15 minutes",
            Preset::Hour => "hour",
            Preset::Day => "24 hours",
            Preset::Week => "7 days",
            Preset::Month => "30 days",
        }
    }

    /// Its length in milliseconds.
    pub(crate) fn millis(self) -> i64 {
        match self {
            Preset::QuarterHour => 15 * MINUTE,
            Preset::Hour => HOUR,
            Preset::Day => DAY,
            Preset::Week => 7 * DAY,
            Preset::Month => 30 * DAY,
        }
    }

    /// The length of a part of the histogram.
    fn part_millis(self) -> i64 {
        match self {
            Preset::QuarterHour => 15_000,
            Preset::Hour => MINUTE,
            Preset::Day => 30 * MINUTE,
            Preset::Week => 3 * HOUR,
            Preset::Month => 12 * HOUR,
        }
    }

    fn from_key(key: &str) -> Option<Preset> {
        Preset::ALL.into_iter().find(|preset| preset.key() == key)
    }
}

/// Which time the log shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Range {
    /// Up to now.
    Preset(Preset),
    /// From a time, to a time or to now.
    Custom {
        /// Its beginning.
        from: Timestamp,
        /// Its end; none goes on.
        to: Option<Timestamp>,
    },
}

/// A range as it stands now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    /// Received at or after.
    pub(crate) from: Timestamp,
    /// Received before.
    pub(crate) to: Timestamp,
    /// Into how many parts the histogram divides it.
    pub(crate) parts: u16,
}

impl Range {
    /// The range of an address; the past 15 minutes if it names none. The error says what to correct.
    pub(crate) fn parse(preset: &str, from: &str, to: &str, zone: &Zone) -> Result<Range, String> {
        let (from, to) = (from.trim(), to.trim());
        if from.is_empty() && to.is_empty() {
            return match preset.trim() {
                "" => Ok(Range::Preset(Preset::QuarterHour)),
                key => Preset::from_key(key).map(Range::Preset).ok_or_else(|| {
                    format!("“{key}” is not a time range. Choose one with the date selector.")
                }),
            };
        }
        if from.is_empty() {
            return Err("The range has no beginning. Fill in “From”.".to_owned());
        }
        let from = read_time(from, zone, Edge::Begin)?;
        let to = match to {
            "" => None,
            to => Some(read_time(to, zone, Edge::End)?),
        };
        if to.is_some_and(|to| to <= from) {
            return Err("The range ends before it begins. Swap “From” and “To”.".to_owned());
        }
        Ok(Range::Custom { from, to })
    }

    /// Whether new attempts fall into it.
    pub(crate) fn is_open(self) -> bool {
        match self {
            Range::Preset(_) => true,
            Range::Custom { to, .. } => to.is_none(),
        }
    }

    /// The range as it stands now. Open ends lie on a grid, so that the histogram of a live page moves by whole parts
    /// instead of shimmering.
    pub(crate) fn span(self, now: Timestamp) -> Span {
        match self {
            Range::Preset(preset) => {
                let part = preset.part_millis();
                let parts = preset.millis() / part;
                let to = round_up(now.0 + 1, part.min(MINUTE));
                // Where the grid is that of the parts, one more of them keeps the whole preset inside.
                let parts = parts + i64::from(part <= MINUTE);
                Span {
                    from: Timestamp(to - parts * part),
                    to: Timestamp(to),
                    parts: u16::try_from(parts).unwrap_or(60),
                }
            }
            Range::Custom { from, to } => {
                let to = to.map_or_else(|| round_up(now.0 + 1, 15_000), |to| to.0);
                let to = to.max(from.0 + 1);
                Span {
                    from,
                    to: Timestamp(to),
                    parts: u16::try_from((to - from.0).min(60)).unwrap_or(60),
                }
            }
        }
    }
}

/// Which end of a range a time stands for: a day alone begins at midnight and ends at the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Edge {
    Begin,
    End,
}

/// Reads what a date field or a link says: RFC 3339, or local date and time, or a local date.
fn read_time(text: &str, zone: &Zone, edge: Edge) -> Result<Timestamp, String> {
    if let Ok(timestamp) = text.parse::<jiff::Timestamp>() {
        return Ok(Timestamp(timestamp.as_millisecond()));
    }
    let problem =
        || format!("“{text}” is not a date and time. Write it as 2025-11-22T14:30, or choose it.");
    let local: civil::DateTime = text.parse().map_err(|_| problem())?;
    let date_only = text.len() <= "2025-11-22".len();
    let local = if date_only && edge == Edge::End {
        local.tomorrow().map_err(|_| problem())?
    } else {
        local
    };
    let zoned = local
        .to_zoned(zone.time_zone().clone())
        .map_err(|_| problem())?;
    Ok(Timestamp(zoned.timestamp().as_millisecond()))
}

fn round_up(millis: i64, grid: i64) -> i64 {
    (millis + grid - 1).div_euclid(grid) * grid
}

#[cfg(test)]
mod tests {
    use super::*;

    fn berlin() -> Zone {
        Zone::named("Europe/Berlin")
    }

    #[test]
    fn it_opens_on_the_past_15_minutes() {
        let range = Range::parse("", "", "", &berlin());
        assert_eq!(range, Ok(Range::Preset(Preset::QuarterHour)));
        for preset in Preset::ALL {
            assert_eq!(
                Range::parse(preset.key(), "", "", &berlin()),
                Ok(Range::Preset(preset))
            );
        }
        assert!(Range::parse("2y", "", "", &berlin()).is_err());
    }

    #[test]
    fn from_and_to_are_in_the_workspace_zone() {
        let noon = 1_763_809_200_000; // 2025-11-22T11:00:00Z, which is noon in Berlin.
        let cases = [
            (
                "2025-11-22T12:00",
                "2025-11-22T12:30",
                noon,
                Some(noon + 30 * MINUTE),
            ),
            ("2025-11-22T12:00:00", "", noon, None),
            (
                "2025-11-22T11:00:00Z",
                "2025-11-22T13:00+01:00",
                noon,
                Some(noon + HOUR),
            ),
            (
                "2025-11-22",
                "2025-11-22",
                noon - 12 * HOUR,
                Some(noon + 12 * HOUR),
            ),
        ];
        for (from, to, begin, end) in cases {
            let expected = Range::Custom {
                from: Timestamp(begin),
                to: end.map(Timestamp),
            };
            assert_eq!(
                Range::parse("", from, to, &berlin()),
                Ok(expected),
                "{from} {to}"
            );
        }
    }

    #[test]
    fn what_is_no_range_is_said() {
        for (from, to) in [
            ("", "2025-11-22"),
            ("yesterday", ""),
            ("2025-11-22T12:00", "2025-11-22T12:00"),
            ("2025-02-30", ""),
        ] {
            assert!(
                Range::parse("", from, to, &berlin()).is_err(),
                "{from} {to}"
            );
        }
    }

    #[test]
    fn a_preset_holds_all_of_its_time_and_now() {
        for preset in Preset::ALL {
            for now in [1_763_809_200_000, 1_763_809_207_123] {
                let span = Range::Preset(preset).span(Timestamp(now));
                assert!(span.to.0 > now);
                assert!(span.from.0 <= now - preset.millis() + MINUTE, "{preset:?}");
                assert_eq!((span.to.0 - span.from.0) % i64::from(span.parts), 0);
            }
        }
        let span = Range::Preset(Preset::QuarterHour).span(Timestamp(1_763_809_207_123));
        assert!(span.from.0 <= 1_763_809_207_123 - 15 * MINUTE);
    }
}
