//! How loaded an endpoint says it is, made steady enough to share by: pure, like the verdicts.
//!
//! What an answer moves by is felt only once caches have let go of older answers, so load is a slow signal: it is
//! smoothed, the smoothed value may only climb or fall so fast, and it is trusted little by little.
//!
//! | what came                      | utilisation                                   | trust                         |
//! |--------------------------------|-----------------------------------------------|-------------------------------|
//! | the first report               | the report                                    | one step                      |
//! | a further report               | moves towards it, at most a step an interval  | rises a step an interval      |
//! | none, for up to three intervals| stays                                         | stays                         |
//! | none, for longer               | stays                                         | falls a step an interval      |
//! | none, until trust is gone      | forgotten                                     | forgotten                     |
//! | the verdict is down, or unknown| forgotten                                     | forgotten                     |
//!
//! Trust is what keeps a start or an end of reports from being a jump: [`Load::trust`] of a member's share follows
//! its own load, and the rest what others in its pool report. So an endpoint that comes back cold, with a load of
//! nearly 0 among busy ones, is not handed all the traffic at once. gRPC waits for 10 s of reports instead and then
//! jumps (`blackout_period`), and jumps again when they have stopped for 3 min (`weight_expiration_period`; gRFC
//! A58).

use std::fmt;
use std::time::Duration;

use super::Timing;
use crate::moment::Moment;

/// Thousandths of a whole: 0 to 1,000.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PerMille(u16);

impl PerMille {
    /// The whole.
    pub const WHOLE: Self = Self(1_000);

    /// So many thousandths; the whole when there are more.
    pub const fn new(thousandths: u16) -> Self {
        if thousandths > Self::WHOLE.0 { Self::WHOLE } else { Self(thousandths) }
    }

    /// The thousandths nearest to `share` of 1; the whole when it is more than that. `None` when it is negative,
    /// infinite or not a number.
    pub fn of(share: f64) -> Option<Self> {
        let valid = share.is_finite() && share >= 0.0;
        // Within 0 to 1,000, so the cast cuts nothing off.
        valid.then(|| Self((share.min(1.0) * 1_000.0).round() as u16))
    }

    /// The thousandths, 0 to 1,000.
    pub const fn get(self) -> u16 {
        self.0
    }
}

/// As it stands in logs: `30 %`, `30.5 %`.
impl fmt::Display for PerMille {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0 / 10, self.0 % 10) {
            (whole, 0) => write!(f, "{whole} %"),
            (whole, tenths) => write!(f, "{whole}.{tenths} %"),
        }
    }
}

/// The load of one endpoint as policies read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// The smoothed utilisation: 0 is idle, the whole is full or beyond.
    pub utilization: PerMille,
    /// How much of the endpoint's share may follow it; above 0.
    pub trust: PerMille,
}

/// The most that utilisation and trust each move by within one interval of the monitor, in thousandths. So from
/// idle to full, and from the first report to full trust, it takes 20 intervals: 100 s at the default of 5 s, twice
/// what a cache holds an answer for under the default budget. Faster would be to act on load that one's last move
/// has not yet reached.
pub const STEP_PER_INTERVAL: u16 = 50;

/// A report moves the smoothed utilisation by one part in this many of the difference, as RFC 6298 §2 smooths
/// round-trip times: half of a lasting change is in after 5 intervals, and noise of ±20 % comes down to ±5 %.
const SMOOTHING_PART: i64 = 8;

/// Silence of so many intervals is borne before trust falls: one lost answer, and one more, mean nothing.
pub const SILENCE_INTERVALS: u32 = 3;

/// A move of less than this since it was last told is not told: with the 64 levels of a schedule it would show
/// nowhere (1,000 / 64), yet cost the recompilation of every pool concerned.
pub const TOLD_STEP: u16 = 16;

/// Smoothing reckons in thousandths of [`PerMille`], lest small moves be rounded away.
const FINE: i64 = 1_000;

/// What is known of one endpoint's load; nothing to begin with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gauge(Option<Reading>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Reading {
    /// Millionths.
    utilization: i64,
    /// Millionths, above 0.
    trust: i64,
    /// When the last report came.
    reported: Moment,
    /// When the last result came, with a report or without.
    stepped: Moment,
    told: Load,
}

impl Gauge {
    /// The gauge after a probe's result at `now`, with the endpoint's report if it sent one, of an endpoint that
    /// under this result is `alive` or not.
    #[must_use]
    pub fn step(self, timing: &Timing, alive: bool, report: Option<PerMille>, now: Moment) -> Self {
        if !alive {
            return Self::default();
        }
        Self(match (self.0, report) {
            (None, None) => None,
            (None, Some(report)) => Some(Reading::first(report, now)),
            (Some(reading), Some(report)) => Some(reading.hear(timing, report, now)),
            (Some(reading), None) => reading.miss(timing, now),
        })
    }

