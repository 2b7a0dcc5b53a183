//! Records in any order → a [`Zone`], or every reason why not.
//!
//! The checks are those without which the lookup of [`super::tree`] would not be the standards': they run here,
//! once, so that a query need not doubt what it finds.

use super::rrset::{self, split_name};
use super::tree::{CutEntry, Entry, Kind, Table, Zone};
use crate::diagnostic::Severity;
use crate::wire::name::Name;
use crate::wire::qname::Qname;
use crate::wire::rtype::Rtype;

/// Where a record came from; the caller gives the numbers their meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Origin {
    /// Which file.
    pub file: u16,
    /// Which line of it, counted from 1.
    pub line: u32,
}

/// Something wrong with a zone as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// An error keeps the zone from being served.
    pub severity: Severity,
    /// The record that is at fault; `None` when the fault is that there is none.
    pub at: Option<Origin>,
    /// What is wrong.
    pub message: String,
    /// The other record of a conflict.
    pub other: Option<(Origin, String)>,
    /// What would be right.
    pub help: Option<String>,
}

impl Fault {
    fn error(at: Option<Origin>, message: String) -> Self {
        Self { severity: Severity::Error, at, message, other: None, help: None }
    }

    fn warning(at: Option<Origin>, message: String) -> Self {
        Self { severity: Severity::Warning, ..Self::error(at, message) }
    }

    fn other(self, origin: Origin, label: &str) -> Self {
        Self { other: Some((origin, label.to_owned())), ..self }
    }

    fn help(self, help: &str) -> Self {
        Self { help: Some(help.to_owned()), ..self }
    }
}

/// What may stand beside a balanced name's own answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beside {
    /// Records of every type but addresses and aliases.
    OtherTypes,
    /// Nothing: its pool may make an alias of it (RFC 1034 §3.6.2).
    Nothing,
}

/// Collects a zone's records.
#[derive(Debug)]
pub struct Builder {
    apex: Name,
    entries: Vec<Entry>,
    /// By entry: its last record, or [`NONE`].
    heads: Vec<u32>,
    slots: Growing,
    names: Vec<u8>,
    records: Vec<Pending>,
    rdata: Vec<u8>,
    balanced: Vec<(u32, Beside, Origin)>,
    has_dname: bool,
    /// The owner of the last record: master files go by owner, so most records find it here.
    last: Option<u32>,
    qname: Box<Qname>,
}

/// "No record", "no link".
const NONE: u32 = u32::MAX;

/// A record before its set is laid out.
#[derive(Clone, Copy, Debug)]
struct Pending {
    next: u32,
    rdata_at: u32,
    rdata_octets: u16,
    rtype: Rtype,
    ttl: u32,
    origin: Origin,
}

impl Builder {
    /// A zone at `apex`, empty.
    pub fn new(apex: &Name) -> Self {
        let mut builder = Self {
            apex: apex.to_lowercase(),
            entries: Vec::new(),
            heads: Vec::new(),
            slots: Growing::default(),
            names: Vec::new(),
            records: Vec::new(),
            rdata: Vec::new(),
            balanced: Vec::new(),
            has_dname: false,
            last: None,
            qname: Box::default(),
        };
        let apex = builder.apex.clone();
        builder.entry(apex.as_wire());
        builder
    }

    /// Adds a record. `owner` is a name in wire form at or below the apex, in any case; `rdata` is uncompressed
    /// and valid for its type.
    pub fn add(&mut self, owner: &[u8], rtype: Rtype, ttl: u32, rdata: &[u8], origin: Origin) {
        let entry = match self.last {
            Some(last) if self.name(last).eq_ignore_ascii_case(owner) => last,
            _ => self.entry(owner),
        };
        self.last = Some(entry);
        if rtype == Rtype::DNAME {
            self.has_dname = true;
            self.entries[entry as usize].has_dname = true;
        }
        let head = &mut self.heads[entry as usize];
        self.records.push(Pending {
            next: *head,
            rdata_at: number(self.rdata.len()),
            rdata_octets: u16::try_from(rdata.len()).unwrap_or(u16::MAX),
            rtype,
            ttl,
            origin,
        });
        *head = number(self.records.len() - 1);
        self.rdata.extend_from_slice(rdata);
    }

