//! Who a choice is made for: an address, and how much of it is known.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The most bits of an IPv4 address that any answer depends on, and the most that is ever announced as a scope:
/// what public resolvers cache by (RFC 7871 §11.1).
pub const SCOPE_V4_MAX: u8 = 24;

/// The same of an IPv6 address.
pub const SCOPE_V6_MAX: u8 = 56;

/// The client of a query: the subnet that its resolver told, or else the resolver itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Client {
    /// Cut to [`SCOPE_V4_MAX`] or [`SCOPE_V6_MAX`] bits: what lies behind them never counts.
    address: IpAddr,
}

impl Client {
    /// The client at `address`.
    pub fn new(address: IpAddr) -> Self {
        Self { address: network(address, SCOPE_V4_MAX, SCOPE_V6_MAX) }
    }

    /// Its address, zeroes behind the bits that count.
    pub fn address(&self) -> IpAddr {
        self.address
    }

    /// The most that an answer to it can depend on.
    pub fn scope_max(&self) -> u8 {
        match self.address {
            IpAddr::V4(_) => SCOPE_V4_MAX,
            IpAddr::V6(_) => SCOPE_V6_MAX,
        }
    }
}

/// `address` with all but its first bits cleared.
pub(super) fn network(address: IpAddr, v4_bits: u8, v6_bits: u8) -> IpAddr {
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(v4_bits.min(32))).unwrap_or(0);
            IpAddr::V4(Ipv4Addr::from_bits(v4.to_bits() & mask))
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(v6_bits.min(128))).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & mask))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_behind_the_scope_is_cut() {
        let check = |address: &str, v4_bits, v6_bits, expected: &str| {
            let address: IpAddr = address.parse().expect("an address");
            assert_eq!(network(address, v4_bits, v6_bits).to_string(), expected);
        };
        check("192.0.2.77", 24, 56, "192.0.2.0");
        check("192.0.2.77", 0, 0, "0.0.0.0");
        check("192.0.2.77", 32, 56, "192.0.2.77");
        check("2001:db8:1:2ff:3::4", 24, 56, "2001:db8:1:200::");
        check("2001:db8::1", 24, 0, "::");
        check("2001:db8::1", 24, 128, "2001:db8::1");
    }
}
