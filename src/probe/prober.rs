//! Keeps probing: one task for each target, which sleeps, asks, tells the state machine and sleeps again.
//!
//! Tasks share nothing that one could hold up another by: a stuck endpoint costs a socket until its timeout.
//! A probe that panics is a bug, not the end of its task: whoever probes must never fall silent.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{self, Instant};
use tracing::{debug, info, warn};

use super::changes::{Queue, Tenure};
use super::{Change, Changes, Failure, Probe, Target, Tls, http, tcp};
use crate::health::{Finding, Health, LATENESS_MAX, ProbeId, State, Step, Verdict, patience};
use crate::moment::Moment;
use crate::random::Random;
use crate::system::Clock;

/// Probes under way at once, a socket each.
///
/// Far above what is ever needed in ordinary operation (10,000 endpoints probed every 5 s that answer within
/// 50 ms keep 100 under way), since a probe that waits for its turn is late and breaks the promise. It is
/// reached when that many endpoints hang at once: 10,000 that all time out after 2 s stay under it.
pub const IN_FLIGHT_MAX: usize = 16_384;

/// Between the first probes of endpoints that are watched together. 4,000 a second keep a core or two busy with
/// HTTPS handshakes but leave every answer its time; all at once, 10,000 would wait for each other and time out.
pub const FIRST_ROUND_GAP: Duration = Duration::from_micros(250);

/// Probes targets until it is dropped.
#[derive(Debug)]
pub struct Prober {
    runtime: Handle,
    shared: Arc<Shared>,
    random: Random,
    /// When the next target's first probe starts at the soonest.
    first: Moment,
    /// When all first probes are over.
    first_round_end: Moment,
    ids: HashMap<Arc<Target>, ProbeId>,
    watches: HashMap<ProbeId, Watch>,
    /// Numbers below the greatest that nobody has.
    free: BTreeSet<ProbeId>,
}

impl Prober {
    /// A prober without targets on the current tokio runtime, and what it will find. `seed` spreads the probes.
    ///
    /// # Panics
    /// Outside a runtime.
    pub fn start(clock: Clock, seed: u64) -> (Self, Changes) {
        Self::with_tls(clock, seed, Tls::system())
    }

    fn with_tls(clock: Clock, seed: u64, tls: Tls) -> (Self, Changes) {
        let (queue, changes) = Queue::new();
        let in_flight = Semaphore::new(IN_FLIGHT_MAX);
        let shared = Shared { clock, tls, queue, in_flight, crowded: Alarm::default(), unsent: Alarm::default() };
        let prober = Self {
            runtime: Handle::current(),
            shared: Arc::new(shared),
            random: Random::new(seed),
            first: Moment::START,
            first_round_end: Moment::START,
            ids: HashMap::new(),
            watches: HashMap::new(),
            free: BTreeSet::new(),
        };
        (prober, changes)
    }

    /// Probes `target` from now on, unless it is already; equal targets share one number, which they keep until
    /// [`Prober::keep_only`] drops it.
    pub fn watch(&mut self, target: Target) -> ProbeId {
        if let Some(&probe) = self.ids.get(&target) {
            return probe;
        }
        let target = Arc::new(target);
        let probe = self.free.pop_first().unwrap_or(ProbeId(u32::try_from(self.watches.len()).unwrap_or(u32::MAX)));
        let sentry = Sentry {
            probe,
            tenure: self.shared.queue.admit(probe),
            target: Arc::clone(&target),
            shared: Arc::clone(&self.shared),
            random: self.random.split(),
        };
        let first = self.first_start(&target);
        let task = self.runtime.spawn(sentry.stand(first)).abort_handle();
        self.watches.insert(probe, Watch { target: Arc::clone(&target), task });
        self.ids.insert(target, probe);
        probe
    }

    /// Stops whatever is not in `keep`. Nothing is heard of those any more, not even a change that waits to be
    /// read; their numbers may be given out anew.
    pub fn keep_only(&mut self, keep: &HashSet<ProbeId>) {
        let stopped: Vec<ProbeId> = self.watches.keys().copied().filter(|probe| !keep.contains(probe)).collect();
        self.shared.queue.dismiss(&stopped);
        for probe in stopped {
            if let Some(watch) = self.watches.remove(&probe) {
                self.ids.remove(&watch.target);
                self.free.insert(probe);
            }
        }
    }

    /// When every target watched so far has had its first probe, at the latest: its start, its timeout and
    /// [`LATENESS_MAX`]. What has not been heard of by then could not be sent.
    pub fn first_round_end(&self) -> Moment {
        self.first_round_end
    }

    /// Targets are started one [`FIRST_ROUND_GAP`] apart, in the order in which they come. One that comes when no
    /// round is under way starts at once; none waits longer than its interval, within which all must have had
    /// their turn anyway.
    fn first_start(&mut self, target: &Target) -> Moment {
        let timing = &target.monitor.timing;
        let now = self.shared.clock.now();
        let start = self.first.clamp(now, now + timing.interval);
        self.first = start + FIRST_ROUND_GAP;
        self.first_round_end = self.first_round_end.max(start + patience(timing) + LATENESS_MAX);
        start
    }
}

impl Drop for Prober {
    fn drop(&mut self) {
        self.shared.queue.close();
    }
}

