//! Verdicts, holds, older results, counters and detection, by property.

use proptest::collection::vec;
use proptest::prelude::*;

use super::super::super::pace::{LATENESS_MAX, lateness, patience};
use super::*;
use crate::random::Random;

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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn no_verdict_turns_on_fewer_results(timing in timings(), results in vec(any::<bool>(), 1..60)) {
        let (mut condition, mut alive, mut contrary) = (Condition::default(), results[0], 0_u8);
        for (count, &success) in results.iter().enumerate() {
            let step = step(condition, &timing, &PLAIN, success, (at(0), at(0)), 0);
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
            condition = step.condition;
        }
    }

    #[test]
    fn gaps_stay_within_their_settings(timing in timings(), took in 0.0..1.0_f64, random: u32) {
        let took = patience(&timing).mul_f64(took);
        let (start, end) = (at(1_000), at(1_000) + took);
        let late = LATENESS_MAX.min(timing.interval / 10);
        for state in [State::Unknown, State::Up, State::Down] {
            for finding in [Finding::Success, Finding::Failure] {
                let step = step(of(state), &timing, &PLAIN, finding == Finding::Success, (start, end), random);
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
    comeback: Comeback,
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
        let (mut condition, mut next, mut setting, mut soonest) = (Condition::default(), at(0), timing.interval, at(0));
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
            let step = step(condition, &timing, &self.comeback, success, (start, end), self.random.next_u32());
            if step.turned == Some(Verdict::Down) && condition.state() != State::Unknown {
                assert!(end >= soonest, "the verdict turned at {end:?}, before {soonest:?} as was told");
                return end.since(death);
            }
            let forming = step.health.flip != Moment::NEVER;
            soonest = if forming { soonest.max(step.health.flip) } else { Moment::START };
            setting = if forming { timing.fast } else { timing.interval };
            (condition, next) = (step.condition, step.next);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn a_death_is_detected_in_time(timing in timings(), comeback in comebacks(), seed: u64, death in 0.0..5.0_f64) {
        let mut run = Run { timing, comeback, random: Random::new(seed) };
        // After the first result, or there is no verdict to turn.
        let death = at(0) + timing.interval * 2 + timing.interval.mul_f64(death);
        let detection = run.detection(death);
        prop_assert!(
            detection <= timing.detection_max(),
            "{detection:?} from the death to the verdict, {:?} promised", timing.detection_max()
        );
    }
}

fn comebacks() -> impl Strategy<Value = Comeback> {
    let hold = (0_u64..60_000, 1_u64..10, 1_000_u64..600_000);
    let hold = hold.prop_map(|(first, most, window)| HoldDown {
        first: MS(first),
        most: MS(first * most),
        window: MS(window),
    });
    let failback = prop_oneof![4 => Just(Failback::Automatic), 1 => Just(Failback::Manual)];
    (prop_oneof![Just(HoldDown::OFF), hold], 0_u64..100_000, failback)
        .prop_map(|(hold_down, slow_start, failback)| Comeback { hold_down, slow_start: MS(slow_start), failback })
}

/// Results one after another with gaps between them: how long each took to come, and whether it is a success.
fn results() -> impl Strategy<Value = Vec<(u64, bool)>> {
    // Runs rather than single results: verdicts must turn.
    let run = (1_usize..6, 0_u64..60_000, any::<bool>());
    vec(run, 1..30)
        .prop_map(|runs| runs.into_iter().flat_map(|(count, gap, success)| vec![(gap, success); count]).collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    /// A death is as sudden with a hold-down, slow start and manual failback as without; a hold is never shorter
    /// than was said, and never longer than its limit for one that is well; it is forgotten when all is calm.
    #[test]
    fn what_an_endpoint_waits_for_never_delays_its_death(
        timing in timings(), comeback in comebacks(), results in results(),
    ) {
        let (mut condition, mut now, mut failures, mut successes) = (Condition::default(), at(0), 0_u32, 0_u32);
        let (mut died, mut deaths, mut came_up) = (None, 0_u8, at(0));
        for (gap, success) in results {
            now = now + MS(gap);
            let (before, alive) = (condition.state(), condition.state().is_alive());
            let flip = condition.health(&timing, &comeback, now, now).flip;
            let step = step(condition, &timing, &comeback, success, (now, now), 0);
            (failures, successes) = if success { (0, successes + 1) } else { (failures + 1, 0) };
            let fell = if before == State::Unknown { !success } else { alive && failures >= timing.fall.into() };
            prop_assert_eq!(step.turned == Some(Verdict::Down), fell, "{} at {:?}", before, now);
            if fell {
                let calm = now.since(came_up) >= comeback.hold_down.window;
                deaths = if calm { 1 } else { deaths.saturating_add(1) };
                died = Some(now);
            }
            if let (Some(death), false) = (died, alive) {
                let hold = comeback.hold_down.after(deaths);
                prop_assert!(hold <= comeback.hold_down.most);
                let well = successes >= timing.rise.into();
                let may = now >= death + hold && well && comeback.failback == Failback::Automatic;
                prop_assert_eq!(step.turned == Some(Verdict::Up), may, "{} at {:?}", before, now);
                if may {
                    (came_up, died) = (now, None);
                    prop_assert!(before != State::Held || now >= flip, "turned at {:?}, before {:?} as was told", now, flip);
                }
            }
            condition = step.condition;
        }
    }

    /// A result that began before the last was in changes nothing, whatever it is.
    #[test]
    fn an_older_result_never_counts(
        timing in timings(), results in results(), early in 1_u64..1_000, took in 0_u64..5_000, success: bool,
    ) {
        let (mut condition, mut now) = (Condition::default(), at(0));
        let finding = if success { Finding::Success } else { Finding::Failure };
        for (gap, success) in results {
            now = now + MS(gap + 1_000);
            condition = step(condition, &timing, &Comeback::default(), success, (now, now), 0).condition;
            let probed = |start: Moment| Probed { finding, start, end: start + MS(took), held: false };
            prop_assert_eq!(condition.step(&timing, &Comeback::default(), probed(now - MS(early)), 0), None);
            prop_assert!(condition.step(&timing, &Comeback::default(), probed(now), 0).is_some());
        }
    }

    /// From any record, however odd, with the greatest counts there are: counts stay below what turns the verdict.
    #[test]
    fn counters_never_wrap(
        timing in timings(), comeback in comebacks(), state in 0_usize..7, count: u8, deaths: u8,
        (since, judged) in (any::<u64>(), any::<u64>()), results in results(),
    ) {
        let word = ["unknown", "up", "suspect", "down", "recovering", "held", "awaiting"][state];
        let state = State::of(word, count).expect("a state");
        let (since, judged) = (Moment::from_nanos(since), Moment::from_nanos(judged));
        let mut now = at(0);
        for mut condition in [
            Condition::restored(Record { state, since, judged, deaths }, &timing, now),
            Condition { record: Record { state, since: now, judged: now, deaths: u8::MAX }, lived: None },
        ] {
            for &(gap, success) in &results {
                now = now + MS(gap);
                let before = condition.record().deaths;
                let step = step(condition, &timing, &comeback, success, (now, now), u32::MAX);
                condition = step.condition;
                prop_assert!(condition.state().count() < timing.fall.max(timing.rise));
                let deaths = condition.record().deaths;
                prop_assert!(deaths == before || deaths == 1 || deaths == before.saturating_add(1));
                prop_assert!(deaths > 0 || condition.state().is_alive());
                prop_assert!(step.next >= now);
            }
        }
    }
}
