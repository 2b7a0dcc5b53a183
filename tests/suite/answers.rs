//! Answers as data: zones and pools, a question, and the whole message that must come back.
//!
//! Messages are decoded by hickory-proto, which shares no code with what wrote them.

use bellwether::answer::{Outcome, Reason, Transport};
use bellwether::health::Board;
use bellwether::wire::header::Rcode;
use bellwether::wire::name::Name;
use bellwether::wire::rtype::Rtype;
use hickory_proto::op::{Message, MessageType, ResponseCode};
use hickory_proto::rr::RData;

use crate::served::{Desk, Words, query, served};

pub(crate) const BOTH: [Transport; 2] = [Transport::Udp, Transport::Tcp];

/// A request from `name type words…`: `edns`, `do`, `payload=N`, `version=N`, `class=N`.
pub(crate) fn request(text: &str) -> Vec<u8> {
    let mut words = text.split(' ');
    let (name, rtype) = (words.next().expect("a name"), words.next().expect("a type"));
    let mut octets = query(name, Rtype::from_text(rtype.as_bytes()).expect("a type").0, None);
    let (mut has_edns, mut payload, mut version, mut flags) = (false, 1232_u16, 0_u8, 0_u8);
    for word in words {
        let (key, value) = word.split_once('=').unwrap_or((word, "0"));
        let value: u16 = value.parse().expect("a number");
        has_edns |= key != "class";
        match key {
            "edns" => {}
            "do" => flags = 0x80,
            "payload" => payload = value,
            "version" => version = value as u8,
            "class" => {
                let end = octets.len();
                octets[end - 2..].copy_from_slice(&value.to_be_bytes());
            }
            other => panic!("no word of a request: {other}"),
        }
    }
    if has_edns {
        octets[11] = 1;
        let [high, low] = payload.to_be_bytes();
        octets.extend([0, 0, 41, high, low, 0, version, flags, 0, 0, 0]);
    }
    octets
}

/// A response, line by line: the code and the flags that are set, then the records of each section. What every
/// response owes to its request is checked on the way.
pub(crate) fn lines(request: &[u8], response: &[u8]) -> Vec<String> {
    let message = Message::from_vec(response).expect("a message that hickory reads");
    let asked = Message::from_vec(request).expect("a request");
    assert_eq!(message.metadata.id, asked.metadata.id);
    assert_eq!(message.metadata.message_type, MessageType::Response);
    assert_eq!(message.metadata.recursion_desired, asked.metadata.recursion_desired);
    assert!(!message.metadata.recursion_available && !message.metadata.authentic_data);
    let question = response.get(12..12 + message.queries.first().map_or(0, |query| query.name.len() + 4));
    assert_eq!(question, request.get(12..12 + asked.queries[0].name.len() + 4), "the question, case and all");
    let mut head = match message.metadata.response_code {
        // One number with two names: BADSIG in TSIG, BADVERS in EDNS (RFC 6895 §2.3).
        ResponseCode::BADSIG => "BADVERS".to_owned(),
        code => format!("{code:?}"),
    };
    for (flag, is_set) in [("aa", message.metadata.authoritative), ("tc", message.metadata.truncation)] {
        if is_set {
            head = format!("{head} {flag}");
        }
    }
    let mut lines = vec![head];
    for (section, records) in [("an", &message.answers), ("ns", &message.authorities), ("ar", &message.additionals)] {
        for record in records {
            let (rtype, rdata) = match &record.data {
                // Unknown to the decoder; its name is never compressed (RFC 6672 §2.5).
                RData::Unknown { code, rdata } if u16::from(*code) == Rtype::DNAME.0 => {
                    ("DNAME".to_owned(), Name::from_wire(&rdata.anything).expect("a name in full").to_string())
                }
                data => (record.record_type().to_string(), data.to_string()),
            };
            lines.push(format!("{section} {} {} {rtype} {rdata}", record.name, record.ttl));
        }
    }
    if let Some(edns) = &message.edns {
        let dnssec_ok = if edns.flags().dnssec_ok { " do" } else { "" };
        lines.push(format!("opt {}{dnssec_ok}", edns.max_payload()));
    }
    lines
}

