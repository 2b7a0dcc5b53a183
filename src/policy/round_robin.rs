//! `round-robin`: each living member in turn; the rest follow in rotated order. One in its slow start is passed over
//! in a part of its turns.

use super::compiled::{Branch, LivePool, Pick, Standing, soonest};
use super::shares;

/// The living members in the operator's order. Any member's turn of verdict changes the rotation.
pub(super) fn compile(members: &[Standing]) -> LivePool {
    let living: Vec<&Standing> = members.iter().filter(|member| member.alive).collect();
    let pick = shares::turn(&living, |_| 1).map_or(Pick::InTurn, Pick::Drifting);
    LivePool::new(living.into_iter().map(Branch::of).collect(), pick, soonest(members))
}
