//! `latency`: the least expected round-trip time for the client's network, and all that come near it share.
//!
//! The *band* of a client is its fastest living member and every other living one that takes longer by no more than
//! the pool's tolerance. They share by weight, drawn for each query: bands differ from client to client, so there is
//! no common turn that a cursor could keep. Weight 0 is a last resort within the band.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::compiled::{LivePool, Pick, Standing};
use crate::geo::{Expected, RttMap};
use crate::moment::Moment;
use crate::random::Random;

/// The most that a tolerance is. A second more is felt wherever it is spent.
pub const TOLERANCE_MAX: Duration = Duration::from_secs(1);

/// What a pool that goes by latency needs beside its members.
#[derive(Clone, Debug)]
pub struct Latency {
    map: RttMap,
    tolerance_ms: u16,
    /// By member.
    weights: Box<[u32]>,
}

/// The living members that share a client, the first so many of what is expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Band {
    /// How many of the client's list are as fast as the band is: the dead are among them, and the living may be
    /// none. What lies behind was not looked at.
    pub consulted: usize,
    /// How many of those live.
    pub living: u32,
    /// What those weigh in all.
    pub weight: u64,
    /// The soonest moment at which the band could change.
    pub flip: Moment,
}

impl Latency {
    /// A pool of members that weigh `weights`, in their order; a tolerance is counted in whole milliseconds, up to
    /// [`TOLERANCE_MAX`].
    pub fn new(map: RttMap, tolerance: Duration, weights: impl IntoIterator<Item = u32>) -> Self {
        let tolerance_ms = u16::try_from(tolerance.min(TOLERANCE_MAX).as_millis()).unwrap_or(u16::MAX);
        Self { map, tolerance_ms, weights: weights.into_iter().collect() }
    }

    /// What is expected of the members for the client at `address`, the fastest first, and how many bits of the
    /// address that depends on.
    pub fn expected(&self, address: IpAddr) -> (&[Expected], u8) {
        let found = self.map.lookup(address);
        (self.map.expected(found.class), found.bits)
    }

    /// How much longer than the best a member of the band may take.
    pub const fn tolerance_ms(&self) -> u16 {
        self.tolerance_ms
    }

    /// The band among the `expected` members as they stand in `pool`. The dead that would be in it, or would make a
    /// faster one, count for the flip: they might come back.
    pub fn band(&self, pool: &LivePool, expected: &[Expected]) -> Band {
        let mut band = Band { consulted: 0, living: 0, weight: 0, flip: Moment::NEVER };
        let mut limit = u16::MAX;
        for Expected { rtt_ms, member } in expected {
            if *rtt_ms > limit {
                break;
            }
            band.consulted += 1;
            let Some(seat) = pool.seat(*member) else { continue };
            band.flip = band.flip.min(seat.flip);
            if pool.branch(*member).is_some() {
                limit = limit.min(rtt_ms.saturating_add(self.tolerance_ms));
                band.living += 1;
                band.weight += u64::from(self.weight(*member));
            }
        }
        band
    }

    /// One of the band, in proportion to weight; any of them alike where all weigh 0.
    pub(super) fn draw(&self, pool: &LivePool, expected: &[Expected], band: &Band, random: &mut Random) -> Option<u16> {
        let mut living = expected.iter().take(band.consulted).map(|expected| expected.member);
        let mut left = match (band.living, band.weight) {
            // Where there is no choice there is no draw.
            (0 | 1, _) => 0,
            (living, 0) => random.below(living.into()),
            (_, weight) => random.below(weight),
        };
        let even = band.weight == 0;
        living.find(|&member| {
            if pool.branch(member).is_none() {
                return false;
            }
            let weight = if even { 1 } else { u64::from(self.weight(member)) };
            let drawn = left < weight || band.living == 1;
            left = left.saturating_sub(weight);
            drawn
        })
    }

    fn weight(&self, member: u16) -> u32 {
        self.weights.get(usize::from(member)).copied().unwrap_or(1)
    }
}

/// The living members; which of them are near is the query's affair.
pub(super) fn compile(members: &[Standing], latency: &Arc<Latency>) -> LivePool {
    LivePool::ranked(members, Pick::Banded(Arc::clone(latency)))
}
