//! A worker's end: which query is heard, and what is written down of it.

use std::sync::Arc;

use rtrb::{Producer, RingBuffer};

use super::heard::{Ends, Head, Losses, MESSAGE_OCTETS_MAX};
use super::notes::{Notes, Step};
use super::outlet::Outlet;
use super::share::{Share, Volume};
use crate::answer::{Outcome, Peer, Response, Worker, answer};
use crate::moment::Moment;
use crate::random::Random;
use crate::snapshot::Snapshot;

/// How much waits to be read, at most, for each worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// For a log of all queries: 8,192 are what comes in 40 ms at 200,000 a second, some 5 MiB in all.
    Log,
    /// For a look at some of them: 512.
    Glance,
}

impl Depth {
    fn queries(self) -> usize {
        match self {
            Self::Log => 8_192,
            Self::Glance => 512,
        }
    }
}

/// Octets that are kept for each query of the depth, request and response together: a response of four addresses with
/// EDNS has some 120. Larger ones take the room of others.
const OCTETS_EACH: usize = 256;

/// Steps of choices for each query of the depth: two pools, three answers. As above.
const STEPS_EACH: usize = 6;

/// Where a worker writes down what is heard.
#[derive(Debug, Default)]
pub struct Tap {
    /// Queries to the next that is heard, which counts; 0 only while that one is answered.
    left: u64,
    /// `None` where nobody will ever listen.
    line: Option<Box<Line>>,
}

#[derive(Debug)]
struct Line {
    volume: Arc<Volume>,
    share: Share,
    random: Random,
    /// Stands in for the worker whose tap this is.
    twin: Worker<Notes>,
    heads: Producer<Head>,
    steps: Producer<Step>,
    octets: Producer<u8>,
    losses: Arc<Losses>,
}

/// A tap that listens at `volume`, and what comes out of it. What is heard is drawn from `seed`.
pub fn tap(volume: Arc<Volume>, depth: Depth, seed: u64) -> (Tap, Outlet) {
    let queries = depth.queries();
    // One of the greatest must fit at the least.
    let octets = (queries * OCTETS_EACH).max(4 * MESSAGE_OCTETS_MAX);
    let (heads, heads_out) = RingBuffer::new(queries);
    let (steps, steps_out) = RingBuffer::new(queries * STEPS_EACH);
    let (octets, octets_out) = RingBuffer::new(octets);
    let losses = Arc::<Losses>::default();
    let outlet = Outlet::new(heads_out, steps_out, octets_out, Arc::clone(&losses));
    let twin = Worker::with_witness(Arc::default(), 0, Notes::default());
    let random = Random::new(seed);
    let line = Line { volume, share: Share::NONE, random, twin, heads, steps, octets, losses };
    (Tap { left: u64::MAX, line: Some(Box::new(line)) }, outlet)
}

impl Tap {
    /// Follows the volume. To be called once a batch.
    #[inline]
    pub fn tune(&mut self) {
        if let Some(line) = &mut self.line {
            let share = line.volume.get();
            if share != line.share {
                line.share = share;
                self.left = share.gap(&mut line.random);
            }
        }
    }

    /// Whether this query, of which it is to be asked once, is heard.
    #[inline]
    pub fn is_due(&mut self) -> bool {
        self.left = self.left.wrapping_sub(1);
        self.left == 0
    }

    /// Answers a query that is [due](Self::is_due), as [`answer`] does, and writes it down.
    #[cold]
    #[inline(never)]
    pub fn answer(
        &mut self,
        snapshot: &Snapshot,
        worker: &mut Worker,
        (peer, ends): (Peer, Ends),
        now: Moment,
        request: &[u8],
        response: &mut Response<'_>,
    ) -> Outcome {
        let Some(line) = &mut self.line else { return answer(snapshot, worker, peer, now, request, response) };
        line.twin.witness_mut().clear();
        let outcome = line.twin.stand_in(worker, |twin| answer(snapshot, twin, peer, now, request, response));
        line.write((peer, ends), now, Some(outcome), request, response.octets());
        self.left = line.share.gap(&mut line.random);
        outcome
    }

    /// Writes down a query that is [due](Self::is_due) and was answered elsewhere, by `response`.
    #[cold]
    #[inline(never)]
    pub fn note(&mut self, (peer, ends): (Peer, Ends), now: Moment, request: &[u8], response: &[u8]) {
        let Some(line) = &mut self.line else { return };
        line.twin.witness_mut().clear();
        line.write((peer, ends), now, None, request, response);
        self.left = line.share.gap(&mut line.random);
    }
}

impl Line {
    /// All or nothing. The heads come last: whoever finds one finds all that belongs to it.
    fn write(
        &mut self,
        (peer, ends): (Peer, Ends),
        at: Moment,
        outcome: Option<Outcome>,
        request: &[u8],
        response: &[u8],
    ) {
        let Self { twin, heads, steps, octets, .. } = self;
        let (zone, balancing) = twin.witness_mut().take();
        let notes = twin.witness();
        let head = Head {
            at,
            share: self.share,
            peer,
            ends,
            outcome,
            request_octets: request.len(),
            response_octets: response.len(),
            zone,
            balancing,
            name_octets: notes.name().len(),
            step_count: notes.steps().len(),
        };
        let [of_request, of_response, of_name] = head.kept();
        let room = heads.slots() >= 1
            && steps.slots() >= notes.steps().len()
            && octets.slots() >= of_request + of_response + of_name;
        let (request, response) = (request.get(..of_request), response.get(..of_response));
        let written = room
            && steps.push_entire_slice(notes.steps()).is_ok()
            && octets.push_entire_slice(request.unwrap_or_default()).is_ok()
            && octets.push_entire_slice(response.unwrap_or_default()).is_ok()
            && octets.push_entire_slice(notes.name()).is_ok()
            && heads.push(head).is_ok();
        if !written {
            self.losses.count();
        }
    }
}