/// Asks a fresh worker through each door; the answer is the same, since none here is too long for a datagram.
pub(crate) fn check(zones: &[Words<'_>], text: &str, expected: &[&str]) {
    for transport in BOTH {
        let mut desk = Desk::new(zones.iter().map(|&words| served(words, &Board::new())).collect());
        let request = request(text);
        let (_, response) = desk.ask(transport, &request);
        assert_eq!(lines(&request, response), expected, "{text} by {transport:?}");
    }
}

const EXAMPLE: Words<'_> = Words {
    apex: "example.com",
    zone: "
$TTL 300
@        3600 IN SOA ns1 hostmaster 1 7200 900 1209600 60
@        NS     ns1
@        NS     ns2.example.net.
@        MX     10 mail
ns1      A      192.0.2.53
Www      A      192.0.2.1
www      TXT    \"hello\"
a.ent    A      192.0.2.2
*.wild   A      192.0.2.5
*.wild   MX     10 mail
host.wild TXT   \"here\"
alias    CNAME  www
alias2   60 CNAME alias
far      CNAME  www.example.net.
loop     CNAME  loop2
loop2    CNAME  loop
self     CNAME  self
old      DNAME  ent
away     DNAME  example.net.
a        DNAME  longerlongerlongerlongerlongerlongerlongerlonger
nowhere  CNAME  nope
tosub    CNAME  host.sub
tobal    60 CNAME bal
towild   CNAME  x.wild
*.any    CNAME  www
srv      SRV    0 1 443 www
sub      NS     ns.sub
sub      NS     ns3.example.net.
sub      DS     1 8 2 (0123456789abcdef0123456789abcdef
                       0123456789abcdef0123456789abcdef)
ns.sub   A      192.0.2.54
ns.sub   AAAA   2001:db8::54
lame     NS     ns4.example.net.
below    NS     ns1
",
    pools: "both round-robin 192.0.2.10 192.0.2.11 2001:db8::10",
    names: "bal both each 5 30 serve-all",
};

const SOA: &str = "ns example.com. 60 SOA ns1.example.com. hostmaster.example.com. 1 7200 900 1209600 60";
// The decoder is built without DNSSEC and shows this rdata as it is, in base64.
const DS: &str = "ns sub.example.com. 300 DS AAEIAgEjRWeJq83vASNFZ4mrze8BI0VniavN7wEjRWeJq83v";

#[test]
fn names_are_answered_by_the_rules_of_rfc_1034_and_4592() {
    let check = |text: &str, expected: &[&str]| check(&[EXAMPLE], text, expected);
    check("www.example.com. A", &["NoError aa", "an www.example.com. 300 A 192.0.2.1"]);
    check("wWw.eXample.COM. A", &["NoError aa", "an wWw.eXample.COM. 300 A 192.0.2.1"]);
    check("www.example.com. AAAA", &["NoError aa", SOA]);
    check("www.example.com. TYPE65280", &["NoError aa", SOA]);
    check("ent.example.com. A", &["NoError aa", SOA]);
    check("nope.example.com. A", &["NXDomain aa", SOA]);
    check("x.www.example.com. A", &["NXDomain aa", SOA]);
    check("x.a.ent.example.com. A", &["NXDomain aa", SOA]);
    check("x.wild.example.com. A", &["NoError aa", "an x.wild.example.com. 300 A 192.0.2.5"]);
    check("Y.x.wild.example.com. A", &["NoError aa", "an Y.x.wild.example.com. 300 A 192.0.2.5"]);
    check("*.wild.example.com. A", &["NoError aa", "an *.wild.example.com. 300 A 192.0.2.5"]);
    check("x.wild.example.com. MX", &["NoError aa", "an x.wild.example.com. 300 MX 10 mail.example.com."]);
    check("x.wild.example.com. TXT", &["NoError aa", SOA]);
    check("host.wild.example.com. A", &["NoError aa", SOA]);
    check("x.host.wild.example.com. A", &["NXDomain aa", SOA]);
    check("wild.example.com. A", &["NoError aa", SOA]);
    check("srv.example.com. SRV", &["NoError aa", "an srv.example.com. 300 SRV 0 1 443 www.example.com."]);
    // RFC 8482 §4.1: one set of any.
    check("www.example.com. ANY", &["NoError aa", "an www.example.com. 300 A 192.0.2.1"]);
    check("nope.example.com. ANY", &["NXDomain aa", SOA]);
    check("ent.example.com. ANY", &["NoError aa", SOA]);
}

