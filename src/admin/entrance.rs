//! How a connection comes in: plain or by TLS, with a certificate of its own or without, and one request on each.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::Problem;

/// Octets of a request's head, as much as hyper reads at once at the least.
const HEAD_OCTETS_MAX: usize = 16 * 1024;

/// How long a client may take for its handshake, from its first octet on: until then nobody knows who holds the place.
const HANDSHAKE_LONGEST: Duration = Duration::from_secs(5);

/// How long a client may take to send the head of its request.
const HEAD_LONGEST: Duration = Duration::from_secs(5);

/// How long a connection may last, which is for one request: the longest of those, and time to send what it came to.
const CONNECTION_LONGEST: Duration = Duration::from_secs(60);

/// How long a client is heard out that was turned away, and how many octets of it: a connection that is closed over
/// octets that nobody read is reset, and the reset takes the reason from the client's hands (RFC 9112 §9.6).
const PARTING_LONGEST: Duration = Duration::from_secs(1);
const PARTING_OCTETS_MAX: u64 = (super::BODY_OCTETS_MAX + HEAD_OCTETS_MAX) as u64;

/// The first octet of a TLS connection: a handshake record (RFC 8446 §5.1).
const TLS_HANDSHAKE: u8 = 22;

/// What is spoken, and whether clients are known by certificates.
#[derive(Clone, Debug)]
pub enum Entrance {
    /// HTTP as it is.
    Plain,
    /// HTTPS.
    Encrypted(Arc<ServerConfig>),
    /// HTTPS; whoever shows a certificate that this verifies may ask.
    Certified(Arc<ServerConfig>),
}

/// Who is on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Visitor {
    /// Somebody.
    Nameless,
    /// Somebody with a certificate that was asked for, and verified.
    Certified,
}

/// Speaks with who has connected, by `entrance`, and has `routes` answer.
pub(super) async fn receive(stream: TcpStream, entrance: Entrance, routes: Router) {
    let (Entrance::Encrypted(config) | Entrance::Certified(config)) = entrance else {
        return converse(stream, Visitor::Nameless, TowerToHyperService::new(routes)).await;
    };
    match timeout(HANDSHAKE_LONGEST, greet(stream, config)).await {
        Ok(Greeting::Encrypted(stream)) => {
            let certificates = stream.get_ref().1.peer_certificates().unwrap_or_default();
            let visitor = if certificates.is_empty() { Visitor::Nameless } else { Visitor::Certified };
            converse(stream, visitor, TowerToHyperService::new(routes)).await;
        }
        Ok(Greeting::Plain(stream)) => {
            converse(stream, Visitor::Nameless, service_fn(async |_| Ok(speak_tls()))).await;
        }
        Ok(Greeting::Failed(error, stream)) => {
            tracing::debug!(%error, "a handshake at the admin API");
            part(stream).await;
        }
        Ok(Greeting::Gone) => {}
        Err(_) => tracing::debug!("a handshake at the admin API took too long"),
    }
}

/// What a client begins with where TLS is spoken.
enum Greeting {
    Encrypted(Box<TlsStream<TcpStream>>),
    /// A handshake that failed, and what is left of the connection.
    Failed(io::Error, TcpStream),
    /// HTTP as it is.
    Plain(TcpStream),
    Gone,
}

async fn greet(stream: TcpStream, config: Arc<ServerConfig>) -> Greeting {
    let mut first = [0];
    match stream.peek(&mut first).await {
        // No method of HTTP begins so, and no other record begins a connection.
        Ok(1) if first[0] == TLS_HANDSHAKE => match TlsAcceptor::from(config).accept(stream).into_fallible().await {
            Ok(stream) => Greeting::Encrypted(Box::new(stream)),
            Err((error, stream)) => Greeting::Failed(error, stream),
        },
        Ok(1) => Greeting::Plain(stream),
        Ok(_) | Err(_) => Greeting::Gone,
    }
}

/// One request each: an idle connection would hold a place.
async fn converse<S>(stream: impl AsyncRead + AsyncWrite + Unpin, visitor: Visitor, service: S)
where
    S: Service<Request<Incoming>, Response = Response<Body>, Error = Infallible>,
{
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_LONGEST).max_buf_size(HEAD_OCTETS_MAX).keep_alive(false);
    let known = service_fn(|mut request: Request<Incoming>| {
        request.extensions_mut().insert(visitor);
        service.call(request)
    });
    match timeout(CONNECTION_LONGEST, http.serve_connection(TokioIo::new(stream), known)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "a connection to the admin API"),
        Err(_) => tracing::debug!("a connection to the admin API took too long"),
    }
}

/// For whoever speaks plain HTTP where HTTPS is spoken.
fn speak_tls() -> Response<Body> {
    Problem::new(StatusCode::BAD_REQUEST, "HTTPS is spoken here: write https:// in place of http://").into_response()
}

/// Lets a client hear why it was turned away, which it may only look for once it has sent its request.
async fn part(mut stream: TcpStream) {
    let _ = stream.shutdown().await;
    let mut rest = stream.take(PARTING_OCTETS_MAX);
    let _ = timeout(PARTING_LONGEST, tokio::io::copy(&mut rest, &mut tokio::io::sink())).await;
}
