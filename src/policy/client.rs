//! Who a choice is made for: an address, and how much of it is known.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::geo::{Folded, fold};

/// The most bits of an IPv4 client subnet that any answer depends on, and the most that is ever announced as a scope:
/// what public resolvers cache by (RFC 7871 §11.1).
pub const SCOPE_V4_MAX: u8 = 24;

/// The same of an IPv6 one. One that carries an IPv4 address counts up to [`SCOPE_V4_MAX`] bits of that, wherever
/// it stands.
pub const SCOPE_V6_MAX: u8 = 56;

/// The client of a query: the subnet that its resolver told, or else the resolver itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Client {
    /// Cut to `scope_max` bits: what lies behind them never counts.
    address: IpAddr,
    scope_max: u8,
}

impl Client {
    /// Whoever asks from `address`, known to its last bit: nobody caches the answer by a part of it.
    pub fn asking_from(address: IpAddr) -> Self {
        Self { address, scope_max: if address.is_ipv4() { 32 } else { 128 } }
    }

    /// A client in the subnet that was told, of which `address` is the first address.
    pub fn within(address: IpAddr) -> Self {
        let scope_max = match address {
            IpAddr::V4(_) => SCOPE_V4_MAX,
            IpAddr::V6(v6) => match fold(v6.to_bits()) {
                Folded::V4 { offset, .. } => offset + SCOPE_V4_MAX,
                // Cut any shorter, it would look as if it carried one.
                Folded::V6 { bits_min } => SCOPE_V6_MAX.max(bits_min),
            },
        };
        let mut address = network(address, scope_max, scope_max);
        if let IpAddr::V6(v6) = &mut address
            && let Folded::V4 { address: carried, offset } = fold(v6.to_bits())
            && carried & 0xff != 0
        {
            // Teredo turns every bit: here ones are zeroes.
            *v6 = Ipv6Addr::from_bits(v6.to_bits() | 0xff << (96 - offset));
        }
        Self { address, scope_max }
    }

    /// Its address; behind the bits that count, of it or of the IPv4 address that it carries, all are zero.
    pub fn address(&self) -> IpAddr {
        self.address
    }

    /// The most that an answer to it can depend on.
    pub fn scope_max(&self) -> u8 {
        self.scope_max
    }
}

/// The IPv4 address that an IPv6 one carries; any other as it is.
pub fn carried(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) => match fold(v6.to_bits()) {
            Folded::V4 { address, .. } => IpAddr::V4(Ipv4Addr::from_bits(address)),
            Folded::V6 { .. } => address,
        },
        IpAddr::V4(_) => address,
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
    fn what_carries_ipv4_counts_as_far_as_ipv4_does() {
        let check = |address: &str, expected: &str, scope_max: u8| {
            let client = Client::within(address.parse().expect("an address"));
            assert_eq!((client.address().to_string().as_str(), client.scope_max()), (expected, scope_max), "{address}");
        };
        check("192.0.2.77", "192.0.2.0", 24);
        check("2001:db8:1:2ff:3::4", "2001:db8:1:200::", 56);
        check("64:ff9b::192.0.2.77", "64:ff9b::c000:200", 120);
        check("::ffff:192.0.2.77", "::ffff:192.0.2.0", 120);
        check("::ffff:0:192.0.2.77", "::ffff:0:c000:200", 120);
        check("2001:0:1:2:3:4:3fff:fdb2", "2001:0:1:2:3:4:3fff:fdff", 120);
        check("2002:c000:24d::1", "2002:c000:200::", 40);
        // Beside such a block, as far as it takes to be told from it.
        check("64:ff9b:0:0:1::1", "64:ff9b:0:0:1::", 80);
        check("64:ff9b:1::1", "64:ff9b:1::", 56);
    }

    #[test]
    fn who_asks_is_known_to_the_last_bit() {
        let check = |address: &str, scope_max: u8| {
            let address = address.parse().expect("an address");
            let client = Client::asking_from(address);
            assert_eq!((client.address(), client.scope_max()), (address, scope_max));
        };
        check("192.0.2.77", 32);
        check("2001:db8:1:2ff:3::4", 128);
        check("64:ff9b::192.0.2.77", 128);
    }

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