#[test]
fn negative_answers_live_as_long_as_rfc_2308_says() {
    let check = |ttl: u32, minimum: u32, expected: u32| {
        let zone = format!("@ {ttl} IN SOA ns1 h 1 2 3 4 {minimum}\n@ 60 NS ns1\nns1 60 A 192.0.2.53\n");
        let words = Words { zone: &zone, apex: "example.com", ..Words::default() };
        let soa = format!("ns example.com. {expected} SOA ns1.example.com. h.example.com. 1 2 3 4 {minimum}");
        check(&[words], "nope.example.com. A", &["NXDomain aa", &soa]);
        check(&[words], "ns1.example.com. TXT", &["NoError aa", &soa]);
        // The record itself keeps its TTL.
        let whole = format!("an example.com. {ttl} SOA ns1.example.com. h.example.com. 1 2 3 4 {minimum}");
        check(&[words], "example.com. SOA", &["NoError aa", &whole]);
    };
    check(3600, 60, 60);
    check(60, 3600, 60);
    check(0, 60, 0);
}

#[test]
fn aliases_are_followed_within_the_zone() {
    let check = |text: &str, expected: &[&str]| check(&[EXAMPLE], text, expected);
    let www = "an www.example.com. 300 A 192.0.2.1";
    let alias = "an alias.example.com. 300 CNAME www.example.com.";
    check("alias.example.com. A", &["NoError aa", alias, www]);
    check("alias.example.com. CNAME", &["NoError aa", alias]);
    check("alias.example.com. ANY", &["NoError aa", alias]);
    check("alias2.example.com. A", &["NoError aa", "an alias2.example.com. 60 CNAME alias.example.com.", alias, www]);
    check("alias.example.com. AAAA", &["NoError aa", alias, SOA]);
    check("far.example.com. A", &["NoError aa", "an far.example.com. 300 CNAME www.example.net."]);
    check("nowhere.example.com. A", &["NXDomain aa", "an nowhere.example.com. 300 CNAME nope.example.com.", SOA]);
    check("q.any.example.com. A", &["NoError aa", "an q.any.example.com. 300 CNAME www.example.com.", www]);
    check(
        "towild.example.com. A",
        &[
            "NoError aa",
            "an towild.example.com. 300 CNAME x.wild.example.com.",
            "an x.wild.example.com. 300 A 192.0.2.5",
        ],
    );
    check(
        "tosub.example.com. A",
        &[
            "NoError aa",
            "an tosub.example.com. 300 CNAME host.sub.example.com.",
            "ns sub.example.com. 300 NS ns.sub.example.com.",
            "ns sub.example.com. 300 NS ns3.example.net.",
            "ar ns.sub.example.com. 300 A 192.0.2.54",
            "ar ns.sub.example.com. 300 AAAA 2001:db8::54",
        ],
    );
    check(
        "tobal.example.com. A",
        &[
            "NoError aa",
            "an tobal.example.com. 60 CNAME bal.example.com.",
            "an bal.example.com. 30 A 192.0.2.10",
            "an bal.example.com. 30 A 192.0.2.11",
        ],
    );
    // A loop is told once around.
    check(
        "loop.example.com. A",
        &[
            "NoError aa",
            "an loop.example.com. 300 CNAME loop2.example.com.",
            "an loop2.example.com. 300 CNAME loop.example.com.",
        ],
    );
    check("self.example.com. A", &["NoError aa", "an self.example.com. 300 CNAME self.example.com."]);
}

