//! What a zone says that can be served but helps nobody: names that lead to nothing, records that a delegation hides.
//! Warnings all: the zone's owner may know better, of a name that comes soon, say.

use super::{Draft, Fault, is_at_or_below};
use crate::wire::name::Name;
use crate::wire::qname::Qname;
use crate::wire::rtype::Rtype;
use crate::zone::records::Pending;
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

impl Draft {
    /// Checks the records of every name. To be called when delegations are marked.
    pub(super) fn check_sense(&self, faults: &mut Vec<Fault>) {
        let mut qname = Qname::default();
        let most = faults.len() + WARNINGS_MAX;
        let mut records = Vec::new();
        for &id in &self.leading {
            let mut is_hidden_told = false;
            self.index.gather(id, &mut records);
            for record in &records {
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
    fn lost(&self, id: u32, record: &Pending<'_>, qname: &mut Qname) -> Option<Fault> {
        let skip = match record.rtype {
            Rtype::CNAME => 0,
            // Servers of the zone itself are another check's.
            Rtype::NS if id > 0 && self.index.kind(id) == Kind::Cut => 0,
            Rtype::MX => 2,
            Rtype::SRV => 6,
            _ => return None,
        };
        if self.index.kind(id) == Kind::Below {
            return None;
        }
        let (host, _) = split_name(record.rdata.get(skip..)?);
        qname.read(host).ok()?;
        let (wrong, help) = match (self.target(qname), record.rtype) {
            (Target::Missing, _) => ("which this zone does not have", "add it, or a wildcard that stands for it"),
            (Target::Sound, _) | (_, Rtype::CNAME) => return None,
            (Target::Alias, _) => ("which is an alias", "name what the alias stands for (RFC 2181 §10.3)"),
            (Target::NoAddress, _) => ("which has no address in this zone", "give it an A or AAAA record"),
        };
        let host = Name::from_wire(qname.octets()).ok()?;
        let message = format!("the {} record of {} leads to {host}, {wrong}", record.rtype, self.index.text(id));
        Some(Fault::warning(Some(record.origin), message).help(help))
    }

    fn target(&self, qname: &Qname) -> Target {
        if !is_at_or_below(qname, self.index.apex.as_wire()) {
            return Target::Sound;
        }
        let Some((skipped, id)) = self.index.find_at_or_above(qname) else { return Target::Sound };
        let (exact, flags) = (skipped == 0, self.index.flags(id));
        let has = |rtype| self.index.has(id, rtype);
        match flags.kind() {
            Kind::Cut | Kind::Below => Target::Sound,
            _ if !exact && (flags.has_wildcard() || flags.has_dname()) => Target::Sound,
            _ if !exact => Target::Missing,
            Kind::Balanced => Target::Sound,
            Kind::Plain if has(Rtype::CNAME) => Target::Alias,
            Kind::Plain if has(Rtype::A) || has(Rtype::AAAA) => Target::Sound,
            Kind::Plain => Target::NoAddress,
        }
    }

    /// A record that no answer holds: beside or below a delegation, and neither glue nor the parent's to say (RFC 1034
    /// §4.2.1, RFC 4035 §2.4).
    fn hidden(&self, id: u32, record: &Pending<'_>) -> Option<Fault> {
        let is_signature = matches!(record.rtype.0, 46 | 47 | 50);
        let is_glue = matches!(record.rtype, Rtype::A | Rtype::AAAA);
        let is_parents = matches!(record.rtype, Rtype::NS | Rtype::DS);
        match self.index.kind(id) {
            Kind::Cut if !(is_signature || is_glue || is_parents) => {}
            Kind::Below if !(is_signature || is_glue) => {}
            Kind::Plain | Kind::Balanced if record.rtype == Rtype::DS => {
                let message = format!("a DS record at {}, which is not delegated", self.index.text(id));
                let help = "a DS record stands beside the NS records of a delegation (RFC 4035 §2.4)";
                return Some(Fault::warning(Some(record.origin), message).help(help));
            }
            _ => return None,
        }
        let message = format!("the {} record of {} is hidden by a delegation", record.rtype, self.index.text(id));
        Some(Fault::warning(Some(record.origin), message).help("it belongs into the delegated zone"))
    }
}
