//! The commands' side of the admin API: where it is, and how one asks.

use std::error::Error;
use std::fs;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use http::{HeaderValue, Method, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::CertificateError;
use rustls::pki_types::ServerName;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::FileArguments;
use super::proof::{Proof, ProofArguments};
use crate::admin::api::{ReloadReport, ReloadRequest};
use crate::admin::{Problem, RELOAD_LONGEST, REQUEST_LONGEST};
use crate::config::Admin;
use crate::probe::Failure;

/// How long an answer is waited for: longer than the server takes at the most.
const LONGEST: Duration = REQUEST_LONGEST.saturating_add(Duration::from_secs(5));

/// The same of a reload.
const RELOAD_PATIENCE: Duration = RELOAD_LONGEST.saturating_add(Duration::from_secs(5));

/// Octets of an answer: a million endpoints' status, and a bound on what something else could send.
const ANSWER_OCTETS_MAX: usize = 1 << 30;

#[derive(Args, Debug)]
pub(super) struct ServerArguments {
    // Not a doc comment: rustdoc would look for a link in the address.
    #[arg(
        long,
        value_name = "URL",
        help = "Where the server's admin API is [default: as the server file says, or http://127.0.0.1:8053]"
    )]
    server: Option<String>,
    #[command(flatten)]
    proof: ProofArguments,
    /// The server file [default: bellwether.toml, if there is one here]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Asks one server.
#[derive(Debug)]
pub(super) struct Caller {
    /// As it is shown, `http://127.0.0.1:8053`.
    base: String,
    host: String,
    port: u16,
    proof: Proof,
}

/// Why what was asked was not answered, in words.
#[derive(Debug)]
pub(super) enum Denied {
    /// Nobody is there, or will be in a moment: a server that is replaced or restarted is heard again.
    ForNow(String),
    /// The same question comes to the same end.
    ForGood(String),
}

impl From<Denied> for String {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::ForNow(why) | Denied::ForGood(why) => why,
        }
    }
}

/// Why there is no answer.
enum Unanswered {
    /// Nobody is there, or it breaks off.
    Unreached(String),
    /// Somebody is, but the handshake comes to nothing.
    Unagreed(String),
}

impl ServerArguments {
    /// The server at `url`, or the one that the server file opens where there is none.
    pub(super) fn named(url: Option<String>, proof: ProofArguments, config: Option<PathBuf>) -> Self {
        Self { server: url, proof, config }
    }

    /// The server file that they name.
    pub(super) fn config(&self) -> &Option<PathBuf> {
        &self.config
    }

    /// Whether they name a server.
    pub(super) fn is_named(&self) -> bool {
        self.server.is_some()
    }
}

impl Caller {
    /// A caller of the server that the arguments mean.
    pub(super) fn of(arguments: &ServerArguments) -> Result<Self, String> {
        let admin = if arguments.server.is_some() { None } else { Some(opened(&arguments.config)?) };
        let base = arguments.server.clone().unwrap_or_else(|| admin.as_ref().map(url).unwrap_or_default());
        let wrong = || format!("--server {base}: write a URL such as http://127.0.0.1:8053");
        let uri: Uri = base.parse().map_err(|_| wrong())?;
        let (Some(scheme @ ("http" | "https")), "/" | "", None) = (uri.scheme_str(), uri.path(), uri.query()) else {
            return Err(wrong());
        };
        let host = uri.host().ok_or_else(wrong)?.to_owned();
        let port = uri.port_u16().unwrap_or(if scheme == "http" { 80 } else { 443 });
        let proof = match &admin {
            Some(admin) => arguments.proof.of_admin(admin)?,
            None => arguments.proof.of_url(scheme)?,
        };
        Ok(Self { base: base.trim_end_matches('/').to_owned(), host, port, proof })
    }

    /// What is at `path`.
    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Denied> {
        self.ask(Method::GET, path, None).await
    }

    pub(super) async fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, Denied> {
        let body = serde_json::to_vec(body).map_err(|error| Denied::ForGood(error.to_string()))?;
        self.ask(Method::POST, path, Some(body)).await
    }

