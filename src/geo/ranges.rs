//! The whole address space of one family cut into ranges with a value each, looked up in a few reads.
//!
//! A trie of disjoint prefixes would hold more: neighbours of equal value merge here even where they make up no
//! prefix together. The prefix that a lookup reports is not stored but follows from the range: it is the widest
//! block around the address that stays within it, so what is announced to a resolver is as wide as it may be.
//!
//! ```text
//!  buckets   the first bits of the address, at most 16      ┐ counted, so that an entry of ranks
//!     │                                                     │ stands for a few ranges wherever
//!  ranks     as many bits more as the bucket has ranges for ┘ they lie close
//!     │
//!  ranges    binary search between two ranks; a range's value stands beside its start
//! ```
//!
//! Measured on the IPv4 side of a city database, cut by continent into 163,000 ranges and by nearness to 100
//! members into 2.7 million; random addresses, each lookup waiting for the one before:
//!
//! | | ns | MB |
//! |---|---|---|
//! | this | 23 and 38 | 1.3 and 22 |
//! | binary search over all starts | 54 and 107 | 1.3 and 22 |
//! | a trie of 64-way nodes with bitmaps | 7 and 23 | 2.7 and 40 |
//!
//! The trie is the faster by some 15 ns of a query's hundreds. This was kept for half the memory, which one map for
//! each set of rules takes, and because it is built in one pass with no more than what is kept. Where IPv4 ranges are
//! many they are looked up in [`Blocks`](super::blocks::Blocks).

use std::fmt::Debug;

/// An address of one family as a number.
pub(super) trait Key: Copy + Ord + Debug {
    /// The lowest address.
    const FIRST: Self;
    /// The highest address.
    const LAST: Self;

    /// The top `bits` of it, from 1 to 32.
    fn top(self, bits: u8) -> u32;
    /// How many leading bits it has in common with `other`.
    fn common(self, other: Self) -> u8;
    /// The next address, if there is one.
    fn next(self) -> Option<Self>;
    /// The one before, if there is one.
    fn previous(self) -> Option<Self>;
}

macro_rules! key {
    ($type:ty) => {
        impl Key for $type {
            const FIRST: Self = 0;
            const LAST: Self = Self::MAX;

            fn top(self, bits: u8) -> u32 {
                (self >> (Self::BITS - u32::from(bits))) as u32
            }
            fn common(self, other: Self) -> u8 {
                (self ^ other).leading_zeros() as u8
            }
            fn next(self) -> Option<Self> {
                self.checked_add(1)
            }
            fn previous(self) -> Option<Self> {
                self.checked_sub(1)
            }
        }
    };
}
key!(u32);
key!(u64);
key!(u128);

/// Bits that the buckets take, at most: 256 KiB of them.
const BUCKET_BITS_MAX: u8 = 16;
/// Bits that the ranks of a bucket take, at most; with those above, as many as [`Key::top`] gives.
const RANK_BITS_MAX: u8 = 16;

/// One range: its value lies beside its start, so that one line of the cache has both.
// Packed, since one of 64 bits would take a third more otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(Rust, packed(4))]
pub(super) struct Range<K> {
    /// Its first address. It goes on to the next one's.
    pub(super) start: K,
    pub(super) value: u32,
}

/// The address space in ranges. Immutable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ranges<K: Copy> {
    /// Ascending, the one with the lowest address first.
    ranges: Box<[Range<K>]>,
    bucket_bits: u8,
    /// Where in `ranks` the entries of a bucket begin: a power of two of them, up to those of the next.
    buckets: Box<[u32]>,
    /// Which range holds the lowest address that the entry stands for; one more at the end.
    ranks: Box<[u32]>,
}

impl<K: Key> Ranges<K> {
    /// The value at `key`, and the length of the widest prefix around it that has that value throughout.
    pub(super) fn lookup(&self, key: K) -> (u32, u8) {
        let at = self.find(key);
        (self.ranges[at].value, prefix_within(&self.ranges, at, key))
    }

