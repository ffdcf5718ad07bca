//! Numbers that look random and are the same on every machine: SplitMix64.

/// A sequence of numbers, given by its seed.
#[derive(Debug, Clone)]
pub struct Random(u64);

/// The odd number that SplitMix64 steps by.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

impl Random {
    /// The sequence of a seed.
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    /// The sequence of one thing among many: of a person, of a row. Sequences of different things share nothing.
    pub fn of(seed: u64, purpose: u64, number: u64) -> Random {
        Random(mix(mix(seed ^ STEP.wrapping_mul(purpose)) ^ number))
    }

    /// The next number.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(STEP);
        mix(self.0)
    }

    /// A number below a limit, which must not be 0.
    pub fn below(&mut self, limit: u64) -> u64 {
        // The high half of the product: as even as needed here, and without a division.
        let product = u128::from(self.draw()) * u128::from(limit);
        u64::try_from(product >> 64).expect("the high half of 128 bits has 64")
    }

    /// Whether something happens that does so so many times in a thousand.
    pub fn per_mille(&mut self, times: u64) -> bool {
        self.below(1000) < times
    }

    /// One of several things, of which there must be some.
    pub fn pick<'a, T: ?Sized>(&mut self, among: &[&'a T]) -> &'a T {
        among[self.position(among.len())]
    }

    /// A position in a slice of this length, which must not be 0.
    pub fn position(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).expect("a position in a slice fits")
    }
}

/// Scrambles a number; different numbers stay different.
pub fn mix(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sequence_is_that_of_splitmix64() {
        let mut random = Random::new(1_234_567);
        let first: Vec<u64> = std::iter::repeat_with(|| random.draw()).take(3).collect();
        let published = [
            6_457_827_717_110_365_317,
            3_203_168_211_198_807_973,
            9_817_491_932_198_370_423,
        ];
        assert_eq!(first, published);
    }

    #[test]
    fn numbers_below_a_limit_cover_it() {
        let mut random = Random::new(7);
        let mut seen = [false; 10];
        for _ in 0..1000 {
            seen[usize::try_from(random.below(10)).unwrap()] = true;
        }
        assert_eq!(seen, [true; 10]);
    }
}
