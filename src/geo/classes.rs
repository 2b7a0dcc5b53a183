//! Lists of members, each held once and known by a number.

use std::collections::HashMap;

/// Which list: an index into [`Classes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClassId(pub u32);

/// Ordered lists of members, the most preferred first, none twice in a list. Class 0 is always there, and is the
/// one of a client of whom nothing is known and nothing said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Classes {
    members: Box<[u16]>,
    /// Where in `members` each begins, and the end.
    starts: Box<[u32]>,
}

impl Classes {
    /// The members of a class; none for a number that is no class.
    pub fn get(&self, class: ClassId) -> &[u16] {
        let at = class.0 as usize;
        let bounds = self.starts.get(at).zip(self.starts.get(at + 1));
        bounds.and_then(|(&start, &end)| self.members.get(start as usize..end as usize)).unwrap_or(&[])
    }

    /// How many there are; at least one.
    pub fn len(&self) -> usize {
        self.starts.len() - 1
    }

    /// Never: class 0 is always there.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Each with its number.
    pub fn iter(&self) -> impl Iterator<Item = (ClassId, &[u16])> {
        (0..self.len() as u32).map(|at| (ClassId(at), self.get(ClassId(at))))
    }

    /// Octets that they take.
    pub fn size(&self) -> usize {
        size_of_val(&*self.members) + size_of_val(&*self.starts)
    }
}

/// Numbers things in the order in which they first come.
#[derive(Clone, Debug)]
pub(super) struct Numbers<T> {
    numbers: HashMap<T, u32>,
}

impl<T> Default for Numbers<T> {
    fn default() -> Self {
        Self { numbers: HashMap::new() }
    }
}

impl<T: Eq + std::hash::Hash> Numbers<T> {
    /// The number of `thing`.
    pub(super) fn of(&mut self, thing: T) -> u32 {
        // Fewer than 2³²: each stands for a range of addresses or a rule, and those are held in memory.
        let next = self.numbers.len() as u32;
        *self.numbers.entry(thing).or_insert(next)
    }

    /// The number of `thing`, and whether it is new.
    pub(super) fn of_new(&mut self, thing: T) -> (u32, bool) {
        let before = self.numbers.len();
        let number = self.of(thing);
        (number, self.numbers.len() > before)
    }

    /// The things, in the order of their numbers.
    pub(super) fn into_things(self) -> Vec<T> {
        let mut things: Vec<(u32, T)> = self.numbers.into_iter().map(|(thing, number)| (number, thing)).collect();
        things.sort_unstable_by_key(|&(number, _)| number);
        things.into_iter().map(|(_, thing)| thing).collect()
    }
}

impl Numbers<Box<[u16]>> {
    /// The number of the list in which `members` come once each, where they first do.
    pub(super) fn of_list(&mut self, members: impl IntoIterator<Item = u16>) -> u32 {
        let mut list: Vec<u16> = Vec::new();
        for member in members {
            if !list.contains(&member) {
                list.push(member);
            }
        }
        self.of(list.into())
    }

    /// The lists as classes.
    pub(super) fn into_classes(self) -> Classes {
        let lists = self.into_things();
        let mut starts = vec![0];
        let mut members = Vec::with_capacity(lists.iter().map(|list| list.len()).sum());
        for list in lists {
            members.extend_from_slice(&list);
            starts.push(members.len() as u32);
        }
        Classes { members: members.into(), starts: starts.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_lists_are_one_class() {
        let mut lists = Numbers::default();
        let numbers = [&[][..], &[3, 1], &[1, 3], &[3, 1, 3], &[]].map(|list| lists.of_list(list.iter().copied()));
        assert_eq!(numbers, [0, 1, 2, 1, 0]);
        let classes = lists.into_classes();
        assert_eq!(classes.iter().map(|(_, list)| list).collect::<Vec<_>>(), [&[][..], &[3, 1], &[1, 3]]);
        assert_eq!((classes.len(), classes.get(ClassId(3))), (3, &[][..]));
    }
}
