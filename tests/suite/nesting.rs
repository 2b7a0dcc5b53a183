//! Policy × nesting × health: who is answered, and what the answer announces that it depended on.
//!
//! Clients are of the sample database under `tests/geo`. It cuts each IPv4 documentation network finer than /24,
//! and an answer to a subnet goes by the first address of its /24, so 192.0.2.0/24 is Frankfurt, 198.51.100.0/24
//! Virginia and 203.0.113.0/24 Tokyo; the IPv6 one is cut at /36 and at places finer.

use std::net::IpAddr;

use bellwether::answer::{Outcome, Transport};
use bellwether::health::{Board, Health};
use bellwether::policy::{Endpoint, Family, Force, Given};
use bellwether::wire::header::Rcode;
use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::RData;
use hickory_proto::rr::rdata::opt::{EdnsCode, EdnsOption};

use crate::served::{Desk, Words, query, query_with_ecs, served, subnet};

const WORDS: Words<'_> = Words {
    apex: "example.com",
    zone: "
$TTL 300
@   3600 IN SOA ns1 hostmaster 1 7200 900 1209600 60
@   NS  ns1
ns1 A   192.0.2.53
txt TXT \"text\"
www CNAME geo
",
    pools: "
eu       weighted    192.0.2.1*2 192.0.2.2*1 2001:db8::1*2 2001:db8::2*1
us       round-robin 192.0.2.3 192.0.2.4 2001:db8::3 2001:db8::4
as       failover    192.0.2.5 192.0.2.6 2001:db8::5
spare    round-robin 192.0.2.9 2001:db8::9
lot      random      192.0.2.7
load     least-load  192.0.2.8*3 192.0.2.10*1
geo      geo:spare   eu[EU] us[NA] as[AS] spare
ladder   geo:spare   eu[EU] us[country=DE] as[DE-HE] spare[192.0.2.0/24] lot
asn      geo         us[AS64500] eu
host     geo:us      us eu[198.51.100.9/32] as[198.51.100.8/30,2001:db8:4000::9/128]
net      geo:us      us eu[2001:db8:4000::/34,203.0.113.0/24] as[2001:db8:4000::/40]
fo-eu    failover    eu as
fo-us    failover    us as
deep     geo:spare   fo-eu[EU] fo-us[NA] spare
near     nearest     192.0.2.21@50,8 192.0.2.22@39,-77 192.0.2.23@35,139 2001:db8::21@50,8 2001:db8::22@39,-77
by-near  geo:nearest eu@50,8 us@39,-77 as@35,139[country=GB]
fast     latency:0   192.0.2.21@50,8 192.0.2.22@39,-77 192.0.2.23@35,139 2001:db8::21@50,8 2001:db8::22@39,-77
geo-fast geo:us      fast[EU] us
hash     hash        192.0.2.31 192.0.2.32 192.0.2.33 192.0.2.34 2001:db8::31 2001:db8::32
narrow   hash:16,32  192.0.2.31 192.0.2.32 192.0.2.33 192.0.2.34 2001:db8::31 2001:db8::32
geo-hash geo:us      hash[EU] us
fo-geo   failover    geo spare
spare-1  failover    spare geo
w-geo    weighted    geo*2 lot*1
two      round-robin/2 192.0.2.41 192.0.2.42 192.0.2.43 2001:db8::41 2001:db8::42
half     weighted/60% 192.0.2.44 192.0.2.45
inner    failover    two half us
geo-min  geo:half    inner[EU] two[NA] half
both     failover    net geo
only     geo         hash
v6       geo         2001:db8::51[NA]
",
    names: "
