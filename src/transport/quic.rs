//! QUIC by quinn: connections taken in and placed, and DNS over them (RFC 9250); HTTP/3 goes on to `http3`.
//!
//! Not hickory-server's door, which has no limit on connections and no Retry for strangers when it is crowded. Early data
//! is not taken (RFC 9250 §4.5 would allow queries).

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;

use quinn::crypto::rustls::{HandshakeData, QuicServerConfig};
use quinn::{
    Connection, Endpoint, EndpointConfig, IdleTimeout, Incoming, RecvStream, SendStream, ServerConfig, TokioRuntime,
    TransportConfig, VarInt,
};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::backlog::Backlog;
use super::desk::{Asking, Reply};
use super::gate::Place;
use super::hall::Hall;
use super::http3;
use super::limits::Limits;
use super::requests::{Requests, Source, Stopped};
use super::tally::Event;
use crate::answer::{Peer, Transport};
use crate::observe::Ends;
use crate::wire::qname::Qname;
use crate::wire::query::Query;

/// What TLS calls DNS over QUIC (RFC 9250 §7.1).
pub(super) const DOQ: &[u8] = b"doq";

/// What TLS calls HTTP/3 (RFC 9114 §3.1).
pub(super) const H3: &[u8] = b"h3";

/// Octets of a query behind its length.
const QUERY_OCTETS_MAX: usize = 2 + u16::MAX as usize;

/// Octets that one connection may have on their way in, over all of its streams, or out.
const WINDOW_OCTETS: u32 = 256 << 10;

/// One-way streams that a client may open: HTTP/3 needs three (RFC 9114 §6.2). DNS has none, which is found once one is
/// opened: which of the two is spoken is known only then.
const UNI_STREAMS: u32 = 8;

/// Handshakes that may wait to be looked at; quinn's own default is 65,536.
const INCOMING_MAX: usize = 1_024;

/// RFC 9250 §8.4.
const NO_ERROR: VarInt = VarInt::from_u32(0x0);
const PROTOCOL_ERROR: VarInt = VarInt::from_u32(0x2);
const EXCESSIVE_LOAD: VarInt = VarInt::from_u32(0x4);

/// Binds a socket for QUIC to `address`.
///
/// # Errors
/// As `bind(2)`: the port is in use, the address is not this machine's, the port is a privileged one.
pub fn bind(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket.into())
}

/// Takes up a socket that somebody else bound.
///
/// # Errors
/// As `fcntl(2)`.
pub fn adopt(socket: UdpSocket) -> io::Result<UdpSocket> {
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// An endpoint on `socket` whose TLS is `greeting`. Must be called within a tokio runtime.
pub(super) fn endpoint(socket: UdpSocket, greeting: rustls::ServerConfig, limits: &Limits) -> io::Result<Endpoint> {
    let crypto = QuicServerConfig::try_from(greeting).map_err(io::Error::other)?;
    let mut config = ServerConfig::with_crypto(Arc::new(crypto));
    let mut transport = TransportConfig::default();
    transport
        .max_concurrent_bidi_streams(limits.streams_per_connection.into())
        .max_concurrent_uni_streams(UNI_STREAMS.into())
        .stream_receive_window((QUERY_OCTETS_MAX as u32).into())
        .receive_window(WINDOW_OCTETS.into())
        .send_window(WINDOW_OCTETS.into())
        .datagram_receive_buffer_size(None)
        // Longer than ours, which ends in order.
        .max_idle_timeout(IdleTimeout::try_from(limits.idle + limits.send).ok());
    config.transport_config(Arc::new(transport)).max_incoming(INCOMING_MAX);
    Endpoint::new(EndpointConfig::default(), Some(config), socket, Arc::new(TokioRuntime))
}

/// Takes connections in until the doors close, and waits for those that are here. They end with this.
pub(super) async fn attend(endpoint: Endpoint, hall: Hall) {
    let Ok(address) = endpoint.local_addr() else { return };
    let mut here = JoinSet::new();
    loop {
        let incoming = tokio::select! {
            incoming = endpoint.accept() => incoming,
            Some(_) = here.join_next() => continue,
            () = hall.closing() => break,
        };
        let Some(incoming) = incoming else { return };
        if !incoming.remote_address_validated() && hall.gate.is_crowded(incoming.remote_address().ip()) {
            // RFC 9000 §8.1.2: who may be forging its address pays a round trip; there is no state for it here.
            hall.count(Event::Retry);
            let _ = incoming.retry();
            continue;
        }
        match hall.gate.enter() {
            Some(place) => drop(here.spawn(receive(incoming, address, place, hall.clone()))),
            None => {
                hall.count(Event::RefusedFull);
                incoming.refuse();
            }
        }
    }
    // Nobody new; those who are here are told to go, and leave with what they wait for.
    endpoint.set_server_config(None);
    while here.join_next().await.is_some() {}
    let _ = timeout(hall.limits.send, endpoint.wait_idle()).await;
}

async fn receive(incoming: Incoming, here: SocketAddr, mut place: Place, hall: Hall) {
    let address = incoming.remote_address().ip().to_canonical();
    // Of a socket on all addresses the system tells which one was asked.
    let server = SocketAddr::new(incoming.local_ip().unwrap_or(here.ip()), here.port());
    let ends = Ends { client_port: Some(incoming.remote_address().port()), server };
    // Which of the two it is, only the handshake tells; it is one client either way.
    if !place.take_for(address) {
        return incoming.refuse();
    }
    let connection = match timeout(hall.limits.receive, incoming.into_future()).await {
        Ok(Ok(connection)) => connection,
        Ok(Err(_)) => return hall.count(Event::Handshake),
        Err(_) => return hall.count(Event::SlowToSend),
    };
    let spoken = connection.handshake_data().and_then(|data| data.downcast::<HandshakeData>().ok());
    let is_h3 = spoken.is_some_and(|data| data.protocol.as_deref() == Some(H3));
    let transport = if is_h3 { Transport::Http3 } else { Transport::Quic };
    let asking = hall.desk.asking(Peer { address, transport }, ends);
    if is_h3 {
        http3::converse(connection, &hall, asking).await;
    } else {
        converse(&connection, &hall, &asking).await;
    }
}

/// One query on each stream that the client opens (RFC 9250 §4.2), until one side has had enough.
async fn converse(connection: &Connection, hall: &Hall, asking: &Asking) {
    let (mut requests, backlog) = (Requests::new(hall), Backlog::default());
    let stopped = requests
        .attend(&mut Streams { connection, hall }, |(send, receive)| {
            let (whole, hall, asking, backlog) = (connection.clone(), hall.clone(), asking.clone(), backlog.clone());
            async move { exchange(&whole, (send, receive), &hall, (&asking, &backlog)).await }
        })
        .await;
    let code = match stopped {
        Stopped::Gone => return,
        Stopped::Limit(Event::MadeRoom) => EXCESSIVE_LOAD,
        Stopped::Limit(_) | Stopped::Closing => NO_ERROR,
    };
    requests.finish().await;
    connection.close(code, b"");
}

/// The streams that a client opens.
struct Streams<'c> {
    connection: &'c Connection,
    hall: &'c Hall,
}

