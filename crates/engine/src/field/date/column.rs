//! The date order of a column, decided once from all of its values.
//!
//! Every numeric date allows some orders: `10/09/2003` two, `25/09/2003` one. The column's order is the one that all
//! of its values allow. Values that read the same under every order (`08/08/1965`), and values that need none (ISO,
//! month names), say nothing.
//!
//! If no order suits all values, the column contradicts itself, and its numeric dates are ambiguous, all of them: there
//! is no telling which rows were written by whom. One exception keeps a slip of the pen from spoiling a long column:
//! with at least [`DateEvidence::DECISIVE_VALUES`] decisive values, an order that less than 2 % of them speak against
//! is the column's order. The others are then invalid, not read in another way.

use super::{
    DateOptions, DateOrder, Numeric, PartialDate, Unreadable, Written, invalid, scan, settle,
};
use crate::issue::Problem;

/// What the values of one column say about its order.
///
/// Evidence of parts of a column, merged in order, equals the evidence of the whole.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DateEvidence {
    /// By the set of orders that a value allows, as bits by [`DateOrder`].
    seen: [Seen; 8],
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Seen {
    count: u64,
    /// The first such value.
    witness: Option<String>,
}

/// A value that speaks for an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DateWitness {
    /// The order in which the value can be read.
    pub order: DateOrder,
    /// The value.
    pub value: String,
}

/// The order of a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DateDecision {
    /// No value needs an order.
    NoNumericDates,
    /// All values are to be read in this order.
    Decided(DateOrder),
    /// Several orders suit all values, and no fallback is among them: someone has to say.
    Ambiguous,
    /// No order suits all values.
    Contradictory {
        /// Values that cannot stand in one column, at most one for each order.
        witnesses: Vec<DateWitness>,
    },
}

/// What a person has to say about a column of which several orders suit all values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DateQuestion {
    /// A value that could mean several days.
    pub value: String,
    /// What it means in each order that suits the column; orders that make the same of it are one.
    pub answers: Vec<(DateOrder, PartialDate)>,
}

impl DateEvidence {
    /// How many decisive values it takes before a few others may be called mistakes.
    pub const DECISIVE_VALUES: u64 = 50;

    /// The others must be fewer than one in this many decisive values.
    const TOLERANCE: u64 = 50;

    /// Nothing seen yet.
    pub fn new() -> DateEvidence {
        DateEvidence::default()
    }

    /// Takes one value of the column; blank and unreadable ones say nothing.
    pub fn observe(&mut self, text: &str) {
        let text = scan::trim(text);
        let options = DateOptions::default();
        let written = match scan::numeric(text, options) {
            Some(written) => written,
            // Without a digit there is no numeric date.
            None if !text.bytes().any(|byte| byte.is_ascii_digit()) => return,
            None => match scan::read(text, options) {
                Some(scanned) => scanned.written,
                None => return,
            },
        };
        let Written::Numeric(numeric) = written else {
            return;
        };
        let seen = &mut self.seen[allowed(&numeric)];
        seen.count += 1;
        if seen.witness.is_none() {
            seen.witness = Some(text.to_owned());
        }
    }

    /// Adds what was seen later in the column.
    pub fn merge(&mut self, later: DateEvidence) {
        for (seen, later) in self.seen.iter_mut().zip(later.seen) {
            seen.count += later.count;
            seen.witness = seen.witness.take().or(later.witness);
        }
    }

    /// The order of the column; `fallback` is the workspace's, used only where the values leave it open.
    pub fn decide(&self, fallback: Option<DateOrder>) -> DateDecision {
        let against = DateOrder::ALL.map(|order| (self.against(order), order));
        let open: Vec<DateOrder> = against
            .iter()
            .filter(|&&(count, _)| count == 0)
            .map(|&(_, order)| order)
            .collect();
        if self.seen.iter().skip(1).all(|seen| seen.count == 0) {
            return DateDecision::NoNumericDates;
        }
        match (open.as_slice(), fallback) {
            ([only], _) => DateDecision::Decided(*only),
            ([], _) => self.decide_against_some(against),
            (open, Some(fallback)) if open.contains(&fallback) => DateDecision::Decided(fallback),
            _ => DateDecision::Ambiguous,
        }
    }

