//! `random`: uniformly at random.

use super::compiled::{Branch, LivePool, Pick, Standing, soonest};

/// The living members; the draw is the query's. Any member's turn of verdict changes the odds.
pub(super) fn compile(members: &[Standing]) -> LivePool {
    let branches = members.iter().filter(|member| member.alive).map(Branch::of).collect();
    LivePool::new(branches, Pick::AtRandom, soonest(members))
}
