//! What the server says of itself, beside its zones: its names in NSID and CHAOS, and the secrets of its cookies.

use crate::wire::cookie::Secrets;

/// Octets of a server's identifier in NSID, at the most: a response of 512 octets holds it beside the longest
/// question and every other option.
pub const NSID_OCTETS_MAX: usize = 128;

/// Octets of a text that CHAOS names answer with: one character string (RFC 1035 §3.3).
pub const TEXT_OCTETS_MAX: usize = 255;

/// The server's own word. What is not set is not told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// What NSID gives, 1 to [`NSID_OCTETS_MAX`] octets (RFC 5001).
    pub nsid: Option<Box<[u8]>>,
    /// What `version.bind` and `version.server` say, up to [`TEXT_OCTETS_MAX`] octets (RFC 4892).
    pub version: Option<Box<[u8]>>,
    /// What `id.server` and `hostname.bind` say, up to [`TEXT_OCTETS_MAX`] octets (RFC 4892).
    pub id: Option<Box<[u8]>>,
    /// What cookies are signed with; without any, cookies are passed over.
    pub secrets: Secrets,
    /// Seconds since 1970 at [`Moment::START`](crate::moment::Moment::START): cookies are dated.
    pub unix_start: u64,
}
