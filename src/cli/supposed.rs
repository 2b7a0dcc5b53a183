//! Files under verdicts that nobody found: every endpoint up but those that somebody names.

use std::fmt;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use super::terminal;
use crate::config::{self, Atlas, Loaded};
use crate::diagnostic::{Severity, nearest};
use crate::health::{Board, Health, ProbeId};
use crate::policy::{EndpointId, Force, Forced, Judged, Live, PoolId, Pools, Target};
use crate::snapshot::{Served, Snapshot, Steering};

/// Reads a zones folder; its errors are printed. `None` where there is one.
pub(super) fn load(folder: &Path, atlas: &Atlas) -> Option<Loaded> {
    let (loaded, faults) = config::load(folder, atlas);
    let errors: Vec<_> = faults.into_iter().filter(|fault| fault.severity == Severity::Error).collect();
    terminal::print_faults(&errors);
    loaded
}

/// The board on which everything is up.
pub(super) fn all_up(loaded: &Loaded) -> Board {
    let mut board = Board::new();
    (0..loaded.targets.len()).for_each(|target| board.set(ProbeId(target as u32), Health::UP));
    board
}

/// An endpoint as `--down` names it.
#[derive(Clone, Debug)]
pub(super) struct Named {
    pool: String,
    endpoint: String,
}

impl FromStr for Named {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (pool, endpoint) = text.split_once('/').ok_or("write POOL/ENDPOINT, such as frankfurt/fra1")?;
        Ok(Self { pool: pool.to_owned(), endpoint: endpoint.to_owned() })
    }
}

impl Named {
    pub(super) fn parts(&self) -> (&str, &str) {
        (&self.pool, &self.endpoint)
    }
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.pool, self.endpoint)
    }
}

/// Counts the endpoint as down, in `zone` or in all; `false` where there is no such endpoint.
pub(super) fn take_down(
    loaded: &mut Loaded,
    board: &mut Board,
    zone: Option<&str>,
    (pool, endpoint): (&str, &str),
) -> bool {
    let mut found = false;
    // Beyond the numbers of all probes, each endpoint that nothing probes is given a verdict for once.
    let judges = loaded.zones.iter().flat_map(|zone| zone.pools.probes()).map(|probe| probe.0 + 1).max().unwrap_or(0);
    let mut next = judges.max(loaded.targets.len() as u32);
    let zones = loaded.zones.iter_mut();
    let zones =
        zones.filter(|known| zone.is_none_or(|zone| known.zone.apex().to_string().trim_end_matches('.') == zone));
    for pools in zones.map(|zone| &mut zone.pools) {
        for at in endpoints(pools, pool, endpoint) {
            let judged = &mut pools.endpoints[at].judged;
            if judged.probes.is_empty() {
                *judged = Judged::by(ProbeId(next));
                next += 1;
            }
            // Without any of its probes it is down, however many it needs.
            judged.probes.iter().for_each(|&probe| board.set(probe, Health::DOWN));
            found = true;
        }
    }
    found
}

/// That there is no such endpoint.
pub(super) fn unknown(loaded: &[&Loaded], wanted: &Named) -> String {
    let pools: Vec<&Pools> = loaded.iter().flat_map(|loaded| &loaded.zones).map(|zone| &zone.pools).collect();
    format!("--down {wanted}: there is no such endpoint ({})", near(&pools, &wanted.to_string()))
}

/// The endpoints called `endpoint`, or of that address, in the pool called `pool`.
fn endpoints(pools: &Pools, pool: &str, endpoint: &str) -> Vec<usize> {
    let of_pool = pools.pools.iter().filter(|candidate| *candidate.name == *pool).flat_map(|pool| pool.endpoints());
    let called = |&at: &usize| {
        let known = pools.endpoints.get(at);
        let address = known.and_then(|known| known.given.address());
        known.is_some_and(|known| *known.name == *endpoint)
            || address.is_some_and(|known| known.to_string() == endpoint)
    };
    of_pool.map(|id| id.0 as usize).filter(called).collect()
}

/// What is called nearly so, or all that there is.
fn near(pools: &[&Pools], wanted: &str) -> String {
    let known: Vec<String> = pools
        .iter()
        .flat_map(|pools| pools.pools.iter().map(move |pool| (pools, pool)))
        .flat_map(|(pools, pool)| {
            pool.endpoints().map(move |id| format!("{}/{}", pool.name, pools.endpoints[id.0 as usize].name))
        })
        .collect();
    nearest(wanted, known.iter().map(String::as_str))
        .map_or_else(|| format!("there are {}", known.join(", ")), |near| format!("did you mean {near}?"))
}

/// What would be served under those verdicts, with what `drain` names out of answers.
pub(super) fn snapshot(loaded: Loaded, board: &Board, drain: &[String]) -> Result<Snapshot, String> {
    let mut all_forced = vec![Forced::default(); loaded.zones.len()];
    for wanted in drain {
        let mut found = false;
        for (zone, forced) in loaded.zones.iter().zip(&mut all_forced) {
            for target in targets(&zone.pools, wanted) {
                forced.set(target, Force::Drain);
                found = true;
            }
        }
        if !found {
            let pools: Vec<&Pools> = loaded.zones.iter().map(|zone| &zone.pools).collect();
            return Err(format!("--drain {wanted}: there is no such pool or endpoint ({})", near(&pools, wanted)));
        }
    }
    let served = loaded.zones.into_iter().zip(all_forced).map(|(zone, forced)| {
        let live = Live::compile(&zone.pools, board, &forced, None);
        let names = zone.names.into_iter().map(config::Balanced::served).collect();
        Served::new(zone.zone, Arc::new(Steering::new(names, zone.pools, zone.aliases)), Arc::new(live))
    });
    Ok(Snapshot::new(1, served.collect()))
}

/// What `POOL` or `POOL/ENDPOINT` means.
fn targets(pools: &Pools, wanted: &str) -> Vec<Target> {
    match wanted.split_once('/') {
        Some((pool, endpoint)) => {
            endpoints(pools, pool, endpoint).into_iter().map(|at| Target::Endpoint(EndpointId(at as u32))).collect()
        }
        None => {
            let called = (0..).zip(&pools.pools).filter(|(_, pool)| *pool.name == *wanted);
            called.map(|(id, _)| Target::Pool(PoolId(id))).collect()
        }
    }
}
