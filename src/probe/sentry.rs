//! One target's task, which sleeps, asks, tells the state machine and sleeps again; and what all tasks share.

use std::fmt;
use std::future;
use std::panic::{self, AssertUnwindSafe};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{self, Instant};
use tracing::{debug, error, info, warn};

use super::asker::{Asker, Found};
use super::changes::{Queue, Tenure};
use super::expiry::Expiry;
use super::ledger::{Heard, Ledger, Record};
use super::push::Letterbox;
use super::{Answered, Change, Failure, Monitor, Target, Tls, Turn};
use crate::health::{Condition, Finding, Gauge, Health, Probed, State, Step, Verdict};
use crate::moment::Moment;
use crate::random::Random;
use crate::system::{Clock, unix_now};

/// Probes under way at once, a socket each.
///
/// Far above what is ever needed in ordinary operation (10,000 endpoints probed every 5 s that answer within
/// 50 ms keep 100 under way), since a probe that waits for its turn is late and breaks the promise. It is
/// reached when that many endpoints hang at once: 10,000 that all time out after 2 s stay under it.
pub const IN_FLIGHT_MAX: usize = 16_384;

/// What all tasks use.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) clock: Clock,
    pub(super) queue: Arc<Queue>,
    pub(super) ledger: Arc<Ledger>,
    tls: Tls,
    in_flight: Semaphore,
    crowded: Alarm,
    unsent: Alarm,
    barred: Alarm,
    expiry: Expiry,
}

impl Shared {
    pub(super) fn new(clock: Clock, tls: Tls, queue: Arc<Queue>) -> Self {
        let (in_flight, ledger) = (Semaphore::new(IN_FLIGHT_MAX), Arc::default());
        let [crowded, unsent, barred] = [(); 3].map(|()| Alarm::default());
        Self { clock, queue, ledger, tls, in_flight, crowded, unsent, barred, expiry: Expiry::default() }
    }

    /// Tells that a probe could not be sent, for the reason that `failure` is, if that is news.
    fn cannot_send(&self, failure: &Failure, now: Moment) {
        if failure.is_lasting() {
            if self.barred.rise(now) {
                error!("some endpoints cannot be probed here, and their verdicts stand still: {failure}");
            }
        } else if self.unsent.rise(now) {
            warn!("probes cannot be sent, so verdicts stand still: {failure}");
        }
    }

    /// Tells that a probe could be sent, if that is news.
    fn can_send(&self, now: Moment) {
        if self.unsent.fall(now) {
            info!("probes can be sent again");
        }
        if self.barred.fall(now) {
            info!("all endpoints can be probed again");
        }
    }

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

/// One target's task.
pub(super) struct Sentry {
    pub(super) tenure: Tenure,
    pub(super) record: Arc<Record>,
    pub(super) shared: Arc<Shared>,
    pub(super) random: Random,
    /// Where reports are laid down, of a target that reports by itself.
    pub(super) letterbox: Option<Arc<Letterbox>>,
}

impl Sentry {
    /// Probes from `first` on, beginning from `condition`.
    pub(super) async fn stand(mut self, first: Moment, mut condition: Condition) {
        let Monitor { timing, comeback, .. } = *self.target().monitor;
        let asker = Asker::new(self.target(), &self.shared.tls, self.letterbox.clone());
        let (mut gauge, mut next, mut told, mut certificate_told) = (Gauge::default(), first, None, None);
        // Since when a probe is owed that could not be sent: tries are none, so that who watches sees it overdue.
        let mut owed = None;
        loop {
            self.record.set_due(owed.unwrap_or(next));
            while self.is_released_before(next).await {
                condition = self.release(condition, next, &gauge, &mut told);
            }
            let (found, start, end) = self.ask(&asker, asker.patience(&timing), owed).await;
            debug!("{}: {}", self.target(), FoundInWords(&found));
            if let Err(failure) = &found
                && failure.is_ours()
            {
                self.record.set_barred(failure.is_lasting());
                self.shared.cannot_send(failure, end);
                owed = owed.or(Some(next));
                // More often than an alarm is held, or it would come and go with each try.
                next = end + timing.fast.min(ALARM_HOLD / 2);
                continue;
            }
            self.record.set_barred(false);
            self.shared.can_send(end);
            let late = start.since(owed.take().unwrap_or(next));
            self.shared.ledger.started_late(late);
            let finding = if found.is_ok() { Finding::Success } else { Finding::Failure };
            let probed = Probed { finding, start, end, held: end < self.record.held_until() };
            let Some(mut step) = condition.step(&timing, &comeback, probed, self.random.next_u32()) else {
                next = end;
                continue;
            };
            if let Ok(Answered { certificate_ends: Some(ends), .. }) = found {
                self.shared.expiry.consider(self.target(), ends, unix_now(), end, &mut certificate_told);
            }
            let report = found.as_ref().ok().and_then(|answered| answered.load);
            gauge = gauge.step(&timing, step.health.alive, report, end);
            step.health.load = gauge.load();
            if step.turned == Some(Verdict::Up) {
                self.record.hold(Moment::START);
            }
            let turned = step.turned.map(|_| self.shared.clock.unix_ms(end));
            self.tell(&step, &found, &condition, &mut told);
            self.record.hear(Heard { found, start, end }, late, step.condition, turned);
            (condition, next) = (step.condition, step.next);
        }
    }

