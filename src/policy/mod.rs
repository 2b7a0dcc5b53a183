//! Members + verdicts + place → choice: one file a policy.
//!
//! Knows neither DNS names nor octets. [`Pools`] is what a policy file says, checked and numbered; [`Live`] is
//! what that comes to under the verdicts of one moment, recomputed when one turns; a query only walks it.

mod choose;
mod dependents;
mod given;
mod forced;
mod judged;
mod live;
mod compiled;
mod round_robin;
mod weighted;
mod least_load;
mod shares;
mod schedule;
mod portions;
mod random;
mod failover;
mod hash;
mod mapped;
mod latency;
mod band;
mod ranking;
mod client;
mod family;
mod witness;

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

pub use band::{Band, Latency, TOLERANCE_MAX};
pub use choose::{Cursor, EACH_MEMBER_MAX, Hand, Picks, View, Want, choose};
pub use client::{Client, SCOPE_V4_MAX, SCOPE_V6_MAX};
pub use compiled::LivePool;
pub use dependents::Dependents;
pub use family::Family;
pub use forced::{Force, Forced};
pub use given::{AliasId, Given};
pub use judged::{JUDGES_MAX, Judged};
pub use live::{LastGood, Live};
pub use portions::{Portion, Portions};
pub use ranking::{HASH_BITS, Ranking};
pub use schedule::gcd;
pub use witness::{How, Witness};

use crate::geo::Map;
use crate::health::ProbeId;

/// Which pool of a zone: an index into [`Pools::pools`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PoolId(pub u32);

/// Which endpoint of a zone: an index into [`Pools::endpoints`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EndpointId(pub u32);

/// How a pool picks among its living members.
///
/// What a policy needs beside its members and is costly to make comes with it, shared.
#[derive(Clone, Debug)]
pub enum Policy {
    /// Each living member in turn; the rest follow in rotated order.
    RoundRobin,
    /// In exact proportion to weight, smoothly interleaved; weight 0 as a last resort.
    Weighted,
    /// In proportion to weight and to the headroom that endpoints report.
    LeastLoad,
    /// Uniformly at random.
    Random,
    /// The first living member.
    Failover,
    /// By what members claim of the client's place.
    Geo(Arc<Map>),
    /// The least great-circle distance.
    Nearest(Arc<Map>),
    /// The least expected round-trip time; all within the tolerance of the best share by weight.
    Latency(Arc<Latency>),
    /// By the client's network: each stays with its member.
    Hash(Arc<Ranking>),
}

/// Whether two pools pick alike from equal members. What is derived from those members is not compared.
impl PartialEq for Policy {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Policy {
    /// Which it is.
    pub const fn name(&self) -> PolicyName {
        match self {
            Self::RoundRobin => PolicyName::RoundRobin,
            Self::Weighted => PolicyName::Weighted,
            Self::LeastLoad => PolicyName::LeastLoad,
            Self::Random => PolicyName::Random,
            Self::Failover => PolicyName::Failover,
            Self::Geo(_) => PolicyName::Geo,
            Self::Nearest(_) => PolicyName::Nearest,
            Self::Latency(_) => PolicyName::Latency,
            Self::Hash(_) => PolicyName::Hash,
        }
    }
}

/// A policy as files name it, without what it needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "they are the policies")]
pub enum PolicyName {
    RoundRobin,
    Weighted,
    LeastLoad,
    Random,
    Failover,
    Geo,
    Nearest,
    Latency,
    Hash,
}

impl PolicyName {
    /// All of them, with the words of the files.
    pub const ALL: [(&'static str, Self); 9] = [
        ("round-robin", Self::RoundRobin),
        ("weighted", Self::Weighted),
        ("least-load", Self::LeastLoad),
        ("random", Self::Random),
        ("failover", Self::Failover),
        ("geo", Self::Geo),
        ("nearest", Self::Nearest),
        ("latency", Self::Latency),
        ("hash", Self::Hash),
    ];

    /// The word of the files.
    pub fn word(self) -> &'static str {
        Self::ALL.iter().find(|(_, name)| *name == self).map_or("", |(word, _)| word)
    }

    /// Whether members' weights count.
    pub const fn heeds_weights(self) -> bool {
        matches!(self, Self::Weighted | Self::LeastLoad | Self::Latency | Self::Hash)
    }

    /// Whether its answers are shared out among members, rather than each client having one that is its own.
    pub const fn shares_out(self) -> bool {
        !matches!(self, Self::Failover | Self::Geo | Self::Nearest)
    }

    /// Whether a name over such a pool answers with all of its members unless it says how many.
    pub const fn answers_each_member(self) -> bool {
        matches!(self, Self::RoundRobin | Self::Random)
    }
}

impl fmt::Display for PolicyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// An endpoint or another pool, inside a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// What is a member.
    pub target: Target,
    /// Its share of a [`Policy::Weighted`] pool, 0 to [`WEIGHT_MAX`]; 1 where none is given.
    pub weight: u32,
}

/// What a member is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// One address, or an alias.
    Endpoint(EndpointId),
    /// Another pool.
    Pool(PoolId),
}

