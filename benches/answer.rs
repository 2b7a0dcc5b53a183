//! What one call of `answer()` costs, by kind of answer: nanoseconds from a request's octets to an answer's.
//!
//! Unfair readings:
//! - Not queries a second: the kernel's part of a datagram, which is most of it, is not here. `benches/peers`
//!   measures that, beside the peers.
//! - Every kind is asked over and over by the same name, so its octets are in the first cache and every branch is
//!   foreseen. Only `names/…` walks through many names, in an order that no prefetcher knows, and so pays for memory;
//!   its step from one size to the next is the cost of a cache that does not hold the zone.
//! - Those who compare sizes: `names/…` reads its requests from memory as well, 65,536 of them, about 4 MiB.
//! - `members/…` has 1,024 clients tell their subnets in turn, by random: a client that never changes would find its
//!   part of a map or of a ranking in the first cache. So its figures are above those of the same kind in `kind/…`,
//!   and its step from 2 to 1,000 members has the cost of a ranking (512 KiB) or a map that outgrows a cache. A
//!   worker that also serves a large zone finds less of them there than this loop does.
//! - `deep/…`, geo over failover over weighted, differs between databases in how far the map reaches in memory. The
//!   sample is a few hundred octets. `city` is there with `BELLWETHER_CITY_MMDB`, files named as `PATH` names folders.
//! - A query with EDNS is longer and its answer has one record more; compare with and without within a kind,
//!   not across.
#![allow(clippy::expect_used, clippy::panic, missing_docs, reason = "a bench says what it expects by unwrapping it")]

#[path = "../tests/suite/kinds.rs"]
mod kinds;
#[path = "../tests/suite/policies.rs"]
mod policies;
#[path = "../tests/suite/served.rs"]
mod served;

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use bellwether::answer::rate::RateLimits;
use bellwether::answer::{Outcome, Transport, Worker};
use bellwether::geo::Places;
use bellwether::health::Board;
use bellwether::policy::{Live, Pools};
use bellwether::random::Random;
use bellwether::snapshot::{Served, Steering};
use bellwether::wire::header::Rcode;
use bellwether::wire::name::Name;
use bellwether::wire::rtype::Rtype;
use bellwether::zone::{Builder, Origin};
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, criterion_group, criterion_main};
use served::{Desk, Words, cut, query_with_ecs, subnet};

criterion_group!(benches, by_kind, by_limits, by_members, by_database, by_zone_size);
criterion_main!(benches);

fn by_kind(criterion: &mut Criterion) {
    let (mut desk, kinds) = kinds::kinds(&kinds::MEMBERS);
    let mut group = criterion.benchmark_group("kind");
    for kind in &kinds {
        kind.check(&mut desk);
        group.bench_function(&kind.name, |bencher| {
            bencher.iter(|| desk.ask(Transport::Udp, black_box(&kind.request)).0);
        });
    }
}

/// One balanced name, of one source, whose worker keeps limits that nobody comes to.
fn by_limits(criterion: &mut Criterion) {
    let (zone, pools) =
        ("@ 300 IN SOA ns h 1 2 3 4 60\n@ NS ns\nns A 192.0.2.53\n", "pool weighted 192.0.2.10 192.0.2.11");
    let words = Words { apex: "example.com", zone, pools, names: "www pool 1 5 30 serve-all" };
    let request = served::query("www.example.com.", Rtype::A.0, None);
    let mut group = criterion.benchmark_group("limits");
    for (name, limited, source) in
        [("off", false, [192, 0, 2, 200]), ("exempt", true, [127, 0, 0, 1]), ("counted", true, [192, 0, 2, 200])]
    {
        let mut desk = Desk::new(vec![served::served(words, &Board::new())]);
        if limited {
            // Never used up: time goes on by two responses' worth with each.
            let limits = RateLimits { per_second: 1_000_000, ..RateLimits::default() };
            desk.worker = Worker::new(Arc::default(), 1).limited(&limits, 1, 2);
            desk.worker.adopt(&desk.snapshot);
        }
        desk.source = IpAddr::from(source);
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                desk.now = desk.now + Duration::from_micros(2);
                desk.ask(Transport::Udp, black_box(&request)).0
            });
        });
    }
}

/// Clients that ask in turn.
const CLIENTS: usize = 1 << 10;

/// Queries for `owner` by clients all over, IPv4 and IPv6, each of which tells its subnet. A third of them is in
/// the documentation networks, of which the sample database knows something.
fn requests(owner: &str, rtype: u16) -> Vec<Vec<u8>> {
    let mut random = Random::new(13);
    let mut client = |at: usize| match at % 6 {
        0 => subnet(IpAddr::V6(Ipv6Addr::from_bits(0x2001_0db8 << 96 | u128::from(random.next_u32() >> 8) << 72)), 56),
        1 => {
            subnet(cut([[192, 0, 2, 0], [198, 51, 100, 0], [203, 0, 113, 0]][random.below(3) as usize].into(), 24), 24)
        }
        // Of 128.0.0.0/2, and of 2400::/6.
        2 | 3 => subnet(cut(IpAddr::V4(Ipv4Addr::from_bits(1 << 31 | random.next_u32() >> 2)), 24), 24),
        _ => subnet(
            IpAddr::V6(Ipv6Addr::from_bits(u128::from(0x2400 << 48 | random.next_u64() >> 14) << 64 >> 72 << 72)),
            56,
        ),
    };
    (0..CLIENTS).map(&mut client).map(|data| query_with_ecs(&format!("{owner}.example.com."), rtype, &data)).collect()
}

