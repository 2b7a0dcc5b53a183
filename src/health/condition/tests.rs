//! Transitions, paces and flips, holds and slow starts, by table.

mod properties;

use std::time::Duration;

use super::super::HoldDown;
use super::super::pace::patience;
use super::*;

const MS: fn(u64) -> Duration = Duration::from_millis;

fn at(ms: u64) -> Moment {
    Moment::START + MS(ms)
}

/// Nothing held, no slow start.
const PLAIN: Comeback =
    Comeback { hold_down: HoldDown::OFF, slow_start: Duration::ZERO, failback: Failback::Automatic };

/// A condition that has been in `state` all the time.
fn of(state: State) -> Condition {
    Condition { record: Record { state, ..Record::default() }, lived: None }
}

/// The step after a result that is not too old.
fn step(
    condition: Condition,
    timing: &Timing,
    comeback: &Comeback,
    success: bool,
    (start, end): (Moment, Moment),
    random: u32,
) -> Step {
    let finding = if success { Finding::Success } else { Finding::Failure };
    condition.step(timing, comeback, Probed { finding, start, end, held: false }, random).expect("a result that counts")
}

/// Results as letters, `+` and `-`, one probe a second that takes 100 ms; states as they read in logs.
fn states(timing: &Timing, results: &str) -> Vec<String> {
    told(timing, &PLAIN, results)
}

