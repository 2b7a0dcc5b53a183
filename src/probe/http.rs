//! An HTTP probe: one GET on a fresh connection, as a new client would make it.
//!
//! Connections are not kept between probes. A kept one goes on working when the endpoint takes no new ones: its
//! backlog is full, its certificate has expired, its port is filtered. New clients are who DNS sends there.
//!
//! Redirects, proxies from the environment, cookies and retries are all off: what is judged is this endpoint's
//! first answer to one request (RFC 9110 §15.4 leaves following a redirect to the client).

use std::future;
use std::net::{IpAddr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{CONNECTION, HOST, HeaderValue, LOCATION};
use reqwest::redirect::Policy;
use reqwest::{Client, Response, Url, retry};
use tracing::debug;

use super::{BODY_OCTETS_MAX, Failure, HttpProbe, Tls, TlsCheck, orca};
use crate::health::PerMille;

/// Tells the operators of endpoints who is asking.
const USER_AGENT: &str = concat!("bellwether/", env!("CARGO_PKG_VERSION"), " (health check)");

/// One endpoint, ready to be asked.
///
/// Each has a client of its own, since a client maps the name in the URL to one address. It holds no connection
/// and shares the roots, so it is cheap: 2.2 kB and 2 µs, measured over 10,000.
#[derive(Debug)]
pub(super) struct Asker {
    probe: HttpProbe,
    client: Client,
    url: Url,
    /// The Host header, where the URL does not imply it.
    host: Option<HeaderValue>,
}

impl Asker {
    /// Prepares to ask `address` what `probe` wants to know.
    ///
    /// # Errors
    /// A path or host of which no request can be made.
    pub(super) fn new(address: IpAddr, probe: &HttpProbe, tls: &Tls) -> Result<Self, Failure> {
        let (url, host) = request(address, probe)?;
        // Plain HTTP takes the configuration that needs no roots.
        let config = tls.config(probe.tls.unwrap_or(TlsCheck::Unverified)).map_err(Failure::Tls)?;
        let client = Client::builder()
            .user_agent(USER_AGENT)
            .tls_backend_preconfigured(config)
            .dns_resolver(Only(SocketAddr::new(address, probe.port)))
            .no_proxy()
            .redirect(Policy::none())
            .referer(false)
            .retry(retry::never())
            .http1_only()
            .pool_max_idle_per_host(0)
            .pool_idle_timeout(None)
            .tcp_keepalive(None)
            .build()
            .map_err(|error| Failure::Monitor(format!("no client can be made: {error}")))?;
        Ok(Self { probe: probe.clone(), client, url, host })
    }

    /// Asks once: the load that the endpoint reports, if it does, with an answer as the probe wants it. Takes as long
    /// as the endpoint does: the caller bounds it, and stops it by dropping it.
    ///
    /// # Errors
    /// The endpoint did not answer as the probe wants.
    pub(super) async fn ask(&self) -> Result<Option<PerMille>, Failure> {
        // RFC 9112 §9.6: a client that does not mean to go on says so.
        let mut request = self.client.get(self.url.clone()).header(CONNECTION, "close");
        if let Some(host) = &self.host {
            request = request.header(HOST, host);
        }
        let response = request.send().await.map_err(|error| Failure::of_request(&error))?;
        judge_status(&self.probe, &response)?;
        let load = self.load(&response);
        if let Some(wanted) = &self.probe.body {
            judge_body(wanted, response).await?;
        }
        Ok(load)
    }

    /// The reported load. A report that cannot be read is none, and no fault of the answer's. Of several the first
    /// counts, as with Envoy.
    fn load(&self, response: &Response) -> Option<PerMille> {
        let report = response.headers().get(orca::HEADER)?;
        let read = orca::read(report.as_bytes());
        read.inspect_err(|fault| debug!("{}: {}: {fault}", self.url, orca::HEADER)).ok()
    }
}

/// What keeps a request from being made to `address`, if anything does.
pub(super) fn fault(address: IpAddr, probe: &HttpProbe) -> Option<Failure> {
    request(address, probe).err()
}

/// The URL, and the Host header where the URL does not imply it. A host that is a literal address cannot stand
/// in the URL, or it would be connected to instead of the endpoint.
fn request(address: IpAddr, probe: &HttpProbe) -> Result<(Url, Option<HeaderValue>), Failure> {
    let HttpProbe { port, path, host, tls, .. } = probe;
    let (scheme, port_implied) = if tls.is_some() { ("https", 443) } else { ("http", 80) };
    let host = host.as_deref();
    let literal = host.and_then(|host| host.trim_matches(['[', ']']).parse::<IpAddr>().ok());
    let (authority, header) = match (host, literal) {
        (Some(_), Some(literal)) if literal == address => (bracketed(address), None),
        (Some(_), Some(literal)) if tls.is_some() => {
            let reason = "over TLS a host must be a name, as an address has no server name (RFC 6066 §3)";
            return Err(Failure::Monitor(format!("host {literal}: {reason}")));
        }
        (Some(_), Some(literal)) => {
            let port = if *port == port_implied { String::new() } else { format!(":{port}") };
            (bracketed(address), HeaderValue::try_from(bracketed(literal) + &port).ok())
        }
        (Some(host), None) => (host.to_owned(), None),
        (None, _) => (bracketed(address), None),
    };
    let fault = || Failure::Monitor(format!("no request can be made for host {authority:?}"));
    let mut url = Url::parse(&format!("{scheme}://{authority}:{port}/")).map_err(|_| fault())?;
    // A host with a slash, an @ or a colon in it would be read as something else; one that is spelt otherwise
    // than it is sent (`1.2`, which is 1.0.0.2) is not what was meant.
    if !url.host_str().is_some_and(|host| host.eq_ignore_ascii_case(&authority)) || url.path() != "/" {
        return Err(fault());
    }
    if !path.starts_with('/') {
        return Err(Failure::Monitor(format!("path {path:?} does not begin with `/`")));
    }
    let (path, query) = path.split_once('?').map_or((path.as_str(), None), |(path, query)| (path, Some(query)));
    url.set_path(path);
    url.set_query(query);
    Ok((url, header))
}

fn bracketed(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    }
}