eu      eu      1 5 30 serve-all
us      us      1 5 30 serve-all
as      as      1 5 30 serve-all
lot     lot     1 5 30 serve-all
load    load    1 5 30 serve-all
geo     geo     1 5 30 serve-all
ladder  ladder  1 5 30 nodata
asn     asn     1 5 30 serve-all
host    host    1 5 30 serve-all
net     net     1 5 30 servfail
deep    deep    1 5 30 refused
near    near    1 5 30 last-good
by-near by-near 1 5 30 serve-all
fast    fast    1 5 30 serve-all
fast-3  fast    3 5 30 serve-all
geo-fast geo-fast 1 5 30 serve-all
hash    hash    1 5 30 203.0.113.1
narrow  narrow  1 5 30 serve-all
geo-hash geo-hash 1 5 30 serve-all
fo-geo  fo-geo  1 5 30 serve-all
spare-1 spare-1 1 5 30 serve-all
w-geo   w-geo   1 5 30 serve-all
inner   inner   1 5 30 serve-all
geo-min geo-min 1 5 30 serve-all
both    both    1 5 30 serve-all
only    only    1 5 30 serve-all
v6      v6      1 5 30 serve-all
blind   geo     1 5 30 serve-all no-ecs
three   geo     3 5 30 serve-all
four    geo     4 5 30 serve-all
each    geo     each 5 30 serve-all
sites   geo     spread:3 5 30 serve-all
near-3  near    3 5 30 serve-all
hash-9  hash    9 5 30 serve-all
both-4  both    spread:2 5 30 serve-all
",
};

/// Who asks: a subnet by ECS; `from` an address without it; or both.
struct Asks<'a> {
    ecs: Option<Vec<u8>>,
    source: &'a str,
}

impl<'a> Asks<'a> {
    fn read(text: &'a str) -> Self {
        let (subnet_text, source) = text.split_once("from ").unwrap_or((text, "127.0.0.1"));
        let ecs = subnet_text
            .trim()
            .split_once('/')
            .map(|(address, bits)| subnet(address.parse().expect("an address"), bits.parse().expect("bits")));
        Self { ecs, source }
    }
}

/// Endpoints are told by the last number of their address, with `v` before it in IPv6.
fn short(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.octets()[3].to_string(),
        IpAddr::V6(address) => format!("v{:x}", address.segments()[7]),
    }
}

/// How endpoints come to be out of the answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Out {
    /// Their monitors say that they are down.
    Verdict,
    /// Operators drain them, whatever their monitors say.
    Drained,
    /// Their monitors say that they are down, and operators that they are up.
    ForcedUp,
}

/// The answers to one question asked once and again by one client, until there are as many as `expected`.
fn answers(
    name: &str,
    (down, out): (&str, Out),
    rtype: u16,
    asks: &Asks<'_>,
    queries: usize,
) -> (Vec<String>, Option<u8>) {
    let mut board = Board::new();
    let mut desk = Desk::new(vec![served(WORDS, &board)]);
    let endpoints = desk.snapshot.served()[0].steering.pools.endpoints.clone();
    let is_down = |endpoint: &Endpoint| match endpoint.given {
        Given::Address(address) => down.split(' ').any(|down| down == short(address)),
        Given::Alias(_) => false,
    };
    let falls = (0..).zip(&endpoints).filter(|(_, endpoint)| is_down(endpoint));
    let falls: Vec<(u32, Health)> = falls.map(|(probe, _)| (probe, Health::DOWN)).collect();
    if out != Out::Drained {
        desk.turn(&mut board, &falls);
    }
    let force = match out {
        Out::Verdict => None,
        Out::Drained => Some(Force::Drain),
        Out::ForcedUp => Some(Force::Up),
    };
    let is_meant = |id: u32| is_down(&endpoints[id as usize]);
    desk.force(&board, |id| force.filter(|_| is_meant(id)));
    desk.source = asks.source.parse().expect("an address");
    let name = format!("{name}.example.com.");
    let request = match &asks.ecs {
        Some(data) => query_with_ecs(&name, rtype, data),
        None => query(&name, rtype, None),
    };
    let mut scopes = Vec::new();
    let answers = (0..queries).map(|_| {
        let (_, octets) = desk.ask(Transport::Udp, &request);
        let message = Message::from_vec(octets).expect("a message");
        scopes.push(scope(&request, &message));
        if message.metadata.response_code != ResponseCode::NoError {
            return format!("{:?}", message.metadata.response_code);
        }
        let address = |data: &RData| match data {
            RData::A(address) => Some(IpAddr::V4(address.0)),
            RData::AAAA(address) => Some(IpAddr::V6(address.0)),
            _ => None,
        };
        let addresses = message.answers.iter().filter_map(|record| address(&record.data));
        addresses.map(short).collect::<Vec<_>>().join("+")
    });
    let answers = answers.collect();
    scopes.dedup();
    assert_eq!(scopes.len(), 1, "{name}: one client, one scope: {scopes:?}");
    (answers, scopes[0])
}

