//! The register under a virtual clock.

use std::net::IpAddr;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::health::Timing;

#[test]
fn a_slow_start_grows_between_probes() {
    let mut run = Run::new(1, 0, WaveSettings::default());
    let share = |run: &Run| run.board.get(ProbeId(0)).map(|health| (health.alive, health.share.get()));
    run.say(500, 0, 'd');
    let ramp = Ramp { from: at(1_000), over: S(19) };
    run.register.enter(ProbeId(0), Health { share: PerMille::new(50), ..Health::UP }, Some(ramp), at(1_000));
    let settled = run.register.settle(at(1_000), &mut run.board);
    assert_eq!((settled.verdicts, settled.turned), (vec![ProbeId(0)], vec![ProbeId(0)]));
    // No probe says a word, and every second it is a step more.
    for step in 1..=19_u16 {
        assert_eq!(share(&run), Some((true, 50 * step)));
        assert_eq!(run.register.next(), at(1_000 + 1_000 * u64::from(step)));
        let early = run.register.settle(at(999 + 1_000 * u64::from(step)), &mut run.board);
        assert_eq!(early, Settled::default());
        let settled = run.register.settle(at(1_000 + 1_000 * u64::from(step)), &mut run.board);
        assert_eq!((settled.verdicts, settled.turned, settled.loads), (vec![], vec![], vec![ProbeId(0)]));
    }
    assert_eq!((share(&run), run.register.next()), (Some((true, 1_000)), Moment::NEVER));

    // A death in the middle of it ends it; one that looks late gets what it has come to by then.
    let again = Ramp { from: at(30_000), over: S(19) };
    run.register.enter(ProbeId(0), Health::UP, Some(again), at(30_000));
    run.register.settle(at(35_500), &mut run.board);
    assert_eq!(share(&run), Some((true, 300)));
    run.say(36_000, 0, 'd');
    run.pass(60_000);
    assert_eq!((share(&run), run.register.next()), (Some((false, 1_000)), Moment::NEVER));
}

const S: fn(u64) -> Duration = Duration::from_secs;

fn at(ms: u64) -> Moment {
    Moment::START + Duration::from_millis(ms)
}

fn suspect() -> Health {
    Health { flip: at(u64::from(u32::MAX)), ..Health::UP }
}

/// A register over endpoints of one family, and the board that it keeps.
struct Run {
    register: Register,
    board: Board,
    news: Vec<String>,
}

impl Run {
    /// With so many endpoints, all up, each with this slack in seconds; interval 5 s, timeout 2 s.
    fn new(endpoints: u32, slack: u64, settings: WaveSettings) -> Self {
        let mut run = Self { register: Register::new(settings), board: Board::new(), news: Vec::new() };
        for number in 0..endpoints {
            let address = IpAddr::from([127, 0, 0, u8::try_from(number).expect("few")]);
            run.register.watch(ProbeId(number), Watched::new(address, &Timing::default(), S(slack)));
            run.say(0, number, 'u');
        }
        run
    }

    /// At `ms` an endpoint says: up, suspect, down, or recovering.
    fn say(&mut self, ms: u64, endpoint: u32, what: char) {
        self.pass(ms);
        let raw = match what {
            'u' => Health::UP,
            's' => suspect(),
            'd' => Health::DOWN,
            _ => Health { flip: at(u64::from(u32::MAX)), ..Health::DOWN },
        };
        self.register.enter(ProbeId(endpoint), raw, None, at(ms));
        self.pass(ms);
    }

    /// Does what is due up to `ms`.
    fn pass(&mut self, ms: u64) {
        loop {
            let due = self.register.next().min(at(ms));
            let settled = self.register.settle(due, &mut self.board);
            for news in settled.news {
                let seconds = |at: Moment| at.since(Moment::START).as_millis() as f64 / 1e3;
                self.news.push(match news {
                    News::Began(wave) => format!(
                        "{}: {} of {} at {}, until {}",
                        wave.family,
                        wave.suspects,
                        wave.living,
                        seconds(wave.since),
                        seconds(wave.until)
                    ),
                    News::Ended { wave, down } => {
                        format!("{}: over at {}, {down} down", wave.family, seconds(wave.until))
                    }
                });
            }
            if self.register.next() > at(ms) {
                break;
            }
        }
    }

