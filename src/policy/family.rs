//! Address families: each is judged and chosen for by itself.

use std::net::IpAddr;

/// An address family: what A asks for, or AAAA.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// IPv4, answered to A.
    V4,
    /// IPv6, answered to AAAA.
    V6,
}

impl Family {
    /// Both, in the order of [`super::Live`].
    pub const BOTH: [Self; 2] = [Self::V4, Self::V6];

    /// Whether `address` is of this family.
    pub const fn holds(self, address: IpAddr) -> bool {
        matches!((self, address), (Self::V4, IpAddr::V4(_)) | (Self::V6, IpAddr::V6(_)))
    }
}
