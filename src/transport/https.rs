//! DNS over HTTPS (RFC 8484): a request of whichever HTTP version, and what it gets; and the conversations over
//! HTTP/2 and HTTP/1.1, by hyper.
//!
//! Not hickory-server's door: it refuses GET, which RFC 8484 §4.1 demands, says nothing of how long an answer is
//! fresh, and has no limit on connections or on requests at once.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::header::{ACCEPT, ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::timeout;
use tokio_rustls::server::TlsStream;

use super::backlog::Backlog;
use super::desk::{Asking, Reply};
use super::forgettable::{Forgettable, Wish};
use super::hall::Hall;
use super::tally::Event;
use crate::moment::Moment;
use crate::wire::response::freshness;

/// Where queries go (RFC 8484 §4.1.1 names it in its examples, and every client tries it first).
const PATH: &str = "/dns-query";

const MEDIA_TYPE: &str = "application/dns-message";

/// Octets of a DNS message, at most.
pub(super) const MESSAGE_OCTETS_MAX: usize = u16::MAX as usize;

/// Octets of the head of a request, at most. A GET of a usual query is under 300; hyper's least for HTTP/1.1 is 8 KiB.
pub(super) const HEAD_OCTETS_MAX: u32 = 16 << 10;

/// Octets of one HTTP/2 stream that hyper takes over before its client has room for them: the answers that it is handed are
/// no longer, and how many those are the [`Backlog`] bounds.
const OUT_OCTETS_MAX: usize = MESSAGE_OCTETS_MAX;

/// Octets of a refused request that are read so that its client can read the refusal, at most: 16 of the largest
/// messages. Who sends more finds the connection reset.
const DISCARDED_OCTETS_MAX: usize = 16 * MESSAGE_OCTETS_MAX;

/// What came, but for the body.
pub(super) struct Head<'r> {
    pub(super) method: &'r Method,
    pub(super) uri: &'r Uri,
    pub(super) content_type: Option<&'r HeaderValue>,
}

impl<'r> Head<'r> {
    pub(super) fn of<B>(request: &'r Request<B>) -> Self {
        Self { method: request.method(), uri: request.uri(), content_type: request.headers().get(CONTENT_TYPE) }
    }

    /// The query of a GET; that a POST has it in its body; or why it is neither.
    pub(super) fn query(&self) -> Result<Option<Vec<u8>>, StatusCode> {
        if self.uri.path() != PATH {
            return Err(StatusCode::NOT_FOUND);
        }
        match *self.method {
            Method::GET => {
                let parameters = self.uri.query().unwrap_or_default().split('&');
                let dns = parameters.filter_map(|pair| pair.strip_prefix("dns=")).next();
                // "base64url without padding" (§6). An address longer than a message is cut off by its head's limit.
                let query = dns.and_then(|dns| URL_SAFE_NO_PAD.decode(dns).ok());
                query.map(Some).ok_or(StatusCode::BAD_REQUEST)
            }
            Method::POST if self.content_type.is_some_and(|media| media.as_bytes() == MEDIA_TYPE.as_bytes()) => {
                Ok(None)
            }
            Method::POST => Err(StatusCode::UNSUPPORTED_MEDIA_TYPE),
            _ => Err(StatusCode::METHOD_NOT_ALLOWED),
        }
    }
}

/// Answers a query that came by HTTP, once the client has taken enough of the answers before.
pub(super) async fn respond(
    query: Result<Vec<u8>, StatusCode>,
    (asking, backlog): (&Asking, &Backlog),
    hall: &Hall,
) -> Response<Bytes> {
    let answered = match query {
        Ok(query) => answer(&query, (asking, backlog), hall).await,
        Err(status) => Err(status),
    };
    let (status, octets) = match answered {
        Ok(octets) => (StatusCode::OK, octets),
        Err(status) => (status, Bytes::new()),
    };
    if status != StatusCode::OK {
        hall.count(Event::HttpRefused);
    }
    let fresh = if status == StatusCode::OK { freshness(&octets) } else { None };
    let mut response = Response::new(octets);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    match status {
        StatusCode::OK => {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
            // §5.1: fresh no longer than the least TTL. Private: the answer is for who asked, as far as policies go by
            // clients, and a cache that clients share must not give it to others.
            let control = match fresh {
                Some(seconds) => HeaderValue::try_from(format!("private, max-age={seconds}")).ok(),
                None => None,
            };
            headers.insert(CACHE_CONTROL, control.unwrap_or(HeaderValue::from_static("no-store")));
        }
        StatusCode::METHOD_NOT_ALLOWED => {
            headers.insert(ALLOW, HeaderValue::from_static("GET, POST"));
        }
        StatusCode::UNSUPPORTED_MEDIA_TYPE => {
            headers.insert(ACCEPT, HeaderValue::from_static(MEDIA_TYPE));
        }
        _ => {}
    }
    response
}

