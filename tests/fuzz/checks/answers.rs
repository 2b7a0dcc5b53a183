//! The whole way of a query, by every transport: what comes out decoded by hickory-proto and held against [`truth`].

use std::cell::RefCell;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bellwether::answer::{Counters, Outcome, RESPONSE_OCTETS_LEAST, Transport, Worker};
use bellwether::health::{Board, Health};
use bellwether::snapshot::Identity;
use bellwether::wire::cookie::{Secret, Secrets};
use bellwether::wire::ecs::Subnet;
use bellwether::wire::edns::Edns;
use bellwether::wire::name::Name;
use bellwether::wire::qname::Qname;
use bellwether::wire::query::Query;
use bellwether::zone::master;
use hickory_proto::op::Message;
use hickory_proto::rr::{DNSClass, RData, Record, RecordType};
use hickory_proto::serialize::binary::{BinDecodable, BinDecoder};

use super::options;
use super::truth::{self, Authority, Balanced, Given, Labels, Said};
use crate::served::{Desk, Words, served};

const ZONE: &str = "
$TTL 300
@        SOA    ns1 hostmaster 1 7200 900 1209600 300
@        NS     ns1
@        NS     ns2.example.net.
@        MX     10 mail
ns1      A      192.0.2.53
one      A      192.0.2.1
four     A      192.0.2.1
four     A      192.0.2.2
four     AAAA   2001:db8::4
mail     MX     10 one
text     TXT    \"a text\" \"of two\"
sub      NS     ns.sub
sub      NS     ns1
ns.sub   A      192.0.2.54
child    NS     ns1.child
ns1.child A     192.0.2.55
*.wild   A      192.0.2.5
*.wild   TXT    \"any\"
*.wild   CAA    0 issue \"example.net\"
*.led    CNAME  host.new
*.down   DNAME  new
a.b.c    TXT    \"deep\"
*.e.b.c  70 TXT \"deeper\"
alias    CNAME  one
chain    CNAME  alias
away     CNAME  www.example.net.
lost     CNAME  no.such
below    CNAME  a.sub
inside   CNAME  www.child
balanced CNAME  www
loop     CNAME  loop2
loop2    CNAME  loop
into     CNAME  a.old
old      60 DNAME new
long     DNAME  aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffff.aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffff.aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffff
host.new A      192.0.2.6
to-big   CNAME  big
big      A      192.0.2.100
$GENERATE 1-39 big A 192.0.2.1${0,2,d}
$GENERATE 1-15 big TXT \"${0,200,d}\"
www      TXT    \"beside\"
";

const CHILD: &str = "
$TTL 120
@        300 SOA ns1 hostmaster 1 7200 900 1209600 300
@        NS     ns1
ns1      A      192.0.2.55
www      A      192.0.2.56
up       CNAME  one.example.com.
";

const POOLS: &str = "
web      weighted    198.51.100.1*2 198.51.100.2 2001:db8::1
spare    failover    198.51.100.3 198.51.100.4
world    geo:spare   web[EU,203.0.113.0/24] spare[NA]
sticky   hash        198.51.100.5 198.51.100.6
hosts    round-robin one.example.com. four.example.com.
";

const NAMES: &str = "
www      web    1    5 30 serve-all
world    world  each 5 30 serve-all
sticky   sticky 2    5 30 serve-all
to-one   hosts  1    5 30 serve-all
none     spare  1    5 30 nodata
*.many   web    1    5 30 serve-all
";