    /// The board: `u` up, `s` suspect, `h` held, `d` down.
    fn board(&self) -> String {
        (0..)
            .map_while(|number| self.board.get(ProbeId(number)))
            .map(|health| match (health.alive, health.flip) {
                (true, Moment::NEVER) => 'u',
                (true, Moment::START) => 'h',
                (true, _) => 's',
                (false, _) => 'd',
            })
            .collect()
    }
}

/// `script`: moments in milliseconds, each with what endpoints say, such as `1s` for suspect; `expected`: the board
/// after each line, and the news of all.
fn check(endpoints: u32, slack: u64, script: &[(u64, &str, &str)], news: &[&str]) {
    let mut run = Run::new(endpoints, slack, WaveSettings::default());
    for &(ms, said, expected) in script {
        run.pass(ms);
        for said in said.split_whitespace() {
            let (number, what) = said.split_at(said.len() - 1);
            run.say(ms, number.parse().expect("a number"), what.chars().next().expect("a state"));
        }
        assert_eq!(run.board(), expected, "at {ms}, {said}");
    }
    assert_eq!(run.news, news);
}

#[test]
fn a_wave_is_held_and_who_recovers_never_was_down() {
    check(
        6,
        42,
        &[
            (1_000, "0s 1s 2s", "sssuuu"),
            (2_500, "0d", "dssuuu"),
            // More than half: the one that is down already is taken back.
            (3_000, "3s", "hsssuu"),
            (4_000, "1d 2d 4s 5s", "hhhsss"),
            (9_000, "3d 4d 5d", "hhhhhh"),
            (20_000, "0r 1r 2r 3r 4r", "hhhhhh"),
            (21_000, "0u 1u 2u 3u 4u", "uuuuuh"),
            (32_999, "", "uuuuuh"),
            (33_000, "", "uuuuud"),
        ],
        &["IPv4: 4 of 6 at 3, until 33", "IPv4: over at 33, 1 down"],
    );
}

#[test]
fn the_wave_is_over_when_all_are_well_again() {
    check(
        5,
        42,
        &[
            (1_000, "0s 1s 2s", "sssuu"),
            (2_000, "0d", "hssuu"),
            (4_000, "1u 2u", "huuuu"),
            (6_000, "0u", "uuuuu"),
            (6_500, "0s 0d", "duuuu"),
        ],
        &["IPv4: 3 of 5 at 1, until 31", "IPv4: over at 6, 0 down"],
    );
}

#[test]
fn the_promise_bounds_the_hold() {
    check(
        5,
        4,
        &[
            (1_000, "0s 1s", "ssuuu"),
            (2_000, "0d", "dsuuu"),
            (3_000, "2s", "hssuu"),
            (5_999, "", "hssuu"),
            (6_000, "", "dssuu"),
            (10_000, "1d", "dhsuu"),
            (14_000, "", "ddsuu"),
            (33_000, "2d", "ddduu"),
        ],
        &["IPv4: 3 of 5 at 3, until 33", "IPv4: over at 33, 2 down"],
    );
    // Nothing to spare, nothing held.
    check(5, 0, &[(1_000, "0s 1s 2s 0d 1d", "ddsuu")], &["IPv4: 3 of 5 at 1, until 31"]);
}

