//! Endpoints for tests: real sockets on loopback addresses that answer each connection as they are told, and
//! remember what was asked.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use rcgen::{CertificateParams, CertifiedIssuer, Issuer, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

/// What an endpoint does with a connection once it has a request.
#[derive(Clone)]
pub(super) enum Reply {
    /// Writes these octets and closes.
    Text(String),
    /// Writes these octets and keeps the connection open.
    Hang(String),
    /// Writes these octets and then the letter x until the other side has enough.
    Endless(String),
}

impl Reply {
    /// A whole answer.
    pub(super) fn new(status: &str, body: &str) -> Self {
        Self::Text(format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len()))
    }
}

/// A request as it came: its head, and the server name of its handshake.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) head: String,
    pub(super) server_name: Option<String>,
}

/// An endpoint, which dies with this.
pub(super) struct Endpoint {
    pub(super) address: SocketAddr,
    reply: Arc<Mutex<Reply>>,
    seen: Arc<Mutex<Vec<Seen>>>,
    _task: JoinSet<()>,
}

impl Endpoint {
    pub(super) async fn plain(address: SocketAddr, reply: Reply) -> Self {
        Self::start(address, None, reply).await
    }

    pub(super) async fn tls(address: SocketAddr, config: ServerConfig, reply: Reply) -> Self {
        Self::start(address, Some(Arc::new(config).into()), reply).await
    }

    async fn start(address: SocketAddr, tls: Option<TlsAcceptor>, reply: Reply) -> Self {
        let listener = TcpListener::bind(address).await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let (reply, seen) = (Arc::new(Mutex::new(reply)), Arc::new(Mutex::new(Vec::new())));
        let mut task = JoinSet::new();
        task.spawn(serve(listener, tls, Arc::clone(&reply), Arc::clone(&seen)));
        Self { address, reply, seen, _task: task }
    }

    /// Connections that are accepted from here on are answered like this.
    pub(super) fn turn_to(&self, reply: Reply) {
        *self.reply.lock().unwrap_or_else(PoisonError::into_inner) = reply;
    }

    /// The requests so far.
    pub(super) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn serve(listener: TcpListener, tls: Option<TlsAcceptor>, reply: Arc<Mutex<Reply>>, seen: Arc<Mutex<Vec<Seen>>>) {
    // Connections end with the endpoint, as those of a killed process do.
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let reply = reply.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let (tls, seen) = (tls.clone(), Arc::clone(&seen));
        connections.spawn(async move {
            let Some(tls) = tls else { return converse(stream, None, reply, seen).await };
            if let Ok(stream) = tls.accept(stream).await {
                let server_name = stream.get_ref().1.server_name().map(str::to_owned);
                converse(stream, server_name, reply, seen).await;
            }
        });
    }
}

async fn converse<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    server_name: Option<String>,
    reply: Reply,
    seen: Arc<Mutex<Vec<Seen>>>,
) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(octet) => head.push(octet),
            Err(_) => return,
        }
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    seen.lock().unwrap_or_else(PoisonError::into_inner).push(Seen { head, server_name });
    let (Reply::Text(text) | Reply::Hang(text) | Reply::Endless(text)) = &reply;
    let mut written = stream.write_all(text.as_bytes()).await.and(stream.flush().await);
    match reply {
        Reply::Text(_) => drop(stream.shutdown().await),
        Reply::Hang(_) => std::future::pending().await,
        Reply::Endless(_) => {
            while written.is_ok() {
                written = stream.write_all(&[b'x'; 4096]).await;
            }
        }
    }
}

/// An authority of our own.
pub(super) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(super) fn new(name: &str) -> Self {
        let mut params = CertificateParams::new([]).expect("no names");
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("a certificate"))
    }

    /// A store that trusts it alone.
    pub(super) fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).expect("a root");
        roots
    }

    /// Its certificate as a file of roots holds it.
    pub(super) fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate with its key.
    pub(super) fn issue(&self, params: CertificateParams) -> (CertificateDer<'static>, KeyPair) {
        let key = KeyPair::generate().expect("a key");
        let issuer: &Issuer<'_, KeyPair> = &self.0;
        (params.signed_by(&key, issuer).expect("a certificate").der().clone(), key)
    }

    /// A certificate for `name` and its key, as files hold them.
    pub(super) fn pem_of(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new([name.to_owned()]).expect("a name");
        let issuer: &Issuer<'_, KeyPair> = &self.0;
        (params.signed_by(&key, issuer).expect("a certificate").pem(), key.serialize_pem())
    }

    /// A server with a certificate for `name`, which is valid now.
    pub(super) fn server(&self, name: &str) -> ServerConfig {
        self.server_with(CertificateParams::new([name.to_owned()]).expect("a name"))
    }

    pub(super) fn server_with(&self, params: CertificateParams) -> ServerConfig {
        let (certificate, key) = self.issue(params);
        server(certificate, &key)
    }

    /// A server for `name` that wants a client certificate of this authority's.
    pub(super) fn server_for_clients(&self, name: &str) -> ServerConfig {
        let (certificate, key) = self.issue(CertificateParams::new([name.to_owned()]).expect("a name"));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let clients = WebPkiClientVerifier::builder_with_provider(self.roots().into(), Arc::clone(&provider));
        ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_client_cert_verifier(clients.build().expect("a root"))
            .with_single_cert(vec![certificate], PrivateKeyDer::try_from(key.serialize_der()).expect("a key"))
            .expect("a certificate with its key")
    }
}

/// A server whose certificate nobody vouches for.
pub(super) fn self_signed_server(name: &str) -> ServerConfig {
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new([name.to_owned()]).expect("a name");
    server(params.self_signed(&key).expect("a certificate").der().clone(), &key)
}

fn server(certificate: CertificateDer<'static>, key: &KeyPair) -> ServerConfig {
    let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
    ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .expect("a certificate with its key")
}

/// `127.0.0.last`, any free port.
pub(super) fn loopback(last: u8) -> SocketAddr {
    SocketAddr::new(IpAddr::from([127, 0, 0, last]), 0)
}
