//! What one worker counts of its answers for the metrics, cell by cell.
//!
//! Written by that worker alone, by plain load and store, and read by anyone. As little as will do is counted for a query:
//! one cell by zone, type and code and one by what is told of the client, and for a balanced one a cell of each endpoint given
//! and one of its TTL; what the metrics show beyond that are sums of these. Over a reload that lays out other rows a worker
//! begins a new sheet, and the one before hangs on it until it is summed up: at a look, or at the next such reload.

use std::iter::repeat_with;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwapOption;

use super::Transport;
use super::client::Told;
use crate::policy::{EndpointId, Family};
use crate::snapshot::{Layout, Rows};
use crate::wire::header::Rcode;
use crate::wire::rtype::Rtype;

/// Codes that answers have; the last is BADVERS, which is 16 on the wire.
const RCODES: [Rcode; Rcode::ALL.len()] = Rcode::ALL;

/// Types that are counted by themselves; the first place is for all others.
const TYPES: [Option<Rtype>; 16] = [
    None,
    Some(Rtype::A),
    Some(Rtype::NS),
    Some(Rtype::CNAME),
    Some(Rtype::SOA),
    Some(Rtype::PTR),
    Some(Rtype::MX),
    Some(Rtype::TXT),
    Some(Rtype::AAAA),
    Some(Rtype::SRV),
    Some(Rtype::DS),
    Some(Rtype::DNSKEY),
    Some(Rtype::SVCB),
    Some(Rtype::HTTPS),
    Some(Rtype::ANY),
    Some(Rtype::CAA),
];

/// Where the cells of each type begin; CAA, 257, is the greatest.
const PLACES: [u8; 258] = {
    let mut places = [0; 258];
    let mut at = 1;
    while at < TYPES.len() {
        if let Some(rtype) = TYPES[at] {
            places[rtype.0 as usize] = (at * RCODES.len()) as u8;
        }
        at += 1;
    }
    places
};

/// Cells of a zone: by type, and by code within it.
const CELLS: usize = TYPES.len() * RCODES.len();

/// TTLs that are counted to the second, 0 to 4095; the last stands for all greater ones.
pub const TTLS: usize = 4096;

/// One row of zones. The codes of a type share a line of the cache.
#[repr(align(64))]
#[derive(Debug)]
struct Zone([AtomicU64; CELLS]);

impl Zone {
    const fn new() -> Self {
        Self([const { AtomicU64::new(0) }; CELLS])
    }
}

/// An endpoint's: for each family, answers in which it stood first and those in which it came behind.
type Endpoint = [AtomicU64; 2 * 2];

/// One worker's counts since it took up a layout.
// Apart from what other workers count, as its rows of zones are.
#[repr(align(128))]
#[derive(Debug)]
pub struct Sheet {
    layout: Arc<Layout>,
    zones: Box<[Zone]>,
    /// By transport, without UDP, which is what is left.
    streams: Box<[Zone; Transport::ALL.len() - 1]>,
    endpoints: Box<[Endpoint]>,
    ttls: Box<[AtomicU64; TTLS]>,
    /// Responses by what the client subnet was worth that their queries told.
    subnets: [AtomicU64; SUBNETS.len()],
    before: ArcSwapOption<Self>,
}

/// What client subnets are worth, in the order of the counters.
const SUBNETS: [&str; 4] = ["none", "usable", "useless", "opted-out"];

impl Sheet {
    /// An empty sheet of `layout`, after `before`.
    pub(super) fn new(layout: Arc<Layout>, before: Option<Arc<Self>>) -> Self {
        Self {
            zones: repeat_with(Zone::new).take(layout.zone_rows()).collect(),
            streams: Box::new([const { Zone::new() }; Transport::ALL.len() - 1]),
            endpoints: repeat_with(Endpoint::default).take(layout.endpoints().len()).collect(),
            ttls: Box::new([const { AtomicU64::new(0) }; TTLS]),
            subnets: Default::default(),
            before: ArcSwapOption::new(before),
            layout,
        }
    }

    /// What its rows stand for.
    pub fn layout(&self) -> &Arc<Layout> {
        &self.layout
    }

    /// The sheet before this one, which nobody writes any more; given once.
    pub fn take_before(&self) -> Option<Arc<Self>> {
        self.before.swap(None)
    }

    /// A response with `rcode`, to a question of the type `qtype` in the zone of `row`, for a client of which this is
    /// `told`.
    #[inline]
    pub(super) fn count_response(&self, row: u32, transport: Transport, qtype: Rtype, rcode: Rcode, told: Told) {
        bump(
            &self.subnets[match told {
                Told::Nothing => 0,
                Told::Subnet => 1,
                Told::Useless { .. } => 2,
                Told::OptedOut => 3,
            }],
        );
        let place = PLACES.get(usize::from(qtype.0)).copied().unwrap_or_default();
        let cell = (usize::from(place) + code(rcode)) % CELLS;
        // First the stream: whoever has read a zone's count finds no fewer of its streams then.
        if let Some(stream) = self.streams.get((transport as usize).wrapping_sub(1)) {
            bump(&stream.0[cell]);
        }
        if let Some(zone) = self.zones.get(row as usize) {
            bump(&zone.0[cell]);
        }
    }

