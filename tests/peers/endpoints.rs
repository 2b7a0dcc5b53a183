//! nginx behind the pools: an endpoint that stops leaves the answers, and comes back when it is revived.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use hickory_proto::rr::RecordType;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

use crate::support::address::{HTTP_PORT, HTTPS_PORT};
use crate::support::await_some;
use crate::support::client::{Client, addresses};
use crate::support::nginx::{Certificate, Nginx};
use crate::support::server::Launch;

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
    let root = root();
    let trusted = certificate(&root, "www.example.com");
    let other_name = certificate(&root, "www.example.net");
    let other_root = certificate(&self::root(), "www.example.com");
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

fn root() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::new()).expect("no names are valid names");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    // Without a name of its own, the root would be taken for the issuer of itself in every chain.
    params.distinguished_name.push(DnType::CommonName, "a root of our own");
    CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("a root")
}

fn certificate(root: &CertifiedIssuer<'_, KeyPair>, name: &str) -> Certificate {
    let key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::new(vec![name.to_owned()]).expect("a valid name");
    params.distinguished_name.push(DnType::CommonName, name);
    let leaf = params.signed_by(&key, root).expect("a certificate");
    Certificate { chain: leaf.pem(), key: key.serialize_pem() }
}
