//! Address hints of SVCB and HTTPS records that are a balanced name's living addresses (RFC 9460 §7.3).

use std::collections::BTreeMap;
use std::time::Duration;

use bellwether::answer::Transport;
use bellwether::health::{Board, Health};
use bellwether::moment::Moment;
use hickory_proto::op::Message;
use hickory_proto::rr::rdata::opt::{EdnsCode, EdnsOption};

use crate::answers::{BOTH, lines, request};
use crate::served::{Desk, Words, query, query_with_ecs, served, subnet};

const HTTPS: u16 = 65;

/// Probes are numbered as the endpoints stand here: 0 and 1 are `both`'s IPv4, 2 and 3 its IPv6.
const WORDS: Words<'_> = Words {
    apex: "example.com",
    zone: "
$TTL 300
@       3600 IN SOA ns1 hostmaster 1 7200 900 1209600 60
@       NS    ns1
@       HTTPS 0 www
ns1     A     192.0.2.53
www     HTTPS 1 . alpn=h2,h3 port=8443 ipv4hint=203.0.113.1 ech=AAAA ipv6hint=2001:db8::dead key667=tail
www     TXT   \"text\"
brief   3 HTTPS 1 . alpn=h2
mix     HTTPS 1 . alpn=h2
mix     HTTPS 2 www.EXAMPLE.com. alpn=h3
mix     HTTPS 3 cdn.example.net. ipv4hint=203.0.113.3
mix     HTTPS 4 shares
mix     HTTPS 5 www port=81
_x.www  SVCB  1 www ipv4hint=203.0.113.4
toapp   SVCB  1 a.app
*.app   HTTPS 1 . alpn=h2
plain   HTTPS 1 . ipv4hint=203.0.113.5
toplain HTTPS 1 plain ipv4hint=203.0.113.6
alias   CNAME www
shares  HTTPS 1 .
geo     HTTPS 1 .
blind   HTTPS 1 .
only    HTTPS 1 .
many    HTTPS 1 .
pair    HTTPS 1 www
pair    HTTPS 2 many
",
    pools: "
both   round-robin 192.0.2.10 192.0.2.11 2001:db8::10 2001:db8::11
shares weighted    192.0.2.1*4 192.0.2.2*3 192.0.2.3*2 192.0.2.4*1
eu     failover    192.0.2.21 2001:db8::21
us     failover    192.0.2.22
geo    geo:us      eu[EU] us[NA]
many   round-robin 2001:db8::1:1 2001:db8::1:2 2001:db8::1:3 2001:db8::1:4 2001:db8::1:5 2001:db8::1:6 2001:db8::1:7 2001:db8::1:8 \
 2001:db8::1:9 2001:db8::1:a 2001:db8::1:b 2001:db8::1:c 2001:db8::1:d 2001:db8::1:e 2001:db8::1:f 2001:db8::1:10 \
 2001:db8::1:11 2001:db8::1:12 2001:db8::1:13 2001:db8::1:14 2001:db8::1:15 2001:db8::1:16 2001:db8::1:17 2001:db8::1:18 \
 2001:db8::1:19 2001:db8::1:1a 2001:db8::1:1b 2001:db8::1:1c 2001:db8::1:1d
",
    names: "
www    both   2  5 30 serve-all hints
brief  both   1  5 30 serve-all hints
mix    both   1  5 30 serve-all
*.app  both   2  5 30 nodata    hints
plain  both   1  5 30 serve-all
shares shares 1  5 30 serve-all hints
geo    geo    1  5 30 serve-all hints
blind  geo    1  5 30 serve-all hints no-ecs
only   shares 1  5 30 servfail  hints
many   many   29 5 30 serve-all hints
",
};

/// A response in lines; the decoder's commas behind lists are left out.
fn told(desk: &mut Desk, transport: Transport, request: &[u8]) -> Vec<String> {
    let (_, response) = desk.ask(transport, request);
    let lines = lines(request, response).into_iter();
    lines.map(|line| line.replace(", ", " ").trim_end_matches([',', ' ']).to_owned()).collect()
}

fn check(text: &str, expected: &[&str]) {
    for transport in BOTH {
        let mut desk = Desk::new(vec![served(WORDS, &Board::new())]);
        assert_eq!(told(&mut desk, transport, &request(text)), expected, "{text} by {transport:?}");
    }
}