    /// The load to tell: what it was when it was last worth telling.
    pub fn load(&self) -> Option<Load> {
        self.0.map(|reading| reading.told)
    }
}

impl Reading {
    fn first(report: PerMille, now: Moment) -> Self {
        let told = Load { utilization: report, trust: PerMille::new(STEP_PER_INTERVAL) };
        let (utilization, trust) = (fine(told.utilization), fine(told.trust));
        Self { utilization, trust, reported: now, stepped: now, told }
    }

    fn hear(mut self, timing: &Timing, report: PerMille, now: Moment) -> Self {
        let part = self.part_of_interval(timing, now);
        let (pull, step) = ((fine(report) - self.utilization) / SMOOTHING_PART, step());
        self.utilization += pull.clamp(-step, step) * part / WHOLE_INTERVAL;
        self.trust = (self.trust + step * part / WHOLE_INTERVAL).min(fine(PerMille::WHOLE));
        (self.reported, self.stepped) = (now, now);
        self.telling()
    }

    fn miss(mut self, timing: &Timing, now: Moment) -> Option<Self> {
        if now.since(self.reported) > timing.interval * SILENCE_INTERVALS {
            self.trust -= step() * self.part_of_interval(timing, now) / WHOLE_INTERVAL;
        }
        self.stepped = now;
        // Less than a thousandth would be told as none.
        (self.trust >= FINE).then(|| self.telling())
    }

    /// How much of an interval has passed since the last result, in parts of [`WHOLE_INTERVAL`]. Probes that came
    /// late do not add up to a leap: it is never more than one.
    fn part_of_interval(&self, timing: &Timing, now: Moment) -> i64 {
        let whole = timing.interval.max(Duration::from_nanos(1));
        let passed = now.since(self.stepped).min(whole);
        let part = passed.as_nanos() * WHOLE_INTERVAL.unsigned_abs() as u128 / whole.as_nanos();
        i64::try_from(part).unwrap_or(WHOLE_INTERVAL)
    }

    fn telling(mut self) -> Self {
        let now = Load { utilization: coarse(self.utilization), trust: coarse(self.trust) };
        let moved = |now: PerMille, told: PerMille| now.get().abs_diff(told.get()) >= TOLD_STEP;
        let trusted = now.trust == PerMille::WHOLE && self.told.trust != PerMille::WHOLE;
        if trusted || moved(now.utilization, self.told.utilization) || moved(now.trust, self.told.trust) {
            self.told = now;
        }
        self
    }
}

const WHOLE_INTERVAL: i64 = 1_000_000;

fn step() -> i64 {
    i64::from(STEP_PER_INTERVAL) * FINE
}

fn fine(coarse: PerMille) -> i64 {
    i64::from(coarse.get()) * FINE
}

