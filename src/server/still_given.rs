//! What is out of answers and may be given all the same: nothing else of a name is left, or another way leads to it.
//!
//! All that is out is looked for in one walk over a zone, as a bit each, [`OUT_MAX`] at a time; so a hundred drains cost
//! hardly more than one.

use std::collections::HashMap;
use std::net::IpAddr;

use crate::policy::{EndpointId, Family, Given, PoolId, Pools, Target, WhenAllDown};
use crate::snapshot::{Balanced, Served, Steering};
use crate::wire::name::Name;

/// What one walk looks for at the most.
pub(super) const OUT_MAX: usize = u64::BITS as usize;

/// Some of what is looked for, a bit each.
pub(super) type Some64 = u64;

/// What is given with an endpoint; it means the same in every zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Gift<'s> {
    Address(IpAddr),
    Alias(&'s Name),
}

/// What is given with all that is looked for.
pub(super) type Gifts<'s> = HashMap<Gift<'s>, Some64>;

/// A name that may still be answered with some of what is out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Still {
    /// Which name of its zone, by number.
    pub(super) name: usize,
    /// With these, since nothing else of it is left.
    pub(super) last_resort: Some64,
    /// With these by another way, through what is not out.
    pub(super) other_way: Some64,
}

/// The place of each of `some`.
pub(super) fn places(some: Some64) -> impl Iterator<Item = usize> {
    (0..OUT_MAX).filter(move |place| some >> place & 1 == 1)
}

/// What is given with an endpoint.
pub(super) fn gift(steering: &Steering, endpoint: EndpointId) -> Option<Gift<'_>> {
    match steering.pools.endpoints.get(endpoint.0 as usize)?.given {
        Given::Address(address) => Some(Gift::Address(address)),
        Given::Alias(alias) => Some(Gift::Alias(steering.aliases.get(alias.0 as usize)?)),
    }
}

/// The endpoints of a zone that give any of `gifts`. Costs a look at each endpoint.
pub(super) fn giving(steering: &Steering, gifts: &Gifts<'_>) -> HashMap<EndpointId, Some64> {
    let endpoints = (0..steering.pools.endpoints.len() as u32).map(EndpointId);
    endpoints.filter_map(|id| Some((id, *gifts.get(&gift(steering, id)?)?))).collect()
}

/// The names of a zone that may still be answered with any of `gifts`, though it is out. Costs a look at each endpoint; and
/// where any of them gives such, one at each pool, member and name.
pub(super) fn still_given(served: &Served, gifts: &Gifts<'_>) -> Vec<Still> {
    let (steering, forced) = (&served.steering, served.live.forced());
    let pools = &steering.pools;
    let meant = giving(steering, gifts);
    if meant.is_empty() {
        return Vec::new();
    }
    let is_in = |target: Target| !forced.get(target).is_some_and(|force| force.is_out());
    let by_any_way = leading(pools, &meant, |_| true);
    let by_what_is_in = leading(pools, &meant, is_in);
    let families = Family::BOTH.map(|family| {
        let of_family = meant.iter().filter(|(id, _)| pools.endpoints[id.0 as usize].given.is_for(family));
        (family, of_family.fold(0, |all, (_, some)| all | some), forced.pools_out(pools, family))
    });
    let names = steering.names.iter().enumerate().filter_map(|(number, name)| {
        let root = name.root.0 as usize;
        let last_resort = families.iter().fold(0, |all, (family, of_family, out)| {
            if *of_family == 0 || served.live.pool(*family, name.root).is_some_and(|pool| pool.is_alive()) {
                return all;
            }
            let is_out = out.get(root).copied().unwrap_or(false);
            let left = if is_out && serves_the_rest(name) { by_any_way[root] } else { 0 };
            all | of_family & (left | listed(name, gifts))
        });
        let other_way = if is_in(Target::Pool(name.root)) { by_what_is_in[root] & !last_resort } else { 0 };
        (last_resort | other_way != 0).then_some(Still { name: number, last_resort, other_way })
    });
    names.collect()
}

fn serves_the_rest(name: &Balanced) -> bool {
    matches!(name.when_all_down, WhenAllDown::ServeAll | WhenAllDown::LastGood)
}

fn listed(name: &Balanced, gifts: &Gifts<'_>) -> Some64 {
    match &name.when_all_down {
        WhenAllDown::Addresses(addresses) => {
            addresses.iter().filter_map(|&address| gifts.get(&Gift::Address(address))).fold(0, |all, some| all | some)
        }
        _ => 0,
    }
}

