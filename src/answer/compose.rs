//! Writes a response: header, question, sections, OPT; cut at the limit, by whole record sets.

use std::net::IpAddr;

use super::Transport;
use super::explanation::Explanation;
use super::opt::Opt;
use crate::wire::edns::{PAYLOAD, PAYLOAD_LEAST};
use crate::wire::header::{AA, HEADER_OCTETS, Rcode, TC};
use crate::wire::name::Name;
use crate::wire::octets::copy;
use crate::wire::query::{CLASS_CHAOS, CLASS_IN, Query};
use crate::wire::rtype::Rtype;
use crate::zone::{Hinted, IPV4HINT, IPV6HINT, Record, Rrset, Zone};

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
    /// What goes into the OPT record, if there is one.
    opt: Option<Opt<'q>>,
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

/// Where an answer of records that are put together one by one begins.
#[derive(Clone, Copy)]
pub(super) struct SetStart {
    at: usize,
    count: u16,
}

/// Octets of a record between its owner and its rdata: type, class, TTL, length.
const FIXED_OCTETS: usize = 10;

/// What records of one owner, type and TTL begin with, as it is written.
struct Head<'n> {
    /// Of the owner, before its pointer.
    labels: &'n [u8],
    /// The owner's pointer, type and class.
    fixed: [u8; 6],
    ttl: [u8; 4],
}

#[derive(Clone, Copy)]
enum Section {
    Answer = 0,
    Authority = 1,
    Additional = 2,
}

impl<'b, 'q> Composer<'b, 'q> {
    /// Begins the response to `query` with its question; `None` when not even that has room. `opt` is what its OPT
    /// record is to hold, if the query has one.
    #[inline(always)] // As large as it is, it has one caller; called, it costs some 40 instructions more.
    pub(super) fn start(
        octets: &'b mut [u8],
        query: &Query<'_>,
        transport: Transport,
        opt: Option<Opt<'q>>,
    ) -> Option<Self> {
        let limit = match (transport, query.edns.as_ref()) {
            (Transport::Tcp | Transport::Tls | Transport::Https | Transport::Http3 | Transport::Quic, _) => {
                usize::from(u16::MAX)
            }
            (Transport::Udp, None) => usize::from(PAYLOAD_LEAST),
            // RFC 6891 §6.2.3: less than 512 is taken as 512.
            (Transport::Udp, Some(edns)) => usize::from(edns.payload.clamp(PAYLOAD_LEAST, PAYLOAD)),
        };
        let room = opt.as_ref().map_or(0, Opt::room);
        let end = octets.len().min(limit).checked_sub(room)?;
        let at = HEADER_OCTETS + query.question.len();
        if at > end {
            return None;
        }
        copy(octets.get_mut(HEADER_OCTETS..at)?, query.question);
        Some(Self {
            octets,
            at,
            end,
            counts: [0; 3],
            flags: query.header.response_flags(),
            name_at: HEADER_OCTETS,
            apex_at: HEADER_OCTETS,
            rdata_at: 0,
            opt,
        })
    }

    /// The answer comes from the zone at `apex`; the qname, of `name_octets`, ends in it.
    pub(super) fn enter_zone(&mut self, name_octets: usize, apex: &Name) {
        self.apex_at = self.name_at + name_octets - apex.as_wire().len();
    }

    /// The answer depended on so many bits of the client's subnet: see [`Opt::announce`].
    pub(super) fn announce(&mut self, scope: u8) {
        if let Some(opt) = &mut self.opt {
            opt.announce(scope);
        }
    }

    /// There is more, by TCP.
    pub(super) fn truncate(&mut self) {
        self.flags |= TC;
    }

    /// Says why the answer is what it is, to those who can be told.
    pub(super) fn explain(&mut self, explanation: &'static Explanation) {
        if let Some(opt) = &mut self.opt {
            opt.explain(explanation);
        }
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
        let [v4, v6] = [Rtype::A, Rtype::AAAA].map(|rtype| self.head(Owner::Suffix(0), rtype, ttl));
        for address in addresses {
            let written = match address {
                IpAddr::V4(address) => self.put(&v4, &address.octets()),
                IpAddr::V6(address) => self.put(&v6, &address.octets()),
            };
            if written.is_none() {
                self.cut_back(start);
                self.counts[0] = count;
                return;
            }
            self.counts[0] += 1;
        }
    }

    /// Begins a set of records that are put together one by one.
    pub(super) fn start_of_set(&self) -> SetStart {
        SetStart { at: self.at, count: self.counts[Section::Answer as usize] }
    }

