//! The corners of DNS as data (`tests/corners`): put to `answer()` as if by every door, then to a server over
//! UDP, TCP and TLS. The answer must be the same to the letter.
//!
//! `BELLWETHER_CORNERS=write` writes what `answer()` says into the files instead: for new cases, which are then to
//! be read and judged.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bellwether::answer::{Counters, Peer, Response, Transport, Worker, answer};
use bellwether::config::{self, Atlas, Balanced};
use bellwether::diagnostic::Severity;
use bellwether::health::Board;
use bellwether::moment::Moment;
use bellwether::policy::{Forced, Live};
use bellwether::snapshot::{Identity, Served, Snapshot, Steering};
use bellwether::wire::cookie::Secret;

use crate::counting::count;
use crate::support::client::{exchange_tcp, exchange_tls};
use crate::support::corners::{Asked, Corners, shown};
use crate::support::server::{Launch, Zones};
use crate::support::{PATIENCE, address, roots};

/// The doors, by the names that cases call them.
const DOORS: [(&str, Transport); 5] = [
    ("udp", Transport::Udp),
    ("tcp", Transport::Tcp),
    ("tls", Transport::Tls),
    ("https", Transport::Https),
    ("quic", Transport::Quic),
];

/// As long as the streams of a server may be idle.
const IDLE: Duration = Duration::from_secs(10);

/// When the cases are asked: the time of the first cookie of RFC 9018 appendix A.
const UNIX_START: u64 = 1_559_731_985;

/// What the server file of the cases says, as a snapshot has it.
fn identity(text: &str) -> Identity {
    let (server, faults) = config::read_server_file(Path::new("server"), text);
    assert_eq!(faults, []);
    let secret = Secret::from_hex("e5e973e5a6b2a43f48e7dc849e37bfcf").expect("32 digits");
    let identity = server.expect("a server file").dns.identity(secret).expect("no file of secrets");
    Identity { unix_start: UNIX_START, ..identity }
}

fn snapshot(corners: &Corners) -> Snapshot {
    let zones = Zones::new();
    for (name, text) in &corners.files {
        zones.write(name, text);
    }
    let (loaded, faults) = config::load(zones.path(), &Atlas::default());
    let errors: Vec<_> = faults.iter().filter(|fault| fault.severity == Severity::Error).collect();
    let loaded = loaded.unwrap_or_else(|| panic!("{}: {errors:?}", corners.path.display()));
    let served = loaded.zones.into_iter().map(|zone| {
        let names = zone.names.into_iter().map(Balanced::served).collect();
        let live = Live::compile(&zone.pools, &Board::new(), &Forced::default(), None);
        Served::new(zone.zone, Arc::new(Steering::new(names, zone.pools, zone.aliases)), Arc::new(live))
    });
    Snapshot::new(1, served.collect()).identified(Arc::new(identity(&corners.server)))
}

fn comes_by(asked: &Asked, door: &str) -> bool {
    asked.over.is_empty() || asked.over.iter().any(|over| over == door)
}

#[test]
fn every_corner_is_answered_as_written_whatever_the_door() {
    let is_to_write = std::env::var("BELLWETHER_CORNERS").is_ok_and(|word| word == "write");
    let mut faults = String::new();
    let mut cases = 0;
    for corners in Corners::all() {
        let snapshot = snapshot(&corners);
        let mut written = Vec::new();
        for case in &corners.cases {
            let asked = case.ask();
            for (door, transport) in DOORS.into_iter().filter(|(door, _)| comes_by(&asked, door)) {
                let mut worker = Worker::new(Arc::new(Counters::default()), 1).idle(IDLE);
                worker.adopt(&snapshot);
                let mut buffer = vec![0; usize::from(u16::MAX)];
                let mut response = Response::new(&mut buffer);
                let peer = Peer { address: asked.from.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST)), transport };
                let before = count();
                answer(&snapshot, &mut worker, peer, Moment::START, &asked.octets, &mut response);
                assert_eq!(count(), before, "{} allocates", case.question);
                let found = shown(&asked.octets, response.octets());
                cases += 1;
                if !is_to_write && found != case.expected {
                    let place = corners.path.display();
                    faults +=
                        &format!("{place}:{}: {} by {door}\n  {}\n", case.line, case.question, found.join("\n  "));
                }
                if written.last().is_none_or(|&(line, _)| line != case.line) {
                    written.push((case.line, found));
                }
            }
        }
        if is_to_write {
            corners.rewrite(&written);
        }
    }
    assert!(faults.is_empty(), "{faults}");
    assert!(cases > 1_000, "only {cases} cases by door");
}

#[test]
fn a_server_says_the_same_over_udp_tcp_and_tls() {
    const HOST: &str = "ns1.example.com";
    let root = roots::root("a root of our own");
    let (shown_by_server, trusting) = (roots::certificate(&root, HOST), roots::trusting(&root));
    let mut faults = String::new();
    let mut asked_by_door = [0; 3];
    for corners in Corners::all() {
        let dot = SocketAddr::new(address::own_ip().into(), 853);
        let tls = format!("\n[tls]\ncertificate = \"cert.pem\"\nkey = \"key.pem\"\ndot = [\"{dot}\"]\n");
        let mut launch = Launch::new()
            .config("bellwether.toml", &(corners.server.clone() + &tls))
            .config("cert.pem", &shown_by_server.chain)
            .config("key.pem", &shown_by_server.key);
        for (name, text) in &corners.files {
            launch = launch.file(name, text);
        }
        let server = launch.start();
        let client = server.client();
        for case in &corners.cases {
            let asked = case.ask();
            if asked.from.is_some() {
                continue;
            }
            let by_udp = || match case.expected.first().map(String::as_str) {
                // What must not come is not waited for long. A connection is closed instead.
                Some("silence") => client.exchange_within(&asked.octets, Duration::from_millis(50)).unwrap_or_default(),
                _ => client.exchange_within(&asked.octets, PATIENCE).unwrap_or_default(),
            };
            let by_tcp = || exchange_tcp(server.address, &asked.octets).unwrap_or_default();
            let by_tls = || exchange_tls(dot, (&trusting, HOST), &asked.octets).unwrap_or_default();
            let doors: [(&str, &dyn Fn() -> Vec<u8>); 3] = [("udp", &by_udp), ("tcp", &by_tcp), ("tls", &by_tls)];
            for ((door, ask), count) in doors.into_iter().zip(&mut asked_by_door) {
                if !comes_by(&asked, door) {
                    continue;
                }
                *count += 1;
                let found = shown(&asked.octets, &ask());
                if found != case.expected {
                    let place = corners.path.display();
                    faults +=
                        &format!("{place}:{}: {} by {door}\n  {}\n", case.line, case.question, found.join("\n  "));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{faults}");
    assert!(asked_by_door.iter().all(|&count| count > 250), "only {asked_by_door:?} cases by UDP, TCP and TLS");
}
