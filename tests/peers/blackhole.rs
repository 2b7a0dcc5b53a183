//! An endpoint that falls silent, its packets dropped on the way, is in no answer of Unbound's later than its
//! budget; the log and `bellwether status` say why. It is a host of its own, in a network namespace, and it is judged
//! side by side by HTTP requests, TCP connections and ICMP echoes, by a pool each.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use hickory_proto::rr::RecordType;

use crate::support::client::{Client, addresses};
use crate::support::namespace::Namespace;
use crate::support::nginx::Nginx;
use crate::support::peer::say;
use crate::support::server::{Launch, Server};
use crate::support::unbound::Unbound;
use crate::support::{address, await_some};

const BUDGET: Duration = Duration::from_secs(8);

/// Unbound counts whole seconds and may serve a record in the second in which it ends.
const CACHE_GRAIN: Duration = Duration::from_secs(1);

/// Names that share a pool; each joins the cache a little later than the one before.
const NAMES: u32 = 40;
const JOINING: Duration = Duration::from_millis(150);

/// The pools, which are called as what judges them, and the probe of the endpoint that dies as the log has it.
const POOLS: [(&str, &str); 3] =
    [("http", "http://ENDPOINT:8080/healthz"), ("tcp", "tcp://ENDPOINT:8080"), ("icmp", "icmp://ENDPOINT")];

const REASON: &str = "timed out after 500ms";

#[test]
fn an_endpoint_in_a_black_hole_is_out_of_unbound_within_8_seconds() {
    let Some(namespace) = Namespace::new() else { return };
    let (Some(steady), Some(mortal)) = (Nginx::http(), Nginx::http_in(&namespace)) else { return };
    let server = serve(steady.ip, mortal.ip);
    let Some(unbound) = Unbound::in_front_of(server.address, "example.com") else { return };
    let client = unbound.client();
    for (pool, _) in POOLS {
        await_some("both endpoints in the answers", || {
            let answer = server.client().ask(&format!("n0.{pool}.example.com"), RecordType::A);
            (addresses(&answer).len() == 2).then_some(())
        });
    }

    let mut watches = POOLS.map(|(pool, _)| Watch { pool, dead: mortal.ip, sightings: 0, seen_last: None });
    let (start, before) = (Instant::now(), Duration::from_secs(2));
    let mut death = None;
    while death.is_none_or(|death: Instant| death.elapsed() < BUDGET + Duration::from_secs(3)) {
        if death.is_none() && start.elapsed() >= before {
            namespace.swallow();
            death = Some(Instant::now());
        }
        let joined = u32::try_from(start.elapsed().as_millis() / JOINING.as_millis()).unwrap_or(NAMES).min(NAMES);
        watches.iter_mut().for_each(|watch| watch.round(&client, joined, death));
        // Caches are asked in real time, as often as a client would at the most.
        std::thread::sleep(Duration::from_millis(50));
    }
    let log = server.process.log();
    for (Watch { pool, sightings, seen_last, .. }, (_, probe)) in watches.into_iter().zip(POOLS) {
        assert!(sightings > 0, "{pool}: the endpoint was never in Unbound's cache while it lived");
        let seen_last = seen_last.unwrap_or_else(|| panic!("{pool}: the endpoint was not cached when it died"));
        assert!(seen_last <= BUDGET + CACHE_GRAIN, "{pool}: still cached {seen_last:?} after its death");
        let answer = client.ask(&format!("n0.{pool}.example.com"), RecordType::A);
        assert_eq!(addresses(&answer), [IpAddr::V4(steady.ip)], "{pool}: the other lives on");
        let ip = mortal.ip.to_string();
        let (whose, probe) = (format!("endpoint=\"{ip}\" "), probe.replace("ENDPOINT", &ip));
        let why = format!("address={ip} probe=\"{probe}\" ");
        let is_told = |line: &str| {
            let parts = ["WARN endpoint is down ", &format!("pool=\"{pool}\" "), &whose, &why];
            parts.iter().all(|part| line.contains(part)) && line.contains(&format!("reason=\"{REASON}\""))
        };
        assert!(log.lines().any(is_told), "the log does not say \"{whose}… {why}\":\n{log}");
        let status = server.status_of(pool, &mortal.ip.to_string());
        assert!(status["verdict"] == "down" && status["reason"] == REASON, "{pool}: {status:#}");
        let seen_last = seen_last.as_secs_f64();
        say(&format!("black hole, by {pool}, failover = 8 s: last seen in Unbound {seen_last:.2} s after its death"));
    }
}

/// Someone who asks Unbound for the names of a pool, over and over.
struct Watch {
    pool: &'static str,
    dead: Ipv4Addr,
    sightings: u32,
    /// The latest sighting after the death.
    seen_last: Option<Duration>,
}

impl Watch {
    /// Asks once for each name that has joined.
    fn round(&mut self, client: &Client, names: u32, death: Option<Instant>) {
        for name in 0..names {
            // Before the question: whatever the answer says was still held at this moment.
            let asked = Instant::now();
            let answer = client.ask(&format!("n{name}.{}.example.com", self.pool), RecordType::A);
            if addresses(&answer).contains(&IpAddr::V4(self.dead)) {
                self.sightings += 1;
                self.seen_last = death.map(|death| asked.duration_since(death));
            }
        }
    }
}

fn serve(steady: Ipv4Addr, mortal: Ipv4Addr) -> Server {
    let mut policy = "[zone]\nnameservers = [\"ns1.example.com\"]\ncontact = \"hostmaster.example.com\"\n".to_owned();
    let port = address::HTTP_PORT;
    let probe = |pool| match pool {
        "http" => format!("{{ path = \"/healthz\", port = {port}, body = \"ok\" }}"),
        "tcp" => format!("{{ port = {port} }}"),
        _ => "{}".to_owned(),
    };
    for (pool, _) in POOLS {
        let _ = writeln!(
            policy,
            r#"
[monitors.{pool}]
{pool} = {probe}
interval = "1s"
fast = "500ms"
timeout = "500ms"
fall = 2

[pools.{pool}]
policy = "round-robin"
monitor = "{pool}"
endpoints = ["{steady}", "{mortal}"]"#,
            probe = probe(pool),
        );
    }
    policy += "\n[names]\n";
    for (pool, _) in POOLS {
        for name in 0..NAMES {
            let _ = writeln!(policy, "\"n{name}.{pool}\" = {{ pool = \"{pool}\", failover = \"8s\" }}");
        }
    }
    Launch::new().file("example.com.toml", &policy).administered().start()
}