    /// Makes `owner`, at or below the apex, the balanced name number `index` of the policy file.
    pub fn balance(&mut self, owner: &Name, index: u32, beside: Beside, origin: Origin) {
        let entry = self.entry(owner.as_wire());
        self.entries[entry as usize].kind = Kind::Balanced;
        self.entries[entry as usize].link = index;
        self.balanced.push((entry, beside, origin));
    }

    /// Lays everything out. The zone is `None` when a fault is an error.
    pub fn finish(mut self) -> (Option<Zone>, Vec<Fault>) {
        let mut faults = Vec::new();
        self.cut();
        let mut sets = Vec::new();
        let mut negative_ttl = 0;
        for id in 0..self.entries.len() {
            let mut records = self.records_of(id);
            records.sort_by_key(|record| (record.rtype, record.origin));
            self.check_name(id, &records, &mut faults);
            self.entries[id].sets_at = number(sets.len());
            for set in records.chunk_by(|a, b| a.rtype == b.rtype) {
                let ttl = self.check_set(id, set, &mut faults);
                if id == 0 && set[0].rtype == Rtype::SOA {
                    let minimum = self.rdata_of(&set[0]).last_chunk().map_or(0, |&octets| u32::from_be_bytes(octets));
                    negative_ttl = ttl.min(minimum);
                }
                let mut distinct: Vec<&[u8]> = Vec::with_capacity(set.len());
                for record in set {
                    let rdata = self.rdata_of(record);
                    if set.len() > 1 && distinct.contains(&rdata) {
                        let message = format!("this {} record of {} is there twice", record.rtype, self.text(id));
                        faults.push(Fault::warning(Some(record.origin), message));
                    } else {
                        distinct.push(rdata);
                    }
                }
                rrset::write(&mut sets, &self.apex, set[0].rtype, ttl, distinct.into_iter());
                self.entries[id].sets += 1;
            }
        }
        for &(id, beside, origin) in &self.balanced {
            self.check_balanced(id as usize, beside, origin, &mut faults);
        }
        self.check_nameservers(&mut faults);
        let cuts = self.glue(&mut faults);
        if sets.len() > NONE as usize || self.names.len() > NONE as usize {
            faults.push(Fault::error(None, "a zone cannot be larger than 4 GiB".to_owned()));
        }
        faults.sort_by_key(|fault| (fault.severity, fault.at));
        if faults.iter().any(|fault| fault.severity == Severity::Error) {
            return (None, faults);
        }
        let zone = Zone {
            apex_labels: self.apex.labels().count(),
            labels_max: self.entries.iter().map(|entry| usize::from(entry.labels)).max().unwrap_or(0),
            table: Table::of(self.entries.iter().map(|entry| entry.hash)),
            apex: self.apex,
            entries: self.entries.into(),
            names: self.names.into(),
            sets: sets.into(),
            cuts,
            negative_ttl,
        };
        (Some(zone), faults)
    }

    /// The entry of `owner`, made with all the empty non-terminals above it when it is new.
    fn entry(&mut self, owner: &[u8]) -> u32 {
        let mut qname = std::mem::take(&mut self.qname);
        // The reader of names and `Name` both hand over valid names only; a wrong one lands at the apex.
        let labels = if qname.read(owner).is_ok() { qname.labels() } else { 0 };
        let apex_labels = self.entries.first().map_or(labels, |top| usize::from(top.labels));
        let mut found = 0;
        for skip in 0..=labels.saturating_sub(apex_labels) {
            let Some((octets, hash)) = qname.ancestor(skip) else { break };
            let existing = self.slots.find(hash, |id| {
                let entry = &self.entries[id as usize];
                entry.hash == hash && self.name(id) == octets
            });
            let id = existing.unwrap_or_else(|| self.push(octets, hash, labels - skip));
            if skip == 0 {
                found = id;
            } else if qname.ancestor(skip - 1).is_some_and(|(child, _)| child.starts_with(b"\x01*")) {
                self.entries[id as usize].has_wildcard = true;
            }
            if existing.is_some() {
                break;
            }
        }
        self.qname = qname;
        found
    }

