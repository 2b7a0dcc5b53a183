//! Networks as operators write them, and the IPv4 address inside an IPv6 one.
//!
//! A client that reaches us through a translator or a tunnel comes with an IPv6 address that carries an IPv4 one;
//! what is known of it is known of the IPv4 one, so lookups and rules fold to that. Knows no place and no class.
//!
//! Sources: RFC 4291 §2.5.5.2 (mapped), RFC 7915 and RFC 2765 (SIIT), RFC 6052 (64:ff9b::/96), RFC 3056 (6to4),
//! RFC 4380 §4 (Teredo, the client's address inverted).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::Fault;

/// A block of IPv6 addresses that carry IPv4 ones.
struct Form {
    name: &'static str,
    base: u128,
    /// Length of the block's own prefix.
    prefix: u8,
    /// Bits before the IPv4 address.
    offset: u8,
    /// Whether the IPv4 address stands there with every bit turned.
    inverted: bool,
}

/// The blocks that are folded. Disjoint.
const FORMS: [Form; 5] = [
    Form { name: "IPv4-mapped", base: 0xffff_0000_0000, prefix: 96, offset: 96, inverted: false },
    Form { name: "SIIT", base: 0xffff_0000_0000_0000, prefix: 96, offset: 96, inverted: false },
    Form { name: "NAT64", base: 0x0064_ff9b << 96, prefix: 96, offset: 96, inverted: false },
    Form { name: "6to4", base: 0x2002 << 112, prefix: 16, offset: 16, inverted: false },
    Form { name: "Teredo", base: 0x2001_0000 << 96, prefix: 32, offset: 96, inverted: true },
];

/// Where an address is looked up. Made once for a client, however many pools ask for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Folded {
    /// It is an IPv4 address, or carries one: the first `bits` of that are the first `offset + bits` of it.
    V4 {
        /// That one.
        address: u32,
        /// Bits of an IPv6 address before it; 0 of an IPv4 address.
        offset: u8,
    },
    /// It is itself. A block of fewer than `bits_min` bits around it would take in addresses that are looked up as
    /// IPv4, so nothing may be said of such a block from what is known of this address.
    V6 {
        /// The address.
        address: u128,
        /// From 1 to 97.
        bits_min: u8,
    },
}

impl From<IpAddr> for Folded {
    fn from(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(v4) => Self::V4 { address: v4.to_bits(), offset: 0 },
            IpAddr::V6(v6) => Self::of_v6(v6.to_bits()),
        }
    }
}

impl Folded {
    /// The address that is looked up.
    pub fn address(self) -> IpAddr {
        match self {
            Self::V4 { address, .. } => IpAddr::V4(Ipv4Addr::from_bits(address)),
            Self::V6 { address, .. } => IpAddr::V6(Ipv6Addr::from_bits(address)),
        }
    }

    /// Folds an IPv6 address to the IPv4 one that it carries.
    fn of_v6(address: u128) -> Self {
        let mut bits_min = 0;
        for form in &FORMS {
            let common = leading_zeros(address ^ form.base);
            if common >= form.prefix {
                let carried = (address >> (96 - form.offset)) as u32;
                return Self::V4 { address: if form.inverted { !carried } else { carried }, offset: form.offset };
            }
            bits_min = bits_min.max(common + 1);
        }
        Self::V6 { address, bits_min }
    }
}

/// By halves: of two addresses the first nearly always differ, and one half takes a third of the instructions of the whole.
fn leading_zeros(difference: u128) -> u8 {
    let (high, low) = ((difference >> 64) as u64, difference as u64);
    // At most 128.
    (if high == 0 { 64 + low.leading_zeros() } else { high.leading_zeros() }) as u8
}

/// A block of addresses. IPv6 blocks that carry IPv4 are held as the IPv4 block, so that equal networks are equal
/// however they were written. Ordered by first address, wider before narrower; IPv4 stands at `::ffff:0:0/96`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Network {
    // Octets rather than a u128, whose alignment would double the size of a claim: a million of them are held.
    address: [u8; 16],
    prefix: u8,
}

const MAPPED: u128 = FORMS[0].base;

/// The addresses of a [`Network`] in its own family, first and last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Span {
    /// IPv4.
    V4(u32, u32),
    /// IPv6.
    V6(u128, u128),
}

