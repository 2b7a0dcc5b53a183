//! A query's walk through the live pools: endpoints in order of preference.
//!
//! It reads [`Live`], moves the cursors of the worker that asks and nothing else: no lock, no allocation, and a
//! cost that depends on the answers given and the pools passed through, not on how many members those have.

use super::band::Latency;
use super::client::Client;
use super::compiled::{Branch, LivePool, Pick};
use super::family::Family;
use super::live::Live;
use super::witness::{How, Witness};
use super::{ANSWERS_MAX, Answers, EndpointId, Pool, PoolId, Pools, Target};
use crate::geo::Found;
use crate::moment::Moment;
use crate::random::Random;

/// The most that [`Answers::EachMember`] comes to.
pub const EACH_MEMBER_MAX: usize = 8;

/// Pools and endpoints looked at for one query, at most. Reached only when many pools share the same few
/// addresses: each living branch otherwise adds an answer, and there are at most [`ANSWERS_MAX`].
const VISITS_MAX: u32 = 4 * ANSWERS_MAX as u32;

/// Pools with turns that one query remembers to have met. A pool behind so many that is met twice moves on twice.
const STEPPED_MAX: usize = 32;

/// How far a worker is in a pool's turn, on behalf of one name and one family.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cursor {
    version: u32,
    step: u32,
}

/// What a worker lends to one choice, and for whom it is made.
#[derive(Debug)]
pub struct Hand<'w, W> {
    /// The cursors of this name and family, one for each pool from `low` on. May be short, or empty: a pool
    /// without a cursor starts every turn at its beginning.
    pub cursors: &'w mut [Cursor],
    /// The pool that the first cursor is for.
    pub low: PoolId,
    /// Draws for `random`.
    pub random: &'w mut Random,
    /// For whom.
    pub client: &'w Client,
    /// Who hears of it.
    pub witness: &'w mut W,
}

/// Which view of the pools a query walks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// What lives.
    Living,
    /// What last lived.
    LastGood,
}

/// Endpoints chosen, best first.
#[derive(Clone, Debug)]
pub struct Picks {
    ids: [EndpointId; ANSWERS_MAX],
    /// Of each, the first endpoint that gives the same.
    alike: [EndpointId; ANSWERS_MAX],
    /// A bit for each of those by the last six bits of its number: where it is not set, that one is not among them.
    met: u64,
    count: usize,
    flip: Moment,
    scope: u8,
    /// Pools whose turn this choice has taken: a second visit is part of the same turn.
    stepped: [PoolId; STEPPED_MAX],
    stepped_count: usize,
}

impl Default for Picks {
    fn default() -> Self {
        Self {
            ids: [EndpointId(0); ANSWERS_MAX],
            alike: [EndpointId(0); ANSWERS_MAX],
            met: 0,
            count: 0,
            flip: Moment::NEVER,
            scope: 0,
            stepped: [PoolId(0); STEPPED_MAX],
            stepped_count: 0,
        }
    }
}

impl Picks {
    /// The endpoints, best first, no address twice.
    pub fn endpoints(&self) -> &[EndpointId] {
        &self.ids[..self.count]
    }

    /// Forgets what was chosen.
    pub fn clear(&mut self) {
        (self.count, self.met, self.flip, self.scope, self.stepped_count) = (0, 0, Moment::NEVER, 0, 0);
    }

    /// Takes the endpoints back; what the choice depended on stays.
    pub fn withdraw(&mut self) {
        (self.count, self.met) = (0, 0);
    }

    /// Also depends on what `flip` and `scope` another choice had, which this one followed from.
    pub fn follow_from(&mut self, flip: Moment, scope: u8) {
        (self.flip, self.scope) = (self.flip.min(flip), self.scope.max(scope));
    }

    /// The soonest moment at which this choice could change, over everything that was consulted.
    pub fn flip(&self) -> Moment {
        self.flip
    }

    /// Whether `pool` takes a step of its turn for the first time in this choice.
    fn step_first(&mut self, pool: PoolId) -> bool {
        if self.stepped.iter().take(self.stepped_count).any(|&stepped| stepped == pool) {
            return false;
        }
        if let Some(slot) = self.stepped.get_mut(self.stepped_count) {
            *slot = pool;
            self.stepped_count += 1;
        }
        true
    }

    /// How many bits of the client's address this choice depended on, over every pool that was consulted; 0 when
    /// anybody would have got it. At most [`Client::scope_max`].
    pub fn scope(&self) -> u8 {
        self.scope
    }
}

/// What a query wants of the pools.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Want {
    /// The name's pool.
    pub root: PoolId,
    /// Which addresses.
    pub family: Family,
    /// How many.
    pub answers: Answers,
    /// Of which view.
    pub view: View,
}

/// Chooses the endpoints that `want` says into `picks`. None are chosen when the pool is dead in that view.
pub fn choose<W: Witness>(pools: &Pools, live: &Live, want: Want, hand: Hand<'_, W>, picks: &mut Picks) {
    picks.clear();
    let mut walk = Walk { pools, live, want, hand, visits_left: VISITS_MAX, picks };
    match want.answers {
        Answers::EachMember => walk.each_member(want.root, EACH_MEMBER_MAX),
        Answers::Best(count) => walk.best(want.root, usize::from(count).min(ANSWERS_MAX)),
        Answers::Spread(count) => walk.spread(want.root, usize::from(count).min(ANSWERS_MAX)),
    }
}