/// How many of a pool's members must live for the pool to live, counted for each address family by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MinAlive {
    /// So many, at least 1.
    Count(u32),
    /// This share of the members, 1 to 100, rounded up to whole members.
    Percent(u8),
    /// This share of the members' weights, 1 to 100; where all of them are 0, of the members.
    PercentOfWeight(u8),
}

/// One address that serves, or an alias to what does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The operator's name for it; the address as text where none was given.
    pub name: Box<str>,
    /// What is answered.
    pub given: Given,
    /// Who judges it; an alias nobody.
    pub judged: Judged,
}

/// A policy over members.
#[derive(Clone, Debug, PartialEq)]
pub struct Pool {
    /// The operator's name for it.
    pub name: Box<str>,
    /// How it picks.
    pub policy: Policy,
    /// In the operator's order.
    pub members: Box<[Member]>,
    /// When it counts as alive.
    pub min_alive: MinAlive,
    /// What must be up for it to be alive, whatever its members are: a database, an upstream.
    pub depends: Box<[ProbeId]>,
}

/// All pools of one zone, children before their parents: what a pool's members name always stands before it,
/// so there is no loop and one pass from the front computes everything.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pools {
    /// By [`PoolId`].
    pub pools: Box<[Pool]>,
    /// By [`EndpointId`].
    pub endpoints: Box<[Endpoint]>,
    /// Of each endpoint, the first that gives the same: what answers with no address twice are told apart by.
    first_alike: Box<[EndpointId]>,
}

impl Pools {
    /// Pools over endpoints.
    pub fn new(pools: Vec<Pool>, endpoints: Vec<Endpoint>) -> Self {
        let mut first = HashMap::with_capacity(endpoints.len());
        let first_alike = (0..)
            .zip(&endpoints)
            .map(|(id, endpoint)| *first.entry(endpoint.given).or_insert(EndpointId(id)))
            .collect();
        Self { pools: pools.into(), endpoints: endpoints.into(), first_alike }
    }

    /// The first endpoint that gives what this one does.
    fn first_alike(&self, id: EndpointId) -> EndpointId {
        self.first_alike.get(id.0 as usize).copied().unwrap_or(id)
    }

    /// Every probe on which anything here depends, in no order, some more than once.
    pub fn probes(&self) -> impl Iterator<Item = ProbeId> {
        let judges = self.endpoints.iter().flat_map(|endpoint| &endpoint.judged.probes);
        judges.chain(self.pools.iter().flat_map(|pool| &pool.depends)).copied()
    }

    /// Gives every probe the number that `number` has for it.
    pub fn renumber(&mut self, number: impl Fn(ProbeId) -> ProbeId) {
        let judges = self.endpoints.iter_mut().flat_map(|endpoint| &mut endpoint.judged.probes);
        for probe in judges.chain(self.pools.iter_mut().flat_map(|pool| &mut pool.depends)) {
            *probe = number(*probe);
        }
    }
}

/// The most that one member may weigh; gdnsd's bound is 2²⁰ − 1 too.
pub const WEIGHT_MAX: u32 = (1 << 20) - 1;

/// The most that the weights of one pool may sum to, once their common factor is taken out. A turn of the
/// schedule is that long and is laid out in memory at two octets a step: 2 MiB at the most.
pub const WEIGHT_TOTAL_MAX: u64 = 1 << 20;

/// Members of one pool; a member's number fits two octets in a schedule.
pub const MEMBERS_MAX: usize = 1 << 16;

/// Pools nested in pools, from a name down. Deeper than any real tree, and a bound on the work of a query.
pub const DEPTH_MAX: usize = 16;

/// Answers to one query. 64 AAAA records are 1,792 octets: more never leave by UDP.
pub const ANSWERS_MAX: usize = 64;

/// How many answers a name gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answers {
    /// One from each living member of the name's pool in turn, up to 8 (Route 53's multivalue bound): the
    /// default of `round-robin`.
    EachMember,
    /// The best so many, 1 to [`ANSWERS_MAX`].
    Best(u8),
    /// So many, 1 to [`ANSWERS_MAX`]: one from each member of the name's pool first, then the best of the rest, so
    /// that a client's own failover crosses sites (`spread = true`).
    Spread(u8),
}

/// Whether a name's answers heed the client subnet that a resolver tells (RFC 7871), or only the resolver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ecs {
    /// They do.
    Heeded,
    /// They do not, and say that they go for everybody.
    Ignored,
}

/// What is answered when nothing of a name's pool lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WhenAllDown {
    /// As if everything lived.
    ServeAll,
    /// As when something last lived; as [`WhenAllDown::ServeAll`] when nothing ever did.
    LastGood,
    /// These addresses, those of the family that was asked for.
    Addresses(Box<[IpAddr]>),
    /// No records (NOERROR).
    NoData,
    /// SERVFAIL.
    ServFail,
    /// REFUSED.
    Refused,
}

/// As the policy file says it; addresses with a space between.
impl fmt::Display for WhenAllDown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ServeAll => f.write_str("serve-all"),
            Self::LastGood => f.write_str("last-good"),
            Self::Addresses(addresses) => {
                f.write_str(&addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "))
            }
            Self::NoData => f.write_str("nodata"),
            Self::ServFail => f.write_str("servfail"),
            Self::Refused => f.write_str("refused"),
        }
    }
}
