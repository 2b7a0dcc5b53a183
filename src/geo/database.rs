//! Databases of places in the MaxMind DB format → what they say of each address.
//!
//! A database is read once, from end to end, into ranges of addresses and the distinct places of those, and then
//! let go: that takes a third of its size, merges what the file splits, and answers as fast as a compiled map.
//! Source: MaxMind DB file format 2.0.

use std::collections::HashMap;
use std::net::IpAddr;

use maxminddb::{MaxMindDbError, Reader, WithinOptions};

use super::Fault;
use super::partition::Partition;
use super::place::Place;
use super::ranges::Builder;
use super::record::Record;
use super::sweep::zip;
use super::wide::WideBuilder;

/// What any number of databases say of each address. Immutable but for [`Places::add`].
#[derive(Clone, Debug)]
pub struct Places {
    partition: Partition,
    /// The first is the one of which nothing is known. One may stand here twice, where records differ in what is
    /// of no use here: finding those took more memory than they do.
    places: Vec<Place>,
}

/// Without a database: nothing is known of any address.
impl Default for Places {
    fn default() -> Self {
        Self { partition: Partition::default(), places: vec![Place::default()] }
    }
}

impl Places {
    /// Adds what the database `octets` knows and those before it do not, field by field: the first that knows wins.
    /// Takes seconds for the largest. `octets` is let go as soon as it is read, since it is the most of what this
    /// holds in memory.
    ///
    /// # Errors
    /// What is no database, is damaged, or has no field that is known here; then nothing is added.
    pub fn add(&mut self, octets: impl AsRef<[u8]>) -> Result<(), Fault> {
        let before = self.places.len();
        let (v4, v6) = read(octets.as_ref(), &mut self.places).inspect_err(|_| self.places.truncate(before))?;
        drop(octets);
        let added = Partition::of(v4.finish(), v6.finish());
        self.partition = merge(std::mem::take(&mut self.partition), added, &mut self.places);
        Ok(())
    }

    /// A /24 for each of `places`, at addresses that no client has (240.0.0.0/4, RFC 1112 §4): for whoever wants to see
    /// how maps tell places apart that no database has told. No more than 2²⁰ of them.
    pub fn made_up(places: impl IntoIterator<Item = Place>) -> Self {
        const FIRST: u32 = 240 << 24;
        let mut made = Self::default();
        let mut v4 = Builder::default();
        for (block, place) in (0_u32..1 << 20).zip(places) {
            v4.push(FIRST + (block << 8), number(&mut made.places, place));
            v4.push(FIRST + ((block + 1) << 8), 0);
        }
        made.partition = Partition::of(v4.finish(), WideBuilder::default().finish());
        made
    }

    /// What is known of `address`, and how many of its leading bits that depends on. IPv4 in IPv6 is looked up as
    /// IPv4.
    pub fn lookup(&self, address: IpAddr) -> (Place, u8) {
        let (number, bits) = self.partition.lookup(address.into());
        (self.places[number as usize], bits)
    }

    /// Octets that it takes.
    pub fn size(&self) -> usize {
        self.partition.size() + size_of_val(&*self.places)
    }

    /// Ranges of addresses that it tells apart, of both families.
    pub fn ranges(&self) -> usize {
        self.partition.v4().len() + self.partition.v6().len()
    }

    /// Which place each address has, as an index into [`Places::places`].
    pub(super) fn partition(&self) -> &Partition {
        &self.partition
    }

    /// The places; the first is the unknown one.
    pub(super) fn places(&self) -> &[Place] {
        &self.places
    }
}

/// What `ours` and `theirs` know together, ours first. New places are added.
fn merge(ours: Partition, theirs: Partition, places: &mut Vec<Place>) -> Partition {
    let mut known = HashMap::new();
    let mut both = |ours: u32, theirs: u32| match (ours, theirs) {
        (ours, 0) => ours,
        (0, theirs) => theirs,
        both => *known.entry(both).or_insert_with(|| {
            let place = places[ours as usize].or(places[theirs as usize]);
            if place == places[ours as usize] { ours } else { number(places, place) }
        }),
    };
    let (our_v4, our_v6) = ours.into_families();
    let (their_v4, their_v6) = theirs.into_families();
    // A database of one family leaves the other as it was.
    let v4 = if their_v4.is_zero() {
        our_v4
    } else if our_v4.is_zero() {
        their_v4
    } else {
        let mut built = Builder::default();
        zip(our_v4.iter(), their_v4.iter(), &mut both, |start, place| built.push(start, place));
        built.finish().into()
    };
    let v6 = if their_v6.is_zero() {
        our_v6
    } else if our_v6.is_zero() {
        their_v6
    } else {
        let mut built = WideBuilder::default();
        zip(our_v6.iter(), their_v6.iter(), &mut both, |start, place| built.push(start, place));
        built.finish()
    };
    Partition::of(v4, v6)
}

