//! Several maps at once: the address space cut wherever any of them is, for whoever compares maps with each other.

use std::net::IpAddr;

use super::address::Span;
use super::database::Places;
use super::map::Map;
use super::partition::Partition;
use super::place::Place;
use super::ranges::Key;
use super::rtts::RttMap;

/// What cuts the address space.
#[derive(Clone, Copy, Debug)]
pub enum Cut<'m> {
    /// By class.
    Map(&'m Map),
    /// By class.
    Rtts(&'m RttMap),
    /// By place, whose number [`Places::place`] takes.
    Places(&'m Places),
}

impl Cut<'_> {
    fn partition(&self) -> &Partition {
        match self {
            Self::Map(map) => map.partition(),
            Self::Rtts(map) => map.partition(),
            Self::Places(places) => places.partition(),
        }
    }

    /// The number of the stretch that `address` lies in.
    pub fn lookup(&self, address: IpAddr) -> u32 {
        self.partition().lookup(address.into()).0
    }

    /// Whether both are one and the same.
    pub fn is(&self, other: &Cut<'_>) -> bool {
        std::ptr::eq(self.partition(), other.partition())
    }
}

impl Places {
    /// The place with the number that a [`walk`] gave; the unknown one for a number that is none.
    pub fn place(&self, number: u32) -> Place {
        self.places().get(number as usize).copied().unwrap_or_default()
    }
}

/// Hands every stretch of the address space in which all `cuts` have one number each to `visit`, in ascending order,
/// IPv4 before IPv6, with those numbers. Neighbours may be equal. Costs a step for each range of each of them.
pub fn walk(cuts: &[Cut<'_>], mut visit: impl FnMut(Span, &[u32])) {
    sweep(cuts.iter().map(|cut| cut.partition().v4().iter()).collect(), |first: u32, last, numbers| {
        visit(Span::V4(first, last), numbers);
    });
    sweep(cuts.iter().map(|cut| cut.partition().v6().iter()).collect(), |first: u128, last, numbers| {
        visit(Span::V6(first, last), numbers);
    });
}

/// The same of one family.
fn sweep<K: Key>(ranges: Vec<impl Iterator<Item = (K, u32)>>, mut visit: impl FnMut(K, K, &[u32])) {
    let mut ranges: Vec<_> = ranges.into_iter().map(Iterator::peekable).collect();
    let mut numbers = vec![0; ranges.len()];
    let mut start = K::FIRST;
    loop {
        let mut next: Option<K> = None;
        for (ranges, number) in ranges.iter_mut().zip(&mut numbers) {
            while let Some((_, value)) = ranges.next_if(|&(at, _)| at <= start) {
                *number = value;
            }
            if let Some(&(at, _)) = ranges.peek() {
                next = Some(next.map_or(at, |next| next.min(at)));
            }
        }
        visit(start, next.and_then(Key::previous).unwrap_or(K::LAST), &numbers);
        let Some(next) = next else { return };
        start = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_end_where_any_of_them_does() {
        let check = |ranges: &[&[(u32, u32)]], expected: &[(u32, u32, &[u32])]| {
            let mut visited = Vec::new();
            sweep(ranges.iter().map(|ranges| ranges.iter().copied()).collect(), |first, last, numbers: &[u32]| {
                visited.push((first, last, numbers.to_vec()));
            });
            let expected: Vec<_> =
                expected.iter().map(|&(first, last, numbers)| (first, last, numbers.to_vec())).collect();
            assert_eq!(visited, expected, "{ranges:?}");
        };
        let end = u32::MAX;
        check(&[], &[(0, end, &[])]);
        check(&[&[(0, 7)]], &[(0, end, &[7])]);
        check(&[&[(0, 1), (8, 2)], &[(0, 3)]], &[(0, 7, &[1, 3]), (8, end, &[2, 3])]);
        check(
            &[&[(0, 1), (8, 2)], &[(0, 3), (4, 5), (8, 6), (end, 0)]],
            &[(0, 3, &[1, 3]), (4, 7, &[1, 5]), (8, end - 1, &[2, 6]), (end, end, &[2, 0])],
        );
    }
}
