//! The records of a zone as the messages of a transfer (RFC 5936 §2.2): the SOA, all else, the SOA again.

use std::fmt;
use std::sync::Arc;

use domain::base::iana::{Class, Rcode, Rtype as DomainRtype};
use domain::base::message_builder::{AnswerBuilder, HashCompressor};
use domain::base::name::Name as DomainName;
use domain::base::rdata::UnknownRecordData;
use domain::base::{Message, MessageBuilder, Ttl};

use super::signing::{Signer, put_opt, refusal};
use crate::wire::name::Name;
use crate::wire::rtype::Rtype;
use crate::zone::{Rrset, Zone};

/// Octets of a message, at the most. A record that is answered by TCP has room in one that holds nothing else: the question
/// is no longer than there, and owners are compressed against it.
const MESSAGE_OCTETS_MAX: usize = u16::MAX as usize;

/// Octets of an OPT record without options, which only the first message has: that holds the SOA at least.
const OPT_OCTETS: usize = 11;

/// Octets of a signature, at the most: the longest key name, the longest signature and the record around them (RFC 8945
/// §4.2). A record that leaves no room for it can be transferred only to whoever does not sign.
const SIGNATURE_OCTETS_MAX: usize = 255 + 64 + 61;

/// The messages of one transfer, made as they are asked for. Holds the zone as it was when the transfer began.
pub struct Transfer {
    request: Message<Vec<u8>>,
    signer: Option<Box<Signer>>,
    zone: Arc<Zone>,
    next: Next,
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// The SOA, and then everything or nothing.
    First(Extent),
    /// The records of the owner at this place, from this one on.
    Owner {
        place: u32,
        record: usize,
    },
    /// The SOA that says it was all.
    Last,
    Nothing,
    /// A record that no message holds: the rest cannot be sent.
    Broken,
}

/// How much of a zone is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    /// All of it.
    Whole,
    /// The SOA alone, to whoever has that serial already (RFC 1995 §4).
    Soa,
}

impl Transfer {
    pub(super) fn new(request: &[u8], signer: Option<Box<Signer>>, zone: Arc<Zone>, extent: Extent) -> Option<Self> {
        let request = Message::from_octets(request.to_vec()).ok()?;
        Some(Self { request, signer, zone, next: Next::First(extent) })
    }

    /// What is transferred, for the log.
    pub fn zone(&self) -> &Zone {
        &self.zone
    }

    /// Whether everything has been given out. When it has not and no message comes any more, the zone holds a record
    /// that fits no message; whoever receives it must not take what came for the zone.
    pub fn is_complete(&self) -> bool {
        self.next == Next::Nothing
    }

    /// Instead of the zone, that there is no room for it now: SERVFAIL, after which a secondary tries again. Nothing
    /// when it is empty.
    /// `now` as in [`Self::message`].
    pub fn give_up(mut self, now: u64) -> Vec<u8> {
        refusal(self.request.as_slice(), self.signer.as_deref_mut(), Rcode::SERVFAIL, now).unwrap_or_default()
    }

    /// Puts the record at `next` into `section`; false when there is no room, and nothing was put in.
    fn put(&mut self, section: &mut Section) -> Option<bool> {
        match self.next {
            Next::First(extent) => {
                let fits = self.put_soa(section)?;
                if fits {
                    self.next = match extent {
                        Extent::Whole => Next::Owner { place: 0, record: 0 },
                        Extent::Soa => Next::Nothing,
                    };
                }
                Some(fits)
            }
            Next::Owner { place, record } => {
                let Some((owner, node, next)) = self.zone.owner(place) else {
                    self.next = Next::Last;
                    return Some(true);
                };
                let is_apex = place == 0;
                let sets = node.rrsets().filter(|set| !(is_apex && set.rtype == Rtype::SOA));
                let records = sets.flat_map(|set| set.records().map(move |record| (set, record)));
                for (record, (set, data)) in records.enumerate().skip(record) {
                    let mut rdata = Vec::with_capacity(data.rdata.len());
                    data.write_in_full(self.zone.apex(), &mut rdata);
                    if !push(section, &owner, set, &rdata)? {
                        self.next = Next::Owner { place, record };
                        return Some(false);
                    }
                }
                self.next = Next::Owner { place: next, record: 0 };
                Some(true)
            }
            Next::Last => {
                let fits = self.put_soa(section)?;
                if fits {
                    self.next = Next::Nothing;
                }
                Some(fits)
            }
            Next::Nothing | Next::Broken => Some(false),
        }
    }

    fn put_soa(&self, section: &mut Section) -> Option<bool> {
        let set = self.zone.top().rrset(Rtype::SOA)?;
        let mut rdata = Vec::new();
        set.records().next()?.write_in_full(self.zone.apex(), &mut rdata);
        push(section, self.zone.apex(), set, &rdata)
    }

    /// The next message, each of which holds a record at least; `None` when there is none any more. It is signed at `now`,
    /// in seconds since 1970: a client may take longer over a zone than a signature is good for.
    pub fn message(&mut self, now: u64) -> Option<Vec<u8>> {
        let before = self.next;
        if matches!(before, Next::Nothing | Next::Broken) {
            return None;
        }
        let message = self.compose(now);
        if message.is_none() || self.next == before {
            self.next = Next::Broken;
            return None;
        }
        message
    }

    fn compose(&mut self, now: u64) -> Option<Vec<u8>> {
        let is_first = matches!(self.next, Next::First(_));
        let mut builder = MessageBuilder::from_target(HashCompressor::new(Vec::new())).ok()?;
        let opt = if is_first { OPT_OCTETS } else { 0 };
        let signature = if self.signer.is_some() { SIGNATURE_OCTETS_MAX } else { 0 };
        // The first length that is too much.
        builder.set_push_limit(MESSAGE_OCTETS_MAX + 1 - opt - signature);
        let mut section = builder.start_answer(&self.request, Rcode::NOERROR).ok()?;
        section.header_mut().set_aa(true);
        while !matches!(self.next, Next::Nothing | Next::Broken) && self.put(&mut section)? {}
        let mut section = section.additional();
        section.clear_push_limit();
        // RFC 5936 §2.2.5: in the first at the least.
        if is_first {
            put_opt(&self.request, &mut section)?;
        }
        if let Some(signer) = &mut self.signer {
            signer.finish(&mut section, now)?;
        }
        Some(section.finish().into_target())
    }
}

type Section = AnswerBuilder<HashCompressor<Vec<u8>>>;

/// Whether the record fitted; `None` when a name in it is none, which the zone's reader has ruled out.
fn push(section: &mut Section, owner: &Name, set: Rrset<'_>, rdata: &[u8]) -> Option<bool> {
    let owner = DomainName::from_slice(owner.as_wire()).ok()?;
    let rdata = UnknownRecordData::from_octets(DomainRtype::from_int(set.rtype.0), rdata).ok()?;
    Some(section.push((owner, Class::IN, Ttl::from_secs(set.ttl), rdata)).is_ok())
}

impl fmt::Debug for Transfer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Transfer({}, {:?})", self.zone.apex(), self.next)
    }
}
