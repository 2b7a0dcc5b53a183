//! Probing against real endpoints on loopback.

use std::net::SocketAddr;

use rustls::RootCertStore;
use tokio::time;

use super::*;
use crate::health::{Comeback, Failback, HoldDown, Load, PerMille, STEP_PER_INTERVAL, Timing};
use crate::probe::endpoint::{Endpoint, Reply, loopback};
use crate::probe::{ExecProbe, Failure, HttpProbe, Probe, ProbeCounts, TcpProbe};

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
    let probe = Probe::Http(HttpProbe::get(endpoint.port(), "/"));
    Target { address: endpoint.ip(), monitor: Arc::new(Monitor { probe, timing, comeback: Comeback::default() }) }
}

fn tcp(endpoint: SocketAddr) -> Target {
    let probe = Probe::Tcp(TcpProbe::connect(endpoint.port()));
    Target {
        address: endpoint.ip(),
        monitor: Arc::new(Monitor { probe, timing: TIMING, comeback: Comeback::default() }),
    }
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
    let probe = prober.watch(http(address, TIMING), None);
    let first = next(&mut changes).await;
    assert_eq!((first.probe, first.health, first.turned, first.cause), (probe, Health::UP, Some(Verdict::Up), None));
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
    ledger: Arc<Ledger>,
    /// What was told last.
    last: Option<Load>,
    /// Probes that were over when each of the last two changes was read, the older first.
    probes: [u64; 2],
}

