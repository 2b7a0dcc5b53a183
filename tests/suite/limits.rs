//! No response is longer than its limit, cut or whole, and no octets bring `answer()` down.

use std::cell::RefCell;
use std::fmt::Write as _;

use bellwether::answer::{Outcome, Transport};
use bellwether::health::Board;
use bellwether::wire::header::Rcode;
use hickory_proto::op::Message;
use hickory_proto::serialize::binary::DecodeError;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::Index;

use crate::answers::{lines, request};
use crate::kinds::{MEMBERS, kinds};
use crate::served::{Desk, Words, served};

/// Sets of 10, 40 and 300 addresses, the last far over any datagram; a TXT of 1,000 octets; a referral whose
/// servers are many.
fn desk() -> Desk {
    let mut zone = "$TTL 300\n@ IN SOA ns h 1 2 3 4 60\n@ NS ns\nns A 192.0.2.53\n".to_owned();
    for (owner, count) in [("ten", 10), ("forty", 40), ("hundreds", 300)] {
        for number in 0..count {
            writeln!(zone, "{owner} A 192.0.{}.{}", 2 + number / 250, number % 250 + 1).expect("a string");
        }
    }
    let text = format!("\"{}\" ", "x".repeat(249)).repeat(4);
    writeln!(zone, "text TXT {text}\ntotext CNAME text").expect("a string");
    for number in 0..13 {
        writeln!(
            zone,
            "sub NS ns{number}.sub\nns{number}.sub A 192.0.2.{number}\nns{number}.sub AAAA 2001:db8::{number}"
        )
        .expect("a string");
    }
    let mut pools = "wide round-robin".to_owned();
    (1..=64).for_each(|number| write!(pools, " 2001:db8::{number:x}").expect("a string"));
    let words = Words { apex: "example.com", zone: &zone, pools: &pools, names: "wide wide 64 5 30 serve-all" };
    Desk::new(vec![served(words, &Board::new())])
}

#[test]
fn what_does_not_fit_is_cut_by_whole_sets() {
    let check = |text: &str, limit: usize, head: &str, records: [usize; 3]| {
        let mut desk = desk();
        let request = request(text);
        let (_, response) = desk.ask(Transport::Udp, &request);
        assert!(response.len() <= limit, "{text}: {} octets", response.len());
        let shown = lines(&request, response);
        let count = |section: &str| shown.iter().filter(|line| line.starts_with(section)).count();
        assert_eq!((shown[0].as_str(), [count("an "), count("ns "), count("ar ")]), (head, records), "{text}");
        // A stream has room for everything.
        let (_, response) = desk.ask(Transport::Tcp, &request);
        let whole = lines(&request, response);
        assert!(!whole[0].contains("tc"), "{text}: {}", whole[0]);
        assert!(head.contains("tc") == (whole.len() > shown.len()), "{text}: {} lines, {}", whole.len(), shown.len());
    };
    check("ten.example.com. A", 512, "NoError aa", [10, 0, 0]);
    check("forty.example.com. A", 512, "NoError aa tc", [0, 0, 0]);
    check("forty.example.com. A edns", 1232, "NoError aa", [40, 0, 0]);
    check("forty.example.com. A payload=600", 600, "NoError aa tc", [0, 0, 0]);
    check("hundreds.example.com. A payload=4096", 1232, "NoError aa tc", [0, 0, 0]);
    check("text.example.com. TXT", 512, "NoError aa tc", [0, 0, 0]);
    check("text.example.com. TXT edns", 1232, "NoError aa", [1, 0, 0]);
    check("totext.example.com. TXT", 512, "NoError aa tc", [1, 0, 0]);
    check("wide.example.com. AAAA", 512, "NoError aa tc", [0, 0, 0]);
    check("wide.example.com. AAAA edns", 1232, "NoError aa tc", [0, 0, 0]);
    check("x.sub.example.com. A edns", 1232, "NoError", [0, 13, 26]);
    // RFC 9471 §3.1: glue that does not fit is told by TC.
    let mut desk = desk();
    let (_, response) = desk.ask(Transport::Udp, &request("x.sub.example.com. A"));
    let message = Message::from_vec(response).expect("a message");
    assert!(message.metadata.truncation && message.authorities.len() == 13 && response.len() <= 512);
}

