//! The zones that are served, or about to be, with what the control plane knows of them beside.
//!
//! A zone that a reload found as it was is taken over as it is: its records, its pools, its probes.

use std::collections::HashMap;
use std::sync::Arc;

use super::super::status::{Catalog, Known};
use crate::config::{self, KeptSerial, LoadedZone, Part, Reading, Shelf, ZoneRead};
use crate::health::{ProbeId, Watched};
use crate::probe::Target;
use crate::snapshot::Steering;
use crate::zone::Zone;

/// All zones of one reading.
#[derive(Debug, Default)]
pub(super) struct Holdings {
    /// What they were read from.
    pub(super) shelf: Shelf,
    /// By name, as on the shelf.
    pub(super) zones: Vec<Held>,
}

/// One zone, its probes numbered as the prober has them.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) zone: Arc<Zone>,
    pub(super) steering: Arc<Steering>,
    pub(super) names: Arc<[Known]>,
    /// What is probed for it, each once.
    pub(super) watched: Arc<[(ProbeId, Watched)]>,
}

impl Holdings {
    /// None yet, after another process gave these serials to zones.
    pub(super) fn after(serials: Vec<KeptSerial>) -> Self {
        Self { shelf: Shelf::after(serials), zones: Vec::new() }
    }

    /// What `reading` found, after `before` was. `watch` begins to probe a target, if nobody does yet.
    pub(super) fn of(reading: Reading, before: &Self, mut watch: impl FnMut(Target) -> ProbeId) -> Self {
        let Reading { shelf, parts } = reading;
        let zones = parts.into_iter().filter_map(|part| match part {
            Part::Kept(at) => before.zones.get(at).cloned(),
            Part::Read(read) => Some(Held::of(*read, &mut watch)),
        });
        Self { zones: zones.collect(), shelf }
    }

    /// Everything that is probed. What several zones have is held for no longer than the tightest of them can bear.
    pub(super) fn watched(&self) -> HashMap<ProbeId, Watched> {
        let mut all: HashMap<ProbeId, Watched> = HashMap::new();
        for &(probe, watched) in self.zones.iter().flat_map(|held| &*held.watched) {
            let known = all.entry(probe).or_insert(watched);
            known.slack = known.slack.min(watched.slack);
        }
        all
    }

    /// The balanced names.
    pub(super) fn catalog(&self) -> Catalog {
        self.zones.iter().map(|held| Arc::clone(&held.names)).collect()
    }

    /// How many those are.
    pub(super) fn names(&self) -> usize {
        self.zones.iter().map(|held| held.names.len()).sum()
    }
}

impl Held {
    fn of(read: ZoneRead, watch: &mut impl FnMut(Target) -> ProbeId) -> Self {
        let ZoneRead { zone: LoadedZone { zone, names, mut pools, aliases }, targets, slacks } = read;
        let watched: Arc<[(ProbeId, Watched)]> = targets
            .into_iter()
            .zip(slacks)
            .map(|(target, slack)| {
                let watched = Watched::new(target.address, &target.monitor.timing, slack);
                (watch(target), watched)
            })
            .collect();
        // The reader of the files has numbered the very targets that are watched.
        pools.renumber(|own| watched.get(own.0 as usize).map_or(own, |&(probe, _)| probe));
        let known = names.iter().map(Known::of).collect();
        let names = names.into_iter().map(config::Balanced::served).collect();
        Self { zone, steering: Arc::new(Steering::new(names, pools, aliases)), names: known, watched }
    }
}
