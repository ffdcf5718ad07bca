//! What a block cannot contain: small filters that save reading it. They may say "perhaps" wrongly, "no" never.

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::super::codec::{Decoded, seal, unseal};

/// The length of the pieces of text that [`Grams`] remembers. Shorter pieces occur in every block (all four-digit
/// numbers do), longer ones would leave out more short searches and are no more telling.
const GRAM: usize = 5;

/// Closes a text; never part of UTF-8, and so of no text that is looked for.
pub(super) const END: u8 = 0xff;

/// Sizes of [`Grams`] in bits, as powers of two: never more than 16 bytes an attempt in a full block.
const MAX_GRAM_BITS: u32 = 17;
const MIN_GRAM_BITS: u32 = 9;

/// Which pieces of five bytes occur in the folded texts of a block: a bit for each, at its hash.
pub(super) struct Grams(Box<[u64; MAX_WORDS]>);

const MAX_WORDS: usize = 1 << (MAX_GRAM_BITS - 6);

impl Grams {
    pub(super) fn new() -> Grams {
        Grams(Box::new([0; MAX_WORDS]))
    }

    /// Adds every piece of folded texts, each closed by [`END`]. Pieces that reach over an end are none.
    pub(super) fn add(&mut self, folded: &[u8]) {
        // Eight bytes hold the four pieces that begin in the first four of them.
        let mut eights = folded.windows(8).step_by(4);
        for eight in &mut eights {
            if let Ok(eight) = eight.try_into() {
                self.add_four(u64::from_be_bytes(eight));
            }
        }
        // The pieces at the end have fewer bytes behind them.
        let done = folded.len().saturating_sub(4) / 4 * 4;
        let mut last = [END; 12];
        let rest = &folded[done.min(folded.len())..];
        last[..rest.len()].copy_from_slice(rest);
        for eight in last.windows(8).step_by(4) {
            if let Ok(eight) = eight.try_into() {
                self.add_four(u64::from_be_bytes(eight));
            }
        }
    }

    fn add_four(&mut self, eight: u64) {
        const ONES: u64 = 0x0101_0101_0101_0101;
        const HIGHS: u64 = 0x8080_8080_8080_8080;

        // A byte is 0xFF if the inverse's is zero. A 0xFE beside one may count as one, too: neither occurs in UTF-8.
        let inverse = !eight;
        let ends = inverse.wrapping_sub(ONES) & eight & HIGHS;
        if ends == 0 {
            for shift in [24, 16, 8, 0] {
                self.add_piece(eight >> shift);
            }
            return;
        }
        for shift in [24, 16, 8, 0] {
            if (ends >> shift).trailing_zeros() >= 40 {
                self.add_piece(eight >> shift);
            }
        }
    }

    /// Adds the piece in the lowest five bytes.
    #[inline]
    fn add_piece(&mut self, piece: u64) {
        let bit = hash(piece & 0xff_ffff_ffff) >> (64 - MAX_GRAM_BITS);
        self.0[(bit >> 6) as usize] |= 1 << (bit & 63);
    }

    /// The filter as stored: halved, by laying neighbours on each other, as long as it stays fairly empty. A phone
    /// number has about five telling pieces: at a fill of 28 % hardly a block passes for nothing, at 50 % one in ten.
    pub(super) fn finish(self) -> Vec<u8> {
        let mut words = self.0.to_vec();
        for bits in (MIN_GRAM_BITS + 1..=MAX_GRAM_BITS).rev() {
            let ones: u32 = words.iter().map(|word| word.count_ones()).sum();
            if u64::from(ones) * 100 > 15 << bits {
                break;
            }
            // The bit at a hash's upper n bits moves to its upper n-1 bits.
            words = words
                .chunks_exact(2)
                .map(|pair| halve(pair[0]) | halve(pair[1]) << 32)
                .collect();
        }
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        seal(&bytes)
    }
}

/// Lays neighbouring bits on each other: 64 bits become 32.
fn halve(word: u64) -> u64 {
    let mut half = (word | word >> 1) & 0x5555_5555_5555_5555;
    half = (half | half >> 1) & 0x3333_3333_3333_3333;
    half = (half | half >> 2) & 0x0f0f_0f0f_0f0f_0f0f;
    half = (half | half >> 4) & 0x00ff_00ff_00ff_00ff;
    half = (half | half >> 8) & 0x0000_ffff_0000_ffff;
    (half | half >> 16) & 0x0000_0000_ffff_ffff
}

