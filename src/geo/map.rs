//! The compiled map: what an operator's rules and the databases together make of each address.
//!
//! Compiling lays the rules' networks over the ranges of the databases in one sweep through the address space, in
//! order, and keeps a range only where the class changes. A lookup knows nothing of rules or places.

use std::collections::HashMap;

use super::address::{Folded, Network, Span};
use super::claims::{Claim, Nests, PlaceClaims};
use super::classes::{ClassId, Classes, Numbers};
use super::database::Places;
use super::distance::{Orders, Site};
use super::partition::Partition;
use super::ranges::Builder;
use super::sweep::{Block, Overlay, overlay};
use super::wide::WideBuilder;

/// What an operator wants to tell apart. Members are numbers, which mean what the caller means by them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Which clients a member claims. Of equal claims on a place the first counts; the caller refuses them, by
    /// [`conflicts`](super::conflicts).
    pub claims: Vec<(Claim, u16)>,
    /// Who follows behind the claimants, and stands alone where there is none. It stands in every class, so it had
    /// better be short where a million networks are claimed.
    pub otherwise: Otherwise,
}

/// Who serves a client behind those that claim it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Otherwise {
    /// These, in this order, wherever the client is.
    Members(Vec<u16>),
    /// The nearest of these first, at most [`NEAREST_MAX`](super::NEAREST_MAX); none for a client whose position
    /// is not known. The caller lets the rest follow in the operator's order.
    Nearest(Vec<Site>),
}

/// From an address to its class. Immutable.
#[derive(Clone, Debug)]
pub struct Map {
    partition: Partition,
    classes: Classes,
}

/// What a map says of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// The address's class.
    pub class: ClassId,
    /// How many leading bits of the address it depends on: all that agree in them are of this class. In the family
    /// that was asked for, though what carries IPv4 is looked up as IPv4. 0 when all addresses are of one class.
    pub bits: u8,
}

impl Map {
    /// Compiles `rules` with what is known of addresses.
    pub fn compile(places: &Places, rules: &Rules) -> Self {
        let mut compiler = Compiler::of(places, rules);
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for (network, payload) in networks(&rules.claims) {
            match network.span() {
                Span::V4(first, last) => v4.push(Block { first, last, payload }),
                Span::V6(first, last) => v6.push(Block { first, last, payload }),
            }
        }
        let (mut built_v4, mut built_v6) = (Builder::default(), WideBuilder::default());
        let base = places.partition();
        overlay(base.v4().iter(), v4, &mut compiler, |start, class| built_v4.push(start, class));
        overlay(base.v6().iter(), v6, &mut compiler, |start, class| built_v6.push(start, class));
        let partition = Partition::of(built_v4.finish(), built_v6.finish());
        Self { partition, classes: compiler.lists.into_classes() }
    }

    /// The class of `address`. Takes tens of nanoseconds and allocates nothing.
    pub fn lookup(&self, address: impl Into<Folded>) -> Found {
        let (class, bits) = self.partition.lookup(address.into());
        Found { class: ClassId(class), bits }
    }

    pub(super) fn partition(&self) -> &Partition {
        &self.partition
    }

    /// The members of each class.
    pub fn classes(&self) -> &Classes {
        &self.classes
    }

    /// Ranges of addresses that it tells apart, of both families.
    pub fn ranges(&self) -> usize {
        self.partition.v4().len() + self.partition.v6().len()
    }

    /// Octets that it takes.
    pub fn size(&self) -> usize {
        self.partition.size() + self.classes.size()
    }
}

/// The claimed networks, sorted by first address, wider before narrower.
fn networks(claims: &[(Claim, u16)]) -> Vec<(Network, u16)> {
    let mut networks: Vec<(Network, u16)> = claims
        .iter()
        .filter_map(|&(claim, member)| match claim {
            Claim::Network(network) => Some((network, member)),
            _ => None,
        })
        .collect();
    networks.sort_unstable();
    networks
}

/// Makes classes of networks and places.
struct Compiler {
    behind: Behind,
    nests: Nests,
    lists: Numbers<Box<[u16]>>,
    /// By nest and number of what is behind: the class.
    known: HashMap<(u32, u32), u32>,
}

impl Compiler {
    fn of(places: &Places, rules: &Rules) -> Self {
        let behind = Behind::of(places, rules);
        let mut compiler = Self { behind, nests: Nests::default(), lists: Numbers::default(), known: HashMap::new() };
        // Place 0 is the unknown one, and its class the first.
        compiler.value(0, 0);
        compiler
    }
}

impl Overlay for Compiler {
    type Payload = u16;

    fn within(&mut self, outer: u32, member: u16) -> u32 {
        self.nests.within(outer, member)
    }