async fn answer(query: &[u8], (asking, backlog): (&Asking, &Backlog), hall: &Hall) -> Result<Bytes, StatusCode> {
    let Ok(Some(room)) = timeout(hall.limits.send, backlog.room()).await else {
        hall.count(Event::SlowToRead);
        return Err(StatusCode::SERVICE_UNAVAILABLE);
    };
    let mut octets = Vec::new();
    match asking.reply(query, |response| octets.extend_from_slice(response)) {
        Reply::Message => Ok(room.hold(octets)),
        // What gets no answer by UDP is no query (§4.2.1 leaves errors of DNS to DNS, and this is none).
        Reply::Silence | Reply::Transfer(_) => Err(StatusCode::BAD_REQUEST),
    }
}

/// When a connection last asked something, and how often.
#[derive(Debug, Default)]
struct Pulse {
    requests: AtomicU64,
    last_ns: AtomicU64,
    /// It has just asked.
    asked: Notify,
}

impl Pulse {
    fn beat(&self, now: Moment) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.last_ns.store(now.as_nanos(), Ordering::Relaxed);
        self.asked.notify_one();
    }
}

/// Speaks HTTP/2 or HTTP/1.1, as TLS agreed, until one side has had enough.
pub(super) async fn converse(stream: TlsStream<TcpStream>, hall: &Hall, asking: Asking) {
    let is_h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    let pulse = Arc::new(Pulse::default());
    pulse.last_ns.store(hall.clock.now().as_nanos(), Ordering::Relaxed);
    let service = {
        let (hall, pulse, backlog) = (hall.clone(), Arc::clone(&pulse), Backlog::default());
        service_fn(move |request: Request<Incoming>| {
            let (hall, pulse, asking, backlog) = (hall.clone(), Arc::clone(&pulse), asking.clone(), backlog.clone());
            async move {
                let query = query_of(request, &hall).await;
                pulse.beat(hall.clock.now());
                Ok::<_, Infallible>(respond(query, (&asking, &backlog), &hall).await.map(Full::new))
            }
        })
    };
    let (stream, wish) = Forgettable::new(stream);
    let (stream, limits) = (TokioIo::new(stream), &hall.limits);
    if is_h2 {
        let mut builder = http2::Builder::new(TokioExecutor::new());
        builder
            .timer(TokioTimer::new())
            .max_concurrent_streams(limits.streams_per_connection)
            .max_header_list_size(HEAD_OCTETS_MAX)
            .max_send_buf_size(OUT_OCTETS_MAX)
            .initial_stream_window_size(1 << 16)
            .initial_connection_window_size(1 << 18)
            // A client that is gone, or never reads, does not answer either.
            .keep_alive_interval(limits.send)
            .keep_alive_timeout(limits.send);
        let connection = std::pin::pin!(builder.serve_connection(stream, service));
        drive(connection, |connection| connection.graceful_shutdown(), (&pulse, &wish), hall).await;
    } else {
        let mut builder = http1::Builder::new();
        builder
            .timer(TokioTimer::new())
            .header_read_timeout(limits.idle.max(limits.receive))
            .max_buf_size(HEAD_OCTETS_MAX as usize);
        let connection = std::pin::pin!(builder.serve_connection(stream, service));
        drive(connection, |connection| connection.graceful_shutdown(), (&pulse, &wish), hall).await;
    }
}

