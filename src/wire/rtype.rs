//! Record types: numbers ↔ mnemonics, and of which fields each type's rdata is made.
//!
//! One line a type: whoever adds a type adds a line here and, only where its rdata is like no other's, a
//! [`Kind`]. Master files are read by this table and rdata in wire form is checked by it, so the two cannot
//! disagree.
//!
//! Sources: the IANA registry "Resource Record (RR) TYPEs"; RFC 3597 §5 (`TYPEnnn`); RFC 6895 §3.1 (which
//! numbers are questions and meta types).

use std::fmt;
use std::str::FromStr;

use super::field::Kind::{self, *};

/// The type of a record, or of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Rtype(pub u16);

/// A field of an rdata: what the RFC that defines it calls it, and what it is made of.
pub type Field = (&'static str, Kind);

/// What is known of a type's rdata.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// These fields, in this order, and nothing after them.
    Fields(&'static [Field]),
    /// Any octets; in a master file only as `\# length hex`.
    Opaque,
    /// No record of a zone: a question, or made by the server for one message.
    Meta,
}

/// All that is known of one type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Definition {
    /// Its number.
    pub rtype: Rtype,
    /// Its mnemonic, in capitals.
    pub mnemonic: &'static str,
    /// Its rdata.
    pub form: Form,
}

macro_rules! rtypes {
    ($($name:ident $number:literal $mnemonic:literal $form:expr;)*) => {
        impl Rtype {
            $(
                #[doc = concat!("The type ", $mnemonic, ", ", stringify!($number), ".")]
                pub const $name: Self = Self($number);
            )*
        }

        /// Every type that has a mnemonic, by number.
        static DEFINITIONS: &[Definition] = &[
            $(Definition { rtype: Rtype($number), mnemonic: $mnemonic, form: $form }),*
        ];
    };
}

use Form::{Fields, Meta, Opaque};

const DS: Form = Fields(&[("key tag", U16), ("algorithm", Algorithm), ("digest type", DigestType), ("digest", Digest)]);
const DNSKEY: Form = Fields(&[("flags", U16), ("protocol", U8), ("algorithm", Algorithm), ("public key", Base64)]);
const HOST: Form = Fields(&[("host", CompressibleName)]);
const RRSIG: Form = Fields(&[
    ("type covered", Type),
    ("algorithm", Algorithm),
    ("labels", U8),
    ("original TTL", Period),
    ("expiration", Time),
    ("inception", Time),
    ("key tag", U16),
    ("signer's name", Name),
    ("signature", Base64),
]);
const SVCB: Form = Fields(&[("priority", U16), ("target", Name), ("parameters", Parameters)]);
const SOA: Form = Fields(&[
    ("primary server", CompressibleName),
    ("mailbox", CompressibleName),
    ("serial", U32),
    ("refresh", Period),
    ("retry", Period),
    ("expire", Period),
    ("minimum", Period),
]);
const NAPTR: Form = Fields(&[
    ("order", U16),
    ("preference", U16),
    ("flags", CharStr),
    ("services", CharStr),
    ("regular expression", CharStr),
    ("replacement", Name),
]);
const CERT: Form = Fields(&[
    ("certificate type", CertificateType),
    ("key tag", U16),
    ("algorithm", Algorithm),
    ("certificate", Base64),
]);
const SSHFP: Form = Fields(&[("algorithm", U8), ("fingerprint type", FingerprintType), ("fingerprint", Digest)]);
const NSEC3: Form = Fields(&[
    ("hash algorithm", U8),
    ("flags", U8),
    ("iterations", U16),
    ("salt", Salt),
    ("next hashed owner", Hash),
    ("types", OptionalTypes),
]);
const ZONEMD: Form = Fields(&[("serial", U32), ("scheme", U8), ("hash algorithm", ZoneDigestType), ("digest", Digest)]);
const DOA: Form =
    Fields(&[("enterprise", U32), ("type", U32), ("location", U8), ("media type", CharStr), ("data", OptionalBase64)]);
const TEXTS: Form = Fields(&[("text", CharStrs)]);
const TLSA: Form =
    Fields(&[("usage", U8), ("selector", U8), ("matching type", U8), ("certificate association data", Hex)]);