    fn value(&mut self, nest: u32, place: u32) -> u32 {
        let Self { behind, nests, lists, known } = self;
        let behind_number = behind.by_place[place as usize];
        *known.entry((nest, behind_number)).or_insert_with(|| {
            lists.of_list(nests.members(nest).chain(behind.lists[behind_number as usize].iter().copied()))
        })
    }
}

/// Who follows behind the claimants of networks, by what is known of the client.
struct Behind {
    /// By place: which list.
    by_place: Vec<u32>,
    lists: Vec<Box<[u16]>>,
}

impl Behind {
    fn of(places: &Places, rules: &Rules) -> Self {
        let claims = PlaceClaims::of(&rules.claims);
        let orders = match &rules.otherwise {
            Otherwise::Members(members) => {
                Orders { by_place: vec![0; places.places().len()], orders: vec![members.as_slice().into()] }
            }
            Otherwise::Nearest(sites) => Orders::of(sites, places.places()),
        };
        let mut numbers = Numbers::default();
        let by_place = places
            .places()
            .iter()
            .zip(&orders.by_place)
            .map(|(place, &order)| numbers.of((claims.claimants(place), order)))
            .collect();
        let list = |(claimants, order): ([Option<u16>; 4], u32)| {
            claimants.into_iter().flatten().chain(orders.orders[order as usize].iter().copied()).collect()
        };
        Self { by_place, lists: numbers.into_things().into_iter().map(list).collect() }
    }
}

#[cfg(test)]
mod tests {
    use std::cmp::Reverse;
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

    use proptest::prelude::*;

    use super::super::samples::{self, Value, Writer};
    use super::super::{Bias, Continent, Coordinates, Country, Folded, Place, Subdivision};
    use super::*;

    fn claim(text: &str) -> Claim {
        if let Ok(network) = Network::parse(text) {
            return Claim::Network(network);
        }
        if let Ok(subdivision) = Subdivision::parse(text) {
            return Claim::Subdivision(subdivision);
        }
        match text.split_once(' ') {
            Some(("asn", text)) => Claim::Asn(text.parse().expect(text)),
            Some(("in", text)) => Claim::Continent(Continent::parse(text).expect(text)),
            _ => Claim::Country(Country::parse(text).expect(text)),
        }
    }

    fn sample() -> Places {
        let mut places = Places::default();
        places.add(samples::city()).expect("the sample is sound");
        places.add(samples::flat()).expect("the sample is sound");
        places
    }

    #[test]
    fn the_most_specific_claim_comes_first() {
        let claims = [
            ("in EU", 0),
            ("DE", 1),
            ("DE-HE", 2),
            ("asn 64500", 3),
            ("192.0.2.0/24", 4),
            ("192.0.2.0/28", 5),
            ("2001:db8::/32", 6),
            ("NL", 7),
        ];
        let map = |otherwise| {
            let claims = claims.iter().map(|&(text, member)| (claim(text), member)).collect();
            Map::compile(&sample(), &Rules { claims, otherwise })
        };
        let fixed = map(Otherwise::Members(vec![9, 0, 8]));
        let check = |map: &Map, address: &str, members: &[u16], bits: u8| {
            let found = map.lookup(address.parse::<IpAddr>().expect(address));
            assert_eq!((map.classes().get(found.class), found.bits), (members, bits), "{address}");
        };
        check(&fixed, "192.0.2.1", &[5, 4, 3, 2, 1, 0, 9, 8], 28);
        check(&fixed, "192.0.2.17", &[4, 3, 2, 1, 0, 9, 8], 28);
        check(&fixed, "192.0.2.33", &[4, 3, 1, 0, 9, 8], 27);
        check(&fixed, "192.0.2.70", &[4, 0, 9, 8], 26);
        check(&fixed, "192.0.2.200", &[4, 9, 0, 8], 27);
        check(&fixed, "203.0.113.1", &[9, 0, 8], 5);
        check(&fixed, "::ffff:192.0.2.1", &[5, 4, 3, 2, 1, 0, 9, 8], 124);
        check(&fixed, "2002:c000:201::1", &[5, 4, 3, 2, 1, 0, 9, 8], 44);
        check(&fixed, "2001:db8::1", &[6, 2, 1, 0, 9, 8], 36);
        check(&fixed, "2001:db8:f000::1", &[6, 9, 0, 8], 33);
        check(&fixed, "2001:db9::1", &[9, 0, 8], 32);
        assert_eq!(fixed.classes().get(ClassId(0)), [9, 0, 8]);
        let site = |member, latitude, longitude| {
            let coordinates = Coordinates::of_degrees(latitude, longitude).expect("on the globe");
            Site { member, coordinates, bias: Bias::default() }
        };
        let near = map(Otherwise::Nearest(vec![site(0, 50.1, 8.7), site(8, 38.9, -77.4), site(9, 35.7, 139.7)]));
        check(&near, "192.0.2.17", &[4, 3, 2, 1, 0, 8, 9], 28);
        check(&near, "198.51.100.1", &[8, 0, 9], 26);
        check(&near, "203.0.113.1", &[9, 0, 8], 26);
        check(&near, "203.0.113.250", &[], 26);
    }

