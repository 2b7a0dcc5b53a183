//! Sends probes: what is asked of an endpoint, and of which.
//!
//! [`Prober`] keeps one task for each [`Target`], so none waits for another; what changes comes out of
//! [`Changes`]. Verdicts are [`crate::health`]'s: nothing here decides what a result means.

mod changes;
#[cfg(test)]
mod endpoint;
mod failure;
mod http;
mod orca;
mod prober;
mod tcp;
mod tls;

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::sync::Arc;

use crate::health::Timing;

pub use changes::{Change, Changes};
pub use failure::{Failure, SHOWN_MAX};
pub use prober::{FIRST_ROUND_GAP, IN_FLIGHT_MAX, Prober};
use tls::Tls;

/// What is probed, as one line of a policy file says it. Two equal monitors of two pools, or of two zones, are
/// one: an endpoint is probed once for both.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Monitor {
    /// What is asked.
    pub probe: Probe,
    /// How often, and how many results count.
    pub timing: Timing,
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
    /// Why it could never succeed, if so: a host or a path of which no request can be made. For the reader of
    /// policy files; a prober calls such a target down.
    pub fn fault(&self) -> Option<Failure> {
        match &self.monitor.probe {
            Probe::Http(probe) => http::fault(self.address, probe),
            Probe::Tcp { .. } => None,
        }
    }
}

/// What is asked of an endpoint and which answer counts as a success.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Probe {
    /// A GET over HTTP, or over TLS.
    Http(HttpProbe),
    /// A connection that is accepted.
    Tcp {
        /// The port to connect to.
        port: u16,
    },
}

/// A GET request and the answer that it must have. Redirects are never followed: an endpoint that only points
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
    /// TLS, or none.
    pub tls: Option<TlsCheck>,
}

/// Octets of a body that are read while a match is sought: enough for any health page, and a bound on what an
/// endpoint can make us hold.
pub const BODY_OCTETS_MAX: usize = 64 * 1024;

/// What of a certificate must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TlsCheck {
    /// The chain leads to a root that the system trusts, the name matches, the dates hold.
    Verified,
    /// Any certificate will do (`verify = false`).
    Unverified,
}

/// As it stands in logs: `https://192.0.2.10:443/healthz (www.example.com)`, `tcp://[2001:db8::10]:443`.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.monitor.probe {
            Probe::Tcp { port } => write!(f, "tcp://{}", SocketAddr::new(self.address, *port)),
            Probe::Http(HttpProbe { port, path, host, tls, .. }) => {
                let scheme = if tls.is_some() { "https" } else { "http" };
                write!(f, "{scheme}://{}{path}", SocketAddr::new(self.address, *port))?;
                host.as_ref().map_or(Ok(()), |host| write!(f, " ({host})"))
            }
        }
    }
}
