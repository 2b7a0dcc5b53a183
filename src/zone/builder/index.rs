//! The names of a zone in the making: records brought together by owner, and found by name.
//!
//! A name's number is that of the first run of it. Runs that come later, of owners whose records lie apart, are
//! chained to it. All of it comes out of one sort of the runs' hashes.

use std::thread;

use super::super::buffer::Buffer;
use super::super::pace::paced;
use super::super::records::{Part, Pending, Records};
use super::super::table::{Table, key};
use super::super::tree::{Flags, Kind};
use crate::wire::name::Name;
use crate::wire::qname::Qname;
use crate::wire::rtype::Rtype;

/// All names and their records.
#[derive(Debug)]
pub(super) struct Index {
    pub(super) apex: Name,
    pub(super) parts: Vec<Part>,
    /// By part: the number of its first run.
    firsts: Vec<u32>,
    /// By run: what its name is; of a run that comes later than its name's first, nothing.
    marks: Vec<Mark>,
    /// First runs and later ones of the same name, in ascending order.
    again: Vec<(u32, u32)>,
    pub(super) table: Table,
}

#[derive(Clone, Copy, Debug)]
struct Mark {
    flags: Flags,
    runs: Runs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Runs {
    /// The only one of its name.
    One,
    /// The first of several.
    First,
    /// Another one is the first.
    Later,
}

impl Index {
    /// Of `records`, of which the apex was entered first.
    pub(super) fn of(apex: Name, records: Records) -> Self {
        let parts = records.into_parts();
        let mut firsts = Vec::with_capacity(parts.len());
        let mut runs = 0;
        for part in &parts {
            firsts.push(runs);
            runs += part.len() as u32;
        }
        let mut keys = sorted_keys(runs as usize, || parts.iter().flat_map(Part::hashes));
        let marks = vec![Mark { flags: Flags::of(Kind::Plain), runs: Runs::One }; runs as usize];
        let mut index = Self { apex, parts, firsts, marks, again: Vec::new(), table: Table::of([].into_iter()) };
        let names = index.bring_together(&mut keys);
        index.table = Table::of_sorted(keys.words()[..names].iter().map(|&key| u64::from_ne_bytes(key)));
        index
    }

    /// Moves those of each name's first run to the front of `keys`, which are in ascending order; how many they are.
    fn bring_together(&mut self, keys: &mut Buffer) -> usize {
        let mut firsts: Vec<u32> = Vec::new();
        let mut last_hash = None;
        let mut names = 0;
        for at in paced(0..keys.words().len()) {
            let key = keys.words()[at];
            let (hash, number) = ((u64::from_ne_bytes(key) >> 32) as u32, u64::from_ne_bytes(key) as u32);
            if last_hash != Some(hash) {
                last_hash = Some(hash);
                firsts.clear();
            }
            match firsts.iter().copied().find(|&first| self.name(first) == self.name(number)) {
                Some(first) => {
                    self.again.push((first, number));
                    self.marks[first as usize].runs = Runs::First;
                    self.marks[number as usize].runs = Runs::Later;
                }
                None => {
                    firsts.push(number);
                    keys.words_mut()[names] = key;
                    names += 1;
                }
            }
        }
        self.again.sort_unstable();
        names
    }

    /// The numbers of all names, in the order in which they were entered: the apex is the first, 0.
    pub(super) fn names(&self) -> impl Iterator<Item = u32> {
        paced((0..).zip(&self.marks)).filter(|(_, mark)| mark.runs != Runs::Later).map(|(number, _)| number)
    }

    /// The numbers of the names whose first run is in a part.
    pub(super) fn names_of(&self, part: usize) -> impl Iterator<Item = u32> {
        let first = self.firsts[part];
        let end = first as usize + self.parts[part].len();
        paced((first..).zip(&self.marks[first as usize..end]))
            .filter(|(_, mark)| mark.runs != Runs::Later)
            .map(|(at, _)| at)
    }

    /// The number of the name that run `number` is of.
    pub(super) fn name_of(&self, number: u32) -> u32 {
        match self.marks[number as usize].runs {
            Runs::Later => {
                let mut qname = Qname::default();
                let octets = [self.name(number), self.apex.as_wire()].concat();
                let found = qname.read(&octets).ok().and_then(|_| self.find(&qname, 0));
                found.unwrap_or(number)
            }
            Runs::One | Runs::First => number,
        }
    }

    fn part_of(&self, run: u32) -> (&Part, usize) {
        let at = self.firsts.partition_point(|&first| first <= run).saturating_sub(1);
        (&self.parts[at], (run - self.firsts[at]) as usize)
    }

    /// The labels before the apex, in lower case.
    pub(super) fn name(&self, number: u32) -> &[u8] {
        let (part, run) = self.part_of(number);
        part.owner(run)
    }

    /// The whole name.
    pub(super) fn full_name(&self, number: u32) -> Vec<u8> {
        [self.name(number), self.apex.as_wire()].concat()
    }

    /// The name as text.
    pub(super) fn text(&self, number: u32) -> String {
        Name::from_wire(&self.full_name(number)).map_or_else(|_| String::new(), |name| name.to_string())
    }

    /// Puts the records of a name into `records`, as [`records`](Self::records) has them: of most names in one step.
    pub(super) fn gather<'i>(&'i self, number: u32, records: &mut Vec<Pending<'i>>) {
        records.clear();
        match self.marks[number as usize].runs {
            Runs::First => records.extend(self.records(number)),
            Runs::One | Runs::Later => {
                let (part, run) = self.part_of(number);
                records.extend(part.records(run));
            }
        }
    }