/// RFC 6672: the record, the alias that it makes, and what that leads to.
#[test]
fn names_below_a_dname_are_redirected() {
    let check = |text: &str, expected: &[&str]| check(&[EXAMPLE], text, expected);
    let old = "an old.example.com. 300 DNAME ent.example.com.";
    check(
        "a.old.example.com. A",
        &[
            "NoError aa",
            old,
            "an a.old.example.com. 300 CNAME a.ent.example.com.",
            "an a.ent.example.com. 300 A 192.0.2.2",
        ],
    );
    check("x.old.example.com. A", &["NXDomain aa", old, "an x.old.example.com. 300 CNAME x.ent.example.com.", SOA]);
    check(
        "a.away.example.com. A",
        &[
            "NoError aa",
            "an away.example.com. 300 DNAME example.net.",
            "an a.away.example.com. 300 CNAME a.example.net.",
        ],
    );
    check("a.old.example.com. CNAME", &["NoError aa", old, "an a.old.example.com. 300 CNAME a.ent.example.com."]);
    // The owner itself is not redirected.
    check("old.example.com. DNAME", &["NoError aa", old]);
    check("old.example.com. A", &["NoError aa", SOA]);
    // RFC 6672 §2.2: a name that would be too long.
    let label = "x".repeat(55);
    let long = format!("{label}.{label}.{label}.{label}.a.example.com. A");
    let [dname, labels] = ["an a.example.com. 300 DNAME".to_owned(), "longer".repeat(8)];
    check(&long, &["YXDomain aa", &format!("{dname} {labels}.example.com.")]);
}

#[test]
fn delegations_are_referred() {
    let check = |text: &str, expected: &[&str]| check(&[EXAMPLE], text, expected);
    let referral = [
        "NoError",
        "ns sub.example.com. 300 NS ns.sub.example.com.",
        "ns sub.example.com. 300 NS ns3.example.net.",
        "ar ns.sub.example.com. 300 A 192.0.2.54",
        "ar ns.sub.example.com. 300 AAAA 2001:db8::54",
    ];
    check("sub.example.com. A", &referral);
    // No DS in it, DO or not: the zone is not signed (RFC 4035 §3.1.4.1).
    check("sub.example.com. A do", &[&referral[..], &["opt 1232 do"]].concat());
    check("sub.example.com. NS", &referral);
    check("sub.example.com. ANY", &referral);
    check("host.sub.example.com. A", &referral);
    check("ns.sub.example.com. A", &referral);
    check("x.y.sub.example.com. DS", &referral);
    check("sub.example.com. DS", &["NoError aa", &DS.replacen("ns", "an", 1)]);
    check("lame.example.com. A", &["NoError", "ns lame.example.com. 300 NS ns4.example.net."]);
    check("lame.example.com. DS", &["NoError aa", SOA]);
    check(
        "below.example.com. A",
        &["NoError", "ns below.example.com. 300 NS ns1.example.com.", "ar ns1.example.com. 300 A 192.0.2.53"],
    );
    check("x.Lame.example.com. A", &["NoError", "ns Lame.example.com. 300 NS ns4.example.net."]);
}

const CHILD: Words<'_> = Words {
    apex: "sub.example.com",
    zone: "
$TTL 300
@   IN SOA ns h 9 2 3 4 30
@   NS ns
ns  A 192.0.2.54
www A 192.0.2.77
",
    pools: "",
    names: "",
};

