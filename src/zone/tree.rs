//! A zone's names, compact, and the lookup of RFC 1034 §4.3.2.
//!
//! One open-addressed table of all owner names and of every empty non-terminal above them, so a name that
//! exists costs one probe. A name that does not is climbed towards the apex; the first ancestor that exists is
//! the closest encloser (RFC 4592 §3.3.1).
//!
//! A million names with an A record each take about 90 octets a name: 20 of [`Entry`], 8 of table, the name,
//! the set.

use super::hints::Hints;
use super::rrset::Rrset;
use crate::wire::name::Name;
use crate::wire::qname::{Qname, hash_label};
use crate::wire::rtype::Rtype;

/// A zone, ready to answer.
#[derive(Debug)]
pub struct Zone {
    pub(super) apex: Name,
    pub(super) apex_labels: usize,
    /// Labels of the deepest owner.
    pub(super) labels_max: usize,
    pub(super) table: Table,
    pub(super) entries: Box<[Entry]>,
    pub(super) names: Box<[u8]>,
    pub(super) sets: Box<[u8]>,
    pub(super) cuts: Box<[CutEntry]>,
    pub(super) hints: Hints,
    /// min(TTL of the SOA, its MINIMUM field), seconds (RFC 2308 §3).
    pub(super) negative_ttl: u32,
}

/// What a name is, beside its record sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Authoritative, static.
    Plain,
    /// Its A and AAAA are the pool's; [`Entry::link`] says which name of the policy file.
    Balanced,
    /// Delegated away here; [`Entry::link`] is an index into [`Zone::cuts`].
    Cut,
    /// Below a cut: glue or occluded; linked to that cut.
    Below,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) hash: u32,
    pub(super) name_at: u32,
    pub(super) sets_at: u32,
    pub(super) link: u32,
    pub(super) name_octets: u8,
    pub(super) labels: u8,
    pub(super) sets: u8,
    pub(super) kind: Kind,
    pub(super) has_wildcard: bool,
    pub(super) has_dname: bool,
}

/// A delegation: where it is and which addresses of its servers this zone knows.
#[derive(Debug)]
pub(super) struct CutEntry {
    pub(super) entry: u32,
    pub(super) glue: Box<[u32]>,
}

/// What a lookup comes to.
#[derive(Clone, Copy, Debug)]
pub enum Found<'z> {
    /// The name exists, or a wildcard stands in for it.
    Name(Node<'z>),
    /// Somebody else's: a referral.
    Cut(Cut<'z>),
    /// Below a DNAME record, which stands at this node: redirected (RFC 6672).
    Dname(Node<'z>),
    /// No such name.
    Missing,
}

/// A name of the zone.
#[derive(Clone, Copy, Debug)]
pub struct Node<'z> {
    zone: &'z Zone,
    entry: &'z Entry,
}

/// A delegation.
#[derive(Clone, Copy, Debug)]
pub struct Cut<'z> {
    zone: &'z Zone,
    cut: &'z CutEntry,
    node: Node<'z>,
}

impl Zone {
    /// The name at its top, in lower case.
    pub fn apex(&self) -> &Name {
        &self.apex
    }

    /// Labels of the apex, the root's not counted.
    pub fn apex_labels(&self) -> usize {
        self.apex_labels
    }

    /// Seconds that "there is no such thing" may be believed (RFC 2308 §5).
    pub fn negative_ttl(&self) -> u32 {
        self.negative_ttl
    }

    /// The SOA's serial number.
    pub fn serial(&self) -> u32 {
        // Of the rdata, which ends in serial, refresh, retry, expire and minimum.
        let soa = self.top().rrset(Rtype::SOA).and_then(|set| set.records().next());
        let numbers = soa.and_then(|record| record.rdata.last_chunk::<20>());
        numbers.and_then(|numbers| numbers.first_chunk()).map_or(0, |&serial| u32::from_be_bytes(serial))
    }

    /// Its sets whose address hints are those of balanced names.
    pub fn hints(&self) -> &Hints {
        &self.hints
    }

