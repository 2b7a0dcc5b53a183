//! Endpoints for tests that speak HTTP/2, and remember what was asked: for whole requests, which gRPC has.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use http::{HeaderMap, HeaderValue, Request, Response};
use hyper::body::Bytes;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

/// What an endpoint answers each request with.
#[derive(Clone, Debug, Default)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Vec<u8>,
    pub(super) trailers: Option<Vec<(&'static str, String)>>,
    pub(super) end: End,
}

/// How an answer ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum End {
    /// As it should.
    #[default]
    Whole,
    /// Never: nothing comes after the body.
    Hang,
    /// Never: the body goes on with the letter x.
    Endless,
    /// The stream is reset after the body.
    Reset,
}

impl Answer {
    pub(super) fn new(status: u16, body: &str) -> Self {
        Self { status, body: body.into(), ..Self::default() }
    }
}

/// An endpoint, which dies with this.
pub(super) struct Http2Endpoint {
    pub(super) address: SocketAddr,
    seen: Arc<Mutex<Vec<Request<Vec<u8>>>>>,
    _task: JoinSet<()>,
}

impl Http2Endpoint {
    /// One that takes HTTP/2 as prior knowledge.
    pub(super) async fn plain(address: SocketAddr, answer: Answer) -> Self {
        Self::start(address, None, answer).await
    }

    /// One that agrees on it in the handshake.
    pub(super) async fn tls(address: SocketAddr, mut config: ServerConfig, answer: Answer) -> Self {
        config.alpn_protocols = vec![b"h2".to_vec()];
        Self::start(address, Some(Arc::new(config).into()), answer).await
    }

    async fn start(address: SocketAddr, tls: Option<TlsAcceptor>, answer: Answer) -> Self {
        let listener = TcpListener::bind(address).await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let seen = Arc::default();
        let mut task = JoinSet::new();
        task.spawn(serve(listener, tls, answer, Arc::clone(&seen)));
        Self { address, seen, _task: task }
    }

    /// The requests so far.
    pub(super) fn seen(&self) -> Vec<Request<Vec<u8>>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

type Seen = Arc<Mutex<Vec<Request<Vec<u8>>>>>;

async fn serve(listener: TcpListener, tls: Option<TlsAcceptor>, answer: Answer, seen: Seen) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let (tls, answer, seen) = (tls.clone(), answer.clone(), Arc::clone(&seen));
        connections.spawn(async move {
            match tls {
                None => converse(stream, answer, seen).await,
                Some(tls) => {
                    if let Ok(stream) = tls.accept(stream).await {
                        converse(stream, answer, seen).await;
                    }
                }
            }
        });
    }
}

async fn converse<S: AsyncRead + AsyncWrite + Unpin>(stream: S, answer: Answer, seen: Seen) {
    let Ok(mut connection) = h2::server::handshake(stream).await else { return };
    let mut replies = JoinSet::new();
    while let Some(Ok((request, respond))) = connection.accept().await {
        replies.spawn(reply(request, respond, answer.clone(), Arc::clone(&seen)));
    }
}

async fn reply(
    request: Request<h2::RecvStream>,
    mut respond: h2::server::SendResponse<Bytes>,
    answer: Answer,
    seen: Seen,
) {
    let (head, mut incoming) = request.into_parts();
    let mut body = Vec::new();
    while let Some(Ok(piece)) = incoming.data().await {
        body.extend_from_slice(&piece);
    }
    seen.lock().unwrap_or_else(PoisonError::into_inner).push(Request::from_parts(head, body));
    let mut response = Response::new(());
    *response.status_mut() = answer.status.try_into().expect("a status");
    *response.headers_mut() = fields(&answer.headers);
    let whole = answer.end == End::Whole;
    let only_head = whole && answer.body.is_empty() && answer.trailers.is_none();
    let Ok(mut stream) = respond.send_response(response, only_head) else { return };
    if only_head {
        return;
    }
    let _ = stream.send_data(answer.body.into(), whole && answer.trailers.is_none());
    match (answer.end, answer.trailers) {
        (End::Whole, Some(trailers)) => drop(stream.send_trailers(fields(&trailers))),
        (End::Whole, None) => {}
        (End::Hang, _) => std::future::pending().await,
        (End::Reset, _) => stream.send_reset(h2::Reason::ENHANCE_YOUR_CALM),
        (End::Endless, _) => loop {
            stream.reserve_capacity(4_096);
            match std::future::poll_fn(|context| stream.poll_capacity(context)).await {
                Some(Ok(room)) if stream.send_data(vec![b'x'; room].into(), false).is_ok() => {}
                _ => return,
            }
        },
    }
}

fn fields(list: &[(&'static str, String)]) -> HeaderMap {
    list.iter()
        .map(|(name, value)| ((*name).parse().expect("a name"), HeaderValue::from_str(value).expect("a value")))
        .collect()
}
