//! The promise, measured in a real cache: an endpoint that dies is in no answer of Unbound's later than its budget.
//!
//! One name would show one moment at which the cache happened to be filled. So a new name, of many that share a
//! pool, is asked for the first time every few hundred milliseconds, from before the death until after the
//! verdict, and all names are asked for again and again: among them is one that was cached at nearly the worst
//! moment, just before the endpoint was suspected.

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use hickory_proto::rr::RecordType;

use crate::support::client::{Client, addresses};
use crate::support::nginx::Nginx;
use crate::support::peer::say;
use crate::support::server::{Launch, Server};
use crate::support::unbound::Unbound;
use crate::support::{address, await_some};

/// What is tried.
struct Case {
    what: &'static str,
    /// The monitor's keys that are not defaults.
    monitor: &'static str,
    budget: Duration,
    /// How long the names are cached before the death, and how long after it new names still join.
    before: Duration,
    joining: Duration,
    end: fn(&mut Nginx),
    /// What the cache may add: see [`CACHE_GRAIN`].
    grace: Duration,
}

/// Unbound 1.17 counts whole seconds and still serves a record in the second in which it ends, so it holds a TTL
/// of n for up to n + 1 seconds. Where a death is noticed as late as the monitor allows, that second shows.
const CACHE_GRAIN: Duration = Duration::from_secs(1);

/// Between two rounds of asking for every name.
const ROUND: Duration = Duration::from_millis(150);

/// How many names share the pool.
const NAMES: u32 = 60;

#[test]
fn a_killed_endpoint_is_out_of_unbound_within_30_seconds() {
    check(&Case {
        what: "killed, failover = 30 s",
        monitor: "",
        budget: Duration::from_secs(30),
        before: Duration::from_secs(3),
        joining: Duration::from_secs(9),
        end: Nginx::kill,
        // A refused connection is noticed at once, so a timeout's worth of the budget (2 s) is left over.
        grace: Duration::ZERO,
    });
}

#[test]
fn a_frozen_endpoint_is_out_of_unbound_within_8_seconds() {
    check(&Case {
        what: "frozen, failover = 8 s",
        monitor: "interval = \"1s\"\nfast = \"500ms\"\ntimeout = \"500ms\"\nfall = 2",
        budget: Duration::from_secs(8),
        before: Duration::from_secs(3),
        joining: Duration::from_secs(4),
        end: |nginx| nginx.freeze(),
        grace: CACHE_GRAIN,
    });
}

fn check(case: &Case) {
    let (Some(steady), Some(mut mortal)) = (Nginx::http(), Nginx::http()) else { return };
    let server = serve(case, [steady.ip, mortal.ip]);
    let Some(unbound) = Unbound::in_front_of(server.address, "example.com") else { return };
    let client = unbound.client();
    let mortal_ip = IpAddr::V4(mortal.ip);
    await_some("both endpoints in the answers", || {
        let answer = server.client().ask("www.example.com", RecordType::A);
        (addresses(&answer).len() == 2).then_some(())
    });

    let mut watch = Watch { client: &client, dead: mortal_ip, death: None, names: 0, seen_last: None, sightings: 0 };
    let every = (case.before + case.joining) / NAMES;
    let start = Instant::now();
    while start.elapsed() < case.before {
        watch.round(case, names_due(start, every));
    }
    assert!(watch.sightings > 0, "the endpoint was never in Unbound's cache while it lived");
    (case.end)(&mut mortal);
    let death = Instant::now();
    watch.death = Some(death);
    // A while longer than allowed, so that an answer that came too late would be seen.
    while death.elapsed() < case.budget + Duration::from_secs(3) {
        watch.round(case, names_due(start, every));
    }
    let answer = client.ask("www.example.com", RecordType::A);
    assert_eq!(addresses(&answer), [IpAddr::V4(steady.ip)], "the other endpoint lives on");
    let seen_last = watch.seen_last.expect("the endpoint was cached when it died");
    say(&format!("{}: last seen in Unbound {:.2} s after its death", case.what, seen_last.as_secs_f64()));
}

/// How many of the names have joined by now.
fn names_due(start: Instant, every: Duration) -> u32 {
    let due = start.elapsed().as_nanos() / every.as_nanos();
    u32::try_from(due + 1).unwrap_or(NAMES).min(NAMES)
}

/// Someone who asks Unbound for every name, over and over.
struct Watch<'a> {
    client: &'a Client,
    dead: IpAddr,
    death: Option<Instant>,
    names: u32,
    /// The latest sighting after the death.
    seen_last: Option<Duration>,
    sightings: u32,
}

impl Watch<'_> {
    /// Asks once for each name that has joined.
    fn round(&mut self, case: &Case, names: u32) {
        self.names = self.names.max(names);
        for name in 0..self.names {
            // Before the question: whatever the answer says was still held at this moment.
            let asked = Instant::now();
            let answer = self.client.ask(&format!("n{name}.example.com"), RecordType::A);
            if !addresses(&answer).contains(&self.dead) {
                continue;
            }
            self.sightings += 1;
            let Some(death) = self.death else { continue };
            let held = asked.duration_since(death);
            let ttl = answer.answers.iter().map(|record| record.ttl).max().unwrap_or_default();
            let held_on = held + Duration::from_secs(ttl.into());
            let limit = case.budget + case.grace;
            assert!(held <= limit, "{}: n{name} still has the dead endpoint after {held:?}: {answer}", case.what);
            assert!(
                held_on <= case.budget + CACHE_GRAIN,
                "{}: n{name} has the dead endpoint after {held:?} and may keep it for {ttl} s more",
                case.what
            );
            self.seen_last = self.seen_last.max(Some(held));
        }
        // The pace of a client that asks. What is tested is real time in a real cache, which has no other clock.
        std::thread::sleep(ROUND);
    }
}

fn serve(case: &Case, endpoints: [Ipv4Addr; 2]) -> Server {
    let names: String = (0..NAMES)
        .map(|name| format!("n{name} = {{ pool = \"web\", failover = \"{}s\" }}\n", case.budget.as_secs()))
        .collect();
    let [first, second] = endpoints;
    let policy = format!(
        r#"
[zone]
nameservers = ["ns1.example.com"]
contact = "hostmaster.example.com"

[monitors.web]
http = {{ path = "/healthz", port = {port}, body = "ok" }}
{monitor}

[pools.web]
policy = "round-robin"
monitor = "web"
endpoints = ["{first}", "{second}"]

[names]
www = {{ pool = "web", failover = "{budget}s" }}
{names}
"#,
        port = address::HTTP_PORT,
        monitor = case.monitor,
        budget = case.budget.as_secs(),
    );
    Launch::new().file("example.com.toml", &policy).start()
}
