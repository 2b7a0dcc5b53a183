//! What `explain` hears while an answer comes about.

use crate::answer::{self, Finding, Steered};
use crate::policy::{self, Family, How, PoolId, Target};
use crate::snapshot::Served;
use crate::wire::name::Name;

/// Everything that was said, in order.
#[derive(Debug, Default)]
pub(super) struct Hearing {
    /// What each name of the chain came to.
    pub(super) found: Vec<Found>,
}

/// What a name came to.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) name: Name,
    /// In which zone.
    pub(super) zone: Name,
    pub(super) finding: Finding,
    /// Each pool that was consulted for it, in the order in which it first was, with the members that were taken from it.
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

impl Found {
    /// The pool among those of the choice that is being made.
    fn open(&mut self, pool: PoolId) -> Option<&mut Consulted> {
        self.pools.iter_mut().find(|consulted| consulted.pool == pool && consulted.hints.is_none())
    }
}

impl policy::Witness for Hearing {
    fn consulted(&mut self, pool: PoolId, how: How) {
        let Some(found) = self.found.last_mut() else { return };
        if found.open(pool).is_none() {
            found.pools.push(Consulted { pool, how, took: Vec::new(), hints: None });
        }
    }

    fn took(&mut self, pool: PoolId, member: Target) {
        if let Some(consulted) = self.found.last_mut().and_then(|found| found.open(pool)) {
            consulted.took.push(member);
        }
    }
}

impl answer::Witness for Hearing {
    fn found(&mut self, served: &Served, name: &[u8], finding: Finding) {
        if let Ok(name) = Name::from_wire(name) {
            let zone = served.zone.apex().clone();
            self.found.push(Found { name, zone, finding, pools: Vec::new(), steered: None });
        }
    }

    fn steered(&mut self, steered: Steered) {
        let Some(found) = self.found.last_mut() else { return };
        if !matches!(found.finding, Finding::Hinted(_)) {
            found.steered = Some(steered);
            return;
        }
        for consulted in found.pools.iter_mut().filter(|consulted| consulted.hints.is_none()) {
            consulted.hints = Some(steered.family);
        }
        found.steered = Some(found.steered.map_or(steered, |before| steered.beside(before)));
    }
}