    /// The records of a name, in the order in which they were added.
    pub(super) fn records(&self, number: u32) -> impl Iterator<Item = Pending<'_>> {
        let again = match self.marks[number as usize].runs {
            Runs::First => {
                let from = self.again.partition_point(|&(first, _)| first < number);
                let later = &self.again[from..];
                &later[..later.partition_point(|&(first, _)| first == number)]
            }
            Runs::One | Runs::Later => &[],
        };
        let runs = std::iter::once(number).chain(again.iter().map(|&(_, later)| later));
        runs.flat_map(|run| {
            let (part, run) = self.part_of(run);
            part.records(run)
        })
    }

    /// Whether a name has a record of a type.
    pub(super) fn has(&self, number: u32, rtype: Rtype) -> bool {
        self.records(number).any(|record| record.rtype == rtype)
    }

    /// The number of the name that is left of `qname` without its leftmost `skip` labels.
    pub(super) fn find(&self, qname: &Qname, skip: usize) -> Option<u32> {
        let (octets, hash) = qname.ancestor(skip)?;
        let labels = octets.strip_suffix(self.apex.as_wire())?;
        self.table.find(hash, |number| (self.name(number) == labels).then_some(number))
    }

    /// The nearest to `qname` of itself and what is above it, and how many labels up.
    pub(super) fn find_at_or_above(&self, qname: &Qname) -> Option<(usize, u32)> {
        (0..=qname.labels()).find_map(|skip| Some((skip, self.find(qname, skip)?)))
    }

    /// The highest ancestor of a name within the zone, the apex included, of which `wanted` holds.
    pub(super) fn highest_above(&self, number: u32, wanted: impl Fn(Flags) -> bool) -> Option<u32> {
        let labels = self.name(number);
        if labels.is_empty() {
            return None;
        }
        if usize::from(labels[0]) + 1 == labels.len() {
            // Only the apex is above: what most names of a large zone come to.
            return wanted(self.flags(0)).then_some(0);
        }
        let mut qname = Qname::default();
        qname.read(&self.full_name(number)).ok()?;
        let apex_labels = self.apex.labels().count();
        (1..=qname.labels().saturating_sub(apex_labels)).rev().find_map(|skip| {
            let ancestor = self.find(&qname, skip)?;
            wanted(self.flags(ancestor)).then_some(ancestor)
        })
    }

    pub(super) fn flags(&self, number: u32) -> Flags {
        self.marks[number as usize].flags
    }

    pub(super) fn kind(&self, number: u32) -> Kind {
        self.flags(number).kind()
    }

    pub(super) fn flags_mut(&mut self, number: u32) -> &mut Flags {
        &mut self.marks[number as usize].flags
    }
}

/// Parts that keys are sorted in, by the first bits of their hashes: of a million keys some 8,000 in each, sorted in 0.3 ms.
const PARTS_BITS: u32 = 7;

/// Keys that are sorted in one go: 0.5 ms.
const AT_ONCE: usize = 16 << 10;

/// The [keys](key) of so many hashes, numbered as they come, in ascending order. Distributed before they are sorted: all
/// in one go would be 40 ms for a million, in which nobody else has the core.
fn sorted_keys<H: Iterator<Item = u32>>(count: usize, hashes: impl Fn() -> H) -> Buffer {
    if count <= AT_ONCE {
        let mut keys = Buffer::with_room(8 * count);
        hashes().zip(0..).for_each(|(hash, number)| keys.extend(&key(hash, number).to_ne_bytes()));
        keys.words_mut().sort_unstable_by_key(|&key| u64::from_ne_bytes(key));
        return keys;
    }
    let part_of = |hash: u32| (hash >> (u32::BITS - PARTS_BITS)) as usize;
    let mut ends = [0_usize; 1 << PARTS_BITS];
    paced(hashes()).for_each(|hash| ends[part_of(hash)] += 1);
    let mut start = 0;
    for end in &mut ends {
        // Where the part begins, until its keys have come.
        start += std::mem::replace(end, start);
    }
    let mut keys = Buffer::zeroed(8 * count);
    let words = keys.words_mut();
    for (hash, number) in paced(hashes().zip(0..)) {
        let next = &mut ends[part_of(hash)];
        words[*next] = key(hash, number).to_ne_bytes();
        *next += 1;
    }
    let mut start = 0;
    for end in ends {
        words[start..end].sort_unstable_by_key(|&key| u64::from_ne_bytes(key));
        start = end;
        thread::yield_now();
    }
    keys
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_sorted_as_at_once() {
        let check = |hashes: &[u32]| {
            let mut expected: Vec<u64> = hashes.iter().zip(0..).map(|(&hash, number)| key(hash, number)).collect();
            expected.sort_unstable();
            let sorted = sorted_keys(hashes.len(), || hashes.iter().copied());
            let sorted: Vec<u64> = sorted.words().iter().map(|&key| u64::from_ne_bytes(key)).collect();
            assert_eq!(sorted, expected);
        };
        // Multiples of an odd number: some in every part.
        let spread: Vec<u32> = (0..3 * AT_ONCE as u32).map(|at| at.wrapping_mul(2_654_435_761)).collect();
        [0, 1, AT_ONCE, AT_ONCE + 1, spread.len()].into_iter().for_each(|count| check(&spread[..count]));
        check(&[u32::MAX; 2 * AT_ONCE]);
        let few: Vec<u32> = [7, u32::MAX, 0, 7, 0, 1 << 31].into_iter().cycle().take(2 * AT_ONCE).collect();
        check(&few);
    }
}
