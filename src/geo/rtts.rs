//! The compiled map of round-trip times: who of one pool's members is expected to answer how fast, by address.
//!
//! For each member the most specific measurement counts: the longest network, then the AS number, then the country.
//! Where none names it, the distance between client and member is turned into a time; where that is not known
//! either, nothing is expected of the member and it stands behind all others. All of this is done when the map is
//! compiled; a lookup finds the finished list.
//!
//! Times are whole milliseconds: a tolerance is said in those, two measurements of one path differ by more, and
//! the lists of neighbours become equal, so that the map holds less and scopes are wider.

use std::collections::HashMap;

use super::address::{Folded, Network, Span};
use super::claims::Claim;
use super::classes::{ClassId, Numbers};
use super::database::Places;
use super::distance::{NEAREST_MAX, Point, Site, distance_km, point};
use super::latency::RttTable;
use super::map::Found;
use super::partition::Partition;
use super::place::{Coordinates, Country, Place};
use super::ranges::Builder;
use super::sweep::{Block, Overlay, overlay};
use super::wide::WideBuilder;

/// Members in a list, at most: the fastest. It bounds what a query walks and what a map holds.
pub const EXPECTED_MAX: usize = NEAREST_MAX;

/// To how many milliseconds an estimate is rounded. The same city is reached over paths that differ by more, and each
/// different list splits the map.
const ESTIMATE_STEP_MS: u16 = 5;

/// Different lists of estimates in one map, at most: 4 MiB of them at 16 members each. Where there are more, they
/// are rounded to twice as much, and again, until there are not.
const ESTIMATES_MAX: usize = 1 << 16;

/// What is expected of a member. Ordered by time, then by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Expected {
    /// The round trip from the client, in milliseconds.
    pub rtt_ms: u16,
    /// Which member.
    pub member: u16,
}

/// From an address to what is expected of the members. Immutable. Two are equal when they expect the same of all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RttMap {
    partition: Partition,
    expected: Box<[Expected]>,
    /// Where in `expected` each class begins, and the end.
    starts: Box<[u32]>,
}

impl RttMap {
    /// Compiles what is known of `members`, by their names in the table, with what is known of addresses. `sites`
    /// says where members are, as far as that is known; a bias does not count.
    pub fn compile(places: &Places, table: &RttTable, members: &[&str], sites: &[Site]) -> Self {
        let measured = Measured::of(table, members);
        let behind = Behind::of(places.places(), &measured, sites);
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for &(network, payload) in &measured.networks {
            match network.span() {
                Span::V4(first, last) => v4.push(Block { first, last, payload }),
                Span::V6(first, last) => v6.push(Block { first, last, payload }),
            }
        }
        let mut compiler = Compiler {
            measured: &measured,
            behind,
            nests: Vec::new(),
            lists: Numbers::default(),
            known: HashMap::new(),
            met: Met { turns: vec![0; members.len()], turn: 0 },
        };
        // Place 0 is the unknown one, and its class the first.
        compiler.value(0, 0);
        let (mut built_v4, mut built_v6) = (Builder::default(), WideBuilder::default());
        let base = places.partition();
        overlay(base.v4().iter(), v4, &mut compiler, |start, class| built_v4.push(start, class));
        overlay(base.v6().iter(), v6, &mut compiler, |start, class| built_v6.push(start, class));
        let lists = compiler.lists.into_things();
        let mut starts = vec![0];
        let mut expected = Vec::with_capacity(lists.iter().map(|list| list.len()).sum());
        for list in lists {
            expected.extend_from_slice(&list);
            starts.push(expected.len() as u32);
        }
        let partition = Partition::of(built_v4.finish(), built_v6.finish());
        Self { partition, expected: expected.into(), starts: starts.into() }
    }

    /// The class of `address`. Takes tens of nanoseconds and allocates nothing.
    pub fn lookup(&self, address: impl Into<Folded>) -> Found {
        let (class, bits) = self.partition.lookup(address.into());
        Found { class: ClassId(class), bits }
    }

    pub(super) fn partition(&self) -> &Partition {
        &self.partition
    }

    /// What is expected of the members for clients of a class: the fastest first, at most [`EXPECTED_MAX`]; those of
    /// which nothing is known are left out.
    pub fn expected(&self, class: ClassId) -> &[Expected] {
        let at = class.0 as usize;
        let bounds = self.starts.get(at).zip(self.starts.get(at + 1));
        bounds.and_then(|(&start, &end)| self.expected.get(start as usize..end as usize)).unwrap_or(&[])
    }

    /// Classes; at least one.
    pub fn classes(&self) -> usize {
        self.starts.len() - 1
    }

