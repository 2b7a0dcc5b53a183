//! DNS over UDP: a worker is one thread on one socket. The sockets of one address share it by `SO_REUSEPORT`, so
//! the kernel spreads clients over the workers and they share nothing.
//!
//! Nothing is fragmented (RFC 9715 §3.1): responses hold at most 1,232 octets, the sockets forbid fragments and heed no
//! tales of small paths, and what is larger than the interface itself takes is cut, so that the client comes by TCP.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use arc_swap::cache::Cache;
use socket2::{Domain, Protocol, Socket, Type};

use super::proxy::{self, FrontEnds};
use super::secondaries::{Came, Secondaries};
use super::socket::{Batch, Destination, dont_fragment, want_destination};
use super::tally::{Event, Tally};
use crate::answer::{Peer, Response, Transport, Worker, answer};
use crate::moment::Moment;
use crate::observe::{Ends, Tap};
use crate::snapshot::Snapshot;
use crate::system::Clock;

/// How long a worker without queries sleeps before it looks whether to stop, and lets an old snapshot go.
const IDLE: Duration = Duration::from_millis(250);

/// Batches that are still answered after the end, if so many wait: as many queries as [`RECEIVE_BUFFER_OCTETS`] hold.
const LAST_BATCHES: usize = 64;

/// Octets that the kernel is asked to hold for a worker that is busy, as far as `net.core.rmem_max` allows. It takes twice
/// as many, and 768 for a small query: 2,730 of them, or 14 ms at 200,000 a second. Four times as many lost no less where
/// a reload wanted the same cores, and had answers come 40 ms late.
const RECEIVE_BUFFER_OCTETS: usize = 1 << 20;

/// Where a socket is that cannot tell.
const NOWHERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

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
    prepare(&socket, address)?;
    Ok(socket)
}

/// Sets up a socket that is bound to `address`, by whomever.
///
/// # Errors
/// As `setsockopt(2)`.
pub fn prepare(socket: &UdpSocket, address: SocketAddr) -> io::Result<()> {
    dont_fragment(socket, address.is_ipv6())?;
    socket.set_nonblocking(false)?;
    socket.set_read_timeout(Some(IDLE))?;
    if address.ip().is_unspecified() {
        want_destination(socket, address.is_ipv6())?;
    }
    Ok(())
}

/// A worker's sign of life, on a cache line of its own: it beats with every batch, and while it is idle several times a
/// second.
#[derive(Clone, Debug, Default)]
pub struct Pulse(Arc<Line>);

/// Two lines, since processors fetch them in pairs.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Line(AtomicU64);

impl Pulse {
    /// Beats once more. Only the worker whose it is calls this.
    pub fn beat(&self) {
        // One writer, so that nothing needs to be locked.
        self.0.0.store(self.beats().wrapping_add(1), Ordering::Relaxed);
    }

    /// How often it has beaten.
    pub fn beats(&self) -> u64 {
        self.0.0.load(Ordering::Relaxed)
    }
}

/// What all workers share beside the snapshots.
#[derive(Clone, Debug)]
pub struct Around {
    /// The clock.
    pub clock: Clock,
    /// Whose PROXY headers are required and believed.
    pub fronts: Arc<FrontEnds>,
    /// Who may have zones and who signs.
    pub secondaries: Arc<Secondaries>,
    /// Where is counted what never reaches an answer, or never leaves.
    pub tally: Arc<Tally>,
}

