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

use super::{BODY_OCTETS_MAX, Failure, HttpProbe, Tls, TlsCheck};

/// Tells the operators of endpoints who is asking.
const USER_AGENT: &str = concat!("bellwether/", env!("CARGO_PKG_VERSION"), " (health check)");

/// One endpoint, ready to be asked.
///
/// Each has a client of its own, since a client maps the name in the URL to one address. It holds no connection
/// and shares the roots, so it costs some 4 kB and no more than 20 µs.
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

    /// Asks once. Takes as long as the endpoint does: the caller bounds it, and stops it by dropping it.
    ///
    /// # Errors
    /// The endpoint did not answer as the probe wants.
    pub(super) async fn ask(&self) -> Result<(), Failure> {
        // RFC 9112 §9.6: a client that does not mean to go on says so.
        let mut request = self.client.get(self.url.clone()).header(CONNECTION, "close");
        if let Some(host) = &self.host {
            request = request.header(HOST, host);
        }
        let response = request.send().await.map_err(|error| Failure::of_request(&error))?;
        judge_status(&self.probe, &response)?;
        match &self.probe.body {
            Some(wanted) => judge_body(wanted, response).await,
            None => Ok(()),
        }
    }
}

impl HttpProbe {
    /// What keeps a request from being made of this, if anything does; the same for every address.
    pub fn fault(&self) -> Option<Failure> {
        request(IpAddr::from([127, 0, 0, 1]), self).err()
    }
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
