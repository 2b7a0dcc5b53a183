//! Long work that lets others have its core.
//!
//! A thread that reads a large zone is nice, but that says how a core is shared, not how soon: on Linux a worker to whom
//! a query comes may wait until the reader has had its slice, which ends with a tick of the scheduler, every 4 ms where
//! that ticks 250 times a second. So whatever goes through all records asks every [`STEPS`] of them whether anybody
//! waits for the core (`sched_yield`, 0.2 µs where nobody does). What that came to, and what was tried beside it, is in
//! `benches/README.md`, "A reload among queries".

use std::thread;

/// Steps between two looks, of 0.02 to 0.3 µs each: half a millisecond at the most. Not fewer, since on a machine whose
/// cores are all busy each look may cost a tick: 4,000 for a million names.
const STEPS: u32 = 2_048;

/// Counts steps.
#[derive(Debug)]
pub(super) struct Pace {
    left: u32,
}

impl Default for Pace {
    fn default() -> Self {
        Self { left: STEPS }
    }
}

impl Pace {
    /// Takes a step, after which whoever waits may have the core.
    #[inline]
    pub(super) fn step(&mut self) {
        self.left -= 1;
        if self.left == 0 {
            self.left = STEPS;
            thread::yield_now();
        }
    }
}

/// The same items, a step for each.
pub(super) fn paced<I: IntoIterator>(items: I) -> impl Iterator<Item = I::Item> {
    let mut pace = Pace::default();
    items.into_iter().inspect(move |_| pace.step())
}
