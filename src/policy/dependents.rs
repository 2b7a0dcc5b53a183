//! Which pools a verdict touches by itself: those with an endpoint that the probe judges, and those that depend on it.
//! What nests them is touched only if they come to something else, so that is found while they are compiled.

use super::{PoolId, Pools, Target};
use crate::health::ProbeId;

/// The pools of one zone, by probe.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dependents(Box<[(ProbeId, PoolId)]>);

impl Dependents {
    /// Those of `pools`.
    pub fn of(pools: &Pools) -> Self {
        let mut pairs = Vec::new();
        for (id, pool) in (0..).map(PoolId).zip(&pools.pools) {
            pairs.extend(pool.depends.iter().map(|&probe| (probe, id)));
            for member in &pool.members {
                let Target::Endpoint(endpoint) = member.target else { continue };
                let judged = pools.endpoints.get(endpoint.0 as usize).map(|endpoint| &endpoint.judged);
                pairs.extend(judged.into_iter().flat_map(|judged| &judged.probes).map(|&probe| (probe, id)));
            }
        }
        pairs.sort_unstable();
        pairs.dedup();
        Self(pairs.into())
    }

    /// Those that the verdict of `probe` touches, in their order.
    pub fn of_probe(&self, probe: ProbeId) -> impl Iterator<Item = PoolId> {
        let from = self.0.partition_point(|&(known, _)| known < probe);
        let rest = self.0.get(from..).unwrap_or_default();
        rest.iter().take_while(move |&&(known, _)| known == probe).map(|&(_, pool)| pool)
    }

    /// Each probe on which anything here depends, once.
    pub fn probes(&self) -> impl Iterator<Item = ProbeId> {
        self.0.chunk_by(|(one, _), (other, _)| one == other).filter_map(|pairs| Some(pairs.first()?.0))
    }
}
