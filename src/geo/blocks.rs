//! Many ranges of the IPv4 address space, looked up in one or two reads of memory where [`Ranges`] takes three.
//!
//! Under load a worker finds little of a map in its cache: the kernel's part of every packet goes through there too.
//! What a lookup costs then is the reads that wait for each other. So what lies within the same first 16 bits stands
//! together, and where all of it has one value that stands in place of it.
//!
//! ```text
//!  buckets   by the first 16 bits of the address
//!              one value:   1 | – 10 | prefix 5 | value 16
//!              a block:     0 | bits of its parts 4 | where it begins in cells 27
//!  cells     a block: a part for each of the next bits, then the ranges; a 0 behind the last block
//!              a part:      range of its first address 16 | range of its last address 16
//!              a range:     start, the last 16 bits of its first address 16 | value 16
//! ```
//!
//! Of the time of a server that places clients all over by continent and state with a city database, at 200,000 queries
//! a second, lookups took 9.3 % with [`Ranges`], nearly all of it waiting for three reads, and take 2.3 % (`perf record
//! -e cpu-clock`). In a loop that does nothing else: 15 and 33 ns, now 9 and 22, with seven continents and with the nearest
//! of 100 (`cargo bench --bench geo`, known addresses). Some 5 octets a range instead of 10.

use super::ranges::{Range, Ranges};

/// Set where a bucket has one value.
const IS_UNIFORM: u32 = 1 << 31;
/// Where the prefix stands beside that value: 0 to 16.
const PREFIX_AT: u32 = 16;
/// Where the bits of a block's parts stand, above where it begins.
const PARTS_AT: u32 = 27;
/// The lower half of a cell, and the value of a range or of a bucket.
const LOW: u32 = 0xffff;

/// With fewer ranges than this the buckets are most of it, and [`Ranges`] finds all that it reads in the cache.
const LEAST: usize = 1 << 15;
/// A part is to have so many ranges, up to twice as many: what a line of the cache holds.
const PART_RANGES: usize = 8;

/// The address space in ranges. Immutable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Blocks {
    buckets: Box<[u32; 1 << 16]>,
    cells: Box<[u32]>,
    /// How many ranges there are.
    len: usize,
}

impl Blocks {
    /// The same as `ranges`, where they are many enough, and few enough to be numbered so; values too.
    pub(super) fn of(ranges: &Ranges<u32>) -> Option<Self> {
        (ranges.len() >= LEAST).then(|| Self::packed(ranges)).flatten()
    }

    fn packed(ranges: &Ranges<u32>) -> Option<Self> {
        let len = ranges.len();
        let mut rest = ranges.as_slice();
        let (mut buckets, mut cells) = (Vec::with_capacity(1 << 16), Vec::with_capacity(len));
        for first in (0..=LOW).map(|bucket| bucket << 16) {
            // The first of the rest holds the bucket's first address.
            let held = rest.partition_point(|&Range { start, .. }| start <= first | LOW);
            if rest[..held].iter().any(|&Range { value, .. }| value > LOW) {
                return None;
            }
            buckets.push(if held == 1 {
                let (value, prefix) = ranges.lookup(first);
                IS_UNIFORM | u32::from(prefix) << PREFIX_AT | value
            } else {
                let begin = u32::try_from(cells.len()).ok().filter(|begin| begin >> PARTS_AT == 0)?;
                push_block(&mut cells, &rest[..held]) << PARTS_AT | begin
            });
            // Where no range begins with the next bucket, the last one goes on.
            let goes_on = rest.get(held).is_none_or(|&Range { start, .. }| start != (first | LOW).wrapping_add(1));
            rest = &rest[held - usize::from(goes_on)..];
        }
        cells.push(0);
        let buckets = buckets.try_into().ok()?;
        Some(Self { buckets, cells: cells.into(), len })
    }

    /// The value at `key`, and the length of the widest prefix around it that has that value throughout.
    pub(super) fn lookup(&self, key: u32) -> (u32, u8) {
        let bucket = self.buckets[(key >> 16) as usize];
        if bucket & IS_UNIFORM != 0 {
            return (bucket & LOW, (bucket >> PREFIX_AT & 0x1f) as u8);
        }
        let (parts, ranges) = self.block(bucket);
        let key = key & LOW;
        let part = parts[((key * parts.len() as u32) >> 16) as usize];
        let (first, last) = ((part >> 16) as usize, (part & LOW) as usize);
        let at = first + ranges[first + 1..=last].partition_point(|&range| range <= key << 16 | LOW);
        // The range just before this one ends where this one starts; what is 0 lies beyond the bucket, so far away
        // that the other side decides. Behind the last range it is 0 as well: there a block begins, whose first part
        // has the first range, or all ends.
        let common = |edge: u32| (key ^ edge).leading_zeros() + 1;
        let (start, next) = (ranges[at] >> 16, ranges[at + 1] >> 16);
        let before = if start == 0 { 0 } else { common(start - 1) };
        let behind = if next == 0 { 0 } else { common(next) };
        (ranges[at] & LOW, before.max(behind) as u8)
    }