struct Walk<'a, W> {
    pools: &'a Pools,
    live: &'a Live,
    want: Want,
    hand: Hand<'a, W>,
    visits_left: u32,
    picks: &'a mut Picks,
}

impl<'a, W: Witness> Walk<'a, W> {
    /// One answer from each member of `root` in turn, up to `most`.
    fn each_member(&mut self, root: PoolId, most: usize) {
        let Some(pool) = self.enter(root) else { return };
        self.each_branch(root, pool, |walk, branch| {
            walk.visit(root, branch, walk.picks.count + 1);
            walk.picks.count < most
        });
    }

    /// One answer from each member of `root`, then the best of the rest, until there are `wanted`.
    fn spread(&mut self, root: PoolId, wanted: usize) {
        self.each_member(root, wanted);
        if self.picks.count < wanted {
            self.best(root, wanted);
        }
    }

    /// The best answers from `pool`, until there are `wanted` in all.
    fn best(&mut self, id: PoolId, wanted: usize) {
        let Some(pool) = self.enter(id) else { return };
        self.each_branch(id, pool, |walk, branch| {
            walk.visit(id, branch, wanted);
            walk.picks.count < wanted && walk.visits_left > 0
        });
    }

    #[inline(always)] // Two callers, each in a loop of its own.
    fn visit(&mut self, pool: PoolId, branch: &Branch, wanted: usize) {
        self.hand.witness.took(pool, branch.target);
        self.visits_left = self.visits_left.saturating_sub(1);
        self.picks.flip = self.picks.flip.min(branch.flip);
        match branch.target {
            Target::Endpoint(endpoint) => self.push(endpoint),
            Target::Pool(pool) => self.best(pool, wanted),
        }
    }

