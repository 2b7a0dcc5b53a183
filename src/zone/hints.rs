//! SVCB and HTTPS sets whose address hints are a balanced name's: laid out so that a query puts them together.
//!
//! ```text
//! record  head | ipv4hint of now | middle | ipv6hint of now | tail
//! ```
//!
//! The head is priority, target and the parameters below ipv4hint, the middle those between the two hints, the tail
//! the rest: keys stand in ascending order (RFC 9460 §2.2). Hints of the master file are left out. The sets are
//! kept beside the zone's own, so that other answers neither hold nor pass anything of this.

use super::rrset::split_name;
use crate::wire::rtype::Rtype;

/// The key of a record's IPv4 hints (RFC 9460 §14.3.2).
pub const IPV4HINT: u16 = 4;

/// That of its IPv6 hints.
pub const IPV6HINT: u16 = 6;

/// The key of the list of those that a client must understand (RFC 9460 §8).
const MANDATORY: u16 = 0;

/// "Stays as it is".
const NONE: u32 = u32::MAX;

/// All such sets of a zone.
#[derive(Debug, Default)]
pub struct Hints {
    /// By node and type.
    sets: Vec<Set>,
    records: Vec<Split>,
    octets: Vec<u8>,
}

#[derive(Clone, Copy, Debug)]
struct Set {
    node: u32,
    rtype: Rtype,
    first: u32,
    count: u16,
}

/// One record: the number of its balanced name or [`NONE`], where its octets begin, and how many each part has.
#[derive(Clone, Copy, Debug)]
struct Split {
    name: u32,
    at: u32,
    parts: [u16; 3],
}

/// A record without its address hints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hinted<'z> {
    /// The balanced name whose addresses are its hints; `None` where it is sent as it is, all of it in the head.
    pub name: Option<u32>,
    /// What stands before its IPv4 hints.
    pub head: &'z [u8],
    /// What stands between its IPv4 and its IPv6 hints.
    pub middle: &'z [u8],
    /// What stands behind its IPv6 hints.
    pub tail: &'z [u8],
}

impl Hints {
    /// The records of the set of `rtype` at the node of that number, those of one balanced name side by side; `None`
    /// where no hint of it is a balanced name's.
    pub fn set(&self, node: u32, rtype: Rtype) -> Option<impl Iterator<Item = Hinted<'_>>> {
        let at = self.sets.binary_search_by_key(&(node, rtype), |set| (set.node, set.rtype)).ok()?;
        let set = self.sets.get(at)?;
        let records = self.records.get(set.first as usize..)?.iter().take(set.count.into());
        Some(records.filter_map(|split| self.hinted(split)))
    }

    fn hinted(&self, split: &Split) -> Option<Hinted<'_>> {
        let [head, middle, tail] = split.parts.map(usize::from);
        let (head, rest) = self.octets.get(split.at as usize..)?.split_at_checked(head)?;
        let (middle, rest) = rest.split_at_checked(middle)?;
        let name = (split.name != NONE).then_some(split.name);
        Some(Hinted { name, head, middle, tail: rest.get(..tail)? })
    }

    /// Adds the set of `rtype` at `node`: the rdata of each record and the balanced name that it leads to. To be
    /// [renumbered](Self::renumber) before any is looked for.
    pub(super) fn add(&mut self, node: u32, rtype: Rtype, mut records: Vec<(Option<u32>, &[u8])>) {
        // A set has no order (RFC 9460 §2.4.1 has priorities): what goes by one name is chosen once.
        records.sort_by_key(|&(name, _)| name.unwrap_or(NONE));
        let first = number(self.records.len());
        for (name, rdata) in &records {
            let parts = if name.is_some() { split(rdata) } else { [*rdata, &[], &[]] };
            let at = number(self.octets.len());
            parts.iter().for_each(|part| self.octets.extend_from_slice(part));
            let parts = parts.map(|part| u16::try_from(part.len()).unwrap_or(u16::MAX));
            self.records.push(Split { name: name.unwrap_or(NONE), at, parts });
        }
        self.sets.push(Set { node, rtype, first, count: u16::try_from(records.len()).unwrap_or(u16::MAX) });
    }

    /// Gives the nodes other numbers, and sorts the sets by them.
    pub(super) fn renumber(&mut self, new: impl Fn(u32) -> u32) {
        for set in &mut self.sets {
            set.node = new(set.node);
        }
        self.sets.sort_by_key(|set| (set.node, set.rtype));
    }
}

fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(NONE)
}

/// The target of a record of service mode, root label included; `None` of alias mode (RFC 9460 §2.4).
pub(super) fn service_target(rdata: &[u8]) -> Option<&[u8]> {
    let (priority, rest) = rdata.split_first_chunk::<2>()?;
    (*priority != [0, 0]).then(|| split_name(rest).0)
}

