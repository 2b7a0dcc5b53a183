//! How long the probes of a target took and how those failed that did, in numbers that only grow.

use std::time::Duration;

use super::Failure;
use super::asker::Found;

/// The upper ends of the classes of latencies, inclusive; what took longer is in one more. From a rack to the other side
/// of the world, then what is slow, up to the longest timeouts that make sense.
pub const LATENCY_BOUNDS: [Duration; 12] = [
    Duration::from_millis(1),
    Duration::from_micros(2_500),
    Duration::from_millis(5),
    Duration::from_millis(10),
    Duration::from_millis(25),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_millis(2_500),
    Duration::from_secs(5),
];

/// What the probes of one target came to since this process began to probe it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Measured {
    /// Those that succeeded, by how long they took, as [`LATENCY_BOUNDS`] has it.
    pub latencies: [u64; LATENCY_BOUNDS.len() + 1],
    /// How long those took together.
    pub latency_sum: Duration,
    /// Those that failed, as [`Failure::CLASSES`] has it.
    pub failures: [u64; Failure::CLASSES.len()],
}

impl Measured {
    /// One more, which took so long.
    pub(super) fn add(&mut self, found: &Found, took: Duration) {
        match found {
            Ok(_) => {
                self.latencies[LATENCY_BOUNDS.iter().filter(|&&bound| bound < took).count()] += 1;
                self.latency_sum += took;
            }
            Err(failure) => {
                let class = Failure::CLASSES.iter().position(|&class| class == failure.class());
                if let Some(count) = class.and_then(|class| self.failures.get_mut(class)) {
                    *count += 1;
                }
            }
        }
    }

    /// Adds what this has beyond `before`, an earlier state of the same, to `sum`.
    pub fn add_since(&self, before: &Self, sum: &mut Self) {
        let add = |sum: &mut [u64], now: &[u64], before: &[u64]| {
            for ((sum, now), before) in sum.iter_mut().zip(now).zip(before) {
                *sum += now.saturating_sub(*before);
            }
        };
        add(&mut sum.latencies, &self.latencies, &before.latencies);
        add(&mut sum.failures, &self.failures, &before.failures);
        sum.latency_sum += self.latency_sum.saturating_sub(before.latency_sum);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::Answered;

    #[test]
    fn every_result_falls_into_one_class() {
        let check = |found: Found, took: Duration, latency: Option<usize>, class: Option<&str>| {
            let mut measured = Measured::default();
            measured.add(&found, took);
            let mut expected = Measured::default();
            if let Some(at) = latency {
                (expected.latencies[at], expected.latency_sum) = (1, took);
            }
            if let Some(at) = class.and_then(|class| Failure::CLASSES.iter().position(|known| *known == class)) {
                expected.failures[at] = 1;
            }
            assert_eq!(measured, expected, "{found:?} {took:?}");
            let mut sum = expected;
            measured.add_since(&Measured::default(), &mut sum);
            measured.add_since(&measured, &mut sum);
            assert_eq!(sum.latencies.iter().chain(&sum.failures).sum::<u64>(), 2);
        };
        let answered = || Ok(Answered::default());
        check(answered(), Duration::ZERO, Some(0), None);
        check(answered(), Duration::from_millis(1), Some(0), None);
        check(answered(), Duration::from_micros(1_001), Some(1), None);
        check(answered(), Duration::from_secs(5), Some(11), None);
        check(answered(), Duration::from_secs(6), Some(12), None);
        check(Err(Failure::Timeout(Duration::from_secs(2))), Duration::from_secs(2), None, Some("timeout"));
        check(Err(Failure::Unsent(String::new())), Duration::ZERO, None, Some("unsent"));
        check(Err(Failure::Body { wanted: String::new() }), Duration::ZERO, None, Some("body"));
    }
}
