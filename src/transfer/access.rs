//! Who may have which zone.

use std::net::IpAddr;
use std::sync::Arc;

use domain::base::iana::Rcode as DomainRcode;
use domain::base::{Message, Serial};
use domain::rdata::Soa;

use super::axfr::{Extent, Transfer};
use super::signing::{Keys, Opened, Signer, open, refusal};
use crate::geo::Network;
use crate::snapshot::Snapshot;
use crate::wire::name::Name;
use crate::wire::qname::Qname;
use crate::wire::query::{CLASS_IN, Query, asks_transfer, is_signed};
use crate::wire::rtype::Rtype;
use crate::zone::Zone;

/// Who may transfer zones, all of those that are served. Without a grant nobody may.
#[derive(Clone, Debug, Default)]
pub struct Grants {
    /// Any of these suffices.
    pub grants: Box<[Grant]>,
    /// The keys that requests may be signed with.
    pub keys: Keys,
}

/// One grant: to an address, and where a key is named only to a request that is signed with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Who.
    pub network: Network,
    /// The name of the key.
    pub key: Option<Name>,
}

/// How a request came, as far as it matters to a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// By a stream, which takes any number of messages: TCP, or TLS (RFC 9103).
    Stream,
    /// By a datagram: of a zone there is its SOA at the most.
    Datagram,
    /// By what takes one message for one: HTTPS, and QUIC as it is spoken here. Nothing is transferred.
    Exchange,
}

/// What comes of a request.
#[derive(Debug)]
pub enum Received {
    /// Neither signed nor for a transfer: it is answered as it stands.
    Ordinary,
    /// Well signed and for no transfer: what is answered to this, the request without its signature, is to be signed.
    Signed(Vec<u8>, Box<Signer>),
    /// The zone, message by message.
    Transfer(Box<Transfer>),
    /// What to send, signed where the request was; nothing when it is empty.
    Reply(Vec<u8>, Verdict),
}

/// Why a request has its reply without being answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The signature is not good (RFC 8945 §5.2).
    BadSignature,
    /// Whoever asks may not have the zone, or there is none.
    Denied,
    /// The SOA says all that a datagram can (RFC 1995 §2, §4): the serial of now, for the rest a stream is needed.
    Told,
}

/// Whether a transfer may be.
enum Access {
    /// None is asked for, or this is for others to refuse.
    Ordinary,
    Granted(Transfer),
    /// REFUSED, or NOTAUTH where the zone is another server's (RFC 5936 §2.2.1), or SERVFAIL while there is none at all.
    Denied(DomainRcode),
}

impl Grants {
    /// Whether nothing is granted and nobody has a key: nothing is ever looked at then.
    pub fn is_empty(&self) -> bool {
        self.grants.is_empty() && self.keys.is_empty()
    }

    /// Whether there is more to `request` than an answer: it is signed, or for a transfer. Allocates nothing.
    pub fn concern(&self, request: &[u8]) -> bool {
        !self.is_empty() && (asks_transfer(request) || (is_query(request) && is_signed(request)))
    }

    /// What comes of `request`, which these [concern](Self::concern), from `peer`. `now` is in seconds since 1970.
    pub fn receive(
        &self,
        snapshot: &Snapshot,
        (peer, carrier): (IpAddr, Carrier),
        request: &[u8],
        now: u64,
    ) -> Received {
        let (unsigned, mut signer) = match open(&self.keys, request, now) {
            Opened::Plain => (None, None),
            Opened::Signed(unsigned, signer) => (Some(unsigned), Some(signer)),
            Opened::Refused(reply) => return Received::Reply(reply, Verdict::BadSignature),
        };
        let plain = unsigned.as_deref().unwrap_or(request);
        match self.access(snapshot, (peer, carrier), plain, &mut signer) {
            Access::Ordinary => match (unsigned, signer) {
                (Some(unsigned), Some(signer)) => Received::Signed(unsigned, signer),
                _ => Received::Ordinary,
            },
            Access::Granted(mut transfer) if carrier == Carrier::Datagram => {
                Received::Reply(transfer.message(now).unwrap_or_default(), Verdict::Told)
            }
            Access::Granted(transfer) => Received::Transfer(Box::new(transfer)),
            Access::Denied(rcode) => {
                let reply = refusal(plain, signer.as_deref_mut(), rcode, now).unwrap_or_default();
                Received::Reply(reply, Verdict::Denied)
            }
        }
    }

    /// Whether `request`, without its signature, may have what it asks for. `signer` is whose signature it bore.
    fn access(
        &self,
        snapshot: &Snapshot,
        (peer, carrier): (IpAddr, Carrier),
        request: &[u8],
        signer: &mut Option<Box<Signer>>,
    ) -> Access {
        let mut qname = Qname::default();
        let Ok(query) = Query::read(request, &mut qname) else { return Access::Ordinary };
        let is_sound = query.qclass == CLASS_IN && query.edns.is_none_or(|edns| edns.version == 0);
        match (query.qtype, carrier) {
            _ if !is_sound => return Access::Ordinary,
            (Rtype::AXFR, Carrier::Stream) | (Rtype::IXFR, Carrier::Stream | Carrier::Datagram) => {}
            // RFC 5936 §4.2: AXFR by datagrams is not defined.
            _ => return Access::Ordinary,
        }
        let served = snapshot.zone_of(&qname, 0).filter(|served| served.zone.apex().as_wire() == qname.octets());
        let Some(served) = served else {
            // As a query is answered until anything has been loaded: the secondary is to come again.
            let rcode = if snapshot.is_ready() { DomainRcode::NOTAUTH } else { DomainRcode::SERVFAIL };
            return Access::Denied(rcode);
        };
        let signed_by = |key: &Name| signer.as_ref().is_some_and(|signer| signer.is(key));
        let peer = peer.to_canonical();
        let granted =
            self.grants.iter().any(|grant| grant.network.contains(peer) && grant.key.as_ref().is_none_or(signed_by));
        if !granted {
            return Access::Denied(DomainRcode::REFUSED);
        }
        let is_current = || asked_from(request).is_some_and(|serial| serial >= serial_of(&served.zone));
        let soa_alone = carrier == Carrier::Datagram || (query.qtype == Rtype::IXFR && is_current());
        let extent = if soa_alone { Extent::Soa } else { Extent::Whole };
        Transfer::new(request, signer.take(), Arc::clone(&served.zone), extent)
            .map_or(Access::Ordinary, Access::Granted)
    }
}

/// Whether it is no response: to answer those would start a loop.
fn is_query(request: &[u8]) -> bool {
    request.get(2).is_some_and(|flags| flags & 0x80 == 0)
}

/// The serial that an IXFR request has (RFC 1995 §3): that of the SOA in its authority section.
fn asked_from(request: &[u8]) -> Option<Serial> {
    let message = Message::from_octets(request).ok()?;
    let soa = message.authority().ok()?.limit_to::<Soa<_>>().next()?.ok()?;
    Some(soa.data().serial())
}

fn serial_of(zone: &Zone) -> Serial {
    Serial::from(zone.serial())
}
