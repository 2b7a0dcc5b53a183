//! HTTP probes of endpoints that do what endpoints do.

use std::time::Duration;

use rcgen::{CertificateParams, date_time_ymd};
use rustls::{RootCertStore, ServerConfig};

use super::super::endpoint::{Authority, Endpoint, Reply, loopback, self_signed_server};
use super::super::exchange::HEAD_OCTETS_MAX;
use super::super::http2_endpoint::{Answer, End, Http2Endpoint};
use super::super::{Authorities, Identity, TlsCheck, Trust};
use super::*;

const NAME: &str = "www.example.com";

fn plain(endpoint: SocketAddr) -> HttpProbe {
    HttpProbe { host: Some(NAME.to_owned()), ..HttpProbe::get(endpoint.port(), "/healthz") }
}

fn unverified() -> TlsCheck {
    TlsCheck { trust: Trust::Anyone, ..TlsCheck::verified() }
}

async fn load(tls: &Tls, endpoint: SocketAddr, probe: &HttpProbe) -> Result<Option<PerMille>, String> {
    let asker = Asker::new(endpoint.ip(), probe, tls).map_err(|failure| failure.to_string())?;
    // Only so that a fault of ours ends the test.
    let answered = tokio::time::timeout(Duration::from_secs(60), asker.ask()).await;
    answered.expect("an end").map(|answered| answered.load).map_err(|failure| failure.to_string())
}

async fn ask_with(tls: &Tls, endpoint: SocketAddr, probe: &HttpProbe) -> Result<(), String> {
    load(tls, endpoint, probe).await.map(drop)
}

async fn ask(endpoint: SocketAddr, probe: &HttpProbe) -> Result<(), String> {
    ask_with(&Tls::with_roots(RootCertStore::empty), endpoint, probe).await
}

#[tokio::test]
async fn the_status_decides() {
    async fn check(reply: Reply, status: &[std::ops::RangeInclusive<u16>], expected: Result<(), &str>) {
        let endpoint = Endpoint::plain(loopback(2), reply).await;
        let probe = HttpProbe { status: status.to_vec(), ..plain(endpoint.address) };
        assert_eq!(ask(endpoint.address, &probe).await, expected.map_err(str::to_owned));
        assert_eq!(endpoint.seen().len(), 1, "asked once");
    }
    let redirect = || Reply::Text("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n\r\n".to_owned());
    check(Reply::new("200 OK", "ok"), &[200..=299], Ok(())).await;
    check(Reply::new("299 Fine", ""), &[200..=299], Ok(())).await;
    check(Reply::new("503 No", ""), &[200..=299], Err("status 503, want 200-299")).await;
    check(Reply::new("404 No", ""), &[200..=204, 404..=404], Ok(())).await;
    check(Reply::new("205 No", ""), &[200..=204, 404..=404], Err("status 205, want 200-204, 404")).await;
    check(redirect(), &[200..=299], Err("redirect to http://127.0.0.1:1/ (status 302)")).await;
    check(redirect(), &[302..=302], Ok(())).await;
    check(Reply::new("301 Moved", ""), &[200..=299], Err("status 301, want 200-299")).await;
    // Without a match to look for nothing is read past the head, so a body that never comes does no harm.
    check(Reply::Hang("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n".to_owned()), &[200..=299], Ok(())).await;
    check(Reply::Text(String::new()), &[200..=299], Err("connection closed before message completed")).await;
    check(Reply::Text("SSH-2.0-OpenSSH\r\n\r\n".to_owned()), &[200..=299], Err("invalid HTTP version parsed")).await;
}

