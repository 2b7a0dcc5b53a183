//! Writes a response: header, question, sections, OPT; cut at the limit, by whole record sets.

use std::net::IpAddr;

use super::Transport;
use crate::wire::ecs::{ECS, SCOPE_AT};
use crate::wire::edns::{OPT_OCTETS, PAYLOAD, PAYLOAD_LEAST};
use crate::wire::header::{AA, HEADER_OCTETS, Rcode, TC};
use crate::wire::name::Name;
use crate::wire::query::{CLASS_IN, Query};
use crate::wire::rtype::Rtype;
use crate::zone::{Rrset, Zone};

/// A response in progress.
pub(super) struct Composer<'b, 'q> {
    octets: &'b mut [u8],
    at: usize,
    /// Where records must end; the OPT record's room is already taken off.
    end: usize,
    counts: [u16; 3],
    flags: u16,
    /// Where the name that is being answered for stands in the message.
    name_at: usize,
    /// Where the zone's apex stands in the message: the end of the question's name.
    apex_at: usize,
    /// Where the rdata of the last answer began.
    rdata_at: usize,
    /// The client subnet option as it came, to be given back with a scope.
    ecs: Option<&'q [u8]>,
    scope: u8,
}

/// Whose record it is.
#[derive(Clone, Copy)]
pub(super) enum Owner<'n> {
    /// The zone's apex.
    Apex,
    /// The name that is being answered for, from this octet of it on.
    Suffix(usize),
    /// These labels, then the apex.
    BeforeApex(&'n [u8]),
}

/// Octets of an EDNS option before its data: code and length.
const OPTION_OCTETS: usize = 4;

/// Octets of a record between its owner and its rdata: type, class, TTL, length.
const FIXED_OCTETS: usize = 10;

#[derive(Clone, Copy)]
enum Section {
    Answer = 0,
    Authority = 1,
    Additional = 2,
}

impl<'b, 'q> Composer<'b, 'q> {
    /// Begins the response to `query` with its question; `None` when not even that has room.
    pub(super) fn start(octets: &'b mut [u8], query: &Query<'q>, transport: Transport) -> Option<Self> {
        let limit = match (transport, query.edns) {
            (Transport::Stream, _) => usize::from(u16::MAX),
            (Transport::Datagram, None) => usize::from(PAYLOAD_LEAST),
            // RFC 6891 §6.2.3: less than 512 is taken as 512.
            (Transport::Datagram, Some(edns)) => usize::from(edns.payload.clamp(PAYLOAD_LEAST, PAYLOAD)),
        };
        let ecs = query.edns.and_then(|edns| edns.ecs);
        let opt = match (query.edns, ecs) {
            (None, _) => 0,
            (Some(_), None) => OPT_OCTETS,
            (Some(_), Some(ecs)) => OPT_OCTETS + OPTION_OCTETS + ecs.len(),
        };
        let end = octets.len().min(limit).checked_sub(opt)?;
        let at = HEADER_OCTETS + query.question.len();
        if at > end {
            return None;
        }
        octets.get_mut(HEADER_OCTETS..at)?.copy_from_slice(query.question);
        Some(Self {
            octets,
            at,
            end,
            counts: [0; 3],
            flags: query.header.response_flags(),
            name_at: HEADER_OCTETS,
            apex_at: HEADER_OCTETS,
            rdata_at: 0,
            ecs,
            scope: 0,
        })
    }

    /// The answer comes from the zone at `apex`; the qname, of `name_octets`, ends in it.
    pub(super) fn enter_zone(&mut self, name_octets: usize, apex: &Name) {
        self.apex_at = self.name_at + name_octets - apex.as_wire().len();
    }

    /// The answer depended on so many bits of the client's subnet (RFC 7871 §7.2.1); 0 where this is never said.
    /// Of a chain of aliases, the most that any part of it depended on.
    pub(super) fn announce(&mut self, scope: u8) {
        self.scope = self.scope.max(scope);
    }

