//! How an endpoint that died comes back: what it must wait for, and how soon it gets its whole share again.
//!
//! None of it ever delays that an endpoint is found dead.
//!
//! A death, a turn from up to down, of an endpoint that had been up for less than the window is a *flap* and counts
//! on; any other begins to count anew, as does a first verdict that is down. The first is not held; the second and
//! each further one doubles the time for which the endpoint stays down, counted from the verdict:
//!
//! ```text
//! deaths   1   2       3          4          …
//! held     0   first   2·first    4·first    … most
//! ```
//!
//! Route-flap damping is its relative (RFC 2439 §4.2: a penalty with a limit that decays while all is calm); it
//! decays bit by bit, where this forgets after a window, which an operator can reckon in the head.

use std::time::Duration;

/// The bounds of the settings: default, least, most.
pub mod limits {
    use std::ops::RangeInclusive;
    use std::time::Duration;

    /// `hold-down`, of the second death. With three probes a verdict, an endpoint that flaps dies no more often than
    /// every 10 s or so.
    pub const HOLD_FIRST: Duration = Duration::from_secs(10);
    /// Least as an interval; a day is down for good.
    pub const HOLD_RANGE: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(86_400);
    /// `most`, however often it flaps: the sixth death in a row at the default. RFC 2439 §4.2 has such a limit lest one
    /// bad hour costs a day; routers ship with an hour, for routes of which each change is felt by the whole world.
    pub const HOLD_MOST: Duration = Duration::from_secs(300);
    /// `window`, for which an endpoint must be up to be calm.
    pub const WINDOW: Duration = Duration::from_secs(600);
    /// Least as an interval, most a week.
    pub const WINDOW_RANGE: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(604_800);
    /// `slow-start`, where there is one. AWS' load balancers take 30 s to 15 min.
    pub const SLOW_START_RANGE: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(3_600);
}

/// What a monitor asks of an endpoint that comes back. Valid when within [`limits`] and `hold_down.first` ≤
/// `hold_down.most`; the reader of policy files sees to that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Comeback {
    /// For how long one that flaps stays down.
    pub hold_down: HoldDown,
    /// For how long its share grows once it is up again; zero for not at all.
    pub slow_start: Duration,
    /// Who lets it up.
    pub failback: Failback,
}

/// For how long an endpoint that flaps stays down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct HoldDown {
    /// After the second death, and doubled with each further one; zero for no hold-down.
    pub first: Duration,
    /// At the most.
    pub most: Duration,
    /// Up for so long, its deaths are forgotten.
    pub window: Duration,
}

impl Default for HoldDown {
    fn default() -> Self {
        Self { first: limits::HOLD_FIRST, ..Self::OFF }
    }
}

impl HoldDown {
    /// Nothing is held.
    pub const OFF: Self = Self { first: Duration::ZERO, most: limits::HOLD_MOST, window: limits::WINDOW };

    /// For how long an endpoint stays down after the last of so many `deaths` in a row.
    pub fn after(&self, deaths: u8) -> Duration {
        let doublings = match deaths {
            0 | 1 => return Duration::ZERO,
            deaths => u32::from(deaths - 2),
        };
        let factor = 1_u32.checked_shl(doublings).unwrap_or(u32::MAX);
        self.first.saturating_mul(factor).min(self.most.max(self.first))
    }
}

/// Who lets an endpoint up that is well again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Failback {
    /// The monitor, by itself.
    #[default]
    Automatic,
    /// An operator, who releases it; until then it stays down.
    Manual,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_death_doubles_the_hold_to_its_limit() {
        let check = |hold: HoldDown, expected: &[u64]| {
            let seconds: Vec<u64> = (0..=8).map(|deaths| hold.after(deaths).as_secs()).collect();
            assert_eq!(seconds, expected, "{hold:?}");
            assert_eq!(hold.after(u8::MAX).as_secs(), expected[8]);
        };
        check(HoldDown::default(), &[0, 0, 10, 20, 40, 80, 160, 300, 300]);
        check(HoldDown::OFF, &[0; 9]);
        let day = Duration::from_secs(86_400);
        check(
            HoldDown { first: day, most: day, ..HoldDown::default() },
            &[0, 0, 86_400, 86_400, 86_400, 86_400, 86_400, 86_400, 86_400],
        );
    }

    #[test]
    fn the_defaults_are_within_their_limits() {
        let HoldDown { first, most, window } = HoldDown::default();
        assert!(limits::HOLD_RANGE.contains(&first) && limits::HOLD_RANGE.contains(&most) && first <= most);
        assert!(limits::WINDOW_RANGE.contains(&window));
    }
}
