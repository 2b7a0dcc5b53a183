//! The twelve octets that every message begins with (RFC 1035 §4.1.1).
//!
//! ```text
//!  0  1  2  3  4  5  6  7  8  9  0  1  2  3  4  5
//! |                      ID                       |
//! |QR|   Opcode  |AA|TC|RD|RA| Z|AD|CD|   RCODE   |
//! |    QDCOUNT    |    ANCOUNT    |    NSCOUNT    |    ARCOUNT    |   16 bits each
//! ```

/// Octets of a header.
pub const HEADER_OCTETS: usize = 12;

/// QR: this is a response.
pub const QR: u16 = 1 << 15;
/// AA: from an authority for the name.
pub const AA: u16 = 1 << 10;
/// TC: cut short; ask again over TCP.
pub const TC: u16 = 1 << 9;
/// RD: recursion desired; copied into the response (RFC 1035 §4.1.1).
pub const RD: u16 = 1 << 8;
/// CD: checking disabled; copied too (RFC 4035 §3.1.6).
pub const CD: u16 = 1 << 4;

/// The opcode's bits within the flags.
const OPCODE: u16 = 0b1111 << 11;

/// The header of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Copied into the response.
    pub id: u16,
    /// The second 16 bits, as they came.
    pub flags: u16,
    /// Questions.
    pub qdcount: u16,
    /// Records in the answer section.
    pub ancount: u16,
    /// Records in the authority section.
    pub nscount: u16,
    /// Records in the additional section.
    pub arcount: u16,
}

impl Header {
    /// The header at the front of `message`; `None` when it is shorter than one.
    pub fn read(message: &[u8]) -> Option<Self> {
        let octets: &[u8; HEADER_OCTETS] = message.first_chunk()?;
        let [i, d, f, g, q, r, a, b, n, o, x, y] = *octets;
        Some(Self {
            id: u16::from_be_bytes([i, d]),
            flags: u16::from_be_bytes([f, g]),
            qdcount: u16::from_be_bytes([q, r]),
            ancount: u16::from_be_bytes([a, b]),
            nscount: u16::from_be_bytes([n, o]),
            arcount: u16::from_be_bytes([x, y]),
        })
    }

    /// Whether this heads a response.
    pub const fn is_response(&self) -> bool {
        self.flags & QR != 0
    }

    /// 0 for QUERY.
    pub const fn opcode(&self) -> u16 {
        (self.flags & OPCODE) >> 11
    }

    /// The flags of a response to this: QR set, opcode, RD and CD copied, the rest clear.
    pub const fn response_flags(&self) -> u16 {
        QR | self.flags & (OPCODE | RD | CD)
    }
}

/// What codes are called, in capitals as `dig` has them (IANA registry "DNS RCODEs"): those of a header alone, RFC 1035
/// §4.1.1 and RFC 2136 §2.2, and what EDNS adds.
pub const RCODES: [(&str, u16); 12] = [
    ("NOERROR", 0),
    ("FORMERR", 1),
    ("SERVFAIL", 2),
    ("NXDOMAIN", 3),
    ("NOTIMP", 4),
    ("REFUSED", 5),
    ("YXDOMAIN", 6),
    ("YXRRSET", 7),
    ("NXRRSET", 8),
    ("NOTAUTH", 9),
    ("NOTZONE", 10),
    ("BADVERS", 16),
];

/// What `code` is called; `None` for one that is not in [`RCODES`].
pub fn mnemonic(code: u16) -> Option<&'static str> {
    RCODES.iter().find(|(_, known)| *known == code).map(|(name, _)| *name)
}

/// How a query fared (RFC 1035 §4.1.1, RFC 6891 §9). Past 15 the upper bits travel in the OPT record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum Rcode {
    /// No error.
    NoError = 0,
    /// The message could not be read.
    FormErr = 1,
    /// The server failed.
    ServFail = 2,
    /// No such name.
    NxDomain = 3,
    /// This opcode or class of query is not served.
    NotImp = 4,
    /// Not for this server to answer.
    Refused = 5,
    /// A DNAME record leads to a name that is too long (RFC 6672 §2.2).
    YxDomain = 6,
    /// An EDNS version that is not spoken here.
    BadVers = 16,
}

impl Rcode {
    /// All of them, by number.
    pub const ALL: [Self; 8] = [
        Self::NoError,
        Self::FormErr,
        Self::ServFail,
        Self::NxDomain,
        Self::NotImp,
        Self::Refused,
        Self::YxDomain,
        Self::BadVers,
    ];

    /// What it is called.
    pub fn mnemonic(self) -> &'static str {
        mnemonic(self as u16).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_a_name() {
        let names = ["NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED", "YXDOMAIN", "BADVERS"];
        assert_eq!(Rcode::ALL.map(Rcode::mnemonic), names);
        assert_eq!(mnemonic(11), None);
    }
}
