//! Pools that are alike, in all that answers depend on: members, policies, maps, verdicts. Each shape has a number, so
//! that two sides of a hundred thousand names over a few pools are a few comparisons.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use crate::policy::{
    self, Family, Force, Latency, LivePool, Member, MinAlive, Policy, Pool, PoolId, Target, WhenAllDown,
};
use crate::snapshot::{Balanced, Served};

/// The shapes that were met.
#[derive(Default)]
pub(super) struct Shapes<'s> {
    pools: HashMap<PoolShape, u32>,
    names: HashMap<NameShape, u32>,
    /// Compiled anew by each load, so they are told apart by what they expect.
    latencies: Vec<&'s Arc<Latency>>,
}

#[derive(PartialEq, Eq, Hash)]
struct PoolShape {
    name: Box<str>,
    policy: PolicyShape,
    members: Box<[(MemberShape, u32, Option<Force>)]>,
    /// How it counts, and how many.
    min_alive: (u8, u32),
    forced: Option<Force>,
    /// Of each family, which members live.
    living: [Box<[u16]>; 2],
}

#[derive(PartialEq, Eq, Hash)]
enum PolicyShape {
    Plain(&'static str),
    /// By the place of its map in memory, which pools with equal rules share.
    Mapped(&'static str, usize),
    Latency(usize),
    Hash(u8, u8),
}

#[derive(PartialEq, Eq, Hash)]
enum MemberShape {
    Endpoint(Box<str>, GivenShape),
    Pool(u32),
}

#[derive(PartialEq, Eq, Hash)]
enum GivenShape {
    Address(IpAddr),
    Alias(Box<[u8]>),
}

#[derive(PartialEq, Eq, Hash)]
struct NameShape {
    root: u32,
    deciding: Option<u8>,
    /// Where something of it is dead.
    when_all_down: Option<(u8, Box<[IpAddr]>)>,
}

impl<'s> Shapes<'s> {
    /// The shape of each pool of a zone, by number.
    pub(super) fn of(&mut self, served: &'s Served) -> Vec<u32> {
        let pools = &served.steering.pools.pools;
        let mut shapes = Vec::with_capacity(pools.len());
        // Children stand before their parents.
        for (id, pool) in (0..).map(PoolId).zip(pools) {
            let shape = self.pool(served, id, pool, &shapes);
            let next = self.pools.len() as u32;
            shapes.push(*self.pools.entry(shape).or_insert(next));
        }
        shapes
    }

    /// The shape of a name, where its zone's pools have those.
    pub(super) fn name(&mut self, pools: &[u32], served: &Served, name: &Balanced) -> u32 {
        let is_dead = |family| served.live.pool(family, name.root).is_some_and(|pool| !pool.is_alive());
        let any_dead = Family::BOTH.into_iter().any(is_dead);
        let shape = NameShape {
            root: pools.get(name.root.0 as usize).copied().unwrap_or(u32::MAX),
            deciding: name.deciding().map(|family| family as u8),
            when_all_down: any_dead.then(|| when_all_down(&name.when_all_down)),
        };
        let next = self.names.len() as u32;
        *self.names.entry(shape).or_insert(next)
    }

    fn pool(&mut self, served: &'s Served, id: PoolId, pool: &'s Pool, shapes: &[u32]) -> PoolShape {
        let forced = served.live.forced();
        let member =
            |member: &Member| (self.member(served, member.target, shapes), member.weight, forced.get(member.target));
        let members = pool.members.iter().map(member).collect();
        let living = Family::BOTH.map(|family| living(pool, served.live.pool(family, id)));
        PoolShape {
            name: pool.name.clone(),
            policy: self.policy(&pool.policy),
            members,
            min_alive: match pool.min_alive {
                MinAlive::Count(count) => (0, count),
                MinAlive::Percent(percent) => (1, percent.into()),
                MinAlive::PercentOfWeight(percent) => (2, percent.into()),
            },
            forced: forced.get(Target::Pool(id)),
            living,
        }
    }

    fn member(&self, served: &Served, target: Target, shapes: &[u32]) -> MemberShape {
        match target {
            Target::Pool(child) => MemberShape::Pool(shapes.get(child.0 as usize).copied().unwrap_or(u32::MAX)),
            Target::Endpoint(id) => {
                let endpoint = served.steering.pools.endpoints.get(id.0 as usize);
                let name = endpoint.map(|endpoint| endpoint.name.clone()).unwrap_or_default();
                let given = match endpoint.map(|endpoint| endpoint.given) {
                    Some(policy::Given::Address(address)) => GivenShape::Address(address),
                    Some(policy::Given::Alias(alias)) => {
                        let target = served.steering.aliases.get(alias.0 as usize);
                        GivenShape::Alias(target.map(|target| target.as_wire().into()).unwrap_or_default())
                    }
                    None => GivenShape::Alias(Box::default()),
                };
                MemberShape::Endpoint(name, given)
            }
        }
    }

    fn policy(&mut self, policy: &'s Policy) -> PolicyShape {
        let word = policy.name().word();
        match policy {
            Policy::Geo(map) | Policy::Nearest(map) => PolicyShape::Mapped(word, Arc::as_ptr(map).addr()),
            Policy::Hash(ranking) => {
                let (v4, v6) = ranking.bits();
                PolicyShape::Hash(v4, v6)
            }
            Policy::Latency(latency) => {
                let is_same = |known: &&'s Arc<Latency>| Arc::ptr_eq(known, latency) || ***known == **latency;
                let known = self.latencies.iter().position(is_same);
                PolicyShape::Latency(known.unwrap_or_else(|| {
                    self.latencies.push(latency);
                    self.latencies.len() - 1
                }))
            }
            _ => PolicyShape::Plain(word),
        }
    }
}

/// Which members live, by their places in the file.
fn living(pool: &Pool, live: Option<&LivePool>) -> Box<[u16]> {
    let mut living = live.into_iter().flat_map(LivePool::living).peekable();
    let numbered = (0..).zip(&pool.members);
    numbered.filter(|(_, member)| living.next_if_eq(&member.target).is_some()).map(|(number, _)| number).collect()
}

fn when_all_down(said: &WhenAllDown) -> (u8, Box<[IpAddr]>) {
    match said {
        WhenAllDown::ServeAll | WhenAllDown::LastGood => (0, Box::default()),
        WhenAllDown::Addresses(addresses) => (1, addresses.clone()),
        WhenAllDown::NoData => (2, Box::default()),
        WhenAllDown::ServFail => (3, Box::default()),
        WhenAllDown::Refused => (4, Box::default()),
    }
}