    /// The parts of the block that a bucket leads to, and its ranges and what follows them.
    fn block(&self, bucket: u32) -> (&[u32], &[u32]) {
        let (parts, begin) = (1 << (bucket >> PARTS_AT), bucket & ((1 << PARTS_AT) - 1));
        self.cells[begin as usize..].split_at(parts)
    }

    /// First address and value of each range, ascending.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, u32)> {
        let ranges = (0..).zip(&*self.buckets).flat_map(|(at, &bucket): (u32, _)| {
            let uniform = (bucket & IS_UNIFORM != 0).then_some(bucket & LOW);
            let (parts, ranges) = if uniform.is_some() { (&[][..], &[][..]) } else { self.block(bucket) };
            let len = parts.last().map_or(0, |&part| (part & LOW) as usize + 1);
            let ranges = uniform.into_iter().chain(ranges.iter().take(len).copied());
            ranges.map(move |range| (at << 16 | range >> 16, range & LOW))
        });
        // One that goes on from bucket to bucket stands in each of them.
        let mut last = None;
        ranges.filter(move |&(_, value)| last.replace(value) != Some(value))
    }

    /// How many ranges there are.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Octets that it takes.
    pub(super) fn size(&self) -> usize {
        size_of_val(&*self.buckets) + size_of_val(&*self.cells)
    }
}

/// Adds the block of a bucket, in which the first of `held` goes on or begins and the others begin. Returns the bits of
/// its parts.
fn push_block(cells: &mut Vec<u32>, held: &[Range<u32>]) -> u32 {
    let bits = (held.len() / PART_RANGES).checked_ilog2().unwrap_or(0);
    let begins_by = |low: u32| held[1..].partition_point(|&Range { start, .. }| start & LOW <= low) as u32;
    for part in 0..1 << bits {
        let (first, behind) = (part << (16 - bits), (part + 1) << (16 - bits));
        cells.push(begins_by(first) << 16 | begins_by(behind - 1));
    }
    let starts = std::iter::once(0).chain(held[1..].iter().map(|&Range { start, .. }| start & LOW));
    cells.extend(starts.zip(held).map(|(start, &Range { value, .. })| start << 16 | value));
    bits
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::ranges::Builder;
    use super::*;

    fn check(pushed: impl IntoIterator<Item = (u32, u32)>, keys: impl IntoIterator<Item = u32>) {
        let mut built = Builder::default();
        pushed.into_iter().for_each(|(start, value)| built.push(start, value));
        let ranges = built.finish();
        let blocks = Blocks::packed(&ranges).expect("they fit");
        assert!(blocks.iter().eq(ranges.iter()));
        assert_eq!(blocks.len(), ranges.len());
        let edges = ranges.iter().flat_map(|(start, _)| [start.wrapping_sub(1), start, start + 1]);
        for key in edges.chain(keys).chain([0, u32::MAX]) {
            assert_eq!(blocks.lookup(key), ranges.lookup(key), "{key:#x}");
        }
    }

    /// Everywhere, close together, and at the edges of buckets.
    fn starts() -> impl Strategy<Value = Vec<(u32, u32)>> {
        let close = (0_u32..4, 0_u32..3000).prop_map(|(high, low)| high << 30 | low << 4);
        let edge = (0_u32..=LOW, 0_u32..3).prop_map(|(high, by)| (high << 16).wrapping_sub(by));
        prop::collection::btree_map(prop_oneof![close, edge, 0..u32::MAX], 0_u32..4, 0..400)
            .prop_map(|starts| starts.into_iter().filter(|&(start, _)| start < u32::MAX).collect())
    }

    proptest! {
        #[test]
        fn they_say_what_the_ranges_say(starts in starts(), keys: Vec<u32>) {
            check(starts, keys);
        }
    }

    #[test]
    fn a_bucket_holds_a_range_for_each_of_its_addresses() {
        check((0..=LOW).map(|low| (7 << 16 | low, low % 3)), [6 << 16, 8 << 16]);
    }

    #[test]
    fn few_ranges_and_great_values_are_not_for_them() {
        let check = |count: u32, value_max: u32, is_for_them: bool| {
            let mut built = Builder::default();
            (0..count).for_each(|at| built.push(at << 8, value_max - at % 2));
            assert_eq!(Blocks::of(&built.finish()).is_some(), is_for_them, "{count} up to {value_max}");
        };
        check(LEAST as u32, LOW, true);
        check(LEAST as u32 - 1, LOW, false);
        check(LEAST as u32, LOW + 1, false);
    }
}
