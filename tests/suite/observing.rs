//! Listening in on queries: what is heard is what was answered, listening changes no answer, and costs nobody anything
//! who is not heard.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use bellwether::answer::{Outcome, Peer, Reason, Response, Transport, Worker, answer};
use bellwether::health::{Board, Health, ProbeId};
use bellwether::moment::Moment;
use bellwether::observe::{Depth, Ends, Heard, Outlet, Share, Tap, Volume, reason, tap};
use bellwether::snapshot::Snapshot;
use bellwether::ttl::Horizon;
use bellwether::wire::rtype::Rtype;

use crate::counting::count;
use crate::kinds::{MEMBERS, kinds};
use crate::served::{Desk, Words, query, query_with_ecs, served, subnet, usual_edns};

/// A desk that somebody listens in on.
struct Overheard {
    desk: Desk,
    tap: Tap,
    outlet: Outlet,
    octets: Box<[u8]>,
}

impl Overheard {
    fn new(desk: Desk, share: Share) -> Self {
        let volume = Arc::new(Volume::default());
        let (mut tap, outlet) = tap(Arc::clone(&volume), Depth::Glance, 3);
        volume.set(share);
        tap.tune();
        Self { desk, tap, outlet, octets: vec![0; 65_535].into() }
    }

    /// As a transport asks.
    fn ask(&mut self, transport: Transport, request: &[u8]) -> (Outcome, Vec<u8>) {
        let (outcome, length) = self.ask_quietly(transport, request);
        (outcome, self.octets[..length].to_vec())
    }

    /// The same, without allocating; how long the response is.
    fn ask_quietly(&mut self, transport: Transport, request: &[u8]) -> (Outcome, usize) {
        let Desk { snapshot, worker, now, source, .. } = &mut self.desk;
        let peer = Peer { address: *source, transport };
        let mut response = Response::new(&mut self.octets);
        let outcome = if self.tap.is_due() {
            let server = SocketAddr::from(([192, 0, 2, 53], 53));
            let ends = Ends { client_port: Some(4_000), server };
            self.tap.answer(snapshot, worker, (peer, ends), *now, request, &mut response)
        } else {
            answer(snapshot, worker, peer, *now, request, &mut response)
        };
        (outcome, response.octets().len())
    }
}

#[test]
fn who_listens_changes_no_answer() {
    let (mut plain, kinds) = kinds(&MEMBERS);
    let mut overheard = Overheard::new(crate::kinds::kinds(&MEMBERS).0, Share::new(0.5));
    let mut heard = 0;
    for kind in &kinds {
        for turn in 0..60 {
            for transport in [Transport::Udp, Transport::Tcp] {
                let (outcome, expected) = plain.ask(transport, &kind.request);
                let expected = (outcome, expected.to_vec());
                assert_eq!(overheard.ask(transport, &kind.request), expected, "{}, turn {turn}", kind.name);
            }
            while let Some(query) = overheard.outlet.pop() {
                assert_eq!(query.request, kind.request, "{}", kind.name);
                heard += 1;
            }
        }
    }
    let asked = kinds.len() * 120;
    // Half, with a deviation of √(n/4).
    assert!((heard as f64 - asked as f64 / 2.0).abs() < 6.0 * (asked as f64 / 4.0).sqrt(), "{heard} of {asked}");
    assert_eq!(overheard.outlet.lost(), 0);
}

#[test]
fn nothing_is_heard_while_nobody_listens() {
    let (desk, kinds) = kinds(&MEMBERS);
    let mut silent = Overheard::new(desk, Share::NONE);
    for kind in &kinds {
        silent.ask(Transport::Udp, &kind.request);
    }
    assert!(silent.outlet.pop().is_none());
    let mut dry = Tap::default();
    dry.tune();
    assert!((0..1_000).all(|_| !dry.is_due()));
}

#[test]
fn listening_allocates_nothing_on_the_path_of_a_query() {
    let (desk, kinds) = kinds(&MEMBERS);
    let mut overheard = Overheard::new(desk, Share::ALL);
    for kind in &kinds {
        // More than there is room for: what is dropped must not be freed here either.
        for drained in [true, false] {
            while overheard.outlet.pop().is_some() {}
            let before = count();
            for _ in 0..if drained { 100 } else { 2_000 } {
                overheard.ask_quietly(Transport::Udp, &kind.request);
            }
            assert_eq!(count(), before, "{}", kind.name);
        }
    }
    assert!(overheard.outlet.lost() > 0, "it never was full");
}

#[test]
fn what_finds_no_room_is_counted_and_the_rest_is_whole() {
    let (desk, kinds) = kinds(&MEMBERS);
    let mut overheard = Overheard::new(desk, Share::ALL);
    let (mut asked, mut heard) = (0_u64, 0_u64);
    for round in 0..8 {
        for kind in kinds.iter().cycle().take(200 + 100 * round) {
            overheard.ask(Transport::Tcp, &kind.request);
            asked += 1;
        }
        while let Some(Heard { head, request, response, .. }) = overheard.outlet.pop() {
            assert!(kinds.iter().any(|kind| kind.request == request), "octets of two queries are mixed");
            assert_eq!((head.request_octets, head.response_octets), (request.len(), response.len()));
            assert!(matches!(head.outcome, Some(Outcome::Answered(_))) != response.is_empty());
            heard += 1;
        }
        assert_eq!(heard + overheard.outlet.lost(), asked, "round {round}");
    }
    assert!(overheard.outlet.lost() > 0 && heard > 0);
}