impl Source for Streams<'_> {
    type Request = (SendStream, RecvStream);

    async fn next(&mut self) -> Option<Self::Request> {
        tokio::select! {
            both_ways = self.connection.accept_bi() => both_ways.ok(),
            one_way = self.connection.accept_uni() => {
                // §4.3.3: there are none in this protocol.
                if one_way.is_ok() {
                    self.hall.count(Event::Garbage);
                    self.connection.close(PROTOCOL_ERROR, b"a stream of one way");
                }
                None
            }
        }
    }
}

async fn exchange(
    connection: &Connection,
    (mut send, mut receive): (SendStream, RecvStream),
    hall: &Hall,
    (asking, backlog): (&Asking, &Backlog),
) {
    let octets = match timeout(hall.limits.receive, receive.read_to_end(QUERY_OCTETS_MAX)).await {
        Ok(Ok(octets)) => octets,
        Ok(Err(quinn::ReadToEndError::TooLong)) => {
            hall.count(Event::Garbage);
            return connection.close(PROTOCOL_ERROR, b"a query is longer than a message can be");
        }
        Ok(Err(quinn::ReadToEndError::Read(_))) => return,
        Err(_) => {
            hall.count(Event::SlowToSend);
            let _ = receive.stop(EXCESSIVE_LOAD);
            let _ = send.reset(EXCESSIVE_LOAD);
            return;
        }
    };
    let Ok(Some(room)) = timeout(hall.limits.send, backlog.room()).await else {
        hall.count(Event::SlowToRead);
        let _ = send.reset(EXCESSIVE_LOAD);
        return;
    };
    let mut out = Vec::new();
    let reply = message_of(&octets).map(|query| {
        asking.reply(query, |response| {
            out.extend_from_slice(&(response.len() as u16).to_be_bytes());
            out.extend_from_slice(response);
        })
    });
    if !matches!(reply, Some(Reply::Message)) {
        // §4.3.3: what is no query is answered by the end of the connection.
        hall.count(Event::Garbage);
        return connection.close(PROTOCOL_ERROR, b"not one query with the message id 0, or one that asks to be kept");
    }
    // While the answer waits for its client, the query need not.
    drop(octets);
    let out = room.hold(out);
    let sending = async {
        send.write_chunk(out).await.ok()?;
        send.finish().ok()?;
        // Until the client has it all: a connection that is closed forgets what it has not sent.
        send.stopped().await.ok()
    };
    if timeout(hall.limits.send, sending).await.is_err() {
        hall.count(Event::SlowToRead);
        let _ = send.reset(EXCESSIVE_LOAD);
    }
}

/// The one message of a stream, behind its length, its id 0 (§4.2, §4.2.1), without the option that is for connections
/// over TCP alone (§5.5.2).
fn message_of(octets: &[u8]) -> Option<&[u8]> {
    let (length, message) = octets.split_first_chunk::<2>()?;
    let sound = message.len() == usize::from(u16::from_be_bytes(*length)) && message.starts_with(&[0, 0]);
    (sound && !wants_keepalive(message)).then_some(message)
}

fn wants_keepalive(message: &[u8]) -> bool {
    let query = Query::read(message, &mut Qname::default()).ok();
    query.and_then(|query| query.edns).is_some_and(|edns| edns.wants_keepalive)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_one_message_of_id_0() {
        let check = |octets: &[u8], expected: Option<&[u8]>| assert_eq!(message_of(octets), expected, "{octets:?}");
        check(&[0, 4, 0, 0, 1, 2], Some(&[0, 0, 1, 2]));
        check(&[0, 4, 0, 1, 1, 2], None);
        check(&[0, 4, 0, 0, 1], None);
        check(&[0, 4, 0, 0, 1, 2, 3], None);
        check(&[0, 0], None);
        check(&[0], None);
        check(&[], None);
    }
}