    /// Adds a record with these address hints, by family, to the set that began at `start`; without any of a family,
    /// there is no such hint. Says whether it fitted; the whole set is cut otherwise.
    pub(super) fn answer_hinted(
        &mut self,
        start: SetStart,
        rtype: Rtype,
        record: &Hinted<'_>,
        hints: [impl Iterator<Item = IpAddr>; 2],
    ) -> bool {
        if self.flags & TC == 0 && self.hinted(rtype, record, hints).is_some() {
            self.counts[Section::Answer as usize] += 1;
            return true;
        }
        self.cut_back(start.at);
        self.counts[Section::Answer as usize] = start.count;
        false
    }

    /// Gives every record since `start` its TTL, in seconds.
    pub(super) fn finish_set(&mut self, start: SetStart, ttl: u32) {
        // An owner that is a pointer, type and class; the TTL; the length and what it counts.
        const TTL_AT: usize = 2 + 2 + 2;
        let mut records = self.octets.get_mut(start.at..self.at).unwrap_or_default();
        while let Some((head, rest)) = records.split_first_chunk_mut::<{ 2 + FIXED_OCTETS }>() {
            head[TTL_AT..TTL_AT + 4].copy_from_slice(&ttl.to_be_bytes());
            let length = usize::from(u16::from_be_bytes([head[TTL_AT + 4], head[TTL_AT + 5]]));
            records = rest.get_mut(length..).unwrap_or_default();
        }
    }

    fn hinted(&mut self, rtype: Rtype, record: &Hinted<'_>, [v4, v6]: [impl Iterator<Item = IpAddr>; 2]) -> Option<()> {
        let rdata_at = self.record(Owner::Suffix(0), rtype, 0, record.head)?;
        self.hint(IPV4HINT, v4)?;
        self.append(record.middle)?;
        self.hint(IPV6HINT, v6)?;
        self.append(record.tail)?;
        // It lies before `end`, so it is shorter than a message.
        self.patch(rdata_at - 2, (self.at - rdata_at) as u16);
        Some(())
    }

    /// One parameter: key, length, addresses (RFC 9460 §7.3: at least one).
    fn hint(&mut self, key: u16, addresses: impl Iterator<Item = IpAddr>) -> Option<()> {
        let start = self.at;
        for address in addresses {
            if self.at == start {
                let [k, y] = key.to_be_bytes();
                self.append(&[k, y, 0, 0])?;
            }
            match address {
                IpAddr::V4(address) => self.append(&address.octets())?,
                IpAddr::V6(address) => self.append(&address.octets())?,
            }
        }
        if self.at > start {
            self.patch(start + 2, (self.at - start - 4) as u16);
        }
        Some(())
    }

    /// Appends to the record that was written last; `None` when it does not fit.
    fn append(&mut self, octets: &[u8]) -> Option<()> {
        let after = self.at + octets.len();
        if after > self.end {
            return None;
        }
        self.octets.get_mut(self.at..after)?.copy_from_slice(octets);
        self.at = after;
        Some(())
    }

    /// Answers with one TXT record of class CHAOS and TTL 0 (RFC 4892).
    pub(super) fn answer_chaos(&mut self, text: &[u8]) {
        let mut rdata = [0; 256];
        let Ok(length) = u8::try_from(text.len()) else { return };
        let (head, body) = rdata.split_at_mut(1);
        head[0] = length;
        body[..text.len()].copy_from_slice(text);
        let start = self.at;
        let written = self.record(Owner::Suffix(0), Rtype::TXT, 0, &rdata[..=text.len()]);
        let class = start + 4..start + 6;
        match (written, self.octets.get_mut(class)) {
            (Some(_), Some(class)) => {
                class.copy_from_slice(&CLASS_CHAOS.to_be_bytes());
                self.counts[Section::Answer as usize] += 1;
            }
            _ => self.cut_back(start),
        }
    }

    /// A set fits whole or not at all; what does not fit sets TC (RFC 2181 §9).
    fn set(&mut self, section: Section, owner: Owner<'_>, set: Rrset<'_>, ttl: u32, rotation: usize) -> bool {
        if self.flags & TC != 0 {
            return false;
        }
        let start = self.at;
        let head = self.head(owner, set.rtype, ttl);
        let whole = match rotation {
            0 => self.records(&head, set.records()),
            _ => self.rotated(&head, set, rotation),
        };
        if whole.is_none() {
            self.cut_back(start);
            return false;
        }
        self.counts[section as usize] += set.count;
        true
    }

    /// Writes the records of `set` from number `rotation` on and around; `None` at the first that does not fit.
    #[inline(never)] // So that the rest, which are most, save no registers for it.
    fn rotated(&mut self, head: &Head<'_>, set: Rrset<'_>, rotation: usize) -> Option<()> {
        // Two loops rather than one over a chain, which asks at each record where it is.
        self.records(head, set.records().skip(rotation))?;
        self.records(head, set.records().take(rotation))
    }

