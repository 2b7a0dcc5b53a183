//! How long an answer may live: the promise, as arithmetic.
//!
//! With interval I (jitter included), timeout T, fast F and fall K, an endpoint that dies at d is suspect by
//! s ≤ d + I + T and down by v ≤ s + (K − 1)(F + T). For a budget B:
//!
//! - a steady answer lives at most B − (I + T): it was given before s, so it is gone by d + B;
//! - a suspect's answer lives to the end of the forming verdict, or `min` when that is longer;
//! - min ≤ B − (I + T) − (K − 1)(F + T): the last such answer was given before v, so it too is gone by d + B.

mod horizon;

use std::fmt;
use std::time::Duration;

use crate::health::{Timing, limits};
use crate::moment::Moment;

pub use horizon::Horizon;

/// The budget of a name that states neither `failover` nor `ttl`: what Cloudflare needs, and a third of Route
/// 53's default. It is stretched where a slow monitor cannot keep it.
pub const FAILOVER: Duration = Duration::from_secs(60);

/// The least TTL where none is given and the budget allows it. Below about 5 s many resolvers stop honouring it.
pub const TTL_MIN: Duration = Duration::from_secs(5);

/// The least that any TTL may be: 0 would make every resolver ask for every client.
pub const TTL_LEAST: Duration = Duration::from_secs(1);

/// The most that any TTL may be, a week, as resolvers cap it (BIND `max-cache-ttl`).
pub const TTL_MOST: Duration = Duration::from_secs(604_800);

/// The TTLs, in seconds, between which an answer's TTL moves. Valid when 1 ≤ `min` ≤ `max`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TtlRange {
    /// While a verdict is about to turn.
    pub min: u32,
    /// While nothing is.
    pub max: u32,
}

impl TtlRange {
    /// The TTL of an answer given at `now` that could change at `flip` at the soonest: the whole seconds left
    /// until then, clamped to the range.
    pub fn at(self, flip: Moment, now: Moment) -> u32 {
        let left = u32::try_from(flip.seconds_after(now)).unwrap_or(u32::MAX);
        left.clamp(self.min, self.max)
    }
}

/// What the operator said of a name's TTL.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    /// `failover`: the longest that a dead endpoint may live on in caches.
    pub failover: Option<Duration>,
    /// `ttl-min`: the floor alone.
    pub ttl_min: Option<Duration>,
    /// `ttl = { min, max }`: the range by hand.
    pub ttl: Option<(Duration, Duration)>,
}

/// A name's derived timing: what `check` prints and what the answers obey.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// I + T of the slowest monitor.
    pub suspicion: Duration,
    /// The longest from a death to its verdict, over all monitors.
    pub detection: Duration,
    /// The TTLs handed out.
    pub range: TtlRange,
    /// The longest from a death to the last honest cache without it.
    pub failover: Duration,
    /// Whether any endpoint is probed at all; without, nothing is ever detected.
    pub monitored: bool,
}

impl Plan {
    /// How much longer than it may take a verdict could be in coming without breaking the promise, when answers carry
    /// the least TTL meanwhile. Without a monitor there is no verdict, and no end to it.
    pub fn slack(&self) -> Duration {
        if !self.monitored {
            return Duration::MAX;
        }
        self.failover.saturating_sub(self.detection + Duration::from_secs(u64::from(self.range.min)))
    }
}

/// A wish that cannot be kept, with the numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlanError {
    /// The budget that was asked for.
    pub failover: Duration,
    /// The nearest that could be kept.
    pub fits: Duration,
    /// The floor that was reckoned with.
    pub floor: Duration,
    /// The ceiling that was set by hand, if it is what does not fit.
    pub ceiling: Option<Duration>,
    /// The monitor that is to blame.
    pub timing: Timing,
}

impl PlanError {
    /// The greatest interval of the monitor with which the budget would hold, all else as it is, and the greatest
    /// `fall`; each `None` where there is none that is sensible.
    pub fn instead(&self) -> (Option<Duration>, Option<u8>) {
        let Timing { interval, fast, timeout, fall, .. } = self.timing;
        let least = limits::INTERVAL_DERIVED_LEAST.max(fast).max(timeout);
        let fits = |timing: &Timing| match self.ceiling {
            Some(ceiling) => timing.suspicion_max() + ceiling <= self.failover,
            None => timing.detection_max() + self.floor <= self.failover,
        };
        let excess = self.fits.saturating_sub(self.failover);
        let interval = interval.checked_sub(excess).filter(|interval| *interval >= least);
        let fall = (1..fall).rev().find(|&fall| fits(&Timing { fall, ..self.timing }));
        (interval, fall)
    }
}