    /// Octets that it takes.
    pub fn size(&self) -> usize {
        self.partition.size() + size_of_val(&*self.expected) + size_of_val(&*self.starts)
    }
}

/// What a table says of one pool's members. What is measured from the same clients is a set, known by its number.
struct Measured {
    sets: Vec<Box<[Expected]>>,
    /// By first address, wider before narrower, none twice.
    networks: Vec<(Network, u32)>,
    asns: HashMap<u32, u32>,
    countries: HashMap<Country, u32>,
}

impl Measured {
    fn of(table: &RttTable, members: &[&str]) -> Self {
        let mut by_name: HashMap<&str, Vec<u16>> = HashMap::new();
        for (member, &name) in (0..).zip(members) {
            by_name.entry(name).or_default().push(member);
        }
        let columns: Vec<Option<&Vec<u16>>> = table.pools().iter().map(|pool| by_name.get(&**pool)).collect();
        let mut sets = Numbers::default();
        let (mut networks, mut asns, mut countries) = (Vec::new(), HashMap::new(), HashMap::new());
        for samples in table.samples().chunk_by(|a, b| a.clients == b.clients) {
            let expected = samples.iter().flat_map(|sample| {
                // At most RTT_MS_MAX, which fits.
                let rtt_ms = u16::try_from((sample.rtt_us + 500) / 1_000).unwrap_or(u16::MAX);
                let members = columns.get(usize::from(sample.pool)).copied().flatten();
                members.into_iter().flatten().map(move |&member| Expected { rtt_ms, member })
            });
            let set: Box<[Expected]> = expected.collect();
            let clients = samples[0].clients;
            if set.is_empty() {
                continue;
            }
            match clients {
                Claim::Network(network) => networks.push((network, sets.of(set))),
                Claim::Asn(asn) => {
                    asns.insert(asn, sets.of(set));
                }
                Claim::Country(country) => {
                    countries.insert(country, sets.of(set));
                }
                // No table says so: it would be neither measured from somewhere nor one of the three kinds.
                Claim::Subdivision(_) | Claim::Continent(_) => {}
            }
        }
        Self { sets: sets.into_things(), networks, asns, countries }
    }
}

/// What is expected by the place of a client alone.
struct Behind {
    /// By place: which of the lists.
    by_place: Vec<u32>,
    /// The set of the AS number, that of the country, and the list of estimates.
    lists: Vec<(Option<u32>, Option<u32>, u32)>,
    estimates: Vec<Box<[Expected]>>,
}

impl Behind {
    fn of(places: &[Place], measured: &Measured, sites: &[Site]) -> Self {
        let (estimated, estimates) = estimates(places, sites, ESTIMATES_MAX);
        let mut numbers = Numbers::default();
        let by_place = places
            .iter()
            .zip(estimated)
            .map(|(place, estimate)| {
                let asn = place.asn.and_then(|asn| measured.asns.get(&asn).copied());
                let country = place.country.and_then(|country| measured.countries.get(&country).copied());
                numbers.of((asn, country, estimate))
            })
            .collect();
        Self { by_place, lists: numbers.into_things(), estimates }
    }
}

/// For each place which list of estimates it has, and those lists: at most `lists_max`, the first of them empty, for
/// places whose position is not known.
fn estimates(places: &[Place], sites: &[Site], lists_max: usize) -> (Vec<u32>, Vec<Box<[Expected]>>) {
    let sites: Vec<(u16, Point)> = sites.iter().map(|site| (site.member, point(site.coordinates))).collect();
    let mut numbers = Numbers::default();
    numbers.of(Box::default());
    let mut measured: HashMap<Coordinates, u32> = HashMap::new();
    let mut by_place: Vec<u32> = places
        .iter()
        .map(|place| match place.position() {
            None => 0,
            Some(at) => *measured.entry(at).or_insert_with(|| {
                let from = point(at);
                let rtt_ms = |to| rounded(estimate_ms(distance_km(from, to)), ESTIMATE_STEP_MS);
                let list = sites.iter().map(|&(member, to)| Expected { rtt_ms: rtt_ms(to), member });
                numbers.of(fastest(list.collect()))
            }),
        })
        .collect();
    let mut lists: Vec<Box<[Expected]>> = numbers.into_things();
    let mut step = ESTIMATE_STEP_MS;
    while lists.len() > lists_max && step < RTT_ESTIMATED_MAX_MS {
        step *= 2;
        let mut numbers = Numbers::default();
        let coarser = lists.iter().map(|list| {
            let list = list.iter().map(|expected| Expected { rtt_ms: expected.rtt_ms / step * step, ..*expected });
            numbers.of(fastest(list.collect()))
        });
        let coarser: Vec<u32> = coarser.collect();
        by_place.iter_mut().for_each(|list| *list = coarser[*list as usize]);
        lists = numbers.into_things();
    }
    (by_place, lists)
}

