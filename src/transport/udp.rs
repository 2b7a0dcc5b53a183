//! DNS over UDP: a worker is one thread on one socket. The sockets of one address share it by `SO_REUSEPORT`, so
//! the kernel spreads clients over the workers and they share nothing.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use arc_swap::cache::Cache;
use socket2::{Domain, Protocol, Socket, Type};

use super::socket::{Batch, want_destination};
use crate::answer::{Peer, Response, Transport, Worker, answer};
use crate::snapshot::Snapshot;
use crate::system::Clock;

/// How long a worker without queries sleeps before it looks whether to stop, and lets an old snapshot go.
const IDLE: Duration = Duration::from_millis(250);

/// Octets that the kernel may hold for a worker that is busy: some 2,000 queries, or 10 ms at 200,000 a second.
const RECEIVE_BUFFER_OCTETS: usize = 1 << 20;

/// Binds one worker's socket to `address`.
///
/// # Errors
/// As `bind(2)`: the port is in use, the address is not this machine's, the port is a privileged one.
pub fn bind(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_reuse_port(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_recv_buffer_size(RECEIVE_BUFFER_OCTETS)?;
    socket.bind(&address.into())?;
    let socket = UdpSocket::from(socket);
    socket.set_read_timeout(Some(IDLE))?;
    if address.ip().is_unspecified() {
        want_destination(&socket, address.is_ipv6())?;
    }
    Ok(socket)
}

/// Answers what comes to `socket` until `stop` is set. Each batch sees one snapshot and one moment.
pub fn serve(
    socket: &UdpSocket,
    snapshots: Arc<ArcSwap<Snapshot>>,
    mut worker: Worker,
    clock: Clock,
    stop: &AtomicBool,
) {
    let mut snapshots = Cache::new(snapshots);
    let mut batch = Batch::new();
    while !stop.load(Ordering::Relaxed) {
        let received = batch.receive(socket);
        let snapshot = snapshots.load();
        worker.adopt(snapshot);
        let count = match received {
            Ok(count) => count,
            // Idle, or an ICMP error of an earlier reply: nothing that a next try would not mend.
            Err(error) => {
                if !matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) {
                    tracing::debug!(%error, "receiving");
                }
                continue;
            }
        };
        let now = clock.now();
        let lost = batch.exchange(socket, count, |peer, request, octets| {
            let mut response = Response::new(octets);
            let peer = Peer { address: peer.ip(), transport: Transport::Datagram };
            answer(snapshot, &mut worker, peer, now, request, &mut response);
            response.octets().len()
        });
        if lost > 0 {
            tracing::debug!(lost, "replies that could not be sent");
        }
    }
}