fn told(timing: &Timing, comeback: &Comeback, results: &str) -> Vec<String> {
    let mut condition = Condition::default();
    let mut seen = Vec::new();
    for (start, result) in (0..).step_by(1_000).zip(results.chars()) {
        let end = at(start + 100);
        let step = step(condition, timing, comeback, result == '+', (at(start), end), 0);
        let turned = match step.turned {
            Some(Verdict::Up) => " ↑",
            Some(Verdict::Down) => " ↓",
            None => "",
        };
        seen.push(format!("{}{turned}", step.condition.in_words(comeback, end)));
        condition = step.condition;
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
        &["up ↑", "suspect (1 failure)", "suspect (2 failures)", "up", "suspect (1 failure)", "suspect (2 failures)"],
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
        let success = finding == Finding::Success;
        let step = step(of(state), &Timing::default(), &PLAIN, success, (at(10_000), at(10_200)), random);
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
    let step = step(of(State::Up), &timing, &PLAIN, true, (at(0), at(1_900)), u32::MAX);
    assert_eq!(step.next, at(1_900));
    assert_eq!(patience(&Timing::default()), MS(2_000));
}

#[test]
fn the_flip_is_the_soonest_that_the_verdict_could_turn() {
    // The next probe starts 900 ms after the end; further gaps are at least 800 ms.
    let check = |state: State, finding: Finding, alive: bool, expected: Option<u64>| {
        let timing = Timing { fall: 4, rise: 3, ..Timing::default() };
        let success = finding == Finding::Success;
        let health = step(of(state), &timing, &PLAIN, success, (at(0), at(100)), 0).health;
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

#[test]
fn what_flaps_is_held_down() {
    let check = |hold_down: HoldDown, failback: Failback, results: &str, expected: &[&str]| {
        let timing = Timing { fall: 1, rise: 1, ..Timing::default() };
        let comeback = Comeback { hold_down, failback, ..PLAIN };
        let told = told(&timing, &comeback, results);
        assert_eq!(told, expected, "{hold_down:?}, {failback:?}, {results}");
    };
    let hold = |first, most, window| HoldDown { first: MS(first), most: MS(most), window: MS(window) };
    // One probe a second. The first death is not held, the second for 2 s, the third for 4 s.
    check(
        hold(2_000, 9_000, 60_000),
        Failback::Automatic,
        "+-+-+++-++-+++",
        &[
            "up ↑",
            "down ↓",
            "up ↑",
            "down ↓",
            "recovering (held for another 1s)",
            "up ↑",
            "up",
            "down ↓",
            "recovering (held for another 3s)",
            "recovering (held for another 2s)",
            "down",
            "up ↑",
            "up",
            "up",
        ],
    );
    // Up for the window, it is calm again.
    check(
        hold(2_000, 9_000, 3_000),
        Failback::Automatic,
        "+-+-+++++-+",
        &[
            "up ↑",
            "down ↓",
            "up ↑",
            "down ↓",
            "recovering (held for another 1s)",
            "up ↑",
            "up",
            "up",
            "up",
            "down ↓",
            "up ↑",
        ],
    );
    // A first verdict that is down counts as a death.
    check(
        hold(2_000, 9_000, 60_000),
        Failback::Automatic,
        "-+-+",
        &["down ↓", "up ↑", "down ↓", "recovering (held for another 1s)"],
    );
    check(
        hold(2_000, 9_000, 60_000),
        Failback::Manual,
        "+-++-+",
        &[
            "up ↑",
            "down ↓",
            "recovering (awaits its release)",
            "recovering (awaits its release)",
            "down",
            "recovering (awaits its release)",
        ],
    );
}

#[test]
fn only_what_awaits_its_release_is_released() {
    let comeback = Comeback { failback: Failback::Manual, slow_start: MS(1_900), ..PLAIN };
    let timing = Timing::default();
    for state in [State::Unknown, State::Up, State::Down, State::Held, State::Recovering { successes: 1 }] {
        assert_eq!(of(state).release(at(5)), None, "{state}");
    }
    let record = Record { state: State::Awaiting, since: at(1), judged: at(3), deaths: 1 };
    let awaiting = Condition { record, lived: None };
    assert_eq!(awaiting.health(&timing, &comeback, at(9), at(4)), Health::DOWN);
    let released = awaiting.release(at(5)).expect("it waits");
    assert_eq!(released.record(), Record { state: State::Up, since: at(5), judged: at(3), deaths: 1 });
    let health = released.health(&timing, &comeback, at(9), at(5));
    assert_eq!(health, Health { share: PerMille::new(50), ..Health::UP }, "it starts slowly");
    assert_eq!(released.health(&timing, &comeback, at(9), at(1_905)), Health::UP);
}

#[test]
fn a_held_one_is_probed_at_its_holds_end() {
    let comeback = Comeback { hold_down: HoldDown { first: MS(60_000), ..HoldDown::default() }, ..PLAIN };
    let record = Record { state: State::Recovering { successes: 1 }, since: at(0), judged: at(0), deaths: 2 };
    let down = Condition { record, lived: None };
    let check = |start: u64, state: State, next: u64, flip: u64| {
        let step = step(down, &Timing::default(), &comeback, true, (at(start), at(start)), 0);
        assert_eq!((step.condition.state(), step.next), (state, at(next)), "{start}");
        assert_eq!(step.health.flip, if flip == 0 { Moment::NEVER } else { at(flip) }, "{start}");
    };
    // Every 4.9 s, until the hold ends; never sooner than in 900 ms.
    check(10_000, State::Held, 14_900, 60_000);
    check(58_000, State::Held, 60_000, 60_000);
    check(59_900, State::Held, 60_800, 60_800);
    check(60_000, State::Up, 64_900, 0);
}

#[test]
fn an_endpoint_that_comes_back_starts_slowly_and_one_that_is_first_seen_does_not() {
    let check = |results: &str, expected: &[u16]| {
        let (timing, comeback) =
            (Timing { fall: 1, rise: 1, ..Timing::default() }, Comeback { slow_start: MS(3_800), ..PLAIN });
        let mut condition = Condition::default();
        let seen = (0..).step_by(1_000).zip(results.chars()).map(|(start, result)| {
            let step = step(condition, &timing, &comeback, result == '+', (at(start), at(start)), 0);
            condition = step.condition;
            if step.health.alive { step.health.share.get() } else { 0 }
        });
        assert_eq!(seen.collect::<Vec<_>>(), expected, "{results}");
    };
    check("+++", &[1_000, 1_000, 1_000]);
    check("-+++++", &[0, 50, 300, 550, 800, 1_000]);
    check("+-+-++", &[1_000, 0, 50, 0, 50, 300]);
}

#[test]
fn what_was_kept_is_brought_within_the_settings() {
    let timing = Timing { fall: 3, rise: 2, ..Timing::default() };
    let check = |state: State, deaths: u8, expected: (State, u8)| {
        let record = Record { state, since: at(10_000), judged: at(90_000), deaths };
        let restored = Condition::restored(record, &timing, at(20_000)).record();
        assert_eq!((restored.state, restored.deaths), expected, "{state}");
        assert_eq!((restored.since, restored.judged), (at(10_000), at(20_000)));
    };
    check(State::Up, 0, (State::Up, 0));
    check(State::Up, 7, (State::Up, 7));
    check(State::Suspect { failures: 2 }, 0, (State::Suspect { failures: 2 }, 0));
    check(State::Suspect { failures: 200 }, 0, (State::Suspect { failures: 2 }, 0));
    check(State::Suspect { failures: 0 }, 0, (State::Up, 0));
    check(State::Down, 0, (State::Down, 1));
    check(State::Recovering { successes: 200 }, 2, (State::Recovering { successes: 1 }, 2));
    check(State::Held, 2, (State::Held, 2));
    check(State::Awaiting, 1, (State::Awaiting, 1));
    let sudden = Timing { fall: 1, rise: 1, ..timing };
    let of = |state| Condition::restored(Record { state, ..Record::default() }, &sudden, at(1)).state();
    assert_eq!(of(State::Suspect { failures: 1 }), State::Up);
    assert_eq!(of(State::Recovering { successes: 1 }), State::Down);
    assert_eq!(Condition::restored(Record { deaths: 9, ..Record::default() }, &timing, at(1)), Condition::default());
}

#[test]
fn states_are_read_back_from_their_words() {
    let states = [
        State::Unknown,
        State::Up,
        State::Suspect { failures: 2 },
        State::Down,
        State::Recovering { successes: 1 },
        State::Held,
        State::Awaiting,
    ];
    for state in states {
        assert_eq!(State::of(state.word(), state.count()), Some(state));
    }
    assert_eq!(State::of("sideways", 1), None);
}

#[test]
fn who_recovers_while_its_verdict_is_held_never_was_down() {
    let hold_down = HoldDown { first: MS(50_000), most: MS(100_000), window: MS(600_000) };
    let comeback = Comeback { hold_down, slow_start: MS(19_000), failback: Failback::Manual };
    let timing = Timing { fall: 2, rise: 2, ..Timing::default() };
    // It has died twice before, and is half-way through its slow start when the wave comes at 20 s.
    let before = Record { state: State::Up, since: at(10_000), judged: at(19_000), deaths: 2 };
    let check = |held: bool, results: &str, expected: (State, Option<Verdict>, u64, u8, u16)| {
        let mut condition = Condition { record: before, lived: None };
        let mut last = None;
        for (start, result) in (20_000..).step_by(1_000).zip(results.chars()) {
            let finding = if result == '+' { Finding::Success } else { Finding::Failure };
            let probed = Probed { finding, start: at(start), end: at(start), held };
            let step = condition.step(&timing, &comeback, probed, 0).expect("a result that counts");
            condition = step.condition;
            last = Some(step);
        }
        let Step { turned, health, .. } = last.expect("a step");
        let Record { state, since, deaths, .. } = condition.record();
        assert_eq!((state, turned, since, deaths, health.share.get()), {
            let (state, turned, since, deaths, share) = expected;
            (state, turned, at(since), deaths, share)
        });
    };
    let recovering = State::Recovering { successes: 1 };
    check(true, "--", (State::Down, Some(Verdict::Down), 21_000, 3, 1_000));
    check(true, "--+", (recovering, None, 21_000, 3, 1_000));
    // At 23 s, 13 of its 19 steps.
    check(true, "--++", (State::Up, Some(Verdict::Up), 10_000, 2, 700));
    check(false, "--++", (State::Held, None, 21_000, 3, 1_000));
    // Another death of that life counts on as the first would have.
    check(true, "--++--", (State::Down, Some(Verdict::Down), 25_000, 3, 1_000));
}

#[test]
fn a_hold_that_begins_late_lets_up_what_waits() {
    let comeback = Comeback { failback: Failback::Manual, ..PLAIN };
    let timing = Timing { fall: 1, rise: 1, ..Timing::default() };
    let mut condition = of(State::Up);
    let mut seen = Vec::new();
    for (start, finding, held) in [
        (1, Finding::Failure, false),
        (2, Finding::Success, false),
        (3, Finding::Success, true),
        (4, Finding::Failure, false),
        (5, Finding::Success, false),
    ] {
        let probed = Probed { finding, start: at(start), end: at(start), held };
        condition = condition.step(&timing, &comeback, probed, 0).expect("a result that counts").condition;
        seen.push(condition.state());
    }
    assert_eq!(seen, [State::Down, State::Awaiting, State::Up, State::Down, State::Awaiting]);
    let first = of(State::Unknown);
    let probed = |finding, ms| Probed { finding, start: at(ms), end: at(ms), held: true };
    let down = first.step(&timing, &comeback, probed(Finding::Failure, 1), 0).expect("a result that counts");
    let well = down.condition.step(&timing, &comeback, probed(Finding::Success, 2), 0).expect("a result that counts");
    assert_eq!(well.condition.state(), State::Awaiting, "it never lived");
}