/// As many as a message over TCP can have.
#[test]
fn what_is_too_long_is_told_by_its_length() {
    let texts = format!("big TXT \"{0}\" \"{0}\" \"{0}\" \"{0}\"\n", "x".repeat(250)).repeat(1);
    let many: String = (0..20).map(|number| texts.replace('x', &char::from(b'a' + number).to_string())).collect();
    let zone = format!("@ 300 IN SOA ns h 1 2 3 4 60\n@ NS ns\nns A 192.0.2.53\n{many}");
    let words = Words { apex: "example.com", zone: &zone, ..Words::default() };
    let mut overheard = Overheard::new(Desk::new(vec![served(words, &Board::new())]), Share::ALL);
    let (_, response) = overheard.ask(Transport::Tcp, &query("big.example.com.", Rtype::TXT.0, None));
    assert!(response.len() > 20_000, "{}", response.len());
    let heard = overheard.outlet.pop().expect("it is heard");
    assert_eq!((heard.head.response_octets, heard.response), (response.len(), &[][..]));
    assert!(!heard.request.is_empty() && heard.head.zone.is_some());
}

const POOLS: &str = "
fra    weighted    192.0.2.1*3 192.0.2.2 2001:db8::1
vir    round-robin 198.51.100.1 198.51.100.2
world  geo:vir     fra[EU,192.0.2.0/24] vir[203.0.113.0/24]
spare  failover    world vir
alias  failover    other.example.net. 192.0.2.1
session hash       192.0.2.1 192.0.2.2
";

const NAMES: &str = "
www     spare   1        5 30 serve-all
each    vir     each     5 30 serve-all
spread  spare   spread:3 5 30 serve-all
plain   world   1        5 30 serve-all no-ecs
alias   alias   1        5 30 serve-all
session session 1        5 30 nodata
kept    vir     1        5 30 last-good
*.wild  vir     1        5 30 servfail
";