/// The scope that a response announces; its subnet is the request's (RFC 7871 §7.2.1).
fn scope(request: &[u8], response: &Message) -> Option<u8> {
    let option = |message: &Message| {
        let option = message.edns.as_ref()?.option(EdnsCode::Subnet)?.clone();
        let EdnsOption::Subnet(subnet) = option else { panic!("no subnet: {option:?}") };
        Some(subnet)
    };
    let (asked, told) = (option(&Message::from_vec(request).expect("a request")), option(response));
    assert_eq!(asked.is_some(), told.is_some(), "an option for an option");
    let (asked, told) = asked.zip(told)?;
    assert_eq!((asked.addr(), asked.source_prefix()), (told.addr(), told.source_prefix()));
    Some(told.scope_prefix())
}

/// Whether anything of a name's pool lives for this type while these are down.
fn lives_without(name: &str, down: &str, rtype: u16) -> bool {
    let mut board = Board::new();
    let mut desk = Desk::new(vec![served(WORDS, &board)]);
    let pools = &desk.snapshot.served()[0].steering.pools;
    let is_down = |endpoint: &Endpoint| {
        endpoint.given.address().is_some_and(|address| down.split(' ').any(|down| down == short(address)))
    };
    let falls = (0..).zip(&pools.endpoints).filter(|(_, endpoint)| is_down(endpoint));
    let falls: Vec<(u32, Health)> = falls.map(|(probe, _)| (probe, Health::DOWN)).collect();
    desk.turn(&mut board, &falls);
    let lines = WORDS.names.lines().filter(|line| !line.trim().is_empty());
    let number = { lines }.position(|line| line.split_whitespace().next() == Some(name));
    let family = if rtype == 1 { Family::V4 } else { Family::V6 };
    let served = &desk.snapshot.served()[0];
    let root = number.and_then(|number| served.steering.names.get(number)).map(|name| name.root);
    root.is_some_and(|root| served.live.pool(family, root).is_some_and(|pool| pool.is_alive()))
}

/// `expected`: the answers to queries one after another, joined by a space, those of one by `+`; and the scope, `-`
/// where nothing may be said of it.
///
/// What is drained is out as what is down is, by every policy; but for `when-all-down`, which leaves it out as well. What is
/// down and forced up is answered as what is up.
#[track_caller]
fn check(name: &str, down: &str, types: &str, client: &str, expected: &str) {
    let (rtype, (expected_answers, expected_scope)) =
        (if types == "A" { 1 } else { 28 }, expected.rsplit_once(" /").unwrap_or((expected, "-")));
    let queries = expected_answers.split(' ').count();
    let ask = |down: &str, out, queries| answers(name, (down, out), rtype, &Asks::read(client), queries);
    let (answers, scope) = ask(down, Out::Verdict, queries);
    if lives_without(name, down, rtype) {
        let drained = ask(down, Out::Drained, queries);
        assert_eq!(drained, (answers.clone(), scope), "{name} for {client} with [{down}] drained");
    }
    let (forced_up, all_up) = (ask(down, Out::ForcedUp, 1), ask("", Out::Verdict, 1));
    assert_eq!(forced_up, all_up, "{name} for {client} with [{down}] down and forced up");
    let scope = scope.map_or_else(|| "-".to_owned(), |bits| bits.to_string());
    assert_eq!(
        (answers.join(" ").as_str(), scope.as_str()),
        (expected_answers, expected_scope),
        "{name} for {client} without [{down}]"
    );
}