    /// What to ask where several orders suit all values.
    pub fn question(&self) -> Option<DateQuestion> {
        let open: Vec<DateOrder> = DateOrder::ALL
            .into_iter()
            .filter(|&order| self.against(order) == 0)
            .collect();
        let witnesses = self.seen.iter().skip(1);
        witnesses
            .filter_map(|seen| seen.witness.as_deref())
            .find_map(|value| {
                let mut answers: Vec<(DateOrder, PartialDate)> = Vec::new();
                for &order in &open {
                    let read = super::parse(value, Some(order), DateOptions::default());
                    if let Ok(date) = read
                        && answers.iter().all(|(_, known)| *known != date)
                    {
                        answers.push((order, date));
                    }
                }
                (answers.len() > 1).then(|| DateQuestion {
                    value: value.to_owned(),
                    answers,
                })
            })
    }

    /// No order suits all values; perhaps one suits nearly all.
    fn decide_against_some(&self, mut against: [(u64, DateOrder); 3]) -> DateDecision {
        against.sort_unstable();
        let decisive = self.count_where(|orders| orders.count_ones() < 3);
        let [(least, order), (next, _), _] = against;
        let tolerable = least.saturating_mul(DateEvidence::TOLERANCE) < decisive;
        if decisive >= DateEvidence::DECISIVE_VALUES && tolerable && least < next {
            return DateDecision::Decided(order);
        }
        DateDecision::Contradictory {
            witnesses: self.witnesses(),
        }
    }

    /// How many values cannot be read in this order.
    fn against(&self, order: DateOrder) -> u64 {
        self.count_where(|orders| orders & bit(order) == 0)
    }

    fn count_where(&self, fits: impl Fn(usize) -> bool) -> u64 {
        let by_orders = self.seen.iter().enumerate().skip(1);
        by_orders
            .filter(|&(orders, _)| fits(orders))
            .map(|(_, seen)| seen.count)
            .sum()
    }

    /// For each order the value that allows the fewest others.
    fn witnesses(&self) -> Vec<DateWitness> {
        let mut by_narrowness: Vec<usize> = (1..self.seen.len()).collect();
        by_narrowness.sort_by_key(|orders| orders.count_ones());
        let mut witnesses: Vec<DateWitness> = Vec::new();
        for order in DateOrder::ALL {
            let narrowest = by_narrowness
                .iter()
                .filter(|&&orders| orders & bit(order) != 0)
                .find_map(|&orders| self.seen[orders].witness.as_ref());
            if let Some(value) = narrowest
                && witnesses.iter().all(|witness| witness.value != *value)
            {
                witnesses.push(DateWitness {
                    order,
                    value: value.clone(),
                });
            }
        }
        witnesses
    }
}

/// Reads a date of a column whose order has been decided.
///
/// In a contradictory column every date that depends on the order is ambiguous, also one that could be read alone.
pub fn parse_in_column(
    text: &str,
    decision: &DateDecision,
    options: DateOptions,
) -> Result<PartialDate, Problem> {
    let order = match decision {
        DateDecision::NoNumericDates | DateDecision::Ambiguous => None,
        DateDecision::Decided(order) => Some(*order),
        DateDecision::Contradictory { .. } => return parse_in_contradiction(text, options),
    };
    super::parse(text, order, options)
}

fn parse_in_contradiction(text: &str, options: DateOptions) -> Result<PartialDate, Problem> {
    let text = scan::trim(text);
    let written = match scan::numeric(text, options) {
        Some(written) => written,
        None => {
            scan::read(text, options)
                .ok_or_else(|| invalid(None))?
                .written
        }
    };
    let reading = match written {
        Written::Numeric(numeric) if allowed(&numeric) != 0 => Err(Unreadable::Ambiguous),
        written => written.under(None),
    };
    settle(reading, None, options)
}

/// The orders that a value allows, as bits; none if it says nothing.
fn allowed(numeric: &Numeric) -> usize {
    let mut readings = numeric.readings;
    if numeric.silent_ymd {
        readings[DateOrder::Ymd as usize] = None;
    }
    let orders = if numeric.silent_ymd {
        &DateOrder::ALL[..2]
    } else {
        &DateOrder::ALL[..]
    };
    let all_agree = orders.iter().all(|&order| {
        readings[order as usize].is_some()
            && readings[order as usize] == readings[orders[0] as usize]
    });
    if all_agree {
        return 0;
    }
    DateOrder::ALL
        .into_iter()
        .filter(|&order| readings[order as usize].is_some())
        .map(bit)
        .sum()
}

fn bit(order: DateOrder) -> usize {
    1 << order as usize
}