    fn push(&mut self, octets: &[u8], hash: u32, labels: usize) -> u32 {
        let id = number(self.entries.len());
        self.entries.push(Entry {
            hash,
            name_at: number(self.names.len()),
            sets_at: 0,
            link: NONE,
            name_octets: u8::try_from(octets.len()).unwrap_or(u8::MAX),
            labels: u8::try_from(labels).unwrap_or(u8::MAX),
            sets: 0,
            kind: Kind::Plain,
            has_wildcard: false,
            has_dname: false,
        });
        self.heads.push(NONE);
        self.names.extend_from_slice(octets);
        self.slots.insert(id, &self.entries);
        id
    }

    fn name(&self, id: u32) -> &[u8] {
        let entry = &self.entries[id as usize];
        &self.names[entry.name_at as usize..][..usize::from(entry.name_octets)]
    }

    fn text(&self, id: usize) -> String {
        Name::from_wire(self.name(number(id))).map_or_else(|_| String::new(), |name| name.to_string())
    }

    /// The records of an entry, in the order in which they were added.
    fn records_of(&self, id: usize) -> Vec<Pending> {
        let mut records = Vec::new();
        let mut at = self.heads[id];
        while let Some(record) = self.records.get(at as usize) {
            records.push(*record);
            at = record.next;
        }
        records.reverse();
        records
    }

    fn rdata_of(&self, record: &Pending) -> &[u8] {
        &self.rdata[record.rdata_at as usize..][..usize::from(record.rdata_octets)]
    }

    fn has(&self, id: usize, rtype: Rtype) -> bool {
        let mut at = self.heads[id];
        while let Some(record) = self.records.get(at as usize) {
            if record.rtype == rtype {
                return true;
            }
            at = record.next;
        }
        false
    }

    /// Marks every delegation and everything below one, and numbers the delegations that are left.
    fn cut(&mut self) {
        let delegated: Vec<usize> = (1..self.entries.len()).filter(|&id| self.has(id, Rtype::NS)).collect();
        for &id in &delegated {
            self.entries[id].kind = Kind::Cut;
        }
        if delegated.is_empty() {
            return;
        }
        let below: Vec<(usize, u32)> =
            (1..self.entries.len()).filter_map(|id| Some((id, self.cut_above(id)?))).collect();
        for &(id, _) in &below {
            self.entries[id].kind = Kind::Below;
        }
        let left = delegated.into_iter().filter(|&id| self.entries[id].kind == Kind::Cut).collect::<Vec<_>>();
        for (number, id) in (0..).zip(left) {
            self.entries[id].link = number;
        }
        for (id, cut) in below {
            self.entries[id].link = self.entries[cut as usize].link;
        }
    }

    /// The highest delegation above an entry: what is below it is not this zone's, further delegations included.
    fn cut_above(&self, id: usize) -> Option<u32> {
        self.highest_above(id, |entry| entry.kind == Kind::Cut)
    }

    /// The highest ancestor within the zone, the apex included, of which `wanted` holds.
    fn highest_above(&self, id: usize, wanted: impl Fn(&Entry) -> bool) -> Option<u32> {
        let mut qname = Qname::default();
        qname.read(self.name(number(id))).ok()?;
        let apex_labels = usize::from(self.entries[0].labels);
        (1..=qname.labels().saturating_sub(apex_labels)).rev().find_map(|skip| {
            let (octets, hash) = qname.ancestor(skip)?;
            let ancestor = self.slots.find(hash, |other| self.name(other) == octets)?;
            wanted(&self.entries[ancestor as usize]).then_some(ancestor)
        })
    }

