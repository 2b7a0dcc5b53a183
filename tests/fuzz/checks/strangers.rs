//! What must not be believed without proof: cookies, the headers of front ends, signatures.

use std::cell::OnceCell;
use std::iter;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use bellwether::geo::Network;
use bellwether::health::Board;
use bellwether::snapshot::Snapshot;
use bellwether::transfer::{Algorithm, Carrier, Grant, Grants, Key, Keys, Received, Verdict};
use bellwether::transport::proxy;
use bellwether::wire::cookie::{Proof, Secret, Secrets};
use bellwether::wire::name::Name;
use bellwether::wire::qname::Qname;
use bellwether::wire::query::Query;
use domain::base::{Message as DomainMessage, MessageBuilder};
use domain::rdata::tsig::Time48;
use domain::tsig::{self, ClientSequence};
use hickory_proto::op::Message;
use hickory_proto::rr::RecordType;

use crate::served::{Words, served};

/// The secrets of a server: the one that signs, and the one of before.
const FIRST: [u8; 16] = *b"the first secret";
const OLD: [u8; 16] = *b"the one of yore.";

/// A first octet that says what to do, 4 that say how old the cookie is, and the data of the option: judged as RFC
/// 9018 has it, by a hash of our own making. Nothing but what a secret made is believed, and that by its own client
/// alone, and in its time.
pub fn cookie(octets: &[u8]) {
    let Some((&[bits, a, b, c, d], data)) = octets.split_first_chunk() else { return };
    let now = 1_800_000_000_u32;
    let dated = now.wrapping_add(u32::from_be_bytes([a, b, c, d]));
    let (client, other) = if bits & 1 == 0 {
        (IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2)))
    } else {
        let v6 = |last| IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, last));
        (v6(1), v6(2))
    };
    let mut data = data.to_vec();
    // Half of those that have the length are well made.
    if let Ok(cookie) = <&mut [u8; 24]>::try_from(&mut data[..])
        && bits & 2 != 0
    {
        cookie[8] = 1;
        cookie[12..16].copy_from_slice(&dated.to_be_bytes());
        let hash = naive_hash(&cookie[..16], client, if bits & 4 == 0 { FIRST } else { OLD });
        cookie[16..].copy_from_slice(&hash);
    }
    let secrets = Secrets::new([FIRST, OLD].map(Secret::new).into());
    let Ok(judged) = secrets.judge(&data, client, now) else {
        assert!(data.len() != 8 && !(16..=40).contains(&data.len()), "a cookie's length");
        return;
    };
    assert!(data.len() == 8 || (16..=40).contains(&data.len()), "no cookie's length");
    let judged = judged.expect("there are secrets");
    let good = good(&data, client, now);
    assert_eq!(judged.proof == Proof::Given, good.is_some(), "{data:?}");
    assert_eq!(judged.answer[..8], data[..8], "the client's part is given back");
    if good == Some(Good::Fresh) {
        assert_eq!(judged.answer[..], data, "a fresh one is kept");
    } else {
        assert_eq!((&judged.answer[8..12], &judged.answer[12..16]), (&[1, 0, 0, 0][..], &now.to_be_bytes()[..]));
        assert_eq!(judged.answer[16..], naive_hash(&judged.answer[..16], client, FIRST));
    }
    let proof = |data: &[u8], client, now| {
        secrets.judge(data, client, now).ok().flatten().map(|judged| (judged.proof, judged.answer == *data))
    };
    assert_eq!(proof(&judged.answer, client, now), Some((Proof::Given, true)), "what is given is good");
    assert_eq!(proof(&judged.answer, other, now).map(|(proof, _)| proof), Some(Proof::Missing), "another's");
    let mut forged = judged.answer;
    let bit = usize::from(a) % (8 * forged.len());
    forged[bit / 8] ^= 1 << (bit % 8);
    assert_eq!(proof(&forged, client, now).map(|(proof, _)| proof), Some(Proof::Missing), "bit {bit} is another");
    assert_eq!(Secrets::default().judge(&data, client, now), Ok(None), "no secret, no word");
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Good {
    Fresh,
    /// To be given anew.
    Old,
}