fn coarse(fine: i64) -> PerMille {
    PerMille::new(u16::try_from(fine / FINE).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    const TIMING: Timing = Timing {
        interval: Duration::from_secs(10),
        fast: Duration::from_secs(1),
        timeout: Duration::from_secs(1),
        fall: 3,
        rise: 2,
    };

    fn report(thousandths: u16) -> Option<PerMille> {
        Some(PerMille::new(thousandths))
    }

    /// Steps at `every`, from `gauge` on: what is told after each, as utilisation and trust.
    fn told(gauge: &mut Gauge, now: &mut Moment, every: Duration, reports: &[Option<PerMille>]) -> Vec<(u16, u16)> {
        let mut seen = Vec::new();
        for &report in reports {
            *now = *now + every;
            *gauge = gauge.step(&TIMING, true, report, *now);
            seen.push(gauge.load().map_or((0, 0), |load| (load.utilization.get(), load.trust.get())));
        }
        seen
    }

    #[test]
    fn only_a_share_of_something_is_one() {
        let check = |share: f64, expected: Option<u16>| {
            assert_eq!(PerMille::of(share).map(PerMille::get), expected, "{share}");
        };
        let shown = [0, 5, 300, 305, 1_000, 9_999].map(|thousandths| PerMille::new(thousandths).to_string());
        assert_eq!(shown, ["0 %", "0.5 %", "30 %", "30.5 %", "100 %", "100 %"]);
        check(0.0, Some(0));
        check(-0.0, Some(0));
        check(0.3, Some(300));
        check(0.000_6, Some(1));
        check(1.0, Some(1_000));
        check(1.7, Some(1_000));
        check(f64::MAX, Some(1_000));
        check(-0.1, None);
        check(f64::NAN, None);
        check(f64::INFINITY, None);
        check(f64::NEG_INFINITY, None);
    }

    #[test]
    fn reports_move_it_and_silence_lets_it_fade() {
        let check = |script: &[(u64, &[Option<PerMille>])], expected: &[(u16, u16)]| {
            let (mut gauge, mut now) = (Gauge::default(), Moment::START);
            let seen: Vec<_> = script
                .iter()
                .flat_map(|&(every, reports)| told(&mut gauge, &mut now, Duration::from_secs(every), reports))
                .collect();
            assert_eq!(seen, expected, "{script:?}");
        };
        check(&[(10, &[None, report(400), report(400), report(400)])], &[(0, 0), (400, 50), (400, 100), (400, 150)]);
        // An eighth of the difference, and never more than a step.
        check(&[(10, &[report(400), report(480), report(0)])], &[(400, 50), (410, 100), (360, 150)]);
        check(&[(10, &[report(0), report(1_000), report(1_000)])], &[(0, 50), (50, 100), (100, 150)]);
        // Half the interval, half the step; a late probe is still one interval.
        check(&[(5, &[report(0), report(1_000)])], &[(0, 50), (25, 75)]);
        check(&[(100, &[report(0), report(1_000)])], &[(0, 50), (50, 100)]);
        // Under a step of telling it is kept back, and told once it has come to one.
        check(&[(1, &[report(500); 5])], &[(500, 50), (500, 50), (500, 50), (500, 50), (500, 70)]);
        // Three silent intervals are borne.
        check(
            &[(10, &[report(300), report(300), None, None, None, None, None, report(300)])],
            &[(300, 50), (300, 100), (300, 100), (300, 100), (300, 100), (300, 50), (0, 0), (300, 50)],
        );
    }

    #[test]
    fn steady_load_is_told_until_it_is_trusted_and_then_no_more() {
        let (mut gauge, mut now) = (Gauge::default(), Moment::START);
        let mut seen = told(&mut gauge, &mut now, TIMING.interval, &[report(700); 1_000]);
        assert_eq!((seen[18], seen[19], seen[999]), ((700, 950), (700, 1_000), (700, 1_000)));
        seen.dedup();
        assert_eq!(seen.len(), 20);
    }

    #[test]
    fn a_dead_endpoint_is_forgotten() {
        let (mut gauge, mut now) = (Gauge::default(), Moment::START);
        told(&mut gauge, &mut now, TIMING.interval, &[report(900); 20]);
        let dead = gauge.step(&TIMING, false, report(900), now);
        assert_eq!((dead, dead.load()), (Gauge::default(), None));
        gauge = dead;
        assert_eq!(told(&mut gauge, &mut now, TIMING.interval, &[report(0)]), [(0, 50)], "as if it were new");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1_000))]

        /// Whatever is reported, and however it is probed.
        #[test]
        fn it_never_moves_faster_than_a_step_an_interval(
            results in vec((1_u64..40_000, proptest::option::weighted(0.8, 0_u16..=1_000)), 1..200),
        ) {
            let (mut gauge, mut now) = (Gauge::default(), Moment::START);
            // What was told last, and how far it may have moved since.
            let mut before: Option<(Load, f64)> = None;
            for (gap_ms, report) in results {
                now = now + Duration::from_millis(gap_ms);
                gauge = gauge.step(&TIMING, true, report.map(PerMille::new), now);
                let intervals = (gap_ms as f64 / 10_000.0).min(1.0);
                let most = before.map_or(0.0, |(_, most)| most) + f64::from(STEP_PER_INTERVAL) * intervals;
                let after = gauge.load();
                match (before, after) {
                    (Some((told, _)), Some(load)) => {
                        // One more for what rounding hides.
                        let bound = most + 1.0;
                        let moved = |a: PerMille, b: PerMille| f64::from(a.get().abs_diff(b.get()));
                        prop_assert!(moved(told.utilization, load.utilization) <= bound, "{told:?} → {load:?}");
                        prop_assert!(moved(told.trust, load.trust) <= bound, "{told:?} → {load:?}");
                    }
                    (None, Some(load)) => prop_assert_eq!(load.trust.get(), STEP_PER_INTERVAL),
                    (Some((told, _)), None) => prop_assert!(f64::from(told.trust.get()) <= most + 1.0),
                    (None, None) => {}
                }
                let told = before.map(|(told, _)| told);
                before = after.map(|load| (load, if told == after { most } else { 0.0 }));
            }
        }

        /// Between the least and the most that was ever reported; forgotten once nothing comes any more.
        #[test]
        fn it_stays_within_what_was_reported_and_ends(reports in vec(0_u16..=1_000, 1..100)) {
            let (mut gauge, mut now) = (Gauge::default(), Moment::START);
            let (least, most) = (*reports.iter().min().unwrap_or(&0), *reports.iter().max().unwrap_or(&0));
            let reports: Vec<_> = reports.into_iter().map(report).collect();
            for (utilization, trust) in told(&mut gauge, &mut now, TIMING.interval, &reports) {
                prop_assert!((least..=most).contains(&utilization) && (1..=1_000).contains(&trust));
            }
            let silence = told(&mut gauge, &mut now, TIMING.interval, &[None; 23]);
            prop_assert_eq!(silence.last(), Some(&(0, 0)));
            prop_assert_eq!(gauge, Gauge::default());
        }
    }
}
