//! The way from the probes to whoever keeps the board: bounded, and closed to probes that were stopped.
//!
//! A channel would be one or the other: bounded, it would hold up probes while its reader is busy, and they
//! would come late; unbounded, it would grow. Here a probe's newer change takes the place of its older one that
//! nobody has read yet, so there is at most one a probe, and nobody waits. A stopped probe's change is taken out
//! of the queue, and none gets in any more even from a task that is still running elsewhere: its number may be
//! given out anew, and must never speak of another endpoint.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::{Failure, Target};
use crate::health::{Health, ProbeId, Ramp, Verdict};

/// What has become of an endpoint.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// Which entry of the board.
    pub probe: ProbeId,
    /// Who it is about.
    pub target: Arc<Target>,
    /// What to enter.
    pub health: Health,
    /// Its way back to its whole share, along which that grows without a word from here; `None` without a slow start.
    pub ramp: Option<Ramp>,
    /// The verdict, if it turned since the last change that was read; it always has in the first.
    pub turned: Option<Verdict>,
    /// How it turned; `None` also where it was restored as it had been.
    pub turn: Option<Turn>,
    /// Why the last probe failed; `None` when it succeeded.
    pub cause: Option<Failure>,
}

/// How a verdict turned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    /// How long the one before had stood; `None` where there was none.
    pub lasted: Option<Duration>,
    /// Why, where that says more than the verdict does.
    pub why: Option<String>,
}

/// The changes of all probes of one [`super::Prober`], for one reader.
#[derive(Debug)]
pub struct Changes(Arc<Queue>);

impl Changes {
    /// The next change, the one that waited longest first; `None` once the prober is gone. May be dropped while
    /// it waits without losing anything.
    pub async fn recv(&mut self) -> Option<Change> {
        loop {
            if let Some(change) = self.try_recv() {
                return Some(change);
            }
            if self.0.lock().closed {
                return None;
            }
            self.0.arrived.notified().await;
        }
    }

    /// The next change if one waits: to take all that there are before acting on them.
    pub fn try_recv(&mut self) -> Option<Change> {
        let mut waiting = self.0.lock();
        let Waiting { order, changes, .. } = &mut *waiting;
        // A number whose change was taken out may still stand in the order.
        while let Some(probe) = order.pop_front() {
            if let Some(change) = changes.remove(&probe) {
                return Some(change);
            }
        }
        None
    }
}

/// Tells one use of a [`ProbeId`] from the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tenure(u64);

/// The end of the queue that probes know.
#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    arrived: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    /// Who may report: the present tenure of each number.
    tenures: HashMap<ProbeId, Tenure>,
    tenures_total: u64,
    /// At most one a probe.
    changes: HashMap<ProbeId, Change>,
    order: VecDeque<ProbeId>,
    closed: bool,
}

impl Queue {
    pub(super) fn new() -> (Arc<Self>, Changes) {
        let queue = Arc::new(Self::default());
        (Arc::clone(&queue), Changes(queue))
    }

    /// Lets a new tenant of `probe` report.
    pub(super) fn admit(&self, probe: ProbeId) -> Tenure {
        let mut waiting = self.lock();
        let tenure = Tenure(waiting.tenures_total);
        waiting.tenures_total += 1;
        waiting.tenures.insert(probe, tenure);
        tenure
    }

    /// From here on nothing is heard of `stopped`. Takes time in proportion to what waits.
    pub(super) fn dismiss(&self, stopped: &[ProbeId]) {
        let mut waiting = self.lock();
        let Waiting { tenures, changes, order, .. } = &mut *waiting;
        for probe in stopped {
            tenures.remove(probe);
            changes.remove(probe);
        }
        order.retain(|probe| changes.contains_key(probe));
    }

    /// Enters `change`, unless whoever reports it was dismissed.
    pub(super) fn report(&self, tenure: Tenure, mut change: Change) {
        let mut waiting = self.lock();
        let probe = change.probe;
        if waiting.tenures.get(&probe) != Some(&tenure) {
            return;
        }
        match waiting.changes.remove(&probe) {
            Some(unread) => {
                change.turn = if change.turned.is_some() { change.turn } else { unread.turn };
                change.turned = change.turned.or(unread.turned);
            }
            None => waiting.order.push_back(probe),
        }
        waiting.changes.insert(probe, change);
        drop(waiting);
        self.arrived.notify_one();
    }

    /// No more will come.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.arrived.notify_one();
    }

    /// Nothing in here can panic half-way, so a poisoned lock guards what it always did.
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::{Comeback, Timing};
    use crate::probe::{Monitor, Probe, TcpProbe};

    const UP: Option<Verdict> = Some(Verdict::Up);
    const DOWN: Option<Verdict> = Some(Verdict::Down);

    fn change(probe: u32, health: Health, turned: Option<Verdict>) -> Change {
        let monitor = Arc::new(Monitor {
            probe: Probe::Tcp(TcpProbe::connect(1)),
            timing: Timing::default(),
            comeback: Comeback::default(),
        });
        let target = Arc::new(Target { address: [127, 0, 0, 1].into(), monitor });
        Change { probe: ProbeId(probe), target, health, ramp: None, turned, turn: None, cause: None }
    }

    fn read(changes: &mut Changes) -> Vec<(u32, bool, Option<Verdict>)> {
        std::iter::from_fn(|| changes.try_recv())
            .map(|change| (change.probe.0, change.health.alive, change.turned))
            .collect()
    }

    #[test]
    fn a_newer_change_replaces_an_unread_one_and_keeps_its_place() {
        let (queue, mut changes) = Queue::new();
        let (one, two) = (queue.admit(ProbeId(1)), queue.admit(ProbeId(2)));
        queue.report(one, change(1, Health::UP, UP));
        queue.report(two, change(2, Health::UP, UP));
        for _ in 0..1_000 {
            queue.report(one, change(1, Health::UP, None));
        }
        assert_eq!(queue.lock().order.len(), 2);
        assert_eq!(read(&mut changes), [(1, true, UP), (2, true, UP)]);
        queue.report(one, change(1, Health::DOWN, DOWN));
        assert_eq!(read(&mut changes), [(1, false, DOWN)]);
    }

    #[test]
    fn nothing_is_heard_of_a_stopped_probe() {
        let (queue, mut changes) = Queue::new();
        let old = queue.admit(ProbeId(1));
        queue.report(old, change(1, Health::UP, UP));
        queue.dismiss(&[ProbeId(1)]);
        assert_eq!(read(&mut changes), [], "what waited is gone");
        queue.report(old, change(1, Health::UP, UP));
        assert_eq!(read(&mut changes), [], "what comes late is refused");
        let new = queue.admit(ProbeId(1));
        queue.report(old, change(1, Health::UP, UP));
        queue.report(new, change(1, Health::DOWN, DOWN));
        assert_eq!(read(&mut changes), [(1, false, DOWN)], "the new tenant alone speaks for the number");
        assert!(queue.lock().order.is_empty());
    }

    #[tokio::test]
    async fn a_reader_wakes_for_a_change_and_at_the_end() {
        let (queue, mut changes) = Queue::new();
        let tenure = queue.admit(ProbeId(1));
        let reporter = Arc::clone(&queue);
        let task = tokio::spawn(async move {
            tokio::task::yield_now().await;
            reporter.report(tenure, change(1, Health::UP, UP));
            tokio::task::yield_now().await;
            reporter.close();
        });
        assert_eq!(changes.recv().await.map(|change| change.probe), Some(ProbeId(1)));
        assert_eq!(changes.recv().await, None);
        task.await.expect("reports");
    }
}
