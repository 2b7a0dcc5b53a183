//! The doors for connections, opened together and closed together.

use std::io;
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::desk::Desk;
use super::gate::Gate;
use super::hall::Hall;
use super::limits::Limits;
use super::proxy::FrontEnds;
use super::quic;
use super::secondaries::Secondaries;
use super::stream::{self, Speech};
use super::tally::Tally;
use super::tls::Certificates;
use crate::answer::Worker;
use crate::observe::Tap;
use crate::snapshot::Snapshot;
use crate::system::Clock;

/// Sockets, bound and not yet attended.
#[derive(Debug, Default)]
pub struct Sockets {
    /// DNS over TCP.
    pub plain: Vec<TcpListener>,
    /// DNS over TLS.
    pub tls: Vec<TcpListener>,
    /// DNS over HTTPS: HTTP/2 and HTTP/1.1.
    pub https: Vec<TcpListener>,
    /// QUIC, with what is spoken there.
    pub quic: Vec<(std::net::UdpSocket, Carried)>,
}

/// What a QUIC socket carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carried {
    /// DNS over QUIC.
    Dns,
    /// DNS over HTTP/3.
    Http3,
    /// Both; TLS tells them apart.
    Both,
}

/// What connections are answered from, and by what rules.
pub struct Behind {
    /// The zones and pools.
    pub snapshots: Arc<ArcSwap<Snapshot>>,
    /// Who answers, each with who listens in; a connection keeps to one of them.
    pub workers: Vec<(Worker, Tap)>,
    /// The clock.
    pub clock: Clock,
    /// How much a client may take.
    pub limits: Limits,
    /// Whose PROXY headers are believed.
    pub fronts: Arc<FrontEnds>,
    /// Who may have zones and who signs.
    pub secondaries: Arc<Secondaries>,
    /// Where events are counted.
    pub tally: Arc<Tally>,
}

/// Open doors. Everybody who is there goes with them when they are dropped.
///
/// QUIC's are apart: its connections live in one socket with those to come, so that no two processes can share one, and
/// who takes over from another opens them later than the rest.
pub struct Doors {
    streams: Wing,
    quic: Wing,
    /// Those of QUIC, until they are opened.
    later: Option<Later>,
}

/// Doors that close together.
struct Wing {
    end: watch::Sender<()>,
    /// Each has those whom it took in.
    doors: JoinSet<()>,
}

struct Later {
    sockets: Vec<(std::net::UdpSocket, Carried)>,
    certificates: Arc<Certificates>,
    hall: Hall,
}

impl Doors {
    /// Opens them on the current runtime, but for QUIC's. `certificates` are for those that are encrypted.
    ///
    /// # Errors
    /// TLS or QUIC cannot be set up.
    pub fn open(sockets: Sockets, certificates: Option<&Arc<Certificates>>, behind: Behind) -> io::Result<Self> {
        let (mut streams, end) = Wing::new();
        let (quic, quic_end) = Wing::new();
        let Behind { snapshots, workers, clock, limits, fronts, secondaries, tally } = behind;
        let hall = Hall {
            desk: Arc::new(Desk::new(snapshots, workers, clock, secondaries, Arc::clone(&tally))),
            gate: Arc::new(Gate::new(&limits, Arc::clone(&tally))),
            limits: Arc::new(limits),
            fronts,
            tally,
            clock,
            end,
        };
        for listener in sockets.plain {
            streams.doors.spawn(stream::attend(listener, Speech::Plain, hall.clone()));
        }
        let Some(certificates) = certificates else { return Ok(Self { streams, quic, later: None }) };
        let greeting = |protocols: &[&[u8]]| certificates.greeting(protocols).map_err(io::Error::other);
        // RFC 7858 knows no name for it in TLS; "dot" came later (IANA, TLS ALPN protocol ids). Who offers none is let in.
        let (tls, https) = (Arc::new(greeting(&[b"dot"])?), Arc::new(greeting(&[b"h2", b"http/1.1"])?));
        for listener in sockets.tls {
            streams.doors.spawn(stream::attend(listener, Speech::Tls(Arc::clone(&tls)), hall.clone()));
        }
        for listener in sockets.https {
            streams.doors.spawn(stream::attend(listener, Speech::Https(Arc::clone(&https)), hall.clone()));
        }
        let hall = Hall { end: quic_end, ..hall };
        let later = Later { sockets: sockets.quic, certificates: Arc::clone(certificates), hall };
        Ok(Self { streams, quic, later: Some(later) })
    }