/// What the names may give: the spare pool is dead.
fn balanced() -> Vec<Balanced> {
    let given = |addresses: &[&str]| {
        let data = addresses.iter().map(|address| match address.parse().expect("an address") {
            std::net::IpAddr::V4(address) => RData::A(address.into()),
            std::net::IpAddr::V6(address) => RData::AAAA(address.into()),
        });
        Given::Addresses(data.collect())
    };
    let web = || (given(&["198.51.100.1", "198.51.100.2"]), given(&["2001:db8::1"]));
    let names = [
        ("www", web()),
        ("world", web()),
        ("sticky", (given(&["198.51.100.5", "198.51.100.6"]), Given::Nothing)),
        ("to-one", {
            let aliases = Given::Aliases(["one", "four"].map(|name| named(name, "example.com")).to_vec());
            (aliases.clone(), aliases)
        }),
        ("none", (Given::Dead(5), Given::Nothing)),
        ("*.many", web()),
    ];
    let balanced = |(owner, (ipv4, ipv6))| Balanced { owner: named(owner, "example.com"), ipv4, ipv6 };
    names.map(balanced).into()
}

fn named(owner: &str, apex: &str) -> Labels {
    owner.split('.').chain(apex.split('.')).map(|label| label.as_bytes().to_vec()).collect()
}

/// Answers, and what they are held against.
struct Truth {
    desk: Desk,
    zones: Vec<Said>,
}

impl Truth {
    fn new() -> Self {
        let words = Words { apex: "example.com", zone: ZONE, pools: POOLS, names: NAMES };
        let child = Words { apex: "child.example.com", zone: CHILD, ..Words::default() };
        let mut desk = Desk::new(vec![served(words, &Board::new()), served(child, &Board::new())]);
        desk.worker =
            Worker::new(Arc::new(Counters::default()), 1).idle(Duration::from_secs(options::IDLE_SECONDS.into()));
        desk.snapshot = desk.snapshot.identified(Arc::new(Identity {
            nsid: Some(options::NSID_DATA.into()),
            version: Some(VERSION.into()),
            id: Some(ID.into()),
            secrets: Secrets::new(vec![Secret::new(*b"sixteen octets..")]),
            unix_start: 1_800_000_000,
        }));
        // The spare pool is dead, one of the others' members suspect.
        let suspect = Health { flip: desk.now + Duration::from_secs(9), ..Health::UP };
        let health = [(0, suspect), (3, Health::DOWN), (4, Health::DOWN)];
        desk.turn(&mut Board::new(), &health);
        let zones = vec![
            Said { apex: named("example", "com"), records: records("example.com", ZONE), balanced: balanced() },
            Said {
                apex: named("child", "example.com"),
                records: records("child.example.com", CHILD),
                balanced: Vec::new(),
            },
        ];
        Self { desk, zones }
    }
}

const VERSION: &[u8] = b"a version";
const ID: &[u8] = b"an id";

/// The records of a master file, as hickory-proto decodes them.
fn records(apex: &str, text: &str) -> Vec<Record> {
    let mut records = Vec::new();
    let apex = Name::from_host(apex).expect("a name");
    master::read_text(Path::new("zone"), text.as_bytes(), &apex, &mut |record| {
        let mut octets = record.owner.to_vec();
        for part in [record.rtype.0, 1] {
            octets.extend_from_slice(&part.to_be_bytes());
        }
        octets.extend_from_slice(&record.ttl.to_be_bytes());
        octets.extend_from_slice(&(record.rdata.len() as u16).to_be_bytes());
        octets.extend_from_slice(record.rdata);
        records.push(Record::read(&mut BinDecoder::new(&octets)).expect("a record"));
    });
    records
}

thread_local! {
    static TRUTH: RefCell<Truth> = RefCell::new(Truth::new());
}

const TRANSPORTS: [Transport; 5] = [Transport::Udp, Transport::Tcp, Transport::Tls, Transport::Https, Transport::Quic];

