//! QUIC as h3 wants it: by h3-quinn, but for the streams of requests, which are at an end once the client has all of them.
//!
//! h3-quinn's are once the end is queued, and there is no asking for more. A connection that is closed then forgets what
//! it has not sent, with answers to requests that were taken (RFC 9114 §5.2 has them completed).

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use h3::error::Code;
use h3::quic::{self, ConnectionErrorIncoming, StreamErrorIncoming, StreamId, WriteBuf};
use quinn::{ConnectionError, ReadError, RecvStream, SendStream, StoppedError, VarInt, WriteError};

/// Octets that are read at once: a query with its head.
const PART_OCTETS: usize = 2 << 10;

type Accepting = Pin<Box<dyn Future<Output = Result<(SendStream, RecvStream), ConnectionError>> + Send>>;

/// A connection whose clients ask and whose server answers: we open no streams of two ways.
pub(super) struct Connection {
    connection: quinn::Connection,
    all_else: h3_quinn::Connection,
    accepting: Option<Accepting>,
}

impl Connection {
    pub(super) fn new(connection: quinn::Connection) -> Self {
        Self { all_else: h3_quinn::Connection::new(connection.clone()), connection, accepting: None }
    }
}

impl quic::Connection<Bytes> for Connection {
    type RecvStream = h3_quinn::RecvStream;
    type OpenStreams = Opener;

    fn poll_accept_recv(&mut self, cx: &mut Context<'_>) -> Poll<Result<Self::RecvStream, ConnectionErrorIncoming>> {
        quic::Connection::<Bytes>::poll_accept_recv(&mut self.all_else, cx)
    }

    fn poll_accept_bidi(&mut self, cx: &mut Context<'_>) -> Poll<Result<Self::BidiStream, ConnectionErrorIncoming>> {
        let Self { connection, accepting, .. } = self;
        let next = accepting.get_or_insert_with(|| {
            let connection = connection.clone();
            Box::pin(async move { connection.accept_bi().await })
        });
        let accepted = ready!(next.as_mut().poll(cx));
        *accepting = None;
        let (send, receive) = accepted.map_err(of_connection)?;
        let id = StreamId::try_from(u64::from(send.id()))
            .map_err(|error| ConnectionErrorIncoming::InternalError(error.to_string()))?;
        Poll::Ready(Ok(Exchange { id, send, receive, writing: None, end: None }))
    }

    fn opener(&self) -> Opener {
        Opener(quic::Connection::<Bytes>::opener(&self.all_else))
    }
}

impl quic::OpenStreams<Bytes> for Connection {
    type BidiStream = Exchange;
    type SendStream = h3_quinn::SendStream<Bytes>;

    fn poll_open_bidi(&mut self, _: &mut Context<'_>) -> Poll<Result<Exchange, StreamErrorIncoming>> {
        Poll::Ready(Err(no_such_stream()))
    }

    fn poll_open_send(&mut self, cx: &mut Context<'_>) -> Poll<Result<Self::SendStream, StreamErrorIncoming>> {
        self.all_else.poll_open_send(cx)
    }

    fn close(&mut self, code: Code, reason: &[u8]) {
        quic::OpenStreams::<Bytes>::close(&mut self.all_else, code, reason);
    }
}

/// Opens streams of one way.
pub(super) struct Opener(h3_quinn::OpenStreams);

impl quic::OpenStreams<Bytes> for Opener {
    type BidiStream = Exchange;
    type SendStream = h3_quinn::SendStream<Bytes>;

    fn poll_open_bidi(&mut self, _: &mut Context<'_>) -> Poll<Result<Exchange, StreamErrorIncoming>> {
        Poll::Ready(Err(no_such_stream()))
    }

    fn poll_open_send(&mut self, cx: &mut Context<'_>) -> Poll<Result<Self::SendStream, StreamErrorIncoming>> {
        self.0.poll_open_send(cx)
    }

    fn close(&mut self, code: Code, reason: &[u8]) {
        quic::OpenStreams::<Bytes>::close(&mut self.0, code, reason);
    }
}