    /// What must hold of the records of one name together.
    fn check_name(&self, id: usize, records: &[Pending], faults: &mut Vec<Fault>) {
        let first = |rtype: Rtype| records.iter().find(|record| record.rtype == rtype);
        if id == 0 {
            let apex = &self.apex;
            if first(Rtype::SOA).is_none() {
                faults.push(
                    Fault::error(None, format!("zone {apex} has no SOA record"))
                        .help("a zone begins with one SOA record at its apex"),
                );
            }
            if first(Rtype::NS).is_none() {
                faults.push(
                    Fault::error(None, format!("zone {apex} has no NS record at its apex"))
                        .help("name the servers that the zone is delegated to, two at least"),
                );
            }
        } else if let Some(soa) = first(Rtype::SOA) {
            let message = format!("an SOA record at {}, which is not the apex {}", self.text(id), self.apex);
            faults.push(Fault::error(Some(soa.origin), message).help("a zone has one SOA record, at its apex"));
        }
        // RFC 1034 §3.6.2; RFC 4035 §2.5 lets signatures and denials stand beside an alias.
        if let Some(alias) = first(Rtype::CNAME) {
            let beside = records.iter().find(|record| !matches!(record.rtype.0, 5 | 46 | 47));
            if let Some(beside) = beside {
                let message = format!("{} has a CNAME record and other data ({})", self.text(id), beside.rtype);
                faults.push(
                    Fault::error(Some(alias.origin), message)
                        .other(beside.origin, "the other data")
                        .help("an alias stands alone (RFC 1034 §3.6.2)"),
                );
            }
        }
        if let (Some(ns), true) = (first(Rtype::NS), self.name(number(id)).starts_with(b"\x01*")) {
            let message = format!("a delegation at the wildcard {}", self.text(id));
            faults.push(Fault::error(Some(ns.origin), message).help("its meaning is undefined (RFC 4592 §4.2)"));
        }
        if self.has_dname
            && let (Some(record), Some(above)) = (records.first(), self.highest_above(id, |entry| entry.has_dname))
        {
            let message = format!("{} is below the DNAME record of {}", self.text(id), self.text(above as usize));
            faults.push(
                Fault::error(Some(record.origin), message)
                    .help("a DNAME record redirects every name below it (RFC 6672 §2.4)"),
            );
        }
    }

    /// A balanced name's addresses are its pool's alone.
    fn check_balanced(&self, id: usize, beside: Beside, origin: Origin, faults: &mut Vec<Fault>) {
        let records = self.records_of(id);
        let text = self.text(id);
        match self.entries[id].kind {
            Kind::Cut => {
                faults.push(Fault::error(Some(origin), format!("{text} is delegated away and cannot be balanced")))
            }
            Kind::Below => {
                faults.push(Fault::error(Some(origin), format!("{text} is below a delegation and cannot be balanced")))
            }
            Kind::Plain | Kind::Balanced => {}
        }
        let clash = records.iter().find(|record| matches!(record.rtype, Rtype::A | Rtype::AAAA | Rtype::CNAME));
        if let Some(clash) = clash {
            let message = format!("{text} is balanced and has {} records in the zone file too", clash.rtype);
            let help = "the pool answers for a balanced name: take the records out of the zone file, or the name out of [names]";
            faults.push(Fault::error(Some(origin), message).other(clash.origin, "the record").help(help));
        } else if let (Beside::Nothing, Some(other)) = (beside, records.first()) {
            let message = format!("{text} may be an alias, and has {} records in the zone file", other.rtype);
            let help = "an alias stands alone (RFC 1034 §3.6.2): take the records out, or the cname out of its pool";
            faults.push(Fault::error(Some(origin), message).other(other.origin, "the record").help(help));
        }
    }

