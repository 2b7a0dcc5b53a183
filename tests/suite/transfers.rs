//! Zones as secondaries get them: what is in a transfer, who may have one, and signatures. Requests are made and
//! answers read by hickory-proto and by the client's side of `domain`'s TSIG.

use std::collections::BTreeMap;
use std::iter;
use std::net::{IpAddr, UdpSocket};

use bellwether::answer::Transport;
use bellwether::geo::Network;
use bellwether::health::Board;

use bellwether::snapshot::{Served, Snapshot};
use bellwether::transfer::notify::Notify;
use bellwether::transfer::{Algorithm, Carrier, Grant, Grants, Key, Keys, Received, Verdict};
use bellwether::wire::name::Name;
use bellwether::wire::query::is_signed;
use domain::base::iana::Class;
use domain::base::{Message as DomainMessage, MessageBuilder, Rtype, Ttl};
use domain::rdata::Soa;
use domain::rdata::tsig::Time48;
use domain::tsig::{self, ClientSequence, KeyName};
use hickory_proto::op::{Message, OpCode, ResponseCode};
use hickory_proto::rr::{RData, Record, RecordType};

use crate::answers::request as question;
use crate::served::{Desk, Words, served};
use crate::support::server::Launch;
use crate::support::{PATIENCE, address, await_some};

const NOW: u64 = 1_800_000_000;
const SECRET: &[u8] = b"thirty-two octets of a secret...";

const ZONE: &str = "
$TTL 3600
@ SOA ns1 hostmaster 2026112101 7200 900 1209600 300
@ NS ns1
@ NS ns.example.net.
@ MX 10 mail
ns1 A 192.0.2.53
mail A 192.0.2.25
mail A 192.0.2.26
*.wild TXT \"any\"
a.b.c TXT \"deep\"
www TXT \"balanced, and yet there is this\"
sub NS ns.sub
ns.sub A 192.0.2.54
occluded.sub TXT \"not to be seen, but to be had\"
other TYPE65280 \\# 3 010203
";

fn zone() -> Served {
    let words = Words {
        apex: "example.org",
        zone: ZONE,
        pools: "web weighted 198.51.100.1 198.51.100.2",
        names: "www web 1 5 30 serve-all",
    };
    served(words, &Board::new())
}

fn snapshot() -> Snapshot {
    Snapshot::new(1, vec![zone()])
}

/// More records than a message holds.
fn large() -> Snapshot {
    let records: String = (0..5_000).map(|n| format!("h{n} TXT \"{n:>100}\"\n")).collect();
    let many: String = (0..2_000).map(|n| format!("many TXT \"{n:>100}\"\n")).collect();
    let zone = format!("{ZONE}{records}{many}");
    Snapshot::new(1, vec![served(Words { apex: "example.org", zone: &zone, ..Words::default() }, &Board::new())])
}

fn name(text: &str) -> Name {
    Name::from_host(text).expect("a name")
}

fn key() -> Key {
    Key { name: name("xfr.example.org"), algorithm: Algorithm::Sha256, secret: SECRET.into() }
}

fn clients_key(secret: &[u8]) -> tsig::Key {
    let name: KeyName = "xfr.example.org".parse().expect("a name");
    tsig::Key::new(tsig::Algorithm::Sha256, secret, name, None, None).expect("a key")
}

fn grants(grants: &[(&str, bool)]) -> Grants {
    let grant = |&(network, signed): &(&str, bool)| Grant {
        network: Network::parse(network).expect("a network"),
        key: signed.then(|| name("xfr.example.org")),
    };
    Grants { grants: grants.iter().map(grant).collect(), keys: Keys::new([&key()]) }
}

