//! Telling a secondary that a zone has moved on (RFC 1996): the message and what counts as its answer. Who sends it,
//! and when again, is the server's.

use domain::base::iana::{Class, Opcode, Rcode};
use domain::base::name::Name as DomainName;
use domain::base::rdata::UnknownRecordData;
use domain::base::{Message, MessageBuilder, Rtype, Ttl};
use domain::rdata::tsig::Time48;
use domain::tsig::ClientTransaction;

use super::signing::Key;
use crate::wire::rtype::Rtype as Ours;
use crate::zone::Zone;

/// A notification on its way.
pub struct Notify {
    /// What to send.
    pub octets: Vec<u8>,
    id: u16,
    signed: Option<ClientTransaction<domain::tsig::Key>>,
}

impl Notify {
    /// A notification with this id that `zone` has its present serial, signed with `key` at `now`, in seconds since
    /// 1970. `None` only where a name of the zone were none.
    pub fn new(zone: &Zone, id: u16, key: Option<&Key>, now: u64) -> Option<Self> {
        let apex = DomainName::from_slice(zone.apex().as_wire()).ok()?;
        let mut builder = MessageBuilder::new_vec();
        builder.header_mut().set_id(id);
        builder.header_mut().set_opcode(Opcode::NOTIFY);
        builder.header_mut().set_aa(true);
        let mut section = builder.question();
        section.push((apex, Rtype::SOA)).ok()?;
        let mut section = section.answer();
        let set = zone.top().rrset(Ours::SOA)?;
        let mut rdata = Vec::new();
        set.records().next()?.write_in_full(zone.apex(), &mut rdata);
        let soa = UnknownRecordData::from_octets(Rtype::SOA, rdata).ok()?;
        section.push((apex, Class::IN, Ttl::from_secs(set.ttl), soa)).ok()?;
        let mut section = section.additional();
        let signed = match key {
            Some(key) => Some(ClientTransaction::request(key.loaded()?, &mut section, Time48::from_u64(now)).ok()?),
            None => None,
        };
        Some(Self { octets: section.finish(), id, signed })
    }

    /// Whether `response`, come at `now`, says that the notification has arrived. A secondary that answers with a
    /// code of error has heard it too; it would only say the same again.
    pub fn is_heard(&self, response: &[u8], now: u64) -> bool {
        let Ok(mut message) = Message::from_octets(response.to_vec()) else { return false };
        let header = message.header();
        let fits = header.qr() && header.id() == self.id && header.opcode() == Opcode::NOTIFY;
        match &self.signed {
            _ if !fits => false,
            // An answer that we are not believed may be unsigned (RFC 8945 §5.3.2).
            Some(_) if header.rcode() == Rcode::NOTAUTH => true,
            Some(signed) => signed.answer(&mut message, Time48::from_u64(now)).is_ok(),
            None => true,
        }
    }
}
