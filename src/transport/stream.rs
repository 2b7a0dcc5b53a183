//! DNS over streams, by hickory-server: its doors take connections apart into messages, and this hands each to
//! [`answer`] and sends back what comes out.
//!
//! hickory-server sends records, not octets, so a response is decoded once more on its way out. What it sends is
//! the same message: the question as it was asked, the records in their order, the OPT record last.

use std::io;
use std::iter;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use hickory_proto::op::{Header, HeaderCounts, Message, Metadata, ResponseCode};
use hickory_server::Server;
use hickory_server::net::runtime::Time;
use hickory_server::server::{Request, RequestHandler, ResponseHandler, ResponseInfo};
use hickory_server::zone_handler::MessageResponseBuilder;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;

use crate::answer::{Peer, Response, Transport, Worker, answer};
use crate::snapshot::Snapshot;
use crate::system::Clock;

/// How long a connection may be silent before it is closed. RFC 7766 §6.2.3 asks for seconds; BIND allows 30.
const IDLE: Duration = Duration::from_secs(10);

/// Responses that may wait for one connection's client to read them.
const RESPONSES_WAITING_MAX: usize = 64;

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 1024;

/// Binds a TCP listener to `address`. Must be called within a tokio runtime.
///
/// # Errors
/// As `bind(2)`: the port is in use, the address is not this machine's, the port is a privileged one.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // A restart must not wait for the connections of the process before it to leave TIME_WAIT.
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// Serves `listeners` on the current runtime, for as long as the server that is returned lives.
pub fn serve(
    listeners: Vec<TcpListener>,
    snapshots: Arc<ArcSwap<Snapshot>>,
    worker: Worker,
    clock: Clock,
) -> Server<impl RequestHandler> {
    let mut server = Server::new(Door { snapshots, worker: Mutex::new(worker), clock });
    for listener in listeners {
        server.register_listener(listener, IDLE, RESPONSES_WAITING_MAX);
    }
    server
}

/// What every stream's messages go through. Streams are not the hot path: they share one worker behind a lock
/// that is held for one answer.
struct Door {
    snapshots: Arc<ArcSwap<Snapshot>>,
    worker: Mutex<Worker>,
    clock: Clock,
}

impl Door {
    /// The response's octets; empty when there is none to send.
    fn answer(&self, request: &Request) -> Vec<u8> {
        let mut octets = vec![0; usize::from(u16::MAX)];
        let length = {
            let snapshot = self.snapshots.load();
            let peer = Peer { address: request.src().ip(), transport: Transport::Stream };
            let mut response = Response::new(&mut octets);
            // A worker has no state that a panic could leave broken.
            let mut worker = self.worker.lock().unwrap_or_else(PoisonError::into_inner);
            worker.adopt(&snapshot);
            answer(&snapshot, &mut worker, peer, self.clock.now(), request.as_slice(), &mut response);
            response.octets().len()
        };
        octets.truncate(length);
        octets
    }
}

#[async_trait::async_trait]
impl RequestHandler for Door {
    async fn handle_request<R: ResponseHandler, T: Time>(&self, request: &Request, mut door: R) -> ResponseInfo {
        let octets = self.answer(request);
        let failed = |code| {
            let mut metadata = Metadata::response_from_request(&request.metadata);
            metadata.response_code = code;
            ResponseInfo::from(Header { metadata, counts: HeaderCounts::default() })
        };
        if octets.is_empty() {
            return failed(ResponseCode::NoError);
        }
        let builder = MessageResponseBuilder::from_message_request(request);
        let sent = match Message::from_vec(&octets) {
            Ok(message) => {
                let mut response = builder.build(
                    message.metadata,
                    &message.answers,
                    &message.authorities,
                    iter::empty(),
                    &message.additionals,
                );
                if let Some(edns) = &message.edns {
                    response.set_edns(edns);
                }
                door.send_response(response).await
            }
            Err(error) => {
                tracing::error!(%error, "an answer of ours cannot be decoded; SERVFAIL is sent in its place");
                door.send_response(builder.error_msg(&request.metadata, ResponseCode::ServFail)).await
            }
        };
        sent.unwrap_or_else(|error| {
            tracing::debug!(%error, "sending over a stream");
            failed(ResponseCode::ServFail)
        })
    }
}
