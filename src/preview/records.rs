//! What differs of two zones beside their balanced names: record sets added, removed, changed.
//!
//! An SOA is compared without its serial: that tells versions apart, and is not what they say.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::wire::name::Name;
use crate::wire::rtype::Rtype;
use crate::zone::{Node, Zone};

/// A record set that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordChange {
    /// Whose.
    pub owner: Name,
    /// Of which type.
    pub rtype: Rtype,
    /// Before; `None` where it is added.
    pub old: Option<Record>,
    /// After; `None` where it is removed.
    pub new: Option<Record>,
}

/// What a record set says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// In seconds.
    pub ttl: u32,
    /// The data of each record in full, in order.
    pub rdata: Vec<Box<[u8]>>,
}

/// Lists what differs between two zones with one apex, by owner and type.
pub(super) fn compare(old: &Arc<Zone>, new: &Arc<Zone>, changes: &mut Vec<RecordChange>) {
    if Arc::ptr_eq(old, new) {
        return;
    }
    let from = changes.len();
    // Zones of one origin have their names in one order, but for what is new.
    let mut before: HashMap<Name, u32> = HashMap::new();
    let mut after: Vec<(Name, u32)> = Vec::new();
    let (mut olds, mut news) = (owners(old), owners(new));
    loop {
        match (olds.next(), news.next()) {
            (None, None) => break,
            (Some((was, from)), Some((is, to))) if was == is => {
                nodes(&is, node(old, from), node(new, to), changes);
            }
            (was, is) => {
                before.extend(was);
                after.extend(is);
            }
        }
    }
    for (name, place) in after {
        let was = before.remove(&name).and_then(|place| node(old, place));
        nodes(&name, was, node(new, place), changes);
    }
    for (name, place) in before {
        nodes(&name, node(old, place), None, changes);
    }
    if let Some(added) = changes.get_mut(from..) {
        added.sort_by_cached_key(|change| (change.owner.to_string(), change.rtype.0));
    }
}

/// All names, each with its place.
fn owners(zone: &Zone) -> impl Iterator<Item = (Name, u32)> {
    let mut next = 0;
    std::iter::from_fn(move || {
        let place = next;
        let (name, _, after) = zone.owner(place)?;
        next = after;
        Some((name, place))
    })
}

fn node(zone: &Zone, place: u32) -> Option<Node<'_>> {
    zone.owner(place).map(|(_, node, _)| node)
}

fn nodes(owner: &Name, old: Option<Node<'_>>, new: Option<Node<'_>>, changes: &mut Vec<RecordChange>) {
    let mut sets: BTreeMap<u16, [Option<Record>; 2]> = BTreeMap::new();
    for (side, node) in [old, new].into_iter().enumerate() {
        for set in node.into_iter().flat_map(Node::rrsets) {
            let mut rdata: Vec<Box<[u8]>> = set
                .records()
                .map(|record| {
                    let mut octets = Vec::new();
                    if let Some(node) = node {
                        record.write_in_full(node.apex(), &mut octets);
                    }
                    octets.into()
                })
                .collect();
            rdata.sort();
            sets.entry(set.rtype.0).or_default()[side] = Some(Record { ttl: set.ttl, rdata });
        }
    }
    for (rtype, [old, new]) in sets {
        let rtype = Rtype(rtype);
        if comparable(rtype, &old) != comparable(rtype, &new) {
            changes.push(RecordChange { owner: owner.clone(), rtype, old, new });
        }
    }
}

fn comparable(rtype: Rtype, record: &Option<Record>) -> Option<Record> {
    let mut record = record.clone()?;
    if rtype == Rtype::SOA {
        // Of the rdata, which ends in serial, refresh, retry, expire and minimum.
        for rdata in &mut record.rdata {
            if let Some(serial) = rdata.last_chunk_mut::<20>().and_then(|numbers| numbers.first_chunk_mut::<4>()) {
                *serial = [0; 4];
            }
        }
    }
    Some(record)
}
