//! Endpoints and pools: what was given, what should have been, what lives and what probes say.

use std::fmt;

use super::super::overrides::zone_text;
use super::Look;
use super::page::{Family, Page};
use crate::policy::{EndpointId, Family as Addresses, Pool, PoolId, Target};
use crate::probe::{Failure, LATENCY_BOUNDS};
use crate::snapshot::{OTHER_ZONES, Served};

const ANSWERS: Family = Family::new(
    "bellwether_endpoint_answers",
    "Answers with an endpoint, by whether it stood first or behind another.",
);
const TARGET: Family = Family::new(
    "bellwether_endpoint_target_share_ratio",
    "The part of its pool's first answers that an endpoint is to get now, where that does not depend on the client.",
);
const UP: Family =
    Family::new("bellwether_endpoint_up", "Whether an endpoint counts as up, by its verdict or by what is forced.");
const CHANGES: Family =
    Family::new("bellwether_endpoint_verdict_changes", "Verdicts of an endpoint's probes that turned.");
const CERTIFICATES: Family = Family::seconds(
    "bellwether_endpoint_certificate_expiry_timestamp",
    "When the first of the certificates ends that an endpoint showed to its probes, in seconds since 1970.",
);
const POOL_UP: Family = Family::new("bellwether_pool_up", "Whether a pool lives.");
const DEAD: Family =
    Family::new("bellwether_dead_names", "Balanced names that have endpoints of a family of which none lives.");
const PROBES: Family =
    Family::new("bellwether_probes", "Probes of a pool's endpoints and of what it depends on, by what came of them.");
const LATENCY: Family = Family::seconds("bellwether_probe_duration", "How long the probes took that succeeded.");

pub(super) fn write(look: &Look, page: &mut Page<'_>) -> fmt::Result {
    answers(look, page)?;
    standing(look, page)?;
    probes(look, page)
}

const FAMILIES: [(Addresses, &str); 2] = [(Addresses::V4, "ipv4"), (Addresses::V6, "ipv6")];

fn answers(look: &Look, page: &mut Page<'_>) -> fmt::Result {
    let rows: Vec<_> = look
        .layout
        .endpoints()
        .iter()
        .zip(&look.sums.given)
        .filter_map(|(counted, given)| Some((zone_text(look.layout.zone(counted.zone)?), counted, given)))
        .collect();
    let samples = rows.iter().flat_map(|(zone, counted, given)| {
        let of = move |family: usize, place: usize| {
            let labels = [
                ("zone", zone.as_str()),
                ("pool", &*counted.pool),
                ("endpoint", &*counted.endpoint),
                ("family", FAMILIES[family].1),
                ("position", ["first", "behind"][place]),
            ];
            (labels, given[family][place])
        };
        // An address is of one family: the other stays at nothing.
        let families = (0..FAMILIES.len()).filter(|&family| given[family] != [0, 0]);
        families.flat_map(move |family| [of(family, 0), of(family, 1)])
    });
    page.counters(&ANSWERS, samples)?;
    let targets: Vec<_> = zones(look).flat_map(|(zone, served)| targets(&zone, served)).collect();
    page.gauges(
        &TARGET,
        targets.iter().map(|(zone, pool, endpoint, family, share)| {
            ([("zone", zone.as_str()), ("pool", pool), ("endpoint", endpoint), ("family", family)], *share)
        }),
    )
}

/// The zones that have rows.
fn zones(look: &Look) -> impl Iterator<Item = (String, &Served)> {
    let served = look.scene.snapshot.served().iter().filter(|served| served.rows().zone != OTHER_ZONES);
    served.map(|served| (zone_text(served.zone.apex()), served))
}

type OfTarget<'s> = (String, &'s str, &'s str, &'static str, f64);

/// What the endpoints of a zone are to get, those that are out of answers nothing.
fn targets<'s>(zone: &str, served: &'s Served) -> Vec<OfTarget<'s>> {
    let mut targets = Vec::new();
    for (id, pool) in (0..).map(PoolId).zip(&served.steering.pools.pools) {
        if served_endpoints(served, pool).next().is_none() {
            continue;
        }
        for (family, word) in FAMILIES {
            let Some(shares) = served.live.pool(family, id).and_then(|live| live.shares()) else { continue };
            for (id, endpoint) in served_endpoints(served, pool) {
                if !endpoint.given.is_for(family) {
                    continue;
                }
                let own = shares.iter().find(|(target, _)| *target == Target::Endpoint(id));
                let share = own.map_or(0.0, |(_, share)| *share);
                targets.push((zone.to_owned(), &*pool.name, &*endpoint.name, word, share));
            }
        }
    }
    targets
}

