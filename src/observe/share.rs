//! How many queries are heard, and which is the next.
//!
//! Each query is heard with the same probability, apart from all others. To hear every hundredth would be simpler and
//! wrong: pools take turns, and of one with two members that are taken in turn every second query is the same one's.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::random::Random;

/// The share of queries that are heard, 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub struct Share(f64);

/// It is always a number.
impl Eq for Share {}

impl Share {
    /// None.
    pub const NONE: Self = Self(0.0);

    /// Every one.
    pub const ALL: Self = Self(1.0);

    /// The share `share`; what is no number, or below 0, is none, and what is above 1 is all.
    pub fn new(share: f64) -> Self {
        if share > 0.0 { Self(share.min(1.0)) } else { Self::NONE }
    }

    /// 0 to 1.
    pub fn get(self) -> f64 {
        self.0
    }

    /// The greater of the two.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        if other > self { other } else { self }
    }

    /// How many queries one that is heard stands for.
    pub fn weight(self) -> f64 {
        if self.0 > 0.0 { self.0.recip() } else { 0.0 }
    }

    /// Queries from here to the next that is heard, which counts: 1 is the very next. Geometrically distributed, which
    /// is what comes of drawing for each of them, at one draw for all.
    pub(super) fn gap(self, random: &mut Random) -> u64 {
        if self >= Self::ALL {
            return 1;
        }
        if self <= Self::NONE {
            return u64::MAX;
        }
        // 53 bits, uniform over (0, 1].
        let uniform = ((random.next_u64() >> 11) + 1) as f64 / (1_u64 << 53) as f64;
        // A cast of what is too large is the largest.
        1 + (uniform.ln() / (-self.0).ln_1p()) as u64
    }

    /// Whether one that was heard for `heard`, a greater share, is also one of this.
    pub fn keeps(self, heard: Self, random: &mut Random) -> bool {
        self >= heard || (random.next_u64() >> 11) as f64 / (1_u64 << 53) as f64 * heard.0 < self.0
    }
}

/// The share that is heard now: set by whoever listens, looked at by each worker once a batch.
#[derive(Debug, Default)]
pub struct Volume(AtomicU64);

impl Volume {
    /// Changes it; workers follow with their next batch.
    pub fn set(&self, share: Share) {
        self.0.store(share.0.to_bits(), Ordering::Relaxed);
    }

    /// What it is.
    pub fn get(&self) -> Share {
        Share(f64::from_bits(self.0.load(Ordering::Relaxed)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_stay_within_bounds() {
        for (given, expected) in
            [(0.5, 0.5), (0.0, 0.0), (-1.0, 0.0), (f64::NAN, 0.0), (7.0, 1.0), (f64::INFINITY, 1.0)]
        {
            assert_eq!(Share::new(given).get(), expected, "{given}");
        }
        assert_eq!(Share::new(0.01).weight(), 100.0);
        assert_eq!(Share::NONE.weight(), 0.0);
        let volume = Volume::default();
        assert_eq!(volume.get(), Share::NONE);
        volume.set(Share::new(0.25));
        assert_eq!(volume.get(), Share::new(0.25));
    }

    #[test]
    fn gaps_come_to_the_share() {
        let mut random = Random::new(5);
        assert_eq!(Share::ALL.gap(&mut random), 1);
        assert_eq!(Share::NONE.gap(&mut random), u64::MAX);
        for share in [0.5, 0.1, 0.001] {
            let gaps: Vec<u64> = (0..100_000).map(|_| Share::new(share).gap(&mut random)).collect();
            let mean = gaps.iter().sum::<u64>() as f64 / gaps.len() as f64;
            // The deviation of one gap is about its mean, so that of this mean is a 316th of it.
            assert!((mean * share - 1.0).abs() < 0.02, "{share}: {mean}");
            assert!(gaps.contains(&1), "a gap is 1 at the least");
            assert!(gaps.iter().any(|&gap| gap as f64 > 2.0 / share), "gaps are not all alike");
        }
    }

    #[test]
    fn a_share_of_a_share_is_kept() {
        let mut random = Random::new(6);
        let kept = (0..100_000).filter(|_| Share::new(0.1).keeps(Share::new(0.4), &mut random)).count();
        // A quarter, with a deviation of 137.
        assert!(kept.abs_diff(25_000) < 700, "{kept}");
        assert!(Share::new(0.4).keeps(Share::new(0.4), &mut random));
        assert!(Share::ALL.keeps(Share::new(0.4), &mut random));
        assert!(!Share::NONE.keeps(Share::new(0.4), &mut random));
    }
}
