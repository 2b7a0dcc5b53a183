//! The doors for connections, opened together and closed together.

use std::io;
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};

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

/// Open doors. When they are dropped no more connections are taken in.
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
    here: mpsc::Receiver<()>,
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
        let (streams, end, _here) = Wing::new();
        let (quic, quic_end, quic_here) = Wing::new();
        let Behind { snapshots, workers, clock, limits, fronts, secondaries, tally } = behind;
        let hall = Hall {
            desk: Arc::new(Desk::new(snapshots, workers, clock, secondaries, Arc::clone(&tally))),
            gate: Arc::new(Gate::new(&limits, Arc::clone(&tally))),
            limits: Arc::new(limits),
            fronts,
            tally,
            clock,
            end,
            _here,
        };
        for listener in sockets.plain {
            tokio::spawn(stream::attend(listener, Speech::Plain, hall.clone()));
        }
        let Some(certificates) = certificates else { return Ok(Self { streams, quic, later: None }) };
        let greeting = |protocols: &[&[u8]]| certificates.greeting(protocols).map_err(io::Error::other);
        // RFC 7858 knows no name for it in TLS; "dot" came later (IANA, TLS ALPN protocol ids). Who offers none is let in.
        let (tls, https) = (Arc::new(greeting(&[b"dot"])?), Arc::new(greeting(&[b"h2", b"http/1.1"])?));
        for listener in sockets.tls {
            tokio::spawn(stream::attend(listener, Speech::Tls(Arc::clone(&tls)), hall.clone()));
        }
        for listener in sockets.https {
            tokio::spawn(stream::attend(listener, Speech::Https(Arc::clone(&https)), hall.clone()));
        }
        let hall = Hall { end: quic_end, _here: quic_here, ..hall };
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
            tokio::spawn(quic::attend(quic::endpoint(socket, greeting, &hall.limits)?, hall.clone()));
        }
        Ok(())
    }

    /// Takes no more connections in by QUIC, and waits until those that are open have their answers.
    pub async fn close_quic(&mut self) {
        self.later = None;
        let closed = std::mem::replace(&mut self.quic, Wing::new().0);
        closed.close().await;
    }

    /// Takes no more connections in and waits until those that are open have their answers.
    pub async fn close(self) {
        let Self { streams, quic, later } = self;
        drop(later);
        tokio::join!(streams.close(), quic.close());
    }
}

impl Wing {
    /// A wing, what its doors hear its end by, and what everybody holds who is there.
    fn new() -> (Self, watch::Receiver<()>, mpsc::Sender<()>) {
        let (end, ended) = watch::channel(());
        let (here, left) = mpsc::channel(1);
        (Self { end, here: left }, ended, here)
    }

    async fn close(self) {
        let Self { end, mut here } = self;
        drop(end);
        // Nothing is ever sent: it ends when the last connection has gone.
        let _ = here.recv().await;
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

    #[tokio::test]
    async fn a_message_that_has_begun_is_waited_for_when_they_close() {
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
        let doors = Doors::open(sockets, None, behind).expect("doors");
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
}
