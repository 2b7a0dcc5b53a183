//! A point on the monotonic clock, as a plain number.
//!
//! Everything that decides by time takes a [`Moment`] as a parameter; only [`crate::system`] knows where one
//! comes from. Tests make them up, so a virtual clock is nothing but a variable.

use std::ops::{Add, Sub};
use std::time::Duration;

/// Nanoseconds since an arbitrary start; ordered, 584 years long, eight octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(u64);

impl Moment {
    /// The start of the clock.
    pub const START: Self = Self(0);

    /// Later than anything that happens: "no such moment is in sight".
    pub const NEVER: Self = Self(u64::MAX);

    /// The moment `ns` nanoseconds after the start.
    pub const fn from_nanos(ns: u64) -> Self {
        Self(ns)
    }

    /// Nanoseconds since the start.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// How long after `earlier` this is; zero when it is not after it.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// Whole seconds from `now` until this moment, rounded down; zero when it has passed.
    pub const fn seconds_after(self, now: Self) -> u64 {
        self.0.saturating_sub(now.0) / 1_000_000_000
    }
}

impl Add<Duration> for Moment {
    type Output = Self;

    /// Saturates at [`Moment::NEVER`].
    fn add(self, span: Duration) -> Self {
        let ns = u64::try_from(span.as_nanos()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(ns))
    }
}

impl Sub<Duration> for Moment {
    type Output = Self;

    /// Saturates at [`Moment::START`].
    fn sub(self, span: Duration) -> Self {
        let ns = u64::try_from(span.as_nanos()).unwrap_or(u64::MAX);
        Self(self.0.saturating_sub(ns))
    }
}
