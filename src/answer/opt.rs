//! The OPT record of a response: which options it owes to its request, their room, and their octets.
//!
//! | option | given |
//! |---|---|
//! | NSID | where it is asked for and the server has one (RFC 5001) |
//! | cookie | where one came and there are secrets (RFC 7873) |
//! | keepalive | where it is asked for, over TCP and TLS (RFC 7828); HTTPS and QUIC have their own (RFC 9250 §5.5.2) |
//! | client subnet | where one came (RFC 7871) |
//! | extended error | where there is something to say and room for it (RFC 8914) |
//! | padding | where the request pads, over what is encrypted (RFC 8467) |
//!
//! The room of all but the last two is left free from the start, so that they never push a record out.

use super::explanation::Explanation;
use super::{Peer, Transport, Worker};
use crate::moment::Moment;
use crate::snapshot::Snapshot;
use crate::wire::cookie::{COOKIE_OCTETS, Proof};
use crate::wire::ecs::SCOPE_AT;
use crate::wire::edns::{Edns, OPT_OCTETS, PAYLOAD};
use crate::wire::option::{COOKIE, ECS, EDE, KEEPALIVE, Malformed, NSID, OPTION_OCTETS, PADDING, write};
use crate::wire::rtype::Rtype;

/// Responses are padded to multiples of this many octets (RFC 8467 §4.1).
const BLOCK_OCTETS: usize = 468;

/// What a response's OPT record is to hold.
#[derive(Clone, Copy, Debug)]
pub(super) struct Opt<'o> {
    dnssec_ok: bool,
    scope: u8,
    explanation: Option<&'static Explanation>,
    /// The client subnet as it came, to be given back with the scope.
    ecs: Option<&'o [u8]>,
    /// What else the request is owed; apart, since most are owed nothing and pay for nothing.
    options: Option<&'o Options<'o>>,
    /// Octets that are to be left free for it.
    room: usize,
}

/// The options that a request is owed, beside its subnet and an explanation.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Options<'q> {
    /// Whether the cookie shows that the requestor is where it says.
    pub(super) is_proven: bool,
    is_padded: bool,
    nsid: Option<&'q [u8]>,
    cookie: Option<[u8; COOKIE_OCTETS]>,
    /// In units of 100 ms.
    keepalive: Option<u16>,
    /// Octets that all of these take.
    room: usize,
}

impl<'o> Opt<'o> {
    /// The one that answers a request with this OPT record, which is owed these options.
    pub(super) fn of(edns: &Edns<'o>, options: Option<&'o Options<'o>>) -> Self {
        let room = OPT_OCTETS + octets_of(edns.ecs.map(<[u8]>::len)) + options.map_or(0, |options| options.room);
        Self { dnssec_ok: edns.dnssec_ok, scope: 0, explanation: None, ecs: edns.ecs, options, room }
    }

    /// The answer depended on so many bits of the client's subnet (RFC 7871 §7.2.1); 0 where this is never said.
    /// Of a chain of aliases, the most that any part of it depended on.
    pub(super) fn announce(&mut self, scope: u8) {
        self.scope = self.scope.max(scope);
    }

    /// Why the answer is what it is; the first reason stays.
    pub(super) fn explain(&mut self, explanation: &'static Explanation) {
        self.explanation.get_or_insert(explanation);
    }

    /// Octets that are to be left free for it.
    pub(super) fn room(&self) -> usize {
        self.room
    }

    /// Writes it to `target`, all the octets that are left, after `before` octets of message. Says how many it took.
    pub(super) fn write(&self, target: &mut [u8], before: usize, rcode_above: u8) -> Option<usize> {
        let all = target.len();
        let (head, mut rest) = target.split_first_chunk_mut::<OPT_OCTETS>()?;
        let [t, y] = Rtype::OPT.0.to_be_bytes();
        let [s, z] = PAYLOAD.to_be_bytes();
        let room = rest.len();
        if let Some(ecs) = self.ecs {
            let (written, after) = rest.split_at_mut_checked(OPTION_OCTETS + ecs.len())?;
            write(written, ECS, ecs)?;
            *written.get_mut(OPTION_OCTETS + SCOPE_AT)? = self.scope;
            rest = after;
        }
        let mut left = rest.len();
        if self.options.is_some() || self.explanation.is_some() {
            left = self.write_options(rest, before + all - left, all.checked_sub(self.room)?)?;
        }
        let taken = room - left;
        let [r, n] = u16::try_from(taken).ok()?.to_be_bytes();
        *head = [0, t, y, s, z, rcode_above, 0, if self.dnssec_ok { 0x80 } else { 0 }, 0, r, n];
        Some(OPT_OCTETS + taken)
    }