/// More than any estimate comes to: half way round the Earth takes 250 ms.
const RTT_ESTIMATED_MAX_MS: u16 = 320;

/// How long a round trip over so many kilometres of air takes. Light needs 5 µs for a kilometre of fibre (ITU-T
/// G.114), and fibre runs farther than the bird flies: half as much again up to 1,000 km, a quarter from 1,200 km on
/// (the route length that ITU-T G.826 reckons with).
fn estimate_ms(air_km: f64) -> f64 {
    let route_km = match air_km {
        ..1_000.0 => 1.5 * air_km,
        ..1_200.0 => 1_500.0,
        _ => 1.25 * air_km,
    };
    route_km * 2.0 * 0.005
}

fn rounded(ms: f64, step: u16) -> u16 {
    // A float becomes the nearest whole number there is, never an undefined one.
    (ms / f64::from(step)).round() as u16 * step
}

/// At most [`EXPECTED_MAX`] of `list`, in order.
fn fastest(mut list: Vec<Expected>) -> Box<[Expected]> {
    if list.len() > EXPECTED_MAX {
        list.select_nth_unstable(EXPECTED_MAX);
        list.truncate(EXPECTED_MAX);
    }
    list.sort_unstable();
    list.into()
}

/// Makes classes of networks and places.
struct Compiler<'m> {
    measured: &'m Measured,
    behind: Behind,
    /// By number less one: the networks around, and the set of the innermost.
    nests: Vec<(u32, u32)>,
    lists: Numbers<Box<[Expected]>>,
    /// By nest and number of what is behind: the class.
    known: HashMap<(u32, u32), u32>,
    met: Met,
}

/// Which members have come in this turn.
struct Met {
    turns: Vec<u32>,
    turn: u32,
}

impl Met {
    fn begin(&mut self) {
        // One turn for each class, of which there are fewer than 2³².
        self.turn += 1;
    }

    fn is_new(&mut self, member: u16) -> bool {
        let turn = self.turns.get_mut(usize::from(member));
        turn.is_some_and(|turn| std::mem::replace(turn, self.turn) != self.turn)
    }
}

