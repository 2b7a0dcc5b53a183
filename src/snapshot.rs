//! Everything that an answer is made from: immutable, swapped whole.
//!
//! A reload makes a new generation: other zones, other names, other cursors. A verdict that turns only swaps the
//! [`Live`] pools of the zones that it touches; the rest is shared with the snapshot before.

mod identity;

use std::sync::Arc;

pub use identity::{Identity, NSID_OCTETS_MAX, TEXT_OCTETS_MAX};

use crate::moment::Moment;
use crate::policy::{Answers, Ecs, Family, Live, PoolId, Pools, WhenAllDown};
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
    cursors: usize,
    identity: Arc<Identity>,
    horizon: Arc<Horizon>,
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
        Self { names: names.into(), all: Live::all_alive(&pools), pools, aliases, cursors }
    }
}

impl Served {
    /// A zone with its balanced names and their pools of now.
    pub fn new(zone: Arc<Zone>, steering: Arc<Steering>, live: Arc<Live>) -> Self {
        Self { zone, steering, live, cursors_at: 0 }
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
    /// A snapshot of `served`, one entry a zone. Workers set up anew when `generation` differs from their own.
    pub fn new(generation: u64, mut served: Vec<Served>) -> Self {
        let mut cursors = 0;
        for zone in &mut served {
            zone.cursors_at = cursors;
            cursors += zone.steering.cursors;
        }
        let index = Arc::new(Index::of(&served));
        Self { generation, served: served.into(), index, cursors, identity: Arc::default(), horizon: Arc::default() }
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