impl std::error::Error for PlanError {}

impl fmt::Display for PlanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { failover, fits, floor, ceiling, timing } = self;
        let Timing { interval, fast, timeout, fall, .. } = timing;
        write!(f, "a budget of {failover:?} cannot be kept: ")?;
        match ceiling {
            Some(ceiling) => write!(f, "interval {interval:?} + timeout {timeout:?} + ttl max {ceiling:?} = {fits:?}"),
            None => write!(
                f,
                "interval {interval:?} + timeout {timeout:?} + {} × (fast {fast:?} + timeout {timeout:?}) + ttl-min {floor:?} = {fits:?}",
                fall.saturating_sub(1),
            ),
        }
    }
}

/// Derives the timing of a name from the wish and from the monitors of every endpoint it may answer with.
///
/// # Errors
/// A budget that the monitors, or a range set by hand, cannot keep.
pub fn plan(wish: Wish, timings: &[Timing]) -> Result<Plan, PlanError> {
    let longest = |measure: fn(&Timing) -> Duration| {
        timings.iter().copied().max_by_key(measure).map(|timing| (measure(&timing), timing))
    };
    let (Some((suspicion, slowest)), Some((detection, longest))) =
        (longest(Timing::suspicion_max), longest(Timing::detection_max))
    else {
        return Ok(unmonitored(wish));
    };
    let floor_wished = wish.ttl.map(|(min, _)| min).or(wish.ttl_min);
    let failover = wish.failover.unwrap_or_else(|| match wish.ttl {
        Some((min, max)) => (suspicion + max).max(detection + min),
        None => FAILOVER.max(detection + floor_wished.unwrap_or(TTL_MIN)),
    });
    let floor_most = whole_seconds(failover.saturating_sub(detection));
    // The default floor gives way to a tight budget; a floor that was asked for does not.
    let floor = floor_wished.unwrap_or_else(|| TTL_MIN.min(floor_most)).clamp(TTL_LEAST, TTL_MOST);
    let error = PlanError { failover, fits: detection + floor, floor, ceiling: None, timing: longest };
    // Of two things that do not fit the worse is told: its budget is the nearest that fits both.
    if let Some((_, max)) = wish.ttl.filter(|(_, max)| suspicion + *max > failover.max(detection + floor)) {
        return Err(PlanError { fits: suspicion + max, ceiling: Some(max), timing: slowest, ..error });
    }
    if floor > failover.saturating_sub(detection) {
        return Err(error);
    }
    let ceiling_most = whole_seconds(failover.saturating_sub(suspicion)).min(TTL_MOST);
    let ceiling = match wish.ttl {
        Some((_, max)) => max.clamp(TTL_LEAST, TTL_MOST),
        None => ceiling_most,
    };
    Ok(Plan {
        suspicion,
        detection,
        range: TtlRange { min: seconds(floor.min(ceiling)), max: seconds(ceiling) },
        failover: (suspicion + ceiling).max(detection + floor),
        monitored: true,
    })
}

/// Nothing is probed, so no verdict turns and every answer lives the whole budget, or the range set by hand.
fn unmonitored(wish: Wish) -> Plan {
    let ceiling = wish.ttl.map(|(_, max)| max).or(wish.failover).unwrap_or(FAILOVER);
    let ceiling = ceiling.clamp(TTL_LEAST, TTL_MOST);
    let floor = wish.ttl.map(|(min, _)| min).or(wish.ttl_min).unwrap_or(TTL_MIN).clamp(TTL_LEAST, ceiling);
    Plan {
        suspicion: Duration::ZERO,
        detection: Duration::ZERO,
        range: TtlRange { min: seconds(floor), max: seconds(ceiling) },
        failover: ceiling,
        monitored: false,
    }
}

fn whole_seconds(span: Duration) -> Duration {
    Duration::from_secs(span.as_secs())
}