/// Answers what comes to `socket` until `stop` is set, then what waits there, and beats `pulse`. Each batch sees one
/// snapshot and one moment. Some of it is heard by whoever is at the other end of `tap`.
pub fn serve(
    socket: &UdpSocket,
    snapshots: Arc<ArcSwap<Snapshot>>,
    (mut worker, mut tap): (Worker, Tap),
    around: &Around,
    (stop, pulse): (&AtomicBool, &Pulse),
) {
    let server = socket.local_addr().unwrap_or(NOWHERE);
    let Around { clock, tally, .. } = around;
    let fronts = (!around.fronts.is_empty()).then_some(&*around.fronts);
    let mut snapshots = Cache::new(snapshots);
    let mut batch = Batch::new();
    let mut last = 0;
    while last < LAST_BATCHES {
        let received = if stop.load(Ordering::Relaxed) {
            last += 1;
            batch.receive_waiting(socket)
        } else {
            batch.receive(socket)
        };
        pulse.beat();
        let snapshot = snapshots.load();
        worker.adopt(snapshot);
        tap.tune();
        let count = match received {
            Ok(count) => count,
            // Idle, or an ICMP error of an earlier reply: nothing that a next try would not mend.
            Err(_) if last > 0 => return,
            Err(error) => {
                if !matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) {
                    tracing::debug!(%error, "receiving");
                }
                continue;
            }
        };
        let mut turn = Turn { snapshot, now: clock.now(), worker: &mut worker, tap: &mut tap, fronts, around, server };
        let sent = batch.exchange(socket, count, |from, destination, request, octets| {
            turn.answer(from, destination, request, octets)
        });
        if sent.cut > 0 {
            tally.add(Event::Fragmenting, sent.cut);
        }
        if sent.lost > 0 {
            tally.add(Event::Unsent, sent.lost);
        }
    }
}

/// What a worker answers one batch with.
struct Turn<'t> {
    snapshot: &'t Snapshot,
    now: Moment,
    worker: &'t mut Worker,
    tap: &'t mut Tap,
    /// Where there are any.
    fronts: Option<&'t FrontEnds>,
    around: &'t Around,
    /// Where the socket is bound.
    server: SocketAddr,
}

impl Turn<'_> {
    /// Answers what came from `from` to `destination` into `octets`: how many of them are to be sent.
    #[inline]
    fn answer(&mut self, from: SocketAddr, destination: Destination<'_>, request: &[u8], octets: &mut [u8]) -> usize {
        let Self { snapshot, now, worker, tap, fronts, around, server } = self;
        let (snapshot, now, Around { secondaries, tally, .. }) = (*snapshot, *now, *around);
        let (mut address, mut client_port, mut request) = (from.ip(), Some(from.port()), request);
        if let Some(fronts) = fronts {
            match behind(fronts, address, request) {
                Some((client, query)) => {
                    client_port = client_port.filter(|_| client == address);
                    (address, request) = (client, query);
                }
                None => {
                    tally.count(Event::ProxyMalformed);
                    return 0;
                }
            }
        }
        let peer = Peer { address, transport: Transport::Udp };
        let came = secondaries.receive(snapshot, (peer, tally), request, |unsigned| {
            let mut response = Response::new(&mut *octets);
            answer(snapshot, worker, peer, now, unsigned, &mut response);
            response.octets().to_vec()
        });
        let ends = || {
            let asked = destination.ip().unwrap_or_else(|| server.ip());
            Ends { client_port, server: SocketAddr::new(asked, server.port()) }
        };
        if let Some(came) = came {
            let reply = match came {
                Came::Signed(reply) => reply,
                Came::Reply(mut reply) => {
                    worker.withhold(peer, now, &mut reply);
                    reply
                }
                // By datagrams nothing is transferred.
                Came::Transfer(_) => Vec::new(),
            };
            let length = put(&reply, octets);
            if tap.is_due() {
                tap.note((peer, ends()), now, request, octets.get(..length).unwrap_or_default());
            }
            return length;
        }
        let mut response = Response::new(octets);
        if tap.is_due() {
            tap.answer(snapshot, worker, (peer, ends()), now, request, &mut response);
        } else {
            answer(snapshot, worker, peer, now, request, &mut response);
        }
        response.octets().len()
    }
}

/// Puts a reply into `octets`, and says how long it is.
fn put(reply: &[u8], octets: &mut [u8]) -> usize {
    let Some(target) = octets.get_mut(..reply.len()) else { return 0 };
    target.copy_from_slice(reply);
    reply.len()
}

/// Whose query a datagram from `peer` holds, and the query: what a front end's header says, or what there is. `None`
/// when a front end sent no sound header.
fn behind<'r>(fronts: &FrontEnds, peer: IpAddr, request: &'r [u8]) -> Option<(IpAddr, &'r [u8])> {
    if !fronts.include(peer) {
        return Some((peer, request));
    }
    let header = proxy::read(request).ok()?;
    Some((header.source.unwrap_or(peer), request.get(header.length..)?))
}