    /// What follows is from the zone's own authority.
    pub(super) fn authoritative(&mut self) {
        self.flags |= AA;
    }

    /// The name that is being answered for is now the target of the alias that was written last.
    pub(super) fn follow_alias(&mut self) {
        self.name_at = self.rdata_at;
    }

    /// Answers with `set`, from its record number `rotation` on and around. Says whether it fitted.
    pub(super) fn answer_set(&mut self, set: Rrset<'_>, rotation: usize) -> bool {
        self.set(Section::Answer, Owner::Suffix(0), set, set.ttl, rotation)
    }

    /// Answers with `set` under another owner. Says whether it fitted.
    pub(super) fn answer_owned(&mut self, owner: Owner<'_>, set: Rrset<'_>) -> bool {
        self.set(Section::Answer, owner, set, set.ttl, 0)
    }

    /// Answers with an alias to `target`, a name in full. Says whether it fitted.
    pub(super) fn answer_alias(&mut self, ttl: u32, target: &[u8]) -> bool {
        let start = self.at;
        match self.record(Owner::Suffix(0), Rtype::CNAME, ttl, target) {
            Some(rdata_at) => {
                self.rdata_at = rdata_at;
                self.counts[Section::Answer as usize] += 1;
                true
            }
            None => {
                self.cut_back(start);
                false
            }
        }
    }

    /// Adds `set` to the authority section.
    pub(super) fn authority_set(&mut self, owner: Owner<'_>, set: Rrset<'_>, ttl: u32) {
        self.set(Section::Authority, owner, set, ttl, 0);
    }

    /// NXDOMAIN or NODATA: the SOA record, whose TTL says how long to believe it (RFC 2308 §3).
    pub(super) fn deny(&mut self, zone: &Zone, ttl: u32) {
        if let Some(soa) = zone.top().rrset(Rtype::SOA) {
            self.authority_set(Owner::Apex, soa, ttl);
        }
    }

    /// Adds `set` to the additional section.
    pub(super) fn additional_set(&mut self, owner: Owner<'_>, set: Rrset<'_>) {
        self.set(Section::Additional, owner, set, set.ttl, 0);
    }

    /// Answers with one address record each.
    pub(super) fn answer_addresses(&mut self, ttl: u32, addresses: impl Iterator<Item = IpAddr>) {
        let (start, count) = (self.at, self.counts[0]);
        for address in addresses {
            let written = match address {
                IpAddr::V4(address) => self.record(Owner::Suffix(0), Rtype::A, ttl, &address.octets()),
                IpAddr::V6(address) => self.record(Owner::Suffix(0), Rtype::AAAA, ttl, &address.octets()),
            };
            if written.is_none() {
                self.cut_back(start);
                self.counts[0] = count;
                return;
            }
            self.counts[0] += 1;
        }
    }

    /// A set fits whole or not at all; what does not fit sets TC (RFC 2181 §9).
    fn set(&mut self, section: Section, owner: Owner<'_>, set: Rrset<'_>, ttl: u32, rotation: usize) -> bool {
        if self.flags & TC != 0 {
            return false;
        }
        let start = self.at;
        let (first, then) = (set.records().skip(rotation), set.records().take(rotation));
        for record in first.chain(then) {
            let Some(rdata_at) = self.record(owner, set.rtype, ttl, record.rdata) else {
                self.cut_back(start);
                return false;
            };
            for pointer in record.apex_pointers() {
                self.point(rdata_at + pointer, self.apex_at);
            }
            self.rdata_at = rdata_at;
        }
        self.counts[section as usize] += set.count;
        true
    }

    fn cut_back(&mut self, start: usize) {
        self.at = start;
        self.flags |= TC;
    }

