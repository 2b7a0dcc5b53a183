//! Snapshots that are served no more, held until nobody reads them.
//!
//! A worker that comes to the next snapshot lets the last one go. Were it the last to hold it, it would free a million
//! names between two queries. So the keeper holds each until it is alone with it, and has it freed on a thread that
//! nobody waits for.

use std::sync::Arc;
use std::time::Duration;

use super::holdings::Holdings;
use crate::moment::Moment;
use crate::snapshot::Snapshot;

/// Between two looks: a worker without queries comes to the next snapshot within 250 ms.
const LOOK_GAP: Duration = Duration::from_millis(300);

/// What waits to be freed.
#[derive(Debug)]
pub(super) struct Retired {
    snapshots: Vec<Arc<Snapshot>>,
    /// What those were made of, and is served no more.
    holdings: Vec<Arc<Holdings>>,
    look: Moment,
}

impl Default for Retired {
    fn default() -> Self {
        Self { snapshots: Vec::new(), holdings: Vec::new(), look: Moment::START }
    }
}

impl Retired {
    /// Takes over `old`, which is served no more from `now` on.
    pub(super) fn add(&mut self, old: Arc<Snapshot>, now: Moment) {
        self.look = self.look.max(now + LOOK_GAP);
        self.snapshots.push(old);
    }

    /// Takes over what a snapshot that is [added](Self::add) beside was made of.
    pub(super) fn add_holdings(&mut self, old: Arc<Holdings>) {
        self.holdings.push(old);
    }

    /// When to look next; [`Moment::NEVER`] while nothing waits.
    pub(super) fn due(&self) -> Moment {
        if self.snapshots.is_empty() { Moment::NEVER } else { self.look }
    }

    /// Has freed what nobody reads any more. Returns how many snapshots still wait.
    pub(super) fn look(&mut self, now: Moment) -> usize {
        if now < self.due() {
            return self.snapshots.len();
        }
        self.look = now + LOOK_GAP;
        // Out of the swap nobody can take a snapshot anew: alone with it once is alone with it for good.
        let (free, held): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.snapshots).into_iter().partition(|old| Arc::strong_count(old) == 1);
        self.snapshots = held;
        let holdings = if self.snapshots.is_empty() { std::mem::take(&mut self.holdings) } else { Vec::new() };
        tokio::task::spawn_blocking(move || drop((free, holdings)));
        self.snapshots.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_still_read_is_not_freed() {
        let mut retired = Retired::default();
        let [one, other] = [1, 2].map(|generation| Arc::new(Snapshot::new(generation, Vec::new())));
        let (reader, freed) = (Arc::clone(&one), Arc::downgrade(&other));
        assert_eq!(retired.due(), Moment::NEVER);
        retired.add(one, Moment::START);
        retired.add(other, Moment::START);
        assert_eq!(retired.look(Moment::START), 2, "it is not time yet");
        let due = retired.due();
        assert_eq!(retired.look(due), 1);
        // Real time, within seconds: it is freed by a thread of its own.
        while freed.upgrade().is_some() {
            tokio::task::yield_now().await;
        }
        drop(reader);
        assert!(retired.due() > due, "another look");
        assert_eq!((retired.look(retired.due()), retired.due()), (0, Moment::NEVER));
    }
}
