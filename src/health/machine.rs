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

use std::fmt;
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

/// As it stands in logs: `suspect (1 failure)`.
impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (state, count, what) = match *self {
            Self::Unknown => ("unknown", 0, ""),
            Self::Up => ("up", 0, ""),
            Self::Down => ("down", 0, ""),
            Self::Suspect { failures } => ("suspect", failures, if failures == 1 { "failure" } else { "failures" }),
            Self::Recovering { successes } => {
                ("recovering", successes, if successes == 1 { "success" } else { "successes" })
            }
        };
        f.write_str(state)?;
        if count == 0 { Ok(()) } else { write!(f, " ({count} {what})") }
    }
}

/// What a result led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// The state from now on.
    pub state: State,
    /// When the next probe starts.
    pub next: Moment,
    /// What answers may read of it; the load, of which verdicts know nothing, is for others to fill in.
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
        let health = Health { alive: state.is_alive(), flip: state.flip(timing, next), load: None };
        Step { state, next, health, turned }
    }

    /// The transition table.
    fn after(self, timing: &Timing, finding: Finding) -> Self {
        let failed = |failures: u8| if failures >= timing.fall { Self::Down } else { Self::Suspect { failures } };
        let succeeded =
            |successes: u8| if successes >= timing.rise { Self::Up } else { Self::Recovering { successes } };
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

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::random::Random;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    fn at(ms: u64) -> Moment {
        Moment::START + MS(ms)
    }

    /// Results as letters, `+` and `-`, one probe a second that takes 100 ms; states as they read in logs.
    fn states(timing: &Timing, results: &str) -> Vec<String> {
        let mut state = State::Unknown;
        let mut seen = Vec::new();
        for (start, result) in (0..).step_by(1_000).zip(results.chars()) {
            let finding = if result == '+' { Finding::Success } else { Finding::Failure };
            let step = state.step(timing, finding, at(start), at(start + 100), 0);
            let turned = match step.turned {
                Some(Verdict::Up) => " ↑",
                Some(Verdict::Down) => " ↓",
                None => "",
            };
            seen.push(format!("{}{turned}", step.state));
            state = step.state;
        }
        seen
    }

    #[test]
    fn consecutive_contrary_results_turn_the_verdict() {
        let check = |fall: u8, rise: u8, results: &str, expected: &[&str]| {
            let timing = Timing { fall, rise, ..Timing::default() };
            assert_eq!(states(&timing, results), expected, "fall {fall}, rise {rise}, {results}");
        };
        check(3, 2, "+++", &["up ↑", "up", "up"]);
        check(3, 2, "--", &["down ↓", "down"]);
        check(3, 2, "+---", &["up ↑", "suspect (1 failure)", "suspect (2 failures)", "down ↓"]);
        check(
            3,
            2,
            "+--+--",
            &[
                "up ↑",
                "suspect (1 failure)",
                "suspect (2 failures)",
                "up",
                "suspect (1 failure)",
                "suspect (2 failures)",
            ],
        );
        check(3, 2, "-++", &["down ↓", "recovering (1 success)", "up ↑"]);
        check(
            3,
            3,
            "-++-++",
            &[
                "down ↓",
                "recovering (1 success)",
                "recovering (2 successes)",
                "down",
                "recovering (1 success)",
                "recovering (2 successes)",
            ],
        );
        check(1, 1, "+-+-", &["up ↑", "down ↓", "up ↑", "down ↓"]);
        // The first result decides by itself, whatever the thresholds.
        check(100, 100, "-", &["down ↓"]);
        check(100, 100, "+", &["up ↑"]);
    }

    #[test]
    fn the_next_probe_starts_by_what_the_results_say() {
        // Gaps without jitter: 5 s − 100 ms, 1 s − 100 ms. A probe from 10,000 to 10,200 ms.
        let check = |state: State, finding: Finding, random: u32, expected: (u64, u64)| {
            let step = state.step(&Timing::default(), finding, at(10_000), at(10_200), random);
            let range = at(expected.0)..=at(expected.1);
            assert!(range.contains(&step.next), "{state}, {finding:?}: {:?}", step.next);
        };
        let forming = State::Suspect { failures: 1 };
        check(State::Up, Finding::Success, 0, (14_900, 14_900));
        check(State::Up, Finding::Success, u32::MAX, (14_400, 14_401));
        check(State::Down, Finding::Failure, 0, (14_900, 14_900));
        check(forming, Finding::Success, 0, (14_900, 14_900));
        check(State::Up, Finding::Failure, 0, (11_100, 11_100));
        check(forming, Finding::Failure, u32::MAX, (11_000, 11_001));
        check(State::Down, Finding::Success, 0, (11_100, 11_100));
        // The verdict that turns ends the forming.
        check(State::Suspect { failures: 2 }, Finding::Failure, 0, (14_900, 14_900));
        // The first gap reaches from the end of the probe to the longest gap.
        check(State::Unknown, Finding::Success, 0, (14_900, 14_900));
        check(State::Unknown, Finding::Success, 1 << 31, (12_450, 12_450));
        check(State::Unknown, Finding::Failure, u32::MAX, (10_200, 10_200));
    }

    #[test]
    fn a_probe_as_long_as_the_interval_is_cut_and_followed_at_once() {
        let timing = Timing { interval: MS(2_000), timeout: MS(2_000), ..Timing::default() };
        assert_eq!(patience(&timing), MS(1_900));
        let step = State::Up.step(&timing, Finding::Success, at(0), at(1_900), u32::MAX);
        assert_eq!(step.next, at(1_900));
        assert_eq!(patience(&Timing::default()), MS(2_000));
    }

    #[test]
    fn the_flip_is_the_soonest_that_the_verdict_could_turn() {
        // The next probe starts 900 ms after the end; further gaps are at least 800 ms.
        let check = |state: State, finding: Finding, alive: bool, expected: Option<u64>| {
            let timing = Timing { fall: 4, rise: 3, ..Timing::default() };
            let health = state.step(&timing, finding, at(0), at(100), 0).health;
            assert_eq!(health.alive, alive, "{state}, {finding:?}");
            let expected = expected.map_or(Moment::NEVER, at);
            assert_eq!(health.flip.since(expected).max(expected.since(health.flip)).as_millis(), 0, "{health:?}");
        };
        check(State::Unknown, Finding::Success, true, None);
        check(State::Up, Finding::Success, true, None);
        check(State::Up, Finding::Failure, true, Some(1_000 + 2 * 800));
        check(State::Suspect { failures: 1 }, Finding::Failure, true, Some(1_000 + 800));
        check(State::Suspect { failures: 2 }, Finding::Failure, true, Some(1_000));
        check(State::Suspect { failures: 3 }, Finding::Failure, false, None);
        check(State::Down, Finding::Success, false, Some(1_000 + 800));
        check(State::Recovering { successes: 1 }, Finding::Success, false, Some(1_000));
        check(State::Recovering { successes: 2 }, Finding::Success, true, None);
        check(State::Recovering { successes: 2 }, Finding::Failure, false, None);
    }

    /// Settings over orders of magnitude, so that short and long ones meet.
    fn timings() -> impl Strategy<Value = Timing> {
        (0_u32..18, parts(), parts(), 1_u8..8, 1_u8..8).prop_map(|(power, fast, timeout, fall, rise)| {
            let interval = MS(100 << power);
            let fast = MS(100).max(interval.mul_f64(fast));
            let timeout = MS(10).max(interval.mul_f64(timeout));
            Timing { interval, fast, timeout, fall, rise }
        })
    }

    /// A part of the whole, and often all of it.
    fn parts() -> impl Strategy<Value = f64> {
        prop_oneof![1 => 0.0..0.1_f64, 2 => 0.0..1.0_f64, 1 => Just(1.0)]
    }

    /// The seed is fixed, so a failure comes again by itself: nothing needs to be remembered in files.
    fn config(cases: u32) -> ProptestConfig {
        ProptestConfig {
            cases,
            rng_seed: proptest::test_runner::RngSeed::Fixed(20_260_131),
            failure_persistence: None,
            ..ProptestConfig::default()
        }
    }

    proptest! {
        #![proptest_config(config(2_000))]

        #[test]
        fn no_verdict_turns_on_fewer_results(timing in timings(), results in vec(any::<bool>(), 1..60)) {
            let (mut state, mut alive, mut contrary) = (State::Unknown, results[0], 0_u8);
            for (count, &success) in results.iter().enumerate() {
                let finding = if success { Finding::Success } else { Finding::Failure };
                let step = state.step(&timing, finding, at(0), at(0), 0);
                if count > 0 {
                    contrary = if success == alive { 0 } else { contrary + 1 };
                    let needed = if alive { timing.fall } else { timing.rise };
                    prop_assert_eq!(step.turned.is_some(), contrary == needed);
                    if step.turned.is_some() {
                        (alive, contrary) = (success, 0);
                    }
                }
                prop_assert_eq!(step.health.alive, alive);
                prop_assert_eq!(step.health.flip == Moment::NEVER, contrary == 0);
                state = step.state;
            }
        }

        #[test]
        fn gaps_stay_within_their_settings(timing in timings(), took in 0.0..1.0_f64, random: u32) {
            let took = patience(&timing).mul_f64(took);
            let (start, end) = (at(1_000), at(1_000) + took);
            let late = LATENESS_MAX.min(timing.interval / 10);
            for state in [State::Unknown, State::Up, State::Down] {
                for finding in [Finding::Success, Finding::Failure] {
                    let step = state.step(&timing, finding, start, end, random);
                    prop_assert!(step.next >= end);
                    if step.health.flip == Moment::NEVER {
                        prop_assert!(step.next + late <= start + timing.interval);
                    } else {
                        prop_assert!(step.next < end + timing.fast);
                        prop_assert!(step.next + Duration::from_nanos(1) >= end + timing.fast.mul_f64(0.8));
                        let needed = if state == State::Up { timing.fall } else { timing.rise } - 1;
                        prop_assert!(step.health.flip >= step.next);
                        prop_assert!(step.health.flip <= end + (timing.fast + timing.timeout) * u32::from(needed));
                    }
                }
            }
        }
    }

    /// An endpoint that lives until it dies, and a prober that is as late as it may be.
    struct Run {
        timing: Timing,
        random: Random,
    }

    impl Run {
        /// Up to `span`, and all of it in one case of four: extremes are where the promise breaks.
        fn some(&mut self, span: Duration) -> Duration {
            match self.random.below(4) {
                0 => span,
                _ => Duration::from_nanos(self.random.below(span.as_nanos() as u64 + 1)),
            }
        }

        /// From the death to the verdict, and the flips that were told on the way with what they led to.
        fn detection(&mut self, death: Moment) -> Duration {
            let timing = self.timing;
            let (mut state, mut next, mut setting, mut soonest) = (State::Unknown, at(0), timing.interval, at(0));
            loop {
                // What is lost at the start of a probe cannot be lost at its end again.
                let mut allowance = lateness(setting);
                let late = self.some(allowance);
                allowance -= late;
                let start = next + late;
                let took = self.some(patience(&timing));
                // One that is under way at the death may end either way, but in time only if it was answered.
                let success = start < death && (start + took < death || self.random.below(2) == 0);
                let hangs = !success && self.random.below(2) == 0;
                let end = start + if hangs { patience(&timing) + self.some(allowance) } else { took };
                let finding = if success { Finding::Success } else { Finding::Failure };
                let step = state.step(&timing, finding, start, end, self.random.next_u32());
                if step.turned == Some(Verdict::Down) && state != State::Unknown {
                    assert!(end >= soonest, "the verdict turned at {end:?}, before {soonest:?} as was told");
                    return end.since(death);
                }
                let forming = step.health.flip != Moment::NEVER;
                soonest = if forming { soonest.max(step.health.flip) } else { Moment::START };
                setting = if forming { timing.fast } else { timing.interval };
                (state, next) = (step.state, step.next);
            }
        }
    }

    proptest! {
        #![proptest_config(config(20_000))]

        #[test]
        fn a_death_is_detected_in_time(timing in timings(), seed: u64, death in 0.0..5.0_f64) {
            let mut run = Run { timing, random: Random::new(seed) };
            // After the first result, or there is no verdict to turn.
            let death = at(0) + timing.interval * 2 + timing.interval.mul_f64(death);
            let detection = run.detection(death);
            prop_assert!(
                detection <= timing.detection_max(),
                "{detection:?} from the death to the verdict, {:?} promised", timing.detection_max()
            );
        }
    }
}