fn good(data: &[u8], client: IpAddr, now: u32) -> Option<Good> {
    if data.len() != 24 || data[8] != 1 {
        return None;
    }
    let dated = u32::from_be_bytes([data[12], data[13], data[14], data[15]]);
    let age = i64::from(now) - i64::from(dated);
    let secret = [FIRST, OLD].into_iter().find(|&secret| naive_hash(&data[..16], client, secret) == data[16..])?;
    match age {
        -300..1_800 if secret == FIRST => Some(Good::Fresh),
        -300..=3_600 => Some(Good::Old),
        _ => None,
    }
}

/// SipHash-2-4 over a cookie's first 16 octets and its client's address (RFC 9018 §4.4).
fn naive_hash(head: &[u8], client: IpAddr, key: [u8; 16]) -> [u8; 8] {
    let address = match client {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    };
    let message = [head, &address].concat();
    let word = |octets: &[u8]| octets.iter().rev().fold(0_u64, |word, &octet| word << 8 | u64::from(octet));
    let (k0, k1) = (word(&key[..8]), word(&key[8..]));
    let mut v = [
        k0 ^ 0x736f_6d65_7073_6575,
        k1 ^ 0x646f_7261_6e64_6f6d,
        k0 ^ 0x6c79_6765_6e65_7261,
        k1 ^ 0x7465_6462_7974_6573,
    ];
    let round = |v: &mut [u64; 4]| {
        v[0] = v[0].wrapping_add(v[1]);
        v[2] = v[2].wrapping_add(v[3]);
        v[1] = v[1].rotate_left(13) ^ v[0];
        v[3] = v[3].rotate_left(16) ^ v[2];
        v[0] = v[0].rotate_left(32);
        v[2] = v[2].wrapping_add(v[1]);
        v[0] = v[0].wrapping_add(v[3]);
        v[1] = v[1].rotate_left(17) ^ v[2];
        v[3] = v[3].rotate_left(21) ^ v[0];
        v[2] = v[2].rotate_left(32);
    };
    let absorb = |v: &mut [u64; 4], word: u64| {
        v[3] ^= word;
        (0..2).for_each(|_| round(v));
        v[0] ^= word;
    };
    let mut words = message.chunks_exact(8);
    for chunk in &mut words {
        absorb(&mut v, word(chunk));
    }
    absorb(&mut v, word(words.remainder()) | (message.len() as u64) << 56);
    v[2] ^= 0xff;
    (0..4).for_each(|_| round(&mut v));
    (v[0] ^ v[1] ^ v[2] ^ v[3]).to_le_bytes()
}

/// Any octets as what a front end sends, and the same octets as the parts of a header that is well made.
pub fn proxy(octets: &[u8]) {
    let read = proxy::read(octets);
    assert_eq!(read.ok(), naive_header(octets), "{octets:?}");
    if let Ok(header) = read {
        assert!((proxy::FIXED_OCTETS..=proxy::HEADER_OCTETS_MAX).contains(&header.length));
        assert_eq!(proxy::read(&octets[..header.length]), read, "nothing behind the header counts");
        assert!(proxy::read(&octets[..header.length - 1]).is_err(), "a header cut short");
    }
    let Some((&[command, family, kind], rest)) = octets.split_first_chunk() else { return };
    let (command, family, kind) = (command % 2, family % 4, kind % 3);
    let least = [0, 12, 36, 216][usize::from(family)];
    let mut body = rest.to_vec();
    body.resize(body.len().max(least), 0xee);
    let mut header = b"\r\n\r\n\0\r\nQUIT\n".to_vec();
    header.extend([0x20 | command, family << 4 | kind]);
    header.extend((body.len() as u16).to_be_bytes());
    header.extend(&body);
    if body.len() > proxy::HEADER_OCTETS_MAX - proxy::FIXED_OCTETS {
        assert!(proxy::read(&header).is_err(), "{} octets", header.len());
        return;
    }
    let source = match (command, family) {
        (1, 1) => Some(IpAddr::from(<[u8; 4]>::try_from(&body[..4]).expect("four"))),
        (1, 2) => Some(IpAddr::from(<[u8; 16]>::try_from(&body[..16]).expect("sixteen")).to_canonical()),
        _ => None,
    };
    assert_eq!(proxy::read(&header), Ok(proxy::Header { length: header.len(), source }));
}

