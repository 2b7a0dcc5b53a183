//! When what is out of answers may be stopped: how long its last answer lives in caches, and whether it was the last.
//!
//! No query is noted for this. An answer's TTL is at most its name's `max`; it was given before the pools without the
//! endpoint were swapped in, which is before the moment that is reckoned from; so caches have forgotten it `max` later.
//! What was down already gave its last answer when its verdict turned, or under `when-all-down` with a TTL of `min`.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::time::Duration;

use crate::moment::Moment;
use crate::policy::{EndpointId, Family, Given, PoolId, Pools, Target, WhenAllDown};
use crate::snapshot::{Balanced, Served, Steering};

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

/// How a name may still be answered with what is out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StillGiven {
    /// Nothing else of it is left.
    LastResort,
    /// By another way, through what is not out.
    OtherWay,
}

/// The names of a zone, by number, that may still be answered with what gives any of `gives`, though it is out.
pub(super) fn still_given(served: &Served, given: &HashSet<String>) -> Vec<(usize, StillGiven)> {
    let (steering, forced) = (&served.steering, served.live.forced());
    let pools = &steering.pools;
    let meant: HashSet<EndpointId> = (0..pools.endpoints.len() as u32)
        .map(EndpointId)
        .filter(|&id| gives(steering, id).is_some_and(|text| given.contains(&text)))
        .collect();
    let is_in = |target: Target| !forced.get(target).is_some_and(|force| force.is_out());
    let by_any_way = leading(pools, &meant, |_| true);
    let by_what_is_in = leading(pools, &meant, is_in);
    let out = Family::BOTH.map(|family| forced.pools_out(pools, family));
    let families = |family: Family| meant.iter().any(|id| pools.endpoints[id.0 as usize].given.is_for(family));
    let families: Vec<Family> = Family::BOTH.into_iter().filter(|&family| families(family)).collect();
    let names = steering.names.iter().enumerate().filter_map(|(number, name)| {
        let root = name.root.0 as usize;
        let last_resort = families.iter().any(|&family| {
            let dead = !served.live.pool(family, name.root).is_some_and(|pool| pool.is_alive());
            let out = out[family as usize].get(root).copied().unwrap_or(false);
            dead && (out && by_any_way[root] && serves_the_rest(name) || lists(name, given))
        });
        if last_resort {
            return Some((number, StillGiven::LastResort));
        }
        (by_what_is_in[root] && is_in(Target::Pool(name.root))).then_some((number, StillGiven::OtherWay))
    });
    names.collect()
}

fn serves_the_rest(name: &Balanced) -> bool {
    matches!(name.when_all_down, WhenAllDown::ServeAll | WhenAllDown::LastGood)
}

fn lists(name: &Balanced, given: &HashSet<String>) -> bool {
    match &name.when_all_down {
        WhenAllDown::Addresses(addresses) => addresses.iter().any(|address| given.contains(&address.to_string())),
        _ => false,
    }
}

/// Which pools, by number, lead to any of `endpoints` through members that `passes` lets by.
fn leading(pools: &Pools, endpoints: &HashSet<EndpointId>, passes: impl Fn(Target) -> bool) -> Vec<bool> {
    let mut leads = Vec::with_capacity(pools.pools.len());
    for pool in &pools.pools {
        let leads_on = pool.members.iter().map(|member| member.target).filter(|&target| passes(target)).any(|target| {
            match target {
                Target::Endpoint(id) => endpoints.contains(&id),
                // Children stand before their parents.
                Target::Pool(PoolId(id)) => leads.get(id as usize).copied().unwrap_or(false),
            }
        });
        leads.push(leads_on);
    }
    leads
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
