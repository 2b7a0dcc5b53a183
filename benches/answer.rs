//! What one call of `answer()` costs, by kind of answer: nanoseconds from a request's octets to an answer's.
//!
//! Unfair readings:
//! - Not queries a second: the kernel's part of a datagram, which is most of it, is not here. `benches/peers`
//!   measures that, beside the peers.
//! - Every kind is asked over and over by the same name, so its octets are in the first cache and every branch is
//!   foreseen. Only `names/…` walks through many names, in an order that no prefetcher knows, and so pays for memory;
//!   its step from one size to the next is the cost of a cache that does not hold the zone.
//! - Those who compare sizes: `names/…` reads its requests from memory as well, 65,536 of them, about 4 MiB.
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
use std::sync::Arc;

use bellwether::answer::{Outcome, Transport};
use bellwether::policy::{Live, Pools};
use bellwether::random::Random;
use bellwether::snapshot::{Served, Steering};
use bellwether::wire::header::Rcode;
use bellwether::wire::name::Name;
use bellwether::wire::rtype::Rtype;
use bellwether::zone::{Builder, Origin};
use criterion::{Criterion, criterion_group, criterion_main};

criterion_group!(benches, by_kind, by_zone_size);
criterion_main!(benches);

fn by_kind(criterion: &mut Criterion) {
    let (mut desk, kinds) = kinds::kinds();
    let mut group = criterion.benchmark_group("kind");
    for kind in &kinds {
        kind.check(&mut desk);
        group.bench_function(&kind.name, |bencher| {
            bencher.iter(|| desk.ask(Transport::Datagram, black_box(&kind.request)).0);
        });
    }
}

/// Names asked for in turn.
const ASKED: u64 = 1 << 16;

fn by_zone_size(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("names");
    for names in [10, 10_000, 1_000_000] {
        let mut desk = served::Desk::new(vec![zone_of(names)]);
        let mut random = Random::new(7);
        let host = |random: &mut Random| format!("host{}.example.com.", random.below(names));
        let requests: Vec<Vec<u8>> = (0..ASKED).map(|_| served::query(&host(&mut random), 1, None)).collect();
        for request in &requests {
            assert_eq!(desk.ask(Transport::Datagram, request).0, Outcome::Answered(Rcode::NoError));
        }
        let mut next = requests.iter().cycle();
        group.bench_function(names.to_string(), |bencher| {
            bencher.iter(|| next.next().map(|request| desk.ask(Transport::Datagram, request).0));
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
