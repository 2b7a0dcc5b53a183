//! What is turned away before any zone is looked at.

use super::explanation::Explanation;
use super::{Outcome, Reason, Response};
use crate::wire::header::{HEADER_OCTETS, Header, Rcode};
use crate::wire::query::{CLASS_CHAOS, CLASS_IN, Query, Unreadable};
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

/// Whom a question is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Subject {
    /// The zones.
    Zones,
    /// The server itself, in the class CHAOS.
    Server,
    /// Nobody: only a cookie is wanted (RFC 7873 §5.4).
    Nobody,
}

/// Whom a query that was read is for.
///
/// # Errors
/// The code that it gets instead, and why, where that is worth saying.
#[inline]
pub(super) fn screen(query: &Query<'_>) -> Result<Subject, (Rcode, Option<&'static Explanation>)> {
    if query.edns.as_ref().is_some_and(|edns| edns.version > 0) {
        return Err((Rcode::BadVers, None));
    }
    match (query.qclass, query.qtype.0) {
        // Only a request for a cookie may lack a question (RFC 9619 §3).
        _ if query.question.is_empty() && query.edns.as_ref().is_some_and(|edns| edns.cookie.is_some()) => {
            Ok(Subject::Nobody)
        }
        _ if query.question.is_empty() => Err((Rcode::FormErr, None)),
        // An OPT record is not data (RFC 6891 §6.1.1), nor is NXNAME (RFC 9824 §3.4).
        (_, 41 | 128) => Err((Rcode::FormErr, None)),
        // TKEY, TSIG, IXFR and AXFR, MAILB and MAILA: neither data nor offered.
        (CLASS_IN, 249..=254) => Err((Rcode::Refused, Some(Explanation::PROHIBITED))),
        (CLASS_IN, _) => Ok(Subject::Zones),
        (CLASS_CHAOS, _) => Ok(Subject::Server),
        // Nothing of another class is known.
        _ => Err((Rcode::Refused, None)),
    }
}

/// Whether the question is for any type at all.
pub(super) fn is_any(qtype: Rtype) -> bool {
    qtype == Rtype::ANY
}
