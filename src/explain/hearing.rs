//! What `explain` hears while an answer comes about.

use crate::answer::{self, Finding, Steered};
use crate::policy::{self, Family, How, PoolId, Target};
use crate::snapshot::Served;
use crate::wire::name::Name;

/// Everything that was said, in order.
#[derive(Debug, Default)]
pub(super) struct Hearing {
    /// What each name of the chain came to, and in which zone.
    pub(super) found: Vec<(Name, Name, Finding)>,
    /// Each pool that was consulted, in the order in which it first was, with the members that were taken from it.
    pub(super) pools: Vec<Consulted>,
    /// What steering came to; of hints, over both families.
    pub(super) steered: Option<Steered>,
}

/// A pool that was consulted.
#[derive(Debug)]
pub(super) struct Consulted {
    pub(super) pool: PoolId,
    pub(super) how: How,
    pub(super) took: Vec<Target>,
    /// For the hints of which family, if it was for hints: each is chosen by itself.
    pub(super) hints: Option<Family>,
}

impl Hearing {
    /// The pool among those of the choice that is being made.
    fn open(&mut self, pool: PoolId) -> Option<&mut Consulted> {
        self.pools.iter_mut().find(|consulted| consulted.pool == pool && consulted.hints.is_none())
    }
}

impl policy::Witness for Hearing {
    fn consulted(&mut self, pool: PoolId, how: How) {
        if self.open(pool).is_none() {
            self.pools.push(Consulted { pool, how, took: Vec::new(), hints: None });
        }
    }

    fn took(&mut self, pool: PoolId, member: Target) {
        if let Some(consulted) = self.open(pool) {
            consulted.took.push(member);
        }
    }
}

impl answer::Witness for Hearing {
    fn found(&mut self, served: &Served, name: &[u8], finding: Finding) {
        if let Ok(name) = Name::from_wire(name) {
            self.found.push((name, served.zone.apex().clone(), finding));
        }
    }

    fn steered(&mut self, steered: Steered) {
        let Some((.., Finding::Hinted(_))) = self.found.last() else {
            self.steered = Some(steered);
            return;
        };
        for consulted in self.pools.iter_mut().filter(|consulted| consulted.hints.is_none()) {
            consulted.hints = Some(steered.family);
        }
        self.steered = Some(self.steered.map_or(steered, |before| steered.beside(before)));
    }
}
