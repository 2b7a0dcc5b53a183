//! What it takes to find a client's class: `cargo bench --bench geo`.
//!
//! `sample` is the database under `tests/geo`, which lies in the first cache; with `BELLWETHER_CITY_MMDB`, files
//! named as `PATH` names folders, `city` is that. Each round looks up 4,096 addresses, so that they are not all
//! in the first cache, and a figure is for one of them. Unfair readings: `known` addresses are drawn evenly from
//! the ranges of what there is, while real clients crowd into a few; and a worker that does other things between
//! two lookups finds less of a map in its caches than this loop does.

#![allow(clippy::expect_used, missing_docs, reason = "a bench says what it expects by unwrapping it")]

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use bellwether::geo::{Bias, Claim, Continent, Coordinates, Map, Otherwise, Places, Rules, Site};
use bellwether::random::Random;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

const ASKED: usize = 4096;

fn geo(c: &mut Criterion) {
    let mut databases = vec![("sample", vec!["tests/geo/city.mmdb".into()])];
    if let Some(paths) = std::env::var_os("BELLWETHER_CITY_MMDB") {
        databases.push(("city", std::env::split_paths(&paths).collect()));
    }
    for (name, paths) in databases {
        let mut places = Places::default();
        for path in paths {
            let octets = std::fs::read(&path).expect("the database is there");
            places.add(octets).expect("the database is sound");
        }
        let continents = Continent::ALL.into_iter().map(Claim::Continent).zip(0..);
        let geo = Rules { claims: continents.collect(), otherwise: Otherwise::Members(vec![0]) };
        let nearest = Rules { claims: Vec::new(), otherwise: Otherwise::Nearest(sites(100)) };
        for (policy, rules) in [("geo", geo), ("nearest of 100", nearest)] {
            let map = Map::compile(&places, &rules);
            let mut group = c.benchmark_group(format!("lookup/{name}/{policy}"));
            group.throughput(Throughput::Elements(ASKED as u64));
            for (what, addresses) in asked(&places) {
                group.bench_function(what, |bencher| {
                    bencher.iter(|| {
                        for &address in &addresses {
                            black_box(map.lookup(black_box(address)));
                        }
                    });
                });
            }
        }
    }
}

/// Addresses by family, of which something is known or nothing.
fn asked(places: &Places) -> Vec<(&'static str, Vec<IpAddr>)> {
    let mut random = Random::new(11);
    let documentation = [0xc000_0200_u32, 0xc633_6400, 0xcb00_7100];
    let mut kinds: Vec<(&'static str, Vec<IpAddr>)> =
        ["v4 known", "v4 unknown", "v6 known", "v6 unknown", "v4 in v6"].map(|kind| (kind, Vec::new())).into();
    for _ in 0..50_000_000_u32 {
        if kinds.iter().all(|(_, addresses)| addresses.len() == ASKED) {
            break;
        }
        let near = documentation[random.below(3) as usize] | random.next_u32() >> 24;
        let v4 = Ipv4Addr::from_bits(if random.below(2) == 0 { near } else { random.next_u32() });
        let block =
            [0x2001_0db8, 0x2001_0000, 0x2400_0000, 0x2600_0000, 0x2800_0000, 0x2a00_0000][random.below(6) as usize];
        let network = block | (random.next_u32() >> 12 << u32::from(block & 0xffff == 0)) & 0x000f_ffff;
        let v6 = Ipv6Addr::from_bits(u128::from(network) << 96 | u128::from(random.next_u64()) << 32);
        let knows = |address: IpAddr| places.lookup(address).0.country.is_some();
        let (v4_kind, v6_kind) = (if knows(v4.into()) { 0 } else { 1 }, if knows(v6.into()) { 2 } else { 3 });
        let carried = Ipv6Addr::from_bits(0x0064_ff9b << 96 | u128::from(v4.to_bits()));
        for (kind, address) in [(v4_kind, v4.into()), (v6_kind, v6.into()), (4, carried.into())] {
            if kinds[kind].1.len() < ASKED {
                kinds[kind].1.push(address);
            }
        }
    }
    kinds
}

/// Members at random positions between 60° north and 40° south.
fn sites(count: u16) -> Vec<Site> {
    let mut random = Random::new(5);
    let mut between = |low: f64, high: f64| low + (high - low) * f64::from(random.next_u32()) / f64::from(u32::MAX);
    (0..count)
        .filter_map(|member| {
            let coordinates = Coordinates::of_degrees(between(-40.0, 60.0), between(-180.0, 180.0))?;
            Some(Site { member, coordinates, bias: Bias::default() })
        })
        .collect()
}

criterion_group!(benches, geo);
criterion_main!(benches);
