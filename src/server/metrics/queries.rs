//! Queries and what became of them.

use std::fmt;

use super::Look;
use super::page::{Family, Page};
use crate::answer::{Cells, Transport};
use crate::snapshot::{NO_ZONE, OTHER_ZONES};
use crate::wire::header::Rcode;
use crate::wire::rtype::Rtype;

const QUERIES: Family = Family::new("bellwether_queries", "Queries that were answered, by transport, type and code.");
const ZONE_QUERIES: Family =
    Family::new("bellwether_zone_queries", "Queries that were answered, by zone, type and code.");
const DROPPED: Family = Family::new("bellwether_dropped_queries", "Queries to which nothing was sent, by why.");
const TRUNCATED: Family =
    Family::new("bellwether_truncated_responses", "UDP responses that were cut though they had room, by why.");
const COOKIES: Family = Family::new("bellwether_cookies", "DNS cookies that came, by whether they prove the client.");
const SUBNETS: Family = Family::new(
    "bellwether_client_subnet_queries",
    "Queries that were answered, by what the client subnet was worth that they told (RFC 7871).",
);
const TTLS: Family = Family::seconds("bellwether_answer_ttl", "TTLs of the balanced answers with endpoints.");
const EVENTS: Family = Family::new("bellwether_transport_events", "What became of connections and of odd datagrams.");

/// The upper ends of the classes of TTLs, seconds.
const TTL_BOUNDS: [usize; 12] = [1, 2, 5, 10, 15, 20, 30, 45, 60, 120, 300, 3600];

/// What zones are called that have no row of their own, and what no zone is called: no name of a zone has brackets.
const OTHER: &str = "(other)";
const NONE: &str = "(none)";

pub(super) fn write(look: &Look, page: &mut Page<'_>) -> fmt::Result {
    let sums = &look.sums;
    let by_transport = Transport::ALL.into_iter().zip(&sums.transports);
    let queries: Vec<_> = by_transport
        .flat_map(|(transport, cells)| {
            named(cells).map(move |(rtype, rcode, count)| (word(transport), rtype, rcode, count))
        })
        .collect();
    page.counters(
        &QUERIES,
        queries.iter().map(|(transport, rtype, rcode, count)| {
            ([("transport", *transport), ("type", rtype.as_str()), ("rcode", *rcode)], *count)
        }),
    )?;
    let zones: Vec<_> = (0..)
        .zip(&sums.zones)
        .flat_map(|(row, cells)| {
            let zone = zone(look, row);
            named(cells).map(move |(rtype, rcode, count)| (zone.clone(), rtype, rcode, count)).collect::<Vec<_>>()
        })
        .collect();
    page.counters(
        &ZONE_QUERIES,
        zones.iter().map(|(zone, rtype, rcode, count)| {
            ([("zone", zone.as_str()), ("type", rtype.as_str()), ("rcode", *rcode)], *count)
        }),
    )?;
    outcomes(look, page)?;
    page.counters(&SUBNETS, sums.subnets.iter().map(|&(worth, count)| ([("subnet", worth)], count)))?;
    ttls(look, page)
}

/// What the workers and the doors count whatever the zone.
fn outcomes(look: &Look, page: &mut Page<'_>) -> fmt::Result {
    let meters = &look.scene.meters;
    let mut all: Vec<(&'static str, u64)> = Vec::new();
    for (name, count) in meters.counters.iter().flat_map(|counters| counters.events()) {
        match all.iter_mut().find(|(known, _)| *known == name) {
            Some((_, sum)) => *sum += count,
            None => all.push((name, count)),
        }
    }
    let of = |prefix: &'static str, label: &'static str| {
        let rest = all.iter().filter_map(move |&(name, count)| Some((name.strip_prefix(prefix)?, count)));
        rest.map(move |(name, count)| ([(label, name)], count)).collect::<Vec<_>>()
    };
    page.counters(&DROPPED, of("dropped-", "reason"))?;
    page.counters(&TRUNCATED, of("truncated-", "reason"))?;
    page.counters(&COOKIES, of("cookies-", "proof"))?;
    page.counters(&EVENTS, meters.tally.read().map(|(event, count)| ([("event", event)], count)))
}

fn ttls(look: &Look, page: &mut Page<'_>) -> fmt::Result {
    let ttls = &look.sums.ttls;
    let sum: u64 = (0..).zip(ttls).map(|(ttl, count): (u64, &u64)| ttl * count).sum();
    let mut classes: Vec<(f64, u64)> = Vec::new();
    let mut from = 0;
    for bound in TTL_BOUNDS {
        classes.push((bound as f64, ttls.get(from..=bound).unwrap_or_default().iter().sum()));
        from = bound + 1;
    }
    classes.push((f64::INFINITY, ttls.get(from..).unwrap_or_default().iter().sum()));
    page.histograms(&TTLS, [([], sum as f64, classes)])
}

/// Each count with the words of its type and its code.
fn named(cells: &Cells) -> impl Iterator<Item = (String, &'static str, u64)> {
    let words = |(rtype, rcode, count): (Option<Rtype>, Rcode, u64)| {
        (rtype.map_or_else(|| "other".to_owned(), |rtype| rtype.to_string()), rcode.mnemonic(), count)
    };
    cells.counts().map(words)
}

fn zone(look: &Look, row: u32) -> String {
    match (row, look.layout.zone(row)) {
        (NO_ZONE, _) => NONE.to_owned(),
        (OTHER_ZONES, _) | (_, None) => OTHER.to_owned(),
        (_, Some(zone)) => super::super::overrides::zone_text(zone),
    }
}

const fn word(transport: Transport) -> &'static str {
    match transport {
        Transport::Udp => "udp",
        Transport::Tcp => "tcp",
        Transport::Tls => "dot",
        Transport::Https => "doh",
        Transport::Http3 => "doh3",
        Transport::Quic => "doq",
    }
}
