//! Rdata in wire form: whether it has the shape of its type, and where its names are.
//!
//! All rdata here is uncompressed. It knows the types only by their line in [`super::rtype`].
//!
//! Sources: RFC 1035 §3.3 and the RFC of each type; RFC 3597 §4 (which names may be compressed);
//! RFC 4034 §4.1.2 (type bitmaps); RFC 9460 §2.2 (service parameters).

use std::ops::Range;

use super::field::Kind;
use super::name::NAME_OCTETS_MAX;
use super::rtype::{Form, Rtype};

/// Whether `rdata` has the shape of its type. Rdata of a type that is opaque or unknown has any.
///
/// # Errors
/// The name of the field that is cut off or malformed, or what stands after the last field.
pub fn check(rtype: Rtype, rdata: &[u8]) -> Result<(), &'static str> {
    let Some(Form::Fields(fields)) = rtype.definition().map(|definition| definition.form) else { return Ok(()) };
    let (mut rest, mut before) = (rdata, None);
    for &(name, kind) in fields {
        let length = length(kind, rest).ok_or(name)?;
        let (field, after) = rest.split_at_checked(length).ok_or(name)?;
        if kind == Kind::Digest && !digest_fits(before, field.len()) {
            return Err(name);
        }
        before = field.first().map(|&octet| (kind, octet));
        rest = after;
    }
    if rest.is_empty() { Ok(()) } else { Err("end") }
}

/// Whether a digest of `length` octets fits the field before it. Types of digest that are not known fit any.
fn digest_fits(before: Option<(Kind, u8)>, length: usize) -> bool {
    digest_length(before).is_none_or(|expected| expected == length)
        // RFC 8976 §2.2.4: no ZONEMD digest is shorter than 12 octets.
        && !(matches!(before, Some((Kind::ZoneDigestType, _))) && length < 12)
}

/// The octets of a digest, given the field before it (RFC 4034, 4509, 5933, 6605; RFC 8976 §5.3; RFC 4255 §3.1.2,
/// RFC 6594).
pub fn digest_length(before: Option<(Kind, u8)>) -> Option<usize> {
    match before? {
        (Kind::DigestType | Kind::FingerprintType, 1) => Some(20),
        (Kind::DigestType, 2 | 3) | (Kind::FingerprintType, 2) => Some(32),
        (Kind::DigestType, 4) | (Kind::ZoneDigestType, 1) => Some(48),
        (Kind::ZoneDigestType, 2) => Some(64),
        _ => None,
    }
}

/// A name inside rdata.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RdataName {
    /// Where in the rdata it stands.
    pub at: Range<usize>,
    /// Whether a message may compress it (RFC 3597 §4).
    pub compressible: bool,
}

/// The names in `rdata`, in order, for compression and for additional records. Those inside IPSECKEY, AMTRELAY
/// and HIP are left out: no message may compress them and no additional record follows from them.
pub fn names(rtype: Rtype, rdata: &[u8]) -> impl Iterator<Item = RdataName> {
    let fields = match rtype.definition().map(|definition| definition.form) {
        Some(Form::Fields(fields)) => fields,
        _ => &[],
    };
    let mut at = 0;
    fields
        .iter()
        .map_while(move |&(_, kind)| {
            let start = at;
            at += length(kind, rdata.get(start..)?)?;
            let compressible = kind == Kind::CompressibleName;
            Some((compressible || kind == Kind::Name).then_some(RdataName { at: start..at, compressible }))
        })
        .flatten()
}

/// The octets that a field of `kind` takes from the front of `rest`; `None` when it is malformed. A fixed
/// length may be more than there is.
fn length(kind: Kind, rest: &[u8]) -> Option<usize> {
    let all = rest.len();
    match kind {
        Kind::CompressibleName | Kind::Name => name_length(rest),
        Kind::U8
        | Kind::Algorithm
        | Kind::DigestType
        | Kind::ZoneDigestType
        | Kind::FingerprintType
        | Kind::SyncScheme
        | Kind::Protocol => Some(1),
        Kind::U16 | Kind::CertificateType | Kind::Type => Some(2),
        Kind::U32 | Kind::Period | Kind::Time | Kind::Ip4 => Some(4),
        Kind::Eui48 => Some(6),
        Kind::Eui64 | Kind::Locator => Some(8),
        Kind::Ip6 => Some(16),
        Kind::CharStr | Kind::Salt => string_length(rest),
        Kind::Hash => string_length(rest).filter(|&length| length > 1),
        Kind::Tag => {
            let length = string_length(rest).filter(|&length| length > 1)?;
            rest.get(1..length)?.iter().all(u8::is_ascii_alphanumeric).then_some(length)
        }
        Kind::OptionalCharStr if all == 0 => Some(0),
        Kind::OptionalCharStr => string_length(rest),
        Kind::CharStrs => char_strs(rest).then_some(all),
        Kind::Text | Kind::OptionalBase64 => Some(all),
        Kind::Hex | Kind::Digest | Kind::Base64 | Kind::Nsap => (all > 0).then_some(all),
        Kind::Ports => (all <= 8192).then_some(all),
        Kind::Types => (all > 0 && types(rest)).then_some(all),
        Kind::OptionalTypes => types(rest).then_some(all),
        Kind::Location => (rest.first() == Some(&0)).then_some(16),
        Kind::Prefixes => prefixes(rest).then_some(all),
        Kind::Gateway => gateway(rest).then_some(all),
        Kind::Relay => relay(rest).then_some(all),
        Kind::HostIdentity => host_identity(rest).then_some(all),
        Kind::Parameters => parameters(rest).then_some(all),
    }
}

