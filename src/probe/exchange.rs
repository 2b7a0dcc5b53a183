//! One HTTP request and its answer, over HTTP/1.1 (RFC 9112) or HTTP/2 (RFC 9113), on a connection of its own.
//!
//! hyper speaks the one and h2, which is below hyper's own, the other. What an endpoint can make us hold is bounded:
//! its head by [`HEAD_OCTETS_MAX`], its body by whoever reads it, piece by piece.

use http::{Request, Response};
use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use super::Failure;
use super::connection::beside;

/// Octets of an answer's head: four times what nginx and Apache httpd take for a line by default (8 KiB), and more
/// than browsers meet. A health page needs a tenth of one.
pub(super) const HEAD_OCTETS_MAX: u32 = 32 * 1024;

/// Octets of a body that may be on the way to us: HTTP/2's own default (RFC 9113 §6.9.2).
const WINDOW_OCTETS: u32 = 65_535;

/// A protocol over a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    Http1,
    Http2,
}

impl Protocol {
    /// As a TLS handshake names it (RFC 7301 §6, RFC 9113 §3.2).
    pub(super) const fn alpn(self) -> &'static [u8] {
        match self {
            Self::Http1 => b"http/1.1",
            Self::Http2 => b"h2",
        }
    }
}

/// Sends `request` with `body`, if there is one, over `stream` and lets `judge` see the answer. Takes as long as the
/// endpoint does; when it is dropped, so is the connection.
///
/// # Errors
/// The endpoint does not answer, or what `judge` says.
pub(super) async fn exchange<S, F, T>(
    stream: S,
    protocol: Protocol,
    request: Request<()>,
    body: Option<Bytes>,
    judge: impl FnOnce(Response<Body>) -> F,
) -> Result<T, Failure>
where
    S: AsyncRead + AsyncWrite + Unpin,
    F: Future<Output = Result<T, Failure>>,
{
    match protocol {
        Protocol::Http1 => over_http1(stream, request, judge).await,
        // On the heap, like whatever else is seldom: a probe's future is moved when it starts, and those of most are
        // HTTP/1.1's over TCP alone.
        Protocol::Http2 => Box::pin(over_http2(stream, request, body, judge)).await,
    }
}

async fn over_http1<S, F, T>(
    stream: S,
    request: Request<()>,
    judge: impl FnOnce(Response<Body>) -> F,
) -> Result<T, Failure>
where
    S: AsyncRead + AsyncWrite + Unpin,
    F: Future<Output = Result<T, Failure>>,
{
    let mut builder = http1::Builder::new();
    let (mut sender, connection) = builder
        .max_buf_size(HEAD_OCTETS_MAX as usize)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|error| Failure::of_request(&error))?;
    let exchange = async {
        let request = request.map(|()| Empty::<Bytes>::new());
        let response = sender.send_request(request).await.map_err(|error| Failure::of_request(&error))?;
        judge(response.map(Body::Http1)).await
    };
    beside(connection, exchange).await
}

async fn over_http2<S, F, T>(
    stream: S,
    request: Request<()>,
    body: Option<Bytes>,
    judge: impl FnOnce(Response<Body>) -> F,
) -> Result<T, Failure>
where
    S: AsyncRead + AsyncWrite + Unpin,
    F: Future<Output = Result<T, Failure>>,
{
    let (sender, connection) = h2::client::Builder::new()
        .enable_push(false)
        .initial_window_size(WINDOW_OCTETS)
        .max_header_list_size(HEAD_OCTETS_MAX)
        .handshake::<_, Bytes>(stream)
        .await
        .map_err(|error| Failure::of_http2(&error))?;
    let exchange = async {
        let failed = |error: h2::Error| Failure::of_http2(&error);
        let mut sender = sender.ready().await.map_err(failed)?;
        let (response, mut sending) = sender.send_request(request, body.is_none()).map_err(failed)?;
        if let Some(body) = body {
            sending.send_data(body, true).map_err(failed)?;
        }
        let response = response.await.map_err(failed)?;
        judge(response.map(Body::Http2)).await
    };
    beside(connection, exchange).await
}

/// The body of an answer.
pub(super) enum Body {
    Http1(Incoming),
    Http2(h2::RecvStream),
}

impl Body {
    /// The next piece; `None` at the end.
    ///
    /// # Errors
    /// The body breaks off.
    pub(super) async fn piece(&mut self) -> Result<Option<Bytes>, Failure> {
        match self {
            Self::Http1(body) => loop {
                let Some(frame) = body.frame().await else { return Ok(None) };
                // Trailers are no part of the body.
                if let Ok(data) = frame.map_err(|error| Failure::of_request(&error))?.into_data() {
                    return Ok(Some(data));
                }
            },
            Self::Http2(body) => match body.data().await {
                Some(Ok(data)) => {
                    // What is read makes room for more; a window that is wrong ends the connection by itself.
                    let _ = body.flow_control().release_capacity(data.len());
                    Ok(Some(data))
                }
                Some(Err(error)) => Err(Failure::of_http2(&error)),
                None => Ok(None),
            },
        }
    }

    /// The fields after the body, once it is at its end; HTTP/1.1's are not read, since nobody asks for them.
    ///
    /// # Errors
    /// The body breaks off.
    pub(super) async fn trailers(&mut self) -> Result<Option<http::HeaderMap>, Failure> {
        match self {
            Self::Http1(_) => Ok(None),
            Self::Http2(body) => body.trailers().await.map_err(|error| Failure::of_http2(&error)),
        }
    }
}
