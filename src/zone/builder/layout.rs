//! A checked draft → the octets of a zone: nodes one after the other, and the table that leads to them.
//!
//! Goes through the records part by part and gives each part back when it was laid out, so that at no time both are
//! there whole.

use std::collections::HashSet;

use super::super::buffer::Buffer;
use super::super::hints::Hints;
use super::super::records::{Part, Pending};
use super::super::rrset;
use super::super::tree::{Kind, NODE_OCTETS, Zone};
use super::index::Index;
use super::{Draft, Fault};
use crate::wire::name::Name;
use crate::wire::rtype::Rtype;

/// Octets that a node and a set may take beyond those of the run and the record that they come from, about: room that
/// is asked for at once, and of which what is not used is given back.
const ROOM_BESIDE: usize = 10;

/// Records of one set of which each is held against all others; of more, hashes are.
const COMPARED_MAX: usize = 16;

/// "No place yet".
const NOWHERE: u32 = u32::MAX;

/// What has been laid out so far.
struct Layout {
    nodes: Buffer,
    /// Where the node of each name begins, by the name's number.
    places: Vec<u32>,
    /// Links to nodes, by where they stand and the name that they lead to: filled in when all have their places.
    open_links: Vec<(u32, u32)>,
    labels_max: usize,
    names: usize,
    negative_ttl: u32,
}

/// Lays a draft out; `None` when it is too large.
pub(super) fn lay_out(draft: Draft, mut hints: Hints, faults: &mut Vec<Fault>) -> Option<Zone> {
    let Draft { mut index, links, glue, .. } = draft;
    let runs: usize = index.parts.iter().map(Part::len).sum();
    let room: usize = index.parts.iter().map(|part| part.octets() + part.octets() / 2 + ROOM_BESIDE * part.len()).sum();
    let mut layout = Layout {
        nodes: Buffer::with_room(room),
        places: vec![NOWHERE; runs],
        open_links: Vec::new(),
        labels_max: 0,
        names: 0,
        negative_ttl: 0,
    };
    let (mut links, mut glue) = (&links[..], &glue[..]);
    for part in 0..index.parts.len() {
        let mut records = Vec::new();
        for name in index.names_of(part) {
            index.gather(name, &mut records);
            if records.len() > 1 {
                records.sort_by_key(|record| (record.rtype, record.origin));
            }
            let link = take_of(&mut links, name).first().map(|&(_, link)| link);
            layout.node(&index, name, &records, (link, take_of(&mut glue, name)), faults);
        }
        drop(records);
        index.parts[part] = Part::default();
    }
    let Layout { mut nodes, places, open_links, labels_max, names, negative_ttl } = layout;
    if nodes.len() >= NOWHERE as usize {
        faults.push(Fault::error(None, "a zone cannot be larger than 4 GiB".to_owned()));
        return None;
    }
    let place = |name: u32| places.get(name as usize).copied().unwrap_or(NOWHERE);
    for (at, name) in open_links {
        nodes[at as usize..][..4].copy_from_slice(&place(name).to_be_bytes());
    }
    hints.renumber(place);
    let Index { apex, table, .. } = index;
    let apex_labels = apex.labels().count();
    Some(Zone {
        apex_labels,
        labels_max: apex_labels + labels_max,
        names,
        table: table.renumbered(place),
        apex,
        nodes: nodes.fit(),
        hints,
        negative_ttl,
    })
}

/// The pairs of `name` at the front of `pairs`, which are taken off it.
fn take_of<'p>(pairs: &mut &'p [(u32, u32)], name: u32) -> &'p [(u32, u32)] {
    let count = pairs.iter().take_while(|&&(of, _)| of == name).count();
    let (taken, rest) = pairs.split_at(count);
    *pairs = rest;
    taken
}

impl Layout {
    /// Appends the node of a name, whose records are sorted by type and origin.
    fn node(
        &mut self,
        index: &Index,
        name: u32,
        records: &[Pending<'_>],
        (link, glue): (Option<u32>, &[(u32, u32)]),
        faults: &mut Vec<Fault>,
    ) {
        index.check_name(name, records, faults);
        let labels = index.name(name);
        let start = self.nodes.len();
        self.places[name as usize] = u32::try_from(start).unwrap_or(NOWHERE);
        self.names += 1;
        self.labels_max = self.labels_max.max(labels_in(labels));
        self.nodes.extend(&[labels.len() as u8, index.flags(name).0, 0]);
        self.nodes.extend(labels);
        match index.kind(name) {
            Kind::Plain => {}
            Kind::Balanced => self.nodes.extend(&link.unwrap_or(NOWHERE).to_be_bytes()),
            Kind::Below => self.link(link.unwrap_or(NOWHERE)),
            Kind::Cut => {
                self.nodes.extend(&(glue.len() as u32).to_be_bytes());
                glue.iter().for_each(|&(_, server)| self.link(server));
            }
        }
        let mut sets = 0_u8;
        for set in records.chunk_by(|a, b| a.rtype == b.rtype) {
            let ttl = index.check_set(name, set, faults);
            if name == 0 && set[0].rtype == Rtype::SOA {
                let minimum = set[0].rdata.last_chunk().map_or(0, |&octets| u32::from_be_bytes(octets));
                self.negative_ttl = ttl.min(minimum);
            }
            match sets.checked_add(1) {
                Some(more) => sets = more,
                None => {
                    let message = format!("{} has records of more than 255 types", index.text(name));
                    faults.push(Fault::error(Some(set[0].origin), message));
                    break;
                }
            }
            self.set(index, name, set, ttl, faults);
        }
        self.nodes[start + NODE_OCTETS - 1] = sets;
    }

    /// A link to the node of a name.
    fn link(&mut self, name: u32) {
        self.open_links.push((u32::try_from(self.nodes.len()).unwrap_or(NOWHERE), name));
        self.nodes.extend(&[0; 4]);
    }

    /// Appends a record set, without records that are there already.
    fn set(&mut self, index: &Index, name: u32, set: &[Pending<'_>], ttl: u32, faults: &mut Vec<Fault>) {
        let (rtype, apex): (Rtype, &Name) = (set[0].rtype, &index.apex);
        if let [record] = set {
            rrset::write(&mut self.nodes, apex, rtype, ttl, std::iter::once(record.rdata));
            return;
        }
        let mut distinct: Vec<&[u8]> = Vec::with_capacity(set.len());
        let mut seen: HashSet<&[u8]> = HashSet::new();
        for record in set {
            let is_new =
                if set.len() > COMPARED_MAX { seen.insert(record.rdata) } else { !distinct.contains(&record.rdata) };
            if is_new {
                distinct.push(record.rdata);
            } else {
                let message = format!("this {rtype} record of {} is there twice", index.text(name));
                faults.push(Fault::warning(Some(record.origin), message));
            }
        }
        rrset::write(&mut self.nodes, apex, rtype, ttl, distinct.into_iter());
    }
}

/// Labels of a name without its end.
fn labels_in(mut octets: &[u8]) -> usize {
    let mut count = 0;
    while let Some((&length, after)) = octets.split_first() {
        octets = after.get(usize::from(length)..).unwrap_or_default();
        count += 1;
    }
    count
}
