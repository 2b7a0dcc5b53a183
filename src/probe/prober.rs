//! Keeps probing: one task for each target, which sleeps, asks, tells the state machine and sleeps again.
//!
//! Tasks share nothing that one could hold up another by: a stuck endpoint costs a socket until its timeout.
//! A probe that panics is a bug, not the end of its task: whoever probes must never fall silent.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{self, Instant};
use tracing::{debug, info, warn};

use super::changes::{Queue, Tenure};
use super::{Change, Changes, Failure, Probe, Target, Tls, http, tcp};
use crate::health::{Finding, Gauge, Health, LATENESS_MAX, PerMille, ProbeId, State, Step, Verdict, patience};
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
        let now = self.clock.now();
        if let Ok(place) = self.in_flight.try_acquire() {
            if self.crowded.fall(now) {
                info!("probes start in time again");
            }
            return Some(place);
        }
        if self.crowded.rise(now) {
            warn!("{IN_FLIGHT_MAX} probes are under way: others start late, and verdicts come late");
        }
        // It is never closed.
        self.in_flight.acquire().await.ok()
    }
}

/// A condition of the whole process that is told when it comes and when it has gone, not with each probe. It has
/// gone once it has not been met for [`ALARM_HOLD`]: while some probes can be sent and others not, it stays.
#[derive(Debug, Default)]
struct Alarm {
    /// When it was last met, in nanoseconds; 0 when it has gone.
    met: AtomicU64,
}

const ALARM_HOLD: Duration = Duration::from_secs(10);

impl Alarm {
    /// The condition is met at `now`. Whether that is news.
    fn rise(&self, now: Moment) -> bool {
        self.met.swap(now.as_nanos().max(1), Ordering::Relaxed) == 0
    }

