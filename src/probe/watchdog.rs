//! Watches the probes from outside their runtime, on a thread of its own: whoever probes must never fall silent,
//! and if they do it must be heard.
//!
//! Every probe says when it will next do something. One that has not done so [`LATENESS_MAX`] later is overdue,
//! whatever keeps it: too many probes at once, a task that is stuck, a runtime that does not run.
//!
//! Once half of all probes are overdue by a whole interval of theirs, verdicts are stale, and the [`Horizon`] is
//! drawn to the present: answers go on as they are, with the least TTL, so that the first verdict that comes again is
//! soon everywhere. Answers are neither withheld nor changed: nothing was learnt against any endpoint. A few late
//! probes do not draw it in, since shorter TTLs bring more queries, and a machine that is late would be later.
//! Neither do those that this process has no right or no program to send: that is known and told, and says nothing of
//! others. But where that is all of them they count as overdue, as ever.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, Thread};
use std::time::Duration;

use tracing::{debug, error, info, warn};

use super::ledger::{Lag, Ledger};
use crate::health::LATENESS_MAX;
use crate::moment::Moment;
use crate::system::Clock;
use crate::ttl::Horizon;

/// Between two looks, each of which reads one number a probe: soon enough to be news.
pub const LOOK_GAP: Duration = Duration::from_secs(1);

/// How long nothing must be late before it is said to be over.
const CALM: Duration = Duration::from_secs(10);

/// A watch that lasted this much longer than meant was not awake itself: the machine slept, or was stopped. What is
/// overdue then says nothing yet.
const ASLEEP: Duration = Duration::from_secs(2);

/// The watching thread; it ends with this.
#[derive(Debug)]
pub(super) struct Watchdog {
    thread: Thread,
    stop: Arc<AtomicBool>,
}

impl Watchdog {
    /// Watches `ledger` until this is dropped.
    ///
    /// # Errors
    /// The system has no thread left.
    pub(super) fn start(ledger: &Arc<Ledger>, horizon: Arc<Horizon>, clock: Clock) -> io::Result<Self> {
        let (ledger, stop) = (Arc::clone(ledger), Arc::new(AtomicBool::new(false)));
        let stopping = Arc::clone(&stop);
        let thread = thread::Builder::new().name("watchdog".to_owned());
        let thread = thread.spawn(move || watch(&ledger, &horizon, clock, &stopping))?;
        Ok(Self { thread: thread.thread().clone(), stop })
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.unpark();
    }
}

fn watch(ledger: &Ledger, horizon: &Horizon, clock: Clock, stop: &AtomicBool) {
    let mut watch = Watch::default();
    let mut last = clock.now();
    loop {
        thread::park_timeout(LOOK_GAP);
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let now = clock.now();
        let slept = now.since(last);
        last = now;
        let late = ledger.take_late_most();
        if slept > LOOK_GAP + ASLEEP {
            warn!("this process stood still for {slept:?}, and its probes with it");
            continue;
        }
        let dues: Vec<Due> = ledger
            .all()
            .iter()
            .map(|record| Due {
                at: record.due(),
                interval: record.target.monitor.timing.interval,
                barred: record.is_barred(),
            })
            .collect();
        let (lag, news) = watch.look(late, &dues, now);
        ledger.set_lag(lag);
        horizon.set(if lag.stale { Moment::START } else { Moment::NEVER });
        debug!("the latest by {:?}, {} of {} overdue", lag.most, lag.overdue, lag.probes);
        match news {
            Some(News::Behind) => warn!(
                "probes fall behind: {} of {} overdue, the latest by {:?}; verdicts come late",
                lag.overdue, lag.probes, lag.most
            ),
            Some(News::Stale) => error!(
                "probing has all but stopped: {} of {} probes overdue, the latest by {:?}; verdicts stand still, and \
                 answers get their least TTL until they move again",
                lag.overdue, lag.probes, lag.most
            ),
            Some(News::Over) => info!("probes are in time again"),
            None => {}
        }
    }
}

/// When a probe next does something, and how long all is well without.
#[derive(Clone, Copy, Debug)]
struct Due {
    at: Moment,
    interval: Duration,
    /// It cannot be sent until somebody changes that, whoever else is in time.
    barred: bool,
}

/// What is worth saying.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum News {
    Behind,
    Stale,
    Over,
}

/// What has been said, and when the reason for it was last seen.
#[derive(Debug, Default)]
struct Watch {
    said: Option<(News, Moment)>,
}