fn seconds(span: Duration) -> u32 {
    u32::try_from(span.as_secs()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: fn(u64) -> Duration = Duration::from_secs;

    #[test]
    fn the_budget_sets_the_range() {
        let check = |failover: u64, ttl_min: Option<u64>, expected: Result<(u32, u32, u64), u64>| {
            let wish = Wish { failover: Some(S(failover)), ttl_min: ttl_min.map(S), ttl: None };
            let got = plan(wish, &[Timing::default()])
                .map(|plan| (plan.range.min, plan.range.max, plan.failover.as_secs()))
                .map_err(|error| error.fits.as_secs());
            assert_eq!(got, expected, "failover {failover} s, ttl-min {ttl_min:?}");
        };
        // The defaults: I + T = 7, (K − 1)(F + T) = 6.
        check(30, None, Ok((5, 23, 30)));
        check(60, None, Ok((5, 53, 60)));
        check(18, None, Ok((5, 11, 18)));
        check(15, None, Ok((2, 8, 15)));
        check(14, None, Ok((1, 7, 14)));
        check(13, None, Err(14));
        check(1, None, Err(14));
        check(30, Some(17), Ok((17, 23, 30)));
        check(30, Some(18), Err(31));
    }

    #[test]
    fn what_the_budget_leaves_may_delay_a_verdict() {
        let check = |failover: u64, timings: &[Timing], expected: Duration| {
            let plan = plan(Wish { failover: Some(S(failover)), ..Wish::default() }, timings).expect("a plan");
            assert_eq!(plan.slack(), expected, "failover {failover} s");
        };
        check(60, &[Timing::default()], S(60 - 13 - 5));
        check(30, &[Timing::default()], S(30 - 13 - 5));
        check(15, &[Timing::default()], S(0));
        check(14, &[Timing::default()], S(0));
        check(30, &[], Duration::MAX);
    }

    #[test]
    fn a_range_by_hand_wins_and_is_held_against_the_budget() {
        let wish = |failover: Option<u64>| Wish { failover: failover.map(S), ttl_min: None, ttl: Some((S(5), S(60))) };
        let timings = [Timing::default()];
        let plan_of = |failover| plan(wish(failover), &timings);
        assert_eq!(plan_of(None).map(|plan| (plan.range, plan.failover)), Ok((TtlRange { min: 5, max: 60 }, S(67))));
        assert_eq!(plan_of(Some(67)).map(|plan| plan.failover), Ok(S(67)));
        assert_eq!(plan_of(Some(66)).map_err(|error| error.fits), Err(S(67)));
    }

    #[test]
    fn the_slowest_monitor_counts_and_a_default_budget_stretches() {
        let slow = Timing { interval: S(120), timeout: S(10), ..Timing::default() };
        let plan = plan(Wish::default(), &[Timing::default(), slow]).expect("stretches");
        assert_eq!(plan.detection, S(120 + 10 + 2 * 11));
        assert_eq!(plan.failover, S(157));
        assert_eq!(plan.range, TtlRange { min: 5, max: 27 });
    }

    #[test]
    fn the_least_is_never_over_the_most() {
        let week = TTL_MOST.as_secs();
        let times = [0, 1, 5, 14, week - 1, week, week + 1, 2 * week, u64::from(u32::MAX) + 1].map(S);
        for timings in [&[][..], &[Timing::default()]] {
            for failover in times.map(Some).into_iter().chain([None]) {
                for min in times {
                    for (ttl_min, ttl) in
                        times.map(|max| (None, Some((min, max)))).into_iter().chain([(Some(min), None)])
                    {
                        let wish = Wish { failover, ttl_min, ttl };
                        let Ok(plan) = plan(wish, timings) else { continue };
                        let TtlRange { min, max } = plan.range;
                        assert!(1 <= min && min <= max && u64::from(max) <= week, "{wish:?}: {plan:?}");
                        // Which would panic otherwise.
                        assert!(plan.range.at(Moment::START, Moment::START) == min);
                    }
                }
            }
        }
    }

    #[test]
    fn without_a_monitor_the_whole_budget_is_ttl() {
        let plan = plan(Wish { failover: Some(S(30)), ..Wish::default() }, &[]).expect("a plan");
        assert_eq!((plan.range, plan.monitored), (TtlRange { min: 5, max: 30 }, false));
    }

    #[test]
    fn a_ttl_runs_to_the_flip_within_its_range() {
        let range = TtlRange { min: 5, max: 23 };
        let now = Moment::from_nanos(7_000_000_000);
        assert_eq!(range.at(Moment::NEVER, now), 23);
        assert_eq!(range.at(now + S(100), now), 23);
        assert_eq!(range.at(now + S(9) + Duration::from_millis(999), now), 9);
        assert_eq!(range.at(now + S(2), now), 5);
        assert_eq!(range.at(Moment::START, now), 5);
    }

    #[test]
    fn a_refusal_shows_its_arithmetic() {
        let wish = Wish { failover: Some(S(10)), ..Wish::default() };
        let error = plan(wish, &[Timing::default()]).expect_err("too tight");
        assert_eq!(
            error.to_string(),
            "a budget of 10s cannot be kept: interval 5s + timeout 2s + 2 × (fast 1s + timeout 2s) + ttl-min 1s = 14s"
        );
    }
}
