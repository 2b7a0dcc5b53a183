//! What the pools come to under the verdicts of one moment: recomputed when a verdict turns, never by a query.
//!
//! Each pool is compiled for each address family by itself, so that an IPv6 outage moves no IPv4 client and
//! shortens no A record's TTL.

#[cfg(test)]
mod depending;
mod last_good;
#[cfg(test)]
mod turned;

use std::sync::Arc;

use super::compiled::{LivePool, Standing, soonest};
use super::family::Family;
use super::judged::combined;
use super::{
    Endpoint, EndpointId, Force, Forced, MinAlive, Policy, Pool, PoolId, Pools, Target, failover, hash, latency,
    least_load, mapped, random, round_robin, weighted,
};
use crate::health::{Board, Health, ProbeId};
use crate::moment::Moment;

pub use last_good::LastGood;

/// All pools of one zone at one moment.
#[derive(Clone, Debug, Default)]
pub struct Live {
    families: [Box<[Arc<LivePool>]>; 2],
    forced: Forced,
    /// What `serve-all` answers from while something is out; as if everything lived, but for that.
    rest: Option<Arc<Self>>,
}

impl Live {
    /// The pools under the verdicts of `board` and what operators `forced` over them. An endpoint of which nothing is
    /// known yet counts as alive: the first round is awaited before anything is served, so that only a test sees it.
    pub fn compile(pools: &Pools, board: &Board, forced: &Forced, previous: Option<&Self>) -> Self {
        let after = After { previous, turned: None };
        let (mut live, _) = Self::of(pools, forced, after, |need, probes| combined(need, probes, board));
        if forced.any_out() {
            live.rest = Some(Arc::new(Self::rest(pools, forced)));
        }
        live.forced = forced.clone();
        live
    }

    /// The same pools once verdicts turned that touch `turned` by themselves: only those are compiled, and what nests
    /// them where that changes for it. The rest is shared. Comes with how many were compiled, each family by
    /// itself.
    pub fn turned(&self, pools: &Pools, board: &Board, turned: &[PoolId]) -> (Self, usize) {
        let after = After { previous: Some(self), turned: Some(turned) };
        let (live, compiled) = Self::of(pools, &self.forced, after, |need, probes| combined(need, probes, board));
        (Self { forced: self.forced.clone(), rest: self.rest.clone(), ..live }, compiled)
    }

    /// The pools as if everything lived.
    pub fn all_alive(pools: &Pools) -> Self {
        Self::of(pools, &Forced::default(), After { previous: None, turned: None }, |_, _| Health::UP).0
    }

    /// What operators forced.
    pub fn forced(&self) -> &Forced {
        &self.forced
    }

    /// What `serve-all` answers from, where something is out: the pools as if everything else lived. `None` where
    /// nothing is out.
    pub fn without_out(&self) -> Option<&Self> {
        self.rest.as_deref()
    }

    /// The pools, and how many of them were compiled.
    fn of(
        pools: &Pools,
        forced: &Forced,
        After { previous, turned }: After<'_>,
        health: impl Fn(usize, &[ProbeId]) -> Health,
    ) -> (Self, usize) {
        let mut compilations = 0;
        let families = Family::BOTH.map(|family| {
            let out = if forced.any_out() { forced.pools_out(pools, family) } else { Vec::new() };
            let mut live: Vec<Arc<LivePool>> = Vec::with_capacity(pools.pools.len());
            let mut stale = Stale::of(turned, pools.pools.len());
            for (id, pool) in pools.pools.iter().enumerate() {
                let previous = previous.and_then(|previous| previous.families[family as usize].get(id));
                if let Some(previous) = previous.filter(|_| !stale.includes(id, pool)) {
                    live.push(Arc::clone(previous));
                    continue;
                }
                compilations += 1;
                let judged = |id, endpoint: &Endpoint| {
                    let judged = &endpoint.judged;
                    forced.health(id, health(usize::from(judged.need), &judged.probes))
                };
                let members = standings(pools, family, &live, pool, &judged);
                let compiled = match forced.get(Target::Pool(PoolId(id as u32))) {
                    // All that it depends on must live, for both families.
                    None => compile_judged(pool, health(pool.depends.len(), &pool.depends), &members),
                    Some(Force::Up) => compile_up(pool, members.clone(), |target| forced.is_out(target, &out)),
                    // No verdict brings it back.
                    Some(Force::Down | Force::Drain) => LivePool::dead(!members.is_empty(), Moment::NEVER),
                };
                let mut compiled = match previous {
                    Some(previous) => compiled.follow(previous),
                    None => Arc::new(compiled),
                };
                if forced.any_out() {
                    compiled.leave_out(|good| {
                        let lived = |target| good.branches.iter().any(|branch| branch.target == target);
                        compile_those(pool, members, |target| lived(target) && !forced.is_out(target, &out))
                    });
                }
                if previous.is_none_or(|previous| !compiled.looks_like(previous)) {
                    stale.changed(id);
                }
                live.push(compiled);
            }
            live.into()
        });
        (Self { families, ..Self::default() }, compilations)
    }

    /// The pools as if everything lived but what is out; of a pool of which everything is out, all of it.
    fn rest(pools: &Pools, forced: &Forced) -> Self {
        let families = Family::BOTH.map(|family| {
            let out = forced.pools_out(pools, family);
            let mut live: Vec<Arc<LivePool>> = Vec::with_capacity(pools.pools.len());
            for pool in &pools.pools {
                let members = standings(pools, family, &live, pool, &|_, _| Health::UP);
                live.push(Arc::new(compile_rest(pool, members, |target| forced.is_out(target, &out))));
            }
            live.into()
        });
        Self { families, ..Self::default() }
    }