    /// Has the server read what changed. That it was refused is an answer too.
    pub(super) async fn reload(&self, request: &ReloadRequest) -> Result<ReloadReport, Denied> {
        let body = serde_json::to_vec(request).map_err(|error| Denied::ForGood(error.to_string()))?;
        let (status, octets) = self.call(Method::POST, "/v1/reload", Some(body), RELOAD_PATIENCE).await?;
        // Any other problem bears no report.
        let refused = matches!(status, StatusCode::CONFLICT | StatusCode::UNPROCESSABLE_ENTITY);
        let report = serde_json::from_slice(&octets).ok().filter(|_| refused);
        report.map_or_else(|| self.read(status, &octets), Ok)
    }

    async fn ask<T: DeserializeOwned>(&self, method: Method, path: &str, body: Option<Vec<u8>>) -> Result<T, Denied> {
        let (status, octets) = self.call(method, path, body, LONGEST).await?;
        self.read(status, &octets)
    }

    async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<Vec<u8>>,
        patience: Duration,
    ) -> Result<(StatusCode, Bytes), Denied> {
        let asked = tokio::time::timeout(patience, self.exchange(method, path, body)).await;
        let asked = asked.unwrap_or_else(|_| Err(Unanswered::Unreached("no answer in time".to_owned())));
        asked.map_err(|unanswered| match unanswered {
            Unanswered::Unreached(why) => {
                let listen = format!("{}:{}", self.host, self.port).parse().unwrap_or(Admin::LISTEN);
                let open = how_to_open(listen);
                let base = &self.base;
                Denied::ForNow(format!("cannot reach the admin API at {base}: {why}; is the server running? {open}"))
            }
            Unanswered::Unagreed(why) => {
                Denied::ForGood(format!("no connection to the admin API at {}: {why}", self.base))
            }
        })
    }

    fn read<T: DeserializeOwned>(&self, status: StatusCode, octets: &[u8]) -> Result<T, Denied> {
        if status.is_success() {
            let unread = |error| format!("what {} answers is not understood: {error}", self.base);
            return serde_json::from_slice(octets).map_err(|error| Denied::ForGood(unread(error)));
        }
        let detail = serde_json::from_slice::<Problem>(octets).map(|problem| problem.detail);
        let why = detail.unwrap_or_else(|_| format!("{} answers {status}: is that the admin API?", self.base));
        // One that stops or starts says the first, a proxy before one that is not there one of the three.
        const PASSING: [StatusCode; 3] =
            [StatusCode::SERVICE_UNAVAILABLE, StatusCode::BAD_GATEWAY, StatusCode::GATEWAY_TIMEOUT];
        Err(if PASSING.contains(&status) { Denied::ForNow(why) } else { Denied::ForGood(why) })
    }

    /// One request on a connection of its own, as the server has it.
    async fn exchange(
        &self,
        method: Method,
        path: &str,
        body: Option<Vec<u8>>,
    ) -> Result<(StatusCode, Bytes), Unanswered> {
        let request = self.request(method, path, body).map_err(|error| Unanswered::Unreached(error.to_string()))?;
        let host = self.host.trim_start_matches('[').trim_end_matches(']');
        let stream = TcpStream::connect((host, self.port)).await.map_err(|error| Unanswered::of(&error))?;
        let Some(tls) = &self.proof.tls else { return speak(stream, request).await };
        let name = ServerName::try_from(host.to_owned());
        let name = name.map_err(|_| Unanswered::Unagreed(format!("{host} cannot be the name of a certificate")))?;
        let stream = TlsConnector::from(Arc::clone(tls)).connect(name, stream).await;
        speak(stream.map_err(|error| Unanswered::of_handshake(&error))?, request).await
    }

    fn request(&self, method: Method, path: &str, body: Option<Vec<u8>>) -> Result<Request<Full<Bytes>>, http::Error> {
        let mut request =
            Request::builder().method(method).uri(path).header(header::HOST, format!("{}:{}", self.host, self.port));
        if let Some(token) = &self.proof.token {
            let mut bearer = HeaderValue::from_str(&format!("Bearer {}", token.secret()))?;
            bearer.set_sensitive(true);
            request = request.header(header::AUTHORIZATION, bearer);
        }
        if body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        request.body(Full::new(Bytes::from(body.unwrap_or_default())))
    }
}

