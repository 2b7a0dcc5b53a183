//! Which records lead to balanced names whose addresses are to be their hints, and what must hold of them.

use super::{Builder, Fault, NONE, Origin};
use crate::wire::name::Name;
use crate::wire::qname::Qname;
use crate::wire::rtype::Rtype;
use crate::zone::hints::{self, Hints};
use crate::zone::tree::Kind;

impl Builder {
    /// Lays out every SVCB and HTTPS set of which a record leads to one of the names that ask for it. To be called
    /// when delegations are marked.
    pub(super) fn lay_out_hints(&self, faults: &mut Vec<Fault>) -> Hints {
        let mut laid_out = Hints::default();
        if self.hinted.is_empty() {
            return laid_out;
        }
        let mut wanted: Vec<Wanted> =
            self.hinted.iter().map(|&(entry, origin)| Wanted { entry, origin, is_led_to: false }).collect();
        wanted.sort_by_key(|wanted| wanted.entry);
        let mut qname = Qname::default();
        for id in 0..self.entries.len() {
            for rtype in [Rtype::SVCB, Rtype::HTTPS] {
                if matches!(self.entries[id].kind, Kind::Cut | Kind::Below) || !self.has(id, rtype) {
                    continue;
                }
                let mut set: Vec<(Option<u32>, &[u8])> = Vec::new();
                let mut records = self.records_of(id);
                records.retain(|record| record.rtype == rtype);
                for record in &records {
                    let rdata = self.rdata_of(record);
                    if set.iter().any(|&(_, other)| other == rdata) {
                        continue;
                    }
                    let led_to = self.led_to(id, rdata, &mut qname);
                    let at = led_to.and_then(|entry| wanted.binary_search_by_key(&entry, |wanted| wanted.entry).ok());
                    if let Some(wanted) = at.and_then(|at| wanted.get_mut(at)) {
                        wanted.is_led_to = true;
                        if hints::makes_hints_mandatory(rdata) {
                            faults.push(self.mandatory(id, rtype, record.origin, wanted.origin));
                        }
                    }
                    let name = at.and(led_to).map(|entry| self.entries[entry as usize].link);
                    set.push((name, rdata));
                }
                if set.iter().any(|(name, _)| name.is_some()) {
                    laid_out.add(self.entries[id].name_at, rtype, set);
                }
            }
        }
        laid_out.sort();
        let idle = wanted.iter().filter(|wanted| !wanted.is_led_to);
        faults.extend(idle.map(|wanted| self.no_record(wanted)));
        laid_out
    }

    /// The balanced name that a record at `id` leads to: its owner where the target is the root (RFC 9460 §2.5.2),
    /// else the target, or the wildcard that stands for it.
    fn led_to(&self, id: usize, rdata: &[u8], qname: &mut Qname) -> Option<u32> {
        let target = hints::service_target(rdata)?;
        let entry = if target == [0] { u32::try_from(id).unwrap_or(NONE) } else { self.stands_for(target, qname)? };
        (self.entries.get(entry as usize)?.kind == Kind::Balanced).then_some(entry)
    }

    /// The entry that answers for `name` (RFC 4592 §3.3.1).
    fn stands_for(&self, name: &[u8], qname: &mut Qname) -> Option<u32> {
        qname.read(name).ok()?;
        let (skip, encloser) = (0..=qname.labels()).find_map(|skip| {
            let (octets, hash) = qname.ancestor(skip)?;
            Some((skip, self.slots.find(hash, |other| self.name(other) == octets)?))
        })?;
        match skip {
            0 => Some(encloser),
            _ if self.entries[encloser as usize].has_wildcard => {
                qname.read(&[b"\x01*", self.name(encloser)].concat()).ok()?;
                let (octets, hash) = qname.ancestor(0)?;
                self.slots.find(hash, |other| self.name(other) == octets)
            }
            _ => None,
        }
    }

    /// RFC 9460 §8: what is listed must be there, or clients throw the whole set away (§2.2).
    fn mandatory(&self, id: usize, rtype: Rtype, record: Origin, name: Origin) -> Fault {
        let message = format!("this {rtype} record of {} makes address hints mandatory", self.text(id));
        Fault::error(Some(record), message)
            .other(name, "these hints come from a pool")
            .help("a family of which nothing lives has no hint: take ipv4hint and ipv6hint out of `mandatory`")
    }

    fn no_record(&self, wanted: &Wanted) -> Fault {
        let owner = Name::from_wire(self.name(wanted.entry)).map_or_else(|_| String::new(), |name| name.to_string());
        let message = format!("{owner} has `hints`, and no HTTPS or SVCB record of the zone leads to it");
        let mut fault = Fault::error(Some(wanted.origin), message);
        fault.help = Some(format!(
            "add one to the zone's master file, which then says SOA and NS instead of [zone]: {owner} HTTPS 1 . alpn=h2"
        ));
        fault
    }
}

/// A balanced name that asks for hints.
struct Wanted {
    entry: u32,
    origin: Origin,
    is_led_to: bool,
}
