//! A request, read: header, question, EDNS. Any octets are allowed to come in here.

use super::edns::Edns;
use super::header::{HEADER_OCTETS, Header};
use super::qname::Qname;
use super::rtype::Rtype;

/// What a request asks. The name itself is left in the [`Qname`] that was passed to [`Query::read`].
#[derive(Clone, Copy, Debug)]
pub struct Query<'a> {
    /// The header as it came.
    pub header: Header,
    /// The question section as it came, case kept: copied into the response. Empty where there is none, only an OPT
    /// record: a request for a cookie (RFC 7873 §5.4), or a mistake.
    pub question: &'a [u8],
    /// The type that is asked for.
    pub qtype: Rtype,
    /// The class; 1 is IN.
    pub qclass: u16,
    /// The OPT record, if there is one.
    pub edns: Option<Edns<'a>>,
}

/// Why a message is not a query that can be answered in full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// Shorter than a header: there is not even an id to answer to.
    Short,
    /// A response: answering it would start a loop.
    Response,
    /// An opcode other than QUERY.
    Opcode(Header),
    /// Anything else that RFC 1035 calls a format error.
    Malformed(Header),
}

/// The class of the Internet.
pub const CLASS_IN: u16 = 1;

/// The class in which servers speak of themselves (RFC 4892).
pub const CLASS_CHAOS: u16 = 3;

impl<'a> Query<'a> {
    /// Reads `message`, and the name that is asked for into `qname`.
    ///
    /// # Errors
    /// As [`Unreadable`] says. A question count other than one is malformed (RFC 9619 §4), but for none at all
    /// beside an OPT record; so is a second OPT record (RFC 6891 §6.1.1) or a record that runs past the end. Octets after the last
    /// record are ignored.
    #[inline(always)] // For the one that answers: what it says is used at once, and need not be put together first.
    pub fn read(message: &'a [u8], qname: &mut Qname) -> Result<Self, Unreadable> {
        let header = Header::read(message).ok_or(Unreadable::Short)?;
        if header.is_response() {
            return Err(Unreadable::Response);
        }
        if header.opcode() != 0 {
            return Err(Unreadable::Opcode(header));
        }
        let malformed = Unreadable::Malformed(header);
        let after_header = message.get(HEADER_OCTETS..).ok_or(malformed)?;
        if header.qdcount != 1 {
            return Self::read_without_question(header, after_header).ok_or(malformed);
        }
        let name_octets = qname.read(after_header).map_err(|_| malformed)?;
        let (question, rest) = after_header.split_at_checked(name_octets + 4).ok_or(malformed)?;
        let &[t, y, c, l] = question.last_chunk().ok_or(malformed)?;
        let edns = read_records(&header, rest).ok_or(malformed)?;
        let (qtype, qclass) = (Rtype(u16::from_be_bytes([t, y])), u16::from_be_bytes([c, l]));
        Ok(Self { header, question, qtype, qclass, edns })
    }

    /// A message without a question but with an OPT record, which its response owes one (RFC 6891 §6.1.1).
    #[cold]
    fn read_without_question(header: Header, rest: &'a [u8]) -> Option<Self> {
        let edns = read_records(&header, rest)?;
        (header.qdcount == 0 && edns.is_some()).then_some(Self {
            header,
            question: &[],
            qtype: Rtype(0),
            qclass: CLASS_IN,
            edns,
        })
    }
}

/// Whether a request that [`Query::read`] takes ends in a TSIG record (RFC 8945 §5.1). Not a part of reading it: few
/// servers share keys with anybody, and only they ask.
pub fn is_signed(message: &[u8]) -> bool {
    let last = || {
        let header = Header::read(message)?;
        let mut rest = message.get(HEADER_OCTETS..)?;
        for _ in 0..header.qdcount {
            rest = skip_name(rest)?.get(4..)?;
        }
        let mut last = None;
        for _ in 0..u32::from(header.ancount) + u32::from(header.nscount) + u32::from(header.arcount) {
            let (record, after) = Raw::read(rest)?;
            (last, rest) = (Some(record.rtype), after);
        }
        last.filter(|_| header.arcount > 0)
    };
    last() == Some(Rtype::TSIG)
}

/// Whether a message is a query for a whole zone or for what has changed of one (RFC 5936, RFC 1995): AXFR or IXFR in
/// its one question. As cheap as passing over a name.
pub fn asks_transfer(message: &[u8]) -> bool {
    let qtype = || {
        let header = Header::read(message).filter(|header| header.opcode() == 0 && header.qdcount == 1)?;
        let after_name = skip_name(message.get(HEADER_OCTETS..)?)?;
        (!header.is_response()).then_some(Rtype(u16::from_be_bytes(*after_name.first_chunk()?)))
    };
    matches!(qtype(), Some(Rtype::AXFR | Rtype::IXFR))
}

