//! Counts and histograms.

use rusqlite::Connection;

use super::super::codec::Unpacker;
use super::block::{Column, Header, Meta, count};
use super::blocks::{self, Parts, damaged};
use super::condition::Condition;
use super::scan::{Rows, Walk, walk};
use super::tail::{self, Order};
use crate::log::{LogFilter, LogSummary, ResultCounts};
use crate::{StoreError, Timestamp, WorkspaceId};

pub(super) fn summary(
    conn: &Connection,
    workspace: WorkspaceId,
    filter: &LogFilter,
    buckets: u16,
) -> Result<LogSummary, StoreError> {
    let buckets = Buckets::of(filter, buckets);
    let mut summary = LogSummary {
        counts: ResultCounts::default(),
        histogram: vec![ResultCounts::default(); buckets.n],
    };
    // The tabs count every result, whichever of them is open.
    let filter = LogFilter {
        result: None,
        ..filter.clone()
    };
    let Some(condition) = Condition::new(conn, workspace, &filter)? else {
        return Ok(summary);
    };
    if condition.asks_only_for_time() {
        count_by_headers(conn, workspace, &condition, &buckets, &mut summary)?;
    } else {
        count_by_walking(conn, workspace, &condition, &buckets, &mut summary)?;
    }
    Ok(summary)
}

/// Equal parts of a range of time.
struct Buckets {
    from: Timestamp,
    to: Timestamp,
    n: usize,
}

impl Buckets {
    fn of(filter: &LogFilter, n: u16) -> Buckets {
        match (filter.from, filter.to) {
            (Some(from), Some(to)) => Buckets {
                from,
                to,
                n: usize::from(n),
            },
            _ => Buckets {
                from: Timestamp(0),
                to: Timestamp(0),
                n: 0,
            },
        }
    }

    fn width(&self) -> i128 {
        i128::from(self.to.0) - i128::from(self.from.0)
    }

    /// The part of a time within the range; none if there are no parts.
    fn position(&self, time: Timestamp) -> Option<usize> {
        let n = i128::try_from(self.n).ok()?;
        let since = i128::from(time.0) - i128::from(self.from.0);
        let position = (since * n).checked_div(self.width())?;
        usize::try_from(position)
            .ok()
            .filter(|position| *position < self.n)
    }

    /// The first time of each part, and the end of the last.
    fn edges(&self) -> impl Iterator<Item = Timestamp> {
        let n = self.n as i128;
        (0..=n).map(move |position| {
            // Rounded up: the earlier millisecond still belongs to the part before.
            let since = (position * self.width() + n - 1)
                .checked_div(n)
                .unwrap_or(0);
            let time = i128::from(self.from.0) + since;
            Timestamp(i64::try_from(time).unwrap_or(i64::MAX))
        })
    }
}

fn add(counts: &mut ResultCounts, more: ResultCounts) {
    counts.success += more.success;
    counts.warning += more.warning;
    counts.failure += more.failure;
}

fn difference(high: ResultCounts, low: ResultCounts) -> ResultCounts {
    ResultCounts {
        success: high.success.saturating_sub(low.success),
        warning: high.warning.saturating_sub(low.warning),
        failure: high.failure.saturating_sub(low.failure),
    }
}

/// With nothing but times asked for, every count is a difference of what headers say of all that came before them.
fn count_by_headers(
    conn: &Connection,
    workspace: WorkspaceId,
    condition: &Condition,
    buckets: &Buckets,
    summary: &mut LogSummary,
) -> Result<(), StoreError> {
    let mut before = Before {
        conn,
        workspace,
        parts: Parts::of(conn)?,
        edge: None,
    };
    let low = before.time(condition.from)?;
    let high = match condition.to {
        Some(to) => before.time(to)?,
        None => before.end()?,
    };
    summary.counts = difference(high, low);
    if buckets.n > 0 {
        let mut low = low;
        for (counts, end) in summary.histogram.iter_mut().zip(buckets.edges().skip(1)) {
            let high = before.time(end)?;
            *counts = difference(high, low);
            low = high;
        }
    }
    tail::outcomes(
        conn,
        workspace,
        condition.from,
        condition.to,
        |time, code| {
            count(&mut summary.counts, code);
            if let Some(position) = buckets.position(time) {
                count(&mut summary.histogram[position], code);
            }
        },
    )
}

