//! Everything that an answer is made from: immutable, swapped whole.
//!
//! A reload makes a new generation: zones that were read anew beside those that were not, which are shared with the
//! snapshot before, turns and all. A verdict that turns only swaps the [`Live`] pools of the zones that it touches.

mod identity;
mod layout;

use std::sync::Arc;

pub use identity::{Identity, NSID_OCTETS_MAX, TEXT_OCTETS_MAX};
pub use layout::{Counted, Layout, LeftOut, NO_ZONE, OTHER_ZONES, RowLimits, Rows};

use crate::moment::Moment;
use crate::policy::{Answers, Dependents, Ecs, Family, Live, PoolId, Pools, WhenAllDown};
use crate::ttl::{Horizon, TtlRange};
use crate::wire::name::Name;
use crate::wire::qname::{Qname, hash_name, is_same};
use crate::zone::{Table, Zone};

/// All zones at one moment.
#[derive(Clone, Debug)]
pub struct Snapshot {
    generation: u64,
    served: Box<[Served]>,
    index: Arc<Index>,
    /// Which layout of cursors this is: where another begins, all turns begin anew.
    layout: u64,
    cursors: usize,
    identity: Arc<Identity>,
    horizon: Arc<Horizon>,
    rows: Option<Arc<Layout>>,
}

/// One zone with its balanced names.
#[derive(Clone, Debug)]
pub struct Served {
    /// What it says.
    pub zone: Arc<Zone>,
    /// Its balanced names and their pools.
    pub steering: Arc<Steering>,
    /// The pools under the verdicts of now.
    pub live: Arc<Live>,
    cursors_at: usize,
    rows: Rows,
}

/// The balanced names of one zone, and what they are balanced over.
#[derive(Debug)]
pub struct Steering {
    /// By the number that the zone's nodes bear.
    pub names: Box<[Balanced]>,
    /// Their pools.
    pub pools: Pools,
    /// Where aliases lead, by [`AliasId`](crate::policy::AliasId); absolute, in lower case.
    pub aliases: Box<[Name]>,
    /// The pools as if everything lived: what `serve-all` answers from, unless operators took something out.
    pub all: Live,
    /// Which pools the verdict of each probe touches.
    pub dependents: Dependents,
    /// Cursors that a worker keeps for this zone.
    cursors: usize,
}

/// A balanced name: a pool, plus TTL and answer count.
#[derive(Clone, Debug)]
pub struct Balanced {
    /// The pool.
    pub root: PoolId,
    /// How many answers.
    pub answers: Answers,
    /// The TTLs between which its answers move.
    pub ttl: TtlRange,
    /// What is answered when nothing lives.
    pub when_all_down: WhenAllDown,
    /// Whether the client subnet that a resolver tells is heeded.
    pub ecs: Ecs,
    /// Whether its addresses are hints of the service records that lead to it.
    is_hint: bool,
    /// Which family decides whether it is an alias; `None` where it never is.
    deciding: Option<Family>,
    /// The lowest pool that it reaches; its cursors are for that one to `root`.
    low: PoolId,
    /// Its first cursor within the zone's, IPv4; as many for IPv6 follow, then the same for hints, if it has any.
    cursors_at: usize,
}

impl Balanced {
    /// A balanced name over `root`.
    pub fn new(root: PoolId, answers: Answers, ttl: TtlRange, when_all_down: WhenAllDown, ecs: Ecs) -> Self {
        Self { root, answers, ttl, when_all_down, ecs, is_hint: false, deciding: None, low: root, cursors_at: 0 }
    }

    /// The same, its addresses being the hints of the SVCB and HTTPS records that lead to it (RFC 9460 §7.3).
    #[must_use]
    pub fn hinting(self) -> Self {
        Self { is_hint: true, ..self }
    }

    /// The lowest pool that it reaches: what its first cursor is for.
    pub fn low(&self) -> PoolId {
        self.low
    }

    /// The family whose choice says whether it is an alias now; `None` where it never is.
    pub fn deciding(&self) -> Option<Family> {
        self.deciding
    }

    /// Cursors for one family.
    fn span(&self) -> usize {
        (self.root.0 - self.low.0) as usize + 1
    }
}

impl Steering {
    /// Gives every name its cursors and compiles the pools for `serve-all`. `aliases` are what the endpoints of
    /// `pools` number.
    pub fn new(mut names: Vec<Balanced>, pools: Pools, aliases: Box<[Name]>) -> Self {
        let deciding = pools.deciding();
        let lowest: Vec<PoolId> = (0..pools.pools.len()).map(|id| pools.lowest(PoolId(id as u32))).collect();
        let mut cursors = 0;
        for name in &mut names {
            name.low = lowest.get(name.root.0 as usize).copied().unwrap_or(name.root);
            name.deciding = deciding.get(name.root.0 as usize).copied().flatten();
            name.cursors_at = cursors;
            cursors += 2 * name.span() * if name.is_hint { 2 } else { 1 };
        }
        let (all, dependents) = (Live::all_alive(&pools), Dependents::of(&pools));
        Self { names: names.into(), all, dependents, pools, aliases, cursors }
    }
}