#[test]
fn what_is_no_wave_is_not_held() {
    // Too few to tell.
    check(4, 42, &[(1_000, "0s 1s 2s 3s", "ssss"), (3_000, "0d 1d 2d 3d", "dddd")], &[]);
    // Half of them, one of two data centres.
    check(6, 42, &[(1_000, "0s 1s 2s", "sssuuu"), (3_000, "0d 1d 2d", "ddduuu")], &[]);
    // One after the other.
    check(
        6,
        42,
        &[
            (1_000, "0s", "suuuuu"),
            (3_000, "0d 1s", "dsuuuu"),
            (9_000, "1d 2s", "ddsuuu"),
            (17_000, "2d 3s", "dddsuu"),
            (25_000, "3d 4s", "ddddsu"),
        ],
        &[],
    );
}

#[test]
fn the_dead_do_not_count() {
    // 4 of 9 are long dead, so 3 of the 5 that live are a wave; that the dead go on failing is none.
    let dead = "0s 1s 2s 3s 0d 1d 2d 3d";
    check(
        9,
        42,
        &[
            (1_000, dead, "dddduuuuu"),
            (20_000, "0r 1r 0d 1d", "dddduuuuu"),
            (30_000, "4s 5s 0r 0d", "ddddssuuu"),
            (31_000, "6s 4d 5d", "ddddhhsuu"),
            (61_000, "", "ddddddsuu"),
        ],
        &["IPv4: 3 of 5 at 31, until 61", "IPv4: over at 61, 2 down"],
    );
}

#[test]
fn a_wave_does_not_feed_the_next() {
    check(
        5,
        600,
        &[
            (1_000, "0s 1s 2s 3s 4s 0d 1d 2d", "hhhss"),
            // What is still suspect at the end was struck by this wave, not by another.
            (31_000, "", "dddss"),
            (32_000, "3d 4d", "ddddd"),
            // Well again, and struck again: another.
            (40_000, "0u 1u 2u 3u 4u", "uuuuu"),
            (41_000, "0s 1s 2s 0d", "hssuu"),
        ],
        &["IPv4: 3 of 5 at 1, until 31", "IPv4: over at 31, 3 down", "IPv4: 3 of 5 at 41, until 71"],
    );
}

#[test]
fn off_is_off_and_a_first_verdict_is_no_death() {
    let mut run = Run::new(6, 42, WaveSettings { share: None, ..WaveSettings::default() });
    for endpoint in 0..6 {
        run.say(1_000, endpoint, 's');
        run.say(1_000, endpoint, 'd');
    }
    assert_eq!((run.board().as_str(), run.news.len()), ("dddddd", 0));
    let mut run = Run::new(6, 42, WaveSettings::default());
    for number in 6..20 {
        let address = IpAddr::from([127, 0, 0, u8::try_from(number).expect("few")]);
        run.register.watch(ProbeId(number), Watched::new(address, &Timing::default(), S(42)));
        run.say(1_000, number, 'd');
    }
    assert_eq!((run.board().as_str(), run.news.len()), ("uuuuuudddddddddddddd", 0));
}

#[test]
fn monitors_of_one_endpoint_count_once_and_families_apart() {
    let mut register = Register::new(WaveSettings::default());
    let mut board = Board::new();
    let mut enter = |number: u32, address: IpAddr, raw: Health| {
        register.watch(ProbeId(number), Watched::new(address, &Timing::default(), S(42)));
        register.enter(ProbeId(number), Health::UP, None, at(0));
        register.enter(ProbeId(number), raw, None, at(1_000));
    };
    // One machine under ten monitors, and five that are well.
    for number in 0..10 {
        enter(number, IpAddr::from([127, 0, 0, 1]), suspect());
    }
    for number in 10..15 {
        enter(number, IpAddr::from([127, 0, 0, number as u8]), Health::UP);
    }
    // All of IPv6.
    for number in 20..26 {
        enter(number, IpAddr::from([0, 0, 0, 0, 0, 0, 0, number as u16]), suspect());
    }
    let news = register.settle(at(1_000), &mut board).news;
    assert!(matches!(news[..], [News::Began(Wave { family: WaveFamily::V6, .. })]), "{news:?}");
}

