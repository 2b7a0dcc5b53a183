//! Sends probes: what is asked of an endpoint, and of which.
//!
//! [`Prober`] keeps one task for each [`Target`], so none waits for another; what changes comes out of
//! [`Changes`]. Verdicts are [`crate::health`]'s: nothing here decides what a result means.

mod answered;
mod asker;
mod changes;
mod dates;
mod dns;
mod exec;
mod connection;
#[cfg(test)]
mod endpoint;
mod exchange;
mod expiry;
mod failure;
mod grpc;
mod handshake;
mod http;
mod icmp;
#[cfg(test)]
mod http2_endpoint;
mod ledger;
mod measured;
mod orca;
mod prober;
mod push;
mod sentry;
mod tcp;
mod tls;
mod watchdog;

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::health::{Comeback, Timing};
use crate::wire::header::{RCODES, mnemonic};

pub use answered::Answered;
pub use asker::Found;
pub use changes::{Change, Changes, Turn};
pub use exec::PROGRAMS_MAX;
pub use failure::{Failure, SHOWN_MAX};
pub use grpc::{GrpcProbe, SERVICE_OCTETS_MAX};
pub use handshake::TlsProbe;
pub use ledger::{Heard, Lag, Ledger, ProbeCounts, Report, Restored};
pub use measured::{LATENCY_BOUNDS, Measured};
pub use prober::{FIRST_ROUND_GAP, Prober};
pub use push::Pushed;
pub use sentry::IN_FLIGHT_MAX;
pub use tcp::EXPECT_OCTETS_MAX;
use tls::Tls;
pub use tls::{Authorities, Identity, IdentityFault, TlsCheck, Trust, WARN_BEFORE};
pub use watchdog::LOOK_GAP;

/// What is probed, as one line of a policy file says it. Two equal monitors of two pools, or of two zones, are
/// one: an endpoint is probed once for both.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Monitor {
    /// What is asked.
    pub probe: Probe,
    /// How often, and how many results count.
    pub timing: Timing,
    /// What it must wait for once it has died, and how soon it gets its whole share again.
    pub comeback: Comeback,
}

impl Monitor {
    /// The same, of another port; `None` where nothing has one.
    pub fn at_port(&self, port: u16) -> Option<Self> {
        let mut monitor = self.clone();
        match &mut monitor.probe {
            Probe::Http(probe) => probe.port = port,
            Probe::Tcp(probe) => probe.port = port,
            Probe::Dns(probe) => probe.port = port,
            Probe::Exec(probe) => probe.port = Some(port),
            Probe::Tls(probe) => probe.port = port,
            Probe::Grpc(probe) => probe.port = port,
            Probe::Icmp | Probe::Push(_) => return None,
        }
        Some(monitor)
    }
}

/// One address under one monitor: what is probed by itself and has a verdict of its own.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Target {
    /// Where the endpoint listens; the port is the probe's.
    pub address: IpAddr,
    /// How it is judged.
    pub monitor: Arc<Monitor>,
}

impl Target {
    /// Whether it reports by itself.
    pub(crate) fn is_pushed(&self) -> bool {
        matches!(self.monitor.probe, Probe::Push(_))
    }

    /// Why it could never succeed, if so: a host or a path of which no request can be made. For the reader of
    /// policy files; a prober calls such a target down.
    pub fn fault(&self) -> Option<Failure> {
        match &self.monitor.probe {
            Probe::Http(probe) => http::fault(self.address, probe),
            Probe::Grpc(probe) => grpc::fault(self.address, probe),
            Probe::Tls(probe) => handshake::fault(self.address, probe),
            Probe::Dns(probe) => dns::fault(probe),
            Probe::Tcp(_) | Probe::Icmp | Probe::Exec(_) | Probe::Push(_) => None,
        }
    }

    /// How long before the end of the certificate that it shows somebody should be told; `None` where it shows none.
    pub fn warn_before(&self) -> Option<Duration> {
        self.tls().map(|check| check.warn_before)
    }

