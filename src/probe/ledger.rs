//! What is known of every probe, for whoever asks from outside: the status, the metrics, the state file, the
//! watchdog. Reading holds nobody up: each entry has a lock of its own, held for a few copies.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::asker::Found;
use super::{Measured, Target};
use crate::health::{Condition, ProbeId, State};
use crate::moment::Moment;

/// One probe at one moment.
#[derive(Clone, Debug)]
pub struct Report {
    /// Its number on the board.
    pub probe: ProbeId,
    /// What is probed.
    pub target: Arc<Target>,
    /// What is thought of it, and what is remembered of its deaths.
    pub condition: Condition,
    /// When its verdict last turned, or was first made, in milliseconds since 1970; 0 while there is none. From
    /// before the start of the process where it was restored.
    pub since: u64,
    /// What the last probe of this process found; `None` until there is one, so that a verdict without it is one
    /// that was restored.
    pub last: Option<Heard>,
    /// When the certificate ends that it last showed, in seconds since 1970; `None` where it shows none.
    pub certificate_ends: Option<u64>,
    /// What came of all probes so far.
    pub tally: ProbeCounts,
    /// How long those of this process took, and how they failed.
    pub measured: Measured,
    /// When it next does something: starts a probe, or ends one for want of an answer.
    pub due: Moment,
    /// How much later than planned the last probe started.
    pub late: Duration,
}

/// What one probe found.
#[derive(Clone, Debug, PartialEq)]
pub struct Heard {
    /// What its answer told beside being right; or why it failed.
    pub found: Found,
    /// When it started.
    pub start: Moment,
    /// When it ended.
    pub end: Moment,
}

/// Counts since the probe was first made, over restarts where state is kept; they stop at their greatest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProbeCounts {
    /// Probes that found something of the endpoint, good or bad.
    pub probes: u64,
    /// Those that failed.
    pub failures: u64,
    /// Verdicts that turned; the first is none that did.
    pub turns: u64,
}

/// A verdict from before a restart, to begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Restored {
    /// What was thought of the endpoint.
    pub state: State,
    /// Since when, in milliseconds since 1970.
    pub since: u64,
    /// Deaths in a row, as [`Record::deaths`](crate::health::Record::deaths) has them.
    pub deaths: u8,
    /// What had come of its probes.
    pub tally: ProbeCounts,
}

/// How far probes are behind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lag {
    /// By how much the latest probe started too late within the last look, or is overdue now.
    pub most: Duration,
    /// Probes that should have started or ended [`LATENESS_MAX`](crate::health::LATENESS_MAX) ago and have not.
    pub overdue: usize,
    /// Probes in all.
    pub probes: usize,
    /// Those of them that this process may not send, or has nothing to send with; none of them is overdue, unless there
    /// are no others.
    pub barred: usize,
    /// Whether so much is overdue that verdicts cannot be counted on: answers then live no longer than they must.
    pub stale: bool,
}

/// All probes of one [`super::Prober`].
#[derive(Debug, Default)]
pub struct Ledger {
    records: Mutex<HashMap<ProbeId, Arc<Record>>>,
    /// Nanoseconds; by how much the latest probe started too late since this was last taken.
    late_most: AtomicU64,
    lag: Mutex<Lag>,
}

impl Ledger {
    /// A report of each probe, by number. Copies what each has found last, so it is for whoever asks now and then.
    pub fn reports(&self) -> Vec<Report> {
        let mut reports: Vec<Report> = self.all().iter().map(|record| record.report()).collect();
        reports.sort_unstable_by_key(|report| report.probe);
        reports
    }

    /// How far probes were behind when the watchdog last looked.
    pub fn lag(&self) -> Lag {
        *lock(&self.lag)
    }

    pub(super) fn all(&self) -> Vec<Arc<Record>> {
        lock(&self.records).values().map(Arc::clone).collect()
    }

    pub(super) fn enter(&self, record: Arc<Record>) {
        lock(&self.records).insert(record.probe, record);
    }

    pub(super) fn strike(&self, probe: ProbeId) {
        lock(&self.records).remove(&probe);
    }