#[test]
fn who_probes_is_told_what_is_held_and_until_when() {
    let mut run = Run::new(5, 4, WaveSettings::default());
    "0s 1s 2s 0d"
        .split(' ')
        .for_each(|said| run.say(1_000, said[..1].parse().expect("a number"), said.as_bytes()[1].into()));
    run.register.enter(ProbeId(1), Health::DOWN, None, at(2_000));
    // As long as the promise allows, from each death on.
    assert_eq!(run.register.settle(at(2_000), &mut run.board).held, [(ProbeId(1), at(6_000))]);
    assert_eq!(run.register.settle(at(3_000), &mut run.board).held, []);
    run.register.enter(ProbeId(0), Health::UP, None, at(3_000));
    assert_eq!(run.register.settle(at(3_000), &mut run.board).held, [], "it is well again");
}

#[test]
fn load_alone_is_told_apart() {
    let mut run = Run::new(2, 42, WaveSettings::default());
    let load = Some(super::super::Load { utilization: PerMille::new(100), trust: PerMille::new(50) });
    run.register.enter(ProbeId(0), Health { load, ..Health::UP }, None, at(5));
    let settled = run.register.settle(at(5), &mut run.board);
    assert_eq!(settled, Settled { loads: vec![ProbeId(0)], ..Settled::default() });
    run.register.enter(ProbeId(0), Health { load: None, ..suspect() }, None, at(5));
    assert_eq!(run.register.settle(at(5), &mut run.board).verdicts, [ProbeId(0)]);
    run.register.keep_only(|probe| probe == ProbeId(1));
    run.register.enter(ProbeId(0), Health::UP, None, at(6));
    assert_eq!(run.register.settle(at(6), &mut run.board), Settled::default(), "what is not watched is not heard");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// Whatever endpoints say: a verdict counts at the latest when its hold ends, an up verdict at once, nothing is
    /// held outside a wave, and the counts are those of the entries.
    #[test]
    fn a_verdict_is_never_late_by_more_than_the_hold(
        endpoints in 1_u32..12,
        slack in 0_u64..60,
        said in vec((0_u64..4_000, 0_u32..12, prop::sample::select(vec!['u', 's', 'd', 'r'])), 1..120),
    ) {
        let settings = WaveSettings::default();
        let mut run = Run::new(endpoints, slack, settings);
        let bound = S(slack).min(settings.hold);
        let mut down_since = vec![None::<u64>; endpoints as usize];
        let mut ms = 0;
        for (gap, endpoint, what) in said {
            let endpoint = endpoint % endpoints;
            ms += gap;
            run.say(ms, endpoint, what);
            let since = &mut down_since[endpoint as usize];
            *since = if matches!(what, 'd' | 'r') { since.or(Some(ms)) } else { None };
            let wave = run.register.waves().next();
            for (number, since) in down_since.iter().enumerate() {
                let health = run.board.get(ProbeId(number as u32)).expect("known");
                match since {
                    None => prop_assert!(health.alive),
                    Some(since) if health.alive => {
                        prop_assert!(wave.is_some() && health.flip == Moment::START);
                        prop_assert!(at(ms) < at(*since) + bound, "held at {ms}, down since {since}");
                    }
                    Some(_) => {}
                }
            }
            let register = &run.register;
            let count = |of: fn(&Entry) -> bool| register.entries.values().filter(|entry| of(entry)).count();
            let tide = &register.tides[0];
            prop_assert_eq!(tide.struck, count(|entry| matches!(entry.standing, Standing::Struck(_))));
            prop_assert_eq!(tide.held, count(|entry| entry.held_until.is_some()));
            prop_assert_eq!(tide.endpoints.len(), count(|entry| entry.standing != Standing::Absent));
        }
        // Left alone, everything counts as it stands.
        run.pass(ms + 600_000);
        for (number, since) in down_since.iter().enumerate() {
            prop_assert_eq!(run.board.get(ProbeId(number as u32)).expect("known").alive, since.is_none());
        }
        prop_assert_eq!(run.register.next(), Moment::NEVER);
    }
}
