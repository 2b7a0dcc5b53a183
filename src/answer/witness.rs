//! Whoever wants to know how an answer comes about, beyond how its endpoints are chosen.

use crate::moment::Moment;
use crate::policy::{self, Client, Family};
use crate::snapshot::Served;

/// Hears the steps of an answer. `()` hears nothing, and costs a query nothing.
pub trait Witness: policy::Witness {
    /// What the name came to in the zone; said once for each name of a chain of aliases.
    fn found(&mut self, _served: &Served, _name: &[u8], _finding: Finding) {}

    /// A balanced name was steered; for hints, once for each family.
    fn steered(&mut self, _steered: Steered) {}
}

impl Witness for () {}

/// What a name is in its zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// It has what was asked for, the same for everybody.
    Static,
    /// Its addresses are a pool's: the number of the name.
    Balanced(u32),
    /// It has service records whose address hints are a pool's: the number of the first name that they lead to.
    Hinted(u32),
    /// It stands for another.
    Alias,
    /// It exists, without what was asked for.
    NoData,
    /// It is below a delegation.
    Delegated,
    /// There is no such name.
    Missing,
}

/// What steering came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Steered {
    /// The addresses that were wanted.
    pub family: Family,
    /// For whom.
    pub client: Client,
    /// Whether anything of the pool lives; otherwise the name's `when-all-down` has answered.
    pub alive: bool,
    /// The TTL that was given.
    pub ttl: u32,
    /// When the answer could change at the soonest.
    pub flip: Moment,
    /// How far ahead verdicts may be counted on at all.
    pub horizon: Moment,
    /// How many bits of the client it depended on.
    pub scope: u8,
}

/// Why a TTL is what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TtlReason {
    /// Nothing lives, so whatever is said is to be forgotten soon.
    NothingLives,
    /// Probes are late, so that verdicts are counted on no further than that.
    Stale,
    /// Nothing is in sight that could change the answer.
    Steady,
    /// It runs at most to where a verdict that is forming could change the answer.
    Forming,
}

impl Steered {
    /// Why its TTL is what it is.
    pub fn ttl_reason(&self) -> TtlReason {
        match (self.alive, self.flip) {
            (false, _) => TtlReason::NothingLives,
            (true, flip) if self.horizon < flip => TtlReason::Stale,
            (true, Moment::NEVER) => TtlReason::Steady,
            (true, _) => TtlReason::Forming,
        }
    }

    /// What this and `before` come to together: the hints of both families, in one record.
    #[must_use]
    pub fn beside(self, before: Self) -> Self {
        Self {
            alive: before.alive && self.alive,
            ttl: before.ttl.min(self.ttl),
            flip: before.flip.min(self.flip),
            scope: before.scope.max(self.scope),
            ..self
        }
    }
}
