//! Connections over TCP: taken in, placed, told apart from their front end, greeted by TLS, and handed on to who
//! speaks with them.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinSet, yield_now};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::forgettable::forget;
use super::framed::{Parting, converse};
use super::gate::Place;
use super::hall::Hall;
use super::tally::Event;
use super::{https, proxy};
use crate::answer::Transport;
use crate::observe::Ends;

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 1024;

/// Octets that the kernel may hold for one connection in either direction, so that ten thousand clients that never
/// read cannot take its memory. At 100 ms of delay, 10 Mbit/s of answers.
const KERNEL_BUFFER_OCTETS: usize = 128 << 10;

/// How long no more connections are taken in when the system has no room for one: no file, no memory.
const NO_ROOM_PAUSE: Duration = Duration::from_millis(20);

/// How long connections that are told to make room have for it before the next is refused.
const LEAVING_PAUSE: Duration = Duration::from_millis(2);

/// What a door speaks.
#[derive(Clone)]
pub(super) enum Speech {
    /// DNS over TCP.
    Plain,
    /// DNS over TLS.
    Tls(Arc<ServerConfig>),
    /// DNS over HTTPS: HTTP/2, or HTTP/1.1 where the client has no better.
    Https(Arc<ServerConfig>),
}

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
    // Connections inherit both.
    socket.set_send_buffer_size(KERNEL_BUFFER_OCTETS)?;
    socket.set_recv_buffer_size(KERNEL_BUFFER_OCTETS)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// Takes up a listener that somebody else bound. Must be called within a tokio runtime.
///
/// # Errors
/// As `setsockopt(2)`.
pub fn adopt(listener: std::net::TcpListener) -> io::Result<TcpListener> {
    let socket = SockRef::from(&listener);
    socket.set_send_buffer_size(KERNEL_BUFFER_OCTETS)?;
    socket.set_recv_buffer_size(KERNEL_BUFFER_OCTETS)?;
    // A service manager has a backlog of its own; a second call only sets it (`listen(2)`).
    socket.listen(BACKLOG)?;
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener)
}

/// Takes connections in until the doors close, and waits for those that are here. They end with this.
pub(super) async fn attend(listener: TcpListener, speech: Speech, hall: Hall) {
    let mut here = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = here.join_next() => continue,
            () = hall.closing() => break,
        };
        match accepted {
            Ok((stream, peer)) => {
                let place = match hall.gate.enter() {
                    Some(place) => place,
                    None => {
                        // Those that were told to go need a moment.
                        sleep(LEAVING_PAUSE).await;
                        let Some(place) = hall.gate.enter() else {
                            hall.count(Event::RefusedFull);
                            continue;
                        };
                        place
                    }
                };
                here.spawn(receive(stream, peer, place, speech.clone(), hall.clone()));
                // It begins to wait at the gate before the next comes in: of a burst, who came first is to go first.
                yield_now().await;
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                hall.count(Event::RefusedSystem);
                tracing::debug!(%error, "accepting");
                // The connection stays in the backlog, and asking again at once would only burn the processor.
                sleep(NO_ROOM_PAUSE).await;
            }
        }
    }
    drop(listener);
    while here.join_next().await.is_some() {}
}

/// Whether the error is of a connection that went before it was accepted (`accept(2)`).
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

/// What only some connections need is boxed: a task is as large as the largest that it may come to hold, and ten
/// thousand of them wait for a query.
async fn receive(mut stream: TcpStream, from: SocketAddr, mut place: Place, speech: Speech, hall: Hall) {
    let peer = from.ip().to_canonical();
    // Answers leave together; holding them back for more would only delay them.
    let _ = stream.set_nodelay(true);
    let client = if hall.fronts.include(peer) {
        match timeout(hall.limits.receive, Box::pin(client_of(&mut stream))).await {
            Ok(Ok(client)) => client.unwrap_or(peer),
            Ok(Err(_)) => return hall.count(Event::ProxyMalformed),
            Err(_) => return hall.count(Event::SlowToSend),
        }
    } else {
        peer
    };
    let transport = match speech {
        Speech::Plain => Transport::Tcp,
        Speech::Tls(_) => Transport::Tls,
        Speech::Https(_) => Transport::Https,
    };
    // The socket of a client that has gone already knows no address.
    let Ok(server) = stream.local_addr() else { return };
    let ends = Ends { client_port: (client == peer).then_some(from.port()), server };
    let Some(asking) = hall.seat(&mut place, client, transport, ends) else { return };
    match speech {
        Speech::Plain => {
            if converse(&mut stream, &hall, &asking).await == Parting::Reset {
                forget(&stream);
            }
        }
        Speech::Tls(config) => {
            let encrypted = async {
                let mut stream = encrypt(stream, config, &hall).await?;
                if converse(&mut stream, &hall, &asking).await == Parting::Reset {
                    forget(stream.get_ref().0);
                }
                Some(())
            };
            Box::pin(encrypted).await;
        }
        Speech::Https(config) => {
            let encrypted = async {
                let stream = encrypt(stream, config, &hall).await?;
                https::converse(stream, &hall, asking).await;
                Some(())
            };
            Box::pin(encrypted).await;
        }
    }
}

/// Greets a client by TLS; `None` when that comes to nothing.
async fn encrypt(stream: TcpStream, config: Arc<ServerConfig>, hall: &Hall) -> Option<TlsStream<TcpStream>> {
    match timeout(hall.limits.receive, TlsAcceptor::from(config).accept(stream)).await {
        Ok(Ok(stream)) => return Some(stream),
        Ok(Err(_)) => hall.count(Event::Handshake),
        Err(_) => hall.count(Event::SlowToSend),
    }
    None
}

/// The client that a front end's header names; `None` for the front end itself.
async fn client_of(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<IpAddr>> {
    let malformed = |proxy::Malformed| io::Error::from(io::ErrorKind::InvalidData);
    let mut octets = [0; proxy::HEADER_OCTETS_MAX];
    let mut fixed = [0; proxy::FIXED_OCTETS];
    stream.read_exact(&mut fixed).await?;
    let length = proxy::length(&fixed).map_err(malformed)?;
    let (begin, rest) = octets.split_at_mut(proxy::FIXED_OCTETS);
    begin.copy_from_slice(&fixed);
    // Not an octet more: what follows is the client's.
    stream.read_exact(rest.get_mut(..length - proxy::FIXED_OCTETS).unwrap_or_default()).await?;
    Ok(proxy::read(&octets).map_err(malformed)?.source)
}