    /// Writes the options behind the subnet's; `spare` octets may go to an explanation. Says how many octets are left.
    #[inline(never)]
    fn write_options(&self, mut target: &mut [u8], before: usize, spare: usize) -> Option<usize> {
        let start = target.len();
        let nothing = Options::default();
        let options = self.options.unwrap_or(&nothing);
        if let Some(nsid) = options.nsid {
            target = write(target, NSID, nsid)?;
        }
        if let Some(cookie) = &options.cookie {
            target = write(target, COOKIE, cookie)?;
        }
        if let Some(keepalive) = options.keepalive {
            target = write(target, KEEPALIVE, &keepalive.to_be_bytes())?;
        }
        if let Some(explanation) = self.explanation.filter(|explanation| OPTION_OCTETS + explanation.octets() <= spare)
        {
            let [c, d] = explanation.code.to_be_bytes();
            let mut data = [0; Explanation::OCTETS_MAX];
            let (head, text) = data.split_first_chunk_mut()?;
            *head = [c, d];
            text.get_mut(..explanation.text.len())?.copy_from_slice(explanation.text.as_bytes());
            target = write(target, EDE, data.get(..explanation.octets())?)?;
        }
        if options.is_padded && target.len() >= OPTION_OCTETS {
            let length = before + start - target.len() + OPTION_OCTETS;
            let padding = (length.next_multiple_of(BLOCK_OCTETS) - length).min(target.len() - OPTION_OCTETS);
            let (head, rest) = target.split_first_chunk_mut::<OPTION_OCTETS>()?;
            let [c, d] = PADDING.to_be_bytes();
            let [l, m] = u16::try_from(padding).ok()?.to_be_bytes();
            *head = [c, d, l, m];
            let (zeroes, rest) = rest.split_at_mut_checked(padding)?;
            zeroes.fill(0);
            target = rest;
        }
        Some(target.len())
    }
}

impl<'q> Options<'q> {
    /// Puts what is owed to a request with this OPT record into `slot`.
    ///
    /// # Errors
    /// A cookie that is to be answered with FORMERR.
    #[inline(never)]
    pub(super) fn owe<W>(
        slot: &mut Option<Self>,
        snapshot: &'q Snapshot,
        worker: &Worker<W>,
        peer: Peer,
        now: Moment,
        edns: &Edns<'q>,
    ) -> Result<(), Malformed> {
        let identity = snapshot.identity();
        let mut is_proven = false;
        let cookie = match edns.cookie {
            None => None,
            Some(data) => {
                let seconds = identity.unix_start + now.since(Moment::START).as_secs();
                // Modulo 2³², as cookies count (RFC 9018 §4.3).
                let judged = identity.secrets.judge(data, peer.address, seconds as u32)?;
                judged.map(|judged| {
                    worker.counters.add_cookie(judged.proof);
                    is_proven = judged.proof == Proof::Given;
                    judged.answer
                })
            }
        };
        let has_keepalive = edns.wants_keepalive && matches!(peer.transport, Transport::Tcp | Transport::Tls);
        let is_encrypted =
            matches!(peer.transport, Transport::Tls | Transport::Https | Transport::Http3 | Transport::Quic);
        let options = slot.insert(Self {
            is_proven,
            is_padded: edns.pads && is_encrypted,
            nsid: identity.nsid.as_deref().filter(|_| edns.wants_nsid),
            cookie,
            keepalive: worker.keepalive.filter(|_| has_keepalive),
            room: 0,
        });
        options.room = options.measure();
        Ok(())
    }

    /// What whoever has not shown where it is gets of them: nothing that is longer than what it sent, but for the
    /// cookie to show it with.
    pub(super) fn least(&self) -> Self {
        let mut least = Self { nsid: None, ..*self };
        least.room = least.measure();
        least
    }

    /// Octets that they take.
    fn measure(&self) -> usize {
        octets_of(self.nsid.map(<[u8]>::len))
            + octets_of(self.cookie.as_ref().map(|cookie| cookie.len()))
            + octets_of(self.keepalive.map(|_| 2))
    }
}

/// Octets of an option with so many of data; none where there is no such option.
fn octets_of(data: Option<usize>) -> usize {
    data.map_or(0, |octets| OPTION_OCTETS + octets)
}