/// Has hyper work until the connection is over, or idle, or one of too many; then until what is under way is done.
async fn drive<C>(
    mut connection: std::pin::Pin<&mut C>,
    finish: impl FnOnce(std::pin::Pin<&mut C>),
    (pulse, wish): (&Pulse, &Wish),
    hall: &Hall,
) where
    C: Future<Output = hyper::Result<()>>,
{
    let mut idle = hall.within(hall.limits.idle);
    let end = loop {
        // Each turn waits at the gate anew, behind all who have asked nothing since.
        tokio::select! {
            // First the connection, then what it has asked.
            biased;
            over = connection.as_mut() => {
                if over.is_err_and(|error| error.is_parse()) {
                    hall.count(Event::Garbage);
                }
                return;
            }
            () = pulse.asked.notified() => {
                if pulse.requests.load(Ordering::Relaxed) >= hall.limits.queries_per_connection {
                    break Some(Event::QueriesSpent);
                }
                continue;
            }
            () = &mut idle => {}
            () = hall.gate.pressed() => break Some(Event::MadeRoom),
            () = hall.closing() => break None,
        }
        let due = Moment::from_nanos(pulse.last_ns.load(Ordering::Relaxed)) + hall.limits.idle;
        let left = due.since(hall.clock.now());
        if left.is_zero() {
            break Some(Event::Idle);
        }
        idle = hall.within(left);
    };
    end.into_iter().for_each(|event| hall.count(event));
    finish(connection.as_mut());
    if timeout(hall.limits.send, connection).await.is_err() {
        hall.count(Event::SlowToRead);
        wish.forget();
    }
}

async fn query_of(request: Request<Incoming>, hall: &Hall) -> Result<Vec<u8>, StatusCode> {
    let asked = Head::of(&request).query();
    let mut body = request.into_body();
    let query = match asked {
        Ok(Some(query)) => return Ok(query),
        Ok(None) if body.size_hint().lower() > MESSAGE_OCTETS_MAX as u64 => Err(StatusCode::PAYLOAD_TOO_LARGE),
        Ok(None) => match timeout(hall.limits.receive, Limited::new(&mut body, MESSAGE_OCTETS_MAX).collect()).await {
            Ok(Ok(whole)) => Ok(whole.to_bytes().to_vec()),
            Ok(Err(_)) => Err(StatusCode::PAYLOAD_TOO_LARGE),
            Err(_) => Err(StatusCode::REQUEST_TIMEOUT),
        },
        Err(status) => Err(status),
    };
    if query.is_err() {
        let _ = timeout(hall.limits.receive, discard(body)).await;
    }
    query
}

/// Reads the rest of a request that is refused, within bounds: a connection closed over octets that nobody read is
/// reset, and the reset takes the refusal from the client's hands (RFC 9112 §9.6).
async fn discard(mut body: Incoming) {
    let mut left = DISCARDED_OCTETS_MAX;
    while let Some(Ok(frame)) = body.frame().await {
        match left.checked_sub(frame.data_ref().map_or(0, Bytes::len)) {
            Some(rest) => left = rest,
            None => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_told_apart() {
        let check = |method: Method, uri: &str, media: Option<&'static str>, expected: Result<Option<&[u8]>, u16>| {
            let (uri, content_type) = (uri.parse().expect(uri), media.map(HeaderValue::from_static));
            let head = Head { method: &method, uri: &uri, content_type: content_type.as_ref() };
            let got = head.query().map_err(|status| status.as_u16());
            assert_eq!(
                got.as_ref().map(|query| query.as_deref()).map_err(|status| *status),
                expected,
                "{method} {uri}"
            );
        };
        check(Method::GET, "/dns-query?dns=AAEC_-8", None, Ok(Some(&[0, 1, 2, 0xff, 0xef])));
        check(Method::GET, "https://ns1.example.com/dns-query?x=1&dns=AAEC", None, Ok(Some(&[0, 1, 2])));
        check(Method::GET, "/dns-query?dns=", None, Ok(Some(&[])));
        check(Method::GET, "/dns-query?dns=AAECAw==", None, Err(400));
        check(Method::GET, "/dns-query?dns=AA+C", None, Err(400));
        check(Method::GET, "/dns-query?name=example.com", None, Err(400));
        check(Method::GET, "/dns-query", None, Err(400));
        check(Method::GET, "/", None, Err(404));
        check(Method::GET, "/dns-query/?dns=AAEC", None, Err(404));
        check(Method::POST, "/dns-query", Some(MEDIA_TYPE), Ok(None));
        check(Method::POST, "/dns-query", Some("application/json"), Err(415));
        check(Method::POST, "/dns-query", None, Err(415));
        check(Method::PUT, "/dns-query", Some(MEDIA_TYPE), Err(405));
        check(Method::HEAD, "/dns-query?dns=AAEC", None, Err(405));
    }
}