impl Network {
    /// Reads `203.0.113.0/24` or `2001:db8::/32`.
    ///
    /// # Errors
    /// What is no network, a prefix longer than the address, bits set behind the prefix, and IPv6 blocks whose
    /// addresses are looked up as IPv4 but that are no IPv4 block: each with what would be right.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let Some((address_text, prefix_text)) = text.split_once('/') else {
            return Err(match text.parse::<IpAddr>() {
                Ok(address) => Fault::new(format!("`{text}` has no prefix length"))
                    .help(format!("one address alone is `{address}/{}`", if address.is_ipv4() { 32 } else { 128 })),
                Err(_) => not_a_network(text),
            });
        };
        let address: IpAddr = address_text.parse().map_err(|_| not_a_network(text))?;
        let bits_max = if address.is_ipv4() { 32 } else { 128 };
        let digits_only = prefix_text.bytes().all(|octet| octet.is_ascii_digit());
        let prefix = prefix_text.parse::<u8>().ok().filter(|&prefix| digits_only && prefix <= bits_max);
        let Some(prefix) = prefix else {
            return Err(Fault::new(format!("the prefix length of `{text}` is not from 0 to {bits_max}")));
        };
        let network = Self::of(address, prefix)?;
        let masked = mask(as_u128(address), unified(address, prefix));
        if masked != as_u128(address) {
            let network = format!("{}/{prefix}", shown(masked, address.is_ipv4()));
            return Err(Fault::new(format!("`{text}` has bits set behind its prefix"))
                .help(format!("the network is `{network}`, the address alone `{address}/{bits_max}`")));
        }
        Ok(network)
    }

    /// The network of `prefix` bits around `address`; bits behind the prefix are dropped.
    ///
    /// # Errors
    /// A prefix longer than the address, and IPv6 blocks as for [`Network::parse`].
    pub fn of(address: IpAddr, prefix: u8) -> Result<Self, Fault> {
        let bits_max = if address.is_ipv4() { 32 } else { 128 };
        if prefix > bits_max {
            return Err(Fault::new(format!("the prefix length {prefix} is over {bits_max}")));
        }
        let unified = unified(address, prefix);
        let bits = mask(as_u128(address), unified);
        if address.is_ipv6()
            && let Some(form) =
                FORMS.iter().find(|form| unified >= form.prefix && leading_zeros(bits ^ form.base) >= form.prefix)
        {
            let Some(prefix) = unified.checked_sub(form.offset).filter(|&prefix| prefix <= 32 && !form.inverted) else {
                return Err(Fault::new(format!(
                    "`{}/{prefix}` is a part of {} space, where clients are known by their IPv4 address",
                    Ipv6Addr::from(bits),
                    form.name
                ))
                .help("write the IPv4 network itself"));
            };
            let carried = Ipv4Addr::from((bits >> (96 - form.offset)) as u32);
            return Self::of(IpAddr::V4(carried), prefix);
        }
        Ok(Self { address: bits.to_be_bytes(), prefix: unified })
    }

    /// First and last address.
    pub fn span(&self) -> Span {
        let first = u128::from_be_bytes(self.address);
        let last = first | u128::MAX.checked_shr(u32::from(self.prefix)).unwrap_or(0);
        if self.is_ipv4() { Span::V4(first as u32, last as u32) } else { Span::V6(first, last) }
    }

    /// Whether `address` is in it. Families are kept apart: `::/0` has no IPv4 address.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.is_ipv4() && mask(as_u128(address), self.prefix) == u128::from_be_bytes(self.address)
    }

    /// Whether its clients are known by IPv4 addresses.
    pub fn is_ipv4(&self) -> bool {
        self.prefix >= 96 && u128::from_be_bytes(self.address) >> 32 == MAPPED >> 32
    }
}

/// As it would be written; what carries IPv4 as the IPv4 network.
impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let prefix = if self.is_ipv4() { self.prefix - 96 } else { self.prefix };
        write!(f, "{}/{prefix}", shown(u128::from_be_bytes(self.address), self.is_ipv4()))
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn not_a_network(text: &str) -> Fault {
    Fault::new(format!("`{text}` is not a network")).help("write `203.0.113.0/24` or `2001:db8::/32`")
}

fn as_u128(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => MAPPED | u128::from(address.to_bits()),
        IpAddr::V6(address) => address.to_bits(),
    }
}

/// The prefix length as of an IPv6 address.
fn unified(address: IpAddr, prefix: u8) -> u8 {
    if address.is_ipv4() { prefix.saturating_add(96) } else { prefix }
}

fn mask(address: u128, prefix: u8) -> u128 {
    address & !u128::MAX.checked_shr(u32::from(prefix)).unwrap_or(0)
}

