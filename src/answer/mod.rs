//! Request octets → response octets: the one path that every transport takes.
//!
//! No I/O, no clock, no lock, no allocation; time is passed in, and what a query moves is the worker's own.
//!
//! The steps, in order: read the message · find the client · screen (class, version, type) · look the name up in its
//! zone · steer, if it is balanced · compose.
//!
//! Sources: RFC 1034 §4.3.2 (the algorithm), RFC 2308 (negative answers), RFC 4592 (wildcards), RFC 6604 (the
//! code of a chain), RFC 6891 (EDNS), RFC 8482 (ANY), RFC 9471 (glue).

mod client;
mod compose;
mod lookup;
mod screen;
mod steer;
mod witness;
mod worker;

use std::net::IpAddr;

pub use witness::{Finding, Steered, Witness};
pub use worker::{Counters, Worker};

use crate::moment::Moment;
use crate::snapshot::Snapshot;
use crate::wire::ecs::Malformed;
use crate::wire::header::Rcode;
use crate::wire::query::{Query, Unreadable};
use crate::wire::rtype::Rtype;
use client::Asker;
use compose::Composer;

/// Who asks, and through which door.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The source address of the request.
    pub address: IpAddr,
    /// What it came by.
    pub transport: Transport,
}

/// What a request came by, as far as the answer depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// Datagrams: limited by the requestor's payload size, and the source may be forged.
    Datagram,
    /// A connection: up to 65,535 octets.
    Stream,
}

/// Where a response goes: a buffer of the caller's, and how much of it is filled.
#[derive(Debug)]
pub struct Response<'b> {
    octets: &'b mut [u8],
    length: usize,
}

impl<'b> Response<'b> {
    /// An empty response in `octets`, at least [`RESPONSE_OCTETS_LEAST`] of them or nothing can be said.
    pub fn new(octets: &'b mut [u8]) -> Self {
        Self { octets, length: 0 }
    }

    /// What is to be sent; empty when nothing is.
    pub fn octets(&self) -> &[u8] {
        self.octets.get(..self.length).unwrap_or_default()
    }
}

/// What the smallest buffer for a response must hold: a datagram as large as is ever sent.
pub const RESPONSE_OCTETS_LEAST: usize = crate::wire::edns::PAYLOAD as usize;

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The response holds an answer with this code.
    Answered(Rcode),
    /// Nothing is sent.
    Dropped(Reason),
}

/// Why a request is not answered at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It is shorter than a header.
    Short,
    /// It is itself a response; answering it would start a loop.
    Response,
    /// The caller's buffer is too small for any answer.
    NoRoom,
}

/// Answers `request` into `response`. `worker` must have [adopted](Worker::adopt) the snapshot.
///
/// Cost: a few hundred instructions, whatever the size of the zone, the pools or the request.
pub fn answer<W: Witness>(
    snapshot: &Snapshot,
    worker: &mut Worker<W>,
    peer: Peer,
    now: Moment,
    request: &[u8],
    response: &mut Response<'_>,
) -> Outcome {
    let outcome = answer_uncounted(snapshot, worker, peer, now, request, response);
    worker.count(outcome);
    outcome
}

fn answer_uncounted<W: Witness>(
    snapshot: &Snapshot,
    worker: &mut Worker<W>,
    peer: Peer,
    now: Moment,
    request: &[u8],
    response: &mut Response<'_>,
) -> Outcome {
    response.length = 0;
    let query = match Query::read(request, &mut worker.qname) {
        Ok(query) => query,
        Err(unreadable) => return screen::refuse_unreadable(unreadable, response),
    };
    let asker = match Asker::find(peer, query.edns.as_ref()) {
        Ok(asker) => asker,
        Err(Malformed) => return screen::refuse_unreadable(Unreadable::Malformed(query.header), response),
    };
    let Some(mut composer) = Composer::start(response.octets, &query, peer.transport) else {
        return Outcome::Dropped(Reason::NoRoom);
    };
    let rcode = match screen::screen(&query) {
        Ok(()) => lookup::answer(snapshot, worker, Question { asker, now, qtype: query.qtype }, &mut composer),
        Err(rcode) => rcode,
    };
    response.length = composer.finish(&query, rcode);
    Outcome::Answered(rcode)
}

/// What is asked, beside the name, which the worker holds.
#[derive(Clone, Copy)]
struct Question {
    asker: Asker,
    now: Moment,
    qtype: Rtype,
}
