//! The IPv6 address space cut into ranges.
//!
//! Nearly every boundary lies between networks of 64 bits or fewer, so the ranges are of the first 64 bits and half
//! as large. A network of 64 bits that is itself cut stands as a range of its own, and what it is cut into aside.

use super::ranges::{Builder, Range, Ranges, prefix_within};

/// Set in a value that says which cut network stands there.
const CUT: u32 = 1 << 31;

/// The IPv6 address space in ranges. Immutable.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Wide {
    /// By the first 64 bits.
    networks: Ranges<u64>,
    /// Where in `within` each cut network begins, and the end.
    cuts: Box<[u32]>,
    /// By the last 64 bits.
    within: Box<[Range<u64>]>,
}

impl Wide {
    /// The value at `key`, and the length of a prefix around it that has that value throughout. The widest, but
    /// beside a network that is cut.
    pub(super) fn lookup(&self, key: u128) -> (u32, u8) {
        let (value, bits) = self.networks.lookup((key >> 64) as u64);
        if value & CUT == 0 {
            return (value, bits);
        }
        let ranges = self.cut(value);
        let key = key as u64;
        let at = ranges.partition_point(|&Range { start, .. }| start <= key) - 1;
        (ranges[at].value, 64 + prefix_within(ranges, at, key))
    }

    fn cut(&self, value: u32) -> &[Range<u64>] {
        let cut = (value & !CUT) as usize;
        &self.within[self.cuts[cut] as usize..self.cuts[cut + 1] as usize]
    }

    /// First address and value of each range, ascending. Neighbours may be equal beside a network that is cut.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u128, u32)> {
        self.networks.iter().flat_map(|(network, value)| {
            let whole = (value & CUT == 0).then_some(Range { start: 0, value });
            let cut = if whole.is_some() { &[] } else { self.cut(value) };
            let ranges = whole.into_iter().chain(cut.iter().copied());
            ranges.map(move |Range { start, value }| (u128::from(network) << 64 | u128::from(start), value))
        })
    }

    /// How many ranges there are; at least one.
    pub(super) fn len(&self) -> usize {
        self.networks.len() + self.within.len()
    }

    /// Whether the value is 0 everywhere.
    pub(super) fn is_zero(&self) -> bool {
        self.len() == 1 && self.iter().all(|(_, value)| value == 0)
    }

    /// Octets that it takes.
    pub(super) fn size(&self) -> usize {
        self.networks.size() + size_of_val(&*self.cuts) + size_of_val(&*self.within)
    }
}

/// Takes ranges in ascending order and keeps only where the value changes.
#[derive(Debug, Default)]
pub(super) struct WideBuilder {
    networks: Builder<u64>,
    cuts: Vec<u32>,
    within: Vec<Range<u64>>,
    /// The network of 64 bits that is being cut.
    open: Option<u64>,
    /// The value from the last push on.
    value: u32,
}

impl WideBuilder {
    /// From `start` on, up to the next that is pushed, the value is `value`, which is less than 2³¹: there are not
    /// that many places, or classes, in memory. Pushes ascend; before the first the value is 0.
    pub(super) fn push(&mut self, start: u128, value: u32) {
        if value == self.value {
            return;
        }
        let (network, rest) = ((start >> 64) as u64, start as u64);
        if self.open.is_some_and(|open| open != network) {
            self.close();
        }
        if rest == 0 {
            self.networks.push(network, value);
        } else {
            if self.open.is_none() {
                self.open = Some(network);
                self.networks.push(network, CUT | self.cuts.len() as u32);
                self.cuts.push(self.within.len() as u32);
                self.within.push(Range { start: 0, value: self.value });
            }
            self.within.push(Range { start: rest, value });
        }
        self.value = value;
    }

    fn close(&mut self) {
        if let Some(next) = self.open.take().and_then(|network| network.checked_add(1)) {
            self.networks.push(next, self.value);
        }
    }

    /// What was pushed; the value 0 everywhere when nothing was.
    pub(super) fn finish(mut self) -> Wide {
        self.close();
        self.cuts.push(self.within.len() as u32);
        Wide { networks: self.networks.finish(), cuts: self.cuts.into(), within: self.within.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cut_networks_are_looked_up_to_the_last_bit() {
        let pushed: &[(u128, u32)] =
            &[(0, 1), (5 << 64, 2), (5 << 64 | 8, 3), (5 << 64 | 9, 2), (7 << 64 | 1, 4), (9 << 64, 5), (u128::MAX, 6)];
        let mut built = WideBuilder::default();
        pushed.iter().for_each(|&(start, value)| built.push(start, value));
        let wide = built.finish();
        let check = |key: u128, expected: (u32, u8)| assert_eq!(wide.lookup(key), expected, "{key:#x}");
        check(0, (1, 62));
        check(5 << 64, (2, 125));
        check(5 << 64 | 8, (3, 128));
        check(5 << 64 | 9, (2, 128));
        check(5 << 64 | 16, (2, 124));
        check(6 << 64, (2, 64));
        check(7 << 64, (2, 128));
        check(7 << 64 | 1, (4, 128));
        check(8 << 64 | 3, (4, 64));
        check(9 << 64, (5, 64));
        check(u128::MAX - 1, (5, 128));
        check(u128::MAX, (6, 128));
        let mut again = WideBuilder::default();
        wide.iter().for_each(|(start, value)| again.push(start, value));
        assert_eq!(again.finish().iter().collect::<Vec<_>>(), wide.iter().collect::<Vec<_>>());
        let starts: Vec<_> = wide.iter().map(|(start, _)| start).collect();
        assert!(pushed.iter().all(|(start, _)| starts.contains(start)) && starts.is_sorted());
    }

    #[test]
    fn nothing_pushed_is_nothing_known() {
        assert_eq!(WideBuilder::default().finish().lookup(7), (0, 0));
        assert_eq!(Wide::default().lookup(7), (0, 0));
    }
}
