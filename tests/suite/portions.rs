//! What `diff` computes of a pool is what the very walk of a query comes to: policy by policy, whatever lives.
//!
//! The walk keeps no account of parts and the account holds no query up, so they are two pieces of code for one rule:
//! this is what holds them together. Clients are of the sample database under `tests/geo`, as in `nesting`.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use bellwether::health::{Board, Health, Load, PerMille};
use bellwether::policy::{
    Answers, Client, Cursor, EndpointId, Family, Hand, Picks, Policy, PoolId, Pools, Portions, View, Want, choose,
};
use bellwether::random::Random;
use bellwether::snapshot::Served;

use crate::served::{Desk, Words, served};

/// Endpoints of each pool of [`WORDS`] that has some.
const ENDPOINTS: usize = 4;

const WORDS: Words<'_> = Words {
    apex: "example.com",
    zone: "
$TTL 300
@ 3600 IN SOA ns1 hostmaster 1 7200 900 1209600 60
@ NS ns1.example.net.
",
    pools: "
turns   round-robin  192.0.2.1 192.0.2.2 192.0.2.3 192.0.2.4
weights weighted     192.0.2.5*4 192.0.2.6*2 192.0.2.7*0 192.0.2.8*0
lots    random       192.0.2.9 192.0.2.10 192.0.2.11 192.0.2.12
first   failover     192.0.2.13 192.0.2.14 192.0.2.15 192.0.2.16
slots   hash         192.0.2.17*4 192.0.2.18*2 192.0.2.19*1 192.0.2.20*0
narrow  hash:16,32   192.0.2.21 192.0.2.22 192.0.2.23 192.0.2.24
load    least-load   192.0.2.25*4 192.0.2.26*2 192.0.2.27*1 192.0.2.28*0
near    nearest      192.0.2.29@50,8 192.0.2.30@39,-77 192.0.2.31@35,139 192.0.2.32@48,2
fast    latency:50   192.0.2.33*4@50,8 192.0.2.34*2@51,0 192.0.2.35*0@48,2 192.0.2.36*0@35,139
claims  geo          192.0.2.37[EU] 192.0.2.38[NA] 192.0.2.39[country=DE] 192.0.2.40[203.0.113.0/24]
half    random/50%   192.0.2.41 192.0.2.42 192.0.2.43 192.0.2.44
spread  weighted     turns*3 weights*2 half*1
sites   geo:half     near[EU] fast[NA] half
session hash         slots*2 narrow*1 first*0
order   failover     half claims spread
",
    names: "",
};

/// How the endpoints of a pool stand, all others as the last that is said: `x` dead, `~` followed by thousandths in its
/// slow start, `%` followed by thousandths loaded so far, else well.
const STANDINGS: [&str; 12] = [
    ".",
    "x .",
    ". x .",
    "x x x .",
    ". . . x",
    "x x .",
    "~50 .",
    ". ~300 .",
    "x ~50 ~700 .",
    "~300",
    "%900 %100 .",
    "x",
];

/// Queries a pool, a standing and a place. Drawn shares are off by four standard deviations, 4·√(1/4 ÷ 10,000) = 0.02, in
/// one of 16,000 cases; the seed is fixed.
const TURNS: u32 = 10_000;
const OFF_MAX: f64 = 0.02;

/// Networks of one class each: Frankfurt, Virginia, Tokyo.
const PLACES: [(Ipv4Addr, u32); 3] =
    [(Ipv4Addr::new(192, 0, 2, 0), 32), (Ipv4Addr::new(198, 51, 100, 0), 64), (Ipv4Addr::new(203, 0, 113, 0), 32)];

