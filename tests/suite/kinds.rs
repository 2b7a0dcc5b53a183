//! One request of each kind of answer: what the benches measure and the count of allocations runs through.

use std::fmt::Write as _;

use bellwether::answer::{Outcome, Reason, Transport};
use bellwether::health::{Board, Health, ProbeId};
use bellwether::wire::header::Rcode;

use crate::served::{Desk, Words, query, query_with_ecs, served, subnet, usual_edns};

/// A request, and what shows that its answer is of the kind that it is called.
pub(crate) struct Kind {
    pub(crate) name: String,
    pub(crate) request: Vec<u8>,
    outcome: Outcome,
    /// Records in the three sections, the OPT record not counted.
    counts: [u16; 3],
    has_edns: bool,
}

const ZONE: &str = "
$TTL 300
@        IN SOA ns1 hostmaster 1 7200 900 1209600 300
@        NS     ns1
@        NS     ns2.example.net.
ns1      A      192.0.2.53
one      A      192.0.2.1
four     A      192.0.2.1
four     A      192.0.2.2
four     A      192.0.2.3
four     A      192.0.2.4
mail     MX     10 one
sub      NS     ns.sub
sub      NS     ns1
ns.sub   A      192.0.2.54
ns.sub   AAAA   2001:db8::54
*.wild   A      192.0.2.5
alias    CNAME  alias2
alias2   CNAME  alias3
alias3   CNAME  one
old      DNAME  new
host.new A      192.0.2.6
service  HTTPS  1 . alpn=h2 ech=AAAA
service  HTTPS  2 hinted alpn=h3
toward   SVCB   1 service
";

const POOLS: &str = "
four      weighted    192.0.2.1*4 192.0.2.2*3 192.0.2.3*2 192.0.2.4*1
turns     round-robin 192.0.2.1 192.0.2.2 192.0.2.3 192.0.2.4
spare     failover    192.0.2.1 192.0.2.2
site-a    round-robin 192.0.2.1 192.0.2.2
site-b    round-robin 192.0.2.3 192.0.2.4
shares    weighted    site-a*2 site-b*1
nested    failover    shares spare
hosts     round-robin one.example.com. four.example.com.
mixed     failover    192.0.2.1 one.example.com.
down      round-robin 203.0.113.1 203.0.113.2
drawn     random      192.0.2.1 192.0.2.2 192.0.2.3 192.0.2.4
least     least-load  192.0.2.1*4 192.0.2.2*3 192.0.2.3*2 192.0.2.4*1
geo       geo:spare   site-a[EU] site-b[NA] spare
near      nearest     192.0.2.1@50,8 192.0.2.2@39,-77 192.0.2.3@35,139
fast      latency:10  192.0.2.1@50,8 192.0.2.2@39,-77 192.0.2.3@35,139
session   hash        192.0.2.1 192.0.2.2 192.0.2.3 192.0.2.4
fo-eu     failover    four site-a
fo-us     failover    shares site-b
deep      geo:spare   fo-eu[EU] fo-us[NA] spare
sixes     weighted    2001:db8::1*4 2001:db8::2*3
both      geo:spare   four[EU] sixes[EU] spare
";

const NAMES: &str = "
weighted    four   1    5 30 serve-all
round-robin turns  each 5 30 serve-all
failover    spare  1    5 30 serve-all
nested      nested 1    5 30 serve-all
to-one      hosts  1    5 30 serve-all
or-alias    mixed  1    5 30 serve-all
down        down   each 5 30 serve-all
last-good   down   each 5 30 last-good
random      drawn   1    5 30 serve-all
least-load  least   1    5 30 serve-all
geo         geo     1    5 30 serve-all
geo-4       geo     4    5 30 serve-all
geo-each    geo     each 5 30 serve-all
geo-spread  geo     spread:4 5 30 serve-all
geo-blind   geo     1    5 30 serve-all no-ecs
nearest     near    1    5 30 serve-all
latency     fast    1    5 30 serve-all
hash        session 1    5 30 serve-all
hash-4      session 4    5 30 serve-all
deep        deep    1    5 30 serve-all
service     both    4    5 30 serve-all hints
hinted      four    1    5 30 serve-all hints
";

/// Members of the pools that differ in nothing else.
#[allow(dead_code, reason = "the instruction counts have fewer")]
pub(crate) const MEMBERS: [u32; 4] = [2, 10, 100, 1000];

