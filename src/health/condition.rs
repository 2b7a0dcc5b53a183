//! One probed endpoint's state with what it remembers: a result and two moments in, the verdict and the next probe
//! out. Pure, so that the promise can be held against it under a virtual clock.

use std::fmt;

use super::{Comeback, Failback, Finding, Health, PerMille, Ramp, State, Timing, Verdict, pace};
use crate::moment::Moment;

/// What is known of one probed endpoint; nothing to begin with. Plain data: [`Condition::record`] takes it apart,
/// [`Condition::restored`] puts it together again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Condition {
    record: Record,
    /// What its death ended, while it is dead. Nothing is held over a restart, so that this need not be kept.
    lived: Option<Life>,
}

/// A life of an endpoint, as far as its next death is judged by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Life {
    since: Moment,
    deaths: u8,
}

/// A [`Condition`] taken apart, to be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// Where it stands.
    pub state: State,
    /// When its verdict last turned.
    pub since: Moment,
    /// When the last result that counted came in. What began before that is older than this state.
    pub judged: Moment,
    /// Deaths in a row, each within the hold-down's window of having come up; a first verdict that is down is one.
    /// Not 0 of an endpoint that is up after it was down.
    pub deaths: u8,
}

impl Default for Record {
    fn default() -> Self {
        Self { state: State::Unknown, since: Moment::START, judged: Moment::START, deaths: 0 }
    }
}

/// What a probe found, and when it ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probed {
    /// What it found.
    pub finding: Finding,
    /// When it was sent.
    pub start: Moment,
    /// When its answer was in, or its time was up; not before its start.
    pub end: Moment,
    /// Whether its verdict, if that is down, is held: then nobody has acted on it, and an endpoint that recovers
    /// never was down. It is up at once, with the deaths and the share that it had before.
    pub held: bool,
}

/// What a result led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// The condition from now on.
    pub condition: Condition,
    /// When the next probe starts.
    pub next: Moment,
    /// What answers may read of it; the load, of which verdicts know nothing, is for others to fill in.
    pub health: Health,
    /// The verdict, if this result turned it; the first result always does.
    pub turned: Option<Verdict>,
}

impl Condition {
    /// What was taken apart, brought within what the settings allow: counts below `fall` and `rise`, nothing that lies
    /// after `now`. A hold is reckoned by the settings as they are now.
    pub fn restored(record: Record, timing: &Timing, now: Moment) -> Self {
        let state = record.state.within(timing);
        if state == State::Unknown {
            return Self::default();
        }
        let judged = record.judged.min(now);
        // A verdict that is down is of a death.
        let deaths = if state.is_alive() { record.deaths } else { record.deaths.max(1) };
        Self { record: Record { state, since: record.since.min(judged), judged, deaths }, lived: None }
    }

    /// What it consists of.
    pub const fn record(&self) -> Record {
        self.record
    }

    /// Where it stands.
    pub const fn state(&self) -> State {
        self.record.state
    }

    /// When the verdict last turned.
    pub const fn since(&self) -> Moment {
        self.record.since
    }

    /// The condition after a probe. `random` is the jitter of the next, uniform over its range.
    ///
    /// `None` for a result that is older than the state, having begun before the last that counted was in: it says
    /// nothing of the endpoint as it is now, and changes nothing.
    #[must_use]
    pub fn step(self, timing: &Timing, comeback: &Comeback, probed: Probed, random: u32) -> Option<Step> {
        let Probed { finding, start, end, held } = probed;
        let before = self.record;
        if before.state != State::Unknown && start < before.judged {
            return None;
        }
        let end = end.max(start);
        let spared = self.lived.filter(|_| held);
        let well = if spared.is_some() { State::Up } else { self.well(comeback, end) };
        let state = before.state.after(timing, finding, well);
        let turned = match (before.state.is_alive(), state.is_alive()) {
            (false, true) => Some(Verdict::Up),
            (false, false) if before.state == State::Unknown => Some(Verdict::Down),
            (true, false) => Some(Verdict::Down),
            (true, true) | (false, false) => None,
        };
        let life = match (turned, spared) {
            (Some(Verdict::Up), Some(life)) => life,
            (Some(Verdict::Up), None) => Life { since: end, deaths: before.deaths },
            (Some(Verdict::Down), _) => Life { since: end, deaths: self.deaths_at(comeback, end) },
            (None, _) => Life { since: before.since, deaths: before.deaths },
        };
        let lived = match turned {
            Some(Verdict::Down) if before.state.is_alive() => Some(Life { since: before.since, deaths: before.deaths }),
            Some(_) => None,
            None => self.lived,
        };
        let record = Record { state, since: life.since, judged: end, deaths: life.deaths };
        let condition = Self { record, lived };
        let next = pace::next(timing, (before.state, state), (start, end), condition.held_until(comeback), random);
        Some(Step { condition, next, health: condition.health(timing, comeback, next, end), turned })
    }

