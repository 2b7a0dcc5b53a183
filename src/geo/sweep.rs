//! Ranges and blocks laid over ranges, in one sweep through the addresses in their order.

use super::ranges::Key;

/// Both laid over each other: at each address the value that `value` makes of theirs. Each is first addresses and
/// values, ascending, the lowest address first; so is what is pushed, though neighbours may be equal.
pub(super) fn zip<K: Key>(
    left: impl Iterator<Item = (K, u32)>,
    right: impl Iterator<Item = (K, u32)>,
    mut value: impl FnMut(u32, u32) -> u32,
    mut push: impl FnMut(K, u32),
) {
    let (mut left, mut right) = (left.peekable(), right.peekable());
    let (mut ours, mut theirs) = (0, 0);
    while let Some(start) = [left.peek(), right.peek()].into_iter().flatten().map(|&(start, _)| start).min() {
        ours = left.next_if(|&(next, _)| next == start).map_or(ours, |(_, value)| value);
        theirs = right.next_if(|&(next, _)| next == start).map_or(theirs, |(_, value)| value);
        push(start, value(ours, theirs));
    }
}

/// Addresses that something is said of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Block<K, P> {
    pub(super) first: K,
    /// Inclusive.
    pub(super) last: K,
    pub(super) payload: P,
}

/// What blocks laid over ranges make of their values.
pub(super) trait Overlay {
    /// What a block carries.
    type Payload;

    /// A number for an address within a block that stands within `outer`, which is 0 where that is none.
    fn within(&mut self, outer: u32, payload: Self::Payload) -> u32;

    /// The value of an address, by the number of the blocks around it, 0 for none, and the value below.
    fn value(&mut self, around: u32, base: u32) -> u32;
}

/// `base` with `blocks` laid over it, which are sorted by first address, wider before narrower, and nest or lie
/// apart. What is pushed ascends, though neighbours may be equal.
pub(super) fn overlay<K: Key, O: Overlay>(
    base: impl Iterator<Item = (K, u32)>,
    blocks: impl IntoIterator<Item = Block<K, O::Payload>>,
    overlay: &mut O,
    mut push: impl FnMut(K, u32),
) {
    let (mut base, mut blocks) = (base.peekable(), blocks.into_iter().peekable());
    // The blocks that the address lies in, the innermost last: last address and number.
    let mut around: Vec<(K, u32)> = Vec::new();
    let (mut below, mut start) = (0, K::FIRST);
    loop {
        below = base.next_if(|&(next, _)| next == start).map_or(below, |(_, value)| value);
        while around.pop_if(|&mut (last, _)| last < start).is_some() {}
        while let Some(block) = blocks.next_if(|block| block.first <= start) {
            let outer = around.last().map_or(0, |&(_, number)| number);
            around.push((block.last, overlay.within(outer, block.payload)));
        }
        push(start, overlay.value(around.last().map_or(0, |&(_, number)| number), below));
        let next_range = base.peek().map(|&(next, _)| next);
        let next_block = blocks.peek().map(|block| block.first);
        let past_block = around.last().and_then(|&(last, _)| last.next());
        let Some(next) = [next_range, next_block, past_block].into_iter().flatten().min() else {
            return;
        };
        start = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zip_is_both_at_every_address() {
        let check = |left: &[(u32, u32)], right: &[(u32, u32)], expected: &[(u32, u32)]| {
            let mut pushed = Vec::new();
            let value = |left, right| left * 10 + right;
            zip(left.iter().copied(), right.iter().copied(), value, |start, value| pushed.push((start, value)));
            assert_eq!(pushed, expected);
        };
        check(&[(0, 1)], &[(0, 2)], &[(0, 12)]);
        check(&[(0, 1), (5, 2), (9, 3)], &[(0, 1), (7, 2), (9, 4)], &[(0, 11), (5, 21), (7, 22), (9, 34)]);
    }

    /// Numbers nested blocks by their payloads as decimal digits.
    struct Digits;

    impl Overlay for Digits {
        type Payload = u32;

        fn within(&mut self, outer: u32, payload: u32) -> u32 {
            outer * 10 + payload
        }

        fn value(&mut self, around: u32, base: u32) -> u32 {
            around * 100 + base
        }
    }

    #[test]
    fn blocks_end_where_they_end() {
        let check = |base: &[(u32, u32)], blocks: &[(u32, u32, u32)], expected: &[(u32, u32)]| {
            let mut pushed = Vec::new();
            let blocks = blocks.iter().map(|&(first, last, payload)| Block { first, last, payload });
            overlay(base.iter().copied(), blocks, &mut Digits, |start, value| pushed.push((start, value)));
            assert_eq!(pushed, expected);
        };
        check(&[(0, 7)], &[], &[(0, 7)]);
        check(&[(0, 7)], &[(4, 7, 1)], &[(0, 7), (4, 107), (8, 7)]);
        check(&[(0, 7), (6, 8)], &[(4, 7, 1)], &[(0, 7), (4, 107), (6, 108), (8, 8)]);
        check(&[(0, 7)], &[(0, 15, 1), (4, 7, 2), (6, 7, 3)], &[(0, 107), (4, 1207), (6, 12307), (8, 107), (16, 7)]);
        let top = u32::MAX;
        check(&[(0, 7)], &[(0, top, 1), (top - 1, top, 2)], &[(0, 107), (top - 1, 1207)]);
        check(&[(0, 7)], &[(4, 7, 1), (4, 7, 2), (8, 8, 3)], &[(0, 7), (4, 1207), (8, 307), (9, 7)]);
    }
}
