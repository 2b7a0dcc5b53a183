//! The client's subnet, as a resolver tells it (RFC 7871 §6).
//!
//! ```text
//! FAMILY 16 | SOURCE PREFIX-LENGTH 8 | SCOPE PREFIX-LENGTH 8 | ADDRESS, as many octets as the source takes
//! ```

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::option::Malformed;

/// Octets before the address.
const FIXED_OCTETS: usize = 4;

/// Where the scope stands in the option's data.
pub const SCOPE_AT: usize = 3;

/// What a resolver says of its client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subnet {
    /// The network's address, zeroes behind the prefix; `None` when nothing is said (source 0).
    pub address: Option<IpAddr>,
    /// How many bits of it are known: 1 to 32 or 128, or 0.
    pub bits: u8,
}

impl Subnet {
    /// Reads the data of an ECS option in a query.
    ///
    /// # Errors
    /// A scope that is not 0, a source longer than its family's addresses, an address that is not as long as the
    /// source says or has bits beyond it, or an unknown family that says anything at all.
    pub fn read(data: &[u8]) -> Result<Self, Malformed> {
        let (&[f, g, bits, scope], address) = data.split_first_chunk::<FIXED_OCTETS>().ok_or(Malformed)?;
        if scope != 0 || address.len() != usize::from(bits).div_ceil(8) {
            return Err(Malformed);
        }
        let unused = address.len() * 8 - usize::from(bits);
        if address.last().is_some_and(|last| last.trailing_zeros() < unused as u32) {
            return Err(Malformed);
        }
        let mut octets = [0; 16];
        octets.get_mut(..address.len()).ok_or(Malformed)?.copy_from_slice(address);
        let address = match (u16::from_be_bytes([f, g]), bits) {
            (_, 0) => None,
            (1, ..=32) => octets.first_chunk::<4>().map(|&octets| IpAddr::V4(Ipv4Addr::from(octets))),
            (2, ..=128) => Some(IpAddr::V6(Ipv6Addr::from(octets))),
            _ => return Err(Malformed),
        };
        Ok(Self { address, bits })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn subnets_are_read_strictly() {
        let check = |data: &[u8], expected: Result<(&str, u8), Malformed>| {
            let expected = expected.map(|(address, bits)| Subnet { address: address.parse().ok(), bits });
            assert_eq!(Subnet::read(data), expected, "{data:?}");
        };
        check(&[0, 1, 24, 0, 192, 0, 2], Ok(("192.0.2.0", 24)));
        check(&[0, 1, 20, 0, 192, 0, 0xf0], Ok(("192.0.240.0", 20)));
        check(&[0, 1, 32, 0, 192, 0, 2, 1], Ok(("192.0.2.1", 32)));
        check(&[0, 2, 56, 0, 0x20, 1, 0x0d, 0xb8, 0, 0, 1], Ok(("2001:db8:0:100::", 56)));
        check(&[0, 1, 0, 0], Ok(("", 0)));
        check(&[0, 9, 0, 0], Ok(("", 0)));
        // A scope in a query; a source too long; an address too short, too long, with bits beyond the source; an
        // unknown family that says something; less than the fixed part.
        check(&[0, 1, 24, 24, 192, 0, 2], Err(Malformed));
        check(&[0, 1, 33, 0, 192, 0, 2, 1, 0], Err(Malformed));
        check(&[0, 2, 129, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], Err(Malformed));
        check(&[0, 1, 24, 0, 192, 0], Err(Malformed));
        check(&[0, 1, 24, 0, 192, 0, 2, 0], Err(Malformed));
        check(&[0, 1, 20, 0, 192, 0, 0xf8], Err(Malformed));
        check(&[0, 3, 8, 0, 1], Err(Malformed));
        check(&[0, 1, 0], Err(Malformed));
        check(&[], Err(Malformed));
    }

    proptest! {
        #[test]
        fn reading_never_panics(data in proptest::collection::vec(any::<u8>(), 0..24)) {
            let _ = Subnet::read(&data);
        }
    }
}