    /// One pool in one family.
    pub fn pool(&self, family: Family, pool: PoolId) -> Option<&LivePool> {
        self.families[family as usize].get(pool.0 as usize).map(|pool| &**pool)
    }
}

/// What pools are compiled after.
#[derive(Clone, Copy)]
struct After<'a> {
    previous: Option<&'a Live>,
    /// The pools that verdicts touched since, by themselves; `None` where anything may be another.
    turned: Option<&'a [PoolId]>,
}

/// Which pools of one family cannot be taken over as they are.
enum Stale {
    All,
    /// By number: those that verdicts touched, and those that came to something else in the eyes of their parents.
    These {
        touched: Vec<bool>,
        changed: Vec<bool>,
    },
}

impl Stale {
    fn of(turned: Option<&[PoolId]>, pools: usize) -> Self {
        let Some(turned) = turned else { return Self::All };
        let mut touched = vec![false; pools];
        for id in turned {
            if let Some(touched) = touched.get_mut(id.0 as usize) {
                *touched = true;
            }
        }
        Self::These { touched, changed: vec![false; pools] }
    }

    /// Whether the pool must be compiled; what it nests has been by now.
    fn includes(&self, id: usize, pool: &Pool) -> bool {
        let Self::These { touched, changed } = self else { return true };
        let is_changed = |target| matches!(target, Target::Pool(child) if changed.get(child.0 as usize) == Some(&true));
        touched.get(id) == Some(&true) || pool.members.iter().any(|member| is_changed(member.target))
    }

    fn changed(&mut self, id: usize) {
        if let Self::These { changed, .. } = self
            && let Some(changed) = changed.get_mut(id)
        {
            *changed = true;
        }
    }
}

/// How the members of `pool` stand that are of `family`, where the pools before it are `live`.
fn standings(
    pools: &Pools,
    family: Family,
    live: &[Arc<LivePool>],
    pool: &Pool,
    health: &impl Fn(EndpointId, &Endpoint) -> Health,
) -> Vec<Standing> {
    let standing = |target: Target| match target {
        Target::Endpoint(id) => {
            let endpoint = pools.endpoints.get(id.0 as usize)?;
            endpoint.given.is_for(family).then(|| health(id, endpoint))
        }
        // Children stand before their parents.
        Target::Pool(child) => {
            let child = live.get(child.0 as usize).filter(|child| child.is_present())?;
            Some(Health { alive: child.is_alive(), flip: child.flip, ..Health::UP })
        }
    };
    let members = (0..).zip(&pool.members).filter_map(|(number, member)| {
        let Health { alive, flip, share, load } = standing(member.target)?;
        Some(Standing { number, target: member.target, weight: member.weight, alive, flip, share, load })
    });
    members.collect()
}

/// The pool as the verdicts have it, on the `ground` that it depends on.
fn compile_judged(pool: &Pool, ground: Health, members: &[Standing]) -> LivePool {
    if !ground.alive {
        return LivePool::dead(!members.is_empty(), ground.flip);
    }
    let quorum = Quorum::of(pool.min_alive, members);
    if !quorum.is_met() {
        // Dead as a whole; any member's verdict may bring it back.
        return LivePool::dead(!members.is_empty(), soonest(members));
    }
    let mut compiled = compile_living(pool, members);
    compiled.flip = compiled.flip.min(quorum.lost(members)).min(ground.flip);
    compiled
}

/// The pool alive whatever the verdicts: what lives of it, however little; where nothing does, all that is not out.
fn compile_up(pool: &Pool, members: Vec<Standing>, is_out: impl Fn(Target) -> bool) -> LivePool {
    if members.iter().any(|member| member.alive) {
        return compile_living(pool, &members);
    }
    let flip = soonest(&members);
    let mut compiled = compile_rest(pool, members, is_out);
    // The first that lives again takes the place of all of these.
    compiled.flip = compiled.flip.min(flip);
    compiled
}

/// The pool as if everything lived but what is out; all of it, where everything is.
fn compile_rest(pool: &Pool, members: Vec<Standing>, is_out: impl Fn(Target) -> bool) -> LivePool {
    let all_out = members.iter().all(|member| is_out(member.target));
    compile_those(pool, members, |target| all_out || !is_out(target))
}

/// The pool as if of its members those lived that `lives` says, and no verdict could turn.
fn compile_those(pool: &Pool, mut members: Vec<Standing>, lives: impl Fn(Target) -> bool) -> LivePool {
    for member in &mut members {
        (member.alive, member.flip) = (lives(member.target), Moment::NEVER);
    }
    if !members.iter().any(|member| member.alive) {
        return LivePool::dead(!members.is_empty(), Moment::NEVER);
    }
    compile_living(pool, &members)
}

/// What the policy makes of members of whom enough live.
fn compile_living(pool: &Pool, members: &[Standing]) -> LivePool {
    match &pool.policy {
        Policy::RoundRobin => round_robin::compile(members),
        Policy::Weighted => weighted::compile(members),
        Policy::Random => random::compile(members),
        Policy::LeastLoad => least_load::compile(members),
        Policy::Failover => failover::compile(members),
        Policy::Geo(map) | Policy::Nearest(map) => mapped::compile(members, map),
        Policy::Latency(latency) => latency::compile(members, latency),
        Policy::Hash(ranking) => hash::compile(members, ranking),
    }
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
