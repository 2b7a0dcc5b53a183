//! Every line of the table of instruction counts, one after the other: what `benches/instructions/run` puts under
//! callgrind. Run by itself it only shows that each is answered as its name says.
//!
//! Callgrind counts inside [`counted`] alone, and writes down what it has before [`written`]: one figure a line, in
//! the order of the names that are printed. The figure holds the loop around `answer()` as well, about ten
//! instructions.
#![allow(clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs, reason = "a bench asserts and prints")]

#[path = "../../tests/suite/kinds.rs"]
mod kinds;
#[path = "../../tests/suite/policies.rs"]
mod policies;
#[path = "../../tests/suite/served.rs"]
mod served;

use std::fmt::Write as _;
use std::hint::black_box;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bellwether::answer::rate::RateLimits;
use bellwether::answer::{Outcome, Transport, Worker};
use bellwether::health::Board;
use bellwether::random::Random;
use bellwether::snapshot::{Identity, RowLimits, Served};
use bellwether::wire::cookie::{Secret, Secrets};
use bellwether::wire::header::Rcode;
use hickory_proto::op::Edns;
use hickory_proto::rr::rdata::opt::EdnsOption;
use served::{Desk, Words, cut, query, query_with_ecs, subnet, usual_edns};

/// Queries that a figure is the mean of.
const QUERIES: usize = 1 << 11;

/// Sizes of pools that differ in nothing else. Larger ones take no more instructions, but take long to set up.
const MEMBERS: [u32; 2] = [2, 100];

/// Requests that are asked in turn, where one would always find the same.
const IN_TURN: u64 = 1 << 8;

/// What is asked again with metrics.
const COUNTED: [&str; 5] = [
    "static, 1 A",
    "weighted, 4 members",
    "round-robin, 4 answers",
    "no such name",
    "geo of failover of weighted with ECS",
];

const A: u16 = 1;
const TXT: u16 = 16;

const NOERROR: Outcome = Outcome::Answered(Rcode::NoError);
const NXDOMAIN: Outcome = Outcome::Answered(Rcode::NxDomain);

fn main() {
    // The name of a line, to look at it alone; what cargo passes to every bench is no name.
    let only = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let sheet = Sheet { only };
    println!("queries\t{QUERIES}");
    let (mut desk, kinds) = kinds::kinds(&MEMBERS);
    for kind in &kinds {
        kind.check(&mut desk);
        let (outcome, _) = desk.ask(Transport::Udp, &kind.request);
        sheet.line(&kind.name, &mut desk, Transport::Udp, std::slice::from_ref(&kind.request), outcome);
    }
    many_clients(&sheet, &mut desk);
    counted_for_metrics(&sheet, &mut desk, &kinds);
    large_sets(&sheet);
    limits_and_cookies(&sheet);
    many_names(&sheet);
    many_zones(&sheet);
}

struct Sheet {
    only: Option<String>,
}

impl Sheet {
    fn line(&self, name: &str, desk: &mut Desk, transport: Transport, requests: &[Vec<u8>], outcome: Outcome) {
        if self.only.as_ref().is_some_and(|only| only != name) {
            return;
        }
        for request in requests {
            let (got, response) = desk.ask(transport, request);
            assert_eq!(got, outcome, "{name}");
            assert!(response.get(2).is_none_or(|flags| flags & 2 == 0), "{name} is truncated");
        }
        counted(desk, transport, requests);
        written(name);
    }
}

/// What is counted. Not inlined, so that it can be named.
#[inline(never)]
fn counted(desk: &mut Desk, transport: Transport, requests: &[Vec<u8>]) {
    for request in requests.iter().cycle().take(QUERIES) {
        // So slowly that no limit is reached.
        desk.now = desk.now + Duration::from_millis(2);
        black_box(desk.ask(transport, black_box(request)).0);
    }
}

/// Where callgrind writes down what it has. Not inlined either, and not [`counted`] itself: for the function that it is
/// told to count in, valgrind 3.19 passes `--dump-after` over.
#[inline(never)]
fn written(name: &str) {
    println!("{name}");
}

/// A zone of these records beside those that every zone has, and of `www`, balanced.
fn served(apex: &str, records: &str) -> Served {
    let zone =
        format!("$TTL 300\n@ IN SOA ns1 hostmaster 1 7200 900 1209600 300\n@ NS ns1\nns1 A 192.0.2.53\n{records}");
    let (pools, names) = ("pool weighted 192.0.2.10*2 192.0.2.11*1", "www pool 1 5 30 serve-all");
    served::served(Words { apex, zone: &zone, pools, names }, &Board::new())
}

/// The same again, counted by zone and endpoint, as a server does whose metrics are shown.
fn counted_for_metrics(sheet: &Sheet, desk: &mut Desk, kinds: &[kinds::Kind]) {
    let before = desk.snapshot.clone();
    desk.snapshot = before.clone().counted(None, RowLimits { zones: 1_000, endpoints: 10_000 });
    desk.worker.adopt(&desk.snapshot);
    for kind in kinds.iter().filter(|kind| COUNTED.contains(&kind.name.as_str())) {
        let (outcome, _) = desk.ask(Transport::Udp, &kind.request);
        let name = format!("{}, with metrics", kind.name);
        sheet.line(&name, desk, Transport::Udp, std::slice::from_ref(&kind.request), outcome);
    }
    desk.snapshot = before;
    desk.worker.adopt(&desk.snapshot);
}