fn name_length(octets: &[u8]) -> Option<usize> {
    let mut at = 0;
    while at < NAME_OCTETS_MAX {
        match octets.get(at)? {
            0 => return Some(at + 1),
            &label @ 1..=63 => at += 1 + usize::from(label),
            _ => return None,
        }
    }
    None
}

fn string_length(octets: &[u8]) -> Option<usize> {
    let length = 1 + usize::from(*octets.first()?);
    (length <= octets.len()).then_some(length)
}

fn char_strs(mut rest: &[u8]) -> bool {
    if rest.is_empty() {
        return false;
    }
    while let Some(length) = string_length(rest) {
        rest = rest.get(length..).unwrap_or_default();
    }
    rest.is_empty()
}

/// Windows in ascending order, 1 to 32 octets each, the last octet of each not 0 (RFC 4034 §4.1.2).
fn types(mut rest: &[u8]) -> bool {
    let mut window_least = 0_u16;
    while let [window, length, after @ ..] = rest {
        let Some((bits, next)) = after.split_at_checked(usize::from(*length)) else { return false };
        if u16::from(*window) < window_least || *length > 32 || bits.last().is_none_or(|&octet| octet == 0) {
            return false;
        }
        window_least = u16::from(*window) + 1;
        rest = next;
    }
    rest.is_empty()
}

fn prefixes(mut rest: &[u8]) -> bool {
    while let [family_high, family_low, prefix, flag_length, after @ ..] = rest {
        let length = usize::from(flag_length & 0x7f);
        let fits = match u16::from_be_bytes([*family_high, *family_low]) {
            1 => *prefix <= 32 && length <= 4,
            2 => *prefix <= 128 && length <= 16,
            _ => true,
        };
        let Some((address, next)) = after.split_at_checked(length) else { return false };
        if !fits || address.last() == Some(&0) {
            return false;
        }
        rest = next;
    }
    rest.is_empty()
}

fn gateway(rest: &[u8]) -> bool {
    let [kind, algorithm, after @ ..] = rest else { return false };
    let Some(length) = endpoint_length(*kind, after) else { return false };
    // RFC 4025 §2.4: algorithm 0 says that there is no key.
    after.len().checked_sub(length).is_some_and(|key| (key == 0) == (*algorithm == 0))
}

fn relay(rest: &[u8]) -> bool {
    let [kind, after @ ..] = rest else { return false };
    endpoint_length(kind & 0x7f, after) == Some(after.len())
}

/// The octets of a gateway or relay of type 0 none, 1 IPv4, 2 IPv6, 3 name.
fn endpoint_length(kind: u8, octets: &[u8]) -> Option<usize> {
    match kind {
        0 => Some(0),
        1 => Some(4),
        2 => Some(16),
        3 => name_length(octets),
        _ => None,
    }
}

fn host_identity(rest: &[u8]) -> bool {
    let [tag_length, _, key_high, key_low, after @ ..] = rest else { return false };
    let (tag, key) = (usize::from(*tag_length), usize::from(u16::from_be_bytes([*key_high, *key_low])));
    let Some(mut servers) = after.get(tag + key..).filter(|_| tag > 0 && key > 0) else { return false };
    while let Some(length) = name_length(servers).filter(|&length| length <= servers.len()) {
        servers = servers.get(length..).unwrap_or_default();
    }
    servers.is_empty()
}

