//! Who the answer is for: the subnet that the resolver told, or the resolver (RFC 7871 §7.1, §7.2).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::Peer;
use crate::geo::Folded;
use crate::policy::Client;
use crate::wire::ecs::Subnet;
use crate::wire::option::Malformed;

/// Who asked, and what of its client it told. Who that makes the client is worked out where an answer depends on it:
/// most do not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Asker {
    source: IpAddr,
    told: Told,
    /// Where it told a subnet that can be located, its address and how that is looked up; otherwise without a meaning. Apart
    /// from what was told, which is handed around by itself.
    subnet: (IpAddr, Folded),
}

/// What a resolver told of its client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// No option.
    Nothing,
    /// A subnet that can be located; its scope is what the answer depended on.
    Subnet,
    /// A subnet that nobody can locate: private, loopback, reserved. The answer is for the resolver, and is
    /// announced for no more than that subnet.
    Useless {
        /// Bits of the subnet.
        source: u8,
    },
    /// That nothing is to be told (source 0): the answer goes for everybody (§7.1.2).
    OptedOut,
}

impl Asker {
    /// One who tells nothing.
    pub(super) fn of(peer: Peer) -> Self {
        let nobody = (IpAddr::V4(Ipv4Addr::UNSPECIFIED), Folded::V4 { address: 0, offset: 0 });
        Self { source: peer.address, told: Told::Nothing, subnet: nobody }
    }

    /// Takes in what a client subnet option with this `data` tells.
    ///
    /// # Errors
    /// One that is to be answered with FORMERR.
    pub(super) fn tell(&mut self, data: &[u8]) -> Result<(), Malformed> {
        let Subnet { address, bits: source } = Subnet::read(data)?;
        self.told = match address {
            None => Told::OptedOut,
            Some(address) => {
                let folded = Folded::from(address);
                self.subnet = (address, folded);
                if is_locatable(folded) { Told::Subnet } else { Told::Useless { source } }
            }
        };
        Ok(())
    }

    /// The client where names do not heed its subnet: the resolver.
    pub(super) fn resolver(&self) -> Client {
        Client::asking_from(self.source.to_canonical())
    }

    /// The client where names heed its subnet, and what may be announced of it.
    pub(super) fn client(&self) -> (Client, Told) {
        let client = match self.told {
            Told::Subnet => Client::of_subnet(self.subnet.0, self.subnet.1),
            Told::Nothing | Told::Useless { .. } | Told::OptedOut => self.resolver(),
        };
        (client, self.told)
    }

    /// What the resolver told.
    pub(super) fn told(&self) -> Told {
        self.told
    }
}

impl Told {
    /// The scope to announce for an answer that depended on so many bits of the client, or on none.
    pub(super) fn scope(self, depended: u8) -> u8 {
        match self {
            Self::Nothing | Self::OptedOut => 0,
            Self::Subnet => depended,
            Self::Useless { .. } if depended == 0 => 0,
            Self::Useless { source } => source,
        }
    }
}

/// Whether an address is of the public Internet, so that a place can be known of it. Public resolvers are known
/// to pass private subnets on. The documentation prefixes are allowed: operators try their rules with them.
/// IPv4 in IPv6 is judged as IPv4; where the subnet ends before it, that is 0.0.0.0, or its inverse.
fn is_locatable(address: Folded) -> bool {
    match address {
        Folded::V4 { address, .. } => {
            let v4 = Ipv4Addr::from_bits(address);
            let [a, b, ..] = v4.octets();
            let shared = a == 100 && b & 0xc0 == 64; // RFC 6598
            let reserved = a == 0 || a >= 224; // RFC 1122 §3.2.1.3, RFC 1112
            !(v4.is_private()
                || v4.is_loopback()
                || v4.is_link_local()
                || shared
                || reserved
                || v4 == Ipv4Addr::BROADCAST)
        }
        Folded::V6 { address, .. } => {
            let v6 = Ipv6Addr::from_bits(address);
            let [first, ..] = v6.segments();
            let local = first & 0xfe00 == 0xfc00 || first & 0xffc0 == 0xfe80; // RFC 4193, RFC 4291 §2.5.6
            !(v6 == Ipv6Addr::LOCALHOST || v6 == Ipv6Addr::UNSPECIFIED || v6.is_multicast() || local)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn useless_subnets_are_told_apart() {
        let check = |address: &str, expected: bool| {
            let folded = Folded::from(address.parse::<IpAddr>().expect("an address"));
            assert_eq!(is_locatable(folded), expected, "{address}");
        };
        for address in
            ["192.0.2.0", "203.0.113.0", "8.0.0.0", "172.32.0.0", "100.128.0.0", "2001:db8::", "64:ff9b::808:808"]
        {
            check(address, true);
        }
        for address in ["10.0.0.0", "172.16.0.0", "192.168.1.0", "127.0.0.0", "169.254.0.0", "100.64.0.0", "0.0.0.0"] {
            check(address, false);
        }
        for address in ["224.0.0.0", "255.255.255.255", "::", "::1", "fe80::", "fd00::", "ff02::", "::ffff:10.0.0.0"] {
            check(address, false);
        }
        for address in ["64:ff9b::", "64:ff9b::10.0.0.0", "2002::", "2002:7f00::", "2001::"] {
            check(address, false);
        }
    }
}
