//! A zone's names, compact, and the lookup of RFC 1034 §4.3.2.
//!
//! One [`Table`] of all owner names and of every empty non-terminal above them, so a name that exists costs one
//! probe. A name that does not is climbed towards the apex; the first ancestor that exists is the closest encloser
//! (RFC 4592 §3.3.1).
//!
//! What there is of a name lies together, in the order of the master file:
//!
//! ```text
//! node   octets of the labels 8 | flags 8 | record sets 8 | labels before the apex, in lower case | link 32 | sets…
//! ```
//!
//! A plain name has no link. That of a balanced one is its number in the policy file, that of a name below a
//! delegation the node of the delegation; a delegation has how many of its servers' addresses the zone knows, and
//! then the nodes of these. So a name that exists costs two reads that depend on one another, its slot and its node,
//! which is what a zone that no cache holds is paid in.
//!
//! A million names of ten octets with an A record each take 43 octets a name: 10.7 of table, 3 and the labels' 11 of
//! node, 18 of set.

use super::buffer::Buffer;
use super::hints::Hints;
use super::rrset::Rrset;
use super::table::Table;
use crate::wire::name::Name;
use crate::wire::qname::{Qname, hash_label, is_same};
use crate::wire::rtype::Rtype;

/// A zone, ready to answer.
#[derive(Debug)]
pub struct Zone {
    pub(super) apex: Name,
    pub(super) apex_labels: usize,
    /// Labels of the deepest owner.
    pub(super) labels_max: usize,
    pub(super) names: usize,
    /// Where nodes begin, by the hash of their whole names.
    pub(super) table: Table,
    /// That of the apex is the first.
    pub(super) nodes: Buffer,
    pub(super) hints: Hints,
    /// min(TTL of the SOA, its MINIMUM field), seconds (RFC 2308 §3).
    pub(super) negative_ttl: u32,
}

/// What a name is, beside its record sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Authoritative, static.
    Plain,
    /// Its A and AAAA are the pool's; its link says which name of the policy file.
    Balanced,
    /// Delegated away here.
    Cut,
    /// Below a cut: glue or occluded; linked to that cut.
    Below,
}

/// What a name is, in an octet.
///
/// ```text
/// 0 0 0 0 | has DNAME | has wildcard | kind 2
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Flags(pub(super) u8);

impl Flags {
    const WILDCARD: u8 = 4;
    const DNAME: u8 = 8;

    pub(super) const fn of(kind: Kind) -> Self {
        Self(kind as u8)
    }

    pub(super) const fn kind(self) -> Kind {
        match self.0 & 3 {
            0 => Kind::Plain,
            1 => Kind::Balanced,
            2 => Kind::Cut,
            _ => Kind::Below,
        }
    }

    /// The same name, of another kind.
    pub(super) fn turn(&mut self, kind: Kind) {
        self.0 = self.0 & !3 | kind as u8;
    }

    /// Whether the asterisk stands right below it.
    pub(super) const fn has_wildcard(self) -> bool {
        self.0 & Self::WILDCARD != 0
    }

    pub(super) fn give_wildcard(&mut self) {
        self.0 |= Self::WILDCARD;
    }

    /// Whether it owns a DNAME record.
    pub(super) const fn has_dname(self) -> bool {
        self.0 & Self::DNAME != 0
    }

    pub(super) fn give_dname(&mut self) {
        self.0 |= Self::DNAME;
    }
}

/// Octets of a node before its labels.
pub(super) const NODE_OCTETS: usize = 3;

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
    /// Where it begins among [`Zone::nodes`].
    at: u32,
    flags: Flags,
    sets: u8,
    labels: &'z [u8],
    /// What follows the labels.
    rest: &'z [u8],
}

