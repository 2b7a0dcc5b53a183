//! One query that was heard, and how many were not that should have been.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::notes::{Balancing, Step};
use super::share::Share;
use crate::answer::{Outcome, Peer};
use crate::moment::Moment;
use crate::zone::Zone;

/// The longest message that is kept whole, and none is kept in part: what a resolver asks for by UDP at the most (RFC 9715
/// has 1,232, others 4,096). Of longer ones, which only streams carry, the length is told.
pub(super) const MESSAGE_OCTETS_MAX: usize = 4_096;

/// The two ends of what a query came by, beside the client's address, which the [`Peer`] has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends {
    /// The client's port; `None` behind a front end that tells of none.
    pub client_port: Option<u16>,
    /// Where it came to; of a socket on all addresses with the address that was asked, where that is known.
    pub server: SocketAddr,
}

/// What is written down of one query, but for octets and steps.
#[derive(Debug)]
pub struct Head {
    /// When it was received, with its batch.
    pub at: Moment,
    /// The share of queries that were heard then.
    pub share: Share,
    /// Who asked.
    pub peer: Peer,
    /// From which port, and where.
    pub ends: Ends,
    /// What became of it; `None` of one that was signed, or asked for a transfer and was told something else.
    pub outcome: Option<Outcome>,
    /// Octets of the request, as it came.
    pub request_octets: usize,
    /// Octets of the response; 0 where there is none.
    pub response_octets: usize,
    /// The zone that answered.
    pub zone: Option<Arc<Zone>>,
    /// What became of a balanced name.
    pub balancing: Option<Balancing>,
    pub(super) name_octets: usize,
    pub(super) step_count: usize,
}

impl Head {
    /// Octets that are kept of the request, of the response, and of the balanced name, one behind the other.
    pub(super) fn kept(&self) -> [usize; 3] {
        [kept(self.request_octets), kept(self.response_octets), self.name_octets]
    }
}

fn kept(octets: usize) -> usize {
    if octets <= MESSAGE_OCTETS_MAX { octets } else { 0 }
}

/// How many queries were to be heard and found no room. Written by one worker, read by anyone.
#[derive(Debug, Default)]
pub struct Losses(AtomicU64);

impl Losses {
    pub(super) fn count(&self) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
    }

    /// So many.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A query that was heard.
#[derive(Debug)]
pub struct Heard<'o> {
    /// All but octets and steps.
    pub head: Head,
    /// The request; empty where it is too long to be kept.
    pub request: &'o [u8],
    /// The response; empty where there is none, or it is too long.
    pub response: &'o [u8],
    /// The balanced name, in wire form; empty where none is.
    pub name: &'o [u8],
    /// How its choice came about.
    pub steps: &'o [Step],
}
