//! What is known of every probed endpoint at one moment: the only thing of health that policies read.

use std::collections::HashSet;

use super::{Load, PerMille};
use crate::moment::Moment;

/// Which probe: an index into the [`Board`]. Stable for as long as anything is probed by it, over reloads too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProbeId(pub u32);

/// The state of one probed endpoint as far as an answer depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Health {
    /// The verdict: up, or suspect, which is up with failures counting.
    pub alive: bool,
    /// The soonest moment at which the verdict that is forming could turn; [`Moment::NEVER`] while the results
    /// agree with the verdict.
    pub flip: Moment,
    /// The part of its weight that it gets: the whole, but for one that has just come back to a slow start.
    pub share: PerMille,
    /// How loaded it says it is; `None` when it does not say, or has not for some time.
    pub load: Option<Load>,
}

impl Health {
    /// Alive, with nothing against it: also what an endpoint without a monitor always is.
    pub const UP: Self = Self { alive: true, flip: Moment::NEVER, share: PerMille::WHOLE, load: None };

    /// Dead, with nothing for it.
    pub const DOWN: Self = Self { alive: false, flip: Moment::NEVER, share: PerMille::WHOLE, load: None };
}

/// The health of every probe, by [`ProbeId`].
#[derive(Clone, Debug, Default)]
pub struct Board(Vec<Option<Health>>);

impl Board {
    /// A board on which nothing is known yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The health of `probe`; `None` until its first result is in.
    pub fn get(&self, probe: ProbeId) -> Option<Health> {
        self.0.get(probe.0 as usize).copied().flatten()
    }

    /// Enters the health of `probe`.
    pub fn set(&mut self, probe: ProbeId, health: Health) {
        let at = probe.0 as usize;
        if at >= self.0.len() {
            self.0.resize(at + 1, None);
        }
        self.0[at] = Some(health);
    }

    /// Forgets every probe that is not in `keep`; their numbers may be given out anew.
    pub fn keep_only(&mut self, keep: &HashSet<ProbeId>) {
        for (number, entry) in (0..).zip(&mut self.0) {
            if !keep.contains(&ProbeId(number)) {
                *entry = None;
            }
        }
    }
}