/// The set that exactly fits is whole, and with one octet less it is cut.
#[test]
fn the_limit_is_met_to_the_octet() {
    let question = 12 + "four.example.com".len() + 2 + 4;
    for records in 1..=40 {
        let mut zone = "$TTL 300\n@ IN SOA ns h 1 2 3 4 60\n@ NS ns\nns A 192.0.2.53\n".to_owned();
        (1..=records).for_each(|number| writeln!(zone, "four A 192.0.2.{number}").expect("a string"));
        let mut desk =
            Desk::new(vec![served(Words { apex: "example.com", zone: &zone, ..Words::default() }, &Board::new())]);
        let fits = question + 16 * records + 11;
        for (payload, is_cut) in [(fits, false), (fits - 1, true)] {
            if payload < 512 {
                continue;
            }
            let (_, response) = desk.ask(Transport::Udp, &request(&format!("four.example.com. A payload={payload}")));
            assert_eq!((response.len() == fits, response[2] & 2 != 0), (!is_cut, is_cut), "{records} in {payload}");
        }
    }
}

/// The message, read by a decoder that knows two families: a client subnet of no bits may be of any and goes back as
/// it came (RFC 7871 §7.2.1), so where reading fails such a subnet is made one of IPv4.
fn decoded(response: &[u8]) -> Result<Message, DecodeError> {
    Message::from_vec(response).or_else(|error| {
        const NO_BITS: ([u8; 4], [u8; 2]) = ([0, 8, 0, 4], [0, 0]);
        let subnet = |option: &[u8]| option[..4] == NO_BITS.0 && option[6..] == NO_BITS.1;
        let at = response.windows(8).rposition(subnet).ok_or(error)?;
        let mut known = response.to_vec();
        known[at + 4..at + 6].copy_from_slice(&[0, 1]);
        Message::from_vec(&known)
    })
}

/// What holds of any answer to any octets.
fn hold(desk: &mut Desk, octets: &[u8]) {
    for transport in [Transport::Udp, Transport::Tcp] {
        let (outcome, response) = desk.ask(transport, octets);
        match outcome {
            Outcome::Dropped(_) => assert_eq!(response.len(), 0, "{octets:?}"),
            Outcome::Answered(rcode) => {
                assert_eq!(response[..2], octets[..2]);
                assert_eq!(response[2] & 0xf8, 0x80 | octets[2] & 0x78, "QR and the opcode of {octets:?}");
                let decoded = decoded(response).unwrap_or_else(|error| panic!("{error} in the answer to {octets:?}"));
                let has_edns = decoded.edns.is_some();
                let limit = match transport {
                    Transport::Udp if has_edns => 1232,
                    Transport::Udp => 512,
                    _ => 65_535,
                };
                assert!(response.len() <= limit, "{} octets to {octets:?}", response.len());
                if matches!(rcode, Rcode::FormErr | Rcode::NotImp) && response.len() != 12 {
                    // The one that was read whole: a question for OPT.
                    assert_eq!(response[4..6], [0, 1], "{octets:?}");
                    assert!(response.len() <= octets.len(), "{octets:?}");
                }
            }
        }
    }
}

#[test]
fn any_octets_are_survived() {
    let desk = RefCell::new(desk());
    proptest!(|(octets in vec(any::<u8>(), 0..600))| hold(&mut desk.borrow_mut(), &octets));
}

#[test]
fn damaged_queries_are_survived() {
    let (mut desk, kinds) = kinds(&MEMBERS);
    // geo.#xample.com. A, and a subnet of no bits and of no family that is known.
    hold(
        &mut desk,
        b"\xbe\x11\x01\0\0\x01\0\0\0\0\0\x01\x03geo\x07#xample\x03com\0\0\x01\0\x01\
        \0\0\x29\x04\xd0\0\0\0\0\0\x08\0\x08\0\x04\x01\x02\0\0\0\0",
    );
    let desk = RefCell::new(desk);
    let damage = vec((any::<Index>(), any::<u8>()), 0..4);
    let cases = ProptestConfig::with_cases(4_096);
    proptest!(cases, |(which: Index, tail in vec(any::<u8>(), 0..20), damage in damage, cut in option::of(any::<Index>()))| {
        let mut octets = which.get(&kinds).request.clone();
        octets.extend(tail);
        for (at, octet) in damage {
            let at = at.index(octets.len());
            octets[at] = octet;
        }
        if let Some(cut) = cut {
            octets.truncate(cut.index(octets.len() + 1));
        }
        hold(&mut desk.borrow_mut(), &octets);
    });
}