fn shown(bits: u128, ipv4: bool) -> IpAddr {
    if ipv4 { Ipv4Addr::from_bits(bits as u32).into() } else { Ipv6Addr::from_bits(bits).into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_read_and_written() {
        let check = |text: &str, expected: &str| {
            let network = Network::parse(text).expect(text);
            assert_eq!(network.to_string(), expected);
            assert_eq!(Network::parse(expected), Ok(network), "{expected} reads as it was written");
        };
        for text in
            ["203.0.113.0/24", "0.0.0.0/0", "192.0.2.1/32", "2001:db8::/32", "::/0", "2001:db8::1/128", "2000::/3"]
        {
            check(text, text);
        }
        check("::ffff:192.0.2.0/120", "192.0.2.0/24");
        check("::ffff:0:0/96", "0.0.0.0/0");
        check("::ffff:0:c000:200/120", "192.0.2.0/24");
        check("64:ff9b::192.0.2.0/120", "192.0.2.0/24");
        check("2002:c000:200::/40", "192.0.2.0/24");
        check("2002:c000:201::/48", "192.0.2.1/32");
        check("2001::/16", "2001::/16");
        check("64:ff9b::/32", "64:ff9b::/32");
    }

    #[test]
    fn an_address_is_within_or_without() {
        let check = |network: &str, address: &str, expected: bool| {
            let got = Network::parse(network).expect(network).contains(address.parse().expect("an address"));
            assert_eq!(got, expected, "{address} in {network}");
        };
        check("192.0.2.0/24", "192.0.2.255", true);
        check("192.0.2.0/24", "192.0.3.0", false);
        check("192.0.2.0/24", "::ffff:192.0.2.1", true);
        check("192.0.2.1/32", "192.0.2.1", true);
        check("192.0.2.1/32", "192.0.2.2", false);
        check("0.0.0.0/0", "203.0.113.9", true);
        check("0.0.0.0/0", "2001:db8::1", false);
        check("2001:db8::/32", "2001:db8:ffff::1", true);
        check("2001:db8::/32", "2001:db9::1", false);
        check("2001:db8::1/128", "2001:db8::1", true);
    }

    #[test]
    fn what_is_no_network_says_what_would_be_right() {
        let check = |text: &str, expected: &str| {
            assert_eq!(Network::parse(text).expect_err(text).to_string(), expected);
        };
        check(
            "203.0.113.7/24",
            "`203.0.113.7/24` has bits set behind its prefix (the network is `203.0.113.0/24`, the address alone \
             `203.0.113.7/32`)",
        );
        check(
            "2001:db8::1/32",
            "`2001:db8::1/32` has bits set behind its prefix (the network is `2001:db8::/32`, the address alone \
             `2001:db8::1/128`)",
        );
        check("203.0.113.0/33", "the prefix length of `203.0.113.0/33` is not from 0 to 32");
        check("2001:db8::/129", "the prefix length of `2001:db8::/129` is not from 0 to 128");
        check("203.0.113.0/+8", "the prefix length of `203.0.113.0/+8` is not from 0 to 32");
        check("203.0.113.0/", "the prefix length of `203.0.113.0/` is not from 0 to 32");
        check("192.0.2.1", "`192.0.2.1` has no prefix length (one address alone is `192.0.2.1/32`)");
        check("2001:db8::1", "`2001:db8::1` has no prefix length (one address alone is `2001:db8::1/128`)");
        check("192.0.2/24", "`192.0.2/24` is not a network (write `203.0.113.0/24` or `2001:db8::/32`)");
        check("", "`` is not a network (write `203.0.113.0/24` or `2001:db8::/32`)");
        check(
            "2002:c000:201:1::/64",
            "`2002:c000:201:1::/64` is a part of 6to4 space, where clients are known by their IPv4 address (write \
             the IPv4 network itself)",
        );
        check(
            "2001::/32",
            "`2001::/32` is a part of Teredo space, where clients are known by their IPv4 address (write the IPv4 \
             network itself)",
        );
    }

    #[test]
    fn a_carried_address_is_looked_up_as_ipv4() {
        let check = |text: &str, expected: Folded| {
            assert_eq!(Folded::from(text.parse::<IpAddr>().expect(text)), expected, "{text}");
        };
        let itself = |text: &str, bits_min| {
            let address = text.parse::<Ipv6Addr>().expect(text).to_bits();
            check(text, Folded::V6 { address, bits_min });
        };
        let address = 0xc000_0201;
        check("192.0.2.1", Folded::V4 { address, offset: 0 });
        check("::ffff:192.0.2.1", Folded::V4 { address, offset: 96 });
        check("::ffff:0:192.0.2.1", Folded::V4 { address, offset: 96 });
        check("64:ff9b::192.0.2.1", Folded::V4 { address, offset: 96 });
        check("2002:c000:201:5::9", Folded::V4 { address, offset: 16 });
        check("2001:0:1234:5678:0:ffff:3fff:fdfe", Folded::V4 { address, offset: 96 });
        itself("2001:db8::1", 21);
        itself("2600::", 6);
        itself("64:ff9b:1::192.0.2.1", 48);
        itself("::192.0.2.1", 81);
        itself("fd00::1", 1);
    }

    #[test]
    fn a_span_is_first_and_last() {
        let check = |text: &str, expected| assert_eq!(Network::parse(text).expect(text).span(), expected);
        check("203.0.113.0/24", Span::V4(0xcb00_7100, 0xcb00_71ff));
        check("0.0.0.0/0", Span::V4(0, u32::MAX));
        check("192.0.2.1/32", Span::V4(0xc000_0201, 0xc000_0201));
        check("::/0", Span::V6(0, u128::MAX));
        check("2001:db8::1/128", Span::V6(0x2001_0db8 << 96 | 1, 0x2001_0db8 << 96 | 1));
    }
}
