//! A connection of a probe's own: TCP, and TLS over it where that is asked.
//!
//! A fresh one for each probe, and dropped with it, so that what is judged is what a new client would meet.

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use rustls::pki_types::{DnsName, ServerName};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::Failure;
use super::tls::{Tls, TlsCheck, certificate_ends};

/// Connects to `endpoint`.
///
/// # Errors
/// The connection is not accepted.
pub(super) async fn connect(endpoint: SocketAddr) -> Result<TcpStream, Failure> {
    TcpStream::connect(endpoint).await.map_err(|error| Failure::of_io(&error))
}

/// Has small pieces sent at once, for protocols that write more than once: Nagle's algorithm would hold a request back
/// until the end of the handshake is acknowledged, which a peer may take 40 ms to do. HTTP/1.1 over TCP alone writes
/// once, and is spared the call.
pub(super) fn hasten(stream: &TcpStream) {
    // An option that cannot be set costs time, not the probe.
    let _ = stream.set_nodelay(true);
}

/// How one endpoint's handshake goes. Its configuration is shared.
#[derive(Clone)]
pub(super) struct Secure {
    connector: TlsConnector,
    name: ServerName<'static>,
}

impl Secure {
    /// For the endpoint `address`, `called` so where the monitor says it; without a name, by its address.
    ///
    /// # Errors
    /// What is called so can have no certificate.
    pub(super) fn new(
        tls: &Tls,
        check: &TlsCheck,
        address: IpAddr,
        called: Option<&str>,
        protocols: &[&[u8]],
    ) -> Result<Self, Failure> {
        let name = server_name(check, address, called)?;
        Ok(Self { connector: TlsConnector::from(tls.config(check, protocols)?), name })
    }

    /// Shakes hands: the stream, with a certificate as the check wants it.
    ///
    /// # Errors
    /// As [`Failure`] says.
    pub(super) async fn shake(&self, stream: TcpStream) -> Result<TlsStream<TcpStream>, Failure> {
        hasten(&stream);
        self.connector.connect(self.name.clone(), stream).await.map_err(|error| match error.kind() {
            ErrorKind::UnexpectedEof => Failure::Answer("TLS: closed in the middle of the handshake".to_owned()),
            _ => Failure::of_request(&error),
        })
    }
}

/// Whom the certificate must be for: what the check says, or else what the endpoint is `called`, or its `address`.
///
/// # Errors
/// What is called so can have no certificate.
pub(super) fn server_name(
    check: &TlsCheck,
    address: IpAddr,
    called: Option<&str>,
) -> Result<ServerName<'static>, Failure> {
    let Some(name) = check.server_name.as_deref().or(called) else { return Ok(address.into()) };
    if let Ok(literal) = name.trim_matches(['[', ']']).parse::<IpAddr>() {
        return Ok(literal.into());
    }
    let fault = || Failure::Monitor(format!("no certificate can be for {name:?}"));
    DnsName::try_from(name.to_owned()).map(ServerName::DnsName).map_err(|_| fault())
}

/// The protocol that both agreed on, if any.
pub(super) fn protocol(stream: &TlsStream<TcpStream>) -> Option<&[u8]> {
    stream.get_ref().1.alpn_protocol()
}

/// When the endpoint's own certificate ends, in seconds since 1970. Those above it are not its own to renew, and
/// chains are often shown with one that ended long ago and that nobody needs.
pub(super) fn peer_certificate_ends(stream: &TlsStream<TcpStream>) -> Option<u64> {
    stream.get_ref().1.peer_certificates().and_then(<[_]>::first).and_then(certificate_ends)
}

/// Drives `connection` for as long as `exchange` takes, in the same task: nothing of it outlives the probe.
pub(super) async fn beside<T>(connection: impl Future, exchange: impl Future<Output = T>) -> T {
    let (mut connection, mut exchange) = (pin!(connection), pin!(exchange));
    let mut over = false;
    std::future::poll_fn(|context| {
        if let Poll::Ready(result) = exchange.as_mut().poll(context) {
            return Poll::Ready(result);
        }
        // Whatever ended it, the exchange is told.
        over = over || connection.as_mut().poll(context).is_ready();
        if over { exchange.as_mut().poll(context) } else { Poll::Pending }
    })
    .await
}

impl std::fmt::Debug for Secure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shared = Arc::as_ptr(self.connector.config());
        f.debug_struct("Secure").field("name", &self.name).field("config", &shared).finish()
    }
}
