//! What a thread of the data plane keeps from one query to the next.

use std::mem;
use std::sync::Arc;
use std::time::Duration;

use super::client::Told;
use super::counters::Counters;
use super::rate::{Limiter, RateLimits};
use super::sheet::Sheet;
use super::{Outcome, Transport};
use crate::policy::{Cursor, Picks};
use crate::random::Random;
use crate::snapshot::{Layout, NO_ZONE, Snapshot};
use crate::wire::qname::Qname;
use crate::wire::rtype::Rtype;

/// Where the rotation of static address sets is kept: this many sets apart, by hash. Two sets that share a place
/// only turn each other further; 4,096 of them are 16 KiB, half of a core's first cache.
const ROTATIONS: usize = 4096;

/// The state of one thread. Not shared: a query takes no lock and writes no line that another core reads.
///
/// Its witness hears how answers come about; `()`, which every worker of a server has, hears nothing.
#[derive(Debug)]
pub struct Worker<W = ()> {
    pub(super) qname: Qname,
    pub(super) picks: Picks,
    pub(super) cursors: Vec<Cursor>,
    pub(super) random: Random,
    rotations: Box<[u32]>,
    layout: Option<u64>,
    pub(super) counters: Arc<Counters>,
    /// What it counts for the metrics; nothing, where nobody shows them.
    pub(super) sheet: Option<Arc<Sheet>>,
    /// The row of the zone that is answered from.
    pub(super) row: u32,
    /// The type that is asked for; 0 where the request cannot be read.
    pub(super) qtype: Rtype,
    /// What is told of the client.
    pub(super) told: Told,
    /// How long its streams may be idle, in units of 100 ms.
    pub(super) keepalive: Option<u16>,
    /// What it may send by UDP; everything, where there is none.
    pub(super) limiter: Option<Box<Limiter>>,
    /// What the answer was made from, as a [`Class`](super::rate::Class) counts it.
    pub(super) place: u64,
    pub(super) witness: W,
}

impl Worker {
    /// A worker that counts into `counters`, which nobody else may count into, and draws what follows from `seed`.
    pub fn new(counters: Arc<Counters>, seed: u64) -> Self {
        Self::with_witness(counters, seed, ())
    }
}

impl<W> Worker<W> {
    /// A worker whose answers `witness` hears of.
    pub fn with_witness(counters: Arc<Counters>, seed: u64, witness: W) -> Self {
        Self {
            qname: Qname::default(),
            picks: Picks::default(),
            cursors: Vec::new(),
            random: Random::new(seed),
            rotations: vec![0; ROTATIONS].into(),
            layout: None,
            counters,
            sheet: None,
            row: NO_ZONE,
            qtype: Rtype(0),
            told: Told::Nothing,
            keepalive: None,
            limiter: None,
            place: 0,
            witness,
        }
    }

    /// The same, of streams that may be idle for so long: to be told to clients that ask (RFC 7828 §3.1), in tenths
    /// of a second, of which there are at most 65,535.
    #[must_use]
    pub fn idle(self, idle: Duration) -> Self {
        Self { keepalive: Some(u16::try_from(idle.as_millis() / 100).unwrap_or(u16::MAX)), ..self }
    }

    /// The same, one of `workers` on one address that keep these limits together. What is counted by follows from
    /// `seed`.
    #[must_use]
    pub fn limited(self, limits: &RateLimits, workers: usize, seed: u64) -> Self {
        let workers = u32::try_from(workers).unwrap_or(u32::MAX);
        let limiter = limits.limit_anything().then(|| Box::new(Limiter::new(limits, workers, seed)));
        Self { limiter, ..self }
    }

    /// Who hears of its answers.
    pub fn witness(&self) -> &W {
        &self.witness
    }

    /// The same, to be read out or made to forget.
    pub fn witness_mut(&mut self) -> &mut W {
        &mut self.witness
    }

    /// Has this worker do `work` in the place of `other`: with its turns, its draws, its limits and its counters, which
    /// it has back afterwards. So one query in many is heard by a witness, and the rest are answered by code that knows
    /// of none. Costs the exchange of some pointers; nothing is copied, and what only one query needs stays where it is.
    pub fn stand_in<V, R>(&mut self, other: &mut Worker<V>, work: impl FnOnce(&mut Self) -> R) -> R {
        self.exchange(other);
        let done = work(self);
        self.exchange(other);
        done
    }

    /// Exchanges all that lasts from one query to the next.
    fn exchange<V>(&mut self, other: &mut Worker<V>) {
        // Field by field, so that a new one is not forgotten.
        let Self {
            qname: _,
            picks: _,
            cursors,
            random,
            rotations,
            layout,
            counters,
            sheet,
            row: _,
            qtype: _,
            told: _,
            keepalive,
            limiter,
            place: _,
            witness: _,
        } = self;
        mem::swap(cursors, &mut other.cursors);
        mem::swap(random, &mut other.random);
        mem::swap(rotations, &mut other.rotations);
        mem::swap(layout, &mut other.layout);
        mem::swap(counters, &mut other.counters);
        mem::swap(sheet, &mut other.sheet);
        mem::swap(keepalive, &mut other.keepalive);
        mem::swap(limiter, &mut other.limiter);
    }

    /// Makes room for what `snapshot` needs. To be called whenever the snapshot is another one, between queries:
    /// this is where a worker allocates. Turns go on over a change of verdicts and over a reload of other zones.
    pub fn adopt(&mut self, snapshot: &Snapshot) {
        if self.layout != Some(snapshot.layout()) {
            self.layout = Some(snapshot.layout());
            self.cursors.clear();
        }
        if self.cursors.len() < snapshot.cursors() {
            self.cursors.resize(snapshot.cursors(), Cursor::default());
        }
        let counted = self.sheet.as_ref().map(|sheet| Arc::as_ptr(sheet.layout()));
        if counted != snapshot.rows().map(Arc::as_ptr) {
            self.count_by(snapshot.rows());
        }
    }

    /// How far to rotate a static set of `count` records this time: 0 to `count` − 1, each in turn.
    pub(super) fn rotation(&mut self, node: u32, rtype: Rtype, count: u16) -> usize {
        let place = (node ^ u32::from(rtype.0)).wrapping_mul(0x9e37_79b9) as usize >> 20;
        let Some(turn) = self.rotations.get_mut(place % ROTATIONS) else { return 0 };
        let now = *turn;
        *turn = now.wrapping_add(1);
        (now % u32::from(count.max(1))) as usize
    }

    /// Counts what became of the request that was answered last: in one place, by zone and type for the metrics if there
    /// are any.
    #[inline]
    pub(super) fn count(&self, transport: Transport, outcome: Outcome) {
        match (&self.sheet, outcome) {
            (Some(sheet), Outcome::Answered(rcode)) => {
                sheet.count_response(self.row, transport, self.qtype, rcode, self.told);
            }
            _ => self.counters.add(outcome),
        }
    }

    /// Takes up another layout of counters, or none.
    fn count_by(&mut self, layout: Option<&Arc<Layout>>) {
        let before = self.sheet.take();
        self.sheet = layout.map(|layout| Arc::new(Sheet::new(Arc::clone(layout), before.clone())));
        self.counters.take_up(self.sheet.clone(), before.as_deref());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rotation_comes_in_turn() {
        let mut worker = Worker::new(Arc::default(), 1);
        let turns: Vec<_> = (0..4).map(|_| worker.rotation(7, Rtype::A, 3)).collect();
        assert_eq!(turns, [0, 1, 2, 0]);
    }
}
