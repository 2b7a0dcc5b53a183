//! Compiles maps from the databases that are named, and prints what that takes: `cargo bench --bench geo-compile -- FILE…`.
//!
//! The peak is of the whole process so far, and so of everything before in the list.

#![allow(clippy::print_stdout, reason = "it is there to print")]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Instant;

use bellwether::geo::{Bias, Claim, Continent, Coordinates, Country, Map, Network, Otherwise, Places, Rules, Site};
use bellwether::random::Random;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut places = Places::default();
    // Cargo adds `--bench`.
    for path in std::env::args().skip(1).filter(|argument| !argument.starts_with("--")) {
        let began = Instant::now();
        places.add(&std::fs::read(&path)?)?;
        print(&format!("read {path}"), began, places.ranges(), 0, places.size());
    }
    let members = |count: u16| (0..count).collect::<Vec<_>>();
    for (pools, networks) in [(16, 0), (16, 1_000), (16, 1_000_000)] {
        let rules = Rules { claims: claims(pools, networks), otherwise: Otherwise::Members(members(pools)) };
        compile(&places, &rules, &format!("geo, {pools} pools, {networks} networks"));
    }
    for pools in [16, 100] {
        let rules = Rules { claims: Vec::new(), otherwise: Otherwise::Nearest(sites(pools)) };
        compile(&places, &rules, &format!("nearest, {pools} members"));
        let rules = Rules { claims: claims(pools, 1_000), otherwise: Otherwise::Nearest(sites(pools)) };
        compile(&places, &rules, &format!("geo, {pools} pools, 1000 networks, otherwise nearest"));
    }
    Ok(())
}

fn compile(places: &Places, rules: &Rules, what: &str) {
    let began = Instant::now();
    let map = Map::compile(places, rules);
    print(what, began, map.ranges(), map.classes().len(), map.size());
}

fn print(what: &str, began: Instant, ranges: usize, classes: usize, size: usize) {
    let (seconds, mib) = (began.elapsed().as_secs_f64(), |octets: usize| octets as f64 / f64::from(1 << 20));
    println!(
        "{what}: {seconds:.2} s, {ranges} ranges, {classes} classes, {:.1} MiB; peak {:.0} MiB",
        mib(size),
        mib(peak())
    );
}

/// The most memory that the process has held, in octets; 0 where the system does not say.
fn peak() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<usize>().ok()).map_or(0, |kib| kib << 10)
}

/// Continents and countries dealt out to the pools, and random networks, three of four IPv4.
fn claims(pools: u16, networks: usize) -> Vec<(Claim, u16)> {
    let mut random = Random::new(3);
    let continents = Continent::ALL.into_iter().map(Claim::Continent);
    let countries = ["DE", "FR", "GB", "US", "CA", "BR", "JP", "IN", "CN", "AU", "ZA", "TR", "RU", "KR", "MX"];
    let countries = countries.into_iter().filter_map(Country::of_code).map(Claim::Country);
    let networks = (0..networks).filter_map(|at| {
        let (address, prefix) = match at % 4 {
            0 => (
                IpAddr::V6(Ipv6Addr::from_bits(0x2a << 120 | u128::from(random.next_u64()) << 56)),
                32 + random.below(17),
            ),
            _ => (IpAddr::V4(Ipv4Addr::from_bits(random.next_u32())), 16 + random.below(13)),
        };
        Network::of(address, u8::try_from(prefix).ok()?).ok().map(Claim::Network)
    });
    continents.chain(countries).chain(networks).zip((0..pools).cycle()).collect()
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