rtypes! {
    A              1 "A"          Fields(&[("address", Ip4)]);
    NS             2 "NS"         HOST;
    MD             3 "MD"         HOST;
    MF             4 "MF"         HOST;
    CNAME          5 "CNAME"      Fields(&[("target", CompressibleName)]);
    SOA            6 "SOA"        SOA;
    MB             7 "MB"         HOST;
    MG             8 "MG"         HOST;
    MR             9 "MR"         HOST;
    NULL          10 "NULL"       Opaque;
    WKS           11 "WKS"        Fields(&[("address", Ip4), ("protocol", Protocol), ("ports", Ports)]);
    PTR           12 "PTR"        Fields(&[("target", CompressibleName)]);
    HINFO         13 "HINFO"      Fields(&[("CPU", CharStr), ("OS", CharStr)]);
    MINFO         14 "MINFO"      Fields(&[("mailbox", CompressibleName), ("error mailbox", CompressibleName)]);
    MX            15 "MX"         Fields(&[("preference", U16), ("exchange", CompressibleName)]);
    TXT           16 "TXT"        TEXTS;
    RP            17 "RP"         Fields(&[("mailbox", Name), ("text name", Name)]);
    AFSDB         18 "AFSDB"      Fields(&[("subtype", U16), ("host", Name)]);
    X25           19 "X25"        Fields(&[("PSDN address", CharStr)]);
    ISDN          20 "ISDN"       Fields(&[("ISDN address", CharStr), ("subaddress", OptionalCharStr)]);
    RT            21 "RT"         Fields(&[("preference", U16), ("intermediate host", Name)]);
    NSAP          22 "NSAP"       Fields(&[("NSAP address", Nsap)]);
    NSAP_PTR      23 "NSAP-PTR"   Fields(&[("target", Name)]);
    SIG           24 "SIG"        RRSIG;
    KEY           25 "KEY"        DNSKEY;
    PX            26 "PX"         Fields(&[("preference", U16), ("RFC 822 domain", Name), ("X.400 domain", Name)]);
    GPOS          27 "GPOS"       Fields(&[("longitude", CharStr), ("latitude", CharStr), ("altitude", CharStr)]);
    AAAA          28 "AAAA"       Fields(&[("address", Ip6)]);
    LOC           29 "LOC"        Fields(&[("location", Location)]);
    NXT           30 "NXT"        Opaque;
    EID           31 "EID"        Fields(&[("identifier", Hex)]);
    NIMLOC        32 "NIMLOC"     Fields(&[("locator", Hex)]);
    SRV           33 "SRV"        Fields(&[("priority", U16), ("weight", U16), ("port", U16), ("target", Name)]);
    ATMA          34 "ATMA"       Opaque;
    NAPTR         35 "NAPTR"      NAPTR;
    KX            36 "KX"         Fields(&[("preference", U16), ("exchanger", Name)]);
    CERT          37 "CERT"       CERT;
    A6            38 "A6"         Opaque;
    DNAME         39 "DNAME"      Fields(&[("target", Name)]);
    SINK          40 "SINK"       Fields(&[("meaning", U8), ("coding", U8), ("subcoding", U8), ("data", Base64)]);
    OPT           41 "OPT"        Meta;
    APL           42 "APL"        Fields(&[("address prefixes", Prefixes)]);
    DS            43 "DS"         DS;
    SSHFP         44 "SSHFP"      SSHFP;
    IPSECKEY      45 "IPSECKEY"   Fields(&[("precedence", U8), ("gateway", Gateway)]);
    RRSIG         46 "RRSIG"      RRSIG;
    NSEC          47 "NSEC"       Fields(&[("next name", Name), ("types", Types)]);
    DNSKEY        48 "DNSKEY"     DNSKEY;
    DHCID         49 "DHCID"      Fields(&[("digest", Base64)]);
    NSEC3         50 "NSEC3"      NSEC3;
    NSEC3PARAM    51 "NSEC3PARAM" Fields(&[("hash algorithm", U8), ("flags", U8), ("iterations", U16), ("salt", Salt)]);
    TLSA          52 "TLSA"       TLSA;
    SMIMEA        53 "SMIMEA"     TLSA;
    HIP           55 "HIP"        Fields(&[("host identity", HostIdentity)]);
    NINFO         56 "NINFO"      TEXTS;
    RKEY          57 "RKEY"       DNSKEY;
    TALINK        58 "TALINK"     Fields(&[("previous name", Name), ("next name", Name)]);
    CDS           59 "CDS"        DS;
    CDNSKEY       60 "CDNSKEY"    DNSKEY;
    OPENPGPKEY    61 "OPENPGPKEY" Fields(&[("public key", Base64)]);
    CSYNC         62 "CSYNC"      Fields(&[("serial", U32), ("flags", U16), ("types", OptionalTypes)]);
    ZONEMD        63 "ZONEMD"     ZONEMD;
    SVCB          64 "SVCB"       SVCB;
    HTTPS         65 "HTTPS"      SVCB;
    DSYNC         66 "DSYNC"      Fields(&[("type", Type), ("scheme", SyncScheme), ("port", U16), ("target", Name)]);
    HHIT          67 "HHIT"       Fields(&[("data", Base64)]);
    BRID          68 "BRID"       Fields(&[("data", Base64)]);
    SPF           99 "SPF"        TEXTS;
    UINFO        100 "UINFO"      Opaque;
    UID          101 "UID"        Opaque;
    GID          102 "GID"        Opaque;
    UNSPEC       103 "UNSPEC"     Opaque;
    NID          104 "NID"        Fields(&[("preference", U16), ("node identifier", Locator)]);
    L32          105 "L32"        Fields(&[("preference", U16), ("locator", Ip4)]);
    L64          106 "L64"        Fields(&[("preference", U16), ("locator", Locator)]);
    LP           107 "LP"         Fields(&[("preference", U16), ("locator name", Name)]);
    EUI48        108 "EUI48"      Fields(&[("address", Eui48)]);
    EUI64        109 "EUI64"      Fields(&[("address", Eui64)]);
    NXNAME       128 "NXNAME"     Meta;
    TKEY         249 "TKEY"       Meta;
    TSIG         250 "TSIG"       Meta;
    IXFR         251 "IXFR"       Meta;
    AXFR         252 "AXFR"       Meta;
    MAILB        253 "MAILB"      Meta;
    MAILA        254 "MAILA"      Meta;
    ANY          255 "ANY"        Meta;
    URI          256 "URI"        Fields(&[("priority", U16), ("weight", U16), ("target", Text)]);
    CAA          257 "CAA"        Fields(&[("flags", U8), ("tag", Tag), ("value", Text)]);
    AVC          258 "AVC"        TEXTS;
    DOA          259 "DOA"        DOA;
    AMTRELAY     260 "AMTRELAY"   Fields(&[("precedence", U8), ("relay", Relay)]);
    RESINFO      261 "RESINFO"    TEXTS;
    WALLET       262 "WALLET"     TEXTS;
    CLA          263 "CLA"        TEXTS;
    TA         32768 "TA"         DS;
    DLV        32769 "DLV"        DS;
}