const FRANKFURT: &str = "192.0.2.0/24";
const VIRGINIA: &str = "198.51.100.0/24";
const TOKYO: &str = "203.0.113.0/24";
const FRANKFURT_6: &str = "2001:db8::/56";
const VIRGINIA_6: &str = "2001:db8:4000::/56";

#[test]
fn what_heeds_no_client_announces_nothing() {
    check("eu", "", "A", FRANKFURT, "1 2 1 1 2 1 /0");
    check("eu", "", "AAAA", VIRGINIA, "v1 v2 v1 /0");
    check("eu", "1", "A", FRANKFURT, "2 2 /0");
    check("eu", "1", "AAAA", FRANKFURT, "v1 v2 v1 /0");
    check("us", "", "A", FRANKFURT_6, "3 4 3 /0");
    check("us", "3", "A", FRANKFURT, "4 4 /0");
    check("as", "", "AAAA", TOKYO, "v5 v5 /0");
    check("as", "5", "A", TOKYO, "6 6 /0");
    check("as", "5 6", "A", TOKYO, "5 5 /0");
    check("lot", "", "A", TOKYO, "7 7 /0");
    check("load", "", "A", TOKYO, "8 8 10 8 /0");
    check("load", "8", "A", TOKYO, "10 10 /0");
    check("txt", "", "A", TOKYO, " /0");
    check("lot", "", "AAAA", TOKYO, " /0");
}

#[test]
fn a_geo_pool_goes_by_the_client() {
    check("geo", "", "A", FRANKFURT, "1 2 1 /24");
    check("geo", "", "A", VIRGINIA, "3 4 3 /24");
    check("geo", "", "A", TOKYO, "5 5 /24");
    check("geo", "", "AAAA", FRANKFURT_6, "v1 v2 v1 /34");
    check("www", "", "A", VIRGINIA, "3 4 3 /24");
    // Of nobody: the widest block of which nothing is known, and for IPv6 the first bit that is told apart.
    check("geo", "", "A", "192.0.0.0/24", "9 9 /23");
    check("geo", "", "AAAA", "2001:db9::/56", "v9 v9 /32");
    check("geo", "", "A", "192.0.0.0/20", "9 9 /23");
    // The address that is asked for and the client's have nothing to do with each other.
    check("geo", "", "AAAA", FRANKFURT, "v1 v2 v1 /24");
    check("geo", "", "A", VIRGINIA_6, "3 4 3 /35");
    // A claimant that is dead; a member of one.
    check("geo", "1", "A", FRANKFURT, "2 2 /24");
    check("geo", "1 2", "A", FRANKFURT, "9 9 /24");
    check("geo", "1 2", "AAAA", FRANKFURT, "v1 v2 v1 /24");
    check("geo", "1 2", "A", VIRGINIA, "3 4 3 /24");
    // Behind the claimants and `otherwise`, the operator's order.
    check("geo", "1 2 9", "A", FRANKFURT, "3 4 3 /24");
    check("geo", "1 2 3 4 5 6", "A", TOKYO, "9 9 /24");
    check("geo", "1 2 3 4 5 6 9", "A", TOKYO, "5 5 /24");
    check("v6", "", "A", VIRGINIA, " /0");
    check("v6", "", "AAAA", VIRGINIA, "v51 /0");
}

#[test]
fn a_dead_claimant_gives_way_to_the_next_claim() {
    check("ladder", "", "A", FRANKFURT, "9 9 /24");
    check("ladder", "9", "A", FRANKFURT, "5 5 /24");
    check("ladder", "9 5 6", "A", FRANKFURT, "3 4 3 /24");
    check("ladder", "9 5 6 3 4", "A", FRANKFURT, "1 2 1 /24");
    check("ladder", "9 5 6 3 4 1 2", "A", FRANKFURT, "7 7 /24");
    check("ladder", "9 5 6 3 4 1 2 7", "A", FRANKFURT, " /0");
    check("ladder", "v9", "AAAA", FRANKFURT_6, "v5 v5 /36");
    // No database tells AS numbers here, so nobody has that claim.
    check("asn", "", "A", FRANKFURT, "3 4 /0");
    check("net", "", "A", TOKYO, "1 2 1 /24");
    check("net", "", "A", VIRGINIA, "3 4 3 /5");
    check("net", "", "AAAA", "2001:db8:4000::/56", "v5 v5 /40");
    check("net", "", "AAAA", "2001:db8:4100::/56", "v1 v2 v1 /40");
    check("net", "", "AAAA", "2001:db8:5000::/56", "v1 v2 v1 /36");
    check("net", "v5", "AAAA", "2001:db8:4000::/56", "v1 v2 v1 /40");
    check("net", "v5 v1 v2", "AAAA", "2001:db8:4000::/56", "v3 v4 v3 /40");
    check("net", "v5 v1 v2 v3 v4", "AAAA", "2001:db8:4000::/56", "ServFail /0");
}

