//! The PROXY protocol, version 2: how a front end such as dnsdist tells whose query it passes on.
//!
//! Octets in, meaning out; knows no sockets. A header stands at the start of a connection, or of every datagram:
//!
//! ```text
//!   12 octets  signature
//!    1 octet   version (2) and command (0 LOCAL: the front end itself, 1 PROXY)
//!    1 octet   family (0 none, 1 IPv4, 2 IPv6, 3 UNIX) and kind (0 none, 1 stream, 2 datagram)
//!    2 octets  how many more follow
//!   addresses  source, destination; ports of both; then values of varied types, which are passed over
//! ```
//!
//! Source: haproxy `doc/proxy-protocol.txt` §2.2. From front ends that are listed a header is required; from anybody
//! else it is garbage, for who may write it says where the query comes from.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::geo::Network;

/// Octets before the addresses.
pub const FIXED_OCTETS: usize = 16;

/// The longest header that is read, addresses and values included. Of HAProxy's 65,551 no DNS front end sends more
/// than a few; PowerDNS takes 512.
pub const HEADER_OCTETS_MAX: usize = 1024;

const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";

/// Those whose word is taken for where a query comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FrontEnds(Box<[Network]>);

impl FrontEnds {
    /// The front ends in these networks.
    pub fn new(networks: Vec<Network>) -> Self {
        Self(networks.into())
    }

    /// Whether nobody is listed.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a peer at `address` must send a header.
    pub fn include(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(address))
    }
}

/// What a whole header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Its octets; the query begins after them.
    pub length: usize,
    /// Whose query it is; `None` where it is the front end's own, or of a family without addresses.
    pub source: Option<IpAddr>,
}

/// Not a header, one cut short, or one longer than [`HEADER_OCTETS_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// How long the whole header is that begins with these octets.
///
/// # Errors
/// [`Malformed`].
pub fn length(fixed: &[u8; FIXED_OCTETS]) -> Result<usize, Malformed> {
    let [signature @ .., version_command, family, high, low] = fixed;
    let length = FIXED_OCTETS + usize::from(u16::from_be_bytes([*high, *low]));
    let sound = *signature == SIGNATURE
        && matches!(version_command, 0x20 | 0x21)
        && family >> 4 <= 3
        && family & 0x0f <= 2
        && length <= HEADER_OCTETS_MAX;
    if sound { Ok(length) } else { Err(Malformed) }
}

/// Reads the header that `octets` begin with.
///
/// # Errors
/// [`Malformed`].
pub fn read(octets: &[u8]) -> Result<Header, Malformed> {
    let fixed: &[u8; FIXED_OCTETS] = octets.first_chunk().ok_or(Malformed)?;
    let length = length(fixed)?;
    let addresses = octets.get(FIXED_OCTETS..length).ok_or(Malformed)?;
    let [.., version_command, family, _, _] = fixed;
    let source = match (version_command & 0x0f, family >> 4) {
        // LOCAL: "the receiver must accept this connection as valid and must use the real endpoints".
        (0, _) => None,
        (_, 1) if addresses.len() >= 12 => {
            addresses.first_chunk::<4>().map(|&source| IpAddr::V4(Ipv4Addr::from(source)))
        }
        (_, 2) if addresses.len() >= 36 => {
            addresses.first_chunk::<16>().map(|&source| IpAddr::V6(Ipv6Addr::from(source)))
        }
        (_, 1 | 2) => return Err(Malformed),
        // Unspecified, or UNIX sockets: no address that means anything here.
        _ => None,
    };
    Ok(Header { length, source: source.map(|source| source.to_canonical()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A header of `version_command` and `family` over `rest`.
    fn header(version_command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let length = u16::try_from(rest.len()).expect("a short rest");
        [&SIGNATURE[..], &[version_command, family], &length.to_be_bytes(), rest].concat()
    }

    const V4: [u8; 12] = [192, 0, 2, 1, 127, 0, 0, 1, 0x30, 0x39, 0, 53];

    fn v6() -> Vec<u8> {
        let [source, destination] = ["2001:db8::1", "::1"].map(|text| text.parse::<Ipv6Addr>().expect(text).octets());
        [&source[..], &destination, &[0x30, 0x39, 0, 53]].concat()
    }

    #[test]
    fn headers_are_read() {
        let check = |octets: &[u8], expected: Option<&str>| {
            let source = expected.map(|text| text.parse().expect("an address"));
            let with_query = [octets, b"the query"].concat();
            assert_eq!(read(&with_query), Ok(Header { length: octets.len(), source }), "{octets:?}");
        };
        check(&header(0x21, 0x11, &V4), Some("192.0.2.1"));
        check(&header(0x21, 0x12, &V4), Some("192.0.2.1"));
        check(&header(0x21, 0x21, &v6()), Some("2001:db8::1"));
        check(&header(0x21, 0x22, &v6()), Some("2001:db8::1"));
        // Values behind the addresses are passed over.
        check(&header(0x21, 0x12, &[&V4[..], &[0xea, 0, 2, 7, 7]].concat()), Some("192.0.2.1"));
        check(&header(0x20, 0, &[]), None);
        check(&header(0x20, 0x11, &V4), None);
        check(&header(0x21, 0, &[1, 2, 3]), None);
        check(&header(0x21, 0x31, &[0; 216]), None);
        let mapped = "::ffff:192.0.2.9".parse::<Ipv6Addr>().expect("an address").octets();
        check(&header(0x21, 0x21, &[&mapped[..], &[0; 20]].concat()), Some("192.0.2.9"));
    }

    #[test]
    fn what_is_no_header_is_refused() {
        let check = |octets: &[u8]| assert_eq!(read(octets), Err(Malformed), "{octets:?}");
        let good = header(0x21, 0x11, &V4);
        (0..good.len()).for_each(|cut| check(&good[..cut]));
        for (at, octet) in [(0, b'X'), (11, 0), (12, 0x11), (12, 0x31), (12, 0x22), (13, 0x41), (13, 0x13)] {
            let mut bad = good.clone();
            bad[at] = octet;
            check(&bad);
        }
        check(&header(0x21, 0x11, &V4[..11]));
        check(&header(0x21, 0x21, &v6()[..35]));
        check(&header(0x21, 0x11, &[0; HEADER_OCTETS_MAX]));
        check(b"PROXY TCP4 192.0.2.1 127.0.0.1 12345 53\r\n");
        proptest::proptest!(|(octets: Vec<u8>)| { let _ = read(&octets); });
    }

    #[test]
    fn only_listed_networks_are_front_ends() {
        let fronts =
            FrontEnds::new(["192.0.2.0/24", "2001:db8::1/128"].map(|text| Network::parse(text).expect(text)).to_vec());
        let check = |address: &str, expected| {
            assert_eq!(fronts.include(address.parse().expect(address)), expected, "{address}");
        };
        check("192.0.2.7", true);
        check("192.0.3.7", false);
        check("2001:db8::1", true);
        check("2001:db8::2", false);
        check("::1", false);
    }
}
