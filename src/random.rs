//! A small generator of random numbers for spreading load: a seed in, numbers out.
//!
//! The seed comes from outside ([`crate::system::seed`]), so a test that fixes it sees the same run every time.
//! Not for secrets: the next number follows from the last. The algorithm is splitmix64 (Steele, Lea and Flood,
//! "Fast splittable pseudorandom number generators", OOPSLA 2014): eight octets of state, about a nanosecond a
//! number, and every seed is a good one.

/// A generator. Copies made with [`Random::split`] run apart from each other.
#[derive(Debug)]
pub struct Random(u64);

impl Random {
    /// A generator whose numbers follow from `seed`; any will do.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number, uniform over all of them.
    pub const fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// The next number, uniform over 32 bits.
    pub const fn next_u32(&mut self) -> u32 {
        (self.next_u64() >> 32) as u32
    }

    /// The next number below `bound`; 0 when that is 0. Scaled by a multiplication rather than a remainder:
    /// some numbers come up more often than others by less than bound / 2⁶⁴, which no load shows.
    pub const fn below(&mut self, bound: u64) -> u64 {
        ((self.next_u64() as u128 * bound as u128) >> 64) as u64
    }

    /// A generator of its own, seeded from this one.
    #[must_use]
    pub const fn split(&mut self) -> Self {
        Self::new(self.next_u64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_those_of_splitmix64() {
        // The first numbers of seed 1234567 as the reference implementation prints them.
        let mut random = Random::new(1_234_567);
        let first: Vec<u64> = (0..3).map(|_| random.next_u64()).collect();
        assert_eq!(first, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    #[test]
    fn numbers_stay_below_their_bound_and_reach_all_of_it() {
        let mut random = Random::new(7);
        for bound in [0, 1, 2, 3, 10, u64::MAX] {
            for _ in 0..1_000 {
                let number = random.below(bound);
                assert!(number < bound || bound == 0, "{number} of {bound}");
            }
        }
        let mut seen = [0_u32; 10];
        for _ in 0..10_000 {
            seen[random.below(10) as usize] += 1;
        }
        // 1,000 each; 150 is five standard deviations (√(10,000 · 0.1 · 0.9) = 30).
        assert!(seen.iter().all(|&count| count.abs_diff(1_000) < 150), "{seen:?}");
    }

    #[test]
    fn a_split_generator_runs_apart() {
        let mut one = Random::new(7);
        let mut other = one.split();
        assert!((0..100).all(|_| one.next_u64() != other.next_u64()));
    }
}