#[test]
fn policies_nest() {
    // geo → failover → weighted.
    check("deep", "", "A", FRANKFURT, "1 2 1 1 2 1 /24");
    check("deep", "2", "A", FRANKFURT, "1 1 /24");
    check("deep", "1 2", "A", FRANKFURT, "5 5 /24");
    check("deep", "1 2 5", "A", FRANKFURT, "6 6 /24");
    check("deep", "1 2 5 6", "A", FRANKFURT, "9 9 /24");
    check("deep", "1 2 5 6 9", "A", FRANKFURT, "3 4 3 /24");
    check("deep", "1 2 3 4 5 6 9", "A", FRANKFURT, "Refused /0");
    check("deep", "v1 v2", "AAAA", FRANKFURT_6, "v5 v5 /34");
    check("deep", "1 2", "AAAA", FRANKFURT_6, "v1 v2 v1 /34");
    // failover → geo: that nothing of the geo pool lives is so for every client, hence no scope.
    check("fo-geo", "", "A", FRANKFURT, "1 2 1 /24");
    check("fo-geo", "1 2 3 4 5 6", "A", FRANKFURT, "9 9 /24");
    check("fo-geo", "1 2 3 4 5 6 9", "A", FRANKFURT, "1 2 1 /24");
    check("spare-1", "", "A", FRANKFURT, "9 9 /0");
    check("spare-1", "9", "A", FRANKFURT, "1 2 1 /24");
    // weighted → geo, while one of them is dead.
    check("w-geo", "7", "A", FRANKFURT, "1 2 1 /24");
    check("w-geo", "1 2 3 4 5 6 9", "A", FRANKFURT, "7 7 /0");
    // Two maps over each other: the first that lives decides alone.
    check("both", "", "A", VIRGINIA, "3 4 3 /5");
    check("both", "1 2 3 4 5 6", "A", VIRGINIA, "9 9 /24");
    check("both", "1 2 3 4 5 6", "AAAA", VIRGINIA, "v3 v4 v3 /5");
    check("only", "1 2", "A", FRANKFURT, "33 33 /24");
}

/// Whose turn it is decides which branch is consulted, and so what the answer depended on.
#[test]
fn scopes_go_by_what_was_consulted() {
    let mut desk = Desk::new(vec![served(WORDS, &Board::new())]);
    let network = "192.0.2.0".parse().expect("an address");
    let request = query_with_ecs("w-geo.example.com.", 1, &subnet(network, 24));
    for expected in [24, 0, 24, 24, 0, 24] {
        let (_, octets) = desk.ask(Transport::Udp, &request);
        assert_eq!(scope(&request, &Message::from_vec(octets).expect("a message")), Some(expected));
    }
}

#[test]
fn too_few_of_a_pool_are_none() {
    check("inner", "", "A", FRANKFURT, "41 42 43 /0");
    check("inner", "41", "A", FRANKFURT, "42 43 42 /0");
    check("inner", "41 42", "A", FRANKFURT, "44 45 44 /0");
    check("inner", "41 42 44", "A", FRANKFURT, "3 4 3 /0");
    check("inner", "v41", "AAAA", FRANKFURT, "v3 v4 v3 /0");
    check("geo-min", "", "A", FRANKFURT, "41 42 43 /24");
    check("geo-min", "41 42", "A", FRANKFURT, "44 45 44 /24");
    check("geo-min", "41 42", "A", VIRGINIA, "44 45 44 /24");
    check("geo-min", "41 42 45", "A", VIRGINIA, "3 4 3 /24");
    check("geo-min", "41 42 45 3 4", "A", VIRGINIA, "41 42 43 /24");
}

