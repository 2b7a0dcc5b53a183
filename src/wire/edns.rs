//! EDNS(0): the OPT record (RFC 6891 §6.1).
//!
//! ```text
//! owner . | TYPE 41 | CLASS payload size | TTL: extended RCODE, version, DO, Z | RDLEN | {code, length, data}…
//! ```

use super::option::{COOKIE, ECS, KEEPALIVE, NSID, PADDING, options};

/// What the requestor's OPT record says. Options that are not named here are ignored (RFC 6891 §6.1.2), as are all
/// of a version that is not spoken here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Edns<'a> {
    /// The largest response that the requestor can take over UDP; as it came, so possibly under 512.
    pub payload: u16,
    /// 0 is the one version there is.
    pub version: u8,
    /// DNSSEC OK (RFC 3225); echoed. Every other flag is ignored (RFC 6891 §6.1.4).
    pub dnssec_ok: bool,
    /// The data of the client subnet option, as it came; the first, if there are several.
    pub ecs: Option<&'a [u8]>,
    /// Whether any option is there that is named below.
    pub has_others: bool,
    /// The data of the cookie option, as it came; the first, if there are several (RFC 7873 §5.2).
    pub cookie: Option<&'a [u8]>,
    /// Whether the server's identifier is asked for.
    pub wants_nsid: bool,
    /// Whether it wants to know how long a connection may be idle.
    pub wants_keepalive: bool,
    /// Whether it pads, so that the response is to be padded too.
    pub pads: bool,
}

/// Octets of an OPT record without options.
pub const OPT_OCTETS: usize = 11;

/// The payload size that is offered and the most that is sent over UDP: it fits the smallest IPv6 link, so
/// nothing is fragmented (RFC 9715 §3.1; DNS flag day 2020).
pub const PAYLOAD: u16 = 1232;

/// A response's limit without EDNS (RFC 1035 §4.2.1), and the least that a payload size can mean (RFC 6891
/// §6.2.3).
pub const PAYLOAD_LEAST: u16 = 512;

impl<'a> Edns<'a> {
    /// Reads an OPT record from its class, TTL and rdata; `None` when its options are not whole.
    pub fn read(class: u16, ttl: u32, rdata: &'a [u8]) -> Option<Self> {
        let [_, version, flags, _] = ttl.to_be_bytes();
        let mut edns = Self { payload: class, version, dnssec_ok: flags & 0x80 != 0, ..Self::default() };
        // What another version's options look like, nobody knows (RFC 6891 §6.1.3).
        if rdata.is_empty() || version > 0 {
            return Some(edns);
        }
        let mut walk = options(rdata);
        for (code, data) in &mut walk {
            match code {
                ECS => {
                    edns.ecs = edns.ecs.or(Some(data));
                    continue;
                }
                COOKIE if edns.cookie.is_none() => edns.cookie = Some(data),
                NSID => edns.wants_nsid = true,
                KEEPALIVE => edns.wants_keepalive = true,
                PADDING => edns.pads = true,
                _ => continue,
            }
            edns.has_others = true;
        }
        walk.is_done().then_some(edns)
    }
}