#[test]
fn records_that_lead_to_the_name_have_its_addresses() {
    const TWO: &str = "ipv4hint=192.0.2.10,192.0.2.11 ipv6hint=2001:db8::10,2001:db8::11";
    let www = "an www.example.com. 30 HTTPS 1 . alpn=h2,h3 port=8443 ipv4hint=192.0.2.10,192.0.2.11 \
               ech=\"AAAA\" ipv6hint=2001:db8::10,2001:db8::11 unknown667=\"tail\"";
    check("www.example.com. HTTPS", &["NoError aa", www]);
    check("alias.example.com. HTTPS", &["NoError aa", "an alias.example.com. 300 CNAME www.example.com.", www]);
    check("www.example.com. TXT", &["NoError aa", "an www.example.com. 300 TXT text"]);
    let brief = "an brief.example.com. 3 HTTPS 1 . alpn=h2 ipv4hint=192.0.2.10 ipv6hint=2001:db8::10";
    check("brief.example.com. HTTPS", &["NoError aa", brief]);
    check("brief.example.com. ANY", &["NoError aa", brief]);
    let svcb = "an _x.www.example.com. 30 SVCB 1 www.example.com.";
    check("_x.www.example.com. SVCB", &["NoError aa", &format!("{svcb} {TWO}")]);
    let wild = "an q.app.example.com. 30 HTTPS 1 . alpn=h2";
    check("q.app.example.com. HTTPS", &["NoError aa", &format!("{wild} {TWO}")]);
    let toapp = "an toapp.example.com. 30 SVCB 1 a.app.example.com.";
    check("toapp.example.com. SVCB", &["NoError aa", &format!("{toapp} {TWO}")]);
    // A family that the pool does not have.
    check("shares.example.com. HTTPS", &["NoError aa", "an shares.example.com. 30 HTTPS 1 . ipv4hint=192.0.2.1"]);
    let mix = "an mix.example.com. 30 HTTPS";
    check(
        "mix.example.com. HTTPS",
        &[
            "NoError aa",
            &format!("{mix} 2 www.EXAMPLE.com. alpn=h3 {TWO}"),
            &format!("{mix} 5 www.example.com. port=81 {TWO}"),
            &format!("{mix} 4 shares.example.com. ipv4hint=192.0.2.1"),
            &format!("{mix} 1 . alpn=h2"),
            &format!("{mix} 3 cdn.example.net. ipv4hint=203.0.113.3"),
        ],
    );
}

#[test]
fn other_records_stay_as_they_are_written() {
    check("example.com. HTTPS", &["NoError aa", "an example.com. 300 HTTPS 0 www.example.com."]);
    let plain = "an plain.example.com. 300 HTTPS 1 . ipv4hint=203.0.113.5";
    check("plain.example.com. HTTPS", &["NoError aa", plain]);
    let toplain = "an toplain.example.com. 300 HTTPS 1 plain.example.com. ipv4hint=203.0.113.6";
    check("toplain.example.com. HTTPS", &["NoError aa", toplain]);
}

/// What an answer comes to: its TTL, the addresses of each family in order, and the scope.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Heard {
    ttl: Option<u32>,
    addresses: [Vec<String>; 2],
    scope: Option<u8>,
}

fn hear(desk: &mut Desk, request: &[u8]) -> Heard {
    let (_, octets) = desk.ask(Transport::Tcp, request);
    let message = Message::from_vec(octets).expect("a message");
    let subnet = message.edns.as_ref().and_then(|edns| edns.option(EdnsCode::Subnet));
    let scope = subnet.map(|option| match option {
        EdnsOption::Subnet(subnet) => subnet.scope_prefix(),
        other => panic!("{other:?}"),
    });
    let mut heard = Heard { scope, ..Heard::default() };
    for record in &message.answers {
        assert!(heard.ttl.is_none_or(|ttl| ttl == record.ttl), "one TTL a set");
        heard.ttl = Some(record.ttl);
        let text = record.data.to_string();
        match record.record_type().to_string().as_str() {
            "A" => heard.addresses[0].push(text),
            "AAAA" => heard.addresses[1].push(text),
            _ => {
                for (word, addresses) in ["ipv4hint=", "ipv6hint="].into_iter().zip(&mut heard.addresses) {
                    let hint = text.split(' ').find_map(|parameter| parameter.strip_prefix(word));
                    let hint = hint.into_iter().flat_map(|hint| hint.trim_end_matches(',').split(','));
                    addresses.extend(hint.map(str::to_owned));
                }
            }
        }
    }
    heard.addresses.iter_mut().for_each(|addresses| addresses.sort());
    heard
}

/// Policy, client and health: the hints are what A and AAAA get, their TTL the least, their scope the greatest.
#[test]
fn hints_are_what_queries_for_addresses_get() {
    let clients = ["192.0.2.0", "198.51.100.0", "203.0.113.0", "2001:db8::"];
    let downs: [&[u32]; 4] = [&[], &[0], &[3], &[8]];
    let mut scopes = BTreeMap::new();
    for name in ["www", "brief", "q.app", "shares", "geo", "blind"] {
        for client in clients {
            for down in downs {
                let client: std::net::IpAddr = client.parse().expect("an address");
                let data = subnet(client, if client.is_ipv4() { 24 } else { 56 });
                let hear = |rtype| {
                    let mut board = Board::new();
                    let mut desk = Desk::new(vec![served(WORDS, &board)]);
                    let suspect = Health { flip: Moment::START + Duration::from_secs(17), ..Health::UP };
                    let turns: Vec<_> = down.iter().map(|&probe| (probe, Health::DOWN)).collect();
                    desk.turn(&mut board, &[&turns[..], &[(1, suspect)]].concat());
                    hear(&mut desk, &query_with_ecs(&format!("{name}.example.com."), rtype, &data))
                };
                let (a, aaaa, https) = (hear(1), hear(28), hear(HTTPS));
                let own = if name == "brief" { 3 } else { 300 };
                let expected = Heard {
                    ttl: [Some(own), a.ttl, aaaa.ttl].into_iter().flatten().min(),
                    addresses: [a.addresses[0].clone(), aaaa.addresses[1].clone()],
                    scope: a.scope.max(aaaa.scope),
                };
                assert_eq!(https, expected, "{name} for {client} with {down:?} down");
                *scopes.entry((name, https.scope)).or_insert(0) += 1;
            }
        }
    }
    assert!(scopes.contains_key(&("geo", Some(24))) && scopes.contains_key(&("blind", Some(0))), "{scopes:?}");
}

