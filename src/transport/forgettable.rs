//! A stream that can be let go of by somebody who does not hold it: hyper keeps what it speaks over to itself.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

/// Has the system throw away what waits for a client that does not read, rather than keep it for minutes.
pub(super) fn forget(stream: &TcpStream) {
    let _ = SockRef::from(stream).set_linger(Some(Duration::ZERO));
}

/// A TLS stream that is reset when it is dropped, if whoever has the other end of it wishes so.
pub(super) struct Forgettable {
    stream: TlsStream<TcpStream>,
    wish: Wish,
}

/// The wish that a stream be reset in the end.
#[derive(Clone, Debug, Default)]
pub(super) struct Wish(Arc<AtomicBool>);

impl Wish {
    /// From here on its end is a reset.
    pub(super) fn forget(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Forgettable {
    /// `stream`, and how to wish.
    pub(super) fn new(stream: TlsStream<TcpStream>) -> (Self, Wish) {
        let wish = Wish::default();
        (Self { stream, wish: wish.clone() }, wish)
    }
}

impl Drop for Forgettable {
    fn drop(&mut self) {
        if self.wish.0.load(Ordering::Relaxed) {
            forget(self.stream.get_ref().0);
        }
    }
}

impl AsyncRead for Forgettable {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Forgettable {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