    fn enter(&mut self, id: PoolId) -> Option<&'a LivePool> {
        let pool = self.live.pool(self.want.family, id)?;
        self.picks.flip = self.picks.flip.min(pool.flip);
        let pool = match self.want.view {
            View::Living => Some(pool),
            View::LastGood => pool.last_good(),
        };
        if pool.is_none_or(|pool| !pool.is_alive()) {
            self.hand.witness.consulted(id, How::Dead);
        }
        pool
    }

    /// Hands the branches of `pool` to `take`, the one whose turn it is first, for as long as it says to go on.
    fn each_branch(&mut self, id: PoolId, pool: &'a LivePool, mut take: impl FnMut(&mut Self, &Branch) -> bool) {
        if !pool.is_alive() {
            return;
        }
        let first = match &pool.pick {
            Pick::First => {
                self.hand.witness.consulted(id, How::First);
                0
            }
            Pick::InTurn => self.step(id, pool, pool.branches.len()) as usize,
            Pick::Scheduled(schedule) | Pick::Drifting(schedule) => {
                schedule.member(self.step(id, pool, schedule.len()))
            }
            Pick::AtRandom => {
                self.hand.witness.consulted(id, How::Drawn);
                self.hand.random.below(pool.branches.len() as u64) as usize
            }
            Pick::Lots(schedule) => {
                self.hand.witness.consulted(id, How::Drawn);
                // A turn is at most 2²⁰ steps long.
                schedule.member(self.hand.random.below(schedule.len() as u64) as u32)
            }
            Pick::Mapped(map) => {
                let Found { class, bits } = map.lookup(self.hand.client.folded());
                self.hand.witness.consulted(id, How::Class { class, bits });
                return self.each_ranked(pool, map.classes().get(class).iter().copied(), bits, || 0, take);
            }
            Pick::Banded(latency) => return self.each_banded(id, pool, latency, take),
            Pick::Ranked(ranking) => {
                let (ranked, slot, bits) = ranking.ranked(self.hand.client.folded());
                self.hand.witness.consulted(id, How::Slot { slot, bits });
                // One in its slow start is for its part of the slots; in the others it comes behind all the rest.
                let admitted =
                    |number: u16| pool.seat(number).is_none_or(|seat| ranking.admits(slot, number, seat.share));
                let ranked = ranked.iter().copied().filter(|&number| admitted(number));
                let remains =
                    |number: u16| pool.branch(number).is_some() && !ranked.clone().any(|ranked| ranked == number);
                let next = || {
                    let best = ranking.best(slot, |number| remains(number) && admitted(number));
                    let best = best.or_else(|| ranking.best(slot, remains)).and_then(|number| pool.seat(number));
                    best.map_or(0, |seat| usize::from(seat.branch))
                };
                return self.each_ranked(pool, ranked.clone(), bits, next, take);
            }
        };
        let (before, after) = pool.branches.split_at_checked(first).unwrap_or((&[], &pool.branches));
        for branch in after.iter().chain(before) {
            if !take(self, branch) {
                return;
            }
        }
    }

    /// Hands the living of the `ranked` members to `take`, then the rest, from the branch that `next` says. What was met
    /// of the dead counts for the TTL too: it might come back.
    fn each_ranked(
        &mut self,
        pool: &'a LivePool,
        ranked: impl Iterator<Item = u16> + Clone,
        bits: u8,
        next: impl FnOnce() -> usize,
        mut take: impl FnMut(&mut Self, &Branch) -> bool,
    ) {
        self.picks.scope = self.picks.scope.max(bits.min(self.hand.client.scope_max()));
        let mut taken = 0;
        for number in ranked.clone() {
            let Some(seat) = pool.seat(number) else { continue };
            self.picks.flip = self.picks.flip.min(seat.flip);
            if let Some(branch) = pool.branch(number) {
                if !take(self, branch) {
                    return;
                }
                taken += 1;
            }
        }
        if taken == pool.branches.len() {
            return;
        }
        // A branch that is gone through twice would answer for two members.
        let was_ranked = |branch| {
            ranked.clone().any(|number| pool.branch(number).is_some_and(|ranked| std::ptr::eq(ranked, branch)))
        };
        let (before, after) = pool.branches.split_at_checked(next()).unwrap_or((&[], &pool.branches));
        for branch in after.iter().chain(before) {
            if !was_ranked(branch) && !take(self, branch) {
                return;
            }
        }
    }

    /// Hands one of the client's band to `take`, then the rest of what is expected, the fastest first, and those of
    /// whom nothing is.
    fn each_banded(
        &mut self,
        id: PoolId,
        pool: &'a LivePool,
        latency: &Latency,
        take: impl FnMut(&mut Self, &Branch) -> bool,
    ) {
        let (expected, bits) = latency.expected(self.hand.client.folded());
        self.hand.witness.consulted(id, How::Expected { bits });
        let band = latency.band(expected, |member| pool.stands(member));
        self.picks.flip = self.picks.flip.min(band.flip);
        let first = band.draw(self.hand.random);
        let rest = expected.iter().map(|expected| expected.member).filter(move |&member| Some(member) != first);
        self.each_ranked(pool, first.into_iter().chain(rest), bits, || 0, take);
    }

    fn cursor(&mut self, id: PoolId) -> Option<&mut Cursor> {
        self.hand.cursors.get_mut(id.0.wrapping_sub(self.hand.low.0) as usize)
    }

    /// The step of `pool`'s turn, `steps` long, that this query is, however often it comes by; the next query gets
    /// the next.
    fn step(&mut self, id: PoolId, pool: &LivePool, steps: usize) -> u32 {
        let is_new = self.picks.step_first(id);
        let Some(cursor) = self.cursor(id) else { return 0 };
        if is_new {
            if cursor.version != pool.version || cursor.step as usize >= steps {
                *cursor = Cursor { version: pool.version, step: 0 };
            }
            cursor.step += 1;
        }
        let step = cursor.step.saturating_sub(1);
        self.hand.witness.consulted(id, How::Turn { step, steps });
        step
    }

    fn push(&mut self, endpoint: EndpointId) {
        let picks = &mut *self.picks;
        let alike = self.pools.first_alike(endpoint);
        let bit = 1 << (alike.0 % u64::BITS);
        // Most are the first of their bit, and need not be compared with each that was chosen: 50 instructions fewer for
        // four answers, 11 more for one.
        if picks.met & bit != 0 && picks.alike.iter().take(picks.count).any(|&chosen| chosen == alike) {
            return;
        }
        picks.met |= bit;
        if let (Some(slot), Some(slot_alike)) = (picks.ids.get_mut(picks.count), picks.alike.get_mut(picks.count)) {
            (*slot, *slot_alike) = (endpoint, alike);
            picks.count += 1;
        }
    }
}

impl Pools {
    /// The lowest pool that `root` reaches, itself included: with `root`, the range that a name's cursors span.
    pub fn lowest(&self, root: PoolId) -> PoolId {
        let mut reached = vec![false; root.0 as usize + 1];
        let mut lowest = root.0;
        reached[root.0 as usize] = true;
        // Children stand before their parents, so one pass from the root down reaches everything.
        for id in (0..=root.0).rev() {
            if !reached[id as usize] {
                continue;
            }
            lowest = id;
            for child in self.pools.get(id as usize).into_iter().flat_map(Pool::children) {
                if let Some(slot) = reached.get_mut(child.0 as usize) {
                    *slot = true;
                }
            }
        }
        PoolId(lowest)
    }
}

impl Pool {
    /// The endpoints among its members.
    pub fn endpoints(&self) -> impl Iterator<Item = EndpointId> {
        self.members.iter().filter_map(|member| match member.target {
            Target::Endpoint(endpoint) => Some(endpoint),
            Target::Pool(_) => None,
        })
    }

    /// The pools among its members.
    pub fn children(&self) -> impl Iterator<Item = PoolId> {
        self.members.iter().filter_map(|member| match member.target {
            Target::Pool(pool) => Some(pool),
            Target::Endpoint(_) => None,
        })
    }
}

#[cfg(test)]
mod tests;
