//! Keeps probing: one task for each target, and a watchdog over all of them.
//!
//! Tasks share nothing that one could hold up another by: a stuck endpoint costs a socket until its timeout.
//! A probe that panics is a bug, not the end of its task: whoever probes must never fall silent.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::AbortHandle;
use tracing::error;

use super::changes::{Queue, Tenure};
use super::ledger::{Ledger, Record, Restored};
use super::push::{Letterbox, Pushed};
use super::sentry::{Sentry, Shared};
use super::watchdog::Watchdog;
use super::{Change, Changes, Monitor, Target, Tls};
use crate::health::{self, Condition, Health, LATENESS_MAX, ProbeId, State, Verdict, patience};
use crate::moment::Moment;
use crate::random::Random;
use crate::system::Clock;
use crate::ttl::Horizon;

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
    horizon: Arc<Horizon>,
    _watchdog: Option<Watchdog>,
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
        let shared = Arc::new(Shared::new(clock, tls, queue));
        let horizon = Arc::<Horizon>::default();
        let watchdog = Watchdog::start(&shared.ledger, Arc::clone(&horizon), clock);
        let watchdog = watchdog.inspect_err(|error| error!(%error, "nobody watches the probes: no thread is left"));
        let prober = Self {
            runtime: Handle::current(),
            shared,
            random: Random::new(seed),
            first: Moment::START,
            first_round_end: Moment::START,
            ids: HashMap::new(),
            watches: HashMap::new(),
            free: BTreeSet::new(),
            horizon,
            _watchdog: watchdog.ok(),
        };
        (prober, changes)
    }

    /// Probes `target` from now on, unless it is already; equal targets share one number, which they keep until
    /// [`Prober::keep_only`] drops it. One with a verdict from before a restart is told of at once, as if that could
    /// turn at any moment, so that nothing is promised on it before the first result is in.
    pub fn watch(&mut self, target: Target, restored: Option<Restored>) -> ProbeId {
        if let Some(&probe) = self.ids.get(&target) {
            return probe;
        }
        let target = Arc::new(target);
        let probe = self.free.pop_first().unwrap_or(ProbeId(u32::try_from(self.watches.len()).unwrap_or(u32::MAX)));
        let restored = restored.filter(|restored| restored.state != State::Unknown);
        let condition = restored.map_or_else(Condition::default, |restored| self.condition(restored, &target));
        let tenure = self.shared.queue.admit(probe);
        if condition.state() != State::Unknown {
            self.tell_restored(condition, probe, &target, tenure);
        }
        let first = self.first_start(&target);
        let record = Arc::new(Record::new(probe, Arc::clone(&target), first, condition, restored));
        self.shared.ledger.enter(Arc::clone(&record));
        let letterbox = target.is_pushed().then(Arc::<Letterbox>::default);
        let (shared, random) = (Arc::clone(&self.shared), self.random.split());
        let sentry = Sentry { tenure, record, shared, random, letterbox };
        self.watches.insert(probe, Watch::new(&self.runtime, sentry, first, condition));
        self.ids.insert(target, probe);
        probe
    }

    /// What is thought of `target` by what was kept: a hold and a slow start go on where they were.
    fn condition(&self, restored: Restored, target: &Target) -> Condition {
        let Restored { state, since, deaths, .. } = restored;
        let (since, now) = (self.shared.clock.moment_of(since), self.shared.clock.now());
        // Whatever it judged by was before this process.
        Condition::restored(health::Record { state, since, judged: now, deaths }, &target.monitor.timing, now)
    }

    fn tell_restored(&self, condition: Condition, probe: ProbeId, target: &Arc<Target>, tenure: Tenure) {
        let Monitor { timing, comeback, .. } = &*target.monitor;
        let now = self.shared.clock.now();
        let health = Health { flip: Moment::START, ..condition.health(timing, comeback, now, now) };
        let turned = Some(if health.alive { Verdict::Up } else { Verdict::Down });
        let ramp = condition.ramp(comeback);
        let change = Change { probe, target: Arc::clone(target), health, ramp, turned, turn: None, cause: None };
        self.shared.queue.report(tenure, change);
    }

    /// Hands a report to `probe`, and says for how long it is good; `None` where no reports are waited for.
    pub fn push(&self, probe: ProbeId, pushed: Pushed) -> Option<Duration> {
        let watch = self.watches.get(&probe)?;
        watch.letterbox.as_ref()?.put(pushed);
        Some(watch.record.target.monitor.timing.timeout)
    }

    /// Whether `probe` waits for reports, so that nothing is known of it before one comes.
    pub fn is_pushed(&self, probe: ProbeId) -> bool {
        self.watches.get(&probe).is_some_and(|watch| watch.letterbox.is_some())
    }

    /// Lets up what awaits its release; nothing where it does not, or once a probe has found it down again.
    pub fn release(&self, probe: ProbeId) {
        if let Some(watch) = self.watches.get(&probe) {
            watch.record.release.notify_one();
        }
    }

    /// Tells `probe` that its verdict of down is held until then: should it find its endpoint well before, that never was
    /// down.
    pub fn hold(&self, probe: ProbeId, until: Moment) {
        if let Some(watch) = self.watches.get(&probe) {
            watch.record.hold(until);
        }
    }

    /// Whether `probe` finds its endpoint well, and only an operator lets it up.
    pub fn awaits_release(&self, probe: ProbeId) -> bool {
        self.watches.get(&probe).is_some_and(|watch| watch.record.state() == State::Awaiting)
    }

    /// What is known of all probes, for as long as this lives.
    pub fn ledger(&self) -> Arc<Ledger> {
        Arc::clone(&self.shared.ledger)
    }

    /// How far the watchdog lets answers count on the verdicts.
    pub fn horizon(&self) -> Arc<Horizon> {
        Arc::clone(&self.horizon)
    }

    /// Stops whatever is not in `keep`. Nothing is heard of those any more, not even a change that waits to be
    /// read; their numbers may be given out anew.
    pub fn keep_only(&mut self, keep: &HashSet<ProbeId>) {
        let stopped: Vec<ProbeId> = self.watches.keys().copied().filter(|probe| !keep.contains(probe)).collect();
        self.shared.queue.dismiss(&stopped);
        for probe in stopped {
            self.shared.ledger.strike(probe);
            if let Some(watch) = self.watches.remove(&probe) {
                self.ids.remove(&watch.record.target);
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
        if target.is_pushed() {
            // A report comes when it comes: nobody waits for the first.
            return start;
        }
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
    record: Arc<Record>,
    letterbox: Option<Arc<Letterbox>>,
    task: AbortHandle,
}

impl Watch {
    fn new(runtime: &Handle, sentry: Sentry, first: Moment, condition: Condition) -> Self {
        let (record, letterbox) = (Arc::clone(&sentry.record), sentry.letterbox.clone());
        Self { record, letterbox, task: runtime.spawn(sentry.stand(first, condition)).abort_handle() }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[cfg(test)]
mod tests;