#[test]
fn verdicts_change_hints_and_a_dead_family_has_none() {
    let mut board = Board::new();
    let mut desk = Desk::new(vec![served(WORDS, &board)]);
    let check = |desk: &mut Desk, v4: &[&str], v6: &[&str], ttl: u32| {
        let heard = hear(desk, &request("www.example.com. HTTPS"));
        let expected = Heard {
            ttl: Some(ttl),
            addresses: [v4, v6].map(|all| all.iter().map(|&one| one.to_owned()).collect()),
            scope: None,
        };
        assert_eq!(heard, expected);
    };
    let (v4, v6) = (["192.0.2.10", "192.0.2.11"], ["2001:db8::10", "2001:db8::11"]);
    check(&mut desk, &v4, &v6, 30);
    desk.turn(&mut board, &[(0, Health::DOWN)]);
    check(&mut desk, &v4[1..], &v6, 30);
    desk.turn(&mut board, &[(1, Health::DOWN)]);
    check(&mut desk, &[], &v6, 5);
    // A query for addresses has what `when-all-down` says.
    assert_eq!(hear(&mut desk, &request("www.example.com. A")).addresses[0], v4);
    desk.turn(&mut board, &[(2, Health::DOWN), (3, Health::DOWN)]);
    check(&mut desk, &[], &[], 5);
    let bare = "an www.example.com. 5 HTTPS 1 . alpn=h2,h3 port=8443 ech=\"AAAA\" unknown667=\"tail\"";
    assert_eq!(told(&mut desk, Transport::Udp, &request("www.example.com. HTTPS")), ["NoError aa", bare]);
    let suspect = Health { flip: Moment::START + Duration::from_secs(20), ..Health::UP };
    desk.turn(&mut board, &[(0, Health::UP), (1, Health::UP), (2, Health::UP), (3, suspect)]);
    check(&mut desk, &v4, &v6, 20);
    desk.now = Moment::START + Duration::from_secs(8);
    check(&mut desk, &v4, &v6, 12);
    assert_eq!(hear(&mut desk, &request("www.example.com. A")).ttl, Some(30), "the other family has no part in it");
}

/// Hints take no turn of the answers with addresses, and are shared out as exactly.
#[test]
fn hints_have_turns_of_their_own() {
    let mut desk = Desk::new(vec![served(WORDS, &Board::new())]);
    let mut counts: BTreeMap<(u16, String), u32> = BTreeMap::new();
    for round in 0..1_000 {
        for rtype in [HTTPS, 1, HTTPS] {
            if rtype == HTTPS || round % 2 == 0 {
                let heard = hear(&mut desk, &query("shares.example.com.", rtype, None));
                *counts.entry((rtype, heard.addresses[0].concat())).or_default() += 1;
            }
        }
    }
    let shares = |rtype, of: u32| [4, 3, 2, 1].map(|weight| ((rtype, format!("192.0.2.{}", 5 - weight)), of * weight));
    assert_eq!(counts, shares(1, 50).into_iter().chain(shares(HTTPS, 200)).collect());
}

/// A set fits whole or not at all, with the hints of now.
#[test]
fn sets_with_hints_are_cut_whole() {
    let mut board = Board::new();
    let mut desk = Desk::new(vec![served(WORDS, &board)]);
    let check = |desk: &mut Desk, text: &str, transport, expected: (&str, usize)| {
        let told = told(desk, transport, &request(text));
        let records = told.iter().filter(|line| line.starts_with("an ")).count();
        assert_eq!((told[0].as_str(), records), expected, "{text} by {transport:?}");
    };
    check(&mut desk, "many.example.com. HTTPS", Transport::Udp, ("NoError aa tc", 0));
    check(&mut desk, "pair.example.com. HTTPS", Transport::Udp, ("NoError aa tc", 0));
    check(&mut desk, "many.example.com. HTTPS edns", Transport::Udp, ("NoError aa", 1));
    check(&mut desk, "pair.example.com. HTTPS", Transport::Tcp, ("NoError aa", 2));
    let pools = &desk.snapshot.served()[0].steering.pools;
    let last = pools.endpoints.len() as u32 - 1;
    desk.turn(&mut board, &[(last, Health::DOWN)]);
    check(&mut desk, "many.example.com. HTTPS", Transport::Udp, ("NoError aa", 1));
}
