//! The promise, measured in a real cache: an endpoint that dies is in no answer of Unbound's later than its budget.
//!
//! One name would show one moment at which the cache happened to be filled. So a new name, of many that share a
//! pool, is asked for the first time every few hundred milliseconds, from before the death until after the
//! verdict, and all names are asked for again and again: among them is one that was cached at nearly the worst
//! moment, just before the endpoint was suspected. Why it died is in the log, and in `bellwether status`.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant, UNIX_EPOCH};

use hickory_proto::rr::RecordType;

use crate::support::client::{Client, addresses};
use crate::support::nginx::{Certificate, Nginx};
use crate::support::peer::say;
use crate::support::server::{Launch, Server};
use crate::support::unbound::Unbound;
use crate::support::{address, await_some, roots};

/// What is tried.
struct Case {
    what: &'static str,
    /// The probe, with `body = "ok"`.
    probe: String,
    /// The monitor's keys that are not defaults.
    monitor: &'static str,
    budget: Duration,
    /// How long the names are cached before the death, and how long after it new names still join.
    before: Duration,
    joining: Duration,
    /// The endpoint that lives on and the one that dies; `None` where there is no nginx.
    start: fn(&Secrets) -> Option<(Nginx, Mortal)>,
    end: fn(&mut Mortal, &Secrets),
    /// Why, as the server's log and its status have it, or how that begins.
    reason: &'static str,
    /// What the cache may add: see [`CACHE_GRAIN`].
    grace: Duration,
}

/// An endpoint that dies.
enum Mortal {
    Nginx(Nginx),
    Hanging(Hanging),
}

impl Mortal {
    fn ip(&self) -> Ipv4Addr {
        match self {
            Self::Nginx(nginx) => nginx.ip,
            Self::Hanging(server) => server.ip,
        }
    }

    fn nginx(&mut self) -> &mut Nginx {
        match self {
            Self::Nginx(nginx) => nginx,
            Self::Hanging(_) => panic!("not nginx"),
        }
    }
}

/// What endpoints over TLS show: one that holds, and one of the same key that does not any more.
struct Secrets {
    root: String,
    valid: Certificate,
    expired: Certificate,
}

impl Secrets {
    fn new() -> Self {
        let root = roots::root("a root of our own");
        // 2020-01-31.
        let long_ago = UNIX_EPOCH + Duration::from_secs(1_580_428_800);
        let [valid, expired] = roots::certificates(&root, NAME, [None, Some(long_ago)]);
        Self { root: root.pem(), valid, expired }
    }
}

const NAME: &str = "www.example.com";

/// A server whose answers, from a moment on, begin and do not end.
struct Hanging {
    ip: Ipv4Addr,
    hangs: Arc<AtomicBool>,
}

impl Hanging {
    fn start() -> Self {
        let ip = address::own_ip();
        let listener = TcpListener::bind((ip, address::HTTP_PORT)).expect("an address of its own");
        let hangs = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&hangs);
        // It ends with the tests' process; what hangs is closed by whoever asked.
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (mut stream, hangs) = (stream.expect("a connection"), seen.load(Ordering::Relaxed));
                thread::spawn(move || {
                    let mut octets = [0; 4_096];
                    let _ = stream.read(&mut octets);
                    let body = if hangs { "" } else { "ok" };
                    let _ = write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{body}");
                    let _ = stream.read(&mut octets);
                });
            }
        });
        Self { ip, hangs }
    }
}

/// Unbound 1.17 counts whole seconds and still serves a record in the second in which it ends, so it holds a TTL
/// of n for up to n + 1 seconds. Where a death is noticed as late as the monitor allows, that second shows.
const CACHE_GRAIN: Duration = Duration::from_secs(1);

/// Between two rounds of asking for every name.
const ROUND: Duration = Duration::from_millis(150);

/// How many names share the pool.
const NAMES: u32 = 60;

/// A monitor whose deaths are noticed soon.
const QUICK: &str = "interval = \"1s\"\nfast = \"500ms\"\ntimeout = \"500ms\"\nfall = 2";

/// Plain nginx, both.
fn two_nginx(_: &Secrets) -> Option<(Nginx, Mortal)> {
    Some((Nginx::http()?, Mortal::Nginx(Nginx::http()?)))
}