    /// Opens those of QUIC. Once they are, this does nothing.
    ///
    /// # Errors
    /// TLS or QUIC cannot be set up.
    pub fn open_quic(&mut self) -> io::Result<()> {
        let Some(Later { sockets, certificates, hall }) = self.later.take() else { return Ok(()) };
        for (socket, carried) in sockets {
            let protocols: &[&[u8]] = match carried {
                Carried::Dns => &[quic::DOQ],
                Carried::Http3 => &[quic::H3],
                Carried::Both => &[quic::DOQ, quic::H3],
            };
            let greeting = certificates.greeting(protocols).map_err(io::Error::other)?;
            self.quic.doors.spawn(quic::attend(quic::endpoint(socket, greeting, &hall.limits)?, hall.clone()));
        }
        Ok(())
    }

    /// Takes no more connections in and waits until those that are open have their answers. Whoever is still there when
    /// this is dropped is cut off.
    pub async fn close(self) {
        let (quic, streams) = self.closing();
        tokio::join!(quic, streams);
    }

    /// The same, from now on: what waits for those by QUIC, and what waits for those of the other doors.
    pub fn closing(self) -> (impl Future<Output = ()> + Send, impl Future<Output = ()> + Send) {
        let Self { streams, quic, later } = self;
        drop(later);
        (quic.close(), streams.close())
    }
}

impl Wing {
    /// A wing without doors, and what they are to hear its end by.
    fn new() -> (Self, watch::Receiver<()>) {
        let (end, ended) = watch::channel(());
        (Self { end, doors: JoinSet::new() }, ended)
    }

    fn close(self) -> impl Future<Output = ()> + Send {
        let Self { end, mut doors } = self;
        drop(end);
        async move { while doors.join_next().await.is_some() {} }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpStream;
    use tokio::time::sleep;

    use super::*;

    /// A query for the addresses of example.com, behind its length.
    const QUERY: &[u8] = b"\0\x1d\x12\x34\0\0\0\x01\0\0\0\0\0\0\x07example\x03com\0\0\x01\0\x01";

    async fn hear(stream: &mut TcpStream) {
        let length = stream.read_u16().await.expect("a length");
        let mut answer = vec![0; length.into()];
        stream.read_exact(&mut answer).await.expect("all of an answer");
        assert_eq!(answer[..2], QUERY[2..4]);
    }

    /// Doors for plain TCP, and where they are.
    async fn open() -> (Doors, std::net::SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let behind = Behind {
            snapshots: Arc::new(ArcSwap::from_pointee(Snapshot::new(1, Vec::new()))),
            workers: vec![(Worker::new(Arc::default(), 1), Tap::default())],
            clock: Clock::new(),
            limits: Limits::default(),
            fronts: Arc::default(),
            secondaries: Arc::default(),
            tally: Arc::default(),
        };
        let sockets = Sockets { plain: vec![listener], ..Sockets::default() };
        (Doors::open(sockets, None, behind).expect("doors"), address)
    }

    #[tokio::test]
    async fn a_message_that_has_begun_is_waited_for_when_they_close() {
        let (doors, address) = open().await;
        let mut idle = TcpStream::connect(address).await.expect("a connection");
        let mut begun = TcpStream::connect(address).await.expect("a connection");
        // Answered, so that both have been accepted.
        for stream in [&mut idle, &mut begun] {
            stream.write_all(QUERY).await.expect("sent");
            hear(stream).await;
        }
        let (half, rest) = QUERY.split_at(9);
        begun.write_all(half).await.expect("sent");
        let closing = tokio::spawn(doors.close());
        assert_eq!(idle.read(&mut [0]).await.expect("an end in order"), 0);
        // Real time, so that whoever is let go of once it is quiet has gone too, and not only the first of them.
        sleep(Duration::from_millis(200)).await;
        begun.write_all(rest).await.expect("sent");
        hear(&mut begun).await;
        assert_eq!(begun.read(&mut [0]).await.expect("an end in order"), 0);
        closing.await.expect("closed");
    }

    #[tokio::test]
    async fn whoever_is_not_waited_for_any_more_is_cut_off() {
        let (doors, address) = open().await;
        let mut begun = TcpStream::connect(address).await.expect("a connection");
        begun.write_all(QUERY).await.expect("sent");
        hear(&mut begun).await;
        begun.write_all(&QUERY[..9]).await.expect("sent");
        let waited = tokio::time::timeout(Duration::from_millis(1), doors.close()).await;
        assert!(waited.is_err(), "there is a message that has begun");
        // With an end in order or without one: there are octets that nobody read.
        assert!(matches!(begun.read(&mut [0]).await, Ok(0) | Err(_)), "it was cut off");
    }
}