impl Watcher {
    /// The next load that is told, within what it may have moved by in as many probes: those since the last change but one
    /// was read, since the last one was told after that. One that timed out moves it as well.
    async fn next(&mut self) -> Option<Load> {
        let change = next(&mut self.changes).await;
        assert!(change.health.alive || self.last.is_none(), "{change:?}");
        let probes: u64 = self.ledger.reports().iter().map(|report| report.tally.probes).sum();
        let [before, last] = self.probes;
        self.probes = [last, probes];
        let (load, most) = (change.health.load, STEP_PER_INTERVAL as usize * (probes - before) as usize + 1);
        let moved = |a: PerMille, b: PerMille| usize::from(a.get().abs_diff(b.get()));
        match (self.last, load) {
            (Some(old), Some(new)) => {
                assert!(moved(old.utilization, new.utilization) <= most, "{old:?} → {new:?} in {most}");
                assert!(moved(old.trust, new.trust) <= most, "{old:?} → {new:?} in {most}");
            }
            (Some(old), None) => assert!(usize::from(old.trust.get()) <= most, "{old:?} → none in {most}"),
            (None, Some(new)) => assert_eq!(new.trust.get(), STEP_PER_INTERVAL),
            (None, None) => {}
        }
        self.last = load;
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
    let reporting = |load: &str| Reply::Text(format!("HTTP/1.1 200 OK\r\nendpoint-load-metrics: TEXT {load}\r\n\r\n"));
    let interval = Duration::from_millis(100);
    // A probe that comes too late for so short an interval is a report missed, and never a verdict.
    let timing = Timing { interval, fast: interval, timeout: interval, fall: 100, rise: 1 };
    let endpoint = Endpoint::plain(loopback(28), reporting("cpu_utilization=0.2")).await;
    let (mut prober, changes) = start();
    prober.watch(http(endpoint.address, timing), None);
    let mut watcher = Watcher { endpoint, changes, ledger: prober.ledger(), last: None, probes: [0; 2] };
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
        (prober.watch(http(endpoint.address, TIMING), None), None),
        (prober.watch(tcp(endpoint.address), None), None),
        (prober.watch(http(refusing.address, TIMING), None), Some(status)),
        (prober.watch(http(hanging.address, short), None), timed_out.clone()),
        (prober.watch(http(slow.address, short), None), timed_out),
        (
            prober.watch(tcp(SocketAddr::from(([127, 0, 0, 24], 1))), None),
            Some(Failure::Connection(std::io::ErrorKind::ConnectionRefused)),
        ),
        (prober.watch(broken, None), Some(Failure::Monitor("no request can be made for host \"no host\"".to_owned()))),
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
    let one = prober.watch(http(endpoint.address, TIMING), None);
    let two = prober.watch(tcp(endpoint.address), None);
    assert_eq!(prober.watch(http(endpoint.address, TIMING), None), one);
    assert_eq!([one, two], [ProbeId(0), ProbeId(1)]);
    assert_eq!([next(&mut changes).await.turned, next(&mut changes).await.turned], [Some(Verdict::Up); 2]);
    assert_eq!(endpoint.seen().len(), 1, "one probe for both");

    prober.keep_only(&HashSet::from([two]));
    assert_eq!(prober.watch(tcp(endpoint.address), None), two, "kept over a reload");
    let three = prober.watch(http(other.address, TIMING), None);
    assert_eq!(three, one, "the least free number is given out anew");
    let change = next(&mut changes).await;
    assert_eq!((change.probe, change.target.address), (three, other.address.ip()));
    assert!(changes.try_recv().is_none(), "what was kept does not start anew");
}

#[tokio::test]
async fn what_is_not_kept_stops() {
    let endpoint = Endpoint::plain(loopback(27), Reply::Hang(String::new())).await;
    let (mut prober, mut changes) = start();
    prober.watch(http(endpoint.address, TIMING), None);
    while endpoint.seen().is_empty() {
        tokio::task::yield_now().await;
    }
    let tasks = || Handle::current().metrics().num_alive_tasks();
    let shared = Arc::downgrade(&prober.shared);
    let before = tasks();
    prober.keep_only(&HashSet::new());
    assert!(prober.ids.is_empty() && prober.watches.is_empty());
    // The watch is gone, and the probe under way with it.
    while tasks() > before - 1 {
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
async fn a_restored_verdict_is_told_at_once_and_promises_nothing() {
    // Takes connections and never says a word: no probe ends before its timeout.
    let silent = Endpoint::plain(loopback(29), Reply::Hang(String::new())).await;
    let (mut prober, mut changes) = start();
    let timing = Timing { interval: Duration::from_secs(3_600), timeout: Duration::from_secs(3_600), ..TIMING };
    let tally = ProbeCounts { probes: 7, failures: 3, turns: 2 };
    let mut check = |state: State, timing: Timing, alive: bool| {
        let restored = Restored { state, since: 1_000, deaths: 0, tally };
        let probe = prober.watch(http(silent.address, timing), Some(restored));
        let change = changes.try_recv().expect("told before anything is probed");
        assert_eq!((change.probe, change.health.alive, change.health.flip), (probe, alive, Moment::START));
        assert!(change.turned.is_some());
        let report = prober.ledger().reports().into_iter().find(|report| report.probe == probe).expect("known");
        assert_eq!((report.condition.state(), report.since, report.last, report.tally), (state, 1_000, None, tally));
    };
    check(State::Up, timing, true);
    check(State::Down, Timing { rise: 3, ..timing }, false);
    // One that is not known begins as any other.
    let restored = Restored { state: State::Unknown, since: 0, deaths: 0, tally };
    prober.watch(http(silent.address, Timing { rise: 4, ..timing }), Some(restored));
    assert!(changes.try_recv().is_none());
}

/// A target that answers, with what it must wait for.
fn waiting(endpoint: &Endpoint, comeback: Comeback) -> Target {
    let probe = Probe::Http(HttpProbe::get(endpoint.address.port(), "/"));
    let timing = Timing { rise: 1, ..TIMING };
    Target { address: endpoint.address.ip(), monitor: Arc::new(Monitor { probe, timing, comeback }) }
}

#[tokio::test]
async fn a_hold_and_a_slow_start_go_on_over_a_restart() {
    let endpoint = Endpoint::plain(loopback(33), ok()).await;
    let (mut prober, mut changes) = start();
    let minute = Duration::from_secs(60);
    let hold_down = HoldDown { first: 10 * minute, most: 10 * minute, ..HoldDown::default() };
    let comeback = Comeback { hold_down, slow_start: 20 * minute, ..Comeback::default() };
    let now = prober.shared.clock.now();
    // What happened a minute before this process: its clock knows of it.
    let since = prober.shared.clock.unix_ms(now) - 60_000;
    let restored = |state| Some(Restored { state, since, deaths: 2, tally: ProbeCounts::default() });
    let probe = prober.watch(waiting(&endpoint, comeback), restored(State::Down));
    assert!(!next(&mut changes).await.health.alive, "as it was");
    let held = next(&mut changes).await;
    assert_eq!((held.health.alive, held.turned, held.cause), (false, None, None));
    let left = held.health.flip.since(now);
    assert!(left > 8 * minute && left <= 9 * minute, "a minute of ten is over: {left:?}");
    let report = prober.ledger().reports().into_iter().find(|report| report.probe == probe).expect("known");
    assert_eq!((report.condition.state(), report.condition.record().deaths), (State::Held, 2));

    let other = Comeback { slow_start: 19 * minute, ..comeback };
    prober.watch(waiting(&endpoint, other), restored(State::Up));
    let ramping = next(&mut changes).await;
    let ramp = ramping.ramp.expect("a slow start");
    assert_eq!((ramping.health.alive, ramp.share(now).get()), (true, 100), "a step of nineteen is over");
}

#[tokio::test]
async fn what_awaits_its_release_is_let_up() {
    let endpoint = Endpoint::plain(loopback(34), ok()).await;
    let (mut prober, mut changes) = start();
    let comeback = Comeback { failback: Failback::Manual, hold_down: HoldDown::OFF, ..Comeback::default() };
    let restored = Restored { state: State::Down, since: 1_000, deaths: 1, tally: ProbeCounts::default() };
    let probe = prober.watch(waiting(&endpoint, comeback), Some(restored));
    prober.release(probe);
    while !prober.awaits_release(probe) {
        tokio::task::yield_now().await;
    }
    while changes.try_recv().is_some() {}
    prober.release(probe);
    let up = next(&mut changes).await;
    assert_eq!((up.probe, up.health.alive, up.turned, up.cause), (probe, true, Some(Verdict::Up), None));
    let report = prober.ledger().reports().into_iter().find(|report| report.probe == probe).expect("known");
    assert!(report.condition.state() == State::Up && report.tally.turns == 1 && report.since > 1_000);
    assert!(!prober.awaits_release(probe));
}

#[tokio::test]
async fn who_recovers_while_its_verdict_is_held_waits_for_nothing() {
    let endpoint = Endpoint::plain(loopback(61), ok()).await;
    let (mut prober, mut changes) = start();
    let minute = Duration::from_secs(60);
    let comeback = Comeback { failback: Failback::Manual, slow_start: 20 * minute, ..Comeback::default() };
    let (address, target) = (endpoint.address, waiting(&endpoint, comeback));
    let probe = prober.watch(target, None);
    assert_eq!(next(&mut changes).await.health, Health::UP);
    drop(endpoint);
    while next(&mut changes).await.turned != Some(Verdict::Down) {}
    prober.hold(probe, prober.shared.clock.now() + 60 * minute);
    let _endpoint = Endpoint::plain(address, ok()).await;
    let up = next(&mut changes).await;
    assert_eq!((up.health, up.ramp, up.turned), (Health::UP, None, Some(Verdict::Up)));
    let report = prober.ledger().reports().into_iter().find(|report| report.probe == probe).expect("known");
    assert_eq!((report.condition.state(), report.condition.record().deaths), (State::Up, 0));
    assert_eq!(report.tally.turns, 2, "what its probes found is counted all the same");
}

#[tokio::test]
async fn a_restored_verdict_turns_by_results_alone() {
    let (up, down) = (Endpoint::plain(loopback(30), ok()).await, Endpoint::plain(loopback(31), ok()).await);
    let (mut prober, mut changes) = start();
    let restored = |state| Some(Restored { state, since: 1_000, deaths: 0, tally: ProbeCounts::default() });
    let up = prober.watch(http(up.address, TIMING), restored(State::Up));
    let down = prober.watch(http(down.address, TIMING), restored(State::Down));
    let mut healths: HashMap<ProbeId, Vec<(bool, Option<Verdict>)>> = HashMap::new();
    while healths.get(&down).is_none_or(|seen| seen.last() != Some(&(true, Some(Verdict::Up)))) {
        let change = next(&mut changes).await;
        healths.entry(change.probe).or_default().push((change.health.alive, change.turned));
    }
    // With rise 2 one success is not enough, though it is the first result of this process.
    assert_eq!(healths[&down], [(false, Some(Verdict::Down)), (false, None), (true, Some(Verdict::Up))]);
    assert_eq!(healths[&up][0], (true, Some(Verdict::Up)));
    assert!(healths[&up][1..].iter().all(|seen| *seen == (true, None)), "confirmed, not turned");
    let reports = prober.ledger().reports();
    let of = |probe| reports.iter().find(|report| report.probe == probe).expect("known");
    assert_eq!((of(down).tally.turns, of(down).condition.state()), (1, State::Up));
    assert_eq!((of(up).tally.turns, of(up).tally.failures, of(up).since), (0, 0, 1_000));
    assert!(of(down).since > 1_000, "the verdict turned now");
}

#[tokio::test]
async fn what_cannot_be_sent_makes_verdicts_stale_only_where_there_is_nothing_else() {
    let folder = tempfile::tempdir().expect("a folder");
    let program = folder.path().join("program");
    let command = vec![program.to_str().expect("a path").to_owned()];
    let probe = Probe::Exec(ExecProbe { command, environment: Vec::new(), exit: vec![0], port: None });
    let monitor = Arc::new(Monitor { probe, timing: TIMING, comeback: Comeback::default() });
    let (mut prober, mut changes) = start();
    prober.watch(Target { address: loopback(62).ip(), monitor }, None);
    let ledger = prober.ledger();
    // Real time: the watchdog is a thread with a clock of its own, and looks once a second.
    let stale = async |wanted: bool| {
        let look = async {
            while ledger.lag().stale != wanted {
                time::sleep(Duration::from_millis(20)).await;
            }
        };
        time::timeout(Duration::from_secs(60), look).await.expect("the watchdog to see it");
    };
    stale(true).await;
    assert!(changes.try_recv().is_none(), "nothing was learnt");
    assert_eq!((ledger.lag().barred, ledger.lag().overdue), (1, 1));
    // Another one is in time, and its verdict can be counted on.
    let other = Endpoint::plain(loopback(63), ok()).await;
    prober.watch(http(other.address, TIMING), None);
    assert_eq!(next(&mut changes).await.health, Health::UP);
    stale(false).await;
    assert_eq!((ledger.lag().barred, ledger.lag().overdue, ledger.lag().probes), (1, 0, 2));
    // One that is there already: whoever writes a program may find another thread's child holding it open.
    std::os::unix::fs::symlink("/bin/true", &program).expect("a program");
    assert_eq!(next(&mut changes).await.health, Health::UP);
    let freed = async {
        while ledger.lag().barred > 0 {
            time::sleep(Duration::from_millis(20)).await;
        }
    };
    time::timeout(Duration::from_secs(60), freed).await.expect("the watchdog to see it");
}

#[tokio::test]
async fn what_is_stuck_holds_up_nobody() {
    let address = loopback(32);
    // One says nothing after the connection, another nothing after the head, a third takes no TLS.
    let mute = Endpoint::plain(address, Reply::Hang(String::new())).await;
    let slow = Endpoint::plain(address, Reply::Hang("HTTP/1.1 200 OK\r\nX: ".to_owned())).await;
    let quick = Endpoint::plain(address, ok()).await;
    let hour = Duration::from_secs(3_600);
    let patient = Timing { interval: hour, timeout: hour, ..TIMING };
    let often = Timing { interval: Duration::from_millis(100), timeout: Duration::from_millis(100), ..TIMING };
    let (mut prober, mut changes) = start();
    let mut over_tls = http(mute.address, patient);
    let Probe::Http(probe) = &mut Arc::get_mut(&mut over_tls.monitor).expect("the only one").probe else { return };
    probe.tls = Some(crate::probe::TlsCheck::verified());
    let stuck = [http(mute.address, patient), http(slow.address, patient), over_tls];
    let stuck = stuck.map(|target| prober.watch(target, None));
    let quick = prober.watch(http(quick.address, often), None);
    let ledger = prober.ledger();
    let probes = |probe| {
        let reports = ledger.reports();
        reports.iter().find(|report| report.probe == probe).map_or(0, |report| report.tally.probes)
    };
    while probes(quick) < 10 {
        let _ = time::timeout(Duration::from_millis(10), changes.recv()).await;
    }
    assert_eq!(stuck.map(probes), [0; 3]);
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
        starts.windows(2).all(|pair| pair[1].since(pair[0]) <= FIRST_ROUND_GAP || pair[1] <= after + FIRST_ROUND_GAP)
    );
    assert!(starts.iter().all(|&start| start <= after + TIMING.interval));
    assert!(starts[4_000].since(before) >= Duration::from_secs(1));
    assert!(prober.first_round_end() >= starts[19_999] + patience(&TIMING));
}
