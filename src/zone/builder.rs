//! Records in any order → a [`Zone`], or every reason why not.
//!
//! The checks are those without which the lookup of [`super::tree`] would not be the standards': they run here,
//! once, so that a query need not doubt what it finds.

mod checks;
mod hints;
mod sense;
#[cfg(test)]
mod tests;

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
    hinted: Vec<(u32, Origin)>,
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
            hinted: Vec::new(),
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

    /// Has the SVCB and HTTPS records that lead to `owner`, a balanced name, take their address hints from it.
    pub fn hint(&mut self, owner: &Name, origin: Origin) {
        let entry = self.entry(owner.as_wire());
        self.hinted.push((entry, origin));
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
        self.check_sense(&mut faults);
        let cuts = self.glue(&mut faults);
        let hints = self.lay_out_hints(&mut faults);
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
            hints,
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