    /// Which range `key` lies in.
    fn find(&self, key: K) -> usize {
        let bucket = key.top(self.bucket_bits) as usize;
        let (entries, end) = (self.buckets[bucket], self.buckets[bucket + 1]);
        // A power of two: as many bits more.
        let bits = (end - entries).trailing_zeros();
        let below = key.top(self.bucket_bits + bits as u8) & ((1 << bits) - 1);
        let entry = (entries + below) as usize;
        let (low, high) = (self.ranks[entry] as usize, self.ranks[entry + 1] as usize);
        // `low` begins at or before the key, what follows `high` after it.
        low + self.ranges[low + 1..=high].partition_point(|&Range { start, .. }| start <= key)
    }

    /// First address and value of each range, ascending.
    pub(super) fn iter(&self) -> impl Iterator<Item = (K, u32)> {
        self.ranges.iter().map(|&Range { start, value }| (start, value))
    }

    /// The ranges, ascending.
    pub(super) fn as_slice(&self) -> &[Range<K>] {
        &self.ranges
    }

    /// How many ranges there are; at least one.
    pub(super) fn len(&self) -> usize {
        self.ranges.len()
    }

    /// Octets that it takes.
    pub(super) fn size(&self) -> usize {
        size_of_val(&*self.ranges) + size_of_val(&*self.buckets) + size_of_val(&*self.ranks)
    }

    fn of(ranges: Vec<Range<K>>) -> Self {
        let bucket_bits = (ranges.len().ilog2() as u8 + 1).min(BUCKET_BITS_MAX);
        let (mut buckets, mut ranks) = (vec![0], Vec::new());
        // How many ranges begin before the bucket.
        let mut begun = 0;
        for bucket in 0..1_u32 << bucket_bits {
            let held = ranges[begun..].partition_point(|&Range { start, .. }| start.top(bucket_bits) <= bucket);
            let bits = rank_bits(held);
            let mut before = begun;
            begun += held;
            for entry in bucket << bits..(bucket + 1) << bits {
                let open = &ranges[before..begun];
                let lies_before = |&&Range { start, .. }: &&Range<K>| start.top(bucket_bits + bits) < entry;
                before += open.iter().take_while(lies_before).count();
                ranks.push(before.saturating_sub(1) as u32);
            }
            buckets.push(ranks.len() as u32);
        }
        ranks.push(ranges.len() as u32 - 1);
        Self { ranges: ranges.into(), bucket_bits, buckets: buckets.into(), ranks: ranks.into() }
    }
}

/// The length of the widest prefix around `key` that stays within the range of index `at`: just longer than what
/// the key has in common with the address before that range, and with the one behind it.
pub(super) fn prefix_within<K: Key>(ranges: &[Range<K>], at: usize, key: K) -> u8 {
    let Range { start, .. } = ranges[at];
    let before = start.previous().map_or(0, |last| key.common(last) + 1);
    let behind = ranges.get(at + 1).map_or(0, |&Range { start: next, .. }| key.common(next) + 1);
    before.max(behind)
}

/// Bits for the ranks of a bucket in which `held` ranges begin: about four of them an entry, where they lie evenly.
fn rank_bits(held: usize) -> u8 {
    (held.max(1).ilog2() as u8).saturating_sub(1).min(RANK_BITS_MAX)
}

/// Takes ranges in ascending order and keeps only where the value changes.
#[derive(Debug)]
pub(super) struct Builder<K: Copy> {
    ranges: Vec<Range<K>>,
}

impl<K: Copy> Default for Builder<K> {
    fn default() -> Self {
        Self { ranges: Vec::new() }
    }
}

impl<K: Key> Builder<K> {
    /// From `start` on, up to the next that is pushed, the value is `value`. Of pushes that do not ascend the
    /// last one counts; before the first one the value is 0.
    pub(super) fn push(&mut self, start: K, value: u32) {
        if self.ranges.is_empty() && start > K::FIRST {
            self.ranges.push(Range { start: K::FIRST, value: 0 });
        }
        while self.ranges.last().is_some_and(|&Range { start: last, .. }| last >= start) {
            self.ranges.pop();
        }
        if self.ranges.last().is_none_or(|last| last.value != value) {
            self.ranges.push(Range { start, value });
        }
    }

    /// What was pushed; the value 0 everywhere when nothing was.
    pub(super) fn finish(mut self) -> Ranges<K> {
        if self.ranges.is_empty() {
            self.push(K::FIRST, 0);
        }
        Ranges::of(self.ranges)
    }
}

