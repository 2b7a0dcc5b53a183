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
use crate::observe::{Ends, Tap};
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
    tap: Tap,
    /// Room for the longest response, kept so that it need not be cleared for each.
    response: Box<[u8]>,
}

/// One connection's way to its worker.
#[derive(Clone)]
pub(super) struct Asking {
    desk: Arc<Desk>,
    seat: usize,
    peer: Peer,
    ends: Ends,
}

impl Desk {
    /// A desk of these workers, each with who listens in on it; at least one or nothing is ever answered.
    pub(super) fn new(
        snapshots: Arc<ArcSwap<Snapshot>>,
        workers: Vec<(Worker, Tap)>,
        clock: Clock,
        secondaries: Arc<Secondaries>,
        tally: Arc<Tally>,
    ) -> Self {
        let seat = |(worker, tap)| Mutex::new(Seat { worker, tap, response: vec![0; usize::from(u16::MAX)].into() });
        let seats = workers.into_iter().map(seat).collect();
        Self { snapshots, seats, next: AtomicUsize::new(0), clock, secondaries, tally }
    }

    /// A connection of `peer`, between `ends`: the workers take them in turn.
    pub(super) fn asking(self: &Arc<Self>, peer: Peer, ends: Ends) -> Asking {
        let seat = self.next.fetch_add(1, Ordering::Relaxed) % self.seats.len().max(1);
        Asking { desk: Arc::clone(self), seat, peer, ends }
    }
}

/// What a request comes to.
pub(super) enum Reply {
    /// One message.
    Message,
    /// Nothing: it is no query.
    Silence,
    /// A zone, in as many messages as it takes.
    Transfer(Box<Transfer>),
}

impl Reply {
    fn of(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Answered(_) => Self::Message,
            Outcome::Dropped(_) => Self::Silence,
        }
    }
}

impl Asking {
    /// Who asks.
    pub(super) fn peer(&self) -> Peer {
        self.peer
    }

    /// Answers `request` and hands the message to `take`; not when there is none. Zones are for streams of messages alone,
    /// and whoever speaks another way never gets one.
    pub(super) fn reply(&self, request: &[u8], take: impl FnOnce(&[u8])) -> Reply {
        let desk = &self.desk;
        let snapshot = desk.snapshots.load();
        let came = desk.secondaries.receive(&snapshot, (self.peer, &desk.tally), request, |request| {
            let mut response = Vec::new();
            self.answer_from(&snapshot, Heard::Later, request, |octets| response.extend_from_slice(octets));
            response
        });
        match came {
            None => Reply::of(self.answer_from(&snapshot, Heard::Here, request, take)),
            Some(Came::Transfer(transfer)) => Reply::Transfer(transfer),
            Some(Came::Signed(reply) | Came::Reply(reply)) => {
                self.note(request, &reply);
                if reply.is_empty() {
                    return Reply::Silence;
                }
                take(&reply);
                Reply::Message
            }
        }
    }

    fn answer_from(&self, snapshot: &Snapshot, heard: Heard, request: &[u8], take: impl FnOnce(&[u8])) -> Outcome {
        let desk = &self.desk;
        let Some(seat) = desk.seats.get(self.seat) else { return Outcome::Dropped(Reason::NoRoom) };
        // A worker has no state that a panic could leave broken.
        let Seat { worker, tap, response } = &mut *seat.lock().unwrap_or_else(PoisonError::into_inner);
        worker.adopt(snapshot);
        tap.tune();
        let (mut response, now) = (Response::new(response), desk.clock.now());
        let outcome = if heard == Heard::Here && tap.is_due() {
            tap.answer(snapshot, worker, (self.peer, self.ends), now, request, &mut response)
        } else {
            answer(snapshot, worker, self.peer, now, request, &mut response)
        };
        if let Outcome::Answered(_) = outcome {
            take(response.octets());
        }
        outcome
    }

    /// Lets whoever listens hear of what was not, or not only, for `answer`.
    fn note(&self, request: &[u8], reply: &[u8]) {
        let Some(seat) = self.desk.seats.get(self.seat) else { return };
        let Seat { tap, .. } = &mut *seat.lock().unwrap_or_else(PoisonError::into_inner);
        tap.tune();
        if tap.is_due() {
            tap.note((self.peer, self.ends), self.desk.clock.now(), request, reply);
        }
    }
}

/// Where a request is heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Heard {
    /// Where it is answered.
    Here,
    /// With its signature, once that is there.
    Later,
}
