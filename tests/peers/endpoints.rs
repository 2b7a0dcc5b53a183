//! nginx behind the pools: an endpoint that stops leaves the answers, and comes back when it is revived.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, SystemTime};

use hickory_proto::rr::RecordType;

use crate::support::address::{HTTP_PORT, HTTPS_PORT};
use crate::support::client::{Client, addresses};
use crate::support::nginx::Nginx;
use crate::support::server::Launch;
use crate::support::{await_some, roots};

/// A policy file: `www` is every living one of `endpoints`, judged by `probe`.
fn policy(probe: &str, endpoints: &[Ipv4Addr]) -> String {
    format!(
        r#"
[zone]
nameservers = ["ns1.example.com"]
contact = "hostmaster.example.com"

[monitors.web]
{probe}
interval = "1s"
fast = "250ms"
timeout = "1s"
fall = 2
rise = 2

[pools.web]
policy = "round-robin"
monitor = "web"
endpoints = {endpoints:?}

[names]
"www" = {{ pool = "web" }}
"#,
        endpoints = endpoints.iter().map(ToString::to_string).collect::<Vec<_>>(),
    )
}

fn given(client: &Client) -> BTreeSet<IpAddr> {
    addresses(&client.ask("www.example.com", RecordType::A)).into_iter().collect()
}

/// Asks until exactly `expected` is given; `always` must be in every answer on the way.
fn await_given(what: &str, client: &Client, expected: &[Ipv4Addr], always: Ipv4Addr) {
    let expected: BTreeSet<IpAddr> = expected.iter().copied().map(IpAddr::V4).collect();
    await_some(what, || {
        let given = given(client);
        assert!(given.contains(&always.into()), "{always} never stopped, but is not in {given:?}");
        (given == expected).then_some(())
    });
}