/// To which of what the `endpoints` give each pool leads, by number, through members that `passes` lets by.
fn leading(pools: &Pools, endpoints: &HashMap<EndpointId, Some64>, passes: impl Fn(Target) -> bool) -> Vec<Some64> {
    let mut leads: Vec<Some64> = Vec::with_capacity(pools.pools.len());
    for pool in &pools.pools {
        let targets = pool.members.iter().map(|member| member.target).filter(|&target| passes(target));
        let leads_to = targets.fold(0, |all, target| {
            all | match target {
                Target::Endpoint(id) => endpoints.get(&id).copied().unwrap_or(0),
                // Children stand before their parents.
                Target::Pool(PoolId(id)) => leads.get(id as usize).copied().unwrap_or(0),
            }
        });
        leads.push(leads_to);
    }
    leads
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::Arc;

    use super::*;
    use crate::config::{self, Atlas};
    use crate::health::Board;
    use crate::policy::{Force, Forced, Live};

    /// What is served of a zone that says so, with these endpoints out.
    fn served(policy: &str, out: &[&str]) -> Served {
        let folder = tempfile::tempdir().expect("a folder");
        let zone = "[zone]\nnameservers = [\"ns1.example.net\"]\ncontact = \"hostmaster.example.net\"\n";
        fs::write(folder.path().join("example.com.toml"), format!("{zone}{policy}")).expect("written");
        let (loaded, faults) = config::load(folder.path(), &Atlas::default());
        let zone = loaded.unwrap_or_else(|| panic!("{faults:?}")).zones.remove(0);
        let mut forced = Forced::default();
        for (id, endpoint) in (0..).zip(&zone.pools.endpoints) {
            if out.contains(&&*endpoint.name) {
                forced.set(Target::Endpoint(EndpointId(id)), Force::Drain);
            }
        }
        let live = Live::compile(&zone.pools, &Board::new(), &forced, None);
        let names = zone.names.into_iter().map(config::Balanced::served).collect();
        Served::new(zone.zone, Arc::new(Steering::new(names, zone.pools, zone.aliases)), Arc::new(live))
    }

    #[test]
    fn what_is_out_is_found_where_it_is_still_given() {
        let served = served(
            "[pools.web]\npolicy = \"round-robin\"\nendpoints = [\"192.0.2.1\", \"192.0.2.2\"]\n\
             [pools.lone]\npolicy = \"round-robin\"\nendpoints = [\"192.0.2.3\"]\n\
             [pools.alias]\npolicy = \"round-robin\"\nendpoints = [{ name = \"cdn\", cname = \"cdn.example.net\" }]\n\
             [pools.more]\npolicy = \"failover\"\n\
             endpoints = [{ name = \"same\", address = \"192.0.2.1\" }, \"192.0.2.4\"]\n\
             [names]\na-web = \"web\"\nb-lone = \"lone\"\nc-alias = \"alias\"\nd-more = \"more\"\n\
             e-listed = { pool = \"lone\", when-all-down = [\"192.0.2.3\", \"192.0.2.9\"] }\n",
            &["192.0.2.1", "192.0.2.3", "cdn"],
        );
        let cdn = Name::from_host("cdn.example.net").expect("a name");
        let gifts = |gifts: &[(&str, Some64)]| -> Gifts<'_> {
            let gift = |text: &str| text.parse().map_or(Gift::Alias(&cdn), Gift::Address);
            gifts.iter().map(|&(text, some)| (gift(text), some)).collect()
        };
        let [web, lone, alias, gone] = [("192.0.2.1", 1), ("192.0.2.3", 2), ("cdn.example.net", 4), ("192.0.2.8", 8)];
        let check = |looked_for: &[(&str, Some64)], expected: &[(&str, Some64, Some64)]| {
            let found = still_given(&served, &gifts(looked_for));
            // Names are numbered in their order.
            let named = ["a-web", "b-lone", "c-alias", "d-more", "e-listed"];
            let found: Vec<_> =
                found.iter().map(|still| (named[still.name], still.last_resort, still.other_way)).collect();
            assert_eq!(found, expected, "{looked_for:?}");
        };
        check(&[gone], &[]);
        check(&[web], &[("d-more", 0, 1)]);
        check(&[lone], &[("b-lone", 2, 0), ("e-listed", 2, 0)]);
        check(&[alias], &[("c-alias", 4, 0)]);
        check(&[web, lone, alias, gone], &[("b-lone", 2, 0), ("c-alias", 4, 0), ("d-more", 0, 1), ("e-listed", 2, 0)]);
    }
}
