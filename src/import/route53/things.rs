//! The members that the sets of one name are.

use std::collections::BTreeSet;

use super::export::RecordSet;
use super::gist::{Count, Gist};

/// The sets of a name, of A and AAAA, that are one member of its pool.
pub(super) struct Thing<'a> {
    pub(super) identifier: &'a str,
    pub(super) sets: Vec<&'a RecordSet>,
}

/// Sets of A and AAAA with one identifier are one thing. In the order in which they are tried.
pub(super) fn things<'a>(sets: &[&'a RecordSet], policy: &str) -> Vec<Thing<'a>> {
    let mut things: Vec<Thing<'a>> = Vec::new();
    for set in sets {
        let identifier = set.set_identifier.as_deref().unwrap_or_default();
        match things.iter_mut().find(|thing| thing.identifier == identifier) {
            Some(thing) => thing.sets.push(set),
            None => things.push(Thing { identifier, sets: vec![set] }),
        }
    }
    if policy == "failover" {
        let is_primary = |set: &&RecordSet| set.failover.as_deref() == Some("PRIMARY");
        things.sort_by_key(|thing| !thing.sets.first().is_some_and(is_primary));
    }
    things
}

/// Whether these cannot be endpoints of one pool.
pub(super) fn wants_pools(things: &[Thing<'_>], policy: &str) -> bool {
    let of_set = |set: &&RecordSet| {
        let several = set.resource_records.len() > 1 && policy != "random";
        several || set.alias_target.is_some() || (set.rtype == "CNAME" && set.health_check_id.is_some())
    };
    let sets = || things.iter().flat_map(|thing| &thing.sets);
    // No two endpoints can make the same claim, nor have the same address.
    let same_claim = policy == "geo" && things.iter().any(|thing| thing.sets.len() > 1);
    let values = || sets().flat_map(|set| &set.resource_records).map(|record| &record.value);
    let same_value = values().collect::<BTreeSet<_>>().len() < values().count();
    same_claim || same_value || sets().any(of_set)
}

/// What the answers of a set are like that is no alias.
pub(super) fn gist(set: &RecordSet) -> Gist {
    let count = Count::of(set.resource_records.len());
    let gist = Gist { ttl: set.ttl.map(|ttl| (ttl, ttl)), ..Gist::default() };
    match set.rtype.as_str() {
        "A" => Gist { v4: count, ..gist },
        "AAAA" => Gist { v6: count, ..gist },
        _ => Gist { has_alias: true, ..gist },
    }
}