/// A question, with the serial that the asker has where it is for what has changed.
fn request(
    qname: &str,
    qtype: Rtype,
    serial: Option<u32>,
) -> domain::base::message_builder::AdditionalBuilder<Vec<u8>> {
    let qname: KeyName = qname.parse().expect("a name");
    let mut builder = MessageBuilder::new_vec();
    builder.header_mut().set_id(0x1234);
    let mut section = builder.question();
    section.push((&qname, qtype)).expect("room");
    let mut section = section.authority();
    if let Some(serial) = serial {
        let none = Ttl::from_secs(0);
        let soa = Soa::new(&qname, &qname, serial.into(), none, none, none, none);
        section.push((&qname, Class::IN, none, soa)).expect("room");
    }
    section.additional()
}

/// What comes of octets from `peer`: the messages, or the word for what else.
fn ask(snapshot: &Snapshot, grants: &Grants, peer: &str, octets: &[u8]) -> Result<Vec<Vec<u8>>, &'static str> {
    ask_by(Carrier::Stream, snapshot, grants, peer, octets)
}

fn ask_by(
    carrier: Carrier,
    snapshot: &Snapshot,
    grants: &Grants,
    peer: &str,
    octets: &[u8],
) -> Result<Vec<Vec<u8>>, &'static str> {
    if !grants.concern(octets) {
        return Err("no concern");
    }
    let peer: IpAddr = peer.parse().expect("an address");
    match grants.receive(snapshot, (peer, carrier), octets, NOW) {
        Received::Ordinary => Err("ordinary"),
        Received::Signed(..) => Err("signed"),
        Received::Transfer(mut transfer) => Ok(iter::from_fn(|| transfer.message(NOW)).collect()),
        Received::Reply(reply, Verdict::Told) => Ok(vec![reply]),
        Received::Reply(reply, verdict) => {
            let reply = Message::from_vec(&reply).expect("a message");
            assert_eq!((reply.metadata.id, reply.queries.len(), reply.answers.len()), (0x1234, 1, 0), "{reply}");
            Err(match (verdict, reply.metadata.response_code) {
                (Verdict::BadSignature, ResponseCode::NotAuth) => "bad signature",
                (Verdict::Denied, ResponseCode::NotAuth) => "not ours",
                (Verdict::Denied, ResponseCode::Refused) => "refused",
                (Verdict::Denied, ResponseCode::ServFail) => "not ready",
                other => panic!("{other:?}"),
            })
        }
    }
}

fn records(messages: &[Vec<u8>]) -> Vec<Record> {
    let mut records = Vec::new();
    for octets in messages {
        let message = Message::from_vec(octets).expect("a message");
        assert!(message.metadata.authoritative && message.metadata.id == 0x1234, "{:?}", message.metadata);
        records.extend(message.answers);
    }
    records
}

#[test]
fn a_transfer_is_the_static_half_between_two_soas() {
    let request = request("example.org", Rtype::AXFR, None).finish();
    let messages = ask(&snapshot(), &grants(&[("192.0.2.1/32", false)]), "192.0.2.1", &request).expect("granted");
    let records = records(&messages);
    let (first, last) = (records.first().expect("a first"), records.last().expect("a last"));
    assert_eq!((first.record_type(), first), (RecordType::SOA, last));
    let mut got: Vec<String> = records[1..records.len() - 1].iter().map(ToString::to_string).collect();
    let mut expected = [
        "example.org. 3600 IN NS ns1.example.org.",
        "example.org. 3600 IN NS ns.example.net.",
        "example.org. 3600 IN MX 10 mail.example.org.",
        "ns1.example.org. 3600 IN A 192.0.2.53",
        "mail.example.org. 3600 IN A 192.0.2.25",
        "mail.example.org. 3600 IN A 192.0.2.26",
        "*.wild.example.org. 3600 IN TXT any",
        "a.b.c.example.org. 3600 IN TXT deep",
        "www.example.org. 3600 IN TXT balanced, and yet there is this",
        "sub.example.org. 3600 IN NS ns.sub.example.org.",
        "ns.sub.example.org. 3600 IN A 192.0.2.54",
        "occluded.sub.example.org. 3600 IN TXT not to be seen, but to be had",
    ]
    .map(str::to_owned)
    .to_vec();
    let unknown = got.iter().position(|record| record.starts_with("other.example.org.")).expect("the unknown type");
    got.remove(unknown);
    let bare = |record: &String| record.replace('"', "");
    got = got.iter().map(bare).collect();
    got.sort();
    expected.sort();
    assert_eq!(got, expected);
}

