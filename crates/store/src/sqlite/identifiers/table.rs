//! Hashes to rows, in memory.

use hashbrown::HashTable;

use super::{Entry, Step};
use crate::sqlite::contacts::RowId;

/// Bits of a hash that choose the part of a table. Parts grow one by one, so that nobody waits long for one, and
/// memory is never needed twice.
const PART_BITS: u32 = 8;

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
        let share = entries >> PART_BITS;
        for part in &mut self.parts {
            part.reserve(share, |entry| entry.hash);
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
            self.parts.resize_with(1 << PART_BITS, HashTable::new);
        }
    }
}

/// The tables themselves look at the upper seven and the lower bits of a hash.
fn part_of(hash: u64) -> usize {
    usize::try_from(hash >> 40 & ((1 << PART_BITS) - 1)).unwrap_or_default()
}
