//! `random`: uniformly at random, but for members in their slow start.

use super::compiled::{Branch, LivePool, Pick, Standing, soonest};
use super::shares;

/// The living members; the draw is the query's. Any member's turn of verdict changes the odds.
pub(super) fn compile(members: &[Standing]) -> LivePool {
    let living: Vec<&Standing> = members.iter().filter(|member| member.alive).collect();
    let pick = shares::turn(&living, |_| 1).map_or(Pick::AtRandom, Pick::Lots);
    LivePool::new(living.into_iter().map(Branch::of).collect(), pick, soonest(members))
}
