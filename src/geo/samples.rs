//! Databases for tests: a writer of MaxMind DB files, and the samples under `tests/geo/` that it writes.
//!
//! The samples hold networks of the documentation ranges and invented places. To write them anew:
//! `BELLWETHER_WRITE_SAMPLES=1 cargo test --lib geo::samples`. Source: MaxMind DB file format 2.0.

use std::net::IpAddr;

/// A value of a record.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Text(&'static str),
    Double(f64),
    Float(f32),
    Short(u16),
    Number(u32),
    Long(u64),
    Map(Vec<(&'static str, Self)>),
    Array(Vec<Self>),
}

use Value::{Array, Double, Float, Long, Map, Number, Short, Text};

impl Value {
    fn write(&self, to: &mut Vec<u8>) {
        match self {
            Text(text) => {
                control(to, 2, text.len());
                to.extend_from_slice(text.as_bytes());
            }
            Double(number) => {
                control(to, 3, 8);
                to.extend_from_slice(&number.to_be_bytes());
            }
            Float(number) => {
                control(to, 15, 4);
                to.extend_from_slice(&number.to_be_bytes());
            }
            Short(number) => whole_number(to, 5, (*number).into()),
            Number(number) => whole_number(to, 6, (*number).into()),
            Long(number) => whole_number(to, 9, *number),
            Map(entries) => {
                control(to, 7, entries.len());
                for (name, value) in entries {
                    Text(name).write(to);
                    value.write(to);
                }
            }
            Array(values) => {
                control(to, 11, values.len());
                values.iter().for_each(|value| value.write(to));
            }
        }
    }
}

fn whole_number(to: &mut Vec<u8>, kind: u8, number: u64) {
    let skipped = number.leading_zeros() as usize / 8;
    control(to, kind, 8 - skipped);
    to.extend_from_slice(&number.to_be_bytes()[skipped..]);
}

/// Type and size. Sizes over 284 take more octets, which nothing here needs.
fn control(to: &mut Vec<u8>, kind: u8, size: usize) {
    let (short, more) = if size < 29 { (size as u8, None) } else { (29, Some((size - 29) as u8)) };
    match kind {
        1..=7 => to.push(kind << 5 | short),
        _ => to.extend([short, kind - 7]),
    }
    to.extend(more);
}

#[derive(Clone, Copy, Debug)]
enum Slot {
    Empty,
    Node(usize),
    Data(usize),
}

/// A database being written.
#[derive(Debug)]
pub(super) struct Writer {
    ip_version: u8,
    record_bits: u8,
    nodes: Vec<[Slot; 2]>,
    data: Vec<u8>,
}

impl Writer {
    pub(super) fn new(ip_version: u8, record_bits: u8) -> Self {
        Self { ip_version, record_bits, nodes: vec![[Slot::Empty; 2]], data: Vec::new() }
    }

    /// Adds a network such as `192.0.2.0/24`; wider before narrower. In a database of IPv6, IPv4 stands at `::/96`.
    pub(super) fn add(&mut self, network: &str, value: &Value) {
        let at = self.data.len();
        value.write(&mut self.data);
        let (key, bits) = self.key(network);
        self.set(key, bits, Slot::Data(at));
    }

    /// Lets a network point to where IPv4 begins.
    pub(super) fn alias(&mut self, network: &str) {
        let mut node = 0;
        for _ in 0..96 {
            let Slot::Node(next) = self.nodes[node][0] else { panic!("no IPv4 in it") };
            node = next;
        }
        let (key, bits) = self.key(network);
        self.set(key, bits, Slot::Node(node));
    }

    fn key(&self, network: &str) -> (u128, u32) {
        let (address, prefix) = network.split_once('/').expect("a network");
        let prefix: u32 = prefix.parse().expect("a prefix");
        match (address.parse().expect("an address"), self.ip_version) {
            (IpAddr::V4(address), 4) => (u128::from(address.to_bits()) << 96, prefix),
            (IpAddr::V4(address), _) => (u128::from(address.to_bits()), prefix + 96),
            (IpAddr::V6(address), _) => (address.to_bits(), prefix),
        }
    }

    fn set(&mut self, key: u128, bits: u32, slot: Slot) {
        let side = |bit: u32| (key >> (127 - bit)) as usize & 1;
        let mut node = 0;
        for bit in 0..bits - 1 {
            node = match self.nodes[node][side(bit)] {
                Slot::Node(next) => next,
                whole => {
                    self.nodes.push([whole; 2]);
                    let next = self.nodes.len() - 1;
                    self.nodes[node][side(bit)] = Slot::Node(next);
                    next
                }
            };
        }
        self.nodes[node][side(bits - 1)] = slot;
    }

    /// The octets of the file.
    pub(super) fn finish(self) -> Vec<u8> {
        let count = self.nodes.len();
        let record = |slot: Slot| match slot {
            Slot::Empty => count as u32,
            Slot::Node(node) => node as u32,
            Slot::Data(at) => (count + 16 + at) as u32,
        };
        let mut octets = Vec::new();
        for node in &self.nodes {
            let [left, right] = node.map(|slot| record(slot).to_be_bytes());
            match self.record_bits {
                24 => octets.extend([&left[1..], &right[1..]].concat()),
                28 => octets.extend([&left[1..], &[left[0] << 4 | right[0]], &right[1..]].concat()),
                _ => octets.extend([left, right].concat()),
            }
        }
        octets.extend([0; 16]);
        octets.extend(self.data);
        octets.extend(b"\xab\xcd\xefMaxMind.com");
        Map(vec![
            ("binary_format_major_version", Short(2)),
            ("binary_format_minor_version", Short(0)),
            ("build_epoch", Long(1_700_000_000)),
            ("database_type", Text("Bellwether-Sample")),
            ("description", Map(vec![("en", Text("invented places of documentation networks"))])),
            ("ip_version", Short(self.ip_version.into())),
            ("languages", Array(vec![Text("en")])),
            ("node_count", Number(count as u32)),
            ("record_size", Short(self.record_bits.into())),
        ])
        .write(&mut octets);
        octets
    }
}

/// Network, continent, country, subdivision (empty: none), latitude, longitude, AS number.
type Row = (&'static str, &'static str, &'static str, &'static str, f64, f64, u32);

#[rustfmt::skip] // A table reads better packed.
const ROWS: [Row; 32] = [
    ("192.0.2.0/27", "EU", "DE", "HE", 50.1109, 8.6821, 64500),
    ("192.0.2.32/27", "EU", "DE", "BE", 52.52, 13.405, 64500),
    ("192.0.2.64/26", "EU", "FR", "IDF", 48.8566, 2.3522, 64501),
    ("192.0.2.128/26", "EU", "GB", "ENG", 51.5074, -0.1278, 64502),
    ("192.0.2.192/27", "AS", "TR", "34", 41.0082, 28.9784, 64503),
    ("192.0.2.224/28", "AF", "ZA", "GP", -26.2041, 28.0473, 64504),
    ("192.0.2.240/29", "AF", "KE", "30", -1.2921, 36.8219, 64504),
    ("192.0.2.248/30", "EU", "RU", "MOW", 55.7558, 37.6173, 64505),
    ("198.51.100.0/26", "NA", "US", "VA", 38.9072, -77.0369, 64496),
    ("198.51.100.64/27", "NA", "US", "CA", 37.7749, -122.4194, 64496),
    ("198.51.100.96/27", "NA", "US", "TX", 32.7767, -96.797, 64497),
    ("198.51.100.128/27", "NA", "CA", "ON", 43.6532, -79.3832, 64498),
    ("198.51.100.160/28", "NA", "MX", "CMX", 19.4326, -99.1332, 64499),
    ("198.51.100.176/28", "SA", "BR", "SP", -23.5505, -46.6333, 64506),
    ("198.51.100.192/28", "SA", "AR", "C", -34.6037, -58.3816, 64506),
    ("198.51.100.208/29", "SA", "CL", "RM", -33.4489, -70.6693, 64507),
    ("203.0.113.0/26", "AS", "JP", "13", 35.6762, 139.6503, 64508),
    ("203.0.113.64/27", "AS", "SG", "", 1.3521, 103.8198, 64509),
    ("203.0.113.96/27", "AS", "IN", "MH", 19.076, 72.8777, 64510),
    ("203.0.113.128/27", "OC", "AU", "NSW", -33.8688, 151.2093, 64511),
    ("203.0.113.160/28", "OC", "NZ", "AUK", -36.8509, 174.7645, 64511),
    ("203.0.113.176/28", "AN", "AQ", "", -77.8419, 166.6863, 64511),
    ("2001:db8::/36", "EU", "DE", "HE", 50.1109, 8.6821, 64500),
    ("2001:db8:1000::/36", "EU", "FR", "IDF", 48.8566, 2.3522, 64501),
    ("2001:db8:2000::/35", "EU", "GB", "ENG", 51.5074, -0.1278, 64502),
    ("2001:db8:4000::/36", "NA", "US", "VA", 38.9072, -77.0369, 64496),
    ("2001:db8:5000::/36", "NA", "US", "CA", 37.7749, -122.4194, 64496),
    ("2001:db8:6000::/40", "SA", "BR", "SP", -23.5505, -46.6333, 64506),
    ("2001:db8:6100::/40", "AF", "ZA", "GP", -26.2041, 28.0473, 64504),
    ("2001:db8:8000::/36", "AS", "JP", "13", 35.6762, 139.6503, 64508),
    ("2001:db8:9000::/44", "OC", "AU", "NSW", -33.8688, 151.2093, 64511),
    ("2001:db8:9010::/64", "AS", "SG", "", 1.3521, 103.8198, 64509),
];

/// In the layout of GeoLite2-City, IPv4 and IPv6 in one, with aliases as its maker sets them.
pub(super) fn city() -> Vec<u8> {
    let mut writer = Writer::new(6, 28);
    for (network, continent, country, subdivision, latitude, longitude, _) in ROWS {
        let mut record = vec![
            ("continent", Map(vec![("code", Text(continent)), ("geoname_id", Number(1))])),
            ("country", Map(vec![("iso_code", Text(country)), ("names", Map(vec![("en", Text("an invented name"))]))])),
            (
                "location",
                Map(vec![
                    ("accuracy_radius", Number(20)),
                    ("latitude", Double(latitude)),
                    ("longitude", Double(longitude)),
                ]),
            ),
            ("registered_country", Map(vec![("iso_code", Text("US"))])),
        ];
        if !subdivision.is_empty() {
            record.push((
                "subdivisions",
                Array(vec![Map(vec![("iso_code", Text(subdivision))]), Map(vec![("iso_code", Text("X"))])]),
            ));
        }
        writer.add(network, &Map(record));
    }
    writer.alias("::ffff:0:0/96");
    writer.alias("2002::/16");
    writer.finish()
}

/// In a flat layout, of IPv4 alone, with coordinates as text and an AS number as IPinfo writes it.
pub(super) fn flat() -> Vec<u8> {
    let mut writer = Writer::new(4, 24);
    for (network, _, country, subdivision, latitude, longitude, asn) in ROWS {
        if network.contains(':') {
            continue;
        }
        let text = |number: f64| Text(number.to_string().leak());
        writer.add(
            network,
            &Map(vec![
                ("asn", Text(format!("AS{asn}").leak())),
                ("country", Text("an invented name")),
                ("country_code", Text(country)),
                ("latitude", text(latitude)),
                ("longitude", text(longitude)),
                ("region", Text("Région")),
                ("region_code", Text(subdivision)),
            ]),
        );
    }
    writer.finish()
}

#[test]
fn the_samples_are_what_is_committed() {
    for (name, octets) in [("city.mmdb", city()), ("flat.mmdb", flat())] {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/geo").join(name);
        if std::env::var_os("BELLWETHER_WRITE_SAMPLES").is_some() {
            std::fs::write(&path, &octets).expect("the folder is there");
        }
        assert!(std::fs::read(&path).expect(name) == octets, "{name} is not what the writer writes");
    }
}