#[test]
fn who_may_have_it() {
    let check = |allowed: &[(&str, bool)], peer: &str, zone: &str, expected: Result<(), &str>| {
        let request = request(zone, Rtype::AXFR, None).finish();
        let got = ask(&snapshot(), &grants(allowed), peer, &request).map(|_| ());
        assert_eq!(got, expected, "{peer} {zone} {allowed:?}");
    };
    check(&[], "192.0.2.1", "example.org", Err("refused"));
    check(&[("192.0.2.0/24", false)], "192.0.2.1", "example.org", Ok(()));
    check(&[("192.0.2.0/24", false)], "::ffff:192.0.2.1", "EXAMPLE.org", Ok(()));
    check(&[("192.0.2.0/24", false)], "192.0.3.1", "example.org", Err("refused"));
    check(&[("192.0.2.0/24", false)], "192.0.2.1", "www.example.org", Err("not ours"));
    check(&[("192.0.2.0/24", false)], "192.0.2.1", "example.net", Err("not ours"));
    check(&[("192.0.2.0/24", true)], "192.0.2.1", "example.org", Err("refused"));
    let soa = request("example.org", Rtype::SOA, None).finish();
    assert_eq!(ask(&snapshot(), &grants(&[]), "192.0.2.1", &soa), Err("no concern"));
    let axfr = request("example.org", Rtype::AXFR, None).finish();
    let nothing_yet = Snapshot::new(0, Vec::new());
    assert_eq!(ask(&nothing_yet, &grants(&[("192.0.2.0/24", false)]), "192.0.2.1", &axfr), Err("not ready"));
}

#[test]
fn a_signed_transfer_verifies_message_by_message() {
    let (snapshot, grants) = (large(), grants(&[("0.0.0.0/0", true)]));
    let mut message = request("example.org", Rtype::AXFR, None);
    let mut sequence = ClientSequence::request(clients_key(SECRET), &mut message, Time48::from_u64(NOW)).expect("room");
    let messages = ask(&snapshot, &grants, "192.0.2.1", &message.finish()).expect("granted");
    assert!(messages.len() > 5, "{} messages", messages.len());
    assert!(messages.iter().all(|message| message.len() <= 65_535));
    assert_eq!(records(&messages).len(), 15 + 7_000);
    for message in messages {
        let mut message = DomainMessage::from_octets(message).expect("a message");
        sequence.answer(&mut message, Time48::from_u64(NOW + 1)).expect("a good signature");
    }
    sequence.done().expect("the last is signed");
}

/// A zone that is taken for longer than a signature is good for: each message is signed when it is sent.
#[test]
fn a_transfer_may_take_longer_than_a_signature_is_good_for() {
    let (snapshot, grants) = (large(), grants(&[("0.0.0.0/0", true)]));
    let mut message = request("example.org", Rtype::AXFR, None);
    let mut sequence = ClientSequence::request(clients_key(SECRET), &mut message, Time48::from_u64(NOW)).expect("room");
    let peer = "192.0.2.1".parse().expect("an address");
    let received = grants.receive(&snapshot, (peer, Carrier::Stream), &message.finish(), NOW);
    let Received::Transfer(mut transfer) = received else { panic!("no transfer") };
    let mut now = NOW;
    while let Some(message) = transfer.message(now) {
        let mut message = DomainMessage::from_octets(message).expect("a message");
        sequence.answer(&mut message, Time48::from_u64(now)).expect("a good signature");
        now += 301;
    }
    sequence.done().expect("the last is signed");
    assert!(now > NOW + 1_200 && transfer.is_complete());
}

