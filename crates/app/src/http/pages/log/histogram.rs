//! The histogram of the log: stacked bars of results over the range, drawn by the server.

use rollbook_store::Timestamp;
use rollbook_store::log::ResultCounts;

use crate::http::pages::log::range::Span;
use crate::http::pages::show::{Zone, count, counted};

/// The height of the drawing.
const HEIGHT: u64 = 72;

/// The width of a part of the drawing, gap included.
const BAR: u64 = 20;

/// The least height of a result that occurs: one failure among a thousand successes must be seen.
const LEAST: u64 = 3;

const DAY: i64 = 86_400_000;

/// A drawing of counts over a range.
#[derive(Debug, Clone, Default)]
pub(crate) struct Histogram {
    /// The drawing's width.
    pub(crate) width: u64,
    /// The drawing's height.
    pub(crate) height: u64,
    /// The parts that have any attempts.
    pub(crate) bars: Vec<Bar>,
    /// Times under the drawing.
    pub(crate) ticks: Vec<String>,
    /// How many attempts the highest bar stands for.
    pub(crate) highest: String,
    /// What the drawing shows, in words.
    pub(crate) summary: String,
    /// The range's beginning in milliseconds, for dragging.
    pub(crate) from: i64,
    /// Its end.
    pub(crate) to: i64,
    /// How long a part is: `15 seconds`.
    pub(crate) part: String,
}

/// One part of the range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bar {
    /// What it shows, in words.
    pub(crate) title: String,
    /// From the bottom up.
    pub(crate) blocks: Vec<Block>,
    /// Where its part begins.
    pub(crate) x: u64,
    /// How wide its part is.
    pub(crate) width: u64,
}

/// One result in a bar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Block {
    /// `ok`, `warn` or `bad`.
    pub(crate) class: &'static str,
    /// Its left edge.
    pub(crate) x: u64,
    /// Its upper edge.
    pub(crate) y: u64,
    /// Its width.
    pub(crate) width: u64,
    /// Its height.
    pub(crate) height: u64,
}

/// Draws the counts of a range; an open one ends now.
pub(crate) fn draw(counts: &[ResultCounts], span: Span, zone: &Zone, open: bool) -> Histogram {
    let parts = u64::try_from(counts.len()).unwrap_or(0).max(1);
    let highest = counts.iter().map(ResultCounts::all).max().unwrap_or(0);
    let part_millis = (span.to.0 - span.from.0) / i64::try_from(parts).unwrap_or(1);
    let begin = |position: usize| {
        Timestamp(span.from.0 + part_millis * i64::try_from(position).unwrap_or(0))
    };
    let form = match (span.to.0 - span.from.0 > DAY, part_millis < 60_000) {
        (false, true) => "%H:%M:%S",
        (false, false) => "%H:%M",
        (true, _) => "%-d %b %H:%M",
    };
    let bars = counts
        .iter()
        .enumerate()
        .filter(|(_, counts)| counts.all() > 0)
        .map(|(position, counts)| {
            let x = BAR * u64::try_from(position).unwrap_or(0);
            Bar {
                title: format!(
                    "{} – {}: {}",
                    zone.format(begin(position), form),
                    zone.format(begin(position + 1), form),
                    in_words(*counts)
                ),
                blocks: stack(*counts, highest, x + 2),
                x,
                width: BAR,
            }
        })
        .collect();
    Histogram {
        width: BAR * parts,
        height: HEIGHT,
        bars,
        ticks: ticks(span, zone, open),
        highest: count(highest),
        summary: summary(counts, span, zone),
        from: span.from.0,
        to: span.to.0,
        part: part_in_words(part_millis),
    }
}

/// The blocks of one bar from the bottom up, as high together as their share of the highest bar.
fn stack(counts: ResultCounts, highest: u64, x: u64) -> Vec<Block> {
    let all = counts.all();
    let total = scaled(all, highest, HEIGHT - 2).max(LEAST);
    let of = |part: u64| match part {
        0 => 0,
        part => scaled(part, all, total).max(LEAST),
    };
    let (warn, bad) = (of(counts.warning), of(counts.failure));
    let ok = match counts.success {
        0 => 0,
        _ => total.saturating_sub(warn + bad).max(LEAST),
    };
    let mut bottom = HEIGHT;
    let mut blocks = Vec::new();
    for (class, height) in [("ok", ok), ("warn", warn), ("bad", bad)] {
        let height = height.min(bottom);
        if height > 0 {
            bottom -= height;
            blocks.push(Block {
                class,
                x,
                y: bottom,
                width: BAR - 4,
                height,
            });
        }
    }
    blocks
}