/// haproxy `doc/proxy-protocol.txt` §2.2, field by field.
fn naive_header(octets: &[u8]) -> Option<proxy::Header> {
    let body = octets.strip_prefix(b"\r\n\r\n\0\r\nQUIT\n")?;
    let (&[version_command, family_kind, high, low], body) = body.split_first_chunk()?;
    let size = usize::from(high) * 256 + usize::from(low);
    let body = body.get(..size).filter(|_| size + 16 <= proxy::HEADER_OCTETS_MAX)?;
    let source = match (version_command, family_kind) {
        (0x20, 0x00..=0x02 | 0x10..=0x12 | 0x20..=0x22 | 0x30..=0x32) => None,
        (0x21, 0x00..=0x02 | 0x30..=0x32) => None,
        (0x21, 0x10..=0x12) => Some(IpAddr::from(<[u8; 4]>::try_from(body.get(..12)?.get(..4)?).ok()?)),
        (0x21, 0x20..=0x22) => {
            Some(IpAddr::from(<[u8; 16]>::try_from(body.get(..36)?.get(..16)?).ok()?).to_canonical())
        }
        _ => return None,
    };
    Some(proxy::Header { length: 16 + size, source })
}

const ZONE: &str = "
@ 300 SOA ns1 hostmaster 7 7200 900 1209600 300
@ 300 NS ns1
ns1 300 A 192.0.2.53
*.wild 300 TXT \"any\"
sub 300 NS ns.sub
ns.sub 300 A 192.0.2.54
other 300 TYPE65280 \\# 3 010203
";

/// Records of [`ZONE`].
const RECORDS: usize = 7;

const NOW: u64 = 1_800_000_000;

struct Primary {
    snapshot: Snapshot,
    open: Grants,
    keyed: Grants,
    key: tsig::Key,
}

impl Primary {
    fn new() -> Self {
        let words = Words { apex: "example.org", zone: ZONE, ..Words::default() };
        let name = Name::from_host("k.example").expect("a name");
        let secret = b"thirty-two octets of a secret...";
        let key = Key { name: name.clone(), algorithm: Algorithm::Sha256, secret: (*secret).into() };
        let grants = |key_name: Option<Name>| Grants {
            grants: [Grant { network: Network::parse("192.0.2.0/24").expect("a network"), key: key_name }].into(),
            keys: Keys::new([&key]),
        };
        let theirs = "k.example".parse().expect("a name");
        Self {
            snapshot: Snapshot::new(1, vec![served(words, &Board::new())]),
            open: grants(None),
            keyed: grants(Some(name)),
            key: tsig::Key::new(tsig::Algorithm::Sha256, secret, theirs, None, None).expect("a key"),
        }
    }
}

thread_local! {
    static PRIMARY: OnceCell<Primary> = const { OnceCell::new() };
}

/// Who may have zones in [`Primary`], and who may not.
const SECONDARY: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
const STRANGER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 3, 1));

const CARRIERS: [Carrier; 3] = [Carrier::Stream, Carrier::Datagram, Carrier::Exchange];

/// Any octets as a request: nothing unsigned gets past a key, nothing is taken for signed that was not, and what is
/// transferred is the zone, whole, signed message by message. Then the same question, signed.
pub fn transfer(octets: &[u8]) {
    PRIMARY.with(|primary| {
        let primary = primary.get_or_init(Primary::new);
        let mut qname = Qname::default();
        let query = Query::read(octets, &mut qname).ok();
        let is_sound = |query: &Query<'_>| query.qclass == 1 && query.edns.is_none_or(|edns| edns.version == 0);
        let qtype = query.filter(is_sound).map_or(0, |query| query.qtype.0);
        let is_ours = qname.octets() == b"\x07example\x03org\0";
        for carrier in CARRIERS {
            for (grants, peer) in [(&primary.open, SECONDARY), (&primary.keyed, SECONDARY), (&primary.open, STRANGER)] {
                if !grants.concern(octets) {
                    continue;
                }
                let granted = is_ours && std::ptr::eq(grants, &primary.open) && peer == SECONDARY;
                match grants.receive(&primary.snapshot, (peer, carrier), octets, NOW) {
                    Received::Ordinary => assert!(carrier != Carrier::Stream || !matches!(qtype, 251 | 252)),
                    Received::Signed(..) => panic!("a signature that nobody made"),
                    Received::Transfer(mut transfer) => {
                        assert!(granted && carrier == Carrier::Stream && matches!(qtype, 251 | 252));
                        check_zone(&iter::from_fn(|| transfer.message(NOW)).collect::<Vec<_>>(), qtype);
                    }
                    Received::Reply(reply, verdict) => check_reply(&reply, verdict, granted),
                }
            }
        }
        if let Some(query) = query.filter(|query| !query.question.is_empty()) {
            signed(primary, octets, &query, usize::from(octets[octets.len() - 1]) << 8 | usize::from(octets[1]));
        }
    });
}

