//! What became of connections, and of datagrams that never reached an answer: a count by reason.

use std::sync::atomic::{AtomicU64, Ordering};

/// Something that is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A connection was taken in.
    Accepted,
    /// One was refused: there are as many as there may be.
    RefusedFull,
    /// One was refused: its client has as many as it may have.
    RefusedClient,
    /// One could not be accepted: the system has no room.
    RefusedSystem,
    /// One that was idle for longest made room for another.
    MadeRoom,
    /// One was idle for too long.
    Idle,
    /// A message, a handshake or a header took too long to come.
    SlowToSend,
    /// A client took too long to take its answers.
    SlowToRead,
    /// What came was not a query.
    Garbage,
    /// As many queries came as may come by one connection.
    QueriesSpent,
    /// A TLS or QUIC handshake failed.
    Handshake,
    /// A stranger was asked to prove its address before a QUIC handshake (RFC 9000 §8.1.2).
    Retry,
    /// An HTTP request was not one for DNS.
    HttpRefused,
    /// A listed front end sent no sound PROXY header.
    ProxyMalformed,
    /// A datagram that was larger than the interface takes was cut (RFC 9715).
    Fragmenting,
    /// A reply could not be sent.
    Unsent,
    /// A signed request was answered and the answer signed.
    Signed,
    /// A request had a signature that is not good.
    BadSignature,
    /// A zone was transferred whole, or what its secondary lacked of it.
    Transferred,
    /// A secondary that asked by UDP was told the serial.
    SerialTold,
    /// A transfer was asked for by somebody who may not have it, or of no zone of ours.
    TransferRefused,
    /// One was put off: too many were on their way.
    TransferPutOff,
    /// One ended before its end: the client went, or was too slow, or we stopped.
    TransferBroken,
}

/// Every event and its name, in the order of the counters.
const EVENTS: [(Event, &str); 23] = [
    (Event::Accepted, "accepted"),
    (Event::RefusedFull, "refused-full"),
    (Event::RefusedClient, "refused-client"),
    (Event::RefusedSystem, "refused-system"),
    (Event::MadeRoom, "made-room"),
    (Event::Idle, "idle"),
    (Event::SlowToSend, "slow-to-send"),
    (Event::SlowToRead, "slow-to-read"),
    (Event::Garbage, "garbage"),
    (Event::QueriesSpent, "queries-spent"),
    (Event::Handshake, "handshake-failed"),
    (Event::Retry, "quic-retry"),
    (Event::HttpRefused, "http-refused"),
    (Event::ProxyMalformed, "proxy-malformed"),
    (Event::Fragmenting, "cut-to-interface"),
    (Event::Unsent, "unsent"),
    (Event::Signed, "signed"),
    (Event::BadSignature, "bad-signature"),
    (Event::Transferred, "transferred"),
    (Event::SerialTold, "serial-told"),
    (Event::TransferRefused, "transfer-refused"),
    (Event::TransferPutOff, "transfer-put-off"),
    (Event::TransferBroken, "transfer-broken-off"),
];

/// How often each event came. Shared by all doors: none of these is on the path of a UDP query that is answered.
#[derive(Debug, Default)]
pub struct Tally {
    counts: [AtomicU64; EVENTS.len()],
}

impl Tally {
    /// Counts `event` once more.
    pub fn count(&self, event: Event) {
        self.add(event, 1);
    }

    /// Counts `event` `times` more.
    pub fn add(&self, event: Event, times: u64) {
        self.counts[event as usize].fetch_add(times, Ordering::Relaxed);
    }

    /// How often `event` came.
    pub fn of(&self, event: Event) -> u64 {
        self.counts[event as usize].load(Ordering::Relaxed)
    }

    /// Each event's name and count.
    pub fn read(&self) -> impl Iterator<Item = (&'static str, u64)> {
        EVENTS.iter().map(|&(event, name)| (name, self.of(event)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_has_its_counter() {
        for (at, (event, name)) in EVENTS.into_iter().enumerate() {
            assert_eq!(event as usize, at, "{name}");
            let tally = Tally::default();
            tally.count(event);
            let counted: Vec<_> = tally.read().filter(|&(_, count)| count > 0).collect();
            assert_eq!(counted, [(name, 1)]);
        }
    }
}
