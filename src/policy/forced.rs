//! What operators forced of a zone's endpoints and pools, over every verdict.
//!
//! *Up* counts as alive, *down* as dead, and no verdict changes that. *Drain* is out of new answers as *down* is; what
//! differs is what is told of it. What is out is left out of `serve-all` and `last-good` too, unless nothing else
//! would be left: an empty answer helps nobody, and nobody asked for one.

use std::collections::BTreeMap;

use super::{EndpointId, Family, PoolId, Pools, Target};
use crate::health::Health;

/// What an operator forced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Force {
    /// It counts as alive.
    Up,
    /// It counts as dead.
    Down,
    /// It is out of new answers, and is to be stopped once the last old one has passed.
    Drain,
}

impl Force {
    /// Whether it takes its endpoint or pool out of answers.
    pub const fn is_out(self) -> bool {
        matches!(self, Self::Down | Self::Drain)
    }
}

/// Everything that is forced in one zone: nothing, nearly always.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Forced {
    targets: BTreeMap<(Kind, u32), Force>,
}

/// A pool and an endpoint may bear the same number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Endpoint,
    Pool,
}

fn key(target: Target) -> (Kind, u32) {
    match target {
        Target::Endpoint(EndpointId(id)) => (Kind::Endpoint, id),
        Target::Pool(PoolId(id)) => (Kind::Pool, id),
    }
}

impl Forced {
    /// Forces `target`; what was forced of it before is forgotten.
    pub fn set(&mut self, target: Target, force: Force) {
        self.targets.insert(key(target), force);
    }

    /// What is forced of `target` itself, not of what it is in or of what is in it.
    pub fn get(&self, target: Target) -> Option<Force> {
        self.targets.get(&key(target)).copied()
    }

    /// What is forced, of whatever.
    pub fn values(&self) -> impl Iterator<Item = Force> {
        self.targets.values().copied()
    }

    /// Whether anything is out.
    pub(super) fn any_out(&self) -> bool {
        self.values().any(Force::is_out)
    }

    /// What an endpoint counts as that has this health: no verdict turns what is forced.
    pub fn health(&self, endpoint: EndpointId, judged: Health) -> Health {
        match self.get(Target::Endpoint(endpoint)) {
            None => judged,
            Some(Force::Up) => Health { load: judged.load.filter(|_| judged.alive), ..Health::UP },
            Some(Force::Down | Force::Drain) => Health::DOWN,
        }
    }

    /// Which pools are out of answers of `family`, by number: those that are forced out, and those of which
    /// every member is.
    pub fn pools_out(&self, pools: &Pools, family: Family) -> Vec<bool> {
        let mut out = Vec::with_capacity(pools.pools.len());
        let mut present = Vec::with_capacity(pools.pools.len());
        for (id, pool) in (0..).zip(&pools.pools) {
            // Children stand before their parents.
            let is_present = |target: Target| match target {
                Target::Endpoint(id) => pools.endpoints.get(id.0 as usize).is_some_and(|e| e.given.is_for(family)),
                Target::Pool(id) => present.get(id.0 as usize).copied().unwrap_or(false),
            };
            let mut members = pool.members.iter().map(|member| member.target).filter(|&target| is_present(target));
            let any = members.clone().next().is_some();
            let is_out = match self.get(Target::Pool(PoolId(id))) {
                Some(force) => force.is_out(),
                None => any && members.all(|target| self.is_out(target, &out)),
            };
            present.push(any);
            out.push(is_out);
        }
        out
    }

    /// Whether a member is out, where `pools_out` says which pools are.
    pub(super) fn is_out(&self, member: Target, pools_out: &[bool]) -> bool {
        match member {
            Target::Endpoint(_) => self.get(member).is_some_and(Force::is_out),
            Target::Pool(id) => pools_out.get(id.0 as usize).copied().unwrap_or(false),
        }
    }
}
