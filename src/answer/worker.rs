//! What a thread of the data plane keeps from one query to the next.

use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::rate::{Limiter, RateLimits};
use super::{Outcome, Reason};
use crate::policy::{Cursor, Picks};
use crate::random::Random;
use crate::snapshot::Snapshot;
use crate::wire::cookie::Proof;
use crate::wire::header::Rcode;
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
    generation: Option<u64>,
    pub(super) counters: Arc<Counters>,
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
            generation: None,
            counters,
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
            generation,
            counters,
            keepalive,
            limiter,
            place: _,
            witness: _,
        } = self;
        mem::swap(cursors, &mut other.cursors);
        mem::swap(random, &mut other.random);
        mem::swap(rotations, &mut other.rotations);
        mem::swap(generation, &mut other.generation);
        mem::swap(counters, &mut other.counters);
        mem::swap(keepalive, &mut other.keepalive);
        mem::swap(limiter, &mut other.limiter);
    }

    /// Makes room for what `snapshot` needs. To be called whenever the snapshot is another one, between queries:
    /// this is where a worker allocates. Turns go on over a change of verdicts and begin anew with a reload.
    pub fn adopt(&mut self, snapshot: &Snapshot) {
        if self.generation != Some(snapshot.generation()) {
            self.generation = Some(snapshot.generation());
            self.cursors.clear();
            self.cursors.resize(snapshot.cursors(), Cursor::default());
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

    pub(super) fn count(&self, outcome: Outcome) {
        self.counters.add(outcome);
    }
}

/// How many requests of one worker came to what. Written by that worker alone, read by anyone: an addition is a
/// plain load and store.
#[derive(Debug, Default)]
pub struct Counters {
    outcomes: [AtomicU64; OUTCOMES.len()],
    /// Cookies, by what they prove.
    cookies: [AtomicU64; COOKIES.len()],
    /// Answers that went out truncated, by why.
    withheld: [AtomicU64; WITHHELD.len()],
}

/// Why an answer went out truncated that had room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Withheld {
    /// It was over the limit of responses, and slipped.
    Rate,
    /// It was too large for whoever has not shown where it is.
    Unproven,
}

/// Every reason, in the order of the counters.
const WITHHELD: [(Withheld, &str); 2] =
    [(Withheld::Rate, "truncated-rate-limited"), (Withheld::Unproven, "truncated-unproven")];

/// Every proof, in the order of the counters.
const COOKIES: [(Proof, &str); 2] = [(Proof::Given, "cookies-proven"), (Proof::Missing, "cookies-unproven")];

/// Every outcome, in the order of the counters.
const OUTCOMES: [(Outcome, &str); 12] = [
    (Outcome::Answered(Rcode::NoError), "noerror"),
    (Outcome::Answered(Rcode::NxDomain), "nxdomain"),
    (Outcome::Answered(Rcode::Refused), "refused"),
    (Outcome::Answered(Rcode::ServFail), "servfail"),
    (Outcome::Answered(Rcode::FormErr), "formerr"),
    (Outcome::Answered(Rcode::NotImp), "notimp"),
    (Outcome::Answered(Rcode::BadVers), "badvers"),
    (Outcome::Answered(Rcode::YxDomain), "yxdomain"),
    (Outcome::Dropped(Reason::Short), "dropped-short"),
    (Outcome::Dropped(Reason::Response), "dropped-response"),
    (Outcome::Dropped(Reason::NoRoom), "dropped-no-room"),
    (Outcome::Dropped(Reason::RateLimited), "dropped-rate-limited"),
];

impl Counters {
    fn add(&self, outcome: Outcome) {
        let at = match outcome {
            Outcome::Answered(Rcode::NoError) => 0,
            Outcome::Answered(Rcode::NxDomain) => 1,
            Outcome::Answered(Rcode::Refused) => 2,
            Outcome::Answered(Rcode::ServFail) => 3,
            Outcome::Answered(Rcode::FormErr) => 4,
            Outcome::Answered(Rcode::NotImp) => 5,
            Outcome::Answered(Rcode::BadVers) => 6,
            Outcome::Answered(Rcode::YxDomain) => 7,
            Outcome::Dropped(Reason::Short) => 8,
            Outcome::Dropped(Reason::Response) => 9,
            Outcome::Dropped(Reason::NoRoom) => 10,
            Outcome::Dropped(Reason::RateLimited) => 11,
        };
        bump(&self.outcomes[at]);
    }

    pub(super) fn add_cookie(&self, proof: Proof) {
        bump(&self.cookies[usize::from(proof == Proof::Missing)]);
    }

    pub(super) fn add_withheld(&self, why: Withheld) {
        bump(&self.withheld[why as usize]);
    }

    /// Each outcome's name and count, then those of the cookies and of the truncated answers among them.
    pub fn read(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let outcomes = OUTCOMES.iter().map(|(_, name)| *name).zip(&self.outcomes);
        let cookies = COOKIES.iter().map(|(_, name)| *name).zip(&self.cookies);
        let withheld = WITHHELD.iter().map(|(_, name)| *name).zip(&self.withheld);
        outcomes.chain(cookies).chain(withheld).map(|(name, counter)| (name, counter.load(Ordering::Relaxed)))
    }
}

fn bump(counter: &AtomicU64) {
    counter.store(counter.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_outcome_has_its_counter() {
        for (outcome, name) in OUTCOMES {
            let counters = Counters::default();
            counters.add(outcome);
            let counted: Vec<_> = counters.read().filter(|&(_, count)| count > 0).collect();
            assert_eq!(counted, [(name, 1)]);
        }
        for (why, name) in WITHHELD {
            let counters = Counters::default();
            counters.add_withheld(why);
            let counted: Vec<_> = counters.read().filter(|&(_, count)| count > 0).collect();
            assert_eq!(counted, [(name, 1)]);
        }
    }

    #[test]
    fn each_rotation_comes_in_turn() {
        let mut worker = Worker::new(Arc::default(), 1);
        let turns: Vec<_> = (0..4).map(|_| worker.rotation(7, Rtype::A, 3)).collect();
        assert_eq!(turns, [0, 1, 2, 0]);
    }
}
