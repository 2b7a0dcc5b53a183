//! The metrics of a running server: what it answered is what it counts, over reloads too.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use hickory_proto::op::Edns;
use hickory_proto::rr::RecordType;
use hickory_proto::rr::rdata::opt::{ClientSubnet, EdnsOption};

use crate::support::client::question;
use crate::support::metrics::{Metrics, scrape};
use crate::support::server::{Launch, Server};
use crate::support::{address, await_some};

const ZONE: &str = "[zone]\nnameservers = [\"ns1.example.net\"]\ncontact = \"hostmaster.example.net\"\n";

const POLICY: &str = r#"
[monitors.m]
tcp = { port = 1 }
interval = "1d"
[pools.web]
policy = "weighted"
endpoints = [{ name = "a", address = "192.0.2.1", weight = 3 }, { name = "b", address = "192.0.2.2" }, "2001:db8::2"]
[pools.all]
policy = "round-robin"
endpoints = [{ name = "x", address = "192.0.2.3" }, { name = "y", address = "192.0.2.4" }]
[pools.gone]
policy = "failover"
monitor = "m"
endpoints = [{ name = "z", address = "127.0.0.1" }]
[pools.far]
policy = "geo"
members = [{ pool = "web", countries = ["DE"] }]
otherwise = "web"
[names]
www = { pool = "web", ttl = { min = "5s", max = "17s" } }
all = { pool = "all", ttl = { min = "5s", max = "60s" } }
gone = "gone"
far = "far"
"#;

struct Counted {
    server: Server,
    admin: SocketAddr,
}

impl Counted {
    fn start(keys: &str, files: &[(&str, &str)]) -> Self {
        let admin = SocketAddr::new(IpAddr::V4(address::own_ip()), 8053);
        let launch = Launch::new().config("bellwether.toml", &format!("[admin]\nlisten = \"{admin}\"\n{keys}"));
        let launch = files.iter().fold(launch, |launch, (name, text)| launch.file(name, &format!("{ZONE}{text}")));
        Self { server: launch.start(), admin }
    }

    fn metrics(&self) -> Metrics {
        let (status, text) = scrape(self.admin, "*/*");
        assert_eq!(status, 200, "{text}");
        Metrics(text)
    }

    fn check(&self, expected: &[(&str, f64)]) {
        let metrics = self.metrics();
        for &(series, value) in expected {
            assert_eq!(metrics.of(series), Some(value), "{series} in\n{}", metrics.0);
        }
    }

    fn reload(&mut self, change: impl FnOnce(&Server), says: &str) {
        let before = self.server.process.lines_said();
        change(&self.server);
        self.server.process.await_line(before, says, |line| line.starts_with(says));
    }
}