#[test]
fn the_nearest_that_lives() {
    check("near", "", "A", FRANKFURT, "21 21 /24");
    check("near", "", "A", VIRGINIA, "22 22 /24");
    check("near", "", "A", TOKYO, "23 23 /24");
    check("near", "", "AAAA", TOKYO, "v21 v21 /24");
    check("near", "21", "A", FRANKFURT, "22 22 /24");
    check("near", "21 22", "A", FRANKFURT, "23 23 /24");
    check("near", "22", "A", VIRGINIA, "21 21 /24");
    check("near", "21 22 23", "A", FRANKFURT, "21 21 /24");
    check("near", "21", "AAAA", FRANKFURT_6, "v21 v21 /34");
    check("near", "v21", "AAAA", FRANKFURT_6, "v22 v22 /34");
    check("near-3", "", "A", VIRGINIA, "22+21+23 22+21+23 /24");
    check("near-3", "21", "A", VIRGINIA, "22+23 /24");
    // Of whom nothing is known: the operator's order.
    check("near", "", "A", "192.0.0.0/24", "21 21 /23");
    check("near", "21", "A", "192.0.0.0/24", "22 22 /23");
    // geo with `otherwise` by distance.
    check("by-near", "", "A", FRANKFURT, "1 2 1 /24");
    check("by-near", "", "A", "2001:db8:2000::/56", "5 5 /35");
    check("by-near", "5 6", "A", "2001:db8:2000::/56", "1 2 1 /35");
    check("by-near", "5 6 1 2", "A", "2001:db8:2000::/56", "3 4 3 /35");
}

/// Nothing is measured here, so that it goes by what distances make likely, and nobody shares within 0 ms.
#[test]
fn the_fastest_that_lives() {
    check("fast", "", "A", FRANKFURT, "21 21 /24");
    check("fast", "", "A", VIRGINIA, "22 22 /24");
    check("fast", "", "A", TOKYO, "23 23 /24");
    check("fast", "21", "A", FRANKFURT, "22 22 /24");
    check("fast", "21 22", "A", FRANKFURT, "23 23 /24");
    check("fast", "21 22 23", "A", FRANKFURT, "21 21 /24");
    check("fast", "v22", "AAAA", VIRGINIA_6, "v21 v21 /36");
    check("fast-3", "", "A", VIRGINIA, "22+21+23 22+21+23 /24");
    check("fast-3", "21", "A", FRANKFURT, "22+23 22+23 /24");
    check("geo-fast", "", "A", FRANKFURT, "21 21 /24");
    check("geo-fast", "21 22 23", "A", FRANKFURT, "3 4 3 /24");
    check("geo-fast", "", "AAAA", VIRGINIA_6, "v3 v4 v3 /34");
}

#[test]
fn several_answers_and_branches() {
    check("three", "", "A", FRANKFURT, "1+2+9 2+1+9 1+2+9 /24");
    check("three", "1 2", "A", FRANKFURT, "9+3+4 9+4+3 9+3+4 /24");
    check("three", "9 3 4", "A", FRANKFURT, "1+2+5 2+1+5 1+2+5 /24");
    check("four", "", "A", VIRGINIA, "3+4+9+1 4+3+9+2 3+4+9+1 /24");
    check("four", "1 2 5 6 9", "A", VIRGINIA, "3+4 4+3 3+4 /24");
    check("four", "", "AAAA", VIRGINIA_6, "v3+v4+v9+v1 v4+v3+v9+v2 v3+v4+v9+v1 /35");
    // One of each member: the client's own first, none twice.
    check("each", "", "A", VIRGINIA, "3+9+1+5 4+9+2+5 3+9+1+5 /24");
    check("each", "9", "A", FRANKFURT, "1+3+5 2+4+5 1+3+5 /24");
    check("each", "5 6", "A", TOKYO, "9+1+3 9+2+4 9+1+3 /24");
    check("sites", "", "A", VIRGINIA, "3+9+1 4+9+2 3+9+1 /24");
    check("sites", "1 2 9 5 6", "A", VIRGINIA, "3+4 4+3 3+4 /24");
    // One pool below both branches takes one turn a query.
    check("both-4", "", "A", VIRGINIA, "3+4 4+3 3+4 /24");
    check("both-4", "", "A", FRANKFURT, "3+1 4+2 3+1 /24");
}