/// Whether a record says that clients must understand one of its address hints.
pub(super) fn makes_hints_mandatory(rdata: &[u8]) -> bool {
    let Some((_, rest)) = rdata.split_first_chunk::<2>() else { return false };
    let mandatory = parameters(split_name(rest).1).find(|&(key, _)| key == MANDATORY);
    let keys = mandatory.map_or(&[][..], |(_, parameter)| parameter.get(4..).unwrap_or_default());
    keys.as_chunks::<2>().0.iter().any(|&key| matches!(u16::from_be_bytes(key), IPV4HINT | IPV6HINT))
}

/// Head, middle and tail of a record.
fn split(rdata: &[u8]) -> [&[u8]; 3] {
    let (_, all) = split_name(rdata.get(2..).unwrap_or_default());
    let fixed = rdata.len() - all.len();
    // Octets of the parameters up to a key.
    let below = |end: u16| parameters(all).take_while(|&(key, _)| key < end).map(|(_, octets)| octets.len()).sum();
    let bounds: [usize; 4] = [IPV4HINT, IPV4HINT + 1, IPV6HINT, IPV6HINT + 1].map(below);
    let [head, middle_from, middle_to, tail] = bounds.map(|bound| fixed + bound);
    let part = |from: usize, to: usize| rdata.get(from..to).unwrap_or_default();
    [part(0, head), part(middle_from, middle_to), part(tail, rdata.len())]
}

/// Each parameter's key and its octets, key and length included.
fn parameters(mut rest: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let (&[k, y, h, l], _) = rest.split_first_chunk()?;
        let (parameter, after) = rest.split_at_checked(4 + usize::from(u16::from_be_bytes([h, l])))?;
        rest = after;
        Some((u16::from_be_bytes([k, y]), parameter))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Priority 1, target `.`, and parameters of these keys, each with its key as its value.
    fn rdata(keys: &[u8]) -> Vec<u8> {
        let parameters = keys.iter().flat_map(|&key| [0, key, 0, 1, key]);
        [0, 1, 0].into_iter().chain(parameters).collect()
    }

    #[test]
    fn hints_are_taken_out_where_they_belong() {
        let check = |keys: &[u8], expected: [&[u8]; 3]| {
            let mut hints = Hints::default();
            let rdata = rdata(keys);
            hints.add(7, Rtype::HTTPS, vec![(Some(3), &rdata)]);
            let records: Vec<Hinted<'_>> = hints.set(7, Rtype::HTTPS).expect("a set").collect();
            let [Hinted { name: Some(3), head, middle, tail }] = records[..] else { panic!("{records:?}") };
            let found = |octets: &[u8]| octets.chunks(5).map(|parameter| parameter[4]).collect::<Vec<_>>();
            assert_eq!([found(&head[3..]), found(middle), found(tail)], expected, "{keys:?}");
            assert_eq!(head[..3], [0, 1, 0]);
        };
        check(&[], [&[], &[], &[]]);
        check(&[1, 3], [&[1, 3], &[], &[]]);
        check(&[1, 4, 6], [&[1], &[], &[]]);
        check(&[1, 2, 3, 4, 5, 6, 7, 8], [&[1, 2, 3], &[5], &[7, 8]]);
        check(&[5], [&[], &[5], &[]]);
        check(&[7], [&[], &[], &[7]]);
        check(&[6], [&[], &[], &[]]);
        check(&[4, 7], [&[], &[], &[7]]);
    }

    #[test]
    fn sets_are_found_by_node_and_type_and_other_records_stay() {
        let mut hints = Hints::default();
        let (hinted, plain) = (rdata(&[4]), rdata(&[4, 6]));
        hints.add(9, Rtype::HTTPS, vec![(None, &plain), (Some(1), &hinted), (Some(0), &hinted)]);
        hints.add(2, Rtype::SVCB, vec![(Some(0), &hinted)]);
        hints.renumber(|node| node);
        let names = |node, rtype| {
            hints.set(node, rtype).map(|records| records.map(|record| (record.name, record.head.len())).collect())
        };
        assert_eq!(names(9, Rtype::HTTPS), Some(vec![(Some(0), 3), (Some(1), 3), (None, plain.len())]));
        assert_eq!(names(2, Rtype::SVCB), Some(vec![(Some(0), 3)]));
        assert_eq!((names(9, Rtype::SVCB), names(1, Rtype::HTTPS)), (None, None));
    }

    #[test]
    fn alias_mode_and_mandatory_hints_are_known() {
        assert_eq!(service_target(&[0, 0, 1, b'a', 0]), None);
        assert_eq!(service_target(&[0, 1, 1, b'a', 0, 0, 3, 0, 0]), Some(&[1, b'a', 0][..]));
        let mandatory = |keys: &[u8]| {
            let list: Vec<u8> = keys.iter().flat_map(|&key| [0, key]).collect();
            makes_hints_mandatory(&[&[0, 1, 0, 0, 0, 0, list.len() as u8], &list[..]].concat())
        };
        assert_eq!([&[1, 4][..], &[6], &[1, 3], &[5]].map(mandatory), [true, true, false, false]);
        assert!(!makes_hints_mandatory(&rdata(&[1, 4, 6])));
    }
}