/// A target's task, which ends with this.
#[derive(Debug)]
struct Watch {
    target: Arc<Target>,
    task: AbortHandle,
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What all tasks use.
#[derive(Debug)]
struct Shared {
    clock: Clock,
    tls: Tls,
    queue: Arc<Queue>,
    in_flight: Semaphore,
    crowded: Alarm,
    unsent: Alarm,
}

impl Shared {
    /// A place among the probes under way.
    async fn place(&self) -> Option<SemaphorePermit<'_>> {
        if let Ok(place) = self.in_flight.try_acquire() {
            if self.in_flight.available_permits() > IN_FLIGHT_MAX / 2 && self.crowded.fall() {
                info!("probes start in time again");
            }
            return Some(place);
        }
        if self.crowded.rise() {
            warn!("{IN_FLIGHT_MAX} probes are under way: others start late, and verdicts come late");
        }
        // It is never closed.
        self.in_flight.acquire().await.ok()
    }
}

/// A condition of the whole process that is told when it comes and when it goes, not with each probe.
#[derive(Debug, Default)]
struct Alarm(AtomicBool);

impl Alarm {
    /// Whether it was not raised before.
    fn rise(&self) -> bool {
        !self.0.swap(true, Ordering::Relaxed)
    }

    /// Whether it was raised before. Costs a read where it was not, which is nearly always.
    fn fall(&self) -> bool {
        self.0.load(Ordering::Relaxed) && self.0.swap(false, Ordering::Relaxed)
    }
}

/// One target's task.
struct Sentry {
    probe: ProbeId,
    tenure: Tenure,
    target: Arc<Target>,
    shared: Arc<Shared>,
    random: Random,
}

impl Sentry {
    async fn stand(mut self, first: Moment) {
        let clock = self.shared.clock;
        let timing = self.target.monitor.timing;
        let asker = Arc::new(Asker::new(&self.target, &self.shared.tls));
        let (mut state, mut next, mut told) = (State::Unknown, first, None);
        loop {
            time::sleep_until(Instant::from_std(clock.instant(next))).await;
            let (result, start, end) = self.ask(&asker, patience(&timing)).await;
            debug!("{}: {}", self.target, Told(&result));
            if let Err(failure) = &result
                && failure.is_ours()
            {
                if self.shared.unsent.rise() {
                    warn!("probes cannot be sent, so verdicts stand still: {failure}");
                }
                next = end + timing.fast;
                continue;
            }
            if self.shared.unsent.fall() {
                info!("probes can be sent again");
            }
            let finding = if result.is_ok() { Finding::Success } else { Finding::Failure };
            let step = state.step(&timing, finding, start, end, self.random.next_u32());
            self.tell(&step, result, state, &mut told);
            (state, next) = (step.state, step.next);
        }
    }

    /// Probes once: what was found, from when to when.
    async fn ask(&self, asker: &Arc<Asker>, patience: Duration) -> (Result<(), Failure>, Moment, Moment) {
        let _place = self.shared.place().await;
        let start = self.shared.clock.now();
        // A task of its own, to survive a panic; a set of one, because it ends with whoever waits for it.
        let mut probe = JoinSet::new();
        let asker = Arc::clone(asker);
        probe.spawn(
            async move { time::timeout(patience, asker.ask()).await.unwrap_or(Err(Failure::Timeout(patience))) },
        );
        let result = match probe.join_next().await {
            Some(Ok(result)) => result,
            Some(Err(_)) | None => Err(Failure::Answer("the probe panicked over the answer".to_owned())),
        };
        (result, start, self.shared.clock.now())
    }

    /// Logs a verdict that turned, and reports health that differs from what was `told` last.
    fn tell(&self, step: &Step, result: Result<(), Failure>, old: State, told: &mut Option<Health>) {
        match step.turned {
            // A start is not news: there may be thousands.
            Some(Verdict::Up) if old == State::Unknown => debug!("{}: up", self.target),
            Some(_) => info!("{}: {old} → {}: {}", self.target, step.state, Told(&result)),
            None => {}
        }
        if *told == Some(step.health) {
            return;
        }
        *told = Some(step.health);
        let change = Change {
            probe: self.probe,
            target: Arc::clone(&self.target),
            health: step.health,
            turned: step.turned,
            cause: result.err(),
        };
        self.shared.queue.report(self.tenure, change);
    }
}

/// One target, ready to be asked.
#[derive(Debug)]
enum Asker {
    Http(http::Asker),
    Tcp(SocketAddr),
    /// No request can be made of its monitor, which the reader of policy files should have seen.
    Broken(Failure),
}

impl Asker {
    fn new(target: &Target, tls: &Tls) -> Self {
        match &target.monitor.probe {
            Probe::Http(probe) => match http::Asker::new(target.address, probe, tls) {
                Ok(asker) => Self::Http(asker),
                Err(failure) => Self::Broken(failure),
            },
            Probe::Tcp { port } => Self::Tcp(SocketAddr::new(target.address, *port)),
        }
    }

    async fn ask(&self) -> Result<(), Failure> {
        match self {
            Self::Http(asker) => asker.ask().await,
            Self::Tcp(endpoint) => tcp::ask(*endpoint).await,
            Self::Broken(failure) => Err(failure.clone()),
        }
    }
}

/// A result as it stands in logs.
struct Told<'a>(&'a Result<(), Failure>);

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Ok(()) => f.write_str("answers as it should"),
            Err(failure) => failure.fmt(f),
        }
    }
}
