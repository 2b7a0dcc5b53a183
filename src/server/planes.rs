//! Everything that answers: a thread for each UDP socket, the doors for connections, and how both end.

use std::io;
use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::time::{timeout, timeout_at};

use super::counts::Counts;
use super::drain::LAST_ANSWERS;
use super::{StartError, doors};
use crate::answer::{Counters, Worker};
use crate::config::Doors;
use crate::observe::Tap;
use crate::snapshot::Snapshot;
use crate::system::{Clock, seed};
use crate::transport::doors::{Behind, Doors as Streams, Sockets};
use crate::transport::secondaries::Secondaries;
use crate::transport::tally::Tally;
use crate::transport::tls::Certificates;
use crate::transport::udp::{self, Pulse};

/// How long open streams may finish what they are at once the server stops.
const STREAMS_END: Duration = Duration::from_secs(1);

/// How long the threads that answer UDP may take to notice that they are to stop: each looks several times a second.
const THREADS_END: Duration = Duration::from_secs(5);

/// Whatever answers.
pub(super) struct Planes {
    threads: Vec<JoinHandle<()>>,
    pulses: Vec<Pulse>,
    stopping: Arc<AtomicBool>,
    streams: Streams,
    counters: Vec<Arc<Counters>>,
    tally: Arc<Tally>,
    clock: Clock,
    /// What was counted by those that this process took over from.
    before: Vec<(String, u64)>,
}

/// From what is answered, and by what rules.
pub(super) struct Ground {
    pub(super) snapshots: Arc<ArcSwap<Snapshot>>,
    pub(super) secondaries: Arc<Secondaries>,
    pub(super) clock: Clock,
    pub(super) doors: Doors,
    /// UDP threads of each address.
    pub(super) workers: usize,
    /// The limit of open files.
    pub(super) open_files: io::Result<u64>,
    /// One of each UDP socket, and as many for connections as there are of one address.
    pub(super) counters: Vec<Arc<Counters>>,
    /// What never reaches an answer, or never leaves.
    pub(super) tally: Arc<Tally>,
    /// As many, by which somebody listens in.
    pub(super) taps: std::vec::IntoIter<Tap>,
}

impl Planes {
    /// Answers by UDP and over streams from now on, but not by QUIC.
    pub(super) fn start(
        sockets: Vec<UdpSocket>,
        connections: Sockets,
        certificates: Option<&Arc<Certificates>>,
        ground: Ground,
    ) -> Result<Self, StartError> {
        let Ground { snapshots, secondaries, clock, doors, workers, open_files, counters, tally, taps } = ground;
        let system = |what| move |error| StartError::System { what, error };
        let stopping = Arc::new(AtomicBool::new(false));
        let mut seats = counters.iter().map(|counters| Worker::new(Arc::clone(counters), seed())).zip(taps);
        let around = udp::Around {
            clock,
            fronts: Arc::new(doors.fronts),
            secondaries: Arc::clone(&secondaries),
            tally: Arc::clone(&tally),
        };
        let (mut threads, mut pulses) = (Vec::new(), Vec::new());
        for (socket, (worker, tap)) in sockets.into_iter().zip(&mut seats) {
            let (snapshots, stopping, around) = (Arc::clone(&snapshots), Arc::clone(&stopping), around.clone());
            let worker = worker.limited(&doors.rates, workers, seed());
            let pulse = Pulse::default();
            pulses.push(pulse.clone());
            let thread = thread::Builder::new().name("udp".to_owned());
            let thread =
                thread.spawn(move || udp::serve(&socket, snapshots, (worker, tap), &around, (&stopping, &pulse)));
            threads.push(thread.map_err(system("start a thread"))?);
        }
        let behind = Behind {
            snapshots,
            workers: seats.map(|(worker, tap)| (worker.idle(doors.limits.idle), tap)).collect(),
            clock,
            limits: doors::within(doors.limits, open_files),
            fronts: around.fronts,
            secondaries,
            tally: Arc::clone(&tally),
        };
        let streams = Streams::open(connections, certificates, behind).map_err(system("set TLS up"))?;
        Ok(Self { threads, pulses, stopping, streams, counters, tally, clock, before: Vec::new() })
    }

    /// Answers by QUIC too, and goes on counting where others stopped.
    pub(super) fn complete(&mut self, before: Vec<(String, u64)>) -> io::Result<()> {
        self.before = before;
        self.streams.open_quic()
    }