fn large_sets(sheet: &Sheet) {
    let mut records = String::new();
    for number in 0..50 {
        writeln!(records, "fifty A 192.0.2.{number}").expect("a string");
    }
    // 16 strings of 255 octets, each with its length: 4,096 octets.
    let text = "x".repeat(255);
    writeln!(records, "text TXT {}", [text.as_str(); 16].join(" ")).expect("a string");
    let mut desk = Desk::new(vec![served("example.com", &records)]);
    let fifty = [query("fifty.example.com.", A, Some(usual_edns()))];
    let text = [query("text.example.com.", TXT, None)];
    sheet.line("static, 50 A with EDNS", &mut desk, Transport::Udp, &fifty, NOERROR);
    sheet.line("static, 50 A with EDNS over TCP", &mut desk, Transport::Tcp, &fifty, NOERROR);
    sheet.line("static, TXT of 4 KiB over TCP", &mut desk, Transport::Tcp, &text, NOERROR);
}

/// Clients all over, each of whom tells a subnet.
fn many_clients(sheet: &Sheet, desk: &mut Desk) {
    let mut random = Random::new(13);
    let mut client = |at: u64| match at % 3 {
        0 => subnet(cut(IpAddr::from((0x2001_0db8 << 96 | u128::from(random.next_u64()) << 32).to_be_bytes()), 56), 56),
        _ => subnet(cut(IpAddr::from((1 << 31 | random.next_u32() >> 2).to_be_bytes()), 24), 24),
    };
    let clients: Vec<Vec<u8>> = (0..IN_TURN).map(&mut client).collect();
    for owner in ["geo", "deep", "nearest", "latency", "hash"] {
        let ask = |client: &Vec<u8>| query_with_ecs(&format!("{owner}.example.com."), A, client);
        let requests: Vec<Vec<u8>> = clients.iter().map(ask).collect();
        sheet.line(&format!("{owner}, clients all over"), desk, Transport::Udp, &requests, NOERROR);
    }
}

/// Who is counted, who is exempt, and who has shown where it is.
fn limits_and_cookies(sheet: &Sheet) {
    let mut desk = Desk::new(vec![served("example.com", "one A 192.0.2.1\n")]);
    let secrets = Secrets::new(vec![Secret::new(*b"never kept quiet")]);
    desk.snapshot = desk.snapshot.identified(Arc::new(Identity { secrets, ..Identity::default() }));
    desk.worker = Worker::new(Arc::default(), 1).limited(&RateLimits::default(), 1, 2);
    desk.worker.adopt(&desk.snapshot);
    let [one, missing] = ["one", "missing"].map(|owner| [query(&format!("{owner}.example.com."), A, None)]);
    sheet.line("limits, exempt", &mut desk, Transport::Udp, &one, NOERROR);
    sheet.line("limits, exempt, a client's cookie", &mut desk, Transport::Udp, &[with_cookie(b"a client")], NOERROR);
    desk.source = IpAddr::from([192, 0, 2, 200]);
    sheet.line("limits, counted", &mut desk, Transport::Udp, &one, NOERROR);
    sheet.line("limits, counted, no such name", &mut desk, Transport::Udp, &missing, NXDOMAIN);
    let first = [with_cookie(b"a client")];
    sheet.line("limits, counted, a client's cookie", &mut desk, Transport::Udp, &first, NOERROR);
    let (_, response) = desk.ask(Transport::Udp, &first[0]);
    // The response ends in the option.
    let second = [with_cookie(response.last_chunk::<24>().expect("a cookie"))];
    sheet.line("limits, a cookie of ours", &mut desk, Transport::Udp, &second, NOERROR);
}

/// A query that bears a cookie.
fn with_cookie(cookie: &[u8]) -> Vec<u8> {
    let mut edns: Edns = usual_edns();
    edns.options_mut().insert(EdnsOption::Unknown(10, cookie.to_vec()));
    query("one.example.com.", A, Some(edns))
}

fn many_names(sheet: &Sheet) {
    const NAMES: u64 = 10_000;
    let mut records = String::new();
    for number in 0..NAMES {
        writeln!(records, "host{number} A 192.0.2.{}", number % 256).expect("a string");
    }
    let mut desk = Desk::new(vec![served("example.com", &records)]);
    let mut random = Random::new(7);
    let mut ask = |prefix: &str| -> Vec<Vec<u8>> {
        let mut owner = || format!("{prefix}{}.example.com.", random.below(NAMES));
        (0..IN_TURN).map(|_| query(&owner(), A, None)).collect()
    };
    let (present, missing, deep) = (ask("host"), ask("nohost"), ask("a.label.more.in.every.host"));
    sheet.line("static, of 10,000 names", &mut desk, Transport::Udp, &present, NOERROR);
    sheet.line("no such name, of 10,000 names", &mut desk, Transport::Udp, &missing, NXDOMAIN);
    sheet.line("no such name, of 8 labels", &mut desk, Transport::Udp, &deep, NXDOMAIN);
}

fn many_zones(sheet: &Sheet) {
    const ZONES: u64 = 1_000;
    let apex = |number: u64| format!("zone{number}.example.com");
    let mut desk = Desk::new((0..ZONES).map(|number| served(&apex(number), "one A 192.0.2.1\n")).collect());
    let mut random = Random::new(7);
    let mut ask = |owner: &str| -> Vec<Vec<u8>> {
        (0..IN_TURN).map(|_| query(&format!("{owner}.{}.", apex(random.below(ZONES))), A, None)).collect()
    };
    let (present, missing, balanced) = (ask("one"), ask("missing"), ask("www"));
    sheet.line("static, of 1,000 zones", &mut desk, Transport::Udp, &present, NOERROR);
    sheet.line("no such name, of 1,000 zones", &mut desk, Transport::Udp, &missing, NXDOMAIN);
    sheet.line("weighted, of 1,000 zones", &mut desk, Transport::Udp, &balanced, NOERROR);
}