#[test]
fn the_longest_zone_answers() {
    let check = |text: &str, expected: &[&str]| {
        check(&[EXAMPLE, CHILD], text, expected);
        check(&[CHILD, EXAMPLE], text, expected);
    };
    let soa = "ns sub.example.com. 30 SOA ns.sub.example.com. h.sub.example.com. 9 2 3 4 30";
    check("www.sub.example.com. A", &["NoError aa", "an www.sub.example.com. 300 A 192.0.2.77"]);
    check("nope.sub.example.com. A", &["NXDomain aa", soa]);
    check("sub.example.com. NS", &["NoError aa", "an sub.example.com. 300 NS ns.sub.example.com."]);
    check("www.example.com. A", &["NoError aa", "an www.example.com. 300 A 192.0.2.1"]);
    // RFC 4035 §3.1.4.1: the parent's side answers for DS.
    check("sub.example.com. DS", &["NoError aa", &DS.replacen("ns", "an", 1)]);
    for outside in ["com. A", "example.net. A", ". NS", "xexample.com. A", "example.com.test. A"] {
        check(outside, &["Refused"]);
    }
    self::check(&[CHILD], "sub.example.com. DS", &["NoError aa", soa]);
    self::check(&[CHILD], "example.com. A", &["Refused"]);
    self::check(&[], "example.com. A", &["Refused"]);
}

#[test]
fn questions_that_no_zone_answers_are_turned_away() {
    let check = |text: &str, expected: &[&str]| check(&[EXAMPLE], text, expected);
    check("www.example.com. A class=3", &["Refused"]);
    check("www.example.com. A class=255", &["Refused"]);
    check("version.bind. TXT class=3", &["Refused"]);
    check("example.com. AXFR", &["Refused"]);
    check("example.com. IXFR", &["Refused"]);
    check("example.com. MAILB", &["Refused"]);
    check("example.com. OPT", &["FormErr"]);
}

#[test]
fn edns_is_answered_in_kind() {
    let check = |text: &str, expected: &[&str]| check(&[EXAMPLE], text, expected);
    let www = "an www.example.com. 300 A 192.0.2.1";
    check("www.example.com. A edns", &["NoError aa", www, "opt 1232"]);
    check("www.example.com. A do", &["NoError aa", www, "opt 1232 do"]);
    check("www.example.com. A payload=100", &["NoError aa", www, "opt 1232"]);
    check("www.example.com. A payload=65535", &["NoError aa", www, "opt 1232"]);
    check("www.example.com. A", &["NoError aa", www]);
    check("www.example.com. A version=1", &["BADVERS", "opt 1232"]);
    check("www.example.com. A version=255 do", &["BADVERS", "opt 1232 do"]);
    check("www.example.net. A edns", &["Refused", "opt 1232"]);
    check("nope.example.com. A edns", &["NXDomain aa", SOA, "opt 1232"]);
    check("www.example.com. A class=3 edns", &["Refused", "opt 1232"]);
}