fn judge_status(probe: &HttpProbe, response: &Response) -> Result<(), Failure> {
    let status = response.status();
    if probe.status.iter().any(|range| range.contains(&status.as_u16())) {
        return Ok(());
    }
    Err(match response.headers().get(LOCATION) {
        Some(location) if status.is_redirection() => Failure::redirect(status.as_u16(), location.as_bytes()),
        _ => Failure::Status { status: status.as_u16(), wanted: probe.status.clone() },
    })
}

/// Reads only as far as it must: to the match, to the end, or to the limit.
async fn judge_body(wanted: &str, mut response: Response) -> Result<(), Failure> {
    let mut search = Search::new(wanted.as_bytes());
    let mut left = BODY_OCTETS_MAX;
    while left > 0 && !search.found {
        let Some(chunk) = response.chunk().await.map_err(|error| Failure::of_request(&error))? else {
            break;
        };
        let part = &chunk[..chunk.len().min(left)];
        search.feed(part);
        left -= part.len();
    }
    if search.found { Ok(()) } else { Err(Failure::Body { wanted: wanted.to_owned() }) }
}

/// Looks for some octets in a stream of others. Keeps so many of the last ones as a match could begin with.
struct Search<'a> {
    wanted: &'a [u8],
    window: Vec<u8>,
    found: bool,
}

impl<'a> Search<'a> {
    fn new(wanted: &'a [u8]) -> Self {
        Self { wanted, window: Vec::new(), found: wanted.is_empty() }
    }

    fn feed(&mut self, part: &[u8]) {
        if self.found {
            return;
        }
        self.window.extend_from_slice(part);
        self.found = self.window.windows(self.wanted.len()).any(|window| window == self.wanted);
        let kept = self.window.len().min(self.wanted.len() - 1);
        self.window.drain(..self.window.len() - kept);
    }
}

/// Resolves every name to the endpoint: the URL's host is only what it is called.
struct Only(SocketAddr);

