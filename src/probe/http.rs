//! An HTTP probe: one request on a fresh connection, as a new client would make it.
//!
//! Connections are not kept between probes. A kept one goes on working when the endpoint takes no new ones: its
//! backlog is full, its certificate has expired, its port is filtered. New clients are who DNS sends there.
//!
//! Redirects, proxies, cookies and retries there are none: what is judged is this endpoint's first answer to one
//! request (RFC 9110 §15.4 leaves following a redirect to the client). So nothing of what reqwest adds to hyper is
//! used, and what it hides is: trailers, a bound on an answer's head, the task in which a connection lives. Of 10,000
//! endpoints every 5 s, a probe took 60 to 68 µs of CPU where reqwest took 82 to 86 in the same run; what it takes now,
//! beside gdnsd, `benches/probes/run` says.

use std::net::{IpAddr, SocketAddr};

use http::header::{CONNECTION, HOST, HeaderName, HeaderValue, LOCATION, USER_AGENT};
use http::uri::{Authority, PathAndQuery, Scheme, Uri};
use http::{Request, Response};
use tokio::net::TcpStream;
use tracing::debug;

use super::connection::{Secure, connect, hasten, peer_certificate_ends, protocol, server_name};
use super::exchange::{Body, Protocol, exchange};
use super::{Answered, BODY_OCTETS_MAX, Failure, HttpProbe, HttpVersion, Method, Tls, orca};
use crate::health::PerMille;

/// Tells the operators of endpoints who is asking.
pub(super) const AGENT: HeaderValue =
    HeaderValue::from_static(concat!("bellwether/", env!("CARGO_PKG_VERSION"), " (health check)"));

/// One endpoint, ready to be asked. It holds no connection, and shares its TLS configuration.
#[derive(Debug)]
pub(super) struct Asker {
    endpoint: SocketAddr,
    probe: HttpProbe,
    call: Call,
    secure: Option<Secure>,
}