    #[test]
    fn where_nothing_depends_on_the_client_no_bit_does() {
        let map = Map::compile(&sample(), &Rules { claims: Vec::new(), otherwise: Otherwise::Members(vec![2, 1]) });
        for address in ["192.0.2.1", "2001:db8::1", "::ffff:192.0.2.1", "::", "255.255.255.255"] {
            let found = map.lookup(address.parse::<IpAddr>().expect(address));
            assert_eq!((map.classes().get(found.class), found.bits), (&[2, 1][..], 0));
        }
    }

    /// Addresses that lie close to each other, in every form that is looked up.
    fn addresses() -> impl Strategy<Value = IpAddr> {
        let low = prop_oneof![
            any::<u32>(),
            0_u32..64,
            (0_u32..64).prop_map(|high| high << 24),
            (0_u32..4096).prop_map(|x| x << 8)
        ];
        (0..10_u8, low).prop_map(|(form, low)| {
            let wide = u128::from(low);
            let v6 = |bits: u128| IpAddr::V6(Ipv6Addr::from_bits(bits));
            match form {
                0..=2 => IpAddr::V4(Ipv4Addr::from_bits(low)),
                3 => v6(0xffff_0000_0000 | wide),
                4 => v6(0x0064_ff9b << 96 | wide),
                5 => v6(0x2002 << 112 | wide << 80 | 7),
                6 => v6(0x2001_0000 << 96 | 5 << 64 | u128::from(!low)),
                7 => v6(0x2001_0db8 << 96 | wide << 64),
                8 => v6(wide << 96),
                _ => v6(wide),
            }
        })
    }

    fn some_networks() -> impl Strategy<Value = Vec<Network>> {
        let network = (addresses(), 0..=128_u8).prop_filter_map("looked up as IPv4", |(address, prefix)| {
            let prefix = if address.is_ipv4() { prefix / 4 } else { prefix };
            Network::of(address, prefix).ok()
        });
        prop::collection::vec(network, 0..40)
    }

    const PLACES: [(&str, &str, u32); 5] =
        [("DE", "HE", 64500), ("US", "CA", 64501), ("US", "VA", 64500), ("JP", "13", 64502), ("FR", "", 64503)];

    fn database(networks: &[(Network, usize)]) -> Places {
        let mut writer = Writer::new(6, 32);
        for (network, place) in networks {
            let (country, part, asn) = PLACES[*place];
            let fields = vec![
                ("country_code", Value::Text(country)),
                ("region_code", Value::Text(part)),
                ("asn", Value::Number(asn)),
            ];
            writer.add(&network.to_string(), &Value::Map(fields));
        }
        let mut places = Places::default();
        if !networks.is_empty() {
            places.add(writer.finish()).expect("a sound database");
        }
        places
    }

    fn contains(network: Network, address: IpAddr) -> bool {
        match (network.span(), address.into()) {
            (Span::V4(first, last), Folded::V4 { address, .. }) => (first..=last).contains(&address),
            (Span::V6(first, last), Folded::V6 { address, .. }) => (first..=last).contains(&address),
            _ => false,
        }
    }

    fn width(network: Network) -> Reverse<u32> {
        Reverse(match network.span() {
            Span::V4(first, last) => (last ^ first).leading_zeros(),
            Span::V6(first, last) => (last ^ first).leading_zeros(),
        })
    }

    /// The members for `address`, found by looking at every network and every claim.
    fn naive(networks: &[(Network, usize)], rules: &Rules, address: IpAddr) -> Vec<u16> {
        let place = networks
            .iter()
            .filter(|(network, _)| contains(*network, address))
            .min_by_key(|(network, _)| width(*network));
        let place = place.map_or_else(Place::default, |&(_, place)| {
            let (country, part, asn) = PLACES[place];
            let country = Country::parse(country).expect(country);
            let subdivision = Subdivision::of_part(country, part);
            let continent = Some(country.continent());
            Place { continent, country: Some(country), subdivision, coordinates: None, asn: Some(asn) }
        });
        let rank = |claim: Claim| match claim {
            Claim::Network(network) => contains(network, address).then(|| (0, Some(width(network)))),
            Claim::Asn(asn) => (place.asn == Some(asn)).then_some((1, None)),
            Claim::Subdivision(subdivision) => (place.subdivision == Some(subdivision)).then_some((2, None)),
            Claim::Country(country) => (place.country == Some(country)).then_some((3, None)),
            Claim::Continent(continent) => (place.continent == Some(continent)).then_some((4, None)),
        };
        let mut ranked: Vec<_> =
            rules.claims.iter().filter_map(|&(claim, member)| Some((rank(claim)?, member))).collect();
        ranked.sort();
        let Otherwise::Members(otherwise) = &rules.otherwise else { unreachable!("not generated") };
        let mut members: Vec<u16> = Vec::new();
        for member in ranked.into_iter().map(|(_, member)| member).chain(otherwise.iter().copied()) {
            if !members.contains(&member) {
                members.push(member);
            }
        }
        members
    }