#[test]
fn an_endpoint_that_stops_leaves_and_one_that_is_revived_returns() {
    let (Some(steady), Some(mut mortal)) = (Nginx::http(), Nginx::http()) else { return };
    let both = [steady.ip, mortal.ip];
    let probe = format!(r#"http = {{ path = "/healthz", port = {HTTP_PORT}, status = ["200"], body = "ok" }}"#);
    let server = Launch::new().file("example.com.toml", &policy(&probe, &both)).start();
    let client = server.client();
    await_given("both endpoints", &client, &both, steady.ip);
    mortal.kill();
    await_given("the killed endpoint to leave", &client, &[steady.ip], steady.ip);
    mortal.start();
    await_given("the revived endpoint", &client, &both, steady.ip);
    mortal.freeze();
    await_given("the frozen endpoint to leave", &client, &[steady.ip], steady.ip);
    mortal.thaw();
    await_given("the thawed endpoint", &client, &both, steady.ip);
}

#[test]
fn a_page_that_is_not_there_is_not_alive() {
    let (Some(endpoint), Some(other)) = (Nginx::http(), Nginx::http()) else { return };
    // nginx answers 404 there, so both are down and `serve-all`, the default, gives both.
    let check = |probe: &str, when_all_down: &str, expected: &[Ipv4Addr]| {
        let text = policy(probe, &[endpoint.ip, other.ip])
            .replace(r#"{ pool = "web" }"#, &format!(r#"{{ pool = "web", when-all-down = {when_all_down} }}"#));
        let server = Launch::new().file("example.com.toml", &text).start();
        let client = server.client();
        let expected: BTreeSet<IpAddr> = expected.iter().copied().map(IpAddr::V4).collect();
        await_some(&format!("{expected:?} from {probe}"), || (given(&client) == expected).then_some(()));
    };
    let missing = format!(r#"http = {{ path = "/missing", port = {HTTP_PORT} }}"#);
    let unsaid = format!(r#"http = {{ path = "/healthz", port = {HTTP_PORT}, body = "never said" }}"#);
    let refused = "tcp = { port = 1 }".to_owned();
    let last_resort = Ipv4Addr::new(192, 0, 2, 99);
    for probe in [missing, unsaid, refused] {
        check(&probe, r#"["192.0.2.99"]"#, &[last_resort]);
        check(&probe, r#""serve-all""#, &[endpoint.ip, other.ip]);
    }
}

#[test]
fn an_open_port_is_enough_for_a_tcp_monitor() {
    let (Some(steady), Some(mut mortal)) = (Nginx::http(), Nginx::http()) else { return };
    let both = [steady.ip, mortal.ip];
    let server =
        Launch::new().file("example.com.toml", &policy(&format!("tcp = {{ port = {HTTP_PORT} }}"), &both)).start();
    let client = server.client();
    await_given("both endpoints", &client, &both, steady.ip);
    mortal.kill();
    await_given("the killed endpoint to leave", &client, &[steady.ip], steady.ip);
}

#[test]
fn a_certificate_counts_only_for_its_name_and_under_a_known_root() {
    let root = roots::root("a root of our own");
    let trusted = roots::certificate(&root, "www.example.com");
    let other_name = roots::certificate(&root, "www.example.net");
    let other_root = roots::certificate(&roots::root("another root"), "www.example.com");
    let (Some(good), Some(misnamed), Some(unknown)) =
        (Nginx::https(&trusted), Nginx::https(&other_name), Nginx::https(&other_root))
    else {
        return;
    };
    let roots = tempfile::NamedTempFile::new().expect("a file can be made");
    std::fs::write(roots.path(), root.pem()).expect("the file can be written");
    let probe = |more: &str| {
        format!(r#"https = {{ path = "/healthz", host = "www.example.com", port = {HTTPS_PORT}, body = "ok"{more} }}"#)
    };
    let server = Launch::new()
        .file("example.com.toml", &policy(&probe(""), &[good.ip, misnamed.ip, unknown.ip]))
        // Where OpenSSL's users put the roots of their own; rustls-native-certs reads it too.
        .environment("SSL_CERT_FILE", roots.path().to_str().expect("a readable path"))
        .start();
    let client = server.client();
    await_given("the trusted endpoint alone", &client, &[good.ip], good.ip);
    // Two intervals later it is still so: the others never rise. That nothing happens can only be waited out; a slow
    // machine makes this test see less, never fail.
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(given(&client), BTreeSet::from([good.ip.into()]));
}

#[test]
fn http2_is_spoken_with_nginx() {
    let root = roots::root("a root of our own");
    let trusted = roots::certificate(&root, "www.example.com");
    let (Some(plain), Some(secure)) = (Nginx::http2(), Nginx::https(&trusted)) else { return };
    let check = |probe: &str, endpoint: &Nginx| {
        let other = Ipv4Addr::new(127, 0, 0, 1);
        let text = policy(probe, &[endpoint.ip, other]);
        // Nobody is at the other, so that the one is known to live.
        let server = Launch::new().file("ca.pem", &root.pem()).file("example.com.toml", &text).start();
        await_given(probe, &server.client(), &[endpoint.ip], endpoint.ip);
    };
    check(&format!(r#"http = {{ path = "/healthz", port = {HTTP_PORT}, version = "2", body = "ok" }}"#), &plain);
    for version in ["1.1", "2", "auto"] {
        let keys = format!(r#"host = "www.example.com", ca = "ca.pem", version = "{version}", body = "ok""#);
        check(&format!(r#"https = {{ path = "/healthz", port = {HTTPS_PORT}, {keys} }}"#), &secure);
    }
    let keys = r#"server-name = "www.example.com", ca = "ca.pem", alpn = ["h2"]"#;
    check(&format!("tls = {{ port = {HTTPS_PORT}, {keys} }}"), &secure);
}

#[test]
fn a_certificate_that_ends_soon_is_told_and_lives() {
    let root = roots::root("a root of our own");
    let days = |count: u64| Some(SystemTime::now() + Duration::from_secs(count * 86_400 + 3_600));
    let [soon, later] = roots::certificates(&root, "www.example.com", [days(5), days(20)]);
    let (Some(soon), Some(later)) = (Nginx::https(&soon), Nginx::https(&later)) else { return };
    let probe =
        format!(r#"https = {{ path = "/healthz", port = {HTTPS_PORT}, host = "www.example.com", ca = "ca.pem" }}"#);
    let text = policy(&probe, &[soon.ip, later.ip]);
    let mut server = Launch::new().file("ca.pem", &root.pem()).file("example.com.toml", &text).start();
    await_given("both endpoints", &server.client(), &[soon.ip, later.ip], soon.ip);
    let told = server.process.await_line(0, "that it ends", |line| line.contains("the certificate ends on "));
    assert!(told.contains(&soon.ip.to_string()) && told.ends_with(", in 5 days"), "{told}");
    assert_eq!(server.process.log().matches("the certificate ends on ").count(), 1, "once, and of one alone");
}

#[test]
fn nginx_knows_us_by_our_certificate_and_a_replaced_file_counts() {
    let root = roots::root("a root of our own");
    let trusted = roots::certificate(&root, "www.example.com");
    let Some(endpoint) = Nginx::https_for_clients(&trusted, &root.pem()) else { return };
    let unknown = Ipv4Addr::new(192, 0, 2, 99);
    let probe = format!(
        r#"https = {{ path = "/healthz", port = {HTTPS_PORT}, host = "www.example.com", ca = "ca.pem", certificate = "us.pem", key = "us-key.pem", body = "ok" }}"#
    );
    let text = policy(&probe, &[endpoint.ip])
        .replace(r#"{ pool = "web" }"#, &format!(r#"{{ pool = "web", when-all-down = ["{unknown}"] }}"#));
    // Of an authority that nginx does not know, then of one that it does; the key is the same.
    let other = roots::certificate(&roots::root("another root"), "us");
    let mut server = Launch::new()
        .file("ca.pem", &root.pem())
        .file("us.pem", &other.chain)
        .file("us-key.pem", &other.key)
        .file("example.com.toml", &text)
        .start();
    let client = server.client();
    await_given("nobody, as nginx does not know us", &client, &[unknown], unknown);
    let ours = roots::certificate(&root, "us");
    let said = server.process.lines_said();
    server.zones.write("us-key.pem", &ours.key);
    server.zones.write("us.pem", &ours.chain);
    server.process.await_line(said, "that it has reloaded", |line| line.starts_with("reloaded"));
    await_some("nginx to know us", || (given(&client) == BTreeSet::from([endpoint.ip.into()])).then_some(()));
    // What is no certificate is refused, and what was read before stays.
    let said = server.process.lines_said();
    server.zones.write("us.pem", "nonsense");
    server.process.await_line(said, "what is wrong", |line| line.contains("us.pem holds no certificate in PEM"));
    assert_eq!(given(&client), BTreeSet::from([endpoint.ip.into()]));
}