impl Resolve for Only {
    fn resolve(&self, _: Name) -> Resolving {
        let addresses: Addrs = Box::new(std::iter::once(self.0));
        Box::pin(future::ready(Ok(addresses)))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rcgen::{CertificateParams, date_time_ymd};
    use rustls::{RootCertStore, ServerConfig};

    use super::super::endpoint::{Authority, Endpoint, Reply, loopback, self_signed_server};
    use super::*;

    const NAME: &str = "www.example.com";

    fn plain(endpoint: SocketAddr) -> HttpProbe {
        HttpProbe {
            port: endpoint.port(),
            path: "/healthz".to_owned(),
            host: Some(NAME.to_owned()),
            status: vec![200..=299],
            body: None,
            tls: None,
        }
    }

    async fn load(tls: &Tls, endpoint: SocketAddr, probe: &HttpProbe) -> Result<Option<PerMille>, String> {
        let asker = Asker::new(endpoint.ip(), probe, tls).map_err(|failure| failure.to_string())?;
        // Only so that a fault of ours ends the test.
        let answered = tokio::time::timeout(Duration::from_secs(60), asker.ask()).await;
        answered.expect("an end").map_err(|failure| failure.to_string())
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
        check(Reply::Text("SSH-2.0-OpenSSH\r\n\r\n".to_owned()), &[200..=299], Err("invalid HTTP version parsed"))
            .await;
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
            let probe = HttpProbe { tls: Some(TlsCheck::Verified), ..plain(endpoint.address) };
            match (ask_with(&tls, endpoint.address, &probe).await, expected) {
                (Ok(()), Ok(())) => {}
                (Err(reason), Err(expected)) if reason.starts_with(expected) => {}
                (got, expected) => panic!("{got:?}, not {expected:?}"),
            }
            let probe = HttpProbe { tls: Some(TlsCheck::Unverified), ..probe };
            assert_eq!(ask_with(&tls, endpoint.address, &probe).await, Ok(()));
            let seen = endpoint.seen();
            assert!(seen.iter().all(|seen| seen.server_name.as_deref() == Some(NAME)), "{seen:?}");
            assert_eq!(seen.len(), 1 + usize::from(expected.is_ok()), "nothing is sent before the certificate holds");
        };
        check(authority.server(NAME), Ok(())).await;
        check(authority.server("www.example.org"), Err("certificate: not for www.example.com")).await;
        check(self_signed_server(NAME), Err("certificate: no trusted root issued it")).await;
        check(Authority::new("root.example.org").server(NAME), Err("certificate: no trusted root issued it")).await;
        check(Authority::new("root.example.com").server(NAME), Err("certificate: not signed by the root")).await;
        check(dated(2001, 2002), Err("certificate: expired ")).await;
        check(dated(4001, 4002), Err("certificate: not valid for another ")).await;
    }

    #[tokio::test]
    async fn without_a_host_the_certificate_is_the_addresss() {
        let authority = Authority::new("root.example.com");
        let roots = authority.roots();
        let tls = Tls::with_roots(move || roots.clone());
        let endpoint = Endpoint::tls(loopback(8), authority.server("127.0.0.8"), Reply::new("200 OK", "")).await;
        let probe = HttpProbe { host: None, tls: Some(TlsCheck::Verified), ..plain(endpoint.address) };
        assert_eq!(ask_with(&tls, endpoint.address, &probe).await, Ok(()));
        assert_eq!(endpoint.seen()[0].server_name, None, "an address is no server name");
        let probe = HttpProbe { host: Some("127.0.0.8".to_owned()), ..probe };
        assert_eq!(ask_with(&tls, endpoint.address, &probe).await, Ok(()));
    }

    #[tokio::test]
    async fn what_is_not_tls_says_so() {
        let listener = tokio::net::TcpListener::bind(loopback(9)).await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            tokio::io::AsyncWriteExt::write_all(&mut stream, b"HTTP/1.1 400 Bad Request\r\n\r\n").await.expect("sent");
        });
        let probe = HttpProbe { tls: Some(TlsCheck::Unverified), ..plain(address) };
        let reason = ask(address, &probe).await.expect_err("no TLS");
        assert!(reason.starts_with("TLS: received corrupt message"), "{reason}");
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
        let tls = Some(TlsCheck::Verified);
        check(Some(NAME), "/", tls, None);
        check(None, "/", tls, None);
        check(Some("198.51.100.7"), "/", None, None);
        check(Some("192.0.2.1"), "/", tls, None);
        let literal =
            "host 198.51.100.7: over TLS a host must be a name, as an address has no server name (RFC 6066 §3)";
        check(Some("198.51.100.7"), "/", tls, Some(literal));
        check(Some(NAME), "healthz", None, Some("path \"healthz\" does not begin with `/`"));
        check(Some(NAME), "", None, Some("path \"\" does not begin with `/`"));
        for host in ["", "a/b", "a@b", "a b", "www.example.com:80", "1.2", "a?b", "a#b"] {
            check(Some(host), "/", None, Some(&format!("no request can be made for host {host:?}")));
        }
    }
}