#[test]
fn the_reason_is_that_of_the_answer() {
    let zone = "@ 300 IN SOA ns h 1 2 3 4 60\n@ NS ns\nns A 192.0.2.53\nto CNAME www\n";
    let words = Words { apex: "example.com", zone, pools: POOLS, names: NAMES };
    let mut board = Board::new();
    let mut overheard = Overheard::new(Desk::new(vec![served(words, &board)]), Share::ALL);
    overheard.desk.source = IpAddr::from([198, 51, 100, 7]);
    let check = |overheard: &mut Overheard, request: &[u8], expected: Option<&str>| {
        overheard.ask(Transport::Udp, request);
        let heard = overheard.outlet.pop().expect("it is heard");
        let zone = heard.head.zone.as_ref().map(|zone| zone.apex().to_string());
        assert_eq!(zone.as_deref(), Some("example.com."));
        let got = heard.head.balancing.as_ref().map(|balancing| reason(balancing, heard.name, heard.steps));
        assert_eq!(got.as_deref(), expected);
    };
    let ask = |name: &str| query(&format!("{name}.example.com."), Rtype::A.0, Some(usual_edns()));
    let ask_for = |name: &str, address: [u8; 4]| {
        query_with_ecs(&format!("{name}.example.com."), Rtype::A.0, &subnet(address.into(), 24))
    };
    let resolver = "client=198.51.100.7/32";
    check(&mut overheard, &ask("ns"), None);
    check(&mut overheard, &ask("missing"), None);
    let www = |endpoint, turn, rest: &str| {
        format!(
            "name=www.example.com pool=spare>world>fra policy=failover>geo>weighted why=first>place/24>turn:{turn}/4 \
             endpoint={endpoint} client=192.0.2.0/24 scope=24 ttl=30 ttl-why=steady{rest}"
        )
    };
    check(&mut overheard, &ask_for("www", [192, 0, 2, 0]), Some(&www("192.0.2.1", 1, "")));
    check(&mut overheard, &ask_for("www", [192, 0, 2, 0]), Some(&www("192.0.2.1", 2, "")));
    check(&mut overheard, &ask_for("www", [192, 0, 2, 0]), Some(&www("192.0.2.2", 3, "")));
    // An alias in the zone leads to it, and its reason is that of where it leads.
    check(&mut overheard, &ask_for("to", [192, 0, 2, 0]), Some(&www("192.0.2.1", 4, "")));
    check(
        &mut overheard,
        &ask("each"),
        Some(&format!(
            "name=each.example.com pool=vir policy=round-robin why=turn:1/2 endpoint=198.51.100.1,198.51.100.2 {resolver} \
             scope=0 ttl=30 ttl-why=steady"
        )),
    );
    check(
        &mut overheard,
        &ask_for("spread", [192, 0, 2, 0]),
        Some(
            "name=spread.example.com pool=spare>world>fra policy=failover>geo>weighted why=first>place/24>turn:1/4 \
             endpoint=192.0.2.1,vir/198.51.100.1,192.0.2.2 client=192.0.2.0/24 scope=24 ttl=30 ttl-why=steady",
        ),
    );
    check(
        &mut overheard,
        &ask_for("x.wild", [192, 0, 2, 0]),
        Some(
            "name=x.wild.example.com pool=vir policy=round-robin why=turn:1/2 endpoint=198.51.100.1 client=192.0.2.0/24 \
             scope=0 ttl=30 ttl-why=steady",
        ),
    );
    check(
        &mut overheard,
        &query("www.example.com.", Rtype::AAAA.0, None),
        Some(&format!(
            "name=www.example.com pool=spare>world>fra policy=failover>geo>weighted why=first>place/6>turn:1/1 \
             endpoint=2001:db8::1 {resolver} scope=0 ttl=30 ttl-why=steady"
        )),
    );
    check(
        &mut overheard,
        &query("each.example.com.", Rtype::AAAA.0, None),
        Some("name=each.example.com pool=vir policy=round-robin endpoint=none"),
    );
    // A verdict forms, then nothing lives. Probes are numbered as endpoints are named: 3 and 4 are those of `vir`.
    let flip = Moment::START + std::time::Duration::from_secs(1_012);
    overheard.desk.now = Moment::START + std::time::Duration::from_secs(1_000);
    overheard.desk.turn(&mut board, &[(3, Health { flip, ..Health::UP })]);
    let degraded = |overheard: &mut Overheard, name: &str, expected: &str| check(overheard, &ask(name), Some(expected));
    degraded(
        &mut overheard,
        "kept",
        &format!(
            "name=kept.example.com pool=vir policy=round-robin why=turn:1/2 endpoint=198.51.100.1 {resolver} scope=0 \
             ttl=12 ttl-why=forming"
        ),
    );
    // Probes are late, and on time again.
    let horizon = Arc::new(Horizon::default());
    horizon.set(Moment::START);
    overheard.desk.snapshot = overheard.desk.snapshot.clone().within(Arc::clone(&horizon));
    degraded(
        &mut overheard,
        "kept",
        &format!(
            "name=kept.example.com pool=vir policy=round-robin why=turn:2/2 endpoint=198.51.100.2 {resolver} scope=0 \
             ttl=5 ttl-why=stale"
        ),
    );
    horizon.set(Moment::NEVER);
    overheard.desk.turn(&mut board, &[(3, Health::DOWN), (4, Health::DOWN)]);
    assert_eq!(board.get(ProbeId(4)).map(|health| health.alive), Some(false));
    degraded(
        &mut overheard,
        "each",
        &format!(
            "name=each.example.com pool=vir policy=round-robin why=turn:2/2 endpoint=198.51.100.2,198.51.100.1 {resolver} \
             scope=0 ttl=5 ttl-why=nothing-lives degraded=serve-all"
        ),
    );
    degraded(
        &mut overheard,
        "y.wild",
        &format!(
            "name=y.wild.example.com pool=vir policy=round-robin why=dead endpoint=none {resolver} scope=0 ttl=5 \
             ttl-why=nothing-lives degraded=servfail"
        ),
    );
}

/// What is no query is heard as well: it is who sends garbage that one looks for.
#[test]
fn what_is_dropped_is_heard() {
    let (desk, _) = kinds(&MEMBERS);
    let mut overheard = Overheard::new(desk, Share::ALL);
    let (outcome, response) = overheard.ask(Transport::Udp, b"garbage");
    assert_eq!((outcome, response.len()), (Outcome::Dropped(Reason::Short), 0));
    let heard = overheard.outlet.pop().expect("it is heard");
    assert_eq!((heard.head.outcome, heard.request, heard.response), (Some(outcome), &b"garbage"[..], &[][..]));
    assert!(heard.head.zone.is_none() && heard.head.balancing.is_none());
}

/// A zone that is gone is let go of: what was heard holds it only until it is read.
#[test]
fn nothing_is_held_that_was_read() {
    let zone = "@ 300 IN SOA ns h 1 2 3 4 60\n@ NS ns\nns A 192.0.2.53\n";
    let words = Words { apex: "example.com", zone, pools: POOLS, names: NAMES };
    let mut overheard = Overheard::new(Desk::new(vec![served(words, &Board::new())]), Share::ALL);
    let (zone, steering) = {
        let served = &overheard.desk.snapshot.served()[0];
        (Arc::downgrade(&served.zone), Arc::downgrade(&served.steering))
    };
    overheard.ask(Transport::Udp, &query("www.example.com.", Rtype::A.0, None));
    overheard.desk.snapshot = Snapshot::new(2, Vec::new());
    overheard.desk.worker = Worker::new(Arc::default(), 1);
    assert!(zone.upgrade().is_some() && steering.upgrade().is_some(), "what waits to be read can be read");
    drop(overheard.outlet.pop());
    assert!(zone.upgrade().is_none() && steering.upgrade().is_none());
}
