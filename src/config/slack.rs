//! How long a down verdict may be held without breaking any name's promise: for when the register doubts not the
//! endpoints but our own way to them.

use std::time::Duration;

use super::Balanced;
use crate::health::ProbeId;
use crate::policy::{Pools, Target};

/// For each of so many probes of a zone, of these names and pools, the least slack of any name that it may answer for;
/// without a limit where none does. Of several monitors on an endpoint, or under a pool, each has the whole slack:
/// those that are held are held side by side. In one pass over names and pools: pools stand before those that nest
/// them.
pub(super) fn slacks(names: &[Balanced], pools: &Pools, probes: usize) -> Vec<Duration> {
    let mut slacks = vec![Duration::MAX; probes];
    let mut of_pools = vec![Duration::MAX; pools.pools.len()];
    for name in names {
        tighten(&mut of_pools, name.root.0, name.plan.slack());
    }
    for (number, pool) in pools.pools.iter().enumerate().rev() {
        let slack = of_pools.get(number).copied().unwrap_or(Duration::MAX);
        for member in &pool.members {
            match member.target {
                Target::Pool(child) => tighten(&mut of_pools, child.0, slack),
                Target::Endpoint(endpoint) => {
                    let judged = pools.endpoints.get(endpoint.0 as usize).map(|endpoint| &endpoint.judged);
                    for &ProbeId(probe) in judged.into_iter().flat_map(|judged| &judged.probes) {
                        tighten(&mut slacks, probe, slack);
                    }
                }
            }
        }
        for &ProbeId(probe) in &pool.depends {
            tighten(&mut slacks, probe, slack);
        }
    }
    slacks
}

fn tighten(slacks: &mut [Duration], at: u32, to: Duration) {
    if let Some(slack) = slacks.get_mut(at as usize) {
        *slack = to.min(*slack);
    }
}
