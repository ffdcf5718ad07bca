//! Hashes to rows, in memory.

use std::sync::LazyLock;

use hashbrown::HashTable;

use super::{Entry, Step};
use crate::sqlite::contacts::RowId;

/// Parts of a table, as many as a byte can tell apart. They grow one by one, so that nobody waits long for one, and
/// memory is never needed twice.
const PARTS: usize = 256;

/// Bits of a hash that choose its part.
const CHOOSING_BITS: u32 = 12;

/// The part of each value of those bits. A part doubles when it is full, and parts of one size would all do so at
/// nearly the same time, in which what they leave takes as much memory as they do. So the last part has twice the share
/// of the first, and those between them are steps of one ratio: while the entries double, one part after the other
/// does, and the memory for an entry is always about the same.
static PART_OF: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let values = 1_u32 << CHOOSING_BITS;
    let mut part_of = Vec::new();
    let mut value = 0;
    for part in 0..=u8::MAX {
        let end = ((f64::from(part) + 1.0) / 256.0).exp2() - 1.0;
        while f64::from(value) < end * f64::from(values) {
            part_of.push(part);
            value += 1;
        }
    }
    part_of
});

/// A set of entries.
#[derive(Default)]
pub(super) struct Table {
    /// None as long as nothing is in it.
    parts: Vec<HashTable<Entry>>,
}

impl Table {
    /// Makes room for so many entries.
    pub(super) fn reserve(&mut self, entries: usize) {
        self.fill_in();
        let mut shares = [0; PARTS];
        for part in PART_OF.iter() {
            shares[usize::from(*part)] += 1;
        }
        for (part, share) in self.parts.iter_mut().zip(shares) {
            part.reserve(entries / PART_OF.len() * share, |entry| entry.hash);
        }
    }

    /// The rows of a hash.
    pub(super) fn rows(&self, hash: u64) -> impl Iterator<Item = RowId> {
        let entries = self
            .parts
            .get(part_of(hash))
            .map(|part| part.iter_hash(hash));
        entries
            .into_iter()
            .flatten()
            .filter(move |entry| entry.hash == hash)
            .map(|entry| entry.row)
    }

    /// Takes an entry in, or out. Doing so twice does the same as once.
    pub(super) fn apply(&mut self, step: Step) {
        self.fill_in();
        let Step { entry, won } = step;
        let Some(part) = self.parts.get_mut(part_of(entry.hash)) else {
            return;
        };
        match part.entry(entry.hash, |known| *known == entry, |entry| entry.hash) {
            hashbrown::hash_table::Entry::Occupied(known) if !won => drop(known.remove()),
            hashbrown::hash_table::Entry::Vacant(place) if won => drop(place.insert(entry)),
            _ => {}
        }
    }

    /// How many entries there are.
    pub(super) fn len(&self) -> usize {
        self.parts.iter().map(HashTable::len).sum()
    }

    /// The memory that they take.
    pub(super) fn bytes(&self) -> usize {
        self.parts.iter().map(HashTable::allocation_size).sum()
    }

    fn fill_in(&mut self) {
        if self.parts.is_empty() {
            self.parts.resize_with(PARTS, HashTable::new);
        }
    }
}

/// The tables themselves look at the upper seven and the lower bits of a hash.
fn part_of(hash: u64) -> usize {
    let value = hash >> 38 & ((1 << CHOOSING_BITS) - 1);
    let value = usize::try_from(value).unwrap_or_default();
    PART_OF.get(value).copied().map_or(0, usize::from)
}
