//! What waits for one client that asks many things at once: answers that are made and that it has yet to take.
//!
//! By HTTP/2, HTTP/3 and QUIC each request has a stream of its own, and each stream its own window, which the client may
//! keep shut: a hundred queries of a few octets would have a hundred of the longest answers wait. So there is room for two
//! of those in all; the next answer is made once enough of that is taken.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Octets of the longest answer behind its length.
const ANSWER_OCTETS_MAX: u32 = 2 + u16::MAX as u32;

/// Octets of answers that wait for one connection's client, at the most: 128 KiB, so that of answers of 60 KB one can be on
/// its way while the next is made, and a client's 1,000 connections hold no more than 128 MiB.
const OCTETS_MAX: u32 = 2 * ANSWER_OCTETS_MAX;

/// One connection's.
#[derive(Clone, Debug)]
pub(super) struct Backlog(Arc<Semaphore>);

impl Default for Backlog {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(OCTETS_MAX as usize)))
    }
}

impl Backlog {
    /// Waits for room for one more answer, in turn. It is never closed, so that `None` never comes.
    pub(super) async fn room(&self) -> Option<Room> {
        Arc::clone(&self.0).acquire_many_owned(ANSWER_OCTETS_MAX).await.ok().map(Room)
    }
}

/// Room for one answer. It is given back when dropped.
#[derive(Debug)]
pub(super) struct Room(OwnedSemaphorePermit);

impl Room {
    /// The answer, which takes as much room as it has octets until the last of them is let go of.
    pub(super) fn hold(mut self, octets: Vec<u8>) -> Bytes {
        let surplus = self.0.num_permits().saturating_sub(octets.len());
        drop(self.0.split(surplus));
        Bytes::from_owner(Held { octets, _room: self })
    }
}

struct Held {
    octets: Vec<u8>,
    _room: Room,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.octets
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_room_for_two_of_the_longest() {
        let backlog = Backlog::default();
        let room = || backlog.0.clone().try_acquire_many_owned(ANSWER_OCTETS_MAX).ok().map(Room);
        let hold = |octets: usize| room().map(|room| room.hold(vec![0; octets]));
        let (first, second) = (hold(65_537).expect("room"), hold(65_537).expect("room"));
        assert!(hold(0).is_none());
        let part = second.slice(9..10);
        drop(second);
        assert!(hold(0).is_none(), "a part of it is still there");
        drop(part);
        // Those that are short leave room for others.
        let short: Vec<Bytes> = std::iter::from_fn(|| hold(1_000)).collect();
        assert_eq!(short.len(), 1);
        drop((first, short));
        let short: Vec<Bytes> = std::iter::from_fn(|| hold(1_000)).collect();
        assert_eq!(short.len(), 66, "while there is room for one of the longest");
        drop(short);
        assert_eq!(backlog.0.available_permits(), OCTETS_MAX as usize);
    }
}
