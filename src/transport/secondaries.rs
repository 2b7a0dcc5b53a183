//! What secondaries ask, before `answer` sees it: requests that are signed, and those for whole zones.
//!
//! None of it is on the path of an ordinary query: where nothing is granted it costs one comparison, and else as much
//! as passing over the records of a request.

use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use super::tally::{Event, Tally};
use crate::answer::{Peer, Transport};
use crate::snapshot::Snapshot;
use crate::system::unix_now;
use crate::transfer::{Carrier, Grants, Received, Transfer, Verdict};
use crate::wire::edns::{PAYLOAD, PAYLOAD_LEAST};
use crate::wire::qname::Qname;
use crate::wire::query::Query;

/// Transfers at once. BIND's `transfers-out` is 10. Each holds a message of 64 KiB, and the zone as it was when it began.
const TRANSFERS_MAX: usize = 16;

/// How long one transfer may take, however steadily its client reads: as BIND's `max-transfer-time-out`. By then the zone
/// that it holds is an old one.
pub(super) const TRANSFER_SPAN: Duration = Duration::from_secs(2 * 3_600);

/// Who may have zones, who has keys, and how many zones are on their way.
#[derive(Debug)]
pub struct Secondaries {
    grants: Grants,
    places: Semaphore,
}

/// Nobody.
impl Default for Secondaries {
    fn default() -> Self {
        Self::new(Grants::default())
    }
}

/// What becomes of a request that `answer` does not see, or not as it came.
pub(super) enum Came {
    /// The answer and its signature, to be sent if it is not empty.
    Signed(Vec<u8>),
    /// What to send in the place of an answer, if it is not empty; no limit on responses has seen it.
    Reply(Vec<u8>),
    /// The zone; only ever by a stream.
    Transfer(Box<Transfer>),
}

impl Secondaries {
    /// Those that `grants` are for.
    pub fn new(grants: Grants) -> Self {
        Self { grants, places: Semaphore::new(TRANSFERS_MAX) }
    }

    /// What comes of `request`; `None` when that is for `answer` alone to say. Else `answer` is put the request without
    /// its signature, if it is for no transfer, and gives the response.
    #[inline]
    pub(super) fn receive(
        &self,
        snapshot: &Snapshot,
        (peer, tally): (Peer, &Tally),
        request: &[u8],
        answer: impl FnOnce(&[u8]) -> Vec<u8>,
    ) -> Option<Came> {
        self.grants.concern(request).then(|| self.take_in(snapshot, (peer, tally), request, answer)).flatten()
    }

    #[cold]
    fn take_in(
        &self,
        snapshot: &Snapshot,
        (peer, tally): (Peer, &Tally),
        request: &[u8],
        answer: impl FnOnce(&[u8]) -> Vec<u8>,
    ) -> Option<Came> {
        let (carrier, limit) = match peer.transport {
            Transport::Udp => (Carrier::Datagram, datagram_octets_max(request)),
            Transport::Tcp | Transport::Tls => (Carrier::Stream, usize::from(u16::MAX)),
            Transport::Https | Transport::Http3 | Transport::Quic => (Carrier::Exchange, usize::from(u16::MAX)),
        };
        let now = unix_now();
        match self.grants.receive(snapshot, (peer.address, carrier), request, now) {
            Received::Ordinary => None,
            Received::Transfer(transfer) => Some(Came::Transfer(transfer)),
            Received::Signed(unsigned, mut signer) => {
                tally.count(Event::Signed);
                let response = answer(&unsigned);
                // What is not answered is not signed either.
                let signed = if response.is_empty() { response } else { signer.sign(&response, limit, now) };
                Some(Came::Signed(signed))
            }
            Received::Reply(reply, verdict) => {
                tally.count(match verdict {
                    Verdict::BadSignature => Event::BadSignature,
                    Verdict::Denied => Event::TransferRefused,
                    Verdict::Told => Event::SerialTold,
                });
                tracing::debug!("{}: {verdict:?}", peer.address);
                // Nobody is told more than a datagram holds.
                (reply.len() <= limit).then_some(Came::Reply(reply))
            }
        }
    }

    /// Waits for a place among the transfers; `None` when there was none within `patience`.
    pub(super) async fn place(&self, patience: Duration) -> Option<SemaphorePermit<'_>> {
        timeout(patience, self.places.acquire()).await.ok()?.ok()
    }
}

/// Octets that the response to a datagram may have (RFC 6891 §6.2.3).
fn datagram_octets_max(request: &[u8]) -> usize {
    let edns = Query::read(request, &mut Qname::default()).ok().and_then(|query| query.edns);
    usize::from(edns.map_or(PAYLOAD_LEAST, |edns| edns.payload.clamp(PAYLOAD_LEAST, PAYLOAD)))
}