/// RFC 9114 §6.1: a server opens none of two ways.
fn no_such_stream() -> StreamErrorIncoming {
    StreamErrorIncoming::Unknown("a server opens no streams of two ways".into())
}

type Ending = Pin<Box<dyn Future<Output = Result<Option<VarInt>, StoppedError>> + Send + Sync>>;

/// The stream of one request.
pub(super) struct Exchange {
    id: StreamId,
    send: SendStream,
    receive: RecvStream,
    writing: Option<WriteBuf<Bytes>>,
    /// Once everything is written: until the client has it.
    end: Option<Ending>,
}

impl quic::SendStream<Bytes> for Exchange {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), StreamErrorIncoming>> {
        while let Some(writing) = self.writing.as_mut().filter(|writing| writing.has_remaining()) {
            let written = ready!(Pin::new(&mut self.send).poll_write(cx, writing.chunk())).map_err(of_write)?;
            writing.advance(written);
        }
        self.writing = None;
        Poll::Ready(Ok(()))
    }

    fn send_data<T: Into<WriteBuf<Bytes>>>(&mut self, data: T) -> Result<(), StreamErrorIncoming> {
        self.writing = Some(data.into());
        Ok(())
    }

    fn poll_finish(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), StreamErrorIncoming>> {
        let end = match &mut self.end {
            Some(end) => end,
            None => {
                self.send.finish().map_err(|error| StreamErrorIncoming::Unknown(Box::new(error)))?;
                self.end.insert(Box::pin(self.send.stopped()))
            }
        };
        match ready!(end.as_mut().poll(cx)) {
            Ok(None) => Poll::Ready(Ok(())),
            Ok(Some(code)) => Poll::Ready(Err(StreamErrorIncoming::StreamTerminated { error_code: code.into() })),
            Err(StoppedError::ConnectionLost(error)) => Poll::Ready(Err(lost(error))),
            Err(error) => Poll::Ready(Err(StreamErrorIncoming::Unknown(Box::new(error)))),
        }
    }

    fn reset(&mut self, code: u64) {
        let _ = self.send.reset(VarInt::from_u64(code).unwrap_or(VarInt::MAX));
    }

    fn send_id(&self) -> StreamId {
        self.id
    }
}

impl quic::RecvStream for Exchange {
    type Buf = Bytes;

    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, StreamErrorIncoming>> {
        let mut part = [0; PART_OCTETS];
        let octets = ready!(self.receive.poll_read(cx, &mut part)).map_err(|error| match error {
            ReadError::Reset(code) => StreamErrorIncoming::StreamTerminated { error_code: code.into() },
            ReadError::ConnectionLost(error) => lost(error),
            error => StreamErrorIncoming::Unknown(Box::new(error)),
        })?;
        let part = part.get(..octets).filter(|part| !part.is_empty());
        Poll::Ready(Ok(part.map(Bytes::copy_from_slice)))
    }

    fn stop_sending(&mut self, code: u64) {
        let _ = self.receive.stop(VarInt::from_u64(code).unwrap_or(VarInt::MAX));
    }

    fn recv_id(&self) -> StreamId {
        self.id
    }
}

fn of_write(error: WriteError) -> StreamErrorIncoming {
    match error {
        WriteError::Stopped(code) => StreamErrorIncoming::StreamTerminated { error_code: code.into() },
        WriteError::ConnectionLost(error) => lost(error),
        error => StreamErrorIncoming::Unknown(Box::new(error)),
    }
}

fn lost(error: ConnectionError) -> StreamErrorIncoming {
    StreamErrorIncoming::ConnectionErrorIncoming { connection_error: of_connection(error) }
}

fn of_connection(error: ConnectionError) -> ConnectionErrorIncoming {
    match error {
        ConnectionError::ApplicationClosed(close) => {
            ConnectionErrorIncoming::ApplicationClose { error_code: close.error_code.into() }
        }
        ConnectionError::TimedOut => ConnectionErrorIncoming::Timeout,
        error => ConnectionErrorIncoming::Undefined(Arc::new(error)),
    }
}