    /// Writes one record and says where its rdata stands; `None` when it does not fit.
    fn record(&mut self, owner: Owner<'_>, rtype: Rtype, ttl: u32, rdata: &[u8]) -> Option<usize> {
        let (labels, pointer) = match owner {
            Owner::Apex => (&[][..], self.apex_at),
            Owner::Suffix(from) => (&[][..], self.name_at + from),
            Owner::BeforeApex(labels) => (labels, self.apex_at),
        };
        let owner_octets = labels.len() + 2;
        let rdata_at = self.at + owner_octets + FIXED_OCTETS;
        let after = rdata_at + rdata.len();
        if after > self.end {
            return None;
        }
        let target = self.octets.get_mut(self.at..after)?;
        let (head, body) = target.split_at_mut_checked(owner_octets + FIXED_OCTETS)?;
        body.copy_from_slice(rdata);
        let (name, head) = head.split_at_mut_checked(labels.len())?;
        name.copy_from_slice(labels);
        let head: &mut [u8; 2 + FIXED_OCTETS] = head.first_chunk_mut()?;
        let [p, q] = (0xc000 | pointer as u16).to_be_bytes();
        let [t, y] = rtype.0.to_be_bytes();
        let [c, l] = CLASS_IN.to_be_bytes();
        let [a, b, d, e] = ttl.to_be_bytes();
        let [r, n] = (rdata.len() as u16).to_be_bytes();
        *head = [p, q, t, y, c, l, a, b, d, e, r, n];
        self.at = after;
        Some(rdata_at)
    }

    /// Fills in a compression pointer. Targets are in the question or in the rdata of an alias right behind it,
    /// so they are far below the 14 bits that a pointer has.
    fn point(&mut self, at: usize, target: usize) {
        if let Some(slot) = self.octets.get_mut(at..at + 2) {
            slot.copy_from_slice(&(0xc000 | target as u16).to_be_bytes());
        }
    }

    /// Adds the OPT record and the header, and says how long the response is.
    pub(super) fn finish(mut self, query: &Query<'_>, code: Rcode) -> usize {
        let rcode = code as u16;
        let mut additional = self.counts[Section::Additional as usize];
        if let Some(edns) = query.edns
            && self.write_opt(edns.dnssec_ok, (rcode >> 4) as u8).is_some()
        {
            additional += 1;
        }
        // A failure or a refusal is nobody's authority.
        if matches!(code, Rcode::ServFail | Rcode::Refused) {
            self.flags &= !AA;
        }
        let [i, d] = query.header.id.to_be_bytes();
        let [f, g] = (self.flags | rcode & 0xf).to_be_bytes();
        let [a, n] = self.counts[Section::Answer as usize].to_be_bytes();
        let [u, s] = self.counts[Section::Authority as usize].to_be_bytes();
        let [x, y] = additional.to_be_bytes();
        if let Some(header) = self.octets.first_chunk_mut::<HEADER_OCTETS>() {
            *header = [i, d, f, g, 0, 1, a, n, u, s, x, y];
        }
        self.at
    }

    /// The OPT record, whose room [`Composer::start`] left.
    fn write_opt(&mut self, dnssec_ok: bool, rcode_above: u8) -> Option<()> {
        let options = self.ecs.map_or(0, |ecs| OPTION_OCTETS + ecs.len());
        let opt = self.octets.get_mut(self.at..self.at + OPT_OCTETS + options)?;
        let (head, option) = opt.split_first_chunk_mut::<OPT_OCTETS>()?;
        let [t, y] = Rtype::OPT.0.to_be_bytes();
        let [s, z] = PAYLOAD.to_be_bytes();
        let [r, n] = (options as u16).to_be_bytes();
        *head = [0, t, y, s, z, rcode_above, 0, if dnssec_ok { 0x80 } else { 0 }, 0, r, n];
        if let Some(ecs) = self.ecs {
            let (head, data) = option.split_first_chunk_mut::<OPTION_OCTETS>()?;
            let [c, o] = ECS.to_be_bytes();
            let [l, e] = (ecs.len() as u16).to_be_bytes();
            *head = [c, o, l, e];
            data.copy_from_slice(ecs);
            *data.get_mut(SCOPE_AT)? = self.scope;
        }
        self.at += OPT_OCTETS + options;
        Some(())
    }
}
