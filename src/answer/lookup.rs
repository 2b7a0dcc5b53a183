//! The algorithm of RFC 1034 §4.3.2, over the names that a zone's tree finds.

use std::ptr;

use super::Question;
use super::compose::{Composer, Owner};
use super::screen::is_any;
use super::steer::{self, Outcome, Wanted};
use super::witness::{Finding, Witness};
use super::worker::Worker;
use crate::policy::{Family, LivePool};
use crate::snapshot::{Served, Snapshot};
use crate::wire::header::Rcode;
use crate::wire::name::{NAME_OCTETS_MAX, Name};
use crate::wire::qname::Qname;
use crate::wire::rtype::Rtype;
use crate::zone::{Cut, Found, Node, Zone};

/// Aliases followed in one answer, as many as BIND follows.
const CHAIN_MAX: usize = 16;

/// Answers the question in the worker's qname, and says with which code.
pub(super) fn answer<W: Witness>(
    snapshot: &Snapshot,
    worker: &mut Worker<W>,
    question: Question,
    composer: &mut Composer<'_, '_>,
) -> Rcode {
    let qtype = question.qtype;
    let Some(served) = zone_of(snapshot, &worker.qname, qtype) else { return Rcode::Refused };
    composer.enter_zone(worker.qname.octets().len(), served.zone.apex());
    let mut seen = [0; CHAIN_MAX + 1];
    for step in 0..seen.len() {
        let hash = worker.qname.ancestor(0).map_or(0, |(_, hash)| hash);
        // A chain that bites its tail has been told in full; its records must not come twice.
        if seen[..step].contains(&hash) {
            return Rcode::NoError;
        }
        seen[step] = hash;
        // An alias may lead into a zone below this one that is served here too. It has its own apex, and the
        // resolver asks for it by itself.
        if step > 0 && !zone_of(snapshot, &worker.qname, qtype).is_some_and(|zone| ptr::eq(zone, served)) {
            return Rcode::NoError;
        }
        match served.zone.find(&worker.qname, qtype) {
            Found::Cut(cut) => {
                tell(served, worker, Finding::Delegated);
                refer(cut, &worker.qname, composer);
                return Rcode::NoError;
            }
            Found::Dname(node) => {
                tell(served, worker, Finding::Alias);
                composer.authoritative();
                match redirect(&served.zone, node, worker, qtype, composer) {
                    Step::Done(rcode) => return rcode,
                    Step::Alias => {}
                }
            }
            Found::Missing => {
                tell(served, worker, Finding::Missing);
                composer.authoritative();
                composer.deny(&served.zone, served.zone.negative_ttl());
                return Rcode::NxDomain;
            }
            Found::Name(node) => {
                composer.authoritative();
                match from_node(served, node, worker, question, composer) {
                    Step::Done(rcode) => return rcode,
                    Step::Alias => {}
                }
            }
        }
    }
    // A longer chain gets what was followed of it; the resolver asks for the rest.
    Rcode::NoError
}

enum Step {
    Done(Rcode),
    /// The worker's qname is now an alias's target within the zone.
    Alias,
}

/// The longest apex above the name; above its parent for DS at an apex, if that zone is served too (RFC 4035
/// §3.1.4.1).
fn zone_of<'s>(snapshot: &'s Snapshot, qname: &Qname, qtype: Rtype) -> Option<&'s Served> {
    let served = snapshot.zone_of(qname, 0)?;
    if qtype == Rtype::DS && served.zone.apex_labels() == qname.labels() && qname.labels() > 0 {
        return snapshot.zone_of(qname, 1).or(Some(served));
    }
    Some(served)
}

/// Answers from a name that exists.
fn from_node<W: Witness>(
    served: &Served,
    node: Node<'_>,
    worker: &mut Worker<W>,
    question: Question,
    composer: &mut Composer<'_, '_>,
) -> Step {
    let qtype = question.qtype;
    let zone = &served.zone;
    let balanced = node.balanced().and_then(|index| Some((index, served.steering.names.get(index as usize)?)));
    if let Some((index, name)) = balanced {
        let present = |family: &Family| served.live.pool(*family, name.root).is_some_and(LivePool::is_present);
        let wanted = match (qtype, name.deciding()) {
            (Rtype::A, _) => Some(Wanted::Addresses(Family::V4)),
            (Rtype::AAAA, _) => Some(Wanted::Addresses(Family::V6)),
            // Nothing else stands at a name that may be an alias.
            (_, Some(family)) if is_any(qtype) => Some(Wanted::Addresses(family)),
            (_, Some(family)) => Some(Wanted::Alias(family)),
            // RFC 8482 §4.1: any one set will do, of the family that there is.
            _ if is_any(qtype) && node.rrsets().next().is_none() => {
                Family::BOTH.into_iter().find(present).map(Wanted::Addresses)
            }
            _ => None,
        };
        if let Some(wanted) = wanted {
            tell(served, worker, Finding::Balanced(index));
            return match steer::answer(served, name, worker, question, wanted, composer) {
                Outcome::Done(rcode) => Step::Done(rcode),
                Outcome::Alias { target, ttl } => lead_on(&served.zone, target, ttl, worker, qtype, composer),
            };
        }
    }
    let set = if is_any(qtype) { node.rrsets().next() } else { node.rrset(qtype) };
    if let Some(set) = set {
        tell(served, worker, Finding::Static);
        let rotation = match set.rtype {
            Rtype::A | Rtype::AAAA if set.count > 1 => worker.rotation(node.number(), set.rtype, set.count),
            _ => 0,
        };
        composer.answer_set(set, rotation);
        return Step::Done(Rcode::NoError);
    }
    if let Some(alias) = node.rrset(Rtype::CNAME) {
        tell(served, worker, Finding::Alias);
        if !composer.answer_set(alias, 0) {
            return Step::Done(Rcode::NoError);
        }
        let Some(target) = alias.records().next() else { return Step::Done(Rcode::NoError) };
        // Only a target within the zone is followed: what lies outside, the resolver asks for itself.
        let (labels, apex) = match target.name() {
            (labels, true) => (labels, zone.apex().as_wire()),
            // Within the root all names are, and they stand in full: no pointer would be shorter.
            (name, false) if zone.apex().is_root() => (name, &[][..]),
            _ => return Step::Done(Rcode::NoError),
        };
        if worker.qname.join(labels, apex).is_err() {
            return Step::Done(Rcode::NoError);
        }
        composer.follow_alias();
        return Step::Alias;
    }
    tell(served, worker, Finding::NoData);
    composer.deny(zone, zone.negative_ttl());
    Step::Done(Rcode::NoError)
}

