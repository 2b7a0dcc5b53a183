//! Request octets → response octets: the one path that every transport takes.
//!
//! No I/O, no clock, no lock, no allocation; time is passed in, and what a query moves is the worker's own.
//!
//! The steps, in order: read the message · find the client · judge its options · screen (class, version, type) · look
//! the name up in its zone · steer, if it is balanced · compose · withhold, where a forger could profit.
//!
//! Sources: RFC 1034 §4.3.2 (the algorithm), RFC 2308 (negative answers), RFC 4592 (wildcards), RFC 6604 (the
//! code of a chain), RFC 6891 (EDNS), RFC 8482 (ANY), RFC 8906 (what testers of compliance ask), RFC 9471 (glue).

mod chaos;
mod client;
mod compose;
mod counters;
mod explanation;
mod hint;
mod lookup;
mod opt;
pub mod rate;
mod screen;
mod sheet;
mod steer;
mod witness;
mod withhold;
mod worker;

use std::net::IpAddr;

pub use counters::Counters;
pub use sheet::{Cells, Sheet, TTLS};
pub use witness::{Finding, Steered, TtlReason, Witness};
pub use worker::Worker;

use crate::moment::Moment;
use crate::snapshot::{NO_ZONE, Snapshot};
use crate::wire::header::Rcode;
use crate::wire::option::Malformed;
use crate::wire::query::Query;
use crate::wire::rtype::Rtype;
use client::{Asker, Told};
use compose::Composer;
use opt::{Opt, Options};
use screen::Subject;

/// Who asks, and through which door.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The source address of the request.
    pub address: IpAddr,
    /// What it came by.
    pub transport: Transport,
}

/// What a request came by, as far as the answer depends on it. All but UDP carry up to 65,535 octets, and their peer
/// has shown that it is where it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// Datagrams: limited by the requestor's payload size, and the source may be forged.
    Udp,
    /// TCP (RFC 7766).
    Tcp,
    /// DNS over TLS (RFC 7858).
    Tls,
    /// DNS over HTTPS, by HTTP/1.1 or HTTP/2 (RFC 8484).
    Https,
    /// DNS over HTTPS, by HTTP/3.
    Http3,
    /// DNS over dedicated QUIC connections (RFC 9250).
    Quic,
}

impl Transport {
    /// All of them, in their order.
    pub const ALL: [Self; 6] = [Self::Udp, Self::Tcp, Self::Tls, Self::Https, Self::Http3, Self::Quic];
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
    /// Its network gets as many responses of the kind as it may.
    RateLimited,
}

/// Answers `request` into `response`. `worker` must have [adopted](Worker::adopt) the snapshot.
///
/// Cost: 900 to 2,500 instructions for most (`benches/instructions/table.tsv`), whatever the size of the zone and the pools.
/// Where the worker is [limited](Worker::limited), some 100 more for peers that are.
pub fn answer<W: Witness>(
    snapshot: &Snapshot,
    worker: &mut Worker<W>,
    peer: Peer,
    now: Moment,
    request: &[u8],
    response: &mut Response<'_>,
) -> Outcome {
    let outcome = answer_uncounted(snapshot, worker, peer, now, request, response);
    worker.count(peer.transport, outcome);
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
    (worker.row, worker.qtype, worker.told) = (NO_ZONE, Rtype(0), Told::Nothing);
    let mut query = match Query::read(request, &mut worker.qname) {
        Ok(query) => query,
        Err(unreadable) => {
            let outcome = screen::refuse_unreadable(unreadable, response);
            return match outcome {
                Outcome::Answered(_) if worker.limits(peer) => withhold::refusal(worker, peer, now, outcome, response),
                _ => outcome,
            };
        }
    };
    worker.qtype = query.qtype;
    let (mut asker, mut options) = (Asker::of(peer), None);
    let judged = judge(snapshot, worker, peer, now, &query, &mut asker, &mut options);
    // Where options are malformed there is still a question and an OPT record to answer with, but none to give back.
    if let (Err(Malformed), Some(edns)) = (judged, &mut query.edns) {
        edns.ecs = None;
    }
    let opt = query.edns.as_ref().map(|edns| Opt::of(edns, options.as_ref()));
    let Some(mut composer) = Composer::start(response.octets, &query, peer.transport, opt) else {
        return Outcome::Dropped(Reason::NoRoom);
    };
    let horizon = snapshot.horizon();
    let rcode = match (judged, screen::screen(&query)) {
        (Err(Malformed), _) => Rcode::FormErr,
        (_, Ok(Subject::Zones)) => {
            let question = Question { asker: &asker, now, horizon, qtype: query.qtype };
            lookup::answer(snapshot, worker, question, &mut composer)
        }
        (_, Ok(Subject::Server)) => {
            worker.place = 0;
            chaos::answer(snapshot.identity(), worker.qname.octets(), query.qtype, &mut composer)
        }
        (_, Ok(Subject::Nobody)) => {
            worker.place = 0;
            Rcode::NoError
        }
        (_, Err((rcode, explanation))) => {
            if let Some(explanation) = explanation {
                composer.explain(explanation);
            }
            rcode
        }
    };
    response.length = composer.finish(&query, rcode);
    if worker.limits(peer) {
        return withhold::answer(worker, peer, now, (&query, options.as_ref()), rcode, response);
    }
    Outcome::Answered(rcode)
}

/// What the options of the request say of the `asker`, and which `options` the response owes to them.
///
/// # Errors
/// An option that its RFC has answered with FORMERR.
#[inline]
fn judge<'q, W>(
    snapshot: &'q Snapshot,
    worker: &mut Worker<W>,
    peer: Peer,
    now: Moment,
    query: &Query<'q>,
    asker: &mut Asker,
    options: &mut Option<Options<'q>>,
) -> Result<(), Malformed> {
    let Some(edns) = &query.edns else { return Ok(()) };
    if let Some(data) = edns.ecs {
        asker.tell(data)?;
        worker.told = asker.told();
    }
    if edns.has_others {
        Options::owe(options, snapshot, worker, peer, now, edns)?;
    }
    Ok(())
}

/// What is asked, beside the name, which the worker holds.
#[derive(Clone, Copy)]
struct Question<'a> {
    asker: &'a Asker,
    now: Moment,
    /// No TTL counts on anything beyond it.
    horizon: Moment,
    qtype: Rtype,
}