/// By every transport: never a panic, never longer than it may be, never an answer to a response, and nothing but the
/// truth, whole. A client that comes again with the cookie that it was given is known.
pub fn answer(octets: &[u8]) {
    TRUTH.with_borrow_mut(|truth| {
        for transport in TRANSPORTS {
            let Some(cookie) = check(truth, transport, octets) else { continue };
            let mut again = octets.to_vec();
            let Ok(query) = Query::read(octets, &mut Qname::default()) else { continue };
            let Some(data) = query.edns.and_then(|edns| edns.cookie).filter(|data| data.len() == cookie.len()) else {
                continue;
            };
            let at = data.as_ptr() as usize - octets.as_ptr() as usize;
            again[at..at + cookie.len()].copy_from_slice(&cookie);
            assert_eq!(check(truth, transport, &again), Some(cookie), "a good cookie is kept");
        }
    });
}

/// Asks and checks; gives the cookie of the response.
fn check(truth: &mut Truth, transport: Transport, request: &[u8]) -> Option<Vec<u8>> {
    let (outcome, response) = truth.desk.ask(transport, request);
    let response = response.to_vec();
    let Outcome::Answered(rcode) = outcome else {
        assert!(response.is_empty() && (request.len() < 12 || request[2] & 0x80 != 0), "{outcome:?}");
        return None;
    };
    assert!(request.len() >= 12 && request[2] & 0x80 == 0, "a response is never answered");
    assert_eq!(response[..2], request[..2], "the id");
    // QR set, opcode, RD and CD copied, RA, Z and AD clear.
    let is_cut = response[2] & 2 != 0;
    assert_eq!((response[2] & 0xf9, response[3] & 0xf0), (0x80 | request[2] & 0x79, request[3] & 0x10), "the flags");
    let mut qname = Qname::default();
    let Ok(query) = Query::read(request, &mut qname) else {
        let expected = if request[2] & 0x78 == 0 { 1 } else { 4 };
        assert_eq!((response.len(), rcode as u16), (12, expected), "what cannot be read gets a header alone");
        assert!(response[4..] == [0; 8] && response[3] & 15 == expected as u8);
        return None;
    };
    let limit = match (transport, query.edns) {
        (Transport::Udp, None) => 512,
        (Transport::Udp, Some(edns)) => usize::from(edns.payload.max(512)).min(RESPONSE_OCTETS_LEAST),
        _ => usize::from(u16::MAX),
    };
    assert!(response.len() <= limit, "{} octets for {limit}", response.len());
    assert!(transport == Transport::Udp || !is_cut, "cut by a stream");
    assert_eq!(&response[12..12 + query.question.len()], query.question, "the question is given back");

    let opt = options::find(&response);
    assert_eq!(opt.is_some(), query.edns.is_some(), "OPT for OPT (RFC 6891 §6.1.1)");
    let readable = options::readable(&response, opt.as_ref().map(|(_, options)| options));
    let decoded = Message::from_vec(&readable).expect("whatever is sent can be read");
    let version = query.edns.map_or(0, |edns| edns.version);
    let is_sound = query.edns.is_none_or(|edns| is_sound(&edns));
    let cookie = opt.and_then(|(at, opt)| options::check(transport, &query, is_sound, &response, (at, &opt)));

    let full = u16::from(decoded.metadata.response_code);
    assert_eq!(full, rcode as u16, "the outcome is what is sent");
    let has_cookie = query.edns.is_some_and(|edns| edns.cookie.is_some());
    let refused = match (query.qclass, query.qtype.0) {
        _ if !is_sound => Some(1),
        _ if version > 0 => Some(16),
        _ if query.question.is_empty() => Some(u16::from(!has_cookie)),
        (_, 41 | 128) => Some(1),
        (1, 249..=254) => Some(5),
        (1 | 3, _) => None,
        _ => Some(5),
    };
    match refused {
        Some(refused) => {
            assert!(full == refused && !decoded.metadata.authoritative, "{full} for {refused}");
            assert_eq!(decoded.all_sections().filter(|record| record.record_type() != RecordType::OPT).count(), 0);
        }
        None if query.qclass == 3 => check_chaos(&qname, query.qtype.0, &decoded),
        None => check_zones(&truth.zones, query.qtype.0, &decoded, is_cut),
    }
    cookie
}

