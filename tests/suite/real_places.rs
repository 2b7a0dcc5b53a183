//! `answer()` held against a real city database: `BELLWETHER_CITY_MMDB` names the files, as `PATH` names folders.
//!
//! `geo::real` compares places with what the database itself says; here clients tell their subnets, pools claim
//! countries, and what is compared is who is answered, and for how wide a network.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use bellwether::answer::{Outcome, Transport};
use bellwether::geo::{Country, Places};
use bellwether::health::Board;
use bellwether::random::Random;
use bellwether::wire::header::Rcode;
use maxminddb::{PathElement, Reader};

use crate::served::{Desk, Words, cut, query_with_ecs, served_in, subnet};

/// The country by the database's own lookup, of the first reader that knows one.
fn country(readers: &[Reader<Vec<u8>>], address: IpAddr) -> Option<String> {
    readers.iter().filter(|reader| reader.metadata().ip_version == 6 || address.is_ipv4()).find_map(|reader| {
        let found = reader.lookup(address).ok().filter(|found| found.has_data())?;
        let text = |path: &[&str]| {
            let path: Vec<_> = path.iter().map(|&name| PathElement::Key(name)).collect();
            found.decode_path::<&str>(&path).ok().flatten().map(str::to_owned)
        };
        let code = text(&["country", "iso_code"]).or_else(|| text(&["country_code"]))?;
        Country::of_code(&code).map(|_| code)
    })
}

/// A network that a resolver may tell: /24 or /56, and sometimes fewer or more bits.
fn client(random: &mut Random) -> (IpAddr, u8) {
    let more = [0, 0, 0, 4, 8][random.below(5) as usize];
    if random.below(2) == 0 {
        // Of what is given out; private and reserved subnets tell nothing.
        let first = [5, 24, 31, 46, 62, 77, 81, 90, 101, 118, 133, 144, 168, 177, 186, 196, 202, 213]
            [random.below(18) as usize];
        let address = IpAddr::V4(Ipv4Addr::from_bits(first << 24 | random.next_u32() >> 8));
        let bits = if random.below(8) == 0 { 20 } else { 24 + more };
        (cut(address, bits), bits)
    } else {
        let block = [0x2001_0200, 0x2400_0000, 0x2600_0000, 0x2800_0000, 0x2a00_0000, 0x2c0f_0000_u32];
        let block = block[random.below(6) as usize];
        // What lies behind 2001::/16 is 6to4, which is IPv4.
        let block = block + (random.next_u32() >> if block >> 16 == 0x2001 { 17 } else { 12 });
        let address = IpAddr::V6(Ipv6Addr::from_bits(u128::from(block) << 96 | u128::from(random.next_u64()) << 32));
        let bits = if random.below(8) == 0 { 40 } else { 56 + more };
        (cut(address, bits), bits)
    }
}

#[test]
#[allow(clippy::print_stderr, reason = "a test that compares nothing says so")]
fn who_is_answered_is_who_the_database_says() {
    let Some(paths) = std::env::var_os("BELLWETHER_CITY_MMDB") else {
        eprintln!("BELLWETHER_CITY_MMDB names no database: nothing was compared with a real one");
        return;
    };
    let (mut places, mut readers) = (Places::default(), Vec::new());
    for path in std::env::split_paths(&paths) {
        let octets = std::fs::read(&path).expect("a database");
        places.add(&octets).expect("a sound database");
        readers.push(Reader::from_source(octets).expect("a sound database"));
    }
    let mut random = Random::new(11);
    let clients: Vec<(IpAddr, u8)> = (0..10_000).map(|_| client(&mut random)).collect();

    // A member for each country that is met, known by the address that it answers.
    let mut members = BTreeMap::new();
    for code in clients.iter().filter_map(|&(address, _)| country(&readers, seen(address))) {
        let next = members.len() as u32 + 1;
        members.entry(code).or_insert(next);
    }
    let address = |number: u32| Ipv4Addr::from_bits(0xcb00_7100 + number);
    assert!(members.len() < 255, "an address each");
    let mut pools = "nowhere failover 192.0.2.1\ngeo geo:nowhere nowhere".to_owned();
    for (code, &number) in &members {
        write!(pools, " {}[country={code}]", address(number)).expect("a string");
    }
    let zone = "$TTL 300\n@ IN SOA ns1 hostmaster 1 7200 900 1209600 60\n@ NS ns1\nns1 A 192.0.2.53\n";
    let words = Words { apex: "example.com", zone, pools: &pools, names: "geo geo 1 5 30 serve-all" };
    let mut desk = Desk::new(vec![served_in(words, &Board::new(), &places)]);
    let expected = |client: IpAddr| {
        let number = country(&readers, seen(client)).and_then(|code| members.get(&code).copied());
        number.map_or(Ipv4Addr::new(192, 0, 2, 1), address)
    };

    let (mut known, mut narrower) = (0, 0);
    for &(client, bits) in &clients {
        let (answer, scope) = ask(&mut desk, client, bits);
        assert_eq!(answer, expected(client), "{client}/{bits}");
        assert!((1..=if client.is_ipv4() { 24 } else { 56 }).contains(&scope), "{client}/{bits}: scope {scope}");
        known += usize::from(answer.octets()[0] == 203);
        narrower += usize::from(scope < if client.is_ipv4() { 24 } else { 56 });
        for _ in 0..4 {
            let other = beside(client, scope, &mut random);
            let (found, other_scope) = ask(&mut desk, other, if other.is_ipv4() { 32 } else { 128 });
            assert_eq!((found, other_scope), (answer, scope), "{client} and {other} in /{scope}");
            // A country that none of the clients is in has no member: what is told apart then is the map's affair.
            assert_eq!(expected(other), answer, "{client} and {other} in /{scope}, by the database");
        }
    }
    eprintln!("{known} of {} are known, {} countries; {narrower} scopes under the most", clients.len(), members.len());
    assert!(known > 5_000 && narrower > 1_000, "{known} are known, {narrower} scopes are short");
}

/// The address that stands for a client: the first of its /24 or /56.
fn seen(client: IpAddr) -> IpAddr {
    cut(client, if client.is_ipv4() { 24 } else { 56 })
}

fn beside(address: IpAddr, bits: u8, random: &mut Random) -> IpAddr {
    match cut(address, bits) {
        IpAddr::V4(network) => {
            let rest = u32::MAX.checked_shr(bits.into()).unwrap_or(0);
            IpAddr::V4(Ipv4Addr::from_bits(network.to_bits() | random.next_u32() & rest))
        }
        IpAddr::V6(network) => {
            let rest = u128::MAX.checked_shr(bits.into()).unwrap_or(0);
            let noise = u128::from(random.next_u64()) << 64 | u128::from(random.next_u64());
            IpAddr::V6(Ipv6Addr::from_bits(network.to_bits() | noise & rest))
        }
    }
}

fn ask(desk: &mut Desk, client: IpAddr, bits: u8) -> (Ipv4Addr, u8) {
    let data = subnet(client, bits);
    let request = query_with_ecs("geo.example.com.", 1, &data);
    let (outcome, octets) = desk.ask(Transport::Udp, &request);
    assert_eq!(outcome, Outcome::Answered(Rcode::NoError), "{client}/{bits}");
    let before = &octets[..octets.len() - data.len() - 15];
    let address = before.last_chunk::<4>().map(|&octets| Ipv4Addr::from(octets));
    (address.expect("an answer"), octets[octets.len() - data.len() + 3])
}
