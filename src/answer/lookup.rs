//! The algorithm of RFC 1034 §4.3.2, over the names that a zone's tree finds.
//!
//! Step 6, addresses of the servers that NS, MX, SRV and SVCB records name, is left out but for referrals, where
//! they are the glue without which nobody gets on (RFC 9471). Elsewhere resolvers ask for the addresses themselves,
//! since what came along is not to be believed for long (RFC 2181 §5.4.1), and small answers are not cut, amplify
//! less, and leave the choice of a balanced target's endpoint, its TTL and its scope to a question of its own: one
//! message has one client subnet scope for all of it (RFC 7871 §7.2.1). BIND, NSD and Knot can be told the same
//! (minimal responses).

use std::ptr;

use super::Question;
use super::compose::{Composer, Owner};
use super::explanation::Explanation;
use super::hint;
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
use crate::zone::{Cut, Found, Node};

/// Aliases followed in one answer, as many as BIND follows.
const CHAIN_MAX: usize = 16;

/// Answers the question in the worker's qname, and says with which code.
///
/// A chain of aliases is followed to the border of its zone, also where the next zone is served here. RFC 1034 §4.3.2
/// would look among all zones again, as NSD does; BIND and Knot do not, and neither do we: resolvers throw away what comes
/// from outside the zone that they asked (RFC 2181 §5.4.1) and ask anew, and a zone that was delegated elsewhere long
/// ago, but is still in the folder, must not put its old data, or its NXDOMAIN, into the answers of another. The code
/// is that of the last name (RFC 6604 §3), AA that of the first.
pub(super) fn answer<W: Witness>(
    snapshot: &Snapshot,
    worker: &mut Worker<W>,
    question: Question<'_>,
    composer: &mut Composer<'_, '_>,
) -> Rcode {
    let qtype = question.qtype;
    let Some(served) = zone_of(snapshot, &worker.qname, qtype) else { return refuse(snapshot, composer) };
    composer.enter_zone(worker.qname.octets().len(), served.zone.apex());
    worker.row = served.rows().zone;
    let asked = hash(&worker.qname);
    let found = served.zone.find(&worker.qname, qtype);
    // Limits go by the name that was asked for, not by where it leads.
    worker.place = place(served, &found);
    match from_found(served, found, worker, question, composer) {
        Step::Done(rcode) => rcode,
        Step::Alias => follow(snapshot, served, asked, worker, question, composer),
    }
}

/// Follows a chain of aliases, which begins with the name of the hash `asked` and now leads to the worker's qname.
/// Apart, since most names are none.
#[inline(never)]
fn follow<W: Witness>(
    snapshot: &Snapshot,
    served: &Served,
    asked: u32,
    worker: &mut Worker<W>,
    question: Question<'_>,
    composer: &mut Composer<'_, '_>,
) -> Rcode {
    let mut seen = [asked; CHAIN_MAX + 1];
    for step in 1..seen.len() {
        let hash = hash(&worker.qname);
        // A chain that bites its tail has been told in full; its records must not come twice.
        if seen[..step].contains(&hash) {
            return Rcode::NoError;
        }
        seen[step] = hash;
        if !zone_of(snapshot, &worker.qname, question.qtype).is_some_and(|zone| ptr::eq(zone, served)) {
            return Rcode::NoError;
        }
        let found = served.zone.find(&worker.qname, question.qtype);
        match from_found(served, found, worker, question, composer) {
            Step::Done(rcode) => return rcode,
            Step::Alias => {}
        }
    }
    // A longer chain gets what was followed of it; the resolver asks for the rest.
    Rcode::NoError
}

/// What names of a chain are told apart by.
fn hash(qname: &Qname) -> u32 {
    qname.ancestor(0).map_or(0, |(_, hash)| hash)
}