/// Whatever is answered by TCP; signed, as long as there is room for the signature.
#[test]
fn the_longest_records_are_transferred() {
    let check = |rdata_octets: usize, expected: [bool; 2]| {
        let full = (rdata_octets - 1) / 256;
        let strings = format!("\"{}\" ", "x".repeat(255)).repeat(full);
        let last = "x".repeat(rdata_octets - full * 256 - 1);
        let zone = format!("{ZONE}long TXT {strings} \"{last}\"\n");
        let served = || served(Words { apex: "example.org", zone: &zone, ..Words::default() }, &Board::new());
        let mut desk = Desk::new(vec![served()]);
        let (_, answer) = desk.ask(Transport::Tcp, &question("long.example.org. TXT"));
        let answer = Message::from_vec(answer).expect("a message");
        assert_eq!((answer.answers.len(), answer.metadata.truncation), (1, false), "{rdata_octets}");
        let snapshot = Snapshot::new(1, vec![served()]);
        let whole = [false, true].map(|is_signed| {
            let grants = grants(&[("0.0.0.0/0", is_signed)]);
            let mut message = request("example.org", Rtype::AXFR, None);
            message.opt(|_| Ok(())).expect("room");
            if is_signed {
                let _ =
                    ClientSequence::request(clients_key(SECRET), &mut message, Time48::from_u64(NOW)).expect("room");
            }
            let messages = ask(&snapshot, &grants, "192.0.2.1", &message.finish()).expect("granted");
            assert!(messages.iter().all(|message| message.len() <= 65_535), "{rdata_octets}");
            records(&messages).iter().filter(|record| record.record_type() == RecordType::SOA).count() == 2
        });
        assert_eq!(whole, expected, "{rdata_octets}");
    };
    check(65_000, [true, true]);
    check(65_300, [true, false]);
    // All that is left beside the head, the question, and the name, type, class, TTL and length of the record.
    check(65_535 - 12 - 22 - 12, [true, false]);
}

#[test]
fn a_transfer_has_an_opt_record_where_its_request_has() {
    let all = grants(&[("0.0.0.0/0", false)]);
    let check = |carrier: Carrier, qtype: Rtype, has_opt: bool| {
        let mut message = request("example.org", qtype, None);
        if has_opt {
            message.opt(|_| Ok(())).expect("room");
        }
        let messages = ask_by(carrier, &large(), &all, "192.0.2.1", &message.finish()).expect("granted");
        let opts = messages.iter().map(|octets| DomainMessage::from_octets(&octets[..]).expect("a message"));
        let payloads: Vec<_> = opts.map(|message| message.opt().map(|opt| opt.udp_payload_size())).collect();
        // RFC 5936 §2.2.5: in the first message, and in others it need not be.
        assert_eq!(payloads[0], has_opt.then_some(1_232), "{carrier:?} {qtype}");
        assert!(payloads[1..].iter().all(Option::is_none) && messages.iter().all(|message| message.len() <= 65_535));
    };
    for has_opt in [true, false] {
        check(Carrier::Stream, Rtype::AXFR, has_opt);
        check(Carrier::Stream, Rtype::IXFR, has_opt);
        check(Carrier::Datagram, Rtype::IXFR, has_opt);
    }
}

#[test]
fn a_bad_signature_is_told_so() {
    let check = |secret: &[u8], at: u64, expected: Result<(), &str>| {
        let mut message = request("example.org", Rtype::AXFR, None);
        ClientSequence::request(clients_key(secret), &mut message, Time48::from_u64(at)).expect("room");
        let got = ask(&snapshot(), &grants(&[("0.0.0.0/0", true)]), "192.0.2.1", &message.finish()).map(|_| ());
        assert_eq!(got, expected);
    };
    check(SECRET, NOW, Ok(()));
    check(SECRET, NOW + 300, Ok(()));
    check(SECRET, NOW + 301, Err("bad signature"));
    check(SECRET, NOW - 301, Err("bad signature"));
    check(b"another secret", NOW, Err("bad signature"));
}

