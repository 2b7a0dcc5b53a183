//! The one file that asks the system for time and entropy.
//!
//! Everything else is handed a [`Moment`] or a seed, and can be tested without waiting.

use std::hash::{BuildHasher, RandomState};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::moment::Moment;

/// The monotonic clock of this process. Copies share one start, so their moments compare.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
}

impl Clock {
    /// A clock that starts now.
    #[allow(clippy::new_without_default, reason = "a default that reads the system clock would hide that it does")]
    pub fn new() -> Self {
        Self { start: Instant::now() }
    }

    /// The present moment. Costs one vDSO call, about 25 ns; the workers pay it once a batch.
    pub fn now(&self) -> Moment {
        Moment::START + self.start.elapsed()
    }

    /// The same moment on the runtime's timer.
    pub fn instant(&self, at: Moment) -> Instant {
        self.start + at.since(Moment::START)
    }
}

/// A fresh seed of 64 bits. The standard library keys its hash maps from the system's entropy, which is what
/// is read here; good for spreading load, not for secrets.
pub fn seed() -> u64 {
    RandomState::new().hash_one(0_u64)
}

/// Seconds from 1970 to `time`, of a file say; 0 when it is before.
pub fn unix_seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
