//! Snapshots that are served no more, held until nobody reads them.
//!
//! A worker that comes to the next snapshot lets the last one go. Were it the last to hold it, it would free a million
//! names between two queries. So the keeper holds each until it is alone with it, and has it freed on a thread that
//! nobody waits for.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::holdings::Holdings;
use super::reading::get_out_of_the_way;
use crate::moment::Moment;
use crate::snapshot::Snapshot;

/// Between two looks: a worker without queries comes to the next snapshot within 250 ms.
const LOOK_GAP: Duration = Duration::from_millis(300);

/// What waits to be freed.
#[derive(Debug)]
pub(super) struct Retired {
    waiting: Vec<Old>,
    look: Moment,
}

/// A snapshot that is served no more, and what it was made of, if that went with it.
#[derive(Debug)]
struct Old {
    snapshot: Arc<Snapshot>,
    _holdings: Option<Arc<Holdings>>,
}

impl Default for Retired {
    fn default() -> Self {
        Self { waiting: Vec::new(), look: Moment::START }
    }
}

impl Retired {
    /// Takes over `snapshot`, which is served no more from `now` on, and what it was made of, where that is done with.
    pub(super) fn add(&mut self, snapshot: Arc<Snapshot>, holdings: Option<Arc<Holdings>>, now: Moment) {
        self.look = self.look.max(now + LOOK_GAP);
        self.waiting.push(Old { snapshot, _holdings: holdings });
    }

    /// When to look next; [`Moment::NEVER`] while nothing waits.
    pub(super) fn due(&self) -> Moment {
        if self.waiting.is_empty() { Moment::NEVER } else { self.look }
    }

    /// Has freed what nobody reads any more. Returns how many snapshots still wait.
    pub(super) fn look(&mut self, now: Moment) -> usize {
        if now < self.due() {
            return self.waiting.len();
        }
        self.look = now + LOOK_GAP;
        // Out of the swap nobody can take a snapshot anew: alone with it once is alone with it for good.
        let (free, held): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.waiting).into_iter().partition(|old| Arc::strong_count(&old.snapshot) == 1);
        self.waiting = held;
        if !free.is_empty() {
            // Without a thread it is freed here and now, when the closure is dropped.
            let _ = thread::Builder::new().name("freer".to_owned()).spawn(move || {
                get_out_of_the_way();
                drop(free);
            });
        }
        self.waiting.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_still_read_is_not_freed() {
        let mut retired = Retired::default();
        let [one, other] = [1, 2].map(|generation| Arc::new(Snapshot::new(generation, Vec::new())));
        let (reader, freed) = (Arc::clone(&one), Arc::downgrade(&other));
        assert_eq!(retired.due(), Moment::NEVER);
        retired.add(one, None, Moment::START);
        retired.add(other, None, Moment::START);
        assert_eq!(retired.look(Moment::START), 2, "it is not time yet");
        let due = retired.due();
        assert_eq!(retired.look(due), 1);
        // Real time, within seconds: it is freed by a thread of its own.
        while freed.upgrade().is_some() {
            thread::yield_now();
        }
        drop(reader);
        assert!(retired.due() > due, "another look");
        assert_eq!((retired.look(retired.due()), retired.due()), (0, Moment::NEVER));
    }
}
