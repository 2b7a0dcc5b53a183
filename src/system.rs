//! The one file that asks the system for time and entropy.
//!
//! Everything else is handed a [`Moment`] or a seed, and can be tested without waiting.

use std::hash::{BuildHasher, RandomState};
use std::io;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::moment::Moment;

/// What a clock knows of the time before it started: a month, over which holds and slow starts of before a restart
/// are reckoned; the longest hold is a day.
pub const PAST: Duration = Duration::from_secs(30 * 86_400);

/// Where clocks start.
const BEGIN: Moment = Moment::from_nanos(PAST.as_nanos() as u64);

/// The monotonic clock of this process. Copies share one start, so their moments compare.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
    /// Milliseconds since 1970 at the start.
    start_unix_ms: u64,
    /// And nanoseconds beyond them.
    start_unix_rest_ns: u32,
}

impl Clock {
    /// A clock that starts now.
    #[allow(clippy::new_without_default, reason = "a default that reads the system clock would hide that it does")]
    pub fn new() -> Self {
        let now = SystemTime::now();
        let rest = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.subsec_nanos() % 1_000_000);
        Self { start: Instant::now(), start_unix_ms: unix_ms(now), start_unix_rest_ns: rest }
    }

    /// The present moment. Costs one vDSO call, about 25 ns; the workers pay it once a batch.
    pub fn now(&self) -> Moment {
        BEGIN + self.start.elapsed()
    }

    /// Seconds from 1970 to [`Moment::START`], by the calendar that the system has now: it may have been set since.
    pub fn unix_start(&self) -> u64 {
        unix_seconds(SystemTime::now()).saturating_sub(self.start.elapsed().as_secs() + PAST.as_secs())
    }

    /// A moment in milliseconds since 1970, as the system's clock stood when this one started: a clock that was set
    /// right later has no part in it.
    pub fn unix_ms(&self, at: Moment) -> u64 {
        let signed = |span: Duration| u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        self.start_unix_ms.saturating_sub(signed(BEGIN.since(at))).saturating_add(signed(at.since(BEGIN)))
    }

    /// As [`unix_ms`](Self::unix_ms), in nanoseconds, of which 64 bits last until 2554.
    pub fn unix_nanos(&self, at: Moment) -> u64 {
        let signed = |span: Duration| u64::try_from(span.as_nanos()).unwrap_or(u64::MAX);
        let start = self.start_unix_ms.saturating_mul(1_000_000).saturating_add(self.start_unix_rest_ns.into());
        start.saturating_sub(signed(BEGIN.since(at))).saturating_add(signed(at.since(BEGIN)))
    }

    /// The moment of a time in milliseconds since 1970, the other way round; [`Moment::START`] for whatever was more
    /// than [`PAST`] before this clock started.
    pub fn moment_of(&self, unix_ms: u64) -> Moment {
        let after = Duration::from_millis(unix_ms.saturating_sub(self.start_unix_ms));
        let before = Duration::from_millis(self.start_unix_ms.saturating_sub(unix_ms));
        BEGIN + after - before
    }

    /// The same moment on the runtime's timer.
    pub fn instant(&self, at: Moment) -> Instant {
        let before = BEGIN.since(at);
        self.start.checked_sub(before).unwrap_or(self.start) + at.since(BEGIN)
    }
}

/// A fresh secret of 128 bits, from the system's own generator.
///
/// # Errors
/// What the system says when it has none, early in its own start.
pub fn secret() -> io::Result<[u8; 16]> {
    let mut octets = [0; 16];
    getrandom::fill(&mut octets)?;
    Ok(octets)
}

/// A fresh seed of 64 bits. The standard library keys its hash maps from the system's entropy, which is what
/// is read here; good for spreading load, not for secrets.
pub fn seed() -> u64 {
    RandomState::new().hash_one(0_u64)
}

/// The time of day, as the system has it. It may be set, so nothing is decided by it, only told.
pub fn time_of_day() -> SystemTime {
    SystemTime::now()
}

/// Seconds from 1970 to now, as the system's calendar has it: for dates that others set, such as a certificate's.
/// It may jump; spans of time are [`Clock`]'s.
pub fn unix_now() -> u64 {
    unix_seconds(SystemTime::now())
}

/// For how long this machine has run, sleep included: what the kernel reckons the starts of processes by.
pub fn since_boot() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    Duration::new(u64::try_from(now.tv_sec).unwrap_or(0), u32::try_from(now.tv_nsec).unwrap_or(0))
}

/// `time` in nanoseconds since 1970; 0 for any before, and 2554 is the end.
pub fn unix_nanos(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// The time that is so many nanoseconds after the beginning of 1970.
pub fn time_of_unix_nanos(nanos: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_nanos(nanos)
}

/// Seconds from 1970 to `time`, of a file say; 0 when it is before.
pub fn unix_seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Milliseconds from 1970 to now, as the system's clock stands.
pub fn unix_ms_now() -> u64 {
    unix_ms(SystemTime::now())
}

fn unix_ms(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_before_the_start_have_moments() {
        let clock = Clock::new();
        let now = clock.now();
        let ms = clock.unix_ms(now);
        let check = |ago: Duration, expected: Duration| {
            let moment = clock.moment_of(ms - u64::try_from(ago.as_millis()).expect("few"));
            // Whole milliseconds.
            let off = now.since(moment).abs_diff(expected);
            assert!(off <= Duration::from_millis(2), "{ago:?} ago: {off:?} off");
        };
        check(Duration::ZERO, Duration::ZERO);
        check(Duration::from_secs(86_400), Duration::from_secs(86_400));
        check(2 * PAST, now.since(Moment::START));
        let later = now + Duration::from_secs(7);
        assert!(later.since(clock.moment_of(clock.unix_ms(later))) <= Duration::from_millis(1));
        assert!(clock.unix_ms(now - Duration::from_secs(7)).abs_diff(ms - 7_000) <= 1);
        for at in [now, later, now - Duration::from_secs(7)] {
            assert!((clock.unix_nanos(at) / 1_000_000).abs_diff(clock.unix_ms(at)) <= 1);
        }
        assert_eq!(clock.instant(later) - clock.instant(now), Duration::from_secs(7));
        assert!(clock.instant(now) <= Instant::now());
    }
}