impl Overlay for Compiler<'_> {
    type Payload = u32;

    fn within(&mut self, outer: u32, set: u32) -> u32 {
        self.nests.push((outer, set));
        // Each stands for a network of the table.
        self.nests.len() as u32
    }

    fn value(&mut self, nest: u32, place: u32) -> u32 {
        let behind = self.behind.by_place[place as usize];
        if let Some(&class) = self.known.get(&(nest, behind)) {
            return class;
        }
        let Self { measured, behind: Behind { lists, estimates, .. }, nests, met, .. } = self;
        let around = |nest: u32| nests.get((nest as usize).wrapping_sub(1)).copied();
        let networks = std::iter::successors(around(nest), |&(outer, _)| around(outer)).map(|(_, set)| set);
        let (asn, country, estimate) = lists[behind as usize];
        let sets = networks.chain(asn).chain(country).map(|set| &measured.sets[set as usize]);
        met.begin();
        let known = sets.chain([&estimates[estimate as usize]]).flatten();
        let list = fastest(known.copied().filter(|expected| met.is_new(expected.member)).collect());
        let class = self.lists.of(list);
        self.known.insert((nest, behind), class);
        class
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use proptest::prelude::*;

    use super::super::latency::Sample;
    use super::super::samples::{self, Value, Writer};
    use super::super::{Bias, parse_asn};
    use super::*;

    const MEMBERS: [&str; 4] = ["fra", "iad", "nrt", "spare"];

    fn clients(text: &str) -> Claim {
        match Network::parse(text) {
            Ok(network) => Claim::Network(network),
            Err(_) if text.starts_with("AS") => Claim::Asn(parse_asn(text).expect(text)),
            Err(_) => Claim::Country(Country::parse(text).expect(text)),
        }
    }

    /// A table from lines of `clients pool:ms…`.
    fn table(lines: &[&str]) -> RttTable {
        let pools = ["elsewhere", "nrt", "fra", "iad"];
        let samples = lines.iter().flat_map(|line| {
            let (from, rest) = line.split_once(' ').expect(line);
            rest.split(' ').map(move |word| {
                let (pool, ms) = word.split_once(':').expect(word);
                let pool = pools.iter().position(|name| *name == pool).expect(pool) as u16;
                Sample { clients: clients(from), pool, rtt_us: (ms.parse::<f64>().expect(ms) * 1_000.0) as u32 }
            })
        });
        RttTable::of(pools.map(Into::into).into(), samples.collect())
    }

    fn site(member: u16, latitude: f64, longitude: f64) -> Site {
        let coordinates = Coordinates::of_degrees(latitude, longitude).expect("on the globe");
        Site { member, coordinates, bias: Bias::default() }
    }

    fn city() -> Places {
        let mut places = Places::default();
        places.add(samples::city()).expect("the sample is sound");
        places.add(samples::flat()).expect("the sample is sound");
        places
    }

    /// The list of `address` as `name:ms` words, and its bits.
    fn shown(map: &RttMap, address: &str) -> (String, u8) {
        let found = map.lookup(address.parse::<IpAddr>().expect(address));
        let word = |expected: &Expected| format!("{}:{}", MEMBERS[usize::from(expected.member)], expected.rtt_ms);
        let words: Vec<String> = map.expected(found.class).iter().map(word).collect();
        (words.join(" "), found.bits)
    }

    #[test]
    fn the_most_specific_measurement_counts_for_each_member() {
        let table = table(&[
            "192.0.2.0/24 fra:20.4 iad:95.5",
            "192.0.2.0/28 fra:60 elsewhere:1",
            "AS64500 fra:31 nrt:200",
            "DE fra:12 iad:80 nrt:240",
            "2001:db8::/32 iad:7",
        ]);
        let sites = [site(0, 50.1, 8.7), site(1, 38.9, -77.4), site(2, 35.7, 139.7)];
        let check = |sites: &[Site], address: &str, expected: &str| {
            let map = RttMap::compile(&city(), &table, &MEMBERS, sites);
            assert_eq!(shown(&map, address).0, expected, "{address}");
        };
        // What the sample says of these: `DE`, AS64500 up to .63; then the Netherlands; then nothing.
        check(&[], "192.0.2.1", "fra:60 iad:96 nrt:200");
        check(&[], "192.0.2.17", "fra:20 iad:96 nrt:200");
        check(&[], "192.0.2.33", "fra:20 iad:96 nrt:200");
        check(&[], "192.0.2.70", "fra:20 iad:96");
        check(&[], "203.0.113.1", "");
        check(&[], "::ffff:192.0.2.1", "fra:60 iad:96 nrt:200");
        check(&[], "2001:db8:f000::1", "iad:7");
        check(&[], "2001:db9::1", "");
        // Behind all of those the distance, in steps of five; of who has no site nothing is known.
        check(&sites, "192.0.2.1", "fra:60 iad:96 nrt:200");
        check(&sites[1..], "192.0.2.70", "fra:20 iad:96 nrt:120");
        check(&sites, "198.51.100.1", "iad:0 fra:80 nrt:135");
    }

    #[test]
    fn a_client_of_whom_nothing_is_known_has_no_list_and_no_scope() {
        let map = RttMap::compile(&Places::default(), &RttTable::default(), &MEMBERS, &[site(0, 1.0, 1.0)]);
        assert_eq!(shown(&map, "192.0.2.1"), (String::new(), 0));
        assert_eq!(map.classes(), 1);
    }

    #[test]
    fn equal_neighbours_are_one_range() {
        let lines = ["192.0.2.0/25 fra:20.4", "192.0.2.128/25 fra:19.6", "192.0.3.0/24 fra:20 elsewhere:3"];
        let map = RttMap::compile(&Places::default(), &table(&lines), &MEMBERS, &[]);
        assert_eq!(shown(&map, "192.0.2.77"), ("fra:20".to_owned(), 23));
        assert_eq!(map.classes(), 2);
    }

    #[test]
    fn distance_becomes_time() {
        let check = |km: f64, ms: f64| assert!((estimate_ms(km) - ms).abs() < 1e-9, "{km} km in {}", estimate_ms(km));
        check(0.0, 0.0);
        check(100.0, 1.5);
        check(1_000.0, 15.0);
        check(1_100.0, 15.0);
        check(1_200.0, 15.0);
        check(6_540.0, 81.75);
        assert!(estimate_ms(20_016.0) < f64::from(RTT_ESTIMATED_MAX_MS));
        assert_eq!([0.0, 2.4, 2.6, 81.75].map(|ms| rounded(ms, 5)), [0, 0, 5, 80]);
    }

    #[test]
    fn estimates_are_bounded() {
        let place = |at: u16| {
            let coordinates = Coordinates::of_degrees(f64::from(at % 90), f64::from(at / 90));
            Place { coordinates, ..Place::default() }
        };
        let places: Vec<Place> = std::iter::once(Place::default()).chain((0..900).map(place)).collect();
        let sites = [site(0, 50.1, 8.7), site(1, 38.9, -77.4), site(2, 35.7, 139.7)];
        for lists_max in [1_000, 100, 10, 1] {
            let (by_place, lists) = estimates(&places, &sites, lists_max);
            assert!(lists.len() <= lists_max.max(2), "{} of {lists_max}", lists.len());
            assert!(by_place.iter().all(|&list| (list as usize) < lists.len()) && lists[0].is_empty());
            assert!(lists.iter().all(|list| list.is_sorted()));
        }
        let many: Vec<Site> = (0..40).map(|member| site(member, 10.0, f64::from(member))).collect();
        let (_, lists) = estimates(&places, &many, 1_000);
        assert!(lists[1..].iter().all(|list| list.len() == EXPECTED_MAX));
    }

    fn some_lines() -> impl Strategy<Value = Vec<(Claim, u16, u32)>> {
        let network = (any::<u32>(), 4_u8..=28).prop_map(|(high, prefix)| {
            // Few different first octets, so that networks lie in each other.
            let address = IpAddr::V4((high & 0x03ff_ffff).into());
            Network::of(address, prefix).map(Claim::Network).expect("IPv4 fits")
        });
        let from = prop_oneof![
            8 => network,
            1 => (64_500_u32..64_503).prop_map(Claim::Asn),
            1 => prop_oneof![Just("DE"), Just("US")].prop_map(clients),
        ];
        prop::collection::vec((from, 1_u16..4, 1_000_u32..90_000), 0..40)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]
        #[test]
        fn a_map_is_what_looking_at_every_line_finds(
            lines in some_lines(),
            asked in prop::collection::vec((0_u32..0x0400_0000, any::<u32>()), 40),
        ) {
            let samples = lines.iter().map(|&(clients, pool, rtt_us)| Sample { clients, pool, rtt_us });
            let table = RttTable::of(["elsewhere", "nrt", "fra", "iad"].map(Into::into).into(), samples.collect());
            let mut writer = Writer::new(6, 32);
            for (network, country, asn) in [("0.0.0.0/8", "DE", 64_500), ("1.0.0.0/9", "US", 64_501)] {
                let fields = vec![("country_code", Value::Text(country)), ("asn", Value::Number(asn))];
                writer.add(network, &Value::Map(fields));
            }
            let mut places = Places::default();
            places.add(writer.finish()).expect("a sound database");
            let map = RttMap::compile(&places, &table, &MEMBERS, &[site(3, 50.0, 8.0)]);
            for &(address, other) in &asked {
                let at = IpAddr::V4(address.into());
                let Found { class, bits } = map.lookup(at);
                prop_assert_eq!(map.expected(class), naive(&places, &table, address), "{}", at);
                // Whoever agrees in the announced bits is of the same class.
                let rest = u32::MAX.checked_shr(bits.into()).unwrap_or(0);
                for other in [address & !rest | other & rest, address & !rest, address | rest] {
                    prop_assert_eq!(map.lookup(IpAddr::V4(other.into())).class, class, "{}/{}", at, bits);
                }
            }
        }
    }

    /// The list for `address`, found by looking at every line.
    fn naive(places: &Places, table: &RttTable, address: u32) -> Vec<Expected> {
        let place = places.lookup(IpAddr::V4(address.into())).0;
        let rank = |claim: Claim| match claim {
            Claim::Network(network) => match network.span() {
                Span::V4(first, last) if (first..=last).contains(&address) => Some((0, last - first)),
                _ => None,
            },
            Claim::Asn(asn) => (place.asn == Some(asn)).then_some((1, 0)),
            Claim::Country(country) => (place.country == Some(country)).then_some((2, 0)),
            _ => None,
        };
        let mut list = Vec::new();
        for (member, name) in (0..).zip(MEMBERS) {
            let samples = table.samples().iter().filter(|sample| *table.pools()[usize::from(sample.pool)] == *name);
            let best = samples.filter_map(|sample| Some((rank(sample.clients)?, sample.rtt_us))).min();
            let estimate = || {
                let position = place.position().filter(|_| name == "spare")?;
                let site = site(3, 50.0, 8.0).coordinates;
                Some(rounded(estimate_ms(distance_km(point(position), point(site))), ESTIMATE_STEP_MS))
            };
            let rtt_ms = best.map(|(_, rtt_us)| ((rtt_us + 500) / 1_000) as u16).or_else(estimate);
            list.extend(rtt_ms.map(|rtt_ms| Expected { rtt_ms, member }));
        }
        list.sort();
        list
    }
}
