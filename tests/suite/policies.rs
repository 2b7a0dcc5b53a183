//! Policies from words, with what each needs: maps of claims and sites, rankings of members.

use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bellwether::geo::{
    Bias, Claim, Continent, Coordinates, Country, Map, Network, Otherwise, Places, RttMap, RttTable, Rules, Site,
    Subdivision,
};
use bellwether::policy::{HASH_BITS, Latency, Policy, Ranking};

/// What is known of the documentation networks: the database that is committed.
pub(crate) fn sample() -> &'static Places {
    static SAMPLE: OnceLock<Places> = OnceLock::new();
    SAMPLE.get_or_init(|| {
        // The fuzz targets, a crate of their own further down, share this file.
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
        let file = folder.map(|folder| folder.join("tests/geo/city.mmdb")).find(|file| file.exists());
        let file = file.expect("the database is committed");
        let mut places = Places::default();
        places.add(std::fs::read(file).expect("the database is there")).expect("the database is sound");
        places
    })
}

/// A member as words: `name*weight@latitude,longitude[claims]`, all but the name where it has it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seat<'w> {
    /// A pool's name or an address.
    pub(crate) member: &'w str,
    pub(crate) weight: u32,
    coordinates: Option<Coordinates>,
    claims: &'w str,
}

impl<'w> Seat<'w> {
    pub(crate) fn read(word: &'w str) -> Self {
        let (word, claims) = word.strip_suffix(']').and_then(|word| word.split_once('[')).unwrap_or((word, ""));
        let (word, site) = word.split_once('@').map_or((word, None), |(word, site)| (word, Some(site)));
        let (member, weight) = word.split_once('*').unwrap_or((word, "1"));
        let degrees = |text: &str| text.parse::<f64>().expect("degrees");
        let coordinates = site
            .and_then(|site| site.split_once(','))
            .map(|(north, east)| Coordinates::of_degrees(degrees(north), degrees(east)).expect("a position"));
        Self { member, weight: weight.parse().expect("a weight"), coordinates, claims }
    }
}

/// A policy from its word, with what it needs behind a colon: of `geo`, who serves the clients of nobody: a member,
/// or `nearest`, or else all in their order; of `latency`, the
/// tolerance in milliseconds, of what distances make likely; of `hash`, bits of IPv4 and IPv6, `hash:16,48`.
pub(crate) fn policy(word: &str, seats: &[Seat<'_>], places: &Places) -> Policy {
    let (name, needs) = word.split_once(':').unwrap_or((word, ""));
    match name {
        "round-robin" => Policy::RoundRobin,
        "weighted" => Policy::Weighted,
        "least-load" => Policy::LeastLoad,
        "random" => Policy::Random,
        "failover" => Policy::Failover,
        "geo" => Policy::Geo(Arc::new(Map::compile(places, &geo(needs, seats)))),
        "nearest" => {
            let rules = Rules { claims: Vec::new(), otherwise: Otherwise::Nearest(sites(seats)) };
            Policy::Nearest(Arc::new(Map::compile(places, &rules)))
        }
        "latency" => {
            let names: Vec<&str> = seats.iter().map(|seat| seat.member).collect();
            let map = RttMap::compile(places, &RttTable::default(), &names, &sites(seats));
            let tolerance = Duration::from_millis(needs.parse().expect("milliseconds"));
            Policy::Latency(Arc::new(Latency::new(map, tolerance, seats.iter().map(|seat| seat.weight))))
        }
        "hash" => {
            let bits = needs.split_once(',').map(|(v4, v6)| (v4.parse().expect("bits"), v6.parse().expect("bits")));
            let members = seats.iter().map(|seat| (seat.member, seat.weight));
            Policy::Hash(Arc::new(Ranking::new(members, bits.unwrap_or(HASH_BITS))))
        }
        other => panic!("no policy: {other}"),
    }
}

fn geo(otherwise: &str, seats: &[Seat<'_>]) -> Rules {
    let numbered = || (0..).zip(seats);
    let claims = numbered().flat_map(|(number, seat)| {
        seat.claims.split(',').filter(|word| !word.is_empty()).map(move |word| (claim(word), number))
    });
    let otherwise = match otherwise {
        "" => Otherwise::Members(numbered().map(|(number, _)| number).collect()),
        "nearest" => Otherwise::Nearest(sites(seats)),
        name => {
            let named = numbered().filter(|(_, seat)| seat.member == name);
            Otherwise::Members(named.map(|(number, _)| number).collect())
        }
    };
    Rules { claims: claims.collect(), otherwise }
}

fn sites(seats: &[Seat<'_>]) -> Vec<Site> {
    let site = |(member, seat): (u16, &Seat<'_>)| {
        seat.coordinates.map(|coordinates| Site { member, coordinates, bias: Bias::default() })
    };
    (0..).zip(seats).filter_map(site).collect()
}

/// `192.0.2.0/24`, `AS64500`, `DE-HE`, `EU`; a country, whose code a continent may have too, is `country=NA`.
fn claim(word: &str) -> Claim {
    if let Some(asn) = word.strip_prefix("AS").and_then(|digits| digits.parse().ok()) {
        Claim::Asn(asn)
    } else if word.contains('/') {
        Claim::Network(Network::parse(word).expect("a network"))
    } else if word.contains('-') {
        Claim::Subdivision(Subdivision::parse(word).expect("a subdivision"))
    } else if let Some(country) = word.strip_prefix("country=") {
        Claim::Country(Country::parse(country).expect("a country"))
    } else {
        Claim::Continent(Continent::parse(word).expect("a continent"))
    }
}
