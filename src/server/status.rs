//! How everything stands, put into words: from what the keeper held at one moment.
//!
//! Runs beside the keeper, on a thread of its own: a million names take their time.

mod probes;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::drain;
use super::overrides::{Overrides, zone_text};
use crate::admin::api::{
    self, EndpointStatus, Families, LogStatus, NameStatus, OverrideStatus, PoolStatus, ProbeStatus, ReloadReport,
    Status, Verdict, ZoneStatus,
};
use crate::config;
use crate::health::{Board, PerMille, Wave};
use crate::moment::Moment;
use crate::observe::dnstap::Stats;
use crate::policy::{Endpoint, EndpointId, Family, Pool, PoolId, Target, WhenAllDown};
use crate::probe::Ledger;
use crate::snapshot::{Served, Snapshot};
use crate::system::{Clock, time_of_day};
use crate::ttl::Plan;
use crate::wire::name::Name;
use probes::Probes;

/// What was read of each zone that queries need not: its balanced names, in the order of the snapshot.
pub(super) type Catalog = Arc<[Arc<[Known]>]>;

/// A balanced name as it was read.
#[derive(Clone, Debug)]
pub(super) struct Known {
    owner: Name,
    plan: Plan,
}

impl Known {
    pub(super) fn of(name: &config::Balanced) -> Self {
        Self { owner: name.owner.clone(), plan: name.plan }
    }

    /// Its owner, and what it promises.
    pub(super) fn promise(&self) -> (&Name, &Plan) {
        (&self.owner, &self.plan)
    }

    /// As operators write it: without the final dot.
    pub(super) fn owner_text(&self) -> String {
        zone_text(&self.owner)
    }
}

/// Everything that a status is made of.
pub(super) struct Seen {
    pub(super) snapshot: Arc<Snapshot>,
    pub(super) catalog: Catalog,
    pub(super) board: Board,
    pub(super) ledger: Arc<Ledger>,
    pub(super) waves: Vec<Wave>,
    pub(super) overrides: Overrides,
    pub(super) told: Vec<OverrideStatus>,
    pub(super) last_reload: Option<ReloadReport>,
    /// Files at fault of which what they said before is still in use, in words.
    pub(super) stale: Vec<String>,
    /// What became of the query log, if there is one.
    pub(super) log: Option<Arc<Stats>>,
    pub(super) now: Moment,
    pub(super) clock: Clock,
}

/// The time of day of `moment`, as the system has it now.
pub(super) fn time(clock: Clock, moment: Moment) -> Timestamp {
    let now = Timestamp::try_from(time_of_day()).unwrap_or_default();
    let at = clock.now();
    let signed = |span: Duration| jiff::SignedDuration::try_from(span).unwrap_or(jiff::SignedDuration::MAX);
    let moved =
        if moment > at { now.checked_add(signed(moment.since(at))) } else { now.checked_sub(signed(at.since(moment))) };
    moved.unwrap_or(Timestamp::MAX)
}

/// The moment of a time of day; [`Moment::START`] for whatever was before this process.
pub(super) fn moment(clock: Clock, time: Timestamp) -> Moment {
    let now = Timestamp::try_from(time_of_day()).unwrap_or_default();
    let left = time.duration_since(now);
    if left.is_negative() { clock.now() - left.unsigned_abs() } else { clock.now() + left.unsigned_abs() }
}

pub(super) fn status(seen: &Seen) -> Status {
    let probes = Probes::of(seen);
    let mut zones: Vec<ZoneStatus> = seen
        .snapshot
        .served()
        .iter()
        .zip(&*seen.catalog)
        .map(|(served, names)| zone(seen, &probes, served, names))
        .collect();
    zones.sort_by(|one, other| one.zone.cmp(&other.zone));
    Status {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        at: time(seen.clock, seen.now),
        generation: seen.snapshot.generation(),
        alarms: probes::alarms(seen),
        lag: probes::lag(seen.ledger.lag()),
        reload: seen.last_reload.clone(),
        dnstap: seen.log.as_deref().map(|log| LogStatus {
            open: log.is_open(),
            opened: log.opened(),
            written: log.written(),
            dropped_full: log.dropped_full(),
            dropped_no_reader: log.dropped_absent(),
        }),
        zones,
        overrides: seen.told.clone(),
    }
}

