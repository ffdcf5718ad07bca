//! Automata over digits, compiled from the patterns of libphonenumber's metadata.
//!
//! A search reads a table and nothing else: no cache, no lock, no allocation, so that all threads share one.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use regex_automata::dfa::dense::{BuildError, Builder, Config, DFA};
use regex_automata::dfa::{Automaton, StartKind};
use regex_automata::nfa::thompson;
use regex_automata::util::{primitives::StateID, start, syntax};
use regex_automata::{Anchored, Input, MatchKind};

/// The most digits of a text that is read here: an international prefix, a calling code and a number of 17, with room.
pub(super) const MAX_DIGITS: usize = 26;

/// Which of a few patterns match a whole text.
#[derive(Debug)]
pub(super) struct Matched(Vec<bool>);

impl Matched {
    /// Whether the pattern with this place in the list matches.
    pub(super) fn has(&self, pattern: usize) -> bool {
        self.0[pattern]
    }
}

/// A set of digit strings, as the smallest automaton that knows it.
///
/// The strings are of bounded length, so the automaton has no loops, and merging equal states from the ends on makes it
/// minimal.
#[derive(Debug)]
pub(super) struct DigitSet {
    /// For each state the next one by digit. State 0 is the one from which nothing is reached.
    rows: Vec<Row>,
    start: u16,
}

/// The next states by digit, and 1 behind them if the strings that end here belong to the set.
type Row = [u16; 11];

const ACCEPTS: usize = 10;

const REFUSE: Row = [0; 11];

impl DigitSet {
    /// The set of strings of which `belongs` says so, given the string's length and which patterns match it as a whole.
    ///
    /// None if a pattern does not compile or the set is too large for the table. A string that no pattern matches never
    /// belongs.
    pub(super) fn compile(
        patterns: &[String],
        belongs: &dyn Fn(usize, &Matched) -> bool,
    ) -> Option<DigitSet> {
        let dfa = dense(patterns, MatchKind::All).ok()?;
        let start = dfa
            .start_state(&start::Config::new().anchored(Anchored::Yes))
            .ok()?;
        let mut folding = Folding {
            dfa: &dfa,
            patterns: patterns.len(),
            belongs,
            known: HashMap::new(),
            merged: HashMap::from([(REFUSE, 0)]),
            rows: vec![REFUSE],
        };
        let start = folding.state(start, 0)?;
        let rows = folding.rows;
        Some(DigitSet { rows, start })
    }

    /// Whether the string of at most [`MAX_DIGITS`] ASCII digits belongs to the set.
    pub(super) fn contains(&self, digits: &[u8]) -> bool {
        let mut state = self.start;
        for digit in digits {
            state = self.rows[usize::from(state)][usize::from(digit - b'0')];
        }
        self.rows[usize::from(state)][ACCEPTS] == 1
    }

    /// The bytes of the table.
    pub(super) fn size(&self) -> usize {
        size_of_val(self.rows.as_slice())
    }
}

/// An automaton of the patterns on its way to a smaller one.
struct Folding<'a> {
    dfa: &'a DFA<Vec<u32>>,
    patterns: usize,
    belongs: &'a dyn Fn(usize, &Matched) -> bool,
    /// What a state became at a depth; the depth is part of it, because lengths decide too.
    known: HashMap<(StateID, usize), u16>,
    merged: HashMap<Row, u16>,
    rows: Vec<Row>,
}

impl Folding<'_> {
    fn state(&mut self, state: StateID, depth: usize) -> Option<u16> {
        if depth > MAX_DIGITS || self.dfa.is_dead_state(state) {
            return Some(0);
        }
        if let Some(known) = self.known.get(&(state, depth)) {
            return Some(*known);
        }
        let mut row = REFUSE;
        for (next, digit) in row.iter_mut().zip(b'0'..=b'9') {
            *next = self.state(self.dfa.next_state(state, digit), depth + 1)?;
        }
        // The automaton says one step later that it has matched.
        let end = self.dfa.next_eoi_state(state);
        if self.dfa.is_match_state(end) {
            let mut matched = Matched(vec![false; self.patterns]);
            for index in 0..self.dfa.match_len(end) {
                matched.0[self.dfa.match_pattern(end, index).as_usize()] = true;
            }
            row[ACCEPTS] = u16::from((self.belongs)(depth, &matched));
        }
        let place = match self.merged.entry(row) {
            Entry::Occupied(place) => *place.get(),
            Entry::Vacant(place) => {
                self.rows.push(row);
                *place.insert(u16::try_from(self.rows.len() - 1).ok()?)
            }
        };
        self.known.insert((state, depth), place);
        Some(place)
    }
}

/// A pattern for the beginning of a number, such as a trunk prefix.
#[derive(Debug)]
pub(super) struct Prefix {
    dfa: DFA<Vec<u32>>,
    /// The digits with which a match may begin, as bits.
    first: u16,
}

impl Prefix {
    /// None if the pattern does not compile.
    pub(super) fn compile(pattern: &str) -> Option<Prefix> {
        let dfa = dense(&[pattern.to_owned()], MatchKind::LeftmostFirst).ok()?;
        let start = dfa
            .start_state(&start::Config::new().anchored(Anchored::Yes))
            .ok()?;
        let begins = |digit: &u8| {
            let next = dfa.next_state(start, *digit);
            !dfa.is_dead_state(next)
        };
        let first = (b'0'..=b'9')
            .filter(begins)
            .fold(0, |bits, digit| bits | 1 << (digit - b'0'));
        Some(Prefix { dfa, first })
    }

    /// How many digits at the beginning the pattern takes, by the rules of regular expressions; 0 if it does not match.
    pub(super) fn len(&self, digits: &[u8]) -> usize {
        let may_begin = |digit: &u8| self.first >> (digit - b'0') & 1 == 1;
        if !digits.first().is_some_and(may_begin) {
            return 0;
        }
        let input = Input::new(digits).anchored(Anchored::Yes);
        let found = self
            .dfa
            .try_search_fwd(&input)
            .expect("an automaton without quit bytes reads any text");
        found.map_or(0, |found| found.offset())
    }

    /// The bytes of the table.
    pub(super) fn size(&self) -> usize {
        self.dfa.memory_usage()
    }
}

fn dense(patterns: &[String], kind: MatchKind) -> Result<DFA<Vec<u32>>, Box<BuildError>> {
    // Only digits are read, so `\d` need not know those of other scripts.
    Builder::new()
        .configure(
            Config::new()
                .start_kind(StartKind::Anchored)
                .match_kind(kind)
                .accelerate(false),
        )
        .syntax(syntax::Config::new().unicode(false).utf8(false))
        .thompson(thompson::Config::new().utf8(false))
        .build_many(patterns)
        .map_err(Box::new)
}