/// Adds a place.
fn number(places: &mut Vec<Place>, place: Place) -> u32 {
    if place == places[0] {
        return 0;
    }
    // Fewer than 2³¹: a record is more than an octet, and a search tree's pointers have 32 bits.
    places.push(place);
    places.len() as u32 - 1
}

/// Both families of a database, with a number for each place, which is added to `places`.
fn read(octets: &[u8], places: &mut Vec<Place>) -> Result<(Builder<u32>, WideBuilder), Fault> {
    let reader = Reader::from_source(octets).map_err(damaged)?;
    let holds_ipv4 = check_tree(octets, &reader)?;
    // The reader passes over networks that point to where IPv4 begins. Where a database has no IPv4, that is no node
    // but what `::` has, a record or none, and what shares it would be passed over too.
    let mut options = WithinOptions::default().include_networks_without_data();
    if !holds_ipv4 {
        options = options.include_aliased_networks();
    }
    // Networks share records: each is read once.
    let mut read = HashMap::new();
    let before = places.len();
    let mut last = 0;
    let (mut v4, mut v6) = (Builder::default(), WideBuilder::default());
    // Where the last IPv6 network ended. In the order of their addresses and those without a record too, so that
    // each begins there, but for those that were passed over.
    let mut end = Some(0);
    for network in reader.networks(options).map_err(damaged)? {
        let network = network.map_err(damaged)?;
        let mut number = match network.offset() {
            None => 0,
            Some(offset) => match read.get(&offset) {
                Some(&number) => number,
                None => {
                    let record: Option<Record> = network.decode().map_err(damaged)?;
                    let number = number(places, record.map_or_else(Place::default, |record| record.0));
                    read.insert(offset, number);
                    number
                }
            },
        };
        if places[number as usize] == places[last as usize] {
            number = last;
        }
        last = number;
        let block = network.network().map_err(damaged)?;
        match block.ip() {
            IpAddr::V4(first) => v4.push(first.to_bits(), number),
            IpAddr::V6(first) => {
                let (first, prefix) = (first.to_bits(), block.prefix());
                // IPv4 addresses stand at ::/96, so this has all of them; where it is wider, not them alone.
                let is_ipv4 = first == 0 && prefix <= 96;
                if is_ipv4 {
                    v4.push(0, number);
                }
                if let Some(end) = end.filter(|&end| end < first) {
                    v6.push(end, 0);
                }
                v6.push(first, if is_ipv4 && prefix == 96 { 0 } else { number });
                end = (first | u128::MAX.checked_shr(prefix.into()).unwrap_or(0)).checked_add(1);
            }
        }
    }
    if places.len() == before {
        return Err(Fault::new("the database has no continent, country, coordinates or AS number that reads as one")
            .help("the layouts of GeoIP2, GeoLite2, DB-IP, IPinfo and ip-location-db are known"));
    }
    Ok((v4, v6))
}

fn damaged(error: MaxMindDbError) -> Fault {
    Fault::new(format!("not a sound MaxMind DB file: {error}"))
}

