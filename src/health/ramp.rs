//! Slow start: how much of its weight an endpoint gets that has just come back.
//!
//! Caches are cold and connections closed; a whole share at once is what throws it down again. The share grows
//! linearly, in steps, since whatever reads it recompiles pools:
//!
//! ```text
//! 1 ┤                  ┌─
//!   │            ┌─ ─ ─┘
//!   │      ┌─ ─ ─┘
//! 1/20 ────┘
//!   └──────────────────┬─
//!   up                 up + slow start
//! ```

use std::time::Duration;

use super::PerMille;
use crate::moment::Moment;

/// Changes of a share from the first to the whole; each is a twentieth.
pub const RAMP_STEPS: u16 = 19;

/// What is given at once, and with each step: a twentieth.
const STEP: u16 = PerMille::WHOLE.get() / (RAMP_STEPS + 1);

/// One endpoint's way back to its whole share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ramp {
    /// When it came up.
    pub from: Moment,
    /// For how long it grows; zero is at once.
    pub over: Duration,
}

impl Ramp {
    /// The share at `now`: never 0, never less than it was before, whole from `from + over` on.
    pub fn share(&self, now: Moment) -> PerMille {
        PerMille::new(STEP * (self.step(now) + 1))
    }

    /// When the share next changes after `now`; [`Moment::NEVER`] once it is whole.
    pub fn next(&self, now: Moment) -> Moment {
        match self.step(now) {
            RAMP_STEPS => Moment::NEVER,
            step => self.at(step + 1),
        }
    }

    /// Steps taken by `now`.
    fn step(&self, now: Moment) -> u16 {
        let steps = now.since(self.from).as_nanos().checked_div(self.gap().as_nanos());
        steps.map_or(RAMP_STEPS, |steps| u16::try_from(steps).unwrap_or(RAMP_STEPS).min(RAMP_STEPS))
    }

    fn at(&self, step: u16) -> Moment {
        self.from + self.gap() * u32::from(step)
    }

    /// Between two steps.
    fn gap(&self) -> Duration {
        self.over / u32::from(RAMP_STEPS)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_share_grows_by_a_twentieth_at_a_time() {
        let ramp = Ramp { from: Moment::from_nanos(1_000), over: Duration::from_nanos(1_900) };
        let check = |at: u64, share: u16, next: Option<u64>| {
            let now = Moment::from_nanos(at);
            assert_eq!(ramp.share(now).get(), share, "at {at}");
            assert_eq!(ramp.next(now), next.map_or(Moment::NEVER, Moment::from_nanos), "at {at}");
        };
        check(0, 50, Some(1_100));
        check(1_000, 50, Some(1_100));
        check(1_099, 50, Some(1_100));
        check(1_100, 100, Some(1_200));
        check(1_950, 500, Some(2_000));
        check(2_899, 950, Some(2_900));
        check(2_900, 1_000, None);
        check(u64::MAX, 1_000, None);
        let none = Ramp { over: Duration::ZERO, ..ramp };
        assert_eq!((none.share(ramp.from), none.next(ramp.from)), (PerMille::WHOLE, Moment::NEVER));
    }

    proptest! {
        #[test]
        fn it_is_bounded_steady_and_ends(from: u32, over in 0_u64..4_000_000_000_000) {
            let ramp = Ramp { from: Moment::from_nanos(from.into()), over: Duration::from_nanos(over) };
            let (mut now, mut steps) = (ramp.from, 0);
            while ramp.next(now) != Moment::NEVER {
                let (next, before) = (ramp.next(now), ramp.share(now));
                prop_assert!(next > now && ramp.share(next) > before && before.get() > 0);
                prop_assert_eq!(ramp.share(Moment::from_nanos(next.as_nanos() - 1)), before);
                (now, steps) = (next, steps + 1);
            }
            prop_assert!(steps <= RAMP_STEPS && ramp.share(now) == PerMille::WHOLE);
            prop_assert!(now <= ramp.from + ramp.over);
        }
    }
}