#[test]
fn a_session_stays() {
    check("hash", "", "A", FRANKFURT, "33 33 33 /24");
    check("hash", "", "A", TOKYO, "32 32 32 /24");
    check("hash", "33", "A", FRANKFURT, "34 34 34 /24");
    check("hash", "", "AAAA", FRANKFURT_6, "v32 v32 /56");
    check("hash", "31 32 33 34", "A", FRANKFURT, "1 1 /0");
    check("narrow", "", "A", FRANKFURT, "32 32 /16");
    check("narrow", "", "A", "192.0.77.0/24", "32 32 /16");
    check("narrow", "", "AAAA", FRANKFURT_6, "v32 v32 /32");
    check("geo-hash", "", "A", FRANKFURT, "33 33 /24");
    check("geo-hash", "", "A", VIRGINIA, "3 4 3 /6");
    check("geo-hash", "31 32 33 34", "A", FRANKFURT, "3 4 3 /24");
    check("geo-hash", "", "A", FRANKFURT_6, "31 31 /56");
    check("geo-hash", "", "A", VIRGINIA_6, "3 4 3 /34");
    check("hash-9", "", "A", FRANKFURT, "33+34+31+32 33+34+31+32 /24");
}

#[test]
fn clients_are_told_or_seen() {
    // Nothing told, nothing announced; the resolver is the client.
    check("geo", "", "A", "from 192.0.2.7", "1 2 1");
    check("geo", "", "A", "from 198.51.100.7", "3 4 3");
    check("geo", "", "A", "from 2001:db8:4000::7", "3 4 3");
    check("geo", "", "A", "from 127.0.0.1", "9 9");
    check("hash", "", "A", "from 192.0.2.7", "33 33");
    // To the last bit of its address; a session is of its network all the same.
    check("host", "", "A", "from 198.51.100.9", "1 2 1");
    check("host", "", "A", "from ::ffff:198.51.100.9", "1 2 1");
    check("host", "", "A", "from 198.51.100.8", "5 5");
    check("host", "", "A", "from 198.51.100.7", "3 4 3");
    check("host", "", "A", "from 2001:db8:4000::9", "5 5");
    check("host", "", "A", "from 2001:db8:4000::8", "3 4 3");
    check("hash", "", "A", "from 192.0.2.200", "33 33");
    // What is told of a client is a network, and goes by its first address.
    check("host", "", "A", "198.51.100.9/32 from 192.0.2.7", "3 4 3 /24");
    check("host", "", "A", "10.1.2.0/24 from 198.51.100.9", "1 2 1 /24");
    // A door that takes both families shows IPv4 as mapped.
    check("geo", "", "A", "from ::ffff:198.51.100.7", "3 4 3");
    // What is told counts for more than who tells.
    check("geo", "", "A", "192.0.2.0/24 from 198.51.100.7", "1 2 1 /24");
    check("geo", "", "A", "2001:db8:4000::/48 from 203.0.113.7", "3 4 3 /35");
    // Told more than counts: the address behind /24 and /56 changes nothing.
    check("geo", "", "A", "192.0.2.255/32", "1 2 1 /24");
    check("geo", "", "AAAA", "2001:db8:4000:ff::1/128", "v3 v4 v3 /35");
    // Source 0: the answer is for the resolver and goes for everybody (RFC 7871 §7.1.2).
    check("geo", "", "A", "0.0.0.0/0 from 198.51.100.7", "3 4 3 /0");
    check("geo", "", "AAAA", "::/0 from 198.51.100.7", "v3 v4 v3 /0");
    check("hash", "", "A", "0.0.0.0/0 from 192.0.2.7", "33 33 /0");
    // Subnets that nobody can locate: the resolver instead, for that subnet alone.
    check("geo", "", "A", "10.1.2.0/24 from 198.51.100.7", "3 4 3 /24");
    check("geo", "", "A", "192.168.0.0/16 from 198.51.100.7", "3 4 3 /16");
    check("geo", "", "A", "127.0.0.0/8 from 203.0.113.7", "5 5 /8");
    check("geo", "", "A", "100.64.0.0/10 from 203.0.113.7", "5 5 /10");
    check("geo", "", "A", "fd00::/48 from 192.0.2.7", "1 2 1 /48");
    check("geo", "", "A", "::1/128 from 192.0.2.7", "1 2 1 /128");
    check("geo", "", "A", "fe80::/64 from 192.0.2.7", "1 2 1 /64");
    check("eu", "", "A", "10.1.2.0/24 from 198.51.100.7", "1 2 1 /0");
    check("eu", "", "A", "from 198.51.100.7", "1 2 1");
    // Names that heed no client subnet.
    check("blind", "", "A", "192.0.2.0/24 from 198.51.100.7", "3 4 3 /0");
    check("blind", "", "A", "from 198.51.100.7", "3 4 3");
    check("blind", "3 4", "A", "192.0.2.0/24 from 198.51.100.7", "9 9 /0");
}