/// The policies that have such pools.
pub(crate) const WIDE: [&str; 9] =
    ["round-robin", "weighted", "least-load", "random", "failover", "geo", "nearest", "latency", "hash"];

/// A pool of so many IPv6 endpoints, the names of which are its policy's and their number's. The first of `geo`
/// claims Europe, each a network of its own, and what nobody claims is the first's; those of `nearest` and `latency` lie all over
/// the globe.
fn wide(policy: &str, members: u32) -> String {
    let needs = match policy {
        "geo" => ":2001:db8::1:1",
        "latency" => ":10",
        _ => "",
    };
    let mut line = format!("{policy}-{members} {policy}{needs}");
    for member in 0..members {
        write!(line, " 2001:db8::1:{:x}*{}", member + 1, member % 7 + 1).expect("a string");
        match policy {
            "geo" if member == 0 => line.push_str("[EU,2001:db8:1000::/48]"),
            "geo" => write!(line, "[2001:db8:{:x}::/48]", 0x1000 + member).expect("a string"),
            "nearest" | "latency" => {
                let (north, east) = (member * 37 % 120, member * 73 % 360);
                write!(line, "@{},{}", f64::from(north) - 50.0, f64::from(east) - 180.0).expect("a string");
            }
            _ => {}
        }
    }
    line.push('\n');
    line
}

/// A desk that serves every kind, and the kinds, with those of pools of so many members.
pub(crate) fn kinds(sizes: &[u32]) -> (Desk, Vec<Kind>) {
    let (mut pools, mut names) = (POOLS.to_owned(), NAMES.to_owned());
    for &members in sizes {
        write!(pools, "wide-{members} weighted").expect("a string");
        for member in 0..members {
            write!(pools, " 198.51.100.{}*{}", member % 250 + 1, member % 7 + 1).expect("a string");
        }
        pools.push('\n');
        writeln!(names, "weighted-{members} wide-{members} 1 5 30 serve-all").expect("a string");
    }
    for policy in WIDE {
        for &members in sizes {
            pools.push_str(&wide(policy, members));
            writeln!(names, "{policy}-{members}.wide {policy}-{members} 1 5 30 serve-all").expect("a string");
        }
    }
    let mut board = Board::new();
    let first = "203.0.113.1";
    let words = Words { apex: "example.com", zone: ZONE, pools: &pools, names: &names };
    let unjudged = served(Words { pools: POOLS, names: NAMES, ..words }, &board);
    let endpoints = &unjudged.steering.pools.endpoints;
    let down = endpoints.iter().position(|endpoint| *endpoint.name == *first).expect("the pool that is down");
    for probe in [down, down + 1] {
        board.set(ProbeId(probe as u32), Health::DOWN);
    }
    let mut kinds = Vec::new();
    for has_edns in [false, true] {
        every_kind(sizes, has_edns, &mut kinds);
    }
    every_client_kind(sizes, &mut kinds);
    (Desk::new(vec![served(words, &board)]), kinds)
}

fn every_kind(sizes: &[u32], has_edns: bool, kinds: &mut Vec<Kind>) {
    const A: u16 = 1;
    const MX: u16 = 15;
    const TXT: u16 = 16;
    const SVCB: u16 = 64;
    const HTTPS: u16 = 65;
    let edns = || has_edns.then(usual_edns);
    let mut add = |name: &str, request: Vec<u8>, outcome: Outcome, counts: [u16; 3]| {
        let name = format!("{name}{}", if has_edns { " with EDNS" } else { "" });
        kinds.push(Kind { name, request, outcome, counts, has_edns });
    };
    let noerror = Outcome::Answered(Rcode::NoError);
    let positive = [
        ("static, 1 A", "one", A, [1, 0, 0]),
        ("static, 4 A rotating", "four", A, [4, 0, 0]),
        ("static, MX", "mail", MX, [1, 0, 0]),
        ("no data", "one", TXT, [0, 1, 0]),
        ("referral with glue", "www.sub", A, [0, 2, 3]),
        ("wildcard", "any.wild", A, [1, 0, 0]),
        ("CNAME chain of 3", "alias", A, [4, 0, 0]),
        ("DNAME", "host.old", A, [3, 0, 0]),
        ("weighted, 4 members", "weighted", A, [1, 0, 0]),
        ("round-robin, 4 answers", "round-robin", A, [4, 0, 0]),
        ("failover", "failover", A, [1, 0, 0]),
        ("failover of weighted of round-robin", "nested", A, [1, 0, 0]),
        ("address before an alias", "or-alias", A, [1, 0, 0]),
        ("all down, all served", "down", A, [2, 0, 0]),
        ("all down, last good", "last-good", A, [2, 0, 0]),
        ("HTTPS with hints of two names", "service", HTTPS, [2, 0, 0]),
        ("SVCB with hints of another name", "toward", SVCB, [1, 0, 0]),
    ];
    for (name, owner, rtype, counts) in positive {
        add(name, query(&format!("{owner}.example.com."), rtype, edns()), noerror, counts);
    }
    let other = query("to-one.example.com.", TXT, edns());
    add("alias of a balanced name, and no data", other, noerror, [1, 1, 0]);
    for &members in sizes {
        let request = query(&format!("weighted-{members}.example.com."), A, edns());
        add(&format!("weighted, {members} members"), request, noerror, [1, 0, 0]);
    }
    let missing = query("no-such-name.example.com.", A, edns());
    add("no such name", missing, Outcome::Answered(Rcode::NxDomain), [0, 1, 0]);
    add("outside", query("www.example.net.", A, edns()), Outcome::Answered(Rcode::Refused), [0, 0, 0]);
    // A pointer where the name begins.
    let mut garbage = query("one.example.com.", A, edns());
    garbage[12] = 0xc0;
    add("malformed", garbage, Outcome::Answered(Rcode::FormErr), [0, 0, 0]);
    let mut response = query("one.example.com.", A, edns());
    response[2] |= 0x80;
    add("a response", response, Outcome::Dropped(Reason::Response), [0, 0, 0]);
}