    fn first_bits(address: IpAddr, bits: u8) -> u128 {
        let (whole, width) = match address {
            IpAddr::V4(address) => (u128::from(address.to_bits()), 32),
            IpAddr::V6(address) => (address.to_bits(), 128),
        };
        whole.checked_shr(width - u32::from(bits)).unwrap_or(0)
    }

    /// An address within the first `bits` of `address`, the rest from `other`.
    fn within(address: IpAddr, bits: u8, other: u128) -> IpAddr {
        match address {
            IpAddr::V4(address) => {
                let rest = u32::MAX.checked_shr(bits.into()).unwrap_or(0);
                Ipv4Addr::from_bits(address.to_bits() & !rest | other as u32 & rest).into()
            }
            IpAddr::V6(address) => {
                let rest = u128::MAX.checked_shr(bits.into()).unwrap_or(0);
                Ipv6Addr::from_bits(address.to_bits() & !rest | other & rest).into()
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]
        #[test]
        fn a_map_is_what_looking_at_every_rule_finds(
            networks in some_networks(),
            claimed in some_networks(),
            members in prop::collection::vec(0_u16..6, 40),
            kinds in prop::collection::btree_set(0..6_usize, 0..6),
            asked in prop::collection::vec(addresses(), 60),
            others in prop::collection::vec(any::<u128>(), 4),
        ) {
            let mut networks: Vec<(Network, usize)> = networks.into_iter().enumerate().map(|(at, network)| (network, at % PLACES.len())).filter(|(network, _)| network.to_string() != "::/0").collect();
            networks.sort_by_key(|&(network, _)| (Reverse(width(network)), network));
            networks.dedup_by_key(|(network, _)| *network);
            // The database has IPv4 at ::/96: what is wider or in there means something else to it.
            networks.retain(|&(network, _)| match network.span() { Span::V4(..) => true, Span::V6(first, _) => first >> 32 != 0 });
            let mut claims: Vec<(Claim, u16)> = claimed.into_iter().map(Claim::Network).zip(members.iter().copied()).collect();
            let places = ["in EU", "DE", "DE-HE", "asn 64500", "US", "in AS"];
            let spans = networks.iter().map(|(network, _)| network.span());
            let spans = spans.chain(claims.iter().filter_map(|(claim, _)| match claim {
                Claim::Network(network) => Some(network.span()),
                _ => None,
            }));
            let edges: Vec<u32> = spans.filter_map(|span| match span {
                Span::V4(first, last) => Some([first.wrapping_sub(1), first, last, last.wrapping_add(1)]),
                Span::V6(..) => None,
            }).flatten().collect();
            claims.extend(kinds.iter().map(|&kind| (claim(places[kind]), members[kind])));
            claims.sort();
            claims.dedup_by_key(|(claim, _)| *claim);
            let rules = Rules { claims, otherwise: Otherwise::Members(vec![4, 0]) };
            let map = Map::compile(&database(&networks), &rules);
            for &address in &asked {
                let Found { class, bits } = map.lookup(address);
                prop_assert_eq!(map.classes().get(class), naive(&networks, &rules, address), "{}", address);
                // Both ends of the block, anywhere in it, and every asked address that is in it.
                let near = asked.iter().copied().filter(|other| other.is_ipv4() == address.is_ipv4());
                let near = near.filter(|&other| first_bits(other, bits) == first_bits(address, bits));
                let ends = others.iter().copied().chain([0, u128::MAX]).map(|other| within(address, bits, other));
                for other in near.chain(ends) {
                    prop_assert_eq!(map.lookup(other).class, class, "{} and {} in /{}", address, other, bits);
                }
                // One bit less takes in another class: no block is narrower than it must be.
                if let (IpAddr::V4(_), Some(wider)) = (address, bits.checked_sub(1)) {
                    let mut edges = edges.iter().map(|&edge| IpAddr::V4(Ipv4Addr::from_bits(edge)));
                    let within = |other: IpAddr| first_bits(other, wider) == first_bits(address, wider);
                    prop_assert!(edges.any(|edge| within(edge) && map.lookup(edge).class != class), "{}/{}", address, bits);
                }
            }
        }
    }
}