/// `height * part / whole`, rounded to the nearest.
fn scaled(part: u64, whole: u64, height: u64) -> u64 {
    let (part, whole, height) = (u128::from(part), u128::from(whole), u128::from(height));
    u64::try_from((height * part + whole / 2) / whole.max(1)).unwrap_or(HEIGHT)
}

fn ticks(span: Span, zone: &Zone, open: bool) -> Vec<String> {
    const INTERVALS: i64 = 4;
    let length = span.to.0 - span.from.0;
    let form = match length {
        ..300_000 => "%H:%M:%S",
        300_000..=DAY => "%H:%M",
        _ => "%-d %b, %H:%M",
    };
    let mut ticks: Vec<String> = (0..=INTERVALS)
        .map(|step| zone.format(Timestamp(span.from.0 + length * step / INTERVALS), form))
        .collect();
    if open && let Some(last) = ticks.last_mut() {
        "now".clone_into(last);
    }
    ticks
}

fn part_in_words(millis: i64) -> String {
    let seconds = u64::try_from(millis / 1000).unwrap_or(0);
    match seconds {
        0 => "less than a second".to_owned(),
        1..60 => counted(seconds, "second", "seconds"),
        60..3600 => counted(seconds / 60, "minute", "minutes"),
        3600..86_400 => counted(seconds / 3600, "hour", "hours"),
        _ => counted(seconds / 86_400, "day", "days"),
    }
}

fn in_words(counts: ResultCounts) -> String {
    let mut text = counted(counts.success, "success", "successes");
    if counts.warning > 0 {
        text.push_str(", ");
        text.push_str(&counted(counts.warning, "warning", "warnings"));
    }
    if counts.failure > 0 {
        text.push_str(", ");
        text.push_str(&counted(counts.failure, "failure", "failures"));
    }
    text
}

fn summary(counts: &[ResultCounts], span: Span, zone: &Zone) -> String {
    let mut all = ResultCounts::default();
    for part in counts {
        all.success += part.success;
        all.warning += part.warning;
        all.failure += part.failure;
    }
    let form = "%-d %b %H:%M";
    format!(
        "{} from {} to {} {}: {}.",
        counted(all.all(), "attempt", "attempts"),
        zone.format(span.from, form),
        zone.format(span.to, form),
        zone.abbreviation(span.to),
        in_words(all)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(success: u64, warning: u64, failure: u64) -> ResultCounts {
        ResultCounts {
            success,
            warning,
            failure,
        }
    }

    fn heights(part: ResultCounts, highest: u64) -> Vec<(&'static str, u64, u64)> {
        stack(part, highest, 0)
            .into_iter()
            .map(|block| (block.class, block.y, block.height))
            .collect()
    }

    #[test]
    fn blocks_stand_on_each_other() {
        assert_eq!(heights(counts(10, 0, 0), 10), [("ok", 2, 70)]);
        assert_eq!(
            heights(counts(5, 3, 2), 10),
            [("ok", 37, 35), ("warn", 16, 21), ("bad", 2, 14)]
        );
        assert_eq!(heights(counts(5, 0, 0), 10), [("ok", 37, 35)]);
    }

    #[test]
    fn what_is_rare_is_still_seen() {
        assert_eq!(
            heights(counts(1_000_000, 0, 1), 1_000_001),
            [("ok", 5, 67), ("bad", 2, 3)]
        );
        assert_eq!(heights(counts(0, 1, 0), 1_000_000), [("warn", 69, 3)]);
    }

    #[test]
    fn nothing_leaves_the_drawing() {
        for part in [
            counts(1, 1, 1),
            counts(u64::MAX / 4, 1, 1),
            counts(0, 0, u64::MAX / 2),
        ] {
            for block in stack(part, part.all(), 0) {
                assert!(block.y + block.height <= HEIGHT, "{block:?}");
            }
        }
        assert_eq!(scaled(0, 0, HEIGHT), 0);
    }

    #[test]
    fn a_drawing_says_what_it_shows() {
        let span = Span {
            from: Timestamp(1_763_809_200_000),
            to: Timestamp(1_763_809_230_000),
            parts: 2,
        };
        let zone = Zone::named("Europe/Berlin");
        let drawing = draw(&[counts(0, 0, 0), counts(2, 1, 0)], span, &zone, true);
        assert_eq!(drawing.bars.len(), 1);
        assert_eq!(
            drawing.bars[0].title,
            "12:00:15 – 12:00:30: 2 successes, 1 warning"
        );
        assert_eq!(drawing.ticks.first().unwrap(), "12:00:00");
        assert_eq!(drawing.ticks.last().unwrap(), "now");
        assert_eq!(
            drawing.summary,
            "3 attempts from 22 Nov 12:00 to 22 Nov 12:00 CET: 2 successes, 1 warning."
        );
        assert_eq!(drawing.part, "15 seconds");
    }
}