#[test]
fn portions_are_what_answers_come_to() {
    let mut board = Board::new();
    let mut desk = Desk::new(vec![served(WORDS, &board)]);
    for standing in STANDINGS {
        let endpoints = desk.snapshot.served()[0].steering.pools.endpoints.len();
        let changes: Vec<(u32, Health)> =
            (0..endpoints).map(|number| (number as u32, health(standing, number % ENDPOINTS))).collect();
        desk.turn(&mut board, &changes);
        let served = &desk.snapshot.served()[0];
        for id in (0..).map(PoolId).take(served.steering.pools.pools.len()) {
            // Sessions are anywhere, in networks that differ in their first bits; who goes by places is asked from each.
            match depends(&served.steering.pools, id) {
                [_, true] => PLACES.iter().for_each(|&(place, count)| {
                    check(served, id, place, |turn| place.to_bits() + turn % count, standing);
                }),
                [true, false] => {
                    check(served, id, Ipv4Addr::LOCALHOST, |turn| turn.wrapping_mul(0x9e37_79b9), standing)
                }
                [false, false] => check(served, id, Ipv4Addr::LOCALHOST, |_| 0x7f00_0001, standing),
            }
        }
    }
}

fn health(standing: &str, number: usize) -> Health {
    let words: Vec<&str> = standing.split(' ').collect();
    let word = words.get(number).or(words.last()).expect("a word");
    let thousandths = || PerMille::new(word[1..].parse().expect("thousandths"));
    match word.as_bytes()[0] {
        b'x' => Health::DOWN,
        b'~' => Health { share: thousandths(), ..Health::UP },
        b'%' => Health { load: Some(Load { utilization: thousandths(), trust: PerMille::WHOLE }), ..Health::UP },
        _ => Health::UP,
    }
}

/// Whether a pool or one below it goes by sessions, and by places.
fn depends(pools: &Pools, root: PoolId) -> [bool; 2] {
    let reached = pools.reached(root);
    let policies = || reached.iter().map(|id| &pools.pools[id.0 as usize].policy);
    [policies().any(|policy| matches!(policy, Policy::Hash(_))), policies().any(|policy| policy.cut().is_some())]
}

/// Checks `root` for clients of `place`, whose address is `client` of the turn.
fn check(served: &Served, root: PoolId, place: Ipv4Addr, client: impl Fn(u32) -> u32, standing: &str) {
    let pools = &served.steering.pools;
    let class = |pool: PoolId| pools.pools[pool.0 as usize].policy.cut().map_or(0, |cut| cut.lookup(place.into()));
    let mut parts: BTreeMap<EndpointId, f64> = BTreeMap::new();
    for portion in Portions::new(&served.live, Family::V4).of(root, class) {
        *parts.entry(portion.endpoint).or_default() += portion.part;
    }
    let counts = counts(served, root, client);
    let what = format!("{} from {place} with {standing:?}", pools.pools[root.0 as usize].name);
    let whole: f64 = parts.values().sum();
    assert!(parts.is_empty() || (whole - 1.0).abs() < 1e-9, "{what}: {whole}");
    assert_eq!(parts.is_empty(), counts.is_empty(), "{what}: {parts:?}, in answers {counts:?}");
    for endpoint in parts.keys().chain(counts.keys()) {
        let of = |shares: &BTreeMap<EndpointId, f64>| shares.get(endpoint).copied().unwrap_or(0.0);
        let (part, count) = (of(&parts), of(&counts));
        assert!((part - count).abs() < OFF_MAX, "{what}: {endpoint:?} begins {count} of the answers, not {part}");
    }
}

/// The parts of [`TURNS`] answers that begin with each endpoint.
fn counts(served: &Served, root: PoolId, client: impl Fn(u32) -> u32) -> BTreeMap<EndpointId, f64> {
    let mut random = Random::new(7);
    let mut cursors = vec![Cursor::default(); root.0 as usize + 1];
    let mut picks = Picks::default();
    let mut counts: BTreeMap<EndpointId, f64> = BTreeMap::new();
    for turn in 0..TURNS {
        let client = Client::asking_from(IpAddr::V4(Ipv4Addr::from_bits(client(turn))));
        let (low, random) = (PoolId(0), &mut random);
        let hand = Hand { cursors: &mut cursors, low, random, client: &client, witness: &mut () };
        let want = Want { root, family: Family::V4, answers: Answers::Best(1), view: View::Living };
        choose(&served.steering.pools, &served.live, want, hand, &mut picks);
        if let Some(&first) = picks.endpoints().first() {
            *counts.entry(first).or_default() += 1.0 / f64::from(TURNS);
        }
    }
    counts
}
