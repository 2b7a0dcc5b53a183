//! What a forged source gets by UDP: so much and no more, nothing big, and whoever shows where it is gets everything.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use bellwether::answer::rate::RateLimits;
use bellwether::answer::{Counters, Outcome, Peer, Reason, Transport, Worker};
use bellwether::geo::Network;
use bellwether::health::Board;
use bellwether::moment::Moment;
use bellwether::observe::Tap;
use bellwether::snapshot::{Identity, RowLimits, Snapshot};
use bellwether::system::Clock;
use bellwether::transfer::{Grant, Grants};
use bellwether::transport::secondaries::Secondaries;
use bellwether::transport::udp;
use bellwether::wire::cookie::{Secret, Secrets};
use bellwether::wire::header::Rcode;
use bellwether::wire::rtype::Rtype;

use crate::answers::{lines, request};
use crate::counting::count;
use crate::served::{Desk, Words, query, query_with_ecs, served, subnet};
use crate::support::{self, PATIENCE};

/// One name that is balanced, one of each other kind, a text of 600 octets, and a second zone.
fn desk(limits: &RateLimits) -> (Desk, Arc<Counters>) {
    let text = format!("\"{}\" ", "x".repeat(199)).repeat(3);
    let zone = format!(
        "$TTL 300\n@ IN SOA ns h 1 2 3 4 60\n@ NS ns\nns A 192.0.2.53\nweb A 192.0.2.1\n*.any A 192.0.2.2\n\
         text TXT {text}\nbalanced AAAA 2001:db8::1\nsub NS ns.sub\nns.sub A 192.0.2.3\nold DNAME new\n\
         one CNAME web\ntwo CNAME gone\n"
    );
    let pools = "pool round-robin 192.0.2.10 192.0.2.11";
    let words = Words { apex: "example.com", zone: &zone, pools, names: "lb pool 2 5 30 serve-all" };
    let other = "$TTL 300\n@ IN SOA ns h 1 2 3 4 60\n@ NS ns\nns A 192.0.2.53\n";
    let other = Words { apex: "example.org", zone: other, ..Words::default() };
    let mut desk = Desk::new(vec![served(words, &Board::new()), served(other, &Board::new())]);
    let identity = Identity {
        secrets: Secrets::new(vec![Secret::new([7; 16])]),
        nsid: Some(b"a name of some length".to_vec().into()),
        version: Some(b"1".to_vec().into()),
        ..Identity::default()
    };
    desk.snapshot = desk.snapshot.identified(Arc::new(identity));
    let counters = Arc::new(Counters::default());
    desk.worker = Worker::new(Arc::clone(&counters), 1).limited(limits, 1, 2);
    desk.worker.adopt(&desk.snapshot);
    desk.source = address("192.0.2.200");
    (desk, counters)
}