#[test]
fn whoever_has_the_serial_gets_the_soa_alone() {
    let check = |serial: Option<u32>, expected: usize| {
        let request = request("example.org", Rtype::IXFR, serial).finish();
        let messages = ask(&snapshot(), &grants(&[("0.0.0.0/0", false)]), "192.0.2.1", &request).expect("granted");
        assert_eq!(records(&messages).len(), expected, "{serial:?}");
    };
    check(Some(2_026_112_101), 1);
    check(Some(2_026_112_102), 1);
    check(Some(2_026_112_100), 15);
    check(Some(2_026_112_101_u32.wrapping_add(1 << 31).wrapping_add(1)), 15);
    check(None, 15);
}

#[test]
fn an_ordinary_answer_is_signed_too() {
    let grants = grants(&[]);
    let mut message = request("example.org", Rtype::SOA, None);
    let client =
        tsig::ClientTransaction::request(clients_key(SECRET), &mut message, Time48::from_u64(NOW)).expect("room");
    let octets = message.finish();
    assert!(is_signed(&octets));
    let peer = "192.0.2.1".parse().expect("an address");
    let received = grants.receive(&snapshot(), (peer, Carrier::Datagram), &octets, NOW);
    let Received::Signed(plain, mut signer) = received else { panic!("not signed") };
    assert!(!is_signed(&plain));
    let mut desk = Desk::new(vec![zone()]);
    let (_, response) = desk.ask(Transport::Udp, &plain);
    let signed = signer.sign(response, 512, NOW);
    assert!(signed.len() <= 512);
    let mut signed = DomainMessage::from_octets(signed).expect("a message");
    client.answer(&mut signed, Time48::from_u64(NOW)).expect("a good signature");
    assert_eq!((signed.header_counts().ancount(), signed.header().tc()), (1, false));
}

#[test]
fn a_signed_answer_without_room_is_cut() {
    let mut message = request("many.example.org", Rtype::TXT, None);
    let size = message.opt(|opt| {
        opt.set_udp_payload_size(1232);
        Ok(())
    });
    size.expect("room");
    let client =
        tsig::ClientTransaction::request(clients_key(SECRET), &mut message, Time48::from_u64(NOW)).expect("room");
    let peer = "192.0.2.1".parse().expect("an address");
    let grants = grants(&[]);
    let received = grants.receive(&large(), (peer, Carrier::Datagram), &message.finish(), NOW);
    let Received::Signed(plain, mut signer) = received else { panic!("not signed") };
    let records: String = (0..10).map(|n| format!("many TXT \"{n:>100}\"\n")).collect();
    let zone = format!("{ZONE}{records}");
    let served = served(Words { apex: "example.org", zone: &zone, ..Words::default() }, &Board::new());
    let mut desk = Desk::new(vec![served]);
    let (_, response) = desk.ask(Transport::Udp, &plain);
    assert!(response.len() > 1_100, "{}", response.len());
    let signed = signer.sign(response, 1_232, NOW);
    let mut signed = DomainMessage::from_octets(signed).expect("a message");
    client.answer(&mut signed, Time48::from_u64(NOW)).expect("a good signature");
    assert_eq!((signed.header_counts().ancount(), signed.header().tc()), (0, true));
    assert!(signed.opt().is_some());
}

#[test]
fn by_datagrams_there_is_the_serial_alone() {
    let all = grants(&[("0.0.0.0/0", false)]);
    let check = |carrier: Carrier, qtype: Rtype, serial: Option<u32>, expected: Result<usize, &str>| {
        let request = request("example.org", qtype, serial).finish();
        let got = ask_by(carrier, &snapshot(), &all, "192.0.2.1", &request).map(|messages| records(&messages).len());
        assert_eq!(got, expected, "{carrier:?} {qtype} {serial:?}");
    };
    check(Carrier::Datagram, Rtype::IXFR, Some(2_026_112_100), Ok(1));
    check(Carrier::Datagram, Rtype::IXFR, Some(2_026_112_101), Ok(1));
    check(Carrier::Datagram, Rtype::AXFR, None, Err("ordinary"));
    check(Carrier::Exchange, Rtype::AXFR, None, Err("ordinary"));
    check(Carrier::Exchange, Rtype::IXFR, Some(1), Err("ordinary"));
    let nobody = Grants::default();
    let axfr = request("example.org", Rtype::AXFR, None).finish();
    assert_eq!(ask(&snapshot(), &nobody, "192.0.2.1", &axfr), Err("no concern"), "nothing is looked at");
    let mut response = axfr;
    response[2] |= 0x80;
    assert_eq!(ask(&snapshot(), &all, "192.0.2.1", &response), Err("no concern"), "a response");
}