/// The OPT record among the records after the question; the others must be whole. `None` when the message is
/// malformed. Inlined by force: left to itself the compiler calls it for the sake of the one message without a
/// question, at some 40 instructions a query.
#[inline(always)]
fn read_records<'a>(header: &Header, mut rest: &'a [u8]) -> Option<Option<Edns<'a>>> {
    for _ in 0..u32::from(header.ancount) + u32::from(header.nscount) {
        rest = Raw::read(rest)?.1;
    }
    let mut edns = None;
    for _ in 0..header.arcount {
        let (record, after) = Raw::read(rest)?;
        rest = after;
        if record.rtype != Rtype::OPT {
            continue;
        }
        if edns.is_some() || !record.owner_is_root {
            return None;
        }
        edns = Some(Edns::read(record.class, record.ttl, record.rdata)?);
    }
    Some(edns)
}

/// A record of a request, as far as it matters.
struct Raw<'a> {
    owner_is_root: bool,
    rtype: Rtype,
    class: u16,
    ttl: u32,
    rdata: &'a [u8],
}

impl<'a> Raw<'a> {
    /// The record at the front of `octets`, and what follows it.
    fn read(octets: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let after_owner = skip_name(octets)?;
        let (&[t, y, c, l, a, b, d, e, r, n], after) = after_owner.split_first_chunk()?;
        let (rdata, rest) = after.split_at_checked(usize::from(u16::from_be_bytes([r, n])))?;
        let record = Self {
            owner_is_root: octets.first() == Some(&0),
            rtype: Rtype(u16::from_be_bytes([t, y])),
            class: u16::from_be_bytes([c, l]),
            ttl: u32::from_be_bytes([a, b, d, e]),
            rdata,
        };
        Some((record, rest))
    }
}

/// What follows the name at the front of `octets`; a pointer ends a name and is not followed.
fn skip_name(octets: &[u8]) -> Option<&[u8]> {
    let mut rest = octets;
    loop {
        let (&length, after) = rest.split_first()?;
        match length {
            0 => return Some(after),
            1..=63 => rest = after.get(usize::from(length)..)?,
            0xc0.. => return after.get(1..),
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HEAD: &[u8] = &[0xab, 0xcd, 0x01, 0x00, 0, 1, 0, 0, 0, 0, 0, 0];
    const QUESTION: &[u8] = b"\x03wWw\x07example\x03org\x00\x00\x1c\x00\x01";
    const OPT: &[u8] = &[0, 0, 41, 0x04, 0xd0, 0, 0, 0x80, 0, 0, 0];

    fn message(change: impl Fn(&mut [u8]), parts: &[&[u8]]) -> Vec<u8> {
        let mut head = HEAD.to_vec();
        change(&mut head);
        [head.as_slice(), &parts.concat()].concat()
    }

    #[test]
    fn queries_are_read() {
        let mut qname = Qname::default();
        let octets = message(|head| head[11] = 1, &[QUESTION, OPT, b"trailing"]);
        let query = Query::read(&octets, &mut qname).expect("a query");
        assert_eq!((query.header.id, query.qtype, query.qclass), (0xabcd, Rtype::AAAA, CLASS_IN));
        assert_eq!(query.question, QUESTION);
        assert_eq!(qname.octets(), b"\x03www\x07example\x03org\x00");
        let edns = query.edns.expect("an OPT record");
        assert_eq!((edns.payload, edns.version, edns.dnssec_ok), (1232, 0, true));
    }

    #[test]
    fn what_cannot_be_answered_is_told_apart() {
        let check = |octets: &[u8], expected: fn(&Unreadable) -> bool| {
            let error = Query::read(octets, &mut Qname::default()).expect_err("unreadable");
            assert!(expected(&error), "{octets:?} gave {error:?}");
        };
        check(b"", |error| matches!(error, Unreadable::Short));
        check(&HEAD[..11], |error| matches!(error, Unreadable::Short));
        check(&message(|head| head[2] |= 0x80, &[QUESTION]), |error| matches!(error, Unreadable::Response));
        check(&message(|head| head[2] |= 0x28, &[QUESTION]), |error| matches!(error, Unreadable::Opcode(_)));
        let malformed: fn(&Unreadable) -> bool = |error| matches!(error, Unreadable::Malformed(_));
        check(HEAD, malformed);
        check(&message(|head| head[5] = 0, &[]), malformed);
        check(&message(|head| head[5] = 2, &[QUESTION, QUESTION]), malformed);
        check(&message(|_| {}, &[&QUESTION[..QUESTION.len() - 1]]), malformed);
        check(&message(|head| head[11] = 1, &[QUESTION]), malformed);
        check(&message(|head| head[11] = 2, &[QUESTION, OPT, OPT]), malformed);
        check(&message(|head| head[11] = 1, &[QUESTION, b"\x01x", OPT]), malformed);
        check(&message(|head| head[11] = 1, &[QUESTION, &OPT[..10], &[4], b"\x00\x08\x00\x09"]), malformed);
        check(&message(|head| head[7] = 1, &[QUESTION, &OPT[..9]]), malformed);
    }

    proptest! {
        #[test]
        fn reading_never_panics(octets in proptest::collection::vec(any::<u8>(), 0..600)) {
            let _ = Query::read(&octets, &mut Qname::default());
        }

        #[test]
        fn reading_a_damaged_query_never_panics(at in 0_usize..60, octet: u8) {
            let mut octets = message(|head| head[11] = 1, &[QUESTION, OPT]);
            if let Some(slot) = octets.get_mut(at) {
                *slot = octet;
            }
            let _ = Query::read(&octets, &mut Qname::default());
        }
    }
}