fn address(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

/// Ten a second, none truncated.
fn ten() -> RateLimits {
    RateLimits { per_second: 10, slip: 0, ..RateLimits::default() }
}

/// How many of twenty requests, all at once, are answered.
fn answered(desk: &mut Desk, transport: Transport, mut request: impl FnMut(usize) -> Vec<u8>) -> usize {
    (0..20).filter(|&number| !desk.ask(transport, &request(number)).1.is_empty()).count()
}

fn counted(counters: &Counters, name: &str) -> u64 {
    counters.answers().chain(counters.events()).find(|(known, _)| *known == name).expect("a counter of that name").1
}

/// What is dropped is not counted as answered, by whatever it is counted, and what was counted once stays so.
#[test]
fn what_is_dropped_is_no_answer() {
    let (mut desk, counters) = desk(&ten());
    let rows = RowLimits { zones: 10, endpoints: 10 };
    desk.snapshot = desk.snapshot.counted(None, rows);
    desk.worker.adopt(&desk.snapshot);
    let told = query_with_ecs("web.example.com", 1, &subnet(address("198.51.100.0"), 24));
    let answers = answered(&mut desk, Transport::Udp, |_| told.clone()) as u64;
    assert!((1..20).contains(&answers), "{answers}");
    let check = |expected: u64| {
        let sheet = counters.sheet().expect("metrics are on");
        let responses: u64 =
            sheet.responses().flat_map(|(_, cells)| cells.counts().collect::<Vec<_>>()).map(|(.., count)| count).sum();
        let subnets: Vec<_> = sheet.subnets().filter(|&(_, count)| count > 0).collect();
        assert_eq!(responses, expected);
        assert_eq!(subnets, if expected > 0 { vec![("usable", expected)] } else { Vec::new() });
        assert_eq!(
            (counted(&counters, "noerror"), counted(&counters, "dropped-rate-limited")),
            (answers, 20 - answers)
        );
    };
    check(answers);
    // Another layout begins a new sheet.
    desk.snapshot = desk.snapshot.counted(None, RowLimits { zones: 0, ..rows });
    desk.worker.adopt(&desk.snapshot);
    check(0);
}

/// The request with these options in its OPT record, its last.
fn with_options(text: &str, options: &[u8]) -> Vec<u8> {
    let mut octets = request(text);
    let at = octets.len() - 2;
    octets[at..].copy_from_slice(&(options.len() as u16).to_be_bytes());
    octets.extend(options);
    octets
}

const CLIENT_COOKIE: [u8; 12] = [0, 10, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8];

/// The option that a response holds, if the whole of it.
fn cookie_of(response: &[u8]) -> Vec<u8> {
    let at = response.windows(12).position(|window| window[4..] == CLIENT_COOKIE[4..]).expect("the cookie");
    response[at..at + 28].to_vec()
}

#[test]
fn what_is_made_from_one_name_is_counted_together() {
    // Two rows of requests: whether the second has a count of its own once the first has used up its own.
    let check = |first: &dyn Fn(usize) -> Vec<u8>, second: &dyn Fn(usize) -> Vec<u8>, apart: bool| {
        let (mut desk, counters) = desk(&ten());
        let shown = String::from_utf8_lossy(&first(1)[12..]).into_owned();
        assert_eq!(answered(&mut desk, Transport::Udp, first), 10, "{shown}");
        assert_eq!(answered(&mut desk, Transport::Udp, second), if apart { 10 } else { 0 }, "after {shown}");
        assert_eq!(counted(&counters, "dropped-rate-limited"), if apart { 20 } else { 30 });
        // A second later there is room again, and by TCP there always was.
        assert_eq!(answered(&mut desk, Transport::Tcp, first), 20, "{shown}");
        desk.now = desk.now + Duration::from_secs(1);
        assert_eq!(answered(&mut desk, Transport::Udp, first), 10, "{shown}");
    };
    let one = |text: &'static str| move |_| request(text);
    let many = |rest: &'static str| move |number: usize| request(&format!("x{number}{rest}"));
    check(&one("web.example.com. A"), &one("WEB.example.com. A edns"), false);
    check(&one("web.example.com. A"), &one("ns.example.com. A"), true);
    check(&one("web.example.com. A"), &one("web.example.com. AAAA"), false);
    check(&one("lb.example.com. A"), &one("lb.example.com. A"), false);
    check(&one("lb.example.com. A"), &one("web.example.com. A"), true);
    check(&many(".any.example.com. A"), &many(".y.any.example.com. A"), false);
    check(&many(".old.example.com. A"), &many(".z.old.example.com. A"), false);
    check(&many(".sub.example.com. A"), &one("sub.example.com. NS"), false);
    check(&one("one.example.com. A"), &one("web.example.com. A"), true);
    check(&many(".example.com. A"), &many(".y.example.com. A"), false);
    check(&many(".example.com. A"), &many(".example.org. A"), true);
    check(&many(".example.com. A"), &one("two.example.com. A"), false);
    check(&many(".example.com. A"), &one("web.example.com. A"), true);
    check(&one("elsewhere.test. A"), &one("example.com. A version=1"), false);
    check(&one("elsewhere.test. A"), &one("web.example.com. AXFR"), false);
    check(&one("elsewhere.test. A"), &one("web.example.com. A"), true);
    // What cannot be read is an error as well.
    let garbage = |_| [&request("web.example.com. A")[..20], b""].concat();
    check(&one("elsewhere.test. A"), &garbage, false);
    check(&garbage, &one("elsewhere.test. A"), false);
    check(&one("web.example.com. A"), &move |_| class(query("version.bind.", 16, None), 3), true);
}

fn class(mut octets: Vec<u8>, class: u16) -> Vec<u8> {
    let end = octets.len();
    octets[end - 2..].copy_from_slice(&class.to_be_bytes());
    octets
}

#[test]
fn networks_have_counts_of_their_own_and_some_have_none() {
    let (mut desk, _) = desk(&ten());
    let web = |_: usize| request("web.example.com. A");
    let mut from = |source: &str, expected: usize| {
        desk.source = address(source);
        assert_eq!(answered(&mut desk, Transport::Udp, web), expected, "{source}");
    };
    from("192.0.2.200", 10);
    from("192.0.2.1", 0);
    from("192.0.3.1", 10);
    from("2001:db8::1", 10);
    from("127.0.0.1", 20);
    from("::1", 20);
    for transport in [Transport::Tls, Transport::Https, Transport::Quic] {
        assert_eq!(answered(&mut desk, transport, web), 20, "{transport:?}");
    }
    let (mut unlimited, _) = self::desk(&RateLimits { per_second: 0, ..ten() });
    assert_eq!(answered(&mut unlimited, Transport::Udp, web), 20);
}

#[test]
fn what_slips_is_no_larger_than_the_request() {
    let (mut desk, counters) = desk(&RateLimits { per_second: 10, slip: 1, ..RateLimits::default() });
    let check = |desk: &mut Desk, request: &[u8], head: &str, more: usize| {
        for _ in 0..10 {
            desk.ask(Transport::Udp, request);
        }
        let (outcome, response) = desk.ask(Transport::Udp, request);
        assert!(matches!(outcome, Outcome::Answered(_)), "{outcome:?}");
        assert_eq!(lines(request, response)[..1], [head.to_owned()], "{request:?}");
        assert_eq!(response[6..10], [0; 4], "no records");
        assert!(response.len() <= request.len() + more, "{} octets to {}", response.len(), request.len());
    };
    check(&mut desk, &request("web.example.com. A"), "NoError tc", 0);
    check(&mut desk, &request("lb.example.com. A edns"), "NoError tc", 0);
    check(&mut desk, &request("gone.example.com. A edns"), "NXDomain tc", 0);
    check(&mut desk, &request("elsewhere.test. A do"), "Refused tc", 0);
    // NSID is left out; a server cookie, of 16 octets, is what they come again with.
    let nsid = [&[0, 3, 0, 0][..], &CLIENT_COOKIE].concat();
    check(&mut desk, &with_options("text.example.com. TXT edns", &nsid), "NoError tc", 16);
    assert_eq!(counted(&counters, "truncated-rate-limited"), 5);
    assert_eq!(counted(&counters, "dropped-rate-limited"), 0);
}

#[test]
fn a_cookie_of_ours_is_never_limited() {
    let (mut desk, counters) = desk(&ten());
    let first = with_options("web.example.com. A edns", &CLIENT_COOKIE);
    let cookie = cookie_of(desk.ask(Transport::Udp, &first).1);
    let proven = with_options("web.example.com. A edns", &cookie);
    assert_eq!(answered(&mut desk, Transport::Udp, |_| first.clone()), 9, "a client's part proves nothing");
    assert_eq!(answered(&mut desk, Transport::Udp, |_| proven.clone()), 20);
    assert_eq!(answered(&mut desk, Transport::Udp, |_| first.clone()), 0);
    // Nor has it a way round for another, nor for one who cannot know it.
    desk.source = address("192.0.2.201");
    assert_eq!(answered(&mut desk, Transport::Udp, |_| proven.clone()), 0);
    assert_eq!(counted(&counters, "dropped-rate-limited"), 11 + 20 + 20);
    assert_eq!(counted(&counters, "cookies-proven"), 20);
}

#[test]
fn big_answers_are_for_those_who_show_where_they_are() {
    let (mut desk, counters) = desk(&RateLimits::default());
    let text = with_options("text.example.com. TXT edns", &CLIENT_COOKIE);
    let (_, response) = desk.ask(Transport::Udp, &text);
    assert_eq!((response[2] & 2, response.len()), (2, text.len() + 16));
    let cookie = cookie_of(response);
    assert_eq!(counted(&counters, "truncated-unproven"), 1);
    // With it, by TCP, and from where nobody can forge: whole.
    let proven = with_options("text.example.com. TXT edns", &cookie);
    let whole = |desk: &mut Desk, transport: Transport, request: &[u8]| {
        let (_, response) = desk.ask(transport, request);
        assert_eq!((response[2] & 2, response.len() > 600), (0, true), "{} octets", response.len());
    };
    whole(&mut desk, Transport::Udp, &proven);
    whole(&mut desk, Transport::Tcp, &text);
    desk.source = address("127.0.0.1");
    whole(&mut desk, Transport::Udp, &text);
    desk.source = address("192.0.2.200");
    assert_eq!(counted(&counters, "truncated-unproven"), 1);
    // Without EDNS, or with a small payload, it had no room as it was; ANY is the one set.
    for (text, more) in [("text.example.com. TXT", 0), ("text.example.com. ANY edns", 0)] {
        let request = request(text);
        let (_, response) = desk.ask(Transport::Udp, &request);
        assert_eq!((response[2] & 2, response.len()), (2, request.len() + more), "{text}");
    }
    // What is small is whole for everybody.
    let (_, response) = desk.ask(Transport::Udp, &request("lb.example.com. A edns"));
    assert_eq!(response[2] & 2, 0);
    // The largest allowed is allowed, and one octet less is not.
    let length = desk.ask(Transport::Tcp, &request("text.example.com. TXT edns")).1.len() as u16;
    for (unproven_octets, is_cut) in [(length, false), (length - 1, true), (1_232, false)] {
        let (mut desk, _) = self::desk(&RateLimits { unproven_octets, per_second: 0, ..RateLimits::default() });
        let (_, response) = desk.ask(Transport::Udp, &request("text.example.com. TXT edns"));
        assert_eq!(response[2] & 2 != 0, is_cut, "{unproven_octets}");
    }
}

#[test]
fn limits_allocate_nothing() {
    let (mut desk, _) = desk(&RateLimits { per_second: 10, ..RateLimits::default() });
    let requests: Vec<_> = ["web.example.com. A", "text.example.com. TXT edns", "gone.example.com. A", "x. A"]
        .into_iter()
        .map(request)
        .chain([request("web.example.com. A")[..20].to_vec()])
        .collect();
    let before = count();
    for _ in 0..1_000 {
        for request in &requests {
            desk.ask(Transport::Udp, request);
        }
    }
    assert_eq!(count(), before);
    let (outcome, _) = desk.ask(Transport::Udp, &query("web.example.com.", Rtype::A.0, None));
    assert!(matches!(outcome, Outcome::Dropped(Reason::RateLimited) | Outcome::Answered(Rcode::NoError)));
}

/// What `answer` did not make is counted, too: among the errors of its network.
#[test]
fn replies_that_others_made_are_errors_by_their_count() {
    let reply = [&[1, 2, 0x80, 5, 0, 1, 0, 0, 0, 0, 0, 1][..], &[7; 40]].concat();
    let check = |slip: u8, source: &str, transport: Transport, expected: [usize; 3]| {
        let (mut desk, counters) = desk(&RateLimits { slip, ..ten() });
        let peer = Peer { address: address(source), transport };
        let sent: Vec<Vec<u8>> = std::iter::repeat_with(|| {
            let mut sent = reply.clone();
            desk.worker.withhold(peer, Moment::START, &mut sent);
            sent
        })
        .take(20)
        .collect();
        let whole = sent.iter().filter(|sent| **sent == reply).count();
        let cut = sent.iter().filter(|sent| sent[..] == [1, 2, 0x82, 5, 0, 0, 0, 0, 0, 0, 0, 0]).count();
        let nothing = sent.iter().filter(|sent| sent.is_empty()).count();
        assert_eq!([whole, cut, nothing], expected, "slip {slip}, {source} by {transport:?}");
        assert_eq!(counted(&counters, "dropped-rate-limited"), nothing as u64);
    };
    check(0, "192.0.2.1", Transport::Udp, [10, 0, 10]);
    check(1, "192.0.2.1", Transport::Udp, [10, 10, 0]);
    check(0, "192.0.2.1", Transport::Tcp, [20, 0, 0]);
    check(0, "127.0.0.1", Transport::Udp, [20, 0, 0]);
    // With the errors that `answer` makes.
    let (mut desk, _) = desk(&ten());
    assert_eq!(answered(&mut desk, Transport::Udp, |_| request("www.example.net. A")), 10);
    let mut sent = reply.clone();
    desk.worker.withhold(Peer { address: desk.source, transport: Transport::Udp }, Moment::START, &mut sent);
    assert!(sent.is_empty());
}

/// Stops a worker whatever becomes of its test.
struct Stopping<'s>(&'s AtomicBool);