/// Refuses a search tree in which a node is reached twice. A damaged file may tie its nodes so that a few of them
/// stand for more networks than could ever be read. The node at which IPv4 begins is reached more often in sound
/// files: makers point there from the IPv6 blocks that carry IPv4, and the reader skips those. Says whether the tree
/// has such a node, or is all for IPv4.
fn check_tree(octets: &[u8], reader: &Reader<&[u8]>) -> Result<bool, Fault> {
    let metadata = reader.metadata();
    let nodes = metadata.node_count;
    let children = |node: u32| children(octets, metadata.record_size, node);
    // Where a walk of 96 zeros ends; in a database of IPv4 alone that is the root, which nothing points to.
    let zeros = if metadata.ip_version == 6 { 96 } else { 0 };
    let ipv4 = (0..zeros).try_fold(0, |node, _| children(node).filter(|_| node < nodes).map(|[left, _]| left));
    let mut reached = vec![false; nodes as usize];
    for node in 0..nodes {
        for child in children(node).into_iter().flatten().filter(|&child| child < nodes) {
            if child == 0 || Some(child) != ipv4 && std::mem::replace(&mut reached[child as usize], true) {
                return Err(Fault::new(format!(
                    "not a sound MaxMind DB file: node {child} of its search tree is reached twice"
                )));
            }
        }
    }
    Ok(ipv4.is_some_and(|node| node < nodes))
}