/// Those that may depend on the client, who tells a subnet. 2001:db8::/36 is in Europe.
fn every_client_kind(sizes: &[u32], kinds: &mut Vec<Kind>) {
    let client = subnet("2001:db8::".parse().expect("an address"), 56);
    let noerror = Outcome::Answered(Rcode::NoError);
    let mut add = |name: String, owner: &str, rtype: u16, data: &[u8], (outcome, answers)| {
        let request = query_with_ecs(&format!("{owner}.example.com."), rtype, data);
        kinds.push(Kind { name, request, outcome, counts: [answers, 0, 0], has_edns: true });
    };
    let named = [
        ("random", "random", 1),
        ("least-load, nobody reporting", "least-load", 1),
        ("geo", "geo", 1),
        ("geo, 4 answers", "geo-4", 4),
        ("geo, of each member", "geo-each", 3),
        ("geo, 4 answers spread", "geo-spread", 4),
        ("geo, heeding no subnet", "geo-blind", 1),
        ("nearest", "nearest", 1),
        ("latency", "latency", 1),
        ("hash", "hash", 1),
        ("hash, 4 answers", "hash-4", 4),
        ("geo of failover of weighted", "deep", 1),
        ("static, told a subnet", "one", 1),
    ];
    for (name, owner, answers) in named {
        add(format!("{name} with ECS"), owner, 1, &client, (noerror, answers));
    }
    for policy in WIDE {
        for &members in sizes {
            let owner = format!("{policy}-{members}.wide");
            add(format!("{policy}, {members} members with ECS"), &owner, 28, &client, (noerror, 1));
        }
    }
    let opted_out = subnet("::".parse().expect("an address"), 0);
    add("HTTPS with hints, with ECS".to_owned(), "service", 65, &client, (noerror, 2));
    add("geo, opted out of ECS".to_owned(), "geo", 1, &opted_out, (noerror, 1));
    let private = subnet("10.0.0.0".parse().expect("an address"), 8);
    add("geo, told a private subnet".to_owned(), "geo", 1, &private, (noerror, 1));
    add("a malformed subnet".to_owned(), "geo", 1, &[0, 1, 24, 0, 192], (Outcome::Answered(Rcode::FormErr), 0));
}

impl Kind {
    /// Asks once and fails when the answer is not of this kind.
    pub(crate) fn check(&self, desk: &mut Desk) {
        for transport in [Transport::Udp, Transport::Tcp] {
            let (outcome, octets) = desk.ask(transport, &self.request);
            assert_eq!(outcome, self.outcome, "{}", self.name);
            let count = |at: usize| octets.get(at..at + 2).map_or(0, |count| u16::from_be_bytes([count[0], count[1]]));
            let opt = u16::from(self.has_edns && count(4) == 1);
            assert_eq!(
                [count(6), count(8), count(10)],
                [self.counts[0], self.counts[1], self.counts[2] + opt],
                "{}",
                self.name
            );
        }
    }
}
