//! When what is out of answers may be stopped: how long its last answer lives in caches.
//!
//! No query is noted for this. An answer's TTL is at most its name's `max`; it was given before the pools without the
//! endpoint were swapped in, which is before the moment that is reckoned from; so caches have forgotten it `max` later.
//! What was down already gave its last answer when its verdict turned, or under `when-all-down` with a TTL of `min`.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::time::Duration;

use crate::moment::Moment;
use crate::policy::{EndpointId, Given, Pools, Target};
use crate::snapshot::Steering;

/// How long a process may answer what it has taken in once another one answers, of which a drain may be asked from then
/// on: that one knows nothing of it.
pub(super) const LAST_ANSWERS: Duration = Duration::from_millis(500);

/// How long an answer is on its way to the cache, where its TTL begins: half as long again as by way of a satellite.
const ON_ITS_WAY: Duration = Duration::from_millis(500);

/// What caches may add that count whole seconds: Unbound still gives a record in the second in which it ends.
const WHOLE_SECOND: Duration = Duration::from_secs(1);

/// What is added to a TTL: 0.5 s + 0.5 s + 1 s = 2 s.
const MARGIN: Duration = LAST_ANSWERS.saturating_add(ON_ITS_WAY).saturating_add(WHOLE_SECOND);

/// The TTLs that an endpoint's answers may have: the greatest of all names that lead to it, in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Ceiling {
    /// While it lives.
    pub(super) max: u32,
    /// When nothing does.
    pub(super) min: u32,
}

/// What is known of an endpoint until now.
#[derive(Clone, Copy, Debug)]
pub(super) enum Past {
    /// It was in answers.
    Given,
    /// It is down since then.
    Down(Moment),
}

/// The ceiling of each endpoint, by its number.
pub(super) fn ceilings(steering: &Steering) -> Vec<Ceiling> {
    let pools = &steering.pools;
    let mut of_pools = vec![Ceiling::default(); pools.pools.len()];
    let mut of_endpoints = vec![Ceiling::default(); pools.endpoints.len()];
    let raise = |known: Option<&mut Ceiling>, by: Ceiling| {
        if let Some(known) = known {
            *known = Ceiling { max: known.max.max(by.max), min: known.min.max(by.min) };
        }
    };
    for name in &steering.names {
        raise(of_pools.get_mut(name.root.0 as usize), Ceiling { max: name.ttl.max, min: name.ttl.min });
    }
    // Parents stand behind their children.
    for (id, pool) in pools.pools.iter().enumerate().rev() {
        let ceiling = of_pools[id];
        for member in &pool.members {
            match member.target {
                Target::Pool(child) => raise(of_pools.get_mut(child.0 as usize), ceiling),
                Target::Endpoint(endpoint) => raise(of_endpoints.get_mut(endpoint.0 as usize), ceiling),
            }
        }
    }
    of_endpoints
}

/// When the last answer is forgotten that was given with an endpoint before `now`.
pub(super) fn forgotten(ceiling: Ceiling, past: Past, now: Moment) -> Moment {
    let ttl = |seconds: u32| Duration::from_secs(seconds.into());
    let last = match past {
        Past::Given => now + ttl(ceiling.max),
        Past::Down(since) => (since + ttl(ceiling.max)).max(now + ttl(ceiling.min)).min(now + ttl(ceiling.max)),
    };
    last + MARGIN
}

/// The endpoints that `target` stands for: itself, or all below the pool.
pub(super) fn below(pools: &Pools, target: Target) -> BTreeSet<EndpointId> {
    let mut endpoints = BTreeSet::new();
    let mut seen = HashSet::new();
    let mut open = vec![target];
    while let Some(target) = open.pop() {
        match target {
            Target::Endpoint(id) => drop(endpoints.insert(id)),
            Target::Pool(id) if seen.insert(id) => {
                open.extend(
                    pools.pools.get(id.0 as usize).into_iter().flat_map(|pool| &pool.members).map(|m| m.target),
                );
            }
            Target::Pool(_) => {}
        }
    }
    endpoints
}

/// What is given with an endpoint, as text that means the same in every zone.
pub(super) fn gives(steering: &Steering, endpoint: EndpointId) -> Option<String> {
    match steering.pools.endpoints.get(endpoint.0 as usize)?.given {
        Given::Address(address) => Some(address.to_string()),
        Given::Alias(alias) => Some(steering.aliases.get(alias.0 as usize)?.to_string()),
    }
}

/// The greatest TTLs, in seconds, of a zone's answers with each thing that is [given](gives).
pub(super) type Ttls = BTreeMap<String, u32>;

/// Those that `steering` says. Costs a look at each of its names, members and endpoints.
pub(super) fn ttls(steering: &Steering) -> Ttls {
    let mut greatest = Ttls::new();
    for (id, ceiling) in (0..).zip(ceilings(steering)) {
        let Some(gives) = gives(steering, EndpointId(id)) else { continue };
        let known = greatest.entry(gives).or_default();
        *known = ceiling.max.max(*known);
    }
    greatest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_answer_is_forgotten() {
        let at = |seconds: u64| Moment::from_nanos(seconds * 1_000_000_000);
        let ceiling = Ceiling { max: 23, min: 5 };
        let check =
            |past: Past, expected: u64| assert_eq!(forgotten(ceiling, past, at(1_000)), at(expected), "{past:?}");
        check(Past::Given, 1_025);
        // It was in answers until its verdict turned, and may have been in a last resort until now.
        check(Past::Down(at(990)), 1_015);
        check(Past::Down(at(980)), 1_007);
        check(Past::Down(at(10)), 1_007);
        check(Past::Down(at(1_000)), 1_025);
    }
}