/// Whether no option has its RFC answer FORMERR.
fn is_sound(edns: &Edns<'_>) -> bool {
    let cookie = edns.cookie.is_none_or(|cookie| cookie.len() == 8 || (16..=40).contains(&cookie.len()));
    cookie && edns.ecs.is_none_or(|ecs| Subnet::read(ecs).is_ok())
}

/// Holds a response from the zones against what they say.
fn check_zones(zones: &[Said], qtype: u16, decoded: &Message, is_cut: bool) {
    let question = decoded.queries.first().expect("a question");
    let qname = truth::labels(question.name());
    let told = &decoded.answers;
    let meta = (u16::from(decoded.metadata.response_code), decoded.metadata.authoritative);
    let Some(expected) = truth::expected(zones, &qname, qtype, told) else {
        assert_eq!(meta, (5, false), "no zone of ours");
        assert!(told.is_empty() && decoded.authorities.is_empty() && decoded.additionals.is_empty());
        return;
    };
    truth::check_answer(&expected.answer, told, is_cut);
    if is_cut {
        return;
    }
    assert_eq!(meta, (expected.rcode, expected.authoritative), "code and AA of {expected:?}");
    let zone = &zones[expected.zone];
    let mut additionals = decoded.additionals.iter();
    match &expected.authority {
        Authority::Nothing => assert_eq!(decoded.authorities, []),
        Authority::Soa(ttl) => {
            let [soa] = &decoded.authorities[..] else { panic!("{:?}", decoded.authorities) };
            let known = zone.records.iter().find(|record| record.record_type() == RecordType::SOA).expect("a SOA");
            assert_eq!((truth::labels(&soa.name), &soa.data, soa.ttl), (zone.apex.clone(), &known.data, *ttl));
        }
        Authority::Referral(cut) => {
            let servers: Vec<&Record> = zone
                .records
                .iter()
                .filter(|record| record.record_type() == RecordType::NS && truth::labels(&record.name) == *cut)
                .collect();
            assert!(!servers.is_empty() && servers.len() == decoded.authorities.len(), "{:?}", decoded.authorities);
            for told in &decoded.authorities {
                assert!(servers.iter().any(|known| is_same(known, told)), "{told} is no server of the cut");
            }
            let (must, may) = zone.glue(cut);
            for told in additionals.by_ref() {
                assert!(may.iter().any(|known| is_same(known, told)), "{told} is no glue");
            }
            for known in must {
                assert!(decoded.additionals.iter().any(|told| is_same(known, told)), "{known} is missing");
            }
        }
    }
    assert_eq!(additionals.next(), None, "nothing else in the additional section");
}

fn is_same(known: &Record, told: &Record) -> bool {
    truth::labels(&known.name) == truth::labels(&told.name) && known.data == told.data && known.ttl == told.ttl
}

/// Holds a response of class CHAOS against what the server says of itself.
fn check_chaos(qname: &Qname, qtype: u16, decoded: &Message) {
    let text = match qname.octets() {
        b"\x07version\x04bind\0" | b"\x07version\x06server\0" => Some(VERSION),
        b"\x02id\x06server\0" | b"\x08hostname\x04bind\0" => Some(ID),
        _ => None,
    };
    let meta = (u16::from(decoded.metadata.response_code), decoded.metadata.authoritative);
    assert_eq!(meta, if text.is_some() { (0, true) } else { (5, false) });
    assert!(decoded.authorities.is_empty() && decoded.additionals.is_empty());
    match (text, qtype) {
        (Some(text), 16 | 255) => {
            let [told] = &decoded.answers[..] else { panic!("{:?}", decoded.answers) };
            let RData::TXT(data) = &told.data else { panic!("{told}") };
            assert_eq!((told.dns_class, told.ttl), (DNSClass::CH, 0));
            assert_eq!(data.txt_data.concat(), text);
        }
        _ => assert_eq!(decoded.answers, []),
    }
}
