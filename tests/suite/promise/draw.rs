//! What worlds are drawn from: trees of pools, monitors and budgets.

use std::time::Duration;

use bellwether::health::{Board, Comeback, Failback, HoldDown, Timing, limits};
use bellwether::policy::{EndpointId, PoolId, Pools, Target};
use bellwether::random::Random;
use bellwether::ttl::{Plan, TTL_MOST, Wish, plan};

use crate::served::{Words, served};

/// Pools that cases share, since rankings and maps are costly to make.
pub(super) struct Layout {
    pub(super) pools: Pools,
    /// The name's pool: the last.
    pub(super) root: PoolId,
    /// By endpoint, whether it is in a pool below the root.
    pub(super) nested: Vec<bool>,
}

/// A few dozen trees of pools, each policy in each place.
pub(super) fn layouts() -> Vec<Layout> {
    const POLICIES: [&str; 9] =
        ["round-robin", "weighted", "least-load", "random", "failover", "hash", "geo", "nearest", "latency:10"];
    const SEATS: [&str; 4] = ["*2@50,8[EU]", "*1@39,-77[NA]", "*0@35,139[AS]", "*3@50,9"];
    let mut random = Random::new(7);
    let mut layouts = Vec::new();
    for number in 0..4 * POLICIES.len() {
        let (mut text, mut address) = (String::new(), 0);
        let mut line = |name: &str, policy: &str, children: &[String], random: &mut Random, endpoints: u64| {
            let mut members: Vec<String> = children.to_vec();
            for _ in 0..endpoints {
                address += 1;
                members.push(format!("192.0.2.{address}"));
            }
            let seats: Vec<String> =
                members.iter().zip(SEATS).map(|(member, seat)| format!("{member}{seat}")).collect();
            let quorum = if random.below(4) == 0 { "/2" } else { "" };
            text.push_str(&format!("{name} {policy}{quorum} {}\n", seats.join(" ")));
        };
        let mut children = Vec::new();
        // A fourth of them flat, the rest two or three deep.
        for child in 0..number as u64 / POLICIES.len() as u64 {
            let name = format!("child{child}");
            let below: &[String] = if child == 2 { &children[..1] } else { &[] };
            let policy = POLICIES[random.below(POLICIES.len() as u64) as usize];
            let endpoints = 1 + random.below(2);
            line(&name, policy, below, &mut random, endpoints);
            children.push(name);
        }
        let endpoints = if children.is_empty() { 1 + random.below(4) } else { random.below(2) };
        line("root", POLICIES[number % POLICIES.len()], &children, &mut random, endpoints);
        let zone = "@ 60 IN SOA ns1 hostmaster 1 7200 900 1209600 60\n@ 60 NS ns1.example.net.";
        let words = Words { apex: "example.com", zone, pools: &text, names: "" };
        let pools = served(words, &Board::new()).steering.pools.clone();
        let root = PoolId(pools.pools.len() as u32 - 1);
        let top: Vec<EndpointId> = pools.pools[root.0 as usize].endpoints().collect();
        let nested = (0..pools.endpoints.len() as u32).map(|id| !top.contains(&EndpointId(id))).collect();
        assert!(pools.pools[root.0 as usize].members.iter().all(|member| member.target != Target::Pool(root)));
        layouts.push(Layout { pools, root, nested });
    }
    layouts
}

/// Up to three monitors, from the shortest settings to the longest; those of one world are of like length.
pub(super) fn monitors(random: &mut Random) -> Vec<(Timing, Comeback)> {
    let scale = Duration::from_millis(100 << random.below(20));
    let count = 1 + random.below(3);
    let part = |random: &mut Random, whole: Duration, least: Duration| match random.below(4) {
        0 => whole,
        1 => least.max(whole / 10),
        _ => least.max(Duration::from_nanos(random.below(whole.as_nanos() as u64 + 1))),
    };
    (0..count)
        .map(|_| {
            let interval = part(random, scale, (scale / 4).max(*limits::INTERVAL_RANGE.start()));
            let fast = part(random, interval, *limits::FAST_RANGE.start());
            let timeout = part(random, interval, *limits::TIMEOUT_RANGE.start());
            let fall = if random.below(64) == 0 {
                limits::TURN_RANGE.start() + random.below(100) as u8
            } else {
                1 + random.below(5) as u8
            };
            let timing = Timing { interval, fast, timeout, fall, rise: 1 + random.below(4) as u8 };
            assert!(limits::INTERVAL_RANGE.contains(&interval) && limits::TURN_RANGE.contains(&fall));
            let hold_down = match random.below(2) {
                0 => HoldDown::OFF,
                _ => HoldDown { first: interval, most: interval * 8, window: interval * 20 },
            };
            let slow_start = if random.below(2) == 0 { Duration::ZERO } else { interval * 5 };
            let failback = if random.below(4) == 0 { Failback::Manual } else { Failback::Automatic };
            (timing, Comeback { hold_down, slow_start, failback })
        })
        .collect()
}

/// A budget that can be kept: the tightest, a looser one, or a range by hand.
pub(super) fn budget(random: &mut Random, timings: &[Timing]) -> Plan {
    let tightest = match plan(Wish { failover: Some(Duration::ZERO), ..Wish::default() }, timings) {
        Ok(plan) => return plan,
        Err(error) => error.fits,
    };
    let more = Duration::from_nanos(random.below(tightest.as_nanos() as u64 * 2));
    // Two of them make no more than a TTL may be.
    let most = more.as_secs().clamp(20, TTL_MOST.as_secs() / 2);
    let seconds = |random: &mut Random| Duration::from_secs(1 + random.below(most));
    let wish = match random.below(5) {
        0 => Wish { failover: Some(tightest), ..Wish::default() },
        1 | 2 => Wish { failover: Some(tightest + more), ..Wish::default() },
        3 => Wish { ttl_min: Some(seconds(random)), ..Wish::default() },
        _ => {
            let min = seconds(random);
            Wish { ttl: Some((min, min + seconds(random))), ..Wish::default() }
        }
    };
    plan(wish, timings).expect("a budget that fits")
}