#[tokio::test]
async fn the_body_must_contain_the_match_within_the_limit() {
    async fn check(reply: Reply, wanted: &str, expected: bool) {
        let endpoint = Endpoint::plain(loopback(3), reply).await;
        let probe = HttpProbe { body: Some(wanted.to_owned()), ..plain(endpoint.address) };
        let expected = if expected { Ok(()) } else { Err(format!("body does not contain {wanted:?}")) };
        assert_eq!(ask(endpoint.address, &probe).await, expected);
    }
    let filled = |count: usize, rest: &str| Reply::new("200 OK", &("x".repeat(count) + rest));
    let chunks = |parts: &[&str]| {
        let parts: String = parts.iter().map(|part| format!("{:x}\r\n{part}\r\n", part.len())).collect();
        Reply::Text(format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{parts}0\r\n\r\n"))
    };
    check(filled(3, "ok"), "ok", true).await;
    check(filled(3, "no"), "ok", false).await;
    check(filled(0, ""), "ok", false).await;
    check(filled(0, ""), "", true).await;
    check(chunks(&["all is w", "e", "ll here"]), "well", true).await;
    check(chunks(&["we", "we", "ll"]), "well", true).await;
    check(chunks(&["wel", "wel"]), "well", false).await;
    check(filled(BODY_OCTETS_MAX - 2, "ok"), "ok", true).await;
    check(filled(BODY_OCTETS_MAX - 1, "ok"), "ok", false).await;
    // Neither waits for the end of what has none.
    let head = "HTTP/1.1 200 OK\r\n\r\nok";
    check(Reply::Endless(head.to_owned()), "ok", true).await;
    check(Reply::Endless(head.to_owned()), "well", false).await;
    check(Reply::Hang(head.to_owned()), "ok", true).await;
}

#[tokio::test]
async fn the_load_comes_with_an_answer_as_wanted() {
    async fn check(head: &str, body: Option<&str>, expected: Result<Option<u16>, &str>) {
        let endpoint = Endpoint::plain(loopback(11), Reply::Text(format!("HTTP/1.1 {head}\r\n\r\nwell"))).await;
        let probe = HttpProbe { body: body.map(str::to_owned), ..plain(endpoint.address) };
        let load = load(&Tls::with_roots(RootCertStore::empty), endpoint.address, &probe).await;
        let expected = expected.map(|load| load.map(PerMille::new)).map_err(str::to_owned);
        assert_eq!(load, expected, "{head:?}, {body:?}");
    }
    let one = "200 OK\r\nEndpoint-Load-Metrics: TEXT cpu_utilization=0.3";
    check(one, None, Ok(Some(300))).await;
    check(one, Some("well"), Ok(Some(300))).await;
    check(one, Some("ill"), Err("body does not contain \"ill\"")).await;
    check(&one.replace("200 OK", "503 No"), None, Err("status 503, want 200-299")).await;
    check(&format!("{one}\r\nendpoint-load-metrics: TEXT cpu_utilization=0.9"), None, Ok(Some(300))).await;
    check("200 OK\r\nendpoint-load-metrics: JSON {\"cpu_utilization\": 0.4}", None, Ok(Some(400))).await;
    // What cannot be read is no report, and the endpoint lives.
    check("200 OK\r\nendpoint-load-metrics: TEXT cpu_utilization=high", None, Ok(None)).await;
    check("200 OK\r\nendpoint-load-metrics: BIN CZqZmZmZmbk/", None, Ok(None)).await;
    check("200 OK\r\nendpoint-load-metrics: \u{e9}", None, Ok(None)).await;
    check("200 OK", None, Ok(None)).await;
}

#[tokio::test]
async fn the_endpoint_is_called_by_the_monitors_host() {
    async fn check(address: SocketAddr, host: Option<&str>, path: &str, line: &str, called: Option<&str>) {
        let endpoint = Endpoint::plain(address, Reply::new("200 OK", "")).await;
        let port = endpoint.address.port();
        let probe = HttpProbe { host: host.map(str::to_owned), path: path.to_owned(), ..plain(endpoint.address) };
        assert_eq!(ask(endpoint.address, &probe).await, Ok(()));
        let head = endpoint.seen()[0].head.to_ascii_lowercase();
        let called = called.map_or(endpoint.address.to_string(), |called| format!("{called}:{port}"));
        assert!(head.starts_with(&format!("get {line} http/1.1\r\n")), "{head}");
        for header in [&format!("host: {called}"), "connection: close", "user-agent: bellwether/"] {
            assert!(head.contains(&format!("\r\n{header}")), "{header} is not in {head}");
        }
        assert_eq!(head.matches("\r\nhost:").count(), 1, "{head}");
    }
    let v6 = SocketAddr::from(([0_u16, 0, 0, 0, 0, 0, 0, 1], 0));
    check(loopback(4), Some(NAME), "/healthz?deep=1", "/healthz?deep=1", Some(NAME)).await;
    check(loopback(5), Some("WWW.Example.COM"), "/", "/", Some(NAME)).await;
    check(loopback(6), None, "//a b", "//a%20b", None).await;
    check(loopback(6), Some("198.51.100.7"), "/", "/", Some("198.51.100.7")).await;
    check(loopback(6), Some("2001:db8::7"), "/", "/", Some("[2001:db8::7]")).await;
    check(v6, Some(NAME), "/", "/", Some(NAME)).await;
    check(v6, None, "/", "/", None).await;
}

#[tokio::test]
async fn over_tls_the_certificate_must_hold_unless_told_otherwise() {
    let authority = Authority::new("root.example.com");
    let roots = authority.roots();
    let tls = Tls::with_roots(move || roots.clone());
    let dated = |from: i32, to: i32| {
        let mut params = CertificateParams::new([NAME.to_owned()]).expect("a name");
        (params.not_before, params.not_after) = (date_time_ymd(from, 1, 1), date_time_ymd(to, 1, 1));
        authority.server_with(params)
    };
    let check = async |server: ServerConfig, expected: Result<(), &str>| {
        let endpoint = Endpoint::tls(loopback(7), server, Reply::new("200 OK", "ok")).await;
        let probe = HttpProbe { tls: Some(TlsCheck::verified()), ..plain(endpoint.address) };
        match (ask_with(&tls, endpoint.address, &probe).await, expected) {
            (Ok(()), Ok(())) => {}
            (Err(reason), Err(expected)) if reason.starts_with(expected) => {}
            (got, expected) => panic!("{got:?}, not {expected:?}"),
        }
        let probe = HttpProbe { tls: Some(unverified()), ..probe };
        assert_eq!(ask_with(&tls, endpoint.address, &probe).await, Ok(()));
        let seen = endpoint.seen();
        assert!(seen.iter().all(|seen| seen.server_name.as_deref() == Some(NAME)), "{seen:?}");
        assert_eq!(seen.len(), 1 + usize::from(expected.is_ok()), "nothing is sent before the certificate holds");
    };
    check(authority.server(NAME), Ok(())).await;
    check(authority.server("www.example.org"), Err("certificate: not for www.example.com, but for www.example.org"))
        .await;
    check(self_signed_server(NAME), Err("certificate: no trusted root issued it")).await;
    check(Authority::new("root.example.org").server(NAME), Err("certificate: no trusted root issued it")).await;
    check(Authority::new("root.example.com").server(NAME), Err("certificate: not signed by the root")).await;
    check(dated(2001, 2002), Err("certificate: expired on 2002-01-01")).await;
    check(dated(4001, 4002), Err("certificate: not valid before 4001-01-01")).await;
}

#[tokio::test]
async fn without_a_host_the_certificate_is_the_addresss() {
    let authority = Authority::new("root.example.com");
    let roots = authority.roots();
    let tls = Tls::with_roots(move || roots.clone());
    let endpoint = Endpoint::tls(loopback(8), authority.server("127.0.0.8"), Reply::new("200 OK", "")).await;
    let probe = HttpProbe { host: None, tls: Some(TlsCheck::verified()), ..plain(endpoint.address) };
    assert_eq!(ask_with(&tls, endpoint.address, &probe).await, Ok(()));
    assert_eq!(endpoint.seen()[0].server_name, None, "an address is no server name");
    let probe = HttpProbe { host: Some("127.0.0.8".to_owned()), ..probe };
    assert_eq!(ask_with(&tls, endpoint.address, &probe).await, Ok(()));
}

#[tokio::test]
async fn http2_is_spoken_where_it_is_known_or_agreed_on() {
    let authority = Authority::new("root.example.com");
    let roots = authority.roots();
    let tls = Tls::with_roots(move || roots.clone());
    let report = || vec![("endpoint-load-metrics", "TEXT cpu_utilization=0.3".to_owned())];
    let headers = vec![("authorization".to_owned(), "Bearer abc".to_owned())];
    let probe = |endpoint: &Http2Endpoint, tls| HttpProbe {
        version: HttpVersion::Http2,
        headers: headers.clone(),
        tls,
        ..plain(endpoint.address)
    };
    for secure in [None, Some(TlsCheck::verified())] {
        let answer = Answer { headers: report(), ..Answer::new(200, "ok") };
        let (endpoint, scheme) = match secure {
            None => (Http2Endpoint::plain(loopback(30), answer).await, "http"),
            Some(_) => (Http2Endpoint::tls(loopback(30), authority.server(NAME), answer).await, "https"),
        };
        let probe = probe(&endpoint, secure.clone());
        assert_eq!(load(&tls, endpoint.address, &probe).await, Ok(Some(PerMille::new(300))));
        let probe = HttpProbe { body: Some("ok".to_owned()), method: Method::Options, ..probe };
        assert_eq!(load(&tls, endpoint.address, &probe).await, Ok(Some(PerMille::new(300))));
        let probe = HttpProbe { body: Some("no".to_owned()), status: vec![200..=200], ..probe };
        assert_eq!(ask_with(&tls, endpoint.address, &probe).await, Err("body does not contain \"no\"".to_owned()));
        let seen = endpoint.seen();
        let called = format!("{scheme}://{NAME}:{}/healthz", endpoint.address.port());
        assert!(seen.iter().all(|seen| *seen.uri() == *called && seen.headers()["authorization"] == "Bearer abc"));
        assert_eq!([seen[0].method(), seen[1].method()], [http::Method::GET, http::Method::OPTIONS]);
        assert!(!seen[0].headers().contains_key(CONNECTION) && !seen[0].headers().contains_key(HOST), "{seen:?}");
    }
    // What an endpoint does wrong, it is told for.
    let check = async |answer: Answer, body: Option<&str>, expected: &str| {
        let endpoint = Http2Endpoint::plain(loopback(31), answer).await;
        let probe = HttpProbe { body: body.map(str::to_owned), ..probe(&endpoint, None) };
        let reason = ask(endpoint.address, &probe).await.expect_err("a failure");
        assert!(reason.starts_with(expected), "{reason}");
    };
    check(Answer::new(503, ""), None, "status 503, want 200-299").await;
    check(Answer { end: End::Reset, ..Answer::new(200, "") }, Some("ok"), "HTTP/2: stream error received: ").await;
    check(Answer { end: End::Endless, ..Answer::new(200, "") }, Some("ok"), "body does not contain").await;
    let hanging = Http2Endpoint::plain(loopback(31), Answer { end: End::Hang, ..Answer::new(200, "ok") }).await;
    let probe = HttpProbe { body: Some("ok".to_owned()), ..probe(&hanging, None) };
    assert_eq!(ask(hanging.address, &probe).await, Ok(()), "the end is not waited for");
    let long = vec![("x-long", "x".repeat(HEAD_OCTETS_MAX as usize))];
    check(Answer { headers: long, ..Answer::new(200, "") }, None, "HTTP/2: ").await;
}

#[tokio::test]
async fn the_versions_that_are_wanted_are_what_is_offered() {
    let authority = Authority::new("root.example.com");
    let roots = authority.roots();
    let tls = Tls::with_roots(move || roots.clone());
    let check = async |offered: &[&[u8]], version: HttpVersion, expected: Result<(), &str>| {
        let mut server = authority.server(NAME);
        server.alpn_protocols = offered.iter().map(|name| name.to_vec()).collect();
        let endpoint = Endpoint::tls(loopback(32), server, Reply::new("200 OK", "")).await;
        let probe = HttpProbe { version, tls: Some(TlsCheck::verified()), ..plain(endpoint.address) };
        assert_eq!(ask_with(&tls, endpoint.address, &probe).await, expected.map_err(str::to_owned), "{offered:?}");
    };
    let (http1, http2): (&[u8], &[u8]) = (b"http/1.1", b"h2");
    for version in [HttpVersion::Http1, HttpVersion::Agreed] {
        check(&[], version, Ok(())).await;
        check(&[http1], version, Ok(())).await;
    }
    check(&[http2, http1], HttpVersion::Http1, Ok(())).await;
    let none = "TLS: the endpoint refused: it speaks none of the protocols that were offered (ALPN)";
    check(&[http2], HttpVersion::Http1, Err(none)).await;
    check(&[http1], HttpVersion::Http2, Err(none)).await;
    check(&[], HttpVersion::Http2, Err("TLS: HTTP/2 was not agreed on (ALPN h2)")).await;
    let endpoint = Http2Endpoint::tls(loopback(32), authority.server(NAME), Answer::new(200, "")).await;
    let secure = Some(TlsCheck::verified());
    let probe = HttpProbe { version: HttpVersion::Agreed, tls: secure, ..plain(endpoint.address) };
    assert_eq!(ask_with(&tls, endpoint.address, &probe).await, Ok(()));
    // What does not know HTTP/2 answers it with a page, or with nothing.
    let endpoint = Endpoint::plain(loopback(32), Reply::new("400 Bad Request", "")).await;
    let probe = HttpProbe { version: HttpVersion::Http2, ..plain(endpoint.address) };
    let reason = ask(endpoint.address, &probe).await.expect_err("no HTTP/2");
    assert!(reason.starts_with("HTTP/2: "), "{reason}");
}

#[tokio::test]
async fn a_request_is_as_the_monitor_has_it() {
    let endpoint = Endpoint::plain(loopback(33), Reply::new("200 OK", "")).await;
    let headers = [("user-agent", "mine"), ("x-probe", "1")].map(|(name, value)| (name.into(), value.into()));
    let probe = HttpProbe { method: Method::Head, headers: headers.into(), ..plain(endpoint.address) };
    assert_eq!(ask(endpoint.address, &probe).await, Ok(()));
    let head = endpoint.seen()[0].head.to_ascii_lowercase();
    assert!(head.starts_with("head /healthz http/1.1\r\n"), "{head}");
    assert!(head.contains("\r\nuser-agent: mine\r\n") && head.contains("\r\nx-probe: 1\r\n"), "{head}");
    assert!(!head.contains("bellwether"), "{head}");
    // A head without end is not waited for.
    let endless = format!("HTTP/1.1 200 OK\r\nx: {}", "x".repeat(HEAD_OCTETS_MAX as usize));
    let endpoint = Endpoint::plain(loopback(33), Reply::Endless(endless)).await;
    let reason = ask(endpoint.address, &plain(endpoint.address)).await.expect_err("too long a head");
    assert_eq!(reason, "message head is too large");
}

#[tokio::test]
async fn private_roots_client_certificates_and_other_names_are_heeded() {
    let (ours, theirs) = (Authority::new("root.example.com"), Authority::new("root.example.org"));
    let trust = |authority: &Authority| Trust::Only(Authorities::read(&authority.pem()).expect("a root").into());
    let identity = |authority: &Authority| {
        let (certificate, key) = authority.pem_of("client");
        Some(Identity::read(&certificate, &key).expect("a pair").into())
    };
    let check = async |server: ServerConfig, check: TlsCheck, expected: Result<(), &str>| {
        let endpoint = Endpoint::tls(loopback(34), server, Reply::new("200 OK", "")).await;
        let probe = HttpProbe { tls: Some(check.clone()), ..plain(endpoint.address) };
        let found = ask(endpoint.address, &probe).await;
        assert_eq!(found, expected.map_err(str::to_owned), "{check:?}");
    };
    let verified = TlsCheck::verified;
    check(ours.server(NAME), TlsCheck { trust: trust(&ours), ..verified() }, Ok(())).await;
    let unknown = "certificate: no trusted root issued it";
    check(ours.server(NAME), TlsCheck { trust: trust(&theirs), ..verified() }, Err(unknown)).await;
    let named = |name: &str| TlsCheck { trust: trust(&ours), server_name: Some(name.to_owned()), ..verified() };
    check(ours.server("a.example"), named("a.example"), Ok(())).await;
    let other = "certificate: not for a.example, but for www.example.com";
    check(ours.server(NAME), named("a.example"), Err(other)).await;

    let with = |identity| TlsCheck { trust: trust(&ours), identity, ..verified() };
    check(ours.server_for_clients(NAME), with(identity(&ours)), Ok(())).await;
    let wanted = "TLS: the endpoint refused: it wants a client certificate";
    check(ours.server_for_clients(NAME), with(None), Err(wanted)).await;
    let refused = "TLS: the endpoint refused: it does not accept our client certificate";
    check(ours.server_for_clients(NAME), with(identity(&theirs)), Err(refused)).await;
    check(ours.server(NAME), with(identity(&theirs)), Ok(())).await;
}

#[tokio::test]
async fn the_end_of_the_certificate_comes_with_the_answer() {
    let authority = Authority::new("root.example.com");
    let mut params = CertificateParams::new([NAME.to_owned()]).expect("a name");
    params.not_after = date_time_ymd(2050, 1, 1);
    let endpoint = Endpoint::tls(loopback(35), authority.server_with(params), Reply::new("200 OK", "")).await;
    let probe = HttpProbe { tls: Some(unverified()), ..plain(endpoint.address) };
    let asker = Asker::new(endpoint.address.ip(), &probe, &Tls::with_roots(RootCertStore::empty)).expect("sound");
    assert_eq!(asker.ask().await, Ok(Answered { load: None, certificate_ends: Some(2_524_608_000) }));
}

#[tokio::test]
async fn what_is_not_tls_says_so() {
    let listener = tokio::net::TcpListener::bind(loopback(9)).await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        tokio::io::AsyncWriteExt::write_all(&mut stream, b"HTTP/1.1 400 Bad Request\r\n\r\n").await.expect("sent");
    });
    let probe = HttpProbe { tls: Some(unverified()), ..plain(address) };
    let reason = ask(address, &probe).await.expect_err("no TLS");
    assert!(reason.starts_with("TLS: what came is not TLS"), "{reason}");
    server.await.expect("served");
}

