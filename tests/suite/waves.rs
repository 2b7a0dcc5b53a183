//! Many endpoints that fail at once, under a running server: their verdicts wait, are told of aloud, and then stand.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::thread;
use std::time::Duration;

use hickory_proto::rr::RecordType;

use crate::support::await_some;
use crate::support::client::addresses;
use crate::support::server::{Launch, Server};
use crate::turning::{Endpoint, given, ips, policy};

/// With all down there is nothing: what is answered shows the verdicts as they count.
const NAMES: &str =
    "www = { pool = \"web\", failover = \"30s\", ttl-min = \"3s\", answers = 6, when-all-down = \"nodata\" }";
const TIMING: &str = "interval = \"1s\"\nfast = \"100ms\"\ntimeout = \"1s\"\nfall = 2\nrise = 2";

/// A server whose endpoints were all given, and have all died since: their verdicts are in, and held for `hold`.
fn struck(all: &[&Endpoint], hold: &str, timing: &str, names: &str) -> Server {
    let config = format!("[health]\nwave-hold = \"{hold}\"");
    let text = policy(timing, ips(all), names);
    let mut server = Launch::new().file("example.com.toml", &text).config("bellwether.toml", &config).start();
    assert_eq!(given(&server.client()), ips(all));
    all.iter().for_each(|endpoint| endpoint.turn(false));
    server.process.await_line(0, "that many failed", |line| line.contains("IPv4 endpoints failed at once"));
    await_some("all deaths", || (server.process.log().matches("endpoint is down").count() == all.len()).then_some(()));
    server
}

#[test]
fn a_wave_is_held_said_aloud_and_over() {
    let endpoints: Vec<Endpoint> = (0..6).map(|_| Endpoint::start(true)).collect();
    let all: Vec<&Endpoint> = endpoints.iter().collect();
    let mut server = struck(&all, "4s", TIMING, NAMES);
    let client = server.client();
    // All six verdicts are held: they are answered, for no longer than they must be.
    let answer = client.ask("www.example.com", RecordType::A);
    let got: BTreeSet<IpAddr> = addresses(&answer).into_iter().collect();
    let over = |log: &str| log.contains("no IPv4 verdicts are held any more");
    // A machine that stood still for the whole hold has seen nothing wrong.
    if !over(&server.process.log()) {
        assert_eq!(got, ips(&all), "{}", server.process.log());
        assert!(answer.answers.iter().all(|record| record.ttl == 3), "{answer}");
    }
    server.process.await_line(0, "that it is over", over);
    await_some("that nothing is left", || given(&client).is_empty().then_some(()));
    all.iter().for_each(|endpoint| endpoint.turn(true));
    await_some("all of them", || (given(&client) == ips(&all)).then_some(()));
}

/// Our own way to them failed: they come back as they were, though nothing that had died comes back without an operator.
#[test]
fn who_recovers_within_the_hold_waits_for_nobody() {
    let endpoints: Vec<Endpoint> = (0..6).map(|_| Endpoint::start(true)).collect();
    let all: Vec<&Endpoint> = endpoints.iter().collect();
    let timing = format!("{TIMING}\nfailback = \"manual\"");
    let server = struck(&all, "2m", &timing, &NAMES.replace("30s", "5m"));
    let client = server.client();
    // Real time: a death is in the log just before it counts, and nothing outside tells when that is. A slow machine
    // makes this test see less, never fail.
    thread::sleep(Duration::from_secs(1));
    all.iter().for_each(|endpoint| endpoint.turn(true));
    await_some("six returns", || (server.process.log().matches("endpoint is up").count() == 6).then_some(()));
    assert!(!server.process.log().contains("awaits its release"), "{}", server.process.log());
    assert_eq!(given(&client), ips(&all));
}