fn tell<W: Witness>(served: &Served, worker: &mut Worker<W>, finding: Finding) {
    worker.witness.found(served, worker.qname.octets(), finding);
}

/// Redirects a name below a DNAME record: the record, and the alias that it makes of the name (RFC 6672 §3.1),
/// with the same TTL.
fn redirect<W>(
    zone: &Zone,
    node: Node<'_>,
    worker: &mut Worker<W>,
    qtype: Rtype,
    composer: &mut Composer<'_, '_>,
) -> Step {
    let Some(set) = node.rrset(Rtype::DNAME) else { return Step::Done(Rcode::ServFail) };
    let Some(record) = set.records().next() else { return Step::Done(Rcode::ServFail) };
    let qname = &mut worker.qname;
    let owner = qname.ancestor(qname.labels() - node.labels()).map_or(0, |(octets, _)| octets.len());
    let above = qname.octets().len() - owner;
    if !composer.answer_owned(Owner::Suffix(above), set) {
        return Step::Done(Rcode::NoError);
    }
    let mut prefix = [0; NAME_OCTETS_MAX];
    let (Some(target), Some(labels)) = (prefix.get_mut(..above), qname.octets().get(..above)) else {
        return Step::Done(Rcode::ServFail);
    };
    target.copy_from_slice(labels);
    if qname.join(target, record.rdata).is_err() {
        return Step::Done(Rcode::YxDomain);
    }
    answer_alias(zone, qname, set.ttl, qtype, composer)
}

/// Leads on to where a balanced name's pool leads its clients.
fn lead_on<W>(
    zone: &Zone,
    target: &Name,
    ttl: u32,
    worker: &mut Worker<W>,
    qtype: Rtype,
    composer: &mut Composer<'_, '_>,
) -> Step {
    if worker.qname.read(target.as_wire()).is_err() {
        return Step::Done(Rcode::ServFail);
    }
    answer_alias(zone, &worker.qname, ttl, qtype, composer)
}

/// Answers with an alias to `target`, a name in full, and says whether it is to be followed: only within the zone.
fn answer_alias(zone: &Zone, target: &Qname, ttl: u32, qtype: Rtype, composer: &mut Composer<'_, '_>) -> Step {
    // Where the alias itself was asked for, it is the answer.
    if !composer.answer_alias(ttl, target.octets()) || qtype == Rtype::CNAME || is_any(qtype) {
        return Step::Done(Rcode::NoError);
    }
    let within = target.labels().checked_sub(zone.apex_labels()).and_then(|skip| target.ancestor(skip));
    match within {
        Some((ancestor, _)) if ancestor == zone.apex().as_wire() => {
            composer.follow_alias();
            Step::Alias
        }
        _ => Step::Done(Rcode::NoError),
    }
}

/// A referral: the NS set of the cut and the addresses of those servers that only this zone can give (RFC 9471:
/// all of them, or TC). A DS set belongs to it only in a signed zone (RFC 4035 §3.1.4.1), which none here is.
fn refer(cut: Cut<'_>, qname: &Qname, composer: &mut Composer<'_, '_>) {
    let above = qname.labels().saturating_sub(cut.node().labels());
    let owner_octets = qname.ancestor(above).map_or(0, |(octets, _)| octets.len());
    let owner = Owner::Suffix(qname.octets().len() - owner_octets);
    if let Some(set) = cut.node().rrset(Rtype::NS) {
        composer.authority_set(owner, set, set.ttl);
    }
    for server in cut.glue() {
        for rtype in [Rtype::A, Rtype::AAAA] {
            if let Some(set) = server.rrset(rtype) {
                composer.additional_set(Owner::BeforeApex(server.labels_before_apex()), set);
            }
        }
    }
}
