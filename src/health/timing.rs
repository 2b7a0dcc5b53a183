//! How often a monitor probes and how many results turn its verdict, with the arithmetic of detection.

use std::time::Duration;

/// The bounds of every setting of a monitor: default, least, most.
pub mod limits {
    use std::ops::RangeInclusive;
    use std::time::Duration;

    /// `interval`, between probes while all is well. HAProxy's `inter` is 2 s, gdnsd's 10 s, Route 53's 30 s.
    pub const INTERVAL: Duration = Duration::from_secs(5);
    /// Under 100 ms a probe is a load, over a day it is none.
    pub const INTERVAL_RANGE: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(86_400);
    /// `fast`, between probes while a verdict forms.
    pub const FAST: Duration = Duration::from_secs(1);
    /// As for the interval.
    pub const FAST_RANGE: RangeInclusive<Duration> = INTERVAL_RANGE;
    /// `timeout`, from the start of a probe to its whole answer.
    pub const TIMEOUT: Duration = Duration::from_secs(2);
    /// A timeout may be as long as the longest interval.
    pub const TIMEOUT_RANGE: RangeInclusive<Duration> = Duration::from_millis(10)..=Duration::from_secs(86_400);
    /// `fall`, consecutive failures that turn up into down.
    pub const FALL: u8 = 3;
    /// `rise`, consecutive successes that turn down into up.
    pub const RISE: u8 = 2;
    /// For both; HAProxy and Route 53 stop at 10.
    pub const TURN_RANGE: RangeInclusive<u8> = 1..=100;
}

/// The times and counts of one monitor. Valid when within [`limits`], `fast` ≤ `interval` and `timeout` ≤
/// `interval`; the reader of policy files sees to that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Timing {
    /// From the start of one probe to the start of the next while all is well; the most that it can be, since
    /// jitter only ever shortens it.
    pub interval: Duration,
    /// From the end of one probe to the start of the next while a verdict forms; the most that it can be.
    pub fast: Duration,
    /// From the start of a probe to its failure for want of an answer.
    pub timeout: Duration,
    /// Consecutive failures that turn up into down, at least 1.
    pub fall: u8,
    /// Consecutive successes that turn down into up, at least 1.
    pub rise: u8,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            interval: limits::INTERVAL,
            fast: limits::FAST,
            timeout: limits::TIMEOUT,
            fall: limits::FALL,
            rise: limits::RISE,
        }
    }
}

impl Timing {
    /// I + T: the longest from an endpoint's death to the end of the first probe that fails for it.
    pub fn suspicion_max(&self) -> Duration {
        self.interval + self.timeout
    }

    /// (K − 1)(F + T): the longest from that first failure to the verdict.
    pub fn forming_max(&self) -> Duration {
        (self.fast + self.timeout) * u32::from(self.fall.saturating_sub(1))
    }

    /// The longest from an endpoint's death to the verdict that it is down.
    pub fn detection_max(&self) -> Duration {
        self.suspicion_max() + self.forming_max()
    }
}
