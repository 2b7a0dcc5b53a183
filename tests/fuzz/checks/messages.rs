//! What is read of messages, held against hickory-proto.

use bellwether::wire::ecs::Subnet;
use bellwether::wire::option::{COOKIE, ECS, KEEPALIVE, NSID, PADDING};
use bellwether::wire::qname::Qname;
use bellwether::wire::query::{Query, Unreadable};
use hickory_proto::op::{Message, MessageType, OpCode};
use hickory_proto::rr::rdata::opt::{ClientSubnet, EdnsCode, EdnsOption};
use hickory_proto::serialize::binary::{BinDecodable, BinDecoder, BinEncodable};

/// Our reader against hickory-proto's on the same octets: whoever takes the question reads the same in it.
pub fn query(octets: &[u8]) {
    let mut qname = Qname::default();
    let ours = Query::read(octets, &mut qname);
    if let Ok(query) = &ours {
        if query.question.is_empty() {
            assert!(query.header.qdcount == 0 && query.edns.is_some(), "no question, and nothing else to answer");
        } else {
            let mut decoder = BinDecoder::new(octets);
            hickory_proto::op::Header::read(&mut decoder).expect("a header that we took");
            let theirs = hickory_proto::op::Query::read(&mut decoder).expect("a question that we took");
            let name = theirs.name().to_lowercase();
            assert_eq!(name.to_bytes().expect("a name"), qname.octets(), "the name of the question");
            assert_eq!(
                (u16::from(theirs.query_type()), u16::from(theirs.query_class())),
                (query.qtype.0, query.qclass)
            );
        }
        if let Some(data) = query.edns.as_ref().and_then(|edns| edns.ecs) {
            ecs(data);
        }
    }
    // They take a pointer in a question, and what is behind the last record.
    let Ok(theirs) = Message::from_vec(octets) else { return };
    let has_question =
        theirs.queries.len() == 1 && octets.get(12..).is_some_and(|question| Qname::default().read(question).is_ok());
    let is_plain = theirs.metadata.message_type == MessageType::Query
        && theirs.metadata.op_code == OpCode::Query
        && (has_question || (theirs.queries.is_empty() && theirs.edns.is_some()));
    match ours {
        Ok(query) => {
            assert_eq!(theirs.edns.is_some(), query.edns.is_some(), "an OPT record");
            let (Some(theirs), Some(ours)) = (theirs.edns, query.edns) else { return };
            // They raise sizes under 512, as §6.2.3 has it; here that is done by who uses it.
            assert_eq!(theirs.max_payload().max(512), ours.payload.max(512), "the payload size");
            assert_eq!((theirs.version(), theirs.flags().dnssec_ok), (ours.version, ours.dnssec_ok));
            let has = |code| ours.version == 0 && theirs.option(EdnsCode::from(code)).is_some();
            assert_eq!([NSID, KEEPALIVE, PADDING].map(has), [ours.wants_nsid, ours.wants_keepalive, ours.pads]);
            assert_eq!([ECS, COOKIE].map(has), [ours.ecs.is_some(), ours.cookie.is_some()]);
            if let (Some(EdnsOption::Unknown(_, theirs)), Some(ours)) = (theirs.option(EdnsCode::Cookie), ours.cookie) {
                assert_eq!(theirs, ours, "the first cookie");
            }
        }
        Err(Unreadable::Malformed(_)) if is_plain => {
            // Options that are not whole are ours to refuse.
            assert!(theirs.edns.is_some(), "they read a question that we call malformed");
        }
        Err(_) => {}
    }
}

/// Any octets as a client subnet option: what is taken is what hickory-proto reads.
pub fn ecs(octets: &[u8]) {
    let Ok(subnet) = Subnet::read(octets) else { return };
    let Some(address) = subnet.address else { return };
    let theirs = ClientSubnet::read(&mut BinDecoder::new(octets)).expect("an option that we took");
    assert_eq!((theirs.addr(), theirs.source_prefix()), (address, subnet.bits));
}