/// Both records of a node: another node, or where its data are.
fn children(octets: &[u8], record_bits: u16, node: u32) -> Option<[u32; 2]> {
    let size = usize::from(record_bits / 4);
    let at = node as usize * size;
    Some(match *octets.get(at..at + size)? {
        [a, b, c, d, e, f] => [u32::from_be_bytes([0, a, b, c]), u32::from_be_bytes([0, d, e, f])],
        [a, b, c, middle, e, f, g] => {
            [u32::from_be_bytes([middle >> 4, a, b, c]), u32::from_be_bytes([middle & 15, e, f, g])]
        }
        [a, b, c, d, e, f, g, h] => [u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes([e, f, g, h])],
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::super::samples::{self, Value, Writer};
    use super::*;
    use Value::{Array, Double, Float, Map, Number, Text};

    fn places(databases: &[&[u8]]) -> Places {
        let mut places = Places::default();
        databases.iter().for_each(|octets| places.add(octets).expect("a sound database"));
        places
    }

    fn read_alone(octets: &[u8]) -> Result<Places, Fault> {
        let mut places = Places::default();
        places.add(octets)?;
        Ok(places)
    }

    #[test]
    fn places_are_what_the_database_says() {
        let check = |databases: &[&[u8]], address: &str, expected: &str| {
            let (place, bits) = places(databases).lookup(address.parse().expect(address));
            assert_eq!(format!("{place} /{bits}"), expected, "{address}");
        };
        let (city, flat) = (samples::city(), samples::flat());
        let city: &[&[u8]] = &[&city];
        check(city, "192.0.2.1", "EU DE DE-HE 50.1109,8.6821 /27");
        check(city, "192.0.2.40", "EU DE DE-BE 52.52,13.405 /27");
        check(city, "203.0.113.70", "AS SG 1.3521,103.8198 /27");
        check(city, "203.0.113.200", "nowhere known /26");
        check(city, "2001:db8:9010::1", "AS SG 1.3521,103.8198 /64");
        check(city, "2001:db8:2fff::1", "EU GB GB-ENG 51.5074,-0.1278 /35");
        for carrying in ["::ffff:192.0.2.1", "64:ff9b::192.0.2.1", "2001:0:1:2:3:4:3fff:fdfe"] {
            check(city, carrying, "EU DE DE-HE 50.1109,8.6821 /123");
        }
        check(city, "2002:c000:201::1", "EU DE DE-HE 50.1109,8.6821 /43");
        check(&[&flat], "192.0.2.1", "EU DE DE-HE 50.1109,8.6821 AS64500 /27");
        check(&[&flat], "2001:db8::1", "nowhere known /21");
        check(&[city[0], &flat], "192.0.2.1", "EU DE DE-HE 50.1109,8.6821 AS64500 /27");
        check(&[city[0], &flat], "2001:db8::1", "EU DE DE-HE 50.1109,8.6821 /36");
        check(&[], "192.0.2.1", "nowhere known /0");
    }

    #[test]
    fn the_layouts_of_makers_are_read() {
        let check = |fields: Vec<(&'static str, Value)>, expected: &str| {
            let mut writer = Writer::new(4, 32);
            writer.add("192.0.2.0/24", &Map(fields.clone()));
            let found = read_alone(&writer.finish()).map(|places| places.lookup([192, 0, 2, 1].into()).0.to_string());
            assert_eq!(found.unwrap_or_else(|fault| fault.message), expected, "{fields:?}");
        };
        let none = "the database has no continent, country, coordinates or AS number that reads as one";
        let code = |name: &'static str, code: &'static str| Map(vec![(name, Text(code))]);
        check(
            vec![("autonomous_system_number", Number(64500)), ("autonomous_system_organization", Text("x"))],
            "AS64500",
        );
        check(vec![("registered_country", code("iso_code", "FR"))], "EU FR");
        check(vec![("country", code("iso_code", "DE")), ("registered_country", code("iso_code", "FR"))], "EU DE");
        check(vec![("country", Text("US")), ("continent", Text("NA")), ("asn", Text("AS64501"))], "NA US AS64501");
        check(
            vec![("country", Text("United States")), ("country_code", Text("US")), ("region", Text("CA"))],
            "NA US US-CA",
        );
        check(vec![("country_code", Text("US")), ("state1", Text("California"))], "NA US");
        check(vec![("country_code", Text("US")), ("region_code", Text("US-CA"))], "NA US US-CA");
        check(vec![("country_code", Text("US")), ("region_code", Text("DE-HE"))], "NA US");
        check(vec![("latitude", Float(1.5)), ("longitude", Float(-2.5))], "1.5,-2.5");
        check(vec![("lat", Text("1.5")), ("lng", Text("-2.5"))], "1.5,-2.5");
        check(vec![("latitude", Number(7)), ("longitude", Double(8.0))], "7,8");
        check(vec![("geo", Map(vec![("country_code", Text("JP"))])), ("as", code("asn", "AS64502"))], "AS JP AS64502");
        check(vec![("latitude", Double(95.0)), ("longitude", Double(8.0)), ("asn", Number(64500))], "AS64500");
        check(vec![("latitude", Text("")), ("longitude", Text("")), ("country_code", Text("ZZ"))], none);
        check(vec![("asn", Number(0)), ("asn", Text("AS0"))], none);
        check(vec![("continent", Array(vec![Text("EU")])), ("name", Text("x"))], none);
        check(vec![], none);
    }

    #[test]
    fn a_database_of_one_family_says_nothing_of_the_other() {
        let mut writer = Writer::new(6, 24);
        writer.add("2001:db8::/32", &Map(vec![("country_code", Text("DE"))]));
        let places = places(&[&writer.finish(), &samples::flat()]);
        let country =
            |address: &str| places.lookup(address.parse().expect(address)).0.country.map(|country| country.code());
        assert_eq!(
            [country("2001:db8::1"), country("192.0.2.70"), country("::192.0.2.70")],
            [Some("DE"), Some("FR"), None]
        );
    }

    #[test]
    fn a_node_reached_twice_is_refused() {
        // Both records of each node point to the next: 2¹²⁸ networks in 127 nodes.
        let mut writer = Writer::new(6, 24);
        writer.add("::1/128", &Map(vec![("country_code", Text("DE"))]));
        let mut octets = writer.finish();
        for node in 0..127_usize {
            octets[node * 6 + 3..node * 6 + 6].copy_from_slice(&[0, 0, node as u8 + 1]);
        }
        let fault = read_alone(&octets).expect_err("tied");
        assert_eq!(fault.message, "not a sound MaxMind DB file: node 1 of its search tree is reached twice");
        let mut writer = Writer::new(4, 24);
        writer.add("0.0.0.0/1", &Map(vec![("country_code", Text("DE"))]));
        let mut octets = writer.finish();
        octets[3..6].fill(0);
        let fault = read_alone(&octets).expect_err("tied");
        assert_eq!(fault.message, "not a sound MaxMind DB file: node 0 of its search tree is reached twice");
    }

    /// Whatever is damaged, an error comes of it or a database, and soon.
    #[test]
    fn damaged_databases_never_panic() {
        let mut random = crate::random::Random::new(20_261_121);
        for whole in [samples::city(), samples::flat()] {
            for length in (0..whole.len()).step_by(7) {
                assert!(read_alone(&whole[..length]).is_err(), "cut at {length} of {}", whole.len());
            }
            for _ in 0..3000 {
                let mut octets = whole.clone();
                for _ in 0..=random.below(8) {
                    let at = random.below(octets.len() as u64) as usize;
                    octets[at] = random.next_u32() as u8;
                }
                drop(read_alone(&octets));
            }
        }
        assert!(read_alone(b"").is_err() && read_alone(b"\xab\xcd\xefMaxMind.com").is_err());
    }
}