    pub(super) fn started_late(&self, by: Duration) {
        self.late_most.fetch_max(u64::try_from(by.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// By how much the latest probe started too late since this was last asked.
    pub(super) fn take_late_most(&self) -> Duration {
        Duration::from_nanos(self.late_most.swap(0, Ordering::Relaxed))
    }

    pub(super) fn set_lag(&self, lag: Lag) {
        *lock(&self.lag) = lag;
    }
}

/// One probe's entry: written by its task, read by anyone.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) probe: ProbeId,
    pub(super) target: Arc<Target>,
    due: AtomicU64,
    barred: AtomicBool,
    held_until: AtomicU64,
    /// An operator lets it up.
    pub(super) release: Notify,
    known: Mutex<Known>,
}

#[derive(Debug)]
struct Known {
    condition: Condition,
    since: u64,
    last: Option<Heard>,
    certificate_ends: Option<u64>,
    tally: ProbeCounts,
    measured: Measured,
    late: Duration,
}

impl Record {
    /// A probe that stands at `condition`, which was `restored` or is the first.
    pub(super) fn new(
        probe: ProbeId,
        target: Arc<Target>,
        due: Moment,
        condition: Condition,
        restored: Option<Restored>,
    ) -> Self {
        let (since, tally) = restored.map_or((0, ProbeCounts::default()), |restored| (restored.since, restored.tally));
        let (measured, late) = (Measured::default(), Duration::ZERO);
        let known = Known { condition, since, last: None, certificate_ends: None, tally, measured, late };
        let due = AtomicU64::new(due.as_nanos());
        let (held_until, release) = (AtomicU64::new(Moment::START.as_nanos()), Notify::new());
        let barred = AtomicBool::new(false);
        Self { probe, target, due, barred, held_until, release, known: Mutex::new(known) }
    }

    /// When its task next does something, unless it is stuck.
    pub(super) fn due(&self) -> Moment {
        Moment::from_nanos(self.due.load(Ordering::Relaxed))
    }

    pub(super) fn set_due(&self, at: Moment) {
        self.due.store(at.as_nanos(), Ordering::Relaxed);
    }

    /// Whether the last try found that it cannot be sent until somebody changes that.
    pub(super) fn is_barred(&self) -> bool {
        self.barred.load(Ordering::Relaxed)
    }

    pub(super) fn set_barred(&self, barred: bool) {
        self.barred.store(barred, Ordering::Relaxed);
    }

    /// Until when its verdict of down is held; once it has recovered, that is over.
    pub(super) fn held_until(&self) -> Moment {
        Moment::from_nanos(self.held_until.load(Ordering::Relaxed))
    }

    pub(super) fn hold(&self, until: Moment) {
        self.held_until.store(until.as_nanos(), Ordering::Relaxed);
    }

    /// Where it stands.
    pub(super) fn state(&self) -> State {
        lock(&self.known).condition.state()
    }

    /// A probe has ended that we could send.
    pub(super) fn hear(&self, heard: Heard, late: Duration, condition: Condition, turned: Option<u64>) {
        let mut known = lock(&self.known);
        let first = known.condition.state() == State::Unknown;
        known.tally.probes = known.tally.probes.saturating_add(1);
        known.tally.failures = known.tally.failures.saturating_add(u64::from(heard.found.is_err()));
        known.measured.add(&heard.found, heard.end.since(heard.start));
        if let Some(since) = turned {
            known.since = since;
            known.tally.turns = known.tally.turns.saturating_add(u64::from(!first));
        }
        if let Ok(answered) = &heard.found {
            known.certificate_ends = answered.certificate_ends;
        }
        (known.condition, known.last, known.late) = (condition, Some(heard), late);
    }

    /// An operator let it up, `since` then.
    pub(super) fn let_up(&self, condition: Condition, since: u64) {
        let mut known = lock(&self.known);
        known.tally.turns = known.tally.turns.saturating_add(1);
        (known.condition, known.since) = (condition, since);
    }

    fn report(&self) -> Report {
        let known = lock(&self.known);
        Report {
            probe: self.probe,
            target: Arc::clone(&self.target),
            condition: known.condition,
            since: known.since,
            last: known.last.clone(),
            certificate_ends: known.certificate_ends,
            tally: known.tally,
            measured: known.measured,
            due: self.due(),
            late: known.late,
        }
    }
}

/// Nothing under these locks can panic half-way, so a poisoned one guards what it always did.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
