//! What is kept back of a response that is already composed, since whoever asks by UDP without a cookie of ours may be
//! somebody else. How much that is, `rate` says; here it is done.
//!
//! | ruling | of an answer | of a refusal of what cannot be read | of a reply that others made |
//! |---|---|---|---|
//! | send | as it is; truncated when it is big | as it is | as it is |
//! | truncate | header, question and OPT, with TC | as it is: a header alone | a header alone, with TC |
//! | drop | nothing | nothing | nothing |

use super::compose::Composer;
use super::counters::Withheld;
use super::opt::{Opt, Options};
use super::rate::{Class, Ruling};
use super::worker::Worker;
use super::{Outcome, Peer, Reason, Response, Transport};
use crate::moment::Moment;
use crate::wire::header::{HEADER_OCTETS, Rcode, TC};
use crate::wire::query::Query;

impl<W> Worker<W> {
    /// Whether anything may have to be kept back from this peer. A few instructions, for every query.
    #[inline]
    pub(super) fn limits(&self, peer: Peer) -> bool {
        peer.transport == Transport::Udp && self.limiter.as_ref().is_some_and(|limiter| limiter.heeds(peer.address))
    }

    fn rule(&mut self, peer: Peer, class: Class, now: Moment) -> Ruling {
        let Some(limiter) = &mut self.limiter else { return Ruling::Send };
        limiter.rule(peer.address, class, now, &mut self.random)
    }

    /// Keeps back of a reply to `peer` what limits demand: of one that [`answer`](super::answer) did not make, since the
    /// request was signed badly or for a zone. It is counted with the errors; `reply` is empty when it is not to be sent.
    #[cold]
    pub fn withhold(&mut self, peer: Peer, now: Moment, reply: &mut Vec<u8>) {
        if reply.is_empty() || !self.limits(peer) {
            return;
        }
        match self.rule(peer, Class::Error, now) {
            Ruling::Send => {}
            Ruling::Truncate => {
                self.counters.add_withheld(Withheld::Rate);
                cut_to_header(reply);
            }
            Ruling::Drop => {
                self.counters.add(Outcome::Dropped(Reason::RateLimited));
                reply.clear();
            }
        }
    }
}

/// Leaves the header alone, with TC and without counts.
fn cut_to_header(reply: &mut Vec<u8>) {
    reply.truncate(HEADER_OCTETS);
    if let Some([_, _, flags, _, counts @ ..]) = reply.first_chunk_mut::<HEADER_OCTETS>() {
        *flags |= (TC >> 8) as u8;
        counts.fill(0);
    }
}

/// Rules on the answer with `rcode` to a query, and on its options, that `response` holds.
#[inline(never)]
pub(super) fn answer<W>(
    worker: &mut Worker<W>,
    peer: Peer,
    now: Moment,
    (query, options): (&Query<'_>, Option<&Options<'_>>),
    rcode: Rcode,
    response: &mut Response<'_>,
) -> Outcome {
    if options.is_some_and(|options| options.is_proven) {
        return Outcome::Answered(rcode);
    }
    let class = match rcode {
        Rcode::NoError | Rcode::YxDomain => Class::Answer(worker.place),
        Rcode::NxDomain => Class::NxDomain(worker.place),
        _ => Class::Error,
    };
    let is_big = worker.limiter.as_ref().is_some_and(|limiter| limiter.is_big(response.length));
    let why = match worker.rule(peer, class, now) {
        Ruling::Drop => return send_nothing(response),
        Ruling::Truncate => Withheld::Rate,
        Ruling::Send if is_big => Withheld::Unproven,
        Ruling::Send => return Outcome::Answered(rcode),
    };
    worker.counters.add_withheld(why);
    let least = options.map(Options::least);
    let opt = query.edns.as_ref().map(|edns| Opt::of(edns, least.as_ref()));
    let Some(mut composer) = Composer::start(response.octets, query, peer.transport, opt) else {
        return send_nothing(response);
    };
    composer.truncate();
    response.length = composer.finish(query, rcode);
    Outcome::Answered(rcode)
}

/// Rules on a refusal of what could not be read: a header, which has no place for anything but its flags.
#[inline(never)]
pub(super) fn refusal<W>(
    worker: &mut Worker<W>,
    peer: Peer,
    now: Moment,
    outcome: Outcome,
    response: &mut Response<'_>,
) -> Outcome {
    match worker.rule(peer, Class::Error, now) {
        Ruling::Send => outcome,
        // It is a header alone already: what would be truncated is sent as it is.
        Ruling::Truncate => {
            worker.counters.add_withheld(Withheld::Rate);
            outcome
        }
        Ruling::Drop => send_nothing(response),
    }
}

fn send_nothing(response: &mut Response<'_>) -> Outcome {
    response.length = 0;
    Outcome::Dropped(Reason::RateLimited)
}