/// What is not a query gets a header, or nothing: never more than it brought.
#[test]
fn what_cannot_be_read_gets_a_header_or_silence() {
    let check = |change: &dyn Fn(&mut Vec<u8>), expected: Outcome| {
        for transport in BOTH {
            let mut desk = Desk::new(vec![served(EXAMPLE, &Board::new())]);
            let mut octets = request("www.example.com. A edns");
            change(&mut octets);
            let (outcome, response) = desk.ask(transport, &octets);
            assert_eq!(outcome, expected, "{octets:?}");
            match outcome {
                Outcome::Dropped(_) => assert_eq!(response.len(), 0),
                Outcome::Answered(rcode) => {
                    // The id, QR, the opcode and RD of the request, the code; no section has anything.
                    let flags = [0x80 | octets[2] & 0x79, rcode as u8];
                    assert_eq!(response, [&octets[..2], &flags, &[0; 8]].concat(), "{octets:?}");
                    assert!(response.len() <= octets.len());
                }
            }
        }
    };
    let not_implemented = Outcome::Answered(Rcode::NotImp);
    let malformed = Outcome::Answered(Rcode::FormErr);
    check(&|octets| octets[2] |= 4 << 3, not_implemented);
    check(&|octets| octets[2] |= 5 << 3, not_implemented);
    check(&|octets| octets[2] |= 0x80, Outcome::Dropped(Reason::Response));
    check(&|octets| octets[2] |= 0x80 | 4 << 3, Outcome::Dropped(Reason::Response));
    check(&|octets| octets.truncate(11), Outcome::Dropped(Reason::Short));
    check(&|octets| octets.clear(), Outcome::Dropped(Reason::Short));
    check(&|octets| octets.truncate(12), malformed);
    check(&|octets| octets.truncate(20), malformed);
    check(&|octets| octets.truncate(octets.len() - 1), malformed);
    check(&|octets| octets[5] = 0, malformed);
    check(&|octets| octets[5] = 2, malformed);
    check(&|octets| octets[11] = 2, malformed);
    check(&|octets| octets[12] = 0xc0, malformed);
    check(&|octets| octets[12] = 0x40, malformed);
}

/// RFC 3597 §4: names in rdata of the types of RFC 1035 may be compressed, and must still be read.
#[test]
fn names_in_rdata_are_read_back_whatever_the_zone() {
    let check = |apex: &str, origin: &str| {
        let zone = "
$TTL 300
@   IN SOA ns1 h 1 2 3 4 60
@   NS    ns1
@   NS    @
@   NS    ns.example.net.
@   MX    10 @
@   MX    20 a.b.mail
@   MX    30 mail.example.net.
ns1 A     192.0.2.53
ptr PTR   @
up  CNAME @
sub NS    ns.sub
ns.sub A  192.0.2.54
@   A     192.0.2.1
";
        let words = Words { apex, zone, ..Words::default() };
        let of = |prefix: &str| if origin == "." { format!("{prefix}.") } else { format!("{prefix}.{origin}") };
        let check = |name: &str, rtype: &str, expected: &[String]| {
            let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
            check(&[words], &format!("{name} {rtype}"), &expected);
        };
        let head = || "NoError aa".to_owned();
        let soa = format!("SOA {} {} 1 2 3 4 60", of("ns1"), of("h"));
        check(origin, "SOA", &[head(), format!("an {origin} 300 {soa}")]);
        check(&of("nope"), "A", &["NXDomain aa".to_owned(), format!("ns {origin} 60 {soa}")]);
        let server = |host: &str| format!("an {origin} 300 NS {host}");
        check(origin, "NS", &[head(), server(&of("ns1")), server(origin), server("ns.example.net.")]);
        let mail = |host: &str| format!("an {origin} 300 MX {host}");
        let hosts = [format!("10 {origin}"), format!("20 {}", of("a.b.mail")), "30 mail.example.net.".to_owned()];
        check(origin, "MX", &[head(), mail(&hosts[0]), mail(&hosts[1]), mail(&hosts[2])]);
        check(&of("ptr"), "PTR", &[head(), format!("an {} 300 PTR {origin}", of("ptr"))]);
        let alias = format!("an {} 300 CNAME {origin}", of("up"));
        check(&of("up"), "CNAME", &[head(), alias.clone()]);
        check(&of("up"), "A", &[head(), alias, format!("an {origin} 300 A 192.0.2.1")]);
        check(
            &of("x.sub"),
            "A",
            &[
                "NoError".to_owned(),
                format!("ns {} 300 NS {}", of("sub"), of("ns.sub")),
                format!("ar {} 300 A 192.0.2.54", of("ns.sub")),
            ],
        );
    };
    check("example.com", "example.com.");
    check("com", "com.");
    check("a.b.c.d.example.com", "a.b.c.d.example.com.");
    check(".", ".");
}