fn parameters(mut rest: &[u8]) -> bool {
    let (mut key_least, mut mandatory, mut alpn): (u32, &[u8], bool) = (0, &[], false);
    let all = rest;
    while let [key_high, key_low, length_high, length_low, after @ ..] = rest {
        let key = u16::from_be_bytes([*key_high, *key_low]);
        let length = usize::from(u16::from_be_bytes([*length_high, *length_low]));
        let Some((value, next)) = after.split_at_checked(length) else { return false };
        // Ascending, none twice; 65535 is kept back (RFC 9460 §2.2, §14.3.2).
        if u32::from(key) < key_least || key == u16::MAX || !parameter(key, value) || (key == 2 && !alpn) {
            return false;
        }
        alpn |= key == 1;
        if key == 0 {
            mandatory = value;
        }
        key_least = u32::from(key) + 1;
        rest = next;
    }
    rest.is_empty() && mandatory.chunks(2).all(|key| parameter_keys(all).any(|present| present == key))
}

/// Whether `value` is a value of the parameter `key` (RFC 9460 §7 and §8, RFC 9461 §5, RFC 9540 §4).
pub fn parameter(key: u16, value: &[u8]) -> bool {
    match key {
        0 => {
            let keys = value.chunks(2);
            !value.is_empty()
                && value.len().is_multiple_of(2)
                && keys.is_sorted_by(|a, b| a < b)
                && !value.starts_with(&[0, 0])
        }
        1 => char_strs(value) && !empty_string_in(value),
        2 | 8 => value.is_empty(),
        3 => value.len() == 2,
        4 => !value.is_empty() && value.len().is_multiple_of(4),
        5 => !value.is_empty(),
        6 => !value.is_empty() && value.len().is_multiple_of(16),
        7 => std::str::from_utf8(value).is_ok_and(|path| path.starts_with('/') && path.contains("dns")),
        _ => true,
    }
}

fn empty_string_in(mut strings: &[u8]) -> bool {
    while let Some(length) = string_length(strings) {
        if length == 1 {
            return true;
        }
        strings = strings.get(length..).unwrap_or_default();
    }
    false
}

/// The keys of well-formed parameters, as two octets each.
fn parameter_keys(mut rest: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (key, after) = rest.split_at_checked(2)?;
        let (length, after) = after.split_first_chunk::<2>()?;
        rest = after.get(usize::from(u16::from_be_bytes(*length))..)?;
        Some(key)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_are_held() {
        let good = |rtype, rdata: &[u8]| assert_eq!(check(rtype, rdata), Ok(()), "{rtype} {rdata:02x?}");
        let bad = |rtype, rdata: &[u8], field| assert_eq!(check(rtype, rdata), Err(field), "{rtype} {rdata:02x?}");
        good(Rtype::A, &[192, 0, 2, 1]);
        bad(Rtype::A, &[192, 0, 2], "address");
        bad(Rtype::A, &[192, 0, 2, 1, 0], "end");
        good(Rtype::MX, b"\0\x0a\x02mx\0");
        bad(Rtype::MX, b"\0\x0a\xc0\x0c", "exchange");
        bad(Rtype::MX, b"\0\x0a\x02mx", "exchange");
        bad(Rtype::TXT, b"", "text");
        bad(Rtype::TXT, b"\x02a", "text");
        good(Rtype::NSEC, b"\0\0\x01\x40");
        bad(Rtype::NSEC, b"\0\0\x02\x40\0", "types");
        bad(Rtype::NSEC, b"\0\x01\x01\x40\0\x01\x40", "types");
        bad(Rtype::DS, b"\0\x01\x08\x02abc", "digest");
        good(Rtype::SVCB, b"\0\x01\0\0\x01\0\x03\x02h2\0\x03\0\x02\x01\xbb");
        bad(Rtype::SVCB, b"\0\x01\0\0\x03\0\x02\x01\xbb\0\x01\0\x03\x02h2", "parameters");
        bad(Rtype::SVCB, b"\0\x01\0\0\x00\0\x02\0\x03", "parameters");
        bad(Rtype::SVCB, b"\0\x01\0\0\x02\0\0", "parameters");
        bad(Rtype::IPSECKEY, b"\x0a\x03\x02\x02gw", "gateway");
        good(Rtype::APL, b"");
        good(Rtype::NULL, b"");
        good(Rtype(65_280), b"anything");
    }

    #[test]
    fn names_know_whether_they_may_be_compressed() {
        let check = |rtype, rdata: &[u8], expected: &[(Range<usize>, bool)]| {
            let found: Vec<_> = names(rtype, rdata).map(|name| (name.at, name.compressible)).collect();
            assert_eq!(found, expected, "{rtype}");
        };
        check(Rtype::MX, b"\0\x0a\x02mx\0", &[(2..6, true)]);
        check(Rtype::SRV, b"\0\x0a\0\0\0\0\x02mx\0", &[(6..10, false)]);
        check(Rtype::MINFO, b"\x01a\0\x01b\0", &[(0..3, true), (3..6, true)]);
        check(Rtype::A, b"\x01\x01\x01\x01", &[]);
        check(Rtype(65_280), b"\x01\x01\x01\x01", &[]);
    }
}