async fn speak(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    request: Request<Full<Bytes>>,
) -> Result<(StatusCode, Bytes), Unanswered> {
    let handshake = http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.map_err(|error| Unanswered::of_http(&error))?;
    // It ends with the sender; what is wrong with it, the answer tells.
    let connection = tokio::spawn(connection);
    let response = sender.send_request(request).await.map_err(|error| Unanswered::of_http(&error))?;
    let status = response.status();
    let body = Limited::new(response.into_body(), ANSWER_OCTETS_MAX).collect().await;
    connection.abort();
    let cut = |error| Unanswered::Unreached(format!("its answer breaks off ({error})"));
    Ok((status, body.map_err(cut)?.to_bytes()))
}

impl Unanswered {
    fn of_handshake(error: &std::io::Error) -> Self {
        if error.kind() == std::io::ErrorKind::UnexpectedEof {
            return Self::Unreached("it closes in the middle of the TLS handshake".to_owned());
        }
        Self::of(error)
    }

    fn of_http(error: &hyper::Error) -> Self {
        if error.is_parse() {
            let why = format!("what answers there is not HTTP; write https:// where it speaks TLS ({error})");
            return Self::Unagreed(why);
        }
        if error.is_incomplete_message() || error.is_closed() || error.is_canceled() {
            return Self::Unreached("it closes before it has answered".to_owned());
        }
        Self::of(error)
    }

    /// By what lies at the bottom of it, as probes find it too; what is asked here is no endpoint, though.
    fn of(error: &(dyn Error + 'static)) -> Self {
        match Failure::of_request(error) {
            Failure::Certificate(CertificateError::ApplicationVerificationFailure) => {
                Self::Unagreed("it shows another certificate than the server file names; is it that server?".to_owned())
            }
            failure @ Failure::Certificate(CertificateError::UnknownIssuer) => {
                Self::Unagreed(format!("its {failure} (--ca names who vouches for it)"))
            }
            failure @ Failure::Certificate(_) => Self::Unagreed(format!("its {failure}")),
            failure @ Failure::Tls(_) => Self::Unagreed(match failure.refusal() {
                Some(why) => format!("it refused: {why}"),
                None => failure.to_string(),
            }),
            failure @ Failure::Connection(_) => Self::Unreached(failure.to_string()),
            _ => Self::Unreached(error.to_string()),
        }
    }
}

/// What the server file opens, or what goes without one.
fn opened(config: &Option<PathBuf>) -> Result<Admin, String> {
    let files = FileArguments { config: config.clone(), zones: None };
    let server = files.server().ok_or("the server file has faults")?;
    match server.admin {
        Some(admin) => Ok(admin),
        None if files.server_file().is_some() => {
            Err(format!("the server file opens no admin API; {}", how_to_open(Admin::LISTEN)))
        }
        None => Ok(Admin { listen: Admin::LISTEN, token_file: None, tls: None, metrics: None }),
    }
}

/// Where it is reached from this machine: one that listens on every address, on this machine's own.
fn url(admin: &Admin) -> String {
    let mut reached = admin.listen;
    if reached.ip().is_unspecified() {
        reached.set_ip(if reached.is_ipv4() { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() });
    }
    format!("{}://{reached}", if admin.tls.is_some() { "https" } else { "http" })
}

/// What to write into the server file.
fn how_to_open(listen: SocketAddr) -> String {
    format!("bellwether.toml opens it with\n\n[admin]\nlisten = \"{listen}\"\n")
}

/// Who types this: whoever became root, rather than root.
pub(super) fn user() -> String {
    let named = ["SUDO_USER", "USER", "LOGNAME"].into_iter().filter_map(|name| std::env::var(name).ok());
    named
        .into_iter()
        .find(|name| !name.is_empty())
        .or_else(|| fs::metadata("/proc/self").ok().map(|process| format!("uid {}", process.uid())))
        .unwrap_or_else(|| "somebody".to_owned())
}