    /// Lets an endpoint up at `now` that awaits its release; `None` for one that does not. What its probes find
    /// from then on counts as ever; [`Condition::health`] says what answers may read of it.
    #[must_use]
    pub fn release(self, now: Moment) -> Option<Self> {
        let Record { state, since, .. } = self.record;
        let record = Record { state: State::Up, since: now.max(since), ..self.record };
        (state == State::Awaiting).then_some(Self { record, lived: None })
    }

    /// What answers may read of it at `now`, while its next probe starts at `next`. The load is not known here.
    pub fn health(&self, timing: &Timing, comeback: &Comeback, next: Moment, now: Moment) -> Health {
        Health {
            alive: self.record.state.is_alive(),
            flip: self.flip(timing, comeback, next),
            share: self.ramp(comeback).map_or(PerMille::WHOLE, |ramp| ramp.share(now)),
            load: None,
        }
    }

    /// Its way back to its whole share; `None` while it is down, where it was never down, or without a slow start.
    pub fn ramp(&self, comeback: &Comeback) -> Option<Ramp> {
        let Record { state, since, deaths, .. } = self.record;
        let ramps = state.is_alive() && deaths > 0 && !comeback.slow_start.is_zero();
        ramps.then_some(Ramp { from: since, over: comeback.slow_start })
    }

    /// When it may be up again at the soonest; [`Moment::START`] while nothing holds it.
    pub fn held_until(&self, comeback: &Comeback) -> Moment {
        let Record { state, since, deaths, .. } = self.record;
        let hold = comeback.hold_down.after(deaths);
        if state.is_alive() || hold.is_zero() { Moment::START } else { since + hold }
    }

    /// How it reads at `now`, in logs and in a status: `recovering (held for another 12s)`.
    pub fn in_words(&self, comeback: &Comeback, now: Moment) -> InWords {
        InWords { state: self.record.state, held: self.held_until(comeback).since(now).as_secs() }
    }

    /// What becomes of it when it is well at `end`.
    fn well(&self, comeback: &Comeback, end: Moment) -> State {
        if end < self.held_until(comeback) {
            return State::Held;
        }
        match comeback.failback {
            Failback::Automatic => State::Up,
            Failback::Manual => State::Awaiting,
        }
    }

    /// Deaths in a row, with one at `end`.
    fn deaths_at(&self, comeback: &Comeback, end: Moment) -> u8 {
        let calm = end.since(self.record.since) >= comeback.hold_down.window;
        if calm { 1 } else { self.record.deaths.saturating_add(1) }
    }

    /// The soonest moment at which the verdict could turn by itself when the next probe starts at `next`: every
    /// result that is still needed is contrary and comes as soon as it can, and no hold is cut short. Never while the
    /// results agree with it, nor while only an operator can turn it.
    fn flip(&self, timing: &Timing, comeback: &Comeback, next: Moment) -> Moment {
        let needed = match self.record.state {
            State::Suspect { failures } => return pace::soonest(timing, next, timing.fall.saturating_sub(failures)),
            State::Recovering { successes } => timing.rise.saturating_sub(successes),
            State::Held | State::Awaiting => 1,
            State::Unknown | State::Up | State::Down => return Moment::NEVER,
        };
        match comeback.failback {
            Failback::Automatic => pace::soonest(timing, next, needed).max(self.held_until(comeback)),
            Failback::Manual => Moment::NEVER,
        }
    }
}

/// How a condition reads.
#[derive(Clone, Copy, Debug)]
pub struct InWords {
    state: State,
    /// Whole seconds of a hold that are left.
    held: u64,
}

impl fmt::Display for InWords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.state, self.held) {
            (State::Held, 1..) => write!(f, "recovering (held for another {}s)", self.held),
            (state, _) => state.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests;
