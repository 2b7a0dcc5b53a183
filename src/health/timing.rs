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
    /// The shortest interval that is derived: ten times the default pace. Who wants a faster one says so.
    pub const INTERVAL_DERIVED_LEAST: Duration = Duration::from_millis(500);
    /// The shortest `fast` that is derived.
    pub const FAST_DERIVED_LEAST: Duration = Duration::from_millis(100);
    /// The shortest timeout that is derived. Half the globe and back is up to 300 ms, but an operator of so tight a
    /// budget probes from nearby; below this, a scheduling pause of a healthy endpoint would read as its death.
    pub const TIMEOUT_DERIVED_LEAST: Duration = Duration::from_millis(250);
    /// `fall`, consecutive failures that turn up into down.
    pub const FALL: u8 = 3;
    /// `rise`, consecutive successes that turn down into up.
    pub const RISE: u8 = 2;
    /// For both; HAProxy and Route 53 stop at 10.
    pub const TURN_RANGE: RangeInclusive<u8> = 1..=100;
}

/// The share of a time that is all of it.
const SHARE_WHOLE: u32 = 1_000;

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

/// Which times of a monitor the file leaves to the budgets of the names that use it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "they are the times")]
pub struct Free {
    pub interval: bool,
    pub fast: bool,
    pub timeout: bool,
}

impl Timing {
    /// The longest times, of those that are free at most the present ones, with which an endpoint is suspect within
    /// `suspicion` and down within `detection`; where there are none, the shortest that are sensible. What is free
    /// is shortened in one proportion, in thousandths, each as far as its least (`limits`) and never over the
    /// interval; what is not stays.
    pub fn within(self, free: Free, suspicion: Duration, detection: Duration) -> Self {
        let fits = |timing: &Self| timing.suspicion_max() <= suspicion && timing.detection_max() <= detection;
        // Every time grows with the share, so that the greatest that fits is found by halving.
        let (mut low, mut high) = (0, SHARE_WHOLE);
        if fits(&self.shortened(free, high)) {
            return self;
        }
        while high - low > 1 {
            let middle = low.midpoint(high);
            if fits(&self.shortened(free, middle)) { low = middle } else { high = middle }
        }
        self.shortened(free, low)
    }

    /// The times with `share` thousandths of what is free.
    fn shortened(self, free: Free, share: u32) -> Self {
        let part = |is_free: bool, span: Duration, least: Duration| {
            let part = span * share / SHARE_WHOLE;
            // Whole milliseconds, as a file would say them.
            let part = Duration::from_millis(u64::try_from(part.as_millis()).unwrap_or(u64::MAX));
            if is_free { part.max(least.min(span)) } else { span }
        };
        let timeout = part(free.timeout, self.timeout, limits::TIMEOUT_DERIVED_LEAST);
        let fast = part(free.fast, self.fast, limits::FAST_DERIVED_LEAST);
        let interval = part(free.interval, self.interval, limits::INTERVAL_DERIVED_LEAST).max(timeout).max(fast);
        Self { interval, fast, timeout, ..self }
    }

    /// I + T: the longest from an endpoint's death to the end of the first probe that fails for it.
    pub fn suspicion_max(&self) -> Duration {
        self.interval + self.timeout
    }

    /// (K − 1)(F + T): the longest from that first failure to the verdict.
    fn forming_max(&self) -> Duration {
        (self.fast + self.timeout) * u32::from(self.fall.saturating_sub(1))
    }

    /// The longest from an endpoint's death to the verdict that it is down.
    pub fn detection_max(&self) -> Duration {
        self.suspicion_max() + self.forming_max()
    }
}
