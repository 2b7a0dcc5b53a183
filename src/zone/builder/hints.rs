//! Which records lead to balanced names whose addresses are to be their hints, and what must hold of them.

use super::{Draft, Fault, Origin};
use crate::wire::qname::Qname;
use crate::wire::rtype::Rtype;
use crate::zone::hints::{self, Hints};
use crate::zone::tree::Kind;

impl Draft {
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
        for id in self.index.names() {
            for rtype in [Rtype::SVCB, Rtype::HTTPS] {
                if matches!(self.index.kind(id), Kind::Cut | Kind::Below) || !self.index.has(id, rtype) {
                    continue;
                }
                let mut set: Vec<(Option<u32>, &[u8])> = Vec::new();
                for record in self.index.records(id).filter(|record| record.rtype == rtype) {
                    let rdata = record.rdata;
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
                    let name = at.and(led_to).and_then(|entry| self.link(entry));
                    set.push((name, rdata));
                }
                if set.iter().any(|(name, _)| name.is_some()) {
                    laid_out.add(id, rtype, set);
                }
            }
        }
        let idle = wanted.iter().filter(|wanted| !wanted.is_led_to);
        faults.extend(idle.map(|wanted| self.no_record(wanted)));
        laid_out
    }

    /// The balanced name that a record at `id` leads to: its owner where the target is the root (RFC 9460 §2.5.2),
    /// else the target, or the wildcard that stands for it.
    fn led_to(&self, id: u32, rdata: &[u8], qname: &mut Qname) -> Option<u32> {
        let target = hints::service_target(rdata)?;
        let entry = if target == [0] { id } else { self.stands_for(target, qname)? };
        (self.index.kind(entry) == Kind::Balanced).then_some(entry)
    }

    /// The entry that answers for `name` (RFC 4592 §3.3.1).
    fn stands_for(&self, name: &[u8], qname: &mut Qname) -> Option<u32> {
        qname.read(name).ok()?;
        match self.index.find_at_or_above(qname)? {
            (0, encloser) => Some(encloser),
            (_, encloser) if self.index.flags(encloser).has_wildcard() => {
                qname.read(&[b"\x01*", &*self.index.full_name(encloser)].concat()).ok()?;
                self.index.find(qname, 0)
            }
            _ => None,
        }
    }

    /// The number in the policy file of a balanced name.
    fn link(&self, name: u32) -> Option<u32> {
        let at = self.links.binary_search_by_key(&name, |&(of, _)| of).ok()?;
        self.links.get(at).map(|&(_, link)| link)
    }

    /// RFC 9460 §8: what is listed must be there, or clients throw the whole set away (§2.2).
    fn mandatory(&self, id: u32, rtype: Rtype, record: Origin, name: Origin) -> Fault {
        let message = format!("this {rtype} record of {} makes address hints mandatory", self.index.text(id));
        Fault::error(Some(record), message)
            .other(name, "these hints come from a pool")
            .help("a family of which nothing lives has no hint: take ipv4hint and ipv6hint out of `mandatory`")
    }

    fn no_record(&self, wanted: &Wanted) -> Fault {
        let owner = self.index.text(wanted.entry);
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