/// The pieces of a folded text that is looked for.
#[derive(Debug, Clone)]
pub(super) struct GramQuery(Vec<u64>);

impl GramQuery {
    pub(super) fn new(folded: &[u8]) -> GramQuery {
        GramQuery(hashes(folded).collect())
    }

    /// Whether the text may occur in the block of a filter.
    pub(super) fn may_be_in(&self, filter: &[u8]) -> bool {
        let bits = (filter.len() as u64 * 8).max(1).ilog2();
        self.0.iter().all(|hash| {
            let bit = hash.checked_shr(64 - bits).unwrap_or(0);
            filter
                .get((bit >> 3) as usize)
                .is_some_and(|byte| byte >> (bit & 7) & 1 == 1)
        })
    }
}

fn hashes(folded: &[u8]) -> impl Iterator<Item = u64> {
    let (first, rest) = folded.split_at(folded.len().min(GRAM - 1));
    let mut window = first
        .iter()
        .fold(0_u64, |window, byte| window << 8 | u64::from(*byte));
    rest.iter().map(move |byte| {
        window = (window << 8 | u64::from(*byte)) & 0xff_ffff_ffff;
        hash(window)
    })
}

/// Multiplicative hashing; its upper bits are the good ones.
fn hash(piece: u64) -> u64 {
    (piece ^ piece >> 17).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// The checked bits of a stored [`Grams`].
pub(super) fn stored_grams(blob: &[u8]) -> Decoded<&[u8]> {
    unseal(blob)
}

/// Bits and probes of the filter of contacts: 1 wrong "perhaps" in 120.
const BITS_PER_CONTACT: usize = 10;
const PROBES: u64 = 6;

/// The filter of the contacts of a block, given in order and each once; none where first and last say it all.
pub(super) fn contacts(sorted: &[u64]) -> Option<Vec<u8>> {
    let (first, last) = (sorted.first()?, sorted.last()?);
    if last - first == sorted.len() as u64 - 1 {
        return None;
    }
    let mut bits = vec![0_u8; (sorted.len() * BITS_PER_CONTACT).div_ceil(8)];
    for contact in sorted {
        for bit in probes(*contact, bits.len()) {
            bits[bit >> 3] |= 1 << (bit & 7);
        }
    }
    Some(seal(&bits))
}

/// Whether a contact may be in the block of such a filter.
pub(super) fn may_hold_contact(blob: &[u8], contact: u64) -> Decoded<bool> {
    let bits = unseal(blob)?;
    Ok(!bits.is_empty()
        && probes(contact, bits.len()).all(|bit| bits[bit >> 3] >> (bit & 7) & 1 == 1))
}

fn probes(contact: u64, bytes: usize) -> impl Iterator<Item = usize> {
    let hash = xxh3_64_with_seed(&contact.to_le_bytes(), 0);
    let bits = bytes as u64 * 8;
    let (start, stride) = (hash >> 32, hash & 0xffff_ffff | 1);
    (0..PROBES)
        .map(move |probe| usize::try_from((start + probe * stride) % bits).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// The fast way of cutting finds the pieces of each text, and no others. No UTF-8 has 0xFE.
        #[test]
        fn texts_cut_together_have_the_pieces_of_each(
            texts in proptest::collection::vec(proptest::collection::vec(0..=0xfd_u8, 0..40), 0..6),
        ) {
            let mut together = Vec::new();
            let mut expected = vec![0_u64; 1 << (MAX_GRAM_BITS - 6)];
            for text in &texts {
                together.extend_from_slice(text);
                together.push(END);
                for hash in hashes(text) {
                    let bit = hash >> (64 - MAX_GRAM_BITS);
                    expected[usize::try_from(bit >> 6).unwrap()] |= 1 << (bit & 63);
                }
            }
            let mut grams = Grams::new();
            grams.add(&together);
            prop_assert!(grams.0.as_slice() == expected);
        }
    }
}
