//! What a service manager is told, if there is one that listens (`NOTIFY_SOCKET`; `sd_notify(3)`), and the proof that this
//! process lives.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use sd_notify::{NotifyState, watchdog_enabled};
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::{Audience, Ready, Reload};
use crate::config::Settings;
use crate::diagnostic::{Diagnostic, plural};
use crate::transport::udp::Pulse;

/// Passes on to somebody else what the service manager is told too.
pub(super) struct Informed(pub(super) Arc<dyn Audience>);

impl Audience for Informed {
    fn ready(&self, told: &Ready) {
        let Ready { zones, names, probes, .. } = told;
        ready(&format!("{}, {}", serving(*zones, *names), plural(*probes, "probed endpoint")));
        self.0.ready(told);
    }

    fn faults(&self, faults: &[Diagnostic]) {
        self.0.faults(faults);
    }

    fn reloaded(&self, outcome: &Reload) {
        match outcome {
            Reload::Done { zones, names } => ready(&serving(*zones, *names)),
            Reload::Refused { errors } => {
                ready(&format!(
                    "not reloaded, {} in the files; the last good state keeps serving",
                    plural(*errors, "error")
                ));
            }
            Reload::Guarded { .. } => ready("not reloaded, too much would move; the last good state keeps serving"),
        }
        self.0.reloaded(outcome);
    }

    fn settings(&self) -> Option<(Option<Settings>, Vec<Diagnostic>)> {
        self.0.settings()
    }
}

/// Says that it serves; `status` is shown by `systemctl status`.
fn ready(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// Says that it reads its files again; [`ready`] ends that.
pub(super) fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(error) => tracing::debug!(%error, "the monotonic clock"),
    }
}

/// Says that it stops.
pub(super) fn stopping() {
    tell(&[NotifyState::Stopping, NotifyState::Status("stopping")]);
}

/// Says that the service is another process from now on.
pub(super) fn succeeded_by(process: u32) {
    tell(&[NotifyState::MainPid(process)]);
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "the service manager cannot be told");
    }
}

/// Tells the service manager that this process lives, as long as all of it does: whoever asks for the next tick is the
/// loop that keeps the snapshot, and each tick wants a beat of every UDP worker since the last.
#[derive(Debug)]
pub(super) struct Heartbeat {
    ticks: Option<Interval>,
    pulses: Vec<(Pulse, u64)>,
}

impl Heartbeat {
    /// Twice within the time that the service manager waits; never where it does not.
    pub(super) fn start(pulses: Vec<Pulse>) -> Self {
        let ticks = watchdog_enabled().map(|longest| {
            let gap = (longest / 2).max(Duration::from_millis(1));
            let mut ticks = interval(gap);
            // The first would come at once.
            ticks.reset();
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            ticks
        });
        Self { ticks, pulses: pulses.into_iter().map(|pulse| (pulse, 0)).collect() }
    }

    /// Waits for the next tick; for ever where nobody waits for one. May be dropped while it waits.
    pub(super) async fn tick(&mut self) {
        match &mut self.ticks {
            Some(ticks) => ticks.tick().await,
            None => std::future::pending().await,
        };
    }

    /// Tells it at each tick, until this is dropped.
    pub(super) async fn go_on(&mut self) -> Infallible {
        loop {
            self.tick().await;
            self.beat();
        }
    }

    /// Tells it, unless a worker is stuck.
    pub(super) fn beat(&mut self) {
        let stuck = self.take_stuck();
        if stuck == 0 {
            tell(&[NotifyState::Watchdog]);
        } else {
            tracing::error!("{stuck} UDP workers are stuck: the service manager's watchdog is not fed");
        }
    }

    /// How many workers have not gone round since this was last asked.
    fn take_stuck(&mut self) -> usize {
        let mut stuck = 0;
        for (pulse, last) in &mut self.pulses {
            let beats = pulse.beats();
            stuck += usize::from(beats == *last);
            *last = beats;
        }
        stuck
    }
}

/// What is served, in words.
fn serving(zones: usize, names: usize) -> String {
    format!("serving {}, {}", plural(zones, "zone"), plural(names, "balanced name"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_stuck_worker_is_seen() {
        let pulses = [Pulse::default(), Pulse::default()];
        let mut heartbeat = Heartbeat::start(pulses.to_vec());
        let mut check = |beating: &[usize], stuck| {
            beating.iter().for_each(|&at| pulses[at].beat());
            assert_eq!(heartbeat.take_stuck(), stuck, "{beating:?}");
        };
        check(&[0, 1], 0);
        check(&[0], 1);
        check(&[1, 1], 1);
        check(&[], 2);
        check(&[0, 1], 0);
    }
}
