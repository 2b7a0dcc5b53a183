//! EDNS(0): the OPT record (RFC 6891 §6.1).
//!
//! ```text
//! owner . | TYPE 41 | CLASS payload size | TTL: extended RCODE, version, DO, Z | RDLEN | {code, length, data}…
//! ```

use super::ecs::ECS;

/// What the requestor's OPT record says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edns<'a> {
    /// The largest response that the requestor can take over UDP; as it came, so possibly under 512.
    pub payload: u16,
    /// 0 is the one version there is.
    pub version: u8,
    /// DNSSEC OK (RFC 3225); echoed.
    pub dnssec_ok: bool,
    /// The options, checked to be whole: walk them with [`options`].
    pub options: &'a [u8],
    /// The data of the client subnet option, as it came; the first, if there are several.
    pub ecs: Option<&'a [u8]>,
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
        let mut ecs = None;
        let mut walk = options(rdata);
        for (code, data) in &mut walk {
            if code == ECS && ecs.is_none() {
                ecs = Some(data);
            }
        }
        walk.rest.is_empty().then(|| {
            let [_, version, flags, _] = ttl.to_be_bytes();
            Self { payload: class, version, dnssec_ok: flags & 0x80 != 0, options: rdata, ecs }
        })
    }
}

/// The options of an OPT record's rdata: code and data each. Stops at the first that is not whole.
pub fn options(rdata: &[u8]) -> Options<'_> {
    Options { rest: rdata }
}

/// An iterator over options.
#[derive(Clone, Debug)]
pub struct Options<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Options<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (&[c, d, l, m], after) = self.rest.split_first_chunk()?;
        let (data, rest) = after.split_at_checked(usize::from(u16::from_be_bytes([l, m])))?;
        self.rest = rest;
        Some((u16::from_be_bytes([c, d]), data))
    }
}