#[test]
fn a_notification_is_heard_by_its_id_and_signature() {
    let snapshot = snapshot();
    let zone = &snapshot.served()[0].zone;
    let notify = Notify::new(zone, 77, None, NOW).expect("a message");
    let told = Message::from_vec(&notify.octets).expect("a message");
    assert_eq!((told.metadata.id, told.answers[0].record_type()), (77, RecordType::SOA));
    let mut answer = notify.octets.clone();
    assert!(!notify.is_heard(&answer, NOW), "it is no response");
    answer[2] |= 0x80;
    assert!(notify.is_heard(&answer, NOW));
    answer[1] ^= 1;
    assert!(!notify.is_heard(&answer, NOW), "another id");
    let signed = Notify::new(zone, 77, Some(&key()), NOW).expect("a message");
    let mut answer = signed.octets.clone();
    answer[2] |= 0x80;
    assert!(!signed.is_heard(&answer, NOW), "not a signature of the answer");
}

/// The real program, its secondary a socket of this test.
#[test]
fn secondaries_are_told_until_they_have_heard() {
    let socket = UdpSocket::bind(address::own_dns()).expect("an address of its own");
    socket.set_read_timeout(Some(PATIENCE)).expect("a time");
    let told = socket.local_addr().expect("an address");
    let zone = "$TTL 60\n@ SOA ns1 hostmaster 7 3600 900 1209600 60\n@ NS ns1\nns1 A 192.0.2.53\n";
    let server = Launch::new()
        .file("example.com.zone", zone)
        .file("example.net.zone", &zone.replace(" 7 ", " 70 "))
        .config("bellwether.toml", &format!("[transfer]\nnotify = [\"{told}\"]\n"))
        .start();
    let hear = || {
        let mut octets = [0; 512];
        let (length, from) = socket.recv_from(&mut octets).expect("a notification");
        assert_eq!(from.ip(), server.address.ip(), "it comes from where we are known");
        let message = Message::from_vec(&octets[..length]).expect("a message");
        assert_eq!(message.metadata.op_code, OpCode::Notify);
        let (zone, serial) = match &message.answers[..] {
            [Record { name, data: RData::SOA(soa), .. }] => (name.to_string(), soa.serial),
            other => panic!("{other:?}"),
        };
        let answer = [&octets[..2], &[octets[2] | 0x80], &octets[3..length]].concat();
        (zone, serial, answer, from)
    };
    let said = |zone: &str, serial: u32| (zone.to_owned(), serial);
    // Nobody answers: both are told again.
    let mut heard = BTreeMap::new();
    while heard.len() < 2 || heard.values().any(|&times| times < 2) {
        let (zone, serial, ..) = hear();
        *heard.entry((zone, serial)).or_insert(0) += 1;
    }
    let zones: Vec<_> = heard.into_keys().collect();
    assert_eq!(zones, [said("example.com.", 7), said("example.net.", 70)]);
    // One moves on, and only that one is told with a new serial; whoever has answered is left alone.
    server.zones.write("example.com.zone", &zone.replace(" 7 ", " 8 "));
    loop {
        let (zone, serial, answer, from) = hear();
        socket.send_to(&answer, from).expect("sent");
        if (zone.as_str(), serial) == ("example.com.", 8) {
            break;
        }
    }
    await_some("the server to have heard the answer", || {
        server.process.log().contains("has heard of serial 8 of example.com").then_some(())
    });
}
