//! Does many small things on all cores and gives them back in order.

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Things that one thread takes at once: so few that all threads end together, so many that they seldom meet.
const TAKEN_AT_ONCE: usize = 16;

/// What `work` makes of each number below `count`, in order. The caller's thread works too, so that it all gets done
/// where the system has no other.
pub(super) fn in_parallel<T: Send>(count: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let threads = thread::available_parallelism().map_or(1, usize::from).min(count.div_ceil(TAKEN_AT_ONCE));
    let next = AtomicUsize::new(0);
    let take = || {
        let mut done = Vec::new();
        loop {
            let from = next.fetch_add(TAKEN_AT_ONCE, Ordering::Relaxed);
            if from >= count {
                return done;
            }
            done.extend((from..count.min(from + TAKEN_AT_ONCE)).map(|number| (number, work(number))));
        }
    };
    let mut done = thread::scope(|scope| {
        let spawned = (1..threads).map_while(|_| thread::Builder::new().spawn_scoped(scope, take).ok());
        let others: Vec<_> = spawned.collect();
        let mut done = take();
        for other in others {
            done.extend(other.join().unwrap_or_else(|panic| resume_unwind(panic)));
        }
        done
    });
    done.sort_unstable_by_key(|(number, _)| *number);
    done.into_iter().map(|(_, made)| made).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_is_done_once_and_in_order() {
        for count in [0, 1, TAKEN_AT_ONCE, TAKEN_AT_ONCE + 1, 10_000] {
            assert_eq!(
                in_parallel(count, |number| number * 2),
                (0..count).map(|number| number * 2).collect::<Vec<_>>()
            );
        }
    }
}