/// Counts of all attempts in blocks before a time.
struct Before<'conn> {
    conn: &'conn Connection,
    workspace: WorkspaceId,
    parts: Parts<'conn>,
    /// The block that was opened last, with its times and outcome codes.
    edge: Option<(Header, Vec<Timestamp>, Vec<u64>)>,
}

impl Before<'_> {
    fn time(&mut self, time: Timestamp) -> Result<ResultCounts, StoreError> {
        let inside = |header: &Header| header.min_at < time && time <= header.max_at;
        if !self
            .edge
            .as_ref()
            .is_some_and(|(header, ..)| inside(header))
        {
            let Some(header) = blocks::lasting_until(self.conn, self.workspace, time)? else {
                return self.end();
            };
            if !inside(&header) {
                return Ok(header.before);
            }
            let blob = self.parts.meta(&header)?;
            let decode = || {
                let meta = Meta::decode(&blob, header.n, &mut Unpacker::new()?)?;
                Ok((meta.times()?, meta.column(Column::Outcome)?))
            };
            let (times, codes) = decode().map_err(|damage| damaged(&header, damage))?;
            self.edge = Some((header, times, codes));
        }
        let mut counts = ResultCounts::default();
        if let Some((header, times, codes)) = &self.edge {
            counts = header.before;
            let earlier = times.partition_point(|earlier| *earlier < time);
            for code in &codes[..earlier] {
                count(&mut counts, *code);
            }
        }
        Ok(counts)
    }

    fn end(&self) -> Result<ResultCounts, StoreError> {
        let mut counts = ResultCounts::default();
        if let Some(last) = blocks::last(self.conn, self.workspace)? {
            add(&mut counts, last.before);
            add(&mut counts, last.counts);
        }
        Ok(counts)
    }
}

fn count_by_walking(
    conn: &Connection,
    workspace: WorkspaceId,
    condition: &Condition,
    buckets: &Buckets,
    summary: &mut LogSummary,
) -> Result<(), StoreError> {
    let everything = Walk {
        workspace,
        condition,
        numbers: (0, u64::MAX),
        order: Order::OldestFirst,
    };
    let spans_buckets =
        |header: &Header| buckets.position(header.min_at) != buckets.position(header.max_at);
    walk(conn, &everything, spans_buckets, |_, found| {
        let header = &found.header;
        match found.rows {
            Rows::All => {
                add(&mut summary.counts, header.counts);
                if let Some(position) = buckets.position(header.min_at) {
                    add(&mut summary.histogram[position], header.counts);
                }
            }
            Rows::Some(rows, meta) => {
                let damaged = |damage| damaged(header, damage);
                let codes = meta.column(Column::Outcome).map_err(damaged)?;
                for row in &rows {
                    count(&mut summary.counts, codes[*row]);
                }
                if buckets.n > 0 {
                    let times = meta.times().map_err(damaged)?;
                    for row in rows {
                        if let Some(position) = buckets.position(times[row]) {
                            count(&mut summary.histogram[position], codes[row]);
                        }
                    }
                }
            }
        }
        Ok(true)
    })?;
    tail::each(
        conn,
        workspace,
        (0, u64::MAX),
        Order::OldestFirst,
        |attempt, payload| {
            if condition.holds(&attempt, &payload.bytes) {
                let code = super::block::outcome_code(attempt.outcome);
                count(&mut summary.counts, code);
                if let Some(position) = buckets.position(attempt.received_at) {
                    count(&mut summary.histogram[position], code);
                }
            }
            true
        },
    )
}