    /// The node at the top; the builder makes it first.
    pub fn top(&self) -> Node<'_> {
        Node { zone: self, entry: &self.entries[0] }
    }

    /// The name with this number, below [`Zone::names`] and the apex's being 0: its owner in full, in lower case, and
    /// its node. What lies below a cut is among them, and what owns no record.
    pub fn owner(&self, number: usize) -> Option<(Name, Node<'_>)> {
        let node = Node { zone: self, entry: self.entries.get(number)? };
        let owner = [node.labels_before_apex(), self.apex.as_wire()].concat();
        Some((Name::from_wire(&owner).ok()?, node))
    }

    /// Names, empty non-terminals included.
    pub fn names(&self) -> usize {
        self.entries.len()
    }

    /// Looks `qname`, which is at or below the apex, up for a question of type `qtype`. The type matters only
    /// for DS, which the parent's side of a cut answers (RFC 4035 §3.1.4.1).
    ///
    /// Cost: one probe when the name exists, otherwise one for each label between it and its closest encloser.
    pub fn find(&self, qname: &Qname, qtype: Rtype) -> Found<'_> {
        if let Some(entry) = self.entry(qname.ancestor(0)) {
            return match entry.kind {
                Kind::Plain | Kind::Balanced => Found::Name(Node { zone: self, entry }),
                Kind::Cut if qtype == Rtype::DS => Found::Name(Node { zone: self, entry }),
                Kind::Cut | Kind::Below => self.cut(entry),
            };
        }
        // No ancestor deeper than the deepest owner can exist: a name of 127 labels climbs no further than
        // the zone is deep.
        let first = qname.labels().saturating_sub(self.labels_max).max(1);
        let last = qname.labels().saturating_sub(self.apex_labels);
        for skip in first..=last {
            let Some((ancestor, hash)) = qname.ancestor(skip) else { break };
            let Some(encloser) = self.entry(Some((ancestor, hash))) else { continue };
            return match encloser.kind {
                Kind::Cut | Kind::Below => self.cut(encloser),
                _ if encloser.has_dname => Found::Dname(Node { zone: self, entry: encloser }),
                _ if encloser.has_wildcard => self.wildcard(ancestor, hash),
                _ => Found::Missing,
            };
        }
        Found::Missing
    }

    fn cut(&self, entry: &Entry) -> Found<'_> {
        match self.cuts.get(entry.link as usize) {
            Some(cut) => {
                Found::Cut(Cut { zone: self, cut, node: Node { zone: self, entry: &self.entries[cut.entry as usize] } })
            }
            None => Found::Missing,
        }
    }

    /// The source of synthesis below `encloser` (RFC 4592 §3.3.1).
    fn wildcard(&self, encloser: &[u8], hash: u32) -> Found<'_> {
        const ASTERISK: &[u8] = b"\x01*";
        let hash = hash_label(hash, ASTERISK);
        let found = self.table.find(hash, |id| {
            let entry = self.entries.get(id as usize)?;
            let same =
                entry.hash == hash && self.name(entry).strip_prefix(ASTERISK).is_some_and(|parent| parent == encloser);
            same.then_some(entry)
        });
        found.map_or(Found::Missing, |entry| Found::Name(Node { zone: self, entry }))
    }

    fn entry(&self, name: Option<(&[u8], u32)>) -> Option<&Entry> {
        let (octets, hash) = name?;
        self.table.find(hash, |id| {
            let entry = self.entries.get(id as usize)?;
            (entry.hash == hash && self.name(entry) == octets).then_some(entry)
        })
    }

    fn name(&self, entry: &Entry) -> &[u8] {
        let start = entry.name_at as usize;
        self.names.get(start..start + usize::from(entry.name_octets)).unwrap_or_default()
    }
}

impl<'z> Node<'z> {
    /// The record set of `rtype`.
    pub fn rrset(self, rtype: Rtype) -> Option<Rrset<'z>> {
        self.rrsets().find(|set| set.rtype == rtype)
    }

    /// Every record set, by type.
    pub fn rrsets(self) -> impl Iterator<Item = Rrset<'z>> {
        let mut rest = self.zone.sets.get(self.entry.sets_at as usize..).unwrap_or_default();
        (0..self.entry.sets).map_while(move |_| {
            let (set, after) = Rrset::read(rest)?;
            rest = after;
            Some(set)
        })
    }

    /// The apex of its zone.
    pub fn apex(self) -> &'z Name {
        &self.zone.apex
    }

    /// Which balanced name of the policy file this is.
    pub fn balanced(self) -> Option<u32> {
        (self.entry.kind == Kind::Balanced).then_some(self.entry.link)
    }

    /// Labels of the owner, the root's not counted.
    pub fn labels(self) -> usize {
        usize::from(self.entry.labels)
    }

    /// The owner's labels before the apex, in lower case.
    pub fn labels_before_apex(self) -> &'z [u8] {
        let name = self.zone.name(self.entry);
        name.get(..name.len().saturating_sub(self.zone.apex.as_wire().len())).unwrap_or_default()
    }

    /// A number of its own within the zone.
    pub fn number(self) -> u32 {
        self.entry.name_at
    }
}

impl<'z> Cut<'z> {
    /// The delegated name.
    pub fn node(self) -> Node<'z> {
        self.node
    }

    /// Its servers whose addresses this zone knows: each with its A and AAAA sets.
    pub fn glue(self) -> impl Iterator<Item = Node<'z>> {
        let zone = self.zone;
        self.cut.glue.iter().filter_map(move |&id| Some(Node { zone, entry: zone.entries.get(id as usize)? }))
    }
}

/// Entry numbers by hash: linear probing, at most three quarters full.
#[derive(Debug, Default)]
pub(crate) struct Table {
    /// 1 + the number, 0 where free. A power of two of them, or none.
    slots: Box<[u32]>,
}