    /// A sign of life of each UDP thread.
    pub(super) fn pulses(&self) -> Vec<Pulse> {
        self.pulses.clone()
    }

    /// Takes nothing in any more, and answers what is there; [`LAST_ANSWERS`] from now nothing leaves any more. Two things
    /// to wait for at once: that nothing is left of UDP and QUIC, so that another process may read those sockets alone,
    /// with what was counted; and that nothing is left of the other doors.
    pub(super) fn leave(self) -> (impl Future<Output = Counts>, impl Future<Output = ()>) {
        let Self { threads, stopping, streams, counters, tally, before, clock, .. } = self;
        stopping.store(true, Ordering::Relaxed);
        let (quic, streams) = streams.closing();
        let until = clock.instant(clock.now() + LAST_ANSWERS).into();
        let released = async move {
            let _ = timeout_at(until, quic).await;
            join(threads, THREADS_END).await;
            Counts::of(&counters, &tally).and(&before)
        };
        (released, async move { drop(timeout_at(until, streams).await) })
    }

    /// Takes nothing in any more, answers what is there and lets open connections finish; those that have not done so in
    /// time are cut off. What was counted.
    pub(super) async fn stop(self) -> Counts {
        let Self { threads, stopping, streams, counters, tally, before, .. } = self;
        stopping.store(true, Ordering::Relaxed);
        let _ = timeout(STREAMS_END, streams.close()).await;
        join(threads, THREADS_END).await;
        Counts::of(&counters, &tally).and(&before)
    }
}

/// Waits for the end of `threads`, while everything else goes on; for `longest` at the most.
async fn join(threads: Vec<JoinHandle<()>>, longest: Duration) {
    let joining = tokio::task::spawn_blocking(move || threads.into_iter().all(|thread| thread.join().is_ok()));
    match timeout(longest, joining).await {
        Ok(Ok(true)) => {}
        Ok(_) => tracing::error!("a worker had panicked"),
        Err(_) => tracing::error!("a worker is stuck; it is not waited for"),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;
    use crate::transfer::{Grants, Keys};

    /// A query for the addresses of example.com, behind its length.
    const QUERY: &[u8] = b"\0\x1d\x12\x34\0\0\0\x01\0\0\0\0\0\0\x07example\x03com\0\0\x01\0\x01";

    #[tokio::test]
    async fn nothing_leaves_any_more_once_the_last_answers_had_their_time() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let clock = Clock::new();
        let ground = Ground {
            snapshots: Arc::new(ArcSwap::from_pointee(Snapshot::new(1, Vec::new()))),
            secondaries: Arc::new(Secondaries::new(Grants { grants: [].into(), keys: Keys::new(&[]) })),
            clock,
            doors: Doors::default(),
            workers: 1,
            open_files: Ok(1_024),
            counters: vec![Arc::default()],
            tally: Arc::default(),
            taps: vec![Tap::default()].into_iter(),
        };
        let connections = Sockets { plain: vec![listener], ..Sockets::default() };
        let planes = Planes::start(Vec::new(), connections, None, ground).expect("planes");
        let mut busy = TcpStream::connect(address).await.expect("a connection");
        // One that is answered, so that it has been accepted; and half of one, which is waited for.
        busy.write_all(&[QUERY, &QUERY[..9]].concat()).await.expect("sent");
        let mut answer = [0; QUERY.len()];
        busy.read_exact(&mut answer).await.expect("an answer");
        let begun = clock.now();
        let (released, streams_end) = planes.leave();
        // Nobody is there by QUIC.
        released.await;
        // Real time, since sockets know no other. It ends at all, though there is a query that has begun.
        streams_end.await;
        assert!(clock.now().since(begun) >= LAST_ANSWERS, "it was waited for");
        // With an end in order or without one: there are octets that were not answered.
        assert!(matches!(busy.read(&mut [0]).await, Ok(0) | Err(_)), "it was cut off");
    }

    #[tokio::test]
    async fn a_worker_that_is_stuck_is_not_waited_for() {
        let (free, held) = mpsc::channel::<()>();
        let stuck = thread::spawn(move || {
            let _ = held.recv();
        });
        // It ends at all, though the other one has not.
        join(vec![stuck], Duration::from_millis(1)).await;
        drop(free);
    }
}
