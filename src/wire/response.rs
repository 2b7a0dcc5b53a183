//! What carriers need of a response that is already composed: how long it may be kept, and how to cut it.
//!
//! Sources: RFC 8484 §5.1 (freshness: the least TTL of the answers; where there is none, of the SOA record that denies
//! them, and the negative TTL within it, RFC 2308 §5), RFC 2181 §9 (TC), RFC 9715 §3.1.

use super::header::HEADER_OCTETS;
use super::rtype::Rtype;

/// Seconds that the response may be kept; `None` where nothing in it says so, or when it cannot be read.
///
/// Cost: one walk over its records.
pub fn freshness(response: &[u8]) -> Option<u32> {
    let count = |at: usize| Some(u16::from_be_bytes(*response.get(at..)?.first_chunk()?));
    let (questions, answers, authorities) = (count(4)?, count(6)?, count(8)?);
    let mut rest = response.get(HEADER_OCTETS..)?;
    for _ in 0..questions {
        rest = after_name(rest)?.get(4..)?;
    }
    let mut least = None::<u32>;
    for number in 0..usize::from(answers) + usize::from(authorities) {
        let record;
        (record, rest) = split_record(rest)?;
        let ttl = match (number < usize::from(answers), record.rtype == Rtype::SOA.0) {
            (true, _) => record.ttl,
            // The last four octets of an SOA record are its negative TTL.
            (false, true) if answers == 0 => record.ttl.min(u32::from_be_bytes(*record.rdata.last_chunk()?)),
            _ => continue,
        };
        least = Some(least.map_or(ttl, |least| least.min(ttl)));
    }
    least
}

/// Cuts a response to its question and its OPT record, with TC set, in place; gives the length of what is left, which
/// is all of it when it cannot be read.
///
/// Cost: one walk over its records.
pub fn cut(response: &mut [u8]) -> usize {
    let whole = response.len();
    let Some((question_end, opt)) = question_and_opt(response) else { return whole };
    let opt_length = opt.len();
    response.copy_within(opt, question_end);
    let Some(header) = response.first_chunk_mut::<HEADER_OCTETS>() else { return whole };
    header[2] |= 2;
    header[6..].copy_from_slice(&[0, 0, 0, 0, 0, u8::from(opt_length > 0)]);
    question_end + opt_length
}

/// Where the question ends, and where the OPT record is, empty when there is none.
fn question_and_opt(response: &[u8]) -> Option<(usize, std::ops::Range<usize>)> {
    let count = |at: usize| Some(u16::from_be_bytes(*response.get(at..)?.first_chunk()?));
    let mut rest = response.get(HEADER_OCTETS..)?;
    for _ in 0..count(4)? {
        rest = after_name(rest)?.get(4..)?;
    }
    let question_end = response.len() - rest.len();
    let records = u32::from(count(6)?) + u32::from(count(8)?) + u32::from(count(10)?);
    for _ in 0..records {
        let start = response.len() - rest.len();
        let record;
        (record, rest) = split_record(rest)?;
        if record.rtype == OPT {
            return Some((question_end, start..response.len() - rest.len()));
        }
    }
    Some((question_end, question_end..question_end))
}

/// RFC 6891 §9.
const OPT: u16 = 41;

struct Record<'r> {
    rtype: u16,
    ttl: u32,
    rdata: &'r [u8],
}

fn split_record(octets: &[u8]) -> Option<(Record<'_>, &[u8])> {
    let (fixed, rest) = after_name(octets)?.split_first_chunk::<10>()?;
    let [t0, t1, _, _, a, b, c, d, l0, l1] = *fixed;
    let (rdata, rest) = rest.split_at_checked(u16::from_be_bytes([l0, l1]).into())?;
    Some((Record { rtype: u16::from_be_bytes([t0, t1]), ttl: u32::from_be_bytes([a, b, c, d]), rdata }, rest))
}

/// What follows a name, which may end in a pointer (RFC 1035 §4.1.4).
fn after_name(mut octets: &[u8]) -> Option<&[u8]> {
    loop {
        let (&length, rest) = octets.split_first()?;
        match length {
            0 => return Some(rest),
            1..=63 => octets = rest.get(usize::from(length)..)?,
            192.. => return rest.get(1..),
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::str::FromStr as _;

    use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query};
    use hickory_proto::rr::rdata::{A, NS, SOA};
    use hickory_proto::rr::{Name, RData, Record as HickoryRecord, RecordType};

    use super::*;

    fn record(ttl: u32, rdata: RData) -> HickoryRecord {
        HickoryRecord::from_rdata(Name::from_str("www.example.com.").expect("a name"), ttl, rdata)
    }

    fn address(ttl: u32) -> HickoryRecord {
        record(ttl, RData::A(A(Ipv4Addr::new(192, 0, 2, 1))))
    }

    fn soa(ttl: u32, negative: u32) -> HickoryRecord {
        let name = Name::from_str("example.com.").expect("a name");
        record(ttl, RData::SOA(SOA::new(name.clone(), name, 1, 2, 3, 4, negative)))
    }

    #[test]
    fn what_is_cut_keeps_its_question_and_its_options() {
        let check = |edns: Option<Edns>| {
            let mut message = Message::new(7, MessageType::Response, OpCode::Query);
            message.add_query(Query::query(Name::from_str("www.example.com.").expect("a name"), RecordType::A));
            message.add_answers([address(30), address(30)]);
            message.add_authorities([soa(300, 60)]);
            message.edns = edns;
            let mut octets = message.to_vec().expect("a message");
            let length = cut(&mut octets);
            let left = Message::from_vec(&octets[..length]).expect("what is left is a message");
            assert!(left.metadata.truncation && left.answers.is_empty() && left.authorities.is_empty());
            assert_eq!((left.metadata.id, &left.queries, &left.edns), (7, &message.queries, &message.edns));
            // Cut anywhere before, it is left as it is or gets no longer, and nothing falls over.
            (0..octets.len()).for_each(|end| assert!(cut(&mut octets.clone()[..end]) <= end));
        };
        check(None);
        let mut edns = Edns::new();
        edns.set_max_payload(1232).set_dnssec_ok(true);
        check(Some(edns));
    }

    #[test]
    fn the_least_ttl_counts() {
        let check = |answers: Vec<HickoryRecord>, authorities: Vec<HickoryRecord>, expected| {
            let mut message = Message::new(1, MessageType::Response, OpCode::Query);
            message.add_query(Query::query(Name::from_str("www.example.com.").expect("a name"), RecordType::A));
            message.add_answers(answers);
            message.add_authorities(authorities);
            let octets = message.to_vec().expect("a message");
            assert_eq!(freshness(&octets), expected);
            // Cut anywhere, it says nothing and does not fall over.
            (0..octets.len()).for_each(|cut| assert!(freshness(&octets[..cut]).is_none() || expected.is_some()));
        };
        let ns = || record(7, RData::NS(NS(Name::from_str("ns.example.com.").expect("a name"))));
        check(vec![address(30), address(20)], vec![ns()], Some(20));
        check(vec![address(30)], vec![soa(5, 5)], Some(30));
        check(vec![], vec![soa(300, 60)], Some(60));
        check(vec![], vec![soa(30, 60)], Some(30));
        check(vec![], vec![ns()], None);
        check(vec![], vec![], None);
    }
}