/// The endpoints of a pool that have rows.
fn served_endpoints<'s>(
    served: &'s Served,
    pool: &'s Pool,
) -> impl Iterator<Item = (EndpointId, &'s crate::policy::Endpoint)> {
    let counted = pool.endpoints().filter(|_| served.rows().first_endpoint().is_some());
    counted.filter_map(|id| Some((id, served.steering.pools.endpoints.get(id.0 as usize)?)))
}

fn standing(look: &Look, page: &mut Page<'_>) -> fmt::Result {
    let (mut endpoints, mut ends, mut pools) = (Vec::new(), Vec::new(), Vec::new());
    let certificate = |probe| {
        let at = look.scene.reports.binary_search_by_key(probe, |report| report.probe).ok()?;
        look.scene.reports.get(at)?.certificate_ends
    };
    for (zone, served) in zones(look) {
        for (id, pool) in (0..).map(PoolId).zip(&served.steering.pools.pools) {
            for (id, endpoint) in served_endpoints(served, pool) {
                let health = served.live.forced().health(id, endpoint.judged.health(&look.scene.board));
                endpoints.push((zone.clone(), &*pool.name, &*endpoint.name, health.alive));
                if let Some(end) = endpoint.judged.probes.iter().filter_map(certificate).min() {
                    ends.push((zone.clone(), &*pool.name, &*endpoint.name, end));
                }
            }
            for (family, word) in FAMILIES {
                if let Some(live) = served.live.pool(family, id).filter(|live| live.is_present()) {
                    pools.push((zone.clone(), &*pool.name, word, live.is_alive()));
                }
            }
        }
    }
    page.gauges(
        &UP,
        endpoints.iter().map(|(zone, pool, endpoint, alive)| {
            ([("zone", zone.as_str()), ("pool", pool), ("endpoint", endpoint)], f64::from(u8::from(*alive)))
        }),
    )?;
    page.gauges(
        &CERTIFICATES,
        ends.iter().map(|(zone, pool, endpoint, end)| {
            ([("zone", zone.as_str()), ("pool", pool), ("endpoint", endpoint)], *end as f64)
        }),
    )?;
    page.gauges(
        &POOL_UP,
        pools.iter().map(|(zone, pool, family, alive)| {
            ([("zone", zone.as_str()), ("pool", pool), ("family", family)], f64::from(u8::from(*alive)))
        }),
    )?;
    let dead = FAMILIES.map(|(family, word)| {
        let is_dead = |served: &Served, root| {
            served.live.pool(family, root).is_some_and(|pool| pool.is_present() && !pool.is_alive())
        };
        let of = |served: &Served| served.steering.names.iter().filter(|name| is_dead(served, name.root)).count();
        ([("family", word)], look.scene.snapshot.served().iter().map(of).sum::<usize>() as f64)
    });
    page.gauges(&DEAD, dead)
}

fn probes(look: &Look, page: &mut Page<'_>) -> fmt::Result {
    page.counters(
        &CHANGES,
        look.probes.turns.iter().map(|((zone, pool, endpoint), turns)| {
            ([("zone", zone.as_str()), ("pool", pool), ("endpoint", endpoint)], *turns)
        }),
    )?;
    let results = look.probes.pools.iter().flat_map(|((zone, pool, kind), measured)| {
        let success = [("success", measured.latencies.iter().sum())].into_iter();
        let failures = Failure::CLASSES.into_iter().zip(measured.failures).filter(|(_, count)| *count > 0);
        success.chain(failures).map(move |(result, count)| {
            ([("zone", zone.as_str()), ("pool", pool), ("kind", kind), ("result", result)], count)
        })
    });
    page.counters(&PROBES, results)?;
    // How long a report was waited for says nothing.
    let timed = look.probes.pools.iter().filter(|((.., kind), _)| *kind != "push");
    page.histograms(
        &LATENCY,
        timed.map(|((zone, pool, kind), measured)| {
            let bounds = LATENCY_BOUNDS.iter().map(|bound| bound.as_secs_f64()).chain([f64::INFINITY]);
            let labels = [("zone", zone.as_str()), ("pool", pool.as_str()), ("kind", *kind)];
            (labels, measured.latency_sum.as_secs_f64(), bounds.zip(measured.latencies).collect())
        }),
    )
}