impl Rtype {
    /// What is known of the type; `None` for a number that has no mnemonic.
    pub fn definition(self) -> Option<&'static Definition> {
        let at = DEFINITIONS.binary_search_by_key(&self, |definition| definition.rtype).ok()?;
        DEFINITIONS.get(at)
    }

    /// Whether no zone can hold such a record: 0, OPT, the questions and what RFC 6895 §3.1 keeps for both.
    pub fn is_meta(self) -> bool {
        matches!(self.0, 0 | 41 | 128..=255)
    }

    /// Every mnemonic, by number: for suggestions.
    pub fn mnemonics() -> impl Iterator<Item = &'static str> {
        DEFINITIONS.iter().map(|definition| definition.mnemonic)
    }

    /// Reads a mnemonic or `TYPEnnn`, whatever the case. The common types stand first in the table, so that
    /// this costs a few comparisons for them and never allocates.
    pub fn from_text(text: &[u8]) -> Option<Self> {
        let known = DEFINITIONS.iter().find(|definition| definition.mnemonic.as_bytes().eq_ignore_ascii_case(text));
        if let Some(definition) = known {
            return Some(definition.rtype);
        }
        let (word, digits) = text.split_at_checked(4)?;
        if !word.eq_ignore_ascii_case(b"TYPE") || digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        std::str::from_utf8(digits).ok()?.parse().ok().map(Self)
    }
}

impl FromStr for Rtype {
    type Err = UnknownRtype;

    fn from_str(text: &str) -> Result<Self, UnknownRtype> {
        Self::from_text(text.as_bytes()).ok_or(UnknownRtype)
    }
}

/// The mnemonic, or `TYPEnnn` where there is none.
impl fmt::Display for Rtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.definition() {
            Some(definition) => f.pad(definition.mnemonic),
            None => write!(f, "TYPE{}", self.0),
        }
    }
}

/// A text that is neither a known mnemonic nor `TYPEnnn`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownRtype;

impl fmt::Display for UnknownRtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a record type")
    }
}

impl std::error::Error for UnknownRtype {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_order_and_comes_back() {
        assert!(DEFINITIONS.is_sorted_by(|a, b| a.rtype < b.rtype));
        for definition in DEFINITIONS {
            assert_eq!(definition.mnemonic.to_lowercase().parse(), Ok(definition.rtype));
            assert_eq!(definition.rtype.to_string(), definition.mnemonic);
            assert_eq!(definition.form == Meta, definition.rtype.is_meta(), "{}", definition.mnemonic);
        }
    }

    #[test]
    fn numbers_and_mnemonics_are_read() {
        let check =
            |text: &str, expected: Option<u16>| assert_eq!(Rtype::from_text(text.as_bytes()), expected.map(Rtype));
        check("aaaa", Some(28));
        check("NSAP-PTR", Some(23));
        check("TYPE1", Some(1));
        check("type65534", Some(65_534));
        check("TYPE65536", None);
        check("TYPE", None);
        check("TYPE+1", None);
        check("TYPÉ", None);
        check("AAAAA", None);
        check("", None);
        assert_eq!(Rtype(65_280).to_string(), "TYPE65280");
    }
}
