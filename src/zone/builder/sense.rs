//! What a zone says that can be served but helps nobody: names that lead to nothing, records that a delegation hides.
//! Warnings all: the zone's owner may know better, of a name that comes soon, say.

use super::{Builder, Fault, Pending};
use crate::wire::name::Name;
use crate::wire::qname::Qname;
use crate::wire::rtype::Rtype;
use crate::zone::rrset::split_name;
use crate::zone::tree::Kind;

/// Warnings of one zone, at the most: more than anyone reads, and a bound on what a large zone costs.
const WARNINGS_MAX: usize = 1_000;

/// What a name that a record leads to comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    /// It has an address, or may have one that this zone cannot know.
    Sound,
    /// The zone has no such name.
    Missing,
    /// It stands for another name.
    Alias,
    /// It has no address.
    NoAddress,
}

impl Builder {
    /// Checks the records of every name. To be called when delegations are marked.
    pub(super) fn check_sense(&self, faults: &mut Vec<Fault>) {
        let mut qname = Qname::default();
        let most = faults.len() + WARNINGS_MAX;
        for id in 0..self.entries.len() {
            let mut at = self.heads[id];
            let mut is_hidden_told = false;
            while let Some(record) = self.records.get(at as usize) {
                at = record.next;
                if faults.len() >= most {
                    return;
                }
                faults.extend(self.lost(id, record, &mut qname));
                if !is_hidden_told && let Some(fault) = self.hidden(id, record) {
                    faults.push(fault);
                    is_hidden_told = true;
                }
            }
        }
    }

    /// A record that leads to a name of this zone with which nobody gets on.
    fn lost(&self, id: usize, record: &Pending, qname: &mut Qname) -> Option<Fault> {
        let skip = match record.rtype {
            Rtype::CNAME => 0,
            // Servers of the zone itself are another check's.
            Rtype::NS if id > 0 && self.entries[id].kind == Kind::Cut => 0,
            Rtype::MX => 2,
            Rtype::SRV => 6,
            _ => return None,
        };
        if self.entries[id].kind == Kind::Below {
            return None;
        }
        let (host, _) = split_name(self.rdata_of(record).get(skip..)?);
        qname.read(host).ok()?;
        let (wrong, help) = match (self.target(qname), record.rtype) {
            (Target::Missing, _) => ("which this zone does not have", "add it, or a wildcard that stands for it"),
            (Target::Sound, _) | (_, Rtype::CNAME) => return None,
            (Target::Alias, _) => ("which is an alias", "name what the alias stands for (RFC 2181 §10.3)"),
            (Target::NoAddress, _) => ("which has no address in this zone", "give it an A or AAAA record"),
        };
        let host = Name::from_wire(qname.octets()).ok()?;
        let message = format!("the {} record of {} leads to {host}, {wrong}", record.rtype, self.text(id));
        Some(Fault::warning(Some(record.origin), message).help(help))
    }

    fn target(&self, qname: &Qname) -> Target {
        let apex = usize::from(self.entries[0].labels);
        let within = qname.labels().checked_sub(apex).and_then(|skip| qname.ancestor(skip));
        if within.is_none_or(|(octets, _)| octets != self.name(0)) {
            return Target::Sound;
        }
        let at_or_above = (0..=qname.labels()).find_map(|skip| {
            let (octets, hash) = qname.ancestor(skip)?;
            Some((skip == 0, self.slots.find(hash, |other| self.name(other) == octets)?))
        });
        let Some((exact, id)) = at_or_above else { return Target::Sound };
        let entry = &self.entries[id as usize];
        let has = |rtype| self.has(id as usize, rtype);
        match entry.kind {
            Kind::Cut | Kind::Below => Target::Sound,
            _ if !exact && (entry.has_wildcard || entry.has_dname) => Target::Sound,
            _ if !exact => Target::Missing,
            Kind::Balanced => Target::Sound,
            Kind::Plain if has(Rtype::CNAME) => Target::Alias,
            Kind::Plain if has(Rtype::A) || has(Rtype::AAAA) => Target::Sound,
            Kind::Plain => Target::NoAddress,
        }
    }

    /// A record that no answer holds: beside or below a delegation, and neither glue nor the parent's to say (RFC 1034
    /// §4.2.1, RFC 4035 §2.4).
    fn hidden(&self, id: usize, record: &Pending) -> Option<Fault> {
        let is_signature = matches!(record.rtype.0, 46 | 47 | 50);
        let is_glue = matches!(record.rtype, Rtype::A | Rtype::AAAA);
        let is_parents = matches!(record.rtype, Rtype::NS | Rtype::DS);
        match self.entries[id].kind {
            Kind::Cut if !(is_signature || is_glue || is_parents) => {}
            Kind::Below if !(is_signature || is_glue) => {}
            Kind::Plain | Kind::Balanced if record.rtype == Rtype::DS => {
                let message = format!("a DS record at {}, which is not delegated", self.text(id));
                let help = "a DS record stands beside the NS records of a delegation (RFC 4035 §2.4)";
                return Some(Fault::warning(Some(record.origin), message).help(help));
            }
            _ => return None,
        }
        let message = format!("the {} record of {} is hidden by a delegation", record.rtype, self.text(id));
        Some(Fault::warning(Some(record.origin), message).help("it belongs into the delegated zone"))
    }
}