impl<K: Key> Default for Ranges<K> {
    fn default() -> Self {
        Builder::default().finish()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ranges<K: Key>(pushed: &[(K, u32)]) -> Ranges<K> {
        let mut built = Builder::default();
        pushed.iter().for_each(|&(start, value)| built.push(start, value));
        built.finish()
    }

    #[test]
    fn equal_neighbours_merge() {
        let check = |pushed: &[(u32, u32)], expected: &[(u32, u32)]| {
            assert_eq!(ranges(pushed).iter().collect::<Vec<_>>(), expected, "{pushed:?}");
        };
        check(&[], &[(0, 0)]);
        check(&[(0, 7)], &[(0, 7)]);
        check(&[(5, 7)], &[(0, 0), (5, 7)]);
        check(&[(0, 1), (5, 1), (9, 2), (12, 1)], &[(0, 1), (9, 2), (12, 1)]);
        check(&[(0, 1), (5, 2), (5, 1), (7, 3)], &[(0, 1), (7, 3)]);
    }

    #[test]
    fn the_prefix_is_the_widest_that_stays_within() {
        let check = |pushed: &[(u32, u32)], key: u32, expected| {
            assert_eq!(ranges(pushed).lookup(key), expected, "{key:#x} in {pushed:x?}");
        };
        check(&[(0, 4)], 0, (4, 0));
        check(&[(0, 4)], u32::MAX, (4, 0));
        check(&[(0, 1), (0x8000_0000, 2)], 0x7fff_ffff, (1, 1));
        check(&[(0, 1), (0x8000_0000, 2)], 0x8000_0000, (2, 1));
        let net = &[(0, 1), (0xc000_0200, 2), (0xc000_0300, 1)];
        check(net, 0xc000_0201, (2, 24));
        check(net, 0xc000_0301, (1, 24));
        check(net, 0xc000_0401, (1, 22));
        check(net, 1, (1, 1));
        check(net, u32::MAX, (1, 3));
        let odd = &[(0, 1), (0xc000_0201, 2), (0xc000_0203, 1)];
        check(odd, 0xc000_0200, (1, 32));
        check(odd, 0xc000_0201, (2, 32));
        check(odd, 0xc000_0202, (2, 32));
        check(odd, 0xc000_0204, (1, 30));
    }

    /// Starts that lie close in places, as the Internet's do, and with edges at the ends of buckets.
    fn starts() -> impl Strategy<Value = Vec<(u32, u32)>> {
        let close = (0_u32..4, 0_u32..3000).prop_map(|(high, low)| high << 30 | low << 4);
        let edge = (0_u32..=u16::MAX.into(), 0_u32..3).prop_map(|(high, by)| (high << 16).wrapping_sub(by));
        prop::collection::btree_map(prop_oneof![close, edge, any::<u32>()], 0_u32..4, 0..400)
            .prop_map(|starts| starts.into_iter().collect())
    }

    proptest! {
        #[test]
        fn a_lookup_is_what_a_walk_finds(pushed in starts(), keys in prop::collection::vec(any::<u32>(), 50)) {
            let built = ranges(&pushed);
            let wide: Vec<_> = pushed.iter().map(|&(start, value)| (u64::from(start) << 20, value)).collect();
            let wide = ranges(&wide);
            let near = pushed.iter().flat_map(|&(start, _)| [start.wrapping_sub(1), start, start.wrapping_add(1)]);
            for key in keys.into_iter().chain(near) {
                let expected = pushed.iter().rfind(|&&(start, _)| start <= key).map_or(0, |&(_, value)| value);
                let (value, bits) = built.lookup(key);
                prop_assert_eq!(value, expected);
                let size = u32::MAX.checked_shr(bits.into()).unwrap_or(0);
                let block = (key & !size, key | size);
                let widest = |first: u32, last: u32| {
                    (first..=last).step_by((last / 64 - first / 64).max(1) as usize).chain([last]).all(|key| built.lookup(key).0 == expected)
                };
                prop_assert!(widest(block.0, block.1), "{:#x}/{} is not of one value", key, bits);
                prop_assert_eq!(wide.lookup(u64::from(key) << 20).0, expected);
            }
        }
    }
}
