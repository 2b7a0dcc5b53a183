//! Who a choice is made for: an address, and how much of it is known.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::geo::Folded;

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
    /// The same, to be looked up.
    folded: Folded,
    scope_max: u8,
}

impl Client {
    /// Whoever asks from `address`, known to its last bit: nobody caches the answer by a part of it.
    pub fn asking_from(address: IpAddr) -> Self {
        Self { address, folded: address.into(), scope_max: if address.is_ipv4() { 32 } else { 128 } }
    }

    /// A client in the subnet that was told, of which `address` is the first address.
    pub fn within(address: IpAddr) -> Self {
        Self::of_subnet(address, address.into())
    }

    /// The same of an address that was folded before.
    pub fn of_subnet(address: IpAddr, folded: Folded) -> Self {
        match (address, folded) {
            (IpAddr::V6(_), Folded::V6 { address, bits_min }) => {
                // Cut any shorter, it would look as if it carried an IPv4 address.
                let scope_max = SCOPE_V6_MAX.max(bits_min);
                let address = address & mask_v6(scope_max);
                let folded = Folded::V6 { address, bits_min };
                Self { address: IpAddr::V6(Ipv6Addr::from_bits(address)), folded, scope_max }
            }
            (IpAddr::V6(v6), Folded::V4 { address: carried, offset }) => {
                let scope_max = offset + SCOPE_V4_MAX;
                let cut = v6.to_bits() & mask_v6(scope_max);
                // Teredo turns every bit: there ones are zeroes.
                let is_turned = (v6.to_bits() >> (96 - offset)) as u32 != carried;
                let cut = cut | if is_turned { 0xff << (96 - offset) } else { 0 };
                let folded = Folded::V4 { address: carried & mask_v4(SCOPE_V4_MAX), offset };
                Self { address: IpAddr::V6(Ipv6Addr::from_bits(cut)), folded, scope_max }
            }
            (IpAddr::V4(v4), _) => {
                let address = v4.to_bits() & mask_v4(SCOPE_V4_MAX);
                let folded = Folded::V4 { address, offset: 0 };
                Self { address: IpAddr::V4(Ipv4Addr::from_bits(address)), folded, scope_max: SCOPE_V4_MAX }
            }
        }
    }

    /// Its address; behind the bits that count, of it or of the IPv4 address that it carries, all are zero.
    pub fn address(&self) -> IpAddr {
        self.address
    }

    /// The same, to be looked up.
    pub fn folded(&self) -> Folded {
        self.folded
    }

    /// The most that an answer to it can depend on.
    pub fn scope_max(&self) -> u8 {
        self.scope_max
    }
}

/// The first `bits` of an IPv4 address.
pub(super) fn mask_v4(bits: u8) -> u32 {
    u32::MAX.checked_shl(32_u32.saturating_sub(bits.into())).unwrap_or(0)
}

/// The first `bits` of an IPv6 address.
pub(super) fn mask_v6(bits: u8) -> u128 {
    u128::MAX.checked_shl(128_u32.saturating_sub(bits.into())).unwrap_or(0)
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
    fn a_mask_keeps_the_first_bits() {
        for (bits, expected) in [(0, 0), (1, 1 << 31), (24, 0xffff_ff00), (32, u32::MAX), (56, u32::MAX)] {
            assert_eq!(mask_v4(bits), expected, "/{bits}");
        }
        for (bits, expected) in [(0, 0), (56, 0xff_ffff_ffff_ffff << 72), (128, u128::MAX), (255, u128::MAX)] {
            assert_eq!(mask_v6(bits), expected, "/{bits}");
        }
    }
}