#[test]
fn ipv4_in_ipv6_is_looked_up_as_ipv4() {
    // NAT64, SIIT, Teredo (inverted) and 6to4, as sources and as subnets.
    check("geo", "", "A", "from 64:ff9b::198.51.100.7", "3 4 3");
    check("geo", "", "A", "from ::ffff:0:198.51.100.7", "3 4 3");
    check("geo", "", "A", "from 2001:0:1:2:3:4:39cc:9bf8", "3 4 3");
    check("geo", "", "A", "from 2002:c633:6407::1", "3 4 3");
    check("geo", "", "A", "64:ff9b::198.51.100.0/120", "3 4 3 /120");
    check("geo", "", "A", "64:ff9b::192.0.2.7/128", "1 2 1 /120");
    check("geo", "", "A", "2002:c633:6400::/40", "3 4 3 /40");
    check("geo", "", "A", "2002:c000:200::/48", "1 2 1 /40");
    check("hash", "", "A", "from 64:ff9b::192.0.2.7", "33 33");
    check("hash", "", "A", "2002:c000:200::/48", "33 33 /40");
    // Cut before the address that it carries: nothing is told.
    check("geo", "", "A", "64:ff9b::/56 from 198.51.100.7", "3 4 3 /56");
    check("geo", "", "A", "64:ff9b::10.0.0.0/104 from 198.51.100.7", "3 4 3 /104");
}

#[test]
fn malformed_subnets_are_refused() {
    let check = |data: &[u8]| {
        let mut desk = Desk::new(vec![served(WORDS, &Board::new())]);
        for name in ["geo", "eu", "txt", "blind", "missing"] {
            let request = query_with_ecs(&format!("{name}.example.com."), 1, data);
            let (outcome, octets) = desk.ask(Transport::Udp, &request);
            assert_eq!(outcome, Outcome::Answered(Rcode::FormErr), "{data:?}");
            assert_eq!(octets[3] & 0xf, 1, "{data:?}");
        }
    };
    // A scope in a query; bits behind the source; an address too long, too short; a source too long; a family that is
    // unknown; less than the fixed part (RFC 7871 §6, §7.1.2).
    check(&[0, 1, 24, 24, 192, 0, 2]);
    check(&[0, 1, 23, 0, 192, 0, 3]);
    check(&[0, 1, 24, 0, 192, 0, 2, 0]);
    check(&[0, 1, 24, 0, 192, 0]);
    check(&[0, 1, 33, 0, 192, 0, 2, 0, 0]);
    check(&[0, 3, 8, 0, 1]);
    check(&[0, 1]);
    check(&[]);
}
