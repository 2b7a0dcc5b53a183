//! EDNS options: their codes, and walking them (RFC 6891 §6.1.2).
//!
//! ```text
//! OPTION-CODE 16 | OPTION-LENGTH 16 | as many octets
//! ```
//!
//! Source of the codes: the IANA registry "DNS EDNS0 Option Codes (OPT)".

use super::octets::copy;

/// Name server identifier (RFC 5001).
pub const NSID: u16 = 3;

/// The client's subnet (RFC 7871).
pub const ECS: u16 = 8;

/// DNS cookies (RFC 7873).
pub const COOKIE: u16 = 10;

/// How long a connection may be idle (RFC 7828).
pub const KEEPALIVE: u16 = 11;

/// Octets without a meaning, so that a length tells less (RFC 7830).
pub const PADDING: u16 = 12;

/// An extended DNS error (RFC 8914).
pub const EDE: u16 = 15;

/// Octets of an option before its data.
pub const OPTION_OCTETS: usize = 4;

/// An option whose RFC has it answered with FORMERR.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// The options of an OPT record's rdata: code and data each. Stops at the first that is not whole.
pub fn options(rdata: &[u8]) -> Options<'_> {
    Options { rest: rdata }
}

/// An iterator over options.
#[derive(Clone, Debug)]
pub struct Options<'a> {
    rest: &'a [u8],
}

impl Options<'_> {
    /// Whether nothing is left: after the last, whether all were whole.
    pub fn is_done(&self) -> bool {
        self.rest.is_empty()
    }
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

/// Writes an option of `code` and `data` to the front of `target` and returns what follows it; `None` when it does
/// not fit.
pub fn write<'t>(target: &'t mut [u8], code: u16, data: &[u8]) -> Option<&'t mut [u8]> {
    let (head, rest) = target.split_first_chunk_mut::<OPTION_OCTETS>()?;
    let (body, rest) = rest.split_at_mut_checked(data.len())?;
    let [c, d] = code.to_be_bytes();
    let [l, m] = u16::try_from(data.len()).ok()?.to_be_bytes();
    *head = [c, d, l, m];
    copy(body, data);
    Some(rest)
}
