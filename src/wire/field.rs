//! The kinds of field that rdata is made of: what the table of types is written in.
//!
//! Their shape in wire form is [`super::rdata`]'s to know, their text the reader's of master files.

/// A kind of rdata field.
///
/// The kinds of the second half exist for one type each: what their text looks like is known to the reader of
/// master files alone, their wire form to [`super::rdata`] alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A name of a type of RFC 1035: the only ones that may be compressed (RFC 3597 §4).
    CompressibleName,
    /// A name of any later type: never compressed.
    Name,
    /// One octet.
    U8,
    /// Two octets.
    U16,
    /// Four octets.
    U32,
    /// Four octets: seconds, in text with units.
    Period,
    /// Four octets: seconds since 1970 modulo 2³², in text a date (RFC 4034 §3.2).
    Time,
    /// Four octets of an IPv4 address.
    Ip4,
    /// Sixteen octets of an IPv6 address.
    Ip6,
    /// A character string: a length octet and as many octets.
    CharStr,
    /// None or one character string, to the end.
    OptionalCharStr,
    /// One or more character strings, to the end.
    CharStrs,
    /// All octets to the end, in text one string.
    Text,
    /// A character string of letters and digits, not empty (RFC 8659 §4.1).
    Tag,
    /// One or more octets to the end, in text hexadecimal.
    Hex,
    /// A digest to the end, in text hexadecimal; its length is held against the digest type before it.
    Digest,
    /// One or more octets to the end, in text base64.
    Base64,
    /// Any octets to the end, in text base64, or `-` for none.
    OptionalBase64,
    /// A length octet and as many octets, in text hexadecimal, or `-` for none (RFC 5155 §3.3).
    Salt,
    /// A length octet and as many octets, at least one, in text base32hex (RFC 5155 §3.3).
    Hash,
    /// A bitmap of one or more types, to the end.
    Types,
    /// A bitmap of types that may be empty, to the end.
    OptionalTypes,
    /// The number of a type, in text its mnemonic.
    Type,
    /// One octet, in text a number or a mnemonic of RFC 4034 appendix A.1 and later.
    Algorithm,
    /// One octet that sets the length of a DS digest.
    DigestType,
    /// One octet that sets the length of a ZONEMD digest.
    ZoneDigestType,
    /// One octet that sets the length of an SSHFP fingerprint.
    FingerprintType,
    /// One octet, in text a number or `NOTIFY` (RFC 9859).
    SyncScheme,
    /// Two octets, in text a number or a mnemonic of RFC 4398 §2.1.
    CertificateType,
    /// Six octets, in text `xx-xx-xx-xx-xx-xx`.
    Eui48,
    /// Eight octets, in text `xx-xx-xx-xx-xx-xx-xx-xx`.
    Eui64,
    /// Eight octets, in text `xxxx:xxxx:xxxx:xxxx` (RFC 6742).
    Locator,
    /// One or more octets to the end, in text `0x` and hexadecimal with dots (RFC 1706).
    Nsap,
    /// WKS: one octet, in text a number, `TCP` or `UDP`.
    Protocol,
    /// WKS: a bitmap of ports, to the end.
    Ports,
    /// LOC: all of it, 16 octets (RFC 1876 §2).
    Location,
    /// APL: all of it (RFC 3123 §4).
    Prefixes,
    /// IPSECKEY: all after the precedence (RFC 4025 §2.1).
    Gateway,
    /// AMTRELAY: all after the precedence (RFC 8777 §4.2).
    Relay,
    /// HIP: all of it (RFC 8005 §5).
    HostIdentity,
    /// SVCB: the parameters, to the end (RFC 9460 §2.2).
    Parameters,
}
