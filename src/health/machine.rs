//! The state machine of one probed endpoint: pure, so that the promise can be held against it under a virtual
//! clock.
//!
//! | state         | a success                                  | a failure                                |
//! |---------------|--------------------------------------------|------------------------------------------|
//! | unknown       | up, the verdict turned                     | down, the verdict turned                 |
//! | up            | up                                         | suspect(1); down at once where fall is 1 |
//! | suspect(n)    | up                                         | suspect(n+1); down where n+1 is fall     |
//! | down          | recovering(1); up at once where rise is 1  | down                                     |
//! | recovering(n) | recovering(n+1); up where n+1 is rise      | down                                     |
//!
//! When the next probe starts:
//!
//! | after                 | the next probe starts                                                             |
//! |-----------------------|-----------------------------------------------------------------------------------|
//! | the first result      | anywhere up to `interval` after the start of this one: so endpoints fall apart    |
//! | up, down              | at most `interval` after the start of this one, never before its end              |
//! | suspect, recovering   | at most `fast` after the end of this one                                          |
//!
//! "At most" holds for the probe as it is sent, not as it is planned: a gap is drawn below its setting by
//! [`lateness`], which is ours to waste, and by up to a tenth more as jitter.

use std::time::Duration;

use super::{Health, Timing};
use crate::moment::Moment;

/// What is thought of an endpoint, after hysteresis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It serves.
    Up,
    /// It does not.
    Down,
}

/// What one probe found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// The answer that the monitor wants.
    Success,
    /// Another answer, or none in time.
    Failure,
}

/// What is known of one probed endpoint. Counts are at least 1 and below the monitor's `fall` or `rise`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// No result yet; the first decides at once.
    #[default]
    Unknown,
    /// Up, and the last probe agreed.
    Up,
    /// Up, with failures counting.
    Suspect {
        /// Consecutive failures so far.
        failures: u8,
    },
    /// Down, and the last probe agreed.
    Down,
    /// Down, with successes counting.
    Recovering {
        /// Consecutive successes so far.
        successes: u8,
    },
}

/// What a result led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// The state from now on.
    pub state: State,
    /// When the next probe starts.
    pub next: Moment,
    /// What answers may read of it.
    pub health: Health,
    /// The verdict, if this result turned it; the first result always does.
    pub turned: Option<Verdict>,
}

impl State {
    /// The state after a probe that ran from `start` to `end`. `random` is the jitter, uniform over its range.
    #[must_use]
    pub fn step(self, timing: &Timing, finding: Finding, start: Moment, end: Moment, random: u32) -> Step {
        let state = self.after(timing, finding);
        let next = match (self, state) {
            (Self::Unknown, _) => end.max(start + spread(timing.interval, random)),
            (_, Self::Suspect { .. } | Self::Recovering { .. }) => end + gap(timing.fast, random),
            (_, Self::Up | Self::Down | Self::Unknown) => end.max(start + gap(timing.interval, random)),
        };
        let turned = match state {
            Self::Up if !self.is_alive() => Some(Verdict::Up),
            Self::Down if self.is_alive() || self == Self::Unknown => Some(Verdict::Down),
            _ => None,
        };
        Step { state, next, health: Health { alive: state.is_alive(), flip: state.flip(timing, next) }, turned }
    }

    /// The transition table.
    fn after(self, timing: &Timing, finding: Finding) -> Self {
        let failed = |failures: u8| if failures >= timing.fall { Self::Down } else { Self::Suspect { failures } };
        let succeeded = |successes: u8| if successes >= timing.rise { Self::Up } else { Self::Recovering { successes } };
        match (self, finding) {
            (Self::Unknown | Self::Up | Self::Suspect { .. }, Finding::Success) => Self::Up,
            (Self::Unknown | Self::Down | Self::Recovering { .. }, Finding::Failure) => Self::Down,
            (Self::Up, Finding::Failure) => failed(1),
            (Self::Suspect { failures }, Finding::Failure) => failed(failures.saturating_add(1)),
            (Self::Down, Finding::Success) => succeeded(1),
            (Self::Recovering { successes }, Finding::Success) => succeeded(successes.saturating_add(1)),
        }
    }

    /// Whether the verdict is up; not while there is none.
    const fn is_alive(self) -> bool {
        matches!(self, Self::Up | Self::Suspect { .. })
    }

    /// The soonest moment at which the verdict could turn when the next probe starts at `next`: every result
    /// that is still needed is contrary, comes the moment its probe starts, and every gap between them is as
    /// short as one can be drawn. That is never later than what detection is reckoned by, end + r(F + T) for r
    /// results needed, since `next` is at most end + F.
    fn flip(self, timing: &Timing, next: Moment) -> Moment {
        let needed = match self {
            Self::Suspect { failures } => timing.fall.saturating_sub(failures),
            Self::Recovering { successes } => timing.rise.saturating_sub(successes),
            Self::Unknown | Self::Up | Self::Down => return Moment::NEVER,
        };
        next + gap(timing.fast, u32::MAX) * u32::from(needed.saturating_sub(1))
    }
}

/// The most that we may be late by within one gap without breaking the promise.
///
/// A probe planned for t leaves later: the runtime's timer ticks in milliseconds, and other probes run first. A
/// timeout is noticed later for the same reason, and a verdict has to be in the answers, which it is within
/// 100 ms. So every gap is planned that much below its setting: I − 100 ms and K − 1 times F − 100 ms leave 100 ms
/// for each of the K probes of a detection. Under a setting of 1 s it is a tenth, lest nothing be left of it:
/// with the tenth of jitter a gap is always at least 0.8 of its setting.
pub const LATENESS_MAX: Duration = Duration::from_millis(100);

/// Jitter takes up to one part in this many off a gap: enough that endpoints which started together are spread
/// over a whole interval within ten or so, and little enough that the operator's number is still the number.
const JITTER_PART: u32 = 10;

fn lateness(setting: Duration) -> Duration {
    LATENESS_MAX.min(setting / 10)
}

/// How long a probe may run: the monitor's timeout, but for one that is (nearly) as long as the interval, which
/// must end early enough for the next probe to start in time.
pub fn patience(timing: &Timing) -> Duration {
    timing.timeout.min(timing.interval - lateness(timing.interval))
}

/// A jittered gap: the setting − lateness at `random` 0, a tenth of the setting less at its greatest.
fn gap(setting: Duration, random: u32) -> Duration {
    setting - lateness(setting) - scale(setting / JITTER_PART, random)
}

/// The first gap of an endpoint: above 0, at most the setting − lateness.
fn spread(setting: Duration, random: u32) -> Duration {
    let most = setting - lateness(setting);
    most - scale(most, random)
}

/// `span` × `random` / 2³², always below `span`.
fn scale(span: Duration, random: u32) -> Duration {
    let ns = (span.as_nanos() * u128::from(random)) >> u32::BITS;
    Duration::from_nanos(u64::try_from(ns).unwrap_or(u64::MAX))
}