    /// Writes `records`, each behind `head`; `None` at the first that does not fit.
    #[inline(always)] // A loop of its own for each caller.
    fn records<'z>(&mut self, head: &Head<'_>, records: impl Iterator<Item = Record<'z>>) -> Option<()> {
        for record in records {
            let rdata_at = self.put(head, record.rdata)?;
            for pointer in record.apex_pointers() {
                self.point(rdata_at + pointer, self.apex_at);
            }
            self.rdata_at = rdata_at;
        }
        Some(())
    }

    fn cut_back(&mut self, start: usize) {
        self.at = start;
        self.flags |= TC;
    }

    /// Writes one record and says where its rdata stands; `None` when it does not fit.
    fn record(&mut self, owner: Owner<'_>, rtype: Rtype, ttl: u32, rdata: &[u8]) -> Option<usize> {
        let head = self.head(owner, rtype, ttl);
        self.put(&head, rdata)
    }

    /// What records of one owner, type and TTL begin with.
    #[inline(always)]
    fn head<'n>(&self, owner: Owner<'n>, rtype: Rtype, ttl: u32) -> Head<'n> {
        let (labels, pointer) = match owner {
            Owner::Apex => (&[][..], self.apex_at),
            Owner::Suffix(from) => (&[][..], self.name_at + from),
            Owner::BeforeApex(labels) => (labels, self.apex_at),
        };
        let [p, q] = (0xc000 | pointer as u16).to_be_bytes();
        let [t, y] = rtype.0.to_be_bytes();
        let [c, l] = CLASS_IN.to_be_bytes();
        Head { labels, fixed: [p, q, t, y, c, l], ttl: ttl.to_be_bytes() }
    }

    /// Writes one record and says where its rdata stands; `None` when it does not fit.
    #[inline(always)] // For a set it is the body of a loop, of which a call would be a third.
    fn put(&mut self, Head { labels, fixed, ttl }: &Head<'_>, rdata: &[u8]) -> Option<usize> {
        let rdata_at = self.at + labels.len() + 2 + FIXED_OCTETS;
        let after = rdata_at + rdata.len();
        if after > self.end {
            return None;
        }
        let mut target = self.octets.get_mut(self.at..after)?;
        if !labels.is_empty() {
            let name;
            (name, target) = target.split_at_mut_checked(labels.len())?;
            name.copy_from_slice(labels);
        }
        let (head, body) = target.split_first_chunk_mut::<{ 2 + FIXED_OCTETS }>()?;
        copy(body, rdata);
        let [p, q, t, y, c, l] = *fixed;
        let [a, b, d, e] = *ttl;
        let [r, n] = (rdata.len() as u16).to_be_bytes();
        *head = [p, q, t, y, c, l, a, b, d, e, r, n];
        self.at = after;
        Some(rdata_at)
    }

    /// Fills in a compression pointer. Targets are in the question or in the rdata of an alias right behind it,
    /// so they are far below the 14 bits that a pointer has.
    fn point(&mut self, at: usize, target: usize) {
        self.patch(at, 0xc000 | target as u16);
    }

    fn patch(&mut self, at: usize, number: u16) {
        if let Some(slot) = self.octets.get_mut(at..at + 2) {
            slot.copy_from_slice(&number.to_be_bytes());
        }
    }

    /// Adds the OPT record and the header, and says how long the response is.
    pub(super) fn finish(&mut self, query: &Query<'_>, code: Rcode) -> usize {
        let rcode = code as u16;
        let mut additional = self.counts[Section::Additional as usize];
        if let Some(opt) = &self.opt {
            let end = self.end + opt.room();
            let written =
                self.octets.get_mut(self.at..end).and_then(|rest| opt.write(rest, self.at, (rcode >> 4) as u8));
            if let Some(octets) = written {
                self.at += octets;
                additional += 1;
            }
        }
        // A failure or a refusal is nobody's authority.
        if matches!(code, Rcode::ServFail | Rcode::Refused) {
            self.flags &= !AA;
        }
        let [i, d] = query.header.id.to_be_bytes();
        let [f, g] = (self.flags | rcode & 0xf).to_be_bytes();
        // A request for a cookie has no question.
        let questions = u8::from(!query.question.is_empty());
        let [a, n] = self.counts[Section::Answer as usize].to_be_bytes();
        let [u, s] = self.counts[Section::Authority as usize].to_be_bytes();
        let [x, y] = additional.to_be_bytes();
        if let Some(header) = self.octets.first_chunk_mut::<HEADER_OCTETS>() {
            *header = [i, d, f, g, 0, questions, a, n, u, s, x, y];
        }
        self.at
    }
}
