//! Numbers by hash: the one step from a name to what there is of it.
//!
//! ```text
//! slots   hash 32 | number 32, in the order of their hashes, with a free one after every third on average
//! ```
//!
//! A number goes where its hash lies among all hashes, or as soon after as there is room. So the slots are sorted: the
//! table is built by one pass over sorted hashes, without a rehash and with room for exactly what it holds, and a
//! lookup ends at the first greater hash. The whole hash stands in the slot: of names that are not there, and of those
//! that only share the place, nothing else is read.
//!
//! Cost: 10.7 octets a number; one cache line, now and then the next, for a hit and for a miss.

use super::buffer::Buffer;
use super::pace::paced;

/// A table of at most 2³² − 1 numbers.
#[derive(Debug)]
pub(crate) struct Table {
    /// [Keys](key), the last one free.
    slots: Buffer,
    /// Places that hashes are spread over.
    room: u32,
}

/// A free slot: of the greatest hash, so that whoever comes by stops here.
const FREE: u64 = u64::MAX;

/// Slots beyond the room for which memory is asked at once. More of them only mean that it is asked for again.
const ROOM_BEYOND: usize = 64;

impl Table {
    /// A table of what is numbered from 0, by their hashes.
    pub(crate) fn of(hashes: impl ExactSizeIterator<Item = u32>) -> Self {
        let mut keys: Vec<u64> = hashes.zip(0..).map(|(hash, number)| key(hash, number)).collect();
        keys.sort_unstable();
        Self::of_sorted(keys.into_iter())
    }

    /// A table of [keys](key) in ascending order.
    pub(super) fn of_sorted(keys: impl ExactSizeIterator<Item = u64>) -> Self {
        let room = u32::try_from(keys.len() + keys.len() / 3 + 1).unwrap_or(u32::MAX);
        // Hashes near the greatest may be pushed beyond the room: by a few, if at all.
        let mut slots = Buffer::with_room(8 * (room as usize + ROOM_BEYOND));
        let mut count = 0;
        let mut push = |slots: &mut Buffer, key: u64| {
            slots.extend(&key.to_ne_bytes());
            count += 1;
            count
        };
        let mut next = 0;
        for key in paced(keys) {
            while next < place((key >> 32) as u32, room) {
                next = push(&mut slots, FREE);
            }
            next = push(&mut slots, key);
        }
        while push(&mut slots, FREE) <= room as usize {}
        Self { slots: slots.fit(), room }
    }

    /// The first that `accept` takes of those with this hash, by ascending number.
    pub(crate) fn find<T>(&self, hash: u32, mut accept: impl FnMut(u32) -> Option<T>) -> Option<T> {
        for &slot in self.slots.words().get(place(hash, self.room)..)? {
            let slot = u64::from_ne_bytes(slot);
            let (of, number) = ((slot >> 32) as u32, slot as u32);
            if of < hash {
                continue;
            }
            if of > hash || slot == FREE {
                return None;
            }
            if let Some(found) = accept(number) {
                return Some(found);
            }
        }
        None
    }

    /// The same table with other numbers.
    pub(super) fn renumbered(mut self, new: impl Fn(u32) -> u32) -> Self {
        for slot in paced(self.slots.words_mut()) {
            let old = u64::from_ne_bytes(*slot);
            if old != FREE {
                *slot = key((old >> 32) as u32, new(old as u32)).to_ne_bytes();
            }
        }
        self
    }
}

/// A hash and a number, so that they sort by hash.
pub(super) fn key(hash: u32, number: u32) -> u64 {
    u64::from(hash) << 32 | u64::from(number)
}

/// Where of `room` places a hash goes: ascending with it.
fn place(hash: u32, room: u32) -> usize {
    ((u64::from(hash) * u64::from(room)) >> 32) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all(table: &Table, hash: u32) -> Vec<u32> {
        let mut found = Vec::new();
        table.find(hash, |number| {
            found.push(number);
            None::<()>
        });
        found
    }

    proptest! {
        #[test]
        fn whatever_is_entered_is_found_and_nothing_else(
            hashes in proptest::collection::vec(prop_oneof![Just(0), Just(u32::MAX), 0..8_u32, any::<u32>()], 0..200),
            others in proptest::collection::vec(any::<u32>(), 20),
        ) {
            let table = Table::of(hashes.iter().copied());
            for &hash in hashes.iter().chain(&others).chain(&[0, 1, u32::MAX]) {
                let expected: Vec<u32> = (0..).zip(&hashes).filter(|&(_, &of)| of == hash).map(|(at, _)| at).collect();
                prop_assert_eq!(all(&table, hash), expected, "{} of {:?}", hash, hashes);
            }
            prop_assert!(table.slots.words().len() <= hashes.len() + hashes.len() / 3 + 2 + hashes.len());
        }
    }

    #[test]
    fn an_empty_table_has_nothing() {
        assert_eq!(all(&Table::of([].into_iter()), 7), [0; 0]);
    }
}