    /// The condition is not met at `now`. Whether that is news. Costs a read where it has long gone, which is
    /// nearly always.
    fn fall(&self, now: Moment) -> bool {
        let met = self.met.load(Ordering::Relaxed);
        met != 0
            && now.since(Moment::from_nanos(met)) >= ALARM_HOLD
            && self.met.compare_exchange(met, 0, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

/// What one probe found, with the load that a success may report.
type Found = Result<Option<PerMille>, Failure>;

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
        let (mut state, mut gauge, mut next, mut told) = (State::Unknown, Gauge::default(), first, None);
        loop {
            time::sleep_until(Instant::from_std(clock.instant(next))).await;
            let (result, start, end) = self.ask(&asker, patience(&timing)).await;
            debug!("{}: {}", self.target, Told(&result));
            if let Err(failure) = &result
                && failure.is_ours()
            {
                if self.shared.unsent.rise(end) {
                    warn!("probes cannot be sent, so verdicts stand still: {failure}");
                }
                next = end + timing.fast;
                continue;
            }
            if self.shared.unsent.fall(end) {
                info!("probes can be sent again");
            }
            let finding = if result.is_ok() { Finding::Success } else { Finding::Failure };
            let mut step = state.step(&timing, finding, start, end, self.random.next_u32());
            let report = result.as_ref().ok().copied().flatten();
            gauge = gauge.step(&timing, step.health.alive, report, end);
            step.health.load = gauge.load();
            self.tell(&step, result, state, &mut told);
            (state, next) = (step.state, step.next);
        }
    }

    /// Probes once: what was found, from when to when.
    async fn ask(&self, asker: &Arc<Asker>, patience: Duration) -> (Found, Moment, Moment) {
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
    fn tell(&self, step: &Step, result: Found, old: State, told: &mut Option<Health>) {
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

    async fn ask(&self) -> Found {
        match self {
            Self::Http(asker) => asker.ask().await,
            Self::Tcp(endpoint) => tcp::ask(*endpoint).await.map(|()| None),
            Self::Broken(failure) => Err(failure.clone()),
        }
    }
}

/// A result as it stands in logs.
struct Told<'a>(&'a Found);

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Ok(None) => f.write_str("answers as it should"),
            Ok(Some(load)) => write!(f, "answers as it should, load {load}"),
            Err(failure) => failure.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use rustls::RootCertStore;

    use super::super::endpoint::{Endpoint, Reply, loopback};
    use super::*;
    use crate::health::{Load, STEP_PER_INTERVAL, Timing};
    use crate::probe::{HttpProbe, Monitor};

    /// Real time, so nothing here is judged by when it comes, only by what comes after what. The interval is long
    /// for a probe's sake: within it, even a machine that is held up for a second answers in time.
    const TIMING: Timing = Timing {
        interval: Duration::from_secs(2),
        fast: Duration::from_millis(100),
        timeout: Duration::from_secs(2),
        fall: 3,
        rise: 2,
    };

    fn http(endpoint: SocketAddr, timing: Timing) -> Target {
        let probe = Probe::Http(HttpProbe {
            port: endpoint.port(),
            path: "/".to_owned(),
            host: None,
            status: vec![200..=299],
            body: None,
            tls: None,
        });
        Target { address: endpoint.ip(), monitor: Arc::new(Monitor { probe, timing }) }
    }

    fn tcp(endpoint: SocketAddr) -> Target {
        let probe = Probe::Tcp { port: endpoint.port() };
        Target { address: endpoint.ip(), monitor: Arc::new(Monitor { probe, timing: TIMING }) }
    }

    fn start() -> (Prober, Changes) {
        Prober::with_tls(Clock::new(), 7, Tls::with_roots(RootCertStore::empty))
    }

    async fn next(changes: &mut Changes) -> Change {
        time::timeout(Duration::from_secs(60), changes.recv()).await.expect("a change").expect("a prober")
    }

    fn ok() -> Reply {
        Reply::new("200 OK", "")
    }

    #[tokio::test]
    async fn a_death_and_a_return_are_found() {
        let endpoint = Endpoint::plain(loopback(20), ok()).await;
        let address = endpoint.address;
        let (mut prober, mut changes) = start();
        let probe = prober.watch(http(address, TIMING));
        let first = next(&mut changes).await;
        assert_eq!(
            (first.probe, first.health, first.turned, first.cause),
            (probe, Health::UP, Some(Verdict::Up), None)
        );
        drop(endpoint);

        let refused = Some(Failure::Connection(std::io::ErrorKind::ConnectionRefused));
        let mut flip = Moment::START;
        for _ in 1..TIMING.fall {
            let suspect = next(&mut changes).await;
            assert_eq!((suspect.health.alive, suspect.turned, &suspect.cause), (true, None, &refused));
            assert!(suspect.health.flip > flip && suspect.health.flip != Moment::NEVER);
            flip = suspect.health.flip;
        }
        let down = next(&mut changes).await;
        assert_eq!((down.health, down.turned, &down.cause), (Health::DOWN, Some(Verdict::Down), &refused));
        assert!(prober.shared.clock.now() >= flip, "not before it was said that it could");

        let _endpoint = Endpoint::plain(address, ok()).await;
        let recovering = next(&mut changes).await;
        assert_eq!((recovering.health.alive, recovering.turned, recovering.cause), (false, None, None));
        assert_ne!(recovering.health.flip, Moment::NEVER);
        let up = next(&mut changes).await;
        assert_eq!((up.health, up.turned, up.cause), (Health::UP, Some(Verdict::Up), None));
        assert!(changes.try_recv().is_none());
    }

    /// The changes of an endpoint's load from report to report, as it says first one thing and then another.
    struct Watcher {
        endpoint: Endpoint,
        changes: Changes,
        /// What was told last, and after how many probes.
        last: (Option<Load>, usize),
    }

    impl Watcher {
        /// The next load that is told, within what it may have moved by in as many probes.
        async fn next(&mut self) -> Option<Load> {
            let change = next(&mut self.changes).await;
            assert!(change.health.alive || self.last.0.is_none(), "{change:?}");
            let probes = self.endpoint.seen().len();
            let (load, most) = (change.health.load, STEP_PER_INTERVAL as usize * (probes - self.last.1) + 1);
            let moved = |a: PerMille, b: PerMille| usize::from(a.get().abs_diff(b.get()));
            match (self.last.0, load) {
                (Some(old), Some(new)) => {
                    assert!(moved(old.utilization, new.utilization) <= most, "{old:?} → {new:?} in {most}");
                    assert!(moved(old.trust, new.trust) <= most, "{old:?} → {new:?} in {most}");
                }
                (Some(old), None) => assert!(usize::from(old.trust.get()) <= most, "{old:?} → none in {most}"),
                (None, Some(new)) => assert_eq!(new.trust.get(), STEP_PER_INTERVAL),
                (None, None) => {}
            }
            self.last = (load, probes);
            load
        }

        /// Waits until what is told is as `wanted`; what was told on the way.
        async fn until(&mut self, wanted: impl Fn(Option<Load>) -> bool) -> Vec<Option<Load>> {
            let mut seen = Vec::new();
            while !seen.last().copied().is_some_and(&wanted) {
                seen.push(self.next().await);
            }
            seen
        }
    }

    #[tokio::test]
    async fn the_load_moves_within_bounds_and_goes_when_reports_stop() {
        let reporting =
            |load: &str| Reply::Text(format!("HTTP/1.1 200 OK\r\nendpoint-load-metrics: TEXT {load}\r\n\r\n"));
        let interval = Duration::from_millis(100);
        // A probe that comes too late for so short an interval is a report missed, and never a verdict.
        let timing = Timing { interval, fast: interval, timeout: interval, fall: 100, rise: 1 };
        let endpoint = Endpoint::plain(loopback(28), reporting("cpu_utilization=0.2")).await;
        let (mut prober, changes) = start();
        prober.watch(http(endpoint.address, timing));
        let mut watcher = Watcher { endpoint, changes, last: (None, 0) };
        let steady = watcher.until(|load| load.is_some_and(|load| load.trust.get() >= 150)).await;
        assert!(steady.iter().flatten().all(|load| load.utilization.get() == 200), "{steady:?}");

        watcher.endpoint.turn_to(reporting("cpu_utilization=0.9"));
        let busy = watcher.until(|load| load.is_some_and(|load| load.utilization.get() >= 300)).await;
        assert!(busy.iter().flatten().is_sorted_by_key(|load| load.utilization), "{busy:?}");

        watcher.endpoint.turn_to(ok());
        let silent = watcher.until(|load| load.is_none()).await;
        assert!(silent.len() > 2, "little by little: {silent:?}");
    }

    #[tokio::test]
    async fn the_first_round_tells_of_every_target_once() {
        let endpoint = Endpoint::plain(loopback(21), ok()).await;
        let refusing = Endpoint::plain(loopback(22), Reply::new("503 No", "")).await;
        let hanging = Endpoint::plain(loopback(23), Reply::Hang(String::new())).await;
        let slow = Endpoint::plain(loopback(23), Reply::Hang("HTTP/1.1 200 OK\r\nX-Slow: ".to_owned())).await;
        let short = Timing { timeout: Duration::from_millis(50), ..TIMING };
        let (mut prober, mut changes) = start();
        let timed_out = Some(Failure::Timeout(short.timeout));
        let status = Failure::Status { status: 503, wanted: vec![200..=299] };
        let mut broken = http(endpoint.address, TIMING);
        let Probe::Http(probe) = &mut Arc::get_mut(&mut broken.monitor).expect("the only one").probe else { return };
        probe.host = Some("no host".to_owned());
        let expected = HashMap::from([
            (prober.watch(http(endpoint.address, TIMING)), None),
            (prober.watch(tcp(endpoint.address)), None),
            (prober.watch(http(refusing.address, TIMING)), Some(status)),
            (prober.watch(http(hanging.address, short)), timed_out.clone()),
            (prober.watch(http(slow.address, short)), timed_out),
            (
                prober.watch(tcp(SocketAddr::from(([127, 0, 0, 24], 1)))),
                Some(Failure::Connection(std::io::ErrorKind::ConnectionRefused)),
            ),
            (prober.watch(broken), Some(Failure::Monitor("no request can be made for host \"no host\"".to_owned()))),
        ]);
        let mut found = HashMap::new();
        for _ in 0..expected.len() {
            let change = next(&mut changes).await;
            assert_eq!(change.health, if change.cause.is_none() { Health::UP } else { Health::DOWN });
            assert!(change.turned.is_some());
            found.insert(change.probe, change.cause);
        }
        assert_eq!(found, expected);
    }

    #[tokio::test]
    async fn equal_targets_share_a_probe_and_numbers_last() {
        let endpoint = Endpoint::plain(loopback(25), ok()).await;
        let other = Endpoint::plain(loopback(26), ok()).await;
        let (mut prober, mut changes) = start();
        let one = prober.watch(http(endpoint.address, TIMING));
        let two = prober.watch(tcp(endpoint.address));
        assert_eq!(prober.watch(http(endpoint.address, TIMING)), one);
        assert_eq!([one, two], [ProbeId(0), ProbeId(1)]);
        assert_eq!([next(&mut changes).await.turned, next(&mut changes).await.turned], [Some(Verdict::Up); 2]);
        assert_eq!(endpoint.seen().len(), 1, "one probe for both");

        prober.keep_only(&HashSet::from([two]));
        assert_eq!(prober.watch(tcp(endpoint.address)), two, "kept over a reload");
        let three = prober.watch(http(other.address, TIMING));
        assert_eq!(three, one, "the least free number is given out anew");
        let change = next(&mut changes).await;
        assert_eq!((change.probe, change.target.address), (three, other.address.ip()));
        assert!(changes.try_recv().is_none(), "what was kept does not start anew");
    }

    #[tokio::test]
    async fn what_is_not_kept_stops() {
        let endpoint = Endpoint::plain(loopback(27), Reply::Hang(String::new())).await;
        let (mut prober, mut changes) = start();
        prober.watch(http(endpoint.address, TIMING));
        while endpoint.seen().is_empty() {
            tokio::task::yield_now().await;
        }
        let tasks = || Handle::current().metrics().num_alive_tasks();
        let shared = Arc::downgrade(&prober.shared);
        let before = tasks();
        prober.keep_only(&HashSet::new());
        assert!(prober.ids.is_empty() && prober.watches.is_empty());
        // The watch, its probe and the connection under way are gone.
        while tasks() > before - 2 {
            tokio::task::yield_now().await;
        }
        assert!(changes.try_recv().is_none());
        drop(prober);
        assert_eq!(changes.recv().await, None);
        drop(changes);
        while shared.strong_count() > 0 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn first_probes_are_spread_but_none_waits_longer_than_its_interval() {
        let (mut prober, _changes) = start();
        let target = tcp(SocketAddr::from(([127, 0, 0, 24], 1)));
        let before = prober.shared.clock.now();
        let starts: Vec<Moment> = (0..20_000).map(|_| prober.first_start(&target)).collect();
        let after = prober.shared.clock.now();
        assert!(starts[0] >= before && starts[0] <= after, "the first starts at once");
        assert!(
            starts
                .windows(2)
                .all(|pair| pair[1].since(pair[0]) <= FIRST_ROUND_GAP || pair[1] <= after + FIRST_ROUND_GAP)
        );
        assert!(starts.iter().all(|&start| start <= after + TIMING.interval));
        assert!(starts[4_000].since(before) >= Duration::from_secs(1));
        assert!(prober.first_round_end() >= starts[19_999] + patience(&TIMING));
    }

    #[test]
    fn an_alarm_is_told_when_it_comes_and_when_it_has_gone() {
        let alarm = Alarm::default();
        let at = |s: u64| Moment::START + Duration::from_secs(s);
        assert!(!alarm.fall(at(0)), "never met");
        assert!(alarm.rise(at(0)));
        assert!(!alarm.fall(at(9)), "held");
        assert!(!alarm.rise(at(9)), "told already");
        assert!(!alarm.fall(at(18)), "held from when it was last met");
        assert!(alarm.fall(at(19)));
        assert!(!alarm.fall(at(40)), "told already");
        assert!(alarm.rise(at(41)));
    }
}