    /// What of its certificate must hold, where it shows one.
    fn tls(&self) -> Option<&TlsCheck> {
        match &self.monitor.probe {
            Probe::Http(probe) => probe.tls.as_ref(),
            Probe::Grpc(probe) => probe.tls.as_ref(),
            Probe::Tls(probe) => Some(&probe.check),
            Probe::Tcp(_) | Probe::Icmp | Probe::Dns(_) | Probe::Exec(_) | Probe::Push(_) => None,
        }
    }
}

/// What is asked of an endpoint and which answer counts as a success.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Probe {
    /// A request over HTTP, or over TLS.
    Http(HttpProbe),
    /// A connection that is accepted.
    Tcp(TcpProbe),
    /// An ICMP echo.
    Icmp,
    /// A DNS query.
    Dns(DnsProbe),
    /// A program that is run.
    Exec(ExecProbe),
    /// Nothing: it reports by itself.
    Push(PushProbe),
    /// A TLS handshake.
    Tls(TlsProbe),
    /// The health service of gRPC.
    Grpc(GrpcProbe),
}

/// Why this process may send no ICMP echo, over one family or both, if so.
pub fn icmp_fault() -> Option<Failure> {
    icmp::fault()
}

/// Why the program at `path` could not be run, if so: "does not exist".
pub fn program_fault(path: &Path) -> Option<String> {
    exec::fault(path)
}

/// A connection, and what is said over it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TcpProbe {
    /// The port to connect to.
    pub port: u16,
    /// What is sent first; nothing where it is empty.
    pub send: Box<[u8]>,
    /// What must come within the first [`EXPECT_OCTETS_MAX`] octets; where it is empty, nothing is waited for.
    pub expect: Box<[u8]>,
}

impl TcpProbe {
    /// A connection to `port` that is accepted.
    pub fn connect(port: u16) -> Self {
        Self { port, send: Box::default(), expect: Box::default() }
    }
}

/// A query and the response that it must have.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DnsProbe {
    /// The port of the server.
    pub port: u16,
    /// The absolute name that is asked for.
    pub name: String,
    /// The type that is asked for, as it is written: `A`, `SOA`.
    pub record_type: String,
    /// The response code that counts as a success.
    pub rcode: Rcode,
    /// Record data, as it is written, all of which the answer must have; none where any answer will do.
    pub answer: Vec<String>,
    /// How it is sent.
    pub transport: DnsTransport,
    /// Whether recursion is desired (RFC 1035 §4.1.1).
    pub recursion: bool,
}

/// A response code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rcode(pub u16);

impl Rcode {
    /// Those that a header alone can hold, by name.
    pub fn named() -> impl Iterator<Item = (&'static str, Self)> + Clone {
        RCODES.into_iter().filter(|(_, code)| *code < 16).map(|(name, code)| (name, Self(code)))
    }
}

impl fmt::Display for Rcode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match mnemonic(self.0) {
            Some(name) => f.write_str(name),
            None => write!(f, "RCODE{}", self.0),
        }
    }
}

/// How a query is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DnsTransport {
    /// As a datagram, and over TCP where the response was truncated.
    Udp,
    /// Over TCP.
    Tcp,
}

/// A program and the exit codes that count as a success.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ExecProbe {
    /// The program by its absolute path, then its arguments.
    pub command: Vec<String>,
    /// Its environment, beside `PATH` and what tells it whom to probe.
    pub environment: Vec<(String, String)>,
    /// The exit codes that count as a success.
    pub exit: Vec<u8>,
    /// The port that an endpoint's `probe` names, for the program to know.
    pub port: Option<u16>,
}

/// A report that must come.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PushProbe {
    /// How long a report is good for; the monitor's timeout is the same.
    pub lease: Duration,
}