impl Table {
    /// A table with room for `entries`, which are numbered from 0, by their hashes.
    pub(crate) fn of(hashes: impl ExactSizeIterator<Item = u32>) -> Self {
        let room = (hashes.len() * 4 / 3 + 1).next_power_of_two();
        let mut table = Self { slots: vec![0; room].into() };
        for (number, hash) in (1..).zip(hashes) {
            table.insert(hash, number);
        }
        table
    }

    fn insert(&mut self, hash: u32, slot: u32) {
        let mask = self.slots.len() - 1;
        let mut at = hash as usize & mask;
        while self.slots[at] != 0 {
            at = (at + 1) & mask;
        }
        self.slots[at] = slot;
    }

    /// The first that `accept` takes of those whose hash may be `hash`.
    pub(crate) fn find<T>(&self, hash: u32, mut accept: impl FnMut(u32) -> Option<T>) -> Option<T> {
        let mask = self.slots.len().checked_sub(1)?;
        let mut at = hash as usize & mask;
        loop {
            let number = self.slots.get(at)?.checked_sub(1)?;
            if let Some(found) = accept(number) {
                return Some(found);
            }
            at = (at + 1) & mask;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::builder::{Builder, Origin};
    use super::*;

    fn zone(owners: &[(&str, Rtype, &[u8])]) -> Zone {
        let apex = Name::from_host("example.org").expect("a name");
        let mut builder = Builder::new(&apex);
        let soa = [b"\x00\x00".as_slice(), &[0; 20]].concat();
        let all = [("@", Rtype::SOA, soa.as_slice()), ("@", Rtype::NS, b"\x02ns\x07example\x03net\x00")];
        for (line, (owner, rtype, rdata)) in (1..).zip(all.iter().chain(owners)) {
            let owner = Name::from_text(owner.as_bytes(), Some(&apex)).expect("a name");
            builder.add(owner.as_wire(), *rtype, 300, rdata, Origin { file: 0, line });
        }
        let (zone, faults) = builder.finish();
        zone.unwrap_or_else(|| panic!("{faults:?}"))
    }

    const ADDRESS: (Rtype, &[u8]) = (Rtype::A, &[192, 0, 2, 1]);

    #[test]
    fn names_are_found_by_the_rules_of_rfc_1034_and_4592() {
        let (a, address) = ADDRESS;
        let zone = zone(&[
            ("www", a, address),
            ("a.b.c", a, address),
            ("*.w", a, address),
            ("host.w", a, address),
            ("sub", Rtype::NS, b"\x02ns\x03sub\x07example\x03org\x00"),
            ("ns.sub", a, address),
            ("sub", Rtype::DS, &[0; 24]),
            ("sub.sub", Rtype::NS, b"\x02ns\x07example\x03net\x00"),
            ("zub", Rtype::NS, b"\x02ns\x07example\x03net\x00"),
            ("moved", Rtype::DNAME, b"\x07example\x03net\x00"),
        ]);
        let check = |text: &str, qtype: Rtype, expected: &str| {
            let mut qname = Qname::default();
            let name = Name::from_host(text).expect("a name");
            qname.read(name.as_wire()).expect("a name");
            let got = match zone.find(&qname, qtype) {
                Found::Name(node) => format!("{} sets at {} labels", node.rrsets().count(), node.labels()),
                Found::Cut(cut) => format!("cut, {} glue", cut.glue().count()),
                Found::Dname(node) => format!("redirected at {} labels", node.labels()),
                Found::Missing => "missing".to_owned(),
            };
            assert_eq!(got, expected, "{text} {qtype:?}");
        };
        check("example.org", a, "2 sets at 2 labels");
        check("WWW.example.org", a, "1 sets at 3 labels");
        check("nope.example.org", a, "missing");
        check("below.www.example.org", a, "missing");
        check("c.example.org", a, "0 sets at 3 labels");
        check("b.c.example.org", a, "0 sets at 4 labels");
        check("x.c.example.org", a, "missing");
        check("x.w.example.org", a, "1 sets at 4 labels");
        check("y.x.w.example.org", a, "1 sets at 4 labels");
        check("w.example.org", a, "0 sets at 3 labels");
        // RFC 4592 §2.2.1: the closest encloser exists and has no wildcard of its own.
        check("x.host.w.example.org", a, "missing");
        check("*.w.example.org", a, "1 sets at 4 labels");
        check("sub.example.org", a, "cut, 1 glue");
        check("sub.example.org", Rtype::DS, "2 sets at 3 labels");
        check("ns.sub.example.org", a, "cut, 1 glue");
        check("deep.er.sub.example.org", Rtype::DS, "cut, 1 glue");
        check("x.sub.sub.example.org", a, "cut, 1 glue");
        check("x.zub.example.org", a, "cut, 0 glue");
        check("moved.example.org", a, "1 sets at 3 labels");
        check("y.x.moved.example.org", a, "redirected at 3 labels");
        check(&format!("{}example.org", "x.".repeat(100)), a, "missing");
        check(&format!("{}sub.example.org", "x.".repeat(100)), a, "cut, 1 glue");
    }
}