fn ask_in_turn(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, desk: &mut Desk, requests: &[Vec<u8>]) {
    for request in requests {
        assert_eq!(desk.ask(Transport::Udp, request).0, Outcome::Answered(Rcode::NoError), "{name}");
    }
    let mut next = requests.iter().cycle();
    group.bench_function(name, |bencher| {
        bencher.iter(|| next.next().map(|request| desk.ask(Transport::Udp, request).0));
    });
}

fn by_members(criterion: &mut Criterion) {
    let (mut desk, _) = kinds::kinds(&kinds::MEMBERS);
    let mut group = criterion.benchmark_group("members");
    for policy in kinds::WIDE {
        for members in kinds::MEMBERS {
            let requests = requests(&format!("{policy}-{members}.wide"), 28);
            ask_in_turn(&mut group, &format!("{policy}/{members}"), &mut desk, &requests);
        }
    }
}

const DEEP: Words<'_> = Words {
    apex: "example.com",
    zone: "$TTL 300\n@ IN SOA ns1 hostmaster 1 7200 900 1209600 300\n@ NS ns1\nns1 A 192.0.2.53\n",
    pools: "
a    weighted 192.0.2.1*4 192.0.2.2*3 192.0.2.3*2 192.0.2.4*1
b    weighted 198.51.100.1*3 198.51.100.2*2 198.51.100.3*1
eu   failover a b
us   failover b a
deep geo:us   eu[EU,AF,AS] us[NA,SA,OC]
near nearest  a@50,8 b@39,-77
",
    names: "deep deep 1 5 30 serve-all\nnear near 1 5 30 serve-all",
};

fn by_database(criterion: &mut Criterion) {
    let mut desks = vec![("sample", Desk::new(vec![served::served(DEEP, &Board::new())]))];
    if let Some(paths) = std::env::var_os("BELLWETHER_CITY_MMDB") {
        let mut places = Places::default();
        for path in std::env::split_paths(&paths) {
            places.add(std::fs::read(&path).expect("the database is there")).expect("the database is sound");
        }
        desks.push(("city", Desk::new(vec![served::served_in(DEEP, &Board::new(), &places)])));
    }
    let mut group = criterion.benchmark_group("deep");
    for (database, desk) in &mut desks {
        for owner in ["deep", "near"] {
            ask_in_turn(&mut group, &format!("{database}/{owner}"), desk, &requests(owner, 1));
        }
    }
}

/// Names asked for in turn.
const ASKED: u64 = 1 << 16;

fn by_zone_size(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("names");
    for names in [10, 10_000, 1_000_000] {
        let mut desk = Desk::new(vec![zone_of(names)]);
        let mut random = Random::new(7);
        let host = |random: &mut Random| format!("host{}.example.com.", random.below(names));
        let requests: Vec<Vec<u8>> = (0..ASKED).map(|_| served::query(&host(&mut random), 1, None)).collect();
        for request in &requests {
            assert_eq!(desk.ask(Transport::Udp, request).0, Outcome::Answered(Rcode::NoError));
        }
        let mut next = requests.iter().cycle();
        group.bench_function(names.to_string(), |bencher| {
            bencher.iter(|| next.next().map(|request| desk.ask(Transport::Udp, request).0));
        });
    }
}

/// `host0.example.com` and on, an A record each.
fn zone_of(names: u64) -> Served {
    let apex = Name::from_host("example.com").expect("an apex");
    let mut builder = Builder::new(&apex);
    let mut add = |owner: &str, rtype: Rtype, rdata: &[u8]| {
        let owner = Name::from_text(owner.as_bytes(), Some(&apex)).expect("an owner");
        builder.add(owner.as_wire(), rtype, 300, rdata, Origin { file: 0, line: 1 });
    };
    let server = b"\x02ns\x07example\x03net\x00";
    let soa = [server.as_slice(), server, &[0; 20]].concat();
    add("@", Rtype::SOA, &soa);
    add("@", Rtype::NS, server);
    for number in 0..names {
        add(&format!("host{number}"), Rtype::A, &[192, 0, 2, number.to_le_bytes()[0]]);
    }
    let steering = Steering::new(Vec::new(), Pools::default(), Box::default());
    let live = Live::all_alive(&steering.pools);
    Served::new(Arc::new(served::finished(builder)), Arc::new(steering), Arc::new(live))
}