/// A request and the answer that it must have. Redirects are never followed: an endpoint that only points
/// elsewhere does not serve.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HttpProbe {
    /// The port to connect to.
    pub port: u16,
    /// Path and query, beginning with `/`.
    pub path: String,
    /// The Host header, and over TLS the server name of the handshake and of the certificate. Without one, the
    /// endpoint's own address.
    pub host: Option<String>,
    /// The status codes that count as a success, any of the ranges; 200–299 where nothing was said.
    pub status: Vec<RangeInclusive<u16>>,
    /// What the body must contain, within its first [`BODY_OCTETS_MAX`]; without one the body is not read.
    pub body: Option<String>,
    /// What is asked for.
    pub method: Method,
    /// Fields that are sent beside our own, by name; one of a name.
    pub headers: Vec<(String, String)>,
    /// Which HTTP.
    pub version: HttpVersion,
    /// TLS, or none.
    pub tls: Option<TlsCheck>,
}

impl HttpProbe {
    /// A GET over HTTP/1.1 of `path` on `port`, which any 2xx answers.
    pub fn get(port: u16, path: impl Into<String>) -> Self {
        Self {
            port,
            path: path.into(),
            host: None,
            status: vec![200..=299],
            body: None,
            method: Method::Get,
            headers: Vec::new(),
            version: HttpVersion::Http1,
            tls: None,
        }
    }
}

/// What is asked for: the methods that change nothing (RFC 9110 §9.2.1) and that servers answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    /// The page.
    Get,
    /// Its head alone.
    Head,
    /// What may be asked for.
    Options,
}

/// Which HTTP is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HttpVersion {
    /// HTTP/1.1: what everything speaks, and the cheapest.
    Http1,
    /// HTTP/2, over TCP as prior knowledge (RFC 9113 §3.3).
    Http2,
    /// The endpoint's choice in the TLS handshake; over TCP as [`HttpVersion::Http1`].
    Agreed,
}

/// Octets of a body that are read while a match is sought: enough for any health page, and a bound on what an
/// endpoint can make us hold.
pub const BODY_OCTETS_MAX: usize = 64 * 1024;

/// As it stands in logs: `https://192.0.2.10:443/healthz (www.example.com)`, `tcp://[2001:db8::10]:443`.
impl Probe {
    /// Which kind it is, as the files call it; `icmp` for both of its names.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Http(HttpProbe { tls: None, .. }) => "http",
            Self::Http(_) => "https",
            Self::Tcp(_) => "tcp",
            Self::Icmp => "icmp",
            Self::Dns(_) => "dns",
            Self::Exec(_) => "exec",
            Self::Push(_) => "push",
            Self::Tls(_) => "tls",
            Self::Grpc(_) => "grpc",
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.monitor.probe {
            Probe::Tcp(TcpProbe { port, .. }) => write!(f, "tcp://{}", SocketAddr::new(self.address, *port)),
            Probe::Icmp => write!(f, "icmp://{}", self.address),
            Probe::Dns(DnsProbe { port, name, record_type, .. }) => {
                write!(f, "dns://{}/{name} {record_type}", SocketAddr::new(self.address, *port))
            }
            Probe::Exec(ExecProbe { command, .. }) => {
                write!(f, "{} for {}", command.first().map_or("no program", String::as_str), self.address)
            }
            Probe::Push(PushProbe { lease }) => write!(f, "reports of {} within {lease:?}", self.address),
            Probe::Http(HttpProbe { port, path, host, tls, .. }) => {
                let scheme = if tls.is_some() { "https" } else { "http" };
                write!(f, "{scheme}://{}{path}", SocketAddr::new(self.address, *port))?;
                host.as_ref().map_or(Ok(()), |host| write!(f, " ({host})"))
            }
            Probe::Tls(TlsProbe { port, check, .. }) => {
                write!(f, "tls://{}", SocketAddr::new(self.address, *port))?;
                check.server_name.as_ref().map_or(Ok(()), |name| write!(f, " ({name})"))
            }
            Probe::Grpc(GrpcProbe { port, service, host, tls }) => {
                let scheme = if tls.is_some() { "grpcs" } else { "grpc" };
                write!(f, "{scheme}://{}/{service}", SocketAddr::new(self.address, *port))?;
                host.as_ref().map_or(Ok(()), |host| write!(f, " ({host})"))
            }
        }
    }
}
