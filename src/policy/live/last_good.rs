//! What dead pools were when they last lived, taken out and put back: how `last-good` survives a restart.

use std::sync::Arc;

use super::super::compiled::LivePool;
use super::super::{EndpointId, Family, Pools, Target};
use super::{Live, compile_those, standings};
use crate::health::Health;

/// The members of one dead pool when it last lived, by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastGood {
    /// In which family.
    pub family: Family,
    /// The pool.
    pub pool: Box<str>,
    /// Those of its members that lived.
    pub members: Vec<Box<str>>,
}

impl Live {
    /// What each pool that is dead now was when it last lived.
    pub fn last_good(&self, pools: &Pools) -> Vec<LastGood> {
        let mut kept = Vec::new();
        for family in Family::BOTH {
            for (live, pool) in self.families[family as usize].iter().zip(&pools.pools) {
                let Some(last) = live.last_good().filter(|_| !live.is_alive()) else { continue };
                let members = last.branches.iter().filter_map(|branch| name(pools, branch.target)).map(Box::from);
                kept.push(LastGood { family, pool: pool.name.clone(), members: members.collect() });
            }
        }
        kept
    }

    /// The pools as `kept` says that they last lived, dead where it says nothing: what to compile the first pools of
    /// a process after. Members that there are no more are passed over.
    pub fn recalled(pools: &Pools, kept: &[LastGood]) -> Self {
        let families = Family::BOTH.map(|family| {
            let mut live: Vec<Arc<LivePool>> = Vec::with_capacity(pools.pools.len());
            for pool in &pools.pools {
                let last = kept.iter().find(|last| last.family == family && last.pool == pool.name);
                let lived = |target| {
                    let name = name(pools, target);
                    last.is_some_and(|last| last.members.iter().any(|member| Some(&**member) == name))
                };
                let members = standings(pools, family, &live, pool, &|_, _| Health::UP);
                let recalled = compile_those(pool, members, lived);
                live.push(Arc::new(recalled));
            }
            live.into()
        });
        Self { families, ..Self::default() }
    }
}

fn name(pools: &Pools, target: Target) -> Option<&str> {
    match target {
        Target::Endpoint(EndpointId(id)) => pools.endpoints.get(id as usize).map(|endpoint| &*endpoint.name),
        Target::Pool(id) => pools.pools.get(id.0 as usize).map(|pool| &*pool.name),
    }
}
