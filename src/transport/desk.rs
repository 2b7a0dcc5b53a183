//! Where the connected doors bring their queries: a few workers, each behind a lock that is held for one answer.
//!
//! Connections are not the hot path, and an answer takes a microsecond where their system calls take ten. A
//! connection keeps to one worker, so that it sees each pool's turns in their order.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;

use super::secondaries::{Came, Secondaries};
use super::tally::Tally;
use crate::answer::{Outcome, Peer, Reason, Response, Worker, answer};
use crate::snapshot::Snapshot;
use crate::system::Clock;
use crate::transfer::Transfer;

/// The workers of all connections.
pub(super) struct Desk {
    snapshots: Arc<ArcSwap<Snapshot>>,
    seats: Box<[Mutex<Seat>]>,
    next: AtomicUsize,
    clock: Clock,
    pub(super) secondaries: Arc<Secondaries>,
    tally: Arc<Tally>,
}

struct Seat {
    worker: Worker,
    /// Room for the longest response, kept so that it need not be cleared for each.
    response: Box<[u8]>,
}

/// One connection's way to its worker.
#[derive(Clone)]
pub(super) struct Asking {
    desk: Arc<Desk>,
    seat: usize,
    peer: Peer,
}

impl Desk {
    /// A desk of these workers, at least one or nothing is ever answered.
    pub(super) fn new(
        snapshots: Arc<ArcSwap<Snapshot>>,
        workers: Vec<Worker>,
        clock: Clock,
        secondaries: Arc<Secondaries>,
        tally: Arc<Tally>,
    ) -> Self {
        let seat = |worker| Mutex::new(Seat { worker, response: vec![0; usize::from(u16::MAX)].into() });
        let seats = workers.into_iter().map(seat).collect();
        Self { snapshots, seats, next: AtomicUsize::new(0), clock, secondaries, tally }
    }

    /// A connection of `peer`: the workers take them in turn.
    pub(super) fn asking(self: &Arc<Self>, peer: Peer) -> Asking {
        let seat = self.next.fetch_add(1, Ordering::Relaxed) % self.seats.len().max(1);
        Asking { desk: Arc::clone(self), seat, peer }
    }
}

/// What a request by a stream of messages comes to.
pub(super) enum Reply {
    /// One message, or none.
    Answer(Outcome),
    /// A zone, in as many messages as it takes.
    Transfer(Box<Transfer>),
}

impl Asking {
    /// Who asks.
    pub(super) fn peer(&self) -> Peer {
        self.peer
    }

    /// Answers `request` and hands the response to `take`; not when there is none.
    pub(super) fn answer(&self, request: &[u8], take: impl FnOnce(&[u8])) -> Outcome {
        match self.reply(request, take) {
            Reply::Answer(outcome) => outcome,
            // Nothing is transferred but by streams of messages, which take what `reply` gives.
            Reply::Transfer(_) => Outcome::Dropped(Reason::NoRoom),
        }
    }

    /// As [`answer`](Self::answer), and a zone to whoever may have it.
    pub(super) fn reply(&self, request: &[u8], take: impl FnOnce(&[u8])) -> Reply {
        let desk = &self.desk;
        let snapshot = desk.snapshots.load();
        let came = desk.secondaries.receive(&snapshot, (self.peer, &desk.tally), request, |request| {
            let mut response = Vec::new();
            let outcome = self.answer_from(&snapshot, request, |octets| response.extend_from_slice(octets));
            (response, outcome)
        });
        match came {
            None => Reply::Answer(self.answer_from(&snapshot, request, take)),
            Some(Came::Transfer(transfer)) => Reply::Transfer(transfer),
            Some(Came::Reply(reply, outcome)) => {
                if !reply.is_empty() {
                    take(&reply);
                }
                Reply::Answer(outcome)
            }
        }
    }

    fn answer_from(&self, snapshot: &Snapshot, request: &[u8], take: impl FnOnce(&[u8])) -> Outcome {
        let desk = &self.desk;
        let Some(seat) = desk.seats.get(self.seat) else { return Outcome::Dropped(Reason::NoRoom) };
        // A worker has no state that a panic could leave broken.
        let Seat { worker, response } = &mut *seat.lock().unwrap_or_else(PoisonError::into_inner);
        worker.adopt(snapshot);
        let mut response = Response::new(response);
        let outcome = answer(snapshot, worker, self.peer, desk.clock.now(), request, &mut response);
        if let Outcome::Answered(_) = outcome {
            take(response.octets());
        }
        outcome
    }
}
