//! Everything that answers: a thread for each UDP socket, the doors for connections, and how both end.

use std::io;
use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::time::timeout;

use super::counts::Counts;
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

/// How long open streams may finish what they are at once the server stops. After a hand-over they answer from pools that
/// stand still, while a drain may be asked of the successor already: what a drain adds to a TTL must cover it.
const STREAMS_END: Duration = Duration::from_secs(1);

/// Whatever answers.
pub(super) struct Planes {
    threads: Vec<JoinHandle<()>>,
    pulses: Vec<Pulse>,
    stopping: Arc<AtomicBool>,
    streams: Streams,
    counters: Vec<Arc<Counters>>,
    tally: Arc<Tally>,
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
        Ok(Self { threads, pulses, stopping, streams, counters, tally, before: Vec::new() })
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

    /// Takes nothing in by UDP and by QUIC any more, and answers what is there: another process may read those sockets
    /// alone. What was counted.
    pub(super) async fn release(&mut self) -> Counts {
        self.stopping.store(true, Ordering::Relaxed);
        let _ = timeout(STREAMS_END, self.streams.close_quic()).await;
        join(&mut self.threads);
        self.counts()
    }

    /// Takes nothing in any more, answers what is there and lets open connections finish. A stream that is still open then
    /// is closed with the process. What was counted.
    pub(super) async fn stop(mut self) -> Counts {
        self.stopping.store(true, Ordering::Relaxed);
        let _ = timeout(STREAMS_END, self.streams.close()).await;
        join(&mut self.threads);
        Counts::of(&self.counters, &self.tally).and(&self.before)
    }

    fn counts(&self) -> Counts {
        Counts::of(&self.counters, &self.tally).and(&self.before)
    }
}

fn join(threads: &mut Vec<JoinHandle<()>>) {
    for thread in threads.drain(..) {
        // Each looks several times a second.
        if thread.join().is_err() {
            tracing::error!("a worker had panicked");
        }
    }
}