    /// A balanced answer of a zone with `rows`, for `ttl` seconds. What it gives is still to be counted.
    #[inline]
    pub(super) fn count_balanced(&self, rows: Rows, family: Family, ttl: u32) -> Giving<'_> {
        bump(&self.ttls[(ttl as usize).min(TTLS - 1)]);
        let endpoints = rows.first_endpoint().and_then(|first| self.endpoints.get(first..)).unwrap_or_default();
        Giving { endpoints, cell: 2 * family as usize }
    }

    /// Responses by zone, type (`None` for the others) and code, of each row that there is.
    pub fn responses(&self) -> impl Iterator<Item = (usize, Cells)> {
        self.zones.iter().map(Cells::of).enumerate()
    }

    /// How many answers had each code.
    pub(super) fn answers(&self) -> impl Iterator<Item = (Rcode, u64)> {
        let mut all = Cells::default();
        self.responses().for_each(|(_, cells)| all.add(&cells));
        let of_code = move |(at, rcode)| (rcode, all.0.iter().skip(at).step_by(RCODES.len()).sum());
        RCODES.into_iter().enumerate().map(of_code)
    }

    /// The same of each transport but UDP, over all rows. To be read after those: what is counted in a row is counted here
    /// by then.
    pub fn stream_responses(&self) -> impl Iterator<Item = (Transport, Cells)> {
        Transport::ALL.into_iter().skip(1).zip(self.streams.iter().map(Cells::of))
    }

    /// Of each row of endpoints: for each family, answers in which it stood first and those in which it came behind.
    pub fn given(&self) -> impl Iterator<Item = [[u64; 2]; 2]> {
        let families =
            |[v4, v4_behind, v6, v6_behind]: &Endpoint| [[v4, v4_behind].map(read), [v6, v6_behind].map(read)];
        self.endpoints.iter().map(families)
    }

    /// Balanced answers by their TTL.
    pub fn ttls(&self) -> impl Iterator<Item = u64> {
        self.ttls.iter().map(read)
    }

    /// Responses by what the client subnet was worth that their queries told.
    pub fn subnets(&self) -> impl Iterator<Item = (&'static str, u64)> {
        SUBNETS.into_iter().zip(self.subnets.iter().map(read))
    }
}

/// Counts the endpoints of one answer while it is composed, which takes no loop of its own.
#[derive(Debug, Default)]
pub(super) struct Giving<'s> {
    /// Those of the zone, by number, and of whatever comes behind it; none where nothing is counted.
    endpoints: &'s [Endpoint],
    /// Which of an endpoint's cells is its next.
    cell: usize,
}

impl Giving<'_> {
    /// One more is given: the first, or one behind it.
    #[inline]
    pub(super) fn count(&mut self, id: EndpointId) {
        if let Some(cells) = self.endpoints.get(id.0 as usize) {
            bump(&cells[self.cell % cells.len()]);
        }
        self.cell |= 1;
    }
}

/// Responses by type and code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cells([u64; CELLS]);

impl Default for Cells {
    fn default() -> Self {
        Self([0; CELLS])
    }
}

impl Cells {
    fn of(zone: &Zone) -> Self {
        Self(zone.0.each_ref().map(read))
    }

    /// Adds `other`.
    pub fn add(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(sum, more)| *sum += more);
    }

    /// What is left without `other`; nothing where that is more.
    #[must_use]
    pub fn without(mut self, other: &Self) -> Self {
        self.0.iter_mut().zip(&other.0).for_each(|(sum, less)| *sum = sum.saturating_sub(*less));
        self
    }

    /// Each type (`None` for the others) and code with its count, where there is one.
    pub fn counts(&self) -> impl Iterator<Item = (Option<Rtype>, Rcode, u64)> {
        let cells = TYPES.iter().flat_map(|&rtype| RCODES.iter().map(move |&rcode| (rtype, rcode)));
        cells.zip(&self.0).filter(|&(_, &count)| count > 0).map(|((rtype, rcode), &count)| (rtype, rcode, count))
    }
}

/// The place of a code in [`RCODES`]: only BADVERS is not where the wire has it.
fn code(rcode: Rcode) -> usize {
    usize::from(rcode as u16).min(RCODES.len() - 1)
}

fn read(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Acquire)
}

/// Nobody else writes it. One instruction, without a lock, where the machine adds to memory.
fn bump(counter: &AtomicU64) {
    counter.store(counter.load(Ordering::Relaxed).wrapping_add(1), Ordering::Release);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_and_type_has_its_place() {
        for (at, rcode) in RCODES.into_iter().enumerate() {
            assert_eq!(code(rcode), at, "{rcode:?}");
        }
        for (at, rtype) in TYPES.into_iter().enumerate().skip(1) {
            let rtype = rtype.expect("only the first is for the others");
            assert_eq!(usize::from(PLACES[usize::from(rtype.0)]), at * RCODES.len(), "{rtype}");
        }
        assert_eq!(PLACES.iter().filter(|&&place| place > 0).count(), TYPES.len() - 1);
    }
}
