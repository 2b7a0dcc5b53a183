//! One request of each kind of answer: what the benches measure and the count of allocations runs through.

use std::fmt::Write as _;

use bellwether::answer::{Outcome, Reason, Transport};
use bellwether::health::{Board, Health, ProbeId};
use bellwether::wire::header::Rcode;

use crate::served::{Desk, Words, query, served, usual_edns};

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
";

/// Members of the weighted pools that differ in nothing else.
const MEMBERS: [u32; 4] = [2, 10, 100, 1000];

/// A desk that serves every kind, and the kinds.
pub(crate) fn kinds() -> (Desk, Vec<Kind>) {
    let (mut pools, mut names) = (POOLS.to_owned(), NAMES.to_owned());
    for members in MEMBERS {
        write!(pools, "wide-{members} weighted").expect("a string");
        for member in 0..members {
            write!(pools, " 198.51.100.{}*{}", member % 250 + 1, member % 7 + 1).expect("a string");
        }
        pools.push('\n');
        writeln!(names, "weighted-{members} wide-{members} 1 5 30 serve-all").expect("a string");
    }
    let mut board = Board::new();
    let first = "203.0.113.1";
    let words = Words { apex: "example.com", zone: ZONE, pools: &pools, names: &names };
    let unjudged = served(words, &board);
    let endpoints = &unjudged.steering.pools.endpoints;
    let down = endpoints.iter().position(|endpoint| *endpoint.name == *first).expect("the pool that is down");
    for probe in [down, down + 1] {
        board.set(ProbeId(probe as u32), Health::DOWN);
    }
    let mut kinds = Vec::new();
    for has_edns in [false, true] {
        every_kind(has_edns, &mut kinds);
    }
    (Desk::new(vec![served(words, &board)]), kinds)
}

fn every_kind(has_edns: bool, kinds: &mut Vec<Kind>) {
    const A: u16 = 1;
    const MX: u16 = 15;
    const TXT: u16 = 16;
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
    ];
    for (name, owner, rtype, counts) in positive {
        add(name, query(&format!("{owner}.example.com."), rtype, edns()), noerror, counts);
    }
    let other = query("to-one.example.com.", TXT, edns());
    add("alias of a balanced name, and no data", other, noerror, [1, 1, 0]);
    for members in MEMBERS {
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

impl Kind {
    /// Asks once and fails when the answer is not of this kind.
    pub(crate) fn check(&self, desk: &mut Desk) {
        for transport in [Transport::Datagram, Transport::Stream] {
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