    /// A server of the zone that lies in it and has no address: resolvers come by the parent's glue, then hold
    /// what the zone itself says, and lose it (RFC 2181 §5.4.1).
    fn check_nameservers(&self, faults: &mut Vec<Fault>) {
        let mut qname = Qname::default();
        for record in self.records_of(0).iter().filter(|record| record.rtype == Rtype::NS) {
            let (host, _) = split_name(self.rdata_of(record));
            if qname.read(host).is_err() || !is_at_or_below(&qname, self.name(0)) {
                continue;
            }
            let at_or_above = (0..=qname.labels()).find_map(|skip| {
                let (octets, hash) = qname.ancestor(skip)?;
                Some((skip == 0, self.slots.find(hash, |other| self.name(other) == octets)?))
            });
            let Some((exact, id)) = at_or_above else { continue };
            let entry = &self.entries[id as usize];
            let found = match entry.kind {
                Kind::Balanced if exact => true,
                // Whoever it is delegated to says its address.
                Kind::Cut | Kind::Below => true,
                Kind::Plain | Kind::Balanced if exact => {
                    self.has(id as usize, Rtype::A) || self.has(id as usize, Rtype::AAAA)
                }
                Kind::Plain | Kind::Balanced => entry.has_wildcard,
            };
            if !found {
                let host = Name::from_wire(qname.octets()).map_or_else(|_| String::new(), |host| host.to_string());
                let message = format!("the nameserver {host} lies in the zone, which gives no address for it");
                let help =
                    "give it the addresses that its parent's glue has: A or AAAA records, or `addresses` in [zone]";
                faults.push(Fault::warning(Some(record.origin), message).help(help));
            }
        }
    }

    /// What must hold of one record set; returns its TTL.
    fn check_set(&self, id: usize, set: &[Pending], faults: &mut Vec<Fault>) -> u32 {
        let (Some(first), text) = (set.first(), self.text(id)) else { return 0 };
        if let [_, second, ..] = set
            && matches!(first.rtype, Rtype::SOA | Rtype::CNAME | Rtype::DNAME)
        {
            let message = format!("{text} has more than one {} record", first.rtype);
            faults.push(Fault::error(Some(second.origin), message).other(first.origin, "the first one"));
        }
        // RFC 2181 §5.2: the TTLs of a set must not differ; the least is the safe one.
        let ttl = set.iter().map(|record| record.ttl).min().unwrap_or(0);
        if let Some(other) = set.iter().find(|record| record.ttl != first.ttl) {
            let message = format!("the {} records of {text} differ in TTL; all are served with {ttl}", first.rtype);
            faults.push(Fault::warning(Some(other.origin), message).other(first.origin, "the first one"));
        }
        if set.len() > usize::from(u16::MAX) {
            faults
                .push(Fault::error(Some(first.origin), format!("{text} has more than 65,535 {} records", first.rtype)));
        }
        ttl
    }

    /// The addresses that go with each referral; a server below the cut without one cannot be reached.
    fn glue(&self, faults: &mut Vec<Fault>) -> Box<[CutEntry]> {
        let mut qname = Qname::default();
        let mut cuts = Vec::new();
        for id in 1..self.entries.len() {
            if self.entries[id].kind != Kind::Cut {
                continue;
            }
            let mut glue = Vec::new();
            let delegated = self.name(number(id));
            for record in self.records_of(id).iter().filter(|record| record.rtype == Rtype::NS) {
                let (host, _) = split_name(self.rdata_of(record));
                if qname.read(host).is_err() {
                    continue;
                }
                let server = qname
                    .ancestor(0)
                    .and_then(|(octets, hash)| self.slots.find(hash, |other| self.name(other) == octets));
                let server = server
                    .filter(|&server| self.has(server as usize, Rtype::A) || self.has(server as usize, Rtype::AAAA));
                match server {
                    Some(server) if !glue.contains(&server) => glue.push(server),
                    Some(_) => {}
                    None if is_at_or_below(&qname, delegated) => {
                        let host =
                            Name::from_wire(qname.octets()).map_or_else(|_| String::new(), |host| host.to_string());
                        let message = format!(
                            "glue is missing: {host} serves the delegated {} and lies within it",
                            self.text(id)
                        );
                        faults.push(
                            Fault::error(Some(record.origin), message)
                                .help("add an A or AAAA record for it to this zone, or nobody can reach it"),
                        );
                    }
                    None => {}
                }
            }
            cuts.push(CutEntry { entry: number(id), glue: glue.into() });
        }
        cuts.into()
    }
}

