//! What is turned away before any zone is looked at.

use super::{Outcome, Reason, Response};
use crate::wire::header::{HEADER_OCTETS, Header, Rcode};
use crate::wire::query::{CLASS_IN, Query, Unreadable};
use crate::wire::rtype::Rtype;

/// Answers what could not be read: with the header alone, so that garbage never gets back more than it brought,
/// or with nothing.
pub(super) fn refuse_unreadable(unreadable: Unreadable, response: &mut Response<'_>) -> Outcome {
    let (header, rcode) = match unreadable {
        Unreadable::Short => return Outcome::Dropped(Reason::Short),
        Unreadable::Response => return Outcome::Dropped(Reason::Response),
        Unreadable::Opcode(header) => (header, Rcode::NotImp),
        Unreadable::Malformed(header) => (header, Rcode::FormErr),
    };
    let Some(target) = response.octets.first_chunk_mut() else { return Outcome::Dropped(Reason::NoRoom) };
    *target = header_alone(&header, rcode);
    response.length = HEADER_OCTETS;
    Outcome::Answered(rcode)
}

fn header_alone(header: &Header, rcode: Rcode) -> [u8; HEADER_OCTETS] {
    let [i, d] = header.id.to_be_bytes();
    let [f, g] = (header.response_flags() | rcode as u16).to_be_bytes();
    [i, d, f, g, 0, 0, 0, 0, 0, 0, 0, 0]
}

/// Whether a query that was read is one that zones answer.
///
/// # Errors
/// The code that it gets instead.
pub(super) fn screen(query: &Query<'_>) -> Result<(), Rcode> {
    if query.edns.is_some_and(|edns| edns.version > 0) {
        return Err(Rcode::BadVers);
    }
    match (query.qclass, query.qtype.0) {
        // There is but one class here, and nothing of another is known.
        (class, _) if class != CLASS_IN => Err(Rcode::Refused),
        // An OPT record is not data (RFC 6891 §6.1.1).
        (_, 41) => Err(Rcode::FormErr),
        // TKEY, TSIG, IXFR and AXFR, MAILB and MAILA: neither data nor offered.
        (_, 249..=254) => Err(Rcode::Refused),
        _ => Ok(()),
    }
}

/// Whether the question is for any type at all.
pub(super) fn is_any(qtype: Rtype) -> bool {
    qtype == Rtype::ANY
}
