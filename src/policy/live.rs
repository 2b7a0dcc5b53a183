//! What the pools come to under the verdicts of one moment: recomputed when a verdict turns, never by a query.
//!
//! Each pool is compiled for each address family by itself, so that an IPv6 outage moves no IPv4 client and
//! shortens no A record's TTL.

use std::sync::Arc;

use super::compiled::{LivePool, Standing, soonest};
use super::family::Family;
use super::{
    EndpointId, MinAlive, Policy, Pool, PoolId, Pools, Target, failover, hash, latency, least_load, mapped, random,
    round_robin, weighted,
};
use crate::health::{Board, Health};
use crate::moment::Moment;

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
                        let given = pools.endpoints.get(endpoint.0 as usize)?.given;
                        given.is_for(family).then(|| health(endpoint))
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
    let quorum = Quorum::of(pool.min_alive, &members);
    if !quorum.is_met() {
        // Dead as a whole; any member's verdict may bring it back.
        return LivePool::dead(!members.is_empty(), soonest(&members));
    }
    let mut compiled = match &pool.policy {
        Policy::RoundRobin => round_robin::compile(&members),
        Policy::Weighted => weighted::compile(&members),
        Policy::Random => random::compile(&members),
        Policy::LeastLoad => least_load::compile(&members),
        Policy::Failover => failover::compile(&members),
        Policy::Geo(map) | Policy::Nearest(map) => mapped::compile(&members, map),
        Policy::Latency(latency) => latency::compile(&members, latency),
        Policy::Hash(ranking) => hash::compile(&members, ranking),
    };
    compiled.flip = compiled.flip.min(quorum.lost(&members));
    compiled
}

/// How much of a pool must live for the pool to live, and how much does. A member counts one, or its weight.
struct Quorum {
    by_weight: bool,
    living: u64,
    needed: u64,
}

impl Quorum {
    fn of(min_alive: MinAlive, members: &[Standing]) -> Self {
        let share = |all: u64, percent: u8| (all * u64::from(percent)).div_ceil(100);
        let weight_total: u64 = members.iter().map(|member| u64::from(member.weight)).sum();
        let count = members.len() as u64;
        let (by_weight, needed) = match min_alive {
            MinAlive::Count(count) => (false, u64::from(count)),
            MinAlive::Percent(percent) => (false, share(count, percent)),
            // Only last resorts: as where they answer, they are all alike.
            MinAlive::PercentOfWeight(percent) if weight_total == 0 => (false, share(count, percent)),
            MinAlive::PercentOfWeight(percent) => (true, share(weight_total, percent)),
        };
        let mut quorum = Self { by_weight, living: 0, needed: needed.max(1) };
        quorum.living = members.iter().filter(|member| member.alive).map(|member| quorum.counts(member)).sum();
        quorum
    }

    fn counts(&self, member: &Standing) -> u64 {
        if self.by_weight { u64::from(member.weight) } else { 1 }
    }

    fn is_met(&self) -> bool {
        self.living >= self.needed
    }

    /// The soonest moment at which too few could be left, while there are enough: never, unless what is suspect
    /// of the living is more than can be spared.
    fn lost(&self, members: &[Standing]) -> Moment {
        let mut suspect: Vec<&Standing> =
            members.iter().filter(|member| member.alive && member.flip != Moment::NEVER).collect();
        suspect.sort_unstable_by_key(|member| member.flip);
        let mut left = self.living;
        let last = suspect.iter().find(|member| {
            left -= self.counts(member);
            left < self.needed
        });
        last.map_or(Moment::NEVER, |member| member.flip)
    }
}