fn zone(seen: &Seen, probes: &Probes, served: &Served, known: &[Known]) -> ZoneStatus {
    let pools = &served.steering.pools;
    let zone = zone_text(served.zone.apex());
    let out = Family::BOTH.map(|family| served.live.forced().pools_out(pools, family));
    let names = served.steering.names.iter().zip(known).map(|(name, known)| {
        let alive = families(served, name.root);
        let last_resort = Family::BOTH.into_iter().any(|family| {
            let pool = served.live.pool(family, name.root);
            let dead = pool.is_some_and(|pool| pool.is_present() && !pool.is_alive());
            let serves = matches!(name.when_all_down, WhenAllDown::ServeAll | WhenAllDown::LastGood);
            dead && serves && out[family as usize].get(name.root.0 as usize).copied().unwrap_or(false)
        });
        let seconds = |span: Duration| known.plan.monitored.then_some(span.as_secs_f64());
        NameStatus {
            name: known.owner_text(),
            pool: pools.pools.get(name.root.0 as usize).map(|pool| pool.name.to_string()).unwrap_or_default(),
            ttl_min: name.ttl.min,
            ttl_max: name.ttl.max,
            detection: seconds(known.plan.detection),
            failover: seconds(known.plan.failover),
            alive,
            last_resort,
        }
    });
    let names = names.collect();
    let pools =
        (0..).map(PoolId).zip(&pools.pools).map(|(id, found)| pool(seen, probes, served, (&zone, id, found))).collect();
    ZoneStatus { zone, names, pools }
}

fn families(served: &Served, pool: PoolId) -> Families {
    let of = |family| served.live.pool(family, pool).filter(|pool| pool.is_present()).map(|pool| pool.is_alive());
    Families { ipv4: of(Family::V4), ipv6: of(Family::V6) }
}

fn pool(seen: &Seen, probes: &Probes, served: &Served, (zone, id, pool): (&str, PoolId, &Pool)) -> PoolStatus {
    let pools = &served.steering.pools;
    let children = pool.members.iter().filter_map(|member| match member.target {
        Target::Pool(child) => pools.pools.get(child.0 as usize).map(|child| child.name.to_string()),
        Target::Endpoint(_) => None,
    });
    let endpoints = pool.endpoints().filter_map(|id| {
        let found = pools.endpoints.get(id.0 as usize)?;
        let target =
            api::Target { zone: zone.to_owned(), pool: pool.name.to_string(), endpoint: Some(found.name.to_string()) };
        Some(endpoint(seen, probes, served, (id, found, &target)))
    });
    let target = api::Target { zone: zone.to_owned(), pool: pool.name.to_string(), endpoint: None };
    PoolStatus {
        pool: pool.name.to_string(),
        policy: pool.policy.name().to_string(),
        alive: families(served, id),
        forced: seen.overrides.get(&target).map(|entry| entry.forced()),
        pools: children.collect(),
        endpoints: endpoints.collect(),
    }
}

fn endpoint(
    seen: &Seen,
    probes: &Probes,
    served: &Served,
    (id, endpoint, target): (EndpointId, &Endpoint, &api::Target),
) -> EndpointStatus {
    let judged = probes.judged(&endpoint.judged);
    let counts = endpoint.judged.health(&seen.board);
    let forced = seen.overrides.get(target).map(|entry| entry.forced());
    let held_by_wave = judged.is_some_and(|judged| !probes::is_alive(judged)) && counts.alive;
    let effective = match forced.as_ref().map(|forced| forced.force) {
        Some(api::Force::Up) => Verdict::Up,
        Some(api::Force::Down | api::Force::Drain) => Verdict::Down,
        // Held, it lives and could die at any moment.
        None if held_by_wave => Verdict::Suspect,
        None => judged.unwrap_or(Verdict::Up),
    };
    let stood: Vec<ProbeStatus> = endpoint.judged.probes.iter().filter_map(|&probe| probes.status(probe)).collect();
    let joined = |words: Vec<&str>| (!words.is_empty()).then(|| words.join("; "));
    let gives = drain::gives(&served.steering, id).unwrap_or_default();
    EndpointStatus {
        endpoint: endpoint.name.to_string(),
        gives,
        verdict: effective,
        judged,
        forced,
        probe: joined(stood.iter().map(|probe| &*probe.probe).collect()),
        // What they come to together turned when the last of them did, if any of them turned it.
        age: stood.iter().filter_map(|probe| probe.age).reduce(f64::min),
        reason: joined(stood.iter().filter_map(|probe| probe.reason.as_deref()).collect()),
        next_probe: stood.iter().map(|probe| probe.next).min(),
        share: (counts.alive && counts.share != PerMille::WHOLE).then(|| f64::from(counts.share.get()) / 1_000.0),
        held_by_wave,
        probes: stood,
    }
}