fn check_reply(reply: &[u8], verdict: Verdict, granted: bool) {
    let reply = Message::from_vec(reply).expect("whatever is sent can be read");
    let code = u16::from(reply.metadata.response_code);
    match verdict {
        // FORMERR where the signature is none, NOTAUTH where it is bad (RFC 8945 §5.2).
        Verdict::BadSignature => assert!(matches!(code, 1 | 9), "{:?}", reply.metadata),
        Verdict::Denied => assert!(!granted && matches!(code, 5 | 9), "{:?}", reply.metadata),
        Verdict::Told => {
            assert!(granted && code == 0 && reply.answers.len() == 1, "{reply:?}");
            assert_eq!(reply.answers[0].record_type(), RecordType::SOA);
        }
    }
}

/// Asks the same with a signature, and with one bit of it another.
fn signed(primary: &Primary, octets: &[u8], query: &Query<'_>, bit: usize) {
    let Ok(theirs) = DomainMessage::from_octets(octets) else { return };
    let mut builder = MessageBuilder::new_vec();
    builder.header_mut().set_id(theirs.header().id());
    let mut section = builder.question();
    let Some(Ok(question)) = theirs.question().next() else { return };
    section.push(question).expect("room");
    let mut section = section.additional();
    let key = primary.key.clone();
    let mut client = ClientSequence::request(key, &mut section, Time48::from_u64(NOW)).expect("room");
    let signed = section.finish();
    assert!(primary.keyed.concern(&signed));
    let receive =
        |octets: &[u8]| primary.keyed.receive(&primary.snapshot, (SECONDARY, Carrier::Stream), octets, NOW + 1);
    let messages = match receive(&signed) {
        Received::Ordinary => panic!("not believed"),
        Received::Signed(plain, mut signer) => {
            let mut response = plain[..12 + query.question.len()].to_vec();
            assert_eq!(response[12..], *query.question, "the same question");
            response[2] |= 0x80;
            vec![signer.sign(&response, usize::from(u16::MAX), NOW + 1)]
        }
        Received::Transfer(mut transfer) => {
            let messages: Vec<Vec<u8>> = iter::from_fn(|| transfer.message(NOW + 1)).collect();
            check_zone(&messages, query.qtype.0);
            messages
        }
        Received::Reply(reply, verdict) => {
            assert_eq!(verdict, Verdict::Denied);
            vec![reply]
        }
    };
    for message in messages {
        let mut message = DomainMessage::from_octets(message).expect("a message");
        client.answer(&mut message, Time48::from_u64(NOW + 2)).expect("a good signature");
    }
    client.done().expect("the last is signed");
    // Not signed are the id, which may be another's on the way (RFC 8945 §5.3), and of the signature's own record the
    // case of its name, and its class and TTL, for which what they must be is signed (§4.3.3).
    let bit = 16 + bit % (8 * signed.len() - 16);
    let is_case = bit % 8 == 5 && signed[bit / 8].is_ascii_alphabetic();
    let class_at = 12 + query.question.len() + b"\x01k\x07example\0".len() + 2;
    let is_free = is_case || (class_at..class_at + 6).contains(&(bit / 8));
    let mut forged = signed;
    forged[bit / 8] ^= 1 << (bit % 8);
    let believed =
        primary.keyed.concern(&forged) && matches!(receive(&forged), Received::Signed(..) | Received::Transfer(_));
    assert!(!believed || is_free, "bit {bit} is another");
}

/// Holds the messages of a transfer against the zone.
fn check_zone(messages: &[Vec<u8>], qtype: u16) {
    let mut records = Vec::new();
    for octets in messages {
        let message = Message::from_vec(octets).expect("whatever is sent can be read");
        assert!(message.metadata.authoritative && u16::from(message.metadata.response_code) == 0);
        records.extend(message.answers);
    }
    // To whoever has the serial, the SOA alone (RFC 1995 §4).
    assert!(records.len() == RECORDS + 1 || (qtype == 251 && records.len() == 1), "{records:?}");
    let is_soa = |record: &hickory_proto::rr::Record| record.record_type() == RecordType::SOA;
    assert!(records.first().is_some_and(is_soa) && records.last().is_some_and(is_soa));
}
