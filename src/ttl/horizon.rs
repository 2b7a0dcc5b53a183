//! How far ahead verdicts may be counted on, when those who make them fall silent.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::moment::Moment;

/// The moment beyond which no answer may count on the verdicts that it was made from: [`Moment::NEVER`] while
/// probes keep them fresh. Set by the one who watches the probes, read by every answer; so it works even when
/// nobody is left who could swap a snapshot.
#[derive(Debug)]
pub struct Horizon(AtomicU64);

impl Horizon {
    /// Where it is.
    pub fn get(&self) -> Moment {
        // A number by itself, that orders nothing else.
        Moment::from_nanos(self.0.load(Ordering::Relaxed))
    }

    /// Moves it.
    pub fn set(&self, at: Moment) {
        self.0.store(at.as_nanos(), Ordering::Relaxed);
    }
}

impl Default for Horizon {
    fn default() -> Self {
        Self(AtomicU64::new(Moment::NEVER.as_nanos()))
    }
}