impl Drop for Stopping<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Requests at once, which all fit into what a worker's socket holds.
const REQUESTS: u64 = 100;

/// By a socket: nobody gets more of a server that has secondaries, by asking as they do.
#[test]
fn requests_for_zones_have_no_way_past_the_limit() {
    let own = support::address::own_ip();
    let socket = udp::bind(SocketAddr::new(own.into(), 5300)).expect("an address of its own");
    let counters = Arc::new(Counters::default());
    let limits = RateLimits { exempt: [].into(), ..ten() };
    let worker = Worker::new(Arc::clone(&counters), 1).limited(&limits, 1, 2);
    let network = Network::parse("192.0.2.0/24").expect("a network");
    let grants = Grants { grants: [Grant { network, key: None }].into(), ..Grants::default() };
    let around = udp::Around {
        clock: Clock::new(),
        fronts: Arc::default(),
        secondaries: Arc::new(Secondaries::new(grants)),
        tally: Arc::default(),
    };
    let zone = "$TTL 300\n@ IN SOA ns h 1 2 3 4 60\n@ NS ns\nns A 192.0.2.53\n";
    let words = Words { apex: "example.com", zone, ..Words::default() };
    let snapshot = Snapshot::new(1, vec![served(words, &Board::new())]);
    let (stop, pulse) = (AtomicBool::new(false), udp::Pulse::default());
    std::thread::scope(|scope| {
        let _stopping = Stopping(&stop);
        let snapshots = Arc::new(ArcSwap::from_pointee(snapshot));
        scope.spawn(|| udp::serve(&socket, snapshots, (worker, Tap::default()), &around, (&stop, &pulse)));
        let client = UdpSocket::bind((own, 0)).expect("a socket");
        client.set_read_timeout(Some(PATIENCE)).expect("a time");
        client.connect((own, 5300)).expect("an address");
        // Few enough to wait for the worker all at once; one thread answers them in order.
        for _ in 0..REQUESTS {
            client.send(&request("example.com. IXFR edns")).expect("sent");
        }
        client.send(&request("ns.example.com. A")).expect("sent");
        let mut octets = [0; 1_500];
        let codes = std::iter::from_fn(|| {
            client.recv(&mut octets).expect("an answer");
            let code = octets[3] & 0x0f;
            (code != 0).then_some(code)
        });
        let replies = codes.inspect(|&code| assert_eq!(code, 5, "REFUSED")).count() as u64;
        // A machine that needs seconds for it grants more.
        assert!((10..REQUESTS).contains(&replies), "{replies} replies");
        assert_eq!(counted(&counters, "dropped-rate-limited"), REQUESTS - replies);
    });
}