#[test]
fn what_was_answered_is_counted() {
    let counted = Counted::start("", &[("example.com.toml", POLICY)]);
    let client = counted.server.client();
    for _ in 0..8 {
        client.ask("www.example.com", RecordType::A);
    }
    client.ask("www.example.com", RecordType::AAAA);
    client.ask("all.example.com", RecordType::A);
    client.ask("nothing.example.com", RecordType::TXT);
    client.ask("www.example.com", RecordType::NAPTR);
    client.ask("www.example.org", RecordType::A);
    client.ask_tcp("all.example.com", RecordType::A);
    let mut message = question("far.example.com", RecordType::A);
    let mut edns = Edns::new();
    edns.options_mut().insert(EdnsOption::Subnet(ClientSubnet::new("192.0.2.0".parse().expect("an address"), 24, 0)));
    message.edns = Some(edns);
    client.ask_message(&message);
    let own = |series: &str| series.replace("ZONE", "zone=\"example.com\"");
    let answers = |endpoint: &str, pool: &str, family: &str, position: &str| {
        own(&format!(
            "bellwether_endpoint_answers_total{{ZONE,pool=\"{pool}\",endpoint=\"{endpoint}\",family=\"{family}\",\
             position=\"{position}\"}}"
        ))
    };
    let target = |pool: &str, endpoint: &str, family: &str| {
        own(&format!(
            "bellwether_endpoint_target_share_ratio{{ZONE,pool=\"{pool}\",endpoint=\"{endpoint}\",family=\"{family}\"}}"
        ))
    };
    counted.check(&[
        ("bellwether_queries_total{transport=\"udp\",type=\"A\",rcode=\"NOERROR\"}", 10.0),
        ("bellwether_queries_total{transport=\"udp\",type=\"A\",rcode=\"REFUSED\"}", 1.0),
        ("bellwether_queries_total{transport=\"tcp\",type=\"A\",rcode=\"NOERROR\"}", 1.0),
        ("bellwether_queries_total{transport=\"udp\",type=\"other\",rcode=\"NOERROR\"}", 1.0),
        (&own("bellwether_zone_queries_total{ZONE,type=\"A\",rcode=\"NOERROR\"}"), 11.0),
        (&own("bellwether_zone_queries_total{ZONE,type=\"TXT\",rcode=\"NXDOMAIN\"}"), 1.0),
        ("bellwether_zone_queries_total{zone=\"(none)\",type=\"A\",rcode=\"REFUSED\"}", 1.0),
        // One of the weighted turn came by `far`, which has turns of its own.
        (&answers("a", "web", "ipv4", "first"), 7.0),
        (&answers("b", "web", "ipv4", "first"), 2.0),
        (&answers("2001:db8::2", "web", "ipv6", "first"), 1.0),
        (&target("web", "a", "ipv4"), 0.75),
        (&target("web", "b", "ipv4"), 0.25),
        (&target("web", "2001:db8::2", "ipv6"), 1.0),
        (&target("all", "x", "ipv4"), 0.5),
        ("bellwether_answer_ttl_seconds_bucket{le=\"15.0\"}", 0.0),
        ("bellwether_answer_ttl_seconds_bucket{le=\"20.0\"}", 9.0),
        ("bellwether_answer_ttl_seconds_count", 12.0),
        ("bellwether_client_subnet_queries_total{subnet=\"usable\"}", 1.0),
        ("bellwether_client_subnet_queries_total{subnet=\"none\"}", 14.0),
        (&own("bellwether_pool_up{ZONE,pool=\"gone\",family=\"ipv4\"}"), 0.0),
        (&own("bellwether_pool_up{ZONE,pool=\"web\",family=\"ipv6\"}"), 1.0),
        (&own("bellwether_endpoint_up{ZONE,pool=\"gone\",endpoint=\"z\"}"), 0.0),
        (&own("bellwether_probes_total{ZONE,pool=\"gone\",kind=\"tcp\",result=\"connection\"}"), 1.0),
        ("bellwether_dead_names{family=\"ipv4\"}", 1.0),
        ("bellwether_transport_events_total{event=\"accepted\"}", 1.0),
        ("bellwether_balanced_names", 4.0),
        ("bellwether_generation", 1.0),
    ]);
    let metrics = counted.metrics();
    // Each of two workers could have begun the rotation of its own connection; both addresses were in both answers.
    let of_all: f64 = ["x", "y"]
        .iter()
        .flat_map(|endpoint| [answers(endpoint, "all", "ipv4", "first"), answers(endpoint, "all", "ipv4", "behind")])
        .filter_map(|series| metrics.of(&series))
        .sum();
    assert_eq!(of_all, 4.0, "{}", metrics.0);
    assert!(metrics.of("process_resident_memory_bytes").is_some_and(|octets| octets > 1e6));
}

#[test]
fn no_count_goes_back_over_reloads() {
    let (one, other) = (POLICY, POLICY.replace("\"192.0.2.2\"", "\"192.0.2.9\""));
    let files = [("example.com.toml", one), ("example.net.toml", one), ("example.org.toml", one)];
    let mut counted = Counted::start("", &files);
    let ask = |counted: &Counted, zones: &[&str]| {
        let client = counted.server.client();
        for zone in zones {
            for _ in 0..4 {
                client.ask(&format!("www.{zone}"), RecordType::A);
                client.ask_tcp(&format!("www.{zone}"), RecordType::A);
            }
        }
    };
    let of = |zone: &str| format!("bellwether_zone_queries_total{{zone=\"{zone}\",type=\"A\",rcode=\"NOERROR\"}}");
    let first = |zone: &str, endpoint: &str| {
        format!(
            "bellwether_endpoint_answers_total{{zone=\"{zone}\",pool=\"web\",endpoint=\"{endpoint}\",family=\"ipv4\",\
             position=\"first\"}}"
        )
    };
    ask(&counted, &["example.com", "example.net", "example.org"]);
    counted.check(&[(&of("example.com"), 8.0), (&first("example.net", "a"), 6.0)]);
    // A zone goes, another comes before the rest, and one has an endpoint more.
    counted.reload(|server| drop(server.zones.write("example.a.toml", &format!("{ZONE}{one}"))), "reloaded");
    let remove = |server: &Server| std::fs::remove_file(server.zones.path().join("example.net.toml")).expect("removed");
    counted.reload(remove, "reloaded");
    let more = other.replace("endpoints = [{ name = \"a\"", "endpoints = [\"192.0.2.77\", { name = \"a\"");
    counted.reload(|server| drop(server.zones.write("example.org.toml", &format!("{ZONE}{more}"))), "reloaded");
    counted.check(&[(&of("example.com"), 8.0), (&first("example.org", "a"), 6.0), (&first("example.org", "b"), 2.0)]);
    ask(&counted, &["example.com", "example.a", "example.org"]);
    counted.check(&[
        (&of("example.com"), 16.0),
        (&of("example.a"), 8.0),
        (&first("example.com", "a"), 12.0),
        (&first("example.a", "a"), 6.0),
        ("bellwether_queries_total{transport=\"tcp\",type=\"A\",rcode=\"NOERROR\"}", 24.0),
        ("bellwether_queries_total{transport=\"udp\",type=\"A\",rcode=\"NOERROR\"}", 24.0),
        ("bellwether_last_reload_successful", 1.0),
    ]);
    let metrics = counted.metrics();
    assert_eq!(metrics.of(&of("example.net")), None, "what is gone is not shown:\n{}", metrics.0);
    assert!(metrics.of("bellwether_reloads_total{outcome=\"done\"}").is_some_and(|reloads| reloads >= 3.0));
    counted.reload(|server| drop(server.zones.write("example.com.toml", "x")), "not reloaded");
    counted
        .check(&[("bellwether_last_reload_successful", 0.0), ("bellwether_reloads_total{outcome=\"refused\"}", 1.0)]);
    counted.check(&[(&of("example.com"), 16.0)]);
}