/// Answers from what the zone has for the worker's qname.
#[inline]
fn from_found<W: Witness>(
    served: &Served,
    found: Found<'_>,
    worker: &mut Worker<W>,
    question: Question<'_>,
    composer: &mut Composer<'_, '_>,
) -> Step {
    match found {
        Found::Cut(cut) => {
            tell(served, worker, Finding::Delegated);
            refer(cut, &worker.qname, composer);
            Step::Done(Rcode::NoError)
        }
        Found::Dname(node) => {
            tell(served, worker, Finding::Alias);
            composer.authoritative();
            redirect(node, worker, question.qtype, composer)
        }
        Found::Missing => {
            worker.place = place(served, &found);
            tell(served, worker, Finding::Missing);
            composer.authoritative();
            composer.deny(&served.zone, served.zone.negative_ttl());
            Step::Done(Rcode::NxDomain)
        }
        Found::Name(node) => {
            composer.authoritative();
            from_node(served, node, worker, question, composer)
        }
    }
}

/// A number for what was found, to count responses by: of the zone where there is no such name, else of the name in
/// it, which for all that a wildcard or a DNAME record makes is one. A reload may give other numbers.
fn place(served: &Served, found: &Found<'_>) -> u64 {
    // Where a zone lies is its own, in units of 16 octets.
    let zone = (ptr::from_ref(&*served.zone).addr() as u64) >> 4 << 32;
    match found {
        Found::Cut(cut) => zone | u64::from(cut.node().number()),
        Found::Dname(node) | Found::Name(node) => zone | u64::from(node.number()),
        Found::Missing => zone,
    }
}

/// No zone here holds the name, or none is there yet.
fn refuse(snapshot: &Snapshot, composer: &mut Composer<'_, '_>) -> Rcode {
    if snapshot.is_ready() {
        composer.explain(Explanation::NOT_AUTHORITATIVE);
        Rcode::Refused
    } else {
        composer.explain(Explanation::NOT_READY);
        Rcode::ServFail
    }
}

enum Step {
    Done(Rcode),
    /// The worker's qname is now an alias's target.
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
    question: Question<'_>,
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
                Outcome::Alias { target, ttl } => lead_on(target, ttl, worker, qtype, composer),
            };
        }
    }
    let set = if is_any(qtype) { node.rrsets().next() } else { node.rrset(qtype) };
    if let Some(set) = set {
        if matches!(set.rtype, Rtype::SVCB | Rtype::HTTPS)
            && let Some(records) = zone.hints().set(node.number(), set.rtype)
        {
            let mut records = records.peekable();
            let first = records.peek().and_then(|record| record.name).unwrap_or_default();
            tell(served, worker, Finding::Hinted(first));
            hint::answer(served, set, records, worker, question, composer);
            return Step::Done(Rcode::NoError);
        }
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
        let (labels, apex) = match target.name() {
            (labels, true) => (labels, zone.apex().as_wire()),
            (name, false) => (name, &[][..]),
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
fn redirect<W>(node: Node<'_>, worker: &mut Worker<W>, qtype: Rtype, composer: &mut Composer<'_, '_>) -> Step {
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
    answer_alias(qname, set.ttl, qtype, composer)
}

/// Leads on to where a balanced name's pool leads its clients.
fn lead_on<W>(target: &Name, ttl: u32, worker: &mut Worker<W>, qtype: Rtype, composer: &mut Composer<'_, '_>) -> Step {
    if worker.qname.read(target.as_wire()).is_err() {
        return Step::Done(Rcode::ServFail);
    }
    answer_alias(&worker.qname, ttl, qtype, composer)
}

/// Answers with an alias to `target`, a name in full, which is then to be followed.
fn answer_alias(target: &Qname, ttl: u32, qtype: Rtype, composer: &mut Composer<'_, '_>) -> Step {
    // Where the alias itself was asked for, it is the answer.
    if !composer.answer_alias(ttl, target.octets()) || qtype == Rtype::CNAME || is_any(qtype) {
        return Step::Done(Rcode::NoError);
    }
    composer.follow_alias();
    Step::Alias
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
