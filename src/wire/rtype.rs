//! Record types (RFC 1035 §3.2.2 and the IANA registry).

/// A record type, or a query type such as ANY.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rtype(pub u16);

#[allow(missing_docs, reason = "the names are the registry's")]
impl Rtype {
    pub const A: Self = Self(1);
    pub const NS: Self = Self(2);
    pub const CNAME: Self = Self(5);
    pub const SOA: Self = Self(6);
    pub const TXT: Self = Self(16);
    pub const MX: Self = Self(15);
    pub const AAAA: Self = Self(28);
    pub const DNAME: Self = Self(39);
    pub const OPT: Self = Self(41);
    pub const DS: Self = Self(43);
    pub const ANY: Self = Self(255);
}

impl std::fmt::Display for Rtype {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TYPE{}", self.0)
    }
}
