//! What probes came to, by pool and by endpoint, in numbers that never go back: a probe that a reload ends takes its own
//! numbers with it, and not what they added to a pool.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::super::overrides::zone_text;
use crate::health::ProbeId;
use crate::probe::{Measured, Report, Target};
use crate::snapshot::{OTHER_ZONES, Snapshot};

/// A pool's probes of one kind: the zone, the pool, the kind.
pub(super) type OfPool = (String, String, &'static str);

/// The zone, the pool and the endpoint.
pub(super) type OfEndpoint = (String, String, String);

/// What probes have added so far.
#[derive(Debug, Default)]
pub(super) struct Probing {
    /// As each probe stood when it was looked at last.
    seen: HashMap<ProbeId, (Arc<Target>, Measured, u64)>,
    sums: Arc<Added>,
}

/// What they have added up to.
#[derive(Debug, Default)]
pub(super) struct Added {
    pub(super) pools: BTreeMap<OfPool, Measured>,
    /// Verdicts that turned.
    pub(super) turns: BTreeMap<OfEndpoint, u64>,
}

impl Probing {
    /// Adds what has come since the last look, to all that `snapshot` has with rows of its own. A probe that is behind two
    /// pools counts for both.
    pub(super) fn look(&mut self, snapshot: &Snapshot, reports: &[Report]) -> Arc<Added> {
        let news: HashMap<ProbeId, (&'static str, Measured, u64)> =
            reports.iter().map(|report| self.news(report)).collect();
        let kept = |report: &Report| (report.probe, (Arc::clone(&report.target), report.measured, report.tally.turns));
        self.seen = reports.iter().map(kept).collect();
        let (mut pools, mut turns) = (BTreeMap::new(), BTreeMap::new());
        for served in snapshot.served().iter().filter(|served| served.rows().zone != OTHER_ZONES) {
            let zone = zone_text(served.zone.apex());
            for pool in &served.steering.pools.pools {
                let mut judges: Vec<ProbeId> = pool.depends.to_vec();
                for id in pool.endpoints() {
                    let Some(endpoint) = served.steering.pools.endpoints.get(id.0 as usize) else { continue };
                    judges.extend(&endpoint.judged.probes);
                    if served.rows().first_endpoint().is_none() || endpoint.judged.probes.is_empty() {
                        continue;
                    }
                    let key = (zone.clone(), pool.name.to_string(), endpoint.name.to_string());
                    let more: u64 = endpoint.judged.probes.iter().filter_map(|probe| Some(news.get(probe)?.2)).sum();
                    let before = self.sums.turns.get(&key).copied().unwrap_or(0);
                    turns.insert(key, before + more);
                }
                for (kind, measured, _) in judges.iter().filter_map(|probe| news.get(probe)) {
                    let key = (zone.clone(), pool.name.to_string(), *kind);
                    let before = self.sums.pools.get(&key).copied().unwrap_or_default();
                    let sum: &mut Measured = pools.entry(key).or_insert(before);
                    measured.add_since(&Measured::default(), sum);
                }
            }
        }
        self.sums = Arc::new(Added { pools, turns });
        Arc::clone(&self.sums)
    }

    fn news(&self, report: &Report) -> (ProbeId, (&'static str, Measured, u64)) {
        let mut since = Measured::default();
        let same = self.seen.get(&report.probe).filter(|(target, ..)| Arc::ptr_eq(target, &report.target));
        let (before, turns) = same.map(|&(_, measured, turns)| (measured, turns)).unwrap_or_default();
        report.measured.add_since(&before, &mut since);
        let kind = report.target.monitor.probe.kind();
        (report.probe, (kind, since, report.tally.turns.saturating_sub(turns)))
    }
}