/// Where the cursors of a zone are that has none yet.
const UNPLACED: usize = usize::MAX;

/// Cursors that may lie idle, of zones that are gone or were read anew, before all are laid out afresh: as many as are
/// in use, but some always, so that the turns of small folders go on over many changes.
const IDLE_CURSORS_LEAST: usize = 4_096;

impl Served {
    /// A zone with its balanced names and their pools of now.
    pub fn new(zone: Arc<Zone>, steering: Arc<Steering>, live: Arc<Live>) -> Self {
        Self { zone, steering, live, cursors_at: UNPLACED, rows: Rows::NONE }
    }

    /// Where its queries and answers are counted.
    pub fn rows(&self) -> Rows {
        self.rows
    }

    /// Where a worker keeps the cursors of `name` for one family.
    pub fn cursors(&self, name: &Balanced, family: Family) -> std::ops::Range<usize> {
        let start = self.cursors_at + name.cursors_at + family as usize * name.span();
        start..start + name.span()
    }

    /// The same for its hints; none where it has none.
    pub fn hint_cursors(&self, name: &Balanced, family: Family) -> std::ops::Range<usize> {
        if !name.is_hint {
            return 0..0;
        }
        let std::ops::Range { start, end } = self.cursors(name, family);
        start + 2 * name.span()..end + 2 * name.span()
    }
}

impl Snapshot {
    /// A snapshot of `served`, one entry a zone. Workers begin all turns anew when they come to it.
    pub fn new(generation: u64, mut served: Vec<Served>) -> Self {
        let mut cursors = 0;
        for zone in &mut served {
            zone.cursors_at = cursors;
            cursors += zone.steering.cursors;
        }
        Self::laid_out(generation, served, generation, cursors)
    }

    /// The next generation: `served`, of which those that were taken from this one keep their turns.
    #[must_use]
    pub fn followed_by(&self, mut served: Vec<Served>) -> Self {
        let generation = self.generation + 1;
        let (mut end, mut used) = (self.cursors, 0);
        for zone in &mut served {
            used += zone.steering.cursors;
            if zone.cursors_at == UNPLACED {
                zone.cursors_at = end;
                end += zone.steering.cursors;
            }
        }
        if end - used > used.max(IDLE_CURSORS_LEAST) {
            return Self::new(generation, served);
        }
        Self::laid_out(generation, served, self.layout, end)
    }

    fn laid_out(generation: u64, served: Vec<Served>, layout: u64, cursors: usize) -> Self {
        let index = Arc::new(Index::of(&served));
        let (identity, horizon) = (Arc::default(), Arc::default());
        Self { generation, served: served.into(), index, layout, cursors, identity, horizon, rows: None }
    }

    /// The same, counted by zone and endpoint. What had rows in the layout `before` keeps them as far as it can.
    #[must_use]
    pub fn counted(mut self, before: Option<&Arc<Layout>>, limits: RowLimits) -> Self {
        self.rows = Some(Layout::assign(&mut self.served, before, limits));
        self
    }

    /// What the rows are that it is counted by; `None` where it is not.
    pub fn rows(&self) -> Option<&Arc<Layout>> {
        self.rows.as_ref()
    }

    /// The same, by a server that says this of itself.
    #[must_use]
    pub fn identified(self, identity: Arc<Identity>) -> Self {
        Self { identity, ..self }
    }

    /// What the server says of itself.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Whether anything was loaded yet: generation 0 is what there is before.
    pub fn is_ready(&self) -> bool {
        self.generation > 0
    }

    /// The same, with a horizon that whoever watches the probes moves.
    #[must_use]
    pub fn within(self, horizon: Arc<Horizon>) -> Self {
        Self { horizon, ..self }
    }

    /// The moment beyond which answers may not count on what they are made from.
    pub fn horizon(&self) -> Moment {
        self.horizon.get()
    }

    /// The same zones under other verdicts: `live` gives a zone's pools anew, or `None` where nothing changed.
    #[must_use]
    pub fn with_live(&self, mut live: impl FnMut(&Served) -> Option<Arc<Live>>) -> Self {
        let mut next = self.clone();
        for zone in &mut next.served {
            if let Some(live) = live(zone) {
                zone.live = live;
            }
        }
        next
    }

    /// Which load this is.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Which layout of cursors this is: a worker keeps its turns while it is the same, though there may be more.
    pub fn layout(&self) -> u64 {
        self.layout
    }

    /// Cursors that a worker must hold for this generation.
    pub fn cursors(&self) -> usize {
        self.cursors
    }