#[tokio::test]
async fn a_dead_endpoint_refuses() {
    let endpoint = Endpoint::plain(loopback(10), Reply::new("200 OK", "")).await;
    let (address, probe) = (endpoint.address, plain(endpoint.address));
    drop(endpoint);
    // The listener goes when its task does, which is soon but not at once.
    for _ in 0..100 {
        if ask(address, &probe).await == Err("connection refused".to_owned()) {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("{:?}", ask(address, &probe).await);
}

#[test]
fn a_monitor_of_which_no_request_can_be_made_says_so() {
    let check = |host: Option<&str>, path: &str, tls: Option<TlsCheck>, expected: Option<&str>| {
        let endpoint = SocketAddr::from(([192, 0, 2, 1], 8080));
        let probe = HttpProbe { host: host.map(str::to_owned), path: path.to_owned(), tls, ..plain(endpoint) };
        let fault = fault(endpoint.ip(), &probe).map(|failure| failure.to_string());
        assert_eq!(fault.as_deref(), expected, "{host:?} {path:?}");
    };
    let tls = || Some(TlsCheck::verified());
    check(Some(NAME), "/", tls(), None);
    check(None, "/", tls(), None);
    check(Some("198.51.100.7"), "/", None, None);
    check(Some("198.51.100.7"), "/", tls(), None);
    check(Some("1.2"), "/", None, None);
    check(Some("-a.example"), "/", tls(), Some("no certificate can be for \"-a.example\""));
    check(Some(NAME), "healthz", None, Some("path \"healthz\" does not begin with `/`"));
    check(Some(NAME), "", None, Some("path \"\" does not begin with `/`"));
    for host in ["", "a/b", "a@b", "a b", "www.example.com:80", "a?b", "a#b", "::1]:80"] {
        check(Some(host), "/", None, Some(&format!("no request can be made for host {host:?}")));
    }
    let headers = vec![("x y".to_owned(), "1".to_owned())];
    let probe = HttpProbe { headers, ..HttpProbe::get(80, "/") };
    let reason = fault([192, 0, 2, 1].into(), &probe).map(|failure| failure.to_string());
    assert_eq!(reason.as_deref(), Some("no request can be made with the header \"x y\""));
}