/// Whether the name in `qname` is `ancestor`, in lower case, or below it.
fn is_at_or_below(qname: &Qname, ancestor: &[u8]) -> bool {
    (0..=qname.labels()).any(|skip| qname.ancestor(skip).is_some_and(|(octets, _)| octets == ancestor))
}

/// Offsets and numbers are 32 bits; [`Builder::finish`] refuses what is larger.
fn number(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(NONE)
}

/// The table while the zone grows: doubled whenever it is half full.
#[derive(Debug, Default)]
struct Growing {
    table: Vec<u32>,
}

impl Growing {
    fn find(&self, hash: u32, accept: impl Fn(u32) -> bool) -> Option<u32> {
        let mask = self.table.len().checked_sub(1)?;
        let mut at = hash as usize & mask;
        loop {
            let id = self.table[at].checked_sub(1)?;
            if accept(id) {
                return Some(id);
            }
            at = (at + 1) & mask;
        }
    }

    fn insert(&mut self, id: u32, entries: &[Entry]) {
        if entries.len() * 2 > self.table.len() {
            let room = (entries.len() * 4).next_power_of_two();
            self.table = vec![0; room];
            for other in 0..id {
                self.place(other, entries);
            }
        }
        self.place(id, entries);
    }

    fn place(&mut self, id: u32, entries: &[Entry]) {
        let mask = self.table.len() - 1;
        let mut at = entries[id as usize].hash as usize & mask;
        while self.table[at] != 0 {
            at = (at + 1) & mask;
        }
        self.table[at] = id + 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOA: &[u8] = &[0; 22];
    const NS: &[u8] = b"\x02ns\x07example\x03net\x00";

    fn faults_of(records: &[(&str, Rtype, u32, &[u8])], balanced: &[&str]) -> Vec<String> {
        let apex = Name::from_host("Example.org").expect("a name");
        let name = |text: &str| Name::from_text(text.as_bytes(), Some(&apex)).expect("a name");
        let mut builder = Builder::new(&apex);
        for (line, &(owner, rtype, ttl, rdata)) in (1..).zip(records) {
            builder.add(name(owner).as_wire(), rtype, ttl, rdata, Origin { file: 0, line });
        }
        for (index, owner) in (0..).zip(balanced) {
            let (owner, beside) = match owner.strip_suffix(" alone") {
                Some(owner) => (owner, Beside::Nothing),
                None => (*owner, Beside::OtherTypes),
            };
            builder.balance(&name(owner), index, beside, Origin { file: 1, line: index + 1 });
        }
        let (zone, faults) = builder.finish();
        assert_eq!(zone.is_none(), faults.iter().any(|fault| fault.severity == Severity::Error));
        let line = |origin: Option<Origin>| origin.map_or(0, |origin| origin.line);
        faults.iter().map(|fault| format!("{}: {}", line(fault.at), fault.message)).collect()
    }

    #[test]
    fn a_zone_is_checked_as_a_whole() {
        let check = |records: &[(&str, Rtype, u32, &[u8])], balanced: &[&str], expected: &[&str]| {
            let whole: [(&str, Rtype, u32, &[u8]); 2] = [("@", Rtype::SOA, 60, SOA), ("@", Rtype::NS, 60, NS)];
            let faults = faults_of(&[&whole, records].concat(), balanced);
            assert_eq!(faults.len(), expected.len(), "{faults:?}");
            for (fault, expected) in faults.iter().zip(expected) {
                assert!(fault.contains(expected), "{fault:?} lacks {expected:?}");
            }
        };
        let (a, b) = (&[192, 0, 2, 1][..], &[192, 0, 2, 2][..]);
        check(&[("www", Rtype::A, 60, a)], &["api"], &[]);
        check(
            &[("www", Rtype::A, 60, a), ("www", Rtype::A, 60, a)],
            &[],
            &["4: this A record of www.example.org. is there twice"],
        );
        check(
            &[("www", Rtype::A, 60, a), ("www", Rtype::A, 30, b)],
            &[],
            &["4: the A records of www.example.org. differ in TTL; all are served with 30"],
        );
        check(&[("@", Rtype::SOA, 60, b)], &[], &["3: example.org. has more than one SOA record"]);
        check(&[("x", Rtype::SOA, 60, SOA)], &[], &["3: an SOA record at x.example.org., which is not the apex"]);
        check(
            &[("x", Rtype::CNAME, 60, NS), ("x", Rtype::A, 60, a)],
            &[],
            &["3: x.example.org. has a CNAME record and other data (A)"],
        );
        check(
            &[("x", Rtype::CNAME, 60, NS), ("x", Rtype::CNAME, 60, b"\0")],
            &[],
            &["4: x.example.org. has more than one CNAME"],
        );
        check(&[("*", Rtype::NS, 60, NS)], &[], &["3: a delegation at the wildcard"]);
        let below = &["4: a.x.example.org. is below the DNAME record of x.example.org."];
        check(&[("x", Rtype::DNAME, 60, NS), ("a.x", Rtype::A, 60, a)], &[], below);
        check(
            &[("x", Rtype::NS, 60, b"\x02ns\x01x\x07example\x03org\x00")],
            &[],
            &["3: glue is missing: ns.x.example.org."],
        );
        check(&[("www", Rtype::A, 60, a)], &["www"], &["1: www.example.org. is balanced and has A records"]);
        check(&[("x", Rtype::CNAME, 60, NS)], &["X"], &["1: x.example.org. is balanced and has CNAME records"]);
        check(&[("www", Rtype::TXT, 60, b"\x00")], &["www", "api alone"], &[]);
        let beside = "1: www.example.org. may be an alias, and has TXT records";
        check(&[("www", Rtype::TXT, 60, b"\x00")], &["www alone"], &[beside]);
        check(&[("www", Rtype::A, 60, a)], &["www alone"], &["1: www.example.org. is balanced and has A records"]);
        check(
            &[("x", Rtype::NS, 60, NS)],
            &["x", "a.x"],
            &["1: x.example.org. is delegated", "2: a.x.example.org. is below"],
        );
        assert_eq!(faults_of(&[], &[]).len(), 2);
    }

    #[test]
    fn a_nameserver_in_the_zone_needs_an_address() {
        // Whether there is the one warning, of the zone's server ns1.sub.example.org.
        let check = |records: &[(&str, Rtype, u32, &[u8])], balanced: &[&str], warned: bool| {
            let server = b"\x03NS1\x03sub\x07example\x03org\x00";
            let whole: [(&str, Rtype, u32, &[u8]); 2] = [("@", Rtype::SOA, 60, SOA), ("@", Rtype::NS, 60, server)];
            let faults = faults_of(&[&whole, records].concat(), balanced);
            let warning =
                "2: the nameserver ns1.sub.example.org. lies in the zone, which gives no address for it".to_owned();
            assert_eq!(faults.contains(&warning), warned, "{faults:?}");
        };
        let (a, aaaa) = (&[192, 0, 2, 1][..], &[0; 16][..]);
        check(&[], &[], true);
        check(&[("ns1.sub", Rtype::TXT, 60, b"\x01x")], &[], true);
        check(&[("ns1.sub", Rtype::CNAME, 60, NS)], &[], true);
        check(&[("other.sub", Rtype::A, 60, a)], &[], true);
        check(&[("below.ns1.sub", Rtype::A, 60, a)], &[], true);
        check(&[("ns1.sub", Rtype::A, 60, a)], &[], false);
        check(&[("ns1.sub", Rtype::AAAA, 60, aaaa)], &[], false);
        check(&[], &["NS1.sub"], false);
        check(&[], &["sub"], true);
        check(&[("*", Rtype::A, 60, a)], &[], false);
        check(&[("*", Rtype::A, 60, a), ("x.sub", Rtype::A, 60, a)], &[], true);
        check(&[("*.sub", Rtype::A, 60, a)], &[], false);
        check(&[("sub", Rtype::NS, 60, NS)], &[], false);
    }
}