    /// Sleeps until `next`, unless an operator lets the endpoint up before.
    async fn is_released_before(&self, next: Moment) -> bool {
        let instant = Instant::from_std(self.shared.clock.instant(next));
        time::timeout_at(instant, self.record.release.notified()).await.is_ok()
    }

    /// The condition once an operator let the endpoint up, if it awaits that, and says so.
    fn release(&self, before: Condition, next: Moment, gauge: &Gauge, told: &mut Option<Health>) -> Condition {
        let now = self.shared.clock.now();
        let Some(condition) = before.release(now) else { return before };
        debug!("{}: {} → {}: released", self.target(), before.state(), condition.state());
        let Monitor { timing, comeback, .. } = &*self.target().monitor;
        let health = Health { load: gauge.load(), ..condition.health(timing, comeback, next, now) };
        *told = Some(health);
        let turn = Turn { lasted: Some(now.since(before.since())), why: Some("released".to_owned()) };
        self.report(condition, health, Some((Verdict::Up, turn)), None);
        self.record.let_up(condition, self.shared.clock.unix_ms(now));
        condition
    }

    fn target(&self) -> &Arc<Target> {
        &self.record.target
    }

    /// Probes once: what was found, from when to when. Until then it is due, or since it is `owed`.
    async fn ask(&self, asker: &Asker, patience: Duration, owed: Option<Moment>) -> (Found, Moment, Moment) {
        let _own_place = asker.place().await;
        // What sends nothing takes no place from others, for all of its lease.
        let _place = if asker.sends() { self.shared.place().await } else { None };
        let start = self.shared.clock.now();
        self.record.set_due(owed.unwrap_or(start + patience));
        // On the heap, since it is large and most of the time there is none; in this task, which costs less than one
        // of its own.
        let found = match survive(Box::pin(time::timeout(patience, asker.ask()))).await {
            Some(answered) => answered.unwrap_or_else(|_| Err(asker.silence(patience))),
            None => Err(Failure::Answer("the probe panicked over the answer".to_owned())),
        };
        (found, start, self.shared.clock.now())
    }

    /// Reports health that differs from what was `told` last. A verdict that turned is logged by who knows whose it is.
    fn tell(&self, step: &Step, found: &Found, before: &Condition, told: &mut Option<Health>) {
        let (old, new) = (before.state(), step.condition.state());
        match step.turned {
            Some(_) => debug!("{}: {old} → {new}: {}", self.target(), FoundInWords(found)),
            // It is well and stays out all the same: that is news.
            None if old != new && matches!(new, State::Held | State::Awaiting) => {
                let now = step.condition.in_words(&self.target().monitor.comeback, step.condition.record().judged);
                info!("{}: {old} → {now}", self.target());
            }
            None => {}
        }
        if *told == Some(step.health) {
            return;
        }
        *told = Some(step.health);
        let cause = found.as_ref().err();
        let turned = step.turned.map(|verdict| {
            let stood = step.condition.record().judged.since(before.since());
            let lasted = (old != State::Unknown).then_some(stood);
            (verdict, Turn { lasted, why: cause.map(ToString::to_string) })
        });
        self.report(step.condition, step.health, turned, cause.cloned());
    }

    fn report(&self, condition: Condition, health: Health, turned: Option<(Verdict, Turn)>, cause: Option<Failure>) {
        let target = Arc::clone(self.target());
        let ramp = condition.ramp(&target.monitor.comeback);
        let (turned, turn) = turned.unzip();
        let change = Change { probe: self.record.probe, target, health, ramp, turned, turn, cause };
        self.shared.queue.report(self.tenure, change);
    }
}

/// What `probe` comes to; `None` when it panics, which ends the probe and not whoever waits for it. What it leaves
/// behind is dropped unseen.
async fn survive<F: Future>(mut probe: Pin<Box<F>>) -> Option<F::Output> {
    future::poll_fn(|context| {
        let polled = panic::catch_unwind(AssertUnwindSafe(|| probe.as_mut().poll(context)));
        polled.map_or(Poll::Ready(None), |polled| polled.map(Some))
    })
    .await
}

/// A result as it stands in logs.
struct FoundInWords<'a>(&'a Found);

impl fmt::Display for FoundInWords<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Ok(Answered { load: None, .. }) => f.write_str("answers as it should"),
            Ok(Answered { load: Some(load), .. }) => write!(f, "answers as it should, load {load}"),
            Err(failure) => failure.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_ends_the_probe_alone() {
        async fn probe(panics: bool) -> u8 {
            tokio::task::yield_now().await;
            assert!(!panics, "on purpose");
            7
        }
        assert_eq!(survive(Box::pin(probe(false))).await, Some(7));
        assert_eq!(survive(Box::pin(probe(true))).await, None);
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
