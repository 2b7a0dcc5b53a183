//! What the pools come to under the verdicts of one moment: recomputed when a verdict turns, never by a query.
//!
//! Each pool is compiled for each address family by itself, so that an IPv6 outage moves no IPv4 client and
//! shortens no A record's TTL.

use std::net::IpAddr;
use std::sync::Arc;

use super::schedule::Schedule;
use super::{EndpointId, MinAlive, Policy, Pool, PoolId, Pools, Target, failover, round_robin, weighted};
use crate::health::{Board, Health};
use crate::moment::Moment;

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

/// One pool in one family at one moment. Dead when it has no branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LivePool {
    /// The living members that answer, in the operator's order.
    pub(super) branches: Box<[Branch]>,
    /// How the first of them is found.
    pub(super) pick: Pick,
    /// The soonest moment at which this pool's answer could change: [`Moment::NEVER`] while nothing forms.
    pub(super) flip: Moment,
    /// Grows whenever the branches or their shares change; cursors begin anew with it.
    pub(super) version: u32,
    /// Whether any endpoint below is of this family at all.
    present: bool,
    /// What it was when it last lived; kept while it is dead.
    last_good: Option<Arc<Self>>,
}

/// A living member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Branch {
    pub(super) target: Target,
    pub(super) flip: Moment,
}

/// How a pool finds the first of its answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Pick {
    /// The first branch.
    First,
    /// Each branch in turn.
    InTurn,
    /// As the schedule says.
    Scheduled(Schedule),
}

/// How a member stands: what a policy is compiled from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Standing {
    pub(super) target: Target,
    pub(super) weight: u32,
    pub(super) alive: bool,
    pub(super) flip: Moment,
}

impl Branch {
    pub(super) fn of(member: &Standing) -> Self {
        Self { target: member.target, flip: member.flip }
    }
}

/// The soonest flip among `members`.
pub(super) fn soonest<'m>(members: impl IntoIterator<Item = &'m Standing>) -> Moment {
    members.into_iter().map(|member| member.flip).min().unwrap_or(Moment::NEVER)
}

impl LivePool {
    pub(super) fn new(branches: Box<[Branch]>, pick: Pick, flip: Moment) -> Self {
        Self { branches, pick, flip, version: 0, present: true, last_good: None }
    }

    /// Whether anything of it answers.
    pub fn is_alive(&self) -> bool {
        !self.branches.is_empty()
    }

    /// Whether it has an endpoint of this family, dead or alive.
    pub fn is_present(&self) -> bool {
        self.present
    }

    /// The soonest moment at which its answer could change.
    pub fn flip(&self) -> Moment {
        self.flip
    }

    /// What it was when it last lived: itself while it does; `None` when it never has.
    pub(super) fn last_good(&self) -> Option<&Self> {
        if self.is_alive() { Some(self) } else { self.last_good.as_deref() }
    }

    /// Becomes the successor of `previous`.
    fn follow(mut self, previous: &Arc<Self>) -> Arc<Self> {
        let same_turns = self.pick == previous.pick
            && self
                .branches
                .iter()
                .map(|branch| branch.target)
                .eq(previous.branches.iter().map(|branch| branch.target));
        self.version = if same_turns { previous.version } else { previous.version.wrapping_add(1) };
        if !self.is_alive() {
            self.last_good = match previous.is_alive() {
                true => Some(Arc::new(Self { last_good: None, ..Self::clone(previous) })),
                false => previous.last_good.clone(),
            };
        }
        if self == **previous { Arc::clone(previous) } else { Arc::new(self) }
    }
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
                        let child = live.get(child.0 as usize).filter(|child| child.present)?;
                        Some(Health { alive: child.is_alive(), flip: child.flip })
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
    let members: Vec<Standing> = pool
        .members
        .iter()
        .filter_map(|member| {
            let Health { alive, flip } = standing(member.target)?;
            Some(Standing { target: member.target, weight: member.weight, alive, flip })
        })
        .collect();
    let alive = members.iter().filter(|member| member.alive).count();
    let compiled = match pool.policy {
        Policy::RoundRobin => round_robin::compile(&members),
        Policy::Weighted => weighted::compile(&members),
        Policy::Failover => failover::compile(&members),
    };
    if alive < pool.min_alive.of(members.len()) {
        // Dead as a whole; any member's verdict may bring it back.
        return LivePool {
            present: !members.is_empty(),
            ..LivePool::new(Box::default(), Pick::First, soonest(&members))
        };
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