    /// The zones, in no order that means anything.
    pub fn served(&self) -> &[Served] {
        &self.served
    }

    /// The zone that `qname` is in: the longest apex that it is at or below, when the leftmost `skip` labels are
    /// left out. A DS question at an apex skips one, since the parent answers it.
    pub fn zone_of(&self, qname: &Qname, skip: usize) -> Option<&Served> {
        let first = qname.labels().saturating_sub(self.index.labels_max).max(skip);
        (first..=qname.labels()).find_map(|skip| {
            let (octets, hash) = qname.ancestor(skip)?;
            self.index.table.find(hash, |id| {
                let served = self.served.get(id as usize)?;
                is_same(served.zone.apex().as_wire(), octets).then_some(served)
            })
        })
    }
}

/// Zones by apex.
#[derive(Debug)]
struct Index {
    table: Table,
    labels_max: usize,
}

impl Index {
    fn of(served: &[Served]) -> Self {
        Self {
            table: Table::of(served.iter().map(|served| hash_name(served.zone.apex()))),
            labels_max: served.iter().map(|served| served.zone.apex_labels()).max().unwrap_or(0),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;
    use crate::policy::{Endpoint, EndpointId, Given, Judged, Member, MinAlive, Policy, Pool, Target};
    use crate::wire::rtype::Rtype;
    use crate::zone::{Builder, Origin};

    /// A zone of so many balanced names over one pool.
    fn zone(apex: &str, names: usize) -> Served {
        let apex = Name::from_host(apex).expect("a name");
        let mut builder = Builder::new(&apex);
        let soa = [apex.as_wire(), apex.as_wire(), &[0; 20]].concat();
        let origin = Origin { file: 0, line: 1 };
        builder.add(apex.as_wire(), Rtype::SOA, 60, &soa, origin);
        builder.add(apex.as_wire(), Rtype::NS, 60, apex.as_wire(), origin);
        let (zone, faults) = builder.finish();
        let zone = zone.unwrap_or_else(|| panic!("{faults:?}"));
        let address: IpAddr = "192.0.2.1".parse().expect("an address");
        let endpoint = Endpoint { name: "a".into(), given: Given::Address(address), judged: Judged::default() };
        let member = Member { target: Target::Endpoint(EndpointId(0)), weight: 1 };
        let pool = Pool {
            name: "p".into(),
            policy: Policy::RoundRobin,
            members: [member].into(),
            min_alive: MinAlive::Count(1),
            depends: Box::default(),
        };
        let pools = Pools::new(vec![pool], vec![endpoint]);
        let ttl = TtlRange { min: 5, max: 60 };
        let name = Balanced::new(PoolId(0), Answers::Best(1), ttl, WhenAllDown::ServeAll, Ecs::Heeded);
        let steering = Steering::new(vec![name; names], pools, Box::default());
        let live = Live::all_alive(&steering.pools);
        Served::new(Arc::new(zone), Arc::new(steering), Arc::new(live))
    }

    fn cursors(snapshot: &Snapshot, apex: &str) -> std::ops::Range<usize> {
        let served = snapshot.served().iter().find(|served| served.zone.apex().to_string() == apex).expect("a zone");
        let names = &served.steering.names;
        let (first, last) = (&names[0], &names[names.len() - 1]);
        served.cursors(first, Family::V4).start..served.cursors(last, Family::V6).end
    }

    #[test]
    fn a_zone_that_is_taken_over_keeps_its_turns() {
        let first = Snapshot::new(0, Vec::new()).followed_by(vec![zone("a.test", 3), zone("b.test", 5)]);
        assert_eq!((cursors(&first, "a.test."), cursors(&first, "b.test."), first.cursors()), (0..6, 6..16, 16));
        // One is read anew, one is taken over, one comes.
        let kept = first.served()[1].clone();
        let second = first.followed_by(vec![zone("a.test", 4), kept, zone("c.test", 1)]);
        assert_eq!((cursors(&second, "b.test."), second.layout()), (6..16, first.layout()));
        let (a, c) = (cursors(&second, "a.test."), cursors(&second, "c.test."));
        assert_eq!((a, c, second.cursors()), (16..24, 24..26, 26), "none that somebody had");
        assert_eq!((first.generation(), second.generation()), (1, 2));
        // What lies idle is laid out afresh before it is more than is in use.
        let mut last = second;
        for _ in 0..2_000 {
            let kept = last.served()[1].clone();
            last = last.followed_by(vec![zone("a.test", 4), kept]);
            assert!(last.cursors() <= 18 + IDLE_CURSORS_LEAST, "{}", last.cursors());
            let (a, b) = (cursors(&last, "a.test."), cursors(&last, "b.test."));
            assert!(a.end <= last.cursors() && b.end <= last.cursors() && (a.end <= b.start || b.end <= a.start));
        }
        assert_ne!(last.layout(), first.layout());
    }
}