/// What a request calls the endpoint and the page.
#[derive(Debug)]
struct Call {
    authority: Authority,
    path: PathAndQuery,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Asker {
    /// Prepares to ask `address` what `probe` wants to know.
    ///
    /// # Errors
    /// A path, a host or a header of which no request can be made.
    pub(super) fn new(address: IpAddr, probe: &HttpProbe, tls: &Tls) -> Result<Self, Failure> {
        let call = call(address, probe)?;
        let protocols: &[&[u8]] = match probe.version {
            HttpVersion::Http1 => &[Protocol::Http1.alpn()],
            HttpVersion::Http2 => &[Protocol::Http2.alpn()],
            HttpVersion::Agreed => &[Protocol::Http2.alpn(), Protocol::Http1.alpn()],
        };
        let secure = probe.tls.as_ref().map(|check| Secure::new(tls, check, address, probe.host.as_deref(), protocols));
        let endpoint = SocketAddr::new(address, probe.port);
        Ok(Self { endpoint, probe: probe.clone(), call, secure: secure.transpose()? })
    }

    /// Asks once: what an answer as the probe wants it tells. Takes as long as the endpoint does: the caller bounds
    /// it, and stops it by dropping it.
    ///
    /// # Errors
    /// The endpoint did not answer as the probe wants.
    pub(super) async fn ask(&self) -> Result<Answered, Failure> {
        let stream = connect(self.endpoint).await?;
        if let Some(secure) = &self.secure {
            return Box::pin(self.ask_over_tls(stream, secure)).await;
        }
        // Over TCP alone nothing can be agreed on: HTTP/2 is spoken to those that are known to (RFC 9113 §3.3).
        let version = match self.probe.version {
            HttpVersion::Http2 => Protocol::Http2,
            HttpVersion::Http1 | HttpVersion::Agreed => Protocol::Http1,
        };
        if version == Protocol::Http2 {
            hasten(&stream);
        }
        let judge = |response| self.judge(response);
        let load = exchange(stream, version, self.request(version), None, judge).await?;
        Ok(Answered { load, certificate_ends: None })
    }

    async fn ask_over_tls(&self, stream: TcpStream, secure: &Secure) -> Result<Answered, Failure> {
        let stream = secure.shake(stream).await?;
        let certificate_ends = peer_certificate_ends(&stream);
        let version = match (protocol(&stream) == Some(Protocol::Http2.alpn()), self.probe.version) {
            (true, _) => Protocol::Http2,
            (false, HttpVersion::Http2) => return Err(Failure::no_http2()),
            (false, _) => Protocol::Http1,
        };
        let judge = |response| self.judge(response);
        let load = exchange(stream, version, self.request(version), None, judge).await?;
        Ok(Answered { load, certificate_ends })
    }

    fn request(&self, version: Protocol) -> Request<()> {
        let Call { authority, path, headers } = &self.call;
        let mut request = Request::new(());
        *request.method_mut() = match self.probe.method {
            Method::Get => http::Method::GET,
            Method::Head => http::Method::HEAD,
            Method::Options => http::Method::OPTIONS,
        };
        let fields = request.headers_mut();
        let mut uri = http::uri::Parts::default();
        uri.path_and_query = Some(path.clone());
        match version {
            Protocol::Http1 => {
                if let Ok(host) = HeaderValue::from_str(authority.as_str()) {
                    fields.insert(HOST, host);
                }
                // RFC 9112 §9.6: a client that does not mean to go on says so.
                fields.insert(CONNECTION, HeaderValue::from_static("close"));
            }
            // RFC 9113 §8.3.1: what HTTP/1.1 says in the Host field stands in a pseudo-header of its own.
            Protocol::Http2 => {
                uri.scheme = Some(if self.secure.is_some() { Scheme::HTTPS } else { Scheme::HTTP });
                uri.authority = Some(authority.clone());
            }
        }
        fields.insert(USER_AGENT, AGENT);
        for (name, value) in headers {
            fields.insert(name, value.clone());
        }
        // A path with both of the others, or with neither, is always a URI.
        *request.uri_mut() = Uri::from_parts(uri).unwrap_or_default();
        request
    }

    /// The load that the endpoint reports, if it does, with an answer as the probe wants it.
    async fn judge(&self, response: Response<Body>) -> Result<Option<PerMille>, Failure> {
        judge_status(&self.probe, &response)?;
        let load = self.load(&response);
        if let Some(wanted) = &self.probe.body {
            judge_body(wanted, response.into_body()).await?;
        }
        Ok(load)
    }

    /// The reported load. A report that cannot be read is none, and no fault of the answer's. Of several the first
    /// counts, as with Envoy.
    fn load(&self, response: &Response<Body>) -> Option<PerMille> {
        let report = response.headers().get(orca::HEADER)?;
        let read = orca::read(report.as_bytes());
        read.inspect_err(|fault| debug!("{}{}: {}: {fault}", self.endpoint, self.call.path, orca::HEADER)).ok()
    }
}

/// What keeps a request from being made to `address`, if anything does.
pub(super) fn fault(address: IpAddr, probe: &HttpProbe) -> Option<Failure> {
    let named = |check| server_name(check, address, probe.host.as_deref()).err();
    call(address, probe).err().or_else(|| probe.tls.as_ref().and_then(named))
}

fn call(address: IpAddr, probe: &HttpProbe) -> Result<Call, Failure> {
    let HttpProbe { port, path, host, tls, .. } = probe;
    let port_implied = if tls.is_some() { 443 } else { 80 };
    let mut headers = Vec::with_capacity(probe.headers.len());
    for (name, value) in &probe.headers {
        let fault = || Failure::Monitor(format!("no request can be made with the header {name:?}"));
        let name = HeaderName::try_from(name.as_str()).map_err(|_| fault())?;
        let mut value = HeaderValue::try_from(value.as_str()).map_err(|_| fault())?;
        // It may be a password: it stands in no dump of what is held.
        value.set_sensitive(true);
        headers.push((name, value));
    }
    Ok(Call { authority: authority(address, host.as_deref(), *port, port_implied)?, path: path_sent(path)?, headers })
}

/// What the endpoint is called: `host`, or else its own address, and the port where the scheme does not imply it.
///
/// # Errors
/// A host that is none.
pub(super) fn authority(
    address: IpAddr,
    host: Option<&str>,
    port: u16,
    port_implied: u16,
) -> Result<Authority, Failure> {
    let literal = host.map_or(Some(address), |host| host.trim_matches(['[', ']']).parse().ok());
    let host = match (literal, host) {
        (Some(IpAddr::V6(address)), _) => format!("[{address}]"),
        (Some(address), _) => address.to_string(),
        (None, host) => host.unwrap_or_default().to_owned(),
    };
    let fault = || Failure::Monitor(format!("no request can be made for host {host:?}"));
    // A host with a slash, an @ or a colon in it would be read as something else.
    let read = Authority::try_from(host.as_str()).ok().filter(|read| read.host() == host && read.as_str() == host);
    let read = read.ok_or_else(fault)?;
    if port == port_implied {
        return Ok(read);
    }
    Authority::try_from(format!("{host}:{port}")).map_err(|_| fault())
}

/// The path as it is sent: what a request line cannot hold is escaped (RFC 3986 §2.1).
fn path_sent(path: &str) -> Result<PathAndQuery, Failure> {
    if !path.starts_with('/') {
        return Err(Failure::Monitor(format!("path {path:?} does not begin with `/`")));
    }
    let mut sent = String::with_capacity(path.len());
    for octet in path.bytes() {
        match octet {
            b'"' | b'#' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}' => {
                sent.push_str(&format!("%{octet:02X}"))
            }
            graphic if graphic.is_ascii_graphic() => sent.push(char::from(graphic)),
            other => sent.push_str(&format!("%{other:02X}")),
        }
    }
    PathAndQuery::try_from(sent).map_err(|_| Failure::Monitor(format!("no request can be made for path {path:?}")))
}

fn judge_status(probe: &HttpProbe, response: &Response<Body>) -> Result<(), Failure> {
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
async fn judge_body(wanted: &str, mut body: Body) -> Result<(), Failure> {
    let mut search = Search::new(wanted.as_bytes());
    let mut left = BODY_OCTETS_MAX;
    while left > 0 && !search.found {
        let Some(piece) = body.piece().await? else { break };
        let part = &piece[..piece.len().min(left)];
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

#[cfg(test)]
mod tests;
