//! What part of a pool's answers begins with which endpoint: what a query's walk comes to, over all queries of clients
//! of one class. It holds no query up: it is for whoever compares pools with each other.
//!
//! The first answer is what counts, since clients use that one first; how many follow it is the name's affair.

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use super::compiled::{LivePool, Pick};
use super::ranking::Ranking;
use super::schedule::Schedule;
use super::{EndpointId, Family, Live, Policy, PoolId, Pools, Target};
use crate::geo::{ClassId, Cut};

/// An endpoint's part of the answers of a pool.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Portion {
    /// The pool whose member it is.
    pub pool: PoolId,
    /// The endpoint.
    pub endpoint: EndpointId,
    /// Its part, over 0 and up to 1.
    pub part: f64,
}

/// What part of a pool's answers goes to which member.
type Parts = Rc<[(Target, f64)]>;

/// The pools of one zone in one family, under the verdicts of one moment.
#[derive(Debug)]
pub struct Portions<'p> {
    live: &'p Live,
    family: Family,
    /// By pool and class: what goes to which member. Many names come by the same pools.
    known: HashMap<(PoolId, u32), Parts>,
}

impl Policy {
    /// What tells its clients apart by their addresses, where something does. The networks of [`Policy::Hash`] fall
    /// into slots alike wherever they are.
    pub fn cut(&self) -> Option<Cut<'_>> {
        match self {
            Self::Geo(map) | Self::Nearest(map) => Some(Cut::Map(map)),
            Self::Latency(latency) => Some(Cut::Rtts(latency.map())),
            Self::RoundRobin | Self::Weighted | Self::LeastLoad | Self::Random | Self::Failover | Self::Hash(_) => None,
        }
    }
}

impl Pools {
    /// The pools that `root` reaches, itself included, parents before their children.
    pub fn reached(&self, root: PoolId) -> Vec<PoolId> {
        let mut ahead = std::collections::BTreeSet::from([root]);
        let mut reached = Vec::new();
        // Children stand before their parents.
        while let Some(pool) = ahead.pop_last() {
            reached.push(pool);
            ahead.extend(self.pools.get(pool.0 as usize).into_iter().flat_map(super::Pool::children));
        }
        reached
    }
}

impl<'p> Portions<'p> {
    /// Of the pools that are `live`.
    pub fn new(live: &'p Live, family: Family) -> Self {
        Self { live, family, known: HashMap::new() }
    }

    /// Every endpoint's part of the answers of `root`, for clients that are of the class `class` says in the pools that
    /// have a [`Policy::cut`]; in the order of pools and their members. None of a pool that is dead.
    pub fn of(&mut self, root: PoolId, class: impl Fn(PoolId) -> u32) -> Vec<Portion> {
        let mut ahead = BTreeMap::from([(root, 1.0)]);
        let mut portions = Vec::new();
        while let Some((pool, whole)) = ahead.pop_last() {
            for &(target, part) in self.members(pool, class(pool)).iter() {
                match target {
                    Target::Endpoint(endpoint) => portions.push(Portion { pool, endpoint, part: whole * part }),
                    Target::Pool(child) => *ahead.entry(child).or_insert(0.0) += whole * part,
                }
            }
        }
        portions
    }

    fn members(&mut self, id: PoolId, class: u32) -> Parts {
        let Self { live, family, known } = self;
        let parts = known.entry((id, class)).or_insert_with(|| {
            let Some(pool) = live.pool(*family, id).filter(|pool| pool.is_alive()) else { return Rc::default() };
            let whole = pool.branches.iter().zip(pool.parts(class));
            whole.filter(|(_, part)| *part > 0.0).map(|(branch, part)| (branch.target, part)).collect()
        });
        Rc::clone(parts)
    }
}

impl LivePool {
    /// The living members, in the operator's order.
    pub fn living(&self) -> impl Iterator<Item = Target> {
        self.branches.iter().map(|branch| branch.target)
    }

    /// The part of the first answers, 0 to 1, that each living member is to get; `None` where that depends on the client.
    /// Costs a walk through the turn.
    pub fn shares(&self) -> Option<Vec<(Target, f64)>> {
        let depends_on_client = matches!(self.pick, Pick::Ranked(_) | Pick::Mapped(_) | Pick::Banded(_));
        // Else all classes are alike.
        (!depends_on_client).then(|| self.living().zip(self.parts(0)).collect())
    }

    /// The part of the answers that begin with each branch of a pool that lives, for clients of a class.
    fn parts(&self, class: u32) -> Vec<f64> {
        let even = || vec![1.0 / self.branches.len() as f64; self.branches.len()];
        let only = |branch: usize| (0..self.branches.len()).map(|at| f64::from(u8::from(at == branch))).collect();
        let first_of = |mut ranked: Box<dyn Iterator<Item = u16> + '_>| {
            ranked.find_map(|number| self.branch_number(number)).unwrap_or(0)
        };
        match &self.pick {
            Pick::First => only(0),
            Pick::InTurn | Pick::AtRandom => even(),
            Pick::Scheduled(schedule) | Pick::Drifting(schedule) | Pick::Lots(schedule) => self.scheduled(schedule),
            Pick::Mapped(map) => only(first_of(Box::new(map.classes().get(ClassId(class)).iter().copied()))),
            Pick::Ranked(ranking) => self.ranked_parts(ranking),
            Pick::Banded(latency) => {
                let expected = latency.map().expected(ClassId(class));
                let mut parts = vec![0.0; self.branches.len()];
                for (number, part) in latency.band(expected, |member| self.stands(member)).parts() {
                    if let Some(slot) = self.branch_number(number).and_then(|at| parts.get_mut(at)) {
                        *slot += part;
                    }
                }
                // Nothing is expected of whoever lives.
                if parts.iter().all(|part| *part <= 0.0) {
                    return only(first_of(Box::new(expected.iter().map(|expected| expected.member))));
                }
                parts
            }
        }
    }

    fn branch_number(&self, number: u16) -> Option<usize> {
        self.branch(number)?;
        self.seat(number).map(|seat| usize::from(seat.branch))
    }

    fn scheduled(&self, schedule: &Schedule) -> Vec<f64> {
        let mut counts = vec![0_u32; self.branches.len()];
        for step in 0..schedule.len() {
            // A turn is at most 2²⁰ steps long.
            if let Some(count) = counts.get_mut(schedule.member(step as u32)) {
                *count += 1;
            }
        }
        counts.into_iter().map(|count| f64::from(count) / schedule.len() as f64).collect()
    }

    /// Of all slots, how many begin with which branch. Costs a look at each.
    fn ranked_parts(&self, ranking: &Ranking) -> Vec<f64> {
        let mut counts = vec![0_u32; self.branches.len()];
        for slot in 0..ranking.slots() {
            let admitted = |number: u16| self.seat(number).is_none_or(|seat| ranking.admits(slot, number, seat.share));
            let lives = |number: u16| self.branch(number).is_some();
            let ranked = ranking.slot_ranks(slot).iter().copied().filter(|&number| admitted(number));
            let first = ranked.into_iter().find(|&number| lives(number));
            let first = first.or_else(|| ranking.best(slot, |number| lives(number) && admitted(number)));
            let first = first.or_else(|| ranking.best(slot, lives));
            let branch = first.and_then(|number| self.branch_number(number)).unwrap_or(0);
            if let Some(count) = counts.get_mut(branch) {
                *count += 1;
            }
        }
        counts.into_iter().map(|count| f64::from(count) / ranking.slots() as f64).collect()
    }
}
