//! When the next probe starts, and how long one may run: pure, like the states that it goes by.
//!
//! | after                 | the next probe starts                                                             |
//! |-----------------------|-----------------------------------------------------------------------------------|
//! | the first result      | anywhere up to `interval` after the start of this one: so endpoints fall apart    |
//! | up, down, awaiting    | at most `interval` after the start of this one, never before its end              |
//! | suspect, recovering   | at most `fast` after the end of this one                                          |
//! | held                  | as while down, or at the hold's end if that is sooner; never as soon as while recovering |
//!
//! "At most" holds for the probe as it is sent, not as it is planned: a gap is drawn below its setting by
//! [`lateness`], which is ours to waste, and by up to a tenth more as jitter.

use std::time::Duration;

use super::{State, Timing};
use crate::moment::Moment;

/// The start of the next probe after one from `start` to `end` that led from one state to another; `held_until` is
/// the end of the hold, where there is one. `random` is the jitter, uniform over its range.
pub(super) fn next(
    timing: &Timing,
    (before, after): (State, State),
    (start, end): (Moment, Moment),
    held_until: Moment,
    random: u32,
) -> Moment {
    let steady = end.max(start + gap(timing.interval, random));
    match (before, after) {
        (State::Unknown, _) => end.max(start + spread(timing.interval, random)),
        (_, State::Suspect { .. } | State::Recovering { .. }) => end + gap(timing.fast, random),
        (_, State::Held) => steady.min(held_until).max(end + gap(timing.fast, random)),
        (_, State::Up | State::Down | State::Awaiting | State::Unknown) => steady,
    }
}

/// The soonest end of the last of so many results of a forming verdict, when the first of them starts at `next`:
/// each comes the moment its probe starts, and every gap between them is as short as one can be drawn. That is never
/// later than what detection is reckoned by, end + r(F + T) for r results needed, since `next` is at most end + F.
pub(super) fn soonest(timing: &Timing, next: Moment, needed: u8) -> Moment {
    next + gap(timing.fast, u32::MAX) * u32::from(needed.saturating_sub(1))
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

pub(super) fn lateness(setting: Duration) -> Duration {
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