/// A delegation.
#[derive(Clone, Copy, Debug)]
pub struct Cut<'z> {
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

    /// The node at the top.
    pub fn top(&self) -> Node<'_> {
        let nothing = Node { zone: self, at: 0, flags: Flags::of(Kind::Plain), sets: 0, labels: &[], rest: &[] };
        self.node(0).unwrap_or(nothing)
    }

    /// Walks through all names, one a call: the one at `place`, 0 for the apex, and the place of the next. Its owner
    /// is in full, in lower case. What lies below a cut is among them, and what owns no record.
    pub fn owner(&self, place: u32) -> Option<(Name, Node<'_>, u32)> {
        let node = self.node(place)?;
        let owner = [node.labels, self.apex.as_wire()].concat();
        let next = self.nodes.len() - node.after().len();
        Some((Name::from_wire(&owner).ok()?, node, u32::try_from(next).ok()?))
    }

    /// Names, empty non-terminals included.
    pub fn names(&self) -> usize {
        self.names
    }

    /// Looks `qname`, which is at or below the apex, up for a question of type `qtype`. The type matters only
    /// for DS, which the parent's side of a cut answers (RFC 4035 §3.1.4.1).
    ///
    /// Cost: one probe when the name exists, otherwise one for each label between it and its closest encloser.
    pub fn find(&self, qname: &Qname, qtype: Rtype) -> Found<'_> {
        if let Some(node) = self.named(qname.ancestor(0)) {
            return match node.flags.kind() {
                Kind::Plain | Kind::Balanced => Found::Name(node),
                Kind::Cut if qtype == Rtype::DS => Found::Name(node),
                Kind::Cut | Kind::Below => self.cut(node),
            };
        }
        // No ancestor deeper than the deepest owner can exist: a name of 127 labels climbs no further than
        // the zone is deep.
        let first = qname.labels().saturating_sub(self.labels_max).max(1);
        let last = qname.labels().saturating_sub(self.apex_labels);
        for skip in first..=last {
            let Some((ancestor, hash)) = qname.ancestor(skip) else { break };
            let Some(encloser) = self.named(Some((ancestor, hash))) else { continue };
            return match encloser.flags.kind() {
                Kind::Cut | Kind::Below => self.cut(encloser),
                _ if encloser.flags.has_dname() => Found::Dname(encloser),
                _ if encloser.flags.has_wildcard() => self.wildcard(encloser, hash),
                _ => Found::Missing,
            };
        }
        Found::Missing
    }

    /// The delegation that `node` is, or that it lies below.
    fn cut<'z>(&'z self, node: Node<'z>) -> Found<'z> {
        let cut = match node.flags.kind() {
            Kind::Below => node.link().and_then(|at| self.node(at)),
            _ => Some(node),
        };
        cut.map_or(Found::Missing, |node| Found::Cut(Cut { node }))
    }

    /// The source of synthesis below `encloser` (RFC 4592 §3.3.1).
    fn wildcard(&self, encloser: Node<'_>, hash: u32) -> Found<'_> {
        const ASTERISK: &[u8] = b"\x01*";
        let found = self.table.find(hash_label(hash, ASTERISK), |at| {
            let node = self.node(at)?;
            node.labels.strip_prefix(ASTERISK).is_some_and(|parent| parent == encloser.labels).then_some(node)
        });
        found.map_or(Found::Missing, Found::Name)
    }

    fn named(&self, name: Option<(&[u8], u32)>) -> Option<Node<'_>> {
        let (octets, hash) = name?;
        let labels = octets.get(..octets.len().checked_sub(self.apex.as_wire().len())?)?;
        self.table.find(hash, |at| self.node(at).filter(|node| is_same(node.labels, labels)))
    }

    fn node(&self, at: u32) -> Option<Node<'_>> {
        let (&[octets, flags, sets], rest) = self.nodes.get(at as usize..)?.split_first_chunk::<NODE_OCTETS>()?;
        let (labels, rest) = rest.split_at_checked(usize::from(octets))?;
        Some(Node { zone: self, at, flags: Flags(flags), sets, labels, rest })
    }
}

impl<'z> Node<'z> {
    /// The record set of `rtype`.
    pub fn rrset(self, rtype: Rtype) -> Option<Rrset<'z>> {
        self.rrsets().find(|set| set.rtype == rtype)
    }

    /// Every record set, by type.
    pub fn rrsets(self) -> impl Iterator<Item = Rrset<'z>> {
        let mut rest = self.sets();
        (0..self.sets).map_while(move |_| {
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
        if self.flags.kind() == Kind::Balanced { self.link() } else { None }
    }

    /// Labels of the owner, the root's not counted. Costs a walk along them.
    pub fn labels(self) -> usize {
        let (mut count, mut rest) = (self.zone.apex_labels, self.labels);
        while let Some((&length, after)) = rest.split_first() {
            rest = after.get(usize::from(length)..).unwrap_or_default();
            count += 1;
        }
        count
    }

    /// The owner's labels before the apex, in lower case.
    pub fn labels_before_apex(self) -> &'z [u8] {
        self.labels
    }

    /// A number of its own within the zone.
    pub fn number(self) -> u32 {
        self.at
    }

    fn link(self) -> Option<u32> {
        self.rest.first_chunk().copied().map(u32::from_be_bytes)
    }

    /// What follows link and glue.
    fn sets(self) -> &'z [u8] {
        let links = match self.flags.kind() {
            Kind::Plain => 0,
            Kind::Balanced | Kind::Below => 1,
            Kind::Cut => 1 + self.link().unwrap_or(0) as usize,
        };
        self.rest.get(4 * links..).unwrap_or_default()
    }

    /// What follows the node.
    fn after(self) -> &'z [u8] {
        (0..self.sets).try_fold(self.sets(), |rest, _| Some(Rrset::read(rest)?.1)).unwrap_or_default()
    }
}

impl<'z> Cut<'z> {
    /// The delegated name.
    pub fn node(self) -> Node<'z> {
        self.node
    }

    /// Its servers whose addresses this zone knows: each with its A and AAAA sets.
    pub fn glue(self) -> impl Iterator<Item = Node<'z>> {
        let Node { zone, rest, .. } = self.node;
        let (links, _) = rest.as_chunks::<4>();
        let (count, links) =
            links.split_first().map_or((0, links), |(&count, links)| (u32::from_be_bytes(count), links));
        links.iter().take(count as usize).filter_map(|&at| zone.node(u32::from_be_bytes(at)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::builder::Builder;
    use super::super::records::Origin;
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