impl Watch {
    /// Looks at all probes: `late` is by how much the latest has started too late since the last look.
    fn look(&mut self, late: Duration, dues: &[Due], now: Moment) -> (Lag, Option<News>) {
        let behind = |due: &Due| now.since(due.at);
        let barred = dues.iter().filter(|due| due.barred).count();
        // Where nothing can be sent at all, that is no matter of a few monitors.
        let counted = |due: &&Due| !due.barred || barred == dues.len();
        let overdue = dues.iter().filter(counted).filter(|due| behind(due) > LATENESS_MAX).count();
        let given_up = dues.iter().filter(counted).filter(|due| behind(due) > due.interval + LATENESS_MAX).count();
        let most = dues.iter().filter(counted).map(behind).max().unwrap_or_default().max(late);
        let stale = given_up > 0 && given_up * 2 >= dues.iter().filter(counted).count();
        let lag = Lag { most, overdue, probes: dues.len(), barred, stale };
        let met = match (stale, most > LATENESS_MAX) {
            (true, _) => Some(News::Stale),
            (false, true) => Some(News::Behind),
            (false, false) => None,
        };
        let news = match (self.said, met) {
            (None, Some(_)) | (Some((News::Behind, _)), Some(News::Stale)) => met,
            (Some((_, seen)), None) if now.since(seen) >= CALM => Some(News::Over),
            _ => None,
        };
        self.said = match (met, news) {
            (_, Some(News::Over)) => None,
            // Stale is still said while it gets better.
            (Some(met), _) => Some((news.or(self.said.map(|(said, _)| said)).unwrap_or(met), now)),
            (None, _) => self.said,
        };
        (lag, news)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    fn at(ms: u64) -> Moment {
        Moment::START + MS(ms)
    }

    #[test]
    fn what_falls_behind_is_said_once_and_so_is_its_end() {
        let mut watch = Watch::default();
        // Milliseconds: now, the latest start, when each of two probes is due; how many are overdue, what is said.
        let mut check = |now: u64, late: u64, dues: [u64; 2], overdue: usize, stale: bool, said: Option<News>| {
            let dues = dues.map(|due| Due { at: at(due), interval: MS(5_000), barred: false });
            let (lag, news) = watch.look(MS(late), &dues, at(now));
            assert_eq!((lag.overdue, lag.probes, lag.stale, news), (overdue, 2, stale, said), "at {now}");
        };
        check(1_000, 100, [900, 4_000], 0, false, None);
        check(2_000, 0, [1_899, 4_000], 1, false, Some(News::Behind));
        check(3_000, 500, [3_000, 4_000], 0, false, None);
        check(4_000, 0, [1_899, 4_000], 1, false, None);
        check(8_000, 0, [1_899, 8_000], 1, true, Some(News::Stale));
        check(9_000, 0, [1_899, 4_000], 2, true, None);
        check(10_000, 0, [9_000, 10_000], 1, false, None);
        check(19_000, 0, [19_000, 20_000], 0, false, None);
        check(20_000, 0, [20_000, 21_000], 0, false, Some(News::Over));
        check(21_000, 0, [21_000, 21_000], 0, false, None);
        check(22_000, 101, [22_000, 22_000], 0, false, Some(News::Behind));
    }

    #[test]
    fn a_few_that_are_stuck_do_not_shorten_the_answers_of_all() {
        let due = |ms: u64| Due { at: at(ms), interval: MS(1_000), barred: false };
        let look = |stuck: usize, all: usize| {
            let mut dues = vec![due(1_000); stuck];
            dues.resize(all, due(60_000));
            Watch::default().look(Duration::ZERO, &dues, at(60_000)).0
        };
        assert_eq!(look(0, 0), Lag::default());
        assert_eq!((look(49, 100).stale, look(49, 100).overdue), (false, 49));
        assert!(look(50, 100).stale);
        assert!(look(1, 1).stale);
        assert_eq!(look(1, 100).most, MS(59_000));
    }

    #[test]
    fn what_cannot_be_sent_at_all_makes_nothing_else_stale() {
        let due = |ms: u64, barred: bool| Due { at: at(ms), interval: MS(1_000), barred };
        // Of a hundred: so many that cannot be sent, and so many of the rest that are stuck.
        let check = |barred: usize, stuck: usize, overdue: usize, stale: bool| {
            let mut dues = vec![due(1_000, true); barred];
            dues.resize(barred + stuck, due(1_000, false));
            dues.resize(100, due(60_000, false));
            let (lag, news) = Watch::default().look(Duration::ZERO, &dues, at(60_000));
            let expected = Lag { overdue, barred, stale, probes: 100, most: lag.most };
            assert_eq!(lag, expected, "{barred}, {stuck}");
            assert_eq!((news.is_some(), lag.most.is_zero()), (overdue > 0, overdue == 0), "{barred}, {stuck}");
        };
        check(60, 0, 0, false);
        check(99, 0, 0, false);
        // Half of those that can be.
        check(60, 19, 19, false);
        check(60, 20, 20, true);
        // Nothing can be.
        check(100, 0, 100, true);
    }

    #[test]
    fn a_runtime_that_does_not_run_is_noticed() {
        use super::super::ledger::Record;
        use crate::health::ProbeId;
        use crate::health::{Comeback, Condition, Timing};
        use crate::probe::{Monitor, Probe, Target, TcpProbe};

        let clock = Clock::new();
        let (ledger, horizon) = (Arc::new(Ledger::default()), Arc::new(Horizon::default()));
        let timing = Timing { interval: MS(100), fast: MS(100), timeout: MS(100), ..Timing::default() };
        let monitor =
            Arc::new(Monitor { probe: Probe::Tcp(TcpProbe::connect(1)), timing, comeback: Comeback::default() });
        let target = Arc::new(Target { address: [127, 0, 0, 1].into(), monitor });
        let record = Arc::new(Record::new(ProbeId(0), target, clock.now(), Condition::default(), None));
        ledger.enter(Arc::clone(&record));
        let watchdog = Watchdog::start(&ledger, Arc::clone(&horizon), clock).expect("a thread");
        // Nobody steps: what ends the wait is what the watchdog sees.
        while horizon.get() == Moment::NEVER {
            thread::yield_now();
        }
        assert!(ledger.lag().stale && ledger.lag().overdue == 1);
        record.set_due(clock.now() + Duration::from_secs(3_600));
        while horizon.get() != Moment::NEVER {
            thread::yield_now();
        }
        assert_eq!(ledger.lag().overdue, 0);
        drop(watchdog);
        // It ends, whoever else reads the ledger.
        while Arc::strong_count(&ledger) > 1 {
            thread::yield_now();
        }
    }
}
