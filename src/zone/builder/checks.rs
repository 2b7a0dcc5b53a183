//! What a zone must not be: rules of one name, of one set, of the apex (RFC 1034 §3.6.2, RFC 2181 §5, RFC 6672 §2.3 and
//! §2.4). What is allowed and yet helps nobody is for `sense`.

use super::super::records::Pending;
use super::super::rrset::split_name;
use super::super::tree::{Flags, Kind};
use super::index::Index;
use super::{Balance, Beside, Draft, Fault, is_at_or_below};
use crate::wire::name::Name;
use crate::wire::qname::Qname;
use crate::wire::rtype::Rtype;

impl Index {
    /// What must hold of the records of one name together.
    pub(super) fn check_name(&self, id: u32, records: &[Pending<'_>], faults: &mut Vec<Fault>) {
        if id > 0 && matches!(records, [record] if matches!(record.rtype, Rtype::A | Rtype::AAAA)) {
            // What nearly all names of a large zone have, against which there are no rules.
            return;
        }
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
        if let (Some(ns), true) = (first(Rtype::NS), self.name(id).starts_with(b"\x01*")) {
            let message = format!("a delegation at the wildcard {}", self.text(id));
            faults.push(Fault::error(Some(ns.origin), message).help("its meaning is undefined (RFC 4592 §4.2)"));
        }
        if let Some(dname) = first(Rtype::DNAME) {
            if let (Some(ns), true) = (first(Rtype::NS), id > 0) {
                let message = format!("{} is delegated and has a DNAME record", self.text(id));
                faults.push(
                    Fault::error(Some(dname.origin), message)
                        .other(ns.origin, "the delegation")
                        .help("only the apex may have both (RFC 6672 §2.3)"),
                );
            }
            if self.name(id).starts_with(b"\x01*") {
                let message = format!("a DNAME record at the wildcard {}", self.text(id));
                faults.push(
                    Fault::warning(Some(dname.origin), message)
                        .help("it redirects nothing but names below the asterisk itself (RFC 4592 §4.4)"),
                );
            }
        }
    }

    /// What must hold of one record set; returns its TTL.
    pub(super) fn check_set(&self, id: u32, set: &[Pending<'_>], faults: &mut Vec<Fault>) -> u32 {
        let Some(first) = set.first() else { return 0 };
        if let [_] = set {
            return first.ttl;
        }
        let text = self.text(id);
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
}

impl Draft {
    /// What must hold of the balanced names.
    pub(super) fn check_balanced(&self, faults: &mut Vec<Fault>) {
        for balance in &self.balanced {
            self.check_beside(balance, faults);
        }
    }

    /// A balanced name's addresses are its pool's alone.
    fn check_beside(&self, balance: &Balance, faults: &mut Vec<Fault>) {
        let &Balance { run: id, beside, origin, .. } = balance;
        let records: Vec<Pending<'_>> = self.index.records(id).collect();
        if records.is_empty() && self.index.kind(id) == Kind::Balanced {
            return;
        }
        let text = self.index.text(id);
        match self.index.kind(id) {
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
    pub(super) fn check_nameservers(&self, faults: &mut Vec<Fault>) {
        let mut qname = Qname::default();
        for record in self.index.records(0).filter(|record| record.rtype == Rtype::NS) {
            let (host, _) = split_name(record.rdata);
            if qname.read(host).is_err() || !is_at_or_below(&qname, self.index.apex.as_wire()) {
                continue;
            }
            let Some((skipped, id)) = self.index.find_at_or_above(&qname) else { continue };
            let (exact, flags) = (skipped == 0, self.index.flags(id));
            let found = match flags.kind() {
                Kind::Balanced if exact => true,
                // Whoever it is delegated to says its address.
                Kind::Cut | Kind::Below => true,
                Kind::Plain | Kind::Balanced if exact => {
                    self.index.has(id, Rtype::A) || self.index.has(id, Rtype::AAAA)
                }
                Kind::Plain | Kind::Balanced => flags.has_wildcard(),
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

    /// Names below a DNAME record, which redirects all of them (RFC 6672 §2.4).
    pub(super) fn check_redirected(&self, faults: &mut Vec<Fault>) {
        if !self.has_dname {
            return;
        }
        for name in self.index.names() {
            if let Some(above) = self.index.highest_above(name, Flags::has_dname)
                && let Some(record) = self.index.records(name).min_by_key(|record| (record.rtype, record.origin))
            {
                let (text, above) = (self.index.text(name), self.index.text(above));
                let message = format!("{text} is below the DNAME record of {above}");
                faults.push(
                    Fault::error(Some(record.origin), message)
                        .help("a DNAME record redirects every name below it (RFC 6672 §2.4)"),
                );
            }
        }
    }
}