#[test]
fn rows_are_limited() {
    let files = [("example.com.toml", POLICY), ("example.net.toml", POLICY), ("example.org.toml", POLICY)];
    let counted = Counted::start("metrics-zones = 2\nmetrics-endpoints = 7\n", &files);
    let client = counted.server.client();
    for zone in ["com", "net", "org"] {
        client.ask(&format!("www.example.{zone}"), RecordType::A);
    }
    counted.check(&[
        ("bellwether_zone_queries_total{zone=\"example.com\",type=\"A\",rcode=\"NOERROR\"}", 1.0),
        ("bellwether_zone_queries_total{zone=\"(other)\",type=\"A\",rcode=\"NOERROR\"}", 1.0),
        ("bellwether_uncounted{what=\"zones\"}", 1.0),
        ("bellwether_uncounted{what=\"endpoints\"}", 12.0),
        ("bellwether_answer_ttl_seconds_count", 3.0),
    ]);
    let metrics = counted.metrics();
    let endpoints = metrics.0.lines().filter(|line| line.starts_with("bellwether_endpoint_up{")).count();
    assert_eq!(endpoints, 6, "{}", metrics.0);
    let off = Counted::start("metrics = false\n", &files);
    let (status, text) = scrape(off.admin, "*/*");
    assert!(status == 404 && text.contains("`metrics` is off"), "{status} {text}");
}

#[test]
fn a_drain_and_a_turned_verdict_are_seen() {
    let push = r#"
[monitors.self]
push = { lease = "1m" }
[pools.web]
policy = "round-robin"
monitor = "self"
endpoints = [{ name = "a", address = "192.0.2.1" }, { name = "b", address = "192.0.2.2" }]
[names]
www = { pool = "web", failover = "10m" }
"#;
    let counted = Counted::start("", &[("example.com.toml", push)]);
    let send = |method: &str, what: &str, body: &str| {
        let path = format!("/v1/endpoints/example.com/web/{what}");
        crate::support::metrics::request(counted.admin, method, &path, body)
    };
    assert_eq!(send("PUT", "a/health", r#"{"status": "up"}"#).0, 200);
    let probes = "bellwether_probes_total{zone=\"example.com\",pool=\"web\",kind=\"push\",result=\"success\"}";
    await_some("that a is up", || counted.metrics().of(probes).filter(|&count| count >= 1.0));
    assert_eq!(send("PUT", "a/health", r#"{"status": "down"}"#).0, 200);
    let turned = "bellwether_endpoint_verdict_changes_total{zone=\"example.com\",pool=\"web\",endpoint=\"a\"}";
    await_some("that a has turned", || counted.metrics().of(turned).filter(|&turns| turns >= 1.0));
    assert_eq!(send("PUT", "b/override", r#"{"force": "drain", "who": "ada"}"#).0, 200);
    counted.check(&[
        ("bellwether_endpoint_up{zone=\"example.com\",pool=\"web\",endpoint=\"a\"}", 0.0),
        ("bellwether_endpoint_up{zone=\"example.com\",pool=\"web\",endpoint=\"b\"}", 0.0),
        ("bellwether_probes_total{zone=\"example.com\",pool=\"web\",kind=\"push\",result=\"reported\"}", 1.0),
        ("bellwether_overrides{force=\"drain\"}", 1.0),
    ]);
}

/// The README's table of metrics, and what a server shows: neither has one that the other lacks.
#[test]
fn every_metric_is_in_the_readme() {
    let readme = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).expect("the README");
    let table = readme.split_once("\n| metric |").expect("the table of metrics").1;
    let table = table.split_once("\n\n").map_or(table, |(table, _)| table);
    let first = table.lines().skip(2).filter_map(|line| line.split('|').nth(1));
    let told: BTreeSet<String> = first.flat_map(|cell| cell.split('`').skip(1).step_by(2)).map(str::to_owned).collect();
    // With all that has metrics of its own.
    let counted = Counted::start("[dnstap]\nfile = \"queries\"\n", &[("example.com.toml", POLICY)]);
    let shown: BTreeSet<String> = counted.metrics().families().map(str::to_owned).collect();
    assert_eq!(told, shown);
}
