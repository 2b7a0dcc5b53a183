//! A drain as an operator does it: drain, wait for the moment that was promised, stop the endpoint. Nobody who resolves
//! through a real cache gets it after that.

use std::net::{IpAddr, SocketAddr};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use hickory_proto::rr::RecordType;

use crate::support::client::addresses;
use crate::support::nginx::Nginx;
use crate::support::peer::say;
use crate::support::process::Process;
use crate::support::server::{BELLWETHER, Launch};
use crate::support::unbound::Unbound;
use crate::support::{PATIENCE, address, await_some};

/// How many names share the pool. Each is asked for the first time at a moment of its own, before the drain and until
/// shortly after, so that some are cached just before it.
const NAMES: u32 = 40;

/// Between two names that join.
const EVERY: Duration = Duration::from_millis(100);

/// The TTL while nothing is wrong, which is what a drain has to wait for.
const TTL: u32 = 8;

#[test]
fn nobody_gets_a_drained_endpoint_once_it_is_safe_to_stop() {
    let (Some(steady), Some(mut mortal)) = (Nginx::http(), Nginx::http()) else { return };
    let names: String = (0..NAMES).map(|name| format!("n{name} = \"web\"\n")).collect();
    let names = names.replace("\"web\"", &format!("{{ pool = \"web\", ttl = {{ min = \"2s\", max = \"{TTL}s\" }} }}"));
    let policy = format!(
        "[zone]\nnameservers = [\"ns1.example.com\"]\ncontact = \"hostmaster.example.com\"\n\
         [monitors.web]\nhttp = {{ path = \"/healthz\", port = {port} }}\ninterval = \"1s\"\n\
         [pools.web]\npolicy = \"round-robin\"\nmonitor = \"web\"\n\
         endpoints = [{{ name = \"steady\", address = \"{}\" }}, {{ name = \"mortal\", address = \"{}\" }}]\n\
         [names]\n{names}",
        steady.ip,
        mortal.ip,
        port = address::HTTP_PORT,
    );
    let admin = SocketAddr::new(IpAddr::V4(address::own_ip()), 8053);
    let configuration = format!("[admin]\nlisten = \"{admin}\"\n");
    let server = Launch::new().file("example.com.toml", &policy).config("bellwether.toml", &configuration).start();
    let Some(unbound) = Unbound::in_front_of(server.address, "example.com") else { return };
    let client = unbound.client();
    await_some("both endpoints in the answers", || {
        (addresses(&server.client().ask("n0.example.com", RecordType::A)).len() == 2).then_some(())
    });
    let gone = IpAddr::V4(mortal.ip);
    let start = Instant::now();
    // Asks for each name that has joined; whether any is still answered with the drained endpoint.
    let round = || {
        let joined = u32::try_from(start.elapsed().as_millis() / EVERY.as_millis() + 1).map_or(NAMES, |n| n.min(NAMES));
        let held = |name: u32| addresses(&client.ask(&format!("n{name}.example.com"), RecordType::A)).contains(&gone);
        (0..joined).filter(|&name| held(name)).count()
    };
    while start.elapsed() < EVERY * (NAMES - 5) {
        round();
    }
    assert!(round() > 0, "it was never in Unbound's cache");
    let folder = server.config.as_ref().expect("a server file").path();
    let mut command = Command::new(BELLWETHER);
    command.args(["drain", "web/mortal", "--wait"]).current_dir(folder).stdin(Stdio::null());
    let mut drain = Process::spawn("bellwether drain", &mut command);
    let promised = drain.await_line(0, "a promise", |line| line.starts_with("web/mortal: drained"));
    assert!(promised.contains("safe to stop at "), "{promised}");
    let drained = Instant::now();
    let mut last = Duration::ZERO;
    while !drain.log().contains("safe to stop now") {
        // Before the question: whatever is answered was still held then.
        let asked = drained.elapsed();
        if round() > 0 {
            last = asked;
        }
        assert!(drained.elapsed() < PATIENCE, "{}", drain.log());
    }
    let waited = drained.elapsed();
    mortal.kill();
    let stopped = Instant::now();
    while stopped.elapsed() < Duration::from_secs(4) {
        assert_eq!(round(), 0, "Unbound still gives it {:?} after it was safe", stopped.elapsed());
    }
    assert!(last > Duration::ZERO, "caches held it for a while, or this shows nothing");
    say(&format!("drain: TTL {TTL} s, waited {waited:.2?}, last seen in Unbound {last:.2?} after the drain"));
}