fn http() -> String {
    format!(r#"http = {{ path = "/healthz", port = {}, body = "ok" }}"#, address::HTTP_PORT)
}

#[test]
fn a_killed_endpoint_is_out_of_unbound_within_30_seconds() {
    check(&Case {
        what: "killed, failover = 30 s",
        probe: http(),
        monitor: "",
        budget: Duration::from_secs(30),
        before: Duration::from_secs(3),
        joining: Duration::from_secs(9),
        start: two_nginx,
        end: |mortal, _| mortal.nginx().kill(),
        reason: "connection refused",
        // A refused connection is noticed at once, so a timeout's worth of the budget (2 s) is left over.
        grace: Duration::ZERO,
    });
}

#[test]
fn a_frozen_endpoint_is_out_of_unbound_within_8_seconds() {
    check(&quick("frozen, failover = 8 s", |mortal, _| mortal.nginx().freeze(), "timed out after 500ms"));
}

/// Deaths that leave the port open, each with a server and a cache of its own, side by side.
#[test]
fn an_endpoint_that_answers_badly_is_out_of_unbound_within_8_seconds() {
    let cases = [
        quick("failing with 500, failover = 8 s", |mortal, _| mortal.nginx().fail(), "status 500, want 200-299"),
        Case {
            start: |_| Some((Nginx::http()?, Mortal::Hanging(Hanging::start()))),
            ..quick(
                "hanging in its body, failover = 8 s",
                |mortal, _| match mortal {
                    Mortal::Hanging(server) => server.hangs.store(true, Ordering::Relaxed),
                    Mortal::Nginx(_) => panic!("nginx does not hang"),
                },
                "timed out after 500ms",
            )
        },
        Case {
            probe: format!(
                r#"https = {{ path = "/healthz", port = {}, host = "{NAME}", ca = "ca.pem", body = "ok" }}"#,
                address::HTTPS_PORT
            ),
            start: |secrets| Some((Nginx::https(&secrets.valid)?, Mortal::Nginx(Nginx::https(&secrets.valid)?))),
            ..quick(
                "with an expired certificate, failover = 8 s",
                |mortal, secrets| mortal.nginx().show(&secrets.expired.chain),
                "certificate: expired on 2020-01-31, ",
            )
        },
    ];
    thread::scope(|scope| {
        for case in &cases {
            scope.spawn(|| check(case));
        }
    });
}

/// A case of a monitor that notices soon.
fn quick(what: &'static str, end: fn(&mut Mortal, &Secrets), reason: &'static str) -> Case {
    Case {
        what,
        probe: http(),
        monitor: QUICK,
        budget: Duration::from_secs(8),
        before: Duration::from_secs(3),
        joining: Duration::from_secs(4),
        start: two_nginx,
        end,
        reason,
        grace: CACHE_GRAIN,
    }
}

fn check(case: &Case) {
    let secrets = Secrets::new();
    let Some((steady, mut mortal)) = (case.start)(&secrets) else { return };
    let mut server = serve(case, &secrets, [steady.ip, mortal.ip()]);
    let Some(unbound) = Unbound::in_front_of(server.address, "example.com") else { return };
    let client = unbound.client();
    let mortal_ip = IpAddr::V4(mortal.ip());
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
    (case.end)(&mut mortal, &secrets);
    let death = Instant::now();
    watch.death = Some(death);
    // A while longer than allowed, so that an answer that came too late would be seen.
    while death.elapsed() < case.budget + Duration::from_secs(3) {
        watch.round(case, names_due(start, every));
    }
    let answer = client.ask("www.example.com", RecordType::A);
    assert_eq!(addresses(&answer), [IpAddr::V4(steady.ip)], "the other endpoint lives on");
    // In quotes, so that what is in quotes itself is escaped.
    let verdict = format!("reason=\"{}", case.reason.escape_debug());
    let is_told = |line: &str| {
        line.contains("WARN endpoint is down ") && line.contains(&mortal_ip.to_string()) && line.contains(&verdict)
    };
    server.process.await_line(0, case.reason, is_told);
    let status = server.status_of("web", &mortal_ip.to_string());
    let told = status["reason"].as_str().unwrap_or_default();
    assert!(status["verdict"] == "down" && told.starts_with(case.reason), "{}: {status:#}", case.what);
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
        thread::sleep(ROUND);
    }
}

fn serve(case: &Case, secrets: &Secrets, endpoints: [Ipv4Addr; 2]) -> Server {
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
{probe}
{monitor}

[pools.web]
policy = "round-robin"
monitor = "web"
endpoints = ["{first}", "{second}"]

[names]
www = {{ pool = "web", failover = "{budget}s" }}
{names}
"#,
        probe = case.probe,
        monitor = case.monitor,
        budget = case.budget.as_secs(),
    );
    Launch::new().file("ca.pem", &secrets.root).file("example.com.toml", &policy).administered().start()
}
