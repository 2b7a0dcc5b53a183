//! What the pools come to under the verdicts of one moment: recomputed when a verdict turns, never by a query.
//!
//! Each pool is compiled for each address family by itself, so that an IPv6 outage moves no IPv4 client and
//! shortens no A record's TTL.

use std::net::IpAddr;
use std::sync::Arc;

use super::compiled::{LivePool, Standing, soonest};
use super::{
    EndpointId, MinAlive, Policy, Pool, PoolId, Pools, Target, failover, hash, latency, least_load, mapped, random,
    round_robin, weighted,
};
use crate::health::{Board, Health};

/// An address family: what A asks for, or AAAA.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// IPv4, answered to A.
    V4,
    /// IPv6, answered to AAAA.
    V6,
}

impl Family {
    /// Both, in the order of [`Live`].
    pub const BOTH: [Self; 2] = [Self::V4, Self::V6];

    /// Whether `address` is of this family.
    pub const fn holds(self, address: IpAddr) -> bool {
        matches!((self, address), (Self::V4, IpAddr::V4(_)) | (Self::V6, IpAddr::V6(_)))
    }
}

/// All pools of one zone at one moment.
#[derive(Clone, Debug, Default)]
pub struct Live {
    families: [Box<[Arc<LivePool>]>; 2],
}

impl Live {
    /// The pools under the verdicts of `board`. An endpoint of which nothing is known yet counts as alive: the
    /// first round is awaited before anything is served, so that only a test sees it.
    pub fn compile(pools: &Pools, board: &Board, previous: Option<&Self>) -> Self {
        Self::of(pools, previous, |endpoint| match pools.endpoints.get(endpoint.0 as usize).and_then(|e| e.probe) {
            Some(probe) => board.get(probe).unwrap_or(Health::UP),
            None => Health::UP,
        })
    }

    /// The pools as if everything lived.
    pub fn all_alive(pools: &Pools) -> Self {
        Self::of(pools, None, |_| Health::UP)
    }

    fn of(pools: &Pools, previous: Option<&Self>, health: impl Fn(EndpointId) -> Health) -> Self {
        let families = Family::BOTH.map(|family| {
            let mut live: Vec<Arc<LivePool>> = Vec::with_capacity(pools.pools.len());
            for (id, pool) in pools.pools.iter().enumerate() {
                let standing = |target: Target| match target {
                    Target::Endpoint(endpoint) => {
                        let address = pools.endpoints.get(endpoint.0 as usize)?.address;
                        family.holds(address).then(|| health(endpoint))
                    }
                    // Children stand before their parents.
                    Target::Pool(child) => {
                        let child = live.get(child.0 as usize).filter(|child| child.is_present())?;
                        Some(Health { alive: child.is_alive(), flip: child.flip, load: None })
                    }
                };
                let compiled = compile_pool(pool, standing);
                live.push(match previous.and_then(|previous| previous.families[family as usize].get(id)) {
                    Some(previous) => compiled.follow(previous),
                    None => Arc::new(compiled),
                });
            }
            live.into()
        });
        Self { families }
    }

    /// One pool in one family.
    pub fn pool(&self, family: Family, pool: PoolId) -> Option<&LivePool> {
        self.families[family as usize].get(pool.0 as usize).map(|pool| &**pool)
    }
}

fn compile_pool(pool: &Pool, standing: impl Fn(Target) -> Option<Health>) -> LivePool {
    let members: Vec<Standing> = (0..)
        .zip(&pool.members)
        .filter_map(|(number, member)| {
            let Health { alive, flip, load } = standing(member.target)?;
            Some(Standing { number, target: member.target, weight: member.weight, alive, flip, load })
        })
        .collect();
    let alive = members.iter().filter(|member| member.alive).count();
    let compiled = match &pool.policy {
        Policy::RoundRobin => round_robin::compile(&members),
        Policy::Weighted => weighted::compile(&members),
        Policy::Random => random::compile(&members),
        Policy::LeastLoad => least_load::compile(&members),
        Policy::Failover => failover::compile(&members),
        Policy::Geo(map) | Policy::Nearest(map) => mapped::compile(&members, map),
        Policy::Latency(latency) => latency::compile(&members, latency),
        Policy::Hash(ranking) => hash::compile(&members, ranking),
    };
    if alive < pool.min_alive.of(members.len()) {
        // Dead as a whole; any member's verdict may bring it back.
        return LivePool::dead(!members.is_empty(), soonest(&members));
    }
    compiled
}

impl MinAlive {
    /// How many of `members` must live: at least one.
    pub fn of(self, members: usize) -> usize {
        match self {
            Self::Count(count) => count as usize,
            Self::Percent(percent) => (members * usize::from(percent)).div_ceil(100),
        }
        .max(1)
    }
}
